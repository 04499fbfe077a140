//! An embedded mail exchanger (RFC 5321): the server that an MX record points to. It is a good
//! one unless its options say otherwise, and it takes part in every test that asks whether a
//! message would be taken, so it counts those that were.
//!
//! ```
//! use lab::exchanger::{Exchanger, ExchangerOptions, Form};
//! let good = Exchanger::start(ExchangerOptions::default());
//! let open = Exchanger::start(ExchangerOptions { foreign: "250 2.1.5 Ok".into(), ..Default::default() });
//! let tricked = Exchanger::start(ExchangerOptions { open_for: vec![Form::Percent], ..Default::default() });
//! assert!(good.port() != open.port() && tricked.messages() == 0);
//! ```

mod recipient;
mod session;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::certs::{Authority, Leaf, LeafOptions};
use crate::host::{self, Host};
use crate::tls;
use crate::wire::TLS_MARK;

pub use recipient::Form;

use session::Memory;

/// A stock Postfix's answer to a recipient elsewhere.
pub const RELAY_454: &str = "454 4.7.1 <{}>: Relay access denied";
/// What it says where it is told to refuse for good.
pub const RELAY_554: &str = "554 5.7.1 <{}>: Relay access denied";
/// Exim and others.
pub const RELAY_550: &str = "550 5.7.1 <{}>: Relaying denied";
/// A relay that says so.
pub const RELAY_251: &str = "251 2.1.5 User not local; will forward to <{}>";
/// A relay that does not commit itself.
pub const RELAY_252: &str = "252 2.1.5 Cannot verify <{}>, but will take the message";
/// A recipient nobody knows.
pub const UNKNOWN_550: &str = "550 5.1.1 <{}>: Recipient address rejected: User unknown";
/// What a backup that does not know its users says to every one of them.
pub const ACCEPTED: &str = "250 2.1.5 Ok";
/// A mailbox over its quota, with hope.
pub const QUOTA_452: &str = "452 4.2.2 <{}>: Mailbox is full";
/// A mailbox over its quota, without.
pub const QUOTA_552: &str = "552 5.2.2 <{}>: Mailbox is full";
/// A server that has lost its certificate.
pub const TLS_454: &str = "454 4.7.0 TLS not available due to local problem";
/// postgrey behind Postfix.
pub const POSTGREY_450: &str = "450 4.2.0 <{}>: Recipient address rejected: Greylisted, \
     see http://postgrey.schweikert.ch/help/lab.test.html";
/// The same from a server that says 451.
pub const POSTGREY_451: &str = "451 4.7.1 <{}>: Recipient address rejected: Greylisted, \
     see http://postgrey.schweikert.ch/help/lab.test.html";

/// Refuses a client's first attempts (RFC 6647).
#[derive(Clone, Debug)]
pub struct Greylisting {
    /// Said to the first attempt.
    pub reply: String,
    /// An attempt with the same addresses is taken when this time has passed since the first.
    pub delay: Duration,
    /// Asked before the server looks whether it knows the user, as a stock Postfix does: unknown
    /// users are put off, too.
    pub before_users: bool,
}

impl Default for Greylisting {
    fn default() -> Self {
        Self { reply: POSTGREY_450.into(), delay: Duration::from_mins(5), before_users: true }
    }
}

/// What becomes of STARTTLS where it is offered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StartTls {
    /// The handshake.
    #[default]
    Works,
    /// This reply, as [`TLS_454`].
    Refused(String),
    /// `220`, and then text where the server's part of the handshake should be.
    Garbage,
    /// `220`, and then nothing.
    Silence,
    /// `220`, and then the end of the connection.
    Closed,
}

/// What a server does about clients that make errors, counted as Postfix counts them.
#[derive(Clone, Copy, Debug)]
pub struct ErrorLimits {
    /// After this many errors every further answer of the session is late ...
    pub soft: usize,
    /// ... by this time.
    pub delay: Duration,
    /// After this many errors the session ends with 421, which follows the last answer.
    pub hard: usize,
}

impl Default for ErrorLimits {
    /// A stock Postfix.
    fn default() -> Self {
        Self { soft: 10, delay: Duration::from_secs(1), hard: 20 }
    }
}

/// First line of a greeting that is sent at once while the rest is held back, which shows who
/// does not wait (Postfix's postscreen).
#[derive(Clone, Debug)]
pub struct Teaser {
    /// The line, as `220-mail.lab.test ESMTP`.
    pub line: String,
    /// Time until the banner follows.
    pub delay: Duration,
}

