//! The observation: what the wire told us, without judgement and without secrets.

use std::net::SocketAddr;

use common::net::tls::TlsSeen;
use common::net::{Attempt, ProbeError};
use common::proto::sasl::Mechanism;
use common::proto::smtp::{Ehlo, LineEnd, Reply, looks_masked_banner};
use serde::{Deserialize, Serialize};

/// All a run showed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// Seconds of the name look-up.
    pub dns: Option<f64>,
    /// Why there was no session at all.
    pub unresolved: Option<ProbeError>,
    /// The login: one session, or one for each address.
    pub sessions: Vec<Session>,
    /// The login that must be rejected.
    pub reject: Option<Session>,
    /// The command glued behind STARTTLS.
    pub injection: Option<Injection>,
}

/// What one session showed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// The address that answered.
    pub address: Option<SocketAddr>,
    /// Addresses of the host that did not, before it.
    pub failed_addresses: Vec<Attempt>,
    /// Seconds of each step that was finished.
    pub times: Times,
    /// The greeting.
    pub banner: Option<Said>,
    /// What was offered before TLS.
    pub ehlo_before_tls: Option<Ehlo>,
    /// The answer to AUTH before TLS, where it was tried.
    pub auth_before_tls: Option<Said>,
    /// The handshake and the certificate.
    pub tls: Option<TlsSeen>,
    /// What was offered where the login happens.
    pub ehlo: Option<Ehlo>,
    /// The mechanism used.
    pub mechanism: Option<Mechanism>,
    /// Iterations a SCRAM server asked for.
    pub iterations: Option<u32>,
    /// The `status` a token server gave before its refusal.
    pub token_status: Option<String>,
    /// How it ended.
    pub end: End,
    /// What the server said at the end instead of 221.
    pub withdrawn: Option<Said>,
    /// The server was gone before QUIT although the login had been accepted.
    pub closed_early: bool,
    /// The dialogue, secrets masked.
    pub transcript: Vec<String>,
}

/// Seconds of each step; `None` when it was not finished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Times {
    /// TCP connect.
    pub connect: Option<f64>,
    /// STARTTLS and handshake.
    pub tls: Option<f64>,
    /// Waiting for the greeting.
    pub banner: Option<f64>,
    /// EHLO before and after TLS.
    pub ehlo: Option<f64>,
    /// SASL exchange.
    pub auth: Option<f64>,
}

/// A reply of the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Reply code.
    pub code: u16,
    /// Code and text of all lines.
    pub words: String,
    /// Mostly asterisks: a firewall's work.
    pub masked: bool,
    /// How its lines ended.
    pub line_end: LineEnd,
}

impl From<&Reply> for Said {
    fn from(reply: &Reply) -> Self {
        let mut words = reply.words();
        words.truncate(words.floor_char_boundary(1024));
        Self { code: reply.code, words, masked: looks_masked_banner(reply), line_end: reply.line_end }
    }
}

/// A step a server can refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// The greeting itself.
    Banner,
    /// EHLO.
    Ehlo,
    /// STARTTLS.
    Starttls,
    /// AUTH, up to its last reply.
    Auth,
    /// MAIL, after the login.
    MailFrom,
    /// RCPT, after the login.
    RcptTo,
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// 235, and what was tried after it.
    Accepted,
    /// The connection, TLS or the protocol failed.
    Failed(ProbeError),
    /// The server said no.
    Refused(Step, Said),
    /// TLS is wanted and STARTTLS was not offered.
    StarttlsNotOffered,
    /// Plaintext between the 220 to STARTTLS and the handshake.
    Injected(String),
    /// The certificate does not verify; nothing secret was sent.
    Untrusted,
    /// No AUTH at all.
    AuthNotOffered,
    /// AUTH, but not the mechanism wanted or none we speak.
    MechanismNotOffered,
    /// Only mechanisms that show the password, on a connection in the clear.
    OnlyPlaintext,
    /// A mechanism tied to TLS is wanted, and the connection has nothing to tie it to.
    NoBinding,
    /// The exchange was broken by the server: what was wrong, and its words.
    BadChallenge(String, Said),
    /// A mailbox needs SMTPUTF8, which the server does not have.
    NoSmtpUtf8,
}

impl From<ProbeError> for End {
    fn from(error: ProbeError) -> Self {
        Self::Failed(error)
    }
}

/// What became of a command glued behind STARTTLS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Injection {
    /// It was thrown away.
    Discarded,
    /// It was answered inside TLS.
    Executed(String),
    /// It could not be tried.
    NotTried(String),
}
