//! What check_arp_dupes makes of wrong orders and of a clock: one clear line for each, and not a frame on the wire.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

use std::fs;
use std::thread;
use std::time::Duration;

use lab::Signal;
use lab::arp::plan::{gateway, monitor};
use lab::arp::{Mac, Rights, left_out};
use lab::output::State;
use tests::arp::Lan;
use tests::{Check, LATE};

/// One UNKNOWN line with these words.
fn refused(check: &Check, said: &[&str]) {
    let run = check.gives(State::Unknown, said);
    let lines = run.outcome.text().lines().filter(|line| !line.starts_with("hint: ")).count();
    assert_eq!(lines, 1, "{}", run.outcome.report());
    assert!(run.parsed.summary.len() < 400, "{}", run.outcome.report());
}

#[test]
fn unknown_options_that_make_no_sense() {
    if left_out() {
        return;
    }
    let lan = Lan::with([gateway()]);
    for (words, said) in [
        (&["--sweep", "10.99.0.0/33"][..], &["--sweep", "10.99.0.0/33", "no more than 32 bits"][..]),
        (&["--sweep", "10.99.0.0/"], &["--sweep", "is not a network such as 10.0.0.0/24"]),
        (&["--sweep", "10.99.0/24"], &["--sweep", "'10.99.0/24' is not a network"]),
        (&["--sweep", "10.99.0.5/24"], &["--sweep", "bits behind the network; 10.99.0.0/24 is the network"]),
        (&["--sweep", "2001:db8::/64"], &["--sweep: a sweep is for IPv4"]),
        (&["-6", "--sweep", "10.99.0.0/24"], &["--sweep: a sweep is for IPv4, and -6 leaves that out"]),
        (&["--verify", "--rate", "0"], &["--rate", "0"]),
        (&["--verify", "--rate", "20001"], &["--rate", "20001"]),
        (&["--verify", "--retries", "6"], &["--retries", "6"]),
        (&["--verify", "--window", "20"], &["listening takes 20 s, and the timeout is 10 s"]),
        (&["--listen", "10"], &["--timeout: listening takes 10 s, and the timeout is 10 s"]),
        (&["--listen", "0"], &["--listen"]),
        (&["--listen=-1"], &["--listen"]),
        (&["--pin", "10.99.0.1"], &["--pin", "'10.99.0.1' is not IP=MAC"]),
        (&["--pin", "10.99.0.1=02:00:00:00:01"], &["--pin", "'02:00:00:00:01' is not an Ethernet address"]),
        (&["--pin", "10.99.0.1=vrrp:256"], &["--pin", "a group is 0 to 255"]),
        (&["--pin", "10.99.0.256=nlb"], &["--pin", "10.99.0.256"]),
        (&["--ignore", "shard:10.99.0.1"], &["--ignore", "'shard' is no finding; there are own, pin"]),
        (&["--ignore", "shared"], &["--ignore", "is not FINDING:WHAT"]),
        (&["--severity", "poison=crit"], &["--severity", "'poison' is no finding"]),
        (
            &["--severity", "shared=bad"],
            &["--severity", "'bad' is not one of ok, warning, critical, unknown"],
        ),
        (&["--flips", "5,2/24h"], &["--flips"]),
        (&["--garp-rate", "0,5"], &["--garp-rate"]),
        (&["--canary", "10.99.0.99"], &["--canary: an address is asked for with --verify or --sweep only"]),
        (&["--router", "2001:db8::1"], &["--router", "is not the link-local address of a router"]),
        (&["-4", "-6"], &["--ipv4: cannot stand together with --ipv6"]),
        (&["-i", "eth0,"], &["-i", "'' is not the name of an interface"]),
        (&["--expect", "10.99.0.0/24"], &["--expect", "is not CIDR=RANGE"]),
        (&["--max-ips-per-mac", "0"], &["--max-ips-per-mac"]),
    ] {
        refused(&Check::new("check_arp_dupes").inside(lan.monitor(), Rights::Root).args(words), said);
    }
}

#[test]
fn unknown_interfaces_without_neighbours() {
    if left_out() {
        return;
    }
    let second = monitor().second_card(Mac([2, 0, 0, 0, 0, 0x11]), &[]);
    let lan = Lan::of([gateway(), second]);
    lan.monitor().run("ip", &["address", "flush", "dev", "eth1"]);
    let is = |interface: &str, words: &[&str], said: &[&str]| {
        for verify in [&[][..], &["--verify"]] {
            let words = [words, verify].concat();
            let sent = lan.questions(|| drop(lan.on(interface, &words).gives(State::Unknown, said)));
            assert!(sent.is_empty(), "{interface} {words:?}: {sent:?}");
        }
    };
    is("eth7", &[], &["there is no interface eth7; there are", "eth0, eth1"]);
    is("lo", &[], &["interface lo has no neighbours: it is not an Ethernet"]);
    is("eth1", &[], &["interface eth1 has no address"]);
    is("eth0,eth1", &[], &["interface eth1 has no address"]);
    lan.monitor().run("ip", &["link", "set", "eth1", "down"]);
    is("eth1", &[], &["interface eth1 is down"]);
    lan.monitor().run("ip", &["-4", "address", "flush", "dev", "eth0"]);
    is("eth0", &["-4"], &["interface eth0 has no IPv4 address"]);
    lan.monitor().run("ip", &["-6", "address", "flush", "dev", "eth0"]);
    is("eth0", &["-6"], &["interface eth0 has no IPv6 address"]);
    is("auto", &[], &["no interface is up and has Ethernet and an address; -i names one"]);
}

