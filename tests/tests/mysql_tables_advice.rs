//! What check_mysql_tables advises is done, statement by statement, on tables that are really damaged: the stage that is
//! said to mend a kind of damage mends it, the ones before it do not, and what no repair brings back is lost.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

use std::path::Path;

use lab::mysql::Release;
use lab::mysql::damage::{Damage, Engine};
use lab::output::State;
use tests::tables::{ROWS, Shop, change, cut, empty, remove};

/// The statements for repairs in the advice, in their order.
fn advised(text: &str, table: &str) -> Vec<String> {
    let repair = format!("REPAIR TABLE {table}");
    let words = |rest: &str| {
        let option = rest.trim_start().split([' ', ',', ';']).next().unwrap_or_default();
        let is_option = !option.is_empty() && option.chars().all(|c| c == '_' || c.is_ascii_uppercase());
        if is_option { format!("{repair} {option}") } else { repair.clone() }
    };
    let found = text.lines().filter_map(|line| line.split_once(&repair));
    found.map(|(_, rest)| words(rest)).collect()
}

/// What came of the advice: the option of the repair after which the table is whole, and its rows then.
#[derive(Debug, PartialEq)]
struct Mended {
    by: Option<String>,
    rows: u32,
}

fn by(option: &str, rows: u32) -> Mended {
    Mended { by: Some(option.to_owned()), rows }
}

/// Does what is advised until the table is whole by CHECK TABLE, which is what the advice says.
fn follow(shop: &Shop, table: &str, text: &str) -> Mended {
    let mut admin = shop.admin();
    for statement in advised(text, table) {
        let _ = admin.rows(&statement);
        let rows = admin.rows(&format!("CHECK TABLE {table} MEDIUM"));
        let last = rows.last().and_then(|row| row.get("Msg_text")).unwrap_or_default();
        if rows.len() == 1 && last == "OK" {
            let option = statement.split_once(table).unwrap().1.trim().to_owned();
            let rows = admin.value(&format!("SELECT COUNT(*) AS n FROM {table}")).parse().unwrap();
            return Mended { by: Some(option), rows };
        }
    }
    Mended { by: None, rows: 0 }
}

/// Rows of one length, so that their number is known beforehand.
fn fixed(engine: Engine, damage: Damage) -> (Mended, String) {
    let shop = Shop::new();
    shop.server.fill_table("t", engine);
    shop.server.damage("t", damage);
    let run = shop.check().args(["--level", "medium"]).gives(State::Critical, &["lab.t"]);
    let text = run.outcome.text();
    (follow(&shop, "`lab`.`t`", &text), text)
}

/// Rows of any length, which are found by what the ones before them say.
fn dynamic(engine: &str, file: &str, damage: impl FnOnce(&Path)) -> Mended {
    let shop = Shop::new().with(engine, &["t"]);
    shop.damage(file, damage);
    let run = shop.check().args(["--level", "medium"]).gives(State::Critical, &["shop.t"]);
    let mended = follow(&shop, "`shop`.`t`", &run.outcome.text());
    if mended.by.is_some() {
        shop.check().args(["--level", "medium"]).gives(State::Ok, &["1 table checked"]);
    }
    mended
}

#[test]
fn an_index_is_mended_without_a_loss() {
    assert_eq!(fixed(Engine::MyIsam, Damage::IndexRubbish).0, by("QUICK", ROWS));
    assert_eq!(fixed(Engine::MyIsam, Damage::IndexCut).0, by("QUICK", ROWS));
}

#[test]
fn only_use_frm_makes_an_index_that_is_gone() {
    for damage in [Damage::IndexEmpty, Damage::IndexMissing] {
        let (mended, text) = fixed(Engine::MyIsam, damage);
        assert_eq!(mended, by("USE_FRM", ROWS), "{text}");
        assert_eq!(advised(&text, "`lab`.`t`").len(), 1, "nothing else is worth the time: {text}");
    }
    assert_eq!(dynamic("MyISAM", "t.MYI", change(0, 4)), by("USE_FRM", ROWS));
    assert_eq!(dynamic("Aria", "t.MAI", empty), by("USE_FRM", ROWS));
    assert_eq!(dynamic("Aria", "t.MAI", remove), by("USE_FRM", ROWS));
}

/// That no other repair does, is why nothing else is advised.
#[test]
fn other_repairs_do_nothing_for_an_index_that_is_gone() {
    let shop = Shop::new();
    shop.server.fill_table("t", Engine::MyIsam);
    shop.server.damage("t", Damage::IndexMissing);
    for option in ["QUICK", "", "EXTENDED"] {
        let _ = shop.admin().rows(&format!("REPAIR TABLE lab.t {option}"));
        let last = shop.server.check("t", "MEDIUM").pop().unwrap();
        assert_eq!(last, ("status".to_owned(), "Operation failed".to_owned()), "{option}");
    }
}

/// REPAIR ends with OK, and the warning about rows is what an operator has of it.
#[test]
fn rows_are_lost_with_the_end_of_their_file() {
    let (mended, text) = fixed(Engine::MyIsam, Damage::DataCut);
    assert_eq!(mended, by("QUICK", ROWS - 80), "2000 bytes are 80 rows");
    assert!(text.contains("can have lost rows or kept wrong ones"), "{text}");
    let mended = dynamic("MyISAM", "t.MYD", cut(2000));
    assert!(mended.by.is_some() && (ROWS - 100..ROWS).contains(&mended.rows), "{mended:?}");
}

