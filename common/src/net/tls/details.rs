//! What is to be known of a certificate beside names and dates: its key, how it was signed,
//! its fingerprint. For those who judge the certificate, not only its holder.

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use x509_parser::asn1_rs::{Integer, Oid, Tag};
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::public_key::RSAPublicKey;
use x509_parser::signature_algorithm::RsaSsaPssParams;
use x509_parser::x509::{AlgorithmIdentifier, SubjectPublicKeyInfo};

use super::algorithms::{self, RSASSA_PSS};
use super::certificate::{CertificateSeen, shortened};

/// One certificate of a chain, with all that it shows. Text is the server's and not to be trusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateDetails {
    /// Names and dates.
    #[serde(flatten)]
    pub seen: CertificateSeen,
    /// The key it speaks for.
    pub key: KeySeen,
    /// How its issuer signed it.
    pub signature: SignatureSeen,
    /// Subject and issuer are one: a root, or a server that vouches for itself.
    pub self_issued: bool,
    /// SHA-256 of the certificate in hex.
    pub sha256: String,
}

/// What a key is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyKind {
    /// RSA, for any padding or for PSS alone.
    Rsa,
    /// An elliptic curve in Weierstrass form.
    Ec,
    /// DSA over a prime field.
    Dsa,
    /// Another algorithm, whose name tells the strength.
    Other,
}

/// The public key of a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySeen {
    /// What it is made for.
    pub kind: KeyKind,
    /// `RSA`, `EC`, `Ed25519`; the object identifier of what has no name here.
    pub name: String,
    /// Length of the modulus, of the field of the curve, of the prime; `None` when the key cannot
    /// be read or has no such length.
    pub bits: Option<u32>,
    /// Name or object identifier of the curve; `None` for one that the key itself describes, which
    /// RFC 5480 section 2.1.1 forbids.
    pub curve: Option<String>,
    /// SHA-256 of its SubjectPublicKeyInfo in hex: the same for every certificate of this key.
    pub sha256: String,
}

/// The signature under a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignatureSeen {
    /// `sha256WithRSAEncryption`; the object identifier of what has no name here.
    pub algorithm: String,
    /// `SHA-256`; `None` where it is not known or, as in Ed25519, part of the algorithm.
    pub hash: Option<String>,
}

impl CertificateDetails {
    /// Reads a certificate; `None` when it is none.
    #[must_use]
    pub fn parse(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        Some(Self {
            seen: CertificateSeen::of(&certificate),
            key: KeySeen::of(certificate.public_key()),
            signature: SignatureSeen::of(&certificate.signature_algorithm),
            self_issued: certificate.subject().as_raw() == certificate.issuer().as_raw(),
            sha256: fingerprint(der),
        })
    }
}

impl KeySeen {
    /// Reads a key that stands for itself (SubjectPublicKeyInfo in DER, RFC 5280 section 4.1);
    /// `None` when it is none, or when more follows.
    #[must_use]
    pub fn from_spki(der: &[u8]) -> Option<Self> {
        let (rest, key) = SubjectPublicKeyInfo::from_der(der).ok()?;
        rest.is_empty().then(|| Self::of(&key))
    }

    fn of(key: &SubjectPublicKeyInfo<'_>) -> Self {
        let oid = identifier(&key.algorithm.algorithm);
        let sha256 = fingerprint(key.raw);
        let Some((kind, name, bits)) = algorithms::key(&oid) else {
            return Self { kind: KeyKind::Other, name: oid, bits: None, curve: None, sha256 };
        };
        let parameters = key.algorithm.parameters.as_ref();
        let data: &[u8] = &key.subject_public_key.data;
        let (bits, curve) = match kind {
            KeyKind::Rsa => (RSAPublicKey::from_der(data).ok().map(|(_, rsa)| length(rsa.modulus)), None),
            // RFC 3279 section 2.3.2: p, q, g.
            KeyKind::Dsa => {
                let prime = parameters.and_then(|any| Integer::from_der(any.data).ok());
                (prime.map(|(_, prime)| length(prime.as_ref())), None)
            }
            KeyKind::Ec => {
                // An explicit curve would be taken for a name.
                let named = parameters.filter(|any| any.tag() == Tag::Oid);
                let curve = named.and_then(|any| any.as_oid().ok());
                let oid = curve.as_ref().map(identifier);
                match oid.as_deref().and_then(algorithms::curve) {
                    Some((name, bits)) => (Some(bits), Some(name.to_owned())),
                    None => (field(data), oid),
                }
            }
            KeyKind::Other => (bits, None),
        };
        Self { kind, name: name.to_owned(), bits, curve, sha256 }
    }
}

/// Length in bits of the modulus of a bare RSAPublicKey (RFC 8017 appendix A.1.1), which does not
/// say what it is; `None` when it is none, or when more follows.
#[must_use]
pub fn bare_rsa_bits(der: &[u8]) -> Option<u32> {
    let (rest, key) = RSAPublicKey::from_der(der).ok()?;
    rest.is_empty().then(|| length(key.modulus))
}

/// An RSA key in numbers, big-endian.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RsaKey {
    /// n
    pub modulus: Vec<u8>,
    /// e
    pub exponent: Vec<u8>,
}

impl RsaKey {
    /// The key of a certificate; `None` when it has another one.
    #[must_use]
    pub fn of(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let key = certificate.public_key();
        let (kind, ..) = algorithms::key(&identifier(&key.algorithm.algorithm))?;
        let data: &[u8] = &key.subject_public_key.data;
        let (_, rsa) = RSAPublicKey::from_der(data).ok().filter(|_| kind == KeyKind::Rsa)?;
        Some(Self { modulus: rsa.modulus.to_vec(), exponent: rsa.exponent.to_vec() })
    }
}

