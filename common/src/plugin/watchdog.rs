//! Guarantees the exit: a thread that waits for SIGTERM and for the deadline at once.
//!
//! A check ends by itself when its deadline passes, with the values of the steps it
//! reached; this is for the call that blocks all the same. No signal handler is needed, so
//! the result is rendered and written by ordinary code, in whatever form was asked for.

use std::thread;
use std::time::Duration;

use super::exit;
use super::run::Printer;
use super::sys;
use crate::net::{Deadline, Phase, ProbeError};
use crate::report::{Report, State};

/// How much later than the check itself the watchdog acts.
const GRACE: Duration = Duration::from_millis(60);

/// Starts the thread. From here on the stopping signals reach only it.
pub(super) fn start(deadline: Deadline, printer: Printer) -> Result<(), ProbeError> {
    sys::block_stopping_signals();
    thread::Builder::new()
        .name("watchdog".into())
        .stack_size(128 * 1024)
        .spawn(move || watch(&deadline, &printer))
        .map(|_| ())
        .map_err(|error| ProbeError::local(format!("cannot start a thread: {}", crate::net::cause(&error))))
}

fn watch(deadline: &Deadline, printer: &Printer) -> ! {
    let (id, state, text) = match sys::wait_for_signal(deadline.left() + GRACE) {
        Some(name) => ("stopped", State::Unknown, format!("stopped by {name} while {}", deadline.phase())),
        // Nothing of the target was touched yet: a secret file that never ends, for example.
        None if deadline.phase() == Phase::Starting => ("timeout", State::Unknown, deadline.timeout().text),
        None => ("timeout", printer.timeout, deadline.timeout().text),
    };
    if exit::claimed() {
        exit::abandon();
    }
    let mut report = Report::new();
    report.find(id, state, text);
    printer.finish(report, deadline.elapsed().as_secs_f64(), None)
}
