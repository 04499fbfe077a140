//! Each fault of replication is there when the lab says so, on MariaDB and, where it exists, on MySQL.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use std::thread;
use std::time::{Duration, Instant};

use lab::mysql::Release;
use lab::mysql::replication::{Chain, Following, MultiSource, Pair};
use lab::mysql::server::ServerOptions;
use lab::process::left_out_without_root;

/// Runs a scenario on a fresh pair of each release.
fn on_pairs(what: &str, scenario: impl Fn(Pair) + Sync) {
    each(what, |release| scenario(Pair::start(release)));
}

fn each(what: &str, scenario: impl Fn(Release) + Sync) {
    thread::scope(|scope| {
        for release in [Release::MariaDb, Release::MySql] {
            if !release.is_left_out(what) {
                let scenario = &scenario;
                scope.spawn(move || scenario(release));
            }
        }
    });
}

fn is_mariadb(pair: &Pair) -> bool {
    pair.replica.release().is_mariadb()
}

#[test]
fn healthy_pairs_of_every_release() {
    each("a healthy pair", |release| is_healthy(&Pair::start(release)));
    if !Release::NewerMariaDb.is_left_out("a healthy pair") {
        let pair = Pair::start(Release::NewerMariaDb);
        is_healthy(&pair);
        assert!(pair.channel().row().columns().iter().any(|name| name == "Master_Slave_time_diff"));
    }
}

fn is_healthy(pair: &Pair) {
    let channel = pair.channel();
    assert_eq!((channel.threads(), channel.errors(), channel.lag()), (["Yes", "Yes"], [0, 0], Some(0)));
    assert_eq!(channel.get("Source_Port"), Some(pair.link.port().to_string().as_str()));
    assert_eq!(channel.get("Source_Server_Id"), Some(pair.source.id().to_string().as_str()));
    pair.source.write("second");
    pair.replica.wait_row("second");
}

#[test]
fn stopped_threads_have_no_error() {
    on_pairs("stopped threads", |pair| {
        let channel = pair.stop_io_thread();
        assert_eq!((channel.errors(), channel.lag()), ([0, 0], None));
        pair.replica.replica("START REPLICA", "");
        pair.wait_for("running threads", |channel| channel.threads() == ["Yes", "Yes"]);
        let channel = pair.stop_sql_thread();
        assert_eq!((channel.errors(), channel.lag()), ([0, 0], None));
        // Both clear what was wrong, and a reset has no position.
        let channel = pair.reset();
        assert_eq!(channel.errors(), [0, 0]);
        assert_eq!(channel.get("Source_Log_File"), Some(""));
        pair.reset_all();
    });
}

#[test]
fn duplicate_key_is_named() {
    on_pairs("error 1062", |pair| {
        let channel = pair.duplicate_key();
        assert_eq!(channel.threads(), ["Yes", "No"]);
        let status = channel.get("Last_SQL_Error").unwrap().to_owned();
        if is_mariadb(&pair) {
            assert!(status.contains("Duplicate entry") && status.contains("lab.data"), "{status}");
            return;
        }
        // The coordinator only names the place where the workers say it.
        assert!(status.contains("replication_applier_status_by_worker"), "{status}");
        let sql = "SELECT LAST_ERROR_MESSAGE FROM performance_schema.replication_applier_status_by_worker \
                   WHERE LAST_ERROR_NUMBER = 1062";
        let worker = pair.replica.admin().value(sql);
        assert!(worker.contains("Duplicate entry") && worker.contains("lab.data"), "{worker}");
    });
}

#[test]
fn killed_source_and_its_return() {
    on_pairs("a killed source", |mut pair| {
        let channel = pair.kill_source();
        assert_eq!((channel.threads(), channel.lag()), (["Connecting", "Yes"], None));
        let text = channel.get("Last_IO_Error").unwrap();
        let attempts = if is_mariadb(&pair) { "maximum-retries: 100000" } else { "/10" };
        assert!(text.contains(attempts), "{text}");
        pair.revive_source();
        pair.wait_for("connection", |channel| channel.threads() == ["Yes", "Yes"]);
        pair.source.write("after");
        pair.replica.wait_row("after");
    });
}

