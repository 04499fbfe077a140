//! The public test suite of RFC 7208, from our own table of its facts.

use common::proto::dns::{Kind, Outcome};

use super::super::check_host::{Client, check_host};
use super::Hosts as _;
use crate::answers::testing::Zone;

const FACTS: &str = include_str!("../../../testdata/rfc7208.tsv");

struct Case<'a> {
    name: &'a str,
    client: Client,
    right: Vec<&'a str>,
    /// `-`: there must be none.
    explanation: Option<&'a str>,
}

#[test]
fn every_case_of_the_suite_has_a_right_result() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for set in FACTS.split("\nset\t").skip(1) {
        let (zone, cases) = read_set(set);
        for case in cases {
            seen += 1;
            let ((verdict, explanation), _) = zone.ask(|answers| {
                let ruling = check_host(answers, &case.client);
                (ruling.verdict.to_string(), ruling.words(answers, &case.client))
            });
            let is_right = case.right.contains(&verdict.as_str());
            let words = explanation.as_deref();
            let explains =
                case.explanation.is_none_or(|right| right.eq_ignore_ascii_case(words.unwrap_or("-")));
            if !is_right || !explains {
                wrong.push(format!("{}: {verdict} for {:?}, {words:?}", case.name, case.right));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(seen, 203);
}

fn read_set(set: &str) -> (Zone, Vec<Case<'_>>) {
    let mut zone = Zone::default();
    let mut failures = Vec::new();
    let mut cases = Vec::new();
    for line in set.lines().skip(1).filter(|line| !line.is_empty()) {
        let fields: Vec<&str> = line.split('\t').collect();
        match fields.as_slice() {
            ["has", name, kind, data @ ..] => zone = with(zone, name, kind, data.first().unwrap_or(&"")),
            ["fail", name, outcome] => failures.push((*name, *outcome)),
            ["case", name, ip, helo, sender, right, explanation @ ..] => cases.push(Case {
                name,
                client: client(ip, helo, sender),
                right: right.split('/').collect(),
                explanation: explanation.first().copied(),
            }),
            _ => panic!("{line}"),
        }
    }
    for (name, outcome) in failures {
        let outcome = if outcome == "TIMEOUT" { Outcome::Timeout } else { Outcome::ServFail };
        // What the zone has stands before, and is found first.
        for kind in [Kind::A, Kind::Aaaa, Kind::Mx, Kind::Ptr, Kind::Txt] {
            zone = zone.fails(name, kind, outcome.clone());
        }
    }
    (zone, cases)
}

fn with(zone: Zone, name: &str, kind: &str, data: &str) -> Zone {
    match kind {
        "A" | "AAAA" => zone.host(name, &[data]),
        "PTR" => zone.ptr(name, &[data]),
        "MX" => zone.mx(name, &[data.split_once(' ').unwrap().1.trim_end_matches('.')]),
        "TXT" => {
            let escapes =
                [("\\s", " "), ("\\r", "\r"), ("\\n", "\n"), ("\\0", "\0"), ("\\u{feff}", "\u{feff}")];
            let text = escapes.iter().fold(data.to_owned(), |text, (from, to)| text.replace(from, to));
            zone.txt(name, &text)
        }
        other => panic!("{other}"),
    }
}

fn client(ip: &str, helo: &str, sender: &str) -> Client {
    let (local, domain) = sender.rsplit_once('@').unwrap_or(("", helo));
    let local = if local.is_empty() { "postmaster" } else { local };
    let ip: std::net::IpAddr = ip.parse().unwrap();
    Client { ip: ip.to_canonical(), helo: helo.into(), local: local.into(), domain: domain.into() }
}
