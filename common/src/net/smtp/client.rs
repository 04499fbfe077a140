//! The client side of an SMTP dialogue under one deadline, in bounded memory.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use crate::net::deadline::Deadline;
use crate::net::error::{ProbeError, Trouble};
use crate::net::phase::Phase;
use crate::net::tcp::TimedStream;
use crate::net::tls::{Connector, HandshakeFailure, TlsSeen, TlsStream};
use crate::proto::redact::Redactor;
use crate::proto::sasl::ChannelBinding;
use crate::proto::smtp::{Command, Reply, ReplyError, ReplyLimits, ReplyReader};
use crate::proto::text::decode;

/// How long a server may think about QUIT; its answer changes nothing.
const QUIT_PATIENCE: Duration = Duration::from_millis(250);
/// How long an injected command may take to be answered; a server that executes it has it
/// in its buffer already.
const INJECTION_PATIENCE: Duration = Duration::from_millis(500);
const TRANSCRIPT_LINES: usize = 200;
const TRANSCRIPT_BYTES: usize = 512;
const READ_SIZE: usize = 4096;

/// A conversation with one server.
#[derive(Debug)]
pub struct SmtpClient {
    stream: Stream,
    reader: ReplyReader,
    /// Bytes received behind the last reply.
    incoming: Vec<u8>,
    redactor: Redactor,
    transcript: Vec<String>,
}

#[derive(Debug)]
enum Stream {
    Plain(TimedStream),
    Tls(TlsStream),
    /// A handshake on it failed.
    Gone,
}

/// Why STARTTLS gave no encrypted connection.
#[derive(Debug)]
pub enum StarttlsFailure {
    /// The connection or the dialogue failed.
    Probe(ProbeError),
    /// Any answer but 220.
    Refused(Reply),
    /// Bytes in plaintext behind the 220, which a careless client would take for part of
    /// the encrypted dialogue.
    Injected(Vec<u8>),
    /// The handshake failed.
    Handshake(Box<HandshakeFailure>),
}

impl std::fmt::Display for StarttlsFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Probe(error) => error.fmt(f),
            Self::Refused(reply) => write!(f, "STARTTLS refused: {}", quoted(&reply.words())),
            Self::Injected(bytes) => write!(f, "plaintext behind the 220: {}", quoted(&decode(bytes))),
            Self::Handshake(failure) => failure.error.fmt(f),
        }
    }
}

/// How a conversation ended after its work was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// The server answered QUIT, or had said something before it.
    Answered(Reply),
    /// The server had closed the connection already, or closed it instead of answering.
    Closed,
    /// No answer within a quarter of a second.
    Silent,
}

impl SmtpClient {
    /// A conversation over a new connection; nothing is sent before the greeting.
    #[must_use]
    pub const fn new(stream: TimedStream, limits: ReplyLimits) -> Self {
        Self {
            stream: Stream::Plain(stream),
            reader: ReplyReader::new(limits),
            incoming: Vec::new(),
            redactor: Redactor::new(),
            transcript: Vec::new(),
        }
    }

    /// Bytes that must never be shown, should the server say them.
    pub fn hide(&mut self, secret: &[u8]) {
        self.redactor.hide(secret);
    }

    /// Our end of the connection.
    #[must_use]
    pub fn local_address(&self) -> Option<SocketAddr> {
        self.addresses().map(|(ours, _)| ours)
    }

    /// Both ends of the connection, where it is one over TCP.
    #[must_use]
    pub fn addresses(&self) -> Option<(SocketAddr, SocketAddr)> {
        self.tcp().and_then(TimedStream::addresses)
    }

    /// What a login can be tied to, once TLS is up.
    #[must_use]
    pub fn channel_binding(&self) -> Option<ChannelBinding> {
        match &self.stream {
            Stream::Tls(stream) => stream.channel_binding(),
            Stream::Plain(_) | Stream::Gone => None,
        }
    }

    /// The certificates that the peer showed, in DER, its own first; none without TLS.
    #[must_use]
    pub fn peer_chain(&self) -> Vec<Vec<u8>> {
        match &self.stream {
            Stream::Tls(stream) => stream.chain(),
            Stream::Plain(_) | Stream::Gone => Vec::new(),
        }
    }

