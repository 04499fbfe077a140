//! What to ask next, by what was answered so far. No connection is made here.
//!
//! The first hello offers what the policy allows. In a verdict one hello for each version then
//! offers all that is not allowed, and a refusal of that is the proof, whatever else the server
//! can do. In an inventory it offers all there is. What is taken is removed and the rest offered
//! again, in several chains at a time, until it is refused.
//!
//! A refusal counts only from a server that reads long hellos to their end. So the first
//! hello is as long as the longest other one, with the allowed suites at its end. A server that
//! does not answer that gets short hellos.

mod chains;
mod closing;
mod column;
mod groups;
mod hellos;
mod opening;

use std::collections::VecDeque;

use column::{Column, Doubts};

use super::connection::{Flight, Outcome};
use super::preference::Preference;
use super::{Asked, Mode, Probe, Proof, Refusal};
use crate::version::Version;

/// What is asked in one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) version: Version,
    /// What the policy allows.
    pub(crate) allowed: Vec<u16>,
    /// What shows whether it is kept: all that it forbids, and what it allows with a prime that
    /// is large enough.
    pub(crate) suspects: Vec<u16>,
    /// Groups that the policy forbids.
    pub(crate) groups: Vec<u16>,
    /// Groups of which one must be there, for each such requirement.
    pub(crate) required: Vec<Vec<u16>>,
}

/// What was found out about one version.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    pub(crate) version: Version,
    /// In the order they were found. Certificates are in [`Survey::chains`].
    pub(crate) picks: Vec<Flight>,
    /// Known in an inventory, where there is a choice.
    pub(crate) preference: Option<Preference>,
    /// All groups in an inventory.
    pub(crate) groups: Vec<u16>,
    /// Signature schemes that showed (TLS 1.2); all where they were asked for.
    pub(crate) signatures: Vec<u16>,
    /// Why there may be more.
    pub(crate) stopped: Option<Outcome>,
}

/// The whole scan of one endpoint.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Survey {
    /// The first hello showed that there is no TLS to look at.
    NoTls(Outcome),
    Seen {
        /// Kinds of cipher of SSLv2, `None` where it is not spoken; or what leaves that open.
        ssl2: Result<Option<Vec<u32>>, Outcome>,
        versions: Vec<Found>,
        /// Only short hellos are answered.
        intolerant: bool,
        /// Some refusals are connections that end without a word.
        ends: bool,
        /// Whether a client that comes back with an older version than need be is refused (RFC 7507).
        fallback_scsv: Option<bool>,
        /// All post-quantum groups were offered, though it is no inventory.
        asked_post_quantum: bool,
        /// Each chain of certificates once, DER, leaf first.
        chains: Vec<Vec<Vec<u8>>>,
    },
}

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Question {
    Tls(Probe),
    Ssl2,
    /// Whether a hello that was answered before still is.
    StillAnswers,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reply {
    Tls(Proof),
    Ssl2(Outcome),
    StillAnswers(bool),
}

/// Something to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// The allowed suites, at the end of a long hello.
    Open(Version),
    /// The same in short ones, one after the other.
    OpenShort(Version, Vec<Vec<u16>>),
    /// What most servers have something of, whether it is allowed or not. Who ends connections instead of sending alerts
    /// refuses by that only if it answers something.
    OpenCommon(Version),
    /// These suites; what is taken of them is removed.
    Chain(Version, Chain),
    /// All found, in an order that shows who decides.
    Order(Version, Vec<u16>),
    /// More groups than are known.
    Groups {
        version: Version,
        suites: Vec<u16>,
        groups: Vec<u16>,
    },
    /// Suites with one kind of key, and the signature schemes that were not seen yet.
    Signatures(Vec<u16>, Vec<u16>),
    /// As a client that comes back with an older version.
    Fallback(Version, Vec<u16>),
    Ssl2,
    /// The end of a connection is no answer to SSLv2, unless the server answers others.
    StillAnswers,
}

/// Suites that are asked again and again without those that were taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Chain {
    suites: Vec<u16>,
    /// Nothing of the version was taken so far.
    is_first: bool,
    /// Only in groups that were not seen yet, so that each answer shows a suite and a group. The refusal says less:
    /// one of the two has come to its end.
    in_new_groups: bool,
    /// Suites taken in a row.
    hits: usize,
}

impl Chain {
    fn of(suites: Vec<u16>) -> Self {
        Self { suites, ..Self::default() }
    }
}

/// A step that was begun.
#[derive(Debug)]
pub(super) struct Turn {
    step: Step,
    number: usize,
    /// The suites in the hello, in an inventory.
    offered: Vec<u16>,
}

