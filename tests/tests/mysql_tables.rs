//! check_mysql_tables against a real MariaDB: what damage looks like at each level.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::float_cmp,
    reason = "test code"
)]

use std::fs;
use std::path::Path;

use lab::mysql::Release;
use lab::output::State;
use tests::Run;
use tests::package::workspace;
use tests::tables::{Shop, change, cut, empty, remove};

fn figures(run: &Run) -> [Option<f64>; 5] {
    ["tables", "checked", "corrupt", "warnings", "skipped"].map(|label| run.parsed.value(label))
}

#[test]
fn ok_whole_tables_of_every_engine() {
    let shop = Shop::new().with("MyISAM", &["my"]).with("Aria", &["ar"]).with("InnoDB", &["inn"]);
    shop.admin().run(&[
        "CREATE TABLE shop.c (id INT NOT NULL) ENGINE=CSV",
        "CREATE TABLE shop.mem (id INT) ENGINE=MEMORY",
        "CREATE TABLE shop.base (id INT) ENGINE=MyISAM",
        "CREATE VIEW shop.broken AS SELECT * FROM shop.base",
        "DROP TABLE shop.base",
        "CREATE SEQUENCE shop.seq ENGINE=MyISAM",
        "CREATE TABLE shop.`odd ``name` (id INT) ENGINE=MyISAM",
        "CREATE TABLE shop.part (id INT) ENGINE=MyISAM PARTITION BY HASH(id) PARTITIONS 2",
    ]);
    for more in [&[][..], &["--level", "medium"], &["--level", "extended", "--resume"]] {
        let run = shop.check().args(more).gives(State::Ok, &["5 tables checked, none damaged"]);
        assert_eq!(figures(&run), [Some(5.0), Some(5.0), Some(0.0), Some(0.0), Some(0.0)]);
    }
    let run = shop.check().args(["--innodb"]).gives(State::Ok, &["6 tables checked"]);
    assert!(run.parsed.value("oldest_age").unwrap() < 60.0);
    let run = shop.stateless().args(["--level", "state"]).gives(State::Ok, &["8 tables can be opened"]);
    assert_eq!(run.parsed.value("oldest_age"), None, "nothing is remembered at this level");
    shop.check().args(["--tables", "my,shop.ar"]).gives(State::Ok, &["2 tables checked"]);
    shop.check().args(["--exclude", "*.ar,part", "--engine", "aria,myisam"]).gives(State::Ok, &["2 tables"]);
    shop.check().args(["--databases", "mysql"]).gives(State::Ok, &["tables checked, none damaged"]);
    shop.check().args(["--databases", "blog"]).gives(State::Unknown, &["no table of MyISAM, Aria, CSV"]);
}

/// Damages one table of this engine, and says what each level makes of it.
fn damaged(engine: &str, file: &str, damage: impl FnOnce(&Path), quick: State, words: &[&str]) -> Run {
    let shop = Shop::new().with(engine, &["t", "whole"]);
    shop.damage(file, damage);
    let lowest = ["--deep-every", "off"];
    shop.check().args(lowest).gives(quick, if quick == State::Ok { &[] } else { words });
    let found = shop.check().args(["--level", "medium"]).gives(State::Critical, &["shop.t"]);
    assert_eq!(figures(&found)[..3], [Some(2.0), Some(2.0), Some(1.0)], "{}", found.outcome.report());
    // Once found it stays found, also by the level that was blind to it.
    let after = shop.check().args(lowest).gives(State::Critical, &["shop.t"]);
    let advice = after.outcome.text();
    assert!(advice.contains("`shop`.`t`"), "{advice}");
    found
}

#[test]
fn critical_data_file_cut() {
    damaged(
        "MyISAM",
        "t.MYD",
        cut(2000),
        State::Critical,
        &["shop.t (MyISAM) is damaged", "Size of datafile"],
    );
}

