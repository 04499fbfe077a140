//! check_weak_ciphers: how many connections there are at a time, and when.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

use std::time::Duration;

use lab::output::State;
use lab::relay::Relay;
use lab::tls_script::{TlsPeer, TlsScript};
use tests::{Check, Run};

fn at(port: u16) -> Check {
    let port = port.to_string();
    Check::new("check_weak_ciphers").args(["-H", "127.0.0.1", "--no-cert", "-p", &port]).timeout(90.0)
}

fn figure(run: &Run, label: &str) -> f64 {
    run.parsed.value(label).unwrap_or_else(|| panic!("no {label}\n{}", run.outcome.report()))
}

#[test]
fn one_connection_at_a_time() {
    let peer = TlsPeer::start(TlsScript::weak().serial(Duration::from_millis(1)));
    at(peer.port()).args(["--max-conns", "1"]).gives(State::Critical, &[]);
    assert_eq!(peer.most_at_once(), 1);
    let peer = TlsPeer::start(TlsScript::weak());
    at(peer.port()).args(["--max-conns", "3"]).gives(State::Critical, &[]);
    // The kernel's table changes while it is read: one that ends may be counted beside the next.
    assert!(peer.most_at_once() <= 5, "{}", peer.most_at_once());
}

/// From far away connections are opened ahead, without more of them at a time than allowed, and few more in all. With a
/// rate to keep, or one connection at a time, none is.
#[test]
fn a_far_server_is_asked_ahead() {
    let inventory = |away: u64, words: &[&str]| {
        let peer = TlsPeer::start(TlsScript::weak());
        let relay = Relay::start(peer.addr(), Duration::from_millis(away));
        let check = at(relay.port()).args(["--starttls", "none", "--inventory"]).args(words);
        let run = check.gives(State::Critical, &[]);
        let figures = ["suites", "connections"].map(|label| figure(&run, label));
        (relay.opened_ahead(), peer.most_at_once(), figures)
    };
    // A quarter of the round trip is what a busy machine may take for a hello.
    let (ahead, most, [suites, connections]) = inventory(150, &[]);
    assert!(ahead >= 8, "{ahead} opened ahead");
    assert!((4..=16).contains(&most), "{most}");
    let (_, most, [found, least]) = inventory(0, &["--max-conns", "1"]);
    assert!(most <= 2, "{most}");
    assert_eq!(suites.to_bits(), found.to_bits());
    assert!(connections <= least + 12.0, "{connections} connections, {least} one after the other");
    // A process held up for so long looks as if it had opened them ahead; it is not in every run.
    let mut least = usize::MAX;
    assert!(
        (0..4).any(|_| {
            let (ahead, _, [suites, _]) = inventory(150, &["--rate", "10000"]);
            assert_eq!(suites.to_bits(), found.to_bits());
            least = least.min(ahead);
            ahead <= 2
        }),
        "{least} opened ahead"
    );
}

/// Half of the round trip to a server that is far.
const AWAY: Duration = Duration::from_millis(25);

/// One that serves one connection after the other may wait for the hello of a spare one.
#[test]
fn a_far_server_that_is_serial_is_not_held_up() {
    let peer = TlsPeer::start(TlsScript::weak().serial(Duration::ZERO));
    let relay = Relay::start(peer.addr(), AWAY);
    let check = at(relay.port()).args(["--starttls", "none", "--inventory"]);
    let run = check.gives(State::Critical, &[]);
    assert!(run.outcome.elapsed < Duration::from_secs(30), "{:?}", run.outcome.elapsed);
}
