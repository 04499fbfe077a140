//! check_weak_ciphers --intrusive: faults are found on servers that have them, as they were released, and not on the
//! same ones mended, nor on any other; what could not be tried leaves the check UNKNOWN.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "test code")]

use std::collections::BTreeMap;

use lab::meddler::{Meddler, Meddling};
use lab::output::State;
use lab::postfix::Listener;
use lab::process::left_out_without_root;
use lab::tls_script::{Ending, Fault, Hello, Protocol, TlsPeer, TlsScript, Version};
use lab::tls_servers::faulty::{self, Node};
use lab::tls_servers::faulty::{left_out_without_old_node, left_out_without_old_tlslite};
use lab::tls_servers::openssl::left_out_without_built;
use lab::tls_servers::tlslite::left_out_without_tlslite;
use lab::tls_servers::{Keys, TlsServer, gnutls, java, mail, nginx, openssl, tlslite};
use tests::ciphers::{Document, check};

const VULNERABLE: &str = "vulnerable";
const SAFE: &str = "safe";
const UNKNOWN: &str = "unknown";

/// Seconds for one connection.
const PATIENCE: &str = "2";

/// All that is tried.
const TESTS: [&str; 4] = ["heartbleed", "ccs_injection", "insecure_renegotiation", "robot"];

/// What came of each test, and its text.
struct Tried {
    results: BTreeMap<String, (String, String)>,
    ours: Document,
    code: Option<i32>,
}

impl Tried {
    fn at(port: u16, starttls: Option<Protocol>, arguments: &[&str]) -> Self {
        let outcome = check(port, starttls)
            .args(["--intrusive", "--handshake-timeout", PATIENCE])
            .args(arguments)
            .memory_kib(24 * 1024)
            .outcome();
        let ours = Document::of(&outcome);
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let findings = ours.at("/ports/0/intrusive/findings").as_array().unwrap();
        let results = findings
            .iter()
            .map(|one| (text(&one["test"]), (text(&one["result"]), text(&one["text"]))))
            .collect();
        Self { results, ours, code: outcome.code }
    }

    fn of(server: &TlsServer) -> Self {
        Self::at(server.port(), server.starttls(), &[])
    }

    /// Exactly these faults are there, the others were looked for, and all that follows.
    fn shows(&self, faults: &[&str]) -> &Self {
        let expected = TESTS.map(|test| (test, if faults.contains(&test) { VULNERABLE } else { SAFE }));
        self.gives(&expected)
    }

    fn gives(&self, expected: &[(&str, &str)]) -> &Self {
        let report = self.ours.report();
        assert_eq!(self.results.len(), TESTS.len(), "{report}");
        for (test, result) in expected {
            assert_eq!(self.results[*test].0, *result, "{test}: {}\n{report}", self.results[*test].1);
        }
        let findings = self.ours.findings();
        for test in TESTS {
            let state = (self.results[test].0 == VULNERABLE).then_some("CRITICAL");
            assert_eq!(findings.get(test).map(String::as_str), state, "{test}\n{report}");
        }
        let is_open = self.results.values().any(|(result, _)| result == UNKNOWN);
        assert!(!is_open || self.ours.at("/ports/0/complete") == false, "{report}");
        if findings.values().any(|state| state == "CRITICAL") {
            assert_eq!(self.code, Some(State::Critical.code()), "{report}");
        } else if is_open {
            assert_eq!(self.code, Some(State::Unknown.code()), "{report}");
        }
        self
    }

    /// The text on a test holds this.
    fn says(&self, test: &str, words: &str) -> &Self {
        assert!(self.results[test].1.contains(words), "no {words:?}\n{}", self.ours.report());
        self
    }
}

#[test]
fn heartbleed_and_ccs_injection() {
    if left_out_without_old_node() {
        return;
    }
    let keys = Keys::new();
    for (newest, suite) in [
        (Version::Tls12, "AES128-GCM-SHA256:RC4:HIGH:!MD5:!aNULL:!EDH"),
        (Version::Tls12, "AES128-SHA:AES256-SHA256"),
        (Version::Tls11, "AES256-SHA"),
        (Version::Tls10, "AES128-SHA"),
    ] {
        Tried::of(&faulty::node(&keys, Node::Heartbleed, newest, suite))
            .shows(&["heartbleed", "ccs_injection"])
            .says("heartbleed", "32 bytes of its memory")
            .says("ccs_injection", "keys that were made from nothing");
        Tried::of(&faulty::node(&keys, Node::Ccs, newest, suite))
            .shows(&["ccs_injection"])
            .says("heartbleed", "no heartbeats");
        Tried::of(&faulty::node(&keys, Node::Mended, newest, suite)).shows(&[]);
    }
}

