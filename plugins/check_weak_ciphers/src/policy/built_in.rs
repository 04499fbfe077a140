//! The built-in policies against what their texts say, written down a second time: by the parts of names where the data
//! lists names, and by figures.

use std::collections::BTreeSet;
use std::fs;

use super::*;
use crate::groups::GROUPS;
use crate::suites::{Auth, KeyExchange, Mac, SUITES};

const NAMES: [&str; 7] = [
    "bcp195",
    "bsi-tr-02102-2",
    "mozilla-intermediate",
    "mozilla-modern",
    "mozilla-old",
    "nist-800-52r2",
    "pci-dss-4",
];

/// As in force in November 2026.
fn policy(name: &str) -> Policy {
    in_year(name, 2026)
}

fn in_year(name: &str, year: i64) -> Policy {
    Policy::by_name(name).unwrap_or_else(|| panic!("no {name}")).in_force(Moment::Year(year))
}

fn allowed(policy: &Policy, version: Version) -> BTreeSet<&'static str> {
    let of_version = SUITES.iter().filter(|suite| suite.is_of(version));
    of_version.filter(|suite| !policy.forbids(version, suite)).map(|suite| suite.name).collect()
}

/// Suites below TLS 1.3, without drafts and the odd ones of OpenPGP.
fn with(fits: impl Fn(&Suite) -> bool) -> BTreeSet<&'static str> {
    let is_odd =
        |suite: &Suite| suite.is_tls13() || suite.name.ends_with("_DRAFT") || suite.name.ends_with("_RMD");
    SUITES.iter().filter(|suite| !is_odd(suite) && fits(suite)).map(|suite| suite.name).collect()
}

fn groups(policy: &Policy) -> BTreeSet<&'static str> {
    GROUPS.iter().filter(|group| !policy.forbids_group(group)).map(|group| group.name).collect()
}

fn is_aes(suite: &Suite) -> bool {
    suite.cipher == Cipher::Aes
}

fn is_ecdhe(suite: &Suite) -> bool {
    suite.kx == KeyExchange::Ecdhe && matches!(suite.auth, Auth::Rsa | Auth::Ecdsa)
}

#[test]
fn all_are_there_and_say_what_they_are() {
    let names: Vec<&str> = Policy::all().iter().map(|policy| policy.name.as_ref()).collect();
    assert_eq!(names, NAMES);
    for policy in Policy::all() {
        assert!(policy.source.starts_with("https://"), "{}", policy.name);
        assert!(policy.date.len() == 7 && policy.date.starts_with("20"), "{}", policy.name);
        assert!(policy.rules.iter().all(|rule| !rule.source.is_empty()), "{}", policy.name);
    }
    let noted: Vec<&str> = Policy::all()
        .iter()
        .filter(|policy| policy.note.is_some())
        .map(|policy| policy.name.as_ref())
        .collect();
    assert_eq!(noted, ["pci-dss-4"]);
    assert!(Policy::by_name("pci-dss-4").unwrap().line().contains("our interpretation"));
}

/// The build does not know the names of keys and signatures yet; here they are.
#[test]
fn all_names_are_known() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/data/policies");
    for name in NAMES {
        let text = fs::read_to_string(format!("{folder}/{name}.toml")).unwrap();
        let read = Policy::read(&text, name, "").unwrap_or_else(|error| panic!("{name}.toml:{error}"));
        let built = Policy::by_name(name).unwrap();
        assert_eq!(
            (&read.suites, &read.groups, &read.certificate),
            (&built.suites, &built.groups, &built.certificate)
        );
        assert_eq!((&read.ends, &read.require, &read.limits), (&built.ends, &built.require, &built.limits));
    }
}

/// What nobody allows, whatever else a policy lists.
#[test]
fn every_policy_calls_the_broken_broken() {
    for name in NAMES {
        for year in [2020, 2026, 2040] {
            let policy = in_year(name, year);
            for kind in [
                FindingKind::Ssl2,
                FindingKind::Ssl3,
                FindingKind::NullCipher,
                FindingKind::Anonymous,
                FindingKind::Export,
                FindingKind::Rc4,
                FindingKind::LowStrength,
                FindingKind::DhBroken,
                FindingKind::CertificateExpired,
                FindingKind::CertificateUntrusted,
                FindingKind::Compression,
            ] {
                assert_eq!(policy.class_of(kind), Class::Broken, "{name} {}", kind.name());
            }
            for kind in [
                FindingKind::DhSmall,
                FindingKind::CurveSmall,
                FindingKind::CertificateWeakHash,
                FindingKind::NoSecureRenegotiation,
                FindingKind::ProtocolViolation,
            ] {
                assert!(policy.class_of(kind) >= Class::Weak, "{name} {}", kind.name());
            }
            // Neither Mozilla, which has server_preferred_order false, nor anybody else minds.
            assert_eq!(policy.class_of(FindingKind::ClientPreference), Class::Note, "{name}");
        }
    }
}

