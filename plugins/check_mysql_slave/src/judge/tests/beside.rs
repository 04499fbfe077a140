//! What more than one look tells: silence, heartbeats, the source.

use common::report::State;

use super::super::{Errant, HeartbeatServer, LagSource, Wanted};
use super::*;
use crate::replica::{Heartbeat, Heartbeats, Source};

const A: &str = "11111111-2222-3333-4444-555555555555";
const OWN: &str = "99999999-2222-3333-4444-555555555555";
const ORIGIN: &str = "00000000-2222-3333-4444-555555555555";

#[test]
fn silence_is_judged_by_the_heartbeat_period() {
    let of = |silence: &str, receiving: &str| {
        let mut facts: Vec<(&str, Option<&str>)> = facts();
        facts.extend([("channel_name", Some("")), ("heartbeat_interval", Some("30"))]);
        facts.extend([("silence_seconds", Some(silence)), ("is_receiving", Some(receiving))]);
        said(&Replica::read(&[facts], &[Row::of(MYSQL_8_0)]), &Wanted::default())
    };
    for (silence, state) in [
        ("0.4", State::Ok),
        ("41.9", State::Ok),
        ("42", State::Warning),
        ("53", State::Warning),
        ("54", State::Critical),
    ] {
        assert_eq!(of(silence, "0").0, state, "{silence}");
        assert_eq!(of(silence, "1").0, State::Ok, "a transaction that is being received is traffic");
    }
    let (_, text) = of("57", "0");
    has(&text, &["source 127.0.0.1:3306 silent for 57 s, critical from 54 s (1.8 x heartbeat period 30 s)"]);
    assert_eq!(metric(&text, "silence"), "57s;;;0");
}

/// It has not had the time for its first heartbeat.
#[test]
fn a_thread_that_has_just_begun_is_not_silent() {
    let of = |age: &str| {
        let mut facts: Vec<(&str, Option<&str>)> = facts();
        facts.extend([("channel_name", Some("")), ("heartbeat_interval", Some("30"))]);
        facts.extend([("silence_seconds", Some("900")), ("io_thread_seconds", Some(age))]);
        said(&Replica::read(&[facts], &[Row::of(MYSQL_8_0)]), &Wanted::default()).0
    };
    assert_eq!([of("3"), of("54")], [State::Ok, State::Critical]);
}

#[test]
fn silence_on_mariadb_is_what_was_remembered() {
    let mut replica = replica(&[Row::of(MARIADB_10)]);
    let (state, text) = said(&replica, &Wanted::default());
    assert_eq!(state, State::Ok);
    has(&text, &["note: silence of the link is not known yet"]);
    replica.channels[0].silence_seconds = Some(60.0);
    assert_eq!(said(&replica, &Wanted::default()).0, State::Critical);
    replica.channels[0].heartbeat_period_seconds = Some(0.0);
    let (state, text) = said(&replica, &Wanted::default());
    assert_eq!(state, State::Ok, "{text}");
    has(&text, &["note: silence of the link cannot be judged: heartbeats are off"]);
}

fn with_heartbeats(rows: &[(u64, Option<f64>)]) -> Replica {
    let rows = rows
        .iter()
        .map(|(server_id, age_seconds)| Heartbeat { server_id: *server_id, age_seconds: *age_seconds });
    let heartbeats = Heartbeats { rows: rows.collect(), problem: None };
    Replica { heartbeats: Some(heartbeats), ..replica(&[Row::of(MARIADB_10)]) }
}

fn by_heartbeat(rows: &[(u64, Option<f64>)], server: HeartbeatServer) -> (State, String) {
    said(&with_heartbeats(rows), &Wanted { heartbeat_server: server, ..Wanted::default() })
}

