//! check_weak_ciphers by its policies, on nginx as Mozilla's generator configures it and on scripted endpoints; policies
//! in files, and what is wrong with some.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::float_cmp,
    reason = "test code"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use lab::output::State;
use lab::tls_probe::pairs;
use lab::tls_script::{Auth, Ending, Fault, TlsPeer, TlsScript, Version};
use lab::tls_servers::nginx::{self, Mozilla};
use lab::tls_servers::{Identity, Keys, TlsServer};
use tempfile::TempDir;
use tests::Check;
use tests::ciphers::{Document, check};

const W: &str = "WARNING";
const C: &str = "CRITICAL";

const X25519: u16 = 29;
const SECP256K1: u16 = 22;
const P256: u16 = 23;
const P384: u16 = 24;
const P521: u16 = 25;
const X448: u16 = 30;
const BRAINPOOL_P256: u16 = 26;
const BRAINPOOL_P256_TLS13: u16 = 31;
const X25519MLKEM768: u16 = 0x11ec;
const FFDHE2048: u16 = 0x0100;
const FFDHE3072: u16 = 0x0101;

/// Findings worse than OK, after a complete scan.
fn findings(check: &Check) -> (BTreeMap<String, String>, Document) {
    let document = Document::of(&check.outcome());
    assert_eq!(document.at("/ports/0/complete"), true, "{}", document.report());
    (document.findings(), document)
}

fn expect(check: &Check, expected: &[(&str, &str)]) -> Document {
    let (found, document) = findings(check);
    let expected: BTreeMap<String, String> =
        expected.iter().map(|(id, state)| ((*id).to_owned(), (*state).to_owned())).collect();
    assert_eq!(found, expected, "{}", document.report());
    document
}

fn by(port: u16, policy: &str) -> Check {
    check(port, None).args(["--policy", policy])
}

/// As [`by`], as it is read.
fn text(port: u16, policy: &str) -> Check {
    let port = port.to_string();
    Check::new("check_weak_ciphers")
        .args(["-H", "127.0.0.1", "-p", &port, "--no-cert", "--policy", policy])
        .timeout(60.0)
}

/// As [`by`], with the certificates of the lab.
fn with_certificates(server: &TlsServer, keys: &Keys, policy: &str) -> Check {
    let port = server.port().to_string();
    Check::new("check_weak_ciphers")
        .args(["-H", "127.0.0.1", "-p", &port, "--sni", "tls.test", "--policy", policy])
        .args(["--output", "json", "--ca-file"])
        .arg(keys.ca_file())
        .timeout(60.0)
}

/// A level of Mozilla's on nginx, and what each policy finds.
fn levels(level: Mozilla, auth: Auth, expected: &[(&str, &[(&str, &str)])]) {
    let keys = Keys::new();
    let server = nginx::mozilla(&keys, level, keys.identity(auth));
    assert_eq!(pairs(&server, "tls.test").unwrap().len(), server.pairs());
    for (policy, expected) in expected {
        let document = expect(&by(server.port(), policy), expected);
        assert_eq!(document.at("/policy/name"), policy);
    }
}

#[test]
fn nginx_modern() {
    levels(
        Mozilla::Modern,
        Auth::Ecdsa,
        &[
            ("mozilla-modern", &[]),
            ("mozilla-intermediate", &[]),
            ("mozilla-old", &[]),
            ("bcp195", &[]),
            ("pci-dss-4", &[]),
            ("nist-800-52r2", &[("suite_not_listed", W)]),
            ("bsi-tr-02102-2", &[("suite_not_listed", W), ("group_not_listed", W)]),
        ],
    );
}

#[test]
fn nginx_intermediate() {
    levels(
        Mozilla::Intermediate,
        Auth::Ecdsa,
        &[
            ("mozilla-modern", &[("tls1_2", W), ("suite_not_listed", W)]),
            ("mozilla-intermediate", &[]),
            ("mozilla-old", &[]),
            ("bcp195", &[]),
            ("pci-dss-4", &[]),
            ("nist-800-52r2", &[("suite_not_listed", W)]),
            ("bsi-tr-02102-2", &[("suite_not_listed", W), ("group_not_listed", W)]),
        ],
    );
}

