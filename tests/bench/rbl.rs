//! check_rbl, which proves every list, against Debian's check_rbl, which believes them; both
//! ask the system's resolver on port 53, so both run in a network of their own. Run by
//! `tests/bench/run`.
#![allow(clippy::expect_used, reason = "a program for people")]

use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::time::Duration;

use lab::cost::Candidate;
use lab::dns::{Dnsbl, Responder, ResponderOptions};
use lab::namespace::with_resolvers;
use tests::bench::{Case, Goal, measure, runs};
use tests::lists;
use tests::package::shipped;

const PEER: &str = "/usr/lib/nagios/plugins/check_rbl";
/// How far away a resolver is.
const AWAY: Duration = Duration::from_millis(30);

fn main() -> ExitCode {
    with_resolvers(&[Ipv4Addr::LOCALHOST.into()], compare)
}

fn compare() -> ExitCode {
    let names = lists::names(60);
    let silent = "silent.lab.test".to_owned();
    let with_silent: Vec<String> = names.iter().skip(1).cloned().chain([silent]).collect();
    let port_53 = (Ipv4Addr::LOCALHOST, 53).into();
    let zones = lists::healthy(&names, AWAY).zone("silent.lab.test", Dnsbl::silent());
    let _far =
        Responder::start_with(ResponderOptions { address: port_53, ..ResponderOptions::default() }, zones);
    let near = Responder::start(lists::healthy(&names, Duration::ZERO));

    let candidate = |program: &str, names: &[String], more: &[&str]| {
        let words = more.iter().map(|&word| word.to_owned());
        Candidate::new(program, words.chain(lists::arguments(names)))
    };
    let ours = shipped("check_rbl");
    let ours = ours.to_str().expect("a path in UTF-8");
    let target = ["-H", lists::ADDRESS];
    let near = near.addr().to_string();
    measure(&[
        Case {
            name: "60 lists at 30 ms, ours with their test points, theirs without",
            ours: (candidate(ours, &names, &target), 0),
            theirs: Some((candidate(PEER, &names, &target), 0)),
            runs: runs(200),
            goals: &[
                Goal::WallRatio(0.2),
                Goal::Wall(Duration::from_millis(100)),
                Goal::CpuRatio(0.1),
                Goal::Memory(8 * 1024),
                Goal::SystemCalls(None),
            ],
        },
        Case {
            name: "59 good lists and a silent one: ours has a verdict, theirs is UNKNOWN",
            ours: (candidate(ours, &with_silent, &target), 0),
            theirs: Some((candidate(PEER, &with_silent, &target), 3)),
            runs: runs(3).min(3),
            goals: &[Goal::Wall(Duration::from_millis(4500)), Goal::Memory(8 * 1024)],
        },
        Case {
            name: "256 addresses in 60 lists in one process, --rate 10000",
            ours: (
                candidate(ours, &names, &["-H", "198.20.0.0/24", "--rate", "10000", "--resolver", &near]),
                0,
            ),
            theirs: None,
            runs: runs(10).min(10),
            goals: &[Goal::Wall(Duration::from_secs(5)), Goal::Memory(64 * 1024)],
        },
    ])
}
