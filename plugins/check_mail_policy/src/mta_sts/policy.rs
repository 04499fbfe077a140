//! The policy file (RFC 8461 section 3.2), and which exchangers it names (section 4.1).

use std::collections::BTreeSet;
use std::fmt;

use common::proto::dns::DomainName;
use common::proto::text::decode;
use common::report::{quote, some};

use crate::fields::is_field_name;

/// A policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What senders shall do when a host cannot be verified.
    pub mode: Mode,
    /// How long senders keep the policy, seconds.
    pub max_age: u64,
    /// The exchangers; empty only with [`Mode::None`].
    pub mx: Vec<Pattern>,
    /// What the grammar forbids but readers jump over: for a sentence each.
    pub oddities: Vec<String>,
}

/// What senders shall do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Not deliver to hosts that cannot be verified.
    Enforce,
    /// Deliver, and report.
    Testing,
    /// As if there were no policy.
    None,
}

/// The name of exchangers: a host, or all names one label below a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    name: DomainName,
    is_wildcard: bool,
}

/// Why senders take a file for no policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyError {
    /// More bytes than anybody reads.
    TooLong,
    /// A line without `:`, or with a name that no field has.
    NoField(String),
    /// A value with characters that none can have.
    Value(String),
    /// A field that must be there is not.
    Missing(&'static str),
    /// Another version.
    Version(String),
    /// Another mode.
    Mode(String),
    /// Not 1 to 10 digits.
    MaxAge(String),
    /// No name of a host.
    Mx(String),
}

/// Bytes that senders read at least, and we at most (RFC 8461 section 3.3).
pub(crate) const MAX_FILE: usize = 64 * 1024;

/// Digits of `max_age`.
const MAX_DIGITS: usize = 10;

impl Policy {
    /// Reads a file, or says all that is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, Vec<PolicyError>> {
        if bytes.len() > MAX_FILE {
            return Err(vec![PolicyError::TooLong]);
        }
        let mut errors = Vec::new();
        let mut oddities = Vec::new();
        let fields = fields(&decode(bytes), &mut errors, &mut oddities);
        let first =
            |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let mut demand = |name: &'static str| {
            let value = first(name);
            if value.is_none() {
                errors.push(PolicyError::Missing(name));
            }
            value
        };
        let [version, mode, max_age] = ["version", "mode", "max_age"].map(&mut demand);
        if let Some(other) = version.filter(|version| *version != "STSv1") {
            errors.push(PolicyError::Version(other.to_owned()));
        }
        let mode = mode.and_then(|word| {
            let mode = Mode::of(word);
            if mode.is_none() {
                errors.push(PolicyError::Mode(word.to_owned()));
            }
            mode
        });
        let max_age = max_age.and_then(|digits| {
            let age = seconds(digits);
            if age.is_none() {
                errors.push(PolicyError::MaxAge(digits.to_owned()));
            }
            age
        });
        let mut mx = Vec::new();
        for (_, value) in fields.iter().filter(|(name, _)| name == "mx") {
            match Pattern::of(value) {
                Some(pattern) => mx.push(pattern),
                None => errors.push(PolicyError::Mx(value.clone())),
            }
        }
        if mode.is_some_and(|mode| mode != Mode::None) && !fields.iter().any(|(name, _)| name == "mx") {
            errors.push(PolicyError::Missing("mx"));
        }
        match (mode, max_age) {
            (Some(mode), Some(max_age)) if errors.is_empty() => Ok(Self { mode, max_age, mx, oddities }),
            _ => Err(errors),
        }
    }

    /// Whether the policy names a host, the trailing dot left out or not.
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        self.mx.iter().any(|pattern| pattern.matches(&host))
    }
}

