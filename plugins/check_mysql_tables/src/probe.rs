//! Asks the server for its tables, then checks those whose turn it is.

use common::net::mysql::Row;
use common::net::{Phase, ProbeError, Trouble};
use common::plugin::StateError;

use crate::CheckMysqlTables;
use crate::ask::{Ask, AskError, number, text};
use crate::checks::{Checks, MARK};
use crate::guard::{Guard, unix_time};
use crate::memory::ServerMark;
use crate::options::{INNODB, Level};
use crate::schedule::{Order, Step, Why, plan};
use crate::seen::{Outcome, SeenRunning, SeenServer, SeenTable};
use crate::tables::{Table, TableName};

/// All that is asked of a server.
pub(crate) fn probe_server(
    options: &CheckMysqlTables,
    ask: &mut impl Ask,
    place: &str,
) -> Result<SeenServer, ProbeError> {
    let who = identify(ask, place)?;
    let level = options.depth.level();
    let innodb_refused =
        options.depth.wants_innodb() && !who.is_mariadb && !options.depth.innodb_may_crash_server;
    let mut engines = options.depth.engines(&options.select);
    if innodb_refused {
        engines.retain(|engine| engine != INNODB);
    }
    let mut all = scan(ask)?;
    all.sort_by(|one, other| one.name.cmp(&other.name));
    let wanted = options.select.wanted();
    let is_meant = |table: &&Table| {
        wanted.includes(&table.name) && table.holds_rows() && is_checked(table, level, &engines)
    };
    let meant: Vec<&Table> = all.iter().filter(is_meant).collect();
    let mut seen = SeenServer {
        server: who.shown(),
        level,
        engines,
        others: all.len() - meant.len(),
        tables: meant.iter().map(|table| unasked(table)).collect(),
        unfinished: None,
        suspects: Vec::new(),
        running: None,
        unguarded: None,
        put_aside: None,
        innodb_refused,
        notes: Vec::new(),
        cut_short: None,
    };
    if level != Level::State {
        check_all(options, ask, &mut seen, &who, &all);
    }
    Ok(seen)
}

/// A table that cannot be opened shows no engine, and is one of ours until it does. A sequence has
/// no check.
fn is_checked(table: &Table, level: Level, engines: &[String]) -> bool {
    let Some(engine) = &table.engine else { return true };
    level == Level::State
        || (engines.iter().any(|wanted| wanted.eq_ignore_ascii_case(engine))
            && !table.kind.eq_ignore_ascii_case("SEQUENCE"))
}

fn unasked(table: &Table) -> SeenTable {
    SeenTable {
        name: table.name.clone(),
        engine: table.engine.clone(),
        bytes: table.bytes,
        outcome: table.problem().map_or(Outcome::Opened, |text| Outcome::NotOpened(text.to_owned())),
        level: None,
        time: None,
        checked: None,
        since: 0,
        locked_runs: 0,
        was_damaged: false,
    }
}

/// Who a server says it is.
struct Identity<'a> {
    /// Where it was reached.
    place: &'a str,
    hostname: String,
    port: String,
    id: String,
    version: String,
    now: i64,
    is_mariadb: bool,
}

impl Identity<'_> {
    fn shown(&self) -> String {
        format!("{}:{} server_id {}, {}", self.hostname, self.port, self.id, self.version)
    }
}

fn identify<'a>(ask: &mut impl Ask, place: &'a str) -> Result<Identity<'a>, ProbeError> {
    let sql = "SELECT @@hostname AS hostname, @@port AS port, @@server_id AS server_id, \
               @@version AS version, UNIX_TIMESTAMP() AS now";
    let rows = ask.rows(sql)?;
    let row = rows.first().ok_or_else(|| no_sense("its variables"))?;
    let version = text(row, "version");
    Ok(Identity {
        place,
        hostname: text(row, "hostname"),
        port: text(row, "port"),
        id: text(row, "server_id"),
        is_mariadb: version.contains("MariaDB"),
        version,
        now: number(row, "now").ok_or_else(|| no_sense("its clock"))?,
    })
}

fn no_sense(what: &str) -> ProbeError {
    ProbeError::new(
        Trouble::Protocol,
        Phase::Querying,
        format!("cannot make sense of what the server says of {what}"),
    )
}

