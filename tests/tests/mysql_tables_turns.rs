//! check_mysql_tables over several runs: turns, locks, interruptions, servers that go down.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::float_cmp,
    reason = "test code"
)]

use std::fs;
use std::time::{Duration, Instant};

use lab::output::State;
use tests::tables::{Shop, cut};

/// Waits until a check stands in the list of processes.
fn wait_for_check(shop: &Shop) {
    let mut admin = shop.admin();
    let limit = Instant::now() + Duration::from_secs(10);
    let sql = "SELECT COUNT(*) AS n FROM information_schema.PROCESSLIST WHERE INFO LIKE 'CHECK TABLE%'";
    while admin.value(sql) == "0" {
        assert!(Instant::now() < limit, "no check begins");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn turns_are_shared_and_locks_are_told() {
    let shop = Shop::new().with("MyISAM", &["a", "b", "c"]);
    let lock = shop.lock("a");
    let short = ["--time-budget", "2s", "--resume"];
    // Waiting for the lock takes five seconds, more than the budget.
    let run = shop.check().args(short).gives(State::Unknown, &["none of 3 tables was checked"]);
    assert!(run.parsed.summary.contains("2 beyond --time-budget, 1 locked"), "{}", run.outcome.report());
    // The other tables go first now, and the locked one last.
    let run = shop.check().args(short).gives(State::Ok, &["2/3 tables checked, none damaged", "1 locked"]);
    assert_eq!(run.parsed.value("skipped"), Some(1.0));
    shop.check().args(["--tables", "a,b"]).gives(State::Warning, &["shop.a (MyISAM) was locked", "3 runs"]);
    drop(lock);
    shop.check().args(short).gives(State::Ok, &["3 tables checked"]);
}

#[test]
fn known_damage_is_told_also_while_it_is_locked() {
    let shop = Shop::new().with("Aria", &["a", "b"]);
    shop.damage("a.MAD", tests::tables::change(20_000, 16));
    shop.check().args(["--level", "medium"]).gives(State::Critical, &["shop.a"]);
    let run = shop.stateless().args(["--level", "state"]).outcome().parsed();
    assert_eq!(run.state, State::Critical, "the server has marked it");
}

#[test]
fn max_age_and_size() {
    let shop = Shop::new().with("MyISAM", &["large"]);
    shop.admin().run(&["CREATE TABLE shop.small (id INT) ENGINE=MyISAM"]);
    let small = ["--max-table-size", "100k"];
    shop.check().args(small).gives(State::Ok, &["1/2 tables checked", "1 over --max-table-size"]);
    std::thread::sleep(Duration::from_millis(2100));
    let run =
        shop.check().args(small).args(["--max-age", "1s"]).gives(State::Warning, &["1 table unchecked"]);
    assert!(run.parsed.summary.contains("shop.large"), "{}", run.outcome.report());
    assert!(run.parsed.summary.contains("over --max-table-size"), "{}", run.outcome.report());
    shop.check().args(small).args(["--max-age", "off"]).gives(State::Ok, &[]);
}

#[test]
fn warning_interrupted_check_is_done_again() {
    let shop = Shop::new().with("MyISAM", &["a"]);
    let lock = shop.lock("a");
    let started = shop.check().start();
    wait_for_check(&shop);
    started.running.signal(lab::Signal::Kill);
    let outcome = started.running.wait();
    assert!(outcome.text().is_empty());
    // The server still waits for the lock on our behalf: no second check is added to it.
    let run = shop.check().gives(State::Unknown, &["an earlier check still runs"]);
    assert_eq!(run.parsed.value("checked"), Some(0.0));
    drop(lock);
    std::thread::sleep(Duration::from_millis(500));
    shop.check().gives(State::Warning, &["the check of shop.a", "did not end"]);
    shop.check().gives(State::Ok, &["1 table checked"]);
}

#[test]
fn critical_timeout_names_the_table() {
    let shop = Shop::new().with("MyISAM", &["a"]);
    let _lock = shop.lock("a");
    shop.check().timeout(2.0).gives(State::Critical, &["timeout while checking shop.a"]);
}

#[test]
fn critical_server_that_goes_down_during_a_check() {
    let mut shop = Shop::new().with("MyISAM", &["a", "b"]);
    shop.check().gives(State::Ok, &[]);
    let lock = shop.lock("a");
    let started = shop.check().start();
    wait_for_check(&shop);
    shop.server.kill();
    started.gives(State::Critical, &["connection lost while checking shop.a"]);
    drop(lock);
    std::thread::sleep(Duration::from_secs(3));
    shop.server.start_again(&[]);
    for _ in 0..2 {
        let run = shop.check().gives(State::Critical, &["the server went down during a check of shop.a"]);
        assert_eq!(run.parsed.value("checked"), Some(1.0), "the other table is checked");
        assert!(run.outcome.text().contains("--clear-suspect"));
    }
    shop.check().args(["--clear-suspect"]).gives(State::Ok, &["2 tables checked"]);
    shop.check().gives(State::Ok, &["2 tables checked"]);
}

#[test]
fn unknown_without_a_memory_no_table_is_checked() {
    let shop = Shop::new().with("MyISAM", &["a"]);
    let run =
        shop.stateless().args(["--state-dir", "/proc/none"]).gives(State::Unknown, &["without a memory"]);
    assert_eq!(run.parsed.value("checked"), Some(0.0));
    assert!(shop.server.statements_of("tables").iter().all(|sql| !sql.starts_with("CHECK")));
    // What the server shows without a check is told all the same.
    shop.damage("a.MYI", tests::tables::remove);
    shop.stateless().args(["--state-dir", "/proc/none"]).gives(State::Critical, &["shop.a cannot be opened"]);
}

#[test]
fn warning_a_memory_that_cannot_be_read() {
    let shop = Shop::new().with("MyISAM", &["a"]);
    shop.check().gives(State::Ok, &[]);
    let memory = shop.folder().join("memory");
    for entry in fs::read_dir(&memory).unwrap().map(Result::unwrap) {
        if entry.path().extension().is_some_and(|ending| ending == "json") {
            fs::write(entry.path(), "{").unwrap();
        }
    }
    shop.check().gives(State::Warning, &["what earlier runs left could not be read"]);
    shop.check().gives(State::Ok, &[]);
}

#[test]
fn usage_errors_come_before_any_connection() {
    for (arguments, words) in [
        (&["--engine", "InnoDB"][..], "--engine: InnoDB has an option of its own"),
        (&["--level", "state", "--resume"], "--resume: means nothing with --level state"),
        (&["--level", "medium", "--deep-every", "7d"], "--deep-every: goes with --level quick"),
        (&["--offline", "/x", "--resume"], "--offline"),
        (&["--offline", "/x", "-H", "db.example.org"], "--offline"),
        (&["--min-free", "5%"], "--offline: required"),
        (&["--max-table-size", "0"], "--max-table-size"),
        (&["--time-budget", "x"], "--time-budget"),
        (&["--level", "deep"], "--level"),
        (&["--repair"], "--repair"),
    ] {
        let run = tests::Check::new("check_mysql_tables").args(arguments).gives(State::Unknown, &[]);
        assert!(run.outcome.text().contains(words), "{arguments:?}\n{}", run.outcome.report());
    }
}

#[test]
fn offline_is_refused_while_the_server_runs_and_reads_when_it_is_down() {
    let mut shop = Shop::new().with("MyISAM", &["my"]).with("Aria", &["ar"]).with("InnoDB", &["inn"]);
    shop.offline().gives(State::Unknown, &["a server is using", "holds the lock on"]);
    shop.server.stop();
    let run = shop.offline().gives(State::Ok, &["none damaged"]);
    assert!(run.parsed.value("checked") >= Some(2.0));
    assert!(run.parsed.value("free").is_some());
    shop.offline()
        .args(["--min-free", "100%"])
        .gives(State::Warning, &["of the file system of", "below 100%"]);
    let shop_only = ["--databases", "shop"];
    let run = shop.offline().args(shop_only).gives(State::Ok, &["3 tables in"]);
    assert_eq!(run.parsed.value("tables"), Some(3.0));
    for (file, restore, damage, words) in [
        ("my.MYD", true, tests::tables::remove as fn(&std::path::Path), "shop.my has no data"),
        ("my.MYI", true, tests::tables::remove, "shop.my has no index"),
        ("my.MYI", true, tests::tables::empty, "shop.my is damaged: shop/my.MYI"),
        ("my.frm", true, tests::tables::remove, "shop.my has no definition"),
        ("ar.MAD", true, tests::tables::remove, "shop.ar has no data"),
        ("ar.frm", true, tests::tables::remove, "shop.ar has no definition"),
        ("my.MYD", true, |path| cut(2000)(path), "shop.my is damaged: shop/my.MYD"),
        ("ar.MAD", false, |path| cut(8192)(path), "shop.ar is damaged: shop/ar.MAD"),
    ] {
        let path = shop.file(file);
        let old = fs::read(&path).unwrap();
        damage(&path);
        let run = shop.offline().args(shop_only).gives(State::Critical, &[words]);
        assert_eq!(run.parsed.value("corrupt"), Some(1.0), "{}", run.outcome.report());
        if restore {
            fs::write(&path, old).unwrap();
        }
    }
    fs::remove_file(shop.file("my.MYD")).unwrap();
    fs::remove_file(shop.file("my.MYI")).unwrap();
    shop.offline()
        .args(shop_only)
        .gives(State::Critical, &["shop.my has a definition, shop/my.frm, and no data"]);
    tests::Check::new("check_mysql_tables")
        .args(["--offline", "/proc"])
        .gives(State::Unknown, &["is no data directory"]);
}

#[test]
fn offline_shows_the_mark_a_server_left() {
    let mut shop = Shop::new().with("MyISAM", &["my"]).with("Aria", &["ar"]);
    shop.damage("my.MYD", cut(2000));
    shop.damage("ar.MAD", tests::tables::change(20_000, 16));
    shop.check().args(["--level", "medium"]).gives(State::Critical, &[]);
    shop.server.stop();
    let run = shop.offline().gives(State::Critical, &["is marked as crashed in shop/"]);
    assert_eq!(run.parsed.value("corrupt"), Some(2.0), "{}", run.outcome.report());
}
