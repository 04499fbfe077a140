//! The lab's Ethernet itself: who is on it, who may what inside, the crowd that a simulator plays, and that nothing of
//! it stays behind.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test stops at the first surprise, and one talks to its own copy"
)]

use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use lab::arp::agent::Agent;
use lab::arp::peers::{arp_scan, arping_finds_it_free, nmap};
use lab::arp::plan::{attacker, duplicates, gateway, monitor, multi, ordinary, proxy, routers, server};
use lab::arp::spoofer::Spoofer;
use lab::arp::vrrp::{Variant, Vrrp};
use lab::arp::{Arp, Asker, Claim, Host, Mac, Network, Plan, Responder, Rights, Sender, left_out};
use lab::plugin::{Plugin, find_own_binary};
use lab::process::{is_root, program, shared_folder};

/// A test in which this is set plays a part in another one.
const PART: &str = "VEDETTE_ARP_PART";

#[test]
fn arp_scan_sees_both_owners_of_a_duplicate_address() {
    if left_out() {
        return;
    }
    let [one, other] = duplicates();
    let network = Network::start([gateway(), monitor(), one, other]);
    let (monitor, [one, other]) = (network.host("mon"), ["dupa", "dupb"].map(|name| network.host(name)));
    let mut seen = arp_scan(monitor, "10.99.0.50");
    seen.sort();
    assert_eq!(seen, [(one.ipv4(), one.mac()), (other.ipv4(), other.mac())]);

    let macs = [Some(one.mac()), Some(other.mac())];
    assert!(macs.contains(&nmap(monitor, one.ipv4())), "nmap has one of them");
    assert!(!arping_finds_it_free(monitor, one.ipv4()), "arping says no more than that");
    monitor.meet(one.ipv4());
    assert!(macs.contains(&monitor.neighbour(one.ipv4()).unwrap().mac), "the kernel knows one of them");
    let answers = monitor.ask(&Asker::new(monitor, (one.ipv4(), 32), Sender::Nobody));
    assert_eq!((answers.addresses, answers.pairs), (1, 2));
}

#[test]
fn one_card_may_have_many_addresses() {
    if left_out() {
        return;
    }
    let network = Network::start([monitor(), multi(), server(), ordinary(1), ordinary(4)]);
    let monitor = network.host("mon");
    let answers = monitor.ask(&Asker::new(monitor, (Ipv4Addr::new(10, 99, 0, 64), 26), Sender::Nobody));
    assert_eq!((answers.addresses, answers.macs), (5, 1));
    for other in ["srv", "h1", "h4"].map(|name| network.host(name)) {
        monitor.meet(other.ipv4());
        monitor.meet(other.ipv6());
        assert_eq!(monitor.neighbour(other.ipv6()).unwrap().mac, Some(other.mac()));
    }
    assert!(arping_finds_it_free(monitor, Ipv4Addr::new(10, 99, 0, 99)));
}

#[test]
fn proxy_arp_answers_an_address_and_not_a_probe() {
    if left_out() {
        return;
    }
    let network = Network::start([monitor(), proxy()]);
    let monitor = network.host("mon");
    let ask = |sender| monitor.ask(&Asker::new(monitor, (Ipv4Addr::new(10, 99, 5, 0), 24), sender));
    let own = ask(Sender::Own);
    assert_eq!((own.addresses, own.macs), (256, 1));
    assert_eq!(ask(Sender::Nobody).addresses, 0);
    monitor.meet(network.host("prb").ipv4());
}

