//! From the files of a server that is down to findings and figures.

use std::collections::BTreeSet;
use std::path::Path;

use common::report::{Finding, Report, State, quote};

use crate::CheckMysqlTables;
use crate::advice::{add_offline_advice, add_orphan_advice};
use crate::figures::{Counts, as_figure, count, size};
use crate::offline::pages::{PageFault, Unjudged};
use crate::offline::{Fault, SeenFault, SeenFiles};

/// Judges a data directory.
pub(crate) fn judge_files(options: &CheckMysqlTables, seen: &SeenFiles) -> Report {
    let mut report = Report::new();
    let limit = options.offline.min_free();
    let free =
        seen.room.filter(|(_, all)| *all > 0).map(|(free, all)| as_figure(free) * 100.0 / as_figure(all));
    let tables_with = |state: State| -> usize {
        let faults = seen.faults.iter().filter(|fault| self::state(&fault.fault) == state);
        faults.map(|fault| &fault.table).collect::<BTreeSet<_>>().len()
    };
    let counts = Counts {
        tables: seen.tables,
        checked: seen.heads + seen.tablespaces,
        damaged: tables_with(State::Critical),
        warned: tables_with(State::Warning),
        skipped: seen.unread.len() + seen.left + seen.unjudged.len(),
        oldest: None,
        has_ages: false,
        free: Some((free, limit)),
    };
    counts.record(&mut report);
    for fault in &seen.faults {
        report.add(judge_fault(fault));
    }
    for text in &seen.unread {
        report.find("unread", State::Unknown, format!("cannot read {text}"));
    }
    judge_unjudged(seen, &mut report);
    judge_room(seen, free, limit, &mut report);
    judge_coverage(seen, counts.damaged, &mut report);
    advise(seen, &mut report);
    report
}

fn advise(seen: &SeenFiles, report: &mut Report) {
    let faults = || seen.faults.iter().filter(|fault| state(&fault.fault) != State::Ok);
    let damaged = || faults().filter(|fault| !is_orphan(&fault.fault));
    let of_innodb = damaged().any(is_innodb);
    let of_others = damaged().any(|fault| !is_innodb(fault));
    add_offline_advice(of_others, of_innodb, report);
    if faults().any(|fault| is_orphan(&fault.fault)) {
        add_orphan_advice(report);
    }
}

fn is_innodb(fault: &SeenFault) -> bool {
    Path::new(&fault.file).extension().is_some_and(|ending| ending == "ibd")
}

/// Pages that keep their checksum to those who have a key are neither whole nor damaged.
fn judge_unjudged(seen: &SeenFiles, report: &mut Report) {
    for unjudged in &seen.unjudged {
        let why = match unjudged.why {
            Unjudged::Encrypted => "encrypted",
            Unjudged::Compressed => "compressed",
            Unjudged::NoChecksum => "without a checksum",
        };
        let pages = count(usize::try_from(unjudged.pages).unwrap_or(usize::MAX), "page");
        let text = format!("{pages} of {} not judged: {why}", unjudged.file);
        report.add(
            Finding::new("unjudged", State::Unknown, text)
                .with_hint("only the server can read them; --exclude leaves the table out"),
        );
    }
}

/// What an OK says.
fn judge_coverage(seen: &SeenFiles, damaged: usize, report: &mut Report) {
    if seen.tables == 0 {
        report.find("nothing", State::Unknown, format!("no table fits in {}", seen.folder));
        return;
    }
    let mut text = match damaged {
        0 => format!("{} in {}, none damaged", count(seen.tables, "table"), seen.folder),
        _ => format!("{} in {}, {damaged} damaged", count(seen.tables, "table"), seen.folder),
    };
    text += " by marks, lengths and missing files";
    let all = seen.tablespaces + seen.left;
    if all > 0 {
        text += &format!(", {}/{all} InnoDB files read", seen.tablespaces);
    }
    if seen.left > 0 {
        text += &format!(" ({} beyond --time-budget)", seen.left);
    }
    let is_blind = seen.left > 0 && seen.tablespaces == 0;
    report.find("coverage", if is_blind { State::Unknown } else { State::Ok }, text);
}

