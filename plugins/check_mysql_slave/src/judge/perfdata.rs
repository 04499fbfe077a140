//! What is measured, and a line for each channel.

use common::report::{Metric, Perfdata, Report, Thresholds, Uom, quote};

use super::Judged;
use super::compare::count_of;
use super::wanted::Wanted;
use super::words::{number, span};
use crate::replica::{Channel, Replica, Thread};

const fn bytes(label: &'static str, help: &'static str) -> Metric {
    Metric { label, uom: Uom::Bytes, help, min: Some(0.0), max: None }
}

const LAG: Metric = Metric::seconds("lag", "effective lag, without the delay by design");
const IO_RUNNING: Metric = Metric::count("io_running", "1 when the receiving thread runs");
const SQL_RUNNING: Metric = Metric::count("sql_running", "1 when the applying thread runs");
const SILENCE: Metric = Metric::seconds("silence", "since something was heard of the source");
const RELAY_SPACE: Metric = bytes("relay_space", "all relay logs");
const SQL_DELAY: Metric = Metric::seconds("sql_delay", "delay by design");
const REMAINING_DELAY: Metric = Metric::seconds("remaining_delay", "rest of it for the next event");
const RETRIES: Metric = Metric::count("retries", "attempts to reach the source since it was lost");
const GTID_GAP: Metric =
    Metric::count("gtid_gap", "transactions of the source that are not applied, with --source");
const PROBE: Metric = Metric::seconds("probe", "from source to replica, with --probe-table");

/// All metrics: those of the default channel, and those of a named one.
pub const METRICS: &[Metric] = &[
    LAG,
    IO_RUNNING,
    SQL_RUNNING,
    SILENCE,
    RELAY_SPACE,
    SQL_DELAY,
    REMAINING_DELAY,
    RETRIES,
    GTID_GAP,
    PROBE,
    Metric { label: "<channel>.lag", ..LAG },
    Metric { label: "<channel>.io_running", ..IO_RUNNING },
    Metric { label: "<channel>.sql_running", ..SQL_RUNNING },
    Metric { label: "<channel>.silence", ..SILENCE },
    Metric { label: "<channel>.relay_space", ..RELAY_SPACE },
    Metric { label: "<channel>.sql_delay", ..SQL_DELAY },
    Metric { label: "<channel>.remaining_delay", ..REMAINING_DELAY },
    Metric { label: "<channel>.retries", ..RETRIES },
    Metric { label: "<channel>.gtid_gap", ..GTID_GAP },
];

pub(super) fn record(judged: &[Judged<'_>], replica: &Replica, wanted: &Wanted, report: &mut Report) {
    for one in judged {
        record_channel(one, wanted, report);
    }
    if let Some(probe) = &replica.probe {
        report.record(&PROBE, probe.arrived_after_seconds);
    }
}

/// Nothing is known of any channel: the graphs show a gap and no zero.
pub(super) fn record_unknown(wanted: &Wanted, report: &mut Report) {
    report.push(Perfdata::new(&LAG, None, wanted.lag));
    report.record(&IO_RUNNING, None);
    report.record(&SQL_RUNNING, None);
}

fn record_channel(one: &Judged<'_>, wanted: &Wanted, report: &mut Report) {
    let channel = one.channel;
    let mut push = |metric: &Metric, value: Option<f64>, thresholds: Thresholds| {
        let label = match channel.name.as_str() {
            "" => metric.label.to_owned(),
            name => format!("{name}.{}", metric.label),
        };
        report.push(Perfdata { label, ..Perfdata::new(metric, value, thresholds) });
    };
    let none = Thresholds::default();
    push(&LAG, one.lag.seconds(), wanted.lag);
    push(&IO_RUNNING, channel.io.as_ref().and_then(runs), none);
    push(&SQL_RUNNING, channel.sql.as_ref().and_then(runs), none);
    push(&SILENCE, channel.silence_seconds, none);
    push(&RELAY_SPACE, channel.relay_space_bytes, wanted.relay_space);
    push(&SQL_DELAY, channel.delay_seconds, none);
    // It does not apply to a replica without a delay.
    if channel.delay_seconds.is_some_and(|delay| delay > 0.0) {
        push(&REMAINING_DELAY, channel.remaining_delay_seconds, none);
    }
    push(&RETRIES, retries(channel), none);
    if let Some(comparison) = &one.comparison {
        push(&GTID_GAP, comparison.missing.map(number), none);
    }
}

fn runs(thread: &Thread) -> Option<f64> {
    match thread {
        Thread::Running => Some(1.0),
        Thread::Stopped | Thread::Connecting | Thread::Preparing => Some(0.0),
        Thread::Other(_) => None,
    }
}

fn retries(channel: &Channel) -> Option<f64> {
    match channel.io {
        Some(Thread::Running) => Some(0.0),
        _ => channel.retries.attempt.map(number),
    }
}

/// What there is to know of a channel, in one line.
pub(super) fn line(one: &Judged<'_>) -> String {
    let channel = one.channel;
    let word = |thread: &Option<Thread>| match thread {
        Some(Thread::Other(word)) => quote(word),
        Some(thread) => thread.word().to_owned(),
        None => "unknown".to_owned(),
    };
    let known = |seconds: Option<f64>| seconds.map_or_else(|| "unknown".to_owned(), span);
    let mut text = format!(
        "channel {}: source {}, IO {}, SQL {}, lag {}, silence {}",
        label(channel),
        channel.source(),
        word(&channel.io),
        word(&channel.sql),
        known(one.lag.seconds()),
        known(channel.silence_seconds)
    );
    if let Some(delay) = channel.delay_seconds.filter(|delay| *delay > 0.0) {
        text.push_str(&format!(", delayed {} by design", span(delay)));
        if let Some(rest) = channel.remaining_delay_seconds {
            text.push_str(&format!(" (next event in {})", span(rest)));
        }
    }
    if let Some(missing) = one.comparison.as_ref().and_then(|comparison| comparison.missing) {
        text.push_str(&format!(", {} missing", count_of(missing)));
    }
    text
}

/// A name for every channel.
pub(super) fn label(channel: &Channel) -> &str {
    if channel.name.is_empty() { "default" } else { &channel.name }
}
