//! check_smtp_auth against a real Postfix with a real Dovecot behind it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

use std::time::Duration;

use lab::dovecot::DovecotOptions;
use lab::output::{Parsed, State};
use lab::plugin::{Outcome, Plugin};
use lab::postfix::{Listener, Postfix, PostfixOptions};
use lab::process::{has_ipv6, left_out_without_root};

/// A Postfix, unless this is a run without root, which says so.
fn postfix() -> Option<Postfix> {
    started(&PostfixOptions::default())
}

fn started(options: &PostfixOptions) -> Option<Postfix> {
    if left_out_without_root("a real Postfix") { None } else { Some(Postfix::start(options)) }
}

fn check(postfix: &Postfix, listener: Listener, more: &[&str]) -> Plugin {
    Plugin::new("check_smtp_auth")
        .args(["-H", "127.0.0.1", "-p", &postfix.port(listener).to_string(), "-u", "probe"])
        .args(["--ca-file", &postfix.ca_file().to_string_lossy(), "--password-env", "PW"])
        .args(more)
        .env("PW", "secret")
}

fn run(postfix: &Postfix, listener: Listener, more: &[&str]) -> (Outcome, Parsed) {
    let outcome = check(postfix, listener, more).run();
    outcome.assert_quiet_stderr();
    let parsed = outcome.parsed();
    (outcome, parsed)
}

#[test]
fn ok_by_every_way_and_mechanism() {
    let Some(postfix) = postfix() else { return };
    for mechanism in ["auto", "plain", "login", "cram-md5"] {
        for (listener, more, encrypted) in [
            (Listener::Submission, &[][..], true),
            (Listener::Implicit, &["--tls", "implicit"], true),
            (Listener::Optional, &[], true),
            (Listener::Plaintext, &["--tls", "none", "--allow-plaintext"], false),
        ] {
            let arguments = [more, &["--mech", mechanism, "-vvv"]].concat();
            let (outcome, parsed) = run(&postfix, listener, &arguments);
            assert_eq!(parsed.state, State::Ok, "{listener:?} {mechanism}: {}", outcome.report());
            assert_eq!(parsed.value("mechs"), Some(3.0), "{}", outcome.report());
            assert_eq!(parsed.perf("cert_days").is_some(), encrypted);
            for label in ["time", "time_connect", "time_banner", "time_ehlo", "time_auth"] {
                assert!(
                    parsed.value(label).is_some_and(|seconds| seconds > 0.0),
                    "{label}: {}",
                    outcome.report()
                );
            }
            let expected = match (mechanism, encrypted) {
                ("auto", true) => "PLAIN",
                ("auto", false) => "CRAM-MD5",
                (named, _) => &named.to_uppercase(),
            };
            assert!(parsed.summary.contains(&format!("by {expected} ")), "{}", parsed.summary);
            assert!(!outcome.text().contains("secret") && !outcome.text().contains("c2VjcmV0"));
        }
    }
    if has_ipv6() {
        let port = postfix.port(Listener::Submission).to_string();
        let six = Plugin::new("check_smtp_auth")
            .args(["-H", "::1", "-p", &port, "-u", "probe", "--password-env", "PW"])
            .args(["--ca-file", &postfix.ca_file().to_string_lossy()])
            .env("PW", "secret");
        assert_eq!(six.run().parsed().state, State::Ok);
    }
}

#[test]
fn critical_wrong_password_and_unknown_user() {
    let Some(postfix) = postfix() else { return };
    for mechanism in ["plain", "login", "cram-md5"] {
        let wrong =
            check(&postfix, Listener::Submission, &["--mech", mechanism]).env("PW", "wrong").run().parsed();
        assert_eq!(wrong.state, State::Critical);
        assert!(
            wrong.summary.contains("credentials of probe rejected") && wrong.summary.contains("535 5.7.8")
        );
        assert!(wrong.value("time_auth").is_some(), "the exchange was finished");
    }
    let plugin = Plugin::new("check_smtp_auth")
        .args(["-H", "127.0.0.1", "-p", &postfix.port(Listener::Submission).to_string(), "-u", "nobody"])
        .args(["--ca-file", &postfix.ca_file().to_string_lossy(), "--password-env", "PW"])
        .env("PW", "secret");
    assert!(plugin.run().parsed().summary.contains("credentials of nobody rejected"));
}