fn is_orphan(fault: &Fault) -> bool {
    matches!(fault, Fault::NoDefinition | Fault::NoFiles)
}

const fn state(fault: &Fault) -> State {
    match fault {
        Fault::NotClosed(_) | Fault::Long { .. } => State::Warning,
        Fault::Leftover => State::Ok,
        Fault::Crashed { .. }
        | Fault::Short { .. }
        | Fault::Pages { .. }
        | Fault::NoHead(_)
        | Fault::NoIndex
        | Fault::NoData
        | Fault::NoDefinition
        | Fault::NoFiles => State::Critical,
    }
}

fn judge_fault(seen: &SeenFault) -> Finding {
    let SeenFault { table, file, fault } = seen;
    let (id, text) = match fault {
        Fault::Crashed { repair_failed: false } => {
            ("crashed", format!("{table} is marked as crashed in {file}"))
        }
        Fault::Crashed { repair_failed: true } => {
            ("crashed", format!("{table} is marked as crashed in {file}, and a repair failed"))
        }
        Fault::NotClosed(clients) => {
            let who = count(usize::from(*clients), "server");
            ("not_closed", format!("{table} was not closed: {file} is still open for {who}"))
        }
        Fault::Short { found, expected } => {
            let who = if is_innodb(seen) { "first page" } else { "index" };
            let text = format!("{table} is damaged: {file} has {found} bytes, its {who} says {expected}");
            ("short", text)
        }
        Fault::Pages { first, fault, count } => {
            let more = if *count > 1 { format!(" ({count} damaged pages)") } else { String::new() };
            let what = match fault {
                PageFault::Checksum => "does not fit its checksum".to_owned(),
                PageFault::Torn => "was written in part".to_owned(),
                PageFault::Number(other) => format!("is a copy of page {other}"),
            };
            ("pages", format!("{table} is damaged: page {first} of {file} {what}{more}"))
        }
        Fault::Long { found, expected } => {
            ("long", format!("{table}: {file} has {found} bytes, more than the {expected} its index knows"))
        }
        Fault::NoHead(text) => ("no_head", format!("{table} is damaged: {file}: {}", quote(text))),
        Fault::NoIndex => ("no_index", format!("{table} has no index: {file} is missing")),
        Fault::NoData => ("no_data", format!("{table} has no data: {file} is missing")),
        Fault::NoDefinition => ("no_definition", format!("{table} has no definition beside {file}")),
        Fault::NoFiles => ("no_files", format!("{table} has a definition, {file}, and no data")),
        Fault::Leftover => {
            let text = format!("{file} was left by a change of a table that did not end");
            return Finding { is_note: true, ..Finding::new("leftover", State::Ok, text) };
        }
    };
    Finding::new(id, state(fault), text)
}

