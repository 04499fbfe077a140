//! Groups that a policy forbids or asks for: a verdict asks for them too. A server shows the group it likes best of
//! those that are offered, so what it would take from others shows only where nothing else is offered.

use super::column::Column;
use super::{Board, Step};
use crate::scan::offer::{short_groups, takes_groups};
use crate::version::Version;

impl Column {
    /// Whether the policy says which groups are allowed or asked for.
    pub(super) fn lists_groups(&self) -> bool {
        !self.rules.groups.is_empty() || self.rules.required.iter().any(|groups| !groups.is_empty())
    }

    /// Suites that need a group: what was taken, and what the server may take of the rest. That is what the policy
    /// allows, for all that it forbids was asked for by itself.
    fn suites_with_groups(&self, only_taken: bool) -> Vec<u16> {
        let taken = self.found.picks.iter().map(|flight| flight.hello.suite);
        let mut suites: Vec<u16> = taken.filter(|code| takes_groups(*code)).collect();
        if !only_taken || suites.is_empty() {
            let more = self.rules.allowed.iter().filter(|code| takes_groups(**code));
            let more: Vec<u16> = more.filter(|code| !suites.contains(code)).copied().collect();
            suites.extend(more);
        }
        suites
    }
}

impl Board {
    /// Asks once in TLS 1.3 and once in the newest version below it, when all suites of theirs were asked.
    pub(super) fn ask_listed_groups(&mut self) {
        for version in [Some(Version::Tls13), self.newest_settled()].into_iter().flatten() {
            let is_short = self.is_short || !self.reads_long;
            let seen: Vec<u16> =
                self.columns.iter().flat_map(|column| column.found.groups.iter().copied()).collect();
            let is_open = |column: &&mut Column| {
                column.due == 0 && !column.found.picks.is_empty() && column.lists_groups()
            };
            let Some(column) = self.column(version).filter(is_open) else { continue };
            if std::mem::replace(&mut column.has_asked_groups, true) {
                continue;
            }
            let suites = column.suites_with_groups(is_short);
            let new = |group: &&u16| !column.found.groups.contains(group);
            let mut wanted = vec![column.rules.groups.iter().filter(new).copied().collect::<Vec<u16>>()];
            let missing =
                column.rules.required.iter().filter(|groups| !groups.iter().any(|one| seen.contains(one)));
            wanted.extend(missing.cloned());
            for groups in wanted.into_iter().filter(|groups| !groups.is_empty()) {
                self.push_groups(version, &suites, &groups, is_short);
            }
        }
    }

    fn push_groups(&mut self, version: Version, suites: &[u16], groups: &[u16], is_short: bool) {
        if suites.is_empty() {
            return;
        }
        // The room for suites is what as many groups leave.
        let (most, portion) = if is_short {
            (self.room(version), short_groups(version).len())
        } else {
            (suites.len(), groups.len())
        };
        for suites in suites.chunks(most.max(1)) {
            for groups in groups.chunks(portion.max(1)) {
                self.push(Step::Groups { version, suites: suites.to_vec(), groups: groups.to_vec() });
            }
        }
    }

    /// The newest version below TLS 1.3 that is spoken and has groups, when no newer one can turn up.
    fn newest_settled(&self) -> Option<Version> {
        let older = |column: &&Column| (Version::Tls10..Version::Tls13).contains(&column.rules.version);
        let mut columns: Vec<&Column> = self.columns.iter().filter(older).collect();
        columns.sort_by_key(|column| std::cmp::Reverse(column.rules.version));
        let settled = columns.into_iter().take_while(|column| column.due == 0);
        settled.filter(|column| !column.found.picks.is_empty()).map(|column| column.rules.version).next()
    }
}
