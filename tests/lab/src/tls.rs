//! rustls configurations (ring) for the lab's servers and for the clients in its tests, and a
//! service that speaks TLS and nothing else.

use std::io;
use std::net::{Ipv4Addr, Shutdown};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, ServerConfig, ServerConnection, Stream, SupportedProtocolVersion};

use crate::acceptor::Acceptor;
use crate::certs::{Authority, Leaf};

/// Which protocol versions a server speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Versions {
    /// TLS 1.2 and 1.3.
    #[default]
    Both,
    /// Only TLS 1.2.
    Tls12,
    /// Only TLS 1.3.
    Tls13,
}

impl Versions {
    fn list(self) -> Vec<&'static SupportedProtocolVersion> {
        match self {
            Self::Both => vec![&TLS13, &TLS12],
            Self::Tls12 => vec![&TLS12],
            Self::Tls13 => vec![&TLS13],
        }
    }
}

/// A server that presents the leaf with its chain and asks for no client certificate.
#[must_use]
pub fn server(leaf: &Leaf) -> Arc<ServerConfig> {
    server_with(leaf, Versions::Both, None)
}

/// A server with a choice of versions; with `client_ca` it demands a client certificate
/// signed by that authority.
#[must_use]
pub fn server_with(leaf: &Leaf, versions: Versions, client_ca: Option<&Authority>) -> Arc<ServerConfig> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&versions.list())
        .expect("ring speaks TLS 1.2 and 1.3");
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(authority) => builder.with_client_cert_verifier(
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots(authority)), provider())
                .build()
                .expect("one root is enough"),
        ),
    };
    let (chain, key) = chain_and_key(leaf);
    Arc::new(builder.with_single_cert(chain, key).expect("key and certificate belong together"))
}

/// A server that presents to each client the leaf of the name that it asks for, in lower case, and the
/// first one to all others.
#[must_use]
pub fn server_of_names(leaves: &[(&str, &Leaf)]) -> Arc<ServerConfig> {
    let certified = |(name, leaf): &(&str, &Leaf)| {
        let (chain, key) = chain_and_key(leaf);
        let key =
            CertifiedKey::from_der(chain, key, &provider()).expect("key and certificate belong together");
        ((*name).to_owned(), Arc::new(key))
    };
    let config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&Versions::Both.list())
        .expect("ring speaks TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(ByName(leaves.iter().map(certified).collect())));
    Arc::new(config)
}

/// Chooses without looking whether name and certificate fit: in the lab they need not.
#[derive(Debug)]
struct ByName(Vec<(String, Arc<CertifiedKey>)>);

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let wanted = hello.server_name().map(str::to_ascii_lowercase);
        let named = self.0.iter().find(|(name, _)| Some(name) == wanted.as_ref());
        named.or(self.0.first()).map(|(_, key)| Arc::clone(key))
    }
}

/// A client that trusts only this authority.
#[must_use]
pub fn client(authority: &Authority) -> Arc<ClientConfig> {
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS 1.2 and 1.3")
        .with_root_certificates(roots(authority))
        .with_no_client_auth();
    Arc::new(config)
}

/// A client that trusts only this authority and presents a certificate of its own.
#[must_use]
pub fn client_with_certificate(authority: &Authority, leaf: &Leaf) -> Arc<ClientConfig> {
    let (chain, key) = chain_and_key(leaf);
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS 1.2 and 1.3")
        .with_root_certificates(roots(authority))
        .with_client_auth_cert(chain, key)
        .expect("key and certificate belong together");
    Arc::new(config)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn roots(authority: &Authority) -> RootCertStore {
    let mut store = RootCertStore::empty();
    store.add(authority.ca_der().to_vec().into()).expect("the lab's root is well formed");
    store
}

fn chain_and_key(leaf: &Leaf) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let chain = leaf.chain_der.iter().cloned().map(CertificateDer::from).collect();
    let key = PrivatePkcs8KeyDer::from(leaf.key_der.clone());
    (chain, key.into())
}

/// A running service of TLS and nothing else; stops when dropped.
#[derive(Debug)]
pub struct Service {
    acceptor: Acceptor,
}

impl Service {
    /// Listens on a free port of 127.0.0.1, completes handshakes and reads until the client goes.
    #[must_use]
    pub fn start(config: Arc<ServerConfig>) -> Self {
        let acceptor = Acceptor::start((Ipv4Addr::LOCALHOST, 0).into(), move |_, mut stream, _| {
            let mut tls = ServerConnection::new(Arc::clone(&config)).expect("a good configuration");
            // An error was told to the client by an alert, or the client is gone.
            let _ = io::copy(&mut Stream::new(&mut tls, &mut stream), &mut io::sink());
            let _ = stream.shutdown(Shutdown::Write);
            // Unread bytes would make the end a reset, which overtakes the alert.
            let _ = io::copy(&mut stream, &mut io::sink());
        });
        Self { acceptor }
    }

    /// Port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.acceptor.address().port()
    }
}
