//! What check_arp_dupes may cost; see `budgets.rs`. What sweeps cost is measured by `tests/bench/run`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

use std::net::{IpAddr, Ipv4Addr};

use lab::arp::plan::monitor;
use lab::arp::{Mac, Network, left_out};
use lab::cost::Candidate;
use tests::budget::{at_most, is_small, starts};
use tests::package::shipped;

/// A host that knows 5,000 others.
struct Crowd {
    network: Network,
    memory: tempfile::TempDir,
}

impl Crowd {
    fn new() -> Self {
        let network = Network::start([monitor()]);
        let first = Ipv4Addr::new(10, 99, 100, 0).to_bits();
        let others = (first..first + 5000).map(Ipv4Addr::from_bits);
        network.host("mon").pin_all(others.map(|ip| (IpAddr::from(ip), Mac::from_address(ip))));
        Self { network, memory: tempfile::tempdir().unwrap() }
    }

    fn candidate(&self, more: &[&str]) -> Candidate {
        let fixed = ["-i", "eth0", "--table"];
        let candidate = Candidate::new(shipped("check_arp_dupes"), fixed.iter().chain(more));
        let candidate = candidate.inside(self.network.host("mon"));
        assert_eq!(candidate.run().code, Some(0), "each has his own address");
        candidate
    }

    fn forgetful(&self) -> Candidate {
        self.candidate(&["--no-state"])
    }

    /// The run that learns is over.
    fn remembering(&self) -> Candidate {
        self.candidate(&["--state-dir", &self.memory.path().to_string_lossy()])
    }
}

#[test]
fn arp_dupes_start_instructions() {
    starts("check_arp_dupes");
}

#[test]
fn arp_dupes_size() {
    is_small("check_arp_dupes", 1_600_000);
}

#[test]
fn arp_dupes_instructions() {
    if left_out() {
        return;
    }
    let crowd = Crowd::new();
    // The memory is read, and written where somebody is new.
    at_most("a table of 5,000", crowd.forgetful().instructions(), 13_000_000);
    at_most("the same with a memory of it", crowd.remembering().instructions(), 40_000_000);
}

#[test]
fn arp_dupes_peak_memory() {
    if left_out() {
        return;
    }
    let crowd = Crowd::new();
    at_most("a table of 5,000, KiB", crowd.forgetful().peak_rss_kib(), 4608);
    at_most("the same with a memory of it, KiB", crowd.remembering().peak_rss_kib(), 7200);
}
