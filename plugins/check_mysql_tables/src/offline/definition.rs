//! Definitions of tables in files of their own (`.frm`), as far as they say which other files
//! belong to them, and the way names of tables become names of files.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Which files a table must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// None of those that are looked for: a view, a table in memory, one within `ibdata1`.
    Nothing,
    /// One with one of these endings at least.
    OneOf(&'static [&'static str]),
    /// Some: a table of partitions.
    Any,
}

/// Which files the table with this definition must have.
pub(crate) fn needs(path: &Path) -> io::Result<Needs> {
    let mut start = Vec::with_capacity(4);
    File::open(path)?.take(4).read_to_end(&mut start)?;
    Ok(parse_needs(&start))
}

/// The number of the engine is the fourth byte, for ever.
fn parse_needs(start: &[u8]) -> Needs {
    match start {
        [0xfe, 0x01, _, 9] => Needs::OneOf(&["MYI", "MYD"]),
        [0xfe, 0x01, _, 16] => Needs::OneOf(&["ARZ"]),
        [0xfe, 0x01, _, 17] => Needs::OneOf(&["CSV"]),
        [0xfe, 0x01, _, 20] => Needs::Any,
        [0xfe, 0x01, _, 42] => Needs::OneOf(&["MAI", "MAD"]),
        _ => Needs::Nothing,
    }
}

/// The name of a table or database from that of its file: `@` and four hexadecimal digits stand
/// for a character.
pub(crate) fn decoded(file: &str) -> String {
    let mut name = String::with_capacity(file.len());
    let mut rest = file;
    while let Some((before, after)) = rest.split_once('@') {
        name.push_str(before);
        let digits = after.get(..4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let decoded = digits.and_then(|digits| char::from_u32(u32::from_str_radix(digits, 16).ok()?));
        if let Some(character) = decoded {
            name.push(character);
            rest = after.get(4..).unwrap_or_default();
        } else {
            name.push('@');
            rest = after;
        }
    }
    name.push_str(rest);
    name
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn engines_by_their_numbers() {
        assert_eq!(parse_needs(&[0xfe, 1, 10, 9]), Needs::OneOf(&["MYI", "MYD"]));
        assert_eq!(parse_needs(&[0xfe, 1, 10, 12]), Needs::Nothing, "InnoDB may keep it in ibdata1");
        assert_eq!(parse_needs(b"TYPE"), Needs::Nothing, "a view");
        assert_eq!(parse_needs(b""), Needs::Nothing);
    }

    #[test]
    fn names_of_files() {
        assert_eq!(decoded("a@002db"), "a-b");
        assert_eq!(decoded("@0024@"), "$@");
        assert_eq!(decoded("@d800x"), "@d800x", "no character");
    }

    proptest! {
        #[test]
        fn any_name_is_decoded(name in "[@0-9a-fé]{0,20}") {
            prop_assert!(decoded(&name).len() <= name.len());
        }
    }
}
