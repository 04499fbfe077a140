//! Names for the object identifiers of keys, curves and signatures, as `openssl x509 -text`
//! shows them; curves as in the TLS registry.
//!
//! RFC 3279, 4055, 5480, 5639, 5758, 8410, 9215, 9881; SEC 2 appendix A.

use super::details::KeyKind;

/// Kind and name of a key, with its size where the name says it.
pub(super) fn key(oid: &str) -> Option<(KeyKind, &'static str, Option<u32>)> {
    KEYS.iter().find(|(known, ..)| *known == oid).map(|(_, kind, name, bits)| (*kind, *name, *bits))
}

/// Name and field size of a curve.
pub(super) fn curve(oid: &str) -> Option<(&'static str, u32)> {
    CURVES.iter().find(|(known, ..)| *known == oid).map(|(_, name, bits)| (*name, *bits))
}

/// Name of a signature and of its hash, where it has one of its own.
pub(super) fn signature(oid: &str) -> Option<(&'static str, Option<&'static str>)> {
    SIGNATURES.iter().find(|(known, ..)| *known == oid).map(|(_, name, hash)| (*name, *hash))
}

/// Name of a hash.
pub(super) fn hash(oid: &str) -> Option<&'static str> {
    HASHES.iter().find(|(known, _)| *known == oid).map(|(_, name)| *name)
}

/// Names of all kinds of keys that have one: `RSA`, `EC secp256r1`.
pub fn key_names() -> impl Iterator<Item = String> {
    let others =
        KEYS.iter().filter(|(_, kind, ..)| *kind != KeyKind::Ec).map(|(_, _, name, _)| (*name).to_owned());
    let curves = KEYS
        .iter()
        .filter(|(_, kind, ..)| *kind == KeyKind::Ec)
        .flat_map(|(_, _, name, _)| CURVES.iter().map(move |(_, curve, _)| format!("{name} {curve}")));
    others.chain(curves)
}

/// Names of all signatures that have one: `ecdsa-with-SHA256`.
pub fn signature_names() -> impl Iterator<Item = &'static str> {
    SIGNATURES.iter().map(|(_, name, _)| *name)
}

type Key = (&'static str, KeyKind, &'static str, Option<u32>);

const KEYS: [Key; 13] = [
    ("1.2.840.113549.1.1.1", KeyKind::Rsa, "RSA", None),
    ("1.2.840.113549.1.1.10", KeyKind::Rsa, "RSA-PSS", None),
    ("1.2.840.10045.2.1", KeyKind::Ec, "EC", None),
    ("1.3.132.1.12", KeyKind::Ec, "ECDH", None),
    ("1.2.840.10040.4.1", KeyKind::Dsa, "DSA", None),
    ("1.3.101.112", KeyKind::Other, "Ed25519", Some(256)),
    ("1.3.101.113", KeyKind::Other, "Ed448", Some(456)),
    ("2.16.840.1.101.3.4.3.17", KeyKind::Other, "ML-DSA-44", None),
    ("2.16.840.1.101.3.4.3.18", KeyKind::Other, "ML-DSA-65", None),
    ("2.16.840.1.101.3.4.3.19", KeyKind::Other, "ML-DSA-87", None),
    ("1.2.643.2.2.19", KeyKind::Other, "GOST R 34.10-2001", Some(256)),
    ("1.2.643.7.1.1.1.1", KeyKind::Other, "GOST R 34.10-2012", Some(256)),
    ("1.2.643.7.1.1.1.2", KeyKind::Other, "GOST R 34.10-2012", Some(512)),
];

type Curve = (&'static str, &'static str, u32);