#[test]
fn the_simulator_answers_for_65536_hosts() {
    if left_out() {
        return;
    }
    let network = Network::start([monitor(), Plan::new("sim", Mac([2, 0, 0, 0, 0, 0x99]))]);
    let (monitor, crowd) = (network.host("mon"), network.host("sim"));
    let range = (Ipv4Addr::new(10, 98, 0, 0), 16);
    let simulator = crowd.respond(&Responder::simulating(Claim::Network(range.0, range.1)));
    let started = Instant::now();
    let answers = monitor
        .ask(&Asker::new(monitor, range, Sender::Nobody).rate(20_000).window(Duration::from_millis(500)));
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    assert_eq!(
        (answers.addresses, answers.pairs, answers.macs, answers.frames),
        (65_536, 65_536, 65_536, 65_536)
    );
    assert_eq!((answers.foreign, answers.drops), (0, 0));
    let counted = simulator.stop();
    assert_eq!((counted["requests"], counted["answers"], counted["drops"]), (65_536, 65_536, 0));
}

#[test]
fn the_simulator_loses_repeats_and_tags() {
    if left_out() {
        return;
    }
    let network = Network::start([monitor(), Plan::new("sim", Mac([2, 0, 0, 0, 0, 0x99]))]);
    let (monitor, crowd) = (network.host("mon"), network.host("sim"));
    let range = (Ipv4Addr::new(10, 99, 7, 0), 24);
    let honest = Responder::simulating(Claim::Network(range.0, range.1));
    let question = Asker::new(monitor, range, Sender::Own);

    let losing = crowd.respond(&honest.clone().losing(20));
    let first = monitor.ask(&question).addresses;
    assert!((180..235).contains(&first), "{first} of 256 have answered");
    assert_ne!(monitor.ask(&question).addresses, 0);
    let counted = losing.stop();
    assert_eq!((counted["requests"], counted["addresses"]), (512, 256));
    let again = crowd.respond(&honest.clone().losing(20));
    assert_eq!(monitor.ask(&question).addresses, first, "the same in each run");
    drop(again);

    let repeating = crowd.respond(&honest.clone().repeating(3));
    let answers = monitor.ask(&question);
    assert_eq!((answers.addresses, answers.pairs, answers.frames), (256, 256, 768));
    drop(repeating);

    // A kernel takes nothing from a VLAN that it has no interface for.
    let learnt = |address: Ipv4Addr| {
        monitor.command("ping").args(["-n", "-c1", "-w1", &address.to_string()]).output().unwrap();
        monitor.neighbour(address).unwrap().mac
    };
    let [first, second] = [1, 2].map(|last| Ipv4Addr::new(10, 99, 7, last));
    let tagging = crowd.respond(&honest.clone().tagged(7));
    assert_eq!(learnt(first), None);
    assert!(tagging.stop()["answers"] >= 1);
    let _untagged = crowd.respond(&honest);
    assert_eq!(learnt(second), Some(Mac::from_address(second)));
}

/// Whether lab-arp may open a raw socket with these rights.
fn may_ask(host: &Host, program: &Path, rights: Rights) -> Result<(), String> {
    let mut command = host.command_with(program, rights);
    command.args(["send", "interface=eth0", "frames=ff", "count=0", "rate=1"]).stdin(Stdio::null());
    let output = command.output().map_err(|error| error.to_string())?;
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    if complaint.contains("Operation not permitted") { Err(complaint) } else { Ok(()) }
}

#[test]
fn only_root_or_its_file_lets_a_program_open_raw_sockets() {
    if left_out() {
        return;
    }
    let network = Network::start([monitor()]);
    let monitor = network.host("mon");
    let plain = find_own_binary("lab-arp");
    may_ask(monitor, &plain, Rights::Root).unwrap();
    for rights in [Rights::File, Rights::Bounded, Rights::NoNewPrivileges] {
        may_ask(monitor, &plain, rights).unwrap_err();
    }
    let granted = monitor.granted(&plain, "cap_net_raw+ep");
    may_ask(monitor, granted.path(), Rights::File).unwrap();
    for rights in [Rights::Bounded, Rights::NoNewPrivileges] {
        may_ask(monitor, granted.path(), rights).unwrap_err();
    }
    // Permitted and not effective: a bounded one starts all the same, and can say what is missing.
    let permitted = monitor.granted(&plain, "cap_net_raw+p");
    assert!(may_ask(monitor, granted.path(), Rights::Bounded).unwrap_err().contains("os error 1)"));
    assert!(may_ask(monitor, permitted.path(), Rights::Bounded).unwrap_err().starts_with("Error: Os"));
}

