//! check_smtp_rcpt against servers that are odd, broken or hostile, and against operators who
//! mistype: what it says, and that it ends in time.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

use std::time::Duration;

use lab::exchanger::{ExchangerOptions, Teaser};
use lab::output::State;
use lab::peer::{Peer, Script};
use lab::process::free_port;
use serde_json::Value;
use tests::mail::Mail;
use tests::rcpt::{Domain, RECIPIENT, Wish, answering, at, good, goodbye, through, to_rcpt};
use tests::{Check, Run};

fn run(script: Script, state: State, words: &[&str]) -> Run {
    let peer = Peer::start(script);
    let run = at(peer.addr()).gives(state, words);
    peer.assert_followed();
    assert_eq!(peer.connections(), 1);
    run
}

// Greeting and EHLO

#[test]
fn critical_no_service_behind_the_port() {
    for (banner, words) in [
        (
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            "127.0.0.1: protocol violation while waiting for the banner: not an SMTP reply: \"HTTP/1.1 400",
        ),
        (b"554 5.7.1 go away\r\n", "127.0.0.1: server refuses connections: \"554 5.7.1 go away\""),
        (b"421 4.3.2 busy\r\n", "127.0.0.1: temporary: server refuses to serve now: \"421 4.3.2 busy\""),
        (b"554 rejected, see 220 policy\r\n", "server refuses connections"),
        (b"250 ok\r\n", "not an SMTP greeting: \"250 ok\""),
        (b"\0\0\0\0\r\n", "not an SMTP reply"),
    ] {
        let polite = banner.starts_with(b"5") || banner.starts_with(b"250");
        let script = Script::new().send(banner);
        run(if polite { script.quit() } else { script }, State::Critical, &[words]);
    }
    run(
        Script::new().close(),
        State::Critical,
        &["127.0.0.1: connection closed by the server while waiting"],
    );
    run(Script::new().banner().expect("EHLO").reset(), State::Critical, &["while greeting"]);
}

#[test]
fn warning_masked_but_working() {
    let script = Script::new()
        .send("220 ****2***0*\r\n")
        .expect("EHLO")
        .send("502 Command not implemented\r\n")
        .expect("HELO [127.0.0.1]")
        .send("250 mail\r\n")
        .expect("MAIL FROM:<>")
        .send("250 ok\r\n")
        .expect("RCPT TO:<probe@lab.test>")
        .send("250 ok\r\n");
    let run =
        run(goodbye(script), State::Warning, &["127.0.0.1: banner masked by a firewall: \"220 ****2***0*\""]);
    run.long("note: probe@lab.test accepted by 127.0.0.1: \"250 ok\"");
    run.long("note: 127.0.0.1: EHLO refused, HELO accepted");
}

#[test]
fn critical_greetings_without_an_end() {
    let long = vec![b'x'; 2 << 20];
    for script in [
        Script::new().send("220 ").send(&long).send("\r\n"),
        Script::new().repeat_forever("220-more\r\n"),
        Script::new().banner().expect("EHLO").repeat_forever("250-MORE\r\n"),
        to_rcpt().repeat_forever("250-more\r\n"),
    ] {
        let peer = Peer::start(script);
        // Whether it is refused for its length or read to the end, it is bounded in time and memory.
        let run = at(peer.addr()).outcome();
        assert!(matches!(run.parsed().state, State::Critical), "{}", run.report());
    }
}

#[test]
fn critical_drips() {
    let slow = Duration::from_millis(40);
    for (script, words) in [
        (
            Script::new().drip("220 mail.lab.test ESMTP at your service\r\n", slow),
            "while waiting for the banner",
        ),
        (to_rcpt().drip("250 2.1.5 so slowly that it takes too long\r\n", slow), "while querying"),
    ] {
        let peer = Peer::start(script);
        let run = at(peer.addr()).gives(State::Critical, &["timeout after 1 s", words]);
        run.long("tarpit");
    }
}

// The recipient

#[test]
fn ok_servers_that_are_in_a_hurry() {
    // What was said counts, however the conversation ends.
    run(answering("250 ok\r\n").cut(), State::Ok, &["accepted by 127.0.0.1: \"250 ok\""]);
    run(answering("250 ok\r\n").expect("RSET").reset(), State::Ok, &["accepted"]);
    run(
        answering("250 ok\r\n").expect("RSET").send("500 what?\r\n").expect("QUIT").close(),
        State::Ok,
        &["accepted"],
    );
    run(answering("550 5.1.1 no\r\n").cut(), State::Critical, &["unknown to 127.0.0.1"]);
}

