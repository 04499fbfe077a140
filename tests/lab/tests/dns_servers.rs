//! The real name servers answer as the scenarios expect, alone and one behind another.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use lab::dns::client::{Client, ask, ask_tcp};
use lab::dns::named::{Named, NamedOptions};
use lab::dns::nsd::Nsd;
use lab::dns::rbldnsd::{DataSet, RblZone, Rbldnsd};
use lab::dns::unbound::{Unbound, UnboundOptions};
use lab::dns::{
    Dnsbl, NameServer, Names, Query, Rcode, Rdata, Reaction, Record, RecordType, Responder, Transport,
    ZoneFile, Zones, dnsbl_name,
};

/// Code and sorted addresses.
fn addresses(server: SocketAddr, name: &str) -> (Rcode, Vec<String>) {
    let answer = ask(server, name, RecordType::A).unwrap();
    (answer.rcode, answer.addresses())
}

fn listed(code: &str) -> (Rcode, Vec<String>) {
    (Rcode::NoError, vec![code.to_owned()])
}

fn clean() -> (Rcode, Vec<String>) {
    (Rcode::NxDomain, Vec::new())
}

/// Lists of all three kinds, one without test points, one that lists the world.
fn block_lists() -> Rbldnsd {
    Rbldnsd::start(&[
        RblZone::new("zen.lab.test", DataSet::Ip4Set, "192.0.2.1 :127.0.0.4:bad host $\n198.51.100.0/24"),
        RblZone::new("v6.lab.test", DataSet::Ip6Trie, "2001:db8::/64 :127.0.0.3:net\n2001:db8:1::5"),
        RblZone::new("dbl.lab.test", DataSet::DnSet, ".bad.example :127.0.1.2:spam"),
        RblZone::dead("dead.lab.test", DataSet::Ip4Set, ""),
        RblZone::dead("world.lab.test", DataSet::Ip4Set, "0.0.0.0/1\n128.0.0.0/1"),
        RblZone::new("both.lab.test", DataSet::Ip4Set, "192.0.2.2"),
        RblZone::new("both.lab.test", DataSet::Ip6Trie, "2001:db8::2"),
    ])
}

#[test]
fn rbldnsd_serves_every_kind_of_list() {
    let server = block_lists();
    for (target, list, expected) in [
        ("127.0.0.2", "zen", listed("127.0.0.2")),
        ("127.0.0.1", "zen", clean()),
        ("192.0.2.1", "zen", listed("127.0.0.4")),
        ("198.51.100.77", "zen", listed("127.0.0.2")),
        ("192.0.2.9", "zen", clean()),
        ("::ffff:7f00:2", "v6", listed("127.0.0.2")),
        ("::ffff:7f00:1", "v6", clean()),
        ("2001:db8::77", "v6", listed("127.0.0.3")),
        ("2001:db8:1::5", "v6", listed("127.0.0.2")),
        ("2001:db8:1::6", "v6", clean()),
        ("TEST", "dbl", listed("127.0.0.2")),
        ("INVALID", "dbl", clean()),
        ("www.bad.example", "dbl", listed("127.0.1.2")),
        ("good.example", "dbl", clean()),
        ("127.0.0.2", "dead", clean()),
        ("127.0.0.1", "world", listed("127.0.0.2")),
        ("192.0.2.9", "world", listed("127.0.0.2")),
        ("192.0.2.2", "both", listed("127.0.0.2")),
        ("2001:db8::2", "both", listed("127.0.0.2")),
    ] {
        let name = format!("{}.{list}.lab.test", dnsbl_name(target));
        assert_eq!(addresses(server.addr(), &name), expected, "{name}\n{}", server.log());
    }
    let text = ask(server.addr(), "1.2.0.192.zen.lab.test", RecordType::Txt).unwrap();
    assert_eq!(text.texts(), ["bad host 192.0.2.1"]);
    assert!(text.flags.authoritative);
    assert_eq!(ask(server.addr(), "elsewhere.test", RecordType::A).unwrap().rcode, Rcode::Refused);
    // It does not listen for TCP at all.
    assert!(ask_tcp(server.addr(), "1.2.0.192.zen.lab.test", RecordType::A).is_err());
}

const ZONE: &str = "@ MX 10 mx
@ TXT \"v=spf1 mx -all\"
mx A 192.0.2.1
mx AAAA 2001:db8::1
alias CNAME mx
_25._tcp.mx TLSA 3 1 1 0707070707070707070707070707070707070707070707070707070707070707
many A 127.0.0.2
";

fn zone() -> ZoneFile {
    // Too many addresses for 512 bytes.
    let many: String = (3..100).map(|number| format!("many A 127.0.0.{number}\n")).collect();
    ZoneFile::new("lab.test", &(ZONE.to_owned() + &many))
}

