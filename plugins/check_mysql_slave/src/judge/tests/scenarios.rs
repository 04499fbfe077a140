//! One channel or more, nothing but the rows.

use common::report::{State, Thresholds};

use super::super::{AllowStopped, Wanted};
use super::*;
use crate::replica::Status;

#[test]
fn ok_healthy() {
    for server in ALL {
        let (state, text) = judged(&[Row::of(server)]);
        assert_eq!(state, State::Ok, "{server}: {text}");
        has(&text, &["MYSQL_SLAVE OK: replica follows 127.0.0.1:3306, lag 0 s |", "IO Yes, SQL Yes"]);
        assert_eq!(metric(&text, "lag"), "0s;60;300;0", "{text}");
        assert_eq!(metric(&text, "io_running"), "1;;;0");
        assert_eq!(metric(&text, "silence"), "U;;;0", "not measured is not 0");
        assert_eq!(metric(&text, "retries"), "0;;;0");
        assert_eq!(metric(&text, "relay_space"), "2060B;;;0");
        assert_eq!(metric(&text, "remaining_delay"), "missing", "there is no delay");
        assert_eq!(metric(&text, "gtid_gap"), "missing", "nobody asked the source");
    }
}

#[test]
fn critical_io_stopped_by_someone() {
    for server in ALL {
        let (state, text) = judged(&[Row::of(server).stopped("No", "Yes")]);
        assert_eq!(state, State::Critical, "{server}: {text}");
        has(
            &text,
            &["IO thread stopped without an error", "hint: without an error it was stopped by someone"],
        );
        assert_eq!(
            (metric(&text, "lag"), metric(&text, "io_running")),
            ("U;60;300;0".into(), "0;;;0".into())
        );
    }
}

#[test]
fn critical_sql_stopped_by_someone() {
    for server in ALL {
        let (state, text) = judged(&[Row::of(server).stopped("Yes", "No")]);
        assert_eq!(state, State::Critical, "{server}: {text}");
        has(&text, &["SQL thread stopped without an error"]);
        assert_eq!(metric(&text, "sql_running"), "0;;;0");
    }
}

fn allow(seconds: Option<f64>) -> Wanted {
    let allow_stopped = Some(AllowStopped { io: false, sql: true, seconds });
    Wanted { allow_stopped, ..Wanted::default() }
}

#[test]
fn warning_stopped_as_allowed_without_a_limit() {
    let stopped = replica(&[Row::of(MARIADB_10).stopped("Yes", "No")]);
    assert_eq!(said(&stopped, &allow(None)).0, State::Warning);
    let other = replica(&[Row::of(MARIADB_10).stopped("No", "Yes")]);
    assert_eq!(said(&other, &allow(None)).0, State::Critical, "only the SQL thread may");
    let broken = replica(&[Row::of(MARIADB_10).stopped("Yes", "No").sql_error("1062", "Duplicate entry")]);
    assert_eq!(said(&broken, &allow(None)).0, State::Critical, "an error is never allowed");
}

#[test]
fn stopped_as_allowed_for_a_time_is_ok_then_critical() {
    let mut stopped = replica(&[Row::of(MYSQL_8_4).stopped("Yes", "No")]);
    assert_eq!(said(&stopped, &allow(Some(600.0))).0, State::Warning, "nothing is remembered");
    stopped.channels[0].sql_stopped_seconds = Some(599.0);
    let (state, text) = said(&stopped, &allow(Some(600.0)));
    assert_eq!(state, State::Ok, "{text}");
    has(&text, &["1 of 1 channel stopped as allowed, lag unknown", "for 599 s of 600 s allowed"]);
    stopped.channels[0].sql_stopped_seconds = Some(601.0);
    let (state, text) = said(&stopped, &allow(Some(600.0)));
    assert_eq!(state, State::Critical);
    has(&text, &["SQL thread stopped without an error for 601 s, allowed are 600 s"]);
}

