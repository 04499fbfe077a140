//! The one path through a run.

use std::ffi::OsString;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use clap::Command;
use serde_json::{Value, json};

use super::exit;
use super::files::write_atomically;
use super::watchdog::{self, Verdict};
use super::{Plugin, Run, TIME};
use crate::cli::{Parsed, UsageError, parse};
use crate::net::{Deadline, ProbeError, Trouble, cause};
use crate::report::{Condition, Document, Finding, Format, Report, State, StateTable, clean, render};

/// A plugin's `main`: reads the arguments, runs the check, prints, exits.
pub fn main<P: Plugin>() -> ! {
    let started = Instant::now();
    exit::install(P::NAME);
    let arguments: Vec<OsString> = std::env::args_os().collect();
    match parse::<P>(command::<P>(), arguments) {
        Ok(Parsed::Show(text)) => exit::finish(text.as_bytes(), State::Unknown.exit_code()),
        Ok(Parsed::Run(plugin)) => match usage_rules(&plugin) {
            Ok(()) => run(&plugin, started),
            Err(error) => usage(&error),
        },
        Err(error) => usage(&error),
    }
}

/// The plugin's command line with its states and examples behind the options.
fn command<P: Plugin>() -> Command {
    let states: String =
        P::STATES.iter().map(|(state, when)| format!("  {:<9} {when}\n", state.name())).collect();
    let examples: String =
        P::EXAMPLES.iter().map(|(line, what)| format!("  {what}:\n    {line}\n")).collect();
    // A fixed usage line, or clap puts one together from all options for each error.
    P::command()
        .override_usage(format!("{} [OPTIONS]", P::NAME))
        .after_help(format!("States:\n{states}\nExamples:\n{examples}"))
}

fn usage_rules<P: Plugin>(plugin: &P) -> Result<(), UsageError> {
    if let Some(text) = plugin.time_thresholds().contradiction() {
        return Err(UsageError::new("--warning", text));
    }
    plugin.check_options()
}

fn usage(error: &UsageError) -> ! {
    let mut text = format!("{} UNKNOWN: {}\n", exit::label(), clean(&error.to_string()));
    if let Some(hint) = &error.hint {
        text.push_str(&format!("hint: {}\n", clean(hint)));
    }
    exit::finish(text.as_bytes(), State::Unknown.exit_code())
}

fn run<P: Plugin>(plugin: &P, started: Instant) -> ! {
    let args = plugin.run_args();
    let states = plugin.states();
    let deadline = Deadline::new(started, args.timeout.map_or(P::DEFAULT_TIMEOUT, |seconds| seconds.0));
    let verdict = Verdict {
        timeout: args.mapped(states.state(Condition::Timeout)),
        stopped: args.mapped(State::Unknown),
        exit_ok: args.exit_ok,
    };
    let seen = watchdog::start(deadline.clone(), verdict).and_then(|()| plugin.probe(&deadline));
    let elapsed = deadline.elapsed().as_secs_f64();

    let run = Run { taken_at: unix_time(), states };
    let mut report = match &seen {
        Ok(seen) => plugin.evaluate(seen, &run),
        Err(error) => {
            let mut report = Report::new();
            report.add(finding_of(error, &run.states));
            report
        }
    };
    report.measure_first(&TIME, Some(elapsed), plugin.time_thresholds());
    debug_assert!(undeclared::<P>(&report).is_none(), "undeclared metric {:?}", undeclared::<P>(&report));

    let observation = wants_observation(plugin).then(|| observation(&seen));
    if let (Some(path), Some(observation)) = (&args.dump_observation, &observation) {
        let dump = json!({
            "version": 1, "plugin": P::NAME, "taken_at": run.taken_at, "time": elapsed, "data": observation,
        });
        if let Err(error) = write_atomically(path, format!("{dump:#}\n").as_bytes(), 0o600) {
            report.add(unwritten("--dump-observation", path, &error));
        }
    }
    emit(plugin, report, observation.as_ref())
}

/// Renders, writes the file of `--output-file`, prints, exits.
fn emit<P: Plugin>(plugin: &P, mut report: Report, observation: Option<&Value>) -> ! {
    let args = plugin.run_args();
    let target = plugin.target();
    let rendered = |report: &Report, format: Format| {
        let document = Document {
            plugin: P::NAME,
            target: &target,
            state: args.mapped(report.state()),
            report,
            observation: observation.cloned(),
            verbosity: args.verbose,
            max_output: args.max_output,
        };
        render(&document, format)
    };
    let output = match &args.output_file {
        None => rendered(&report, args.output.into()),
        Some(path) => {
            let content = rendered(&report, args.output.into());
            // Readable for the exporter that collects such files.
            if let Err(error) = write_atomically(path, content.as_bytes(), 0o644) {
                report.add(unwritten("--output-file", path, &error));
            }
            rendered(&report, Format::Text)
        }
    };
    let code = if args.exit_ok { 0 } else { args.mapped(report.state()).exit_code() };
    exit::finish(output.as_bytes(), code)
}

fn wants_observation<P: Plugin>(plugin: &P) -> bool {
    let args = plugin.run_args();
    args.dump_observation.is_some() || Format::from(args.output) == Format::Json
}

fn observation<S: serde::Serialize>(seen: &Result<S, ProbeError>) -> Value {
    match seen {
        Ok(seen) => serde_json::to_value(seen).unwrap_or(Value::Null),
        Err(error) => json!({ "error": error }),
    }
}

fn unwritten(option: &str, path: &std::path::Path, error: &std::io::Error) -> Finding {
    let text = format!("{option}: cannot write {}: {}", path.display(), cause(error));
    Finding::new("unwritten_file", State::Unknown, text)
}

/// A failed probe as a finding, its state by the table of this run.
#[must_use]
pub fn finding_of(error: &ProbeError, states: &StateTable) -> Finding {
    let (id, condition) = match error.trouble {
        Trouble::Local => ("local", Condition::Usage),
        Trouble::Unresolved => ("unresolved", Condition::Unresolved),
        Trouble::Unreachable => ("unreachable", Condition::Unreachable),
        Trouble::Timeout => ("timeout", Condition::Timeout),
        Trouble::Tls => ("tls", Condition::Certificate),
        Trouble::Protocol => ("protocol", Condition::Protocol),
        Trouble::Temporary => ("temporary", Condition::Temporary),
        Trouble::Internal => ("internal", Condition::Internal),
    };
    let mut finding = Finding::new(id, states.state(condition), error.text.clone());
    finding.hint.clone_from(&error.hint);
    finding
}

/// A metric that the plugin reports but does not declare: documentation and engine
/// templates would not know it.
fn undeclared<P: Plugin>(report: &Report) -> Option<String> {
    let declared = |label: &str| {
        label == TIME.label
            || P::METRICS.iter().any(|metric| {
                let fixed = metric.label.rsplit_once('>').map_or(metric.label, |(_, end)| end);
                if metric.label.contains('<') { label.ends_with(fixed) } else { label == metric.label }
            })
    };
    report.metrics().iter().map(|metric| metric.label.clone()).find(|label| !declared(label))
}

fn unix_time() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
