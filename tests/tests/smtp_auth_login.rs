//! check_smtp_auth at AUTH: reply codes, mechanisms, challenges, and what is sent.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lab::output::State;
use lab::peer::{Peer, Script};
use lab::smtpd::{BeforeTls, Mechanism, Submission, SubmissionOptions, TlsMode, cram_digest};
use tests::mail::{Mail, PASSWORD, USER, clear_to_auth, encode, plain_blob};
use tests::{Check, Run};

/// A login in the clear that plays the script and QUITs.
fn clear_run(script: Script, arguments: &[&str], state: State, words: &[&str]) -> (Run, String) {
    let mail = Mail::new();
    let peer = Peer::start(script);
    let run = mail.clear(peer.addr()).args(arguments).gives(state, words);
    run.silent_about(PASSWORD).silent_about(&encode(PASSWORD)).silent_about(&plain_blob("", USER, PASSWORD));
    peer.assert_followed();
    let sent = peer.received_text(0);
    (run, sent)
}

fn plain_answered(reply: &str) -> Script {
    clear_to_auth("AUTH PLAIN").expect("AUTH PLAIN ").send(format!("{reply}\r\n"))
}

// Reply codes

#[test]
fn critical_each_code_in_its_own_words() {
    for (reply, words, hint) in [
        ("535 5.7.8 bad credentials", "credentials of probe rejected by 127.0.0.1:", ""),
        (
            "534 5.7.9 Application-specific password required",
            "login of probe refused",
            "application password",
        ),
        ("504 5.5.4 no such thing", "mechanism refused: AUTH PLAIN", ""),
        ("538 5.7.11 encryption needed", "mechanism refused: AUTH PLAIN", ""),
        ("530 5.7.0 Must issue a STARTTLS command first", "server wants TLS first", "--tls starttls"),
        ("432 4.7.12 transition", "temporary: password transition needed", "PLAIN"),
        ("454 4.7.0 back-end away", "temporary: authentication failed for now", "not from the password"),
        ("451 4.3.0 later", "temporary: AUTH PLAIN refused", ""),
        ("450 4.3.0 later", "temporary: AUTH PLAIN refused", ""),
        ("500 5.5.2 what", "AUTH PLAIN failed with 500", ""),
        ("501 5.5.4 syntax", "AUTH PLAIN failed with 501", ""),
        ("503 5.5.1 sequence", "AUTH PLAIN failed with 503", ""),
        ("550 5.7.1 not you", "AUTH PLAIN failed with 550", ""),
        ("554 5.7.1 policy", "AUTH PLAIN failed with 554", ""),
        ("250 2.0.0 ok", "protocol violation: AUTH PLAIN answered", ""),
        ("220 ready", "protocol violation: AUTH PLAIN answered", ""),
        ("354 go on", "protocol violation: AUTH PLAIN answered", ""),
    ] {
        let quoted = format!("\"{reply}\"");
        let (run, _) = clear_run(plain_answered(reply).quit(), &[], State::Critical, &[words, &quoted]);
        if !hint.is_empty() {
            run.long(hint);
        }
        assert!(run.parsed.value("time_auth").is_some(), "{}", run.outcome.report());
    }
}

#[test]
fn critical_421_at_auth_is_not_followed_by_quit() {
    let (_, sent) = clear_run(
        plain_answered("421 4.3.2 closing"),
        &[],
        State::Critical,
        &["temporary: server closes during AUTH", "\"421 4.3.2 closing\""],
    );
    assert!(!sent.contains("QUIT"), "{sent}");
}

#[test]
fn warning_temporary_codes_with_temporary_state() {
    for code in ["421", "432", "450", "451", "454", "471"] {
        let option = ["--temporary-state", "warning"];
        let script = plain_answered(&format!("{code} later"));
        let script = if code == "421" { script } else { script.quit() };
        clear_run(script, &option, State::Warning, &["temporary: ", code]);
    }
    for code in ["500", "530", "534", "535", "538", "550", "250"] {
        let option = ["--temporary-state", "warning"];
        clear_run(plain_answered(&format!("{code} no")).quit(), &option, State::Critical, &[code]);
    }
}

