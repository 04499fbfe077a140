//! The states of a domain's record and of all that it leads to.

use std::collections::BTreeSet;

use common::proto::dns::Outcome;
use common::report::{Finding, Metric, Report, State, quote, some};

use super::check_host::{MOST_LOOKUPS, MOST_VOIDS};
use super::published::lookalikes;
use super::record::{Mechanism, Qualifier, SpfRecord};
use super::walk::{Content, Link, Node, Remark, Walk, walk};
use crate::CheckMailPolicy;
use crate::answers::Answers;
use crate::options::Wish;

/// Terms that ask name servers.
pub(crate) const SPF_LOOKUPS: Metric =
    Metric::count("spf_lookups", "terms of the SPF record that ask name servers, of 10 at most");
/// Empty answers.
pub(crate) const SPF_VOIDS: Metric =
    Metric::count("spf_voids", "questions of the SPF record with an empty answer, of 2 at most");

/// Longest record (RFC 7208 section 3.4), bytes.
const LONGEST: usize = 450;
/// Half of all addresses, in 10 000 parts: nobody has so many.
const HALF: u128 = 5000;
/// A sixteenth of them: nobody has more.
const SIXTEENTH: u128 = 625;

impl CheckMailPolicy {
    /// Judges the record, and the clients that must pass.
    pub(crate) fn judge_spf(&self, answers: &Answers, report: &mut Report) {
        if self.records.wish(self.records.spf) == Wish::No && self.spf.ip.is_empty() {
            return;
        }
        let walk = walk(answers, &self.domain);
        let mut findings = Findings::default();
        self.judge_content(&walk, &mut findings);
        self.judge_limits(&walk, &mut findings);
        self.judge_senders(&walk, &mut findings);
        judge_terms(&walk, &mut findings);
        self.judge_texts(answers, &walk, &mut findings);
        self.judge_open(&walk, &mut findings);
        self.judge_strangers(answers, &walk, &mut findings);
        Self::sum_up_spf(&walk, &mut findings);
        self.judge_clients(answers, &mut findings);
        findings.0.into_iter().for_each(|finding| report.add(finding));
        record(&walk, report);
        describe(&walk, report);
    }

    fn judge_content(&self, walk: &Walk<'_>, findings: &mut Findings) {
        for node in &walk.nodes {
            let whose = whose(walk, node);
            match &node.content {
                Content::Read { .. } | Content::Open => {}
                Content::Broken { error, .. } => {
                    findings.add("spf_syntax", State::Critical, format!("SPF of {whose}: {error}"));
                }
                Content::Several(number) => {
                    let text = format!("{whose} has {number} SPF records (RFC 7208 section 4.5)");
                    findings.add("spf_several", State::Critical, text);
                }
                Content::Loop => {
                    let from = parent(walk, node).map_or("", |parent| parent.domain.as_str());
                    let text = format!("SPF loop: {from} leads back to {} ({LIMITS})", node.domain);
                    findings.add("spf_loop", State::Critical, text);
                }
                Content::Missing(outcome) => match parent(walk, node) {
                    None => self.judge_missing(outcome, findings),
                    Some(parent) => {
                        let (does, section) = match node.link {
                            Link::Include => ("includes", "5.2"),
                            Link::Redirect => ("redirects to", "6.1"),
                        };
                        let text = format!(
                            "SPF of {} {does} {}, which has none{} (RFC 7208 section {section})",
                            parent.domain,
                            node.domain,
                            if outcome.records().is_empty() { format!(": {outcome}") } else { String::new() },
                        );
                        findings.add("spf_nowhere", State::Critical, text);
                    }
                },
            }
        }
    }

    fn judge_missing(&self, outcome: &Outcome, findings: &mut Findings) {
        let text = match outcome {
            Outcome::NxDomain => format!("{} has no SPF record: the name does not exist", self.domain),
            _ => format!("{} has no SPF record", self.domain),
        };
        findings.add("spf_missing", self.spf.missing(), text);
    }

    fn judge_limits(&self, walk: &Walk<'_>, findings: &mut Findings) {
        let (domain, lookups) = (&self.domain, walk.lookups);
        if lookups > MOST_LOOKUPS {
            let number = if walk.is_cut { format!("more than {}", lookups - 1) } else { lookups.to_string() };
            let text = format!("SPF of {domain} takes {number} lookups, above {MOST_LOOKUPS} ({LIMITS})");
            findings.add("spf_lookups", State::Critical, text);
        } else if lookups >= self.spf.many_lookups() {
            let text = format!("SPF of {domain} takes {lookups} of {MOST_LOOKUPS} lookups ({LIMITS})");
            findings.add("spf_lookups", State::Warning, text);
        }
        let (voids, names) = (walk.voids.len(), some(&walk.voids, 3));
        if voids > MOST_VOIDS {
            let text =
                format!("SPF of {domain} takes {voids} void lookups, above {MOST_VOIDS}: {names} ({LIMITS})");
            findings.add("spf_voids", State::Critical, text);
        } else if voids > 0 {
            findings.note("spf_voids", format!("{voids} of {MOST_VOIDS} void lookups: {names} ({LIMITS})"));
        }
    }

