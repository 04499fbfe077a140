//! What a client asked for: ClientHello of SSLv2 to TLS 1.3 (RFC 6101 appendix E, RFC 5246
//! section 7.4.1.2, RFC 8446 section 4.1.2), kept as the test wants to look at it.

use std::io::{self, Read};
use std::net::TcpStream;
use std::time::Duration;

/// The longest hello that is read; a longer one ends the connection.
const LONGEST: usize = 1 << 18;

const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;

/// How a hello was framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The two-byte header of SSLv2, whatever version it asks for.
    Ssl2,
    /// Records of SSLv3 and later.
    Tls,
}

/// One ClientHello as it came.
#[derive(Clone, Debug)]
pub struct Hello {
    /// Number of the connection, from 0 on.
    pub connection: usize,
    /// When it was complete, since the endpoint started.
    pub at: Duration,
    /// How it was framed.
    pub format: Format,
    /// Version of the first record; that of the hello for [`Format::Ssl2`].
    pub record_version: u16,
    /// Version in the hello itself: at most 0x0303 for TLS 1.3, see [`Hello::versions`].
    pub version: u16,
    /// Suites in the client's order; with [`Format::Ssl2`] those cipher kinds that begin with 0.
    pub suites: Vec<u16>,
    /// Cipher kinds of SSLv2 (three bytes); empty for [`Format::Tls`].
    pub kinds: Vec<u32>,
    /// Compression methods.
    pub compressions: Vec<u8>,
    /// Extensions in order, with their contents.
    pub extensions: Vec<(u16, Vec<u8>)>,
    /// Length of the handshake message with its header of four bytes (SSLv2: without the two).
    /// This is the length that intolerant servers stumble over (RFC 7685).
    pub length: usize,
    /// Number of records that it came in.
    pub records: usize,
    pub(super) session_id: Vec<u8>,
}

impl Hello {
    /// Contents of an extension.
    #[must_use]
    pub fn extension(&self, id: u16) -> Option<&[u8]> {
        self.extensions.iter().find(|(known, _)| *known == id).map(|(_, contents)| contents.as_slice())
    }

    /// Host name in server_name.
    #[must_use]
    pub fn server_name(&self) -> Option<String> {
        let name = self.extension(0)?.get(5..)?;
        Some(String::from_utf8_lossy(name).into_owned())
    }

    /// Groups in supported_groups.
    #[must_use]
    pub fn groups(&self) -> Vec<u16> {
        self.extension(10).and_then(|list| list.get(2..)).map(numbers).unwrap_or_default()
    }

    /// Groups in key_share; `None` without that extension.
    #[must_use]
    pub fn key_shares(&self) -> Option<Vec<u16>> {
        let mut input = Input(self.extension(51)?.get(2..)?);
        let mut groups = Vec::new();
        while let Some(group) = input.short() {
            groups.push(group);
            input.vector(2)?;
        }
        Some(groups)
    }

    /// Versions in supported_versions; without that extension all up to the one in the hello.
    #[must_use]
    pub fn versions(&self) -> Vec<u16> {
        match self.extension(43) {
            Some(list) => numbers(list.get(1..).unwrap_or_default()),
            None => (0x0300..=self.version.min(0x0303)).collect(),
        }
    }
}

/// Reads a hello; `None` when the client sent something else or nothing.
pub(super) fn read(stream: &mut TcpStream, connection: usize) -> io::Result<Option<Hello>> {
    let mut start = [0; 2];
    if !filled(stream, &mut start)? {
        return Ok(None);
    }
    let hello = if start[0] & 0x80 == 0 {
        read_records(stream, start)?
    } else {
        let mut message = vec![0; usize::from(u16::from_be_bytes(start) & 0x7fff)];
        if !filled(stream, &mut message)? {
            return Ok(None);
        }
        parse_ssl2(&message)
    };
    Ok(hello.map(|hello| Hello { connection, ..hello }))
}

