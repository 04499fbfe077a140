//! What is remembered from run to run: which table was checked when, what was found, and the
//! check that was under way when a run ended.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::options::Level;
use crate::tables::TableName;

/// Changes when an older file cannot be read any more.
pub(crate) const VERSION: u32 = 1;

/// All that is known of the tables of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Memory {
    tables: BTreeMap<String, Record>,
    pub(crate) suspects: Vec<Suspect>,
}

/// What is known of one table. Times are Unix seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// When it was seen first.
    pub(crate) since: i64,
    /// Begin of the last check, whatever came of it: who is always locked must not keep others
    /// from their turn.
    pub(crate) tried: Option<i64>,
    /// End of the last check that came to a result.
    pub(crate) checked: Option<i64>,
    /// The same, for one that read the rows.
    pub(crate) deep: Option<i64>,
    /// Runs in a row in which others held it.
    pub(crate) locked: u32,
    /// The level that found it damaged, until that level finds it whole.
    pub(crate) damaged: Option<Level>,
}

/// A table during whose check the server went down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspect {
    /// The table.
    pub table: TableName,
    /// When the check began, Unix time.
    pub since: i64,
}

/// A check that is under way: on the disk before it begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pending {
    pub(crate) table: TableName,
    pub(crate) since: i64,
    pub(crate) server: ServerMark,
}

/// Tells one life of a server from the next, and from other servers behind the same address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ServerMark {
    /// The name and port it gives itself.
    pub(crate) name: String,
    /// When it was started, by its own clock.
    pub(crate) started: i64,
}

/// What an unfinished check means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unfinished {
    /// The server has been running since: the check, or we, were stopped.
    Interrupted,
    /// The server has been started since.
    ServerRestarted,
}

/// Start times come from two whole numbers read one after the other.
const CLOCK_SLACK: i64 = 2;

impl Pending {
    pub(crate) fn meaning(&self, server: &ServerMark) -> Unfinished {
        let later = server.started.saturating_sub(self.server.started);
        if self.server.name == server.name && later > CLOCK_SLACK {
            Unfinished::ServerRestarted
        } else {
            Unfinished::Interrupted
        }
    }
}

impl Memory {
    /// What is known of a table; one never seen before is known from now on.
    pub(crate) fn record(&mut self, table: &TableName, now: i64) -> &mut Record {
        self.tables.entry(table.quoted()).or_insert(Record { since: now, ..Record::default() })
    }

    /// The same without a trace.
    pub(crate) fn known(&self, table: &TableName) -> Option<&Record> {
        self.tables.get(&table.quoted())
    }

    pub(crate) fn is_suspect(&self, table: &TableName) -> bool {
        self.suspects.iter().any(|suspect| suspect.table == *table)
    }

    pub(crate) fn suspect(&mut self, pending: Pending) {
        if !self.is_suspect(&pending.table) {
            self.suspects.push(Suspect { table: pending.table, since: pending.since });
        }
    }

    /// Forgets tables that are no more.
    pub(crate) fn keep<'a>(&mut self, existing: impl IntoIterator<Item = &'a TableName>) {
        let existing: BTreeSet<String> = existing.into_iter().map(TableName::quoted).collect();
        self.tables.retain(|name, _| existing.contains(name));
        self.suspects.retain(|suspect| existing.contains(&suspect.table.quoted()));
    }
}

impl Record {
    /// A check came to a result.
    pub(crate) fn finished(&mut self, level: Level, is_damaged: bool, now: i64) {
        self.checked = Some(now);
        self.locked = 0;
        if level >= Level::Medium {
            self.deep = Some(now);
        }
        if is_damaged {
            self.damaged = self.damaged.max(Some(level));
        } else if self.damaged.is_some_and(|found| found <= level) {
            self.damaged = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(table: &str) -> TableName {
        TableName { schema: "shop".to_owned(), name: table.to_owned() }
    }

    fn mark(name: &str, started: i64) -> ServerMark {
        ServerMark { name: name.to_owned(), started }
    }

    #[test]
    fn an_unfinished_check_and_a_younger_server_are_suspicious() {
        let pending = Pending { table: name("t"), since: 1000, server: mark("db:3306", 500) };
        assert_eq!(pending.meaning(&mark("db:3306", 500)), Unfinished::Interrupted);
        assert_eq!(pending.meaning(&mark("db:3306", 501)), Unfinished::Interrupted, "rounding");
        assert_eq!(pending.meaning(&mark("db:3306", 1005)), Unfinished::ServerRestarted);
        assert_eq!(pending.meaning(&mark("other:3306", 1005)), Unfinished::Interrupted, "another server");
        assert_eq!(pending.meaning(&mark("db:3306", 400)), Unfinished::Interrupted, "a clock was set");
    }

    #[test]
    fn damage_is_remembered_until_the_same_level_finds_none() {
        let mut record = Record::default();
        record.finished(Level::Medium, true, 10);
        record.finished(Level::Quick, false, 20);
        assert_eq!(record.damaged, Some(Level::Medium), "quick does not see what medium saw");
        record.finished(Level::Medium, false, 30);
        assert_eq!((record.damaged, record.checked, record.deep), (None, Some(30), Some(30)));
    }

    #[test]
    fn tables_that_are_gone_are_forgotten() {
        let mut memory = Memory::default();
        memory.record(&name("a"), 1);
        memory.record(&name("b"), 1);
        memory.suspect(Pending { table: name("b"), since: 1, server: mark("db", 1) });
        memory.keep([&name("a")]);
        assert!(memory.known(&name("a")).is_some() && memory.known(&name("b")).is_none());
        assert!(memory.suspects.is_empty());
    }
}
