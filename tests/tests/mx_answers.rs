//! check_mx against scripted name servers: what each answer is worth, and what is no answer.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

use std::net::UdpSocket;

use lab::dns::{Malformed, Names, Query, Rcode, Reaction, Record, RecordType, Responder, Transport, Zones};
use lab::output::State;
use tests::mx::{DOMAIN, address, check, figures, given, healthy, mx, resolver};

/// The records with these beside the address of the second host.
fn with(more: impl IntoIterator<Item = Record>) -> Vec<Record> {
    healthy().into_iter().chain(more).collect()
}

/// A resolver that reacts so to one type, and is right about all else.
fn odd(kind: RecordType, reaction: impl Fn(&Query) -> Reaction + Send + Sync + 'static) -> Responder {
    let names = Names::new(healthy());
    Responder::start(move |query: &Query| {
        if query.record_type == kind {
            reaction(query)
        } else {
            lab::dns::Behaviour::react(&names, query, "lab.test")
        }
    })
}

// What is right

#[test]
fn ok_two_hosts() {
    let dns = resolver(healthy());
    let run = check(&[dns.addr()])
        .gives(State::Ok, &[DOMAIN, "2 mail exchangers", "10 mx1.lab.test, 20 mx2.lab.test"]);
    assert_eq!(figures(&run), [Some(2.0), Some(3.0), Some(1.0), Some(300.0)]);
    assert_eq!(dns.query_count(), 5, "MX, and A and AAAA of two hosts");
}

#[test]
fn ok_null_mx_as_expected() {
    let dns = resolver([mx(0, "")]);
    check(&[dns.addr()]).args(["--expect", "null"]).gives(State::Ok, &["takes no mail, as expected"]);
    let run = check(&[dns.addr()]).gives(State::Critical, &["takes no mail (null MX)"]);
    run.long("hint: --expect null");
    check(&[resolver(healthy()).addr()])
        .args(["--expect", "null"])
        .gives(State::Critical, &["should take no mail", "10 mx1.lab.test"]);
}

#[test]
fn ok_the_order_of_the_records_does_not_matter() {
    let turned: Vec<Record> = healthy().into_iter().rev().collect();
    let (one, other) = (resolver(healthy()), resolver(turned));
    check(&[one.addr(), other.addr()])
        .args(["--expect", "20 mx2.lab.test", "--expect", "10 MX1.lab.test."])
        .gives(State::Ok, &["2 resolvers agree"]);
}

#[test]
fn ok_a_name_of_the_world_is_asked_for_in_ascii() {
    let dns = Responder::start(Zones::new().zone(
        "xn--bcher-kva.test",
        Names::new([
            Record::mx(1, "a.xn--bcher-kva.test"),
            Record::mx(2, "b.xn--bcher-kva.test"),
            address("a.xn--bcher-kva.test", "8.8.8.8"),
            address("b.xn--bcher-kva.test", "8.8.4.4"),
        ]),
    ));
    tests::Check::new("check_mx")
        .args(["-d", "Bücher.test", "--resolver", &dns.addr().to_string()])
        .gives(State::Ok, &["xn--bcher-kva.test: 2 mail exchangers"]);
    assert_eq!(dns.queries()[0].name, "xn--bcher-kva.test");
}

#[test]
fn ok_a_domain_that_is_an_alias() {
    let run = given(
        [
            Record::cname("other.lab.test").owned_by(DOMAIN),
            Record::mx(10, "mx1.lab.test").owned_by("other.lab.test"),
            Record::mx(20, "mx2.lab.test").owned_by("other.lab.test"),
            address("mx1.lab.test", "8.8.8.1"),
            address("mx2.lab.test", "8.8.8.2"),
        ],
        State::Ok,
        &["2 mail exchangers"],
    );
    assert_eq!(figures(&run)[0], Some(2.0));
}

/// More than a datagram holds, and more than anybody has.
#[test]
fn a_hundred_records_come_over_tcp_and_are_not_all_looked_at() {
    let records = |count: u16| {
        (0..count).flat_map(|at| {
            let host = format!("host{at}.lab.test");
            [mx(at, &host), address(&host, &format!("8.8.4.{at}"))]
        })
    };
    let dns = resolver(records(40));
    let run = check(&[dns.addr()]).gives(State::Ok, &["40 mail exchangers", "and 35 more"]);
    assert_eq!(figures(&run)[..2], [Some(40.0), Some(40.0)]);
    assert!(dns.queries().iter().any(|query| query.transport == Transport::Tcp));
    let run = given(records(100), State::Unknown, &["36 of 100 mail exchangers not looked at"]);
    assert_eq!(figures(&run)[..2], [Some(100.0), Some(64.0)]);
}

