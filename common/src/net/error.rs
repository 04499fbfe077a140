//! Why a probe ended early. Plain data, so that an observation can hold it, be compared
//! and be saved: the system's own words are kept as text.

use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::phase::Phase;

/// The kind of failure; `common::plugin` gives each its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Trouble {
    /// Something of ours: a file, a privilege, an option.
    Local,
    /// The target's name does not resolve.
    Unresolved,
    /// Refused, unreachable, reset, closed early.
    Unreachable,
    /// The deadline passed.
    Timeout,
    /// The TLS handshake failed.
    Tls,
    /// The peer broke its protocol.
    Protocol,
    /// The peer refuses for now.
    Temporary,
    /// The peer refuses our credential, and logging in is not what is checked.
    Denied,
    /// The peer answers, but not with what was asked for.
    Incomplete,
    /// An error of this program.
    Internal,
}

/// A failure with the phase it came in and a sentence for the operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{text}")]
pub struct ProbeError {
    /// Its kind.
    pub trouble: Trouble,
    /// What was being done.
    pub phase: Phase,
    /// `cannot <verb> <object>: <cause>`.
    pub text: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Every address could be reached, and nothing listens there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
}

impl ProbeError {
    /// A failure of a kind in a phase.
    pub fn new(trouble: Trouble, phase: Phase, text: impl Into<String>) -> Self {
        Self { trouble, phase, text: text.into(), hint: None, refused: false }
    }

    /// A failure on our side, before or beside the network.
    pub fn local(text: impl Into<String>) -> Self {
        Self::new(Trouble::Local, Phase::Starting, text)
    }

    /// The same with advice.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The deadline passed in a phase.
    #[must_use]
    pub fn timeout(phase: Phase, limit: Duration) -> Self {
        let text = format!("timeout after {} s while {phase}", seconds(limit));
        Self::new(Trouble::Timeout, phase, text)
    }

    /// The peer ended the connection in the middle of the conversation.
    #[must_use]
    pub fn closed(phase: Phase) -> Self {
        Self::new(Trouble::Unreachable, phase, format!("connection closed by the server while {phase}"))
    }

    /// An error of a socket in use.
    #[must_use]
    pub fn from_io(error: &io::Error, phase: Phase, limit: Duration) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Self::timeout(phase, limit),
            io::ErrorKind::UnexpectedEof => Self::closed(phase),
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
                Self::new(
                    Trouble::Unreachable,
                    phase,
                    format!("connection reset by the server while {phase}"),
                )
            }
            _ => Self::new(
                Trouble::Unreachable,
                phase,
                format!("connection failed while {phase}: {}", cause(error)),
            ),
        }
    }
}

/// The system's words for an error, without the number Rust adds.
#[must_use]
pub fn cause(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text.get(..end).unwrap_or(&text).to_owned(),
        None => text,
    }
}

/// Seconds for a sentence: `10`, `2.5`.
#[must_use]
fn seconds(time: Duration) -> String {
    let text = format!("{:.3}", time.as_secs_f64());
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_the_systems_words() {
        assert_eq!(cause(&io::Error::from_raw_os_error(111)), "Connection refused");
    }

    #[test]
    fn socket_errors_become_sentences() {
        let from = |kind: io::ErrorKind| {
            ProbeError::from_io(&io::Error::from(kind), Phase::Greeting, Duration::from_millis(2500))
        };
        assert_eq!(from(io::ErrorKind::TimedOut).text, "timeout after 2.5 s while greeting");
        assert_eq!(from(io::ErrorKind::ConnectionReset).trouble, Trouble::Unreachable);
        assert_eq!(from(io::ErrorKind::UnexpectedEof).text, "connection closed by the server while greeting");
    }
}