#[test]
fn critical_words_of_the_server_are_cut_and_cleaned() {
    let reply = format!("535-5.7.8 a | b\tc\x1b[2J\r\n535 5.7.8 {}", "x".repeat(3000));
    let (run, _) = clear_run(plain_answered(&reply).quit(), &[], State::Critical, &[r"a / b c\x1b[2J"]);
    let quoted = run.parsed.summary.split('"').nth(1).unwrap();
    assert!(quoted.chars().count() <= 128 + 3 + 16, "{}", quoted.len());
    assert!(run.parsed.summary.len() < 400);
}

// Mechanisms

#[test]
fn ok_each_mechanism() {
    for name in ["PLAIN", "LOGIN", "CRAM-MD5", "plain", "cram-md5"] {
        let options = SubmissionOptions {
            users: [(USER.to_owned(), PASSWORD.to_owned())].into(),
            ..SubmissionOptions::default()
        };
        let server = Submission::start(options);
        let mail = Mail::new();
        let check = mail.with_login(server.addr()).arg("--ca-file").arg(server.ca_file()).timeout(2.0);
        let words = format!("by {} over TLSv1.3", name.to_uppercase());
        let run = check.args(["--mech", name]).gives(State::Ok, &["probe logged in to 127.0.0.1:", &words]);
        assert_eq!(run.parsed.value("mechs"), Some(3.0));
        let days = run.parsed.perf("cert_days").unwrap();
        assert_eq!(
            (days.value, days.warn.as_deref(), days.crit.as_deref()),
            (Some(90.0), Some("21:"), Some("7:"))
        );
        assert!(run.parsed.long.is_empty(), "a good result needs one line\n{}", run.outcome.report());
    }
}

#[test]
fn ok_auto_prefers_what_fits_the_connection() {
    for (offered, tls, wanted) in [
        (vec![Mechanism::CramMd5, Mechanism::Login, Mechanism::Plain], TlsMode::Implicit, "by PLAIN over"),
        (vec![Mechanism::CramMd5, Mechanism::Login], TlsMode::StartTls, "by LOGIN over"),
        (vec![Mechanism::CramMd5], TlsMode::StartTls, "by CRAM-MD5 over"),
        (vec![Mechanism::Plain, Mechanism::CramMd5], TlsMode::None, "by CRAM-MD5 without TLS"),
    ] {
        let options = SubmissionOptions {
            users: [(USER.to_owned(), PASSWORD.to_owned())].into(),
            mechanisms: offered,
            tls,
            ..SubmissionOptions::default()
        };
        let server = Submission::start(options);
        let mail = Mail::new();
        let check = mail.with_login(server.addr()).timeout(2.0);
        let check = match tls {
            TlsMode::None => check.args(["--tls", "none"]),
            TlsMode::Implicit => check.args(["--tls", "implicit", "--ca-file"]).arg(server.ca_file()),
            TlsMode::StartTls => check.arg("--ca-file").arg(server.ca_file()),
        };
        check.gives(State::Ok, &[wanted]);
    }
}

fn refused_by(server: &Submission, mail: &Mail) -> Check {
    mail.with_login(server.addr()).arg("--ca-file").arg(server.ca_file()).timeout(2.0)
}

#[test]
fn critical_wrong_password_or_user_by_each_mechanism() {
    // The embedded server knows another password.
    let server = Submission::start(SubmissionOptions::default());
    let mail = Mail::new();
    for name in ["PLAIN", "LOGIN", "CRAM-MD5"] {
        let check = refused_by(&server, &mail).args(["--mech", name]);
        let words = ["credentials of probe rejected by 127.0.0.1:", "\"535 5.7.8 "];
        check.gives(State::Critical, &words).silent_about(PASSWORD);
    }
}

