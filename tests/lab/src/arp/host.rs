//! A host of the network: commands that run inside it, and what its kernel knows of its neighbours.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::arp::Mac;
use crate::process::shared_folder;
use crate::sys;

/// What a command inside a host may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// Everything, inside the host.
    Root,
    /// What the capabilities of its file give, as for an ordinary user: no raw sockets without them.
    File,
    /// The same, with `CAP_NET_RAW` missing in the bounding set, as in a hardened container.
    Bounded,
    /// The same as [`Rights::File`], with `NoNewPrivileges`, which makes the kernel ignore those of the file.
    NoNewPrivileges,
}

/// Of the slowest clock kernels are built with, 100 Hz.
const TWO_TICKS: Duration = Duration::from_millis(20);

/// The namespaces of a host.
#[derive(Clone, Debug)]
pub(crate) struct Spaces {
    pub(crate) user: Arc<OwnedFd>,
    pub(crate) network: Arc<OwnedFd>,
}

/// A host of a running network; a copy is the same host.
#[derive(Clone, Debug)]
pub struct Host {
    name: String,
    mac: Mac,
    addresses: Vec<IpAddr>,
    spaces: Spaces,
}

/// An entry of the kernel's neighbour table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// None while nobody has answered.
    pub mac: Option<Mac>,
    /// The kernel's word: `REACHABLE`, `STALE`, `PERMANENT`, `FAILED` ...
    pub state: String,
}

/// A program with file capabilities; it goes when this is dropped.
#[derive(Debug)]
pub struct Granted {
    path: PathBuf,
    _folder: TempDir,
}

impl Granted {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Host {
    pub(crate) fn new(name: &str, mac: Mac, addresses: &[String], spaces: Spaces) -> Self {
        let plain = addresses.iter().map(|address| address.split('/').next().and_then(|ip| ip.parse().ok()));
        let addresses = plain.collect::<Option<_>>().expect("addresses are ADDRESS/LENGTH");
        Self { name: name.to_owned(), mac, addresses, spaces }
    }

    /// Its name in the plan.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The MAC of its interface `eth0`.
    #[must_use]
    pub fn mac(&self) -> Mac {
        self.mac
    }

    /// Its first IPv4 address.
    #[must_use]
    pub fn ipv4(&self) -> Ipv4Addr {
        let first = self.addresses.iter().find_map(|address| match address {
            IpAddr::V4(address) => Some(*address),
            IpAddr::V6(_) => None,
        });
        first.unwrap_or_else(|| panic!("{} has no IPv4 address", self.name))
    }

    /// Its first IPv6 address, the global one.
    #[must_use]
    pub fn ipv6(&self) -> Ipv6Addr {
        let first = self.addresses.iter().find_map(|address| match address {
            IpAddr::V6(address) => Some(*address),
            IpAddr::V4(_) => None,
        });
        first.unwrap_or_else(|| panic!("{} has no IPv6 address", self.name))
    }

    /// A command inside the host, as root there. Its `/sys` is the host's own.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        self.command_with(program, Rights::Root)
    }

    /// The same with these rights.
    #[must_use]
    pub fn command_with(&self, program: impl AsRef<OsStr>, rights: Rights) -> Command {
        let mut command = Command::new(program);
        self.enter(&mut command, rights);
        command
    }

    /// Moves a command that is not started yet into the host.
    pub fn enter(&self, command: &mut Command, rights: Rights) {
        sys::enter(command, self.spaces.clone(), rights);
    }

    /// A copy of a program whose file gives it a capability, in the notation of setcap(8): `cap_net_raw+p`.
    #[must_use]
    pub fn granted(&self, program: &Path, capability: &str) -> Granted {
        let folder = shared_folder();
        let path = folder.path().join(program.file_name().expect("a program has a name"));
        fs::copy(program, &path).unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let setcap = crate::process::program("setcap", "libcap2-bin");
        let output = self.command(setcap).arg(capability).arg(&path).output().expect("setcap starts");
        assert!(output.status.success(), "setcap: {}", String::from_utf8_lossy(&output.stderr));
        Granted { path, _folder: folder }
    }

    /// Runs a command that has to succeed; what it printed.
    #[expect(clippy::must_use_candidate, reason = "many commands are run for what they do")]
    pub fn run(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.command(program).args(arguments).output();
        let output = output.unwrap_or_else(|error| panic!("{program} in {}: {error}", self.name));
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {arguments:?} in {}: {complaint}", self.name);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What the kernel knows of this address on the link.
    #[must_use]
    pub fn neighbour(&self, address: impl Into<IpAddr>) -> Option<Neighbour> {
        let text = self.run("ip", &["neigh", "show", "to", &address.into().to_string(), "dev", "eth0"]);
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let mac = words.iter().skip_while(|word| **word != "lladdr").nth(1);
        let mac = mac.map(|mac| mac.parse().expect("the kernel writes it so"));
        words.last().map(|state| Neighbour { mac, state: (*state).to_owned() })
    }

    /// Waits until the kernel has this MAC for the address.
    pub fn wait_neighbour(&self, address: impl Into<IpAddr>, mac: Mac) -> Neighbour {
        let (address, until) = (address.into(), Instant::now() + PATIENCE);
        loop {
            match self.neighbour(address) {
                Some(entry) if entry.mac == Some(mac) => return entry,
                other => assert!(Instant::now() < until, "{}: {address} is {other:?}, not {mac}", self.name),
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Asks the address for an echo, so that the kernel has to learn who it is; it has to answer.
    /// What is learnt can be overridden when this returns: even without a `locktime` the kernel
    /// keeps an entry for the rest of the tick in which it was written.
    pub fn meet(&self, other: impl Into<IpAddr>) {
        let other = other.into().to_string();
        self.run("ping", &["-n", "-q", "-c", "1", "-W", "2", &other]);
        thread::sleep(TWO_TICKS);
    }

    /// Writes an entry by hand that nothing on the wire changes. A host that has one for another does not ask for it
    /// either: its own questions would heal what somebody has poisoned.
    pub fn pin(&self, address: impl Into<IpAddr>, mac: Mac) {
        let (address, mac) = (address.into().to_string(), mac.to_string());
        self.run("ip", &["neigh", "replace", &address, "lladdr", &mac, "dev", "eth0", "nud", "permanent"]);
    }

    /// Lets an answer replace a younger one: else the kernel keeps what it has learnt for a second (`locktime`).
    pub fn believe_at_once(&self) {
        self.run("ip", &["ntable", "change", "name", "arp_cache", "dev", "eth0", "locktime", "0"]);
    }

    /// Writes many of them at once.
    pub fn pin_all(&self, entries: impl IntoIterator<Item = (IpAddr, Mac)>) {
        let lines = entries
            .into_iter()
            .map(|(address, mac)| format!("neigh replace {address} lladdr {mac} dev eth0 nud permanent\n"));
        let lines: String = lines.collect();
        let mut command = self.command("ip");
        let mut child =
            command.args(["-batch", "-"]).stdin(Stdio::piped()).spawn().expect("iproute2 is installed");
        let mut input = child.stdin.take().expect("stdin is piped");
        input.write_all(lines.as_bytes()).expect("ip reads it");
        drop(input);
        assert!(
            child.wait().expect("it is our child").success(),
            "{}: not all entries were taken",
            self.name
        );
    }

    /// Forgets every neighbour but the pinned ones.
    pub fn forget(&self) {
        self.run("ip", &["neigh", "flush", "dev", "eth0"]);
    }
}

/// How long the kernel may take to learn something.
const PATIENCE: Duration = Duration::from_secs(3);
