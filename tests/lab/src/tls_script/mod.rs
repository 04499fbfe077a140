//! A scripted TLS endpoint: speaks any version and suite, with any limit and fault, because it
//! does no cryptography. It answers a ClientHello up to ServerHelloDone (TLS 1.3: up to
//! HelloRetryRequest or ServerHello); no handshake with it can be completed.
//!
//! For what no real server does any more or can be configured to do: SSLv2, EXPORT, hellos that
//! are too long for the server, wrong answers, cut-offs.
//! ```
//! use lab::tls_script::{Ending, TlsPeer, TlsScript, Version};
//! let peer = TlsPeer::start(
//!     TlsScript::new()
//!         .version(Version::Tls12, &[0xc02f, 0x009c])
//!         .version(Version::Ssl3, &[0x0003, 0x0004])
//!         .dh_bits(512)
//!         .longest_hello(255, Ending::Close),
//! );
//! assert_eq!(peer.connections(), 0);
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::{Bound, RangeBounds};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::acceptor::Acceptor;
use crate::census::Census;
use crate::certs::{Authority, LeafOptions};

mod answer;
mod fault;
mod hello;
pub(crate) mod messages;
mod session;
pub(crate) mod starttls;
mod suites;
pub(crate) mod upgrades;

pub use fault::{Ending, FLOOD, Fault, Foreign};
pub use hello::{Format, Hello};
pub use messages::Framing;
pub use starttls::{Protocol, Upgrade};
pub use suites::{Auth, Version};

use session::Turns;

/// Who decides between suites that both sides have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preference {
    /// The endpoint's order.
    #[default]
    Server,
    /// The client's order.
    Client,
}

/// What a TLS 1.3 endpoint does without a key share for the group that it wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Retry {
    /// HelloRetryRequest.
    #[default]
    Asks,
    /// Takes another group for which there is a share; without any, alert 40.
    Never,
}

type Condition = Arc<dyn Fn(&Hello) -> bool + Send + Sync>;

/// What an endpoint is to do; [`TlsScript::new`] is one that speaks no version at all.
#[derive(Clone)]
pub struct TlsScript {
    listen: SocketAddr,
    versions: BTreeMap<Version, Vec<u16>>,
    kinds: Vec<u32>,
    preference: Preference,
    certificates: BTreeMap<Auth, Vec<Vec<u8>>>,
    prime: Vec<u8>,
    groups: Vec<u16>,
    compression: u8,
    renegotiation_info: bool,
    extended_master_secret: bool,
    fallback_scsv: bool,
    client_certificate: bool,
    retry: Retry,
    framing: Framing,
    warning: Option<u8>,
    refusals: Refusals,
    longest: Option<(usize, Ending)>,
    remainders: Option<(Vec<usize>, Ending)>,
    suites_read: usize,
    sni_demanded: bool,
    cut_off: Option<(Bound<usize>, Bound<usize>, Ending)>,
    rate: Option<(usize, Ending)>,
    serial: Option<Duration>,
    faults: Vec<(Condition, Fault)>,
    foreign: Option<Foreign>,
    front: Option<(Protocol, Upgrade)>,
    front_split: bool,
}

/// How the endpoint refuses a hello.
#[derive(Clone, Copy, Debug)]
struct Refusals {
    version: Ending,
    suite: Ending,
}

impl Default for TlsScript {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            versions: BTreeMap::new(),
            kinds: Vec::new(),
            preference: Preference::Server,
            certificates: BTreeMap::new(),
            prime: messages::odd_number(2048),
            groups: vec![0x001d, 0x0017, 0x0018],
            compression: 0,
            renegotiation_info: true,
            extended_master_secret: true,
            fallback_scsv: true,
            client_certificate: false,
            retry: Retry::Asks,
            framing: Framing::PerMessage,
            warning: None,
            refusals: Refusals { version: Ending::Alert(70), suite: Ending::Alert(40) },
            longest: None,
            remainders: None,
            suites_read: usize::MAX,
            sni_demanded: false,
            cut_off: None,
            rate: None,
            serial: None,
            faults: Vec::new(),
            foreign: None,
            front: None,
            front_split: false,
        }
    }
}

impl fmt::Debug for TlsScript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsScript").field("versions", &self.versions).finish_non_exhaustive()
    }
}

impl TlsScript {
    /// An endpoint that refuses every version; X25519, P-256 and P-384, a DH prime of 2048 bits,
    /// RFC 5746, 7627 and 7507 respected, no compression, its own preference.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An endpoint with nothing to find fault with: TLS 1.2 and 1.3, AEAD, forward secrecy.
    #[must_use]
    pub fn good() -> Self {
        Self::new()
            .version(Version::Tls13, &[0x1301, 0x1302, 0x1303])
            .version(Version::Tls12, &[0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8])
    }

