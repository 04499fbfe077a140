//! check_smtp_rcpt: what the exchangers of a domain answer, and what it means beside the others.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

use std::time::Duration;

use lab::dns::{Query, Rcode, Reaction, Record, RecordType, Responder, Zones};
use lab::exchanger::{
    ExchangerOptions, Greylisting, POSTGREY_450, POSTGREY_451, QUOTA_452, QUOTA_552, RELAY_252, RELAY_454,
};
use lab::output::State;
use lab::process::{free_port, has_ipv6};
use tests::Measured::{No, Yes};
use tests::rcpt::{Domain, RECIPIENT, Wish, good, serving, through, zone};
use tests::{Check, Run};

/// What a host does whose answer to [`RECIPIENT`] is this.
fn answers(reply: &str) -> impl Fn(&mut ExchangerOptions) + use<> {
    let reply = reply.to_owned();
    move |options| drop(options.answers.insert(RECIPIENT.into(), reply.clone()))
}

fn down(options: &mut ExchangerOptions) {
    options.refused_connections = 0..usize::MAX;
    options.refusal = "554 5.3.2 closed for today".into();
}

fn grey(options: &mut ExchangerOptions) {
    options.greylisting = Some(Greylisting::default());
}

fn figures(run: &Run) -> [Option<f64>; 3] {
    ["mx_total", "mx_ok", "mx_failed"].map(|label| run.parsed.value(label))
}

// All well

#[test]
fn ok_every_host_takes_it_and_nothing_is_sent() {
    let domain = Domain::start(&[(20, &good), (10, &good)]);
    let run = domain.check().gives(
        State::Ok,
        &["probe@lab.test accepted by mx2.lab.test \"250 2.1.5 Ok\", mx1.lab.test \"250 2.1.5 Ok\""],
    );
    run.perfdata(&[
        ("time", Yes),
        ("mx_total", Yes),
        ("mx_ok", Yes),
        ("mx_failed", Yes),
        ("mx2.lab.test.time", Yes),
        ("mx1.lab.test.time", Yes),
    ]);
    assert_eq!(figures(&run), [Some(2.0), Some(2.0), Some(0.0)]);
    domain.assert_polite();
    for sessions in domain.sessions() {
        let verbs: Vec<&str> = sessions[0].iter().map(|line| line.split(' ').next().unwrap()).collect();
        assert_eq!(verbs, ["EHLO", "STARTTLS", "EHLO", "MAIL", "RCPT", "RSET", "QUIT"]);
        assert!(sessions[0].contains(&"MAIL FROM:<>".to_owned()), "{sessions:?}");
    }
}

#[test]
fn ok_in_the_clear_on_request() {
    for option in ["--no-starttls", "--tls=none"] {
        let domain = Domain::start(&[(10, &good)]);
        domain
            .check()
            .args([option, "--mail-from", "a@b.test"])
            .gives(State::Ok, &["probe@lab.test accepted by mx1.lab.test: \"250 2.1.5 Ok\""]);
        let sessions = domain.sessions();
        assert!(sessions[0][0].contains(&"MAIL FROM:<a@b.test>".to_owned()), "{sessions:?}");
        assert!(!sessions[0][0].contains(&"STARTTLS".to_owned()));
    }
}

#[test]
fn ok_many_hosts_have_a_line_each() {
    let domain = Domain::start(&[(10, &good), (10, &good), (20, &good), (30, &good)]);
    let run = domain.check().gives(State::Ok, &["probe@lab.test accepted by 4 addresses"]);
    let notes: Vec<&String> = run.parsed.long.iter().filter(|line| line.contains("accepted by mx")).collect();
    assert_eq!(notes.len(), 4);
    assert!(notes.is_sorted(), "equal preference by name: {notes:?}");
}

#[test]
fn ok_not_verified_is_accepted_with_a_note() {
    let domain = Domain::start(&[(10, &good), (20, &answers(RELAY_252))]);
    let run = domain.check().gives(State::Ok, &["mx2.lab.test \"252 2.1.5 Cannot verify"]);
    run.long("note: probe@lab.test accepted by mx2.lab.test without being verified");
}

