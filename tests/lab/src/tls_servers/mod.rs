//! Real TLS servers with everything that they can still be made to offer, each with the truth
//! about itself: how many suites it takes for which version.
//!
//! | module | server | speaks |
//! |---|---|---|
//! | [`nginx`] | nginx | as Debian has it; all suites; Mozilla's intermediate list |
//! | [`openssl`] | `openssl s_server` | TLS 1.0 to 1.3: NULL, anonymous, Camellia, ARIA; one connection at a time |
//! | [`openssl`] | the same of OpenSSL 1.1.1 and 3.6, built from source | SSLv3, RC4, 3DES, IDEA, SEED; ML-KEM |
//! | [`gnutls`] | `gnutls-serv` | TLS 1.0 to 1.3: RC4, 3DES; one connection at a time |
//! | [`java`] | Java 17 | SSLv3 to TLS 1.3: EXPORT, DES, RC4, NULL, anonymous |
//! | [`tlslite`] | tlslite-ng | SSLv3 to TLS 1.2: RC4, NULL, 3DES; TLS 1.2 and 1.3 with ML-KEM |
//! | [`mail`] | Postfix, Dovecot | SMTP, LMTP, IMAP, POP3 and ManageSieve, before TLS or in it |
//! | [`configured`] | nginx, Apache, Postfix, Dovecot, Exim | what the lines of their configuration say, with a library that forbids nothing |
//! | [`faulty`] | Node.js 0.10, tlslite 0.4 | Heartbleed, CCS injection; an oracle for RSA key exchange |
//! | [`databases`] | MariaDB, PostgreSQL, OpenLDAP | TLS after a request of their protocol |
//! | [`vsftpd`] | vsftpd | FTP with AUTH TLS |
//! | [`chat`] | Prosody, InspIRCd | XMPP for clients and servers, IRC with STARTTLS |
//! | [`inn`] | nnrpd of INN | NNTP with STARTTLS |
//! | [`remote`] | xrdp, C-Kermit | RDP with TLS, Telnet with START_TLS |

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::acceptor::Acceptor;
use crate::postfix::Postfix;
use crate::process::{Daemon, Group, free_port};
use crate::tls_probe::Target;
use crate::tls_script::{Protocol, Version};

pub mod chat;
pub mod configured;
pub mod databases;
pub mod faulty;
pub mod gnutls;
pub mod inn;
pub mod java;
mod keys;
pub mod mail;
pub mod nginx;
pub mod openssl;
pub mod remote;
pub mod tlslite;
pub mod vsftpd;

pub use keys::{Identity, Keys};

/// Java compiles its program first, which takes a busy machine long.
const PATIENCE: Duration = Duration::from_mins(1);

/// Versions with the number of suites that a server takes for each; it speaks no other.
pub type Truth = &'static [(Version, usize)];

/// A TLS server of the lab; stops when dropped.
#[derive(Debug)]
pub struct TlsServer {
    running: Running,
    port: u16,
    starttls: Option<Protocol>,
    truth: Truth,
}

/// What keeps a server up.
#[derive(Debug)]
enum Running {
    Daemon(Daemon),
    Postfix(Box<Postfix>),
    /// A process for each connection.
    PerConnection {
        _acceptor: Acceptor,
        log: PathBuf,
    },
}

impl TlsServer {
    /// Starts the command for a free port and waits, without connecting, until it listens.
    fn start(name: &str, keys: &Keys, truth: Truth, command: impl FnOnce(u16) -> Command) -> Self {
        Self::start_in(Group::FromLab, name, keys, truth, command)
    }

    fn start_in(
        group: Group,
        name: &str,
        keys: &Keys,
        truth: Truth,
        command: impl FnOnce(u16) -> Command,
    ) -> Self {
        let port = free_port();
        let log = keys.folder().join(format!("{port}.log"));
        let mut daemon = Daemon::spawn(name, command(port), group, &log);
        daemon.wait_listening_within(port, PATIENCE);
        Self { running: Running::Daemon(daemon), port, starttls: None, truth }
    }

    /// The same server, which changes to TLS in the middle of this protocol.
    fn behind(self, protocol: Protocol) -> Self {
        Self { starttls: Some(protocol), ..self }
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What is spoken before TLS.
    #[must_use]
    pub fn starttls(&self) -> Option<Protocol> {
        self.starttls
    }

    /// The way to its TLS.
    #[must_use]
    pub fn target(&self) -> Target {
        Target { address: self.addr(), starttls: self.starttls }
    }

    /// What it takes.
    #[must_use]
    pub fn truth(&self) -> Truth {
        self.truth
    }

    /// The number of pairs of version and suite that it takes.
    #[must_use]
    pub fn pairs(&self) -> usize {
        self.truth.iter().map(|(_, suites)| suites).sum()
    }

    /// What it has written so far.
    #[must_use]
    pub fn log(&self) -> String {
        match &self.running {
            Running::Daemon(daemon) => daemon.log_text(),
            Running::Postfix(postfix) => postfix.log(),
            Running::PerConnection { log, .. } => std::fs::read_to_string(log).unwrap_or_default(),
        }
    }
}

impl From<&TlsServer> for Target {
    fn from(server: &TlsServer) -> Self {
        server.target()
    }
}
