//! Reads a suite's name into what the suite is made of. Strict: a word that is not known is an error, so that no suite
//! gets into the table with a guess.

use crate::suites::kinds::{Auth, Cipher, Export, KeyExchange, Mac, Mode};

/// What a name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) kx: KeyExchange,
    pub(crate) auth: Auth,
    pub(crate) cipher: Cipher,
    pub(crate) mode: Mode,
    pub(crate) bits: u16,
    pub(crate) mac: Mac,
    pub(crate) export: Option<Export>,
}

/// Reads a name of TLS or SSL 3.0; the message of an error names the part that is not known.
pub(crate) fn parse(name: &str) -> Result<Parts, String> {
    let bare = name.strip_prefix("TLS_").or_else(|| name.strip_prefix("SSL_"));
    let bare = bare.ok_or_else(|| format!("{name}: begins with neither TLS_ nor SSL_"))?;
    let bare = bare.strip_suffix("_DRAFT").unwrap_or(bare);
    let (left, right) = match bare.split_once("_WITH_") {
        Some((left, right)) => (Some(left), right),
        None => (None, bare),
    };
    let (cipher, bits, mode, rest) = if left.is_none() { bare_cipher(right) } else { parse_cipher(right) }
        .ok_or_else(|| format!("{name}: unknown cipher in {right}"))?;
    let mac = parse_mac(mode, rest).ok_or_else(|| format!("{name}: unknown hash {rest:?} for {mode:?}"))?;
    let (keys, export) = match left {
        // MGM is named like a suite of TLS 1.2, and defined for TLS 1.3 alone (RFC 9367 section 2).
        Some(_) if mode == Mode::Mgm => (Some((KeyExchange::Tls13, Auth::Tls13)), None),
        Some(left) => {
            let (left, export) = parse_export(left);
            (parse_keys(left), export)
        }
        None => (Some((KeyExchange::Tls13, Auth::Tls13)), None),
    };
    let (kx, auth) = keys.ok_or_else(|| format!("{name}: unknown key exchange"))?;
    Ok(Parts { kx, auth, cipher, mode, bits, mac, export })
}

/// Reads a cipher kind of SSL 2.0 (`SSL_CK_...`), which always sends the key by RSA.
pub(crate) fn parse_sslv2(name: &str) -> Result<Parts, String> {
    let bare = name.strip_prefix("SSL_CK_").ok_or_else(|| format!("{name}: does not begin with SSL_CK_"))?;
    let (cipher, mac) = bare.split_once("_WITH_").unwrap_or((bare, "NULL"));
    let export = cipher.ends_with("_EXPORT40").then_some(Export::Bits40);
    let (cipher, mode, bits) = match cipher {
        "NULL" => (Cipher::Null, Mode::Null, 0),
        "RC4_128" => (Cipher::Rc4, Mode::Stream, 128),
        "RC4_128_EXPORT40" => (Cipher::Rc4, Mode::Stream, 40),
        "RC4_64" => (Cipher::Rc4, Mode::Stream, 64),
        "RC2_128_CBC" => (Cipher::Rc2, Mode::Cbc, 128),
        "RC2_128_CBC_EXPORT40" => (Cipher::Rc2, Mode::Cbc, 40),
        "IDEA_128_CBC" => (Cipher::Idea, Mode::Cbc, 128),
        "DES_64_CBC" => (Cipher::Des, Mode::Cbc, 56),
        "DES_64_CFB64" => (Cipher::Des, Mode::Cfb, 56),
        "DES_192_EDE3_CBC" => (Cipher::TripleDes, Mode::Cbc, 112),
        other => return Err(format!("{name}: unknown cipher {other}")),
    };
    let mac = match mac {
        "NULL" => Mac::Null,
        "MD5" | "MD5_1" => Mac::Md5,
        "SHA" => Mac::Sha1,
        other => return Err(format!("{name}: unknown hash {other}")),
    };
    Ok(Parts { kx: KeyExchange::Rsa, auth: Auth::Rsa, cipher, mode, bits, mac, export })
}

fn parse_export(left: &str) -> (&str, Option<Export>) {
    if let Some(rest) = left.strip_suffix("_EXPORT1024") {
        return (rest, Some(Export::Bits56));
    }
    match left.strip_suffix("_EXPORT") {
        Some(rest) => (rest, Some(Export::Bits40)),
        None => (left, None),
    }
}

