//! An embedded, correct submission server (RFC 5321, 3207, 4954) for the demo and for tests
//! that need a well-behaved server without installing one.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use rustls::ServerConfig;

use crate::certs::{Authority, Leaf, LeafOptions};
use crate::host::{self, Dialogue, Flow, Host, Service};
use crate::tls;

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
    host: Host,
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
        let listener = host::listen(options.listen)
            .unwrap_or_else(|error| panic!("the lab cannot listen on {}: {error}", options.listen));
        let config = tls::server(leaf);
        let host = Host::start(listener, Arc::new(authority), move |_, wire, _| {
            let starttls = (options.tls == TlsMode::StartTls).then_some(&config);
            let dialogue = Dialogue { wire, host_name: &options.host_name, starttls };
            Session { dialogue, options: &options, user: None }.run(&config)
        });
        Self { host }
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.host.address()
    }

    /// Port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.addr().port()
    }

    /// PEM file with the root certificate.
    #[must_use]
    pub fn ca_file(&self) -> &Path {
        self.host.ca_file()
    }

    /// The authority behind [`Submission::ca_file`].
    #[must_use]
    pub fn authority(&self) -> &Authority {
        self.host.authority()
    }

    /// Temporary folder of the server, free for password files and the like.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.host.folder()
    }

    /// What the clients sent, see [`crate::peer::Peer::received`].
    #[must_use]
    pub fn received(&self) -> Vec<Vec<u8>> {
        self.host.received()
    }
}

struct Session<'a> {
    dialogue: Dialogue<'a>,
    options: &'a SubmissionOptions,
    user: Option<String>,
}

impl<'a> Service<'a> for Session<'a> {
    fn dialogue(&mut self) -> &mut Dialogue<'a> {
        &mut self.dialogue
    }

    fn command(&mut self, line: &str) -> io::Result<Flow> {
        let (verb, rest) = host::split(line);
        match verb.as_str() {
            "EHLO" => self.ehlo()?,
            "HELO" => self.say(&format!("250 {}", self.options.host_name))?,
            "STARTTLS" => {
                self.dialogue.starttls()?;
            }
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
}

impl Session<'_> {
    fn run(mut self, config: &Arc<ServerConfig>) -> io::Result<()> {
        if self.options.tls == TlsMode::Implicit {
            self.dialogue.wire.start_tls(config)?;
        }
        self.say(&self.options.banner)?;
        self.converse()
    }

    fn ehlo(&mut self) -> io::Result<()> {
        let mut keywords: Vec<String> = vec!["PIPELINING".into(), "SIZE 10240000".into()];
        if self.auth_allowed() && !self.options.mechanisms.is_empty() {
            let names: Vec<_> = self.options.mechanisms.iter().map(|mechanism| mechanism.name()).collect();
            keywords.push(format!("AUTH {}", names.join(" ")));
        }
        keywords.extend(["ENHANCEDSTATUSCODES".into(), "8BITMIME".into()]);
        self.dialogue.ehlo(&keywords)
    }

    fn auth_allowed(&self) -> bool {
        let could_encrypt = self.options.tls != TlsMode::None;
        self.dialogue.wire.is_tls() || !could_encrypt || self.options.before_tls == BeforeTls::Accept
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
        let line = self.dialogue.read()?.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(if line == "*" { Err("501 5.7.0 Authentication cancelled") } else { decode(&line) })
    }

    /// User and password of this name.
    fn known(&self, user: &[u8]) -> Option<(&String, &String)> {
        self.options.users.iter().find(|(name, _)| name.as_bytes() == user)
    }

    fn say(&mut self, line: &str) -> io::Result<()> {
        self.dialogue.say(line)
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
