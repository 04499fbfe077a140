//! check_mx against real servers: NSD, BIND and Unbound with the zone, one of them with
//! another one, and a whole delegation tree with roots of its own.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Command;

use lab::dns::named::{Named, NamedOptions};
use lab::dns::nsd::Nsd;
use lab::dns::unbound::{Unbound, UnboundOptions};
use lab::dns::{NameServer, ZoneFile};
use lab::namespace::with_resolvers;
use lab::output::State;
use lab::process::left_out_without_root;
use tests::{Check, Run};

const HOSTS: &str = "@ MX 10 mx1\n@ MX 20 mx2\nmx1 A 8.8.8.1\nmx1 AAAA 2a00:1450::1\nmx2 A 8.8.8.2\n";

fn zone(records: &str) -> ZoneFile {
    ZoneFile::new("shop.lab.test", records)
}

fn check(servers: &[&dyn NameServer], domain: &str) -> Check {
    let check = Check::new("check_mx").args(["-d", domain, "--query-timeout", "0.7", "--tries", "1"]);
    servers.iter().fold(check, |check, server| check.args(["--resolver", &server.addr().to_string()]))
}

fn counts(run: &Run, wanted: &[(&str, f64)]) {
    for (label, value) in wanted {
        assert_eq!(run.parsed.value(label), Some(*value), "{label}\n{}", run.outcome.report());
    }
}

/// Asserts words anywhere in the output.
fn tells(run: &Run, words: &str) {
    assert!(run.outcome.text().contains(words), "no {words:?}\n{}", run.outcome.report());
}

/// The zone at NSD and BIND, and an Unbound in front of NSD.
struct Three {
    nsd: Nsd,
    named: Named,
    unbound: Unbound,
}

impl Three {
    fn start(nsd: &str, named: &str) -> Self {
        let nsd = Nsd::start(&[zone(nsd)]);
        let named = Named::start(&NamedOptions::default().primary(zone(named)));
        let unbound = Unbound::start(&UnboundOptions::default().stub("lab.test", nsd.addr()));
        Self { nsd, named, unbound }
    }

    fn check(&self) -> Check {
        check(&[&self.nsd, &self.named, &self.unbound], "shop.lab.test")
    }
}

#[test]
fn three_servers_agree() {
    let three = Three::start(HOSTS, HOSTS);
    let run =
        three.check().gives(State::Ok, &["2 mail exchangers: 10 mx1.shop.lab.test", "3 resolvers agree"]);
    counts(&run, &[("mx", 2.0), ("addresses", 3.0), ("resolvers_ok", 3.0), ("ttl_min", 300.0)]);
    three
        .check()
        .args(["--expect", "10 mx1.shop.lab.test", "--expect", "20 mx2.shop.lab.test"])
        .gives(State::Ok, &[]);
    // Frozen servers keep the others' word.
    three.unbound.pause();
    three.check().gives(State::Warning, &["failed: timeout"]);
    three.named.pause();
    three.check().gives(State::Unknown, &["1 of 3 resolvers answered"]);
}

#[test]
fn one_of_three_servers_disagrees() {
    let three = Three::start(HOSTS, &HOSTS.replace("20 mx2", "20 old").replace("mx2 A", "old A"));
    let named = three.named.addr().to_string();
    three.check().gives(State::Critical, &["differ", "20 old.shop.lab.test by", &named]);
    three.check().args(["--quorum", "majority"]).gives(State::Ok, &["2 mail exchangers"]);
}

#[test]
fn faults_of_a_zone_through_each_server() {
    let records =
        "@ MX 10 mx1\n@ MX 20 gone\n@ MX 30 alias\n@ MX 40 192.0.2.1.\nmx1 A 8.8.8.1\nalias CNAME mx1\n";
    // BIND does not load such a zone unless told to.
    let bind = NamedOptions::default()
        .option_line("check-mx ignore; check-mx-cname ignore; check-integrity no;")
        .primary(zone(records));
    let nsd = Nsd::start(&[zone(records), ZoneFile::new("null.lab.test", "@ MX 0 .")]);
    let named = Named::start(&bind);
    let unbound = Unbound::start(&UnboundOptions::default().stub("lab.test", nsd.addr()));
    let servers: [&dyn NameServer; 3] = [&nsd, &named, &unbound];
    for server in servers {
        let run = check(&[server], "shop.lab.test").gives(
            State::Critical,
            &[
                "MX 20 gone.shop.lab.test has no address (NXDOMAIN)",
                "MX 30 alias.shop.lab.test is an alias (CNAME to mx1.shop.lab.test)",
                "MX 40 192.0.2.1 is an IP address",
            ],
        );
        counts(&run, &[("mx", 4.0), ("addresses", 1.0), ("resolvers_ok", 1.0)]);
        check(&[server], "missing.shop.lab.test").gives(State::Critical, &["does not exist (NXDOMAIN)"]);
        check(&[server], "mx1.shop.lab.test").gives(State::Warning, &["its mail goes to its own address"]);
    }
    check(&[&nsd], "null.lab.test").args(["--expect", "null"]).gives(State::Ok, &["as expected"]);
    // Unbound refuses what is not the lab's.
    check(&[&unbound], "example.org").gives(State::Unknown, &["REFUSED"]);
}

