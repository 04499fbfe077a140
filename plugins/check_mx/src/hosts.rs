//! What the agreed answer is worth: the records, the hosts in them, and what was expected.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use common::net::Family;
use common::net::dns::{Exchanger, Target};
use common::proto::address::is_public;
use common::report::{Finding, Report, State};

use crate::CheckMx;
use crate::agreement::{Agreed, Says, shown};
use crate::compare;

/// A host as each of the resolvers sees it.
pub(crate) struct Candidate<'a> {
    pub(crate) name: &'a str,
    preference: u16,
    pub(crate) views: Vec<(&'a str, &'a Exchanger)>,
}

/// Judges the agreed answer.
pub(crate) fn judge_route(options: &CheckMx, agreed: &Agreed<'_>, report: &mut Report) {
    let domain = &options.domain;
    match &agreed.says {
        Says::NoDomain => {
            report.find("no_domain", State::Critical, format!("{domain} does not exist (NXDOMAIN)"));
        }
        Says::Nowhere => {
            let text = format!("{domain} has no MX record and no address: it gets no mail");
            report.find("no_mx", State::Critical, text);
        }
        Says::Implicit => {
            let text = format!("{domain} has no MX record, its mail goes to its own address");
            report.add(Finding::new("implicit_mx", State::Warning, text).with_hint(
                "an MX record says so on purpose; one for '.' says that there is no mail (RFC 7505)",
            ));
        }
        Says::Records(records) if is_null(records) => {
            judge_null(options, report);
        }
        Says::Records(_) => {}
    }
    judge_expectation(options, &agreed.says, report);
    let hosts = views(agreed);
    for host in &hosts {
        judge_host(options, host, agreed, report);
    }
    judge_count(options, agreed, &hosts, report);
    judge_times_to_live(agreed, report);
}

/// One record without a host (RFC 7505).
pub(crate) fn is_null(records: &BTreeSet<(u16, &str)>) -> bool {
    records.len() == 1 && records.iter().all(|(_, host)| host.is_empty())
}

fn judge_null(options: &CheckMx, report: &mut Report) {
    let domain = &options.domain;
    if options.expect.wants_null() {
        report.find("null_mx", State::Ok, format!("{domain} takes no mail, as expected (null MX)"));
    } else {
        let text = format!("{domain} says that it takes no mail (null MX)");
        report.add(
            Finding::new("null_mx", State::Critical, text)
                .with_hint("--expect null, if that is what it should say"),
        );
    }
}

/// The records as a whole against `--expect`.
fn judge_expectation(options: &CheckMx, says: &Says<'_>, report: &mut Report) {
    let empty = BTreeSet::new();
    let records = match says {
        Says::Records(records) => records,
        _ => &empty,
    };
    let domain = &options.domain;
    if options.expect.wants_null() {
        if !is_null(records) {
            let text = format!("{domain} should take no mail (--expect null), but has {says}");
            report.find("not_null", State::Critical, text);
        }
        return;
    }
    let wanted = options.expect.records();
    if wanted.is_empty() {
        return;
    }
    let missing: Vec<String> = wanted
        .iter()
        .filter(|(host, _)| records.iter().all(|(_, there)| there != *host))
        .map(|(host, preference)| format!("{preference} {host}"))
        .collect();
    let foreign: Vec<String> = records
        .iter()
        .filter(|(_, host)| !wanted.contains_key(host))
        .map(|(preference, host)| format!("{preference} {}", shown(host)))
        .collect();
    for (id, what, hosts) in [("mx_missing", "lacks", missing), ("mx_foreign", "has unexpected", foreign)] {
        if !hosts.is_empty() {
            report.find(id, State::Critical, format!("MX of {domain} {what} {}", some(&hosts)));
        }
    }
    let moved: Vec<String> = records
        .iter()
        .filter_map(|(preference, host)| {
            let wanted = wanted.get(host).filter(|wanted| *wanted != preference)?;
            Some(format!("{} {preference} instead of {wanted}", shown(host)))
        })
        .collect();
    if !moved.is_empty() {
        let text = format!("MX of {domain} has another preference: {}", some(&moved));
        report.find("mx_preference", State::Warning, text);
    }
}