#[test]
fn critical_data_bytes_changed_which_only_medium_sees() {
    damaged("MyISAM", "t.MYD", change(20_010, 8), State::Ok, &[]);
}

#[test]
fn critical_index_page_changed() {
    damaged("MyISAM", "t.MYI", change(2048, 3000), State::Critical, &["shop.t"]);
}

#[test]
fn critical_index_file_cut() {
    damaged("MyISAM", "t.MYI", cut(2048), State::Critical, &["shop.t"]);
}

#[test]
fn critical_index_empty_or_missing_wants_the_last_stage() {
    for damage in [empty as fn(&Path), remove] {
        let found = damaged("MyISAM", "t.MYI", damage, State::Critical, &["shop.t cannot be opened"]);
        assert!(found.outcome.text().contains("REPAIR TABLE `shop`.`t` USE_FRM"));
    }
}

#[test]
fn critical_data_file_missing() {
    let found = damaged("MyISAM", "t.MYD", remove, State::Critical, &["shop.t cannot be opened", "t.MYD"]);
    assert!(!found.outcome.text().contains("REPAIR TABLE"), "there is nothing to repair");
}

#[test]
fn critical_aria_page_which_only_medium_sees() {
    damaged("Aria", "t.MAD", change(20_000, 16), State::Ok, &[]);
}

#[test]
fn critical_innodb_page_and_the_server_lives() {
    let mut shop = Shop::new().with("InnoDB", &["t", "whole"]);
    shop.server.stop();
    change(20 * 16_384 + 200, 4000)(&shop.file("t.ibd"));
    shop.server.start_again(&[]);
    shop.check().gives(State::Unknown, &["no table of MyISAM"]);
    let run = shop.check().args(["--innodb"]).gives(State::Critical, &["shop.t (InnoDB) is damaged"]);
    assert!(run.outcome.text().contains("InnoDB: never REPAIR"));
    assert!(!run.outcome.text().contains("REPAIR TABLE"));
    assert!(!shop.server.has_crashed());
}

#[test]
fn warning_a_table_that_was_not_closed() {
    let mut shop = Shop::new().with("MyISAM", &["t"]);
    shop.admin().run(&["INSERT INTO shop.t (v) VALUES (1)"]);
    shop.server.kill();
    shop.offline().gives(State::Warning, &["shop.t was not closed", "open for 1 server"]);
    shop.server.start_again(&[]);
    let words = ["shop.t (MyISAM) is whole, but", "hasn't closed the table properly"];
    let run = shop.check().gives(State::Warning, &words);
    assert_eq!(figures(&run), [Some(1.0), Some(1.0), Some(0.0), Some(1.0), Some(0.0)]);
    shop.check().gives(State::Ok, &["1 table checked"]);
}

#[test]
fn unknown_without_privileges() {
    let shop = Shop::new().with("MyISAM", &["t"]);
    shop.admin().run(&["CREATE USER stranger IDENTIFIED BY 'tables-secret'"]);
    shop.check_as("stranger").gives(State::Unknown, &["no table of MyISAM, Aria, CSV, ARCHIVE fits"]);
}