// The tree

const ROOT: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);
const TEST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 12);

/// The n-th server of the domains below `test`.
const fn server(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, 20 + number)
}

fn port_53(address: Ipv4Addr) -> SocketAddr {
    SocketAddr::new(address.into(), 53)
}

/// A domain at the servers of this zone file, which it lists itself.
fn domain(name: &str, serial: u32, servers: &[u8], hosts: &str) -> ZoneFile {
    let soa = format!("@ SOA ns1.host.test. admin.host.test. {serial} 7200 3600 604800 60\n");
    let servers: String = servers.iter().map(|number| format!("@ NS ns{number}.host.test.\n")).collect();
    ZoneFile::new(name, &format!("{soa}{servers}{hosts}"))
}

fn delegate(name: &str, servers: &[u8]) -> String {
    servers.iter().map(|number| format!("{name} NS ns{number}.host.test.\n")).collect()
}

/// Root and top level domain, and four servers: NSD, BIND, one that serves nothing, and one
/// whose copies are old.
struct Tree {
    _root: Nsd,
    _test: Nsd,
    _first: Nsd,
    second: Named,
    _lame: Nsd,
    _stale: Nsd,
    resolver: Unbound,
}

impl Tree {
    fn start() -> Self {
        // BIND listens only where an interface has the address itself.
        let address = format!("{}/8", server(2));
        let added = Command::new("ip").args(["address", "add", &address, "dev", "lo"]).status();
        assert!(added.unwrap().success());
        let soa = "@ SOA ns. admin. 1 7200 3600 604800 60\n";
        let root = format!("{soa}@ NS root0.\nroot0. A {ROOT}\ntest. NS ns.test.\nns.test. A {TEST}\n");
        let mut hosts: String = (1..=4).map(|number| format!("ns{number} A {}\n", server(number))).collect();
        hosts += &format!("ns5 A {}\n", server(2));
        let host = domain("host.test", 1, &[1, 2], &hosts);
        let mut test = format!("@ SOA ns admin 1 7200 3600 604800 60\n@ NS ns\nns A {TEST}\n");
        test += &delegate("host", &[1, 2]);
        // The last one is out of date.
        test += &format!("ns1.host A {}\nns2.host A {}\nns5.host A 127.0.0.29\n", server(1), server(2));
        test += &delegate("good", &[1, 2]);
        test += &delegate("bad", &[1, 2, 3, 4]);
        test += &delegate("lame", &[3]);
        test += &delegate("moved", &[1, 4]);
        test += &delegate("glue", &[1, 5]);
        let good = domain("good.test", 7, &[1, 2], HOSTS);
        let bad = domain("bad.test", 7, &[1, 2, 3, 4], HOSTS);
        let glue = domain("glue.test", 7, &[1, 5], HOSTS);
        let moved = domain("moved.test", 7, &[1, 2], HOSTS);
        let old = domain("bad.test", 6, &[1, 2, 3, 4], &HOSTS.replace("20 mx2", "20 mx1"));
        let second = [&host, &good, &bad, &glue, &moved].into_iter().cloned();
        Self {
            _root: Nsd::start_at(port_53(ROOT), &[ZoneFile::new(".", &root)]),
            _test: Nsd::start_at(port_53(TEST), &[ZoneFile::new("test", &test)]),
            second: Named::start(
                &second.fold(NamedOptions::default(), NamedOptions::primary).listening_at(port_53(server(2))),
            ),
            _first: Nsd::start_at(port_53(server(1)), &[host, good, bad, glue, moved.clone()]),
            _lame: Nsd::start_at(port_53(server(3)), &[ZoneFile::new("other.test", "")]),
            _stale: Nsd::start_at(port_53(server(4)), &[old, moved]),
            // Which server it asks must not be chance where they differ, or some are not there.
            resolver: Unbound::start(
                &UnboundOptions::default()
                    .from_roots(&[ROOT.into()])
                    .stub("bad.test", port_53(server(1)))
                    .stub("glue.test", port_53(server(1))),
            ),
        }
    }

