use std::collections::BTreeSet;

use super::*;

/// code, IANA name, OpenSSL name, kx, auth, cipher, mode, bits, mac, export
type Row =
    (u16, &'static str, Option<&'static str>, KeyExchange, Auth, Cipher, Mode, u16, Mac, Option<Export>);

const KNOWN: &[Row] = &[
    (
        0xC02F,
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        Some("ECDHE-RSA-AES128-GCM-SHA256"),
        KeyExchange::Ecdhe,
        Auth::Rsa,
        Cipher::Aes,
        Mode::Gcm,
        128,
        Mac::Aead,
        None,
    ),
    (
        0x009C,
        "TLS_RSA_WITH_AES_128_GCM_SHA256",
        Some("AES128-GCM-SHA256"),
        KeyExchange::Rsa,
        Auth::Rsa,
        Cipher::Aes,
        Mode::Gcm,
        128,
        Mac::Aead,
        None,
    ),
    (
        0x0005,
        "TLS_RSA_WITH_RC4_128_SHA",
        Some("RC4-SHA"),
        KeyExchange::Rsa,
        Auth::Rsa,
        Cipher::Rc4,
        Mode::Stream,
        128,
        Mac::Sha1,
        None,
    ),
    (
        0x0003,
        "TLS_RSA_EXPORT_WITH_RC4_40_MD5",
        Some("EXP-RC4-MD5"),
        KeyExchange::Rsa,
        Auth::Rsa,
        Cipher::Rc4,
        Mode::Stream,
        40,
        Mac::Md5,
        Some(Export::Bits40),
    ),
    (
        0x0062,
        "TLS_RSA_EXPORT1024_WITH_DES_CBC_SHA",
        Some("EXP1024-DES-CBC-SHA"),
        KeyExchange::Rsa,
        Auth::Rsa,
        Cipher::Des,
        Mode::Cbc,
        56,
        Mac::Sha1,
        Some(Export::Bits56),
    ),
    (
        0x1301,
        "TLS_AES_128_GCM_SHA256",
        Some("TLS_AES_128_GCM_SHA256"),
        KeyExchange::Tls13,
        Auth::Tls13,
        Cipher::Aes,
        Mode::Gcm,
        128,
        Mac::Aead,
        None,
    ),
    (
        0xCCA8,
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        Some("ECDHE-RSA-CHACHA20-POLY1305"),
        KeyExchange::Ecdhe,
        Auth::Rsa,
        Cipher::ChaCha20,
        Mode::Poly1305,
        256,
        Mac::Aead,
        None,
    ),
    (
        0xC0AE,
        "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8",
        Some("ECDHE-ECDSA-AES128-CCM8"),
        KeyExchange::Ecdhe,
        Auth::Ecdsa,
        Cipher::Aes,
        Mode::Ccm8,
        128,
        Mac::Aead,
        None,
    ),
    (
        0x0000,
        "TLS_NULL_WITH_NULL_NULL",
        Some("NULL"),
        KeyExchange::Null,
        Auth::Null,
        Cipher::Null,
        Mode::Null,
        0,
        Mac::Null,
        None,
    ),
    (
        0x000A,
        "TLS_RSA_WITH_3DES_EDE_CBC_SHA",
        Some("DES-CBC3-SHA"),
        KeyExchange::Rsa,
        Auth::Rsa,
        Cipher::TripleDes,
        Mode::Cbc,
        112,
        Mac::Sha1,
        None,
    ),
    (
        0x0018,
        "TLS_DH_anon_WITH_RC4_128_MD5",
        Some("ADH-RC4-MD5"),
        KeyExchange::Dhe,
        Auth::Anonymous,
        Cipher::Rc4,
        Mode::Stream,
        128,
        Mac::Md5,
        None,
    ),
    (
        0xC0AA,
        "TLS_PSK_DHE_WITH_AES_128_CCM_8",
        Some("DHE-PSK-AES128-CCM8"),
        KeyExchange::DhePsk,
        Auth::Psk,
        Cipher::Aes,
        Mode::Ccm8,
        128,
        Mac::Aead,
        None,
    ),
    (
        0xC0B4,
        "TLS_SHA256_SHA256",
        Some("TLS_SHA256_SHA256"),
        KeyExchange::Tls13,
        Auth::Tls13,
        Cipher::Null,
        Mode::Null,
        0,
        Mac::Sha256,
        None,
    ),
    (
        0xC105,
        "TLS_GOSTR341112_256_WITH_KUZNYECHIK_MGM_S",
        None,
        KeyExchange::Tls13,
        Auth::Tls13,
        Cipher::Kuznyechik,
        Mode::Mgm,
        256,
        Mac::Aead,
        None,
    ),
    (
        0xC01D,
        "TLS_SRP_SHA_WITH_AES_128_CBC_SHA",
        Some("SRP-AES-128-CBC-SHA"),
        KeyExchange::Srp,
        Auth::Password,
        Cipher::Aes,
        Mode::Cbc,
        128,
        Mac::Sha1,
        None,
    ),
    (
        0x002A,
        "TLS_KRB5_EXPORT_WITH_RC2_CBC_40_MD5",
        Some("EXP-KRB5-RC2-CBC-MD5"),
        KeyExchange::Krb5,
        Auth::Krb5,
        Cipher::Rc2,
        Mode::Cbc,
        40,
        Mac::Md5,
        Some(Export::Bits40),
    ),
];

