//! check_weak_ciphers on certificates: trust, dates, names, keys and signatures, from captured
//! handshakes and from the one that TLS 1.3 takes.
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

use lab::certs::{Authority, Leaf, LeafOptions};
use lab::output::State;
use lab::postfix::{Listener, Postfix, PostfixOptions};
use lab::process::{Daemon, Group, free_port, left_out_without_root, program};
use lab::tls_script::{Auth, Ending, Fault, TlsPeer, TlsScript, Version};
use lab::tls_servers::{Identity, Keys};
use serde_json::Value;
use tempfile::TempDir;
use tests::{Check, Run};

const SOUND: [&str; 4] = ["-cipher", "ECDHE+AESGCM", "-min_protocol", "TLSv1.2"];
const ONLY_TLS13: [&str; 2] = ["-min_protocol", "TLSv1.3"];
const CLEAN: &str = "nothing that bcp195 forbids";

/// `openssl s_server` with something to show.
struct Server {
    _daemon: Daemon,
    port: u16,
}

impl Server {
    fn start(folder: &Path, certificate: &Path, key: &Path, arguments: &[&str]) -> Self {
        let port = free_port();
        let mut command = Command::new(program("openssl", "openssl"));
        command.args(["s_server", "-www", "-quiet", "-accept", &format!("127.0.0.1:{port}"), "-cert"]);
        command.arg(certificate).arg("-key").arg(key).args(arguments);
        let log = folder.join(format!("{port}.log"));
        let mut daemon = Daemon::spawn("openssl s_server", command, Group::FromLab, &log);
        daemon.wait_listening(port);
        Self { _daemon: daemon, port }
    }

    fn of(keys: &Keys, identity: &Identity, arguments: &[&str]) -> Self {
        Self::start(keys.folder(), &identity.certificate, &identity.key, arguments)
    }

    fn check(&self) -> Check {
        at(self.port)
    }
}

fn at(port: u16) -> Check {
    let port = port.to_string();
    Check::new("check_weak_ciphers").args(["-H", "127.0.0.1", "-p", &port]).timeout(20.0)
}

/// A server with a certificate of the lab's own authority.
struct Scene {
    folder: TempDir,
    ca: PathBuf,
    authority: Authority,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new("Lab Root CA");
        let ca = authority.write_ca(folder.path());
        Self { folder, ca, authority }
    }

    fn server(&self, options: &LeafOptions, arguments: &[&str]) -> Server {
        self.show(&self.authority.leaf(options), arguments)
    }

    /// Sends the leaf and what is above it.
    fn show(&self, leaf: &Leaf, arguments: &[&str]) -> Server {
        let (chain, key) = leaf.write(self.folder.path(), "server");
        let above = self.folder.path().join("above.pem");
        fs::write(&above, leaf.chain_pem.strip_prefix(&leaf.cert_pem).unwrap()).unwrap();
        let mut arguments = arguments.to_vec();
        if leaf.chain_der.len() > 1 {
            arguments.extend(["-cert_chain", above.to_str().unwrap()]);
        }
        Server::start(self.folder.path(), &chain, &key, &arguments)
    }

    fn trusted(&self, server: &Server) -> Check {
        server.check().arg("--ca-file").arg(&self.ca)
    }
}

fn figure(run: &Run, label: &str) -> f64 {
    run.parsed.value(label).unwrap_or_else(|| panic!("no {label}\n{}", run.outcome.report()))
}

fn says(run: &Run, words: &str) {
    assert!(run.outcome.text().contains(words), "no {words:?}\n{}", run.outcome.report());
}

fn document(check: &Check) -> Value {
    let outcome = check.clone().args(["--output", "json"]).outcome();
    serde_json::from_str(outcome.text().trim()).expect("JSON")
}

#[test]
fn ok_trusted_at_no_more_connections() {
    let scene = Scene::new();
    let server = scene.server(&LeafOptions::default(), &SOUND);
    let run = scene.trusted(&server).gives(State::Ok, &[CLEAN]);
    assert_eq!(figure(&run, "cert_days"), 90.0);
    let connections = figure(&run, "connections");
    let without = server.check().arg("--no-cert").gives(State::Ok, &[CLEAN]);
    assert_eq!(figure(&without, "connections"), connections);
    assert!(without.parsed.perf("cert_days").is_none(), "{}", without.outcome.report());
}

