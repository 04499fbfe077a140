//! The scripted responder does what a test tells it to, and keeps a record of the queries.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use std::collections::HashSet;
use std::io::{ErrorKind, Read};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use lab::dns::client::{Answer, Client, ask, ask_tcp, ask_validated, receive_framed, send_framed};
use lab::dns::{
    Behaviour, Dnsbl, Flags, Malformed, Names, Query, Rcode, Rdata, Reaction, Record, RecordType, Responder,
    ResponderOptions, Tcp, TcpPort, Transport, Zones, dnsbl_name, encode_query,
};
use lab::process::{has_ipv6, left_out_without_root};

const NAME: &str = "1.2.0.192.zen.lab.test";

fn listed() -> Reaction {
    Reaction::records([Record::address("127.0.0.2")])
}

fn ask_a(responder: &Responder) -> Answer {
    ask(responder.addr(), NAME, RecordType::A).unwrap()
}

/// Nothing comes within this time, which is long for a machine that does nothing else.
fn nothing_comes(client: &Client) -> bool {
    client.set_timeout(Duration::from_millis(200));
    let waited = client.receive_bytes();
    client.set_timeout(Duration::from_secs(10));
    waited.is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
}

#[test]
fn every_type_of_record_arrives() {
    let records = [
        Record::address("192.0.2.1"),
        Record::address("2001:db8::1").ttl(5),
        Record::txt(&"long text ".repeat(30)),
        Record::ptr("mail.lab.test"),
        Record::mx(10, "mx.lab.test"),
        Record::mx(0, ""),
        Record::ns("ns.lab.test"),
        Record::soa("lab.test"),
        Record::cname("other.zen.lab.test"),
        Record::tlsa(3, 1, 1, &[7; 32]),
        Record::new(Rdata::Other(99, b"spf".to_vec())).owned_by("a\\046b\\032c.lab.test"),
    ];
    let sent = records.clone();
    let dns = Responder::start(move |_: &Query| Reaction::records(sent.clone()));
    let answer = ask_tcp(dns.addr(), NAME, RecordType::Any).unwrap();
    let named = records.map(|record| match record.name {
        None => record.owned_by(NAME),
        Some(_) => record,
    });
    assert_eq!(answer.records, named);
    assert_eq!(answer.questions, [(NAME.to_owned(), RecordType::Any)]);
}

#[test]
fn queries_are_recorded() {
    let dns = Responder::start(listed());
    let client = Client::new(dns.addr()).unwrap();
    client.send_bytes(&encode_query(77, "MiXed.Lab.Test", RecordType::Txt, Some(1232))).unwrap();
    assert_eq!(client.receive().unwrap().questions[0].0, "MiXed.Lab.Test");
    let answer = ask_tcp(dns.addr(), NAME, RecordType::Aaaa).unwrap();
    assert!(answer.flags.recursion_desired);
    let queries = dns.queries();
    let [first, second] = queries.as_slice() else { panic!("{queries:?}") };
    assert_eq!((first.name.as_str(), first.record_type, first.id), ("mixed.lab.test", RecordType::Txt, 77));
    assert_eq!((first.name_as_sent().as_str(), first.edns), ("MiXed.Lab.Test", Some(1232)));
    assert_eq!((first.transport, first.peer.port(), first.class), (Transport::Udp, client.port(), 1));
    assert_eq!((second.transport, second.recursion_desired, second.edns), (Transport::Tcp, true, None));
    assert_eq!((first.below("lab.test"), first.below("ed.lab.test")), (Some("mixed"), None));

    assert_eq!(dns.query_count(), 2);
    client.send_bytes(b"no query").unwrap();
    assert!(nothing_comes(&client));
    assert_eq!(dns.unreadable().len(), 1);
    dns.clear();
    assert!(dns.queries().is_empty() && dns.query_count() == 0 && dns.unreadable().is_empty());
}

