//! From what a server said of its tables to findings and figures.

use common::plugin::Run;
use common::report::{Condition, Finding, Report, State, quote};

use crate::CheckMysqlTables;
use crate::advice::{Kind, add_advice};
use crate::figures::{Counts, count, size, span};
use crate::schedule::Why;
use crate::seen::{Level, Outcome, SeenServer, SeenTable, Unfinished, Verdict};

/// A table others hold for so many runs is worth a warning.
const LOCKED_RUNS: u32 = 3;

/// Judges a server's tables.
pub(crate) fn judge_server(options: &CheckMysqlTables, seen: &SeenServer, run: &Run) -> Report {
    let mut report = Report::new();
    let tables: Vec<&SeenTable> = seen.tables.iter().filter(|table| !is_unsupported(table)).collect();
    let counts = counts(seen, &tables, run);
    counts.record(&mut report);
    for table in &tables {
        if let Some(finding) = judge_table(table, run) {
            report.add(finding);
        }
    }
    judge_unfinished(seen, run, &mut report);
    if let Some(text) = &seen.unguarded {
        report.add(
            Finding::new(
                "unguarded",
                State::Unknown,
                format!("no table is checked without a memory: {text}"),
            )
            .with_hint("--state-dir DIR names a folder that only the user of the check can write to"),
        );
    }
    if let Some(path) = &seen.put_aside {
        let text = format!("what earlier runs left could not be read; it was put aside as {path}");
        report.find("put_aside", State::Warning, text);
    }
    if let Some(error) = &seen.cut_short {
        report.add(common::plugin::finding_of(error, &run.states));
    }
    if seen.innodb_refused {
        let text =
            "--innodb: this server is no MariaDB, and MySQL aborts when it meets a damaged page of InnoDB";
        report.add(
            Finding::new("innodb_refused", State::Unknown, text)
                .with_hint("--innodb-may-crash-server checks all the same"),
        );
    }
    judge_age(options, &tables, run, &mut report);
    judge_coverage(seen, &tables, &counts, &mut report);
    let is_cut = tables.iter().any(|table| table.outcome == Outcome::Left(Why::Budget));
    if is_cut && !options.pace.resume {
        report.note("resume", "--resume begins with the tables whose check is the oldest");
    }
    let damaged = tables.iter().filter(|table| is_damaged(table));
    let damaged: Vec<(String, Kind)> = damaged.map(|table| (table.name.quoted(), kind_of(table))).collect();
    add_advice(&damaged, &mut report);
    for note in &seen.notes {
        report.note("connection", note.clone());
    }
    describe(seen, &tables, run, &mut report);
    report
}

/// What has no check is not counted: it is neither whole nor damaged.
fn is_unsupported(table: &SeenTable) -> bool {
    table.outcome == Outcome::Checked(Verdict::Unsupported)
}

fn is_damaged(table: &SeenTable) -> bool {
    match &table.outcome {
        Outcome::NotOpened(_)
        | Outcome::Failed { .. }
        | Outcome::Checked(Verdict::Damaged(_) | Verdict::Unexplained) => true,
        Outcome::Checked(Verdict::Whole | Verdict::Warned(_)) => false,
        _ => table.was_damaged,
    }
}

/// Whether this run came to a result.
fn is_checked(table: &SeenTable) -> bool {
    match &table.outcome {
        Outcome::Opened | Outcome::NotOpened(_) | Outcome::Failed { .. } => true,
        Outcome::Checked(verdict) => !matches!(verdict, Verdict::Locked | Verdict::Unclear(_)),
        _ => false,
    }
}

fn kind_of(table: &SeenTable) -> Kind {
    let words = match &table.outcome {
        Outcome::NotOpened(text) | Outcome::Checked(Verdict::Damaged(text)) => text.as_str(),
        _ => "",
    };
    Kind::of(table.engine.as_deref(), words)
}

fn age(table: &SeenTable, run: &Run) -> u64 {
    let last = table.checked.unwrap_or(table.since);
    u64::try_from(run.taken_at.saturating_sub(last)).unwrap_or_default()
}

