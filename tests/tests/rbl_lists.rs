//! check_rbl: which lists are asked, the default set, lists that are gone, and what is wrong
//! with a list that is given.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::float_cmp,
    reason = "test code"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use lab::dns::{Behaviour, Dnsbl, Reaction, Responder, Zones};
use lab::output::State;
use tempfile::TempDir;
use tests::rbl::{TARGET, bare, check, figures, one_list, times_asked, with_lists};
use tests::{Check, Run};

/// Every name is the name of a list that works and lists nobody.
fn everything_works() -> Responder {
    let point = ["2.0.0.127.", "test.", "dbltest.com.", "2.0.0.0.0.0.f.7.f.f.f.f.0."];
    Responder::start(move |query: &lab::dns::Query| {
        if point.iter().any(|point| query.name.starts_with(point)) {
            Reaction::records([lab::dns::Record::address("127.0.0.2")])
        } else if query.name == "lab.example" {
            Reaction::nodata()
        } else {
            Reaction::nxdomain()
        }
    })
}

/// Zones that were asked about [`TARGET`].
fn zones_asked(dns: &Responder, front: &str) -> BTreeSet<String> {
    let front = format!("{front}.");
    dns.queries().iter().filter_map(|query| query.name.strip_prefix(&front).map(str::to_owned)).collect()
}

// The default set

#[test]
fn ok_default_set() {
    let dns = everything_works();
    let run = check(&dns, &[]).gives(State::Ok, &["not listed"]);
    let zones = zones_asked(&dns, tests::rbl::REVERSED);
    assert!((6..=20).contains(&zones.len()) && zones.contains("zen.spamhaus.org"), "{zones:?}");
    let lists = Some(f64::from(u32::try_from(zones.len()).unwrap()));
    assert_eq!(figures(&run), [Some(0.0), Some(0.0), lists, lists, Some(0.0)]);
    assert!(zones.iter().all(|zone| !zone.starts_with("dbl.")), "no domain lists for an address");

    for (target, front, some) in [
        (
            "2001:db8::25",
            "5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2",
            "zen.spamhaus.org",
        ),
        ("lab.example", "lab.example", "dbl.spamhaus.org"),
    ] {
        dns.clear();
        let run = bare(&dns).args(["--allow-private", "-H", target]).gives(State::Ok, &["not listed"]);
        let zones = zones_asked(&dns, front);
        assert!(zones.len() >= 2 && zones.contains(some), "{zones:?}");
        assert_eq!(run.parsed.value("healthy"), run.parsed.value("lists"));
    }
}

#[test]
fn ok_default_beside_lists_of_ones_own() {
    let dns = everything_works();
    let base = check(&dns, &[]).gives(State::Ok, &[]).parsed.value("lists").unwrap();
    let more = |lists: &[&str]| check(&dns, lists).gives(State::Ok, &[]).parsed.value("lists").unwrap();
    assert_eq!(more(&["default", "own.lab.test"]), base + 1.0);
    assert_eq!(more(&["own.lab.test"]), 1.0, "instead of the default set");
    assert_eq!(more(&["default", "zen.spamhaus.org,weight=2"]), base, "named again, not twice");
    check(&dns, &["default,weight=2"]).gives(State::Unknown, &["default"]);
}

#[test]
fn critical_default_set_with_a_weight_changed() {
    let dns = Responder::start(Zones::new().zone("zen.spamhaus.org", Dnsbl::listing(TARGET, ["127.0.0.4"])));
    let asked = |list: &str, state: State| {
        let run =
            check(&dns, &["default", list]).args(["--min-healthy", "0"]).gives(state, &["zen.spamhaus.org"]);
        run.parsed.value("score").unwrap()
    };
    assert_eq!(asked("zen.spamhaus.org,weight=0.5", State::Warning), 0.5);
    assert_eq!(asked("zen.spamhaus.org,weight=7", State::Critical), 7.0);
}

// Duplicates

#[test]
fn a_zone_is_asked_once_however_often_it_is_named() {
    let dns = one_list(Dnsbl::listing(TARGET, ["127.0.0.2"]));
    let names = ["bl.lab.test", "BL.Lab.Test", "bl.lab.test.", "bl.lab.test,weight=3"];
    let run = check(&dns, &names).gives(State::Critical, &["score 3"]);
    assert_eq!(figures(&run), [Some(3.0), Some(1.0), Some(1.0), Some(1.0), Some(0.0)]);
    let asked = [tests::rbl::REVERSED, "2.0.0.127", "1.0.0.127"];
    assert_eq!(asked.map(|front| times_asked(&dns, &format!("{front}.bl.lab.test"))), [1, 1, 1]);
}

