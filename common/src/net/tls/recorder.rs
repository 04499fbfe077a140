//! Takes down what the server shows during the handshake.

use std::io::{self, Read};
use std::sync::Mutex;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};

/// Keeps the chain instead of judging it.
#[derive(Debug)]
pub(super) struct Recorder {
    algorithms: Option<WebPkiSupportedAlgorithms>,
    chain: Mutex<Vec<CertificateDer<'static>>>,
}

impl Recorder {
    /// One that checks the server's signature over the handshake as always: whoever shows a
    /// certificate must hold its key.
    pub(super) const fn verifying(algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self { algorithms: Some(algorithms), chain: Mutex::new(Vec::new()) }
    }

    /// One that only looks, and so takes keys that ring cannot verify with. For peers to which
    /// nothing is said.
    pub(super) const fn looking() -> Self {
        Self { algorithms: None, chain: Mutex::new(Vec::new()) }
    }

    /// The certificates of the last handshake, the server's own first.
    pub(super) fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.chain.lock().map(|chain| chain.clone()).unwrap_or_default()
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let shown = std::iter::once(end_entity).chain(intermediates).map(|one| one.clone().into_owned());
        match self.chain.lock() {
            Ok(mut chain) => *chain = shown.collect(),
            Err(_) => return Err(Error::General("certificate recorder is poisoned".into())),
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match &self.algorithms {
            Some(algorithms) => verify_tls12_signature(message, certificate, signature, algorithms),
            None => Ok(HandshakeSignatureValid::assertion()),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match &self.algorithms {
            Some(algorithms) => verify_tls13_signature(message, certificate, signature, algorithms),
            None => Ok(HandshakeSignatureValid::assertion()),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        match &self.algorithms {
            Some(algorithms) => algorithms.supported_schemes(),
            None => ALL_SCHEMES.map(SignatureScheme::from).to_vec(),
        }
    }
}

/// What servers sign a handshake of TLS 1.3 with, the usual first: ECDSA, EdDSA, RSA-PSS, ECDSA
/// with brainpool curves (RFC 8734), ML-DSA; SHA-1, which RFC 8446 section 4.2.3 leaves to old
/// certificates.
const ALL_SCHEMES: [u16; 22] = [
    0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0804, 0x0805, 0x0806, 0x0809, 0x080a, 0x080b, 0x081a, 0x081b,
    0x081c, 0x0904, 0x0905, 0x0906, 0x0401, 0x0501, 0x0601, 0x0203, 0x0201,
];

/// The first bytes of the server's answer, which tell plaintext from broken TLS.
#[derive(Debug, Default)]
pub(super) struct FirstBytes {
    bytes: Vec<u8>,
}

const KEPT: usize = 64;

impl FirstBytes {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn over<'a, R: Read>(&'a mut self, stream: &'a mut R) -> impl Read + 'a {
        Tap { kept: &mut self.bytes, stream }
    }
}

struct Tap<'a, R> {
    kept: &'a mut Vec<u8>,
    stream: &'a mut R,
}

impl<R: Read> Read for Tap<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        let room = KEPT.saturating_sub(self.kept.len());
        self.kept.extend(buffer.iter().take(count.min(room)));
        Ok(count)
    }
}
