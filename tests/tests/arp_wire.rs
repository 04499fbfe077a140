//! What check_arp_dupes puts on the wire and takes from it: whom it asks and how politely, what it counts, what it
//! leaves out, and that nothing is lost.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

use std::net::{IpAddr, Ipv4Addr};
use std::thread::sleep;
use std::time::Duration;

use lab::Signal;
use lab::arp::plan::{attacker, gateway, ordinary, server};
use lab::arp::{Arp, Claim, Mac, Plan, Responder, left_out};
use lab::output::State;
use tests::Run;
use tests::arp::{Lan, Question};

const SIMULATED: Ipv4Addr = Ipv4Addr::new(10, 99, 64, 0);

/// A gateway that the monitor has met, an attacker, and one who plays a crowd.
fn crowded() -> Lan {
    let lan = Lan::with([gateway(), attacker(), Plan::new("sim", Mac([2, 0, 0, 0, 0, 0x99]))]);
    lan.monitor().meet(lan.host("gw").ipv4());
    lan
}

/// Responders of this network answer as they are told.
fn simulated(bits: u8) -> Responder {
    Responder::simulating(Claim::Network(SIMULATED, bits))
}

fn counted(run: &Run, label: &str) -> f64 {
    run.parsed.value(label).unwrap_or_else(|| panic!("no {label}\n{}", run.outcome.report()))
}

#[test]
fn listening_alone_asks_nobody() {
    if left_out() {
        return;
    }
    let lan = crowded();
    let asked = lan.questions(|| {
        let run = lan.gives(&["--listen", "1.2"], State::Ok, &["listened for 1.2 s"]);
        assert_eq!(run.parsed.value("probes"), Some(0.0));
        assert!((1.2..1.6).contains(&counted(&run, "time")), "{}", run.outcome.report());
    });
    assert!(asked.is_empty(), "{asked:?}");
    let asked = lan.questions(|| drop(lan.gives(&[], State::Ok, &[])));
    assert!(asked.is_empty(), "the table alone: {asked:?}");
}

#[test]
fn verifying_is_polite() {
    if left_out() {
        return;
    }
    let lan = crowded();
    lan.learn();
    let mut run = None;
    let asked = lan.questions(|| run = Some(lan.gives(&["--verify"], State::Ok, &["by table and wire"])));
    let run = run.unwrap();
    // One of those counted is for routers.
    assert!((8..=12).contains(&asked.len()) && counted(&run, "probes") <= 12.0, "{asked:?}");
    let nobody =
        |ip: IpAddr| ip.is_unspecified() || matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
    assert!(asked.iter().all(|question| nobody(question.sender)), "{asked:?}");
    // Ten a second; a machine that was late may catch up a little.
    for (number, question) in asked.iter().enumerate() {
        let at_once = |later: &&Question| later.at.saturating_sub(question.at) < Duration::from_millis(250);
        let later = asked.iter().skip(number + 1).filter(at_once);
        assert!(later.count() <= 3, "{asked:?}");
    }
    let of =
        |address: [u8; 4]| asked.iter().filter(|question| question.target == IpAddr::from(address)).count();
    assert_eq!((of([10, 99, 0, 1]), of([10, 99, 0, 10]), of([10, 99, 0, 66])), (3, 2, 0), "{asked:?}");
    // The whole window after the last of them.
    assert!((3.8..4.6).contains(&counted(&run, "time")), "{}", run.outcome.report());
}

#[test]
fn critical_poison_that_our_own_questions_wash_away() {
    if left_out() {
        return;
    }
    let lan = Lan::poisoned();
    let [gateway, _] = lan.parties();
    lan.gives(
        &["--sweep", "10.99.0.0/28", "--window", "0.5"],
        State::Critical,
        &[
            "10.99.0.1 (gateway) table 02:66:66:66:66:66, then 02:00:00:00:00:01, wire 02:00:00:00:00:01",
            "split",
        ],
    );
    assert_eq!(lan.monitor().neighbour(gateway.ipv4()).unwrap().mac, Some(gateway.mac()), "it has healed");
    let run = lan.gives(&["-4"], State::Ok, &["10.99.0.1 is 02:00:00:00:00:01"]);
    assert_eq!(run.parsed.value("flips"), Some(0.0));
}

#[test]
fn answers_count_once_and_only_in_their_vlan() {
    if left_out() {
        return;
    }
    let lan = crowded();
    let sweep = ["-4", "--sweep", "10.99.64.0/28", "--window", "0.5", "--no-state"];
    let running = lan.host("sim").respond(&simulated(28).repeating(5));
    let run = lan.gives(&sweep, State::Ok, &["17 addresses of 17 stations"]);
    assert_eq!(
        (counted(&run, "conflicts"), counted(&run, "probes")),
        (0.0, 16.0),
        "{}",
        run.outcome.report()
    );
    // Another holder of each, in another network.
    let liar = Responder::claiming(Claim::Network(SIMULATED, 28), lan.host("att").mac()).tagged(7);
    let _lying = lan.host("att").respond(&liar);
    let run = lan.gives(&sweep, State::Ok, &["17 addresses of 17 stations"]);
    assert_eq!(run.parsed.value("conflicts"), Some(0.0));
    drop(running);
    // With nobody else there, nobody is there.
    lan.gives(&sweep, State::Unknown, &["nobody answered"]);
}

