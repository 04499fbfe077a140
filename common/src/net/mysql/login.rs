//! Where to log in, as whom, and how much of it others may see.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::net::tls::MinimumVersion;
use crate::net::{Family, SecretBytes};
use crate::proto::names::Host;

/// Everything a connection needs, settled from command line and option files.
#[derive(Clone)]
pub struct Login {
    /// Where the server is.
    pub place: Place,
    /// User name.
    pub user: String,
    /// Password; empty for accounts that have none, such as those by unix socket.
    pub password: SecretBytes,
    /// How the connection is encrypted. A unix socket never is.
    pub tls: Tls,
    /// The server's RSA key, PEM, to send the password by over clear TCP.
    pub server_key: Option<PathBuf>,
    /// Name that the server shows for this connection.
    pub program: &'static str,
    /// What the operator should know about how this came together.
    pub notes: Vec<String>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("place", &self.place).field("user", &self.user).finish_non_exhaustive()
    }
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// By TCP.
    Tcp {
        /// Name or address.
        host: Host,
        /// Port.
        port: u16,
        /// Address families allowed.
        family: Family,
    },
    /// On a unix socket.
    Socket(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port, .. } => match host.address() {
                Some(address) => std::net::SocketAddr::new(address, *port).fmt(f),
                None => write!(f, "{host}:{port}"),
            },
            Self::Socket(path) => path.display().fmt(f),
        }
    }
}

/// How much TLS, in the words of MySQL's `--ssl-mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SslMode {
    /// Never.
    Disabled,
    /// If the server offers it, from whomever.
    #[default]
    Preferred,
    /// Always, from whomever.
    Required,
    /// Always, from a server whose certificate leads to the CA.
    VerifyCa,
    /// The same, and the certificate is for this host.
    VerifyIdentity,
}

impl SslMode {
    /// The words of the option.
    pub const NAMES: [(&'static str, Self); 5] = [
        ("disabled", Self::Disabled),
        ("preferred", Self::Preferred),
        ("required", Self::Required),
        ("verify-ca", Self::VerifyCa),
        ("verify-identity", Self::VerifyIdentity),
    ];

    /// Whether the server's certificate has to lead to the given CA.
    #[must_use]
    pub const fn verifies(self) -> bool {
        matches!(self, Self::VerifyCa | Self::VerifyIdentity)
    }
}

impl FromStr for SslMode {
    type Err = String;

    /// Also as option files write it: `VERIFY_CA`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let word = text.to_ascii_lowercase().replace('_', "-");
        let found = Self::NAMES.iter().find(|(name, _)| *name == word);
        found.map(|(_, mode)| *mode).ok_or_else(|| {
            let names: Vec<&str> = Self::NAMES.iter().map(|(name, _)| *name).collect();
            format!("'{text}' is not one of {}", names.join(", "))
        })
    }
}

impl fmt::Display for SslMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(_, mode)| mode == self).map_or("", |(name, _)| name);
        f.write_str(name)
    }
}

/// How a connection is encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Whether, and how the server proves who it is.
    pub mode: SslMode,
    /// CA certificates, PEM.
    pub ca: Option<PathBuf>,
    /// Client certificate and key, PEM.
    pub client: Option<(PathBuf, PathBuf)>,
    /// Lowest version.
    pub minimum: MinimumVersion,
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    #[test]
    fn modes_are_read_in_either_spelling() {
        assert_eq!("VERIFY_CA".parse(), Ok(SslMode::VerifyCa));
        assert_eq!("verify-identity".parse(), Ok(SslMode::VerifyIdentity));
        assert!("yes".parse::<SslMode>().unwrap_err().ends_with("verify-ca, verify-identity"));
        for (name, mode) in SslMode::NAMES {
            assert_eq!(mode.to_string(), name);
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let login = Login {
            place: Place::Socket("/run/x".into()),
            user: "mon".into(),
            password: Zeroizing::new(b"hunter2".to_vec()),
            tls: Tls::default(),
            server_key: None,
            program: "x",
            notes: Vec::new(),
        };
        assert!(!format!("{login:?}").contains("hunter2") && !format!("{login:?}").contains("104, 117"));
    }
}
