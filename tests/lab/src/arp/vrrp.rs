//! keepalived: two routers share one address (VRRP, RFC 5798), with its virtual MAC or with their own.

use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use crate::arp::{Host, Mac};
use crate::process::{Daemon, Group, program, shared_folder};
use crate::sys::{self, Signal};

/// The group's number.
pub const GROUP: u8 = 60;
/// The address that wanders.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 60);
/// The MAC that belongs to the group.
pub const VIRTUAL_MAC: Mac = Mac([0, 0, 0x5e, 0, 1, GROUP]);

/// Where the process that does the work writes its id.
const CHILD: &str = "child.pid";

/// Under which MAC the address is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// The group's own, which stays the same when the address wanders.
    VirtualMac,
    /// That of the router that has it.
    PhysicalMac,
}

/// keepalived on one router. Dropping it kills it.
#[derive(Debug)]
pub struct Vrrp {
    router: Host,
    daemon: Daemon,
    log: PathBuf,
    folder: TempDir,
}

impl Vrrp {
    /// Starts it; the one with the higher priority gets the address.
    #[must_use]
    pub fn start(router: &Host, variant: Variant, priority: u8) -> Self {
        let folder = shared_folder();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("keepalived.conf"), configuration(router, variant, priority))
            .expect("the folder is ours");
        let mut command = router.command(program("keepalived", "keepalived"));
        command.args(["--dont-fork", "--log-console", "--log-detail", "--vrrp"]);
        for (option, name) in [("--use-file", "keepalived.conf"), ("--pid", "pid"), ("--vrrp_pid", CHILD)] {
            command.arg(option).arg(path(name));
        }
        let log = path("log");
        let daemon = Daemon::spawn("keepalived", command, Group::FromLab, &log);
        Self { router: router.clone(), daemon, log, folder }
    }

    /// Waits until it has the address.
    pub fn wait_master(&mut self) {
        self.wait_state("Entering MASTER STATE");
        // It says so before it does so.
        let (router, address) = (&self.router, ADDRESS.to_string());
        let has = || !router.run("ip", &["-o", "address", "show", "to", &address]).is_empty();
        self.daemon.wait_until("the address", has);
    }

    /// Waits until it knows that the other has it.
    pub fn wait_backup(&mut self) {
        self.wait_state("Entering BACKUP STATE");
    }

    fn wait_state(&mut self, words: &str) {
        let log = &self.log;
        self.daemon.wait_until(words, || fs::read_to_string(log).is_ok_and(|text| text.contains(words)));
    }

    /// Kills it without a word to the other, which takes over when it notices. The address stays at this router, too:
    /// both answer.
    pub fn kill(&mut self) {
        if self.daemon.pid() == 0 {
            return;
        }
        // Its child, which does the work, would notice the death of its parent and say good-bye.
        let text = fs::read_to_string(self.folder.path().join(CHILD)).unwrap_or_default();
        let child = text.trim().parse().ok();
        let signal = |signal| child.map(|child| sys::kill(child, signal));
        signal(Signal::Stop);
        self.daemon.kill_group();
        // Frozen, it has not ended, so the id is still its own.
        signal(Signal::Kill);
    }

    /// Ends it in order, which takes it a second: it tells the other, which takes over at once.
    pub fn stop(&mut self) {
        self.daemon.stop_within(Duration::from_secs(2));
    }
}

impl Drop for Vrrp {
    fn drop(&mut self) {
        self.kill();
    }
}

fn configuration(router: &Host, variant: Variant, priority: u8) -> String {
    let address = router.ipv4();
    let mac = match variant {
        Variant::VirtualMac => "use_vmac vr60\n    vmac_xmit_base",
        Variant::PhysicalMac => "",
    };
    format!(
        "global_defs {{\n    vrrp_version 3\n    vrrp_garp_master_delay 0\n}}\n\
         vrrp_instance lab {{\n    state BACKUP\n    interface eth0\n    {mac}\n    virtual_router_id {GROUP}\n    \
         mcast_src_ip {address}\n    priority {priority}\n    advert_int 0.1\n    \
         virtual_ipaddress {{\n        {ADDRESS}/16\n    }}\n}}\n"
    )
}
