//! TLS as a client, on rustls with ring.
//!
//! The certificate is data: the handshake is completed whatever the chain looks like
//! (the server must still prove that it holds the key), and chain, name and dates are
//! judged afterwards, one by one. So a bad certificate still shows its subject and days.
//! A caller that is about to send a secret asks [`TlsSeen::trusted`] first.

mod certificate;
mod recorder;
mod verify;

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, StreamOwned, SupportedProtocolVersion};
use serde::{Deserialize, Serialize};

use super::error::{ProbeError, Trouble};
use super::phase::Phase;
use super::secret::read_secret_file;
use super::tcp::TimedStream;
use crate::proto::names::Host;
#[cfg(feature = "sasl")]
use crate::proto::sasl::ChannelBinding;
use crate::proto::text::decode;

pub use certificate::CertificateSeen;
use recorder::{FirstBytes, Recorder};
use verify::Anchors;

/// An encrypted connection.
pub type TlsStream = StreamOwned<ClientConnection, TimedStream>;

/// Lowest protocol version to accept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MinimumVersion {
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
    /// `TLSv1.2` or `TLSv1.3`; empty when the handshake failed after the certificate.
    pub version: String,
    /// IANA name of the cipher suite.
    pub suite: String,
    /// The name the certificate was held against.
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

/// Everything a handshake needs, read and checked before anything is sent.
#[derive(Debug)]
pub struct Connector {
    config: Arc<ClientConfig>,
    recorder: Arc<Recorder>,
    server_name: ServerName<'static>,
    trust: Trust,
    /// Anchors of `--ca-file`; the system's are loaded when a chain is to be judged.
    anchors: Option<Anchors>,
}

impl Connector {
    /// Reads the files named in the options and prepares a handshake with `host`.
    pub fn new(options: &TlsOptions, host: &Host) -> Result<Self, ProbeError> {
        let server_name = server_name(options.server_name.as_deref(), host)?;
        let anchors = match &options.trust {
            Trust::CaFile(path) => Some(Anchors::from_file(path)?),
            Trust::System | Trust::Anyone => None,
        };
        let provider = Arc::new(ring::default_provider());
        let recorder = Arc::new(Recorder::new(provider.signature_verification_algorithms));
        let config = client_config(options, provider, Arc::clone(&recorder))?;
        Ok(Self { config: Arc::new(config), recorder, server_name, trust: options.trust.clone(), anchors })
    }

    /// Negotiates TLS over a connection.
    pub fn handshake(&self, mut stream: TimedStream) -> Result<(TlsStream, TlsSeen), Box<HandshakeFailure>> {
        let deadline = stream.deadline().clone();
        deadline.enter(Phase::NegotiatingTls);
        let mut connection = ClientConnection::new(Arc::clone(&self.config), self.server_name.clone())
            .map_err(|error| self.failed(tls_error(&error), &[]))?;
        let mut first = FirstBytes::default();
        while connection.is_handshaking() {
            let step = if connection.wants_write() {
                connection.write_tls(&mut stream).map(|_| ())
            } else {
                read_step(&mut connection, &mut first.over(&mut stream))
            };
            if let Err(error) = step {
                // The alert, so that the server's log names the reason too.
                let _ = connection.write_tls(&mut stream);
                let error = match tls_cause(&error) {
                    Some(cause) => tls_error(cause),
                    None => ProbeError::from_io(&error, Phase::NegotiatingTls, deadline.limit()),
                };
                return Err(self.failed(error, first.bytes()));
            }
        }
        let mut seen = self.judge().map_err(|error| self.failed(error, &[]))?;
        seen.version = connection.protocol_version().map(version_name).unwrap_or_default();
        let suite = connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
        seen.suite = suite.map(str::to_owned).unwrap_or_default();
        Ok((StreamOwned::new(connection, stream), seen))
    }

