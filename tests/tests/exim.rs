//! check_smtp_auth against a real Exim, which offers AUTH only after TLS.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

use std::time::Duration;

use lab::exim::{Exim, EximOptions};
use lab::output::State;
use lab::process::{has_ipv6, left_out_without_root};
use tests::Check;

/// An Exim, unless this is a run without root, which says so.
fn started(options: &EximOptions) -> Option<Exim> {
    if left_out_without_root("a real Exim") { None } else { Some(Exim::start(options)) }
}

fn check(exim: &Exim, host: &str, port: u16) -> Check {
    Check::new("check_smtp_auth")
        .args(["-H", host, "-p", &port.to_string(), "-u", "probe", "--password-env", "PW", "--ca-file"])
        .arg(exim.ca_file())
        .env("PW", "secret")
}

fn starttls(exim: &Exim) -> Check {
    check(exim, "127.0.0.1", exim.port())
}

#[test]
fn ok_by_every_mechanism_and_way() {
    let Some(exim) = started(&EximOptions::default()) else { return };
    for (mechanism, used) in
        [("auto", "PLAIN"), ("plain", "PLAIN"), ("login", "LOGIN"), ("cram-md5", "CRAM-MD5")]
    {
        for check in
            [starttls(&exim), check(&exim, "127.0.0.1", exim.implicit_port()).args(["--tls", "implicit"])]
        {
            let run = check
                .args(["--mech", mechanism, "-vvv"])
                .gives(State::Ok, &[&format!("by {used} over TLSv1.3")]);
            assert_eq!(run.parsed.value("mechs"), Some(3.0));
            run.silent_about("c2VjcmV0");
        }
    }
    if has_ipv6() {
        check(&exim, "::1", exim.port()).gives(State::Ok, &["probe logged in to"]);
    }
}

#[test]
fn critical_wrong_password_without_an_enhanced_code() {
    let Some(exim) = started(&EximOptions::default()) else { return };
    for mechanism in ["plain", "login", "cram-md5"] {
        starttls(&exim)
            .args(["--mech", mechanism])
            .env("PW", "wrong")
            .gives(State::Critical, &["credentials of probe rejected", "535 Incorrect authentication data"]);
    }
}

#[test]
fn critical_auth_is_not_offered_before_tls() {
    let Some(exim) = started(&EximOptions::default()) else { return };
    starttls(&exim)
        .args(["--tls", "none", "--allow-plaintext"])
        .gives(State::Critical, &["AUTH is not offered"])
        .long("the server offers STARTTLS and may offer AUTH after it");
}

#[test]
fn ok_in_the_clear_where_exim_allows_it() {
    let Some(exim) = started(&EximOptions { auth_before_tls: true, ..EximOptions::default() }) else {
        return;
    };
    let clear = starttls(&exim).args(["--tls", "none"]);
    clear.gives(State::Ok, &["by CRAM-MD5 without TLS"]);
    clear.args(["--mech", "plain", "--allow-plaintext"]).gives(State::Ok, &["by PLAIN without TLS"]);
}

#[test]
fn critical_mechanism_that_exim_does_not_have() {
    let Some(exim) = started(&EximOptions::default()) else { return };
    starttls(&exim)
        .args(["--mech", "scram-sha-256"])
        .gives(State::Critical, &["SCRAM-SHA-256", "not offered"]);
}

#[test]
fn critical_exim_frozen_and_gone() {
    let Some(mut exim) = started(&EximOptions::default()) else { return };
    exim.pause();
    let run = starttls(&exim)
        .timeout(0.8)
        .gives(State::Critical, &["timeout after 0.8 s while waiting for the banner"]);
    assert!(run.outcome.elapsed >= Duration::from_millis(800));
    exim.resume();
    starttls(&exim).gives(State::Ok, &[]);
    exim.stop();
    starttls(&exim).gives(State::Critical, &["refused"]);
}
