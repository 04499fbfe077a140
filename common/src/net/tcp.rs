//! TCP and unix sockets under the deadline.

use std::io::{self, IoSlice, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use socket2::{Domain, Socket, Type};

use super::deadline::Deadline;
use super::error::{ProbeError, Trouble, cause};
use super::phase::Phase;

/// One address that did not work before another one did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The address.
    pub address: SocketAddr,
    /// The system's words.
    pub cause: String,
}

/// An open connection.
#[derive(Debug)]
pub struct Connected {
    /// The connection.
    pub stream: TimedStream,
    /// The address that answered.
    pub address: SocketAddr,
    /// Addresses tried before it.
    pub failed: Vec<Attempt>,
}

/// Connects to the first address that answers, in the given order, from `source` if one is
/// given.
///
/// Each address gets an equal share of the time left, so that one black hole does not
/// hide the others.
pub fn connect(
    addresses: &[SocketAddr],
    source: Option<IpAddr>,
    deadline: &Deadline,
) -> Result<Connected, ProbeError> {
    deadline.enter(Phase::Connecting);
    let mut failed = Vec::new();
    let mut timed_out = false;
    let mut refused = !addresses.is_empty();
    for (index, &address) in addresses.iter().enumerate() {
        let untried = u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        let share = deadline.remaining()? / untried;
        let attempt = match source {
            None => TcpStream::connect_timeout(&address, share),
            Some(source) => connect_from(source, address, share)?,
        };
        match attempt {
            Ok(stream) => {
                let stream = TimedStream::over_tcp(stream, deadline.clone())
                    .map_err(|error| ProbeError::from_io(&error, Phase::Connecting, deadline.limit()))?;
                return Ok(Connected { stream, address, failed });
            }
            Err(error) => {
                timed_out = error.kind() == io::ErrorKind::TimedOut;
                refused &= error.kind() == io::ErrorKind::ConnectionRefused;
                let cause = if timed_out { "no answer".to_owned() } else { cause(&error) };
                failed.push(Attempt { address, cause });
            }
        }
    }
    if timed_out && deadline.left() < Duration::from_millis(20) {
        return Err(deadline.timeout());
    }
    let list: Vec<String> = failed.iter().map(|one| format!("{}: {}", one.address, one.cause)).collect();
    let text = format!("cannot connect to {}", list.join(", "));
    Err(ProbeError { refused, ..ProbeError::new(Trouble::Unreachable, Phase::Connecting, text) })
}

/// Connects from one of our addresses; one that is not ours is our mistake, not the peer's.
fn connect_from(
    source: IpAddr,
    address: SocketAddr,
    time: Duration,
) -> Result<io::Result<TcpStream>, ProbeError> {
    let unusable =
        |error: io::Error| ProbeError::local(format!("cannot connect from {source}: {}", cause(&error)));
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).map_err(unusable)?;
    socket.bind(&SocketAddr::new(source, 0).into()).map_err(unusable)?;
    Ok(socket.connect_timeout(&address.into(), time).map(|()| socket.into()))
}

/// Connects to a unix socket.
pub fn connect_unix(path: &Path, deadline: &Deadline) -> Result<TimedStream, ProbeError> {
    deadline.enter(Phase::Connecting);
    // A local connect never waits for the peer but for room in its queue, and that the
    // watchdog bounds.
    let stream = UnixStream::connect(path).map_err(|error| {
        let text = format!("cannot connect to {}: {}", path.display(), cause(&error));
        ProbeError::new(Trouble::Unreachable, Phase::Connecting, text)
    })?;
    Ok(TimedStream { stream: Stream::Unix(stream), deadline: deadline.clone(), timeout: None })
}

/// A connection whose every read and write ends at the deadline. A server that drips
/// bytes makes progress, but gains no time.
#[derive(Debug)]
pub struct TimedStream {
    stream: Stream,
    deadline: Deadline,
    /// The socket's present timeout. Set anew only when it is too long by this much, which
    /// saves a system call for each read.
    timeout: Option<Duration>,
}

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

const TIMEOUT_SLACK: Duration = Duration::from_millis(20);

