//! The wire: frames out, frames in, and how many of them the kernel had to throw away.

mod channel;
mod filter;
mod privilege;
mod sys;

use std::io;
use std::time::Duration;

pub(crate) use channel::{Channel, Sockets, interfaces};

/// What the check needs of a network, so that another library can take the place of the one behind it, and a test
/// that of both.
pub(crate) trait Wire {
    /// Sends a whole frame.
    fn send(&mut self, frame: &[u8]) -> io::Result<()>;
    /// Waits for a frame; `None` when none came in time.
    fn receive(&mut self, time: Duration) -> io::Result<Option<&[u8]>>;
    /// Frames that came and found no room, since the last question.
    fn dropped(&mut self) -> io::Result<u32>;
}
