//! check_rbl: what a listing weighs, which score alarms, and how many lists must work.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::float_cmp,
    reason = "test code"
)]

use lab::dns::{Behaviour, Dnsbl, Responder, Zones};
use lab::output::State;
use tests::Check;
use tests::rbl::{TARGET, check, figures, given};

/// Lists a to e that list the target, f to j that work and do not, v to z that are dead.
fn alphabet() -> Responder {
    let zone = |letter: char| format!("{letter}.lab.test");
    let mut zones = Zones::new();
    for letter in 'a'..='e' {
        zones = zones.zone(&zone(letter), Dnsbl::listing(TARGET, ["127.0.0.2"]));
    }
    for letter in 'f'..='j' {
        zones = zones.zone(&zone(letter), Dnsbl::healthy());
    }
    for letter in 'v'..='z' {
        zones = zones.zone(&zone(letter), Dnsbl::dead());
    }
    Responder::start(zones)
}

/// `"a,weight=2 f"` as lists of the alphabet.
fn lists(check: Check, text: &str) -> Check {
    text.split(' ').fold(check, |check, one| {
        let (letter, rest) = one.split_at(1);
        check.args(["-s", &format!("{letter}.lab.test{rest}")])
    })
}

fn score(dns: &Responder, text: &str, more: &[&str], state: State) -> tests::Run {
    lists(check(dns, &[]).args(more), text).gives(state, &[])
}

// Weights

#[test]
fn score_adds_the_weights_of_listings() {
    let dns = alphabet();
    for (text, want, state) in [
        ("a", 1.0, State::Critical),
        ("a b c d e", 5.0, State::Critical),
        ("a,weight=0.5", 0.5, State::Warning),
        ("a,weight=0.5 b,weight=0.5", 1.0, State::Critical),
        ("a,weight=0.1 b,weight=0.2", 0.3, State::Warning),
        ("a,weight=0 f", 0.0, State::Ok),
        ("a,weight=2.25 b f", 3.25, State::Critical),
    ] {
        let run = score(&dns, text, &[], state);
        let got = run.parsed.value("score").unwrap();
        assert!((got - want).abs() < 1e-9, "{text}\n{}", run.outcome.report());
    }
}

#[test]
fn codes_have_weights_of_their_own() {
    for (codes, spec, want, state) in [
        (&["127.0.0.2"][..], "codes=2:5", 5.0, State::Critical),
        (&["127.0.0.2"], "codes=2:0", 0.0, State::Ok),
        (&["127.0.0.2", "127.0.0.3"], "codes=2:0.25+3:0.5", 0.5, State::Warning),
        (&["127.0.0.2", "127.0.0.9"], "codes=2:0.25", 1.0, State::Critical),
        (&["127.0.0.5"], "codes=4-7:3,weight=9", 3.0, State::Critical),
        (&["127.0.7.3"], "codes=127.0.x.3:4", 4.0, State::Critical),
        (&["127.0.0.5"], "codes=5:1+4-7:3", 1.0, State::Critical),
        // What the operator names is a listing wherever it lies.
        (&["10.1.2.3"], "codes=10.1.2.3:2", 2.0, State::Critical),
    ] {
        let dns = tests::rbl::one_list(Dnsbl::listing(TARGET, codes.iter().copied()));
        let run = check(&dns, &[&format!("bl.lab.test,{spec}")]).gives(state, &[]);
        assert_eq!(run.parsed.value("score"), Some(want), "{spec}\n{}", run.outcome.report());
    }
}

#[test]
fn ignored_codes_are_no_listing() {
    for (codes, spec, state) in [
        (&["127.0.0.10"][..], "ignore=10", State::Ok),
        (&["127.0.0.10", "127.0.0.11"], "ignore=10+11", State::Ok),
        (&["127.0.0.10", "127.0.0.2"], "ignore=10+11", State::Critical),
        (&["127.0.0.10"], "ignore=127.0.0.8-12", State::Ok),
    ] {
        let dns = tests::rbl::one_list(Dnsbl::listing(TARGET, codes.iter().copied()));
        check(&dns, &[&format!("bl.lab.test,{spec}")]).gives(state, &[]);
    }
    // An error code is no listing that could be ignored.
    let dns = tests::rbl::one_list(Dnsbl::listing(TARGET, ["127.255.255.254"]));
    check(&dns, &["bl.lab.test,ignore=127.255.255.254"]).gives(State::Unknown, &["gave an answer to trust"]);
}

#[test]
fn bits_of_a_mask_are_read_one_by_one() {
    for (code, spec, want, state) in [
        ("127.0.0.10", "mask", 1.0, State::Critical),
        ("127.0.0.10", "mask,codes=2:0.5+8:0.75", 0.75, State::Warning),
        ("127.0.0.10", "mask,ignore=2+8", 0.0, State::Ok),
        ("127.0.0.14", "mask,ignore=2+8", 1.0, State::Critical),
        ("127.0.0.64", "codes=64:3,mask", 3.0, State::Critical),
    ] {
        let dns = tests::rbl::one_list(Dnsbl::listing(TARGET, [code]));
        let run = check(&dns, &[&format!("bl.lab.test,{spec}")]).gives(state, &[]);
        assert_eq!(run.parsed.value("score"), Some(want), "{spec}\n{}", run.outcome.report());
    }
}