/// The fields in their order.
fn fields(text: &str, errors: &mut Vec<PolicyError>, oddities: &mut Vec<String>) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    let (mut names, mut twice, mut bare) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut has_empty = false;
    let mut lines: Vec<&str> = text.split('\n').collect();
    if lines.last().is_some_and(|last| last.is_empty()) {
        lines.pop();
    }
    for line in lines {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.trim_matches(WSP).is_empty() {
            has_empty = true;
            continue;
        }
        let Some((name, value)) = line.split_once(':').filter(|(name, _)| is_field_name(name)) else {
            errors.push(PolicyError::NoField(line.to_owned()));
            continue;
        };
        let value = value.trim_matches(WSP);
        if value.is_empty() || value.chars().any(char::is_control) {
            if KNOWN.contains(&name) {
                errors.push(PolicyError::Value(name.to_owned()));
            } else {
                bare.insert(name);
            }
        }
        if !names.insert(name) && name != "mx" {
            twice.insert(name);
        }
        fields.push((name.to_owned(), value.to_owned()));
    }
    let listed =
        |names: BTreeSet<&str>| some(&names.into_iter().map(str::to_owned).collect::<Vec<_>>(), SHOWN);
    if !twice.is_empty() {
        oddities.push(format!("has {} more than once, of which the first counts", listed(twice)));
    }
    if !bare.is_empty() {
        oddities.push(format!("has {} without a value, or with control characters", listed(bare)));
    }
    if has_empty {
        oddities.push("has empty lines, which the grammar does not know".to_owned());
    }
    fields
}

const KNOWN: [&str; 4] = ["version", "mode", "max_age", "mx"];
/// Names that one sentence shows.
const SHOWN: usize = 5;
const WSP: [char; 2] = [' ', '\t'];

fn seconds(digits: &str) -> Option<u64> {
    let is_number = (1..=MAX_DIGITS).contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number)
}

impl Mode {
    fn of(word: &str) -> Option<Self> {
        [Self::Enforce, Self::Testing, Self::None].into_iter().find(|mode| mode.word() == word)
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Testing => "testing",
            Self::None => "none",
        }
    }
}

impl Pattern {
    fn of(value: &str) -> Option<Self> {
        let bare = value.strip_prefix("*.");
        let name = bare.unwrap_or(value);
        // A-labels only, and no dot at the end (RFC 5321 section 4.1.2).
        let is_domain =
            name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.')) && !name.ends_with('.');
        let name = name.parse().ok().filter(|_| is_domain)?;
        Some(Self { name, is_wildcard: bare.is_some() })
    }

    /// A wildcard stands for exactly one label of a host.
    fn matches(&self, host: &str) -> bool {
        let is_label = |label: &str| {
            !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
        };
        match host.split_once('.') {
            Some((label, rest)) if self.is_wildcard => is_label(label) && rest == self.name.as_str(),
            _ => !self.is_wildcard && host == self.name.as_str(),
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.is_wildcard { "*." } else { "" }, self.name)
    }
}

