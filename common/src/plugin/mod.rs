//! Runs a check from argv to exit code. The only place of the suite that prints or exits.
//!
//! ```text
//! argv -> options (P: Plugin) -> probe: all I/O -> observation -> evaluate: pure -> Report
//!                                                              -> render, one write, exit
//! ```

mod exit;
mod files;
#[cfg(feature = "tls")]
mod judge;
#[cfg(feature = "smtp")]
mod judge_smtp;
mod progress;
mod run;
mod state;
mod sys;
mod watchdog;

use std::path::Path;
use std::time::Duration;

use clap::Parser;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cli::{RunArgs, UsageError};
use crate::net::{Deadline, ProbeError};
use crate::report::{Condition, Metric, Report, State, StateTable, Thresholds};

#[cfg(feature = "tls")]
pub use judge::{CERT_DAYS, judge_certificate};
#[cfg(feature = "smtp")]
pub use judge_smtp::{describe_opening, judge_opening, judge_opening_of, judge_stop};
pub use progress::Progress;
pub use run::{finding_of, main, with_defaults};
pub use state::{Remembered, StateError, StateFile, state_folder};
pub use sys::{Room, is_locked_by_another, room};

/// A check.
///
/// The type holds the options as clap reads them; its doc comment is the one-line
/// description in help, manual and packages.
pub trait Plugin: Parser {
    /// Program name, `check_<noun>`.
    const NAME: &'static str;
    /// What it measures, besides `time`, which every plugin reports.
    const METRICS: &'static [Metric];
    /// The conditions and their states, for help and manual: one short phrase each.
    const STATES: &'static [(State, &'static str)];
    /// Command lines to copy, each with what it does.
    const EXAMPLES: &'static [(&'static str, &'static str)];
    /// Where this plugin differs from [`Condition::TABLE`].
    const CONDITIONS: &'static [(Condition, State)] = &[];
    /// Time limit when `--timeout` is not given.
    const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
    /// Most bytes of memory the process may have, for plugins whose peer could make a library
    /// of others hold more.
    const MOST_MEMORY: Option<u64> = None;

    /// What the probe saw: plain data without secrets, enough to judge by.
    type Seen: Serialize + DeserializeOwned;

    /// The options of the run.
    fn run_args(&self) -> &RunArgs;

    /// What is checked, for labels: `host:port`, a domain, a name.
    fn target(&self) -> String;

    /// Rules between options that clap cannot express.
    fn check_options(&self) -> Result<(), UsageError> {
        Ok(())
    }

    /// Thresholds on the time of the whole run.
    fn time_thresholds(&self) -> Thresholds {
        Thresholds::default()
    }

    /// Time limit of this run when `--timeout` is not given, where an option moves it.
    fn default_timeout(&self) -> Duration {
        Self::DEFAULT_TIMEOUT
    }

    /// State of a temporary refusal, if an option sets it.
    fn temporary_state(&self) -> Option<State> {
        None
    }

    /// All I/O, no judgement. An error says that there is no observation at all.
    fn probe(&self, deadline: &Deadline) -> Result<Self::Seen, ProbeError>;

    /// Judges an observation: no I/O, no clock, no environment, so that it can be
    /// repeated on a saved one.
    fn evaluate(&self, seen: &Self::Seen, run: &Run) -> Report;

    /// What `data` holds in `--output json`: the observation, unless a plugin has something
    /// that is more to its readers.
    fn document(&self, seen: &Self::Seen, _run: &Run) -> Value {
        serde_json::to_value(seen).unwrap_or_default()
    }

    /// A file to write the document to as well.
    fn document_file(&self) -> Option<&Path> {
        None
    }

    /// A file to write [`Plugin::page`] to.
    fn page_file(&self) -> Option<&Path> {
        None
    }

    /// A report for people, whole and in whatever form they read.
    fn page(&self, _ended: &Ended<'_, Self::Seen>) -> String {
        String::new()
    }

    /// The states of all conditions in this run.
    fn states(&self) -> StateTable {
        self.common_states()
    }

    /// The same as far as the options that every plugin has decide them.
    fn common_states(&self) -> StateTable {
        let mut states = StateTable::new(Self::CONDITIONS);
        if let Some(state) = self.run_args().timeout_state {
            states.set(Condition::Timeout, state);
        }
        if let Some(state) = self.temporary_state() {
            states.set(Condition::Temporary, state);
        }
        states
    }
}

/// What an evaluation may know about the run besides the observation.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// When the observation was made, Unix time in seconds.
    pub taken_at: i64,
    /// The states of this run.
    pub states: StateTable,
}

/// A run that has come to its end, for those who report on it.
#[derive(Clone, Copy, Debug)]
pub struct Ended<'a, S> {
    /// What the probe saw, or why it saw nothing.
    pub seen: Result<&'a S, &'a ProbeError>,
    /// How that was judged.
    pub report: &'a Report,
    /// The state that is printed, by `--map-state`.
    pub state: State,
    /// What the evaluation knew besides.
    pub run: &'a Run,
}

/// Seconds of the whole run; every plugin reports it.
pub const TIME: Metric = Metric::seconds("time", "whole run");
