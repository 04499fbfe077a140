//! Asks DNS block lists (RFC 5782) about addresses and domains, and says whether their
//! answers can be believed.
//!
//! A list that is dead, refuses to answer us, lists the whole world or sits behind a resolver
//! that rewrites answers looks like a clean bill or like a listing to those who only count
//! answers. Here every list proves itself by its test points in the same burst, and what it
//! says counts only when it did.

mod catalogue;
mod code;
mod input;
mod judge;
mod list;
mod options;
mod probe;
mod seen;
mod target;
mod verdict;

use std::collections::BTreeMap;

use clap::Parser;
use common::cli::{DnsArgs, RunArgs, UsageError};
use common::net::{Deadline, ProbeError};
use common::plugin::{Plugin, Run};
use common::report::{Condition, Finding, Metric, Perfdata, Report, State, Thresholds};

use judge::{Judged, Limits, add_unhealthy, asked, judge};
use options::{LimitArgs, ListArgs, TargetArgs};

pub use seen::Seen;

/// Asks DNS block lists about addresses and domains, and says whether the answers can be believed
#[derive(Parser, Debug)]
#[command(name = "check_rbl", version)]
pub struct CheckRbl {
    #[command(flatten)]
    targets: TargetArgs,
    #[command(flatten)]
    lists: ListArgs,
    #[command(flatten)]
    dns: DnsArgs,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    run: RunArgs,
}

const SCORE: Metric = Metric::count("score", "weight of the listings of the worst target");
const LISTED: Metric = Metric::count("listed", "listings, of all targets");
const LISTS: Metric = Metric::count("lists", "lists asked");
const HEALTHY: Metric = Metric::count("healthy", "lists whose answers could be trusted for every target");
const FAILED: Metric = Metric::count("failed", "lists whose answers could not");
const LIST_TIME: Metric = Metric::seconds("<list>.time", "slowest answer of a list, with --perf-lists");

impl Plugin for CheckRbl {
    const NAME: &'static str = "check_rbl";
    const METRICS: &'static [Metric] = &[SCORE, LISTED, LISTS, HEALTHY, FAILED, LIST_TIME];
    const CONDITIONS: &'static [(Condition, State)] =
        &[(Condition::Unreachable, State::Unknown), (Condition::Timeout, State::Unknown)];
    const STATES: &'static [(State, &'static str)] = &[
        (State::Ok, "no target is listed, and enough lists gave an answer to trust"),
        (State::Warning, "the score of a target reaches -w, or lies above 0 when -w is not given"),
        (State::Warning, "more lists than --unhealthy-warning gave no answer to trust"),
        (State::Critical, "the score of a target reaches -c"),
        (State::Unknown, "fewer lists than --min-healthy gave an answer to trust"),
        (
            State::Unknown,
            "wrong options, a private address, a name that does not resolve, timeout (--timeout-state)",
        ),
    ];
    const EXAMPLES: &'static [(&'static str, &'static str)] = &[
        ("check_rbl -H 192.0.2.25", "Ask the default lists about an address"),
        (
            "check_rbl -H mail.example.org -s zen.spamhaus.org,ignore=10+11 -s bl.spamcop.net,weight=0.5 -w 0.5 -c 1",
            "All addresses of a host in lists of your choice, without Spamhaus' policy list",
        ),
        (
            "check_rbl -H 192.0.2.0/26 --resolver 192.0.2.1 --resolver 192.0.2.2 --resolver 192.0.2.3",
            "A network, and two of three resolvers must agree",
        ),
    ];
    type Seen = Seen;

    fn run_args(&self) -> &RunArgs {
        &self.run
    }

    fn target(&self) -> String {
        match (self.targets.hostname.as_slice(), &self.targets.targets_file) {
            ([one], None) => one.to_string(),
            ([], Some(path)) => path.display().to_string(),
            (several, file) => format!("{} targets", several.len() + usize::from(file.is_some())),
        }
    }

    fn check_options(&self) -> Result<(), UsageError> {
        self.limits.check(self.dns.resolvers())
    }

    fn probe(&self, deadline: &Deadline) -> Result<Seen, ProbeError> {
        probe::probe(self, deadline)
    }

    fn evaluate(&self, seen: &Seen, run: &Run) -> Report {
        let mut report = Report::new();
        let limits = Limits::new(&self.limits, seen.resolvers.len());
        let judged = judge(seen, &limits, run);
        record(&judged, limits.score, &mut report);
        if self.limits.perf_lists {
            record_times(seen, &mut report);
        }
        add_targets(&judged, &limits, run, &mut report);
        if judged.is_empty() {
            report.find("no_target", State::Unknown, "there is no target");
        }
        if let Some(error) = &seen.cut_short {
            report.add(common::plugin::finding_of(error, &run.states));
        }
        let is_news = judged.len() == 1 && !self.lists.are_default();
        for one in &judged {
            one.add_notes(&mut report, is_news);
        }
        add_unhealthy(&judged, &seen.resolvers, &mut report);
        if let Some(rate) = seen.rate {
            report.note("rate", format!("{} questions, at most {rate} a second (--rate)", seen.questions));
        }
        add_clean(&judged, &limits, &mut report);
        describe(seen, self.run.verbose, &mut report);
        report
    }
}

