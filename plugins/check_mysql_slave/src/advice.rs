//! What to do, by error number and by symptom: short, in the order in which to try it.
//!
//! Nothing here is ever done by the check.

/// A thread that somebody stopped.
pub const STOPPED: &str =
    "without an error it was stopped by someone: START REPLICA; --allow-stopped while it is wanted";
/// Both threads, and no error at all.
pub const STOPPED_BOTH: &str = "both threads stopped without an error: stopped by someone, or relay logs that cannot be \
    opened after a restart: see the server's error log, then START REPLICA; is that refused, with GTIDs RESET REPLICA first";
/// After RESET REPLICA.
pub const RESET: &str = "1) find out who reset it; 2) with GTIDs START REPLICA goes on by itself; 3) else set the position \
    with CHANGE REPLICATION SOURCE TO (CHANGE MASTER TO) or re-provision";
/// No error yet.
pub const CONNECTING: &str = "see whether the source is up and reachable from the replica on its port";
/// Relay logs need room.
pub const DISK_FULL: &str =
    "free space on the file system of the relay logs; both threads go on by themselves";
/// The status is not answered.
pub const HANGING: &str = "look at SHOW PROCESSLIST (PROCESS privilege shows all threads) and at the free space of the relay \
    logs' file system; KILL does not end statements that wait for space";
/// Silence and stalls.
pub const SILENT: &str = "1) is the source up and answering; 2) firewall or NAT that lost the connection: STOP REPLICA \
    IO_THREAD, START REPLICA IO_THREAD; 3) lower replica_net_timeout (slave_net_timeout)";
/// Stalls further up.
pub const CHAIN: &str = "run this check on the servers between the two: one of them lags, is stopped or delayed, or no \
    longer replicates from that origin";
/// Transactions by origin.
pub const ERRANT_LOCAL: &str = "transactions of its own are errant unless it was a source before: --source FILE --errant exact \
    tells";
/// Transactions the source has not.
pub const ERRANT: &str = "1) see what they are (mysqlbinlog); 2) nothing of worth: commit them empty on the source (MySQL); \
    3) else bring the data over by hand or re-provision; do not fail over to this replica before";
/// Writable replicas.
pub const READ_ONLY: &str = "SET GLOBAL super_read_only=ON (MariaDB: read_only=ON) and put it into the configuration; \
    --read-only off where both sides write";
/// Downstream replicas.
pub const LOG_UPDATES: &str =
    "set log_replica_updates=ON (log_slave_updates) and restart, then re-provision the replicas below";
/// Semi-synchronous replication.
pub const SEMI_SYNC: &str = "see Rpl_semi_sync_% on both sides; after enabling it: STOP REPLICA IO_THREAD, START REPLICA \
    IO_THREAD";
/// Members of a cluster.
pub const CLUSTER: &str =
    "see the error log of this member and the state of the others; never bootstrap while others are primary";
/// Privileges of the probe.
pub const PROBE: &str = "GRANT INSERT, SELECT ON <db>.<table> TO <user>, on the source";
/// Clocks.
pub const SKEW: &str = "look after NTP on both hosts; heartbeats are only worth as much as the clocks";
/// Heartbeats that lie ahead.
pub const FUTURE: &str = "look after NTP on both hosts; hours ahead: pt-heartbeat writes another time zone than the replica \
    has: pt-heartbeat --utc with --heartbeat-utc";
/// The table of pt-heartbeat.
pub const HEARTBEAT: &str =
    "it has the columns server_id and ts, and: GRANT SELECT ON <db>.<table> TO <user>, on the source";
/// Same number.
pub const SAME_ID: &str = "give each server a server_id of its own and restart replication";
/// Same UUID.
pub const SAME_UUID: &str = "one was copied with auto.cnf: delete that file on the replica and restart it";
/// Skipping.
pub const SKIP: &str = "skipped events make data differ: SET GLOBAL sql_replica_skip_counter=0 (sql_slave_skip_counter), \
    compare the tables with pt-table-checksum";
/// UNTIL.
pub const UNTIL: &str =
    "STOP REPLICA SQL_THREAD, START REPLICA SQL_THREAD without UNTIL once its purpose is fulfilled";
/// Filters.
pub const FILTERS: &str =
    "a filtered replica is no copy: remove replicate_* from the configuration and re-provision";
/// Growing relay logs.
pub const RELAY_SPACE: &str = "the SQL thread lags or is stopped, or relay_log_purge is off";
/// No rows.
pub const NOT_REPLICA: &str = "was it reset with ALL, or promoted? --not-replica ok where that is meant";

