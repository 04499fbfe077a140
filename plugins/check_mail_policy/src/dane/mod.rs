//! DANE for mail (RFC 7672): what the TLSA records of the mail exchangers promise, and whether
//! they keep it.
//!
//! A sender with DANE passes over records that are not validated, and does not deliver at all to a
//! host whose certificate is not the one they promise; so the one is a warning, the other critical.

mod record;

use common::net::dns::{Exchanger, Lookup, Route, Target};
use common::proto::dns::{DomainName, Kind};
use common::report::{Finding, Metric, Report, State, some};

use crate::CheckMailPolicy;
use crate::answers::Heard;
use crate::hosts::{Hosts, Visit};
use crate::lookup::Unanswered;

pub(crate) use record::{Match, Tlsa, associated, hex};

pub(crate) const TLSA: Metric = Metric::count("tlsa", "TLSA records of the mail exchangers, with --dane");

/// What is known of a host's records.
enum Promise<'a> {
    /// Nobody knows.
    Open(DomainName, &'a Heard),
    /// The host was not looked up.
    NotAsked,
    /// There are more than were kept: so many.
    TooMany(DomainName, usize),
    /// There are none.
    None,
    /// There are so many that a sender must not believe, because of this answer.
    Unsigned(String, usize),
    /// There are so many, but none that can be used: the first, and why not.
    Unusable(DomainName, Tlsa, &'static str, usize),
    /// There are so many, and some of them count.
    Usable(usize),
}

impl Promise<'_> {
    /// How many records there are, where that is known.
    fn count(&self) -> Option<usize> {
        match self {
            Self::Open(..) | Self::NotAsked => None,
            Self::None => Some(0),
            Self::TooMany(_, count)
            | Self::Unsigned(_, count)
            | Self::Unusable(_, _, _, count)
            | Self::Usable(count) => Some(*count),
        }
    }
}