const CURVES: [Curve; 48] = [
    ("1.2.840.10045.3.1.1", "secp192r1", 192),
    ("1.2.840.10045.3.1.7", "secp256r1", 256),
    ("1.3.132.0.1", "sect163k1", 163),
    ("1.3.132.0.2", "sect163r1", 163),
    ("1.3.132.0.3", "sect239k1", 239),
    ("1.3.132.0.4", "sect113r1", 113),
    ("1.3.132.0.5", "sect113r2", 113),
    ("1.3.132.0.6", "secp112r1", 112),
    ("1.3.132.0.7", "secp112r2", 112),
    ("1.3.132.0.8", "secp160r1", 160),
    ("1.3.132.0.9", "secp160k1", 160),
    ("1.3.132.0.10", "secp256k1", 256),
    ("1.3.132.0.15", "sect163r2", 163),
    ("1.3.132.0.16", "sect283k1", 283),
    ("1.3.132.0.17", "sect283r1", 283),
    ("1.3.132.0.22", "sect131r1", 131),
    ("1.3.132.0.23", "sect131r2", 131),
    ("1.3.132.0.24", "sect193r1", 193),
    ("1.3.132.0.25", "sect193r2", 193),
    ("1.3.132.0.26", "sect233k1", 233),
    ("1.3.132.0.27", "sect233r1", 233),
    ("1.3.132.0.28", "secp128r1", 128),
    ("1.3.132.0.29", "secp128r2", 128),
    ("1.3.132.0.30", "secp160r2", 160),
    ("1.3.132.0.31", "secp192k1", 192),
    ("1.3.132.0.32", "secp224k1", 224),
    ("1.3.132.0.33", "secp224r1", 224),
    ("1.3.132.0.34", "secp384r1", 384),
    ("1.3.132.0.35", "secp521r1", 521),
    ("1.3.132.0.36", "sect409k1", 409),
    ("1.3.132.0.37", "sect409r1", 409),
    ("1.3.132.0.38", "sect571k1", 571),
    ("1.3.132.0.39", "sect571r1", 571),
    ("1.3.36.3.3.2.8.1.1.1", "brainpoolP160r1", 160),
    ("1.3.36.3.3.2.8.1.1.2", "brainpoolP160t1", 160),
    ("1.3.36.3.3.2.8.1.1.3", "brainpoolP192r1", 192),
    ("1.3.36.3.3.2.8.1.1.4", "brainpoolP192t1", 192),
    ("1.3.36.3.3.2.8.1.1.5", "brainpoolP224r1", 224),
    ("1.3.36.3.3.2.8.1.1.6", "brainpoolP224t1", 224),
    ("1.3.36.3.3.2.8.1.1.7", "brainpoolP256r1", 256),
    ("1.3.36.3.3.2.8.1.1.8", "brainpoolP256t1", 256),
    ("1.3.36.3.3.2.8.1.1.9", "brainpoolP320r1", 320),
    ("1.3.36.3.3.2.8.1.1.10", "brainpoolP320t1", 320),
    ("1.3.36.3.3.2.8.1.1.11", "brainpoolP384r1", 384),
    ("1.3.36.3.3.2.8.1.1.12", "brainpoolP384t1", 384),
    ("1.3.36.3.3.2.8.1.1.13", "brainpoolP512r1", 512),
    ("1.3.36.3.3.2.8.1.1.14", "brainpoolP512t1", 512),
    ("1.2.156.10197.1.301", "curveSM2", 256),
];

