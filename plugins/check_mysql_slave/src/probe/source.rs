//! The source, asked between the two statements on the replica.

use std::path::Path;
use std::time::Instant;

use common::cli::source_login;
use common::net::mysql::Session;
use common::net::{Deadline, ProbeError};

use crate::CheckMysqlSlave;
use crate::replica::Source;
use common::plugin::Plugin as _;

/// What a source said, or why it did not; the connection stays for a mark.
#[derive(Debug)]
pub(super) struct Asked {
    source: Source,
    session: Option<Session>,
    /// The source's clock, in Unix seconds, and when it said so.
    clock: Option<(f64, Instant)>,
}

/// Each family runs its own comments only.
const FACTS: &str = "SELECT @@server_id AS server_id, \
    /*M!100000 @@gtid_binlog_pos AS gtid_binlog_pos, @@gtid_binlog_state AS gtid_binlog_state, */ \
    /*!50700 @@server_uuid AS server_uuid, @@GLOBAL.gtid_executed AS gtid_executed, */ \
    UNIX_TIMESTAMP(NOW(6)) AS clock";
/// The end of the binary log, in the words of all servers.
const POSITION: [&str; 3] = ["SHOW BINARY LOG STATUS", "SHOW BINLOG STATUS", "SHOW MASTER STATUS"];
const CLOCK: &str = "SELECT UNIX_TIMESTAMP(NOW(6)) AS clock";

impl Asked {
    /// Logs in by an option file and asks.
    pub(super) fn ask(file: &Path, deadline: &Deadline) -> Self {
        let mut asked = Self { source: Source::default(), session: None, clock: None };
        if let Err(error) = asked.try_ask(file, deadline) {
            asked.source.problem = Some(error.text);
        }
        asked
    }

    fn try_ask(&mut self, file: &Path, deadline: &Deadline) -> Result<(), ProbeError> {
        let login = source_login(file, CheckMysqlSlave::NAME)?;
        self.source.name = login.place.to_string();
        let mut session = Session::connect(&login, deadline)?;
        let row = session.rows(FACTS)?.into_iter().next().unwrap_or_default();
        let number = |column: &str| row.get(column).and_then(|text| text.parse().ok());
        let text = |column: &str| row.get(column).map(str::to_owned);
        self.clock =
            row.get("clock").and_then(|clock| clock.parse().ok()).map(|clock| (clock, Instant::now()));
        self.source.server_id = number("server_id");
        self.source.server_uuid = text("server_uuid");
        self.source.gtid_executed = text("gtid_executed");
        self.source.gtid_binlog_position = text("gtid_binlog_pos");
        self.source.gtid_binlog_state = text("gtid_binlog_state");
        // Without the privilege to see it, GTIDs alone are compared.
        let end = POSITION.iter().find_map(|statement| session.rows(statement).ok());
        if let Some(end) = end.as_ref().and_then(|rows| rows.first()) {
            self.source.log_file = end.get("File").map(str::to_owned);
            self.source.log_position_bytes = end.get("Position").and_then(|position| position.parse().ok());
        }
        self.session = Some(session);
        Ok(())
    }

    /// The connection to the source, if there is one.
    pub(super) const fn session(&mut self) -> Option<&mut Session> {
        self.session.as_mut()
    }

    /// The source with its clock beside that of the replica.
    pub(super) fn compared(&self, replica: &mut Session, deadline: &Deadline) -> Source {
        let skew_seconds = self.clock.and_then(|(theirs, then)| {
            let rows = replica.rows_before(CLOCK, deadline).ok()?;
            let ours: f64 = rows.first()?.get("clock")?.parse().ok()?;
            Some(theirs + then.elapsed().as_secs_f64() - ours)
        });
        Source { skew_seconds, ..self.source.clone() }
    }

    /// Whether it replicates from nobody itself. `None`: it does not say.
    pub(super) fn is_origin(&mut self) -> Option<bool> {
        let is_mariadb = self.source.gtid_binlog_state.is_some();
        let session = self.session.as_mut()?;
        let deadline = session.deadline().clone();
        super::status(session, is_mariadb, &deadline).ok().map(|(_, rows)| rows.is_empty())
    }
}
