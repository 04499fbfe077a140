//! The verdict, a row of the state table at a time.

use std::net::SocketAddr;

use clap::Parser as _;
use common::net::dns::Route;
use common::net::smtp::{Opening, Step, Stop};
use common::net::{Phase, ProbeError, Trouble};
use common::plugin::{Plugin as _, Run};
use common::proto::dns::Outcome;
use common::proto::smtp::{LineEnd, Said};
use common::report::{Report, State};

use crate::CheckSmtpRcpt;
use crate::seen::{End, Gap, Host, Seen, Source, Visit};

fn said(words: &str) -> Said {
    let code = words[..3].parse().unwrap();
    Said { code, words: words.to_owned(), masked: false, line_end: LineEnd::CrLf }
}

fn says(words: &str) -> End {
    End::Answered(said(words))
}

fn down() -> End {
    let text = "cannot connect to 192.0.2.9:25: Connection refused";
    End::Stopped(Stop::Failed(ProbeError::new(Trouble::Unreachable, Phase::Connecting, text)))
}

fn in_dns(route: Route) -> Source {
    Source::Dns { domain: "b.example".into(), route, resolver: "192.0.2.53:53".into(), dissent: Vec::new() }
}

/// One host for each of these, `mx1.example` at 192.0.2.1 and so on, with its preference.
fn seen(ends: Vec<(usize, End)>) -> Seen {
    let address = |at: usize| SocketAddr::new(format!("192.0.2.{}", at + 1).parse().unwrap(), 25);
    let host = |(at, (level, _)): (usize, &(usize, End))| Host {
        name: format!("mx{}.example", at + 1),
        level: *level,
        addresses: vec![address(at)],
        gap: None,
    };
    let hosts = ends.iter().enumerate().map(host).collect();
    let visit = |(at, (_, end)): (usize, (usize, End))| Visit {
        address: address(at),
        opening: Opening::default(),
        time: matches!(end, End::Answered(_)).then_some(0.25),
        end,
        stranger: None,
    };
    Seen { source: in_dns(Route::Listed), hosts, visits: ends.into_iter().enumerate().map(visit).collect() }
}

fn report(seen: &Seen, arguments: &[&str]) -> Report {
    let all = ["check_smtp_rcpt", "a@b.example", "--allow-private"].iter().chain(arguments);
    let options = CheckSmtpRcpt::try_parse_from(all).unwrap();
    let json = serde_json::to_value(seen).unwrap();
    assert_eq!(serde_json::from_value::<Seen>(json).unwrap(), *seen, "nothing is lost in a dump");
    options.evaluate(seen, &Run { taken_at: 0, states: options.states() })
}

/// State and first sentence.
fn judged(seen: &Seen, arguments: &[&str]) -> (State, String) {
    let report = report(seen, arguments);
    (report.state(), report.findings()[0].text.clone())
}

fn one(end: End, arguments: &[&str]) -> (State, String) {
    judged(&seen(vec![(10, end)]), arguments)
}

#[test]
fn ok_accepted_by_all() {
    let (state, text) = one(says("250 2.1.5 Ok"), &[]);
    assert_eq!((state, text.as_str()), (State::Ok, "a@b.example accepted by mx1.example: \"250 2.1.5 Ok\""));
    let (state, text) = judged(&seen(vec![(10, says("250 Ok")), (20, says("251 gone on"))]), &[]);
    assert_eq!(state, State::Ok);
    assert_eq!(text, "a@b.example accepted by mx1.example \"250 Ok\", mx2.example \"251 gone on\"");
}

#[test]
fn ok_greylisted() {
    let grey = || says("450 4.2.0 Greylisted");
    let (state, text) = one(grey(), &[]);
    assert_eq!(state, State::Ok);
    assert!(text.contains("later acceptance is not proved"), "{text}");
    assert_eq!(one(grey(), &["--greylist", "warning"]).0, State::Warning);
    assert_eq!(one(grey(), &["--greylist", "critical"]).0, State::Critical);
    let (_, text) = judged(&seen(vec![(10, grey()), (20, grey())]), &[]);
    assert!(text.ends_with("; later acceptance is not proved"), "{text}");
}