#[test]
fn critical_bad_certificates_and_no_login_tried() {
    let Some(postfix) = postfix() else { return };
    for (listener, words) in [
        (Listener::WrongName, "certificate is not for 127.0.0.1 but for other.lab.test"),
        (Listener::Expired, "certificate expired"),
    ] {
        let (outcome, parsed) = run(&postfix, listener, &[]);
        assert_eq!(parsed.state, State::Critical);
        assert!(parsed.summary.starts_with(words), "{}", outcome.report());
        assert!(parsed.value("cert_days").is_some(), "the days are shown all the same");
        assert_eq!(parsed.value("time_auth"), None, "{}", outcome.report());
    }
    assert!(!postfix.log().contains("sasl_username=probe"), "no login reached the server");

    let (outcome, parsed) = run(&postfix, Listener::Expiring, &[]);
    assert_eq!(parsed.state, State::Critical);
    assert!(
        parsed.summary.starts_with("certificate expires in 5 days, critical below 7"),
        "{}",
        outcome.report()
    );
    assert!(parsed.value("time_auth").is_some(), "a certificate that is still good does not stop the login");
    let (_, parsed) = run(&postfix, Listener::Expiring, &["--cert-critical", "3"]);
    assert_eq!(parsed.state, State::Warning);
    let (_, parsed) = run(&postfix, Listener::Expiring, &["--cert-warning", "4"]);
    assert_eq!(parsed.state, State::Ok, "the contradicting default is dropped");
}

#[test]
fn critical_tls_required_in_the_wrong_way() {
    let Some(postfix) = postfix() else { return };
    let (outcome, parsed) = run(&postfix, Listener::Plaintext, &[]);
    assert!(parsed.summary.starts_with("STARTTLS is required and not offered"), "{}", outcome.report());
    let (outcome, parsed) = run(&postfix, Listener::Submission, &["--tls", "none"]);
    assert_eq!(parsed.state, State::Critical);
    assert!(parsed.summary.starts_with("AUTH is not offered"), "{}", outcome.report());
    assert!(outcome.text().contains("hint: the server offers STARTTLS"));
    // TLS from the start against a port that greets first, and the reverse.
    let (outcome, parsed) = run(&postfix, Listener::Submission, &["--tls", "implicit"]);
    assert_eq!(parsed.state, State::Critical);
    assert!(parsed.summary.contains("in plaintext \"220 "), "{}", outcome.report());
    let (outcome, parsed) = run(&postfix, Listener::Implicit, &["-t", "1"]);
    assert_eq!(parsed.state, State::Critical);
    assert!(
        parsed.summary.starts_with("timeout after 1 s while waiting for the banner"),
        "{}",
        outcome.report()
    );
    assert!(outcome.elapsed < Duration::from_millis(1200));
}

#[test]
fn unknown_password_would_be_seen() {
    let Some(postfix) = started(&PostfixOptions {
        sasl: DovecotOptions {
            mechanisms: vec!["plain".into(), "login".into()],
            ..DovecotOptions::default()
        },
        ..PostfixOptions::default()
    }) else {
        return;
    };
    let (outcome, parsed) = run(&postfix, Listener::Plaintext, &["--tls", "none"]);
    assert_eq!(parsed.state, State::Unknown, "{}", outcome.report());
    assert!(parsed.summary.starts_with("no usable mechanism"), "{}", parsed.summary);
    assert!(outcome.text().contains("--allow-plaintext"));
    let (outcome, parsed) = run(&postfix, Listener::Submission, &["--mech", "cram-md5"]);
    assert_eq!(parsed.state, State::Critical);
    assert!(parsed.summary.contains("mechanism refused: CRAM-MD5 is not offered"), "{}", outcome.report());
}

