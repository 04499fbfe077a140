//! check_rdns against scripted name servers and mail servers: what every answer, and every
//! silence, makes of an address.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use lab::dns::{Behaviour, Malformed, Names, Query, Rcode, Reaction, Record, RecordType, Responder, Zones};
use lab::output::State;
use lab::peer::{Peer, Script};
use lab::process::has_ipv6;
use tests::rdns::{ADDRESS, NAME, check, forward, pair, ptr, reverse};
use tests::{Check, Run};

fn names(records: impl IntoIterator<Item = Record>) -> Responder {
    Responder::start(Names::new(records))
}

fn asks(dns: &Responder) -> Check {
    check(&[dns.addr()], &[ADDRESS])
}

/// Less patience than by default, for servers that say nothing.
fn impatient(check: Check) -> Check {
    check.args(["--query-timeout", "0.3", "--tries", "1"])
}

/// `ptr` and `confirmed`, `U` as `None`.
fn figures(run: &Run) -> [Option<f64>; 3] {
    ["addresses", "ptr", "confirmed"].map(|label| run.parsed.value(label))
}

#[test]
fn a_name_that_leads_back() {
    let dns = names(pair(ADDRESS, NAME));
    let run = asks(&dns).gives(State::Ok, &[ADDRESS, NAME]);
    assert_eq!(figures(&run), [Some(1.0), Some(1.0), Some(1.0)]);
    run.long("not public");
    let asked: Vec<(String, RecordType)> =
        dns.queries().into_iter().map(|query| (query.name, query.record_type)).collect();
    assert_eq!(
        asked,
        [(reverse(ADDRESS), RecordType::Ptr), (NAME.into(), RecordType::A)],
        "no more than that"
    );
    let wanted = ["--match", "*.lab.test"];
    asks(&dns).args(wanted).gives(State::Ok, &[]);
    asks(&dns).args(["--match", "mx.lab.test"]).gives(State::Critical, &[NAME, "mx.lab.test"]);
    let run = asks(&dns).arg("-vv").gives(State::Ok, &[]);
    run.long(&format!("asked: {}", dns.addr())).long(&format!("{} PTR by", reverse(ADDRESS)));
}

#[test]
fn a_name_is_checked_with_all_its_addresses() {
    let other = "2001:db8::25";
    let dns = names(pair(ADDRESS, NAME).into_iter().chain(pair(other, NAME)).chain([
        forward("half.lab.test", ADDRESS),
        forward("half.lab.test", "192.0.2.26"),
        Record::txt("x").owned_by("none.lab.test"),
    ]));
    let target = |name| check(&[dns.addr()], &[name]);
    let run = target(NAME).gives(State::Ok, &["2 addresses"]);
    assert_eq!(figures(&run), [Some(2.0), Some(2.0), Some(2.0)]);
    run.long(ADDRESS).long(other);
    target(NAME).arg("-6").gives(State::Ok, &[other]).silent_about(ADDRESS);
    target(NAME).arg("-4").gives(State::Ok, &[ADDRESS]).silent_about(other);
    let run = target("half.lab.test").gives(State::Critical, &["192.0.2.26 of half.lab.test", "NXDOMAIN"]);
    run.long(NAME);
    target("half.lab.test").arg("-6").gives(State::Critical, &["half.lab.test has no IPv6 address"]);
    target("none.lab.test").gives(State::Critical, &["none.lab.test has no address"]);
    target("gone.lab.test").gives(State::Critical, &["gone.lab.test does not exist (NXDOMAIN)"]);
    let run = check(&[dns.addr()], &["gone.lab.test", ADDRESS]).gives(State::Critical, &["gone.lab.test"]);
    assert_eq!(figures(&run), [Some(1.0), Some(1.0), Some(1.0)]);
    // The same address twice is one.
    let run = check(&[dns.addr()], &[NAME, ADDRESS, ADDRESS]).arg("-4").gives(State::Ok, &[]);
    assert_eq!(figures(&run)[0], Some(1.0));
}

