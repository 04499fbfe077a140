//! TLS options.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::usage::UsageError;
use crate::net::tls::{MinimumVersion, TlsOptions, Trust};
use crate::proto::names::Host;
use crate::report::{Range, Thresholds};

/// When TLS begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TlsMode {
    /// Implicit on the port that stands for it, else STARTTLS
    #[default]
    Auto,
    /// Asked for in plaintext, and required
    Starttls,
    /// From the first byte
    Implicit,
    /// Never
    None,
}

/// How a peer proves who it is.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "TLS")]
pub struct TlsArgs {
    /// Lowest TLS version to accept: 1.2 or 1.3
    #[arg(long, value_name = "VERSION", default_value = "1.2")]
    pub tls_min: String,
    /// Name to send as SNI and to expect in the certificate, instead of the host's
    #[arg(long, alias = "servername", value_name = "NAME")]
    pub sni: Option<Host>,
    /// Trust the CA certificates of this PEM file instead of the system's
    #[arg(long, aliases = ["ca", "ssl-ca"], value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Client certificate chain, PEM
    #[arg(long, alias = "ssl-cert", value_name = "FILE", requires = "key_file")]
    pub cert_file: Option<PathBuf>,
    /// Private key of the client certificate, PEM
    #[arg(long, alias = "ssl-key", value_name = "FILE", requires = "cert_file")]
    pub key_file: Option<PathBuf>,
    /// Accept any certificate; secrets go to whoever answers
    #[arg(long, conflicts_with = "ca_file")]
    pub insecure: bool,
}

impl TlsArgs {
    /// The options for a connector.
    pub fn options(&self) -> Result<TlsOptions, UsageError> {
        let minimum = match self.tls_min.as_str() {
            "1.2" => MinimumVersion::Tls12,
            "1.3" => MinimumVersion::Tls13,
            "1.0" | "1.1" => {
                let cause = format!("this build's TLS library does not speak TLS {}", self.tls_min);
                return Err(UsageError::new("--tls-min", cause)
                    .with_hint("1.2 is the lowest; peers that speak only TLS 1.0 or 1.1 cannot be checked"));
            }
            other => {
                return Err(UsageError::new("--tls-min", format!("'{other}' is not one of 1.2, 1.3")));
            }
        };
        let trust = match (&self.ca_file, self.insecure) {
            (_, true) => Trust::Anyone,
            (Some(path), false) => Trust::CaFile(path.clone()),
            (None, false) => Trust::System,
        };
        let client = self.cert_file.clone().zip(self.key_file.clone());
        Ok(TlsOptions { server_name: self.sni.as_ref().map(Host::lookup_name), minimum, trust, client })
    }
}

/// Days of certificate life left.
#[derive(Args, Clone, Copy, Debug, Default)]
#[command(next_help_heading = "TLS")]
pub struct CertificateArgs {
    /// WARNING when a certificate of the chain has fewer days left [default: 21]
    #[arg(long, value_name = "DAYS")]
    pub cert_warning: Option<u32>,
    /// CRITICAL when a certificate of the chain has fewer days left [default: 7]
    #[arg(long, value_name = "DAYS")]
    pub cert_critical: Option<u32>,
}

const CERT_WARNING: u32 = 21;
const CERT_CRITICAL: u32 = 7;

impl CertificateArgs {
    /// Warning below critical can never be seen: a mistake, if both were given.
    pub fn check(&self) -> Result<(), UsageError> {
        match (self.cert_warning, self.cert_critical) {
            (Some(warning), Some(critical)) if warning < critical => Err(UsageError::new(
                "--cert-warning",
                format!("{warning} days is below --cert-critical {critical}"),
            )),
            _ => Ok(()),
        }
    }

    /// The limits as ranges of days; a default that contradicts a given value is dropped.
    #[must_use]
    pub fn thresholds(&self) -> Thresholds {
        let (warning, critical) = match (self.cert_warning, self.cert_critical) {
            (None, None) => (Some(CERT_WARNING), Some(CERT_CRITICAL)),
            (Some(warning), None) => {
                (Some(warning), Some(CERT_CRITICAL).filter(|default| *default <= warning))
            }
            (None, Some(critical)) => {
                (Some(CERT_WARNING).filter(|default| *default >= critical), Some(critical))
            }
            both => both,
        };
        let at_least = |days: Option<u32>| days.map(|days| Range::outside(f64::from(days), f64::INFINITY));
        Thresholds { warning: at_least(warning), critical: at_least(critical) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(cert_warning: Option<u32>, cert_critical: Option<u32>) -> (Option<String>, Option<String>) {
        let thresholds = CertificateArgs { cert_warning, cert_critical }.thresholds();
        (thresholds.warning.map(|r| r.to_string()), thresholds.critical.map(|r| r.to_string()))
    }

    #[test]
    fn a_default_that_contradicts_is_dropped() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(limits(None, None), (some("21:"), some("7:")));
        assert_eq!(limits(Some(5), None), (some("5:"), None));
        assert_eq!(limits(None, Some(30)), (None, some("30:")));
        assert_eq!(limits(Some(40), Some(30)), (some("40:"), some("30:")));
        assert!(CertificateArgs { cert_warning: Some(5), cert_critical: Some(6) }.check().is_err());
    }
}
