//! A real postgrey, the greylister that Postfix asks about each recipient.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::chown;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::process::{Daemon, Group, account, free_port, program, require_root, shared_folder};

/// A running postgrey; stops when dropped.
#[derive(Debug)]
pub struct Postgrey {
    // Before the folder, so that the daemon is stopped first.
    daemon: Daemon,
    _folder: TempDir,
    port: u16,
}

impl Postgrey {
    /// Starts it and waits until it listens. A second attempt is taken after `delay`, in whole
    /// seconds.
    #[must_use]
    pub fn start(delay: Duration) -> Self {
        require_root("postgrey");
        let folder = shared_folder();
        // Of the database, which it creates as its own user.
        let user = account("/etc/passwd", "postgrey");
        chown(folder.path(), Some(user), None).expect("root may give folders away");
        let port = free_port();
        let mut command = Command::new(program("postgrey", "postgrey"));
        command
            .arg(format!("--inet=127.0.0.1:{port}"))
            .arg(format!("--dbdir={}", folder.path().display()))
            .arg(format!("--delay={}", delay.as_secs()));
        let log = folder.path().join("log");
        let mut daemon = Daemon::spawn("postgrey", command, Group::FromLab, &log);
        daemon.wait_listening(port);
        Self { daemon, _folder: folder, port }
    }

    /// Where Postfix asks it.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// What it has written so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.daemon.log_text()
    }
}