#[test]
fn critical_refused_whatever_the_reason() {
    for words in
        ["550 5.1.1 unknown", "452 4.2.2 full", "552 5.2.2 full", "454 4.7.1 Relay access denied", "554 no"]
    {
        assert_eq!(one(says(words), &[]).0, State::Critical, "{words}");
        assert_eq!(judged(&seen(vec![(10, says("250 Ok")), (20, says(words))]), &[]).0, State::Critical);
    }
    assert_eq!(one(End::NoSmtpUtf8, &[]).0, State::Critical);
    let (state, text) = one(End::Stopped(Stop::Refused(Step::MailFrom, said("550 no"))), &[]);
    assert_eq!((state, text.as_str()), (State::Critical, "mx1.example refuses the sender <>: \"550 no\""));
}

#[test]
fn critical_deferred_unless_another_state_is_wanted() {
    for end in [
        says("451 4.3.0 later"),
        says("421 4.7.0 busy"),
        End::Stopped(Stop::Refused(Step::MailFrom, said("451 4.3.0 later"))),
        End::Stopped(Stop::Refused(Step::Banner, said("421 4.7.0 busy"))),
    ] {
        assert_eq!(one(end.clone(), &[]).0, State::Critical);
        assert_eq!(one(end, &["--temporary-state", "unknown"]).0, State::Unknown);
    }
}

#[test]
fn warning_down_while_another_accepts() {
    let both = seen(vec![(10, down()), (20, says("250 Ok"))]);
    let (state, text) = judged(&both, &[]);
    assert_eq!(state, State::Warning);
    assert_eq!(
        text,
        "mx1.example: cannot connect to 192.0.2.9:25: Connection refused (accepted by mx2.example)"
    );
    let backup = seen(vec![(10, says("250 Ok")), (20, down())]);
    assert_eq!(judged(&backup, &[]).0, State::Warning);
    assert_eq!(judged(&backup, &["--mode", "first"]).0, State::Ok);
    assert_eq!(judged(&backup, &["--mode", "any"]).0, State::Ok);
}

#[test]
fn warning_closing_at_mail_while_another_accepts() {
    let closing = |words: &str| End::Stopped(Stop::Refused(Step::MailFrom, said(words)));
    let (state, text) = judged(&seen(vec![(10, closing("421 4.3.2 busy")), (20, says("250 Ok"))]), &[]);
    assert_eq!(state, State::Warning);
    assert_eq!(
        text,
        "temporary: mx1.example defers the sender <>: \"421 4.3.2 busy\" (accepted by mx2.example)"
    );
    let first = seen(vec![(10, closing("421 busy")), (20, says("550 5.1.1 unknown"))]);
    assert_eq!(judged(&first, &["--mode", "first"]).0, State::Critical, "the next one was asked");
    let other = seen(vec![(10, closing("451 4.3.0 later")), (20, says("250 Ok"))]);
    assert_eq!(judged(&other, &[]).0, State::Critical, "it goes on, and does not want this message");
}

#[test]
fn warning_host_without_an_address_while_another_accepts() {
    for gap in [Gap::NoAddress, Gap::NotAHost("an address, where a name belongs".into())] {
        let mut half = seen(vec![(10, says("250 Ok"))]);
        half.hosts.push(Host { name: "x.example".into(), level: 20, addresses: Vec::new(), gap: Some(gap) });
        assert_eq!(judged(&half, &[]).0, State::Warning);
        half.hosts.remove(0);
        half.visits.clear();
        assert_eq!(judged(&half, &[]).0, State::Critical);
        assert_eq!(judged(&half, &["--expect", "reject"]).0, State::Unknown);
    }
}

#[test]
fn critical_no_host_answers() {
    for mode in ["all", "first", "any"] {
        let all_down = seen(vec![(10, down()), (20, down())]);
        assert_eq!(judged(&all_down, &["--mode", mode]).0, State::Critical, "{mode}");
    }
    let timeout =
        End::Stopped(Stop::Failed(ProbeError::timeout(Phase::Greeting, std::time::Duration::from_secs(1))));
    assert_eq!(one(timeout.clone(), &[]).0, State::Critical);
    assert_eq!(one(timeout, &["--timeout-state", "unknown"]).0, State::Unknown);
}