fn counts(seen: &SeenServer, tables: &[&SeenTable], run: &Run) -> Counts {
    let number = |wanted: &dyn Fn(&SeenTable) -> bool| tables.iter().filter(|table| wanted(table)).count();
    let warned = |table: &SeenTable| matches!(table.outcome, Outcome::Checked(Verdict::Warned(_)));
    // A table that cannot be opened is not waiting for its turn.
    let oldest = tables.iter().filter(|table| table.since > 0).map(|table| age(table, run)).max();
    Counts {
        tables: tables.len(),
        checked: number(&is_checked),
        damaged: number(&is_damaged),
        warned: number(&warned),
        skipped: number(&|table| !is_checked(table)),
        oldest,
        has_ages: seen.level != Level::State,
        free: None,
    }
}

fn judge_table(table: &SeenTable, run: &Run) -> Option<Finding> {
    let shown = shown(table);
    let level = table.level.map_or("", Level::name);
    Some(match &table.outcome {
        Outcome::NotOpened(text) => {
            Finding::new("damaged", State::Critical, format!("{shown} cannot be opened: {}", quote(text)))
        }
        Outcome::Checked(Verdict::Damaged(text)) => {
            Finding::new("damaged", State::Critical, format!("{shown} is damaged ({level}): {text}"))
        }
        Outcome::Checked(Verdict::Unexplained) => {
            let text = format!("{shown} is damaged ({level}): \"Corrupt\", twice, without a reason");
            Finding::new("damaged", State::Critical, text)
        }
        Outcome::Failed { number, text } => {
            let text = format!("{shown} cannot be checked: error {number} {}", quote(text));
            Finding::new("check_failed", State::Critical, text)
        }
        Outcome::Lost(text) => {
            let text = format!("connection lost while checking {shown}: {text}");
            Finding::new("lost", State::Critical, text).with_hint(
                "a server that dies of a damaged table names it in its error log; the next run does \
                 not check this one again if the server was restarted",
            )
        }
        Outcome::TimedOut => {
            let state = run.states.state(Condition::Timeout);
            Finding::new("timeout", state, format!("timeout while checking {shown}, {}", size(table.bytes)))
                .with_hint("the check goes on in the server; -t, --max-table-size and --level bound it")
        }
        _ if table.was_damaged && is_damaged(table) => {
            let ago = table.checked.map_or(0, |_| age(table, run));
            let text = format!("{shown} was damaged {} ago and has not been checked since", span(ago));
            Finding::new("damaged", State::Critical, text)
        }
        Outcome::Checked(Verdict::Warned(text)) => {
            Finding::new("warned", State::Warning, format!("{shown} is whole, but: {text}"))
        }
        Outcome::Checked(Verdict::Unclear(text)) => {
            let text = format!("the check of {shown} came to no result: {text}");
            Finding::new("unclear", State::Unknown, text)
        }
        Outcome::Checked(Verdict::Locked) if table.locked_runs >= LOCKED_RUNS => {
            let text = format!("{shown} was locked by others in {} runs in a row", table.locked_runs);
            Finding::new("locked", State::Warning, text)
                .with_hint("SHOW FULL PROCESSLIST says who holds it; no check waits longer than 5 s")
        }
        Outcome::Denied(text) => {
            let (schema, _) = table.name.quoted_parts();
            Finding::new("denied", State::Unknown, format!("{shown} cannot be checked: {}", quote(text)))
                .with_hint(format!("GRANT SELECT ON {schema}.* TO the user of the check"))
        }
        Outcome::Opened
        | Outcome::Left(_)
        | Outcome::Checked(Verdict::Whole | Verdict::Locked | Verdict::Unsupported) => return None,
    })
}

fn shown(table: &SeenTable) -> String {
    match &table.engine {
        Some(engine) => format!("{} ({engine})", table.name),
        None => table.name.to_string(),
    }
}

