//! check_weak_ciphers --baseline: what is new against an earlier inventory is a WARNING, what is gone is a note, and
//! what cannot be compared is UNKNOWN.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::float_cmp,
    reason = "test code"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lab::certs::{Authority, LeafOptions};
use lab::output::State;
use lab::process::{Daemon, Group, free_port, program};
use lab::tls_script::{Ending, TlsPeer, TlsScript, Version};
use serde_json::Value;
use tempfile::TempDir;
use tests::{Check, Run};

fn at(port: u16) -> Check {
    let port = port.to_string();
    let check = Check::new("check_weak_ciphers").args(["-H", "127.0.0.1", "-p", &port]);
    check.args(["--handshake-timeout", "1"]).timeout(20.0)
}

fn scripted(peer: &TlsPeer) -> Check {
    at(peer.port()).arg("--no-cert")
}

/// A peer on the port of another, which is gone: the same service another day.
fn restarted(peer: TlsPeer, script: TlsScript) -> TlsPeer {
    let address = peer.addr();
    drop(peer);
    TlsPeer::start(script.listen(address))
}

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The inventory of today, as the baseline of tomorrow.
    fn take(&self, check: &Check) -> PathBuf {
        let path = self.path("baseline.json");
        let _ = check.clone().arg("--inventory").arg("--json").arg(&path).outcome();
        assert_eq!(read(&path)["complete"], true);
        path
    }
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn against(check: Check, baseline: &Path) -> Check {
    check.arg("--baseline").arg(baseline)
}

fn figure(run: &Run, label: &str) -> f64 {
    run.parsed.value(label).unwrap_or_else(|| panic!("no {label}\n{}", run.outcome.report()))
}

fn says(run: &Run, words: &str) {
    assert!(run.outcome.text().contains(words), "no {words:?}\n{}", run.outcome.report());
}

const CLEAN: &str = "nothing that bcp195 forbids";

fn sound() -> TlsScript {
    TlsScript::new().version(Version::Tls12, &[0xc02f, 0xc02b]).groups(&[0x001d])
}

#[test]
fn ok_nothing_new() {
    let files = Files::new();
    let peer = TlsPeer::start(sound());
    let baseline = files.take(&scripted(&peer));
    let since = read(&baseline)["taken_at"].as_str().unwrap().to_owned();
    assert_eq!(since.len(), "2026-11-01T06:00:00Z".len(), "{since}");
    assert_eq!(read(&baseline)["tool"], format!("check_weak_ciphers {}", env!("CARGO_PKG_VERSION")));
    let run = against(scripted(&peer), &baseline).gives(State::Ok, &[CLEAN]);
    says(&run, &format!("nothing new since {since}"));
    says(&run, &format!("against the inventory of {since}: 0 new, 0 gone"));
    assert_eq!(figure(&run, "new"), 0.0);
    // It is an inventory without being told so.
    assert!(run.parsed.value("suites").is_some());
    let run = scripted(&peer).arg("--inventory").gives(State::Ok, &[CLEAN]);
    assert!(run.parsed.perf("new").is_none(), "{}", run.outcome.report());
}

