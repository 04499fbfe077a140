//! DNS messages (RFC 1035 section 4) as questions and plain answers, and the names that
//! are asked for. The wire format is hickory's; what an answer means is decided here.

mod message;
mod name;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hickory_proto::rr::RecordType;
use serde::{Deserialize, Serialize};

pub use message::{Heard, Packet};
pub use name::{DomainName, listed_name, reverse_name};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Kind {
    /// IPv4 address (RFC 1035 section 3.4.1).
    A,
    /// IPv6 address (RFC 3596).
    Aaaa,
    /// Name of an address (RFC 1035 section 3.3.12).
    Ptr,
    /// Mail exchanger (RFC 1035 section 3.3.9).
    Mx,
    /// Text (RFC 1035 section 3.3.14).
    Txt,
    /// Start of a zone (RFC 1035 section 3.3.13).
    Soa,
    /// Name server of a zone (RFC 1035 section 3.3.11).
    Ns,
    /// Certificate association (RFC 6698).
    Tlsa,
}

impl Kind {
    const fn code(self) -> RecordType {
        match self {
            Self::A => RecordType::A,
            Self::Aaaa => RecordType::AAAA,
            Self::Ptr => RecordType::PTR,
            Self::Mx => RecordType::MX,
            Self::Txt => RecordType::TXT,
            Self::Soa => RecordType::SOA,
            Self::Ns => RecordType::NS,
            Self::Tlsa => RecordType::TLSA,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code())
    }
}

/// One question of class IN.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Question {
    /// The name, absolute.
    pub name: DomainName,
    /// The type.
    pub kind: Kind,
}

/// One resource record. Names in it are lower case without the last dot, as presented by
/// RFC 4343 section 2.1 (`\DDD` for what is not printable).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Whose record it is.
    pub name: String,
    /// How long it may be kept, seconds.
    pub ttl: u32,
    /// What it says.
    pub data: Data,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Data {
    /// A
    A(Ipv4Addr),
    /// AAAA
    Aaaa(Ipv6Addr),
    /// PTR
    Ptr(String),
    /// NS
    Ns(String),
    /// CNAME
    Cname(String),
    /// MX
    Mx {
        /// Lower is tried first.
        preference: u16,
        /// The host; empty for the root, which says that no mail is taken (RFC 7505).
        exchange: String,
    },
    /// TXT, its strings put together; bytes that are no UTF-8 as `\xNN`.
    Txt(String),
    /// SOA
    Soa {
        /// Primary server.
        mname: String,
        /// Mailbox of the person in charge.
        rname: String,
        /// Version of the zone.
        serial: u32,
        /// Seconds a NXDOMAIN or NODATA may be kept (RFC 2308 section 4).
        minimum: u32,
    },
    /// TLSA
    Tlsa {
        /// Certificate usage.
        usage: u8,
        /// Selector.
        selector: u8,
        /// Matching type.
        matching: u8,
        /// Certificate association data.
        data: Vec<u8>,
    },
}

impl Data {
    /// The address of an A or AAAA record.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Self::A(address) => Some((*address).into()),
            Self::Aaaa(address) => Some((*address).into()),
            _ => None,
        }
    }
}

/// What came of a question. Only the first three are answers; everything else leaves the
/// question open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The records of the type asked for, at the name or at the end of its aliases.
    Records(Vec<Record>),
    /// The name exists without records of the type (RFC 2308 section 2.2).
    NoData,
    /// The name does not exist (RFC 2308 section 2.1).
    NxDomain,
    /// An alias whose target the server says nothing about: not an answer.
    Dangling(String),
    /// The server points to others, because it neither knows nor asks for us.
    Referral(Vec<Record>),
    /// RCODE 2.
    ServFail,
    /// RCODE 5.
    Refused,
    /// RCODE 1.
    FormErr,
    /// Another RCODE.
    Rcode(u16),
    /// The message cannot be read, with the reason.
    Malformed(String),
    /// Nothing came in time.
    Timeout,
    /// The server cannot be reached: the system's words.
    Unreachable(String),
    /// The run ended before the question was sent.
    NotAsked,
}

impl Outcome {
    /// Whether the question was answered.
    #[must_use]
    pub const fn is_answer(&self) -> bool {
        matches!(self, Self::Records(_) | Self::NoData | Self::NxDomain)
    }

    /// The records, none for everything that is no record.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        match self {
            Self::Records(records) => records,
            _ => &[],
        }
    }

    /// The same for those who keep it without what the server sent along.
    #[must_use]
    pub fn without_records(self) -> Self {
        match self {
            Self::Records(_) => Self::Records(Vec::new()),
            Self::Referral(_) => Self::Referral(Vec::new()),
            other => other,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Records(records) => write!(f, "{} records", records.len()),
            Self::NoData => f.write_str("NODATA"),
            Self::NxDomain => f.write_str("NXDOMAIN"),
            Self::Dangling(target) => write!(f, "CNAME to {target}, which is not resolved"),
            Self::Referral(_) => f.write_str("referral, the server does not resolve for us"),
            Self::ServFail => f.write_str("SERVFAIL"),
            Self::Refused => f.write_str("REFUSED"),
            Self::FormErr => f.write_str("FORMERR"),
            Self::Rcode(code) => write!(f, "RCODE {code}"),
            Self::Malformed(why) => write!(f, "malformed answer: {why}"),
            Self::Timeout => f.write_str("timeout"),
            Self::Unreachable(cause) => f.write_str(cause),
            Self::NotAsked => f.write_str("not asked, the time was over"),
        }
    }
}

/// A message that answers a question, good or bad.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// What it says.
    pub outcome: Outcome,
    /// AA: the server holds the zone.
    pub authoritative: bool,
    /// AD: the resolver says it validated the data (RFC 4035 section 3.2.3).
    pub authenticated: bool,
    /// The zone whose SOA came with a negative answer.
    pub zone: Option<String>,
    /// The names that the one asked for leads to, in their order: it is an alias (RFC 1034
    /// section 3.6.2). Also where the last of them does not exist.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Addresses that came along with name servers, those of hosts below the zone above all
    /// (RFC 1034 section 4.2.1). Only where name servers were asked for.
    #[serde(default)]
    pub glue: Vec<Record>,
    /// Records that are not among those of the outcome, because there was no room for them.
    #[serde(default)]
    pub left_out: usize,
}

impl Answer {
    /// No message, or none that says more than its outcome.
    #[must_use]
    pub const fn bare(outcome: Outcome) -> Self {
        Self {
            outcome,
            authoritative: false,
            authenticated: false,
            zone: None,
            aliases: Vec::new(),
            glue: Vec::new(),
            left_out: 0,
        }
    }

    /// Keeps so many records at most and counts the others.
    pub fn shorten(&mut self, most: usize) {
        if let Outcome::Records(records) | Outcome::Referral(records) = &mut self.outcome {
            self.left_out += records.len().saturating_sub(most);
            records.truncate(most);
        }
    }
}