/// The tables of the server. To answer, it opens each of them.
fn scan(ask: &mut impl Ask) -> Result<Vec<Table>, ProbeError> {
    let sql = "SELECT TABLE_SCHEMA AS table_schema, TABLE_NAME AS table_name, TABLE_TYPE AS table_type, \
               ENGINE AS engine, DATA_LENGTH AS data_length, INDEX_LENGTH AS index_length, \
               TABLE_COMMENT AS table_comment FROM information_schema.TABLES \
               WHERE TABLE_SCHEMA NOT IN ('information_schema', 'performance_schema')";
    let rows = ask.rows(sql)?;
    Ok(rows.iter().filter_map(read_table).collect())
}

fn read_table(row: &Row) -> Option<Table> {
    let length = |column: &str| number::<u64>(row, column).unwrap_or_default();
    Some(Table {
        name: TableName {
            schema: row.get("table_schema")?.to_owned(),
            name: row.get("table_name")?.to_owned(),
        },
        kind: text(row, "table_type"),
        engine: row.get("engine").map(str::to_owned),
        bytes: length("data_length").saturating_add(length("index_length")),
        comment: text(row, "table_comment"),
    })
}

/// Checks the tables, unless there is a reason not to begin.
fn check_all(
    options: &CheckMysqlTables,
    ask: &mut impl Ask,
    seen: &mut SeenServer,
    who: &Identity<'_>,
    all: &[Table],
) {
    let mut guard = match prepare(options, ask, seen, who) {
        Ok(guard) => guard,
        Err(reason) => {
            match reason {
                NotBegun::Unguarded(text) => seen.unguarded = Some(text),
                NotBegun::Failed(error) => seen.cut_short = Some(error),
            }
            return leave(seen, Why::Unguarded);
        }
    };
    guard.memory.keep(all.iter().map(|table| &table.name));
    let is_busy = seen.running.is_some();
    let chosen: Vec<(usize, &Table)> = seen
        .tables
        .iter()
        .enumerate()
        .filter(|(_, table)| table.outcome == Outcome::Opened)
        .filter_map(|(at, table)| Some((at, all.iter().find(|known| known.name == table.name)?)))
        .collect();
    let tables: Vec<&Table> = chosen.iter().map(|(_, table)| *table).collect();
    let order = Order {
        level: seen.level,
        deep_every: options.depth.deep_every(),
        max_bytes: options.select.max_bytes(),
        resume: options.pace.resume,
        now: unix_time(),
    };
    let mut checks = Checks::new(ask, guard, options.pace.budget(), is_busy);
    for (place, step) in plan(&tables, checks.memory(), order) {
        let Some((at, table)) = chosen.get(place) else { continue };
        let step = if is_busy { Step::Leave(Why::Busy) } else { step };
        if let Some(slot) = seen.tables.get_mut(*at) {
            checks.take(table, step, slot);
        }
    }
    checks.finish(seen);
}

/// Why no check was begun.
enum NotBegun {
    /// Nothing can be remembered.
    Unguarded(String),
    /// The server did not answer.
    Failed(ProbeError),
}

impl From<StateError> for NotBegun {
    fn from(error: StateError) -> Self {
        Self::Unguarded(error.to_string())
    }
}

impl From<AskError> for NotBegun {
    fn from(error: AskError) -> Self {
        Self::Failed(error.into())
    }
}

/// What comes before the first check.
fn prepare(
    options: &CheckMysqlTables,
    ask: &mut impl Ask,
    seen: &mut SeenServer,
    who: &Identity<'_>,
) -> Result<Guard, NotBegun> {
    let rows = ask.rows("SHOW GLOBAL STATUS LIKE 'Uptime'")?;
    let uptime: i64 = rows
        .first()
        .and_then(|row| number(row, "Value"))
        .ok_or_else(|| NotBegun::Failed(no_sense("its uptime")))?;
    let name = format!("{}:{}", who.hostname, who.port);
    let guard =
        Guard::open(options, who.place, ServerMark { name, started: who.now.saturating_sub(uptime) }, seen)?;
    // Its messages are read, so they have to be those we know. A server without its own files of
    // messages refuses to choose, and speaks English.
    let session = "SET SESSION lock_wait_timeout = 5";
    if ask.rows(&format!("{session}, lc_messages = 'en_US'")).is_err() {
        ask.rows(session)?;
    }
    seen.running = running(ask)?;
    Ok(guard)
}

