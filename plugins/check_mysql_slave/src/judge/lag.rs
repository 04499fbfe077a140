//! How far a channel is behind, by whom that is told, and what by design takes off.

use common::report::{Finding, State, format_number};

use super::compare::{Comparison, count_of};
use super::wanted::{HeartbeatServer, LagSource, Wanted};
use super::words::span;
use crate::advice;
use crate::replica::{Channel, Heartbeats, Replica};

/// What is known of the lag of a channel.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Lag {
    /// Seconds, without the delay by design.
    Known(f64),
    /// Not known, for a reason that another finding gives.
    Unknown,
    /// Not known, and that is a finding.
    Strange(Finding),
}

impl Lag {
    pub(super) fn seconds(&self) -> Option<f64> {
        match self {
            Self::Known(seconds) => Some(*seconds),
            Self::Unknown | Self::Strange(_) => None,
        }
    }
}

/// The effective lag.
pub(super) fn lag(
    channel: &Channel,
    replica: &Replica,
    comparison: Option<&Comparison>,
    wanted: &Wanted,
) -> Lag {
    let raw = match (wanted.lag_source, &replica.heartbeats) {
        (LagSource::Auto | LagSource::Heartbeat, Some(heartbeats)) => {
            heartbeat(channel, heartbeats, replica, wanted)
        }
        (LagSource::Heartbeat, None) => {
            strange("heartbeat", State::Unknown, "the heartbeat table was not asked".to_owned())
        }
        (LagSource::Source, _) => by_source(channel, comparison),
        (LagSource::Auto, None) => oldest(status(channel), channel),
        (LagSource::Status, _) => status(channel),
    };
    match raw {
        Lag::Known(seconds) => Lag::Known((seconds - channel.delay_seconds.unwrap_or(0.0)).max(0.0)),
        other => other,
    }
}

/// What the server says, which means something only while both threads run: some say 0 of a
/// channel that never connected.
fn status(channel: &Channel) -> Lag {
    match channel.seconds_behind {
        _ if !channel.is_running() => Lag::Unknown,
        Some(seconds) => Lag::Known(seconds),
        None => strange(
            "lag_unknown",
            State::Warning,
            "both threads run, but the server does not know how far it is behind".to_owned(),
        ),
    }
}

/// A transaction that is being applied is as old as it is at its origin, however many
/// servers it came through.
fn oldest(status: Lag, channel: &Channel) -> Lag {
    match (status, channel.applying_seconds) {
        (Lag::Known(seconds), Some(applying)) => Lag::Known(seconds.max(applying)),
        (status, _) => status,
    }
}

fn heartbeat(channel: &Channel, heartbeats: &Heartbeats, replica: &Replica, wanted: &Wanted) -> Lag {
    if let Some(problem) = &heartbeats.problem {
        let text = format!("cannot read the heartbeat table: {problem}");
        return Lag::Strange(Finding::new("heartbeat", State::Unknown, text).with_hint(advice::HEARTBEAT));
    }
    let age = match heartbeat_age(channel, heartbeats, replica, wanted.heartbeat_server) {
        Ok(age) => age,
        Err(text) => return strange("heartbeat", State::Unknown, text),
    };
    let skew = replica.source.as_ref().and_then(|source| source.skew_seconds);
    if age < -wanted.max_skew_seconds {
        let text = format!(
            "heartbeat is {} in the future: clocks differ by more than {} s, lag not judged",
            span(-age),
            format_number(wanted.max_skew_seconds)
        );
        return Lag::Strange(Finding::new("clock_skew", State::Warning, text).with_hint(advice::FUTURE));
    }
    match skew {
        // Told once, for the whole server.
        Some(skew) if skew.abs() > wanted.max_skew_seconds => Lag::Unknown,
        _ => Lag::Known(age.max(0.0)),
    }
}

