//! What a whole process costs, measured from outside: for the benches and the budgets.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::arp::{Host, Rights};
use crate::sys;

/// The cost of one run.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// From the call that starts it to its end.
    pub wall: Duration,
    /// User and kernel mode.
    pub cpu: Duration,
    /// Exit code.
    pub code: Option<i32>,
}

/// A command line to measure. Its output goes nowhere, its environment is empty but for what it is given.
#[derive(Clone, Debug)]
pub struct Candidate {
    program: std::path::PathBuf,
    arguments: Vec<std::ffi::OsString>,
    environment: Vec<(String, std::ffi::OsString)>,
    inside: Option<Host>,
}

impl Candidate {
    /// A program with its arguments.
    pub fn new<A: AsRef<OsStr>>(program: impl AsRef<Path>, arguments: impl IntoIterator<Item = A>) -> Self {
        let arguments = arguments.into_iter().map(|one| one.as_ref().to_owned()).collect();
        let program = program.as_ref().to_owned();
        Self { program, arguments, environment: Vec::new(), inside: None }
    }

    /// The same with this variable in its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// The same inside this host of the lab's Ethernet, as root there.
    #[must_use]
    pub fn inside(mut self, host: &Host) -> Self {
        self.inside = Some(host.clone());
        self
    }

    /// Puts a command where this one belongs, with its environment.
    fn place(&self, command: &mut Command) {
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some(host) = &self.inside {
            host.enter(command, Rights::Root);
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env_clear();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.place(&mut command);
        command
    }

    /// Runs it once.
    #[must_use]
    #[expect(clippy::zombie_processes, reason = "sys::reap waits for it, with its resource usage")]
    pub fn run(&self) -> Cost {
        let started = Instant::now();
        let child =
            self.command().spawn().unwrap_or_else(|error| panic!("{}: {error}", self.program.display()));
        sys::wait_exit(child.id()).expect("a child of ours");
        let wall = started.elapsed();
        let exit = sys::reap(child.id()).expect("a child of ours");
        Cost { wall, cpu: exit.user_sys, code: exit.code }
    }

    /// Peak resident set of one run in KiB, by time(1): a child of ours would be booked with
    /// the pages that this process has at the moment.
    #[must_use]
    pub fn peak_rss_kib(&self) -> u64 {
        let mut command = Command::new("time");
        command.args(["-f", "%M"]).arg(&self.program).args(&self.arguments);
        command.env_clear().env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
        self.place(&mut command);
        let output = command.output().expect("time is installed: tests/run installs it");
        let text = String::from_utf8_lossy(&output.stderr);
        let peak = text.lines().last().and_then(|line| line.parse().ok());
        peak.unwrap_or_else(|| panic!("no number in {text:?}"))
    }

    /// System calls of one run, all threads, by strace.
    #[must_use]
    pub fn system_calls(&self) -> u64 {
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-o", "/dev/stdout", "-e", "signal=none"]).arg(&self.program);
        command.args(&self.arguments).env_clear().env("PATH", "/usr/bin:/bin");
        self.place(&mut command);
        let output = command.output().expect("strace is installed: tests/run installs it");
        // One line a call; one that was interrupted by another thread's takes two.
        let lines = output.stdout.split(|byte| *byte == b'\n');
        let calls = lines.filter(|line| {
            let text = String::from_utf8_lossy(line);
            text.contains('(') && !text.contains("resumed>")
        });
        calls.count() as u64
    }

    /// Instructions of one run, by callgrind.
    #[must_use]
    pub fn instructions(&self) -> u64 {
        let mut command = Command::new("valgrind");
        command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(&self.program);
        // Variables cost the dynamic loader instructions; no two shells have the same.
        command.args(&self.arguments).env_clear().env("PATH", "/usr/bin:/bin");
        self.place(&mut command);
        let output = command.output().expect("valgrind is installed: tests/run installs it");
        let text = String::from_utf8_lossy(&output.stderr);
        let collected = text.split("Collected : ").nth(1).and_then(|rest| rest.split_whitespace().next());
        collected.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no count in {text}"))
    }
}

/// Runs two commands in turn, one round to warm up first, and returns the costs of both.
/// Interleaved, so that a machine that changes its speed changes it for both.
#[must_use]
pub fn interleaved(ours: &Candidate, theirs: &Candidate, runs: usize) -> (Vec<Cost>, Vec<Cost>) {
    let _ = (ours.run(), theirs.run());
    (0..runs).map(|_| (ours.run(), theirs.run())).unzip()
}

/// The median of some durations, in milliseconds.
#[must_use]
pub fn median_ms(durations: impl Iterator<Item = Duration>) -> f64 {
    let mut sorted: Vec<Duration> = durations.collect();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).map_or(f64::NAN, |middle| middle.as_secs_f64() * 1000.0)
}