/// Judges the records of all hosts, and each certificate that was looked at.
pub(crate) fn judge_dane(options: &CheckMailPolicy, hosts: &Hosts, report: &mut Report) {
    match hosts.mail.route {
        Route::Listed | Route::Implicit => {}
        // Nobody knows the hosts, so nobody knows their records.
        Route::Unanswered(_) => return report.record_count(&TLSA, None),
        Route::Null | Route::Nowhere | Route::NoDomain => return,
    }
    let promises: Vec<(&Exchanger, Promise<'_>)> =
        hosts.mail.hosts.iter().map(|host| (host, promise(options, hosts, host))).collect();
    let counts: Vec<Option<usize>> = promises.iter().map(|(_, promise)| promise.count()).collect();
    report.record_count(&TLSA, counts.iter().copied().sum());
    judge_promises(options, &promises, report);
    let is_promised = counts.iter().any(|count| count.is_some_and(|count| count > 0));
    judge_missing(&promises, is_promised, report);
    if is_promised {
        judge_signature_of_mx(options, hosts, report);
    }
    judge_visits(options, hosts, &promises, report);
}

/// The certificates of the hosts whose records count.
fn judge_visits(
    options: &CheckMailPolicy,
    hosts: &Hosts,
    promises: &[(&Exchanger, Promise<'_>)],
    report: &mut Report,
) {
    let usable: Vec<&str> = promises
        .iter()
        .filter(|(_, promise)| matches!(promise, Promise::Usable(..)))
        .map(|(host, _)| host.host.as_str())
        .collect();
    let visits = hosts.visits.iter().flatten().filter(|visit| usable.contains(&visit.host.as_str()));
    for visit in visits.clone() {
        judge_visit(options, visit, report);
    }
    let seen = visits.filter(|visit| visit.stop.is_none());
    let well = seen.clone().filter(|visit| visit.keeps_its_promise()).count();
    let looked = match seen.count() {
        0 => "certificates not looked at".to_owned(),
        seen => format!("{well} of {seen} certificates match"),
    };
    if !usable.is_empty() {
        let (some, all) = (usable.len(), promises.len());
        report.find("dane", State::Ok, format!("DANE on {some} of {all} mail exchangers, {looked}"));
    }
}

fn promise<'a>(options: &CheckMailPolicy, hosts: &'a Hosts, host: &Exchanger) -> Promise<'a> {
    if host.target == Target::LeftOut {
        return Promise::NotAsked;
    }
    let Some((name, heard)) = hosts.tlsa_of(options, host) else { return Promise::None };
    let Ok(records) = heard.records() else { return Promise::Open(name, heard) };
    let all: Vec<Tlsa> = records.iter().filter_map(Tlsa::of).collect();
    let Some(first) = all.first() else { return Promise::None };
    if heard.left_out > 0 {
        return Promise::TooMany(name, all.len() + heard.left_out);
    }
    if !(heard.authenticated && options.connect.believes(heard.server)) {
        return Promise::Unsigned(format!("{name} TLSA"), all.len());
    }
    // RFC 7672 section 2.2.2: whoever can give the host another address needs no certificate of it.
    let believed = |lookup: &Lookup| lookup.authenticated && options.connect.believes(lookup.server);
    if host.lookups().iter().any(|lookup| !lookup.addresses.is_empty() && !believed(lookup)) {
        return Promise::Unsigned(format!("{} address", host.host), all.len());
    }
    match first.unusable() {
        Some(why) if all.iter().all(|record| record.unusable().is_some()) => {
            Promise::Unusable(name, first.clone(), why, all.len())
        }
        _ => Promise::Usable(all.len()),
    }
}

fn judge_promises(options: &CheckMailPolicy, promises: &[(&Exchanger, Promise<'_>)], report: &mut Report) {
    for (_, promise) in promises {
        match promise {
            Promise::Open(name, heard) => {
                let text = Unanswered::new(name, Kind::Tlsa, &heard.outcome).sentence();
                report.add(
                    Finding::new("tlsa_open", options.state_of(&heard.outcome), text)
                        .with_hint("as long as this is not answered, senders with DANE keep the mail"),
                );
            }
            Promise::TooMany(name, count) => {
                let text = format!("{name} has {count} TLSA records, which is more than are looked at");
                report.find("tlsa_open", State::Unknown, text);
            }
            Promise::Unsigned(name, _) => {
                let text = format!("{name} is not validated (no AD): senders pass over the TLSA record");
                report.add(Finding::new("tlsa_unsigned", State::Warning, text).with_hint(
                    "sign the zone and publish its DS record; ask a validating resolver on this machine, \
                     or --trust-ad where the way to it is safe",
                ));
            }
            Promise::Unusable(name, record, why, _) => {
                let text = format!("{name} TLSA {record} cannot be used: {why}");
                report.find("tlsa_unusable", State::Warning, text);
            }
            // Whoever was not looked up is named with the other gaps of the way there.
            Promise::NotAsked | Promise::None | Promise::Usable(..) => {}
        }
    }
}

/// Hosts without records, beside others that have some, or nobody knows.
fn judge_missing(promises: &[(&Exchanger, Promise<'_>)], is_promised: bool, report: &mut Report) {
    let is_without = |(_, promise): &&(_, Promise<'_>)| matches!(promise, Promise::None);
    let without: Vec<String> =
        promises.iter().filter(is_without).map(|(host, _)| host.host.clone()).collect();
    if without.is_empty() {
        return;
    }
    if without.len() == promises.len() {
        let text = format!("no mail exchanger has a TLSA record: {}", some(&without, 3));
        report.find("tlsa_missing", State::Critical, text);
    } else {
        let others = if is_promised { ", while other mail exchangers have one" } else { "" };
        let text = format!("no TLSA record for {}{others}", some(&without, 3));
        report.find("tlsa_missing", State::Warning, text);
    }
}

/// Records of hosts do not help where a liar can name other hosts (RFC 7672 section 2.2.1).
fn judge_signature_of_mx(options: &CheckMailPolicy, hosts: &Hosts, report: &mut Report) {
    let mail = &hosts.mail;
    if !(mail.authenticated && options.connect.believes(mail.server)) {
        let text = format!(
            "{} {} is not validated (no AD): its TLSA records protect nobody",
            options.domain,
            Kind::Mx
        );
        report.find("mx_unsigned", State::Warning, text);
    }
}

fn judge_visit(options: &CheckMailPolicy, visit: &Visit, report: &mut Report) {
    if let Some(problem) = visit.tls_problem() {
        let text = format!("{}: {problem}, while its TLSA record promises TLS", visit.place());
        report.find("dane_tls", State::Critical, text);
        return;
    }
    if visit.stop.is_some() || visit.keeps_its_promise() {
        return;
    }
    let untrusted = visit.matches.iter().find_map(|(record, verdict)| match verdict {
        Match::Untrusted(why) => Some((record, why)),
        Match::Yes | Match::No => None,
    });
    let text = match (untrusted, visit.matches.as_slice()) {
        (Some((record, why)), _) => format!("{} does not hold under its TLSA {record}: {why}", visit.place()),
        (None, [(record, _)]) => {
            format!("{} serves another certificate than its TLSA {record}", visit.place())
        }
        (None, all) => {
            format!(
                "{} serves a certificate that none of its {} TLSA records matches",
                visit.place(),
                all.len()
            )
        }
    };
    let served = visit.served.as_deref().unwrap_or_default();
    report.add(Finding::new("dane_mismatch", State::Critical, text).with_hint(format!(
        "senders with DANE do not deliver there: publish _{}._tcp.{} TLSA 3 1 1 {served}, or install the \
         certificate that is published",
        options.connect.port, visit.host
    )));
}

impl Visit {
    /// Whether one of the records is the certificate's: one is enough (RFC 6698 section 2.1).
    fn keeps_its_promise(&self) -> bool {
        self.matches.iter().any(|(_, verdict)| *verdict == Match::Yes)
    }
}

#[cfg(test)]
mod tests;
