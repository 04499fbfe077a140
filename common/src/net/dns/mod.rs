//! Questions to chosen name servers, many at once, each told how it ended.
//!
//! Why not hickory's resolver: it caches, retries and folds errors for programs that want an
//! address; a check wants to know what each server said
//! (docs/adr/0013-dns-with-our-own-socket-loop.md).

mod authority;
mod exchange;
mod exchangers;
mod servers;
mod tcp;
mod udp;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Deadline, Family, ProbeError};
use crate::proto::dns::{Answer, Kind, Outcome, Question};

pub use authority::{Above, Delegation, NameServer, Resolver, Word, ZoneServer, delegation, zone_servers};
pub use exchangers::{
    Exchanger, Exchangers, Lookup, MAX_ADDRESSES, MAX_HOSTS, Mx, Route, Target, exchangers, mx_records,
};
pub use servers::{Upstream, parse_server, system_servers};

/// How questions are sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How long one try may take.
    pub query_timeout: Duration,
    /// Tries for each question, at least one; each goes to the next server of the upstream.
    pub tries: u32,
    /// Questions on the way at a time.
    pub window: usize,
    /// Questions a second, after a first burst of one window; `None` for no limit.
    pub rate: Option<u32>,
    /// Our address, if it matters.
    pub source: Option<IpAddr>,
    /// Records kept of one answer; the others are counted.
    pub most_records: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            query_timeout: Duration::from_secs(2),
            tries: 2,
            window: 512,
            rate: None,
            source: None,
            most_records: usize::MAX,
        }
    }
}

/// A question for an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The question.
    pub question: Question,
    /// Index of the upstream that is asked.
    pub upstream: usize,
    /// Whether the server shall ask others (RD).
    pub recurse: bool,
}

/// How a question ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// What came of it.
    pub answer: Answer,
    /// The server that answered, or was asked last.
    pub server: Option<SocketAddr>,
    /// From the first packet to the answer.
    pub time: Option<Duration>,
}

impl Reply {
    /// What came of it.
    #[must_use]
    pub const fn outcome(&self) -> &Outcome {
        &self.answer.outcome
    }

    const fn without_answer(outcome: Outcome, server: Option<SocketAddr>) -> Self {
        Self { answer: Answer::bare(outcome), server, time: None }
    }
}

/// The types that have the addresses of a name.
#[must_use]
pub const fn address_kinds(family: Family) -> &'static [Kind] {
    match family {
        Family::Any => &[Kind::A, Kind::Aaaa],
        Family::V4 => &[Kind::A],
        Family::V6 => &[Kind::Aaaa],
    }
}

/// Asks all questions at once, within the window and the rate, and waits until each has
/// its answer or has used up its tries, or the deadline passed. The replies come in the
/// order of the questions.
///
/// Ids are random, ports are the kernel's choice, and an answer counts only when server,
/// port, id and question are those of the query. A truncated answer is asked for again
/// over TCP. An error is one of ours: no socket, no random numbers.
pub fn ask_all(
    asks: &[Ask],
    upstreams: &[Upstream],
    settings: &Settings,
    deadline: &Deadline,
) -> Result<Vec<Reply>, ProbeError> {
    exchange::Exchange::new(asks, upstreams, settings, deadline)?.run()
}
