//! Each lie of the lab's attacker does to kernels and to other tools what was measured of the real ones.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use std::net::Ipv4Addr;
use std::time::Duration;

use lab::arp::frame::unrelated;
use lab::arp::peers::{arp_scan, arping_finds_it_free, nmap};
use lab::arp::plan::{attacker, gateway, monitor};
use lab::arp::spoofer::Spoofer;
use lab::arp::{Arp, Asker, Claim, Host, Mac, Network, Responder, Sender, left_out};

fn poisonable() -> Network {
    Network::poisonable(|gateway| gateway.ipv4().into())
}

/// Tells the frame from the attacker and returns the state of the monitor's entry, which has to be poisoned.
fn poisoned_by(lie: impl FnOnce([&Host; 3]) -> Arp) -> String {
    let network = poisonable();
    let [gateway, monitor, attacker] = network.parties();
    attacker.send(lie([gateway, monitor, attacker]));
    let state = monitor.wait_neighbour(gateway.ipv4(), attacker.mac()).state;
    only_the_table_knows(&network);
    state
}

/// Scanners that stop at the first answer show nothing; the same run heals the table it should have looked at.
fn only_the_table_knows(network: &Network) {
    let [gateway, monitor, _] = network.parties();
    assert_eq!(arp_scan(monitor, "10.99.0.1"), [(gateway.ipv4(), gateway.mac())]);
}

#[test]
fn a_unicast_reply_poisons_what_is_known() {
    if left_out() {
        return;
    }
    let state = poisoned_by(|[gateway, monitor, attacker]| {
        Arp::reply(gateway.ipv4(), attacker.mac(), (monitor.ipv4(), monitor.mac()))
    });
    assert_eq!(state, "REACHABLE");
}

#[test]
fn a_gratuitous_reply_poisons_what_is_known() {
    if left_out() {
        return;
    }
    let state = poisoned_by(|[gateway, _, attacker]| Arp::gratuitous_reply(gateway.ipv4(), attacker.mac()));
    assert_eq!(state, "STALE");
}

#[test]
fn a_gratuitous_request_poisons_what_is_known() {
    if left_out() {
        return;
    }
    let state = poisoned_by(|[gateway, _, attacker]| Arp::gratuitous_request(gateway.ipv4(), attacker.mac()));
    assert_eq!(state, "STALE");
}

#[test]
fn a_forged_ethernet_source_hides_nothing_from_the_kernel() {
    if left_out() {
        return;
    }
    let state = poisoned_by(|[gateway, monitor, attacker]| {
        let reply = Arp::reply(gateway.ipv4(), attacker.mac(), (monitor.ipv4(), monitor.mac()));
        reply.from(gateway.mac())
    });
    assert_eq!(state, "REACHABLE");
}

#[test]
fn an_empty_table_believes_a_request_only() {
    if left_out() {
        return;
    }
    let network = Network::start([gateway(), monitor(), attacker()]);
    let [gateway, monitor, attacker] = network.parties();
    let (address, victim) = (gateway.ipv4(), (monitor.ipv4(), monitor.mac()));
    attacker.send(Arp::reply(address, attacker.mac(), victim));
    attacker.send(Arp::gratuitous_reply(address, attacker.mac()));
    // Frames of one sender keep their order: when this one has its effect, those before had their chance.
    let other = Ipv4Addr::new(10, 99, 0, 2);
    attacker.send(Arp::request(other, attacker.mac(), victim.0).to(victim.1));
    monitor.wait_neighbour(other, attacker.mac());
    assert_eq!(monitor.neighbour(address), None);
    attacker.send(Arp::request(address, attacker.mac(), victim.0).to(victim.1));
    assert_eq!(monitor.wait_neighbour(address, attacker.mac()).state, "STALE");
}

#[test]
fn arpspoof_shows_in_the_table_and_in_no_scan() {
    if left_out() {
        return;
    }
    let network = poisonable();
    let [gateway, monitor, attacker] = network.parties();
    let mut spoofer = Spoofer::start(attacker, monitor.ipv4(), gateway.ipv4());
    assert_eq!(monitor.wait_neighbour(gateway.ipv4(), attacker.mac()).state, "REACHABLE");
    only_the_table_knows(&network);
    assert_eq!(nmap(monitor, gateway.ipv4()), Some(gateway.mac()));
    spoofer.wait_sent(2);
    monitor.wait_neighbour(gateway.ipv4(), attacker.mac());
}

#[test]
fn who_forwards_is_a_hop() {
    if left_out() {
        return;
    }
    let network = Network::start([gateway(), monitor(), attacker()]);
    let [gateway, monitor, attacker] = network.parties();
    gateway.believe_at_once();
    monitor.believe_at_once();
    monitor.meet(gateway.ipv4());
    let ping = || monitor.run("ping", &["-n", "-c", "1", "-W", "2", &gateway.ipv4().to_string()]);
    assert!(ping().contains("ttl=64"));
    for (victim, other) in [(gateway, monitor), (monitor, gateway)] {
        attacker.send(Arp::reply(other.ipv4(), attacker.mac(), (victim.ipv4(), victim.mac())));
        victim.wait_neighbour(other.ipv4(), attacker.mac());
    }
    assert!(ping().contains("ttl=63"));
}

#[test]
fn a_pinned_entry_stays_true() {
    if left_out() {
        return;
    }
    let network = poisonable();
    let [gateway, monitor, attacker] = network.parties();
    monitor.pin(gateway.ipv4(), gateway.mac());
    attacker.send(Arp::gratuitous_reply(gateway.ipv4(), attacker.mac()));
    attacker.send(Arp::request(Ipv4Addr::new(10, 99, 0, 2), attacker.mac(), monitor.ipv4()));
    monitor.wait_neighbour(Ipv4Addr::new(10, 99, 0, 2), attacker.mac());
    assert_eq!(monitor.neighbour(gateway.ipv4()).unwrap().mac, Some(gateway.mac()));
}

