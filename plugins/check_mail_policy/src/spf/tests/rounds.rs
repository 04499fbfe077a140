//! How much is asked, and how often.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Instant;

use clap::Parser as _;
use common::proto::dns::Kind;
use common::report::{Report, State};
use proptest::prelude::*;

use super::Hosts as _;
use crate::CheckMailPolicy;
use crate::answers::testing::Zone;
use crate::answers::{Answers, asked_name};

/// The report, the rounds, and the questions: those that are known at the end.
fn asked(zone: &Zone, options: &[&str]) -> (Report, usize, usize) {
    let all = ["check_mail_policy", "-d", "n0.example", "--spf"].iter().chain(options);
    let options = CheckMailPolicy::try_parse_from(all).unwrap();
    let questions = RefCell::new(0);
    let judge = |answers: &Answers| {
        let mut report = Report::new();
        options.judge_spf(answers, &mut report);
        *questions.borrow_mut() = answers.len();
        report
    };
    let (report, rounds) = zone.ask(judge);
    (report, rounds, questions.into_inner())
}

/// Includes as deep as this below the domain's own record.
fn deep(levels: usize, record: &str) -> Zone {
    let zone = (0..levels).fold(Zone::default(), |zone, level| {
        zone.txt(&format!("n{level}.example"), &format!("v=spf1 include:n{}.example -all", level + 1))
    });
    zone.txt(&format!("n{levels}.example"), record)
}

#[test]
fn a_healthy_domain_takes_a_round_for_each_level() {
    let record = "v=spf1 ip4:192.0.2.0/24 -all";
    for levels in 0..5 {
        assert_eq!(asked(&deep(levels, record), &[]).1, levels + 1);
        assert_eq!(asked(&deep(levels, record), &["--ip", "192.0.2.1"]).1, levels + 1);
        // Hosts take one more, exchangers two: what they are called must be known first.
        let zone = deep(levels, "v=spf1 a mx -all");
        let last = format!("n{levels}.example");
        let zone =
            zone.host(&last, &["192.0.2.1"]).mx(&last, &["mx.example"]).host("mx.example", &["192.0.2.2"]);
        let (report, rounds, questions) = asked(&zone, &["--ip", "192.0.2.2", "--ip", "2001:db8::1"]);
        assert_eq!((rounds, questions), (levels + 3, levels + 6), "{report:?}");
    }
}

#[test]
fn a_client_that_macros_ask_for_takes_no_further_round() {
    let zone = Zone::default()
        .txt("n0.example", "v=spf1 exists:%{i}.a.example include:%{ir}.b.example include:c.example -all")
        .txt("c.example", "v=spf1 exists:%{h}.d.example a:e.example ?all")
        .host("e.example", &["192.0.2.1"])
        .host("192.0.2.9.a.example", &["127.0.0.2"]);
    assert_eq!(asked(&zone, &["--ip", "192.0.2.9"]).1, 3);
}

#[test]
fn questions_of_one_level_go_out_together() {
    let zone = Zone::default().txt(
        "n0.example",
        "v=spf1 include:n1.example a:h1.example mx:h2.example exists:h3.example redirect=n2.example",
    );
    let options = CheckMailPolicy::try_parse_from(["check_mail_policy", "-d", "n0.example"]).unwrap();
    let wanted = RefCell::new(Vec::new());
    zone.ask(|answers| {
        options.judge_spf(answers, &mut Report::new());
        let asked = answers.clone().take_wanted();
        wanted.borrow_mut().push(asked.len());
    });
    assert_eq!(*wanted.borrow(), [1, 6, 0]);
}

#[test]
fn what_never_ends_is_not_followed_to_the_end() {
    // Each record includes two more: more than a million of them.
    let zone = (0..200).fold(Zone::default(), |zone, at| {
        let record =
            format!("v=spf1 include:n{}.example include:n{}.example mx -all", 2 * at + 1, 2 * at + 2);
        zone.txt(&format!("n{at}.example"), &record)
    });
    let (report, rounds, questions) = asked(&zone, &["--ip", "192.0.2.1"]);
    assert_eq!(report.state(), State::Critical);
    assert!(rounds <= 10 && questions < 80, "{rounds} rounds, {questions} questions");
    let chain = deep(100, "v=spf1 -all");
    let (_, rounds, questions) = asked(&chain, &[]);
    assert!(rounds <= 42 && questions <= 42, "{rounds} rounds, {questions} questions");
}

