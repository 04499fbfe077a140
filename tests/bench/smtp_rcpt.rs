//! check_smtp_rcpt against swaks, which ends a session behind RCPT as well, on one host. Run by
//! `tests/bench/run`.

use std::process::ExitCode;
use std::time::Duration;

use lab::cost::Candidate;
use tests::bench::{Case, Goal, measure, runs};
use tests::package::shipped;
use tests::rcpt::{Domain, RECIPIENT, good};

fn main() -> ExitCode {
    let domain = Domain::start(&[(10, &good)]);
    let (resolver, port) = (domain.dns.addr().to_string(), domain.port().to_string());
    let ours = |more: &[&str]| {
        let fixed = ["--allow-private", "--resolver", &resolver, "-p", &port, RECIPIENT];
        (Candidate::new(shipped("check_smtp_rcpt"), fixed.iter().chain(more)), 0)
    };
    let host = domain.hosts.first().map(|host| host.addr().ip().to_string()).unwrap_or_default();
    let theirs = |more: &[&str]| {
        let fixed = ["--server", &host, "-p", &port, "-f", "<>", "-t", RECIPIENT, "--quit-after", "RCPT"];
        Some((Candidate::new("swaks", fixed.iter().chain(more)), 0))
    };
    let many = Domain::start(&[(10, &good as _); 10]);
    let (of_many, at) = (many.dns.addr().to_string(), many.port().to_string());
    let ten = Candidate::new(
        shipped("check_smtp_rcpt"),
        ["--allow-private", "--resolver", &of_many, "-p", &at, RECIPIENT],
    );
    measure(&[
        Case {
            name: "one host in the clear, ours with DNS",
            ours: ours(&["--tls", "none"]),
            theirs: theirs(&[]),
            runs: runs(100),
            goals: &[
                Goal::WallRatio(0.2),
                Goal::CpuRatio(0.2),
                Goal::Memory(5 * 1024),
                Goal::SystemCalls(None),
            ],
        },
        Case {
            name: "ten hosts by STARTTLS at once",
            ours: (ten, 0),
            theirs: None,
            runs: runs(50),
            goals: &[Goal::Wall(Duration::from_millis(30)), Goal::Memory(8 * 1024), Goal::SystemCalls(None)],
        },
    ])
}