#[test]
fn critical_untrusted() {
    let scene = Scene::new();
    let server = scene.server(&LeafOptions::default(), &SOUND);
    let run =
        server.check().gives(State::Critical, &["certificate_untrusted", "the system's CA certificates"]);
    says(&run, "issued by \"CN=Lab Root CA\"");
    run.long("--ca-file FILE");
    assert_eq!(figure(&run, "broken"), 1.0);
    run.silent_about(CLEAN);
    // Another authority of the same name, and the system's as it is given.
    let other = Scene::new();
    let check = server.check().arg("--ca-file").arg(&other.ca);
    check.gives(State::Critical, &["certificate_untrusted"]);
    let system = server.check().env("SSL_CERT_FILE", &scene.ca);
    system.gives(State::Ok, &[CLEAN]);
    // The operator's word goes over the policy's.
    server.check().args(["--severity", "certificate_untrusted=warning"]).gives(State::Warning, &[]);
    let run = server.check().args(["--ignore", "certificate_untrusted"]).gives(State::Ok, &[CLEAN]);
    assert_eq!(figure(&run, "broken"), 0.0);
}

/// A chain whose middle is missing cannot be verified, whatever browsers know.
#[test]
fn critical_incomplete_chain() {
    let scene = Scene::new();
    let mut leaf = scene.authority.leaf_via_intermediate(&LeafOptions::default(), 400);
    let whole = scene.show(&leaf, &SOUND);
    scene.trusted(&whole).gives(State::Ok, &[CLEAN]);
    leaf.chain_pem.clone_from(&leaf.cert_pem);
    leaf.chain_der.truncate(1);
    let server = scene.show(&leaf, &SOUND);
    let run = scene.trusted(&server).gives(State::Critical, &["certificate chain does not lead to"]);
    run.long("an incomplete chain is mended on the server");
}

#[test]
fn critical_expired() {
    let scene = Scene::new();
    for arguments in [&SOUND[..], &ONLY_TLS13] {
        let server = scene.server(&LeafOptions::default().days(-3), arguments);
        let run =
            scene.trusted(&server).gives(State::Critical, &["certificate_expired", "expired 3 days ago"]);
        assert_eq!(figure(&run, "cert_days"), -3.0);
        // Expired is all that is wrong with it.
        run.silent_about("certificate_untrusted");
        run.silent_about("certificate expires in");
    }
    // An intermediate that has expired ends the chain as well, and is named.
    let leaf = scene.authority.leaf_via_intermediate(&LeafOptions::default(), -1);
    let server = scene.show(&leaf, &SOUND);
    scene
        .trusted(&server)
        .gives(State::Critical, &["\"CN=Lab Intermediate CA\" EC secp256r1 expired 1 day ago"]);
}

#[test]
fn days_by_the_operators_limits() {
    let scene = Scene::new();
    let check = |days| {
        let server = scene.server(&LeafOptions::default().days(days), &SOUND);
        let check = scene.trusted(&server);
        (server, check)
    };
    let (_server, five) = check(5);
    let run = five.gives(State::Critical, &["certificate expires in 5 days, critical below 7"]);
    let days = run.parsed.perf("cert_days").unwrap();
    assert_eq!(
        (days.value, days.warn.as_deref(), days.crit.as_deref()),
        (Some(5.0), Some("21:"), Some("7:")),
        "{}",
        run.outcome.report()
    );
    // The policy has no say in it.
    assert_eq!(figure(&run, "broken"), 0.0);
    five.clone().args(["--cert-critical", "5"]).gives(State::Warning, &["5 days, warning below 21"]);
    five.clone().args(["--cert-warning", "5"]).gives(State::Ok, &[CLEAN]);
    five.clone().args(["--cert-warning", "6", "--cert-critical", "6"]).gives(State::Critical, &["below 6"]);
    let wrong = five.clone().args(["--cert-warning", "3", "--cert-critical", "4"]);
    wrong.gives(State::Unknown, &["--cert-warning"]);
    let (_server, twenty) = check(20);
    twenty.gives(State::Warning, &["certificate expires in 20 days, warning below 21"]);
    // The intermediate ends before the leaf.
    let leaf = scene.authority.leaf_via_intermediate(&LeafOptions::default(), 10);
    let server = scene.show(&leaf, &SOUND);
    let run = scene.trusted(&server).gives(State::Warning, &["10 days"]);
    assert_eq!(figure(&run, "cert_days"), 10.0);
}

