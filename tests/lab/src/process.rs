//! Daemons as children in the foreground: each in a process group of its own, reached only
//! by its own process id, stopped when dropped and when the test process dies.

use std::fs::{File, Permissions};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::sys::{self, Signal};

/// How long a daemon may take to answer or to stop.
const PATIENCE: Duration = Duration::from_secs(10);

/// A port that was free a moment ago for TCP and UDP on both loopback addresses, for servers
/// that cannot choose one themselves. It lies below the range from which the kernel serves outgoing
/// connections, so tests in other processes rarely take it meanwhile.
#[must_use]
pub fn free_port() -> u16 {
    for _ in 0..500 {
        let port = 10_000 + (random() % 22_000) as u16;
        let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        let v6 = TcpListener::bind((Ipv6Addr::LOCALHOST, port));
        let v6_usable = v6.as_ref().err().is_none_or(|error| error.kind() != io::ErrorKind::AddrInUse);
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, port));
        if v4.is_ok() && v6_usable && udp.is_ok() {
            return port;
        }
    }
    panic!("no free port on loopback");
}

/// True when this machine has the IPv6 loopback address.
#[must_use]
pub fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

/// Path of a program in the usual folders; panics naming the package when it is missing.
#[must_use]
pub fn program(name: &str, package: &str) -> PathBuf {
    let path = std::env::var("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    path.split(':')
        .chain(usual)
        .map(|folder| Path::new(folder).join(name))
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("{package} is not installed ({name} is missing): tests/run installs it"))
}

/// What `tests/run` has unpacked for the lab below the target folder (`lab/NAME`), for
/// servers that cannot be installed beside the others; panics when it is missing.
#[must_use]
pub fn prepared(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("Linux has /proc");
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let folders = own.ancestors().map(Path::to_owned).chain(target);
    folders
        .map(|folder| folder.join("lab").join(name))
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("lab/{name} is missing in the target folder: tests/run prepares it"))
}

/// Numeric id of an account that a package makes; the third field in `/etc/passwd` as well as
/// in `/etc/group`.
#[must_use]
pub fn account(file: &str, name: &str) -> u32 {
    let text = std::fs::read_to_string(file).expect("the account files are readable");
    let mut rows = text.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let row = rows.find(|row| row[0] == name);
    let id = row.and_then(|row| row.get(2).and_then(|id| id.parse().ok()));
    id.unwrap_or_else(|| panic!("{name} is not installed (missing in {file}): tests/run installs it"))
}

/// Whether a scenario has to be left out because this run has no root (`tests/run` as an
/// ordinary user sets `VEDETTE_WITHOUT_ROOT`), and says so.
#[must_use]
pub fn left_out_without_root(what: &str) -> bool {
    let without = std::env::var_os("VEDETTE_WITHOUT_ROOT").is_some();
    if without {
        println!("LEFT OUT: {what} needs root");
    }
    without
}

/// Whether a scenario has to be left out because `tests/run` could not unpack the servers of a newer Debian (it sets
/// `VEDETTE_WITHOUT_NEWER`), and says so.
#[must_use]
pub fn left_out_without_newer(what: &str) -> bool {
    let without = std::env::var_os("VEDETTE_WITHOUT_NEWER").is_some();
    if without {
        println!("LEFT OUT: {what} of Debian 13 could not be unpacked");
    }
    without
}

/// Panics unless the lab runs as root, which daemons that change their user need.
pub fn require_root(what: &str) {
    assert!(is_root(), "{what} needs root: run tests/run as root");
}

/// Whether the lab runs as root.
#[must_use]
pub fn is_root() -> bool {
    let owner = std::fs::metadata("/proc/self").map(|process| process.uid());
    owner.is_ok_and(|uid| uid == 0)
}

/// Makes a new temporary folder that daemons with their own users may search.
#[must_use]
pub fn shared_folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("the folder is ours");
    folder
}

/// Who puts the daemon into a process group of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// The lab, when it starts the daemon.
    FromLab,
    /// The daemon itself, by setsid(2), which fails for a process that leads a group already.
    FromDaemon,
}

/// A daemon that runs in the foreground as our child.
#[derive(Debug)]
pub struct Daemon {
    name: String,
    log: PathBuf,
    child: Option<Child>,
    guard: Option<Child>,
}

impl Daemon {
    /// Starts the command, with its output appended to the file `log`.
    #[must_use]
    pub fn spawn(name: &str, mut command: Command, group: Group, log: &Path) -> Self {
        if group == Group::FromLab {
            command.process_group(0);
        }
        let out = open_log(log);
        let err = out.try_clone().expect("a file handle can be doubled");
        command.stdin(Stdio::null()).stdout(out).stderr(err);
        Self::watched(name, &mut command, log)
    }

    /// Starts a command that is talked to through pipes, in a group of its own; what it
    /// complains about is appended to the file `log`.
    #[must_use]
    pub fn spawn_piped(name: &str, mut command: Command, log: &Path) -> (Self, ChildStdin, ChildStdout) {
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(open_log(log));
        let mut daemon = Self::watched(name, &mut command, log);
        let child = daemon.child.as_mut().expect("just started");
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (input, output) = pipes.expect("both are piped");
        (daemon, input, output)
    }

    fn watched(name: &str, command: &mut Command, log: &Path) -> Self {
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let guard = guard(child.id());
        Self { name: name.to_owned(), log: log.to_owned(), child: Some(child), guard: Some(guard) }
    }

