//! The verdict of check_mail_policy on whatever name servers, the host of an MTA-STS policy and mail
//! exchangers may have shown: with DANE it is OK exactly where every host keeps a promise that counts, with
//! MTA-STS only where every certificate verifies, and never where a question has no answer.
//!
//! Input: bytes that choose options and what each of them said. Zeros are a domain that is in order.

use std::collections::BTreeMap;

use check_mail_policy::{CheckMailPolicy, Seen};
use clap::Parser;
use common::net::smtp::Opening;
use common::plugin::{Plugin, Run};
use common::report::{Report, State, StateTable};
use serde_json::{Value, json};

use super::choices::Choices;

const OPTIONS: [&[&str]; 7] = [
    &["--dane"],
    &["--mta-sts"],
    &["--dane", "--mta-sts"],
    &["--dane", "--no-connect"],
    &["--dane", "--trust-ad", "-4", "-vvv"],
    &["--mta-sts", "--no-connect"],
    &["--dane", "--spf"],
];

/// The target.
pub fn run(data: &[u8]) {
    let mut choices = Choices(data);
    let words = choices.of(&OPTIONS);
    let arguments = [&["check_mail_policy", "-d", "example.org"], words].concat();
    let options = CheckMailPolicy::try_parse_from(arguments).expect("good options");
    let observation = observation(&mut choices);
    let seen: Seen = serde_json::from_value(observation.clone()).expect("the form of an observation");
    assert_eq!(serde_json::to_value(&seen).expect("plain data"), observation, "nothing is lost in a dump");
    let states = StateTable::new(CheckMailPolicy::CONDITIONS);
    check(&options.evaluate(&seen, &Run { taken_at: 0, states }), words, &observation);
}

const HOSTS: [&str; 3] = ["mx1.example.org", "mx2.example.org", "other.example"];

fn observation(choices: &mut Choices<'_>) -> Value {
    let mail = mail(choices);
    let hosts: Vec<&str> =
        mail["hosts"].as_array().into_iter().flatten().filter_map(|host| host["host"].as_str()).collect();
    let mut tlsa = BTreeMap::new();
    for name in hosts.iter().copied().chain(["alias.example.org"]) {
        tlsa.insert(format!("_25._tcp.{name}"), heard(choices, tlsa_record));
    }
    let entries = |(name, heard)| json!({ "question": { "name": name, "kind": "TLSA" }, "heard": heard });
    let tlsa: Vec<Value> = tlsa.into_iter().map(entries).collect();
    let count = hosts.len() * (1 + choices.below(3)) - choices.below(2).min(hosts.len());
    let visits: Vec<Value> = (0..count).map(|at| visit(choices, hosts[at % hosts.len()])).collect();
    let visits = if choices.seldom() { Value::Null } else { json!(visits) };
    let untried = choices.of(&[0, 0, 0, 9]);
    let hosts = json!({ "mail": mail, "tlsa": tlsa, "visits": visits, "untried": untried });
    let hosts = if choices.below(16) == 1 { Value::Null } else { hosts };
    let cut_short = if choices.below(16) == 1 { failure(choices) } else { Value::Null };
    json!({ "answers": answers(choices), "hosts": hosts, "policies": [policy(choices)], "cut_short": cut_short })
}

fn mail(choices: &mut Choices<'_>) -> Value {
    let route = match choices.below(16) {
        1 => json!("null"),
        2 => json!("implicit"),
        3 => json!("nowhere"),
        4 => json!("no_domain"),
        5 => json!({ "unanswered": trouble(choices) }),
        _ => json!("listed"),
    };
    let count = choices.of(&[2, 1, 3, 0]);
    let hosts: Vec<Value> = HOSTS[..count]
        .iter()
        .map(|host| json!({ "preference": 10, "host": host, "target": target(choices) }))
        .collect();
    json!({
        "route": route,
        "records": [],
        "left_out": choices.of(&[0, 0, 0, 7]),
        "hosts": hosts,
        "aliases": [],
        "authoritative": false,
        "authenticated": !choices.seldom(),
        "server": server(choices),
        "time": null,
    })
}

fn server(choices: &mut Choices<'_>) -> Value {
    json!(choices.of(&[Some("127.0.0.1:53"), Some("127.0.0.1:53"), Some("192.0.2.53:53"), None]))
}

fn target(choices: &mut Choices<'_>) -> Value {
    match choices.below(16) {
        1 => json!("root"),
        2 => json!({ "literal": "192.0.2.1" }),
        3 => json!("unspeakable"),
        4 => json!("left_out"),
        _ => {
            json!({ "name": { "ipv4": lookup(choices, "192.0.2.1"), "ipv6": lookup(choices, "2001:db8::1") } })
        }
    }
}

