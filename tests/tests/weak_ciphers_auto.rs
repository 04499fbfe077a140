//! check_weak_ciphers with `-p auto`: of the well-known ports of a host those that speak TLS are scanned, and what is not
//! known of a port is never passed over. In a network of its own, where all ports are free.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::{Duration, Instant};

use lab::namespace::with_resolvers;
use lab::output::State;
use lab::postfix::{Listener, Postfix, PostfixOptions};
use lab::process::{left_out_without_root, program};
use lab::relay::Relay;
use lab::tls_script::{Ending, Foreign, Protocol, TlsPeer, TlsScript, Upgrade, Version};
use lab::tls_servers::{Keys, mail, nginx};
use tests::{Check, Run};

fn at(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn auto() -> Check {
    Check::new("check_weak_ciphers").args(["-H", "127.0.0.1", "--no-cert", "-p", "auto"]).timeout(30.0)
}

/// An endpoint on a well-known port.
fn peer(port: u16, script: TlsScript) -> TlsPeer {
    TlsPeer::start(script.listen(at(port)))
}

/// Has connections to these ports vanish.
fn drop_ports(ports: &str) {
    for rule in [
        "add table inet lab",
        "add chain inet lab input { type filter hook input priority 0 ; }",
        &format!("add rule inet lab input tcp dport {{ {ports} }} drop"),
    ] {
        let output = Command::new(program("nft", "nftables")).arg(rule).output().unwrap();
        assert!(output.status.success(), "nft {rule}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Ports with a figure of their own.
fn ports_of(run: &Run) -> BTreeSet<u16> {
    let labels = run.parsed.perfdata.iter().map(|item| item.label.clone());
    labels.filter_map(|label| label.strip_suffix(".weak")?.parse().ok()).collect()
}

fn says(run: &Run, words: &str) {
    assert!(run.outcome.text().contains(words), "no {words:?}\n{}", run.outcome.report());
}

#[test]
fn real_servers_on_their_ports() {
    if left_out_without_root("a network of its own") {
        return;
    }
    with_resolvers(&[], || {
        let keys = Keys::new();
        let web = nginx::intermediate(&keys);
        let settings = ["tls_high_cipherlist", "tls_medium_cipherlist"].map(|name| (name, "ECDHE+AESGCM"));
        let strong = [("smtpd_tls_protocols", ">=TLSv1.2"), ("smtpd_tls_mandatory_protocols", ">=TLSv1.2")];
        let main_cf = settings.iter().chain(&strong).map(|(name, value)| ((*name).into(), (*value).into()));
        let postfix =
            Postfix::start(&PostfixOptions { main_cf: main_cf.collect(), ..PostfixOptions::default() });
        let dovecot = [Protocol::Imap, Protocol::Pop3]
            .map(|protocol| (mail::dovecot(&keys, protocol), mail::dovecot_at_once(&keys, protocol)));
        let [imap, pop3] = &dovecot;
        let relays: Vec<(u16, Relay)> = [
            (443, web.addr()),
            (25, at(postfix.port(Listener::Optional))),
            (465, at(postfix.port(Listener::Implicit))),
            (587, at(postfix.port(Listener::Submission))),
            (143, imap.0.addr()),
            (993, imap.1.addr()),
            (110, pop3.0.addr()),
            (995, pop3.1.addr()),
        ]
        .into_iter()
        .map(|(port, server)| (port, Relay::on(port, server)))
        .collect();
        let _ssh = peer(990, TlsScript::new().not_tls(Foreign::ssh()));
        drop_ports("853, 3389");

        let run = auto().arg("-v").gives(State::Ok, &["nothing that bcp195 forbids"]);
        assert_eq!(
            ports_of(&run),
            relays.iter().map(|(port, _)| *port).collect(),
            "{}",
            run.outcome.report()
        );
        run.long("note: 127.0.0.1:990: the server speaks SSH, not TLS");
        run.long("note: 127.0.0.1: filtered: 853, 3389");
        run.long("127.0.0.1: closed: 21, 23, 119, 389,");
        assert!(run.parsed.perf("broken").is_some_and(|item| item.value == Some(0.0)));
        let all: usize = relays.iter().map(|(_, relay)| relay.connections()).sum();
        let made = run.parsed.value("connections").unwrap();
        // Two that are dropped, SSH, and one for each closed port.
        let others = 33 - relays.len();
        let counted = f64::from(u32::try_from(all + others).unwrap());
        assert!((made - counted).abs() < 0.5, "{counted}\n{}", run.outcome.report());

        // What is weak on one port decides; what is dropped stays out of it.
        let weak = TlsScript::new().version(Version::Tls12, &[0xc02f, 0x0005]);
        let _weak = peer(8443, weak);
        let run = auto().gives(State::Critical, &["127.0.0.1:8443: rc4"]);
        assert!(ports_of(&run).contains(&8443));
        let document = auto().args(["--output", "json"]).outcome().text();
        assert!(document.contains("\"filtered\":[853,3389]"), "{document}");
    });
}

#[test]
fn ports_that_speak_something_else() {
    if left_out_without_root("a network of its own") {
        return;
    }
    with_resolvers(&[], || {
        let _http = peer(8443, TlsScript::new().not_tls(Foreign::http()));
        let _ssh = peer(23, TlsScript::new().not_tls(Foreign::ssh()));
        let _irc = peer(6667, TlsScript::good().starttls(Protocol::Irc, Upgrade::NotOffered));
        let run = auto().gives(State::Unknown, &["no open port of the 33 where TLS is usual speaks it"]);
        for words in [
            "note: 127.0.0.1:8443: the server speaks HTTP, not TLS",
            "note: 127.0.0.1:23: the server speaks SSH, not TLS",
            "note: 127.0.0.1:6667: STARTTLS is not offered",
        ] {
            run.long(words);
        }
        assert!(run.parsed.perf("broken").is_some_and(|item| item.value.is_none()));

        // TLS at once where another way is usual, before and after which the server is silent; and another way where TLS
        // is usual.
        let at_once = [21, 5222, 5432].map(|port| peer(port, TlsScript::good()));
        let _smtp = peer(465, TlsScript::good().starttls(Protocol::Smtp, Upgrade::Offered));
        let run = auto().gives(State::Ok, &["nothing that bcp195 forbids"]);
        assert_eq!(ports_of(&run), BTreeSet::from([21, 465, 5222, 5432]), "{}", run.outcome.report());
        assert!(at_once.iter().all(|peer| peer.hellos().len() >= 8));
    });
}

#[test]
fn never_ok_for_what_is_not_known() {
    if left_out_without_root("a network of its own") {
        return;
    }
    with_resolvers(&[], || {
        let run = auto().gives(State::Unknown, &["none of the 33 ports where TLS is usual is open"]);
        assert!(run.parsed.perf("broken").is_some_and(|item| item.value.is_none()));
        auto().args(["--down-state", "critical"]).gives(State::Critical, &["is open"]);

        let good = peer(443, TlsScript::good());
        auto().gives(State::Ok, &["127.0.0.1:443 offers"]);
        // A port that is open and says nothing, one that turns everybody away, one that ends connections.
        let impatient = || auto().args(["--handshake-timeout", "1"]);
        let silent = peer(853, TlsScript::new().not_tls(Foreign::Silence));
        let run = impatient().gives(State::Unknown, &["127.0.0.1:853: no answer to a hello"]);
        says(&run, "127.0.0.1:443 offers TLS1.2 and TLS1.3 and nothing that bcp195 forbids");
        assert!(run.parsed.perf("broken").is_some_and(|item| item.value.is_none()));
        drop(silent);
        let busy = peer(143, TlsScript::good().starttls(Protocol::Imap, Upgrade::Busy));
        impatient().gives(State::Unknown, &["127.0.0.1:143: refused for now"]);
        drop(busy);
        let closes = peer(995, TlsScript::good().cut_off(0.., Ending::Close));
        impatient().gives(State::Unknown, &["127.0.0.1:995: the scan of", "connection closed"]);
        drop(closes);
        let elsewhere = peer(5222, TlsScript::good().starttls(Protocol::XmppServer, Upgrade::Offered));
        let run = impatient().gives(State::Ok, &["127.0.0.1:443 offers"]);
        run.long("note: 127.0.0.1:5222: STARTTLS is not offered: \"invalid-namespace\"");
        drop(elsewhere);
        impatient().args(["--max-total", "20"]).gives(State::Unknown, &["--max-total"]);
        assert!(!good.hellos().is_empty());
    });
}

#[test]
fn silent_ports_take_no_time_from_the_others() {
    if left_out_without_root("a network of its own") {
        return;
    }
    with_resolvers(&[], || {
        let silent: Vec<TlsPeer> = [21, 25, 110, 119, 143, 389, 465, 636, 993, 995, 4190, 5061]
            .map(|port| peer(port, TlsScript::new().not_tls(Foreign::Silence)))
            .into();
        let _weak = peer(8443, TlsScript::new().version(Version::Tls12, &[0xc02f, 0x0005]));
        // Half of the time is gone for the silent ones, one at a time it would be all of it.
        let run = auto().timeout(12.0).gives(State::Critical, &["127.0.0.1:8443: rc4"]);
        run.long("127.0.0.1:143: no answer to a hello");
        // They wake up by a connection to themselves when they end.
        drop(silent);
        // Everything but one port is dropped, and the time is over before all were asked.
        drop_ports("1-442, 444-7999");
        let _good = peer(443, TlsScript::good());
        let before = Instant::now();
        let run = auto().timeout(4.0).args(["--max-conns", "2"]).gives(State::Unknown, &[]);
        assert!(before.elapsed() < Duration::from_secs(5), "{}", run.outcome.report());
        run.silent_about("filtered: 21, 23, 25, 110, 119, 143, 389, 465, 563, 587, 636");
        // With time for all of them they are what they seem.
        let run = auto().args(["--handshake-timeout", "0.5"]).gives(State::Critical, &["rc4"]);
        says(
            &run,
            "filtered: 21, 23, 25, 110, 119, 143, 389, 465, 563, 587, 636, 853, 990, 992, 993, 995, 3268",
        );
        assert_eq!(ports_of(&run), BTreeSet::from([443, 8443]), "{}", run.outcome.report());
    });
}
