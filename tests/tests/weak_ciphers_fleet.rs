//! check_weak_ciphers with `--targets-file`: many hosts in one run, a line for each, and none of them lost.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::float_cmp,
    reason = "test code"
)]

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use lab::output::State;
use lab::plugin::find_binary;
use lab::process::{free_port, program};
use lab::relay::Relay;
use lab::tls_script::{Foreign, TlsPeer, TlsScript, Version};
use serde_json::Value;
use tempfile::NamedTempFile;
use tests::{Check, Run};

fn file(text: &str) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    file
}

fn fleet(file: &NamedTempFile) -> Check {
    let check = Check::new("check_weak_ciphers").args(["--no-cert", "--targets-file"]);
    check.arg(file.path()).timeout(30.0).memory_kib(64 * 1024)
}

fn weak() -> TlsPeer {
    TlsPeer::start(TlsScript::new().version(Version::Tls12, &[0xc02f, 0x0005]))
}

fn figures(run: &Run) -> Vec<f64> {
    let labels = ["hosts", "hosts_ok", "hosts_warning", "hosts_critical", "hosts_unknown"];
    labels.iter().map(|label| run.parsed.value(label).unwrap()).collect()
}

#[test]
fn every_host_has_one_line() {
    let good = TlsPeer::start(TlsScript::good());
    let old = TlsPeer::start(
        TlsScript::new().version(Version::Tls11, &[0xc013]).version(Version::Tls12, &[0xc02f]),
    );
    let ssh = TlsPeer::start(TlsScript::new().not_tls(Foreign::ssh()));
    let (weak, other) = (weak(), weak());
    let closed = free_port();
    let text = format!(
        "# the fleet\n127.0.0.1 {}\n127.0.0.1 {},{}\n127.0.0.1 {} # old\n127.0.0.1 {}\n127.0.0.1 {closed}\n\
         no-such-host.invalid\n",
        good.port(),
        weak.port(),
        other.port(),
        old.port(),
        ssh.port(),
    );
    let file = file(&text);
    let run = fleet(&file).gives(State::Critical, &["of 6 hosts 1 CRITICAL, 3 UNKNOWN, 1 WARNING, 1 OK"]);
    assert_eq!(figures(&run), [6.0, 1.0, 1.0, 1.0, 3.0]);
    let text = run.outcome.text();
    let lines: Vec<&str> = text.lines().skip(1).collect();
    assert_eq!(lines.len(), 6, "{}", run.outcome.report());
    assert!(lines[0].starts_with("CRITICAL") && lines[5].starts_with("OK"), "{}", run.outcome.report());
    let has = |start: String, word: &str| {
        let fits = lines.iter().filter(|line| line.starts_with(&start) && line.contains(word)).count();
        assert_eq!(fits, 1, "{start} {word}\n{}", run.outcome.report());
    };
    has(format!("OK: 127.0.0.1:{}", good.port()), "nothing that bcp195 forbids");
    has(format!("CRITICAL: 127.0.0.1:{}", weak.port().min(other.port())), "rc4 (RC4) in TLS1.2: RC4-SHA");
    has(format!("WARNING: 127.0.0.1:{}", old.port()), "tls1_1");
    has(format!("UNKNOWN: 127.0.0.1:{}", ssh.port()), "speaks SSH");
    has(format!("UNKNOWN: 127.0.0.1:{closed}"), "refused");
    has("UNKNOWN: no-such-host.invalid".to_owned(), "cannot resolve");
    // What could not be seen leaves the sums unknown.
    assert!(run.parsed.perf("broken").is_some_and(|item| item.value.is_none()));
}

#[test]
fn what_each_line_says_counts() {
    let named = TlsPeer::start(TlsScript::good().sni_demanded());
    let file = file(&format!("127.0.0.1 {} sni=shop.lab.test starttls=none\n", named.port()));
    let run = fleet(&file).gives(State::Ok, &["of 1 hosts 1 OK"]);
    assert_eq!(figures(&run), [1.0, 1.0, 0.0, 0.0, 0.0]);
    assert_eq!(run.parsed.value("broken"), Some(0.0));
}

#[test]
fn documents_are_those_of_each_host() {
    let (good, weak) = (TlsPeer::start(TlsScript::good()), weak());
    let closed = free_port();
    let file = file(&format!("127.0.0.1 {}\n127.0.0.1 {}\n127.0.0.1 {closed}\n", good.port(), weak.port()));
    let outcome = fleet(&file).args(["--inventory", "--output", "json"]).outcome();
    let document: Value = serde_json::from_slice(&outcome.stdout).unwrap();
    let data = &document["data"];
    assert_eq!((&data["complete"], &data["schema"]), (&false.into(), &1.into()), "{}", outcome.report());
    let hosts = data["hosts"].as_array().unwrap();
    assert_eq!(hosts.len(), 3);
    assert_eq!(hosts[0]["target"], format!("127.0.0.1:{}", good.port()));
    assert_eq!(hosts[0]["complete"], true);
    assert_eq!(hosts[1]["ports"][0]["findings"][0]["id"], "rc4");
    assert_eq!(hosts[2]["ports"][0]["error"]["kind"], "unreachable");
}