fn lookup(choices: &mut Choices<'_>, address: &str) -> Value {
    let (addresses, without) = match choices.below(6) {
        1 => (json!([]), json!("NoData")),
        2 => (json!([]), trouble(choices)),
        _ => (json!([address]), Value::Null),
    };
    json!({
        "addresses": addresses,
        "left_out": choices.of(&[0, 0, 0, 1]),
        "ttl": null,
        "aliases": choices.of(&[&[][..], &[], &["alias.example.org"]]),
        "authoritative": false,
        "authenticated": !choices.seldom(),
        "server": server(choices),
        "without": without,
    })
}

/// An answer with one or two records, or what came instead.
fn heard(choices: &mut Choices<'_>, record: fn(&mut Choices<'_>) -> Value) -> Value {
    let outcome = match choices.below(8) {
        1 => json!("NoData"),
        2 => json!("NxDomain"),
        3 => trouble(choices),
        4 => json!({ "Records": [record(choices), record(choices)] }),
        _ => json!({ "Records": [record(choices)] }),
    };
    json!({
        "outcome": outcome,
        "aliases": [],
        "authenticated": !choices.seldom(),
        "server": server(choices),
        "left_out": choices.of(&[0, 0, 0, 5]),
    })
}

fn trouble(choices: &mut Choices<'_>) -> Value {
    match choices.below(6) {
        0 => json!("ServFail"),
        1 => json!("Timeout"),
        2 => json!("Refused"),
        3 => json!("NotAsked"),
        4 => json!({ "Malformed": "a | b\n" }),
        _ => json!({ "Unreachable": "no route" }),
    }
}

fn tlsa(choices: &mut Choices<'_>) -> Value {
    let data = choices.of(&[&[7; 32][..], &[8; 64], &[]]);
    json!({
        "usage": choices.of(&[3, 2, 1, 255]),
        "selector": choices.of(&[1, 0, 9]),
        "matching": choices.of(&[1, 2, 0, 9]),
        "data": data,
    })
}

fn tlsa_record(choices: &mut Choices<'_>) -> Value {
    json!({ "name": "", "ttl": 300, "data": { "Tlsa": tlsa(choices) } })
}

fn failure(choices: &mut Choices<'_>) -> Value {
    json!({
        "trouble": choices.of(&["Unreachable", "Timeout", "Tls", "Protocol", "Temporary"]),
        "phase": choices.of(&["NegotiatingTls", "Connecting", "Receiving"]),
        "text": "no\u{1b}[0m",
        "hint": null,
    })
}

fn visit(choices: &mut Choices<'_>, host: &str) -> Value {
    let said = json!({ "code": choices.of(&[554, 454, 421]), "words": "no | way\n", "masked": false, "line_end": "CrLf" });
    let stop = match choices.below(16) {
        1 => json!({ "Failed": failure(choices) }),
        2 => json!({ "Refused": [choices.of(&["Starttls", "Banner", "Ehlo"]), said] }),
        3 => json!("StarttlsNotOffered"),
        4 => json!({ "Injected": "250 x" }),
        5 => json!("Untrusted"),
        _ => Value::Null,
    };
    let mut opening = serde_json::to_value(Opening::default()).expect("plain data");
    opening["tls"] = if choices.below(16) == 1 { Value::Null } else { tls(choices) };
    let matches: Vec<Value> = (0..choices.of(&[1, 2, 0]))
        .map(|_| {
            let verdict = match choices.below(4) {
                1 => json!("no"),
                2 => json!({ "untrusted": "it is | old" }),
                _ => json!("yes"),
            };
            json!([tlsa(choices), verdict])
        })
        .collect();
    let served = choices.of(&[Some("0707"), None]);
    json!({ "host": host, "address": "192.0.2.1:25", "opening": opening, "stop": stop, "matches": matches, "served": served })
}

fn tls(choices: &mut Choices<'_>) -> Value {
    let problem = |choices: &mut Choices<'_>| if choices.below(8) == 1 { Some("it is\nbad") } else { None };
    json!({
        "version": "TLSv1.3",
        "suite": "x",
        "server_name": "x",
        "chain": [],
        "judged": choices.below(8) != 1,
        "chain_problem": problem(choices),
        "name_problem": problem(choices),
        "not_after": null,
        "not_before": null,
        "dates_valid": choices.below(8) != 1,
    })
}

