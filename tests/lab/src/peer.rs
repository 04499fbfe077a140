//! A TCP server that plays a script for each connection: for servers that are slow, odd,
//! broken or hostile in ways no real server can be configured to be.
//!
//! A script reads like the transcript of a session, server side first:
//! ```
//! use lab::peer::{Peer, Script};
//! let peer = Peer::start(
//!     Script::new()
//!         .send("220 mail.lab.test ESMTP\r\n")
//!         .ehlo(&["AUTH PLAIN LOGIN"])
//!         .expect("AUTH PLAIN")
//!         .send("454 4.7.0 Temporary authentication failure\r\n"),
//! );
//! assert_ne!(peer.port(), 0);
//! ```

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::ServerConfig;
use socket2::SockRef;

use crate::acceptor::{Acceptor, Stop};
use crate::host::several_lines;
use crate::wire::{Transcripts, Wire};

pub use crate::wire::TLS_MARK;

/// Turns the client's line into the bytes to send back.
pub type Answer = Arc<dyn Fn(&[u8]) -> Vec<u8> + Send + Sync>;

/// One thing a scripted peer does.
#[derive(Clone)]
pub enum Step {
    /// Sends these bytes as they are.
    Send(Vec<u8>),
    /// Reads a line that must begin with this text, in any case. Another line, or the end
    /// of the connection, is recorded as a mismatch and ends the script.
    Expect(String),
    /// Reads a line, whatever it says.
    Read,
    /// Reads what comes with one read call, line or not.
    ReadSome,
    /// Reads this many bytes.
    ReadExact(usize),
    /// Reads a line and sends what the function makes of it.
    Reply(Answer),
    /// Sends the bytes one by one.
    Drip {
        /// The bytes.
        bytes: Vec<u8>,
        /// Pause before each byte.
        every: Duration,
    },
    /// Sends the bytes again and again.
    Repeat {
        /// The bytes.
        bytes: Vec<u8>,
        /// How often; `None`: until the client closes.
        times: Option<u64>,
    },
    /// Does nothing for a time.
    Sleep(Duration),
    /// Continues over TLS from here on. A failed handshake ends the script, see
    /// [`Peer::tls_failures`].
    Tls(Arc<ServerConfig>),
    /// Ends the connection politely (close_notify when in TLS, FIN).
    Close,
    /// Ends the connection with FIN but without close_notify.
    Cut,
    /// Ends the connection with RST.
    Reset,
    /// Keeps the connection open and silent, reading nothing, until the peer stops.
    Hold,
    /// Remembers this place for [`Step::Again`].
    Mark,
    /// Goes back to the last [`Step::Mark`] (or the beginning) until the client closes.
    Again,
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send(bytes) => write!(f, "Send({:?})", String::from_utf8_lossy(bytes)),
            Self::Expect(text) => write!(f, "Expect({text:?})"),
            Self::Read => f.write_str("Read"),
            Self::ReadSome => f.write_str("ReadSome"),
            Self::ReadExact(length) => write!(f, "ReadExact({length})"),
            Self::Reply(_) => f.write_str("Reply"),
            Self::Drip { bytes, every } => write!(f, "Drip({} bytes, {every:?})", bytes.len()),
            Self::Repeat { bytes, times } => write!(f, "Repeat({} bytes, {times:?})", bytes.len()),
            Self::Sleep(time) => write!(f, "Sleep({time:?})"),
            Self::Tls(_) => f.write_str("Tls"),
            Self::Close => f.write_str("Close"),
            Self::Cut => f.write_str("Cut"),
            Self::Reset => f.write_str("Reset"),
            Self::Hold => f.write_str("Hold"),
            Self::Mark => f.write_str("Mark"),
            Self::Again => f.write_str("Again"),
        }
    }
}

/// What a peer plays for one connection. After the last step it reads and records until the
/// client closes.
#[derive(Clone, Debug, Default)]
pub struct Script {
    steps: Vec<Step>,
}