/// Behaviour of an [`Exchanger`]. The default is a good MX of `lab.test` that takes mail for
/// `probe` and `postmaster` and nobody else, with STARTTLS and the limits of a stock Postfix.
///
/// In replies `{}` stands for the address they are about, without its angle brackets. A reply
/// of 2xx accepts, any other refuses.
#[derive(Clone, Debug)]
pub struct ExchangerOptions {
    /// Listening address, port 0 for any free one.
    pub listen: SocketAddr,
    /// Name in the EHLO reply.
    pub host_name: String,
    /// Greeting, without line end.
    pub banner: String,
    /// What comes before the greeting.
    pub teaser: Option<Teaser>,
    /// The connections, counted from 0, that get [`ExchangerOptions::refusal`] for a greeting:
    /// `0..1` the first, `0..usize::MAX` every one, `3..usize::MAX` from the fourth on.
    pub refused_connections: Range<usize>,
    /// The greeting of a refused connection, which then ends.
    pub refusal: String,
    /// The certificate behind STARTTLS; `None`: not offered.
    pub certificate: Option<LeafOptions>,
    /// The certificate with its chain and key as they are, in the place of one that is made for
    /// [`ExchangerOptions::certificate`].
    pub leaf: Option<Leaf>,
    /// What becomes of STARTTLS.
    pub starttls: StartTls,
    /// `530 5.7.0` to MAIL and what follows it while the session is in clear.
    pub tls_demanded: bool,
    /// EHLO is answered 502; HELO works.
    pub ehlo_refused: bool,
    /// SMTPUTF8 is offered (RFC 6531).
    pub smtputf8: bool,
    /// What the server is the final destination of.
    pub local_domains: Vec<String>,
    /// Local parts it knows there; with `postmaster` among them the bare word is good as well.
    pub recipients: Vec<String>,
    /// It takes mail for every local part, `x%y` and quoted ones included.
    pub catch_all: bool,
    /// Answer to local parts it does not know.
    pub unknown: String,
    /// Answer to recipients elsewhere in every form: one of 2xx is an open relay.
    pub foreign: String,
    /// Forms of a recipient elsewhere that are taken although [`ExchangerOptions::foreign`]
    /// refuses.
    pub open_for: Vec<Form>,
    /// Answers to single recipients, by full address in lower case: full mailboxes and the like.
    pub answers: BTreeMap<String, String>,
    /// Answers to MAIL by sender in lower case: `""` is the empty one, `"*"` whoever is not named.
    pub senders: BTreeMap<String, String>,
    /// Greylisting of recipients that would be taken, and of unknown ones.
    pub greylisting: Option<Greylisting>,
    /// What errors cost; `None`: nothing.
    pub error_limits: Option<ErrorLimits>,
    /// Recipients that one message may have; the next one is answered `452 4.5.3`.
    pub recipients_per_message: usize,
    /// Closes without an answer at the first line that begins with this text, in any case.
    pub hang_up_at: Option<String>,
}

impl Default for ExchangerOptions {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            host_name: "mail.lab.test".into(),
            banner: "220 mail.lab.test ESMTP ready".into(),
            teaser: None,
            refused_connections: 0..0,
            refusal: "421 4.7.0 mail.lab.test Error: too many connections".into(),
            certificate: Some(LeafOptions::default()),
            leaf: None,
            starttls: StartTls::Works,
            tls_demanded: false,
            ehlo_refused: false,
            smtputf8: true,
            local_domains: vec!["lab.test".into()],
            recipients: vec!["probe".into(), "postmaster".into()],
            catch_all: false,
            unknown: UNKNOWN_550.into(),
            foreign: RELAY_454.into(),
            open_for: Vec::new(),
            answers: BTreeMap::new(),
            senders: BTreeMap::new(),
            greylisting: None,
            error_limits: Some(ErrorLimits::default()),
            recipients_per_message: 1000,
            hang_up_at: None,
        }
    }
}

impl ExchangerOptions {
    /// The default under another name and at another address: one MX host of several. The
    /// certificate has both.
    #[must_use]
    pub fn named(host_name: &str, listen: SocketAddr) -> Self {
        Self {
            listen,
            host_name: host_name.into(),
            banner: format!("220 {host_name} ESMTP ready"),
            refusal: format!("421 4.7.0 {host_name} Error: too many connections"),
            certificate: Some(LeafOptions { ips: vec![listen.ip()], ..LeafOptions::server_named(host_name) }),
            ..Self::default()
        }
    }
}

