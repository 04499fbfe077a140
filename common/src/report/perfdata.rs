//! Perfdata: declared metrics and measured values.
//!
//! Source: Monitoring Plugins Development Guidelines, "Performance data":
//! `'label'=value[UOM][;warn[;crit[;min[;max]]]]`. Labels are stable for ever, so each
//! plugin declares them once in a `const METRICS` list that the documentation and the
//! engine templates are made from.

use super::number::format_number;
use super::range::Thresholds;

/// Unit of measurement of a metric; base units only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uom {
    /// A plain number.
    None,
    /// Seconds, `s`.
    Seconds,
    /// Bytes, `B`.
    Bytes,
    /// Per cent, `%`.
    Percent,
    /// A counter that only grows, `c`.
    Counter,
}

impl Uom {
    /// All units.
    pub const ALL: [Self; 5] = [Self::None, Self::Seconds, Self::Bytes, Self::Percent, Self::Counter];

    /// The suffix behind the value.
    #[must_use]
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Seconds => "s",
            Self::Bytes => "B",
            Self::Percent => "%",
            Self::Counter => "c",
        }
    }
}

/// The declaration of one metric of a plugin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metric {
    /// Label, snake case.
    pub label: &'static str,
    /// Unit.
    pub uom: Uom,
    /// What it measures, one short phrase for the documentation.
    pub help: &'static str,
    /// Smallest possible value, if there is one.
    pub min: Option<f64>,
    /// Largest possible value, if there is one.
    pub max: Option<f64>,
}

impl Metric {
    /// A span of time in seconds, never below zero.
    #[must_use]
    pub const fn seconds(label: &'static str, help: &'static str) -> Self {
        Self { label, uom: Uom::Seconds, help, min: Some(0.0), max: None }
    }

    /// A number of things, never below zero.
    #[must_use]
    pub const fn count(label: &'static str, help: &'static str) -> Self {
        Self { label, uom: Uom::None, help, min: Some(0.0), max: None }
    }

    /// A plain number that may be negative.
    #[must_use]
    pub const fn number(label: &'static str, help: &'static str) -> Self {
        Self { label, uom: Uom::None, help, min: None, max: None }
    }
}

/// One measured value with its thresholds.
#[derive(Clone, Debug, PartialEq)]
pub struct Perfdata {
    /// Label as declared or, for label families, as made from the object's name.
    pub label: String,
    /// The value in the base unit; `None` when it could not be measured (`U`).
    pub value: Option<f64>,
    /// Unit.
    pub uom: Uom,
    /// Thresholds this value was judged by.
    pub thresholds: Thresholds,
    /// Smallest possible value.
    pub min: Option<f64>,
    /// Largest possible value.
    pub max: Option<f64>,
}

impl Perfdata {
    /// A value of a declared metric. A value that is not finite counts as not measured.
    #[must_use]
    pub fn new(metric: &Metric, value: Option<f64>, thresholds: Thresholds) -> Self {
        Self {
            label: metric.label.to_owned(),
            value: value.filter(|value| value.is_finite()),
            uom: metric.uom,
            thresholds,
            min: metric.min,
            max: metric.max,
        }
    }

    /// The warning and critical ranges as canonical text.
    #[must_use]
    pub fn ranges(&self) -> [Option<String>; 2] {
        [self.thresholds.warning, self.thresholds.critical]
            .map(|range| range.map(|range| range.canonical(self.min)))
    }

    /// `label=value[UOM][;warn[;crit[;min[;max]]]]` with trailing semicolons dropped.
    #[must_use]
    pub fn render(&self, label: &str) -> String {
        let mut text = quote_label(label);
        text.push('=');
        match self.value {
            Some(value) => {
                text.push_str(&format_number(value));
                text.push_str(self.uom.suffix());
            }
            // An unknown value carries no unit: engines read `Us` as a unit of its own.
            None => text.push('U'),
        }
        let [warning, critical] = self.ranges();
        let bound = |bound: Option<f64>| bound.map(format_number);
        let mut tail = String::new();
        for field in [warning, critical, bound(self.min), bound(self.max)] {
            tail.push(';');
            tail.push_str(&field.unwrap_or_default());
        }
        text.push_str(tail.trim_end_matches(';'));
        text
    }
}

