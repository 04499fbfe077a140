//! check_smtp_relay against a host with several addresses: each of them is a way in for strangers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use lab::dns::{Names, Record, Responder, ResponderOptions, Zones};
use lab::exchanger::{ACCEPTED, Exchanger, ExchangerOptions, Greylisting};
use lab::namespace::with_resolvers;
use lab::output::State;
use lab::peer::{Peer, Script};
use lab::process::{free_port, has_ipv6, left_out_without_root};
use tests::Check;

const HOST: &str = "mail.lab.test";
const V4: &str = "127.0.0.1";
const V6: &str = "::1";

/// Runs the scenario in a network in which the host has these addresses by the system's resolver.
fn with_addresses(addresses: &[&str], scenario: impl FnOnce() + Send) {
    if left_out_without_root("a resolver on port 53") {
        return;
    }
    assert!(has_ipv6(), "the lab needs the IPv6 of loopback");
    with_resolvers(&[Ipv4Addr::LOCALHOST.into()], || {
        let records = addresses.iter().map(|address| Record::address(address).owned_by(HOST));
        let options =
            ResponderOptions { address: (Ipv4Addr::LOCALHOST, 53).into(), ..ResponderOptions::default() };
        let _dns = Responder::start_with(options, Zones::new().zone("lab.test", Names::new(records)));
        scenario();
    });
}

fn closed(address: &str) -> ExchangerOptions {
    ExchangerOptions::named(HOST, (address.parse::<IpAddr>().unwrap(), 0).into())
}

fn open(address: &str) -> ExchangerOptions {
    ExchangerOptions { foreign: ACCEPTED.into(), ..closed(address) }
}

fn check(port: u16) -> Check {
    Check::new("check_smtp_relay")
        .args(["-H", HOST, "-p", &port.to_string(), "--local-rcpt", "probe@lab.test"])
        .timeout(4.0)
}

fn assert_nothing_was_sent(servers: &[Exchanger]) {
    for server in servers {
        assert_eq!((server.data_commands(), server.messages()), (0, 0));
    }
}

#[test]
fn critical_closed_on_ipv4_and_open_on_ipv6() {
    with_addresses(&[V4, V6], || {
        let servers = Exchanger::start_all(&[closed(V4), open(V6)]);
        let port = servers[0].port();
        let named = format!("open relay: {HOST}:{port} [::1] takes mail from probe@example.org for");
        let run = check(port).gives(State::Critical, &[&named]);
        run.long(&format!("{HOST}:{port} [127.0.0.1] refuses to relay to probe@example.net: \"454 4.7.1"));
        assert_eq!(run.parsed.value("probes"), Some(12.0), "the sum over both");
        assert!(run.parsed.value("accepted") >= Some(1.0));
        check(port).arg("-4").gives(State::Ok, &[&format!("{HOST}:{port} refuses to relay")]);
        check(port).arg("-6").gives(State::Critical, &[&format!("open relay: {HOST}:{port} takes mail")]);
        assert_nothing_was_sent(&servers);
    });
}

#[test]
fn ok_closed_at_every_address() {
    with_addresses(&[V4, V6, "127.0.0.2"], || {
        let servers = Exchanger::start_all(&[closed(V4), closed("127.0.0.2"), closed(V6)]);
        let run = check(servers[0].port()).gives(
            State::Ok,
            &["refuses to relay to probe@example.net at 127.0.0.1 \"454 4.7.1", ", 127.0.0.2 \"", ", ::1 \""],
        );
        assert!(run.parsed.summary.ends_with("(18 probes)"), "{}", run.outcome.report());
        assert_eq!((run.parsed.value("probes"), run.parsed.value("accepted")), (Some(18.0), Some(0.0)));
        for server in &servers {
            assert_eq!(server.connections(), 1);
        }
        assert_nothing_was_sent(&servers);
    });
}

#[test]
fn warning_an_address_that_cannot_be_reached() {
    with_addresses(&[V4, V6], || {
        for (address, other, hint) in
            [(V4, "[::1]", "hint: -4 leaves IPv6 out"), (V6, "127.0.0.1", "hint: -6 leaves IPv4 out")]
        {
            let server = Exchanger::start(closed(address));
            let port = server.port();
            let dead =
                format!("cannot connect to {other}:{port}: Connection refused (only {address} was asked)");
            let run = check(port).gives(State::Warning, &[&dead]);
            run.long(hint).long(&format!("{HOST}:{port} [{address}] refuses to relay"));
            assert_eq!((run.parsed.value("probes"), run.parsed.value("accepted")), (Some(6.0), Some(0.0)));
        }
        let open = Exchanger::start(open(V6));
        check(open.port()).gives(State::Critical, &["[::1] takes mail"]).long("cannot connect to 127.0.0.1:");
        check(free_port()).gives(
            State::Critical,
            &["cannot connect to 127.0.0.1:", "cannot connect to [::1]:", "Connection refused"],
        );
    });
}

#[test]
fn a_silent_address_holds_no_other_up() {
    with_addresses(&[V4, V6], || {
        let silent = Peer::start_on((V4.parse::<IpAddr>().unwrap(), 0).into(), Script::new());
        let port = silent.port();
        // Nobody else is in this network.
        let listen = (V6.parse::<IpAddr>().unwrap(), port).into();
        let server = Exchanger::start(ExchangerOptions { listen, ..open(V6) });
        let hung = "[127.0.0.1]: timeout after 1 s while waiting for the banner";
        let run = check(port).timeout(1.0).gives(State::Critical, &["[::1] takes mail from", hung]);
        assert!(run.parsed.summary.starts_with("open relay: "), "{}", run.outcome.report());
        assert_eq!(run.parsed.value("accepted"), None, "of one it is not known");
        drop(server);
        let _closed = Exchanger::start(ExchangerOptions { listen, ..closed(V6) });
        check(port).timeout(1.0).gives(State::Critical, &[hung]).long("[::1] refuses to relay");
    });
}

#[test]
fn limits_of_the_first_address_with_answers() {
    with_addresses(&[V4, V6], || {
        let few = ExchangerOptions { recipients_per_message: 5, error_limits: None, ..closed(V6) };
        let server = Exchanger::start(few);
        let run = check(server.port())
            .args(["--limits", "--error-limit", "8", "--variants", "none"])
            .gives(State::Warning, &["cannot connect to 127.0.0.1:", "[::1]: no limit on errors"]);
        run.long("[::1]: takes 5 recipients for one message");
        assert_eq!(run.parsed.value("recipients_taken"), Some(5.0));
    });
}

#[test]
fn greylisting_gets_to_know_every_recipient() {
    with_addresses(&[V4, V6], || {
        let grey = |address| ExchangerOptions {
            greylisting: Some(Greylisting { delay: Duration::ZERO, ..Greylisting::default() }),
            ..closed(address)
        };
        let servers = Exchanger::start_all(&[grey(V4), grey(V6)]);
        let port = servers[0].port();
        check(port).gives(State::Unknown, &["refuses mail for its own probe@lab.test: \"450 4.2.0"]);
        let run = check(port).arg("-v").gives(State::Ok, &["refuses to relay", "(12 probes)"]);
        run.long("[::1]: random local recipient").silent_about("450 4.2.0");
    });
}
