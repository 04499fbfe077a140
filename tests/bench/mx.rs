//! check_mx, which asks three resolvers, all name servers and those above them, against
//! check_dig of the Monitoring Plugins, which asks one server for the records. Run by
//! `tests/bench/run`.
#![allow(clippy::expect_used, reason = "a program for people")]

use std::process::ExitCode;
use std::time::Duration;

use lab::cost::Candidate;
use tests::bench::{Case, Goal, measure, runs};
use tests::mx::{DOMAIN, Site};
use tests::package::shipped;

const PEER: &str = "/usr/lib/nagios/plugins/check_dig";
/// How far away every server is.
const AWAY: Duration = Duration::from_millis(10);

fn main() -> ExitCode {
    let (near, far) = (Site::new(Duration::ZERO), Site::new(AWAY));
    let ours = shipped("check_mx");
    let ours = ours.to_str().expect("a path in UTF-8");
    let server = near.resolver();
    let (ip, port) = (server.ip().to_string(), server.port().to_string());
    let theirs =
        Candidate::new(PEER, ["-H", &ip, "-p", &port, "-l", DOMAIN, "-T", "MX", "-a", "mx1.lab.test"]);
    let resolver = server.to_string();
    measure(&[
        Case {
            name: "5 MX, 3 resolvers, 4 name servers and that of the zone above, each at 10 ms",
            ours: (Candidate::new(ours, far.arguments()), 0),
            theirs: None,
            runs: runs(50),
            goals: &[
                Goal::Wall(Duration::from_millis(150)),
                Goal::Cpu(Duration::from_millis(10)),
                Goal::Memory(8 * 1024),
            ],
        },
        Case {
            name: "one server at 0 ms: ours the records and the addresses of 5 hosts, theirs the records",
            ours: (Candidate::new(ours, ["-d", DOMAIN, "--resolver", &resolver]), 0),
            theirs: Some((theirs, 0)),
            runs: runs(200),
            goals: &[
                Goal::WallRatio(0.5),
                Goal::CpuRatio(0.5),
                Goal::Memory(8 * 1024),
                Goal::SystemCalls(None),
            ],
        },
    ])
}
