//! What is being done: in sentences, and where the deadline passed.

use std::fmt;

use serde::{Deserialize, Serialize};

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
    pub(super) const ALL: [Self; 10] = [
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
