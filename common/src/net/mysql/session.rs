//! A connection that is logged in, and the way there.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use mysql::{ClientIdentity, Opts, OptsBuilder, SslOpts};

use super::error::{MysqlError, MysqlTrouble};
use super::explain::{Wanted, second_look};
use super::login::{Login, Place, SslMode};
use super::row::Row;
use super::worker::Worker;
use crate::net::tls::MinimumVersion;
use crate::net::{Deadline, Family, Phase, ProbeError, cause, read_secret_file, resolve};

/// A logged-in connection.
#[derive(Debug)]
pub struct Session {
    worker: Worker,
    server: Server,
    thread_id: u32,
    deadline: Deadline,
}

/// What a session is connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Where it was asked for.
    pub place: Place,
    /// Where it answered, unless by unix socket or by a name that the certificate must carry.
    pub address: Option<SocketAddr>,
    /// Whether TLS is spoken.
    pub is_encrypted: bool,
    /// What the operator should know about this connection.
    pub notes: Vec<String>,
}

/// Left over at the end for a second look, or for the caller to ask somebody else.
const RESERVE: Duration = Duration::from_millis(500);
/// Of one packet. With a value here the client does not ask the server for its own.
const LARGEST_PACKET: usize = 16 << 20;
/// A key file that is never there: without one, the client would fetch the key from whoever
/// answers, and so show the password to somebody in between.
const NO_KEY: &str = "/dev/null/no-server-public-key";

impl Session {
    /// Connects and logs in.
    pub fn connect(login: &Login, deadline: &Deadline) -> Result<Self, MysqlError> {
        check_files(login)?;
        let ends = ends(login, deadline)?;
        let mut failed = Vec::new();
        for (index, end) in ends.iter().enumerate() {
            let untried = u32::try_from(ends.len() - index).unwrap_or(u32::MAX);
            let share = deadline.remaining()? / untried;
            match Self::at(login, end, share, deadline) {
                Err(error) if error.trouble == MysqlTrouble::Refused => failed.push(error),
                decided => return decided,
            }
        }
        let causes: Vec<&str> = failed.iter().map(|error| error.error.text.as_str()).collect();
        let text = format!("cannot connect to {}", causes.join(", "));
        Err(MysqlError::new(MysqlTrouble::Refused, Phase::Connecting, text))
    }

    /// The rows of a statement.
    pub fn rows(&mut self, statement: &str) -> Result<Vec<Row>, MysqlError> {
        let deadline = self.deadline.clone();
        self.rows_before(statement, &deadline)
    }

    /// The same with an earlier end. After a timeout this session answers no more.
    pub fn rows_before(&mut self, statement: &str, deadline: &Deadline) -> Result<Vec<Row>, MysqlError> {
        deadline.enter(Phase::Querying);
        let time = deadline.remaining()?;
        self.worker
            .rows(statement, time)
            .map_err(|failure| Wanted::rows(&self.server.place).explain(failure, deadline))
    }

    /// Number of our thread in the server's process list.
    #[must_use]
    pub const fn thread_id(&self) -> u32 {
        self.thread_id
    }

    /// The deadline it keeps.
    #[must_use]
    pub const fn deadline(&self) -> &Deadline {
        &self.deadline
    }

    /// What this is connected to.
    #[must_use]
    pub const fn server(&self) -> &Server {
        &self.server
    }

    /// Tries the ways that the mode allows, in their order.
    fn at(login: &Login, end: &End, share: Duration, deadline: &Deadline) -> Result<Self, MysqlError> {
        let ways = ways(login.tls.mode, end);
        let mut outcome = Self::by(login, end, ways.first, share, deadline);
        if let (Err(error), Some(second)) = (&outcome, ways.second)
            && error.trouble == MysqlTrouble::Tls
            && error.error.phase == Phase::Authenticating
        {
            outcome = Self::by(login, end, second, share, deadline);
        }
        outcome
    }

