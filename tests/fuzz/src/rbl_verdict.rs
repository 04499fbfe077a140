//! The verdict of check_rbl on whatever the lists may have said: it holds for any observation,
//! and no target is clean of whom nobody said so.
//!
//! Input: bytes that choose options, lists, targets and what each list said.

use check_rbl::{CheckRbl, Seen};
use clap::Parser;
use common::plugin::{Plugin, Run};
use common::report::{Report, State, StateTable};
use serde_json::{Value, json};

use super::choices::Choices;

/// The target.
pub fn run(data: &[u8]) {
    let mut choices = Choices(data);
    let options = options(&mut choices);
    let observation = observation(&mut choices);
    let seen: Seen = serde_json::from_value(observation.clone()).expect("the form of an observation");
    assert_eq!(serde_json::to_value(&seen).expect("plain data"), observation, "nothing is lost in a dump");
    let report = options.evaluate(&seen, &Run { taken_at: 0, states: StateTable::new(CheckRbl::CONDITIONS) });
    check(&report, &observation);
}

fn options(choices: &mut Choices<'_>) -> CheckRbl {
    let mut arguments = vec!["check_rbl", "-H", "192.0.2.1"];
    let limits: [&[&str]; 8] = [
        &[],
        &["-w", "1", "-c", "1"],
        &["-w", "2", "-c", "3"],
        &["-c", "0:2"],
        &["-w", "inside:0:0"],
        &["--min-healthy", "0"],
        &["--min-healthy", "2", "--unhealthy-warning", "1"],
        &["--min-healthy", "100%", "--unhealthy-warning", "0%"],
    ];
    arguments.extend(choices.of(&limits));
    arguments.extend(choices.of(&[&[][..], &["--perf-lists"], &["-vv"], &["--perf-lists", "-v"]]));
    CheckRbl::try_parse_from(arguments).expect("good options")
}

const KINDS: [&str; 3] = ["ip4", "ip6", "domain"];

fn observation(choices: &mut Choices<'_>) -> Value {
    let lists: Vec<Value> = (0..choices.below(5)).map(|n| list(n, choices)).collect();
    let resolvers: Vec<String> = (0..choices.below(4)).map(|n| format!("192.0.2.{n}:53")).collect();
    let targets: Vec<Value> = (0..=choices.below(3)).map(|n| target(n, choices)).collect();
    // One more than there are: a dump from elsewhere may name a place that does not exist.
    let place = |choices: &mut Choices<'_>, of: usize| choices.below(of + 1);
    let tests: Vec<Value> = (0..choices.below(8))
        .map(|_| {
            json!({
                "list": place(choices, lists.len()),
                "kind": choices.of(&KINDS),
                "resolver": place(choices, resolvers.len()),
                "inside": said(choices),
                "outside": said(choices),
            })
        })
        .collect();
    let looks: Vec<Value> = (0..choices.below(16))
        .map(|_| {
            let (said, reason) = (said(choices), choices.of(&[None, Some("words | 'x'=1\n\u{1b}[0m")]));
            json!({
                "target": place(choices, targets.len()),
                "subject": choices.below(3),
                "list": place(choices, lists.len()),
                "resolver": place(choices, resolvers.len()),
                "said": said,
                "time": choices.of(&[None, Some(0.25)]),
                "reason": reason,
            })
        })
        .collect();
    json!({
        "lists": lists,
        "resolvers": resolvers,
        "targets": targets,
        "tests": tests,
        "looks": looks,
        "questions": choices.next(),
        "rate": choices.of(&[None, Some(1000)]),
        "cut_short": choices.of(&[None, Some(())]).map(|()| json!({
            "trouble": "Timeout", "phase": "Querying", "text": "timeout after 10 s", "hint": null
        })),
    })
}

