//! The channel of pnet on a socket of our own.
//!
//! The channel it would open by itself is promiscuous, takes every protocol into a queue of 208 KiB and cannot say what
//! it lost. Ours has the filter and a longer queue before it is bound, and a second descriptor to ask for losses.

use std::io;
use std::mem;
use std::os::fd::{AsFd as _, IntoRawFd as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use common::net::poll::{self, Interest};
use pnet::datalink::{self, Config, DataLinkReceiver, DataLinkSender, NetworkInterface};
use socket2::{Domain, Socket, Type};

use super::filter::filter;
use super::privilege::{self, Missing};
use super::{Wire, sys};

/// Room for some 20,000 answers; the kernel gives less where `net.core.rmem_max` is lower.
const QUEUE_BYTES: usize = 4 << 20;
/// No frame of ours or for us is longer.
const FRAME_BYTES: usize = 2048;
/// A poll of the library when ours has said that something is there.
const AT_ONCE: Duration = Duration::ZERO;
/// A driver that takes no frame for so long is not sending.
const SEND_PATIENCE: Duration = Duration::from_millis(200);

/// Sockets that are not bound to an interface yet, and hear nothing before.
///
/// They are opened while the process has one thread, because each thread has capabilities of its own: one started
/// before the privilege is given up would keep it.
#[derive(Debug, Default)]
pub(crate) struct Sockets(Mutex<Vec<io::Result<Result<Socket, Missing>>>>);

impl Sockets {
    /// Opens so many, then gives the privilege up for good.
    pub(crate) fn prepare(&self, number: usize) {
        let mut opened: Vec<_> = (0..number).map(|_| privilege::with_net_raw(open_socket)).collect();
        if let Err(error) = privilege::give_up() {
            opened = vec![Err(error)];
        }
        *self.kept() = opened;
    }

    fn take(&self) -> io::Result<Result<Vec<Socket>, Missing>> {
        mem::take(&mut *self.kept()).into_iter().collect()
    }

    fn kept(&self) -> MutexGuard<'_, Vec<io::Result<Result<Socket, Missing>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Interfaces that there are.
pub(crate) fn interfaces() -> usize {
    datalink::interfaces().len()
}

/// Frames on one interface.
pub(crate) struct Channel {
    sender: Box<dyn DataLinkSender>,
    receiver: Box<dyn DataLinkReceiver>,
    socket: Socket,
}

impl Channel {
    /// A channel on each of these interfaces.
    pub(crate) fn open_all(interfaces: &[u32], sockets: &Sockets) -> io::Result<Result<Vec<Self>, Missing>> {
        let sockets = match sockets.take()? {
            Ok(sockets) => sockets,
            Err(missing) => return Ok(Err(missing)),
        };
        let known = datalink::interfaces();
        let mut sockets = sockets.into_iter();
        let channels = interfaces.iter().map(|index| {
            let interface = known.iter().find(|interface| interface.index == *index);
            let socket = sockets.next().ok_or(io::ErrorKind::NotFound)?;
            Self::on(interface.ok_or(io::ErrorKind::NotFound)?, socket)
        });
        channels.collect::<io::Result<_>>().map(Ok)
    }

    fn on(interface: &NetworkInterface, socket: Socket) -> io::Result<Self> {
        let own = socket.try_clone()?;
        let config = Config {
            promiscuous: false,
            read_buffer_size: FRAME_BYTES,
            write_buffer_size: FRAME_BYTES,
            read_timeout: Some(AT_ONCE),
            write_timeout: Some(SEND_PATIENCE),
            socket_fd: Some(socket.into_raw_fd()),
            ..Config::default()
        };
        match datalink::channel(interface, config)? {
            datalink::Channel::Ethernet(sender, receiver) => Ok(Self { sender, receiver, socket: own }),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

/// Without a protocol it hears nothing until it is bound.
fn open_socket() -> io::Result<Socket> {
    let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
    socket.attach_filter(&filter())?;
    socket.set_recv_buffer_size(QUEUE_BYTES)?;
    Ok(socket)
}

impl Wire for Channel {
    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        self.sender.send_to(frame, None).unwrap_or_else(|| Err(io::ErrorKind::InvalidInput.into()))
    }

    fn receive(&mut self, time: Duration) -> io::Result<Option<&[u8]>> {
        let until = Instant::now() + time;
        let ready = poll::wait(
            &[(self.socket.as_fd(), Interest::Read)],
            until.saturating_duration_since(Instant::now()),
        )?;
        if ready != [true] {
            return Ok(None);
        }
        match self.receiver.next() {
            Ok(frame) => Ok(Some(frame)),
            Err(error) if matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock) => {
                Ok(None)
            }
            // The library has no words for it; the kernel has.
            Err(error) => Err(self.socket.take_error()?.unwrap_or(error)),
        }
    }

    fn dropped(&mut self) -> io::Result<u32> {
        sys::dropped(self.socket.as_fd())
    }
}
