//! check_mysql_slave on replicas that are broken for real, of MariaDB and MySQL: none of them is OK, and the line says why.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

use std::thread;
use std::time::Duration;

use lab::mysql::Account;
use lab::mysql::replication::{Following, MultiSource, Pair};
use lab::mysql::server::ServerOptions;
use lab::output::State;
use lab::process::left_out_without_root;
use tests::mysql::{check, each, forget, gives, leads_to, leads_to_port, on_pairs};

#[test]
fn a_healthy_replica_costs_two_statements() {
    on_pairs("a healthy replica", |pair| {
        let before = pair.replica.statements_of("monitor").len();
        let run = gives(&pair.replica, &[], State::Ok, &["replica follows 127.0.0.1", "lag 0 s"]);
        assert_eq!(run.parsed.value("lag"), Some(0.0), "{}", run.outcome.report());
        assert_eq!(run.parsed.value("io_running"), Some(1.0));
        let statements = pair.replica.statements_of("monitor").split_off(before);
        assert_eq!(statements.len(), 2, "{statements:#?}");
        // Nothing replicates to the source.
        gives(&pair.source, &[], State::Critical, &["not a replica"]);
        gives(&pair.source, &["--not-replica", "ok"], State::Ok, &[]);
    });
}

#[test]
fn stopped_threads() {
    on_pairs("stopped threads", |pair| {
        pair.stop_io_thread();
        let run = gives(&pair.replica, &[], State::Critical, &["IO thread"]);
        assert_eq!(run.parsed.value("io_running"), Some(0.0));
        assert!(run.parsed.perf("lag").is_some_and(|lag| lag.value.is_none()), "{}", run.outcome.report());
        gives(&pair.replica, &["--allow-stopped", "io"], State::Warning, &[]);
        gives(&pair.replica, &["--allow-stopped", "io:10"], State::Ok, &["stopped as allowed"]);
        pair.replica.replica("START REPLICA", "");
        pair.wait_for("running threads", |channel| channel.threads() == ["Yes", "Yes"]);
        pair.stop_sql_thread();
        gives(&pair.replica, &[], State::Critical, &["SQL thread"]);
        pair.reset();
        gives(&pair.replica, &[], State::Critical, &[]);
        pair.reset_all();
        gives(&pair.replica, &[], State::Critical, &["not a replica"]);
    });
}

#[test]
fn a_duplicate_key_is_named_with_its_table() {
    on_pairs("error 1062", |pair| {
        pair.duplicate_key();
        let run = gives(&pair.replica, &[], State::Critical, &["1062", "Duplicate entry"]);
        assert!(run.outcome.text().contains("lab.data"), "{}", run.outcome.report());
        assert!(run.outcome.text().contains("pt-table-checksum"), "{}", run.outcome.report());
    });
}

#[test]
fn a_source_that_is_gone() {
    on_pairs("a killed source", |mut pair| {
        gives(&pair.replica, &[], State::Ok, &[]);
        pair.kill_source();
        // Half a minute after it was well a lost connection is only noticed, where something is remembered: MySQL
        // tells all that is needed for that itself.
        let lost = if pair.replica.release().is_mariadb() { State::Warning } else { State::Critical };
        gives(&pair.replica, &[], lost, &["2003"]);
        forget(&pair.replica);
        gives(&pair.replica, &[], State::Critical, &["2003"]);
        pair.revive_source();
        pair.wait_for("connection", |channel| channel.threads() == ["Yes", "Yes"]);
        gives(&pair.replica, &[], State::Ok, &[]);
    });
}

#[test]
fn a_link_that_swallows_everything() {
    each("a black hole", |release| {
        let options = ServerOptions::of(release);
        let pair = Pair::with(&options, &options, &Following::default().heartbeat(2.0));
        let source = leads_to(&pair.source);
        let compared = ["--source", &source];
        gives(&pair.replica, &compared, State::Ok, &["follows"]);
        pair.black_hole();
        // Both threads say Yes and 0. The source knows better at once, the heartbeats after a while.
        gives(&pair.replica, &compared, State::Critical, &["do not arrive"]);
        thread::sleep(Duration::from_secs(5));
        gives(&pair.replica, &[], State::Critical, &["silent for"]);
    });
}

#[test]
fn credentials_and_logs_that_are_gone() {
    on_pairs("a changed password, purged logs", |pair| {
        pair.change_password();
        gives(&pair.replica, &[], State::Critical, &["1045"]);
    });
    on_pairs("purged logs", |pair| {
        pair.purge_binary_logs();
        gives(&pair.replica, &[], State::Critical, &["1236"]);
    });
}

#[test]
fn delay_and_lag() {
    on_pairs("delay and lag", |pair| {
        pair.delay(3600);
        gives(&pair.replica, &[], State::Ok, &["by design"]);
        gives(&pair.replica, &["--min-delay", "7200"], State::Critical, &["delay is"]);
    });
    on_pairs("lag", |pair| {
        let (_lock, _) = pair.lag(2);
        gives(&pair.replica, &["-w", "1", "-c", "600"], State::Warning, &["lag is"]);
        gives(&pair.replica, &["-w", "0.5", "-c", "1"], State::Critical, &["lag is"]);
    });
}

