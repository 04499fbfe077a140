//! Lies about IPv6 neighbours and routers, as kernels take them, and the address that keepalived moves about.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use std::net::Ipv6Addr;
use std::thread;
use std::time::{Duration, Instant};

use lab::arp::ndp::{Advertisement, Preference, RouterAdvertisement, link_local};
use lab::arp::peers::{arp_scan, default_routers, ndisc6};
use lab::arp::plan::{attacker, gateway, monitor, routers};
use lab::arp::vrrp::{ADDRESS, VIRTUAL_MAC, Variant, Vrrp};
use lab::arp::{Asker, Claim, Host, Network, Responder, Sender, left_out};

fn poisonable() -> Network {
    Network::poisonable(|gateway| gateway.ipv6().into())
}

#[test]
fn an_advertisement_to_one_host_overrides_if_it_says_so() {
    if left_out() {
        return;
    }
    let network = poisonable();
    let [gateway, monitor, attacker] = network.parties();
    let victim = (monitor.ipv6(), monitor.mac());
    let polite =
        Advertisement { overrides: false, ..Advertisement::unicast(gateway.ipv6(), attacker.mac(), victim) };
    attacker.send(polite);
    // Frames of one sender keep their order.
    attacker.meet(monitor.ipv6());
    assert_eq!(monitor.neighbour(gateway.ipv6()).unwrap().mac, Some(gateway.mac()));
    attacker.send(Advertisement { solicited: false, overrides: true, ..polite });
    assert_eq!(monitor.wait_neighbour(gateway.ipv6(), attacker.mac()).state, "STALE");
}

#[test]
fn an_advertisement_to_everybody_overrides() {
    if left_out() {
        return;
    }
    let network = poisonable();
    let [gateway, monitor, attacker] = network.parties();
    attacker.send(Advertisement::multicast(gateway.ipv6(), attacker.mac()));
    assert_eq!(monitor.wait_neighbour(gateway.ipv6(), attacker.mac()).state, "STALE");
}

#[test]
fn a_responder_answers_questions_for_a_neighbour() {
    if left_out() {
        return;
    }
    let network = poisonable();
    let [gateway, monitor, attacker] = network.parties();
    let claim = Responder::claiming(Claim::Ipv6(gateway.ipv6()), attacker.mac());
    let thief = attacker.respond(&claim.after(Duration::from_millis(50)));
    let mut seen = ndisc6(monitor, gateway.ipv6());
    seen.sort();
    assert_eq!(seen, [gateway.mac(), attacker.mac()]);
    assert!(thief.stop()["answers"] >= 1);
}

#[test]
fn a_rogue_router_becomes_the_second_default() {
    if left_out() {
        return;
    }
    let network = Network::start([gateway(), monitor().accepts_routers(), attacker()]);
    let [gateway, monitor, attacker] = network.parties();
    let router = link_local(attacker.mac());
    let prefix: Ipv6Addr = "2001:db8:bad::".parse().unwrap();
    attacker.send(RouterAdvertisement {
        router,
        mac: attacker.mac(),
        preference: Preference::High,
        lifetime: 1800,
        prefix: Some((prefix, 64)),
    });
    let until = Instant::now() + Duration::from_secs(2);
    let addresses = || monitor.run("ip", &["-6", "address", "show", "dev", "eth0"]);
    while !addresses().contains("2001:db8:bad::ff:fe00:10/64") {
        assert!(Instant::now() < until, "no address from its prefix: {}", addresses());
        thread::sleep(Duration::from_millis(5));
    }
    let routers = default_routers(monitor, "-6");
    assert!(routers.contains(&gateway.ipv6().into()) && routers.contains(&router.into()), "{routers:?}");
    assert!(monitor.run("ip", &["-6", "route", "show", "default"]).contains("pref high"));
}

#[test]
fn a_router_answers_who_looks_for_one() {
    if left_out() {
        return;
    }
    let network = Network::start([gateway(), monitor(), attacker()]);
    let [gateway, monitor, attacker] = network.parties();
    let advertise = |host: &Host, preference| {
        let (router, mac) = (link_local(host.mac()), host.mac());
        let advertisement = RouterAdvertisement { router, mac, preference, lifetime: 1800, prefix: None };
        host.respond(&Responder::routing(&advertisement))
    };
    let routers = [advertise(gateway, Preference::Medium), advertise(attacker, Preference::High)];
    let text = monitor.run("rdisc6", &["-m", "-w", "300", "-r", "1", "eth0"]);
    for host in [gateway, attacker] {
        assert!(text.contains(&format!("from {}", link_local(host.mac()))), "{text}");
    }
    for router in routers {
        assert_eq!(router.stop()["answers"], 1);
    }
}

#[test]
fn a_router_with_its_virtual_mac_keeps_it_when_the_other_takes_over() {
    if left_out() {
        return;
    }
    assert_eq!(macs_of_a_failover(Variant::VirtualMac), [VIRTUAL_MAC.to_string(), VIRTUAL_MAC.to_string()]);
}

#[test]
fn a_router_without_a_virtual_mac_shows_its_own() {
    if left_out() {
        return;
    }
    assert_eq!(macs_of_a_failover(Variant::PhysicalMac), ["02:00:00:00:00:61", "02:00:00:00:00:62"]);
}

#[test]
fn a_router_that_dies_without_a_word_still_answers() {
    if left_out() {
        return;
    }
    let [first, second] = routers();
    let network = Network::start([monitor(), first, second]);
    let monitor = network.host("mon");
    let mut first = Vrrp::start(network.host("vr1"), Variant::PhysicalMac, 200);
    first.wait_master();
    let mut second = Vrrp::start(network.host("vr2"), Variant::PhysicalMac, 100);
    second.wait_backup();
    first.kill();
    second.wait_master();
    let answers = monitor.ask(&Asker::new(monitor, (ADDRESS, 32), Sender::Nobody));
    assert_eq!((answers.addresses, answers.pairs), (1, 2));
}

/// What answers for the address that wanders, before and after its router dies.
fn macs_of_a_failover(variant: Variant) -> [String; 2] {
    let [first, second] = routers();
    let network = Network::start([monitor(), first, second]);
    let monitor = network.host("mon");
    let mut first = Vrrp::start(network.host("vr1"), variant, 200);
    first.wait_master();
    let mut second = Vrrp::start(network.host("vr2"), variant, 100);
    second.wait_backup();
    let answering = || {
        let seen = arp_scan(monitor, &ADDRESS.to_string());
        assert!(matches!(seen[..], [_]), "one has the address: {seen:?}");
        seen[0].1.to_string()
    };
    let before = answering();
    // An orderly end: who is killed leaves the address behind.
    first.stop();
    second.wait_master();
    [before, answering()]
}