#[test]
fn versions() {
    for (name, expected) in [
        ("bcp195", &[Version::Tls12, Version::Tls13][..]),
        ("mozilla-modern", &[Version::Tls13]),
        ("mozilla-intermediate", &[Version::Tls12, Version::Tls13]),
        ("mozilla-old", &[Version::Tls10, Version::Tls11, Version::Tls12, Version::Tls13]),
        ("pci-dss-4", &[Version::Tls12, Version::Tls13]),
        ("nist-800-52r2", &[Version::Tls12, Version::Tls13]),
        ("bsi-tr-02102-2", &[Version::Tls12, Version::Tls13]),
    ] {
        let policy = policy(name);
        let found: Vec<Version> =
            Version::ALL.into_iter().filter(|version| policy.judge_version(*version).is_none()).collect();
        assert_eq!(found, expected, "{name}");
    }
    for version in [Version::Ssl2, Version::Ssl3, Version::Tls10, Version::Tls11] {
        assert_eq!(
            policy("pci-dss-4").judge_version(version).map(|reason| reason.class),
            Some(Class::Broken)
        );
    }
}

#[test]
fn sizes() {
    for (name, dh, rsa, curve) in [
        ("bcp195", 2048, 2048, 224),
        ("mozilla-modern", 2048, 2048, 255),
        ("mozilla-intermediate", 2048, 2048, 255),
        ("mozilla-old", 2048, 2048, 255),
        ("pci-dss-4", 2048, 2048, 224),
        ("nist-800-52r2", 2048, 2048, 224),
        ("bsi-tr-02102-2", 3000, 3000, 250),
    ] {
        assert_eq!(policy(name).limits, LeastBits { dh, rsa, curve }, "{name}");
    }
    for kind in [FindingKind::DhSmall, FindingKind::RsaSmall, FindingKind::CurveSmall] {
        assert_eq!(policy("pci-dss-4").class_of(kind), Class::Broken, "{}", kind.name());
    }
}

const TLS13: [&str; 3] = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];

#[test]
fn suites_of_mozilla() {
    let sound = |suite: &Suite| {
        is_ecdhe(suite) && (is_aes(suite) && suite.mode == Mode::Gcm || suite.cipher == Cipher::ChaCha20)
    };
    assert_eq!(allowed(&policy("mozilla-intermediate"), Version::Tls12), with(sound));
    assert_eq!(with(sound).len(), 6);
    assert_eq!(allowed(&policy("mozilla-modern"), Version::Tls12).len(), 0);
    let cbc = |suite: &Suite| is_ecdhe(suite) && is_aes(suite) && suite.mode == Mode::Cbc;
    let rsa = |suite: &Suite| {
        suite.kx == KeyExchange::Rsa
            && (is_aes(suite) && matches!(suite.mode, Mode::Gcm | Mode::Cbc)
                || suite.cipher == Cipher::TripleDes && suite.name == "TLS_RSA_WITH_3DES_EDE_CBC_SHA")
    };
    let old = with(|suite| sound(suite) || cbc(suite) || rsa(suite));
    assert_eq!(old.len(), 6 + 8 + 7);
    for version in [Version::Tls10, Version::Tls11, Version::Tls12] {
        assert_eq!(allowed(&policy("mozilla-old"), version), old, "{version}");
    }
    for name in ["mozilla-modern", "mozilla-intermediate", "mozilla-old"] {
        assert_eq!(allowed(&policy(name), Version::Tls13), BTreeSet::from(TLS13), "{name}");
    }
}

