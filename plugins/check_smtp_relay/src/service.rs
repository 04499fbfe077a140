//! The server beside its relaying: limits, values, background.

use common::plugin::{Run, describe_opening};
use common::report::{Condition, Finding, Report, State, quote};

use crate::judge::bare;
use crate::options::LimitArgs;
use crate::probes::Form;
use crate::seen::{Limits, Outcome, Seen, Tried};
use crate::{ACCEPTED, ERRORS_TAKEN, PROBES, RECIPIENTS_TAKEN};

/// What was asked and taken.
pub(crate) fn record(seen: &Seen, report: &mut Report) {
    let asked = seen.probes.iter().filter(|asked| asked.answer().is_some()).count();
    let foreign = |form: Form| form.is_foreign() || form.is_variant();
    let taken = seen.probes.iter().filter(|asked| foreign(asked.form) && asked.is_taken()).count();
    // Without an answer to the question itself nothing is known.
    let known = seen.asked(Form::Plain).is_some_and(|plain| plain.answer().is_some());
    report.record_count(&PROBES, Some(asked));
    report.record_count(&ACCEPTED, known.then_some(taken));
    if let Some(limits) = &seen.limits {
        report.record(&ERRORS_TAKEN, limits.errors.taken());
        report.record(&RECIPIENTS_TAKEN, limits.recipients.taken());
    }
}

/// Whether the server draws its lines where they are wanted.
pub(crate) fn judge_limits(limits: &Limits, wanted: &LimitArgs, run: &Run, report: &mut Report) {
    judge_errors(&limits.errors, wanted.error_limit, run, report);
    judge_recipients(&limits.recipients, wanted.recipient_limit, run, report);
}

fn judge_errors(errors: &Tried, limit: u32, run: &Run, report: &mut Report) {
    let slowed = match errors.slowed {
        Some((since, slowest)) => format!(", answers held back up to {slowest:.1} s from error {since} on"),
        None => ", no answer held back before".to_owned(),
    };
    if let Some(why) = &errors.cut_short {
        let text = format!("limit on errors not proved after {} of them: {why}", errors.count);
        report.find("error_limit_not_proved", run.states.state(Condition::Incomplete), text);
    } else if errors.closed {
        let text = format!("the session ends after {} errors{slowed}{}", errors.count, said(errors));
        report.note("errors_limited", text);
    } else {
        let text = format!(
            "no limit on errors: the session goes on after {} of them, limit {limit}{slowed}",
            errors.count
        );
        report.add(Finding::new("errors_unlimited", State::Warning, text).with_hint(
            "Postfix: smtpd_hard_error_limit; who guesses addresses or passwords is never stopped",
        ));
    }
}

fn judge_recipients(recipients: &Tried, limit: u32, run: &Run, report: &mut Report) {
    let taken = recipients.count;
    if let Some(why) = &recipients.cut_short {
        let text = format!("limit on recipients not proved after {taken} of them: {why}");
        report.find("recipient_limit_not_proved", run.states.state(Condition::Incomplete), text);
    } else if recipients.is_limited() {
        report.note(
            "recipients_limited",
            format!("takes {taken} recipients for one message{}", said(recipients)),
        );
    } else {
        let text = format!("no limit on recipients: {taken} are taken for one message, limit {limit}");
        report.add(
            Finding::new("recipients_unlimited", State::Warning, text)
                .with_hint("Postfix: smtpd_recipient_limit; Exim: recipients_max"),
        );
    }
}

fn said(tried: &Tried) -> String {
    tried.line.as_ref().map(|said| format!(": {}", quote(&said.words))).unwrap_or_default()
}

/// Background for `-v`, `-vv` and `-vvv`.
pub(crate) fn describe(seen: &Seen, report: &mut Report) {
    for asked in &seen.probes {
        let said = match &asked.outcome {
            Outcome::Answered(said) => quote(&said.words),
            Outcome::Barred(step, said) => format!("{step} refused: {}", quote(&said.words)),
            Outcome::Lost => "not answered".to_owned(),
            Outcome::Skipped => "not asked".to_owned(),
        };
        report.context(1, format!("{} {}: {said}", asked.form.words(), bare(&asked.recipient)));
    }
    for session in &seen.sessions {
        describe_opening(&session.opening, report);
    }
}
