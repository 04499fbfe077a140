//! Plain decimals, read and written without a locale.

/// Reads `[+-]?(digits[.digits]|.digits)`: no exponent, no `inf`, no blanks.
pub(super) fn parse_decimal(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = match unsigned.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (unsigned, None),
    };
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let shaped = match fraction {
        None => !whole.is_empty(),
        Some(fraction) => !fraction.is_empty() && digits(fraction),
    };
    if !shaped || !digits(whole) {
        return None;
    }
    let value: f64 = text.parse().ok()?;
    // A row of digits too long for a double would read as infinity and never alarm.
    value.is_finite().then_some(value)
}

/// Shortest decimal with at most six decimals: no exponent, no `-0`, a dot whatever the
/// locale.
#[must_use]
pub fn format_number(value: f64) -> String {
    let text = format!("{value:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}