#[test]
fn answers_without_records() {
    for (reaction, rcode, with_soa) in [
        (Reaction::nxdomain(), Rcode::NxDomain, true),
        (Reaction::nodata(), Rcode::NoError, true),
        (Reaction::rcode(Rcode::ServFail), Rcode::ServFail, false),
        (Reaction::rcode(Rcode::Refused), Rcode::Refused, false),
        (Reaction::rcode(Rcode::FormErr), Rcode::FormErr, false),
        (Reaction::rcode(Rcode::NotImp), Rcode::NotImp, false),
        (Reaction::rcode(Rcode::Other(9)), Rcode::Other(9), false),
    ] {
        let dns = Responder::start(Zones::new().zone("zen.lab.test", reaction));
        let answer = ask_a(&dns);
        assert_eq!((answer.rcode, answer.records.len()), (rcode, 0));
        let soa = [Record::soa("zen.lab.test")];
        assert_eq!(answer.authority, if with_soa { &soa[..] } else { &[] });
    }
    let dns = Responder::start(Reaction::silence());
    let client = Client::new(dns.addr()).unwrap();
    client.send(1, NAME, RecordType::A).unwrap();
    assert!(nothing_comes(&client));
    assert_eq!(dns.query_count(), 1);
}

#[test]
fn header_bits_are_chosen() {
    for flags in [
        Flags::default(),
        Flags::AUTHORITATIVE,
        Flags { authentic_data: true, ..Flags::RESOLVER },
        Flags { recursion_available: false, ..Flags::RESOLVER },
        Flags { response: false, ..Flags::RESOLVER },
    ] {
        let dns = Responder::start(listed().flags(flags));
        assert_eq!(ask_a(&dns).flags, Flags { recursion_desired: true, ..flags });
    }
}

#[test]
fn delayed_answers_wait_together() {
    let dns = Responder::start(listed().delayed(Duration::from_millis(30)));
    let client = Client::new(dns.addr()).unwrap();
    let started = Instant::now();
    for id in 0..200 {
        client.send(id, NAME, RecordType::A).unwrap();
    }
    let first = client.receive().unwrap();
    assert!(started.elapsed() >= Duration::from_millis(30), "{:?}", started.elapsed());
    let mut ids: HashSet<u16> = (1..200).map(|_| client.receive().unwrap().id).collect();
    ids.insert(first.id);
    assert_eq!(ids.len(), 200);
    // One after the other would take six seconds.
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    println!("200 answers delayed by 30 ms took {:?}", started.elapsed());
}

#[test]
fn one_zone_is_slow_and_the_others_are_not() {
    let slow = Dnsbl::listing("192.0.2.1", ["127.0.0.4"]).delayed(Duration::from_millis(600));
    let zones = Zones::new()
        .zone("slow.lab.test", slow)
        .zone("lab.test", Dnsbl::healthy())
        .zone("silent.lab.test", Dnsbl::silent());
    let dns = Responder::start(zones);
    let client = Client::new(dns.addr()).unwrap();
    let started = Instant::now();
    client.send(1, "1.2.0.192.slow.lab.test", RecordType::A).unwrap();
    client.send(2, "1.2.0.192.silent.lab.test", RecordType::A).unwrap();
    client.send(3, "1.2.0.192.lab.test", RecordType::A).unwrap();
    client.send(4, "lab.example", RecordType::A).unwrap();
    let answers = [3, 4, 1].map(|id| {
        let answer = client.receive().unwrap();
        assert_eq!(answer.id, id);
        answer
    });
    assert!(started.elapsed() >= Duration::from_millis(600));
    assert_eq!(answers.map(|answer| answer.rcode), [Rcode::NxDomain, Rcode::Refused, Rcode::NoError]);
    dns.behave(Reaction::rcode(Rcode::ServFail));
    assert_eq!(ask_a(&dns).rcode, Rcode::ServFail);
}