    /// What was said so far, `>` ours, `<` theirs, secrets masked; at most 200 lines.
    #[must_use]
    pub fn transcript(&self) -> &[String] {
        &self.transcript
    }

    /// Reads the greeting.
    pub fn greeting(&mut self) -> Result<Reply, ProbeError> {
        self.enter(Phase::WaitingForBanner);
        self.read_reply()
    }

    /// Sends a command and reads its reply.
    pub fn command(&mut self, command: &Command, phase: Phase) -> Result<Reply, ProbeError> {
        self.enter(phase);
        if let Some(closing) = self.unasked()? {
            return Ok(closing);
        }
        self.note('>', &command.to_string());
        self.write(command.wire())?;
        self.read_reply()
    }

    /// Sends a command without secrets and reads its reply.
    pub fn say(&mut self, line: &str, phase: Phase) -> Result<Reply, ProbeError> {
        let command =
            Command::plain(line).map_err(|error| ProbeError::local(format!("our command {error}")))?;
        let reply = self.command(&command, phase)?;
        self.expect_no_more()?;
        Ok(reply)
    }

    /// Sends several commands at once and reads their replies in order: only for a server that
    /// offers PIPELINING (RFC 2920). What was answered before a failure is in `replies`. 421
    /// ends it, for the server closes.
    pub fn say_all(
        &mut self,
        lines: &[String],
        phase: Phase,
        replies: &mut Vec<Reply>,
    ) -> Result<(), ProbeError> {
        self.enter(phase);
        if let Some(closing) = self.unasked()? {
            replies.push(closing);
            return Ok(());
        }
        let mut wire = Vec::new();
        for line in lines {
            let command =
                Command::plain(line).map_err(|error| ProbeError::local(format!("our command {error}")))?;
            wire.extend_from_slice(command.wire());
            self.note('>', line);
        }
        self.write(&wire)?;
        for _ in lines {
            let reply = self.read_reply()?;
            let closes = reply.code == 421;
            replies.push(reply);
            if closes {
                return Ok(());
            }
        }
        // One reply too many, and those before it may be anybody's.
        self.expect_no_more()
    }

    /// Sends bytes ahead of everything, before the server speaks: the PROXY protocol's header.
    pub fn preface(&mut self, bytes: &[u8]) -> Result<(), ProbeError> {
        self.note('>', &format!("PROXY header, {} bytes", bytes.len()));
        self.write(bytes)
    }

    /// STARTTLS with a command glued behind it in the same packet, as an attacker on the way
    /// would do (CVE-2011-0411). `Some` when the server answers that command inside TLS: it
    /// took plaintext for part of the encrypted dialogue.
    pub fn inject_behind_starttls(
        &mut self,
        connector: &Connector,
    ) -> Result<Option<Reply>, StarttlsFailure> {
        self.enter(Phase::NegotiatingTls);
        self.note('>', "STARTTLS");
        self.note('>', "NOOP (in the same packet)");
        self.write(b"STARTTLS\r\nNOOP\r\n").map_err(StarttlsFailure::Probe)?;
        let reply = self.read_reply().map_err(StarttlsFailure::Probe)?;
        if reply.code != 220 {
            return Err(StarttlsFailure::Refused(reply));
        }
        if !self.incoming.is_empty() {
            return Err(StarttlsFailure::Injected(self.redactor.mask(&std::mem::take(&mut self.incoming))));
        }
        self.handshake(connector).map_err(StarttlsFailure::Handshake)?;
        self.shorten(INJECTION_PATIENCE);
        match self.read_reply() {
            Ok(reply) => Ok(Some(reply)),
            // Silence is right; so is a server that closes on such a client.
            Err(error) if matches!(error.trouble, Trouble::Timeout | Trouble::Unreachable) => Ok(None),
            Err(error) => Err(StarttlsFailure::Probe(error)),
        }
    }

