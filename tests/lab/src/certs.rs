//! A certificate authority for the lab: server and client leaves, expired or nearly so,
//! with or without an intermediate, and self-signed ones (RFC 5280).

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType,
};
use time::{Duration, OffsetDateTime};

/// What a leaf is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// TLS server authentication.
    Server,
    /// TLS client authentication.
    Client,
}

/// Wishes for a leaf. [`LeafOptions::default`] is the lab's mail server: `mail.lab.test`,
/// `localhost`, `127.0.0.1`, `::1`, valid for 90 days.
#[derive(Clone, Debug)]
pub struct LeafOptions {
    /// Subject common name.
    pub common_name: String,
    /// Alternative names of type DNS (A-labels).
    pub dns_names: Vec<String>,
    /// Alternative names of type IP address.
    pub ips: Vec<IpAddr>,
    /// Days until the end of validity, plus one hour so that a test counts whole days;
    /// negative for a certificate that ended that many days ago.
    pub days: i64,
    /// Server or client.
    pub usage: Usage,
}

impl Default for LeafOptions {
    fn default() -> Self {
        Self {
            common_name: "mail.lab.test".into(),
            dns_names: vec!["mail.lab.test".into(), "localhost".into()],
            ips: vec![[127, 0, 0, 1].into(), [0, 0, 0, 0, 0, 0, 0, 1].into()],
            days: 90,
            usage: Usage::Server,
        }
    }
}

impl LeafOptions {
    /// A server certificate for one DNS name and no address.
    #[must_use]
    pub fn server_named(name: &str) -> Self {
        Self { common_name: name.into(), dns_names: vec![name.into()], ips: Vec::new(), ..Self::default() }
    }

    /// A client certificate for this common name.
    #[must_use]
    pub fn client_named(name: &str) -> Self {
        Self { usage: Usage::Client, ..Self::server_named(name) }
    }

    /// Changes the days left, see [`LeafOptions::days`].
    #[must_use]
    pub fn days(mut self, days: i64) -> Self {
        self.days = days;
        self
    }
}

/// A certificate with its key and the certificates between it and its root.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// The certificate alone, PEM.
    pub cert_pem: String,
    /// The private key, PKCS#8 PEM.
    pub key_pem: String,
    /// The certificate and its intermediates, without the root, PEM.
    pub chain_pem: String,
    /// The certificate alone, DER.
    pub cert_der: Vec<u8>,
    /// The private key, PKCS#8 DER.
    pub key_der: Vec<u8>,
    /// The certificate and its intermediates, without the root, DER.
    pub chain_der: Vec<Vec<u8>>,
}

impl Leaf {
    /// A certificate signed by its own key.
    #[must_use]
    pub fn self_signed(options: &LeafOptions) -> Self {
        let key = new_key();
        let certificate = leaf_params(options).self_signed(&key).expect("valid certificate parameters");
        Self::assemble(&certificate, &key, &[])
    }

    /// The same with the certificate of an authority at the end of its chain: the root, which a server
    /// sends when a TLSA record names it (RFC 7671 section 5.2).
    #[must_use]
    pub fn followed_by(mut self, authority: &Authority) -> Self {
        self.chain_pem.push_str(&authority.ca_pem);
        self.chain_der.push(authority.ca_der.clone());
        self
    }

    /// Writes `NAME.pem` (chain) and `NAME.key` (mode as the umask says); returns both paths.
    #[must_use]
    pub fn write(&self, folder: &Path, name: &str) -> (PathBuf, PathBuf) {
        let chain = folder.join(format!("{name}.pem"));
        let key = folder.join(format!("{name}.key"));
        fs::write(&chain, &self.chain_pem).expect("the lab's folder is writable");
        fs::write(&key, &self.key_pem).expect("the lab's folder is writable");
        (chain, key)
    }

