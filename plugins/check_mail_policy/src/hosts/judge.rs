//! What can be said of the hosts without asking for DANE or MTA-STS: where nothing could be looked
//! at, and what they serve.

use common::net::dns::{Exchanger, Route, Target};
use common::net::smtp::{Step, Stop};
use common::net::{Family, Phase, Trouble};
use common::plugin::{Run, judge_stop};
use common::proto::dns::Kind;
use common::report::{Finding, Report, State, quote, some};

use super::{Hosts, Visit};
use crate::CheckMailPolicy;
use crate::https::distrust;
use crate::lookup::Unanswered;

/// Judges the way to the hosts, and says where there was nothing to look at.
pub(crate) fn judge_hosts(options: &CheckMailPolicy, hosts: &Hosts, run: &Run, report: &mut Report) {
    let domain = &options.domain;
    match &hosts.mail.route {
        Route::Unanswered(outcome) => {
            Unanswered::new(domain, Kind::Mx, outcome).report("mx_open", options, report);
        }
        Route::Null => report.note("null_mx", format!("{domain} takes no mail (null MX, RFC 7505)")),
        Route::Nowhere | Route::NoDomain => {
            let text = format!("{domain} has neither MX records nor an address: no mail gets there");
            report.find("no_mx", State::Critical, text);
        }
        Route::Listed | Route::Implicit => judge_each(options, hosts, run, report),
    }
}

fn judge_each(options: &CheckMailPolicy, hosts: &Hosts, run: &Run, report: &mut Report) {
    if hosts.mail.hosts.is_empty() {
        report.find("mx_host", State::Unknown, format!("{} MX: no host is named", options.domain));
    }
    for host in &hosts.mail.hosts {
        judge_host(options, host, report);
    }
    let kept_back = |host: &Exchanger| host.lookups().iter().map(|lookup| lookup.left_out).sum::<usize>();
    let addresses = hosts.untried + hosts.mail.hosts.iter().map(kept_back).sum::<usize>();
    let records = hosts.mail.left_out;
    if records > 0 || addresses > 0 {
        let text = format!("too much to look at: {records} MX records, {addresses} addresses left out");
        report.find("left_out", State::Unknown, text);
    }
    if options.visits() {
        judge_visits(options, hosts, run, report);
    }
}

fn judge_visits(options: &CheckMailPolicy, hosts: &Hosts, run: &Run, report: &mut Report) {
    let visits = hosts.visits.as_deref().unwrap_or_default();
    for visit in visits {
        judge_access(visit, run, report);
    }
    if hosts.untried > 0 {
        return;
    }
    let why = match options.smtp.family(options.family.family()) {
        Family::Any => String::new(),
        family => format!(": it has no {} address, and no other is allowed", family.name()),
    };
    for host in &hosts.mail.hosts {
        let is_visited = visits.iter().any(|visit| visit.host == host.host);
        if !is_visited && host.addresses(Family::Any).next().is_some() {
            let text = format!("the certificate of {} was not looked at{why}", host.host);
            report.find("mx_host", State::Unknown, text);
        }
    }
}

fn judge_host(options: &CheckMailPolicy, host: &Exchanger, report: &mut Report) {
    let name = quote(&host.host);
    match &host.target {
        Target::Root | Target::Literal(_) | Target::Unspeakable => {
            let text = format!("the MX record names {name}, which is no host name");
            report.find("mx_host", State::Warning, text);
        }
        Target::LeftOut => {
            report.find("mx_host", State::Unknown, format!("{name} was not looked up, there are too many"));
        }
        Target::Name { .. } => {
            if let Some((kind, outcome)) = host.unanswered() {
                let text = format!("cannot look up the {kind} record of {}: {outcome}", host.host);
                report.find("mx_host", options.state_of(outcome), text);
            } else if host.has_no_address() {
                report.find("mx_host", State::Warning, format!("{} has no address", host.host));
            }
        }
    }
}

