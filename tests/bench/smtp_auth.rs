//! check_smtp_auth against Debian's check_smtp on the same Postfix: whole processes,
//! interleaved, medians and their ratio. Run by `tests/bench/run`.
//!
//! The limits are those of the project: plain AUTH at most the peer's wall and CPU time,
//! STARTTLS with a CA file at most its wall and 0.8 of its CPU time. Up to 1.05 of a limit
//! passes as noise.
#![allow(clippy::expect_used, clippy::print_stdout, reason = "a program for people")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::ExitCode;
use std::time::Duration;

use lab::cost::{Candidate, Cost, interleaved, median_ms};
use lab::postfix::{Listener, Postfix, PostfixOptions};
use tests::package::shipped;

const PEER: &str = "/usr/lib/nagios/plugins/check_smtp";
const NOISE: f64 = 1.05;

struct Case {
    name: &'static str,
    ours: Candidate,
    theirs: Candidate,
    wall_limit: f64,
    cpu_limit: f64,
    rss_limit_kib: u64,
    system_calls_limit: Option<u64>,
}

fn main() -> ExitCode {
    let runs = std::env::var("BENCH_RUNS").ok().and_then(|text| text.parse().ok()).unwrap_or(200);
    let binary = shipped("check_smtp_auth");
    let postfix = Postfix::start(&PostfixOptions::default());
    let password_file = postfix.dir().join("probe.pw");
    fs::write(&password_file, "secret\n").expect("writable folder");
    fs::set_permissions(&password_file, fs::Permissions::from_mode(0o600)).expect("our file");
    let password_file = password_file.to_string_lossy().into_owned();
    let ca_file = postfix.ca_file().to_string_lossy().into_owned();

    let ours = |listener: Listener, more: &[&str]| {
        let port = postfix.port(listener).to_string();
        let fixed = ["-H", "127.0.0.1", "-p", &port, "-u", "probe", "--password-file", &password_file];
        Candidate::new(&binary, fixed.iter().chain(more))
    };
    let theirs = |listener: Listener, more: &[&str]| {
        let port = postfix.port(listener).to_string();
        let fixed = ["-H", "127.0.0.1", "-p", &port, "-A", "LOGIN", "-U", "probe", "-P", "secret"];
        Candidate::new(PEER, fixed.iter().chain(more))
    };
    let cases = [
        Case {
            name: "AUTH LOGIN, no TLS",
            ours: ours(Listener::Plaintext, &["--tls", "none", "--allow-plaintext", "--mech", "login"]),
            theirs: theirs(Listener::Plaintext, &[]),
            wall_limit: 1.0,
            cpu_limit: 1.0,
            rss_limit_kib: 5 * 1024,
            system_calls_limit: Some(120),
        },
        Case {
            name: "AUTH LOGIN, STARTTLS, our certificate check against --ca-file, theirs none",
            ours: ours(Listener::Submission, &["--mech", "login", "--ca-file", &ca_file]),
            theirs: theirs(Listener::Submission, &["-S"]),
            wall_limit: 1.0,
            cpu_limit: 0.8,
            rss_limit_kib: 8 * 1024,
            system_calls_limit: None,
        },
    ];
    let kept = cases.iter().filter(|case| case.measure(runs)).count();
    println!("{kept} of {} cases within their limits", cases.len());
    if kept == cases.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Case {
    fn measure(&self, runs: usize) -> bool {
        println!("{}, {runs} runs each", self.name);
        let (ours, theirs) = interleaved(&self.ours, &self.theirs, runs);
        let good = [&ours, &theirs].iter().all(|costs| costs.iter().all(|cost| cost.code == Some(0)));
        let wall = compare("wall", &ours, &theirs, |cost| cost.wall, self.wall_limit);
        let cpu = compare("CPU", &ours, &theirs, |cost| cost.cpu, self.cpu_limit);
        let rss = self.ours.peak_rss_kib();
        println!(
            "  peak RSS     ours {rss} KiB (limit {})   theirs {} KiB",
            self.rss_limit_kib,
            self.theirs.peak_rss_kib()
        );
        let calls = self.ours.system_calls();
        let limit = self.system_calls_limit.map_or_else(String::new, |limit| format!(" (limit {limit})"));
        println!("  system calls ours {calls}{limit}   theirs {}", self.theirs.system_calls());
        if !good {
            println!("  some runs did not end OK");
        }
        let frugal = rss <= self.rss_limit_kib && self.system_calls_limit.is_none_or(|limit| calls <= limit);
        good && wall && cpu && frugal
    }
}

/// Prints both medians and their ratio; whether the ratio keeps its limit.
fn compare(what: &str, ours: &[Cost], theirs: &[Cost], of: impl Fn(&Cost) -> Duration, limit: f64) -> bool {
    let (a, b) = (median_ms(ours.iter().map(&of)), median_ms(theirs.iter().map(&of)));
    let ratio = a / b;
    println!("  {what:<4} median  ours {a:.2} ms   theirs {b:.2} ms   ratio {ratio:.2} (limit {limit})");
    ratio <= limit * NOISE
}
