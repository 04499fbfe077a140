//! Options of this check alone: whom to check, and which names are right.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use clap::{ArgAction, Args};
use common::cli::{BadValue, FamilyArgs, UsageError};
use common::net::Family;
use common::proto::dns::DomainName;
use common::proto::glob::fits_in_any_case;
use common::proto::names::Host;

/// Whom to check.
#[derive(Args, Clone, Debug)]
pub(crate) struct TargetArgs {
    /// Address to check, or a name, which is checked with every address it has; repeatable
    #[arg(short = 'H', long, alias = "host", value_name = "IP|NAME", action = ArgAction::Append, required = true)]
    pub(crate) hostname: Vec<Target>,
    #[command(flatten)]
    pub(crate) family: FamilyArgs,
}

/// Which names are right.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Names")]
pub(crate) struct NameArgs {
    /// Name that an address must have, '*' for any text and '?' for one character; repeatable:
    /// one of them is enough
    #[arg(long = "match", value_name = "NAME", action = ArgAction::Append)]
    pub(crate) wanted: Vec<Pattern>,
    /// Name that the host says in HELO when it sends mail
    #[arg(long, value_name = "NAME", value_parser = helo_name)]
    pub(crate) helo: Option<DomainName>,
    /// Take names that look generated
    #[arg(long)]
    pub(crate) generic_ok: bool,
    /// Compare with the name in the banner of the mail server there
    #[arg(long, value_name = "PORT", num_args = 0..=1, require_equals = true, default_missing_value = "25",
          value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) smtp: Option<u16>,
}

/// A value of `-H`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Address(IpAddr),
    Name(DomainName),
}

impl Target {
    pub(crate) const fn name(&self) -> Option<&DomainName> {
        match self {
            Self::Name(name) => Some(name),
            Self::Address(_) => None,
        }
    }
}

impl FromStr for Target {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let host: Host = text.parse().map_err(|error| BadValue::new(format!("{error}")))?;
        match host {
            // A mapped address is the IPv4 one, which has its name in the other tree.
            Host::Address(address) => Ok(Self::Address(address.to_canonical())),
            Host::Scoped(_) => Err(BadValue::new(format!("'{text}' has a zone, which no name server knows"))),
            Host::Name(name) => {
                name.parse().map(Self::Name).map_err(|error| BadValue::new(format!("{error}")))
            }
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// A value of `--match`: a name, maybe with stars and question marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(String);

impl Pattern {
    pub(crate) fn fits(&self, name: &str) -> bool {
        fits_in_any_case(&self.0, name)
    }
}

impl FromStr for Pattern {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || BadValue::new(format!("'{text}' is neither a host name nor a pattern for one"));
        if !text.contains(['*', '?']) {
            let name: DomainName = text.parse().map_err(|_| bad())?;
            return Ok(Self(name.to_string()));
        }
        let bare = text.strip_suffix('.').unwrap_or(text);
        let labels: Result<Vec<String>, BadValue> = bare.split('.').map(ascii_label).collect();
        let bare = labels?.join(".");
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"*?.-_".contains(&byte);
        if bare.len() <= 253 && bare.bytes().all(good) {
            Ok(Self(bare.to_ascii_lowercase()))
        } else {
            Err(bad())
        }
    }
}

/// A label of a pattern as DNS has it.
fn ascii_label(label: &str) -> Result<String, BadValue> {
    if label.is_ascii() {
        return Ok(label.to_owned());
    }
    // Punycode is of a whole label: a part of one has no form of its own.
    if label.contains(['*', '?']) {
        return Err(BadValue::new(format!("'{label}' cannot be a pattern: DNS has its letters as xn--")));
    }
    let name: Result<DomainName, _> = label.parse();
    name.map(|name| name.to_string())
        .map_err(|_| BadValue::new(format!("'{label}' is no part of a host name")))
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn helo_name(text: &str) -> Result<DomainName, BadValue> {
    match text.parse::<Target>() {
        Ok(Target::Name(name)) if name.as_str().contains('.') => Ok(name),
        _ => Err(BadValue::new(format!("'{text}' is no fully qualified name"))),
    }
}

impl TargetArgs {
    /// An address that the family leaves nothing of would be no check at all.
    pub(crate) fn check(&self) -> Result<(), UsageError> {
        let lost = self.hostname.iter().find_map(|target| match (target, self.family.family()) {
            (Target::Address(IpAddr::V6(v6)), Family::V4) => Some(format!("{v6} is no IPv4 address")),
            (Target::Address(IpAddr::V4(v4)), Family::V6) => Some(format!("{v4} is no IPv6 address")),
            _ => None,
        });
        lost.map_or(Ok(()), |cause| Err(UsageError::new("--hostname", cause)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_and_names() {
        let target = |text: &str| text.parse::<Target>().unwrap().to_string();
        assert_eq!(target("192.0.2.1"), "192.0.2.1");
        assert_eq!(target("[2001:DB8::1]"), "2001:db8::1");
        assert_eq!(target("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(target("Mail.Example.org."), "mail.example.org");
        for (bad, want) in [
            ("", "empty host name"),
            ("192.0.2.0/24", "'192.0.2.0/24' is neither a host name nor an IP address"),
            ("192.0.2", "'192.0.2' is neither a host name nor an IP address"),
            ("fe80::1%eth0", "'fe80::1%eth0' has a zone, which no name server knows"),
            ("a b", "'a b' is neither a host name nor an IP address"),
        ] {
            assert_eq!(bad.parse::<Target>().unwrap_err().to_string(), want);
        }
    }

    #[test]
    fn patterns_are_names_with_stars() {
        let pattern = |text: &str| text.parse::<Pattern>().unwrap();
        assert!(pattern("MX?.example.ORG.").fits("mx1.example.org"));
        assert!(pattern("*.example.org").fits("a.b.example.org"));
        assert!(!pattern("*.example.org").fits("example.org"));
        assert!(pattern("bücher.example").fits("xn--bcher-kva.example"));
        assert!(pattern("*.bücher.example.").fits("mail.xn--bcher-kva.example"));
        assert!(pattern("m?.BÜCHER.example").fits("mx.xn--bcher-kva.example"));
        let half = "b*ü.example".parse::<Pattern>().unwrap_err().to_string();
        assert_eq!(half, "'b*ü' cannot be a pattern: DNS has its letters as xn--");
        for bad in ["", "a b", "a|b", "*|", "a*b c", "*ü", "*.ü b", "*.\u{202e}"] {
            assert!(bad.parse::<Pattern>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn helo_is_a_whole_name() {
        assert_eq!(helo_name("Mail.Example.org").unwrap().as_str(), "mail.example.org");
        for bad in ["mail", "[192.0.2.1]", "192.0.2.1", "", "a b.example"] {
            assert!(helo_name(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken_or_refused(text in "\\PC{0,40}") {
            if let Ok(pattern) = text.parse::<Pattern>() {
                prop_assert!(pattern.to_string().is_ascii());
            }
            let _ = (text.parse::<Target>(), helo_name(&text));
        }
    }
}
