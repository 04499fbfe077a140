//! check_mysql_tables --offline on the pages of InnoDB that real servers wrote, in every size and form they have.
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
use std::process::Command;

use lab::mysql::{Release, files};
use lab::output::State;
use lab::process::{program, shared_folder};
use tests::Check;
use tests::tables::{Shop, change, cut};

const SHOP: [&str; 2] = ["--databases", "shop"];

/// Damages a page, looks whether the check names it, and mends it again.
fn is_named(datadir: &Path, table: &str, page: u64, page_size: u64) {
    let path = datadir.join(format!("shop/{table}.ibd"));
    let whole = fs::read(&path).unwrap();
    change(page * page_size + page_size / 2, 3)(&path);
    let words = format!("shop.{table} is damaged: page {page} of shop/{table}.ibd does not fit its checksum");
    let run = offline(datadir).args(SHOP).gives(State::Critical, &[&words]);
    assert_eq!(run.parsed.value("corrupt"), Some(1.0), "{}", run.outcome.report());
    assert!(run.outcome.text().contains("InnoDB: never repair"), "{}", run.outcome.report());
    fs::write(&path, whole).unwrap();
}

fn offline(datadir: &Path) -> Check {
    Check::new("check_mysql_tables").args(["--offline", datadir.to_str().unwrap(), "--min-free", "0"])
}

/// Creates the table, and fills it with so many rows.
fn fill(shop: &Shop, name: &str, options: &str, rows: u32) {
    let create =
        format!("CREATE TABLE shop.{name} (id INT PRIMARY KEY, t VARCHAR(200)) ENGINE=InnoDB {options}");
    let rows = format!("INSERT INTO shop.{name} SELECT id, REPEAT(t, 5) FROM shop.t LIMIT {rows}");
    shop.admin().run(&[&create, &rows]);
}

#[test]
fn pages_of_every_release() {
    for release in Release::ALL.into_iter().filter(|release| !release.is_left_out("pages of InnoDB")) {
        let mut shop = Shop::of(release).with("InnoDB", &["t"]);
        fill(&shop, "zip", "ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=4", 5000);
        shop.server.stop();
        let datadir = shop.server.datadir();
        let run = offline(&datadir).gives(State::Ok, &["none damaged", "InnoDB files read"]);
        assert_eq!(run.parsed.value("skipped"), Some(0.0), "{}", run.outcome.report());
        offline(&datadir).args(SHOP).gives(State::Ok, &["2 tables in", "2/2 InnoDB files read"]);
        for page in [0, 4, 20] {
            is_named(&datadir, "t", page, 16 << 10);
        }
        is_named(&datadir, "zip", 9, 4 << 10);
        if release == Release::MySql {
            let dictionary = datadir.join("mysql.ibd");
            change(5 * 16_384 + 3000, 4)(&dictionary);
            offline(&datadir).gives(State::Critical, &["mysql is damaged: page 5 of mysql.ibd"]);
        }
    }
}

/// The checksums that MariaDB has had before, and what it compresses.
#[test]
fn older_and_compressed_pages_of_mariadb() {
    let mut shop = Shop::new().with("InnoDB", &["t"]);
    fill(&shop, "packed", "PAGE_COMPRESSED=1", 20_000);
    shop.admin().run(&["SET GLOBAL innodb_checksum_algorithm = crc32"]);
    fill(&shop, "older", "", 5000);
    shop.server.stop();
    let datadir = shop.server.datadir();
    offline(&datadir).args(SHOP).gives(State::Ok, &["3 tables in", "3/3 InnoDB files read"]);
    assert_eq!(fs::read(shop.file("older.ibd")).unwrap()[57] & 0x10, 0, "no full_crc32");
    is_named(&datadir, "older", 6, 16 << 10);
    // What is left of a page is shorter than half of it.
    let packed = shop.file("packed.ibd");
    change(6 * 16_384 + 100, 4)(&packed);
    offline(&datadir)
        .args(SHOP)
        .gives(State::Critical, &["page 6 of shop/packed.ibd does not fit its checksum"]);
}

#[test]
fn unknown_compressed_pages_that_hide_their_checksum() {
    let mut shop = Shop::new().with("InnoDB", &["t"]);
    shop.admin().run(&["SET GLOBAL innodb_checksum_algorithm = crc32"]);
    fill(&shop, "packed", "PAGE_COMPRESSED=1", 5000);
    shop.server.stop();
    let run = shop.offline().args(SHOP).gives(State::Unknown, &["of shop/packed.ibd not judged: compressed"]);
    assert!(run.outcome.text().contains("--exclude"), "{}", run.outcome.report());
    shop.offline().args(SHOP).args(["--exclude", "packed"]).gives(State::Ok, &["none damaged"]);
}