#[test]
fn warning_new_although_allowed() {
    let files = Files::new();
    let before = TlsPeer::start(sound());
    let baseline = files.take(&scripted(&before));
    let script = TlsScript::new()
        .version(Version::Tls12, &[0xc02f, 0xc030, 0xcca8, 0x009f])
        .version(Version::Tls13, &[0x1301])
        .groups(&[0x001d, 0x0017]);
    let after = restarted(before, script);
    let check = against(scripted(&after), &baseline);
    let run = check.gives(State::Warning, &["new_protocol in TLS1.3; also new_suite, new_group;"]);
    says(
        &run,
        "new_suite in TLS1.2: DHE-RSA-AES256-GCM-SHA384, ECDHE-RSA-AES256-GCM-SHA384, ECDHE-RSA-CHACHA20",
    );
    says(&run, "new_suite in TLS1.3: TLS_AES_128_GCM_SHA256");
    says(&run, "new_group: secp256r1");
    run.long("gone_suite in TLS1.2: ECDHE-ECDSA-AES128-GCM-SHA256");
    // A protocol, four suites and a group; nothing of it is the policy's business.
    assert_eq!(figure(&run, "new"), 6.0);
    assert_eq!(["broken", "weak", "policy"].map(|label| figure(&run, label)), [0.0; 3]);
    says(&run, CLEAN);
    run.silent_about("nothing new");

    let document = files.path("today.json");
    check.clone().arg("--json").arg(&document).gives(State::Warning, &[]);
    let port = &read(&document)["ports"][0];
    let differences = &port["differences"];
    assert_eq!(differences["since"], read(&baseline)["taken_at"]);
    let names = |side: &str| -> Vec<String> {
        let all = differences[side].as_array().unwrap().iter();
        all.map(|one| format!("{} {}", one["what"], one["name"]).replace('"', "")).collect()
    };
    assert_eq!(
        names("new"),
        [
            "protocol TLS1.3",
            "suite DHE-RSA-AES256-GCM-SHA384",
            "suite ECDHE-RSA-AES256-GCM-SHA384",
            "suite ECDHE-RSA-CHACHA20-POLY1305",
            "suite TLS_AES_128_GCM_SHA256",
            "group secp256r1",
        ]
    );
    assert_eq!(names("gone"), ["suite ECDHE-ECDSA-AES128-GCM-SHA256"]);
    assert_eq!(differences["new"][4]["code"], "0x1301");
    let findings = port["findings"].as_array().unwrap();
    let states: Vec<&Value> =
        findings.iter().filter(|one| one["class"] == "change").map(|one| &one["state"]).collect();
    assert_eq!(states, ["WARNING"; 4]);

    // The operator has the last word.
    let ignore = ["new_protocol", "new_group", "TLS_AES_128_GCM_SHA256", "*-RSA-AES256-GCM-SHA384"];
    let quiet = ignore.iter().fold(check.clone(), |check, name| check.args(["--ignore", name]));
    let run = quiet.gives(State::Warning, &["new_suite in TLS1.2: ECDHE-RSA-CHACHA20-POLY1305"]);
    assert_eq!(figure(&run, "new"), 1.0);
    quiet.args(["--ignore", "new_suite"]).gives(State::Ok, &[CLEAN]);
    check.clone().args(["--severity", "new_protocol=critical"]).gives(State::Critical, &["new_protocol"]);
    check.args(["--severity", "gone_suite=critical"]).gives(State::Critical, &["gone_suite in TLS1.2"]);
}

/// A sentence holds six; the long output all of them.
#[test]
fn long_output_names_all() {
    let files = Files::new();
    let before = TlsPeer::start(sound());
    let baseline = files.take(&scripted(&before));
    let suites = [0xc02f, 0xc02b, 0xc02c, 0xc030, 0xcca8, 0xcca9, 0x009e, 0x009f, 0xccaa, 0xc0ac];
    let after = restarted(before, TlsScript::new().version(Version::Tls12, &suites).groups(&[0x001d]));
    let run = against(scripted(&after), &baseline).gives(State::Warning, &["new_suite", "and 2 more"]);
    let line = run.outcome.text().lines().find(|line| line.contains("TLS1.2, new: ")).map(str::to_owned);
    let line = line.unwrap_or_else(|| panic!("{}", run.outcome.report()));
    assert_eq!(line.matches(", ").count(), 1 + 7, "{line}");
    assert!(line.contains("ECDHE-ECDSA-AES128-CCM"), "{line}");
}

/// What is weak is still judged, and what was cut off is not gone.
#[test]
fn weak_and_incomplete_scans() {
    let files = Files::new();
    let both = || sound().version(Version::Tls10, &[0xc013]);
    let before = TlsPeer::start(both());
    let baseline = files.take(&scripted(&before));
    against(scripted(&before), &baseline).gives(State::Warning, &["tls1_0"]).silent_about("new_");
    let script = sound().version(Version::Tls13, &[0x1301]).cut_off(6.., Ending::Reset);
    let after = restarted(before, script);
    let run =
        against(scripted(&after), &baseline).arg("--max-conns=1").gives(State::Unknown, &["not complete"]);
    run.silent_about(CLEAN);
    run.silent_about("gone_protocol");
}

struct Server {
    _daemon: Daemon,
    port: u16,
}

/// `openssl s_server` on a port, with a new key.
fn server(folder: &Path, authority: &Authority, port: u16) -> Server {
    let leaf = authority.leaf(&LeafOptions::default());
    let (certificate, key) = leaf.write(folder, "server");
    let mut command = Command::new(program("openssl", "openssl"));
    command.args(["s_server", "-www", "-quiet", "-accept", &format!("127.0.0.1:{port}")]);
    command.args(["-cipher", "ECDHE+AESGCM", "-min_protocol", "TLSv1.2", "-cert"]).arg(certificate);
    command.arg("-key").arg(key);
    let mut daemon = Daemon::spawn("openssl s_server", command, Group::FromLab, &folder.join("log"));
    daemon.wait_listening(port);
    Server { _daemon: daemon, port }
}

