//! Messages to bytes and back (RFC 1035 section 4.1). Written for the lab alone, so that a
//! mistake in a plugin's decoder is not answered by the same mistake here.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::types::{Rcode, Rdata, Record, RecordType};

/// Length of a message's header.
pub(crate) const HEADER: usize = 12;

const QR: u16 = 0x8000;
const AA: u16 = 0x0400;
const TC: u16 = 0x0200;
const RD: u16 = 0x0100;
const RA: u16 = 0x0080;
const AD: u16 = 0x0020;

/// The bits of a response beside its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags {
    /// QR: this is a response. A message without it is none, whatever else it says.
    pub response: bool,
    /// AA: the server is responsible for the zone.
    pub authoritative: bool,
    /// TC: the answer did not fit.
    pub truncated: bool,
    /// RD, in a response a copy from the query.
    pub recursion_desired: bool,
    /// RA: the server asks others.
    pub recursion_available: bool,
    /// AD: the server has validated the data.
    pub authentic_data: bool,
}

/// Where a flag is kept.
type Field = fn(&mut Flags) -> &mut bool;

impl Flags {
    const BITS: [(u16, Field); 6] = [
        (QR, |flags| &mut flags.response),
        (AA, |flags| &mut flags.authoritative),
        (TC, |flags| &mut flags.truncated),
        (RD, |flags| &mut flags.recursion_desired),
        (RA, |flags| &mut flags.recursion_available),
        (AD, |flags| &mut flags.authentic_data),
    ];

    /// What a resolver says: QR and RA.
    pub const RESOLVER: Self = Self {
        response: true,
        authoritative: false,
        truncated: false,
        recursion_desired: false,
        recursion_available: true,
        authentic_data: false,
    };

    /// What an authoritative server says: QR and AA.
    pub const AUTHORITATIVE: Self =
        Self { authoritative: true, recursion_available: false, ..Self::RESOLVER };

    pub(crate) fn from_bits(bits: u16) -> Self {
        let mut flags = Self { response: false, recursion_available: false, ..Self::RESOLVER };
        for (bit, field) in Self::BITS {
            *field(&mut flags) = bits & bit != 0;
        }
        flags
    }

    pub(crate) fn bits(mut self) -> u16 {
        Self::BITS.iter().map(|(bit, field)| if *field(&mut self) { *bit } else { 0 }).sum()
    }
}

impl Default for Flags {
    fn default() -> Self {
        Self::RESOLVER
    }
}

/// Appends to a message and compresses names on the way (RFC 1035 section 4.1.4).
#[derive(Debug)]
pub(crate) struct Encoder {
    bytes: Vec<u8>,
    /// Where a name that has been written begins.
    known: Vec<(String, u16)>,
}

impl Encoder {
    /// Begins with a header that counts nothing yet.
    pub(crate) fn new(id: u16, flags: Flags, rcode: Rcode) -> Self {
        let mut encoder = Self { bytes: Vec::with_capacity(128), known: Vec::new() };
        encoder.u16(id);
        encoder.u16(flags.bits() | u16::from(rcode.number()));
        encoder.bytes.resize(HEADER, 0);
        encoder
    }

    /// The question as on the wire, and what its name is in text.
    pub(crate) fn question(&mut self, name: &str, wire: &[u8]) {
        self.count(4);
        self.known.push((name.to_owned(), 12));
        self.bytes.extend_from_slice(wire);
    }

    /// A record in the answer section; `question` owns what has no owner of its own.
    pub(crate) fn answer(&mut self, record: &Record, question: &str) {
        self.count(6);
        self.record(record, question);
    }

    /// A record in the authority section.
    pub(crate) fn authority(&mut self, record: &Record, question: &str) {
        self.count(8);
        self.record(record, question);
    }

    /// A record in the additional section.
    pub(crate) fn additional(&mut self, record: &Record, question: &str) {
        self.count(10);
        self.record(record, question);
    }