#[test]
fn nginx_old() {
    let stricter = [("tls1_0", W), ("tls1_1", W), ("no_forward_secrecy", W), ("suite_not_listed", W)];
    levels(
        Mozilla::Old,
        Auth::Rsa,
        &[
            ("mozilla-modern", &[&stricter[..], &[("tls1_2", W)]].concat()),
            ("mozilla-intermediate", &stricter),
            ("mozilla-old", &[]),
            ("bcp195", &stricter[..3]),
            ("pci-dss-4", &[("tls1_0", C), ("tls1_1", C)]),
            ("nist-800-52r2", &[("tls1_0", W), ("tls1_1", W), ("suite_not_listed", W)]),
            (
                "bsi-tr-02102-2",
                &[("tls1_0", W), ("tls1_1", W), ("suite_not_listed", W), ("group_not_listed", W)],
            ),
        ],
    );
}

/// A verdict that asks for groups too costs one connection more in two versions, and one for the curve of a certificate
/// that has one.
#[test]
fn a_verdict_with_groups_costs_ten_connections() {
    let keys = Keys::new();
    for (auth, most) in [(Auth::Rsa, 10), (Auth::Ecdsa, 11)] {
        let server = nginx::mozilla(&keys, Mozilla::Intermediate, keys.identity(auth));
        let document = expect(&by(server.port(), "mozilla-intermediate"), &[]);
        let connections = document.at("/ports/0/connections").as_u64().unwrap();
        assert!(connections <= most, "{}", document.report());
    }
}

#[test]
fn certificates_by_policy() {
    let keys = Keys::new();
    let ec = ["-algorithm", "EC", "-pkeyopt"];
    let curve = |name: &str, curve: &str, wishes: &[&str]| {
        let wanted = format!("ec_paramgen_curve:{curve}");
        keys.issue(name, &[&ec[..], &[&wanted]].concat(), wishes)
    };
    let rsa = |name: &str, bits: &str| {
        let wanted = format!("rsa_keygen_bits:{bits}");
        keys.issue(name, &["-algorithm", "RSA", "-pkeyopt", &wanted], &[])
    };
    let serve = |identity: &Identity| nginx::mozilla(&keys, Mozilla::Modern, identity);
    for (identity, policy, expected) in [
        (curve("p256", "P-256", &[]), "mozilla-modern", &[][..]),
        (curve("p256-long", "P-256", &["-days", "91"]), "mozilla-modern", &[("certificate_lifetime", W)]),
        (curve("p256-year", "P-256", &["-days", "366"]), "mozilla-intermediate", &[]),
        (
            curve("p256-more", "P-256", &["-days", "367"]),
            "mozilla-intermediate",
            &[("certificate_lifetime", W)],
        ),
        (curve("p521", "P-521", &[]), "mozilla-intermediate", &[("certificate_key", W)]),
        (rsa("rsa", "2048"), "mozilla-modern", &[("certificate_key", W)]),
        (rsa("rsa-ok", "2048"), "mozilla-intermediate", &[]),
        // Signed by an EC key, and the policy lists RSA only.
        (rsa("rsa-old", "2048"), "mozilla-old", &[("certificate_signature", W)]),
        (
            curve("p256-old", "P-256", &[]),
            "mozilla-old",
            &[("certificate_key", W), ("certificate_signature", W)],
        ),
        (curve("p384", "P-384", &[]), "nist-800-52r2", &[("suite_not_listed", W)]),
    ] {
        let server = serve(&identity);
        expect(&with_certificates(&server, &keys, policy), expected);
    }
    let bsi = |identity: &Identity| {
        let server = serve(identity);
        let (found, _) = findings(&with_certificates(&server, &keys, "bsi-tr-02102-2"));
        found.keys().filter(|id| id.starts_with("cert") || id.starts_with("rsa")).cloned().collect::<Vec<_>>()
    };
    assert_eq!(bsi(&rsa("rsa-bsi", "2048")), ["rsa_small"]);
    assert_eq!(bsi(&rsa("rsa-3072", "3072")), Vec::<String>::new());
    assert_eq!(bsi(&curve("brainpool", "brainpoolP256r1", &[])), Vec::<String>::new());
}