// Thresholds

#[test]
fn bare_numbers_alarm_from_there_on() {
    use State::{Critical, Ok, Warning};
    let dns = alphabet();
    for (text, options, state) in [
        ("f", &["-w", "1", "-c", "1"][..], Ok),
        ("a f", &["-w", "1", "-c", "1"], Critical),
        ("a b f", &["-w", "2", "-c", "3"], Warning),
        ("a f", &["-w", "2", "-c", "3"], Ok),
        ("a b c f", &["-w", "2", "-c", "3"], Critical),
        ("a b", &["-c", "3"], Warning),
        ("a b", &["-w", "3"], Ok),
        ("a b c", &["-w", "3"], Warning),
        ("a", &["-w", "1"], Critical),
        ("a,weight=0.5", &["-w", "1"], Ok),
        // Ranges, as everywhere else.
        ("a b", &["-w", "0:2", "-c", "0:3"], Ok),
        ("a b c", &["-w", "0:2", "-c", "0:3"], Warning),
        ("a b c d", &["-w", "0:2", "-c", "0:3"], Critical),
        ("a b", &["-w", "max:1", "-c", "inside:3:9"], Warning),
        ("a b c", &["-w", "max:1", "-c", "inside:3:9"], Critical),
        ("f", &["-w", "@0:0", "-c", "5"], Warning),
        ("a", &["-w", "0.5", "-c", "9"], Warning),
    ] {
        score(&dns, text, options, state);
    }
}

#[test]
fn unknown_thresholds_that_contradict() {
    let dns = alphabet();
    lists(check(&dns, &[]).args(["-w", "3", "-c", "1"]), "a")
        .gives(State::Unknown, &["--warning", "--critical"]);
    for (option, bad) in [
        ("-w", ""),
        ("-w", "-1"),
        ("-c", "1e3"),
        ("-c", "x"),
        ("-w", "5:2"),
        ("--min-healthy", "101%"),
        ("--unhealthy-warning", "1.5"),
    ] {
        let run = lists(check(&dns, &[]), "a")
            .arg(format!("{option}={bad}").replace("-w=", "-w").replace("-c=", "-c"));
        let outcome = run.outcome();
        assert_eq!(outcome.parsed().state, State::Unknown, "{option} {bad}\n{}", outcome.report());
    }
    assert_eq!(dns.query_count(), 0, "nothing is asked");
}

#[test]
fn perfdata_has_the_thresholds() {
    let dns = alphabet();
    for (options, warn, crit) in [
        (&[][..], Some("0"), Some("@1:")),
        (&["-w", "1", "-c", "3"], Some("@1:"), Some("@3:")),
        (&["-w", "0:2", "-c", "0:3"], Some("2"), Some("3")),
    ] {
        let run = lists(check(&dns, &[]).args(options), "f").gives(State::Ok, &[]);
        let perf = run.parsed.perf("score").unwrap();
        assert_eq!((perf.warn.as_deref(), perf.crit.as_deref()), (warn, crit), "{}", run.outcome.report());
    }
}

// How many lists must work

#[test]
fn min_healthy_and_unhealthy_warning_at_the_edge() {
    use State::{Ok, Unknown, Warning};
    let dns = alphabet();
    for (text, options, state) in [
        // 50 % must work, above 25 % without an answer is a warning.
        ("f g h i", &[][..], Ok),
        ("f g h z", &[], Ok),
        ("f g z", &[], Warning),
        ("f z", &[], Warning),
        ("f y z", &[], Unknown),
        ("x y z", &[], Unknown),
        ("f z", &["--min-healthy", "51%"], Unknown),
        ("f z", &["--unhealthy-warning", "50%"], Ok),
        ("f z", &["--unhealthy-warning", "49.9%"], Warning),
        ("f g h z", &["--unhealthy-warning", "0"], Warning),
        ("f g h z", &["--unhealthy-warning", "1"], Ok),
        ("f g y z", &["--unhealthy-warning", "1"], Warning),
        ("f y z", &["--min-healthy", "1", "--unhealthy-warning", "100%"], Ok),
        ("f g z", &["--min-healthy", "3"], Unknown),
        ("f g z", &["--min-healthy", "2", "--unhealthy-warning", "1"], Ok),
        ("f y z", &["--min-healthy", "0%", "--unhealthy-warning", "100%"], Ok),
        // Nobody at all is never enough.
        ("y z", &["--min-healthy", "0", "--unhealthy-warning", "100%"], Unknown),
        // The shares are shares of the weight.
        ("f,weight=3 y z", &["--unhealthy-warning", "40%"], Ok),
        ("f,weight=3 y z", &["--unhealthy-warning", "39%"], Warning),
        ("f g z,weight=3", &[], Unknown),
        ("f g z,weight=0", &[], Ok),
        ("f,weight=0 z,weight=0", &["--unhealthy-warning", "50%"], Ok),
    ] {
        score(&dns, text, options, state);
    }
}