/// A full disk is what damages tables most.
fn judge_room(seen: &SeenFiles, free: Option<f64>, limit: f64, report: &mut Report) {
    match (free, seen.room) {
        (Some(percent), Some((free, _))) if percent < limit => {
            let text = format!(
                "{percent:.1}% ({}) of the file system of {} are free, warning below {limit}%",
                size(free),
                seen.folder
            );
            report.find("free", State::Warning, text);
        }
        (Some(_), _) => {}
        (None, _) => report.find("free", State::Unknown, "cannot see how full the file system is"),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::offline::SeenUnjudged;
    use crate::tables::TableName;

    fn seen() -> SeenFiles {
        SeenFiles {
            folder: "/data".to_owned(),
            tables: 3,
            heads: 1,
            tablespaces: 2,
            room: Some((50, 100)),
            ..SeenFiles::default()
        }
    }

    fn with(file: &str, fault: Fault) -> SeenFiles {
        let table = TableName { schema: "shop".to_owned(), name: "t".to_owned() };
        SeenFiles { faults: vec![SeenFault { table, file: file.to_owned(), fault }], ..seen() }
    }

    fn judged(seen: &SeenFiles) -> (State, Vec<String>) {
        let options = CheckMysqlTables::parse_from(["check_mysql_tables", "--offline", "/data"]);
        let report = judge_files(&options, seen);
        (report.state(), report.findings().iter().map(|finding| finding.text.clone()).collect())
    }

    #[test]
    fn ok_all_was_read_or_the_rest_is_beyond_the_budget() {
        let text =
            "3 tables in /data, none damaged by marks, lengths and missing files, 2/2 InnoDB files read";
        assert_eq!(judged(&seen()), (State::Ok, vec![text.to_owned()]));
        let (state, texts) = judged(&SeenFiles { left: 4, ..seen() });
        assert_eq!(state, State::Ok);
        assert!(texts[0].ends_with("2/6 InnoDB files read (4 beyond --time-budget)"), "{texts:?}");
        let (_, texts) = judged(&SeenFiles { tablespaces: 0, ..seen() });
        assert!(texts[0].ends_with("missing files"), "no word of InnoDB where there is none: {texts:?}");
    }

    #[test]
    fn critical_pages_and_what_helps_them() {
        for (fault, words) in [
            (PageFault::Checksum, "page 20 of shop/t.ibd does not fit its checksum (3 damaged pages)"),
            (PageFault::Torn, "page 20 of shop/t.ibd was written in part (3 damaged pages)"),
            (PageFault::Number(7), "page 20 of shop/t.ibd is a copy of page 7 (3 damaged pages)"),
        ] {
            let (state, texts) = judged(&with("shop/t.ibd", Fault::Pages { first: 20, fault, count: 3 }));
            assert_eq!(
                (state, texts[0].as_str()),
                (State::Critical, &*format!("shop.t is damaged: {words}"))
            );
            assert!(texts.iter().any(|line| line.starts_with("InnoDB: never repair")), "{texts:?}");
            assert!(texts.iter().all(|line| !line.contains("myisamchk")), "{texts:?}");
        }
        let short = Fault::Short { found: 1, expected: 2 };
        let (state, texts) = judged(&with("shop/t.ibd", short.clone()));
        assert_eq!(state, State::Critical);
        assert!(texts[0].ends_with("shop/t.ibd has 1 bytes, its first page says 2"), "{texts:?}");
        let (_, texts) = judged(&with("shop/t.MYD", short));
        assert!(texts[0].ends_with("shop/t.MYD has 1 bytes, its index says 2"), "{texts:?}");
        assert!(texts.iter().all(|line| !line.contains("InnoDB: ")), "{texts:?}");
    }

    #[test]
    fn unknown_pages_that_are_not_judged_and_files_that_are_not_read() {
        for (why, word) in [
            (Unjudged::Encrypted, "encrypted"),
            (Unjudged::Compressed, "compressed"),
            (Unjudged::NoChecksum, "without a checksum"),
        ] {
            let unjudged = vec![SeenUnjudged { file: "shop/t.ibd".to_owned(), pages: 2, why }];
            let (state, texts) = judged(&SeenFiles { unjudged, ..seen() });
            assert_eq!(state, State::Unknown);
            assert_eq!(texts[0], format!("2 pages of shop/t.ibd not judged: {word}"));
        }
        assert_eq!(judged(&SeenFiles { left: 2, tablespaces: 0, ..seen() }).0, State::Unknown);
        assert_eq!(judged(&SeenFiles { unread: vec!["x".to_owned()], ..seen() }).0, State::Unknown);
        assert_eq!(judged(&SeenFiles { tables: 0, ..seen() }).0, State::Unknown);
        assert_eq!(judged(&SeenFiles { room: None, ..seen() }).0, State::Unknown);
    }

    #[test]
    fn warning_little_room_or_a_table_that_was_not_closed() {
        assert_eq!(judged(&SeenFiles { room: Some((4, 100)), ..seen() }).0, State::Warning);
        assert_eq!(judged(&with("shop/t.MYI", Fault::NotClosed(1))).0, State::Warning);
        assert_eq!(judged(&with("shop/#sql-1", Fault::Leftover)).0, State::Ok);
    }
}
