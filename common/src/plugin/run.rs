//! The one path through a run.

use std::ffi::OsString;
use std::mem::ManuallyDrop;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use clap::Command;
use serde_json::{Value, json};

use super::exit;
use super::files::write_atomically;
use super::watchdog;
use super::{Ended, Plugin, Run, TIME};
use crate::cli::{Parsed, RunArgs, UsageError, parse};
use crate::net::{Deadline, ProbeError, Trouble, cause};
use crate::report::{
    Condition, Document, Finding, Format, Report, State, StateTable, Thresholds, clean, render,
};

/// A plugin's `main`: reads the arguments, runs the check, prints, exits.
pub fn main<P: Plugin>() -> ! {
    let started = Instant::now();
    exit::install(P::NAME);
    let arguments: Vec<OsString> = std::env::args_os().collect();
    // Never dropped: the process ends by _exit, and taking it apart costs as much as a look-up.
    let mut command = ManuallyDrop::new(command::<P>());
    match parse::<P>(&mut command, arguments, with_tables::<P>) {
        Ok(Parsed::Show(text)) => exit::finish(text.as_bytes(), State::Unknown.exit_code()),
        Ok(Parsed::Run(plugin)) => match usage_rules(&plugin) {
            Ok(()) => run(&plugin, started),
            Err(error) => usage(&error),
        },
        Err(error) => usage(&error),
    }
}

/// A fixed usage line, or clap puts one together from all options for each error.
fn command<P: Plugin>() -> Command {
    P::command().override_usage(format!("{} [OPTIONS]", P::NAME))
}

/// The command with what only the plugin knows of the common options, for help and manual.
#[must_use]
pub fn with_defaults<P: Plugin>(command: Command) -> Command {
    // Not mut_arg, which would put the option behind all others.
    command.mut_args(|arg| {
        if arg.get_id() != "timeout" {
            return arg;
        }
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        arg.help(format!("{help} [default: {}]", P::DEFAULT_TIMEOUT.as_secs_f64()))
    })
}

/// States and examples, behind the options of the help and nowhere else.
fn with_tables<P: Plugin>(command: Command) -> Command {
    let states: String =
        P::STATES.iter().map(|(state, when)| format!("  {:<9} {when}\n", state.name())).collect();
    let examples: String =
        P::EXAMPLES.iter().map(|(line, what)| format!("  {what}:\n    {line}\n")).collect();
    with_defaults::<P>(command).after_help(format!("States:\n{states}\nExamples:\n{examples}"))
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
    let deadline =
        Deadline::new(started, args.timeout.map_or_else(|| plugin.default_timeout(), |seconds| seconds.0));
    exit::attend(deadline.clone());
    P::MOST_MEMORY.into_iter().for_each(exit::limit_memory);
    let printer = Printer {
        plugin: P::NAME,
        target: plugin.target(),
        args: args.clone(),
        time: plugin.time_thresholds(),
        timeout: states.state(Condition::Timeout),
    };
    let seen = watchdog::start(deadline.clone(), printer.clone()).and_then(|()| plugin.probe(&deadline));
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
    debug_assert!(undeclared::<P>(&report).is_none(), "undeclared metric {:?}", undeclared::<P>(&report));

    if let Some(path) = &args.dump_observation {
        let observation = described(&seen, |seen| serde_json::to_value(seen).unwrap_or_default());
        let dump = json!({
            "version": 1, "plugin": P::NAME, "taken_at": run.taken_at, "time": elapsed, "data": observation,
        });
        if let Err(error) = write_atomically(path, format!("{dump:#}\n").as_bytes(), 0o600) {
            report.add(unwritten("--dump-observation", path, &error));
        }
    }
    let file = plugin.document_file();
    let is_wanted = file.is_some() || Format::from(args.output) == Format::Json;
    let document = is_wanted.then(|| described(&seen, |seen| plugin.document(seen, &run)));
    if let (Some(path), Some(document)) = (file, &document)
        && let Err(error) = write_atomically(path, format!("{document:#}\n").as_bytes(), 0o644)
    {
        report.add(unwritten("--json", path, &error));
    }
    if let Some(path) = plugin.page_file() {
        let state = args.mapped(report.state());
        let page = plugin.page(&Ended { seen: seen.as_ref(), report: &report, state, run: &run });
        if let Err(error) = write_atomically(path, page.as_bytes(), 0o644) {
            report.add(unwritten("--html", path, &error));
        }
    }
    printer.finish(report, elapsed, document.as_ref())
}

/// Puts a report into the forms the options ask for, and ends the process with it.
#[derive(Clone, Debug)]
pub(super) struct Printer {
    plugin: &'static str,
    target: String,
    args: RunArgs,
    /// Thresholds on the time of the run.
    time: Thresholds,
    /// State of a timeout.
    pub(super) timeout: State,
}

impl Printer {
    /// Adds the time, renders, writes the file of `--output-file`, prints, exits.
    pub(super) fn finish(&self, mut report: Report, elapsed: f64, observation: Option<&Value>) -> ! {
        report.measure_first(&TIME, Some(elapsed), self.time);
        let form = Format::from(self.args.output);
        let output = match &self.args.output_file {
            None => self.rendered(&report, form, observation),
            Some(path) => {
                let content = self.rendered(&report, form, observation);
                // Readable for the exporter that collects such files.
                if let Err(error) = write_atomically(path, content.as_bytes(), 0o644) {
                    report.add(unwritten("--output-file", path, &error));
                }
                self.rendered(&report, Format::Text, observation)
            }
        };
        let code = if self.args.exit_ok { 0 } else { self.args.mapped(report.state()).exit_code() };
        exit::finish(output.as_bytes(), code)
    }

    fn rendered(&self, report: &Report, form: Format, observation: Option<&Value>) -> String {
        let document = Document {
            plugin: self.plugin,
            target: &self.target,
            state: self.args.mapped(report.state()),
            report,
            observation: observation.cloned(),
            verbosity: self.args.verbose,
            max_output: self.args.max_output,
        };
        render(&document, form)
    }
}

/// What a probe brought, or why it brought nothing.
fn described<S>(seen: &Result<S, ProbeError>, to_value: impl FnOnce(&S) -> Value) -> Value {
    match seen {
        Ok(seen) => to_value(seen),
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
        Trouble::Denied => ("denied", Condition::Credential),
        Trouble::Incomplete => ("incomplete", Condition::Incomplete),
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
