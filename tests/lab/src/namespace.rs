//! A network of its own for a part of a test: every port is free there, 53 above all, and
//! the system's resolver is whom the test wants. More of them, on a bridge, are the hosts of a small site.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::IpAddr;
use std::os::fd::AsRawFd as _;
use std::panic::resume_unwind;
use std::process::Command;
use std::thread;

use crate::process::{require_root, shared_folder};
use crate::sys;

/// Runs `body` in a thread with a network namespace that has nothing but loopback, and a
/// mount namespace in which `/etc/resolv.conf` names these servers. Threads and processes
/// started there are in it, too; whatever was started before is not.
pub fn with_resolvers<T: Send>(servers: &[IpAddr], body: impl FnOnce() -> T + Send) -> T {
    require_root("a network of its own");
    let folder = shared_folder();
    let own = folder.path().join("resolv.conf");
    let text = servers.iter().fold(String::new(), |mut text, server| {
        let _ = writeln!(text, "nameserver {server}");
        text
    });
    fs::write(&own, text).expect("the lab's folder is writable");
    let enter = || {
        sys::leave_namespaces().expect("root may have namespaces");
        // Else the system would see what is mounted here.
        said_nothing(Command::new("mount").args(["--make-rprivate", "/"]));
        said_nothing(Command::new("mount").arg("--bind").arg(&own).arg("/etc/resolv.conf"));
        ip("link set lo up");
        body()
    };
    // The namespaces end with the thread and what it has started.
    in_a_thread(enter)
}

/// A bridge in the network of the calling thread, which must be one of [`with_resolvers`].
#[derive(Debug)]
pub struct Bridge(&'static str);

impl Bridge {
    /// A bridge that has an address with a prefix length itself.
    #[must_use]
    pub fn new(name: &'static str, address: &str) -> Self {
        ip(&format!("link add {name} type bridge"));
        ip(&format!("address add {address} dev {name}"));
        ip(&format!("link set {name} up"));
        Self(name)
    }

    /// A new host with this address on it. Two of them may have the same.
    #[must_use]
    pub fn host(&self, address: &str) -> Neighbour {
        let own = in_a_thread(|| {
            sys::leave_network().expect("root may have namespaces");
            File::open("/proc/thread-self/ns/net").expect("Linux has /proc")
        });
        let Self(bridge) = self;
        let descriptor = own.as_raw_fd();
        let place = format!("/proc/{}/fd/{descriptor}", std::process::id());
        // Else named by the kernel, which then does not say how.
        let cable = format!("cable{descriptor}");
        ip(&format!("link add {cable} master {bridge} up type veth peer name eth0 netns {place}"));
        let host = Neighbour(own);
        host.run(|| {
            ip(&format!("address add {address} dev eth0"));
            ip("link set lo up");
            ip("link set eth0 up");
        });
        host
    }
}

/// A host beside the calling thread's own: a network, and nothing else that is not shared.
#[derive(Debug)]
pub struct Neighbour(File);

impl Neighbour {
    /// Runs `body` there. What it starts stays there.
    pub fn run<T: Send>(&self, body: impl FnOnce() -> T + Send) -> T {
        in_a_thread(|| {
            sys::join_network(&self.0).expect("root may enter them");
            body()
        })
    }
}

/// Only this thread changes its namespaces.
fn in_a_thread<T: Send>(body: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(body).join()).unwrap_or_else(|panic| resume_unwind(panic))
}

fn ip(words: &str) {
    said_nothing(Command::new("ip").args(words.split(' ')));
}

fn said_nothing(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
