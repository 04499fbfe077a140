//! check_mysql_tables on releases that no package offers any more, and on servers that do not answer as they should.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::float_cmp, reason = "test code")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use lab::mysql::Account;
use lab::mysql::script::{Answer, Fixture, Script, ScriptedServer, hostile};
use lab::output::State;
use lab::process::shared_folder;
use tests::{Check, Run};

const TABLES: [(&str, &str); 3] = [("carts", "MyISAM"), ("log", "CSV"), ("orders", "InnoDB")];
const CUT: [(&str, &str); 2] =
    [("error", "Size of datafile is: 476784  Should be: 478784"), ("error", "Corrupt")];

fn check(server: &ScriptedServer, folder: &Path) -> Check {
    stateless(server, folder).arg("--state-dir").arg(folder.join("state"))
}

fn stateless(server: &ScriptedServer, folder: &Path) -> Check {
    let file = folder.join("password");
    fs::write(&file, Account::Tables.password()).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    Check::new("check_mysql_tables")
        .args(["-H", "127.0.0.1", "-P", &server.port().to_string(), "-u", Account::Tables.user()])
        .arg("--password-file")
        .arg(&file)
        .timeout(5.0)
}

/// A run that has to end by itself, and the checks that the server was asked for.
fn run(script: Script, arguments: &[&str], state: State, words: &[&str]) -> (Run, Vec<String>) {
    let (server, folder) = (ScriptedServer::start(script), shared_folder());
    let run = check(&server, folder.path()).args(arguments).gives(state, words);
    let checks = server.statements().into_iter().filter(|sql| sql.starts_with("CHECK TABLE")).collect();
    (run, checks)
}

#[test]
fn every_release_is_asked_for_its_tables() {
    for fixture in Fixture::ALL {
        let whole = || Script::with_tables(fixture, &TABLES);
        let (found, checks) = run(whole(), &[], State::Ok, &["2 tables checked, none damaged"]);
        assert_eq!(found.parsed.value("tables"), Some(2.0), "{fixture:?}");
        assert!(checks.iter().all(|sql| !sql.contains("`orders`")), "{fixture:?}: {checks:?}");
        run(whole().checks("carts", &CUT), &[], State::Critical, &["shop.carts (MyISAM) is damaged"]);
        let not_closed =
            [("warning", "1 client is using or hasn't closed the table properly"), ("status", "OK")];
        run(whole().checks("log", &not_closed), &[], State::Warning, &["shop.log (CSV) is whole, but"]);
        let crashed = Script::with_tables(fixture, &[("carts", "MyISAM"), ("old", "")]);
        let (server, folder) = (ScriptedServer::start(crashed), shared_folder());
        stateless(&server, folder.path())
            .args(["--level", "state"])
            .gives(State::Critical, &["shop.old cannot be opened", "marked as crashed"]);
    }
}

#[test]
fn innodb_is_checked_where_that_is_asked_for_and_safe() {
    for fixture in Fixture::ALL {
        let whole = || Script::with_tables(fixture, &TABLES);
        let asks = |checks: &[String]| checks.iter().any(|sql| sql.contains("`orders`"));
        if fixture.is_mariadb() {
            let (_, checks) = run(whole(), &["--innodb"], State::Ok, &["3 tables checked"]);
            assert!(asks(&checks), "{fixture:?}: {checks:?}");
            continue;
        }
        let (_, checks) = run(whole(), &["--innodb"], State::Unknown, &["MySQL aborts"]);
        assert!(!asks(&checks), "{fixture:?}: {checks:?}");
        let (_, checks) = run(whole(), &["--innodb-may-crash-server"], State::Ok, &["3 tables checked"]);
        assert!(asks(&checks), "{fixture:?}: {checks:?}");
    }
}

#[test]
fn unknown_one_table_of_many_is_denied() {
    for fixture in [Fixture::MySql84, Fixture::MariaDb118] {
        let words = "SELECT command denied to user 'tables'@'localhost' for table `shop`.`log`";
        let script = Script::with_tables(fixture, &TABLES).answers_check("log", Answer::error(1142, words));
        let (found, checks) =
            run(script, &[], State::Unknown, &["shop.log (CSV) cannot be checked", "denied"]);
        assert!(found.outcome.text().contains("GRANT SELECT ON `shop`.*"), "{}", found.outcome.report());
        assert_eq!(checks.len(), 2, "the other one is checked: {checks:?}");
        assert_eq!(found.parsed.value("checked"), Some(1.0));
        assert_eq!(found.parsed.value("skipped"), Some(1.0));
    }
}

#[test]
fn critical_the_server_is_lost_or_silent_during_a_check() {
    let with = |answer: Answer| Script::with_tables(Fixture::MySql84, &TABLES).answers_check("carts", answer);
    let hangs = || with(Answer::Hang);
    run(with(Answer::Close), &[], State::Critical, &["connection lost while checking shop.carts"]);
    run(with(Answer::Reset), &[], State::Critical, &["connection lost while checking shop.carts"]);
    let (server, folder) = (ScriptedServer::start(hangs()), shared_folder());
    let check = || check(&server, folder.path()).timeout(1.0);
    check().gives(State::Critical, &["timeout while checking shop.carts"]);
    // It says so itself as long as nobody else does.
    check()
        .args(["--timeout-state", "unknown"])
        .gives(State::Unknown, &["timeout while checking shop.carts"]);
    let refused = Answer::error(1040, "Too many connections");
    let full = Script::with_tables(Fixture::MySql84, &TABLES).instead_of_greeting(refused);
    run(full, &[], State::Critical, &["1040"]);
}

/// Nothing that a hostile server sends is OK, makes it crash, or costs more than its time.
#[test]
fn hostile_servers() {
    for (what, answer) in hostile::result_sets() {
        for part in ["@@hostname", "from information_schema.tables", "status like 'uptime'", "check table"] {
            let script = Script::with_tables(Fixture::MySql80, &TABLES).answer(part, answer.clone());
            let (server, folder) = (ScriptedServer::start(script), shared_folder());
            let outcome = check(&server, folder.path()).timeout(0.5).outcome();
            let code = outcome.code;
            assert!(matches!(code, Some(2 | 3)), "{what} for {part}: {}", outcome.report());
            assert!(outcome.text().starts_with("MYSQL_TABLES "), "{what} for {part}: {}", outcome.report());
        }
    }
    for (what, bytes) in hostile::greetings() {
        let script = Script::new("8.0.46").instead_of_greeting(Answer::Bytes(bytes));
        let (server, folder) = (ScriptedServer::start(script), shared_folder());
        let outcome = check(&server, folder.path()).timeout(0.5).outcome();
        assert!(matches!(outcome.code, Some(2 | 3)), "{what}: {}", outcome.report());
    }
}
