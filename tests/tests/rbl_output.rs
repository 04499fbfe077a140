//! check_rbl: the lists' own words, what goes into perfdata and the other formats, and what
//! large runs cost.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::float_cmp,
    reason = "test code"
)]

use std::fs;
use std::time::Duration;

use lab::dns::{Behaviour, Dnsbl, Rdata, Reaction, Record, RecordType, Responder, Zones};
use lab::output::State;
use serde_json::Value;
use tests::Measured;
use tests::rbl::{REVERSED, TARGET, bare, check, figures, impatient, one_list, times_asked, with_lists};

fn texts_asked(dns: &Responder) -> usize {
    dns.queries().iter().filter(|query| query.record_type == RecordType::Txt).count()
}

// Reasons

#[test]
fn critical_with_the_reason_of_the_list() {
    let dns = Responder::start(
        Zones::new()
            .zone("bl.lab.test", Dnsbl::healthy().text(TARGET, "127.0.0.2", "See https://bl.lab.test/?ip"))
            .zone("clean.lab.test", Dnsbl::healthy()),
    );
    let run = check(&dns, &["bl.lab.test", "clean.lab.test"]).gives(State::Critical, &["bl.lab.test"]);
    run.long("\"See https://bl.lab.test/?ip\"");
    assert_eq!(texts_asked(&dns), 1, "for listings only");
    for option in ["--txt", "--txt=on"] {
        check(&dns, &["bl.lab.test"])
            .arg(option)
            .gives(State::Critical, &[])
            .long("See https://bl.lab.test/?ip");
    }
    dns.clear();
    let run = check(&dns, &["bl.lab.test"]).arg("--txt=off").gives(State::Critical, &["bl.lab.test"]);
    run.silent_about("See https");
    assert_eq!((texts_asked(&dns), dns.query_count()), (0, 3));
}

#[test]
fn ok_nobody_is_asked_for_a_reason() {
    let dns = one_list(Dnsbl::healthy());
    check(&dns, &["bl.lab.test"]).gives(State::Ok, &["not listed"]);
    assert_eq!(texts_asked(&dns), 0);
    // Nor a list whose word does not count.
    dns.behave(Zones::new().zone("bl.lab.test", Dnsbl::refusing("127.255.255.254")));
    check(&dns, &["bl.lab.test"]).gives(State::Unknown, &[]);
    assert_eq!(texts_asked(&dns), 0);
}

#[test]
fn critical_without_a_reason() {
    for answer in [
        Reaction::nodata(),
        Reaction::nxdomain(),
        Reaction::silence(),
        Reaction::rcode(lab::dns::Rcode::ServFail),
        Reaction::malformed(lab::dns::Malformed::CutRecord),
        Reaction::records([Record::txt("")]),
        Reaction::records([Record::txt("words").owned_by("other.lab.test")]),
        Reaction::records([Record::txt("words")]).wrong_id(),
    ] {
        let list = Dnsbl::listing(TARGET, ["127.0.0.2"]);
        let behaviour = move |query: &lab::dns::Query| match query.record_type {
            RecordType::Txt => answer.clone(),
            _ => list.react(query, "bl.lab.test"),
        };
        let dns = Responder::start(behaviour);
        let run =
            impatient(check(&dns, &["bl.lab.test"])).gives(State::Critical, &["bl.lab.test", "127.0.0.2"]);
        run.silent_about("words");
        assert_eq!(figures(&run), [Some(1.0), Some(1.0), Some(1.0), Some(1.0), Some(0.0)]);
    }
}

#[test]
fn critical_hostile_reasons_are_harmless() {
    // The strict parser of the output refuses a second `|`, control characters and more.
    let strings = |bytes: &[u8]| Record::new(Rdata::Txt(bytes.chunks(255).map(<[u8]>::to_vec).collect()));
    let all: Vec<u8> = (0..=255).collect();
    for (text, shown) in [
        (&b"a | b=1;2;3 | c=4"[..], "a / b=1;2;3 / c=4"),
        (b"one\ntwo\r\nRBL OK: fine", "one two"),
        (b"\x1b[31mred\x1b[0m\x07\x08", "red"),
        (b"caf\xe9 \xff\xfe", "caf"),
        (b"\xe2\x80\xaereversed", "reversed"),
        (b"<script>alert(1)</script>", "<script>"),
        (b"\0nul", "nul"),
        (&all, "\\xff"),
    ] {
        let list = Dnsbl::listing(TARGET, ["127.0.0.2"]);
        let record = strings(text);
        let behaviour = move |query: &lab::dns::Query| match query.record_type {
            RecordType::Txt => Reaction::records([record.clone()]).of_any_size(),
            _ => list.react(query, "bl.lab.test"),
        };
        let dns = Responder::start(behaviour);
        let check = check(&dns, &["bl.lab.test"]);
        let run = check.gives(State::Critical, &["bl.lab.test"]);
        if text != all.as_slice() {
            run.long(shown);
        }
        assert!(run.parsed.long.iter().all(|line| !line.starts_with("RBL ")), "{}", run.outcome.report());
    }
}

