//! Records and certificates held against each other.

use common::proto::names::Host;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use super::*;

/// A server's certificate under an authority of its own.
struct Chain {
    own: Vec<u8>,
    authority: Vec<u8>,
}

impl Chain {
    fn for_name(name: &str) -> Self {
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let (key, own_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let root = authority.self_signed(&key).unwrap();
        let issuer = Issuer::new(authority, key);
        let own =
            CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&own_key, &issuer).unwrap();
        Self { own: own.der().to_vec(), authority: root.der().to_vec() }
    }

    fn shown(&self) -> Vec<Vec<u8>> {
        vec![self.own.clone(), self.authority.clone()]
    }
}

fn record(usage: u8, selector: u8, matching: u8, of: &[u8]) -> Tlsa {
    let data = associated(selector, matching, of).unwrap();
    Tlsa { usage, selector, matching, data }
}

fn names(list: &[&str]) -> Vec<Host> {
    list.iter().map(|name| Host::Name((*name).to_owned())).collect()
}

#[test]
fn every_selector_and_matching_type_finds_its_certificate() {
    let chain = Chain::for_name("mx.example");
    let other = Chain::for_name("mx.example");
    let names = names(&["mx.example"]);
    for selector in [0, 1] {
        for matching in [0, 1, 2] {
            for (usage, of, stranger) in
                [(3, &chain.own, &other.own), (2, &chain.authority, &other.authority)]
            {
                let mine = record(usage, selector, matching, of);
                assert_eq!(mine.unusable(), None);
                assert_eq!(mine.judge(&chain.shown(), &names).unwrap(), Match::Yes, "{mine}");
                let foreign = record(usage, selector, matching, stranger);
                assert_eq!(foreign.judge(&chain.shown(), &names).unwrap(), Match::No, "{foreign}");
            }
        }
    }
}

#[test]
fn names_count_under_an_authority_and_not_for_the_certificate_itself() {
    let chain = Chain::for_name("mx.example");
    let elsewhere = names(&["mx.test", "example.test"]);
    let own = record(3, 1, 1, &chain.own);
    assert_eq!(own.judge(&chain.shown(), &elsewhere).unwrap(), Match::Yes);
    let authority = record(2, 1, 1, &chain.authority);
    let Match::Untrusted(why) = authority.judge(&chain.shown(), &elsewhere).unwrap() else { panic!() };
    assert!(why.contains("mx.test"), "{why}");
    // The domain of the mail is as good as the host (RFC 7672 section 3.2.2).
    let domain = names(&["mx.test", "mx.example"]);
    assert_eq!(authority.judge(&chain.shown(), &domain).unwrap(), Match::Yes);
}

#[test]
fn an_authority_that_did_not_sign_or_is_not_shown() {
    let (chain, other) = (Chain::for_name("mx.example"), Chain::for_name("mx.example"));
    let names = names(&["mx.example"]);
    // Anybody can add a known authority to a chain; it must have signed.
    let shown = [other.own.clone(), chain.authority.clone()];
    let digest = record(2, 0, 1, &chain.authority);
    assert!(matches!(digest.judge(&shown, &names).unwrap(), Match::Untrusted(_)));
    let alone = [chain.own.clone()];
    assert_eq!(digest.judge(&alone, &names).unwrap(), Match::No);
    // A whole certificate in the record needs no copy in the chain.
    let whole = record(2, 0, 0, &chain.authority);
    assert_eq!(whole.judge(&alone, &names).unwrap(), Match::Yes);
    assert_eq!(whole.judge(std::slice::from_ref(&other.own), &names).unwrap(), Match::No);
    assert_eq!(digest.judge(&[], &names).unwrap(), Match::No);
}

#[test]
fn what_senders_pass_over() {
    let with = |usage, selector, matching, length| Tlsa { usage, selector, matching, data: vec![0; length] };
    assert_eq!(with(3, 1, 1, 32).unusable(), None);
    assert_eq!(with(2, 0, 2, 64).unusable(), None);
    for bad in [
        with(0, 0, 1, 32),
        with(1, 1, 1, 32),
        with(4, 1, 1, 32),
        with(3, 2, 1, 32),
        with(3, 1, 3, 32),
        with(3, 1, 1, 31),
        with(3, 1, 2, 32),
        with(3, 0, 0, 0),
    ] {
        assert!(bad.unusable().is_some(), "{bad}");
    }
}

#[test]
fn records_are_shown_as_in_a_zone_file_and_cut() {
    let record = Tlsa { usage: 3, selector: 1, matching: 1, data: vec![0xab; 32] };
    assert_eq!(record.to_string(), format!("3 1 1 {}...", "ab".repeat(16)));
    assert_eq!(hex(&[1, 2], 32), "0102");
}