// Answers

#[test]
fn critical_refused_by_one_of_them() {
    for (reply, words) in [
        (
            "550 5.1.1 <{}>: Recipient address rejected: User unknown",
            "unknown to mx2.lab.test: \"550 5.1.1 <probe@lab.test>",
        ),
        (QUOTA_452, "refused by mx2.lab.test, the mailbox is full: \"452 4.2.2"),
        (QUOTA_552, "refused by mx2.lab.test, the mailbox is full: \"552 5.2.2"),
        (RELAY_454, "refused by mx2.lab.test, which does not take mail for this domain: \"454 4.7.1"),
        ("554 5.7.1 no", "probe@lab.test refused by mx2.lab.test: \"554 5.7.1 no\""),
        ("451 4.3.0 database down", "temporary: probe@lab.test deferred by mx2.lab.test: \"451 4.3.0"),
        ("421 4.7.0 slow down", "temporary: probe@lab.test deferred by mx2.lab.test: \"421 4.7.0"),
        ("354 go on", "protocol violation: mx2.lab.test answered RCPT with: \"354 go on\""),
    ] {
        let domain = Domain::start(&[(10, &good), (20, &answers(reply))]);
        let run = domain.check().gives(State::Critical, &[words]);
        run.long("note: probe@lab.test accepted by mx1.lab.test: \"250 2.1.5 Ok\"");
        assert_eq!(figures(&run), [Some(2.0), Some(1.0), Some(1.0)]);
        domain.assert_polite();
    }
}

#[test]
fn warning_deferred_when_that_is_wanted() {
    let domain = Domain::start(&[(10, &answers("451 4.3.0 later"))]);
    domain.check().args(["--temporary-state", "warning"]).gives(State::Warning, &["temporary: ", "later"]);
}

#[test]
fn critical_sender_refused() {
    let hates = |reply: &'static str| {
        move |options: &mut ExchangerOptions| {
            options.senders.insert("*".into(), reply.into());
        }
    };
    for (reply, words) in [
        ("550 5.7.1 no null senders", "mx1.lab.test refuses the sender <>: \"550 5.7.1 no null senders\""),
        ("451 4.1.8 later", "temporary: mx1.lab.test defers the sender <>: \"451 4.1.8 later\""),
    ] {
        let domain = Domain::start(&[(10, &hates(reply))]);
        let run = domain.check().gives(State::Critical, &[words]);
        run.perfdata(&[
            ("time", Yes),
            ("mx_total", Yes),
            ("mx_ok", Yes),
            ("mx_failed", Yes),
            ("mx1.lab.test.time", No),
        ]);
    }
}

#[test]
fn greylisting_is_what_the_operator_makes_of_it() {
    let domain = Domain::start(&[(10, &grey), (20, &grey)]);
    let proof = "later acceptance is not proved";
    domain.check().gives(State::Ok, &["probe@lab.test greylisted by mx1.lab.test \"450 4.2.0", proof]);
    domain.check().args(["--greylist", "warning"]).gives(
        State::Warning,
        &["probe@lab.test greylisted by mx1.lab.test, later acceptance is not proved: \"450 4.2.0"],
    );
    domain.check().args(["--greylist", "critical"]).gives(State::Critical, &["greylisted by mx1.lab.test"]);
    let half = Domain::start(&[(10, &answers(POSTGREY_451)), (20, &good)]);
    half.check().gives(State::Ok, &["accepted by mx2.lab.test", "greylisted by mx1.lab.test", proof]);
    let sender =
        |options: &mut ExchangerOptions| drop(options.senders.insert("*".into(), POSTGREY_450.into()));
    Domain::start(&[(10, &sender)]).check().gives(State::Ok, &["greylisted by mx1.lab.test"]);
}

