//! Each row of the table of states.

use clap::Parser as _;
use common::net::dns::Reply;
use common::proto::dns::{Answer, Kind, Outcome, Question};
use common::report::{Report, State};

use super::Hosts as _;
use crate::CheckMailPolicy;
use crate::answers::testing::Zone;

const DOMAIN: &str = "example.org";

fn judged(zone: &Zone, arguments: &[&str]) -> Report {
    let all = ["check_mail_policy", "-d", DOMAIN, "--spf"].iter().chain(arguments);
    let options = CheckMailPolicy::try_parse_from(all).unwrap();
    let judge = |answers: &_| {
        let mut report = Report::new();
        options.judge_spf(answers, &mut report);
        report
    };
    zone.ask(judge).0
}

fn spf(record: &str) -> Zone {
    Zone::default().txt(DOMAIN, record)
}

/// Asserts state and first line of the record alone.
fn assert_first(record: &str, state: State, text: &str) {
    assert_zone(&spf(record), state, text);
}

fn assert_zone(zone: &Zone, state: State, text: &str) {
    let report = judged(zone, &[]);
    assert_eq!((report.state(), report.findings()[0].text.as_str()), (state, text));
}

fn metrics(report: &Report) -> Vec<(&str, Option<f64>)> {
    report.metrics().iter().map(|metric| (metric.label.as_str(), metric.value)).collect()
}

#[test]
fn ok_record_says_lookups_and_the_rest() {
    let zone = spf("v=spf1 ip4:192.0.2.0/24 a mx include:a.example -all")
        .host(DOMAIN, &["192.0.2.1"])
        .mx(DOMAIN, &["mx.example.org"])
        .host("mx.example.org", &["192.0.2.2", "2001:db8::2"])
        .txt("a.example", "v=spf1 ip4:198.51.100.0/24 ~all");
    assert_zone(&zone, State::Ok, "SPF 3 of 10 lookups, -all");
    let report = judged(&zone, &[]);
    assert_eq!(metrics(&report), [("spf_lookups", Some(3.0)), ("spf_voids", Some(0.0))]);
    assert_eq!(report.findings().len(), 1);
}

#[test]
fn ok_domain_that_sends_no_mail() {
    assert_first("v=spf1 -all", State::Ok, "SPF nobody may send, -all");
    assert_first("V=SPF1 -ALL ", State::Ok, "SPF nobody may send, -all");
}

#[test]
fn ok_redirect_decides_the_rest() {
    let zone = spf("v=spf1 redirect=b.example")
        .txt("b.example", "v=spf1 mx:c.example ~all")
        .mx("c.example", &["d.example"])
        .host("d.example", &["192.0.2.1"]);
    assert_zone(&zone, State::Ok, "SPF 2 of 10 lookups, ~all");
}

#[test]
fn critical_no_record_unless_told_otherwise() {
    let zone = Zone::default().txt(DOMAIN, "something else");
    assert_zone(&zone, State::Critical, "example.org has no SPF record");
    assert_zone(&Zone::default(), State::Critical, "example.org has no SPF record: the name does not exist");
    let report = judged(&zone, &["--spf-missing", "ok"]);
    assert_eq!(report.state(), State::Ok);
    assert_eq!(metrics(&report), [("spf_lookups", None), ("spf_voids", None)]);
}

#[test]
fn critical_several_records() {
    let zone = spf("v=spf1 -all").txt(DOMAIN, "v=SPF1 mx -all");
    assert_zone(&zone, State::Critical, "example.org has 2 SPF records (RFC 7208 section 4.5)");
    let zone =
        spf("v=spf1 include:a.example -all").txt("a.example", "v=spf1 -all").txt("a.example", "v=spf1");
    let text = "a.example (included by example.org) has 2 SPF records (RFC 7208 section 4.5)";
    assert_zone(&zone, State::Critical, text);
}