    /// An endpoint with everything that was ever bad: SSLv2 to TLS 1.2, EXPORT, RC4, 3DES,
    /// NULL, anonymous, DH of 512 bits, DEFLATE, no RFC 5746.
    #[must_use]
    pub fn weak() -> Self {
        let suites = [
            0x0001, 0x0003, 0x0004, 0x0005, 0x0008, 0x0009, 0x000a, 0x0014, 0x0016, 0x0018, 0x002f, 0x0062,
            0x0064,
        ];
        Self::new()
            .ssl2(&[0x01_0080, 0x02_0080, 0x03_0080, 0x06_0040, 0x07_00c0])
            .version(Version::Ssl3, &suites)
            .version(Version::Tls10, &suites)
            .version(Version::Tls12, &[0x003c, 0x009c, 0x000a, 0x0005])
            .dh_bits(512)
            .compression(1)
            .without_renegotiation_info()
            .without_extended_master_secret()
            .without_fallback_scsv()
    }

    /// Listens elsewhere than on a free port of 127.0.0.1.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// Speaks a version with these suites, the preferred one first.
    #[must_use]
    pub fn version(mut self, version: Version, suites: &[u16]) -> Self {
        self.versions.insert(version, suites.to_vec());
        self
    }

    /// Speaks SSLv2 with these cipher kinds (0x010080 is RC4 with 128 bits and MD5).
    #[must_use]
    pub fn ssl2(mut self, kinds: &[u32]) -> Self {
        self.kinds = kinds.to_vec();
        self
    }

    /// Whose order counts.
    #[must_use]
    pub fn preference(mut self, preference: Preference) -> Self {
        self.preference = preference;
        self
    }

    /// The chain (DER, the server's own first) for suites with this kind of key. Without any, one of a
    /// fresh authority of [`crate::certs`] (P-256) serves for every kind.
    #[must_use]
    pub fn certificate(mut self, auth: Auth, chain: &[Vec<u8>]) -> Self {
        self.certificates.insert(auth, chain.to_vec());
        self
    }

    /// Length of the Diffie-Hellman prime (not one, but nobody computes with it).
    #[must_use]
    pub fn dh_bits(mut self, bits: usize) -> Self {
        self.prime = messages::odd_number(bits);
        self
    }

    /// The Diffie-Hellman prime itself, for the well-known ones.
    #[must_use]
    pub fn dh_prime(mut self, prime: &[u8]) -> Self {
        self.prime = prime.to_vec();
        self
    }

    /// Named groups for ECDHE and TLS 1.3, the preferred one first.
    #[must_use]
    pub fn groups(mut self, groups: &[u16]) -> Self {
        self.groups = groups.to_vec();
        self
    }

    /// Compression method that is chosen when the client offers it (1 is DEFLATE).
    #[must_use]
    pub fn compression(mut self, method: u8) -> Self {
        self.compression = method;
        self
    }

    /// Knows nothing of secure renegotiation (RFC 5746).
    #[must_use]
    pub fn without_renegotiation_info(mut self) -> Self {
        self.renegotiation_info = false;
        self
    }

    /// Knows nothing of the extended master secret (RFC 7627).
    #[must_use]
    pub fn without_extended_master_secret(mut self) -> Self {
        self.extended_master_secret = false;
        self
    }

    /// Lets a client fall back to a lower version though it sends the signalling suite (RFC 7507).
    #[must_use]
    pub fn without_fallback_scsv(mut self) -> Self {
        self.fallback_scsv = false;
        self
    }

    /// Asks for a client certificate (up to TLS 1.2).
    #[must_use]
    pub fn asks_client_certificate(mut self) -> Self {
        self.client_certificate = true;
        self
    }

    /// What TLS 1.3 does without a fitting key share.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// How messages are put into records.
    #[must_use]
    pub fn framing(mut self, framing: Framing) -> Self {
        self.framing = framing;
        self
    }

    /// Sends a warning alert before each ServerHello (112, as some do for a name they do not know).
    #[must_use]
    pub fn warning(mut self, number: u8) -> Self {
        self.warning = Some(number);
        self
    }

    /// How a hello with no version in common is refused; else alert 70.
    #[must_use]
    pub fn refuse_version(mut self, ending: Ending) -> Self {
        self.refusals.version = ending;
        self
    }

    /// How a hello with no suite or group in common is refused; else alert 40.
    #[must_use]
    pub fn refuse_suite(mut self, ending: Ending) -> Self {
        self.refusals.suite = ending;
        self
    }

    /// Cannot stand a hello that is longer (see [`Hello::length`]).
    #[must_use]
    pub fn longest_hello(mut self, length: usize, ending: Ending) -> Self {
        self.longest = Some((length, ending));
        self
    }