/// Checks that did not end: of the last run, and of any that took the server with it.
fn judge_unfinished(seen: &SeenServer, run: &Run, report: &mut Report) {
    let ago = |since: i64| span(u64::try_from(run.taken_at.saturating_sub(since)).unwrap_or_default());
    for suspect in &seen.suspects {
        let text = format!(
            "the server went down during a check of {}, {} ago: it is not checked any more",
            suspect.table,
            ago(suspect.since)
        );
        report.add(Finding::new("suspect", State::Critical, text).with_hint(
            "look into the server's error log, and dump the table before anything else reads it; \
             --clear-suspect, once, checks it again",
        ));
    }
    if let Some(unfinished) = &seen.unfinished
        && unfinished.meaning == Unfinished::Interrupted
    {
        let text = format!("the check of {}, {} ago, did not end", unfinished.table, ago(unfinished.since));
        report.find("interrupted", State::Warning, text);
    }
    if let Some(running) = &seen.running {
        let text = format!(
            "an earlier check still runs after {}, none is added: {}",
            span(running.seconds),
            quote(&running.statement)
        );
        report.find("running", State::Warning, text);
    }
}

/// Tables that were not checked for too long, for whatever reason.
fn judge_age(options: &CheckMysqlTables, tables: &[&SeenTable], run: &Run, report: &mut Report) {
    let Some(limit) = options.pace.max_age() else { return };
    let mut old: Vec<&&SeenTable> =
        tables.iter().filter(|table| table.since > 0 && age(table, run) > limit.as_secs()).collect();
    old.sort_by_key(|table| std::cmp::Reverse(age(table, run)));
    let Some(oldest) = old.first() else { return };
    let why = match oldest.outcome {
        Outcome::Left(Why::TooLarge) => format!(": {}, over --max-table-size", size(oldest.bytes)),
        Outcome::Left(Why::Budget) => ": --time-budget leaves no time for it".to_owned(),
        _ => String::new(),
    };
    let text = format!(
        "{} unchecked for longer than {}: {} for {}{why}",
        count(old.len(), "table"),
        span(limit.as_secs()),
        oldest.name,
        span(age(oldest, run))
    );
    report.find("max_age", State::Warning, text);
}

/// How much of it was looked at, which is what an OK says.
fn judge_coverage(seen: &SeenServer, tables: &[&SeenTable], counts: &Counts, report: &mut Report) {
    if tables.is_empty() {
        let of = if seen.level == Level::State {
            String::new()
        } else {
            format!(" of {}", seen.engines.join(", "))
        };
        let text = format!("no table{of} fits, of {} that the server shows", count(seen.others, "table"));
        report.add(Finding::new("nothing", State::Unknown, text).with_hint(
            "a table is shown to those who have a privilege on it; InnoDB wants --innodb (MariaDB)",
        ));
        return;
    }
    let left = |why: Why| tables.iter().filter(|table| table.outcome == Outcome::Left(why)).count();
    let locked = tables.iter().filter(|table| table.outcome == Outcome::Checked(Verdict::Locked)).count();
    let mut rest: Vec<String> = Vec::new();
    for (number, why) in [
        (left(Why::Budget), "beyond --time-budget"),
        (left(Why::TooLarge), "over --max-table-size"),
        (left(Why::Suspect), "suspect"),
        (left(Why::Ended) + left(Why::Busy) + left(Why::Unguarded), "had no turn"),
        (locked, "locked"),
    ] {
        if number > 0 {
            rest.push(format!("{number} {why}"));
        }
    }
    let rest = if rest.is_empty() { String::new() } else { format!(" ({})", rest.join(", ")) };
    if counts.checked == 0 {
        let text = format!("none of {} was checked{rest}", count(tables.len(), "table"));
        report.find("unchecked", State::Unknown, text);
        return;
    }
    let text = match (seen.level, counts.damaged, counts.oldest) {
        (Level::State, 0, _) => {
            format!("{} can be opened, nothing more was asked (--level state)", count(counts.tables, "table"))
        }
        (_, 0, Some(oldest)) if counts.checked < counts.tables => format!(
            "{}/{} tables checked, none damaged, oldest check {} ago{rest}",
            counts.checked,
            counts.tables,
            span(oldest)
        ),
        (_, 0, _) => format!("{} checked, none damaged", count(counts.checked, "table")),
        (_, damaged, _) => {
            format!(
                "{damaged} of {} damaged, {} checked{rest}",
                count(counts.tables, "table"),
                counts.checked
            )
        }
    };
    report.find("coverage", State::Ok, text);
}