/// Nothing of it is tried that was not asked for.
#[test]
fn nothing_is_tried_by_itself() {
    if left_out_without_old_node() {
        return;
    }
    let keys = Keys::new();
    let server = faulty::node(&keys, Node::Heartbleed, Version::Tls12, "AES128-SHA");
    let ours = Document::of(&check(server.port(), None).outcome());
    for test in TESTS {
        assert!(!ours.findings().contains_key(test), "{}", ours.report());
    }
    assert!(ours.at("/ports/0").get("intrusive").is_none(), "{}", ours.report());
    let ours =
        Document::of(&check(server.port(), None).args(["--intrusive", "--ignore", "heartbleed"]).outcome());
    let findings = ours.findings();
    assert!(
        !findings.contains_key("heartbleed") && findings.contains_key("ccs_injection"),
        "{}",
        ours.report()
    );
}

#[test]
fn gnutls_takes_heartbeats_and_discards_the_wrong_ones() {
    let keys = Keys::new();
    Tried::of(&gnutls::gnutls_serv_with(&keys, "", &["--heartbeat"]))
        .shows(&[])
        .says("heartbleed", "discards");
}

#[test]
fn renegotiation_of_openssl() {
    let keys = Keys::new();
    let unsafe_ones = ["-legacy_renegotiation", "-client_renegotiation"];
    for suite in [
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-CHACHA20-POLY1305",
        "DHE-RSA-AES128-GCM-SHA256",
        "AES256-GCM-SHA384",
        "ECDHE-ECDSA-AES128-SHA256",
        "DHE-RSA-AES256-SHA256",
        "AES128-SHA",
    ] {
        let suite = format!("{suite}:@SECLEVEL=0");
        Tried::of(&openssl::s_server_with(&keys, &[&unsafe_ones[..], &["-cipher", &suite]].concat()))
            .shows(&["insecure_renegotiation"])
            .says("insecure_renegotiation", "CVE-2009-3555");
    }
    for version in ["-tls1", "-tls1_1", "-no_tls1_3"] {
        Tried::of(&openssl::s_server_with(&keys, &[&unsafe_ones[..], &[version]].concat()))
            .shows(&["insecure_renegotiation"]);
    }
    let secure = Tried::of(&openssl::s_server_with(&keys, &["-client_renegotiation"]));
    secure.shows(&[]).says("insecure_renegotiation", "no_renegotiation");
    assert_eq!(secure.ours.at("/ports/0/intrusive/client_renegotiation"), true);
    let none = Tried::of(&openssl::s_server_with(&keys, &["-legacy_renegotiation"]));
    assert_eq!(none.shows(&[]).ours.at("/ports/0/intrusive/client_renegotiation"), false);
}

#[test]
fn renegotiation_of_others() {
    let keys = Keys::new();
    let renegotiation = "insecure_renegotiation";
    Tried::of(&gnutls::gnutls_serv_with(&keys, ":%UNSAFE_RENEGOTIATION", &[])).shows(&[renegotiation]);
    Tried::of(&gnutls::gnutls_serv(&keys)).shows(&[]);
    Tried::of(&java::server_with(&keys, &["-Dsun.security.ssl.allowUnsafeRenegotiation=true"]))
        .shows(&[renegotiation]);
    Tried::of(&java::server(&keys)).shows(&[]);
    // Whoever knows nothing of RFC 5746 does not get in at all.
    Tried::of(&java::server_with(&keys, &["-Dsun.security.ssl.allowLegacyHelloMessages=false"]))
        .shows(&[])
        .says(renegotiation, "turns clients away");
}

#[test]
fn renegotiation_of_openssl_of_yesterday() {
    if left_out_without_built() {
        return;
    }
    let keys = Keys::new();
    Tried::of(&openssl::old(&keys)).shows(&[]);
    Tried::of(&openssl::old_with(&keys, &["-legacy_renegotiation"])).shows(&["insecure_renegotiation"]);
    Tried::of(&openssl::hybrid(&keys)).shows(&[]);
}

#[test]
fn robot() {
    if left_out_without_old_tlslite() {
        return;
    }
    let keys = Keys::new();
    Tried::of(&faulty::tlslite(&keys))
        .shows(&["robot"])
        .says("robot", "a strong oracle")
        .says("robot", "right: bad_record_mac");
    if left_out_without_tlslite() {
        return;
    }
    Tried::of(&tlslite::weak(&keys)).shows(&[]).says("robot", "every padding with bad_record_mac");
    Tried::of(&tlslite::hybrid(&keys)).shows(&[]).says("robot", "no suite with RSA key exchange");
}

#[test]
fn sound_web_servers() {
    let keys = Keys::new();
    Tried::of(&nginx::debian(&keys)).shows(&[]);
    Tried::of(&nginx::intermediate(&keys)).shows(&[]);
    Tried::of(&nginx::all_suites(&keys)).shows(&[]);
    Tried::of(&openssl::s_server_with(&keys, &["-tls1_3"]))
        .shows(&[])
        .says("robot", "no version below TLS1.3");
}