const DRIFT: &str = "data differs from the source: 1) find who wrote here and set super_read_only (MariaDB: read_only); \
    2) repair this row; 3) START REPLICA; 4) compare all with pt-table-checksum, or re-provision";
const SCHEMA: &str = "tables differ from the source: 1) compare SHOW CREATE TABLE on both sides; 2) mend the replica's; \
    3) START REPLICA; 4) compare data with pt-table-checksum";
const PURGED: &str = "the source no longer has the logs this replica needs: re-provision it from a backup or a clone, and \
    keep the logs longer (binlog_expire_logs_seconds)";
const CREDENTIALS: &str = "1) log in on the source with the replica's account from this host; 2) set the password with CHANGE \
    REPLICATION SOURCE TO (CHANGE MASTER TO); 3) START REPLICA";
const NOT_ALLOWED: &str = "grant REPLICATION SLAVE (MariaDB: REPLICATION REPLICA) to the replica's account on the source, for \
    this host";
const NETWORK: &str =
    "1) is the source up; 2) does its port answer from this host; 3) firewall, bind_address";
const NAME: &str = "the source's name does not resolve on the replica: /etc/hosts, DNS";
const LOST: &str = "the connection broke: look at the source's error log, the network, max_allowed_packet and \
    net_read_timeout";
const BUSY: &str = "the source refuses connections: too many of them, or this host is blocked: FLUSH HOSTS there, raise \
    max_connections";
const TLS: &str = "TLS between replica and source failed: certificates expired or changed, CA, TLS versions (SOURCE_SSL_*, \
    MASTER_SSL_*)";
const SECURE: &str = "caching_sha2_password needs TLS or the source's public key: SOURCE_SSL=1, or GET_SOURCE_PUBLIC_KEY=1 \
    inside a trusted network";
const RELAY_LOG: &str = "the relay log cannot be used: 1) STOP REPLICA; 2) with GTIDs RESET REPLICA and START REPLICA fetch it \
    again; 3) without them set the position to Exec_Source_Log_Pos (Exec_Master_Log_Pos) first";
const CORRUPT: &str = "an event is damaged: 1) check it on the source with mysqlbinlog --verify-binlog-checksum; 2) sound \
    there: RESET REPLICA with GTIDs and fetch it again; 3) else re-provision; check disk and memory";
const PACKET: &str = "raise max_allowed_packet on both sides (replica_max_allowed_packet, slave_max_allowed_packet), then START \
    REPLICA";
const IDENTITY: &str = "source and replica have the same server_id or UUID: give each its own (a copied auto.cnf is \
    deleted), restart";
const LOCKS: &str = "another session holds the rows: see SHOW ENGINE INNODB STATUS and long transactions on the replica, then \
    START REPLICA";
const WORKER: &str =
    "the cause is in performance_schema.replication_applier_status_by_worker and the error log";
const GTID: &str = "the GTID positions do not fit: 1) compare gtid_slave_pos with the source's gtid_binlog_pos; 2) look for \
    transactions of its own; 3) re-provision";
const FULL: &str = "free space on the replica's disks or tablespaces, then START REPLICA";
const DAMAGED: &str = "a table of the replica is damaged: CHECK TABLE, restore or re-copy it, then START REPLICA; see its disks";
const PRIVILEGE: &str =
    "the applier lacks a privilege: PRIVILEGE_CHECKS_USER of the channel, or the definer does not exist here";
const COLUMNS: &str = "column types differ: make them equal, or allow the conversion by replica_type_conversions \
    (slave_type_conversions)";
const INCIDENT: &str =
    "the source lost events (incident): re-provision, or compare the tables before skipping it";
const LOG_FORMAT: &str = "statements that replicate unsafely or not at all: binlog_format=ROW on the source";
const KILLED: &str = "someone or a time limit killed the thread: START REPLICA";
const CONSTRAINT: &str =
    "a foreign key or check fails only here: data differs: mend the rows, compare all with pt-table-checksum";
const MISSING_ENGINE: &str =
    "the replica lacks a plugin, engine or collation the source has: install it or upgrade the replica first";

