//! Thresholds and quantities: what is accepted is finite where it says so, and its canonical
//! text means the same.

use std::time::Duration;

use common::report::{Range, Seconds, TimeRange, parse_size};

/// The target.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(range) = text.parse::<Range>() {
        assert!(
            text.bytes().all(|byte| byte.is_ascii_digit() || b"@~:+-.insdemax".contains(&byte)),
            "{text:?} accepted"
        );
        check(range);
    }
    if let Ok(TimeRange(range)) = text.parse() {
        check(range);
    }
    if let Ok(Seconds(span)) = text.parse() {
        assert!(span > Duration::ZERO && span <= Duration::from_hours(24), "{text:?} is {span:?}");
    }
    if let Ok(size) = parse_size(text) {
        assert!((1..=1 << 30).contains(&size), "{text:?} is {size}");
    }
}

fn check(range: Range) {
    let shown = range.to_string();
    let again: Range = shown.parse().unwrap_or_else(|error| panic!("{shown:?} of {range:?}: {error}"));
    let canonical = again.to_string();
    assert_eq!(
        canonical.parse::<Range>().map(|range| range.to_string()).as_ref(),
        Ok(&canonical),
        "it stays"
    );
    assert!(range.alerts(f64::NAN), "no number is never fine");
    // Text has six decimals: a range with more of them is rounded in it.
    if again == range {
        let for_counts = range.canonical(Some(0.0));
        let counts: Range = for_counts.parse().unwrap_or_else(|error| panic!("{for_counts:?}: {error}"));
        let limit = range.upper_limit().unwrap_or(1.0);
        for value in [0.0, 0.5, 1.0, 10.0, 1e9, limit, limit - 1.0, limit + 1.0] {
            assert_eq!(range.alerts(value), again.alerts(value), "{shown:?} at {value}");
            assert!(value < 0.0 || range.alerts(value) == counts.alerts(value), "{for_counts:?} at {value}");
        }
    }
}