#[test]
fn critical_no_answer_about_the_recipient() {
    for (script, words) in [
        (to_rcpt().reset(), "127.0.0.1: connection reset by the server while querying"),
        (to_rcpt().cut(), "127.0.0.1: connection closed by the server while querying"),
        (to_rcpt().send("250-o"), "timeout after 1 s while querying: 5 bytes came, but no whole reply"),
        (to_rcpt().send("25\r\n"), "not an SMTP reply: \"25\""),
        (to_rcpt().send("250-yes\r\n550 no\r\n"), "protocol violation while querying"),
        (to_rcpt().hold(), "timeout after 1 s while querying"),
    ] {
        let peer = Peer::start(script);
        at(peer.addr()).gives(State::Critical, &[words]);
    }
}

#[test]
fn critical_replies_out_of_turn() {
    let script = Script::new().banner().ehlo(&[]).expect("MAIL").send("250 ok\r\n250 and the next\r\n");
    let words =
        ["127.0.0.1: protocol violation while querying: server spoke out of turn: \"250 and the next"];
    run(script, State::Critical, &words);
    let script = Script::new().send("220 mail\r\n250-mail\r\n250 HELP\r\n250 ok\r\n250 ok\r\n").read();
    let peer = Peer::start(script);
    at(peer.addr()).gives(State::Critical, &["spoke out of turn"]);
    assert!(!peer.received_text(0).contains("MAIL"));
}

#[test]
fn critical_closing_answers_end_the_conversation() {
    for script in [
        answering("421 4.7.0 too many errors\r\n"),
        Script::new().banner().ehlo(&[]).expect("MAIL").send("421 4.7.0 too many errors\r\n"),
    ] {
        let peer = Peer::start(script);
        at(peer.addr()).gives(State::Critical, &["temporary: ", "\"421 4.7.0 too many errors\""]);
        assert!(!peer.received_text(0).contains("QUIT"), "{}", peer.received_text(0));
    }
}

#[test]
fn hostile_words_are_harmless() {
    for (answer, shown) in [
        (&b"250 a | b=1;2;3\r\n"[..], "a / b=1;2;3"),
        (b"250 \x1b[31mred\x07\r\n", "\\x1b[31mred\\x07"),
        (b"250 caf\xe9 \xe2\x80\xaeevil\r\n", "\\xe9 \\u{202E}evil"),
        (b"250-one\r\n250 SMTP_RCPT OK: fine\r\n", "one SMTP_RCPT OK"),
    ] {
        run(goodbye(answering(answer)), State::Ok, &[shown]);
    }
    let long = format!("550 5.1.1 {}\r\n", "x".repeat(3000));
    let run = run(goodbye(answering(long)), State::Critical, &["unknown to 127.0.0.1: \"550 5.1.1 xxx"]);
    assert!(run.parsed.summary.len() < 400, "{}", run.parsed.summary);
}

#[test]
fn quoted_local_parts_may_have_blanks() {
    let peer = Peer::start(goodbye(
        Script::new()
            .banner()
            .ehlo(&[])
            .expect("MAIL FROM:<>")
            .send("250 ok\r\n")
            .expect("RCPT TO:<\"a b\"@lab.test>")
            .send("250 ok\r\n"),
    ));
    let (host, port) = (peer.addr().ip().to_string(), peer.port().to_string());
    let check = Check::new("check_smtp_rcpt").args(["-H", &host, "-p", &port, "\"a b\"@lab.test"]);
    check.gives(State::Ok, &["\"a b\"@lab.test accepted by 127.0.0.1: \"250 ok\""]);
    peer.assert_followed();
}

#[test]
fn strangers_are_asked_for_in_the_same_session() {
    let second = |answer: &str| {
        answering("250 ok\r\n")
            .expect("RSET")
            .send("250 ok\r\n")
            .expect("MAIL FROM:<>")
            .send("250 ok\r\n")
            .expect("RCPT TO:<")
            .send(answer)
    };
    let ask = |script: Script, state, words: &[&str]| {
        let peer = Peer::start(script);
        let run = at(peer.addr()).arg("--also-unknown").gives(state, words);
        peer.assert_followed();
        run
    };
    ask(
        goodbye(second("550 5.1.1 no\r\n")),
        State::Ok,
        &["accepted by 127.0.0.1: \"250 ok\"; unknown users refused"],
    );
    ask(
        goodbye(second("252 maybe\r\n")),
        State::Warning,
        &["127.0.0.1 accepts unknown users: \"252 maybe\""],
    );
    ask(second("421 enough\r\n"), State::Unknown, &["refuses unknown users: \"421 enough\""]);
    ask(
        answering("250 ok\r\n").expect("RSET").reset(),
        State::Unknown,
        &["refuses unknown users: connection reset"],
    );
    ask(answering("421 enough\r\n"), State::Critical, &["deferred", "refuses unknown users: \"421 enough\""]);
}

// TLS

