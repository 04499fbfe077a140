//! Threshold ranges, read strictly.
//!
//! Source: Monitoring Plugins Development Guidelines, "Threshold and Ranges":
//! `[@][start:][end]`, both ends inclusive. Where the tools disagree (empty string,
//! exponents, `inf`, start above end) we refuse, because a threshold that was
//! misread is a check that never alarms.

use std::fmt;
use std::str::FromStr;

use super::number::{format_number, parse_decimal};
use super::state::State;

/// A set of values that does (or, with `inside`, does not) call for an alert.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// Lower end, inclusive; minus infinity for `~`.
    start: f64,
    /// Upper end, inclusive; infinity when omitted.
    end: f64,
    /// `@`: alert when the value is inside instead of outside.
    inside: bool,
}

/// Why a range was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// Nothing, or only `@`, `:` or `~`.
    #[error("range has no end (want [@][start:][end], for example 10, 5:, @10:20)")]
    Empty,
    /// More than one colon.
    #[error("range has more than one ':'")]
    Colons,
    /// `~` stands for minus infinity and only at the start.
    #[error("'~' stands only for the start of a range")]
    Tilde,
    /// Not a plain decimal number.
    #[error("'{0}' is not a plain decimal number")]
    Number(String),
    /// A unit the option does not take.
    #[error("'{0}' is not a number with a unit ({1})")]
    Unit(String, &'static str),
    /// Start above end.
    #[error("start {0} is above end {1}")]
    Order(String, String),
}

impl Range {
    /// Alert outside `start..=end`.
    #[must_use]
    pub const fn outside(start: f64, end: f64) -> Self {
        Self { start, end, inside: false }
    }

    /// Whether `value` calls for an alert; a value that is no number always does.
    #[must_use]
    pub fn alerts(&self, value: f64) -> bool {
        if value.is_nan() {
            return true;
        }
        let within = self.start <= value && value <= self.end;
        within == self.inside
    }

    /// Whether the range is only an upper limit: `N`, `0:N` or `~:N`.
    #[must_use]
    pub fn upper_limit(&self) -> Option<f64> {
        let plain = !self.inside && self.end.is_finite() && (self.start == 0.0 || self.start.is_infinite());
        plain.then_some(self.end)
    }

    /// The canonical text for perfdata: `0:N` becomes `N`, and so does `~:N` when
    /// the metric cannot fall below zero (`min` given and not negative), because
    /// engines' writers drop ranges that are not plain numbers.
    #[must_use]
    pub fn canonical(&self, min: Option<f64>) -> String {
        let start = if self.start == f64::NEG_INFINITY && min.is_some_and(|min| min >= 0.0) && self.end >= 0.0
        {
            0.0
        } else {
            self.start
        };
        let mut text = String::new();
        if self.inside {
            text.push('@');
        }
        if start == f64::NEG_INFINITY {
            text.push_str("~:");
        } else {
            // Compared as it is printed: what rounds to 0 is left out like 0 itself.
            let shown = format_number(start);
            if shown != "0" || self.end.is_infinite() {
                text.push_str(&shown);
                text.push(':');
            }
        }
        if self.end.is_finite() {
            text.push_str(&format_number(self.end));
        }
        text
    }

    /// Reads a range whose numbers are read by `number`: units are its business.
    pub fn parse_with(
        text: &str,
        number: impl Fn(&str) -> Result<f64, RangeError>,
    ) -> Result<Self, RangeError> {
        let (inside, body) = match text.strip_prefix('@') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        // Spellings without '@' and '~', for agents and shells that forbid them.
        if !inside {
            if let Some(rest) = body.strip_prefix("inside:") {
                return Self::parse_body(rest, true, &number);
            }
            if let Some(rest) = body.strip_prefix("min:") {
                return Ok(Self::outside(number(rest)?, f64::INFINITY));
            }
            if let Some(rest) = body.strip_prefix("max:") {
                return Ok(Self::outside(f64::NEG_INFINITY, number(rest)?));
            }
        }
        Self::parse_body(body, inside, &number)
    }