#[test]
fn critical_no_smtputf8() {
    let plain = |options: &mut ExchangerOptions| options.smtputf8 = false;
    let domain = Domain::start(&[(10, &good), (20, &plain)]);
    domain.ask("pröbe@lab.test").gives(
        State::Critical,
        &[
            "mx2.lab.test does not offer SMTPUTF8, which a message for pröbe@lab.test needs",
            "pröbe@lab.test unknown to mx1.lab.test",
        ],
    );
    assert!(domain.sessions()[0][0].contains(&"MAIL FROM:<> SMTPUTF8".to_owned()));
    assert!(!domain.sessions()[1][0].iter().any(|line| line.starts_with("MAIL")));
    let domain = Domain::start(&[(10, &plain)]);
    domain.check().arg("--smtputf8").gives(State::Critical, &["mx1.lab.test does not offer SMTPUTF8"]);
}

// Hosts that give no answer

#[test]
fn warning_the_first_is_down_and_the_second_is_not() {
    let domain = Domain::start(&[(10, &down), (20, &good)]);
    let run = domain.check().gives(
        State::Warning,
        &["mx1.lab.test: server refuses connections: \"554 5.3.2 closed for today\" (accepted by mx2.lab.test)"],
    );
    run.long("note: probe@lab.test accepted by mx2.lab.test");
    run.perfdata(&[
        ("time", Yes),
        ("mx_total", Yes),
        ("mx_ok", Yes),
        ("mx_failed", Yes),
        ("mx1.lab.test.time", No),
        ("mx2.lab.test.time", Yes),
    ]);
    assert_eq!(figures(&run), [Some(2.0), Some(1.0), Some(1.0)]);
    let behind_grey = Domain::start(&[(10, &down), (20, &grey)]);
    behind_grey.check().gives(State::Warning, &["(greylisted by mx2.lab.test)"]);
}

#[test]
fn critical_all_are_down() {
    let domain = Domain::start(&[(10, &down), (20, &down)]);
    let run = domain
        .check()
        .gives(State::Critical, &["mx1.lab.test: server refuses", "mx2.lab.test: server refuses"]);
    assert_eq!(figures(&run), [Some(2.0), Some(0.0), Some(2.0)]);
    let dns = zone(&[(10, 1), (20, 2)]);
    through(&dns)
        .args(["-p", &free_port().to_string(), RECIPIENT])
        .gives(State::Critical, &["mx1.lab.test: cannot connect to 127.0.0.11:", "Connection refused"]);
}

#[test]
fn warning_the_first_closes_at_mail_and_the_second_accepts() {
    let closing = |options: &mut ExchangerOptions| {
        options.senders.insert("*".into(), "421 4.3.2 shutting down".into());
    };
    let domain = Domain::start(&[(10, &closing), (20, &good)]);
    let words = "temporary: mx1.lab.test defers the sender <>: \"421 4.3.2 shutting down\" (accepted by mx2.lab.test)";
    let run = domain.check().gives(State::Warning, &[words]);
    assert_eq!(figures(&run), [Some(2.0), Some(1.0), Some(1.0)]);
    domain.assert_polite();
    let domain = Domain::start(&[(10, &closing), (20, &closing)]);
    domain.check().gives(State::Critical, &["mx1.lab.test defers", "mx2.lab.test defers"]);
    domain.check().args(["--temporary-state", "unknown"]).gives(State::Unknown, &["mx1.lab.test defers"]);
}

#[test]
fn critical_down_beside_one_that_refuses() {
    let domain = Domain::start(&[(10, &down), (20, &answers("550 5.1.1 unknown"))]);
    domain.check().gives(State::Critical, &["mx1.lab.test: server refuses", "unknown to mx2.lab.test"]);
}

// Modes

