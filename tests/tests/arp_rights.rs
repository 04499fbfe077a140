//! check_arp_dupes without rights, with those of its file, and in places that take them away: what works, what it says
//! when it cannot look, and that it keeps no right longer than it needs it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use lab::arp::plan::gateway;
use lab::arp::{Granted, Rights, left_out};
use lab::output::State;
use lab::plugin::find_binary;
use tests::Check;
use tests::arp::Lan;

/// CAP_NET_RAW, of linux/capability.h, in a set.
const NET_RAW: u64 = 1 << 13;
const RESTRICTED: [Rights; 3] = [Rights::File, Rights::Bounded, Rights::NoNewPrivileges];
const MISSING: &str =
    "cannot open a raw socket: the capability CAP_NET_RAW is missing; only --table works without it";

fn met() -> Lan {
    let lan = Lan::with([gateway()]);
    lan.monitor().meet(lan.host("gw").ipv4());
    lan
}

/// A copy of the program that may open raw sockets.
fn granted(lan: &Lan) -> Granted {
    lan.monitor().granted(&find_binary("check_arp_dupes"), "cap_net_raw+p")
}

fn check(lan: &Lan, program: &Path, rights: Rights, words: &[&str]) -> Check {
    Check::at(program).inside(lan.monitor(), rights).args(["-i", "eth0", "--no-state"]).args(words)
}

#[test]
fn unknown_what_needs_a_right_that_is_not_there() {
    if left_out() {
        return;
    }
    let lan = met();
    let plain = find_binary("check_arp_dupes");
    for rights in RESTRICTED {
        for words in [&[][..], &["--table"]] {
            let run =
                check(&lan, &plain, rights, words).gives(State::Ok, &["10.99.0.1 is 02:00:00:00:00:01"]);
            run.silent_about("setcap");
        }
    }
    let asked = lan.questions(|| {
        for words in [&["--verify"][..], &["--sweep", "10.99.0.0/28"], &["--listen", "1"]] {
            let run = check(&lan, &plain, Rights::File, words).gives(State::Unknown, &[MISSING]);
            run.long(&format!("hint: setcap cap_net_raw+p {}", plain.canonicalize().unwrap().display()));
            assert!(run.outcome.elapsed < Duration::from_secs(1), "{}", run.outcome.report());
        }
    });
    assert!(asked.is_empty(), "{asked:?}");
}

#[test]
fn ok_with_the_capability_of_the_file() {
    if left_out() {
        return;
    }
    let lan = met();
    let program = granted(&lan);
    let run = |words: &[&str]| check(&lan, program.path(), Rights::File, words).gives(State::Ok, &[]);
    run(&[]);
    assert!(run(&["-4", "--verify", "--window", "0.3"]).parsed.value("replies").unwrap() > 0.0);
    run(&["--sweep", "10.99.0.0/30", "--window", "0.3"]);
    run(&["--listen", "0.3"]);
}

#[test]
fn unknown_where_the_capability_of_the_file_counts_for_nothing() {
    if left_out() {
        return;
    }
    let lan = met();
    let program = granted(&lan);
    for rights in [Rights::Bounded, Rights::NoNewPrivileges] {
        check(&lan, program.path(), rights, &[]).gives(State::Ok, &[]);
        let asked = lan.questions(|| {
            drop(check(&lan, program.path(), rights, &["--verify"]).gives(State::Unknown, &[MISSING]));
        });
        assert!(asked.is_empty(), "{asked:?}");
    }
}

/// What a thread of a process may still do: effective, permitted, inheritable and ambient capabilities, and whether it
/// might gain others.
fn rights_of(thread: &Path) -> Vec<(String, u64)> {
    let status = fs::read_to_string(thread.join("status")).unwrap();
    let names = ["CapInh", "CapPrm", "CapEff", "CapAmb", "NoNewPrivs"];
    let lines = status.lines().filter_map(|line| line.split_once(':'));
    let known = lines.filter(|(name, _)| names.contains(name));
    known.map(|(name, value)| (name.to_owned(), u64::from_str_radix(value.trim(), 16).unwrap())).collect()
}

#[test]
fn the_capability_is_gone_when_the_socket_is_open() {
    if left_out() {
        return;
    }
    let lan = met();
    let program = granted(&lan);
    for rights in [Rights::File, Rights::Root] {
        let started = check(&lan, program.path(), rights, &["--listen", "1.5"]).start();
        let process = Path::new("/proc").join(started.running.pid().to_string());
        let until = Instant::now() + Duration::from_secs(1);
        // One waits for the end, one reads, one is the check.
        while fs::read_dir(process.join("task")).unwrap().count() < 3 {
            assert!(Instant::now() < until, "it does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
        for thread in fs::read_dir(process.join("task")).unwrap() {
            for (name, value) in rights_of(&thread.unwrap().path()) {
                match name.as_str() {
                    "NoNewPrivs" => assert_eq!(value, 1, "{rights:?}"),
                    _ => assert_eq!(value & NET_RAW, 0, "{rights:?}: {name} is {value:x}"),
                }
            }
        }
        started.gives(State::Ok, &["listened for 1.5 s"]);
    }
}