type Signature = (&'static str, &'static str, Option<&'static str>);

const SIGNATURES: [Signature; 43] = [
    ("1.2.840.113549.1.1.2", "md2WithRSAEncryption", Some("MD2")),
    ("1.2.840.113549.1.1.3", "md4WithRSAEncryption", Some("MD4")),
    ("1.2.840.113549.1.1.4", "md5WithRSAEncryption", Some("MD5")),
    ("1.3.14.3.2.3", "md5WithRSA", Some("MD5")),
    ("1.3.14.3.2.25", "md5WithRSASignature", Some("MD5")),
    ("1.2.840.113549.1.1.5", "sha1WithRSAEncryption", Some("SHA-1")),
    ("1.3.14.3.2.29", "sha1WithRSA", Some("SHA-1")),
    ("1.3.36.3.3.1.2", "ripemd160WithRSA", Some("RIPEMD-160")),
    ("1.2.840.113549.1.1.14", "sha224WithRSAEncryption", Some("SHA-224")),
    ("1.2.840.113549.1.1.11", "sha256WithRSAEncryption", Some("SHA-256")),
    ("1.2.840.113549.1.1.12", "sha384WithRSAEncryption", Some("SHA-384")),
    ("1.2.840.113549.1.1.13", "sha512WithRSAEncryption", Some("SHA-512")),
    // The hash stands in its parameters.
    (RSASSA_PSS, "rsassaPss", None),
    ("2.16.840.1.101.3.4.3.13", "RSA-SHA3-224", Some("SHA3-224")),
    ("2.16.840.1.101.3.4.3.14", "RSA-SHA3-256", Some("SHA3-256")),
    ("2.16.840.1.101.3.4.3.15", "RSA-SHA3-384", Some("SHA3-384")),
    ("2.16.840.1.101.3.4.3.16", "RSA-SHA3-512", Some("SHA3-512")),
    ("1.2.840.10045.4.1", "ecdsa-with-SHA1", Some("SHA-1")),
    ("1.2.840.10045.4.3.1", "ecdsa-with-SHA224", Some("SHA-224")),
    ("1.2.840.10045.4.3.2", "ecdsa-with-SHA256", Some("SHA-256")),
    ("1.2.840.10045.4.3.3", "ecdsa-with-SHA384", Some("SHA-384")),
    ("1.2.840.10045.4.3.4", "ecdsa-with-SHA512", Some("SHA-512")),
    ("2.16.840.1.101.3.4.3.9", "ecdsa_with_SHA3-224", Some("SHA3-224")),
    ("2.16.840.1.101.3.4.3.10", "ecdsa_with_SHA3-256", Some("SHA3-256")),
    ("2.16.840.1.101.3.4.3.11", "ecdsa_with_SHA3-384", Some("SHA3-384")),
    ("2.16.840.1.101.3.4.3.12", "ecdsa_with_SHA3-512", Some("SHA3-512")),
    ("1.2.840.10040.4.3", "dsaWithSHA1", Some("SHA-1")),
    ("1.3.14.3.2.27", "dsaWithSHA1-old", Some("SHA-1")),
    ("1.3.14.3.2.13", "dsaWithSHA", Some("SHA-0")),
    ("2.16.840.1.101.3.4.3.1", "dsa_with_SHA224", Some("SHA-224")),
    ("2.16.840.1.101.3.4.3.2", "dsa_with_SHA256", Some("SHA-256")),
    ("2.16.840.1.101.3.4.3.3", "dsa_with_SHA384", Some("SHA-384")),
    ("2.16.840.1.101.3.4.3.4", "dsa_with_SHA512", Some("SHA-512")),
    ("1.3.101.112", "ED25519", None),
    ("1.3.101.113", "ED448", None),
    ("2.16.840.1.101.3.4.3.17", "ML-DSA-44", None),
    ("2.16.840.1.101.3.4.3.18", "ML-DSA-65", None),
    ("2.16.840.1.101.3.4.3.19", "ML-DSA-87", None),
    ("1.2.643.2.2.4", "GOST R 34.11-94 with GOST R 34.10-94", Some("GOST R 34.11-94")),
    ("1.2.643.2.2.3", "GOST R 34.11-94 with GOST R 34.10-2001", Some("GOST R 34.11-94")),
    ("1.2.643.7.1.1.3.2", "GOST R 34.10-2012 with GOST R 34.11-2012 (256 bit)", Some("GOST R 34.11-2012")),
    ("1.2.643.7.1.1.3.3", "GOST R 34.10-2012 with GOST R 34.11-2012 (512 bit)", Some("GOST R 34.11-2012")),
    ("1.2.156.10197.1.501", "SM2-with-SM3", Some("SM3")),
];

/// RFC 4055 section 3.1.
pub(super) const RSASSA_PSS: &str = "1.2.840.113549.1.1.10";

const HASHES: [(&str, &str); 11] = [
    ("1.2.840.113549.2.5", "MD5"),
    ("1.3.14.3.2.26", "SHA-1"),
    ("2.16.840.1.101.3.4.2.4", "SHA-224"),
    ("2.16.840.1.101.3.4.2.1", "SHA-256"),
    ("2.16.840.1.101.3.4.2.2", "SHA-384"),
    ("2.16.840.1.101.3.4.2.3", "SHA-512"),
    ("2.16.840.1.101.3.4.2.6", "SHA-512/256"),
    ("2.16.840.1.101.3.4.2.7", "SHA3-224"),
    ("2.16.840.1.101.3.4.2.8", "SHA3-256"),
    ("2.16.840.1.101.3.4.2.9", "SHA3-384"),
    ("2.16.840.1.101.3.4.2.10", "SHA3-512"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_identifier_stands_twice_in_a_table() {
        fn all_differ<'a>(oids: impl Iterator<Item = &'a str>) -> bool {
            let mut seen = BTreeSet::new();
            oids.into_iter().all(|oid| seen.insert(oid))
        }
        assert!(all_differ(KEYS.iter().map(|row| row.0)));
        assert!(all_differ(CURVES.iter().map(|row| row.0)));
        assert!(all_differ(SIGNATURES.iter().map(|row| row.0)));
        assert!(all_differ(HASHES.iter().map(|row| row.0)));
    }

    #[test]
    fn names_of_curves_tell_their_size() {
        for (_, name, bits) in CURVES {
            assert!(name == "curveSM2" || name.contains(&bits.to_string()), "{name}");
        }
    }
}