#[test]
fn the_first_that_answer_decide() {
    let unknown = answers("550 5.1.1 no such user");
    let mode = |hosts: &[Wish<'_>], state, words: &[&str]| {
        let domain = Domain::start(hosts);
        let run = domain.check().args(["--mode", "first"]).gives(state, words);
        domain.assert_polite();
        run
    };
    let run =
        mode(&[(10, &good), (20, &unknown), (30, &down)], State::Ok, &["accepted by mx1.lab.test: \"250"]);
    run.long("note: probe@lab.test unknown to mx2.lab.test").long("note: mx3.lab.test: server refuses");
    assert_eq!(figures(&run), [Some(3.0), Some(1.0), Some(2.0)]);
    mode(&[(10, &unknown), (20, &good)], State::Critical, &["unknown to mx1.lab.test"]);
    mode(&[(10, &good), (10, &unknown)], State::Critical, &["unknown to mx2.lab.test"]);
    mode(
        &[(10, &down), (20, &good)],
        State::Warning,
        &["mx1.lab.test: server refuses", "(accepted by mx2.lab.test)"],
    );
    mode(&[(10, &down), (20, &unknown)], State::Critical, &["unknown to mx2.lab.test"]);
    mode(&[(10, &down), (10, &good)], State::Warning, &["mx1.lab.test: server refuses"]);
    mode(&[(10, &down), (20, &down)], State::Critical, &["mx1.lab.test: server refuses"]);
}

#[test]
fn one_of_any_suffices() {
    let unknown = answers("550 5.1.1 no such user");
    let mode = |hosts: &[Wish<'_>], state, words: &[&str]| {
        Domain::start(hosts).check().args(["--mode", "any"]).gives(state, words)
    };
    let run =
        mode(&[(10, &unknown), (20, &down), (30, &good)], State::Ok, &["accepted by mx3.lab.test: \"250"]);
    run.long("note: probe@lab.test unknown to mx1").long("note: mx2.lab.test: server refuses");
    mode(
        &[(10, &unknown), (20, &down)],
        State::Critical,
        &["unknown to mx1.lab.test", "mx2.lab.test: server"],
    );
}

// Somebody who must be refused

#[test]
fn somebody_who_must_be_refused() {
    let reject = |hosts: &[Wish<'_>], more: &[&str], state, words: &[&str]| {
        let domain = Domain::start(hosts);
        domain.ask("former@lab.test").args(["--expect", "reject"]).args(more).gives(state, words)
    };
    reject(
        &[(10, &good), (20, &good)],
        &[],
        State::Ok,
        &["former@lab.test refused by mx1.lab.test \"550 5.1.1", "mx2.lab.test \"550 5.1.1"],
    );
    let takes = |options: &mut ExchangerOptions| options.catch_all = true;
    for more in [&[][..], &["--mode", "first"], &["--mode", "any"]] {
        reject(
            &[(10, &good), (20, &takes)],
            more,
            State::Critical,
            &["former@lab.test accepted by mx2.lab.test, it must be refused: \"250"],
        );
    }
    let defers = |options: &mut ExchangerOptions| options.unknown = "451 4.3.0 later".into();
    reject(
        &[(10, &good), (20, &defers)],
        &[],
        State::Unknown,
        &["neither accepted nor refused", "nothing is proved"],
    );
    reject(&[(10, &good), (20, &defers)], &["--mode", "first"], State::Ok, &["refused by mx1.lab.test"]);
    reject(&[(10, &good), (20, &down)], &[], State::Unknown, &["mx2.lab.test: server refuses connections"]);
    let blocks = |options: &mut ExchangerOptions| {
        options.unknown =
            "554 5.7.1 Service unavailable; Client host [127.0.0.1] blocked using bl.lab.test".into();
    };
    reject(&[(10, &blocks)], &[], State::Unknown, &["nothing is proved"]);
}

// Users who do not exist

#[test]
fn warning_a_backup_that_takes_everything() {
    let everything = |options: &mut ExchangerOptions| options.unknown = "250 2.1.5 Ok".into();
    let domain = Domain::start(&[(10, &good), (20, &everything)]);
    domain
        .check()
        .arg("--also-unknown")
        .gives(State::Warning, &["backup MX mx2.lab.test accepts unknown users: \"250 2.1.5 Ok\""])
        .long("note: probe@lab.test accepted by mx1.lab.test");
    let recipients: Vec<String> =
        domain.sessions()[1][0].iter().filter(|line| line.starts_with("RCPT")).cloned().collect();
    assert_eq!(recipients.len(), 2, "in the same session");
    assert_eq!(recipients[0], "RCPT TO:<probe@lab.test>");
    assert!(recipients[1].ends_with("@lab.test>") && recipients[1].len() == "RCPT TO:<@lab.test>".len() + 32);
    domain.assert_polite();
    let alone = Domain::start(&[(10, &everything)]);
    let run =
        alone.check().arg("--also-unknown").gives(State::Warning, &["mx1.lab.test accepts unknown users"]);
    run.silent_about("backup MX");
}

