//! One connection: up to TLS, one hello, and what the server makes of it.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::OnceLock;
use std::time::Duration;

use common::net::{Deadline, ProbeError, TimedStream, connect};

use super::starttls::{Protocol, Stopped};
use crate::suites::Suite;
use crate::wire::hello::ClientHello;
use crate::wire::reader::{Alert, Event, NotTls, Reader};
use crate::wire::server::{
    CERTIFICATE, Parameters, SERVER_HELLO, SERVER_HELLO_DONE, SERVER_KEY_EXCHANGE, ServerHello, certificates,
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
    /// Whose server it is to be, where a protocol asks before TLS.
    pub(crate) name: String,
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
    /// Another name is wanted before TLS, in the server's words.
    Elsewhere(String),
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
    /// With which the server gave up after its ServerHello: nobody gets further with this suite.
    pub(crate) alert: Option<Alert>,
}

impl Flight {
    /// Bits of the prime the server sent, where the suite has one.
    pub(crate) fn dh_bits(&self) -> Option<u32> {
        match self.parameters()? {
            Parameters::Dhe { bits } => Some(bits),
            Parameters::Ecdhe { .. } => None,
        }
    }

    /// The group of the key exchange, where it has a number.
    pub(crate) fn group(&self) -> Option<u16> {
        match self.parameters() {
            Some(Parameters::Ecdhe { group }) => Some(group),
            _ => self.hello.group,
        }
    }

    /// Whether the suite has a prime or a curve to judge, and the server did not show it.
    pub(crate) fn hides_parameters(&self) -> bool {
        self.suite().is_some_and(|suite| suite.is_ffdhe() || suite.is_ecdhe()) && self.parameters().is_none()
    }

    /// The scheme that it signed them with (TLS 1.2).
    pub(crate) fn signature_scheme(&self) -> Option<u16> {
        let suite = self.suite().filter(|suite| self.hello.version == 0x0303 && suite.is_signed())?;
        Parameters::signature_scheme(suite.kx, self.key_exchange.as_deref()?)
    }

    fn parameters(&self) -> Option<Parameters> {
        Parameters::read(self.suite()?.kx, self.key_exchange.as_deref()?)
    }

    fn suite(&self) -> Option<&'static Suite> {
        Suite::by_code(self.hello.suite)
    }
}

impl Endpoint {
    /// Connects and gets to TLS.
    pub(crate) fn connect(&self) -> Result<TimedStream, Outcome> {
        let deadline = self.deadline.shortened(self.deadline.elapsed() + self.patience);
        let addresses = self.address.get().map_or(self.addresses.as_slice(), std::slice::from_ref);
        let connected = connect(addresses, None, &deadline).map_err(Outcome::Unreachable)?;
        let mut stream = connected.stream;
        let _ = self.address.set(connected.address);
        if let Some(protocol) = self.starttls {
            protocol.begin(&mut stream, &self.name).map_err(Outcome::from)?;
        }
        Ok(stream)
    }
}

/// Sends a hello and reads the answer, up to TLS 1.2 with the certificates and the key exchange, which
/// come in the same flight: unread they would make the end of the connection a reset.
pub(crate) fn ask(mut stream: TimedStream, hello: &ClientHello<'_>, random: &[u8; 32]) -> Outcome {
    send(&mut stream, &hello.record(random)).map_or_else(|end| end, |()| read_flight(&mut stream))
}

/// The same in SSLv2.
pub(crate) fn ask_ssl2(mut stream: TimedStream, ciphers: &[u32], random: &[u8; 32]) -> Outcome {
    let hello = sslv2::client_hello(ciphers, random);
    send(&mut stream, &hello).and_then(|()| read_ssl2(&mut stream)).unwrap_or_else(|end| end)
}

pub(crate) fn send(stream: &mut TimedStream, hello: &[u8]) -> Result<(), Outcome> {
    stream.write_all(hello).map_err(|error| Outcome::from_io(error.kind()))
}

impl From<Stopped> for Outcome {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::NotOffered(words) => Self::NoStarttls(words),
            Stopped::Busy(words) => Self::Busy(words),
            Stopped::Elsewhere(words) => Self::Elsewhere(words),
            Stopped::Foreign(bytes) => Self::Foreign(bytes),
            Stopped::Failed(kind) => Self::from_io(kind),
        }
    }
}

