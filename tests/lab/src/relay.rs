//! A TCP relay that makes loopback as slow as a network: every byte, and the end of a
//! connection, takes a delay in each direction.
//!
//! # The model
//! With the one-way delay *d*, a client on a real network sends SYN at 0, is connected at 2d, and
//! its first bytes reach the server at 3d, where accept(2) has returned just then; an answer, or a banner,
//! is back at 4d. The relay keeps all of that but one thing: the kernel answers SYN on loopback
//! by itself, so **connect(2) returns at once**. Its cost is added to what follows:
//!
//! - what the client sends in the first 2d counts as sent at 2d;
//! - the server is connected to at 3d, and so its banner is back at 4d;
//! - later bytes take d each way.
//!
//! So a step "connect, say hello, get the answer" takes two round trips as it should, and a
//! socket connected beforehand has its first round trip behind it. Too cheap are: a client that
//! waits for nothing but connect(2) before it begins something else, a round trip time measured with connect(2),
//! and a refused connection, which shows as a connection reset at 4d.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use socket2::SockRef;

use crate::acceptor::{Acceptor, Stop};
use crate::census::Census;

/// A running relay to one address; stops when dropped.
#[derive(Debug)]
pub struct Relay {
    acceptor: Acceptor,
    census: Arc<Census>,
    ahead: Arc<AtomicUsize>,
}

impl Relay {
    /// Starts a relay to `target` on a free port of 127.0.0.1, with this delay in each
    /// direction: half of the round trip time.
    #[must_use]
    pub fn start(target: SocketAddr, delay: Duration) -> Self {
        Self::listen(0, target, delay)
    }

    /// Starts a relay without a delay on this port of 127.0.0.1, in a network of its own where all are free.
    #[must_use]
    pub fn on(port: u16, target: SocketAddr) -> Self {
        Self::listen(port, target, Duration::ZERO)
    }

    fn listen(port: u16, target: SocketAddr, delay: Duration) -> Self {
        assert!(target.ip().is_loopback(), "the lab stays on loopback");
        let census = Arc::new(Census::default());
        let ahead = Arc::new(AtomicUsize::new(0));
        let (counted, quiet) = (Arc::clone(&census), Arc::clone(&ahead));
        let acceptor = Acceptor::start((Ipv4Addr::LOCALHOST, port).into(), move |number, client, stop| {
            let accepted = Instant::now();
            let _guest = client.local_addr().map(|local| counted.enter(local));
            // An error of a socket means that one side is gone.
            let _ = Line { stop, number, accepted, delay, quiet: &quiet }.relay(&client, target);
        });
        Self { acceptor, census, ahead }
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.acceptor.address()
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.addr().port()
    }

    /// Connections of clients so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.census.all()
    }

    /// The most connections that were open at a time.
    #[must_use]
    pub fn most_at_once(&self) -> usize {
        self.census.most()
    }

    /// Connections on which the client said nothing for half of the first round trip, and something later.
    #[must_use]
    pub fn opened_ahead(&self) -> usize {
        self.ahead.load(Ordering::SeqCst)
    }
}

/// Relays one connection without a delay until it is over.
pub(crate) fn forward(number: usize, client: &TcpStream, stop: &Stop, target: SocketAddr) {
    let quiet = AtomicUsize::new(0);
    let line = Line { stop, number, accepted: Instant::now(), delay: Duration::ZERO, quiet: &quiet };
    // An error of a socket means that one side is gone.
    let _ = line.relay(client, target);
}

/// One relayed connection.
struct Line<'a> {
    stop: &'a Stop,
    number: usize,
    accepted: Instant,
    delay: Duration,
    /// Counts clients that say nothing at first.
    quiet: &'a AtomicUsize,
}

impl Line<'_> {
    fn relay(&self, client: &TcpStream, target: SocketAddr) -> io::Result<()> {
        let (to_server, from_client) = channel();
        let (to_client, from_server) = channel();
        thread::scope(|scope| {
            let connected = self.accepted + 2 * self.delay;
            scope.spawn(move || {
                let is_first = Cell::new(true);
                let due = |now: Instant| {
                    if is_first.take() && now >= self.accepted + self.delay {
                        self.quiet.fetch_add(1, Ordering::SeqCst);
                    }
                    now.max(connected) + self.delay
                };
                collect(client, &to_server, due);
            });
            self.wait(self.accepted + 3 * self.delay);
            let server = match TcpStream::connect(target) {
                Ok(server) => server,
                Err(error) => {
                    self.wait(self.accepted + 4 * self.delay);
                    reset(client);
                    return Err(error);
                }
            };
            self.stop.watch(self.number, &server);
            client.set_nodelay(true)?;
            server.set_nodelay(true)?;
            thread::scope(|scope| {
                let (server, delay) = (&server, self.delay);
                scope.spawn(move || collect(server, &to_client, |now| now + delay));
                scope.spawn(move || self.deliver(from_client, server));
                self.deliver(from_server, client);
            });
            Ok(())
        })
    }

    /// Writes each piece when its time has come, and ends the direction as the other side did.
    fn deliver(&self, pieces: Receiver<Piece>, stream: &TcpStream) {
        let mut stream = stream;
        for piece in pieces {
            self.wait(piece.due);
            match piece.what {
                What::Bytes(bytes) => {
                    if stream.write_all(&bytes).is_err() {
                        return;
                    }
                }
                What::End => {
                    let _ = stream.shutdown(Shutdown::Write);
                    return;
                }
                What::Reset => return reset(stream),
            }
        }
    }

    fn wait(&self, until: Instant) {
        self.stop.sleep(until.saturating_duration_since(Instant::now()));
    }
}

/// What one side did, and when the other is to see it.
struct Piece {
    due: Instant,
    what: What,
}

enum What {
    Bytes(Vec<u8>),
    End,
    Reset,
}

/// Reads until the end of the connection.
fn collect(stream: &TcpStream, pieces: &Sender<Piece>, due: impl Fn(Instant) -> Instant) {
    let mut stream = stream;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = stream.read(&mut buffer);
        let due = due(Instant::now());
        let what = match read {
            Ok(0) => What::End,
            Ok(length) => What::Bytes(buffer[..length].to_vec()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => What::Reset,
        };
        let over = !matches!(what, What::Bytes(_));
        if pieces.send(Piece { due, what }).is_err() || over {
            return;
        }
    }
}

/// Ends both directions; whoever closes the socket then sends RST.
fn reset(stream: &TcpStream) {
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
    let _ = stream.shutdown(Shutdown::Read);
}
