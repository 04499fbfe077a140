//! Numbers in sentences.

use common::report::format_number;

/// Whole seconds, or tenths below ten.
pub(super) fn span(seconds: f64) -> String {
    let rounded = if seconds.abs() < 10.0 { (seconds * 10.0).round() / 10.0 } else { seconds.round() };
    format!("{} s", format_number(rounded))
}

/// `1 channel`, `2 channels`.
pub(super) fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[expect(clippy::cast_precision_loss, reason = "perfdata are doubles, and such numbers are absurd anyway")]
pub(super) fn number(whole: u64) -> f64 {
    whole as f64
}