impl SignatureSeen {
    fn of(algorithm: &AlgorithmIdentifier<'_>) -> Self {
        let oid = identifier(&algorithm.algorithm);
        let Some((name, hash)) = algorithms::signature(&oid) else {
            return Self { algorithm: oid, hash: None };
        };
        let hash = if oid == RSASSA_PSS { pss_hash(algorithm) } else { hash.map(str::to_owned) };
        Self { algorithm: name.to_owned(), hash }
    }

    /// Signed over a hash for which collisions can be made: whoever has one certificate of the
    /// issuer may have another.
    #[must_use]
    pub fn has_weak_hash(&self) -> bool {
        self.hash.as_deref().is_some_and(|hash| WEAK_HASHES.contains(&hash))
    }
}

const WEAK_HASHES: [&str; 5] = ["MD2", "MD4", "MD5", "SHA-0", "SHA-1"];

/// The hash of a PSS signature, SHA-1 unless its parameters say otherwise (RFC 4055 section 3.1).
fn pss_hash(algorithm: &AlgorithmIdentifier<'_>) -> Option<String> {
    let Some(parameters) = algorithm.parameters.as_ref() else { return Some("SHA-1".to_owned()) };
    let parameters = RsaSsaPssParams::try_from(parameters).ok()?;
    let oid = identifier(parameters.hash_algorithm_oid());
    Some(algorithms::hash(&oid).map_or(oid, str::to_owned))
}

/// An object identifier in numbers. One without any is not forbidden by its encoding.
fn identifier(oid: &Oid<'_>) -> String {
    let text = shortened(oid.to_id_string());
    if text.is_empty() { "unknown".to_owned() } else { text }
}

/// SHA-256 in hex.
fn fingerprint(der: &[u8]) -> String {
    digest(&SHA256, der).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Length of a number in bits.
fn length(number: &[u8]) -> u32 {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let number = number.get(zeros..).unwrap_or_default();
    let whole = u32::try_from(number.len()).unwrap_or(u32::MAX / 8).saturating_mul(8);
    whole - number.first().map_or(0, |first| first.leading_zeros())
}

/// Size of a field in whole bytes, from a point of its curve (SEC 1 section 2.3.3).
fn field(point: &[u8]) -> Option<u32> {
    let bytes = match point {
        [4 | 6 | 7, both @ ..] if both.len() % 2 == 0 => both.len() / 2,
        [2 | 3, one @ ..] => one.len(),
        _ => return None,
    };
    u32::try_from(bytes).ok().and_then(|bytes| bytes.checked_mul(8)).filter(|bits| *bits > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths_are_those_of_the_number() {
        for (number, expected) in
            [(&[][..], 0), (&[0, 0], 0), (&[1], 1), (&[0, 0x80], 8), (&[0x7f, 0xff], 15), (&[0, 0xff, 0], 16)]
        {
            assert_eq!(length(number), expected, "{number:?}");
        }
    }

    #[test]
    fn points_tell_the_size_of_their_field() {
        for (point, expected) in [
            (&[4, 1, 2, 3, 4, 5, 6][..], Some(24)),
            (&[2, 1, 2, 3], Some(24)),
            (&[4, 1, 2, 3], None),
            (&[4], None),
            (&[9, 1, 2], None),
            (&[], None),
        ] {
            assert_eq!(field(point), expected, "{point:?}");
        }
    }

    #[test]
    fn weak_hashes_are_known_by_name() {
        let signed =
            |hash: Option<&str>| SignatureSeen { algorithm: "x".into(), hash: hash.map(str::to_owned) };
        assert!(signed(Some("MD5")).has_weak_hash() && signed(Some("SHA-1")).has_weak_hash());
        assert!(!signed(Some("SHA-256")).has_weak_hash() && !signed(None).has_weak_hash());
    }

    /// 2^63 + 1 and 65537.
    const BARE: [u8; 18] = [48, 16, 2, 9, 0, 0x80, 0, 0, 0, 0, 0, 0, 1, 2, 3, 1, 0, 1];

    #[test]
    fn keys_are_read_without_a_certificate() {
        let algorithm = [48, 13, 6, 9, 42, 134, 72, 134, 247, 13, 1, 1, 1, 5, 0];
        let mut spki = [&[48, 36][..], &algorithm, &[3, 19, 0], &BARE].concat();
        let key = KeySeen::from_spki(&spki).unwrap();
        assert_eq!((key.kind, key.name.as_str(), key.bits), (KeyKind::Rsa, "RSA", Some(64)));
        assert_eq!(KeySeen::from_spki(&BARE), None);
        spki.push(0);
        assert_eq!(KeySeen::from_spki(&spki), None, "more follows");
        assert_eq!(bare_rsa_bits(&BARE), Some(64));
        assert_eq!(bare_rsa_bits(&[&BARE[..], &[0]].concat()), None, "more follows");
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_much(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(CertificateDetails::parse(&bytes), None);
            let most = u32::try_from(bytes.len()).unwrap() * 8;
            prop_assert!(bare_rsa_bits(&bytes).is_none_or(|bits| bits <= most));
            prop_assert!(KeySeen::from_spki(&bytes).is_none_or(|key| !key.name.is_empty()));
        }
    }
}
