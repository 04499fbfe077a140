//! One row of the status statement.

use common::report::truncate;
use serde::{Deserialize, Serialize};

use super::row::{Columns, Vocabulary};
use super::words::Retries;

/// A channel (MySQL) or connection (MariaDB).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Channel {
    /// Empty for the default one.
    pub name: String,
    /// Address of the source.
    pub source_host: Option<String>,
    /// Its port.
    pub source_port: Option<u16>,
    /// Its `server_id`, once it was reached.
    pub source_server_id: Option<u64>,
    /// Its UUID.
    pub source_uuid: Option<String>,
    /// The thread that receives.
    pub io: Option<Thread>,
    /// What that is doing.
    pub io_state: Option<String>,
    /// Its last error.
    pub io_error: Option<ServerError>,
    /// The thread that applies.
    pub sql: Option<Thread>,
    /// What that is doing.
    pub sql_state: Option<String>,
    /// Its last error.
    pub sql_error: Option<ServerError>,
    /// Errors of the applier's workers, which say more than that of their coordinator.
    pub worker_errors: Vec<WorkerError>,
    /// Attempts to reach the source.
    pub retries: Retries,
    /// How far behind the server says it is.
    pub seconds_behind: Option<f64>,
    /// Age of the transaction that is being applied, since it was committed at its origin.
    pub applying_seconds: Option<f64>,
    /// How long the last applied transaction took from its origin to the source of this channel.
    pub upstream_seconds: Option<f64>,
    /// Delay by design.
    pub delay_seconds: Option<f64>,
    /// Rest of it for the next event, while one waits.
    pub remaining_delay_seconds: Option<f64>,
    /// Bytes of all relay logs.
    pub relay_space_bytes: Option<f64>,
    /// Events to be skipped.
    pub skip_counter: Option<u64>,
    /// `START REPLICA UNTIL`, if it was given.
    pub until: Option<String>,
    /// Filters in force: option and value.
    pub filters: Vec<(String, String)>,
    /// The source says that it is there this often, when it has nothing else to say.
    pub heartbeat_period_seconds: Option<f64>,
    /// Heartbeats so far (MariaDB).
    pub received_heartbeats: Option<u64>,
    /// Since when nothing was heard of the source.
    pub silence_seconds: Option<f64>,
    /// Whether a transaction is being received.
    pub is_receiving: Option<bool>,
    /// Position up to which was received: file of the source.
    pub read_file: Option<String>,
    /// Offset in it.
    pub read_position_bytes: Option<u64>,
    /// Position up to which was applied: file of the source.
    pub exec_file: Option<String>,
    /// Offset in it.
    pub exec_position_bytes: Option<u64>,
    /// MySQL: received transactions.
    pub retrieved_gtids: Option<String>,
    /// MySQL: applied transactions, of all channels.
    pub executed_gtids: Option<String>,
    /// MariaDB: received up to here.
    pub gtid_io_position: Option<String>,
    /// MariaDB: applied up to here, of all connections.
    pub gtid_slave_position: Option<String>,
    /// By what was remembered: seconds since both threads were seen running.
    pub good_seconds_ago: Option<f64>,
    /// By what was remembered: seconds since the receiving thread was seen stopped.
    pub io_stopped_seconds: Option<f64>,
    /// By what was remembered: seconds since the applying thread was seen stopped.
    pub sql_stopped_seconds: Option<f64>,
}

/// What a thread does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Thread {
    /// `Yes`
    Running,
    /// `No`
    Stopped,
    /// `Connecting`
    Connecting,
    /// `Preparing` (MariaDB)
    Preparing,
    /// A word nobody has heard yet.
    Other(String),
}

impl Thread {
    fn read(text: &str) -> Self {
        match text.trim().to_ascii_lowercase().as_str() {
            "yes" => Self::Running,
            "no" => Self::Stopped,
            "connecting" => Self::Connecting,
            "preparing" => Self::Preparing,
            _ => Self::Other(text.to_owned()),
        }
    }

    /// The server's word for it.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::Running => "Yes",
            Self::Stopped => "No",
            Self::Connecting => "Connecting",
            Self::Preparing => "Preparing",
            Self::Other(word) => word,
        }
    }
}

