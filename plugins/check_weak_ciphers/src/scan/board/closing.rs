//! What is asked when all suites of a version are known: groups, signature schemes, who decides.

use super::column::Column;
use super::{Board, Step};
use crate::alerts;
use crate::groups::Group;
use crate::scan::connection::Outcome;
use crate::scan::offer::{groups, takes_prime};
use crate::scan::{Mode, Proof, Refusal};
use crate::suites::FALLBACK_SCSV;
use crate::version::Version;

impl Board {
    pub(super) fn close_columns(&mut self) {
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
    pub(super) fn newest_with_prime(&self) -> Option<Version> {
        let spoken = self.columns.iter().filter(|column| !column.found.picks.is_empty());
        spoken.map(|column| column.rules.version).filter(|version| *version < Version::Tls13).max()
    }

    pub(super) fn ask_post_quantum(&mut self) {
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

    /// Needs two versions and a suite of the older one, when no newer ones can turn up.
    pub(super) fn ask_fallback(&mut self) {
        if self.has_fallen_back {
            return;
        }
        let is_settled = |column: &&Column| column.due == 0 || !column.found.picks.is_empty();
        let settled = self.columns.iter().rev().take_while(is_settled).map(|column| &column.found);
        let Some(older) = settled.filter(|found| !found.picks.is_empty()).nth(1) else { return };
        let suites = older.picks.iter().map(|flight| flight.hello.suite).chain([FALLBACK_SCSV]).collect();
        let step = Step::Fallback(older.version, suites);
        self.has_fallen_back = true;
        self.push(step);
    }

    pub(super) fn note_groups(
        &mut self,
        version: Version,
        mut suites: Vec<u16>,
        mut groups: Vec<u16>,
        proof: Proof,
    ) {
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

    pub(super) fn ask_with_own_curve(&mut self, version: Version, suites: Vec<u16>, groups: &[u16]) {
        if let Some(groups) = self.column(version).and_then(|column| column.with_own_curve(groups)) {
            self.push(Step::Groups { version, suites, groups });
        }
    }

    /// Who wants primes with a name in one version wants them in those before.
    pub(super) fn ask_older_primes(&mut self, version: Version) {
        if std::mem::replace(&mut self.takes_named_primes, true) {
            return;
        }
        let older = self.columns.iter().filter(|column| column.rules.version < version);
        let is_asked =
            |column: &&Column| !column.found.picks.is_empty() && column.rules.version > Version::Ssl3;
        let steps: Vec<Step> = older.filter(is_asked).flat_map(|column| column.more_groups(true)).collect();
        for step in steps {
            self.push(step);
        }
    }

    pub(super) fn note_signatures(&mut self, suites: Vec<u16>, mut schemes: Vec<u16>, proof: Proof) {
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

    pub(super) fn note_fallback(&mut self, proof: &Proof) {
        self.fallback = match proof {
            Proof::Takes(_) => Some(false),
            Proof::TakesNone(Refusal::Alert(alerts::INAPPROPRIATE_FALLBACK)) => Some(true),
            Proof::TakesNone(_) | Proof::Nothing(_) => None,
        };
    }
}
