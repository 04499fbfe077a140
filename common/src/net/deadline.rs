//! The one deadline of a run, and what was being done when it passed.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::error::ProbeError;

/// What a check is doing; the words operators read in `timeout after 10 s while ...`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// Before any I/O: reading options and secret files.
    Starting,
    /// Name look-up of the target.
    Resolving,
    /// TCP connect.
    Connecting,
    /// Connected, the server has to speak first.
    WaitingForBanner,
    /// EHLO and what else comes before the work.
    Greeting,
    /// TLS handshake.
    NegotiatingTls,
    /// SASL exchange or login.
    Authenticating,
    /// Asking the question.
    Querying,
    /// Reading the answer.
    Receiving,
    /// Going through a range of addresses.
    Sweeping,
}

impl Phase {
    const ALL: [Self; 10] = [
        Self::Starting,
        Self::Resolving,
        Self::Connecting,
        Self::WaitingForBanner,
        Self::Greeting,
        Self::NegotiatingTls,
        Self::Authenticating,
        Self::Querying,
        Self::Receiving,
        Self::Sweeping,
    ];

    /// The words for a sentence.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Resolving => "resolving",
            Self::Connecting => "connecting",
            Self::WaitingForBanner => "waiting for the banner",
            Self::Greeting => "greeting",
            Self::NegotiatingTls => "negotiating TLS",
            Self::Authenticating => "authenticating",
            Self::Querying => "querying",
            Self::Receiving => "receiving",
            Self::Sweeping => "sweeping",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

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
    fn every_phase_survives_its_number() {
        let deadline = Deadline::new(Instant::now(), Duration::from_secs(1));
        for phase in Phase::ALL {
            deadline.enter(phase);
            assert_eq!(deadline.phase(), phase);
        }
    }
}
