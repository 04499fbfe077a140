//! What the lists said: plain data, judged later.

use std::fmt;
use std::net::Ipv4Addr;

use common::net::ProbeError;
use common::proto::dns::{Answer, Data, Outcome};
use serde::{Deserialize, Serialize};

use crate::list::{Kind, List, Subject};

/// What the probe saw. Numbers in the parts are places in the lists here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    pub(crate) lists: Vec<List>,
    /// The resolvers that were asked independently of each other.
    pub(crate) resolvers: Vec<String>,
    pub(crate) targets: Vec<SeenTarget>,
    pub(crate) tests: Vec<Test>,
    pub(crate) looks: Vec<Look>,
    /// Questions sent or to be sent, and those a second, for runs that have to wait for that.
    pub(crate) questions: usize,
    pub(crate) rate: Option<u32>,
    /// The deadline passed before all was answered.
    pub(crate) cut_short: Option<ProbeError>,
}

/// A target and whom the lists are asked about for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SeenTarget {
    pub(crate) name: String,
    pub(crate) subjects: Vec<Subject>,
    /// Why there are no addresses, or not all of them.
    pub(crate) problem: Option<String>,
    /// Lists that fit none of the subjects.
    pub(crate) unfit: usize,
}

/// The test points of a list, asked of one resolver.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Test {
    pub(crate) list: usize,
    pub(crate) kind: Kind,
    pub(crate) resolver: usize,
    /// Must be listed.
    pub(crate) inside: Said,
    /// Must not be.
    pub(crate) outside: Said,
}

/// A subject looked up in a list through one resolver.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Look {
    pub(crate) target: usize,
    pub(crate) subject: usize,
    pub(crate) list: usize,
    pub(crate) resolver: usize,
    pub(crate) said: Said,
    /// Seconds until the answer.
    pub(crate) time: Option<f64>,
    /// The list's own words on a listing.
    pub(crate) reason: Option<String>,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Said {
    /// Addresses, that is: codes.
    Codes(Vec<Ipv4Addr>),
    /// NXDOMAIN
    NxDomain,
    /// NODATA
    NoData,
    /// No answer, and why.
    Nothing(String),
    /// Not asked.
    NotAsked,
}

impl Said {
    /// What an answer says. From a list's own servers only an authoritative one counts.
    pub(crate) fn from_answer(answer: &Answer, authoritative: bool) -> Self {
        let answered = answer.outcome.is_answer();
        if answered && authoritative && !answer.authoritative {
            return Self::Nothing("answer is not authoritative".to_owned());
        }
        match &answer.outcome {
            Outcome::NxDomain => Self::NxDomain,
            Outcome::NoData => Self::NoData,
            Outcome::Records(records) => Self::Codes(
                records
                    .iter()
                    .filter_map(|record| match record.data {
                        Data::A(code) => Some(code),
                        _ => None,
                    })
                    .collect(),
            ),
            Outcome::NotAsked => Self::NotAsked,
            other => Self::Nothing(other.to_string()),
        }
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Codes(codes) => {
                let shown: Vec<String> = codes.iter().take(8).map(ToString::to_string).collect();
                let more = if codes.len() > 8 { ", ..." } else { "" };
                write!(f, "{}{more}", shown.join(", "))
            }
            Self::NxDomain => f.write_str("NXDOMAIN"),
            Self::NoData => f.write_str("NODATA"),
            Self::Nothing(why) => f.write_str(why),
            Self::NotAsked => f.write_str("not asked"),
        }
    }
}
