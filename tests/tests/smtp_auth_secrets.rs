//! check_smtp_auth and its password: never sent to whom it must not be, never shown whoever
//! says it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

use std::fs;
use std::time::{Duration, Instant};

use lab::certs::{Authority, Leaf, LeafOptions};
use lab::output::State;
use lab::peer::{Peer, Script};
use lab::smtpd::cram_digest;
use tests::Check;
use tests::mail::{Mail, PASSWORD, USER, clear_to_auth, encode, plain_blob, secret_forms};

const CHALLENGE: &str = "<1896.697170952@mail.lab.test>";

/// Every form of output of a call, the dump included.
fn all_output(mail: &Mail, check: &Check) -> String {
    let dump = mail.dir().join("dump");
    let mut all = String::new();
    for form in ["text", "json", "zabbix", "prometheus"] {
        let outcome =
            check.clone().args(["-vvv", "--output", form, "--dump-observation"]).arg(&dump).outcome();
        all.push_str(&outcome.text());
        all.push_str(&fs::read_to_string(&dump).unwrap());
    }
    all
}

/// Plays a server that says back what it was told.
fn assert_echo_is_masked(script: &Script, mechanism: &str) {
    let mail = Mail::new();
    let peer = Peer::start(script.clone().mark().read().send("221 bye\r\n").again());
    let check = mail.clear(peer.addr()).args(["--mech", mechanism]);
    let shown = all_output(&mail, &check);
    assert!(shown.contains("****"), "{shown}");
    let digest = cram_digest(PASSWORD, CHALLENGE);
    let digests = [encode(&format!("{USER} {digest}")), digest];
    for secret in secret_forms().iter().chain(&digests) {
        assert!(!shown.contains(secret.as_str()), "{secret} in\n{shown}");
    }
}

