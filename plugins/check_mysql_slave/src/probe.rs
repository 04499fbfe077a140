//! Asks a replica: two statements while all is well, a second connection when it hangs.

mod mark;
mod source;

use std::thread;
use std::time::{Duration, Instant};

use common::net::mysql::{Login, MysqlError, MysqlTrouble, Row, Session};
use common::net::{Deadline, ProbeError};
use common::plugin::{Remembered, StateFile, state_folder};
use serde::{Deserialize, Serialize};

use crate::CheckMysqlSlave;
use crate::judge;
use crate::options::Table;
use crate::replica::{Channel, Cluster, Gap, Heartbeat, Heartbeats, Replica, Status, sql};
use crate::state::{Memory, VERSION, remember};
use mark::Mark;
use source::Asked;

/// What the server said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// Where, for the sentence.
    pub(crate) server: String,
    /// The statement that was understood.
    pub(crate) statement: String,
    /// What it says of its replication.
    pub(crate) replica: Replica,
    /// About the connection.
    pub(crate) notes: Vec<String>,
}

/// All ways to ask for all channels. Plain SHOW SLAVE STATUS leaves out named connections,
/// but servers that have those know one of the others.
const ALL_REPLICAS: &str = "SHOW ALL REPLICAS STATUS";
const REPLICA: &str = "SHOW REPLICA STATUS";
const ALL_SLAVES: &str = "SHOW ALL SLAVES STATUS";
const SLAVE: &str = "SHOW SLAVE STATUS";
/// Kept for the second connection when the status hangs.
const RESERVE: Duration = Duration::from_secs(2);

pub(crate) fn probe(check: &CheckMysqlSlave, login: &Login, deadline: &Deadline) -> Result<Seen, ProbeError> {
    let mut session = Session::connect(login, deadline)?;
    let mut seen = Seen {
        server: session.server().place.to_string(),
        notes: session.server().notes.clone(),
        ..Seen::default()
    };
    let (facts, gap) = match facts(&mut session, &sooner(deadline)) {
        Ok(answer) => answer,
        Err(error) if error.trouble == MysqlTrouble::Timeout => {
            seen.replica.status = hanging(login, deadline);
            return Ok(seen);
        }
        Err(error) => return Err(error.into()),
    };
    seen.replica = Replica::read::<Row, Row>(&facts, &[]);
    let is_mariadb = facts.first().is_some_and(|row| row.has("gtid_binlog_state"));
    if let Some((threads, oldest_seconds)) = piled_up(&seen.replica, deadline) {
        seen.replica.status =
            Status::PiledUp { threads, oldest_seconds, states: states(&mut session, deadline) };
    } else {
        // Before the status, so that what it does not show then is missing here.
        let source = check.compare.source.as_deref().map(|file| Asked::ask(file, &a_third(deadline)));
        match status(&mut session, is_mariadb, &sooner(deadline)) {
            Ok((statement, rows)) => {
                statement.clone_into(&mut seen.statement);
                seen.replica = Replica::read(&facts, &rows);
                add_source(check, &mut session, source, &mut seen.replica);
            }
            Err(error) if error.trouble == MysqlTrouble::Timeout => {
                seen.replica.status = hanging(login, deadline);
            }
            Err(error) => return Err(error.into()),
        }
    }
    seen.replica.gaps.extend(gap);
    if seen.replica.status == Status::Answered {
        if let Some(table) = &check.lag.heartbeat_table {
            seen.replica.heartbeats = Some(heartbeats(&mut session, table, check.lag.heartbeat_utc));
        }
        add_counters(check, &mut session, facts.first(), &mut seen.replica);
    }
    add_memory(check, &seen.server, &mut seen.replica);
    Ok(seen)
}

/// For the source: one that hangs must not take the time of the replica, which would then seem to hang itself.
fn a_third(deadline: &Deadline) -> Deadline {
    deadline.shortened(deadline.elapsed() + deadline.left() / 3)
}

/// What `--source` and `--probe-table` add.
fn add_source(check: &CheckMysqlSlave, session: &mut Session, source: Option<Asked>, replica: &mut Replica) {
    let Some(mut source) = source else { return };
    let mark = check.compare.probe_table.as_ref().map(|table| Mark::write(table, &mut source));
    let deadline = session.deadline().clone();
    replica.source = Some(source.compared(session, &deadline));
    if replica.channel_of_source().is_none()
        && let Some(compared) = &mut replica.source
    {
        compared.is_origin = source.is_origin();
    }
    if judge::is_source_ahead(replica) {
        let has_moved = has_moved(session, replica, &deadline);
        if let Some(source) = &mut replica.source {
            source.has_moved = has_moved;
        }
    }
    replica.probe = mark.map(|mark| mark.wait(session, &sooner(&deadline)));
}

