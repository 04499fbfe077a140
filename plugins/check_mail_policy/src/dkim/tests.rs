use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use common::proto::dns::{Answer, Data, Outcome, Question, Record};
use proptest::prelude::*;

use super::*;
use crate::answers::testing::Zone;
use crate::testing::{options, report, said, states_of};

const NAME: &str = "s1._domainkey.example.org";

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[tag, 0x82, length[0], length[1]], content].concat()
}

/// An RSAPublicKey with a modulus of so many bits.
fn bare(bits: usize) -> Vec<u8> {
    let mut modulus = vec![0xff; bits.div_ceil(8)];
    modulus[0] >>= bits.div_ceil(8) * 8 - bits;
    if modulus[0] & 0x80 != 0 {
        modulus.insert(0, 0);
    }
    der(0x30, &[der(2, &modulus), vec![2, 3, 1, 0, 1]].concat())
}

/// SubjectPublicKeyInfo of an algorithm.
fn spki(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    der(0x30, &[algorithm, &der(3, &[&[0], key].concat())].concat())
}

fn rsa(bits: usize) -> String {
    let algorithm = [48, 13, 6, 9, 42, 134, 72, 134, 247, 13, 1, 1, 1, 5, 0];
    BASE64_STANDARD.encode(spki(&algorithm, &bare(bits)))
}

fn judged(zone: &Zone) -> Vec<(State, String)> {
    said(zone, &options(&["--dkim", "s1"]), judge)
}

fn record(text: &str) -> Vec<(State, String)> {
    judged(&Zone::default().txt(NAME, text))
}

/// The one finding beside that on the key.
fn fault(text: &str) -> (State, String) {
    let mut said = record(text);
    said.retain(|(state, _)| *state > State::Ok);
    let [(state, text)] = &said[..] else { panic!("{said:?}") };
    (*state, text.strip_prefix(&format!("{NAME}: ")).unwrap().to_owned())
}

/// The values of the metric: none where it is left out, `None` where it is unknown.
fn bits(zone: &Zone, arguments: &[&str]) -> Vec<Option<f64>> {
    let report = report(zone, &options(arguments), judge);
    report.metrics().iter().map(|metric| metric.value).collect()
}

#[test]
fn ok_rsa_and_ed25519() {
    let key = rsa(2048);
    for text in [
        format!("v=DKIM1; k=rsa; p={key}"),
        format!("p={key};"),
        format!("v=DKIM1; h=sha1 : sha256; s=tls:email; t=s; n=x; p={key}"),
    ] {
        assert_eq!(record(&text), [(State::Ok, "DKIM s1: RSA 2048".to_owned())], "{text}");
    }
    let folded = format!("v=DKIM1; p={} {}", &key[..100], &key[100..]);
    assert_eq!(states_of(&record(&folded)), [State::Ok]);
    let small = format!("v=DKIM1; k=ed25519; p={}", BASE64_STANDARD.encode([7; 32]));
    assert_eq!(record(&small), [(State::Ok, "DKIM s1: Ed25519".to_owned())]);
}

#[test]
fn ok_alias_is_named_in_the_background() {
    let mut answers = Answers::default();
    let data = Data::Txt(format!("p={}", rsa(2048)));
    let records = vec![Record { name: "key.host.example".to_owned(), ttl: 1, data }];
    let mut answer = Answer::bare(Outcome::Records(records));
    answer.aliases = vec!["key.host.example".to_owned()];
    let insert = |answers: &mut Answers, answer| {
        let question = Question { name: NAME.parse().unwrap(), kind: Kind::Txt };
        answers.insert(question, common::net::dns::Reply { answer, server: None, time: None });
    };
    insert(&mut answers, answer.clone());
    let mut report = Report::new();
    judge(&options(&["--dkim", "s1"]), &answers, &mut report);
    assert_eq!(report.state(), State::Ok);
    let lines: Vec<&str> = report.context_lines(1).collect();
    assert_eq!(lines, [format!("{NAME} is an alias of key.host.example")]);

    answer.outcome = Outcome::NxDomain;
    insert(&mut answers, answer);
    let mut report = Report::new();
    judge(&options(&["--dkim", "s1"]), &answers, &mut report);
    let text =
        format!("{NAME}: no DKIM key at key.host.example, of which it is an alias (RFC 6376 section 6.1.2)");
    assert_eq!((report.state(), report.findings()[0].text.clone()), (State::Critical, text));
}

