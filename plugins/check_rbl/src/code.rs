//! Return codes of a list: the address it answers with, a range of them, or a bit of the
//! last number.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use common::cli::BadValue;
use serde::{Deserialize, Serialize};

/// One code or several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Pattern {
    /// Each octet within its bounds: `127.0.0.4-7`, `127.0.x.3`, short `2` for `127.0.0.2`.
    Octets {
        /// Lower bounds, inclusive.
        low: [u8; 4],
        /// Upper bounds, inclusive.
        high: [u8; 4],
    },
    /// A bit of the last octet, as its value 1, 2, 4 ... 128, of a list that adds them up.
    Bit(u8),
}

/// What a short code is the last octet of.
const USUAL: [u8; 3] = [127, 0, 0];

impl Pattern {
    /// Reads a bit of a list with a mask.
    pub(crate) fn bit(text: &str) -> Result<Self, BadValue> {
        match text.parse::<u8>() {
            Ok(bit) if bit.is_power_of_two() => Ok(Self::Bit(bit)),
            _ => text.parse(),
        }
    }

    pub(crate) fn matches(self, code: Ipv4Addr) -> bool {
        let octets = code.octets();
        match self {
            Self::Octets { low, high } => {
                octets.iter().zip(low).zip(high).all(|((octet, low), high)| (low..=high).contains(octet))
            }
            Self::Bit(bit) => octets.starts_with(&USUAL) && octets.last().is_some_and(|last| last & bit != 0),
        }
    }
}

impl FromStr for Pattern {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || {
            BadValue::new(format!(
                "'{text}' is not a return code (want 127.0.0.2, 127.0.0.4-7, 127.0.x.3 or 2)"
            ))
        };
        let parts: Vec<&str> = text.split('.').collect();
        let (mut low, mut high) = ([127, 0, 0, 0], [127, 0, 0, 0]);
        let first = match parts.len() {
            1 => 3,
            4 => 0,
            _ => return Err(refused()),
        };
        for ((part, low), high) in
            parts.iter().zip(low.iter_mut().skip(first)).zip(high.iter_mut().skip(first))
        {
            (*low, *high) = bounds(part).ok_or_else(refused)?;
        }
        Ok(Self::Octets { low, high })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bit(bit) => write!(f, "bit {bit}"),
            Self::Octets { low, high } => {
                for (place, (low, high)) in low.iter().zip(high).enumerate() {
                    let dot = if place == 0 { "" } else { "." };
                    match (low, high) {
                        (0, 255) => write!(f, "{dot}x")?,
                        _ if low == high => write!(f, "{dot}{low}")?,
                        _ => write!(f, "{dot}{low}-{high}")?,
                    }
                }
                Ok(())
            }
        }
    }
}

fn bounds(text: &str) -> Option<(u8, u8)> {
    if text == "x" {
        return Some((0, 255));
    }
    let number = |digits: &str| digits.parse::<u8>().ok().filter(|_| !digits.starts_with('+'));
    let (low, high) = match text.split_once('-') {
        Some((low, high)) => (number(low)?, number(high)?),
        None => (number(text)?, number(text)?),
    };
    (low <= high).then_some((low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matching(pattern: Pattern, codes: &[&str]) -> Vec<bool> {
        codes.iter().map(|code| pattern.matches(code.parse().unwrap())).collect()
    }

    #[test]
    fn codes_ranges_and_wildcards() {
        let codes = ["127.0.0.2", "127.0.0.5", "127.0.9.3", "127.0.0.8"];
        for (text, want) in [
            ("127.0.0.2", [true, false, false, false]),
            ("2", [true, false, false, false]),
            ("127.0.0.4-7", [false, true, false, false]),
            ("127.0.x.3", [false, false, true, false]),
            ("2-8", [true, true, false, true]),
        ] {
            assert_eq!(matching(text.parse().unwrap(), &codes), want, "{text}");
        }
        assert_eq!(
            matching(Pattern::bit("8").unwrap(), &["127.0.0.24", "127.0.0.16", "127.0.1.8"]),
            [true, false, false]
        );
    }

    #[test]
    fn what_is_no_code_is_refused() {
        for text in ["", "127.0.0", "127.0.0.256", "7-4", "+2", "a", "127.0.0.2.3", "2-", "-2"] {
            assert!(text.parse::<Pattern>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn patterns_are_shown_as_they_are_written() {
        for text in ["127.0.0.2", "127.0.0.4-7", "127.0.x.3"] {
            assert_eq!(text.parse::<Pattern>().unwrap().to_string(), text);
        }
        assert_eq!("2".parse::<Pattern>().unwrap().to_string(), "127.0.0.2");
    }
}
