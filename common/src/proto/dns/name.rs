//! Domain names as they are asked for.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::proto::names::{HostError, domain_name};

/// An absolute domain name in lower case, U-labels turned into A-labels, without the last
/// dot: `zen.example.org`. Letters, digits, hyphens and underscores only.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DomainName(String);

/// Longest name in text, without the last dot (RFC 1035 section 2.3.4).
const MAX_NAME: usize = 253;

impl DomainName {
    /// The name without the last dot.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The top of the tree, which has no labels.
    #[must_use]
    pub const fn root() -> Self {
        Self(String::new())
    }

    /// Whether this is a name, or lies below it.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        match self.0.strip_suffix(&other.0) {
            Some(front) => front.is_empty() || front.ends_with('.') || other.0.is_empty(),
            None => false,
        }
    }

    /// A name below this one; `None` when it would be too long.
    #[must_use]
    pub fn child(&self, labels: &str) -> Option<Self> {
        let name = if self.0.is_empty() { labels.to_owned() } else { format!("{labels}.{}", self.0) };
        (name.len() <= MAX_NAME).then_some(Self(name))
    }

    /// The name without its first label; `None` for what stands right below the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.0.split_once('.').map(|(_, rest)| Self(rest.to_owned()))
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "." } else { &self.0 })
    }
}

impl FromStr for DomainName {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut name = domain_name(text)?;
        if name.ends_with('.') {
            name.pop();
        }
        Ok(Self(name))
    }
}

/// The labels of an address in reverse order (RFC 1035 section 3.5, RFC 3596 section 2.5):
/// four numbers or 32 nibbles.
fn reversed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => reversed_v4(v4),
        IpAddr::V6(v6) => reversed_v6(v6),
    }
}

fn reversed_v4(address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("{d}.{c}.{b}.{a}")
}

fn reversed_v6(address: Ipv6Addr) -> String {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or_default();
    let mut text = String::with_capacity(63);
    for octet in address.octets().into_iter().rev() {
        for nibble in [octet & 0x0f, octet >> 4] {
            if !text.is_empty() {
                text.push('.');
            }
            text.push(digit(nibble));
        }
    }
    text
}

/// The name under which a DNS list keeps an address (RFC 5782 sections 2.1 and 2.4);
/// `None` when it would be too long.
#[must_use]
pub fn listed_name(address: IpAddr, zone: &DomainName) -> Option<DomainName> {
    zone.child(&reversed(address))
}

/// The name that holds the PTR record of an address.
#[must_use]
pub fn reverse_name(address: IpAddr) -> DomainName {
    let tree = if address.is_ipv4() { "in-addr.arpa" } else { "ip6.arpa" };
    DomainName(format!("{}.{tree}", reversed(address)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_name_that_is_taken_can_be_read_again(text in "\\PC{0,80}|([a-zA-Z0-9_-]{1,20}[.]){1,12}") {
            if let Ok(name) = text.parse::<DomainName>() {
                let shown = name.to_string();
                prop_assert!(shown.len() <= MAX_NAME && !shown.ends_with('.'));
                prop_assert!(shown.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.')), "{shown}");
                prop_assert_eq!(shown.parse::<DomainName>(), Ok(name));
            }
        }

        #[test]
        fn listed_names_say_the_address_backwards(address in any::<IpAddr>()) {
            let listed = listed_name(address, &name("bl.example")).unwrap().to_string();
            let mut labels: Vec<&str> = listed.strip_suffix(".bl.example").unwrap().split('.').collect();
            labels.reverse();
            let text = match address {
                IpAddr::V4(_) => labels.join("."),
                IpAddr::V6(_) => labels.chunks(4).map(<[&str]>::concat).collect::<Vec<_>>().join(":"),
            };
            prop_assert_eq!(text.parse::<IpAddr>(), Ok(address));
        }
    }

    fn name(text: &str) -> DomainName {
        text.parse().unwrap()
    }

    #[test]
    fn names_are_absolute_and_lower_case() {
        assert_eq!(name("Zen.Example.ORG.").as_str(), "zen.example.org");
        assert_eq!(name("bücher.example").as_str(), "xn--bcher-kva.example");
        assert_eq!(name("2.0.0.127.zen.example").as_str(), "2.0.0.127.zen.example");
        for bad in ["", ".", "a..b", "a b", "-a.example", "a/b", &"a.".repeat(130), &"x".repeat(64)] {
            assert!(bad.parse::<DomainName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn addresses_are_reversed() {
        let zone = name("bl.example");
        let listed = |text: &str| listed_name(text.parse().unwrap(), &zone).unwrap().to_string();
        assert_eq!(listed("127.0.0.2"), "2.0.0.127.bl.example");
        assert_eq!(
            listed("2001:db8:1:2:3:4:567:89ab"),
            "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.bl.example"
        );
        assert_eq!(reverse_name("192.0.2.1".parse().unwrap()).to_string(), "1.2.0.192.in-addr.arpa");
        assert!(reverse_name("::1".parse().unwrap()).to_string().ends_with(".0.ip6.arpa"));
    }

    #[test]
    fn a_name_that_would_be_too_long_is_none() {
        let long = name(&["a".repeat(60), "b".repeat(60), "c".repeat(60), "d".repeat(50)].join("."));
        assert!(listed_name("2001:db8::1".parse().unwrap(), &long).is_none());
        assert!(listed_name("192.0.2.1".parse().unwrap(), &long).is_some());
    }

    #[test]
    fn the_root_is_above_all() {
        let root = DomainName::root();
        assert_eq!(root.to_string(), ".");
        assert_eq!((root.child("org"), root.parent()), (Some(name("org")), None));
        assert!(name("a.org").is_within(&root) && root.is_within(&root));
        assert!(name("a.org").is_within(&name("org")) && name("org").is_within(&name("org")));
        assert!(!name("borg").is_within(&name("org")) && !name("org").is_within(&name("a.org")));
        assert!(!root.is_within(&name("org")));
    }

    #[test]
    fn parents_end_at_the_top() {
        assert_eq!(name("a.b.c").parent(), Some(name("b.c")));
        assert_eq!(name("org").parent(), None);
    }
}
