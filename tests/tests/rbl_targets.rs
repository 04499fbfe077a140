//! check_rbl: whom it can be asked about, and what is never sent.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::float_cmp,
    reason = "test code"
)]

use std::fs;

use lab::dns::{Dnsbl, Names, Rcode, Reaction, Record, RecordType, Responder, Zones};
use lab::output::State;
use tests::rbl::{TARGET, bare, check, figures, impatient, one_list, times_asked, with_lists};
use tests::{Check, Run};

/// A list that knows some addresses and a domain, and hosts of every kind.
fn world() -> Responder {
    let list = Dnsbl::listing("192.0.2.25", ["127.0.0.2"])
        .and("2001:db8::25", ["127.0.0.3"])
        .and("bad.example", ["127.0.1.2"]);
    let hosts = Names::new([
        Record::address("192.0.2.1").owned_by("clean.example"),
        Record::address("192.0.2.1").owned_by("dual.example"),
        Record::address("192.0.2.2").owned_by("dual.example"),
        Record::address("2001:db8::1").owned_by("dual.example"),
        Record::address("2001:db8::2").owned_by("dual.example"),
        Record::address("192.0.2.1").owned_by("second.example"),
        Record::address("192.0.2.25").owned_by("second.example"),
        Record::address("192.0.2.1").owned_by("sixth.example"),
        Record::address("2001:db8::25").owned_by("sixth.example"),
        Record::address("2001:db8::7").owned_by("six.example"),
        Record::cname("second.example").owned_by("alias.example"),
        Record::txt("nothing but text").owned_by("bad.example"),
        Record::txt("nothing but text").owned_by("text.example"),
    ]);
    Responder::start(Zones::new().zone("bl.lab.test", list).zone("example", hosts))
}

const ALL: &str = "bl.lab.test,type=ip4+ip6+domain";
const BOTH: &str = "bl.lab.test,type=ip4+ip6";

fn ask(dns: &Responder, targets: &[&str], list: &str) -> Check {
    let check = bare(dns).arg("--allow-private");
    let check = targets.iter().fold(check, |check, target| check.args(["-H", target]));
    with_lists(impatient(check), &[list])
}

fn asked(dns: &Responder, front: &str) -> usize {
    times_asked(dns, &format!("{front}.bl.lab.test"))
}

fn reversed6(last: char) -> String {
    format!("{last}.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2")
}

// Kinds of targets

#[test]
fn addresses_of_both_families() {
    let dns = world();
    ask(&dns, &["192.0.2.25"], BOTH).gives(State::Critical, &["192.0.2.25", "127.0.0.2"]);
    ask(&dns, &["2001:db8::25"], BOTH).gives(State::Critical, &["2001:db8::25", "127.0.0.3"]);
    ask(&dns, &["[2001:db8::25]"], BOTH).gives(State::Critical, &["2001:db8::25"]);
    ask(&dns, &["2001:DB8:0::1"], BOTH).gives(State::Ok, &["2001:db8::1", "not listed"]);
}

#[test]
fn ok_every_address_of_a_host_is_asked() {
    let dns = world();
    ask(&dns, &["dual.example"], BOTH).gives(State::Ok, &["dual.example", "not listed"]);
    for front in ["1.2.0.192", "2.2.0.192", &reversed6('1'), &reversed6('2')] {
        assert_eq!(asked(&dns, front), 1, "{front}");
    }
}

#[test]
fn critical_second_address_of_a_host() {
    let dns = world();
    for (host, address) in
        [("second.example", "192.0.2.25"), ("sixth.example", "2001:db8::25"), ("alias.example", "192.0.2.25")]
    {
        let run = ask(&dns, &[host], BOTH).gives(State::Critical, &[host, address, "bl.lab.test"]);
        assert_eq!(figures(&run), [Some(1.0), Some(1.0), Some(1.0), Some(1.0), Some(0.0)]);
    }
}

#[test]
fn family_is_chosen() {
    let dns = world();
    ask(&dns, &["sixth.example"], BOTH).arg("-4").gives(State::Ok, &["not listed"]);
    assert_eq!(asked(&dns, &reversed6('5')), 0);
    assert!(dns.queries().iter().all(|query| query.record_type != RecordType::Aaaa));
    dns.clear();
    ask(&dns, &["second.example"], BOTH).arg("-6").gives(State::Unknown, &["second.example"]);
    assert!(dns.queries().iter().all(|query| !query.name.starts_with("25.2.0.192")));
    ask(&dns, &["six.example"], BOTH).arg("-6").gives(State::Ok, &["six.example", "not listed"]);
    ask(&dns, &["six.example"], BOTH).args(["-4", "-6"]).gives(State::Unknown, &["--ipv4", "--ipv6"]);
}

