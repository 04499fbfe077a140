//! The observation: what the wire told us, without judgement and without secrets.

use common::net::ProbeError;
use common::net::smtp::{Opening, Step, Stop};
use common::proto::sasl::Mechanism;
use common::proto::smtp::{Reply, Said};
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
    /// From connect to the EHLO of the login.
    pub opening: Opening,
    /// The answer to AUTH before TLS, where it was tried.
    pub auth_before_tls: Option<Said>,
    /// The mechanism used.
    pub mechanism: Option<Mechanism>,
    /// Iterations a SCRAM server asked for.
    pub iterations: Option<u32>,
    /// The `status` a token server gave before its refusal.
    pub token_status: Option<String>,
    /// Seconds of the SASL exchange, if it was finished.
    pub auth_time: Option<f64>,
    /// How it ended.
    pub end: End,
    /// What the server said at the end instead of 221.
    pub withdrawn: Option<Said>,
    /// The server was gone before QUIT although the login had been accepted.
    pub closed_early: bool,
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// 235, and what was tried after it.
    Accepted,
    /// There was no login, or the connection failed during it.
    Stopped(Stop),
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

impl End {
    /// The server said no to a step of the login.
    pub(crate) fn refused(step: Step, reply: &Reply) -> Self {
        Self::Stopped(Stop::Refused(step, Said::from(reply)))
    }
}

impl From<Stop> for End {
    fn from(stop: Stop) -> Self {
        Self::Stopped(stop)
    }
}

impl From<ProbeError> for End {
    fn from(error: ProbeError) -> Self {
        Self::Stopped(Stop::Failed(error))
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
