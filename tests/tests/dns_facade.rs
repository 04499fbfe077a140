//! common's questions to name servers: what each record and each failure is read as, who is
//! asked next, and how many questions are on the way.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::net::Deadline;
use common::net::dns::{Ask, Reply, Settings, Upstream, ask_all};
use common::proto::dns::{Data, Kind, Outcome, Question, reverse_name};
use lab::dns::{
    Flags, Malformed, Names, Query, Rcode, Rdata, Reaction, Record, Responder, ResponderOptions, Transport,
    Zones,
};

fn question(name: &str, kind: Kind) -> Ask {
    Ask { question: Question { name: name.parse().unwrap(), kind }, upstream: 0, recurse: true }
}

fn upstream(servers: &[SocketAddr]) -> Vec<Upstream> {
    vec![Upstream { servers: servers.to_vec() }]
}

fn deadline() -> Deadline {
    Deadline::new(Instant::now(), Duration::from_secs(20))
}

/// For scenarios in which somebody is silent.
fn impatient() -> Settings {
    Settings { query_timeout: Duration::from_millis(300), ..Settings::default() }
}

fn ask_servers(servers: &[SocketAddr], name: &str, kind: Kind) -> Reply {
    let mut replies =
        ask_all(&[question(name, kind)], &upstream(servers), &impatient(), &deadline()).unwrap();
    assert_eq!(replies.len(), 1);
    replies.remove(0)
}

fn ask(dns: &Responder, name: &str, kind: Kind) -> Reply {
    ask_servers(&[dns.addr()], name, kind)
}

fn outcome_of(reaction: Reaction) -> Outcome {
    ask(&Responder::start(reaction), "host.lab.test", Kind::A).answer.outcome
}