/// Background: who was asked, and with `-vv` what came of each table.
fn describe(seen: &SeenServer, tables: &[&SeenTable], run: &Run, report: &mut Report) {
    report.context(1, format!("server {}", seen.server));
    if seen.level != Level::State {
        let engines = seen.engines.join(", ");
        report.context(1, format!("engines {engines}; {} left out", count(seen.others, "table")));
    }
    for table in tables {
        let how = match (table.level, table.time) {
            (Some(level), Some(time)) => format!("{} in {:.3} s", level.name(), time),
            _ if table.since > 0 => format!("not checked, {} old", span(age(table, run))),
            _ => "not checked".to_owned(),
        };
        report.context(2, format!("{}, {}: {how}", shown(table), size(table.bytes)));
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use common::report::StateTable;

    use super::*;
    use crate::seen::{SeenRunning, SeenUnfinished, Suspect, TableName};

    const NOW: i64 = 1_800_000_000;

    fn table(name: &str, outcome: Outcome) -> SeenTable {
        SeenTable {
            name: TableName { schema: "shop".to_owned(), name: name.to_owned() },
            engine: Some("MyISAM".to_owned()),
            bytes: 1024,
            outcome,
            level: Some(Level::Quick),
            time: Some(0.1),
            checked: Some(NOW),
            since: NOW - 86_400,
            locked_runs: 0,
            was_damaged: false,
        }
    }

    fn whole(name: &str) -> SeenTable {
        table(name, Outcome::Checked(Verdict::Whole))
    }

    fn seen(tables: Vec<SeenTable>) -> SeenServer {
        SeenServer {
            server: "db:3306".to_owned(),
            level: Level::Quick,
            engines: vec!["MyISAM".to_owned()],
            tables,
            others: 3,
            unfinished: None,
            suspects: Vec::new(),
            running: None,
            unguarded: None,
            put_aside: None,
            innodb_refused: false,
            notes: Vec::new(),
            cut_short: None,
        }
    }

    fn judged(seen: &SeenServer) -> Report {
        let options = CheckMysqlTables::parse_from(["check_mysql_tables"]);
        judge_server(&options, seen, &Run { taken_at: NOW, states: StateTable::default() })
    }

    /// State and first sentence for a whole table and one more.
    fn with(one: SeenTable) -> (State, String) {
        first(&seen(vec![whole("whole"), one]))
    }

    fn first(seen: &SeenServer) -> (State, String) {
        let report = judged(seen);
        (report.state(), report.findings()[0].text.clone())
    }

    #[test]
    fn ok_all_checked_or_the_rest_beyond_the_budget() {
        assert_eq!(with(whole("t")), (State::Ok, "2 tables checked, none damaged".to_owned()));
        let left = SeenTable { checked: Some(NOW - 3 * 86_400), ..table("t", Outcome::Left(Why::Budget)) };
        let (state, text) = with(left);
        assert_eq!(state, State::Ok);
        assert_eq!(text, "1/2 tables checked, none damaged, oldest check 3 d ago (1 beyond --time-budget)");
    }

    #[test]
    fn critical_damage_in_its_forms() {
        let forms = [
            Outcome::Checked(Verdict::Damaged("\"Size of datafile\"".to_owned())),
            Outcome::Checked(Verdict::Unexplained),
            Outcome::NotOpened("is marked as crashed".to_owned()),
            Outcome::Failed { number: 1034, text: "Index for table is corrupt".to_owned() },
            Outcome::Lost("connection closed".to_owned()),
        ];
        for outcome in forms {
            let (state, text) = with(table("t", outcome.clone()));
            assert!(state == State::Critical && text.contains("shop.t"), "{outcome:?}: {state} {text}");
        }
    }

    #[test]
    fn critical_known_damage_waits_for_no_turn() {
        for outcome in
            [Outcome::Left(Why::Budget), Outcome::Checked(Verdict::Locked), Outcome::Left(Why::Busy)]
        {
            let old = SeenTable { was_damaged: true, checked: Some(NOW - 7200), ..table("t", outcome) };
            let (state, text) = with(old);
            assert_eq!(state, State::Critical);
            assert_eq!(text, "shop.t (MyISAM) was damaged 2 h ago and has not been checked since");
        }
        assert_eq!(with(SeenTable { was_damaged: true, ..whole("t") }).0, State::Ok, "it was mended");
    }

    #[test]
    fn warning_not_closed_locked_old_and_interrupted() {
        let warned = Outcome::Checked(Verdict::Warned("\"not closed\"".to_owned()));
        assert_eq!(with(table("t", warned)).0, State::Warning);
        let locked = |runs| SeenTable { locked_runs: runs, ..table("t", Outcome::Checked(Verdict::Locked)) };
        assert_eq!([with(locked(2)).0, with(locked(3)).0], [State::Ok, State::Warning]);
        let old = SeenTable { checked: Some(NOW - 15 * 86_400), ..table("t", Outcome::Left(Why::TooLarge)) };
        let (state, text) = with(old);
        assert_eq!(state, State::Warning);
        assert_eq!(
            text,
            "1 table unchecked for longer than 14 d: shop.t for 15 d: 1.0 KiB, over --max-table-size"
        );
        let name = whole("t").name;
        let unfinished =
            Some(SeenUnfinished { table: name, since: NOW - 300, meaning: Unfinished::Interrupted });
        let (state, text) = first(&SeenServer { unfinished, ..seen(vec![whole("t")]) });
        assert_eq!((state, text.as_str()), (State::Warning, "the check of shop.t, 5 min ago, did not end"));
    }

    #[test]
    fn critical_suspect_and_timeout() {
        let suspects = vec![Suspect { table: whole("t").name, since: NOW - 300 }];
        let left = table("t", Outcome::Left(Why::Suspect));
        let (state, text) = first(&SeenServer { suspects, ..seen(vec![whole("a"), left]) });
        assert!(
            state == State::Critical && text.starts_with("the server went down during a check of shop.t")
        );
        assert_eq!(with(table("t", Outcome::TimedOut)).0, State::Critical);
    }

    #[test]
    fn unknown_nothing_unclear_denied_or_unguarded() {
        assert_eq!(first(&seen(Vec::new())).0, State::Unknown);
        let unsupported = table("t", Outcome::Checked(Verdict::Unsupported));
        assert_eq!(first(&seen(vec![unsupported])).0, State::Unknown, "what has no check proves nothing");
        assert_eq!(first(&seen(vec![table("t", Outcome::Left(Why::TooLarge))])).0, State::Unknown);
        assert_eq!(with(table("t", Outcome::Denied("no".to_owned()))).0, State::Unknown);
        let unclear = Outcome::Checked(Verdict::Unclear("\"x\"".to_owned()));
        assert_eq!(with(table("t", unclear)).0, State::Unknown);
        let unguarded = Some("cannot write".to_owned());
        assert_eq!(first(&SeenServer { unguarded, ..seen(vec![whole("t")]) }).0, State::Unknown);
        assert_eq!(first(&SeenServer { innodb_refused: true, ..seen(vec![whole("t")]) }).0, State::Unknown);
        let statement = "CHECK TABLE `shop`.`t` QUICK".to_owned();
        let running = Some(SeenRunning { statement, seconds: 600 });
        let busy = SeenServer { running, ..seen(vec![table("t", Outcome::Left(Why::Busy))]) };
        assert_eq!(first(&busy).0, State::Unknown);
    }
}
