//! dsniff's arpspoof: tells a victim every two seconds that the attacker has another's address.

use std::net::Ipv4Addr;
use std::time::Duration;

use tempfile::TempDir;

use crate::arp::Host;
use crate::process::{Daemon, Group, program, shared_folder};

/// A running arpspoof. Dropping it kills it, and what it has poisoned stays so.
#[derive(Debug)]
pub struct Spoofer {
    daemon: Daemon,
    folder: TempDir,
}

impl Spoofer {
    /// Starts it at the attacker: the victim shall send to him what is for `address`.
    #[must_use]
    pub fn start(attacker: &Host, victim: Ipv4Addr, address: Ipv4Addr) -> Self {
        let folder = shared_folder();
        let mut command = attacker.command(program("arpspoof", "dsniff"));
        command.args(["-i", "eth0", "-t", &victim.to_string(), &address.to_string()]);
        let daemon = Daemon::spawn("arpspoof", command, Group::FromLab, &folder.path().join("log"));
        let mut spoofer = Self { daemon, folder };
        spoofer.wait_sent(1);
        spoofer
    }

    /// Waits until it has sent so many lies.
    pub fn wait_sent(&mut self, count: usize) {
        let log = self.folder.path().join("log");
        self.daemon.wait_until("the lie", || {
            std::fs::read_to_string(&log).is_ok_and(|text| text.matches("is-at").count() >= count)
        });
    }

    /// Ends it in order: it tells the truth several times, which takes it some seconds.
    pub fn heal(mut self) {
        self.daemon.stop_within(Duration::from_secs(10));
    }
}

impl Drop for Spoofer {
    fn drop(&mut self) {
        self.daemon.kill_group();
    }
}
