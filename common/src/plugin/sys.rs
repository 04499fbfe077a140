//! The few system calls std has no safe form of: signals by waiting, the raw write, the exit
//! that runs nothing; who we are, who holds a record lock, the room on a file system.
#![expect(unsafe_code, reason = "std has no safe form of these calls")]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::time::{Duration, Instant};

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
    let until = Instant::now() + time;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let left = libc::timespec {
            tv_sec: libc::time_t::try_from(left.as_secs()).unwrap_or(libc::time_t::MAX),
            // Below one billion, which fits every width of the type.
            tv_nsec: libc::c_long::from(left.subsec_nanos()),
        };
        // SAFETY: set and time are initialised and live over the call; a null siginfo is allowed.
        match unsafe { libc::sigtimedwait(&raw const set, std::ptr::null_mut(), &raw const left) } {
            libc::SIGTERM => return Some("SIGTERM"),
            libc::SIGINT => return Some("SIGINT"),
            libc::SIGHUP => return Some("SIGHUP"),
            // Who was frozen and goes on is woken by that, long before the time has come.
            _ if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            _ => return None,
        }
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
            Err(_) => match io::Error::last_os_error().kind() {
                io::ErrorKind::Interrupted => {}
                // Somebody left the pipe non-blocking; the watchdog bounds this wait.
                io::ErrorKind::WouldBlock => std::thread::sleep(Duration::from_millis(1)),
                _ => return false,
            },
        }
    }
    true
}

/// The user this process acts as.
pub(super) fn effective_user() -> u32 {
    // SAFETY: geteuid takes nothing and cannot fail.
    unsafe { libc::geteuid() }
}

/// Ends the process at once: no destructors, no handlers, no flushing.
pub(super) fn exit_now(code: u8) -> ! {
    // SAFETY: _exit takes any number and does not return.
    unsafe { libc::_exit(libc::c_int::from(code)) }
}

/// Ends the process by a last word of `handler` when it would abort: memory that is not to be
/// had, a stack that is full. Neither is a panic, so no hook sees them.
pub(super) fn on_abort(handler: extern "C" fn(libc::c_int)) {
    // SAFETY: the handler is a function of the right form that lives as long as the process.
    unsafe {
        libc::signal(libc::SIGABRT, handler as *const () as libc::sighandler_t);
    }
}

/// Sends to nowhere what the standard library says on standard error before it aborts.
pub(super) fn silence_stderr(nowhere: &File) {
    // SAFETY: both are descriptors of this process; 2 is replaced, not closed.
    unsafe {
        libc::dup2(nowhere.as_raw_fd(), 2);
    }
}

/// Lets the process have at most so many bytes of memory, whatever a peer makes it hold.
pub(super) fn limit_memory(bytes: u64) {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
    // SAFETY: the limit lives over the call. A lower one that is in force already stays.
    unsafe {
        libc::setrlimit(libc::RLIMIT_DATA, &raw const limit);
    }
}

/// Whether another process holds a POSIX record lock on the file, as database servers do on
/// theirs. Nothing is locked by asking.
pub fn is_locked_by_another(file: &File) -> io::Result<bool> {
    // SAFETY: an all-zero flock is a valid object.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::c_short::try_from(libc::F_WRLCK).unwrap_or_default();
    // SAFETY: the descriptor is open as long as `file` lives, and the structure outlives the call.
    let outcome = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETLK, &raw mut lock) };
    match outcome {
        0 => Ok(libc::c_int::from(lock.l_type) != libc::F_UNLCK),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Room on the file system a file or folder lies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes that an ordinary user may still write.
    pub free: u64,
    /// Bytes in all that an ordinary user may use.
    pub total: u64,
}

/// The room around an open file or folder.
pub fn room(place: &File) -> io::Result<Room> {
    // SAFETY: an all-zero statvfs is a valid object.
    let mut found: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: the descriptor is open as long as `place` lives, and the structure outlives the call.
    if unsafe { libc::fstatvfs(place.as_raw_fd(), &raw mut found) } != 0 {
        return Err(io::Error::last_os_error());
    }
    #[expect(clippy::useless_conversion, reason = "the fields are narrower on 32-bit systems")]
    let (unit, blocks, available, free) = (
        u64::from(found.f_frsize),
        u64::from(found.f_blocks),
        u64::from(found.f_bavail),
        u64::from(found.f_bfree),
    );
    let used = blocks.saturating_sub(free);
    Ok(Room {
        free: available.saturating_mul(unit),
        total: used.saturating_add(available).saturating_mul(unit),
    })
}
