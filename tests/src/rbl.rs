//! The fixture of a block list check: one responder with a zone for each list of a scenario,
//! and the calls that ask through it.

use lab::dns::{Behaviour, Query, Reaction, RecordType, Responder, Zones};
use lab::output::State;

use crate::{Check, Run};

/// An address to ask about. It is one for documentation: `--allow-private` is given with it.
pub const TARGET: &str = "192.0.2.25";
/// The same as lists keep it.
pub const REVERSED: &str = "25.2.0.192";

/// A check that asks this responder, and nothing else yet.
#[must_use]
pub fn bare(dns: &Responder) -> Check {
    Check::new("check_rbl").args(["--resolver", &dns.addr().to_string()])
}

/// Asks this responder about an address in these lists.
#[must_use]
pub fn check(dns: &Responder, lists: &[&str]) -> Check {
    with_lists(bare(dns).args(["--allow-private", "-H", TARGET]), lists)
}

/// Names lists.
#[must_use]
pub fn with_lists(check: Check, lists: &[&str]) -> Check {
    lists.iter().fold(check, |check, list| check.args(["-s", list]))
}

/// The check with less patience than its default, for scenarios in which somebody is silent:
/// half a second for each of two tries. A responder needs a thousandth of that.
#[must_use]
pub fn impatient(check: Check) -> Check {
    check.args(["--query-timeout", "0.5"])
}

/// A responder with one list in the zone `bl.lab.test`.
#[must_use]
pub fn one_list(list: impl Behaviour) -> Responder {
    Responder::start(Zones::new().zone("bl.lab.test", list))
}

/// Runs the check against one list and asserts state and words.
pub fn given(list: impl Behaviour, state: State, words: &[&str]) -> Run {
    let dns = one_list(list);
    impatient(check(&dns, &["bl.lab.test"])).gives(state, words)
}

/// A list that works, but reacts so when it is asked about [`TARGET`].
pub fn odd(reaction: impl Fn(&Query) -> Reaction + Send + Sync + 'static) -> impl Behaviour {
    let healthy = lab::dns::Dnsbl::healthy();
    Odd { healthy, reaction }
}

struct Odd<F> {
    healthy: lab::dns::Dnsbl,
    reaction: F,
}

impl<F: Fn(&Query) -> Reaction + Send + Sync + 'static> Behaviour for Odd<F> {
    fn react(&self, query: &Query, zone: &str) -> Reaction {
        if query.below(zone) == Some(REVERSED) && query.record_type == RecordType::A {
            (self.reaction)(query)
        } else {
            self.healthy.react(query, zone)
        }
    }
}

/// How often a name was asked for by A.
#[must_use]
pub fn times_asked(dns: &Responder, name: &str) -> usize {
    let is_it = |query: &&Query| query.name == name && query.record_type == RecordType::A;
    dns.queries().iter().filter(is_it).count()
}

/// The figures of the perfdata, `U` as `None`: score, listed, lists, healthy, failed.
#[must_use]
pub fn figures(run: &Run) -> [Option<f64>; 5] {
    ["score", "listed", "lists", "healthy", "failed"].map(|label| run.parsed.value(label))
}