#[test]
fn truncated_by_udp_and_whole_by_tcp() {
    for (count, left, reaction) in [
        (1, 0, listed().truncated()),
        (3, 2, Reaction::addresses(3).truncated_after(2)),
        (1000, 0, Reaction::addresses(1000)),
    ] {
        let dns = Responder::start(reaction);
        let answer = ask_a(&dns);
        assert!(answer.flags.truncated);
        assert_eq!(answer.records.len(), left);
        let answer = ask_tcp(dns.addr(), NAME, RecordType::A).unwrap();
        assert!(!answer.flags.truncated);
        assert_eq!((answer.records.len(), answer.addresses().contains(&"127.0.0.2".into())), (count, true));
    }
    let dns = Responder::start(Reaction::addresses(50));
    let client = Client::new(dns.addr()).unwrap();
    client.send_bytes(&encode_query(1, NAME, RecordType::A, Some(1232))).unwrap();
    assert_eq!(client.receive().unwrap().records.len(), 50);
    dns.behave(Reaction::addresses(50).of_any_size());
    assert_eq!(ask_a(&dns).records.len(), 50);
}

#[test]
fn tcp_fails_in_every_way() {
    let query = encode_query(9, NAME, RecordType::A, None);
    let session = |dns: &Responder| {
        let mut stream = TcpStream::connect(dns.addr()).unwrap();
        send_framed(&mut stream, &query).unwrap();
        stream
    };
    let refused = ResponderOptions { tcp: TcpPort::Refused, ..ResponderOptions::default() };
    let dns = Responder::start_with(refused, listed().truncated());
    assert!(ask_a(&dns).flags.truncated);
    let error = TcpStream::connect(dns.addr()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);

    let dns = Responder::start(listed().truncated().tcp(Tcp::Closed));
    assert!(ask_a(&dns).flags.truncated);
    assert_eq!(session(&dns).read(&mut [0; 10]).unwrap(), 0);

    dns.behave(listed().tcp(Tcp::CutShort));
    let mut bytes = Vec::new();
    session(&dns).read_to_end(&mut bytes).unwrap();
    let announced = usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
    assert!(bytes.len() > 2 && bytes.len() - 2 < announced, "{bytes:?}");

    dns.behave(listed().tcp(Tcp::Silent));
    let mut stream = session(&dns);
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let error = stream.read(&mut [0; 10]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    let started = Instant::now();
    drop(dns);
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn several_queries_on_one_connection() {
    let slow = Zones::new().zone("slow.lab.test", listed().delayed(Duration::from_millis(600)));
    let dns = Responder::start(slow.otherwise(listed()));
    let mut stream = TcpStream::connect(dns.addr()).unwrap();
    for (id, name) in [(1, "slow.lab.test"), (2, "fast.lab.test")] {
        send_framed(&mut stream, &encode_query(id, name, RecordType::A, None)).unwrap();
    }
    let mut ids = [0; 2];
    for id in &mut ids {
        *id = Answer::parse(&receive_framed(&mut stream).unwrap()).unwrap().id;
    }
    assert_eq!(ids, [2, 1]);
}

#[test]
fn forged_answers() {
    let asked = |reaction: Reaction| {
        let dns = Responder::start(reaction);
        let client = Client::new(dns.addr()).unwrap();
        client.send(258, NAME, RecordType::A).unwrap();
        (client, dns)
    };
    let (client, _dns) = asked(listed().wrong_id());
    let answer = client.receive().unwrap();
    assert!(answer.id != 258 && answer.addresses() == ["127.0.0.2"]);

    let (client, dns) = asked(listed().wrong_port());
    let (_, from) = client.receive_bytes().unwrap();
    assert!(from.ip() == dns.addr().ip() && from.port() != dns.port());

    let right = || Reaction::records([Record::address("127.0.0.9")]).delayed(Duration::from_millis(50));
    let (client, _dns) = asked(listed().wrong_question("other.lab.test").then(right()));
    let (forged, answer) = (client.receive().unwrap(), client.receive().unwrap());
    assert_eq!((forged.id, forged.questions[0].0.as_str()), (258, "other.lab.test"));
    assert_eq!(forged.records[0].name.as_deref(), Some("other.lab.test"));
    assert_eq!((answer.questions[0].0.as_str(), answer.addresses()), (NAME, vec!["127.0.0.9".to_owned()]));

    let (client, _dns) = asked(listed().times(2));
    assert_eq!(client.receive().unwrap(), client.receive().unwrap());
    assert!(nothing_comes(&client));

    let (client, _dns) = asked(listed().delayed(Duration::from_millis(500)));
    assert!(nothing_comes(&client));
    assert_eq!(client.receive().unwrap().id, 258);
}

#[test]
fn malformed_messages() {
    for how in Malformed::ALL {
        let dns = Responder::start(Reaction::malformed(how));
        let client = Client::new(dns.addr()).unwrap();
        client.send(258, NAME, RecordType::A).unwrap();
        let (bytes, _) = client.receive_bytes().unwrap();
        if how != Malformed::Empty {
            assert_eq!(bytes[..2], [1, 2], "{how:?}");
        }
        let answer = Answer::parse(&bytes);
        match how {
            // These are wrong as answers, not as messages.
            Malformed::NoQuestion => assert!(answer.is_ok_and(|answer| answer.questions.is_empty())),
            Malformed::TwoQuestions => assert_eq!(answer.unwrap().questions.len(), 2),
            _ => assert!(answer.is_err(), "{how:?}: {answer:?}"),
        }
    }
    let dns = Responder::start(Reaction::bytes(b"any bytes"));
    let client = Client::new(dns.addr()).unwrap();
    client.send(258, NAME, RecordType::A).unwrap();
    assert_eq!(client.receive_bytes().unwrap().0, b"any bytes");
}

#[test]
fn aliases() {
    let dns = Responder::start(Reaction::cname_chain(3, [Record::address("127.0.0.2")]));
    let answer = ask_a(&dns);
    assert_eq!(answer.records.len(), 4);
    let mut name = NAME.to_owned();
    for record in &answer.records {
        assert_eq!(record.name.as_ref(), Some(&name));
        if let Rdata::Cname(target) = &record.data {
            name.clone_from(target);
        }
    }
    let dns = Responder::start(|query: &Query| Reaction::cname_loop(query));
    let records = ask_a(&dns).records;
    assert_eq!(records[1].data, Rdata::Cname(NAME.to_owned()));
    assert_eq!(records[0].data, Rdata::Cname(records[1].name.clone().unwrap()));
}

#[test]
fn block_lists_and_their_failures() {
    let lists = |list: Dnsbl, target: &str| {
        let dns = Responder::start(Zones::new().zone("zen.lab.test", list));
        let name = format!("{}.zen.lab.test", dnsbl_name(target));
        let answer = ask(dns.addr(), &name, RecordType::A).unwrap();
        let texts = ask(dns.addr(), &name, RecordType::Txt).unwrap().texts();
        (answer.rcode, answer.addresses().join(" "), texts.join(" "))
    };
    let clean = || (Rcode::NxDomain, String::new(), String::new());
    let listed = |codes: &str, text: &str| (Rcode::NoError, codes.to_owned(), text.to_owned());
    for (inside, outside) in
        [("127.0.0.2", "127.0.0.1"), ("::ffff:7f00:2", "::ffff:7f00:1"), ("TEST", "INVALID")]
    {
        assert_eq!(lists(Dnsbl::healthy(), inside), listed("127.0.0.2", "Test entry"));
        assert_eq!(lists(Dnsbl::healthy(), outside), clean());
        assert_eq!(lists(Dnsbl::dead(), inside), clean());
        assert_eq!(lists(Dnsbl::healthy().without(inside), inside), clean());
        assert_eq!(lists(Dnsbl::world(), outside), listed("127.0.0.2", ""));
        assert_eq!(lists(Dnsbl::refusing("127.255.255.254"), outside), listed("127.255.255.254", ""));
        assert_eq!(lists(Dnsbl::rewriting("203.0.113.7"), inside), listed("203.0.113.7", ""));
        for rcode in [Rcode::ServFail, Rcode::Refused, Rcode::FormErr] {
            assert_eq!(lists(Dnsbl::rcode(rcode), inside).0, rcode);
        }
    }
    let list =
        Dnsbl::listing("192.0.2.1", ["127.0.0.4", "127.0.0.3"]).text("bad.example", "127.0.1.2", "why");
    assert_eq!(lists(list.clone(), "192.0.2.1"), listed("127.0.0.3 127.0.0.4", ""));
    assert_eq!(lists(list.clone(), "bad.example."), listed("127.0.1.2", "why"));
    assert_eq!(lists(list, "2001:db8::1"), clean());

    let list = Dnsbl::healthy().record(Record::ns("ns.lab.test"));
    let dns = Responder::start(Zones::new().zone("zen.lab.test", list));
    let own = |kind| ask(dns.addr(), "zen.lab.test", kind).unwrap().records;
    assert_eq!(own(RecordType::Ns), [Record::ns("ns.lab.test").owned_by("zen.lab.test")]);
    assert_eq!(own(RecordType::Soa), [Record::soa("zen.lab.test")]);
    assert!(own(RecordType::A).is_empty());
}

#[test]
fn a_zone_of_records() {
    let names = Names::new([
        Record::mx(10, "mx.lab.test"),
        Record::address("192.0.2.1").owned_by("mx.lab.test"),
        Record::address("2001:db8::1").owned_by("mx.lab.test"),
        Record::cname("mx.lab.test").owned_by("alias.lab.test"),
        Record::txt("v=DKIM1").owned_by("s1._domainkey.lab.test"),
        Record::cname("a.lab.test").owned_by("b.lab.test"),
        Record::cname("b.lab.test").owned_by("a.lab.test"),
    ]);
    let dns = Responder::start(Zones::new().zone("lab.test", names));
    let of = |name: &str, kind| ask(dns.addr(), name, kind).unwrap();
    assert_eq!(of("lab.test", RecordType::Mx).data(), [Rdata::Mx(10, "mx.lab.test".into())]);
    assert_eq!(of("MX.lab.test", RecordType::A).addresses(), ["192.0.2.1"]);
    let alias = of("alias.lab.test", RecordType::Aaaa);
    assert_eq!((alias.records.len(), alias.addresses()), (2, vec!["2001:db8::1".to_owned()]));
    assert_eq!(of("alias.lab.test", RecordType::Cname).records.len(), 1);
    let negative = |name: &str, kind| {
        let answer = of(name, kind);
        assert!(answer.records.is_empty());
        assert_eq!(answer.authority, [Record::soa("lab.test")]);
        answer.rcode
    };
    assert_eq!(negative("mx.lab.test", RecordType::Txt), Rcode::NoError);
    assert_eq!(negative("_domainkey.lab.test", RecordType::Txt), Rcode::NoError);
    assert_eq!(negative("lab.test", RecordType::A), Rcode::NoError);
    assert_eq!(negative("no.lab.test", RecordType::A), Rcode::NxDomain);
    assert_eq!(of("a.lab.test", RecordType::A).records.len(), 20);
}

#[test]
fn other_addresses_and_ports() {
    let second = Ipv4Addr::new(127, 0, 0, 2);
    let first = Responder::start_with(ResponderOptions::on(second), listed());
    assert_eq!((first.addr().ip(), ask_a(&first).addresses()), (second.into(), vec!["127.0.0.2".to_owned()]));
    // The same port of another address, for servers that are told apart by address alone.
    let options = ResponderOptions::on(Ipv4Addr::new(127, 0, 0, 3));
    let address = SocketAddr::new(options.address.ip(), first.port());
    let third = Responder::start_with(ResponderOptions { address, ..options }, Reaction::nxdomain());
    assert_eq!((third.addr(), ask_a(&third).rcode), (address, Rcode::NxDomain));
    if has_ipv6() {
        let dns = Responder::start_with(ResponderOptions::on(Ipv6Addr::LOCALHOST), listed().wrong_port());
        let client = Client::new(dns.addr()).unwrap();
        client.send(1, NAME, RecordType::A).unwrap();
        assert_eq!(client.receive_bytes().unwrap().1.ip(), dns.addr().ip());
        assert_eq!(ask_tcp(dns.addr(), NAME, RecordType::A).unwrap().addresses(), ["127.0.0.2"]);
    }
}

#[test]
fn dropping_frees_the_port_and_forgets_what_waits() {
    let dns = Responder::start(listed().delayed(Duration::from_hours(1)));
    let address = dns.addr();
    let mut open = TcpStream::connect(address).unwrap();
    send_framed(&mut open, &encode_query(1, NAME, RecordType::A, None)).unwrap();
    Client::new(address).unwrap().send(1, NAME, RecordType::A).unwrap();
    let started = Instant::now();
    drop(dns);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(TcpStream::connect(address).is_err());
    // A query that was not read yet makes the end a reset.
    let end = open.read(&mut [0; 10]);
    assert!(
        end.as_ref().map_or_else(|error| error.kind() == ErrorKind::ConnectionReset, |read| *read == 0),
        "{end:?}"
    );
    drop(UdpSocket::bind(address).unwrap());
    let again = ResponderOptions { address, tcp: TcpPort::Open };
    assert_eq!(ask_a(&Responder::start_with(again, listed())).addresses(), ["127.0.0.2"]);
}

#[test]
fn bursts_of_queries_are_all_answered() {
    if left_out_without_root("a receive buffer beyond the limit of the system") {
        return;
    }
    let mut zones = Zones::new();
    for number in 0..60 {
        let list = Dnsbl::listing("192.0.2.1", ["127.0.0.4"]).delayed(Duration::from_millis(30));
        zones = zones.zone(&format!("list{number}.lab.test"), list);
    }
    let dns = Responder::start(zones);
    let client = Client::new(dns.addr()).unwrap();
    let started = Instant::now();
    // 15,360 queries, as many as a check of 256 addresses on 60 lists sends.
    for target in 0..256_u16 {
        for list in 0..60 {
            let name = format!("{target}.2.0.192.list{list}.lab.test");
            client.send(target, &name, RecordType::A).unwrap();
        }
    }
    let mut listed = 0;
    for _ in 0..256 * 60 {
        listed += usize::from(client.receive().unwrap().rcode == Rcode::NoError);
    }
    println!("15360 queries took {:?}", started.elapsed());
    assert_eq!((listed, dns.query_count()), (60, 15_360));
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
}

#[test]
fn answers_are_authentic_for_those_who_want_to_know() {
    let signed = Names::new([
        Record::address("127.0.0.31").owned_by("mx.signed.test"),
        Record::cname("mx.signed.test").owned_by("inner.signed.test"),
        Record::cname("mx.plain.test").owned_by("outer.signed.test"),
    ]);
    let plain = Names::new([
        Record::address("127.0.0.32").owned_by("mx.plain.test"),
        Record::cname("mx.signed.test").owned_by("to.plain.test"),
        Record::cname("no.signed.test").owned_by("dangling.plain.test"),
        Record::cname("down.signed.test").owned_by("broken.plain.test"),
        Record::cname("loop.plain.test").owned_by("loop.plain.test"),
    ]);
    let signed = signed.at("down.signed.test", RecordType::Any, |_| Reaction::rcode(Rcode::ServFail));
    let zones = Zones::new().zone("signed.test", signed.authentic()).zone("plain.test", plain);
    let dns = Responder::start(zones.following_aliases());
    for (name, rcode, authentic, records) in [
        ("mx.signed.test", Rcode::NoError, true, 1),
        ("inner.signed.test", Rcode::NoError, true, 2),
        ("no.signed.test", Rcode::NxDomain, true, 0),
        ("down.signed.test", Rcode::ServFail, false, 0),
        ("mx.plain.test", Rcode::NoError, false, 1),
        ("outer.signed.test", Rcode::NoError, false, 2),
        ("to.plain.test", Rcode::NoError, false, 2),
        ("dangling.plain.test", Rcode::NxDomain, false, 1),
        ("broken.plain.test", Rcode::ServFail, false, 1),
        ("loop.plain.test", Rcode::NoError, false, 20),
    ] {
        let answer = ask_validated(dns.addr(), name, RecordType::A).unwrap();
        let seen = (answer.rcode, answer.flags.authentic_data, answer.records.len());
        assert_eq!(seen, (rcode, authentic, records), "{name}");
        assert!(!ask(dns.addr(), name, RecordType::A).unwrap().flags.authentic_data, "{name}");
    }
    let asked = dns.queries();
    assert!(asked[0].wants_authentic && asked[0].edns.is_some() && !asked[1].wants_authentic);
    assert_eq!(dns.query_count(), 20, "an alias is followed without a query");
    // DO says it as well (RFC 6840 section 5.8).
    let client = Client::new(dns.addr()).unwrap();
    let mut query = encode_query(1, "mx.signed.test", RecordType::A, Some(1232));
    let bits = query.len() - 4;
    query[bits] = 0x80;
    client.send_bytes(&query).unwrap();
    assert!(client.receive().unwrap().flags.authentic_data);
}

#[test]
fn single_names_fail_in_their_own_way() {
    let text = "v=DKIM1; p=".to_owned() + &"x".repeat(700);
    let names = ["slow", "silent", "cut", "down", "whole"].map(|name| format!("{name}.lab.test"));
    let records = names.iter().map(|name| Record::txt(&text).owned_by(name));
    let zone = Names::new(records)
        .at("slow.lab.test", RecordType::Txt, |reaction| reaction.delayed(Duration::from_millis(50)))
        .at("silent.lab.test", RecordType::Txt, |_| Reaction::silence())
        .at("cut.lab.test", RecordType::Txt, Reaction::truncated)
        .at("down.lab.test", RecordType::A, |_| Reaction::rcode(Rcode::ServFail));
    let dns = Responder::start(Zones::new().zone("lab.test", zone));
    let of = |name: &str, kind| ask_validated(dns.addr(), name, kind);
    for name in ["whole.lab.test", "down.lab.test", "slow.lab.test"] {
        let answer = of(name, RecordType::Txt).unwrap();
        assert_eq!((answer.texts(), answer.flags.truncated), (vec![text.clone()], false), "{name}");
        let Rdata::Txt(strings) = &answer.records[0].data else { panic!("{answer:?}") };
        assert_eq!(strings.len(), 3, "of 255 bytes each");
    }
    assert_eq!(of("down.lab.test", RecordType::A).unwrap().rcode, Rcode::ServFail);
    assert_eq!(of("slow.lab.test", RecordType::A).unwrap().rcode, Rcode::NoError);
    let started = Instant::now();
    let _ = of("slow.lab.test", RecordType::Txt).unwrap();
    assert!(started.elapsed() >= Duration::from_millis(50), "{:?}", started.elapsed());
    let cut = of("cut.lab.test", RecordType::Txt).unwrap();
    assert!(cut.flags.truncated && cut.records.is_empty());
    assert_eq!(ask_tcp(dns.addr(), "cut.lab.test", RecordType::Txt).unwrap().texts(), [text]);
    let client = Client::new(dns.addr()).unwrap();
    client.set_timeout(Duration::from_millis(100));
    client.send(1, "silent.lab.test", RecordType::Txt).unwrap();
    assert!(client.receive().is_err());
    assert_eq!(of("silent.lab.test", RecordType::A).unwrap().rcode, Rcode::NoError);
}
