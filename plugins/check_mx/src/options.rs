//! Options of this check alone: what the mail exchangers should be, and who else is asked.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use clap::{ArgAction, Args};
use common::cli::{BadValue, UsageError};
use common::proto::dns::DomainName;

/// What is wanted of the domain.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Expectations")]
pub(crate) struct ExpectArgs {
    /// Record that must be there, and no other; repeat for each. 'null': the domain must say
    /// that it takes no mail (RFC 7505)
    #[arg(long, value_name = "'PREF HOST'|null", action = ArgAction::Append)]
    pub(crate) expect: Vec<Expected>,
    /// WARNING when fewer hosts take the mail [default: 2, or 1 when --expect names one]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) min_hosts: Option<u32>,
    /// Resolvers that must give the same answer: a number, majority, or all that answer, which
    /// has to be half of them at least
    #[arg(long, value_name = "N|majority|all", default_value = "all")]
    pub(crate) quorum: Quorum,
    /// Take private and reserved addresses for good
    #[arg(long)]
    pub(crate) allow_private: bool,
}

/// The zone's own servers.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "DNS")]
pub(crate) struct AuthorityArgs {
    /// Ask all authoritative servers, too, at each of their addresses, and those of the zone
    /// above for the delegation
    #[arg(long)]
    pub(crate) authoritative: bool,
    /// Port of those servers
    #[arg(long, value_name = "PORT", default_value_t = 53, requires = "authoritative",
          value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) dns_port: u16,
}

/// Connections to the hosts.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Connections")]
pub(crate) struct ConnectArgs {
    /// Connect to every address of every host and read its greeting
    #[arg(long)]
    pub(crate) connect: bool,
    /// Port of the mail exchangers
    #[arg(short, long, value_name = "PORT", default_value_t = 25, requires = "connect",
          value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: u16,
}

/// A value of `--expect`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Null,
    Record(u16, DomainName),
}

impl FromStr for Expected {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.eq_ignore_ascii_case("null") {
            return Ok(Self::Null);
        }
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let record = match words.as_slice() {
            [preference, host] if preference.bytes().all(|byte| byte.is_ascii_digit()) => {
                let is_name = host.trim_end_matches('.').parse::<IpAddr>().is_err();
                preference.parse().ok().zip(host.parse().ok().filter(|_| is_name))
            }
            _ => None,
        };
        match record {
            Some((preference, host)) => Ok(Self::Record(preference, host)),
            None => Err(BadValue::new(format!("'{text}' is no MX record"))
                .with_hint("--expect '10 mx1.example.org', or --expect null")),
        }
    }
}

/// How many resolvers must agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quorum {
    Number(usize),
    Majority,
    All,
}

impl Quorum {
    /// Answers without which nothing is known, of so many resolvers.
    pub(crate) const fn enough(self, resolvers: usize) -> usize {
        match self {
            Self::Number(number) => number,
            Self::Majority => resolvers / 2 + 1,
            Self::All => resolvers.div_ceil(2),
        }
    }

    /// Equal answers that are wanted, of so many resolvers and answers.
    pub(crate) const fn agreeing(self, resolvers: usize, answers: usize) -> usize {
        match self {
            Self::All => answers,
            _ => self.enough(resolvers),
        }
    }
}

impl FromStr for Quorum {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match (text, text.parse()) {
            ("all", _) => Ok(Self::All),
            ("majority", _) => Ok(Self::Majority),
            (_, Ok(number)) if plain && (1..=1000).contains(&number) => Ok(Self::Number(number)),
            _ => Err("want a number of resolvers, 'majority' or 'all'".to_owned()),
        }
    }
}

impl fmt::Display for Quorum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Majority => f.write_str("majority"),
            Self::All => f.write_str("all"),
        }
    }
}

impl ExpectArgs {
    /// Hosts below which there is a warning.
    pub(crate) fn least_hosts(&self) -> usize {
        let named = if self.expect.is_empty() { 2 } else { self.records().len().min(2) };
        self.min_hosts.map_or(named, |given| usize::try_from(given).unwrap_or(usize::MAX))
    }