#[test]
fn critical_duplicate_key() {
    for server in MARIADB {
        let error =
            "Could not execute Write_rows_v1 event on table shop.t; Duplicate entry '7' for key 'PRIMARY'";
        let (state, text) = judged(&[Row::of(server).stopped("Yes", "No").sql_error("1062", error)]);
        assert_eq!(state, State::Critical);
        has(&text, &["SQL thread stopped, errno 1062 \"Could not execute", "shop.t", "pt-table-checksum"]);
    }
}

#[test]
fn critical_duplicate_key_is_told_by_the_worker() {
    for server in [MYSQL_8_0, MYSQL_8_4] {
        let row = Row::of(server).stopped("Yes", "No").sql_error("1062", &text("coordinator_mta"));
        let worker = text("worker");
        let mut facts = facts();
        facts.extend([
            ("channel_name", Some("")),
            ("worker_id", Some("1")),
            ("worker_error_number", Some("1062")),
        ]);
        facts.push(("worker_error_text", Some(&worker)));
        let idle = [("channel_name", Some("")), ("worker_id", Some("2")), ("worker_error_number", Some("0"))];
        let replica = Replica::read(&[facts, idle.to_vec()], std::slice::from_ref(&row));
        let (state, text) = said(&replica, &Wanted::default());
        assert_eq!(state, State::Critical);
        has(
            &text,
            &[
                "errno 1062 \"Could not execute Write_rows event on table shop.orders_4711; Duplicate entry '7'",
            ],
        );
        let (state, text) = judged(&[row]);
        assert_eq!(state, State::Critical, "without the privilege to see the workers");
        has(&text, &["errno 1062 \"Coordinator stopped because"]);
    }
}

#[test]
fn critical_source_gone_with_countdown() {
    let retry = text("retry_2003_8.4");
    let (state, text) = judged(&[Row::of(MYSQL_8_4).stopped("Connecting", "Yes").io_error("2003", &retry)]);
    assert_eq!(state, State::Critical);
    let first = "IO connecting to 127.0.0.1:3306, errno 2003 \"Can't connect to MySQL server on '127.0.0.1:3306' (111)\", \
                 attempt 7/10, gives up in ~180 s";
    has(&text, &[first, "hint: 1) is the source up"]);
    assert_eq!(metric(&text, "retries"), "7;;;0");
}

#[test]
fn critical_source_gone_as_mariadb_says_it() {
    let error = "error reconnecting to master 'repl@127.0.0.1:3306' - retry-time: 60  maximum-retries: 100000  message: \
                 Can't connect to server on '127.0.0.1' (111)";
    for server in MARIADB {
        let (state, text) = judged(&[Row::of(server).stopped("Connecting", "Yes").io_error("2003", error)]);
        assert_eq!(state, State::Critical);
        has(&text, &["errno 2003 \"Can't connect to server on '127.0.0.1' (111)\""]);
        assert_eq!(metric(&text, "retries"), "U;;;0", "it does not count them");
        assert!(!text.contains("gives up"), "{text}");
    }
}

#[test]
fn critical_io_gave_up() {
    let error = text("retry_2003_8.4").replace("attempt 7/10", "attempt 10/10");
    let (state, text) = judged(&[Row::of(MYSQL_8_4).stopped("No", "Yes").io_error("2003", &error)]);
    assert_eq!(state, State::Critical);
    has(
        &text,
        &["IO thread gave up on 127.0.0.1:3306, attempt 10/10, START REPLICA needed", "SOURCE_RETRY_COUNT"],
    );
}

#[test]
fn reconnecting_is_a_warning_for_half_a_minute() {
    let mut lost = replica(&[Row::of(MARIADB_10).stopped("Connecting", "Yes")]);
    for (ago, state) in [(29.0, State::Warning), (30.0, State::Warning), (31.0, State::Critical)] {
        lost.channels[0].good_seconds_ago = Some(ago);
        assert_eq!(said(&lost, &Wanted::default()).0, state, "{ago}");
    }
    for word in ["Connecting", "Preparing"] {
        assert_eq!(judged(&[Row::of(MARIADB_10).stopped(word, "Yes")]).0, State::Critical, "{word}");
    }
}