    fn parse_body(
        body: &str,
        inside: bool,
        number: &impl Fn(&str) -> Result<f64, RangeError>,
    ) -> Result<Self, RangeError> {
        if body.matches(':').count() > 1 {
            return Err(RangeError::Colons);
        }
        let (start_text, end_text) = match body.split_once(':') {
            Some((start, end)) => (Some(start), end),
            None => (None, body),
        };
        if start_text.unwrap_or_default().is_empty() && (end_text.is_empty() || start_text.is_some()) {
            // Covers '', ':', '@' and ':5': a start that is left out has no colon either.
            return Err(RangeError::Empty);
        }
        if end_text.contains('~') {
            return Err(if start_text.is_none() { RangeError::Empty } else { RangeError::Tilde });
        }
        let start = match start_text {
            None => 0.0,
            Some("~") => f64::NEG_INFINITY,
            Some(text) => number(text)?,
        };
        let end = if end_text.is_empty() { f64::INFINITY } else { number(end_text)? };
        if start > end {
            return Err(RangeError::Order(format_number(start), format_number(end)));
        }
        Ok(Self { start, end, inside })
    }
}

impl FromStr for Range {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse_with(text, |number| {
            parse_decimal(number).ok_or_else(|| RangeError::Number(number.to_owned()))
        })
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.canonical(None))
    }
}

/// A warning and a critical range, either of which may be absent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Thresholds {
    /// WARNING outside this.
    pub warning: Option<Range>,
    /// CRITICAL outside this.
    pub critical: Option<Range>,
}

impl Thresholds {
    /// The state of a value: critical before warning, OK when neither alerts.
    #[must_use]
    pub fn judge(&self, value: f64) -> State {
        if self.critical.is_some_and(|range| range.alerts(value)) {
            State::Critical
        } else if self.warning.is_some_and(|range| range.alerts(value)) {
            State::Warning
        } else {
            State::Ok
        }
    }

    /// The range that gave the state of `value`, if one alerts.
    #[must_use]
    pub fn deciding(&self, value: f64) -> Option<Range> {
        [self.critical, self.warning].into_iter().flatten().find(|range| range.alerts(value))
    }