#[test]
fn critical_syntax_error_names_term_and_rule() {
    let cases = [
        ("v=spf1 mxx -all", "\"mxx\" is no mechanism (RFC 7208 section 4.6.1)"),
        (
            "v=spf1 a:192.0.2.1 -all",
            "\"a:192.0.2.1\" has an address for a domain, which takes ip4 or ip6 (RFC 7208 section 5.3)",
        ),
        ("v=spf1 ip4:192.0.2 -all", "\"ip4:192.0.2\" has no whole address (RFC 7208 section 5.6)"),
        (
            "v=spf1 ip4:192.0.2.1/33 -all",
            "\"ip4:192.0.2.1/33\" has no good prefix length (RFC 7208 section 5.6)",
        ),
        (
            "v=spf1 -all redirect=a.example redirect=b.example",
            "\"redirect=b.example\" stands there twice (RFC 7208 section 6)",
        ),
        (
            "v=spf1 exists:%{z}.a.example",
            "\"exists:%{z}.a.example\" has a broken macro (RFC 7208 section 7.1)",
        ),
        ("v=spf1 include:é.example -all", "\"include:é.example\" is not ASCII (RFC 7208 section 3.1)"),
        (
            "v=spf1 include:\\xe9.example -all",
            "\"include:\\xe9.example\" is not ASCII (RFC 7208 section 3.1)",
        ),
        (
            "v=spf1 redirect:a.example",
            "\"redirect:a.example\" is a modifier, which takes \"=\" (RFC 7208 section 4.6.1)",
        ),
    ];
    for (record, text) in cases {
        assert_first(record, State::Critical, &format!("SPF of example.org: {text}"));
    }
}

#[test]
fn critical_more_than_ten_lookups() {
    let many = |number: usize| {
        let terms: String = (0..number).map(|n| format!(" a:h{n}.example")).collect();
        let zone = spf(&format!("v=spf1{terms} -all"));
        (0..number).fold(zone, |zone, n| zone.host(&format!("h{n}.example"), &["192.0.2.1"]))
    };
    assert_zone(&many(7), State::Ok, "SPF 7 of 10 lookups, -all");
    let rule = "(RFC 7208 section 4.6.4)";
    for number in [8, 10] {
        let text = format!("SPF of example.org takes {number} of 10 lookups {rule}");
        assert_zone(&many(number), State::Warning, &text);
    }
    assert_eq!(judged(&many(8), &["--spf-lookups-warning", "9"]).state(), State::Ok);
    assert_eq!(judged(&many(10), &["--spf-lookups-warning", "11"]).state(), State::Ok);
    assert_zone(&many(11), State::Critical, &format!("SPF of example.org takes 11 lookups, above 10 {rule}"));
    let text = format!("SPF of example.org takes more than 40 lookups, above 10 {rule}");
    assert_zone(&many(60), State::Critical, &text);
    assert_eq!(metrics(&judged(&many(60), &[]))[0], ("spf_lookups", None), "nobody counted them");
}

#[test]
fn lookups_of_includes_and_redirects_count_and_what_is_behind_all_does_not() {
    let zone = spf("v=spf1 include:a.example include:a.example redirect=b.example")
        .txt("a.example", "v=spf1 exists:c.example ptr -all a mx redirect=d.example")
        .txt("b.example", "v=spf1 a -all")
        .host("b.example", &["192.0.2.1"]);
    let report = judged(&zone, &[]);
    assert_eq!(metrics(&report)[0], ("spf_lookups", Some(8.0)));
    assert_eq!(metrics(&report)[1], ("spf_voids", Some(2.0)));
}

#[test]
fn critical_loop() {
    let rule = "(RFC 7208 section 4.6.4)";
    let zone = spf("v=spf1 include:a.example -all").txt("a.example", "v=spf1 redirect=example.org");
    assert_zone(&zone, State::Critical, &format!("SPF loop: a.example leads back to example.org {rule}"));
    assert_eq!(metrics(&judged(&zone, &[]))[0], ("spf_lookups", None));
    assert_first(
        "v=spf1 include:%{d} -all",
        State::Critical,
        &format!("SPF loop: example.org leads back to example.org {rule}"),
    );
}

