//! What is wrong with the text of a record.

use std::fmt;

use common::report::quote;

/// A term that makes the whole record void (RFC 7208 section 4.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SyntaxError<'a> {
    /// As it stands in the record.
    pub(super) term: &'a str,
    /// The rule it breaks.
    pub(super) flaw: Flaw,
}

/// A broken rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// Only ASCII may stand in a record.
    NotAscii,
    /// Only what can be seen may stand in a term.
    Character,
    /// There is no such mechanism.
    Mechanism,
    /// A modifier where a mechanism is written, or the other way round.
    Modifier,
    /// The name of a modifier is none.
    ModifierName,
    /// `redirect` and `exp` stand once.
    Twice,
    /// The mechanism takes nothing.
    Argument,
    /// The mechanism needs a domain.
    NoDomain,
    /// The domain does not end in a dot and a name of the top level.
    Domain,
    /// An address where a domain must stand.
    AddressForDomain,
    /// The address is none of its family.
    Address,
    /// The length of the prefix is none of its family.
    Prefix,
    /// A `%` that begins nothing known.
    Macro,
    /// A letter for explanations only.
    ExplanationLetter,
}

impl Flaw {
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::NotAscii => ("is not ASCII", "3.1"),
            Self::Character => ("has a character that may not stand in it", "7.1"),
            Self::Mechanism => ("is no mechanism", "4.6.1"),
            Self::Modifier => ("is a modifier, which takes \"=\"", "4.6.1"),
            Self::ModifierName => ("is no name of a modifier", "4.6.1"),
            Self::Twice => ("stands there twice", "6"),
            Self::Argument => ("takes no argument", "5.1"),
            Self::NoDomain => ("lacks its domain", "7.1"),
            Self::Domain => ("lacks a domain that ends in a top-level name", "7.1"),
            Self::AddressForDomain => ("has an address for a domain, which takes ip4 or ip6", "5.3"),
            Self::Address => ("has no whole address", "5.6"),
            Self::Prefix => ("has no good prefix length", "5.6"),
            Self::Macro => ("has a broken macro", "7.1"),
            Self::ExplanationLetter => ("has a macro for explanations only", "7.2"),
        }
    }
}

impl fmt::Display for SyntaxError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (words, section) = self.flaw.words();
        write!(f, "{} {words} (RFC 7208 section {section})", quote(self.term))
    }
}