pub(crate) fn some(list: &[String]) -> String {
    let kept = list.get(..list.len().min(5)).unwrap_or_default().join(", ");
    match list.len().saturating_sub(5) {
        0 => kept,
        more => format!("{kept} and {more} more"),
    }
}

pub(crate) fn views<'a>(agreed: &Agreed<'a>) -> Vec<Candidate<'a>> {
    let mut hosts: Vec<Candidate<'a>> = Vec::new();
    for resolver in &agreed.resolvers {
        for host in &resolver.mail.hosts {
            let view = (resolver.name.as_str(), host);
            match hosts.iter_mut().find(|known| known.name == host.host) {
                Some(known) => known.views.push(view),
                None => {
                    hosts.push(Candidate {
                        name: &host.host,
                        preference: host.preference,
                        views: vec![view],
                    });
                }
            }
        }
    }
    hosts
}

impl Candidate<'_> {
    fn addresses(&self) -> Vec<IpAddr> {
        let mut addresses: Vec<IpAddr> =
            self.views.iter().flat_map(|(_, host)| host.addresses(Family::Any)).collect();
        addresses.sort_unstable();
        addresses.dedup();
        addresses
    }

    fn missing(&self) -> Vec<&str> {
        self.views.iter().filter(|(_, host)| host.has_no_address()).map(|(resolver, _)| *resolver).collect()
    }

    fn has_address(&self) -> usize {
        self.views.iter().filter(|(_, host)| host.addresses(Family::Any).next().is_some()).count()
    }
}

fn judge_host(options: &CheckMx, host: &Candidate<'_>, agreed: &Agreed<'_>, report: &mut Report) {
    let says = &agreed.says;
    let record = format!("MX {} {}", host.preference, shown(host.name));
    let bad = |id: &'static str, text: String| Finding::new(id, State::Critical, text);
    match host.views.first().map(|(_, one)| &one.target) {
        Some(Target::Literal(address)) => {
            report.add(
                bad(
                    "target_literal",
                    format!("MX {} {address} is an IP address, where a host name belongs", host.preference),
                )
                .with_hint(
                    "give the address a name with an A or AAAA record, and put that into the MX record",
                ),
            );
        }
        Some(Target::Unspeakable) => {
            report.add(bad("target_unspeakable", format!("{record} is no host name")));
        }
        Some(Target::Root) if *says != single(host) => {
            report.add(
                bad("null_mixed", format!("{record} (null MX: no mail) stands beside other records"))
                    .with_hint("a null MX stands alone (RFC 7505 section 3)"),
            );
        }
        _ => judge_addresses(options, host, &record, agreed, report),
    }
    judge_privacy(options, host, &record, report);
}

/// The answer that has this host alone.
fn single<'a>(host: &Candidate<'a>) -> Says<'a> {
    Says::Records([(host.preference, host.name)].into())
}

fn judge_addresses(
    options: &CheckMx,
    host: &Candidate<'_>,
    record: &str,
    agreed: &Agreed<'_>,
    report: &mut Report,
) {
    let is_domain = agreed.says == Says::Implicit;
    // The root stands for no host on purpose.
    if let (false, Some(why)) = (is_domain || host.name.is_empty(), unfit(host.name)) {
        report.find("target_unspeakable", State::Critical, format!("{record} is no host name: {why}"));
    }
    if !is_domain && let Some(alias) = host.views.iter().find_map(|(_, one)| one.alias()) {
        report.add(
            Finding::new(
                "target_alias",
                State::Critical,
                format!("{record} is an alias (CNAME to {})", shown(alias)),
            )
            .with_hint("an MX record must name the host itself (RFC 2181 section 10.3)"),
        );
    }
    judge_missing(options, host, record, agreed.wanted, report);
    compare::judge_addresses(host, agreed.wanted, report);
    // What one resolver left open another one may know.
    for family in 0..2 {
        let mut lookups = host.views.iter().filter_map(|(_, one)| one.lookups().get(family).copied());
        let is_known = lookups.clone().any(common::net::dns::Lookup::is_answer);
        if let (false, Some(outcome)) = (is_known, lookups.find_map(|lookup| lookup.without.as_ref())) {
            let kind = if family == 0 { "A" } else { "AAAA" };
            let text = format!("cannot look up {kind} of {}: {outcome}", shown(host.name));
            report.find("lookup_failed", options.state_of(outcome, State::Unknown), text);
        }
    }
    let left_out = host.views.iter().flat_map(|(_, one)| one.lookups()).map(|lookup| lookup.left_out).max();
    if let Some(more @ 1..) = left_out {
        let text = format!("{} has {more} addresses more than are looked at", shown(host.name));
        report.find("addresses_left_out", State::Unknown, text);
    }
}

