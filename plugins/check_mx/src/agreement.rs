//! What the resolvers say together.

use std::collections::BTreeSet;
use std::fmt;

use common::net::dns::{Exchanger, Exchangers, Route};
use common::proto::dns::Outcome;
use common::report::{Finding, Report, State};

use crate::CheckMx;
use crate::seen::{Resolver, Seen};

/// An answer as far as it can be compared: records without their order and time to live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Says<'a> {
    Records(BTreeSet<(u16, &'a str)>),
    /// No MX record, but an address.
    Implicit,
    /// Neither.
    Nowhere,
    NoDomain,
}

/// Records shown in a sentence.
const SHOWN: usize = 5;
/// Characters of a name in a sentence.
const LONGEST_NAME: usize = 128;

impl<'a> Says<'a> {
    /// None for what is no answer.
    pub(crate) fn of(mail: &'a Exchangers) -> Option<Self> {
        match mail.route {
            Route::Listed | Route::Null => Some(Self::Records(
                mail.records.iter().map(|one| (one.preference, one.host.as_str())).collect(),
            )),
            Route::Implicit => Some(Self::Implicit),
            Route::Nowhere => Some(Self::Nowhere),
            Route::NoDomain => Some(Self::NoDomain),
            Route::Unanswered(_) => None,
        }
    }

    /// Whether MX records alone are the same: a server that was not asked for addresses knows no
    /// more than that there are none.
    pub(crate) fn has_the_records_of(&self, other: &Self) -> bool {
        self == other
            || matches!((self, other), (Self::Implicit | Self::Nowhere, Self::Implicit | Self::Nowhere))
    }
}

impl fmt::Display for Says<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let records = match self {
            Self::Records(records) => records,
            Self::Implicit => return f.write_str("no MX record, but an address"),
            Self::Nowhere => return f.write_str("no MX record and no address"),
            Self::NoDomain => return f.write_str("NXDOMAIN"),
        };
        for (at, (preference, host)) in records.iter().take(SHOWN).enumerate() {
            write!(f, "{}{preference} {}", if at == 0 { "" } else { ", " }, shown(host))?;
        }
        match records.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// A name for a sentence; the root is a dot.
pub(crate) fn shown(host: &str) -> &str {
    if host.is_empty() { "." } else { common::report::truncate(host, LONGEST_NAME) }
}

/// The answer that counts, and who gave it.
#[derive(Clone, Debug)]
pub(crate) struct Agreed<'a> {
    pub(crate) says: Says<'a>,
    pub(crate) resolvers: Vec<&'a Resolver>,
    /// Resolvers that must say the same of a host.
    pub(crate) wanted: usize,
    /// As many as are wanted give this answer, and more than any other.
    pub(crate) is_met: bool,
}

/// The answers of the resolvers, each with those who gave it, the most frequent first.
fn groups(resolvers: &[Resolver]) -> Vec<(Says<'_>, Vec<&Resolver>)> {
    let mut groups: Vec<(Says<'_>, Vec<&Resolver>)> = Vec::new();
    for resolver in resolvers {
        let Some(says) = Says::of(&resolver.mail) else { continue };
        match groups.iter_mut().find(|(known, _)| *known == says) {
            Some((_, who)) => who.push(resolver),
            None => groups.push((says, vec![resolver])),
        }
    }
    // Of equals not the one whose resolver happens to be named first.
    groups.sort_by_cached_key(|(says, who)| (std::cmp::Reverse(who.len()), says.to_string()));
    groups
}

/// The most frequent answer; none where too few came.
pub(crate) fn agreed<'a>(options: &CheckMx, resolvers: &'a [Resolver]) -> Option<Agreed<'a>> {
    let groups = groups(resolvers);
    let all = resolvers.len();
    let answers: usize = groups.iter().map(|(_, who)| who.len()).sum();
    let quorum = options.expect.quorum;
    if answers < quorum.enough(all) {
        return None;
    }
    let rival = groups.get(1).map_or(0, |(_, who)| who.len());
    let (says, resolvers) = groups.into_iter().next()?;
    let wanted = quorum.agreeing(all, answers);
    let is_met = resolvers.len() >= wanted && resolvers.len() > rival;
    Some(Agreed { says, resolvers, wanted, is_met })
}