/// All that is known and all that is to be asked.
#[derive(Debug)]
pub(super) struct Board {
    mode: Mode,
    asks_post_quantum: bool,
    asks_signatures: bool,
    columns: Vec<Column>,
    queue: VecDeque<Step>,
    /// Steps that are being taken.
    busy: usize,
    /// Those of them that go on as long as something is taken.
    busy_chains: usize,
    /// The first answer is there.
    has_opened: bool,
    no_tls: Option<Outcome>,
    /// A long hello was answered.
    reads_long: bool,
    /// A long hello was not.
    is_short: bool,
    /// A short one was, of the same suites.
    is_intolerant: bool,
    /// TLS 1.3 was refused without a share of a key.
    with_shares: bool,
    /// There are suites that are taken with a named prime only.
    takes_named_primes: bool,
    ends: bool,
    ssl2: Result<Option<Vec<u32>>, Outcome>,
    /// Hellos that were sent after that of SSLv2 were answered.
    answers_after_ssl2: bool,
    has_asked_again: bool,
    has_asked_common: bool,
    /// Steps begun, and when the one of SSLv2 was.
    turn: usize,
    ssl2_turn: usize,
    has_fallen_back: bool,
    fallback: Option<bool>,
    chains: Vec<Vec<Vec<u8>>>,
    name_length: usize,
    /// Steps that can be taken at a time.
    hands: usize,
}

/// Chains of certificates that are kept: one more than are judged, so that more are known to be there.
const CHAINS: usize = 9;

impl Board {
    /// `name_length` is that of the server's name.
    pub(super) fn new(asked: &Asked<'_>, name_length: usize) -> Self {
        let mut board = Self {
            mode: asked.mode,
            asks_post_quantum: asked.post_quantum,
            asks_signatures: asked.signatures,
            columns: asked.rules.iter().map(|rules| Column::new(rules, asked.mode)).collect(),
            queue: VecDeque::new(),
            busy: 0,
            busy_chains: 0,
            has_opened: false,
            no_tls: None,
            reads_long: false,
            is_short: false,
            is_intolerant: false,
            with_shares: false,
            takes_named_primes: false,
            ends: false,
            ssl2: Err(Outcome::Silent),
            answers_after_ssl2: false,
            has_asked_again: false,
            has_asked_common: false,
            turn: 0,
            ssl2_turn: usize::MAX,
            has_fallen_back: false,
            fallback: None,
            chains: Vec::new(),
            name_length,
            hands: 1,
        };
        match board.opening() {
            Some(version) => board.push(Step::Open(version)),
            // A policy that allows nothing leaves nothing to open with.
            None => board.ask_all(),
        }
        board
    }

    /// The version whose allowed suites come first: 1.2, which shows its certificate.
    fn opening(&self) -> Option<Version> {
        let with_allowed = || self.columns.iter().filter(|column| !column.rules.allowed.is_empty());
        let newest = || with_allowed().map(|column| column.rules.version).max();
        with_allowed()
            .map(|column| column.rules.version)
            .find(|version| *version == Version::Tls12)
            .or_else(newest)
    }

    /// Whether more than one step may be taken at a time.
    pub(super) const fn has_opened(&self) -> bool {
        self.has_opened
    }

    /// So many steps can be taken at a time.
    pub(super) const fn employ(&mut self, hands: usize) {
        self.hands = hands;
    }

    /// Steps that will follow on those that are being taken, at a guess: all chains but one go on.
    pub(super) fn follow_ups(&self) -> usize {
        match self.busy_chains {
            many @ 2.. if self.mode == Mode::Inventory => many,
            _ => 0,
        }
    }

    /// Whether nothing is left to ask.
    pub(super) fn is_done(&self) -> bool {
        self.queue.is_empty() && self.busy == 0
    }

    /// Steps that nobody takes yet.
    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Pairs of version and suite that were found so far.
    pub(super) fn found(&self) -> usize {
        self.columns.iter().map(|column| column.found.picks.len()).sum()
    }

    /// The next step; none while it depends on an answer that is not there yet.
    pub(super) fn next(&mut self) -> Option<(Turn, Question)> {
        let step = self.queue.pop_front()?;
        self.busy += 1;
        self.busy_chains += usize::from(goes_on(&step));
        self.turn += 1;
        if step == Step::Ssl2 {
            self.ssl2_turn = self.turn;
        }
        let question = self.question(&step);
        let offered = match &question {
            Question::Tls(probe) if self.mode == Mode::Inventory => probe.suites.clone(),
            _ => Vec::new(),
        };
        Some((Turn { step, number: self.turn, offered }, question))
    }

