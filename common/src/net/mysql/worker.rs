//! The crate's connection in a thread of its own: its time limits count for each read, so a
//! server that drips bytes would never reach one. A thread that hangs is left behind and
//! ends with the process.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use mysql::prelude::Queryable as _;
use mysql::{Conn, Opts, Value};

use super::row::Row;
use crate::net::cause;
use crate::proto::text::decode;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The time was over.
    Time,
    /// The client's own words.
    Client(mysql::Error),
    /// More rows or bytes than any answer we ask for has.
    Excess,
    /// No thread, or one that ended early.
    Thread(String),
}

/// A connection that answers in another thread.
#[derive(Debug)]
pub(super) struct Worker {
    /// Taken away to end the conversation.
    statements: Option<SyncSender<String>>,
    answers: Receiver<Answer>,
    /// An answer is still due: nothing more can be asked.
    is_spent: bool,
}

#[derive(Debug)]
enum Answer {
    Connected(u32),
    Rows(Result<Vec<Row>, Failure>),
    Closed,
}

/// More than a replica has channels or a server tables that one statement names.
const MOST_ROWS: usize = 100_000;
/// Of one answer. GTID sets are the longest values that are asked for.
const MOST_BYTES: usize = 32 << 20;
/// To say good-bye; a server that misses it notes an aborted connection.
const FAREWELL: Duration = Duration::from_millis(50);
/// The client's frames are small, but without optimisation a regular expression's are not.
const STACK: usize = 1 << 20;

impl Worker {
    /// Connects and logs in; also gives the number of our thread in the server.
    pub(super) fn connect(opts: Opts, time: Duration) -> Result<(Self, u32), Failure> {
        let (statements, asked) = sync_channel(1);
        let (tell, answers) = sync_channel(1);
        thread::Builder::new()
            .name("mysql".into())
            .stack_size(STACK)
            .spawn(move || converse(opts, &asked, &tell))
            .map_err(|error| Failure::Thread(format!("cannot start a thread: {}", cause(&error))))?;
        let mut worker = Self { statements: Some(statements), answers, is_spent: false };
        match worker.wait(time)? {
            Answer::Connected(id) => Ok((worker, id)),
            Answer::Rows(Err(failure)) => Err(failure),
            Answer::Rows(Ok(_)) | Answer::Closed => Err(Failure::Thread("an answer out of turn".into())),
        }
    }

    /// The rows of a statement.
    pub(super) fn rows(&mut self, statement: &str, time: Duration) -> Result<Vec<Row>, Failure> {
        let spent = || Failure::Thread("the connection is still busy with an earlier statement".into());
        let statements = self.statements.as_ref().filter(|_| !self.is_spent).ok_or_else(spent)?;
        statements.send(statement.to_owned()).map_err(|_| spent())?;
        match self.wait(time)? {
            Answer::Rows(rows) => rows,
            Answer::Connected(_) | Answer::Closed => Err(Failure::Thread("an answer out of turn".into())),
        }
    }

    fn wait(&mut self, time: Duration) -> Result<Answer, Failure> {
        self.answers.recv_timeout(time).map_err(|error| {
            self.is_spent = true;
            match error {
                RecvTimeoutError::Timeout => Failure::Time,
                RecvTimeoutError::Disconnected => {
                    Failure::Thread("the client ended without an answer".into())
                }
            }
        })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.statements.take());
        if !self.is_spent {
            // Whatever comes, or nothing: the connection is over.
            let _ = self.answers.recv_timeout(FAREWELL);
        }
    }
}

fn converse(opts: Opts, statements: &Receiver<String>, tell: &SyncSender<Answer>) {
    let mut conn = match Conn::new(opts) {
        Ok(conn) => conn,
        Err(error) => {
            let _ = tell.send(Answer::Rows(Err(Failure::Client(error))));
            return;
        }
    };
    // Nobody waits for an answer any more when a send fails.
    let mut is_heard = tell.send(Answer::Connected(conn.connection_id())).is_ok();
    while is_heard && let Ok(statement) = statements.recv() {
        let answer = rows_of(&mut conn, &statement);
        let is_whole = !matches!(answer, Err(Failure::Excess));
        is_heard = tell.send(Answer::Rows(answer)).is_ok() && is_whole;
    }
    drop(conn);
    let _ = tell.send(Answer::Closed);
}

fn rows_of(conn: &mut Conn, statement: &str) -> Result<Vec<Row>, Failure> {
    let mut answer = conn.query_iter(statement).map_err(Failure::Client)?;
    let columns: Vec<String> =
        answer.columns().as_ref().iter().map(|column| column.name_str().into_owned()).collect();
    let names: usize = columns.iter().map(String::len).sum();
    let mut rows = Vec::new();
    let mut bytes = 0;
    for row in answer.by_ref() {
        let values: Vec<Option<String>> =
            row.map_err(Failure::Client)?.unwrap().into_iter().map(text).collect();
        bytes += names + values.iter().flatten().map(String::len).sum::<usize>();
        if rows.len() == MOST_ROWS || bytes > MOST_BYTES {
            // Dropped, it would read on to the end that may never come.
            std::mem::forget(answer);
            return Err(Failure::Excess);
        }
        rows.push(columns.iter().cloned().zip(values).collect());
    }
    Ok(rows)
}

/// A value of the text protocol; the other kinds come only from prepared statements.
fn text(value: Value) -> Option<String> {
    match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(decode(&bytes)),
        other => Some(other.as_sql(true)),
    }
}
