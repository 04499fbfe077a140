//! Checks whether the tables of a MySQL or MariaDB server are whole.
//!
//! A server answers `SELECT COUNT(*)` from tables that are damaged, and the tool that comes with
//! it exits with 0 on damage. Here the rows of CHECK TABLE are read with care, a little at a time: a
//! run begins no check after its budget, the next one goes on where it ended, and what could not
//! be checked is told. Nothing is ever repaired.

mod advice;
mod ask;
mod check_rows;
mod checks;
mod figures;
mod guard;
mod judge;
mod judge_files;
mod memory;
mod offline;
mod options;
mod probe;
mod schedule;
mod seen;
mod tables;

#[doc(hidden)]
pub mod fuzz {
    //! The readers of foreign bytes, for the fuzz targets in `tests/fuzz`.
    pub use crate::check_rows::{Message, Verdict, read_verdict};
    pub use crate::offline::header::{HEAD, HeadError, IndexEngine, IndexHead, parse_head};
    pub use crate::offline::pages::{
        LAYOUT, Layout, LayoutError, MAX_PAGE, Page, PageFault, judge_page, parse_layout,
    };
}

use std::time::Duration;

use clap::Parser;
use common::cli::{MysqlArgs, RunArgs, TemporaryArgs, UsageError};
use common::net::mysql::Session;
use common::net::{Deadline, ProbeError};
use common::plugin::{Plugin, Run};
use common::report::{Condition, Metric, Report, State, StateTable};

use figures::{CHECKED, CORRUPT, FREE, OLDEST_AGE, SKIPPED, TABLES, WARNINGS};
use options::{BUDGET, DepthArgs, OfflineArgs, PaceArgs, SelectArgs};

pub use seen::Seen;

/// Checks whether the tables of a MySQL or MariaDB server are whole
#[derive(Parser, Debug)]
#[command(name = "check_mysql_tables", version)]
pub struct CheckMysqlTables {
    #[command(flatten)]
    server: MysqlArgs,
    #[command(flatten)]
    select: SelectArgs,
    #[command(flatten)]
    depth: DepthArgs,
    #[command(flatten)]
    pace: PaceArgs,
    #[command(flatten)]
    offline: OfflineArgs,
    #[command(flatten)]
    temporary: TemporaryArgs,
    #[command(flatten)]
    run: RunArgs,
}

/// What a run may take beyond its budget: the check that was begun last, and the way there.
const BEYOND_BUDGET: Duration = Duration::from_secs(10);

impl Plugin for CheckMysqlTables {
    const NAME: &'static str = "check_mysql_tables";
    const METRICS: &'static [Metric] = &[TABLES, CHECKED, CORRUPT, WARNINGS, SKIPPED, OLDEST_AGE, FREE];
    const CONDITIONS: &'static [(Condition, State)] = &[(Condition::Certificate, State::Unknown)];
    const DEFAULT_TIMEOUT: Duration = BUDGET.saturating_add(BEYOND_BUDGET);
    const STATES: &'static [(State, &'static str)] = &[
        (State::Ok, "no table is damaged; the first line says how many of them were checked"),
        (State::Warning, "a table was not closed properly, or the server has another warning about it"),
        (State::Warning, "a table was locked by others in three runs, or unchecked for --max-age"),
        (State::Warning, "the last check of an earlier run did not end, or still runs"),
        (State::Warning, "with --offline: a table was not closed, or less than --min-free is free"),
        (State::Critical, "a table is damaged, cannot be opened, or its check ends with an error"),
        (State::Critical, "the connection was lost during a check; the server went down during one"),
        (State::Critical, "with --offline: a table is marked as crashed, cut off, or lacks a file"),
        (State::Critical, "with --offline: a page of InnoDB does not fit its checksum"),
        (State::Unknown, "no table fits, none was checked, a check came to no result"),
        (State::Unknown, "with --offline: a file cannot be read, or has pages that cannot be judged"),
        (State::Unknown, "a missing privilege, a memory that cannot be written, wrong options"),
    ];
    const EXAMPLES: &'static [(&'static str, &'static str)] = &[
        (
            "check_mysql_tables -H db.example.org --defaults-file /etc/vedette/my.cnf --resume",
            "A part of the tables in each run, the oldest check first",
        ),
        (
            "check_mysql_tables -s /run/mysqld/mysqld.sock --databases 'shop*' --level medium --time-budget 5m",
            "Rows and keys of some databases, five minutes a run",
        ),
        (
            "check_mysql_tables -s /run/mysqld/mysqld.sock --level state",
            "Only whether each table can be opened",
        ),
        ("check_mysql_tables --offline /var/lib/mysql", "The files of a server that is down"),
    ];
    // The client makes room for as many columns as the server announces.
    const MOST_MEMORY: Option<u64> = Some(256 << 20);
    type Seen = Seen;

    fn run_args(&self) -> &RunArgs {
        &self.run
    }

    fn target(&self) -> String {
        match &self.offline.offline {
            Some(folder) => folder.display().to_string(),
            None => self.server.target(),
        }
    }

    fn default_timeout(&self) -> Duration {
        self.pace.budget().saturating_add(BEYOND_BUDGET)
    }

    fn temporary_state(&self) -> Option<State> {
        self.temporary.temporary_state
    }

    fn states(&self) -> StateTable {
        let mut states = self.common_states();
        self.server.adjust(&mut states);
        states
    }

    fn check_options(&self) -> Result<(), UsageError> {
        self.server.check()?;
        self.depth.check(&self.select, &self.pace)
    }

    fn probe(&self, deadline: &Deadline) -> Result<Seen, ProbeError> {
        match &self.offline.offline {
            Some(folder) => {
                let (wanted, budget) = (self.select.wanted(), self.pace.budget());
                offline::probe_files(folder, wanted, budget, deadline).map(Seen::Files)
            }
            None => {
                let mut session = Session::connect(&self.server.login(Self::NAME)?, deadline)?;
                let place = session.server().place.to_string();
                let mut seen = probe::probe_server(self, &mut session, &place)?;
                seen.notes.clone_from(&session.server().notes);
                Ok(Seen::Server(Box::new(seen)))
            }
        }
    }

    fn evaluate(&self, seen: &Seen, run: &Run) -> Report {
        match seen {
            Seen::Server(seen) => judge::judge_server(self, seen, run),
            Seen::Files(seen) => judge_files::judge_files(self, seen),
        }
    }
}