/// TLS 1.2 and 1.3 with suites that every policy but Mozilla's modern one lists, and these groups.
fn sound(groups: &[u16]) -> TlsScript {
    TlsScript::new()
        .version(Version::Tls12, &[0xc02f, 0xc02b])
        .version(Version::Tls13, &[0x1301, 0x1302])
        .groups(groups)
}

#[test]
fn scripted_by_policy() {
    let tls12 = |suites: &[u16]| TlsScript::new().version(Version::Tls12, suites).groups(&[P256]);
    for (policy, script, expected) in [
        ("mozilla-modern", TlsScript::new().version(Version::Tls13, &[0x1301, 0x1303]), &[][..]),
        ("mozilla-modern", sound(&[X25519]), &[("tls1_2", W), ("suite_not_listed", W)]),
        ("mozilla-intermediate", sound(&[X25519, X25519MLKEM768, P256, P384]), &[]),
        ("mozilla-intermediate", tls12(&[0xc02f, 0x009e]), &[("suite_not_listed", W)]),
        ("mozilla-intermediate", tls12(&[0xc02f, 0xc013]), &[("suite_not_listed", W)]),
        ("mozilla-old", tls12(&[0xc02f, 0x000a]), &[]),
        ("mozilla-old", tls12(&[0xc02f, 0x009e]), &[("suite_not_listed", W)]),
        ("mozilla-old", tls12(&[0xc02f, 0x0005]), &[("rc4", C), ("suite_not_listed", W)]),
        ("pci-dss-4", sound(&[X448]), &[]),
        ("pci-dss-4", tls12(&[0xc02f, 0x009c]), &[]),
        ("pci-dss-4", tls12(&[0xc02f, 0x000a]), &[("small_block", C), ("modest_strength", C)]),
        ("pci-dss-4", TlsScript::good().version(Version::Tls11, &[0xc013]), &[("tls1_1", C)]),
        ("pci-dss-4", tls12(&[0x009e]).dh_bits(1024), &[("dh_small", C)]),
        ("nist-800-52r2", sound(&[X25519, P384]), &[]),
        ("nist-800-52r2", sound(&[X25519, P521]), &[("group_missing", W)]),
        (
            "nist-800-52r2",
            sound(&[P256]).without_extended_master_secret(),
            &[("no_extended_master_secret", W)],
        ),
        ("nist-800-52r2", tls12(&[0xc02f]), &[("no_tls1_3", W)]),
        ("nist-800-52r2", tls12(&[0xc02f, 0x009c]), &[("no_tls1_3", W), ("suite_not_listed", W)]),
        ("nist-800-52r2", tls12(&[0xc02f, 0xcca8]), &[("no_tls1_3", W), ("suite_not_listed", W)]),
        ("bsi-tr-02102-2", sound(&[P256, P384, P521]), &[]),
        ("bsi-tr-02102-2", sound(&[P256, BRAINPOOL_P256, BRAINPOOL_P256_TLS13, FFDHE3072]), &[]),
        ("bsi-tr-02102-2", sound(&[P256, X25519]), &[("group_not_listed", W)]),
        ("bsi-tr-02102-2", sound(&[P256, FFDHE2048]), &[("dh_small", W), ("group_not_listed", W)]),
        ("bsi-tr-02102-2", tls12(&[0x009e]).dh_bits(2048), &[("dh_small", W)]),
        ("bsi-tr-02102-2", tls12(&[0x009e]).dh_bits(3072), &[]),
        ("bsi-tr-02102-2", tls12(&[0xc02f, 0xc013]), &[("suite_not_listed", W)]),
    ] {
        let peer = TlsPeer::start(script);
        expect(&by(peer.port(), policy), expected);
    }
}