#[test]
fn everybody_may_be_there_at_once() {
    if left_out() {
        return;
    }
    let started = Instant::now();
    let mut plans = vec![gateway(), monitor(), server(), attacker(), multi(), proxy()];
    plans.extend((1..=4).map(ordinary).chain(routers()).chain(duplicates()));
    let network = Network::start(plans);
    let taken = started.elapsed();
    assert!(taken < Duration::from_secs(2), "{taken:?} to start them");
    assert_eq!(network.hosts().count(), 15);
    let monitor = network.host("mon");
    network.hosts().for_each(|host| monitor.meet(host.ipv4()));
}

#[test]
fn a_watch_sees_what_a_check_sends() {
    if left_out() {
        return;
    }
    let network = Network::start([monitor(), server()]);
    let (monitor, server) = (network.host("mon"), network.host("srv"));
    let watch = monitor.watch();
    let started = Instant::now();
    let question = Asker::new(monitor, (Ipv4Addr::new(10, 99, 0, 16), 29), Sender::Nobody).rate(100);
    assert_eq!(monitor.ask(&question).addresses, 1);
    let frames: Vec<_> = watch.stop().iter().filter_map(|frame| Some((frame.at, frame.arp()?))).collect();
    let (sent, received): (Vec<_>, Vec<_>) =
        frames.into_iter().partition(|(_, arp)| arp.source == monitor.mac());
    let targets: Vec<u8> = sent.iter().map(|(_, arp)| arp.target.octets()[3]).collect();
    assert_eq!(targets, [16, 17, 18, 19, 20, 21, 22, 23]);
    assert!(sent.iter().all(|(_, arp)| arp.sender.is_unspecified()));
    let taken = sent[7].0.saturating_sub(sent[0].0);
    assert!((Duration::from_millis(50)..started.elapsed()).contains(&taken), "{taken:?} for 8 questions");
    assert!(
        matches!(received[..], [(_, Arp { sender_mac, .. })] if sender_mac == server.mac()),
        "{received:?}"
    );
}

#[test]
fn two_cards_of_one_host_answer_for_both_addresses() {
    if left_out() {
        return;
    }
    let second = Mac([2, 0, 0, 0, 0, 0x36]);
    let both = Plan::new("both", Mac([2, 0, 0, 0, 0, 0x35])).address("10.99.0.35/16");
    let network = Network::start([monitor(), both.second_card(second, &["10.99.0.36/16"])]);
    let monitor = network.host("mon");
    let answers = monitor.ask(&Asker::new(monitor, (Ipv4Addr::new(10, 99, 0, 32), 29), Sender::Own));
    assert_eq!((answers.addresses, answers.pairs, answers.macs), (2, 4, 2));
}

#[test]
fn a_table_may_be_filled_by_hand() {
    if left_out() {
        return;
    }
    let network = Network::start([monitor()]);
    let monitor = network.host("mon");
    let addresses = (0..5_000).map(|number| Ipv4Addr::from(Ipv4Addr::new(10, 99, 100, 0).to_bits() + number));
    monitor.pin_all(addresses.map(|address| (address.into(), Mac::from_address(address))));
    assert_eq!(monitor.run("ip", &["neigh", "show", "nud", "permanent"]).lines().count(), 5_000);
}

#[test]
fn a_plugin_runs_inside_a_host() {
    if left_out() {
        return;
    }
    let network = Network::start([monitor()]);
    let outcome = Plugin::at(program("ip", "iproute2")).args(["-br", "address", "show", "eth0"]);
    let outcome = outcome.inside(network.host("mon"), Rights::File).run();
    assert!(outcome.text().contains("10.99.0.10/16"), "{}", outcome.report());
}