#[test]
fn critical_backend_down_is_temporary() {
    let server = Submission::start(SubmissionOptions { backend_down: true, ..SubmissionOptions::default() });
    let mail = Mail::new();
    let words = ["temporary: authentication failed for now", "454 4.7.0"];
    refused_by(&server, &mail).gives(State::Critical, &words);
    refused_by(&server, &mail).args(["--temporary-state", "unknown"]).gives(State::Unknown, &words);
}

#[test]
fn critical_tls_wanted_first_by_530_and_538() {
    for (before_tls, words) in
        [(BeforeTls::Refuse530, "AUTH is not offered"), (BeforeTls::Refuse538, "AUTH is not offered")]
    {
        let server = Submission::start(SubmissionOptions { before_tls, ..SubmissionOptions::default() });
        let mail = Mail::new();
        let run = mail.clear(server.addr()).gives(State::Critical, &[words]);
        run.long("--tls starttls");
    }
}

#[test]
fn critical_auth_not_offered() {
    let script = Script::new().banner().ehlo(&["PIPELINING", "SIZE 1000"]).quit();
    let (run, sent) = clear_run(script, &[], State::Critical, &["AUTH is not offered"]);
    run.long("is this the submission port");
    assert_eq!(run.parsed.value("mechs"), Some(0.0));
    assert!(!sent.contains("AUTH"));
    // A keyword without any mechanism is no offer either.
    clear_run(clear_to_auth("AUTH").quit(), &[], State::Critical, &["AUTH is not offered"]);
    clear_run(clear_to_auth("AUTH   ").quit(), &[], State::Critical, &["AUTH is not offered"]);
    clear_run(clear_to_auth("XAUTH PLAIN").quit(), &[], State::Critical, &["AUTH is not offered"]);
}

#[test]
fn critical_only_unknown_mechanisms() {
    let script = clear_to_auth("AUTH GSSAPI NTLM SCRAM-SHA-512").quit();
    let words = ["mechanism refused", "GSSAPI NTLM SCRAM-SHA-512"];
    let (run, _) = clear_run(script, &[], State::Critical, &words);
    assert_eq!(run.parsed.value("mechs"), Some(3.0));
}

#[test]
fn critical_wanted_mechanism_not_offered() {
    for (offer, wanted) in [("AUTH LOGIN", "PLAIN"), ("AUTH PLAIN", "CRAM-MD5"), ("AUTH PLAINX", "PLAIN")] {
        let words = [&format!("{wanted} is not offered")[..], offer.strip_prefix("AUTH ").unwrap()];
        let (_, sent) = clear_run(clear_to_auth(offer).quit(), &["--mech", wanted], State::Critical, &words);
        assert!(!sent.contains("AUTH"));
    }
}

#[test]
fn warning_only_the_obsolete_auth_form() {
    let script = clear_to_auth("AUTH=PLAIN LOGIN").expect("AUTH PLAIN ").send("235 ok\r\n").quit();
    let (run, _) = clear_run(script, &[], State::Warning, &["AUTH="]);
    run.long("logged in");
    assert_eq!(run.parsed.value("mechs"), Some(2.0));
    // Beside the proper form it is merged and fine.
    let script = Script::new().banner().ehlo(&["AUTH LOGIN", "AUTH=PLAIN LOGIN"]).expect("AUTH PLAIN ");
    let (run, _) = clear_run(script.send("235 ok\r\n").quit(), &[], State::Ok, &["by PLAIN"]);
    assert_eq!(run.parsed.value("mechs"), Some(2.0));
}

#[test]
fn ok_keywords_in_any_case_and_with_odd_blanks() {
    for offer in ["auth plain", "Auth  Login   Plain "] {
        let script = clear_to_auth(offer).expect("AUTH PLAIN ").send("235 ok\r\n").quit();
        clear_run(script, &[], State::Ok, &["by PLAIN"]);
    }
}