fn echo(prefix: &'static str) -> impl Fn(&[u8]) -> Vec<u8> + Send + Sync + 'static {
    move |line| [prefix.as_bytes(), line].concat()
}

#[test]
fn echo_of_the_auth_line_is_masked() {
    for prefix in ["500 5.5.2 unknown command: ", "535 ", "500-what is\r\n500 ", "235 ", "421 ", "334 ", ""] {
        assert_echo_is_masked(&clear_to_auth("AUTH PLAIN").reply(echo(prefix)), "plain");
    }
}

#[test]
fn echo_of_the_password_line_is_masked() {
    let login = || clear_to_auth("AUTH LOGIN").expect("AUTH LOGIN").send("334 \r\n").read().send("334 \r\n");
    for prefix in ["535 5.7.8 no such password: ", "334 ", ""] {
        assert_echo_is_masked(&login().reply(echo(prefix)), "login");
    }
    let decoded = format!("535 5.7.8 password {PASSWORD} is wrong\r\n");
    assert_echo_is_masked(&login().read().send(decoded), "login");
}

#[test]
fn echo_of_the_digest_is_masked() {
    let challenge = format!("334 {}\r\n", encode(CHALLENGE));
    let script = clear_to_auth("AUTH CRAM-MD5").expect("AUTH CRAM-MD5").send(challenge).reply(echo("535 "));
    assert_echo_is_masked(&script, "cram-md5");
}

#[test]
fn echo_that_is_cut_off_is_masked() {
    let mail = Mail::new();
    let blob = plain_blob("", USER, PASSWORD);
    for kept in 13..blob.len() {
        let cut = blob[..kept].to_owned();
        let reply = format!("500 5.5.2 unknown: AUTH PLAIN {cut}...\r\n");
        let peer = Peer::start(clear_to_auth("AUTH PLAIN").expect("AUTH PLAIN").send(reply).quit());
        let run = mail.clear(peer.addr()).arg("-vvv").gives(State::Critical, &["AUTH PLAIN ****..."]);
        run.silent_about(&cut);
    }
}

#[test]
fn echo_at_quit_is_masked() {
    let blob = plain_blob("", USER, PASSWORD);
    let script = clear_to_auth("AUTH PLAIN").expect("AUTH PLAIN").send("235 ok\r\n").expect("QUIT");
    assert_echo_is_masked(&script.send(format!("221 bye {blob} {PASSWORD}\r\n")), "plain");
}

#[test]
fn whole_dialogue_is_masked() {
    // The whole dialogue at -vvv: both EHLO, STARTTLS, AUTH, QUIT, nothing of the password.
    let mail = Mail::new();
    let script = mail.script_to_auth("AUTH PLAIN").expect("AUTH PLAIN").send("235 ok\r\n").quit();
    let peer = Peer::start(script);
    let shown = all_output(&mail, &mail.starttls(peer.addr()));
    for secret in secret_forms() {
        assert!(!shown.contains(&secret), "{secret} in\n{shown}");
    }
    assert!(shown.contains("> AUTH PLAIN ****"), "{shown}");
}

/// Waits until the peer has seen the end of its connection, or at least for a while.
fn settled(peer: &Peer) -> String {
    let until = Instant::now() + Duration::from_millis(150);
    while !peer.received_text(0).contains("QUIT") && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
    peer.received_text(0)
}

/// A server that would accept the login, with this certificate, against a call that must
/// not get so far.
fn assert_no_login(leaf: &Leaf, authority: &Authority, arguments: &[&str], words: &[&str]) {
    for implicit in [false, true] {
        let mail = Mail::with(Authority::new("Lab Root CA"), leaf);
        let ca = mail.file("trusted.pem", authority.ca_pem(), 0o644);
        let greeting = if implicit {
            Script::new().tls(&mail.tls).banner()
        } else {
            Script::new().banner().ehlo(&["STARTTLS", "AUTH PLAIN LOGIN CRAM-MD5"]).starttls(&mail.tls)
        };
        // Whatever comes, it is welcome.
        let script = greeting.mark().read().send("250 AUTH PLAIN\r\n").again();
        let peer = Peer::start(script);
        let mode = if implicit { "implicit" } else { "starttls" };
        let check = mail.with_login(peer.addr()).args(["--tls", mode, "--ca-file"]).arg(&ca).timeout(2.0);
        let words = [words, &["nothing tried"]].concat();
        check.args(arguments).gives(State::Critical, &words);
        let sent = settled(&peer);
        assert!(sent.ends_with("[TLS]\r\nQUIT\r\n"), "{sent}");
        for form in secret_forms().iter().chain([&encode(USER)]) {
            assert!(!sent.contains(form.as_str()), "{sent}");
        }
    }
}

#[test]
fn critical_untrusted_certificate_gets_no_password() {
    let stranger = Authority::new("Stranger CA");
    let leaf = stranger.leaf(&LeafOptions::default());
    assert_no_login(&leaf, &Authority::new("Lab Root CA"), &[], &["chain does not lead to"]);
}

#[test]
fn critical_self_signed_certificate_gets_no_password() {
    let leaf = Leaf::self_signed(&LeafOptions::default());
    assert_no_login(&leaf, &Authority::new("Lab Root CA"), &[], &["certificate"]);
}

#[test]
fn critical_wrong_name_gets_no_password() {
    let authority = Authority::new("Lab Root CA");
    let leaf = authority.leaf(&LeafOptions::server_named("other.lab.test"));
    assert_no_login(
        &leaf,
        &authority,
        &["--sni", "mail.lab.test"],
        &["not for mail.lab.test but for other.lab.test"],
    );
}

#[test]
fn critical_expired_certificate_gets_no_password() {
    let authority = Authority::new("Lab Root CA");
    let leaf = authority.leaf(&LeafOptions::default().days(-3));
    assert_no_login(&leaf, &authority, &[], &["expired"]);
}

#[test]
fn plaintext_gets_no_password_unless_allowed() {
    let mail = Mail::new();
    // STARTTLS is gone, masked or refused: never a login in the clear instead.
    for greeting in [
        Script::new().banner().ehlo(&["AUTH PLAIN LOGIN CRAM-MD5"]),
        Script::new().banner().ehlo(&["XXXXXXXA", "AUTH PLAIN LOGIN CRAM-MD5"]),
        Script::new().banner().ehlo(&["STARTTLS", "AUTH PLAIN"]).expect("STARTTLS").send("454 no\r\n"),
    ] {
        for arguments in [&[][..], &["--allow-plaintext"], &["--insecure"]] {
            let peer = Peer::start(greeting.clone().quit());
            let check = mail.with_login(peer.addr()).args(arguments).timeout(1.0);
            check.gives(State::Critical, &["STARTTLS"]);
            assert!(!settled(&peer).contains("AUTH"), "{}", peer.received_text(0));
        }
    }
    // Without TLS only what does not show the password.
    let peer = Peer::start(Script::new().banner().ehlo(&["AUTH PLAIN LOGIN"]).quit());
    mail.with_login(peer.addr())
        .args(["--tls", "none"])
        .timeout(1.0)
        .gives(State::Unknown, &["no usable mechanism"]);
    assert!(!settled(&peer).contains("AUTH"));
}

#[test]
fn unknown_mechanism_that_shows_the_password_without_tls() {
    let mail = Mail::new();
    let peer = Peer::start(clear_to_auth("AUTH PLAIN LOGIN"));
    for mechanism in ["plain", "LOGIN"] {
        let check = mail.with_login(peer.addr()).args(["--tls", "none", "--mech", mechanism]);
        let run = check.gives(State::Unknown, &["--mech: ", "without TLS sends the password in the clear"]);
        run.long("--allow-plaintext");
    }
    assert_eq!(peer.connections(), 0);
}