fn suite(code: u16) -> &'static Suite {
    Suite::by_code(code).expect("known code")
}

#[test]
fn known_rows() {
    for &(code, name, openssl_name, kx, auth, cipher, mode, bits, mac, export) in KNOWN {
        let expected = Suite { code, name, openssl_name, kx, auth, cipher, mode, bits, mac, export };
        assert_eq!(*suite(code), expected);
        assert_eq!(Suite::by_glob(name).map(|suite| suite.code).collect::<Vec<_>>(), [code]);
    }
}

#[test]
fn the_table_is_complete_and_sorted() {
    assert_eq!(SUITES.len(), 433, "354 of the registry, 79 others");
    assert_eq!(SUITES.iter().filter(|suite| suite.openssl_name.is_some()).count(), 307);
    assert_eq!(SUITES.iter().filter(|suite| suite.is_tls13()).count(), 19);
    assert!(SUITES.is_sorted_by(|a, b| a.code < b.code), "sorted, no code twice");
}

#[test]
fn every_name_leads_back_to_its_suite() {
    let mut names = BTreeSet::new();
    for suite in &SUITES {
        assert_eq!(Suite::by_code(suite.code), Some(suite));
        assert!(suite.fits(suite.name) && suite.fits(&suite.name.to_lowercase()), "{}", suite.name);
        assert!(names.insert(suite.name), "{}", suite.name);
        if let Some(name) = suite.openssl_name {
            assert!(suite.fits(name), "{name}");
        }
    }
    assert_eq!(Suite::by_glob("TLS_RSA_WITH_AES_128_OCB").count(), 0);
    assert_eq!(Suite::by_glob("").count(), 0);
}

#[test]
fn signals_grease_and_filling_are_no_suites() {
    // RFC 5746 section 3.3, and RFC 8701 section 2 after it.
    for code in [0x00FF, FALLBACK_SCSV] {
        assert_eq!(Suite::by_code(code), None);
    }
    let grease: Vec<u16> = (0..16).map(|high| u16::from_be_bytes([high << 4 | 0x0A; 2])).collect();
    assert_eq!((grease[0], grease[15]), (0x0A0A, 0xFAFA));
    assert!(grease.iter().all(|code| Suite::by_code(*code).is_none()));
    assert!(UNASSIGNED.len() > SUITES.len(), "enough to replace any list of suites");
    assert!(UNASSIGNED.into_iter().all(|code| Suite::by_code(code).is_none() && !grease.contains(&code)));
}

