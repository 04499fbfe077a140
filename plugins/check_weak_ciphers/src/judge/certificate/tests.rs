use common::cli::CertificateArgs;
use common::net::tls::SignatureSeen;
use proptest::prelude::*;

use super::*;
use crate::certificate::tests::{certificate, chain};
use crate::policy::{Class, Moment};

/// Within the life of all test certificates: none ends before 700,000.
const NOW: i64 = 100_000;

fn bcp195() -> &'static Policy {
    Policy::by_name("bcp195").unwrap()
}

fn judged_at(chain: SeenChain, now: i64) -> Vec<Found> {
    judge(bcp195(), &SeenCertificates { chains: vec![chain], incomplete: None }, now)
}

/// The only finding about a chain whose leaf was changed.
fn of_leaf(change: impl FnOnce(&mut CertificateDetails)) -> Option<(FindingKind, String)> {
    let mut chain = chain(Some(vec![0, 1]));
    change(chain.certificates[0].as_mut().unwrap());
    let mut found = judged_at(chain, NOW);
    assert!(found.len() < 2, "{found:?}");
    found.pop()
}

fn of_trust(change: impl FnOnce(&mut Trust)) -> Vec<Found> {
    let mut chain = chain(Some(vec![0, 1]));
    if let SeenTrust::Judged(trust) = &mut chain.trust {
        change(trust);
    }
    judged_at(chain, NOW)
}

#[test]
fn ok_a_sound_chain() {
    assert_eq!(judged_at(chain(Some(vec![0, 1])), NOW), []);
    assert_eq!(judged_at(chain(None), NOW), []);
    assert_eq!(judge(bcp195(), &SeenCertificates::default(), NOW), []);
}

#[test]
fn broken_expired() {
    let kind = FindingKind::CertificateExpired;
    let expired = |now| judged_at(chain(Some(vec![0, 1])), now);
    // The middle ends first.
    assert_eq!(expired(800_000), []);
    assert_eq!(expired(800_001), [(kind, "\"CN=middle\" RSA 2048 expired 1 day ago".to_owned())]);
    assert_eq!(expired(800_000 + 3 * DAY), [(kind, "\"CN=middle\" RSA 2048 expired 3 days ago".to_owned())]);
    assert_eq!(bcp195().class_of(kind), Class::Broken);
    // Nothing to trust by does not hide it.
    let unjudged = SeenChain { trust: SeenTrust::NotJudged("none".into()), ..chain(None) };
    assert_eq!(judged_at(unjudged, 700_001).len(), 1);
}

#[test]
fn broken_untrusted_says_why() {
    let kind = FindingKind::CertificateUntrusted;
    let about = "(\"CN=leaf\" RSA 2048, issued by \"CN=middle\")";
    let chain_problem = of_trust(|trust| trust.chain_problem = Some("leads nowhere".into()));
    assert_eq!(chain_problem, [(kind, format!("leads nowhere {about}"))]);
    let name_problem = of_trust(|trust| trust.name_problem = Some("not for a".into()));
    assert_eq!(name_problem, [(kind, format!("not for a {about}"))]);
    let early = of_trust(|trust| trust.not_before = Some(NOW + 1));
    assert_eq!(early, [(kind, format!("certificate is not valid yet, but in 1 day {about}"))]);
    assert_eq!(of_trust(|trust| trust.not_before = Some(NOW)), []);
    let both = of_trust(|trust| {
        trust.chain_problem = Some("leads nowhere".into());
        trust.name_problem = Some("not for a".into());
    });
    assert_eq!(both.len(), 2);
    assert!(hint(kind).is_some());
}

#[test]
fn weak_signature() {
    let signed = |hash: &str| {
        let hash = hash.to_owned();
        of_leaf(|leaf| leaf.signature = SignatureSeen { algorithm: "x".into(), hash: Some(hash) })
    };
    for hash in ["MD5", "SHA-1"] {
        let text = "\"CN=leaf\" RSA 2048 is signed with x".to_owned();
        assert_eq!(signed(hash), Some((FindingKind::CertificateWeakHash, text)));
    }
    assert_eq!(signed("SHA-256"), None);
    // Not that of a root.
    let mut with_root = chain(None);
    with_root.certificates[2].as_mut().unwrap().signature.hash = Some("SHA-1".into());
    assert_eq!(judged_at(with_root.clone(), NOW), []);
    with_root.certificates[1].as_mut().unwrap().signature.hash = Some("SHA-1".into());
    assert_eq!(judged_at(with_root, NOW).len(), 1);
}

#[test]
fn weak_keys() {
    let key = |kind, bits, curve: Option<&str>| {
        let curve = curve.map(str::to_owned);
        let key = KeySeen { kind, name: "K".into(), bits: Some(bits), curve, sha256: String::new() };
        of_leaf(|leaf| leaf.key = key).map(|(kind, _)| kind)
    };
    for (kind, bits, curve, expected) in [
        (KeyKind::Rsa, 2047, None, Some(FindingKind::RsaSmall)),
        (KeyKind::Rsa, 0, None, Some(FindingKind::RsaSmall)),
        (KeyKind::Rsa, 2048, None, None),
        (KeyKind::Rsa, 1 << 20, None, None),
        (KeyKind::Ec, 192, Some("secp192r1"), Some(FindingKind::CurveSmall)),
        (KeyKind::Ec, 224, Some("secp224r1"), None),
        (KeyKind::Ec, 256, None, Some(FindingKind::CurveSmall)),
        (KeyKind::Dsa, 1024, None, None),
        (KeyKind::Other, 1, None, None),
    ] {
        assert_eq!(key(kind, bits, curve), expected, "{kind:?} {bits} {curve:?}");
    }
}

