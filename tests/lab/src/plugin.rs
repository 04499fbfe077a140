//! Runs a built plugin the way an engine does: clean environment, output through pipes,
//! a limit after which it is killed; and measures time and memory of the run.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::arp::{Host, Rights};
use crate::output::{self, Parsed};
use crate::sys::{self, Signal};

/// A plugin call under construction. Nothing of the caller's environment but `PATH` is
/// handed on; `LC_ALL=C` is set.
#[derive(Clone, Debug)]
pub struct Plugin {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    stdin: Vec<u8>,
    limit: Duration,
    inside: Option<(Host, Rights)>,
}

impl Plugin {
    /// Looks the built binary (or example) `name` up; panics with the command that builds
    /// it when it is missing. See [`find_binary`] for the places.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self::at(find_binary(name))
    }

    /// Any other program, e.g. a peer plugin of the distribution.
    #[must_use]
    pub fn at(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            stdin: Vec::new(),
            limit: Duration::from_secs(30),
            inside: None,
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds several arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        let added = arguments.into_iter().map(|word| word.as_ref().to_owned());
        self.arguments.extend(added);
        self
    }

    /// Sets an environment variable of the plugin.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        let pair = (name.as_ref().to_owned(), value.as_ref().to_owned());
        self.environment.push(pair);
        self
    }

    /// What the plugin reads from its standard input (default: nothing).
    #[must_use]
    pub fn stdin_bytes(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// After this time the plugin is killed (default 30 s), see [`Outcome::timed_out`].
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs it inside this host of the lab's Ethernet, with these rights.
    #[must_use]
    pub fn inside(mut self, host: &Host, rights: Rights) -> Self {
        self.inside = Some((host.clone(), rights));
        self
    }

    /// The call as one line for a shell, quoted where needed: for messages and the demo.
    #[must_use]
    pub fn command_line(&self) -> String {
        let mut line = String::new();
        for (name, value) in &self.environment {
            let (name, value) = (name.to_string_lossy(), value.to_string_lossy());
            let _ = write!(line, "{name}={} ", shell_word(&value));
        }
        let program = self.program.file_name().unwrap_or_default();
        line.push_str(&shell_word(&program.to_string_lossy()));
        for argument in &self.arguments {
            line.push(' ');
            line.push_str(&shell_word(&argument.to_string_lossy()));
        }
        line
    }

    /// Runs the plugin to its end.
    #[must_use]
    pub fn run(&self) -> Outcome {
        self.spawn().wait()
    }

    /// Starts the plugin and returns at once, for tests that signal it or watch a server.
    #[must_use]
    pub fn spawn(&self) -> Running {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .env_clear()
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        sys::fork_not_vfork(&mut command);
        if let Some((host, rights)) = &self.inside {
            host.enter(&mut command, *rights);
        }

        let started = Instant::now();
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", self.program.display()));
        let pid = child.id();
        feed(&mut child, self.stdin.clone());
        let stdout = collect(child.stdout.take().expect("stdout is piped"));
        let stderr = collect(child.stderr.take().expect("stderr is piped"));
        Running {
            pid,
            started,
            limit: self.limit,
            command_line: self.command_line(),
            ended: watch(pid),
            stdout,
            stderr,
            reaped: false,
        }
    }
}

/// A plugin that was started and not waited for yet. Dropping it kills the process.
#[derive(Debug)]
pub struct Running {
    pid: u32,
    started: Instant,
    limit: Duration,
    command_line: String,
    ended: Receiver<Instant>,
    stdout: Receiver<Vec<u8>>,
    stderr: Receiver<Vec<u8>>,
    reaped: bool,
}

impl Running {
    /// Process id of the plugin.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends a signal to the plugin; it may have ended already.
    pub fn signal(&self, signal: Signal) {
        sys::kill(self.pid, signal).expect("an unreaped child can be signalled");
    }

    /// Waits for the end, or kills the plugin when its limit is over.
    #[must_use]
    pub fn wait(mut self) -> Outcome {
        let left = self.limit.saturating_sub(self.started.elapsed());
        let (ended, timed_out) = match self.ended.recv_timeout(left) {
            Ok(instant) => (instant, false),
            Err(RecvTimeoutError::Timeout) => {
                self.signal(Signal::Kill);
                let instant = self.ended.recv().expect("the watcher reports every end");
                (instant, true)
            }
            Err(RecvTimeoutError::Disconnected) => panic!("the watcher of the plugin died"),
        };
        let exit = sys::reap(self.pid).expect("the child is ours to reap");
        self.reaped = true;
        Outcome {
            code: exit.code,
            signal: exit.signal,
            stdout: self.output_of(&self.stdout, "stdout"),
            stderr: self.output_of(&self.stderr, "stderr"),
            elapsed: ended - self.started,
            user_sys: exit.user_sys,
            max_rss_kib: exit.max_rss_kib,
            timed_out,
            command_line: self.command_line.clone(),
        }
    }

