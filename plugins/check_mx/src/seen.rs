//! What the servers said: plain data, judged later.

use std::net::SocketAddr;

use common::net::ProbeError;
use common::net::dns::{Delegation, Exchangers};
use common::net::smtp::Knock;
use common::proto::dns::Outcome;
use serde::{Deserialize, Serialize};

/// What the probe saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// The resolvers that were asked independently of each other, each with its answer.
    pub(crate) resolvers: Vec<Resolver>,
    /// The zone's own servers, if they were wanted.
    pub(crate) authority: Option<Authority>,
    /// The hosts, if connections were wanted.
    pub(crate) hosts: Option<Vec<Host>>,
    /// The deadline passed before all was answered.
    pub(crate) cut_short: Option<ProbeError>,
}

/// A resolver and what it says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Resolver {
    pub(crate) name: String,
    pub(crate) mail: Exchangers,
    /// The hosts in the order of a second answer, asked for where the order matters.
    pub(crate) again: Option<Vec<String>>,
}

/// The zone's own servers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Authority {
    pub(crate) delegation: Option<Delegation>,
    /// Why there is none.
    pub(crate) problem: Option<String>,
    /// The MX records by each address of each server, in their order.
    pub(crate) mail: Vec<(SocketAddr, Exchangers)>,
    /// The deadline passed before all of this was answered.
    #[serde(default)]
    pub(crate) cut_short: bool,
}

impl Authority {
    /// Whether a question has no answer because it was not asked, or not for long enough.
    pub(crate) fn is_open(&self, outcome: &Outcome) -> bool {
        *outcome == Outcome::NotAsked || (self.cut_short && *outcome == Outcome::Timeout)
    }
}

/// A host and what came of its addresses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) talks: Vec<Knock>,
    /// Addresses beyond those that are connected to.
    pub(crate) untried: usize,
}

impl Host {
    pub(crate) fn is_up(&self) -> bool {
        self.talks.iter().any(Knock::is_good)
    }
}
