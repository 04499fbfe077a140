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

mod groups;

use std::collections::VecDeque;

use super::connection::{Flight, Outcome};
use super::offer::{
    COMMON, chains, deal, groups, prime_groups, short_groups, takes_groups, takes_prime, weakest_first,
};
use super::preference::{Choices, Preference};
use super::{Asked, FILLING, Mode, Probe, Proof, Refusal, TRIES};
use crate::alerts;
use crate::groups::Group;
use crate::signatures::SIGNATURE_SCHEMES;
use crate::suites::{Auth, FALLBACK_SCSV, Suite, UNASSIGNED};
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
    /// The groups that the policy lists were asked for.
    has_asked_groups: bool,
    /// In an inventory.
    choices: Choices,
    /// Hellos that were only about who decides.
    orders: usize,
}

impl Column {
    /// What shows more groups: the suites found that have one. With those too that some servers take only in a prime field
    /// with a name (RFC 7919 section 4); asked last, for others hide the prime that they have for clients without such names.
    fn more_groups(&self, with_primes: bool) -> Option<Step> {
        let version = self.rules.version;
        let found: Vec<u16> = self.found.picks.iter().map(|flight| flight.hello.suite).collect();
        let with_group: Vec<u16> = found.iter().copied().filter(|code| takes_groups(*code)).collect();
        let left =
            all(Mode::Inventory, &self.rules).filter(|code| takes_prime(*code) && !found.contains(code));
        let left: Vec<u16> = if with_primes { left.collect() } else { Vec::new() };
        let is_new = |group: &u16| !self.found.groups.contains(group);
        let mut suites = Vec::new();
        let mut more = Vec::new();
        let shows_groups =
            version >= Version::Tls12 || with_primes && version > Version::Ssl3 && self.lists_groups();
        if shows_groups && !with_group.is_empty() {
            suites.extend(weakest_first(&with_group).into_iter().rev());
            more.extend(groups(version).into_iter().filter(is_new));
            // More than one showed, so the server follows the client's order.
            if self.needs_own_curve() && self.found.groups.len() > 1 {
                more.extend(&self.found.groups);
            }
        }
        if !left.is_empty() {
            suites.extend(left);
            more.extend(prime_groups());
        }
        (!more.is_empty()).then_some(Step::Groups { version, suites, groups: more })
    }

    /// Whether what was taken goes with an ECDSA certificate. Up to TLS 1.2 its curve must be among the groups of a client,
    /// or some servers refuse it whatever other groups they have in common (RFC 8422 section 5.1).
    fn needs_own_curve(&self) -> bool {
        let suites = self.found.picks.iter().filter_map(|flight| Suite::by_code(flight.hello.suite));
        let mut with_group = suites.filter(|suite| takes_groups(suite.code)).peekable();
        self.rules.version < Version::Tls13
            && with_group.peek().is_some()
            && with_group.all(|suite| suite.auth == Auth::Ecdsa)
    }

    /// The same groups with those that were seen behind them, if that may be answered where they alone were refused.
    fn with_own_curve(&self, groups: &[u16]) -> Option<Vec<u16>> {
        let has_seen = groups.iter().any(|group| self.found.groups.contains(group));
        let more = || groups.iter().chain(&self.found.groups).copied().collect();
        (self.needs_own_curve() && !has_seen && !self.found.groups.is_empty()).then(more)
    }

    /// What shows more signature schemes, for each kind of key.
    fn more_signatures(&self) -> Vec<Step> {
        let is_new = |scheme: &u16| !self.found.signatures.contains(scheme);
        let schemes: Vec<u16> = SIGNATURE_SCHEMES.iter().map(|scheme| scheme.code).filter(is_new).collect();
        let of_kind = |auth: Auth| -> Vec<u16> {
            let is_of = |suite: &&Suite| suite.auth == auth && suite.is_signed();
            let found = self.found.picks.iter().filter_map(|flight| Suite::by_code(flight.hello.suite));
            found.filter(is_of).map(|suite| suite.code).collect()
        };
        let kinds = [Auth::Rsa, Auth::Ecdsa, Auth::Dss].map(of_kind).into_iter();
        kinds
            .filter(|suites| !suites.is_empty())
            .map(|suites| Step::Signatures(suites, schemes.clone()))
            .collect()
    }