/// A host that all of them, or some, do not find.
fn judge_missing(options: &CheckMx, host: &Candidate<'_>, record: &str, wanted: usize, report: &mut Report) {
    let missing = host.missing();
    if missing.is_empty() {
        return;
    }
    let is_split = missing.len() < host.views.len();
    let who = if is_split { format!(" by {}", missing.join(", ")) } else { String::new() };
    let state = if host.has_address() < wanted { State::Critical } else { State::Warning };
    let text = format!("{record} has no address{who}{}", why(host));
    let finding = Finding::new("target_missing", state, text);
    report.add(match lacks_dot(host.name, options.domain.as_str()) {
        Some(meant) => finding.with_hint(format!("in the zone file the dot behind '{meant}' may be missing")),
        None => finding,
    });
}

/// Why no sender can take a name for that of a host.
pub(crate) fn unfit(name: &str) -> Option<&'static str> {
    let is_label = |label: &str| {
        label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_own = |name: &str| name == "localhost" || name.ends_with(".localhost");
    if is_own(name) || name == "localhost.localdomain" {
        Some("it means the sender's own machine (RFC 6761 section 6.3)")
    } else if !name.split('.').all(is_label) {
        Some("only letters, digits and inner hyphens may be in it (RFC 1123 section 2.1)")
    } else if !name.contains('.') {
        Some("it has no domain, only one label")
    } else {
        None
    }
}

/// NXDOMAIN, where it is that.
fn why(host: &Candidate<'_>) -> String {
    let outcome = host
        .views
        .iter()
        .filter(|(_, one)| one.has_no_address())
        .find_map(|(_, one)| one.lookups().first().and_then(|lookup| lookup.without.as_ref()));
    outcome.map(|outcome| format!(" ({outcome})")).unwrap_or_default()
}

/// A whole name that got the zone's behind it: one of the same family, or an address.
pub(crate) fn lacks_dot<'a>(host: &'a str, domain: &str) -> Option<&'a str> {
    let above = std::iter::successors(Some(domain), |name| name.split_once('.').map(|(_, above)| above));
    let family: Vec<&str> = above.filter(|name| name.contains('.')).collect();
    let is_whole = |front: &&str| {
        front.parse::<IpAddr>().is_ok() || family.iter().any(|name| ends_with_labels(front, name))
    };
    family.iter().find_map(|zone| host.strip_suffix(zone)?.strip_suffix('.').filter(is_whole))
}

fn ends_with_labels(name: &str, end: &str) -> bool {
    name.strip_suffix(end).is_some_and(|front| front.is_empty() || front.ends_with('.'))
}

fn judge_privacy(options: &CheckMx, host: &Candidate<'_>, record: &str, report: &mut Report) {
    if options.expect.allow_private {
        return;
    }
    let private: Vec<String> =
        host.addresses().iter().filter(|address| !is_public(**address)).map(ToString::to_string).collect();
    if !private.is_empty() {
        let text = format!("{record} has an address that is not public: {}", some(&private));
        report.add(
            Finding::new("private_address", State::Warning, text)
                .with_hint("nobody outside can deliver there; --allow-private, if that is wanted"),
        );
    }
}