#[test]
fn unknown_a_look_that_cannot_end_in_time() {
    if left_out() {
        return;
    }
    let lan = Lan::with([gateway()]);
    let hint = "a higher --rate or --timeout, fewer --retries, or a smaller network";
    for (network, needed) in
        [("10.99.0.0/16", "1313.4 s (65536 addresses"), ("10.0.0.0/8", "(16777216 addresses")]
    {
        let sent = lan.questions(|| {
            let run = lan.gives(
                &["--sweep", network],
                State::Unknown,
                &["the sweep needs up to", needed, "100 frames"],
            );
            run.long(hint);
            assert!(run.outcome.elapsed < Duration::from_secs(1));
        });
        assert!(sent.is_empty(), "{network}: {sent:?}");
    }
    lan.gives(&["--sweep", "0.0.0.0/0"], State::Unknown, &["the sweep needs up to", "4294967296 addresses"]);
    // Questions take 1.4 s, the window 2.5 s.
    let sent = lan.questions(|| {
        let run = lan.check(&["--verify"]).timeout(3.0);
        run.gives(State::Unknown, &["--verify needs 4.1 s, more than the timeout"]);
    });
    assert!(sent.is_empty(), "{sent:?}");
}

#[test]
fn unknown_files_that_are_not_what_they_should_be() {
    if left_out() {
        return;
    }
    let lan = Lan::with([gateway()]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let file = path.to_str().unwrap();
    let pins = |content: &str, said: &[&str]| {
        fs::write(&path, content).unwrap();
        lan.refuses(&["--verify", "--pin-file", file], said);
    };
    pins(
        "# ours\n10.99.0.1 02:00:00:00:00:01\n\n10.99.0.2 here\n",
        &["cannot read pins from", "line 4: 'here'"],
    );
    pins("10.99.0.1\n", &["line 1: '10.99.0.1' is not IP=MAC"]);
    lan.refuses(&["--pin-file", "/nowhere/pins"], &["cannot read pins from /nowhere/pins: No such file"]);
    lan.refuses(&["--pin-file", "/proc/self/mem"], &["cannot read pins from /proc/self/mem"]);
    fs::write(&path, "10.99.0.1 = 02:00:00:00:00:02 # the old one\n").unwrap();
    lan.monitor().meet(lan.host("gw").ipv4());
    lan.gives(
        &["--pin-file", file],
        State::Critical,
        &["10.99.0.1 (gateway)", "pinned to 02:00:00:00:00:02"],
    );

    let replay = |file: &str| Check::new("check_arp_dupes").args(["--no-state", "--replay", file]);
    let observation = |content: &str, said: &[&str]| {
        fs::write(&path, content).unwrap();
        refused(&replay(file), &[&["cannot read an observation from"], said].concat());
    };
    observation("", &["EOF"]);
    observation("ARP_DUPES OK: all is well", &["expected value"]);
    observation("{\"version\":1,\"plugin\":\"check_rbl\",\"data\":{\"lists\":[]}}", &["check_rbl"]);
    observation("{\"version\":1,\"plugin\":\"check_arp_dupes\",\"data\":{\"error\":{}}}", &["saw nothing"]);
    refused(&replay("/nowhere/seen"), &["cannot read an observation from /nowhere/seen: No such file"]);
    refused(&replay(folder.path().to_str().unwrap()), &["cannot read an observation from", "directory"]);
    // What a run has left is judged as it was.
    let seen = folder.path().join("seen");
    let seen = seen.to_str().unwrap();
    lan.gives(&["--no-state", "--dump-observation", seen], State::Ok, &[]);
    replay(seen).gives(State::Ok, &["gateway 10.99.0.1 is 02:00:00:00:00:01"]);
}

#[test]
fn unknown_stopped_while_listening() {
    if left_out() {
        return;
    }
    let lan = Lan::with([gateway()]);
    let started = lan.check(&["--listen", "8"]).start();
    thread::sleep(Duration::from_millis(300));
    started.running.signal(Signal::Term);
    let run = started.gives(State::Unknown, &["stopped by SIGTERM while receiving"]);
    assert!(
        run.parsed.long.is_empty() && run.outcome.elapsed < Duration::from_secs(1),
        "{}",
        run.outcome.report()
    );
    let started = lan.check(&["--sweep", "10.99.0.0/24"]).start();
    thread::sleep(Duration::from_millis(300));
    started.running.signal(Signal::Term);
    started.gives(State::Unknown, &["stopped by SIGTERM while sweeping"]);
}

#[test]
fn warning_the_timeout_comes_first() {
    if left_out() {
        return;
    }
    // Ten targets at one frame a second do not fit, and no window is left.
    let lan = Lan::with([gateway()]);
    lan.monitor().meet(lan.host("gw").ipv4());
    let run = lan.check(&["--verify", "--rate", "1", "--no-state"]).timeout(4.5);
    let run = run.gives(State::Warning, &["incomplete"]);
    assert!(run.outcome.text().contains("could not be sent: there was no time left for it"));
    let time = run.parsed.value("time").unwrap();
    assert!(time <= 4.5 + LATE.as_secs_f64(), "{}", run.outcome.report());
}

#[test]
fn warning_a_link_that_goes_down_meanwhile() {
    if left_out() {
        return;
    }
    let lan = Lan::with([gateway()]);
    lan.monitor().meet(lan.host("gw").ipv4());
    let started = lan.check(&["--no-state", "--listen", "1.5"]).start();
    thread::sleep(Duration::from_millis(500));
    lan.monitor().run("ip", &["link", "set", "eth0", "down"]);
    started.gives(State::Warning, &["incomplete: reading ended: Network is down", "[lost]"]);
}
