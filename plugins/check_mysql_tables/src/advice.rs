//! What to do about a damaged table, in stages, each gentler than the next. Nothing of it is ever
//! done by the check.

use common::report::Report;

/// What kind of damage it is, as far as it decides what helps: each was tried on tables that were damaged so
/// (`tests/tests/mysql_tables_advice.rs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// MyISAM, or not known since the table cannot be opened.
    Staged,
    /// Aria, of which REPAIR QUICK says OK and leaves the damage where it is.
    Aria,
    /// The index file cannot even be read: what else repairs has nothing to begin with.
    IndexLost,
    /// There is no data to repair.
    DataLost,
    /// CSV, ARCHIVE: one way only.
    Simple,
    /// InnoDB has no repair.
    Innodb,
}

impl Kind {
    /// By the engine, which is missing where the table cannot be opened, and by what the server says of the damage.
    pub(crate) fn of(engine: Option<&str>, words: &str) -> Self {
        let is = |name: &str| engine.is_some_and(|engine| engine.eq_ignore_ascii_case(name));
        let says = |some: &[&str]| some.iter().any(|part| words.contains(part));
        let is_gone = says(&["find file", "not found", "get stat of"]);
        if is("InnoDB") || says(&["doesn't exist in engine", "ablespace"]) {
            Self::Innodb
        } else if is_gone && says(&[".MYD", ".MAD", ".CSV", ".ARZ"]) {
            Self::DataLost
        } else if is("CSV") || is("ARCHIVE") {
            Self::Simple
        } else if is_gone && (is("MyISAM") || is("Aria") || says(&[".MYI", ".MAI"]))
            || says(&["Incorrect file format"])
            || engine.is_none() && says(&["Index for table"])
        {
            Self::IndexLost
        } else if is("Aria") {
            Self::Aria
        } else {
            Self::Staged
        }
    }

    /// What to do about a table, whose name is quoted.
    fn lines(self, table: &str) -> Vec<String> {
        let copy = format!(
            "1. stop writing to {table}; FLUSH TABLES {table}, then copy its files (.frm with .MYD, .MYI or .MAD, .MAI) away"
        );
        let look = format!(
            "2. CHECK TABLE {table} MEDIUM shows the extent, and after each step below whether it was enough"
        );
        match self {
            Self::Staged => vec![
                copy,
                look,
                format!("3. REPAIR TABLE {table} QUICK mends the index alone"),
                format!("4. REPAIR TABLE {table} writes the data anew"),
                format!("5. REPAIR TABLE {table} EXTENDED, when 4 ends with an error"),
            ],
            Self::Aria => vec![
                copy,
                look,
                format!(
                    "3. REPAIR TABLE {table} writes the data anew; with QUICK it says OK and mends nothing"
                ),
                format!("4. REPAIR TABLE {table} EXTENDED, when 3 ends with an error"),
            ],
            Self::IndexLost => vec![
                copy,
                format!(
                    "2. REPAIR TABLE {table} USE_FRM makes the index anew, which nothing else does: it loses \
                     AUTO_INCREMENT, and ruins tables of an older server version"
                ),
                format!(
                    "3. CHECK TABLE {table} MEDIUM decides: of Aria, 2 says \"Operation failed\" when it worked"
                ),
            ],
            Self::DataLost => vec![format!(
                "{table} has no data file, and no REPAIR brings its rows back: restore the file from a backup, or DROP \
                 TABLE IF EXISTS and create it anew"
            )],
            Self::Simple => vec![format!("copy the files of {table} away, then REPAIR TABLE {table}")],
            Self::Innodb => vec![format!(
                "InnoDB: never REPAIR; dump {table}, if need be with innodb_force_recovery 1, 2, 3 (4 to 6 may destroy \
                 more), drop it and load the dump, or restore a backup"
            )],
        }
    }

    const fn is_repairable(self) -> bool {
        !matches!(self, Self::Innodb | Self::DataLost)
    }

    const fn may_repair_itself(self) -> bool {
        matches!(self, Self::Staged | Self::Aria)
    }
}

/// Adds the stages for each kind of damage that was met, for the first of its tables.
pub(crate) fn add_advice(damaged: &[(String, Kind)], report: &mut Report) {
    let mut kinds: Vec<Kind> = Vec::new();
    for (table, kind) in damaged {
        if !kinds.contains(kind) {
            kinds.push(*kind);
            for line in kind.lines(table) {
                report.note("advice", line);
            }
        }
    }
    let any = |wanted: fn(Kind) -> bool| kinds.iter().any(|kind| wanted(*kind));
    for (line, is_needed) in [
        (BY_ITSELF, any(Kind::may_repair_itself)),
        (WARNING, any(|kind| kind != Kind::DataLost)),
        (REPLICATION, any(Kind::is_repairable)),
    ] {
        if is_needed {
            report.note("advice", line);
        }
    }
}

