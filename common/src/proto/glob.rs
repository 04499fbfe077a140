//! Names with `*`, which stands for any text, and `?`, which stands for one character.
//!
//! The build script of check_weak_ciphers has this file, too, to refuse a pattern that fits nothing.

use std::str::Chars;

/// Whether all of `name` fits `pattern`.
#[must_use]
pub fn fits(pattern: &str, name: &str) -> bool {
    fits_by(pattern, name, |wanted, found| wanted == found)
}

/// The same where ASCII letters match in either case.
#[must_use]
pub fn fits_in_any_case(pattern: &str, name: &str) -> bool {
    fits_by(pattern, name, |wanted, found| wanted.eq_ignore_ascii_case(&found))
}

/// Only the last star is ever tried anew: what the ones before it took fits as well as anything else would. So the time
/// is the product of both lengths at most, whatever the pattern is, and nothing is allocated.
fn fits_by(pattern: &str, name: &str, is_same: impl Fn(char, char) -> bool) -> bool {
    let (mut pattern, mut name) = (pattern.chars(), name.chars());
    // The pattern behind the last star, and what it has not taken yet.
    let mut retry: Option<(Chars<'_>, Chars<'_>)> = None;
    loop {
        let (mut rest, mut left) = (pattern.clone(), name.clone());
        match (rest.next(), left.next()) {
            (Some('*'), _) => {
                retry = Some((rest.clone(), name.clone()));
                pattern = rest;
                continue;
            }
            (None, None) => return true,
            (Some(wanted), Some(found)) if wanted == '?' || is_same(wanted, found) => {
                (pattern, name) = (rest, left);
                continue;
            }
            _ => {}
        }
        let Some((behind, taken)) = &mut retry else { return false };
        if taken.next().is_none() {
            return false;
        }
        (pattern, name) = (behind.clone(), taken.clone());
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, name, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("**", "x", true),
            ("?", "", false),
            ("shop", "shop", true),
            ("shop", "shops", false),
            ("wp_*", "wp_posts", true),
            ("wp_*", "wp", false),
            ("*_log", "mail_log_log", true),
            ("w??t", "west", true),
            ("*a", "ab", false),
            ("*a*b", "xaxab", true),
            ("*a*a*", "aba", true),
            ("*a*a*a*", "aba", false),
            ("l?g", "lüg", true),
            ("*SHA", "TLS_RSA_WITH_AES_128_CBC_SHA256", false),
            ("TLS_ECDHE_*_GCM_SHA???", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", true),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern:?} {name:?}");
            assert_eq!(fits_in_any_case(pattern, name), expected, "{pattern:?} {name:?}");
        }
    }

    #[test]
    fn case_counts_only_where_it_is_asked_for() {
        assert!(!fits("shop*", "Shop_1"));
        assert!(fits_in_any_case("shop*", "Shop_1"));
        assert!(!fits_in_any_case("Ü", "ü"), "letters of ASCII alone");
    }

    #[test]
    fn a_pattern_of_stars_is_no_trap() {
        let begun = Instant::now();
        assert!(!fits(&"*a".repeat(1000), &"a".repeat(999)));
        assert!(!fits(&format!("{}b", "*a".repeat(1000)), &"a".repeat(2000)));
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    }

    /// What the words mean, tried in every way.
    fn naive(pattern: &[char], name: &[char]) -> bool {
        match (pattern, name) {
            ([], []) => true,
            (['*', rest @ ..], _) => (0..=name.len()).any(|taken| naive(rest, &name[taken..])),
            ([wanted, rest @ ..], [found, left @ ..]) => {
                (*wanted == '?' || wanted == found) && naive(rest, left)
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn it_says_what_trying_everything_says(pattern in "[ab*?ü]{0,8}", name in "[abü]{0,10}") {
            let letters = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(fits(&pattern, &name), naive(&letters(&pattern), &letters(&name)));
        }

        #[test]
        fn case_is_the_only_difference(pattern in "[abAB*?]{0,8}", name in "[abAB]{0,10}") {
            let lower = fits(&pattern.to_lowercase(), &name.to_lowercase());
            prop_assert_eq!(fits_in_any_case(&pattern, &name), lower);
        }
    }
}
