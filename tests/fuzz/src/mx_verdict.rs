//! The verdict of check_mx on whatever resolvers, name servers and hosts may have said: it
//! holds for any observation, and what nobody answered is never well.
//!
//! Input: bytes that choose options and what each of them said.

use check_mx::{CheckMx, Seen};
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
    let report = options.evaluate(&seen, &Run { taken_at: 0, states: StateTable::new(CheckMx::CONDITIONS) });
    check(&report, &observation);
}

fn options(choices: &mut Choices<'_>) -> CheckMx {
    let mut arguments = vec!["check_mx", "-d", "example.org"];
    let wishes: [&[&str]; 6] = [
        &[],
        &["--expect", "null"],
        &["--expect", "10 a.example.org", "--expect", "20 b.example.org"],
        &["--min-hosts", "1", "--quorum", "1"],
        &["--quorum", "majority", "--allow-private"],
        &["-4", "-vv"],
    ];
    arguments.extend(choices.of(&wishes));
    CheckMx::try_parse_from(arguments).expect("good options")
}

const NAMES: [&str; 7] = [
    "a.example.org",
    "b.example.org",
    "",
    "192.0.2.1",
    "x\\032|'y'=1",
    "mx.example.org.example.org",
    "\u{1b}[0m\n",
];

fn observation(choices: &mut Choices<'_>) -> Value {
    let resolvers = choices.some(3, |choices| {
        json!({
            "name": "192.0.2.53:53",
            "mail": mail(choices),
            "again": choices.of(&[None, Some(["b.example.org", "a.example.org"])]),
        })
    });
    let delegation = (choices.below(2) == 1).then(|| delegation(choices));
    let authority = (choices.below(2) == 1).then(|| {
        json!({
            "delegation": delegation,
            "problem": choices.of(&[None, Some("SERVFAIL")]),
            "cut_short": choices.of(&[false, false, true]),
            "mail": choices.some(4, |choices| json!(["192.0.2.2:53", mail(choices)])),
        })
    });
    let hosts = (choices.below(2) == 1).then(|| {
        choices.some(3, |choices| {
            json!({
                "name": choices.of(&NAMES),
                "talks": choices.some(3, talk),
                "untried": choices.below(3),
            })
        })
    });
    let cut_short = choices.of(&[None, Some(())]).map(
        |()| json!({ "trouble": "Timeout", "phase": "Querying", "text": "timeout after 10 s", "hint": null }),
    );
    json!({ "resolvers": resolvers, "authority": authority, "hosts": hosts, "cut_short": cut_short })
}

fn outcome(choices: &mut Choices<'_>) -> Value {
    match choices.below(8) {
        0 => json!("NoData"),
        1 => json!("NxDomain"),
        2 => json!("ServFail"),
        3 => json!("Timeout"),
        4 => json!({ "Malformed": "a | b\n" }),
        5 => json!({ "Dangling": "gone.example.org" }),
        6 => json!({ "Referral": [] }),
        _ => json!("NotAsked"),
    }
}

fn mail(choices: &mut Choices<'_>) -> Value {
    let route = match choices.below(8) {
        0..=2 => json!("listed"),
        3 => json!("null"),
        4 => json!("implicit"),
        5 => json!("nowhere"),
        6 => json!("no_domain"),
        _ => json!({ "unanswered": outcome(choices) }),
    };
    let names = choices.some(4, |choices| choices.of(&NAMES));
    let records: Vec<Value> = names
        .iter()
        .map(|host| json!({ "preference": choices.of(&[10, 20]), "host": host, "ttl": choices.of(&[300, 0, u32::MAX]) }))
        .collect();
    let hosts: Vec<Value> = names
        .iter()
        .map(|host| json!({ "preference": choices.of(&[10, 20]), "host": host, "target": target(choices) }))
        .collect();
    json!({
        "route": route,
        "records": records,
        "left_out": choices.of(&[0, 0, 0, 7]),
        "hosts": hosts,
        "aliases": choices.of(&[&[][..], &["alias.example.org"]]),
        "authoritative": choices.below(2) == 1,
        "authenticated": false,
        "server": null,
        "time": choices.of(&[None, Some(())]).map(|()| json!({ "secs": 0, "nanos": 1_000_000 })),
    })
}

fn target(choices: &mut Choices<'_>) -> Value {
    match choices.below(8) {
        0 => json!("root"),
        1 => json!({ "literal": "192.0.2.1" }),
        2 => json!("unspeakable"),
        3 => json!("left_out"),
        _ => json!({ "name": { "ipv4": lookup(choices), "ipv6": lookup(choices) } }),
    }
}

