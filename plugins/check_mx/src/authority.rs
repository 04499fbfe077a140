//! What the zone's own servers and those of the zone above say.

use std::collections::{BTreeMap, BTreeSet};

use common::net::dns::{Above, Delegation, Exchangers, Route, Word, ZoneServer};
use common::proto::dns::Outcome;
use common::report::{Finding, Report, State};

use crate::CheckMx;
use crate::agreement::{Agreed, Says, shown};
use crate::hosts::{judge_ttl, plural};
use crate::seen::Authority;

/// A server at one of its addresses, with what it says about the mail.
struct View<'a> {
    server: &'a ZoneServer,
    word: &'a Word,
    mail: Option<&'a Exchangers>,
}

impl View<'_> {
    fn name(&self) -> String {
        format!("{} ({})", shown(&self.server.name), self.word.address.ip())
    }

    /// Why it does not count as a server of the zone.
    fn problem(&self) -> Option<String> {
        if self.word.serial().is_none() {
            let outcome = &self.word.soa.outcome;
            return Some(match outcome {
                Outcome::Records(_) | Outcome::NoData | Outcome::NxDomain => {
                    "it answers without authority".to_owned()
                }
                other => other.to_string(),
            });
        }
        let mail = self.mail?;
        match &mail.route {
            // The domain is an alias of a name elsewhere: right, and no word about records.
            Route::Unanswered(Outcome::Dangling(_)) => None,
            Route::Unanswered(outcome) => Some(format!("MX: {outcome}")),
            _ if !mail.authoritative => Some("it answers without authority".to_owned()),
            _ => None,
        }
    }

    /// Whether nothing comes from it.
    fn is_silent(&self) -> bool {
        if self.word.serial().is_none() {
            return self.word.soa.outcome == Outcome::Timeout;
        }
        matches!(self.mail.map(|mail| &mail.route), Some(Route::Unanswered(Outcome::Timeout)))
    }

    /// Whether it is the end of our time that keeps us from knowing.
    fn is_open(&self, authority: &Authority) -> bool {
        if self.word.serial().is_none() {
            return authority.is_open(&self.word.soa.outcome);
        }
        matches!(self.mail.map(|mail| &mail.route), Some(Route::Unanswered(outcome)) if authority.is_open(outcome))
    }

    fn says(&self) -> Option<Says<'_>> {
        self.mail.filter(|_| self.problem().is_none()).and_then(Says::of)
    }
}

/// Servers, and those that are well at each of their addresses, where all were asked.
pub(crate) fn count_servers(authority: &Authority) -> Option<(usize, Option<usize>)> {
    let delegation = authority.delegation.as_ref()?;
    let views = views(authority, delegation);
    if !unasked(authority, delegation, &views).is_empty() {
        return Some((delegation.servers.len(), None));
    }
    let is_well = |server: &&ZoneServer| {
        let mut own = views.iter().filter(|view| view.server.name == server.name).peekable();
        own.peek().is_some() && own.all(|view| view.problem().is_none())
    };
    Some((delegation.servers.len(), Some(delegation.servers.iter().filter(is_well).count())))
}

