//! Suites: what is taken is removed, and the rest asked again.

use super::{Board, Chain, Step};
use crate::scan::connection::Outcome;
use crate::scan::offer::{chains, deal};
use crate::scan::{Mode, Proof};
use crate::version::Version;

/// A chain that was that long may as well be longer: with nothing else to do two of it are worth one more refusal.
const LONG: usize = 12;

impl Board {
    pub(super) fn note_chain(&mut self, version: Version, chain: Chain, proof: Proof) {
        let is_long = !matches!(proof, Proof::Takes(_)) && !self.fits_short(version, &chain.suites);
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
    pub(super) fn go_on(&mut self, version: Version, chain: Chain, pick: u16) {
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
            && !self.has_usual(version)
            && self.new_groups(version).is_some();
        let hits = if portions > 1 { 0 } else { hits };
        for suites in deal(&left, portions) {
            self.push(Step::Chain(version, Chain { suites, is_first: false, in_new_groups, hits }));
        }
    }

    /// Whether more than these suites of TLS 1.3 would be a surprise.
    pub(super) fn has_usual(&self, version: Version) -> bool {
        let column = self.columns.iter().find(|column| column.rules.version == version);
        let takes = |code: &u16| {
            column.is_some_and(|one| one.found.picks.iter().any(|flight| flight.hello.suite == *code))
        };
        [0x1301, 0x1302, 0x1303].iter().all(takes)
    }

    /// Whether there is nothing to do for some, while one goes on.
    pub(super) fn has_idle_hands(&self) -> bool {
        self.busy + self.queue.len() + 1 < self.hands
    }
}
