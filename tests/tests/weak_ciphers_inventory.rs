//! check_weak_ciphers --inventory and its JSON document: everything that a server takes is listed,
//! nothing that it does not take, and how it chooses.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::float_cmp,
    reason = "test code"
)]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use lab::output::State;
use lab::tls_script::{Ending, Preference, Protocol, Retry, TlsPeer, TlsScript, Upgrade, Version};
use serde_json::Value;
use tests::{Check, Run};

fn at(peer: &TlsPeer) -> Check {
    let port = peer.port().to_string();
    let check = Check::new("check_weak_ciphers").args(["-H", "127.0.0.1", "--no-cert", "-p", &port]);
    check.args(["--handshake-timeout", "1"]).timeout(20.0)
}

/// The document of an inventory, which is complete.
fn inventory(peer: &TlsPeer) -> Value {
    let document = document(&at(peer).arg("--inventory"));
    assert_eq!(document["complete"], true, "{document:#}");
    document
}

fn document(check: &Check) -> Value {
    let outcome = check.clone().args(["--output", "json"]).outcome();
    let output: Value =
        serde_json::from_str(&outcome.text()).unwrap_or_else(|_| panic!("{}", outcome.report()));
    output["data"].clone()
}

/// What the first port's versions offer, as `(version, code)`.
fn pairs(document: &Value) -> BTreeSet<(String, String)> {
    let protocols = document["ports"][0]["protocols"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let of_version = |version: &Value| -> Vec<(String, String)> {
        let suites = version["suites"].as_array().unwrap();
        assert_eq!(version["offered"], !suites.is_empty());
        suites.iter().map(|suite| (text(&version["version"]), text(&suite["code"]))).collect()
    };
    let all: Vec<(String, String)> = protocols.iter().flat_map(of_version).collect();
    let set: BTreeSet<_> = all.iter().cloned().collect();
    assert_eq!(set.len(), all.len(), "a suite twice");
    set
}

fn version<'a>(document: &'a Value, name: &str) -> &'a Value {
    let protocols = document["ports"][0]["protocols"].as_array().unwrap();
    protocols.iter().find(|version| version["version"] == name).unwrap()
}

fn truth(table: &[(&str, &[u16])]) -> BTreeSet<(String, String)> {
    let row = |(version, suites): &(&str, &[u16])| {
        let version = (*version).to_owned();
        suites.iter().map(move |code| (version.clone(), format!("0x{code:04x}"))).collect::<Vec<_>>()
    };
    table.iter().flat_map(row).collect()
}

fn figure(run: &Run, label: &str) -> f64 {
    run.parsed.value(label).unwrap_or_else(|| panic!("no {label}\n{}", run.outcome.report()))
}

const MANY: [u16; 20] = [
    0xc02f, 0xc030, 0xc02b, 0xc02c, 0xcca8, 0xcca9, 0x009e, 0x009f, 0xc027, 0xc028, 0xc013, 0xc014, 0x0033,
    0x0039, 0x009c, 0x009d, 0x002f, 0x0035, 0x000a, 0x0005,
];
const OLD: [u16; 6] = [0xc013, 0xc014, 0x0033, 0x002f, 0x0035, 0x000a];
const NEW: [u16; 3] = [0x1302, 0x1303, 0x1301];

fn many() -> TlsScript {
    TlsScript::new()
        .version(Version::Ssl3, &OLD[3..])
        .version(Version::Tls10, &OLD)
        .version(Version::Tls12, &MANY)
        .version(Version::Tls13, &NEW)
}

#[test]
fn all_pairs_are_found_and_no_others() {
    let table = truth(&[("SSLv3", &OLD[3..]), ("TLS1.0", &OLD), ("TLS1.2", &MANY), ("TLS1.3", &NEW)]);
    for preference in [Preference::Server, Preference::Client] {
        let peer = TlsPeer::start(many().preference(preference));
        let document = inventory(&peer);
        assert_eq!(pairs(&document), table, "{preference:?}");
        assert_eq!(document["connections"], peer.connections());
        assert_eq!(document["ports"][0]["connections"], peer.connections());
        // One for each pair, the opening among them; a refusal for each chain; the others.
        assert!(peer.connections() <= table.len() + 30, "{} connections", peer.connections());
    }
    // The worst there is, SSLv2 and EXPORT included.
    let peer = TlsPeer::start(TlsScript::weak());
    let found = pairs(&inventory(&peer));
    assert!(found.iter().any(|(version, _)| version == "SSLv2"));
    let run = at(&peer).arg("--inventory").gives(State::Critical, &[]);
    assert_eq!(figure(&run, "suites"), f64::from(u32::try_from(found.len()).unwrap()));
}

