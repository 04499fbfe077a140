//! Waiting for several sockets at once, which std cannot.
#![expect(unsafe_code, reason = "poll(2) has no safe form in std")]

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::time::Duration;

/// What to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Something to read.
    Read,
    /// Room to write, or the end of a connect.
    Write,
}

/// Waits until one of the sockets is ready, or `time` is over; says for each whether it is.
/// Errors and hang-ups count as ready: the next read or write tells of them.
pub fn wait(sockets: &[(BorrowedFd<'_>, Interest)], time: Duration) -> io::Result<Vec<bool>> {
    let mut entries: Vec<libc::pollfd> = sockets
        .iter()
        .map(|(socket, interest)| libc::pollfd {
            fd: socket.as_raw_fd(),
            events: match interest {
                Interest::Read => libc::POLLIN,
                Interest::Write => libc::POLLOUT,
            },
            revents: 0,
        })
        .collect();
    let count = libc::nfds_t::try_from(entries.len()).map_err(io::Error::other)?;
    // Rounded up, or the last millisecond would be spent in a busy loop.
    let milliseconds = libc::c_int::try_from(time.as_micros().div_ceil(1000)).unwrap_or(libc::c_int::MAX);
    // SAFETY: the pointer and count are those of a live vector of initialised entries, and the
    // borrows keep the descriptors open over the call.
    let ready = unsafe { libc::poll(entries.as_mut_ptr(), count, milliseconds) };
    if ready < 0 {
        let error = io::Error::last_os_error();
        return if error.kind() == io::ErrorKind::Interrupted {
            Ok(vec![false; sockets.len()])
        } else {
            Err(error)
        };
    }
    Ok(entries.iter().map(|entry| entry.revents != 0).collect())
}