#[test]
fn names() {
    let scene = Scene::new();
    let server = scene.server(&LeafOptions::server_named("www.lab.test"), &SOUND);
    let named = |name: &str| scene.trusted(&server).args(["--sni", name]);
    named("www.lab.test").gives(State::Ok, &[CLEAN]).silent_about("held against no name");
    named("WWW.lab.test.").gives(State::Ok, &[CLEAN]);
    let run = named("other.lab.test").gives(
        State::Critical,
        &["certificate_untrusted: certificate is not for other.lab.test but for www.lab.test"],
    );
    run.long("--sni NAME");
    named("127.0.0.1").gives(State::Critical, &["is not for 127.0.0.1"]);
    // A monitoring engine hands over an address: path and dates only, and that is said.
    scene.trusted(&server).gives(State::Ok, &[CLEAN]).long("held against no name");
    // A host's name is held against the certificate.
    let port = server.port.to_string();
    let localhost = ["-H", "localhost", "-4", "-p", &port];
    let check = Check::new("check_weak_ciphers").args(localhost).arg("--ca-file").arg(&scene.ca);
    check.gives(State::Critical, &["is not for localhost but for www.lab.test"]);
    let server = scene.server(&LeafOptions::default(), &SOUND);
    scene.trusted(&server).args(["--sni", "127.0.0.1"]).gives(State::Ok, &[CLEAN]);
}

#[test]
fn critical_not_for_servers() {
    let scene = Scene::new();
    let server = scene.server(&LeafOptions::client_named("www.lab.test"), &SOUND);
    scene.trusted(&server).gives(State::Critical, &["not meant for servers"]);
}

#[test]
fn critical_self_signed_unless_pinned() {
    let scene = Scene::new();
    let leaf = Leaf::self_signed(&LeafOptions::default());
    let server = scene.show(&leaf, &SOUND);
    scene.trusted(&server).gives(State::Critical, &["certificate_untrusted"]);
    let (pinned, _) = leaf.write(scene.folder.path(), "pinned");
    server.check().arg("--ca-file").arg(pinned).gives(State::Ok, &[CLEAN]);
}

#[test]
fn warning_weak_keys() {
    let keys = Keys::new();
    let rsa = |bits: &str| {
        keys.issue(bits, &["-algorithm", "RSA", "-pkeyopt", &format!("rsa_keygen_bits:{bits}")], &[])
    };
    let ec = |curve: &str| {
        keys.issue(curve, &["-algorithm", "EC", "-pkeyopt", &format!("ec_paramgen_curve:{curve}")], &[])
    };
    let weak = ["-cipher", "ECDHE+AESGCM:@SECLEVEL=0", "-min_protocol", "TLSv1.2", "-no_tls1_3"];
    let trusted = |server: &Server| server.check().arg("--ca-file").arg(keys.ca_file());
    for (identity, finding, words) in [
        (rsa("1024"), "rsa_small", "\"CN=tls.test\" RSA 1024 has less than 2048 bits"),
        (rsa("2047"), "rsa_small", "RSA 2047"),
        (ec("prime192v1"), "curve_small", "EC secp192r1 has less than 224 bits"),
    ] {
        let server = Server::of(&keys, &identity, &weak);
        let run = trusted(&server).gives(State::Warning, &[&format!("{finding}: "), words]);
        assert_eq!((figure(&run, "weak"), figure(&run, "broken")), (1.0, 0.0));
        trusted(&server).args(["--ignore", finding]).gives(State::Ok, &[CLEAN]);
        let severe = trusted(&server).args(["--severity", &format!("{finding}=critical")]);
        severe.gives(State::Critical, &[finding]);
        trusted(&server).arg("--no-cert").gives(State::Unknown, &["--no-cert"]);
        server.check().arg("--no-cert").gives(State::Ok, &[CLEAN]);
    }
    for identity in [rsa("2048"), ec("secp224r1"), ec("P-521"), ec("secp256k1")] {
        let server = Server::of(&keys, &identity, &weak);
        trusted(&server).gives(State::Ok, &[CLEAN]);
    }
}

