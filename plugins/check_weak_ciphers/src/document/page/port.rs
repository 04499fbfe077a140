//! One port of the page: what was found, and everything that it offers.

use common::report::{Finding as Judged, Report, State};

use super::words::{class_words, state_badge, title};
use super::writer::Html;
use super::{Subject, certificates, fact, when};
use crate::advice;
use crate::baseline::What;
use crate::document::{Agreement, Finding, Port, ProtocolVersion, SuiteEntry};
use crate::policy::{Class, FindingKind};
use crate::scan::Preference;
use crate::suites::KeyExchange;
use crate::version::Version;

/// A line for each of several ports.
pub(super) fn overview(html: &mut Html, subject: &Subject<'_>) {
    html.leaf("h2", &[], "Ports");
    let columns = ["Port", "Result", "Service", "Protocols", "Suites"];
    table(html, "ports", &columns, |html| {
        for (at, port) in subject.document.ports.iter().enumerate() {
            row(html, |html| {
                cell(html, "Port", |html| {
                    let number = port.number.to_string();
                    html.leaf("a", &[("href", &format!("#port-{number}"))], &number);
                });
                cell(html, "Result", |html| badge_of_state(html, subject.state_of(at)));
                text_cell(html, "Service", &if port.error.is_some() { String::new() } else { service(port) });
                let offered: Vec<&str> =
                    port.protocols.iter().filter(|one| one.offered).map(|one| one.version.name()).collect();
                text_cell(html, "Protocols", &offered.join(", "));
                let suites: usize = port.protocols.iter().map(|one| one.suites.len()).sum();
                let is_known = subject.document.inventory && port.error.is_none();
                let suites = if is_known { suites.to_string() } else { String::new() };
                text_cell(html, "Suites", &suites);
            });
        }
    });
}

/// Everything about one port.
pub(super) fn section(html: &mut Html, subject: &Subject<'_>, at: usize) {
    let (Some(port), Some(report)) = (subject.document.ports.get(at), subject.reports.get(at)) else {
        return;
    };
    let id = format!("port-{}", port.number);
    html.element("section", &[("class", "port"), ("id", &id)], |html| {
        html.element("h2", &[], |html| {
            html.text(&format!("Port {} ", port.number));
            badge_of_state(html, subject.state_of(at));
        });
        about(html, subject, port);
        findings(html, port, report);
        if port.error.is_some() {
            return;
        }
        if let Some(differences) = &port.differences {
            compared(html, differences);
        }
        protocols(html, subject, port);
        groups(html, subject, port);
        certificates::list(html, subject, port);
    });
}

fn about(html: &mut Html, subject: &Subject<'_>, port: &Port) {
    html.element("dl", &[("class", "facts")], |html| {
        fact(html, if port.error.is_some() { "Tried" } else { "Service" }, &service(port));
        if let Some(address) = port.ip {
            fact(html, "Address", &address.to_string());
        }
        if subject.document.ports.len() > 1 {
            fact(html, "Connections", &format!("{}, in {:.2} s", port.connections, port.duration));
        }
        if port.error.is_some() {
            return;
        }
        let known = |value: Option<bool>| match value {
            Some(true) => "yes",
            Some(false) => "no",
            None => "not asked",
        };
        fact(html, "Post-quantum group", known(port.post_quantum));
        fact(html, "Refuses fallback (RFC 7507)", known(port.fallback_scsv));
        if port.intolerant {
            fact(html, "Reads", "short hellos only");
        }
    });
}

fn service(port: &Port) -> String {
    match port.starttls {
        Some(protocol) => format!("{protocol} with STARTTLS"),
        None => "TLS from the start".to_owned(),
    }
}