fn serves_the_zone(server: &dyn NameServer) {
    let of = |name: &str, kind| ask(server.addr(), name, kind).unwrap();
    let mx = of("lab.test", RecordType::Mx);
    assert_eq!(mx.records, [Record::mx(10, "mx.lab.test").owned_by("lab.test")], "{}", server.log());
    assert!(mx.flags.authoritative);
    assert_eq!(of("lab.test", RecordType::Txt).texts(), ["v=spf1 mx -all"]);
    assert_eq!(of("mx.lab.test", RecordType::Aaaa).addresses(), ["2001:db8::1"]);
    assert_eq!(of("alias.lab.test", RecordType::A).addresses(), ["192.0.2.1"]);
    let tlsa = Rdata::Tlsa { usage: 3, selector: 1, matching: 1, data: vec![7; 32] };
    assert_eq!(of("_25._tcp.mx.lab.test", RecordType::Tlsa).data(), [tlsa]);
    assert_eq!(of("no.lab.test", RecordType::A).rcode, Rcode::NxDomain);
    let nodata = of("mx.lab.test", RecordType::Txt);
    assert_eq!((nodata.rcode, nodata.records.len(), nodata.authority.len()), (Rcode::NoError, 0, 1));
    assert!(of("many.lab.test", RecordType::A).flags.truncated);
    let whole = ask_tcp(server.addr(), "many.lab.test", RecordType::A).unwrap();
    assert_eq!((whole.flags.truncated, whole.records.len()), (false, 98));
}

#[test]
fn nsd_serves_zones() {
    let nsd = Nsd::start(&[zone(), ZoneFile::new("other.test", "@ A 192.0.2.2")]);
    serves_the_zone(&nsd);
    assert_eq!(addresses(nsd.addr(), "other.test"), listed("192.0.2.2"));
    assert_eq!(addresses(nsd.addr(), "elsewhere.test").0, Rcode::Refused);
}

#[test]
fn named_serves_zones() {
    let options =
        NamedOptions::default().primary(zone()).primary(ZoneFile::new("other.test", "@ A 192.0.2.2"));
    let named = Named::start(&options);
    serves_the_zone(&named);
    assert_eq!(addresses(named.addr(), "other.test"), listed("192.0.2.2"));
    assert_eq!(addresses(named.addr(), "elsewhere.test").0, Rcode::ServFail);
}

#[test]
fn three_servers_agree_on_a_block_list() {
    let lists = block_lists();
    let zone = ZoneFile::new(
        "zen.lab.test",
        "2.0.0.127 A 127.0.0.2\n1.2.0.192 A 127.0.0.4\n1.2.0.192 TXT \"bad host 192.0.2.1\"",
    );
    let nsd = Nsd::start(&[zone]);
    let unbound = Unbound::start(&UnboundOptions::default().stub("zen.lab.test", lists.addr()));
    let named = Named::start(&NamedOptions::default().forward("zen.lab.test", lists.addr()));
    let servers: [&dyn NameServer; 4] = [&lists, &nsd, &unbound, &named];
    for server in servers {
        let of = |name: &str| addresses(server.addr(), &format!("{name}.zen.lab.test"));
        assert_eq!(of("2.0.0.127"), listed("127.0.0.2"), "{}", server.log());
        assert_eq!(of("1.0.0.127"), clean(), "{}", server.log());
        assert_eq!(of("1.2.0.192"), listed("127.0.0.4"), "{}", server.log());
        let text = ask(server.addr(), "1.2.0.192.zen.lab.test", RecordType::Txt).unwrap();
        assert_eq!(text.texts(), ["bad host 192.0.2.1"], "{}", server.log());
    }
    // What resolvers have asked before, they know.
    drop(lists);
    for resolver in [unbound.addr(), named.addr()] {
        assert_eq!(addresses(resolver, "1.2.0.192.zen.lab.test"), listed("127.0.0.4"));
    }
    assert_eq!(addresses(unbound.addr(), "elsewhere.example").0, Rcode::Refused);
}