#[test]
fn retries_find_a_lossy_network_whole() {
    if left_out() {
        return;
    }
    let lan = crowded();
    let sweep =
        ["-4", "--sweep", "10.99.64.0/25", "--rate", "1000", "--window", "0.3", "--no-state", "--retries"];
    let found = |retries| {
        let _running = lan.host("sim").respond(&simulated(25).losing(20));
        counted(&lan.gives(&[&sweep[..], &[retries]].concat(), State::Ok, &[]), "ips")
    };
    let once = found("0");
    assert!((85.0..120.0).contains(&once), "{once}");
    assert!((128.5..129.5).contains(&found("5")));
}

#[test]
fn a_flood_of_other_traffic_loses_no_answer() {
    if left_out() {
        return;
    }
    let lan = crowded();
    let _running = lan.host("sim").respond(&simulated(28));
    let [monitor, attacker] = [lan.monitor(), lan.host("att")];
    let mut datagram = [monitor.mac().0, attacker.mac().0].concat();
    datagram.extend([0x08, 0x00, 0x45, 0, 0, 80]);
    datagram.resize(100, 0);
    let flood = attacker.send_endlessly(&[datagram], 0);
    let sweep = ["-4", "--sweep", "10.99.64.0/28", "--window", "0.5", "--no-state"];
    let run = lan.gives(&sweep, State::Ok, &["17 addresses of 17 stations"]);
    assert_eq!((counted(&run, "drops"), counted(&run, "replies")), (0.0, 16.0), "{}", run.outcome.report());
    let sent = flood.stop()["sent"];
    assert!(sent > 5_000, "no flood: {sent}");
}

#[test]
fn ten_thousand_a_second_and_none_lost() {
    if left_out() {
        return;
    }
    let lan = crowded();
    let running = lan.host("sim").respond(&simulated(20));
    let sweep = ["-4", "--sweep", "10.99.64.0/20", "--rate", "10000", "--window", "0.5", "--no-state"];
    let run = lan.gives(&sweep, State::Ok, &["4097 addresses of 4097 stations"]);
    assert_eq!((counted(&run, "drops"), counted(&run, "conflicts")), (0.0, 0.0));
    assert!(counted(&run, "time") < 3.0, "{}", run.outcome.report());
    let heard = running.stop();
    assert_eq!((heard["addresses"], heard["drops"]), (4096, 0));
}

#[test]
fn warning_senders_that_no_station_can_be() {
    if left_out() {
        return;
    }
    let lan = crowded();
    let victim = Ipv4Addr::new(10, 99, 0, 77);
    let multicast = Mac([0x01, 0, 0x5e, 0x7f, 0, 77]);
    for mac in [Mac::ZERO, Mac::BROADCAST, multicast] {
        let frame = Arp::gratuitous_reply(victim, mac).from(lan.host("att").mac());
        let _running = lan.host("att").send_endlessly(&[frame.bytes()], 4);
        let bad = mac.to_string();
        let words = ["10.99.0.77", &bad, "no station can have", "02:66:66:66:66:66", "[badmac]"];
        lan.gives(&["--listen", "0.6", "--no-state"], State::Warning, &words);
        // That is how a cluster (NLB) with multicast does it.
        let listen = ["--listen", "0.6", "--no-state", "--pin", "10.99.0.77=nlb"];
        let state = if mac == multicast { State::Ok } else { State::Warning };
        lan.gives(&listen, state, &[]);
    }
}

#[test]
fn warning_a_frame_from_another_than_it_says() {
    if left_out() {
        return;
    }
    let lan = crowded();
    let cluster = Mac([0x02, 0xbf, 10, 99, 0, 77]);
    let real = Mac([0x02, 0x01, 10, 99, 0, 77]);
    let answers = |ip: Ipv4Addr, mac| Responder::claiming(Claim::Network(ip, 32), mac).from(real);
    let running = lan.host("att").respond(&answers([10, 99, 0, 77].into(), cluster));
    let sweep = ["-4", "--sweep", "10.99.0.77/32", "--window", "0.3", "--no-state"];
    let words = ["10.99.0.77 wire 02:bf:0a:63:00:4d", "in a frame from 02:01:0a:63:00:4d", "[mismatch]"];
    lan.gives(&sweep, State::Warning, &words);
    lan.gives(&[&sweep[..], &["--pin", "10.99.0.77=nlb"]].concat(), State::Ok, &[]);
    drop(running);
    // For the gateway it is grave; nothing else is wrong here.
    lan.monitor().pin([10, 99, 0, 88], lan.host("att").mac());
    let _running = lan.host("att").respond(&answers([10, 99, 0, 88].into(), lan.host("att").mac()));
    let verify = ["-4", "--verify", "--window", "0.3", "--no-state", "--gateway", "10.99.0.88"];
    lan.gives(&verify, State::Critical, &["10.99.0.88 (gateway)", "[mismatch]"]);
}