    /// The pseudo record of EDNS: we take 1232 bytes (RFC 6891 section 6.1.2).
    pub(crate) fn edns(&mut self) {
        self.count(10);
        self.bytes.extend_from_slice(&[0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0]);
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    fn count(&mut self, at: usize) {
        let count = u16::from_be_bytes([self.bytes[at], self.bytes[at + 1]]) + 1;
        self.bytes[at..at + 2].copy_from_slice(&count.to_be_bytes());
    }

    fn u16(&mut self, value: u16) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    fn record(&mut self, record: &Record, question: &str) {
        self.name(record.name.as_deref().unwrap_or(question));
        self.u16(record.data.record_type().number());
        self.u16(1);
        self.bytes.extend_from_slice(&record.ttl.to_be_bytes());
        let length_at = self.bytes.len();
        self.u16(0);
        self.data(&record.data);
        let length = u16::try_from(self.bytes.len() - length_at - 2).expect("the lab's records are short");
        self.bytes[length_at..length_at + 2].copy_from_slice(&length.to_be_bytes());
    }

    fn data(&mut self, data: &Rdata) {
        match data {
            Rdata::A(address) => self.bytes.extend_from_slice(&address.octets()),
            Rdata::Aaaa(address) => self.bytes.extend_from_slice(&address.octets()),
            Rdata::Txt(strings) => {
                for string in strings {
                    self.bytes.push(u8::try_from(string.len()).expect("a string has up to 255 bytes"));
                    self.bytes.extend_from_slice(string);
                }
            }
            Rdata::Ptr(name) | Rdata::Ns(name) | Rdata::Cname(name) => self.name(name),
            Rdata::Mx(preference, host) => {
                self.u16(*preference);
                self.name(host);
            }
            Rdata::Soa { primary, mailbox, serial, minimum } => {
                self.name(primary);
                self.name(mailbox);
                for value in [*serial, 7200, 3600, 604_800, *minimum] {
                    self.bytes.extend_from_slice(&value.to_be_bytes());
                }
            }
            Rdata::Tlsa { usage, selector, matching, data } => {
                self.bytes.extend_from_slice(&[*usage, *selector, *matching]);
                self.bytes.extend_from_slice(data);
            }
            Rdata::Other(_, bytes) => self.bytes.extend_from_slice(bytes),
        }
    }

    fn name(&mut self, name: &str) {
        let mut rest = name;
        while !rest.is_empty() {
            if let Some((_, at)) = self.known.iter().find(|(known, _)| known == rest) {
                return self.u16(0xc000 | *at);
            }
            if let Some(at) = u16::try_from(self.bytes.len()).ok().filter(|at| *at < 0x4000) {
                self.known.push((rest.to_owned(), at));
            }
            let (label, after) = rest.split_once('.').unwrap_or((rest, ""));
            push_label(&mut self.bytes, label);
            rest = after;
        }
        self.bytes.push(0);
    }
}

/// A query as a stub resolver sends it that wants to know whether the data was validated: RD and AD
/// set, EDNS with room for what does not fit into 512 bytes.
#[must_use]
pub fn encode_query_ad(id: u16, name: &str, record_type: RecordType) -> Vec<u8> {
    let mut bytes = encode_query(id, name, record_type, Some(1232));
    let [_, low] = AD.to_be_bytes();
    bytes[3] |= low;
    bytes
}

/// A query as a stub resolver sends it: RD set; with EDNS when a payload size is given.
#[must_use]
pub fn encode_query(id: u16, name: &str, record_type: RecordType, edns: Option<u16>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64);
    for field in [id, RD, 1, 0, 0, u16::from(edns.is_some())] {
        bytes.extend_from_slice(&field.to_be_bytes());
    }
    bytes.extend(wire_question(name, record_type));
    if let Some(size) = edns {
        bytes.extend_from_slice(&[0, 0, 41]);
        bytes.extend_from_slice(&size.to_be_bytes());
        bytes.extend_from_slice(&[0; 6]);
    }
    bytes
}

/// A message as TCP carries it, with its length in front (RFC 1035 section 4.2.2).
pub(crate) fn framed(message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).expect("the lab's messages are short");
    [&length.to_be_bytes()[..], message].concat()
}

/// A question as on the wire: name, type, class IN.
pub(crate) fn wire_question(name: &str, record_type: RecordType) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.trim_end_matches('.').split('.').filter(|label| !label.is_empty()) {
        push_label(&mut bytes, label);
    }
    bytes.push(0);
    bytes.extend_from_slice(&record_type.number().to_be_bytes());
    bytes.extend_from_slice(&[0, 1]);
    bytes
}

/// Undoes `\DDD`.
fn push_label(bytes: &mut Vec<u8>, label: &str) {
    let length_at = bytes.len();
    bytes.push(0);
    let mut rest = label.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = label_escape(rest);
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &rest[4..] } else { after };
    }
    let length = bytes.len() - length_at - 1;
    assert!((1..64).contains(&length), "{label:?} cannot be a label");
    bytes[length_at] = u8::try_from(length).expect("just counted");
}

