//! The verdict of check_rdns on whatever name servers and mail servers may have said: it holds
//! for any observation, and no address is well without a name that leads back to it.
//!
//! Input: bytes that choose options, addresses, answers and banners.

use std::net::IpAddr;

use check_rdns::{CheckRdns, Seen};
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
    let states = StateTable::new(CheckRdns::CONDITIONS);
    check(&options.evaluate(&seen, &Run { taken_at: 0, states }), &observation);
}

const NAMES: [&str; 8] = [
    "mail.example.org",
    "out.example.org",
    "192-0-2-1.dsl.example.net",
    "a\\010b|c.example.org",
    "mail_1",
    "",
    "192.0.2.1",
    "mail.example.org.2.0.192.in-addr.arpa",
];
const ADDRESSES: [&str; 4] = ["192.0.2.1", "198.20.0.1", "2001:db8::1", "127.0.0.1"];
const KINDS: [&str; 3] = ["A", "AAAA", "PTR"];

fn options(choices: &mut Choices<'_>) -> CheckRdns {
    let mut arguments = vec!["check_rdns", "-H", "192.0.2.1"];
    arguments.extend(choices.of(&[&[][..], &["--helo", NAMES[0]], &["--helo", NAMES[1]], &["-vvv"]]));
    arguments.extend(choices.of(&[&[][..], &["--match", "mail.*"], &["--generic-ok"], &["--smtp"]]));
    CheckRdns::try_parse_from(arguments).expect("good options")
}

fn reverse(address: &str) -> String {
    let address: IpAddr = address.parse().expect("an address");
    common::proto::dns::reverse_name(address).to_string()
}

fn observation(choices: &mut Choices<'_>) -> Value {
    let resolvers: Vec<String> = (0..=choices.below(3)).map(|n| format!("192.0.2.{n}:53")).collect();
    let addresses: Vec<Value> = ADDRESSES[..choices.below(5)]
        .iter()
        .map(|address| {
            json!({
                "address": address,
                "of": if choices.next() & 3 == 3 { &NAMES[..1] } else { &[] },
                "reverse": reverse(address),
                "banner": banner(address, choices),
            })
        })
        .collect();
    let looks: Vec<Value> = (0..choices.below(24)).map(|_| look(choices, resolvers.len())).collect();
    json!({
        "resolvers": resolvers,
        "hosts": if choices.next() & 3 == 3 { &NAMES[..1] } else { &[] },
        "kinds": KINDS[..choices.below(3)],
        "addresses": addresses,
        "looks": looks,
        "cut_short": (choices.next() & 7 == 7).then(|| failure("Timeout")),
    })
}

fn failure(trouble: &str) -> Value {
    json!({ "trouble": trouble, "phase": "Querying", "text": "it failed | so", "hint": null })
}

fn banner(address: &str, choices: &mut Choices<'_>) -> Value {
    let server = std::net::SocketAddr::new(address.parse().expect("an address"), 25).to_string();
    let words = choices.of(&["220 mail.example.org ESMTP", "220", "220 a|b\u{1b}", "554 no", "421 busy"]);
    let code: u16 = words[..3].parse().expect("a code");
    let greeting =
        json!({ "code": code, "words": words, "masked": choices.next() & 7 == 7, "line_end": "CrLf" });
    let (greeting, failure) = match choices.below(4) {
        0 => return Value::Null,
        1 => (greeting, Value::Null),
        2 => (Value::Null, failure(choices.of(&["Timeout", "Unreachable", "Protocol"]))),
        _ => (Value::Null, Value::Null),
    };
    json!({
        "server": server, "greeting": greeting, "failure": failure,
        "connect": choices.of(&[None, Some(0.25)]), "wait": choices.of(&[None, Some(0.5)]),
        "transcript": ["< 220 | x"],
    })
}

fn look(choices: &mut Choices<'_>, resolvers: usize) -> Value {
    let kind = choices.of(&KINDS);
    let name = match kind {
        "PTR" => reverse(choices.of(&ADDRESSES)),
        _ => choices.of(&NAMES).to_owned(),
    };
    let said = match choices.below(6) {
        0 => json!("nx_domain"),
        1 => json!("no_data"),
        2 => json!({ "nothing": "SERVFAIL" }),
        _ if kind == "PTR" => json!({ "names": NAMES[choices.below(3)..][..=choices.below(5)] }),
        _ => json!({ "addresses": ADDRESSES[choices.below(2)..][..=choices.below(2)] }),
    };
    json!({
        "name": name,
        "kind": kind,
        // One more than there are: a dump from elsewhere may name a place that does not exist.
        "resolver": choices.below(resolvers + 1),
        "said": said,
        "aliases": if choices.next() & 7 == 7 { &["end.example.org"][..] } else { &[] },
        "time": choices.of(&[None, Some(0.25)]),
    })
}

fn check(report: &Report, observation: &Value) {
    let metric = |label: &str| {
        let found = report.metrics().iter().find(|metric| metric.label == label);
        found.unwrap_or_else(|| panic!("no {label}")).value
    };
    let [addresses, ptr, confirmed] = ["addresses", "ptr", "confirmed"].map(metric);
    if let (Some(ptr), Some(confirmed)) = (ptr, confirmed) {
        assert!(confirmed <= ptr);
    }
    if report.state() == State::Ok {
        let checked = observation["addresses"].as_array().expect("addresses").len();
        assert!(checked > 0, "nothing was looked at");
        assert_eq!(addresses, Some(f64::from(u32::try_from(checked).expect("few"))));
        assert_eq!((ptr, confirmed), (addresses, addresses), "a name for each, and every one leads back");
        assert!(observation["cut_short"].is_null(), "a timeout is never OK");
    }
    assert!(report.findings().iter().all(|finding| !finding.text.is_empty() && finding.text.len() < 8192));
}
