//! check_mysql_slave on releases that no package offers any more, and on servers that do not answer as they should.
#![allow(clippy::unwrap_used, clippy::panic, reason = "test code")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use lab::mysql::Account;
use lab::mysql::script::{Answer, Fixture, Login, Script, ScriptedServer, Table, hostile};
use lab::output::State;
use lab::process::shared_folder;
use tests::{Check, Run};

fn check(server: &ScriptedServer, folder: &Path) -> Check {
    let file = folder.join("password");
    fs::write(&file, Account::Monitor.password()).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let port = server.port().to_string();
    Check::new("check_mysql_slave")
        .args(["-H", "127.0.0.1", "-P", &port, "-u", Account::Monitor.user()])
        .args(["--read-only", "ignore", "--password-file"])
        .arg(&file)
        .arg("--state-dir")
        .arg(folder.join("state"))
        .timeout(5.0)
}

fn gives(script: Script, state: State, words: &[&str]) -> Run {
    let folder = shared_folder();
    check(&ScriptedServer::start(script), folder.path()).gives(state, words)
}

fn facts() -> Table {
    Table::of([
        ("hostname", Some("db2")),
        ("port", Some("3306")),
        ("server_id", Some("2")),
        ("read_only", Some("1")),
    ])
}

/// A release with this status.
fn with(fixture: Fixture, status: &Table) -> Script {
    Script::of(fixture).status(status).answer("@@hostname", facts())
}

/// The status of a release with these values, their columns in the old words; `None` for NULL.
fn status(fixture: Fixture, values: &[(&str, Option<&str>)]) -> Table {
    values.iter().fold(fixture.status(), |table, (column, value)| {
        let is_old = table.columns().iter().any(|known| known == column);
        let column = if is_old {
            (*column).to_owned()
        } else {
            column.replace("Slave", "Replica").replace("Master", "Source")
        };
        match value {
            Some(value) => table.set(&column, value),
            None => table.null(&column),
        }
    })
}

#[test]
fn every_release_follows() {
    for fixture in Fixture::ALL {
        let with_values = |values: &[(&str, Option<&str>)]| with(fixture, &status(fixture, values));
        gives(with_values(&[]), State::Ok, &["replica follows"]);
        let stopped = [("Slave_SQL_Running", Some("No")), ("Last_SQL_Errno", Some("1062"))];
        gives(with_values(&stopped), State::Critical, &["1062"]);
        gives(with_values(&[("Skip_Counter", Some("1"))]), State::Warning, &["1 event", "skip counter"]);
        gives(with_values(&[("Seconds_Behind_Master", None)]), State::Warning, &["behind"]);
        gives(with_values(&[("Seconds_Behind_Master", Some("400"))]), State::Critical, &["lag is"]);
        gives(with(fixture, &fixture.status().empty()), State::Critical, &["not a replica"]);
    }
}

/// The first channel is fine in each of them, and the second says 0 seconds.
#[test]
fn a_second_channel_that_is_broken() {
    for fixture in Fixture::ALL {
        let column = if fixture.is_mariadb() { "Connection_name" } else { "Channel_Name" };
        let west = [
            (column, Some("west")),
            ("Slave_IO_Running", Some("Connecting")),
            ("Last_IO_Errno", Some("1045")),
            ("Seconds_Behind_Master", Some("0")),
        ];
        let west = status(fixture, &west);
        let run =
            gives(with(fixture, &fixture.status().and(west)), State::Critical, &["1 of 2 channels", "1045"]);
        assert!(
            run.parsed.perf("west.lag").is_some_and(|lag| lag.value.is_none()),
            "{}",
            run.outcome.report()
        );
    }
}

#[test]
fn a_server_that_stops_halfway() {
    let fixture = Fixture::MySql84;
    let healthy = || with(fixture, &fixture.status());
    gives(healthy().status_answer(&Answer::Hang), State::Critical, &["did not answer the status statement"]);
    gives(healthy().answer("@@hostname", Answer::Hang), State::Critical, &["did not answer"]);
    gives(Script::of(fixture).instead_of_greeting(Answer::Hang), State::Critical, &["timeout after 5 s"]);
    gives(Script::of(fixture).instead_of_login(Answer::Hang), State::Critical, &["timeout after 5 s"]);
    let denied =
        Answer::error(1227, "Access denied; you need (at least one of) the REPLICATION CLIENT privilege");
    gives(healthy().status_answer(&denied), State::Unknown, &["1227"]);
    let refused = Answer::error(1040, "Too many connections");
    gives(Script::of(fixture).instead_of_greeting(refused), State::Critical, &["1040"]);
    let denied = Answer::error(1045, "Access denied for user 'monitor'");
    gives(Script::of(fixture).instead_of_login(denied), State::Unknown, &["1045"]);
}

/// Nothing that a hostile server sends is OK, makes it crash, or costs more than its time.
#[test]
fn hostile_servers() {
    let is_not_ok = |what: &str, script: Script| {
        let folder = shared_folder();
        let outcome = check(&ScriptedServer::start(script), folder.path()).outcome();
        let code = outcome.code;
        assert!(matches!(code, Some(2 | 3)), "{what}: {}", outcome.report());
        assert!(outcome.text().starts_with("MYSQL_SLAVE "), "{what}: {}", outcome.report());
    };
    let fixture = Fixture::MySql80;
    for (what, bytes) in hostile::greetings() {
        is_not_ok(what, Script::of(fixture).instead_of_greeting(Answer::Bytes(bytes)));
    }
    for (what, answer) in hostile::login_answers() {
        is_not_ok(what, Script::of(fixture).instead_of_login(answer));
    }
    for (what, answer) in hostile::result_sets() {
        is_not_ok(what, with(fixture, &fixture.status()).status_answer(&answer));
    }
}

#[test]
fn a_password_is_never_seen_in_the_clear() {
    for login in [Login::Native, Login::Full] {
        let script = with(Fixture::MySql84, &Fixture::MySql84.status()).login(login);
        let (server, folder) = (ScriptedServer::start(script), shared_folder());
        let outcome = check(&server, folder.path()).outcome();
        assert!(!server.has_seen_in_the_clear(Account::Monitor.password()), "{}", outcome.report());
        assert_eq!(server.key_requests(), 0, "{}", outcome.report());
    }
}