impl TimedStream {
    fn over_tcp(stream: TcpStream, deadline: Deadline) -> io::Result<Self> {
        // Without this a small write can wait 40 ms for the peer's delayed ACK.
        stream.set_nodelay(true)?;
        Ok(Self { stream: Stream::Tcp(stream), deadline, timeout: None })
    }

    /// The deadline this connection keeps.
    #[must_use]
    pub const fn deadline(&self) -> &Deadline {
        &self.deadline
    }

    /// Our end and the peer's, if they have addresses.
    #[must_use]
    pub fn addresses(&self) -> Option<(SocketAddr, SocketAddr)> {
        match &self.stream {
            Stream::Tcp(tcp) => tcp.local_addr().ok().zip(tcp.peer_addr().ok()),
            Stream::Unix(_) => None,
        }
    }

    /// Gives the rest of the conversation at most `time`, whatever the deadline leaves.
    pub fn shorten(&mut self, time: Duration) {
        self.deadline = self.deadline.shortened(self.deadline.elapsed() + time);
    }

    fn arm(&mut self) -> io::Result<()> {
        let left = self.deadline.left();
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        if self.timeout.is_none_or(|armed| armed > left + TIMEOUT_SLACK) {
            match &self.stream {
                Stream::Tcp(tcp) => {
                    tcp.set_read_timeout(Some(left)).and(tcp.set_write_timeout(Some(left)))?;
                }
                Stream::Unix(unix) => {
                    unix.set_read_timeout(Some(left)).and(unix.set_write_timeout(Some(left)))?;
                }
            }
            self.timeout = Some(left);
        }
        Ok(())
    }
}

impl Read for TimedStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.arm()?;
        match &mut self.stream {
            Stream::Tcp(tcp) => tcp.read(buffer),
            Stream::Unix(unix) => unix.read(buffer),
        }
    }
}

impl Write for TimedStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.arm()?;
        match &mut self.stream {
            Stream::Tcp(tcp) => tcp.write(bytes),
            Stream::Unix(unix) => unix.write(bytes),
        }
    }

    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.arm()?;
        match &mut self.stream {
            Stream::Tcp(tcp) => tcp.write_vectored(buffers),
            Stream::Unix(unix) => unix.write_vectored(buffers),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::time::Instant;

    fn deadline(milliseconds: u64) -> Deadline {
        Deadline::new(Instant::now(), Duration::from_millis(milliseconds))
    }

    #[test]
    fn the_second_address_is_tried_and_the_first_remembered() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let live = listener.local_addr().unwrap();
        let connected = connect(&[dead, live], None, &deadline(2000)).unwrap();
        assert_eq!(connected.address, live);
        assert_eq!(connected.failed, [Attempt { address: dead, cause: "Connection refused".into() }]);
    }

    #[test]
    fn all_dead_names_each() {
        let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = connect(&[dead], None, &deadline(2000)).unwrap_err();
        assert_eq!(error.text, format!("cannot connect to {dead}: Connection refused"));
        assert!(error.refused);
    }

    #[test]
    fn the_source_address_is_used_or_refused() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let source = "127.0.0.9".parse().unwrap();
        let connected = connect(&[address], Some(source), &deadline(2000)).unwrap();
        assert_eq!(connected.stream.addresses().unwrap().0.ip(), source);
        let foreign = connect(&[address], Some("192.0.2.1".parse().unwrap()), &deadline(2000)).unwrap_err();
        assert_eq!(foreign.trouble, Trouble::Local);
        assert_eq!(foreign.text, "cannot connect from 192.0.2.1: Cannot assign requested address");
    }

    #[test]
    fn a_drip_gains_no_time() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut peer, _) = listener.accept().unwrap();
            while peer.write_all(b"x").is_ok() {
                std::thread::sleep(Duration::from_millis(30));
            }
        });
        let started = Instant::now();
        let mut stream = connect(&[address], None, &deadline(200)).unwrap().stream;
        let mut buffer = [0; 16];
        let error = loop {
            if let Err(error) = stream.read(&mut buffer) {
                break error;
            }
        };
        assert!(matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut));
        // Whoever gains time gains it without end.
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
        drop(stream);
        server.join().unwrap();
    }
}
