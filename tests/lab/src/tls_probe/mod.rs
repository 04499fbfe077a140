//! A ClientHello as the tests want it, and what a server makes of it: the lab's own view of a TLS
//! server, against which its truth tables are checked. Shares no code with any plugin.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::tls_script::messages::{
    ALERT, HANDSHAKE, Message, SERVER_HELLO, SERVER_HELLO_DONE, handshake, record, vector,
};
use crate::tls_script::{Protocol, Version};

mod starttls;

/// How long a server may take for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Suites in one hello of [`suites`]: below every limit that servers are known to have.
const CHUNK: usize = 60;

/// Where TLS begins: with the first byte, or after a dialogue.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Where the server listens.
    pub address: SocketAddr,
    /// What is spoken first.
    pub starttls: Option<Protocol>,
}

impl From<SocketAddr> for Target {
    fn from(address: SocketAddr) -> Self {
        Self { address, starttls: None }
    }
}

/// A ClientHello. Without groups it has no extension for curves; for TLS 1.3 it has an empty
/// list of key shares, so that the server answers with HelloRetryRequest.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The highest version.
    pub version: Version,
    /// Suites in order.
    pub suites: Vec<u16>,
    /// Groups in order.
    pub groups: Vec<u16>,
    /// Host name.
    pub server_name: Option<String>,
    /// Key shares with contents that mean nothing, TLS 1.3 only.
    pub key_shares: Vec<(u16, Vec<u8>)>,
    /// Compression methods.
    pub compressions: Vec<u8>,
    /// Further extensions.
    pub extensions: Vec<(u16, Vec<u8>)>,
}

impl Offer {
    /// Suites for a version, with the curves that every server has, and no host name.
    #[must_use]
    pub fn new(version: Version, suites: &[u16]) -> Self {
        Self {
            version,
            suites: suites.to_vec(),
            groups: if version == Version::Ssl3 { Vec::new() } else { vec![0x001d, 0x0017, 0x0018, 0x0019] },
            server_name: None,
            key_shares: Vec::new(),
            compressions: vec![0],
            extensions: Vec::new(),
        }
    }

    /// With the finite field groups of RFC 7919 beside the curves. GnuTLS without parameters of its own does
    /// no DHE with a client that names none of them; a server with parameters that are not among those named
    /// must not do DHE (section 4).
    #[must_use]
    pub fn with_finite_fields(mut self) -> Self {
        self.groups.extend(0x0100..=0x0104);
        self
    }

    /// With a host name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.server_name = Some(name.to_owned());
        self
    }

    /// With one extension more.
    #[must_use]
    pub fn extension(mut self, id: u16, contents: &[u8]) -> Self {
        self.extensions.push((id, contents.to_vec()));
        self
    }

    /// With a padding extension that makes the handshake message so long.
    #[must_use]
    pub fn padded_to(self, length: usize) -> Self {
        let missing = length.checked_sub(self.message().len() + 4).expect("the hello is longer already");
        self.extension(21, &vec![0; missing])
    }

    /// The handshake message with its header.
    #[must_use]
    pub fn message(&self) -> Vec<u8> {
        let mut body = self.version.code().min(0x0303).to_be_bytes().to_vec();
        body.extend([0x5a; 32]);
        body.push(0);
        body.extend(vector(2, &numbers(&self.suites)));
        body.extend(vector(1, &self.compressions));
        let list: Vec<u8> =
            self.all_extensions().iter().flat_map(|(id, contents)| extension(*id, contents)).collect();
        if !list.is_empty() {
            body.extend(vector(2, &list));
        }
        handshake(&(1, body))
    }

    /// The hello in one record.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        record(HANDSHAKE, self.version.code().min(0x0301), &self.message())
    }

    fn all_extensions(&self) -> Vec<(u16, Vec<u8>)> {
        let mut list = Vec::new();
        if let Some(name) = &self.server_name {
            let name = [&[0][..], &vector(2, name.as_bytes())].concat();
            list.push((0, vector(2, &name)));
        }
        if !self.groups.is_empty() {
            list.push((10, vector(2, &numbers(&self.groups))));
            list.push((11, vec![1, 0]));
        }
        if self.version >= Version::Tls12 {
            // Everything with RSA, ECDSA and DSA, and PSS.
            let algorithms = [
                0x0401, 0x0501, 0x0601, 0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0201, 0x0203,
                0x0402, 0x0202,
            ];
            list.push((13, vector(2, &numbers(&algorithms))));
        }
        if self.version == Version::Tls13 {
            list.push((43, vec![2, 3, 4]));
            let shares = self.key_shares.iter().flat_map(|(group, share)| extension(*group, share));
            list.push((51, vector(2, &shares.collect::<Vec<_>>())));
        }
        list.extend(self.extensions.iter().cloned());
        list
    }
}

/// How the answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// ServerHelloDone, or the ServerHello of TLS 1.3: the client has the word.
    Whole,
    /// A fatal alert with this number.
    Alert(u8),
    /// FIN.
    Closed,
    /// RST.
    Reset,
    /// Nothing more for as long as the test was ready to wait.
    Silent,
    /// Something that is not TLS, or breaks its rules.
    Garbage,
}

