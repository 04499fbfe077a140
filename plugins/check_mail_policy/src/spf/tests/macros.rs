//! Macro strings: the examples of section 7.4, faults, bounds.

use super::*;
use proptest::prelude::*;

/// The message of RFC 7208 section 7.4.
fn value(letter: Letter) -> Option<String> {
    let text = match letter {
        Letter::Sender => "strong-bad@email.example.com",
        Letter::LocalPart => "strong-bad",
        Letter::SenderDomain | Letter::Domain => "email.example.com",
        Letter::Ip | Letter::ReadableIp => "192.0.2.3",
        Letter::Version => "in-addr",
        Letter::Helo => "a b&c.example",
        Letter::Receiver => "mx.example.org",
        Letter::Ptr | Letter::Time => return None,
    };
    Some(text.to_owned())
}

fn name(text: &str) -> Option<String> {
    MacroString::parse(text, Place::Explanation).unwrap().name(value)
}

#[test]
fn values_are_split_turned_and_kept() {
    for (text, right) in [
        ("%{s}", "strong-bad@email.example.com"),
        ("%{o}", "email.example.com"),
        ("%{d4}", "email.example.com"),
        ("%{d2}", "example.com"),
        ("%{d1}", "com"),
        ("%{dr}", "com.example.email"),
        ("%{d2r}", "example.email"),
        ("%{l}", "strong-bad"),
        ("%{l-}", "strong.bad"),
        ("%{lr}", "strong-bad"),
        ("%{lR-}", "bad.strong"),
        ("%{l1r-}", "strong"),
        ("%{l01r-}", "strong"),
        ("%{d99999999999999999999999}", "email.example.com"),
        ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
        ("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"),
        ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
        ("%{H}", "a%20b%26c.example"),
        ("a%%b%_c%-d", "a%b c%20d"),
    ] {
        assert_eq!(name(text).as_deref(), Some(right), "{text}");
    }
    assert_eq!(name("%{p}"), None, "what has no value gives no name");
}

#[test]
fn faults_are_found() {
    for text in
        ["%", "%a", "%{", "%{}", "%{d", "%{x}", "%{d0}", "%{d00r}", "%{d-r}", "%{d;}", "%{dé}", "%(d)"]
    {
        assert_eq!(MacroString::parse(text, Place::Explanation).err(), Some(Flaw::Macro), "{text}");
    }
    let parse = |text, place| MacroString::parse(text, place).err();
    assert_eq!(parse("%{R}", Place::Domain), Some(Flaw::ExplanationLetter));
    assert_eq!(parse("two words", Place::Explanation), None);
    assert_eq!(parse("two words", Place::Modifier), Some(Flaw::Character));
    assert_eq!(parse("a\n", Place::Explanation), Some(Flaw::Character));
    assert_eq!(parse("\u{feff}a", Place::Explanation), Some(Flaw::NotAscii));
    assert_eq!(parse("%{d}x", Place::Domain), Some(Flaw::Domain));
    assert_eq!(parse("%{d.}", Place::Domain), None);
    assert_eq!(parse("a.%{d-.}b", Place::Domain), Some(Flaw::Domain));
}

#[test]
fn long_names_lose_labels_on_the_left() {
    let label = "x".repeat(50);
    let six = [label.as_str(); 6].join(".");
    let cut = name(&six).unwrap();
    assert_eq!((cut.len(), cut.matches('.').count()), (4 * 51 - 1, 3));
    let fits = format!("{}.{}", "y".repeat(253 - 204), &six[six.len() - 203..]);
    assert_eq!(name(&format!("z.{fits}.")).as_deref(), Some(fits.as_str()));
    let (_, rest) = fits.split_once('.').unwrap();
    assert_eq!(name(&format!("z{fits}")).as_deref(), Some(rest), "254 are too many");
    assert_eq!(name(&"x".repeat(3000)).as_deref(), Some(""), "no label is left whole");
}

proptest! {
    #[test]
    fn expansions_stay_small(pieces in prop::collection::vec("%[{][sldoihvc][0-9]{0,2}r?[.-]?[}]|%%|[a-z.]{0,9}", 0..300), long in 0usize..600) {
        let text = pieces.concat();
        let string = MacroString::parse(&text, Place::Explanation).or_else(|_| MacroString::parse("a", Place::Explanation)).unwrap();
        let name = string.name(|letter| value(letter).map(|value| value.repeat(1 + long)));
        prop_assert!(name.unwrap().len() <= 253);
        let words = string.text(|letter| value(letter).map(|value| value.repeat(1 + long)));
        prop_assert!(words.unwrap().len() <= 1024);
    }

    #[test]
    fn the_tail_that_is_kept_is_enough(labels in prop::collection::vec("[a-z]{1,63}", 1..60)) {
        let whole = labels.join(".");
        let mut from = whole.as_str();
        while from.len() > 253 {
            from = from.split_once('.').map_or("", |(_, rest)| rest);
        }
        // Piece by piece, as macros are put together.
        let text = "%{l}".repeat(labels.len());
        let mut next = labels.iter().enumerate();
        let name = MacroString::parse(&text, Place::Explanation).unwrap().name(|_| {
            let (at, label) = next.next()?;
            Some(if at == 0 { label.clone() } else { format!(".{label}") })
        });
        prop_assert_eq!(name.as_deref(), Some(from));
    }

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>(), known in "[%{}a-z0-9.]{0,20}") {
        for text in [text, known] {
            for place in [Place::Domain, Place::Modifier, Place::Explanation] {
                if let Ok(string) = MacroString::parse(&text, place) {
                    prop_assert_eq!(string.to_string(), text.clone());
                    let _ = string.name(value);
                }
            }
        }
    }
}
