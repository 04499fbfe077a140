//! The server with its database, its front-end and a folder of external scripts.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use lab::process::{
    Daemon, Group, account, free_port, left_out_without_root, prepared, program, shared_folder,
};
use tempfile::TempDir;

use super::Api;
use crate::package::said;

/// What each part may take to start on a busy machine.
const START: Duration = Duration::from_mins(2);

/// A release of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// 6.0 of Debian 12, unpacked by `tests/run --full`.
    V6_0,
    /// 7.0 of Debian 13, the same way.
    V7_0,
}

impl Release {
    fn folder(self) -> PathBuf {
        prepared(match self {
            Self::V6_0 => "zabbix/6.0",
            Self::V7_0 => "zabbix/7.0",
        })
    }

    /// The server by way of its own loader and libraries.
    fn command(self) -> Command {
        let root = self.folder().join("root");
        // Debian 13 has everything below usr.
        let loader = ["lib64", "usr/lib64"].map(|folder| root.join(folder).join("ld-linux-x86-64.so.2"));
        let loader = loader.into_iter().find(|path| path.is_file()).expect("the loader of its Debian");
        let libraries = ["lib", "usr/lib"].map(|folder| root.join(folder).join("x86_64-linux-gnu"));
        let mut command = Command::new(loader);
        command.arg("--library-path").arg(env::join_paths(libraries).expect("no colons"));
        command.arg(root.join("usr/sbin/zabbix_server"));
        command
    }

    /// The folder of the scripts that make the database.
    fn schema(self) -> PathBuf {
        self.folder().join("root/usr/share/zabbix-server-pgsql")
    }
}

/// A running server; stops when dropped.
#[derive(Debug)]
pub struct Server {
    // In the order in which they are to stop.
    engine: Daemon,
    _frontend: Daemon,
    _database: Daemon,
    folder: TempDir,
    /// Its interface.
    pub api: Api,
}

impl Server {
    /// Makes the database and starts all parts, with these programs as external scripts;
    /// `None` in a run that is not to take the time.
    #[must_use]
    pub fn start(release: Release, scripts: &[PathBuf]) -> Option<Self> {
        if env::var_os("VEDETTE_WITHOUT_ZABBIX_SERVER").is_some() {
            eprintln!("!! LEFT OUT: Zabbix server {release:?}, which tests/run --full prepares");
            return None;
        }
        if left_out_without_root("a Zabbix server, whose PostgreSQL wants a user of its own,") {
            return None;
        }
        let folder = shared_folder();
        let database = database(release, folder.path());
        let (port, web) = (free_port(), free_port());
        let frontend = frontend(release, folder.path(), (web, port));
        let external = folder.path().join("externalscripts");
        fs::create_dir(&external).expect("the folder is ours");
        for script in scripts {
            symlink(script, external.join(script.file_name().expect("a program")))
                .expect("the folder is ours");
        }
        let engine = engine(release, folder.path(), port);
        let api = Api::login(web, release == Release::V6_0);
        Some(Self { engine, _frontend: frontend, _database: database, folder, api })
    }

    /// What it has written.
    #[must_use]
    pub fn log_text(&self) -> String {
        self.engine.log_text()
    }