fn list(number: usize, choices: &mut Choices<'_>) -> Value {
    let mask = choices.next() & 1 == 1;
    json!({
        "zone": format!("l{number}.example"),
        "allow": choices.next() & 3 == 3,
        "kinds": KINDS[..=choices.below(3)],
        "weight": choices.of(&[1.0, 0.0, 0.5, 3.0, 1e6]),
        "code_weights": choices.of(&[None, Some(2.5)]).map(|weight| json!([pattern(choices, mask), weight])).as_slice(),
        "meanings": choices.of(&[None, Some("spam | source")])
            .map(|text| json!({ "code": pattern(choices, mask), "text": text })).as_slice(),
        "ignore": choices.of(&[None, Some(())]).map(|()| pattern(choices, mask)).as_slice(),
        "refuse": choices.of(&[None, Some("")])
            .map(|text| json!({ "code": pattern(choices, false), "text": text })).as_slice(),
        "mask": mask,
        "test_in": null,
        "test_out": null,
        "self_test": choices.next() & 1 == 0,
        "about": choices.of(&[None, Some("A list, https://list.example")]),
    })
}

fn pattern(choices: &mut Choices<'_>, mask: bool) -> Value {
    if mask {
        return json!({ "Bit": 1 << choices.below(8) });
    }
    let code = code(choices);
    let high = [code[0], code[1], choices.of(&[code[2], 255]), code[3].max(choices.next())];
    json!({ "Octets": { "low": code, "high": high } })
}

fn code(choices: &mut Choices<'_>) -> [u8; 4] {
    let [a, b, c] =
        choices.of(&[[127, 0, 0], [127, 255, 255], [127, 0, 1], [203, 0, 113], [0, 0, 0], [255, 255, 255]]);
    [a, b, c, choices.next()]
}

fn target(number: usize, choices: &mut Choices<'_>) -> Value {
    let subjects = [
        json!({ "address": format!("192.0.2.{number}") }),
        json!({ "address": format!("2001:db8::{:x}", number + 1) }),
        json!({ "domain": format!("host{number}.example") }),
    ];
    json!({
        "name": format!("host{number}.example"),
        "subjects": subjects[..choices.below(4)],
        "problem": choices.of(&[None, None, Some("cannot resolve it: SERVFAIL")]),
        "unfit": choices.below(3),
    })
}

fn said(choices: &mut Choices<'_>) -> Value {
    match choices.below(6) {
        0 => json!("nx_domain"),
        1 => json!("no_data"),
        2 => json!("not_asked"),
        3 => json!({ "nothing": choices.of(&["SERVFAIL", "timeout", ""]) }),
        4 => json!({ "codes": ["127.0.0.2"] }),
        _ => {
            let codes: Vec<String> = (0..choices.below(4))
                .map(|_| code(choices).map(|octet| octet.to_string()).join("."))
                .collect();
            json!({ "codes": codes })
        }
    }
}

fn check(report: &Report, observation: &Value) {
    let looks = observation["looks"].as_array().expect("looks");
    let answers = |look: &Value| {
        let said = &look["said"];
        said == "nx_domain" || said == "no_data" || said.get("codes").is_some()
    };
    if report.state() == State::Ok {
        let targets = observation["targets"].as_array().expect("targets").len();
        for target in 0..targets {
            let said = looks.iter().any(|look| look["target"] == target && answers(look));
            assert!(said, "nobody said that target {target} is clean");
        }
        assert!(observation["cut_short"].is_null(), "a timeout is never OK");
    }
    let metric = |label: &str| {
        let found = report.metrics().iter().find(|metric| metric.label == label);
        found.unwrap_or_else(|| panic!("no {label}")).value
    };
    let [listed, lists, healthy, failed] =
        ["listed", "lists", "healthy", "failed"].map(|label| metric(label).expect("a number"));
    assert_eq!(healthy + failed, lists);
    assert!(lists <= 4.0 && listed <= 16.0);
    let score = metric("score");
    assert!(score.is_none_or(|score| score >= 0.0 && score.is_finite()));
    let codes = looks.iter().any(|look| look["said"].get("codes").is_some());
    let allow = observation["lists"].as_array().expect("lists").iter().any(|list| list["allow"] == true);
    assert!(listed == 0.0 || codes || allow, "a listing nobody spoke of");
    assert!(report.findings().iter().all(|finding| !finding.text.is_empty() && finding.text.len() < 4096));
}