/// Whatever the server prefers, and whatever stands in the way.
#[test]
fn forbidden_groups_are_found_behind_allowed_ones() {
    let scripts: [fn(TlsScript) -> TlsScript; 5] = [
        |script| script,
        |script| script.longest_hello(255, Ending::Close),
        |script| script.longest_hello(511, Ending::Hang),
        |script| script.suites_read(64),
        |script| script.refuse_suite(Ending::Close),
    ];
    for change in scripts {
        for group in [P521, X448, BRAINPOOL_P256, SECP256K1] {
            let peer = TlsPeer::start(change(sound(&[X25519, P256, group])));
            let document = expect(&patient(peer.port()), &[("group_not_listed", W)]);
            assert_eq!(document.at("/ports/0/findings/0/evidence").as_array().map(Vec::len), Some(1));
        }
        let peer = TlsPeer::start(change(sound(&[X25519, P256])));
        expect(&patient(peer.port()), &[]);
    }
}

/// Some of these endpoints say nothing to long hellos, and others on this machine may be busy.
fn patient(port: u16) -> Check {
    by(port, "mozilla-intermediate").args(["--handshake-timeout", "3"])
}

/// A question about groups without an answer is no refusal.
#[test]
fn groups_that_cannot_be_asked_about_are_unknown() {
    // Hellos with no group that is allowed.
    let asks_groups = |hello: &lab::tls_script::Hello| {
        let groups = hello.groups();
        !groups.is_empty() && !groups.contains(&X25519)
    };
    for fault in [
        Fault::Empty(Ending::Hang),
        Fault::Empty(Ending::Alert(20)),
        // It goes on with a group that was not offered.
        Fault::Group(X25519),
    ] {
        let peer = TlsPeer::start(sound(&[X25519, P521]).fault_if(asks_groups, fault));
        let outcome = patient(peer.port()).outcome();
        assert_eq!(outcome.code, Some(State::Unknown.code()), "{}", outcome.report());
        assert_eq!(Document::of(&outcome).at("/ports/0/complete"), false, "{}", outcome.report());
    }
}

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, text: &str) -> PathBuf {
        let path = self.0.path().join("house.toml");
        std::fs::write(&path, text).unwrap();
        path
    }

    fn by(&self, port: u16, text: &str) -> Check {
        check(port, None).arg("--policy").arg(self.write(text))
    }
}

#[test]
fn files_of_ones_own() {
    let files = Files::new();
    let script = || sound(&[X25519, P256]).version(Version::Tls12, &[0xc02f, 0x009e, 0x009c]);
    for (text, expected) in [
        ("", &[("no_forward_secrecy", W)][..]),
        ("[[rule]]\nfinding = 'no_forward_secrecy'\nclass = 'note'\n", &[]),
        ("severity.no_forward_secrecy = 'critical'", &[("no_forward_secrecy", C)]),
        ("suites.deny = ['DHE-*']", &[("no_forward_secrecy", W), ("suite_not_listed", W)]),
        ("protocols = ['TLS1.3']", &[("no_forward_secrecy", W), ("tls1_2", W)]),
        ("dh_min = 4096", &[("no_forward_secrecy", W), ("dh_small", W)]),
        ("groups.deny = ['secp*']", &[("no_forward_secrecy", W), ("group_not_listed", W)]),
        ("groups.allow = ['x25519']", &[("no_forward_secrecy", W), ("group_not_listed", W)]),
        ("groups.require = ['X25519MLKEM768']", &[("no_forward_secrecy", W), ("group_missing", W)]),
        ("groups.require = ['secp256r1', '*MLKEM*|x25519']", &[("no_forward_secrecy", W)]),
        ("[[ends]]\nuntil = 1999\nsuites = ['DHE-*']", &[("no_forward_secrecy", W), ("suite_not_listed", W)]),
        ("[[ends]]\nuntil = 9999\nsuites = ['DHE-*']\ngroups = ['secp256r1']", &[("no_forward_secrecy", W)]),
        (
            "extends = 'mozilla-intermediate'\nseverity.suite_not_listed = 'ok'\n",
            &[("no_forward_secrecy", W)],
        ),
    ] {
        let peer = TlsPeer::start(script());
        let document = expect(&files.by(peer.port(), text), expected);
        assert_eq!(document.at("/policy/name"), "house");
    }
    // Options go over the file.
    let peer = TlsPeer::start(script());
    let check = files.by(peer.port(), "severity.no_forward_secrecy = 'critical'");
    expect(&check.clone().args(["--severity", "no_forward_secrecy=warning"]), &[("no_forward_secrecy", W)]);
    expect(&check.args(["--ignore", "no_forward_secrecy"]), &[]);
}

