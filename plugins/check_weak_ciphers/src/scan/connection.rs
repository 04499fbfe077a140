//! One connection: up to TLS, one hello, and what the server makes of it.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::Duration;

use common::net::{Deadline, ProbeError, TimedStream, connect};

use super::starttls::{Protocol, Stopped};
use crate::suites::Suite;
use crate::wire::hello::ClientHello;
use crate::wire::reader::{Alert, Event, NotTls, Reader};
use crate::wire::server::{
    CERTIFICATE, KeyExchange, SERVER_HELLO, SERVER_HELLO_DONE, SERVER_KEY_EXCHANGE, ServerHello, certificates,
};
use crate::wire::sslv2;

/// Where to connect and how to get to TLS.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    /// Tried in this order.
    pub(crate) addresses: Vec<SocketAddr>,
    /// The one that answered, to which all further connections go: two servers behind one
    /// name must not make one result.
    pub(crate) address: OnceLock<SocketAddr>,
    pub(crate) starttls: Option<Protocol>,
    /// Time for one connection.
    pub(crate) patience: Duration,
    pub(crate) deadline: Deadline,
}

/// What came of a hello.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// The server takes one of the suites.
    Accepted(Box<Flight>),
    /// The server speaks SSLv2 and lists its ciphers.
    Ssl2(sslv2::ServerHello),
    /// The server speaks TLS (or SSLv2) and takes none.
    Refused(Option<Alert>),
    /// The connection ended without a word: it may be a refusal, or a limit.
    Ended(Ending),
    /// Nothing in time.
    Silent,
    /// Something else is spoken.
    Foreign(Vec<u8>),
    /// TLS against the rules.
    Violation(&'static str),
    /// STARTTLS is not offered, in the server's words.
    NoStarttls(String),
    /// Refused for now, in the server's words.
    Busy(String),
    /// No connection at all.
    Unreachable(ProbeError),
    /// As many connections were made as are allowed.
    Spent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// FIN
    Closed,
    /// RST
    Reset,
}

/// What a server showed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Flight {
    pub(crate) hello: ServerHello,
    /// Leaf first, DER.
    pub(crate) chain: Vec<Vec<u8>>,
    /// The body of the ServerKeyExchange; how to read it depends on the suite.
    pub(crate) key_exchange: Option<Vec<u8>>,
}

impl Flight {
    /// Bits of the prime the server sent, where the suite has one.
    pub(crate) fn dh_bits(&self) -> Option<u32> {
        self.suite().filter(|suite| suite.is_ffdhe())?;
        match KeyExchange::dhe(self.key_exchange.as_deref()?)? {
            KeyExchange::Dhe { bits, .. } => Some(bits),
            KeyExchange::Ecdhe { .. } => None,
        }
    }

    /// The group of the key exchange, where it has a number.
    pub(crate) fn group(&self) -> Option<u16> {
        if self.suite().is_some_and(Suite::is_ecdhe)
            && let Some(KeyExchange::Ecdhe { group }) = KeyExchange::ecdhe(self.key_exchange.as_deref()?)
        {
            return Some(group);
        }
        self.hello.group
    }

    fn suite(&self) -> Option<&'static Suite> {
        Suite::by_code(self.hello.suite)
    }
}

impl Endpoint {
    /// Sends a hello and reads the answer, up to TLS 1.2 with the certificates and the key exchange, which
    /// come in the same flight: unread they would make the end of the connection a reset.
    pub(crate) fn ask(&self, hello: &ClientHello<'_>, random: &[u8; 32]) -> Outcome {
        self.open(&hello.record(random))
            .and_then(|mut stream| read_flight(&mut stream))
            .unwrap_or_else(|end| end)
    }

    /// The same in SSLv2.
    pub(crate) fn ask_ssl2(&self, ciphers: &[u32], random: &[u8; 32]) -> Outcome {
        let hello = sslv2::client_hello(ciphers, random);
        self.open(&hello).and_then(|mut stream| read_ssl2(&mut stream)).unwrap_or_else(|end| end)
    }

    /// Connects, gets to TLS and sends the hello.
    fn open(&self, hello: &[u8]) -> Result<TimedStream, Outcome> {
        let deadline = self.deadline.shortened(self.deadline.elapsed() + self.patience);
        let addresses = self.address.get().map_or(self.addresses.as_slice(), std::slice::from_ref);
        let connected = connect(addresses, None, &deadline).map_err(Outcome::Unreachable)?;
        let mut stream = connected.stream;
        let _ = self.address.set(connected.address);
        if let Some(protocol) = self.starttls {
            protocol.begin(&mut stream).map_err(Outcome::from)?;
        }
        stream.write_all(hello).map_err(|error| Outcome::from_io(error.kind()))?;
        Ok(stream)
    }
}