impl Outcome {
    pub(crate) fn from_io(kind: ErrorKind) -> Self {
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

/// Reads until the server has shown enough. What was shown is shown, however the rest ends.
pub(crate) fn read_flight(stream: &mut impl Read) -> Outcome {
    let mut flight = None;
    let end = read_messages(stream, &mut flight).unwrap_or_else(Outcome::from);
    flight.map_or(end, |flight| Outcome::Accepted(Box::new(flight)))
}

/// What ends it counts only where nothing was shown.
fn read_messages(stream: &mut impl Read, flight: &mut Option<Flight>) -> Result<Outcome, NotTls> {
    let mut reader = Reader::default();
    let mut buffer = [0; 4096];
    loop {
        while let Some(event) = reader.next()? {
            if let ControlFlow::Break(end) = take(flight, event) {
                return Ok(end);
            }
        }
        match stream.read(&mut buffer) {
            Ok(count) if count > 0 => reader.push(buffer.get(..count).unwrap_or_default())?,
            _ if !reader.pending().is_empty() => {
                return Ok(Outcome::Violation("the answer ends in the middle of a record"));
            }
            Ok(_) => return Ok(Outcome::Ended(Ending::Closed)),
            Err(error) => return Ok(Outcome::from_io(error.kind())),
        }
    }
}

fn take(flight: &mut Option<Flight>, event: Event) -> ControlFlow<Outcome> {
    const OUT_OF_TURN: Outcome = Outcome::Violation("a message before the ServerHello");
    match (event, flight) {
        // Warnings, such as unrecognized_name, do not end a handshake.
        (Event::Alert(alert), _) if !alert.fatal && alert.description != 0 => ControlFlow::Continue(()),
        // The end of the connection in other words, by which some refuse.
        (Event::Alert(Alert { description: 0, .. }), None) => {
            ControlFlow::Break(Outcome::Ended(Ending::Closed))
        }
        (Event::Alert(alert), shown) => {
            if let Some(shown) = shown {
                shown.alert = Some(alert);
            }
            ControlFlow::Break(Outcome::Refused(Some(alert)))
        }
        (Event::Handshake(SERVER_HELLO, body), flight @ None) => {
            let Some(hello) = ServerHello::read(&body) else {
                return ControlFlow::Break(Outcome::Violation("a ServerHello that cannot be read"));
            };
            let in_the_clear = hello.version < 0x0304;
            *flight = Some(Flight { hello, chain: Vec::new(), key_exchange: None, alert: None });
            if in_the_clear { ControlFlow::Continue(()) } else { ControlFlow::Break(OUT_OF_TURN) }
        }
        (Event::Other(_) | Event::Handshake(SERVER_HELLO_DONE, _), _) | (_, None) => {
            ControlFlow::Break(OUT_OF_TURN)
        }
        (Event::Handshake(kind, body), Some(shown)) => {
            match kind {
                CERTIFICATE => shown.chain = certificates(&body).unwrap_or_default(),
                SERVER_KEY_EXCHANGE => shown.key_exchange = Some(body),
                _ => {}
            }
            ControlFlow::Continue(())
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

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: [u8; 2] = [3, 3];

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let [.., a, b, c] = body.len().to_be_bytes();
        [&[kind, a, b, c], body].concat()
    }

    fn record(kind: u8, body: &[u8]) -> Vec<u8> {
        let [.., high, low] = body.len().to_be_bytes();
        [&[kind, 3, 3, high, low], body].concat()
    }

    fn hello(suite: u16) -> Vec<u8> {
        let body = [&HEAD[..], &[1; 32], &[0], &suite.to_be_bytes(), &[0]].concat();
        record(22, &message(SERVER_HELLO, &body))
    }

    fn flight(bytes: &[u8]) -> Flight {
        match read_flight(&mut &*bytes) {
            Outcome::Accepted(flight) => *flight,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_was_shown_counts_however_the_rest_ends() {
        let ends: [&[u8]; 7] = [
            b"",
            &[22, 3],
            b"HTTP/1.1 400 Bad Request",
            &record(21, &[2, 80]),
            &record(22, &[]),
            &record(23, b"secret"),
            &[22, 3, 3, 0xff, 0xff],
        ];
        for end in ends {
            let shown = flight(&[&hello(0xc02f), end].concat());
            assert_eq!(shown.hello.suite, 0xc02f, "{end:?}");
            assert!(shown.hides_parameters(), "{end:?}");
            assert_eq!(shown.alert.is_some(), end.first() == Some(&21), "{end:?}");
        }
        assert!(!flight(&hello(0x0005)).hides_parameters());
    }

    #[test]
    fn a_close_notify_is_an_end_and_no_refusal() {
        for level in [1, 2] {
            assert_eq!(read_flight(&mut &*record(21, &[level, 0])), Outcome::Ended(Ending::Closed));
        }
        assert!(matches!(read_flight(&mut &*record(21, &[2, 40])), Outcome::Refused(Some(_))));
        assert_eq!(read_flight(&mut &*record(21, &[1, 112])), Outcome::Ended(Ending::Closed));
        assert!(flight(&[hello(0xc02f), record(21, &[1, 0])].concat()).alert.is_some());
    }

    #[test]
    fn parameters_are_read_by_the_suite() {
        let with = |suite: u16, body: &[u8]| {
            let rest = [message(SERVER_KEY_EXCHANGE, body), message(SERVER_HELLO_DONE, &[])].concat();
            flight(&[hello(suite), record(22, &rest)].concat())
        };
        let curve = [3, 0, 29, 1, 9];
        assert_eq!(with(0xc02f, &curve).group(), Some(29));
        let hinted = [&[0, 4][..], b"hint", &curve].concat();
        assert_eq!(with(0xc035, &hinted).group(), Some(29));
        let prime = [&[0, 128, 0xff][..], &[1; 127], &[0, 1, 2, 0, 1, 5]].concat();
        assert_eq!(with(0x009e, &prime).dh_bits(), Some(1024));
        let hinted = [&[0, 0][..], &prime].concat();
        assert_eq!(with(0x00aa, &hinted).dh_bits(), Some(1024));
        assert!(with(0x009e, &[0, 9, 1]).hides_parameters());
    }
}