    /// What an exchange inside the connection can be tied to: `tls-exporter` (RFC 9266) under
    /// TLS 1.3, `tls-server-end-point` (RFC 5929 section 4) under TLS 1.2. `None` when the
    /// certificate's signature has no digest for it.
    #[cfg(feature = "sasl")]
    #[must_use]
    pub fn channel_binding(&self, stream: &TlsStream) -> Option<ChannelBinding> {
        if stream.conn.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_3) {
            let exported =
                stream.conn.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b""));
            return exported.ok().map(|key| ChannelBinding::TlsExporter(key.to_vec()));
        }
        let digest = certificate::end_point_digest(self.recorder.chain().first()?)?;
        Some(ChannelBinding::TlsServerEndPoint(digest))
    }

    /// Judges the recorded chain. Loads the system's CA certificates if they are needed.
    fn judge(&self) -> Result<TlsSeen, ProbeError> {
        let chain = self.recorder.chain();
        match (&self.anchors, &self.trust) {
            (Some(anchors), _) => Ok(verify::judge(&chain, &self.server_name, Some(anchors))),
            (None, Trust::Anyone) => Ok(verify::judge(&chain, &self.server_name, None)),
            (None, _) => Ok(verify::judge(&chain, &self.server_name, Some(&Anchors::from_system()?))),
        }
    }

    fn failed(&self, error: ProbeError, first: &[u8]) -> Box<HandshakeFailure> {
        let seen = if self.recorder.chain().is_empty() { None } else { self.judge().ok() };
        // Only the first line: behind words that somebody injected comes the server's own TLS.
        let first = first.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
        let is_text = !first.trim_ascii().is_empty()
            && first.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
        if !is_text {
            return Box::new(HandshakeFailure { error, seen, plaintext: None });
        }
        let text = format!("TLS handshake failed: the server answered in plaintext {}", quoted(first));
        let error = ProbeError::new(Trouble::Tls, Phase::NegotiatingTls, text);
        Box::new(HandshakeFailure { error, seen, plaintext: Some(first.to_vec()) })
    }
}

fn quoted(bytes: &[u8]) -> String {
    format!("\"{}\"", decode(bytes).trim_end())
}

fn read_step(connection: &mut ClientConnection, stream: &mut impl io::Read) -> io::Result<()> {
    if connection.read_tls(stream)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    connection
        .process_new_packets()
        .map(|_| ())
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// The TLS error inside an I/O error, which is also how one arrives after the handshake
/// (a client certificate refused under TLS 1.3, for instance).
pub(crate) fn tls_cause(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

pub(crate) fn tls_error(error: &rustls::Error) -> ProbeError {
    let failure = ProbeError::new(
        Trouble::Tls,
        Phase::NegotiatingTls,
        format!("TLS handshake failed: {}", error_words(error)),
    );
    match error {
        rustls::Error::PeerIncompatible(_)
        | rustls::Error::AlertReceived(
            rustls::AlertDescription::ProtocolVersion
            | rustls::AlertDescription::HandshakeFailure
            | rustls::AlertDescription::InsufficientSecurity,
        ) => failure.with_hint(
            "no version, suite or signature in common: this check speaks TLS 1.2 and 1.3 with ECDHE and AEAD suites",
        ),
        _ => failure,
    }
}

fn error_words(error: &rustls::Error) -> String {
    match error {
        rustls::Error::AlertReceived(alert) => format!("the server sent the alert {}", alert_name(*alert)),
        rustls::Error::InvalidMessage(_) => "the server's answer is not TLS".to_owned(),
        other => other.to_string(),
    }
}

/// The name of RFC 8446 section 6, `handshake_failure`, which servers' logs use as well.
fn alert_name(alert: rustls::AlertDescription) -> String {
    let mut name = String::new();
    let mut after_small = false;
    for c in format!("{alert:?}").chars() {
        if after_small && c.is_ascii_uppercase() {
            name.push('_');
        }
        after_small = c.is_ascii_lowercase();
        name.push(c.to_ascii_lowercase());
    }
    name
}

fn version_name(version: rustls::ProtocolVersion) -> String {
    match version {
        rustls::ProtocolVersion::TLSv1_2 => "TLSv1.2".to_owned(),
        rustls::ProtocolVersion::TLSv1_3 => "TLSv1.3".to_owned(),
        other => format!("{other:?}"),
    }
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

fn client_config(
    options: &TlsOptions,
    provider: Arc<CryptoProvider>,
    recorder: Arc<Recorder>,
) -> Result<ClientConfig, ProbeError> {
    const BOTH: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];
    const ONLY_13: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];
    let versions = match options.minimum {
        MinimumVersion::Tls12 => BOTH,
        MinimumVersion::Tls13 => ONLY_13,
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|error| ProbeError::local(format!("cannot set up TLS: {error}")))?
        .dangerous()
        .with_custom_certificate_verifier(recorder);
    let mut config = match &options.client {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = read_certificates("client certificate", certificate)?;
            builder.with_client_auth_cert(chain, read_key(key)?).map_err(|error| {
                let text = format!("cannot use {} with {}: {error}", certificate.display(), key.display());
                ProbeError::local(text)
            })?
        }
    };
    // One connection and no second one: tickets would only cost time.
    config.resumption = Resumption::disabled();
    Ok(config)
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