/// NXDOMAIN is an answer; SERVFAIL, REFUSED, nonsense and silence are none.
#[test]
fn only_answers_are_judged() {
    let dns = names([]);
    asks(&dns).gives(State::Critical, &[ADDRESS, "no PTR record", "NXDOMAIN"]).long("ask your provider");
    dns.behave(Reaction::nodata());
    asks(&dns).gives(State::Critical, &["no PTR record", "NODATA"]);
    for (rcode, word) in
        [(Rcode::ServFail, "SERVFAIL"), (Rcode::Refused, "REFUSED"), (Rcode::NotImp, "RCODE 4")]
    {
        dns.behave(Reaction::rcode(rcode));
        let run = asks(&dns).gives(State::Unknown, &[ADDRESS, word]);
        assert_eq!(figures(&run), [Some(1.0), None, None]);
        // A name of the command line, the name of the address, or that in HELO: all the same.
        check(&[dns.addr()], &[NAME]).gives(State::Unknown, &[NAME, word]);
        dns.behave(move |query: &Query| match query.record_type {
            RecordType::Ptr => Reaction::records([Record::ptr(NAME)]),
            _ => Reaction::rcode(rcode),
        });
        let run = asks(&dns).gives(State::Unknown, &[NAME, word]);
        assert_eq!(figures(&run), [Some(1.0), Some(1.0), None]);
    }
    for how in
        [Malformed::Garbage, Malformed::CutRecord, Malformed::TooManyRecords, Malformed::PointerToItself]
    {
        dns.behave(Reaction::malformed(how));
        impatient(asks(&dns)).gives(State::Unknown, &[ADDRESS]);
    }
    dns.behave(Reaction::cname_loop);
    asks(&dns).gives(State::Unknown, &["aliases go in a circle"]);
    dns.behave(Reaction::records([Record::address("192.0.2.25")]));
    asks(&dns).gives(State::Unknown, &["not asked for"]);
}

#[test]
fn silence_is_no_answer_and_ends_in_time() {
    let dns = Responder::start(Reaction::silence());
    impatient(asks(&dns)).gives(State::Unknown, &["cannot look up the PTR record", "timeout"]);
    let begun = Instant::now();
    asks(&dns).timeout(0.5).gives(State::Unknown, &["timeout after 0.5 s while querying"]);
    asks(&dns)
        .timeout(0.5)
        .args(["--timeout-state", "critical"])
        .gives(State::Critical, &["timeout after 0.5 s"]);
    asks(&dns)
        .timeout(0.5)
        .args(["--timeout-state", "warning"])
        .gives(State::Warning, &["cannot look up the PTR record", "timeout after 0.5 s"]);
    assert!(begun.elapsed() < Duration::from_secs(4));
    let dead = Responder::start(Reaction::silence()).addr();
    impatient(check(&[dead], &[ADDRESS])).gives(State::Unknown, &["Connection refused"]);
}

#[test]
fn names_that_lead_elsewhere() {
    let one = |name: &str, more: Vec<Record>| names([ptr(ADDRESS, name)].into_iter().chain(more));
    let dns = one(NAME, vec![forward(NAME, "192.0.2.9"), forward(NAME, "192.0.2.8")]);
    let run = asks(&dns).gives(State::Critical, &[NAME, "192.0.2.8, 192.0.2.9"]);
    assert_eq!(figures(&run), [Some(1.0), Some(1.0), Some(0.0)]);
    asks(&one(NAME, vec![])).gives(State::Critical, &["does not exist (NXDOMAIN)"]);
    asks(&one(NAME, vec![forward(NAME, "2001:db8::25")]))
        .gives(State::Critical, &["no IPv4 address (NODATA)"]);
    let undotted = format!("{NAME}.2.0.192.in-addr.arpa");
    asks(&one(&undotted, vec![])).gives(State::Critical, &[&undotted]).long("lacks its last dot");
    let alias = vec![Record::cname("host.lab.test").owned_by(NAME), forward("host.lab.test", ADDRESS)];
    asks(&one(NAME, alias)).gives(State::Warning, &["alias of host.lab.test"]);
    let generic = "ppp-192-0-2-25.pool.lab.test";
    let dns = one(generic, vec![forward(generic, ADDRESS)]);
    asks(&dns).gives(State::Warning, &["looks generated", "192-0-2-25"]).long("--generic-ok");
    asks(&dns).arg("--generic-ok").gives(State::Ok, &[generic]);
}