/// A line for each target that is not well, worst first; where all is well, one for them all.
fn add_targets(judged: &[Judged<'_>], limits: &Limits, run: &Run, report: &mut Report) {
    let all_well = judged.iter().all(|one| one.state == State::Ok);
    if all_well && judged.len() > 1 {
        let lists = judged.iter().map(|one| one.words.len()).max().unwrap_or_default();
        let text = format!("{} targets not listed, asked of {lists} lists", judged.len());
        report.add(Finding::new("not_listed", State::Ok, text));
    }
    let alarming = judged.iter().filter(|one| one.state != State::Ok).count();
    for (place, one) in judged.iter().enumerate().filter(|(_, one)| !is_one_of_many_clean(judged, one)) {
        if let Some(problem) = one.problem(run) {
            report.add(problem);
            if one.words.is_empty() {
                continue;
            }
        }
        let mut finding = one.finding(limits);
        if place == 0 && alarming > 1 {
            finding.text.push_str(&format!(" (and {} more targets)", alarming - 1));
        }
        report.add(finding);
    }
}

/// A line for each clean target. They come last: of a network there may be more than the
/// output has room for, and what is wrong with the lists matters more.
fn add_clean(judged: &[Judged<'_>], limits: &Limits, report: &mut Report) {
    for one in judged.iter().filter(|one| is_one_of_many_clean(judged, one)) {
        report.add(Finding { is_note: true, ..one.finding(limits) });
    }
}

fn is_one_of_many_clean(judged: &[Judged<'_>], one: &Judged<'_>) -> bool {
    judged.len() > 1 && one.state == State::Ok
}

fn record(judged: &[Judged<'_>], thresholds: Thresholds, report: &mut Report) {
    let score = judged.iter().filter_map(|one| one.score).reduce(f64::max);
    report.push(Perfdata::new(&SCORE, score, thresholds));
    let mut health: BTreeMap<&str, bool> = BTreeMap::new();
    for word in judged.iter().flat_map(|one| &one.words) {
        *health.entry(word.list.zone.as_str()).or_insert(true) &= word.is_healthy();
    }
    let healthy = health.values().filter(|healthy| **healthy).count();
    let listed = judged.iter().flat_map(|one| &one.words).filter(|word| word.is_against()).count();
    for (metric, value) in
        [(&LISTED, listed), (&LISTS, health.len()), (&HEALTHY, healthy), (&FAILED, health.len() - healthy)]
    {
        report.record_count(metric, Some(value));
    }
}

fn record_times(seen: &Seen, report: &mut Report) {
    for (at, list) in seen.lists.iter().enumerate() {
        let looks = seen.looks.iter().filter(|look| look.list == at);
        let mut asked = looks.peekable();
        if asked.peek().is_none() {
            continue;
        }
        // One answer that is missing makes the slowest one unknown.
        let slowest = asked.map(|look| look.time).reduce(|one, other| Some(one?.max(other?))).flatten();
        let label = format!("{}.time", list.zone);
        report.push(Perfdata { label, ..Perfdata::new(&LIST_TIME, slowest, Thresholds::default()) });
    }
}

/// Background: who was asked, and with `-vv` what each list said.
fn describe(seen: &Seen, verbosity: u8, report: &mut Report) {
    if verbosity == 0 {
        return;
    }
    report.context(1, asked(&seen.resolvers));
    for look in &seen.looks {
        let (Some(target), Some(list)) = (seen.targets.get(look.target), seen.lists.get(look.list)) else {
            continue;
        };
        let Some(subject) = target.subjects.get(look.subject) else { continue };
        let resolver = seen.resolvers.get(look.resolver).map_or("", String::as_str);
        let time = look.time.map(|time| format!(" in {:.1} ms", time * 1000.0)).unwrap_or_default();
        report.context(2, format!("{subject} in {} by {resolver}: {}{time}", list.zone, look.said));
    }
    for test in &seen.tests {
        let Some(list) = seen.lists.get(test.list) else { continue };
        let resolver = seen.resolvers.get(test.resolver).map_or("", String::as_str);
        report.context(
            2,
            format!(
                "test of {} by {resolver}: listed point {}, unlisted point {}",
                list.zone, test.inside, test.outside
            ),
        );
    }
}