/// A conversation that ended before there was a certificate, and not because of TLS.
fn judge_access(visit: &Visit, run: &Run, report: &mut Report) {
    if visit.stop.is_none() && visit.opening.tls.is_none() {
        report.find("mx_host", State::Unknown, format!("{} showed no certificate", visit.place()));
    }
    let Some(stop) = visit.stop.as_ref().filter(|_| visit.tls_problem().is_none()) else { return };
    let finding = judge_stop(stop, &visit.opening, run);
    let text = format!("cannot look at the certificate of {}: {}", visit.place(), finding.text);
    let state = if finding.id == "timeout" { finding.state } else { State::Unknown };
    let hint =
        "-4 or -6 leaves out a family that this machine does not reach, --no-connect all hosts".to_owned();
    report.add(Finding { text, state, hint: finding.hint.clone().or(Some(hint)), ..finding });
}

/// Certificates as MTA-STS wants them: for the host's name, from an authority we know (RFC 8461
/// section 4.2). `failing` is the state of a host that is not: its mail is lost, or will be.
pub(crate) fn judge_served(
    hosts: &Hosts,
    failing: State,
    is_listed: impl Fn(&str) -> bool,
    report: &mut Report,
) {
    let Some(all) = &hosts.visits else {
        // Where there is a host, OK must not sound as if it had been met.
        if !named(hosts).is_empty() {
            report.find("sts_certificates", State::Ok, "certificates not looked at");
        }
        return;
    };
    let visits = || all.iter().filter(|visit| is_listed(&visit.host));
    let mut well = 0;
    for visit in visits() {
        let shown = visit.opening.tls.as_ref().filter(|_| visit.stop.is_none());
        let problem = visit.tls_problem().or_else(|| shown.and_then(distrust));
        match problem {
            Some(problem) => {
                let text =
                    format!("{}: {problem}, while the MTA-STS policy wants it verified", visit.place());
                report.find("sts_certificate", failing, text);
            }
            None if shown.is_some() => well += 1,
            None => {}
        }
    }
    if well > 0 {
        let text = format!("{well} of {} certificates are as MTA-STS wants them", visits().count());
        report.find("sts_certificates", State::Ok, text);
    }
}

impl Visit {
    /// Host and address for a sentence.
    pub(crate) fn place(&self) -> String {
        format!("{} ({})", self.host, self.address)
    }

    /// Why there is no TLS, where the host is there and it is TLS that fails.
    pub(crate) fn tls_problem(&self) -> Option<String> {
        match self.stop.as_ref()? {
            Stop::StarttlsNotOffered => Some("STARTTLS is not offered".to_owned()),
            Stop::Refused(step, said) => {
                let is_tls = *step == Step::Starttls && said.class() == 5;
                is_tls.then(|| format!("{step} refused: {}", quote(&said.words)))
            }
            Stop::Injected(words) => Some(format!("plaintext behind the 220 to STARTTLS: {}", quote(words))),
            Stop::Failed(error) => {
                let is_tls = error.phase == Phase::NegotiatingTls && error.trouble == Trouble::Tls;
                is_tls.then(|| error.text.clone())
            }
            Stop::Untrusted => None,
        }
    }
}

/// The names of the hosts that a sender may turn to.
pub(crate) fn named(hosts: &Hosts) -> Vec<&str> {
    let is_name =
        |target: &Target| !matches!(target, Target::Root | Target::Literal(_) | Target::Unspeakable);
    hosts.mail.hosts.iter().filter(|host| is_name(&host.target)).map(|host| host.host.as_str()).collect()
}

/// What `-v` shows.
pub(crate) fn describe_hosts(hosts: &Hosts, report: &mut Report) {
    for host in &hosts.mail.hosts {
        let addresses: Vec<String> = host.addresses(Family::Any).map(|address| address.to_string()).collect();
        let addresses =
            if addresses.is_empty() { "no address known".to_owned() } else { some(&addresses, 8) };
        report.context(1, format!("MX {} {}: {addresses}", host.preference, host.host));
    }
    for visit in hosts.visits.iter().flatten() {
        for (record, verdict) in &visit.matches {
            report.context(1, format!("{} TLSA {record}: {verdict}", visit.place()));
        }
        for one in visit.opening.tls.iter().flat_map(|tls| &tls.chain) {
            report.context(2, format!("{}: {} issued by {}", visit.place(), one.subject, one.issuer));
        }
        for line in &visit.opening.transcript {
            report.context(3, line.clone());
        }
    }
}