/// What counts, then what is only worth knowing. Findings of the policy are in the document with all they were found
/// on; the others (gaps, days left) are sentences.
fn findings(html: &mut Html, port: &Port, report: &Report) {
    let mut judged: Vec<&Finding> = port.findings.iter().collect();
    judged.sort_by_key(|finding| std::cmp::Reverse((finding.state, Class::from_name(finding.class))));
    let (count, notes): (Vec<&Finding>, Vec<&Finding>) =
        judged.into_iter().partition(|finding| finding.state > State::Ok);
    // The comparison names them all.
    let is_told = |note: &&Finding| FindingKind::from_name(note.id).is_some_and(FindingKind::is_difference);
    let notes: Vec<&Finding> = notes.into_iter().filter(|note| !is_told(note)).collect();
    let others = report.findings().into_iter().filter(|one| FindingKind::from_name(&one.id).is_none());
    let (sentences, others): (Vec<&Judged>, Vec<&Judged>) = others.partition(|one| one.state > State::Ok);
    let (remarks, praise): (Vec<&Judged>, Vec<&Judged>) = others.into_iter().partition(|one| one.is_note);

    html.leaf("h3", &[], "Findings");
    for finding in praise {
        html.element("p", &[], |html| html.breakable(&finding.text));
    }
    if !count.is_empty() || !sentences.is_empty() {
        table(html, "findings", &["State", "Finding", "Found on"], |html| {
            for finding in &sentences {
                row(html, |html| sentence(html, finding));
            }
            for finding in &count {
                row(html, |html| judgement(html, finding));
            }
        });
        advice(html, &count);
    }
    if notes.is_empty() && remarks.is_empty() {
        return;
    }
    html.leaf("h3", &[], "For information");
    html.element("ul", &[("class", "notes")], |html| {
        for remark in remarks {
            html.leaf("li", &[], &remark.text);
        }
        for note in notes {
            html.element("li", &[], |html| {
                name_of(html, note);
                if !note.versions.is_empty() {
                    html.text(&format!(" in {}", versions(note)));
                }
                if !note.evidence.is_empty() {
                    html.text(": ");
                    evidence(html, note);
                }
            });
        }
    });
}

fn judgement(html: &mut Html, finding: &Finding) {
    cell(html, "State", |html| badge_of_state(html, finding.state));
    cell(html, "Finding", |html| {
        html.element("div", &[], |html| name_of(html, finding));
    });
    cell(html, "Found on", |html| {
        let versions = versions(finding);
        if !versions.is_empty() {
            html.leaf("div", &[("class", "versions")], &versions);
        }
        html.element("div", &[], |html| evidence(html, finding));
    });
}

/// What to set on the server, by program: once for all findings that it is against.
fn advice(html: &mut Html, findings: &[&Finding]) {
    let mut topics: Vec<(&str, Vec<&Finding>)> = Vec::new();
    for finding in findings {
        let Some(title) = advice::title(finding.advice.kind) else { continue };
        match topics.iter_mut().find(|(known, _)| *known == title) {
            Some((_, same)) => same.push(finding),
            None => topics.push((title, vec![finding])),
        }
    }
    if topics.is_empty() {
        return;
    }
    html.leaf("h3", &[], "What to do about it");
    for (title, same) in topics {
        html.element("div", &[("class", "advice")], |html| {
            html.element("p", &[], |html| {
                html.leaf("strong", &[], title);
                html.text(", against ");
                html.breakable(&same.iter().map(|finding| finding.id).collect::<Vec<_>>().join(", "));
            });
            let Some(first) = same.first() else { return };
            if let Some(note) = first.advice_note {
                html.leaf("p", &[], note);
            }
            for (software, lines) in first.advice.each() {
                html.element("p", &[], |html| {
                    html.text(&format!("{software}:"));
                    for line in lines {
                        html.leaf("code", &[("class", "line")], line);
                    }
                });
            }
        });
    }
}

fn sentence(html: &mut Html, finding: &Judged) {
    cell(html, "State", |html| badge_of_state(html, finding.state));
    cell(html, "Finding", |html| {
        html.element("div", &[], |html| html.breakable(&finding.text));
        if let Some(hint) = &finding.hint {
            advised(html, hint);
        }
    });
    text_cell(html, "Found on", "");
}

fn name_of(html: &mut Html, finding: &Finding) {
    let words = FindingKind::from_name(finding.id).map_or(finding.id, title);
    html.leaf("strong", &[], words);
    html.text(" ");
    html.leaf("code", &[], finding.id);
    if !finding.attacks.is_empty() {
        html.leaf("span", &[("class", "attacks")], &format!(" {}", finding.attacks.join(", ")));
    }
}

/// Each line is a paragraph; what is in backticks is to be typed.
pub(super) fn advised(html: &mut Html, advice: &str) {
    html.element("div", &[("class", "advice")], |html| {
        for line in advice.lines().filter(|line| !line.trim().is_empty()) {
            html.element("p", &[], |html| {
                for (at, part) in line.split('`').enumerate() {
                    if at % 2 == 1 {
                        html.leaf("code", &[], part);
                    } else {
                        html.text(part);
                    }
                }
            });
        }
    });
}

fn versions(finding: &Finding) -> String {
    finding.versions.iter().map(|version| version.name()).collect::<Vec<_>>().join(", ")
}

/// The first of them; each suite stands in the tables with all that is to be said of it. A version is found on all it
/// has.
fn evidence(html: &mut Html, finding: &Finding) {
    let found = &finding.evidence;
    if FindingKind::from_name(finding.id).is_some_and(is_version) {
        html.text(&counted(found.len(), "suite"));
        return;
    }
    items(html, found.iter().take(SHOWN).map(String::as_str));
    if let more @ 1.. = found.len().saturating_sub(SHOWN) {
        html.text(&format!(" and {more} more"));
    }
}