#[test]
fn unknown_users_refused_or_not_proved() {
    let domain = Domain::start(&[(10, &good), (20, &good)]);
    domain.check().arg("--also-unknown").gives(State::Ok, &["; unknown users refused"]);
    let says = |reply: &'static str| move |options: &mut ExchangerOptions| options.unknown = reply.into();
    let domain = Domain::start(&[(10, &good), (20, &says("451 4.3.0 later"))]);
    let run = domain
        .check()
        .arg("--also-unknown")
        .gives(State::Unknown, &["not proved that mx2.lab.test refuses unknown users: \"451 4.3.0 later\""]);
    run.silent_about("; unknown users refused");
    let domain = Domain::start(&[(10, &says(POSTGREY_450))]);
    domain
        .check()
        .arg("--also-unknown")
        .gives(State::Ok, &["accepted by mx1"])
        .long("not proved that mx1.lab.test refuses unknown users: \"450 4.2.0");
    let domain = Domain::start(&[(10, &says("554 5.7.1 <{}>: Relay access denied"))]);
    domain.check().arg("--also-unknown").gives(State::Ok, &["; unknown users refused"]);
}

// DNS

#[test]
fn domains_without_hosts() {
    let null = serving([Record::mx(0, "")]);
    let nowhere = serving([Record::txt("no mail")]);
    let broken = Responder::start(Zones::new().zone("lab.test", Reaction::rcode(Rcode::ServFail)));
    for (dns, recipient, accept, reject, words) in [
        (&null, RECIPIENT, State::Unknown, State::Ok, "lab.test takes no mail at all (null MX)"),
        (&nowhere, RECIPIENT, State::Critical, State::Unknown, "lab.test has neither MX nor address"),
        (
            &null,
            "probe@gone.lab.test",
            State::Critical,
            State::Unknown,
            "gone.lab.test does not exist (NXDOMAIN)",
        ),
        (
            &broken,
            RECIPIENT,
            State::Unknown,
            State::Unknown,
            "cannot look up the MX of lab.test in DNS: SERVFAIL (127.0.0.1:",
        ),
    ] {
        let run = through(dns).arg(recipient).gives(accept, &[words]);
        let known = if words.contains("SERVFAIL") { No } else { Yes };
        run.perfdata(&[("time", Yes), ("mx_total", known), ("mx_ok", known), ("mx_failed", known)]);
        through(dns).args([recipient, "--expect", "reject"]).gives(reject, &[words]);
    }
}

#[test]
fn the_domain_itself_where_there_is_no_mx() {
    let domain = Domain::start(&[(10, &good)]);
    let dns = serving([Record::address("127.0.0.11")]);
    let run = through(&dns)
        .args(["-p", &domain.port().to_string(), RECIPIENT])
        .gives(State::Ok, &["probe@lab.test accepted by lab.test: \"250 2.1.5 Ok\""]);
    run.long("note: lab.test has no MX, its mail goes to its own address");
}