/// Servers about which nothing is known, because the time was over.
fn unasked<'a>(authority: &Authority, delegation: &'a Delegation, views: &[View<'_>]) -> Vec<&'a str> {
    let is_unasked = |server: &&ZoneServer| {
        server.without.as_ref().is_some_and(|outcome| authority.is_open(outcome))
            || views.iter().any(|view| view.server.name == server.name && view.is_open(authority))
    };
    delegation.servers.iter().filter(is_unasked).map(|server| shown(&server.name)).collect()
}

fn views<'a>(authority: &'a Authority, delegation: &'a Delegation) -> Vec<View<'a>> {
    let words =
        delegation.servers.iter().flat_map(|server| server.words.iter().map(move |word| (server, word)));
    words
        .enumerate()
        .map(|(at, (server, word))| View { server, word, mail: authority.mail.get(at).map(|(_, mail)| mail) })
        .collect()
}

/// Judges delegation and servers; `agreed` is what the resolvers say.
pub(crate) fn judge_authority(
    options: &CheckMx,
    authority: &Authority,
    agreed: Option<&Agreed<'_>>,
    report: &mut Report,
) {
    let Some(delegation) = &authority.delegation else {
        let why = authority.problem.as_deref().unwrap_or("no name server");
        let text = format!("cannot ask the name servers of {}: {why}", options.domain);
        report.find("no_delegation", State::Unknown, text);
        return;
    };
    let views = views(authority, delegation);
    let working = judge_servers(options, authority, &views, report);
    judge_names(delegation, report);
    judge_above(delegation, report);
    if !working {
        return;
    }
    judge_serials(&views, report);
    judge_aliases(options, &views, report);
    judge_records(options, &views, agreed, report);
    for view in views.iter().filter(|view| view.problem().is_none()) {
        for record in view.mail.iter().flat_map(|mail| &mail.records) {
            judge_ttl(&format!("MX {} at {}", shown(&record.host), view.name()), record.ttl, true, report);
        }
    }
}

/// Lame and missing servers; false when none is left to believe.
fn judge_servers(options: &CheckMx, authority: &Authority, views: &[View<'_>], report: &mut Report) -> bool {
    let Some(delegation) = &authority.delegation else { return false };
    let zone = &delegation.zone;
    let unasked = unasked(authority, delegation, views);
    let mut faults = faults_of_addresses(authority, delegation);
    let lame = || {
        views.iter().filter(|view| !view.is_open(authority)).filter_map(|view| Some((view, view.problem()?)))
    };
    for (view, problem) in lame() {
        let text = format!("name server {} does not serve {zone}: {problem}", view.name());
        let state = if view.is_silent() { options.silence(State::Warning) } else { State::Warning };
        let finding = Finding::new("lame_server", state, text);
        let no_route =
            problem.contains("Network is unreachable") || problem.contains("Cannot assign requested");
        faults.push(if no_route && view.word.address.is_ipv6() {
            finding.with_hint("-4 leaves IPv6 out where this host has none")
        } else {
            finding
        });
    }
    judge_left_out(delegation, &unasked, report);
    let working = views.iter().any(|view| view.problem().is_none());
    if !working && unasked.is_empty() && !delegation.servers.is_empty() {
        let all = delegation.servers.len();
        let first = faults.first().map(|fault| format!(": {}", fault.text)).unwrap_or_default();
        let text = format!("none of {all} authoritative server{} answers for {zone}{first}", plural(all));
        let is_silence = !views.is_empty() && views.iter().all(View::is_silent);
        let state = if is_silence { options.silence(State::Unknown) } else { State::Unknown };
        report.find("no_authority", state, text);
    }
    for fault in faults {
        report.add(fault);
    }
    working
}

/// Whom nobody asked, and why.
fn judge_left_out(delegation: &Delegation, unasked: &[&str], report: &mut Report) {
    let Delegation { zone, parent, .. } = delegation;
    for (number, what) in [
        (delegation.left_out, format!("addresses of name servers of {zone}")),
        (delegation.servers_left_out, format!("name servers of {zone}")),
        (delegation.above_left_out, format!("name servers of {parent}")),
    ] {
        if number > 0 {
            report.find("servers_left_out", State::Unknown, format!("{number} {what} not asked"));
        }
    }
    if !unasked.is_empty() {
        let text = format!(
            "{} of {} name servers of {zone} not asked, the time was over: {}",
            unasked.len(),
            delegation.servers.len(),
            unasked.join(", ")
        );
        report.find("servers_not_asked", State::Unknown, text);
    }
}

/// Servers without addresses, and addresses that are none of them.
fn faults_of_addresses(authority: &Authority, delegation: &Delegation) -> Vec<Finding> {
    let zone = &delegation.zone;
    let mut faults: Vec<Finding> = Vec::new();
    for server in &delegation.servers {
        let name = shown(&server.name);
        if let Some(why) = &server.without {
            if authority.is_open(why) {
                continue;
            }
            let what = if server.words.is_empty() {
                "has no address"
            } else {
                "has an address that cannot be looked up"
            };
            let text = format!("name server {name} of {zone} {what}: {why}");
            faults.push(Finding::new("server_without_address", State::Warning, text));
        } else if server.words.is_empty() {
            let text =
                format!("name server {name} of {zone} has no address of the family asked for (-4, -6)");
            faults.push(Finding::new("server_without_address", State::Warning, text));
        }
        if let Some(glue) = server.stale_glue.first() {
            let text =
                format!("glue of {name} in {} is {glue}, which is no address of it", delegation.parent);
            faults.push(Finding::new("stale_glue", State::Warning, text));
        }
    }
    faults
}

/// The delegation against the zone's own list.
fn judge_names(delegation: &Delegation, report: &mut Report) {
    let Delegation { zone, parent, above, servers, .. } = delegation;
    let has_word = above.iter().any(|one| one.names.is_ok());
    let own_word = servers.iter().any(|server| server.listed);
    for one in above {
        let Err(outcome) = &one.names else { continue };
        report.note(
            "above_failed",
            format!("{} of {parent} says nothing of {zone}: {outcome}", shown(&one.server)),
        );
    }
    if !has_word && !above.iter().all(Above::denies) {
        let why =
            above.first().and_then(|one| one.names.as_ref().err()).map(|outcome| format!(": {outcome}"));
        let text = format!("no server of {parent} tells who serves {zone}{}", why.unwrap_or_default());
        report.find("no_delegation", State::Unknown, text);
    }
    if has_word && own_word {
        for server in servers.iter().filter(|server| server.delegated != server.listed) {
            let name = shown(&server.name);
            let text = if server.delegated {
                format!("{parent} delegates {zone} to {name}, which is not among the zone's own name servers")
            } else {
                format!("{name} is a name server of {zone}, but {parent} does not delegate to it")
            };
            report.find("delegation_differs", State::Warning, text);
        }
    }
}

/// The servers of the zone above against one another.
fn judge_above(delegation: &Delegation, report: &mut Report) {
    let Delegation { zone, parent, above, .. } = delegation;
    let denying: Vec<&str> = above.iter().filter(|one| one.denies()).map(|one| shown(&one.server)).collect();
    if !denying.is_empty() {
        let state = if denying.len() == above.len() { State::Critical } else { State::Warning };
        let verb = if denying.len() == 1 { "denies" } else { "deny" };
        let text = format!("{} of {parent} {verb} that there is {zone} (NXDOMAIN)", denying.join(", "));
        report.find("delegation_denied", state, text);
    }
    let mut said: BTreeMap<BTreeSet<&str>, Vec<&str>> = BTreeMap::new();
    for (one, names) in above.iter().filter_map(|one| Some((one, one.names.as_ref().ok()?))) {
        let names = names.iter().map(|name| shown(name)).collect();
        said.entry(names).or_default().push(shown(&one.server));
    }
    if said.len() > 1 {
        let told: Vec<String> = said
            .into_iter()
            .map(|(names, who)| {
                format!("{} by {}", names.into_iter().collect::<Vec<_>>().join(", "), who.join(", "))
            })
            .collect();
        let text = format!("servers of {parent} differ about who serves {zone}: {}", told.join("; "));
        report.find("above_differs", State::Warning, text);
    }
}

/// Where the domain leads to by each server.
fn judge_aliases(options: &CheckMx, views: &[View<'_>], report: &mut Report) {
    let mut said: BTreeMap<Option<&str>, Vec<String>> = BTreeMap::new();
    for view in views.iter().filter(|view| view.problem().is_none()) {
        let Some(mail) = view.mail else { continue };
        said.entry(mail.aliases.first().map(|alias| shown(alias))).or_default().push(view.name());
    }
    if said.len() > 1 {
        let told: Vec<String> = said
            .into_iter()
            .map(|(alias, who)| {
                let what =
                    alias.map_or_else(|| "no alias".to_owned(), |alias| format!("an alias of {alias}"));
                format!("{what} by {}", who.join(", "))
            })
            .collect();
        let text = format!("authoritative servers differ about {}: {}", options.domain, told.join("; "));
        report.find("alias_differs", State::Critical, text);
    }
}

fn judge_serials(views: &[View<'_>], report: &mut Report) {
    let serials: BTreeSet<u32> = views.iter().filter_map(|view| view.word.serial()).collect();
    if serials.len() < 2 {
        return;
    }
    let shown: Vec<String> = serials
        .iter()
        .map(|serial| {
            let has = |view: &&View<'_>| view.word.serial() == Some(*serial);
            let names: Vec<String> = views.iter().filter(has).map(View::name).collect();
            format!("{serial} at {}", names.join(", "))
        })
        .collect();
    report.add(
        Finding::new("serials_differ", State::Warning, format!("SOA serials differ: {}", shown.join("; ")))
            .with_hint("right after a change a transfer may be on its way; one that lasts is broken"),
    );
}

/// The records of each server against what the resolvers agree on; without that against those
/// of the first server.
fn judge_records(options: &CheckMx, views: &[View<'_>], agreed: Option<&Agreed<'_>>, report: &mut Report) {
    let first = views.iter().find_map(View::says);
    let Some(reference) = agreed.map(|agreed| agreed.says.clone()).or(first) else { return };
    let mut differing: Vec<String> = Vec::new();
    for view in views {
        if let Some(says) = view.says().filter(|says| !says.has_the_records_of(&reference)) {
            differing.push(format!("{} by {}", says, view.name()));
        }
    }
    if !differing.is_empty() {
        let whose = if agreed.is_some() { "resolvers" } else { "the others" };
        let text = format!(
            "authoritative servers differ about {}: {}; {whose} say {reference}",
            options.domain,
            differing.join("; ")
        );
        report.add(Finding::new("authority_differs", State::Critical, text).with_hint(
            "one server alone: its copy of the zone is old; all of them: resolvers still keep the old records",
        ));
    }
}

/// Background: each server with its serial and records.
pub(crate) fn describe_authority(authority: &Authority, report: &mut Report) {
    let Some(delegation) = &authority.delegation else { return };
    for one in &delegation.above {
        let names = match &one.names {
            Ok(names) => names.iter().map(|name| shown(name)).collect::<Vec<_>>().join(", "),
            Err(outcome) => outcome.to_string(),
        };
        let text = format!(
            "{} of {} delegates {} to: {names}",
            shown(&one.server),
            delegation.parent,
            delegation.zone
        );
        report.context(1, text);
    }
    for view in views(authority, delegation) {
        let serial =
            view.word.serial().map_or_else(|| "no serial".to_owned(), |serial| format!("serial {serial}"));
        let says = match (view.says(), view.problem()) {
            (Some(says), _) => says.to_string(),
            (None, Some(problem)) => problem,
            (None, None) => "an alias".to_owned(),
        };
        report.context(1, format!("{}: {serial}, {says}", view.name()));
    }
}
