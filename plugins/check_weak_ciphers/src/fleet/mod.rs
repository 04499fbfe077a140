//! Many hosts in one run: each is scanned and judged as it would be alone, and then has one line.

mod lines;

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use common::net::tls::ChainJudge;
use common::net::{Deadline, Phase, ProbeError, Trouble};
use common::plugin::{Run, finding_of};
use common::report::{Finding, Metric, Report, State};
use serde::{Deserialize, Serialize};

use crate::CheckWeakCiphers;
use crate::judge::Counts;
use crate::probe::{before_judging, probe};
use crate::seen::Seen;
use common::plugin::Progress;

/// One host of a fleet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SeenHost {
    /// The line of the file that names it.
    pub(crate) line: String,
    pub(crate) outcome: HostOutcome,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HostOutcome {
    Seen(Seen),
    Failed(ProbeError),
}

pub(crate) const HOSTS: Metric = Metric::count("hosts", "hosts of --targets-file");
pub(crate) const HOSTS_OK: Metric = Metric::count("hosts_ok", "hosts that are OK");
pub(crate) const HOSTS_WARNING: Metric = Metric::count("hosts_warning", "hosts that are WARNING");
pub(crate) const HOSTS_CRITICAL: Metric = Metric::count("hosts_critical", "hosts that are CRITICAL");
pub(crate) const HOSTS_UNKNOWN: Metric = Metric::count("hosts_unknown", "hosts that are UNKNOWN");

/// Bytes of a file with hosts.
const MAX_BYTES: u64 = 1 << 20;

