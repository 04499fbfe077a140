//! check_rbl: every list proves by its test points (RFC 5782 section 5) that it works, and
//! one that does not has no vote, neither way.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::float_cmp,
    reason = "test code"
)]

use lab::dns::{Behaviour, Dnsbl, Rcode, Reaction, Record, Responder, Zones};
use lab::output::State;
use tests::rbl::{TARGET, bare, check, figures, given, impatient, one_list, times_asked, with_lists};

/// Test points of IPv4 lists.
const INSIDE: &str = "2.0.0.127.bl.lab.test";
const OUTSIDE: &str = "1.0.0.127.bl.lab.test";

#[test]
fn unknown_dead_list() {
    let run = given(Dnsbl::dead(), State::Unknown, &["gave an answer to trust"]);
    run.long("dead").long("bl.lab.test").long("hint: ");
    assert_eq!(figures(&run), [None, Some(0.0), Some(1.0), Some(0.0), Some(1.0)]);
}

#[test]
fn unknown_list_of_the_world() {
    let run = given(Dnsbl::world(), State::Unknown, &["gave an answer to trust"]);
    run.long("whole world").long("hint: ").silent_about("listed by");
    assert_eq!(figures(&run), [None, Some(0.0), Some(1.0), Some(0.0), Some(1.0)]);
    // The upper half alone: the unlisted point is listed, too.
    let run =
        given(Dnsbl::healthy().and("127.0.0.1", ["127.0.0.2"]), State::Unknown, &["gave an answer to trust"]);
    run.long("whole world");
}

#[test]
fn unknown_vote_is_dropped_both_ways() {
    // Listed, but by a list that does not know its own test point.
    let dead = Dnsbl::dead().and(TARGET, ["127.0.0.2"]);
    given(dead, State::Unknown, &["gave an answer to trust"]).silent_about("listed by");
    let world = Dnsbl::listing(TARGET, ["127.0.0.2"]).and("127.0.0.1", ["127.0.0.2"]);
    given(world, State::Unknown, &["gave an answer to trust"]).silent_about("listed by");
}

#[test]
fn unknown_test_points_without_an_answer() {
    for (point, words) in [("127.0.0.2", INSIDE), ("127.0.0.1", OUTSIDE)] {
        for (reaction, why) in [
            (Reaction::rcode(Rcode::ServFail), "SERVFAIL"),
            (Reaction::silence(), "gave no answer"),
            (Reaction::records([Record::address("127.255.255.254")]), "127.255.255.254"),
            (Reaction::records([Record::address("203.0.113.7")]), "203.0.113.7"),
        ] {
            let healthy = Dnsbl::healthy();
            let odd = move |query: &lab::dns::Query| {
                if query.name == words { reaction.clone() } else { healthy.react(query, "bl.lab.test") }
            };
            let run = given(odd, State::Unknown, &["gave an answer to trust"]);
            run.long(why);
            assert_eq!(run.parsed.value("healthy"), Some(0.0), "{point}");
        }
    }
}

#[test]
fn ok_points_are_asked_once_for_all_targets() {
    let dns = one_list(Dnsbl::healthy());
    let check = bare(&dns).args(["--allow-private", "-H", "192.0.2.0/28", "-H", "198.51.100.1"]);
    with_lists(check, &["bl.lab.test"]).gives(State::Ok, &["17 targets"]);
    assert_eq!((times_asked(&dns, INSIDE), times_asked(&dns, OUTSIDE)), (1, 1));
    assert_eq!(dns.query_count(), 19);
}

#[test]
fn ok_self_test_off_asks_no_point() {
    let dns = one_list(Dnsbl::dead());
    let run = check(&dns, &["bl.lab.test"]).args(["--self-test", "off"]).gives(State::Ok, &["not listed"]);
    assert_eq!((dns.query_count(), run.parsed.value("healthy")), (1, Some(1.0)));
    dns.clear();
    check(&dns, &["bl.lab.test,selftest=off"]).gives(State::Ok, &["not listed"]);
    assert_eq!(dns.query_count(), 1);
    // Then a list of the world is a listing: nothing tells it from one.
    let dns = one_list(Dnsbl::world());
    check(&dns, &["bl.lab.test"]).args(["--self-test", "off"]).gives(State::Critical, &["bl.lab.test"]);
}