#[test]
fn unknown_no_usable_mechanism_without_tls() {
    let mail = Mail::new();
    let peer = Peer::start(clear_to_auth("AUTH PLAIN LOGIN").quit());
    let check = mail.with_login(peer.addr()).args(["--tls", "none"]).timeout(1.0);
    check.gives(State::Unknown, &["no usable mechanism", "PLAIN LOGIN"]).long("--allow-plaintext");
    peer.assert_followed();
    assert_eq!(peer.received_text(0), "EHLO [127.0.0.1]\r\nQUIT\r\n");
}

#[test]
fn ok_password_in_clear_is_noted() {
    let script = clear_to_auth("AUTH PLAIN").expect("AUTH PLAIN ").send("235 ok\r\n").quit();
    let (run, _) = clear_run(script, &[], State::Ok, &["without TLS"]);
    run.long("note: the password went over the network in the clear");
}

// What is sent

#[test]
fn plain_is_sent_inline_when_short() {
    let script = clear_to_auth("AUTH PLAIN").expect("AUTH PLAIN ").send("235 ok\r\n").quit();
    let (_, sent) = clear_run(script, &[], State::Ok, &[]);
    let wanted = format!("EHLO [127.0.0.1]\r\nAUTH PLAIN {}\r\nQUIT\r\n", plain_blob("", USER, PASSWORD));
    assert_eq!(sent, wanted);
}

#[test]
fn plain_waits_for_334_when_long() {
    let mail = Mail::new();
    for (length, inline) in [(350, true), (380, false), (700, false), (5000, false)] {
        let password = "p".repeat(length);
        let file = mail.file("long", &password, 0o600);
        let blob = plain_blob("", USER, &password);
        assert_eq!(inline, "AUTH PLAIN \r\n".len() + blob.len() <= 512, "the test's own arithmetic");
        let offered = clear_to_auth("AUTH PLAIN");
        let script = if inline {
            offered.expect(&format!("AUTH PLAIN {blob}\r\n"))
        } else {
            offered.expect("AUTH PLAIN\r\n").send("334 \r\n").expect(&format!("{blob}\r\n"))
        };
        let peer = Peer::start(script.send("235 ok\r\n").quit());
        let check = Mail::bare(peer.addr()).args(["--tls", "none", "--allow-plaintext", "-u", USER]);
        let check = check.arg("--password-file").arg(&file).timeout(2.0);
        check.clone().arg("-vvv").gives(State::Ok, &["logged in"]).silent_about(&blob[20..60]);
        peer.assert_followed();
    }
}

#[test]
fn plain_waits_for_334_without_text_as_well() {
    let mail = Mail::new();
    let file = mail.file("long", "p".repeat(600), 0o600);
    let peer = Peer::start(
        clear_to_auth("AUTH PLAIN").expect("AUTH PLAIN\r\n").send("334\r\n").read().send("235 ok\r\n").quit(),
    );
    let check =
        Mail::bare(peer.addr()).args(["--tls", "none", "--allow-plaintext", "-u", USER, "--password-file"]);
    check.arg(&file).timeout(2.0).gives(State::Ok, &["logged in"]);
}

#[test]
fn login_is_never_sent_inline() {
    for prompts in [
        ["334 VXNlcm5hbWU6\r\n", "334 UGFzc3dvcmQ6\r\n"],
        ["334 \r\n", "334 \r\n"],
        ["334 dXNlcg==\r\n", "334\r\n"],
    ] {
        let script = clear_to_auth("AUTH LOGIN")
            .expect("AUTH LOGIN\r\n")
            .send(prompts[0])
            .expect(&format!("{}\r\n", encode(USER)))
            .send(prompts[1])
            .expect(&format!("{}\r\n", encode(PASSWORD)))
            .send("235 ok\r\n")
            .quit();
        clear_run(script, &["-vvv"], State::Ok, &["by LOGIN"]);
    }
}