#[test]
fn intolerant_servers_are_listed_whole() {
    let table = truth(&[("SSLv3", &OLD[3..]), ("TLS1.0", &OLD), ("TLS1.2", &MANY), ("TLS1.3", &NEW)]);
    for (turn, script) in [
        many().longest_hello(255, Ending::Close),
        many().longest_hello(511, Ending::Reset),
        many().suites_read(64),
        many().suites_read(128),
        many().refuse_suite(Ending::Close).refuse_version(Ending::Close),
    ]
    .into_iter()
    .enumerate()
    {
        let found = pairs(&inventory(&TlsPeer::start(script)));
        let missed: Vec<_> = table.difference(&found).collect();
        assert!(missed.is_empty() && found.len() == table.len(), "server {turn}: missed {missed:?}");
    }
}

#[test]
fn who_decides_is_found_out() {
    for (preference, word) in [(Preference::Server, "server"), (Preference::Client, "client")] {
        // The server's order is the other way round too, so that no order of ours is in luck.
        for suites in [MANY.to_vec(), MANY.iter().rev().copied().collect()] {
            let script = TlsScript::new().version(Version::Tls12, &suites).version(Version::Tls13, &NEW);
            let document = inventory(&TlsPeer::start(script.preference(preference)));
            for name in ["TLS1.2", "TLS1.3"] {
                assert_eq!(version(&document, name)["preference"], word, "{name}");
            }
        }
    }
    let single = TlsPeer::start(TlsScript::new().version(Version::Tls12, &[0xc02f]));
    assert_eq!(version(&inventory(&single), "TLS1.2")["preference"], Value::Null);
}

#[test]
fn groups_are_listed() {
    let names = |document: &Value, version: &str| -> BTreeSet<String> {
        let groups = document["ports"][0]["groups"].as_array().unwrap();
        let of_version = |group: &&Value| group["versions"].as_array().unwrap().contains(&version.into());
        groups.iter().filter(of_version).map(|group| group["name"].as_str().unwrap().to_owned()).collect()
    };
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let good = || TlsScript::new().version(Version::Tls12, &MANY).version(Version::Tls13, &NEW);
    for preference in [Preference::Server, Preference::Client] {
        let peer = TlsPeer::start(good().groups(&[0x11ec, 29, 23, 24]).preference(preference));
        let document = inventory(&peer);
        assert_eq!(names(&document, "TLS1.2"), set(&["x25519", "secp256r1", "secp384r1"]));
        assert_eq!(names(&document, "TLS1.3"), set(&["X25519MLKEM768", "x25519", "secp256r1", "secp384r1"]));
        assert_eq!(document["ports"][0]["post_quantum"], true);
        let run = at(&peer).args(["--inventory", "--ignore", "no_forward_secrecy", "--require", "pqc"]);
        assert_eq!(figure(&run.gives(State::Critical, &["rc4"]), "pqc"), 1.0);
    }
    // A curve below what the policy wants, behind good ones.
    let small = TlsPeer::start(TlsScript::new().version(Version::Tls12, &[0xc02f]).groups(&[29, 16]));
    let run = at(&small).arg("--inventory").gives(State::Warning, &["curve_small in TLS1.2: secp160r1"]);
    assert_eq!(figure(&run, "pqc"), 0.0);
}

#[test]
fn what_is_required_must_be_there() {
    let hybrid = || TlsScript::good().groups(&[29, 0x11ec]);
    for (script, wanted, state, words) in [
        (hybrid(), "pqc", State::Ok, "nothing that bcp195 forbids"),
        (hybrid().preference(Preference::Client), "pqc", State::Ok, "nothing that bcp195 forbids"),
        (TlsScript::good().groups(&[29, 23]), "pqc", State::Critical, "no_post_quantum"),
        (TlsScript::new().version(Version::Tls12, &[0xc02f]), "pqc", State::Critical, "no_post_quantum"),
        (TlsScript::good(), "tls1.3", State::Ok, "nothing that bcp195 forbids"),
        (TlsScript::new().version(Version::Tls12, &[0xc02f]), "tls1.3", State::Critical, "no_tls1_3"),
        (TlsScript::good(), "fs", State::Ok, "nothing that bcp195 forbids"),
        (
            TlsScript::new().version(Version::Tls12, &[0xc02f, 0x009c]),
            "fs",
            State::Critical,
            "no_forward_secrecy",
        ),
    ] {
        let peer = TlsPeer::start(script);
        at(&peer).args(["--require", wanted]).gives(state, &[words]);
    }
    // What was said on a finding by its name goes over it.
    let peer = TlsPeer::start(TlsScript::new().version(Version::Tls12, &[0xc02f]));
    at(&peer).args(["--require", "tls1.3", "--severity", "no_tls1_3=warning"]).gives(State::Warning, &[]);
    at(&peer).args(["--require", "quic"]).gives(State::Unknown, &["pqc, tls1.3, fs"]);
}