    /// Cannot stand a hello with one of these lengths modulo 256; 10 and 14 have been seen.
    #[must_use]
    pub fn unlucky_lengths(mut self, remainders: &[usize], ending: Ending) -> Self {
        self.remainders = Some((remainders.to_vec(), ending));
        self
    }

    /// Reads only so many suites of a hello; 64 and 128 have been seen.
    #[must_use]
    pub fn suites_read(mut self, count: usize) -> Self {
        self.suites_read = count;
        self
    }

    /// Answers a hello without a host name with alert 112.
    #[must_use]
    pub fn sni_demanded(mut self) -> Self {
        self.sni_demanded = true;
        self
    }

    /// Turns away the connections with these numbers (from 0 on): `6..`, or `3..5` for a while.
    #[must_use]
    pub fn cut_off(mut self, connections: impl RangeBounds<usize>, ending: Ending) -> Self {
        self.cut_off = Some((connections.start_bound().cloned(), connections.end_bound().cloned(), ending));
        self
    }

    /// Turns away what comes beyond so many connections within a second.
    #[must_use]
    pub fn rate(mut self, per_second: usize, ending: Ending) -> Self {
        self.rate = Some((per_second, ending));
        self
    }

    /// Serves one connection at a time, and begins with each only after this time. As in
    /// `openssl s_server`, an idle connection keeps all others waiting.
    #[must_use]
    pub fn serial(mut self, service: Duration) -> Self {
        self.serial = Some(service);
        self
    }

    /// Answers every hello with this fault.
    #[must_use]
    pub fn fault(self, fault: Fault) -> Self {
        self.fault_if(|_| true, fault)
    }

    /// Answers some hellos with this fault; of several conditions the first that holds.
    #[must_use]
    pub fn fault_if(
        mut self,
        condition: impl Fn(&Hello) -> bool + Send + Sync + 'static,
        fault: Fault,
    ) -> Self {
        self.faults.push((Arc::new(condition), fault));
        self
    }

    /// Speaks something else than TLS.
    #[must_use]
    pub fn not_tls(mut self, foreign: Foreign) -> Self {
        self.foreign = Some(foreign);
        self
    }

    /// Begins with another protocol in clear. [`Ending::Busy`] then speaks that protocol.
    #[must_use]
    pub fn starttls(mut self, protocol: Protocol, upgrade: Upgrade) -> Self {
        self.front = Some((protocol, upgrade));
        self
    }

    /// What is said in clear comes byte by byte.
    #[must_use]
    pub fn split(mut self) -> Self {
        self.front_split = true;
        self
    }

    fn chain(&self, auth: Option<Auth>) -> &[Vec<u8>] {
        let fitting = auth.and_then(|auth| self.certificates.get(&auth));
        fitting.or_else(|| self.certificates.values().next()).map_or(&[], Vec::as_slice)
    }
}

/// A running endpoint; stops when dropped.
#[derive(Debug)]
pub struct TlsPeer {
    acceptor: Acceptor,
    shared: Arc<Shared>,
}

impl TlsPeer {
    /// Starts an endpoint.
    #[must_use]
    pub fn start(mut script: TlsScript) -> Self {
        assert!(script.listen.ip().is_loopback(), "the lab stays on loopback");
        if script.certificates.is_empty() {
            let leaf = Authority::new("Lab Root CA").leaf(&LeafOptions::default());
            script.certificates.insert(Auth::Ecdsa, leaf.chain_der);
        }
        let listen = script.listen;
        let shared = Arc::new(Shared {
            script,
            census: Census::default(),
            hellos: Mutex::default(),
            said: Mutex::default(),
            recent: Mutex::default(),
            turns: Turns::default(),
            started: Instant::now(),
        });
        let state = Arc::clone(&shared);
        let acceptor = Acceptor::start(listen, move |number, stream, stop| {
            session::serve(&state, number, stream, stop);
        });
        Self { acceptor, shared }
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

    /// Connections so far, with those that were turned away.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.census.all()
    }

    /// The most connections that were open at a time.
    #[must_use]
    pub fn most_at_once(&self) -> usize {
        self.shared.census.most()
    }

    /// The hellos so far, in the order in which they were complete.
    #[must_use]
    pub fn hellos(&self) -> Vec<Hello> {
        self.shared.hellos.lock().unwrap().clone()
    }

    /// What clients said before TLS: number of the connection, and the line or the name of the request.
    #[must_use]
    pub fn said(&self) -> Vec<(usize, String)> {
        self.shared.said.lock().unwrap().clone()
    }
}

/// What the connections of an endpoint have in common.
#[derive(Debug)]
struct Shared {
    script: TlsScript,
    census: Census,
    hellos: Mutex<Vec<Hello>>,
    said: Mutex<Vec<(usize, String)>>,
    /// Times of the connections within the last second, for the rate limit.
    recent: Mutex<VecDeque<Instant>>,
    turns: Turns,
    started: Instant,
}
