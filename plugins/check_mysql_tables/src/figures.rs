//! Figures of a report, and numbers for its sentences.

use common::report::{Metric, Perfdata, Range, Report, Thresholds, Uom};

pub(crate) const TABLES: Metric = Metric::count("tables", "tables that are meant");
pub(crate) const CHECKED: Metric = Metric::count("checked", "tables with a result in this run");
pub(crate) const CORRUPT: Metric = Metric::count("corrupt", "tables that are damaged");
pub(crate) const WARNINGS: Metric = Metric::count("warnings", "tables that are whole but were not closed");
pub(crate) const SKIPPED: Metric = Metric::count("skipped", "tables without a result in this run");
pub(crate) const OLDEST_AGE: Metric =
    Metric::seconds("oldest_age", "since the oldest check of a table; not with --level state and --offline");
pub(crate) const FREE: Metric = Metric {
    label: "free",
    uom: Uom::Percent,
    help: "free part of the file system, with --offline",
    min: Some(0.0),
    max: Some(100.0),
};

/// What was counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    pub(crate) tables: usize,
    pub(crate) checked: usize,
    pub(crate) damaged: usize,
    pub(crate) warned: usize,
    pub(crate) skipped: usize,
    /// Seconds since the oldest check.
    pub(crate) oldest: Option<u64>,
    /// Whether checks are remembered at all.
    pub(crate) has_ages: bool,
    /// Free per cent, where files are looked at, and the limit.
    pub(crate) free: Option<(Option<f64>, f64)>,
}

impl Counts {
    pub(crate) fn record(&self, report: &mut Report) {
        for (metric, number) in [
            (&TABLES, self.tables),
            (&CHECKED, self.checked),
            (&CORRUPT, self.damaged),
            (&WARNINGS, self.warned),
            (&SKIPPED, self.skipped),
        ] {
            report.record(metric, Some(as_figure(u64::try_from(number).unwrap_or(u64::MAX))));
        }
        if self.has_ages {
            report.record(&OLDEST_AGE, self.oldest.map(as_figure));
        }
        if let Some((free, limit)) = self.free {
            let warning = Some(Range::outside(limit, f64::INFINITY));
            report.push(Perfdata::new(&FREE, free, Thresholds { warning, critical: None }));
        }
    }
}

/// Beyond 2^53 the last digits are of no interest to anybody.
#[expect(clippy::cast_precision_loss, reason = "counts and sizes far below 2^53")]
pub(crate) fn as_figure(number: u64) -> f64 {
    number as f64
}

/// `1 table`, `2 tables`.
pub(crate) fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// A span of time in its largest whole unit: `3 d`, `45 s`.
pub(crate) fn span(seconds: u64) -> String {
    let (unit, name) = match seconds {
        172_800.. => (86_400, "d"),
        7200.. => (3600, "h"),
        120.. => (60, "min"),
        _ => (1, "s"),
    };
    format!("{} {name}", seconds / unit)
}

/// A size with one decimal: `1.5 GiB`.
pub(crate) fn size(bytes: u64) -> String {
    let units = [("GiB", 1u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match units.iter().find(|(_, unit)| bytes >= *unit) {
        Some((name, unit)) => format!("{:.1} {name}", as_figure(bytes) / as_figure(*unit)),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        assert_eq!([span(5), span(125), span(7300), span(259_200)], ["5 s", "2 min", "2 h", "3 d"]);
        assert_eq!([size(12), size(2048), size(3 << 30)], ["12 B", "2.0 KiB", "3.0 GiB"]);
        assert_eq!([count(1, "table"), count(0, "table")], ["1 table", "0 tables"]);
    }
}