#[test]
fn the_rest_of_the_document() {
    let peer = TlsPeer::start(many().dh_bits(1024).compression(1));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scan.json");
    let check = at(&peer).args(["--inventory", "--json", file.to_str().unwrap()]);
    check.gives(State::Critical, &["compression"]);
    let written: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let port = &written["ports"][0];
    assert_eq!(written["schema"], 1);
    assert_eq!(written["policy"]["name"], "bcp195");
    assert_eq!(written["inventory"], true);
    assert_eq!((&port["port"], &port["ip"]), (&peer.port().into(), &"127.0.0.1".into()));
    assert!(written["duration"].as_f64().unwrap() > 0.0);
    let suites = version(&written, "TLS1.2")["suites"].as_array().unwrap();
    let rc4 = suites.iter().find(|suite| suite["code"] == "0x0005").unwrap();
    assert_eq!(rc4["name"], "TLS_RSA_WITH_RC4_128_SHA");
    assert_eq!(rc4["openssl_name"], "RC4-SHA");
    assert_eq!((&rc4["kx"], &rc4["bits"], &rc4["class"]), (&"RSA".into(), &128.into(), &"broken".into()));
    assert!(rc4["reasons"].as_array().unwrap().contains(&"rc4".into()));
    let dhe = suites.iter().find(|suite| suite["code"] == "0x009e").unwrap();
    assert_eq!(dhe["dh_bits"], 1024);
    let findings = port["findings"].as_array().unwrap();
    let poodle = findings.iter().find(|finding| finding["id"] == "sslv3").unwrap();
    assert_eq!((&poodle["class"], &poodle["state"]), (&"broken".into(), &"CRITICAL".into()));
    assert!(poodle["attacks"].as_array().unwrap().contains(&"POODLE".into()));
    // The same document is in the output, but for its time and the time it took.
    let mut printed = document(&at(&peer).arg("--inventory"));
    let mut written = written;
    for document in [&mut printed, &mut written] {
        document["duration"] = Value::Null;
        document["taken_at"] = Value::Null;
        document["ports"][0]["duration"] = Value::Null;
        // Answers come in any order.
        for protocol in document["ports"][0]["protocols"].as_array_mut().unwrap() {
            protocol["suites"] = Value::Null;
        }
        for finding in document["ports"][0]["findings"].as_array_mut().unwrap() {
            finding["evidence"] = Value::Null;
            finding["versions"] = Value::Null;
            finding["attacks"] = Value::Null;
        }
    }
    assert_eq!(printed, written);
    // A place nobody may write to is a result that nobody gets.
    let nowhere = at(&peer).args(["--json", "/nonexistent/scan.json"]);
    assert!(nowhere.outcome().text().contains("--json: cannot write"));
}

/// A server of TLS 1.3 that refuses a hello without a share of a key instead of asking for one.
#[test]
fn servers_that_want_a_share_get_one() {
    let tls13 = || TlsScript::good().retry(Retry::Never).version(Version::Tls13, &NEW);
    for groups in [&[29, 23][..], &[23]] {
        let peer = TlsPeer::start(tls13().groups(groups));
        at(&peer).gives(State::Ok, &["offers TLS1.2 and TLS1.3 and nothing"]);
        let document = inventory(&TlsPeer::start(tls13().groups(groups)));
        let found: Vec<_> = pairs(&document).into_iter().filter(|(version, _)| version == "TLS1.3").collect();
        assert_eq!(found.len(), NEW.len(), "{document:#}");
    }
    // TLS_SHA256_SHA256 encrypts nothing, and must not hide behind the refusal.
    let null = TlsPeer::start(tls13().version(Version::Tls13, &[0x1301, 0xc0b4]));
    at(&null).gives(State::Critical, &["null_cipher"]);
}