#[test]
fn critical_password_changed() {
    for server in ALL {
        let error = "error connecting to master 'repl@db1:3306' - retry-time: 60 retries: 3 message: Access denied for user \
                     'repl'@'10.0.0.2' (using password: YES)";
        let (state, text) = judged(&[Row::of(server).stopped("Connecting", "Yes").io_error("1045", error)]);
        assert_eq!(state, State::Critical);
        has(
            &text,
            &["errno 1045 \"Access denied for user 'repl'@'10.0.0.2'", "hint: 1) log in on the source"],
        );
    }
}

#[test]
fn critical_logs_purged() {
    let error = text("purged_13114");
    for (server, number) in [(MARIADB_10, "1236"), (MYSQL_8_0, "13114"), (MYSQL_8_4, "13114")] {
        let (state, text) = judged(&[Row::of(server).stopped("No", "Yes").io_error(number, &error)]);
        assert_eq!(state, State::Critical);
        has(&text, &["IO thread stopped, errno", number, "re-provision"]);
        assert!(!text.contains("gave up"), "{text}");
    }
}

#[test]
fn ok_delayed_by_design() {
    for server in ALL {
        let row = Row::of(server)
            .with("SQL_Delay", "3600")
            .with("SQL_Remaining_Delay", "3534")
            .with("Seconds_Behind_Source", "66");
        let (state, text) = judged(&[row]);
        assert_eq!(state, State::Ok, "{text}");
        has(&text, &["lag 0 s, delayed 3600 s by design", "next event in 3534 s"]);
        assert_eq!(metric(&text, "remaining_delay"), "3534s;;;0");
        assert_eq!(metric(&text, "sql_delay"), "3600s;;;0");
    }
}

#[test]
fn lag_beyond_the_delay_is_judged() {
    let row =
        |behind: &str| Row::of(MYSQL_8_0).with("SQL_Delay", "3600").with("Seconds_Behind_Source", behind);
    for (behind, state) in [("3660", State::Ok), ("3661", State::Warning), ("3901", State::Critical)] {
        assert_eq!(judged(&[row(behind)]).0, state, "{behind}");
    }
    has(&judged(&[row("3901")]).1, &["lag is 301 s more than the delay of 3600 s, critical above 300"]);
}

#[test]
fn lag_against_the_thresholds() {
    for server in ALL {
        for (behind, state) in
            [("60", State::Ok), ("61", State::Warning), ("300", State::Warning), ("301", State::Critical)]
        {
            let (is, text) = judged(&[Row::of(server).with("Seconds_Behind_Source", behind)]);
            assert_eq!(is, state, "{server} {behind}: {text}");
        }
    }
}

#[test]
fn critical_delay_too_short() {
    let wanted = Wanted { min_delay_seconds: Some(3600.0), ..Wanted::default() };
    let of = |delay: &'static str| said(&replica(&[Row::of(MARIADB_10).with("SQL_Delay", delay)]), &wanted).0;
    assert_eq!((of("3599"), of("3600")), (State::Critical, State::Ok));
    let silent = replica(&[Row::of(MARIADB_10).with("SQL_Delay", None)]);
    assert_eq!(said(&silent, &wanted).0, State::Unknown);
}

#[test]
fn warning_lag_not_known_though_both_run() {
    for server in ALL {
        let (state, text) = judged(&[Row::of(server).with("Seconds_Behind_Source", None)]);
        assert_eq!(state, State::Warning, "{text}");
        assert_eq!(metric(&text, "lag"), "U;60;300;0");
    }
}

#[test]
fn lag_of_a_channel_that_is_not_connected_is_ignored() {
    let row = Row::of(MYSQL_8_4).stopped("Connecting", "Yes").with("Seconds_Behind_Source", "0");
    let (state, text) = judged(&[row]);
    assert_eq!(state, State::Critical);
    assert_eq!(metric(&text, "lag"), "U;60;300;0", "8.4 says 0 of a channel that never connected");
}

