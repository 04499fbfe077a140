//! The server as a whole: read_only, errant by origin, semi-sync, clusters, the live probe.

use common::report::State;

use super::super::{Errant, ReadOnly, Wanted};
use super::*;
use crate::replica::{Cluster, ClusterKind, Gap, LiveProbe, SemiSync};

const OWN: &str = "99999999-2222-3333-4444-555555555555";
const SOURCE: &str = "11111111-2222-3333-4444-555555555555";

fn healthy(server: &str) -> Replica {
    replica(&[Row::of(server)])
}

#[test]
fn read_only_must_be_as_wanted() {
    use State::{Ok, Unknown, Warning};
    let of = |wanted: ReadOnly, is: Option<bool>, is_super: Option<bool>| {
        let mut replica = healthy(MYSQL_8_4);
        (replica.server.read_only, replica.server.super_read_only) = (is, is_super);
        said(&replica, &Wanted { read_only: wanted, ..Wanted::default() }).0
    };
    assert_eq!([Some(true), Some(false), None].map(|is| of(ReadOnly::On, is, None)), [Ok, Warning, Unknown]);
    let by_super = [Some(true), Some(false), None].map(|is| of(ReadOnly::Super, Some(true), is));
    assert_eq!(by_super, [Ok, Warning, Unknown]);
    assert_eq!([Some(true), Some(false), None].map(|is| of(ReadOnly::Off, is, None)), [Warning, Ok, Unknown]);
    assert_eq!(of(ReadOnly::Ignore, None, None), Ok);
}

/// A primary is writable, and has a channel all the same.
#[test]
fn a_member_of_a_group_may_be_writable() {
    let mut replica = replica(&[Row::of(MYSQL_8_4).named("group_replication_applier")]);
    replica.server.read_only = Some(false);
    let state = Some("ONLINE".to_owned());
    let kind = ClusterKind::GroupReplication;
    replica.cluster = Some(Cluster { kind, state, status: None, ready: None, size: Some(3) });
    assert_eq!(said(&replica, &Wanted::default()).0, State::Ok);
}

#[test]
fn warning_errant_by_its_origin_on_mysql() {
    let mut replica = healthy(MYSQL_8_4);
    replica.server.server_uuid = Some(OWN.to_owned());
    replica.server.gtid_executed = Some(format!("{SOURCE}:1-5"));
    assert_eq!(said(&replica, &Wanted::default()).0, State::Ok);
    replica.server.gtid_executed = Some(format!("{SOURCE}:1-5,\n{OWN}:1-2"));
    let (state, text) = said(&replica, &Wanted::default());
    assert_eq!(state, State::Warning);
    has(&text, &["the replica has 2 transactions", OWN, "of its own", "--errant exact"]);
    assert_eq!(said(&replica, &Wanted { errant: Errant::Off, ..Wanted::default() }).0, State::Ok);
    replica.server.gtid_executed = Some("nonsense".to_owned());
    assert_eq!(said(&replica, &Wanted::default()).0, State::Unknown);
}

#[test]
fn warning_errant_by_its_origin_on_mariadb() {
    let mut replica = healthy(MARIADB_10);
    replica.server.gtid_slave_position = Some("11-11-5".to_owned());
    for (state_of_log, state) in [
        ("11-11-5", State::Ok),
        ("", State::Ok),
        ("11-11-5,11-12-4", State::Ok),
        ("11-11-5,11-12-6", State::Warning),
        ("11-11-5,12-12-1", State::Warning),
        ("11-11-5-1", State::Unknown),
    ] {
        replica.server.gtid_binlog_state = Some(state_of_log.to_owned());
        assert_eq!(said(&replica, &Wanted::default()).0, state, "{state_of_log}");
    }
}

#[test]
fn warning_replicas_below_get_nothing() {
    let mut replica = healthy(MARIADB_10);
    (replica.server.replicas, replica.server.log_replica_updates) = (Some(0), Some(false));
    assert_eq!(said(&replica, &Wanted::default()).0, State::Ok);
    replica.server.replicas = Some(1);
    assert_eq!(said(&replica, &Wanted::default()).0, State::Warning);
}