/// What is known of the record that announces a policy, and of the host that has it.
fn answers(choices: &mut Choices<'_>) -> Value {
    let text = |choices: &mut Choices<'_>| {
        let text = choices.of(&["v=STSv1; id=1", "v=STSv1;", "v=spf1 -all", "v=STSv1; id=?"]);
        json!({ "name": "", "ttl": 300, "data": { "Txt": text } })
    };
    let record = heard(choices, text);
    let spf = |_: &mut Choices<'_>| json!({ "name": "", "ttl": 300, "data": { "Txt": "v=spf1 -all" } });
    let spf = heard(choices, spf);
    let question = |name: &str| json!({ "name": name, "kind": "TXT" });
    json!([
        { "question": question("_mta-sts.example.org"), "heard": record },
        { "question": question("example.org"), "heard": spf },
    ])
}

fn policy(choices: &mut Choices<'_>) -> Value {
    let body = choices.of(&[
        "version: STSv1\nmode: enforce\nmax_age: 604800\nmx: *.example.org\nmx: other.example\n",
        "version: STSv1\nmode: enforce\nmax_age: 604800\nmx: mx1.example.org\n",
        "version: STSv1\nmode: testing\nmax_age: 604800\nmx: *.example.org\nmx: other.example\n",
        "version: STSv1\nmode: none\nmax_age: 604800\n",
        "<html>",
    ]);
    let response = json!({
        "status": choices.of(&[200, 200, 404, 301]),
        "reason": "OK",
        "media_type": choices.of(&[Some("text/plain"), Some("text/plain"), Some("text/html"), None]),
        "location": choices.of(&[None, None, Some("https://x.example/")]),
        "body": body.as_bytes(),
    });
    let is_there = choices.below(8) != 1;
    let fetched = json!({
        "address": "192.0.2.80:443",
        "is_connected": true,
        "tls": if choices.below(8) == 1 { Value::Null } else { tls(choices) },
        "response": if choices.below(8) == 1 { Value::Null } else { response },
        "error": if choices.below(8) == 1 { failure(choices) } else { Value::Null },
    });
    if is_there { fetched } else { Value::Null }
}

fn check(report: &Report, words: &[&str], seen: &Value) {
    let (state, wants) = (report.state(), |word| words.contains(&word));
    let view = View { seen, trusts: wants("--trust-ad"), connects: !wants("--no-connect") };
    assert!(seen["cut_short"].is_null() || state >= State::Unknown, "the time was over");
    if wants("--dane") {
        assert!(!view.has_open_question() || state >= State::Unknown, "nobody answered");
        let promised = view.is_null() || view.keeps_every_promise();
        assert!(state != State::Ok || promised, "no promise, or a broken one");
        if words == ["--dane"] && seen["cut_short"].is_null() {
            assert_eq!(state == State::Ok, promised, "{:#?}", report.findings());
        }
    }
    if wants("--mta-sts") {
        assert!(state != State::Ok || view.is_verified(), "not verified");
    }
    for metric in report.metrics() {
        assert!(metric.value.is_none_or(|value| value >= 0.0), "{metric:?}");
    }
    assert!(report.findings().iter().all(|finding| !finding.text.is_empty() && finding.text.len() < 4096));
    assert!(!report.findings().is_empty(), "a verdict");
}

/// The observation, read without the plugin's help.
struct View<'a> {
    seen: &'a Value,
    trusts: bool,
    connects: bool,
}

impl<'a> View<'a> {
    fn list(value: &Value) -> &[Value] {
        value.as_array().map_or(&[], Vec::as_slice)
    }