#[test]
fn a_record_of_64_kilobytes_is_read_at_once() {
    let many = |term: &str| format!("v=spf1 {} -all", vec![term; 65_000 / term.len()].join(" "));
    for term in [
        "ip4:192.0.2.1",
        "a:%{d}.example",
        "x=%{s}",
        "exists:%{i}%{s}%{l}.example",
        "include:n0.example",
        "%",
    ] {
        let zone = Zone::default().txt("n0.example", &many(term));
        let start = Instant::now();
        let (report, ..) = asked(&zone, &["--ip", "192.0.2.9"]);
        assert!(report.state() >= State::Warning, "{term}");
        let findings: usize = report.findings().iter().map(|finding| finding.text.len()).sum();
        assert!(findings < 8192, "{term}: {findings}");
        assert!(start.elapsed().as_secs() < 5, "{term}: {:?}", start.elapsed());
    }
}

fn any_term() -> impl Strategy<Value = String> {
    let name = || 0usize..12;
    prop_oneof![
        name().prop_map(|n| format!("include:n{n}.example")),
        name().prop_map(|n| format!("a:n{n}.example/8")),
        name().prop_map(|n| format!("mx:n{n}.example")),
        name().prop_map(|n| format!("exists:n{n}.example")),
        name().prop_map(|n| format!("redirect=n{n}.example")),
        name().prop_map(|n| format!("exists:%{{i}}.%{{p}}.n{n}.example")),
        name().prop_map(|n| format!("include:%{{l}}.n{n}.example")),
        name().prop_map(|n| format!("exp=n{n}.example")),
        Just("ptr".to_owned()),
        Just("a".to_owned()),
        Just("mx".to_owned()),
        Just("ip4:10.0.0.0/8".to_owned()),
        Just("?all".to_owned()),
        Just("mxx".to_owned()),
    ]
}

/// Records, numbers of exchangers, how many addresses.
type Host = (Vec<Vec<String>>, BTreeSet<usize>, usize);

fn any_host() -> impl Strategy<Value = Host> {
    let records = prop::collection::vec(prop::collection::vec(any_term(), 0..7), 0..3);
    (records, prop::collection::btree_set(0usize..20, 0..14), 0usize..3)
}

fn zone(hosts: &[Host]) -> Zone {
    hosts.iter().enumerate().fold(Zone::default(), |zone, (at, (records, exchangers, addresses))| {
        let name = format!("n{at}.example");
        let zone =
            records.iter().fold(zone, |zone, terms| zone.txt(&name, &format!("v=spf1 {}", terms.join(" "))));
        let exchangers: Vec<String> = exchangers.iter().map(|n| format!("n{n}.example")).collect();
        let exchangers: Vec<&str> = exchangers.iter().map(String::as_str).collect();
        let zone = zone.mx(&name, &exchangers).host(&name, &["10.1.2.3", "2001:db8::1"][..*addresses]);
        zone.ptr("3.2.1.10.in-addr.arpa", &[&name])
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_tree_takes_few_rounds_and_questions(hosts in prop::collection::vec(any_host(), 1..12)) {
        let zone = zone(&hosts);
        let (report, rounds, questions) = asked(&zone, &["--ip", "10.1.2.3", "--ip", "2001:db8::1"]);
        // At most 41 terms of the walk, each with one host or ten exchangers of two families; the
        // clients and strangers add their own names for macros.
        prop_assert!(rounds <= 60 && questions <= 1000, "{} rounds, {} questions", rounds, questions);
        prop_assert!(!report.findings().is_empty());
        for finding in report.findings() {
            prop_assert!(!finding.text.is_empty() && finding.text.len() < 2048, "{}", finding.text);
        }
        let value = |label: &str| report.metrics().iter().find(|metric| metric.label == label).unwrap().value;
        if report.state() == State::Ok {
            prop_assert!(value("spf_lookups").unwrap() < 8.0 && value("spf_voids").unwrap() <= 2.0);
        }
    }
}

#[test]
fn words_for_the_refused_are_asked_for_only_where_somebody_reads_them() {
    let zone = Zone::default().txt("n0.example", "v=spf1 exp=why.example -all");
    assert_eq!(asked(&zone, &[]).2, 1, "TXT");
    assert_eq!(asked(&zone, &["--ip", "192.0.2.1"]).2, 2, "TXT twice");
}

#[test]
fn aliases_of_one_record_are_counted_as_often_as_they_are_asked() {
    let name = asked_name("n0.example").unwrap();
    let zone = Zone::default().txt("n0.example", "v=spf1 a:h.example a:h.example -all");
    let (report, _, questions) = asked(&zone, &[]);
    assert_eq!(questions, 3, "TXT, A and AAAA");
    assert!(report.findings().iter().any(|finding| finding.text.starts_with("2 of 2 void lookups")));
    let (missing, _) = zone.ask(|answers| answers.get(&name, Kind::Mx).outcome.records().len());
    assert_eq!(missing, 0);
}
