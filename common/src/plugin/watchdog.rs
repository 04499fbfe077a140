//! Guarantees the exit: a thread that waits for SIGTERM and for the deadline at once.
//!
//! A check ends by itself when its deadline passes; this is for the call that blocks all
//! the same. No signal handler is needed, so the line is written by ordinary code.

use std::thread;
use std::time::Duration;

use super::exit;
use super::sys;
use crate::net::{Deadline, Phase, ProbeError};
use crate::report::State;

/// How much later than the check itself the watchdog acts.
const GRACE: Duration = Duration::from_millis(60);

/// What the watchdog says and how it exits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verdict {
    /// State of a timeout, after `--map-state`.
    pub(super) timeout: State,
    /// State of a stop by signal or before anything was checked, after `--map-state`.
    pub(super) stopped: State,
    /// `--exit-ok`
    pub(super) exit_ok: bool,
}

/// Starts the thread. From here on the stopping signals reach only it.
pub(super) fn start(deadline: Deadline, verdict: Verdict) -> Result<(), ProbeError> {
    sys::block_stopping_signals();
    thread::Builder::new()
        .name("watchdog".into())
        .stack_size(128 * 1024)
        .spawn(move || watch(&deadline, verdict))
        .map(|_| ())
        .map_err(|error| ProbeError::local(format!("cannot start a thread: {}", crate::net::cause(&error))))
}

fn watch(deadline: &Deadline, verdict: Verdict) -> ! {
    let (state, text) = match sys::wait_for_signal(deadline.left() + GRACE) {
        Some(name) => (verdict.stopped, format!("stopped by {name} while {}", deadline.phase())),
        // Nothing of the target was touched yet: a secret file that never ends, for example.
        None if deadline.phase() == Phase::Starting => (verdict.stopped, deadline.timeout().text),
        None => (verdict.timeout, deadline.timeout().text),
    };
    if exit::claimed() {
        exit::abandon();
    }
    let time = super::TIME;
    let seconds = crate::report::format_number(deadline.elapsed().as_secs_f64());
    let line = format!("{} {state}: {text} | {}={seconds}s;;;0\n", exit::label(), time.label);
    exit::finish(line.as_bytes(), if verdict.exit_ok { 0 } else { state.exit_code() });
}