#[test]
fn critical_missing() {
    let text = format!("{NAME}: no DKIM key (RFC 6376 section 6.1.2)");
    assert_eq!(judged(&Zone::default()), [(State::Critical, text)]);
    assert_eq!(said(&Zone::default(), &options(&[]), judge), [], "no selector, no question");
    let long = ["a".repeat(60), "b".repeat(60), "c".repeat(60), "d".repeat(60)].join(".");
    let said = said(&Zone::default(), &options(&["--dkim", &long]), judge);
    assert!(said[0].0 == State::Critical && said[0].1.contains("no name is that long"), "{said:?}");
}

#[test]
fn critical_several() {
    let zone = Zone::default().txt(NAME, &format!("p={}", rsa(2048))).txt(NAME, "x");
    let text =
        format!("{NAME}: 2 TXT records, so that verifiers may take any of them (RFC 6376 section 3.6.2.2)");
    assert_eq!(judged(&zone), [(State::Critical, text)]);
}

#[test]
fn critical_revoked() {
    let text = format!("{NAME}: p= is empty: the key was revoked (RFC 6376 section 3.6.1)");
    for empty in ["v=DKIM1; p=", "v=DKIM1; k=rsa; p= ;"] {
        assert_eq!(record(empty), [(State::Critical, text.clone())]);
    }
}

#[test]
fn key_sizes() {
    for (size, expected) in [
        (512, Some((State::Critical, "RSA key of 512 bits, verifiers want at least 1024"))),
        (1023, Some((State::Critical, "RSA key of 1023 bits, verifiers want at least 1024"))),
        (1024, Some((State::Warning, "RSA key of 1024 bits, it should have at least 2048"))),
        (2047, Some((State::Warning, "RSA key of 2047 bits, it should have at least 2048"))),
        (2048, None),
        (4096, None),
        (4104, Some((State::Warning, "RSA key of 4104 bits, verifiers need not handle more than 4096"))),
    ] {
        let text = format!("v=DKIM1; p={}", rsa(size));
        match expected {
            Some((state, words)) => {
                assert_eq!(fault(&text), (state, format!("{words} (RFC 8301 section 3.2)")));
            }
            None => assert_eq!(states_of(&record(&text)), [State::Ok], "{size}"),
        }
    }
}

#[test]
fn warning_testing_and_form() {
    let key = rsa(2048);
    for (text, words) in [
        (format!("v=DKIM1; t=s : y; p={key}"), "t=y says that the domain only tests DKIM"),
        (format!("v=DKIM1; p={}", BASE64_STANDARD.encode(bare(2048))), "p= has an RSAPublicKey, not the"),
        (
            format!("v=DKIM1; k=ed25519; p={}", "A".repeat(43)),
            "p= ends in base64 that strict verifiers refuse",
        ),
        (format!("v=DKIM1;; p={key}"), "has an empty tag (RFC 6376 section 3.2)"),
    ] {
        let (state, said) = fault(&text);
        assert!(state == State::Warning && said.starts_with(words), "{said}");
        assert_eq!(record(&text).len(), 2, "the key is told as well");
    }
}