#[test]
fn an_ordinary_user_may_have_it_all() {
    if left_out() {
        return;
    }
    if std::env::var_os(PART).is_some() || !is_root() {
        return arp_scan_sees_both_owners_of_a_duplicate_address();
    }
    let folder = shared_folder();
    let place = |program: &Path| {
        let copy = folder.path().join(program.file_name().unwrap());
        std::fs::copy(program, &copy).unwrap();
        std::fs::set_permissions(&copy, PermissionsExt::from_mode(0o755)).unwrap();
        copy
    };
    let copy = place(&std::env::current_exe().unwrap());
    place(&find_own_binary("lab-arp"));
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(copy)
        .args(["--exact", "an_ordinary_user_may_have_it_all"])
        .env(PART, "duplicates")
        .env("VEDETTE_BIN_DIR", folder.path())
        .current_dir(folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

/// A network in which each kind of program of the lab runs.
fn busy() -> (Vec<Vrrp>, Spoofer, Agent, Network) {
    let [one, other] = routers();
    let network = Network::start([gateway(), monitor(), attacker(), proxy(), one, other]);
    let [gateway, monitor, attacker] = ["gw", "mon", "att"].map(|name| network.host(name));
    let routers = [("vr1", Variant::VirtualMac), ("vr2", Variant::PhysicalMac)];
    let start = |(name, variant)| Vrrp::start(network.host(name), variant, 100);
    let mut vrrp: Vec<Vrrp> = routers.into_iter().map(start).collect();
    vrrp[0].wait_backup();
    let spoofer = Spoofer::start(attacker, monitor.ipv4(), gateway.ipv4());
    let agent = monitor.respond(&Responder::simulating(Claim::Network(Ipv4Addr::UNSPECIFIED, 0)));
    (vrrp, spoofer, agent, network)
}

#[test]
fn the_death_of_the_test_ends_everything() {
    if left_out() {
        return;
    }
    if std::env::var_os(PART).is_some() {
        let (.., network) = &busy();
        println!("holder {}", network.holder());
        thread::sleep(Duration::from_mins(1));
        return;
    }
    let mut test = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_death_of_the_test_ends_everything", "--nocapture"])
        .env(PART, "victim")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(test.stdout.take().unwrap()).lines().map(Result::unwrap);
    let holder =
        lines.find_map(|line| line.split_once("holder ").map(|(_, pid)| pid.parse::<u32>().unwrap()));
    let space = user_space(holder.unwrap()).unwrap();
    let before = inhabitants(&space).len();
    assert!(before >= 6, "a shell, twice keepalived with its child, arpspoof, lab-arp: not {before}");
    test.kill().unwrap();
    test.wait().unwrap();
    nobody_has(&space);
}

#[test]
fn dropping_it_ends_everything() {
    if left_out() {
        return;
    }
    let busy = busy();
    let space = user_space(busy.3.holder()).unwrap();
    assert_ne!(
        Some(&space),
        user_space(std::process::id()).as_ref(),
        "our own network is none of its business"
    );
    drop(busy);
    nobody_has(&space);
}

/// The user namespace of a process, which a network shares with nothing else.
fn user_space(process: u32) -> Option<String> {
    std::fs::read_link(format!("/proc/{process}/ns/user"))
        .ok()
        .map(|path| path.to_string_lossy().into_owned())
}

fn inhabitants(space: &str) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    // Who has died has no command line, though init may take its time to bury it.
    let lives = |pid: &u32| std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty());
    ids.filter(|pid| user_space(*pid).as_deref() == Some(space)).filter(lives).collect()
}

fn nobody_has(space: &str) {
    let until = Instant::now() + Duration::from_secs(2);
    while let left @ [_, ..] = &inhabitants(space)[..] {
        assert!(Instant::now() < until, "processes {left:?} are still in it");
        thread::sleep(Duration::from_millis(5));
    }
}
