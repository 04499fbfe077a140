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

use std::collections::VecDeque;

use super::connection::{Flight, Outcome};
use super::offer::{
    chains, deal, groups, prime_groups, short_groups, strength_order, takes_groups, takes_prime,
    weakest_first,
};
use super::{Asked, FILLING, Mode, Probe, Proof, Refusal, TRIES};
use crate::alerts;
use crate::groups::Group;
use crate::suites::{FALLBACK_SCSV, UNASSIGNED};
use crate::version::Version;
use crate::wire::hello::{self, ClientHello, KeyShare};

/// What is asked in one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) version: Version,
    /// What the policy allows.
    pub(crate) allowed: Vec<u16>,
    /// What shows whether it is kept: all that it forbids, and what it allows with a prime that
    /// is large enough.
    pub(crate) suspects: Vec<u16>,
}

/// Who decides which suite is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Preference {
    Server,
    Client,
}

impl Preference {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }
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
    /// These suites; what is taken of them is removed.
    Chain {
        version: Version,
        suites: Vec<u16>,
        last: Option<u64>,
        is_first: bool,
    },
    /// All found, strongest first: who decides?
    Order(Version, Vec<u16>),
    /// More groups than are known.
    Groups {
        version: Version,
        suites: Vec<u16>,
        groups: Vec<u16>,
    },
    /// Suites that some servers take only in a prime field with a name (RFC 7919 section 4). Asked last: others
    /// hide the prime that they have for clients without such names.
    Primes(Version, Vec<u16>),
    /// As a client that comes back with an older version.
    Fallback(Version, Vec<u16>),
    Ssl2,
    /// The end of a connection is no answer to SSLv2, unless the server answers others.
    StillAnswers,
}

/// A step that was begun.
#[derive(Debug)]
pub(super) struct Turn {
    step: Step,
    number: usize,
}

/// One version on the board.
#[derive(Debug)]
struct Column {
    rules: Rules,
    found: Found,
    /// Refused as a whole.
    is_refused: bool,
    /// Long hellos with the allowed suites, or with the rest, were refused before it was clear
    /// that they are read.
    doubts: Doubts,
    /// Steps that were not answered yet.
    due: usize,
    /// The questions that come after the suites were asked.
    is_closed: bool,
}

