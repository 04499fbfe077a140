//! The page of `--html`: the document for people, who read it on a screen, on a phone or printed.
//!
//! One file without script that loads nothing. Every colour stands beside a word that says the same.

mod certificates;
mod port;
#[cfg(test)]
mod tests;
mod words;
mod writer;

use std::collections::BTreeSet;

use common::plugin::{Ended, finding_of};
use common::report::{Finding as Judged, Report, State};

use super::{Document, document};
use crate::CheckWeakCiphers;
use crate::judge::judge_port;
use crate::policy::{Class, FindingKind, Policy};
use crate::seen::Seen;
use common::proto::names::Host;
use words::{LEGEND, class_words, state_badge, title};
use writer::Html;

/// What the whole page is about.
struct Subject<'a> {
    options: &'a CheckWeakCiphers,
    policy: Policy,
    document: Document,
    /// How each port alone is judged.
    reports: Vec<Report>,
    /// When, Unix time.
    now: i64,
}

/// Renders a run that has ended, whatever it saw.
pub(crate) fn page(options: &CheckWeakCiphers, ended: &Ended<'_, Seen>) -> String {
    let nothing = Seen { ports: Vec::new(), auto: None, fleet: Vec::new() };
    let seen = ended.seen.unwrap_or(&nothing);
    let reports: Vec<Report> = seen
        .ports
        .iter()
        .map(|port| {
            let mut report = Report::new();
            judge_port(options, port, ended.run, &mut report);
            report
        })
        .collect();
    let now = ended.run.taken_at;
    let document = document(options, seen, now);
    let subject = Subject { options, policy: options.policy_at(now), document, reports, now };

    let kind = if subject.document.inventory { "TLS inventory" } else { "TLS verdict" };
    let host = options.aim();
    let mut html = Html::new(&format!("{kind} of {}: {}", subject.document.target, ended.state), STYLE);
    html.element("header", &[], |html| {
        html.leaf("p", &[("class", "kind")], kind);
        html.element("h1", &[], |html| html.breakable(&host));
        verdict(html, &subject, ended);
    });
    html.element("main", &[], |html| {
        html.element("section", &[("class", "facts")], |html| facts(html, &subject));
        if subject.document.ports.len() > 1 {
            html.element("section", &[], |html| port::overview(html, &subject));
        }
        for at in 0..subject.document.ports.len() {
            port::section(html, &subject, at);
        }
    });
    html.element("footer", &[], |html| legend(html, &subject));
    html.finish()
}

const STYLE: &str = include_str!("page/style.css");

impl Subject<'_> {
    /// The worst of a port. A gap is among its findings.
    fn state_of(&self, at: usize) -> State {
        self.reports.get(at).map_or(State::Unknown, Report::state)
    }

    /// What was found of a class, on any port.
    fn kinds(&self, class: Class) -> BTreeSet<FindingKind> {
        let findings = self.document.ports.iter().flat_map(|port| &port.findings);
        let of_class = findings.filter(|finding| finding.class == class.name());
        let mut kinds = BTreeSet::new();
        kinds.extend(of_class.filter_map(|finding| FindingKind::from_name(finding.id)));
        kinds
    }
}

/// State and reason as the monitoring system shows them, and how much there is of what.
fn verdict(html: &mut Html, subject: &Subject<'_>, ended: &Ended<'_, Seen>) {
    let class = format!("verdict {}", state_badge(ended.state));
    html.element("div", &[("class", &class)], |html| {
        html.leaf("strong", &[], ended.state.name());
        // The classes below name what the policy says.
        let first = ended.report.findings().into_iter().take(1);
        for finding in first.filter(|one| FindingKind::from_name(&one.id).is_none()) {
            html.element("p", &[], |html| html.breakable(&finding.text));
        }
        let others = ended.report.findings().into_iter().skip(1).filter(|one| one.state > State::Ok);
        for finding in others.filter(|one| !is_of_port(subject, one)) {
            html.leaf("p", &[], &format!("{}: {}", finding.state, finding.text));
        }
        counts(html, subject);
        if let Err(error) = ended.seen
            && let Some(hint) = finding_of(error, &ended.run.states).hint
        {
            html.leaf("p", &[], &hint);
        }
    });
}