    fn by(
        login: &Login,
        end: &End,
        way: Way,
        share: Duration,
        deadline: &Deadline,
    ) -> Result<Self, MysqlError> {
        let opts = options(login, end, way, share, deadline)?;
        // One call does all of it; most of it is the login.
        deadline.enter(Phase::Authenticating);
        let time = deadline.remaining()?;
        let (worker, thread_id) =
            Worker::connect(opts, time.saturating_sub(RESERVE.min(time / 4))).map_err(|failure| {
                let wanted = Wanted::login(login);
                second_look(wanted.explain(failure, deadline), &wanted, end, deadline)
            })?;
        let server = Server {
            place: login.place.clone(),
            address: end.address(),
            is_encrypted: way == Way::Encrypted,
            notes: notes(login, end, way),
        };
        Ok(Self { worker, server, thread_id, deadline: deadline.clone() })
    }
}

/// One place to connect to.
#[derive(Debug)]
pub(super) enum End {
    Socket(PathBuf),
    Address(SocketAddr),
    /// A name that has to stand in the certificate, so the client has to know it.
    Name(String, u16, Family),
}

impl End {
    const fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Address(address) => Some(*address),
            Self::Socket(_) | Self::Name(..) => None,
        }
    }

    /// Whether nobody else can listen.
    fn is_local(&self) -> bool {
        match self {
            Self::Socket(_) => true,
            Self::Address(address) => address.ip().is_loopback(),
            Self::Name(..) => false,
        }
    }
}

fn ends(login: &Login, deadline: &Deadline) -> Result<Vec<End>, MysqlError> {
    match &login.place {
        Place::Socket(path) => Ok(vec![End::Socket(path.clone())]),
        Place::Tcp { host, port, family }
            if login.tls.mode == SslMode::VerifyIdentity && host.address().is_none() =>
        {
            // For its own words when there is no such name; the client looks it up again.
            resolve(host, *port, *family, deadline)?;
            Ok(vec![End::Name(host.lookup_name(), *port, *family)])
        }
        Place::Tcp { host, port, family } => {
            Ok(resolve(host, *port, *family, deadline)?.into_iter().map(End::Address).collect())
        }
    }
}

/// Whether a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Clear,
    Encrypted,
}

/// What is tried, and what if TLS was the obstacle.
#[derive(Debug, PartialEq, Eq)]
struct Ways {
    first: Way,
    second: Option<Way>,
}

/// On loopback `preferred` begins without TLS: nobody listens there, and a server without
/// TLS notes every connection that asks for it in vain.
fn ways(mode: SslMode, end: &End) -> Ways {
    let (first, second) = match (mode, end) {
        (_, End::Socket(_)) | (SslMode::Disabled, _) => (Way::Clear, None),
        (SslMode::Preferred, end) if end.is_local() => (Way::Clear, Some(Way::Encrypted)),
        (SslMode::Preferred, _) => (Way::Encrypted, Some(Way::Clear)),
        _ => (Way::Encrypted, None),
    };
    Ways { first, second }
}

fn notes(login: &Login, end: &End, way: Way) -> Vec<String> {
    let mut notes = login.notes.clone();
    if way == Way::Clear && !end.is_local() {
        notes.push("the connection is not encrypted: statements and rows can be read on the way".into());
    }
    notes
}

/// Files the client will open: their mistakes are ours, and must not look like the server's.
fn check_files(login: &Login) -> Result<(), ProbeError> {
    let read = |path: &Path| {
        std::fs::read_to_string(path)
            .map_err(|error| ProbeError::local(format!("cannot read {}: {}", path.display(), cause(&error))))
    };
    let certificates = login.tls.ca.iter().chain(login.tls.client.iter().map(|(chain, _)| chain));
    for path in certificates {
        if !read(path)?.contains("-----BEGIN CERTIFICATE-----") {
            return Err(ProbeError::local(format!("no PEM certificate in {}", path.display())));
        }
    }
    if let Some((_, key)) = &login.tls.client {
        let text = read_secret_file(key)?;
        if !text.windows(PRIVATE_KEY.len()).any(|window| window == PRIVATE_KEY) {
            return Err(ProbeError::local(format!("no PEM private key in {}", key.display())));
        }
    }
    if let Some(path) = &login.server_key
        && !read(path)?.contains("-----BEGIN PUBLIC KEY-----")
    {
        return Err(ProbeError::local(format!("no PEM public key in {}", path.display())));
    }
    Ok(())
}

