//! What a plugin may cost. Gates on counts that repeat (instructions by callgrind, system
//! calls by strace, bytes), on the binaries as shipped; times are compared by
//! `tests/bench/run`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "test code")]

use std::time::Duration;

use lab::certs::{Authority, LeafOptions};
use lab::cost::Candidate;
use lab::dns::Responder;
use lab::smtpd::{BeforeTls, Submission, SubmissionOptions};
use lab::tls::{self, Service};
use tests::lists;
use tests::package::shipped;

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

/// Every plugin: what it costs to find out that nothing is to be done.
fn starts(name: &str) {
    let binary = shipped(name);
    at_most("--version", Candidate::new(&binary, ["--version"]).instructions(), 600_000);
    at_most("argument error", Candidate::new(&binary, ["--no-such-option"]).instructions(), 600_000);
}

fn is_small(name: &str, limit: u64) {
    at_most("bytes", std::fs::metadata(shipped(name)).unwrap().len(), limit);
}

#[test]
fn smtp_auth_start_instructions() {
    starts("check_smtp_auth");
}

#[test]
fn smtp_auth_size() {
    is_small("check_smtp_auth", 2_600_000);
}

#[test]
fn smtp_auth_login_instructions() {
    let login = Login::new();
    at_most("plain login", login.plain().instructions(), 1_100_000);
    at_most("STARTTLS login with --ca-file", login.starttls().instructions(), 4_000_000);
}

#[test]
fn smtp_auth_system_calls() {
    let login = Login::new();
    let plain = login.plain();
    // How its threads meet on a busy machine makes 15 calls more or less.
    let least = (0..5).map(|_| plain.system_calls()).min().unwrap();
    at_most("plain login", least, 120);
}

#[test]
fn smtp_auth_peak_memory() {
    let login = Login::new();
    at_most("plain login, KiB", login.plain().peak_rss_kib(), 5 * 1024);
    at_most("STARTTLS login, KiB", login.starttls().peak_rss_kib(), 8 * 1024);
}

/// Lists that work, on a responder that answers at once.
struct Lists {
    dns: Responder,
    names: Vec<String>,
}

impl Lists {
    fn new() -> Self {
        let names = lists::names(60);
        Self { dns: Responder::start(lists::healthy(&names, Duration::ZERO)), names }
    }

    /// A check of these arguments through the first `count` lists, which sends so many
    /// queries.
    fn candidate(&self, count: usize, queries: usize, more: &[&str]) -> Candidate {
        let resolver = self.dns.addr().to_string();
        let lists = lists::arguments(self.names.get(..count).unwrap());
        let fixed = ["--resolver", &resolver].into_iter().chain(more.iter().copied());
        let candidate = Candidate::new(shipped("check_rbl"), fixed.map(str::to_owned).chain(lists));
        self.dns.clear();
        assert_eq!(candidate.run().code, Some(0), "nothing is listed");
        assert_eq!(self.dns.query_count(), queries);
        candidate
    }

    fn one(&self) -> Candidate {
        self.candidate(1, 1, &["-H", lists::ADDRESS, "--self-test", "off"])
    }

    /// With their test points, and the address of the host.
    fn sixty(&self) -> Candidate {
        self.candidate(60, 181, &["-H", lists::HOST, "-4"])
    }
}

#[test]
fn rbl_start_instructions() {
    starts("check_rbl");
}

#[test]
fn rbl_size() {
    is_small("check_rbl", 2_000_000);
}

#[test]
fn rbl_instructions() {
    let lists = Lists::new();
    at_most("one query", lists.one().instructions(), 900_000);
    at_most("60 lists and their test points", lists.sixty().instructions(), 8_000_000);
}

#[test]
fn rbl_peak_memory() {
    at_most("60 lists and their test points, KiB", Lists::new().sixty().peak_rss_kib(), 6 * 1024);
}

/// A verdict on a sound server, its certificate included.
struct Verdict {
    service: Service,
    folder: tempfile::TempDir,
    authority: Authority,
}

impl Verdict {
    fn new() -> Self {
        let authority = Authority::new("Lab Root CA");
        let service = Service::start(tls::server(&authority.leaf(&LeafOptions::default())));
        Self { service, folder: tempfile::tempdir().expect("a temporary folder"), authority }
    }

    fn candidate(&self) -> Candidate {
        let port = self.service.port().to_string();
        let ca_file = self.authority.write_ca(self.folder.path());
        let arguments = ["-H", "127.0.0.1", "-p", &port, "--ca-file", &ca_file.to_string_lossy()];
        let candidate = Candidate::new(shipped("check_weak_ciphers"), arguments);
        assert_eq!(candidate.run().code, Some(0), "nothing weak is offered");
        candidate
    }
}

#[test]
fn weak_ciphers_start_instructions() {
    starts("check_weak_ciphers");
}

#[test]
fn weak_ciphers_size() {
    // Beyond the 2.6 MB of the others: the page of --html, the reader of JSON that --baseline needs, the policies with
    // their reader, the advice, and the handshake of --intrusive, with 60 to 130 kB each.
    is_small("check_weak_ciphers", 3_000_000);
}

#[test]
fn weak_ciphers_instructions() {
    at_most("verdict", Verdict::new().candidate().instructions(), 9_500_000);
}

#[test]
fn weak_ciphers_peak_memory() {
    at_most("verdict, KiB", Verdict::new().candidate().peak_rss_kib(), 6 * 1024);
}