/// RFC 2317: the reverse name is an alias into a zone of the customer's own.
#[test]
fn a_reverse_zone_without_classes() {
    let inside = "25.0-63.2.0.192.in-addr.arpa";
    let alias = || Record::cname(inside).owned_by(&reverse(ADDRESS));
    let dns = names([alias(), Record::ptr(NAME).owned_by(inside), forward(NAME, ADDRESS)]);
    asks(&dns).gives(State::Ok, &[NAME]).silent_about(inside);
    asks(&dns).arg("-v").gives(State::Ok, &[]).long(&format!("{} is an alias of {inside}", reverse(ADDRESS)));
    dns.behave(move |query: &Query| match query.record_type {
        RecordType::Ptr => Reaction::records([Record::cname(inside)]).then(Reaction::silence()),
        _ => Reaction::nxdomain(),
    });
    asks(&dns).gives(State::Critical, &["NODATA at", inside]);
}

/// Fifty names do not fit into a datagram.
#[test]
fn fifty_names_come_over_tcp() {
    let many: Vec<String> = (10..60).map(|number| format!("n{number}.lab.test")).collect();
    let records = many.iter().flat_map(|name| pair(ADDRESS, name));
    let dns = names(records);
    let run = asks(&dns).gives(State::Warning, &["50 names", "n10.lab.test", "and 45 more"]);
    assert_eq!(figures(&run), [Some(1.0), Some(50.0), Some(50.0)]);
    let cut = Names::new(pair(ADDRESS, NAME)).map(Reaction::truncated);
    asks(&Responder::start(cut)).gives(State::Ok, &[NAME]);
}

/// What a stranger writes into his reverse zone reaches the operator's screen and the engine.
#[test]
fn hostile_names_stay_harmless() {
    for label in [
        "a|b",
        "a\\010b",
        "a\\027[31mb",
        "a\\032b",
        "a\\000b",
        "a\\255b",
        "'a=1;2'",
        "$(reboot)",
        "-a",
        "a\\046b",
    ] {
        let name = format!("{label}.lab.test");
        let dns = Responder::start(Names::new([ptr(ADDRESS, &name)]));
        let run = asks(&dns).arg("-vv").gives(State::Critical, &["no host name"]);
        let text = run.outcome.text();
        assert!(!text.contains('\u{1b}') && !text.contains('\0'), "{text:?}");
        assert_eq!(text.lines().next().unwrap().matches('|').count(), 1, "{text:?}");
        assert_eq!(figures(&run), [Some(1.0), Some(1.0), Some(0.0)], "{text}");
        assert_eq!(dns.query_count(), 1, "it is not asked for");
    }
    for name in ["mail", "mail_1.lab.test", "localhost"] {
        asks(&names(pair(ADDRESS, name))).gives(State::Warning, &[name]);
    }
    asks(&names([ptr(ADDRESS, ADDRESS)])).gives(State::Critical, &["an address and no name"]);
    asks(&names([ptr(ADDRESS, "")])).gives(State::Critical, &["the root of all names"]);
    check(&[names(pair("127.0.0.1", "localhost")).addr()], &["127.0.0.1"]).gives(State::Ok, &["localhost"]);
}