#[test]
fn heartbeats_tell_the_lag() {
    use HeartbeatServer::{All, Auto, Id};
    let (state, text) = by_heartbeat(&[(11, Some(301.0))], Auto);
    assert_eq!(
        (state, metric(&text, "lag").as_str()),
        (State::Critical, "301s;60;300;0"),
        "a chain stalls above us"
    );
    assert_eq!(by_heartbeat(&[(11, Some(1.0)), (7, Some(900.0))], Auto).0, State::Ok, "that of the source");
    assert_eq!(by_heartbeat(&[(11, Some(1.0)), (7, Some(900.0))], All).0, State::Critical);
    assert_eq!(by_heartbeat(&[(7, Some(1.0)), (12, Some(900.0))], Auto).0, State::Ok, "12 is this server");
    assert_eq!(by_heartbeat(&[(7, Some(1.0)), (8, Some(2.0))], Auto).0, State::Unknown, "which of them");
    assert_eq!(by_heartbeat(&[(7, Some(1.0)), (8, Some(100.0))], Id(8)).0, State::Warning);
    for server in [Auto, All, Id(8)] {
        assert_eq!(by_heartbeat(&[], server).0, State::Unknown);
        assert_eq!(by_heartbeat(&[(8, None)], server).0, State::Unknown);
    }
}

#[test]
fn heartbeats_tell_the_lag_while_the_link_is_down() {
    let mut replica = with_heartbeats(&[(11, Some(45.0))]);
    replica.channels = vec![crate::replica::Channel::read(&Row::of(MARIADB_10).stopped("Connecting", "Yes"))];
    assert_eq!(metric(&said(&replica, &Wanted::default()).1, "lag"), "45s;60;300;0");
    replica.heartbeats = Some(Heartbeats { problem: Some("errno 1146".into()), ..Heartbeats::default() });
    let (state, text) = said(&replica, &Wanted::default());
    assert_eq!(state, State::Critical);
    has(&text, &["cannot read the heartbeat table: errno 1146"]);
}

#[test]
fn heartbeats_from_the_future() {
    let of = |age: f64| by_heartbeat(&[(11, Some(age))], HeartbeatServer::Auto);
    let (state, text) = of(-2.0);
    assert_eq!((state, metric(&text, "lag").as_str()), (State::Ok, "0s;60;300;0"));
    let (state, text) = of(-2.1);
    assert_eq!((state, metric(&text, "lag").as_str()), (State::Warning, "U;60;300;0"));
    has(&text, &["clocks differ by more than 2 s, lag not judged"]);
}

#[test]
fn lag_source_that_was_not_asked() {
    for lag_source in [LagSource::Heartbeat, LagSource::Source] {
        let wanted = Wanted { lag_source, ..Wanted::default() };
        assert_eq!(said(&replica(&[Row::of(MYSQL_8_4)]), &wanted).0, State::Unknown, "{lag_source:?}");
    }
    let wanted = Wanted { lag_source: LagSource::Status, ..Wanted::default() };
    assert_eq!(said(&with_heartbeats(&[(11, Some(900.0))]), &wanted).0, State::Ok);
}

#[test]
fn a_transaction_that_is_applied_is_as_old_as_at_its_origin() {
    let mut replica = replica(&[Row::of(MYSQL_8_4)]);
    replica.channels[0].applying_seconds = Some(61.0);
    assert_eq!(said(&replica, &Wanted::default()).0, State::Warning);
    let wanted = Wanted { lag_source: LagSource::Status, ..Wanted::default() };
    assert_eq!(said(&replica, &wanted).0, State::Ok);
}

/// A source that says what the rows say it should.
fn mysql_source(executed: &str) -> Source {
    Source {
        name: "db1:3306".into(),
        server_id: Some(11),
        server_uuid: Some(A.into()),
        gtid_executed: Some(executed.to_owned()),
        skew_seconds: Some(0.0),
        has_moved: Some(false),
        ..Source::default()
    }
}

fn beside(server: &str, source: Source) -> Replica {
    let mut replica = replica(&[Row::of(server)]);
    replica.server.server_uuid = Some(OWN.into());
    replica.server.gtid_executed = Some(format!("{A}:1-5"));
    replica.source = Some(source);
    replica
}

