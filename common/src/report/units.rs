//! Numbers with a unit suffix on the command line, converted to the base unit.

use std::str::FromStr;
use std::time::Duration;

use super::number::parse_decimal;
use super::range::{Range, RangeError};

/// A span of time above zero, in seconds or with a suffix: `10`, `2.5`, `500ms`, `2m`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seconds(pub Duration);

/// A range of seconds, whose numbers may carry a suffix: `500ms`, `1s:2m`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimeRange(pub Range);

/// A number that could not be read as the quantity the option wants.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// Not a number, or an unknown suffix.
    #[error("'{0}' is not a number with a unit ({1})")]
    Unit(String, &'static str),
    /// Zero, below zero, or far beyond any use.
    #[error("'{0}' must be above 0 and at most {1}")]
    Bounds(String, &'static str),
}

const TIME_UNITS: &[(&str, f64)] =
    &[("us", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86_400.0)];
const TIME_UNIT_NAMES: &str = "us, ms, s, m, h, d";
const SIZE_UNITS: &[(&str, f64)] = &[
    ("B", 1.0),
    ("k", 1024.0),
    ("KiB", 1024.0),
    ("MiB", 1_048_576.0),
    ("GiB", 1_073_741_824.0),
    ("kB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
];
const SIZE_UNIT_NAMES: &str = "B, k, KiB, MiB, GiB, kB, MB, GB";
const SPAN_UNITS: &[(&str, f64)] =
    &[("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86_400.0), ("w", 604_800.0)];
const SPAN_UNIT_NAMES: &str = "s, m, h, d, w";
/// Ten years.
const LONGEST_SPAN: f64 = 315_360_000.0;
const DISK_UNITS: &[(&str, f64)] = &[
    ("B", 1.0),
    ("k", 1024.0),
    ("KiB", 1024.0),
    ("M", 1_048_576.0),
    ("MiB", 1_048_576.0),
    ("G", 1_073_741_824.0),
    ("GiB", 1_073_741_824.0),
    ("T", 1_099_511_627_776.0),
    ("TiB", 1_099_511_627_776.0),
    ("kB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("TB", 1e12),
];
const DISK_UNIT_NAMES: &str = "B, k, M, G, T, KiB, MiB, GiB, TiB, kB, MB, GB, TB";
/// A day: longer than any engine waits, short enough for every clock type.
const LONGEST: f64 = 86_400.0;

fn with_unit(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, suffix) = text.split_at(split);
    let factor = if suffix.is_empty() {
        1.0
    } else {
        units.iter().find(|(name, _)| *name == suffix).map(|(_, factor)| *factor)?
    };
    // A row of digits may be a number and yet overflow with its unit.
    parse_decimal(number).map(|number| number * factor).filter(|product| product.is_finite())
}

impl FromStr for Seconds {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let seconds =
            with_unit(text, TIME_UNITS).ok_or_else(|| UnitError::Unit(text.to_owned(), TIME_UNIT_NAMES))?;
        let refused = || UnitError::Bounds(text.to_owned(), "1d");
        let span = Duration::try_from_secs_f64(seconds).map_err(|_| refused())?;
        // Less than a nanosecond is none.
        if span.is_zero() || seconds > LONGEST { Err(refused()) } else { Ok(Self(span)) }
    }
}

impl FromStr for TimeRange {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Range::parse_with(text, |number| {
            with_unit(number, TIME_UNITS).ok_or_else(|| RangeError::Unit(number.to_owned(), TIME_UNIT_NAMES))
        })
        .map(Self)
    }
}

/// Reads a size in bytes, with an optional suffix (`64k`, `10MiB`), from 1 B to 1 GiB.
pub fn parse_size(text: &str) -> Result<usize, UnitError> {
    let bytes =
        with_unit(text, SIZE_UNITS).ok_or_else(|| UnitError::Unit(text.to_owned(), SIZE_UNIT_NAMES))?;
    if (1.0..=1_073_741_824.0).contains(&bytes) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the bounds were checked above"
        )]
        Ok(bytes as usize)
    } else {
        Err(UnitError::Bounds(text.to_owned(), "1GiB"))
    }
}

/// Reads a span of time that may be weeks: `30s`, `14d`, `2w`, up to ten years.
pub fn parse_span(text: &str) -> Result<Duration, UnitError> {
    let seconds =
        with_unit(text, SPAN_UNITS).ok_or_else(|| UnitError::Unit(text.to_owned(), SPAN_UNIT_NAMES))?;
    if (1.0..=LONGEST_SPAN).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(UnitError::Bounds(text.to_owned(), "3650d"))
    }
}

/// Reads the size of something on a disk in bytes: `512M`, `2G`, `1.5TiB`, from 1 B to 1 PiB.
pub fn parse_bytes(text: &str) -> Result<u64, UnitError> {
    let bytes =
        with_unit(text, DISK_UNITS).ok_or_else(|| UnitError::Unit(text.to_owned(), DISK_UNIT_NAMES))?;
    if (1.0..=1_125_899_906_842_624.0).contains(&bytes) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the bounds were checked above"
        )]
        Ok(bytes as u64)
    } else {
        Err(UnitError::Bounds(text.to_owned(), "1024TiB"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_take_suffixes_and_refuse_nonsense() {
        let read = |text: &str| text.parse::<Seconds>().map(|s| s.0.as_secs_f64());
        assert_eq!(read("10"), Ok(10.0));
        assert_eq!(read("2.5"), Ok(2.5));
        assert_eq!(read("500ms"), Ok(0.5));
        assert_eq!(read("2m"), Ok(120.0));
        for text in ["", "0", "-1", "ms", "10x", "1e3", "inf", "2d", "10 s", "0.0", "0.00000000002"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn time_ranges_are_in_seconds() {
        assert_eq!("500ms".parse::<TimeRange>().unwrap().0, "0.5".parse().unwrap());
        assert_eq!("@1s:2m".parse::<TimeRange>().unwrap().0, "@1:120".parse().unwrap());
        assert!("5q".parse::<TimeRange>().is_err());
        assert!(format!("{}d", "9".repeat(306)).parse::<TimeRange>().is_err(), "infinity by unit");
    }

    #[test]
    fn sizes() {
        assert_eq!(parse_size("64k"), Ok(65_536));
        assert_eq!(parse_size("10MiB"), Ok(10_485_760));
        assert_eq!(parse_size("123"), Ok(123));
        for text in ["0", "-1", "", "2GiB", "5 k", "x"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn spans_and_disk_sizes() {
        assert_eq!(parse_span("14d"), Ok(Duration::from_hours(14 * 24)));
        assert_eq!(parse_span("30"), Ok(Duration::from_secs(30)));
        assert_eq!(parse_bytes("2G"), Ok(2_147_483_648));
        assert_eq!(parse_bytes("1.5TiB"), Ok(1_649_267_441_664));
        for text in ["0", "-1d", "4000d", "x", "0.5", "1y"] {
            assert!(parse_span(text).is_err(), "{text}");
        }
        for text in ["0", "-1", "", "2000TiB", "5 G", "1P"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }
}
