//! Web servers of MTA-STS policies (RFC 8461 section 3.3): an embedded one that answers as well or
//! as badly as it is told, and a real one ([`nginx`]).
//!
//! ```
//! use lab::certs::{Authority, LeafOptions};
//! use lab::https::{Https, HttpsOptions, Site, answer};
//! let authority = Authority::new("Lab Root CA");
//! let leaf = authority.leaf(&LeafOptions::server_named("mta-sts.example.test"));
//! let web = Https::start(HttpsOptions::of([Site::new(
//!     "mta-sts.example.test",
//!     &leaf,
//!     answer::ok("version: STSv1\r\nmode: testing\r\nmax_age: 86400\r\nmx: mx.example.test\r\n"),
//! )]));
//! assert!(web.port() != 0 && web.requests().is_empty());
//! ```

pub mod answer;
pub mod nginx;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::ServerConfig;

use crate::acceptor::{Acceptor, Stop};
use crate::certs::Leaf;
use crate::host;
use crate::http::Head;
use crate::peer::{Script, play_on};
use crate::tls;
use crate::wire::{Transcript, Wire};

/// Where a policy is found.
pub const POLICY_PATH: &str = "/.well-known/mta-sts.txt";

/// One name on a web server.
#[derive(Clone, Debug)]
pub struct Site {
    /// The name, in lower case, that a client begins TLS with.
    pub name: String,
    /// The certificate for it, which need not fit.
    pub leaf: Leaf,
    /// What becomes of a request once it was read. After the last step the server waits for the
    /// client to close.
    pub answer: Script,
}

impl Site {
    /// A site with this answer to everything; see [`answer`].
    #[must_use]
    pub fn new(name: &str, leaf: &Leaf, answer: Script) -> Self {
        Self { name: name.to_owned(), leaf: leaf.clone(), answer }
    }
}

/// How a connection begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Opening {
    /// With TLS.
    #[default]
    Tls,
    /// With HTTP in the clear: no answer to a handshake, but an answer in text.
    Clear,
    /// With nothing, for ever.
    Silent,
    /// With its end, as soon as the client says something.
    Closed,
}

/// Wishes for an [`Https`].
#[derive(Clone, Debug)]
pub struct HttpsOptions {
    /// Addresses of loopback, all on the port of the first one; 0 for any free one.
    pub listen: Vec<SocketAddr>,
    /// The sites; a client that names none of them gets the first.
    pub sites: Vec<Site>,
    /// How a connection begins.
    pub opening: Opening,
}

impl HttpsOptions {
    /// These sites on a free port of 127.0.0.1.
    #[must_use]
    pub fn of(sites: impl IntoIterator<Item = Site>) -> Self {
        let listen = vec![(Ipv4Addr::LOCALHOST, 0).into()];
        Self { listen, sites: sites.into_iter().collect(), opening: Opening::Tls }
    }

    /// The same at these addresses.
    #[must_use]
    pub fn at(mut self, listen: &[SocketAddr]) -> Self {
        self.listen = listen.to_vec();
        self
    }

    /// The same with another beginning.
    #[must_use]
    pub fn opening(mut self, opening: Opening) -> Self {
        self.opening = opening;
        self
    }
}

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The server's address that was connected to.
    pub local: SocketAddr,
    /// Where the client was.
    pub peer: SocketAddr,
    /// The name that TLS began with (RFC 6066 section 3).
    pub server_name: Option<String>,
    /// `GET`.
    pub method: String,
    /// `/.well-known/mta-sts.txt`.
    pub target: String,
    /// `HTTP/1.1`.
    pub version: String,
    /// Names in lower case.
    pub fields: Vec<(String, String)>,
}

impl Request {
    /// The value of a header field, named in lower case.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The name that the request is for.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.field("host")
    }
}

/// A running web server; stops when dropped.
#[derive(Debug)]
pub struct Https {
    acceptors: Vec<Acceptor>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    sites: Vec<Site>,
    opening: Opening,
    config: Arc<ServerConfig>,
    connections: AtomicUsize,
    requests: Mutex<Vec<Request>>,
    failures: Mutex<Vec<String>>,
}