/// What a server made of a hello.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Types and bodies of the handshake messages.
    pub messages: Vec<(u8, Vec<u8>)>,
    /// Numbers of the warning alerts.
    pub warnings: Vec<u8>,
    /// How it ended.
    pub end: End,
    /// Everything that was read.
    pub bytes: Vec<u8>,
}

impl Reply {
    fn without_bytes(end: End) -> Self {
        Self { messages: Vec::new(), warnings: Vec::new(), end, bytes: Vec::new() }
    }

    /// Version, suite and, in TLS 1.3, the group that the server has picked.
    #[must_use]
    pub fn picked(&self) -> Option<(u16, u16, Option<u16>)> {
        let (kind, body) = self.messages.first()?;
        if *kind != SERVER_HELLO {
            return None;
        }
        let rest = body.get(35 + usize::from(*body.get(34)?)..)?;
        let [suite_high, suite_low, _compression, list @ ..] = rest else { return None };
        let list = extensions(list.get(2..).unwrap_or_default());
        let short = |id| {
            let contents = list.iter().find(|(known, _)| *known == id)?.1.get(..2)?;
            Some(u16::from_be_bytes([contents[0], contents[1]]))
        };
        let version = short(43).unwrap_or(u16::from_be_bytes([body[0], body[1]]));
        Some((version, u16::from_be_bytes([*suite_high, *suite_low]), short(51)))
    }

    /// The suite that the server has picked.
    #[must_use]
    pub fn suite(&self) -> Option<u16> {
        self.picked().map(|(_, suite, _)| suite)
    }

    /// Body of the first message of a type.
    #[must_use]
    pub fn message(&self, kind: u8) -> Option<&[u8]> {
        self.messages.iter().find(|(known, _)| *known == kind).map(|(_, body)| body.as_slice())
    }

    /// Extensions of the ServerHello.
    #[must_use]
    pub fn extensions(&self) -> Vec<(u16, Vec<u8>)> {
        let body = self.message(SERVER_HELLO).unwrap_or_default();
        let start = 35 + usize::from(body.get(34).copied().unwrap_or_default()) + 3 + 2;
        extensions(body.get(start..).unwrap_or_default())
    }
}

/// Sends a hello on a new connection and reads the answer. Fails when the server cannot be
/// reached, or does not change to TLS.
pub fn ask(server: impl Into<Target>, offer: &Offer) -> io::Result<Reply> {
    ask_bytes(server, &offer.bytes())
}

/// Sends any bytes on a new connection and reads the answer.
pub fn ask_bytes(server: impl Into<Target>, bytes: &[u8]) -> io::Result<Reply> {
    let server = server.into();
    let mut stream = match TcpStream::connect(server.address) {
        // A server that resets at once may be quicker than the return of connect(2).
        Err(error) if is_reset(&error) => return Ok(Reply::without_bytes(End::Reset)),
        other => other?,
    };
    stream.set_read_timeout(Some(PATIENCE))?;
    if let Some(protocol) = server.starttls {
        starttls::talk(&mut stream, protocol)?;
    }
    // A server that turns the client away may be gone already: what it said counts.
    let sent = stream.write_all(bytes);
    let mut reply = read(&mut stream);
    // The kernel reports a reset once only, here to the writer.
    if reply.bytes.is_empty() && sent.is_err_and(|error| is_reset(&error)) {
        reply.end = End::Reset;
    }
    Ok(reply)
}

/// Reads an answer. The stream's read timeout decides when the server counts as silent.
pub fn read(stream: &mut TcpStream) -> Reply {
    let mut reader = Reader { stream, reply: Vec::new() };
    let (mut handshakes, mut messages, mut warnings) = (Vec::new(), Vec::new(), Vec::new());
    let end = loop {
        let (kind, fragment) = match reader.record() {
            Ok(record) => record,
            Err(end) => break end,
        };
        match (kind, fragment.as_slice()) {
            (ALERT, [1, number]) => warnings.push(*number),
            (ALERT, [_, number]) => break End::Alert(*number),
            (HANDSHAKE, [_, ..]) => handshakes.extend(fragment),
            _ => break End::Garbage,
        }
        while let Some((message, rest)) = split(&handshakes) {
            handshakes = rest;
            messages.push(message);
        }
        let last = messages.last();
        let is_done = last.is_some_and(|(kind, _)| *kind == SERVER_HELLO_DONE);
        let is_13 = last.is_some_and(|(kind, body)| *kind == SERVER_HELLO && has_supported_versions(body));
        if is_done || is_13 {
            break End::Whole;
        }
    };
    Reply { messages, warnings, end, bytes: reader.reply }
}

