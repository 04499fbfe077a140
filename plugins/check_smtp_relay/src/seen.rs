//! The observation: what the server said to each probe, without judgement.

use std::net::SocketAddr;

use common::net::smtp::{Opening, Step, Stop};
use common::net::{Phase, ProbeError, Trouble};
use common::proto::smtp::Said;
use serde::{Deserialize, Serialize};

use crate::probes::Form;

/// All a run showed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// Why there was no session at all.
    pub unresolved: Option<ProbeError>,
    /// What each address of the host showed, in their order.
    pub servers: Vec<Server>,
    /// Addresses beyond those asked.
    pub left_out: usize,
    /// The limits of the first address with an answer to every probe, with `--limits`.
    pub limits: Option<Limits>,
}

/// What one address showed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Server {
    /// The address.
    pub address: SocketAddr,
    /// The domain that stands for the server's own in the probes.
    pub local_domain: Option<String>,
    /// The sessions, one after the other.
    pub sessions: Vec<Session>,
    /// What was asked, in the order of asking, and what was left.
    pub probes: Vec<Asked>,
    /// The answer to DATA, with `--confirm-data` and an open relay.
    pub data: Option<Outcome>,
}

/// One session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// From connect to EHLO.
    pub opening: Opening,
    /// Our end of the connection.
    pub ours: Option<SocketAddr>,
    /// What ended it before its work was done.
    pub stopped: Option<Stop>,
}

/// A recipient and what the server made of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// What it proves.
    pub form: Form,
    /// The path of MAIL.
    pub sender: String,
    /// The path of RCPT.
    pub recipient: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The answer to the command the probe is about.
    Answered(Said),
    /// An earlier step was refused, MAIL most of all.
    Barred(Step, Said),
    /// The session ended before the answer.
    Lost,
    /// There was no point in asking.
    Skipped,
}

/// What was found out about the server's limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// On errors.
    pub errors: Tried,
    /// On recipients of one message.
    pub recipients: Tried,
}

/// How far a server went along.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tried {
    /// Its answers that were wanted: refusals, or recipients taken.
    pub count: u32,
    /// The answer that drew the line, if one was drawn in words.
    pub line: Option<Said>,
    /// The connection ended at the line.
    pub closed: bool,
    /// From which answer on they came slowly, and the seconds of the slowest.
    pub slowed: Option<(u32, f64)>,
    /// Why the line was not looked for to the end.
    pub cut_short: Option<String>,
}

impl Seen {
    /// Before anything happened.
    pub(crate) const fn nothing() -> Self {
        Self { unresolved: None, servers: Vec::new(), left_out: 0, limits: None }
    }

    /// The first address with an answer to every probe.
    pub(crate) fn first_answered(&self) -> Option<&Server> {
        self.servers.iter().find(|server| server.is_answered())
    }
}

impl Server {
    /// An address before anything happened.
    pub(crate) const fn nothing(address: SocketAddr) -> Self {
        Self { address, local_domain: None, sessions: Vec::new(), probes: Vec::new(), data: None }
    }

    /// The probe of a form, if there was one.
    pub(crate) fn asked(&self, form: Form) -> Option<&Asked> {
        self.probes.iter().find(|asked| asked.form == form)
    }

    /// Whether the server takes any local part.
    pub(crate) fn is_catch_all(&self) -> bool {
        self.asked(Form::Control).is_some_and(Asked::is_taken)
    }

    /// Whether the server takes mail for others.
    pub(crate) fn is_open(&self) -> bool {
        self.probes.iter().any(|asked| asked.form.is_foreign() && asked.is_taken())
    }

    /// Whether every probe has its answer.
    fn is_answered(&self) -> bool {
        !self.probes.is_empty() && self.probes.iter().all(|asked| asked.outcome != Outcome::Lost)
    }

    /// Why there was no connection, where the way there is the reason and not we are.
    pub(crate) fn unreached(&self) -> Option<(&Session, &Stop)> {
        let first = self.sessions.first()?;
        let stop = first.stopped.as_ref()?;
        let is_way = matches!(stop, Stop::Failed(error)
            if error.phase == Phase::Connecting && matches!(error.trouble, Trouble::Unreachable | Trouble::Timeout));
        is_way.then_some((first, stop))
    }
}

impl Session {
    /// A session before anything happened.
    pub(crate) fn nothing() -> Self {
        Self { opening: Opening::default(), ours: None, stopped: None }
    }
}

impl Asked {
    /// The answer to RCPT, if the server got that far.
    pub(crate) const fn answer(&self) -> Option<&Said> {
        match &self.outcome {
            Outcome::Answered(said) => Some(said),
            _ => None,
        }
    }

    /// Whether the server said something to it.
    pub(crate) const fn is_asked(&self) -> bool {
        matches!(self.outcome, Outcome::Answered(_) | Outcome::Barred(..))
    }

    /// Whether the server takes a message for it.
    pub(crate) fn is_taken(&self) -> bool {
        self.answer().is_some_and(Said::takes_recipient)
    }
}
