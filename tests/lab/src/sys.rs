//! The few system calls the standard library does not offer: signals by process id,
//! waiting with resource usage, fork instead of vfork, large receive buffers, namespaces, fewer rights.
#![expect(
    unsafe_code,
    reason = "kill, waitid, wait4, pre_exec, SO_RCVBUFFORCE, unshare, setns and prctl have no safe form in std"
)]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;
use std::time::Duration;

use crate::arp::host::{Rights, Spaces};

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

/// Gives the calling thread a network of its own, without an interface that is up.
pub(crate) fn leave_network() -> io::Result<()> {
    // SAFETY: unshare takes an integer and touches no memory of ours.
    done(unsafe { libc::unshare(libc::CLONE_NEWNET) })
}

/// Moves the calling thread into this network.
pub(crate) fn join_network(space: &impl AsFd) -> io::Result<()> {
    join(space, libc::CLONE_NEWNET)
}

/// Makes `command` start inside these namespaces, with a `/sys` that shows them, as root there but with these rights.
pub(crate) fn enter(command: &mut Command, spaces: Spaces, rights: Rights) {
    let enter = move || {
        join(&spaces.user, libc::CLONE_NEWUSER)?;
        join(&spaces.network, libc::CLONE_NEWNET)?;
        own_sys()?;
        restrict(rights)
    };
    // SAFETY: the closure makes system calls only, without allocating, and owns what it uses.
    unsafe {
        command.pre_exec(enter);
    }
}

fn join(space: &impl AsFd, kind: libc::c_int) -> io::Result<()> {
    // SAFETY: setns takes two integers and touches no memory of ours.
    done(unsafe { libc::setns(space.as_fd().as_raw_fd(), kind) })
}

fn own_sys() -> io::Result<()> {
    // SAFETY: unshare takes an integer and touches no memory of ours.
    done(unsafe { libc::unshare(libc::CLONE_NEWNS) })?;
    // Refused where a container hides parts of the outer one: then it shows the outer network, as it did.
    // SAFETY: the strings are constants with a NUL at their end; this file system takes no data.
    let _ = unsafe { libc::mount(c"sysfs".as_ptr(), c"/sys".as_ptr(), c"sysfs".as_ptr(), 0, ptr::null()) };
    Ok(())
}

fn restrict(rights: Rights) -> io::Result<()> {
    if rights == Rights::Root {
        return Ok(());
    }
    if rights == Rights::Bounded {
        set_process(libc::PR_CAPBSET_DROP, CAP_NET_RAW)?;
    }
    if rights == Rights::NoNewPrivileges {
        set_process(libc::PR_SET_NO_NEW_PRIVS, 1)?;
    }
    set_process(libc::PR_SET_SECUREBITS, SECBIT_NOROOT)?;
    drop_capabilities()
}

/// Gives up what the process has itself: with `no_new_privs` it could keep that, though not gain it.
fn drop_capabilities() -> io::Result<()> {
    // struct __user_cap_header_struct, then two of __user_cap_data_struct (linux/capability.h).
    let (header, none) = ([CAPABILITY_VERSION_3, 0_u32], [0_u32; 6]);
    // SAFETY: the kernel reads 8 and 24 bytes, which outlive the call.
    let result = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) };
    done(if result == 0 { 0 } else { -1 })
}

/// linux/capability.h
const CAPABILITY_VERSION_3: u32 = 0x2008_0522;

/// linux/capability.h
const CAP_NET_RAW: libc::c_ulong = 13;
/// linux/securebits.h: user 0 gets no capabilities from being user 0.
const SECBIT_NOROOT: libc::c_ulong = 1;

fn set_process(option: libc::c_int, value: libc::c_ulong) -> io::Result<()> {
    // SAFETY: these options take integers and touch no memory of ours.
    done(unsafe { libc::prctl(option, value, 0 as libc::c_ulong, 0 as libc::c_ulong, 0 as libc::c_ulong) })
}

fn done(result: libc::c_int) -> io::Result<()> {
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