// Files

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, content: impl AsRef<[u8]>) -> String {
        let path = self.0.path().join("lists");
        fs::write(&path, content).unwrap();
        path.to_string_lossy().into_owned()
    }
}

fn from_file(dns: &Responder, path: &str) -> Check {
    bare(dns).args(["--allow-private", "-H", TARGET, "--list-file", path])
}

#[test]
fn list_file_with_comments_and_settings() {
    let dns = Responder::start(
        Zones::new()
            .zone("a.lab.test", Dnsbl::listing(TARGET, ["127.0.0.2"]))
            .zone("b.lab.test", Dnsbl::listing(TARGET, ["127.0.0.10"]))
            .zone("c.lab.test", Dnsbl::healthy()),
    );
    let files = Files::new();
    let path = files.write(
        "# lists of the lab\r\n\r\na.lab.test, weight=0.25\r\n\tb.lab.test,ignore=10+11 # policy\n#c.lab.test\nc.lab.test",
    );
    let run = from_file(&dns, &path).gives(State::Warning, &["a.lab.test", "0.25"]);
    assert_eq!(figures(&run), [Some(0.25), Some(1.0), Some(3.0), Some(3.0), Some(0.0)]);
    // What the command line says of the same list goes over the file.
    let run = from_file(&dns, &path).args(["-s", "a.lab.test,weight=4"]).gives(State::Critical, &["score 4"]);
    assert_eq!(run.parsed.value("lists"), Some(3.0));
}

#[test]
fn unknown_list_file_with_mistakes() {
    let dns = one_list(Dnsbl::healthy());
    let files = Files::new();
    for (text, words) in [
        ("bl.lab.test\nbl.lab.test,weight=x\n", &["line 2", "weight", "'x'"][..]),
        ("# one\n\n\nrelays.ordb.org\n", &["line 4", "relays.ordb.org"]),
        ("bl.lab.test,wait=1", &["line 1", "wait=1"]),
        ("bl.lab.test other.lab.test", &["line 1"]),
        ("list.dnswl.org", &["line 1", "allow list"]),
        ("", &["--list-file", "empty"]),
        ("# no list\n   \n\t# left\n", &["--list-file", "empty"]),
        ("bl.lab.test\0", &["line 1"]),
    ] {
        from_file(&dns, &files.write(text)).gives(State::Unknown, words);
    }
    from_file(&dns, &files.write(b"bl.lab.test\n\xe9t\xe9.lab.test\n"))
        .gives(State::Unknown, &["--list-file", "UTF-8"]);
    from_file(&dns, "/nonexistent/lists").gives(State::Unknown, &["/nonexistent/lists", "No such file"]);
    from_file(&dns, &files.0.path().to_string_lossy()).gives(State::Unknown, &["--list-file", "directory"]);
    assert_eq!(dns.query_count(), 0, "nothing is asked");
}

#[test]
fn unknown_file_without_an_end() {
    let dns = one_list(Dnsbl::healthy());
    let files = Files::new();
    let large = files.write("# a comment that fills a file\n".repeat(200_000));
    for path in [large.as_str(), "/dev/zero"] {
        if Path::new(path).exists() {
            let run = from_file(&dns, path).timeout(5.0).gives(State::Unknown, &["--list-file", path]);
            assert!(run.outcome.elapsed.as_secs() < 4, "{}", run.outcome.report());
        }
    }
    assert_eq!(dns.query_count(), 0);
}

// Lists that cannot be asked

fn refused(list: &str, words: &[&str]) -> Run {
    let dns = one_list(Dnsbl::world());
    let run = check(&dns, &[list]).gives(State::Unknown, words);
    assert_eq!(dns.query_count(), 0, "{list}");
    run
}

#[test]
fn unknown_retired_lists() {
    for zone in [
        "relays.ordb.org",
        "dnsbl.njabl.org",
        "combined.njabl.org",
        "dnsbl.ahbl.org",
        "sbl-xbl.spamhaus.org",
        "dnsbl.sorbs.net",
        "spam.dnsbl.sorbs.net",
        "RELAYS.ORDB.ORG.",
        "ix.dnsbl.manitu.net",
    ] {
        let shown = zone.to_lowercase();
        refused(zone, &[shown.trim_end_matches('.'), "no list any more"]).long("hint: ");
    }
    let dns = one_list(Dnsbl::world());
    check(&dns, &["bl.lab.test", "relays.ordb.org"]).gives(State::Unknown, &["relays.ordb.org"]);
    assert_eq!(dns.query_count(), 0, "the others are not asked either");
}