#[test]
fn critical_relay_disk_full() {
    for words in ["Waiting for disk space", "Waiting for someone to free space"] {
        let (state, text) = judged(&[Row::of(MYSQL_8_0).with("Replica_IO_State", words)]);
        assert_eq!(state, State::Critical, "{text}");
        has(&text, &["no room for relay logs", words, "hint: free space"]);
    }
}

#[test]
fn critical_status_hangs() {
    let status =
        Status::Hanging { after_seconds: 5.0, states: vec!["Waiting for someone to free space".into()] };
    let mut hanging = Replica { status, ..Replica::default() };
    let (state, text) = said(&hanging, &Wanted::default());
    assert_eq!(state, State::Critical);
    has(
        &text,
        &[
            "no room for relay logs: \"Waiting for someone to free space\"",
            "did not answer",
            "lag=U;60;300;0",
        ],
    );
    hanging.status = Status::Hanging { after_seconds: 5.0, states: Vec::new() };
    let (state, text) = said(&hanging, &Wanted::default());
    assert_eq!(state, State::Critical);
    has(&text, &["did not answer the status statement within 5 s", "SHOW PROCESSLIST"]);
    hanging.status = Status::PiledUp { threads: 2, oldest_seconds: 75.0, states: Vec::new() };
    let (state, text) = said(&hanging, &Wanted::default());
    assert_eq!(state, State::Critical);
    has(&text, &["2 status statements of ours still hang for up to 75 s, no more is sent"]);
    hanging.status = Status::NotAsked;
    assert_eq!(said(&hanging, &Wanted::default()).0, State::Unknown);
}

#[test]
fn critical_reset() {
    for server in ALL {
        let mut row =
            Row::of(server).stopped("No", "No").with("Source_Log_File", "").with("Relay_Source_Log_File", "");
        row = match server {
            MYSQL_8_0 | MYSQL_8_4 => row.with("Retrieved_Gtid_Set", ""),
            _ => row.with("Gtid_IO_Pos", ""),
        };
        let both = AllowStopped { io: true, sql: true, seconds: None };
        let wanted = Wanted { allow_stopped: Some(both), ..Wanted::default() };
        let (state, text) = said(&replica(&[row]), &wanted);
        assert_eq!(state, State::Critical, "a reset is more than stopped: {text}");
        has(&text, &["the replica was reset"]);
    }
}

#[test]
fn critical_both_stopped_without_any_error() {
    let (state, text) = judged(&[Row::of(MARIADB_10).stopped("No", "No")]);
    assert_eq!(state, State::Critical);
    has(&text, &["IO thread stopped without an error", "SQL thread stopped without an error", "error log"]);
}

#[test]
fn critical_relay_log_lost() {
    for number in ["13124", "1872", "13121"] {
        let (state, text) =
            judged(&[Row::of(MYSQL_8_4).stopped("Yes", "No").sql_error(number, "failed to initialize")]);
        assert_eq!(state, State::Critical);
        has(&text, &[number, "RESET REPLICA"]);
    }
}

#[test]
fn not_a_replica_is_what_the_option_says() {
    let none: [Row; 0] = [];
    let (state, text) = judged(&none);
    assert_eq!(state, State::Critical);
    has(&text, &["MYSQL_SLAVE CRITICAL: not a replica", "hint: was it reset"]);
    for not_replica in [State::Ok, State::Warning, State::Unknown] {
        let wanted = Wanted { not_replica, ..Wanted::default() };
        assert_eq!(said(&replica(&none), &wanted).0, not_replica);
    }
}

