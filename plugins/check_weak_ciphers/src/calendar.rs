//! Unix time as people and documents write it.

const DAY: i64 = 86_400;

/// `2026-11-21T17:30:57Z` (RFC 3339), in UTC.
pub(crate) fn timestamp(unix: i64) -> String {
    let second = unix.rem_euclid(DAY);
    format!("{}T{:02}:{:02}:{:02}Z", date(unix), second / 3600, second / 60 % 60, second % 60)
}

/// `2026-11-21`, in UTC.
pub(crate) fn date(unix: i64) -> String {
    // From the calendar's own cycle of 400 years, whose years begin in March so that a leap day ends one.
    let day = unix.div_euclid(DAY) + DAYS_BEFORE_1970;
    let (cycle, day) = (day.div_euclid(DAYS_OF_CYCLE), day.rem_euclid(DAYS_OF_CYCLE));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    format!("{:04}-{month:02}-{day:02}", cycle * 400 + year + later)
}

/// From the first of March of the year 0.
const DAYS_BEFORE_1970: i64 = 719_468;
const DAYS_OF_CYCLE: i64 = 146_097;

#[cfg(test)]
mod tests {
    use super::{date, timestamp};

    #[test]
    fn dates_as_date_1_says() {
        for (unix, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (1_795_282_257, "2026-11-21T17:30:57Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
            (-62_167_219_200, "0000-01-01T00:00:00Z"),
        ] {
            assert_eq!(timestamp(unix), expected);
            assert!(expected.starts_with(&date(unix)));
        }
        // No certificate's date is too far.
        for unix in [i64::MIN, i64::MAX] {
            assert!(!timestamp(unix).is_empty());
        }
    }

    /// A day has one successor, over four centuries.
    #[test]
    fn days_follow_each_other() {
        let days: Vec<String> = (0..146_097).map(|day| date(day * 86_400)).collect();
        assert!(days.is_sorted() && days.windows(2).all(|pair| pair[0] != pair[1]));
        assert_eq!(days.last().map(String::as_str), Some("2369-12-31"));
    }
}
