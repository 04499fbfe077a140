//! Asks every mail exchanger of an address (RFC 5321 section 5.1) whether it would take a message
//! for it: the conversation a sending server would hold, up to RCPT and no further.
//!
//! A domain is as good as the worst of its exchangers: a backup that is down, or takes mail for
//! everybody, shows only on the day it is needed. So all of them are asked, at all their
//! addresses, at the same time.

mod judge;
mod options;
mod probe;
mod route;
mod seen;
mod session;
mod stranger;
#[cfg(test)]
mod tests;
mod verdict;

use clap::Parser;
use common::cli::{
    DeliveryTlsArgs, ResolverArgs, RunArgs, SmtpArgs, TemporaryArgs, TimeThresholdArgs, UsageError,
};
use common::net::dns::Route;
use common::net::{Deadline, Family, ProbeError};
use common::plugin::{Plugin, Run, describe_opening, judge_opening_of};
use common::proto::address::is_public;
use common::report::{Finding, Metric, Perfdata, Report, State, Thresholds, some};

use options::{EnvelopeArgs, ExpectArgs, HostArgs};
use seen::{Host, Source, Visit};
use verdict::{Verdict, place, verdicts};

pub use seen::Seen;

/// Asks every mail exchanger of an address whether it would take a message for it
#[derive(Parser, Debug)]
#[command(name = "check_smtp_rcpt", version)]
#[command(mut_arg("resolver", |arg| arg.conflicts_with("exchanger")))]
#[command(mut_arg("query_timeout", |arg| arg.conflicts_with("exchanger")))]
#[command(mut_arg("tries", |arg| arg.conflicts_with("exchanger")))]
pub struct CheckSmtpRcpt {
    #[command(flatten)]
    envelope: EnvelopeArgs,
    #[command(flatten)]
    hosts: HostArgs,
    #[command(flatten)]
    expect: ExpectArgs,
    #[command(flatten)]
    dns: ResolverArgs,
    #[command(flatten)]
    tls: DeliveryTlsArgs,
    #[command(flatten)]
    smtp: SmtpArgs,
    #[command(flatten)]
    thresholds: TimeThresholdArgs,
    #[command(flatten)]
    temporary: TemporaryArgs,
    #[command(flatten)]
    run: RunArgs,
}

const MX_TOTAL: Metric = Metric::count("mx_total", "hosts that should take the mail");
const MX_OK: Metric = Metric::count("mx_ok", "those that do as expected, at each of their addresses");
const MX_FAILED: Metric = Metric::count("mx_failed", "the others");
const HOST_TIME: Metric = Metric::seconds("<host>.time", "from connect to the answer to RCPT");

impl Plugin for CheckSmtpRcpt {
    const NAME: &'static str = "check_smtp_rcpt";
    const METRICS: &'static [Metric] = &[MX_TOTAL, MX_OK, MX_FAILED, HOST_TIME];
    const STATES: &'static [(State, &'static str)] = &[
        (
            State::Ok,
            "every host takes the recipient, or greylists it (--greylist); --expect reject: refuses it",
        ),
        (State::Ok, "--expect reject and the domain takes no mail at all (null MX)"),
        (State::Warning, "an address in DNS is not public (--allow-private)"),
        (State::Warning, "a host gives no answer or has no address while another one takes the recipient"),
        (
            State::Warning,
            "a host accepts unknown users (--also-unknown), offers STARTTLS that fails, is masked; -w",
        ),
        (
            State::Critical,
            "a host refuses the recipient or the sender, has no room for it, or no SMTPUTF8; -c",
        ),
        (State::Critical, "a host defers the recipient (--temporary-state), other than by greylisting"),
        (
            State::Critical,
            "no host gives an answer; the domain does not exist, or has neither MX nor address",
        ),
        (State::Critical, "--expect reject and a host takes the recipient; timeout (--timeout-state)"),
        (
            State::Unknown,
            "the hosts or their addresses cannot be looked up; null MX; more addresses than are asked",
        ),
        (State::Unknown, "--expect reject or --also-unknown, and an answer that proves nothing"),
        (State::Unknown, "wrong options; nothing is sent"),
    ];
    const EXAMPLES: &'static [(&'static str, &'static str)] = &[
        ("check_smtp_rcpt info@example.org", "Ask all mail exchangers of a domain"),
        (
            "check_smtp_rcpt --rcpt-to info@example.org --also-unknown --greylist warning",
            "The same, and no host may take mail for users who do not exist",
        ),
        (
            "check_smtp_rcpt --rcpt-to former@example.org --expect reject",
            "A closed account, which no host may accept",
        ),
        (
            "check_smtp_rcpt --rcpt-to info@example.org -H mx1.example.org -H 192.0.2.25",
            "Hosts of your choice instead of those in DNS",
        ),
    ];
    type Seen = Seen;

    fn run_args(&self) -> &RunArgs {
        &self.run
    }

    fn target(&self) -> String {
        self.envelope.shown()
    }

    fn time_thresholds(&self) -> Thresholds {
        self.thresholds.thresholds()
    }

    fn temporary_state(&self) -> Option<State> {
        self.temporary.temporary_state
    }

    fn check_options(&self) -> Result<(), UsageError> {
        self.envelope.check(&self.hosts, self.expect.also_unknown)?;
        self.tls.check()?;
        self.smtp.check(self.hosts.family())
    }

    fn probe(&self, deadline: &Deadline) -> Result<Seen, ProbeError> {
        probe::probe(self, deadline)
    }

    fn evaluate(&self, seen: &Seen, run: &Run) -> Report {
        let mut report = Report::new();
        let mut verdicts = verdicts(self, seen, run);
        record(seen, &verdicts, &mut report);
        if let Some(finding) = judge::judge_route(self, seen, run) {
            report.add(finding);
        }
        judge::settle(self, &mut verdicts);
        judge::add_verdicts(self, seen, &verdicts, &mut report);
        stranger::judge_strangers(self, seen, &mut report);
        judge_servers(seen, &mut report);
        self.judge_addresses(seen, &mut report);
        describe(seen, self.run.verbose, &mut report);
        report
    }
}

