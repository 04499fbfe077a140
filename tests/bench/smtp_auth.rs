//! check_smtp_auth against Debian's check_smtp on the same Postfix. Run by `tests/bench/run`.
//!
//! The goals are those of the project: plain AUTH at most the peer's wall and CPU time,
//! STARTTLS with a CA file at most its wall and 0.8 of its CPU time.
#![allow(clippy::expect_used, reason = "a program for people")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::ExitCode;

use lab::cost::Candidate;
use lab::postfix::{Listener, Postfix, PostfixOptions};
use tests::bench::{Case, Goal, measure, runs};
use tests::package::shipped;

const PEER: &str = "/usr/lib/nagios/plugins/check_smtp";

fn main() -> ExitCode {
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
    measure(&[
        Case {
            name: "AUTH LOGIN, no TLS",
            ours: (ours(Listener::Plaintext, &["--tls", "none", "--allow-plaintext", "--mech", "login"]), 0),
            theirs: Some((theirs(Listener::Plaintext, &[]), 0)),
            runs: runs(200),
            goals: &[
                Goal::WallRatio(1.0),
                Goal::CpuRatio(1.0),
                Goal::Memory(5 * 1024),
                Goal::SystemCalls(Some(120)),
            ],
        },
        Case {
            name: "AUTH LOGIN, STARTTLS, our certificate check against --ca-file, theirs none",
            ours: (ours(Listener::Submission, &["--mech", "login", "--ca-file", &ca_file]), 0),
            theirs: Some((theirs(Listener::Submission, &["-S"]), 0)),
            runs: runs(200),
            goals: &[
                Goal::WallRatio(1.0),
                Goal::CpuRatio(0.8),
                Goal::Memory(8 * 1024),
                Goal::SystemCalls(None),
            ],
        },
    ])
}
