//! The client's failures in words for the operator. It cannot tell a server that hangs from
//! one that never spoke, nor MySQL from anything else on its port: a second look can.

use std::io::{self, Read as _};
use std::time::Duration;

use mysql::DriverError;
use mysql_common::proto::codec::error::PacketCodecError;
use rustls::CertificateError;

use super::error::{MysqlError, MysqlTrouble, is_timeout, quoted};
use super::login::{Login, Place};
use super::session::End;
use super::worker::Failure;
use crate::net::{Deadline, Phase, ProbeError, TimedStream, cause, connect, connect_unix};
use crate::proto::mysql::greeting::{Greeting, LONGEST, plain_version, read_greeting};

/// What was being done when a failure came.
pub(super) struct Wanted<'a> {
    place: &'a Place,
    /// As whom, while logging in.
    user: Option<&'a str>,
    phase: Phase,
}

impl<'a> Wanted<'a> {
    pub(super) fn login(login: &'a Login) -> Self {
        Self { place: &login.place, user: Some(&login.user), phase: Phase::Authenticating }
    }

    pub(super) const fn rows(place: &'a Place) -> Self {
        Self { place, user: None, phase: Phase::Querying }
    }

    fn object(&self) -> String {
        match self.user {
            Some(user) => format!("log in to {} as {user}", self.place),
            None => format!("query {}", self.place),
        }
    }

    fn fails(&self, trouble: MysqlTrouble, cause: impl std::fmt::Display) -> MysqlError {
        MysqlError::new(trouble, self.phase, format!("cannot {}: {cause}", self.object()))
    }

    fn violates(&self, what: impl std::fmt::Display) -> MysqlError {
        self.fails(MysqlTrouble::Protocol, format!("protocol violation: {what}"))
    }

    /// The client's failure in our words.
    pub(super) fn explain(&self, failure: Failure, deadline: &Deadline) -> MysqlError {
        use mysql::Error;
        match failure {
            Failure::Time => deadline_passed(self.phase, deadline),
            Failure::Excess => self.fails(MysqlTrouble::Protocol, "the answer is longer than any we ask for"),
            Failure::Thread(text) => self.fails(MysqlTrouble::Internal, text),
            Failure::Client(Error::MySqlError(error)) => {
                MysqlError::from_server(error.code, &error.message, self.phase, &self.object())
            }
            Failure::Client(Error::IoError(error) | Error::CodecError(PacketCodecError::Io(error))) => {
                self.broken(&error, deadline)
            }
            Failure::Client(Error::TlsError(error)) => self.tls_failed(&error.to_string()),
            Failure::Client(Error::DriverError(error)) => self.given_up(&error, deadline),
            Failure::Client(Error::CodecError(error)) => self.violates(error),
            // The values of a row, which may be long and are nobody's business here.
            Failure::Client(Error::FromValueError(_) | Error::FromRowError(_)) => self.violates("odd values"),
            Failure::Client(Error::UrlError(error)) => self.fails(MysqlTrouble::Internal, error),
        }
    }

    fn broken(&self, error: &io::Error, deadline: &Deadline) -> MysqlError {
        if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return self.tls_failed(&tls_words(error));
        }
        if is_timeout(error) {
            return deadline_passed(self.phase, deadline);
        }
        match error.kind() {
            // The one file that is read so late, and that is not there (see NO_KEY).
            io::ErrorKind::NotADirectory => self.needs_key(),
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => self.violates(cause(error)),
            io::ErrorKind::UnexpectedEof if is_packet_end(error) => {
                self.violates("a packet ends before its contents do")
            }
            _ => {
                let general = ProbeError::from_io(error, self.phase, deadline.limit());
                MysqlError { trouble: MysqlTrouble::Lost, ..MysqlError::from(general) }
            }
        }
    }

    fn needs_key(&self) -> MysqlError {
        self.fails(
            MysqlTrouble::Tls,
            "the server wants the password itself, and without TLS it would be readable on the way",
        )
        .with_hint("--ssl-mode required, or --server-public-key FILE with the server's own public_key.pem")
    }

    fn tls_failed(&self, words: &str) -> MysqlError {
        let text = format!("TLS handshake with {} failed: {words}", self.place);
        MysqlError::new(MysqlTrouble::Tls, Phase::NegotiatingTls, text)
    }

    fn given_up(&self, error: &DriverError, deadline: &Deadline) -> MysqlError {
        match error {
            DriverError::ConnectTimeout if deadline.left() < Duration::from_millis(20) => {
                deadline_passed(Phase::Connecting, deadline)
            }
            DriverError::ConnectTimeout => refused(format!("{}: no answer", self.place)),
            DriverError::CouldNotConnect(None) => refused(self.place.to_string()),
            DriverError::CouldNotConnect(Some((address, words, _))) => {
                refused(format!("{address}: {}", words.split(" (os error").next().unwrap_or_default()))
            }
            DriverError::TlsNotSupported => {
                self.fails(MysqlTrouble::Tls, "the server does not offer TLS").with_hint(
                    "set ssl_cert and ssl_key on the server, or --ssl-mode disabled for a clear connection",
                )
            }
            DriverError::UnknownAuthPlugin(name) => self.unknown_plugin(name),
            DriverError::CleartextPluginDisabled => self.unknown_plugin("mysql_clear_password"),
            DriverError::OldMysqlPasswordDisabled => self.unknown_plugin("mysql_old_password"),
            other => self.violates(other),
        }
    }

    fn unknown_plugin(&self, name: &str) -> MysqlError {
        let (cause, hint) = match name {
            "mysql_clear_password" => {
                ("the server asks for the password in the clear, which it does not get", None)
            }
            "mysql_old_password" => ("the account still has a password hash from before MySQL 4.1", None),
            _ => ("the account logs in by a plugin this client does not have", Some(OTHER_PLUGIN)),
        };
        let error = self.fails(MysqlTrouble::Denied, format!("{cause}: {}", quoted(name)));
        error.with_hint(hint.unwrap_or("give the account caching_sha2_password or mysql_native_password"))
    }
}

