//! What the name servers and the mail servers said: plain data, judged later.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use common::net::ProbeError;
use common::net::dns::{Ask, Reply};
use common::proto::dns::{Data, Kind, Outcome};
use common::proto::smtp::Said as Greeting;
use serde::{Deserialize, Serialize};

use crate::host_name::listed;

/// What the probe saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// The resolvers that were asked independently of each other.
    pub(crate) resolvers: Vec<String>,
    /// The names of the command line, and the types of their addresses that were asked for.
    pub(crate) hosts: Vec<String>,
    pub(crate) kinds: Vec<Kind>,
    /// The addresses to judge.
    pub(crate) addresses: Vec<SeenAddress>,
    /// Every question with its answer.
    pub(crate) looks: Vec<Look>,
    /// The deadline passed before all was answered.
    pub(crate) cut_short: Option<ProbeError>,
}

/// An address to judge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SeenAddress {
    pub(crate) address: IpAddr,
    /// The names of the command line that have it; none when it was given as it is.
    pub(crate) of: Vec<String>,
    /// The name that holds its PTR record.
    pub(crate) reverse: String,
    /// The mail server there, with `--smtp`.
    pub(crate) banner: Option<Banner>,
}

/// A question asked of one resolver.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Look {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) resolver: usize,
    pub(crate) said: Said,
    /// The names that CNAME records led to.
    pub(crate) aliases: Vec<String>,
    /// Seconds until the answer.
    pub(crate) time: Option<f64>,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Said {
    /// PTR records, in order and each once.
    Names(Vec<String>),
    /// A or AAAA records, in order and each once.
    Addresses(Vec<IpAddr>),
    /// NXDOMAIN
    NxDomain,
    /// NODATA
    NoData,
    /// No answer, and why.
    Nothing(String),
}

/// What a mail server said first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Banner {
    pub(crate) server: SocketAddr,
    pub(crate) greeting: Option<Greeting>,
    /// Why there is none.
    pub(crate) failure: Option<ProbeError>,
    /// Seconds of the steps that were finished.
    pub(crate) connect: Option<f64>,
    pub(crate) wait: Option<f64>,
    /// The dialogue.
    pub(crate) transcript: Vec<String>,
}

impl Look {
    pub(crate) fn new(ask: &Ask, reply: &Reply) -> Self {
        Self {
            name: ask.question.name.to_string(),
            kind: ask.question.kind,
            resolver: ask.upstream,
            said: Said::from_reply(reply),
            aliases: reply.answer.aliases.clone(),
            time: reply.time.map(|time| time.as_secs_f64()),
        }
    }

    pub(crate) const fn is_answer(&self) -> bool {
        self.said.is_answer()
    }
}

impl Said {
    /// Records come in any order; here always in the same one.
    pub(crate) fn from_reply(reply: &Reply) -> Self {
        match reply.outcome() {
            Outcome::NxDomain => Self::NxDomain,
            Outcome::NoData => Self::NoData,
            Outcome::Records(records) => {
                let names = records.iter().filter_map(|record| match &record.data {
                    Data::Ptr(name) => Some(name.clone()),
                    _ => None,
                });
                let addresses = records.iter().filter_map(|record| record.data.address());
                let (names, addresses) = (in_order(names.collect()), in_order(addresses.collect()));
                if names.is_empty() { Self::Addresses(addresses) } else { Self::Names(names) }
            }
            other => Self::Nothing(other.to_string()),
        }
    }

    pub(crate) const fn is_answer(&self) -> bool {
        !matches!(self, Self::Nothing(_))
    }

    /// Whether there was no answer in time, and no other cause.
    pub(crate) fn is_timeout(&self) -> bool {
        matches!(self, Self::Nothing(why) if *why == Outcome::Timeout.to_string())
    }

    pub(crate) fn names(&self) -> &[String] {
        match self {
            Self::Names(names) => names,
            _ => &[],
        }
    }

    pub(crate) fn addresses(&self) -> &[IpAddr] {
        match self {
            Self::Addresses(addresses) => addresses,
            _ => &[],
        }
    }
}

pub(crate) fn in_order<T: Ord>(mut items: Vec<T>) -> Vec<T> {
    items.sort_unstable();
    items.dedup();
    items
}

/// Records of one answer that a sentence shows.
const SHOWN: usize = 5;

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Names(names) => f.write_str(&listed(names)),
            Self::Addresses(addresses) => {
                let shown: Vec<String> = addresses.iter().map(ToString::to_string).collect();
                f.write_str(&common::report::some(&shown, SHOWN))
            }
            Self::NxDomain => f.write_str("NXDOMAIN"),
            Self::NoData => f.write_str("NODATA"),
            Self::Nothing(why) => f.write_str(why),
        }
    }
}