// What is wrong

#[test]
fn critical_no_domain() {
    let run = given(
        [address("other.lab.test", "8.8.8.8")],
        State::Critical,
        &[DOMAIN, "does not exist (NXDOMAIN)"],
    );
    assert_eq!(figures(&run), [Some(0.0), Some(0.0), Some(1.0), None]);
}

#[test]
fn critical_neither_mx_nor_address() {
    given([Record::txt("x").owned_by(DOMAIN)], State::Critical, &["no MX record and no address"]);
}

#[test]
fn critical_host_without_address() {
    let run = given(
        [&healthy()[..2], &healthy()[4..]].concat(),
        State::Critical,
        &["MX 10 mx1.lab.test has no address (NXDOMAIN)"],
    );
    assert_eq!(figures(&run)[..2], [Some(2.0), Some(1.0)]);
    let nodata = with([mx(30, "empty.lab.test"), Record::txt("x").owned_by("empty.lab.test")]);
    given(nodata, State::Critical, &["MX 30 empty.lab.test has no address (NODATA)"]);
}

#[test]
fn critical_host_whose_dot_was_forgotten() {
    let run = given(
        with([mx(30, "mx3.lab.test.shop.lab.test")]),
        State::Critical,
        &["mx3.lab.test.shop.lab.test has no address"],
    );
    run.long("the dot behind 'mx3.lab.test' may be missing");
    let run = given(with([mx(30, "8.8.8.8.shop.lab.test")]), State::Critical, &["has no address"]);
    run.long("the dot behind '8.8.8.8' may be missing");
}

#[test]
fn critical_host_is_an_alias() {
    let alias = |target: &str| with([mx(30, "mx3.lab.test"), Record::cname(target).owned_by("mx3.lab.test")]);
    let run = given(
        alias("mx1.lab.test"),
        State::Critical,
        &["MX 30 mx3.lab.test is an alias (CNAME to mx1.lab.test)"],
    );
    run.long("RFC 2181");
    let words = ["MX 30 mx3.lab.test is an alias (CNAME to gone.lab.test)", "has no address"];
    given(alias("gone.lab.test"), State::Critical, &words);
}

#[test]
fn critical_host_is_an_address() {
    for (host, shown) in [("8.8.8.8", "8.8.8.8"), ("[8.8.8.8]", "8.8.8.8"), ("2a00:1450::1", "2a00:1450::1")]
    {
        let run = given(with([mx(30, host)]), State::Critical, &["MX 30 ", shown, "is an IP address"]);
        run.long("hint: give the address a name");
    }
}

#[test]
fn critical_null_mx_beside_others() {
    given(with([mx(0, "")]), State::Critical, &["MX 0 . (null MX: no mail) stands beside other records"]);
    given([mx(0, ""), mx(10, "")], State::Critical, &["stands beside other records"]);
}

#[test]
fn critical_hostile_names() {
    for host in ["a b.lab.test", "\\255\\000\\010.lab.test", "\\027[31m.lab.test", "x|y.lab.test"] {
        let run = given(with([mx(30, host)]), State::Critical, &["is no host name"]);
        assert!(run.outcome.stdout.iter().all(|byte| *byte == b'\n' || *byte >= b' '), "{host:?}");
        assert_eq!(run.outcome.text().matches('|').count(), 1, "{host:?}");
    }
    let long = ["x".repeat(60), "y".repeat(60), "z".repeat(60), "lab.test".into()].join(".");
    given(with([mx(30, &long)]), State::Critical, &["has no address"]);
}

#[test]
fn warning_no_record_but_an_address() {
    let run = given(
        [address(DOMAIN, "8.8.8.8")],
        State::Warning,
        &["no MX record, its mail goes to its own address"],
    );
    assert_eq!(figures(&run), [Some(0.0), Some(1.0), Some(1.0), Some(300.0)]);
}

#[test]
fn warning_one_host_unless_that_is_enough() {
    let dns = resolver([mx(10, "mx1.lab.test"), address("mx1.lab.test", "8.8.8.8")]);
    check(&[dns.addr()]).gives(
        State::Warning,
        &["only 1 mail exchanger with an address (mx1.lab.test), below --min-hosts 2"],
    );
    for enough in [["--min-hosts", "1"], ["--expect", "10 mx1.lab.test"]] {
        check(&[dns.addr()]).args(enough).gives(State::Ok, &["1 mail exchanger:"]);
    }
    check(&[resolver(healthy()).addr()]).args(["--min-hosts", "3"]).gives(State::Warning, &["only 2"]);
}