#[test]
fn cram_md5_digest_is_right() {
    let challenge = "<1896.697170952@mail.lab.test>";
    let right = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&right);
    let script = clear_to_auth("AUTH CRAM-MD5")
        .expect("AUTH CRAM-MD5\r\n")
        .send(format!("334 {}\r\n", encode(challenge)))
        .reply(move |line| {
            let wanted = encode(&format!("{USER} {}", cram_digest(PASSWORD, challenge)));
            seen.store(line == format!("{wanted}\r\n").as_bytes(), Ordering::SeqCst);
            b"235 ok\r\n".to_vec()
        })
        .quit();
    let mail = Mail::new();
    let peer = Peer::start(script);
    let run = mail.with_login(peer.addr()).args(["--tls", "none", "-vvv"]).timeout(1.0);
    let run = run.gives(State::Ok, &["by CRAM-MD5 without TLS"]);
    assert!(right.load(Ordering::SeqCst), "{}", peer.received_text(0));
    run.silent_about(&cram_digest(PASSWORD, challenge));
    assert!(run.parsed.long.iter().all(|line| !line.contains("in the clear")), "no password was sent");
    peer.assert_followed();
}

#[test]
fn authzid_goes_into_plain() {
    let blob = plain_blob("boss", USER, PASSWORD);
    let script =
        clear_to_auth("AUTH PLAIN LOGIN").expect(&format!("AUTH PLAIN {blob}\r\n")).send("235 ok\r\n");
    clear_run(script.quit(), &["--authzid", "boss", "-vvv"], State::Ok, &["by PLAIN"]).0.silent_about(&blob);
}

#[test]
fn user_and_password_may_be_any_text() {
    let mail = Mail::new();
    for (user, password) in
        [("größe@lab.test", "pässwörd"), ("a b|c=d'e", " leading and trailing "), ("%s%n", "\u{7f}\x1b")]
    {
        let file = mail.file("odd", format!("{password}\r\nsecond"), 0o600);
        let blob = plain_blob("", user, password);
        let peer = Peer::start(
            clear_to_auth("AUTH PLAIN").expect(&format!("AUTH PLAIN {blob}\r\n")).send("535 no\r\n").quit(),
        );
        let check = Mail::bare(peer.addr()).args([
            "--tls",
            "none",
            "--allow-plaintext",
            "-u",
            user,
            "--password-file",
        ]);
        check.arg(&file).timeout(1.0).gives(State::Critical, &["credentials of ", "rejected"]);
        peer.assert_followed();
    }
}

// Broken exchanges

#[test]
fn critical_challenge_is_not_base64() {
    for challenge in ["!!!", "Username:", "VXNlcm5hbWU", "VXNl cm5h", "\x1b[31m", "=", "\u{e9}"] {
        let script = clear_to_auth("AUTH LOGIN").expect("AUTH LOGIN").send(format!("334 {challenge}\r\n"));
        let script = script.expect("*\r\n").send("501 5.0.0 cancelled\r\n").quit();
        let words = ["protocol violation in AUTH LOGIN: challenge is not base64", "\"334 "];
        clear_run(script, &[], State::Critical, &words);
    }
}

#[test]
fn critical_empty_cram_md5_challenge() {
    for challenge in ["334 \r\n", "334\r\n"] {
        let script = clear_to_auth("AUTH CRAM-MD5").expect("AUTH CRAM-MD5").send(challenge);
        let words = ["protocol violation in AUTH CRAM-MD5: challenge is empty"];
        let (_, sent) = clear_run(script.expect("*").send("501 ok\r\n").quit(), &[], State::Critical, &words);
        assert!(!sent.contains(&encode(USER)[..6]), "no digest of nothing is sent");
    }
}

