//! check_smtp_auth against Dovecot: behind Postfix, and its own submission service.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

use std::fs::Permissions;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use lab::certs::{Authority, LeafOptions};
use lab::dovecot::DovecotOptions;
use lab::output::State;
use lab::postfix::{Listener, Postfix, PostfixOptions};
use lab::process::left_out_without_root;
use lab::submission::{
    ClientCertificates, DovecotSubmission, DovecotSubmissionOptions, Release, left_out_without_newer_dovecot,
};
use tests::Check;

/// Every mechanism with a password that Postfix passes on from Dovecot 2.3.
const PASSWORD_MECHANISMS: [&str; 6] =
    ["plain", "login", "cram-md5", "digest-md5", "scram-sha-1", "scram-sha-256"];

/// A Postfix with this Dovecot behind it, unless this is a run without root, which says so.
fn behind_postfix(sasl: DovecotOptions) -> Option<Postfix> {
    if left_out_without_root("a real Postfix with Dovecot") {
        return None;
    }
    Some(Postfix::start(&PostfixOptions { sasl, ..PostfixOptions::default() }))
}

fn submission(options: &DovecotSubmissionOptions) -> Option<DovecotSubmission> {
    if left_out_without_root("Dovecot's submission service") {
        return None;
    }
    if options.release == Release::Newer && left_out_without_newer_dovecot() {
        return None;
    }
    Some(DovecotSubmission::start(options))
}

/// A check by STARTTLS without user and secret.
fn bare(address: SocketAddr, ca_file: &Path) -> Check {
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    Check::new("check_smtp_auth").args(["-H", &host, "-p", &port, "--ca-file"]).arg(ca_file)
}

fn check(address: SocketAddr, ca_file: &Path) -> Check {
    bare(address, ca_file).args(["-u", "probe", "--password-env", "PW"]).env("PW", "secret")
}

fn on_postfix(postfix: &Postfix) -> Check {
    check(postfix.addr(Listener::Submission), postfix.ca_file())
}

fn on_submission(service: &DovecotSubmission) -> Check {
    check(service.addr(), service.ca_file())
}

/// A file that only its owner may read.
fn private(folder: &Path, name: &str, content: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    path
}

/// Arguments for a client certificate of this authority for this name.
fn certificate(authority: &Authority, folder: &Path, name: &str) -> [String; 4] {
    let (chain, key) = authority.leaf(&LeafOptions::client_named(name)).write(folder, name);
    std::fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    ["--cert-file".into(), chain.display().to_string(), "--key-file".into(), key.display().to_string()]
}

#[test]
fn ok_by_every_password_mechanism_behind_postfix() {
    let sasl = DovecotOptions::default().offering(&PASSWORD_MECHANISMS);
    let Some(postfix) = behind_postfix(sasl) else { return };
    for mechanism in PASSWORD_MECHANISMS {
        let by = format!("by {} over TLSv1.3", mechanism.to_uppercase());
        let run = on_postfix(&postfix).args(["--mech", mechanism, "-vvv"]).gives(State::Ok, &[&by]);
        assert_eq!(run.parsed.value("mechs"), Some(6.0));
        run.silent_about("c2VjcmV0");
    }
    on_postfix(&postfix).gives(State::Ok, &["by SCRAM-SHA-256 over"]);
    // In the clear too: the password is not shown.
    check(postfix.addr(Listener::Plaintext), postfix.ca_file())
        .args(["--tls", "none"])
        .gives(State::Ok, &["by SCRAM-SHA-256 without TLS"]);
}

#[test]
fn auto_takes_scram_sha_1_when_there_is_no_better() {
    let sasl = DovecotOptions::default().offering(&["plain", "digest-md5", "scram-sha-1"]);
    let Some(postfix) = behind_postfix(sasl) else { return };
    on_postfix(&postfix).gives(State::Ok, &["by SCRAM-SHA-1 over"]);
}

#[test]
fn critical_wrong_password_by_every_mechanism() {
    let sasl = DovecotOptions::default().offering(&PASSWORD_MECHANISMS);
    let Some(postfix) = behind_postfix(sasl) else { return };
    let hint = "the account may lack SCRAM data, which --mech plain would tell";
    for mechanism in PASSWORD_MECHANISMS {
        on_postfix(&postfix)
            .args(["--mech", mechanism])
            .env("PW", "wrong")
            .gives(State::Critical, &["credentials of probe rejected", "535 5.7.8"])
            .silent_about(hint);
    }
    let automatic = on_postfix(&postfix).env("PW", "wrong");
    automatic.gives(State::Critical, &["credentials of probe rejected", "535 5.7.8"]).long(hint);
}

