//! What the scenario tests in `tests/tests` share: a plugin run whose bounds are always
//! asserted, and the fixture of a mail submission check.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::print_stderr,
    reason = "test support: a broken scenario stops the test, and many calls are made to assert only"
)]

pub mod advice;
pub mod arp;
pub mod base;
pub mod bench;
pub mod budget;
pub mod ciphers;
pub mod cluster;
pub mod icinga;
pub mod lists;
pub mod load;
pub mod mail;
pub mod mx;
pub mod mysql;
pub mod nagios;
pub mod package;
pub mod rbl;
pub mod rcpt;
pub mod rdns;
pub mod tables;
pub mod zabbix;

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use lab::arp::{Host, Rights};
use lab::output::{Parsed, State};
use lab::plugin::{Outcome, Plugin, Running};
use lab::process::prepared;

/// How late a plugin may be (contract section 4).
pub const LATE: Duration = Duration::from_millis(100);
/// What a loaded machine may need to start a process and to reap it.
const START: Duration = Duration::from_millis(300);
/// More than a debug build needs, much less than any attempt to hold what a peer floods.
pub const MEMORY_KIB: u64 = 16 * 1024;

/// What `-t` is when it is not given.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// A call of a plugin with a time limit that is asserted.
#[derive(Clone, Debug)]
pub struct Check {
    plugin: Plugin,
    timeout: Option<Duration>,
    memory_kib: u64,
}

impl Check {
    /// The built binary or example of this name, with its own default time limit.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { plugin: Plugin::new(name), timeout: None, memory_kib: MEMORY_KIB }
    }

    /// A copy of a plugin, with rights of its own.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self { plugin: Plugin::at(path), timeout: None, memory_kib: MEMORY_KIB }
    }

    /// The plugin built with the feature `native-tls`, told to use it; `None` in a run that
    /// says why it is left out.
    #[must_use]
    pub fn native(name: &str) -> Option<Self> {
        if std::env::var_os("VEDETTE_WITHOUT_NATIVE").is_some() {
            eprintln!("!! LEFT OUT: the native TLS back-end: libssl-dev is not installed");
            return None;
        }
        let plugin = Plugin::at(prepared("native").join(name)).args(["--tls-backend", "native"]);
        Some(Self { plugin, timeout: None, memory_kib: MEMORY_KIB })
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.plugin = self.plugin.arg(argument);
        self
    }

    /// Adds several arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.plugin = self.plugin.args(arguments);
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.plugin = self.plugin.env(name, value);
        self
    }

    /// Runs it inside this host of the lab's Ethernet, with these rights.
    #[must_use]
    pub fn inside(mut self, host: &Host, rights: Rights) -> Self {
        self.plugin = self.plugin.inside(host, rights);
        self
    }

    /// What the plugin reads from its standard input.
    #[must_use]
    pub fn stdin_bytes(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.plugin = self.plugin.stdin_bytes(bytes);
        self
    }

    /// Sets `-t`, which the run must keep; the last call counts.
    #[must_use]
    pub fn timeout(mut self, seconds: f64) -> Self {
        self.timeout = Some(Duration::from_secs_f64(seconds));
        self
    }

    /// Lets it have more memory than [`MEMORY_KIB`]: for runs that have a lot to remember.
    #[must_use]
    pub fn memory_kib(mut self, limit: u64) -> Self {
        self.memory_kib = limit;
        self
    }

    /// Starts it, for tests that run several at once or send signals.
    #[must_use]
    pub fn start(&self) -> Started {
        let plugin = match self.timeout {
            Some(limit) => self.plugin.clone().arg("-t").arg(limit.as_secs_f64().to_string()),
            None => self.plugin.clone(),
        };
        let timeout = self.timeout.unwrap_or(DEFAULT_TIMEOUT);
        Started { running: plugin.spawn(), timeout, memory_kib: self.memory_kib }
    }

    /// Runs it to the end without reading the output.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.start().outcome()
    }

    /// Runs it and asserts state, words in the first line's summary and all bounds.
    pub fn gives(&self, state: State, words: &[&str]) -> Run {
        self.start().gives(state, words)
    }
}

/// A check that runs.
#[derive(Debug)]
pub struct Started {
    /// The process.
    pub running: Running,
    timeout: Duration,
    memory_kib: u64,
}

impl Started {
    /// Waits for the end and asserts the bounds every run keeps.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        let outcome = self.running.wait();
        outcome.assert_quiet_stderr();
        let report = outcome.report();
        assert!(!outcome.timed_out && outcome.signal.is_none(), "did not end by itself\n{report}");
        assert!(outcome.elapsed <= self.timeout + LATE + START, "too late\n{report}");
        assert!(outcome.max_rss_kib <= self.memory_kib.max(own_peak_kib()), "too much memory\n{report}");
        outcome
    }

    /// Waits for the end; see [`Check::gives`].
    pub fn gives(self, state: State, words: &[&str]) -> Run {
        let limit = (self.timeout + LATE).as_secs_f64();
        let outcome = self.outcome();
        let parsed = outcome.parsed();
        let report = outcome.report();
        assert_eq!(parsed.state, state, "{report}");
        for word in words {
            assert!(parsed.summary.contains(word), "no {word:?} in the summary\n{report}");
        }
        if let Some(time) = parsed.value("time") {
            assert!(time <= limit, "its own time is over the limit\n{report}");
        }
        Run { outcome, parsed }
    }
}

/// Peak memory of the test process, which the kernel counts for a child as well until it
/// has become another program. Big only after a failed test has printed its backtrace.
fn own_peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has /proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// A finished run.
#[derive(Clone, Debug)]
pub struct Run {
    /// What an engine sees.
    pub outcome: Outcome,
    /// Its text output.
    pub parsed: Parsed,
}

impl Run {
    /// Asserts which perfdata items were measured and which are `U`, in this order and
    /// without others.
    pub fn perfdata(&self, wanted: &[(&str, Measured)]) -> &Self {
        let found: Vec<(&str, Measured)> = self
            .parsed
            .perfdata
            .iter()
            .map(|item| {
                (item.label.as_str(), if item.value.is_some() { Measured::Yes } else { Measured::No })
            })
            .collect();
        assert_eq!(found, wanted, "{}", self.outcome.report());
        self
    }

    /// Asserts that some line of the long output contains the text.
    pub fn long(&self, text: &str) -> &Self {
        assert!(
            self.parsed.long.iter().any(|line| line.contains(text)),
            "no {text:?} in the long output\n{}",
            self.outcome.report()
        );
        self
    }

    /// Asserts that the whole output does not contain the text.
    pub fn silent_about(&self, text: &str) -> &Self {
        assert!(!self.outcome.text().contains(text), "{text:?} shown\n{}", self.outcome.report());
        self
    }
}

/// Whether a perfdata item has a value or `U`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measured {
    /// A number.
    Yes,
    /// `U`.
    No,
}