#[test]
fn who_claims_our_own_address_leaves_no_trace_in_our_table() {
    if left_out() {
        return;
    }
    let network = poisonable();
    let [_, monitor, attacker] = network.parties();
    attacker.send(Arp::gratuitous_reply(monitor.ipv4(), attacker.mac()));
    attacker.send(Arp::request(attacker.ipv4(), attacker.mac(), monitor.ipv4()));
    monitor.wait_neighbour(attacker.ipv4(), attacker.mac());
    assert_eq!(monitor.neighbour(monitor.ipv4()), None);
    assert_eq!(arp_scan(monitor, "10.99.0.10"), []);
}

#[test]
fn a_responder_that_waits_is_missed_by_who_stops_at_the_first_answer() {
    if left_out() {
        return;
    }
    let network = poisonable();
    let [gateway, monitor, attacker] = network.parties();
    let thief = Responder::claiming(Claim::Network(gateway.ipv4(), 32), attacker.mac());
    let question = Asker::new(monitor, (gateway.ipv4(), 32), Sender::Nobody);
    let both = [(gateway.ipv4(), gateway.mac()), (gateway.ipv4(), attacker.mac())];

    let at_once = attacker.respond(&thief);
    // A whole range, or it would be over before anybody has answered twice.
    let mut seen = arp_scan(monitor, "10.99.0.0/29");
    seen.sort();
    assert_eq!(seen, both);
    assert_eq!(monitor.ask(&question).pairs, 2);
    assert_eq!(at_once.stop()["answers"], 2);

    let late = attacker.respond(&thief.after(Duration::from_millis(60)));
    assert_eq!(arp_scan(monitor, "10.99.0.1"), both[..1]);
    assert!(!arping_finds_it_free(monitor, gateway.ipv4()));
    let answers = monitor.ask(&question.window(Duration::from_millis(400)));
    assert_eq!((answers.addresses, answers.pairs), (1, 2));
    assert_eq!(late.stop()["drops"], 0);
}

#[test]
fn a_storm_holds_the_table() {
    if left_out() {
        return;
    }
    let network = poisonable();
    let [gateway, monitor, attacker] = network.parties();
    let lie = Arp::gratuitous_reply(gateway.ipv4(), attacker.mac()).bytes();
    let storm = attacker.send_endlessly(&[lie], 100);
    monitor.wait_neighbour(gateway.ipv4(), attacker.mac());
    // A question to the gateway heals for 10 ms at most.
    assert_eq!(arp_scan(monitor, "10.99.0.1"), [(gateway.ipv4(), gateway.mac())]);
    monitor.wait_neighbour(gateway.ipv4(), attacker.mac());
    std::thread::sleep(Duration::from_millis(300));
    let sent = storm.stop()["sent"];
    assert!((25..).contains(&sent), "{sent} frames are no storm");
}

#[test]
fn a_wild_proxy_claims_everything_but_who_asks() {
    if left_out() {
        return;
    }
    let network = Network::start([monitor(), attacker()]);
    let (monitor, attacker) = (network.host("mon"), network.host("att"));
    let range = (Ipv4Addr::new(10, 99, 0, 0), 24);
    let proxy = attacker.respond(&Responder::claiming(Claim::Network(range.0, range.1), attacker.mac()));
    assert_eq!(
        arp_scan(monitor, "10.99.0.0/24").len(),
        255 + 1,
        "its own kernel answers for 10.99.0.66, too"
    );
    let answers = monitor.ask(&Asker::new(monitor, range, Sender::Own));
    assert_eq!((answers.addresses, answers.macs), (255, 1));
    assert!(!arping_finds_it_free(monitor, Ipv4Addr::new(10, 99, 0, 200)));
    assert_eq!(proxy.stop()["addresses"], 255);
}

#[test]
fn a_sender_may_be_nobody_or_everybody() {
    if left_out() {
        return;
    }
    let network = Network::start([monitor(), attacker()]);
    let (monitor, attacker) = (network.host("mon"), network.host("att"));
    let address = Ipv4Addr::new(10, 99, 0, 90);
    for mac in [Mac::ZERO, Mac::BROADCAST, Mac([0x03, 0xbf, 10, 99, 0, 90])] {
        let claim = Responder::claiming(Claim::Network(address, 32), mac).from(attacker.mac());
        let claiming = attacker.respond(&claim);
        assert_eq!(arp_scan(monitor, "10.99.0.90"), [(address, mac)]);
        assert_eq!(claiming.stop()["answers"], 1);
    }
}

#[test]
fn unrelated_traffic_floods_the_monitor() {
    if left_out() {
        return;
    }
    let network = Network::start([monitor(), attacker()]);
    let (monitor, attacker) = (network.host("mon"), network.host("att"));
    let received = || {
        let text = monitor.run("cat", &["/sys/class/net/eth0/statistics/rx_packets"]);
        text.trim().parse::<u64>().unwrap()
    };
    let flood = attacker.send_endlessly(&[unrelated(attacker.mac(), monitor.mac())], 0);
    let before = received();
    std::thread::sleep(Duration::from_millis(200));
    let after = received();
    assert!(after - before > 2_000, "{} frames in 0.2 s are no flood", after - before);
    assert!(flood.stop()["sent"] >= after - before);
}
