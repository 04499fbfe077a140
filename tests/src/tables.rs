//! The fixture of a table check: a server with a database of tables, and the ways to damage them.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use lab::mysql::client::Client;
use lab::mysql::server::{Server, ServerOptions};
use lab::mysql::{Account, Release};

use crate::Check;

/// Rows of each table.
pub const ROWS: u32 = 20_000;

/// A server with the database `shop`, and the memory of a check.
pub struct Shop {
    /// The server.
    pub server: Server,
}

impl Shop {
    /// A server of this release that repairs nothing by itself.
    #[must_use]
    pub fn of(release: Release) -> Self {
        let mut options = ServerOptions::of(release).argument("--myisam-recover-options=OFF");
        if release.is_mariadb() {
            options = options.argument("--aria-recover-options=OFF");
        }
        let shop = Self { server: Server::start(&options) };
        shop.admin().run(&["CREATE DATABASE shop"]);
        let mut secret = OpenOptions::new();
        let mut file =
            secret.write(true).create_new(true).mode(0o600).open(shop.folder().join("password")).unwrap();
        writeln!(file, "{}", Account::Tables.password()).unwrap();
        shop
    }

    /// MariaDB 10.11.
    #[must_use]
    pub fn new() -> Self {
        Self::of(Release::MariaDb)
    }

    /// Adds tables of an engine, each with a key and [`ROWS`] rows.
    #[must_use]
    pub fn with(self, engine: &str, names: &[&str]) -> Self {
        let mut admin = self.admin();
        for name in names {
            let create = format!(
                "CREATE TABLE shop.{name} (id INT AUTO_INCREMENT PRIMARY KEY, v INT, t VARCHAR(50), KEY (v)) \
                 ENGINE={engine}"
            );
            let first = format!("INSERT INTO shop.{name} (v, t) VALUES (1, 'row of this table')");
            admin.run(&[&create, &first]);
            let mut rows = 1;
            while rows < ROWS {
                let more = (ROWS - rows).min(rows);
                let double = format!(
                    "INSERT INTO shop.{name} (v, t) SELECT id % 97, CONCAT('row ', id) FROM shop.{name} LIMIT {more}"
                );
                admin.run(&[&double]);
                rows += more;
            }
        }
        admin.run(&["FLUSH TABLES"]);
        self
    }

    /// A session that may do everything.
    #[must_use]
    pub fn admin(&self) -> Client {
        self.server.admin()
    }

    /// Where files may lie beside the server's.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.server.folder().to_owned()
    }

    /// A check of all tables that remembers.
    #[must_use]
    pub fn check(&self) -> Check {
        self.check_as(Account::Tables.user())
    }

    /// The same as another user with the same password.
    #[must_use]
    pub fn check_as(&self, user: &str) -> Check {
        self.bare(user).args(["--state-dir", self.folder().join("memory").to_str().unwrap()])
    }

    /// A check without a place to remember in.
    #[must_use]
    pub fn stateless(&self) -> Check {
        self.bare(Account::Tables.user())
    }

    fn bare(&self, user: &str) -> Check {
        let check = Check::new("check_mysql_tables").timeout(40.0);
        let check = if self.server.release().is_mariadb() {
            check.args(["-H", "127.0.0.1", "-P", &self.server.port().to_string()])
        } else {
            // Its passwords go over TLS or a socket, and it has no TLS here.
            check.args(["-s", self.server.socket().to_str().unwrap()])
        };
        check.args(["-u", user, "--password-file", self.folder().join("password").to_str().unwrap()])
    }

    /// A check of the files.
    #[must_use]
    pub fn offline(&self) -> Check {
        Check::new("check_mysql_tables").args(["--offline", self.server.datadir().to_str().unwrap()])
    }

    /// A file of a table.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.server.datadir().join("shop").join(name)
    }

    /// Lets the server forget what it has in memory of its tables, then damages a file.
    pub fn damage(&self, name: &str, damage: impl FnOnce(&Path)) {
        self.admin().run(&["FLUSH TABLES"]);
        damage(&self.file(name));
    }

    /// Holds a table until the session is dropped.
    #[must_use]
    pub fn lock(&self, name: &str) -> Client {
        let mut session = self.admin();
        session.run(&[&format!("LOCK TABLES shop.{name} WRITE")]);
        session
    }
}

impl Default for Shop {
    fn default() -> Self {
        Self::new()
    }
}

/// Cuts bytes off the end.
pub fn cut(bytes: u64) -> impl FnOnce(&Path) {
    move |path| {
        let file = OpenOptions::new().write(true).open(path).unwrap();
        let length = file.metadata().unwrap().len();
        file.set_len(length - bytes).unwrap();
    }
}

/// Empties the file.
pub fn empty(path: &Path) {
    File::create(path).unwrap();
}

/// Removes the file.
pub fn remove(path: &Path) {
    fs::remove_file(path).unwrap();
}

/// Changes each of so many bytes from a place on.
pub fn change(at: u64, bytes: usize) -> impl FnOnce(&Path) {
    move |path| {
        let mut file = OpenOptions::new().read(true).write(true).open(path).unwrap();
        let mut old = vec![0; bytes];
        file.seek(SeekFrom::Start(at)).unwrap();
        file.read_exact(&mut old).unwrap();
        let new: Vec<u8> = old.iter().map(|byte| byte ^ 0x5a).collect();
        file.seek(SeekFrom::Start(at)).unwrap();
        file.write_all(&new).unwrap();
        file.sync_all().unwrap();
    }
}
