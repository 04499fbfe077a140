//! Turns a report into the bytes an engine reads.

use serde_json::{Map, Value, json};

use super::clean::{clean, truncate};
use super::finding::{Finding, Report};
use super::perfdata::{Perfdata, distinct_labels};
use super::state::State;

/// The forms of `--output`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Nagios and Icinga: first line with perfdata, then long output.
    #[default]
    Text,
    /// One object with everything, the observation included.
    Json,
    /// One flat line for dependent items.
    Zabbix,
    /// The text exposition format.
    Prometheus,
}

/// A report with what else the output needs.
#[derive(Clone, Debug)]
pub struct Document<'a> {
    /// Program name, `check_smtp_auth`.
    pub plugin: &'a str,
    /// What was checked, for the prometheus label.
    pub target: &'a str,
    /// The state after `--map-state`.
    pub state: State,
    /// The findings and values.
    pub report: &'a Report,
    /// What the probe saw, for json.
    pub observation: Option<Value>,
    /// Number of `-v`.
    pub verbosity: u8,
    /// Size the text is cut to, in bytes.
    pub max_output: usize,
}

/// Other findings join the first line as long as it stays within this many bytes.
const SUMMARY_ROOM: usize = 240;
const CUT_MARK: &str = "[truncated]\n";

/// Renders a document, ending in a line feed.
#[must_use]
pub fn render(document: &Document<'_>, format: Format) -> String {
    match format {
        Format::Text => document.text(),
        Format::Json => document.json(),
        Format::Zabbix => document.zabbix(),
        Format::Prometheus => document.prometheus(),
    }
}

impl Document<'_> {
    /// `SMTP_AUTH` for `check_smtp_auth`.
    fn label(&self) -> String {
        self.short_name().to_uppercase()
    }

    fn short_name(&self) -> &str {
        self.plugin.strip_prefix("check_").unwrap_or(self.plugin)
    }

    /// The sentence of the first line and the findings it leaves for the long output.
    fn summary(&self) -> (String, Vec<&Finding>) {
        let mut findings = self.report.findings().into_iter();
        let Some(first) = findings.next() else {
            return ("nothing was checked".to_owned(), Vec::new());
        };
        let mut summary = sentence(&first.text);
        let mut rest = Vec::new();
        let mut left_out = 0usize;
        for finding in findings {
            let text = sentence(&finding.text);
            if finding.state == State::Ok {
                rest.push(finding);
            } else if rest.is_empty() && summary.len() + text.len() <= SUMMARY_ROOM {
                summary.push_str("; ");
                summary.push_str(&text);
            } else {
                left_out += 1;
                rest.push(finding);
            }
        }
        if left_out > 0 {
            summary.push_str(&format!(" (+{left_out} more)"));
        }
        (summary, rest)
    }

    fn text(&self) -> String {
        let (summary, rest) = self.summary();
        let mut out = format!("{} {}: {summary}", self.label(), self.state);
        let metrics = self.report.metrics();
        let labels = distinct_labels(metrics.iter().map(|metric| metric.label.as_str()));
        for (index, (metric, label)) in metrics.iter().zip(&labels).enumerate() {
            out.push_str(if index == 0 { " | " } else { " " });
            out.push_str(&metric.render(label));
        }
        out.push('\n');

        let mut long = String::new();
        let mut line = |text: &str| {
            let text = clean(text);
            // A blank line says nothing, and at the end it would look like a second result.
            if !text.trim().is_empty() {
                long.push_str(text.trim_end());
                long.push('\n');
            }
        };
        for finding in rest {
            match finding.state {
                State::Ok => line(&format!("note: {}", finding.text)),
                state => line(&format!("{state}: {}", finding.text)),
            }
        }
        let mut hints: Vec<&str> = Vec::new();
        for hint in self.report.findings().into_iter().filter_map(|finding| finding.hint.as_deref()) {
            // Several objects may need the same remedy.
            if !hints.contains(&hint) {
                line(&format!("hint: {hint}"));
                hints.push(hint);
            }
        }
        for text in self.report.context_lines(self.verbosity) {
            line(text);
        }
        out.push_str(&cut(&long, self.max_output.saturating_sub(out.len())));
        out
    }

    fn json(&self) -> String {
        let findings: Vec<Value> = self
            .report
            .findings()
            .into_iter()
            .map(|finding| {
                let mut entry = Map::new();
                entry.insert("id".into(), json!(finding.id));
                entry.insert("state".into(), json!(finding.state.exit_code()));
                entry.insert("text".into(), json!(clean(&finding.text)));
                if let Some(hint) = &finding.hint {
                    entry.insert("hint".into(), json!(clean(hint)));
                }
                Value::Object(entry)
            })
            .collect();
        let perfdata: Vec<Value> =
            self.named_metrics().map(|(label, metric)| metric_json(&label, metric)).collect();
        let document = json!({
            "version": 1,
            "plugin": self.plugin,
            "state": self.state.exit_code(),
            "status": self.state.name(),
            "summary": self.summary().0,
            "findings": findings,
            "perfdata": perfdata,
            "data": self.observation,
        });
        format!("{document}\n")
    }

    fn zabbix(&self) -> String {
        let metrics: Map<String, Value> = self
            .named_metrics()
            .filter_map(|(label, metric)| Some((label, json_number(metric.value?)?)))
            .collect();
        let document = json!({
            "state": self.state.exit_code(),
            "status": self.state.name(),
            "summary": self.summary().0,
            "metrics": metrics,
        });
        format!("{document}\n")
    }

    fn prometheus(&self) -> String {
        let target = prometheus_value(self.target);
        let plugin = self.short_name();
        let mut out = format!(
            "# TYPE vedette_state gauge\nvedette_state{{plugin=\"{plugin}\",target=\"{target}\"}} {}\n",
            self.state.exit_code()
        );
        // Labels that differ only in characters a series name cannot hold stay distinct too.
        let names: Vec<String> = self.named_metrics().map(|(label, _)| prometheus_name(&label)).collect();
        let names = distinct_labels(names.iter().map(String::as_str));
        for (name, metric) in names.iter().zip(self.report.metrics()) {
            let Some(value) = metric.value else { continue };
            let name = format!("vedette_{plugin}_{name}");
            out.push_str(&format!(
                "# TYPE {name} gauge\n{name}{{target=\"{target}\"}} {}\n",
                super::format_number(value)
            ));
        }
        out
    }

    fn named_metrics(&self) -> impl Iterator<Item = (String, &Perfdata)> {
        let metrics = self.report.metrics();
        distinct_labels(metrics.iter().map(|metric| metric.label.as_str())).into_iter().zip(metrics)
    }
}