/// Collects a handshake message from as many records as it takes.
fn read_records(stream: &mut TcpStream, start: [u8; 2]) -> io::Result<Option<Hello>> {
    let (mut message, mut records, mut record_version) = (Vec::new(), 0, 0);
    let mut next = read_record(stream, Some(start))?;
    while let Some(record) = next {
        match record.kind {
            HANDSHAKE if records == 0 => record_version = record.version,
            HANDSHAKE => {}
            // A client in middlebox compatibility mode sends it before its second hello.
            CHANGE_CIPHER_SPEC if records == 0 => {
                next = read_record(stream, None)?;
                continue;
            }
            _ => return Ok(None),
        }
        records += 1;
        message.extend(record.fragment);
        let wanted = message.get(1..4).map(|length| 4 + number(length) as usize);
        match wanted {
            Some(wanted) if wanted > LONGEST => return Ok(None),
            Some(wanted) if message.len() >= wanted => return Ok(parse(&message, record_version, records)),
            _ => next = read_record(stream, None)?,
        }
    }
    Ok(None)
}

struct Record {
    kind: u8,
    version: u16,
    fragment: Vec<u8>,
}

/// Reads a record, the first two bytes of which may have been read already; `None` at the end.
fn read_record(stream: &mut TcpStream, start: Option<[u8; 2]>) -> io::Result<Option<Record>> {
    let mut header = [0; 5];
    let known = start.map_or(0, |start| {
        header[..2].copy_from_slice(&start);
        2
    });
    if !filled(stream, &mut header[known..])? {
        return Ok(None);
    }
    let [kind, major, minor, length @ ..] = header;
    let mut fragment = vec![0; usize::from(u16::from_be_bytes(length))];
    let version = u16::from_be_bytes([major, minor]);
    Ok(filled(stream, &mut fragment)?.then_some(Record { kind, version, fragment }))
}

fn parse(message: &[u8], record_version: u16, records: usize) -> Option<Hello> {
    let mut input = Input(message);
    if input.number(1)? != 1 {
        return None;
    }
    let mut input = Input(input.vector(3)?);
    let version = input.short()?;
    input.bytes(32)?;
    let session_id = input.vector(1)?.to_vec();
    let suites = numbers(input.vector(2)?);
    let compressions = input.vector(1)?.to_vec();
    let mut extensions = Vec::new();
    let mut list = Input(input.vector(2).unwrap_or_default());
    while let Some(id) = list.short() {
        extensions.push((id, list.vector(2)?.to_vec()));
    }
    Some(Hello {
        connection: 0,
        at: Duration::ZERO,
        format: Format::Tls,
        record_version,
        version,
        suites,
        kinds: Vec::new(),
        compressions,
        extensions,
        length: message.len(),
        records,
        session_id,
    })
}

fn parse_ssl2(message: &[u8]) -> Option<Hello> {
    let mut input = Input(message);
    if input.number(1)? != 1 {
        return None;
    }
    let version = input.short()?;
    let (kinds, session_id) = (input.short()?, input.short()?);
    input.short()?;
    let kinds: Vec<u32> = input.bytes(usize::from(kinds))?.chunks_exact(3).map(number).collect();
    Some(Hello {
        connection: 0,
        at: Duration::ZERO,
        format: Format::Ssl2,
        record_version: version,
        version,
        suites: kinds.iter().filter_map(|kind| u16::try_from(*kind).ok()).collect(),
        kinds,
        compressions: vec![0],
        extensions: Vec::new(),
        length: message.len(),
        records: 1,
        session_id: input.bytes(usize::from(session_id))?.to_vec(),
    })
}

/// Fills the buffer; false when the client ended before.
fn filled(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<bool> {
    match stream.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |sum, byte| (sum << 8) | u32::from(*byte))
}

fn numbers(bytes: &[u8]) -> Vec<u16> {
    bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
}

/// What is left of a message.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(head)
    }

    fn number(&mut self, length: usize) -> Option<u32> {
        self.bytes(length).map(number)
    }

    fn short(&mut self) -> Option<u16> {
        self.bytes(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
    }

    /// A vector behind its length of so many bytes.
    fn vector(&mut self, length: usize) -> Option<&'a [u8]> {
        let length = self.number(length)?;
        self.bytes(length as usize)
    }
}
