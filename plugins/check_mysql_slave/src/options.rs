//! Options of this check alone: which channels, what lag, and what else a replica must be.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{ArgAction, Args};
use common::cli::UsageError;
use common::proto::names::Host;
use common::report::{Range, Seconds, State, Thresholds, TimeRange};

use crate::judge::{AllowStopped, Errant, HeartbeatServer, LagSource, ReadOnly, Wanted};

/// How far behind a replica may be, and how that is measured.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Lag")]
pub struct LagArgs {
    /// WARNING when a channel lags more, SQL_Delay not counted [default: 60]
    #[arg(short, long, value_name = "RANGE", allow_hyphen_values = true)]
    pub warning: Option<TimeRange>,
    /// CRITICAL when a channel lags more [default: 300]
    #[arg(short, long, value_name = "RANGE", allow_hyphen_values = true)]
    pub critical: Option<TimeRange>,
    /// Where lag is taken from; auto: the heartbeat table if one is given, else the status
    #[arg(long, value_name = "SOURCE", value_enum, default_value_t)]
    pub lag_source: LagSource,
    /// Table that pt-heartbeat writes on the source
    #[arg(long, value_name = "DB.TABLE")]
    pub heartbeat_table: Option<Table>,
    /// Row of the heartbeat table: auto (the server this replicates from), all, or a server id
    #[arg(long, value_name = "ID", default_value = "auto")]
    pub heartbeat_server_id: HeartbeatServer,
    /// The heartbeat table holds UTC (pt-heartbeat --utc)
    #[arg(long, requires = "heartbeat_table")]
    pub heartbeat_utc: bool,
    /// WARNING when the clocks of source and replica differ more, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "2")]
    pub max_skew: Seconds,
    /// CRITICAL when a delayed replica is delayed by less
    #[arg(long, value_name = "SECONDS")]
    pub min_delay: Option<Seconds>,
    /// WARNING when nothing was heard from the source for so many heartbeat periods
    #[arg(long, value_name = "FACTOR", default_value = "1.4", value_parser = factor)]
    pub silence_warning: f64,
    /// CRITICAL when nothing was heard for so many
    #[arg(long, value_name = "FACTOR", default_value = "1.8", value_parser = factor)]
    pub silence_critical: f64,
}

/// What must be, besides following.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Expectations")]
pub struct ExpectArgs {
    /// Look only at channels or connections of this name, with * and ?; repeatable
    #[arg(long, value_name = "GLOB", action = ArgAction::Append)]
    pub channel: Vec<String>,
    /// Leave these out; repeatable
    #[arg(long, value_name = "GLOB", action = ArgAction::Append)]
    pub exclude_channel: Vec<String>,
    /// CRITICAL unless there are so many channels
    #[arg(long, value_name = "N")]
    pub expect_channels: Option<u16>,
    /// CRITICAL when a channel replicates from another server; repeatable
    #[arg(long, value_name = "HOST[:PORT]", action = ArgAction::Append)]
    pub expect_source: Vec<ExpectedSource>,
    /// State when the server is no replica at all
    #[arg(long, value_name = "STATE", default_value = "critical")]
    pub not_replica: State,
    /// Threads that may be stopped on purpose, and for how many minutes: io, sql or both
    #[arg(long, value_name = "THREADS[:MINUTES]")]
    pub allow_stopped: Option<AllowStopped>,
    /// What read_only must be: on, super (super_read_only), off or ignore
    #[arg(long, value_name = "MODE", value_enum, default_value_t)]
    pub read_only: ReadOnly,
    /// How to look for transactions that only the replica has; exact needs --source
    #[arg(long, value_name = "HOW", value_enum, default_value_t)]
    pub errant: Errant,
    /// WARNING when the relay logs of a channel take more, in bytes or with a unit
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    pub relay_space_warning: Option<u64>,
    /// CRITICAL when they take more
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    pub relay_space_critical: Option<u64>,
    /// WARNING when semi-synchronous replication is enabled but not in force
    #[arg(long)]
    pub semi_sync: bool,
    /// WARNING when a replication filter is set
    #[arg(long)]
    pub forbid_filters: bool,
}

/// Further servers, tables and files to look at.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Comparison")]
pub struct CompareArgs {
    /// Option file whose group "client" leads to the source, to compare with it
    #[arg(long, value_name = "FILE")]
    pub source: Option<PathBuf>,
    /// Write a mark into this table on the source and wait for it here; needs --source and INSERT
    #[arg(long, value_name = "DB.TABLE", requires = "source")]
    pub probe_table: Option<Table>,
    /// Folder for what is remembered from run to run
    #[arg(long, value_name = "FOLDER")]
    pub state_dir: Option<PathBuf>,
}