#[test]
fn critical_account_without_scram_data() {
    let mut sasl = DovecotOptions::default().offering(&PASSWORD_MECHANISMS);
    sasl.hashed = true;
    let Some(postfix) = behind_postfix(sasl) else { return };
    on_postfix(&postfix)
        .gives(State::Critical, &["credentials of probe rejected", "535 5.7.8"])
        .long("SCRAM-SHA-256 was chosen by itself; the account may lack SCRAM data");
    on_postfix(&postfix).args(["--mech", "plain"]).gives(State::Ok, &["by PLAIN over"]);
}

#[test]
fn tokens_good_and_bad() {
    let sasl =
        DovecotOptions::default().offering(&["plain", "oauthbearer", "xoauth2"]).token("probe", "good-token");
    let Some(postfix) = behind_postfix(sasl) else { return };
    let good = private(postfix.dir(), "good", "good-token\n");
    let bad = private(postfix.dir(), "bad", "bad-token\n");
    let with = |token: &Path| {
        bare(postfix.addr(Listener::Submission), postfix.ca_file())
            .args(["-u", "probe", "--token-file"])
            .arg(token)
    };
    with(&good).gives(State::Ok, &["by OAUTHBEARER over"]);
    // The two differ in Dovecot: the one is silent about why, the other passes a status on.
    for (mechanism, status) in
        [("oauthbearer", "token status \"invalid_token\""), ("xoauth2", "token status \"401\"")]
    {
        let by = format!("by {} over TLSv1.3", mechanism.to_uppercase());
        with(&good).args(["--mech", mechanism, "-vvv"]).gives(State::Ok, &[&by]).silent_about("good-token");
        with(&bad)
            .args(["--mech", mechanism, "-vvv"])
            .gives(State::Critical, &["credentials of probe rejected", status, "535 5.7.8"])
            .silent_about("bad-token");
    }
    // The password does not serve as a token.
    let password = private(postfix.dir(), "password", "secret\n");
    with(&password).gives(State::Critical, &["credentials of probe rejected"]);
}

#[test]
fn penalty_slows_the_next_login_and_shows_in_the_time() {
    let Some(postfix) = behind_postfix(DovecotOptions { auth_penalty: true, ..DovecotOptions::default() })
    else {
        return;
    };
    on_postfix(&postfix).env("PW", "wrong").gives(State::Critical, &["rejected"]);
    let run = on_postfix(&postfix).args(["-w", "1", "-c", "8"]).gives(State::Warning, &[]);
    assert!(run.parsed.value("time_auth").is_some_and(|time| time > 1.5), "{}", run.outcome.report());
}

#[test]
fn submission_service_by_every_mechanism() {
    let options = DovecotSubmissionOptions {
        sasl: DovecotOptions::default().offering(&PASSWORD_MECHANISMS),
        ..DovecotSubmissionOptions::default()
    };
    let Some(service) = submission(&options) else { return };
    for mechanism in PASSWORD_MECHANISMS {
        let by = format!("by {} over TLSv1.3", mechanism.to_uppercase());
        on_submission(&service).args(["--mech", mechanism]).gives(State::Ok, &[&by]);
        on_submission(&service)
            .args(["--mech", mechanism])
            .env("PW", "wrong")
            .gives(State::Critical, &["credentials of probe rejected", "535 5.7.8"]);
    }
    check(service.implicit_addr(), service.ca_file())
        .args(["--tls", "implicit"])
        .gives(State::Ok, &["by SCRAM-SHA-256 over"]);
    on_submission(&service)
        .args(["--tls", "none", "--allow-plaintext"])
        .gives(State::Critical, &["AUTH is not offered"])
        .long("the server offers STARTTLS");
}

#[test]
fn ok_login_though_the_relay_behind_is_down() {
    let options = DovecotSubmissionOptions { relay_down: true, ..DovecotSubmissionOptions::default() };
    let Some(service) = submission(&options) else { return };
    on_submission(&service).gives(State::Ok, &["probe logged in to"]);
}

