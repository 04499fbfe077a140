//! One test for each row of the state table, and what no server could be made to say.

use std::time::Duration;

use common::net::dns::{Exchanger, Exchangers, Lookup, Mx, Route, Target};
use common::net::smtp::{Knock, Opening, OpeningTimes, Step, Stop};
use common::net::{Phase, ProbeError};
use common::proto::dns::Outcome;
use common::proto::smtp::{LineEnd, Said};
use proptest::prelude::*;

use super::*;
use crate::seen::{Host, Resolver};

mod zone;

const DOMAIN: &str = "example.org";

fn options(words: &[&str]) -> CheckMx {
    CheckMx::try_parse_from(["check_mx", "-d", DOMAIN].iter().chain(words)).unwrap()
}

fn lookup(addresses: &[&str]) -> Lookup {
    Lookup {
        addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
        left_out: 0,
        ttl: (!addresses.is_empty()).then_some(300),
        aliases: Vec::new(),
        authoritative: false,
        authenticated: false,
        server: None,
        without: addresses.is_empty().then_some(Outcome::NoData),
    }
}

fn host(preference: u16, name: &str, addresses: &[&str]) -> Exchanger {
    let target = Target::Name { ipv4: lookup(addresses), ipv6: lookup(&[]) };
    Exchanger { preference, host: name.to_owned(), target }
}

fn mail(route: Route, hosts: Vec<Exchanger>) -> Exchangers {
    let record = |host: &Exchanger| Mx { preference: host.preference, host: host.host.clone(), ttl: 300 };
    let listed = matches!(route, Route::Listed | Route::Null);
    Exchangers {
        route,
        records: hosts.iter().filter(|_| listed).map(record).collect(),
        left_out: 0,
        hosts,
        aliases: Vec::new(),
        authoritative: false,
        authenticated: false,
        server: None,
        time: Some(Duration::from_millis(1)),
    }
}

fn good() -> Exchangers {
    mail(
        Route::Listed,
        vec![host(10, "mx1.example.org", &["8.8.8.1"]), host(20, "mx2.example.org", &["8.8.8.2"])],
    )
}

fn seen(mails: Vec<Exchangers>) -> Seen {
    let resolver = |(number, mail)| Resolver { name: format!("192.0.2.{number}:53"), mail, again: None };
    let resolvers = (1..).zip(mails).map(resolver).collect();
    Seen { resolvers, authority: None, hosts: None, cut_short: None }
}

fn judged(seen: &Seen, words: &[&str]) -> (State, Vec<String>) {
    let options = options(words);
    let report = options.evaluate(seen, &Run { taken_at: 0, states: options.states() });
    // What is shown as a fault, by its name.
    let faults = report.findings().into_iter().filter(|one| one.state == report.state());
    (report.state(), faults.map(|one| one.id.to_string()).collect())
}

fn gives(seen: &Seen, words: &[&str], state: State, id: &str) {
    let (found, ids) = judged(seen, words);
    assert_eq!(found, state, "{ids:?}");
    assert!(ids.iter().any(|found| found == id), "{id} is not among {ids:?}");
}

fn figure(seen: &Seen, label: &str) -> Option<f64> {
    let options = options(&[]);
    let report = options.evaluate(seen, &Run { taken_at: 0, states: options.states() });
    report.metrics().iter().find(|one| one.label == label).unwrap().value
}

/// The text of a finding.
fn text(seen: &Seen, words: &[&str], id: &str) -> String {
    let options = options(words);
    let report = options.evaluate(seen, &Run { taken_at: 0, states: options.states() });
    report.findings().into_iter().find(|one| one.id == id).unwrap().text.clone()
}

const THREE: [&str; 6] = ["--resolver", "192.0.2.1", "--resolver", "192.0.2.2", "--resolver", "192.0.2.3"];