#[test]
fn warning_address_that_is_not_public() {
    let dns = resolver(with([address("mx2.lab.test", "192.168.1.25"), address("mx2.lab.test", "::1")]));
    check(&[dns.addr()]).gives(State::Warning, &["MX 20 mx2.lab.test", "not public: 192.168.1.25, ::1"]);
    check(&[dns.addr()]).arg("--allow-private").gives(State::Ok, &[]);
}

#[test]
fn warning_times_to_live() {
    given(
        with([mx(30, "mx2.lab.test").ttl(604_801)]),
        State::Warning,
        &["TTL of MX mx2.lab.test is 604801 s, above 604800"],
    );
    let short = || with([mx(5, "mx2.lab.test").ttl(59)]);
    // A resolver counts down: from it this means nothing.
    let run = given(short(), State::Ok, &[]);
    assert_eq!(figures(&run)[3], Some(59.0));
    let names = Names::new(short());
    let holder = Responder::start(move |query: &Query| {
        lab::dns::Behaviour::react(&names, query, "lab.test").flags(lab::dns::Flags::AUTHORITATIVE)
    });
    check(&[holder.addr()]).gives(State::Warning, &["TTL of MX mx2.lab.test is 59 s, below 60"]);
}

#[test]
fn expectation_missed() {
    let dns = resolver(healthy());
    let expect = |records: &[&str]| {
        records.iter().fold(check(&[dns.addr()]), |check, record| check.args(["--expect", record]))
    };
    expect(&["10 mx1.lab.test", "20 mx2.lab.test"]).gives(State::Ok, &[]);
    expect(&["10 mx1.lab.test", "30 mx2.lab.test"])
        .gives(State::Warning, &["another preference: mx2.lab.test 20 instead of 30"]);
    expect(&["10 mx1.lab.test", "20 mx2.lab.test", "30 mx3.lab.test"])
        .gives(State::Critical, &["lacks 30 mx3.lab.test"]);
    expect(&["10 mx1.lab.test"]).gives(State::Critical, &["has unexpected 20 mx2.lab.test"]);
    given_expecting(&[address(DOMAIN, "8.8.8.8")], "10 mx1.lab.test", &["lacks 10 mx1.lab.test"]);
    given_expecting(&[], "10 mx1.lab.test", &["NXDOMAIN"]);
}

fn given_expecting(records: &[Record], expect: &str, words: &[&str]) {
    let dns = resolver(records.to_vec());
    check(&[dns.addr()]).args(["--expect", expect]).gives(State::Critical, words);
}

// What is no answer

#[test]
fn unknown_no_answer() {
    let no_answers = [
        (Reaction::rcode(Rcode::ServFail), "SERVFAIL"),
        (Reaction::rcode(Rcode::Refused), "REFUSED"),
        (Reaction::rcode(Rcode::NotImp), "RCODE 4"),
        (Reaction::silence(), "timeout"),
        (Reaction::malformed(Malformed::CutRecord), "malformed"),
        (Reaction::referral([Record::ns("ns.lab.test").owned_by("lab.test")], []), "referral"),
    ];
    for (reaction, words) in no_answers {
        let dns = odd(RecordType::Mx, move |_| reaction.clone());
        let run =
            check(&[dns.addr()]).gives(State::Unknown, &["cannot look up the MX of shop.lab.test", words]);
        assert_eq!(figures(&run), [None, None, Some(0.0), None]);
    }
    let circle = odd(RecordType::Mx, Reaction::cname_loop);
    check(&[circle.addr()]).gives(State::Unknown, &["circle"]);
    let long = odd(RecordType::Mx, |query| {
        let name = |at: usize| if at == 0 { query.name.clone() } else { format!("a{at}.lab.test") };
        Reaction::records((0..17).map(|at| Record::cname(&name(at + 1)).owned_by(&name(at))))
    });
    check(&[long.addr()]).gives(State::Unknown, &["more than 16 aliases in a row"]);
    let silent = Responder::start(Reaction::silence());
    check(&[silent.addr()]).args(["--timeout-state", "critical"]).gives(State::Critical, &["timeout"]);
    let nobody = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    check(&[nobody]).gives(State::Unknown, &["Connection refused"]);
}