#[test]
fn weak_signatures() {
    let keys = Keys::new();
    let rsa = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];
    // OpenSSL shows nothing signed with SHA-1 otherwise.
    let sound = ["-cipher", "ECDHE+AESGCM:@SECLEVEL=0", "-min_protocol", "TLSv1.2"];
    for (digest, name) in [("-sha1", "ecdsa-with-SHA1"), ("-sha256", "ecdsa-with-SHA256")] {
        let identity = keys.issue(name, &rsa, &[digest]);
        let server = Server::of(&keys, &identity, &sound);
        let by_ca = server.check().arg("--ca-file").arg(keys.ca_file());
        let pinned = server.check().arg("--ca-file").arg(&identity.certificate);
        if digest == "-sha1" {
            // Nobody who verifies accepts it, so it is not only weak.
            let run = by_ca.gives(State::Critical, &["signed with SHA-1"]);
            says(&run, "certificate_weak_hash: \"CN=tls.test\" RSA 2048 is signed with ecdsa-with-SHA1");
            let run = pinned.gives(State::Warning, &["certificate_weak_hash"]);
            assert_eq!(figure(&run, "weak"), 1.0);
        } else {
            by_ca.gives(State::Ok, &[CLEAN]);
            pinned.gives(State::Ok, &[CLEAN]);
        }
    }
    // What no path uses does no harm, as the old cross-signed extras that many servers send.
    let extra = keys.issue("extra", &rsa, &["-sha1"]);
    let extra = ["-cert_chain", extra.certificate.to_str().unwrap()];
    let server = Server::of(&keys, keys.identity(Auth::Rsa), &[&sound[..], &extra].concat());
    let check = server.check().arg("--ca-file").arg(keys.ca_file());
    check.gives(State::Ok, &[CLEAN]);
    assert_eq!(document(&check)["data"]["ports"][0]["certificates"]["chains"][0]["length"], 2);
    // Without a path nobody knows what it is for.
    let run = server.check().gives(State::Critical, &["certificate_untrusted"]);
    says(&run, "certificate_weak_hash");
}

/// TLS 1.3 hides the chain: one connection more, with every kind of key that OpenSSL signs with.
#[test]
fn tls13_alone_shows_its_chain() {
    let keys = Keys::new();
    let ec = |curve| ["-algorithm", "EC", "-pkeyopt", curve];
    let kinds: [(&str, &[&str], State); 6] = [
        ("rsa2048", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], State::Ok),
        ("rsa1024", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"], State::Warning),
        ("p256", &ec("ec_paramgen_curve:P-256"), State::Ok),
        ("p521", &ec("ec_paramgen_curve:P-521"), State::Ok),
        ("ed25519", &["-algorithm", "ED25519"], State::Ok),
        ("ed448", &["-algorithm", "ED448"], State::Ok),
    ];
    for (name, kind, state) in kinds {
        let identity = keys.issue(name, kind, &[]);
        let server =
            Server::of(&keys, &identity, &[&ONLY_TLS13[..], &["-cipher", "DEFAULT@SECLEVEL=0"]].concat());
        let run = server.check().arg("--ca-file").arg(keys.ca_file()).gives(state, &[]);
        assert!((89.0..=90.0).contains(&figure(&run, "cert_days")), "{name}");
        let without = server.check().arg("--no-cert").gives(State::Ok, &["offers TLS1.3 and"]);
        assert_eq!(figure(&run, "connections"), figure(&without, "connections") + 1.0, "{name}");
        server.check().gives(State::Critical, &["certificate_untrusted"]);
    }
}

