//! From what a server says of its replication to findings. Pure: ages are in the facts.

mod channel;
mod compare;
mod lag;
mod perfdata;
mod server;
mod threads;
mod wanted;
mod words;

use std::collections::BTreeSet;

use common::plugin::Run;
use common::report::{Condition, Finding, Report, State, quote};

use crate::advice;
use crate::replica::{Channel, Replica, Status, is_disk_full};
use compare::Comparison;
use lag::Lag;
use words::{count, span};

pub use perfdata::METRICS;
pub use wanted::{AllowStopped, Errant, HeartbeatServer, LagSource, ReadOnly, Wanted};

/// A channel and what was found of it.
struct Judged<'a> {
    channel: &'a Channel,
    lag: Lag,
    comparison: Option<Comparison>,
    findings: Vec<Finding>,
}

impl Judged<'_> {
    fn state(&self) -> State {
        self.findings.iter().map(|finding| finding.state).max().unwrap_or(State::Ok)
    }
}

/// Judges a replica.
#[must_use]
pub fn judge(replica: &Replica, wanted: &Wanted, run: &Run) -> Report {
    let judged: Vec<Judged<'_>> = replica
        .channels
        .iter()
        .filter(|channel| !channel.is_of_group() && wanted.takes(channel))
        .map(|channel| channel::judge_channel(channel, replica, wanted))
        .collect();
    let mut findings = judge_status(replica, run);
    if !judged.is_empty() {
        findings.extend(sum_up(&judged));
    } else if findings.is_empty() {
        findings.extend(judge_absence(replica, wanted));
    }
    if replica.status == Status::Answered {
        findings.extend(judge_expected(replica, &judged, wanted));
    }
    findings.extend(server::judge_server(replica, wanted));
    findings.extend(compare::judge_source(replica, wanted));
    findings.extend(compare::judge_errant(replica, wanted));
    findings.extend(replica.gaps.iter().map(|gap| Finding {
        is_note: true,
        hint: gap.hint.clone(),
        ..Finding::new("gap", State::Ok, gap.text.clone())
    }));
    let lines = judged
        .iter()
        .map(|one| Finding { is_note: true, ..Finding::new("channel", State::Ok, perfdata::line(one)) });
    findings.extend(lines);

    let mut report = Report::new();
    once_each_hint(&mut findings);
    for finding in findings {
        report.add(finding);
    }
    if replica.status == Status::Answered {
        perfdata::record(&judged, replica, wanted, &mut report);
    } else {
        perfdata::record_unknown(wanted, &mut report);
    }
    describe(&judged, replica, &mut report);
    report
}

/// Whether the source has what its channel has not received.
#[must_use]
pub fn is_source_ahead(replica: &Replica) -> bool {
    let both = replica.channel_from_source().zip(replica.source.as_ref());
    both.is_some_and(|(channel, source)| {
        Comparison::new(channel, &replica.server, source).is_source_ahead == Some(true)
    })
}

/// Several channels may need the same advice.
fn once_each_hint(findings: &mut [Finding]) {
    let mut order: Vec<&mut Finding> = findings.iter_mut().collect();
    // The worst one keeps it, as the report will have it first.
    order.sort_by_key(|finding| std::cmp::Reverse(finding.state));
    let mut given = BTreeSet::new();
    for finding in order {
        if finding.hint.as_ref().is_some_and(|hint| !given.insert(hint.clone())) {
            finding.hint = None;
        }
    }
}

/// A status statement that was not answered is the worst that can be said of a replica.
fn judge_status(replica: &Replica, run: &Run) -> Vec<Finding> {
    let (states, problem, state) = match &replica.status {
        Status::Answered => return Vec::new(),
        Status::NotAsked => {
            return vec![Finding::new("status", State::Unknown, "the replication status was not asked for")];
        }
        Status::Hanging { after_seconds, states } => {
            let text =
                format!("the server did not answer the status statement within {}", span(*after_seconds));
            (states, text, run.states.state(Condition::Timeout))
        }
        Status::PiledUp { threads, oldest_seconds, states } => {
            let threads = count(usize::try_from(*threads).unwrap_or(usize::MAX), "status statement");
            let text =
                format!("{threads} of ours still hang for up to {}, no more is sent", span(*oldest_seconds));
            (states, text, State::Critical)
        }
    };
    let finding = match states.iter().find(|state| is_disk_full(state)) {
        Some(full) => {
            let text = format!("no room for relay logs: {}; {problem}", quote(full));
            Finding::new("disk_full", State::Critical, text).with_hint(advice::DISK_FULL)
        }
        None => Finding::new("status_hangs", state, problem).with_hint(advice::HANGING),
    };
    vec![finding]
}

/// There is nothing to judge: no channel at all, or none that is wanted.
fn judge_absence(replica: &Replica, wanted: &Wanted) -> Option<Finding> {
    if replica.channels.iter().any(|channel| !channel.is_of_group()) {
        let text = format!("none of {} is asked for", count(replica.channels.len(), "channel"));
        return Some(Finding::new("no_channel", State::Unknown, text));
    }
    if replica.cluster.is_some() {
        return None;
    }
    let text = "not a replica: the server has no replication channel";
    let finding = Finding::new("not_replica", wanted.not_replica, text);
    Some(if wanted.not_replica == State::Ok { finding } else { finding.with_hint(advice::NOT_REPLICA) })
}

