//! The readers of foreign bytes, for the fuzz targets in `tests/fuzz`: what they made of an answer as plain data.

use std::io::{Read, Write};

use crate::policy::Policy;
use crate::scan::connection::{Outcome, read_flight, read_ssl2};
use crate::scan::starttls::Protocol;

/// What came of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// What kind of outcome it is.
    pub kind: Kind,
    /// Version and suite of a ServerHello.
    pub pick: Option<(u16, u16)>,
    /// Certificates, DER.
    pub chain: Vec<Vec<u8>>,
    /// The group of the key exchange.
    pub group: Option<u16>,
    /// Bits of the prime.
    pub dh_bits: Option<u32>,
    /// Kinds of cipher of SSLv2.
    pub kinds: Vec<u32>,
    /// What is kept of the server's own words.
    pub words: Vec<u8>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A ServerHello of TLS.
    Accepted,
    /// A SERVER-HELLO of SSLv2.
    Ssl2,
    /// A refusal that was understood.
    Refused,
    /// The end of the connection.
    Ended,
    /// No answer in time.
    Silent,
    /// Another protocol.
    Foreign,
    /// A breach of the protocol.
    Violation,
    /// STARTTLS is not offered.
    NoStarttls,
    /// Refused for now.
    Busy,
    /// Another name is wanted.
    Elsewhere,
    /// What only a socket can bring about.
    Other,
}

impl From<Outcome> for Shown {
    fn from(outcome: Outcome) -> Self {
        let mut shown = Self {
            kind: Kind::Other,
            pick: None,
            chain: Vec::new(),
            group: None,
            dh_bits: None,
            kinds: Vec::new(),
            words: Vec::new(),
        };
        shown.kind = match outcome {
            Outcome::Accepted(flight) => {
                shown.pick = Some((flight.hello.version, flight.hello.suite));
                (shown.group, shown.dh_bits) = (flight.group(), flight.dh_bits());
                shown.chain = flight.chain;
                Kind::Accepted
            }
            Outcome::Ssl2(hello) => {
                shown.kinds = hello.ciphers;
                Kind::Ssl2
            }
            Outcome::Foreign(bytes) => {
                shown.words = bytes;
                Kind::Foreign
            }
            Outcome::NoStarttls(words) => {
                shown.words = words.into_bytes();
                Kind::NoStarttls
            }
            Outcome::Busy(words) => {
                shown.words = words.into_bytes();
                Kind::Busy
            }
            Outcome::Elsewhere(words) => {
                shown.words = words.into_bytes();
                Kind::Elsewhere
            }
            Outcome::Refused(_) => Kind::Refused,
            Outcome::Ended(_) => Kind::Ended,
            Outcome::Silent => Kind::Silent,
            Outcome::Violation(_) => Kind::Violation,
            Outcome::Unreachable(_) | Outcome::Spent => Kind::Other,
        };
        shown
    }
}

/// Reads what follows a ClientHello.
pub fn flight(stream: &mut impl Read) -> Shown {
    read_flight(stream).into()
}

/// Reads what follows a CLIENT-HELLO of SSLv2.
pub fn ssl2(stream: &mut impl Read) -> Shown {
    read_ssl2(stream).unwrap_or_else(|end| end).into()
}

/// Reads a policy's file: one line about it, or what is wrong, with the number of its line in front.
pub fn policy(text: &str) -> Result<String, String> {
    Policy::read(text, "own", "own.toml").map(|policy| policy.line())
}

/// The protocols of [`starttls`].
#[must_use]
pub fn protocols() -> Vec<&'static str> {
    Protocol::ALL.map(|(name, _)| name).to_vec()
}

/// The name that [`starttls`] asks for.
pub const NAME: &str = "server.invalid";

/// Speaks up to TLS; `None` where it may begin.
pub fn starttls(protocol: &str, stream: &mut (impl Read + Write)) -> Option<Shown> {
    let (_, protocol) = Protocol::ALL.into_iter().find(|(name, _)| *name == protocol)?;
    protocol.begin(stream, NAME).err().map(|stopped| Outcome::from(stopped).into())
}

pub use crate::intrusive::fuzz::{Answer, ServerSide, early_change, empty_heartbeat, second_hello};
