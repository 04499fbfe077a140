//! check_smtp_auth on the system's OpenSSL: peers that rustls cannot talk to, and the same
//! verdicts in the same words where both can.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lab::certs::{Authority, Leaf, LeafOptions, Usage};
use lab::output::State;
use lab::peer::{Peer, Script};
use lab::s_server::{SServer, SelfSigned};
use lab::smtpd::{Submission, SubmissionOptions};
use lab::tls::{Versions, server_with};
use serde_json::Value;
use tests::Check;
use tests::mail::{Mail, PASSWORD, USER};

/// The plugin with this back-end; `None` where the native one is left out.
fn native() -> Option<Check> {
    Check::native("check_smtp_auth")
}

fn rustls() -> Check {
    Check::new("check_smtp_auth")
}

fn at(check: Check, address: std::net::SocketAddr, mail: &Mail) -> Check {
    mail.login(check, address).timeout(2.0)
}

// The option

#[test]
fn unknown_in_a_build_without_it() {
    let mail = Mail::new();
    let peer = Peer::start(Script::new());
    let run = mail.starttls(peer.addr()).args(["--tls-backend", "native"]);
    let run = run.gives(State::Unknown, &["--tls-backend: this build does not have the native back-end"]);
    run.long("hint: ").long("--features native-tls");
    let run = mail.starttls(peer.addr()).args(["--tls-backend", "gnutls"]);
    run.gives(State::Unknown, &["--tls-backend: "]);
    mail.starttls(peer.addr())
        .args(["--tls-min", "1.0"])
        .gives(State::Unknown, &["--tls-min: rustls does not speak TLS 1.0"])
        .long("--tls-backend native");
    assert_eq!(peer.connections(), 0);
}

#[test]
fn unknown_version_nobody_speaks() {
    let Some(native) = native() else { return };
    let mail = Mail::new();
    let peer = Peer::start(Script::new());
    let run = at(native, peer.addr(), &mail).args(["--tls-min", "1.4"]);
    run.gives(State::Unknown, &["--tls-min: '1.4' is not one of 1.0, 1.1, 1.2, 1.3"]);
    assert_eq!(peer.connections(), 0);
}

// Peers that rustls cannot talk to

/// A peer out of `openssl s_server`, and what each back-end makes of it.
struct OldPeer {
    key: &'static str,
    arguments: &'static [&'static str],
    /// Why rustls cannot.
    rustls: &'static str,
    /// How it goes under the system's policy, or why not.
    native: Result<&'static str, &'static str>,
    /// How it goes with `--tls-min 1.0`.
    lowered: &'static str,
}

const NO_SUITE: &str = "the server sent the alert handshake_failure";
const NO_VERSION: &str = "the server sent the alert protocol_version";

const OLD_PEERS: [OldPeer; 10] = [
    OldPeer {
        key: "rsa:2048",
        arguments: &["-tls1", "-cipher", "DEFAULT@SECLEVEL=0"],
        rustls: NO_VERSION,
        native: Err(NO_VERSION),
        lowered: "TLSv1.0",
    },
    OldPeer {
        key: "rsa:2048",
        arguments: &["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"],
        rustls: NO_VERSION,
        native: Err(NO_VERSION),
        lowered: "TLSv1.1",
    },
    OldPeer {
        key: "rsa:2048",
        arguments: &["-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA:ECDHE-RSA-AES256-SHA384"],
        rustls: NO_SUITE,
        native: Ok("TLSv1.2"),
        lowered: "TLSv1.2",
    },
    OldPeer {
        key: "rsa:2048",
        arguments: &["-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256"],
        rustls: NO_SUITE,
        native: Ok("TLSv1.2"),
        lowered: "TLSv1.2",
    },
    OldPeer {
        key: "rsa:2048",
        arguments: &["-tls1_2", "-cipher", "AES128-GCM-SHA256"],
        rustls: NO_SUITE,
        native: Ok("TLSv1.2"),
        lowered: "TLSv1.2",
    },
    OldPeer {
        key: "rsa:2048",
        arguments: &["-groups", "P-521"],
        rustls: NO_SUITE,
        native: Ok("TLSv1.3"),
        lowered: "TLSv1.3",
    },
    OldPeer {
        key: "rsa:2048",
        arguments: &["-tls1_2", "-groups", "P-521"],
        rustls: NO_SUITE,
        native: Ok("TLSv1.2"),
        lowered: "TLSv1.2",
    },
    OldPeer { key: "ec:P-521", arguments: &[], rustls: NO_SUITE, native: Ok("TLSv1.3"), lowered: "TLSv1.3" },
    OldPeer {
        key: "rsa:1024",
        arguments: &["-cipher", "DEFAULT@SECLEVEL=0"],
        rustls: "TLS handshake failed: the server's signature does not verify",
        native: Err("certificate chain does not verify: EE certificate key too weak"),
        lowered: "TLSv1.3",
    },
    // OpenSSL takes a group as weak as the key.
    OldPeer {
        key: "rsa:1024",
        arguments: &["-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256@SECLEVEL=0"],
        rustls: NO_SUITE,
        native: Err("TLS handshake failed: dh key too small"),
        lowered: "TLSv1.2",
    },
];

