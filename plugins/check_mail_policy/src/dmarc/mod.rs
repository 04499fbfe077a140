//! DMARC, `_dmarc.DOMAIN` (RFC 9989): the record that applies to the domain, how strict it is, and
//! whether its reports arrive.

mod record;
mod reports;
#[cfg(test)]
mod tests;
mod walk;

use common::proto::dns::{DomainName, Kind, Outcome};
use common::report::{Report, State, quote};

use crate::CheckMailPolicy;
use crate::answers::Answers;
use crate::lookup::{Texts, Unanswered, add_faults};
use crate::options::{DmarcMin, Wish};

pub(crate) use record::{DmarcRecord, Policy, Whose};
pub(crate) use walk::{Applied, Walk, discover};

use record::Setting;

/// The record that applies to the domain.
pub(crate) fn judge(options: &CheckMailPolicy, answers: &Answers, report: &mut Report) {
    if options.records.wish(options.records.dmarc) == Wish::No {
        return;
    }
    let domain = &options.domain;
    match discover(domain, answers) {
        Err(unanswered) => unanswered.report("dmarc_unknown", options, report),
        Ok(Applied::Missing(miss)) => {
            let text = format!(
                "_dmarc.{domain}: no DMARC record, nor at a name above{miss} (RFC 9989 section 4.10)"
            );
            report.find("dmarc_missing", State::Critical, text);
        }
        Ok(Applied::Several(number)) => {
            let text = format!(
                "_dmarc.{domain}: {number} DMARC records, so receivers take none (RFC 9989 section 4.10)"
            );
            report.find("dmarc_several", State::Critical, text);
        }
        Ok(Applied::Own(record)) => judge_record(options, (domain, &record), answers, report),
        Ok(Applied::Above(at, record)) => judge_record(options, (&at, &record), answers, report),
    }
}

fn judge_record(
    options: &CheckMailPolicy,
    (at, record): (&DomainName, &DmarcRecord),
    answers: &Answers,
    report: &mut Report,
) {
    if let Some(name) = walk::record_name(at) {
        if let Ok(texts) = Texts::read(answers, &name, walk::is_record) {
            texts.show(&name, 1, report);
        }
        add_faults(&name, &record.faults, report);
        for note in &record.notes {
            report.note("dmarc_note", format!("{name}: {note}"));
        }
    }
    judge_settings(at, record, report);
    match whose(&options.domain, at, record, answers) {
        Ok(whose) => judge_policy(options, (at, record), whose, report),
        Err(unanswered) => unanswered.report("dmarc_unknown", options, report),
    }
    if at == &options.domain {
        judge_names_below(options, record, answers, report);
    }
    reports::judge(options, (at, record), answers, report);
}

/// The rules of RFC 9989 section 4.10.1 on policies that are not there or no policies.
fn judge_settings(at: &DomainName, record: &DmarcRecord, report: &mut Report) {
    let counts = if record.rua.has_valid { "counts as p=none" } else { "switches DMARC off" };
    for (tag, setting) in [("p", &record.p), ("sp", &record.sp), ("np", &record.np)] {
        if let Setting::Invalid(word) = setting {
            let text = format!(
                "_dmarc.{at}: {tag}={} is no policy, which {counts} \
                 (RFC 9989 section 4.10.1)",
                quote(word)
            );
            report.find("dmarc_policy", State::Critical, text);
        }
    }
    if record.p == Setting::Absent {
        let state = if record.rua.has_valid { State::Warning } else { State::Critical };
        let text = format!("_dmarc.{at}: has no p=, which {counts} (RFC 9989 section 4.10.1)");
        report.find("dmarc_policy", state, text);
    }
}