#[test]
fn critical_black_hole_is_seen_at_once_beside_the_source() {
    let (state, text) = said(&beside(MYSQL_8_4, mysql_source(&format!("{A}:1-5"))), &Wanted::default());
    assert_eq!((state, metric(&text, "gtid_gap").as_str()), (State::Ok, "0;;;0"), "{text}");
    let ahead = mysql_source(&format!("{A}:1-7"));
    let (state, text) = said(&beside(MYSQL_8_4, ahead.clone()), &Wanted::default());
    assert_eq!((state, metric(&text, "gtid_gap").as_str()), (State::Critical, "2;;;0"));
    has(&text, &["source db1:3306 has 2 transactions that do not arrive"]);
    let moving = Source { has_moved: Some(true), ..ahead.clone() };
    assert_eq!(said(&beside(MYSQL_8_4, moving), &Wanted::default()).0, State::Ok, "it is on its way");
    let once = Source { has_moved: None, ..ahead.clone() };
    assert_eq!(said(&beside(MYSQL_8_4, once), &Wanted::default()).0, State::Warning);
    let mut received = beside(MYSQL_8_4, ahead);
    received.channels[0].retrieved_gtids = Some(format!("{A}:1-7"));
    let (state, text) = said(&received, &Wanted::default());
    assert_eq!(state, State::Ok, "what was received is a matter of lag: {text}");
}

#[test]
fn mariadb_is_compared_by_position_of_its_domains_or_files() {
    let source = |position: Option<&str>, bytes: u64| Source {
        name: "db1:3306".into(),
        server_id: Some(11),
        gtid_binlog_position: position.map(str::to_owned),
        log_file: Some("binlog.000002".into()),
        log_position_bytes: Some(bytes),
        skew_seconds: Some(0.0),
        has_moved: Some(false),
        ..Source::default()
    };
    for server in MARIADB {
        let mut replica = beside(server, source(Some("11-11-5"), 1353));
        replica.server.gtid_slave_position = Some("11-11-5".into());
        replica.server.gtid_executed = None;
        assert_eq!(said(&replica, &Wanted::default()).0, State::Ok);
        replica.source = Some(source(Some("11-11-7"), 1400));
        let (state, text) = said(&replica, &Wanted::default());
        assert_eq!(
            (state, metric(&text, "gtid_gap").as_str()),
            (State::Critical, "2;;;0"),
            "{server}: {text}"
        );
        replica.source = Some(source(None, 1400));
        let (state, text) = said(&replica, &Wanted::default());
        assert_eq!(
            (state, metric(&text, "gtid_gap").as_str()),
            (State::Critical, "U;;;0"),
            "{server}: {text}"
        );
        replica.source = Some(source(None, 1353));
        assert_eq!(said(&replica, &Wanted::default()).0, State::Ok);
        replica.source = Some(Source { log_file: None, ..source(None, 1353) });
        assert_eq!(said(&replica, &Wanted::default()).0, State::Unknown, "nothing to compare");
    }
}

#[test]
fn critical_errant_beside_the_source() {
    let exact = Wanted { errant: Errant::Exact, ..Wanted::default() };
    let mut replica = beside(MYSQL_8_4, mysql_source(&format!("{A}:1-5,{OWN}:1-3")));
    replica.server.gtid_executed = Some(format!("{A}:1-5,{OWN}:1-3"));
    replica.channels[0].executed_gtids = replica.server.gtid_executed.clone();
    assert_eq!(said(&replica, &exact).0, State::Ok, "it was the source once");
    assert_eq!(said(&replica, &Wanted::default()).0, State::Warning, "which nobody can tell without asking");
    replica.server.gtid_executed = Some(format!("{A}:1-5,{OWN}:1-4"));
    let (state, text) = said(&replica, &exact);
    assert_eq!(state, State::Critical);
    has(&text, &[&format!("the replica has 1 transaction (\"{OWN}:4\") that source db1:3306 has not")]);
    replica.source = None;
    assert_eq!(said(&replica, &exact).0, State::Unknown, "never OK without the source");
}