/// An error a server reports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerError {
    /// Its number.
    pub number: u32,
    /// The server's words.
    pub text: String,
}

/// An error of one of the threads that apply in parallel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerError {
    /// Number of the worker.
    pub worker: Option<u64>,
    /// What it met.
    pub error: ServerError,
}

const LONGEST_NAME: usize = 255;
const FILTERS: [&str; 10] = [
    "Replicate_Do_DB",
    "Replicate_Ignore_DB",
    "Replicate_Do_Table",
    "Replicate_Ignore_Table",
    "Replicate_Wild_Do_Table",
    "Replicate_Wild_Ignore_Table",
    "Replicate_Ignore_Server_Ids",
    "Replicate_Do_Domain_Ids",
    "Replicate_Ignore_Domain_Ids",
    "Replicate_Rewrite_DB",
];

impl Channel {
    /// Reads a row of `SHOW [ALL] REPLICA[S]|SLAVE[S] STATUS`.
    #[must_use]
    pub fn read(row: &(impl Columns + ?Sized)) -> Self {
        let row = Vocabulary(row);
        let name = row.text("Channel_Name").or_else(|| row.text("Connection_name"));
        let io_error = error(&row, "Last_IO_Errno", "Last_IO_Error");
        let retries = io_error.as_ref().map(|error| Retries::read(&error.text)).unwrap_or_default();
        let filters =
            FILTERS.iter().filter_map(|filter| Some(((*filter).to_owned(), row.words(filter)?))).collect();
        let until = row.words("Until_Condition").filter(|until| !until.eq_ignore_ascii_case("None"));
        Self {
            name: short(name.unwrap_or_default()),
            source_host: row.words("Source_Host").map(|host| short(&host)),
            source_port: row.whole("Source_Port").and_then(|port| u16::try_from(port).ok()),
            source_server_id: row.whole("Source_Server_Id").filter(|id| *id > 0),
            source_uuid: row.words("Source_UUID"),
            io: row.text("Replica_IO_Running").map(Thread::read),
            io_state: row.words("Replica_IO_State"),
            io_error,
            sql: row.text("Replica_SQL_Running").map(Thread::read),
            sql_state: row.words("Replica_SQL_Running_State").or_else(|| row.words("Replica_SQL_State")),
            // The oldest servers have no errors by thread.
            sql_error: error(&row, "Last_SQL_Errno", "Last_SQL_Error").or_else(|| {
                let by_thread = row.text("Last_SQL_Errno").is_some();
                (!by_thread).then(|| error(&row, "Last_Errno", "Last_Error")).flatten()
            }),
            worker_errors: Vec::new(),
            retries: retries.or(row.amount("Connect_Retry"), row.whole("Source_Retry_Count")),
            seconds_behind: row.number("Seconds_Behind_Source").map(|seconds| seconds.max(0.0)),
            delay_seconds: row.amount("SQL_Delay"),
            remaining_delay_seconds: row.amount("SQL_Remaining_Delay"),
            relay_space_bytes: row.amount("Relay_Log_Space"),
            skip_counter: row.whole("Skip_Counter"),
            until,
            filters,
            heartbeat_period_seconds: row.amount("Slave_heartbeat_period"),
            received_heartbeats: row.whole("Slave_received_heartbeats"),
            read_file: row.words("Source_Log_File"),
            read_position_bytes: row.whole("Read_Source_Log_Pos"),
            exec_file: row.words("Relay_Source_Log_File"),
            exec_position_bytes: row.whole("Exec_Source_Log_Pos"),
            retrieved_gtids: row.text("Retrieved_Gtid_Set").map(str::to_owned),
            executed_gtids: row.text("Executed_Gtid_Set").map(str::to_owned),
            gtid_io_position: row.words("Gtid_IO_Pos"),
            gtid_slave_position: row.words("Gtid_Slave_Pos"),
            ..Self::default()
        }
    }

