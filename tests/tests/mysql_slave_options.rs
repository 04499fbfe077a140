//! What check_mysql_slave is told to expect, on real replicas of MariaDB and MySQL: each expectation is met once and
//! missed once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

use std::thread;
use std::time::Duration;

use lab::mysql::replication::{Chain, Pair};
use lab::mysql::server::{Server, ServerOptions};
use lab::output::State;
use tests::Check;
use tests::mysql::{LOCAL, UTC, beat, each, gives, leads_to, make_heartbeat_table, on_pairs};

/// Far from UTC, so that a wrong clock shows.
const ZONE: &str = "--default-time-zone=+05:00";

#[test]
fn heartbeats_and_a_chain() {
    each("a chain with heartbeats", |release| {
        let chain = Chain::with(&ServerOptions::of(release).argument(ZONE));
        let (first, middle, last) = (&chain.first, &chain.middle, &chain.last);
        let table = ["--heartbeat-table", "lab.heartbeat"];
        let run = gives(last, &table, State::Unknown, &["cannot read the heartbeat table"]);
        run.long("GRANT SELECT ON");
        make_heartbeat_table(first);
        first.write("after the table");
        last.wait_row("after the table");
        gives(last, &table, State::Unknown, &["no row of another server"]);

        let beat = |server: &Server, clock, age| beat(first, last, server.id(), clock, age);
        beat(middle, LOCAL, 0);
        gives(last, &table, State::Ok, &["follows"]);
        for (age, state) in [(100, State::Warning), (400, State::Critical)] {
            beat(middle, LOCAL, age);
            gives(last, &table, state, &["lag is"]);
            gives(last, &[&table[..], &["--lag-source", "status"]].concat(), State::Ok, &["follows"]);
        }
        beat(middle, LOCAL, -60);
        let run = gives(last, &table, State::Warning, &["in the future", "lag not judged"]);
        assert!(run.parsed.perf("lag").is_some_and(|lag| lag.value.is_none()), "{}", run.outcome.report());
        gives(last, &[&table[..], &["--max-skew", "100"]].concat(), State::Ok, &["lag 0 s"]);

        // As old as the two clocks are apart, when it is read by the wrong one.
        let utc = [&table[..], &["--heartbeat-utc"]].concat();
        beat(middle, UTC, 0);
        gives(last, &utc, State::Ok, &["follows"]);
        gives(last, &table, State::Critical, &["lag is 1800"]);
        beat(middle, LOCAL, 0);
        gives(last, &utc, State::Warning, &["in the future"]).long("--heartbeat-utc");

        // Two servers write: the source's own row counts, another one by its number, or the oldest.
        beat(first, LOCAL, 500);
        let of = |id: &str, state| {
            gives(last, &[&table[..], &["--heartbeat-server-id", id]].concat(), state, &[]);
        };
        of("auto", State::Ok);
        of("all", State::Critical);
        of(&first.id().to_string(), State::Critical);
        of(&middle.id().to_string(), State::Ok);
        of("4000000", State::Unknown);
        stall(&chain);
        separate_memories(&chain);
    });
}

/// The server in the middle applies nothing more: the last one cannot know that alone.
fn stall(chain: &Chain) {
    let (first, middle, last) = (&chain.first, &chain.middle, &chain.last);
    let (origin, source) = (leads_to(first), leads_to(middle));
    beat(first, last, first.id(), LOCAL, 0);
    let run = gives(last, &["--source", &origin], State::Ok, &["follows"]);
    run.long("compared as the origin");
    assert_eq!(run.parsed.value("gtid_gap"), Some(0.0), "{}", run.outcome.report());
    // It follows none of the two, and the last one is a replica itself.
    gives(middle, &["--source", &leads_to(last)], State::Unknown, &["is not the source of any channel"]);

    chain.stall();
    thread::sleep(Duration::from_secs(2));
    gives(last, &[], State::Ok, &["follows"]);
    gives(last, &["--source", &source], State::Ok, &["follows"]);
    let held_up = format!("held up at 127.0.0.1:{}", middle.port());
    let run = gives(last, &["--source", &origin], State::Critical, &["do not arrive", &held_up]);
    assert_eq!(run.parsed.value("gtid_gap"), Some(1.0), "{}", run.outcome.report());
    let id = first.id().to_string();
    let heartbeat =
        ["--heartbeat-table", "lab.heartbeat", "--heartbeat-server-id", &id, "-w", "0.5", "-c", "1"];
    gives(last, &heartbeat, State::Critical, &["lag is"]);
    gives(middle, &[], State::Critical, &["SQL thread"]);

    middle.replica("START REPLICA SQL_THREAD", "");
    last.wait_row("held up");
    let run = gives(last, &["--source", &origin, "-v"], State::Ok, &["follows"]);
    if !last.release().is_mariadb() {
        run.long("from its origin to the source");
    }
}

