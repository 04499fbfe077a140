//! TLS as a client: on rustls with ring, or, in a build with the feature `native-tls`, on the
//! system's OpenSSL (docs/adr/0012).
//!
//! The certificate is data: the handshake is completed whatever the chain looks like
//! (the server must still prove that it holds the key), and chain, name and dates are
//! judged afterwards, one by one. So a bad certificate still shows its subject and days.
//! A caller that is about to send a secret asks [`TlsSeen::trusted`] first.

mod algorithms;
mod builtin;
mod captured;
mod certificate;
mod details;
#[cfg(feature = "native-tls")]
mod native;
mod recorder;
mod verify;

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde::{Deserialize, Serialize};

use super::error::{ProbeError, Trouble};
use super::phase::Phase;
use super::secret::read_secret_file;
use super::tcp::TimedStream;
use crate::proto::names::Host;
#[cfg(feature = "sasl")]
use crate::proto::sasl::ChannelBinding;
use crate::proto::text::decode;

pub use algorithms::{key_names, signature_names};
pub use captured::{ChainJudge, JudgedChain, fetch_chain};
pub use certificate::CertificateSeen;
pub use details::{CertificateDetails, KeyKind, KeySeen, RsaKey, SignatureSeen, bare_rsa_bits};

/// Which library speaks TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backend {
    /// rustls, in every build.
    #[default]
    Rustls,
    /// The system's OpenSSL, in builds with the feature `native-tls`.
    Native,
}

impl Backend {
    /// Whether this build has it.
    #[must_use]
    pub const fn is_built(self) -> bool {
        match self {
            Self::Rustls => true,
            Self::Native => cfg!(feature = "native-tls"),
        }
    }
}

/// Lowest protocol version to accept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum MinimumVersion {
    /// RFC 2246; [`Backend::Native`] only, like the next.
    Tls10,
    /// RFC 4346
    Tls11,
    /// RFC 5246
    #[default]
    Tls12,
    /// RFC 8446
    Tls13,
}

/// Whom to trust.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// The system's CA certificates.
    #[default]
    System,
    /// The CA certificates of a PEM file.
    CaFile(PathBuf),
    /// Nobody is asked; the certificate's facts are still shown.
    Anyone,
}

/// What the command line says about TLS.
#[derive(Clone, Debug, Default)]
pub struct TlsOptions {
    /// Who speaks.
    pub backend: Backend,
    /// Name to send as SNI and to expect in the certificate, if not the host's.
    pub server_name: Option<String>,
    /// Lowest version.
    pub minimum: MinimumVersion,
    /// Whom to trust.
    pub trust: Trust,
    /// Client certificate chain and key, PEM files.
    pub client: Option<(PathBuf, PathBuf)>,
}

/// What a handshake showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsSeen {
    /// `TLSv1.0` to `TLSv1.3`; empty when the handshake failed after the certificate.
    pub version: String,
    /// IANA name of the cipher suite.
    pub suite: String,
    /// The name the certificate was held against; empty when it was not.
    pub server_name: String,
    /// The certificates as sent, the server's own first.
    pub chain: Vec<CertificateSeen>,
    /// Whether the chain was judged at all (not with `--insecure`).
    pub judged: bool,
    /// Why the chain does not lead to a trusted CA; dates aside.
    pub chain_problem: Option<String>,
    /// Why the certificate is not for this name.
    pub name_problem: Option<String>,
    /// Earliest end of validity, Unix time: over the certificates of the verified path,
    /// or over all that were sent when there is none.
    pub not_after: Option<i64>,
    /// Latest begin of validity, likewise.
    pub not_before: Option<i64>,
    /// Whether both dates held at the time of the handshake.
    pub dates_valid: bool,
}

impl TlsSeen {
    /// Whether the peer proved to be who it should be. False with `--insecure`.
    #[must_use]
    pub const fn trusted(&self) -> bool {
        self.judged && self.chain_problem.is_none() && self.name_problem.is_none() && self.dates_valid
    }

    /// Why the peer is not trusted, if it is not.
    #[must_use]
    pub fn distrust(&self) -> Option<&str> {
        let dates = (!self.dates_valid).then_some("it is not valid at this time");
        let unjudged = (!self.judged).then_some("it was not judged");
        self.chain_problem.as_deref().or(self.name_problem.as_deref()).or(dates).or(unjudged)
    }
}

/// A handshake that failed.
#[derive(Debug)]
pub struct HandshakeFailure {
    /// What went wrong.
    pub error: ProbeError,
    /// The certificate, if the server got that far.
    pub seen: Option<TlsSeen>,
    /// What the server sent instead of TLS, if it was text.
    pub plaintext: Option<Vec<u8>>,
}