#[test]
fn ok_two_channels() {
    for server in [MYSQL_8_0, MYSQL_8_4, MARIADB_10, MARIADB_11] {
        let rows =
            [Row::of(server).named("east").with("Seconds_Behind_Source", "7"), Row::of(server).named("west")];
        let (state, text) = judged(&rows);
        assert_eq!(state, State::Ok, "{text}");
        has(
            &text,
            &["OK: 2 channels follow, lag 7 s |", "note: channel east: source", "note: channel west: source"],
        );
        assert_eq!(metric(&text, "east.lag"), "7s;60;300;0");
        assert_eq!(metric(&text, "west.io_running"), "1;;;0");
        assert_eq!(metric(&text, "lag"), "missing");
    }
}

#[test]
fn critical_second_channel_broken() {
    let error = "Error connecting to source 'repl@db2:3306'. This was attempt 3/10, with a delay of 5 seconds between \
                 attempts. Message: Access denied for user 'repl'@'10.0.0.2' (using password: YES)";
    for server in [MYSQL_8_0, MYSQL_8_4, MARIADB_10, MARIADB_11] {
        let west = Row::of(server).named("west").stopped("Connecting", "Yes").io_error("1045", error);
        let west = west.with("Seconds_Behind_Source", "0");
        let (state, text) = judged(&[Row::of(server), west]);
        assert_eq!(state, State::Critical);
        let first = "CRITICAL: 1 of 2 channels broken: west: IO connecting to 127.0.0.1:3306, errno 1045 \"Access denied for \
                     user 'repl'@'10.0.0.2' (using password: YES)\", attempt 3/10, gives up in ~35 s |";
        has(&text, &[first, "note: channel default: source 127.0.0.1:3306, IO Yes"]);
        assert_eq!(
            (metric(&text, "lag"), metric(&text, "west.lag")),
            ("0s;60;300;0".into(), "U;60;300;0".into())
        );
    }
}

#[test]
fn one_piece_of_advice_for_several_channels() {
    let broken =
        |name: &str| Row::of(MYSQL_8_4).named(name).stopped("Yes", "No").sql_error("1062", "Duplicate entry");
    let (_, text) = judged(&[broken("a"), broken("b")]);
    has(&text, &["2 of 2 channels broken: a: SQL thread"]);
    assert_eq!(text.matches("pt-table-checksum").count(), 1, "{text}");
}

#[test]
fn warnings_of_a_replica_that_is_no_copy() {
    let wanted = Wanted { forbid_filters: true, ..Wanted::default() };
    for server in ALL {
        for (column, value, words) in [
            ("Skip_Counter", "3", "3 events of the source will be skipped"),
            ("Until_Condition", "Source", "runs only UNTIL a position (\"Source\")"),
            ("Replicate_Do_DB", "shop", "replication is filtered: Replicate_Do_DB=\"shop\""),
            ("Replicate_Ignore_Server_Ids", "7", "replication is filtered"),
        ] {
            let (state, text) = said(&replica(&[Row::of(server).with(column, value)]), &wanted);
            assert_eq!(state, State::Warning, "{server} {column}: {text}");
            has(&text, &[words]);
        }
    }
    let filtered = replica(&[Row::of(MARIADB_10).with("Replicate_Do_DB", "shop")]);
    assert_eq!(said(&filtered, &Wanted::default()).0, State::Ok, "filters are forbidden on request only");
}

#[test]
fn channels_are_chosen_and_counted() {
    let rows = || vec![Row::of(MARIADB_10), Row::of(MARIADB_10).named("west").stopped("No", "No")];
    let of = |wanted: Wanted| said(&replica(&rows()), &wanted);
    let globs = |globs: &[&str]| globs.iter().map(|glob| (*glob).to_owned()).collect::<Vec<_>>();
    assert_eq!(of(Wanted { channels: globs(&["default"]), ..Wanted::default() }).0, State::Ok);
    assert_eq!(of(Wanted { exclude_channels: globs(&["we*"]), ..Wanted::default() }).0, State::Ok);
    let (state, text) = of(Wanted { channels: globs(&["east"]), ..Wanted::default() });
    assert_eq!(state, State::Unknown, "none is left: {text}");
    let one = Wanted { exclude_channels: globs(&["west"]), expect_channels: Some(2), ..Wanted::default() };
    let (state, text) = of(one);
    assert_eq!(state, State::Critical);
    has(&text, &["1 channel instead of the 2 expected"]);
    let two = [Row::of(MARIADB_10), Row::of(MARIADB_10).named("west")];
    let wanted = Wanted { expect_channels: Some(2), ..Wanted::default() };
    assert_eq!(said(&replica(&two), &wanted).0, State::Ok);
}

