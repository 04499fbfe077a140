//! Host names and addresses as operators type them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A host: a name (in its ASCII form) or an address literal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Host {
    /// A host name; internationalised names are held as A-labels (RFC 5891).
    Name(String),
    /// An IPv4 or IPv6 literal.
    Address(IpAddr),
    /// An IPv6 literal with a zone (`fe80::1%eth0`), which only the system can read.
    Scoped(String),
}

/// Why a host was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// Nothing there.
    #[error("empty host name")]
    Empty,
    /// Characters, lengths or labels no host name can have.
    #[error("'{0}' is neither a host name nor an IP address")]
    Malformed(String),
    /// A host with a port glued on.
    #[error("'{0}' contains a port; give it with its own option")]
    WithPort(String),
}

impl Host {
    /// The address, if the host is a literal.
    #[must_use]
    pub const fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(*address),
            Self::Name(_) | Self::Scoped(_) => None,
        }
    }

    /// What goes to the resolver.
    #[must_use]
    pub fn lookup_name(&self) -> String {
        match self {
            Self::Name(name) | Self::Scoped(name) => name.clone(),
            Self::Address(address) => address.to_string(),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lookup_name())
    }
}

impl FromStr for Host {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(HostError::Empty);
        }
        let bracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let bare = bracketed.unwrap_or(text);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return match (bracketed, address) {
                (Some(_), IpAddr::V4(_)) => Err(HostError::Malformed(text.to_owned())),
                _ => Ok(Self::Address(address)),
            };
        }
        if let Some((address, zone)) = bare.split_once('%') {
            let plain_zone = !zone.is_empty()
                && zone.len() <= 15
                && zone.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
            return if matches!(address.parse(), Ok(IpAddr::V6(_))) && plain_zone {
                Ok(Self::Scoped(bare.to_owned()))
            } else {
                Err(HostError::Malformed(text.to_owned()))
            };
        }
        if bare.contains(':') {
            return Err(HostError::WithPort(text.to_owned()));
        }
        if bracketed.is_some() {
            return Err(HostError::Malformed(text.to_owned()));
        }
        host_name(text).map(Self::Name)
    }
}

/// A host name: a domain name whose last label is no number, for that would be read as an
/// address by some resolvers (RFC 3696 section 2).
fn host_name(text: &str) -> Result<String, HostError> {
    let name = domain_name(text)?;
    let bare = name.strip_suffix('.').unwrap_or(&name);
    let numeric_end = bare.rsplit('.').next().is_some_and(|label| label.bytes().all(|b| b.is_ascii_digit()));
    if numeric_end { Err(HostError::Malformed(text.to_owned())) } else { Ok(name) }
}

/// Checks a name by RFC 1123 section 2.1 (letters, digits, hyphen; underscores are let
/// through, because internal names carry them) and turns U-labels into A-labels.
pub fn domain_name(text: &str) -> Result<String, HostError> {
    if text.is_empty() {
        return Err(HostError::Empty);
    }
    let malformed = || HostError::Malformed(text.to_owned());
    let ascii = if text.is_ascii() {
        text.to_ascii_lowercase()
    } else {
        idna::domain_to_ascii(text).map_err(|_| malformed())?
    };
    let name = ascii.strip_suffix('.').unwrap_or(&ascii);
    let label_ok = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if name.len() <= 253 && name.split('.').all(label_ok) { Ok(ascii) } else { Err(malformed()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn host(text: &str) -> Host {
        text.parse().unwrap()
    }

    #[test]
    fn literals_with_and_without_brackets() {
        assert_eq!(host("192.0.2.1").address(), Some("192.0.2.1".parse().unwrap()));
        assert_eq!(host("[2001:db8::1]"), host("2001:db8::1"));
        assert_eq!(host("fe80::1%eth0"), Host::Scoped("fe80::1%eth0".into()));
    }

    #[test]
    fn names_become_a_labels() {
        assert_eq!(host("Mail.Example.ORG"), Host::Name("mail.example.org".into()));
        assert_eq!(host("bücher.example"), Host::Name("xn--bcher-kva.example".into()));
        assert_eq!(host("mail_1.lan"), Host::Name("mail_1.lan".into()));
        assert_eq!(host("mail.example."), Host::Name("mail.example.".into()));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "a b",
            "mail:25",
            "[mail]",
            "[192.0.2.1]",
            "-a.example",
            "a..b",
            "1.2.3",
            "mail/..",
            "a\r\nb",
            "fe80::1%",
            "192.0.2.1%eth0",
            "*",
            &"a".repeat(64),
        ] {
            assert!(text.parse::<Host>().is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_accepted_carries_no_blank_or_control(text in ".{0,80}") {
            if let Ok(host) = text.parse::<Host>() {
                prop_assert!(host.to_string().bytes().all(|b| b.is_ascii_graphic()));
            }
        }
    }
}