#[test]
fn sound_mail_servers() {
    if left_out_without_root("Postfix") {
        return;
    }
    for listener in [Listener::Submission, Listener::Implicit] {
        Tried::of(&mail::postfix(listener)).shows(&[]);
    }
    let keys = Keys::new();
    for protocol in [Protocol::Imap, Protocol::Smtp] {
        Tried::of(&mail::dovecot(&keys, protocol)).shows(&[]);
    }
}

/// Without a certificate of the client there is no second hello, nor a word on the padding.
#[test]
fn unknown_where_the_client_needs_a_certificate() {
    let keys = Keys::new();
    Tried::of(&openssl::s_server_with(&keys, &["-Verify", "1", "-cipher", "AES128-GCM-SHA256"]))
        .gives(&[
            ("heartbleed", SAFE),
            ("ccs_injection", SAFE),
            ("insecure_renegotiation", UNKNOWN),
            ("robot", UNKNOWN),
        ])
        .says("robot", "certificate of the client");
}

/// What follows a second hello, in the hands of somebody else.
#[test]
fn faults_behind_the_handshake() {
    let keys = Keys::new();
    let arguments =
        ["-legacy_renegotiation", "-client_renegotiation", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"];
    let server = openssl::s_server_with(&keys, &arguments);
    let alert = |level| vec![21, 3, 3, 0, 2, level, 100];
    for (meddling, result, words) in [
        (Meddling::Silence, UNKNOWN, "no answer"),
        (Meddling::Close, SAFE, "connection ended"),
        (Meddling::Reset, SAFE, "connection ended"),
        // Whoever is in between can say that, so it is worth nothing.
        (Meddling::Bytes(alert(1)), UNKNOWN, "cannot be decrypted"),
        (Meddling::Bytes(alert(2)), UNKNOWN, "cannot be decrypted"),
        (Meddling::Bytes(b"garbage".to_vec()), UNKNOWN, "breaks the protocol"),
        (Meddling::Bytes(vec![22, 3, 3, 0xff, 0xff]), UNKNOWN, "longer than allowed"),
        (Meddling::Bytes(vec![22, 3, 3, 0, 0]), UNKNOWN, "an empty record"),
        (Meddling::WrongMac, UNKNOWN, "cannot be decrypted"),
        (Meddling::Twice, VULNERABLE, "CVE-2009-3555"),
    ] {
        let meddler = Meddler::start(server.addr(), meddling.clone());
        let tried = Tried::at(meddler.port(), None, &["--max-conns", "1"]);
        tried.gives(&[
            ("heartbleed", SAFE),
            ("ccs_injection", SAFE),
            ("insecure_renegotiation", result),
            ("robot", SAFE),
        ]);
        tried.says("insecure_renegotiation", words);
    }
}

/// Who says nothing, or something else, to what is tried.
#[test]
fn unknown_where_nothing_is_answered() {
    let suites = [0xc02f, 0x009c];
    let good = || TlsScript::new().version(Version::Tls12, &suites);
    // Hellos of the scan are answered, the others not.
    let only_scanned = |fault: Fault| {
        let is_ours = |hello: &Hello| {
            hello.version == 0x0303 && [23, 43].iter().all(|id| hello.extension(*id).is_none())
        };
        good().fault_if(is_ours, fault)
    };
    for (script, words) in [
        (good(), "no answer"),
        (only_scanned(Fault::Empty(Ending::Hang)), "no answer"),
        (only_scanned(Fault::Empty(Ending::Close)), "connection closed"),
        (only_scanned(Fault::Empty(Ending::Reset)), "connection reset"),
        (only_scanned(Fault::AfterServerHello(Ending::Hang)), "no answer"),
        (only_scanned(Fault::Suite(0xc030)), "not offered"),
        (only_scanned(Fault::HugeRecord), "longer than allowed"),
        (only_scanned(Fault::LyingLength), "cannot be read"),
        (only_scanned(Fault::Bytes(b"220 mail\r\n".to_vec())), "before TLS"),
    ] {
        let peer = TlsPeer::start(script);
        let tried = Tried::at(peer.port(), None, &[]);
        tried.gives(&[("insecure_renegotiation", UNKNOWN), ("robot", UNKNOWN)]);
        tried.says("insecure_renegotiation", words);
    }
}

#[test]
fn unknown_when_all_connections_were_made() {
    let keys = Keys::new();
    let server = openssl::s_server_with(&keys, &["-cipher", "AES128-GCM-SHA256"]);
    let tried = Tried::at(server.port(), None, &["--max-total", "14"]);
    tried.gives(&[("heartbleed", SAFE), ("robot", UNKNOWN)]).says("robot", "--max-total");
    assert_eq!(tried.ours.at("/ports/0/connections"), 14);
}
