//! Signature schemes: the IANA registry "TLS SignatureScheme", as far as TLS 1.2 has them.

/// A way to sign.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SignatureScheme {
    /// The two bytes on the wire.
    pub(crate) code: u16,
    /// As in the registry: `rsa_pss_rsae_sha256`. For schemes of TLS 1.2 only that have none there: hash and key.
    pub(crate) name: &'static str,
    /// It hashes by MD5 or SHA-1 (RFC 9155).
    pub(crate) is_weak: bool,
}

/// Strong ones first, as a hello offers them.
pub(crate) const SIGNATURE_SCHEMES: [SignatureScheme; 23] = [
    strong(0x0403, "ecdsa_secp256r1_sha256"),
    strong(0x0503, "ecdsa_secp384r1_sha384"),
    strong(0x0603, "ecdsa_secp521r1_sha512"),
    strong(0x0804, "rsa_pss_rsae_sha256"),
    strong(0x0805, "rsa_pss_rsae_sha384"),
    strong(0x0806, "rsa_pss_rsae_sha512"),
    strong(0x0807, "ed25519"),
    strong(0x0808, "ed448"),
    strong(0x0809, "rsa_pss_pss_sha256"),
    strong(0x080a, "rsa_pss_pss_sha384"),
    strong(0x080b, "rsa_pss_pss_sha512"),
    strong(0x0401, "rsa_pkcs1_sha256"),
    strong(0x0501, "rsa_pkcs1_sha384"),
    strong(0x0601, "rsa_pkcs1_sha512"),
    strong(0x0303, "sha224_ecdsa"),
    strong(0x0301, "sha224_rsa"),
    weak(0x0203, "ecdsa_sha1"),
    weak(0x0201, "rsa_pkcs1_sha1"),
    strong(0x0402, "sha256_dsa"),
    strong(0x0302, "sha224_dsa"),
    weak(0x0202, "sha1_dsa"),
    weak(0x0101, "md5_rsa"),
    weak(0x0103, "md5_ecdsa"),
];

const fn strong(code: u16, name: &'static str) -> SignatureScheme {
    SignatureScheme { code, name, is_weak: false }
}

const fn weak(code: u16, name: &'static str) -> SignatureScheme {
    SignatureScheme { code, name, is_weak: true }
}

impl SignatureScheme {
    pub(crate) fn by_code(code: u16) -> Option<&'static Self> {
        SIGNATURE_SCHEMES.iter().find(|scheme| scheme.code == code)
    }

    /// Those that every hello offers: a server must find one for each of its certificates (RFC 8446 section 4.2.3, RFC 5246
    /// section 7.4.1.4.1). MD5 is not among them: some take offence at it.
    pub(crate) fn usual() -> impl Iterator<Item = u16> {
        SIGNATURE_SCHEMES.iter().map(|scheme| scheme.code).filter(|code| code >> 8 != 1)
    }
}

/// Its name, or its number.
pub(crate) fn signature_name(code: u16) -> String {
    SignatureScheme::by_code(code).map_or_else(|| format!("0x{code:04x}"), |scheme| scheme.name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_are_told_by_their_bytes() {
        for (at, scheme) in SIGNATURE_SCHEMES.iter().enumerate() {
            assert_eq!(SIGNATURE_SCHEMES.iter().position(|one| one.code == scheme.code), Some(at));
            // RFC 5246 section 7.4.1.4.1: the hash, 1 for MD5 and 2 for SHA-1, then the key.
            assert_eq!(scheme.is_weak, matches!(scheme.code >> 8, 1 | 2), "{}", scheme.name);
        }
        assert_eq!(SignatureScheme::usual().count(), 21);
        assert_eq!(signature_name(0x0804), "rsa_pss_rsae_sha256");
        assert_eq!(signature_name(0xfefe), "0xfefe");
    }
}