/// The checksum that InnoDB began with, and none at all, which the newest server still writes.
#[test]
fn oldest_checksums_of_mysql() {
    if Release::MySql.is_left_out("pages of InnoDB") {
        return;
    }
    let mut shop = Shop::of(Release::MySql).with("InnoDB", &["t"]);
    shop.admin().run(&["SET GLOBAL innodb_checksum_algorithm = innodb"]);
    fill(&shop, "oldest", "", 5000);
    fill(&shop, "zip", "ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=8", 5000);
    shop.server.stop();
    let datadir = shop.server.datadir();
    offline(&datadir).gives(State::Ok, &["none damaged"]);
    let page = fs::read(shop.file("oldest.ibd")).unwrap()[5 << 14..6 << 14].to_vec();
    assert_ne!(page[..4], page[page.len() - 8..][..4], "CRC-32C is the same at both ends");
    is_named(&datadir, "oldest", 5, 16 << 10);
    is_named(&datadir, "zip", 5, 8 << 10);
    shop.server.start_again(&["--innodb-checksum-algorithm=none"]);
    fill(&shop, "bare", "", 5000);
    shop.server.stop();
    offline(&datadir).args(SHOP).gives(State::Unknown, &["of shop/bare.ibd not judged: without a checksum"]);
}

#[test]
fn every_size_of_pages() {
    let folder = shared_folder();
    for kibibytes in [4, 8, 16, 32, 64] {
        let datadir = folder.path().join(format!("pages-{kibibytes}"));
        let mut sql = "CREATE DATABASE shop;\n\
            CREATE TABLE shop.t (id INT AUTO_INCREMENT PRIMARY KEY, t VARCHAR(500)) ENGINE=InnoDB;\n\
            INSERT INTO shop.t (t) VALUES (REPEAT('x', 500));\n"
            .to_owned();
        sql += &"INSERT INTO shop.t (t) SELECT t FROM shop.t;\n".repeat(11);
        files::make_with_pages(&datadir, kibibytes, &sql);
        offline(&datadir).args(SHOP).gives(State::Ok, &["1 table in", "1/1 InnoDB files read"]);
        is_named(&datadir, "t", 5, u64::from(kibibytes) << 10);
    }
}

/// Innochecksum is what operators have: it and the check find the same in the same files.
#[test]
fn innochecksum_agrees() {
    let mut shop = Shop::new().with("InnoDB", &["t"]);
    shop.server.stop();
    let file = shop.file("t.ibd");
    let whole = fs::read(&file).unwrap();
    let theirs = || {
        let output =
            Command::new(program("innochecksum", "mariadb-server-core")).arg(&file).output().unwrap();
        output.status.success()
    };
    let ours = || shop.offline().args(SHOP).outcome().parsed().state == State::Ok;
    assert_eq!((theirs(), ours()), (true, true));
    for at in [0, 26, 30, 38, 16_380, 16_384, 5 * 16_384 + 8, 5 * 16_384 + 8000, 9 * 16_384 - 1] {
        change(at, 1)(&file);
        assert_eq!(theirs(), ours(), "byte {at}");
        assert!(!ours(), "byte {at}");
        fs::write(&file, &whole).unwrap();
    }
}

#[test]
fn files_that_are_no_tablespaces() {
    let mut shop = Shop::new().with("InnoDB", &["t"]).with("InnoDB", &["large"]);
    shop.server.stop();
    let datadir = shop.server.datadir();
    let file = shop.file("t.ibd");
    let whole = fs::read(&file).unwrap();
    let critical = |words: &str| offline(&datadir).args(SHOP).gives(State::Critical, &[words]);
    cut(3 * 16_384)(&file);
    critical("shop.t is damaged: shop/t.ibd has");
    for (content, words) in [
        (&[][..], "shop/t.ibd: \"it is empty or ends within its first page\""),
        (&whole[..1000], "shop/t.ibd: \"it is empty or ends within its first page\""),
        (&vec![0; 65_536], "shop/t.ibd: \"its first page is empty\""),
        (&vec![0xff; 65_536], "shop/t.ibd: \"its first page names no size of pages\""),
    ] {
        fs::write(&file, content).unwrap();
        critical(words);
    }
    let mut misplaced = whole.clone();
    misplaced.copy_within(4 * 16_384..5 * 16_384, 5 * 16_384);
    fs::write(&file, misplaced).unwrap();
    critical("page 5 of shop/t.ibd is a copy of page 4");
    // Nobody will ever write to it.
    fs::remove_file(&file).unwrap();
    assert!(Command::new("mkfifo").arg(&file).status().unwrap().success());
    offline(&datadir).args(SHOP).gives(State::Unknown, &["t.ibd: it is no regular file"]);
    fs::remove_file(&file).unwrap();
    fs::write(&file, &whole).unwrap();
    // A terabyte of pages that were never written.
    fs::OpenOptions::new().write(true).open(shop.file("large.ibd")).unwrap().set_len(1 << 40).unwrap();
    let run = offline(&datadir)
        .args(SHOP)
        .args(["--time-budget", "1s"])
        .gives(State::Ok, &["1/2 InnoDB files read (1 beyond --time-budget)"]);
    assert!(run.parsed.value("time").unwrap() < 5.0, "{}", run.outcome.report());
    offline(&datadir)
        .args(SHOP)
        .args(["--tables", "large", "--time-budget", "1s"])
        .gives(State::Unknown, &["0/1 InnoDB files read"]);
}
