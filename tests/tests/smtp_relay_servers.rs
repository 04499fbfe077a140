//! check_smtp_relay against real servers: Postfix in each of its tempers, Exim, OpenSMTPD.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

use std::net::SocketAddr;
use std::time::Duration;

use lab::exim::{Exim, EximOptions, Recipients};
use lab::opensmtpd::OpenSmtpd;
use lab::output::State;
use lab::postfix_mx::{Policy, PostfixMx, PostfixMxOptions};
use lab::process::left_out_without_root;
use tests::Check;

const OWN: [&str; 2] = ["--local-rcpt", "probe@lab.test"];

fn at(address: SocketAddr) -> Check {
    Check::new("check_smtp_relay")
        .args(["-H", &address.ip().to_string(), "-p", &address.port().to_string()])
        .args(OWN)
}

fn postfix() -> Option<PostfixMx> {
    let options = PostfixMxOptions { postgrey: Some(Duration::from_mins(1)), ..Default::default() };
    (!left_out_without_root("Postfix as a mail exchanger")).then(|| PostfixMx::start(&options))
}

#[test]
fn postfix_closed_and_open() {
    let Some(postfix) = postfix() else { return };
    let on = |policy| at(postfix.addr(policy));
    let run = on(Policy::Stock).args(["--variants", "all", "-vvv"]).gives(
        State::Ok,
        &["refuses to relay to probe@example.net: \"454 4.7.1 <probe@example.net>: Relay access denied\" (8 probes)"],
    );
    run.long("takes mail for probe@lab.test: \"250 2.1.5 Ok\"").long("> RSET").long("TLS: TLSv1.3");
    on(Policy::OpenRelay)
        .arg("--confirm-data")
        .gives(State::Critical, &["open relay"])
        .long("DATA accepted as well");
    on(Policy::Backup)
        .gives(State::Ok, &["refuses to relay"])
        .long("takes any recipient in lab.test (catch-all)");
    on(Policy::Encrypted).gives(State::Ok, &["refuses to relay", "454 4.7.1"]);
    on(Policy::Encrypted).args(["--tls", "none"]).gives(State::Unknown, &["530 5.7.0 Must issue a STARTTLS"]);
    let ca_file = postfix.ca_file().to_string_lossy().into_owned();
    on(Policy::Encrypted)
        .args(["--tls", "starttls", "--ca-file", &ca_file])
        .gives(State::Ok, &["refuses to relay"]);
    on(Policy::Greylisting)
        .gives(State::Unknown, &["refuses mail for its own probe@lab.test: \"450 4.2.0", "Greylisted"])
        .long("refuses to relay to probe@example.net: \"454 4.7.1");
    // A mailbox that is full is refused, and so is a test of it.
    on(Policy::Stock).args(["--rcpt-to", "probe@elsewhere.test"]).gives(State::Ok, &["probe@elsewhere.test"]);
    assert_eq!(postfix.messages(), 0, "{}", postfix.log());
}

#[test]
fn postfix_slow_busy_and_dead() {
    let Some(mut postfix) = postfix() else { return };
    let on = |policy| at(postfix.addr(policy));
    let run = on(Policy::Postscreen).gives(State::Ok, &["refuses to relay"]);
    assert!(run.parsed.value("time") >= Some(1.0), "the teaser was waited for");
    for _ in 0..3 {
        on(Policy::RateLimited).gives(State::Ok, &["refuses to relay"]);
    }
    on(Policy::RateLimited).gives(State::Unknown, &["temporary: server refuses to serve now: \"421 4.7.0"]);
    postfix.pause();
    on(Policy::Stock)
        .timeout(0.5)
        .gives(State::Critical, &["timeout after 0.5 s while waiting for the banner"]);
    postfix.resume();
    let stock = postfix.addr(Policy::Stock);
    postfix.stop();
    at(stock).gives(State::Critical, &["Connection refused"]);
}

#[test]
fn postfix_limits() {
    let Some(postfix) = postfix() else { return };
    let on = |policy| at(postfix.addr(policy)).args(["--limits", "--variants", "none"]);
    let run = on(Policy::ShortTempered).gives(State::Ok, &["refuses to relay"]);
    run.long("the session ends after 5 errors, answers held back up to 1.0 s from error 4 on: \"421 4.7.0");
    run.long("takes 1000 recipients for one message: \"452 4.5.3");
    let run = on(Policy::FewRecipients)
        .args(["--error-limit", "8"])
        .gives(State::Warning, &["no limit on errors: the session goes on after 9 of them, limit 8"]);
    run.long("takes 3 recipients for one message: \"452 4.5.3");
    on(Policy::Unlimited)
        .args(["--error-limit", "200"])
        .gives(State::Warning, &["no limit on errors: the session goes on after 201 of them"]);
    assert_eq!(postfix.messages(), 0, "{}", postfix.log());
}

#[test]
fn exim_catch_all_is_no_relay() {
    if left_out_without_root("Exim as a mail exchanger") {
        return;
    }
    let exim = Exim::start(&EximOptions { recipients: Recipients::CatchAll, ..Default::default() });
    let run = at(exim.plain_addr())
        .args(["--variants", "all", "-v"])
        .gives(State::Ok, &["refuses to relay to probe@example.net: \"550 relay not permitted\""]);
    run.long("takes any recipient in lab.test (catch-all): disguised addresses prove nothing");
    run.long("quoted address \"probe@example.net\"@lab.test: not asked");
    run.long("empty sender probe@example.net: \"550 relay not permitted\"");
}

#[test]
fn opensmtpd_refuses_in_its_own_words() {
    if left_out_without_root("OpenSMTPD") {
        return;
    }
    let opensmtpd = OpenSmtpd::start();
    at(opensmtpd.addr())
        .gives(State::Ok, &["refuses to relay to probe@example.net: \"550 Invalid recipient"])
        .long("takes mail for probe@lab.test");
}
