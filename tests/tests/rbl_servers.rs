//! check_rbl against real servers: rbldnsd as the public lists run it, Unbound and BIND in
//! front of it, NSD and BIND with the same zone.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use lab::dns::named::{Named, NamedOptions};
use lab::dns::nsd::Nsd;
use lab::dns::rbldnsd::{DataSet, RblZone, Rbldnsd};
use lab::dns::unbound::{Unbound, UnboundOptions};
use lab::dns::{NameServer, ZoneFile, dnsbl_name};
use lab::output::State;
use lab::process::free_port;
use tests::{Check, Run};

const LISTED: &str = "192.0.2.1";
const CLEAN: &str = "192.0.2.9";

/// An entry of a list: target, code, text.
type Entry = (&'static str, &'static str, &'static str);

const ZEN: &[Entry] = &[(LISTED, "127.0.0.4", "bad host")];
const V6: &[Entry] = &[("2001:db8::1", "127.0.0.3", "bad net")];
const DBL: &[Entry] = &[("bad.example", "127.0.1.2", "spamvertised")];

/// A list for rbldnsd.
fn list(name: &str, kind: DataSet, entries: &[Entry]) -> RblZone {
    let line = |(target, code, text): &Entry| format!("{target} :{code}:{text}\n");
    RblZone::new(name, kind, &entries.iter().map(line).collect::<String>())
}

/// The same list as a zone file.
fn zone(name: &str, test_point: &str, entries: &[Entry]) -> ZoneFile {
    let mut text = format!("{} A 127.0.0.2\n", dnsbl_name(test_point));
    for (target, code, why) in entries {
        let target = dnsbl_name(target);
        let _ = writeln!(text, "{target} A {code}\n{target} TXT \"{why}\"");
    }
    ZoneFile::new(name, &text)
}

fn lists() -> Rbldnsd {
    Rbldnsd::start(&[
        list("zen.lab.test", DataSet::Ip4Set, ZEN),
        list("v6.lab.test", DataSet::Ip6Trie, V6),
        list("dbl.lab.test", DataSet::DnSet, DBL),
        RblZone::dead("dead.lab.test", DataSet::Ip4Set, ""),
        RblZone::dead("world.lab.test", DataSet::Ip4Set, "0.0.0.0/1\n128.0.0.0/1"),
        list("both.lab.test", DataSet::Ip4Set, ZEN),
        list("both.lab.test", DataSet::Ip6Trie, V6),
    ])
}

fn zones() -> [ZoneFile; 3] {
    [
        zone("zen.lab.test", "127.0.0.2", ZEN),
        zone("v6.lab.test", "::ffff:7f00:2", V6),
        zone("dbl.lab.test", "test", DBL),
    ]
}

fn unbound(server: &dyn NameServer) -> Unbound {
    Unbound::start(&UnboundOptions::default().stub("lab.test", server.addr()))
}

fn named(server: &dyn NameServer) -> Named {
    Named::start(&NamedOptions::default().forward("lab.test", server.addr()))
}

/// A check with these resolvers and `-H` or list values: a word with a dot at its beginning
/// stands for a list below `lab.test`.
fn check(resolvers: &[&dyn NameServer], words: &[&str]) -> Check {
    let check = resolvers.iter().fold(Check::new("check_rbl").arg("--allow-private"), |check, server| {
        check.args(["--resolver", &server.addr().to_string()])
    });
    words.iter().fold(check, |check, word| match word.strip_prefix('.') {
        Some(list) => {
            let (name, settings) = list.split_once(',').unwrap_or((list, ""));
            let comma = if settings.is_empty() { "" } else { "," };
            check.args(["-s", &format!("{name}.lab.test{comma}{settings}")])
        }
        None if word.starts_with('-') || word.chars().all(|c| c.is_ascii_digit()) => check.arg(word),
        None => check.args(["-H", word]),
    })
}

/// Asserts perfdata values.
fn counts(run: &Run, wanted: &[(&str, f64)]) {
    for (label, value) in wanted {
        assert_eq!(run.parsed.value(label), Some(*value), "{label}\n{}", run.outcome.report());
    }
}

/// The lists of all three kinds, seen through any server.
fn tells_listed_from_clean(server: &dyn NameServer) {
    for (target, list, code, reason) in [
        (LISTED, ".zen", "127.0.0.4", "bad host"),
        ("2001:db8::1", ".v6,type=ip6", "127.0.0.3", "bad net"),
        ("bad.example", ".dbl,type=domain", "127.0.1.2", "spamvertised"),
    ] {
        let zone = format!("{}.lab.test", list.trim_start_matches('.').split(',').next().unwrap());
        let run = check(&[server], &[target, list]).gives(State::Critical, &[target, &zone, code]);
        run.long(reason);
        counts(&run, &[("score", 1.0), ("listed", 1.0), ("lists", 1.0), ("healthy", 1.0), ("failed", 0.0)]);
    }
    // Addresses and domains apart: the address of a domain would have to be resolved first.
    let clean = [CLEAN, "192.0.2.8", "2001:db8:1::9", ".zen", ".v6,type=ip6"];
    let run = check(&[server], &clean).gives(State::Ok, &["3 targets"]);
    counts(&run, &[("score", 0.0), ("listed", 0.0), ("lists", 2.0), ("healthy", 2.0), ("failed", 0.0)]);
    let run = check(&[server], &["good.example", ".dbl,type=domain"]).gives(State::Ok, &["good.example"]);
    counts(&run, &[("score", 0.0), ("listed", 0.0), ("lists", 1.0), ("healthy", 1.0)]);
    let some = [CLEAN, LISTED, "2001:db8:1::9", "2001:db8::1", ".zen", ".v6,type=ip6"];
    let run = check(&[server], &some).gives(State::Critical, &[LISTED, "2001:db8::1 "]);
    run.long("192.0.2.9 ").long("2001:db8:1::9 ");
    counts(&run, &[("score", 1.0), ("listed", 2.0), ("lists", 2.0), ("healthy", 2.0), ("failed", 0.0)]);
}

#[test]
fn rbldnsd_asked_directly() {
    tells_listed_from_clean(&lists());
}

#[test]
fn rbldnsd_through_unbound() {
    let lists = lists();
    tells_listed_from_clean(&unbound(&lists));
}

#[test]
fn rbldnsd_through_bind() {
    let lists = lists();
    tells_listed_from_clean(&named(&lists));
}

#[test]
fn nsd_with_the_same_zones() {
    tells_listed_from_clean(&Nsd::start(&zones()));
}

#[test]
fn bind_with_the_same_zones() {
    let options = zones().into_iter().fold(NamedOptions::default(), NamedOptions::primary);
    tells_listed_from_clean(&Named::start(&options));
}

#[test]
fn the_self_test_finds_lists_that_are_dead_or_list_the_world() {
    let lists = lists();
    let resolver = unbound(&lists);
    let servers: [&dyn NameServer; 2] = [&lists, &resolver];
    for server in servers {
        for (list, words) in [(".dead", "test point"), (".world", "whole world")] {
            for target in [CLEAN, LISTED] {
                let run = check(&[server], &[target, list]).gives(State::Unknown, &[words]);
                counts(&run, &[("listed", 0.0), ("lists", 1.0), ("healthy", 0.0), ("failed", 1.0)]);
            }
        }
        // The tool before this one believed both.
        let unproved = ["--self-test", "off"];
        let blind = check(&[server], &[CLEAN, ".dead"]).args(unproved).gives(State::Ok, &[]);
        counts(&blind, &[("healthy", 1.0)]);
        let blind = check(&[server], &[CLEAN, ".world"]).args(unproved).gives(State::Critical, &["world"]);
        counts(&blind, &[("healthy", 1.0)]);
        // A list of two kinds is tested for each.
        let both = [CLEAN, "2001:db8:1::9", ".both,type=ip4+ip6"];
        counts(&check(&[server], &both).gives(State::Ok, &[]), &[("healthy", 1.0), ("lists", 1.0)]);
        let mistaken = [CLEAN, "2001:db8:1::9", ".v6,type=ip4+ip6"];
        let run = check(&[server], &mistaken).gives(State::Unknown, &["192.0.2.9", "test point"]);
        counts(&run, &[("healthy", 0.0), ("failed", 1.0)]);
        // Those that work decide, and the others are named.
        let mixed = [LISTED, ".zen", ".both", ".dead", ".world"];
        let run = check(&[server], &mixed).gives(State::Critical, &["zen.lab.test", "both.lab.test"]);
        counts(&run, &[("score", 2.0), ("listed", 2.0), ("healthy", 2.0), ("failed", 2.0)]);
        run.long("dead.lab.test").long("world.lab.test");
        let mixed = [CLEAN, ".zen", ".both", ".dead"];
        let run = check(&[server], &mixed).gives(State::Warning, &[]);
        counts(&run, &[("healthy", 2.0), ("failed", 1.0)]);
    }
}

#[test]
fn a_host_is_checked_with_all_its_addresses() {
    let lists = lists();
    let hosts = Nsd::start(&[ZoneFile::new(
        "hosts.test",
        "mail A 192.0.2.8\nmail A 192.0.2.9\nmail AAAA 2001:db8::1\nfine A 192.0.2.9\nnone TXT x",
    )]);
    let options = UnboundOptions::default().stub("lab.test", lists.addr()).stub("hosts.test", hosts.addr());
    let resolver = Unbound::start(&options);
    let asked = |target| check(&[&resolver], &[target, ".zen", ".v6,type=ip6"]);
    let run = asked("mail.hosts.test").gives(State::Critical, &["2001:db8::1", "v6.lab.test"]);
    counts(&run, &[("score", 1.0), ("lists", 2.0), ("healthy", 2.0)]);
    asked("mail.hosts.test").arg("-4").gives(State::Ok, &[]);
    counts(&asked("fine.hosts.test").gives(State::Ok, &[]), &[("healthy", 1.0)]);
    asked("none.hosts.test").gives(State::Unknown, &["none.hosts.test"]);
    asked("missing.hosts.test").gives(State::Unknown, &["missing.hosts.test", "NXDOMAIN"]);
    // Outside the zones of the lab: refused.
    asked("elsewhere.example").gives(State::Unknown, &["elsewhere.example", "REFUSED"]);
}

/// Ninety codes do not fit into a datagram.
#[test]
fn a_long_answer_comes_over_tcp() {
    let name = dnsbl_name(LISTED);
    let many: String = (10..100).map(|number| format!("{name} A 127.0.0.{number}\n")).collect();
    let text = format!("{} A 127.0.0.2\n{many}", dnsbl_name("127.0.0.2"));
    let nsd = Nsd::start(&[ZoneFile::new("zen.lab.test", &text)]);
    let resolver = unbound(&nsd);
    let servers: [&dyn NameServer; 2] = [&nsd, &resolver];
    for server in servers {
        check(&[server], &[LISTED, ".zen"]).gives(State::Critical, &["zen.lab.test", "127.0.0."]);
        // Code 99 is among those beyond the first 512 bytes, or none would be.
        let only = (10..99).map(|number| number.to_string()).collect::<Vec<_>>().join("+");
        check(&[server], &[LISTED, &format!(".zen,ignore={only}")]).gives(State::Critical, &["127.0.0.99"]);
    }
}

/// Unbound and BIND in front of rbldnsd, NSD with its own copy of the zone.
struct Three {
    _lists: Rbldnsd,
    unbound: Unbound,
    named: Named,
    nsd: Nsd,
}

impl Three {
    fn with_copy(entries: &[Entry]) -> Self {
        let lists = lists();
        Self {
            unbound: unbound(&lists),
            named: named(&lists),
            nsd: Nsd::start(&[zone("zen.lab.test", "127.0.0.2", entries)]),
            _lists: lists,
        }
    }

    fn ask(&self, target: &str, more: &[&str]) -> Check {
        check(&[&self.unbound, &self.named, &self.nsd], &[target, ".zen"]).args(more)
    }
}

#[test]
fn three_resolvers_agree() {
    let three = Three::with_copy(ZEN);
    for quorum in ["1", "2", "3"] {
        let quorum = ["--quorum", quorum];
        let run = three.ask(LISTED, &quorum).gives(State::Critical, &["zen.lab.test", "127.0.0.4"]);
        run.long("bad host");
        counts(&run, &[("score", 1.0), ("listed", 1.0), ("lists", 1.0), ("healthy", 1.0)]);
        counts(&three.ask(CLEAN, &quorum).gives(State::Ok, &[]), &[("listed", 0.0), ("healthy", 1.0)]);
    }
}

#[test]
fn three_resolvers_disagree() {
    // The copy is old: it knows somebody who was taken off, and does not know LISTED.
    let three = Three::with_copy(&[("192.0.2.66", "127.0.0.2", "old")]);
    three.ask(LISTED, &[]).gives(State::Critical, &["zen.lab.test"]);
    let run = three.ask("192.0.2.66", &[]).gives(State::Ok, &[]);
    counts(&run, &[("score", 0.0), ("listed", 0.0), ("healthy", 1.0)]);
    run.long("1 of the resolvers");
    three.ask("192.0.2.66", &["--quorum", "1"]).gives(State::Critical, &["zen.lab.test"]);
    for target in [LISTED, "192.0.2.66"] {
        let run = three.ask(target, &["--quorum", "3"]).gives(State::Unknown, &["disagree"]);
        counts(&run, &[("listed", 0.0), ("healthy", 0.0), ("failed", 1.0)]);
    }
}

#[test]
fn a_silent_resolver_is_outvoted() {
    let three = Three::with_copy(ZEN);
    let patience = ["--query-timeout", "2", "--tries", "1"];
    three.named.pause();
    three.ask(LISTED, &patience).gives(State::Critical, &["zen.lab.test", "127.0.0.4"]);
    let run = three.ask(CLEAN, &patience).gives(State::Ok, &[]);
    counts(&run, &[("healthy", 1.0), ("failed", 0.0)]);
    three.ask(CLEAN, &[&patience[..], &["--quorum", "3"]].concat()).gives(State::Unknown, &[]);
    three.unbound.pause();
    for target in [LISTED, CLEAN] {
        let run = three.ask(target, &patience).gives(State::Unknown, &[]);
        counts(&run, &[("healthy", 0.0), ("failed", 1.0)]);
    }
    three.named.resume();
    three.unbound.resume();
    three.ask(CLEAN, &[]).gives(State::Ok, &[]);
}

/// Two name servers of a list on one port, as in the world; what a resolver has of it is old.
struct Authority {
    first: Rbldnsd,
    second: Rbldnsd,
    old: Rbldnsd,
    parent: Nsd,
}

const DELEGATION: &str = "zen NS ns1\nzen NS ns2\nns1 A 127.0.0.2\nns2 A 127.0.0.3";

impl Authority {
    fn start() -> Self {
        let port = free_port();
        let list = |entries| list("zen.lab.test", DataSet::Ip4Set, entries);
        let served = |entries| [list(entries).served_by(&["ns1.lab.test", "ns2.lab.test"])];
        let at = |last| SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), port));
        Self {
            first: Rbldnsd::start_at(at(2), &served(ZEN)),
            second: Rbldnsd::start_at(at(3), &served(ZEN)),
            old: Rbldnsd::start(&served(&[])),
            parent: Nsd::start(&[ZoneFile::new("lab.test", DELEGATION)]),
        }
    }

    fn ask(&self, resolver: &dyn NameServer, target: &str) -> Check {
        check(&[resolver], &["--authoritative", target, ".zen"]).args([
            "--port",
            &self.first.port().to_string(),
            "--query-timeout",
            "1",
        ])
    }
}

