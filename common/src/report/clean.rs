//! The one place where foreign text is made safe for one line of plugin output.

/// Longest piece of foreign text shown in a sentence, in characters.
const QUOTED_CHARACTERS: usize = 128;

/// Makes text safe for the output: `|` would start perfdata, a line break would start
/// long output, controls and bidi marks would lie to whoever reads the terminal.
///
/// `|` becomes `/`; TAB, CR and LF a blank; other C0, DEL and C1 `\xNN`; bidi controls
/// `\u{NNNN}`.
#[must_use]
pub fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' => out.push('/'),
            // The separators U+2028 and U+2029 break lines in some readers, like LF does.
            '\t' | '\r' | '\n' | '\u{2028}' | '\u{2029}' => out.push(' '),
            '\0'..='\x1f' | '\x7f'..='\u{9f}' => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                out.push_str(&format!("\\u{{{:04X}}}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out
}

/// Foreign words for a sentence: in double quotes, cut to 128 characters.
#[must_use]
pub fn quote(text: &str) -> String {
    let text = text.trim_end_matches(['\r', '\n', ' ']);
    let mut characters = text.chars();
    let kept: String = characters.by_ref().take(QUOTED_CHARACTERS).collect();
    let more = if characters.next().is_some() { "..." } else { "" };
    format!("\"{kept}{more}\"")
}

/// The first of many things for a sentence, and how many more there are.
#[must_use]
pub fn some(items: &[String], most: usize) -> String {
    let shown = items.iter().take(most).map(String::as_str).collect::<Vec<_>>().join(", ");
    match items.len().saturating_sub(most) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Cuts text to at most `limit` bytes at a character boundary.
#[must_use]
pub fn truncate(text: &str, limit: usize) -> &str {
    text.get(..text.floor_char_boundary(limit)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_class_has_its_own_escape() {
        assert_eq!(clean("a|b\tc\r\nd"), "a/b c  d");
        assert_eq!(clean("\x1b[31m\0\x7f\u{85}"), "\\x1b[31m\\x00\\x7f\\x85");
        assert_eq!(clean("x\u{202e}y\u{2066}"), "x\\u{202E}y\\u{2066}");
        assert_eq!(clean("Grüße €"), "Grüße €");
    }

    #[test]
    fn quotes_are_cut_at_128_characters() {
        let long = "ä".repeat(200);
        assert_eq!(quote(&long).chars().count(), 128 + 3 + 2);
        assert_eq!(quote("550 no\r\n"), "\"550 no\"");
        assert_eq!(quote(""), "\"\"");
    }

    proptest! {
        #[test]
        fn nothing_dangerous_survives(text in any::<String>()) {
            let cleaned = clean(&text);
            prop_assert!(cleaned.chars().all(|c| !c.is_control() && c != '|'));
            let bidi_left = cleaned.contains(['\u{202e}', '\u{2028}']);
            prop_assert!(!bidi_left);
            prop_assert_eq!(clean(&cleaned), cleaned.clone());
        }

        #[test]
        fn truncate_never_splits_a_character(text in any::<String>(), limit in 0usize..64) {
            prop_assert!(truncate(&text, limit).len() <= limit);
            prop_assert!(text.starts_with(truncate(&text, limit)));
        }
    }
}