#[test]
fn servers_that_want_a_certificate_show_theirs() {
    let scene = Scene::new();
    for version in [&ONLY_TLS13[..], &SOUND] {
        let server = scene.server(&LeafOptions::default(), &[version, &["-Verify", "1"]].concat());
        scene.trusted(&server).gives(State::Ok, &[CLEAN]);
        server.check().gives(State::Critical, &["certificate_untrusted"]);
        let server = scene.server(&LeafOptions::default().days(-2), &[version, &["-Verify", "1"]].concat());
        scene.trusted(&server).gives(State::Critical, &["expired 2 days ago"]);
    }
}

/// A chain that could not be seen is no good one.
#[test]
fn unknown_hidden_chain() {
    let scene = Scene::new();
    // A group that only the hand-written hello speaks.
    let server = scene.server(&LeafOptions::default(), &[&ONLY_TLS13[..], &["-groups", "P-521"]].concat());
    let run = scene.trusted(&server).gives(State::Unknown, &["the check of the certificate is not complete"]);
    run.silent_about(CLEAN);
    assert!(run.parsed.perf("cert_days").is_some_and(|item| item.value.is_none()));
    server.check().arg("--no-cert").gives(State::Ok, &[CLEAN]);
    // An endpoint without any keys.
    let peer = TlsPeer::start(TlsScript::new().version(Version::Tls13, &[0x1301]));
    let check = at(peer.port()).args(["--handshake-timeout", "0.5"]);
    check.gives(State::Unknown, &["the check of the certificate is not complete"]);
    // A certificate that never comes.
    let peer = TlsPeer::start(
        TlsScript::new().version(Version::Tls12, &[0xc02f]).fault(Fault::AfterServerHello(Ending::Close)),
    );
    let check = at(peer.port()).args(["--handshake-timeout", "0.5"]);
    check.gives(State::Unknown, &["the server does not show it"]);
}

/// Who shows no certificate by right has nothing to be judged.
#[test]
fn anonymous_servers_have_none() {
    let peer = TlsPeer::start(TlsScript::new().version(Version::Tls12, &[0xc018]));
    let run = at(peer.port()).gives(State::Critical, &["anonymous"]);
    assert!(run.parsed.perf("cert_days").is_some_and(|item| item.value.is_none()));
    run.silent_about("the check of the certificate is not complete");
}

