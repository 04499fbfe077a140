//! The verdict of check_mysql_slave on whatever a server may answer.
//!
//! Input: a line of options, then rows of `column=value`, with an empty line between two; a
//! column without `=` is NULL. A row that begins with `facts` belongs to the first statement, one
//! that begins with `source` is the source's, the others are rows of the status.

use check_mysql_slave::judge::{AllowStopped, Errant, LagSource, ReadOnly, Wanted, judge};
use check_mysql_slave::replica::{Columns, Heartbeat, Heartbeats, Replica, Source, Thread};
use check_mysql_slave::state::{Memory, remember};
use common::plugin::Run;
use common::report::{Document, Format, State, StateTable, render};

type Row<'a> = Vec<(&'a str, Option<&'a str>)>;

/// The target.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (options, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let blocks = rest.split("\n\n").map(row).filter(|row| !row.is_empty());
    let (mut facts, mut sources, mut status) = (Vec::new(), Vec::new(), Vec::new());
    for block in blocks {
        match block.first() {
            Some(("facts", None)) => facts.push(block),
            Some(("source", None)) => sources.push(block),
            _ => status.push(block),
        }
    }
    let mut replica = Replica::read(&facts, &status);
    replica.source = sources.first().map(source);
    replica.heartbeats = options.contains('h').then(|| heartbeats(&sources));
    let wanted = wanted(options);
    if options.contains('m') {
        let memory = remember(Memory::default(), &mut replica.clone(), 1000);
        let _ = remember(memory, &mut replica, 1060);
    }
    check(&replica, &wanted);
}

fn row(block: &str) -> Row<'_> {
    let lines = block.lines().filter(|line| !line.is_empty());
    lines.map(|line| line.split_once('=').map_or((line, None), |(name, value)| (name, Some(value)))).collect()
}

fn source(row: &Row<'_>) -> Source {
    let text = |column: &str| row.get_text(column);
    let number = |column: &str| text(column).and_then(|text| text.parse::<f64>().ok());
    Source {
        name: "db1:3306".to_owned(),
        problem: text("problem"),
        server_id: text("server_id").and_then(|id| id.parse().ok()),
        server_uuid: text("server_uuid"),
        gtid_executed: text("gtid_executed"),
        gtid_binlog_position: text("gtid_binlog_pos"),
        gtid_binlog_state: text("gtid_binlog_state"),
        log_file: text("log_file"),
        log_position_bytes: text("log_pos").and_then(|bytes| bytes.parse().ok()),
        skew_seconds: number("skew"),
        is_origin: text("origin").map(|origin| origin == "1"),
        has_moved: text("moved").map(|moved| moved == "1"),
    }
}

trait Text {
    fn get_text(&self, column: &str) -> Option<String>;
}

impl Text for Row<'_> {
    fn get_text(&self, column: &str) -> Option<String> {
        Columns::get(self, column).map(str::to_owned)
    }
}

fn heartbeats(rows: &[Row<'_>]) -> Heartbeats {
    let number = |row: &Row<'_>, column: &str| row.get_text(column).and_then(|text| text.parse::<f64>().ok());
    let heartbeat = |row: &Row<'_>| {
        let server_id = row.get_text("server_id").and_then(|id| id.parse().ok()).unwrap_or_default();
        Heartbeat { server_id, age_seconds: number(row, "age").filter(|age| age.is_finite()) }
    };
    Heartbeats { rows: rows.iter().map(heartbeat).collect(), problem: None }
}

fn wanted(options: &str) -> Wanted {
    let has = |letter: char| options.contains(letter);
    let standard = Wanted::default();
    Wanted {
        allow_stopped: has('a').then_some(AllowStopped { io: true, sql: true, seconds: None }),
        errant: if has('e') { Errant::Exact } else { Errant::Local },
        expect_channels: has('2').then_some(2),
        forbid_filters: has('f'),
        lag_source: if has('s') { LagSource::Source } else { LagSource::Auto },
        min_delay_seconds: has('d').then_some(3600.0),
        read_only: if has('o') { ReadOnly::Off } else { ReadOnly::On },
        semi_sync: has('y'),
        ..standard
    }
}

fn check(replica: &Replica, wanted: &Wanted) {
    let run = Run { taken_at: 0, states: StateTable::default() };
    let report = judge(replica, wanted, &run);
    let state = report.state();
    assert!(report.findings().iter().all(|finding| !finding.text.is_empty() && finding.text.len() < 4096));
    assert!(report.metrics().iter().all(|metric| metric.value.is_none_or(f64::is_finite)));
    let channels: Vec<_> = replica.channels.iter().filter(|channel| !channel.is_of_group()).collect();
    let stands = |thread: &Option<Thread>| *thread != Some(Thread::Running);
    if state == State::Ok {
        assert!(!channels.is_empty() || replica.cluster.is_some(), "no rows are never OK");
        for channel in &channels {
            assert!(!stands(&channel.io) && !stands(&channel.sql), "a thread that does not run is never OK");
        }
        assert!(
            replica.source.as_ref().is_none_or(|source| source.problem.is_none()),
            "who did not answer is not fine"
        );
    }
    for channel in &channels {
        let has_error = |error: &Option<_>| error.is_some();
        let is_broken = channel.io == Some(Thread::Stopped) && has_error(&channel.io_error)
            || channel.sql == Some(Thread::Stopped) && has_error(&channel.sql_error);
        assert!(
            !is_broken || state == State::Critical,
            "stopped by an error is critical, whatever is allowed"
        );
    }
    for format in [Format::Text, Format::Json] {
        let document = Document {
            plugin: "check_mysql_slave",
            target: "replica:3306",
            state,
            report: &report,
            observation: None,
            verbosity: 3,
            max_output: 8192,
        };
        assert!(render(&document, format).starts_with(if format == Format::Text {
            "MYSQL_SLAVE "
        } else {
            "{"
        }));
    }
}