fn parse_keys(left: &str) -> Option<(KeyExchange, Auth)> {
    Some(match left {
        "NULL" => (KeyExchange::Null, Auth::Null),
        // FIPS variants differ in how keys are derived (NSS).
        "RSA" | "RSA_FIPS" | "RSA_OLDFIPS" => (KeyExchange::Rsa, Auth::Rsa),
        "DH_DSS" => (KeyExchange::Dh, Auth::Dss),
        "DH_RSA" => (KeyExchange::Dh, Auth::Rsa),
        "DHE_DSS" => (KeyExchange::Dhe, Auth::Dss),
        "DHE_RSA" => (KeyExchange::Dhe, Auth::Rsa),
        "DH_anon" => (KeyExchange::Dhe, Auth::Anonymous),
        "ECDH_ECDSA" => (KeyExchange::Ecdh, Auth::Ecdsa),
        "ECDH_RSA" => (KeyExchange::Ecdh, Auth::Rsa),
        "ECDH_ECNRA" => (KeyExchange::Ecdh, Auth::Ecnra),
        "ECDHE_ECDSA" => (KeyExchange::Ecdhe, Auth::Ecdsa),
        "ECDHE_RSA" => (KeyExchange::Ecdhe, Auth::Rsa),
        "ECDH_anon" => (KeyExchange::Ecdhe, Auth::Anonymous),
        "ECMQV_ECDSA" => (KeyExchange::Ecmqv, Auth::Ecdsa),
        "ECMQV_ECNRA" => (KeyExchange::Ecmqv, Auth::Ecnra),
        "KRB5" => (KeyExchange::Krb5, Auth::Krb5),
        "PSK" => (KeyExchange::Psk, Auth::Psk),
        // The registry turns the words around at 0xC0AA and 0xC0AB (RFC 6655).
        "DHE_PSK" | "PSK_DHE" => (KeyExchange::DhePsk, Auth::Psk),
        "ECDHE_PSK" => (KeyExchange::EcdhePsk, Auth::Psk),
        "RSA_PSK" => (KeyExchange::RsaPsk, Auth::Rsa),
        "SRP_SHA" => (KeyExchange::Srp, Auth::Password),
        "SRP_SHA_RSA" => (KeyExchange::Srp, Auth::Rsa),
        "SRP_SHA_DSS" => (KeyExchange::Srp, Auth::Dss),
        "ECCPWD" => (KeyExchange::EccPwd, Auth::Password),
        "ECJPAKE" => (KeyExchange::EcJpake, Auth::Password),
        "FORTEZZA_KEA" => (KeyExchange::Kea, Auth::Kea),
        "GOSTR341094" | "GOSTR341001" | "GOSTR341112_256" => (KeyExchange::Gost, Auth::Gost),
        "CECPQ1_RSA" => (KeyExchange::Cecpq1, Auth::Rsa),
        "CECPQ1_ECDSA" => (KeyExchange::Cecpq1, Auth::Ecdsa),
        _ => return None,
    })
}

type Found<'a> = (Cipher, u16, Mode, &'a str);

/// The cipher at the front of `right`, and the rest without its underscore.
fn parse_cipher(right: &str) -> Option<Found<'_>> {
    for (word, cipher, bits, mode) in WHOLE {
        if let Some(rest) = strip_word(right, word) {
            return Some((*cipher, *bits, *mode, rest));
        }
    }
    let (cipher, bits, rest) =
        BLOCKS.iter().find_map(|(word, cipher, bits)| Some((*cipher, *bits, strip_word(right, word)?)))?;
    let (mode, rest) = MODES.iter().find_map(|(word, mode)| Some((*mode, strip_word(rest, word)?)))?;
    Some((cipher, bits, mode, rest))
}

/// Suites without key exchange in their name: those of TLS 1.3, two of them without encryption (RFC 9150).
fn bare_cipher(right: &str) -> Option<Found<'_>> {
    match right {
        "SHA256_SHA256" => Some((Cipher::Null, 0, Mode::Null, "SHA256")),
        "SHA384_SHA384" => Some((Cipher::Null, 0, Mode::Null, "SHA384")),
        _ => parse_cipher(right),
    }
}

fn parse_mac(mode: Mode, rest: &str) -> Option<Mac> {
    match mode {
        // The hash at the end derives keys; CCM and MGM leave it out in places.
        Mode::Gcm | Mode::Ccm | Mode::Ccm8 | Mode::Poly1305 | Mode::Mgm | Mode::Aead => {
            matches!(rest, "" | "SHA256" | "SHA384" | "SHA512" | "SM3" | "ASCONHASH256").then_some(Mac::Aead)
        }
        Mode::Null | Mode::Stream | Mode::Cbc | Mode::Cfb | Mode::Counter => Some(match rest {
            "NULL" => Mac::Null,
            "MD5" => Mac::Md5,
            "SHA" | "SHA1" => Mac::Sha1,
            "SHA256" => Mac::Sha256,
            "SHA384" => Mac::Sha384,
            "RMD" => Mac::Ripemd160,
            "IMIT" => Mac::Gost28147Imit,
            "GOSTR3411" => Mac::GostR3411,
            "OMAC" => Mac::Omac,
            _ => return None,
        }),
    }
}