/// Truncated, and nothing over TCP: no answer either.
#[test]
fn unknown_truncated_for_good() {
    for (tcp, words) in [(lab::dns::Tcp::Closed, "over TCP"), (lab::dns::Tcp::Silent, "over TCP")] {
        let dns = odd(RecordType::Mx, move |_| {
            Reaction::records([Record::mx(10, "mx1.lab.test")]).truncated().tcp(tcp)
        });
        check(&[dns.addr()]).gives(State::Unknown, &[words]);
    }
}

#[test]
fn unknown_host_that_cannot_be_looked_up() {
    for kind in [RecordType::A, RecordType::Aaaa] {
        let dns = odd(kind, |_| Reaction::rcode(Rcode::ServFail));
        let name = if kind == RecordType::A { "A" } else { "AAAA" };
        let words = format!("cannot look up {name} of mx1.lab.test: SERVFAIL");
        let run = check(&[dns.addr()]).gives(State::Unknown, &[&words]);
        assert_eq!(figures(&run)[2], Some(0.0));
        let found = if kind == RecordType::A { 1.0 } else { 2.0 };
        assert_eq!(figures(&run)[1], Some(found), "what the other family has");
        assert!(!run.outcome.report().contains("has no address"), "nobody knows");
    }
    // Neither is a domain without MX record one without mail while its address is not known.
    let dns = Responder::start(|query: &Query| match query.record_type {
        RecordType::Mx => Reaction::nodata(),
        _ => Reaction::rcode(Rcode::ServFail),
    });
    check(&[dns.addr()]).gives(State::Unknown, &["cannot look up the MX", "A of shop.lab.test: SERVFAIL"]);
}

#[test]
fn unknown_out_of_time() {
    let dns = Responder::start(Reaction::silence());
    tests::Check::new("check_mx")
        .args(["-d", DOMAIN, "--resolver", &dns.addr().to_string()])
        .timeout(0.3)
        .gives(State::Unknown, &["timeout after 0.3 s while querying"]);
}

// Several resolvers

#[test]
fn resolvers_that_differ() {
    let (one, other) = (resolver(healthy()), resolver(healthy()));
    let old = resolver(with([mx(30, "old.lab.test"), address("old.lab.test", "8.8.8.3")]));
    let all = [one.addr(), old.addr(), other.addr()];
    let run =
        check(&all).gives(State::Critical, &["resolvers differ about shop.lab.test", "30 old.lab.test by"]);
    assert!(run.parsed.summary.contains(&old.addr().to_string()), "{}", run.outcome.report());
    run.long("hint: after a change");
    for quorum in ["majority", "2", "1"] {
        let run = check(&all).args(["--quorum", quorum]).gives(State::Ok, &["2 mail exchangers"]);
        run.long("resolvers differ within the quorum");
    }
    check(&all).args(["--quorum", "3"]).gives(State::Critical, &["differ"]);
    // A preference alone is a difference, and so is a domain that one of them does not know.
    let other_preference = resolver([&[mx(11, "mx1.lab.test")], &healthy()[1..]].concat());
    check(&[one.addr(), other_preference.addr()]).gives(State::Critical, &["11 mx1.lab.test"]);
    let without = resolver([]);
    check(&[one.addr(), without.addr()]).gives(State::Critical, &["NXDOMAIN by"]);
}

#[test]
fn resolvers_that_fail() {
    let good = resolver(healthy());
    let (bad, worse) =
        (Responder::start(Reaction::rcode(Rcode::ServFail)), Responder::start(Reaction::silence()));
    let run = check(&[good.addr(), bad.addr()]).gives(State::Warning, &["resolver", "failed: SERVFAIL"]);
    assert_eq!(figures(&run)[..3], [Some(2.0), Some(3.0), Some(1.0)]);
    check(&[good.addr(), bad.addr(), worse.addr()])
        .gives(State::Unknown, &["1 of 3 resolvers answered", "2 needed", "SERVFAIL", "timeout"]);
    check(&[good.addr(), bad.addr(), worse.addr()])
        .args(["--quorum", "1"])
        .gives(State::Warning, &["SERVFAIL"]);
    check(&[good.addr(), bad.addr()]).args(["--quorum", "2"]).gives(State::Unknown, &["1 of 2"]);
    check(&[good.addr(), bad.addr()]).args(["--quorum", "majority"]).gives(State::Unknown, &["1 of 2"]);
    // One that fails half-way does not hide what another one knows.
    let half = odd(RecordType::Aaaa, |_| Reaction::rcode(Rcode::ServFail));
    let run =
        check(&[good.addr(), half.addr()]).gives(State::Warning, &["failed: AAAA of mx1.lab.test: SERVFAIL"]);
    assert_eq!(figures(&run)[2], Some(1.0));
}

