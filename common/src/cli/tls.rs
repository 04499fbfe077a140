//! TLS options.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::parse::UsageError;
use crate::net::tls::{MinimumVersion, TlsOptions, Trust};

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
    pub sni: Option<String>,
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
        Ok(TlsOptions { server_name: self.sni.clone(), minimum, trust, client })
    }
}

/// Days of certificate life left.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "TLS")]
pub struct CertificateArgs {
    /// WARNING when a certificate of the chain ends within this many days
    #[arg(long, value_name = "DAYS", default_value_t = 21)]
    pub cert_warning: u32,
    /// CRITICAL when a certificate of the chain ends within this many days
    #[arg(long, value_name = "DAYS", default_value_t = 7)]
    pub cert_critical: u32,
}