#[test]
fn critical_a_listing_counts_however_many_lists_are_dead() {
    let dns = alphabet();
    let run = score(&dns, "a x y z", &[], State::Critical);
    assert_eq!(figures(&run), [Some(1.0), Some(1.0), Some(4.0), Some(1.0), Some(3.0)]);
    run.long("dead");
}

#[test]
fn unknown_below_the_threshold_and_too_few_lists_says_why() {
    let dns = alphabet();
    // One listing of three that alarm, but most lists are dead: the two others may be among them.
    let run =
        lists(check(&dns, &[]).args(["-w", "3", "-c", "3"]), "a x y z").gives(State::Unknown, &[TARGET]);
    assert!(run.parsed.summary.contains("1 of 4 lists"), "{}", run.outcome.report());
    let run =
        lists(check(&dns, &[]).args(["-w", "3", "-c", "3"]), "a f z y").gives(State::Warning, &[TARGET]);
    assert!(run.parsed.summary.contains("2 of 4 lists"), "{}", run.outcome.report());
}

// Allow lists

#[test]
fn allow_list_must_know_the_target() {
    let known = Dnsbl::listing(TARGET, ["127.0.5.2"]);
    let zones = |list: Dnsbl| {
        Zones::new()
            .zone("bl.lab.test", Dnsbl::healthy())
            .zone("list.dnswl.org", list.map(|reaction| reaction))
    };
    let dns = Responder::start(zones(known));
    let asked = |lists: &[&str], allow: &str| check(&dns, lists).args(["--allow-list", allow]);
    let run = asked(&["bl.lab.test"], "list.dnswl.org").gives(State::Ok, &["not listed"]);
    assert_eq!(figures(&run), [Some(0.0), Some(0.0), Some(2.0), Some(2.0), Some(0.0)]);

    dns.behave(zones(Dnsbl::healthy()));
    let run = asked(&["bl.lab.test"], "list.dnswl.org")
        .gives(State::Critical, &["missing on list.dnswl.org", "score 1"]);
    assert_eq!(figures(&run), [Some(1.0), Some(1.0), Some(2.0), Some(2.0), Some(0.0)]);
    asked(&["bl.lab.test"], "list.dnswl.org,weight=0.5")
        .gives(State::Warning, &["missing on list.dnswl.org"]);
    // A code that is ignored is no entry.
    dns.behave(zones(Dnsbl::listing(TARGET, ["127.0.5.0"])));
    asked(&["bl.lab.test"], "list.dnswl.org,ignore=127.0.x.0").gives(State::Critical, &["missing on"]);

    // Nothing can be said of a list that does not work.
    dns.behave(zones(Dnsbl::dead()));
    let run = asked(&["bl.lab.test"], "list.dnswl.org").gives(State::Warning, &["1 of 2 lists"]);
    run.silent_about("missing on");
}

#[test]
fn critical_listed_and_missing_together() {
    let dns = Responder::start(
        Zones::new()
            .zone("bl.lab.test", Dnsbl::listing(TARGET, ["127.0.0.2"]))
            .zone("wl.lab.test", Dnsbl::healthy()),
    );
    let run = check(&dns, &["bl.lab.test"])
        .args(["--allow-list", "wl.lab.test,weight=2"])
        .gives(State::Critical, &["bl.lab.test", "missing on wl.lab.test", "score 3"]);
    assert_eq!(run.parsed.value("listed"), Some(2.0));
}

#[test]
fn unknown_allow_list_given_as_block_list() {
    let dns = alphabet();
    let run = check(&dns, &["list.dnswl.org"]).gives(State::Unknown, &["list.dnswl.org is an allow list"]);
    run.long("--allow-list");
    check(&dns, &["f.lab.test"])
        .args(["--allow-list", "zen.spamhaus.org"])
        .gives(State::Unknown, &["zen.spamhaus.org is a block list"]);
    assert_eq!(dns.query_count(), 0);
}

#[test]
fn critical_code_of_a_known_list_has_its_meaning() {
    let dns = Responder::start(
        Zones::new().zone("zen.spamhaus.org", Dnsbl::listing(TARGET, ["127.0.0.4", "127.0.0.10"])),
    );
    check(&dns, &["zen.spamhaus.org"]).gives(State::Critical, &["127.0.0.4 XBL", "127.0.0.10 PBL"]);
    check(&dns, &["zen.spamhaus.org,ignore=10+11"]).gives(State::Critical, &["XBL"]).silent_about("PBL");
    check(&dns, &["zen.spamhaus.org,ignore=4+10"]).gives(State::Ok, &["not listed"]);
    given(Dnsbl::listing(TARGET, ["127.0.0.4"]), State::Critical, &["127.0.0.4"]).silent_about("XBL");
}