/// Counts the answers; none where too few came.
pub(crate) fn judge_agreement<'a>(
    options: &CheckMx,
    seen: &'a Seen,
    report: &mut Report,
) -> Option<Agreed<'a>> {
    let groups = groups(&seen.resolvers);
    let Some(agreed) = agreed(options, &seen.resolvers) else {
        report.add(too_few(options, seen, groups.iter().map(|(_, who)| who.len()).sum()));
        return None;
    };
    let differing: Vec<String> =
        groups.iter().map(|(says, who)| format!("{says} by {}", names(who))).collect();
    if !agreed.is_met {
        let text = format!("resolvers differ about {}: {}", options.domain, differing.join("; "));
        report.add(Finding::new("answers_differ", State::Critical, text).with_hint(
            "after a change this lasts as long as the old records may be kept (-v shows their TTL); \
             --authoritative asks the zone's own servers",
        ));
    } else if differing.len() > 1 {
        report.note("minority", format!("resolvers differ within the quorum: {}", differing.join("; ")));
    }
    Some(agreed)
}

fn too_few(options: &CheckMx, seen: &Seen, answers: usize) -> Finding {
    let failed = || seen.resolvers.iter().filter(|resolver| Says::of(&resolver.mail).is_none());
    let silent = |resolver: &Resolver| matches!(resolver.mail.route, Route::Unanswered(Outcome::Timeout));
    let is_silence = failed().next().is_some() && failed().all(silent);
    let state = if is_silence { options.silence(State::Unknown) } else { State::Unknown };
    let reasons: Vec<String> = failed()
        .filter_map(|resolver| Some(format!("{} by {}", failure(resolver)?, resolver.name)))
        .collect();
    let (domain, reasons) = (&options.domain, reasons.join(", "));
    let all = seen.resolvers.len();
    if all == 1 {
        return Finding::new("no_answer", state, format!("cannot look up the MX of {domain}: {reasons}"));
    }
    let wanted = options.expect.quorum.enough(all);
    let text = format!("{answers} of {all} resolvers answered for {domain}, {wanted} needed: {reasons}");
    Finding::new("too_few_answers", state, text)
}

/// Names each resolver that left a question open, where the others know the answer.
pub(crate) fn judge_resolvers(options: &CheckMx, seen: &Seen, report: &mut Report) {
    for resolver in &seen.resolvers {
        if let Some((what, outcome)) = open_question(resolver) {
            let state = options.state_of(outcome, State::Warning);
            report.find(
                "resolver_failed",
                state,
                format!("resolver {} failed: {what}{outcome}", resolver.name),
            );
        }
    }
}

/// The first question that a resolver left open.
pub(crate) fn failure(resolver: &Resolver) -> Option<String> {
    open_question(resolver).map(|(what, outcome)| format!("{what}{outcome}"))
}

fn open_question(resolver: &Resolver) -> Option<(String, &Outcome)> {
    let open =
        |host: &'_ Exchanger| host.unanswered().map(|(kind, _)| format!("{kind} of {}: ", shown(&host.host)));
    let mut hosts = resolver.mail.hosts.iter();
    let of_host = hosts.find_map(|host| Some((open(host)?, host.unanswered()?.1)));
    of_host.or(match &resolver.mail.route {
        Route::Unanswered(outcome) => Some((String::new(), outcome)),
        _ => None,
    })
}

fn names(resolvers: &[&Resolver]) -> String {
    resolvers.iter().map(|resolver| resolver.name.as_str()).collect::<Vec<_>>().join(", ")
}
