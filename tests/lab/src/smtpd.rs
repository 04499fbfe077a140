//! An embedded, correct submission server (RFC 5321, 3207, 4954) for the demo and for tests
//! that need a well-behaved server without installing one.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use rustls::ServerConfig;
use tempfile::TempDir;

use crate::acceptor::Acceptor;
use crate::certs::{Authority, Leaf, LeafOptions};
use crate::tls;
use crate::wire::{Transcript, Wire};

/// How the server offers TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsMode {
    /// After STARTTLS.
    #[default]
    StartTls,
    /// From the first byte.
    Implicit,
    /// Not at all.
    None,
}

/// What happens to AUTH while the connection is not encrypted (and could be).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BeforeTls {
    /// Not offered, answered `530 5.7.0 Must issue a STARTTLS command first`.
    #[default]
    Refuse530,
    /// Not offered, answered `538 5.7.11 Encryption required`.
    Refuse538,
    /// Offered and accepted.
    Accept,
}

/// A SASL mechanism the server knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 4616.
    Plain,
    /// draft-murchison-sasl-login.
    Login,
    /// RFC 2195.
    CramMd5,
}

impl Mechanism {
    /// Name in EHLO and AUTH.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::CramMd5 => "CRAM-MD5",
        }
    }
}

/// Behaviour of a [`Submission`]. The default is a good server: STARTTLS, AUTH only after
/// it, three mechanisms, user `probe` with password `secret`, certificate for 90 days.
#[derive(Clone, Debug)]
pub struct SubmissionOptions {
    /// Listening address, port 0 for any free one.
    pub listen: SocketAddr,
    /// Name in the EHLO reply.
    pub host_name: String,
    /// First line, without line end.
    pub banner: String,
    /// How TLS is offered.
    pub tls: TlsMode,
    /// AUTH without TLS.
    pub before_tls: BeforeTls,
    /// Offered mechanisms, in this order.
    pub mechanisms: Vec<Mechanism>,
    /// Passwords by user.
    pub users: BTreeMap<String, String>,
    /// The server's certificate.
    pub certificate: LeafOptions,
    /// Every AUTH ends with `454 4.7.0`, as if the password database were away.
    pub backend_down: bool,
}

impl Default for SubmissionOptions {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            host_name: "mail.lab.test".into(),
            banner: "220 mail.lab.test ESMTP ready".into(),
            tls: TlsMode::StartTls,
            before_tls: BeforeTls::Refuse530,
            mechanisms: vec![Mechanism::Plain, Mechanism::Login, Mechanism::CramMd5],
            users: BTreeMap::from([("probe".to_owned(), "secret".to_owned())]),
            certificate: LeafOptions::default(),
            backend_down: false,
        }
    }
}

/// A running submission server; stops when dropped.
#[derive(Debug)]
pub struct Submission {
    acceptor: Acceptor,
    authority: Authority,
    folder: TempDir,
    ca_file: PathBuf,
    transcripts: Arc<Mutex<Vec<Transcript>>>,
}

impl Submission {
    /// Starts the server with a certificate of a fresh authority.
    #[must_use]
    pub fn start(options: SubmissionOptions) -> Self {
        let authority = Authority::new("Lab Root CA");
        let leaf = authority.leaf(&options.certificate);
        Self::start_with(options, authority, &leaf)
    }

    /// Starts the server with any certificate; `authority` is what [`Submission::ca_file`]
    /// holds, whether it signed the leaf or not.
    #[must_use]
    pub fn start_with(options: SubmissionOptions, authority: Authority, leaf: &Leaf) -> Self {
        assert!(options.listen.ip().is_loopback(), "the lab stays on loopback");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ca_file = authority.write_ca(folder.path());
        let transcripts = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&transcripts);
        let config = tls::server(leaf);
        let acceptor = Acceptor::start(options.listen, move |_, stream, _| {
            let transcript = Transcript::default();
            record.lock().unwrap().push(Arc::clone(&transcript));
            let wire = Wire::new(stream, transcript);
            // An error of the socket means that the client is gone.
            let _ = Session { wire, options: &options, config: &config, user: None }.run();
        });
        Self { acceptor, authority, folder, ca_file, transcripts }
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