    /// Takes down what came of a step, and what is to be asked because of it.
    pub(super) fn note(&mut self, turn: Turn, reply: Reply) {
        let Turn { step, number, offered } = turn;
        self.busy -= 1;
        self.busy_chains -= usize::from(goes_on(&step));
        let version = version_of(&step);
        if let (Some(column), Reply::Tls(Proof::Takes(flight))) =
            (version.and_then(|version| self.column(version)), &reply)
            && !offered.is_empty()
            && shows_choice(&step)
        {
            column.choices.note(offered, flight.hello.suite);
        }
        if number > self.ssl2_turn {
            self.answers_after_ssl2 |= is_answer(&reply);
        }
        match (step, reply) {
            (Step::Ssl2, Reply::Ssl2(outcome)) => self.note_ssl2(outcome),
            (Step::StillAnswers, Reply::StillAnswers(true)) => self.ssl2 = Ok(None),
            (Step::Open(version), Reply::Tls(proof)) => self.note_open(version, proof),
            (Step::OpenShort(version, rest), Reply::Tls(proof)) => self.note_short(version, rest, proof),
            (Step::OpenCommon(version), Reply::Tls(proof)) => self.note_common(version, proof),
            (Step::Chain(version, chain), Reply::Tls(proof)) => self.note_chain(version, chain, proof),
            (Step::Groups { version, suites, groups }, Reply::Tls(proof)) => {
                self.note_groups(version, suites, groups, proof);
            }
            (Step::Signatures(suites, schemes), Reply::Tls(proof)) => {
                self.note_signatures(suites, schemes, proof);
            }
            (Step::Fallback(..), Reply::Tls(proof)) => self.note_fallback(&proof),
            // What comes of an order is among the choices. Each kind of question has its kind of answer.
            _ => {}
        }
        if let Some(column) = version.and_then(|version| self.column(version)) {
            column.due -= 1;
        }
        self.close_columns();
        if self.is_done() {
            self.ask_the_doubtful();
        }
        if self.is_done() && matches!(self.ssl2, Err(Outcome::Ended(_))) && !self.has_asked_again {
            self.has_asked_again = true;
            if self.answers_after_ssl2 {
                self.ssl2 = Ok(None);
            } else {
                self.push(Step::StillAnswers);
            }
        }
    }

    /// To a server of TLS the hello of SSLv2 is noise, which many end without a word.
    fn note_ssl2(&mut self, outcome: Outcome) {
        self.ssl2 = match outcome {
            Outcome::Ssl2(hello) => Ok(Some(hello.ciphers)),
            // An error message of SSLv2 is what Java says to clients that speak nothing else.
            Outcome::Refused(_) | Outcome::Foreign(_) => Ok(None),
            other => Err(other),
        };
    }

    /// What was found; `wavers` says that some hellos were answered at the second try only.
    pub(super) fn survey(self, wavers: bool) -> Survey {
        if let Some(outcome) = self.no_tls {
            return Survey::NoTls(outcome);
        }
        let ends = self.ends;
        let newest = self.newest_with_prime();
        let found = |mut column: Column| Found { preference: column.choices.preference(), ..column.found };
        let mut versions: Vec<Found> = self.columns.into_iter().map(found).collect();
        // Who decides in one version decides in those before.
        let preference =
            versions.iter().find(|found| Some(found.version) == newest).and_then(|found| found.preference);
        for found in versions.iter_mut().filter(|found| Some(found.version) < newest && found.picks.len() > 1)
        {
            found.preference = found.preference.or(preference);
        }
        if ends && wavers {
            // Connections end at random here, so an end is no refusal.
            for found in &mut versions {
                found.stopped.get_or_insert(Outcome::Ended(super::Ending::Closed));
            }
        }
        Survey::Seen {
            ssl2: self.ssl2,
            intolerant: self.is_intolerant,
            versions,
            ends,
            fallback_scsv: self.fallback,
            asked_post_quantum: self.asks_post_quantum,
            chains: self.chains,
        }
    }

    fn column(&mut self, version: Version) -> Option<&mut Column> {
        self.columns.iter_mut().find(|column| column.rules.version == version)
    }

    fn push(&mut self, step: Step) {
        if let Some(column) = version_of(&step).and_then(|version| self.column(version)) {
            column.due += 1;
        }
        self.queue.push_back(step);
    }

    fn take(&mut self, version: Version, mut flight: Flight) {
        let chain = std::mem::take(&mut flight.chain);
        if !chain.is_empty() && self.chains.len() < CHAINS && !self.chains.contains(&chain) {
            self.chains.push(chain);
        }
        let Some(column) = self.column(version) else { return };
        if let Some(group) = flight.group()
            && !column.found.groups.contains(&group)
        {
            column.found.groups.push(group);
        }
        if let Some(scheme) = flight.signature_scheme()
            && !column.found.signatures.contains(&scheme)
        {
            column.found.signatures.push(scheme);
        }
        if column.found.picks.iter().all(|known| known.hello.suite != flight.hello.suite) {
            column.found.picks.push(flight);
        }
    }

