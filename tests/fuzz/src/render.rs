//! Foreign text in a report: in no format does it add a line, perfdata or a field.
//!
//! Input: two bytes that choose sizes, then up to eight texts between bytes 0xff.

use common::report::{Document, Finding, Format, Metric, Perfdata, Report, State, Thresholds, quote, render};
use serde_json::{Value, json};

const TIME: Metric = Metric::seconds("time", "whole run");
const TINY: usize = 64;
const TEXTS: usize = 8;

/// The target.
pub fn run(data: &[u8]) {
    let [choice, cut, rest @ ..] = data else { return };
    let texts: Vec<String> = rest
        .splitn(TEXTS, |byte| *byte == 0xff)
        .map(|text| String::from_utf8_lossy(text).into_owned())
        .collect();
    let report = report(&texts);
    let document = |max_output| Document {
        plugin: "check_x",
        target: texts.first().map_or("", String::as_str),
        state: report.state(),
        report: &report,
        observation: Some(json!({ "seen": texts.last() })),
        verbosity: choice % 4,
        max_output,
    };
    text(&render(&document(1 << 20), Format::Text), texts.len());
    let limit = TINY + usize::from(*cut);
    let short = render(&document(limit), Format::Text);
    text(&short, texts.len());
    let first = short.find('\n').expect("a line");
    assert!(short.len() <= limit.max(first + 1 + "[truncated]\n".len()), "cut to {limit}");

    let full = document(1 << 20);
    let parsed = one_line(&render(&full, Format::Json));
    assert_eq!(parsed["state"], report.state().exit_code());
    assert_eq!(parsed["perfdata"].as_array().map(Vec::len), Some(report.metrics().len()));
    assert_eq!(parsed["findings"].as_array().map(Vec::len), Some(report.findings().len()));
    let flat = one_line(&render(&full, Format::Zabbix));
    assert_eq!(flat["metrics"].as_object().map(serde_json::Map::len), Some(report.metrics().len()));
    prometheus(&render(&full, Format::Prometheus), report.metrics().len());
    for text in &texts {
        let quoted = quote(text);
        assert!(quoted.starts_with('"') && quoted.ends_with('"') && quoted.chars().count() <= 133);
    }
}

/// Every text in every place that takes one.
fn report(texts: &[String]) -> Report {
    let mut report = Report::new();
    report.record(&TIME, Some(1.0));
    for (index, text) in texts.iter().enumerate() {
        let state = State::ALL[index % State::ALL.len()];
        report.add(Finding::new("x", state, text.clone()).with_hint(text.clone()));
        report.context(u8::try_from(index % 4).unwrap_or_default(), text.clone());
        let perfdata = Perfdata::new(&TIME, Some(2.0), Thresholds::default());
        report.push(Perfdata { label: text.clone(), ..perfdata });
    }
    report
}

fn text(out: &str, texts: usize) {
    assert!(out.ends_with('\n') && !out.ends_with("\n\n"));
    assert_eq!(out.matches('|').count(), 1, "{out:?}");
    let mut lines = out.lines();
    let (summary, perfdata) = lines.next().and_then(|line| line.split_once(" | ")).expect("perfdata");
    assert!(summary.starts_with("X ") && summary.contains(": "), "{summary:?}");
    assert!(perfdata.starts_with("time=1s;;;0"), "{perfdata:?}");
    assert_eq!(perfdata.matches('=').count(), texts + 1, "{perfdata:?}");
    assert_eq!(perfdata.matches('\'').count() % 2, 0, "{perfdata:?}");
    // A finding, a hint and a line of context each, and the mark.
    assert!(lines.count() <= texts * 3 + 1, "{out:?}");
    for line in out.lines() {
        assert!(!line.trim().is_empty(), "{out:?}");
        assert!(line.chars().all(|c| !c.is_control()), "{line:?}");
        assert!(!line.contains(['\u{2028}', '\u{2029}', '\u{202e}', '\u{2066}']), "{line:?}");
    }
}

fn one_line(out: &str) -> Value {
    let line = out.strip_suffix('\n').expect("a line");
    assert!(!line.contains('\n'));
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

fn prometheus(out: &str, metrics: usize) {
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 2 * (metrics + 1), "{out}");
    let mut names: Vec<&str> = Vec::new();
    for pair in lines.chunks(2) {
        let name =
            pair[0].strip_prefix("# TYPE ").and_then(|rest| rest.strip_suffix(" gauge")).expect("a type");
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{name:?}");
        assert!(pair[1].starts_with(&format!("{name}{{")), "{:?}", pair[1]);
        let value = pair[1].rsplit_once("\"} ").expect("labels and value").1;
        assert!(value.parse::<f64>().is_ok(), "{value:?}");
        assert!(!names.contains(&name), "{name} twice");
        names.push(name);
    }
}