/// Findings by class, worst first, each once.
fn counts(html: &mut Html, subject: &Subject<'_>) {
    let is_shown = |class: &Class| match class {
        Class::Note => false,
        Class::Change => subject.options.scan.baseline.is_some(),
        Class::Policy => !subject.kinds(Class::Policy).is_empty(),
        Class::Weak | Class::Broken => subject.document.ports.iter().any(|port| port.error.is_none()),
    };
    html.element("ul", &[("class", "counts")], |html| {
        for class in Class::ALL.into_iter().rev().filter(is_shown) {
            let kinds = subject.kinds(class);
            html.element("li", &[], |html| {
                let (word, _) = class_words(Some(class));
                html.leaf("b", &[], &format!("{} {word}", kinds.len()));
                html.text(if kinds.is_empty() { "" } else { ": " });
                port::items(html, kinds.into_iter().map(title));
            });
        }
    });
}

/// What is said about a port is said there.
fn is_of_port(subject: &Subject<'_>, finding: &Judged) -> bool {
    let all = || subject.reports.iter().flat_map(Report::findings);
    all().any(|one| one.id == finding.id && one.text == finding.text)
}

/// What was asked, of whom, when and by what.
fn facts(html: &mut Html, subject: &Subject<'_>) {
    let Document { sni, policy, taken_at, connections, duration, .. } = &subject.document;
    let options = subject.options;
    html.leaf("h2", &[], "About this report");
    html.element("dl", &[], |html| {
        fact(html, "Host", &options.aim());
        let ports: Vec<String> = subject.document.ports.iter().map(|port| port.number.to_string()).collect();
        fact(html, if ports.len() > 1 { "Ports" } else { "Port" }, &ports.join(", "));
        let name = match (sni, options.target.hostname.as_ref().and_then(Host::address)) {
            (Some(name), _) => name.clone(),
            (None, None) => options.aim(),
            (None, Some(_)) => "none, for an address is no name".to_owned(),
        };
        fact(html, "Name asked for (SNI)", &name);
        fact(html, "Taken", &when(taken_at));
        fact(html, "Taken with", subject.document.tool);
        entry(html, "Policy", |html| {
            html.leaf("strong", &[], &policy.name);
            html.text(&format!(": {}, {}", policy.version, policy.date));
            html.element("div", &[("class", "source")], |html| source(html, &policy.source));
        });
        let adjustments = &subject.document.adjustments;
        if !adjustments.is_empty() {
            fact(html, "Judged with", &adjustments.join(", "));
        }
        let question = if subject.document.inventory {
            "Inventory: everything that is offered"
        } else {
            "Verdict: whether anything is offered that the policy forbids"
        };
        fact(html, "Question", question);
        let (word, badge, text) = if subject.document.complete {
            ("complete", "ok", " Every question was answered.")
        } else {
            ("not complete", "unknown", " What was not seen may be there all the same.")
        };
        entry(html, "Completeness", |html| {
            html.leaf("span", &[("class", &format!("badge {badge}"))], word);
            html.text(text);
        });
        fact(html, "Connections", &format!("{connections}, in {duration:.2} s"));
        if let Some(differences) = subject.document.ports.iter().find_map(|port| port.differences.as_ref()) {
            fact(html, "Compared with", &format!("the inventory of {}", when(&differences.since)));
        }
    });
}

fn fact(html: &mut Html, name: &'static str, value: &str) {
    entry(html, name, |html| html.breakable(value));
}

fn entry(html: &mut Html, name: &'static str, value: impl FnOnce(&mut Html)) {
    html.element("div", &[], |html| {
        html.leaf("dt", &[], name);
        html.element("dd", &[], value);
    });
}

/// `2026-11-21 17:30:57 UTC`.
fn when(timestamp: &str) -> String {
    timestamp.replace('T', " ").replace('Z', " UTC")
}

/// Where the policy's text is found. Other schemes than that of the web might run something.
fn source(html: &mut Html, source: &str) {
    if source.starts_with("https://") {
        html.leaf("a", &[("href", source), ("rel", "noreferrer")], source);
    } else {
        html.text(source);
    }
}

fn legend(html: &mut Html, subject: &Subject<'_>) {
    html.leaf("h2", &[], "The words");
    html.element("dl", &[("class", "legend")], |html| {
        for (badge, word, meaning) in LEGEND {
            html.element("div", &[], |html| {
                html.element("dt", &[], |html| {
                    html.leaf("span", &[("class", &format!("badge {badge}"))], word);
                });
                html.leaf("dd", &[], meaning);
            });
        }
    });
    let proof = "A suite counts as offered when the server took it, as not offered when the server refused a hello with \
                 it and had proved that it reads such hellos to the end. What proves neither makes the result UNKNOWN.";
    html.leaf("p", &[], proof);
    html.leaf("p", &[], &format!("{}, {}", subject.document.tool, when(&subject.document.taken_at)));
}