/// This one, as the check will see it.
fn year() -> u64 {
    let output = Command::new("date").args(["-u", "+%Y"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

/// What ends in this year is told, whatever year the tests run in.
#[test]
fn what_ends_this_year() {
    let files = Files::new();
    let text =
        |year: u64| format!("[[ends]]\nuntil = {year}\nsuites = ['ECDHE-RSA-*']\ngroups = ['secp521r1']\n");
    let script = || sound(&[X25519, P521]);
    let this = year();
    for (until, options, expected) in [
        (this + 1, &[][..], &[][..]),
        (this, &[], &[("ends_soon", W)]),
        // It is allowed still.
        (this, &["--strict"], &[("ends_soon", W)]),
        (this - 1, &[], &[("suite_not_listed", W), ("group_not_listed", W)]),
        (this - 1, &["--strict"], &[("suite_not_listed", C), ("group_not_listed", C)]),
        (this + 1, &["--upcoming"], &[("suite_not_listed", W), ("group_not_listed", W)]),
    ] {
        let peer = TlsPeer::start(script());
        let document = expect(&files.by(peer.port(), &text(until)).args(options), expected);
        if expected == [("ends_soon", W)] {
            let evidence = document.at("/ports/0/findings/0/evidence").to_string();
            let suite = format!("ECDHE-RSA-AES128-GCM-SHA256 (until {until})");
            let group = format!("secp521r1 (until {until})");
            assert!(evidence.contains(&suite) && evidence.contains(&group), "{evidence}");
        }
    }
}

#[test]
fn upcoming_by_bsi() {
    let peer = TlsPeer::start(
        TlsScript::new().version(Version::Tls12, &[0xc02f, 0x009e]).groups(&[P256]).dh_bits(3072),
    );
    expect(&by(peer.port(), "bsi-tr-02102-2"), &[]);
    expect(&by(peer.port(), "bsi-tr-02102-2").arg("--upcoming"), &[("suite_not_listed", W)]);
    let outcome = text(peer.port(), "pci-dss-4").arg("--upcoming").outcome();
    assert!(outcome.text().contains("--upcoming changes nothing"), "{}", outcome.report());
}

#[test]
fn strict_makes_lists_binding() {
    let peer = TlsPeer::start(sound(&[X25519, P521]));
    for (policy, expected) in [
        ("mozilla-intermediate", &[("group_not_listed", C)][..]),
        ("mozilla-modern", &[("tls1_2", C), ("suite_not_listed", C), ("group_not_listed", C)]),
        ("nist-800-52r2", &[("group_missing", C)]),
        ("bcp195", &[]),
    ] {
        expect(&by(peer.port(), policy).arg("--strict"), expected);
    }
}

#[test]
fn an_inventory_knows_the_same_groups() {
    for groups in [&[X25519, P256][..], &[X25519, P521, X448, 19]] {
        for policy in ["mozilla-intermediate", "bsi-tr-02102-2"] {
            let peer = TlsPeer::start(sound(groups));
            let (verdict, _) = findings(&by(peer.port(), policy));
            let (inventory, _) = findings(&by(peer.port(), policy).arg("--inventory"));
            assert_eq!(verdict, inventory, "{policy} {groups:?}");
        }
    }
}

/// What is wrong with a file is told with its line; nothing is sent.
#[test]
fn unknown_mistakes_in_files() {
    let files = Files::new();
    let peer = TlsPeer::start(sound(&[X25519]));
    for (text, expected) in [
        ("\n# x\ndh_mni = 2048\n", "house.toml:3: unknown key dh_mni (did you mean dh_min?)"),
        (
            "[suites]\nallow = [\n 'RC4-SHA',\n 'RC5-SHA',\n]",
            "house.toml:4: unknown suite RC5-SHA (did you mean RC4-SHA?)",
        ),
        ("groups.require = ['P-256']", "house.toml:1: unknown group P-256"),
        ("[severity]\nsweet32 = 'critical'", "house.toml:2: unknown finding sweet32"),
        ("extends = 'nist'", "house.toml:1: unknown policy nist"),
        ("a = {}", "house.toml:1: neither a string, nor a number, nor a list: {}"),
    ] {
        let port = peer.port().to_string();
        let run = Check::new("check_weak_ciphers")
            .args(["-H", "127.0.0.1", "-p", &port, "--policy"])
            .arg(files.write(text))
            .gives(State::Unknown, &["--policy: "]);
        assert!(run.outcome.text().contains(expected), "{}", run.outcome.report());
    }
    for (name, expected) in [
        ("mozilla-medium", "'mozilla-medium' is not a policy"),
        ("bcp915", "'bcp915' is not a policy (did you mean bcp195?)"),
        ("/nonexistent.toml", "cannot read /nonexistent.toml"),
        ("/dev/zero", "cannot read /dev/zero: not a file"),
    ] {
        Check::new("check_weak_ciphers")
            .args(["-H", "127.0.0.1", "--policy", name])
            .gives(State::Unknown, &[expected]);
    }
    assert_eq!(peer.connections(), 0);
}

#[test]
fn the_policy_is_named_with_its_source() {
    let peer = TlsPeer::start(sound(&[X25519]));
    let at = |policy: &str| text(peer.port(), policy).outcome();
    let outcome = at("mozilla-intermediate");
    let line = "policy mozilla-intermediate: Mozilla Server Side TLS 6.0, 2026-04, \
                https://ssl-config.mozilla.org/guidelines/6.0.json";
    assert!(outcome.text().contains(line), "{}", outcome.report());
    // An interpretation is never shown as the standard itself.
    let outcome = at("pci-dss-4");
    assert!(outcome.text().contains("(our interpretation: PCI DSS names no suites)"), "{}", outcome.report());
    let (_, document) = findings(&by(peer.port(), "pci-dss-4"));
    assert_eq!(document.at("/policy/note"), "our interpretation: PCI DSS names no suites");
    assert_eq!(
        document.at("/policy/source"),
        "https://www.pcisecuritystandards.org/glossary/strong-cryptography/"
    );
    let (_, document) = findings(&by(peer.port(), "bsi-tr-02102-2").arg("--upcoming"));
    assert!(document.at("/policy/note").is_null() && document.at("/policy/upcoming") == true);
}

#[test]
fn policies_are_listed() {
    let outcome = Check::new("check_weak_ciphers").arg("--list-policies").outcome();
    assert_eq!(outcome.code, Some(State::Unknown.code()));
    let text = outcome.text();
    let names: Vec<&str> = text.lines().map(|line| line.split_once(": ").unwrap().0).collect();
    assert_eq!(
        names,
        [
            "bcp195",
            "bsi-tr-02102-2",
            "mozilla-intermediate",
            "mozilla-modern",
            "mozilla-old",
            "nist-800-52r2",
            "pci-dss-4"
        ]
    );
    for line in text.lines() {
        assert!(line.contains(", 20") && line.contains("https://"), "{line}");
    }
}