impl FromStr for HeartbeatServer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "all" => Ok(Self::All),
            number => {
                number.parse().map(Self::Id).map_err(|_| format!("'{text}' is not auto, all or a server id"))
            }
        }
    }
}

impl FromStr for AllowStopped {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (threads, minutes) = match text.split_once(':') {
            Some((threads, minutes)) => (threads, Some(minutes)),
            None => (text, None),
        };
        let (io, sql) = match threads {
            "io" => (true, false),
            "sql" => (false, true),
            "both" => (true, true),
            _ => return Err(format!("'{threads}' is not one of io, sql, both")),
        };
        let seconds = match minutes.map(str::parse::<u32>) {
            None => None,
            Some(Ok(minutes)) if minutes > 0 => Some(f64::from(minutes) * 60.0),
            Some(_) => return Err(format!("'{text}' ends in no number of minutes")),
        };
        Ok(Self { io, sql, seconds })
    }
}

/// A server a channel has to replicate from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedSource {
    /// Name or address, as the replica was told.
    pub host: Host,
    /// Its port, if that matters.
    pub port: Option<u16>,
}

impl FromStr for ExpectedSource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A bare IPv6 literal has colons of its own.
        if let Ok(host) = text.parse() {
            return Ok(Self { host, port: None });
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(|| format!("'{text}' is not a host"))?;
        let host = host.parse().map_err(|error: common::proto::names::HostError| error.to_string())?;
        let port = port.parse().ok().filter(|port| *port > 0);
        Ok(Self { host, port: Some(port.ok_or_else(|| format!("'{text}' has no port behind its colon"))?) })
    }
}

/// A table by database and name, safe to put into a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Database.
    pub database: String,
    /// Name.
    pub name: String,
}

impl Table {
    /// Both in the quotes of identifiers.
    #[must_use]
    pub fn quoted(&self) -> String {
        format!("`{}`.`{}`", self.database, self.name)
    }
}

impl FromStr for Table {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |part: &str| {
            (1..=64).contains(&part.chars().count()) && !part.contains(['`', '.', '\0', '\'', '"', '\\', '/'])
        };
        match text.split_once('.') {
            Some((database, name)) if plain(database) && plain(name) => {
                Ok(Self { database: database.to_owned(), name: name.to_owned() })
            }
            _ => Err(format!("'{text}' is not DATABASE.TABLE")),
        }
    }
}

fn factor(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| format!("'{text}' is not a number"))?;
    if number.is_finite() && number > 0.0 && number <= 1000.0 {
        Ok(number)
    } else {
        Err(format!("'{text}' must be above 0 and at most 1000"))
    }
}

/// A size; relay logs may be larger than what `parse_size` is for.
fn bytes(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 9] = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
        ("k", 1 << 10),
        ("M", 1 << 20),
        ("G", 1 << 30),
        ("T", 1 << 40),
        ("B", 1),
    ];
    let (number, factor) = UNITS
        .iter()
        .find_map(|(unit, factor)| text.strip_suffix(unit).map(|number| (number, *factor)))
        .unwrap_or((text, 1));
    let number: Option<u64> = number.parse().ok();
    number
        .and_then(|number| number.checked_mul(factor))
        .ok_or_else(|| format!("'{text}' is not a number of bytes (k, M, G, T)"))
}

/// What the options want of a replica.
#[must_use]
pub fn wanted(lag: &LagArgs, expect: &ExpectArgs) -> Wanted {
    #[expect(clippy::cast_precision_loss, reason = "limits in bytes need no more than 53 bits")]
    let above = |bytes: Option<u64>| bytes.map(|bytes| Range::outside(0.0, bytes as f64));
    let source = |source: &ExpectedSource| (source.host.to_string(), source.port);
    Wanted {
        lag: lag.thresholds(),
        lag_source: lag.lag_source,
        heartbeat_server: lag.heartbeat_server_id,
        max_skew_seconds: lag.max_skew.0.as_secs_f64(),
        channels: expect.channel.clone(),
        exclude_channels: expect.exclude_channel.clone(),
        expect_channels: expect.expect_channels.map(usize::from),
        expect_sources: expect.expect_source.iter().map(source).collect(),
        not_replica: expect.not_replica,
        allow_stopped: expect.allow_stopped,
        min_delay_seconds: lag.min_delay.map(|delay| delay.0.as_secs_f64()),
        silence_warning: lag.silence_warning,
        silence_critical: lag.silence_critical,
        read_only: expect.read_only,
        errant: expect.errant,
        relay_space: Thresholds {
            warning: above(expect.relay_space_warning),
            critical: above(expect.relay_space_critical),
        },
        semi_sync: expect.semi_sync,
        forbid_filters: expect.forbid_filters,
    }
}

