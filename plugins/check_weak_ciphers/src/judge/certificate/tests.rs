use common::cli::CertificateArgs;
use common::net::tls::SignatureSeen;
use proptest::prelude::*;

use super::*;
use crate::certificate::tests::{certificate, chain};
use crate::policy::Class;

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
        let key = KeySeen { kind, name: "K".into(), bits: Some(bits), curve: curve.map(str::to_owned) };
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

#[test]
fn labels_name_the_key() {
    let mut one = certificate("CN=a", "CN=b", 1);
    assert_eq!(label(&one), "\"CN=a\" RSA 2048");
    one.key =
        KeySeen { kind: KeyKind::Ec, name: "EC".into(), bits: Some(256), curve: Some("secp256r1".into()) };
    assert_eq!(label(&one), "\"CN=a\" EC secp256r1");
    one.key = KeySeen { kind: KeyKind::Other, name: "Ed25519".into(), bits: Some(256), curve: None };
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