#[test]
fn critical_tls_missing_where_it_is_demanded_even_if_another_accepts() {
    let half = seen(vec![(10, says("250 Ok")), (20, End::Stopped(Stop::StarttlsNotOffered))]);
    assert_eq!(judged(&half, &["--tls", "starttls"]).0, State::Critical);
    assert_eq!(one(End::Stopped(Stop::Untrusted), &["--tls", "starttls"]).0, State::Critical);
}

#[test]
fn modes_weigh_the_same_answers() {
    use State::{Critical, Ok, Warning};
    let (yes, no, later) = (|| says("250 Ok"), || says("550 5.1.1 unknown"), || says("451 later"));
    let states = |ends: Vec<(usize, End)>| {
        ["all", "first", "any"].map(|mode| judged(&seen(ends.clone()), &["--mode", mode]).0)
    };
    assert_eq!(states(vec![(10, yes()), (20, no())]), [Critical, Ok, Ok]);
    assert_eq!(states(vec![(10, no()), (20, yes())]), [Critical, Critical, Ok]);
    assert_eq!(states(vec![(10, down()), (20, yes())]), [Warning, Warning, Ok]);
    assert_eq!(states(vec![(10, down()), (20, no())]), [Critical, Critical, Critical]);
    assert_eq!(states(vec![(10, yes()), (10, later())]), [Critical, Critical, Ok]);
    assert_eq!(states(vec![(10, yes()), (10, down()), (20, no())]), [Critical, Warning, Ok]);
    assert_eq!(states(vec![(10, down()), (20, down())]), [Critical, Critical, Critical]);
}

#[test]
fn rejection_is_proved_by_refusals_alone() {
    let reject = |end: End| one(end, &["--expect", "reject"]).0;
    for words in ["550 5.1.1 unknown", "554 5.7.1 no", "454 4.7.1 Relay access denied"] {
        assert_eq!(reject(says(words)), State::Ok, "{words}");
    }
    for words in ["250 Ok", "251 on", "252 maybe"] {
        assert_eq!(reject(says(words)), State::Critical, "{words}");
    }
    for words in [
        "450 4.2.0 Greylisted",
        "451 later",
        "552 5.2.2 full",
        "530 5.7.0 Must issue a STARTTLS command first",
        "554 5.7.1 Client host rejected",
        "354 go on",
    ] {
        assert_eq!(reject(says(words)), State::Unknown, "{words}");
    }
    assert_eq!(reject(down()), State::Unknown);
    assert_eq!(reject(End::NoSmtpUtf8), State::Unknown);
    assert_eq!(reject(End::Stopped(Stop::Refused(Step::MailFrom, said("550 no")))), State::Unknown);
    for mode in ["all", "first", "any"] {
        let somewhere = seen(vec![(10, says("550 no")), (20, says("250 Ok"))]);
        assert_eq!(judged(&somewhere, &["--expect", "reject", "--mode", mode]).0, State::Critical, "{mode}");
    }
    let half = seen(vec![(10, says("550 5.1.1 unknown")), (20, down())]);
    assert_eq!(judged(&half, &["--expect", "reject"]).0, State::Unknown);
}

#[test]
fn domains_without_hosts() {
    for (route, accept, reject) in [
        (Route::Null, State::Unknown, State::Ok),
        (Route::Nowhere, State::Critical, State::Unknown),
        (Route::NoDomain, State::Critical, State::Unknown),
        (Route::Unanswered(Outcome::ServFail), State::Unknown, State::Unknown),
    ] {
        let nobody = Seen { source: in_dns(route), hosts: Vec::new(), visits: Vec::new() };
        assert_eq!(judged(&nobody, &[]).0, accept);
        assert_eq!(judged(&nobody, &["--expect", "reject"]).0, reject);
    }
}

