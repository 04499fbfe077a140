//! Faults of a whole server, on real replicas of MariaDB and MySQL: sources that hang or are gone for good, identities that
//! clash, relay logs that are not found, clocks that differ.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

use std::fs;
use std::thread;
use std::time::Duration;

use lab::mysql::replication::{Following, Pair};
use lab::mysql::server::{Server, ServerOptions};
use lab::mysql::{Account, Release};
use lab::output::State;
use tests::mysql::{LOCAL, beat, check, each, forget, gives, leads_to, make_heartbeat_table, on_pairs};

#[test]
fn a_source_that_hangs_and_one_that_is_given_up() {
    each("a source given up", |release| {
        let source = ServerOptions::of(release);
        // MariaDB has no such number for a channel.
        let replica = if release.is_mariadb() {
            source.clone().argument("--master-retry-count=6")
        } else {
            source.clone()
        };
        let mut pair = Pair::with(&source, &replica, &Following::default().heartbeat(2.0).retries(6));
        gives(&pair.replica, &[], State::Ok, &["follows"]);
        pair.source.pause();
        // MariaDB's silence begins with the first run that sees it.
        gives(&pair.replica, &[], State::Ok, &["follows"]);
        thread::sleep(Duration::from_secs(5));
        let run = gives(&pair.replica, &[], State::Critical, &["silent for", "1.8 x heartbeat period 2 s"]);
        assert_eq!(run.parsed.value("io_running"), Some(1.0), "{}", run.outcome.report());
        gives(&pair.replica, &["--silence-critical", "1000"], State::Warning, &["warning from 2.8 s"]);
        assert!(
            run.parsed.value("silence").is_some_and(|silence| silence >= 3.6),
            "{}",
            run.outcome.report()
        );
        pair.source.resume();

        // Lost, longer than silence may last, and there again: the silence before is no matter.
        pair.link.close();
        pair.wait_for("lost connection", |channel| channel.threads()[0] == "Connecting");
        forget(&pair.replica);
        gives(&pair.replica, &[], State::Critical, &["IO connecting"]);
        thread::sleep(Duration::from_secs(4));
        pair.link.open();
        pair.wait_for("connection", |channel| channel.threads() == ["Yes", "Yes"]);
        gives(&pair.replica, &[], State::Ok, &["follows"]);

        pair.outlive_retries();
        let gave_up = ["IO thread gave up on 127.0.0.1:", "START REPLICA needed", "errno 2003"];
        gives(&pair.replica, &[], State::Critical, &gave_up).long("does not try again by itself");
        gives(&pair.replica, &["--allow-stopped", "io"], State::Critical, &gave_up);
        // The source is back, and the replica does not notice.
        pair.revive_source();
        thread::sleep(Duration::from_secs(2));
        gives(&pair.replica, &[], State::Critical, &gave_up);
        pair.replica.replica("START REPLICA", "");
        pair.wait_for("connection", |channel| channel.threads() == ["Yes", "Yes"]);
        gives(&pair.replica, &[], State::Ok, &["follows"]);
    });
}

#[test]
fn identities_that_clash_and_relay_logs_that_are_gone() {
    on_pairs("clashing identities", |mut pair| {
        let source = leads_to(&pair.source);
        let compared = ["--source", &source];
        let own = pair.replica.id();
        let identify = |pair: &Pair, id: u32| {
            pair.replica.replica("STOP REPLICA", "");
            pair.replica.admin().run(&[&format!("SET GLOBAL server_id = {id}")]);
            pair.replica.replica("START REPLICA", "");
        };
        gives(&pair.replica, &compared, State::Ok, &["follows"]);
        identify(&pair, pair.source.id());
        pair.wait_for("refusal", |channel| channel.threads()[0] == "No" && channel.errors()[0] != 0);
        gives(&pair.replica, &[], State::Critical, &["IO thread stopped", "server ids"]).long("server_id");
        let same = format!("have the same server id {}", pair.source.id());
        gives(&pair.replica, &compared, State::Critical, &[&same]);
        identify(&pair, own);
        pair.wait_for("connection", |channel| channel.threads() == ["Yes", "Yes"]);
        gives(&pair.replica, &compared, State::Ok, &["follows"]);

        if !pair.replica.release().is_mariadb() {
            let (theirs, ours) =
                (pair.source.datadir().join("auto.cnf"), pair.replica.datadir().join("auto.cnf"));
            let kept = fs::read(&ours).unwrap();
            pair.replica.stop();
            fs::copy(&theirs, &ours).unwrap();
            pair.replica.start_again(&[]);
            pair.wait_for("refusal", |channel| channel.threads()[0] == "No" && channel.errors()[0] != 0);
            gives(&pair.replica, &[], State::Critical, &["IO thread stopped", "UUID"]).long("auto.cnf");
            gives(&pair.replica, &compared, State::Critical, &["have the same server UUID"]);
            pair.replica.stop();
            fs::write(&ours, kept).unwrap();
            pair.replica.start_again(&[]);
            pair.wait_for("connection", |channel| channel.threads() == ["Yes", "Yes"]);
        }

        pair.rename_relay_logs();
        forget(&pair.replica);
        let stopped = ["IO thread stopped without an error", "SQL thread stopped without an error"];
        let run = gives(&pair.replica, &[], State::Critical, &stopped);
        run.long("relay logs that cannot be opened").silent_about("it was stopped by someone");
    });
}