fn finds_the_servers_of_a_list(authority: &Authority, resolver: &dyn NameServer) {
    let run = authority.ask(resolver, LISTED).gives(State::Critical, &["zen.lab.test", "127.0.0.4"]);
    run.long("bad host");
    counts(&run, &[("lists", 1.0), ("healthy", 1.0)]);
    authority.ask(resolver, CLEAN).gives(State::Ok, &[]);
    // One of the two is enough.
    authority.first.pause();
    authority.ask(resolver, LISTED).gives(State::Critical, &["zen.lab.test"]);
    authority.ask(resolver, CLEAN).gives(State::Ok, &[]);
    authority.second.pause();
    let run = authority.ask(resolver, LISTED).gives(State::Unknown, &[]);
    counts(&run, &[("healthy", 0.0), ("failed", 1.0)]);
    authority.first.resume();
    authority.ask(resolver, LISTED).gives(State::Critical, &["zen.lab.test"]);
}

#[test]
fn the_lists_own_servers_found_by_unbound() {
    let authority = Authority::start();
    let options = UnboundOptions::default()
        .stub("lab.test", authority.parent.addr())
        .stub("zen.lab.test", authority.old.addr());
    let resolver = Unbound::start(&options);
    check(&[&resolver], &[LISTED, ".zen"]).gives(State::Ok, &[]);
    finds_the_servers_of_a_list(&authority, &resolver);
}

