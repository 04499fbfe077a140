//! What a server says to somebody who has its tables checked.

use super::{Answer, Fixture, Script, Table};

impl Script {
    /// A server of this release with these tables in the database `shop`, each with its engine, all of them whole.
    #[must_use]
    pub fn with_tables(fixture: Fixture, tables: &[(&str, &str)]) -> Self {
        Self::of(fixture)
            .answer("@@hostname", who(fixture))
            .answer("from information_schema.tables", list(tables))
            .answer(
                "status like 'uptime'",
                Table::of([("Variable_name", Some("Uptime")), ("Value", Some("3600"))]),
            )
            .answer("set session", Answer::Done)
            .answer("show full processlist", Table::new(&["Id", "User", "Time", "Info"]))
            .answer("check table", checked(&[("status", "OK")]))
    }

    /// What comes of a check of `shop.NAME`: `Msg_type` and `Msg_text` of each row.
    #[must_use]
    pub fn checks(self, name: &str, rows: &[(&str, &str)]) -> Self {
        self.answers_check(name, checked(rows))
    }

    /// Any answer at all to a check of `shop.NAME`.
    #[must_use]
    pub fn answers_check(self, name: &str, answer: impl Into<Answer>) -> Self {
        self.answer(&format!("check table `shop`.`{name}` "), answer)
    }
}

/// As `information_schema.TABLES` shows them. One without an engine could not be opened.
fn list(tables: &[(&str, &str)]) -> Table {
    let columns = [
        "table_schema",
        "table_name",
        "table_type",
        "engine",
        "data_length",
        "index_length",
        "table_comment",
    ];
    tables.iter().fold(Table::new(&columns), |list, (name, engine)| {
        let comment = format!("Table './shop/{name}' is marked as crashed and should be repaired");
        let (engine, comment) = if engine.is_empty() { (None, &*comment) } else { (Some(*engine), "") };
        list.row(&[
            Some("shop"),
            Some(name),
            Some("BASE TABLE"),
            engine,
            Some("1048576"),
            Some("65536"),
            Some(comment),
        ])
    })
}

fn who(fixture: Fixture) -> Table {
    let version = fixture.version();
    Table::of([
        ("hostname", Some("db1")),
        ("port", Some("3306")),
        ("server_id", Some("1")),
        ("version", Some(version.strip_prefix("5.5.5-").unwrap_or(version))),
        ("now", Some("1800000000")),
    ])
}

fn checked(rows: &[(&str, &str)]) -> Table {
    let table = Table::new(&["Table", "Op", "Msg_type", "Msg_text"]);
    rows.iter().fold(table, |table, (kind, text)| {
        table.row(&[Some("shop.table"), Some("check"), Some(kind), Some(text)])
    })
}
