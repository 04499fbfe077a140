//! Whom to check: addresses, networks, host names, domains.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use common::cli::BadValue;
use common::proto::dns::DomainName;

/// A value of `-H` or a line of the targets file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    Address(IpAddr),
    /// First address and length of the prefix.
    Network(IpAddr, u8),
    Name(DomainName),
}

/// Addresses of one run.
pub(crate) const MAX_TARGETS: usize = 4096;

impl FromStr for Target {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || malformed(text);
        if text.is_empty() {
            return Err(BadValue::new("empty"));
        }
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(Self::Address(address));
        }
        if let Some((address, length)) = text.split_once('/') {
            let address: IpAddr = address.parse().map_err(|_| malformed())?;
            let plain = !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit());
            let length: u8 = length.parse().ok().filter(|_| plain).ok_or_else(malformed)?;
            return network(text, address, length);
        }
        let name: DomainName = text.parse().map_err(|_| malformed())?;
        // 192.0.2 and 300.1.2.3 are mistyped addresses, not names.
        let last = name.as_str().rsplit('.').next().unwrap_or_default();
        if last.bytes().all(|b| b.is_ascii_digit()) { Err(malformed()) } else { Ok(Self::Name(name)) }
    }
}

fn network(text: &str, address: IpAddr, length: u8) -> Result<Target, BadValue> {
    let width: u8 = if address.is_ipv4() { 32 } else { 128 };
    let Some(free) = u32::from(width).checked_sub(u32::from(length)) else {
        return Err(malformed(text));
    };
    match 1usize.checked_shl(free) {
        Some(count) if count > 0 && count <= MAX_TARGETS => {
            Ok(Target::Network(first_of(address, free), length))
        }
        Some(count) if count > 0 => Err(too_large(text, &count.to_string())),
        _ => Err(too_large(text, &format!("2^{free}"))),
    }
}

fn malformed(text: &str) -> BadValue {
    BadValue::new(format!("'{text}' is neither an address nor a network nor a name"))
}

fn too_large(text: &str, count: &str) -> BadValue {
    BadValue::new(format!("{text} has {count} addresses, at most {MAX_TARGETS} can be checked"))
}

/// The address with its last bits cleared.
fn first_of(address: IpAddr, free: u32) -> IpAddr {
    match address {
        IpAddr::V4(v4) => Ipv4Addr::from(v4.to_bits() & u32::MAX.checked_shl(free).unwrap_or(0)).into(),
        IpAddr::V6(v6) => Ipv6Addr::from(v6.to_bits() & u128::MAX.checked_shl(free).unwrap_or(0)).into(),
    }
}

impl Target {
    /// The addresses of a network, one by one; a name or address as it is.
    pub(crate) fn expand(&self) -> Vec<Self> {
        let &Self::Network(first, length) = self else { return vec![self.clone()] };
        let width: u8 = if first.is_ipv4() { 32 } else { 128 };
        let count = 1u32 << (width - length).min(31);
        let nth = |n: u32| match first {
            IpAddr::V4(v4) => IpAddr::from(Ipv4Addr::from(v4.to_bits() | n)),
            IpAddr::V6(v6) => IpAddr::from(Ipv6Addr::from(v6.to_bits() | u128::from(n))),
        };
        (0..count).map(|n| Self::Address(nth(n))).collect()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Network(first, length) => write!(f, "{first}/{length}"),
            Self::Name(name) => write!(f, "{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> Target {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_networks_and_names() {
        assert_eq!(target("192.0.2.1"), Target::Address("192.0.2.1".parse().unwrap()));
        assert_eq!(target("[2001:db8::1]"), Target::Address("2001:db8::1".parse().unwrap()));
        assert_eq!(target("192.0.2.7/30"), Target::Network("192.0.2.4".parse().unwrap(), 30));
        assert_eq!(target("Mail.Example.org"), Target::Name("mail.example.org".parse().unwrap()));
    }

    #[test]
    fn networks_are_taken_apart() {
        let shown = |text: &str| -> Vec<String> {
            let each = |one: Target| match one {
                Target::Address(address) => address.to_string(),
                other => panic!("{other:?}"),
            };
            target(text).expand().into_iter().map(each).collect()
        };
        assert_eq!(shown("192.0.2.4/30"), ["192.0.2.4", "192.0.2.5", "192.0.2.6", "192.0.2.7"]);
        assert_eq!(shown("192.0.2.4/32"), ["192.0.2.4"]);
        assert_eq!(shown("2001:db8::fffe/127"), ["2001:db8::fffe", "2001:db8::ffff"]);
        assert_eq!(shown("10.0.0.0/20").len(), MAX_TARGETS);
    }

    #[test]
    fn absurd_targets_are_refused() {
        for (text, want) in [
            ("", "empty"),
            ("10.0.0.0/8", "10.0.0.0/8 has 16777216 addresses, at most 4096 can be checked"),
            ("2001:db8::/32", "2001:db8::/32 has 2^96 addresses, at most 4096 can be checked"),
            ("0.0.0.0/0", "0.0.0.0/0 has 4294967296 addresses, at most 4096 can be checked"),
            ("::/0", "::/0 has 2^128 addresses, at most 4096 can be checked"),
            ("192.0.2.0/33", "'192.0.2.0/33' is neither an address nor a network nor a name"),
            ("192.0.2.0/", "'192.0.2.0/' is neither an address nor a network nor a name"),
            ("192.0.2", "'192.0.2' is neither an address nor a network nor a name"),
            ("mail/24", "'mail/24' is neither an address nor a network nor a name"),
            ("a b", "'a b' is neither an address nor a network nor a name"),
        ] {
            assert_eq!(text.parse::<Target>().unwrap_err().to_string(), want);
        }
    }
}