#[test]
fn hosts_without_addresses() {
    let domain = Domain::start(&[(10, &good)]);
    let more = |records: Vec<Record>| {
        let first = [Record::mx(10, "mx1.lab.test"), Record::address("127.0.0.11").owned_by("mx1.lab.test")];
        serving(first.into_iter().chain(records))
    };
    let check = |dns: &Responder| through(dns).args(["-p", &domain.port().to_string(), RECIPIENT]);
    let dns = more(vec![Record::mx(20, "gone.lab.test")]);
    let run = check(&dns).gives(State::Warning, &["gone.lab.test has no address (accepted by mx1.lab.test)"]);
    assert_eq!(figures(&run), [Some(2.0), Some(1.0), Some(1.0)]);
    let dns = more(vec![Record::mx(20, "192.0.2.1")]);
    check(&dns).gives(State::Warning, &["an MX record names 192.0.2.1: an address, where a name belongs"]);
    let dns = more(vec![Record::mx(20, "elsewhere.test")]);
    check(&dns).gives(State::Unknown, &["cannot look up the addresses of elsewhere.test: A: REFUSED"]);
    let dns = more(vec![Record::mx(20, "six.lab.test"), Record::address("::1").owned_by("six.lab.test")]);
    let run = check(&dns).arg("-4").gives(State::Ok, &["accepted by mx1.lab.test"]);
    assert_eq!(figures(&run), [Some(1.0), Some(1.0), Some(0.0)], "a host that is not asked does not count");
    if has_ipv6() {
        check(&dns).arg("-6").gives(State::Critical, &["six.lab.test: cannot connect to [::1]:"]);
    }
    check(&zone(&[(10, 1)]))
        .arg("-6")
        .gives(State::Unknown, &["no host for probe@lab.test has an IPv6 address"]);
}

#[test]
fn several_addresses_and_shared_ones() {
    let domain = Domain::start(&[(10, &good), (20, &answers("550 5.1.1 unknown"))]);
    let dns = serving([
        Record::mx(10, "a.lab.test"),
        Record::mx(20, "b.lab.test"),
        Record::address("127.0.0.11").owned_by("a.lab.test"),
        Record::address("127.0.0.12").owned_by("a.lab.test"),
        Record::address("127.0.0.11").owned_by("b.lab.test"),
    ]);
    let run = through(&dns).args(["-p", &domain.port().to_string(), RECIPIENT]).gives(
        State::Critical,
        &["probe@lab.test unknown to a.lab.test [127.0.0.12]: \"550 5.1.1 unknown\""],
    );
    run.perfdata(&[
        ("time", Yes),
        ("mx_total", Yes),
        ("mx_ok", Yes),
        ("mx_failed", Yes),
        ("a.lab.test/127.0.0.11.time", Yes),
        ("a.lab.test/127.0.0.12.time", Yes),
        ("b.lab.test.time", Yes),
    ]);
    assert_eq!(figures(&run), [Some(2.0), Some(1.0), Some(1.0)]);
    domain.assert_polite();
}

#[test]
fn resolvers_that_disagree() {
    let domain = Domain::start(&[(10, &good), (20, &good)]);
    let (other, broken) = (zone(&[(10, 2)]), Responder::start(Reaction::rcode(Rcode::ServFail)));
    let run = Domain::check(&domain)
        .args(["--resolver", &other.addr().to_string(), "--resolver", &broken.addr().to_string()])
        .gives(State::Ok, &["accepted by mx1.lab.test"]);
    run.long("names other hosts for this domain").long("gave no answer: SERVFAIL");
    let run = through(&broken)
        .args(["--resolver", &domain.dns.addr().to_string(), "-p", &domain.port().to_string(), RECIPIENT])
        .gives(State::Ok, &["accepted by mx1.lab.test"]);
    run.long("gave no answer: SERVFAIL");
}

#[test]
fn unknown_the_name_server_is_silent_to_the_end() {
    let silent = Responder::start(Reaction::silence());
    let words = format!("cannot look up the MX of lab.test in DNS: timeout ({})", silent.addr());
    through(&silent).arg(RECIPIENT).timeout(1.0).gives(State::Unknown, &[&words]);
    through(&silent).args([RECIPIENT, "--tries", "1"]).gives(State::Unknown, &[&words]);
    // It took the time that another one and the hosts would have needed.
    let domain = Domain::start(&[(10, &good)]);
    let both = Check::new("check_smtp_rcpt").args(["--resolver", &domain.dns.addr().to_string()]);
    let both = both.args(["--resolver", &silent.addr().to_string(), "--allow-private"]);
    both.args(["-p", &domain.port().to_string(), RECIPIENT]).timeout(1.0).gives(State::Unknown, &[&words]);
    assert_eq!(domain.hosts[0].connections(), 0);
    // The hosts are known, and where they are is not.
    let half = Responder::start(|query: &Query| match query.record_type {
        RecordType::Mx => Reaction::records([Record::mx(10, "mx1.lab.test")]),
        _ => Reaction::silence(),
    });
    let words = format!("cannot look up the MX of lab.test in DNS: timeout ({})", half.addr());
    through(&half).arg(RECIPIENT).timeout(1.0).gives(State::Unknown, &[&words]);
}