    fn mail(&self) -> &'a Value {
        &self.seen["hosts"]["mail"]
    }

    fn hosts(&self) -> &'a [Value] {
        Self::list(&self.mail()["hosts"])
    }

    fn visits(&self) -> &'a [Value] {
        Self::list(&self.seen["hosts"]["visits"])
    }

    fn goes_somewhere(&self) -> bool {
        matches!(self.mail()["route"].as_str(), Some("listed" | "implicit"))
    }

    /// The domain takes no mail.
    fn is_null(&self) -> bool {
        self.mail()["route"] == "null"
    }

    fn lookups(host: &Value) -> Vec<&Value> {
        ["ipv4", "ipv6"].iter().filter_map(|family| host["target"]["name"].get(family)).collect()
    }

    fn is_open(outcome: &Value) -> bool {
        !(outcome.is_null()
            || outcome == "NoData"
            || outcome == "NxDomain"
            || outcome.get("Records").is_some())
    }

    /// The answer that counts for a host: the first one, from the end of its aliases on, that is more than a no.
    fn tlsa(&self, host: &Value) -> Option<&'a Value> {
        let lookups = Self::lookups(host);
        let alias = lookups.iter().find_map(|lookup| Self::list(&lookup["aliases"]).last());
        let names = alias.into_iter().chain([&host["host"]]).filter_map(Value::as_str);
        let all = Self::list(&self.seen["hosts"]["tlsa"]);
        let of = |name: &str| all.iter().find(|one| one["question"]["name"] == format!("_25._tcp.{name}"));
        let mut heard = names.filter(|_| !lookups.is_empty()).filter_map(of).map(|one| &one["heard"]);
        heard.find(|heard| heard["outcome"] != "NoData" && heard["outcome"] != "NxDomain")
    }

    fn has_open_question(&self) -> bool {
        if self.seen["hosts"].is_null() || self.mail()["route"].get("unanswered").is_some() {
            return true;
        }
        let is_open = |host: &Value| {
            Self::lookups(host).iter().any(|lookup| Self::is_open(&lookup["without"]))
                || self.tlsa(host).is_some_and(|heard| Self::is_open(&heard["outcome"]))
        };
        self.goes_somewhere() && self.hosts().iter().any(is_open)
    }

    fn is_believed(&self, heard: &Value) -> bool {
        let is_here = heard["server"].as_str().is_some_and(|server| server.starts_with("127."));
        heard["authenticated"] == true && (self.trusts || is_here)
    }

    /// Whether a host has an address and a record that a sender uses, and whoever says so can be believed.
    fn is_promised(&self, host: &Value) -> bool {
        let lookups = Self::lookups(host);
        let with_address: Vec<_> =
            lookups.iter().filter(|lookup| lookup["addresses"] != json!([])).copied().collect();
        let is_usable = |record: &Value| {
            let tlsa = &record["data"]["Tlsa"];
            let length = Self::list(&tlsa["data"]).len();
            let fits = match tlsa["matching"].as_u64() {
                Some(0) => length > 0,
                Some(1) => length == 32,
                Some(2) => length == 64,
                _ => false,
            };
            fits && matches!(tlsa["usage"].as_u64(), Some(2 | 3))
                && matches!(tlsa["selector"].as_u64(), Some(0 | 1))
        };
        let is_promise = |heard: &Value| {
            let usable = Self::list(&heard["outcome"]["Records"]).iter().any(is_usable);
            self.is_believed(heard) && heard["left_out"] == 0 && usable
        };
        !with_address.is_empty()
            && with_address.iter().all(|lookup| self.is_believed(lookup))
            && lookups.iter().all(|lookup| lookup["left_out"] == 0 && !Self::is_open(&lookup["without"]))
            && self.tlsa(host).is_some_and(is_promise)
    }

    fn keeps_every_promise(&self) -> bool {
        let (mail, hosts) = (self.mail(), self.hosts());
        let is_whole = mail["left_out"] == 0 && self.seen["hosts"]["untried"] == 0;
        let keeps = |visit: &Value| {
            let matches = Self::list(&visit["matches"]);
            visit["stop"].is_null()
                && !visit["opening"]["tls"].is_null()
                && matches.iter().any(|one| one[1] == "yes")
        };
        let visits = self.visits();
        let is_visited = |host: &Value| visits.iter().any(|visit| visit["host"] == host["host"]);
        self.goes_somewhere()
            && is_whole
            && self.is_believed(mail)
            && !hosts.is_empty()
            && hosts.iter().all(|host| self.is_promised(host))
            && (!self.connects || hosts.iter().all(is_visited) && visits.iter().all(keeps))
    }

    fn is_trusted(tls: &Value) -> bool {
        tls["judged"] == true
            && tls["dates_valid"] == true
            && tls["chain_problem"].is_null()
            && tls["name_problem"].is_null()
    }

    /// Whether there is a policy from a host that verifies, and every exchanger does, or need not.
    fn is_verified(&self) -> bool {
        let fetched = &self.seen["policies"][0];
        let body: Vec<u8> = Self::list(&fetched["response"]["body"])
            .iter()
            .filter_map(|byte| byte.as_u64()?.try_into().ok())
            .collect();
        let is_none = String::from_utf8_lossy(&body).contains("mode: none");
        let verifies = |visit: &Value| visit["stop"].is_null() && Self::is_trusted(&visit["opening"]["tls"]);
        let arrives = !self.connects || self.visits().iter().all(verifies) && !self.visits().is_empty();
        fetched["response"]["status"] == 200
            && fetched["error"].is_null()
            && Self::is_trusted(&fetched["tls"])
            && body.starts_with(b"version")
            && !self.seen["hosts"].is_null()
            && (is_none || self.is_null() || self.goes_somewhere() && arrives)
    }
}