/// Long enough for a source that has something to send.
const SECOND_LOOK: Duration = Duration::from_secs(1);

/// Whether anything was received between two looks. `None`: there was no second one.
fn has_moved(session: &mut Session, before: &Replica, deadline: &Deadline) -> Option<bool> {
    let channel = before.channel_from_source()?;
    let received = |channel: &Channel| {
        (
            channel.read_file.clone(),
            channel.read_position_bytes,
            channel.retrieved_gtids.clone(),
            channel.gtid_io_position.clone(),
        )
    };
    let begun = Instant::now();
    thread::sleep(SECOND_LOOK.min(sooner(deadline).left()));
    let is_mariadb = before.server.gtid_binlog_state.is_some();
    let (_, rows) = status(session, is_mariadb, &sooner(deadline)).ok()?;
    let after = rows.iter().map(Channel::read).find(|after| after.name == channel.name)?;
    let has_moved = received(&after) != received(channel);
    (has_moved || begun.elapsed() >= SECOND_LOOK).then_some(has_moved)
}

/// What only the status counters of MariaDB tell. They are asked for where they matter, and after the status: on a full
/// disk they would hang like that.
fn add_counters(check: &CheckMysqlSlave, session: &mut Session, facts: Option<&Row>, replica: &mut Replica) {
    let is_cluster = facts.and_then(|row| row.get("wsrep_on")).is_some_and(|on| on == "1" || on == "ON");
    let wants_semi_sync = check.expect.semi_sync && replica.server.semi_sync.replica_status.is_none();
    if !is_cluster && !wants_semi_sync {
        return;
    }
    let asked = session.rows(COUNTERS);
    let rows = asked.unwrap_or_else(|error| {
        let text = format!("counters of the server are not known: {error}");
        replica.gaps.push(Gap { text, hint: None });
        Vec::new()
    });
    let counters: Row = rows
        .iter()
        .filter_map(|row| Some((row.get("Variable_name")?.to_owned(), row.get("Value").map(str::to_owned))))
        .collect();
    let switch = |name: &str| counters.get(name).map(|value| value.eq_ignore_ascii_case("ON"));
    let semi_sync = &mut replica.server.semi_sync;
    semi_sync.replica_status = semi_sync.replica_status.or(switch("Rpl_semi_sync_slave_status"));
    semi_sync.source_status = semi_sync.source_status.or(switch("Rpl_semi_sync_master_status"));
    if is_cluster {
        let of_cluster = [("wsrep_on", Some("1"))].into_iter().collect::<Row>();
        let columns = counters.columns().chain(of_cluster.columns());
        replica.cluster = Cluster::read(&columns.collect::<Row>());
    }
}

const COUNTERS: &str = "SHOW GLOBAL STATUS WHERE Variable_name LIKE 'Rpl\\_semi\\_sync\\_%status' \
    OR Variable_name LIKE 'wsrep\\_%'";

/// The first statement. Without the privilege for its tables, what can be had without them.
fn facts(session: &mut Session, deadline: &Deadline) -> Result<(Vec<Row>, Option<Gap>), MysqlError> {
    match session.rows_before(sql::FACTS, deadline) {
        Ok(rows) => Ok((rows, None)),
        Err(error) if error.code.is_some() && error.trouble != MysqlTrouble::Busy => {
            let text =
                format!("the performance schema does not answer, silence and workers are not known: {error}");
            let gap = Gap { text, hint: Some(sql::MYSQL_GRANT.to_owned()) };
            Ok((session.rows_before(sql::MYSQL_VARIABLES, deadline)?, Some(gap)))
        }
        Err(error) => Err(error),
    }
}

/// The rows of a heartbeat table, as old as they are by the replica's clock.
fn heartbeats(session: &mut Session, table: &Table, is_utc: bool) -> Heartbeats {
    let clock = if is_utc { "UTC_TIMESTAMP(6)" } else { "NOW(6)" };
    let statement = format!(
        "SELECT server_id, TIMESTAMPDIFF(MICROSECOND, ts, {clock}) / 1000000 AS age FROM {} LIMIT 1000",
        table.quoted()
    );
    match session.rows(&statement) {
        Ok(rows) => Heartbeats { rows: rows.iter().filter_map(heartbeat).collect(), problem: None },
        Err(error) => Heartbeats { rows: Vec::new(), problem: Some(error.to_string()) },
    }
}

