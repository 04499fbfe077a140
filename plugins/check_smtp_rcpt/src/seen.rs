//! The observation: who should take the mail, and what each of them said. No judgement.

use std::net::SocketAddr;

use common::net::ProbeError;
use common::net::dns::Route;
use common::net::smtp::{Opening, Stop};
use common::proto::smtp::Said;
use serde::{Deserialize, Serialize};

/// All a run showed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// How the hosts were found.
    pub(crate) source: Source,
    /// The hosts, the most preferred first.
    pub(crate) hosts: Vec<Host>,
    /// One for each address that was asked, in the order of the hosts.
    pub(crate) visits: Vec<Visit>,
}

/// How the hosts were found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Source {
    /// The operator named them.
    Given,
    /// The domain of the recipient is an address.
    Literal,
    /// In DNS.
    Dns {
        domain: String,
        route: Route,
        /// Who was believed.
        resolver: String,
        /// What other resolvers have to say.
        dissent: Vec<String>,
    },
}

/// A host that should take the mail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Host {
    pub(crate) name: String,
    /// Lower is tried first: the preference in DNS, or the place on the command line.
    pub(crate) level: usize,
    pub(crate) addresses: Vec<SocketAddr>,
    /// Why there are no addresses, or not all of them.
    pub(crate) gap: Option<Gap>,
}

/// What is missing of a host's addresses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Gap {
    /// It has none.
    NoAddress,
    /// What stands in its place is not the name of a host.
    NotAHost(String),
    /// None of the family that is allowed.
    OtherFamily,
    /// A question without an answer.
    Unanswered(String),
    /// The name the operator gave does not resolve.
    Unresolved(ProbeError),
    /// There are more than are looked up.
    LeftOut,
}

/// What one address showed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Visit {
    pub(crate) address: SocketAddr,
    /// From connect to EHLO.
    pub(crate) opening: Opening,
    /// What came of the recipient.
    pub(crate) end: End,
    /// What came of somebody who does not exist.
    pub(crate) stranger: Option<End>,
    /// Seconds from connect to the answer to RCPT.
    pub(crate) time: Option<f64>,
}

/// What came of a recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum End {
    /// The answer to RCPT.
    Answered(Said),
    /// It was not asked for: the server does not take such addresses.
    NoSmtpUtf8,
    /// The conversation did not come to it.
    Stopped(Stop),
}

impl End {
    /// Whether the dialogue can go on.
    pub(crate) const fn leaves_dialogue_intact(&self) -> bool {
        match self {
            // The server closes behind 421 (RFC 5321 section 3.8).
            Self::Answered(said) => said.code != 421,
            Self::NoSmtpUtf8 => true,
            Self::Stopped(stop) => stop.leaves_dialogue_intact(),
        }
    }
}

impl Host {
    /// Whether it is one of those that are asked: with `-4` a host without IPv4 is not.
    pub(crate) fn counts(&self) -> bool {
        self.gap != Some(Gap::OtherFamily)
    }
}

impl Seen {
    /// The visit to an address; none when there were too many.
    pub(crate) fn visit(&self, address: SocketAddr) -> Option<&Visit> {
        self.visits.iter().find(|visit| visit.address == address)
    }
}
