//! Checks that addresses have a name in DNS which leads back to them (forward-confirmed
//! reverse DNS, the `iprev` of RFC 8601 section 3), and that mail servers use that name.
//!
//! Receivers refuse or mark mail from hosts without such a name, with a generated one, or
//! with another one in HELO. Nobody notices before the mail does not arrive.

mod agreed;
mod banner;
mod generic;
mod host_name;
mod judge;
mod mail;
mod network;
mod options;
mod probe;
#[cfg(test)]
mod rows;
mod seen;

use clap::Parser;
use common::cli::{DnsArgs, RunArgs, UsageError};
use common::net::{Deadline, ProbeError};
use common::plugin::{Plugin, Run, finding_of};
use common::proto::address::is_public;
use common::report::{Condition, Finding, Metric, Report, State, quote, some};

use agreed::Answers;
use judge::{Judged, Standing};
use mail::judge_helo_itself;
use network::{judge_differences, judge_hosts, judge_silent_resolvers};
use options::{NameArgs, TargetArgs};

pub use seen::Seen;

/// Checks that addresses have a name in DNS which leads back to them, and that mail servers say it
#[derive(Parser, Debug)]
#[command(name = "check_rdns", version)]
pub struct CheckRdns {
    #[command(flatten)]
    targets: TargetArgs,
    #[command(flatten)]
    names: NameArgs,
    #[command(flatten)]
    dns: DnsArgs,
    #[command(flatten)]
    run: RunArgs,
}

const ADDRESSES: Metric = Metric::count("addresses", "addresses checked");
const PTR: Metric = Metric::count("ptr", "names they have, all together");
const CONFIRMED: Metric = Metric::count("confirmed", "names that lead back to their address");
const TIME_CONNECT: Metric = Metric::seconds("time_connect", "slowest TCP connect, with --smtp");
const TIME_BANNER: Metric = Metric::seconds("time_banner", "longest wait for a banner, with --smtp");

impl Plugin for CheckRdns {
    const NAME: &'static str = "check_rdns";
    const METRICS: &'static [Metric] = &[ADDRESSES, PTR, CONFIRMED, TIME_CONNECT, TIME_BANNER];
    const CONDITIONS: &'static [(Condition, State)] = &[(Condition::Timeout, State::Unknown)];
    const STATES: &'static [(State, &'static str)] = &[
        (State::Ok, "every address has one name, and the name leads back to it"),
        (State::Warning, "several names, a generated one, an alias, or one that no host should have"),
        (State::Warning, "another name in the banner (--smtp), none there, or another one in HELO (--helo)"),
        (State::Warning, "resolvers that differ, or one that is silent while another answers"),
        (State::Critical, "no PTR record, no name that leads back to the address, or none that fits --match"),
        (State::Critical, "a name of -H or --helo that has no address"),
        (State::Critical, "with --smtp: no connection, no banner in time, a refusal, another protocol"),
        (State::Unknown, "wrong options, no answer from any resolver, timeout (--timeout-state)"),
    ];
    const EXAMPLES: &'static [(&'static str, &'static str)] = &[
        ("check_rdns -H 192.0.2.25", "The name of an address, and whether it leads back"),
        (
            "check_rdns -H mail.example.org --match mail.example.org --smtp",
            "All addresses of a mail server: its name in DNS and in its banner",
        ),
        (
            "check_rdns -H 192.0.2.25 -H 2001:db8::25 --helo mail.example.org --resolver 192.0.2.1 --resolver 192.0.2.2",
            "The addresses mail is sent from, as two name servers know them",
        ),
    ];
    type Seen = Seen;

    fn run_args(&self) -> &RunArgs {
        &self.run
    }

    fn target(&self) -> String {
        match self.targets.hostname.as_slice() {
            [one] => one.to_string(),
            several => format!("{} targets", several.len()),
        }
    }

    fn check_options(&self) -> Result<(), UsageError> {
        self.targets.check()
    }

    fn probe(&self, deadline: &Deadline) -> Result<Seen, ProbeError> {
        probe::probe(self, deadline)
    }

    fn evaluate(&self, seen: &Seen, run: &Run) -> Report {
        let mut report = Report::new();
        let answers = Answers::new(seen);
        let mut judged: Vec<Judged<'_>> =
            seen.addresses.iter().map(|one| Judged::new(one, &answers, &self.names, run)).collect();
        for one in &mut judged {
            if self.names.smtp.is_some() {
                one.judge_banner(self.run.timeout_state, seen.cut_short.is_some(), run);
            }
            if let Some(helo) = &self.names.helo {
                one.judge_helo(helo, &answers);
            }
        }
        record(seen, &answers, &judged, &mut report);
        judge_hosts(seen, &answers, run, &mut report);
        // Ahead of what comes of putting together answers that differ.
        judge_differences(&answers, &mut report);
        self.add_findings(judged, &mut report);
        if let Some(helo) = &self.names.helo {
            judge_helo_itself(helo, &answers, run, &mut report);
        }
        judge_silent_resolvers(seen, &answers, &mut report);
        if let Some(error) = &seen.cut_short {
            report.add(finding_of(error, &run.states));
        }
        let is_well = report.findings().is_empty() || report.state() < State::Unknown;
        if seen.addresses.is_empty() && is_well {
            let condition = if seen.cut_short.is_some() { Condition::Timeout } else { Condition::Incomplete };
            report.find("no_address", run.states.state(condition), "no address was checked");
        }
        describe(seen, self.run.verbose, &mut report);
        report
    }
}