    /// A process left behind by the plugin that keeps a pipe open makes an engine wait.
    fn output_of(&self, pipe: &Receiver<Vec<u8>>, name: &str) -> Vec<u8> {
        pipe.recv_timeout(Duration::from_secs(2))
            .unwrap_or_else(|_| panic!("{name} still open after the end of {}", self.command_line))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.reaped {
            // Nothing to report to: the test is unwinding or has lost interest.
            let _ = sys::kill(self.pid, Signal::Kill);
            let _ = sys::reap(self.pid);
        }
    }
}

/// Everything an engine could see of a finished plugin, and what the run cost.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Exit code, `None` when a signal ended it.
    pub code: Option<i32>,
    /// Number of the signal that ended it.
    pub signal: Option<i32>,
    /// Raw standard output.
    pub stdout: Vec<u8>,
    /// Raw standard error.
    pub stderr: Vec<u8>,
    /// Wall time from fork to exit.
    pub elapsed: Duration,
    /// CPU time in user and kernel mode.
    pub user_sys: Duration,
    /// Peak resident set, an upper bound: the kernel also counts the moment between fork and
    /// exec, when the child holds a copy of the private memory of the test process (1.5 MiB
    /// for a test alone in its process). Drop big buffers before a run that is measured.
    pub max_rss_kib: u64,
    /// True when the lab killed it at its limit.
    pub timed_out: bool,
    /// The call, for messages.
    pub command_line: String,
}

impl Outcome {
    /// Standard output as text; panics when it is not UTF-8.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8(self.stdout.clone())
            .unwrap_or_else(|_| panic!("stdout is not UTF-8\n{}", self.report()))
    }

    /// First line of the output, without its line end.
    #[must_use]
    pub fn first_line(&self) -> String {
        self.text().lines().next().unwrap_or_default().to_owned()
    }

    /// The output through the strict parser; panics with everything known about the run
    /// when it breaks the contract, or when the exit code is not the one of its state.
    #[must_use]
    pub fn parsed(&self) -> Parsed {
        let parsed = output::parse(&self.stdout)
            .unwrap_or_else(|error| panic!("output breaks the contract: {error}\n{}", self.report()));
        assert!(
            self.code == Some(parsed.state.code()),
            "exit code does not fit the state\n{}",
            self.report()
        );
        parsed
    }

    /// Like [`Outcome::parsed`] for calls with `--exit-ok`: the exit code is not compared.
    #[must_use]
    pub fn parsed_any_code(&self) -> Parsed {
        output::parse(&self.stdout)
            .unwrap_or_else(|error| panic!("output breaks the contract: {error}\n{}", self.report()))
    }

    /// Nothing may ever appear on stderr: Icinga and Zabbix mix it into the result.
    pub fn assert_quiet_stderr(&self) {
        assert!(self.stderr.is_empty(), "stderr is not empty\n{}", self.report());
    }

    /// The whole run in readable form, for failure messages.
    #[must_use]
    pub fn report(&self) -> String {
        format!(
            "$ {}\ncode {:?}, signal {:?}, {:?} wall, {:?} cpu, {} KiB{}\nstdout: {}\nstderr: {}",
            self.command_line,
            self.code,
            self.signal,
            self.elapsed,
            self.user_sys,
            self.max_rss_kib,
            if self.timed_out { ", killed at its limit" } else { "" },
            String::from_utf8_lossy(&self.stdout),
            String::from_utf8_lossy(&self.stderr),
        )
    }
}

/// Path of a built binary or example. Places, in this order: `$VEDETTE_BIN_DIR`; the
/// profile folder the running test or demo was built into; `debug` in `$CARGO_TARGET_DIR`;
/// `target/debug` of the workspace. Each with its `examples` folder.
#[must_use]
pub fn find_binary(name: &str) -> PathBuf {
    find_in(&named_folder().map_or_else(built_folders, |folder| vec![folder]), name)
}