#[test]
fn unknown_what_could_not_be_looked_at() {
    let mut half = seen(vec![(10, says("250 Ok"))]);
    half.hosts[0].gap = Some(Gap::Unanswered("AAAA: SERVFAIL".into()));
    let (state, text) = judged(&half, &[]);
    assert_eq!(
        (state, text.as_str()),
        (State::Unknown, "cannot look up the addresses of mx1.example: AAAA: SERVFAIL")
    );
    let late = ProbeError::timeout(Phase::Resolving, std::time::Duration::from_secs(1));
    half.hosts[0].gap = Some(Gap::Unresolved(late));
    let (state, text) = judged(&half, &[]);
    assert_eq!(
        (state, text.as_str()),
        (State::Unknown, "cannot look up the addresses of mx1.example: timeout after 1 s while resolving")
    );
    half.hosts[0].gap = Some(Gap::LeftOut);
    assert_eq!(judged(&half, &[]).0, State::Unknown);
    half.hosts[0].gap = None;
    half.hosts[0].addresses.push("192.0.2.99:25".parse().unwrap());
    let (state, text) = judged(&half, &[]);
    assert_eq!(state, State::Unknown);
    assert!(text.starts_with("mx1.example [192.0.2.99] was not asked"), "{text}");
    let none = Seen { source: Source::Given, hosts: Vec::new(), visits: Vec::new() };
    assert_eq!(judged(&none, &[]).0, State::Unknown, "nobody is never fine");
}

#[test]
fn hosts_of_another_family_do_not_count() {
    let mut half = seen(vec![(10, says("250 Ok"))]);
    half.hosts.push(Host {
        name: "six.example".into(),
        level: 20,
        addresses: Vec::new(),
        gap: Some(Gap::OtherFamily),
    });
    let report = report(&half, &["-4"]);
    assert_eq!(report.state(), State::Ok);
    let figures: Vec<Option<f64>> = report.metrics().iter().take(3).map(|metric| metric.value).collect();
    assert_eq!(figures, [Some(1.0), Some(1.0), Some(0.0)]);
}

fn stranger(words: &str) -> Seen {
    let mut both = seen(vec![(10, says("250 Ok")), (20, says("250 Ok"))]);
    both.visits[0].stranger = Some(says("550 5.1.1 unknown"));
    both.visits[1].stranger = Some(says(words));
    both
}

#[test]
fn warning_backup_accepts_unknown_users() {
    let (state, text) = judged(&stranger("250 Ok"), &["--also-unknown"]);
    assert_eq!(
        (state, text.as_str()),
        (State::Warning, "backup MX mx2.example accepts unknown users: \"250 Ok\"")
    );
    assert_eq!(judged(&stranger("250 Ok"), &["--also-unknown", "--mode", "first"]).0, State::Warning);
}

#[test]
fn unknown_users_not_proved_to_be_refused() {
    let state = |seen: &Seen| judged(seen, &["--also-unknown"]).0;
    assert_eq!(state(&stranger("550 5.1.1 unknown")), State::Ok);
    assert_eq!(state(&stranger("454 4.7.1 Relay access denied")), State::Ok);
    assert_eq!(state(&stranger("451 later")), State::Unknown);
    assert_eq!(state(&stranger("421 later")), State::Unknown);
    assert_eq!(state(&stranger("450 4.2.0 Greylisted")), State::Ok);
    let grey = judged(&stranger("450 4.2.0 Greylisted"), &["--also-unknown", "--greylist", "warning"]);
    assert_eq!(grey.0, State::Warning);
    let mut lost = stranger("250 Ok");
    lost.visits[1].stranger = Some(down());
    assert_eq!(state(&lost), State::Unknown);
    lost.visits[1].stranger = Some(End::Stopped(Stop::Refused(Step::MailFrom, said("550 no more"))));
    assert_eq!(state(&lost), State::Unknown);
    lost.visits[1].stranger = None;
    assert_eq!(state(&lost), State::Unknown, "asked of nobody");
}

#[test]
fn warning_odd_servers_name_themselves() {
    let mut odd = seen(vec![(10, says("250 Ok"))]);
    odd.visits[0].opening.tls_given_up = Some("STARTTLS refused: 454 later".into());
    odd.visits[0].opening.banner = Some(Said { masked: true, ..said("220 ****2***") });
    let report = report(&odd, &[]);
    let texts: Vec<&str> = report.findings().iter().map(|finding| finding.text.as_str()).collect();
    assert_eq!(report.state(), State::Warning);
    assert!(texts[0].starts_with("mx1.example: banner masked by a firewall"), "{texts:?}");
    assert!(texts[1].starts_with("mx1.example: STARTTLS is offered and fails"), "{texts:?}");
}