#[test]
fn old_peers_are_refused_by_rustls_with_a_hint() {
    let mail = Mail::new();
    for peer in OLD_PEERS {
        let (run, received) = peer.meets(rustls(), &mail, State::Critical, &[peer.rustls]);
        run.long("hint: ").long("--tls-backend native");
        assert_eq!(received, "", "nothing is said without TLS");
    }
}

#[test]
fn old_peers_meet_the_systems_policy() {
    let mail = Mail::new();
    for peer in OLD_PEERS {
        let Some(check) = native() else { return };
        match peer.native {
            Ok(version) => peer.accepts(check, &mail, version),
            Err(words) => {
                let (run, received) = peer.meets(check, &mail, State::Critical, &[words]);
                assert!(run.outcome.text().contains("--tls-min 1.0"), "{}", run.outcome.report());
                assert!(!received.contains("AUTH"), "{received}");
            }
        }
    }
}

#[test]
fn old_peers_are_reached_below_the_systems_policy() {
    let mail = Mail::new();
    for peer in OLD_PEERS {
        let Some(check) = native() else { return };
        peer.accepts(check.args(["--tls-min", "1.0"]), &mail, peer.lowered);
    }
}

impl OldPeer {
    fn accepts(&self, check: Check, mail: &Mail, version: &str) {
        let words = format!("by PLAIN over {version}");
        let (run, received) = self.meets(check, mail, State::Ok, &[&words]);
        assert!(received.contains("AUTH PLAIN "), "{received}");
        if matches!(version, "TLSv1.0" | "TLSv1.1") {
            run.long(&format!("note: {version} is deprecated (RFC 8996)"));
        } else {
            run.silent_about("deprecated");
        }
    }

    /// Runs a check against it; also returns what the server heard.
    fn meets(&self, check: Check, mail: &Mail, state: State, words: &[&str]) -> (tests::Run, String) {
        let identity = identity(mail, self.key);
        let server = SServer::start(&identity, self.arguments);
        let check = at(check, server.addr(), mail).args(["--tls", "implicit", "--ca-file"]);
        let run = check.arg(&identity.certificate).gives(state, words);
        (run, server.received())
    }
}

/// Keys take their time: one of each kind for a fixture.
fn identity(mail: &Mail, kind: &str) -> SelfSigned {
    let certificate = mail.dir().join(format!("{}.pem", kind.replace(':', "-")));
    if certificate.exists() {
        return SelfSigned { key: certificate.with_extension("key"), certificate };
    }
    SelfSigned::new(mail.dir(), kind)
}

#[test]
fn the_minimum_is_a_minimum() {
    let mail = Mail::new();
    for (minimum, version, reached) in [
        ("1.0", "-tls1", Some("TLSv1.0")),
        ("1.1", "-tls1", None),
        ("1.1", "-tls1_1", Some("TLSv1.1")),
        ("1.1", "-tls1_2", Some("TLSv1.2")),
        ("1.2", "-tls1_2", Some("TLSv1.2")),
        ("1.3", "-tls1_2", None),
        ("1.3", "-tls1_3", Some("TLSv1.3")),
    ] {
        let Some(check) = native() else { return };
        let identity = identity(&mail, "rsa:2048");
        let server = SServer::start(&identity, &[version, "-cipher", "DEFAULT@SECLEVEL=0"]);
        let check = at(check, server.addr(), &mail).args(["--tls", "implicit", "--tls-min", minimum]);
        let check = check.arg("--ca-file").arg(&identity.certificate);
        match reached {
            Some(shown) => check.gives(State::Ok, &[&format!("over {shown}")]),
            None => check.gives(State::Critical, &[NO_VERSION]),
        };
    }
}

