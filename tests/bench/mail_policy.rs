//! check_mail_policy against checkdmarc on a domain that is in order, whose resolver is 10 ms away. checkdmarc knows
//! only the registered ports: both in a network of their own. Run by `tests/bench/run`.

use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::time::Duration;

use lab::cost::Candidate;
use lab::namespace::with_resolvers;
use lab::policy::{DOMAIN, Domain};
use lab::process::prepared;
use tests::bench::{Case, Goal, measure, runs};
use tests::package::shipped;

/// How far away the resolver is.
const AWAY: Duration = Duration::from_millis(10);

fn main() -> ExitCode {
    with_resolvers(&[Ipv4Addr::new(127, 0, 0, 53).into()], compare)
}

fn compare() -> ExitCode {
    let servers = Domain::healthy().away(AWAY).at_registered_ports().start();
    let fixed = servers.arguments();
    let ours = |looks: &[&str]| {
        let arguments = fixed.iter().map(String::as_str).chain(looks.iter().copied());
        (Candidate::new(shipped("check_mail_policy"), arguments), 0)
    };
    let resolver = servers.resolver().ip().to_string();
    let theirs = |more: &[&str]| {
        // The domain first, or it would be taken for a further name server.
        let arguments = [DOMAIN, "--nameserver", &resolver].into_iter().chain(more.iter().copied());
        let checkdmarc = Candidate::new(prepared("checkdmarc/bin/checkdmarc"), arguments);
        // The one is read by its HTTP client, the other by its STARTTLS.
        let trusting = ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"];
        Some((trusting.iter().fold(checkdmarc, |one, name| one.env(name, servers.ca_file())), 0))
    };
    let all = ["--spf", "--dmarc", "--mta-sts", "--tlsrpt", "--dane"];
    let goals = [
        Goal::Wall(Duration::from_millis(200)),
        Goal::WallRatio(0.05),
        Goal::CpuRatio(0.05),
        Goal::Memory(16 * 1024),
        Goal::SystemCalls(None),
    ];
    measure(&[
        Case {
            name: "SPF, DMARC, MTA-STS, TLS-RPT and DANE of a healthy domain, its hosts by STARTTLS",
            ours: ours(&all),
            theirs: theirs(&["--check-mx-tls"]),
            runs: runs(20),
            goals: &goals,
        },
        Case {
            name: "the same, theirs without a look at the hosts",
            ours: ours(&all),
            theirs: theirs(&[]),
            runs: runs(20),
            goals: &goals,
        },
    ])
}