/// A host that one of them does not find.
#[test]
fn resolvers_that_differ_about_a_host() {
    let (good, blind) = (resolver(healthy()), resolver(healthy()[..4].to_vec()));
    let run =
        check(&[good.addr(), blind.addr()]).gives(State::Critical, &["MX 20 mx2.lab.test has no address by"]);
    assert!(run.parsed.summary.contains(&blind.addr().to_string()));
    let run = check(&[good.addr(), blind.addr()])
        .args(["--quorum", "1"])
        .gives(State::Warning, &["MX 20 mx2.lab.test has no address by", &blind.addr().to_string()]);
    run.long("2 resolvers agree on the MX records");
    // Another address is a difference as well.
    let moved = resolver([&healthy()[..4], &[address("mx2.lab.test", "8.8.8.9")]].concat());
    let both = [good.addr(), moved.addr()];
    check(&both).gives(
        State::Warning,
        &["resolvers differ about the addresses of mx2.lab.test", "8.8.8.9 by", &moved.addr().to_string()],
    );
    check(&both).args(["--quorum", "1"]).gives(State::Ok, &["2 resolvers agree on the MX records"]);
    // Of two answers neither counts more, whoever is named first.
    let other = resolver([mx(10, "mx1.lab.test"), address("mx1.lab.test", "8.8.8.1")]);
    for tie in [[good.addr(), other.addr()], [other.addr(), good.addr()]] {
        check(&tie).args(["--quorum", "1"]).gives(State::Critical, &["resolvers differ about shop.lab.test"]);
    }
}

#[test]
fn shared_load_is_shown() {
    let equal = [mx(10, "mx2.lab.test"), mx(10, "mx1.lab.test"), mx(20, "mx3.lab.test")];
    let hosts = ["mx1", "mx2", "mx3"]
        .map(|host| address(&format!("{host}.lab.test"), &format!("8.8.8.{}", &host[2..])));
    let fixed = resolver(equal.clone().into_iter().chain(hosts.clone()));
    let run = check(&[fixed.addr()]).arg("-v").gives(State::Ok, &[]);
    run.long("preference 10 is shared by mx2.lab.test, mx1.lab.test");
    run.long("10 mx2.lab.test, 10 mx1.lab.test, 20 mx3.lab.test (TTL 300)")
        .long("in the same order when asked again");
    let names = Names::new(hosts);
    let turn = std::sync::atomic::AtomicUsize::new(0);
    let turning = Responder::start(move |query: &Query| {
        if query.record_type != RecordType::Mx {
            return lab::dns::Behaviour::react(&names, query, "lab.test");
        }
        let mut records = equal.clone();
        records.rotate_left(turn.fetch_add(1, std::sync::atomic::Ordering::SeqCst) % 2);
        Reaction::records(records)
    });
    let run = check(&[turning.addr()]).arg("-v").gives(State::Ok, &[]);
    run.long("in another order when asked again");
}

// Usage

#[test]
fn usage_errors_are_one_line_and_send_nothing() {
    let dns = resolver(healthy());
    let server = dns.addr().to_string();
    for (words, want) in [
        (&["-d", "a..b"][..], "--domain: 'a..b'"),
        (&["-d", "192.0.2.1"], "--domain: is an address"),
        (&[], "--domain: required"),
        (&["-d", DOMAIN, "--expect", "mx1.lab.test"], "--expect: 'mx1.lab.test' is no MX record"),
        (&["-d", DOMAIN, "--expect", "10 8.8.1.1"], "--expect: '10 8.8.1.1' is no MX record"),
        (&["-d", DOMAIN, "--expect", "null", "--expect", "1 a.test"], "--expect: null stands alone"),
        (&["-d", DOMAIN, "--quorum", "2"], "--quorum: 2 is more than the resolvers asked, 1"),
        (&["-d", DOMAIN, "--quorum", "most"], "--quorum: want a number"),
        (&["-d", DOMAIN, "--min-hosts", "0"], "--min-hosts"),
        (&["-d", DOMAIN, "-p", "26"], "--connect: required"),
        (&["-d", DOMAIN, "--dns-port", "5353"], "--authoritative: required"),
        (&["-d", DOMAIN, "-6", "--source-ip", "127.0.0.1"], "--source-ip: is of another family"),
    ] {
        let run = tests::Check::new("check_mx")
            .args(["--resolver", &server])
            .args(words)
            .gives(State::Unknown, &[want]);
        assert_eq!(run.outcome.code, Some(3));
    }
    assert_eq!(dns.query_count(), 0);
}
