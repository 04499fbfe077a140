//! The statements whose answers are read here.
//!
//! The first one asks for the server, our own hanging statements and, on MySQL, the performance
//! schema, in one answer with one row for each channel and worker. The second is the status
//! statement. None of them names a variable or table that one version of a family lacks.

/// First statement. Each family reads the part in the comment that is meant for it, so nobody
/// has to know beforehand who answers.
///
/// MariaDB's variables are selected one by one: while a relay log's disk is full, everything that
/// walks over all of them hangs. Its switches are in a MAX, as beside a SUM it says 0 of one that
/// is on. MySQL's come from a table, where a missing one is NULL.
pub const FACTS: &str = "/*M!100000 SELECT @@hostname AS hostname, @@port AS port, @@server_id AS server_id, \
    MAX(@@read_only) AS read_only, MAX(@@log_bin) AS log_bin, MAX(@@log_slave_updates) AS log_replica_updates, \
    MAX(@@rpl_semi_sync_slave_enabled) AS semi_sync_replica_enabled, \
    MAX(@@rpl_semi_sync_master_enabled) AS semi_sync_source_enabled, \
    MAX(@@wsrep_on) AS wsrep_on, @@gtid_binlog_state AS gtid_binlog_state, @@gtid_slave_pos AS gtid_slave_pos, \
    SUM(ID <> CONNECTION_ID() AND USER = SUBSTRING_INDEX(USER(), '@', 1) AND INFO LIKE 'SHOW % STATUS%') AS stuck_threads, \
    MAX(IF(ID <> CONNECTION_ID() AND USER = SUBSTRING_INDEX(USER(), '@', 1) AND INFO LIKE 'SHOW % STATUS%', TIME, NULL)) \
    AS stuck_seconds, SUM(COMMAND LIKE 'Binlog Dump%') AS replicas FROM information_schema.PROCESSLIST */ \
    /*!50700 SELECT @@hostname AS hostname, @@port AS port, v.*, s.*, \
    @@GLOBAL.gtid_executed AS gtid_executed, g.group_member_state, g.group_size, p.stuck_threads, p.stuck_seconds, p.replicas, \
    c.CHANNEL_NAME AS channel_name, f.HEARTBEAT_INTERVAL AS heartbeat_interval, \
    TIMESTAMPDIFF(MICROSECOND, GREATEST(c.LAST_HEARTBEAT_TIMESTAMP, c.LAST_QUEUED_TRANSACTION_END_QUEUE_TIMESTAMP), \
    NOW(6)) / 1000000 AS silence_seconds, c.QUEUEING_TRANSACTION <> '' AS is_receiving, i.PROCESSLIST_TIME AS io_thread_seconds, \
    IF(w.APPLYING_TRANSACTION <> '', TIMESTAMPDIFF(MICROSECOND, w.APPLYING_TRANSACTION_ORIGINAL_COMMIT_TIMESTAMP, \
    NOW(6)) / 1000000, NULL) AS applying_seconds, \
    IF(w.LAST_APPLIED_TRANSACTION <> '', TIMESTAMPDIFF(MICROSECOND, w.LAST_APPLIED_TRANSACTION_ORIGINAL_COMMIT_TIMESTAMP, \
    w.LAST_APPLIED_TRANSACTION_IMMEDIATE_COMMIT_TIMESTAMP) / 1000000, NULL) AS upstream_seconds, \
    w.WORKER_ID AS worker_id, w.LAST_ERROR_NUMBER AS worker_error_number, w.LAST_ERROR_MESSAGE AS worker_error_text \
    FROM (SELECT MAX(IF(VARIABLE_NAME = 'server_id', VARIABLE_VALUE, NULL)) AS server_id, \
    MAX(IF(VARIABLE_NAME = 'server_uuid', VARIABLE_VALUE, NULL)) AS server_uuid, \
    MAX(IF(VARIABLE_NAME = 'read_only', VARIABLE_VALUE, NULL)) AS read_only, \
    MAX(IF(VARIABLE_NAME = 'super_read_only', VARIABLE_VALUE, NULL)) AS super_read_only, \
    MAX(IF(VARIABLE_NAME = 'log_bin', VARIABLE_VALUE, NULL)) AS log_bin, \
    MAX(IF(VARIABLE_NAME IN ('log_replica_updates', 'log_slave_updates'), VARIABLE_VALUE, NULL)) AS log_replica_updates, \
    MAX(IF(VARIABLE_NAME IN ('rpl_semi_sync_replica_enabled', 'rpl_semi_sync_slave_enabled'), VARIABLE_VALUE, NULL)) \
    AS semi_sync_replica_enabled, \
    MAX(IF(VARIABLE_NAME IN ('rpl_semi_sync_source_enabled', 'rpl_semi_sync_master_enabled'), VARIABLE_VALUE, NULL)) \
    AS semi_sync_source_enabled FROM performance_schema.global_variables WHERE VARIABLE_NAME IN ('server_id', 'server_uuid', \
    'read_only', 'super_read_only', 'log_bin', 'log_replica_updates', 'log_slave_updates', 'rpl_semi_sync_replica_enabled', \
    'rpl_semi_sync_slave_enabled', 'rpl_semi_sync_source_enabled', 'rpl_semi_sync_master_enabled')) AS v \
    JOIN (SELECT MAX(IF(VARIABLE_NAME IN ('Rpl_semi_sync_replica_status', 'Rpl_semi_sync_slave_status'), VARIABLE_VALUE, NULL)) \
    AS semi_sync_replica_status, \
    MAX(IF(VARIABLE_NAME IN ('Rpl_semi_sync_source_status', 'Rpl_semi_sync_master_status'), VARIABLE_VALUE, NULL)) \
    AS semi_sync_source_status FROM performance_schema.global_status WHERE VARIABLE_NAME LIKE 'Rpl\\_semi\\_sync\\_%') AS s \
    JOIN (SELECT MAX(IF(MEMBER_ID = @@server_uuid, MEMBER_STATE, NULL)) AS group_member_state, COUNT(*) AS group_size \
    FROM performance_schema.replication_group_members WHERE MEMBER_ID <> '') AS g \
    JOIN (SELECT SUM(PROCESSLIST_ID <> CONNECTION_ID() AND PROCESSLIST_USER = SUBSTRING_INDEX(USER(), '@', 1) \
    AND PROCESSLIST_INFO LIKE 'SHOW % STATUS%') AS stuck_threads, \
    MAX(IF(PROCESSLIST_ID <> CONNECTION_ID() AND PROCESSLIST_USER = SUBSTRING_INDEX(USER(), '@', 1) \
    AND PROCESSLIST_INFO LIKE 'SHOW % STATUS%', PROCESSLIST_TIME, NULL)) AS stuck_seconds, \
    SUM(PROCESSLIST_COMMAND LIKE 'Binlog Dump%') AS replicas FROM performance_schema.threads WHERE TYPE = 'FOREGROUND') AS p \
    LEFT JOIN performance_schema.replication_connection_status AS c ON TRUE \
    LEFT JOIN performance_schema.replication_connection_configuration AS f ON f.CHANNEL_NAME = c.CHANNEL_NAME \
    LEFT JOIN performance_schema.threads AS i ON i.THREAD_ID = c.THREAD_ID \
    LEFT JOIN performance_schema.replication_applier_status_by_worker AS w ON w.CHANNEL_NAME = c.CHANNEL_NAME */";

/// Instead of it where the performance schema is off or may not be read.
pub const MYSQL_VARIABLES: &str = "SELECT @@hostname AS hostname, @@port AS port, @@server_id AS server_id, \
    @@server_uuid AS server_uuid, @@read_only AS read_only, @@super_read_only AS super_read_only, @@log_bin AS log_bin, \
    @@GLOBAL.gtid_executed AS gtid_executed";

/// What to grant when the performance schema may not be read.
pub const MYSQL_GRANT: &str = "GRANT SELECT ON performance_schema.* TO <user>";
