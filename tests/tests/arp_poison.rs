//! check_arp_dupes on networks with a liar on them: what other tools miss, it says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

use std::net::Ipv4Addr;
use std::time::Duration;

use lab::arp::ndp::{Advertisement, Preference, RouterAdvertisement, link_local};
use lab::arp::plan::{attacker, duplicates, gateway, monitor, ordinary, server};
use lab::arp::spoofer::Spoofer;
use lab::arp::{Arp, Claim, Responder, left_out};
use lab::output::State;
use tests::arp::Lan;

const GATEWAY: &str = "10.99.0.1";
const TRUE_MAC: &str = "02:00:00:00:00:01";
const LIAR: &str = "02:66:66:66:66:66";

#[test]
fn ok_a_clean_network_by_table_and_wire() {
    if left_out() {
        return;
    }
    let lan = Lan::with([gateway(), server(), ordinary(1)]);
    lan.gives(&["-4"], State::Unknown, &["the neighbour table is empty"]);
    for name in ["gw", "srv", "h1"] {
        lan.monitor().meet(lan.host(name).ipv4());
    }
    let run = lan.gives(
        &[],
        State::Ok,
        &["eth0: 3 addresses of 3 stations", "gateway 10.99.0.1 is 02:00:00:00:00:01"],
    );
    assert_eq!((run.parsed.value("ips"), run.parsed.value("macs")), (Some(3.0), Some(3.0)));
    let run = lan.gives(&["--verify"], State::Ok, &["by table and wire", "listened for"]);
    assert_eq!(run.parsed.value("conflicts"), Some(0.0));
    assert!(run.parsed.value("probes").unwrap() <= 12.0, "{}", run.outcome.report());
    let run = lan.gives(&["--sweep", "10.99.0.0/26", "--window", "0.5"], State::Ok, &[]);
    // Gateway, server, one more; the monitor does not ask itself.
    assert_eq!((run.parsed.value("probes"), run.parsed.value("replies")), (Some(125.0), Some(3.0)));
}

#[test]
fn warning_a_duplicate_address() {
    if left_out() {
        return;
    }
    let lan = Lan::with([gateway()].into_iter().chain(duplicates()));
    let macs = [lan.host("dupa").mac().to_string(), lan.host("dupb").mac().to_string()];
    let words = ["10.99.0.50", "[conflict]", macs[0].as_str(), macs[1].as_str()];
    lan.monitor().meet(lan.host("dupa").ipv4());
    lan.gives(&["-4"], State::Ok, &[]);
    let run = lan.gives(&["--sweep", "10.99.0.48/29", "--window", "0.5"], State::Warning, &words);
    assert_eq!(run.parsed.value("conflicts"), Some(1.0));
    let pin = format!("10.99.0.50={}", macs[0]);
    lan.gives(
        &["--verify", "--pin", &pin],
        State::Critical,
        &["10.99.0.50 (pinned)", "pinned to", "[pin, conflict]"],
    );
    let pair = format!("10.99.0.50={}", macs[1]);
    lan.gives(&["--sweep", "10.99.0.48/29", "--window", "0.5", "--allow-pair", &pair], State::Ok, &[]);
    lan.gives(
        &["--sweep", "10.99.0.48/29", "--window", "0.5", "--ignore", "conflict:10.99.0.50"],
        State::Ok,
        &[],
    );
}

#[test]
fn critical_arpspoof_by_table_and_by_wire() {
    if left_out() {
        return;
    }
    let lan = Lan::poisonable();
    lan.learn();
    let [gateway, attacker] = lan.parties();
    let _spoofer = Spoofer::start(attacker, lan.monitor().ipv4(), gateway.ipv4());
    lan.monitor().wait_neighbour(gateway.ipv4(), attacker.mac());
    lan.monitor().meet(attacker.ipv4());
    lan.monitor().wait_neighbour(gateway.ipv4(), attacker.mac());
    // Without any memory the attacker's own address gives it away.
    lan.gives(&["--no-state"], State::Critical, &[GATEWAY, LIAR, "also 10.99.0.66", "shared_gw"]);
    let run = lan.gives(
        &["--verify"],
        State::Critical,
        &["10.99.0.1 (gateway)", "table 02:66:66:66:66:66", TRUE_MAC, "conflict"],
    );
    assert_eq!(run.parsed.value("conflicts"), Some(1.0));
}

/// What is said of one frame of the attacker by the table alone and with the wire.
fn one_lie(lan: &Lan) {
    // It stays so from run to run: nothing is learned of it.
    for _ in 0..2 {
        let run = lan.gives(
            &[],
            State::Critical,
            &["10.99.0.1 (gateway)", LIAR, "learned as 02:00:00:00:00:01", "gw_changed"],
        );
        assert!(run.outcome.text().contains("--learn"), "{}", run.outcome.report());
    }
    lan.gives(&["--verify", "--no-state"], State::Critical, &[GATEWAY, "wire 02:00:00:00:00:01", "[split"]);
}

#[test]
fn critical_one_unicast_reply() {
    if left_out() {
        return;
    }
    one_lie(&Lan::poisoned_by(|[gateway, attacker], monitor| {
        Arp::reply(gateway.ipv4(), attacker.mac(), (monitor.ipv4(), monitor.mac()))
    }));
}

#[test]
fn critical_one_announcement() {
    if left_out() {
        return;
    }
    one_lie(&Lan::poisoned());
}

#[test]
fn critical_one_request_with_a_forged_frame() {
    if left_out() {
        return;
    }
    one_lie(&Lan::poisoned_by(|[gateway, attacker], _| {
        Arp::gratuitous_request(gateway.ipv4(), attacker.mac()).from(gateway.mac())
    }));
}

