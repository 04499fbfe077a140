//! Whether a name out of a PTR record can be a host's: RFC 952, RFC 1123 section 2.1.

use std::net::IpAddr;

use common::proto::dns::DomainName;
use common::report::{State, quote, some, truncate};

/// What is wrong with a name, and how bad that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flaw {
    pub(crate) state: State,
    pub(crate) what: &'static str,
}

/// CRITICAL is what no receiver can look up or take for a name, WARNING what some refuse.
pub(crate) fn flaw(name: &str, address: IpAddr) -> Option<Flaw> {
    let impossible = |what| Some(Flaw { state: State::Critical, what });
    let doubtful = |what| Some(Flaw { state: State::Warning, what });
    let last = name.rsplit('.').next().unwrap_or_default();
    if name.is_empty() {
        return impossible("the root of all names");
    }
    if name.parse::<IpAddr>().is_ok() {
        return impossible("an address and no name");
    }
    if name.parse::<DomainName>().is_err() {
        return impossible("no host name: letters, digits, hyphens and dots make one");
    }
    if last.bytes().all(|byte| byte.is_ascii_digit()) {
        return impossible("no host name: its last part is a number");
    }
    let is_local = matches!(last, "localhost" | "localdomain");
    if is_local {
        let loopback = address.is_loopback();
        return if loopback { None } else { doubtful("what every machine calls itself") };
    }
    if last == name {
        return doubtful("not fully qualified");
    }
    if name.contains('_') {
        return doubtful("no host name: it has an underscore");
    }
    None
}

/// Characters of a name in a sentence, and of a list of them.
const LONGEST: usize = 128;
const LONGEST_LIST: usize = 256;
/// Names in a list.
const SHOWN: usize = 5;

/// A name for a sentence: cut, and quoted where it is none of a host.
pub(crate) fn shown(name: &str) -> String {
    if name.parse::<DomainName>().is_err() {
        return quote(name);
    }
    let kept = truncate(name, LONGEST);
    if kept.len() < name.len() { format!("{kept}...") } else { kept.to_owned() }
}

/// Names for a sentence, fewer of them where they are long.
pub(crate) fn listed<T: AsRef<str>>(names: &[T]) -> String {
    listed_as_they_are(&names.iter().map(|name| shown(name.as_ref())).collect::<Vec<_>>())
}

/// The same for names that are shown already, with more about them.
pub(crate) fn listed_as_they_are(names: &[String]) -> String {
    let lengths = names.iter().take(SHOWN).scan(0, |length, name| {
        *length += name.len();
        Some(*length)
    });
    let fitting = lengths.take_while(|length| *length <= LONGEST_LIST).count();
    some(names, fitting.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn state(name: &str) -> Option<State> {
        flaw(name, "192.0.2.25".parse().unwrap()).map(|flaw| flaw.state)
    }

    #[test]
    fn host_names_are_told_from_others() {
        for good in ["mail.example.org", "1.2.example", "xn--bcher-kva.example", "a-b.c"] {
            assert_eq!(state(good), None, "{good}");
        }
        for doubtful in ["mail", "localhost", "localhost.localdomain", "mail_1.example.org"] {
            assert_eq!(state(doubtful), Some(State::Warning), "{doubtful}");
        }
        for impossible in [
            "",
            "192.0.2.25",
            "2001:db8::1",
            "mail.25",
            "a\\032b.example",
            "-a.example",
            "a..b",
            "*.example",
            "a|b.c",
        ] {
            assert_eq!(state(impossible), Some(State::Critical), "{impossible}");
        }
        assert_eq!(flaw("localhost", "127.0.0.1".parse().unwrap()), None);
        assert_eq!(flaw("localhost", "::1".parse().unwrap()), None);
    }

    #[test]
    fn names_for_a_sentence() {
        let long = format!("{}.example.org", ["a".repeat(60), "b".repeat(60), "c".repeat(60)].join("."));
        assert_eq!(shown("mail.example.org"), "mail.example.org");
        assert_eq!(shown(&long), format!("{}...", &long[..128]));
        assert_eq!(shown("a b.example.org"), "\"a b.example.org\"");
        assert_eq!(shown(&"\\255".repeat(60)).len(), 133);
        assert_eq!(listed(&["a.example"; 7]), format!("{} and 2 more", ["a.example"; 5].join(", ")));
        assert_eq!(listed(&[long.as_str(), &long, &long]), format!("{}... and 2 more", &long[..128]));
        assert_eq!(listed::<&str>(&[]), "");
    }

    proptest! {
        #[test]
        fn lists_are_short(names in prop::collection::vec("\\PC{0,300}", 0..9)) {
            prop_assert!(listed(&names).chars().count() <= 300);
        }

        #[test]
        fn what_passes_can_be_asked_for(name in "\\PC{0,40}|([a-z0-9_.-]{0,10}[.]){0,4}[a-z]{0,4}") {
            if state(&name) != Some(State::Critical) {
                prop_assert!(name.parse::<DomainName>().is_ok());
            }
        }
    }
}