    /// Who is let in, and what becomes of everybody else.
    fn judge_senders(&self, walk: &Walk<'_>, findings: &mut Findings) {
        let domain = &self.domain;
        for (at, remark) in &walk.remarks {
            let Some(node) = walk.nodes.get(*at) else { continue };
            let whose = whose(walk, node);
            let (term, why) = match remark {
                Remark::Everybody(directive) if directive.mechanism == Mechanism::All => {
                    (directive.to_string(), "(RFC 7208 section 5.1)")
                }
                Remark::Everybody(directive) => (directive.to_string(), "(RFC 7208 section 5.7)"),
                Remark::ClientChooses(term) => {
                    (term.clone(), "asks for a name that the client chooses (RFC 7208 section 7.2)")
                }
                _ => continue,
            };
            let text = format!("everybody may send as {domain}: {} of {whose} {why}", quote(&term));
            findings.add("spf_everybody", State::Critical, text);
        }
        let (share, family) = walk.world.share();
        if share > SIXTEENTH {
            let state = if share >= HALF { State::Critical } else { State::Warning };
            let (percent, rule) = (share / 100, "RFC 7208 section 5.6");
            let text = format!("{percent} % of all {family} addresses may send as {domain} ({rule})");
            findings.add("spf_everybody", state, text);
        }
        for (node, record) in records(walk).filter(|(node, _)| node.decides) {
            let whose = whose(walk, node);
            match record.all() {
                Some(Qualifier::Neutral) => {
                    let rule = "RFC 7208 section 8.2";
                    let text = format!("?all of {whose}: whoever is not listed is neutral ({rule})");
                    findings.add("spf_all", State::Warning, text);
                }
                None if record.redirect.is_none() => {
                    let rule = "RFC 7208 section 4.7";
                    let text =
                        format!("SPF of {whose} has neither all nor redirect: the rest is neutral ({rule})");
                    findings.add("spf_all", State::Warning, text);
                }
                _ => {}
            }
        }
    }

    /// Texts as they stand there. What is odd in a record of somebody else is none of the
    /// operator's business while it works.
    fn judge_texts(&self, answers: &Answers, walk: &Walk<'_>, findings: &mut Findings) {
        for node in &walk.nodes {
            let whose = whose(walk, node);
            let is_own = node.domain.is_within(&self.domain);
            let mut remark = |id, text| {
                if is_own { findings.add(id, State::Warning, text) } else { findings.note(id, text) }
            };
            if let Content::Read { text, .. } | Content::Broken { text, .. } = node.content
                && text.len() > LONGEST
            {
                let rule = "RFC 7208 section 3.4";
                remark(
                    "spf_length",
                    format!("SPF of {whose} has {} bytes, above {LONGEST} ({rule})", text.len()),
                );
            }
            if let Content::Read { record, .. } = &node.content {
                for text in ignored(record, &whose) {
                    remark("spf_ignored", text);
                }
            }
        }
        for text in lookalikes(answers, &self.domain) {
            let text = format!("{} of {} is no SPF record (RFC 7208 section 4.5)", quote(text), self.domain);
            findings.add("spf_lookalike", State::Warning, text);
        }
    }

    fn judge_open(&self, walk: &Walk<'_>, findings: &mut Findings) {
        let open: Vec<String> = walk.open.iter().map(ToString::to_string).collect();
        if !open.is_empty() {
            let state = State::worst(walk.open.iter().map(|open| self.state_of(&open.outcome)));
            let text = format!("SPF of {} is not known: cannot look up {}", self.domain, some(&open, 3));
            findings.add("spf_dns", state, text);
        }
    }

    /// The record in one line, where nothing is seriously wrong with it.
    fn sum_up_spf(walk: &Walk<'_>, findings: &mut Findings) {
        let mut decisive = records(walk).filter(|(node, _)| node.decides).map(|(_, record)| record);
        if findings.0.iter().any(|finding| finding.state > State::Warning) || walk.nodes.is_empty() {
            return;
        }
        let Some(all) = decisive.next_back().map(SpfRecord::all) else { return };
        let nobody = |record: &SpfRecord<'_>| record.reached().len() == 1;
        let text = match all {
            Some(Qualifier::Fail) if records(walk).all(|(_, record)| nobody(record)) && walk.lookups == 0 => {
                "SPF nobody may send, -all".to_owned()
            }
            _ => {
                let rest = all.map_or("no all".to_owned(), |qualifier| format!("{qualifier}all"));
                format!("SPF {} of {MOST_LOOKUPS} lookups, {rest}", walk.lookups)
            }
        };
        findings.add("spf", State::Ok, text);
    }
}

const LIMITS: &str = "RFC 7208 section 4.6.4";