#[test]
fn unknown_files_that_name_no_fleet() {
    for (text, words) in [
        ("", "line 1: no host in the file"),
        ("a.example 443\nb.example 443x\n", "line 2: '443x' is not a port"),
        ("a.example colour=red\n", "line 1: 'colour' is not one of starttls, sni"),
    ] {
        fleet(&file(text)).gives(State::Unknown, &[words]);
    }
    let bytes = NamedTempFile::new().unwrap();
    fs::write(bytes.path(), b"\xff\xfe").unwrap();
    fleet(&bytes).gives(State::Unknown, &["not UTF-8"]);
    fs::write(bytes.path(), vec![b'#'; (1 << 20) + 1]).unwrap();
    fleet(&bytes).gives(State::Unknown, &["more than 1048576 bytes"]);
    Check::new("check_weak_ciphers")
        .args(["--targets-file", "/nowhere/fleet"])
        .gives(State::Unknown, &["cannot read /nowhere/fleet"]);
    let both = fleet(&file("a.example\n")).args(["-H", "b.example"]).outcome();
    assert_eq!(both.code, Some(3), "{}", both.report());
    assert_eq!(Check::new("check_weak_ciphers").outcome().code, Some(3));
}

/// Hosts are looked at side by side, no more than allowed, and a host that says nothing does not hold up the others.
#[test]
fn hosts_side_by_side() {
    let peer = TlsPeer::start(TlsScript::good());
    let relays: Vec<Relay> = (0..8).map(|_| Relay::start(peer.addr(), Duration::from_millis(25))).collect();
    let silent = TlsPeer::start(TlsScript::new().not_tls(Foreign::Silence));
    let mut text = format!("127.0.0.1 {}\n", silent.port());
    for relay in &relays {
        text.push_str(&format!("127.0.0.1 {}\n", relay.port()));
    }
    let file = file(&text);
    let quick = || fleet(&file).args(["--handshake-timeout", "3"]);
    let run = quick().gives(State::Unknown, &["of 9 hosts 1 UNKNOWN, 8 OK"]);
    assert_eq!(figures(&run), [9.0, 8.0, 0.0, 0.0, 1.0]);
    // One after the other each takes at least four round trips.
    let started = Instant::now();
    let run = quick().args(["--max-hosts", "1"]).gives(State::Unknown, &["of 9 hosts 1 UNKNOWN, 8 OK"]);
    assert!(started.elapsed() > Duration::from_millis(8 * 200), "{}", run.outcome.report());
}

/// What the time does not suffice for is UNKNOWN, host by host.
#[test]
fn unknown_hosts_without_time() {
    let silent = TlsPeer::start(TlsScript::new().not_tls(Foreign::Silence));
    let good = TlsPeer::start(TlsScript::good());
    let file = file(&format!("127.0.0.1 {}\n127.0.0.1 {}\n", silent.port(), good.port()));
    let check = fleet(&file).args(["--max-hosts", "1", "--handshake-timeout", "30"]).timeout(2.0);
    let run = check.gives(State::Unknown, &["of 2 hosts 2 UNKNOWN"]);
    assert!(run.outcome.text().contains("no time was left for this host"), "{}", run.outcome.report());
}

/// Who waits at a terminal sees how far it is; a pipe gets nothing (as every other test asserts).
#[test]
fn progress_at_a_terminal() {
    let peer = TlsPeer::start(TlsScript::good());
    let far = Relay::start(peer.addr(), Duration::from_millis(100));
    let file = file(&format!("127.0.0.1 {}\n", far.port()));
    let binary = find_binary("check_weak_ciphers");
    let at_terminal = |arguments: &str| {
        let command = format!("{} --no-cert --inventory -t 20 {arguments}", binary.display());
        let run = Command::new(program("script", "bsdutils")).args(["-qec", &command, "/dev/null"]).output();
        String::from_utf8_lossy(&run.unwrap().stdout).into_owned()
    };
    let text = at_terminal(&format!("-H 127.0.0.1 -p {}", far.port()));
    assert!(text.contains(" suites, ") && text.contains(" connections"), "{text:?}");
    // The line is gone before the result is there.
    assert!(text.contains("\r\x1b[KWEAK_CIPHERS OK: "), "{text:?}");
    let text = at_terminal(&format!("--targets-file {}", file.path().display()));
    assert!(text.contains(": 1 of 1 hosts\r\x1b[KWEAK_CIPHERS OK: "), "{text:?}");
}