/// Two servers that only their option files tell apart do not share what is remembered.
fn separate_memories(chain: &Chain) {
    if !chain.last.release().is_mariadb() {
        return;
    }
    let state = chain.first.folder().join("shared");
    let silence = |server: &Server| {
        let check = Check::new("check_mysql_slave").args(["--defaults-file", &leads_to(server)]);
        let check = check.args(["--read-only", "ignore", "--errant", "off", "--state-dir"]).arg(&state);
        check.gives(State::Ok, &["follows"]).parsed.value("silence")
    };
    assert_eq!([silence(&chain.middle), silence(&chain.last)], [None, None], "a first look tells nothing");
    assert!(silence(&chain.middle).is_some() && silence(&chain.last).is_some());
}

#[test]
fn expectations() {
    on_pairs("expectations", |pair| {
        let replica = &pair.replica;
        let port = pair.link.port();
        let here = format!("127.0.0.1:{port}");
        gives(replica, &["--expect-source", "127.0.0.1", "--expect-channels", "1"], State::Ok, &["follows"]);
        gives(replica, &["--expect-source", &here, "--channel", "default"], State::Ok, &["follows"]);
        let said = [&here, "not expected", "nothing replicates from the expected source 127.0.0.1:1"];
        gives(replica, &["--expect-source", "127.0.0.1:1"], State::Critical, &said);
        gives(
            replica,
            &["--expect-channels", "2"],
            State::Critical,
            &["1 channel instead of the 2 expected"],
        );
        gives(replica, &["--channel", "west"], State::Unknown, &["none of 1 channel"]);
        gives(replica, &["--exclude-channel", "*"], State::Unknown, &["none of 1 channel"]);

        let space = |warning, critical, state, said: &[&str]| {
            let words = ["--relay-space-warning", warning, "--relay-space-critical", critical];
            gives(replica, &words, state, said)
        };
        space("1G", "2G", State::Ok, &["follows"]);
        space("100", "2G", State::Warning, &["relay logs take", "warning above 100"]);
        space("100", "100", State::Critical, &["relay logs take", "critical above 100"]);
        read_only(&pair);
        filters(&pair);
        skew(&pair);
        until_and_skipped(&pair);
        delayed(&pair);
        errant(&pair);
        semi_sync_as_a_source(&pair);
        without_performance_schema(&pair);
    });
}

/// What only the other grant of MySQL shows is missing then, and that is said.
fn without_performance_schema(pair: &Pair) {
    if !pair.replica.release().is_mariadb() {
        pair.replica.admin().run(&["REVOKE SELECT ON performance_schema.* FROM monitor"]);
        let run =
            gives(&pair.replica, &["--semi-sync"], State::Unknown, &["does not tell whether semi-sync"]);
        run.long("silence and workers are not known").long("GRANT SELECT ON performance_schema.*");
        gives(&pair.replica, &[], State::Ok, &["follows"]).long("silence of the link cannot be judged");
    }
}

fn read_only(pair: &Pair) {
    let is = |mode: &str, state, said: &[&str]| gives(&pair.replica, &["--read-only", mode], state, said);
    let set = |setting: &str| pair.replica.admin().run(&[&format!("SET GLOBAL {setting}")]);
    is("off", State::Ok, &["follows"]);
    is("on", State::Warning, &["read_only is off"]);
    if pair.replica.release().is_mariadb() {
        is("super", State::Unknown, &["has no super_read_only"]);
        set("read_only = 1");
    } else {
        set("read_only = 1");
        is("super", State::Warning, &["super_read_only is off"]);
        set("super_read_only = 1");
        is("super", State::Ok, &["follows"]);
    }
    is("on", State::Ok, &["follows"]);
    is("off", State::Warning, &["read_only is on"]);
    set("read_only = 0");
}

/// Sessions of the check see another time on the source.
fn skew(pair: &Pair) {
    let source = leads_to(&pair.source);
    let set = |setting: &str| pair.source.admin().run(&[&format!("SET GLOBAL init_connect = '{setting}'")]);
    set("SET timestamp = UNIX_TIMESTAMP() - 60");
    let said = ["clock of source", "behind that of the replica, at most 2 s"];
    gives(&pair.replica, &["--source", &source], State::Warning, &said).long("NTP");
    gives(&pair.replica, &["--source", &source, "--max-skew", "90"], State::Ok, &["follows"]);
    set("");
}

