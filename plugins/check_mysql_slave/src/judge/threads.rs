//! The two threads of a channel: whether they run, why not, and for how long that may be.

use common::report::{Finding, State, quote};

use super::wanted::{AllowStopped, Wanted};
use super::words::span;
use crate::advice;
use crate::replica::{Channel, ServerError, Thread, is_disk_full};

/// A replica that followed a moment ago may be reconnecting.
const RECONNECTING_SECONDS: f64 = 30.0;

pub(super) fn judge_threads(channel: &Channel, wanted: &Wanted) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(judge_disk(channel));
    if channel.is_reset() && channel.io_error.is_none() && channel.sql_error.is_none() {
        let text = "IO and SQL thread stopped, and the replica was reset: no position in the source's log"
            .to_owned();
        found.push(Finding::new("reset", State::Critical, text).with_hint(advice::RESET));
        return found;
    }
    found.extend(judge_io(channel, wanted.allow_stopped.as_ref()));
    found.extend(judge_sql(channel, wanted.allow_stopped.as_ref()));
    if is_stopped_without_reason(channel) {
        for finding in found.iter_mut().filter(|finding| finding.state == State::Critical) {
            finding.hint = Some(advice::STOPPED_BOTH.to_owned());
        }
    }
    found
}

fn is_stopped_without_reason(channel: &Channel) -> bool {
    channel.io == Some(Thread::Stopped)
        && channel.sql == Some(Thread::Stopped)
        && channel.io_error.is_none()
        && channel.sql_error.is_none()
        && channel.worker_errors.is_empty()
}

fn judge_disk(channel: &Channel) -> Option<Finding> {
    let states = [channel.io_state.as_deref(), channel.sql_state.as_deref()];
    let state = states.into_iter().flatten().find(|state| is_disk_full(state))?;
    let text = format!("no room for relay logs: {}", quote(state));
    Some(Finding::new("disk_full", State::Critical, text).with_hint(advice::DISK_FULL))
}

fn judge_io(channel: &Channel, allow: Option<&AllowStopped>) -> Option<Finding> {
    let error = channel.io_error.as_ref();
    match channel.io.as_ref() {
        None => Some(unknown("io_unknown", "the status does not say whether the IO thread runs".to_owned())),
        Some(Thread::Running) => None,
        Some(Thread::Other(word)) => Some(unknown("io_unknown", format!("IO thread is {}", quote(word)))),
        Some(Thread::Stopped) => Some(match error {
            Some(error) if has_given_up(channel, error) => {
                let text = format!(
                    "IO thread gave up on {}{}, START REPLICA needed, {}",
                    channel.source(),
                    attempts(channel),
                    said(error)
                );
                with_advice(Finding::new("io_gave_up", State::Critical, text), error)
                    .with_hint(advice::gave_up(error.number))
            }
            Some(error) => {
                let text = format!("IO thread stopped, {}", said(error));
                with_advice(Finding::new("io_stopped", State::Critical, text), error)
            }
            None => stopped("io_stopped", "IO", allow.filter(|allow| allow.io), channel.io_stopped_seconds),
        }),
        Some(Thread::Connecting | Thread::Preparing) => Some(connecting(channel)),
    }
}

/// Only a failing connection ends in an error of the client library, and only when all
/// attempts are used up.
fn has_given_up(channel: &Channel, error: &ServerError) -> bool {
    channel.retries.are_used_up() || (2000..3000).contains(&error.number)
}

fn connecting(channel: &Channel) -> Finding {
    let mut text = format!("IO connecting to {}", channel.source());
    if let Some(error) = &channel.io_error {
        text.push_str(&format!(", {}", said(error)));
    }
    text.push_str(&attempts(channel));
    if let Some(seconds) = channel.retries.gives_up_in_seconds() {
        text.push_str(&format!(", gives up in ~{}", span(seconds)));
    }
    let is_recent = channel.good_seconds_ago.is_some_and(|seconds| seconds <= RECONNECTING_SECONDS);
    let state = if is_recent { State::Warning } else { State::Critical };
    let finding = Finding::new("io_connecting", state, text);
    match &channel.io_error {
        Some(error) => with_advice(finding, error),
        None => finding.with_hint(advice::CONNECTING),
    }
}