    /// STARTTLS (RFC 3207): command, reply, handshake. What was learned before is void
    /// afterwards; the caller says EHLO again.
    pub fn starttls(&mut self, connector: &Connector) -> Result<TlsSeen, StarttlsFailure> {
        let command = Command::plain("STARTTLS")
            .map_err(|error| StarttlsFailure::Probe(ProbeError::local(error.to_string())))?;
        // What stands behind its reply is no reply.
        let reply = self.command(&command, Phase::NegotiatingTls).map_err(StarttlsFailure::Probe)?;
        if reply.code != 220 {
            return Err(StarttlsFailure::Refused(reply));
        }
        if !self.incoming.is_empty() {
            return Err(StarttlsFailure::Injected(self.redactor.mask(&std::mem::take(&mut self.incoming))));
        }
        self.handshake(connector).map_err(|failure| match &failure.plaintext {
            // The same, but arrived a moment later.
            Some(text) if ReplyReader::new(ReplyLimits::default()).feed(text).is_ok() => {
                StarttlsFailure::Injected(text.clone())
            }
            _ => StarttlsFailure::Handshake(failure),
        })
    }

    /// TLS from here on, without STARTTLS.
    pub fn handshake(&mut self, connector: &Connector) -> Result<TlsSeen, Box<HandshakeFailure>> {
        let stream = match std::mem::replace(&mut self.stream, Stream::Gone) {
            Stream::Plain(stream) => stream,
            other => {
                self.stream = other;
                let error =
                    ProbeError::new(Trouble::Internal, Phase::NegotiatingTls, "TLS was started twice");
                return Err(Box::new(HandshakeFailure { error, seen: None, plaintext: None }));
            }
        };
        let (stream, seen) = connector.handshake(stream)?;
        self.stream = Stream::Tls(stream);
        self.note('=', &format!("{} {}", seen.version, seen.suite));
        Ok(seen)
    }

    /// Says QUIT and waits a moment for the answer.
    pub fn quit(&mut self) -> Farewell {
        let Ok(command) = Command::plain("QUIT") else { return Farewell::Silent };
        self.shorten(QUIT_PATIENCE);
        self.note('>', &command.to_string());
        // A server that is gone may still have said why: what came unasked is read as the
        // answer, whether QUIT could be written or not.
        let _ = self.write(command.wire());
        let answer = self.read_reply();
        if let Stream::Tls(tls) = &mut self.stream {
            tls.close();
        }
        match answer {
            Ok(reply) => Farewell::Answered(reply),
            Err(error) if error.trouble == Trouble::Timeout => Farewell::Silent,
            Err(_) => Farewell::Closed,
        }
    }

    /// What the server said since its last reply: nothing, or 421, which may come at any time
    /// (RFC 5321 section 3.8).
    fn unasked(&mut self) -> Result<Option<Reply>, ProbeError> {
        self.expect_no_more()?;
        if self.incoming.is_empty() { Ok(None) } else { self.read_reply().map(Some) }
    }

    /// Between replies a server has nothing to say but that it closes.
    fn expect_no_more(&self) -> Result<(), ProbeError> {
        if self.incoming.is_empty() || self.incoming.starts_with(b"421") {
            return Ok(());
        }
        let words = decode(&self.redactor.mask(&self.incoming));
        Err(self.protocol(&format!("server spoke out of turn: {}", quoted(&words))))
    }

    fn read_reply(&mut self) -> Result<Reply, ProbeError> {
        let mut chunk = std::mem::take(&mut self.incoming);
        loop {
            match self.reader.feed(&chunk) {
                Ok((used, Some(mut reply))) => {
                    self.incoming = chunk.split_off(used);
                    for line in &mut reply.lines {
                        *line = self.redactor.mask(line);
                    }
                    self.note_reply(&reply);
                    return Ok(reply);
                }
                Ok((_, None)) => chunk = self.read()?,
                Err(error) => return Err(self.broken(&error, &chunk)),
            }
        }
    }