impl Script {
    /// An empty script: accepts, sends nothing, reads until the client closes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds any step.
    #[must_use]
    pub fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Appends the steps of another script.
    #[must_use]
    pub fn then(mut self, other: Self) -> Self {
        self.steps.extend(other.steps);
        self
    }

    /// See [`Step::Send`].
    #[must_use]
    pub fn send(self, bytes: impl AsRef<[u8]>) -> Self {
        self.step(Step::Send(bytes.as_ref().to_vec()))
    }

    /// See [`Step::Expect`].
    #[must_use]
    pub fn expect(self, prefix: &str) -> Self {
        self.step(Step::Expect(prefix.to_owned()))
    }

    /// See [`Step::Read`].
    #[must_use]
    pub fn read(self) -> Self {
        self.step(Step::Read)
    }

    /// See [`Step::ReadSome`].
    #[must_use]
    pub fn read_some(self) -> Self {
        self.step(Step::ReadSome)
    }

    /// See [`Step::ReadExact`].
    #[must_use]
    pub fn read_exact(self, length: usize) -> Self {
        self.step(Step::ReadExact(length))
    }

    /// See [`Step::Reply`].
    #[must_use]
    pub fn reply(self, answer: impl Fn(&[u8]) -> Vec<u8> + Send + Sync + 'static) -> Self {
        self.step(Step::Reply(Arc::new(answer)))
    }

    /// See [`Step::Drip`].
    #[must_use]
    pub fn drip(self, bytes: impl AsRef<[u8]>, every: Duration) -> Self {
        self.step(Step::Drip { bytes: bytes.as_ref().to_vec(), every })
    }

    /// See [`Step::Repeat`].
    #[must_use]
    pub fn repeat(self, bytes: impl AsRef<[u8]>, times: u64) -> Self {
        self.step(Step::Repeat { bytes: bytes.as_ref().to_vec(), times: Some(times) })
    }

    /// See [`Step::Repeat`]: until the client closes.
    #[must_use]
    pub fn repeat_forever(self, bytes: impl AsRef<[u8]>) -> Self {
        self.step(Step::Repeat { bytes: bytes.as_ref().to_vec(), times: None })
    }

    /// See [`Step::Sleep`].
    #[must_use]
    pub fn sleep(self, time: Duration) -> Self {
        self.step(Step::Sleep(time))
    }

    /// See [`Step::Tls`].
    #[must_use]
    pub fn tls(self, config: &Arc<ServerConfig>) -> Self {
        self.step(Step::Tls(Arc::clone(config)))
    }

    /// See [`Step::Close`].
    #[must_use]
    pub fn close(self) -> Self {
        self.step(Step::Close)
    }

    /// See [`Step::Cut`].
    #[must_use]
    pub fn cut(self) -> Self {
        self.step(Step::Cut)
    }

    /// See [`Step::Reset`].
    #[must_use]
    pub fn reset(self) -> Self {
        self.step(Step::Reset)
    }

    /// See [`Step::Hold`].
    #[must_use]
    pub fn hold(self) -> Self {
        self.step(Step::Hold)
    }

    /// See [`Step::Mark`].
    #[must_use]
    pub fn mark(self) -> Self {
        self.step(Step::Mark)
    }

    /// See [`Step::Again`].
    #[must_use]
    pub fn again(self) -> Self {
        self.step(Step::Again)
    }

    /// `220 mail.lab.test ESMTP`.
    #[must_use]
    pub fn banner(self) -> Self {
        self.send("220 mail.lab.test ESMTP\r\n")
    }

    /// Expects EHLO and answers it with these keyword lines.
    #[must_use]
    pub fn ehlo(self, keywords: &[&str]) -> Self {
        self.expect("EHLO ").send(several_lines("250", &[&["mail.lab.test"], keywords].concat()))
    }

    /// Expects STARTTLS, agrees to it and completes the handshake.
    #[must_use]
    pub fn starttls(self, config: &Arc<ServerConfig>) -> Self {
        self.expect("STARTTLS").send("220 2.0.0 Ready to start TLS\r\n").tls(config)
    }

