//! The responder itself: a UDP and a TCP socket on the same port, and their threads.

use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::BURST;
use super::behaviour::Behaviour;
use super::delivery::{Delivery, Target};
use super::query::{Query, Transport};
use super::reaction::{Reaction, Tcp};
use crate::acceptor::{Acceptor, Stop};
use crate::sys;

/// How many queries are kept; later ones are answered and counted.
const RECORDED: usize = 100_000;

/// How many TCP connections may be open; more are closed at once.
const CONNECTIONS: usize = 512;

/// What TCP connections to the responder meet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TcpPort {
    /// They are accepted; each reaction says what happens then.
    #[default]
    Open,
    /// They are refused; nobody else can take the port meanwhile.
    Refused,
}

/// Wishes for a [`Responder`]. The default is any free port of 127.0.0.1, with TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponderOptions {
    /// Address on loopback; port 0 stands for any that is free for UDP and TCP.
    pub address: SocketAddr,
    /// TCP.
    pub tcp: TcpPort,
}

impl Default for ResponderOptions {
    fn default() -> Self {
        Self::on(Ipv4Addr::LOCALHOST)
    }
}

impl ResponderOptions {
    /// Any free port of this address, with TCP.
    #[must_use]
    pub fn on(address: impl Into<IpAddr>) -> Self {
        Self { address: (address.into(), 0).into(), tcp: TcpPort::Open }
    }
}

/// A running responder; stops when dropped.
#[derive(Debug)]
pub struct Responder {
    shared: Arc<Shared>,
    address: SocketAddr,
    wake: Arc<UdpSocket>,
    udp: Option<JoinHandle<()>>,
    /// Kept for what its end does: it closes the connections or frees the port.
    _tcp: Result<Acceptor, Socket>,
}

impl Responder {
    /// Answers on a free port of 127.0.0.1.
    #[must_use]
    pub fn start(behaviour: impl Behaviour) -> Self {
        Self::start_with(ResponderOptions::default(), behaviour)
    }

    /// Answers as the options say.
    #[must_use]
    pub fn start_with(options: ResponderOptions, behaviour: impl Behaviour) -> Self {
        let (udp, tcp) = bind(options);
        let address = udp.local_addr().expect("a bound socket has an address");
        let other_port = UdpSocket::bind((options.address.ip(), 0)).expect("there is a free port");
        sys::set_receive_buffer(&udp, BURST);
        let (udp, other_port) = (Arc::new(udp), Arc::new(other_port));
        let shared = Arc::new(Shared {
            behaviour: RwLock::new(Arc::new(behaviour)),
            udp,
            other_port: Arc::clone(&other_port),
            delivery: Delivery::start(),
            record: Record::default(),
            connections: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
        });
        let for_tcp = Arc::clone(&shared);
        let tcp = tcp.map(|listener| {
            Acceptor::serve(listener, move |_, stream, stop| for_tcp.serve_connection(stream, stop))
        });
        let for_thread = Arc::clone(&shared);
        let thread = thread::spawn(move || for_thread.serve_datagrams());
        Self { shared, address, wake: other_port, udp: Some(thread), _tcp: tcp }
    }

    /// Address for UDP and TCP.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Port for UDP and TCP.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Behaves in another way from the next query on.
    pub fn behave(&self, behaviour: impl Behaviour) {
        *self.shared.behaviour.write().unwrap() = Arc::new(behaviour);
    }

    /// The queries so far, in their order; of more than 100,000 the first ones.
    #[must_use]
    pub fn queries(&self) -> Vec<Query> {
        self.shared.record.queries.lock().unwrap().clone()
    }

    /// How many queries came.
    #[must_use]
    pub fn query_count(&self) -> usize {
        self.shared.record.count.load(Ordering::SeqCst)
    }

    /// What is wrong with each message that was no query with one question; none of them is
    /// answered.
    #[must_use]
    pub fn unreadable(&self) -> Vec<&'static str> {
        self.shared.record.unreadable.lock().unwrap().clone()
    }

    /// Forgets the queries so far, and their count.
    pub fn clear(&self) {
        let record = &self.shared.record;
        let mut queries = record.queries.lock().unwrap();
        queries.clear();
        record.count.store(0, Ordering::SeqCst);
        record.unreadable.lock().unwrap().clear();
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the blocked receiver, which then sees the flag.
        let _ = self.wake.send_to(&[], self.address);
        if let Some(thread) = self.udp.take() {
            // A panic of the behaviour was printed where it happened.
            let _ = thread.join();
        }
    }
}

