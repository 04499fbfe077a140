//! check_smtp_auth: ways to reach a server, and what can be expected of it beside a login.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixListener;
use std::thread;
use std::time::Duration;

use lab::output::{Parsed, State};
use lab::peer::{Peer, Script};
use lab::plugin::{Plugin, find_binary};
use lab::process::left_out_without_root;
use tests::mail::{Mail, USER, clear_to_auth, encode};

const ACCEPT: &str = "235 2.7.0 ok\r\n";
const REJECT: &str = "535 5.7.8 no\r\n";

fn accepting(offer: &str) -> Script {
    clear_to_auth(offer).expect("AUTH ").send(ACCEPT)
}

fn good() -> Script {
    accepting("AUTH PLAIN").quit()
}

// Ways to the server

#[test]
fn ok_lmtp_says_lhlo() {
    let script = Script::new()
        .send("220 lab LMTP\r\n")
        .expect("LHLO [127.0.0.1]")
        .send("250-lab\r\n250 AUTH PLAIN\r\n");
    let peer = Peer::start(script.expect("AUTH PLAIN").send(ACCEPT).quit());
    let mail = Mail::new();
    mail.clear(peer.addr()).arg("--lmtp").gives(State::Ok, &["logged in"]);
    peer.assert_followed();
    let check = Mail::bare(peer.addr()).args(["--lmtp", "--help"]).outcome();
    assert!(check.text().contains("port 24"));
}

#[test]
fn ok_unix_socket_needs_no_host() {
    let mail = Mail::new();
    let path = mail.dir().join("lmtp.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut writer = stream.try_clone().unwrap();
        writer.write_all(b"220 lab LMTP\r\n").unwrap();
        let mut lines = Vec::new();
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let answer = match line.split(' ').next().unwrap() {
                "LHLO" => "250-lab\r\n250 AUTH PLAIN\r\n",
                "AUTH" => ACCEPT,
                _ => "221 bye\r\n",
            };
            lines.push(line);
            if writer.write_all(answer.as_bytes()).is_err() {
                break;
            }
        }
        lines
    });
    let socket = path.to_string_lossy().into_owned();
    let check = tests::Check::new("check_smtp_auth")
        .args([
            "--socket",
            &socket,
            "--lmtp",
            "--tls",
            "none",
            "--allow-plaintext",
            "-u",
            USER,
            "--password-file",
        ])
        .arg(mail.password_file())
        .timeout(1.0);
    let run = check.clone().gives(State::Ok, &[&format!("logged in to {socket} by PLAIN")]);
    assert!(run.parsed.perf("time_dns").is_none());
    let lines = server.join().unwrap();
    assert!(lines[0].starts_with("LHLO [") && lines.last().unwrap() == "QUIT", "{lines:?}");
    let gone = mail.dir().join("gone.sock").to_string_lossy().into_owned();
    let dead = tests::Check::new("check_smtp_auth").args(["--socket", &gone, "-u", USER, "--password-file"]);
    dead.arg(mail.password_file())
        .args(["--tls", "none"])
        .gives(State::Critical, &["cannot connect to", "No such file"]);
    check.args(["--proxy", "v1"]).gives(State::Unknown, &["--socket", "cannot stand together with --proxy"]);
}

#[test]
fn ok_proxy_header_comes_before_everything() {
    let mail = Mail::new();
    let script = || Script::new().read().then(good());
    let peer = Peer::start(script());
    mail.clear(peer.addr()).args(["--proxy", "v1"]).gives(State::Ok, &["logged in"]);
    let sent = peer.received_text(0);
    let line = sent.split("\r\n").next().unwrap();
    let port = peer.port();
    assert!(
        line.starts_with("PROXY TCP4 127.0.0.1 127.0.0.1 ") && line.ends_with(&format!(" {port}")),
        "{line}"
    );
    let peer = Peer::start(script());
    mail.clear(peer.addr())
        .args(["--proxy", "v1=192.0.2.1:5000,192.0.2.2:25"])
        .gives(State::Ok, &["logged in"]);
    assert!(peer.received_text(0).starts_with("PROXY TCP4 192.0.2.1 192.0.2.2 5000 25\r\n"));
    let peer = Peer::start(Script::new().read_exact(28).then(good()));
    mail.clear(peer.addr())
        .args(["--proxy", "v2=192.0.2.1:5000,192.0.2.2:25"])
        .gives(State::Ok, &["logged in"]);
    let expected = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\x13\x88\0\x19";
    assert!(peer.received()[0].starts_with(expected), "{:?}", peer.received()[0]);
    mail.clear(peer.addr())
        .args(["--proxy", "v3"])
        .gives(State::Unknown, &["--proxy: 'v3' is not one of v1, v2"]);
}