    /// Expects QUIT, says goodbye and closes.
    #[must_use]
    pub fn quit(self) -> Self {
        self.expect("QUIT").send("221 2.0.0 Bye\r\n").close()
    }
}

/// A running scripted peer; stops and closes everything when dropped.
#[derive(Debug)]
pub struct Peer {
    acceptor: Acceptor,
    record: Arc<Record>,
}

#[derive(Debug, Default)]
struct Record {
    transcripts: Transcripts,
    mismatches: Mutex<Vec<String>>,
    tls_failures: Mutex<Vec<String>>,
}

impl Peer {
    /// Plays the script for every connection to a free port of `127.0.0.1`.
    #[must_use]
    pub fn start(script: Script) -> Self {
        Self::start_each(vec![script])
    }

    /// Like [`Peer::start`] on any loopback address, e.g. `[::1]:0`.
    #[must_use]
    pub fn start_on(address: SocketAddr, script: Script) -> Self {
        Self::start_each_on(address, vec![script])
    }

    /// The n-th connection plays the n-th script; further ones play the last.
    #[must_use]
    pub fn start_each(scripts: Vec<Script>) -> Self {
        Self::start_each_on((Ipv4Addr::LOCALHOST, 0).into(), scripts)
    }

    /// [`Peer::start_each`] on any loopback address.
    #[must_use]
    pub fn start_each_on(address: SocketAddr, scripts: Vec<Script>) -> Self {
        assert!(address.ip().is_loopback(), "the lab stays on loopback");
        assert!(!scripts.is_empty(), "a peer needs a script");
        let record = Arc::new(Record::default());
        let shared = Arc::clone(&record);
        let acceptor = Acceptor::start(address, move |number, stream, stop| {
            let script = &scripts[number.min(scripts.len() - 1)];
            let transcript = shared.transcripts.of(number);
            Player { number, wire: Wire::new(stream, transcript), stop, record: &shared }.play(script);
        });
        Self { acceptor, record }
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.acceptor.address()
    }

    /// Port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.addr().port()
    }

    /// Number of connections so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.record.transcripts.count()
    }

    /// Everything the clients sent, one entry for each connection in the order of their
    /// arrival; what came through TLS is in clear, after [`TLS_MARK`].
    #[must_use]
    pub fn received(&self) -> Vec<Vec<u8>> {
        self.record.transcripts.bytes()
    }

    /// [`Peer::received`] of the n-th connection (from 0) as text.
    #[must_use]
    pub fn received_text(&self, connection: usize) -> String {
        String::from_utf8_lossy(&self.received()[connection]).into_owned()
    }

    /// Where clients did something else than a script expected.
    #[must_use]
    pub fn mismatches(&self) -> Vec<String> {
        self.record.mismatches.lock().unwrap().clone()
    }

    /// Handshakes that did not complete, e.g. because the client refused the certificate.
    #[must_use]
    pub fn tls_failures(&self) -> Vec<String> {
        self.record.tls_failures.lock().unwrap().clone()
    }

    /// Panics when a client did something else than its script expected.
    pub fn assert_followed(&self) {
        let mismatches = self.mismatches();
        assert!(mismatches.is_empty(), "the client left the script: {mismatches:#?}");
    }
}

/// Plays a script on a connection that has begun. Where it expects something else than comes, it ends.
pub(crate) fn play_on(wire: Wire, number: usize, stop: &Stop, script: &Script) {
    Player { number, wire, stop, record: &Record::default() }.play(script);
}

/// How the script goes on after a step.
enum Flow {
    Next,
    Jump(usize),
    Mark,
    Drain,
    Over,
}

struct Player<'a> {
    number: usize,
    wire: Wire,
    stop: &'a Stop,
    record: &'a Record,
}

