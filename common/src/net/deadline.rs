//! The one deadline of a run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use super::error::ProbeError;
use super::phase::Phase;

/// The end of a run, shared by all its threads, and the phase it is in.
#[derive(Clone, Debug)]
pub struct Deadline {
    started: Instant,
    limit: Duration,
    phase: Arc<AtomicU8>,
}

impl Deadline {
    /// A deadline `limit` after `started`.
    #[must_use]
    pub fn new(started: Instant, limit: Duration) -> Self {
        Self { started, limit, phase: Arc::new(AtomicU8::new(Phase::Starting as u8)) }
    }

    /// The whole time allowed.
    #[must_use]
    pub const fn limit(&self) -> Duration {
        self.limit
    }

    /// Time since the start of the run.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Time left, zero when none is.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.limit.saturating_sub(self.elapsed())
    }

    /// Time left, or the timeout error of the present phase.
    pub fn remaining(&self) -> Result<Duration, ProbeError> {
        let left = self.left();
        if left.is_zero() { Err(self.timeout()) } else { Ok(left) }
    }

    /// Enters a phase.
    pub fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    /// The present phase.
    #[must_use]
    pub fn phase(&self) -> Phase {
        let stored = self.phase.load(Ordering::Relaxed);
        Phase::ALL.into_iter().find(|phase| *phase as u8 == stored).unwrap_or(Phase::Starting)
    }

    /// The same end with a phase of its own, for work that goes on beside other work.
    #[must_use]
    pub fn apart(&self) -> Self {
        Self { phase: Arc::new(AtomicU8::new(self.phase() as u8)), ..self.clone() }
    }

    /// The same start with an earlier end, for a step that must not use up the run.
    #[must_use]
    pub fn shortened(&self, limit: Duration) -> Self {
        Self { limit: limit.min(self.limit), ..self.clone() }
    }

    /// The error that says the deadline passed.
    #[must_use]
    pub fn timeout(&self) -> ProbeError {
        ProbeError::timeout(self.phase(), self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Trouble;

    #[test]
    fn a_passed_deadline_names_the_phase() {
        let deadline = Deadline::new(Instant::now(), Duration::ZERO);
        deadline.enter(Phase::NegotiatingTls);
        let error = deadline.remaining().unwrap_err();
        assert_eq!(error.trouble, Trouble::Timeout);
        assert_eq!(error.to_string(), "timeout after 0 s while negotiating TLS");
    }

    #[test]
    fn work_apart_has_a_phase_of_its_own() {
        let whole = Deadline::new(Instant::now(), Duration::from_secs(1));
        whole.enter(Phase::Connecting);
        let part = whole.apart();
        assert_eq!(part.phase(), Phase::Connecting);
        part.enter(Phase::WaitingForBanner);
        assert_eq!((whole.phase(), part.limit()), (Phase::Connecting, whole.limit()));
    }

    #[test]
    fn every_phase_survives_its_number() {
        let deadline = Deadline::new(Instant::now(), Duration::from_secs(1));
        for phase in Phase::ALL {
            deadline.enter(phase);
            assert_eq!(deadline.phase(), phase);
        }
    }
}