    /// Reads some bytes; the end of the stream is an error in the middle of a dialogue.
    fn read(&mut self) -> Result<Vec<u8>, ProbeError> {
        let mut buffer = vec![0; READ_SIZE];
        let count = match &mut self.stream {
            Stream::Plain(tcp) => tcp.read(&mut buffer),
            Stream::Tls(tls) => tls.read(&mut buffer),
            Stream::Gone => Err(io::ErrorKind::UnexpectedEof.into()),
        };
        match count {
            Ok(0) => Err(self.failed(&io::ErrorKind::UnexpectedEof.into())),
            Ok(count) => {
                buffer.truncate(count);
                Ok(buffer)
            }
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), ProbeError> {
        let written = match &mut self.stream {
            Stream::Plain(tcp) => tcp.write_all(bytes),
            Stream::Tls(tls) => tls.send(bytes),
            Stream::Gone => Err(io::ErrorKind::UnexpectedEof.into()),
        };
        written.map_err(|error| self.failed(&error))
    }

    /// An I/O error as a sentence; a reply that was begun is told from plain silence.
    fn failed(&self, error: &io::Error) -> ProbeError {
        if let Stream::Tls(tls) = &self.stream
            && let Some(failure) = tls.explain(error)
        {
            return failure;
        }
        let phase = self.deadline_phase();
        let limit = self.tcp().map_or(Duration::ZERO, |tcp| tcp.deadline().limit());
        let mut failure = ProbeError::from_io(error, phase, limit);
        match (failure.trouble, self.reader.pending()) {
            (_, 0) => {}
            (Trouble::Timeout, bytes) => {
                failure.text.push_str(&format!(": {bytes} bytes came, but no whole reply (tarpit?)"));
                failure.hint = Some(
                    "a tarpit, a greeting delay or an overloaded server: -t gives it more time".to_owned(),
                );
            }
            (_, bytes) => failure.text.push_str(&format!(" in the middle of a reply ({bytes} bytes)")),
        }
        failure
    }

    fn broken(&self, error: &ReplyError, chunk: &[u8]) -> ProbeError {
        match error {
            ReplyError::NotAReply(start) => {
                // What the reader holds of the line, and what else has come of it.
                let line = chunk
                    .windows(start.len().max(1))
                    .position(|window| window == start.as_slice())
                    .and_then(|at| chunk.get(at..))
                    .unwrap_or(start);
                let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
                let words = decode(&self.redactor.mask(line.get(..line.len().min(256)).unwrap_or(line)));
                self.protocol(&format!("not an SMTP reply: {}", quoted(&words)))
            }
            other => self.protocol(&other.to_string()),
        }
    }

    fn protocol(&self, text: &str) -> ProbeError {
        let phase = self.deadline_phase();
        ProbeError::new(Trouble::Protocol, phase, format!("protocol violation while {phase}: {text}"))
    }

    fn note(&mut self, direction: char, line: &str) {
        if self.transcript.len() < TRANSCRIPT_LINES {
            let end = line.floor_char_boundary(TRANSCRIPT_BYTES);
            self.transcript.push(format!("{direction} {}", line.get(..end).unwrap_or_default()));
        }
    }

    fn note_reply(&mut self, reply: &Reply) {
        let last = reply.lines.len().saturating_sub(1);
        for (index, line) in reply.lines.iter().enumerate() {
            let separator = if index == last { ' ' } else { '-' };
            self.note('<', &format!("{}{separator}{}", reply.code, decode(line)));
        }
    }

    fn shorten(&mut self, time: Duration) {
        match &mut self.stream {
            Stream::Plain(tcp) => tcp.shorten(time),
            Stream::Tls(tls) => tls.tcp_mut().shorten(time),
            Stream::Gone => {}
        }
    }

    fn tcp(&self) -> Option<&TimedStream> {
        match &self.stream {
            Stream::Plain(tcp) => Some(tcp),
            Stream::Tls(tls) => Some(tls.tcp()),
            Stream::Gone => None,
        }
    }

    fn enter(&self, phase: Phase) {
        if let Some(tcp) = self.tcp() {
            tcp.deadline().enter(phase);
        }
    }

    fn deadline_phase(&self) -> Phase {
        self.tcp().map(TimedStream::deadline).map_or(Phase::NegotiatingTls, Deadline::phase)
    }
}

fn quoted(words: &str) -> String {
    let end = words.floor_char_boundary(128);
    format!("\"{}\"", words.get(..end).unwrap_or(words).trim_end())
}