#[test]
fn external_with_a_client_certificate() {
    let options = DovecotSubmissionOptions {
        sasl: DovecotOptions::default().offering(&["plain", "external"]),
        client_certificates: ClientCertificates::Asked,
        ..DovecotSubmissionOptions::default()
    };
    let Some(service) = submission(&options) else { return };
    let external = |name: &str| {
        bare(service.addr(), service.ca_file()).args(["--mech", "external"]).args(certificate(
            service.authority(),
            service.dir(),
            name,
        ))
    };
    external("probe").gives(State::Ok, &["the client certificate logged in to", "by EXTERNAL over TLSv1.3"]);
    external("probe").args(["--authzid", "probe"]).gives(State::Ok, &["by EXTERNAL over"]);
    external("probe").args(["--authzid", "other"]).gives(State::Critical, &["rejected", "535 5.7.8"]);
    external("stranger")
        .gives(State::Critical, &["credentials of the client certificate rejected", "535 5.7.8"]);
    // A certificate is never an excuse not to try the password.
    on_submission(&service)
        .args(certificate(service.authority(), service.dir(), "probe"))
        .gives(State::Ok, &["by PLAIN over"]);
}

#[test]
fn external_without_a_client_certificate() {
    let options = DovecotSubmissionOptions {
        sasl: DovecotOptions::default().offering(&["plain", "external"]),
        client_certificates: ClientCertificates::Asked,
        ..DovecotSubmissionOptions::default()
    };
    let Some(service) = submission(&options) else { return };
    let run = bare(service.addr(), service.ca_file()).args(["--mech", "external"]).outcome();
    assert_eq!(run.parsed().state, State::Unknown, "{}", run.report());
    assert!(run.text().contains("--cert-file"), "{}", run.report());
    // One that the server does not know.
    let stranger = certificate(&Authority::new("Other CA"), service.dir(), "probe");
    let run = bare(service.addr(), service.ca_file()).args(["--mech", "external"]).args(stranger).outcome();
    assert_eq!(run.parsed().state, State::Critical, "{}", run.report());
}

#[test]
fn critical_client_certificate_required() {
    let options = DovecotSubmissionOptions {
        client_certificates: ClientCertificates::Required,
        ..DovecotSubmissionOptions::default()
    };
    let Some(service) = submission(&options) else { return };
    on_submission(&service).gives(State::Critical, &["certificate"]);
    on_submission(&service)
        .args(certificate(service.authority(), service.dir(), "probe"))
        .gives(State::Ok, &["by PLAIN over"]);
}

/// Every mechanism with a password of Dovecot 2.4.
const NEWER_MECHANISMS: [&str; 6] =
    ["plain", "login", "scram-sha-1", "scram-sha-256", "scram-sha-1-plus", "scram-sha-256-plus"];

fn newer(tls12_only: bool) -> Option<DovecotSubmission> {
    submission(&DovecotSubmissionOptions {
        sasl: DovecotOptions::default().offering(&NEWER_MECHANISMS),
        release: Release::Newer,
        tls12_only,
        ..DovecotSubmissionOptions::default()
    })
}

#[test]
fn channel_binding_with_a_newer_dovecot() {
    let Some(service) = newer(false) else { return };
    on_submission(&service).gives(State::Ok, &["by SCRAM-SHA-256-PLUS over TLSv1.3"]);
    for mechanism in NEWER_MECHANISMS {
        let by = format!("by {} over TLSv1.3", mechanism.to_uppercase());
        on_submission(&service).args(["--mech", mechanism]).gives(State::Ok, &[&by]);
        on_submission(&service)
            .args(["--mech", mechanism])
            .env("PW", "wrong")
            .gives(State::Critical, &["credentials of probe rejected", "535 5.7.8"]);
    }
}

#[test]
fn newer_dovecot_with_tls_1_2() {
    let Some(service) = newer(true) else { return };
    for mechanism in ["plain", "scram-sha-1", "scram-sha-256"] {
        let by = format!("by {} over TLSv1.2", mechanism.to_uppercase());
        on_submission(&service).args(["--mech", mechanism]).gives(State::Ok, &[&by]);
    }
}

#[test]
fn auto_with_a_newer_dovecot_and_tls_1_2() {
    // Where it cannot be tried it must not pass: tests/run would take its reason for gone.
    let service = newer(true).expect("left out");
    on_submission(&service).gives(State::Ok, &["over TLSv1.2"]);
    assert!(!service.log().contains("Panic"), "{}", service.log());
}
