//! check_smtp_rcpt against real servers: Postfix in each of its tempers, Exim, OpenSMTPD, and a
//! zone of NSD behind Unbound.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

use std::net::SocketAddr;
use std::time::Duration;

use lab::dns::nsd::Nsd;
use lab::dns::unbound::{Unbound, UnboundOptions};
use lab::dns::{NameServer as _, ZoneFile};
use lab::exchanger::{Exchanger, ExchangerOptions};
use lab::exim::{Exim, EximOptions, Recipients};
use lab::opensmtpd::OpenSmtpd;
use lab::output::State;
use lab::postfix_mx::{Policy, PostfixMx, PostfixMxOptions};
use lab::process::left_out_without_root;
use tests::Check;

fn ask(address: SocketAddr, recipient: &str) -> Check {
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    Check::new("check_smtp_rcpt").args(["-H", &host, "-p", &port, recipient])
}

fn postfix(postgrey: Option<Duration>) -> Option<PostfixMx> {
    let options = PostfixMxOptions { postgrey, ..Default::default() };
    (!left_out_without_root("Postfix as a mail exchanger")).then(|| PostfixMx::start(&options))
}

#[test]
fn postfix_knows_its_users() {
    let Some(postfix) = postfix(Some(Duration::from_secs(1))) else { return };
    let stock = |recipient: &str| ask(postfix.addr(Policy::Stock), recipient);
    stock("probe@lab.test")
        .args(["--also-unknown", "-vvv"])
        .gives(State::Ok, &["accepted by 127.0.0.1: \"250 2.1.5 Ok\"; unknown users refused"])
        .long("TLS: TLSv1.3");
    stock("nobody@lab.test").gives(State::Critical, &["nobody@lab.test unknown to 127.0.0.1: \"550 5.1.1"]);
    stock("nobody@lab.test")
        .args(["--expect", "reject"])
        .gives(State::Ok, &["refused by 127.0.0.1: \"550 5.1.1"]);
    stock("soft@lab.test").gives(State::Critical, &["the mailbox is full: \"452 4.2.2"]);
    stock("hard@lab.test").gives(State::Critical, &["the mailbox is full: \"552 5.2.2"]);
    stock("x@elsewhere.test")
        .gives(State::Critical, &["which does not take mail for this domain: \"454 4.7.1"]);
    stock("\"a b\"@lab.test").gives(State::Critical, &["\"a b\"@lab.test unknown to 127.0.0.1: \"550 5.1.1"]);
    stock("pröbe@lab.test").gives(State::Critical, &["pröbe@lab.test unknown to 127.0.0.1"]);

    let on = |policy| ask(postfix.addr(policy), "probe@lab.test");
    on(Policy::Backup)
        .arg("--also-unknown")
        .gives(State::Warning, &["127.0.0.1 accepts unknown users: \"250 2.1.5 Ok\""]);
    on(Policy::Encrypted).gives(State::Ok, &["accepted by 127.0.0.1"]);
    on(Policy::Encrypted)
        .arg("--no-starttls")
        .gives(State::Critical, &["refuses the sender <>: \"530 5.7.0 Must issue a STARTTLS command first"]);
    on(Policy::Encrypted)
        .args(["--tls", "starttls", "--sni", "mail.lab.test", "--ca-file"])
        .arg(postfix.ca_file())
        .gives(State::Ok, &["accepted by 127.0.0.1"]);
    on(Policy::Greylisting).gives(
        State::Ok,
        &["greylisted by 127.0.0.1, later acceptance is not proved: \"450 4.2.0", "Greylisted"],
    );
    on(Policy::Greylisting).args(["--greylist", "critical"]).gives(State::Critical, &["greylisted"]);
    assert_eq!(postfix.messages(), 0, "{}", postfix.log());
}

