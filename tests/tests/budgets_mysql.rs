//! What the checks of MySQL may cost; see `budgets.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use lab::certs::LeafOptions;
use lab::cost::Candidate;
use lab::mysql::replication::{Following, Pair};
use lab::mysql::script::{Fixture, Script, ScriptedServer};
use lab::mysql::server::ServerOptions;
use lab::mysql::{Account, Release};
use tempfile::TempDir;
use tests::budget::{at_most, is_small, starts};
use tests::package::shipped;

/// A plugin with what every call needs, whose run has to end with OK.
fn candidate(name: &str, port: u16, account: Account, folder: &Path, more: &[&str]) -> Candidate {
    let file = folder.join(format!("{}.password", account.user()));
    fs::write(&file, account.password()).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let (port, file) = (port.to_string(), file.to_string_lossy().into_owned());
    let fixed = ["-H", "127.0.0.1", "-P", &port, "-u", account.user(), "--password-file", &file];
    let candidate = Candidate::new(shipped(name), fixed.iter().chain(more));
    assert_eq!(candidate.run().code, Some(0), "{name} {more:?}: nothing is wrong there");
    candidate
}

/// 40 tables that are whole.
struct Tables {
    server: ScriptedServer,
    folder: TempDir,
}

impl Tables {
    fn new() -> Self {
        let names: Vec<String> = (0..40).map(|number| format!("orders_{number}")).collect();
        let tables: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "MyISAM")).collect();
        let server = ScriptedServer::start(Script::with_tables(Fixture::MariaDb1011, &tables));
        Self { server, folder: tempfile::tempdir().unwrap() }
    }

    fn candidate(&self, more: &[&str]) -> Candidate {
        candidate("check_mysql_tables", self.server.port(), Account::Tables, self.folder.path(), more)
    }

    fn state(&self) -> Candidate {
        self.candidate(&["--level", "state"])
    }

    fn quick(&self) -> Candidate {
        let memory = self.folder.path().join("state").to_string_lossy().into_owned();
        let quick = self.candidate(&["--deep-every", "off", "--state-dir", &memory]);
        let checks = self.server.statements().iter().filter(|sql| sql.starts_with("CHECK TABLE")).count();
        assert_eq!(checks, 40, "each table is checked");
        quick
    }
}

#[test]
fn mysql_tables_start_instructions() {
    starts("check_mysql_tables");
}

#[test]
fn mysql_tables_size() {
    is_small("check_mysql_tables", 3_200_000);
}

#[test]
fn mysql_tables_instructions() {
    at_most("40 tables, state", Tables::new().state().instructions(), 2_700_000);
    at_most("40 tables, quick", Tables::new().quick().instructions(), 7_000_000);
}

#[test]
fn mysql_tables_peak_memory() {
    at_most("40 tables, state, KiB", Tables::new().state().peak_rss_kib(), 5 * 1024);
    at_most("40 tables, quick, KiB", Tables::new().quick().peak_rss_kib(), 5 * 1024);
}

/// A healthy replica on MariaDB.
struct Replica {
    pair: Pair,
    folder: TempDir,
}

impl Replica {
    fn new(options: &ServerOptions) -> Self {
        let source = ServerOptions::of(Release::MariaDb);
        let pair = Pair::with(&source, options, &Following::default());
        Self { pair, folder: tempfile::tempdir().unwrap() }
    }

    fn plain() -> Self {
        Self::new(&ServerOptions::of(Release::MariaDb))
    }

    fn encrypted() -> Self {
        Self::new(&ServerOptions::of(Release::MariaDb).certificate(LeafOptions::default()))
    }

    fn candidate(&self, tls: &[&str]) -> Candidate {
        let memory = self.folder.path().join("state").to_string_lossy().into_owned();
        let fixed = ["--read-only", "ignore", "--errant", "off", "--state-dir", &memory];
        let more = [&fixed[..], tls].concat();
        let port = self.pair.replica.port();
        candidate("check_mysql_slave", port, Account::Monitor, self.folder.path(), &more)
    }

    fn in_the_clear(&self) -> Candidate {
        self.candidate(&["--ssl-mode", "disabled"])
    }

    fn over_tls(&self) -> Candidate {
        let ca_file = self.pair.replica.ca_file().to_string_lossy().into_owned();
        self.candidate(&["--ssl-mode", "verify-ca", "--ca-file", &ca_file])
    }
}

#[test]
fn mysql_slave_start_instructions() {
    starts("check_mysql_slave");
}

#[test]
fn mysql_slave_size() {
    is_small("check_mysql_slave", 3_200_000);
}

#[test]
fn mysql_slave_cost() {
    let replica = Replica::plain();
    at_most("healthy replica", replica.in_the_clear().instructions(), 2_500_000);
    at_most("healthy replica, KiB", replica.in_the_clear().peak_rss_kib(), 5 * 1024);
}

#[test]
fn mysql_slave_cost_over_tls() {
    let replica = Replica::encrypted();
    at_most("healthy replica over TLS", replica.over_tls().instructions(), 5_900_000);
    at_most("healthy replica over TLS, KiB", replica.over_tls().peak_rss_kib(), 6 * 1024);
}
