//! The servers there are: where their programs lie, and how a data folder of theirs is made.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::Account;
use super::client::Client;
use crate::process::{Daemon, Group, is_root, prepared, program, shared_folder};

/// A server of the lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// MariaDB 10.11 of Debian 12.
    MariaDb,
    /// MariaDB 11.8, unpacked by `tests/run`.
    NewerMariaDb,
    /// MySQL 9, unpacked by `tests/run`.
    MySql,
}

impl Release {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::MariaDb, Self::NewerMariaDb, Self::MySql];

    /// Whether a scenario has to be left out because `tests/run` could not unpack this server (it sets
    /// `VEDETTE_WITHOUT_MYSQL`), and says so.
    #[must_use]
    pub fn is_left_out(self, what: &str) -> bool {
        let without = self != Self::MariaDb && env::var_os("VEDETTE_WITHOUT_MYSQL").is_some();
        if without {
            println!("LEFT OUT: {what} on {self:?}, which could not be unpacked");
        }
        without
    }

    /// Whether it is one of the two MariaDBs.
    #[must_use]
    pub fn is_mariadb(self) -> bool {
        self != Self::MySql
    }

    /// The server with the options that say where its own files are, and those every server of the lab has.
    pub(crate) fn command(self) -> Command {
        let mut command = match self {
            Self::MariaDb => Command::new(program("mariadbd", "mariadb-server-core")),
            Self::NewerMariaDb | Self::MySql => self.unpacked(),
        };
        command.arg("--no-defaults");
        if is_root() {
            command.arg("--user=root");
        }
        if self != Self::MariaDb {
            let share = self.share();
            command.arg(option("basedir", &self.folder().join("root/usr")));
            command.arg(option("lc-messages-dir", &share));
            command.arg(option("character-sets-dir", &share.join("charsets")));
        }
        command.args([
            "--innodb-buffer-pool-size=16M",
            "--innodb-data-file-path=ibdata1:5M:autoextend",
            "--innodb-autoextend-increment=1",
            // What a killed server has said must be in its files; a power failure does not happen.
            "--innodb-flush-log-at-trx-commit=2",
            "--innodb-doublewrite=0",
            "--sync-binlog=0",
        ]);
        command.args(if self.is_mariadb() { MARIADB } else { MYSQL });
        if self == Self::MySql {
            command.arg(option("plugin-dir", &self.folder().join("root/usr/lib/mysql/plugin")));
        }
        command
    }

    /// A folder with all tables that a server needs, and the accounts of [`Account`]. Made by the first test that
    /// needs it, and kept in the target folder for as long as the program is the same.
    pub(crate) fn template(self) -> PathBuf {
        let folder = cache().join(format!("{self:?}-{}", self.stamp()));
        let ready = folder.join("ready");
        fs::create_dir_all(&folder).expect("the target folder is writable");
        // Another test may be about to make it.
        let lock = File::create(folder.join("lock")).expect("the target folder is writable");
        lock.lock().expect("a file can be locked");
        if !ready.exists() {
            let data = folder.join("data");
            let _ = fs::remove_dir_all(&data);
            fs::create_dir(&data).expect("the target folder is writable");
            self.initialise(&data);
            self.add_accounts(&folder, &data);
            fs::write(&ready, "").expect("the target folder is writable");
        }
        folder.join("data")
    }

    fn initialise(self, data: &Path) {
        let mut command = self.command();
        command.arg(option("datadir", data));
        if self == Self::MySql {
            succeeded(&command.arg("--initialize-insecure").output().expect("the server can be started"));
            return;
        }
        let prefix = if self == Self::MariaDb { "mysql" } else { "mariadb" };
        let mut sql = "create database mysql;\nuse mysql;\n".to_owned();
        for name in [
            &format!("{prefix}_system_tables"),
            &format!("{prefix}_performance_tables"),
            &format!("{prefix}_system_tables_data"),
            "maria_add_gis_sp_bootstrap",
            &format!("{prefix}_sys_schema"),
        ] {
            let script = self.share().join(format!("{name}.sql"));
            sql += &fs::read_to_string(&script).expect("a script of the package");
        }
        let script = data.with_extension("sql");
        fs::write(&script, sql).expect("the target folder is writable");
        command.args([
            "--bootstrap",
            "--log-warnings=0",
            "--enforce-storage-engine=",
            "--max-allowed-packet=8M",
        ]);
        command.stdin(Stdio::from(File::open(script).expect("just written")));
        succeeded(&command.output().expect("the server can be started"));
    }

    fn add_accounts(self, folder: &Path, data: &Path) {
        // Short, as the path of a socket must be.
        let short = shared_folder();
        let (socket, log) = (short.path().join("socket"), folder.join("log"));
        let mut command = self.command();
        command.args(["--skip-networking", "--skip-log-bin"]).arg(option("datadir", data));
        command.arg(option("socket", &socket)).arg(option("pid-file", &folder.join("pid")));
        let mut daemon = Daemon::spawn("template", command, Group::FromLab, &log);
        daemon.wait_longer(super::server::START, "its socket", || {
            Client::over_socket(&socket, "root", "").is_ok()
        });
        let mut admin = Client::over_socket(&socket, "root", "").expect("it did a moment ago");
        for account in Account::ALL {
            admin.run(&[&format!(
                "CREATE USER {}@'%' IDENTIFIED BY '{}'",
                account.user(),
                account.password()
            )]);
            for grant in account.grants(self) {
                admin.run(&[&format!("GRANT {grant} TO {}@'%'", account.user())]);
            }
        }
        admin.run(&["CREATE DATABASE lab", "SHUTDOWN"]);
        daemon.stop_within(super::server::START);
        // Every server is to have an identity of its own.
        let _ = fs::remove_file(data.join("auto.cnf"));
    }

    /// The program by way of its own loader and libraries.
    fn unpacked(self) -> Command {
        let root = self.folder().join("root/usr");
        let library = |name: &str| root.join("lib").join(name).display().to_string();
        let mut command = Command::new(root.join("lib64/ld-linux-x86-64.so.2"));
        command.arg("--library-path").arg([library("x86_64-linux-gnu"), library("mysql")].join(":"));
        command.arg(root.join("sbin").join(if self.is_mariadb() { "mariadbd" } else { "mysqld" }));
        command
    }

    fn folder(self) -> PathBuf {
        prepared(if self.is_mariadb() { "mysql/mariadb" } else { "mysql/mysql" })
    }

    fn share(self) -> PathBuf {
        match self {
            Self::MariaDb => "/usr/share/mysql".into(),
            Self::NewerMariaDb => self.folder().join("root/usr/share/mariadb"),
            Self::MySql => self.folder().join("root/usr/share/mysql"),
        }
    }

    /// Changes with the program, and with what the template is made of.
    fn stamp(self) -> String {
        let program = match self {
            Self::MariaDb => program("mariadbd", "mariadb-server-core"),
            Self::NewerMariaDb => self.folder().join("root/usr/sbin/mariadbd"),
            Self::MySql => self.folder().join("root/usr/sbin/mysqld"),
        };
        let file = fs::metadata(program).expect("the server is there");
        let made = file.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        format!("{}-{}-v{TEMPLATE}", made.unwrap_or_default().as_secs(), file.len())
    }
}

/// Counted up when the accounts or the options below change, which are in the kept template.
const TEMPLATE: u32 = 3;

const MARIADB: &[&str] = &[
    "--innodb-log-file-size=4M",
    "--innodb-undo-tablespaces=0",
    "--aria-log-file-size=8M",
    "--loose-plugin-maturity=unknown",
];
const MYSQL: &[&str] = &[
    "--innodb-redo-log-capacity=16M",
    "--secure-file-priv=NULL",
    "--mysqlx=OFF",
    "--auto-generate-certs=OFF",
];

/// `--NAME=PATH`.
pub(crate) fn option(name: &str, path: &Path) -> String {
    format!("--{name}={}", path.display())
}

/// Below the target folder that this test was built in.
fn cache() -> PathBuf {
    let own = env::current_exe().expect("Linux has /proc");
    let deps = own.ancestors().find(|folder| folder.ends_with("deps"));
    deps.and_then(Path::parent).map_or_else(env::temp_dir, Path::to_owned).join("lab-mysql")
}

fn succeeded(output: &Output) {
    assert!(output.status.success(), "the server: {}", String::from_utf8_lossy(&output.stderr));
}
