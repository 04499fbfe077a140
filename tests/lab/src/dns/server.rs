//! What the real name servers have in common: a child on a free port of loopback with a
//! folder of its own, ready when it answers by UDP.

use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::codec::encode_query;
use super::types::RecordType;
use crate::process::{Daemon, Group, free_port, is_root, shared_folder};

/// A real name server; stops when dropped.
pub trait NameServer: std::fmt::Debug {
    /// What is the same in all of them.
    fn running(&self) -> &Running;

    /// Address for UDP, and but for rbldnsd also for TCP.
    fn addr(&self) -> SocketAddr {
        self.running().address
    }

    /// Port for the same.
    fn port(&self) -> u16 {
        self.running().address.port()
    }

    /// The folder with its configuration and data.
    fn dir(&self) -> &Path {
        self.running().folder.path()
    }

    /// What it has written so far.
    fn log(&self) -> String {
        self.running().daemon.log_text()
    }

    /// Process id.
    fn pid(&self) -> u32 {
        self.running().daemon.pid()
    }

    /// Freezes it: queries are taken by the kernel and never answered.
    fn pause(&self) {
        self.running().daemon.pause();
    }

    /// Lets a frozen server go on.
    fn resume(&self) {
        self.running().daemon.resume();
    }
}

/// The process of a name server, its address and its folder.
#[derive(Debug)]
pub struct Running {
    // Before the folder, so that the daemon is stopped first.
    daemon: Daemon,
    folder: TempDir,
    address: SocketAddr,
}

impl Running {
    pub(super) fn kill(&mut self) {
        self.daemon.kill_group();
    }
}

/// A folder and an address for a server that is about to start.
#[derive(Debug)]
pub(super) struct Place {
    folder: TempDir,
    pub(super) address: SocketAddr,
}

impl Place {
    /// Where it was wished, else with a free port of 127.0.0.1.
    pub(super) fn wished(address: Option<SocketAddr>) -> Self {
        Self::at(address.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, free_port()).into()))
    }

    pub(super) fn at(address: SocketAddr) -> Self {
        Self { folder: shared_folder(), address }
    }

    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file of this name and returns its path.
    pub(super) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, text).expect("the lab's folder is writable");
        path
    }

    /// Starts the server, waits until it answers and, when `marker` is given, until it has
    /// written that.
    pub(super) fn start(self, name: &str, command: Command, marker: Option<&str>) -> Running {
        let log = self.path().join("log");
        let mut daemon = Daemon::spawn(name, command, Group::FromLab, &log);
        let address = self.address;
        daemon.wait_until(&format!("port {}", address.port()), || answers(address));
        if let Some(marker) = marker {
            let has_marker = || fs::read_to_string(&log).is_ok_and(|text| text.contains(marker));
            daemon.wait_until(marker, has_marker);
        }
        Running { daemon, folder: self.folder, address }
    }
}

/// The root as a resolver of the lab knows it, in the form of a zone file: these servers of
/// ours, on port 53, instead of those of the world.
pub(super) fn root_hints(servers: &[IpAddr]) -> String {
    servers.iter().enumerate().fold(String::new(), |mut text, (at, address)| {
        let kind = if address.is_ipv4() { "A" } else { "AAAA" };
        let _ = writeln!(text, ". 3600 IN NS root{at}.\nroot{at}. 3600 IN {kind} {address}");
        text
    })
}

/// Configuration lines, each with an end.
pub(super) fn lines(lines: &[String]) -> String {
    lines.iter().fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "{line}");
        text
    })
}

/// The arguments that make a server of root an ordinary user; others need none.
pub(super) fn as_nobody() -> &'static [&'static str] {
    if is_root() { &["-u", "nobody"] } else { &[] }
}

/// The file of a zone, whose name may be the root's.
pub(super) fn file_name(zone: &str) -> String {
    let name = if zone == "." { "root" } else { zone };
    format!("{name}.zone")
}

/// Whether anything comes back for a query that no server passes on: one without RD.
fn answers(address: SocketAddr) -> bool {
    let mut query = encode_query(1, "ready.lab.test", RecordType::A, None);
    query[2] = 0;
    // Connected, so that a port nobody listens on fails at once.
    let asked = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| {
        socket.connect(address)?;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        socket.send(&query)?;
        socket.recv(&mut [0; 512])
    });
    asked.is_ok()
}