#[test]
fn few_attempts_end_for_good() {
    each("the end of the attempts", |release| {
        let options = ServerOptions::of(release);
        let of_replica = if release.is_mariadb() {
            options.clone().argument("--master-retry-count=2")
        } else {
            options.clone()
        };
        let mut pair = Pair::with(&options, &of_replica, &Following::default().retries(2));
        let channel = pair.outlive_retries();
        assert_eq!(channel.errors()[0], 2003);
        pair.revive_source();
        thread::sleep(Duration::from_secs(2));
        assert_eq!(pair.channel().threads(), ["No", "Yes"]);
    });
}

#[test]
fn silence_is_not_seen_in_the_status() {
    on_pairs("silence", |pair| {
        pair.black_hole();
        thread::sleep(Duration::from_secs(2));
        let channel = pair.channel();
        assert_eq!((channel.threads(), channel.lag()), (["Yes", "Yes"], Some(0)));
        assert!(!pair.replica.has("lost"));
        pair.link.thaw();
        pair.replica.settle("lost again");

        pair.source.pause();
        let channel = pair.channel();
        assert_eq!((channel.threads(), channel.lag()), (["Yes", "Yes"], Some(0)));
        pair.source.resume();
    });
}

#[test]
fn heartbeats_come_and_stop_with_the_line() {
    each("heartbeats", |release| {
        let options = ServerOptions::of(release);
        let pair = Pair::with(&options, &options, &Following::default().heartbeat(0.5));
        let beats = |pair: &Pair| {
            let sql =
                "SELECT COUNT_RECEIVED_HEARTBEATS FROM performance_schema.replication_connection_status";
            let number = if is_mariadb(pair) {
                pair.channel().get("Slave_received_heartbeats").unwrap().to_owned()
            } else {
                pair.replica.admin().value(sql)
            };
            number.parse::<u32>().unwrap()
        };
        let before = beats(&pair);
        let until = Instant::now() + Duration::from_secs(10);
        while beats(&pair) == before {
            assert!(Instant::now() < until, "no heartbeat");
            thread::sleep(Duration::from_millis(50));
        }
        pair.link.freeze();
        thread::sleep(Duration::from_millis(200));
        let frozen = beats(&pair);
        thread::sleep(Duration::from_millis(1500));
        assert_eq!(beats(&pair), frozen);
    });
}

#[test]
fn changed_password_is_1045() {
    on_pairs("a changed password", |pair| {
        let channel = pair.change_password();
        assert_eq!((channel.threads(), channel.lag()), (["Connecting", "Yes"], None));
        assert!(channel.get("Last_IO_Error").unwrap().contains("Access denied"));
    });
}

#[test]
fn purged_binary_logs_end_the_receiver() {
    on_pairs("purged binary logs", |pair| {
        let channel = pair.purge_binary_logs();
        let expected = if is_mariadb(&pair) { 1236 } else { 13114 };
        assert_eq!(channel.errors(), [expected, 0]);
        assert!(channel.get("Last_IO_Error").unwrap().contains("1236"));
        assert!(!pair.replica.has("kept"));
    });
}

#[test]
fn delay_by_design_shows_what_remains() {
    on_pairs("a delay by design", |pair| {
        let channel = pair.delay(3600);
        assert_eq!(channel.threads(), ["Yes", "Yes"]);
        assert_eq!(channel.get("SQL_Delay"), Some("3600"));
        let remaining: u32 = channel.get("SQL_Remaining_Delay").unwrap().parse().unwrap();
        assert!((3500..=3601).contains(&remaining), "{remaining}");
        assert!(!pair.replica.has("delayed"));
    });
}

#[test]
fn lock_makes_lag_and_its_end_ends_it() {
    on_pairs("lag by a lock", |pair| {
        let (lock, channel) = pair.lag(2);
        assert_eq!((channel.threads(), channel.errors()), (["Yes", "Yes"], [0, 0]));
        drop(lock);
        pair.replica.wait_row("locked out");
        pair.wait_for("end of the lag", |channel| channel.lag() == Some(0));
    });
}

#[test]
fn full_relay_disk_hangs_mariadb_alone() {
    if left_out_without_root("a file system of its own for the relay logs") {
        return;
    }
    each("a full relay disk", |release| {
        let options = ServerOptions::of(release);
        let pair = Pair::with(&options, &options.clone().relay_disk(8), &Following::default());
        let full = pair.fill_relay_disk();
        let mut client = pair.replica.admin();
        client.set_patience(Duration::from_secs(3));
        let status = client.query(pair.replica.status_statement());
        assert_eq!(status.is_err(), release.is_mariadb(), "{status:?}");
        assert!(pair.waits_for_space());
        // It goes on by itself once there is room, after up to a minute.
        drop(full);
    });
}