/// The same where bytes are others: one kind of rows keeps them, the other loses the row.
#[test]
fn wrong_bytes_are_kept_or_their_row_is_lost() {
    let (mended, text) = fixed(Engine::MyIsam, Damage::DataChanged);
    assert_eq!(mended, by("QUICK", ROWS));
    assert!(text.contains("can have lost rows or kept wrong ones"), "{text}");
    let mended = dynamic("MyISAM", "t.MYD", change(20_010, 8));
    assert!(mended.by.is_some() && (ROWS - 3..ROWS).contains(&mended.rows), "{mended:?}");
}

#[test]
fn aria_wants_its_data_written_anew() {
    let (mended, text) = fixed(Engine::Aria, Damage::AriaPage);
    assert_eq!(mended.by, by("", 0).by, "{text}");
    assert!((ROWS - 400..ROWS).contains(&mended.rows), "{mended:?}");
    assert!(text.contains("with QUICK it says OK and mends nothing"), "{text}");
    assert_eq!(dynamic("Aria", "t.MAD", cut(8192)).by, by("", 0).by);
    // QUICK is left out for a reason.
    let shop = Shop::new();
    shop.server.fill_table("t", Engine::Aria);
    shop.server.damage("t", Damage::AriaPage);
    let said = shop.admin().rows("REPAIR TABLE lab.t QUICK").pop().unwrap();
    assert_eq!(said.get("Msg_text"), Some("OK"));
    assert_eq!(shop.server.check("t", "MEDIUM").pop().unwrap().1, "Corrupt");
}

#[test]
fn no_repair_is_advised_where_there_is_nothing_to_repair() {
    let (_, text) = fixed(Engine::MyIsam, Damage::DataMissing);
    assert!(advised(&text, "`lab`.`t`").is_empty(), "{text}");
    assert!(text.contains("`lab`.`t` has no data file"), "{text}");
    for (engine, file) in [("MyISAM", "t.MYD"), ("Aria", "t.MAD")] {
        let shop = Shop::new().with(engine, &["t"]);
        shop.damage(file, remove);
        for option in ["QUICK", "", "EXTENDED"] {
            let _ = shop.admin().rows(&format!("REPAIR TABLE shop.t {option}"));
            shop.check().gives(State::Critical, &["shop.t cannot be opened"]);
        }
    }
}

#[test]
fn csv_has_one_way() {
    let shop = Shop::new();
    shop.admin().run(&[
        "CREATE TABLE shop.t (id INT NOT NULL, v INT NOT NULL) ENGINE=CSV",
        "INSERT INTO shop.t VALUES (1, 2), (3, 4), (5, 6)",
    ]);
    shop.damage("t.CSV", cut(2));
    let run = shop.check().gives(State::Critical, &["shop.t (CSV) is damaged"]);
    assert_eq!(follow(&shop, "`shop`.`t`", &run.outcome.text()), by("", 2));
}

/// A file of InnoDB that is gone names no engine any more.
#[test]
fn innodb_is_never_repaired() {
    let mut shop = Shop::new().with("InnoDB", &["t"]);
    shop.server.stop();
    remove(&shop.file("t.ibd"));
    shop.server.start_again(&[]);
    let run =
        shop.stateless().args(["--level", "state"]).gives(State::Critical, &["shop.t cannot be opened"]);
    let text = run.outcome.text();
    assert!(text.contains("InnoDB: never REPAIR; dump `shop`.`t`"), "{text}");
    assert!(advised(&text, "`shop`.`t`").is_empty(), "{text}");
}

/// MySQL repairs MyISAM with the same words.
#[test]
fn the_stages_are_those_of_mysql() {
    if Release::MySql.is_left_out("the advice of check_mysql_tables") {
        return;
    }
    let shop = Shop::of(Release::MySql).with("MyISAM", &["cut", "rubbish", "gone", "lost"]);
    shop.damage("lost.MYD", remove);
    let run = shop.check().args(["--tables", "lost"]).gives(State::Critical, &["shop.lost"]);
    assert!(run.outcome.text().contains("`shop`.`lost` has no data file"), "{}", run.outcome.report());
    shop.admin().run(&["DROP TABLE IF EXISTS shop.lost"]);
    shop.damage("cut.MYD", cut(2000));
    shop.damage("rubbish.MYI", change(4096, 3000));
    shop.damage("gone.MYI", remove);
    let run = shop.check().args(["--level", "medium"]).gives(State::Critical, &[]);
    assert_eq!(run.parsed.value("corrupt"), Some(3.0), "{}", run.outcome.report());
    // Advice is given for the first table of each kind.
    for (table, one) in [("`shop`.`cut`", "cut"), ("`shop`.`gone`", "gone"), ("`shop`.`rubbish`", "rubbish")]
    {
        let run = shop.check().args(["--level", "medium", "--tables", one]).gives(State::Critical, &[one]);
        let mended = follow(&shop, table, &run.outcome.text());
        assert!(mended.by.is_some(), "{}", run.outcome.report());
        assert_eq!(mended.rows == ROWS, one != "cut", "{one}: {mended:?}");
    }
    shop.check().args(["--level", "medium"]).gives(State::Ok, &["3 tables checked"]);
}
