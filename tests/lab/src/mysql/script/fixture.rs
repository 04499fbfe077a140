//! Rows of releases that no archive has any more, and of those it has, from `data/mysql_rows.json`: captured from real
//! servers. MySQL 5.7 and MariaDB 10.5 were not: their columns are those of the next release without the ones that the
//! documentation says came later.

use serde_json::Value;

use super::Table;

/// A release with a healthy replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fixture {
    /// MySQL 5.7, by its documentation.
    MySql57,
    /// MySQL 8.0, which knows both vocabularies. [`Fixture::status`] has the older one.
    MySql80,
    /// MySQL 8.4 and 9, which know the newer one alone.
    MySql84,
    /// MariaDB 10.5, by its documentation.
    MariaDb105,
    /// MariaDB 10.11.
    MariaDb1011,
    /// MariaDB 11.8.
    MariaDb118,
}

/// The names of columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vocabulary {
    /// Slave and master.
    Old,
    /// Replica and source.
    New,
    /// Those of the table as it is: MariaDB has the older ones whatever it is asked with.
    Own,
}

impl Fixture {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::MySql57, Self::MySql80, Self::MySql84, Self::MariaDb105, Self::MariaDb1011, Self::MariaDb118];

    /// Whether it is a MariaDB.
    #[must_use]
    pub fn is_mariadb(self) -> bool {
        matches!(self, Self::MariaDb105 | Self::MariaDb1011 | Self::MariaDb118)
    }

    /// What it calls itself when it greets.
    #[must_use]
    pub fn version(self) -> &'static str {
        match self {
            Self::MySql57 => "5.7.44-log",
            Self::MySql80 => "8.0.46",
            Self::MySql84 => "8.4.13",
            Self::MariaDb105 => "5.5.5-10.5.29-MariaDB",
            Self::MariaDb1011 => "5.5.5-10.11.19-MariaDB-0+deb12u1",
            Self::MariaDb118 => "11.8.9-MariaDB-4 from Debian",
        }
    }

    /// The status of a replica with one healthy channel.
    #[must_use]
    pub fn status(self) -> Table {
        match self {
            Self::MySql57 => ["Master_public_key_path", "Get_master_public_key", "Network_Namespace"]
                .into_iter()
                .fold(rows("mysql_8.0_show_slave_status"), Table::without)
                .set("Slave_IO_State", "Waiting for master to send event"),
            Self::MySql80 => rows("mysql_8.0_show_slave_status"),
            Self::MySql84 => rows("mysql_8.4_9.x_show_replica_status"),
            Self::MariaDb105 => rows("mariadb_10.11_show_all_slaves_status").without("Replicate_Rewrite_DB"),
            Self::MariaDb1011 => rows("mariadb_10.11_show_all_slaves_status"),
            Self::MariaDb118 => rows("mariadb_11.8_show_all_replicas_status"),
        }
    }

    /// The statements for the status that it knows. A server of MariaDB with named connections alone answers the
    /// ones without ALL with nothing, so the script has no rows for them.
    pub(crate) fn statements(self) -> &'static [(&'static str, Vocabulary)] {
        match self {
            Self::MySql57 => &[(SLAVE, Vocabulary::Own)],
            Self::MySql80 => &[(SLAVE, Vocabulary::Old), (REPLICA, Vocabulary::New)],
            Self::MySql84 => &[(REPLICA, Vocabulary::New)],
            Self::MariaDb105 | Self::MariaDb1011 | Self::MariaDb118 => {
                &[(ALL_SLAVES, Vocabulary::Own), (ALL_REPLICAS, Vocabulary::Own)]
            }
        }
    }
}

const SLAVE: &str = "show slave status";
const REPLICA: &str = "show replica status";
const ALL_SLAVES: &str = "show all slaves status";
const ALL_REPLICAS: &str = "show all replicas status";

/// The vocabulary that a statement is answered in; `None` for those that are not for the status.
pub(crate) fn vocabulary_of(statement: &str) -> Option<Vocabulary> {
    match statement {
        SLAVE => Some(Vocabulary::Old),
        REPLICA => Some(Vocabulary::New),
        ALL_SLAVES | ALL_REPLICAS => Some(Vocabulary::Own),
        _ => None,
    }
}

/// The same rows under other names.
pub(crate) fn in_vocabulary(table: &Table, vocabulary: Vocabulary) -> Table {
    let renamed = |name: &str| match vocabulary {
        Vocabulary::Own => name.to_owned(),
        Vocabulary::Old => {
            name.replace("Replica_", "Slave_").replace("Source", "Master").replace("source", "master")
        }
        Vocabulary::New => {
            name.replace("Slave_", "Replica_").replace("Master", "Source").replace("master", "source")
        }
    };
    table.renamed(renamed)
}

fn rows(name: &str) -> Table {
    let data: Value =
        serde_json::from_str(include_str!("../../../data/mysql_rows.json")).expect("well formed");
    let pairs = data[name].as_array().unwrap_or_else(|| panic!("no {name}"));
    let values: Vec<_> =
        pairs.iter().map(|pair| (pair[0].as_str().expect("a name"), text(&pair[1]))).collect();
    Table::of(values.iter().map(|(name, value)| (*name, value.as_deref())))
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
