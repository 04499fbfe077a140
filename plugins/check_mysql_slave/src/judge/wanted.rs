//! What the operator wants of a replica: the options, as the judgement needs them.

use clap::ValueEnum;
use common::proto::glob;
use common::report::{Range, State, Thresholds};

use crate::replica::Channel;

/// Limits and expectations. [`Wanted::default`] has the defaults of the options.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// `-w`, `-c`: seconds of effective lag.
    pub lag: Thresholds,
    /// `--lag-source`
    pub lag_source: LagSource,
    /// `--heartbeat-server-id`
    pub heartbeat_server: HeartbeatServer,
    /// `--max-skew`
    pub max_skew_seconds: f64,
    /// `--channel`: globs; empty for all.
    pub channels: Vec<String>,
    /// `--exclude-channel`: globs.
    pub exclude_channels: Vec<String>,
    /// `--expect-channels`
    pub expect_channels: Option<usize>,
    /// `--expect-source`: host and, if it was given, port.
    pub expect_sources: Vec<(String, Option<u16>)>,
    /// `--not-replica`
    pub not_replica: State,
    /// `--allow-stopped`
    pub allow_stopped: Option<AllowStopped>,
    /// `--min-delay`
    pub min_delay_seconds: Option<f64>,
    /// `--silence-warning`, times the heartbeat period.
    pub silence_warning: f64,
    /// `--silence-critical`, times the heartbeat period.
    pub silence_critical: f64,
    /// `--read-only`
    pub read_only: ReadOnly,
    /// `--errant`
    pub errant: Errant,
    /// `--relay-space-warning`, `--relay-space-critical`
    pub relay_space: Thresholds,
    /// `--semi-sync`
    pub semi_sync: bool,
    /// `--forbid-filters`
    pub forbid_filters: bool,
}

/// Where lag is taken from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LagSource {
    /// The heartbeat table if there is one, else what the server says.
    #[default]
    Auto,
    /// What the server says.
    Status,
    /// The heartbeat table.
    Heartbeat,
    /// Whether anything of the source is missing.
    Source,
}

/// Whose heartbeat counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeartbeatServer {
    /// That of the source, else the only one.
    #[default]
    Auto,
    /// The oldest of all.
    All,
    /// That of one server.
    Id(u64),
}

/// Threads that may be stopped on purpose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AllowStopped {
    /// The receiving one.
    pub io: bool,
    /// The applying one.
    pub sql: bool,
    /// For so long it is fine, and critical afterwards. `None`: always a warning.
    pub seconds: Option<f64>,
}

/// What `read_only` has to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ReadOnly {
    /// `read_only`
    #[default]
    On,
    /// `super_read_only`
    Super,
    /// Writable: one of two sources of each other.
    Off,
    /// Whatever it is.
    Ignore,
}

/// How transactions are looked for that only the replica has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Errant {
    /// Not at all.
    Off,
    /// By their origin, which is a hint.
    #[default]
    Local,
    /// By comparison with the source.
    Exact,
}

impl Default for Wanted {
    fn default() -> Self {
        let above = |limit: f64| Some(Range::outside(0.0, limit));
        Self {
            lag: Thresholds { warning: above(60.0), critical: above(300.0) },
            lag_source: LagSource::default(),
            heartbeat_server: HeartbeatServer::default(),
            max_skew_seconds: 2.0,
            channels: Vec::new(),
            exclude_channels: Vec::new(),
            expect_channels: None,
            expect_sources: Vec::new(),
            not_replica: State::Critical,
            allow_stopped: None,
            min_delay_seconds: None,
            silence_warning: 1.4,
            silence_critical: 1.8,
            read_only: ReadOnly::default(),
            errant: Errant::default(),
            relay_space: Thresholds::default(),
            semi_sync: false,
            forbid_filters: false,
        }
    }
}

impl Wanted {
    /// Whether a channel is asked for. `default` is another word for the one without a name.
    #[must_use]
    pub fn takes(&self, channel: &Channel) -> bool {
        let name = if channel.name.is_empty() { "default" } else { &channel.name };
        let any =
            |list: &[String]| list.iter().any(|one| glob::fits(one, name) || glob::fits(one, &channel.name));
        (self.channels.is_empty() || any(&self.channels)) && !any(&self.exclude_channels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_channel_has_a_name_too() {
        let wanted = Wanted { channels: vec!["def*".to_owned()], ..Wanted::default() };
        assert!(wanted.takes(&Channel::default()));
        assert!(!wanted.takes(&Channel { name: "west".to_owned(), ..Channel::default() }));
    }
}