#[test]
fn critical_reason_of_sixty_kilobytes() {
    let word = "spam ";
    let texts: Vec<Vec<u8>> = (0..236).map(|_| word.repeat(51).into_bytes()).collect();
    let list = Dnsbl::listing(TARGET, ["127.0.0.2"]);
    let behaviour = move |query: &lab::dns::Query| match query.record_type {
        RecordType::Txt => Reaction::records([Record::new(Rdata::Txt(texts.clone()))]),
        _ => list.react(query, "bl.lab.test"),
    };
    let dns = Responder::start(behaviour);
    let run = check(&dns, &["bl.lab.test"]).gives(State::Critical, &["bl.lab.test"]);
    run.long("spam spam");
    assert!(run.outcome.stdout.len() < 2048, "cut to 128 characters: {}", run.outcome.report());
    let run = check(&dns, &["bl.lab.test"]).args(["--output", "json"]).outcome();
    let json: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(json["status"], "CRITICAL");
}

#[test]
fn critical_reasons_of_hundreds_of_listings_are_bounded() {
    let dns = one_list(Dnsbl::world());
    let check = bare(&dns).args(["--allow-private", "-H", "192.0.2.0/24", "--self-test", "off"]);
    let run = with_lists(check, &["bl.lab.test"]).gives(State::Critical, &["bl.lab.test"]);
    assert!(texts_asked(&dns) <= 64, "{}", texts_asked(&dns));
    assert!(run.outcome.stdout.len() <= 8192);
    assert!(run.outcome.text().ends_with("[truncated]\n"), "{}", run.outcome.report());
    assert_eq!(run.parsed.value("listed"), Some(256.0));
}

// Perfdata

#[test]
fn perfdata_has_the_time_of_each_list() {
    let dns = Responder::start(
        Zones::new()
            .zone("quick.lab.test", Dnsbl::healthy())
            .zone("slow.lab.test", Dnsbl::healthy().delayed(Duration::from_millis(200)))
            .zone("silent.lab.test", Dnsbl::silent()),
    );
    let lists = ["quick.lab.test", "slow.lab.test", "silent.lab.test"];
    let run = impatient(check(&dns, &lists)).arg("--perf-lists").gives(State::Warning, &[]);
    run.perfdata(&[
        ("time", Measured::Yes),
        ("score", Measured::Yes),
        ("listed", Measured::Yes),
        ("lists", Measured::Yes),
        ("healthy", Measured::Yes),
        ("failed", Measured::Yes),
        ("quick.lab.test.time", Measured::Yes),
        ("slow.lab.test.time", Measured::Yes),
        ("silent.lab.test.time", Measured::No),
    ]);
    let slow = run.parsed.value("slow.lab.test.time").unwrap();
    assert!((0.2..2.0).contains(&slow), "{slow}");
    let run = impatient(check(&dns, &["quick.lab.test"])).gives(State::Ok, &[]);
    assert!(run.parsed.perf("quick.lab.test.time").is_none(), "only when it is wanted");
}

#[test]
fn perfdata_is_there_when_nothing_was_learnt() {
    let dns = one_list(Dnsbl::dead());
    let run = check(&dns, &["bl.lab.test"]).gives(State::Unknown, &[]);
    let with_value = |label| (label, if label == "score" { Measured::No } else { Measured::Yes });
    run.perfdata(&["time", "score", "listed", "lists", "healthy", "failed"].map(with_value));
}

// Other formats

#[test]
fn json_zabbix_and_prometheus_say_the_same() {
    let dns = one_list(Dnsbl::healthy().text(TARGET, "127.0.0.2", "a | \"b\" \u{1}"));
    let output = |form: &str| {
        let outcome = check(&dns, &["bl.lab.test", "dead.lab.test"]).args(["--output", form]).outcome();
        assert_eq!(outcome.code, Some(2), "{}", outcome.report());
        outcome.text()
    };
    let json: Value = serde_json::from_str(&output("json")).unwrap();
    assert_eq!(
        (&json["plugin"], &json["state"], &json["status"]),
        (&"check_rbl".into(), &2.into(), &"CRITICAL".into())
    );
    let perf = json["perfdata"].as_array().unwrap();
    let score = perf.iter().find(|item| item["label"] == "score").unwrap();
    assert_eq!(score["value"].as_f64(), Some(1.0));
    assert!(json["findings"].as_array().unwrap().iter().any(|finding| finding["id"] == "listed"));
    assert_eq!(json["data"]["lists"].as_array().unwrap().len(), 2);

    let zabbix: Value = serde_json::from_str(&output("zabbix")).unwrap();
    assert_eq!((zabbix["state"].as_u64(), zabbix["metrics"]["score"].as_f64()), (Some(2), Some(1.0)));
    let prometheus = output("prometheus");
    for word in ["vedette_state{", "vedette_rbl_score", "vedette_rbl_failed", "192.0.2.25"] {
        assert!(prometheus.contains(word), "{word}: {prometheus}");
    }
}