/// Both resolvers believe the responder, so its messages are what real servers send.
#[test]
fn resolvers_understand_the_responder() {
    let records = [Record::mx(10, "mx.lab.test"), Record::mx(20, "mx2.lab.test")];
    let aliases = Names::new([
        Record::cname("b.alias.lab.test"),
        Record::cname("c.alias.lab.test").owned_by("b.alias.lab.test"),
        Record::address("127.0.0.2").owned_by("c.alias.lab.test"),
    ]);
    let zones = Zones::new()
        .zone("zen.lab.test", Dnsbl::listing("192.0.2.1", ["127.0.0.4", "127.0.0.3"]))
        .zone("down.lab.test", Dnsbl::rcode(Rcode::ServFail))
        .zone("mx.lab.test", Reaction::records(records.clone()))
        .zone("tc.lab.test", Reaction::addresses(3).truncated())
        .zone("many.lab.test", Reaction::addresses(1000))
        .zone("alias.lab.test", aliases)
        .zone("id.lab.test", right().wrong_id().then(right()))
        .zone("question.lab.test", right().wrong_question("x.lab.test").then(right()))
        .zone("empty.lab.test", Reaction::nodata());
    let dns = Responder::start(zones.otherwise(|_: &Query| Reaction::nxdomain()));
    let unbound = Unbound::start(&UnboundOptions::default().forward(".", dns.addr()));
    for reverse in ["1.2.0.192.in-addr.arpa", "1.0.168.192.in-addr.arpa"] {
        assert_eq!(addresses(unbound.addr(), reverse).0, Rcode::NxDomain);
        assert_eq!(dns.queries().last().map(|query| query.name.as_str()), Some(reverse));
    }
    // BIND refuses more than 100 records of one name and type.
    let options = NamedOptions::default().option_line("max-records-per-type 0;");
    let named = Named::start(&options.forward("lab.test", dns.addr()));
    let resolvers: [&dyn NameServer; 2] = [&unbound, &named];
    for server in resolvers {
        dns.clear();
        let resolver = server.addr();
        let of = |name: &str| addresses(resolver, &format!("{name}.lab.test"));
        let two = (Rcode::NoError, vec!["127.0.0.3".to_owned(), "127.0.0.4".to_owned()]);
        assert_eq!(of("1.2.0.192.zen"), two, "{}", server.log());
        assert_eq!(of("2.2.0.192.zen"), clean(), "{}", server.log());
        assert_eq!(of("1.2.0.192.down").0, Rcode::ServFail);
        assert_eq!(of("empty"), (Rcode::NoError, Vec::new()), "{}", server.log());
        let mut mx = ask(resolver, "mx.lab.test", RecordType::Mx).unwrap().data();
        mx.sort_by_key(|data| format!("{data:?}"));
        assert_eq!(mx, records.clone().map(|record| record.data));
        assert_eq!(of("tc").1.len(), 3, "{}", server.log());
        // BIND goes on listening after a wrong question, Unbound gives the server up.
        let expected = if resolver == named.addr() { Rcode::NoError } else { Rcode::ServFail };
        assert_eq!(of("question").0, expected, "{}", server.log());
        assert_eq!(of("id"), listed("127.0.0.2"), "{}", server.log());
        assert_eq!(of("alias"), listed("127.0.0.2"), "{}", server.log());
        let many = ask_tcp(resolver, "many.lab.test", RecordType::A).unwrap();
        assert_eq!(many.records.len(), 1000, "{}", server.log());
        let by_tcp = |name: &str| {
            let is = |query: &Query| query.transport == Transport::Tcp && query.name == name;
            dns.queries().iter().any(is)
        };
        assert!(by_tcp("tc.lab.test") && by_tcp("many.lab.test") && !by_tcp("empty.lab.test"));
        assert_eq!(dns.unreadable(), Vec::<&str>::new());
    }
}

fn right() -> Reaction {
    Reaction::records([Record::address("127.0.0.2")])
}

#[test]
fn resolvers_take_further_configuration() {
    let dns = Responder::start(right().delayed(Duration::from_millis(1)));
    let options = UnboundOptions::default()
        .forward("lab.test", dns.addr())
        .server_line("  local-data: \"own.lab.test. A 192.0.2.7\"");
    let unbound = Unbound::start(&options);
    assert_eq!(addresses(unbound.addr(), "own.lab.test"), listed("192.0.2.7"));
    assert_eq!(addresses(unbound.addr(), "other.lab.test"), listed("127.0.0.2"));
    let options = NamedOptions::default()
        .forward("lab.test", dns.addr())
        .option_line("deny-answer-addresses { 127.0.0.0/8; };");
    let named = Named::start(&options);
    assert_eq!(addresses(named.addr(), "other.lab.test").0, Rcode::ServFail, "{}", named.log());
}

#[test]
fn servers_start_fast_pause_and_stop_on_drop() {
    type Start = fn() -> Box<dyn NameServer>;
    let starts: [Start; 4] = [
        || Box::new(block_lists()),
        || Box::new(Nsd::start(&[zone()])),
        || Box::new(Unbound::start(&UnboundOptions::default())),
        || Box::new(Named::start(&NamedOptions::default())),
    ];
    for start in starts {
        let started = Instant::now();
        let server = start();
        println!("start took {:?}", started.elapsed());
        let (address, pid) = (server.addr(), server.pid());
        let folder = server.dir().to_owned();
        server.pause();
        let client = Client::new(address).unwrap();
        client.set_timeout(Duration::from_millis(200));
        client.send(1, "lab.test", RecordType::A).unwrap();
        assert!(client.receive().is_err());
        server.resume();
        client.set_timeout(Duration::from_secs(10));
        assert_eq!(client.receive().unwrap().id, 1);
        drop(server);
        assert!(fs::metadata(format!("/proc/{pid}")).is_err() && !folder.exists());
        drop(UdpSocket::bind(address).unwrap());
    }
}