#[test]
fn warning_starttls_that_fails() {
    let clear = || goodbye(answering("250 ok\r\n"));
    let offer = || Script::new().banner().ehlo(&["STARTTLS"]).expect("STARTTLS");
    for first in [
        offer().send("454 4.7.0 TLS not available\r\n"),
        offer().send("220 go\r\n").send("this is no TLS at all\r\n"),
        offer().send("220 go\r\n250-injected\r\n250 HELP\r\n"),
        offer().send("220 go\r\n").reset(),
    ] {
        let peer = Peer::start_each(vec![first, clear()]);
        let run = at(peer.addr()).gives(State::Warning, &["127.0.0.1: STARTTLS is offered and fails: "]);
        run.long("note: probe@lab.test accepted by 127.0.0.1: \"250 ok\"");
        assert_eq!(peer.connections(), 2);
    }
}

#[test]
fn tls_from_the_first_byte() {
    let mail = Mail::new();
    let script = Script::new().tls(&mail.tls).then(goodbye(answering("250 ok\r\n")));
    let peer = Peer::start(script);
    let check = |host: &str| {
        let (port, ca_file) = (peer.port().to_string(), mail.ca_file().display().to_string());
        Check::new("check_smtp_rcpt")
            .args(["-H", host, "-4", "-p", &port, RECIPIENT, "--tls", "implicit", "--ca-file", &ca_file])
            .timeout(1.0)
    };
    check("localhost").gives(State::Ok, &["accepted by localhost: \"250 ok\""]);
    check("localhost").args(["--sni", "other.lab.test"]).gives(
        State::Critical,
        &["localhost: nothing tried: the certificate does not verify: ", "other.lab.test"],
    );
}

// Hosts of the operator's choice

#[test]
fn hosts_of_the_operators_choice() {
    let domain = Domain::start(&[(10, &good), (20, &good)]);
    let port = domain.port().to_string();
    let check = |hosts: &[&str]| {
        let check = Check::new("check_smtp_rcpt").args(["-p", &port, RECIPIENT]);
        hosts.iter().fold(check, |check, host| check.args(["-H", host]))
    };
    let run = check(&["127.0.0.12", "127.0.0.11", "127.0.0.12"])
        .gives(State::Ok, &["accepted by 127.0.0.12 \"250 2.1.5 Ok\", 127.0.0.11 \"250 2.1.5 Ok\""]);
    assert_eq!(run.parsed.value("mx_total"), Some(2.0));
    assert_eq!(domain.dns.query_count(), 0);
    let nowhere = check(&["127.0.0.11", "::1"]).arg("-4");
    nowhere
        .gives(State::Unknown, &["cannot resolve ::1: it has no IPv4 address"])
        .long("accepted by 127.0.0.11");
    check(&["127.0.0.11"]).arg("-6").gives(State::Unknown, &["127.0.0.11", "IPv6"]);
    let literal = Check::new("check_smtp_rcpt").args(["-p", &port, "probe@[127.0.0.11]"]);
    literal.gives(State::Ok, &["probe@[127.0.0.11] accepted by 127.0.0.11: "]);
}

// Many of them

#[test]
fn more_hosts_than_are_asked_at_a_time() {
    let host = |n: u16| -> Wish<'_> { (n, &good) };
    let domain = Domain::start(&(0..40).map(host).collect::<Vec<_>>());
    let run = domain.check().gives(State::Ok, &["probe@lab.test accepted by 40 addresses"]);
    assert_eq!(run.parsed.value("mx_ok"), Some(40.0));
    domain.assert_polite();
}

#[test]
fn warning_silent_hosts_leave_time_to_those_behind_them() {
    let silent = |options: &mut ExchangerOptions| {
        options.teaser = Some(Teaser { line: "220-wait".into(), delay: Duration::from_hours(1) });
    };
    let host = |n: u16| -> Wish<'_> { if n < 20 { (n, &silent) } else { (n, &good) } };
    let domain = Domain::start(&(0..40).map(host).collect::<Vec<_>>());
    let run = domain.check().timeout(3.6).gives(
        State::Warning,
        &["mx1.lab.test: timeout after 1.2", "while waiting for the banner", "(accepted by mx21.lab.test)"],
    );
    assert_eq!(run.parsed.value("mx_ok"), Some(20.0));
}

// Operators