    fn refuse(&mut self, version: Version, refusal: Refusal, is_long: bool) {
        self.ends |= refusal == Refusal::Ending;
        let Some(column) = self.column(version) else { return };
        if refusal.is_of_version() && column.found.picks.is_empty() {
            column.is_refused = true;
            self.cancel(version);
        } else if is_long {
            column.doubts.rest = true;
        }
    }

    /// What is left to ask of a version is of no use any more.
    fn cancel(&mut self, version: Version) {
        let left = std::mem::take(&mut self.queue);
        let (dropped, kept): (VecDeque<Step>, VecDeque<Step>) =
            left.into_iter().partition(|step| version_of(step) == Some(version));
        self.queue = kept;
        if let Some(column) = self.column(version) {
            column.due -= dropped.len();
        }
    }

    /// A server that has answered before and does not any more, whatever the hello.
    fn turns_away(&self, outcome: &Outcome) -> bool {
        let is_no_answer = matches!(outcome, Outcome::Ended(_) | Outcome::Busy(_) | Outcome::Unreachable(_));
        is_no_answer && self.columns.iter().any(|column| !column.found.picks.is_empty())
    }

    /// All that was not answered yet stays open.
    fn give_up(&mut self, outcome: &Outcome) {
        if self.ssl2_turn == usize::MAX {
            self.ssl2 = Err(outcome.clone());
        }
        let versions: Vec<Version> =
            self.columns.iter().filter(|column| column.due > 0).map(|column| column.rules.version).collect();
        for version in versions {
            self.stop(version, outcome.clone());
            self.cancel(version);
        }
        self.queue.clear();
    }

    fn stop(&mut self, version: Version, outcome: Outcome) {
        if let Some(column) = self.column(version) {
            column.found.stopped.get_or_insert(outcome);
        }
    }

    /// Long hellos were refused and none was answered: they may not have been read.
    fn ask_the_doubtful(&mut self) {
        let doubtful: Vec<(Version, Doubts)> = self
            .columns
            .iter_mut()
            .map(|column| (column.rules.version, std::mem::take(&mut column.doubts), column.is_refused))
            .filter(|(_, doubts, is_refused)| *doubts != Doubts::default() && !is_refused)
            .map(|(version, doubts, _)| (version, doubts))
            .collect();
        if self.reads_long || self.no_tls.is_some() {
            return;
        }
        for (version, doubts) in doubtful {
            self.is_short = true;
            // Suites that turn up only now may be those that take groups.
            if let Some(column) = self.column(version) {
                column.has_asked_groups = false;
            }
            if doubts.allowed && self.mode == Mode::Verdict {
                self.open_short(version);
            }
            if doubts.rest || self.mode == Mode::Inventory {
                let rest = self.rest(version);
                for suites in self.chunks(version, |_| rest.clone()) {
                    self.push(Step::Chain(version, Chain::of(suites)));
                }
            }
        }
    }

    fn is_allowed(&self, version: Version, code: u16) -> bool {
        self.columns
            .iter()
            .any(|column| column.rules.version == version && column.rules.allowed.contains(&code))
    }
}

/// All that is asked of a version.
fn all(mode: Mode, rules: &Rules) -> impl Iterator<Item = u16> {
    let is_asked = move |code: &&u16| mode == Mode::Inventory && !rules.suspects.contains(code);
    rules.suspects.iter().chain(rules.allowed.iter().filter(is_asked)).copied()
}

const fn version_of(step: &Step) -> Option<Version> {
    match step {
        Step::Open(version)
        | Step::OpenShort(version, _)
        | Step::OpenCommon(version)
        | Step::Chain(version, _)
        | Step::Order(version, _)
        | Step::Groups { version, .. }
        | Step::Fallback(version, _) => Some(*version),
        Step::Signatures(..) => Some(Version::Tls12),
        Step::Ssl2 | Step::StillAnswers => None,
    }
}

/// Whether it is asked again without what was taken.
const fn goes_on(step: &Step) -> bool {
    matches!(step, Step::Chain(..) | Step::Groups { .. } | Step::Signatures(..))
}

/// Whether all suites of the hello could have been taken: up to TLS 1.2 a suite depends on the groups that are offered
/// with it.
fn shows_choice(step: &Step) -> bool {
    match step {
        Step::Open(_) | Step::Chain(..) | Step::Order(..) => true,
        Step::Groups { version, .. } => *version == Version::Tls13,
        _ => false,
    }
}

const fn is_answer(reply: &Reply) -> bool {
    matches!(reply, Reply::Tls(Proof::Takes(_) | Proof::TakesNone(Refusal::Alert(_) | Refusal::OlderVersion)))
}

#[cfg(test)]
mod tests;
