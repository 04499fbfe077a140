//! check_smtp_auth against servers that are odd, broken or hostile before the login:
//! greeting, EHLO, STARTTLS, handshake.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

use std::time::Duration;

use lab::output::State;
use lab::peer::{Peer, Script};
use tests::mail::{Mail, PASSWORD, clear_to_auth};
use tests::{MEMORY_KIB, Run};

/// A whole login that succeeds, behind this greeting.
fn login_after(banner: impl AsRef<[u8]>) -> Script {
    Script::new().send(banner).ehlo(&["AUTH PLAIN"]).expect("AUTH PLAIN").send("235 2.7.0 ok\r\n").quit()
}

/// The script with a goodbye, unless the server has announced that it closes.
fn polite(script: Script, last_reply: &str) -> Script {
    if last_reply.starts_with("421") { script } else { script.quit() }
}

fn clear_run(script: Script, state: State, words: &[&str]) -> Run {
    let mail = Mail::new();
    let peer = Peer::start(script);
    let run = mail.clear(peer.addr()).arg("-v").gives(state, words);
    run.silent_about(PASSWORD);
    peer.assert_followed();
    run
}

// Greeting

#[test]
fn ok_banner_forms() {
    for banner in
        ["220\r\n", "220 \r\n", "220-mail\r\n220-two\r\n220 three\r\n", "220-\r\n220\r\n", "220 a\rb\r\n"]
    {
        clear_run(login_after(banner), State::Ok, &["probe logged in to 127.0.0.1:", "by PLAIN without TLS"]);
    }
}

#[test]
fn ok_banner_with_bare_lf_and_a_note() {
    let run = clear_run(login_after("220-mail.lab.test\n220 ESMTP\n"), State::Ok, &["logged in"]);
    run.long("note: server ends lines with LF alone");
}

