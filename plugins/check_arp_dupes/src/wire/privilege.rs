//! CAP_NET_RAW: raised for one call, then given up for good.
//!
//! The file has it as permitted only (`cap_net_raw+p`). With `+ep`, a host that takes the capability out of the
//! bounding set could not even start the program; so it starts and can say what is missing.

use std::io;

use super::sys::{self, Sets};

/// CAP_NET_RAW is not to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Missing;

const NET_RAW: u32 = 1 << 13;

/// Runs `open` with the capability.
pub(super) fn with_net_raw<T>(open: impl FnOnce() -> io::Result<T>) -> io::Result<Result<T, Missing>> {
    let before = sys::capabilities()?;
    if before.permitted & NET_RAW == 0 {
        return Ok(Err(Missing));
    }
    sys::set_capabilities(&Sets { effective: before.effective | NET_RAW, ..before })?;
    let opened = open();
    sys::set_capabilities(&Sets { effective: before.effective & !NET_RAW, ..before })?;
    match opened {
        // The set is there, but not where the network is: another user namespace.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(Err(Missing)),
        opened => opened.map(Ok),
    }
}

/// Gives the capability up, before the first foreign byte is read.
pub(super) fn give_up() -> io::Result<()> {
    let Sets { effective, permitted, inheritable, .. } = sys::capabilities()?;
    let without = Sets {
        effective: effective & !NET_RAW,
        permitted: permitted & !NET_RAW,
        inheritable: inheritable & !NET_RAW,
        ..sys::capabilities()?
    };
    sys::set_capabilities(&without)?;
    sys::forbid_new_privileges()
}