#[test]
fn the_lists_own_servers_found_by_bind() {
    let authority = Authority::start();
    let options = NamedOptions::default()
        .primary(ZoneFile::new("lab.test", DELEGATION))
        .forward("zen.lab.test", authority.old.addr());
    let resolver = Named::start(&options);
    check(&[&resolver], &[LISTED, ".zen"]).gives(State::Ok, &[]);
    finds_the_servers_of_a_list(&authority, &resolver);
}

/// A server that does not resolve points to the list's servers, which is all that is wanted.
#[test]
fn the_lists_own_servers_from_a_delegation() {
    let authority = Authority::start();
    check(&[&authority.parent], &[LISTED, ".zen"]).gives(State::Unknown, &["referral"]);
    finds_the_servers_of_a_list(&authority, &authority.parent);
}

/// A list inside a zone has no servers of its own: those of the zone answer for it.
#[test]
fn a_list_inside_a_zone_is_asked_there() {
    let records =
        format!("{}.inside A 127.0.0.2\n{}.inside A 127.0.0.4", dnsbl_name("127.0.0.2"), dnsbl_name(LISTED));
    let server = Named::start(&NamedOptions::default().primary(ZoneFile::new("lab.test", &records)));
    let port = server.port().to_string();
    let asked =
        |target| check(&[&server], &["--authoritative", target, ".inside"]).args(["--port", port.as_str()]);
    asked(LISTED).gives(State::Critical, &["inside.lab.test", "127.0.0.4"]);
    asked(CLEAN).gives(State::Ok, &[]);
}

