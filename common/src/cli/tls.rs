//! TLS options.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::usage::UsageError;
use crate::net::tls::{Backend, MinimumVersion, TlsOptions, Trust};
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

/// Which library speaks TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TlsBackend {
    /// Built in: TLS 1.2 and 1.3, ECDHE, AEAD suites
    #[default]
    Rustls,
    /// The system's OpenSSL, in builds made with it: also CBC suites, DHE, P-521, TLS 1.0 and 1.1
    Native,
}

impl From<TlsBackend> for Backend {
    fn from(backend: TlsBackend) -> Self {
        match backend {
            TlsBackend::Rustls => Self::Rustls,
            TlsBackend::Native => Self::Native,
        }
    }
}

/// How a peer proves who it is.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "TLS")]
pub struct TlsArgs {
    /// Lowest TLS version to accept: 1.2, 1.3, or 1.0 and 1.1 with --tls-backend native, which
    /// then accepts short keys and SHA-1 as well
    #[arg(long, value_name = "VERSION", default_value = "1.2")]
    pub tls_min: String,
    /// Library that speaks TLS
    #[arg(long, value_name = "NAME", value_enum, default_value_t)]
    pub tls_backend: TlsBackend,
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
        let backend = Backend::from(self.tls_backend);
        if !backend.is_built() {
            return Err(UsageError::new("--tls-backend", "this build does not have the native back-end")
                .with_hint("it comes with `cargo build --features native-tls`, which needs libssl-dev"));
        }
        let minimum = self.minimum()?;
        let trust = match (&self.ca_file, self.insecure) {
            (_, true) => Trust::Anyone,
            (Some(path), false) => Trust::CaFile(path.clone()),
            (None, false) => Trust::System,
        };
        let client = self.cert_file.clone().zip(self.key_file.clone());
        let server_name = self.sni.as_ref().map(Host::lookup_name);
        Ok(TlsOptions { backend, server_name, minimum, trust, client })
    }

    fn minimum(&self) -> Result<MinimumVersion, UsageError> {
        match (self.tls_min.as_str(), self.tls_backend) {
            ("1.2", _) => Ok(MinimumVersion::Tls12),
            ("1.3", _) => Ok(MinimumVersion::Tls13),
            ("1.0", TlsBackend::Native) => Ok(MinimumVersion::Tls10),
            ("1.1", TlsBackend::Native) => Ok(MinimumVersion::Tls11),
            (old @ ("1.0" | "1.1"), TlsBackend::Rustls) => {
                Err(UsageError::new("--tls-min", format!("rustls does not speak TLS {old}"))
                    .with_hint("1.2 is its lowest; --tls-backend native goes down to 1.0"))
            }
            (other, _) => {
                Err(UsageError::new("--tls-min", format!("'{other}' is not one of 1.0, 1.1, 1.2, 1.3")))
            }
        }
    }
}

/// Days of certificate life left. The plugin says under which heading.
#[derive(Args, Clone, Copy, Debug, Default)]
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