#[test]
fn a_stricter_policy_of_the_system_stays() {
    let mail = Mail::new();
    let strict = "openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = limits\n[limits]\n";
    let strict = mail.file("openssl.cnf", format!("{strict}MinProtocol = TLSv1.3\n"), 0o644);
    let identity = identity(&mail, "rsa:2048");
    for (more, reached) in [(&[][..], false), (&["--tls-min", "1.2"], false), (&["--tls-min", "1.1"], true)] {
        let Some(check) = native() else { return };
        let server = SServer::start(&identity, &["-tls1_2"]);
        let check = at(check, server.addr(), &mail).args(["--tls", "implicit", "--ca-file"]);
        let check = check.arg(&identity.certificate).args(more).env("OPENSSL_CONF", &strict);
        let (state, words) = if reached { (State::Ok, "TLSv1.2") } else { (State::Critical, NO_VERSION) };
        check.gives(state, &[words]);
    }
}

#[test]
fn a_peer_without_secure_renegotiation() {
    // A ServerHello of TLS 1.2 with TLS_RSA_WITH_AES_128_GCM_SHA256 and no extension, and the end.
    let hello =
        [&b"\x16\x03\x03\x00\x2a\x02\x00\x00\x26\x03\x03"[..], &[7; 32], b"\x00\x00\x9c\x00"].concat();
    let mail = Mail::new();
    for (minimum, words) in [
        ("1.2", "TLS handshake failed: unsafe legacy renegotiation disabled"),
        ("1.0", "connection closed by the server while negotiating TLS"),
    ] {
        let Some(check) = native() else { return };
        let peer = Peer::start(Script::new().read_some().send(&hello).close());
        let check = at(check, peer.addr(), &mail).args(["--tls", "implicit", "--tls-min", minimum]);
        let run = check.arg("--insecure").gives(State::Critical, &[words]);
        assert_eq!(run.outcome.text().contains("--tls-min 1.0"), minimum == "1.2");
    }
}

// The same verdicts in the same words

/// What must not depend on the library: state, findings, days, everything known of the
/// certificate. Not the suite, which each chooses for itself, and not the begin of validity:
/// to OpenSSL the root, the youngest of all in this lab, belongs to the path.
fn verdict(check: &Check) -> Value {
    let outcome = check.clone().args(["--output", "json"]).outcome();
    let mut json: Value = serde_json::from_str(&outcome.text()).unwrap();
    let mut tls = json.pointer_mut("/data/sessions/0/tls").map(Value::take);
    if let Some(fields) = tls.as_mut().and_then(Value::as_object_mut) {
        fields.remove("suite");
        fields.remove("not_before");
    }
    let days = json["perfdata"].as_array().unwrap().iter().find(|item| item["label"] == "cert_days");
    serde_json::json!({ "state": json["state"], "findings": json["findings"], "days": days, "tls": tls })
}

/// Runs a check by both libraries and compares; returns the state, or `None` without native.
fn same(what: &str, check: impl Fn(Check) -> Check) -> Option<State> {
    let by_native = check(native()?);
    let (ours, theirs) = (verdict(&check(rustls())), verdict(&by_native));
    assert_eq!(theirs, ours, "{what}: native on the left");
    Some(by_native.outcome().parsed().state)
}

fn scene(authority: Authority, leaf: &Leaf) -> Submission {
    let options = SubmissionOptions {
        users: [(USER.to_owned(), PASSWORD.to_owned())].into(),
        ..SubmissionOptions::default()
    };
    Submission::start_with(options, authority, leaf)
}