#[test]
fn the_policy_says_what_is_small() {
    let mut strict = bcp195().clone();
    (strict.limits.rsa, strict.limits.curve) = (3000, 384);
    let seen = SeenCertificates { chains: vec![chain(Some(vec![0, 1]))], incomplete: None };
    let found = judge(&strict, &seen, NOW);
    assert_eq!(found.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [FindingKind::RsaSmall; 2]);
    assert!(found[0].1.ends_with("has less than 3000 bits"));
}

/// By a policy in a file, in a year; the leaf and what signed it are RSA 2048, signed with SHA-256.
fn by_file(text: &str, year: i64, days: i64) -> Vec<String> {
    let policy = Policy::read(text, "own", "own").unwrap().in_force(Moment::Year(year));
    let mut chain = chain(Some(vec![0, 1]));
    for one in chain.certificates.iter_mut().flatten() {
        one.seen.not_after = one.seen.not_before + days * DAY;
    }
    let found = judge(&policy, &SeenCertificates { chains: vec![chain], incomplete: None }, NOW);
    found.into_iter().map(|(kind, text)| format!("{}: {text}", kind.name())).collect()
}

#[test]
fn policy_lists_keys_signatures_and_days() {
    let (leaf, middle) = ("\"CN=leaf\" RSA 2048", "\"CN=middle\" RSA 2048");
    let signed = "is signed with sha256WithRSAEncryption";
    for (text, days, expected) in [
        ("certificate.keys = ['RSA']", 9, vec![]),
        ("certificate.keys = ['EC *']", 9, vec![format!("certificate_key: {leaf}")]),
        ("certificate.signatures = ['sha256*']", 9, vec![]),
        ("certificate.signatures = ['sha384*']", 9, vec![format!("certificate_signature: {leaf} {signed}")]),
        (
            "certificate.chain_signatures = ['sha384*']",
            9,
            vec![
                format!("certificate_signature: {leaf} {signed}"),
                format!("certificate_signature: {middle} {signed}"),
            ],
        ),
        // Once, though both lists leave it out.
        (
            "certificate.chain_signatures = ['sha384*']\ncertificate.signatures = ['sha384*']",
            9,
            vec![
                format!("certificate_signature: {leaf} {signed}"),
                format!("certificate_signature: {middle} {signed}"),
            ],
        ),
        ("certificate.days = 90", 90, vec![]),
        (
            "certificate.days = 90",
            91,
            vec![format!("certificate_lifetime: {leaf} is made for 91 days, more than 90")],
        ),
    ] {
        assert_eq!(by_file(text, 2026, days), expected, "{text}");
    }
}

#[test]
fn policy_ends_of_keys_and_signatures() {
    let text = "[[ends]]\nuntil = 2027\nkeys = ['RSA']\nsignatures = ['sha256*']\n";
    let kinds = |year: i64| -> Vec<String> {
        let found = by_file(text, year, 9);
        found.iter().map(|text| text.split_once(':').unwrap().0.to_owned()).collect()
    };
    assert_eq!(kinds(2026), Vec::<String>::new());
    assert_eq!(kinds(2027), ["ends_soon"; 3]);
    assert!(by_file(text, 2027, 9).iter().all(|text| text.ends_with("(until 2027)")));
    assert_eq!(kinds(2028), ["certificate_signature", "certificate_signature", "certificate_key"]);
}

#[test]
fn labels_name_the_key() {
    let mut one = certificate("CN=a", "CN=b", 1);
    assert_eq!(label(&one), "\"CN=a\" RSA 2048");
    one.key = KeySeen {
        kind: KeyKind::Ec,
        name: "EC".into(),
        bits: Some(256),
        curve: Some("secp256r1".into()),
        sha256: String::new(),
    };
    assert_eq!(label(&one), "\"CN=a\" EC secp256r1");
    one.key = KeySeen {
        kind: KeyKind::Other,
        name: "Ed25519".into(),
        bits: Some(256),
        curve: None,
        sha256: String::new(),
    };
    assert_eq!(label(&one), "\"CN=a\" Ed25519");
}

proptest! {
    /// The metric and the findings agree on what has ended, and no date is too far.
    #[test]
    fn days_and_findings_agree(end in any::<i64>(), now in any::<i64>()) {
        let mut chain = chain(Some(vec![0]));
        if let SeenTrust::Judged(trust) = &mut chain.trust {
            (trust.not_before, trust.not_after) = (Some(i64::MIN), Some(end));
        }
        let seen = SeenCertificates { chains: vec![chain], incomplete: None };
        let days = days_left(&seen, now).unwrap();
        prop_assert_eq!(days < 0, end < now);
        let found = judge(bcp195(), &seen, now);
        prop_assert_eq!(found.len(), usize::from(end < now));
        prop_assert!(exact(days).is_finite());
        let thresholds = CertificateArgs::default().thresholds();
        prop_assert!(days >= 21 || thresholds.deciding(exact(days)).is_some());
    }
}