    /// A place in its folder, which its programs may search.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// PostgreSQL on a unix socket, which loses all in a power failure.
fn database(release: Release, folder: &Path) -> Daemon {
    let place = folder.join("database");
    fs::create_dir(&place).expect("the folder is ours");
    let (user, group) = (account("/etc/passwd", "postgres"), account("/etc/group", "postgres"));
    std::os::unix::fs::chown(&place, Some(user), Some(group)).expect("root may give files away");
    let program = |name: &str| {
        let mut command = Command::new(Path::new("/usr/lib/postgresql/15/bin").join(name));
        command.uid(user).gid(group).current_dir("/");
        command
    };
    let data = place.join("data");
    said(
        program("initdb")
            .arg("-D")
            .arg(&data)
            .args(["--no-sync", "--no-locale", "--encoding=UTF8", "-A", "trust"])
            .args(["-U", "zabbix"]),
    );
    let mut command = program("postgres");
    command.arg("-D").arg(&data);
    let socket = format!("unix_socket_directories={}", place.display());
    for setting in
        ["listen_addresses=", &socket, "fsync=off", "synchronous_commit=off", "full_page_writes=off"]
    {
        command.args(["-c", setting]);
    }
    let mut daemon = Daemon::spawn("postgres", command, Group::FromLab, &folder.join("database.log"));
    daemon.wait_longer(START, "its socket", || place.join(".s.PGSQL.5432").exists());
    let client = format!("psql -q -v ON_ERROR_STOP=1 -h {} -U zabbix", place.display());
    let scripts = release.schema();
    let made = format!(
        "{client} -d postgres -c 'CREATE DATABASE zabbix' && for part in schema images data; do \
         {{ echo 'SET client_min_messages = error;'; zcat {}/$part.sql.gz; }} | {client} -1 -d zabbix || exit; done",
        scripts.display()
    );
    // Until it is ready it refuses.
    daemon.wait_longer(START, "its answer", || {
        Command::new("sh")
            .args(["-c", &format!("{client} -d postgres -c '' 2>/dev/null")])
            .status()
            .is_ok_and(|status| status.success())
    });
    said(Command::new("sh").args(["-c", &made]));
    daemon
}

/// The front-end with PHP's own web server: a copy, because the place of its configuration
/// stands in its source.
fn frontend(release: Release, folder: &Path, (web, server): (u16, u16)) -> Daemon {
    let place = folder.join("frontend");
    said(Command::new("cp").arg("-r").arg(release.folder().join("frontend")).arg(&place));
    let source = place.join("include/classes/core/CConfigFile.php");
    let configuration = folder.join("zabbix.conf.php");
    let text = fs::read_to_string(&source).expect("the front-end is there");
    let own = format!("const CONFIG_FILE_PATH = '{}';", configuration.display());
    let is_place = |line: &str| line.trim_start().starts_with("const CONFIG_FILE_PATH = ");
    let lines = text.lines().map(|line| if is_place(line) { own.as_str() } else { line });
    let changed = lines.collect::<Vec<_>>().join("\n");
    assert!(changed.contains(&own), "{} has another form", source.display());
    fs::write(&source, changed).expect("the copy is ours");
    let settings = format!(
        "<?php\n$DB = ['TYPE' => 'POSTGRESQL', 'SERVER' => '{}', 'PORT' => '5432', 'DATABASE' => 'zabbix',\n\
         'USER' => 'zabbix', 'PASSWORD' => '', 'SCHEMA' => '', 'ENCRYPTION' => false, 'KEY_FILE' => '',\n\
         'CERT_FILE' => '', 'CA_FILE' => '', 'VERIFY_HOST' => false, 'CIPHER_LIST' => '', 'VAULT' => '',\n\
         'VAULT_URL' => '', 'VAULT_DB_PATH' => '', 'VAULT_TOKEN' => '', 'DOUBLE_IEEE754' => true];\n\
         $ZBX_SERVER = '127.0.0.1'; $ZBX_SERVER_PORT = '{server}'; $ZBX_SERVER_NAME = '';\n\
         $IMAGE_FORMAT_DEFAULT = IMAGE_FORMAT_PNG;\n",
        folder.join("database").display()
    );
    fs::write(&configuration, settings).expect("the folder is ours");
    let mut command = Command::new(program("php", "php-cli"));
    command.args(["-d", "display_errors=stderr", "-S", &format!("127.0.0.1:{web}"), "-t"]).arg(&place);
    let mut daemon = Daemon::spawn("php", command, Group::FromLab, &folder.join("frontend.log"));
    daemon.wait_listening_within(web, START);
    daemon
}

fn engine(release: Release, folder: &Path, port: u16) -> Daemon {
    let at = |name: &str| folder.join(name).display().to_string();
    // Timeout is the default, 3 s.
    let settings = format!(
        "ListenIP=127.0.0.1\nListenPort={port}\nLogType=console\nAllowRoot=1\nCacheUpdateFrequency=2\n\
         DBHost={}\nDBName=zabbix\nDBUser=zabbix\nExternalScripts={}\nSocketDir={}\nPidFile={}\nFpingLocation=/bin/false\n",
        at("database"),
        at("externalscripts"),
        folder.display(),
        at("server.pid")
    );
    let file = folder.join("server.conf");
    fs::write(&file, settings).expect("the folder is ours");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("the file is ours");
    let mut command = release.command();
    command.arg("-f").arg("-c").arg(&file);
    let mut daemon = Daemon::spawn("zabbix_server", command, Group::FromLab, &folder.join("server.log"));
    daemon.wait_listening_within(port, START);
    daemon
}
