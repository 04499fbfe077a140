//! What the public suite leaves open.

use common::net::dns::Reply;
use common::proto::dns::{Answer, Data, Kind, Outcome, Question, Record};

use super::super::check_host::{Client, Reason, Ruling, Verdict, check_host};
use super::Hosts as _;
use crate::answers::testing::Zone;
use crate::answers::{Answers, asked_name};

fn client(ip: &str) -> Client {
    let ip: std::net::IpAddr = ip.parse().unwrap();
    let domain = "example.org".to_owned();
    Client { ip: ip.to_canonical(), helo: domain.clone(), local: "joe".into(), domain }
}

fn verdict(zone: &Zone, ip: &str) -> Verdict {
    zone.ask(|answers| check_host(answers, &client(ip)).verdict).0
}

fn explanation(record: &str) -> Option<String> {
    let zone = Zone::default().txt("example.org", record).txt("why.example", "so it is");
    zone.ask(|answers| check_host(answers, &client("192.0.2.1")).words(answers, &client("192.0.2.1"))).0
}

#[test]
fn nothing_passes_before_what_may_refuse_it_is_known() {
    let mut answers = Answers::default();
    let mut know = |text: &str| {
        let name = asked_name("example.org").unwrap();
        let data = Data::Txt(text.to_owned());
        let records = vec![Record { name: name.to_string(), ttl: 300, data }];
        let answer = Answer::bare(Outcome::Records(records));
        answers.insert(Question { name, kind: Kind::Txt }, Reply { answer, server: None, time: None });
        let Ruling { verdict, reason, .. } = check_host(&answers, &client("192.0.2.1"));
        assert_eq!(verdict, Verdict::TempError, "{text}");
        assert!(
            matches!(&reason, Reason::Open(open) if open.outcome == Outcome::NotAsked),
            "{text}: {reason:?}"
        );
        answers.take_wanted().len()
    };
    assert_eq!(know("v=spf1 -a ip4:192.0.2.1 -all"), 1);
    assert_eq!(know("v=spf1 -include:a.example +all"), 1);
    assert_eq!(know("v=spf1 -mx:a.example -exists:b.example ip4:192.0.2.1 ptr:c.example"), 2);
    assert_eq!(know("v=spf1 -ptr ?exists:%{p}.example redirect=a.example"), 2);
    assert_eq!(know("v=spf1 redirect=a.example"), 1);
}

#[test]
fn ten_names_of_an_address_are_looked_at() {
    let names: Vec<String> = (0..9).map(|n| format!("n{n}.example")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let zone = |before: usize| {
        let zone =
            Zone::default().txt("example.org", "v=spf1 ptr -all").host("a.example.org", &["192.0.2.1"]);
        let zone = zone.ptr("1.2.0.192.in-addr.arpa", &names[..before]);
        zone.ptr("1.2.0.192.in-addr.arpa", &["a.example.org", "b.example"])
    };
    assert_eq!(verdict(&zone(9), "192.0.2.1"), Verdict::Pass);
    let zone = zone(9)
        .ptr("2.2.0.192.in-addr.arpa", &names)
        .ptr("2.2.0.192.in-addr.arpa", &["b.example", "c.example.org"]);
    assert_eq!(verdict(&zone.host("c.example.org", &["192.0.2.2"]), "192.0.2.2"), Verdict::Fail);
}

#[test]
fn names_of_the_client_cost_the_domain_nothing() {
    let zone = Zone::default()
        .txt("example.org", "v=spf1 ptr a:b.example ip4:192.0.2.1 -all")
        .ptr("1.2.0.192.in-addr.arpa", &["a.example", "c.example", "d.example"]);
    assert_eq!(verdict(&zone, "192.0.2.1"), Verdict::Pass);
    let zone = Zone::default()
        .txt("example.org", "v=spf1 exists:%{p}.a.example exists:%{p}.b.example ip4:192.0.2.1 -all");
    assert_eq!(verdict(&zone, "192.0.2.1"), Verdict::Pass, "two voids, not three");
}

#[test]
fn trouble_with_names_of_the_client_is_no_match() {
    let reverse = "1.2.0.192.in-addr.arpa";
    let zone =
        Zone::default().txt("example.org", "v=spf1 ptr -all").fails(reverse, Kind::Ptr, Outcome::ServFail);
    assert_eq!(verdict(&zone, "192.0.2.1"), Verdict::Fail);
    let zone = Zone::default()
        .txt("example.org", "v=spf1 ptr -all")
        .ptr(reverse, &["a.example.org", "b.example.org"])
        .fails("a.example.org", Kind::A, Outcome::Timeout)
        .host("b.example.org", &["192.0.2.1"]);
    assert_eq!(verdict(&zone, "192.0.2.1"), Verdict::Pass);
}

#[test]
fn only_who_is_refused_is_told_why() {
    assert_eq!(explanation("v=spf1 exp=why.example -all").as_deref(), Some("so it is"));
    assert_eq!(explanation("v=spf1 exp=why.example ~all"), None);
    assert_eq!(explanation("v=spf1 exp=why.example"), None);
}

#[test]
fn the_first_match_ends_it() {
    let zone = Zone::default().txt("example.org", "v=spf1 ip4:192.0.2.1 a:a.example -all").fails(
        "a.example",
        Kind::A,
        Outcome::Timeout,
    );
    assert_eq!(verdict(&zone, "192.0.2.1"), Verdict::Pass);
    assert_eq!(verdict(&zone, "192.0.2.2"), Verdict::TempError);
    assert_eq!(verdict(&zone, "2001:db8::1"), Verdict::Fail, "who is asked for AAAA does not need A");
}