/// A check that we, or an earlier run, began and that still runs. Our own threads are shown
/// without any privilege.
fn running(ask: &mut impl Ask) -> Result<Option<SeenRunning>, AskError> {
    let rows = ask.rows("SHOW FULL PROCESSLIST")?;
    let ours = |row: &&Row| {
        row.get("Info").is_some_and(|text| text.starts_with("CHECK TABLE ") && text.ends_with(MARK))
    };
    Ok(rows.iter().find(ours).map(|row| SeenRunning {
        statement: text(row, "Info").trim_end_matches(MARK).trim_end().to_owned(),
        seconds: number(row, "Time").unwrap_or_default(),
    }))
}

fn leave(seen: &mut SeenServer, why: Why) {
    for table in seen.tables.iter_mut().filter(|table| table.outcome == Outcome::Opened) {
        table.outcome = Outcome::Left(why);
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicU32, Ordering};

    use clap::Parser as _;

    use super::*;
    use crate::check_rows::Verdict;

    /// A server that answers by the beginning of the statement, each answer once, the last one for ever.
    struct Script {
        answers: Vec<(&'static str, Vec<Answer>)>,
        asked: Vec<String>,
    }

    type Answer = Result<Vec<Row>, AskError>;

    impl Ask for Script {
        fn rows(&mut self, sql: &str) -> Answer {
            self.asked.push(sql.to_owned());
            let found = self.answers.iter_mut().find(|(start, _)| sql.starts_with(start));
            let (_, answers) = found.unwrap_or_else(|| panic!("unexpected: {sql}"));
            if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() }
        }

        fn rows_early(&mut self, sql: &str) -> Answer {
            self.rows(sql)
        }
    }

    fn row(pairs: &[(&str, &str)]) -> Row {
        pairs.iter().map(|(name, value)| (*name, Some(*value))).collect()
    }

    fn said(rows: &[(&str, &str)]) -> Vec<Row> {
        rows.iter().map(|(kind, text)| row(&[("Msg_type", kind), ("Msg_text", text)])).collect()
    }

    fn server_error(number: u16) -> AskError {
        let as_probe = ProbeError::closed(Phase::Querying);
        AskError::Server { number, text: "no".to_owned(), as_probe }
    }

    /// Two tables of MyISAM, and these answers to CHECK TABLE.
    fn script(checks: Vec<Answer>) -> Script {
        let who = [("hostname", "db"), ("port", "3306"), ("server_id", "1"), ("now", "1800000000")];
        let mut who = who.to_vec();
        who.push(("version", "10.11.19-MariaDB"));
        let table = |name| {
            row(&[
                ("table_schema", "shop"),
                ("table_name", name),
                ("table_type", "BASE TABLE"),
                ("engine", "MyISAM"),
                ("data_length", "1024"),
            ])
        };
        Script {
            answers: vec![
                ("SELECT @@hostname", vec![Ok(vec![row(&who)])]),
                ("SELECT TABLE_SCHEMA", vec![Ok(vec![table("b"), table("a")])]),
                ("SHOW GLOBAL STATUS", vec![Ok(vec![row(&[("Variable_name", "Uptime"), ("Value", "500")])])]),
                ("SET SESSION", vec![Ok(Vec::new())]),
                ("SHOW FULL PROCESSLIST", vec![Ok(Vec::new())]),
                ("SELECT TABLE_NAME", vec![Ok(Vec::new())]),
                ("CHECK TABLE", checks),
            ],
            asked: Vec::new(),
        }
    }

    /// A folder to remember in, gone afterwards.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            static FOLDERS: AtomicU32 = AtomicU32::new(0);
            let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
            Self(std::env::temp_dir().join(format!("vedette-tables-{}-{number}", std::process::id())))
        }

        fn probed(&self, script: &mut Script) -> SeenServer {
            let folder = self.0.to_str().unwrap();
            let options = CheckMysqlTables::parse_from(["check_mysql_tables", "--state-dir", folder]);
            probe_server(&options, script, "db:3306").unwrap()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn outcomes(seen: &SeenServer) -> Vec<Outcome> {
        seen.tables.iter().map(|table| table.outcome.clone()).collect()
    }

    const WHOLE: [(&str, &str); 1] = [("status", "OK")];

    #[test]
    fn a_check_without_a_reason_is_made_twice() {
        let folder = Folder::new();
        let mut script = script(vec![Ok(said(&[("error", "Corrupt")])), Ok(said(&WHOLE))]);
        let seen = folder.probed(&mut script);
        assert_eq!(outcomes(&seen), [Outcome::Checked(Verdict::Whole), Outcome::Checked(Verdict::Whole)]);
        let checks = script.asked.iter().filter(|sql| sql.starts_with("CHECK TABLE")).count();
        assert_eq!(checks, 3, "{:?}", script.asked);
    }

    #[test]
    fn a_table_that_was_dropped_meanwhile_is_no_damage() {
        let folder = Folder::new();
        let gone = [("Error", "Table 'shop.a' doesn't exist"), ("status", "Operation failed")];
        let seen = folder.probed(&mut script(vec![Ok(said(&gone)), Ok(said(&WHOLE))]));
        assert_eq!(outcomes(&seen), [Outcome::Checked(Verdict::Whole)]);
        // The same words about a table that is still in the list are damage.
        let mut again = script(vec![Ok(said(&gone)), Ok(said(&WHOLE))]);
        again.answers[5].1 = vec![Ok(vec![row(&[("table_name", "a")])])];
        assert!(matches!(outcomes(&folder.probed(&mut again))[0], Outcome::Checked(Verdict::Damaged(_))));
    }

    #[test]
    fn a_lost_connection_ends_the_run_and_is_remembered() {
        let folder = Folder::new();
        let lost = || Err(AskError::Lost(ProbeError::closed(Phase::Querying)));
        let seen = folder.probed(&mut script(vec![lost()]));
        assert!(matches!(outcomes(&seen)[..], [Outcome::Lost(_), Outcome::Left(Why::Ended)]));
        // The same server, running all the time.
        let seen = folder.probed(&mut script(vec![Ok(said(&WHOLE))]));
        let unfinished = seen.unfinished.unwrap();
        assert_eq!(unfinished.meaning, crate::memory::Unfinished::Interrupted);
        assert_eq!(folder.probed(&mut script(vec![Ok(said(&WHOLE))])).unfinished, None);
        // And one that was started in between.
        folder.probed(&mut script(vec![lost()]));
        let mut restarted = script(vec![Ok(said(&WHOLE))]);
        restarted.answers[2].1 = vec![Ok(vec![row(&[("Value", "5")])])];
        let seen = folder.probed(&mut restarted);
        assert_eq!(seen.suspects.len(), 1);
        assert_eq!(outcomes(&seen)[0], Outcome::Left(Why::Suspect));
    }

    #[test]
    fn errors_of_the_statement_by_their_numbers() {
        for (number, want) in [
            (1142, Outcome::Denied("no".to_owned())),
            (1205, Outcome::Checked(Verdict::Locked)),
            (1317, Outcome::Checked(Verdict::Unclear("\"no\"".to_owned()))),
            (1034, Outcome::Failed { number: 1034, text: "no".to_owned() }),
        ] {
            let folder = Folder::new();
            let seen = folder.probed(&mut script(vec![Err(server_error(number))]));
            assert_eq!(outcomes(&seen), [want.clone(), want], "{number}");
        }
    }

    #[test]
    fn a_server_that_cannot_choose_its_language_is_asked_without() {
        let folder = Folder::new();
        let mut script = script(vec![Ok(said(&WHOLE))]);
        script.answers[3].1 = vec![Err(server_error(1231)), Ok(Vec::new())];
        let seen = folder.probed(&mut script);
        assert_eq!(seen.cut_short, None);
        assert_eq!(script.asked.iter().filter(|sql| sql.starts_with("SET SESSION")).count(), 2);
    }
}