const WARNING: &str = "a repair that ends with OK can have lost rows or kept wrong ones: compare row counts, or with \
                       a backup; on a replica copy the table anew from its source";
const BY_ITSELF: &str = "the server may repair a marked table by itself when it opens it (@@myisam_recover_options, \
                         @@aria_recover_options): look into its error log before";
const REPLICATION: &str =
    "REPAIR goes into the binary log and to the replicas unless it is REPAIR LOCAL TABLE";

/// The same without a server, for what was met.
pub(crate) fn add_offline_advice(has_others: bool, has_innodb: bool, report: &mut Report) {
    let others = [
        "Aria recovers from its log when the server starts; let it try first",
        "MyISAM: myisamchk -m FILE.MYI shows the extent; Aria: aria_chk -m FILE.MAI (only while no server runs)",
        "MyISAM: myisamchk -r -q mends the index alone, -r writes the data anew, --safe-recover when that fails",
    ];
    let innodb = [
        "InnoDB: start the server once, which mends pages that were written in part (doublewrite); then look again",
        "InnoDB: never repair; dump the table, if need be with innodb_force_recovery 1, 2, 3 (4 to 6 may destroy \
         more), drop it and load the dump, or restore a backup",
    ];
    let mut lines = vec!["copy the data directory away before anything else"];
    lines.extend(others.iter().filter(|_| has_others));
    lines.extend(innodb.iter().filter(|_| has_innodb));
    lines.push(WARNING);
    for line in lines.iter().filter(|_| has_others || has_innodb) {
        report.note("advice", *line);
    }
}

/// For files without a definition and the reverse.
pub(crate) fn add_orphan_advice(report: &mut Report) {
    report.note(
        "advice",
        "without a definition: restore the .frm from a backup, or create the table anew elsewhere with the same \
         columns and bring its .frm over; without files: restore them, or drop the table",
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_damage() {
        for (engine, words, kind) in [
            (Some("MyISAM"), "\"Size of datafile is: 1\"", Kind::Staged),
            (Some("MyISAM"), "\"Index for table './shop/t.MYI' is corrupt; try to repair it\"", Kind::Staged),
            (None, "Table './shop/t' is marked as crashed and should be repaired", Kind::Staged),
            (Some("Aria"), "\"Page 5: Got error: 176 when reading datafile\"", Kind::Aria),
            (Some("MyISAM"), "Can't find file: './shop/t.MYI' (errno: 2)", Kind::IndexLost),
            (None, "Can't find file: './shop/t.MAI' (errno: 2)", Kind::IndexLost),
            // MySQL does not name the file.
            (Some("MyISAM"), "Can't find file: 't' (errno: 2 - No such file or directory)", Kind::IndexLost),
            (None, "Incorrect file format 't'", Kind::IndexLost),
            (None, "Index for table './shop/t' is corrupt; try to repair it", Kind::IndexLost),
            (None, "File './shop/t.MYD' not found (Errcode: 2)", Kind::DataLost),
            (None, "Can't get stat of './shop/t.CSV' (Errcode: 2)", Kind::DataLost),
            (None, "Table 'shop.t' doesn't exist in engine", Kind::Innodb),
            (Some("InnoDB"), "", Kind::Innodb),
            (Some("archive"), "", Kind::Simple),
        ] {
            assert_eq!(Kind::of(engine, words), kind, "{engine:?} {words}");
        }
    }

    #[test]
    fn advice_fits_the_damage_and_warns_of_repairs() {
        let lines = |damaged: &[(&str, Kind)]| -> Vec<String> {
            let mut report = Report::new();
            let damaged: Vec<_> = damaged.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect();
            add_advice(&damaged, &mut report);
            report.findings().iter().map(|finding| finding.text.clone()).collect()
        };
        let innodb = lines(&[("`shop`.`i`", Kind::Innodb)]);
        assert!(innodb.iter().all(|line| !line.contains("REPAIR TABLE")), "{innodb:?}");
        assert!(innodb.iter().any(|line| line == WARNING));
        let mixed =
            lines(&[("`a`.`b`", Kind::Staged), ("`a`.`c`", Kind::IndexLost), ("`a`.`d`", Kind::Staged)]);
        assert!(mixed.iter().any(|line| line.contains("REPAIR TABLE `a`.`b` QUICK")), "{mixed:?}");
        assert!(mixed.iter().any(|line| line.contains("REPAIR TABLE `a`.`c` USE_FRM")), "{mixed:?}");
        assert!(mixed.iter().all(|line| !line.contains("`a`.`d`") && !line.contains("`a`.`b` USE_FRM")));
        let lost = lines(&[("`a`.`b`", Kind::DataLost)]);
        assert!(lost.iter().all(|line| !line.contains("REPAIR TABLE")) && lost.len() == 1, "{lost:?}");
        assert_eq!(lines(&[]), Vec::<String>::new());
    }
}
