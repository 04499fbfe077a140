//! The hellos of the steps: which suites and groups, how long.

use super::column::Column;
use super::{Board, Question, Step};
use crate::scan::offer::{COMMON, deal, groups, short_groups};
use crate::scan::{COMMON_SUITES, FILLING, Mode, Probe, TRIES};
use crate::suites::UNASSIGNED;
use crate::version::Version;
use crate::wire::hello::{self, ClientHello, KeyShare};

/// Suites in one short hello at most: some servers read 64, some drop what is longer than 255
/// bytes.
const SHORT: usize = 60;
/// The longest record that all take.
const SHORT_BYTES: usize = 255;

impl Board {
    pub(super) fn question(&self, step: &Step) -> Question {
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
            Step::OpenCommon(version) => tls(*version, COMMON_SUITES.to_vec(), short_groups(*version)),
            Step::Chain(version, chain) => {
                let groups = match self.new_groups(*version).filter(|_| chain.in_new_groups) {
                    Some(groups) => groups,
                    // What is not known to be read must be short, or its refusal proves nothing.
                    None if (self.is_short || !self.reads_long)
                        && self.fits_short(*version, &chain.suites) =>
                    {
                        short_groups(*version)
                    }
                    None => self.groups(*version),
                };
                tls(*version, chain.suites.clone(), groups)
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
    pub(super) fn opened(&self, version: Version) -> Vec<u16> {
        let longest = self.columns.iter().map(|column| self.rest(column.rules.version).len()).max();
        let allowed = self.columns.iter().find(|column| column.rules.version == version);
        let allowed = allowed.map(|column| column.rules.allowed.clone()).unwrap_or_default();
        let filling = longest.unwrap_or_default();
        UNASSIGNED.take(filling).chain(allowed).collect()
    }

    /// Groups for a hello, those first that were not seen yet, and another one of them each time: who follows the client's
    /// order shows them all by the way.
    pub(super) fn groups(&self, version: Version) -> Vec<u16> {
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
    pub(super) fn new_groups(&self, version: Version) -> Option<Vec<u16>> {
        let column = self.columns.iter().find(|column| column.rules.version == version)?;
        let mut groups = groups(version);
        let all = groups.len();
        groups.retain(|group| !column.found.groups.contains(group));
        (self.mode == Mode::Inventory && !groups.is_empty() && groups.len() < all).then_some(groups)
    }

    /// Suites that fit into a short hello.
    pub(super) fn room(&self, version: Version) -> usize {
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

    pub(super) fn fits_short(&self, version: Version, suites: &[u16]) -> bool {
        suites.len() <= SHORT && suites.len() <= self.room(version)
    }

    /// Some suites of a version in portions for short hellos.
    pub(super) fn chunks(&self, version: Version, suites: impl Fn(&Column) -> Vec<u16>) -> Vec<Vec<u16>> {
        let column = self.columns.iter().find(|column| column.rules.version == version);
        let suites = column.map(suites).unwrap_or_default();
        deal(&suites, suites.len().div_ceil(self.room(version)))
    }
}