fn strip_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    match text.strip_prefix(word)? {
        "" => Some(""),
        rest => rest.strip_prefix('_'),
    }
}

/// Ciphers with one mode. Longer words stand before their beginnings.
const WHOLE: &[(&str, Cipher, u16, Mode)] = &[
    ("NULL", Cipher::Null, 0, Mode::Null),
    ("RC4_128", Cipher::Rc4, 128, Mode::Stream),
    ("RC4_56", Cipher::Rc4, 56, Mode::Stream),
    ("RC4_40", Cipher::Rc4, 40, Mode::Stream),
    ("RC2_CBC_40", Cipher::Rc2, 40, Mode::Cbc),
    ("RC2_CBC_56", Cipher::Rc2, 56, Mode::Cbc),
    ("DES40_CBC", Cipher::Des, 40, Mode::Cbc),
    ("DES_CBC_40", Cipher::Des, 40, Mode::Cbc),
    ("DES_CBC", Cipher::Des, 56, Mode::Cbc),
    // 168 bit of key, 112 of strength: RFC 9325 section 4.1.
    ("3DES_EDE_CBC", Cipher::TripleDes, 112, Mode::Cbc),
    ("IDEA_CBC", Cipher::Idea, 128, Mode::Cbc),
    ("SEED_CBC", Cipher::Seed, 128, Mode::Cbc),
    ("FORTEZZA_CBC", Cipher::Skipjack, 80, Mode::Cbc),
    ("CHACHA20_POLY1305", Cipher::ChaCha20, 256, Mode::Poly1305),
    ("ESTREAM_SALSA20", Cipher::Salsa20, 256, Mode::Stream),
    ("SALSA20", Cipher::Salsa20, 256, Mode::Stream),
    ("28147_CNT", Cipher::Gost28147, 256, Mode::Counter),
    ("KUZNYECHIK_CTR", Cipher::Kuznyechik, 256, Mode::Counter),
    ("MAGMA_CTR", Cipher::Magma, 256, Mode::Counter),
    ("KUZNYECHIK_MGM_L", Cipher::Kuznyechik, 256, Mode::Mgm),
    ("KUZNYECHIK_MGM_S", Cipher::Kuznyechik, 256, Mode::Mgm),
    ("MAGMA_MGM_L", Cipher::Magma, 256, Mode::Mgm),
    ("MAGMA_MGM_S", Cipher::Magma, 256, Mode::Mgm),
    ("AEGIS_256", Cipher::Aegis, 256, Mode::Aead),
    ("AEGIS_128L", Cipher::Aegis, 128, Mode::Aead),
    ("ASCONAEAD128", Cipher::Ascon, 128, Mode::Aead),
];

/// Ciphers with several modes.
const BLOCKS: &[(&str, Cipher, u16)] = &[
    ("AES_128", Cipher::Aes, 128),
    ("AES_256", Cipher::Aes, 256),
    ("CAMELLIA_128", Cipher::Camellia, 128),
    ("CAMELLIA_256", Cipher::Camellia, 256),
    ("ARIA_128", Cipher::Aria, 128),
    ("ARIA_256", Cipher::Aria, 256),
    ("SM4", Cipher::Sm4, 128),
];

const MODES: &[(&str, Mode)] =
    &[("CBC", Mode::Cbc), ("GCM", Mode::Gcm), ("CCM_8", Mode::Ccm8), ("CCM", Mode::Ccm)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_not_known_is_an_error() {
        for name in [
            "RSA_WITH_AES_128_CBC_SHA",
            "TLS_",
            "TLS_RSA_WITH_",
            "TLS_FOO_WITH_AES_128_CBC_SHA",
            "TLS_RSA_WITH_AES_192_CBC_SHA",
            "TLS_RSA_WITH_AES_128_OCB_SHA256",
            "TLS_RSA_WITH_AES_128_CBC",
            "TLS_RSA_WITH_AES_128_CBC_SHA1024",
            "TLS_RSA_WITH_AES_128_GCM_MD5",
            "TLS_RSA_EXPORT512_WITH_RC4_40_MD5",
            "TLS_FALLBACK_SCSV",
        ] {
            assert!(parse(name).is_err(), "{name}");
        }
        for name in ["TLS_RSA_WITH_RC4_128_MD5", "SSL_CK_RC5_WITH_MD5", "SSL_CK_RC4_128_WITH_MD4"] {
            assert!(parse_sslv2(name).is_err(), "{name}");
        }
    }
}
