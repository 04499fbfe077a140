//! Options of this check alone: which tables, how deep, how long, and what to remember.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};
use common::cli::UsageError;
use common::report::{parse_bytes, parse_span};
use serde::{Deserialize, Serialize};

use crate::tables::Wanted;

/// Which tables.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Tables")]
pub(crate) struct SelectArgs {
    /// Databases, with * and ? [default: all but those of the server itself, which want their name]
    #[arg(long, value_name = "GLOB", value_delimiter = ',', action = ArgAction::Append)]
    pub(crate) databases: Vec<String>,
    /// Tables; a pattern with a dot is about database.table
    #[arg(long, value_name = "GLOB", value_delimiter = ',', action = ArgAction::Append)]
    pub(crate) tables: Vec<String>,
    /// Tables to leave out, written in the same way
    #[arg(long, value_name = "GLOB", value_delimiter = ',', action = ArgAction::Append)]
    pub(crate) exclude: Vec<String>,
    /// Engines whose tables are checked [default: MyISAM,Aria,CSV,ARCHIVE]
    #[arg(long, value_name = "LIST", value_delimiter = ',', action = ArgAction::Append,
          conflicts_with = "offline")]
    pub(crate) engine: Vec<String>,
    /// Leave out tables larger than this; they count as unchecked [default: 2G]
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes, conflicts_with = "offline")]
    pub(crate) max_table_size: Option<u64>,
}

/// How deep.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Depth")]
pub(crate) struct DepthArgs {
    /// state looks only for tables that cannot be opened (one query, no locks); the others are
    /// those of CHECK TABLE [default: quick]
    #[arg(long, value_name = "LEVEL", value_enum, conflicts_with = "offline")]
    level: Option<Level>,
    /// Check each table with medium once in this time, or off; with --level quick [default: 7d]
    #[arg(long, value_name = "TIME|off", conflicts_with = "offline")]
    deep_every: Option<Span>,
    /// Check InnoDB tables, too: a full scan each. MariaDB only
    #[arg(long, conflicts_with = "offline")]
    pub(crate) innodb: bool,
    /// The same on MySQL, which aborts when it meets a damaged page
    #[arg(long, conflicts_with = "offline")]
    pub(crate) innodb_may_crash_server: bool,
}

/// How long, and what to remember.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Time and memory")]
pub(crate) struct PaceArgs {
    /// Begin no further check after this time; one that runs is never stopped. With --offline: read no
    /// further page [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = parse_span)]
    time_budget: Option<Duration>,
    /// Begin with the tables whose check is the oldest, not at the top of the list
    #[arg(long, conflicts_with = "offline")]
    pub(crate) resume: bool,
    /// Folder to remember in which table was checked when
    #[arg(long, value_name = "DIR", conflicts_with = "offline")]
    pub(crate) state_dir: Option<PathBuf>,
    /// WARNING when a table was not checked for longer, or off [default: 14d]
    #[arg(long, value_name = "TIME|off", conflicts_with = "offline")]
    max_age: Option<Span>,
    /// Check the tables again whose check seems to have stopped the server
    #[arg(long, conflicts_with = "offline")]
    pub(crate) clear_suspect: bool,
}

/// The files of a server that is down.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Without a server")]
pub(crate) struct OfflineArgs {
    /// Read the files in this data directory; refused while a server uses it
    #[arg(long, value_name = "DATADIR", conflicts_with_all = CONNECTION)]
    pub(crate) offline: Option<PathBuf>,
    /// WARNING when less of its file system is free [default: 5%]
    #[arg(long, value_name = "N%", requires = "offline")]
    min_free: Option<Percent>,
}

/// How much a check reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Only whether each table can be opened.
    State,
    /// Not the rows.
    Quick,
    /// Rows and keys by checksum.
    Medium,
    /// Each key of each row.
    Extended,
}

impl Level {
    /// The word of CHECK TABLE.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::State => "",
            Self::Quick => "QUICK",
            Self::Medium => "MEDIUM",
            Self::Extended => "EXTENDED",
        }
    }

    /// For sentences.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Quick => "quick",
            Self::Medium => "medium",
            Self::Extended => "extended",
        }
    }
}

/// A span of time, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span(Option<Duration>);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self(None)),
            _ => parse_span(text).map(|span| Self(Some(span))).map_err(|error| error.to_string()),
        }
    }
}

/// A share of the whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Percent(pub(crate) f64);