#[test]
fn warning_a_station_that_announces_too_much() {
    if left_out() {
        return;
    }
    let lan = crowded();
    let attacker = lan.host("att");
    let _storm =
        attacker.send_endlessly(&[Arp::gratuitous_request(attacker.ipv4(), attacker.mac()).bytes()], 20);
    let listen = ["--listen", "1.2", "--no-state"];
    let run = lan.gives(&listen, State::Warning, &["02:66:66:66:66:66 announced addresses", "[storm]"]);
    assert!((14.0..=26.0).contains(&counted(&run, "garp_rate")), "{}", run.outcome.report());
    lan.gives(&[&listen[..], &["--garp-rate", "5,10"]].concat(), State::Critical, &["[storm]"]);
    lan.gives(&[&listen[..], &["--garp-rate", "40,80"]].concat(), State::Ok, &[]);
}

#[test]
fn ok_an_echo_of_our_own_frames() {
    if left_out() {
        return;
    }
    let lan = crowded();
    let monitor = lan.monitor();
    let gateway = lan.host("gw").ipv4();
    let echoes = [
        Arp::request(Ipv4Addr::UNSPECIFIED, monitor.mac(), gateway).bytes(),
        Arp::request(monitor.ipv4(), monitor.mac(), gateway).bytes(),
        Arp::gratuitous_reply(monitor.ipv4(), monitor.mac()).bytes(),
    ];
    let _repeater = lan.host("att").send_endlessly(&echoes, 10);
    let run = lan.gives(&["-4", "--listen", "1", "--no-state"], State::Ok, &["1 address of 1 station"]);
    assert_eq!(
        (counted(&run, "conflicts"), counted(&run, "garp_rate")),
        (0.0, 0.0),
        "{}",
        run.outcome.report()
    );
}

#[test]
fn warning_fewer_or_more_addresses_than_expected() {
    if left_out() {
        return;
    }
    let lan = Lan::with([gateway(), server(), ordinary(1)]);
    let sweep = |expected| {
        [
            "-4",
            "--sweep",
            "10.99.0.0/26",
            "--window",
            "0.3",
            "--rate",
            "500",
            "--no-state",
            "--expect",
            expected,
        ]
    };
    for expected in ["10.99.0.0/26=3:3", "10.99.0.0/26=2:5", "10.99.0.20=1:1", "10.99.0.21=0"] {
        lan.gives(&sweep(expected), State::Ok, &[]);
    }
    for (expected, range) in [("10.99.0.0/26=4:", "4:"), ("10.99.0.0/26=2", "2")] {
        let range = format!("expected {range}");
        let words = ["3 addresses of 10.99.0.0/26 in use", &range, "[expect]"];
        lan.gives(&sweep(expected), State::Warning, &words);
    }
}

#[test]
fn warning_the_gateway_that_was_named_is_silent() {
    if left_out() {
        return;
    }
    let lan = Lan::with([gateway(), server()]);
    let short = ["-4", "--verify", "--window", "0.3", "--no-state", "--gateway"];
    lan.gives(
        &[&short[..], &["10.99.0.20"]].concat(),
        State::Ok,
        &["gateway 10.99.0.20 is 02:00:00:00:00:20"],
    );
    let silent = [&short[..], &["10.99.0.9", "--gateway", "auto"]].concat();
    lan.gives(&silent, State::Warning, &["10.99.0.9 (gateway) did not answer", "[gw_down]"]);
}

#[test]
fn warning_the_gateway_does_not_answer_the_kernel() {
    if left_out() {
        return;
    }
    let lan = Lan::with([server()]);
    lan.monitor().meet(lan.host("srv").ipv4());
    let ping = lan.monitor().command("ping").args(["-n", "-c1", "-W1", "10.99.0.1"]).output().unwrap();
    assert!(!ping.status.success());
    lan.gives(&["-4"], State::Warning, &["10.99.0.1 (gateway) did not answer the kernel", "[gw_down]"]);
}

#[test]
fn warning_frames_that_the_kernel_had_no_room_for() {
    if left_out() {
        return;
    }
    let lan = crowded();
    let attacker = lan.host("att");
    let question = Arp::request(attacker.ipv4(), attacker.mac(), [10, 99, 0, 1].into()).bytes();
    let started = lan.check(&["-4", "--listen", "2.5", "--no-state"]).start();
    sleep(Duration::from_millis(500));
    // A machine that has no time for it.
    started.running.signal(Signal::Stop);
    let flood = attacker.send_endlessly(&[question], 0);
    sleep(Duration::from_millis(700));
    let sent = flood.stop()["sent"];
    started.running.signal(Signal::Cont);
    let run =
        started.gives(State::Warning, &["eth0: incomplete: the kernel had no room for", "frames [lost]"]);
    let lost = counted(&run, "drops");
    assert!(lost > 0.0, "{sent} sent\n{}", run.outcome.report());
}