/// The findings of all channels; the worst one says how many are concerned. Where all is
/// well, one for all.
fn sum_up(judged: &[Judged<'_>]) -> Vec<Finding> {
    let worst = judged.iter().map(Judged::state).max().unwrap_or(State::Unknown);
    let mut found = Vec::new();
    if worst == State::Ok {
        found.push(Finding::new("following", State::Ok, following(judged)));
    }
    let concerned = judged.iter().filter(|one| one.state() == worst).count();
    let is_plain = matches!(judged, [one] if one.channel.name.is_empty());
    let mut all: Vec<(&Channel, &Finding)> =
        judged.iter().flat_map(|one| one.findings.iter().map(|finding| (one.channel, finding))).collect();
    all.sort_by_key(|(_, finding)| std::cmp::Reverse(finding.state));
    for (place, (channel, finding)) in all.into_iter().enumerate() {
        let mut finding = finding.clone();
        if !is_plain {
            finding.text = format!("{}: {}", perfdata::label(channel), finding.text);
            finding.hint = finding.hint.map(|hint| for_channel(hint, channel));
        }
        if place == 0 && finding.state != State::Ok && judged.len() > 1 {
            let are = match worst {
                State::Critical => "broken",
                State::Unknown => "not known",
                State::Warning | State::Ok => "not well",
            };
            finding.text =
                format!("{concerned} of {} {are}: {}", count(judged.len(), "channel"), finding.text);
        }
        found.push(finding);
    }
    found
}

/// Without a name a statement means all channels to MySQL and the default one to MariaDB.
fn for_channel(hint: String, channel: &Channel) -> String {
    let has_statement =
        ["START REPLICA", "RESET REPLICA", "CHANGE REPLICATION"].iter().any(|it| hint.contains(it));
    if channel.name.is_empty() || !has_statement {
        return hint;
    }
    format!("{hint}; these statements end in FOR CHANNEL and its name")
}

fn following(judged: &[Judged<'_>]) -> String {
    let lags: Option<Vec<f64>> = judged.iter().map(|one| one.lag.seconds()).collect();
    let lag = match lags.and_then(|lags| lags.into_iter().reduce(f64::max)) {
        Some(lag) => format!("lag {}", span(lag)),
        None => "lag unknown".to_owned(),
    };
    match judged {
        [one] if one.channel.is_running() => {
            let delay = one.channel.delay_seconds.filter(|delay| *delay > 0.0);
            let design =
                delay.map(|delay| format!(", delayed {} by design", span(delay))).unwrap_or_default();
            format!("replica follows {}, {lag}{design}", one.channel.source())
        }
        all if all.iter().all(|one| one.channel.is_running()) => {
            format!("{} follow, {lag}", count(all.len(), "channel"))
        }
        all => {
            let standing = all.iter().filter(|one| !one.channel.is_running()).count();
            format!("{standing} of {} stopped as allowed, {lag}", count(all.len(), "channel"))
        }
    }
}

/// `--expect-channels` and `--expect-source`.
fn judge_expected(replica: &Replica, judged: &[Judged<'_>], wanted: &Wanted) -> Vec<Finding> {
    let mut found = Vec::new();
    if replica.channels_left_out > 0 {
        let text = format!("{} more were not looked at", count(replica.channels_left_out, "channel"));
        found.push(Finding::new("channels_left_out", State::Unknown, text));
    }
    if let Some(expected) = wanted.expect_channels.filter(|expected| *expected != judged.len()) {
        let text = format!("{} instead of the {expected} expected", count(judged.len(), "channel"));
        found.push(Finding::new("channels", State::Critical, text));
    }
    if wanted.expect_sources.is_empty() {
        return found;
    }
    let is = |channel: &Channel, (host, port): &(String, Option<u16>)| {
        let same_host = channel.source_host.as_deref().is_some_and(|found| found.eq_ignore_ascii_case(host));
        same_host && port.is_none_or(|port| channel.source_port == Some(port))
    };
    for one in judged {
        if !wanted.expect_sources.iter().any(|source| is(one.channel, source)) {
            let text = format!(
                "channel {} replicates from {}, which is not expected",
                perfdata::label(one.channel),
                one.channel.source()
            );
            found.push(Finding::new("source_differs", State::Critical, text));
        }
    }
    for source in &wanted.expect_sources {
        if !replica.channels.iter().any(|channel| is(channel, source)) {
            let port = source.1.map(|port| format!(":{port}")).unwrap_or_default();
            let text = format!("nothing replicates from the expected source {}{port}", source.0);
            found.push(Finding::new("source_differs", State::Critical, text));
        }
    }
    found
}

/// Background: who answered, and the whole of what workers and threads say.
fn describe(judged: &[Judged<'_>], replica: &Replica, report: &mut Report) {
    let server = &replica.server;
    if let Some(name) = &server.name {
        let id = server.server_id.map(|id| format!(", server_id {id}")).unwrap_or_default();
        report.context(1, format!("server {name}{id}"));
    }
    for one in judged {
        let (channel, label) = (one.channel, perfdata::label(one.channel));
        for (thread, state) in [("IO", &channel.io_state), ("SQL", &channel.sql_state)] {
            if let Some(state) = state {
                report.context(1, format!("channel {label}: {thread} thread: {}", quote(state)));
            }
        }
        let errors = channel.io_error.iter().chain(&channel.sql_error);
        for error in errors.chain(channel.worker_errors.iter().map(|worker| &worker.error)) {
            report.context(1, format!("channel {label}: errno {}: {}", error.number, error.text));
        }
        if let Some(seconds) = channel.upstream_seconds.filter(|seconds| *seconds >= 1.0) {
            let text = format!("the last transaction took {} from its origin to the source", span(seconds));
            report.context(1, format!("channel {label}: {text}"));
        }
    }
}

#[cfg(test)]
mod tests;