#[test]
fn errant_transaction_is_the_replicas_own() {
    on_pairs("an errant transaction", |pair| {
        pair.errant_transaction();
        let mut admin = pair.replica.admin();
        if is_mariadb(&pair) {
            let state = admin.value("SELECT @@gtid_binlog_state");
            assert!(state.contains(&format!("-{}-", pair.replica.id())), "{state}");
        } else {
            let own = admin.value("SELECT @@server_uuid");
            let executed = admin.value("SELECT @@gtid_executed");
            assert!(executed.contains(&own), "{own} {executed}");
        }
        assert_eq!(pair.channel().threads(), ["Yes", "Yes"]);
    });
}

#[test]
fn renamed_relay_logs_keep_the_replica_from_starting() {
    on_pairs("renamed relay logs", |mut pair| {
        let channel = pair.rename_relay_logs();
        assert_eq!(channel.errors(), [0, 0]);
        let refused = pair.replica.admin().query("START REPLICA").unwrap_err();
        let expected: &[u16] = if is_mariadb(&pair) { &[1201] } else { &[1872, 13124] };
        assert!(expected.contains(&refused.number()), "{refused}");
    });
}

#[test]
fn stalled_chain_looks_healthy_from_its_end() {
    each("a stalled chain", |release| {
        let chain = Chain::start(release);
        let channel = chain.stall();
        assert_eq!((channel.threads(), channel.errors()), (["Yes", "Yes"], [0, 0]));
        assert_eq!(channel.lag(), Some(0));
        assert!(!chain.last.has("held up"));
        assert_eq!(chain.middle.channel("").threads(), ["Yes", "No"]);
    });
}

#[test]
fn one_of_two_channels_breaks_alone() {
    each("two channels", |release| {
        let names = if release.is_mariadb() { ["east", "west"] } else { ["", "west"] };
        let servers = MultiSource::start(release, names);
        let replica = &servers.replica;
        let mut seen: Vec<_> = replica.channels().iter().map(|channel| channel.name().to_owned()).collect();
        seen.sort();
        assert_eq!(seen, names);
        if release.is_mariadb() {
            assert!(replica.admin().rows("SHOW SLAVE STATUS").is_empty());
        }
        replica.replica("STOP REPLICA IO_THREAD", "west");
        assert_eq!(replica.channel("west").threads(), ["No", "Yes"]);
        assert_eq!(replica.channel(names[0]).threads(), ["Yes", "Yes"]);
    });
}

#[test]
fn semi_sync_degrades_to_async() {
    on_pairs("semi-sync", |pair| {
        pair.semi_sync();
        let word = if is_mariadb(&pair) { ["master", "slave"] } else { ["source", "replica"] };
        let status = |server: &lab::mysql::server::Server, word: &str| {
            let sql = format!("SHOW STATUS LIKE 'Rpl_semi_sync_{word}_status'");
            server.admin().rows(&sql)[0].get("Value").unwrap().to_owned()
        };
        let until = Instant::now() + Duration::from_secs(10);
        while [status(&pair.source, word[0]), status(&pair.replica, word[1])] != ["ON", "ON"] {
            assert!(Instant::now() < until, "no semi-sync");
            thread::sleep(Duration::from_millis(50));
        }
        pair.degrade_semi_sync();
        assert_eq!(status(&pair.source, word[0]), "OFF");
    });
}

#[test]
fn filter_limit_and_skip_show_in_the_status() {
    each("a filter, a limit and a skip", |release| {
        let options = ServerOptions::of(release);
        let filtering = options.clone().argument("--replicate-ignore-table=lab.unwanted");
        let pair = Pair::with(&options, &filtering, &Following::default());
        let channel = pair.channel();
        assert_eq!(channel.get("Replicate_Ignore_Table"), Some("lab.unwanted"));
        assert_eq!(channel.get("Until_Condition"), Some("None"));
        let expected = if release.is_mariadb() { "Gtid" } else { "SQL_AFTER_GTIDS" };
        assert_eq!(pair.run_until().get("Until_Condition"), Some(expected));
        if release.is_mariadb() {
            assert_eq!(pair.skip_next().get("Skip_Counter"), Some("1"));
        }
    });
}
