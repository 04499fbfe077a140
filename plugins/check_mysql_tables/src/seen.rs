//! What the probe saw: facts only.

use common::net::ProbeError;
use serde::{Deserialize, Serialize};

pub use crate::check_rows::Verdict;
pub use crate::memory::{Suspect, Unfinished};
pub use crate::offline::SeenFiles;
pub use crate::options::Level;
pub use crate::schedule::Why;
pub use crate::tables::TableName;

/// The tables of a server, or the files of one that is down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// Asked of a server.
    Server(Box<SeenServer>),
    /// Read from a data directory.
    Files(SeenFiles),
}

/// What a server said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeenServer {
    /// The name, port and id it gives itself, and its version.
    pub server: String,
    /// What was asked for.
    pub level: Level,
    /// Engines whose tables are checked.
    pub engines: Vec<String>,
    /// The tables that are meant.
    pub tables: Vec<SeenTable>,
    /// Other tables the server has: views, other engines, left out by name.
    pub others: usize,
    /// The check an earlier run could not finish.
    pub unfinished: Option<SeenUnfinished>,
    /// Tables during whose check the server went down.
    pub suspects: Vec<Suspect>,
    /// A check of an earlier run that still runs on the server.
    pub running: Option<SeenRunning>,
    /// Why nothing can be remembered.
    pub unguarded: Option<String>,
    /// Where a memory that could not be read was put.
    pub put_aside: Option<String>,
    /// InnoDB was asked for, but this server may crash on it.
    pub innodb_refused: bool,
    /// What else the connection is worth a note.
    pub notes: Vec<String>,
    /// What ended the run early.
    pub cut_short: Option<ProbeError>,
}

/// One table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeenTable {
    /// Its name.
    pub name: TableName,
    /// Its engine, if the server could open it.
    pub engine: Option<String>,
    /// Data and indexes, in bytes.
    pub bytes: u64,
    /// What came of it in this run.
    pub outcome: Outcome,
    /// How deep it was checked in this run.
    pub level: Option<Level>,
    /// How long that took, in seconds.
    pub time: Option<f64>,
    /// End of the last check with a result, this run included, Unix time.
    pub checked: Option<i64>,
    /// When it was seen first, Unix time.
    pub since: i64,
    /// Runs in a row in which it was locked.
    pub locked_runs: u32,
    /// An earlier run found it damaged, and none has found it whole since.
    pub was_damaged: bool,
}

/// What came of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The server could open it; more was not asked.
    Opened,
    /// The server could not open it.
    NotOpened(String),
    /// It was checked.
    Checked(Verdict),
    /// The server refuses the statement: we may not.
    Denied(String),
    /// The statement failed.
    Failed {
        /// The server's number.
        number: u16,
        /// The server's words.
        text: String,
    },
    /// The connection broke during the check.
    Lost(String),
    /// The time of the whole run ended during the check.
    TimedOut,
    /// It had no turn.
    Left(Why),
}

/// The check an earlier run could not finish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenUnfinished {
    /// The table.
    pub table: TableName,
    /// When it began, Unix time.
    pub since: i64,
    /// What that means.
    pub meaning: Unfinished,
}

/// A statement of an earlier run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenRunning {
    /// The statement.
    pub statement: String,
    /// For how long, in seconds.
    pub seconds: u64,
}
