//! What servers say in words only: attempts left, a full disk.

use serde::{Deserialize, Serialize};

/// The attempts of a replica to reach its source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Retries {
    /// The attempt that failed last, from 1.
    pub attempt: Option<u64>,
    /// After this one it stops for good.
    pub of: Option<u64>,
    /// Seconds between two.
    pub interval_seconds: Option<f64>,
}

impl Retries {
    /// Reads the attempts from an error text. Newer servers count `attempt 7/10, with a delay of 60
    /// seconds`, older ones `retry-time: 60 retries: 7`, MariaDB names only `maximum-retries: 100000`.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let (attempt, of) = match after(text, "attempt ") {
            Some(rest) => (leading(rest), rest.split_once('/').and_then(|(_, of)| leading(of))),
            None => (
                after(text, " retries:").and_then(leading),
                after(text, "maximum-retries:").and_then(leading),
            ),
        };
        let interval = after(text, "delay of ").or_else(|| after(text, "retry-time:")).and_then(leading);
        Self { attempt, of, interval_seconds: interval.map(seconds) }
    }

    /// With what the status says where the text says nothing.
    #[must_use]
    pub fn or(self, interval_seconds: Option<f64>, of: Option<u64>) -> Self {
        Self {
            attempt: self.attempt,
            // No limit is written as 0.
            of: self.of.or(of).filter(|of| *of > 0),
            interval_seconds: self.interval_seconds.or(interval_seconds),
        }
    }

    /// Seconds until it stops for good.
    #[must_use]
    pub fn gives_up_in_seconds(&self) -> Option<f64> {
        Some(seconds(self.of?.saturating_sub(self.attempt?)) * self.interval_seconds?)
    }

    /// Whether the last attempt has failed.
    #[must_use]
    pub fn are_used_up(&self) -> bool {
        matches!((self.attempt, self.of), (Some(attempt), Some(of)) if attempt >= of)
    }
}

/// Whether a thread waits for room on a disk.
#[must_use]
pub fn is_disk_full(state: &str) -> bool {
    let state = state.to_ascii_lowercase();
    state.contains("disk space") || state.contains("free space") || state.contains("free some space")
}

fn after<'a>(text: &'a str, marker: &str) -> Option<&'a str> {
    text.split_once(marker).map(|(_, rest)| rest)
}

fn leading(text: &str) -> Option<u64> {
    let text = text.trim_start();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.get(..end)?.parse().ok()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "seconds and attempts stay far below 2^53, or are absurd anyway"
)]
fn seconds(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> (Option<u64>, Option<u64>, Option<f64>) {
        let retries = Retries::read(text);
        (retries.attempt, retries.of, retries.interval_seconds)
    }

    #[test]
    fn attempts_are_read_in_each_dialect() {
        let new = "Error reconnecting to source 'repl@127.0.0.1:3306'. This was attempt 7/10, with a delay of 60 \
                   seconds between attempts. Message: Can't connect to MySQL server on '127.0.0.1:3306' (111)";
        assert_eq!(read(new), (Some(7), Some(10), Some(60.0)));
        let old = "error connecting to master 'repl@h:3306' - retry-time: 60  retries: 2";
        assert_eq!(read(old), (Some(2), None, Some(60.0)));
        let mariadb = "error connecting to master 'repl@h:3306' - retry-time: 5  maximum-retries: 100000  \
                       message: Can't connect";
        assert_eq!(read(mariadb), (None, Some(100_000), Some(5.0)));
        assert_eq!(read("Access denied"), (None, None, None));
        assert_eq!(read("attempt /"), (None, None, None));
    }

    #[test]
    fn time_left_is_known_only_with_all_three_numbers() {
        let known = Retries { attempt: Some(3), of: Some(10), interval_seconds: Some(5.0) };
        assert_eq!(known.gives_up_in_seconds(), Some(35.0));
        assert!(!known.are_used_up() && Retries { attempt: Some(10), ..known }.are_used_up());
        let unlimited = Retries { attempt: Some(3), of: None, interval_seconds: None }.or(Some(5.0), Some(0));
        assert_eq!((unlimited.of, unlimited.gives_up_in_seconds()), (None, None));
        let from_row = Retries { attempt: Some(3), of: None, interval_seconds: None }.or(Some(5.0), Some(4));
        assert_eq!(from_row.gives_up_in_seconds(), Some(5.0));
    }

    #[test]
    fn a_full_disk_is_told_in_several_ways() {
        for state in ["Waiting for disk space", "Waiting for someone to free space", "WAITING FOR DISK SPACE"]
        {
            assert!(is_disk_full(state), "{state}");
        }
        assert!(!is_disk_full("Waiting for source to send event"));
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "(attempt |retries: |/|[0-9]{0,24}|delay of |\\PC){0,12}") {
            let _ = Retries::read(&text).or(Some(f64::MAX), Some(u64::MAX)).gives_up_in_seconds();
        }
    }
}