impl From<Stopped> for Outcome {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::NotOffered(words) => Self::NoStarttls(words),
            Stopped::Busy(words) => Self::Busy(words),
            Stopped::Foreign(bytes) => Self::Foreign(bytes),
            Stopped::Failed(kind) => Self::from_io(kind),
        }
    }
}

impl Outcome {
    fn from_io(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::TimedOut | ErrorKind::WouldBlock => Self::Silent,
            ErrorKind::UnexpectedEof => Self::Ended(Ending::Closed),
            _ => Self::Ended(Ending::Reset),
        }
    }
}

impl From<NotTls> for Outcome {
    fn from(error: NotTls) -> Self {
        match error {
            NotTls::Foreign(bytes) => Self::Foreign(bytes),
            NotTls::Violation(what) => Self::Violation(what),
        }
    }
}

/// Reads until the server has shown enough; the error is the outcome as well.
pub(crate) fn read_flight(stream: &mut impl Read) -> Result<Outcome, Outcome> {
    let mut reader = Reader::default();
    let mut flight: Option<Flight> = None;
    let mut buffer = [0; 4096];
    loop {
        while let Some(event) = reader.next()? {
            match step(&mut flight, event) {
                Step::More => {}
                Step::Done(outcome) => return Ok(outcome),
            }
        }
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 => reader.push(buffer.get(..count).unwrap_or_default())?,
            // What was shown is shown, even if the rest never comes.
            other => {
                let end =
                    Outcome::from_io(other.map_or_else(|error| error.kind(), |_| ErrorKind::UnexpectedEof));
                return Ok(match flight {
                    Some(flight) => Outcome::Accepted(Box::new(flight)),
                    None if reader.pending().is_empty() => end,
                    None => Outcome::Violation("the answer ends in the middle of a record"),
                });
            }
        }
    }
}

enum Step {
    More,
    Done(Outcome),
}

fn step(flight: &mut Option<Flight>, event: Event) -> Step {
    let done = |flight: &mut Option<Flight>| match flight.take() {
        Some(flight) => Step::Done(Outcome::Accepted(Box::new(flight))),
        None => Step::Done(Outcome::Violation("a message before the ServerHello")),
    };
    match event {
        // Warnings, such as unrecognized_name, do not end a handshake.
        Event::Alert(alert) if !alert.fatal && alert.description != 0 => Step::More,
        Event::Alert(alert) if flight.is_none() => Step::Done(Outcome::Refused(Some(alert))),
        Event::Alert(_) | Event::Other(_) => done(flight),
        Event::Handshake(SERVER_HELLO, body) if flight.is_none() => {
            let Some(hello) = ServerHello::read(&body) else {
                return Step::Done(Outcome::Violation("a ServerHello that cannot be read"));
            };
            let in_the_clear = hello.version < 0x0304;
            *flight = Some(Flight { hello, chain: Vec::new(), key_exchange: None });
            if in_the_clear { Step::More } else { done(flight) }
        }
        Event::Handshake(kind, body) => {
            let Some(shown) = flight else { return done(flight) };
            match kind {
                CERTIFICATE => shown.chain = certificates(&body).unwrap_or_default(),
                SERVER_KEY_EXCHANGE => shown.key_exchange = Some(body),
                SERVER_HELLO_DONE => return done(flight),
                _ => {}
            }
            Step::More
        }
    }
}

/// A record of SSLv2 is 32,767 bytes long at most.
const MAX_SSL2: usize = 2 + 0x7fff;

pub(crate) fn read_ssl2(stream: &mut impl Read) -> Result<Outcome, Outcome> {
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match sslv2::read(&received) {
            sslv2::Answer::Hello(hello) => return Ok(Outcome::Ssl2(hello)),
            sslv2::Answer::Refused => return Ok(Outcome::Refused(None)),
            sslv2::Answer::Broken => {
                return Ok(Outcome::Violation("a SERVER-HELLO of SSLv2 that cannot be read"));
            }
            sslv2::Answer::Foreign => return not_ssl2(&received),
            sslv2::Answer::Incomplete if received.len() > MAX_SSL2 => {
                return Ok(Outcome::Violation("a record too long"));
            }
            sslv2::Answer::Incomplete => {}
        }
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 => received.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            Ok(_) => return Ok(Outcome::Ended(Ending::Closed)),
            Err(error) => return Ok(Outcome::from_io(error.kind())),
        }
    }
}

/// A server of TLS answers a hello of SSLv2 with an alert, if at all.
fn not_ssl2(received: &[u8]) -> Result<Outcome, Outcome> {
    let mut reader = Reader::default();
    reader.push(received)?;
    Ok(match reader.next()? {
        Some(Event::Alert(alert)) => Outcome::Refused(Some(alert)),
        _ => Outcome::Foreign(received.iter().take(128).copied().collect()),
    })
}