#[test]
fn suites_of_nist() {
    // Sections 3.3.1.1.1 to 3.3.1.1.5: all of AES with a certificate and without RSA key transport, but for CBC of the
    // anonymous and the exotic, and CCM of static keys.
    let listed = |suite: &Suite| {
        is_aes(suite)
            && matches!(suite.kx, KeyExchange::Ecdhe | KeyExchange::Dhe | KeyExchange::Dh | KeyExchange::Ecdh)
            && matches!(suite.auth, Auth::Rsa | Auth::Ecdsa | Auth::Dss)
    };
    let allowed_now = allowed(&policy("nist-800-52r2"), Version::Tls12);
    let expected = with(listed);
    assert_eq!(allowed_now.difference(&expected).count(), 0);
    assert_eq!(allowed_now.len(), 10 + 16 + 6 + 12 + 12);
    let missing: Vec<&&str> = expected.difference(&allowed_now).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let tls13 = BTreeSet::from([TLS13[0], TLS13[1], "TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256"]);
    assert_eq!(allowed(&policy("nist-800-52r2"), Version::Tls13), tls13);
}

#[test]
fn suites_of_bsi() {
    // AES with SHA-2 in CBC, GCM or CCM, none of it with SHA-1 or CCM_8.
    let strong = |suite: &Suite| {
        is_aes(suite)
            && (matches!(suite.mac, Mac::Sha256 | Mac::Sha384) || matches!(suite.mode, Mode::Gcm | Mode::Ccm))
    };
    let with_certificate = |suite: &Suite| matches!(suite.auth, Auth::Rsa | Auth::Ecdsa | Auth::Dss);
    let pfs = |suite: &Suite| {
        strong(suite) && with_certificate(suite) && matches!(suite.kx, KeyExchange::Ecdhe | KeyExchange::Dhe)
    };
    let fixed = |suite: &Suite| strong(suite) && matches!(suite.kx, KeyExchange::Ecdh | KeyExchange::Dh);
    let ecdhe_psk = |suite: &Suite| strong(suite) && suite.kx == KeyExchange::EcdhePsk;
    let dhe_psk = |suite: &Suite| strong(suite) && suite.kx == KeyExchange::DhePsk;
    let rsa_psk = |suite: &Suite| strong(suite) && suite.kx == KeyExchange::RsaPsk;
    assert_eq!([with(pfs).len(), with(fixed).len(), with(ecdhe_psk).len()], [20, 16, 5]);
    assert_eq!([with(dhe_psk).len(), with(rsa_psk).len()], [6, 4]);
    let all =
        with(|suite| pfs(suite) || fixed(suite) || ecdhe_psk(suite) || dhe_psk(suite) || rsa_psk(suite));
    let lasting = with(|suite| (pfs(suite) && suite.kx == KeyExchange::Ecdhe) || ecdhe_psk(suite));
    let until_2029 = with(|suite| pfs(suite) || ecdhe_psk(suite) || dhe_psk(suite));
    for (year, expected) in
        [(2025, &all), (2026, &all), (2027, &until_2029), (2029, &until_2029), (2030, &lasting)]
    {
        assert_eq!(allowed_by_lists("bsi-tr-02102-2", year), *expected, "{year}");
    }
    let tls13 = BTreeSet::from([TLS13[0], TLS13[1], "TLS_AES_128_CCM_SHA256"]);
    assert_eq!(allowed(&policy("bsi-tr-02102-2"), Version::Tls13), tls13);
}

/// In TLS 1.2; what ends in the year is allowed still.
fn allowed_by_lists(name: &str, year: i64) -> BTreeSet<&'static str> {
    let policy = in_year(name, year);
    let is_allowed = |suite: &Suite| {
        let reasons = policy.judge_suite(Version::Tls12, suite, None);
        reasons.iter().all(|reason| reason.class == Class::Note || reason.kind == FindingKind::EndsSoon)
    };
    with(is_allowed)
}

/// In the last year each is told to end, in no other.
#[test]
fn what_ends_by_bsi() {
    let ending = |year: i64| {
        let policy = in_year("bsi-tr-02102-2", year);
        with(|suite| {
            let reasons = policy.judge_suite(Version::Tls12, suite, None);
            reasons.iter().any(|reason| reason.kind == FindingKind::EndsSoon)
        })
    };
    assert_eq!(
        [2024, 2025, 2026, 2027, 2028, 2029, 2030].map(|year| ending(year).len()),
        [0, 0, 20, 0, 0, 16, 0]
    );
    let upcoming = Policy::by_name("bsi-tr-02102-2").unwrap().in_force(Moment::Upcoming);
    let allowed = allowed(&upcoming, Version::Tls12);
    assert!(allowed.iter().all(|name| name.contains("_ECDHE_")), "{allowed:?}");
}

