//! Chains that a server may show: whatever is read from one stays within its limits, and none is
//! trusted but those that the authority has signed.
//!
//! Input: certificates in DER, each behind its length in three bytes, as TLS 1.2 sends them.

use std::io::Write;

use common::net::tls::{CertificateDetails, ChainJudge, JudgedChain, KeyKind, Trust};
use common::proto::names::Host;

/// An authority with a life of 71 years; its key is lost.
const AUTHORITY: &str = "\
-----BEGIN CERTIFICATE-----
MIIBkTCCATagAwIBAgIUWYn4ePdDssGhi/rTlURrf2yQkJgwCgYIKoZIzj0EAwIw
FjEUMBIGA1UEAwwLTGFiIFJvb3QgQ0EwIBcNMjYxMTIxMTUzOTEwWhgPMjA5ODAx
MjcxNTM5MTBaMBYxFDASBgNVBAMMC0xhYiBSb290IENBMFkwEwYHKoZIzj0CAQYI
KoZIzj0DAQcDQgAE2QBxQ2itS2X41qTWZ1wko1EbgT+vq3mfCoFLx0y5i5MFZhT9
FJqjtUybAuKTBaEdGVcn3kapdUPx9OvCLO5nGKNgMF4wHQYDVR0OBBYEFMLiJDOX
cvYCqx1L5Dwlu/uEP3GcMB8GA1UdIwQYMBaAFMLiJDOXcvYCqx1L5Dwlu/uEP3Gc
MA8GA1UdEwEB/wQFMAMBAf8wCwYDVR0PBAQDAgIEMAoGCCqGSM49BAMCA0kAMEYC
IQCpQlfx2Ukl9MEQk6f9ZaRU0MvGP/LLwmKZZKKRnWxJzgIhAMzxPmoyyjSeFt8P
1HBp/yCgwryn864NuFSsUJFS/Mn/
-----END CERTIFICATE-----
";
/// Itself, which is pinned, and all that it and its intermediate have signed for servers.
const GENUINE: [&[u8]; 4] = [
    include_bytes!("../corpus/weak_certificate/ca_as_leaf"),
    include_bytes!("../corpus/weak_certificate/good"),
    include_bytes!("../corpus/weak_certificate/good_with_intermediate"),
    include_bytes!("../corpus/weak_certificate/many_names"),
];
/// Certificates that are judged; more of them cost only time.
const MOST: usize = 12;

thread_local! {
    /// With a name, and without one.
    static JUDGES: [ChainJudge; 2] = judges();
}

fn judges() -> [ChainJudge; 2] {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(AUTHORITY.as_bytes()).expect("our file");
    let trust = Trust::CaFile(file.path().to_path_buf());
    let name: Host = "www.lab.test".parse().expect("a name");
    [Some(&name), None].map(|name| ChainJudge::new(&trust, name).expect("a CA file"))
}

/// The target.
pub fn run(data: &[u8]) {
    let chain = chain(data);
    for der in &chain {
        if let Some(details) = CertificateDetails::parse(der) {
            check(&details, der);
        }
    }
    JUDGES.with(|[named, nameless]| {
        let judged = named.judge(&chain).expect("there is a CA file");
        check_judged(&judged, &chain);
        let other = nameless.judge(&chain).expect("there is a CA file");
        check_judged(&other, &chain);
        assert!(other.tls.name_problem.is_none() && other.tls.server_name.is_empty());
        assert_eq!(judged.tls.chain_problem, other.tls.chain_problem, "the name has no part in it");
        assert_eq!(judged.path, other.path);
        assert!(!judged.tls.trusted() || other.tls.trusted());
        // What stands behind a chain adds no trust to it.
        let more: Vec<Vec<u8>> = chain.iter().cloned().chain([vec![1, 2, 3]]).collect();
        let more = named.judge(&more).expect("there is a CA file");
        assert!(!more.tls.trusted() || judged.tls.trusted() || chain.is_empty());
    });
}

fn chain(mut data: &[u8]) -> Vec<Vec<u8>> {
    let mut chain = Vec::new();
    while let Some((&[a, b, c], rest)) = data.split_first_chunk() {
        let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        let (der, rest) = rest.split_at(length.min(rest.len()));
        chain.push(der.to_vec());
        data = rest;
        if chain.len() == MOST {
            break;
        }
    }
    chain
}

fn check(details: &CertificateDetails, der: &[u8]) {
    assert_eq!(Some(details), CertificateDetails::parse(der).as_ref(), "the same each time");
    let text = serde_json::to_string(details).expect("plain data");
    assert_eq!(details, &serde_json::from_str(&text).expect("its own form"), "nothing is lost in a dump");
    let seen = &details.seen;
    assert!(seen.subject.len() <= 512 && seen.issuer.len() <= 512 && seen.serial.len() <= 64);
    assert!(seen.names.len() <= 32 && seen.names.iter().all(|name| name.len() <= 512));
    assert_eq!(details.sha256.len(), 64);
    let (key, signature) = (&details.key, &details.signature);
    assert!(!key.name.is_empty() && key.name.len() <= 512 && signature.algorithm.len() <= 512);
    // A named curve may belong to a key that is none.
    let longest = if key.kind == KeyKind::Ec { 571 } else { 0 }.max(der.len() * 8);
    assert!(key.bits.is_none_or(|bits| bits as usize <= longest), "{key:?}");
    assert!(key.curve.is_none() || key.kind == KeyKind::Ec);
    assert!(!signature.has_weak_hash() || signature.hash.is_some());
}

fn check_judged(judged: &JudgedChain, sent: &[Vec<u8>]) {
    let JudgedChain { tls, path } = judged;
    assert!(tls.judged && tls.chain.len() <= sent.len());
    let readable = sent.iter().filter(|der| CertificateDetails::parse(der).is_some()).count();
    assert_eq!(tls.chain.len(), readable);
    match path {
        Some(path) => {
            assert!(path.is_sorted() && path.first() == Some(&0) && path.iter().all(|at| *at < sent.len()));
        }
        None => assert!(tls.chain_problem.is_some(), "what was not verified is a problem"),
    }
    if tls.chain_problem.is_none() {
        let leaf = &sent[0];
        let genuine = GENUINE.iter().any(|list| chain(list).first() == Some(leaf));
        assert!(genuine, "trusted, and not signed by the authority");
    }
    for problem in [&tls.chain_problem, &tls.name_problem].into_iter().flatten() {
        assert!(!problem.is_empty() && problem.len() < 2048);
    }
}
