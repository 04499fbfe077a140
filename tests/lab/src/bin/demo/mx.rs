//! A domain whose mail goes the right way, and others whose mail does not, behind embedded name
//! servers and mail exchangers.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use lab::dns::{Behaviour, Flags, Names, Rdata, Reaction, Record, Responder, ResponderOptions, Zones};
use lab::output::State;
use lab::peer::{Peer, Script};
use lab::plugin::Plugin;

use super::{Scene, show_all};

/// Mail exchangers, and the address of each: all of them are here, and loopback is not public.
const MX1: &str = "127.0.1.1";
const MX2: &str = "127.0.1.2";
/// Name servers of the domain, on the port of the one above.
const NS1: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 11);
const NS2: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 12);

pub(crate) fn play() -> (usize, usize) {
    let resolver = Responder::start(world());
    let third = Responder::start(world());
    let old = Responder::start(world_of("20 mx0.example.org"));
    let port = free_port();
    let _first = server(NS1, port, holds(2026));
    let _second = server(NS2, port, holds(2025));
    let _above = server(Ipv4Addr::LOCALHOST, port, Zones::new().zone("example.org", delegation()));
    let smtp = free_port();
    let _mx1 = greets(MX1, smtp, "220 mx1.example.org ESMTP Postfix");
    let _mx2 = greets(MX2, smtp, "220 ****************************2*0*");

    let check = |domain: &str| {
        let resolver = resolver.addr().to_string();
        Plugin::new("check_mx").args(["-d", domain, "--resolver", &resolver, "--allow-private"])
    };
    let both = check("example.org").args(["--resolver", &old.addr().to_string()]);
    let (smtp, port) = (smtp.to_string(), port.to_string());
    let scenes = [
        Scene::new("Two hosts, both with an address of their own", check("example.org"), State::Ok),
        Scene::new(
            "One resolver keeps old records: the word of both is wanted",
            both.clone(),
            State::Critical,
        ),
        Scene::new(
            "With a third one the majority has the word",
            both.args(["--resolver", &third.addr().to_string(), "--quorum", "majority"]),
            State::Ok,
        ),
        Scene::new(
            "Not the records that were agreed on",
            check("example.org").args(["--expect", "10 mx1.example.org", "--expect", "10 mx2.example.org"]),
            State::Warning,
        ),
        Scene::new("A host that is gone, an alias, an address", check("broken.example"), State::Critical),
        Scene::new(
            "A domain that should take no mail, and says so",
            check("null.example").args(["--expect", "null"]),
            State::Ok,
        ),
        Scene::new("No MX record: the web server gets the mail", check("web.example"), State::Warning),
        Scene::new(
            "All its name servers: one still has the zone of yesterday",
            check("example.org").args(["--authoritative", "--dns-port", &port]),
            State::Warning,
        ),
        Scene::new(
            "Both greet, one through a firewall that masks its banner",
            check("example.org").args(["--connect", "-p", &smtp]),
            State::Warning,
        ),
        Scene::new("Nobody listens", check("example.org").args(["--connect", "-p", "1"]), State::Critical),
    ];
    show_all(
        "check_mx: does mail for this domain find a host, and is it the same one for everybody?",
        &scenes,
    )
}

fn own(name: &str, record: Record) -> Record {
    record.owned_by(name)
}

fn records(second: &str) -> Vec<Record> {
    let (preference, host) = second.split_once(' ').expect("a preference and a host");
    let preference = preference.parse().expect("a preference");
    vec![
        Record::mx(10, "mx1.example.org"),
        Record::mx(preference, host),
        own("mx1.example.org", Record::address(MX1)),
        own(host, Record::address(MX2)),
        Record::ns("ns1.example.org"),
        Record::ns("ns2.example.org"),
        own("ns1.example.org", Record::address(&NS1.to_string())),
        own("ns2.example.org", Record::address(&NS2.to_string())),
    ]
}

fn world() -> Zones {
    world_of("20 mx2.example.org")
}

/// What a resolver knows.
fn world_of(second: &str) -> Zones {
    let broken = [
        Record::mx(10, "gone.broken.example"),
        Record::mx(20, "www.broken.example"),
        Record::mx(30, "192.0.2.25"),
        own("www.broken.example", Record::cname("host.broken.example")),
        own("host.broken.example", Record::address(MX1)),
    ];
    Zones::new()
        .zone("example.org", Names::new(records(second)))
        .zone("org", Names::new([Record::ns("a.org"), own("a.org", Record::address("127.0.0.1"))]))
        .zone("broken.example", Names::new(broken))
        .zone("null.example", Names::new([Record::mx(0, "")]))
        .zone("web.example", Names::new([Record::address("127.0.0.80")]))
}

/// What a server of the domain holds.
fn holds(serial: u32) -> Zones {
    let (primary, mailbox) = ("ns1.example.org".to_owned(), "hostmaster.example.org".to_owned());
    let soa = Record::new(Rdata::Soa { primary, mailbox, serial, minimum: 60 });
    let all: Vec<Record> = records("20 mx2.example.org").into_iter().chain([soa]).collect();
    Zones::new().zone("example.org", Names::new(all).map(|reaction| reaction.flags(Flags::AUTHORITATIVE)))
}

fn delegation() -> Reaction {
    let ns = ["ns1.example.org", "ns2.example.org"];
    let glue = [own(ns[0], Record::address(&NS1.to_string())), own(ns[1], Record::address(&NS2.to_string()))];
    Reaction::referral(ns.map(|name| own("example.org", Record::ns(name))), glue)
}

fn server(address: Ipv4Addr, port: u16, behaviour: impl Behaviour) -> Responder {
    let options = ResponderOptions { address: (address, port).into(), ..ResponderOptions::default() };
    Responder::start_with(options, behaviour)
}

fn greets(address: &str, port: u16, banner: &str) -> Peer {
    let address = SocketAddr::new(address.parse().expect("an address"), port);
    let script = Script::new().send(format!("{banner}\r\n")).expect("QUIT").send("221 2.0.0 Bye\r\n");
    Peer::start_on(address, script)
}

/// A port that is free at every address of loopback.
fn free_port() -> u16 {
    TcpListener::bind("0.0.0.0:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}