/// A port nobody listens on, for a while.
fn closed() -> SocketAddr {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

// Records

#[test]
fn records_of_every_type() {
    let soa = Rdata::Soa {
        primary: "NS.lab.test".into(),
        mailbox: "host\\046master.lab.test".into(),
        serial: 7,
        minimum: 60,
    };
    let dns = Responder::start(
        Zones::new()
            .zone(
                "lab.test",
                Names::new([
                    Record::address("192.0.2.1").owned_by("host.lab.test").ttl(42),
                    Record::address("192.0.2.2").owned_by("host.lab.test"),
                    Record::address("2001:db8::1").owned_by("host.lab.test"),
                    Record::mx(10, "MX.lab.test").owned_by("host.lab.test"),
                    Record::mx(0, "").owned_by("null.lab.test"),
                    Record::new(Rdata::Txt(vec![b"v=spf1 ".to_vec(), b"-all".to_vec()]))
                        .owned_by("host.lab.test"),
                    Record::new(Rdata::Txt(vec![b"caf\xe9".to_vec()])).owned_by("latin.lab.test"),
                    Record::ns("ns1.lab.test"),
                    Record::ns("ns2.lab.test"),
                    Record::new(soa),
                    Record::tlsa(3, 1, 1, &[1, 2, 0xff]).owned_by("_25._tcp.host.lab.test"),
                    Record::cname("host.lab.test").owned_by("alias.lab.test"),
                ]),
            )
            .zone(
                "in-addr.arpa",
                Names::new([Record::ptr("Host.lab.test").owned_by("1.2.0.192.in-addr.arpa")]),
            )
            .zone("ip6.arpa", Reaction::records([Record::ptr("six.lab.test")])),
    );
    let data = |name: &str, kind| -> Vec<Data> {
        let reply = ask(&dns, name, kind);
        reply.outcome().records().iter().map(|record| record.data.clone()).collect()
    };
    let v4 = |text: &str| Data::A(text.parse().unwrap());
    assert_eq!(data("host.lab.test", Kind::A), [v4("192.0.2.1"), v4("192.0.2.2")]);
    assert_eq!(data("HOST.Lab.Test.", Kind::A).len(), 2);
    assert_eq!(data("host.lab.test", Kind::Aaaa), [Data::Aaaa("2001:db8::1".parse().unwrap())]);
    assert_eq!(
        data("host.lab.test", Kind::Mx),
        [Data::Mx { preference: 10, exchange: "mx.lab.test".into() }]
    );
    assert_eq!(data("null.lab.test", Kind::Mx), [Data::Mx { preference: 0, exchange: String::new() }]);
    assert_eq!(data("host.lab.test", Kind::Txt), [Data::Txt("v=spf1 -all".into())]);
    assert_eq!(data("latin.lab.test", Kind::Txt), [Data::Txt("caf\\xe9".into())]);
    assert_eq!(
        data("lab.test", Kind::Ns),
        [Data::Ns("ns1.lab.test".into()), Data::Ns("ns2.lab.test".into())]
    );
    let soa = Data::Soa {
        mname: "ns.lab.test".into(),
        rname: "host\\.master.lab.test".into(),
        serial: 7,
        minimum: 60,
    };
    assert_eq!(data("lab.test", Kind::Soa), [soa]);
    let tlsa = Data::Tlsa { usage: 3, selector: 1, matching: 1, data: vec![1, 2, 0xff] };
    assert_eq!(data("_25._tcp.host.lab.test", Kind::Tlsa), [tlsa]);
    assert_eq!(data("alias.lab.test", Kind::A), [v4("192.0.2.1"), v4("192.0.2.2")]);
    for (address, host) in [("192.0.2.1", "host.lab.test"), ("2001:db8::6", "six.lab.test")] {
        let name = reverse_name(address.parse::<IpAddr>().unwrap());
        assert_eq!(data(name.as_str(), Kind::Ptr), [Data::Ptr(host.into())]);
    }
    let reply = ask(&dns, "alias.lab.test", Kind::A);
    let first = &reply.outcome().records()[0];
    assert_eq!((first.name.as_str(), first.ttl), ("host.lab.test", 42));
    assert_eq!(reply.server, Some(dns.addr()));
    assert!(reply.time.unwrap() < Duration::from_secs(2));
}

// Outcomes

#[test]
fn outcomes_are_told_apart() {
    let no_recursion = Flags { recursion_available: false, ..Flags::RESOLVER };
    assert_eq!(outcome_of(Reaction::nxdomain()), Outcome::NxDomain);
    assert_eq!(outcome_of(Reaction::nodata()), Outcome::NoData);
    assert_eq!(outcome_of(Reaction::rcode(Rcode::ServFail)), Outcome::ServFail);
    assert_eq!(outcome_of(Reaction::rcode(Rcode::Refused)), Outcome::Refused);
    assert_eq!(outcome_of(Reaction::rcode(Rcode::FormErr)), Outcome::FormErr);
    assert_eq!(outcome_of(Reaction::rcode(Rcode::NotImp)), Outcome::Rcode(4));
    assert_eq!(outcome_of(Reaction::silence()), Outcome::Timeout);
    assert!(matches!(outcome_of(Reaction::records([]).flags(no_recursion)), Outcome::Referral(_)));
    assert_eq!(outcome_of(Reaction::records([])), Outcome::NoData, "a resolver that leaves the SOA out");
    assert_eq!(outcome_of(Reaction::records([]).flags(Flags::AUTHORITATIVE)), Outcome::NoData);
    let alias = || Reaction::records([Record::cname("gone.lab.test")]);
    assert_eq!(outcome_of(alias().flags(Flags::AUTHORITATIVE)), Outcome::Dangling("gone.lab.test".into()));
    assert!(matches!(outcome_of(Reaction::malformed(Malformed::CutRecord)), Outcome::Malformed(_)));
    let foreign = Reaction::records([Record::address("192.0.2.1").owned_by("other.lab.test")]);
    assert!(matches!(outcome_of(foreign), Outcome::Malformed(_)));
    let refused = ask_servers(&[closed()], "host.lab.test", Kind::A);
    assert!(
        matches!(refused.outcome(), Outcome::Unreachable(cause) if cause.contains("refused")),
        "{refused:?}"
    );
    assert_eq!(refused.time, None);
    assert!(!Outcome::ServFail.is_answer() && Outcome::NoData.is_answer());
}

#[test]
fn malformed_messages_are_never_an_answer() {
    std::thread::scope(|scope| {
        for how in Malformed::ALL {
            scope.spawn(move || {
                let outcome = outcome_of(Reaction::malformed(how));
                assert!(!outcome.is_answer(), "{how:?}: {outcome:?}");
            });
        }
    });
}

#[test]
fn flags_and_zone_are_exposed() {
    let flags = Flags { authentic_data: true, authoritative: true, ..Flags::RESOLVER };
    let dns =
        Responder::start(Zones::new().zone("lab.test", move |_: &Query| Reaction::nxdomain().flags(flags)));
    let reply = ask(&dns, "gone.sub.lab.test", Kind::A);
    let answer = reply.answer;
    assert!(answer.authoritative && answer.authenticated);
    assert_eq!(answer.zone.as_deref(), Some("lab.test"));
    let plain =
        ask(&Responder::start(Reaction::records([Record::address("192.0.2.1")])), "a.lab.test", Kind::A)
            .answer;
    assert_eq!((plain.authoritative, plain.authenticated, plain.zone), (false, false, None));
    let queries = dns.queries();
    assert!(queries[0].recursion_desired && queries[0].edns.is_none());
}

#[test]
fn large_answers_come_over_tcp() {
    let dns = Responder::start(|query: &Query| match query.name.as_str() {
        "many.lab.test" => Reaction::addresses(4000),
        _ => Reaction::records([Record::txt(&"x".repeat(60_000))]),
    });
    assert_eq!(ask(&dns, "many.lab.test", Kind::A).outcome().records().len(), 4000);
    let reply = ask(&dns, "text.lab.test", Kind::Txt);
    assert!(matches!(&reply.outcome().records()[0].data, Data::Txt(text) if text.len() == 60_000));
    let tcp = dns.queries().iter().filter(|query| query.transport == Transport::Tcp).count();
    assert_eq!(tcp, 2);
}

// Who is asked

#[test]
fn next_server_is_asked() {
    let good = Responder::start(Reaction::records([Record::address("192.0.2.1")]));
    for (first, words) in [
        (Reaction::silence(), "silent"),
        (Reaction::rcode(Rcode::ServFail), "SERVFAIL"),
        (Reaction::rcode(Rcode::Refused), "REFUSED"),
        (Reaction::malformed(Malformed::CutRecord), "malformed"),
        (Reaction::addresses(100).tcp(lab::dns::Tcp::Closed), "closed over TCP"),
    ] {
        let bad = Responder::start(first);
        let reply = ask_servers(&[bad.addr(), good.addr()], "host.lab.test", Kind::A);
        assert_eq!(reply.outcome().records().len(), 1, "{words}: {reply:?}");
        assert_eq!(reply.server, Some(good.addr()));
        assert!(bad.query_count() >= 1);
    }
    let reply = ask_servers(&[closed(), good.addr()], "host.lab.test", Kind::A);
    assert_eq!(reply.server, Some(good.addr()));
    // What is answered is not asked again.
    let no = Responder::start(Reaction::nxdomain());
    good.clear();
    let reply = ask_servers(&[no.addr(), good.addr()], "host.lab.test", Kind::A);
    assert_eq!((reply.outcome(), good.query_count()), (&Outcome::NxDomain, 0));
}

#[test]
fn every_server_has_its_turn() {
    // Two tries, but three servers: the third answers.
    let [one, two] = [Reaction::silence(), Reaction::rcode(Rcode::ServFail)].map(Responder::start);
    let good = Responder::start(Reaction::nxdomain());
    let reply = ask_servers(&[one.addr(), two.addr(), good.addr()], "host.lab.test", Kind::A);
    assert_eq!(reply.outcome(), &Outcome::NxDomain);
    assert_eq!((one.query_count(), two.query_count(), good.query_count()), (1, 1, 1));
}

#[test]
fn failure_that_says_most_is_kept() {
    let failing = Responder::start(Reaction::rcode(Rcode::ServFail));
    let silent = Responder::start(Reaction::silence());
    for servers in [[failing.addr(), silent.addr()], [silent.addr(), failing.addr()]] {
        assert_eq!(ask_servers(&servers, "host.lab.test", Kind::A).outcome(), &Outcome::ServFail);
    }
}

#[test]
fn upstreams_are_independent() {
    let [yes, no] =
        [Reaction::records([Record::address("192.0.2.1")]), Reaction::nxdomain()].map(Responder::start);
    let upstreams: Vec<Upstream> = [&yes, &no].map(|dns| Upstream { servers: vec![dns.addr()] }).to_vec();
    let asks = [0, 1, 0, 7].map(|upstream| Ask { upstream, ..question("host.lab.test", Kind::A) });
    let started = Instant::now();
    let replies = ask_all(&asks, &upstreams, &impatient(), &deadline()).unwrap();
    assert!(started.elapsed() < Duration::from_secs(5), "nobody waits for a server that is not there");
    let answered: Vec<usize> = replies.iter().map(|reply| reply.outcome().records().len()).collect();
    assert_eq!(answered, [1, 0, 1, 0]);
    assert_eq!(replies[1].outcome(), &Outcome::NxDomain);
    assert_eq!(replies[3].outcome(), &Outcome::NotAsked, "there is no such upstream");
    assert_eq!((yes.query_count(), no.query_count()), (2, 1));
    let nobody = [Upstream { servers: Vec::new() }];
    let replies = ask_all(&asks[..1], &nobody, &impatient(), &deadline()).unwrap();
    assert_eq!(replies[0].outcome(), &Outcome::NotAsked);
    assert!(ask_all(&[], &upstreams, &impatient(), &deadline()).unwrap().is_empty());
}

#[test]
fn ipv6_server_and_source_address() {
    let six = Responder::start_with(ResponderOptions::on(Ipv6Addr::LOCALHOST), Reaction::nxdomain());
    assert_eq!(ask(&six, "host.lab.test", Kind::A).outcome(), &Outcome::NxDomain);
    let big = Responder::start_with(ResponderOptions::on(Ipv6Addr::LOCALHOST), Reaction::addresses(100));
    assert_eq!(ask(&big, "host.lab.test", Kind::A).outcome().records().len(), 100, "over TCP, too");

    let dns = Responder::start(Reaction::addresses(100));
    let settings = Settings { source: Some("127.0.0.77".parse().unwrap()), ..impatient() };
    let asks = [question("host.lab.test", Kind::A)];
    let replies = ask_all(&asks, &upstream(&[dns.addr()]), &settings, &deadline()).unwrap();
    assert_eq!(replies[0].outcome().records().len(), 100);
    assert!(dns.queries().iter().all(|query| query.peer.ip().to_string() == "127.0.0.77"));
    // Of the other family: said, and nothing is sent.
    let replies = ask_all(&asks, &upstream(&[six.addr()]), &settings, &deadline()).unwrap();
    assert!(matches!(replies[0].outcome(), Outcome::Unreachable(_)), "{:?}", replies[0]);
    assert_eq!(six.query_count(), 1);
}

#[test]
fn without_recursion_the_bit_is_off() {
    let dns = Responder::start(Reaction::nxdomain());
    let asks = [Ask { recurse: false, ..question("host.lab.test", Kind::A) }];
    ask_all(&asks, &upstream(&[dns.addr()]), &impatient(), &deadline()).unwrap();
    assert!(!dns.queries()[0].recursion_desired);
}

// Many questions

fn many(count: u32) -> Vec<Ask> {
    (0..count).map(|n| question(&format!("n{n}.lab.test"), Kind::A)).collect()
}

/// Answers `n17.lab.test` with 17 as an address.
fn number(query: &Query) -> Reaction {
    let label = query.name.split('.').next().unwrap();
    let number: u32 = label[1..].parse().unwrap();
    Reaction::records([Record::address(&std::net::Ipv4Addr::from(number).to_string())])
}

#[test]
fn thousands_of_questions_each_with_its_own_answer() {
    let dns = Responder::start(|query: &Query| {
        let reaction = number(query);
        // Some come over TCP, some late, some twice.
        match query.id % 8 {
            0 => reaction.delayed(Duration::from_millis(20)),
            1 => reaction.times(2),
            _ if query.name.ends_with("7.lab.test") => reaction.truncated(),
            _ => reaction,
        }
    });
    let settings = Settings { query_timeout: Duration::from_secs(5), ..Settings::default() };
    let replies = ask_all(&many(3000), &upstream(&[dns.addr()]), &settings, &deadline()).unwrap();
    for (n, reply) in (0u32..).zip(&replies) {
        let wanted = Data::A(n.into());
        assert!(matches!(reply.outcome().records(), [one] if one.data == wanted), "{n}: {reply:?}");
    }
    let queries = dns.queries();
    let ports: BTreeSet<u16> = queries.iter().map(|query| query.peer.port()).collect();
    assert!(ports.len() >= 8, "{} ports", ports.len());
    let low = queries.iter().filter(|query| query.id < 0x8000).count();
    assert!((1000..2400).contains(&low), "{low} of 3000 ids in the lower half");
}

#[test]
fn window_is_kept() {
    let times: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let recorded = Arc::clone(&times);
    let delay = Duration::from_millis(100);
    let dns = Responder::start(move |query: &Query| {
        recorded.lock().unwrap().push(Instant::now());
        number(query).delayed(delay)
    });
    let settings = Settings { window: 8, query_timeout: Duration::from_secs(5), ..Settings::default() };
    let replies = ask_all(&many(32), &upstream(&[dns.addr()]), &settings, &deadline()).unwrap();
    assert!(replies.iter().all(|reply| reply.outcome().is_answer()));
    let times = times.lock().unwrap();
    // The ninth goes when the first has its answer, and so on.
    for (one, later) in times.iter().zip(times.iter().skip(8)) {
        assert!(*later - *one >= delay, "{:?}", *later - *one);
    }
    assert_eq!(times.len(), 32);
}

#[test]
fn rate_is_kept_after_the_first_burst() {
    let dns = Responder::start(number);
    let settings =
        Settings { window: 10, rate: Some(50), query_timeout: Duration::from_secs(5), ..Settings::default() };
    let started = Instant::now();
    let replies = ask_all(&many(30), &upstream(&[dns.addr()]), &settings, &deadline()).unwrap();
    assert!(replies.iter().all(|reply| reply.outcome().is_answer()));
    assert!(started.elapsed() >= Duration::from_millis(390), "{:?} for 20 at 50 a second", started.elapsed());
    assert!(started.elapsed() < Duration::from_secs(5));
    let started = Instant::now();
    ask_all(&many(10), &upstream(&[dns.addr()]), &settings, &deadline()).unwrap();
    assert!(started.elapsed() < Duration::from_millis(350), "a burst does not wait: {:?}", started.elapsed());
}

#[test]
fn deadline_ends_everything() {
    let dns = Responder::start(|query: &Query| match query.name.as_str() {
        "n0.lab.test" => number(query),
        _ => Reaction::silence(),
    });
    let settings = Settings { window: 4, ..Settings::default() };
    let started = Instant::now();
    let deadline = Deadline::new(started, Duration::from_millis(300));
    let replies = ask_all(&many(20), &upstream(&[dns.addr()]), &settings, &deadline).unwrap();
    assert!(started.elapsed() >= Duration::from_millis(300) && started.elapsed() < Duration::from_secs(2));
    assert!(replies[0].outcome().is_answer());
    let count = |outcome: &Outcome| replies.iter().filter(|reply| reply.outcome() == outcome).count();
    assert_eq!((count(&Outcome::Timeout), count(&Outcome::NotAsked)), (4, 15), "sent and not sent");
    let over = ask_all(&many(3), &upstream(&[dns.addr()]), &settings, &deadline).unwrap();
    assert!(over.iter().all(|reply| reply.outcome() == &Outcome::NotAsked));
}

#[test]
fn one_dead_server_does_not_hold_up_the_others() {
    let good = Responder::start(number);
    let upstreams: Vec<Upstream> =
        [closed(), good.addr()].map(|server| Upstream { servers: vec![server] }).to_vec();
    let asks: Vec<Ask> =
        many(400).into_iter().enumerate().map(|(n, ask)| Ask { upstream: n % 2, ..ask }).collect();
    let started = Instant::now();
    let settings = Settings { query_timeout: Duration::from_secs(5), ..Settings::default() };
    let replies = ask_all(&asks, &upstreams, &settings, &deadline()).unwrap();
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    for (n, reply) in replies.iter().enumerate() {
        match reply.outcome() {
            Outcome::Unreachable(_) => assert_eq!(n % 2, 0, "{n}"),
            Outcome::Records(_) => assert_eq!(n % 2, 1, "{n}"),
            other => panic!("{n}: {other:?}"),
        }
    }
}
