//! check_smtp_auth on the system's OpenSSL against a real Postfix and a real Dovecot.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use lab::certs::{Authority, LeafOptions};
use lab::dovecot::DovecotOptions;
use lab::output::State;
use lab::postfix::{Listener, Postfix, PostfixOptions};
use lab::process::left_out_without_root;
use lab::submission::{DovecotSubmission, DovecotSubmissionOptions, Release, left_out_without_newer_dovecot};
use tests::Check;

/// A Postfix and the check on it; `None` in a run that says why.
fn postfix(main_cf: &[(&str, &str)]) -> Option<Postfix> {
    if left_out_without_root("a real Postfix") || Check::native("check_smtp_auth").is_none() {
        return None;
    }
    let main_cf: BTreeMap<_, _> =
        main_cf.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Some(Postfix::start(&PostfixOptions { main_cf, ..PostfixOptions::default() }))
}

fn check(address: SocketAddr, ca_file: &Path) -> Check {
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let check = Check::native("check_smtp_auth").expect("left out before");
    let check = check.args(["-H", &host, "-p", &port, "-u", "probe", "--password-env", "PW"]);
    check.arg("--ca-file").arg(ca_file).env("PW", "secret")
}

fn on(postfix: &Postfix, listener: Listener) -> Check {
    check(postfix.addr(listener), postfix.ca_file())
}

#[test]
fn ok_by_every_way_and_mechanism() {
    let Some(postfix) = postfix(&[]) else { return };
    for mechanism in ["plain", "login", "cram-md5"] {
        let by = format!("by {} over TLSv1.3", mechanism.to_uppercase());
        for (listener, mode) in [
            (Listener::Submission, "starttls"),
            (Listener::Implicit, "implicit"),
            (Listener::Optional, "starttls"),
        ] {
            let run = on(&postfix, listener).args(["--mech", mechanism, "--tls", mode, "-vvv"]);
            let run = run.gives(State::Ok, &[&by]);
            run.silent_about("secret").silent_about("c2VjcmV0").long("TLS: TLSv1.3 TLS_AES_256_GCM_SHA384");
        }
        let wrong = on(&postfix, Listener::Submission).args(["--mech", mechanism]).env("PW", "wrong");
        wrong.gives(State::Critical, &["credentials of probe rejected", "535 5.7.8"]);
    }
}

#[test]
fn critical_bad_certificates_and_no_login_tried() {
    let Some(postfix) = postfix(&[]) else { return };
    for (listener, words) in [
        (Listener::WrongName, "certificate is not for 127.0.0.1 but for other.lab.test"),
        (Listener::Expired, "certificate expired 3 days ago"),
    ] {
        let run = on(&postfix, listener).gives(State::Critical, &[words, "nothing tried"]);
        assert_eq!(run.parsed.value("time_auth"), None, "{}", run.outcome.report());
    }
    let stranger = Authority::new("Other CA").write_ca(&postfix.dir().join("data"));
    check(postfix.addr(Listener::Submission), &stranger)
        .gives(State::Critical, &["certificate chain does not lead to", "nothing tried"]);
    assert!(!postfix.log().contains("sasl_username=probe"), "no login reached the server");

    on(&postfix, Listener::Expiring).gives(State::Critical, &["certificate expires in 5 days"]);
    on(&postfix, Listener::Expiring).args(["--cert-critical", "3"]).gives(State::Warning, &["5 days"]);
}

#[test]
fn client_certificate_wanted() {
    let required = [("smtpd_tls_req_ccert", "yes"), ("smtpd_tls_CAfile", "$config_directory/../ca.pem")];
    let Some(postfix) = postfix(&required) else { return };
    on(&postfix, Listener::Submission).gives(State::Critical, &["certificate"]);
    let leaf = postfix.authority().leaf(&LeafOptions::client_named("probe"));
    let (certificate, key) = leaf.write(postfix.dir(), "client");
    std::fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    let with = on(&postfix, Listener::Submission).arg("--cert-file").arg(&certificate);
    with.arg("--key-file").arg(&key).gives(State::Ok, &["logged in"]);
}

#[test]
fn a_postfix_that_was_never_updated() {
    for (limit, version) in [("<=TLSv1", "TLSv1.0"), (">=TLSv1.1, <=TLSv1.1", "TLSv1.1")] {
        let Some(postfix) = postfix(&[
            ("smtpd_tls_mandatory_protocols", limit),
            ("smtpd_tls_protocols", limit),
            ("tls_medium_cipherlist", "DEFAULT@SECLEVEL=0"),
        ]) else {
            return;
        };
        on(&postfix, Listener::Submission)
            .gives(State::Critical, &["the server sent the alert protocol_version"])
            .long("--tls-min 1.0");
        on(&postfix, Listener::Submission)
            .args(["--tls-min", "1.0"])
            .gives(State::Ok, &[&format!("by PLAIN over {version}")])
            .long(&format!("note: {version} is deprecated (RFC 8996)"));
    }
}

/// Dovecot 2.4, which checks what a login is tied to.
fn newer(tls12_only: bool) -> Option<DovecotSubmission> {
    if left_out_without_root("Dovecot's submission service")
        || left_out_without_newer_dovecot()
        || Check::native("check_smtp_auth").is_none()
    {
        return None;
    }
    let mechanisms = ["plain", "scram-sha-1", "scram-sha-256", "scram-sha-1-plus", "scram-sha-256-plus"];
    Some(DovecotSubmission::start(&DovecotSubmissionOptions {
        sasl: DovecotOptions::default().offering(&mechanisms),
        release: Release::Newer,
        tls12_only,
        ..DovecotSubmissionOptions::default()
    }))
}

#[test]
fn channel_binding_with_a_newer_dovecot() {
    let Some(service) = newer(false) else { return };
    let on = || check(service.addr(), service.ca_file());
    on().gives(State::Ok, &["by SCRAM-SHA-256-PLUS over TLSv1.3"]);
    for mechanism in ["SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"] {
        on().args(["--mech", mechanism]).gives(State::Ok, &[&format!("by {mechanism} over TLSv1.3")]);
        let wrong = on().args(["--mech", mechanism]).env("PW", "wrong");
        wrong.gives(State::Critical, &["credentials of probe rejected", "535 5.7.8"]);
    }
    check(service.implicit_addr(), service.ca_file())
        .args(["--tls", "implicit"])
        .gives(State::Ok, &["by SCRAM-SHA-256-PLUS over TLSv1.3"]);
}

#[test]
fn newer_dovecot_with_tls_1_2() {
    let Some(service) = newer(true) else { return };
    for mechanism in ["plain", "scram-sha-1", "scram-sha-256"] {
        let by = format!("by {} over TLSv1.2", mechanism.to_uppercase());
        check(service.addr(), service.ca_file()).args(["--mech", mechanism]).gives(State::Ok, &[&by]);
    }
}