impl Https {
    /// Starts it.
    #[must_use]
    pub fn start(options: HttpsOptions) -> Self {
        assert!(!options.sites.is_empty(), "a web server needs a site");
        let leaves: Vec<_> = options.sites.iter().map(|site| (site.name.as_str(), &site.leaf)).collect();
        let shared = Arc::new(Shared {
            config: tls::server_of_names(&leaves),
            sites: options.sites,
            opening: options.opening,
            connections: AtomicUsize::new(0),
            requests: Mutex::default(),
            failures: Mutex::default(),
        });
        let listeners = listeners(&options.listen);
        let serve = |listener| {
            let shared = Arc::clone(&shared);
            Acceptor::serve(listener, move |number, stream, stop| {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                // An error of the socket means that the client is gone.
                let _ = shared.serve(Wire::new(stream, Transcript::default()), number, stop);
            })
        };
        Self { acceptors: listeners.into_iter().map(serve).collect(), shared }
    }

    /// Where it listens first.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.acceptors[0].address()
    }

    /// Port of all its addresses.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.addr().port()
    }

    /// Connections so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Requests so far, in their order.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// Handshakes that did not complete, e.g. because the client refused the certificate.
    #[must_use]
    pub fn tls_failures(&self) -> Vec<String> {
        self.shared.failures.lock().unwrap().clone()
    }
}

impl Shared {
    fn serve(&self, mut wire: Wire, number: usize, stop: &Stop) -> io::Result<()> {
        match self.opening {
            Opening::Tls => {
                if let Err(error) = wire.start_tls(&self.config) {
                    self.failures.lock().unwrap().push(error.to_string());
                    wire.finish();
                    return Ok(());
                }
            }
            Opening::Clear => {
                // As nginx does: whatever is no request gets an answer in text all the same.
                let _hello = wire.some()?;
                wire.send(&answer::bytes("400 Bad Request", "text/html", b"<html>no TLS here</html>"))?;
                wire.finish();
                return Ok(());
            }
            Opening::Silent => {
                while stop.sleep(Duration::from_hours(1)) {}
                return Ok(());
            }
            Opening::Closed => {
                let _hello = wire.some()?;
                return Ok(());
            }
        }
        let Some(head) = Head::read(&mut wire)? else { return Ok(()) };
        let server_name = wire.server_name().map(str::to_ascii_lowercase);
        let named = self.sites.iter().find(|site| Some(&site.name) == server_name.as_ref());
        let site = named.unwrap_or(&self.sites[0]);
        let ends = (wire.socket().local_addr()?, wire.socket().peer_addr()?);
        self.requests.lock().unwrap().push(request(head, ends, server_name.clone()));
        play_on(wire, number, stop, &site.answer);
        Ok(())
    }
}

fn request(head: Head, (local, peer): (SocketAddr, SocketAddr), server_name: Option<String>) -> Request {
    let mut words = head.first.splitn(3, ' ').map(str::to_owned);
    let mut word = || words.next().unwrap_or_default();
    let (method, target, version) = (word(), word(), word());
    Request { local, peer, server_name, method, target, version, fields: head.fields }
}

/// Sockets at all of these addresses, on one port.
fn listeners(addresses: &[SocketAddr]) -> Vec<TcpListener> {
    let mut failure = None;
    for _ in 0..100 {
        let mut port = addresses.first().map_or(0, SocketAddr::port);
        let row: io::Result<Vec<TcpListener>> = addresses
            .iter()
            .map(|address| {
                let listener = host::listen(SocketAddr::new(address.ip(), port))?;
                port = listener.local_addr()?.port();
                Ok(listener)
            })
            .collect();
        match row {
            Ok(row) => return row,
            Err(error) => failure = Some(error),
        }
    }
    panic!("the lab cannot listen on {addresses:?}: {failure:?}");
}