fn filters(pair: &Pair) {
    let replica = &pair.replica;
    gives(replica, &["--forbid-filters"], State::Ok, &["follows"]);
    replica.replica("STOP REPLICA", "");
    replica.admin().run(&[if replica.release().is_mariadb() {
        "SET GLOBAL replicate_do_db = 'lab'"
    } else {
        "CHANGE REPLICATION FILTER REPLICATE_DO_DB = (lab)"
    }]);
    start(pair);
    gives(replica, &["--forbid-filters"], State::Warning, &["filtered", "Replicate_Do_DB=\"lab\""]);
    gives(replica, &[], State::Ok, &["follows"]);
    replica.replica("STOP REPLICA", "");
    replica.admin().run(&[if replica.release().is_mariadb() {
        "SET GLOBAL replicate_do_db = ''"
    } else {
        "CHANGE REPLICATION FILTER REPLICATE_DO_DB = ()"
    }]);
    start(pair);
}

fn start(pair: &Pair) {
    pair.replica.replica("START REPLICA", "");
    pair.wait_for("running threads", |channel| channel.threads() == ["Yes", "Yes"]);
}

fn until_and_skipped(pair: &Pair) {
    pair.run_until();
    gives(&pair.replica, &[], State::Warning, &["UNTIL"]).long("START REPLICA");
    pair.replica.replica("STOP REPLICA", "");
    start(pair);
    gives(&pair.replica, &[], State::Ok, &["follows"]);
    // MySQL skips nothing while it follows by GTIDs.
    if pair.replica.release().is_mariadb() {
        pair.skip_next();
        gives(&pair.replica, &[], State::Warning, &["1 event", "skip"]);
        pair.replica.replica("STOP REPLICA", "");
        pair.replica.admin().run(&["SET GLOBAL sql_slave_skip_counter = 0"]);
        start(pair);
        gives(&pair.replica, &[], State::Ok, &["follows"]);
    }
}

/// Delayed by design, and fresher than that all the same.
fn delayed(pair: &Pair) {
    make_heartbeat_table(&pair.source);
    beat(&pair.source, &pair.replica, pair.source.id(), LOCAL, 0);
    gives(&pair.replica, &["--min-delay", "60"], State::Critical, &["delay is 0 s, must be 60 s at least"]);
    pair.delay(3600);
    gives(&pair.replica, &["--min-delay", "3600"], State::Ok, &["delayed 3600 s by design"]);
    let heartbeat = ["--heartbeat-table", "lab.heartbeat", "--min-delay", "3600"];
    gives(&pair.replica, &heartbeat, State::Critical, &["data is", "must be 3600 s at least"]);
    pair.replica.replica("STOP REPLICA", "");
    let word = if pair.replica.release().is_mariadb() { "MASTER" } else { "REPLICATION SOURCE" };
    let delay = word.rsplit(' ').next().unwrap();
    pair.replica.replica(&format!("CHANGE {word} TO {delay}_DELAY = 0"), "");
    start(pair);
    pair.replica.settle("delayed");
}

fn errant(pair: &Pair) {
    let source = leads_to(&pair.source);
    let exact = ["--errant", "exact", "--source", &source];
    gives(&pair.replica, &exact, State::Ok, &["follows"]);
    gives(&pair.replica, &["--errant", "exact"], State::Unknown, &["needs --source"]);
    let by_source = ["--lag-source", "source"];
    gives(&pair.replica, &[&exact[..], &by_source].concat(), State::Ok, &["lag 0 s"]);
    gives(&pair.replica, &by_source, State::Unknown, &["it is not a source of this channel"]);
    pair.errant_transaction();
    gives(&pair.replica, &exact, State::Critical, &["the replica has", "that source", "has not"]);
    gives(&pair.replica, &["--errant", "local"], State::Warning, &["of its own"]);
}

/// The replica is to be a source as well, and nobody confirms what it writes.
fn semi_sync_as_a_source(pair: &Pair) {
    pair.semi_sync();
    pair.replica.admin().run(if pair.replica.release().is_mariadb() {
        &["SET GLOBAL rpl_semi_sync_master_enabled = 1, GLOBAL rpl_semi_sync_master_timeout = 100"]
    } else {
        &[
            "INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'",
            "SET GLOBAL rpl_semi_sync_source_enabled = 1",
            "SET GLOBAL rpl_semi_sync_source_timeout = 100",
        ]
    });
    gives(&pair.replica, &["--semi-sync"], State::Ok, &["follows"]);
    pair.replica.admin().run(&["CREATE TABLE lab.unconfirmed (id INT PRIMARY KEY)"]);
    gives(&pair.replica, &["--semi-sync"], State::Warning, &["as a source the server is asynchronous"]);
}
