//! Each damage of a table is what the server itself says of it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use lab::mysql::Release;
use lab::mysql::damage::{Damage, Engine, ROWS, Verdict};
use lab::mysql::server::{Server, ServerOptions};

/// The word of the last row, and whether there is an error with this text.
fn ends(verdict: &Verdict, last: &str) -> bool {
    verdict.last().is_some_and(|(_, text)| text == last)
}

fn says(verdict: &Verdict, part: &str) -> bool {
    verdict.iter().any(|(_, text)| text.contains(part))
}

/// MariaDB does not mend a table when it opens it, so that each check sees the same.
fn server(release: Release) -> Server {
    let options = ServerOptions::of(release);
    Server::start(&if release.is_mariadb() {
        options.argument("--myisam-recover-options=OFF")
    } else {
        options
    })
}

/// Damage, level, the end of the verdict, a part of it.
const MYISAM: &[(Damage, &str, &str, &str)] = &[
    (Damage::DataCut, "QUICK", "Corrupt", "Size of datafile"),
    (Damage::DataChanged, "QUICK", "OK", "OK"),
    (Damage::DataChanged, "MEDIUM", "Corrupt", "Checksum for key"),
    (Damage::IndexRubbish, "QUICK", "Corrupt", ""),
    (Damage::IndexCut, "QUICK", "Corrupt", "Size of indexfile"),
    (Damage::IndexEmpty, "QUICK", "Corrupt", "Incorrect file format"),
    (Damage::IndexMissing, "QUICK", "Operation failed", "Can't find file"),
    (Damage::DataMissing, "QUICK", "Corrupt", "not found"),
];

#[test]
fn every_damage_of_myisam_has_its_words() {
    for release in [Release::MariaDb, Release::MySql] {
        if release.is_left_out("damaged MyISAM tables") {
            continue;
        }
        let server = server(release);
        for (number, (damage, level, end, part)) in MYISAM.iter().enumerate() {
            let name = format!("t{number}");
            server.fill_table(&name, Engine::MyIsam);
            assert!(ends(&server.check(&name, "MEDIUM"), "OK"), "{release:?} {damage:?} is bad before");
            server.damage(&name, *damage);
            let verdict = server.check(&name, level);
            // MySQL has its own words for files that are missing.
            let is_missing =
                matches!(damage, Damage::IndexEmpty | Damage::IndexMissing | Damage::DataMissing);
            if release.is_mariadb() || !is_missing {
                assert!(ends(&verdict, end) && says(&verdict, part), "{release:?} {damage:?} {verdict:?}");
            } else {
                assert!(!ends(&verdict, "OK"), "{release:?} {damage:?} {verdict:?}");
            }
        }
        assert!(!server.has_crashed());
    }
}

#[test]
fn definition_gone_and_files_left() {
    let server = server(Release::MariaDb);
    server.fill_table("orphan", Engine::MyIsam);
    server.damage("orphan", Damage::DefinitionMissing);
    assert!(server.table_file("orphan", "MYD").exists() && !server.table_file("orphan", "frm").exists());
    assert!(says(&server.check("orphan", "QUICK"), "doesn't exist"), "{:?}", server.check("orphan", "QUICK"));
}

#[test]
fn aria_and_innodb_of_mariadb() {
    let mut server = server(Release::MariaDb);
    server.fill_table("aria", Engine::Aria);
    server.fill_table("inno", Engine::InnoDb);
    let healthy = ["aria", "inno"].map(|name| server.check(name, "MEDIUM"));
    assert!(healthy.iter().all(|verdict| ends(verdict, "OK")), "{healthy:?}");
    assert_eq!(server.admin().value("SELECT COUNT(*) FROM lab.aria"), ROWS.to_string());

    server.damage("aria", Damage::AriaPage);
    assert!(ends(&server.check("aria", "QUICK"), "OK"));
    let verdict = server.check("aria", "MEDIUM");
    assert!(ends(&verdict, "Corrupt"), "{verdict:?}");

    server.damage_innodb("inno");
    let verdict = server.check("inno", "QUICK");
    assert!(ends(&verdict, "Corrupt") && says(&verdict, "is corrupted"), "{verdict:?}");
    assert!(!server.has_crashed());
}

#[test]
fn innodb_page_ends_mysql() {
    if Release::MySql.is_left_out("a damaged InnoDB page") {
        return;
    }
    let mut server = server(Release::MySql);
    server.fill_table("inno", Engine::InnoDb);
    server.damage_innodb("inno");
    let mut admin = server.admin();
    let lost = admin.query("CHECK TABLE lab.inno QUICK").unwrap_err();
    assert_eq!(lost.number(), 0, "an end of the connection, no answer: {lost}");
    server.wait_for_crash();
    assert!(server.log().contains("Database page corruption"));
}

#[test]
fn table_that_was_not_closed() {
    let mut server = server(Release::MariaDb);
    server.fill_table("dirty", Engine::MyIsam);
    let header = |server: &Server| std::fs::read(server.table_file("dirty", "MYI")).unwrap();
    let open_count = |header: &[u8]| u16::from_be_bytes([header[24], header[25]]);
    // Changed since the last check, and closed.
    assert_eq!((open_count(&header(&server)), header(&server)[26] & 7), (0, 1));
    server.leave_dirty("dirty");
    assert_eq!((open_count(&header(&server)), header(&server)[26] & 7), (1, 1));
    server.start_again(&[]);
    let verdict = server.check("dirty", "QUICK");
    assert!(ends(&verdict, "OK") && says(&verdict, "hasn't closed the table properly"), "{verdict:?}");
    assert!(verdict.iter().any(|(kind, _)| kind.eq_ignore_ascii_case("warning")), "{verdict:?}");
}

#[test]
fn views_and_memory_are_no_tables_to_check() {
    let server = server(Release::MariaDb);
    server.admin().run(&[
        "CREATE TABLE lab.base (id INT)",
        "CREATE VIEW lab.seen AS SELECT * FROM lab.base",
        "DROP TABLE lab.base",
        "CREATE TABLE lab.fleeting (id INT) ENGINE=MEMORY",
    ]);
    let verdict = server.check("seen", "QUICK");
    assert!(ends(&verdict, "Corrupt"), "{verdict:?}");
    let verdict = server.check("fleeting", "QUICK");
    assert!(says(&verdict, "doesn't support check") && verdict[0].0 == "note", "{verdict:?}");
}