/// Advice on an error a thread stopped with. Some numbers stand for several causes, which the
/// server's text tells apart.
#[must_use]
pub fn on_error(number: u32, text: &str) -> Option<&'static str> {
    let says = |words: &str| text.to_ascii_lowercase().contains(words);
    Some(match number {
        1236 | 13_114 if says("max_allowed_packet") || says("log event entry exceeded") => PACKET,
        1236 | 13_114 if says("same server") || says("equal") => IDENTITY,
        1236 | 13_114 if says("checksum") || says("corrupt") => CORRUPT,
        1593 | 13_117 if says("max_allowed_packet") || says("exceeds") => PACKET,
        1593 | 13_117 if says("equal") || says("server id") || says("server uuid") => IDENTITY,
        1032 | 1062 | 1761 => DRIFT,
        1007
        | 1008
        | 1049..=1051
        | 1054
        | 1060
        | 1061
        | 1064
        | 1091
        | 1136
        | 1146
        | 1304
        | 1305
        | 1364
        | 1537
        | 1539 => SCHEMA,
        1236 | 13_114 | 1789 | 1373 => PURGED,
        1045 | 1044 | 1396 | 1862 | 3118 => CREDENTIALS,
        1130 | 1227 => NOT_ALLOWED,
        1142 | 1143 | 1370 | 1449 => PRIVILEGE,
        2002 | 2003 => NETWORK,
        2005 => NAME,
        2006 | 2013 | 2055 | 1158..=1161 | 1189 | 1190 | 1597 => LOST,
        1040 | 1129 | 1203 | 1226 => BUSY,
        2026 | 3159 => TLS,
        2058..=2061 | 1251 => SECURE,
        1201 | 1593 | 1871 | 1872 | 1805 | 1806 | 13_117 | 13_121 | 13_122 | 13_124 | 1595 => RELAY_LOG,
        1594 | 1610 | 1722 | 1743 | 1744 => CORRUPT,
        1153 | 2020 => PACKET,
        1205 | 1206 | 1213 | 1317 => LOCKS,
        1756 | 1801 | 1802 => WORKER,
        1785..=1788 | 1837 | 1840 | 1941..=1956 | 1965 | 1976 => GTID,
        3 | 28 | 1021 | 1026 | 1114 | 1598 => FULL,
        126 | 127 | 134 | 144 | 145 | 1030 | 1034 | 1035 | 1194 | 1195 | 1712 => DAMAGED,
        1677 | 1366 | 1406 | 1265 => COLUMNS,
        1590 => INCIDENT,
        1592 | 1662 | 1663 | 1666 => LOG_FORMAT,
        1927 | 1969 | 3024 => KILLED,
        1215..=1217 | 1451 | 1452 | 3819 | 4025 => CONSTRAINT,
        1115 | 1193 | 1273 | 1286 | 1524 | 22 => MISSING_ENGINE,
        _ => return None,
    })
}

/// Advice when all attempts to reach the source are used up: what it was, and that it does not
/// begin again by itself.
#[must_use]
pub fn gave_up(number: u32) -> String {
    let cause = on_error(number, "").map(|advice| format!("{advice}; ")).unwrap_or_default();
    format!(
        "{cause}then START REPLICA, and raise SOURCE_RETRY_COUNT (MariaDB: master-retry-count): it does not try again by itself"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_of_the_field_has_its_advice() {
        for (number, word) in [
            (1032, "pt-table-checksum"),
            (1062, "pt-table-checksum"),
            (1236, "re-provision"),
            (13_114, "re-provision"),
            (1045, "password"),
            (2003, "port"),
            (1872, "RESET REPLICA"),
            (13_124, "RESET REPLICA"),
            (13_121, "RESET REPLICA"),
            (1594, "mysqlbinlog"),
            (1595, "RESET REPLICA"),
            (2061, "public key"),
            (2026, "TLS"),
            (1146, "SHOW CREATE TABLE"),
            (1205, "transactions"),
        ] {
            let advice = on_error(number, "").unwrap();
            assert!(advice.contains(word), "{number}: {advice}");
            assert!(advice.len() < 260, "{number} is long: {advice}");
        }
        assert_eq!(on_error(4_000_000_000, ""), None);
    }

    #[test]
    fn causes_behind_one_number_are_told_apart() {
        let purged = "Got fatal error 1236 from source when reading data from binary log: 'Cannot replicate because the \
                      source purged required binary logs.'";
        assert_eq!(on_error(13_114, purged), Some(PURGED));
        let packet = "Got fatal error 1236: 'log event entry exceeded max_allowed_packet; Increase max_allowed_packet'";
        assert_eq!(on_error(1236, packet), Some(PACKET));
        let same = "The replica I/O thread stops because source and replica have equal MySQL server ids";
        assert_eq!(on_error(13_117, same), Some(IDENTITY));
    }
}