    /// Process id, which is the id of its group as well.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// Whether it has ended, without our doing.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        has_exited(self.pid())
    }

    /// Waits until a TCP connection succeeds; panics with the log when the daemon ends or
    /// does not answer in time.
    pub fn wait_port(&mut self, address: SocketAddr) {
        self.wait_until(&format!("port {}", address.port()), || {
            TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok()
        });
    }

    /// Waits until something listens on the port of 127.0.0.1, without connecting: a server
    /// that starts a process for each connection would start one for nobody.
    pub fn wait_listening(&mut self, port: u16) {
        self.wait_listening_within(port, PATIENCE);
    }

    /// Does the same for a daemon that is slow to start.
    pub fn wait_listening_within(&mut self, port: u16, patience: Duration) {
        self.wait_longer(patience, &format!("port {port}"), || listens(port));
    }

    /// Waits until `ready` is true, polling every 2 ms.
    pub fn wait_until(&mut self, what: &str, ready: impl FnMut() -> bool) {
        self.wait_longer(PATIENCE, what, ready);
    }

    /// The same for up to this time.
    pub fn wait_longer(&mut self, limit: Duration, what: &str, mut ready: impl FnMut() -> bool) {
        let until = Instant::now() + limit;
        while !ready() {
            // Not try_wait: a reaped id could belong to a stranger when stop() signals the group.
            let ended = has_exited(self.pid());
            assert!(!ended, "{} ended before {what} was ready:\n{}", self.name, self.log_text());
            assert!(Instant::now() < until, "{}: {what} not ready:\n{}", self.name, self.log_text());
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Freezes the whole group: the kernel still accepts connections, nobody answers. Returns
    /// when every thread stands still, for on a busy machine some go on for a while.
    pub fn pause(&self) {
        let group = self.pid();
        sys::kill_group(group, Signal::Stop).expect("the daemon runs");
        let until = Instant::now() + PATIENCE;
        while !stands_still(group) {
            assert!(Instant::now() < until, "{} cannot be frozen:\n{}", self.name, self.log_text());
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Lets the group go on.
    pub fn resume(&self) {
        sys::kill_group(self.pid(), Signal::Cont).expect("the daemon runs");
    }

    /// Asks the daemon to end, waits up to `grace`, and kills what is left of its group.
    pub fn stop_within(&mut self, grace: Duration) {
        let group = self.pid();
        if group != 0 {
            // A frozen daemon could not obey. The id stays taken until kill_group() below
            // reaps it, so no signal can reach a stranger.
            let _ = sys::kill_group(group, Signal::Cont);
            let _ = sys::kill(group, Signal::Term);
            let until = Instant::now() + grace;
            while !has_exited(group) && Instant::now() < until {
                thread::sleep(Duration::from_millis(2));
            }
        }
        self.kill_group();
    }

    /// Kills the whole group at once, without asking.
    pub fn kill_group(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        let _ = sys::kill_group(child.id(), Signal::Kill);
        // It may not lead a group yet.
        let _ = sys::kill(child.id(), Signal::Kill);
        let _ = child.wait();
        if let Some(mut guard) = self.guard.take() {
            let _ = guard.kill();
            let _ = guard.wait();
        }
    }

    /// What the daemon has written so far.
    #[must_use]
    pub fn log_text(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.stop_within(Duration::from_secs(2));
    }
}

fn open_log(log: &Path) -> File {
    File::options().create(true).append(true).open(log).expect("the lab's folder is writable")
}

/// Kills the group when the test process dies without dropping its handles (SIGKILL, the
/// test runner's timeout): a shell that waits for the end of a pipe only we hold open.
fn guard(group: u32) -> Child {
    Command::new("/bin/sh")
        .args(["-c", "trap '' INT TERM HUP; read -r _; kill -s CONT -- -$1; kill -s KILL -- -$1", "guard"])
        .arg(group.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("there is a shell")
}

/// Looks the port, of 127.0.0.1 or of every address, up in the kernel's table of listening
/// sockets (state 0A).
fn listens(port: u16) -> bool {
    // Of this thread, which may be in a network of its own.
    let table = std::fs::read_to_string("/proc/thread-self/net/tcp").expect("Linux has /proc");
    let addresses = ["0100007F", "00000000"].map(|ip| format!("{ip}:{port:04X}"));
    let mut rows = table.lines().map(|row| row.split_ascii_whitespace().collect::<Vec<_>>());
    let ours = |address: &str| addresses.iter().any(|known| known == address);
    rows.any(|row| row.get(1).copied().is_some_and(ours) && row.get(3) == Some(&"0A"))
}

/// True when the process has ended, reaped or not.
fn has_exited(pid: u32) -> bool {
    stat(&Path::new("/proc").join(pid.to_string())).is_none_or(|(state, _)| matches!(state, 'Z' | 'X'))
}

/// True when every thread of every process of the group is stopped or has ended. One that
/// sleeps in the kernel (D) counts: it stops before it runs a single instruction of its own, and a
/// shell that waits there for a frozen child to become another program does so for ever.
fn stands_still(group: u32) -> bool {
    let members = entries(Path::new("/proc")).filter(|path| stat(path).is_some_and(|(_, id)| id == group));
    let mut threads = members.flat_map(|path| entries(&path.join("task")).collect::<Vec<_>>());
    threads.all(|path| stat(&path).is_none_or(|(state, _)| matches!(state, 'T' | 't' | 'D' | 'Z' | 'X')))
}

/// What is in a folder; nothing when it has gone.
fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// State letter and process group of the process or thread with this folder in `/proc`.
fn stat(folder: &Path) -> Option<(char, u32)> {
    let text = std::fs::read_to_string(folder.join("stat")).ok()?;
    // Both follow the command name, which is in brackets and may contain anything.
    let mut fields = text.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(1)?.parse().ok()?))
}

fn random() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id())
}