    fn check(&self, domain: &str) -> Check {
        check(&[&self.resolver], domain).arg("--authoritative")
    }
}

/// One network for all of it: a tree costs a second to grow.
#[test]
fn the_delegation_is_walked() {
    if left_out_without_root("a delegation tree on port 53") {
        return;
    }
    with_resolvers(&[IpAddr::V4(Ipv4Addr::LOCALHOST)], || {
        let tree = Tree::start();
        all_servers_serve(&tree);
        lame_and_old_servers(&tree);
        delegation_and_zone_differ(&tree);
        glue_is_out_of_date(&tree);
        nobody_serves(&tree);
        inside_a_zone(&tree);
        // Last: one falls silent.
        tree.second.pause();
        let run = tree.check("good.test").gives(
            State::Warning,
            &["name server ns2.host.test (127.0.0.22) does not serve good.test: timeout"],
        );
        counts(&run, &[("servers", 2.0), ("servers_ok", 1.0)]);
    });
}

fn all_servers_serve(tree: &Tree) {
    let run = tree.check("good.test").arg("-v").gives(State::Ok, &["2 of 2 authoritative servers serve it"]);
    counts(&run, &[("mx", 2.0), ("servers", 2.0), ("servers_ok", 2.0), ("resolvers_ok", 1.0)]);
    tells(&run, "ns.test of test delegates good.test to: ns1.host.test, ns2.host.test");
    tells(&run, "ns1.host.test (127.0.0.21): serial 7, 10 mx1.good.test, 20 mx2.good.test");
}

fn lame_and_old_servers(tree: &Tree) {
    let run = tree.check("bad.test").gives(
        State::Critical,
        &[
            "authoritative servers differ about bad.test",
            "10 mx1.bad.test, 20 mx1.bad.test by ns4.host.test (127.0.0.24)",
        ],
    );
    tells(&run, "name server ns3.host.test (127.0.0.23) does not serve bad.test: REFUSED");
    tells(&run, "SOA serials differ: 6 at ns4.host.test (127.0.0.24); 7 at ns1.host.test (127.0.0.21), ns2");
    counts(&run, &[("servers", 4.0), ("servers_ok", 3.0)]);
}

fn delegation_and_zone_differ(tree: &Tree) {
    let run = tree.check("moved.test").gives(
        State::Warning,
        &["ns2.host.test is a name server of moved.test, but test does not delegate to it"],
    );
    tells(&run, "test delegates moved.test to ns4.host.test, which is not among the zone's own name servers");
    counts(&run, &[("servers", 3.0), ("servers_ok", 3.0)]);
}

fn glue_is_out_of_date(tree: &Tree) {
    let run = tree
        .check("glue.test")
        .gives(State::Warning, &["glue of ns5.host.test in test is 127.0.0.29, which is no address of it"]);
    tells(&run, "ns5.host.test (127.0.0.29) does not serve glue.test: Connection refused");
    counts(&run, &[("servers", 2.0), ("servers_ok", 1.0)]);
}

fn nobody_serves(tree: &Tree) {
    let run = tree
        .check("lame.test")
        .gives(State::Unknown, &["SERVFAIL", "none of 1 authoritative server answers for lame.test"]);
    tells(&run, "name server ns3.host.test (127.0.0.23) does not serve lame.test: REFUSED");
    counts(&run, &[("servers", 1.0), ("servers_ok", 0.0)]);
    // No zone of its own, because it does not exist: the servers of test say so.
    tree.check("nothing.test").gives(State::Critical, &["nothing.test does not exist (NXDOMAIN)"]);
}

/// A name that is no zone is asked for at the servers of the zone around it.
fn inside_a_zone(tree: &Tree) {
    let run = tree.check("mx1.good.test").gives(State::Warning, &["its mail goes to its own address"]);
    counts(&run, &[("servers", 2.0), ("servers_ok", 2.0)]);
}