#[test]
fn domains_in_domain_lists() {
    let dns = world();
    let domains = "bl.lab.test,type=domain";
    let run = ask(&dns, &["bad.example"], domains).gives(State::Critical, &["bad.example", "127.0.1.2"]);
    assert_eq!(run.parsed.value("listed"), Some(1.0));
    assert_eq!((asked(&dns, "bad.example"), asked(&dns, "test"), asked(&dns, "invalid")), (1, 1, 1));
    assert!(dns.queries().iter().all(|query| query.name != "bad.example"), "its addresses do not matter");
    ask(&dns, &["Good.Example."], domains).gives(State::Ok, &["good.example", "not listed"]);
    ask(&dns, &["bücher.example"], domains).gives(State::Ok, &["xn--bcher-kva.example"]);
    assert_eq!(asked(&dns, "xn--bcher-kva.example"), 1);
}

#[test]
fn hosts_are_asked_as_domains_and_by_address() {
    let dns = world();
    ask(&dns, &["clean.example"], ALL).gives(State::Ok, &["clean.example", "not listed"]);
    assert_eq!((asked(&dns, "clean.example"), asked(&dns, "1.2.0.192")), (1, 1));
    let run = ask(&dns, &["bad.example"], ALL).gives(State::Critical, &["bad.example", "127.0.1.2"]);
    assert_eq!(run.parsed.value("listed"), Some(1.0));
}

#[test]
fn lists_of_another_type_are_left_out_with_a_note() {
    let dns = world();
    let check = ask(&dns, &["192.0.2.1"], "bl.lab.test").args(["-s", "names.lab.test,type=domain"]);
    let run = check.gives(State::Ok, &["not listed"]);
    run.long("left out");
    assert_eq!(run.parsed.value("lists"), Some(1.0));
    ask(&dns, &["2001:db8::1"], "bl.lab.test").gives(State::Unknown, &["2001:db8::1", "no list"]);
    ask(&dns, &["192.0.2.1"], "bl.lab.test,type=domain").gives(State::Unknown, &["no list"]);
}

// Names that do not resolve

#[test]
fn unknown_names_without_an_address() {
    let dns = Responder::start(
        Zones::new()
            .zone("bl.lab.test", Dnsbl::healthy())
            .zone("gone.example", Reaction::nxdomain())
            .zone("text.example", Reaction::nodata())
            .zone("broken.example", Reaction::rcode(Rcode::ServFail))
            .zone("silent.example", Reaction::silence()),
    );
    for (name, words) in [
        ("gone.example", "NXDOMAIN"),
        ("text.example", "no address"),
        ("broken.example", "SERVFAIL"),
        ("silent.example", "cannot resolve"),
        ("elsewhere.test", "REFUSED"),
    ] {
        let run = ask(&dns, &[name], BOTH).gives(State::Unknown, &[name, words]);
        assert_eq!(run.parsed.value("score"), None, "{}", run.outcome.report());
    }
    assert!(
        dns.queries().iter().all(|query| query.name.ends_with("example") || query.name == "elsewhere.test")
    );
}

#[test]
fn unknown_half_resolved_host_is_checked_as_far_as_possible() {
    let dns = Responder::start(Zones::new().zone("bl.lab.test", Dnsbl::listing(TARGET, ["127.0.0.2"])).zone(
        "half.example",
        |query: &lab::dns::Query| match query.record_type {
            RecordType::A => Reaction::records([Record::address("192.0.2.1")]),
            _ => Reaction::rcode(Rcode::ServFail),
        },
    ));
    let run = ask(&dns, &["half.example"], BOTH).gives(State::Unknown, &["half.example", "SERVFAIL"]);
    assert!(run.outcome.text().contains("not listed"), "{}", run.outcome.report());
    assert_eq!(asked(&dns, "1.2.0.192"), 1);
}

#[test]
fn unknown_host_with_a_private_address() {
    let dns = Responder::start(
        Zones::new()
            .zone("bl.lab.test", Dnsbl::healthy())
            .zone("inside.example", Names::new([Record::address("10.1.2.3"), Record::address("8.8.4.4")])),
    );
    let check = with_lists(bare(&dns).args(["-H", "inside.example"]), &["bl.lab.test"]);
    check.gives(State::Unknown, &["inside.example", "10.1.2.3", "not public"]);
    assert_eq!((asked(&dns, "3.2.1.10"), asked(&dns, "4.4.8.8")), (0, 1), "the public one is asked about");
    check.arg("--allow-private").gives(State::Ok, &["not listed"]);
    assert_eq!(asked(&dns, "3.2.1.10"), 1);
}

