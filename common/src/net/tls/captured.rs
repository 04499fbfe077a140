//! Chains without a verdict: captured from handshakes that were never completed, to be judged
//! here, or fetched by one that is completed for the chain's sake alone.

use std::sync::{Arc, OnceLock};

use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection};

use super::builtin::{shake_hands, tls_error};
use super::recorder::{FirstBytes, Recorder};
use super::verify::{self, Anchors};
use super::{HandshakeFailure, TlsSeen, Trust, server_name};
use crate::net::error::ProbeError;
use crate::net::phase::Phase;
use crate::net::tcp::TimedStream;
use crate::proto::names::Host;

/// Judges chains by the same rules as after a handshake: path, name and dates each by itself.
#[derive(Debug)]
pub struct ChainJudge {
    server_name: Option<ServerName<'static>>,
    trust: Trust,
    /// Read once, however many threads judge: those of a file at the start, the system's when the
    /// first chain is judged.
    anchors: Arc<OnceLock<Result<Anchors, ProbeError>>>,
}

/// A chain with its verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgedChain {
    /// As after a handshake, without version and suite.
    pub tls: TlsSeen,
    /// Places in the chain of the certificates that the verified path uses; `None` without one.
    pub path: Option<Vec<usize>>,
}

impl ChainJudge {
    /// Reads the file of [`Trust::CaFile`]. Without a name only path and dates are judged: who
    /// asks for an address knows no name to hold a certificate against.
    pub fn new(trust: &Trust, name: Option<&Host>) -> Result<Self, ProbeError> {
        let server_name = name.map(|name| server_name(None, name)).transpose()?;
        let anchors = Arc::new(OnceLock::new());
        if let Trust::CaFile(path) = trust {
            let _ = anchors.set(Ok(Anchors::from_file(path)?));
        }
        Ok(Self { server_name, trust: trust.clone(), anchors })
    }

    /// Trusts this certificate alone, given in DER.
    pub fn under(authority: &[u8], name: Option<&Host>) -> Result<Self, ProbeError> {
        let server_name = name.map(|name| server_name(None, name)).transpose()?;
        let given = CertificateDer::from(authority.to_vec());
        let anchors = Arc::new(OnceLock::from(Ok(Anchors::of(given))));
        Ok(Self { server_name, trust: Trust::System, anchors })
    }

    /// The same for another name, with what was read already.
    pub fn for_name(&self, name: Option<&Host>) -> Result<Self, ProbeError> {
        let server_name = name.map(|name| server_name(None, name)).transpose()?;
        Ok(Self { server_name, trust: self.trust.clone(), anchors: Arc::clone(&self.anchors) })
    }

    /// Judges a chain of certificates in DER, the server's own first. An error says that we have
    /// nothing to judge by.
    pub fn judge(&self, chain: &[Vec<u8>]) -> Result<JudgedChain, ProbeError> {
        let chain: Vec<CertificateDer<'static>> = chain.iter().cloned().map(CertificateDer::from).collect();
        Ok(verify::judge(&chain, self.server_name.as_ref(), self.anchors()?))
    }

    fn anchors(&self) -> Result<Option<&Anchors>, ProbeError> {
        if self.trust == Trust::Anyone {
            return Ok(None);
        }
        let read = self.anchors.get_or_init(Anchors::from_system);
        read.as_ref().map(Some).map_err(Clone::clone)
    }
}

/// Completes a handshake of TLS 1.3 for the server's chain in DER, its own first, and ends the
/// session. Nobody is trusted and nothing is said; so a chain that came before the handshake
/// failed, as with a server that wants a certificate of ours, is as good.
pub fn fetch_chain(mut stream: TimedStream, host: &Host) -> Result<Vec<Vec<u8>>, ProbeError> {
    stream.deadline().enter(Phase::NegotiatingTls);
    let recorder = Arc::new(Recorder::looking());
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| ProbeError::local(format!("cannot set up TLS: {error}")))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&recorder) as Arc<_>)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    let mut connection = ClientConnection::new(Arc::new(config), server_name(None, host)?)
        .map_err(|error| tls_error(&error))?;
    let mut first = FirstBytes::default();
    let ended = shake_hands(&mut connection, &mut stream, &mut first);
    let chain: Vec<Vec<u8>> = recorder.chain().iter().map(|der| der.to_vec()).collect();
    match ended {
        Err(error) if chain.is_empty() => Err(HandshakeFailure::new(error, None, first.bytes()).error),
        _ => {
            connection.send_close_notify();
            let _ = connection.write_tls(&mut stream);
            Ok(chain)
        }
    }
}
