//! What came of connecting to the hosts.

use common::net::Trouble;
use common::net::dns::{Target, address_kinds};
use common::net::smtp::{Knock, Step, Stop};
use common::proto::dns::Kind;
use common::report::{Finding, Report, State, quote};

use crate::CheckMx;
use crate::agreement::shown;
use crate::hosts::plural;
use crate::seen::{Host, Resolver};

/// Judges the greetings.
pub(crate) fn judge_hosts(options: &CheckMx, hosts: &[Host], resolvers: &[Resolver], report: &mut Report) {
    let reached: Vec<&Host> = hosts.iter().filter(|host| !host.talks.is_empty()).collect();
    for host in hosts.iter().filter(|host| host.talks.is_empty() && host.untried == 0) {
        let why = if is_address_unknown(options, host, resolvers) {
            "address unknown".to_owned()
        } else {
            format!("no {} address", options.family().name())
        };
        let text = format!("{} not connected to: {why}", shown(&host.name));
        report.find("host_not_tried", State::Warning, text);
    }
    let untried: usize = hosts.iter().map(|host| host.untried).sum();
    if untried > 0 {
        let text = format!(
            "{untried} address{} of mail exchangers not connected to, there are too many",
            if untried == 1 { "" } else { "es" }
        );
        report.find("addresses_not_tried", State::Unknown, text);
    }
    let port = options.connect.port;
    match count_hosts(hosts) {
        None if !hosts.is_empty() => {
            let text =
                format!("no mail exchanger of {} could be connected to on port {port}", options.domain);
            report.find("no_host_tried", State::Unknown, text);
        }
        Some((0, tried)) => {
            let text = format!("none of {tried} mail exchanger{} answers on port {port}", plural(tried));
            let is_silence = reached.iter().flat_map(|host| &host.talks).all(is_silent);
            let state = if is_silence { options.silence(State::Critical) } else { State::Critical };
            report.find("all_hosts_down", state, text);
        }
        _ => {}
    }
    for host in reached {
        judge_host(options, host, report);
    }
}

/// Hosts that greet, and those that were connected to; none where nothing was.
pub(crate) fn count_hosts(hosts: &[Host]) -> Option<(usize, usize)> {
    let tried = hosts.iter().filter(|host| !host.talks.is_empty()).count();
    (tried > 0).then(|| (hosts.iter().filter(|host| host.is_up()).count(), tried))
}

/// Whether a look-up that could have given an address failed.
fn is_address_unknown(options: &CheckMx, host: &Host, resolvers: &[Resolver]) -> bool {
    let kinds = address_kinds(options.family());
    let views =
        resolvers.iter().flat_map(|resolver| &resolver.mail.hosts).filter(|one| one.host == host.name);
    views.into_iter().any(|one| {
        let mut lookups = [Kind::A, Kind::Aaaa].into_iter().zip(one.lookups());
        one.target == Target::LeftOut
            || lookups.any(|(kind, lookup)| kinds.contains(&kind) && !lookup.is_answer())
    })
}

fn is_silent(talk: &Knock) -> bool {
    matches!(&talk.stop, Some(Stop::Failed(error)) if error.trouble == Trouble::Timeout)
}

fn judge_host(options: &CheckMx, host: &Host, report: &mut Report) {
    let name = shown(&host.name);
    let down = host.talks.iter().filter(|talk| !talk.is_good()).count();
    for talk in &host.talks {
        if let Some(stop) = &talk.stop {
            let part = if down < host.talks.len() {
                format!(" ({down} of {} addresses)", host.talks.len())
            } else {
                String::new()
            };
            let state = if is_silent(talk) { options.silence(State::Warning) } else { State::Warning };
            let finding = Finding::new("host_down", state, format!("{name}{part}: {}", told(talk, stop)));
            report.add(match hint(talk, stop) {
                Some(hint) => finding.with_hint(hint),
                None => finding,
            });
        }
        if let Some(banner) = talk.opening.banner.as_ref().filter(|banner| banner.masked) {
            let text =
                format!("{name} ({}): banner masked by a firewall: {}", talk.address, quote(&banner.words));
            report.add(Finding::new("masked_banner", State::Warning, text).with_hint(
                "switch off SMTP inspection (fixup, ESMTP inspect) on the firewall: it strips STARTTLS",
            ));
        }
    }
}

/// One address and what it did.
fn told(talk: &Knock, stop: &Stop) -> String {
    let address = talk.address;
    match stop {
        Stop::Refused(Step::Banner, said) => {
            let what = match said.class() {
                4 => "refuses for now",
                5 => "refuses connections",
                _ => "greets oddly",
            };
            format!("{address} {what}: {}", quote(&said.words))
        }
        // The address stands in the text of a connection that failed.
        Stop::Failed(error) if error.text.contains(&address.to_string()) => error.text.clone(),
        other => format!("{address}: {other}"),
    }
}

fn hint(talk: &Knock, stop: &Stop) -> Option<&'static str> {
    let text = stop.to_string();
    (talk.address.is_ipv6() && text.contains("Network is unreachable"))
        .then_some("-4 leaves IPv6 out where this host has none")
}

/// Background: the greetings, and with `-vvv` all that was said.
pub(crate) fn describe_hosts(hosts: &[Host], report: &mut Report) {
    for host in hosts {
        for talk in &host.talks {
            let name = shown(&host.name);
            if let Some(banner) = &talk.opening.banner {
                let time = talk.time().map(|time| format!(" in {:.1} ms", time * 1000.0)).unwrap_or_default();
                report.context(1, format!("{name} ({}): {}{time}", talk.address, quote(&banner.words)));
            }
            for line in &talk.opening.transcript {
                report.context(3, format!("{}: {line}", talk.address));
            }
        }
    }
}