/// What the README grants is enough on both families, and what it says of less is so.
#[test]
fn grants_of_the_readme() {
    let readme = fs::read_to_string(workspace().join("plugins/check_mysql_tables/README.md")).unwrap();
    let (_, privileges) = readme.split_once("## Privileges").unwrap();
    let grants: Vec<String> = privileges
        .lines()
        .take_while(|line| !line.starts_with("## "))
        .filter(|line| line.starts_with("CREATE USER") || line.starts_with("GRANT"))
        .map(|line| line.replace("monitor@'192.0.2.%'", "reader@'%'").replace("'...'", "'tables-secret'"))
        .collect();
    assert!(grants.len() >= 2, "{privileges}");
    for release in [Release::MariaDb, Release::MySql] {
        if release.is_left_out("the grants of check_mysql_tables") {
            continue;
        }
        let shop = Shop::of(release).with("MyISAM", &["my", "other"]);
        shop.admin().run(&grants.iter().map(String::as_str).collect::<Vec<_>>());
        shop.check_as("reader").gives(State::Ok, &["2 tables checked, none damaged"]);
        // Rights on one of two tables show one of two.
        shop.admin()
            .run(&["CREATE USER clerk IDENTIFIED BY 'tables-secret'", "GRANT SELECT ON shop.my TO clerk"]);
        shop.check_as("clerk").gives(State::Ok, &["1 table checked"]);
        shop.admin().run(&["GRANT CREATE VIEW ON shop.* TO clerk"]);
        if release.is_mariadb() {
            shop.check_as("clerk").gives(State::Ok, &["2 tables checked"]);
            continue;
        }
        let run = shop.check_as("clerk").gives(State::Unknown, &["shop.other (MyISAM) cannot be checked"]);
        assert!(run.outcome.text().contains("GRANT SELECT ON `shop`.*"), "{}", run.outcome.report());
        assert_eq!(figures(&run), [Some(2.0), Some(1.0), Some(0.0), Some(0.0), Some(1.0)]);
    }
}

#[test]
fn the_newer_mariadb_says_the_same() {
    if Release::NewerMariaDb.is_left_out("check_mysql_tables") {
        return;
    }
    let mut shop = Shop::of(Release::NewerMariaDb)
        .with("MyISAM", &["cut", "my"])
        .with("Aria", &["ar"])
        .with("InnoDB", &["inn"]);
    shop.check().gives(State::Ok, &["3 tables checked, none damaged"]);
    shop.check().args(["--innodb"]).gives(State::Ok, &["4 tables checked, none damaged"]);
    shop.damage("cut.MYD", cut(2000));
    shop.damage("my.MYI", remove);
    shop.damage("ar.MAD", change(20_000, 16));
    let run = shop.check().args(["--level", "medium"]).gives(State::Critical, &["shop.ar", "shop.cut"]);
    assert!(run.outcome.text().contains("shop.my cannot be opened"), "{}", run.outcome.report());
    assert_eq!(figures(&run)[..3], [Some(3.0), Some(3.0), Some(3.0)], "{}", run.outcome.report());
    shop.server.stop();
    change(20 * 16_384 + 200, 4000)(&shop.file("inn.ibd"));
    shop.server.start_again(&[]);
    let only = ["--tables", "inn", "--innodb"];
    shop.check().args(only).gives(State::Critical, &["shop.inn (InnoDB) is damaged"]);
    assert!(!shop.server.has_crashed());
}

#[test]
fn mysql_never_checks_innodb_unasked() {
    if Release::MySql.is_left_out("check_mysql_tables") {
        return;
    }
    let mut shop = Shop::of(Release::MySql).with("InnoDB", &["inn"]).with("MyISAM", &["my"]);
    shop.check().gives(State::Ok, &["1 table checked"]);
    let run = shop.check().args(["--innodb"]).gives(State::Unknown, &["MySQL aborts"]);
    assert!(run.outcome.text().contains("--innodb-may-crash-server"));
    shop.check().args(["--innodb-may-crash-server"]).gives(State::Ok, &["2 tables checked"]);
    shop.damage("my.MYD", cut(2000));
    shop.check().gives(State::Critical, &["shop.my", "Size of datafile"]);

    shop.server.stop();
    change(20 * 16_384 + 200, 4000)(&shop.file("inn.ibd"));
    shop.server.start_again(&[]);
    let crash = ["--innodb-may-crash-server", "--tables", "inn"];
    shop.check().args(crash).gives(State::Critical, &["connection lost while checking shop.inn"]);
    shop.server.kill();
    shop.server.start_again(&[]);
    for _ in 0..2 {
        shop.check().args(crash).gives(State::Critical, &["the server went down during a check of shop.inn"]);
    }
    assert!(!shop.server.has_crashed(), "it was not checked again");
}