impl CheckSmtpRcpt {
    /// Hosts of a domain have public addresses: else whoever is at home under them was asked,
    /// this machine's own server in the worst case.
    fn judge_addresses(&self, seen: &Seen, report: &mut Report) {
        if self.hosts.allow_private || !matches!(seen.source, Source::Dns { .. }) {
            return;
        }
        let of = |host: &Host| -> Vec<String> {
            let strange = host.addresses.iter().filter(|address| !is_public(address.ip()));
            strange.map(|address| format!("{} has {}", host.name, address.ip())).collect()
        };
        let strange: Vec<String> = seen.hosts.iter().flat_map(of).collect();
        if !strange.is_empty() {
            let text = format!("not public, so not reached by others: {}", some(&strange, 5));
            let finding = Finding::new("private_address", State::Warning, text);
            report
                .add(finding.with_hint("--allow-private takes such addresses for good, as inside a network"));
        }
    }

    /// The family of the addresses that are asked.
    fn family(&self) -> Family {
        self.smtp.family(self.hosts.family())
    }
}

/// What is odd about the servers and their names, whatever they say of the recipient.
fn judge_servers(seen: &Seen, report: &mut Report) {
    for visit in &seen.visits {
        judge_opening_of(&place_of(seen, visit), &visit.opening, report);
    }
    let Source::Dns { domain, route, dissent, .. } = &seen.source else { return };
    if *route == Route::Implicit {
        report.note("implicit_mx", format!("{domain} has no MX, its mail goes to its own address"));
    }
    for words in dissent {
        report.note("dissent", words.clone());
    }
}

fn record(seen: &Seen, verdicts: &[Verdict], report: &mut Report) {
    let is_known = !matches!(&seen.source, Source::Dns { route: Route::Unanswered(_), .. });
    let hosts: Vec<&Host> = seen.hosts.iter().filter(|host| host.counts()).collect();
    let is_fine = |host: &&&Host| {
        let mut of_host =
            verdicts.iter().filter(|one| one.address.is_some_and(|at| host.addresses.contains(&at)));
        host.gap.is_none() && of_host.all(|one| one.finding.state == State::Ok)
    };
    let fine = hosts.iter().filter(is_fine).count();
    for (metric, number) in [(&MX_TOTAL, hosts.len()), (&MX_OK, fine), (&MX_FAILED, hosts.len() - fine)] {
        report.record_count(metric, Some(number).filter(|_| is_known));
    }
    for host in hosts {
        for address in &host.addresses {
            let label = match host.addresses.as_slice() {
                [_] => format!("{}.time", host.name),
                _ => format!("{}/{}.time", host.name, address.ip()),
            };
            let time = seen.visit(*address).and_then(|visit| visit.time);
            report.push(Perfdata { label, ..Perfdata::new(&HOST_TIME, time, Thresholds::default()) });
        }
    }
}

/// Background: where the hosts come from, and with `-vv` and `-vvv` each conversation.
fn describe(seen: &Seen, verbosity: u8, report: &mut Report) {
    if verbosity == 0 {
        return;
    }
    let is_in_dns = match &seen.source {
        Source::Dns { domain, resolver, .. } => {
            report.context(1, format!("MX of {domain} by {resolver}:"));
            true
        }
        Source::Given | Source::Literal => false,
    };
    for host in &seen.hosts {
        let preference = if is_in_dns { format!("{} ", host.level) } else { String::new() };
        let addresses: Vec<String> = host.addresses.iter().map(ToString::to_string).collect();
        report.context(1, format!("{preference}{} {}", host.name, addresses.join(" ")).trim_end());
    }
    for visit in &seen.visits {
        let answer = match visit.time {
            Some(time) => format!("answer after {:.1} ms", time * 1000.0),
            None => "no answer".to_owned(),
        };
        report.context(1, format!("{}: {answer}", place_of(seen, visit)));
        describe_opening(&visit.opening, report);
    }
}

fn place_of(seen: &Seen, visit: &Visit) -> String {
    let host = seen.hosts.iter().find(|host| host.addresses.contains(&visit.address));
    host.map(|host| place(host, visit.address)).unwrap_or_default()
}
