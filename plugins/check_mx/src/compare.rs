//! Whether resolvers, and the two questions for the addresses of a host, say the same of it.

use std::cmp::Reverse;
use std::net::IpAddr;

use common::net::Family;
use common::net::dns::Exchanger;
use common::proto::dns::Outcome;
use common::report::{Finding, Report, State};

use crate::agreement::{Agreed, shown};
use crate::hosts::{Candidate, some, views};

/// The addresses of a host, and the resolvers that give them, the most frequent first.
fn groups<'a>(host: &Candidate<'a>) -> Vec<(Vec<IpAddr>, Vec<&'a str>)> {
    let mut groups: Vec<(Vec<IpAddr>, Vec<&str>)> = Vec::new();
    for (resolver, view) in host.views.iter().filter(|(_, view)| is_whole(view)) {
        let mut addresses: Vec<IpAddr> = view.addresses(Family::Any).collect();
        addresses.sort_unstable();
        addresses.dedup();
        match groups.iter_mut().find(|(known, _)| *known == addresses) {
            Some((_, who)) => who.push(resolver),
            None => groups.push((addresses, vec![resolver])),
        }
    }
    groups.sort_by_cached_key(|(addresses, who)| (Reverse(who.len()), addresses.clone()));
    groups
}

/// Whether all its addresses are known, and there are some.
fn is_whole(view: &Exchanger) -> bool {
    let lookups = view.lookups();
    view.addresses(Family::Any).next().is_some()
        && lookups.iter().all(|lookup| lookup.is_answer() && lookup.left_out == 0)
}

/// Whether those who agree on the records see a host of them in different ways.
pub(crate) fn differ_about_hosts(agreed: &Agreed<'_>) -> bool {
    let misses = |host: &Candidate<'_>| host.views.iter().any(|(_, view)| !is_whole(view));
    let has_some = |host: &Candidate<'_>| host.views.iter().any(|(_, view)| is_whole(view));
    views(agreed).iter().any(|host| groups(host).len() > 1 || (misses(host) && has_some(host)))
}

/// Addresses that are not the same for so many resolvers, and families of which one denies the
/// name.
pub(crate) fn judge_addresses(host: &Candidate<'_>, wanted: usize, report: &mut Report) {
    let groups = groups(host);
    if let [(_, most), _, ..] = groups.as_slice() {
        let told: Vec<String> =
            groups.iter().map(|(ips, who)| format!("{} by {}", list(ips), who.join(", "))).collect();
        let text =
            format!("resolvers differ about the addresses of {}: {}", shown(host.name), told.join("; "));
        if most.len() < wanted {
            report.add(
                Finding::new("addresses_differ", State::Warning, text)
                    .with_hint("--quorum 1, where the addresses depend on who asks"),
            );
        } else {
            report.note("addresses_minority", text);
        }
    }
    let half = host.views.iter().find_map(|(resolver, view)| Some((resolver, half_denied(view)?)));
    if let Some((resolver, (denied, there))) = half {
        let text = format!(
            "{denied} of {} is NXDOMAIN by {resolver}, but it has an {there} record",
            shown(host.name)
        );
        report.add(Finding::new("half_denied", State::Warning, text).with_hint(
            "a name server there denies the name instead of the type (RFC 2308): senders may believe it",
        ));
    }
}

fn list(addresses: &[IpAddr]) -> String {
    some(&addresses.iter().map(ToString::to_string).collect::<Vec<_>>())
}

/// The family whose answer denies the name, and the one that has it.
fn half_denied(view: &Exchanger) -> Option<(&'static str, &'static str)> {
    let lookups = view.lookups();
    let [ipv4, ipv6] = lookups.as_slice() else { return None };
    let is_denied = |without: &Option<Outcome>| matches!(without, Some(Outcome::NxDomain));
    if is_denied(&ipv4.without) && !ipv6.addresses.is_empty() {
        Some(("A", "AAAA"))
    } else if is_denied(&ipv6.without) && !ipv4.addresses.is_empty() {
        Some(("AAAA", "A"))
    } else {
        None
    }
}
