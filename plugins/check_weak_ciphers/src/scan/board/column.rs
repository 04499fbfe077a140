//! One version on the board.

use super::{Found, Rules, Step, all};
use crate::scan::Mode;
use crate::scan::offer::{groups, prime_groups, takes_groups, takes_prime, weakest_first};
use crate::scan::preference::Choices;
use crate::signatures::SIGNATURE_SCHEMES;
use crate::suites::{Auth, Suite};
use crate::version::Version;

/// One version on the board.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) rules: Rules,
    /// All that is asked, from weak to strong.
    pub(super) asked: Vec<u16>,
    pub(super) found: Found,
    /// Refused as a whole.
    pub(super) is_refused: bool,
    /// Long hellos with the allowed suites, or with the rest, were refused before it was clear
    /// that they are read.
    pub(super) doubts: Doubts,
    /// Steps that were not answered yet.
    pub(super) due: usize,
    /// The questions that come after the suites were asked.
    pub(super) is_closed: bool,
    /// The groups that the policy lists were asked for.
    pub(super) has_asked_groups: bool,
    /// In an inventory.
    pub(super) choices: Choices,
    /// Hellos that were only about who decides.
    pub(super) orders: usize,
}

impl Column {
    pub(super) fn new(rules: &Rules, mode: Mode) -> Self {
        Self {
            found: Found {
                version: rules.version,
                picks: Vec::new(),
                preference: None,
                groups: Vec::new(),
                signatures: Vec::new(),
                stopped: None,
            },
            rules: rules.clone(),
            asked: weakest_first(all(mode, rules).collect()),
            is_refused: false,
            doubts: Doubts::default(),
            due: 0,
            is_closed: false,
            has_asked_groups: false,
            choices: Choices::default(),
            orders: 0,
        }
    }

    /// What shows more groups: the suites found that have one. With those too that some servers take only in a prime field
    /// with a name (RFC 7919 section 4); asked last, for others hide the prime that they have for clients without such names.
    pub(super) fn more_groups(&self, with_primes: bool) -> Vec<Step> {
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
            suites.extend(weakest_first(with_group).into_iter().rev());
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
        let (primes, others): (Vec<u16>, Vec<u16>) = match version {
            // Servers that have some have them all, so two chains are done sooner than one.
            Version::Tls13 => more.into_iter().partition(|group| prime_groups().contains(group)),
            _ => (Vec::new(), more),
        };
        let portions = [others, primes].into_iter().filter(|groups| !groups.is_empty());
        portions.map(|groups| Step::Groups { version, suites: suites.clone(), groups }).collect()
    }

    /// Whether what was taken goes with an ECDSA certificate. Up to TLS 1.2 its curve must be among the groups of a client,
    /// or some servers refuse it whatever other groups they have in common (RFC 8422 section 5.1).
    pub(super) fn needs_own_curve(&self) -> bool {
        let suites = self.found.picks.iter().filter_map(|flight| Suite::by_code(flight.hello.suite));
        let mut with_group = suites.filter(|suite| takes_groups(suite.code)).peekable();
        self.rules.version < Version::Tls13
            && with_group.peek().is_some()
            && with_group.all(|suite| suite.auth == Auth::Ecdsa)
    }

    /// The same groups with those that were seen behind them, if that may be answered where they alone were refused.
    pub(super) fn with_own_curve(&self, groups: &[u16]) -> Option<Vec<u16>> {
        let has_seen = groups.iter().any(|group| self.found.groups.contains(group));
        let more = || groups.iter().chain(&self.found.groups).copied().collect();
        (self.needs_own_curve() && !has_seen && !self.found.groups.is_empty()).then(more)
    }

    /// What shows more signature schemes, for each kind of key.
    pub(super) fn more_signatures(&self) -> Vec<Step> {
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
    pub(super) fn order(&mut self) -> Option<Step> {
        let is_open = self.orders < ORDERS && self.choices.preference().is_none();
        let suites = self.choices.deciding().filter(|_| is_open)?;
        self.orders += 1;
        Some(Step::Order(self.rules.version, suites))
    }
}

/// The first one may be what the second one is contrary to.
pub(super) const ORDERS: usize = 2;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Doubts {
    pub(super) allowed: bool,
    pub(super) rest: bool,
}