/// A running exchanger; stops when dropped.
#[derive(Debug)]
pub struct Exchanger {
    host: Host,
    memory: Arc<Memory>,
}

impl Exchanger {
    /// Starts the server with a certificate of a fresh authority.
    #[must_use]
    pub fn start(options: ExchangerOptions) -> Self {
        let listen = options.listen;
        let authority = Arc::new(Authority::new("Lab Root CA"));
        Self::serve(options, listen, &authority)
            .unwrap_or_else(|error| panic!("the lab cannot listen on {listen}: {error}"))
    }

    /// Starts several on one port, as the hosts of an MX record set are, with certificates of one
    /// authority. It is the port of the first one (0: one that is free everywhere), so each needs an
    /// address of its own.
    #[must_use]
    pub fn start_all(options: &[ExchangerOptions]) -> Vec<Self> {
        Self::start_all_of(options, &Arc::new(Authority::new("Lab Root CA")))
    }

    /// The same with certificates of this authority.
    #[must_use]
    pub fn start_all_of(options: &[ExchangerOptions], authority: &Arc<Authority>) -> Vec<Self> {
        for _ in 0..100 {
            match Self::row(options, authority) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                result => return result.unwrap_or_else(|error| panic!("the lab cannot listen: {error}")),
            }
        }
        panic!("no port is free on all of these addresses");
    }

    fn row(options: &[ExchangerOptions], authority: &Arc<Authority>) -> io::Result<Vec<Self>> {
        let mut row: Vec<Self> = Vec::new();
        for options in options {
            let port = row.first().map_or(options.listen.port(), Self::port);
            let listen = SocketAddr::new(options.listen.ip(), port);
            row.push(Self::serve(options.clone(), listen, authority)?);
        }
        Ok(row)
    }

    fn serve(options: ExchangerOptions, listen: SocketAddr, authority: &Arc<Authority>) -> io::Result<Self> {
        let listener = host::listen(listen)?;
        let made = || options.certificate.as_ref().map(|wishes| authority.leaf(wishes));
        let config = options.leaf.clone().or_else(made).map(|leaf| tls::server(&leaf));
        let memory = Arc::new(Memory::default());
        let shared = Arc::clone(&memory);
        let host = Host::start(listener, Arc::clone(authority), move |number, wire, stop| {
            session::serve(number, wire, stop, &options, config.as_ref(), &shared)
        });
        Ok(Self { host, memory })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.host.address()
    }

    /// Port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.addr().port()
    }

    /// PEM file with the root certificate.
    #[must_use]
    pub fn ca_file(&self) -> &Path {
        self.host.ca_file()
    }

    /// The authority behind [`Exchanger::ca_file`].
    #[must_use]
    pub fn authority(&self) -> &Authority {
        self.host.authority()
    }

    /// Temporary folder of the server, free for files of the test.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.host.folder()
    }

    /// Number of connections so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.host.connections()
    }

    /// Everything the clients sent, see [`crate::peer::Peer::received`].
    #[must_use]
    pub fn received(&self) -> Vec<Vec<u8>> {
        self.host.received()
    }

    /// The lines of each session without their ends, what came through TLS in clear and without
    /// a mark.
    #[must_use]
    pub fn sessions(&self) -> Vec<Vec<String>> {
        let mark = String::from_utf8_lossy(TLS_MARK);
        let lines = |bytes: &Vec<u8>| {
            let text = String::from_utf8_lossy(bytes).replace(&*mark, "");
            text.lines().map(str::to_owned).collect()
        };
        self.received().iter().map(lines).collect()
    }

    /// The name that each client began TLS with (RFC 6066 section 3), in the order in which their
    /// handshakes ended, well or not.
    #[must_use]
    pub fn server_names(&self) -> Vec<Option<String>> {
        self.memory.server_names()
    }

    /// DATA commands so far, whatever became of them.
    #[must_use]
    pub fn data_commands(&self) -> usize {
        self.memory.data_commands()
    }

    /// Messages taken so far: DATA ended by its dot and answered 250.
    #[must_use]
    pub fn messages(&self) -> usize {
        self.memory.messages()
    }
}
