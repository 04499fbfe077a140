//! Zones signed by BIND's tools, served by NSD and by BIND, validated by Unbound.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

use std::net::SocketAddr;
use std::process::Command;

use lab::dns::client::{Answer, ask, ask_tcp, ask_validated};
use lab::dns::signed::{EXPIRED, NSEC3, Origin, SignedZone, Validator};
use lab::dns::{Rcode, Rdata, Record, RecordType, ZoneFile};

/// Everything that a check of mail policies asks for.
fn records(zone: &str) -> Vec<Record> {
    let at = |front: &str| format!("{front}.{zone}");
    vec![
        Record::mx(10, &at("mx")),
        Record::txt("v=spf1 mx -all"),
        Record::address("127.0.0.31").owned_by(&at("mx")),
        Record::address("::1").owned_by(&at("mx")),
        Record::tlsa(3, 1, 1, &[7; 32]).owned_by(&at("_25._tcp.mx")),
        Record::tlsa(2, 0, 2, &[9; 64]).owned_by(&at("_2525._tcp.mx")),
        Record::cname(&at("mx")).owned_by(&at("alias")),
        Record::txt(&long()).owned_by(&at("s1._domainkey")),
        Record::new(Rdata::Txt(vec![b"a \"quoted\" \\ ".to_vec(), vec![0, 200, b';'], Vec::new()]))
            .owned_by(&at("odd")),
    ]
}

fn long() -> String {
    format!("v=DKIM1; k=rsa; p={}", "Ab/+".repeat(180))
}

fn zone(name: &str) -> ZoneFile {
    ZoneFile::of(name, &records(name))
}

fn of(server: SocketAddr, name: &str, kind: RecordType) -> Answer {
    ask_validated(server, name, kind).unwrap()
}

fn without_signatures(answer: &Answer) -> Vec<Rdata> {
    answer.data().into_iter().filter(|data| !matches!(data, Rdata::Other(46, _))).collect()
}

#[test]
fn a_resolver_vouches_for_what_is_signed_and_for_nothing_else() {
    for origin in [Origin::Nsd, Origin::Named] {
        let signed = [
            SignedZone::new(&zone("secure.test")),
            SignedZone::with(&zone("hashed.test"), &NSEC3),
            SignedZone::new(&zone("forged.test")).forged("_25._tcp.mx.forged.test", "TLSA"),
            SignedZone::with(&zone("expired.test"), &EXPIRED),
        ];
        let resolver = Validator::start_with(origin, &signed, &[zone("plain.test")]);
        let at = resolver.addr();
        for name in ["secure.test", "hashed.test", "plain.test"] {
            let is_signed = name != "plain.test";
            for record in records(name) {
                let owner = record.name.as_deref().unwrap_or(name);
                let kind = record.data.record_type();
                let answer = of(at, owner, kind);
                assert_eq!(
                    (answer.rcode, answer.flags.authentic_data),
                    (Rcode::NoError, is_signed),
                    "{owner}"
                );
                assert_eq!(without_signatures(&answer), [record.data], "{owner}");
            }
            let negative = |front: &str, kind| {
                let answer = of(at, &format!("{front}.{name}"), kind);
                assert!(answer.records.is_empty());
                (answer.rcode, answer.flags.authentic_data)
            };
            assert_eq!(negative("_26._tcp.mx", RecordType::Tlsa), (Rcode::NxDomain, is_signed));
            assert_eq!(negative("mx", RecordType::Txt), (Rcode::NoError, is_signed));
            assert!(!ask(at, name, RecordType::Mx).unwrap().flags.authentic_data, "nobody wanted to know");
        }
        assert_eq!(of(at, "alias.secure.test", RecordType::A).addresses(), ["127.0.0.31"]);
        assert_eq!(of(at, "_25._tcp.mx.forged.test", RecordType::Tlsa).rcode, Rcode::ServFail);
        assert!(of(at, "_2525._tcp.mx.forged.test", RecordType::Tlsa).flags.authentic_data);
        for kind in [RecordType::Mx, RecordType::Txt, RecordType::A] {
            assert_eq!(of(at, "expired.test", kind).rcode, Rcode::ServFail);
        }
        assert_eq!(of(at, "_dmarc.test", RecordType::Txt).rcode, Rcode::NxDomain, "the zone above is there");
        let origin = resolver.origin();
        assert!(!of(origin, "secure.test", RecordType::Mx).flags.authentic_data, "only a resolver vouches");
        assert!(ask(origin, "s1._domainkey.secure.test", RecordType::Txt).unwrap().flags.truncated);
        let whole = ask_tcp(origin, "s1._domainkey.secure.test", RecordType::Txt).unwrap();
        assert_eq!(whole.texts(), [long()]);
    }
}

#[test]
fn a_key_that_nobody_trusts_is_worth_nothing() {
    let (served, trusted) = (SignedZone::new(&zone("secure.test")), SignedZone::new(&zone("secure.test")));
    assert_ne!(served.anchor(), trusted.anchor());
    let resolver = Validator::start(&[trusted.serving(&served)], &[]);
    assert_eq!(of(resolver.addr(), "secure.test", RecordType::Mx).rcode, Rcode::ServFail);
}

/// dnssec-verify comes with the tools that sign, and looks at every signature.
#[test]
fn forging_breaks_one_signature() {
    let good = SignedZone::new(&zone("secure.test"));
    let bad = good.clone().forged("secure.test", "TXT");
    assert!(verified(&good).starts_with("ok "), "{}", verified(&good));
    let complaint = verified(&bad);
    assert!(complaint.contains("secure.test") && complaint.contains("TXT"), "{complaint}");
}

fn verified(zone: &SignedZone) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("zone");
    std::fs::write(&file, &zone.file().text).unwrap();
    let mut command = Command::new("dnssec-verify");
    let output = command.args(["-z", "-o", &zone.file().name]).arg(file).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    format!("{} {said}", if output.status.success() { "ok" } else { "bad" })
}