    /// PEM file with the root certificate.
    #[must_use]
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// The authority behind [`Submission::ca_file`].
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Temporary folder of the server, free for password files and the like.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// What the clients sent, see [`crate::peer::Peer::received`].
    #[must_use]
    pub fn received(&self) -> Vec<Vec<u8>> {
        let transcripts = self.transcripts.lock().unwrap();
        transcripts.iter().map(|transcript| transcript.lock().unwrap().clone()).collect()
    }
}

/// Whether the session goes on.
#[derive(PartialEq, Eq)]
enum Flow {
    Next,
    Quit,
}

struct Session<'a> {
    wire: Wire,
    options: &'a SubmissionOptions,
    config: &'a Arc<ServerConfig>,
    user: Option<String>,
}

impl Session<'_> {
    fn run(mut self) -> io::Result<()> {
        if self.options.tls == TlsMode::Implicit {
            self.wire.start_tls(self.config)?;
        }
        self.say(&self.options.banner)?;
        while let Some(line) = self.read()? {
            if self.command(&line)? == Flow::Quit {
                self.wire.finish();
                break;
            }
        }
        Ok(())
    }

    fn command(&mut self, line: &str) -> io::Result<Flow> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => self.ehlo()?,
            "HELO" => self.say(&format!("250 {}", self.options.host_name))?,
            "STARTTLS" => self.starttls()?,
            "AUTH" => self.auth(rest)?,
            "MAIL" if self.user.is_none() => self.say("530 5.7.0 Authentication required")?,
            "MAIL" | "RCPT" | "RSET" | "NOOP" => self.say("250 2.0.0 Ok")?,
            "DATA" => self.say("554 5.5.1 No mail is taken here")?,
            "QUIT" => {
                self.say("221 2.0.0 Bye")?;
                return Ok(Flow::Quit);
            }
            _ => self.say("500 5.5.2 Command not recognized")?,
        }
        Ok(Flow::Next)
    }

    fn ehlo(&mut self) -> io::Result<()> {
        let mut lines = vec![self.options.host_name.clone(), "PIPELINING".into(), "SIZE 10240000".into()];
        if self.options.tls == TlsMode::StartTls && !self.wire.is_tls() {
            lines.push("STARTTLS".into());
        }
        if self.auth_allowed() && !self.options.mechanisms.is_empty() {
            let names: Vec<_> = self.options.mechanisms.iter().map(|mechanism| mechanism.name()).collect();
            lines.push(format!("AUTH {}", names.join(" ")));
        }
        lines.extend(["ENHANCEDSTATUSCODES".into(), "8BITMIME".into()]);
        let last = lines.len() - 1;
        let mut reply = String::new();
        for (index, line) in lines.iter().enumerate() {
            reply.push_str(if index == last { "250 " } else { "250-" });
            reply.push_str(line);
            reply.push_str("\r\n");
        }
        self.wire.send(reply.as_bytes())
    }

    fn starttls(&mut self) -> io::Result<()> {
        if self.options.tls != TlsMode::StartTls || self.wire.is_tls() {
            return self.say("503 5.5.1 TLS not available or already active");
        }
        self.say("220 2.0.0 Ready to start TLS")?;
        self.wire.start_tls(self.config)
    }

    fn auth_allowed(&self) -> bool {
        let could_encrypt = self.options.tls != TlsMode::None;
        self.wire.is_tls() || !could_encrypt || self.options.before_tls == BeforeTls::Accept
    }

    fn auth(&mut self, arguments: &str) -> io::Result<()> {
        if self.user.is_some() {
            return self.say("503 5.5.1 Already authenticated");
        }
        if !self.auth_allowed() {
            return self.say(match self.options.before_tls {
                BeforeTls::Refuse538 => "538 5.7.11 Encryption required for this mechanism",
                _ => "530 5.7.0 Must issue a STARTTLS command first",
            });
        }
        let (name, initial) = match arguments.split_once(' ') {
            Some((name, initial)) => (name, Some(initial)),
            None => (arguments, None),
        };
        let offered = self.options.mechanisms.iter();
        let Some(mechanism) = offered.copied().find(|m| m.name().eq_ignore_ascii_case(name)) else {
            return self.say("504 5.5.4 Unrecognized authentication type");
        };
        let outcome = match mechanism {
            Mechanism::Plain => self.plain(initial)?,
            Mechanism::Login => self.login(initial)?,
            Mechanism::CramMd5 => self.cram_md5(initial)?,
        };
        match outcome {
            Err(refusal) => self.say(refusal),
            Ok(_) if self.options.backend_down => self.say("454 4.7.0 Temporary authentication failure"),
            Ok(None) => self.say("535 5.7.8 Error: authentication failed"),
            Ok(user) => {
                self.user = user;
                self.say("235 2.7.0 Authentication successful")
            }
        }
    }

    fn plain(&mut self, initial: Option<&str>) -> io::Result<Outcome> {
        let message = match initial {
            Some("=") => Ok(Vec::new()),
            Some(text) => decode(text),
            None => self.prompt("")?,
        };
        Ok(message.and_then(|message| {
            let mut parts = message.split(|byte| *byte == 0);
            let (Some(authzid), Some(user), Some(password), None) =
                (parts.next(), parts.next(), parts.next(), parts.next())
            else {
                return Err("501 5.5.2 Malformed PLAIN message");
            };
            let fits = authzid.is_empty() || authzid == user;
            Ok(self.known(user).filter(|(_, expected)| fits && expected.as_bytes() == password).map(first))
        }))
    }

    fn login(&mut self, initial: Option<&str>) -> io::Result<Outcome> {
        let user = match initial {
            Some(text) => decode(text),
            None => self.prompt("Username:")?,
        };
        let user = match user {
            Ok(user) => user,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let password = self.prompt("Password:")?;
        Ok(password.map(|password| {
            self.known(&user).filter(|(_, expected)| expected.as_bytes() == password).map(first)
        }))
    }

    fn cram_md5(&mut self, initial: Option<&str>) -> io::Result<Outcome> {
        if initial.is_some() {
            return Ok(Err("501 5.7.0 CRAM-MD5 has no initial response"));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let challenge = format!("<{}.{}@{}>", now.subsec_nanos(), now.as_secs(), self.options.host_name);
        let response = self.prompt(&challenge)?;
        Ok(response.and_then(|response| {
            let text = String::from_utf8_lossy(&response);
            let (user, digest) = text.rsplit_once(' ').ok_or("501 5.5.2 Malformed CRAM-MD5 response")?;
            let known = self.known(user.as_bytes());
            Ok(known.filter(|(_, password)| cram_digest(password, &challenge) == digest).map(first))
        }))
    }

    /// Sends a 334 challenge and decodes the answer.
    fn prompt(&mut self, challenge: &str) -> io::Result<Result<Vec<u8>, &'static str>> {
        self.say(&format!("334 {}", BASE64.encode(challenge)))?;
        let line = self.read()?.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(if line == "*" { Err("501 5.7.0 Authentication cancelled") } else { decode(&line) })
    }

    /// User and password of this name.
    fn known(&self, user: &[u8]) -> Option<(&String, &String)> {
        self.options.users.iter().find(|(name, _)| name.as_bytes() == user)
    }

    fn say(&mut self, line: &str) -> io::Result<()> {
        self.wire.send(format!("{line}\r\n").as_bytes())
    }

    fn read(&mut self) -> io::Result<Option<String>> {
        let line = self.wire.line()?;
        Ok(line.map(|line| String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned()))
    }
}

/// The user who proved to know the password, `None` for a wrong one, or a refusal.
type Outcome = Result<Option<String>, &'static str>;

fn first((user, _): (&String, &String)) -> String {
    user.clone()
}

fn decode(text: &str) -> Result<Vec<u8>, &'static str> {
    BASE64.decode(text).map_err(|_| "501 5.5.2 Cannot decode base64")
}

/// Lower-case hexadecimal HMAC-MD5 of the challenge (RFC 2195 section 2).
#[must_use]
pub fn cram_digest(password: &str, challenge: &str) -> String {
    let mut mac = Hmac::<Md5>::new_from_slice(password.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(challenge.as_bytes());
    let mut text = String::new();
    for byte in mac.finalize().into_bytes() {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cram_digest_is_the_one_of_rfc_2195() {
        let challenge = "<1896.697170952@postoffice.reston.mci.net>";
        assert_eq!(cram_digest("tanstaaftanstaaf", challenge), "b913a602c7eda7a495b4e6e7334d3890");
    }
}