#[test]
fn source_address_is_used_or_refused() {
    let mail = Mail::new();
    let peer = Peer::start(good());
    mail.clear(peer.addr()).args(["--source-ip", "127.0.0.7"]).gives(State::Ok, &["logged in"]);
    assert!(peer.received_text(0).starts_with("EHLO [127.0.0.7]\r\n"), "{}", peer.received_text(0));
    let check = mail.clear(peer.addr()).args(["--source-ip", "192.0.2.1"]);
    check.gives(State::Unknown, &["cannot connect from 192.0.2.1: Cannot assign requested address"]);
    let check = mail.clear(peer.addr()).args(["--source-ip", "127.0.0.7", "-6"]);
    check.gives(State::Unknown, &["--source-ip: is of another family"]);
}

/// A call that sees a hosts file of its own, in a mount namespace, so that a name can have
/// two addresses without a name server.
fn at_two_addresses(mail: &Mail, port: u16) -> Parsed {
    let hosts = mail.file("hosts", "127.0.0.1 two.lab.test\n127.0.0.2 two.lab.test\n", 0o644);
    let script = "mount --bind \"$0\" /etc/hosts && exec \"$@\"";
    let outcome = Plugin::at("/usr/bin/unshare")
        .args(["-m", "sh", "-c", script])
        .arg(hosts)
        .arg(find_binary("check_smtp_auth"))
        .args(["-H", "two.lab.test", "-p", &port.to_string(), "-u", USER, "--tls", "none", "-t", "2"])
        .args(["--allow-plaintext", "--all-addresses", "--password-file"])
        .arg(mail.password_file())
        .run();
    outcome.assert_quiet_stderr();
    outcome.parsed()
}

#[test]
fn every_address_must_work() {
    if left_out_without_root("a hosts file of its own") {
        return;
    }
    let mail = Mail::new();
    let both = |second: Script| {
        let one = Peer::start(good());
        let two = Peer::start_on(SocketAddr::new([127, 0, 0, 2].into(), one.port()), second);
        (one, two)
    };
    let (one, _two) = both(good());
    let parsed = at_two_addresses(&mail, one.port());
    assert_eq!(parsed.state, State::Ok);
    assert!(parsed.summary.ends_with("at all 2 addresses"), "{}", parsed.summary);
    assert_eq!((parsed.value("addresses"), parsed.value("addresses_failed")), (Some(2.0), Some(0.0)));

    let (one, two) = both(clear_to_auth("AUTH PLAIN").expect("AUTH").send(REJECT).quit());
    let parsed = at_two_addresses(&mail, one.port());
    assert_eq!((parsed.state, parsed.value("addresses_failed")), (State::Critical, Some(1.0)));
    assert!(
        parsed.summary.contains("rejected") && parsed.summary.contains("127.0.0.2"),
        "{}",
        parsed.summary
    );
    assert!(parsed.long.iter().any(|line| line.starts_with("note: probe logged in")), "{:?}", parsed.long);
    drop(two);
    let parsed = at_two_addresses(&mail, one.port());
    assert!(parsed.summary.starts_with("cannot connect to 127.0.0.2:"), "{}", parsed.summary);
    assert_eq!(parsed.value("time_auth"), None, "one session has none");
}

// Expectations

#[test]
fn expect_reject_turns_the_verdict_round() {
    let mail = Mail::new();
    for (reply, state, words) in [
        (ACCEPT, State::Critical, "login of probe accepted, it must be rejected"),
        (REJECT, State::Ok, "login of probe rejected as it must be: \"535 5.7.8 no\""),
        ("534 5.7.9 no\r\n", State::Ok, "rejected as it must be"),
        ("525 5.7.13 disabled\r\n", State::Ok, "rejected as it must be"),
        ("454 4.7.0 later\r\n", State::Unknown, "nothing is proved"),
        ("421 4.7.0 bye\r\n", State::Unknown, "nothing is proved"),
        ("500 5.5.2 what\r\n", State::Unknown, "nothing is proved"),
    ] {
        let peer = Peer::start(clear_to_auth("AUTH PLAIN").expect("AUTH").send(reply));
        mail.clear(peer.addr()).args(["--expect", "reject"]).gives(state, &[words]);
    }
    // A service that is broken is not a rejection.
    let peer = Peer::start(Script::new().send("554 no service\r\n").close());
    mail.clear(peer.addr())
        .args(["--expect", "reject"])
        .gives(State::Critical, &["server refuses connections"]);
}