#[test]
fn unknown_wrong_options() {
    let domain = Domain::start(&[(10, &good)]);
    let port = domain.port().to_string();
    for (arguments, words) in [
        (&[][..], "--rcpt-to: required"),
        (&["a@b.test", "c@b.test"], "arguments: "),
        (&["a@b.test", "--rcpt-to", "a@b.test"], "cannot stand together with"),
        (&["postmaster"], "--rcpt-to: 'postmaster' has no domain to look up"),
        (&["a b@lab.test"], "contains blanks, brackets or control characters"),
        (&["a@lab.test\r\nDATA"], "contains blanks, brackets or control characters"),
        (&["a@-lab.test"], "--rcpt-to: '-lab.test' is not the domain of a mailbox"),
        (&["@lab.test"], "--rcpt-to: '@lab.test' names nobody"),
        (&[RECIPIENT, "--mail-from", ""], "--mail-from: is empty"),
        (&[RECIPIENT, "--mode", "most"], "--mode: 'most' is not one of all, first, any"),
        (&[RECIPIENT, "--expect", "maybe"], "--expect: 'maybe' is not one of accept, reject"),
        (&[RECIPIENT, "--greylist", "unknown"], "--greylist: 'unknown' is not one of ok, warning, critical"),
        (&[RECIPIENT, "-p", "0"], "--port: "),
        (&[RECIPIENT, "-H", "a:25"], "contains a port"),
        (&[RECIPIENT, "-H", "127.0.0.1", "--resolver", "127.0.0.1"], "cannot stand together with"),
        (&[RECIPIENT, "-H", "127.0.0.1", "--tries", "1"], "cannot stand together with"),
        (&[RECIPIENT, "--no-starttls", "--tls", "auto"], "cannot stand together with"),
        (&[RECIPIENT, "--ca-file", "x"], "--ca-file: nothing is verified without"),
        (&[RECIPIENT, "--helo", "localhost"], "--helo: "),
        (&[RECIPIENT, "-4", "--source-ip", "::1"], "--source-ip: "),
        (&[RECIPIENT, "-w", "2", "-c", "1"], "--warning: "),
        (
            &["postmaster", "-H", "127.0.0.1", "--also-unknown"],
            "--also-unknown: needs a recipient with a domain",
        ),
        (&[RECIPIENT, "--tls", "starttls", "--ca-file", "/nonexistent"], "/nonexistent"),
    ] {
        let check = Check::new("check_smtp_rcpt").args(arguments);
        let check = if arguments.contains(&"-H") {
            check
        } else {
            check.args(["--resolver", &domain.dns.addr().to_string()])
        };
        let check = if arguments.contains(&"-p") { check } else { check.args(["-p", &port]) };
        let run = check.gives(State::Unknown, &[words]);
        assert!(run.parsed.long.iter().all(|line| line.starts_with("hint: ")), "{}", run.outcome.report());
    }
    assert_eq!(domain.hosts[0].connections(), 0);
}

#[test]
fn source_addresses_and_names_are_used() {
    let domain = Domain::start(&[(10, &good)]);
    domain
        .check()
        .args(["--source-ip", "127.0.0.77", "--helo", "probe.lab.test", "-v"])
        .gives(State::Ok, &["accepted by mx1.lab.test"])
        .long("10 mx1.lab.test 127.0.0.11:");
    assert!(domain.sessions()[0][0].contains(&"EHLO probe.lab.test".to_owned()));
    domain
        .check()
        .args(["--source-ip", "192.0.2.1"])
        .gives(State::Unknown, &["cannot connect from 192.0.2.1: Cannot assign requested address"]);
}

#[test]
fn other_forms_of_the_output() {
    let domain = Domain::start(&[(10, &good), (20, &good)]);
    let text = |form: &str| domain.check().args(["--output", form]).outcome().text();
    let json: Value = serde_json::from_str(&text("json")).unwrap();
    assert_eq!(
        (&json["status"], &json["data"]["visits"][1]["end"]["answered"]["code"]),
        (&"OK".into(), &250.into())
    );
    assert_eq!(json["data"]["hosts"][0]["name"], "mx1.lab.test");
    let zabbix: Value = serde_json::from_str(&text("zabbix")).unwrap();
    assert!(zabbix["metrics"]["mx2.lab.test.time"].is_number(), "{zabbix}");
    let prometheus = text("prometheus");
    assert!(prometheus.contains("vedette_smtp_rcpt_mx_ok{target=\"probe@lab.test\"} 2\n"), "{prometheus}");
    let run = domain.check().arg("-vvv").gives(State::Ok, &[]);
    run.long("> RCPT TO:<probe@lab.test>").long("< 250 2.1.5 Ok").long("MX of lab.test by 127.0.0.1:");
    // A port that nobody listens on, in each form.
    let dead = domain.ask("x@lab.test").args(["--output", "zabbix"]);
    let dead: Value = serde_json::from_str(&dead.outcome().text()).unwrap();
    assert_eq!(dead["state"], 2);
    let closed = through(&domain.dns).args(["-p", &free_port().to_string(), RECIPIENT, "--output", "json"]);
    let closed: Value = serde_json::from_str(&closed.outcome().text()).unwrap();
    assert_eq!((&closed["status"], &closed["perfdata"][4]["value"]), (&"CRITICAL".into(), &Value::Null));
}