/// Findings, each sentence once: what is included twice is not twice as bad.
#[derive(Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    pub(super) fn add(&mut self, id: &'static str, state: State, text: String) {
        self.push(Finding::new(id, state, text));
    }

    pub(super) fn note(&mut self, id: &'static str, text: String) {
        self.push(Finding { is_note: true, ..Finding::new(id, State::Ok, text) });
    }

    pub(super) fn worst(&self) -> State {
        self.0.iter().map(|finding| finding.state).max().unwrap_or(State::Ok)
    }

    fn push(&mut self, finding: Finding) {
        if !self.0.contains(&finding) {
            self.0.push(finding);
        }
    }
}

fn judge_terms(walk: &Walk<'_>, findings: &mut Findings) {
    for (at, remark) in &walk.remarks {
        let Some(node) = walk.nodes.get(*at) else { continue };
        let whose = whose(walk, node);
        match remark {
            Remark::Everybody(_) | Remark::AsksForClient(_) | Remark::ClientChooses(_) => {}
            Remark::TooManyExchangers(directive, number) => {
                let term = quote(&directive.to_string());
                let text = format!("{term} of {whose} has {number} mail exchangers, above 10 ({LIMITS})");
                findings.add("spf_exchangers", State::Critical, text);
            }
            Remark::Ptr(directive) => {
                let term = quote(&directive.to_string());
                let text = format!("{term} of {whose} should not be used (RFC 7208 section 5.5)");
                findings.add("spf_ptr", State::Warning, text);
            }
            Remark::NoName(name) => {
                let name = quote(name);
                let text = format!("SPF of {whose} asks for {name}, which is no name (RFC 7208 section 4.8)");
                findings.add("spf_name", State::Warning, text);
            }
            Remark::LeadsNowhere(name) => {
                let name = quote(name);
                let text = format!("SPF of {whose} leads to {name}, which is no name (RFC 7208 section 4.8)");
                findings.add("spf_nowhere", State::Critical, text);
            }
            Remark::NotFollowed(spec) => {
                let text =
                    format!("SPF of {whose} leads to {}: not counted, it depends on the client", quote(spec));
                findings.note("spf_macro", text);
            }
        }
    }
}

/// Parts of a record that nobody reads.
fn ignored(record: &SpfRecord<'_>, whose: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let behind: Vec<String> = record.behind_all().iter().map(ToString::to_string).collect();
    if !behind.is_empty() {
        let terms = quote(&some(&behind, 3));
        texts.push(format!("{terms} behind all in SPF of {whose} is ignored (RFC 7208 section 5.1)"));
    }
    if let Some(redirect) = record.redirect.filter(|_| record.live_redirect().is_none()) {
        let term = quote(&format!("redirect={redirect}"));
        texts.push(format!("{term} beside all in SPF of {whose} is ignored (RFC 7208 section 6.1)"));
    }
    for name in record.mistaken_modifiers() {
        let term = quote(&format!("{name}="));
        texts.push(format!(
            "{term} in SPF of {whose} is ignored, a mechanism takes \":\" (RFC 7208 section 6)"
        ));
    }
    texts
}

fn records<'w, 'a>(walk: &'w Walk<'a>) -> impl DoubleEndedIterator<Item = (&'w Node<'a>, &'w SpfRecord<'a>)> {
    walk.nodes.iter().filter_map(|node| match &node.content {
        Content::Read { record, .. } => Some((node, record)),
        _ => None,
    })
}

fn parent<'w, 'a>(walk: &'w Walk<'a>, node: &Node<'_>) -> Option<&'w Node<'a>> {
    walk.nodes.get(node.parent?)
}

/// A domain, and what leads to it.
fn whose(walk: &Walk<'_>, node: &Node<'_>) -> String {
    match (parent(walk, node), node.link) {
        (None, _) => node.domain.to_string(),
        (Some(parent), Link::Include) => format!("{} (included by {})", node.domain, parent.domain),
        (Some(parent), Link::Redirect) => format!("{} (redirect of {})", node.domain, parent.domain),
    }
}

/// What `-v` shows: each record once, as it stands there.
fn describe(walk: &Walk<'_>, report: &mut Report) {
    let mut shown = BTreeSet::new();
    for node in &walk.nodes {
        if let Content::Read { text, .. } | Content::Broken { text, .. } = node.content
            && shown.insert(&node.domain)
        {
            report.context(1, format!("{}: {text}", whose(walk, node)));
        }
    }
}

fn record(walk: &Walk<'_>, report: &mut Report) {
    let is_read = |node: &Node<'_>| matches!(node.content, Content::Read { .. });
    let is_endless = |node: &Node<'_>| matches!(node.content, Content::Loop);
    // A loop has no number, and what was not answered may hide any.
    let is_known = walk.nodes.first().is_some_and(is_read)
        && walk.open.is_empty()
        && !walk.is_cut
        && !walk.nodes.iter().any(is_endless);
    report.record_count(&SPF_LOOKUPS, is_known.then_some(walk.lookups));
    report.record_count(&SPF_VOIDS, is_known.then_some(walk.voids.len()));
}