#[test]
fn critical_leads_to_a_domain_without_record() {
    let zone = spf("v=spf1 include:a.example -all").txt("a.example", "v=spf10 -all");
    let text = "SPF of example.org includes a.example, which has none (RFC 7208 section 5.2)";
    assert_zone(&zone, State::Critical, text);
    assert_first(
        "v=spf1 redirect=a.example",
        State::Critical,
        "SPF of example.org redirects to a.example, which has none: NXDOMAIN (RFC 7208 section 6.1)",
    );
    assert_first(
        "v=spf1 include:a..example -all",
        State::Critical,
        "SPF of example.org leads to \"a..example\", which is no name (RFC 7208 section 4.8)",
    );
}

#[test]
fn critical_more_than_two_voids() {
    let zone = spf("v=spf1 a:a.example mx:b.example a:c.example a:d.example -all")
        .host("d.example", &["2001:db8::1"]);
    let text = "SPF of example.org takes 3 void lookups, above 2: A and AAAA a.example, MX b.example, A and AAAA c.example (RFC 7208 section 4.6.4)";
    assert_zone(&zone, State::Critical, text);
    let two = judged(&spf("v=spf1 exists:a.example exists:b.example -all"), &[]);
    assert_eq!(two.state(), State::Ok);
    assert_eq!(metrics(&two)[1], ("spf_voids", Some(2.0)));
    assert!(two.findings()[1].is_note && two.findings()[1].text.starts_with("2 of 2 void lookups"));
}

