//! The facts of a certificate that an operator asks for.

use std::time::Duration;

use rustls::pki_types::{CertificateDer, UnixTime};
use serde::{Deserialize, Serialize};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::x509::X509Name;

use crate::proto::text::decode;

/// One certificate of a chain. Text is the server's and not to be trusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateSeen {
    /// Distinguished name of the subject.
    pub subject: String,
    /// Distinguished name of the issuer.
    pub issuer: String,
    /// DNS names and addresses of the subject alternative name extension.
    pub names: Vec<String>,
    /// Begin of validity, Unix time.
    pub not_before: i64,
    /// End of validity, Unix time.
    pub not_after: i64,
    /// Serial number in hex.
    pub serial: String,
}

/// Certificates with thousands of names exist; a sentence needs a few.
const NAMES_KEPT: usize = 32;
const TEXT_KEPT: usize = 512;

impl CertificateSeen {
    /// Reads a certificate; `None` when it is none.
    #[must_use]
    pub fn parse(der: &CertificateDer<'_>) -> Option<Self> {
        X509Certificate::from_der(der).ok().map(|(_, certificate)| Self::of(&certificate))
    }

    /// The last moment of its life.
    pub(super) fn end(&self) -> Option<UnixTime> {
        u64::try_from(self.not_after).ok().map(|end| UnixTime::since_unix_epoch(Duration::from_secs(end)))
    }

    pub(super) fn of(certificate: &X509Certificate<'_>) -> Self {
        let names = certificate
            .subject_alternative_name()
            .ok()
            .flatten()
            .map(|extension| extension.value.general_names.iter().filter_map(name).take(NAMES_KEPT).collect())
            .unwrap_or_default();
        Self {
            subject: shortened(distinguished_name(certificate.subject())),
            issuer: shortened(distinguished_name(certificate.issuer())),
            names,
            not_before: certificate.validity().not_before.timestamp(),
            not_after: certificate.validity().not_after.timestamp(),
            serial: certificate.raw_serial().iter().take(32).map(|byte| format!("{byte:02x}")).collect(),
        }
    }
}

/// Digest of a certificate by the hash of its own signature, MD5 and SHA-1 replaced by
/// SHA-256 (RFC 5929 section 4.1); `None` for signatures without one hash, such as Ed25519.
#[cfg(feature = "sasl")]
pub(super) fn end_point_digest(der: &CertificateDer<'_>) -> Option<Vec<u8>> {
    use ring::digest::{SHA256, SHA384, SHA512, digest};
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let algorithm = match certificate.signature_algorithm.algorithm.to_id_string().as_str() {
        // md5, sha1, sha256 WithRSAEncryption; ecdsa-with-SHA1, -SHA256 (RFC 8017, 5758)
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10045.4.1"
        | "1.2.840.10045.4.3.2" => &SHA256,
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => &SHA384,
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => &SHA512,
        _ => return None,
    };
    Some(digest(algorithm, der).as_ref().to_vec())
}

/// `CN=..., O=...`, in the certificate's order. The short names of RFC 4514 section 3 and
/// of what certificates use beside them; other types by their number.
fn distinguished_name(name: &X509Name<'_>) -> String {
    let shown = name.iter_attributes().map(|attribute| {
        let number = attribute.attr_type().to_id_string();
        let short = match number.as_str() {
            "2.5.4.3" => "CN",
            "2.5.4.5" => "serialNumber",
            "2.5.4.6" => "C",
            "2.5.4.7" => "L",
            "2.5.4.8" => "ST",
            "2.5.4.9" => "STREET",
            "2.5.4.10" => "O",
            "2.5.4.11" => "OU",
            "0.9.2342.19200300.100.1.1" => "UID",
            "0.9.2342.19200300.100.1.25" => "DC",
            "1.2.840.113549.1.9.1" => "emailAddress",
            other => other,
        };
        format!("{short}={}", decode(attribute.as_slice()))
    });
    shown.collect::<Vec<_>>().join(", ")
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(dns) => Some(shortened((*dns).to_owned())),
        GeneralName::IPAddress(bytes) => {
            Some(match (<[u8; 4]>::try_from(*bytes), <[u8; 16]>::try_from(*bytes)) {
                (Ok(v4), _) => std::net::Ipv4Addr::from(v4).to_string(),
                (_, Ok(v6)) => std::net::Ipv6Addr::from(v6).to_string(),
                _ => decode(bytes),
            })
        }
        _ => None,
    }
}

pub(super) fn shortened(text: String) -> String {
    if text.len() <= TEXT_KEPT { text } else { text.chars().take(TEXT_KEPT / 4).collect() }
}