/// Whether it was a packet that ended, not the connection: the reader of packets says then
/// what its buffer lacks, while the end of a socket comes as a broken pipe.
fn is_packet_end(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.to_string().contains("buf"))
}

const OTHER_PLUGIN: &str =
    "it has mysql_native_password and caching_sha2_password; by unix socket also auth_socket";

fn deadline_passed(phase: Phase, deadline: &Deadline) -> MysqlError {
    ProbeError::timeout(phase, deadline.limit()).into()
}

/// The text is what stands behind `cannot connect to`: several may be joined.
fn refused(text: String) -> MysqlError {
    MysqlError::new(MysqlTrouble::Refused, Phase::Connecting, text)
}

fn tls_words(error: &rustls::Error) -> String {
    let rustls::Error::InvalidCertificate(problem) = error else { return error.to_string() };
    match problem {
        CertificateError::UnknownIssuer => {
            "the server's certificate does not lead to the CA of --ca-file".into()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the server's certificate is not for this host (--ssl-mode verify-ca does not look at the name)"
                .into()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate has expired".into()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet".into()
        }
        // What OpenSSL makes of a signing request without extensions, as old manuals show it.
        CertificateError::Other(inner) if inner.to_string().contains("UnsupportedCertVersion") => {
            "the server's certificate is of X.509 version 1, and only version 3 is read".into()
        }
        CertificateError::Other(inner) => format!("the server's certificate is not accepted: {inner}"),
        other => format!("the server's certificate is not accepted: {other}"),
    }
}

/// Time for a second look: a greeting comes at once, or not at all.
const LOOK: Duration = Duration::from_secs(1);

/// Asks the port who it is, when the failure could mean that it is not MySQL's.
pub(super) fn second_look(
    failed: MysqlError,
    wanted: &Wanted<'_>,
    end: &End,
    deadline: &Deadline,
) -> MysqlError {
    use MysqlTrouble::{Internal, Lost, Protocol, Timeout};
    if !matches!(failed.trouble, Internal | Lost | Protocol | Timeout) || deadline.left().is_zero() {
        return failed;
    }
    let limited = deadline.shortened(deadline.elapsed() + LOOK);
    let greeting = greeting_of(end, &limited);
    let silent = failed.trouble == Timeout;
    let not_mysql = |what: String| {
        let text = format!("{} is not a MySQL port: {what}", wanted.place);
        MysqlError::new(MysqlTrouble::NotMysql, Phase::Greeting, text)
    };
    match greeting {
        Some(Greeting::Refusal(code, words)) => {
            MysqlError::from_server(code, &words, Phase::Greeting, &wanted.object())
        }
        Some(Greeting::XProtocol) => {
            not_mysql("it speaks the X protocol".into()).with_hint("the classic protocol has port 3306")
        }
        Some(Greeting::Foreign(Some(line))) => not_mysql(format!("it greets with {}", quoted(&line))),
        Some(Greeting::Foreign(None)) => not_mysql("what it sends is no greeting of a server".into()),
        Some(Greeting::Server(version)) => {
            let mut known = failed;
            known.error.text.push_str(&format!(" (server {})", plain_version(&version)));
            known
        }
        Some(Greeting::Incomplete) | None if silent => {
            let mut error = deadline_passed(Phase::WaitingForBanner, deadline);
            error.error.text.push_str(&format!(" of {}", wanted.place));
            error.with_hint(
                "the port is open but silent: server hanging or paused, or a port of something else",
            )
        }
        Some(Greeting::Incomplete) => MysqlError {
            trouble: Lost,
            ..MysqlError::from(ProbeError::new(
                crate::net::Trouble::Unreachable,
                Phase::WaitingForBanner,
                format!("connection closed by {} before its greeting", wanted.place),
            ))
        },
        None => failed,
    }
}

/// What a new connection is greeted with; `None` when there is none to be had.
fn greeting_of(end: &End, deadline: &Deadline) -> Option<Greeting> {
    let phase = deadline.phase();
    let mut stream = match end {
        End::Socket(path) => connect_unix(path, deadline).ok()?,
        End::Address(address) => connect(&[*address], None, deadline).ok()?.stream,
        End::Name(name, port, family) => {
            let host = name.parse().ok()?;
            let addresses = crate::net::resolve(&host, *port, *family, deadline).ok()?;
            connect(&addresses, None, deadline).ok()?.stream
        }
    };
    deadline.enter(phase);
    Some(first_bytes(&mut stream))
}

fn first_bytes(stream: &mut TimedStream) -> Greeting {
    let mut bytes = Vec::with_capacity(LONGEST);
    let mut piece = [0; 256];
    while bytes.len() < LONGEST {
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => break,
            Ok(count) => bytes.extend_from_slice(piece.get(..count).unwrap_or_default()),
        }
        match read_greeting(&bytes) {
            Greeting::Incomplete => {}
            known => return known,
        }
    }
    read_greeting(&bytes)
}
