//! The crate `mysql` looks for a version number in the server's greeting with two patterns of the crate `regex`.
//! That one prepares for many long texts and for the digits of all scripts: building its patterns took 70 % of the
//! instructions of a whole check. This crate takes its place with the same engine behind it, as far as it is asked
//! for: patterns over bytes by `mysql`, and over text by the macros of `pnet`, which run when that is built. `\d` is a
//! digit of ASCII, and nothing is prepared for the search.

#![forbid(unsafe_code)]

/// A pattern over text.
#[derive(Debug)]
pub struct Regex(bytes::Regex);

impl Regex {
    /// Reads a pattern.
    pub fn new(pattern: &str) -> Result<Self, bytes::Error> {
        bytes::Regex::new(pattern).map(Self)
    }

    /// Where its groups are in each of its occurrences, which do not overlap.
    pub fn captures_iter<'t>(&self, text: &'t str) -> impl Iterator<Item = Captures<'t>> {
        self.0.captures_iter(text.as_bytes()).map(move |found| Captures { text, found })
    }
}

/// The groups of one occurrence in text.
#[derive(Debug)]
pub struct Captures<'t> {
    text: &'t str,
    found: bytes::Captures<'t>,
}

impl<'t> Captures<'t> {
    /// What a group holds; the whole is group 0.
    #[must_use]
    pub fn get(&self, group: usize) -> Option<Match<'t>> {
        self.text.get(self.found.range(group)?).map(Match)
    }

    /// Groups that the pattern has, the whole counted.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "there is always the whole")]
    pub fn len(&self) -> usize {
        self.found.len()
    }
}

/// What a group holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match<'t>(&'t str);

impl<'t> Match<'t> {
    /// Its text.
    #[must_use]
    pub const fn as_str(&self) -> &'t str {
        self.0
    }
}

/// Patterns over bytes.
pub mod bytes {
    use std::ops::Range;

    use regex_automata::nfa::thompson::{BuildError, pikevm};
    use regex_automata::util::{captures, syntax};

    /// Why a pattern is none.
    pub type Error = Box<BuildError>;

    /// A pattern.
    #[derive(Debug)]
    pub struct Regex(pikevm::PikeVM);

    impl Regex {
        /// Reads a pattern.
        pub fn new(pattern: &str) -> Result<Self, Error> {
            let bytes = syntax::Config::new().unicode(false).utf8(false);
            Ok(Self(pikevm::Builder::new().syntax(bytes).build(pattern)?))
        }

        /// Whether the pattern occurs.
        #[must_use]
        pub fn is_match(&self, text: &[u8]) -> bool {
            self.0.is_match(&mut self.0.create_cache(), text)
        }

        /// Where its groups are in its first occurrence.
        #[must_use]
        pub fn captures<'t>(&self, text: &'t [u8]) -> Option<Captures<'t>> {
            let mut found = self.0.create_captures();
            self.0.captures(&mut self.0.create_cache(), text, &mut found);
            found.is_match().then_some(Captures { text, found })
        }
    }

    impl Regex {
        /// Where its groups are in each of its occurrences.
        pub(super) fn captures_iter<'t>(&self, text: &'t [u8]) -> impl Iterator<Item = Captures<'t>> {
            let mut cache = self.0.create_cache();
            let found: Vec<_> = self.0.captures_iter(&mut cache, text).collect();
            found.into_iter().map(move |found| Captures { text, found })
        }
    }

    /// The groups of one occurrence.
    #[derive(Debug)]
    pub struct Captures<'t> {
        text: &'t [u8],
        found: captures::Captures,
    }

    impl<'t> Captures<'t> {
        /// What a group holds; the whole is group 0.
        #[must_use]
        pub fn get(&self, group: usize) -> Option<Match<'t>> {
            self.text.get(self.range(group)?).map(Match)
        }

        pub(super) fn range(&self, group: usize) -> Option<Range<usize>> {
            self.found.get_group(group).map(|span| span.range())
        }

        pub(super) fn len(&self) -> usize {
            self.found.group_len()
        }
    }

    /// What a group holds.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Match<'t>(&'t [u8]);

    impl<'t> Match<'t> {
        /// Its bytes.
        #[must_use]
        pub const fn as_bytes(&self) -> &'t [u8] {
            self.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::bytes::Regex;

    #[test]
    fn every_occurrence_in_text() {
        let pattern = super::Regex::new("u([0-9]+)(be|le)?").unwrap();
        let found: Vec<_> = pattern.captures_iter("u16be, u8; \u{fc}9").collect();
        assert_eq!(found.len(), 2);
        let groups = |index: usize| [1, 2].map(|group| found[index].get(group).map(|group| group.as_str()));
        assert_eq!((groups(0), groups(1)), ([Some("16"), Some("be")], [Some("8"), None]));
        assert_eq!(found[0].len(), 3);
    }

    fn groups<'t>(pattern: &str, text: &'t [u8]) -> Option<Vec<&'t [u8]>> {
        let found = Regex::new(pattern).unwrap().captures(text)?;
        Some((0..).map_while(|group| found.get(group)).map(|found| found.as_bytes()).collect())
    }

    #[test]
    fn version_numbers() {
        let pattern = r"^(?:5.5.5-)?(\d{1,2})\.(\d{1,2})\.(\d{1,3})-MariaDB";
        let expected: Vec<&[u8]> = vec![b"5.5.5-10.11.19-MariaDB", b"10", b"11", b"19"];
        assert_eq!(groups(pattern, b"5.5.5-10.11.19-MariaDB-0+deb12u1"), Some(expected));
        assert_eq!(groups(pattern, b"8.4.3"), None);
        assert_eq!(groups(pattern, b""), None);
    }

    #[test]
    fn any_bytes() {
        let expected: Vec<&[u8]> = vec![b"8.0.1\xff\xe9", b"\xff\xe9"];
        assert_eq!(groups(r"^\d\.\d\.\d(.*)", b"8.0.1\xff\xe9"), Some(expected));
        // Digits of another script.
        assert_eq!(groups(r"^(\d+)", "\u{0661}".as_bytes()), None);
    }

    #[test]
    fn dates() {
        let date = Regex::new(r"^\d{4}-\d{2}-\d{2}$").unwrap();
        assert!(date.is_match(b"2026-11-21"));
        assert!(!date.is_match(b"2026-11-21 10:00:00"));
        assert!(!date.is_match(b"2026-1121"));
    }

    #[test]
    fn a_pattern_that_is_none() {
        let open = "(".repeat(2);
        Regex::new(&open).unwrap_err();
    }
}
