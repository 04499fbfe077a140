//! A real server on a port of its own, with a copy of the prepared data folder.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::client::{Client, ClientError};
use super::release::{Release, option};
use super::{Account, general_log};
use crate::certs::{Authority, LeafOptions};
use crate::process::{Daemon, Group, free_port, require_root, shared_folder};

/// MySQL takes three seconds when nobody else wants the processor.
pub(crate) const START: Duration = Duration::from_mins(1);

/// Wishes for a [`Server`]. The default is a MariaDB 10.11 with a binary log, without TLS.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    release: Release,
    certificate: Option<LeafOptions>,
    arguments: Vec<String>,
    relay_disk: Option<u32>,
    clock_ahead: Option<i32>,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self::of(Release::MariaDb)
    }
}

impl ServerOptions {
    /// A server of this release.
    #[must_use]
    pub fn of(release: Release) -> Self {
        Self { release, certificate: None, arguments: Vec::new(), relay_disk: None, clock_ahead: None }
    }

    /// Which release it is.
    #[must_use]
    pub fn release(&self) -> Release {
        self.release
    }

    /// With TLS and a certificate like this, signed by an authority of its own.
    #[must_use]
    pub fn certificate(mut self, options: LeafOptions) -> Self {
        self.certificate = Some(options);
        self
    }

    /// With one more argument on its command line, such as `--read-only=1`.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// With its relay logs on a file system of their own that holds so many MiB, which needs root.
    #[must_use]
    pub fn relay_disk(mut self, mebibytes: u32) -> Self {
        self.relay_disk = Some(mebibytes);
        self
    }

    /// With a clock that is so many seconds ahead of everybody else's. For MariaDB: MySQL does little else under it.
    #[must_use]
    pub fn clock_ahead(mut self, seconds: i32) -> Self {
        self.clock_ahead = Some(seconds);
        self
    }
}

/// A server; killed when dropped.
#[derive(Debug)]
pub struct Server {
    // Before the folder, so that the daemon is stopped first.
    daemon: Option<Daemon>,
    options: ServerOptions,
    authority: Authority,
    folder: TempDir,
    id: u32,
    port: u16,
}

impl Server {
    /// Starts it and waits until it answers.
    #[must_use]
    pub fn start(options: &ServerOptions) -> Self {
        static LAST: AtomicU32 = AtomicU32::new(10);
        let mut server = Self {
            daemon: None,
            options: options.clone(),
            authority: Authority::new("Lab Database CA"),
            folder: shared_folder(),
            id: LAST.fetch_add(1, Ordering::Relaxed) + 1,
            port: free_port(),
        };
        copy(&options.release.template(), &server.datadir());
        for name in ["relay", "tmp"] {
            fs::create_dir(server.folder().join(name)).expect("the lab's folder is writable");
        }
        let _ca = server.authority.write_ca(server.folder());
        if let Some(certificate) = &options.certificate {
            let _files = server.authority.leaf(certificate).write(server.folder(), "server");
        }
        server.start_again(&[]);
        server
    }

    /// Starts several at once, which is faster.
    #[must_use]
    pub fn start_all<const N: usize>(options: [&ServerOptions; N]) -> [Self; N] {
        thread::scope(|scope| {
            let starting = options.map(|options| scope.spawn(|| Self::start(options)));
            starting.map(|thread| thread.join().expect("the reason is above"))
        })
    }

    /// Starts a stopped server again on the same port, with these arguments beside its own.
    pub fn start_again(&mut self, arguments: &[&str]) {
        assert!(self.daemon.is_none(), "it runs");
        let mut command = self.command();
        command.args(arguments);
        let log = self.folder().join("log");
        let mut daemon = Daemon::spawn("database server", command, Group::FromLab, &log);
        let socket = self.socket();
        daemon.wait_longer(START, "its socket", || Client::over_socket(&socket, "root", "").is_ok());
        self.daemon = Some(daemon);
    }

    /// Ends it as an operator would.
    pub fn stop(&mut self) {
        let mut daemon = self.daemon.take().expect("it runs");
        daemon.stop_within(START);
    }