impl CheckRdns {
    /// The findings of all addresses; what is well comes in one line, or after the rest.
    fn add_findings(&self, judged: Vec<Judged<'_>>, report: &mut Report) {
        let good: Vec<Finding> =
            judged.iter().filter(|one| one.findings.is_empty()).map(|one| self.good(one)).collect();
        let private: Vec<String> = judged
            .iter()
            .map(|one| one.seen.address)
            .filter(|address| !is_public(*address))
            .map(|address| address.to_string())
            .collect();
        let many = judged.len();
        let mut findings: Vec<Finding> = judged.into_iter().flat_map(|one| one.findings).collect();
        // The names are the cause where they left no time for the banners.
        findings.sort_by_key(|finding| finding.id == "no_banner");
        for finding in findings {
            report.add(finding);
        }
        let is_news = many == 1;
        if good.len() == many && many > 1 {
            report.find(
                "confirmed",
                State::Ok,
                format!("{many} addresses have a name that leads back to them"),
            );
        }
        for finding in good {
            report.add(Finding { is_note: !is_news, ..finding });
        }
        if !private.is_empty() {
            let text = format!("not public, known to internal name servers only: {}", some(&private, 5));
            report.note("private", text);
        }
    }

    /// The line on an address with which all is well.
    fn good(&self, one: &Judged<'_>) -> Finding {
        let also: Vec<&str> =
            [self.names.smtp.map(|_| "its banner"), self.names.helo.as_ref().map(|_| "HELO")]
                .into_iter()
                .flatten()
                .collect();
        let mut text = format!("{} is named {}, which leads back to it", one.subject(), one.shown_names());
        if !also.is_empty() {
            text.push_str(&format!(
                "; {} the same",
                also.join(" and ") + if also.len() == 1 { " says" } else { " say" }
            ));
        }
        Finding::new("confirmed", State::Ok, text)
    }
}

fn record(seen: &Seen, answers: &Answers<'_>, judged: &[Judged<'_>], report: &mut Report) {
    let is_known = |host: &String| seen.kinds.iter().all(|kind| answers.about(host, *kind).is_answered());
    let addresses = seen.hosts.iter().all(is_known).then_some(judged.len());
    let names: Option<Vec<_>> = judged
        .iter()
        .map(|one| one.names.as_ref())
        .collect::<Option<Vec<_>>>()
        .map(|all| all.into_iter().flatten().collect());
    let confirmed = names.as_ref().and_then(|names| {
        let is_known = names.iter().all(|name| name.standing != Standing::Unknown);
        is_known.then(|| names.iter().filter(|name| name.standing == Standing::Confirmed).count())
    });
    for (metric, value) in
        [(&ADDRESSES, addresses), (&PTR, names.map(|names| names.len())), (&CONFIRMED, confirmed)]
    {
        report.record_count(metric, value);
    }
    let banners: Vec<_> = seen.addresses.iter().filter_map(|one| one.banner.as_ref()).collect();
    // One that is missing makes the slowest one unknown.
    let slowest = |times: Vec<Option<f64>>| times.into_iter().reduce(|one, other| Some(one?.max(other?)));
    let connect = slowest(banners.iter().map(|banner| banner.connect).collect());
    let wait = slowest(banners.iter().map(|banner| banner.wait).collect());
    for (metric, time) in [(&TIME_CONNECT, connect), (&TIME_BANNER, wait)] {
        if let Some(time) = time {
            report.record(metric, time);
        }
    }
}

/// Background: who was asked and what leads where; with `-vv` every answer, with `-vvv` what
/// mail servers said.
fn describe(seen: &Seen, verbosity: u8, report: &mut Report) {
    if verbosity == 0 {
        return;
    }
    report.context(1, format!("asked: {}", seen.resolvers.join(", ")));
    for look in &seen.looks {
        let by = seen.resolvers.get(look.resolver).map_or("", String::as_str);
        if !look.aliases.is_empty() {
            let path = look.aliases.join(", an alias of ");
            report.context(1, format!("{} is an alias of {path}", look.name));
        }
        let time = look.time.map(|time| format!(" in {:.1} ms", time * 1000.0)).unwrap_or_default();
        report.context(2, format!("{} {} by {by}: {}{time}", look.name, look.kind, look.said));
    }
    for banner in seen.addresses.iter().filter_map(|one| one.banner.as_ref()) {
        if let Some(greeting) = &banner.greeting {
            report.context(1, format!("{} greets with {}", banner.server, quote(&greeting.words)));
        }
        for line in &banner.transcript {
            report.context(3, format!("{} {line}", banner.server));
        }
    }
}