struct Shared {
    behaviour: RwLock<Arc<dyn Behaviour>>,
    udp: Arc<UdpSocket>,
    other_port: Arc<UdpSocket>,
    delivery: Delivery,
    record: Record,
    connections: AtomicUsize,
    stopped: AtomicBool,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("record", &self.record).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Record {
    queries: Mutex<Vec<Query>>,
    count: AtomicUsize,
    unreadable: Mutex<Vec<&'static str>>,
}

impl Record {
    fn add(&self, query: Query) {
        let mut queries = self.queries.lock().unwrap();
        self.count.fetch_add(1, Ordering::SeqCst);
        if queries.len() < RECORDED {
            queries.push(query);
        }
    }

    fn add_unreadable(&self, why: &'static str) {
        let mut unreadable = self.unreadable.lock().unwrap();
        if unreadable.len() < RECORDED {
            unreadable.push(why);
        }
    }
}

impl Shared {
    fn serve_datagrams(&self) {
        let mut buffer = [0; 4096];
        loop {
            let received = self.udp.recv_from(&mut buffer);
            if self.stopped.load(Ordering::SeqCst) {
                return;
            }
            let Ok((length, peer)) = received else { continue };
            let Some((messages, _)) = self.react(&buffer[..length], Transport::Udp, peer) else { continue };
            for (after, from_other_port, bytes) in messages {
                let socket = Arc::clone(if from_other_port { &self.other_port } else { &self.udp });
                self.delivery.send(after, Target::Udp { socket, peer }, bytes);
            }
        }
    }

    fn serve_connection(&self, stream: TcpStream, stop: &Stop) {
        if self.connections.fetch_add(1, Ordering::SeqCst) < CONNECTIONS {
            // An end of the connection in the middle of a query is the client's business.
            let _ = self.serve_stream(stream, stop);
        }
        self.connections.fetch_sub(1, Ordering::SeqCst);
    }

    fn serve_stream(&self, mut stream: TcpStream, stop: &Stop) -> io::Result<()> {
        let peer = stream.peer_addr()?;
        stream.set_nodelay(true)?;
        // A client that does not read must not hold up the delivery of all others.
        stream.set_write_timeout(Some(Duration::from_secs(2)))?;
        let writer = Arc::new(Mutex::new(stream.try_clone()?));
        loop {
            let mut length = [0; 2];
            stream.read_exact(&mut length)?;
            let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut message)?;
            let Some((messages, tcp)) = self.react(&message, Transport::Tcp, peer) else { continue };
            match tcp {
                Tcp::Silent => while stop.sleep(Duration::from_hours(1)) {},
                Tcp::Closed => return stream.shutdown(std::net::Shutdown::Both),
                Tcp::Answered | Tcp::CutShort => {}
            }
            for (after, _, bytes) in messages {
                let target = Target::Tcp { stream: Arc::clone(&writer), cut_short: tcp == Tcp::CutShort };
                self.delivery.send(after, target, bytes);
            }
        }
    }

    /// What goes out for a message, if it is a query. It is recorded before it is answered,
    /// so a client that has its answer finds its query in the record.
    fn react(&self, message: &[u8], transport: Transport, peer: SocketAddr) -> Option<(Vec<Outgoing>, Tcp)> {
        let query = match Query::parse(message, transport, peer) {
            Ok(query) => query,
            Err(why) => {
                self.record.add_unreadable(why);
                return None;
            }
        };
        let behaviour = Arc::clone(&self.behaviour.read().unwrap());
        let Reaction { messages, tcp } = behaviour.react(&query, "");
        let outgoing = messages
            .iter()
            .map(|message| (message.after, message.from_other_port, message.encode(&query)))
            .collect();
        self.record.add(query);
        Some((outgoing, tcp))
    }
}

/// When, whether from the other port, and what.
type Outgoing = (Duration, bool, Vec<u8>);

/// Binds UDP and TCP to the same port. `Err` has the socket that keeps the port without
/// listening.
fn bind(options: ResponderOptions) -> (UdpSocket, Result<TcpListener, Socket>) {
    let mut failure = None;
    // A port that is free for UDP may be taken for TCP; then another one is tried.
    for _ in 0..if options.address.port() == 0 { 100 } else { 1 } {
        let both = UdpSocket::bind(options.address).and_then(|udp| {
            let address = udp.local_addr()?;
            let tcp = match options.tcp {
                TcpPort::Open => Ok(TcpListener::bind(address)?),
                TcpPort::Refused => {
                    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
                    socket.bind(&address.into())?;
                    Err(socket)
                }
            };
            Ok((udp, tcp))
        });
        match both {
            Ok(both) => return both,
            Err(error) => failure = Some(error),
        }
    }
    panic!("the lab cannot listen on {}: {failure:?}", options.address);
}