fn with_quorum(quorum: &'static str) -> Vec<&'static str> {
    [&THREE[..], &["--quorum", quorum]].concat()
}

fn changed(change: impl FnOnce(&mut Exchangers)) -> Seen {
    let mut mail = good();
    change(&mut mail);
    seen(vec![mail])
}

fn looked_up(mail: &mut Exchangers, at: usize) -> &mut Lookup {
    match &mut mail.hosts[at].target {
        Target::Name { ipv4, .. } => ipv4,
        other => panic!("{other:?}"),
    }
}

#[test]
fn ok_all_well() {
    gives(&seen(vec![good()]), &[], State::Ok, "mx");
    gives(
        &seen(vec![good(), good()]),
        &["--expect", "10 mx1.example.org", "--expect", "20 mx2.example.org"],
        State::Ok,
        "mx",
    );
}

#[test]
fn ok_and_critical_null_mx() {
    let root = Exchanger { preference: 0, host: String::new(), target: Target::Root };
    let null = seen(vec![mail(Route::Null, vec![root.clone()])]);
    gives(&null, &[], State::Critical, "null_mx");
    gives(&null, &["--expect", "null"], State::Ok, "null_mx");
    gives(&null, &["--expect", "10 mx1.example.org"], State::Critical, "mx_missing");
    gives(&seen(vec![good()]), &["--expect", "null"], State::Critical, "not_null");
    gives(
        &changed(|mail| {
            mail.hosts.insert(0, root);
            mail.records.insert(0, Mx { preference: 0, host: String::new(), ttl: 300 });
        }),
        &[],
        State::Critical,
        "null_mixed",
    );
}

#[test]
fn critical_no_domain_and_nowhere() {
    gives(&seen(vec![mail(Route::NoDomain, vec![])]), &[], State::Critical, "no_domain");
    gives(&seen(vec![mail(Route::Nowhere, vec![host(0, DOMAIN, &[])])]), &[], State::Critical, "no_mx");
}

#[test]
fn critical_targets() {
    gives(&changed(|mail| *looked_up(mail, 1) = lookup(&[])), &[], State::Critical, "target_missing");
    gives(
        &changed(|mail| looked_up(mail, 1).aliases.push("a.example".into())),
        &[],
        State::Critical,
        "target_alias",
    );
    let literal = Target::Literal("192.0.2.1".parse().unwrap());
    gives(&changed(|mail| mail.hosts[0].target = literal), &[], State::Critical, "target_literal");
    gives(
        &changed(|mail| mail.hosts[0].target = Target::Unspeakable),
        &[],
        State::Critical,
        "target_unspeakable",
    );
}

#[test]
fn critical_expectation_missed_warning_preference() {
    let all = seen(vec![good()]);
    gives(&all, &["--expect", "10 mx1.example.org"], State::Critical, "mx_foreign");
    let three = ["10 mx1.example.org", "20 mx2.example.org", "30 mx3.example.org"];
    let words: Vec<&str> = three.iter().flat_map(|one| ["--expect", one]).collect();
    gives(&all, &words, State::Critical, "mx_missing");
    gives(
        &all,
        &["--expect", "11 mx1.example.org", "--expect", "20 mx2.example.org"],
        State::Warning,
        "mx_preference",
    );
}

#[test]
fn critical_and_unknown_resolvers() {
    let other = mail(
        Route::Listed,
        vec![host(10, "mx3.example.org", &["8.8.8.3"]), host(10, "mx1.example.org", &["8.8.8.1"])],
    );
    let failed = || mail(Route::Unanswered(Outcome::ServFail), vec![]);
    let named = ["--resolver", "192.0.2.1", "--resolver", "192.0.2.2", "--resolver", "192.0.2.3"];
    let with = |quorum| [&named[..], &["--quorum", quorum]].concat();
    let differ = seen(vec![good(), good(), other.clone()]);
    gives(&differ, &named, State::Critical, "answers_differ");
    gives(&differ, &with("majority"), State::Ok, "mx");
    assert!(text(&differ, &with("majority"), "mx").ends_with("2 of 3 resolvers agree"));
    gives(&seen(vec![good(), good(), failed()]), &named, State::Warning, "resolver_failed");
    gives(&seen(vec![good(), failed(), failed()]), &named, State::Unknown, "too_few_answers");
    gives(&seen(vec![good(), failed(), failed()]), &with("1"), State::Warning, "resolver_failed");
    gives(&seen(vec![failed()]), &[], State::Unknown, "no_answer");
    gives(&seen(vec![]), &[], State::Unknown, "too_few_answers");
}

#[test]
fn warning_implicit_few_private() {
    gives(
        &seen(vec![mail(Route::Implicit, vec![host(0, DOMAIN, &["8.8.8.1"])])]),
        &[],
        State::Warning,
        "implicit_mx",
    );
    let one = seen(vec![mail(Route::Listed, vec![host(10, "mx1.example.org", &["8.8.8.1"])])]);
    gives(&one, &[], State::Warning, "few_hosts");
    gives(&one, &["--min-hosts", "1"], State::Ok, "mx");
    let private = changed(|mail| *looked_up(mail, 0) = lookup(&["10.0.0.1"]));
    gives(&private, &[], State::Warning, "private_address");
    gives(&private, &["--allow-private"], State::Ok, "mx");
}

#[test]
fn warning_times_to_live() {
    gives(&changed(|mail| mail.records[0].ttl = 604_801), &[], State::Warning, "ttl_long");
    gives(&changed(|mail| mail.records[0].ttl = 59), &[], State::Ok, "mx");
    gives(
        &changed(|mail| {
            mail.records[0].ttl = 59;
            mail.authoritative = true;
        }),
        &[],
        State::Warning,
        "ttl_short",
    );
    gives(
        &changed(|mail| {
            looked_up(mail, 0).ttl = Some(0);
            looked_up(mail, 0).authoritative = true;
        }),
        &[],
        State::Warning,
        "ttl_short",
    );
}

#[test]
fn unknown_lookups_left_open() {
    let open = |outcome| changed(|mail| looked_up(mail, 0).without = Some(outcome));
    for outcome in [Outcome::ServFail, Outcome::Timeout, Outcome::Refused, Outcome::NotAsked] {
        let mut broken = open(outcome);
        looked_up(&mut broken.resolvers[0].mail, 0).addresses.clear();
        gives(&broken, &[], State::Unknown, "lookup_failed");
    }
    gives(&changed(|mail| mail.hosts[0].target = Target::LeftOut), &[], State::Unknown, "hosts_left_out");
    gives(&changed(|mail| mail.left_out = 3), &[], State::Unknown, "hosts_left_out");
    gives(&changed(|mail| looked_up(mail, 0).left_out = 1), &[], State::Unknown, "addresses_left_out");
}

#[test]
fn what_is_not_known_is_not_zero() {
    let mut mail = good();
    for host in &mut mail.hosts {
        let open = Lookup { without: Some(Outcome::ServFail), ..lookup(&[]) };
        host.target = Target::Name { ipv4: open.clone(), ipv6: open };
    }
    let mut open = seen(vec![mail]);
    assert_eq!(figure(&open, "addresses"), None);
    assert_eq!(figure(&seen(vec![mail_of_nobody()]), "addresses"), Some(0.0), "that is known");
    open.hosts = connected(vec![vec![], vec![]]).hosts;
    assert_eq!([figure(&open, "hosts_ok"), figure(&open, "hosts_failed")], [None, None]);
    assert!(text(&open, &[], "host_not_tried").ends_with("address unknown"));
    gives(&open, &[], State::Unknown, "no_host_tried");
    let mut silent = seen(vec![mail_unanswered(Outcome::ServFail)]);
    silent.hosts = Some(vec![]);
    assert_eq!([figure(&silent, "hosts_ok"), figure(&silent, "hosts_failed")], [None, None]);
    let one = connected(vec![vec![talk(Some(refused()), false)], vec![]]);
    assert_eq!([figure(&one, "hosts_ok"), figure(&one, "hosts_failed")], [Some(0.0), Some(1.0)]);
    assert!(text(&one, &[], "all_hosts_down").starts_with("none of 1 mail exchanger answers"));
}

fn mail_of_nobody() -> Exchangers {
    mail(Route::NoDomain, vec![])
}

fn mail_unanswered(outcome: Outcome) -> Exchangers {
    mail(Route::Unanswered(outcome), vec![])
}

#[test]
fn critical_a_tie_in_any_order() {
    let other = || {
        mail(
            Route::Listed,
            vec![host(10, "mx9.example.org", &["8.8.8.9"]), host(20, "mx8.example.org", &["8.8.8.8"])],
        )
    };
    let words = ["--resolver", "192.0.2.1", "--resolver", "192.0.2.2", "--quorum", "1"];
    let (one, turned) = (seen(vec![good(), other()]), seen(vec![other(), good()]));
    for tie in [&one, &turned] {
        gives(tie, &words, State::Critical, "answers_differ");
        assert!(text(tie, &words, "mx").contains("10 mx1.example.org"), "whoever comes first");
        assert!(!text(tie, &words, "mx").contains("resolvers agree"));
    }
}

#[test]
fn warning_and_critical_hosts_that_some_do_not_find() {
    let blind = || {
        let mut mail = good();
        *looked_up(&mut mail, 1) = Lookup { without: Some(Outcome::NxDomain), ..lookup(&[]) };
        mail
    };
    let one = seen(vec![good(), good(), blind()]);
    gives(&one, &with_quorum("1"), State::Warning, "target_missing");
    gives(&one, &with_quorum("majority"), State::Warning, "target_missing");
    gives(&one, &with_quorum("3"), State::Critical, "target_missing");
    gives(&one, &THREE, State::Critical, "target_missing");
    let told = text(&one, &with_quorum("1"), "target_missing");
    assert_eq!(told, "MX 20 mx2.example.org has no address by 192.0.2.3:53 (NXDOMAIN)");
    assert!(text(&one, &with_quorum("1"), "mx").ends_with("3 resolvers agree on the MX records"));
    // Two of three agree on the records, and one of these two finds the host: no majority.
    let other = mail(
        Route::Listed,
        vec![host(10, "mx9.example.org", &["8.8.8.9"]), host(20, "mx8.example.org", &["8.8.8.8"])],
    );
    gives(&seen(vec![good(), blind(), other]), &with_quorum("majority"), State::Critical, "target_missing");
}

#[test]
fn warning_addresses_differ() {
    let elsewhere = || {
        let mut mail = good();
        *looked_up(&mut mail, 0) = lookup(&["8.8.8.7"]);
        mail
    };
    let differ = seen(vec![good(), elsewhere(), good()]);
    gives(&differ, &THREE, State::Warning, "addresses_differ");
    assert_eq!(
        text(&differ, &THREE, "addresses_differ"),
        "resolvers differ about the addresses of mx1.example.org: 8.8.8.1 by 192.0.2.1:53, 192.0.2.3:53; \
         8.8.8.7 by 192.0.2.2:53"
    );
    assert!(text(&differ, &THREE, "mx").ends_with("3 resolvers agree on the MX records"));
    gives(&differ, &with_quorum("3"), State::Warning, "addresses_differ");
    gives(&differ, &with_quorum("majority"), State::Ok, "mx");
    gives(&differ, &with_quorum("1"), State::Ok, "mx");
    assert!(text(&seen(vec![good(), good()]), &[], "mx").ends_with("2 resolvers agree"));
}

#[test]
fn warning_two_names_of_one_machine() {
    let twins = changed(|mail| *looked_up(mail, 1) = lookup(&["8.8.8.1"]));
    gives(&twins, &[], State::Warning, "few_hosts");
    gives(&twins, &["--min-hosts", "1"], State::Ok, "mx");
    assert!(text(&twins, &[], "few_hosts").contains("mx1.example.org, mx2.example.org share them"));
}

#[test]
fn warning_half_of_a_host_denied() {
    let half = changed(|mail| {
        let denied = Lookup { without: Some(Outcome::NxDomain), ..lookup(&[]) };
        mail.hosts[0].target = Target::Name { ipv4: denied, ipv6: lookup(&["2a00:1450::1"]) };
    });
    gives(&half, &[], State::Warning, "half_denied");
    let other_half = changed(|mail| {
        let denied = Lookup { without: Some(Outcome::NxDomain), ..lookup(&[]) };
        mail.hosts[0].target = Target::Name { ipv4: lookup(&["8.8.8.1"]), ipv6: denied };
    });
    gives(&other_half, &[], State::Warning, "half_denied");
}

#[test]
fn critical_names_that_no_host_has() {
    for name in ["mx_1.example.org", "mail", "localhost", "a.localhost", "-a.example.org", "a-.example.org"] {
        let odd = changed(|mail| {
            mail.hosts[0].host = name.to_owned();
            mail.records[0].host = name.to_owned();
        });
        gives(&odd, &[], State::Critical, "target_unspeakable");
    }
    for right in ["mx1.example.org", "1.a-b.example", "xn--bcher-kva.test", "localhost.example.org"] {
        assert_eq!(hosts::unfit(right), None, "{right}");
    }
}

#[test]
fn silence_gives_the_state_of_the_timeout() {
    let critical = ["--timeout-state", "critical"];
    let silent = seen(vec![mail_unanswered(Outcome::Timeout)]);
    gives(&silent, &[], State::Unknown, "no_answer");
    gives(&silent, &critical, State::Critical, "no_answer");
    gives(&seen(vec![mail_unanswered(Outcome::ServFail)]), &critical, State::Unknown, "no_answer");
    gives(
        &seen(vec![good(), mail_unanswered(Outcome::Timeout)]),
        &critical,
        State::Critical,
        "resolver_failed",
    );
    let waits = || {
        let error = ProbeError::timeout(Phase::WaitingForBanner, Duration::from_secs(1));
        vec![talk(Some(Stop::Failed(error)), false)]
    };
    let up = || vec![talk(None, false)];
    gives(&connected(vec![up(), waits()]), &[], State::Warning, "host_down");
    gives(&connected(vec![up(), waits()]), &critical, State::Critical, "host_down");
    gives(&connected(vec![waits(), waits()]), &[], State::Critical, "all_hosts_down");
    gives(
        &connected(vec![waits(), waits()]),
        &["--timeout-state", "unknown"],
        State::Unknown,
        "all_hosts_down",
    );
    let mixed = connected(vec![waits(), vec![talk(Some(refused()), false)]]);
    gives(&mixed, &["--timeout-state", "unknown"], State::Critical, "all_hosts_down");
}

#[test]
fn unknown_cut_short() {
    let mut late = seen(vec![good()]);
    late.cut_short = Some(ProbeError::timeout(Phase::Querying, Duration::from_secs(1)));
    gives(&late, &[], State::Unknown, "timeout");
    gives(&late, &["--timeout-state", "critical"], State::Critical, "timeout");
}

// The hosts

fn talk(stop: Option<Stop>, masked: bool) -> Knock {
    let banner = Said { code: 220, words: "220 mx".into(), masked, line_end: LineEnd::CrLf };
    let times = OpeningTimes { connect: Some(0.001), banner: Some(0.002), ..OpeningTimes::default() };
    let opening = Opening { banner: Some(banner), times, ..Opening::default() };
    Knock { address: "192.0.2.1:25".parse().unwrap(), opening, stop }
}

fn connected(hosts: Vec<Vec<Knock>>) -> Seen {
    let host = |(number, talks)| Host { name: format!("mx{number}.example.org"), talks, untried: 0 };
    Seen { hosts: Some((1..).zip(hosts).map(host).collect()), ..seen(vec![good()]) }
}

fn refused() -> Stop {
    let words = "554 5.7.1 no".to_owned();
    Stop::Refused(Step::Banner, Said { code: 554, words, masked: false, line_end: LineEnd::CrLf })
}

#[test]
fn hosts_up_and_down() {
    let up = || vec![talk(None, false)];
    let down = || vec![talk(Some(refused()), false)];
    gives(&connected(vec![up(), up()]), &[], State::Ok, "mx");
    gives(&connected(vec![up(), down()]), &[], State::Warning, "host_down");
    gives(
        &connected(vec![up(), [up(), down()].into_iter().flatten().collect()]),
        &[],
        State::Warning,
        "host_down",
    );
    gives(&connected(vec![down(), down()]), &[], State::Critical, "all_hosts_down");
    gives(&connected(vec![up(), vec![talk(None, true)]]), &[], State::Warning, "masked_banner");
    gives(&connected(vec![up(), vec![]]), &["-6"], State::Warning, "host_not_tried");
    gives(&connected(vec![vec![], vec![]]), &["-6"], State::Unknown, "no_host_tried");
    let mut many = connected(vec![up(), up()]);
    many.hosts.as_mut().unwrap()[1].untried = 1;
    gives(&many, &[], State::Unknown, "addresses_not_tried");
}

#[test]
fn a_dot_that_was_forgotten() {
    use crate::hosts::lacks_dot;
    assert_eq!(lacks_dot("mx.example.org.example.org", DOMAIN), Some("mx.example.org"));
    assert_eq!(lacks_dot("192.0.2.1.example.org", DOMAIN), Some("192.0.2.1"));
    assert_eq!(lacks_dot("mx.lab.test.shop.lab.test", "shop.lab.test"), Some("mx.lab.test"));
    for right in ["mx.example.org", "mx.other.example", "example.org", "myexample.org.example.org"] {
        assert_eq!(lacks_dot(right, DOMAIN), None, "{right}");
    }
}

proptest! {
    /// No answer is ever a good one.
    #[test]
    fn nothing_unanswered_is_ok(at in 0usize..4, outcome in 0usize..4, resolvers in 1usize..4) {
        let outcome = [Outcome::ServFail, Outcome::Timeout, Outcome::Malformed("x".into()), Outcome::NotAsked][outcome].clone();
        let mut all = vec![good(); resolvers];
        for mail in &mut all {
            match at {
                0 => mail.route = Route::Unanswered(outcome.clone()),
                1 => {
                    *looked_up(mail, 0) = lookup(&[]);
                    looked_up(mail, 0).without = Some(outcome.clone());
                }
                2 => mail.hosts[1].target = Target::LeftOut,
                _ => mail.left_out = 1,
            }
        }
        prop_assert_eq!(judged(&seen(all), &[]).0, State::Unknown);
    }
}

#[test]
fn a_saved_observation_gives_the_same_report() {
    let mut all = zone::authority(|_, _| {});
    all.hosts = connected(vec![vec![talk(None, false)], vec![talk(Some(refused()), false)]]).hosts;
    let text = serde_json::to_string(&all).unwrap();
    assert_eq!(serde_json::from_str::<Seen>(&text).unwrap(), all);
}