    /// `host:port` of the source, as far as it is known.
    #[must_use]
    pub fn source(&self) -> String {
        match (&self.source_host, self.source_port) {
            (Some(host), Some(port)) if host.contains(':') => format!("[{host}]:{port}"),
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (Some(host), None) => host.clone(),
            (None, _) => "an unnamed source".to_owned(),
        }
    }

    /// Whether both threads say that they run.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.io == Some(Thread::Running) && self.sql == Some(Thread::Running)
    }

    /// Whether nothing was heard for longer than the source keeps silent.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        let period = self.heartbeat_period_seconds.filter(|period| *period > 0.0);
        self.silence_seconds.zip(period).is_some_and(|(silence, period)| silence > period)
    }

    /// Whether it belongs to a cluster, which is judged by its members.
    #[must_use]
    pub fn is_of_group(&self) -> bool {
        self.name.starts_with("group_replication_")
    }

    /// Whether it was reset: it stands before the first file of the source.
    #[must_use]
    pub fn is_reset(&self) -> bool {
        let has_started = self.read_file.is_some() || self.exec_file.is_some();
        let has_position = self.retrieved_gtids.as_ref().is_some_and(|set| !set.is_empty())
            || self.gtid_io_position.is_some();
        let is_stopped = self.io == Some(Thread::Stopped) && self.sql == Some(Thread::Stopped);
        is_stopped && !has_started && !has_position
    }
}

/// A name as far as any server allows one: it stands on the first line, which is never cut.
pub(super) fn short(name: &str) -> String {
    truncate(name, LONGEST_NAME).to_owned()
}

fn error<R: Columns + ?Sized>(row: &Vocabulary<'_, R>, number: &str, text: &str) -> Option<ServerError> {
    let text = row.words(text).unwrap_or_default();
    let number = row.whole(number).and_then(|number| u32::try_from(number).ok()).unwrap_or_default();
    (number != 0 || !text.is_empty()).then_some(ServerError { number, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(columns: &[(&'static str, &'static str)]) -> Vec<(&'static str, Option<&'static str>)> {
        columns.iter().map(|(name, value)| (*name, (*value != "NULL").then_some(*value))).collect()
    }

    #[test]
    fn both_vocabularies_say_the_same() {
        let new = row(&[
            ("Replica_IO_Running", "Connecting"),
            ("Replica_SQL_Running", "Yes"),
            ("Source_Host", "db1"),
            ("Source_Port", "3306"),
            ("Relay_Source_Log_File", "binlog.000002"),
            ("Seconds_Behind_Source", "NULL"),
        ]);
        let old = row(&[
            ("slave_io_running", "Connecting"),
            ("SLAVE_SQL_RUNNING", "Yes"),
            ("Master_Host", "db1"),
            ("Master_Port", "3306"),
            ("Relay_Master_Log_File", "binlog.000002"),
            ("Seconds_Behind_Master", "NULL"),
        ]);
        assert_eq!(Channel::read(&new), Channel::read(&old));
        assert_eq!(Channel::read(&new).source(), "db1:3306");
        assert_eq!(Channel::read(&new).io, Some(Thread::Connecting));
    }

    #[test]
    fn what_a_row_does_not_say_is_not_known() {
        let nothing = Channel::read(&row(&[]));
        assert_eq!(nothing, Channel { ..Channel::default() });
        let odd = Channel::read(&row(&[
            ("Seconds_Behind_Master", "soon"),
            ("SQL_Delay", "-1"),
            ("Relay_Log_Space", "inf"),
            ("Slave_IO_Running", "Perhaps"),
        ]));
        assert_eq!((odd.seconds_behind, odd.delay_seconds, odd.relay_space_bytes), (None, None, None));
        assert_eq!(odd.io, Some(Thread::Other("Perhaps".to_owned())));
    }

    #[test]
    fn errors_of_the_oldest_servers_are_read() {
        let old = Channel::read(&row(&[("Last_Errno", "1062"), ("Last_Error", "Duplicate entry")]));
        assert_eq!(old.sql_error.map(|error| error.number), Some(1062));
        let new = Channel::read(&row(&[("Last_Errno", "1062"), ("Last_SQL_Errno", "0")]));
        assert_eq!(new.sql_error, None);
    }
}
