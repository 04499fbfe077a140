//! One output, one exit, whoever gets there first: the check, the watchdog, the panic hook.

use std::panic::PanicHookInfo;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use super::sys;
use crate::report::{State, clean, truncate};

static CLAIMED: AtomicBool = AtomicBool::new(false);
/// Exit code of the output being written, for the watchdog in case nobody reads it.
static CODE: AtomicU8 = AtomicU8::new(State::Unknown.exit_code());
static LABEL: OnceLock<String> = OnceLock::new();

/// Remembers the plugin's name and turns panics into one UNKNOWN line.
pub(super) fn install(plugin: &str) {
    let _ = LABEL.set(plugin.strip_prefix("check_").unwrap_or(plugin).to_uppercase());
    std::panic::set_hook(Box::new(panic_line));
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
    let text = format!("{} UNKNOWN: internal error: {}{place}\n", label(), clean(truncate(message, 200)));
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
