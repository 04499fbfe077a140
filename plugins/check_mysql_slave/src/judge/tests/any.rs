//! Promises that hold for whatever a server may say.

use common::report::{Format, State};
use proptest::prelude::*;

use super::super::{AllowStopped, Wanted};
use super::*;

/// Every column any server has, under either name.
fn columns() -> Vec<String> {
    let mut all: Vec<String> =
        ALL.iter().flat_map(|server| Row::of(server).0).map(|(name, _)| name).collect();
    all.sort();
    all.dedup();
    all
}

fn value() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        Just(None),
        "(Yes|No|Connecting|Preparing|ON|OFF|None|Waiting for disk space|)".prop_map(Some),
        "-?[0-9]{1,20}(\\.[0-9]{1,3})?".prop_map(Some),
        "11111111-2222-3333-4444-555555555555:[0-9]{1,3}(-[0-9]{1,20})?".prop_map(Some),
        "[0-9]{1,3}-[0-9]{1,3}-[0-9]{1,20}".prop_map(Some),
        "attempt [0-9]{1,20}/[0-9]{1,20}, with a delay of [0-9]{1,20} seconds".prop_map(Some),
        "\\PC{0,24}".prop_map(Some),
    ]
}

fn row() -> impl Strategy<Value = Row> {
    let changes = proptest::collection::vec((proptest::sample::select(columns()), value()), 0..8);
    let base = proptest::option::of(proptest::sample::select(ALL.to_vec()));
    (base, changes).prop_map(|(base, changes)| {
        let mut row = base.map_or_else(|| Row(Vec::new()), Row::of);
        for (column, value) in changes {
            match row.0.iter_mut().find(|(name, _)| *name == column) {
                Some(found) => found.1 = value,
                None => row.0.push((column, value)),
            }
        }
        row
    })
}

fn fact() -> impl Strategy<Value = Vec<(String, Option<String>)>> {
    let names = [
        "read_only",
        "server_id",
        "server_uuid",
        "gtid_executed",
        "gtid_binlog_state",
        "gtid_slave_pos",
        "channel_name",
        "silence_seconds",
        "heartbeat_interval",
        "worker_error_number",
        "worker_error_text",
        "applying_seconds",
        "wsrep_on",
        "group_member_state",
    ];
    proptest::collection::vec(
        (proptest::sample::select(names.to_vec()).prop_map(str::to_owned), value()),
        0..8,
    )
}

fn shown(replica: &Replica) -> (State, String) {
    let (state, text) = said(replica, &Wanted::default());
    let report = report(replica, &Wanted::default());
    let document = Document {
        plugin: "check_mysql_slave",
        target: "x",
        state,
        report: &report,
        observation: None,
        verbosity: 3,
        max_output: 8192,
    };
    let _ = render(&document, Format::Json);
    (state, text)
}

proptest! {
    #[test]
    fn any_rows_are_judged(rows in proptest::collection::vec(row(), 0..4), facts in proptest::collection::vec(fact(), 0..4)) {
        let replica = Replica::read(&facts, &rows);
        let text = serde_json::to_string(&replica).unwrap();
        let again: Replica = serde_json::from_str(&text).unwrap();
        let (state, text) = shown(&replica);
        // Numbers beyond 2^53 lose their last digit in JSON, which no judgement depends on.
        prop_assert_eq!(shown(&again).0, state, "a dump is judged like the run");
        let start = format!("MYSQL_SLAVE {state}: ");
        prop_assert!(text.starts_with(&start), "{}", text);
        let healthy = replica.channels.iter().filter(|channel| !channel.is_of_group());
        if state == State::Ok && replica.cluster.is_none() {
            let healthy: Vec<_> = healthy.collect();
            prop_assert!(!healthy.is_empty(), "no rows are never OK");
            for channel in healthy {
                prop_assert!(channel.is_running(), "a thread that does not run is never OK");
                prop_assert!(channel.seconds_behind.is_some(), "a lag that is not known is never OK");
            }
        }
    }

    #[test]
    fn a_thread_that_does_not_run_is_never_ok(
        row in row(),
        io in "(Yes|No|Connecting|Preparing|yes|)",
        sql in "(Yes|No|no|)",
        others in 0..2usize,
    ) {
        let mut row = row;
        for (thread, word) in [("IO", &io), ("SQL", &sql)] {
            let (new, old) = (format!("Replica_{thread}_Running"), format!("Slave_{thread}_Running"));
            row.0.retain(|(name, _)| *name != new && *name != old);
            row.0.push((new, Some(word.clone())));
        }
        row.0.retain(|(name, _)| name != "Channel_Name" && name != "Connection_name");
        let mut rows = vec![Row::of(MYSQL_8_4).named("other"); others];
        rows.push(row);
        let runs = io.eq_ignore_ascii_case("yes") && sql.eq_ignore_ascii_case("yes");
        prop_assert!(runs || judged(&rows).0 != State::Ok);
        let allow_stopped = Some(AllowStopped { io: true, sql: true, seconds: None });
        let wanted = Wanted { allow_stopped, ..Wanted::default() };
        prop_assert!(runs || said(&replica(&rows), &wanted).0 != State::Ok, "without a time it is a warning");
    }
}
