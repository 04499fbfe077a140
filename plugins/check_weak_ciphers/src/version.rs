//! Protocol versions, oldest first.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A version of SSL or TLS. The order is that of their age, so `<` reads "older than".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum Version {
    #[serde(rename = "SSLv2")]
    Ssl2,
    #[serde(rename = "SSLv3")]
    Ssl3,
    #[serde(rename = "TLS1.0")]
    Tls10,
    #[serde(rename = "TLS1.1")]
    Tls11,
    #[serde(rename = "TLS1.2")]
    Tls12,
    #[serde(rename = "TLS1.3")]
    Tls13,
}

impl Version {
    pub(crate) const ALL: [Self; 6] =
        [Self::Ssl2, Self::Ssl3, Self::Tls10, Self::Tls11, Self::Tls12, Self::Tls13];

    /// The number on the wire (RFC 8446 section 4.2.1; SSL 2.0 has its own, 0x0002).
    pub(crate) const fn code(self) -> u16 {
        match self {
            Self::Ssl2 => 0x0002,
            Self::Ssl3 => 0x0300,
            Self::Tls10 => 0x0301,
            Self::Tls11 => 0x0302,
            Self::Tls12 => 0x0303,
            Self::Tls13 => 0x0304,
        }
    }

    /// The version with this number on the wire.
    #[cfg(test)]
    pub(crate) fn from_code(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.code() == code)
    }

    /// As operators write it: `SSLv3`, `TLS1.2`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ssl2 => "SSLv2",
            Self::Ssl3 => "SSLv3",
            Self::Tls10 => "TLS1.0",
            Self::Tls11 => "TLS1.1",
            Self::Tls12 => "TLS1.2",
            Self::Tls13 => "TLS1.3",
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Version;

    #[test]
    fn codes_lead_back_and_rise_with_age() {
        assert!(Version::ALL.is_sorted());
        assert!(Version::ALL.is_sorted_by_key(|version| version.code()));
        for version in Version::ALL {
            assert_eq!(Version::from_code(version.code()), Some(version));
        }
        assert_eq!(Version::from_code(0x0305), None);
    }
}