#[test]
fn groups_by_policy() {
    let mozilla = BTreeSet::from(["X25519MLKEM768", "x25519", "secp256r1", "secp384r1"]);
    for name in ["mozilla-modern", "mozilla-intermediate", "mozilla-old"] {
        assert_eq!(groups(&policy(name)), mozilla, "{name}");
    }
    let bsi = BTreeSet::from([
        "secp256r1",
        "secp384r1",
        "secp521r1",
        "brainpoolP256r1",
        "brainpoolP384r1",
        "brainpoolP512r1",
        "brainpoolP256r1tls13",
        "brainpoolP384r1tls13",
        "brainpoolP512r1tls13",
        "ffdhe3072",
        "ffdhe4096",
    ]);
    assert_eq!(groups(&policy("bsi-tr-02102-2")), bsi);
    for name in ["bcp195", "pci-dss-4", "nist-800-52r2"] {
        assert_eq!(groups(&policy(name)).len(), GROUPS.len(), "{name}");
    }
    for name in NAMES {
        let required = usize::from(name == "nist-800-52r2");
        assert_eq!(policy(name).require.len(), required, "{name}");
    }
}

#[test]
fn certificates_by_policy() {
    let verdict = |name: &str, key: &str, signature: &str, days: Option<u16>| {
        let rules = policy(name).certificate;
        let is_signature_forbidden =
            rules.signatures.forbids(signature) || rules.chain_signatures.forbids(signature);
        assert_eq!(rules.days, days, "{name}");
        (rules.keys.forbids(key), is_signature_forbidden)
    };
    let (rsa, p256, p521) = ("RSA", "EC secp256r1", "EC secp521r1");
    let (by_rsa, by_pss, by_ecdsa) = ("sha256WithRSAEncryption", "rsassaPss", "ecdsa-with-SHA384");
    for (name, key, signature, days, expected) in [
        ("bcp195", rsa, by_rsa, None, (false, false)),
        ("pci-dss-4", p521, by_pss, None, (false, false)),
        ("mozilla-modern", p256, by_ecdsa, Some(90), (false, false)),
        ("mozilla-modern", rsa, by_rsa, Some(90), (true, true)),
        ("mozilla-intermediate", rsa, by_rsa, Some(366), (false, false)),
        ("mozilla-intermediate", p521, by_pss, Some(366), (true, true)),
        ("mozilla-old", rsa, by_rsa, Some(366), (false, false)),
        ("mozilla-old", p256, by_ecdsa, Some(366), (true, true)),
        ("nist-800-52r2", rsa, by_pss, Some(1096), (false, false)),
        ("nist-800-52r2", p256, by_ecdsa, Some(1096), (false, false)),
        ("nist-800-52r2", "Ed25519", "ED25519", Some(1096), (true, true)),
        ("bsi-tr-02102-2", "EC brainpoolP384r1", by_ecdsa, None, (false, false)),
        ("bsi-tr-02102-2", rsa, by_pss, None, (false, false)),
        // PKCS #1 v1.5 ended in 2025.
        ("bsi-tr-02102-2", rsa, by_rsa, None, (false, true)),
        ("bsi-tr-02102-2", "Ed25519", "ED25519", None, (true, true)),
    ] {
        assert_eq!(verdict(name, key, signature, days), expected, "{name} {key} {signature}");
    }
    assert!(!in_year("bsi-tr-02102-2", 2025).certificate.chain_signatures.forbids(by_rsa));
}

#[test]
fn what_nist_asks_for() {
    let policy = policy("nist-800-52r2");
    assert_eq!(policy.class_of(FindingKind::NoTls13), Class::Policy);
    assert_eq!(policy.class_of(FindingKind::NoExtendedMasterSecret), Class::Policy);
    let fits = |name: &str| {
        let group = GROUPS.iter().find(|group| group.name == name).unwrap();
        Policy::is_required(&policy.require[0], group)
    };
    assert!(fits("secp256r1") && fits("secp384r1") && !fits("x25519") && !fits("secp521r1"));
}
