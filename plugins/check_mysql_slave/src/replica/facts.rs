//! The answer to the first statement: the server itself, and what only the performance schema
//! knows of its channels. One row for each channel and worker, the server repeated in each.

use serde::{Deserialize, Serialize};

use super::channel::{Channel, ServerError, WorkerError, short};
use super::row::{Columns, Vocabulary};

/// The server that replicates.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Server {
    /// `@@hostname:@@port`
    pub name: Option<String>,
    /// `server_id`
    pub server_id: Option<u64>,
    /// `server_uuid` (MySQL)
    pub server_uuid: Option<String>,
    /// `read_only`
    pub read_only: Option<bool>,
    /// `super_read_only`, where there is one.
    pub super_read_only: Option<bool>,
    /// Whether there is a binary log.
    pub log_bin: Option<bool>,
    /// Whether it holds what was replicated.
    pub log_replica_updates: Option<bool>,
    /// Replicas that read from this server.
    pub replicas: Option<u64>,
    /// Semi-synchronous replication.
    pub semi_sync: SemiSync,
    /// MySQL: `gtid_executed`, before the status statement.
    pub gtid_executed: Option<String>,
    /// MariaDB: `gtid_binlog_state`, before the status statement.
    pub gtid_binlog_state: Option<String>,
    /// MariaDB: `gtid_slave_pos`, before the status statement.
    pub gtid_slave_position: Option<String>,
    /// Our own status statements that hang.
    pub stuck_threads: Option<u64>,
    /// Age of the oldest of them.
    pub stuck_seconds: Option<f64>,
}

/// Semi-synchronous replication of a server. `None` where nothing is loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SemiSync {
    /// Wanted as a replica.
    pub replica_enabled: Option<bool>,
    /// In force as a replica.
    pub replica_status: Option<bool>,
    /// Wanted as a source.
    pub source_enabled: Option<bool>,
    /// In force as a source.
    pub source_status: Option<bool>,
}

/// Errors kept of a channel; they are mostly the same one.
const WORKERS: usize = 16;

/// Membership of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// Which.
    pub kind: ClusterKind,
    /// `Synced`, `ONLINE` ...
    pub state: Option<String>,
    /// Galera: `Primary` or not.
    pub status: Option<String>,
    /// Galera: whether it takes statements.
    pub ready: Option<bool>,
    /// Members it sees.
    pub size: Option<u64>,
}

/// Kinds of cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClusterKind {
    /// Galera
    Galera,
    /// MySQL Group Replication
    GroupReplication,
}

impl ClusterKind {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Galera => "Galera",
            Self::GroupReplication => "Group Replication",
        }
    }
}

impl Server {
    pub(super) fn read(row: &(impl Columns + ?Sized)) -> Self {
        let row = Vocabulary(row);
        let name = row.words("hostname").map(|host| short(&host)).map(|host| match row.words("port") {
            Some(port) => format!("{host}:{port}"),
            None => host,
        });
        Self {
            name,
            server_id: row.whole("server_id"),
            server_uuid: row.words("server_uuid"),
            read_only: row.switch("read_only"),
            super_read_only: row.switch("super_read_only"),
            log_bin: row.switch("log_bin"),
            log_replica_updates: row.switch("log_replica_updates"),
            replicas: row.whole("replicas"),
            semi_sync: SemiSync {
                replica_enabled: row.switch("semi_sync_replica_enabled"),
                replica_status: row.switch("semi_sync_replica_status"),
                source_enabled: row.switch("semi_sync_source_enabled"),
                source_status: row.switch("semi_sync_source_status"),
            },
            gtid_executed: row.text("gtid_executed").map(str::to_owned),
            gtid_binlog_state: row.text("gtid_binlog_state").map(str::to_owned),
            gtid_slave_position: row.text("gtid_slave_pos").map(str::to_owned),
            stuck_threads: row.whole("stuck_threads"),
            stuck_seconds: row.amount("stuck_seconds"),
        }
    }
}

impl Cluster {
    /// Reads the columns of either kind; `None` where the server is in no cluster.
    #[must_use]
    pub fn read(row: &(impl Columns + ?Sized)) -> Option<Self> {
        let row = Vocabulary(row);
        if let Some(state) = row.words("group_member_state") {
            let (kind, size) = (ClusterKind::GroupReplication, row.whole("group_size"));
            return Some(Self { kind, state: Some(state), status: None, ready: None, size });
        }
        let is_member = row.switch("wsrep_on") == Some(true) || row.words("wsrep_cluster_status").is_some();
        is_member.then(|| Self {
            kind: ClusterKind::Galera,
            state: row.words("wsrep_local_state_comment"),
            status: row.words("wsrep_cluster_status"),
            ready: row.switch("wsrep_ready"),
            size: row.whole("wsrep_cluster_size"),
        })
    }
}

/// Adds what a row says of a channel to that channel.
pub(super) fn add_to(channels: &mut [Channel], row: &(impl Columns + ?Sized)) {
    let row = Vocabulary(row);
    let Some(name) = row.text("channel_name").map(short) else { return };
    let Some(channel) = channels.iter_mut().find(|channel| channel.name == name) else { return };
    // The workers' rows repeat the channel's values; what one of them lacks is kept.
    let keep = |known: &mut Option<f64>, new: Option<f64>| *known = new.or(*known);
    keep(&mut channel.heartbeat_period_seconds, row.amount("heartbeat_interval"));
    // What was heard before a thread began says nothing of its connection.
    let silence = row.number("silence_seconds").map(|seconds| seconds.max(0.0));
    let age = row.amount("io_thread_seconds").unwrap_or(f64::INFINITY);
    keep(&mut channel.silence_seconds, silence.map(|seconds| seconds.min(age)));
    // The oldest transaction that is being applied, the slowest way of the applied ones.
    let oldest = |known: &mut Option<f64>, new: Option<f64>| {
        *known = [*known, new].into_iter().flatten().reduce(f64::max);
    };
    oldest(&mut channel.applying_seconds, row.number("applying_seconds"));
    oldest(&mut channel.upstream_seconds, row.number("upstream_seconds"));
    channel.is_receiving = row.switch("is_receiving").or(channel.is_receiving);
    let number = row.whole("worker_error_number").and_then(|number| u32::try_from(number).ok());
    if let Some(number) = number.filter(|number| *number != 0) {
        let text = row.words("worker_error_text").unwrap_or_default();
        let error = WorkerError { worker: row.whole("worker_id"), error: ServerError { number, text } };
        if channel.worker_errors.len() < WORKERS && !channel.worker_errors.contains(&error) {
            channel.worker_errors.push(error);
        }
    }
}