#[test]
fn resolvers_are_compared() {
    let good = || names(pair(ADDRESS, NAME));
    let (one, two) = (good(), good());
    let both = check(&[one.addr(), two.addr()], &[ADDRESS]);
    both.gives(State::Ok, &[]);
    two.behave(Names::new(pair(ADDRESS, "old.lab.test")));
    let words = [format!("{} says {NAME}", one.addr()), format!("{} says old.lab.test", two.addr())];
    let run = both.outcome();
    let text = run.text();
    assert!(words.iter().all(|word| text.contains(word)), "{text}");
    two.behave(Names::new([]));
    both.gives(State::Warning, &["resolvers differ", "NXDOMAIN"]);
    two.behave(Reaction::rcode(Rcode::ServFail));
    both.gives(State::Warning, &[&two.addr().to_string(), "2 questions", "SERVFAIL"]);
    one.behave(Reaction::rcode(Rcode::Refused));
    both.gives(State::Unknown, &["REFUSED", "SERVFAIL"]);
}

#[test]
fn the_name_in_helo() {
    let dns = names(
        pair(ADDRESS, NAME)
            .into_iter()
            .chain([forward("out.lab.test", "192.0.2.9"), forward("same.lab.test", ADDRESS)]),
    );
    let helo = |name| asks(&dns).args(["--helo", name]);
    helo(NAME).gives(State::Ok, &["HELO says the same"]);
    helo("same.lab.test").gives(State::Warning, &["HELO same.lab.test is not the name of", NAME]);
    helo("out.lab.test").gives(State::Warning, &["out.lab.test", "it has the address 192.0.2.9"]);
    helo("gone.lab.test").gives(State::Critical, &["HELO gone.lab.test does not exist"]);
    let dns = Responder::start(
        Zones::new()
            .zone("", Names::new(pair(ADDRESS, NAME)))
            .zone("broken.test", Reaction::rcode(Rcode::ServFail)),
    );
    asks(&dns).args(["--helo", "x.broken.test"]).gives(State::Unknown, &["HELO x.broken.test", "SERVFAIL"]);
}

/// A mail server that greets so, the name server that has its name, and a check of both.
fn greets(banner: &str) -> (Peer, Responder, Check) {
    let peer = Peer::start(Script::new().send(format!("{banner}\r\n")).quit());
    let dns = names(pair("127.0.0.1", NAME));
    let check = check(&[dns.addr()], &["127.0.0.1"]).arg(format!("--smtp={}", peer.port()));
    (peer, dns, check)
}

#[test]
fn the_name_in_the_banner() {
    for (banner, state, words) in [
        ("220 Mail.Lab.Test ESMTP", State::Ok, &["its banner says the same"][..]),
        ("220-mail.lab.test ESMTP\r\n220 go on", State::Ok, &[]),
        ("220 other.lab.test ESMTP", State::Warning, &["\"other.lab.test\"", "\"mail.lab.test\""]),
        ("220 ESMTP | \u{1b}[31m", State::Warning, &["does not say its name"]),
        ("220 ", State::Warning, &["does not say its name"]),
        ("220 *****2******0*2*0*00", State::Warning, &["hides its name", "*****2"]),
        ("554 no", State::Critical, &["refuses to talk", "\"554 no\""]),
        ("250 mail.lab.test", State::Critical, &["greets oddly", "\"250 mail.lab.test\""]),
        ("421 mail.lab.test busy", State::Critical, &["\"421 mail.lab.test busy\""]),
        ("HTTP/1.0 400 Bad Request", State::Critical, &["not an SMTP reply"]),
    ] {
        let (peer, _dns, check) = greets(banner);
        let run = check.arg("-vvv").gives(state, words);
        assert!(!run.outcome.text().contains('\u{1b}'));
        assert!(run.parsed.value("time_connect").is_some(), "{banner}");
        assert_eq!(peer.connections(), 1, "{banner}");
    }
    let (peer, dns, check) = greets("220 mail.lab.test");
    check.gives(State::Ok, &[]);
    assert_eq!(peer.received_text(0), "QUIT\r\n");
    // What the mail server says is no news where the address has no name.
    dns.behave(Names::new([]));
    check.arg("-v").gives(State::Critical, &["no PTR record"]).long("greets with");
}