    /// The hosts wanted with their preferences.
    pub(crate) fn records(&self) -> BTreeMap<&str, u16> {
        self.expect
            .iter()
            .filter_map(|one| match one {
                Expected::Record(preference, host) => Some((host.as_str(), *preference)),
                Expected::Null => None,
            })
            .collect()
    }

    /// Whether the domain should take no mail.
    pub(crate) fn wants_null(&self) -> bool {
        self.expect.contains(&Expected::Null)
    }

    pub(crate) fn check(&self, resolvers: usize) -> Result<(), UsageError> {
        if self.wants_null() && self.expect.len() > 1 {
            return Err(UsageError::new("--expect", "null stands alone (RFC 7505 section 3)"));
        }
        if self.wants_null() && self.min_hosts.is_some() {
            return Err(UsageError::new("--min-hosts", "cannot stand together with --expect null"));
        }
        if !self.wants_null() && self.records().len() < self.expect.len() {
            return Err(UsageError::new("--expect", "names a host twice"));
        }
        match self.quorum {
            Quorum::Number(number) if number > resolvers => {
                let text = format!("{number} is more than the resolvers asked, {resolvers}");
                Err(UsageError::new("--quorum", text).with_hint("--resolver IP, once for each"))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(list: &[&str]) -> ExpectArgs {
        ExpectArgs {
            expect: list.iter().map(|text| text.parse().unwrap()).collect(),
            min_hosts: None,
            quorum: Quorum::All,
            allow_private: false,
        }
    }

    #[test]
    fn records_are_a_preference_and_a_host() {
        assert_eq!(
            "10 MX1.Example.org.".parse(),
            Ok(Expected::Record(10, "mx1.example.org".parse().unwrap()))
        );
        assert_eq!(
            " 0  bücher.example".parse(),
            Ok(Expected::Record(0, "xn--bcher-kva.example".parse().unwrap()))
        );
        assert_eq!("Null".parse(), Ok(Expected::Null));
        for bad in [
            "",
            "mx1.example",
            "10",
            "x mx1.example",
            "65536 mx1.example",
            "+1 a.example",
            "10 a b",
            "10 a..b",
            "10 8.8.1.1",
            "10 8.8.1.1.",
        ] {
            assert!(bad.parse::<Expected>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn quorum_of_resolvers() {
        let of = |text: &str, resolvers: usize| text.parse::<Quorum>().unwrap().enough(resolvers);
        assert_eq!([of("2", 5), of("majority", 3), of("majority", 4), of("all", 1)], [2, 2, 3, 1]);
        assert_eq!([of("all", 2), of("all", 3), of("all", 4)], [1, 2, 2], "half of them at least");
        assert_eq!(Quorum::All.agreeing(3, 2), 2);
        assert_eq!(Quorum::Majority.agreeing(3, 3), 2);
        for bad in ["", "0", "-1", "1.5", "most", "ALL", "1001"] {
            assert!(bad.parse::<Quorum>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn expectations_that_contradict_are_refused() {
        assert!(wanted(&["null", "10 a.example"]).check(1).is_err());
        assert!(wanted(&["20 a.example", "10 a.example"]).check(1).is_err());
        assert!(wanted(&["null"]).check(1).is_ok());
        assert!(ExpectArgs { min_hosts: Some(1), ..wanted(&["null"]) }.check(1).is_err());
        assert!(ExpectArgs { quorum: Quorum::Number(2), ..wanted(&[]) }.check(1).is_err());
        assert!(ExpectArgs { quorum: Quorum::Number(2), ..wanted(&[]) }.check(2).is_ok());
    }

    #[test]
    fn one_expected_host_is_enough() {
        assert_eq!(wanted(&[]).least_hosts(), 2);
        assert_eq!(wanted(&["10 a.example"]).least_hosts(), 1);
        assert_eq!(ExpectArgs { min_hosts: Some(3), ..wanted(&["10 a.example"]) }.least_hosts(), 3);
    }
}
