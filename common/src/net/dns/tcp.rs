//! One question over a TCP connection of its own (RFC 7766), without ever blocking.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::Instant;

use socket2::{Domain, Socket, Type};

use crate::net::poll::Interest;

/// A question on its way over TCP.
pub(super) struct Connection {
    stream: TcpStream,
    pub(super) ask: usize,
    pub(super) expires: Instant,
    unsent: Vec<u8>,
    /// The length in front and what follows so far.
    received: Vec<u8>,
}

/// How far a connection is.
pub(super) enum Progress {
    Waiting,
    /// The whole message.
    Message(Vec<u8>),
}

impl Connection {
    /// Begins to connect. The message may be 65,535 bytes long at most, which a question
    /// never is.
    pub(super) fn open(
        server: SocketAddr,
        source: Option<IpAddr>,
        message: &[u8],
        ask: usize,
        expires: Instant,
    ) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(server), Type::STREAM.nonblocking(), None)?;
        if let Some(source) = source {
            socket.bind(&SocketAddr::new(source, 0).into())?;
        }
        match socket.connect(&server.into()) {
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
            result => result?,
        }
        let length = u16::try_from(message.len()).map_err(io::Error::other)?;
        let unsent = [&length.to_be_bytes(), message].concat();
        Ok(Self { stream: socket.into(), ask, expires, unsent, received: Vec::new() })
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    pub(super) fn interest(&self) -> Interest {
        if self.unsent.is_empty() { Interest::Read } else { Interest::Write }
    }

    /// Goes on as far as the socket lets it. The end of a connect shows in the first write.
    pub(super) fn advance(&mut self) -> io::Result<Progress> {
        match self.step() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Progress::Waiting),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Progress::Waiting),
            result => result,
        }
    }

    fn step(&mut self) -> io::Result<Progress> {
        while !self.unsent.is_empty() {
            let sent = self.stream.write(&self.unsent)?;
            self.unsent.drain(..sent);
        }
        let mut buffer = [0; 4096];
        loop {
            let missing = self.missing();
            if missing == 0 {
                return Ok(Progress::Message(self.received.split_off(2)));
            }
            let room = buffer.get_mut(..missing.min(4096)).unwrap_or_default();
            match self.stream.read(room)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => self.received.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            }
        }
    }

    /// Bytes still to come, as far as that is known: never more than 65,537 in all.
    fn missing(&self) -> usize {
        match self.received.first_chunk::<2>() {
            None => 2 - self.received.len(),
            Some(length) => (2 + usize::from(u16::from_be_bytes(*length))) - self.received.len(),
        }
    }
}