/// Scans all hosts of the file, so many at a time.
pub(crate) fn scan(
    options: &CheckWeakCiphers,
    file: &Path,
    judge: Option<&ChainJudge>,
    deadline: &Deadline,
) -> Result<Vec<SeenHost>, ProbeError> {
    let text = read(file)?;
    let lines = lines::read(&text)
        .map_err(|bad| ProbeError::local(format!("cannot read {}: {bad}", file.display())))?;
    for line in &lines {
        let unfit = |error| ProbeError::local(format!("cannot read {}: {line}: {error}", file.display()));
        options.aimed_at(line).target.check().map_err(unfit)?;
    }
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, SeenHost)>> = Mutex::new(Vec::with_capacity(lines.len()));
    let progress = Progress::new(file.display().to_string(), true);
    let work = || {
        while let Some((at, line)) = take(&next, &lines) {
            let outcome = probe_host(&options.aimed_at(line), judge, deadline);
            let seen = SeenHost { line: line.to_string(), outcome };
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            done.push((at, seen));
            progress.show(|| format!("{} of {} hosts", done.len(), lines.len()));
        }
    };
    thread::scope(|scope| {
        for _ in 1..usize::from(options.scan.max_hosts).min(lines.len()) {
            // One thread less is only slower: this one takes hosts as well.
            let _ = thread::Builder::new().name("host".into()).spawn_scoped(scope, work);
        }
        work();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    Ok(done.into_iter().map(|(_, seen)| seen).collect())
}

fn read(file: &Path) -> Result<String, ProbeError> {
    let failed = |why: String| ProbeError::local(format!("cannot read {}: {why}", file.display()));
    let mut bytes = Vec::new();
    let opened = File::open(file).map_err(|error| failed(error.to_string()))?;
    opened.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| failed(error.to_string()))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(failed(format!("more than {MAX_BYTES} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| failed("it is not UTF-8".to_owned()))
}

fn take<'a, T>(next: &AtomicUsize, all: &'a [T]) -> Option<(usize, &'a T)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    Some((at, all.get(at)?))
}

fn probe_host(aimed: &CheckWeakCiphers, judge: Option<&ChainJudge>, deadline: &Deadline) -> HostOutcome {
    if before_judging(deadline).left().is_zero() {
        let text = format!("{}: no time was left for this host", aimed.aim());
        return HostOutcome::Failed(ProbeError::new(Trouble::Timeout, Phase::Starting, text));
    }
    match probe(aimed, judge, deadline) {
        Ok(seen) => HostOutcome::Seen(seen),
        Err(error) => HostOutcome::Failed(error),
    }
}

impl SeenHost {
    /// The options as they are for this host.
    pub(crate) fn options(&self, options: &CheckWeakCiphers) -> CheckWeakCiphers {
        // It was read from a line that was understood.
        lines::read(&self.line)
            .ok()
            .and_then(|lines| Some(options.aimed_at(lines.first()?)))
            .unwrap_or_else(|| options.clone())
    }
}

pub(crate) use lines::Line;

/// Judges all of them: a line for each, the worst first, and a sentence over all.
pub(crate) fn evaluate(options: &CheckWeakCiphers, hosts: &[SeenHost], run: &Run) -> Report {
    let mut judged = Vec::with_capacity(hosts.len());
    let mut sums = Some(Counts::default());
    for host in hosts {
        let aimed = host.options(options);
        let (report, counts) = match &host.outcome {
            HostOutcome::Seen(seen) => aimed.judge(seen, run),
            HostOutcome::Failed(error) => {
                let mut report = Report::new();
                report.add(finding_of(error, &run.states));
                (report, None)
            }
        };
        sums = sums.zip(counts).map(|(one, other)| one + other);
        judged.push((aimed.aim(), report));
    }
    let mut report = Report::new();
    let count = |state: State| judged.iter().filter(|(_, report)| report.state() == state).count();
    report.add(summary(judged.len(), count));
    let mut sorted: Vec<&(String, Report)> = judged.iter().collect();
    sorted.sort_by_key(|(_, alone)| std::cmp::Reverse(alone.state()));
    for (aim, alone) in sorted {
        report.context(0, line(aim, alone));
        for finding in alone.findings().into_iter().skip(1).filter(|finding| finding.state > State::Ok) {
            report.context(1, format!("{}: {}", finding.state, finding.text));
        }
    }
    let figure = |count: usize| u32::try_from(count).ok().map(f64::from);
    report.record(&HOSTS, figure(judged.len()));
    for (metric, state) in [
        (&HOSTS_OK, State::Ok),
        (&HOSTS_WARNING, State::Warning),
        (&HOSTS_CRITICAL, State::Critical),
        (&HOSTS_UNKNOWN, State::Unknown),
    ] {
        report.record(metric, figure(count(state)));
    }
    report.record(&crate::BROKEN, sums.and_then(|sums| figure(sums.broken)));
    report.record(&crate::WEAK, sums.and_then(|sums| figure(sums.weak)));
    report.record(&crate::POLICY, sums.and_then(|sums| figure(sums.policy)));
    let ports = hosts.iter().flat_map(|host| match &host.outcome {
        HostOutcome::Seen(seen) => seen.ports.as_slice(),
        HostOutcome::Failed(_) => &[],
    });
    report.record(&crate::CONNECTIONS, Some(ports.map(|port| f64::from(port.connections)).sum()));
    report
}

/// `2 of 40 hosts are CRITICAL, 1 UNKNOWN, 37 OK`.
fn summary(all: usize, count: impl Fn(State) -> usize) -> Finding {
    let states = [State::Critical, State::Unknown, State::Warning, State::Ok];
    let counts: Vec<(State, usize)> =
        states.into_iter().map(|state| (state, count(state))).filter(|(_, count)| *count > 0).collect();
    let worst = counts.first().map_or(State::Unknown, |(state, _)| *state);
    let words: Vec<String> = counts.iter().map(|(state, count)| format!("{count} {state}")).collect();
    Finding::new("fleet", worst, format!("of {all} hosts {}", words.join(", ")))
}

/// What a host has to say in one line.
fn line(aim: &str, alone: &Report) -> String {
    let findings = alone.findings();
    let text = findings.first().map_or("nothing was checked", |finding| finding.text.as_str());
    let aim = if text.starts_with(aim) { String::new() } else { format!("{aim}: ") };
    let more = match findings.iter().skip(1).filter(|finding| finding.state > State::Ok).count() {
        0 => String::new(),
        more => format!(" (+{more} more)"),
    };
    format!("{}: {aim}{text}{more}", alone.state())
}
