//! check_arp_dupes against arp-scan and nmap in the lab's Ethernet. Run by `tests/bench/run`.
#![allow(clippy::expect_used, clippy::print_stdout, reason = "a program for people")]

use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;
use std::time::Duration;

use lab::arp::frame::unrelated;
use lab::arp::plan::{monitor, server};
use lab::arp::{Claim, Host, Mac, Network, Plan, Responder, Rights};
use lab::cost::Candidate;
use lab::output::Parsed;
use lab::plugin::Plugin;
use lab::process::program;
use tests::bench::{Case, Goal, is_wanted, measure, runs};
use tests::package::shipped;

fn ours(host: &Host, words: &[&str]) -> Candidate {
    Candidate::new(shipped("check_arp_dupes"), ["-i", "eth0", "--no-state"].iter().chain(words)).inside(host)
}

fn theirs(host: &Host, name: &str, package: &str, words: &[&str]) -> Candidate {
    Candidate::new(program(name, package), words).inside(host)
}

/// A host that plays many.
fn crowd() -> Plan {
    Plan::new("sim", Mac([2, 0, 0, 0, 0, 0x99]))
}

fn main() -> ExitCode {
    let table = Network::start([monitor()]);
    let entries =
        (0..5000).map(|number| Ipv4Addr::from_bits(Ipv4Addr::new(10, 99, 100, 0).to_bits() + number));
    table.host("mon").pin_all(entries.map(|ip| (IpAddr::from(ip), Mac::from_address(ip))));

    let network = Network::start([monitor(), crowd()]);
    let monitor = network.host("mon");
    let _two_hundred = [(64, 26), (128, 25)].map(|(last, bits)| {
        let claim = Claim::Network(Ipv4Addr::new(10, 99, 0, last), bits);
        network.host("sim").respond(&Responder::simulating(claim))
    });
    let memory = tempfile::tempdir().expect("a folder");
    let words = ["-i", "eth0", "--state-dir", &memory.path().to_string_lossy()].map(str::to_owned);
    let remembering = Candidate::new(shipped("check_arp_dupes"), words).inside(table.host("mon"));
    let sweep = ["--sweep", "10.99.0.0/24", "--rate", "1000", "--window", "1"];
    let result = measure(&[
        Case {
            name: "the table alone, 5,000 entries",
            ours: (ours(table.host("mon"), &["--table"]), 0),
            theirs: Some((theirs(table.host("mon"), "ip", "iproute2", &["neigh"]), 0)),
            runs: runs(40),
            goals: &[Goal::Cpu(Duration::from_millis(10)), Goal::Memory(8 * 1024)],
        },
        Case {
            name: "the same with a memory of them",
            ours: (remembering, 0),
            theirs: None,
            runs: runs(40),
            goals: &[Goal::Cpu(Duration::from_millis(10)), Goal::Memory(8 * 1024)],
        },
        Case {
            name: "a /24 of which 192 answer, against arp-scan",
            ours: (ours(monitor, &sweep), 0),
            theirs: Some((theirs(monitor, "arp-scan", "arp-scan", &["-q", "-I", "eth0", "10.99.0.0/24"]), 0)),
            runs: runs(5),
            goals: &[Goal::WallRatio(1.0), Goal::Memory(8 * 1024)],
        },
        Case {
            name: "the same against nmap",
            ours: (ours(monitor, &sweep), 0),
            theirs: Some((theirs(monitor, "nmap", "nmap", &["-sn", "-PR", "-n", "10.99.0.0/24"]), 0)),
            runs: runs(5),
            goals: &[Goal::WallRatio(1.1), Goal::CpuRatio(1.0)],
        },
    ]);
    let whole = if is_wanted("a /16") { a_whole_16() } else { true };
    let busy = if is_wanted("flood") { a_busy_wire() } else { true };
    if result == ExitCode::SUCCESS && whole && busy { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Everybody answers, and nobody is lost.
fn a_whole_16() -> bool {
    let network =
        Network::start([Plan::new("mon", Mac([2, 0, 0, 0, 0, 0x10])).address("10.98.0.10/15"), crowd()]);
    let simulator = Responder::simulating(Claim::Network(Ipv4Addr::new(10, 99, 0, 0), 16));
    let _running = network.host("sim").respond(&simulator);
    let words = ["--sweep", "10.99.0.0/16", "--rate", "10000", "-t", "30"];
    let candidate = ours(network.host("mon"), &words);
    let cost = candidate.run();
    let memory_kib = candidate.peak_rss_kib();
    let line = line_of(network.host("mon"), &words);
    let (found, lost) = (line.value("ips").unwrap_or(0.0), line.value("drops").unwrap_or(1.0));
    println!("\na /16 at 10,000 frames a second, all of 65,536 answer");
    println!(
        "  found {found} (goal 65536), lost {lost} (goal 0), wall {:.2} s (goal 9.5), CPU {:.2} s, peak RSS {memory_kib} KiB (goal 16384)",
        cost.wall.as_secs_f64(),
        cost.cpu.as_secs_f64()
    );
    (found, lost) == (65_536.0, 0.0) && cost.wall < Duration::from_millis(9500) && memory_kib <= 16 * 1024
}

/// What it prints.
fn line_of(host: &Host, words: &[&str]) -> Parsed {
    let plugin = Plugin::at(shipped("check_arp_dupes")).args(["-i", "eth0", "--no-state"]).args(words);
    plugin.inside(host, Rights::Root).run().parsed()
}

/// A flood that is none of our business.
fn a_busy_wire() -> bool {
    let network = Network::start([monitor(), server(), crowd()]);
    let (monitor, server) = (network.host("mon"), network.host("srv"));
    let claim = Claim::Network(Ipv4Addr::new(10, 99, 0, 64), 28);
    let _sixteen = network.host("sim").respond(&Responder::simulating(claim));
    let _flood = server.send_endlessly(&[unrelated(server.mac(), monitor.mac())], 100_000);
    let words = ["--sweep", "10.99.0.0/24", "--rate", "1000", "--window", "1"];
    let cost = ours(monitor, &words).run();
    let line = line_of(monitor, &words);
    let found = line.value("replies").unwrap_or(0.0);
    println!("\na /24 under a flood of unrelated frames");
    println!("  found {found} (goal 17), CPU {:.3} s (goal 0.15)", cost.cpu.as_secs_f64());
    found >= 17.0 && cost.cpu <= Duration::from_millis(150)
}