/// The same for a program of the lab itself, which is not among the plugins that `$VEDETTE_BIN_DIR` may name.
#[must_use]
pub fn find_own_binary(name: &str) -> PathBuf {
    find_in(&named_folder().into_iter().chain(built_folders()).collect::<Vec<_>>(), name)
}

fn find_in(folders: &[PathBuf], name: &str) -> PathBuf {
    folders
        .iter()
        .flat_map(|folder| [folder.join(name), folder.join("examples").join(name)])
        .find(|path| path.is_file())
        .unwrap_or_else(|| {
            panic!(
                "{name} is not built: run tests/run, or `cargo build --workspace --bins --examples` \
                 (looked in {folders:?})"
            )
        })
}

fn named_folder() -> Option<PathBuf> {
    std::env::var_os("VEDETTE_BIN_DIR").map(PathBuf::from)
}

fn built_folders() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    if let Some(folder) = std::env::current_exe().ok().as_deref().and_then(Path::parent) {
        let inner = folder.ends_with("deps") || folder.ends_with("examples");
        let profile = if inner { folder.parent() } else { Some(folder) };
        folders.extend(profile.map(Path::to_owned));
    }
    if let Some(target) = std::env::var_os("CARGO_TARGET_DIR") {
        folders.push(Path::new(&target).join("debug"));
    }
    folders.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/debug"));
    folders
}

fn feed(child: &mut Child, bytes: Vec<u8>) {
    let mut pipe = child.stdin.take().expect("stdin is piped");
    // A plugin that does not read its stdin is no error.
    thread::spawn(move || drop(pipe.write_all(&bytes)));
}

fn collect(mut pipe: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).expect("a pipe can be read");
        // The receiver is gone when the test has given up.
        let _ = sender.send(bytes);
    });
    receiver
}

fn watch(pid: u32) -> Receiver<Instant> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        if sys::wait_exit(pid).is_ok() {
            let _ = sender.send(Instant::now());
        }
    });
    receiver
}

fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+,=[]".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Plugin {
        Plugin::at("/bin/sh").args(["-c", script])
    }

    #[test]
    fn run_collects_code_streams_and_stdin() {
        let outcome = sh("cat; echo problem >&2; exit 2").stdin_bytes("hello").run();
        assert_eq!(outcome.code, Some(2));
        assert_eq!(outcome.text(), "hello");
        assert_eq!(outcome.stderr, b"problem\n");
        assert!(!outcome.timed_out);
    }

    #[test]
    fn run_clears_the_environment() {
        let outcome = Plugin::at("/usr/bin/env").env("LAB", "1").run();
        let mut names: Vec<_> =
            outcome.text().lines().map(|l| l.split('=').next().unwrap().to_owned()).collect();
        names.sort();
        assert_eq!(names, ["LAB", "LC_ALL", "PATH"]);
    }

    #[test]
    fn run_kills_at_the_limit() {
        let outcome = sh("exec sleep 20").limit(Duration::from_millis(200)).run();
        assert!(outcome.timed_out);
        assert_eq!(outcome.signal, Some(libc::SIGKILL));
        assert!(outcome.elapsed < Duration::from_secs(2));
    }

    #[test]
    fn spawned_plugin_gets_the_signal() {
        let running = sh("trap 'echo caught; exit 3' TERM; echo ready; while :; do sleep 0.02; done").spawn();
        thread::sleep(Duration::from_millis(200));
        running.signal(Signal::Term);
        let outcome = running.wait();
        assert_eq!(outcome.code, Some(3));
        assert_eq!(outcome.text(), "ready\ncaught\n");
    }

    #[test]
    fn earlier_peak_of_the_test_is_not_booked_to_the_plugin() {
        let ballast = std::hint::black_box(vec![1_u8; 64 << 20]);
        assert_eq!(ballast.len(), 64 << 20);
        drop(ballast);
        let outcome = sh("exit 0").run();
        assert!(outcome.max_rss_kib < 32 << 10, "{} KiB", outcome.max_rss_kib);
    }

    #[test]
    fn command_line_is_quoted_for_a_shell() {
        let plugin = Plugin::at("/usr/bin/check_x").env("A", "b c").args(["-w", "@1:2", "it's"]);
        assert_eq!(plugin.command_line(), r"A='b c' check_x -w @1:2 'it'\''s'");
    }

    #[test]
    #[should_panic(expected = "cargo build --workspace --bins --examples")]
    fn missing_binary_says_how_to_build_it() {
        let _ = find_binary("check_that_does_not_exist");
    }
}
