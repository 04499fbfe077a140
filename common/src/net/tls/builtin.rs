//! The built-in back-end: rustls with ring (docs/adr/0002).

use std::io::{self, Read, Write};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned, SupportedProtocolVersion};

use super::recorder::{FirstBytes, Recorder};
use super::verify::{self, Anchors};
use super::{
    HandshakeFailure, Library, MinimumVersion, TlsOptions, TlsSeen, TlsSession, TlsStream, Trust,
    handshake_failed, read_certificates, read_key,
};
use crate::net::error::ProbeError;
use crate::net::phase::Phase;
use crate::net::tcp::TimedStream;
#[cfg(feature = "sasl")]
use crate::proto::sasl::ChannelBinding;

/// Everything a handshake needs, read and checked before anything is sent.
#[derive(Debug)]
pub(super) struct Connector {
    config: Arc<ClientConfig>,
    recorder: Arc<Recorder>,
    server_name: ServerName<'static>,
    trust: Trust,
    /// Anchors of `--ca-file`; the system's are loaded when a chain is to be judged.
    anchors: Option<Anchors>,
}

impl Connector {
    pub(super) fn new(options: &TlsOptions, server_name: ServerName<'static>) -> Result<Self, ProbeError> {
        let anchors = match &options.trust {
            Trust::CaFile(path) => Some(Anchors::from_file(path)?),
            Trust::System | Trust::Anyone => None,
        };
        let provider = Arc::new(ring::default_provider());
        let recorder = Arc::new(Recorder::verifying(provider.signature_verification_algorithms));
        let config = client_config(options, provider, Arc::clone(&recorder))?;
        Ok(Self { config: Arc::new(config), recorder, server_name, trust: options.trust.clone(), anchors })
    }

    /// Judges the recorded chain. Loads the system's CA certificates if they are needed.
    fn judge(&self) -> Result<TlsSeen, ProbeError> {
        let chain = self.recorder.chain();
        let judged = |anchors| verify::judge(&chain, Some(&self.server_name), anchors).tls;
        match (&self.anchors, &self.trust) {
            (Some(anchors), _) => Ok(judged(Some(anchors))),
            (None, Trust::Anyone) => Ok(judged(None)),
            (None, _) => Ok(judged(Some(&Anchors::from_system()?))),
        }
    }

    fn failed(&self, error: ProbeError, first: &[u8]) -> Box<HandshakeFailure> {
        let seen = if self.recorder.chain().is_empty() { None } else { self.judge().ok() };
        HandshakeFailure::new(error, seen, first)
    }
}

impl Library for Connector {
    fn handshake(&self, mut stream: TimedStream) -> Result<(TlsStream, TlsSeen), Box<HandshakeFailure>> {
        stream.deadline().enter(Phase::NegotiatingTls);
        let mut connection = ClientConnection::new(Arc::clone(&self.config), self.server_name.clone())
            .map_err(|error| self.failed(tls_error(&error), &[]))?;
        let mut first = FirstBytes::default();
        if let Err(error) = shake_hands(&mut connection, &mut stream, &mut first) {
            return Err(self.failed(error, first.bytes()));
        }
        let mut seen = self.judge().map_err(|error| self.failed(error, &[]))?;
        seen.version = connection.protocol_version().map(version_name).unwrap_or_default();
        let suite = connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
        // The registry calls those of TLS 1.3 like all others.
        seen.suite = suite.map(|name| name.replacen("TLS13_", "TLS_", 1)).unwrap_or_default();
        Ok((Box::new(StreamOwned::new(connection, stream)), seen))
    }
}

