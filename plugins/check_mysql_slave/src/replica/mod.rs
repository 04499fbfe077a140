//! What a server says of its replication, as facts with units, whatever vocabulary it speaks.
//!
//! `None` is always "not known". Nothing here depends on a version: columns are found by name.

mod channel;
mod facts;
mod gtid;
mod row;
pub mod sql;
mod words;

use serde::{Deserialize, Serialize};

pub use channel::{Channel, ServerError, Thread, WorkerError};
pub use facts::{Cluster, ClusterKind, SemiSync, Server};
pub use gtid::{MariadbGtids, MysqlGtids};
pub use row::Columns;
pub use words::{Retries, is_disk_full};

/// More channels than MySQL allows, and more workers than anyone gives them.
const CHANNELS: usize = 512;
const WORKERS: usize = 128;

/// All that was seen of a replica in one run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Replica {
    /// The server itself.
    pub server: Server,
    /// What became of the status statement.
    pub status: Status,
    /// A channel (MySQL) or connection (MariaDB) each.
    pub channels: Vec<Channel>,
    /// Channels beyond those that any server can have.
    pub channels_left_out: usize,
    /// Set where the server is a member of a cluster.
    pub cluster: Option<Cluster>,
    /// Set with `--heartbeat-table`.
    pub heartbeats: Option<Heartbeats>,
    /// Set with `--source`.
    pub source: Option<Source>,
    /// Set with `--probe-table`.
    pub probe: Option<LiveProbe>,
    /// What could not be asked, each with why and what would help.
    pub gaps: Vec<Gap>,
}

/// What became of the status statement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It was never asked.
    #[default]
    NotAsked,
    /// It was answered, with no rows or some.
    Answered,
    /// It was not answered in time; this is what the server was busy with.
    Hanging {
        /// Seconds it was waited for.
        after_seconds: f64,
        /// States of the threads of the server, from a second connection.
        states: Vec<String>,
    },
    /// Statements of earlier runs still hang, so it was not asked again.
    PiledUp {
        /// How many.
        threads: u64,
        /// Age of the oldest in seconds.
        oldest_seconds: f64,
        /// States of the threads of the server.
        states: Vec<String>,
    },
}

/// The rows of a heartbeat table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Heartbeats {
    /// A row for each server that writes one.
    pub rows: Vec<Heartbeat>,
    /// Why there are none.
    pub problem: Option<String>,
}

/// When a server wrote its heartbeat last.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Who.
    pub server_id: u64,
    /// Seconds ago by the replica's clock. Negative: the clocks differ.
    pub age_seconds: Option<f64>,
}

/// What the source says of itself, asked between the two statements on the replica: what the
/// replica had by the first and the source has not is errant, what the source had and the
/// replica has not by the second is missing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// `host:port`.
    pub name: String,
    /// Why it could not be asked.
    pub problem: Option<String>,
    /// `server_id`
    pub server_id: Option<u64>,
    /// `server_uuid`
    pub server_uuid: Option<String>,
    /// MySQL: `gtid_executed`.
    pub gtid_executed: Option<String>,
    /// MariaDB: `gtid_binlog_pos`.
    pub gtid_binlog_position: Option<String>,
    /// MariaDB: `gtid_binlog_state`.
    pub gtid_binlog_state: Option<String>,
    /// File and offset of the end of its binary log.
    pub log_file: Option<String>,
    /// Offset in bytes.
    pub log_position_bytes: Option<u64>,
    /// Its clock minus that of the replica.
    pub skew_seconds: Option<f64>,
    /// Whether it replicates from nobody itself; asked where it is not the source of any channel.
    pub is_origin: Option<bool>,
    /// Whether the replica received anything between two looks at it. `None`: looked once.
    pub has_moved: Option<bool>,
}

/// A mark written on the source and waited for on the replica.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LiveProbe {
    /// Seconds until it arrived. `None`: it did not.
    pub arrived_after_seconds: Option<f64>,
    /// Seconds it was waited for.
    pub waited_seconds: f64,
    /// Why it could not be written.
    pub problem: Option<String>,
}

/// Something that could not be asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// What, and the server's words.
    pub text: String,
    /// What would help: a GRANT.
    pub hint: Option<String>,
}

impl Replica {
    /// Puts together the answers to the two statements. See [`sql`] for their columns.
    #[must_use]
    pub fn read<F: Columns, S: Columns>(facts: &[F], status: &[S]) -> Self {
        let mut channels: Vec<Channel> = status.iter().take(CHANNELS).map(Channel::read).collect();
        for row in facts.iter().take(CHANNELS * WORKERS) {
            facts::add_to(&mut channels, row);
        }
        Self {
            server: facts.first().map(Server::read).unwrap_or_default(),
            status: Status::Answered,
            channels,
            cluster: facts.first().and_then(Cluster::read),
            channels_left_out: status.len().saturating_sub(CHANNELS),
            ..Self::default()
        }
    }

    /// The channel that brings what `--source` writes: its own, or one that leads to it over other servers.
    #[must_use]
    pub fn channel_from_source(&self) -> Option<&Channel> {
        self.channel_of_source().or_else(|| self.channel_below_source())
    }

    /// The only channel, where the source is no source of it but the origin of transactions that came.
    fn channel_below_source(&self) -> Option<&Channel> {
        let source = self.source.as_ref().filter(|source| source.is_origin == Some(true))?;
        let [channel] = self.channels.as_slice() else { return None };
        let mysql = || {
            let executed = MysqlGtids::parse(channel.executed_gtids.as_deref()?)?;
            Some(!executed.of_server(source.server_uuid.as_deref()?).is_empty())
        };
        let mariadb = || {
            let state = MariadbGtids::parse(self.server.gtid_binlog_state.as_deref()?)?;
            let position =
                channel.gtid_slave_position.as_deref().or(self.server.gtid_slave_position.as_deref());
            let position = position.and_then(MariadbGtids::parse);
            let id = u32::try_from(source.server_id?).ok()?;
            Some(state.knows_server(id) || position.is_some_and(|position| position.knows_server(id)))
        };
        mysql().or_else(mariadb).unwrap_or(false).then_some(channel)
    }

    /// The channel that `--source` is the source of, by identity.
    #[must_use]
    pub fn channel_of_source(&self) -> Option<&Channel> {
        let source = self.source.as_ref()?;
        let same_uuid = |channel: &&Channel| matches!((&channel.source_uuid, &source.server_uuid), (Some(a), Some(b)) if a.eq_ignore_ascii_case(b));
        let same_id = |channel: &&Channel| {
            channel.source_server_id.is_some() && channel.source_server_id == source.server_id
        };
        self.channels.iter().find(same_uuid).or_else(|| self.channels.iter().find(same_id))
    }
}