#[test]
fn ok_banner_with_odd_bytes() {
    for (banner, shown) in [
        (&b"220 caf\xe9 \xff\xfe ESMTP\r\n"[..], r#"banner: "220 caf\xe9 \xff\xfe ESMTP""#),
        (b"220 nul\0nul\r\n", r#"banner: "220 nul\x00nul""#),
        (b"220 a | b='1' | c\r\n", "banner: \"220 a / b='1' / c\""),
        (b"220 \x1b[31mred\x1b]0;title\x07\r\n", r#"banner: "220 \x1b[31mred\x1b]0;title\x07""#),
        (b"220 tab\there\r\n", "banner: \"220 tab here\""),
        (b"220 rtl \xe2\x80\xaeevil\r\n", r#"banner: "220 rtl \u{202E}evil""#),
        (b"220 c1 \xc2\x85\xc2\x9b2J\r\n", r#"banner: "220 c1 \x85\x9b2J""#),
        (b"220 line\xe2\x80\xa8sep\r\n", "banner: \"220 line sep\""),
        ("220 größe 😀\r\n".as_bytes(), "banner: \"220 größe 😀\""),
        (b"220 <b>html</b> &amp;\r\n", "banner: \"220 <b>html</b> &amp;\""),
    ] {
        clear_run(login_after(banner), State::Ok, &["logged in"]).long(shown);
    }
}

#[test]
fn ok_slow_but_steady_banner() {
    let script = Script::new().drip("220 mail.lab.test\r\n", Duration::from_millis(10));
    let script = script.ehlo(&["AUTH PLAIN"]).expect("AUTH PLAIN").send("235 ok\r\n").quit();
    let run = clear_run(script, State::Ok, &["logged in"]);
    let banner = run.parsed.value("time_banner").unwrap();
    assert!((0.15..0.6).contains(&banner), "{banner}");
}

#[test]
fn critical_banner_refuses() {
    for (banner, words) in [
        ("421 4.3.2 too busy\r\n", "temporary: server refuses to serve now: \"421 4.3.2 too busy\""),
        ("450 4.3.2 later\r\n", "temporary: server refuses to serve now: \"450 4.3.2 later\""),
        ("421-4.3.2 too\r\n421 4.3.2 busy\r\n", "\"421 4.3.2 too 4.3.2 busy\""),
        ("554 5.7.1 go away\r\n", "server refuses connections: \"554 5.7.1 go away\""),
        ("554 rejected, see 220 policy\r\n", "server refuses connections: \"554 rejected, see 220 policy\""),
        ("550 blocked\r\n", "server refuses connections: \"550 blocked\""),
        ("250 ok\r\n", "not an SMTP greeting: \"250 ok\""),
        ("354 go on\r\n", "not an SMTP greeting: \"354 go on\""),
    ] {
        let run = clear_run(polite(Script::new().send(banner), banner), State::Critical, &[words]);
        assert!(run.parsed.value("time_banner").is_some(), "the greeting came");
    }
}

#[test]
fn warning_banner_refuses_for_now() {
    let mail = Mail::new();
    for (banner, state) in
        [("421 busy\r\n", State::Warning), ("450 later\r\n", State::Warning), ("554 no\r\n", State::Critical)]
    {
        let peer = Peer::start(polite(Script::new().send(banner), banner));
        mail.clear(peer.addr()).args(["--temporary-state", "warning"]).gives(state, &[banner.trim_end()]);
    }
}

#[test]
fn critical_not_smtp_at_all() {
    for (banner, shown) in [
        (&b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n"[..], "\"HTTP/1.1 400 Bad Request\""),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", "\"SSH-2.0-OpenSSH_9.2p1\""),
        (b"+OK POP3 ready\r\n", "\"+OK POP3 ready\""),
        (b"* OK [CAPABILITY IMAP4rev1] ready\r\n", "\"* OK [CAPABILITY IMAP4rev1] ready\""),
        (b"\x15\x03\x03\x00\x02\x02\x28", r"\x15\x03\x03"),
        (b"\0\0\0\0\0\0\0\0", r"\x00\x00"),
        (b"RFB 003.008\n", "\"RFB 003.008\""),
        (b"22\r\n", "\"22\""),
        (b"2200 x\r\n", "\"2200 x\""),
        (b"220_x\r\n", "\"220_x\""),
        (b"-220 x\r\n", "\"-220 x\""),
        (b"999 x\r\n", "\"999 x\""),
        (b"\r\n220 x\r\n", "not an SMTP reply"),
        (b"<html>a | b</html>\r\n", "\"<html>a / b</html>\""),
    ] {
        let words = ["protocol violation while waiting for the banner: not an SMTP reply", shown];
        let run = clear_run(Script::new().send(banner), State::Critical, &words);
        run.long("hint: is this the port of the mail service?");
    }
}

#[test]
fn critical_masked_banner_and_no_ehlo() {
    let banner = "220 ****************2***************\r\n";
    let script = Script::new().send(banner).expect("EHLO").send("502 Command not implemented\r\n").quit();
    clear_run(
        script,
        State::Critical,
        &["EHLO refused", "\"502 Command not implemented\"", "banner masked by a firewall", "****"],
    );
}

#[test]
fn warning_masked_banner_although_the_login_works() {
    let run = clear_run(login_after("220 ****2***0*\r\n"), State::Warning, &["banner masked by a firewall"]);
    run.long("logged in");
}

// EHLO

#[test]
fn critical_ehlo_refused() {
    for (reply, words) in [
        ("421 4.3.2 closing\r\n", "temporary: EHLO refused: \"421 4.3.2 closing\""),
        ("450 not now\r\n", "temporary: EHLO refused: \"450 not now\""),
        ("500 what?\r\n", "EHLO refused: \"500 what?\""),
        ("502 no\r\n", "EHLO refused: \"502 no\""),
        ("550 5.7.1 bad name\r\n", "EHLO refused: \"550 5.7.1 bad name\""),
        ("220 again\r\n", "\"220 again\""),
    ] {
        clear_run(
            polite(Script::new().banner().expect("EHLO").send(reply), reply),
            State::Critical,
            &[words],
        );
    }
    let mail = Mail::new();
    let peer = Peer::start(Script::new().banner().expect("EHLO").send("450 not now\r\n"));
    mail.clear(peer.addr()).args(["--temporary-state", "warning"]).gives(State::Warning, &["temporary"]);
}

#[test]
fn critical_ehlo_mixes_codes() {
    for (reply, words) in [
        ("250-mail\r\n550 no\r\n", "reply mixes the codes 250 and 550"),
        ("250-mail\r\n250-AUTH PLAIN\r\n251 x\r\n", "reply mixes the codes 250 and 251"),
        ("550-no\r\n250 AUTH PLAIN\r\n", "reply mixes the codes 550 and 250"),
    ] {
        let words = ["protocol violation while greeting: ", words];
        clear_run(Script::new().banner().expect("EHLO").send(reply), State::Critical, &words);
    }
}

#[test]
fn critical_ehlo_answered_twice() {
    let twice = "250-mail\r\n250 AUTH PLAIN\r\n250 AUTH LOGIN\r\n";
    let run = clear_run(
        Script::new().banner().expect("EHLO").send(twice),
        State::Critical,
        &["protocol violation", "spoke out of turn", "\"250 AUTH LOGIN\""],
    );
    assert!(run.parsed.value("time_auth").is_none());
}

#[test]
fn critical_ehlo_reply_is_not_smtp() {
    for reply in ["OK\r\n", "250-mail\r\n\r\n", "250-mail\r\nAUTH PLAIN\r\n"] {
        let words = ["protocol violation while greeting: not an SMTP reply"];
        clear_run(Script::new().banner().expect("EHLO").send(reply), State::Critical, &words);
    }
}

// Memory and time

#[test]
fn critical_endless_ehlo_reply() {
    for line in ["250-x\r\n", "250-AUTH PLAIN LOGIN\r\n", "250-\n"] {
        let script = Script::new().banner().expect("EHLO").repeat_forever(line);
        let words = ["protocol violation while greeting: reply has more than 512 lines"];
        clear_run(script, State::Critical, &words);
    }
    let long = format!("250-{}\r\n", "A".repeat(996));
    let script = Script::new().banner().expect("EHLO").repeat_forever(long);
    clear_run(
        script,
        State::Critical,
        &["protocol violation while greeting: reply is longer than 65536 bytes"],
    );
}

#[test]
fn critical_huge_banner_in_bounded_memory() {
    let normal = clear_run(login_after("220 mail\r\n"), State::Ok, &[]).outcome.max_rss_kib;
    // Sent in pieces: a big buffer of ours would count as memory of the child.
    for script in [
        Script::new().send("220 ").repeat("A".repeat(1000), 2000).send("\r\n"),
        Script::new().repeat(format!("220-{}\r\n", "A".repeat(996)), 2000).send("220 end\r\n"),
        Script::new().repeat_forever("A"),
        Script::new().send("220 ").repeat_forever(b"\0\0\0\0\0\0\0\0"),
    ] {
        let mail = Mail::new();
        let peer = Peer::start(script);
        let run = mail.clear(peer.addr()).args(["-vvv"]).gives(State::Critical, &["protocol violation"]);
        let flooded = run.outcome.max_rss_kib;
        assert!(flooded <= normal + 2048 && flooded < MEMORY_KIB, "{flooded} KiB, normally {normal} KiB");
    }
}

#[test]
fn max_reply_is_obeyed() {
    let mail = Mail::new();
    let peer = Peer::start(login_after(format!("220 {}\r\n", "A".repeat(2000))));
    mail.clear(peer.addr()).gives(State::Ok, &["logged in"]);
    let check = mail.clear(peer.addr()).args(["--max-reply", "1k"]);
    check.gives(State::Critical, &["protocol violation", "longer than 1024 bytes"]);
}

// STARTTLS

/// A run that wants STARTTLS and is refused TLS; nothing secret may have been sent.
fn starttls_run(after_ehlo: Script, words: &[&str]) -> Run {
    let mail = Mail::new();
    let peer = Peer::start(Script::new().banner().ehlo(&["STARTTLS", "AUTH PLAIN LOGIN"]).then(after_ehlo));
    let run = mail.starttls(peer.addr()).gives(State::Critical, words);
    peer.assert_followed();
    assert!(!peer.received_text(0).contains("AUTH"), "{}", peer.received_text(0));
    run
}

#[test]
fn critical_starttls_not_offered() {
    let mail = Mail::new();
    let peer = Peer::start(Script::new().banner().ehlo(&["SIZE 1000", "AUTH PLAIN LOGIN"]).quit());
    let run = mail.starttls(peer.addr()).gives(State::Critical, &["STARTTLS is required and not offered"]);
    run.long("--tls implicit");
    peer.assert_followed();
    assert!(!peer.received_text(0).contains("AUTH"));
}

#[test]
fn critical_starttls_masked_by_a_middlebox() {
    let mail = Mail::new();
    for token in ["XXXXXXXA", "XXXXXXXX"] {
        let peer = Peer::start(Script::new().banner().ehlo(&["PIPELINING", token, "AUTH PLAIN"]).quit());
        let words = ["STARTTLS filtered by a middlebox", token];
        mail.starttls(peer.addr()).gives(State::Critical, &words).long("fixup");
        peer.assert_followed();
    }
}

#[test]
fn critical_starttls_refused() {
    let refused =
        |reply: &str| Script::new().expect("STARTTLS").send(reply).mark().read().send("221 bye\r\n").again();
    let reply = "454 4.7.0 TLS not available due to local problem\r\n";
    starttls_run(refused(reply), &["temporary: STARTTLS refused: \"454 4.7.0 TLS not available"]);
    starttls_run(refused("502 5.5.1 no\r\n"), &["STARTTLS offered but refused: \"502 5.5.1 no\""]);
    starttls_run(refused("501 no\r\n"), &["STARTTLS offered but refused: \"501 no\""]);
    starttls_run(refused("250 ok\r\n"), &["STARTTLS", "\"250 ok\""]);
    starttls_run(refused("hello\r\n"), &["protocol violation while negotiating TLS: not an SMTP reply"]);

    let mail = Mail::new();
    let peer = Peer::start(Script::new().banner().ehlo(&["STARTTLS"]).then(refused(reply)));
    mail.starttls(peer.addr()).args(["--temporary-state", "warning"]).gives(State::Warning, &["temporary"]);
}

#[test]
fn critical_plaintext_injected_after_starttls() {
    let evil = "250-evil\r\n250 AUTH PLAIN\r\n";
    let greeting = "220 2.0.0 Ready\r\n";
    for after in [
        Script::new().expect("STARTTLS").send(format!("{greeting}{evil}")),
        Script::new().expect("STARTTLS").send(greeting).sleep(Duration::from_millis(50)).send(evil),
        // What is injected and what the server itself answers, in one segment.
        Script::new().expect("STARTTLS").send(greeting).read_some().send(format!("{evil}\x16\x03\x03\0\x10")),
    ] {
        let run = starttls_run(after.clone().hold(), &["plaintext injection", "\"250-evil\""]);
        assert!(run.parsed.value("time_tls").is_none(), "{after:?}");
        run.long("no password was sent");
    }
}

#[test]
fn critical_plaintext_injected_before_a_real_handshake() {
    let mail = Mail::new();
    let script = Script::new().banner().ehlo(&["STARTTLS"]).expect("STARTTLS");
    let script = script.send("220 Ready\r\n250 AUTH PLAIN\r\n").tls(&mail.tls).ehlo(&["AUTH PLAIN"]);
    let peer = Peer::start(script);
    mail.starttls(peer.addr()).gives(State::Critical, &["plaintext injection", "\"250 AUTH PLAIN\""]);
    assert!(!peer.received_text(0).contains("AUTH"));
}

#[test]
fn critical_garbage_instead_of_server_hello() {
    let answer =
        |bytes: &[u8]| Script::new().expect("STARTTLS").send("220 Go\r\n").read_some().send(bytes).hold();
    for bytes in [&b"\xde\xad\xbe\xef\0\x01\x02\x03\x04\x05\x06\x07"[..], &[0xff; 300], &[0; 300]] {
        starttls_run(answer(bytes), &["TLS handshake failed: the server's answer is not TLS"]);
    }
    starttls_run(answer(b"what do you want?\r\n"), &["TLS handshake failed", "\"what do you want?\""]);
    starttls_run(answer(b"HTTP/1.1 400 Bad\r\n"), &["TLS handshake failed", "\"HTTP/1.1 400 Bad\""]);
    starttls_run(answer(b"\x15\x03\x03\0\x02\x02\x28"), &["TLS handshake failed", "alert handshake_failure"]);
    starttls_run(answer(b"\x15\x03\x03\0\x02\x02\x46"), &["TLS handshake failed", "alert protocol_version"]);
    // A record that is begun and never ended.
    let started =
        Script::new().expect("STARTTLS").send("220 Go\r\n").read_some().send(b"\x16\x03\x03\x40\0abc");
    starttls_run(started.hold(), &["timeout after 1 s while negotiating TLS"]);
}

#[test]
fn critical_endless_garbage_in_the_handshake() {
    for bytes in [&b"\x16\x03\x03\0\x04\x0b\0\0\0"[..], b"\x14\x03\x03\0\x01\x01", b"A"] {
        let script = Script::new().expect("STARTTLS").send("220 Go\r\n").read_some().repeat_forever(bytes);
        starttls_run(script, &["TLS handshake failed"]);
    }
}

// After TLS everything is asked again

#[test]
fn mechanisms_after_tls_count() {
    let mail = Mail::new();
    let before = Script::new().banner().ehlo(&["STARTTLS", "AUTH CRAM-MD5 DIGEST-MD5 NTLM"]);
    let script =
        before.starttls(&mail.tls).ehlo(&["AUTH LOGIN PLAIN"]).expect("AUTH PLAIN").send("235 ok\r\n").quit();
    let peer = Peer::start(script);
    let run = mail.starttls(peer.addr()).gives(State::Ok, &["by PLAIN over TLSv1.3"]);
    assert_eq!(run.parsed.value("mechs"), Some(2.0));
    peer.assert_followed();
    assert_eq!(peer.received_text(0).matches("EHLO [127.0.0.1]\r\n").count(), 2);
}

#[test]
fn critical_auth_offered_only_before_tls() {
    let mail = Mail::new();
    let before = Script::new().banner().ehlo(&["STARTTLS", "AUTH PLAIN"]);
    let peer = Peer::start(before.starttls(&mail.tls).ehlo(&["SIZE 1000"]).quit());
    let run = mail.starttls(peer.addr()).gives(State::Critical, &["AUTH is not offered"]);
    assert_eq!(run.parsed.value("mechs"), Some(0.0));
    peer.assert_followed();
}

#[test]
fn critical_second_ehlo_refused() {
    let mail = Mail::new();
    let script =
        Script::new().banner().ehlo(&["STARTTLS"]).starttls(&mail.tls).expect("EHLO").send("502 no\r\n");
    let peer = Peer::start(script.quit());
    mail.starttls(peer.addr()).gives(State::Critical, &["EHLO refused", "\"502 no\""]);
    peer.assert_followed();
}

#[test]
fn critical_floods_inside_tls_are_bounded_too() {
    let mail = Mail::new();
    let script = Script::new().banner().ehlo(&["STARTTLS"]).starttls(&mail.tls).expect("EHLO");
    let peer = Peer::start(script.repeat_forever("250-x\r\n"));
    mail.starttls(peer.addr()).gives(State::Critical, &["reply has more than 512 lines"]);
}

// Who we say we are

#[test]
fn helo_is_our_address_or_what_was_asked() {
    let mail = Mail::new();
    for (given, sent) in [
        (None, "EHLO [127.0.0.1]\r\n"),
        (Some("probe.lab.test"), "EHLO probe.lab.test\r\n"),
        (Some("[192.0.2.7]"), "EHLO [192.0.2.7]\r\n"),
        (Some("[IPv6:2001:db8::1]"), "EHLO [IPv6:2001:db8::1]\r\n"),
    ] {
        let peer = Peer::start(clear_to_auth("AUTH PLAIN").expect("AUTH PLAIN").send("235 ok\r\n").quit());
        let mut check = mail.clear(peer.addr());
        if let Some(name) = given {
            check = check.args(["--helo", name]);
        }
        check.gives(State::Ok, &["logged in"]);
        assert!(peer.received_text(0).starts_with(sent), "{}", peer.received_text(0));
        peer.assert_followed();
    }
}

#[test]
fn helo_over_ipv6_is_an_ipv6_literal() {
    if !lab::process::has_ipv6() {
        eprintln!("LEFT OUT: no IPv6 loopback");
        return;
    }
    let mail = Mail::new();
    let script = clear_to_auth("AUTH PLAIN").expect("AUTH PLAIN").send("235 ok\r\n").quit();
    let peer = Peer::start_on("[::1]:0".parse().unwrap(), script);
    mail.clear(peer.addr()).gives(State::Ok, &["logged in to [::1]:"]);
    assert!(peer.received_text(0).starts_with("EHLO [IPv6:::1]\r\n"), "{}", peer.received_text(0));
}

#[test]
fn only_the_commands_of_a_login_are_sent() {
    let mail = Mail::new();
    let peer = Peer::start(mail.script_to_auth("AUTH LOGIN").expect("AUTH LOGIN").send("535 no\r\n").quit());
    mail.starttls(peer.addr()).gives(State::Critical, &["rejected"]);
    peer.assert_followed();
    assert_eq!(
        peer.received_text(0).replace("[TLS]\r\n", ""),
        "EHLO [127.0.0.1]\r\nSTARTTLS\r\nEHLO [127.0.0.1]\r\nAUTH LOGIN\r\nQUIT\r\n"
    );
}

#[test]
fn transcript_grows_with_verbosity() {
    let mail = Mail::new();
    let script = mail.script_to_auth("AUTH PLAIN").expect("AUTH PLAIN").send("235 2.7.0 fine\r\n").quit();
    let peer = Peer::start(script);
    let lines = |flag: Option<&str>| {
        let check = mail.starttls(peer.addr());
        let check = if let Some(flag) = flag { check.arg(flag) } else { check };
        let run = check.gives(State::Ok, &["logged in"]);
        run.silent_about(PASSWORD);
        run.parsed.long
    };
    assert!(lines(None).is_empty());
    let (one, two, three) = (lines(Some("-v")), lines(Some("-vv")), lines(Some("-vvv")));
    for (lines, wanted) in [
        (&one, "banner: \"220 mail.lab.test ESMTP\""),
        (&one, "TLS: TLSv1.3 "),
        (&one, "mechanisms: \"PLAIN\""),
        (&one, "CN=mail.lab.test"),
        (&two, "EHLO before TLS: STARTTLS"),
        (&three, "> STARTTLS"),
        (&three, "> AUTH PLAIN ****"),
        (&three, "< 235 2.7.0 fine"),
        (&three, "> QUIT"),
    ] {
        assert!(lines.iter().any(|line| line.contains(wanted)), "no {wanted:?} in {lines:#?}");
    }
    assert!(one.len() < two.len() && two.len() < three.len());
}