#[test]
fn critical_more_challenges_than_there_are_answers() {
    let login =
        clear_to_auth("AUTH LOGIN").expect("AUTH LOGIN").mark().send("334 bW9yZQ==\r\n").read().again();
    let words = ["protocol violation in AUTH LOGIN: server asks for more"];
    clear_run(login, &[], State::Critical, &words);
    let plain =
        clear_to_auth("AUTH PLAIN").expect("AUTH PLAIN ").send("334 \r\n").expect("*").send("501 ok\r\n");
    clear_run(
        plain.quit(),
        &[],
        State::Critical,
        &["protocol violation in AUTH PLAIN: server asks for more"],
    );
    let cram = clear_to_auth("AUTH CRAM-MD5").expect("AUTH CRAM-MD5").send("334 PHg+\r\n").read();
    let cram = cram.send("334 PHg+\r\n").expect("*").send("501 ok\r\n").quit();
    clear_run(cram, &[], State::Critical, &["protocol violation in AUTH CRAM-MD5: server asks for more"]);
}

#[test]
fn critical_cancel_is_not_answered() {
    let mail = Mail::new();
    for script in [
        clear_to_auth("AUTH LOGIN").expect("AUTH LOGIN").send("334 !!!\r\n").expect("*").hold(),
        clear_to_auth("AUTH LOGIN").expect("AUTH LOGIN").send("334 !!!\r\n").expect("*").close(),
        clear_to_auth("AUTH LOGIN").expect("AUTH LOGIN").send("334 !!!\r\n").expect("*").reset(),
    ] {
        let peer = Peer::start(script);
        let check = mail.clear(peer.addr()).timeout(0.5);
        check.gives(State::Critical, &["protocol violation in AUTH LOGIN: challenge is not base64"]);
    }
}

#[test]
fn critical_235_before_the_password_was_asked_for() {
    let offered = |name: &str| clear_to_auth(&format!("AUTH {name}")).expect(&format!("AUTH {name}\r\n"));
    for script in [
        offered("LOGIN").send("235 2.7.0 welcome\r\n").quit(),
        offered("LOGIN").send("334 VXNlcm5hbWU6\r\n").read().send("235 2.7.0 welcome\r\n").quit(),
        offered("CRAM-MD5").send("235 2.7.0 welcome\r\n").quit(),
    ] {
        let words = ["protocol violation in AUTH ", "\"235 2.7.0 welcome\""];
        let (_, sent) = clear_run(script, &[], State::Critical, &words);
        assert!(!sent.contains(&encode(PASSWORD)));
    }
}

#[test]
fn critical_mixed_codes_and_garbage_at_auth() {
    let answered = |reply: &str| clear_to_auth("AUTH PLAIN").expect("AUTH PLAIN").send(reply);
    for (reply, words) in [
        ("235-ok\r\n535 no\r\n", "reply mixes the codes 235 and 535"),
        ("334-x\r\n235 ok\r\n", "reply mixes the codes 334 and 235"),
        ("welcome\r\n", "not an SMTP reply: \"welcome\""),
        ("\0\0\0\0\r\n", "not an SMTP reply"),
    ] {
        let words = ["protocol violation while authenticating: ", words];
        clear_run(answered(reply), &[], State::Critical, &words);
    }
}

#[test]
fn time_thresholds_judge_a_slow_login() {
    let slow = || {
        clear_to_auth("AUTH PLAIN")
            .expect("AUTH PLAIN")
            .sleep(std::time::Duration::from_millis(250))
            .send("235 ok\r\n")
            .quit()
    };
    let (run, _) =
        clear_run(slow(), &["-w", "0.2", "-c", "5"], State::Warning, &["time is ", "above warning 0.2"]);
    let time = run.parsed.perf("time").unwrap();
    assert_eq!((time.warn.as_deref(), time.crit.as_deref()), (Some("0.2"), Some("5")));
    assert!(run.parsed.value("time_auth").unwrap() >= 0.25);
    run.long("logged in");
    clear_run(slow(), &["-w", "100ms", "-c", "200ms"], State::Critical, &["above critical 0.2"]);
    clear_run(slow(), &["-w", "5", "-c", "10"], State::Ok, &["logged in"]);
}
