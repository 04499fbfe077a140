//! A network of its own for a part of a test: every port is free there, 53 above all, and
//! the system's resolver is whom the test wants.

use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
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
        said_nothing(Command::new("ip").args(["link", "set", "lo", "up"]));
        body()
    };
    // The namespaces end with the thread and what it has started.
    thread::scope(|scope| scope.spawn(enter).join()).unwrap_or_else(|panic| resume_unwind(panic))
}

fn said_nothing(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