#[test]
fn critical_broken() {
    let key = rsa(2048);
    let ec = spki(&[48, 19, 6, 7, 42, 134, 72, 206, 61, 2, 1, 6, 8, 42, 134, 72, 206, 61, 3, 1, 7], &[4; 65]);
    let trailing = [BASE64_STANDARD.decode(&key).unwrap(), vec![0]].concat();
    for (text, words) in [
        (
            format!("v=DKIM2; p={key}"),
            "v=\"DKIM2\" is not DKIM1, so verifiers discard it (RFC 6376 section 3.6.1)",
        ),
        (
            format!("v=dkim1; p={key}"),
            "v=\"dkim1\" is not DKIM1, so verifiers discard it (RFC 6376 section 3.6.1)",
        ),
        (format!("k=rsa; v=DKIM1; p={key}"), "v= is not the first tag (RFC 6376 section 3.6.1)"),
        (format!("v=DKIM1; p={key}; p={key}"), "has p= twice (RFC 6376 section 3.2)"),
        (format!("v=DKIM1; rsa; p={key}"), "has \"rsa\" without \"=\" (RFC 6376 section 3.2)"),
        (
            "v=spf1 -all".to_owned(),
            "v=\"spf1 -all\" is not DKIM1, so verifiers discard it (RFC 6376 section 3.6.1)",
        ),
        ("v=DKIM1; k=rsa".to_owned(), "has no p=, so no key (RFC 6376 section 3.6.1)"),
        (
            format!("v=DKIM1; h=sha1; p={key}"),
            "h=\"sha1\" leaves out sha256, the only hash that counts (RFC 8301 section 3.1)",
        ),
        (format!("v=DKIM1; s=tlsrpt; p={key}"), "s=\"tlsrpt\" leaves out email (RFC 6376 section 3.6.1)"),
        (
            format!("v=DKIM1; k=dsa; p={key}"),
            "k=\"dsa\" is a kind of key that verifiers ignore (RFC 6376 section 3.6.1)",
        ),
        (
            "v=DKIM1; p=AB*D".to_owned(),
            "p= is no base64: Invalid symbol 42, offset 2. (RFC 6376 section 3.6.1)",
        ),
        ("v=DKIM1; p=AAAA".to_owned(), "p= has no RSA key in DER (RFC 6376 section 3.6.1)"),
        (
            format!("v=DKIM1; p={}", BASE64_STANDARD.encode(trailing)),
            "p= has no RSA key in DER (RFC 6376 section 3.6.1)",
        ),
        (
            format!("v=DKIM1; p={}", BASE64_STANDARD.encode(ec)),
            "p= has a key for EC, not for RSA as k= says (RFC 6376 section 3.6.1)",
        ),
        (
            "v=DKIM1; k=ed25519; p=AAAA".to_owned(),
            "p= has 3 bytes, an Ed25519 key has 32 (RFC 8463 section 4.2)",
        ),
    ] {
        assert_eq!(fault(&text), (State::Critical, words.to_owned()), "{text}");
        assert!(!states_of(&record(&text)).contains(&State::Ok), "no good word on what is of no use: {text}");
    }
}

#[test]
fn ok_oddities_are_notes() {
    let said = record(&format!("v=DKIM1; g=joe; x=1; p={}", rsa(2048)));
    assert_eq!(states_of(&said), [State::Ok; 3]);
    let notes: Vec<&str> = said.iter().skip(1).map(|(_, text)| text.as_str()).collect();
    assert!(notes[0].contains("verifiers ignore x=") && notes[1].contains("g= is obsolete"), "{notes:?}");
    assert_eq!(record(&format!("g=*; p={}", rsa(2048))).len(), 1);
}

#[test]
fn unknown_no_answer() {
    for outcome in [Outcome::ServFail, Outcome::Refused, Outcome::Timeout, Outcome::NotAsked] {
        let zone = Zone::default().fails(NAME, Kind::Txt, outcome.clone());
        let text = format!("cannot look up the TXT record of {NAME}: {outcome}");
        assert_eq!(judged(&zone), [(State::Unknown, text)]);
        assert_eq!(bits(&zone, &["--dkim", "s1"]), [None]);
    }
    let zone = Zone::default().fails(NAME, Kind::Txt, Outcome::Timeout);
    let options = options(&["--dkim", "s1", "--timeout-state", "warning"]);
    assert_eq!(states_of(&said(&zone, &options, judge)), [State::Warning]);
}

#[test]
fn bits_are_those_of_the_weakest_rsa_key() {
    let zone = Zone::default()
        .txt(NAME, &format!("p={}", rsa(2048)))
        .txt("s2._domainkey.example.org", &format!("p={}", rsa(1024)))
        .txt("s3._domainkey.example.org", &format!("k=ed25519; p={}", BASE64_STANDARD.encode([7; 32])));
    assert_eq!(bits(&zone, &["--dkim", "s1", "--dkim", "s2", "--dkim", "s3"]), [Some(1024.0)]);
    assert_eq!(bits(&zone, &["--dkim", "s3"]), [], "left out where no key is of RSA");
    assert_eq!(bits(&zone, &["--dkim", "s4"]), [], "left out where there is no key");
}

proptest! {
    #[test]
    fn any_text_is_judged(text in "(v=DKIM1; ?)?((k|p|t|h|s|n)=[ -~é]{0,20};){0,5}\\PC{0,20}") {
        let said = record(&text);
        prop_assert!(!said.is_empty());
        prop_assert!(said.iter().all(|(state, text)| *state == State::Ok || text.starts_with(NAME)), "{:?}", said);
    }
}
