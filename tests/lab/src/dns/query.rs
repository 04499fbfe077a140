//! What a client asked, as the responder hands it to a behaviour and records it.

use std::net::SocketAddr;

use super::codec::{Flags, HEADER, Reader};
use super::types::RecordType;

/// The client takes DNSSEC's records, too (RFC 3225 section 3).
const DO: u16 = 0x8000;

/// How a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Transport {
    Udp,
    Tcp,
}

/// A query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Name in lower case, without the final dot.
    pub name: String,
    /// Type asked for.
    pub record_type: RecordType,
    /// Class asked for; 1 is IN.
    pub class: u16,
    /// Message id.
    pub id: u16,
    /// RD bit.
    pub recursion_desired: bool,
    /// Payload size the client takes by EDNS, if it says so.
    pub edns: Option<u16>,
    /// It wants to know whether the data was validated: AD (RFC 6840 section 5.7) or DO (RFC 3225).
    pub wants_authentic: bool,
    /// How it came.
    pub transport: Transport,
    /// Where it came from, with the source port.
    pub peer: SocketAddr,
    /// The question section as it was sent.
    pub question: Vec<u8>,
}

impl Query {
    /// Reads a query with exactly one question.
    pub(crate) fn parse(
        message: &[u8],
        transport: Transport,
        peer: SocketAddr,
    ) -> Result<Self, &'static str> {
        let mut reader = Reader::new(message);
        let (id, bits) = (reader.u16()?, reader.u16()?);
        let counts = [reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?];
        let flags = Flags::from_bits(bits);
        if flags.response || counts[..3] != [1, 0, 0] {
            return Err("the message is no plain query");
        }
        let mut name = reader.name()?;
        name.make_ascii_lowercase();
        let (record_type, class) = (RecordType::from(reader.u16()?), reader.u16()?);
        let question = message[HEADER..reader.at()].to_vec();
        let (mut edns, mut wants_authentic) = (None, flags.authentic_data);
        for _ in 0..counts[3] {
            let (_owner, kind, class) = (reader.name()?, reader.u16()?, reader.u16()?);
            let (_code_and_version, bits) = (reader.u16()?, reader.u16()?);
            if RecordType::from(kind) == RecordType::Opt {
                edns = Some(class);
                wants_authentic |= bits & DO != 0;
            }
            let length = usize::from(reader.u16()?);
            reader.skip(length)?;
        }
        let recursion_desired = flags.recursion_desired;
        Ok(Self {
            name,
            record_type,
            class,
            id,
            recursion_desired,
            edns,
            wants_authentic,
            transport,
            peer,
            question,
        })
    }

    /// The name as the client wrote it, without the final dot.
    #[must_use]
    pub fn name_as_sent(&self) -> String {
        Reader::new(&self.question).name().expect("it was read before")
    }

    /// The part of the name in front of a zone: `2.0.0.127` of `2.0.0.127.zen.lab.test` in
    /// `zen.lab.test`, empty for the zone's own name. `None` outside the zone.
    #[must_use]
    pub fn below(&self, zone: &str) -> Option<&str> {
        if zone.is_empty() || self.name.is_empty() {
            return zone.is_empty().then_some(&self.name);
        }
        let front = self.name.strip_suffix(zone)?;
        if front.is_empty() { Some("") } else { front.strip_suffix('.') }
    }

    /// How long an answer by UDP may be (RFC 1035 section 2.3.4, RFC 6891 section 6.2.3).
    pub(crate) fn size_limit(&self) -> usize {
        usize::from(self.edns.unwrap_or(0)).max(512)
    }
}