/// A resolver's memory is no authority, and a list that nobody serves is no clean bill.
#[test]
fn only_authoritative_answers_count() {
    let authority = Authority::start();
    let options = NamedOptions::default().forward("lab.test", authority.old.addr());
    let cache = Named::start(&options);
    // The list is said to be served by a host that is a resolver in truth.
    let delegation = "zen NS ns1\nns1 A 127.0.0.1\nlost NS nowhere";
    let parent = Named::start(&NamedOptions::default().primary(ZoneFile::new("lab.test", delegation)));
    let hosts = Nsd::start(&[ZoneFile::new("lab.test", delegation)]);
    let asked = |resolver: &dyn NameServer, list: &str| {
        check(&[resolver], &["--authoritative", LISTED, list]).args([
            "--port",
            &cache.port().to_string(),
            "--query-timeout",
            "1",
        ])
    };
    asked(&hosts, ".zen").gives(State::Unknown, &["referral"]);
    // Now it has all of it in its memory.
    check(&[&cache], &[LISTED, ".zen"]).gives(State::Ok, &[]);
    let run = asked(&hosts, ".zen").gives(State::Unknown, &["not authoritative"]);
    counts(&run, &[("healthy", 0.0), ("failed", 1.0)]);
    asked(&hosts, ".lost").gives(State::Unknown, &["name server"]);
    asked(&parent, ".missing").gives(State::Unknown, &["missing.lab.test"]);
}