/// Whose mail the record is about. Whether a name below exists matters only where it makes a
/// difference.
fn whose(
    domain: &DomainName,
    at: &DomainName,
    record: &DmarcRecord,
    answers: &Answers,
) -> Result<Whose, Unanswered> {
    if domain == at {
        return Ok(Whose::Own);
    }
    let policies = [Whose::Below, Whose::Nobodys].map(|whose| record.policy(whose).map(|(_, policy)| policy));
    if policies.first() == policies.last() {
        return Ok(Whose::Below);
    }
    let answer = answers.get(domain, Kind::Txt);
    match &answer.outcome {
        Outcome::NxDomain => Ok(Whose::Nobodys),
        outcome if outcome.is_answer() => Ok(Whose::Below),
        outcome => Err(Unanswered::new(domain, Kind::Txt, outcome)),
    }
}

/// The policy that receivers apply to the domain.
fn judge_policy(
    options: &CheckMailPolicy,
    (at, record): (&DomainName, &DmarcRecord),
    whose: Whose,
    report: &mut Report,
) {
    // What is so broken that nobody applies it was said.
    let Some((tag, policy)) = record.policy(whose) else { return };
    let least = options.expect.dmarc_min();
    let of = if at == &options.domain { String::new() } else { format!(" of {at} for {}", options.domain) };
    let mode = if record.is_test { ", only tested (t=y)" } else { "" };
    if record.faults.iter().all(|fault| fault.state < State::Critical) {
        report.find("dmarc", State::Ok, format!("DMARC {tag}={policy}{of}{mode}"));
    }
    if policy < least.policy() {
        let text = format!("_dmarc.{at}: {tag}={policy}{of} is weaker than {} (--dmarc-min)", least.policy());
        report.find("dmarc_weak", State::Warning, text);
    }
    // It was noted; here it is a promise that only part of the receivers keeps.
    if let Some(share) = record.share.filter(|_| policy > Policy::None && least > DmarcMin::None) {
        let text = format!(
            "_dmarc.{at}: pct={share}, so older receivers apply {tag}={policy} to {share} % of the mail \
             (RFC 7489 section 6.3)"
        );
        report.find("dmarc_weak", State::Warning, text);
    }
    if record.is_test && policy > Policy::None {
        let text = format!(
            "_dmarc.{at}: t=y, so receivers apply {} in place of {policy} (RFC 9989 section 4.7)",
            policy.tested()
        );
        match least {
            DmarcMin::None => report.note("dmarc_testing", text),
            DmarcMin::Quarantine | DmarcMin::Reject => report.find("dmarc_testing", State::Warning, text),
        }
    }
}

/// What the domain's own record says about the names below it, where that is weaker than what it
/// says about itself: those who forge mail make up such names.
fn judge_names_below(
    options: &CheckMailPolicy,
    record: &DmarcRecord,
    answers: &Answers,
    report: &mut Report,
) {
    let domain = &options.domain;
    let Some((_, own)) = record.policy(Whose::Own) else { return };
    let below = [("sp", &record.sp), ("np", &record.np)].map(|(tag, setting)| (tag, setting.policy()));
    let weaker: Vec<(&str, Policy)> = below
        .into_iter()
        .filter_map(|(tag, policy)| Some((tag, policy?)))
        .filter(|(_, policy)| *policy < own || *policy < options.expect.dmarc_min().policy())
        .collect();
    if weaker.is_empty() {
        return;
    }
    // Only the record of an organizational domain is looked at for the names below it.
    match Walk::from(domain, answers).organization() {
        Ok(organization) if organization != *domain => {}
        Ok(_) => {
            for (tag, policy) in weaker {
                let least = options.expect.dmarc_min().policy();
                let text = format!("_dmarc.{domain}: {tag}={policy} for names below {domain}");
                if policy < least {
                    report.find(
                        "dmarc_weak",
                        State::Warning,
                        format!("{text} is weaker than {least} (--dmarc-min)"),
                    );
                } else {
                    report.note("dmarc_below", format!("{text} is weaker than p={own}"));
                }
            }
        }
        Err(unanswered) => unanswered.report("dmarc_unknown", options, report),
    }
}

impl DmarcMin {
    const fn policy(self) -> Policy {
        match self {
            Self::None => Policy::None,
            Self::Quarantine => Policy::Quarantine,
            Self::Reject => Policy::Reject,
        }
    }
}
