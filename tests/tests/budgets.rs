//! What a plugin may cost. Gates on counts that repeat (instructions by callgrind, system
//! calls by strace, bytes), on the binaries as shipped; times are compared by
//! `tests/bench/run`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "test code")]

use std::path::PathBuf;

use lab::cost::Candidate;
use lab::smtpd::{BeforeTls, Submission, SubmissionOptions};

/// The plugin as shipped.
fn shipped(name: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target")), PathBuf::from);
    let path = target.join("dist").join(name);
    assert!(path.exists(), "{} is missing: tests/run builds it", path.display());
    path
}

fn at_most(what: &str, measured: u64, limit: u64) {
    println!("{what}: {measured} (limit {limit})");
    assert!(measured <= limit, "{what}: {measured} is above {limit}");
}

struct Login {
    server: Submission,
    password_file: String,
}

impl Login {
    fn new() -> Self {
        let options = SubmissionOptions { before_tls: BeforeTls::Accept, ..SubmissionOptions::default() };
        let server = Submission::start(options);
        let path = server.dir().join("probe.pw");
        std::fs::write(&path, "secret\n").unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        Self { server, password_file: path.to_string_lossy().into_owned() }
    }

    fn candidate(&self, more: &[&str]) -> Candidate {
        let port = self.server.port().to_string();
        let fixed = ["-H", "127.0.0.1", "-p", &port, "-u", "probe", "--password-file", &self.password_file];
        let candidate = Candidate::new(shipped("check_smtp_auth"), fixed.iter().chain(more));
        assert_eq!(candidate.run().code, Some(0), "the login works");
        candidate
    }

    fn plain(&self) -> Candidate {
        self.candidate(&["--tls", "none", "--allow-plaintext", "--mech", "login"])
    }

    fn starttls(&self) -> Candidate {
        self.candidate(&["--ca-file", &self.server.ca_file().to_string_lossy()])
    }
}

#[test]
fn smtp_auth_start_instructions() {
    let binary = shipped("check_smtp_auth");
    at_most("--version", Candidate::new(&binary, ["--version"]).instructions(), 600_000);
    at_most("argument error", Candidate::new(&binary, ["--no-such-option"]).instructions(), 600_000);
}

#[test]
fn smtp_auth_size() {
    at_most("bytes", std::fs::metadata(shipped("check_smtp_auth")).unwrap().len(), 2_600_000);
}

#[test]
fn smtp_auth_login_instructions() {
    let login = Login::new();
    at_most("plain login", login.plain().instructions(), 1_100_000);
    at_most("STARTTLS login with --ca-file", login.starttls().instructions(), 4_000_000);
}

#[test]
fn smtp_auth_system_calls() {
    at_most("plain login", Login::new().plain().system_calls(), 120);
}

#[test]
fn smtp_auth_peak_memory() {
    let login = Login::new();
    at_most("plain login, KiB", login.plain().peak_rss_kib(), 5 * 1024);
    at_most("STARTTLS login, KiB", login.starttls().peak_rss_kib(), 8 * 1024);
}
