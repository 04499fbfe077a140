//! One output, one exit, whoever gets there first: the check, the watchdog, the panic hook.

use std::io::IsTerminal as _;
use std::panic::PanicHookInfo;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use super::sys;
use crate::net::{Deadline, Phase};
use crate::report::{State, clean, truncate};

static CLAIMED: AtomicBool = AtomicBool::new(false);
/// Exit code of the output being written, for the watchdog in case nobody reads it.
static CODE: AtomicU8 = AtomicU8::new(State::Unknown.exit_code());
static LABEL: OnceLock<String> = OnceLock::new();
/// The whole output of a process that aborts.
static ABORTED: OnceLock<String> = OnceLock::new();
/// Knows the phase of the run, once it has begun.
static DEADLINE: OnceLock<Deadline> = OnceLock::new();

/// Remembers the plugin's name and turns panics into one UNKNOWN line.
pub(super) fn install(plugin: &str) {
    let _ = LABEL.set(plugin.strip_prefix("check_").unwrap_or(plugin).to_uppercase());
    std::panic::set_hook(Box::new(panic_line));
}

/// Bounds what the process can hold. The standard library aborts when there is no more, and
/// that too ends as one UNKNOWN line.
pub(super) fn limit_memory(bytes: u64) {
    let _ = ABORTED.set(format!(
        "{} UNKNOWN: internal error: aborted, out of memory (limit {} MiB) or out of stack\n",
        label(),
        bytes >> 20
    ));
    // The library's own words would go into the result of engines that mix both outputs.
    if !std::io::stderr().is_terminal()
        && let Ok(nowhere) = std::fs::File::options().write(true).open("/dev/null")
    {
        sys::silence_stderr(&nowhere);
    }
    sys::on_abort(abort_line);
    sys::limit_memory(bytes);
}

/// Allocates nothing: there may be no memory left.
extern "C" fn abort_line(_signal: libc::c_int) {
    if !CLAIMED.swap(true, Ordering::SeqCst)
        && let Some(line) = ABORTED.get()
    {
        sys::write_stdout(line.as_bytes());
    }
    sys::exit_now(State::Unknown.exit_code());
}

/// Remembers what tells the phase, for a panic in the middle of it.
pub(super) fn attend(deadline: Deadline) {
    let _ = DEADLINE.set(deadline);
}

/// `SMTP_AUTH`, or `PLUGIN` before [`install`].
pub(super) fn label() -> &'static str {
    LABEL.get().map_or("PLUGIN", String::as_str)
}

fn panic_line(info: &PanicHookInfo<'_>) {
    let payload = info.payload();
    let message = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("panic");
    let place = info.location().map_or_else(String::new, |at| {
        let file = at.file().rsplit('/').next().unwrap_or_default();
        format!(" ({file}:{})", at.line())
    });
    let phase = DEADLINE.get().map(Deadline::phase).filter(|phase| *phase != Phase::Starting);
    let phase = phase.map_or_else(String::new, |phase| format!(" while {phase}"));
    let message = clean(truncate(message, 200));
    let text = format!("{} UNKNOWN: internal error: {message}{phase}{place}\n", label());
    if CLAIMED.swap(true, Ordering::SeqCst) {
        sys::exit_now(State::Unknown.exit_code());
    }
    sys::write_stdout(text.as_bytes());
    sys::exit_now(State::Unknown.exit_code());
}

/// Writes the output and exits. Only the first caller of all threads does; the others
/// wait for the end, which is near.
pub(super) fn finish(output: &[u8], code: u8) -> ! {
    if CLAIMED.swap(true, Ordering::SeqCst) {
        loop {
            std::thread::sleep(Duration::from_secs(1));
        }
    }
    CODE.store(code, Ordering::SeqCst);
    if sys::write_stdout(output) {
        sys::exit_now(code);
    }
    // What nobody could read must not count as OK.
    sys::exit_now(if code == 0 { State::Unknown.exit_code() } else { code });
}

/// Exits although an output is still being written: its reader has stopped reading.
pub(super) fn abandon() -> ! {
    let code = CODE.load(Ordering::SeqCst);
    sys::exit_now(if code == 0 { State::Unknown.exit_code() } else { code });
}

/// Whether somebody is writing already.
pub(super) fn claimed() -> bool {
    CLAIMED.load(Ordering::SeqCst)
}
