//! A mark that is written on the source and waited for on the replica.

use std::thread;
use std::time::{Duration, Instant};

use common::net::Deadline;
use common::net::mysql::Session;

use super::source::Asked;
use crate::options::Table;
use crate::replica::LiveProbe;

/// Something written on the source that nobody else writes.
#[derive(Debug)]
pub(super) struct Mark {
    table: String,
    word: String,
    written: Instant,
    problem: Option<String>,
}

/// Between two looks at the replica.
const PAUSE: Duration = Duration::from_millis(50);

impl Mark {
    /// Writes it. The table has a column `mark` for at least 32 characters.
    pub(super) fn write(table: &Table, source: &mut Asked) -> Self {
        let mut bytes = [0; 16];
        let random = getrandom::fill(&mut bytes);
        let word: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let written = Instant::now();
        let statement = format!("INSERT INTO {} (mark) VALUES ('{word}')", table.quoted());
        let problem = match (random, source.session()) {
            (Err(_), _) => Some("no random numbers from the system".to_owned()),
            (Ok(()), None) => Some("the source was not reached".to_owned()),
            (Ok(()), Some(session)) => session.rows(&statement).err().map(|error| error.to_string()),
        };
        Self { table: table.quoted(), word, written, problem }
    }

    /// Waits until it is there, or the time is over.
    pub(super) fn wait(self, replica: &mut Session, deadline: &Deadline) -> LiveProbe {
        let waited = || self.written.elapsed().as_secs_f64();
        if self.problem.is_some() {
            return LiveProbe { arrived_after_seconds: None, waited_seconds: 0.0, problem: self.problem };
        }
        let statement =
            format!("SELECT 1 AS arrived FROM {} WHERE mark = '{}' LIMIT 1", self.table, self.word);
        loop {
            match replica.rows_before(&statement, deadline) {
                Ok(rows) if !rows.is_empty() => {
                    let arrived_after_seconds = Some(waited());
                    return LiveProbe { arrived_after_seconds, waited_seconds: waited(), problem: None };
                }
                Ok(_) if deadline.left() > PAUSE * 2 => thread::sleep(PAUSE),
                Ok(_) => {
                    return LiveProbe {
                        arrived_after_seconds: None,
                        waited_seconds: waited(),
                        problem: None,
                    };
                }
                Err(error) => {
                    let problem = Some(error.to_string());
                    return LiveProbe { arrived_after_seconds: None, waited_seconds: waited(), problem };
                }
            }
        }
    }
}