#[test]
fn critical_sasl_back_end_stopped() {
    let Some(mut postfix) = postfix() else { return };
    assert_eq!(run(&postfix, Listener::Submission, &[]).1.state, State::Ok);
    postfix.stop_sasl();
    // The daemon that still lives answers 454; the next one dies at once, so the port
    // opens and nobody greets, or the session ends after TLS. None of it is good news.
    let mut seen = Vec::new();
    for _ in 0..6 {
        for listener in [Listener::Submission, Listener::Plaintext] {
            let way: &[&str] = match listener {
                Listener::Plaintext => &["--tls", "none", "--allow-plaintext", "-t", "1.5"],
                _ => &["-t", "1.5"],
            };
            let (outcome, parsed) = run(&postfix, listener, way);
            assert_eq!(parsed.state, State::Critical, "{}", outcome.report());
            assert!(outcome.elapsed < Duration::from_millis(1700), "{}", outcome.report());
            seen.push(parsed.summary);
        }
    }
    assert!(seen.iter().any(|summary| summary.contains("454 4.7.0")), "{seen:#?}");
    assert!(
        seen.iter().any(|summary| {
            summary.starts_with("timeout after 1.5 s while waiting for the banner")
                && summary.contains("accepted the connection in")
        }),
        "{seen:#?}"
    );
    postfix.start_sasl();
    let recovered = (0..40).any(|_| {
        std::thread::sleep(Duration::from_millis(250));
        run(&postfix, Listener::Submission, &["-t", "2"]).1.state == State::Ok
    });
    assert!(recovered, "the login works again");
}

#[test]
fn critical_server_frozen() {
    let Some(postfix) = postfix() else { return };
    postfix.pause();
    let (outcome, parsed) = run(&postfix, Listener::Submission, &["-t", "0.8"]);
    assert_eq!(parsed.state, State::Critical);
    assert!(
        parsed.summary.starts_with("timeout after 0.8 s while waiting for the banner"),
        "{}",
        outcome.report()
    );
    assert!(parsed.value("time_connect").is_some() && parsed.value("time_banner").is_none());
    assert!(outcome.elapsed < Duration::from_millis(950), "{:?}", outcome.elapsed);
    let unknown =
        check(&postfix, Listener::Submission, &["-t", "0.5", "--timeout-state", "unknown"]).run().parsed();
    assert_eq!(unknown.state, State::Unknown);
    postfix.resume();
    assert_eq!(run(&postfix, Listener::Submission, &[]).1.state, State::Ok);
}

#[test]
fn critical_sasl_back_end_frozen() {
    let Some(postfix) = postfix() else { return };
    assert_eq!(run(&postfix, Listener::Submission, &[]).1.state, State::Ok);
    postfix.dovecot().pause();
    let (outcome, parsed) = run(&postfix, Listener::Submission, &["-t", "1"]);
    assert_eq!(parsed.state, State::Critical);
    assert!(parsed.summary.starts_with("timeout after 1 s while"), "{}", outcome.report());
    assert!(parsed.value("cert_days").is_some(), "what was reached is kept: {}", outcome.report());
    postfix.dovecot().resume();
}

#[test]
fn critical_too_many_connections() {
    let limits = [("smtpd_client_connection_rate_limit", "1"), ("smtpd_client_event_limit_exceptions", "")];
    let Some(postfix) = started(&PostfixOptions {
        main_cf: limits.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        ..PostfixOptions::default()
    }) else {
        return;
    };
    // Each start of the lab may already count as a connection.
    let _ = run(&postfix, Listener::Submission, &[]);
    let (outcome, parsed) = run(&postfix, Listener::Submission, &[]);
    assert_eq!(parsed.state, State::Critical);
    assert!(
        parsed.summary.starts_with("temporary: ") && parsed.summary.contains("421 4.7.0"),
        "{}",
        outcome.report()
    );
    let (_, parsed) = run(&postfix, Listener::Submission, &["--temporary-state", "warning"]);
    assert_eq!(parsed.state, State::Warning);
}

#[test]
fn critical_client_certificate_wanted() {
    let required = [("smtpd_tls_req_ccert", "yes"), ("smtpd_tls_CAfile", "$config_directory/../ca.pem")];
    let Some(postfix) = started(&PostfixOptions {
        main_cf: required.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        ..PostfixOptions::default()
    }) else {
        return;
    };
    let (outcome, parsed) = run(&postfix, Listener::Submission, &[]);
    assert_eq!(parsed.state, State::Critical, "{}", outcome.report());
    assert!(parsed.summary.contains("certificate"), "{}", outcome.report());
    let leaf = postfix.authority().leaf(&lab::certs::LeafOptions::client_named("probe"));
    let (certificate, key) = leaf.write(postfix.dir(), "client");
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let (certificate, key) = (certificate.to_string_lossy(), key.to_string_lossy());
    let with = ["--cert-file", &certificate, "--key-file", &key];
    let (outcome, parsed) = run(&postfix, Listener::Submission, &with);
    assert_eq!(parsed.state, State::Ok, "{}", outcome.report());
}