#[test]
fn properties() {
    for (code, forward_secrecy, anonymous, export, block) in [
        (0xC02F, true, false, false, Some(128)),
        (0x009C, false, false, false, Some(128)),
        (0x0005, false, false, false, None),
        (0x0003, false, false, true, None),
        (0x000A, false, false, false, Some(64)),
        (0x0007, false, false, false, Some(64)),
        (0x0019, true, true, true, Some(64)),
        (0xC018, true, true, false, Some(128)),
        (0x1303, true, false, false, None),
        (0x00A8, false, false, false, Some(128)),
        (0x00AA, true, false, false, Some(128)),
        (0xC004, false, false, false, Some(128)),
        (0x0000, false, true, false, None),
        (0x0081, false, false, false, Some(64)),
    ] {
        let suite = suite(code);
        assert_eq!(suite.has_forward_secrecy(), forward_secrecy, "{}", suite.name);
        assert_eq!(suite.is_anonymous(), anonymous, "{}", suite.name);
        assert_eq!(suite.is_export(), export, "{}", suite.name);
        assert_eq!(suite.cipher.block_bits(), block, "{}", suite.name);
    }
    assert!(suite(0xC004).is_static_dh() && suite(0x0030).is_static_dh() && !suite(0x0033).is_static_dh());
    assert!(suite(0x0033).is_ffdhe() && suite(0x0034).is_ffdhe() && !suite(0xC013).is_ffdhe());
}

#[test]
fn tls13_has_suites_of_its_own() {
    for (version, code, expected) in [
        (Version::Tls13, 0x1301, true),
        (Version::Tls12, 0x1301, false),
        (Version::Tls13, 0xC02F, false),
        (Version::Tls12, 0xC02F, true),
        (Version::Ssl3, 0xC02F, true),
        (Version::Ssl2, 0x0005, false),
    ] {
        assert_eq!(suite(code).is_of(version), expected, "{version} {code:#06X}");
    }
}

#[test]
fn words_of_a_name_and_fields_agree() {
    for suite in &SUITES {
        let has = |word: &str| suite.name.split('_').any(|part| part == word);
        assert_eq!(suite.mode == Mode::Cbc, has("CBC"), "{}", suite.name);
        assert_eq!(suite.mode == Mode::Gcm, has("GCM"), "{}", suite.name);
        assert_eq!(matches!(suite.mode, Mode::Ccm | Mode::Ccm8), has("CCM"), "{}", suite.name);
        assert_eq!(suite.cipher == Cipher::Rc4, has("RC4"), "{}", suite.name);
        assert_eq!(suite.cipher == Cipher::TripleDes, has("3DES"), "{}", suite.name);
        assert_eq!(suite.auth == Auth::Anonymous, has("anon"), "{}", suite.name);
        assert_eq!(suite.is_export(), has("EXPORT") || has("EXPORT1024"), "{}", suite.name);
        assert_eq!(suite.is_null(), suite.bits == 0, "{}", suite.name);
        let is_short = (1..=56).contains(&suite.bits);
        assert_eq!(suite.is_export() || has("DES"), is_short, "{}", suite.name);
    }
}

#[test]
fn globs() {
    let codes = |pattern| Suite::by_glob(pattern).map(|suite| suite.code).collect::<Vec<_>>();
    assert_eq!(codes("TLS_AES_*_GCM_SHA*"), [0x1301, 0x1302]);
    assert_eq!(codes("ECDHE-RSA-AES???-GCM-SHA*"), [0xC02F, 0xC030]);
    assert_eq!(codes("TLS_RSA_WITH_AES_128_CBC_SHA"), [0x002F]);
    assert_eq!(codes("nothing*"), [0; 0]);
    assert_eq!(codes("*").len(), SUITES.len());
}

#[test]
fn sslv2_kinds() {
    assert_eq!(SSLV2_KINDS.len(), 13);
    assert!(SSLV2_KINDS.is_sorted_by(|a, b| a.code < b.code));
    for (code, openssl_name, bits, cipher, export) in [
        ([0x01, 0x00, 0x80], "RC4-MD5", 128, Cipher::Rc4, None),
        ([0x02, 0x00, 0x80], "EXP-RC4-MD5", 40, Cipher::Rc4, Some(Export::Bits40)),
        ([0x06, 0x00, 0x40], "DES-CBC-MD5", 56, Cipher::Des, None),
        ([0x07, 0x00, 0xC0], "DES-CBC3-MD5", 112, Cipher::TripleDes, None),
    ] {
        let kind = Sslv2Kind::by_code(code).expect("known kind");
        assert_eq!(
            (kind.openssl_name, kind.bits, kind.cipher, kind.export),
            (openssl_name, bits, cipher, export)
        );
    }
    assert_eq!(Sslv2Kind::by_code([0, 0, 1]), None);
}