const WARNING_SECONDS: f64 = 60.0;
const CRITICAL_SECONDS: f64 = 300.0;

impl LagArgs {
    /// The limits of effective lag; a default that contradicts a given value is dropped.
    #[must_use]
    pub fn thresholds(&self) -> Thresholds {
        let default = |seconds: f64| Some(Range::outside(0.0, seconds));
        let given = (self.warning.map(|range| range.0), self.critical.map(|range| range.0));
        let (warning, critical) = match given {
            (None, None) => (default(WARNING_SECONDS), default(CRITICAL_SECONDS)),
            (Some(warning), None) => (Some(warning), default(CRITICAL_SECONDS)),
            (None, Some(critical)) => (default(WARNING_SECONDS), Some(critical)),
            both => both,
        };
        let limits = Thresholds { warning, critical };
        match given {
            _ if limits.contradiction().is_none() => limits,
            (Some(_), None) => Thresholds { critical: None, ..limits },
            (None, Some(_)) => Thresholds { warning: None, ..limits },
            _ => limits,
        }
    }

    /// Rules between these options.
    pub fn check(&self) -> Result<(), UsageError> {
        if let Some(text) = self.thresholds().contradiction() {
            return Err(UsageError::new("--warning", text));
        }
        if self.silence_warning > self.silence_critical {
            return Err(UsageError::new("--silence-warning", "is above --silence-critical"));
        }
        if self.lag_source == LagSource::Heartbeat && self.heartbeat_table.is_none() {
            return Err(UsageError::new("--lag-source", "heartbeat needs --heartbeat-table"));
        }
        Ok(())
    }
}

impl ExpectArgs {
    /// Rules between these options.
    pub fn check(&self, compare: &CompareArgs) -> Result<(), UsageError> {
        if self.errant == Errant::Exact && compare.source.is_none() {
            return Err(UsageError::new("--errant", "exact needs --source"));
        }
        if self.relay_space_warning.zip(self.relay_space_critical).is_some_and(|(low, high)| low > high) {
            return Err(UsageError::new("--relay-space-warning", "is above --relay-space-critical"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Lag {
        #[command(flatten)]
        lag: LagArgs,
    }

    fn limits(arguments: &[&str]) -> [Option<String>; 2] {
        let lag = Lag::try_parse_from([&["x"], arguments].concat()).unwrap().lag;
        let limits = lag.thresholds();
        [limits.warning, limits.critical].map(|range| range.map(|range| range.canonical(Some(0.0))))
    }

    #[test]
    fn a_default_that_contradicts_is_dropped() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(limits(&[]), [some("60"), some("300")]);
        assert_eq!(limits(&["-w", "10m"]), [some("600"), None]);
        assert_eq!(limits(&["-c", "30"]), [None, some("30")]);
        assert_eq!(limits(&["-w", "5", "-c", "10"]), [some("5"), some("10")]);
    }

    #[test]
    fn stopped_threads() {
        let both = AllowStopped { io: true, sql: true, seconds: Some(1800.0) };
        assert_eq!("both:30".parse(), Ok(both));
        assert_eq!("sql".parse(), Ok(AllowStopped { io: false, sql: true, seconds: None }));
        for bad in ["", "all", "io:", "io:x", "io:0", "io:-1"] {
            assert!(bad.parse::<AllowStopped>().is_err(), "{bad}");
        }
    }

    #[test]
    fn sources_tables_sizes() {
        let source: ExpectedSource = "db1.example:3307".parse().unwrap();
        assert_eq!((source.host.to_string().as_str(), source.port), ("db1.example", Some(3307)));
        assert_eq!("::1".parse::<ExpectedSource>().unwrap().port, None);
        assert_eq!("[::1]:3306".parse::<ExpectedSource>().unwrap().port, Some(3306));
        assert!("db1:x".parse::<ExpectedSource>().is_err());
        assert_eq!("percona.heartbeat".parse::<Table>().unwrap().quoted(), "`percona`.`heartbeat`");
        for bad in ["heartbeat", "a.b.c", "a.`b", ".b", "a."] {
            assert!(bad.parse::<Table>().is_err(), "{bad}");
        }
        assert_eq!(bytes("10G"), Ok(10 << 30));
        assert_eq!(bytes("512"), Ok(512));
        assert!(bytes("18446744073709551615T").is_err() && bytes("-1").is_err());
        assert_eq!("17".parse(), Ok(HeartbeatServer::Id(17)));
        assert!(factor("nan").is_err() && factor("0").is_err() && factor("1.4").is_ok());
    }
}
