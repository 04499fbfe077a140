//! How far a long run is, for somebody who waits at a terminal. Monitoring engines see nothing of it.

use std::io::{IsTerminal, Write, stderr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// One line that is written over and over, and is gone at the end.
#[derive(Debug)]
pub struct Progress {
    place: String,
    /// When the line was written; `None` where nobody looks.
    shown: Option<Mutex<Option<Instant>>>,
}

/// Between two writings.
const INTERVAL: Duration = Duration::from_millis(100);
/// Back to the begin of the line, and erase it (ECMA-48, EL).
const CLEAR: &str = "\r\x1b[K";

impl Progress {
    /// Of what is done at a place; shown only where it is wanted and standard error is a terminal.
    #[must_use]
    pub fn new(place: String, is_wanted: bool) -> Self {
        let shown = (is_wanted && stderr().is_terminal()).then(Mutex::default);
        Self { place, shown }
    }

    /// Writes how far it is, not too often.
    pub fn show(&self, how_far: impl FnOnce() -> String) {
        let Some(shown) = &self.shown else { return };
        let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
        if shown.is_none_or(|at| at.elapsed() >= INTERVAL) {
            *shown = Some(Instant::now());
            // Who cannot be shown it misses nothing.
            let _ = write!(stderr(), "{CLEAR}{}: {}", self.place, how_far());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.is_some() {
            let _ = write!(stderr(), "{CLEAR}");
        }
    }
}