#[test]
fn also_reject_finds_a_server_that_accepts_anybody() {
    let mail = Mail::new();
    let peer = Peer::start(good());
    let run = mail
        .clear(peer.addr())
        .arg("--also-reject")
        .gives(State::Critical, &["login of a random user accepted"]);
    run.long("probe logged in");
    assert_eq!(peer.connections(), 2);
    let second = peer.received_text(1);
    let blob = second.split("AUTH PLAIN ").nth(1).unwrap().split("\r\n").next().unwrap();
    assert!(blob.len() > 60 && blob != encode(&format!("\0{USER}\0{USER}")), "{second}");

    let rejecting = || clear_to_auth("AUTH PLAIN").expect("AUTH PLAIN").send(REJECT).quit();
    let peer = Peer::start_each(vec![good(), rejecting()]);
    let run = mail.clear(peer.addr()).arg("--also-reject").gives(State::Ok, &["probe logged in"]);
    run.long("note: login of a random user rejected as it must be");

    let peer = Peer::start_each(vec![good(), rejecting()]);
    mail.clear(peer.addr()).arg("--also-reject=user").gives(State::Ok, &["probe logged in"]);
    let blob = encode(&format!("\0{USER}\0{USER}"));
    assert!(peer.received_text(1).contains(&blob), "the user name is its own password");

    for (script, words) in [
        (clear_to_auth("AUTH PLAIN").expect("AUTH").send("454 4.7.0 later\r\n").quit(), "nothing is proved"),
        (Script::new().close(), "proved nothing: connection closed"),
    ] {
        let peer = Peer::start_each(vec![good(), script]);
        mail.clear(peer.addr()).arg("--also-reject").gives(State::Unknown, &[words]);
    }
}

#[test]
fn warning_mechanisms_required_and_forbidden() {
    let mail = Mail::new();
    for (arguments, state, words) in [
        (&["--require-mech", "plain,LOGIN"][..], State::Ok, "logged in"),
        (
            &["--require-mech", "SCRAM-SHA-256,PLAIN"],
            State::Warning,
            "required mechanism not offered: SCRAM-SHA-256",
        ),
        (&["--forbid-mech", "NTLM"], State::Ok, "logged in"),
        (
            &["--forbid-mech", "login", "--forbid-mech", "NTLM"],
            State::Warning,
            "forbidden mechanism offered: login",
        ),
    ] {
        let peer = Peer::start(accepting("AUTH PLAIN LOGIN").quit());
        mail.clear(peer.addr()).args(arguments).gives(state, &[words]);
    }
}

#[test]
fn policy_no_plaintext_auth() {
    let mail = Mail::new();
    let tls = mail.tls.clone();
    let server = |before: &[&str], answer: &str| {
        let script = Script::new().banner().ehlo(before).expect("AUTH LOGIN").send(answer);
        let script =
            if answer.starts_with("334") { script.expect("*").send("501 cancelled\r\n") } else { script };
        Peer::start(script.starttls(&tls).ehlo(&["AUTH PLAIN"]).expect("AUTH PLAIN").send(ACCEPT).quit())
    };
    let check = |peer: &Peer| mail.starttls(peer.addr()).args(["--policy", "no-plaintext-auth"]);
    let peer = server(&["STARTTLS"], "530 5.7.0 TLS first\r\n");
    check(&peer).gives(State::Ok, &["logged in"]);
    peer.assert_followed();
    let peer = server(&["STARTTLS", "AUTH PLAIN"], "530 5.7.0 TLS first\r\n");
    check(&peer).gives(State::Warning, &["AUTH is offered before TLS: \"PLAIN\""]);
    let peer = server(&["STARTTLS"], "334 VXNlcm5hbWU6\r\n");
    check(&peer).gives(State::Critical, &["the server begins AUTH before TLS"]);
    peer.assert_followed();
    let check = mail.clear(peer.addr()).args(["--policy", "no-plaintext-auth"]);
    check.gives(State::Unknown, &["--policy: ", "needs --tls starttls"]);
}