    fn assemble(certificate: &rcgen::Certificate, key: &KeyPair, above: &[&Authority]) -> Self {
        let cert_der = certificate.der().to_vec();
        let mut chain_pem = certificate.pem();
        let mut chain_der = vec![cert_der.clone()];
        for authority in above {
            chain_pem.push_str(&authority.ca_pem);
            chain_der.push(authority.ca_der.clone());
        }
        Self {
            cert_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            chain_pem,
            cert_der,
            key_der: key.serialize_der(),
            chain_der,
        }
    }
}

/// A root or intermediate certificate authority with an EC P-256 key.
#[derive(Debug)]
pub struct Authority {
    ca_pem: String,
    ca_der: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
    is_root: bool,
}

impl Authority {
    /// A new self-signed root, valid for ten years.
    #[must_use]
    pub fn new(common_name: &str) -> Self {
        let (key, params) = (new_key(), ca_params(common_name, 3650));
        let certificate = params.self_signed(&key).expect("valid CA parameters");
        Self::from_parts(&certificate, params, key, true)
    }

    /// An intermediate authority signed by this one; `days` as in [`LeafOptions::days`].
    #[must_use]
    pub fn intermediate(&self, common_name: &str, days: i64) -> Self {
        let (key, params) = (new_key(), ca_params(common_name, days));
        let certificate = params.signed_by(&key, &self.issuer).expect("valid CA parameters");
        Self::from_parts(&certificate, params, key, false)
    }

    /// A leaf signed by this authority. Signed by an intermediate, its chain carries the
    /// intermediate's certificate.
    #[must_use]
    pub fn leaf(&self, options: &LeafOptions) -> Leaf {
        let key = new_key();
        let certificate =
            leaf_params(options).signed_by(&key, &self.issuer).expect("valid certificate parameters");
        let above: &[&Self] = if self.is_root { &[] } else { &[self] };
        Leaf::assemble(&certificate, &key, above)
    }

    /// A leaf below a fresh intermediate, so that the chain with the root has three
    /// certificates; `intermediate_days` may bring the intermediate near its end.
    #[must_use]
    pub fn leaf_via_intermediate(&self, options: &LeafOptions, intermediate_days: i64) -> Leaf {
        self.intermediate("Lab Intermediate CA", intermediate_days).leaf(options)
    }

    /// The authority's own certificate, PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The authority's own certificate, DER.
    #[must_use]
    pub fn ca_der(&self) -> &[u8] {
        &self.ca_der
    }

    /// Writes `ca.pem` into the folder and returns its path.
    #[must_use]
    pub fn write_ca(&self, folder: &Path) -> PathBuf {
        let path = folder.join("ca.pem");
        fs::write(&path, &self.ca_pem).expect("the lab's folder is writable");
        path
    }

    fn from_parts(
        certificate: &rcgen::Certificate,
        params: CertificateParams,
        key: KeyPair,
        is_root: bool,
    ) -> Self {
        Self {
            ca_pem: certificate.pem(),
            ca_der: certificate.der().to_vec(),
            issuer: Issuer::new(params, key),
            is_root,
        }
    }
}

fn new_key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("the system gives random numbers")
}

fn ca_params(common_name: &str, days: i64) -> CertificateParams {
    let mut params = params_for(common_name, days);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn leaf_params(options: &LeafOptions) -> CertificateParams {
    let mut params = params_for(&options.common_name, options.days);
    let names = options.dns_names.iter();
    params.subject_alt_names = names
        .map(|name| SanType::DnsName(name.as_str().try_into().expect("DNS names are ASCII")))
        .chain(options.ips.iter().copied().map(SanType::IpAddress))
        .collect();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![match options.usage {
        Usage::Server => ExtendedKeyUsagePurpose::ServerAuth,
        Usage::Client => ExtendedKeyUsagePurpose::ClientAuth,
    }];
    params
}

fn params_for(common_name: &str, days: i64) -> CertificateParams {
    let mut params = CertificateParams::default();
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, common_name);
    params.distinguished_name = subject;
    params.use_authority_key_identifier_extension = true;
    let now = OffsetDateTime::now_utc().replace_nanosecond(0).expect("zero is a valid nanosecond");
    params.not_after = now + Duration::days(days) + Duration::hours(1);
    params.not_before = now.min(params.not_after) - Duration::days(2);
    params
}