#[test]
fn critical_source_differs() {
    let of = |sources: &[(&str, Option<u16>)]| {
        let expect_sources = sources.iter().map(|(host, port)| ((*host).to_owned(), *port)).collect();
        said(&replica(&[Row::of(MYSQL_8_4)]), &Wanted { expect_sources, ..Wanted::default() })
    };
    assert_eq!(of(&[("127.0.0.1", None)]).0, State::Ok);
    assert_eq!(of(&[("127.0.0.1", Some(3306))]).0, State::Ok);
    let (state, text) = of(&[("127.0.0.1", Some(3307))]);
    assert_eq!(state, State::Critical);
    has(&text, &["channel default replicates from 127.0.0.1:3306, which is not expected"]);
    let (state, text) = of(&[("127.0.0.1", None), ("db2", None)]);
    assert_eq!(state, State::Critical);
    has(&text, &["nothing replicates from the expected source db2"]);
}

#[test]
fn relay_space_against_its_limits() {
    let limits = |warning: f64, critical: f64| {
        let above = |limit: f64| Some(common::report::Range::outside(0.0, limit));
        Wanted {
            relay_space: Thresholds { warning: above(warning), critical: above(critical) },
            ..Wanted::default()
        }
    };
    let of = |wanted: Wanted| said(&replica(&[Row::of(MYSQL_8_4)]), &wanted);
    assert_eq!(of(limits(2060.0, 3000.0)).0, State::Ok);
    let (state, text) = of(limits(1000.0, 2000.0));
    assert_eq!(state, State::Critical);
    has(&text, &["relay logs take 2060 B, critical above 2000", "relay_space=2060B;1000;2000;0"]);
    let silent = replica(&[Row::of(MYSQL_8_4).with("Relay_Log_Space", None)]);
    assert_eq!(said(&silent, &limits(1000.0, 2000.0)).0, State::Unknown);
}

#[test]
fn unknown_thread_that_nobody_has_heard_of() {
    for column in ["Replica_IO_Running", "Replica_SQL_Running"] {
        assert_eq!(judged(&[Row::of(MYSQL_8_4).with(column, "Perhaps")]).0, State::Unknown, "{column}");
        assert_eq!(judged(&[Row::of(MYSQL_8_4).with(column, None)]).0, State::Unknown, "{column}");
    }
}

#[test]
fn unknown_more_channels_than_there_can_be() {
    let rows: Vec<Row> = (0..513).map(|number| Row::of(MYSQL_8_4).named(&format!("c{number}"))).collect();
    let (state, text) = judged(&rows);
    assert_eq!(state, State::Unknown);
    has(&text, &["1 channel more were not looked at"]);
}

#[test]
fn names_stay_short_on_the_first_line() {
    let long = "x".repeat(100_000);
    let row = Row::of(MYSQL_8_4)
        .named(&long)
        .with("Source_Host", long.as_str())
        .with("Replica_IO_State", long.as_str());
    let row = row.stopped("No", "No").io_error("1045", &long);
    assert!(judged(&[row]).1.len() < 8192);
}

/// Without it MariaDB would start the default channel, which is none of these.
#[test]
fn advice_names_the_channel() {
    for server in [MYSQL_8_4, MARIADB_11] {
        let of = |row: Row| judged(&[row.stopped("No", "Yes")]).1;
        has(&of(Row::of(server).named("west")), &["START REPLICA;", "FOR CHANNEL and its name"]);
        assert!(!of(Row::of(server).named("")).contains("FOR CHANNEL"));
    }
}