impl HandshakeFailure {
    /// `first` is the beginning of what the server sent.
    fn new(error: ProbeError, seen: Option<TlsSeen>, first: &[u8]) -> Box<Self> {
        // Only the first line: behind words that somebody injected comes the server's own TLS.
        let first = first.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
        let is_text = !first.trim_ascii().is_empty()
            && first.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
        if !is_text {
            return Box::new(Self { error, seen, plaintext: None });
        }
        let words = decode(first);
        let error = handshake_failed(format!("the server answered in plaintext \"{}\"", words.trim_end()));
        Box::new(Self { error, seen, plaintext: Some(first.to_vec()) })
    }
}

/// An encrypted connection.
pub type TlsStream = Box<dyn TlsSession>;

/// What the dialogue inside TLS needs of it.
pub trait TlsSession {
    /// Some decrypted bytes; 0 when the peer has ended the session.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Sends all of it.
    fn send(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// The connection below.
    fn tcp(&self) -> &TimedStream;

    /// The connection below; for its time limit, not for bytes.
    fn tcp_mut(&mut self) -> &mut TimedStream;

    /// Tells the peer that nothing more comes, and waits for nothing.
    fn close(&mut self);

    /// The TLS error behind an I/O error of this connection, if it is one.
    fn explain(&self, error: &io::Error) -> Option<ProbeError>;

    /// The certificates that the peer showed, in DER, its own first.
    fn chain(&self) -> Vec<Vec<u8>>;

    /// What an exchange inside the connection can be tied to: `tls-exporter` (RFC 9266) under
    /// TLS 1.3, `tls-server-end-point` (RFC 5929 section 4) before. `None` when the
    /// certificate's signature has no digest for it.
    #[cfg(feature = "sasl")]
    fn channel_binding(&self) -> Option<ChannelBinding>;
}

/// What a back-end does.
trait Library {
    fn handshake(&self, stream: TimedStream) -> Result<(TlsStream, TlsSeen), Box<HandshakeFailure>>;
}

// As supertraits these would link the whole inner life of rustls into each plugin: 18 kB.
impl fmt::Debug for dyn TlsSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsSession").field("tcp", self.tcp()).finish_non_exhaustive()
    }
}

impl fmt::Debug for dyn Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Library")
    }
}

/// Everything a handshake needs, read and checked before anything is sent.
#[derive(Debug)]
pub struct Connector(Box<dyn Library>);

impl Connector {
    /// Reads the files named in the options and prepares a handshake with `host`.
    pub fn new(options: &TlsOptions, host: &Host) -> Result<Self, ProbeError> {
        let server_name = server_name(options.server_name.as_deref(), host)?;
        Ok(Self(match options.backend {
            Backend::Rustls => Box::new(builtin::Connector::new(options, server_name)?),
            #[cfg(feature = "native-tls")]
            Backend::Native => Box::new(native::Connector::new(options, server_name)?),
            #[cfg(not(feature = "native-tls"))]
            Backend::Native => return Err(ProbeError::local("this build has no native TLS back-end")),
        }))
    }

    /// Negotiates TLS over a connection.
    pub fn handshake(&self, stream: TimedStream) -> Result<(TlsStream, TlsSeen), Box<HandshakeFailure>> {
        self.0.handshake(stream)
    }
}

/// RFC 9266 section 4.2.
#[cfg(feature = "sasl")]
const EXPORTER_LABEL: &str = "EXPORTER-Channel-Binding";

fn handshake_failed(cause: impl fmt::Display) -> ProbeError {
    ProbeError::new(Trouble::Tls, Phase::NegotiatingTls, format!("TLS handshake failed: {cause}"))
}

fn server_name(given: Option<&str>, host: &Host) -> Result<ServerName<'static>, ProbeError> {
    let name = match (given, host) {
        (Some(name), _) => name.to_owned(),
        (None, Host::Scoped(scoped)) => scoped.split('%').next().unwrap_or_default().to_owned(),
        (None, host) => host.to_string(),
    };
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(ServerName::from(address));
    }
    let name = name.trim_end_matches('.').to_owned();
    ServerName::try_from(name.clone())
        .map_err(|_| ProbeError::local(format!("--sni: '{name}' cannot stand in a certificate")))
}

/// Reads the certificates of a PEM file; none is an error.
pub(crate) fn read_certificates(what: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, ProbeError> {
    let shown = format!("the {what} {}", path.display());
    let pem = std::fs::read(path)
        .map_err(|error| ProbeError::local(format!("cannot read {shown}: {}", super::cause(&error))))?;
    let certificates = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| ProbeError::local(format!("cannot read {shown}: not PEM: {error}")))?;
    if certificates.is_empty() {
        return Err(ProbeError::local(format!("cannot read {shown}: it holds no certificate in PEM form")));
    }
    Ok(certificates)
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, ProbeError> {
    let pem = read_secret_file(path)?;
    PrivateKeyDer::from_pem_slice(&pem).map_err(|_| {
        ProbeError::local(format!("cannot read {}: it holds no private key in PEM form", path.display()))
    })
}
