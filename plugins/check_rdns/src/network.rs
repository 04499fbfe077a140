//! What is judged besides single addresses: the names of the command line, and the resolvers
//! themselves.

use std::collections::BTreeMap;

use common::plugin::Run;
use common::proto::dns::Kind;
use common::report::{Condition, Finding, Report, State, some};

use crate::agreed::{Agreed, Answers};
use crate::host_name::shown;
use crate::probe::MAX_ADDRESSES;
use crate::seen::Seen;

const DENIED: &str =
    "a name server that denies a name which it has: resolvers may then take none of its addresses (RFC 8020)";

/// Names of the command line that have no address, or more than can be told.
pub(crate) fn judge_hosts(seen: &Seen, answers: &Answers<'_>, run: &Run, report: &mut Report) {
    let incomplete = run.states.state(Condition::Incomplete);
    for host in &seen.hosts {
        let all: Vec<(Kind, Agreed<'_>)> =
            seen.kinds.iter().map(|kind| (*kind, answers.about(host, *kind))).collect();
        let count: usize = all.iter().map(|(_, one)| one.addresses().len()).sum();
        let silent: Vec<&(Kind, Agreed<'_>)> = all.iter().filter(|(_, one)| !one.is_answered()).collect();
        for (kind, one) in &silent {
            let text = format!("cannot look up the {kind} records of {host}: {}", one.silence());
            report.find("host_unknown", run.states.state(one.absence()), text);
        }
        if count > MAX_ADDRESSES {
            let text = format!("{host} has {count} addresses, only {MAX_ADDRESSES} of them are checked");
            report.find("addresses_left", incomplete, text);
        }
        // RFC 8020: what does not exist has no records of any type.
        if count > 0
            && let Some((kind, _)) = all.iter().find(|(_, one)| one.is_no_name())
        {
            let text = format!(
                "{host} has addresses, but asked for its {kind} records it does not exist (NXDOMAIN)"
            );
            report.add(Finding::new("name_denied", State::Warning, text).with_hint(DENIED));
        }
        if count > 0 || !silent.is_empty() {
            continue;
        }
        let text = match seen.kinds.as_slice() {
            _ if all.iter().any(|(_, one)| one.is_no_name()) => format!("{host} does not exist (NXDOMAIN)"),
            [Kind::A] => format!("{host} has no IPv4 address"),
            [Kind::Aaaa] => format!("{host} has no IPv6 address"),
            _ => format!("{host} has no address"),
        };
        report.find("host_without_address", State::Critical, text);
    }
}

/// Resolvers that contradict each other.
pub(crate) fn judge_differences(answers: &Answers<'_>, report: &mut Report) {
    for ((name, kind), agreed) in answers.each() {
        if let Some(difference) = agreed.difference() {
            let text = format!("resolvers differ on the {kind} record of {}: {difference}", shown(name));
            let hint = "a zone that one server has in an old version, or a resolver with a view of its own";
            report.add(Finding::new("resolvers_differ", State::Warning, text).with_hint(hint));
        }
    }
}

/// Resolvers that are silent while others answer.
pub(crate) fn judge_silent_resolvers(seen: &Seen, answers: &Answers<'_>, report: &mut Report) {
    let mut silent: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for look in seen.looks.iter().filter(|look| !look.is_answer()) {
        if answers.about(&look.name, look.kind).is_answered() {
            silent.entry(look.resolver).or_default().push(look.said.to_string());
        }
    }
    for (resolver, mut causes) in silent {
        let questions = causes.len();
        causes.sort_unstable();
        causes.dedup();
        let name = seen.resolvers.get(resolver).map_or("a resolver", String::as_str);
        let noun = if questions == 1 { "question" } else { "questions" };
        let text = format!("{name} gave no answer to {questions} {noun}: {}", some(&causes, 3));
        report.find("resolver_silent", State::Warning, text);
    }
}