/// A list in a sentence, each of which is broken only if it must be.
pub(super) fn items<'a>(html: &mut Html, all: impl Iterator<Item = &'a str>) {
    let mut all = all.peekable();
    while let Some(one) = all.next() {
        html.element("span", &[("class", "item")], |html| {
            html.breakable(one);
            html.text(if all.peek().is_some() { "," } else { "" });
        });
        html.text(if all.peek().is_some() { " " } else { "" });
    }
}

/// Said of a version, and so of each suite in it.
fn is_version(kind: FindingKind) -> bool {
    use FindingKind::{Ssl2, Ssl3, Tls10, Tls11, Tls12, Tls13};
    matches!(kind, Ssl2 | Ssl3 | Tls10 | Tls11 | Tls12 | Tls13)
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

const SHOWN: usize = 10;

fn compared(html: &mut Html, differences: &crate::baseline::Differences) {
    html.leaf("h3", &[], &format!("Against the inventory of {}", when(&differences.since)));
    if differences.new.is_empty() && differences.gone.is_empty() {
        html.leaf("p", &[], "Nothing is new, nothing is gone.");
        return;
    }
    table(html, "differences", &["Change", "What", "Protocol", "Name", "Code"], |html| {
        let new = differences.new.iter().map(|one| ("new", "warning", one));
        let gone = differences.gone.iter().map(|one| ("gone", "plain", one));
        for (word, kind, one) in new.chain(gone) {
            row(html, |html| {
                cell(html, "Change", |html| badge(html, kind, word));
                let what = match one.what {
                    What::Protocol => "protocol version",
                    What::Suite => "suite",
                    What::Group => "group",
                    What::CertificateKey => "certificate key",
                };
                text_cell(html, "What", what);
                text_cell(html, "Protocol", one.version.map(Version::name).unwrap_or_default());
                cell(html, "Name", |html| html.breakable(&one.name));
                match &one.code {
                    Some(code) => cell(html, "Code", |html| html.leaf("code", &[], code)),
                    None => text_cell(html, "Code", ""),
                }
            });
        }
    });
}

fn protocols(html: &mut Html, subject: &Subject<'_>, port: &Port) {
    html.leaf("h3", &[], "Protocol versions");
    table(html, "protocols", &["Version", "Offered", "Judgement", "Suites", "Who decides"], |html| {
        for protocol in &port.protocols {
            row(html, |html| {
                cell(html, "Version", |html| html.leaf("strong", &[], protocol.version.name()));
                cell(html, "Offered", |html| offered(html, protocol));
                if protocol.offered {
                    cell(html, "Judgement", |html| badge_of_class(html, worst(subject, protocol)));
                    text_cell(html, "Suites", &protocol.suites.len().to_string());
                } else {
                    text_cell(html, "Judgement", "");
                    text_cell(html, "Suites", "");
                }
                text_cell(html, "Who decides", protocol.preference.map(Preference::name).unwrap_or_default());
            });
        }
    });
    if !subject.document.inventory {
        let text =
            "A verdict lists all suites that the policy forbids, and one that it allows in each version.";
        html.leaf("p", &[("class", "remark")], text);
    }
    for protocol in port.protocols.iter().filter(|protocol| !protocol.suites.is_empty()) {
        suites(html, subject, protocol);
    }
}

fn offered(html: &mut Html, protocol: &ProtocolVersion) {
    match (&protocol.incomplete, protocol.offered) {
        (Some(trouble), is_offered) => {
            badge(html, "unknown", if is_offered { "yes, not all seen" } else { "not known" });
            html.leaf("div", &[("class", "reasons")], &trouble.text);
        }
        (None, true) => html.text("yes"),
        (None, false) => html.text("no"),
    }
}

/// The worst about a version: itself, or one of its suites.
fn worst(subject: &Subject<'_>, protocol: &ProtocolVersion) -> Option<Class> {
    let own = subject.policy.judge_version(protocol.version).map(|reason| reason.class);
    let suites = protocol.suites.iter().filter_map(|suite| Class::from_name(suite.class?));
    suites.chain(own).max()
}

fn suites(html: &mut Html, subject: &Subject<'_>, protocol: &ProtocolVersion) {
    let count = counted(protocol.suites.len(), "suite");
    html.leaf("h4", &[], &format!("{}: {count}", protocol.version));
    if let Some(reason) = subject.policy.judge_version(protocol.version) {
        let (word, _) = class_words(Some(reason.class));
        let text = format!("{} itself is {word}, and with it every suite.", protocol.version);
        html.leaf("p", &[("class", "remark")], &text);
    }
    table(html, "suites", &["Suite", "Code", "Key exchange", "Bits", "Judgement"], |html| {
        for suite in &protocol.suites {
            row(html, |html| {
                cell(html, "Suite", |html| {
                    html.element("div", &[("class", "suite")], |html| html.breakable(&suite.name));
                    if let Some(name) = suite.openssl_name.as_ref().filter(|name| **name != suite.name) {
                        html.leaf("div", &[("class", "alias")], name);
                    }
                });
                cell(html, "Code", |html| html.leaf("code", &[], &suite.code));
                text_cell(html, "Key exchange", &exchange(suite));
                text_cell(html, "Bits", &suite.bits.map(|bits| bits.to_string()).unwrap_or_default());
                cell(html, "Judgement", |html| {
                    badge_of_class(html, suite.class.and_then(Class::from_name));
                    let kinds = suite.reasons.iter().filter_map(|name| FindingKind::from_name(name));
                    let reasons: Vec<&str> = kinds.filter(|kind| !is_version(*kind)).map(title).collect();
                    if !reasons.is_empty() {
                        html.leaf("span", &[("class", "reasons")], &format!(" {}", reasons.join("; ")));
                    }
                });
            });
        }
    });
}

/// `ECDHE, x25519`, `DHE, 2048 bit`. A suite of TLS 1.3 leaves it to the group.
fn exchange(suite: &SuiteEntry) -> String {
    let bits = suite.dh_bits.map(|bits| format!("{bits} bit"));
    let kx = Some(suite.kx.clone()).filter(|kx| kx != KeyExchange::Tls13.name());
    [kx, suite.group.clone(), bits].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn groups(html: &mut Html, subject: &Subject<'_>, port: &Port) {
    if port.groups.is_empty() {
        return;
    }
    html.leaf("h3", &[], "Groups for key exchange");
    table(html, "groups", &["Group", "Code", "Post-quantum", "Protocols", "Judgement"], |html| {
        for group in &port.groups {
            row(html, |html| {
                cell(html, "Group", |html| html.leaf("strong", &[], &group.name));
                cell(html, "Code", |html| html.leaf("code", &[], &group.code));
                text_cell(html, "Post-quantum", if group.post_quantum { "yes" } else { "no" });
                let versions: Vec<&str> = group.versions.iter().map(|version| version.name()).collect();
                text_cell(html, "Protocols", &versions.join(", "));
                cell(html, "Judgement", |html| badge_of_class(html, class_of_group(subject, group)));
            });
        }
    });
    if !subject.document.inventory {
        html.leaf("p", &[("class", "remark")], "A verdict lists the groups that showed.");
    }
}

fn class_of_group(subject: &Subject<'_>, agreement: &Agreement) -> Option<Class> {
    let code = u16::from_str_radix(agreement.code.strip_prefix("0x")?, 16).ok()?;
    subject.policy.judge_group(code).map(|reason| reason.class).max()
}

/// A table that a narrow screen shows as one card for each row, with the column's name before each cell.
pub(super) fn table(
    html: &mut Html,
    class: &'static str,
    columns: &[&'static str],
    rows: impl FnOnce(&mut Html),
) {
    html.element("table", &[("class", class), ("role", "table")], |html| {
        html.element("thead", &[("role", "rowgroup")], |html| {
            html.element("tr", &[("role", "row")], |html| {
                for column in columns {
                    html.leaf("th", &[("role", "columnheader"), ("scope", "col")], column);
                }
            });
        });
        html.element("tbody", &[("role", "rowgroup")], rows);
    });
}

pub(super) fn row(html: &mut Html, cells: impl FnOnce(&mut Html)) {
    html.element("tr", &[("role", "row")], cells);
}

pub(super) fn cell(html: &mut Html, column: &'static str, inside: impl FnOnce(&mut Html)) {
    html.element("td", &[("role", "cell"), ("data-label", column)], inside);
}

/// A cell with text, or with a dash, which a narrow screen leaves out.
pub(super) fn text_cell(html: &mut Html, column: &'static str, text: &str) {
    if text.is_empty() {
        let attributes = [("class", "nothing"), ("role", "cell"), ("data-label", column)];
        html.leaf("td", &attributes, DASH);
    } else {
        cell(html, column, |html| html.breakable(text));
    }
}

pub(super) fn badge(html: &mut Html, kind: &'static str, word: &str) {
    html.leaf("span", &[("class", &format!("badge {kind}"))], word);
}

fn badge_of_state(html: &mut Html, state: State) {
    badge(html, state_badge(state), state.name());
}

fn badge_of_class(html: &mut Html, class: Option<Class>) {
    let (word, kind) = class_words(class);
    badge(html, kind, word);
}

/// Stands for nothing.
const DASH: &str = "\u{2013}";