#[test]
fn mail_servers_that_are_dead_or_silent() {
    let dns = names(pair("127.0.0.1", NAME).into_iter().chain(pair("127.0.0.2", NAME)));
    let dead = Peer::start(Script::new()).port();
    let smtp = format!("--smtp={dead}");
    let run = check(&[dns.addr()], &["127.0.0.1"]).arg(&smtp).gives(State::Critical, &["Connection refused"]);
    assert_eq!(run.parsed.value("time_connect"), None);
    assert_eq!(run.parsed.value("confirmed"), Some(1.0));

    let silent = Peer::start(Script::new().hold());
    let twin = SocketAddr::new("127.0.0.2".parse().unwrap(), silent.port());
    let _twin = Peer::start_on(twin, Script::new().hold());
    let smtp = format!("--smtp={}", silent.port());
    // Both at once, or the time would not be enough for the second.
    let both = check(&[dns.addr()], &["127.0.0.1", "127.0.0.2"]).arg(&smtp).timeout(0.6);
    both.gives(
        State::Critical,
        &["no banner from 127.0.0.1:", "no banner from 127.0.0.2:", "waiting for the banner"],
    );
    both.args(["--timeout-state", "warning"]).gives(State::Warning, &["no banner"]);
    let closed = Peer::start(Script::new().close());
    let smtp = format!("--smtp={}", closed.port());
    check(&[dns.addr()], &["127.0.0.1"]).arg(&smtp).gives(State::Critical, &["closed by the server"]);
    if has_ipv6() {
        let dns = names(pair("::1", NAME));
        let peer = Peer::start_on("[::1]:0".parse().unwrap(), Script::new().banner().quit());
        let smtp = format!("--smtp={}", peer.port());
        let check = check(&[dns.addr()], &["::1"]).arg(&smtp);
        // The address to ask from is of the other family, that of the name server.
        check.args(["--source-ip", "127.0.0.1"]).gives(State::Ok, &["::1"]);
    }
}

/// The name server uses up the time: that is no fault of a mail server that greets at once.
#[test]
fn no_mail_server_is_blamed_for_a_name_server() {
    let peer = Peer::start(Script::new().banner().quit());
    let dns = Responder::start(|query: &Query| match query.record_type {
        RecordType::Ptr => Reaction::records([Record::ptr(NAME)]),
        _ => Reaction::silence(),
    });
    let check = check(&[dns.addr()], &["127.0.0.1"]).arg(format!("--smtp={}", peer.port())).timeout(0.6);
    let words = ["cannot look up the address of mail.lab.test", "no banner from 127.0.0.1: not asked"];
    let run = check.gives(State::Unknown, &words);
    let first = run.outcome.text().lines().next().unwrap().to_owned();
    assert!(first.starts_with("RDNS UNKNOWN: cannot look up"), "{first}");
    assert_eq!(peer.connections(), 0);
    check.args(["--timeout-state", "warning"]).gives(State::Warning, &["cannot look up the address"]);
}

/// A name server that denies a name for one type of record, and has the other.
#[test]
fn a_name_that_is_denied_and_has_an_address() {
    let other = "2001:db8::25";
    let dns = Responder::start(move |query: &Query| match query.record_type {
        RecordType::Aaaa => Reaction::records([Record::address(other)]),
        RecordType::Ptr => Reaction::records([Record::ptr(NAME)]),
        _ => Reaction::nxdomain(),
    });
    let target = check(&[dns.addr()], &[NAME]);
    target.gives(State::Warning, &[NAME, "asked for its A records", "NXDOMAIN"]);
    target.arg("-6").gives(State::Ok, &[other]);
}