#[test]
fn errant_beside_the_source_leaves_other_channels_alone() {
    let other = "aaaaaaaa-2222-3333-4444-555555555555";
    let west = Row::of(MYSQL_8_4)
        .named("west")
        .with("Source_UUID", other)
        .with("Source_Server_Id", "21")
        .with("Retrieved_Gtid_Set", "");
    let mut replica = replica(&[Row::of(MYSQL_8_4), west]);
    replica.server.gtid_executed = Some(format!("{A}:1-5,{other}:1-9"));
    replica.source = Some(mysql_source(&format!("{A}:1-5")));
    let exact = Wanted { errant: Errant::Exact, ..Wanted::default() };
    let (state, text) = said(&replica, &exact);
    assert_eq!(state, State::Ok, "{text}");
    assert_eq!(
        (metric(&text, "gtid_gap").as_str(), metric(&text, "west.gtid_gap").as_str()),
        ("0;;;0", "missing")
    );
}

#[test]
fn errant_beside_the_source_on_mariadb() {
    let exact = Wanted { errant: Errant::Exact, ..Wanted::default() };
    let of = |ours: &str, theirs: &str| {
        let source = Source {
            gtid_executed: None,
            gtid_binlog_position: Some("11-11-5".into()),
            gtid_binlog_state: Some(theirs.to_owned()),
            ..mysql_source("")
        };
        let mut replica = beside(MARIADB_10, source);
        (replica.server.gtid_executed, replica.server.gtid_binlog_state) = (None, Some(ours.to_owned()));
        said(&replica, &exact).0
    };
    assert_eq!(of("11-11-5,11-12-3", "11-12-3,11-11-5"), State::Ok, "it was the source once");
    assert_eq!(
        of("11-11-5,11-12-3", "11-11-5"),
        State::Critical,
        "below the position, yet the source has it not"
    );
}

#[test]
fn critical_same_identity() {
    let mut same = beside(MYSQL_8_4, mysql_source(&format!("{A}:1-5")));
    same.server.server_id = Some(11);
    let (state, text) = said(&same, &Wanted::default());
    assert_eq!(state, State::Critical);
    has(&text, &["same server id 11"]);
    same.server.server_uuid = Some(A.to_uppercase());
    has(&said(&same, &Wanted::default()).1, &["same server UUID"]);
}

#[test]
fn unknown_source_that_is_none_or_does_not_answer() {
    let stranger = Source { server_id: Some(77), server_uuid: Some(OWN.into()), ..mysql_source("") };
    let (state, text) = said(&beside(MYSQL_8_4, stranger), &Wanted::default());
    assert_eq!(state, State::Unknown);
    has(&text, &["db1:3306 is not the source of any channel"]);
    let silent = Source { problem: Some("connection refused".into()), ..mysql_source("") };
    let (state, text) = said(&beside(MYSQL_8_4, silent), &Wanted::default());
    assert_eq!(state, State::Unknown);
    has(&text, &["cannot ask the source db1:3306: connection refused"]);
}

#[test]
fn warning_clocks_differ() {
    let skewed = |skew: f64| Source { skew_seconds: Some(skew), ..mysql_source(&format!("{A}:1-5")) };
    assert_eq!(said(&beside(MYSQL_8_4, skewed(-2.0)), &Wanted::default()).0, State::Ok);
    let (state, text) = said(&beside(MYSQL_8_4, skewed(-2.5)), &Wanted::default());
    assert_eq!(state, State::Warning);
    has(&text, &["clock of source db1:3306 is 2.5 s behind that of the replica"]);
    let mut late = beside(MYSQL_8_4, skewed(30.0));
    let rows = vec![Heartbeat { server_id: 11, age_seconds: Some(900.0) }];
    late.heartbeats = Some(Heartbeats { rows, problem: None });
    let (state, text) = said(&late, &Wanted::default());
    assert_eq!((state, metric(&text, "lag").as_str()), (State::Warning, "U;60;300;0"), "lag is not judged");
    let unknown = Source { skew_seconds: None, ..mysql_source(&format!("{A}:1-5")) };
    assert_eq!(said(&beside(MYSQL_8_4, unknown), &Wanted::default()).0, State::Unknown);
}