    /// Two plain upper limits the wrong way round are a mistake in the definition:
    /// the warning could never be seen.
    #[must_use]
    pub fn contradiction(&self) -> Option<String> {
        let warning = self.warning?.upper_limit()?;
        let critical = self.critical?.upper_limit()?;
        (warning > critical).then(|| {
            format!("warning {} is above critical {}", format_number(warning), format_number(critical))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn range(text: &str) -> Range {
        text.parse().unwrap()
    }

    #[test]
    fn accepts_the_grammar() {
        for (text, start, end, inside) in [
            ("10", 0.0, 10.0, false),
            ("10:", 10.0, f64::INFINITY, false),
            ("~:10", f64::NEG_INFINITY, 10.0, false),
            ("~:", f64::NEG_INFINITY, f64::INFINITY, false),
            ("10:20", 10.0, 20.0, false),
            ("@10:20", 10.0, 20.0, true),
            ("@10", 0.0, 10.0, true),
            ("-2.5:-0.5", -2.5, -0.5, false),
            ("+5", 0.0, 5.0, false),
            (".5", 0.0, 0.5, false),
            ("inside:10:20", 10.0, 20.0, true),
            ("min:5", 5.0, f64::INFINITY, false),
            ("max:5", f64::NEG_INFINITY, 5.0, false),
            ("0", 0.0, 0.0, false),
        ] {
            assert_eq!(range(text), Range { start, end, inside }, "{text}");
        }
    }

    #[test]
    fn refuses_what_others_misread() {
        for text in [
            "",
            ":",
            "@",
            "~",
            "@~",
            ":5",
            "@:5",
            "1e3",
            "0x10",
            "nan",
            "inf",
            "-inf",
            "1,5",
            "10x",
            "1:2:3",
            "20:10",
            "5:~",
            "~:~",
            " 5",
            "5 ",
            "5.",
            "--5",
            "+",
            "-",
            ".",
            "@@5",
            "@inside:1:2",
            "min:",
            "max:",
            "min:~",
            "-5",
            "٣",
            "1_000",
        ] {
            assert!(text.parse::<Range>().is_err(), "{text:?} must be refused");
        }
        assert!("9".repeat(400).parse::<Range>().is_err(), "infinity by length");
    }

    #[test]
    fn both_ends_are_inclusive() {
        assert!(!range("10").alerts(10.0) && !range("10").alerts(0.0));
        assert!(range("10").alerts(10.000_001) && range("10").alerts(-0.1));
        assert!(!range("~:0").alerts(0.0) && range("~:0").alerts(0.1));
        assert!(range("@10:20").alerts(10.0) && range("@10:20").alerts(20.0) && !range("@10:20").alerts(9.9));
        assert!(!range("-2.5:-0.5").alerts(-2.0) && range("-2.5:-0.5").alerts(-3.0));
        assert!(range("~:").alerts(f64::NAN), "no number is never fine");
    }

    #[test]
    fn canonical_forms() {
        for (text, min, want) in [
            ("0:10", None, "10"),
            ("~:10", Some(0.0), "10"),
            ("~:10", None, "~:10"),
            ("~:-1", Some(0.0), "~:-1"),
            ("10:", None, "10:"),
            ("0:", None, "0:"),
            ("@0:5", None, "@5"),
            ("@5:10", None, "@5:10"),
            ("~:", Some(0.0), "0:"),
            ("~:", None, "~:"),
            ("1.50:2.250", None, "1.5:2.25"),
            ("0.00000001:5", None, "5"),
        ] {
            assert_eq!(range(text).canonical(min), want, "{text}");
        }
    }

    #[test]
    fn contradiction_only_between_plain_upper_limits() {
        let thresholds = |w: &str, c: &str| {
            Thresholds { warning: Some(range(w)), critical: Some(range(c)) }.contradiction()
        };
        assert!(thresholds("10", "5").is_some());
        assert!(thresholds("5", "5").is_none() && thresholds("10:", "5:").is_none());
        assert!(thresholds("@10:20", "5").is_none());
    }

    /// The crate nagios-range agrees wherever both accept; the inputs it accepts and we
    /// refuse, on purpose, are the kinds listed in `refuses_what_others_misread`:
    /// ':' , exponents, inf and nan.
    #[test]
    fn differences_to_the_oracle_are_the_listed_ones() {
        for text in [":", "1e3", "inf", "nan", "5."] {
            assert!(nagios_range::NagiosRange::from(text).is_ok(), "oracle accepts {text}");
            assert!(text.parse::<Range>().is_err(), "we refuse {text}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_oracle(
            text in r"@?((~|-?[0-9]{1,4}(\.[0-9]{1,3})?):)?(-?[0-9]{1,4}(\.[0-9]{1,3})?)?",
            value in -12_000.0..12_000.0f64,
        ) {
            if let (Ok(ours), Ok(oracle)) = (text.parse::<Range>(), nagios_range::NagiosRange::from(&text)) {
                prop_assert_eq!(ours.alerts(value), oracle.check(value), "{} {}", text, value);
            }
        }

        #[test]
        fn canonical_text_means_the_same(
            start in -1000i32..1000, len in 0i32..1000, inside: bool, value in -2500.0..2500.0f64,
        ) {
            let ours = Range { start: f64::from(start) / 4.0, end: f64::from(start + len) / 4.0, inside };
            let again: Range = ours.to_string().parse().unwrap();
            prop_assert_eq!(ours, again);
            prop_assert_eq!(ours.alerts(value), again.alerts(value));
        }

        #[test]
        fn any_text_is_read_or_refused_never_a_panic(text in ".{0,40}") {
            if let Ok(range) = text.parse::<Range>() {
                prop_assert!(range.start <= range.end);
            }
        }
    }
}
