//! The broken replications that were seen on real servers, on the rows of all of them.

mod any;
mod beside;
mod scenarios;
mod server;

use common::plugin::Run;
use common::report::{Document, Format, Report, State, StateTable, render};
use serde_json::Value;

use super::{Wanted, judge};
use crate::replica::{Columns, Replica};

/// A row that can be changed.
#[derive(Clone, Debug)]
struct Row(Vec<(String, Option<String>)>);

impl Columns for Row {
    fn get(&self, column: &str) -> Option<&str> {
        Columns::get(&self.0, column)
    }
}

const ROWS: &str = include_str!("../../../testdata/rows.json");

const MYSQL_8_0: &str = "mysql_8.0_show_slave_status";
const MYSQL_8_4: &str = "mysql_8.4_9.x_show_replica_status";
const MARIADB_10: &str = "mariadb_10.11_show_all_slaves_status";
const MARIADB_10_ONE: &str = "mariadb_10.11_show_slave_status";
const MARIADB_11: &str = "mariadb_11.8_show_all_replicas_status";
const ALL: [&str; 5] = [MYSQL_8_0, MYSQL_8_4, MARIADB_10, MARIADB_10_ONE, MARIADB_11];
const MARIADB: [&str; 3] = [MARIADB_10, MARIADB_10_ONE, MARIADB_11];

fn text(name: &str) -> String {
    let all: Value = serde_json::from_str(ROWS).unwrap();
    all["error_texts"][name].as_str().unwrap().to_owned()
}

impl Row {
    /// A healthy row as a server sent it.
    fn of(server: &str) -> Self {
        let all: Value = serde_json::from_str(ROWS).unwrap();
        let columns = all[server].as_array().unwrap_or_else(|| panic!("no rows of {server}"));
        let column = |pair: &Value| {
            let value = match &pair[1] {
                Value::Null => None,
                Value::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            };
            (pair[0].as_str().unwrap().to_owned(), value)
        };
        Self(columns.iter().map(column).collect())
    }

    /// Changes a column, which is named by the new word and there under either.
    fn with<'a>(mut self, column: &str, value: impl Into<Option<&'a str>>) -> Self {
        let old = column.replace("Replica", "Slave").replace("Source", "Master");
        let found = self.0.iter_mut().find(|(name, _)| *name == column || *name == old);
        let value = value.into().map(str::to_owned);
        found.unwrap_or_else(|| panic!("no column {column}")).1 = value;
        self
    }

    fn named(self, name: &str) -> Self {
        let is_mysql = self.get("Channel_Name").is_some();
        self.with(if is_mysql { "Channel_Name" } else { "Connection_name" }, name)
    }

    fn stopped(self, io: &str, sql: &str) -> Self {
        self.with("Replica_IO_Running", io)
            .with("Replica_SQL_Running", sql)
            .with("Seconds_Behind_Source", None)
    }

    fn io_error(self, number: &str, text: &str) -> Self {
        self.with("Last_IO_Errno", number).with("Last_IO_Error", text)
    }

    fn sql_error(self, number: &str, text: &str) -> Self {
        self.with("Last_SQL_Errno", number).with("Last_SQL_Error", text)
    }
}

/// A server that is as it should be.
fn facts() -> Vec<(&'static str, Option<&'static str>)> {
    vec![
        ("hostname", Some("replica")),
        ("port", Some("3306")),
        ("server_id", Some("12")),
        ("read_only", Some("1")),
    ]
}

/// Channels of such a server.
fn replica(rows: &[Row]) -> Replica {
    Replica::read(&[facts()], rows)
}

fn run() -> Run {
    Run { taken_at: 1_800_000_000, states: StateTable::default() }
}

fn report(replica: &Replica, wanted: &Wanted) -> Report {
    judge(replica, wanted, &run())
}

/// The state and all the text, first line first.
fn said(replica: &Replica, wanted: &Wanted) -> (State, String) {
    let report = report(replica, wanted);
    let document = Document {
        plugin: "check_mysql_slave",
        target: "replica:3306",
        state: report.state(),
        report: &report,
        observation: None,
        verbosity: 0,
        max_output: 8192,
    };
    (report.state(), render(&document, Format::Text))
}

/// With the defaults.
fn judged(rows: &[Row]) -> (State, String) {
    said(&replica(rows), &Wanted::default())
}

fn has(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} is missing in\n{text}");
    }
}

fn metric(text: &str, label: &str) -> String {
    let perfdata =
        text.lines().next().unwrap().split_once(" | ").map(|(_, perfdata)| perfdata).unwrap_or_default();
    let found = perfdata.split(' ').find_map(|one| one.strip_prefix(&format!("{label}=")));
    found.unwrap_or("missing").to_owned()
}
