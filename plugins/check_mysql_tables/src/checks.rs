//! The checks of a run, one after the other.

use std::time::{Duration, Instant};

use common::net::ProbeError;
use common::net::mysql::Row;

use crate::ask::{Ask, AskError, text};
use crate::check_rows::{Message, Verdict, read_verdict};
use crate::guard::{Guard, unix_time};
use crate::memory::Memory;
use crate::options::Level;
use crate::schedule::{Step, Why};
use crate::seen::{Outcome, SeenServer, SeenTable};
use crate::tables::{Table, TableName};

/// Stands behind each CHECK, so that a later run knows it in the list of processes.
pub(crate) const MARK: &str = "/* check_mysql_tables */";

/// Numbers of errors that say we may not: no privilege on the table, its columns, the database.
const DENIED: [u16; 5] = [1142, 1143, 1044, 1045, 1227];
/// The lock was not to be had.
const LOCK_TIMEOUT: u16 = 1205;
/// Somebody or something stopped the statement: killed, a time limit, a shutdown.
const STOPPED: [u16; 5] = [1317, 1969, 3024, 1053, 1927];

pub(crate) struct Checks<'a, A> {
    ask: &'a mut A,
    guard: Guard,
    budget: Duration,
    begun: Instant,
    /// What ended the checks before their time, and how the tables left over say so.
    end: Option<Why>,
    broken: Option<ProbeError>,
    unguarded: Option<String>,
    /// A check of ours has not come to an end that we saw; its note stays on the disk.
    in_flight: bool,
}

impl<'a, A: Ask> Checks<'a, A> {
    pub(crate) fn new(ask: &'a mut A, guard: Guard, budget: Duration, in_flight: bool) -> Self {
        Self {
            ask,
            guard,
            budget,
            begun: Instant::now(),
            end: None,
            broken: None,
            unguarded: None,
            in_flight,
        }
    }

    pub(crate) fn memory(&self) -> &Memory {
        &self.guard.memory
    }

    /// Does with a table what was planned, if there is time.
    pub(crate) fn take(&mut self, table: &Table, step: Step, slot: &mut SeenTable) {
        let now = unix_time();
        let record = *self.guard.memory.record(&table.name, now);
        slot.was_damaged = record.damaged.is_some();
        slot.outcome = match step {
            Step::Leave(why) => Outcome::Left(why),
            Step::Check(level) => self.turn(table, level, slot),
        };
        let record = self.guard.memory.record(&table.name, now);
        match &slot.outcome {
            Outcome::Checked(Verdict::Locked) => record.locked += 1,
            Outcome::Checked(Verdict::Unclear(_) | Verdict::Unsupported) => {}
            Outcome::Checked(verdict) => {
                let is_damaged = matches!(verdict, Verdict::Damaged(_) | Verdict::Unexplained);
                record.finished(slot.level.unwrap_or(Level::Quick), is_damaged, unix_time());
            }
            _ => {}
        }
        (slot.checked, slot.since, slot.locked_runs) = (record.checked, record.since, record.locked);
    }

    fn turn(&mut self, table: &Table, level: Level, slot: &mut SeenTable) -> Outcome {
        if self.end.is_none() && self.begun.elapsed() >= self.budget {
            self.end = Some(Why::Budget);
        }
        if let Some(why) = self.end {
            return Outcome::Left(why);
        }
        if let Err(error) = self.guard.announce(&table.name).and_then(|()| self.guard.save_now_and_then()) {
            self.unguarded = Some(error.to_string());
            self.end = Some(Why::Unguarded);
            return Outcome::Left(Why::Unguarded);
        }
        self.guard.memory.record(&table.name, unix_time()).tried = Some(unix_time());
        let begun = Instant::now();
        let outcome = self.check(table, level);
        slot.level = Some(level);
        slot.time = Some(begun.elapsed().as_secs_f64());
        outcome
    }

    /// One CHECK TABLE; a second one when the first found fault without a reason, which a check
    /// that was killed does as well.
    fn check(&mut self, table: &Table, level: Level) -> Outcome {
        let sql = format!("CHECK TABLE {} {} {MARK}", table.name.quoted(), level.word());
        let verdict = match self.verdict(&sql) {
            Ok(Verdict::Unexplained) => self.verdict(&sql),
            other => other,
        };
        match verdict {
            Ok(Verdict::Damaged(text)) if text.contains("doesn't exist") && self.is_gone(&table.name) => {
                Outcome::Left(Why::Gone)
            }
            Ok(verdict) => Outcome::Checked(verdict),
            Err(error) => self.failed(error),
        }
    }

    fn verdict(&mut self, sql: &str) -> Result<Verdict, AskError> {
        let rows = self.ask.rows_early(sql)?;
        let message = |row: &Row| Message { kind: text(row, "Msg_type"), text: text(row, "Msg_text") };
        Ok(read_verdict(&rows.iter().map(message).collect::<Vec<_>>()))
    }

    /// Whether a table was dropped since the list was made. Its name goes as hexadecimal digits,
    /// so that no rule of quoting can matter.
    fn is_gone(&mut self, name: &TableName) -> bool {
        let digits = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
        let sql = format!(
            "SELECT TABLE_NAME AS table_name FROM information_schema.TABLES \
             WHERE TABLE_SCHEMA = CONVERT(X'{}' USING utf8) AND TABLE_NAME = CONVERT(X'{}' USING utf8)",
            digits(&name.schema),
            digits(&name.name)
        );
        self.ask.rows(&sql).is_ok_and(|rows| rows.is_empty())
    }

    fn failed(&mut self, error: AskError) -> Outcome {
        match error {
            AskError::Server { text, number, .. } if DENIED.contains(&number) => Outcome::Denied(text),
            AskError::Server { number: LOCK_TIMEOUT, .. } => Outcome::Checked(Verdict::Locked),
            AskError::Server { text, number, .. } if STOPPED.contains(&number) => {
                Outcome::Checked(Verdict::Unclear(common::report::quote(&text)))
            }
            AskError::Server { number, text, .. } => Outcome::Failed { number, text },
            AskError::Lost(error) => {
                (self.end, self.in_flight) = (Some(Why::Ended), true);
                Outcome::Lost(error.text)
            }
            AskError::TimedOut(_) => {
                (self.end, self.in_flight) = (Some(Why::Ended), true);
                Outcome::TimedOut
            }
            AskError::Other(error) => {
                (self.end, self.in_flight) = (Some(Why::Ended), true);
                self.broken = Some(error);
                Outcome::Left(Why::Ended)
            }
        }
    }

    /// Leaves word of what was done.
    pub(crate) fn finish(self, seen: &mut SeenServer) {
        seen.tables.retain(|table| table.outcome != Outcome::Left(Why::Gone));
        seen.suspects.clone_from(&self.guard.memory.suspects);
        seen.cut_short = seen.cut_short.take().or(self.broken);
        let ended = if self.in_flight { Ok(()) } else { self.guard.all_ended() };
        let saved = self.guard.save().and(ended).err().map(|error| error.to_string());
        seen.unguarded = self.unguarded.or(saved);
    }
}
