//! A replica that follows, and three that do not, as a scripted MySQL 8.4 tells it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use lab::mysql::Account;
use lab::mysql::script::{Fixture, Script, ScriptedServer, Table};
use lab::output::State;
use lab::plugin::Plugin;
use lab::process::shared_folder;

use super::{Scene, show_all};

pub(crate) fn play() -> (usize, usize) {
    let healthy = || Fixture::MySql84.status();
    let duplicate = healthy()
        .set("Replica_SQL_Running", "No")
        .set("Last_SQL_Errno", "1062")
        .set(
            "Last_SQL_Error",
            "Could not execute Write_rows event on table shop.orders; Duplicate entry '17' for key 'PRIMARY'",
        )
        .null("Seconds_Behind_Source");
    let refused = healthy()
        .set("Channel_Name", "west")
        .set("Replica_IO_Running", "Connecting")
        .set("Last_IO_Errno", "1045")
        .set("Last_IO_Error", "error connecting to source 'repl@db-west:3306'. This was attempt 3/10, with a delay of 5 seconds between attempts. Message: Access denied for user 'repl'")
        .set("Seconds_Behind_Source", "0");
    let servers =
        [healthy(), duplicate, healthy().and(refused), healthy().set("Seconds_Behind_Source", "95")].map(
            |status| {
                ScriptedServer::start(
                    Script::of(Fixture::MySql84).status(&status).answer("@@hostname", facts()),
                )
            },
        );
    let folder = shared_folder();
    let password = folder.path().join("monitor.password");
    fs::write(&password, Account::Monitor.password()).unwrap();
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
    let check = |server: &ScriptedServer| {
        Plugin::new("check_mysql_slave")
            .args(["-H", "127.0.0.1", "-P", &server.port().to_string(), "-u", Account::Monitor.user()])
            .arg("--password-file")
            .arg(&password)
            .arg("--state-dir")
            .arg(folder.path().join("state"))
    };
    let [good, duplicate, two, lagging] = &servers;
    let scenes = [
        Scene::new("A replica that follows", check(good), State::Ok),
        Scene::new(
            "A row was there already: what stopped it, and what to do",
            check(duplicate),
            State::Critical,
        ),
        Scene::new(
            "One of two channels may not log in; its own status claims a lag of 0",
            check(two),
            State::Critical,
        ),
        Scene::new("Behind by more than a minute", check(lagging), State::Warning),
        Scene::new("A password in the command line", check(good).args(["-p", "secret"]), State::Unknown),
    ];
    show_all("check_mysql_slave: does this replica follow its sources?", &scenes)
}

fn facts() -> Table {
    Table::of([
        ("hostname", Some("db2")),
        ("port", Some("3306")),
        ("server_id", Some("2")),
        ("server_uuid", Some("22222222-2222-2222-2222-222222222222")),
        ("read_only", Some("ON")),
        ("super_read_only", Some("ON")),
        ("log_bin", Some("1")),
        ("log_replica_updates", Some("ON")),
        ("gtid_executed", Some("")),
        ("stuck_threads", Some("0")),
        ("stuck_seconds", None),
        ("replicas", Some("0")),
    ])
}