/// The servers below get nothing of what it applies, and are well by themselves. MySQL refuses them by their GTIDs.
#[test]
fn a_middle_that_passes_nothing_on() {
    let plain = ServerOptions::default();
    let middle = plain.clone().argument("--log-slave-updates=0");
    let pair = Pair::with(&plain, &middle, &Following::default());
    gives(&pair.replica, &[], State::Ok, &["follows"]);
    let last = Server::start(&plain);
    last.follow(pair.replica.port(), &Following::default());
    last.wait_for("", "connection", |channel| channel.threads() == ["Yes", "Yes"]);
    gives(&last, &[], State::Ok, &["follows"]);
    // To see other sessions takes one privilege more.
    let run = check(&pair.replica, Account::MonitorProcess, &[]);
    run.gives(State::Warning, &["log_replica_updates is off"]).long("set log_replica_updates=ON");
}

/// Heartbeats are worth nothing then, and the source says why. Of MySQL, which only burns its processor under
/// libfaketime, see the expectations.
#[test]
fn clocks_that_differ() {
    let replica = ServerOptions::default();
    let pair = Pair::with(&replica.clone().clock_ahead(60), &replica, &Following::default());
    let source = leads_to(&pair.source);
    let compared = ["--source", source.as_str()];
    let said = ["clock of source", "s ahead of that of the replica, at most 2 s"];
    gives(&pair.replica, &compared, State::Warning, &said).long("NTP");
    gives(&pair.replica, &[&compared[..], &["--max-skew", "90"]].concat(), State::Ok, &["follows"]);
    make_heartbeat_table(&pair.source);
    beat(&pair.source, &pair.replica, pair.source.id(), LOCAL, 0);
    let table = ["--heartbeat-table", "lab.heartbeat"];
    gives(&pair.replica, &table, State::Warning, &["in the future", "lag not judged"]);
    beat(&pair.source, &pair.replica, pair.source.id(), LOCAL, 500);
    let run = gives(&pair.replica, &[&compared[..], &table[..]].concat(), State::Warning, &said);
    assert!(run.parsed.perf("lag").is_some_and(|lag| lag.value.is_none()), "{}", run.outcome.report());
}

/// The newer MariaDB has columns of its own, and other words for the same.
#[test]
fn the_newer_mariadb() {
    let release = Release::NewerMariaDb;
    if release.is_left_out("a pair of the newer MariaDB") {
        return;
    }
    let mut pair = Pair::start(release);
    gives(&pair.replica, &[], State::Ok, &["replica follows 127.0.0.1", "lag 0 s"]);
    let source = leads_to(&pair.source);
    gives(&pair.replica, &["--source", &source, "--errant", "exact"], State::Ok, &["follows"]);
    pair.stop_io_thread();
    gives(&pair.replica, &[], State::Critical, &["IO thread stopped without an error"]);
    pair.replica.replica("START REPLICA", "");
    pair.wait_for("connection", |channel| channel.threads() == ["Yes", "Yes"]);
    pair.duplicate_key();
    gives(&pair.replica, &[], State::Critical, &["1062", "Duplicate entry"]);
    pair.kill_source();
    forget(&pair.replica);
    gives(&pair.replica, &[], State::Critical, &["2003"]);
}