fn lookup(choices: &mut Choices<'_>) -> Value {
    let addresses = choices.some(2, |choices| choices.of(&["8.8.8.1", "10.0.0.1", "2a00:1450::1"]));
    let without = if addresses.is_empty() { outcome(choices) } else { Value::Null };
    json!({
        "addresses": addresses,
        "left_out": choices.of(&[0, 0, 0, 1]),
        "ttl": choices.of(&[None, Some(300), Some(1)]),
        "aliases": choices.of(&[&[][..], &[], &["b.example.org"]]),
        "authoritative": choices.below(2) == 1,
        "authenticated": false,
        "server": null,
        "without": without,
    })
}

fn answer(choices: &mut Choices<'_>, kind: &str) -> Value {
    let data = match kind {
        "soa" => json!({ "Soa": { "mname": "a", "rname": "b", "serial": choices.below(2), "minimum": 60 } }),
        _ => json!({ "Ns": choices.of(&NAMES) }),
    };
    let outcome = if choices.below(3) > 0 {
        json!({ "Records": [{ "name": "example.org", "ttl": 300, "data": data }] })
    } else {
        outcome(choices)
    };
    json!({
        "outcome": outcome,
        "authoritative": choices.below(3) > 0,
        "authenticated": false,
        "zone": null,
        "aliases": [],
        "glue": [],
        "left_out": 0,
    })
}

fn delegation(choices: &mut Choices<'_>) -> Value {
    let above = choices.some(2, |choices| {
        let names =
            if choices.below(2) == 0 { json!({ "Ok": NAMES }) } else { json!({ "Err": outcome(choices) }) };
        let authoritative = choices.of(&[false, true]);
        json!({ "server": choices.of(&NAMES), "names": names, "authoritative": authoritative })
    });
    let servers = choices.some(3, |choices| {
        json!({
            "name": choices.of(&NAMES),
            "delegated": choices.below(2) == 0,
            "listed": choices.below(2) == 0,
            "words": choices.some(2, |choices| {
                json!({ "address": "192.0.2.2:53", "soa": answer(choices, "soa"), "ns": answer(choices, "ns") })
            }),
            "without": choices.of(&[None, Some("NxDomain")]),
            "stale_glue": choices.of(&[&[][..], &["192.0.2.9"]]),
        })
    });
    json!({
        "zone": "example.org",
        "parent": choices.of(&["org", ""]),
        "above": above,
        "servers": servers,
        "left_out": choices.of(&[0, 3]),
        "servers_left_out": choices.of(&[0, 0, 3]),
        "above_left_out": choices.of(&[0, 0, 3]),
    })
}

fn talk(choices: &mut Choices<'_>) -> Value {
    let said = json!({ "code": 554, "words": "554 no | way\n", "masked": choices.below(2) == 1, "line_end": "CrLf" });
    let stop = match choices.below(3) {
        0 => Value::Null,
        1 => json!({ "Refused": ["Banner", said.clone()] }),
        _ => {
            json!({ "Failed": { "trouble": "Unreachable", "phase": "Connecting", "text": "no", "hint": null } })
        }
    };
    json!({
        "address": "192.0.2.1:25",
        "opening": {
            "address": null,
            "failed_addresses": [],
            "times": { "connect": choices.of(&[None, Some(0.25)]), "tls": null, "banner": 0.5, "ehlo": null },
            "banner": said,
            "ehlo_before_tls": null,
            "tls": null,
            "tls_given_up": null,
            "ehlo": null,
            "ehlo_refused": null,
            "transcript": ["< 220 x"],
        },
        "stop": stop,
    })
}

fn check(report: &Report, observation: &Value) {
    let ok = report.state() == State::Ok;
    let resolvers = observation["resolvers"].as_array().expect("a list");
    let is_open = |resolver: &&Value| resolver["mail"]["route"]["unanswered"] != Value::Null;
    assert!(!ok || resolvers.iter().any(|one| !is_open(&one)), "nobody answered");
    let gone = |resolver: &Value| matches!(resolver["mail"]["route"].as_str(), Some("nowhere" | "no_domain"));
    assert!(!ok || resolvers.is_empty() || !resolvers.iter().all(gone), "no mail is not well");
    assert!(!ok || observation["cut_short"].is_null(), "the time was over");
    if let Some(hosts) = observation["hosts"].as_array() {
        let up = |host: &Value| {
            host["talks"].as_array().is_some_and(|talks| talks.iter().any(|talk| talk["stop"].is_null()))
        };
        assert!(!ok || hosts.iter().all(up), "a host is down");
    }
    if !observation["authority"].is_null() {
        assert!(!ok || !observation["authority"]["delegation"].is_null(), "no server was asked");
    }
    for metric in report.metrics() {
        assert!(metric.value.is_none_or(|value| value >= 0.0), "{metric:?}");
    }
    assert!(!report.findings().is_empty(), "a verdict");
}
