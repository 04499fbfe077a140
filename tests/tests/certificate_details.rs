//! What is read from a certificate agrees with what OpenSSL reads, for every kind of key and
//! signature that it makes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

use std::path::Path;
use std::process::Command;

use common::net::tls::{CertificateDetails, ChainJudge, KeyKind, Trust};
use common::proto::names::Host;
use lab::certs::{Authority, Leaf, LeafOptions};
use lab::process::program;
use lab::tls_servers::Keys;

/// The value behind a label in `openssl x509 -text`.
fn shown<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.trim().strip_prefix(label)).map(str::trim)
}

fn by_openssl(certificate: &Path) -> String {
    let mut command = Command::new(program("openssl", "openssl"));
    command.args(["x509", "-noout", "-text", "-in"]).arg(certificate);
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

/// Bits as OpenSSL counts them: `Public-Key: (2048 bit)`, for EC those of the curve's order.
fn bits(text: &str) -> Option<u32> {
    shown(text, "Public-Key: (")?.split(' ').next()?.parse().ok()
}

#[test]
fn keys_and_signatures_are_those_that_openssl_shows() {
    let keys = Keys::new();
    let rsa = |bits: &str| {
        vec!["-algorithm".into(), "RSA".into(), "-pkeyopt".into(), format!("rsa_keygen_bits:{bits}")]
    };
    let ec = |wish: &str| vec!["-algorithm".into(), "EC".into(), "-pkeyopt".into(), wish.to_owned()];
    let mut kinds: Vec<(Vec<String>, KeyKind, Option<&str>)> = vec![
        (rsa("512"), KeyKind::Rsa, None),
        (rsa("1023"), KeyKind::Rsa, None),
        (rsa("2049"), KeyKind::Rsa, None),
        (rsa("4096"), KeyKind::Rsa, None),
        (vec!["-algorithm".into(), "RSA-PSS".into()], KeyKind::Rsa, None),
        (vec!["-algorithm".into(), "ED25519".into()], KeyKind::Other, None),
        (vec!["-algorithm".into(), "ED448".into()], KeyKind::Other, None),
    ];
    for curve in [
        "secp112r1",
        "secp160r1",
        "prime192v1",
        "secp224r1",
        "prime256v1",
        "secp384r1",
        "secp521r1",
        "secp256k1",
        "sect163k1",
        "sect233r1",
        "sect571r1",
        "brainpoolP160r1",
        "brainpoolP256r1",
        "brainpoolP512t1",
    ] {
        kinds.push((ec(&format!("ec_paramgen_curve:{curve}")), KeyKind::Ec, Some(curve)));
    }
    for (at, (kind, expected, curve)) in kinds.iter().enumerate() {
        let kind: Vec<&str> = kind.iter().map(String::as_str).collect();
        let identity = keys.issue(&format!("key{at}"), &kind, &[]);
        let text = by_openssl(&identity.certificate);
        let seen = CertificateDetails::parse(&identity.der).unwrap();
        assert_eq!(seen.key.kind, *expected, "{kind:?}");
        match expected {
            KeyKind::Ec => {
                let name = shown(&text, "ASN1 OID:").unwrap();
                let known = seen.key.curve.as_deref().unwrap();
                let aliases = [("prime192v1", "secp192r1"), ("prime256v1", "secp256r1")];
                assert!(known == name || aliases.contains(&(name, known)), "{name} {known}");
                // The order of a binary curve with a cofactor is a bit or two shorter than its field.
                let (field, order) = (seen.key.bits.unwrap(), bits(&text).unwrap());
                assert!(order <= field + 1 && field <= order + 2, "{curve:?}: {field} {order}");
            }
            KeyKind::Rsa => assert_eq!(seen.key.bits, bits(&text), "{kind:?}"),
            _ => assert!(text.contains(&format!("{} Public-Key", seen.key.name.to_uppercase()))),
        }
        assert_eq!(Some(seen.signature.algorithm.as_str()), shown(&text, "Signature Algorithm:"));
    }
    let dsa = CertificateDetails::parse(&keys.identity(lab::tls_script::Auth::Dsa).der).unwrap();
    assert_eq!((dsa.key.kind, dsa.key.bits), (KeyKind::Dsa, Some(2048)));
}

/// A curve that is described instead of named.
#[test]
fn explicit_curves_have_no_name() {
    let keys = Keys::new();
    let kind =
        ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-pkeyopt", "ec_param_enc:explicit"];
    let seen = CertificateDetails::parse(&keys.issue("explicit", &kind, &[]).der).unwrap();
    assert_eq!((seen.key.kind, seen.key.curve, seen.key.bits), (KeyKind::Ec, None, Some(256)));
}

#[test]
fn signatures_show_their_hash() {
    let keys = Keys::new();
    let folder = keys.folder();
    let signed = |name: &str, kind: &[&str], wishes: &[&str]| {
        let (key, certificate) = (folder.join(format!("{name}.key")), folder.join(format!("{name}.pem")));
        let mut command = Command::new(program("openssl", "openssl"));
        assert!(command.arg("genpkey").args(kind).arg("-out").arg(&key).status().unwrap().success());
        let mut command = Command::new(program("openssl", "openssl"));
        command.args(["req", "-x509", "-subj", "/CN=x", "-outform", "DER"]).args(wishes);
        let output = command.arg("-key").arg(&key).arg("-out").arg(&certificate).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        CertificateDetails::parse(&std::fs::read(&certificate).unwrap()).unwrap()
    };
    let rsa = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"];
    let ec = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
    let dsa = ["-paramfile", folder.join("dsa-parameters.pem").to_str().unwrap()].map(str::to_owned);
    let dsa: Vec<&str> = dsa.iter().map(String::as_str).collect();
    let pss = ["-sigopt", "rsa_padding_mode:pss"];
    for (name, kind, wishes, algorithm, hash, is_weak) in [
        ("md5", &rsa[..], vec!["-md5"], "md5WithRSAEncryption", Some("MD5"), true),
        ("sha1", &rsa, vec!["-sha1"], "sha1WithRSAEncryption", Some("SHA-1"), true),
        ("sha224", &rsa, vec!["-sha224"], "sha224WithRSAEncryption", Some("SHA-224"), false),
        ("sha256", &rsa, vec!["-sha256"], "sha256WithRSAEncryption", Some("SHA-256"), false),
        ("sha512", &rsa, vec!["-sha512"], "sha512WithRSAEncryption", Some("SHA-512"), false),
        ("sha3", &rsa, vec!["-sha3-256"], "RSA-SHA3-256", Some("SHA3-256"), false),
        ("pss1", &rsa, [&["-sha1"][..], &pss].concat(), "rsassaPss", Some("SHA-1"), true),
        ("pss256", &rsa, [&["-sha256"][..], &pss].concat(), "rsassaPss", Some("SHA-256"), false),
        ("ec1", &ec, vec!["-sha1"], "ecdsa-with-SHA1", Some("SHA-1"), true),
        ("ec384", &ec, vec!["-sha384"], "ecdsa-with-SHA384", Some("SHA-384"), false),
        ("dsa1", &dsa, vec!["-sha1"], "dsaWithSHA1", Some("SHA-1"), true),
        ("dsa256", &dsa, vec!["-sha256"], "dsa_with_SHA256", Some("SHA-256"), false),
        ("ed", &["-algorithm", "ED25519"], vec![], "ED25519", None, false),
    ] {
        let seen = signed(name, kind, &wishes);
        assert_eq!(
            (seen.signature.algorithm.as_str(), seen.signature.hash.as_deref()),
            (algorithm, hash),
            "{name}"
        );
        assert_eq!(seen.signature.has_weak_hash(), is_weak, "{name}");
        assert!(seen.self_issued);
    }
}

fn judged(authority: &Authority, leaf: &Leaf, name: Option<&str>) -> common::net::tls::JudgedChain {
    let folder = tempfile::tempdir().unwrap();
    let name: Option<Host> = name.map(|name| name.parse().unwrap());
    let judge = ChainJudge::new(&Trust::CaFile(authority.write_ca(folder.path())), name.as_ref()).unwrap();
    // The file was read at the start.
    drop(folder);
    judge.judge(&leaf.chain_der).unwrap()
}

#[test]
fn captured_chains_are_judged_as_after_a_handshake() {
    let authority = Authority::new("Lab Root CA");
    let leaf = authority.leaf_via_intermediate(&LeafOptions::default(), 30);
    let good = judged(&authority, &leaf, Some("mail.lab.test"));
    assert!(good.tls.trusted());
    assert_eq!((good.path, good.tls.chain.len()), (Some(vec![0, 1]), 2));
    // Without a name the name is no problem, and nothing else changes.
    let other = judged(&authority, &leaf, Some("other.lab.test"));
    let nameless = judged(&authority, &leaf, None);
    assert!(other.tls.name_problem.is_some() && nameless.tls.name_problem.is_none());
    assert_eq!((nameless.tls.server_name.as_str(), nameless.tls.trusted()), ("", true));
    let foreign = judged(&Authority::new("Lab Root CA"), &leaf, None);
    assert!(foreign.tls.chain_problem.is_some() && foreign.path.is_none());
    // What is sent beside the path has no place in it.
    let mut more = leaf.clone();
    more.chain_der.insert(1, authority.leaf(&LeafOptions::default()).cert_der);
    assert_eq!(judged(&authority, &more, None).path, Some(vec![0, 2]));
    // An expired certificate still has its path.
    let expired = judged(&authority, &authority.leaf(&LeafOptions::default().days(-2)), None);
    assert!(!expired.tls.dates_valid && expired.tls.chain_problem.is_none());
    assert_eq!(expired.path, Some(vec![0]));
    let anyone = ChainJudge::new(&Trust::Anyone, None).unwrap().judge(&leaf.chain_der).unwrap();
    assert!(!anyone.tls.judged && anyone.tls.not_after.is_some() && anyone.path.is_none());
    let none = judged(&authority, &Leaf { chain_der: Vec::new(), ..leaf }, None);
    assert_eq!(none.tls.chain_problem.as_deref(), Some("the server sent no certificate"));
}

/// An intermediate that has ended and that only one of the two readers understands: nothing shows its
/// end, and nobody has verified its signature.
#[test]
fn an_end_that_cannot_be_read_is_no_trust() {
    let (authority, fake) = (Authority::new("Lab Root CA"), Authority::new("Somebody Else"));
    for issuer in [&authority, &fake] {
        let leaf = issuer.leaf_via_intermediate(&LeafOptions::default(), -1);
        let mut chain = leaf.chain_der.clone();
        // The algorithm of its key, no sequence any more: webpki reads keys only to verify with them.
        let key = [0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
        let place = chain[1].windows(key.len()).position(|window| window == key).unwrap();
        chain[1][place] = 0x04;
        assert!(
            CertificateDetails::parse(&chain[0]).is_some() && CertificateDetails::parse(&chain[1]).is_none()
        );
        let seen = judged(&authority, &Leaf { chain_der: chain, ..leaf }, Some("mail.lab.test")).tls;
        assert!(!seen.trusted() && seen.chain_problem.is_some(), "{seen:?}");
    }
}

/// A leaf may outlive what signed it; whether that led to a trusted CA once is judged all the same.
#[test]
fn a_path_that_has_ended_is_still_a_path_and_another_is_none() {
    let (authority, fake) = (Authority::new("Lab Root CA"), Authority::new("Somebody Else"));
    let options = LeafOptions::default();
    let ended = judged(&authority, &authority.leaf_via_intermediate(&options, -1), None);
    assert_eq!((ended.tls.chain_problem, ended.path), (None, Some(vec![0, 1])));
    assert!(!ended.tls.dates_valid);
    let never = judged(&authority, &fake.leaf_via_intermediate(&options, -1), None);
    assert!(never.tls.chain_problem.is_some() && never.path.is_none(), "{never:?}");
    // One that ended before the other began.
    let old = authority.leaf_via_intermediate(&options, -400);
    let gap = judged(&authority, &old, None);
    assert!(gap.tls.chain_problem.unwrap().contains("no day on which all of it was valid"));
}
