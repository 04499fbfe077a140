//! check_mx --authoritative against scripted servers: a delegation that is broken in ways no
//! real server can be configured to be.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use lab::dns::{
    Behaviour, Flags, Names, Query, Rcode, Rdata, Reaction, Record, RecordType, Responder, ResponderOptions,
    Zones,
};
use lab::output::State;
use tests::mx::{DOMAIN, address, check, healthy, mx, resolver};
use tests::{Check, Run};

/// A zone above with one server, the domain's zone with two, and a resolver that knows all.
struct Site {
    resolver: Responder,
    servers: Vec<Responder>,
    port: u16,
}

/// The n-th server of the zone; 0 is that of the zone above.
const fn at(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 3, number)
}

fn ns(zone: &str, server: &str) -> Record {
    Record::ns(server).owned_by(zone)
}

/// What the zone holds.
fn zone(serial: u32) -> Vec<Record> {
    let soa =
        Rdata::Soa { primary: "ns1.lab.test".into(), mailbox: "admin.lab.test".into(), serial, minimum: 60 };
    let own = [Record::new(soa).owned_by(DOMAIN), ns(DOMAIN, "ns1.lab.test"), ns(DOMAIN, "ns2.lab.test")];
    healthy().into_iter().chain(own).collect()
}

fn holds(records: Vec<Record>) -> impl Behaviour {
    Zones::new()
        .zone(DOMAIN, Names::new(records))
        .zone("lab.test", Reaction::rcode(Rcode::Refused))
        .map(|reaction| reaction.flags(Flags::AUTHORITATIVE))
}

/// The delegation as it should be.
fn delegates() -> Reaction {
    Reaction::referral(
        [ns(DOMAIN, "ns1.lab.test"), ns(DOMAIN, "ns2.lab.test")],
        [address("ns1.lab.test", "127.0.3.1"), address("ns2.lab.test", "127.0.3.2")],
    )
}

impl Site {
    fn new(above: impl Behaviour, first: impl Behaviour, second: impl Behaviour) -> Self {
        let mut known = zone(7);
        known.extend([ns("lab.test", "up.lab.test"), address("up.lab.test", "127.0.3.0")]);
        known.extend([address("ns1.lab.test", "127.0.3.1"), address("ns2.lab.test", "127.0.3.2")]);
        Self::with(known, above, first, second)
    }

    fn with(
        known: Vec<Record>,
        above: impl Behaviour,
        first: impl Behaviour,
        second: impl Behaviour,
    ) -> Self {
        let port = UdpSocket::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port();
        let options = |number| ResponderOptions {
            address: SocketAddr::new(at(number).into(), port),
            ..ResponderOptions::default()
        };
        let servers = vec![
            Responder::start_with(options(0), above),
            Responder::start_with(options(1), first),
            Responder::start_with(options(2), second),
        ];
        Self { resolver: resolver(known), servers, port }
    }

    fn check(&self) -> Check {
        check(&[self.resolver.addr()]).args(["--authoritative", "--dns-port", &self.port.to_string()])
    }
}

fn servers(run: &Run) -> [Option<f64>; 2] {
    ["servers", "servers_ok"].map(|label| run.parsed.value(label))
}

#[test]
fn ok_all_say_the_same() {
    let site = Site::new(delegates(), holds(zone(7)), holds(zone(7)));
    let run = site.check().gives(State::Ok, &["2 of 2 authoritative servers serve it"]);
    assert_eq!(servers(&run), [Some(2.0), Some(2.0)]);
    let asked = site.servers.iter().flat_map(Responder::queries);
    assert!(asked.clone().all(|query| !query.recursion_desired), "servers are asked for what they hold");
    assert_eq!(asked.count(), 1 + 2 * 3, "the delegation, then SOA, NS and MX of each");
}

#[test]
fn ok_the_zone_above_at_the_same_server() {
    let above = holds(zone(7));
    let site = Site::new(above, holds(zone(7)), holds(zone(7)));
    site.check().gives(State::Ok, &["2 of 2"]);
}

#[test]
fn warning_lame_servers() {
    let no_authority = || holds(zone(7)).map(|reaction| reaction.flags(Flags::RESOLVER));
    for (bad, words) in [
        (Box::new(no_authority()) as Box<dyn Behaviour>, "it answers without authority"),
        (Box::new(Reaction::rcode(Rcode::Refused)), "REFUSED"),
        (Box::new(Reaction::rcode(Rcode::ServFail)), "SERVFAIL"),
        (Box::new(Reaction::silence()), "timeout"),
        (Box::new(Reaction::nxdomain().flags(Flags::AUTHORITATIVE)), "it answers without authority"),
        (Box::new(delegates()), "referral"),
    ] {
        let bad = Shared(bad);
        let site = Site::new(delegates(), holds(zone(7)), bad);
        let want = format!("name server ns2.lab.test (127.0.3.2) does not serve {DOMAIN}: {words}");
        let run = site.check().gives(State::Warning, &[&want]);
        assert_eq!(servers(&run), [Some(2.0), Some(1.0)]);
    }
}

struct Shared(Box<dyn Behaviour>);

impl Behaviour for Shared {
    fn react(&self, query: &Query, zone: &str) -> Reaction {
        self.0.react(query, zone)
    }
}

#[test]
fn unknown_no_server_answers() {
    let site = Site::new(delegates(), Reaction::silence(), Reaction::rcode(Rcode::Refused));
    let run = site.check().gives(State::Unknown, &["none of 2 authoritative servers answers", "timeout"]);
    assert_eq!(servers(&run), [Some(2.0), Some(0.0)]);
}