#[test]
fn unknown_malformed_zones_and_settings() {
    for (list, words) in [
        ("", &["--list"][..]),
        ("zen", &["'zen'"]),
        (".", &["--list"]),
        ("bl..lab.test", &["bl..lab.test"]),
        ("bl.lab.test/24", &["bl.lab.test/24"]),
        ("http://bl.lab.test", &["http://bl.lab.test"]),
        ("bl lab.test", &["bl lab.test"]),
        ("*.lab.test", &["*.lab.test"]),
        ("bl.lab.test,", &["setting"]),
        ("bl.lab.test;weight=2", &["bl.lab.test;weight=2"]),
        ("bl.lab.test,weight", &["weight"]),
        ("bl.lab.test,weight=", &["weight"]),
        ("bl.lab.test,weight=-1", &["weight", "-1"]),
        ("bl.lab.test,weight=1e9", &["weight", "1e9"]),
        ("bl.lab.test,weight=9999999", &["weight"]),
        ("bl.lab.test,weight=nan", &["weight", "nan"]),
        ("bl.lab.test,weight=inf", &["weight", "inf"]),
        ("bl.lab.test,weight=1.2.3", &["weight"]),
        ("bl.lab.test,weight=.", &["weight"]),
        ("bl.lab.test,type=ip5", &["type", "ip5"]),
        ("bl.lab.test,type=", &["type"]),
        ("bl.lab.test,ignore=", &["return code"]),
        ("bl.lab.test,ignore=256", &["256"]),
        ("bl.lab.test,ignore=9-4", &["9-4"]),
        ("bl.lab.test,codes=2", &["codes"]),
        ("bl.lab.test,codes=2:x", &["codes"]),
        ("bl.lab.test,refuse=1.2.3", &["1.2.3"]),
        ("bl.lab.test,mask=1", &["mask"]),
        ("bl.lab.test,test-in=", &["test-in"]),
        ("bl.lab.test,test-in=a..b", &["test-in"]),
        ("bl.lab.test,selftest=maybe", &["selftest", "maybe"]),
        ("bl.lab.test,nothing=1", &["nothing=1"]),
    ] {
        refused(list, words);
    }
    let label = "x".repeat(64);
    refused(&format!("{label}.lab.test"), &["--list"]);
    let long = ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(62)].join(".");
    refused(&format!("{long}.test"), &["--list"]);
}

#[test]
fn unknown_no_list_left() {
    // The file has none, and none is named: that is a mistake, not the default set.
    let dns = one_list(Dnsbl::world());
    let files = Files::new();
    from_file(&dns, &files.write("# none\n")).gives(State::Unknown, &["empty"]);
    // Lists of another type alone.
    check(&dns, &["bl.lab.test,type=ip6"]).gives(State::Unknown, &["no list"]);
    assert_eq!(dns.query_count(), 0);
}

#[test]
fn unknown_wrong_resolver_options() {
    for (option, value) in [
        ("--resolver", "dns.example"),
        ("--resolver", "127.0.0.1:0"),
        ("--resolver", "127.0.0.1:70000"),
        ("--resolver", ""),
        ("--query-timeout", "0"),
        ("--query-timeout", "-1"),
        ("--query-timeout", "x"),
        ("--tries", "0"),
        ("--tries", "11"),
        ("--rate", "0"),
        ("--self-test", "maybe"),
        ("--source-ip", "here"),
        ("--timeout", "0"),
    ] {
        let check = Check::new("check_rbl").args(["-H", "8.8.4.4", "-s", "bl.lab.test"]);
        check.arg(format!("{option}={value}")).gives(State::Unknown, &[option]);
    }
    let check = Check::new("check_rbl").args(["-H", "8.8.4.4", "-s", "bl.lab.test"]);
    check.args(["--txt", "off"]).gives(State::Unknown, &["belongs to no option"]);
}

#[test]
fn unknown_zone_that_no_question_fits_into() {
    // The zone is allowed, but no address of IPv6 fits in front of it.
    let zone = ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(30)].join(".");
    let dns = Responder::start(Zones::new().otherwise(Dnsbl::healthy().map(|reaction| reaction)));
    let check = bare(&dns).args(["--allow-private", "-H", "2001:db8::1"]);
    let run =
        with_lists(check, &[&format!("{zone},type=ip6")]).gives(State::Unknown, &["gave an answer to trust"]);
    run.long("too long");
}
