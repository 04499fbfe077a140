//! A plugin against the one it replaces, and against its own goals: whole processes,
//! interleaved, medians and their ratio. For the programs in `tests/bench`.
#![allow(clippy::print_stdout, reason = "for people")]

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use lab::cost::{Candidate, Cost, interleaved, median_ms};
use lab::relay::Relay;

/// Up to this part of a ratio passes as noise.
const NOISE: f64 = 1.05;

/// One comparison.
#[derive(Debug)]
pub struct Case<'a> {
    /// What is compared.
    pub name: &'a str,
    /// Ours and the exit code it must have.
    pub ours: (Candidate, i32),
    /// Theirs, where there is something to compare with.
    pub theirs: Option<(Candidate, i32)>,
    /// Runs of each.
    pub runs: usize,
    /// What has to come out.
    pub goals: &'a [Goal<'a>],
}

/// Something measured, and what it may be at most.
#[derive(Clone, Copy, Debug)]
pub enum Goal<'a> {
    /// Median of the wall time, as a part of theirs.
    WallRatio(f64),
    /// Median of the CPU time, as a part of theirs.
    CpuRatio(f64),
    /// Median of the wall time.
    Wall(Duration),
    /// Median of the CPU time.
    Cpu(Duration),
    /// Peak of the resident set in KiB.
    Memory(u64),
    /// System calls; without a limit they are only shown.
    SystemCalls(Option<u64>),
    /// Connections through this relay.
    Connections(&'a Relay, u64),
    /// Connections through this relay, as a part of theirs.
    ConnectionsRatio(&'a Relay, f64),
}

/// Number of runs from the environment, or this.
#[must_use]
pub fn runs(default: usize) -> usize {
    std::env::var("BENCH_RUNS").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Whether the environment asks for this case: all are, unless `BENCH_ONLY` says a part of their names.
#[must_use]
pub fn is_wanted(name: &str) -> bool {
    std::env::var("BENCH_ONLY").map_or(true, |part| name.contains(&part))
}

/// Measures all cases and prints a table for each.
#[must_use]
pub fn measure(cases: &[Case<'_>]) -> ExitCode {
    let kept = cases.iter().filter(|case| case.measure()).count();
    println!("{kept} of {} cases within their goals", cases.len());
    if kept == cases.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Case<'_> {
    /// Measures, prints a table, and says whether all goals are kept. True for a case that is not wanted.
    #[must_use]
    pub fn measure(&self) -> bool {
        if !is_wanted(self.name) {
            return true;
        }
        println!("\n{}; {} runs each", self.name, self.runs);
        println!("  {:<14}{:>12}{:>12}{:>8}   goal", "", "ours", "theirs", "ratio");
        let (ours, theirs) = match &self.theirs {
            Some((theirs, _)) => interleaved(&self.ours.0, theirs, self.runs),
            None => ((0..self.runs).map(|_| self.ours.0.run()).collect(), Vec::new()),
        };
        let ended = |who: &str, costs: &[Cost], code: i32| {
            let odd = costs.iter().find(|cost| cost.code != Some(code));
            if let Some(odd) = odd {
                println!("  {who} ended with {:?} instead of {code}", odd.code);
            }
            odd.is_none()
        };
        let good = ended("ours", &ours, self.ours.1);
        let theirs_good = self.theirs.as_ref().is_none_or(|(_, code)| ended("theirs", &theirs, *code));
        // All rows, whatever the first one says.
        let kept = self.goals.iter().filter(|goal| self.keeps(**goal, &ours, &theirs)).count();
        good && theirs_good && kept == self.goals.len()
    }

    fn keeps(&self, goal: Goal<'_>, ours: &[Cost], theirs: &[Cost]) -> bool {
        let median = |costs: &[Cost], of: fn(&Cost) -> Duration| median_ms(costs.iter().map(of));
        let both = |of: fn(&Cost) -> Duration| (median(ours, of), median(theirs, of));
        let (name, (a, b), unit, limit) = match goal {
            Goal::WallRatio(ratio) => ("wall", both(|cost| cost.wall), "ms", Limit::Ratio(ratio)),
            Goal::CpuRatio(ratio) => ("CPU", both(|cost| cost.cpu), "ms", Limit::Ratio(ratio)),
            Goal::Wall(most) => {
                ("wall", both(|cost| cost.wall), "ms", Limit::Value(most.as_secs_f64() * 1000.0))
            }
            Goal::Cpu(most) => {
                ("CPU", both(|cost| cost.cpu), "ms", Limit::Value(most.as_secs_f64() * 1000.0))
            }
            Goal::Memory(most) => {
                ("peak RSS", self.count(Candidate::peak_rss_kib), "KiB", Limit::Value(number(most)))
            }
            Goal::SystemCalls(most) => {
                let limit = most.map_or(Limit::None, |most| Limit::Value(number(most)));
                ("system calls", self.count(Candidate::system_calls), "", limit)
            }
            Goal::Connections(relay, most) => {
                ("connections", self.count(|one| connections(one, relay)), "", Limit::Value(number(most)))
            }
            Goal::ConnectionsRatio(relay, ratio) => {
                ("connections", self.count(|one| connections(one, relay)), "", Limit::CountRatio(ratio))
            }
        };
        let digits = if unit == "ms" { 2 } else { 0 };
        let shown = |value: f64| {
            if value.is_nan() {
                "-".to_owned()
            } else {
                format!("{value:.digits$} {unit}").trim_end().to_owned()
            }
        };
        let ratio = if b.is_nan() { "-".to_owned() } else { format!("{:.2}", a / b) };
        let (goal, kept) = match limit {
            Limit::None => (String::new(), true),
            Limit::Value(most) => (format!("at most {}", shown(most)), a <= most),
            Limit::Ratio(most) => (format!("ratio at most {most}"), a / b <= most * NOISE),
            Limit::CountRatio(most) => (format!("ratio at most {most}"), a / b <= most),
        };
        let missed = if kept { "" } else { "   MISSED" };
        println!("  {name:<14}{:>12}{:>12}{ratio:>8}   {goal}{missed}", shown(a), shown(b));
        kept
    }

    fn count(&self, of: impl Fn(&Candidate) -> u64) -> (f64, f64) {
        let theirs = self.theirs.as_ref().map_or(f64::NAN, |(theirs, _)| number(of(theirs)));
        (number(of(&self.ours.0)), theirs)
    }
}

enum Limit {
    None,
    /// Of times, which are never quite the same.
    Ratio(f64),
    CountRatio(f64),
    Value(f64),
}

/// Connections of one run.
fn connections(candidate: &Candidate, relay: &Relay) -> u64 {
    let before = relay.connections();
    let _ = candidate.run();
    // The last ones may wait to be accepted.
    thread::sleep(Duration::from_millis(200));
    (relay.connections() - before) as u64
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn number(count: u64) -> f64 {
    count as f64
}