const PRIVATE_KEY: &[u8] = b"PRIVATE KEY-----";

fn options(
    login: &Login,
    end: &End,
    way: Way,
    share: Duration,
    deadline: &Deadline,
) -> Result<Opts, MysqlError> {
    let password = std::str::from_utf8(&login.password)
        .map_err(|_| ProbeError::local("the password is not UTF-8, which the client cannot send"))?;
    let left = deadline.remaining()?;
    let server_key = login.server_key.clone().unwrap_or_else(|| NO_KEY.into());
    let mut builder = OptsBuilder::new()
        .user(Some(login.user.as_str()))
        .pass(Some(password))
        // Or it moves to whatever socket the server names, which may be another server's.
        .prefer_socket(false)
        .max_allowed_packet(Some(LARGEST_PACKET))
        .stmt_cache_size(0)
        .tcp_connect_timeout(Some(share))
        .read_timeout(Some(left))
        .write_timeout(Some(left))
        .server_key_path(Some(server_key))
        .connect_attrs(Some(HashMap::from([("program_name", login.program)])));
    builder = match end {
        End::Socket(path) => {
            let path =
                path.to_str().ok_or_else(|| ProbeError::local("the path of the socket is not UTF-8"))?;
            builder.socket(Some(path))
        }
        End::Address(address) => {
            builder.ip_or_hostname(Some(address.ip().to_string())).tcp_port(address.port())
        }
        End::Name(name, port, family) => {
            builder.ip_or_hostname(Some(name.as_str())).tcp_port(*port).bind_address(any_of(*family))
        }
    };
    Ok(if way == Way::Encrypted { builder.ssl_opts(ssl_options(login)) } else { builder }.into())
}

/// Our end, to choose the family of the other one.
fn any_of(family: Family) -> Option<SocketAddr> {
    let any: IpAddr = match family {
        Family::Any => return None,
        Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
        Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
    };
    Some(SocketAddr::new(any, 0))
}

fn ssl_options(login: &Login) -> SslOpts {
    let mode = login.tls.mode;
    let identity = login.tls.client.clone().map(|(chain, key)| ClientIdentity::new(chain, key));
    let ssl = SslOpts::default()
        .with_client_identity(identity)
        .with_root_cert_path(login.tls.ca.clone())
        .with_danger_accept_invalid_certs(!mode.verifies())
        .with_danger_skip_domain_validation(mode != SslMode::VerifyIdentity);
    // Without a suite of TLS 1.2 there is no TLS 1.2.
    if login.tls.minimum == MinimumVersion::Tls13 { ssl.with_cipher_suites(TLS13_SUITES) } else { ssl }
}

const TLS13_SUITES: &[rustls::SupportedCipherSuite] = &[
    rustls::crypto::ring::cipher_suite::TLS13_AES_256_GCM_SHA384,
    rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256,
    rustls::crypto::ring::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn end(address: &str) -> End {
        End::Address(address.parse().unwrap())
    }

    #[test]
    fn preferred_is_clear_first_where_nobody_listens() {
        let order = |mode, end: &End| {
            let ways = ways(mode, end);
            (ways.first, ways.second)
        };
        let (near, far) = (end("127.0.0.1:3306"), end("192.0.2.1:3306"));
        assert_eq!(order(SslMode::Preferred, &near), (Way::Clear, Some(Way::Encrypted)));
        assert_eq!(order(SslMode::Preferred, &far), (Way::Encrypted, Some(Way::Clear)));
        for strict in [SslMode::Required, SslMode::VerifyCa, SslMode::VerifyIdentity] {
            assert_eq!(order(strict, &near), (Way::Encrypted, None), "{strict}");
            assert_eq!(order(strict, &far), (Way::Encrypted, None), "{strict}");
        }
        assert_eq!(order(SslMode::Disabled, &far), (Way::Clear, None));
        assert_eq!(order(SslMode::Required, &End::Socket("/run/x".into())), (Way::Clear, None));
    }
}