#[test]
fn semi_sync_must_be_in_force_if_it_is_wanted() {
    let (on, off) = (Some(true), Some(false));
    let of = |replica_enabled, replica_status, source_enabled, source_status| {
        let mut replica = healthy(MYSQL_8_4);
        replica.server.semi_sync =
            SemiSync { replica_enabled, replica_status, source_enabled, source_status };
        said(&replica, &Wanted { semi_sync: true, ..Wanted::default() }).0
    };
    assert_eq!(of(on, on, None, None), State::Ok);
    assert_eq!(of(on, off, None, None), State::Warning);
    assert_eq!(of(off, off, None, None), State::Warning);
    assert_eq!(of(on, None, None, None), State::Unknown);
    assert_eq!(of(None, None, None, None), State::Unknown);
    assert_eq!(of(on, on, on, off), State::Warning, "as a source of others");
    assert_eq!(said(&healthy(MYSQL_8_4), &Wanted::default()).0, State::Ok, "nobody asked");
}

fn member(kind: ClusterKind, state: &str, status: Option<&str>, ready: Option<bool>) -> (State, String) {
    let cluster = Cluster {
        kind,
        state: Some(state.to_owned()),
        status: status.map(str::to_owned),
        ready,
        size: Some(3),
    };
    let none: [Row; 0] = [];
    said(&Replica { cluster: Some(cluster), ..replica(&none) }, &Wanted::default())
}

#[test]
fn members_of_a_galera_cluster() {
    let of = |state: &str, status: Option<&str>, ready: Option<bool>| {
        member(ClusterKind::Galera, state, status, ready).0
    };
    let (state, text) = member(ClusterKind::Galera, "Synced", Some("Primary"), Some(true));
    assert_eq!(state, State::Ok, "{text}");
    has(&text, &["OK: cluster member of 3 (Galera, \"Synced\")"]);
    assert_eq!(of("Donor/Desynced", Some("Primary"), Some(true)), State::Warning);
    assert_eq!(of("Joined", Some("Primary"), Some(true)), State::Warning);
    assert_eq!(of("Synced", Some("non-Primary"), Some(true)), State::Critical);
    assert_eq!(of("Synced", Some("Primary"), Some(false)), State::Critical);
    assert_eq!(of("Initialized", Some("Disconnected"), Some(false)), State::Critical);
    assert_eq!(of("Synced", None, Some(true)), State::Unknown);
    assert_eq!(of("Synced", Some("Primary"), None), State::Unknown);
    assert_eq!(of("Dreaming", Some("Primary"), Some(true)), State::Unknown);
}

#[test]
fn members_of_group_replication() {
    for (word, state) in [
        ("ONLINE", State::Ok),
        ("RECOVERING", State::Warning),
        ("ERROR", State::Critical),
        ("OFFLINE", State::Critical),
        ("UNREACHABLE", State::Critical),
        ("", State::Unknown),
    ] {
        assert_eq!(member(ClusterKind::GroupReplication, word, None, None).0, state, "{word}");
    }
}

#[test]
fn a_member_is_judged_beside_its_channels() {
    let facts: Vec<_> = facts().into_iter().chain([("group_member_state", Some("ERROR"))]).collect();
    let group = Row::of(MYSQL_8_4).named("group_replication_recovery").stopped("No", "No");
    let replica = Replica::read(&[facts], &[Row::of(MYSQL_8_4), group]);
    let (state, text) = said(&replica, &Wanted::default());
    assert_eq!(state, State::Critical);
    has(&text, &["CRITICAL: cluster member (Group Replication, \"ERROR\")"]);
    assert_eq!(metric(&text, "group_replication_recovery.lag"), "missing", "{text}");
}

#[test]
fn the_live_probe_arrives_or_not() {
    let of = |arrived: Option<f64>, problem: Option<&str>| {
        let problem = problem.map(str::to_owned);
        let probe = LiveProbe { arrived_after_seconds: arrived, waited_seconds: 5.0, problem };
        said(&Replica { probe: Some(probe), ..healthy(MARIADB_10) }, &Wanted::default())
    };
    let (state, text) = of(Some(0.25), None);
    assert_eq!((state, metric(&text, "probe").as_str()), (State::Ok, "0.25s;;;0"));
    let (state, text) = of(None, None);
    assert_eq!((state, metric(&text, "probe").as_str()), (State::Critical, "U;;;0"));
    has(&text, &["the live probe written on the source did not arrive within 5 s"]);
    let (state, text) = of(None, Some("errno 1142"));
    assert_eq!(state, State::Unknown);
    has(&text, &["hint: GRANT INSERT"]);
}

#[test]
fn what_could_not_be_asked_is_told() {
    let gap = Gap { text: "cannot read performance_schema".into(), hint: Some("GRANT SELECT".into()) };
    let (state, text) = said(&Replica { gaps: vec![gap], ..healthy(MYSQL_8_4) }, &Wanted::default());
    assert_eq!(state, State::Ok);
    has(&text, &["note: cannot read performance_schema", "hint: GRANT SELECT"]);
}
