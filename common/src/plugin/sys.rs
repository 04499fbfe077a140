//! The few system calls std has no safe form of: signals by waiting, the raw write and
//! the exit that runs nothing.
#![expect(unsafe_code, reason = "sigtimedwait, write and _exit have no safe form in std")]

use std::time::Duration;

/// Signals that ask the plugin to stop.
const STOPPING: [libc::c_int; 3] = [libc::SIGTERM, libc::SIGINT, libc::SIGHUP];

fn stopping_set() -> libc::sigset_t {
    // SAFETY: an all-zero sigset_t is a valid object, sigemptyset then initialises it, and
    // sigaddset gets valid signal numbers.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in STOPPING {
            libc::sigaddset(&raw mut set, signal);
        }
        set
    }
}

/// Blocks the stopping signals in this thread and all it starts later, so that only
/// [`wait_for_signal`] sees them.
pub(super) fn block_stopping_signals() {
    let set = stopping_set();
    // SAFETY: the set is initialised; a null old set is allowed.
    unsafe {
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
    }
}

/// Waits for a stopping signal; `None` when none came in time.
pub(super) fn wait_for_signal(time: Duration) -> Option<&'static str> {
    let set = stopping_set();
    let time = libc::timespec {
        tv_sec: libc::time_t::try_from(time.as_secs()).unwrap_or(libc::time_t::MAX),
        // Below one billion, which fits every width of the type.
        tv_nsec: libc::c_long::from(time.subsec_nanos()),
    };
    // SAFETY: set and time are initialised and live over the call; a null siginfo is allowed.
    match unsafe { libc::sigtimedwait(&raw const set, std::ptr::null_mut(), &raw const time) } {
        libc::SIGTERM => Some("SIGTERM"),
        libc::SIGINT => Some("SIGINT"),
        libc::SIGHUP => Some("SIGHUP"),
        _ => None,
    }
}

/// Writes all bytes to standard output; false when they could not be delivered.
pub(super) fn write_stdout(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while !rest.is_empty() {
        // SAFETY: the pointer and length are those of a live slice.
        let written = unsafe { libc::write(1, rest.as_ptr().cast(), rest.len()) };
        match usize::try_from(written) {
            Ok(count) if count > 0 => rest = rest.get(count..).unwrap_or_default(),
            Ok(_) => return false,
            Err(_) => match std::io::Error::last_os_error().kind() {
                std::io::ErrorKind::Interrupted => {}
                // Somebody left the pipe non-blocking; the watchdog bounds this wait.
                std::io::ErrorKind::WouldBlock => std::thread::sleep(Duration::from_millis(1)),
                _ => return false,
            },
        }
    }
    true
}

/// Ends the process at once: no destructors, no handlers, no flushing.
pub(super) fn exit_now(code: u8) -> ! {
    // SAFETY: _exit takes any number and does not return.
    unsafe { libc::_exit(libc::c_int::from(code)) }
}