#[test]
fn unknown_the_zone_above_says_nothing() {
    for (above, words) in [
        (Reaction::silence(), "timeout"),
        (Reaction::rcode(Rcode::Refused), "REFUSED"),
        (Reaction::nxdomain(), "NXDOMAIN"),
    ] {
        let site = Site::new(above, holds(zone(7)), holds(zone(7)));
        let words = format!("no server of lab.test tells who serves {DOMAIN}: {words}");
        let run = site.check().gives(State::Unknown, &[&words]);
        assert_eq!(servers(&run), [Some(2.0), Some(2.0)]);
    }
}

#[test]
fn critical_the_zone_above_denies_it() {
    let above = Reaction::nxdomain().flags(Flags::AUTHORITATIVE);
    let site = Site::new(above, holds(zone(7)), holds(zone(7)));
    let run =
        site.check().gives(State::Critical, &["up.lab.test of lab.test denies that there is shop.lab.test"]);
    assert_eq!(servers(&run), [Some(2.0), Some(2.0)]);
}

/// A resolver that is dead, and named first, takes its time once and not in each round.
#[test]
fn warning_a_dead_resolver_does_not_make_servers_lame() {
    let site = Site::new(delegates(), holds(zone(7)), holds(zone(7)));
    let dead = Responder::start(Reaction::silence());
    let run = check(&[dead.addr(), site.resolver.addr()])
        .args(["--authoritative", "--dns-port", &site.port.to_string()])
        .timeout(1.5)
        .gives(State::Warning, &["failed: timeout"]);
    assert_eq!(servers(&run), [Some(2.0), Some(2.0)]);
}

#[test]
fn unknown_nobody_to_ask() {
    let known = healthy();
    let site = Site::with(known, delegates(), holds(zone(7)), holds(zone(7)));
    let run =
        site.check().gives(State::Unknown, &["cannot ask the name servers of shop.lab.test", "REFUSED"]);
    assert_eq!(servers(&run), [None, None]);
}

#[test]
fn warning_serials_and_critical_records() {
    let site = Site::new(delegates(), holds(zone(7)), holds(zone(6)));
    site.check().gives(
        State::Warning,
        &["SOA serials differ: 6 at ns2.lab.test (127.0.3.2); 7 at ns1.lab.test (127.0.3.1)"],
    );
    let mut other = zone(7);
    other.push(mx(30, "mx3.lab.test"));
    let site = Site::new(delegates(), holds(zone(7)), holds(other));
    site.check()
        .gives(State::Critical, &["30 mx3.lab.test by ns2.lab.test (127.0.3.2); resolvers say 10 mx1"]);
    // What resolvers keep from yesterday is a difference, too.
    let mut today = zone(8);
    today.retain(|record| record.data != mx(20, "mx2.lab.test").data);
    let site = Site::new(delegates(), holds(today.clone()), holds(today));
    let run = site.check().gives(State::Critical, &["10 mx1.lab.test by ns1", "10 mx1.lab.test by ns2"]);
    run.long("hint: one server alone");
}

#[test]
fn warning_times_to_live_of_the_zone_itself() {
    let mut short = zone(7);
    short[0].ttl = 30;
    let site = Site::new(delegates(), holds(short.clone()), holds(short));
    site.check()
        .gives(State::Warning, &["TTL of MX mx1.lab.test at ns1.lab.test (127.0.3.1) is 30 s, below 60"]);
}

#[test]
fn warning_servers_without_address_and_hostile_names() {
    let above = Reaction::referral(
        ["ns1.lab.test", "ns2.lab.test", "gone.lab.test", "a b\\027[31m.lab.test"]
            .map(|name| ns(DOMAIN, name)),
        [],
    );
    let site = Site::new(above, holds(zone(7)), holds(zone(7)));
    let run = site.check().gives(
        State::Warning,
        &[
            "name server gone.lab.test of shop.lab.test has no address: NXDOMAIN",
            "a name that no host can have",
        ],
    );
    assert_eq!(servers(&run), [Some(4.0), Some(2.0)]);
    assert!(run.outcome.stdout.iter().all(|byte| *byte == b'\n' || *byte >= b' '));
}

/// Nobody can send us round the world.
#[test]
fn a_flood_of_servers_is_bounded() {
    let name = |number: u32| format!("n{number}.lab.test");
    let above = move |query: &Query| {
        assert_eq!(query.record_type, RecordType::Ns);
        let glue = (0..60).flat_map(|number| {
            (0..4).map(move |last| address(&name(number), &format!("127.0.4.{}", 4 * number + last)))
        });
        Reaction::referral((0..60).map(|number| ns(DOMAIN, &name(number))), glue)
    };
    let mut known = zone(7);
    known.extend([ns("lab.test", "up.lab.test"), address("up.lab.test", "127.0.3.0")]);
    let many = (0..8).flat_map(|number| (0..20).map(move |last| (number, last)));
    known.extend(
        many.map(|(number, last)| address(&name(number), &format!("127.0.5.{}", 20 * number + last))),
    );
    let site = Site::with(known, above, Reaction::silence(), Reaction::silence());
    let run = site
        .check()
        .timeout(5.0)
        .gives(State::Unknown, &["addresses of name servers of shop.lab.test not asked"]);
    assert!(servers(&run)[0].unwrap() <= 18.0, "{}", run.outcome.report());
    // 60 names from above and two of the zone's own, of which 16 and those two were asked.
    let left_out = "44 name servers of shop.lab.test not asked";
    assert!(run.outcome.text().contains(left_out), "{}", run.outcome.report());
}