/// A CLIENT-HELLO of SSLv2 with these cipher kinds, for any version (SSLv2 itself is 2).
#[must_use]
pub fn ssl2_hello(version: u16, kinds: &[u32]) -> Vec<u8> {
    let kinds: Vec<u8> = kinds.iter().flat_map(|kind| kind.to_be_bytes().into_iter().skip(1)).collect();
    let lengths = numbers(&[u16::try_from(kinds.len()).expect("few kinds"), 0, 16]);
    let mut bytes = vector(2, &[&[1][..], &version.to_be_bytes(), &lengths, &kinds, &[7; 16]].concat());
    bytes[0] |= 0x80;
    bytes
}

/// Every pair of version and suite that a server takes.
pub fn pairs(server: impl Into<Target>, name: &str) -> io::Result<BTreeSet<(Version, u16)>> {
    let server = server.into();
    let mut found = BTreeSet::new();
    for version in Version::ALL {
        found.extend(suites(server, version, name)?.into_iter().map(|suite| (version, suite)));
    }
    Ok(found)
}

/// The suites that a server takes for a version, by removal, sorted: every suite that a
/// registry knows or a draft has used is offered. None when it answers with an older version.
pub fn suites(server: impl Into<Target>, version: Version, name: &str) -> io::Result<Vec<u16>> {
    let server = server.into();
    let candidates: Vec<u16> = match version {
        Version::Tls13 => (0x1301..=0x1307).chain(0x00c6..=0x00c7).chain(0xc103..=0xc106).collect(),
        _ => (0x0001..=0x00c7)
            .chain(0xc001..=0xc0b5)
            .chain(0xc100..=0xc102)
            .chain(0xcc13..=0xcc15)
            .chain(0xcca8..=0xccae)
            .chain(0xd001..=0xd005)
            .chain(0xfefe..=0xfeff)
            .chain(0xffe0..=0xffe1)
            .collect(),
    };
    let mut found = Vec::new();
    for chunk in candidates.chunks(CHUNK) {
        let mut left = chunk.to_vec();
        if version > Version::Ssl3 {
            take(server, &mut left, &mut found, |left| {
                Offer::new(version, left).named(name).with_finite_fields()
            })?;
        }
        take(server, &mut left, &mut found, |left| Offer::new(version, left).named(name))?;
    }
    found.sort_unstable();
    Ok(found)
}

/// Moves the suites that a server picks from one list to the other until it picks none.
fn take(
    server: Target,
    left: &mut Vec<u16>,
    found: &mut Vec<u16>,
    offer: impl Fn(&[u16]) -> Offer,
) -> io::Result<()> {
    while !left.is_empty() {
        let offer = offer(left);
        let reply = ask(server, &offer)?;
        match reply.picked() {
            Some((picked, suite, _)) if picked == offer.version.code() && left.contains(&suite) => {
                left.retain(|other| *other != suite);
                found.push(suite);
            }
            Some((picked, suite, _)) if picked < offer.version.code() && left.contains(&suite) => break,
            None if matches!(reply.end, End::Alert(_) | End::Closed) => break,
            _ => return Err(io::Error::other(format!("{:?}: {reply:?}", offer.version))),
        }
    }
    Ok(())
}

struct Reader<'a> {
    stream: &'a mut TcpStream,
    reply: Vec<u8>,
}

impl Reader<'_> {
    fn record(&mut self) -> Result<(u8, Vec<u8>), End> {
        let header = self.take(5)?;
        let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
        if !(20..=23).contains(&header[0]) || header[1] != 3 || length > (1 << 14) + 2048 {
            return Err(End::Garbage);
        }
        Ok((header[0], self.take(length)?))
    }

    fn take(&mut self, length: usize) -> Result<Vec<u8>, End> {
        let start = self.reply.len();
        while self.reply.len() < start + length {
            let mut buffer = vec![0; start + length - self.reply.len()];
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(End::Closed),
                Ok(read) => self.reply.extend(&buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(End::Silent),
                Err(_) => return Err(End::Reset),
            }
        }
        Ok(self.reply[start..].to_vec())
    }
}

/// The first whole handshake message and what follows it.
fn split(bytes: &[u8]) -> Option<(Message, Vec<u8>)> {
    let [kind, a, b, c, rest @ ..] = bytes else { return None };
    let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
    let (body, rest) = rest.split_at_checked(length)?;
    Some(((*kind, body.to_vec()), rest.to_vec()))
}

fn has_supported_versions(server_hello: &[u8]) -> bool {
    let messages = vec![(SERVER_HELLO, server_hello.to_vec())];
    let reply = Reply { messages, ..Reply::without_bytes(End::Whole) };
    reply.picked().is_some_and(|(version, _, _)| version == Version::Tls13.code())
}

/// Extensions of a list without its length.
fn extensions(mut list: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let mut found = Vec::new();
    while let [a, b, c, d, rest @ ..] = list {
        let length = usize::from(u16::from_be_bytes([*c, *d]));
        let Some((contents, rest)) = rest.split_at_checked(length) else { break };
        found.push((u16::from_be_bytes([*a, *b]), contents.to_vec()));
        list = rest;
    }
    found
}

fn is_reset(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

fn extension(id: u16, contents: &[u8]) -> Vec<u8> {
    [&id.to_be_bytes()[..], &vector(2, contents)].concat()
}

fn numbers(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}