#[test]
fn a_list_that_stops_is_never_clean() {
    let lists = lists();
    let resolvers = [
        UnboundOptions::default().stub("lab.test", lists.addr()),
        // Remembers failures, and asks again at once if told to.
        UnboundOptions::default().stub("lab.test", lists.addr()).server_line("  cache-max-ttl: 0"),
    ]
    .map(|options| Unbound::start(&options));
    let bind = named(&lists);
    let direct = lists.addr().to_string();
    let straight =
        |target| check(&[], &[target, ".zen"]).args(["--resolver", &direct, "--query-timeout", "1"]);
    straight(CLEAN).gives(State::Ok, &[]);
    for resolver in &resolvers {
        check(&[resolver], &[CLEAN, ".zen"]).gives(State::Ok, &[]);
    }
    check(&[&bind], &[CLEAN, ".zen"]).gives(State::Ok, &[]);

    // It falls silent while a check waits for it, and dies before that gives up.
    lists.pause();
    let waiting = straight(CLEAN).start();
    std::thread::sleep(Duration::from_millis(200));
    lists.kill();
    let run = waiting.gives(State::Unknown, &[]);
    counts(&run, &[("listed", 0.0), ("healthy", 0.0), ("failed", 1.0)]);

    for target in [CLEAN, LISTED] {
        let run = straight(target).gives(State::Unknown, &["refused"]);
        counts(&run, &[("healthy", 0.0), ("failed", 1.0)]);
    }
    // Not in any cache.
    let other = "192.0.2.77";
    for resolver in &resolvers {
        check(&[resolver], &[other, ".zen"]).gives(State::Unknown, &[]);
    }
    check(&[&bind], &[other, ".zen"]).gives(State::Unknown, &[]);
}