#[test]
fn verbose_lines_say_what_each_list_said() {
    let dns = one_list(Dnsbl::listing(TARGET, ["127.0.0.2"]));
    let run = check(&dns, &["bl.lab.test"]).arg("-vv").gives(State::Critical, &[]);
    run.long(&dns.addr().to_string()).long("192.0.2.25 in bl.lab.test").long("NXDOMAIN");
    check(&dns, &["bl.lab.test"]).gives(State::Critical, &[]).silent_about("NXDOMAIN");
}

#[test]
fn dump_has_what_was_seen_and_can_be_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seen.json");
    let dns = one_list(Dnsbl::healthy().text(TARGET, "127.0.0.2", "Spam seen"));
    check(&dns, &["bl.lab.test"]).arg("--dump-observation").arg(&path).gives(State::Critical, &[]);
    let text = fs::read_to_string(&path).unwrap();
    let dump: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(dump["plugin"], "check_rbl");
    let looks = dump["data"]["looks"].as_array().unwrap();
    assert_eq!((looks.len(), &looks[0]["reason"]), (1, &"Spam seen".into()));
    assert_eq!(dump["data"]["tests"].as_array().unwrap().len(), 1);
    // An early end has a dump, too.
    bare(&dns)
        .args(["-H", "10.0.0.1", "-s", "bl.lab.test", "--dump-observation"])
        .arg(&path)
        .gives(State::Unknown, &[]);
    let dump: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert!(dump["data"]["error"]["text"].as_str().unwrap().contains("10.0.0.1"));
}

// Large runs

#[test]
fn unknown_more_questions_than_the_time_allows() {
    let dns = one_list(Dnsbl::healthy());
    let check = bare(&dns).args([
        "--allow-private",
        "-H",
        "192.0.2.0/24",
        "-H",
        "198.51.100.0/24",
        "-H",
        "203.0.113.0/24",
    ]);
    let lists: Vec<String> = (0..20).map(|n| format!("bl{n}.lab.test")).collect();
    let lists: Vec<&str> = lists.iter().map(String::as_str).collect();
    let run = with_lists(check, &lists)
        .args(["--rate", "100"])
        .gives(State::Unknown, &["15400 questions", "100 a second"]);
    run.long("--rate");
    assert_eq!(dns.query_count(), 0, "better none than half of them");
    assert!(run.outcome.elapsed < Duration::from_secs(3));
}

#[test]
fn ok_rate_is_kept_and_shown() {
    let dns = one_list(Dnsbl::healthy());
    // 1,026 questions: 512 at once, the others at 1,000 a second.
    let check = bare(&dns).args(["--allow-private", "-H", "192.0.0.0/22"]);
    let run = with_lists(check, &["bl.lab.test"]).gives(State::Ok, &["1024 targets"]);
    run.long("1026 questions").long("1000 a second");
    let time = run.parsed.value("time").unwrap();
    assert!(time >= 0.45, "{}", run.outcome.report());
    assert_eq!(dns.query_count(), 1026);
}

#[test]
fn unknown_large_run_does_not_ask_dead_lists() {
    let dns = Responder::start(
        Zones::new()
            .zone("bl.lab.test", Dnsbl::healthy())
            .zone("dead.lab.test", Dnsbl::dead())
            .zone("world.lab.test", Dnsbl::world())
            .zone("silent.lab.test", Dnsbl::silent()),
    );
    let check = bare(&dns).args(["--allow-private", "-H", "192.0.2.0/24"]);
    let lists = ["bl.lab.test", "dead.lab.test", "world.lab.test", "silent.lab.test"];
    let run = impatient(with_lists(check, &lists))
        .args(["--rate", "100000"])
        .gives(State::Unknown, &["1 of 4 lists"]);
    assert_eq!(times_asked(&dns, &format!("{REVERSED}.bl.lab.test")), 1);
    for zone in &lists[1..] {
        let asked = dns.queries().iter().filter(|query| query.name.ends_with(zone)).count();
        assert!(asked <= 4, "{zone}: test points alone, {asked}");
    }
    assert_eq!(figures(&run), [Some(0.0), Some(0.0), Some(4.0), Some(1.0), Some(3.0)]);
    // Nor does that look like a timeout.
    run.silent_about("timeout after");
}

#[test]
fn ok_sixteen_thousand_questions_in_one_process() {
    let zone = |n: usize| format!("bl{n}.lab.test");
    let dns = Responder::start((0..60).fold(Zones::new(), |zones, n| zones.zone(&zone(n), Dnsbl::healthy())));
    let names: Vec<String> = (0..60).map(zone).collect();
    let lists: Vec<&str> = names.iter().map(String::as_str).collect();
    let check = bare(&dns).args(["--allow-private", "-H", "192.0.2.0/24", "--rate", "10000"]);
    let outcome =
        with_lists(check, &lists).timeout(25.0).memory_kib(64 * 1024).gives(State::Ok, &["256 targets"]);
    assert_eq!(dns.query_count(), 256 * 60 + 120, "no question twice: {}", outcome.outcome.report());
}
