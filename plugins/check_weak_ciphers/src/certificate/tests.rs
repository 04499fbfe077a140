use common::net::tls::{CertificateSeen, KeySeen, SignatureSeen, Trust as Anchors};
use proptest::prelude::*;

use super::*;

/// A certificate that runs from 1000 to its end.
pub(crate) fn certificate(subject: &str, issuer: &str, not_after: i64) -> CertificateDetails {
    CertificateDetails {
        seen: CertificateSeen {
            subject: subject.into(),
            issuer: issuer.into(),
            names: vec!["www.example".into()],
            not_before: 1000,
            not_after,
            serial: "01".into(),
        },
        key: KeySeen {
            kind: KeyKind::Rsa,
            name: "RSA".into(),
            bits: Some(2048),
            curve: None,
            sha256: "00".into(),
        },
        signature: SignatureSeen {
            algorithm: "sha256WithRSAEncryption".into(),
            hash: Some("SHA-256".into()),
        },
        self_issued: subject == issuer,
        sha256: "00".into(),
    }
}

/// A leaf, what signed it, and a root, of which the verified path uses these.
pub(crate) fn chain(path: Option<Vec<usize>>) -> SeenChain {
    let certificates = [
        certificate("CN=leaf", "CN=middle", 900_000),
        certificate("CN=middle", "CN=root", 800_000),
        certificate("CN=root", "CN=root", 700_000),
    ];
    let places = path.clone().unwrap_or_else(|| vec![0, 1, 2]);
    let used = places.iter().filter_map(|place| certificates.get(*place));
    let trust = Trust {
        name: Some("www.example".into()),
        not_before: Some(1000),
        not_after: used.map(|one| one.seen.not_after).min(),
        path,
        ..Trust::default()
    };
    SeenChain { length: 3, certificates: certificates.map(Some).into(), trust: SeenTrust::Judged(trust) }
}

fn places(chain: &SeenChain) -> Vec<usize> {
    chain.relevant().map(|(place, _)| place).collect()
}

#[test]
fn only_the_path_matters_where_one_is_known() {
    let known = chain(Some(vec![0, 1]));
    assert_eq!((places(&known), known.not_after()), (vec![0, 1], Some(800_000)));
    let unknown = chain(None);
    assert_eq!((places(&unknown), unknown.not_after()), (vec![0, 1, 2], Some(700_000)));
    let unjudged = SeenChain { trust: SeenTrust::NotJudged("no CA certificates".into()), ..chain(None) };
    assert_eq!((places(&unjudged), unjudged.not_after()), (vec![0, 1, 2], Some(700_000)));
    assert_eq!(unjudged.gaps(), ["no CA certificates"]);
}

#[test]
fn the_strength_of_a_root_does_not_count_that_of_a_leaf_does() {
    let subjects =
        |chain: &SeenChain| chain.counted().map(|one| one.seen.subject.clone()).collect::<Vec<_>>();
    assert_eq!(subjects(&chain(None)), ["CN=leaf", "CN=middle"]);
    let mut own = chain(None);
    own.certificates = vec![Some(certificate("CN=leaf", "CN=leaf", 900_000))];
    assert_eq!(subjects(&own), ["CN=leaf"]);
}

#[test]
fn what_cannot_be_read_is_a_gap_where_it_matters() {
    let mut broken = chain(None);
    broken.certificates[1] = None;
    assert_eq!(broken.gaps(), ["certificate 1 of the chain cannot be read"]);
    let mut extra = chain(Some(vec![0, 2]));
    extra.certificates[1] = None;
    assert!(extra.gaps().is_empty());
    for (kind, is_gap) in
        [(KeyKind::Rsa, true), (KeyKind::Ec, true), (KeyKind::Dsa, false), (KeyKind::Other, false)]
    {
        let mut keyless = chain(None);
        let leaf = keyless.certificates[0].as_mut().unwrap();
        (leaf.key.kind, leaf.key.bits) = (kind, None);
        assert_eq!(!keyless.gaps().is_empty(), is_gap, "{kind:?}");
    }
    let all = SeenCertificates { chains: vec![broken], incomplete: Some("silence".into()) };
    assert_eq!(all.gaps(), ["silence", "certificate 1 of the chain cannot be read"]);
}

#[test]
fn long_chains_are_cut() {
    let judge = ChainJudge::new(&Anchors::Anyone, None).unwrap();
    let seen = SeenChain::new(&vec![vec![0x30, 0]; 5000], &judge);
    assert_eq!((seen.length, seen.certificates.len()), (5000, MAX_LENGTH));
}

proptest! {
    #[test]
    fn any_bytes_may_be_sent_as_a_chain(
        chain in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..40),
    ) {
        let judge = ChainJudge::new(&Anchors::Anyone, None).unwrap();
        let seen = SeenChain::new(&chain, &judge);
        prop_assert_eq!(seen.length, chain.len());
        prop_assert!(seen.certificates.iter().all(Option::is_none));
        let certificates = SeenCertificates { chains: vec![seen], incomplete: None };
        prop_assert_eq!(certificates.gaps().len(), chain.len().min(MAX_LENGTH));
        let text = serde_json::to_string(&certificates).unwrap();
        prop_assert_eq!(serde_json::from_str::<SeenCertificates>(&text).unwrap(), certificates);
    }
}