impl Column {
    /// What may be taken with a named prime only; `None` where there is none to ask for.
    fn primes(&self) -> Option<Step> {
        let version = self.rules.version;
        let is_known = |code: &u16| self.found.picks.iter().any(|flight| flight.hello.suite == *code);
        let left: Vec<u16> =
            all(Mode::Inventory, &self.rules).filter(|code| takes_prime(*code) && !is_known(code)).collect();
        let has_groups = (Version::Tls10..=Version::Tls12).contains(&version) && !self.found.picks.is_empty();
        (has_groups && !left.is_empty()).then_some(Step::Primes(version, left))
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Doubts {
    allowed: bool,
    rest: bool,
}

/// All that is known and all that is to be asked.
#[derive(Debug)]
pub(super) struct Board {
    mode: Mode,
    asks_post_quantum: bool,
    columns: Vec<Column>,
    queue: VecDeque<Step>,
    /// Steps that are being taken.
    busy: usize,
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
    /// Steps begun, and when the one of SSLv2 was.
    turn: usize,
    ssl2_turn: usize,
    has_fallen_back: bool,
    fallback: Option<bool>,
    chains: Vec<Vec<Vec<u8>>>,
    name_length: usize,
}

/// Suites in one short hello at most: some servers read 64, some drop what is longer than 255
/// bytes.
const SHORT: usize = 60;
/// The longest record that all take.
const SHORT_BYTES: usize = 255;

/// Chains of certificates that are kept: one more than are judged, so that more are known to be there.
const CHAINS: usize = 9;

impl Board {
    /// `name_length` is that of the server's name.
    pub(super) fn new(asked: &Asked<'_>, name_length: usize) -> Self {
        let column = |rules: &Rules| Column {
            found: Found {
                version: rules.version,
                picks: Vec::new(),
                preference: None,
                groups: Vec::new(),
                stopped: None,
            },
            rules: rules.clone(),
            is_refused: false,
            doubts: Doubts::default(),
            due: 0,
            is_closed: false,
        };
        let mut board = Self {
            mode: asked.mode,
            asks_post_quantum: asked.post_quantum,
            columns: asked.rules.iter().map(column).collect(),
            queue: VecDeque::new(),
            busy: 0,
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
            turn: 0,
            ssl2_turn: usize::MAX,
            has_fallen_back: false,
            fallback: None,
            chains: Vec::new(),
            name_length,
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

    /// Whether nothing is left to ask.
    pub(super) fn is_done(&self) -> bool {
        self.queue.is_empty() && self.busy == 0
    }

    /// The next step; none while it depends on an answer that is not there yet.
    pub(super) fn next(&mut self) -> Option<(Turn, Question)> {
        let step = self.queue.pop_front()?;
        self.busy += 1;
        self.turn += 1;
        if step == Step::Ssl2 {
            self.ssl2_turn = self.turn;
        }
        let question = self.question(&step);
        Some((Turn { step, number: self.turn }, question))
    }

    /// Takes down what came of a step, and what is to be asked because of it.
    pub(super) fn note(&mut self, turn: Turn, reply: Reply) {
        self.busy -= 1;
        let Turn { step, number } = turn;
        let version = version_of(&step);
        if number > self.ssl2_turn {
            self.answers_after_ssl2 |= is_answer(&reply);
        }
        match (step, reply) {
            (Step::Ssl2, Reply::Ssl2(outcome)) => self.note_ssl2(outcome),
            (Step::StillAnswers, Reply::StillAnswers(true)) => self.ssl2 = Ok(None),
            (Step::Open(version), Reply::Tls(proof)) => self.note_open(version, proof),
            (Step::OpenShort(version, rest), Reply::Tls(proof)) => self.note_short(version, rest, proof),
            (Step::Chain { version, suites, last, is_first }, Reply::Tls(proof)) => {
                self.note_chain(version, &suites, last, is_first, proof);
            }
            (Step::Order(version, suites), Reply::Tls(proof)) => self.note_order(version, &suites, &proof),
            (Step::Groups { version, suites, groups }, Reply::Tls(proof)) => {
                self.note_groups(version, suites, &groups, proof);
            }
            (Step::Primes(version, suites), Reply::Tls(proof)) => self.note_primes(version, suites, proof),
            (Step::Fallback(..), Reply::Tls(proof)) => self.note_fallback(&proof),
            // Each kind of question has its kind of answer.
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
        let mut versions: Vec<Found> = self.columns.into_iter().map(|column| column.found).collect();
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

    // The first hello

    fn note_open(&mut self, version: Version, proof: Proof) {
        let is_first = !self.has_opened;
        match proof {
            Proof::Takes(flight) => {
                self.reads_long = true;
                self.take(version, *flight);
                if version == Version::Tls13 && self.with_shares && self.has_opened {
                    self.ask_rest(version);
                }
            }
            Proof::TakesNone(refusal) if self.may_want_share(version, refusal) => {
                self.with_shares = true;
                return self.push(Step::Open(version));
            }
            Proof::TakesNone(refusal) => {
                if let Some(column) = self.column(version) {
                    column.doubts.allowed = true;
                }
                self.refuse(version, refusal, false);
            }
            Proof::Nothing(outcome) if is_first && ends_all(&outcome) => return self.no_tls = Some(outcome),
            Proof::Nothing(outcome) if self.turns_away(&outcome) => return self.give_up(&outcome),
            Proof::Nothing(_) => {
                self.is_short |= is_first;
                return self.open_short(version);
            }
        }
        self.ask_all();
    }

    /// Without a share of a key the server is to ask for one (RFC 8446 section 4.1.4), but some
    /// refuse.
    fn may_want_share(&self, version: Version, refusal: Refusal) -> bool {
        let is_alert = matches!(refusal, Refusal::Alert(_)) && !refusal.is_of_version();
        version == Version::Tls13 && !self.with_shares && is_alert
    }

    fn open_short(&mut self, version: Version) {
        let chunks = self.chunks(version, |column| column.rules.allowed.clone());
        self.push(Step::OpenShort(version, chunks));
    }

    /// A server that swallows long hellos answers a short one; a dead port does not.
    fn note_short(&mut self, version: Version, mut chunks: Vec<Vec<u16>>, proof: Proof) {
        chunks.remove(0);
        let is_first = !self.has_opened;
        match proof {
            Proof::Takes(flight) => {
                self.is_intolerant = true;
                self.take(version, *flight);
            }
            Proof::TakesNone(refusal) if refusal.is_of_version() || chunks.is_empty() => {
                self.refuse(version, refusal, false);
            }
            Proof::TakesNone(_) => return self.push(Step::OpenShort(version, chunks)),
            Proof::Nothing(outcome)
                if is_first && matches!(outcome, Outcome::Silent | Outcome::Violation(_)) =>
            {
                return self.no_tls = Some(outcome);
            }
            Proof::Nothing(outcome) if self.turns_away(&outcome) => return self.give_up(&outcome),
            Proof::Nothing(outcome) => self.stop(version, outcome),
        }
        self.ask_all();
    }

    /// All that depends on the first answer only.
    fn ask_all(&mut self) {
        if std::mem::replace(&mut self.has_opened, true) {
            return;
        }
        // In front, so that the answers to the others show whether the server goes on to answer.
        self.push(Step::Ssl2);
        let opened = self.opening();
        let versions: Vec<Version> = self.columns.iter().map(|column| column.rules.version).collect();
        for version in versions.iter().copied().filter(|version| Some(*version) != opened) {
            // In an inventory the allowed suites are among the others.
            let opens = self.column(version).is_some_and(|column| !column.rules.allowed.is_empty());
            match (self.mode, self.is_short) {
                (Mode::Verdict, true) if opens => self.open_short(version),
                (Mode::Verdict, false) if opens => self.push(Step::Open(version)),
                (Mode::Inventory, false) if opens && !self.reads_long => self.push(Step::Open(version)),
                _ => {}
            }
        }
        for version in versions {
            self.ask_rest(version);
        }
    }

    /// All of a version that was not taken yet.
    fn ask_rest(&mut self, version: Version) {
        let is_short = self.is_short;
        let rest = self.rest(version);
        let Some(column) = self.column(version) else { return };
        if column.is_refused || rest.is_empty() {
            return;
        }
        let is_spoken = !column.found.picks.is_empty();
        let chains = if is_short {
            self.chunks(version, |_| rest.clone())
        } else {
            deal(&rest, if is_spoken && self.mode == Mode::Inventory { chains(version) } else { 1 })
        };
        for suites in chains {
            let is_first = !is_spoken && !is_short;
            self.push(Step::Chain { version, suites, last: None, is_first });
        }
    }

    /// What is to be asked of a version and was not taken yet.
    fn rest(&self, version: Version) -> Vec<u16> {
        let Some(column) = self.columns.iter().find(|column| column.rules.version == version) else {
            return Vec::new();
        };
        // One prime serves all suites of a server that are allowed with it.
        let shows_prime = self.mode == Mode::Verdict
            && column
                .found
                .picks
                .iter()
                .any(|flight| takes_prime(flight.hello.suite) && flight.dh_bits().is_some());
        all(self.mode, &column.rules)
            .filter(|code| !(shows_prime && column.rules.allowed.contains(code)))
            .filter(|code| column.found.picks.iter().all(|flight| flight.hello.suite != *code))
            .collect()
    }

    // Suites

    fn note_chain(
        &mut self,
        version: Version,
        suites: &[u16],
        last: Option<u64>,
        is_first: bool,
        proof: Proof,
    ) {
        let is_long = suites.len() > self.room(version);
        match proof {
            Proof::Takes(flight) => {
                let pick = flight.hello.suite;
                let place = strength_order(pick);
                // Weakest first is our order: who goes back in it has an order of its own.
                if last.is_some_and(|last| place < last)
                    && let Some(column) = self.column(version)
                {
                    column.found.preference = Some(Preference::Server);
                }
                let is_known = self.mode == Mode::Verdict && self.is_allowed(version, pick);
                self.take(version, *flight);
                // One prime serves all suites of a server that are allowed with it.
                let left: Vec<u16> = suites
                    .iter()
                    .copied()
                    .filter(|code| *code != pick && !(is_known && self.is_allowed(version, *code)))
                    .collect();
                let count = if is_first && self.mode == Mode::Inventory { chains(version) } else { 1 };
                for suites in deal(&left, count) {
                    self.push(Step::Chain { version, suites, last: Some(place), is_first: false });
                }
            }
            Proof::TakesNone(refusal)
                if is_first && self.mode == Mode::Inventory && self.may_want_share(version, refusal) =>
            {
                self.with_shares = true;
                self.push(Step::Chain { version, suites: suites.to_vec(), last, is_first });
            }
            Proof::TakesNone(refusal) => self.refuse(version, refusal, is_long),
            Proof::Nothing(outcome) if self.turns_away(&outcome) => self.give_up(&outcome),
            Proof::Nothing(outcome) if is_long && !matches!(outcome, Outcome::Spent) => {
                for suites in self.chunks(version, |_| suites.to_vec()) {
                    self.push(Step::Chain { version, suites, last: None, is_first: false });
                }
                // Time is short where answers do not come.
                if matches!(outcome, Outcome::Silent) {
                    self.is_short |= !self.reads_long;
                }
            }
            Proof::Nothing(outcome) => {
                self.stop(version, outcome);
                self.cancel(version);
            }
        }
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
            if doubts.allowed && self.mode == Mode::Verdict {
                self.open_short(version);
            }
            if doubts.rest || self.mode == Mode::Inventory {
                let rest = self.rest(version);
                for suites in self.chunks(version, |_| rest.clone()) {
                    self.push(Step::Chain { version, suites, last: None, is_first: false });
                }
            }
        }
    }

    fn is_allowed(&self, version: Version, code: u16) -> bool {
        self.columns
            .iter()
            .any(|column| column.rules.version == version && column.rules.allowed.contains(&code))
    }

    // What an inventory asks when all suites of a version are known

    fn close_columns(&mut self) {
        if self.mode == Mode::Verdict {
            return self.ask_post_quantum();
        }
        let newest = self.newest_with_prime();
        let mut steps = Vec::new();
        for column in &mut self.columns {
            if column.due > 0 || column.is_closed || column.found.picks.is_empty() {
                continue;
            }
            column.is_closed = true;
            let version = column.rules.version;
            let mut suites: Vec<u16> = column.found.picks.iter().map(|flight| flight.hello.suite).collect();
            suites.sort_by_key(|code| std::cmp::Reverse(strength_order(*code)));
            let with_group: Vec<u16> = suites.iter().copied().filter(|code| takes_groups(*code)).collect();
            let groups: Vec<u16> =
                groups(version).into_iter().filter(|group| !column.found.groups.contains(group)).collect();
            // What a server does in one version it does in those before.
            if Some(version) == newest {
                steps.extend(column.primes());
            }
            let is_asked = Some(version) == newest || version == Version::Tls13;
            if is_asked && column.found.preference.is_none() && suites.len() > 1 {
                steps.push(Step::Order(version, suites));
            }
            if !with_group.is_empty() && version >= Version::Tls12 {
                steps.push(Step::Groups { version, suites: with_group, groups });
            }
        }
        for step in steps {
            self.push(step);
        }
        self.ask_fallback();
    }

    /// The newest version below TLS 1.3 that is spoken.
    fn newest_with_prime(&self) -> Option<Version> {
        let spoken = self.columns.iter().filter(|column| !column.found.picks.is_empty());
        spoken.map(|column| column.rules.version).filter(|version| *version < Version::Tls13).max()
    }

    fn ask_post_quantum(&mut self) {
        let wanted = self.asks_post_quantum;
        let column =
            self.column(Version::Tls13).filter(|column| wanted && column.due == 0 && !column.is_closed);
        let Some(column) = column.filter(|column| !column.found.picks.is_empty()) else { return };
        column.is_closed = true;
        let is_known = |code: &u16| Group::by_code(*code).is_some_and(Group::is_post_quantum);
        if !column.found.groups.iter().any(is_known) {
            let suites = column.rules.allowed.clone();
            let groups = groups(Version::Tls13).into_iter().filter(is_known).collect();
            self.push(Step::Groups { version: Version::Tls13, suites, groups });
        }
    }

    /// Needs two versions, and the suites of the older one.
    fn ask_fallback(&mut self) {
        let is_open = |column: &Column| column.due > 0 && !column.is_closed;
        if self.has_fallen_back || self.columns.iter().any(is_open) {
            return;
        }
        let mut spoken =
            self.columns.iter().rev().map(|column| &column.found).filter(|found| !found.picks.is_empty());
        let (Some(_newest), Some(older)) = (spoken.next(), spoken.next()) else { return };
        let suites = older.picks.iter().map(|flight| flight.hello.suite).chain([FALLBACK_SCSV]).collect();
        let step = Step::Fallback(older.version, suites);
        self.has_fallen_back = true;
        self.push(step);
    }

    fn note_order(&mut self, version: Version, suites: &[u16], proof: &Proof) {
        let Proof::Takes(flight) = proof else { return };
        let is_ours = suites.first() == Some(&flight.hello.suite);
        if let Some(column) = self.column(version) {
            column.found.preference = Some(if is_ours { Preference::Client } else { Preference::Server });
        }
    }

    fn note_groups(&mut self, version: Version, suites: Vec<u16>, groups: &[u16], proof: Proof) {
        match proof {
            Proof::Takes(flight) => {
                let Some(group) = flight.group().filter(|group| groups.contains(group)) else { return };
                if let Some(column) = self.column(version) {
                    column.found.groups.push(group);
                }
                let groups: Vec<u16> = groups.iter().copied().filter(|known| *known != group).collect();
                if !groups.is_empty() {
                    self.push(Step::Groups { version, suites, groups });
                }
            }
            // A client without any group of the server's is refused in many words.
            Proof::TakesNone(_) | Proof::Nothing(Outcome::Refused(Some(_))) => {}
            Proof::Nothing(outcome) if self.turns_away(&outcome) => self.give_up(&outcome),
            Proof::Nothing(outcome) => self.stop(version, outcome),
        }
    }

    fn note_primes(&mut self, version: Version, mut suites: Vec<u16>, proof: Proof) {
        match proof {
            Proof::Takes(flight) => {
                suites.retain(|code| *code != flight.hello.suite);
                self.take(version, *flight);
                if !std::mem::replace(&mut self.takes_named_primes, true) {
                    let older = self.columns.iter().filter(|column| column.rules.version < version);
                    let steps: Vec<Step> = older.filter_map(Column::primes).collect();
                    for step in steps {
                        self.push(step);
                    }
                }
                if !suites.is_empty() {
                    self.push(Step::Primes(version, suites));
                }
            }
            Proof::TakesNone(_) => {}
            Proof::Nothing(outcome) if self.turns_away(&outcome) => self.give_up(&outcome),
            Proof::Nothing(outcome) => self.stop(version, outcome),
        }
    }

    fn note_fallback(&mut self, proof: &Proof) {
        self.fallback = match proof {
            Proof::Takes(_) => Some(false),
            Proof::TakesNone(Refusal::Alert(alerts::INAPPROPRIATE_FALLBACK)) => Some(true),
            Proof::TakesNone(_) | Proof::Nothing(_) => None,
        };
    }

    // Hellos

    fn question(&self, step: &Step) -> Question {
        let tls = |version, suites, groups| {
            let shares = self.with_shares && version == Version::Tls13;
            Question::Tls(Probe { version, suites, groups, shares })
        };
        match step {
            Step::Ssl2 => Question::Ssl2,
            Step::StillAnswers => Question::StillAnswers,
            Step::Open(version) => tls(*version, self.opened(*version), self.groups(*version)),
            Step::OpenShort(version, chunks) => {
                tls(*version, chunks.first().cloned().unwrap_or_default(), short_groups(*version))
            }
            // What is not known to be read must be short, or its refusal proves nothing.
            Step::Chain { version, suites, .. }
                if suites.len() <= self.room(*version) && (self.is_short || !self.reads_long) =>
            {
                tls(*version, weakest_first(suites), short_groups(*version))
            }
            Step::Chain { version, suites, .. } => {
                tls(*version, weakest_first(suites), self.groups(*version))
            }
            Step::Primes(version, suites) => tls(*version, suites.clone(), prime_groups()),
            Step::Groups { version, suites, groups } => tls(*version, suites.clone(), groups.clone()),
            Step::Order(version, suites) | Step::Fallback(version, suites) => {
                tls(*version, suites.clone(), self.groups(*version))
            }
        }
    }

    /// The allowed suites behind as many that nobody knows as make it the longest of all hellos:
    /// a server that reads on to them reads all.
    fn opened(&self, version: Version) -> Vec<u16> {
        let longest = self.columns.iter().map(|column| self.rest(column.rules.version).len()).max();
        let allowed = self.columns.iter().find(|column| column.rules.version == version);
        let allowed = allowed.map(|column| column.rules.allowed.clone()).unwrap_or_default();
        let filling = longest.unwrap_or_default();
        UNASSIGNED.take(filling).chain(allowed).collect()
    }

    /// Groups for a hello, those first that were not seen yet: who follows the client's order
    /// shows another one each time.
    fn groups(&self, version: Version) -> Vec<u16> {
        let mut groups = groups(version);
        if self.mode == Mode::Inventory
            && let Some(column) = self.columns.iter().find(|column| column.rules.version == version)
        {
            groups.sort_by_key(|group| column.found.groups.contains(group));
        }
        groups
    }

    /// Suites that fit into a short hello.
    fn room(&self, version: Version) -> usize {
        let name = "x".repeat(self.name_length);
        let shares = if self.with_shares { KeyShare::of(&short_groups(version)) } else { Vec::new() };
        let hello = ClientHello {
            version,
            suites: &[],
            groups: &short_groups(version),
            server_name: (self.name_length > 0).then_some(name.as_str()),
            compression: true,
            shares: &shares,
            padded_to: 0,
        };
        let left = SHORT_BYTES.saturating_sub(hello.record(&hello::NO_RANDOM).len());
        // The tries after the first are longer.
        (left / 2).saturating_sub(FILLING * (TRIES - 1)).clamp(8, SHORT)
    }

    /// Some suites of a version in portions for short hellos.
    fn chunks(&self, version: Version, suites: impl Fn(&Column) -> Vec<u16>) -> Vec<Vec<u16>> {
        let column = self.columns.iter().find(|column| column.rules.version == version);
        let suites = column.map(suites).unwrap_or_default();
        deal(&suites, suites.len().div_ceil(self.room(version)))
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
        | Step::Chain { version, .. }
        | Step::Order(version, _)
        | Step::Primes(version, _)
        | Step::Groups { version, .. }
        | Step::Fallback(version, _) => Some(*version),
        Step::Ssl2 | Step::StillAnswers => None,
    }
}

const fn is_answer(reply: &Reply) -> bool {
    matches!(reply, Reply::Tls(Proof::Takes(_) | Proof::TakesNone(Refusal::Alert(_) | Refusal::OlderVersion)))
}

/// Whether the first answer shows that more hellos are of no use. To whom does not name the
/// right host, a server shows nothing of what it has for the others.
const fn ends_all(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Refused(Some(alert)) => alert.description == alerts::UNRECOGNIZED_NAME,
        Outcome::Foreign(_)
        | Outcome::NoStarttls(_)
        | Outcome::Busy(_)
        | Outcome::Unreachable(_)
        | Outcome::Spent => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
