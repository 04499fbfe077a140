//! UDP sockets, each connected to one server.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd as _, BorrowedFd};

/// Questions on the way through one socket. More of them open the next socket: whoever
/// forges answers then has to guess among ports as well, and no receive buffer overflows.
const PER_SOCKET: usize = 64;

/// A socket and the questions that wait for an answer on it.
pub(super) struct Channel {
    socket: UdpSocket,
    pub(super) server: SocketAddr,
    waiting: HashMap<u16, usize>,
}

impl Channel {
    /// A socket on a port of the kernel's choice. Being connected it takes datagrams from
    /// the server alone, and hears when nobody listens there.
    pub(super) fn open(server: SocketAddr, source: Option<IpAddr>) -> io::Result<Self> {
        let any = match server {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let socket = UdpSocket::bind((source.unwrap_or(any), 0))?;
        socket.connect(server)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, server, waiting: HashMap::new() })
    }

    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < PER_SOCKET
    }

    /// Whether an id is taken.
    pub(super) fn has_id(&self, id: u16) -> bool {
        self.waiting.contains_key(&id)
    }

    pub(super) fn send(&mut self, packet: &[u8], id: u16, ask: usize) -> io::Result<()> {
        self.socket.send(packet)?;
        self.waiting.insert(id, ask);
        Ok(())
    }

    /// The question that waits for an id.
    pub(super) fn waiting_for(&self, id: u16) -> Option<usize> {
        self.waiting.get(&id).copied()
    }

    pub(super) fn forget(&mut self, id: u16) {
        self.waiting.remove(&id);
    }

    /// Gives up all questions: the server cannot be reached.
    pub(super) fn forget_all(&mut self) -> Vec<usize> {
        let mut asks: Vec<usize> = self.waiting.drain().map(|(_, ask)| ask).collect();
        asks.sort_unstable();
        asks
    }

    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.recv(buffer)
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
