//! check_mysql_slave against Debian's check_mysql on the same replica of MariaDB, over TCP. Run by `tests/bench/run`.
#![allow(clippy::expect_used, reason = "a program for people")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::ExitCode;

use lab::certs::LeafOptions;
use lab::cost::Candidate;
use lab::mysql::replication::{Following, Pair};
use lab::mysql::server::{Server, ServerOptions};
use lab::mysql::{Account, Release};
use tests::bench::{Case, Goal, measure, runs};
use tests::package::shipped;

const PEER: &str = "/usr/lib/nagios/plugins/check_mysql";

fn main() -> ExitCode {
    let options = ServerOptions::of(Release::MariaDb);
    let encrypted = options.clone().certificate(LeafOptions::default());
    let plain = Pair::with(&options, &options, &Following::default());
    let tls = Pair::with(&options, &encrypted, &Following::default());
    let (user, password) = (Account::Monitor.user(), Account::Monitor.password());
    let ours = |server: &Server, more: &[&str]| {
        let file = server.folder().join("bench.password");
        fs::write(&file, password).expect("writable folder");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("our file");
        let (port, file) = (server.port().to_string(), file.to_string_lossy().into_owned());
        let state = server.folder().join("bench.state").to_string_lossy().into_owned();
        let fixed =
            ["-H", "127.0.0.1", "-P", &port, "-u", user, "--password-file", &file, "--state-dir", &state];
        let quiet = ["--read-only", "ignore", "--errant", "off"];
        Candidate::new(shipped("check_mysql_slave"), fixed.iter().chain(&quiet).chain(more))
    };
    let theirs = |server: &Server| {
        let port = server.port().to_string();
        Candidate::new(PEER, ["-H", "127.0.0.1", "-P", &port, "-u", user, "-p", password, "-S"])
    };
    let ca_file = tls.replica.ca_file().to_string_lossy().into_owned();
    measure(&[
        Case {
            name: "a healthy replica, no TLS",
            ours: (ours(&plain.replica, &["--ssl-mode", "disabled"]), 0),
            theirs: Some((theirs(&plain.replica), 0)),
            runs: runs(200),
            goals: &[
                Goal::WallRatio(0.8),
                Goal::CpuRatio(0.8),
                Goal::Memory(6 * 1024),
                Goal::SystemCalls(None),
            ],
        },
        Case {
            name: "the same over TLS, certificate checked against --ca-file; theirs without TLS",
            ours: (ours(&tls.replica, &["--ssl-mode", "verify-ca", "--ca-file", &ca_file]), 0),
            theirs: Some((theirs(&tls.replica), 0)),
            runs: runs(200),
            goals: &[Goal::Cpu(std::time::Duration::from_millis(10)), Goal::Memory(6 * 1024)],
        },
    ])
}
