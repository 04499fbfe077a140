//! The accounts that every server of the lab has.

use super::release::Release;

/// An account, good from every address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Account {
    /// May see how replication does, and no more: the grants that the guide names.
    Monitor,
    /// May see the threads of others, too.
    MonitorProcess,
    /// May read every table, which is enough to have it checked.
    Tables,
    /// May log in.
    Nothing,
    /// What replicas log in with.
    Replication,
}

impl Account {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Monitor, Self::MonitorProcess, Self::Tables, Self::Nothing, Self::Replication];

    /// Its name.
    #[must_use]
    pub fn user(self) -> &'static str {
        match self {
            Self::Monitor => "monitor",
            Self::MonitorProcess => "monitor_process",
            Self::Tables => "tables",
            Self::Nothing => "nothing",
            Self::Replication => "repl",
        }
    }

    /// Its password.
    #[must_use]
    pub fn password(self) -> &'static str {
        match self {
            Self::Monitor | Self::MonitorProcess => "monitor-secret",
            Self::Tables => "tables-secret",
            Self::Nothing => "nothing-secret",
            Self::Replication => "repl-secret",
        }
    }

    /// What stands between GRANT and TO.
    pub(crate) fn grants(self, release: Release) -> &'static [&'static str] {
        match (self, release.is_mariadb()) {
            (Self::Monitor, true) => &["SLAVE MONITOR ON *.*"],
            (Self::MonitorProcess, true) => &["SLAVE MONITOR, PROCESS ON *.*"],
            (Self::Monitor, false) => &["REPLICATION CLIENT ON *.*", "SELECT ON performance_schema.*"],
            (Self::MonitorProcess, false) => {
                &["REPLICATION CLIENT, PROCESS ON *.*", "SELECT ON performance_schema.*"]
            }
            (Self::Tables, _) => &["SELECT ON *.*"],
            (Self::Nothing, _) => &[],
            (Self::Replication, _) => &["REPLICATION SLAVE ON *.*"],
        }
    }
}
