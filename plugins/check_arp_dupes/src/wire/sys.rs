//! Three calls of Linux that have no safe form: packet statistics, capabilities, no new privileges.
#![expect(unsafe_code, reason = "no safe form of these calls exists in std or socket2")]

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};

/// `tpacket_stats` of packet(7).
#[repr(C)]
#[derive(Default)]
struct Statistics {
    packets: libc::c_uint,
    drops: libc::c_uint,
}

/// Frames dropped for want of room since the last call, which resets the counter.
pub(super) fn dropped(socket: BorrowedFd<'_>) -> io::Result<u32> {
    let mut statistics = Statistics::default();
    let mut length = libc::socklen_t::try_from(size_of::<Statistics>()).map_err(io::Error::other)?;
    // SAFETY: pointer and length are those of a live value of the layout that the option fills.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            (&raw mut statistics).cast(),
            &raw mut length,
        )
    };
    if result == 0 { Ok(statistics.drops) } else { Err(io::Error::last_os_error()) }
}

/// Capability sets of this thread, as `capget` and `capset` have them (capabilities(7), version 3).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sets {
    pub(super) effective: u32,
    pub(super) permitted: u32,
    pub(super) inheritable: u32,
    pub(super) high: [u32; 3],
}

#[repr(C)]
struct Header {
    version: u32,
    pid: libc::c_int,
}

const VERSION_3: u32 = 0x2008_0522;

pub(super) fn capabilities() -> io::Result<Sets> {
    let mut header = Header { version: VERSION_3, pid: 0 };
    let mut sets = Sets::default();
    // SAFETY: both point to live values of the layouts that version 3 of the call has.
    let result = unsafe { libc::syscall(libc::SYS_capget, &raw mut header, &raw mut sets) };
    if result == 0 { Ok(sets) } else { Err(io::Error::last_os_error()) }
}

pub(super) fn set_capabilities(sets: &Sets) -> io::Result<()> {
    let mut header = Header { version: VERSION_3, pid: 0 };
    // SAFETY: as above; the sets are only read.
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw mut header, std::ptr::from_ref(sets)) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// No program that this process might start gains anything.
pub(super) fn forbid_new_privileges() -> io::Result<()> {
    // SAFETY: takes numbers and no pointers.
    let result = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