#[test]
fn warning_new_certificate_key() {
    let files = Files::new();
    let authority = Authority::new("Lab Root CA");
    let ca_file = authority.write_ca(files.0.path());
    let check = |port| at(port).arg("--ca-file").arg(&ca_file);
    let first = server(files.0.path(), &authority, free_port());
    let port = first.port;
    let baseline = files.take(&check(port));
    let fingerprint = |document: &Value| {
        let leaf = &document["ports"][0]["certificates"]["chains"][0]["certificates"][0];
        leaf["key"]["sha256"].as_str().unwrap().to_owned()
    };
    let before = fingerprint(&read(&baseline));
    // As openssl(1) sees it.
    let spki = Command::new(program("openssl", "openssl"))
        .args(["pkey", "-pubout", "-outform", "DER", "-in"])
        .arg(files.path("server.key"))
        .output()
        .unwrap();
    fs::write(files.path("spki"), spki.stdout).unwrap();
    let sum = Command::new(program("sha256sum", "coreutils")).arg(files.path("spki")).output().unwrap();
    assert!(String::from_utf8(sum.stdout).unwrap().starts_with(&before), "{before}");
    let run = against(check(port), &baseline).gives(State::Ok, &["nothing new"]);
    assert_eq!(figure(&run, "new"), 0.0);

    drop(first);
    let second = server(files.0.path(), &authority, port);
    let today = files.path("today.json");
    let run = against(check(second.port), &baseline)
        .arg("--json")
        .arg(&today)
        .gives(State::Warning, &["new_certificate_key: \"CN=mail.lab.test\" EC secp256r1 (key "]);
    let after = fingerprint(&read(&today));
    assert_ne!(after, before);
    says(&run, &after);
    run.long(&format!("gone_certificate_key: \"CN=mail.lab.test\" EC secp256r1 (key {before})"));
    assert_eq!(figure(&run, "new"), 1.0);
    // Without certificates nobody looks at keys.
    let run = against(at(port).arg("--no-cert"), &baseline).gives(State::Ok, &["nothing new"]);
    assert_eq!(figure(&run, "new"), 0.0);
}

#[test]
fn unknown_what_cannot_be_compared() {
    let files = Files::new();
    let peer = TlsPeer::start(sound());
    let path = files.path("baseline.json");
    let save = |check: Check| {
        let _ = check.arg("--json").arg(&path).outcome();
    };
    let refused = |check: Check, words: &[&str]| {
        let seen = peer.connections();
        let run = against(check, &path).gives(State::Unknown, &["--baseline"]);
        for word in words {
            says(&run, word);
        }
        assert_eq!(peer.connections(), seen, "nothing is sent");
    };
    refused(scripted(&peer), &["No such file"]);
    save(scripted(&peer));
    refused(scripted(&peer), &["is of a verdict", "--inventory"]);
    save(scripted(&peer).args(["--inventory", "--max-total", "5"]));
    refused(scripted(&peer), &["was not complete"]);
    save(at(free_port()).arg("--inventory"));
    refused(scripted(&peer), &["and this check of"]);
    save(Check::new("check_weak_ciphers").args(["-H", "no.such.host.invalid", "--inventory"]));
    refused(scripted(&peer), &["of a run that saw nothing"]);
    save(scripted(&peer).args(["--inventory", "--sni", "www.lab.test"]));
    refused(scripted(&peer), &["--sni \"www.lab.test\""]);
    save(scripted(&peer).arg("--inventory"));
    refused(at(peer.port()), &["made with --no-cert"]);
    let document = read(&path);
    for (content, words) in [
        (document.to_string().replace("\"schema\":1", "\"schema\":7"), "schema 7"),
        (String::new(), "ends too early"),
        ("{".repeat(100_000), "no document of --json"),
        ("<script>alert(1)</script>|x=1".to_owned(), "no document of --json"),
        (format!("{{\"schema\": 1, \"x\": \"{}\"}}", "A".repeat(9_000_000)), "longer than 8388608 bytes"),
    ] {
        fs::write(&path, content).unwrap();
        refused(scripted(&peer), &[words]);
    }
    // The same file for both would make everything old at the next run, and leaves it alone.
    fs::write(&path, document.to_string()).unwrap();
    refused(scripted(&peer).arg("--json").arg(&path), &["written in the same run"]);
    refused(scripted(&peer).arg("--html").arg(&path), &["written in the same run"]);
    let link = files.path("link.json");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    refused(scripted(&peer).arg("--json").arg(&link), &["written in the same run"]);
    assert_eq!(read(&path), document);
    against(scripted(&peer), &path).gives(State::Ok, &["nothing new"]);
}