#[test]
fn postfix_slow_busy_and_dead() {
    let Some(mut postfix) = postfix(None) else { return };
    let on = |policy| ask(postfix.addr(policy), "probe@lab.test");
    let run = on(Policy::Postscreen).gives(State::Ok, &["accepted by 127.0.0.1"]);
    assert!(run.parsed.value("127.0.0.1.time") >= Some(1.0), "the teaser was waited for");
    for _ in 0..3 {
        on(Policy::RateLimited).gives(State::Ok, &["accepted"]);
    }
    on(Policy::RateLimited)
        .args(["--temporary-state", "warning"])
        .gives(State::Warning, &["127.0.0.1: temporary: server refuses to serve now: \"421 4.7.0"]);
    postfix.pause();
    on(Policy::Stock)
        .timeout(0.5)
        .gives(State::Critical, &["127.0.0.1: timeout after 0.5 s while waiting for the banner"]);
    postfix.resume();
    let stock = postfix.addr(Policy::Stock);
    postfix.stop();
    ask(stock, "probe@lab.test").gives(State::Critical, &["Connection refused"]);
}

#[test]
fn a_zone_leads_to_every_host() {
    let Some(postfix) = postfix(None) else { return };
    // The primary is a good one on the port of Postfix' backup, which knows no users.
    let backup = postfix.addr(Policy::Backup);
    let primary = SocketAddr::new("127.0.0.2".parse().unwrap(), backup.port());
    let _primary = Exchanger::start(ExchangerOptions::named("mx1.lab.test", primary));
    let nsd = Nsd::start(&[ZoneFile::new(
        "lab.test",
        "@ MX 10 mx1\n@ MX 20 mx2\nmx1 A 127.0.0.2\nmx2 A 127.0.0.1\nmx2 AAAA ::1\nnull MX 0 .\n",
    )]);
    let unbound = Unbound::start(&UnboundOptions::default().stub("lab.test", nsd.addr()));
    for resolver in [nsd.addr(), unbound.addr()] {
        let ask = |recipient: &str| {
            Check::new("check_smtp_rcpt").args([
                "--resolver",
                &resolver.to_string(),
                "--allow-private",
                "-p",
                &backup.port().to_string(),
                recipient,
            ])
        };
        let run = ask("probe@lab.test").arg("--also-unknown").gives(
            State::Warning,
            &["backup MX mx2.lab.test [127.0.0.1] accepts unknown users", "backup MX mx2.lab.test [::1]"],
        );
        run.long("accepted by mx1.lab.test");
        assert_eq!(run.parsed.value("mx_ok"), Some(2.0));
        assert!(run.parsed.value("mx2.lab.test/__1.time").is_some(), "{}", run.outcome.report());
        ask("former@lab.test")
            .args(["--expect", "reject"])
            .gives(State::Critical, &["accepted by mx2.lab.test [127.0.0.1], it must be refused"]);
        ask("x@null.lab.test").gives(State::Unknown, &["null.lab.test takes no mail at all (null MX)"]);
        ask("x@gone.lab.test").gives(State::Critical, &["gone.lab.test does not exist (NXDOMAIN)"]);
        ask("x@mx1.lab.test").gives(State::Critical, &["which does not take mail", "mx1.lab.test"]);
    }
}

#[test]
fn exim_takes_everything() {
    if left_out_without_root("Exim as a mail exchanger") {
        return;
    }
    let exim = Exim::start(&EximOptions { recipients: Recipients::CatchAll, ..Default::default() });
    ask(exim.plain_addr(), "anybody@lab.test")
        .arg("--also-unknown")
        .gives(State::Warning, &["127.0.0.1 accepts unknown users: \"250 Accepted\""])
        .long("note: anybody@lab.test accepted by 127.0.0.1");
    ask(exim.plain_addr(), "x@elsewhere.test").gives(State::Critical, &["\"550 relay not permitted\""]);
}

#[test]
fn opensmtpd_refuses_in_its_own_words() {
    if left_out_without_root("OpenSMTPD") {
        return;
    }
    let opensmtpd = OpenSmtpd::start();
    let on = |recipient| ask(opensmtpd.addr(), recipient);
    on("probe@lab.test")
        .arg("--also-unknown")
        .gives(State::Ok, &["accepted by 127.0.0.1", "; unknown users refused"]);
    on("nobody@lab.test")
        .gives(State::Critical, &["nobody@lab.test unknown to 127.0.0.1: \"550 Invalid recipient"]);
    on("nobody@lab.test").args(["--expect", "reject"]).gives(State::Ok, &["refused by 127.0.0.1"]);
}
