//! What the embedded mail servers have in common: a listening socket with its certificate and its
//! record, and the part of a session that every kind of SMTP server speaks (RFC 5321, 3207).

use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use tempfile::TempDir;

use crate::acceptor::{Acceptor, Stop};
use crate::certs::Authority;
use crate::wire::{Transcripts, Wire};

/// A running server; stops when dropped.
#[derive(Debug)]
pub(crate) struct Host {
    acceptor: Acceptor,
    authority: Arc<Authority>,
    folder: TempDir,
    ca_file: PathBuf,
    transcripts: Arc<Transcripts>,
}

impl Host {
    /// Calls `serve` for each connection, with its number from 0 on.
    pub(crate) fn start<S>(listener: TcpListener, authority: Arc<Authority>, serve: S) -> Self
    where
        S: Fn(usize, Wire, &Stop) -> io::Result<()> + Send + Sync + 'static,
    {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ca_file = authority.write_ca(folder.path());
        let transcripts = Arc::new(Transcripts::default());
        let record = Arc::clone(&transcripts);
        let acceptor = Acceptor::serve(listener, move |number, stream, stop| {
            let wire = Wire::new(stream, record.of(number));
            // An error of the socket means that the client is gone.
            let _ = serve(number, wire, stop);
        });
        Self { acceptor, authority, folder, ca_file, transcripts }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.acceptor.address()
    }

    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// PEM file with the authority's certificate.
    pub(crate) fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn connections(&self) -> usize {
        self.transcripts.count()
    }

    /// What the clients sent, one entry for each connection in the order of their arrival.
    pub(crate) fn received(&self) -> Vec<Vec<u8>> {
        self.transcripts.bytes()
    }
}

/// Listens on an address that reaches nobody else; port 0 for any free one.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    // RFC 5737: in a namespace that has one.
    let is_nobodys = matches!(address.ip(), IpAddr::V4(ip) if ip.is_documentation());
    assert!(address.ip().is_loopback() || is_nobodys, "the lab stays on loopback");
    TcpListener::bind(address)
}

/// Whether the session goes on.
#[derive(PartialEq, Eq)]
pub(crate) enum Flow {
    Next,
    Quit,
}

/// The server's side of a session.
pub(crate) struct Dialogue<'a> {
    pub(crate) wire: Wire,
    pub(crate) host_name: &'a str,
    /// Certificate and key for STARTTLS, when that is offered.
    pub(crate) starttls: Option<&'a Arc<ServerConfig>>,
}

impl Dialogue<'_> {
    /// The next line without its end; `None` when the client has gone.
    pub(crate) fn read(&mut self) -> io::Result<Option<String>> {
        let line = self.wire.line()?;
        Ok(line.map(|line| String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned()))
    }

    pub(crate) fn say(&mut self, line: &str) -> io::Result<()> {
        self.wire.send(format!("{line}\r\n").as_bytes())
    }

    pub(crate) fn offers_starttls(&self) -> bool {
        self.starttls.is_some() && !self.wire.is_tls()
    }

    /// Answers EHLO with the server's name, STARTTLS where it can be had, and these keywords.
    pub(crate) fn ehlo(&mut self, keywords: &[String]) -> io::Result<()> {
        let mut lines = vec![self.host_name];
        lines.extend(self.offers_starttls().then_some("STARTTLS"));
        lines.extend(keywords.iter().map(String::as_str));
        self.wire.send(several_lines("250", &lines).as_bytes())
    }

    /// Agrees to STARTTLS and completes the handshake; false when there is none to be had.
    pub(crate) fn starttls(&mut self) -> io::Result<bool> {
        let Some(config) = self.starttls.filter(|_| !self.wire.is_tls()) else {
            self.say("503 5.5.1 TLS not available or already active")?;
            return Ok(false);
        };
        self.say("220 2.0.0 Ready to start TLS")?;
        self.wire.start_tls(config)?;
        Ok(true)
    }
}

/// A kind of server: what it makes of a command.
pub(crate) trait Service<'a> {
    fn dialogue(&mut self) -> &mut Dialogue<'a>;

    fn command(&mut self, line: &str) -> io::Result<Flow>;

    /// Answers commands until the client goes or the service ends the session.
    fn converse(&mut self) -> io::Result<()> {
        while let Some(line) = self.dialogue().read()? {
            if self.command(&line)? == Flow::Quit {
                self.dialogue().wire.finish();
                break;
            }
        }
        Ok(())
    }
}

/// Verb in upper case and the rest of a command.
pub(crate) fn split(line: &str) -> (String, &str) {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    (verb.to_ascii_uppercase(), rest)
}

/// A reply of several lines.
pub(crate) fn several_lines(code: &str, lines: &[&str]) -> String {
    let mut reply = String::new();
    for (index, line) in lines.iter().enumerate() {
        let mark = if index + 1 == lines.len() { ' ' } else { '-' };
        let _ = write!(reply, "{code}{mark}{line}\r\n");
    }
    reply
}