impl TlsSession for StreamOwned<ClientConnection, TimedStream> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Read::read(self, buffer)
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)?;
        self.flush()
    }

    fn tcp(&self) -> &TimedStream {
        &self.sock
    }

    fn tcp_mut(&mut self) -> &mut TimedStream {
        &mut self.sock
    }

    fn close(&mut self) {
        self.conn.send_close_notify();
        let _ = self.conn.write_tls(&mut self.sock);
    }

    fn explain(&self, error: &io::Error) -> Option<ProbeError> {
        tls_cause(error).map(tls_error)
    }

    fn chain(&self) -> Vec<Vec<u8>> {
        let shown = self.conn.peer_certificates().unwrap_or_default();
        shown.iter().map(|one| one.to_vec()).collect()
    }

    #[cfg(feature = "sasl")]
    fn channel_binding(&self) -> Option<ChannelBinding> {
        if self.conn.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_3) {
            let exported =
                self.conn.export_keying_material([0; 32], super::EXPORTER_LABEL.as_bytes(), Some(b""));
            return exported.ok().map(|key| ChannelBinding::TlsExporter(key.to_vec()));
        }
        let digest = super::certificate::end_point_digest(self.conn.peer_certificates()?.first()?)?;
        Some(ChannelBinding::TlsServerEndPoint(digest))
    }
}

/// Runs a handshake to its end.
pub(super) fn shake_hands(
    connection: &mut ClientConnection,
    stream: &mut TimedStream,
    first: &mut FirstBytes,
) -> Result<(), ProbeError> {
    while connection.is_handshaking() {
        let step = if connection.wants_write() {
            connection.write_tls(stream).map(|_| ())
        } else {
            read_step(connection, &mut first.over(stream))
        };
        if let Err(error) = step {
            // The alert, so that the server's log names the reason too.
            let _ = connection.write_tls(stream);
            return Err(match tls_cause(&error) {
                Some(cause) => tls_error(cause),
                None => ProbeError::from_io(&error, Phase::NegotiatingTls, stream.deadline().limit()),
            });
        }
    }
    Ok(())
}

fn read_step(connection: &mut ClientConnection, stream: &mut impl Read) -> io::Result<()> {
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
fn tls_cause(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

pub(super) fn tls_error(error: &rustls::Error) -> ProbeError {
    let failure = handshake_failed(error_words(error));
    if is_mismatch(error) {
        failure.with_hint(
            "no version, suite or key in common: rustls speaks TLS 1.2 and 1.3 with ECDHE and AEAD suites, --tls-backend native more",
        )
    } else if is_false_signature(error) {
        failure
            .with_hint("rustls takes RSA keys of 2048 bits and more, --tls-backend native also shorter ones")
    } else {
        failure
    }
}

/// The server's signature over the handshake does not verify, or not with this kind of key.
const fn is_false_signature(error: &rustls::Error) -> bool {
    matches!(error, rustls::Error::InvalidCertificate(rustls::CertificateError::BadSignature))
}

/// Whether the two sides have too little in common.
fn is_mismatch(error: &rustls::Error) -> bool {
    matches!(
        error,
        rustls::Error::PeerIncompatible(_)
            | rustls::Error::AlertReceived(
                rustls::AlertDescription::ProtocolVersion
                    | rustls::AlertDescription::HandshakeFailure
                    | rustls::AlertDescription::InsufficientSecurity,
            )
    )
}

fn error_words(error: &rustls::Error) -> String {
    match error {
        rustls::Error::AlertReceived(alert) => format!("the server sent the alert {}", alert_name(*alert)),
        rustls::Error::InvalidMessage(_) => "the server's answer is not TLS".to_owned(),
        error if is_false_signature(error) => "the server's signature does not verify".to_owned(),
        other => other.to_string(),
    }
}

/// The name of RFC 8446 section 6, `handshake_failure`, which servers' logs use as well.
pub(super) fn alert_name(alert: rustls::AlertDescription) -> String {
    snake_case(&format!("{alert:?}"))
}

pub(super) fn snake_case(camel_case: &str) -> String {
    let mut name = String::new();
    let mut after_small = false;
    for c in camel_case.chars() {
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

fn client_config(
    options: &TlsOptions,
    provider: Arc<CryptoProvider>,
    recorder: Arc<Recorder>,
) -> Result<ClientConfig, ProbeError> {
    const BOTH: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];
    const ONLY_13: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];
    let versions = match options.minimum {
        MinimumVersion::Tls13 => ONLY_13,
        _ => BOTH,
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