fn label_escape(text: &[u8]) -> Option<u8> {
    let digits = text.strip_prefix(b"\\")?.get(..3)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Reads a message; every error says what is wrong with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

type Parsed<T> = Result<T, &'static str>;

impl<'a> Reader<'a> {
    pub(crate) fn new(message: &'a [u8]) -> Self {
        Self { message, at: 0 }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn u16(&mut self) -> Parsed<u16> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    fn u32(&mut self) -> Parsed<u32> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    fn array<const N: usize>(&mut self) -> Parsed<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| "the message is cut")
    }

    fn take(&mut self, length: usize) -> Parsed<&'a [u8]> {
        let taken = self.message.get(self.at..self.at + length).ok_or("the message is cut")?;
        self.at += length;
        Ok(taken)
    }

    pub(crate) fn skip(&mut self, length: usize) -> Parsed<()> {
        self.take(length).map(|_| ())
    }

    /// A name in text, compressed or not. A pointer must point back.
    pub(crate) fn name(&mut self) -> Parsed<String> {
        let mut text = String::new();
        let mut place = *self;
        let (mut after, mut lowest, mut wire_length) = (None, self.at, 1);
        loop {
            let [length] = place.array()?;
            match length {
                0 => break,
                1..64 => {
                    if !text.is_empty() {
                        text.push('.');
                    }
                    wire_length += 1 + usize::from(length);
                    push_text(&mut text, place.take(usize::from(length))?);
                }
                192.. => {
                    let [low] = place.array()?;
                    after.get_or_insert(place.at);
                    place.at = usize::from(length & 63) << 8 | usize::from(low);
                    if place.at >= lowest {
                        return Err("a name points forward or in circles");
                    }
                    lowest = place.at;
                }
                _ => return Err("a label has an unknown type"),
            }
            if wire_length > 255 {
                return Err("a name is too long");
            }
        }
        self.at = after.unwrap_or(place.at);
        Ok(text)
    }

    pub(crate) fn record(&mut self) -> Parsed<Record> {
        let name = Some(self.name()?);
        let kind = RecordType::from(self.u16()?);
        let _class = self.u16()?;
        let ttl = self.u32()?;
        let length = usize::from(self.u16()?);
        let end = self.at + length;
        let mut data = Reader { message: self.message.get(..end).ok_or("a record is cut")?, at: self.at };
        let parsed = data.data(kind)?;
        if data.at != end {
            return Err("the data of a record has another length than it says");
        }
        self.at = end;
        Ok(Record { name, ttl, data: parsed })
    }

    fn data(&mut self, kind: RecordType) -> Parsed<Rdata> {
        Ok(match kind {
            RecordType::A => Rdata::A(Ipv4Addr::from(self.array::<4>()?)),
            RecordType::Aaaa => Rdata::Aaaa(Ipv6Addr::from(self.array::<16>()?)),
            RecordType::Txt => {
                let mut strings = Vec::new();
                while self.at < self.message.len() {
                    let [length] = self.array()?;
                    strings.push(self.take(usize::from(length))?.to_vec());
                }
                Rdata::Txt(strings)
            }
            RecordType::Ptr => Rdata::Ptr(self.name()?),
            RecordType::Ns => Rdata::Ns(self.name()?),
            RecordType::Cname => Rdata::Cname(self.name()?),
            RecordType::Mx => Rdata::Mx(self.u16()?, self.name()?),
            RecordType::Soa => {
                let (primary, mailbox, serial) = (self.name()?, self.name()?, self.u32()?);
                let _refresh_retry_expire = self.take(12)?;
                Rdata::Soa { primary, mailbox, serial, minimum: self.u32()? }
            }
            RecordType::Tlsa => {
                let [usage, selector, matching] = self.array()?;
                Rdata::Tlsa { usage, selector, matching, data: self.rest().to_vec() }
            }
            other => Rdata::Other(other.number(), self.rest().to_vec()),
        })
    }

    fn rest(&mut self) -> &'a [u8] {
        let rest = &self.message[self.at..];
        self.at = self.message.len();
        rest
    }
}

fn push_text(text: &mut String, label: &[u8]) {
    for byte in label {
        if byte.is_ascii_graphic() && !b".\\".contains(byte) {
            text.push(char::from(*byte));
        } else {
            text.push_str(&format!("\\{byte:03}"));
        }
    }
}