#[test]
fn certificates_are_judged_alike() {
    let mail = Mail::new();
    let named = LeafOptions::server_named;
    let nameless = LeafOptions { dns_names: Vec::new(), ips: Vec::new(), ..LeafOptions::default() };
    let client = LeafOptions { usage: Usage::Client, ..LeafOptions::default() };
    for (what, wishes, more, state) in [
        ("good", LeafOptions::default(), &[][..], State::Ok),
        ("expired", LeafOptions::default().days(-3), &[], State::Critical),
        ("few days", LeafOptions::default().days(5), &[], State::Critical),
        ("some days", LeafOptions::default().days(15), &[], State::Warning),
        ("wrong name", named("other.lab.test"), &[], State::Critical),
        ("wrong name and expired", named("other.lab.test").days(-3), &[], State::Critical),
        ("name by --sni", named("other.lab.test"), &["--sni", "OTHER.lab.test."], State::Ok),
        ("wild card", named("*.lab.test"), &["--sni", "any.lab.test"], State::Ok),
        ("too much for a wild card", named("*.lab.test"), &["--sni", "a.b.lab.test"], State::Critical),
        ("common name only", nameless, &["--sni", "mail.lab.test"], State::Critical),
        ("for clients", client, &[], State::Critical),
    ] {
        let authority = Authority::new("Lab Root CA");
        let leaf = authority.leaf(&wishes);
        let server = scene(authority, &leaf);
        let run = same(what, |check| {
            at(check, server.addr(), &mail).args(more).arg("--ca-file").arg(server.ca_file())
        });
        let Some(found) = run else { return };
        assert_eq!(found, state, "{what}");
    }
}

#[test]
fn chains_are_judged_alike() {
    let mail = Mail::new();
    let root = || Authority::new("Lab Root CA");
    let wishes = LeafOptions::default();
    let via = |days: i64, sent: usize| {
        let authority = root();
        let mut leaf = authority.leaf_via_intermediate(&wishes, days);
        leaf.chain_der.truncate(sent);
        (authority, leaf)
    };
    let with_extra = || {
        let authority = root();
        let mut leaf = authority.leaf(&wishes);
        leaf.chain_der.push(Authority::new("Old Cross CA").intermediate("Old CA", -400).ca_der().to_vec());
        (authority, leaf)
    };
    for (what, (authority, leaf), state) in [
        ("stranger", (root(), Authority::new("Stranger CA").leaf(&wishes)), State::Critical),
        ("intermediate", via(400, 2), State::Ok),
        ("intermediate not sent", via(400, 1), State::Critical),
        ("intermediate ends soon", via(15, 2), State::Warning),
        ("intermediate expired", via(-2, 2), State::Critical),
        ("expired extra", with_extra(), State::Ok),
        ("self-signed", (root(), Leaf::self_signed(&wishes)), State::Critical),
    ] {
        let server = scene(authority, &leaf);
        let run = same(what, |check| at(check, server.addr(), &mail).arg("--ca-file").arg(server.ca_file()));
        let Some(found) = run else { return };
        assert_eq!(found, state, "{what}");
    }
}

#[test]
fn trust_is_taken_from_the_same_places() {
    let mail = Mail::new();
    let leaf = Leaf::self_signed(&LeafOptions::default());
    let pin = mail.file("pin.pem", &leaf.cert_pem, 0o644);
    let server = scene(Authority::new("Lab Root CA"), &leaf);
    let issued = Authority::new("Lab Root CA");
    let leaf = issued.leaf(&LeafOptions::default());
    let issued_pin = mail.file("issued.pem", &leaf.cert_pem, 0o644);
    let issued = scene(issued, &leaf);
    let leaf = Leaf::self_signed(&LeafOptions::server_named("other.lab.test").days(-2));
    let bad_pin = mail.file("bad.pem", &leaf.cert_pem, 0o644);
    let bad = scene(Authority::new("Lab Root CA"), &leaf);
    let empty = mail.file("none.pem", "", 0o644);
    let path = |path: &Path| path.to_string_lossy().into_owned();
    for (what, server, more, environment, state) in [
        ("pinned", &server, vec!["--ca-file".to_owned(), path(&pin)], None, State::Ok),
        ("pinned, not by its CA", &issued, vec!["--ca-file".to_owned(), path(&issued_pin)], None, State::Ok),
        ("pinned and bad", &bad, vec!["--ca-file".to_owned(), path(&bad_pin)], None, State::Critical),
        ("system", &server, vec![], None, State::Critical),
        ("system with one of ours", &issued, vec![], Some(path(issued.ca_file())), State::Ok),
        ("system without any", &issued, vec![], Some(path(&empty)), State::Unknown),
        ("insecure", &server, vec!["--insecure".to_owned()], None, State::Ok),
    ] {
        let run = same(what, |check| {
            let check = at(check, server.addr(), &mail).args(&more);
            match &environment {
                Some(file) => check.env("SSL_CERT_FILE", file).env("SSL_CERT_DIR", "/nonexistent"),
                None => check,
            }
        });
        let Some(found) = run else { return };
        assert_eq!(found, state, "{what}");
    }
}