#[test]
fn what_only_the_replica_has() {
    on_pairs("an errant transaction", |pair| {
        gives(&pair.replica, &["--errant", "local"], State::Ok, &[]);
        pair.errant_transaction();
        gives(&pair.replica, &["--errant", "local"], State::Warning, &["of its own"]);
        gives(&pair.replica, &["--read-only", "on"], State::Warning, &["read_only"]);
    });
}

#[test]
fn one_of_two_channels() {
    each("two channels", |release| {
        let mut both = MultiSource::start(release, ["east", "west"]);
        gives(&both.replica, &["--expect-channels", "2"], State::Ok, &["2 channels follow"]);
        gives(&both.replica, &["--expect-channels", "3"], State::Critical, &["instead of the 3 expected"]);
        both.sources[1].kill();
        both.replica.wait_for("west", "a lost source", |channel| channel.threads()[0] == "Connecting");
        forget(&both.replica);
        let run = gives(&both.replica, &[], State::Critical, &["1 of 2 channels", "west"]);
        assert_eq!(run.parsed.value("east.io_running"), Some(1.0), "{}", run.outcome.report());
        gives(&both.replica, &["--channel", "east"], State::Ok, &[]);
        gives(&both.replica, &["--exclude-channel", "w*"], State::Ok, &[]);
    });
}

/// On MariaDB the status statement itself hangs; the next run does not join it.
#[test]
fn no_room_for_relay_logs() {
    if left_out_without_root("a full disk") {
        return;
    }
    each("a full disk", |release| {
        let replica = ServerOptions::of(release).relay_disk(8);
        let pair = Pair::with(&ServerOptions::of(release), &replica, &Following::default());
        let _full = pair.fill_relay_disk();
        let full = |seconds: f64| {
            let run = check(&pair.replica, Account::MonitorProcess, &[]).timeout(seconds);
            run.gives(State::Critical, &["no room for relay logs"])
        };
        full(3.0);
        if release.is_mariadb() {
            thread::sleep(Duration::from_secs(2));
            let again = full(2.0);
            assert!(again.outcome.text().contains("no more is sent"), "{}", again.outcome.report());
        }
    });
}

#[test]
fn without_privileges() {
    on_pairs("an account without privileges", |pair| {
        let run = check(&pair.replica, Account::Nothing, &[]).gives(State::Unknown, &[]);
        assert!(run.outcome.text().contains("GRANT"), "{}", run.outcome.report());
    });
}

/// A mark goes from the source to the replica, or it does not.
#[test]
fn a_live_probe() {
    on_pairs("a live probe", |pair| {
        let table = "CREATE TABLE lab.mark (id INT AUTO_INCREMENT PRIMARY KEY, mark CHAR(32), INDEX (mark))";
        let grants = ["GRANT SELECT, INSERT ON lab.mark TO monitor"];
        pair.source.admin().run(&[&[table], &grants[..]].concat());
        pair.source.write("after the table");
        pair.replica.wait_row("after the table");
        let source = leads_to(&pair.source);
        let words = ["--source", &source, "--probe-table", "lab.mark"];
        let run = gives(&pair.replica, &words, State::Ok, &["follows"]);
        assert!(run.parsed.value("probe").is_some_and(|seconds| seconds < 10.0), "{}", run.outcome.report());
        assert_eq!(run.parsed.value("gtid_gap"), Some(0.0), "{}", run.outcome.report());
        pair.stop_sql_thread();
        let run = check(&pair.replica, Account::Monitor, &words).timeout(4.0).gives(State::Critical, &[]);
        assert!(
            run.parsed.perf("probe").is_some_and(|item| item.value.is_none()),
            "{}",
            run.outcome.report()
        );
        let no_table = ["--source", &source, "--probe-table", "lab.none"];
        pair.replica.replica("START REPLICA", "");
        pair.wait_for("running threads", |channel| channel.threads() == ["Yes", "Yes"]);
        gives(&pair.replica, &no_table, State::Unknown, &["cannot write the live probe"]);
    });
}

#[test]
fn semi_synchronous_replication() {
    on_pairs("semi-synchronous replication", |pair| {
        // Without the plugin MySQL has no word for it.
        let none = if pair.replica.release().is_mariadb() { State::Warning } else { State::Unknown };
        gives(&pair.replica, &["--semi-sync"], none, &["semi-sync"]);
        pair.semi_sync();
        gives(&pair.replica, &["--semi-sync"], State::Ok, &["follows"]);
        pair.degrade_semi_sync();
        gives(&pair.replica, &["--semi-sync"], State::Critical, &["but the replica is asynchronous"]);
    });
}

/// A source that hangs is not known, and does not make the replica seem to hang.
#[test]
fn a_source_that_hangs() {
    on_pairs("a paused source", |pair| {
        let source = leads_to_port(&pair.source);
        pair.source.pause();
        let words = ["--source", &source];
        let run = check(&pair.replica, Account::Monitor, &words).timeout(6.0);
        run.gives(State::Unknown, &["cannot ask the source"]);
        pair.source.resume();
    });
}