// TLS

#[test]
fn tls_where_it_is_demanded() {
    let domain = Domain::start(&[(10, &good), (20, &|options| options.certificate = None)]);
    let check = || domain.check().args(["--tls", "starttls"]);
    check()
        .arg("--ca-file")
        .arg(domain.hosts[0].ca_file())
        .gives(State::Critical, &["mx2.lab.test: STARTTLS is required and not offered"])
        .long("note: probe@lab.test accepted by mx1.lab.test");
    check().arg("--insecure").gives(State::Critical, &["mx2.lab.test: STARTTLS is required"]);
    let stranger = lab::certs::Authority::new("Another");
    let folder = tempfile::tempdir().unwrap();
    let run = check().arg("--ca-file").arg(stranger.write_ca(folder.path()));
    run.gives(
        State::Critical,
        &["mx1.lab.test: nothing tried: the certificate does not verify: certificate chain"],
    );
    domain.check().gives(State::Ok, &["accepted by mx1.lab.test", "mx2.lab.test \"250"]);
}

#[test]
fn hosts_that_demand_tls() {
    let domain = Domain::start(&[(10, &|options| options.tls_demanded = true)]);
    domain.check().gives(State::Ok, &["accepted by mx1.lab.test"]);
    domain
        .check()
        .arg("--no-starttls")
        .gives(State::Critical, &["mx1.lab.test refuses the sender <>: \"530 5.7.0"])
        .long("hint: the host wants TLS first: leave --tls none away");
}

// Time and output

#[test]
fn slow_hosts_and_limits() {
    let slow = |options: &mut ExchangerOptions| {
        options.teaser = Some(lab::exchanger::Teaser {
            line: "220-mx2.lab.test ESMTP".into(),
            delay: Duration::from_millis(300),
        });
    };
    let domain = Domain::start(&[(10, &good), (20, &slow)]);
    let run = domain.check().args(["-w", "0.2"]).gives(State::Warning, &["time is 0.", "above warning 0.2"]);
    assert!(run.parsed.value("mx2.lab.test.time").unwrap() > 0.29);
    assert!(run.parsed.value("mx1.lab.test.time").unwrap() < 0.29);
    domain.check().args(["-w", "0.1", "-c", "200ms"]).gives(State::Critical, &["above critical 0.2"]);
}

#[test]
fn warning_a_silent_host_does_not_eat_the_others() {
    let silent = |options: &mut ExchangerOptions| {
        options.teaser =
            Some(lab::exchanger::Teaser { line: "220-mx1.lab.test".into(), delay: Duration::from_hours(1) });
    };
    let domain = Domain::start(&[(10, &silent), (20, &good)]);
    let run = domain.check().timeout(0.6).gives(
        State::Warning,
        &["mx1.lab.test: timeout after 0.6 s while waiting for the banner", "(accepted by mx2.lab.test)"],
    );
    assert!(run.parsed.value("mx2.lab.test.time").is_some());
}

#[test]
fn warning_addresses_that_others_do_not_reach() {
    let domain = Domain::start(&[(10, &good)]);
    let (resolver, port) = (domain.dns.addr().to_string(), domain.port().to_string());
    let check = Check::new("check_smtp_rcpt").args(["--resolver", &resolver, "-p", &port, RECIPIENT]);
    let words = ["not public, so not reached by others: mx1.lab.test has 127.0.0."];
    check.gives(State::Warning, &words).long("accepted by mx1.lab.test");
    check.arg("--allow-private").gives(State::Ok, &["accepted by mx1.lab.test"]);
}