#[test]
fn envelope_is_tried_and_taken_back() {
    let mail = Mail::new();
    let envelope = ["--mail-from", "probe@lab.test", "--rcpt-to", "other@lab.test"];
    let begin = || accepting("AUTH PLAIN").expect("MAIL FROM:<probe@lab.test>\r\n".trim_end());
    let peer = Peer::start(
        begin()
            .send("250 ok\r\n")
            .expect("RCPT TO:<other@lab.test>")
            .send("250 ok\r\n")
            .expect("RSET")
            .send("250 ok\r\n")
            .quit(),
    );
    mail.clear(peer.addr()).args(envelope).gives(State::Ok, &["logged in"]);
    peer.assert_followed();
    assert!(!peer.received_text(0).contains("DATA"));
    for (reply, state, words) in [
        ("530 5.7.0 not logged in\r\n", State::Critical, "logged in, but the sender is refused: \"530"),
        ("452 4.3.1 full\r\n", State::Critical, "temporary: logged in, but the sender is refused for now"),
    ] {
        let peer = Peer::start(begin().send(reply).quit());
        mail.clear(peer.addr()).args(envelope).gives(state, &[words]);
        peer.assert_followed();
    }
    let peer =
        Peer::start(begin().send("250 ok\r\n").expect("RCPT").send("554 5.7.1 relay denied\r\n").quit());
    mail.clear(peer.addr()).args(envelope).gives(State::Critical, &["but the recipient is refused: \"554"]);
    mail.clear(peer.addr())
        .args(["--rcpt-to", "a@b.example"])
        .gives(State::Unknown, &["--mail-from: required"]);
    mail.clear(peer.addr()).args(["--mail-from", "a@b\r\nDATA"]).gives(State::Unknown, &["--mail-from: "]);
}

#[test]
fn international_mailboxes_need_smtputf8() {
    let mail = Mail::new();
    let from = ["--mail-from", "jürgen@lab.test"];
    let peer = Peer::start(accepting("AUTH PLAIN").quit());
    mail.clear(peer.addr()).args(from).gives(State::Critical, &["SMTPUTF8 is not offered"]);
    assert!(!peer.received_text(0).contains("MAIL"));
    let script = Script::new().banner().ehlo(&["SMTPUTF8", "AUTH PLAIN"]).expect("AUTH").send(ACCEPT);
    let script = script
        .expect("MAIL FROM:<jürgen@lab.test> SMTPUTF8")
        .send("250 ok\r\n")
        .expect("RSET")
        .send("250 ok\r\n");
    let peer = Peer::start(script.quit());
    mail.clear(peer.addr()).args(from).gives(State::Ok, &["logged in"]);
    peer.assert_followed();
}

#[test]
fn warning_slow_greeting() {
    let mail = Mail::new();
    let peer = Peer::start(Script::new().sleep(Duration::from_millis(250)).then(good()));
    let check = mail.clear(peer.addr()).timeout(2.0);
    check
        .clone()
        .args(["--greet-warning", "100ms"])
        .gives(State::Warning, &["greeting took 0.3 s, warning above 0.1"]);
    check.args(["--greet-warning", "5"]).gives(State::Ok, &["logged in"]);
}

#[test]
fn injection_behind_starttls() {
    let mail = Mail::new();
    let first = || mail.script_to_auth("AUTH PLAIN").expect("AUTH").send(ACCEPT).quit();
    let both = |second: Script| Peer::start_each(vec![first(), second]);
    let glued = || Script::new().banner().ehlo(&["STARTTLS"]).expect("STARTTLS").expect("NOOP");
    let check = |peer: &Peer| mail.starttls(peer.addr()).arg("--probe-injection").timeout(2.0);
    // A sound server throws the glued command away; one of 2011 runs it inside TLS.
    let peer = both(glued().send("220 go\r\n").tls(&mail.tls));
    check(&peer).gives(State::Ok, &["logged in"]).long("note: a command glued behind STARTTLS is discarded");
    let peer = both(glued().send("220 go\r\n").tls(&mail.tls).send("250 2.0.0 Ok\r\n"));
    check(&peer)
        .gives(State::Critical, &["server executes plaintext injected behind STARTTLS: \"250 2.0.0 Ok\""]);
    let peer = both(Script::new().close());
    check(&peer).gives(State::Unknown, &["injection behind STARTTLS could not be tried"]);
}

// Behind the login

#[test]
fn ok_with_a_note_when_the_server_withdraws_after_the_login() {
    let mail = Mail::new();
    let withdrawn = "note: after the login the server said \"421 4.3.0 relay is away\"";
    // In the same packet as the success, and as the answer to QUIT.
    let glued = format!("{ACCEPT}421 4.3.0 relay is away\r\n");
    let peer = Peer::start(clear_to_auth("AUTH PLAIN").expect("AUTH").send(glued).close());
    mail.clear(peer.addr()).gives(State::Ok, &["logged in"]).long(withdrawn);
    let answered = accepting("AUTH PLAIN").expect("QUIT").send("421 4.3.0 relay is away\r\n").close();
    let peer = Peer::start(answered);
    mail.clear(peer.addr()).gives(State::Ok, &["logged in"]).long(withdrawn);
    // A proper goodbye is worth no line.
    let peer = Peer::start(good());
    let run = mail.clear(peer.addr()).gives(State::Ok, &["logged in"]);
    assert!(!run.outcome.text().contains("after the login"));
}