#[test]
fn lag_by_the_source() {
    let wanted = Wanted { lag_source: LagSource::Source, ..Wanted::default() };
    let (state, text) = said(&beside(MYSQL_8_4, mysql_source(&format!("{A}:1-5"))), &wanted);
    assert_eq!((state, metric(&text, "lag").as_str()), (State::Ok, "0s;60;300;0"));
    let mut behind = beside(MYSQL_8_4, Source { has_moved: Some(true), ..mysql_source(&format!("{A}:1-9")) });
    let (state, text) = said(&behind, &wanted);
    assert_eq!((state, metric(&text, "lag").as_str()), (State::Warning, "U;60;300;0"));
    has(&text, &["the server claims no lag, but misses 4 transactions of the source"]);
    behind.channels[0].seconds_behind = Some(301.0);
    assert_eq!(said(&behind, &wanted).0, State::Critical);
}

#[test]
fn critical_delayed_replica_with_fresh_data() {
    let mut replica = with_heartbeats(&[(11, Some(12.0))]);
    replica.channels[0].delay_seconds = Some(3600.0);
    let wanted = Wanted { min_delay_seconds: Some(3600.0), ..Wanted::default() };
    let (state, text) = said(&replica, &wanted);
    assert_eq!(state, State::Critical);
    has(&text, &["data is 12 s old, must be 3600 s at least"]);
    replica.heartbeats = with_heartbeats(&[(11, Some(3601.0))]).heartbeats;
    assert_eq!(said(&replica, &wanted).0, State::Ok);
}

/// The first server of a chain, of which the source of this replica is a replica.
#[test]
fn an_origin_further_up() {
    let source = |executed: &str, is_origin| Source {
        server_id: Some(7),
        server_uuid: Some(ORIGIN.into()),
        is_origin,
        ..mysql_source(executed)
    };
    let of = |source: Source| {
        let mut replica = beside(MYSQL_8_4, source);
        replica.channels[0].executed_gtids = Some(format!("{A}:1-5,{ORIGIN}:1-3"));
        said(&replica, &Wanted::default())
    };
    let (state, text) = of(source(&format!("{ORIGIN}:1-3"), Some(true)));
    assert_eq!((state, metric(&text, "gtid_gap").as_str()), (State::Ok, "0;;;0"), "{text}");
    has(&text, &["note: db1:3306 is no direct source: compared as the origin of what arrives"]);
    let (state, text) = of(source(&format!("{ORIGIN}:1-5"), Some(true)));
    assert_eq!((state, metric(&text, "gtid_gap").as_str()), (State::Critical, "2;;;0"), "{text}");
    has(
        &text,
        &["origin db1:3306 has 2 transactions that do not arrive: held up at 127.0.0.1:3306 or further up"],
    );
    for (executed, is_origin) in [("1-3", Some(false)), ("1-3", None)] {
        let (state, text) = of(source(&format!("{ORIGIN}:{executed}"), is_origin));
        assert_eq!(state, State::Unknown, "a replica of something else, or nobody knows: {text}");
    }
    let stranger = Source { server_uuid: Some(OWN.into()), ..source("", Some(true)) };
    assert_eq!(of(stranger).0, State::Unknown, "nothing of it has come");
}

#[test]
fn an_origin_further_up_on_mariadb() {
    let of = |state: &str, is_origin| {
        let source = Source {
            server_id: Some(7),
            server_uuid: None,
            gtid_executed: None,
            gtid_binlog_position: Some("0-7-9".into()),
            is_origin,
            ..mysql_source("")
        };
        let mut replica = beside(MARIADB_10, source);
        replica.server.gtid_executed = None;
        (replica.server.gtid_binlog_state, replica.server.gtid_slave_position) =
            (Some(state.into()), Some(state.into()));
        replica.channels[0].gtid_slave_position = Some(state.into());
        replica.channels[0].gtid_io_position = Some(state.into());
        said(&replica, &Wanted::default())
    };
    assert_eq!(of("0-7-9", Some(true)).0, State::Ok);
    let (state, text) = of("0-7-6", Some(true));
    assert_eq!((state, metric(&text, "gtid_gap").as_str()), (State::Critical, "3;;;0"), "{text}");
    assert_eq!(of("0-7-9", Some(false)).0, State::Unknown);
    assert_eq!(of("0-8-9", Some(true)).0, State::Unknown, "nothing of it has come");
}