impl Player<'_> {
    fn play(mut self, script: &Script) {
        let (mut at, mut mark) = (0, 0);
        while let Some(step) = script.steps.get(at) {
            // An error of the socket means that the client is gone: normal for most tests.
            match self.take(step, at, mark).unwrap_or(Flow::Over) {
                Flow::Next => at += 1,
                Flow::Jump(target) => at = target,
                Flow::Mark => {
                    at += 1;
                    mark = at;
                }
                Flow::Drain => break,
                Flow::Over => return,
            }
        }
        self.wire.drain();
    }

    fn take(&mut self, step: &Step, at: usize, mark: usize) -> io::Result<Flow> {
        match step {
            Step::Send(bytes) => self.wire.send(bytes)?,
            Step::Expect(prefix) => return self.expect(prefix, at),
            Step::Read => return Ok(next_unless(self.wire.line()?.is_none())),
            Step::ReadSome => return Ok(next_unless(self.wire.some()?.is_empty())),
            Step::ReadExact(length) => return Ok(next_unless(self.wire.exact(*length)?.is_none())),
            Step::Reply(answer) => match self.wire.line()? {
                Some(line) => self.wire.send(&answer(&line))?,
                None => return Ok(Flow::Over),
            },
            Step::Drip { bytes, every } => return self.drip(bytes, *every),
            Step::Repeat { bytes, times } => self.repeat(bytes, *times)?,
            Step::Sleep(time) => return Ok(next_unless(!self.stop.sleep(*time))),
            Step::Tls(config) => {
                if let Err(error) = self.wire.start_tls(config) {
                    let text = format!("connection {}: {error}", self.number);
                    self.record.tls_failures.lock().unwrap().push(text);
                    return Ok(Flow::Drain);
                }
            }
            Step::Close => {
                self.wire.finish();
                return Ok(Flow::Over);
            }
            Step::Cut => {
                self.wire.cut();
                return Ok(Flow::Over);
            }
            Step::Reset => {
                reset_on_close(self.wire.socket())?;
                return Ok(Flow::Over);
            }
            Step::Hold => while self.stop.sleep(Duration::from_hours(1)) {},
            Step::Mark => return Ok(Flow::Mark),
            Step::Again => return Ok(Flow::Jump(mark)),
        }
        Ok(Flow::Next)
    }

    fn expect(&mut self, prefix: &str, at: usize) -> io::Result<Flow> {
        let line = self.wire.line()?;
        let fits = line.as_ref().is_some_and(|line| {
            line.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
        });
        if fits {
            return Ok(Flow::Next);
        }
        let got = match &line {
            Some(line) => format!("{:?}", String::from_utf8_lossy(line)),
            None => "the end of the connection".to_owned(),
        };
        let text = format!("connection {} step {at}: expected {prefix:?}, got {got}", self.number);
        self.record.mismatches.lock().unwrap().push(text);
        self.wire.finish();
        Ok(Flow::Over)
    }

    fn drip(&mut self, bytes: &[u8], every: Duration) -> io::Result<Flow> {
        for byte in bytes {
            if !self.stop.sleep(every) {
                return Ok(Flow::Over);
            }
            self.wire.send(&[*byte])?;
        }
        Ok(Flow::Next)
    }

    fn repeat(&mut self, bytes: &[u8], times: Option<u64>) -> io::Result<()> {
        // Sent in blocks: a system call for each short line would make the peer the slow part.
        let per_block = (16384 / bytes.len().max(1)).max(1);
        let block = bytes.repeat(per_block);
        let per_block = per_block as u64;
        let mut left = times.unwrap_or(u64::MAX);
        while left >= per_block {
            self.wire.send(&block)?;
            left -= per_block;
        }
        for _ in 0..left {
            self.wire.send(bytes)?;
        }
        Ok(())
    }
}

fn next_unless(ended: bool) -> Flow {
    if ended { Flow::Over } else { Flow::Next }
}

/// Closing the socket now sends RST and forgets unsent data.
fn reset_on_close(stream: &TcpStream) -> io::Result<()> {
    SockRef::from(stream).set_linger(Some(Duration::ZERO))
}
