//! The server beside its relaying: limits, values, background.

use common::plugin::{Run, describe_opening};
use common::report::{Condition, Finding, Report, State, quote};

use crate::CheckSmtpRelay;
use crate::judge::{Place, bare};
use crate::probes::Form;
use crate::seen::{Outcome, Seen, Server, Tried};
use crate::{ACCEPTED, ERRORS_TAKEN, PROBES, RECIPIENTS_TAKEN};

/// What was asked and taken, at all addresses together.
pub(crate) fn record(seen: &Seen, report: &mut Report) {
    let probes = || seen.servers.iter().flat_map(|server| &server.probes);
    let asked = probes().filter(|asked| asked.answer().is_some()).count();
    let foreign = |form: Form| form.is_foreign() || form.is_variant();
    let taken = probes().filter(|asked| foreign(asked.form) && asked.is_taken()).count();
    // Without an answer to the question itself nothing is known of a server; one that cannot be
    // reached was not asked.
    let is_known = |server: &Server| server.asked(Form::Plain).is_some_and(|plain| plain.answer().is_some());
    let mut reached = seen.servers.iter().filter(|server| server.unreached().is_none()).peekable();
    let known = reached.peek().is_some() && reached.all(is_known);
    report.record_count(&PROBES, Some(asked));
    report.record_count(&ACCEPTED, known.then_some(taken));
    if let Some(limits) = &seen.limits {
        report.record(&ERRORS_TAKEN, limits.errors.taken());
        report.record(&RECIPIENTS_TAKEN, limits.recipients.taken());
    }
}

/// Whether the server draws its lines where they are wanted.
pub(crate) fn judge_limits(options: &CheckSmtpRelay, seen: &Seen, run: &Run, report: &mut Report) {
    let (Some(limits), Some(server)) = (&seen.limits, seen.first_answered()) else { return };
    let place = Place::of(options, seen, server);
    let findings = [
        judge_errors(&limits.errors, options.limits.error_limit, run),
        judge_recipients(&limits.recipients, options.limits.recipient_limit, run),
    ];
    for finding in findings {
        report.add(Finding { text: place.says(finding.text), ..finding });
    }
}

fn judge_errors(errors: &Tried, limit: u32, run: &Run) -> Finding {
    let slowed = match errors.slowed {
        Some((since, slowest)) => format!(", answers held back up to {slowest:.1} s from error {since} on"),
        None => ", no answer held back before".to_owned(),
    };
    if let Some(why) = &errors.cut_short {
        let text = format!("limit on errors not proved after {} of them: {why}", errors.count);
        Finding::new("error_limit_not_proved", run.states.state(Condition::Incomplete), text)
    } else if errors.closed {
        let text = format!("the session ends after {} errors{slowed}{}", errors.count, said(errors));
        note("errors_limited", text)
    } else {
        let text = format!(
            "no limit on errors: the session goes on after {} of them, limit {limit}{slowed}",
            errors.count
        );
        Finding::new("errors_unlimited", State::Warning, text)
            .with_hint("Postfix: smtpd_hard_error_limit; who guesses addresses or passwords is never stopped")
    }
}

fn judge_recipients(recipients: &Tried, limit: u32, run: &Run) -> Finding {
    let taken = recipients.count;
    if let Some(why) = &recipients.cut_short {
        let text = format!("limit on recipients not proved after {taken} of them: {why}");
        Finding::new("recipient_limit_not_proved", run.states.state(Condition::Incomplete), text)
    } else if recipients.is_limited() {
        let text = format!("takes {taken} recipients for one message{}", said(recipients));
        note("recipients_limited", text)
    } else {
        let text = format!("no limit on recipients: {taken} are taken for one message, limit {limit}");
        Finding::new("recipients_unlimited", State::Warning, text)
            .with_hint("Postfix: smtpd_recipient_limit; Exim: recipients_max")
    }
}

fn note(id: &'static str, text: String) -> Finding {
    Finding { is_note: true, ..Finding::new(id, State::Ok, text) }
}

fn said(tried: &Tried) -> String {
    tried.line.as_ref().map(|said| format!(": {}", quote(&said.words))).unwrap_or_default()
}

/// Background for `-v`, `-vv` and `-vvv`.
pub(crate) fn describe(options: &CheckSmtpRelay, seen: &Seen, report: &mut Report) {
    for server in &seen.servers {
        let place = Place::of(options, seen, server);
        for asked in &server.probes {
            let said = match &asked.outcome {
                Outcome::Answered(said) => quote(&said.words),
                Outcome::Barred(step, said) => format!("{step} refused: {}", quote(&said.words)),
                Outcome::Lost => "not answered".to_owned(),
                Outcome::Skipped => "not asked".to_owned(),
            };
            let line = format!("{} {}: {said}", asked.form.words(), bare(&asked.recipient));
            report.context(1, place.says(line));
        }
        for session in &server.sessions {
            describe_opening(&session.opening, report);
        }
    }
}