    /// Ends it as a power failure would.
    pub fn kill(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.kill_group();
        }
    }

    /// Freezes it: the kernel still accepts connections, nobody answers.
    pub fn pause(&self) {
        self.running().pause();
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.running().resume();
    }

    /// Whether it has ended by itself.
    #[must_use]
    pub fn has_crashed(&self) -> bool {
        self.daemon.as_ref().is_some_and(Daemon::has_ended)
    }

    /// Waits until it has ended by itself, which takes a while after its last words to a client.
    pub fn wait_for_crash(&self) {
        let until = Instant::now() + START;
        while !self.has_crashed() {
            assert!(Instant::now() < until, "it still runs: {}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// A session of root, who may do everything and has no password on the socket.
    #[must_use]
    pub fn admin(&self) -> Client {
        let client = Client::over_socket(&self.socket(), "root", "");
        client.unwrap_or_else(|error| panic!("no session of root: {error}\n{}", self.log()))
    }

    /// A session over the unix socket. MySQL knows the password from then on, and lets in over TCP without TLS, too,
    /// until it is started again.
    pub fn local_client(&self, account: Account) -> Result<Client, ClientError> {
        Client::over_socket(&self.socket(), account.user(), account.password())
    }

    /// A session over TCP in the clear.
    pub fn client(&self, account: Account) -> Result<Client, ClientError> {
        Client::over_tcp(self.addr(), account.user(), account.password())
    }

    /// Which release it is of.
    #[must_use]
    pub fn release(&self) -> Release {
        self.options.release
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Its port of 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its `server_id`.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Its unix socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder().join("socket")
    }

    /// Its data.
    #[must_use]
    pub fn datadir(&self) -> PathBuf {
        self.folder().join("data")
    }

    /// Its relay logs, also those on a file system of their own.
    #[must_use]
    pub fn relay_folder(&self) -> PathBuf {
        let folder = self.folder().join("relay");
        if self.options.relay_disk.is_none() {
            return folder;
        }
        // Only its own processes see what is mounted there.
        let root = Path::new("/proc").join(self.running().pid().to_string()).join("root");
        root.join(folder.strip_prefix("/").expect("an absolute path"))
    }

    /// The authority of its certificate, PEM.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.folder().join("ca.pem")
    }

    /// The authority of its certificate.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The folder with all of this, for files a test wants to keep beside.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it said on its own.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder().join("log")).unwrap_or_default()
    }

    /// The statements of a user so far, by its general log, in order.
    #[must_use]
    pub fn statements_of(&self, user: &str) -> Vec<String> {
        let log = fs::read(self.folder().join("general.log")).unwrap_or_default();
        general_log::statements_of(&String::from_utf8_lossy(&log), user)
    }

    fn running(&self) -> &Daemon {
        self.daemon.as_ref().expect("it runs")
    }

    fn command(&self) -> Command {
        let release = self.options.release;
        let folder = self.folder();
        let mut command = release.command();
        command.args(["--bind-address=127.0.0.1", "--skip-name-resolve", "--log-bin=binlog"]);
        command.args(["--binlog-format=ROW", "--report-host=127.0.0.1", "--general-log=1"]);
        command.arg(format!("--port={}", self.port)).arg(format!("--report-port={}", self.port));
        command.arg(format!("--server-id={}", self.id));
        command.arg(option("datadir", &self.datadir())).arg(option("socket", &self.socket()));
        command.arg(option("pid-file", &folder.join("pid"))).arg(option("tmpdir", &folder.join("tmp")));
        command.arg(option("general-log-file", &folder.join("general.log")));
        command.arg(option("relay-log", &folder.join("relay/relay")));
        command.args(if release.is_mariadb() {
            ["--log-slave-updates=1", "--gtid-strict-mode=1"]
        } else {
            ["--gtid-mode=ON", "--enforce-gtid-consistency=ON"]
        });
        if self.options.certificate.is_some() {
            command.arg(option("ssl-ca", &self.ca_file()));
            command.arg(option("ssl-cert", &folder.join("server.pem")));
            command.arg(option("ssl-key", &folder.join("server.key")));
        } else if !release.is_mariadb() {
            command.arg("--tls-version=");
        } else if release == Release::NewerMariaDb {
            // It would make a certificate of its own.
            command.arg("--disable-ssl");
        }
        command.args(&self.options.arguments);
        let mut command = match self.options.relay_disk {
            Some(mebibytes) => on_small_disk(&command, &folder.join("relay"), mebibytes),
            None => command,
        };
        if let Some(seconds) = self.options.clock_ahead {
            command.env("LD_PRELOAD", fake_time()).env("FAKETIME", format!("{seconds:+}"));
            // Only the time of day is another one: nobody waits longer.
            command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing of it is worth a clean end.
        self.kill();
    }
}

/// The command in a mount namespace with a small file system on this folder.
fn on_small_disk(command: &Command, folder: &Path, mebibytes: u32) -> Command {
    require_root("a file system of its own");
    let mut outer = Command::new("unshare");
    outer.args(["--mount", "--propagation", "private", "/bin/sh", "-c"]);
    outer.arg(format!("mount -t tmpfs -o size={mebibytes}m tmpfs \"$0\" && exec \"$@\"")).arg(folder);
    outer.arg(command.get_program()).args(command.get_args());
    outer
}

/// The library that tells a program another time.
fn fake_time() -> PathBuf {
    let folder = format!("/usr/lib/{}-linux-gnu/faketime", std::env::consts::ARCH);
    let library = Path::new(&folder).join("libfaketimeMT.so.1");
    assert!(library.is_file(), "libfaketime is not installed ({}): tests/run installs it", library.display());
    library
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("the lab's folder is writable");
    for entry in fs::read_dir(from).expect("the template is there").flatten() {
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy(&source, &target);
        } else {
            fs::copy(&source, &target).unwrap_or_else(|error| panic!("{}: {error}", source.display()));
        }
    }
}