fn attempts(channel: &Channel) -> String {
    match (channel.retries.attempt, channel.retries.of) {
        (Some(attempt), Some(of)) => format!(", attempt {attempt}/{of}"),
        (Some(attempt), None) => format!(", attempt {attempt}"),
        (None, _) => String::new(),
    }
}

fn judge_sql(channel: &Channel, allow: Option<&AllowStopped>) -> Option<Finding> {
    let error = sql_error(channel);
    match channel.sql.as_ref() {
        None => {
            Some(unknown("sql_unknown", "the status does not say whether the SQL thread runs".to_owned()))
        }
        Some(Thread::Running) => {
            let worker = channel.worker_errors.first()?;
            let text = format!("a worker of the SQL thread met {}", said(&worker.error));
            Some(with_advice(Finding::new("worker_error", State::Warning, text), &worker.error))
        }
        Some(Thread::Stopped) => Some(match error {
            Some(error) => {
                let text = format!("SQL thread stopped, {}", said(error));
                with_advice(Finding::new("sql_stopped", State::Critical, text), error)
            }
            None => {
                stopped("sql_stopped", "SQL", allow.filter(|allow| allow.sql), channel.sql_stopped_seconds)
            }
        }),
        Some(other) => Some(unknown("sql_unknown", format!("SQL thread is {}", quote(other.word())))),
    }
}

/// The error that says most: of a parallel applier the row only says that a worker knows.
fn sql_error(channel: &Channel) -> Option<&ServerError> {
    let number = channel.sql_error.as_ref().map(|error| error.number);
    let workers = || channel.worker_errors.iter().map(|worker| &worker.error);
    let same = workers().find(|error| Some(error.number) == number);
    same.or_else(|| workers().next()).or(channel.sql_error.as_ref())
}

/// A thread that stands without an error was stopped by someone.
fn stopped(id: &'static str, thread: &str, allow: Option<&AllowStopped>, seconds: Option<f64>) -> Finding {
    let text = format!("{thread} thread stopped without an error");
    let Some(allow) = allow else {
        return Finding::new(id, State::Critical, text).with_hint(advice::STOPPED);
    };
    match (allow.seconds, seconds) {
        (None, _) => Finding::new(id, State::Warning, format!("{text}, as --allow-stopped has it")),
        (Some(limit), Some(seconds)) if seconds <= limit => {
            let text = format!("{text} for {} of {} allowed", span(seconds), span(limit));
            Finding { is_note: true, ..Finding::new(id, State::Ok, text) }
        }
        (Some(limit), Some(seconds)) => {
            let text = format!("{text} for {}, allowed are {}", span(seconds), span(limit));
            Finding::new(id, State::Critical, text).with_hint(advice::STOPPED)
        }
        (Some(_), None) => {
            Finding::new(id, State::Warning, format!("{text}, and nothing is remembered of since when"))
        }
    }
}

/// `errno 1062 "Duplicate entry ..."`
fn said(error: &ServerError) -> String {
    let words = essential(&error.text);
    match (error.number, words.is_empty()) {
        (0, _) => quote(words),
        (number, true) => format!("errno {number}"),
        (number, false) => format!("errno {number} {}", quote(words)),
    }
}

/// The words that name table and key or the cause: a worker's text has a transaction and a
/// position in front, that of a connection the numbers which are shown anyway.
fn essential(text: &str) -> &str {
    let rest = if text.starts_with("Worker ") {
        text.split_once("; ").map(|(_, rest)| rest)
    } else if text.contains("connecting to ") {
        text.split_once("essage: ").map(|(_, rest)| rest)
    } else {
        None
    };
    rest.map(str::trim).filter(|rest| !rest.is_empty()).unwrap_or(text)
}

fn with_advice(finding: Finding, error: &ServerError) -> Finding {
    match advice::on_error(error.number, &error.text) {
        Some(hint) => finding.with_hint(hint),
        None => finding,
    }
}

fn unknown(id: &'static str, text: String) -> Finding {
    Finding::new(id, State::Unknown, text)
}
