//! One channel: threads, lag, link, and what makes it silently incomplete.

use common::report::{Finding, State, format_number, quote};

use super::Judged;
use super::compare::{Comparison, judge_link};
use super::lag::{judge_delay, judge_lag, lag};
use super::threads::judge_threads;
use super::wanted::Wanted;
use super::words::{count, span};
use crate::advice;
use crate::replica::{Channel, Replica, Thread};

pub(super) fn judge_channel<'a>(channel: &'a Channel, replica: &Replica, wanted: &Wanted) -> Judged<'a> {
    let is_compared = replica.channel_from_source().is_some_and(|found| found.name == channel.name);
    let source = replica.source.as_ref().filter(|source| is_compared && source.problem.is_none());
    let comparison = source.map(|source| Comparison::new(channel, &replica.server, source));
    let lag = lag(channel, replica, comparison.as_ref(), wanted);
    let mut findings = judge_threads(channel, wanted);
    findings.extend(judge_lag(&lag, channel, wanted));
    findings.extend(judge_delay(channel, replica, wanted));
    if let Some(comparison) = &comparison {
        findings.extend(judge_link(channel, replica, comparison));
    }
    findings.extend(judge_silence(channel, wanted));
    findings.extend(judge_gaps(channel, wanted));
    findings.extend(judge_relay_space(channel, wanted));
    Judged { channel, lag, comparison, findings }
}

/// A source that has nothing to say says so once a heartbeat period.
fn judge_silence(channel: &Channel, wanted: &Wanted) -> Option<Finding> {
    if channel.io != Some(Thread::Running) {
        return None;
    }
    let note = |text: &str| Some(Finding { is_note: true, ..Finding::new("silence", State::Ok, text) });
    if channel.is_receiving == Some(true) {
        return None;
    }
    let period = match channel.heartbeat_period_seconds {
        Some(period) if period > 0.0 => period,
        Some(_) => return note("silence of the link cannot be judged: heartbeats are off"),
        None => return note("silence of the link cannot be judged: the heartbeat period is not known"),
    };
    let Some(silence) = channel.silence_seconds else {
        return note("silence of the link is not known yet");
    };
    let (factor, state) = if silence >= period * wanted.silence_critical {
        (wanted.silence_critical, State::Critical)
    } else if silence >= period * wanted.silence_warning {
        (wanted.silence_warning, State::Warning)
    } else {
        return None;
    };
    let text = format!(
        "source {} silent for {}, {} from {} ({} x heartbeat period {})",
        channel.source(),
        span(silence),
        state.name().to_lowercase(),
        span(period * factor),
        format_number(factor),
        span(period)
    );
    Some(Finding::new("silence", state, text).with_hint(advice::SILENT))
}

/// What makes a replica differ from its source though all runs.
fn judge_gaps(channel: &Channel, wanted: &Wanted) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(skipped) = channel.skip_counter.filter(|skipped| *skipped > 0) {
        let events = count(usize::try_from(skipped).unwrap_or(usize::MAX), "event");
        let text = format!("{events} of the source will be skipped (skip counter)");
        found.push(Finding::new("skip_counter", State::Warning, text).with_hint(advice::SKIP));
    }
    if let Some(until) = &channel.until {
        let text = format!("the SQL thread runs only UNTIL a position ({})", quote(until));
        found.push(Finding::new("until", State::Warning, text).with_hint(advice::UNTIL));
    }
    if wanted.forbid_filters && !channel.filters.is_empty() {
        let filters: Vec<String> =
            channel.filters.iter().map(|(name, value)| format!("{name}={}", quote(value))).collect();
        let text = format!("replication is filtered: {}", filters.join(", "));
        found.push(Finding::new("filters", State::Warning, text).with_hint(advice::FILTERS));
    }
    found
}

fn judge_relay_space(channel: &Channel, wanted: &Wanted) -> Option<Finding> {
    let limits = wanted.relay_space;
    if limits.warning.is_none() && limits.critical.is_none() {
        return None;
    }
    let Some(space) = channel.relay_space_bytes else {
        let text = "the server does not tell the space of its relay logs";
        return Some(Finding::new("relay_space", State::Unknown, text));
    };
    let range = limits.deciding(space)?;
    let state = limits.judge(space);
    let limit = range.upper_limit().map_or_else(|| range.to_string(), format_number);
    let text =
        format!("relay logs take {} B, {} above {limit}", format_number(space), state.name().to_lowercase());
    Some(Finding::new("relay_space", state, text).with_hint(advice::RELAY_SPACE))
}