/// A name that is wanted counts where it leads back; two names count where one resolver has both.
#[test]
fn the_name_that_is_wanted() {
    let good = forward("good.lab.test", ADDRESS);
    let dns = names([ptr(ADDRESS, NAME), ptr(ADDRESS, "good.lab.test"), good]);
    let wanted = |name| asks(&dns).args(["--match", name]);
    wanted(NAME).gives(State::Critical, &[NAME, "as expected, but that name does not exist (NXDOMAIN)"]);
    wanted("good.*").gives(State::Warning, &["1 of its 2 names"]);
    let all = || [forward("good.lab.test", ADDRESS), forward("bad.lab.test", ADDRESS)];
    let of = |name| names(all().into_iter().chain([ptr(ADDRESS, name)]));
    let three = [of("good.lab.test"), of("bad.lab.test"), of("bad.lab.test")];
    let addresses: Vec<SocketAddr> = three.iter().map(Responder::addr).collect();
    let run = check(&addresses, &[ADDRESS]).args(["--match", "good.lab.test"]).gives(State::Warning, &[]);
    let text = run.outcome.text();
    assert!(text.starts_with("RDNS WARNING: resolvers differ") && !text.contains("2 names"), "{text}");
    let dns = names(pair(ADDRESS, "mail.xn--bcher-kva.test"));
    asks(&dns).args(["--match", "*.bücher.test"]).gives(State::Ok, &[]);
}

/// Six names of binary labels fill no screen.
#[test]
fn long_names_are_cut() {
    let label = "\\255".repeat(60);
    let many = (0..6).map(|n| ptr(ADDRESS, &format!("{n}{label}.{label}.{label}.lab.test")));
    let run = asks(&names(many)).gives(State::Critical, &["none of its 6 names", "and 5 more"]);
    run.long("each of which is no host name");
    let text = run.outcome.text();
    assert!(text.lines().next().unwrap().len() < 1200, "{text}");
}

#[test]
fn mistakes_are_told_and_nothing_is_sent() {
    let dns = names(pair(ADDRESS, NAME));
    let resolver = dns.addr().to_string();
    for (arguments, words) in [
        (&[][..], "--hostname: required"),
        (&["-H", "192.0.2.0/24"], "--hostname: '192.0.2.0/24' is neither a host name nor an IP address"),
        (&["-H", "fe80::1%eth0"], "--hostname: 'fe80::1%eth0' has a zone"),
        (&["-H", "2001:db8::1", "-4"], "--hostname: 2001:db8::1 is no IPv4 address"),
        (&["-H", ADDRESS, "-6"], "--hostname: 192.0.2.25 is no IPv6 address"),
        (&["-H", ADDRESS, "--match", "a b"], "--match: 'a b' is neither a host name nor a pattern"),
        (&["-H", ADDRESS, "--helo", "mail"], "--helo: 'mail' is no fully qualified name"),
        (&["-H", ADDRESS, "--helo", "[192.0.2.25]"], "--helo: '[192.0.2.25]' is no fully qualified name"),
        (&["-H", ADDRESS, "--smtp=0"], "--smtp: "),
        (&["-H", ADDRESS, "--smtp", "25"], "arguments: a word that belongs to no option"),
        (&["-H", ADDRESS, "-w", "1"], "-w: unknown option"),
    ] {
        let check = Check::new("check_rdns").args(["--resolver", &resolver]).args(arguments);
        let run = check.gives(State::Unknown, &[words]);
        assert_eq!(run.outcome.text().lines().filter(|line| !line.starts_with("hint:")).count(), 1);
    }
    assert_eq!(dns.query_count(), 0);
}

#[test]
fn other_formats_say_the_same() {
    let dns = names(pair(ADDRESS, NAME));
    let json = asks(&dns).args(["--output", "json"]).outcome().text();
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["data"]["addresses"][0]["address"], ADDRESS);
    assert_eq!(value["data"]["looks"][0]["said"]["names"][0], NAME);
    let zabbix = asks(&dns).args(["--output", "zabbix"]).outcome().text();
    assert!(zabbix.contains("\"confirmed\":1"), "{zabbix}");
    let prometheus = asks(&dns).args(["--output", "prometheus"]).outcome().text();
    assert!(prometheus.contains("vedette_rdns_confirmed{target=\"192.0.2.25\"} 1"), "{prometheus}");
}
