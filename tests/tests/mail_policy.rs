//! check_mail_policy against the embedded domain: in order, and with each fault.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

use lab::output::State;
use lab::policy::{Domain, SELECTORS, Servers, fault};
use tests::Check;

/// Everything is looked at.
fn whole(servers: &Servers) -> Check {
    let arguments = servers.arguments();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let check = Check::new("check_mail_policy").args(&arguments);
    let check = SELECTORS.iter().fold(check, |check, selector| check.args(["--dkim", selector]));
    check.args(["--spf", "--dmarc", "--mta-sts", "--tlsrpt", "--dane", "--bimi"])
}

#[test]
fn print() {
    for (name, change) in [("healthy", std::convert::identity as fault::Fault)].iter().chain(fault::ALL) {
        let servers = Domain::healthy().with(change).start();
        let run = whole(&servers).args(["-t", "5"]).outcome();
        eprintln!(
            "{name:28} {}",
            String::from_utf8_lossy(&run.stdout).lines().take(3).collect::<Vec<_>>().join("\n        ")
        );
    }
    let _ = State::Ok;
}