fn heartbeat(row: &Row) -> Option<Heartbeat> {
    let age = row.get("age").and_then(|age| age.parse::<f64>().ok()).filter(|age| age.is_finite());
    Some(Heartbeat { server_id: row.get("server_id")?.parse().ok()?, age_seconds: age })
}

/// Statements of ours that are older than a run may take.
fn piled_up(replica: &Replica, deadline: &Deadline) -> Option<(u64, f64)> {
    let server = &replica.server;
    let (threads, seconds) = (server.stuck_threads?, server.stuck_seconds?);
    (threads > 0 && seconds >= deadline.limit().as_secs_f64()).then_some((threads, seconds))
}

/// The likeliest statement first: one round trip in the normal case.
fn status(
    session: &mut Session,
    is_mariadb: bool,
    deadline: &Deadline,
) -> Result<(&'static str, Vec<Row>), MysqlError> {
    let order = if is_mariadb {
        [ALL_REPLICAS, ALL_SLAVES, REPLICA, SLAVE]
    } else {
        [REPLICA, ALL_REPLICAS, ALL_SLAVES, SLAVE]
    };
    let mut unknown = None;
    for statement in order {
        match session.rows_before(statement, deadline) {
            Ok(rows) => return Ok((statement, rows)),
            Err(error) if error.is_syntax() => unknown = Some(error),
            Err(error) => return Err(with_grant(error)),
        }
    }
    Err(unknown.unwrap_or_else(|| ProbeError::local("no statement to ask with").into()))
}

fn with_grant(error: MysqlError) -> MysqlError {
    if error.trouble != MysqlTrouble::Privilege {
        return error;
    }
    error.with_hint(
        "MariaDB: GRANT SLAVE MONITOR ON *.* TO user@host; MySQL: GRANT REPLICATION CLIENT ON *.* TO user@host",
    )
}

fn sooner(deadline: &Deadline) -> Deadline {
    let limit = deadline.limit();
    deadline.shortened(limit.saturating_sub(RESERVE.min(limit / 3)))
}

/// What the server was busy with, from a second connection: the first one answers no more.
fn hanging(login: &Login, deadline: &Deadline) -> Status {
    let after_seconds = deadline.elapsed().as_secs_f64();
    let states = Session::connect(login, deadline).map(|mut second| states(&mut second, deadline));
    Status::Hanging { after_seconds, states: states.unwrap_or_default() }
}

/// States of all threads that we may see; all of them with the privilege PROCESS.
fn states(session: &mut Session, deadline: &Deadline) -> Vec<String> {
    const STATES: usize = 64;
    // Whoever sees no threads has still learnt that the status hangs.
    let rows = session.rows_before("SHOW PROCESSLIST", deadline).unwrap_or_default();
    let states = rows.iter().filter_map(|row| row.get("State")).filter(|state| !state.is_empty());
    states.take(STATES).map(str::to_owned).collect()
}

/// Times that only several runs can tell. Without a memory they stay unknown, and the check
/// says so. By the place that was connected to: the command line may leave it to an option file.
fn add_memory(check: &CheckMysqlSlave, server: &str, replica: &mut Replica) {
    // A long silence may be that of an earlier connection.
    let is_known =
        |channel: &Channel| channel.is_running() && channel.silence_seconds.is_some() && !channel.is_silent();
    let is_needed = !replica.channels.iter().all(is_known)
        || check.expect.allow_stopped.is_some_and(|allow| allow.seconds.is_some());
    if !is_needed || replica.status != Status::Answered {
        return;
    }
    if let Err(text) = add_memory_of(check, server, replica) {
        let hint = Some("--state-dir names a folder that belongs to the user of the check".to_owned());
        replica.gaps.push(Gap { text, hint });
    }
}

fn add_memory_of(check: &CheckMysqlSlave, server: &str, replica: &mut Replica) -> Result<(), String> {
    use common::plugin::Plugin;
    let words = |error: common::plugin::StateError| error.to_string();
    let folder = state_folder(check.compare.state_dir.as_deref()).map_err(words)?;
    let file =
        StateFile::open(&folder, CheckMysqlSlave::NAME, server, Duration::from_millis(200)).map_err(words)?;
    let before = match file.load::<Memory>(VERSION).map_err(words)? {
        Remembered::Nothing => Memory::default(),
        Remembered::Content(memory) => memory,
        Remembered::Corrupt(aside) => {
            let text =
                format!("what earlier runs remembered is corrupt and was put aside as {}", aside.display());
            replica.gaps.push(Gap { text, hint: None });
            Memory::default()
        }
    };
    let after = remember(before, replica, now());
    file.store(VERSION, &after).map_err(words)
}

fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}