    /// What shows who decides, where that is still open; `None` where it is not or cannot be.
    fn order(&mut self) -> Option<Step> {
        let is_open = self.orders < ORDERS && self.choices.preference().is_none();
        let suites = self.choices.deciding().filter(|_| is_open)?;
        self.orders += 1;
        Some(Step::Order(self.rules.version, suites))
    }
}

/// The first one may be what the second one is contrary to.
const ORDERS: usize = 2;

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
    asks_signatures: bool,
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
    /// Steps that can be taken at a time.
    hands: usize,
}

/// A chain that was that long may as well be longer: with nothing else to do two of it are worth one more refusal.
const LONG: usize = 12;

/// Suites in one short hello at most: some servers read 64, some drop what is longer than 255
/// bytes.
const SHORT: usize = 60;
/// The longest record that all take.
const SHORT_BYTES: usize = 255;

/// Chains of certificates that are kept: one more than are judged, so that more are known to be there.
const CHAINS: usize = 9;

impl Board {
    /// `name_length` is that of the server's name; `hands` are the steps that can be taken at a time.
    pub(super) fn new(asked: &Asked<'_>, name_length: usize, hands: usize) -> Self {
        let column = |rules: &Rules| Column {
            found: Found {
                version: rules.version,
                picks: Vec::new(),
                preference: None,
                groups: Vec::new(),
                signatures: Vec::new(),
                stopped: None,
            },
            rules: rules.clone(),
            is_refused: false,
            doubts: Doubts::default(),
            due: 0,
            is_closed: false,
            has_asked_groups: false,
            choices: Choices::default(),
            orders: 0,
        };
        let mut board = Self {
            mode: asked.mode,
            asks_post_quantum: asked.post_quantum,
            asks_signatures: asked.signatures,
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
            hands,
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

    /// Pairs of version and suite that were found so far.
    pub(super) fn found(&self) -> usize {
        self.columns.iter().map(|column| column.found.picks.len()).sum()
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
        let offered = match &question {
            Question::Tls(probe) if self.mode == Mode::Inventory => probe.suites.clone(),
            _ => Vec::new(),
        };
        Some((Turn { step, number: self.turn, offered }, question))
    }

    /// Takes down what came of a step, and what is to be asked because of it.
    pub(super) fn note(&mut self, turn: Turn, reply: Reply) {
        self.busy -= 1;
        let Turn { step, number, offered } = turn;
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
        let found = |column: Column| Found { preference: column.choices.preference(), ..column.found };
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
        // Those first that have the most to tell.
        let mut versions: Vec<Version> =
            self.columns.iter().rev().map(|column| column.rules.version).collect();
        versions.sort_by_key(|version| Some(*version) != opened);
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
            self.push(Step::Chain(version, Chain { is_first, ..Chain::of(suites) }));
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

    fn note_chain(&mut self, version: Version, chain: Chain, proof: Proof) {
        let is_long = chain.suites.len() > self.room(version);
        match proof {
            Proof::Takes(flight) => {
                let pick = flight.hello.suite;
                self.take(version, *flight);
                self.go_on(version, chain, pick);
            }
            Proof::TakesNone(refusal)
                if chain.is_first
                    && self.mode == Mode::Inventory
                    && self.may_want_share(version, refusal) =>
            {
                self.with_shares = true;
                self.push(Step::Chain(version, chain));
            }
            Proof::TakesNone(_) if chain.in_new_groups => {
                self.push(Step::Chain(version, Chain { in_new_groups: false, ..chain }));
            }
            Proof::TakesNone(refusal) => self.refuse(version, refusal, is_long),
            Proof::Nothing(outcome) if self.turns_away(&outcome) => self.give_up(&outcome),
            Proof::Nothing(outcome) if is_long && !matches!(outcome, Outcome::Spent) => {
                for suites in self.chunks(version, |_| chain.suites.clone()) {
                    self.push(Step::Chain(version, Chain::of(suites)));
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

    /// Asks what is left of a chain of which something was taken.
    fn go_on(&mut self, version: Version, chain: Chain, pick: u16) {
        let is_known = self.mode == Mode::Verdict && self.is_allowed(version, pick);
        // One prime serves all suites of a server that are allowed with it.
        let is_left = |code: &u16| *code != pick && !(is_known && self.is_allowed(version, *code));
        let left: Vec<u16> = chain.suites.into_iter().filter(is_left).collect();
        let hits = chain.hits + 1;
        let portions = match self.mode {
            Mode::Inventory if chain.is_first => chains(version),
            _ if hits >= LONG && self.has_idle_hands() => 2,
            _ => 1,
        };
        let in_new_groups = version == Version::Tls13
            && (chain.is_first || chain.in_new_groups)
            && self.new_groups(version).is_some();
        let hits = if portions > 1 { 0 } else { hits };
        for suites in deal(&left, portions) {
            self.push(Step::Chain(version, Chain { suites, is_first: false, in_new_groups, hits }));
        }
    }

    /// Whether there is nothing to do for some, while one goes on.
    fn has_idle_hands(&self) -> bool {
        self.busy + self.queue.len() + 1 < self.hands
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

    // What an inventory asks when all suites of a version are known

    fn close_columns(&mut self) {
        if self.mode == Mode::Verdict {
            self.ask_listed_groups();
            return self.ask_post_quantum();
        }
        let newest = self.newest_with_prime();
        let asks_signatures = self.asks_signatures;
        let mut steps = Vec::new();
        for column in &mut self.columns {
            if column.due > 0 || column.found.picks.is_empty() {
                continue;
            }
            let version = column.rules.version;
            // What a server does in one version it does in those before.
            let is_asked = Some(version) == newest || version == Version::Tls13;
            if !std::mem::replace(&mut column.is_closed, true) {
                steps.extend(column.more_groups(Some(version) == newest));
                if asks_signatures && version == Version::Tls12 {
                    steps.extend(column.more_signatures());
                }
                // The hellos for groups are about suites too.
                if version == Version::Tls13 {
                    continue;
                }
            }
            if is_asked {
                steps.extend(column.order());
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

    fn note_groups(&mut self, version: Version, mut suites: Vec<u16>, mut groups: Vec<u16>, proof: Proof) {
        match proof {
            Proof::Takes(flight) => {
                let pick = flight.hello.suite;
                match flight.group() {
                    _ if takes_prime(pick) => {
                        suites.retain(|code| *code != pick);
                        self.take(version, *flight);
                        self.ask_older_primes(version);
                    }
                    Some(group) if groups.contains(&group) => {
                        let seen = self.column(version).map(|column| column.found.groups.clone());
                        let seen = seen.unwrap_or_default();
                        // It was behind all that is new.
                        if seen.contains(&group) {
                            return;
                        }
                        let keeps_own_curve = groups.iter().any(|one| seen.contains(one));
                        groups.retain(|known| *known != group);
                        groups.extend(keeps_own_curve.then_some(group));
                        self.take(version, *flight);
                    }
                    // OpenSSL picks ECDHE with PSK and then gives up, as it has none of the groups.
                    None if flight.alert.is_some() => return,
                    _ => return self.stop(version, Outcome::Violation("a group that was not offered")),
                }
                if !suites.is_empty() && !groups.is_empty() {
                    self.push(Step::Groups { version, suites, groups });
                }
            }
            Proof::TakesNone(_) => self.ask_with_own_curve(version, suites, &groups),
            // A client without any group of the server's is refused in many words; by Java with unexpected_message,
            // which is the only one that a verdict takes for a refusal beside the usual ones.
            Proof::Nothing(Outcome::Refused(Some(alert)))
                if !suites.iter().any(|code| takes_prime(*code))
                    && (self.mode == Mode::Inventory || alert.description == alerts::UNEXPECTED_MESSAGE) =>
            {
                self.ask_with_own_curve(version, suites, &groups);
            }
            Proof::Nothing(outcome) if self.turns_away(&outcome) => self.give_up(&outcome),
            Proof::Nothing(outcome) => self.stop(version, outcome),
        }
    }

    fn ask_with_own_curve(&mut self, version: Version, suites: Vec<u16>, groups: &[u16]) {
        if let Some(groups) = self.column(version).and_then(|column| column.with_own_curve(groups)) {
            self.push(Step::Groups { version, suites, groups });
        }
    }

    /// Who wants primes with a name in one version wants them in those before.
    fn ask_older_primes(&mut self, version: Version) {
        if std::mem::replace(&mut self.takes_named_primes, true) {
            return;
        }
        let older = self.columns.iter().filter(|column| column.rules.version < version);
        let is_asked =
            |column: &&Column| !column.found.picks.is_empty() && column.rules.version > Version::Ssl3;
        let steps: Vec<Step> = older.filter(is_asked).filter_map(|column| column.more_groups(true)).collect();
        for step in steps {
            self.push(step);
        }
    }

    fn note_signatures(&mut self, suites: Vec<u16>, mut schemes: Vec<u16>, proof: Proof) {
        match proof {
            Proof::Takes(flight) => {
                let Some(scheme) = flight.signature_scheme() else { return };
                self.take(Version::Tls12, *flight);
                let count = schemes.len();
                schemes.retain(|known| *known != scheme);
                // Who signs as was not asked for does so whatever is asked for.
                if schemes.len() < count && !schemes.is_empty() {
                    self.push(Step::Signatures(suites, schemes));
                }
            }
            // A client without any scheme of the server's is refused in many words.
            Proof::TakesNone(_) | Proof::Nothing(Outcome::Refused(Some(_))) => {}
            Proof::Nothing(outcome) if self.turns_away(&outcome) => self.give_up(&outcome),
            Proof::Nothing(outcome) => self.stop(Version::Tls12, outcome),
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
        let probe = |version, suites, groups, signatures| {
            let shares = self.with_shares && version == Version::Tls13;
            Question::Tls(Probe { version, suites, groups, signatures, shares })
        };
        let tls = |version, suites, groups| probe(version, suites, groups, Vec::new());
        match step {
            Step::Ssl2 => Question::Ssl2,
            Step::StillAnswers => Question::StillAnswers,
            Step::Open(version) => tls(*version, self.opened(*version), self.groups(*version)),
            Step::OpenShort(version, chunks) => {
                tls(*version, chunks.first().cloned().unwrap_or_default(), short_groups(*version))
            }
            Step::Chain(version, chain) => {
                let is_short = chain.suites.len() <= self.room(*version);
                let groups = match self.new_groups(*version).filter(|_| chain.in_new_groups) {
                    Some(groups) => groups,
                    // What is not known to be read must be short, or its refusal proves nothing.
                    None if is_short && (self.is_short || !self.reads_long) => short_groups(*version),
                    None => self.groups(*version),
                };
                tls(*version, weakest_first(&chain.suites), groups)
            }
            Step::Groups { version, suites, groups } => tls(*version, suites.clone(), groups.clone()),
            Step::Signatures(suites, schemes) => {
                probe(Version::Tls12, suites.clone(), self.groups(Version::Tls12), schemes.clone())
            }
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

    /// Groups for a hello, those first that were not seen yet, and another one of them each time: who follows the client's
    /// order shows them all by the way.
    fn groups(&self, version: Version) -> Vec<u16> {
        let Some(mut groups) = self.new_groups(version) else { return groups(version) };
        let turns = self.turn;
        if let Some(common) = groups.get_mut(..COMMON) {
            common.rotate_left(turns % COMMON);
        }
        let seen = self.columns.iter().filter(|column| column.rules.version == version);
        groups.extend(seen.flat_map(|column| &column.found.groups));
        groups
    }

    /// Those that were not seen yet, where others were.
    fn new_groups(&self, version: Version) -> Option<Vec<u16>> {
        let column = self.columns.iter().find(|column| column.rules.version == version)?;
        let mut groups = groups(version);
        let all = groups.len();
        groups.retain(|group| !column.found.groups.contains(group));
        (self.mode == Mode::Inventory && !groups.is_empty() && groups.len() < all).then_some(groups)
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
            signatures: None,
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
        | Step::Chain(version, _)
        | Step::Order(version, _)
        | Step::Groups { version, .. }
        | Step::Fallback(version, _) => Some(*version),
        Step::Signatures(..) => Some(Version::Tls12),
        Step::Ssl2 | Step::StillAnswers => None,
    }
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

/// Whether the first answer shows that more hellos are of no use. To whom does not name the
/// right host, a server shows nothing of what it has for the others.
const fn ends_all(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Refused(Some(alert)) => alert.description == alerts::UNRECOGNIZED_NAME,
        Outcome::Foreign(_)
        | Outcome::NoStarttls(_)
        | Outcome::Elsewhere(_)
        | Outcome::Busy(_)
        | Outcome::Unreachable(_)
        | Outcome::Spent => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
