//! The few system calls the standard library does not offer: signals by process id,
//! waiting with resource usage, fork instead of vfork, large receive buffers, namespaces.
#![expect(
    unsafe_code,
    reason = "kill, waitid, wait4, pre_exec, SO_RCVBUFFORCE and unshare have no safe form in std"
)]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

/// A signal the lab sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ask to end; what an engine sends to a plugin at its own timeout.
    Term,
    /// End without a chance to clean up.
    Kill,
    /// Freeze: the kernel still accepts connections, nobody answers them.
    Stop,
    /// Continue after [`Signal::Stop`].
    Cont,
    /// Ctrl-C.
    Int,
}

impl Signal {
    fn number(self) -> libc::c_int {
        match self {
            Self::Term => libc::SIGTERM,
            Self::Kill => libc::SIGKILL,
            Self::Stop => libc::SIGSTOP,
            Self::Cont => libc::SIGCONT,
            Self::Int => libc::SIGINT,
        }
    }
}

/// How a process ended and what it cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exit {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    pub(crate) user_sys: Duration,
    pub(crate) max_rss_kib: u64,
}

/// Sends a signal to one process.
pub(crate) fn kill(pid: u32, signal: Signal) -> io::Result<()> {
    send_signal(process_id(pid)?, signal)
}

/// Sends a signal to every process of a group.
pub(crate) fn kill_group(group: u32, signal: Signal) -> io::Result<()> {
    send_signal(-process_id(group)?, signal)
}

/// Blocks until the child has ended, and leaves it as a zombie: its id cannot be given to
/// another process before [`reap`], so a signal sent meanwhile never hits a stranger.
pub(crate) fn wait_exit(pid: u32) -> io::Result<()> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    loop {
        // SAFETY: `info` is a writable siginfo_t that outlives the call; nothing else is touched.
        let result =
            unsafe { libc::waitid(libc::P_PID, pid, info.as_mut_ptr(), libc::WEXITED | libc::WNOWAIT) };
        if result == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Collects an ended child together with its resource usage.
pub(crate) fn reap(pid: u32) -> io::Result<Exit> {
    let pid = process_id(pid)?;
    let mut status: libc::c_int = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    loop {
        // SAFETY: both pointers are valid for writes during the call.
        let result = unsafe { libc::wait4(pid, &raw mut status, 0, usage.as_mut_ptr()) };
        if result == pid {
            break;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    // SAFETY: zero is a valid bit pattern of rusage, and wait4 has filled it.
    let usage = unsafe { usage.assume_init() };
    Ok(Exit {
        code: libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)),
        signal: libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status)),
        user_sys: time_of(usage.ru_utime) + time_of(usage.ru_stime),
        max_rss_kib: u64::try_from(usage.ru_maxrss).unwrap_or(0),
    })
}

/// Makes `command` start by fork and exec instead of vfork.
///
/// A vforked child shares the parent's memory until exec, and the kernel books the parent's
/// peak to the child's `ru_maxrss`: a plugin of 4 MiB would be reported with the 30 MiB of
/// the test that started it.
pub(crate) fn fork_not_vfork(command: &mut Command) {
    // SAFETY: the closure does nothing at all, so it is safe between fork and exec.
    unsafe {
        command.pre_exec(|| Ok(()));
    }
}

/// Gives a socket room for so many bytes that nobody has read yet: beyond the limit of the
/// system when we are root, else up to it.
pub(crate) fn set_receive_buffer(socket: &impl AsFd, bytes: usize) {
    let value = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
    for option in [libc::SO_RCVBUFFORCE, libc::SO_RCVBUF] {
        // SAFETY: `value` is a readable c_int, which has four bytes, and outlives the call.
        let result = unsafe {
            libc::setsockopt(
                socket.as_fd().as_raw_fd(),
                libc::SOL_SOCKET,
                option,
                (&raw const value).cast(),
                4,
            )
        };
        if result == 0 {
            return;
        }
    }
}

/// Gives the calling thread a network and mounts of its own.
pub(crate) fn leave_namespaces() -> io::Result<()> {
    // SAFETY: unshare takes an integer and touches no memory of ours.
    let result = unsafe { libc::unshare(libc::CLONE_NEWNET | libc::CLONE_NEWNS) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn send_signal(target: libc::pid_t, signal: Signal) -> io::Result<()> {
    // SAFETY: kill takes two integers and touches no memory of ours.
    let result = unsafe { libc::kill(target, signal.number()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn process_id(pid: u32) -> io::Result<libc::pid_t> {
    // 0 and 1 would mean "my own group" and "everything" to kill(2).
    libc::pid_t::try_from(pid)
        .ok()
        .filter(|pid| *pid > 1)
        .ok_or_else(|| io::Error::other(format!("{pid} is not the id of a child")))
}

fn time_of(value: libc::timeval) -> Duration {
    let seconds = u64::try_from(value.tv_sec).unwrap_or(0);
    let micros = u64::try_from(value.tv_usec).unwrap_or(0);
    Duration::from_secs(seconds) + Duration::from_micros(micros)
}