#[test]
fn self_test_listed_asks_the_points_of_listings_alone() {
    let dns = Responder::start(
        Zones::new()
            .zone("bl.lab.test", Dnsbl::listing(TARGET, ["127.0.0.2"]))
            .zone("dead.lab.test", Dnsbl::dead())
            .zone("world.lab.test", Dnsbl::world()),
    );
    let listed = |lists: &[&str]| check(&dns, lists).args(["--self-test", "listed"]);
    listed(&["dead.lab.test"]).gives(State::Ok, &["not listed"]);
    assert_eq!(dns.query_count(), 1, "a list that lists nobody has nothing to prove");
    listed(&["bl.lab.test", "dead.lab.test"]).gives(State::Critical, &["bl.lab.test", "127.0.0.2"]);
    assert_eq!((times_asked(&dns, INSIDE), times_asked(&dns, "2.0.0.127.dead.lab.test")), (1, 0));
    let run = listed(&["world.lab.test"]).gives(State::Unknown, &["gave an answer to trust"]);
    run.long("whole world").silent_about("listed by");
}

#[test]
fn ok_own_test_points() {
    let points = || Dnsbl::dead().and("bad.example", ["127.0.0.2"]);
    let dns = one_list(points());
    let run = check(&dns, &["bl.lab.test"]).gives(State::Unknown, &["gave an answer to trust"]);
    run.long("dead");
    dns.clear();
    check(&dns, &["bl.lab.test,test-in=bad.example,test-out=good.example"]).gives(State::Ok, &["not listed"]);
    assert_eq!(times_asked(&dns, "bad.example.bl.lab.test"), 1);
    assert_eq!(times_asked(&dns, "good.example.bl.lab.test"), 1);
    assert_eq!(times_asked(&dns, INSIDE) + times_asked(&dns, OUTSIDE), 0);
    let dns = one_list(points().and("good.example", ["127.0.0.2"]));
    let run = check(&dns, &["bl.lab.test,test-in=bad.example,test-out=good.example"])
        .gives(State::Unknown, &["gave an answer to trust"]);
    run.long("whole world");
}

#[test]
fn ok_test_points_of_each_kind() {
    let dns = one_list(Dnsbl::healthy());
    let spec = "bl.lab.test,type=ip4+ip6+domain";
    let inside6 = "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.bl.lab.test";
    let outside6 = inside6.replacen('2', "1", 1);
    let domain = ["test.bl.lab.test", "invalid.bl.lab.test"];
    for (target, asked) in
        [(TARGET, [INSIDE, OUTSIDE]), ("2001:db8::25", [inside6, &outside6]), ("lab.example", domain)]
    {
        dns.clear();
        let check = with_lists(bare(&dns).args(["--allow-private", "-H", target]), &[spec]);
        // The name has no address here, which is why its domain alone is asked about.
        dns.behave(
            Zones::new().zone("bl.lab.test", Dnsbl::healthy()).zone("lab.example", Reaction::nodata()),
        );
        check.gives(State::Ok, &["not listed"]);
        assert_eq!(asked.map(|name| times_asked(&dns, name)), [1, 1], "{target}");
        let points = ["2.0.0.127", "2.0.0.0", "test."];
        let tested =
            dns.queries().iter().filter(|query| points.iter().any(|p| query.name.starts_with(p))).count();
        assert_eq!(tested, 1, "{target}: no points of kinds that nobody asks about");
    }
}

#[test]
fn warning_one_kind_of_points_is_dead() {
    // The list works for IPv4; for IPv6 it is empty.
    let dns = Responder::start(Zones::new().zone("bl.lab.test", Dnsbl::healthy().without("::ffff:7f00:2")));
    let check = bare(&dns).args(["--allow-private", "-H", TARGET, "-H", "2001:db8::25"]);
    let run = with_lists(check, &["bl.lab.test,type=ip4+ip6"]).gives(State::Unknown, &["2001:db8::25"]);
    run.long(&format!("{TARGET} not listed"));
}

#[test]
fn ok_an_ignored_code_proves_a_list_as_well() {
    let dns = one_list(Dnsbl::healthy());
    check(&dns, &["bl.lab.test,ignore=2"]).gives(State::Ok, &["not listed"]);
    // A bit that nobody named does, too.
    check(&dns, &["bl.lab.test,mask"]).gives(State::Ok, &["not listed"]);
}

#[test]
fn ok_dead_list_among_good_ones_is_shown() {
    let zones =
        (0..9).fold(Zones::new(), |zones, n| zones.zone(&format!("bl{n}.lab.test"), Dnsbl::healthy()));
    let dns = Responder::start(zones.zone("dead.lab.test", Dnsbl::dead()));
    let names: Vec<String> = (0..9).map(|n| format!("bl{n}.lab.test")).collect();
    let mut lists: Vec<&str> = names.iter().map(String::as_str).collect();
    lists.push("dead.lab.test");
    let run = impatient(check(&dns, &lists)).gives(State::Ok, &["not listed", "9 of 10", "dead.lab.test"]);
    assert_eq!(figures(&run), [Some(0.0), Some(0.0), Some(10.0), Some(9.0), Some(1.0)]);
}
