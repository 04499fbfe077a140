//! Lists of tags and values, `v=DKIM1; k=rsa; p=...` (RFC 6376 section 3.2), as DKIM, DMARC and
//! BIMI have them.

use std::collections::BTreeSet;
use std::fmt;
use std::mem::discriminant;

use common::report::{quote, some, truncate};

/// A list, read as far as it can be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tags<'a> {
    tags: Vec<Tag<'a>>,
    flaws: Vec<Flaw<'a>>,
}

/// One tag. The value is as it stands, without blanks around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: &'a str,
}

/// What the grammar forbids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw<'a> {
    /// Nothing between two semicolons.
    Empty,
    /// Words without `=`.
    NoValue(&'a str),
    /// A name that none can have.
    Name(&'a str),
    /// A tag whose value has characters that none can have.
    Value(&'a str),
    /// A tag that stands twice, which makes the whole list invalid.
    Twice(&'a str),
}

/// What may stand around tags and inside values: blanks, and the line ends of a folded header.
pub(crate) const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

/// Flaws of one kind that are kept: a record of nothing else has thousands.
const MOST_FLAWS: usize = 3;
/// Names that one sentence shows, and bytes of each.
const SHOWN: usize = 5;
const MOST_NAME: usize = 64;

impl<'a> Tags<'a> {
    /// Reads a list.
    pub(crate) fn parse(text: &'a str) -> Self {
        let mut list = Self::default();
        let mut names = BTreeSet::new();
        let mut specs = text.split(';').map(|spec| spec.trim_matches(BLANKS)).peekable();
        while let Some(spec) = specs.next() {
            let is_last = specs.peek().is_none();
            match spec.split_once('=') {
                None if spec.is_empty() && is_last && !list.tags.is_empty() => {}
                None if spec.is_empty() => list.flaw(Flaw::Empty),
                None => list.flaw(Flaw::NoValue(spec)),
                Some((name, value)) => {
                    let name = name.trim_end_matches(BLANKS);
                    if !names.insert(name) {
                        list.flaw(Flaw::Twice(name));
                    }
                    list.add(name, value.trim_matches(BLANKS));
                }
            }
        }
        list
    }

    fn add(&mut self, name: &'a str, value: &'a str) {
        if !is_name(name) {
            self.flaw(Flaw::Name(name));
            return;
        }
        if !value.chars().all(|c| c.is_ascii_graphic() || BLANKS.contains(&c)) {
            self.flaw(Flaw::Value(name));
        }
        self.tags.push(Tag { name, value });
    }

    fn flaw(&mut self, flaw: Flaw<'a>) {
        let kind = discriminant(&flaw);
        let same = self.flaws.iter().filter(|known| discriminant(*known) == kind).count();
        if same < MOST_FLAWS && !self.flaws.contains(&flaw) {
            self.flaws.push(flaw);
        }
    }

    /// The value of a tag. Names are told apart by case.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        self.tags.iter().find(|tag| tag.name == name).map(|tag| tag.value)
    }

    /// The tag that comes first, if no flaw stands before it.
    pub(crate) fn first(&self) -> Option<Tag<'a>> {
        self.tags.first().copied()
    }

    pub(crate) fn flaws(&self) -> &[Flaw<'a>] {
        &self.flaws
    }

    /// The tags that are not among these, for a sentence: `x=, y= and 2 more`.
    pub(crate) fn unknown(&self, known: &[&str]) -> Option<String> {
        let names = self.tags.iter().map(|tag| tag.name).filter(|name| !known.contains(name));
        let names: Vec<String> = names.map(|name| format!("{}=", truncate(name, MOST_NAME))).collect();
        (!names.is_empty()).then(|| some(&names, SHOWN))
    }
}

/// Whether a text is a record by its first tag, as DMARC and BIMI have it: nothing before it, case
/// told apart.
pub(crate) fn starts_with_version(text: &str, version: &str) -> bool {
    let first = text.split(';').next().unwrap_or_default();
    let Some((name, value)) = first.split_once('=') else { return false };
    name.trim_end_matches([' ', '\t']) == "v" && value.trim_matches([' ', '\t']) == version
}

/// The items of a list with colons, blanks around them left out.
pub(crate) fn colon_list(value: &str) -> impl Iterator<Item = &str> {
    value.split(':').map(|item| item.trim_matches(BLANKS))
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl fmt::Display for Tags<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Tag { name, value }) in self.tags.iter().enumerate() {
            write!(f, "{}{name}={value}", if at == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl fmt::Display for Flaw<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("an empty tag"),
            Self::NoValue(words) => write!(f, "{} without \"=\"", quote(words)),
            Self::Name(name) => write!(f, "{}, which is no name of a tag", quote(name)),
            Self::Value(name) => {
                write!(f, "characters in {}= that no value has", truncate(name, MOST_NAME))
            }
            Self::Twice(name) => write!(f, "{}= twice", truncate(name, MOST_NAME)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lists_are_read_with_blanks_and_folds() {
        let tags = Tags::parse("v=DKIM1 ;\r\n\t k = rsa; p=AB\r\n CD==;");
        assert_eq!(tags.flaws(), []);
        assert_eq!(tags.first(), Some(Tag { name: "v", value: "DKIM1" }));
        assert_eq!((tags.get("k"), tags.get("p")), (Some("rsa"), Some("AB\r\n CD==")));
        assert_eq!((tags.get("K"), Tags::parse("p=").get("p")), (None, Some("")));
        assert_eq!(tags.unknown(&["v", "p"]).as_deref(), Some("k="));
        assert_eq!(tags.unknown(&["v", "p", "k"]), None);
        assert_eq!(Tags::parse("n=a=b;n_1=").to_string(), "n=a=b; n_1=");
    }

    #[test]
    fn flaws_are_named() {
        for (text, flaw, shown) in [
            ("", Flaw::Empty, "an empty tag"),
            (";", Flaw::Empty, "an empty tag"),
            ("v=1;;p=2", Flaw::Empty, "an empty tag"),
            ("v=1; DMARC", Flaw::NoValue("DMARC"), "\"DMARC\" without \"=\""),
            ("v=1; 1a=2", Flaw::Name("1a"), "\"1a\", which is no name of a tag"),
            ("v=1; a-b=2", Flaw::Name("a-b"), "\"a-b\", which is no name of a tag"),
            ("=2", Flaw::Name(""), "\"\", which is no name of a tag"),
            ("v=1; n=é", Flaw::Value("n"), "characters in n= that no value has"),
            ("v=1; p=\0", Flaw::Value("p"), "characters in p= that no value has"),
            ("p=1; p=1", Flaw::Twice("p"), "p= twice"),
        ] {
            let tags = Tags::parse(text);
            assert_eq!(tags.flaws().first(), Some(&flaw), "{text:?}");
            assert_eq!(flaw.to_string(), shown);
        }
        assert_eq!(Tags::parse("p=1; p=2").get("p"), Some("1"));
    }

    #[test]
    fn a_record_of_nothing_but_flaws_is_told_in_short() {
        let long = ";".repeat(30_000) + &(0..10_000).map(|n| format!("t{n};")).collect::<String>();
        assert_eq!(Tags::parse(&long).flaws().len(), 1 + MOST_FLAWS);
        let many: String = (0..20_000).map(|n| format!("t{n}=;")).collect();
        let unknown = Tags::parse(&many).unknown(&[]);
        assert_eq!(unknown.as_deref(), Some("t0=, t1=, t2=, t3=, t4= and 19995 more"));
        assert!(Tags::parse(&format!("{}=é", "n".repeat(9000))).flaws()[0].to_string().len() < 200);
    }

    #[test]
    fn a_version_stands_first_and_alone() {
        for good in ["v=DMARC1", "v=DMARC1;", "v = DMARC1 ; p=none", "v=DMARC1;garbage"] {
            assert!(starts_with_version(good, "DMARC1"), "{good}");
        }
        for bad in
            ["", " v=DMARC1", "V=DMARC1", "v=dmarc1", "v=DMARC1 p=none", "v=DMARC10", "p=none; v=DMARC1"]
        {
            assert!(!starts_with_version(bad, "DMARC1"), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(\\PC|[;= \\t\\r\\n]){0,80}") {
            let tags = Tags::parse(&text);
            let printed = tags.to_string();
            let again = Tags::parse(&printed);
            // Folds stay inside values, so that what was read comes back as it was.
            if !tags.tags.is_empty() {
                prop_assert_eq!(&again.tags, &tags.tags);
            }
            prop_assert!(tags.flaws.iter().all(|flaw| !flaw.to_string().is_empty()));
        }
    }
}
