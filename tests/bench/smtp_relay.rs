//! check_smtp_relay with every disguise against nmap's smtp-open-relay, which looks only at port
//! 25: both in a network of their own. Run by `tests/bench/run`.

use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::time::Duration;

use lab::cost::Candidate;
use lab::exchanger::{Exchanger, ExchangerOptions};
use lab::namespace::with_resolvers;
use tests::bench::{Case, Goal, measure, runs};
use tests::package::shipped;

fn main() -> ExitCode {
    with_resolvers(&[Ipv4Addr::LOCALHOST.into()], compare)
}

fn compare() -> ExitCode {
    let listen = (Ipv4Addr::LOCALHOST, 25).into();
    let _server = Exchanger::start(ExchangerOptions { listen, error_limits: None, ..Default::default() });
    let ours = |more: &[&str]| {
        let fixed = ["-H", "127.0.0.1", "--local-rcpt", "probe@lab.test"];
        (Candidate::new(shipped("check_smtp_relay"), fixed.iter().chain(more)), 0)
    };
    let nmap = ["-n", "-Pn", "-p", "25", "--script", "smtp-open-relay", "127.0.0.1"];
    measure(&[
        Case {
            name: "every disguise, nmap's sixteen",
            ours: ours(&["--variants", "all"]),
            theirs: Some((Candidate::new("nmap", nmap), 0)),
            runs: runs(10).min(10),
            goals: &[
                Goal::WallRatio(0.05),
                Goal::CpuRatio(0.05),
                Goal::Wall(Duration::from_millis(20)),
                Goal::Memory(6 * 1024),
                Goal::SystemCalls(None),
            ],
        },
        Case {
            name: "six probes in the clear",
            ours: ours(&["--tls", "none"]),
            theirs: None,
            runs: runs(100),
            goals: &[Goal::Wall(Duration::from_millis(5)), Goal::Memory(5 * 1024), Goal::SystemCalls(None)],
        },
    ])
}