impl FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_suffix('%').unwrap_or(text);
        let plain = digits.starts_with(|c: char| c.is_ascii_digit())
            && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        match digits.parse::<f64>() {
            Ok(share) if plain && share <= 100.0 => Ok(Self(share)),
            _ => Err("want a share such as 5%".to_owned()),
        }
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

/// What says how to reach a server, and is of no use to files.
const CONNECTION: [&str; 10] = [
    "hostname",
    "port",
    "socket",
    "user",
    "defaults_file",
    "defaults_extra_file",
    "login_path",
    "server_public_key",
    "ssl_mode",
    "temporary_state",
];
const ENGINES: [&str; 4] = ["MyISAM", "Aria", "CSV", "ARCHIVE"];
pub(crate) const INNODB: &str = "InnoDB";
const DAY: Duration = Duration::from_hours(24);
/// The budget when none is given.
pub(crate) const BUDGET: Duration = Duration::from_secs(30);

impl SelectArgs {
    pub(crate) fn wanted(&self) -> Wanted<'_> {
        Wanted { databases: &self.databases, tables: &self.tables, exclude: &self.exclude }
    }

    pub(crate) fn max_bytes(&self) -> u64 {
        self.max_table_size.unwrap_or(2 << 30)
    }
}

impl DepthArgs {
    pub(crate) fn level(&self) -> Level {
        self.level.unwrap_or(Level::Quick)
    }

    /// After how long a table is due for a deep check.
    pub(crate) fn deep_every(&self) -> Option<Duration> {
        match (self.level(), self.deep_every) {
            (Level::Quick, None) => Some(DAY * 7),
            (Level::Quick, Some(span)) => span.0,
            _ => None,
        }
    }

    /// Engines by name, that of InnoDB only when it is asked for with its own option.
    pub(crate) fn engines(&self, select: &SelectArgs) -> Vec<String> {
        let mut engines = if select.engine.is_empty() {
            ENGINES.map(str::to_owned).to_vec()
        } else {
            select.engine.clone()
        };
        if self.wants_innodb() {
            engines.push(INNODB.to_owned());
        }
        engines
    }

    pub(crate) const fn wants_innodb(&self) -> bool {
        self.innodb || self.innodb_may_crash_server
    }

    pub(crate) fn check(&self, select: &SelectArgs, pace: &PaceArgs) -> Result<(), UsageError> {
        if select.engine.iter().any(|engine| engine.eq_ignore_ascii_case(INNODB)) {
            return Err(UsageError::new("--engine", "InnoDB has an option of its own")
                .with_hint("--innodb, or on MySQL --innodb-may-crash-server"));
        }
        if self.deep_every.is_some() && self.level() != Level::Quick {
            return Err(UsageError::new("--deep-every", "goes with --level quick"));
        }
        if self.level() == Level::State {
            let unused = [
                ("--engine", !select.engine.is_empty()),
                ("--max-table-size", select.max_table_size.is_some()),
                ("--innodb", self.innodb),
                ("--innodb-may-crash-server", self.innodb_may_crash_server),
                ("--time-budget", pace.time_budget.is_some()),
                ("--resume", pace.resume),
                ("--state-dir", pace.state_dir.is_some()),
                ("--max-age", pace.max_age.is_some()),
                ("--clear-suspect", pace.clear_suspect),
            ];
            if let Some((option, _)) = unused.iter().find(|(_, given)| *given) {
                return Err(UsageError::new(
                    *option,
                    "means nothing with --level state, which checks no table",
                ));
            }
        }
        Ok(())
    }
}

impl PaceArgs {
    pub(crate) fn budget(&self) -> Duration {
        self.time_budget.unwrap_or(BUDGET)
    }

    pub(crate) fn max_age(&self) -> Option<Duration> {
        self.max_age.map_or(Some(DAY * 14), |span| span.0)
    }
}

impl OfflineArgs {
    pub(crate) fn min_free(&self) -> f64 {
        self.min_free.map_or(5.0, |percent| percent.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_shares() {
        assert_eq!("off".parse(), Ok(Span(None)));
        assert_eq!("7d".parse(), Ok(Span(Some(DAY * 7))));
        assert!("0".parse::<Span>().is_err());
        assert_eq!("5%".parse(), Ok(Percent(5.0)));
        assert_eq!("2.5".parse(), Ok(Percent(2.5)));
        for bad in ["", "%", "-1", "101%", "1e1", "."] {
            assert!(bad.parse::<Percent>().is_err(), "{bad:?}");
        }
    }
}