/// Foreign text as one sentence of the first line, never empty.
fn sentence(text: &str) -> String {
    match clean(text).trim() {
        "" => "no details".to_owned(),
        text => text.to_owned(),
    }
}

fn metric_json(label: &str, metric: &Perfdata) -> Value {
    let [warning, critical] = metric.ranges();
    json!({
        "label": label,
        "value": metric.value.and_then(json_number),
        "uom": metric.uom.suffix(),
        "warn": warning,
        "crit": critical,
        "min": metric.min.and_then(json_number),
        "max": metric.max.and_then(json_number),
    })
}

/// A number as perfdata prints it, so that the formats agree to the digit.
fn json_number(value: f64) -> Option<Value> {
    let text = super::format_number(value);
    let number = match text.parse::<i64>() {
        Ok(whole) => serde_json::Number::from(whole),
        Err(_) => serde_json::Number::from_f64(text.parse().ok()?)?,
    };
    Some(Value::Number(number))
}

fn prometheus_name(label: &str) -> String {
    label.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect()
}

fn prometheus_value(text: &str) -> String {
    clean(text).replace('\\', "\\\\").replace('"', "\\\"")
}

/// Cuts the long output to the room left, the mark included.
fn cut(long: &str, room: usize) -> String {
    if long.len() <= room {
        return long.to_owned();
    }
    // A cut inside a line may leave blanks, and a line of blanks looks like an empty result.
    let kept = truncate(long, room.saturating_sub(CUT_MARK.len() + 1)).trim_end();
    let line_feed = if kept.is_empty() { "" } else { "\n" };
    format!("{kept}{line_feed}{CUT_MARK}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Metric, Thresholds};
    use proptest::prelude::*;

    const TIME: Metric = Metric::seconds("time", "whole run");

    fn document(report: &Report, max_output: usize) -> Document<'_> {
        Document {
            plugin: "check_demo",
            target: "host \"a\"",
            state: report.state(),
            report,
            observation: Some(json!({"seen": 1})),
            verbosity: 1,
            max_output,
        }
    }

    fn sample() -> Report {
        let mut report = Report::new();
        report.find("note", State::Ok, "reached over IPv6");
        report.find("cert", State::Warning, "certificate expires in 5 days");
        report
            .add(Finding::new("auth", State::Critical, "login rejected: \"535 a|b\"").with_hint("check it"));
        report.measure(&TIME, Some(0.25), Thresholds { warning: Some(Range("0:10")), critical: None });
        report.context(1, "one");
        report.context(2, "two");
        report
    }

    #[expect(non_snake_case, reason = "reads like the type it makes")]
    fn Range(text: &str) -> crate::report::Range {
        text.parse().unwrap()
    }

    #[test]
    fn text_has_deciding_fact_first() {
        let report = sample();
        assert_eq!(
            render(&document(&report, 8192), Format::Text),
            "DEMO CRITICAL: login rejected: \"535 a/b\"; certificate expires in 5 days | time=0.25s;10;;0\n\
             note: reached over IPv6\nhint: check it\none\n"
        );
    }

    #[test]
    fn the_same_advice_is_given_once() {
        let mut report = Report::new();
        for text in ["a is down", "b is down"] {
            report.add(Finding::new("down", State::Critical, text).with_hint("look at them"));
        }
        let text = render(&document(&report, 8192), Format::Text);
        assert_eq!(text, "DEMO CRITICAL: a is down; b is down\nhint: look at them\n");
    }

    #[test]
    fn unknown_nothing_checked() {
        let report = Report::new();
        assert_eq!(render(&document(&report, 8192), Format::Text), "DEMO UNKNOWN: nothing was checked\n");
    }

    #[test]
    fn blank_texts_leave_no_gaps() {
        let mut report = Report::new();
        report.find("a", State::Warning, "\n");
        report.find("b", State::Warning, " two ");
        report.context(0, "\r\n");
        report.context(0, "three ");
        assert_eq!(render(&document(&report, 8192), Format::Text), "DEMO WARNING: no details; two\nthree\n");
    }

    #[test]
    fn many_findings_leave_the_first_line_readable() {
        let mut report = Report::new();
        for number in 0..40 {
            report.find("x", State::Critical, format!("finding number {number:02} of a long list"));
        }
        let text = render(&document(&report, 8192), Format::Text);
        let mut lines = text.lines();
        let first = lines.next().unwrap();
        assert!(first.len() < 300, "{first}");
        let shown = first.matches("finding number").count();
        assert!(first.ends_with(&format!("(+{} more)", 40 - shown)), "{first}");
        assert_eq!(lines.filter(|line| line.starts_with("CRITICAL: ")).count(), 40 - shown);
    }

    #[test]
    fn long_output_is_cut_and_says_so() {
        let mut report = sample();
        for _ in 0..500 {
            report.context(1, "ä".repeat(50));
        }
        let text = render(&document(&report, 1000), Format::Text);
        assert!(text.len() <= 1000);
        assert!(text.ends_with("\n[truncated]\n"));
        let tiny = render(&document(&report, 10), Format::Text);
        assert!(tiny.starts_with("DEMO CRITICAL") && tiny.contains("time=0.25s"), "first line is never cut");
    }

    #[test]
    fn json_numbers_are_numbers_and_unknown_is_null() {
        let mut report = sample();
        report.record(&Metric::count("mechs", "mechanisms"), None);
        let value: Value = serde_json::from_str(&render(&document(&report, 8192), Format::Json)).unwrap();
        assert_eq!(value["state"], 2);
        assert_eq!(value["status"], "CRITICAL");
        assert_eq!(value["perfdata"][0]["value"], 0.25);
        assert_eq!(value["perfdata"][0]["warn"], "10");
        assert_eq!(value["perfdata"][1]["value"], Value::Null);
        assert_eq!(value["findings"][0]["hint"], "check it");
        assert_eq!(value["data"]["seen"], 1);
    }

    #[test]
    fn zabbix_is_one_line_without_unknown_values() {
        let mut report = sample();
        report.record(&Metric::count("mechs", "mechanisms"), None);
        let text = render(&document(&report, 8192), Format::Zabbix);
        assert_eq!(text.lines().count(), 1);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["metrics"], json!({"time": 0.25}));
    }

    #[test]
    fn prometheus_escapes_its_labels() {
        let text = render(&document(&sample(), 8192), Format::Prometheus);
        assert!(text.contains("vedette_state{plugin=\"demo\",target=\"host \\\"a\\\"\"} 2\n"), "{text}");
        assert!(text.contains("\nvedette_demo_time{target=\"host \\\"a\\\"\"} 0.25\n"), "{text}");
    }

    #[test]
    fn prometheus_series_are_distinct() {
        let mut report = sample();
        for label in ["a b", "a.b"] {
            let perfdata = Perfdata::new(&TIME, Some(1.0), Thresholds::default());
            report.push(Perfdata { label: label.into(), ..perfdata });
        }
        let text = render(&document(&report, 8192), Format::Prometheus);
        assert!(text.contains("\nvedette_demo_a_b{") && text.contains("\nvedette_demo_a_b_2{"), "{text}");
    }

    proptest! {
        #[test]
        fn no_foreign_text_adds_a_line_or_perfdata(text in any::<String>(), label in any::<String>()) {
            let mut report = Report::new();
            report.add(Finding::new("a", State::Critical, text.clone()).with_hint(text.clone()));
            report.find("b", State::Warning, text.clone());
            report.find("c", State::Ok, text.clone());
            report.context(1, text);
            report.record(&TIME, Some(1.0));
            let mut metric = Perfdata::new(&TIME, Some(2.0), Thresholds::default());
            metric.label = label;
            report.push(metric);
            let out = render(&document(&report, 1 << 20), Format::Text);
            prop_assert_eq!(out.matches('|').count(), 1);
            prop_assert!(out.lines().count() <= 5);
            prop_assert!(out.ends_with('\n'));
            for line in out.lines() {
                prop_assert!(line.chars().all(|c| !c.is_control()), "{:?}", line);
            }
        }
    }
}