#[test]
fn unknown_host_with_too_many_addresses() {
    let dns = Responder::start(Zones::new().zone("bl.lab.test", Dnsbl::healthy()).zone(
        "many.example",
        |query: &lab::dns::Query| match query.record_type {
            RecordType::A => {
                let address = |n| Record::address(&format!("198.51.{}.{}", n / 100, n % 100));
                Reaction::records((0..300).map(address))
            }
            _ => Reaction::nodata(),
        },
    ));
    let run = ask(&dns, &["many.example"], "bl.lab.test").gives(State::Unknown, &["many.example", "300"]);
    assert!(dns.query_count() < 80, "{}", run.outcome.report());
}

#[test]
fn ok_an_address_that_is_given_twice_is_asked_about_once() {
    let dns = Responder::start(
        Zones::new()
            .zone("bl.lab.test", Dnsbl::healthy())
            .zone("twice.example", Names::new(["192.0.2.1", "192.0.2.2", "192.0.2.1"].map(Record::address))),
    );
    ask(&dns, &["twice.example"], "bl.lab.test").gives(State::Ok, &["not listed"]);
    assert_eq!(asked(&dns, "1.2.0.192"), 1);
}

// Several targets

#[test]
fn several_targets_worst_first() {
    let dns = world();
    let run = ask(&dns, &["192.0.2.1", "192.0.2.25", "2001:db8::9"], BOTH)
        .gives(State::Critical, &["192.0.2.25", "bl.lab.test"]);
    run.long("192.0.2.1 not listed").long("2001:db8::9 not listed");
    assert_eq!(figures(&run), [Some(1.0), Some(1.0), Some(1.0), Some(1.0), Some(0.0)]);
    let run =
        ask(&dns, &["192.0.2.25", "2001:db8::25", "192.0.2.1"], BOTH).gives(State::Critical, &["1 more"]);
    assert_eq!(run.parsed.value("listed"), Some(2.0));
    ask(&dns, &["192.0.2.1", "192.0.2.2"], BOTH).gives(State::Ok, &["2 targets"]);
}

#[test]
fn networks_are_asked_address_by_address() {
    let dns = world();
    let run = ask(&dns, &["192.0.2.24/29"], "bl.lab.test").gives(State::Critical, &["192.0.2.25"]);
    for last in 24..32 {
        assert_eq!(asked(&dns, &format!("{last}.2.0.192")), 1);
    }
    assert_eq!(run.parsed.value("listed"), Some(1.0));
    dns.clear();
    // Overlapping ones and addresses in them: once each.
    ask(&dns, &["192.0.2.0/30", "192.0.2.2/31", "192.0.2.3"], "bl.lab.test").gives(State::Ok, &["4 targets"]);
    assert_eq!(dns.query_count(), 4 + 2);
    ask(&dns, &["2001:db8::20/125"], BOTH).gives(State::Critical, &["2001:db8::25"]);
}

#[test]
fn targets_file_with_comments() {
    let dns = world();
    let folder = tempfile::tempdir().unwrap();
    let file = |text: &str| {
        let path = folder.path().join("targets");
        fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    };
    let asking =
        |path: &str| with_lists(bare(&dns).args(["--allow-private", "--targets-file", path]), &[BOTH]);
    let path =
        file("# our hosts\r\n192.0.2.1\r\n\r\n  192.0.2.25  # the mail host\n192.0.2.1\n2001:db8::/127");
    let run = asking(&path).gives(State::Critical, &["192.0.2.25"]);
    run.long("192.0.2.1 not listed").long("2001:db8::1 not listed");
    assert_eq!(asked(&dns, "1.2.0.192"), 1);
    // Together with -H.
    let run = asking(&path).args(["-H", "192.0.2.77"]).gives(State::Critical, &["192.0.2.25"]);
    run.long("192.0.2.77 not listed");
    dns.clear();
    for (text, words) in [
        ("", &["--targets-file", "empty"][..]),
        ("# nobody\n\n", &["--targets-file", "empty"]),
        ("192.0.2.1\n192.0.2.300\n", &["line 2", "192.0.2.300"]),
        ("192.0.2.1\n\n# x\n10.0.0.0/8 # too much\n", &["line 4", "10.0.0.0/8"]),
        ("192.0.2.1 192.0.2.2\n", &["line 1"]),
    ] {
        asking(&file(text)).gives(State::Unknown, words);
    }
    asking(&folder.path().join("none").to_string_lossy())
        .gives(State::Unknown, &["--targets-file", "No such file"]);
    asking(&folder.path().to_string_lossy()).gives(State::Unknown, &["--targets-file", "directory"]);
    fs::write(folder.path().join("targets"), b"192.0.2.1\n\xff\xfe\n").unwrap();
    asking(&path).gives(State::Unknown, &["--targets-file", "UTF-8"]);
    assert_eq!(dns.query_count(), 0, "nothing is asked");
}