/// Makes the labels of a report legal and distinct: forbidden characters replaced, an
/// empty one named, repeated ones numbered.
#[must_use]
pub fn distinct_labels<'a>(labels: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut taken: Vec<String> = Vec::new();
    for label in labels {
        let base = legal_label(label);
        let mut candidate = base.clone();
        let mut number = 2u32;
        while taken.contains(&candidate) {
            candidate = format!("{base}_{number}");
            number += 1;
        }
        taken.push(candidate);
    }
    taken
}

/// `'` and `=` end a label early, `|` starts perfdata, and Icinga takes `::` for the
/// prefix of a nested check; controls and bidi marks go the way of all foreign text.
fn legal_label(label: &str) -> String {
    let cleaned = super::clean(label).replace(['\'', '='], "_").replace("::", "__");
    let trimmed = cleaned.trim();
    if trimmed.is_empty() { "unnamed".to_owned() } else { trimmed.to_owned() }
}

fn quote_label(label: &str) -> String {
    let plain = label.bytes().all(|b| b.is_ascii_alphanumeric() || b"_./:%@+-".contains(&b));
    if plain { label.to_owned() } else { format!("'{label}'") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LAG: Metric = Metric::seconds("lag", "how far behind");

    fn thresholds(warning: &str, critical: &str) -> Thresholds {
        Thresholds { warning: Some(warning.parse().unwrap()), critical: Some(critical.parse().unwrap()) }
    }

    fn one(label: &str) -> String {
        distinct_labels([label]).remove(0)
    }

    #[test]
    fn renders_the_documented_forms() {
        let perf = Perfdata::new(&LAG, Some(1.5), thresholds("~:10", "@20:30"));
        assert_eq!(perf.render("lag"), "lag=1.5s;10;@20:30;0");
        assert_eq!(Perfdata::new(&LAG, None, Thresholds::default()).render("lag"), "lag=U;;;0");
        let days = Metric::number("days", "days left");
        assert_eq!(Perfdata::new(&days, Some(-3.0), Thresholds::default()).render("days"), "days=-3");
        assert_eq!(Perfdata::new(&days, Some(f64::NAN), Thresholds::default()).render("days"), "days=U");
    }

    #[test]
    fn labels_are_made_legal_and_distinct() {
        assert_eq!(one("it's"), "it_s");
        assert_eq!(one("a=b|c"), "a_b/c");
        assert_eq!(one("2001:db8::1"), "2001:db8__1");
        assert_eq!(one(""), "unnamed");
        assert_eq!(distinct_labels(["x", "x", "x_2", "x"]), ["x", "x_2", "x_2_2", "x_3"]);
        assert_eq!(quote_label("a b"), "'a b'");
        assert_eq!(quote_label("mx1.example:25"), "mx1.example:25");
    }

    #[test]
    fn numbers_are_plain() {
        for (value, want) in [
            (0.0, "0"),
            (-0.0, "0"),
            (1e-9, "0"),
            (-1e-9, "0"),
            (1.0, "1"),
            (0.1, "0.1"),
            (100.0, "100"),
            (1e15, "1000000000000000"),
        ] {
            assert_eq!(format_number(value), want);
        }
    }

    proptest! {
        #[test]
        fn numbers_read_back(value in -1e12..1e12f64) {
            let text = format_number(value);
            prop_assert!(!text.contains(['e', 'E']) && text != "-0");
            prop_assert!((text.parse::<f64>().unwrap() - value).abs() <= 5.1e-7 + value.abs() * 1e-15);
        }

        #[test]
        fn no_label_can_break_out(label in any::<String>()) {
            let label = one(&label);
            prop_assert!(!label.is_empty());
            prop_assert!(!label.contains(['\'', '=', '|', '\n']) && !label.contains("::"));
        }
    }
}