fn judge_count(options: &CheckMx, agreed: &Agreed<'_>, hosts: &[Candidate<'_>], report: &mut Report) {
    let Says::Records(records) = &agreed.says else { return };
    if is_null(records) {
        return;
    }
    let unseen =
        hosts.iter().filter(|host| host.views.iter().any(|(_, one)| one.target == Target::LeftOut)).count();
    let beyond = agreed.resolvers.iter().map(|resolver| resolver.mail.left_out).max().unwrap_or_default();
    if unseen + beyond > 0 {
        let all = hosts.len() + beyond;
        let text = format!("{} of {all} mail exchangers not looked at", unseen + beyond);
        report.find("hosts_left_out", State::Unknown, text);
    }
    let usable: Vec<&Candidate<'_>> = hosts.iter().filter(|host| host.has_address() > 0).collect();
    // Two names of the same machine fall silent together.
    let distinct: BTreeSet<Vec<IpAddr>> = usable.iter().map(|host| host.addresses()).collect();
    let least = options.expect.least_hosts();
    // Hosts that could not be looked up are told as such, not counted as missing.
    let open = hosts.iter().any(|host| host.views.iter().all(|(_, one)| one.unanswered().is_some()));
    if distinct.len() < least && !open {
        let names: Vec<String> = usable.iter().map(|host| shown(host.name).to_owned()).collect();
        let names = some(&names);
        let text = match distinct.len() {
            few if few < usable.len() => format!(
                "only {few} mail exchanger{} with an address of its own ({names} share them), below --min-hosts {least}",
                plural(few)
            ),
            0 => format!("no mail exchanger of {} has an address", options.domain),
            1 => format!("only 1 mail exchanger with an address ({names}), below --min-hosts {least}"),
            few => format!("only {few} mail exchangers with an address ({names}), below --min-hosts {least}"),
        };
        report.find("few_hosts", State::Warning, text);
    }
}

/// Seconds that a record should be kept at least: below, each sender asks anew all the time.
const SHORTEST_TTL: u32 = 60;
/// And at most: a week, for a move takes as long.
const LONGEST_TTL: u32 = 604_800;

/// A resolver counts the time down, so that only the zone's own servers can say that it is
/// short; too long is too long from anybody.
fn judge_times_to_live(agreed: &Agreed<'_>, report: &mut Report) {
    let mut all: BTreeMap<String, Vec<(u32, bool)>> = BTreeMap::new();
    for mail in agreed.resolvers.iter().map(|resolver| &resolver.mail) {
        for record in &mail.records {
            let what = format!("MX {}", shown(&record.host));
            all.entry(what).or_default().push((record.ttl, mail.authoritative));
        }
        for host in &mail.hosts {
            for (lookup, ttl) in host.lookups().into_iter().filter_map(|lookup| Some((lookup, lookup.ttl?))) {
                let what = format!("the address of {}", shown(&host.host));
                all.entry(what).or_default().push((ttl, lookup.authoritative));
            }
        }
    }
    for (what, seen) in all {
        let longest = seen.iter().copied().max();
        let shortest = seen.iter().copied().filter(|(_, authoritative)| *authoritative).min();
        let odd = longest.filter(|(ttl, _)| *ttl > LONGEST_TTL).or(shortest);
        if let Some((ttl, authoritative)) = odd {
            judge_ttl(&what, ttl, authoritative, report);
        }
    }
}

pub(crate) fn judge_ttl(what: &str, ttl: u32, authoritative: bool, report: &mut Report) {
    if ttl > LONGEST_TTL {
        let text = format!("TTL of {what} is {ttl} s, above {LONGEST_TTL}: a change takes that long");
        report.find("ttl_long", State::Warning, text);
    } else if authoritative && ttl < SHORTEST_TTL {
        let text = format!(
            "TTL of {what} is {ttl} s, below {SHORTEST_TTL}: senders depend on the name servers at once"
        );
        report.find("ttl_short", State::Warning, text);
    }
}

/// For words that take an s.
pub(crate) const fn plural(number: usize) -> &'static str {
    if number == 1 { "" } else { "s" }
}