fn heartbeat_age(
    channel: &Channel,
    heartbeats: &Heartbeats,
    replica: &Replica,
    server: HeartbeatServer,
) -> Result<f64, String> {
    let foreign = || {
        let own = replica.server.server_id;
        heartbeats.rows.iter().filter(move |row| own != Some(row.server_id))
    };
    let of = |id: u64| heartbeats.rows.iter().find(|row| row.server_id == id);
    let row = match server {
        HeartbeatServer::Id(id) => {
            of(id).ok_or_else(|| format!("the heartbeat table has no row of server {id}"))?
        }
        HeartbeatServer::All => {
            if let Some(row) = foreign().find(|row| row.age_seconds.is_none()) {
                return Err(format!(
                    "the heartbeat of server {} has no time that can be read",
                    row.server_id
                ));
            }
            let age = |row: &&crate::replica::Heartbeat| row.age_seconds.unwrap_or(f64::INFINITY);
            foreign()
                .max_by(|one, other| age(one).total_cmp(&age(other)))
                .ok_or("the heartbeat table has no row of another server")?
        }
        HeartbeatServer::Auto => match channel.source_server_id.and_then(of) {
            Some(row) => row,
            None => {
                let mut rows = foreign();
                match (rows.next(), rows.next()) {
                    (Some(row), None) => row,
                    (None, _) => return Err("the heartbeat table has no row of another server".to_owned()),
                    (Some(_), Some(_)) => {
                        return Err("several servers write heartbeats, and none is the source; \
                                    --heartbeat-server-id says which counts"
                            .to_owned());
                    }
                }
            }
        },
    };
    row.age_seconds
        .ok_or_else(|| format!("the heartbeat of server {} has no time that can be read", row.server_id))
}

/// Nothing is missing: no lag. Otherwise the server's word, unless it denies what was seen.
fn by_source(channel: &Channel, comparison: Option<&Comparison>) -> Lag {
    let Some(comparison) = comparison else {
        return strange(
            "source",
            State::Unknown,
            "no lag by --source: it is not a source of this channel".to_owned(),
        );
    };
    match (comparison.missing, status(channel)) {
        (Some(0), _) => Lag::Known(0.0),
        (Some(missing), Lag::Known(0.0)) => {
            let text = format!("the server claims no lag, but misses {} of the source", count_of(missing));
            strange("lag_unknown", State::Warning, text)
        }
        (Some(_), status) => status,
        (None, _) => {
            let text = "no lag by --source: what is missing cannot be told without GTIDs".to_owned();
            strange("source", State::Unknown, text)
        }
    }
}

fn strange(id: &'static str, state: State, text: String) -> Lag {
    Lag::Strange(Finding::new(id, state, text))
}

/// The finding on a known lag, and on one that is strange.
pub(super) fn judge_lag(lag: &Lag, channel: &Channel, wanted: &Wanted) -> Option<Finding> {
    let seconds = match lag {
        Lag::Strange(finding) => return Some(finding.clone()),
        Lag::Unknown => return None,
        Lag::Known(seconds) => *seconds,
    };
    let range = wanted.lag.deciding(seconds)?;
    let state = wanted.lag.judge(seconds);
    let limit = match range.upper_limit() {
        Some(limit) => format!("above {}", format_number(limit)),
        None => format!("against {range}"),
    };
    let design = match channel.delay_seconds {
        Some(delay) if delay > 0.0 => format!(" more than the delay of {}", span(delay)),
        _ => String::new(),
    };
    let text = format!("lag is {}{design}, {} {limit}", span(seconds), state.name().to_lowercase());
    Some(Finding::new("lag", state, text))
}

/// A delayed replica that is too fresh: the mistake it is kept for would be in it already.
pub(super) fn judge_delay(channel: &Channel, replica: &Replica, wanted: &Wanted) -> Option<Finding> {
    let wanted_delay = wanted.min_delay_seconds?;
    let found = |text: String| Some(Finding::new("delay", State::Critical, text));
    match channel.delay_seconds {
        None => Some(Finding::new("delay", State::Unknown, "the server does not tell its delay".to_owned())),
        Some(delay) if delay < wanted_delay => {
            found(format!("delay is {}, must be {} at least", span(delay), span(wanted_delay)))
        }
        Some(_) => {
            let heartbeats = replica.heartbeats.as_ref().filter(|found| found.problem.is_none())?;
            let age = heartbeat_age(channel, heartbeats, replica, wanted.heartbeat_server).ok()?;
            // The heartbeat is as old as its period more, never less.
            (age + wanted.max_skew_seconds < wanted_delay).then(|| {
                Finding::new(
                    "delay",
                    State::Critical,
                    format!("data is {} old, must be {} at least", span(age.max(0.0)), span(wanted_delay)),
                )
            })
        }
    }
}