fn peer_with(mail: &Mail, versions: Versions, client_ca: Option<&Authority>) -> Peer {
    let config = server_with(&mail.authority.leaf(&LeafOptions::default()), versions, client_ca);
    let script = Script::new().banner().ehlo(&["STARTTLS"]).starttls(&config).ehlo(&["AUTH PLAIN"]);
    Peer::start(script.expect("AUTH PLAIN").send("235 ok\r\n").quit())
}

fn private(key: &PathBuf) {
    std::fs::set_permissions(key, Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn client_certificates_work_alike() {
    let mail = Mail::new();
    let client_ca = Authority::new("Lab Client CA");
    let (cert, key) = client_ca.leaf(&LeafOptions::client_named("probe")).write(mail.dir(), "client");
    let (other, other_key) =
        mail.authority.leaf(&LeafOptions::client_named("probe")).write(mail.dir(), "other");
    private(&key);
    private(&other_key);
    for versions in [Versions::Tls12, Versions::Tls13] {
        let peer = peer_with(&mail, versions, Some(&client_ca));
        let with = |check: Check, files: Option<(&Path, &Path)>| {
            let check = at(check, peer.addr(), &mail).arg("--ca-file").arg(mail.ca_file());
            match files {
                Some((cert, key)) => check.arg("--cert-file").arg(cert).arg("--key-file").arg(key),
                None => check,
            }
        };
        for (what, files, state) in [
            ("given", Some((cert.as_path(), key.as_path())), State::Ok),
            ("missing", None, State::Critical),
            ("stranger", Some((other.as_path(), other_key.as_path())), State::Critical),
            ("not a pair", Some((cert.as_path(), other_key.as_path())), State::Unknown),
            ("no key", Some((cert.as_path(), cert.as_path())), State::Unknown),
            ("no certificate", Some((key.as_path(), key.as_path())), State::Unknown),
        ] {
            let Some(check) = native() else { return };
            let run = with(check, files).gives(state, &[]);
            let of_rustls = with(rustls(), files).gives(state, &[]);
            // The libraries have their own words for a pair that does not match.
            if what != "not a pair" {
                assert_eq!(run.parsed.summary, of_rustls.parsed.summary, "{what}");
            }
        }
    }
}

#[test]
fn unusable_files_are_named_alike() {
    let mail = Mail::new();
    let peer = Peer::start(Script::new());
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for file in [
        mail.dir().join("absent.pem"),
        mail.file("empty.pem", "", 0o644),
        mail.file("text.pem", "no PEM at all", 0o644),
        mail.file("broken.pem", broken, 0o644),
        mail.file("cut.pem", &mail.authority.ca_pem()[..200], 0o644),
    ] {
        let Some(found) = same("CA file", |check| at(check, peer.addr(), &mail).arg("--ca-file").arg(&file))
        else {
            return;
        };
        assert_eq!(found, State::Unknown, "{}", file.display());
    }
    assert_eq!(peer.connections(), 0);
}

#[test]
fn an_encrypted_key_is_refused_and_nobody_is_asked_for_its_passphrase() {
    let Some(check) = native() else { return };
    let mail = Mail::new();
    let (cert, _) = mail.authority.leaf(&LeafOptions::client_named("probe")).write(mail.dir(), "client");
    let pem = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let key = mail.file("encrypted.key", pem, 0o600);
    let peer = Peer::start(Script::new());
    let check = at(check, peer.addr(), &mail).arg("--cert-file").arg(&cert).arg("--key-file").arg(&key);
    check.gives(State::Unknown, &["holds no private key in PEM form"]);
}

// Hostile peers

#[test]
fn hostile_peers_are_named_alike_and_in_time() {
    let mail = Mail::new();
    let implicit = Script::new;
    for (what, script, words) in [
        ("garbage", implicit().send([0, 1, 2, 3, 4, 5, 6, 7]).hold(), "the server's answer is not TLS"),
        ("greeting", implicit().banner(), "the server answered in plaintext \"220 mail.lab.test ESMTP\""),
        ("closed", implicit().read_some().close(), "connection closed by the server while negotiating TLS"),
        ("reset", implicit().read_some().reset(), "connection reset by the server while negotiating TLS"),
        ("silent", implicit().hold(), "timeout after 0.5 s while negotiating TLS"),
        (
            "closed in the middle of a record",
            implicit().read_some().send(b"\x16\x03\x03\x00\x50\x02").close(),
            "connection closed by the server while negotiating TLS",
        ),
        (
            "drip",
            implicit().drip([&b"\x16\x03\x03\x20\x00\x02"[..], &[0; 99]].concat(), Duration::from_millis(20)),
            "timeout after 0.5 s while negotiating TLS",
        ),
        (
            "fatal alert",
            implicit().read_some().send(b"\x15\x03\x03\x00\x02\x02\x50").close(),
            "the server sent the alert internal_error",
        ),
        (
            "closed after the handshake",
            implicit().tls(&mail.tls).close(),
            "connection closed by the server while waiting for the banner",
        ),
        (
            "cut after the handshake",
            implicit().tls(&mail.tls).cut(),
            "connection closed by the server while waiting for the banner",
        ),
        (
            "cut in the middle of a reply",
            implicit().tls(&mail.tls).send("220 mail").cut(),
            "connection closed by the server while waiting for the banner in the middle of a reply (8 bytes)",
        ),
        (
            "silent after the handshake",
            implicit().tls(&mail.tls).hold(),
            "timeout after 0.5 s while waiting for the banner",
        ),
    ] {
        let peer = Peer::start(script);
        for check in [Some(rustls()), native()].into_iter().flatten() {
            let check = at(check, peer.addr(), &mail).args(["--tls", "implicit", "--ca-file"]);
            let run = check.arg(mail.ca_file()).timeout(0.5).gives(State::Critical, &[words]);
            assert!(run.parsed.value("time").is_some(), "{what}");
        }
    }
}

#[test]
fn floods_end_in_time_and_in_little_memory() {
    let mail = Mail::new();
    for (what, flood) in [
        ("empty handshake records", b"\x16\x03\x03\x00\x04\x00\x00\x00\x00".to_vec()),
        ("warnings", b"\x15\x03\x03\x00\x02\x01\x5a".to_vec()),
        ("a message that never ends", [&b"\x16\x03\x03\x40\x00\x0b\xff\xff\xff"[..], &[0; 16380]].concat()),
    ] {
        let Some(check) = native() else { return };
        let peer = Peer::start(Script::new().read_some().repeat_forever(flood));
        let check = at(check, peer.addr(), &mail).args(["--tls", "implicit"]).timeout(1.0);
        let run = check.gives(State::Critical, &[]);
        assert!(run.parsed.value("time").is_some(), "{what}");
    }
}

#[test]
fn injected_plaintext_is_found() {
    let Some(check) = native() else { return };
    let mail = Mail::new();
    let script = Script::new().banner().ehlo(&["STARTTLS"]).expect("STARTTLS");
    let script = script.send("220 go\r\n").sleep(Duration::from_millis(80)).send("250 AUTH PLAIN\r\n").hold();
    let peer = Peer::start(script);
    let check = at(check, peer.addr(), &mail).arg("--ca-file").arg(mail.ca_file());
    check.gives(State::Critical, &["plaintext injection", "250 AUTH PLAIN"]);
    assert!(!peer.received_text(0).contains("AUTH"));
}
