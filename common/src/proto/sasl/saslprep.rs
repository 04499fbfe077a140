//! SASLprep (RFC 4013): how SCRAM wants user names and passwords before they are hashed.
//!
//! On the ICU4X data that the host names link already; a crate with tables of its own
//! made every binary 120 kB larger (docs/adr/0011).

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::CodePointMapData;
use icu_properties::props::BidiClass;

use super::SaslError;

/// Maps, normalises and checks a text that is to be sent (a "query" of RFC 3454 section 7,
/// in which unassigned code points may stand).
pub(super) fn prepared(text: &str) -> Result<String, SaslError> {
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Ok(text.to_owned());
    }
    let mapped: String = text.chars().filter_map(mapped).collect();
    let normal = ComposingNormalizerBorrowed::new_nfkc().normalize(&mapped).into_owned();
    if normal.chars().any(prohibited) || !bidi_is_sound(&normal) {
        return Err(SaslError::Unpreparable);
    }
    Ok(normal)
}

/// RFC 4013 section 2.1: spaces become the plain one, some characters vanish.
fn mapped(c: char) -> Option<char> {
    match c {
        // RFC 3454 table B.1
        '\u{ad}'
        | '\u{34f}'
        | '\u{1806}'
        | '\u{180b}'..='\u{180d}'
        | '\u{200c}'
        | '\u{200d}'
        | '\u{2060}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' => None,
        // RFC 3454 table C.1.2
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200b}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => Some(' '),
        c => Some(c),
    }
}

/// RFC 4013 section 2.3: tables C.1.2 to C.9 of RFC 3454.
fn prohibited(c: char) -> bool {
    matches!(c,
        // C.1.2 spaces, C.2.1 and C.2.2 controls
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200b}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
        | '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{6dd}' | '\u{70f}' | '\u{180e}' | '\u{200c}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2063}' | '\u{206a}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffd}' | '\u{1d173}'..='\u{1d17a}'
        // C.3 private use
        | '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{ffffd}' | '\u{100000}'..='\u{10fffd}'
        // C.7 ideographic description, C.8 deprecated, C.9 tags
        | '\u{2ff0}'..='\u{2ffb}' | '\u{340}' | '\u{341}' | '\u{e0001}' | '\u{e0020}'..='\u{e007f}')
        // C.4 noncharacters
        || matches!(u32::from(c), 0xfdd0..=0xfdef)
        || u32::from(c) & 0xfffe == 0xfffe
}

/// RFC 3454 section 6: with a right-to-left letter in it, a text has no left-to-right one
/// and begins and ends with a right-to-left one.
fn bidi_is_sound(text: &str) -> bool {
    let class = |c: char| CodePointMapData::<BidiClass>::new().get(c);
    let is_right = |c: char| matches!(class(c), BidiClass::RightToLeft | BidiClass::ArabicLetter);
    if !text.chars().any(is_right) {
        return true;
    }
    let ends = text.chars().next().is_some_and(is_right) && text.chars().next_back().is_some_and(is_right);
    ends && !text.chars().any(|c| class(c) == BidiClass::LeftToRight)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The examples of RFC 4013 section 3.
    #[test]
    fn rfc_4013() {
        let prepared = |text: &str| prepared(text).ok();
        assert_eq!(prepared("I\u{ad}X").as_deref(), Some("IX"));
        assert_eq!(prepared("user").as_deref(), Some("user"));
        assert_eq!(prepared("USER").as_deref(), Some("USER"));
        assert_eq!(prepared("\u{aa}").as_deref(), Some("a"));
        assert_eq!(prepared("\u{2168}").as_deref(), Some("IX"));
        assert_eq!(prepared("\u{7}"), None);
        assert_eq!(prepared("\u{627}1"), None);
    }

    #[test]
    fn spaces_accents_and_writing_directions() {
        assert_eq!(prepared("a\u{a0}b").unwrap(), "a b");
        assert_eq!(prepared("u\u{308}").unwrap(), "ü");
        assert_eq!(prepared("\u{627}1\u{628}").unwrap(), "\u{627}1\u{628}");
        assert!(prepared("\u{627}a\u{628}").is_err());
        for text in ["\u{e000}", "\u{fffd}", "\u{fdd0}", "\u{1ffff}", "\u{202e}", "\u{e0041}"] {
            assert!(prepared(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_ends(text in any::<String>()) {
            if let Ok(once) = prepared(&text) {
                prop_assert!(!once.chars().any(char::is_control));
            }
        }

        #[test]
        fn printable_ascii_stays(text in "[ -~]{0,40}") {
            prop_assert_eq!(prepared(&text).unwrap(), text);
        }
    }
}
