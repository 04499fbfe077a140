//! The tables of a server, and which of them are meant.

use std::fmt;

use common::proto::glob::fits;
use serde::{Deserialize, Serialize};

/// A table as information_schema.TABLES shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) name: TableName,
    /// `BASE TABLE`, `VIEW`, `SEQUENCE`, `SYSTEM VERSIONED`.
    pub(crate) kind: String,
    /// Missing where the server could not open it.
    pub(crate) engine: Option<String>,
    /// Data and indexes.
    pub(crate) bytes: u64,
    pub(crate) comment: String,
}

/// Database and table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TableName {
    /// Database.
    pub schema: String,
    /// Table.
    pub name: String,
}

impl TableName {
    /// As SQL wants it, whatever it contains.
    pub(crate) fn quoted(&self) -> String {
        let (schema, name) = self.quoted_parts();
        format!("{schema}.{name}")
    }

    pub(crate) fn quoted_parts(&self) -> (String, String) {
        let quoted = |text: &str| format!("`{}`", text.replace('`', "``"));
        (quoted(&self.schema), quoted(&self.name))
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What the server keeps beside its databases has none.
        let dot = if self.schema.is_empty() { "" } else { "." };
        write!(f, "{}{dot}{}", self.schema, self.name)
    }
}

impl Table {
    /// Neither a view nor what has no rows of its own. A sequence is a table of one row whose
    /// engine is asked in vain, but it can be marked as crashed.
    pub(crate) fn holds_rows(&self) -> bool {
        !self.kind.to_ascii_uppercase().contains("VIEW")
    }

    /// What the server says about a table it could not open.
    pub(crate) fn problem(&self) -> Option<&str> {
        (self.holds_rows() && self.engine.is_none()).then_some(self.comment.as_str())
    }
}

/// Which tables are meant: the patterns of the command line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) databases: &'a [String],
    pub(crate) tables: &'a [String],
    pub(crate) exclude: &'a [String],
}

/// Databases that belong to the server. They are looked at when they are named, not by a pattern.
const SYSTEM: [&str; 4] = ["information_schema", "mysql", "performance_schema", "sys"];

impl Wanted<'_> {
    pub(crate) fn includes(&self, table: &TableName) -> bool {
        let of_system = SYSTEM.iter().any(|name| name.eq_ignore_ascii_case(&table.schema));
        let in_database = match self.databases {
            [] => !of_system,
            some => some.iter().any(|pattern| {
                if of_system {
                    pattern.eq_ignore_ascii_case(&table.schema)
                } else {
                    fits(pattern, &table.schema)
                }
            }),
        };
        in_database && self.has_name(table)
    }
}

impl Wanted<'_> {
    /// The same for files: those of the server itself count, too, for it does not start without.
    pub(crate) fn includes_file(&self, table: &TableName) -> bool {
        let in_database =
            self.databases.is_empty() || self.databases.iter().any(|pattern| fits(pattern, &table.schema));
        in_database && self.has_name(table)
    }

    fn has_name(&self, table: &TableName) -> bool {
        let is_named = self.tables.is_empty() || self.tables.iter().any(|pattern| names(pattern, table));
        is_named && !self.exclude.iter().any(|pattern| names(pattern, table))
    }
}

/// A pattern with a dot is about database and table, one without about the table alone.
fn names(pattern: &str, table: &TableName) -> bool {
    if pattern.contains('.') { fits(pattern, &table.to_string()) } else { fits(pattern, &table.name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(schema: &str, name: &str) -> TableName {
        TableName { schema: schema.to_owned(), name: name.to_owned() }
    }

    fn included(databases: &[&str], tables: &[&str], exclude: &[&str]) -> Vec<String> {
        let owned = |list: &[&str]| -> Vec<String> { list.iter().map(|one| (*one).to_owned()).collect() };
        let (databases, tables, exclude) = (owned(databases), owned(tables), owned(exclude));
        let wanted = Wanted { databases: &databases, tables: &tables, exclude: &exclude };
        [name("shop", "orders"), name("shop", "tmp_1"), name("blog", "posts"), name("mysql", "user")]
            .iter()
            .filter(|table| wanted.includes(table))
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn patterns_choose_tables() {
        assert_eq!(included(&[], &[], &[]), ["shop.orders", "shop.tmp_1", "blog.posts"]);
        assert_eq!(included(&["sh*"], &[], &[]), ["shop.orders", "shop.tmp_1"]);
        assert_eq!(included(&["*"], &[], &["tmp_*"]), ["shop.orders", "blog.posts"]);
        assert_eq!(included(&[], &["*s"], &[]), ["shop.orders", "blog.posts"]);
        assert_eq!(included(&[], &["blog.*"], &[]), ["blog.posts"]);
        assert_eq!(included(&["blog", "mysql"], &[], &[]), ["blog.posts", "mysql.user"]);
        assert_eq!(included(&["my*"], &[], &[]), Vec::<String>::new(), "a system database wants its name");
    }

    #[test]
    fn names_are_quoted_for_the_server() {
        assert_eq!(name("a`b", "c.d").quoted(), "`a``b`.`c.d`");
    }

    #[test]
    fn views_are_no_tables() {
        let table = |kind: &str, engine: Option<&str>| Table {
            name: name("shop", "t"),
            kind: kind.to_owned(),
            engine: engine.map(ToOwned::to_owned),
            bytes: 0,
            comment: "Table './shop/t' is marked as crashed".to_owned(),
        };
        assert_eq!(table("VIEW", None).problem(), None);
        assert_eq!(table("SYSTEM VIEW", None).problem(), None);
        assert!(table("BASE TABLE", None).problem().is_some());
        assert_eq!(table("BASE TABLE", Some("MyISAM")).problem(), None);
    }
}