/// As a file, without what was odd in it.
impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "version: STSv1\nmode: {}\nmax_age: {}", self.mode, self.max_age)?;
        self.mx.iter().try_for_each(|pattern| writeln!(f, "mx: {pattern}"))
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "has more than {MAX_FILE} bytes"),
            Self::NoField(line) => write!(f, "{} is no field", quote(line)),
            Self::Value(name) => write!(f, "the value of {} is empty or has control characters", quote(name)),
            Self::Missing(name) => write!(f, "has no {name}"),
            Self::Version(value) => write!(f, "version {} is not STSv1", quote(value)),
            Self::Mode(value) => write!(f, "mode {} is none of enforce, testing and none", quote(value)),
            Self::MaxAge(value) => write!(f, "max_age {} is not 1 to {MAX_DIGITS} digits", quote(value)),
            Self::Mx(value) => write!(f, "mx {} is no name of a host", quote(value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOOD: &str =
        "version: STSv1\nmode: enforce\nmx: mail.example.org\nmx: *.example.net\nmax_age: 604800\n";

    fn errors(file: &str) -> Vec<String> {
        Policy::parse(file.as_bytes()).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn policies_are_read() {
        let policy = Policy::parse(GOOD.as_bytes()).unwrap();
        assert_eq!((policy.mode, policy.max_age, policy.mx.len()), (Mode::Enforce, 604_800, 2));
        assert_eq!(policy.oddities, [""; 0]);
        let crlf = GOOD.replace('\n', "\r\n");
        assert_eq!(Policy::parse(crlf.as_bytes()), Ok(policy.clone()));
        assert_eq!(Policy::parse(GOOD.trim_end().as_bytes()), Ok(policy.clone()), "no end of the last line");
        let more = GOOD.replace("mode:", "x-y.z_1: any words, é\nmode:\t ");
        assert_eq!(Policy::parse(more.as_bytes()), Ok(policy), "unknown fields are left out");
        let none = Policy::parse(b"version: STSv1\nmode: none\nmax_age: 0").unwrap();
        assert_eq!((none.mode, none.max_age, none.mx), (Mode::None, 0, vec![]));
    }

    #[test]
    fn the_first_of_two_counts() {
        let twice = format!("{GOOD}mode: none\nmax_age: x\n\n\nx:\n");
        let policy = Policy::parse(twice.as_bytes()).unwrap();
        assert_eq!((policy.mode, policy.max_age), (Mode::Enforce, 604_800));
        assert_eq!(
            policy.oddities,
            [
                "has max_age, mode more than once, of which the first counts",
                "has x without a value, or with control characters",
                "has empty lines, which the grammar does not know"
            ]
        );
    }

    #[test]
    fn errors_are_named() {
        for (from, to, error) in [
            ("version: STSv1\n", "", "has no version"),
            ("STSv1", "STSv2", "version \"STSv2\" is not STSv1"),
            ("version", "Version", "has no version"),
            ("version:", "version :", "\"version : STSv1\" is no field"),
            ("mode: enforce\n", "", "has no mode"),
            ("enforce", "Enforce", "mode \"Enforce\" is none of enforce, testing and none"),
            ("enforce", "report", "mode \"report\" is none of enforce, testing and none"),
            ("max_age: 604800\n", "", "has no max_age"),
            ("604800", "7d", "max_age \"7d\" is not 1 to 10 digits"),
            ("604800", "12345678901", "max_age \"12345678901\" is not 1 to 10 digits"),
            ("604800", "-1", "max_age \"-1\" is not 1 to 10 digits"),
            ("mx: mail.example.org\nmx: *.example.net\n", "", "has no mx"),
            ("*.example.net", "*", "mx \"*\" is no name of a host"),
            ("*.example.net", "a.*.net", "mx \"a.*.net\" is no name of a host"),
            ("*.example.net", ".example.net", "mx \".example.net\" is no name of a host"),
            ("*.example.net", "example.net.", "mx \"example.net.\" is no name of a host"),
            ("*.example.net", "é.example", "mx \"é.example\" is no name of a host"),
            ("mode: enforce", "mode: enforce\rx", "the value of \"mode\" is empty or has control characters"),
            ("mx: *", "mx = *", "\"mx = *.example.net\" is no field"),
            ("version", "\u{feff}version", "\"\u{feff}version: STSv1\" is no field"),
        ] {
            assert!(GOOD.contains(from), "{from}");
            let errors = errors(&GOOD.replacen(from, to, 1));
            assert!(errors.iter().any(|known| known == error), "{to:?}: {errors:?}");
        }
        assert_eq!(
            errors("<html>"),
            ["\"<html>\" is no field", "has no version", "has no mode", "has no max_age"]
        );
        assert_eq!(errors(""), ["has no version", "has no mode", "has no max_age"]);
        assert_eq!(errors(&format!("{GOOD}{}", " ".repeat(MAX_FILE))), ["has more than 65536 bytes"]);
    }

    #[test]
    fn a_wildcard_is_one_label() {
        let policy = Policy::parse(GOOD.as_bytes()).unwrap();
        for host in ["mail.example.org", "MAIL.example.ORG.", "a.example.net"] {
            assert!(policy.matches(host), "{host}");
        }
        for host in [
            "a.mail.example.org",
            "example.net",
            "a.b.example.net",
            ".example.net",
            "",
            "aexample.net",
            "*.example.net",
        ] {
            assert!(!policy.matches(host), "{host}");
        }
    }

    proptest! {
        #[test]
        fn any_file_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Err(errors) = Policy::parse(&bytes) {
                prop_assert!(!errors.is_empty());
            }
        }

        #[test]
        fn what_was_read_comes_back(
            mode in "enforce|testing|none",
            age in "[0-9]{1,10}",
            mx in prop::collection::vec("([*][.])?[a-z0-9]{1,5}[.][a-z]{2,5}", 1..5),
            end in "\n|\r\n",
        ) {
            let lines: String = mx.iter().map(|mx| format!("mx:{mx}{end}")).collect();
            let policy = Policy::parse(format!("version:STSv1{end}mode: {mode}{end}{lines}max_age: {age}").as_bytes());
            let policy = policy.unwrap();
            prop_assert_eq!(Policy::parse(policy.to_string().as_bytes()), Ok(policy.clone()));
            for pattern in &mx {
                prop_assert!(policy.matches(&pattern.replace('*', "x")), "{}", pattern);
            }
        }
    }
}