#[test]
fn critical_more_than_ten_exchangers() {
    let names: Vec<String> = (0..11).map(|n| format!("h{n}.example")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let hosts = |number: usize| {
        let zone = spf("v=spf1 mx -all").mx(DOMAIN, &names[..number]);
        names.iter().fold(zone, |zone, name| zone.host(name, &["192.0.2.1"]))
    };
    assert_eq!(judged(&hosts(10), &[]).state(), State::Ok);
    let text = "\"mx\" of example.org has 11 mail exchangers, above 10 (RFC 7208 section 4.6.4)";
    assert_zone(&hosts(11), State::Critical, text);
}

#[test]
fn critical_everybody_may_send() {
    let all = |text: &str| format!("everybody may send as example.org: {text}");
    assert_first("v=spf1 mx +all", State::Critical, &all("\"+all\" of example.org (RFC 7208 section 5.1)"));
    for record in [
        "v=spf1 all",
        "v=spf1 -ip4:192.0.2.1 all -all",
        "v=spf1 include:a.example -all",
        "v=spf1 redirect=a.example",
        "v=spf1 include:b.example -all",
    ] {
        let zone = spf(record).txt("a.example", "v=spf1 +all").txt("b.example", "v=spf1 redirect=a.example");
        let report = judged(&zone, &[]);
        assert_eq!(
            (report.state(), report.findings()[0].id.as_ref()),
            (State::Critical, "spf_everybody"),
            "{record}"
        );
    }
    let zone = spf("v=spf1 exists:a.example -all").host("a.example", &["127.0.0.2"]);
    assert_zone(&zone, State::Critical, &all("\"exists:a.example\" of example.org (RFC 7208 section 5.7)"));
}

#[test]
fn critical_networks_of_everybody() {
    let rule = "may send as example.org (RFC 7208 section 5.6)";
    for record in [
        "v=spf1 ip4:0.0.0.0/0 -all",
        "v=spf1 ip4:0.0.0.0/1 ip4:128.0.0.0/1 -all",
        "v=spf1 a/0 -all",
        "v=spf1 mx:b.example/0 -all",
        "v=spf1 include:a.example ip4:128.0.0.0/1 -all",
    ] {
        let zone = spf(record)
            .host(DOMAIN, &["192.0.2.1"])
            .mx("b.example", &[DOMAIN])
            .txt("a.example", "v=spf1 ip4:1.2.3.4/1 -all");
        assert_zone(&zone, State::Critical, &format!("100 % of all IPv4 addresses {rule}"));
    }
    assert_first("v=spf1 ip6:::/0 -all", State::Critical, &format!("100 % of all IPv6 addresses {rule}"));
    assert_first("v=spf1 ip6:2000::/4 -all", State::Critical, &format!("50 % of all IPv6 addresses {rule}"));
    assert_first("v=spf1 ip4:64.0.0.0/3 -all", State::Warning, &format!("12 % of all IPv4 addresses {rule}"));
    assert_eq!(judged(&spf("v=spf1 ip4:16.0.0.0/4 ip6:2c00::/8 -all"), &[]).state(), State::Ok);
}

#[test]
fn ok_everybody_within_what_does_not_pass() {
    let zone = spf("v=spf1 -include:a.example ~ip4:0.0.0.0/0 include:b.example -all")
        .txt("a.example", "v=spf1 -a:c.example +all")
        .host("c.example", &["192.0.2.1"])
        .txt("b.example", "v=spf1 -include:a.example ip4:192.0.2.1 ?all");
    assert_eq!(judged(&zone, &[]).state(), State::Ok);
    let behind = judged(&spf("v=spf1 -all +all"), &[]);
    assert_eq!(behind.findings()[0].id, "spf_ignored");
}

#[test]
fn critical_macros_let_strangers_in() {
    let reversed = ["219.113.0.203", "219.100.51.198", "219.2.0.192"];
    let zone = reversed.iter().fold(spf("v=spf1 exists:%{ir}.a.example -all"), |zone, ip| {
        zone.host(&format!("{ip}.a.example"), &["127.0.0.2"])
    });
    let text = "everybody may send as example.org, even 192.0.2.219: \"exists:%{ir}.a.example\" of example.org (RFC 7208 section 7)";
    assert_zone(&zone, State::Critical, text);
    let zone = spf("v=spf1 exists:%{v}.a.example -all").host("ip6.a.example", &["127.0.0.2"]);
    assert_eq!(judged(&zone, &[]).state(), State::Critical, "all of one family");
    // One of them is nobody's sign for all.
    let zone = spf("v=spf1 exists:%{ir}.a.example -all").host("219.113.0.203.a.example", &["127.0.0.2"]);
    assert_eq!(judged(&zone, &[]).state(), State::Ok);
}

#[test]
fn critical_names_that_the_client_chooses() {
    for (record, term, of) in [
        ("v=spf1 a:%{h} -all", "a:%{h}", "example.org"),
        ("v=spf1 mx:mail.%{h2} -all", "mx:mail.%{h2}", "example.org"),
        ("v=spf1 exists:%{ir}.%{l} -all", "exists:%{ir}.%{l}", "example.org"),
        ("v=spf1 include:%{p} -all", "include:%{p}", "example.org"),
        ("v=spf1 redirect=_spf.%{h}", "redirect=_spf.%{h}", "example.org"),
        ("v=spf1 include:c.example -all", "ptr:%{H}", "c.example (included by example.org)"),
    ] {
        let zone = spf(record).txt("c.example", "v=spf1 ptr:%{H} -all");
        let text = format!(
            "everybody may send as example.org: \"{term}\" of {of} asks for a name that the client chooses \
             (RFC 7208 section 7.2)"
        );
        assert_zone(&zone, State::Critical, &text);
    }
    for good in ["a:%{h}.a.example", "exists:%{l1}.%{d}", "exists:%{o}", "-a:%{h}", "?include:%{h}"] {
        let report = judged(&spf(&format!("v=spf1 {good} -all")), &[]);
        let ids: Vec<&str> = report.findings().iter().map(|finding| finding.id.as_ref()).collect();
        assert!(!ids.contains(&"spf_everybody"), "{good}: {ids:?}");
    }
}

#[test]
fn warning_neutral_before_the_rest() {
    let zone = spf("v=spf1 ip4:192.0.2.1 ?include:a.example -all").txt("a.example", "v=spf1 +all");
    let text = "\"?include:a.example\" of example.org makes whoever is not listed neutral, as 192.0.2.219 \
                (RFC 7208 section 8.2)";
    assert_zone(&zone, State::Warning, text);
    // Addresses of documents are listed in many tests of others.
    assert_first("v=spf1 ?ip4:203.0.113.0/24 -all", State::Ok, "SPF 0 of 10 lookups, -all");
}

#[test]
fn unknown_texts_that_were_not_kept() {
    let mut answers = crate::answers::Answers::default();
    let name = crate::answers::asked_name(DOMAIN).unwrap();
    for kind in [Kind::Txt, Kind::A] {
        let outcome = Outcome::Records(Vec::new());
        let answer = Answer { left_out: 1, ..Answer::bare(outcome) };
        let reply = Reply { answer, server: None, time: None };
        answers.insert(Question { name: name.clone(), kind }, reply);
    }
    let all = ["check_mail_policy", "-d", DOMAIN, "--spf", "--ip", "192.0.2.1"];
    let options = CheckMailPolicy::try_parse_from(all).unwrap();
    let mut report = Report::new();
    options.judge_spf(&answers, &mut report);
    assert_eq!(report.state(), State::Unknown, "{:?}", report.findings());
    let first = &report.findings()[0].text;
    assert!(first.ends_with("example.org: malformed answer: more records than anybody reads"), "{first}");
    assert!(answers.get(&name, Kind::A).records().is_err(), "part of the addresses says nothing");
}

#[test]
fn warning_error_for_whoever_is_not_listed() {
    let report = judged(&spf("v=spf1 include:%{i}.a.example -all"), &[]);
    assert_eq!((report.state(), report.findings()[0].id.as_ref()), (State::Warning, "spf_unlisted"));
    assert!(report.findings().iter().any(|finding| finding.id == "spf_macro" && finding.is_note));
}

#[test]
fn warning_ptr() {
    for (record, term) in
        [("v=spf1 ptr -all", "ptr"), ("v=spf1 exists:%{p}.a.example -all", "exists:%{p}.a.example")]
    {
        let text = format!("\"{term}\" of example.org should not be used (RFC 7208 section 5.5)");
        assert_first(record, State::Warning, &text);
    }
}

#[test]
fn warning_neutral_rest() {
    let text = "?all of example.org: whoever is not listed is neutral (RFC 7208 section 8.2)";
    assert_first("v=spf1 ip4:192.0.2.1 ?all", State::Warning, text);
    for record in ["v=spf1 ip4:192.0.2.1", "v=spf1"] {
        let text =
            "SPF of example.org has neither all nor redirect: the rest is neutral (RFC 7208 section 4.7)";
        assert_first(record, State::Warning, text);
    }
    let zone = spf("v=spf1 include:a.example -all").txt("a.example", "v=spf1 ip4:192.0.2.1");
    assert_eq!(judged(&zone, &[]).state(), State::Ok, "an include needs none");
}

#[test]
fn warning_long_record() {
    let long = |bytes: usize| format!("v=spf1 x={} -all", "y".repeat(bytes - "v=spf1 x= -all".len()));
    assert_eq!(judged(&spf(&long(450)), &[]).state(), State::Ok);
    let text = "SPF of example.org has 451 bytes, above 450 (RFC 7208 section 3.4)";
    assert_first(&long(451), State::Warning, text);
    let zone = spf("v=spf1 include:a.example -all").txt("a.example", &long(451));
    let report = judged(&zone, &[]);
    assert_eq!((report.state(), report.findings()[1].id.as_ref()), (State::Ok, "spf_length"), "not ours");
}

#[test]
fn warning_ignored_terms() {
    let cases = [
        (
            "v=spf1 -all ip4:192.0.2.1",
            "\"ip4:192.0.2.1\" behind all in SPF of example.org is ignored (RFC 7208 section 5.1)",
        ),
        (
            "v=spf1 redirect=a.example -all",
            "\"redirect=a.example\" beside all in SPF of example.org is ignored (RFC 7208 section 6.1)",
        ),
        (
            "v=spf1 include=a.example -all",
            "\"include=\" in SPF of example.org is ignored, a mechanism takes \":\" (RFC 7208 section 6)",
        ),
    ];
    for (record, text) in cases {
        assert_first(record, State::Warning, text);
    }
}

#[test]
fn warning_text_that_only_looks_like_spf() {
    for text in
        ["v=spf10 -all", "spf2.0/pra -all", " v=spf1 -all", "\"v=spf1 -all\"", "v= spf1 -all", "v=spf1;-all"]
    {
        let zone = spf("v=spf1 -all").txt(DOMAIN, text);
        let report = judged(&zone, &[]);
        assert_eq!(
            (report.state(), report.findings()[0].id.as_ref()),
            (State::Warning, "spf_lookalike"),
            "{text}"
        );
        assert_eq!(judged(&Zone::default().txt(DOMAIN, text), &[]).state(), State::Critical, "{text}");
    }
    assert_eq!(judged(&spf("v=spf1 -all").txt(DOMAIN, "google-verification"), &[]).state(), State::Ok);
}

#[test]
fn warning_name_that_nobody_can_ask_for() {
    let text = "SPF of example.org asks for \"a..example\", which is no name (RFC 7208 section 4.8)";
    assert_first("v=spf1 a:a..example -all", State::Warning, text);
}

#[test]
fn unknown_questions_without_answer() {
    let zone = Zone::default().fails(DOMAIN, Kind::Txt, Outcome::Timeout);
    assert_zone(
        &zone,
        State::Unknown,
        "SPF of example.org is not known: cannot look up the TXT record of example.org: timeout",
    );
    let report = judged(&zone, &[]);
    assert_eq!(report.findings().len(), 1, "and not missing");
    assert_eq!(metrics(&report), [("spf_lookups", None), ("spf_voids", None)]);
    let report = judged(&zone, &["--timeout-state", "critical"]);
    assert_eq!(report.state(), State::Critical);
    let zone = spf("v=spf1 include:a.example mx -all")
        .fails("a.example", Kind::Txt, Outcome::ServFail)
        .mx(DOMAIN, &["b.example"])
        .host("b.example", &["192.0.2.1"])
        .fails("b.example", Kind::Aaaa, Outcome::Refused);
    let text = "SPF of example.org is not known: cannot look up the TXT record of a.example: SERVFAIL, the AAAA record of b.example: REFUSED";
    assert_zone(&zone, State::Unknown, text);
    let zone =
        spf("v=spf1 exists:%{i}.a.example -all").fails("203.0.113.219.a.example", Kind::A, Outcome::ServFail);
    assert_zone(
        &zone,
        State::Unknown,
        "SPF of example.org is not known: cannot look up the A record of 203.0.113.219.a.example: SERVFAIL",
    );
}

#[test]
fn ok_client_passes() {
    let zone = spf("v=spf1 ip4:192.0.2.0/24 include:a.example -all")
        .txt("a.example", "v=spf1 ip6:2001:db8::/32 -all");
    let report = judged(&zone, &["--ip", "192.0.2.1", "--ip", "2001:db8::1", "--ip", "::ffff:192.0.2.9"]);
    let texts: Vec<&str> = report.findings().iter().map(|finding| finding.text.as_str()).collect();
    assert_eq!(report.state(), State::Ok);
    assert_eq!(
        texts,
        [
            "SPF 1 of 10 lookups, -all",
            "192.0.2.1 may send: \"ip4:192.0.2.0/24\" of example.org (pass for \"postmaster@example.org\")",
            "2001:db8::1 may send: \"include:a.example\" of example.org (pass for \"postmaster@example.org\")",
            "::ffff:192.0.2.9 may send: \"ip4:192.0.2.0/24\" of example.org (pass for \"postmaster@example.org\")",
        ]
    );
}

#[test]
fn critical_client_does_not_pass() {
    let cases = [
        ("v=spf1 ~all", "is refused: \"~all\" of example.org (softfail for"),
        ("v=spf1 -all", "is refused: \"-all\" of example.org (fail for"),
        ("v=spf1 ?all", "does not pass: \"?all\" of example.org (neutral for"),
        ("v=spf1 ip4:192.0.2.1", "does not pass: no term of example.org matches (neutral for"),
        ("no record", "does not pass: example.org has no SPF record (none for"),
        (
            "v=spf1 all:x",
            "does not pass: SPF of example.org: \"all:x\" takes no argument (RFC 7208 section 5.1) (permerror for",
        ),
    ];
    for (record, text) in cases {
        let report = judged(&spf(record), &["--ip", "198.51.100.1", "--spf-missing", "ok"]);
        let found = report.findings().into_iter().find(|finding| finding.id == "spf_ip").unwrap().clone();
        let text = format!("198.51.100.1 {text} \"postmaster@example.org\")");
        assert_eq!((found.state, found.text), (State::Critical, text));
    }
}

#[test]
fn critical_refusal_has_the_words_of_the_domain() {
    let zone = spf("v=spf1 exp=why.example -all").txt("why.example", "%{i} is not ours");
    let report = judged(&zone, &["--ip", "198.51.100.1"]);
    let text = "198.51.100.1 is refused: \"-all\" of example.org (fail for \"postmaster@example.org\", \"198.51.100.1 is not ours\")";
    assert_eq!(report.findings()[0].text, text);
}

#[test]
fn unknown_client_whose_question_has_no_answer() {
    let zone = spf("v=spf1 ip4:192.0.2.1 -all").fails("b.example", Kind::Txt, Outcome::Timeout);
    let options = ["--ip", "192.0.2.1", "--sender", "a@b.example"];
    let report = judged(&zone, &options);
    let text = "192.0.2.1 is not known: cannot look up the TXT record of b.example: timeout (temperror for \"a@b.example\")";
    assert_eq!((report.state(), report.findings()[0].text.as_str()), (State::Unknown, text));
}

#[test]
fn sender_and_helo_choose_whose_record_counts() {
    let zone = spf("v=spf1 -all")
        .txt("b.example", "v=spf1 exists:%{l}.%{o}.%{h}.c.example -all")
        .host("joe.b.example.h.example.c.example", &["127.0.0.2"])
        .txt("h.example", "v=spf1 +ip4:192.0.2.1 -all")
        .txt("xn--bcher-kva.example", "v=spf1 ip4:192.0.2.1 -all");
    for (sender, helo, state) in [
        ("joe@b.example", "h.example", State::Ok),
        ("jim@b.example", "h.example", State::Critical),
        ("joe@example.org", "h.example", State::Critical),
        ("<>", "h.example", State::Ok),
        ("<>", "b.example", State::Critical),
        ("joe@bücher.example", "h.example", State::Ok),
        ("joe@[192.0.2.1]", "h.example", State::Critical),
    ] {
        let report = judged(&zone, &["--ip", "192.0.2.1", "--sender", sender, "--spf-helo", helo]);
        assert_eq!(report.state(), state, "{sender} {helo}");
    }
}

#[test]
fn nothing_is_asked_when_spf_is_not_wanted() {
    let report = |arguments: &[&str]| {
        let all = ["check_mail_policy", "-d", DOMAIN].iter().chain(arguments);
        let options = CheckMailPolicy::try_parse_from(all).unwrap();
        let answers = crate::answers::Answers::default();
        options.judge_spf(&answers, &mut Report::new());
        answers.take_wanted().len()
    };
    assert_eq!(report(&["--dmarc"]), 0);
    assert_eq!(report(&[]), 1);
    assert_eq!(report(&["--dmarc", "--ip", "192.0.2.1"]), 1, "who names a client wants SPF");
}

#[test]
fn usage_sender_without_domain() {
    use common::plugin::Plugin as _;
    let check = |sender: &str| {
        let all = ["check_mail_policy", "-d", DOMAIN, "--ip", "192.0.2.1", "--sender", sender];
        CheckMailPolicy::try_parse_from(all).unwrap().check_options()
    };
    assert!(check("postmaster").is_err());
    assert!(check("<>").is_ok() && check("a@b.example").is_ok());
}
