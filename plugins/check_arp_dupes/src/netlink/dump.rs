//! Asking for everything of a kind.

use std::io::{self, Read as _, Write as _};
use std::time::Duration;

use common::net::{Deadline, Phase, ProbeError, cause};
use socket2::{Domain, Protocol, Socket, Type};

use super::message::{Address, Link, Message, Neighbour, Route, parse_messages};

/// A conversation with the kernel.
#[derive(Debug)]
pub(crate) struct Netlink {
    socket: Socket,
    deadline: Deadline,
}

/// What can be asked for: the type of the request, and the size of its fixed part.
#[derive(Clone, Copy, Debug)]
enum Wanted {
    Links,
    Addresses,
    Routes,
    Neighbours,
}

impl Wanted {
    const fn request(self) -> (u16, usize) {
        match self {
            Self::Links => (18, 16),
            Self::Addresses => (22, 8),
            Self::Routes => (26, 12),
            Self::Neighbours => (30, 12),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Links => "links",
            Self::Addresses => "addresses",
            Self::Routes => "routes",
            Self::Neighbours => "neighbours",
        }
    }
}

/// The kernel fills at most this in one go.
const BUFFER: usize = 64 * 1024;
/// A table that changes under each of so many dumps is taken as it is.
const ATTEMPTS: usize = 3;
/// More messages than any kernel has neighbours.
const MOST_MESSAGES: usize = 2_000_000;
/// A dump of the kernel waits for nobody.
const PATIENCE: Duration = Duration::from_secs(5);

impl Netlink {
    pub(crate) fn open(deadline: &Deadline) -> Result<Self, ProbeError> {
        let opened = || {
            let protocol = Protocol::from(libc::NETLINK_ROUTE);
            let socket = Socket::new(Domain::from(libc::AF_NETLINK), Type::RAW, Some(protocol))?;
            socket.set_read_timeout(Some(PATIENCE))?;
            Ok(socket)
        };
        match opened() {
            Ok(socket) => Ok(Self { socket, deadline: deadline.clone() }),
            Err(error) => Err(failed("ask the kernel for neighbours", &error)),
        }
    }

    pub(crate) fn links(&mut self) -> Result<Vec<Link>, ProbeError> {
        self.dump(Wanted::Links, |message| match message {
            Message::Link(link) => Some(link),
            _ => None,
        })
    }

    pub(crate) fn addresses(&mut self) -> Result<Vec<Address>, ProbeError> {
        self.dump(Wanted::Addresses, |message| match message {
            Message::Address(address) => Some(address),
            _ => None,
        })
    }

    pub(crate) fn routes(&mut self) -> Result<Vec<Route>, ProbeError> {
        self.dump(Wanted::Routes, |message| match message {
            Message::Route(route) => Some(route),
            _ => None,
        })
    }

    pub(crate) fn neighbours(&mut self) -> Result<Vec<Neighbour>, ProbeError> {
        self.dump(Wanted::Neighbours, |message| match message {
            Message::Neighbour(neighbour) => Some(neighbour),
            _ => None,
        })
    }

    fn dump<T>(&mut self, wanted: Wanted, pick: impl Fn(Message) -> Option<T>) -> Result<Vec<T>, ProbeError> {
        self.deadline.enter(Phase::Querying);
        let mut found = Vec::new();
        for _ in 0..ATTEMPTS {
            let is_interrupted = self.dump_once(wanted, &pick, &mut found)?;
            if !is_interrupted {
                break;
            }
        }
        Ok(found)
    }

    /// Also whether something changed meanwhile.
    fn dump_once<T>(
        &mut self,
        wanted: Wanted,
        pick: impl Fn(Message) -> Option<T>,
        found: &mut Vec<T>,
    ) -> Result<bool, ProbeError> {
        let what = || format!("read the {} of the kernel", wanted.name());
        self.socket.write_all(&request(wanted)).map_err(|error| failed(&what(), &error))?;
        found.clear();
        let (mut is_interrupted, mut count) = (false, 0);
        let mut buffer = vec![0; BUFFER];
        loop {
            self.deadline.remaining()?;
            let length = self.socket.read(&mut buffer).map_err(|error| failed(&what(), &error))?;
            let answer = parse_messages(buffer.get(..length).unwrap_or_default());
            if let Some(number) = answer.error {
                return Err(failed(&what(), &io::Error::from_raw_os_error(number)));
            }
            count += answer.all.len();
            if length == 0 || count > MOST_MESSAGES {
                return Err(failed(&what(), &io::ErrorKind::InvalidData.into()));
            }
            is_interrupted |= answer.is_interrupted;
            found.extend(answer.all.into_iter().filter_map(&pick));
            if answer.is_done {
                return Ok(is_interrupted);
            }
        }
    }
}

fn request(wanted: Wanted) -> Vec<u8> {
    const REQUEST: u16 = 0x01;
    const DUMP: u16 = 0x300;
    let (kind, fixed) = wanted.request();
    let length = 16 + fixed;
    let mut bytes = Vec::with_capacity(length);
    bytes.extend(u32::try_from(length).unwrap_or_default().to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend((REQUEST | DUMP).to_ne_bytes());
    // Sequence, sender; then the family "unspecified" and no filter.
    bytes.resize(length, 0);
    bytes
}

fn failed(what: &str, error: &io::Error) -> ProbeError {
    ProbeError::local(format!("cannot {what}: {}", cause(error)))
}
