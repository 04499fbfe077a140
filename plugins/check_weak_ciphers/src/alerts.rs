//! Names of alerts: the IANA registry "TLS Alerts", made by `build.rs` from `data/alerts.csv`.

include!(concat!(env!("OUT_DIR"), "/alerts.rs"));

// Those that a scan draws conclusions from (RFC 8446 section 6.2, RFC 5246 section 7.2, RFC 7507 section 2).
pub(crate) const UNEXPECTED_MESSAGE: u8 = 10;
pub(crate) const HANDSHAKE_FAILURE: u8 = 40;
pub(crate) const ILLEGAL_PARAMETER: u8 = 47;
pub(crate) const PROTOCOL_VERSION: u8 = 70;
pub(crate) const INSUFFICIENT_SECURITY: u8 = 71;
pub(crate) const INTERNAL_ERROR: u8 = 80;
pub(crate) const INAPPROPRIATE_FALLBACK: u8 = 86;
pub(crate) const MISSING_EXTENSION: u8 = 109;
pub(crate) const UNRECOGNIZED_NAME: u8 = 112;

/// The name of an alert: `handshake_failure`.
pub(crate) fn alert_name(code: u8) -> Option<&'static str> {
    ALERTS.iter().find(|(known, _)| *known == code).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(alert_name(40), Some("handshake_failure"));
        assert_eq!(alert_name(70), Some("protocol_version"));
        assert_eq!(alert_name(112), Some("unrecognized_name"));
        assert_eq!(alert_name(255), None);
        assert!(ALERTS.is_sorted_by(|a, b| a.0 < b.0));
    }
}