#[test]
fn critical_a_responder_that_races_or_waits() {
    if left_out() {
        return;
    }
    let lan = Lan::poisonable();
    lan.learn();
    let [gateway, attacker] = lan.parties();
    let thief = Responder::claiming(Claim::Network(gateway.ipv4(), 32), attacker.mac());
    for delay in [0, 50, 1000] {
        let _running = attacker.respond(&thief.clone().after(Duration::from_millis(delay)));
        lan.gives(&["--verify"], State::Critical, &["10.99.0.1 (gateway)", LIAR, TRUE_MAC, "conflict"]);
    }
}

#[test]
fn critical_a_storm_is_heard() {
    if left_out() {
        return;
    }
    let lan = Lan::poisonable();
    lan.learn();
    let [gateway, attacker] = lan.parties();
    let lie = Arp::gratuitous_reply(gateway.ipv4(), attacker.mac()).bytes();
    let _storm = attacker.send_endlessly(&[lie], 100);
    let run = lan.gives(&["--listen", "2.2"], State::Critical, &["gw_changed"]);
    let rate = run.parsed.value("garp_rate").unwrap();
    assert!((80.0..=130.0).contains(&rate), "{rate}: {}", run.outcome.report());
    assert!(run.outcome.text().contains("announced addresses"), "{}", run.outcome.report());
    assert_eq!(run.parsed.value("probes"), Some(0.0));
}

#[test]
fn critical_one_who_answers_for_all() {
    if left_out() {
        return;
    }
    let lan = Lan::with([gateway(), attacker(), server()]);
    lan.monitor().meet(lan.host("gw").ipv4());
    let all = Responder::claiming(Claim::Network(Ipv4Addr::new(10, 99, 0, 0), 24), lan.host("att").mac());
    let _running = lan.host("att").respond(&all);
    let sweep = ["--sweep", "10.99.0.0/24", "--rate", "1000", "--window", "0.5"];
    let run = lan.gives(&sweep, State::Critical, &[]);
    let text = run.outcome.text();
    assert!(text.contains("02:66:66:66:66:66 answers for 25") && text.contains("[proxy]"), "{text}");
    // Ours, too.
    assert!(text.contains("10.99.0.10 (ours)") && text.contains("own"), "{text}");
    // Not one line for each of 256.
    assert!(text.lines().count() < 12, "{text}");
    lan.gives(&["--verify", "--canary", "10.99.0.99"], State::Critical, &[]);
}

#[test]
fn critical_somebody_claims_our_address() {
    if left_out() {
        return;
    }
    let lan = Lan::poisonable();
    lan.learn();
    let monitor = lan.monitor();
    let thief = Responder::claiming(Claim::Network(monitor.ipv4(), 32), lan.host("att").mac());
    let _running = lan.host("att").respond(&thief);
    lan.gives(
        &["--verify"],
        State::Critical,
        &["10.99.0.10 (ours)", LIAR, "it is an address of this machine", "[own]"],
    );
    lan.gives(&["--verify", "--own", "none"], State::Ok, &[]);
}

#[test]
fn critical_an_advertisement_that_overrides() {
    if left_out() {
        return;
    }
    let lan = Lan::poisonable();
    let [gateway, attacker] = lan.parties();
    lan.monitor().meet(gateway.ipv6());
    lan.learn();
    attacker.send(Advertisement::multicast(gateway.ipv6(), attacker.mac()));
    lan.monitor().wait_neighbour(gateway.ipv6(), attacker.mac());
    let address = gateway.ipv6().to_string();
    lan.gives(&["-6"], State::Critical, &[&address, LIAR, "gw_changed"]);
    lan.gives(
        &["-6", "--verify"],
        State::Critical,
        &[&address, "table 02:66:66:66:66:66", "wire 02:00:00:00:00:01", "split"],
    );
    let thief =
        Responder::claiming(Claim::Ipv6(gateway.ipv6()), attacker.mac()).after(Duration::from_millis(50));
    let _running = attacker.respond(&thief);
    lan.gives(&["-6", "--verify"], State::Critical, &[&address, "conflict"]);
}

#[test]
fn critical_a_router_that_nobody_knows() {
    if left_out() {
        return;
    }
    let lan = Lan::of([gateway(), monitor().accepts_routers(), attacker()]);
    let [gateway, attacker] = lan.parties();
    let advertisement = |host: &lab::arp::Host, preference| RouterAdvertisement {
        router: link_local(host.mac()),
        mac: host.mac(),
        preference,
        lifetime: 1800,
        prefix: Some(("2001:db8:bad::".parse().unwrap(), 64)),
    };
    let _true_router = gateway.respond(&Responder::routing(&advertisement(gateway, Preference::Medium)));
    lan.monitor().meet(gateway.ipv4());
    lan.gives(&["--verify"], State::Ok, &[]);
    let rogue = advertisement(attacker, Preference::High);
    let _rogue = attacker.respond(&Responder::routing(&rogue));
    let router = link_local(attacker.mac()).to_string();
    lan.gives(&["--verify"], State::Critical, &[&router, "advertises itself as a router", "[ra]"]);
    // By the routes it made, without any privilege; and by the operator's list.
    attacker.send(rogue);
    let known = format!("{}=02:00:00:00:00:01", link_local(gateway.mac()));
    lan.gives(&["--verify", "--router", &known], State::Critical, &[&router, "not in the list of --router"]);
    let both = ["--router", known.as_str(), "--router", router.as_str()];
    lan.gives(&[&["--verify"][..], &both].concat(), State::Ok, &[]);
    let prefix = ["--prefix", "2001:db8:99::/64"];
    lan.gives(
        &[&["--verify"][..], &both, &prefix].concat(),
        State::Warning,
        &["2001:db8:bad::/64", "no prefix of --prefix"],
    );
}