// What is never sent

/// Refused, and not a single query.
fn refused(dns: &Responder, targets: &[&str], words: &[&str]) -> Run {
    let check = targets.iter().fold(bare(dns), |check, target| check.arg(format!("-H{target}")));
    let run = with_lists(check, &["bl.lab.test"]).gives(State::Unknown, words);
    assert_eq!(dns.query_count(), 0, "{targets:?}\n{}", run.outcome.report());
    run
}

#[test]
fn unknown_private_addresses_send_nothing() {
    let dns = one_list(Dnsbl::world());
    for address in [
        "10.1.2.3",
        "127.0.0.1",
        "127.0.0.2",
        "169.254.7.7",
        "172.31.255.255",
        "192.168.0.1",
        "100.64.0.1",
        "198.18.0.9",
        "192.0.2.1",
        "198.51.100.2",
        "203.0.113.3",
        "224.0.0.251",
        "255.255.255.255",
        "0.0.0.0",
        "::1",
        "::",
        "fe80::1",
        "fd00::1",
        "ff02::fb",
        "2001:db8::1",
        "::ffff:10.0.0.1",
        "::ffff:8.8.8.8",
    ] {
        refused(&dns, &[address], &["not a public address"]).long("--allow-private");
    }
    // One of several is enough.
    refused(&dns, &["8.8.4.4", "192.168.0.0/30"], &["192.168.0.0", "not a public address"]);
    refused(&dns, &["mail.example", "10.0.0.1"], &["10.0.0.1", "not a public address"]);
}

#[test]
fn unknown_absurd_targets_send_nothing() {
    let dns = one_list(Dnsbl::world());
    for (target, words) in [
        ("10.0.0.0/8", &["10.0.0.0/8", "16777216"][..]),
        ("8.0.0.0/19", &["8.0.0.0/19", "8192"]),
        ("2001:db8::/32", &["2001:db8::/32"]),
        ("0.0.0.0/0", &["0.0.0.0/0"]),
        ("::/0", &["::/0"]),
        ("8.8.8.8/33", &["8.8.8.8/33"]),
        ("8.8.8.8/-1", &["8.8.8.8/-1"]),
        ("8.8.8.8/", &["8.8.8.8/"]),
        ("8.8.8", &["8.8.8"]),
        ("8.8.8.256", &["8.8.8.256"]),
        ("08.8.8.8", &["08.8.8.8"]),
        (".", &["--hostname"]),
        ("a..b", &["a..b"]),
        ("-x.example", &["-x.example"]),
        ("a b.example", &["a b.example"]),
        ("http://mail.example/", &["http://mail.example/"]),
        ("user@mail.example", &["user@mail.example"]),
        ("mail.example:25", &["mail.example:25"]),
    ] {
        refused(&dns, &[target], words);
    }
    let long =
        format!("{}.example", ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(63)].join("."));
    refused(&dns, &[&long], &["--hostname"]);
    let many: Vec<String> = (0..5).map(|n| format!("8.{n}.0.0/20")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    refused(&dns, &many, &["4096"]);
    bare(&dns).args(["-H", ""]).gives(State::Unknown, &["--hostname", "empty"]);
    let nobody = bare(&dns).args(["-s", "bl.lab.test"]).gives(State::Unknown, &["--hostname"]);
    assert_eq!((dns.query_count(), nobody.outcome.code), (0, Some(3)));
}

#[test]
fn unknown_name_that_is_too_long_with_the_zone() {
    let dns = one_list(Dnsbl::healthy());
    let long =
        format!("{}.example", ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(45)].join("."));
    let run =
        ask(&dns, &[&long], "bl.lab.test,type=domain").gives(State::Unknown, &["gave an answer to trust"]);
    run.long("too long");
    assert!(dns.unreadable().is_empty());
}

#[test]
fn check_of_a_public_address() {
    // No list is known here; the address is merely one that may be asked about.
    let dns = one_list(Dnsbl::listing("8.8.4.4", ["127.0.0.2"]));
    with_lists(bare(&dns).args(["-H", "8.8.4.4"]), &["bl.lab.test"]).gives(State::Critical, &["8.8.4.4"]);
    check(&dns, &["bl.lab.test"]).gives(State::Ok, &["not listed"]);
}