#[test]
fn fallback_scsv_is_tried() {
    let two = || TlsScript::good().version(Version::Tls11, &OLD);
    let of = |script| inventory(&TlsPeer::start(script))["ports"][0]["fallback_scsv"].clone();
    assert_eq!(of(two()), true);
    assert_eq!(of(two().without_fallback_scsv()), false);
    // With one version there is nothing to fall back to.
    assert_eq!(of(TlsScript::new().version(Version::Tls12, &[0xc02f])), Value::Null);
}

#[test]
fn a_limit_of_the_operator_leaves_the_scan_incomplete() {
    let peer = TlsPeer::start(TlsScript::good());
    let run = at(&peer).args(["--max-total", "5"]).gives(State::Unknown, &["--max-total"]);
    assert_eq!(peer.connections(), 5);
    run.silent_about("nothing that bcp195 forbids");
    at(&peer).args(["--max-total", "8"]).gives(State::Ok, &["nothing that bcp195 forbids"]);
    // What was found before it still counts.
    let weak = TlsPeer::start(TlsScript::weak());
    at(&weak).args(["--max-total", "20"]).gives(State::Critical, &[]).long("--max-total");
}

#[test]
fn connections_keep_their_distance() {
    let peer = TlsPeer::start(TlsScript::good());
    let before = Instant::now();
    at(&peer).args(["--rate", "20"]).gives(State::Ok, &[]);
    assert!(before.elapsed() >= Duration::from_millis(50 * 7), "{:?}", before.elapsed());
    // A server that takes ten in a second and resets the others.
    let limited = TlsPeer::start(TlsScript::good().rate(10, Ending::Reset));
    at(&limited).args(["--rate", "8"]).gives(State::Ok, &["nothing that bcp195 forbids"]);
}

#[test]
fn a_serial_server_is_listed_whole() {
    let peer = TlsPeer::start(many().serial(Duration::from_millis(10)));
    at(&peer).arg("--inventory").gives(State::Critical, &["rc4"]);
    assert_eq!(pairs(&inventory(&peer)).len(), 32);
}

#[test]
fn every_starttls() {
    let names = ["smtp", "lmtp", "imap", "pop3", "ftp", "ldap", "postgres", "mysql"];
    let all = [
        Protocol::Smtp,
        Protocol::Lmtp,
        Protocol::Imap,
        Protocol::Pop3,
        Protocol::Ftp,
        Protocol::Ldap,
        Protocol::Postgres,
        Protocol::MySql,
    ];
    for (name, protocol) in names.into_iter().zip(all) {
        let asked = |peer: &TlsPeer| at(peer).args(["--starttls", name]);
        let good = TlsPeer::start(TlsScript::good().starttls(protocol, Upgrade::Offered));
        asked(&good).gives(State::Ok, &["nothing that bcp195 forbids"]);
        assert_eq!(good.connections(), 8, "{name}");
        let rc4 = TlsScript::new().version(Version::Tls12, &[0xc02f, 0x0005]);
        let weak = TlsPeer::start(rc4.starttls(protocol, Upgrade::Offered));
        asked(&weak).gives(State::Critical, &["rc4"]);
        let none = TlsPeer::start(TlsScript::good().starttls(protocol, Upgrade::NotOffered));
        asked(&none).gives(State::Critical, &["STARTTLS is not offered"]);
        assert_eq!(none.connections(), 1, "{name}");
        // In the words that protocols without any for "later" have, it is not offered.
        let has_words = !matches!(protocol, Protocol::Postgres | Protocol::MySql);
        let refused = TlsPeer::start(TlsScript::good().starttls(protocol, Upgrade::Refused));
        asked(&refused).gives(if has_words { State::Unknown } else { State::Critical }, &[]);
        let busy = TlsPeer::start(TlsScript::good().starttls(protocol, Upgrade::Busy));
        asked(&busy).gives(State::Unknown, &[]).silent_about("STARTTLS is not offered");
        // Who greets first says what it is.
        if !matches!(protocol, Protocol::Ldap | Protocol::Postgres) {
            let unknown = TlsPeer::start(TlsScript::good().starttls(protocol, Upgrade::Offered));
            let document = document(&at(&unknown));
            let recognised = document["ports"][0]["starttls"].as_str().unwrap_or_default().to_owned();
            // LMTP greets like SMTP and offers the same.
            assert!(recognised == name || name == "lmtp" && recognised == "smtp", "{name}: {document:#}");
        }
    }
}