/// Each kind of key has its chain.
#[test]
fn the_worst_of_two_chains_counts() {
    let scene = Scene::new();
    let keys = Keys::new();
    let good = keys.identity(Auth::Rsa);
    let (expired, key) =
        scene.authority.leaf(&LeafOptions::default().days(-4)).write(scene.folder.path(), "old");
    let both = fs::read_to_string(&scene.ca).unwrap() + &fs::read_to_string(keys.ca_file()).unwrap();
    let ca = scene.folder.path().join("both.pem");
    fs::write(&ca, both).unwrap();
    // The second is seen with a suite that is forbidden.
    let second = ["-dcert", good.certificate.to_str().unwrap(), "-dkey", good.key.to_str().unwrap()];
    let suites = ["-cipher", "ECDHE+AESGCM:AES128-SHA", "-min_protocol", "TLSv1.2", "-no_tls1_3"];
    let server = Server::start(scene.folder.path(), &expired, &key, &[&suites[..], &second].concat());
    let check = server.check().arg("--ca-file").arg(&ca);
    let run = check.gives(State::Critical, &["expired 4 days ago"]);
    assert_eq!(figure(&run, "cert_days"), -4.0);
    let document = document(&check);
    let chains = document["data"]["ports"][0]["certificates"]["chains"].as_array().unwrap();
    assert_eq!(chains.len(), 2);
    let mut kinds: Vec<&str> =
        chains.iter().map(|chain| chain["certificates"][0]["key"]["kind"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["ec", "rsa"]);
}

/// A verdict sees the certificate of the suite that is taken; an inventory that of every suite.
#[test]
fn an_inventory_sees_the_certificate_behind_the_first() {
    let scene = Scene::new();
    let keys = Keys::new();
    let (expired, key) =
        scene.authority.leaf(&LeafOptions::default().days(-4)).write(scene.folder.path(), "old");
    let rsa = keys.identity(Auth::Rsa);
    let second = ["-dcert", expired.to_str().unwrap(), "-dkey", key.to_str().unwrap()];
    let suites =
        ["-cipher", "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256", "-serverpref", "-no_tls1_3"];
    let server = Server::of(&keys, rsa, &[&suites[..], &second, &["-min_protocol", "TLSv1.2"]].concat());
    let check = server.check().arg("--ca-file").arg(keys.ca_file());
    check.gives(State::Ok, &[CLEAN]);
    let run = check.arg("--inventory").gives(State::Critical, &["certificate_untrusted"]);
    says(&run, "expired 4 days ago");
}

#[test]
fn days_of_several_ports() {
    let scene = Scene::new();
    let long = scene.server(&LeafOptions::default(), &SOUND);
    let short = scene.server(&LeafOptions::default().days(30), &SOUND);
    let check = |ports: String| {
        Check::new("check_weak_ciphers")
            .args(["-H", "127.0.0.1", "-p", &ports])
            .arg("--ca-file")
            .arg(&scene.ca)
    };
    let run = check(format!("{},{}", long.port, short.port)).gives(State::Ok, &[CLEAN]);
    assert_eq!(figure(&run, "cert_days"), 30.0);
    // A port that could not be seen may end sooner.
    let run = check(format!("{},{}", long.port, free_port())).gives(State::Unknown, &["refused"]);
    assert!(run.parsed.perf("cert_days").is_some_and(|item| item.value.is_none()));
}

#[test]
fn unknown_nothing_to_judge_by() {
    let scene = Scene::new();
    let server = scene.server(&LeafOptions::default(), &SOUND);
    // What is wrong with our own file is said before anything is sent.
    let peer = TlsPeer::start(TlsScript::good());
    let missing = at(peer.port()).args(["--ca-file", "/nonexistent.pem"]);
    missing.gives(State::Unknown, &["cannot read the CA file /nonexistent.pem"]);
    let garbage = scene.folder.path().join("garbage.pem");
    fs::write(&garbage, "nothing\n").unwrap();
    at(peer.port()).arg("--ca-file").arg(&garbage).gives(State::Unknown, &["holds no certificate"]);
    assert_eq!(peer.connections(), 0);
    // A system without CA certificates: the rest of the scan counts.
    let bare = |check: Check| {
        check.env("SSL_CERT_FILE", "/dev/null").env("SSL_CERT_DIR", scene.folder.path().join("no"))
    };
    let run = bare(server.check()).gives(State::Unknown, &["the system has no CA certificates"]);
    assert!(run.parsed.value("broken").is_some());
    let weak =
        scene.server(&LeafOptions::default(), &["-cipher", "ECDHE-ECDSA-NULL-SHA:@SECLEVEL=0", "-no_tls1_3"]);
    let run = bare(weak.check()).gives(State::Critical, &["null_cipher"]);
    says(&run, "the system has no CA certificates");
    bare(server.check().arg("--no-cert")).gives(State::Ok, &[CLEAN]);
}

/// What a server sends as a certificate may be anything.
#[test]
fn hostile_chains() {
    let leaf = Authority::new("a|b\n'x'=1;\u{1b}[31m").leaf(&LeafOptions::default());
    let mut cut = leaf.cert_der.clone();
    cut.truncate(200);
    let mut changed = leaf.cert_der.clone();
    *changed.last_mut().unwrap() ^= 1;
    let chains: [(&str, Vec<Vec<u8>>); 8] = [
        ("a strange name", leaf.chain_der.clone()),
        ("garbage", vec![vec![0xff; 300]]),
        ("an empty certificate", vec![Vec::new()]),
        ("cut", vec![cut]),
        ("changed", vec![changed]),
        ("garbage after it", vec![leaf.cert_der.clone(), vec![1, 2, 3]]),
        ("itself, often", vec![leaf.cert_der.clone(); 100]),
        ("thousands of nothing", vec![vec![0x30, 0]; 5000]),
    ];
    for (what, chain) in chains {
        let script = TlsScript::new().version(Version::Tls12, &[0xc02f]).certificate(Auth::Rsa, &chain);
        let peer = TlsPeer::start(script);
        let check = at(peer.port()).arg("-vvv");
        let run = check.gives(State::Critical, &["certificate_untrusted"]);
        run.silent_about("\u{1b}");
        // What cannot be read was not judged, whatever is to be ignored.
        let ignoring = check.args(["--ignore", "certificate_untrusted"]);
        let state = ignoring.outcome().parsed().state;
        let readable = matches!(what, "a strange name" | "changed" | "itself, often");
        assert_eq!(state, if readable { State::Ok } else { State::Unknown }, "{what}");
    }
}

/// Whatever a chain looks like, the scan says what it says without it.
#[test]
fn findings_on_suites_stay() {
    let script = TlsScript::weak().certificate(Auth::Rsa, &[vec![1, 2, 3]]);
    let peer = TlsPeer::start(script);
    let run = at(peer.port()).gives(State::Critical, &[]);
    says(&run, "rc4");
    says(&run, "certificate_untrusted");
}

#[test]
fn facts_in_the_document() {
    let keys = Keys::new();
    let server = Server::of(&keys, keys.identity(Auth::Rsa), &SOUND);
    let check = server.check().arg("--ca-file").arg(keys.ca_file()).args(["--sni", "tls.test"]);
    let document = document(&check);
    let chain = &document["data"]["ports"][0]["certificates"]["chains"][0];
    let leaf = &chain["certificates"][0];
    assert_eq!(chain["length"], 1);
    assert_eq!(leaf["subject"], "CN=tls.test");
    assert_eq!(leaf["issuer"], "CN=Lab Root CA");
    assert_eq!(leaf["names"], serde_json::json!(["tls.test", "127.0.0.1"]));
    assert_eq!(leaf["key"]["bits"], 2048);
    assert_eq!(leaf["signature"]["algorithm"], "ecdsa-with-SHA256");
    assert_eq!(leaf["self_issued"], false);
    let output = Command::new(program("openssl", "openssl"))
        .args(["x509", "-noout", "-fingerprint", "-sha256", "-in"])
        .arg(&keys.identity(Auth::Rsa).certificate)
        .output()
        .unwrap();
    let fingerprint = String::from_utf8(output.stdout).unwrap();
    let fingerprint = fingerprint.trim().rsplit('=').next().unwrap().replace(':', "").to_lowercase();
    assert_eq!(leaf["sha256"], fingerprint);
    let trust = &chain["trust"]["judged"];
    assert_eq!((&trust["name"], &trust["chain_problem"]), (&"tls.test".into(), &Value::Null));
    assert_eq!(trust["path"], serde_json::json!([0]));
    assert_eq!(trust["not_after"], leaf["not_after"]);
    // Not judged, not shown.
    let without = server.check().args(["--no-cert", "--output", "json"]).outcome();
    let without: Value = serde_json::from_str(without.text().trim()).unwrap();
    assert_eq!(without["data"]["ports"][0]["certificates"], Value::Null);
}

/// The certificate behind STARTTLS, also where only TLS 1.3 is spoken there.
#[test]
fn postfix_by_starttls() {
    if left_out_without_root("a real Postfix") {
        return;
    }
    for versions in [">=TLSv1.2", ">=TLSv1.3"] {
        let main_cf = [
            ("smtpd_tls_protocols", versions),
            ("smtpd_tls_mandatory_protocols", versions),
            ("tls_high_cipherlist", "ECDHE+AESGCM"),
            ("tls_medium_cipherlist", "ECDHE+AESGCM"),
        ];
        let main_cf = main_cf.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let postfix = Postfix::start(&PostfixOptions { main_cf, ..PostfixOptions::default() });
        for (listener, protocol) in [(Listener::Submission, "smtp"), (Listener::Implicit, "none")] {
            let check = at(postfix.port(listener)).args(["--starttls", protocol]);
            let run = check.clone().arg("--ca-file").arg(postfix.ca_file()).gives(State::Ok, &[CLEAN]);
            assert_eq!(figure(&run, "cert_days"), 90.0, "{versions}");
            check.gives(State::Critical, &["certificate_untrusted"]);
        }
    }
}
