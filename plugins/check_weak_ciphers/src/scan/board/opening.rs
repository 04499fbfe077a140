//! The first hello, and all that depends on nothing else.

use super::{Board, Chain, Step};
use crate::alerts;
use crate::scan::connection::Outcome;
use crate::scan::offer::{chains, deal, takes_prime};
use crate::scan::{Mode, Proof, Refusal};
use crate::version::Version;

impl Board {
    pub(super) fn note_open(&mut self, version: Version, proof: Proof) {
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
    pub(super) fn may_want_share(&self, version: Version, refusal: Refusal) -> bool {
        let is_alert = matches!(refusal, Refusal::Alert(_)) && !refusal.is_of_version();
        version == Version::Tls13 && !self.with_shares && is_alert
    }

    pub(super) fn open_short(&mut self, version: Version) {
        let chunks = self.chunks(version, |column| column.rules.allowed.clone());
        self.push(Step::OpenShort(version, chunks));
    }

    /// A server that swallows long hellos answers a short one; a dead port does not.
    pub(super) fn note_short(&mut self, version: Version, mut chunks: Vec<Vec<u16>>, proof: Proof) {
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
            Proof::Nothing(Outcome::Ended(_)) if is_first && !self.has_asked_common => {
                self.has_asked_common = true;
                return self.push(Step::OpenCommon(version));
            }
            Proof::Nothing(outcome) => self.stop(version, outcome),
        }
        self.ask_all();
    }

    pub(super) fn note_common(&mut self, version: Version, proof: Proof) {
        match proof {
            Proof::Takes(flight) => self.take(version, *flight),
            Proof::TakesNone(_) => {}
            Proof::Nothing(outcome) => {
                self.stop(version, outcome);
                return self.ask_all();
            }
        }
        // Now the end of a connection says something.
        self.open_short(version);
    }

    /// All that depends on the first answer only.
    pub(super) fn ask_all(&mut self) {
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
    pub(super) fn ask_rest(&mut self, version: Version) {
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
    pub(super) fn rest(&self, version: Version) -> Vec<u16> {
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
        let is_left = |code: &u16| {
            !(shows_prime && column.rules.allowed.contains(code))
                && column.found.picks.iter().all(|flight| flight.hello.suite != *code)
        };
        column.asked.iter().copied().filter(is_left).collect()
    }
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
