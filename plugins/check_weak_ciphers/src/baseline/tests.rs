use std::path::PathBuf;

use clap::Parser as _;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::CheckWeakCiphers;
use crate::certificate::SeenCertificates;
use crate::certificate::tests::chain;
use crate::policy::FindingKind as Kind;
use crate::seen::{Pick, SeenVersion, Trouble, TroubleKind};

/// A file that is gone after the test.
struct Temporary(PathBuf);

impl Temporary {
    fn new(content: &[u8]) -> Self {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("vedette-baseline-{}-{number}", std::process::id()));
        std::fs::write(&path, content).unwrap();
        Self(path)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn options(arguments: &[&str]) -> CheckWeakCiphers {
    let fixed = ["check_weak_ciphers", "-H", "www.example.org"];
    CheckWeakCiphers::try_parse_from(fixed.iter().chain(arguments)).unwrap()
}

/// What reading this content says, with more arguments.
fn read_with(content: &[u8], arguments: &[&str]) -> Result<BTreeMap<u16, Baseline>, String> {
    let file = Temporary::new(content);
    let path = file.0.to_str().unwrap();
    let result = read(&options(&[&["--baseline", path], arguments].concat()));
    result.map_err(|error| error.text.replace(path, "FILE"))
}

fn problem(document: &Value, arguments: &[&str]) -> String {
    read_with(document.to_string().as_bytes(), arguments).unwrap_err()
}

fn sha256(digit: char) -> String {
    digit.to_string().repeat(64)
}

fn good() -> Value {
    let certificates = SeenCertificates { chains: vec![chain(None)], incomplete: None };
    let mut certificates = serde_json::to_value(certificates).unwrap();
    certificates["chains"][0]["certificates"][0]["key"]["sha256"] = json!(sha256('a'));
    json!({
        "schema": 1, "target": "www.example.org:443", "sni": null, "taken_at": "2026-11-01T06:00:00Z",
        "inventory": true, "complete": true, "ports": [{
            "port": 443,
            "protocols": [
                {"version": "SSLv2", "offered": true, "suites": [{"code": "0x010080"}]},
                {"version": "TLS1.1", "offered": false, "suites": []},
                {"version": "TLS1.2", "offered": true, "suites": [{"code": "0xc02f"}, {"code": "0x009c"}]},
            ],
            "groups": [{"code": "0x001d", "more": [1, 2, {}]}],
            "certificates": certificates,
        }],
    })
}

#[test]
fn a_document_is_read() {
    let ports = read_with(good().to_string().as_bytes(), &[]).unwrap();
    let baseline = &ports[&443];
    assert_eq!(baseline.taken_at, "2026-11-01T06:00:00Z");
    assert_eq!(
        baseline.offered,
        Offered {
            versions: [Version::Ssl2, Version::Tls12].into(),
            suites: [(Version::Ssl2, 0x01_0080), (Version::Tls12, 0x009c), (Version::Tls12, 0xc02f)].into(),
            groups: [0x001d].into(),
            keys: Some([(sha256('a'), "\"CN=leaf\" RSA 2048".to_owned())].into()),
        }
    );
    // Names are the same in any case.
    let mut document = good();
    document["target"] = json!("WWW.Example.org:443");
    assert!(read_with(document.to_string().as_bytes(), &[]).is_ok());
    assert_eq!(read(&options(&[])).unwrap(), BTreeMap::new());
}

#[test]
fn unknown_what_cannot_be_compared() {
    let changed = |change: fn(&mut Value)| {
        let mut document = good();
        change(&mut document);
        problem(&document, &[])
    };
    for (change, words) in [
        ((|one| one["schema"] = json!(2)) as fn(&mut Value), "is of schema 2; this version reads schema 1"),
        (|one| one["inventory"] = json!(false), "is of a verdict; a baseline is made with --inventory"),
        (|one| one["complete"] = json!(false), "was not complete"),
        (|one| one["target"] = json!("mail.example.org:443"), "is of \"mail.example.org:443\""),
        (|one| one["target"] = json!("www.example.org:443,993"), "is of \"www.example.org:443,993\""),
        (|one| one["sni"] = json!("other"), "is of --sni \"other\", and this check of no --sni"),
        (|one| one["taken_at"] = json!("yesterday"), "no time"),
        (|one| one["ports"] = json!([]), "does not name port 443"),
        (|one| one["ports"][0]["port"] = json!(444), "does not name port 443"),
        (|one| one["ports"] = json!([one["ports"][0], one["ports"][0]]), "names port 443 twice"),
        (|one| one["ports"][0]["certificates"] = json!(null), "made with --no-cert"),
        (|one| one["ports"][0]["groups"][0]["code"] = json!("x25519"), "unreadable at port 443"),
        (|one| one["ports"][0]["groups"][0]["code"] = json!("0x00001d"), "unreadable at port 443"),
        (|one| one["ports"][0]["protocols"][2]["suites"][0]["code"] = json!("0xC02F"), "unreadable"),
        (|one| one["ports"][0]["protocols"][2]["suites"][0]["code"] = json!("0x+02f"), "unreadable"),
        (
            |one| one["ports"][0]["protocols"][2]["version"] = json!("TLS9"),
            "is no document of --json: line 1",
        ),
        (|one| one["ports"][0]["protocols"] = json!(null), "is no document of --json"),
        (|one| *one = json!({"error": {"text": "x"}}), "is of a run that saw nothing"),
        (|one| *one = json!({}), "it has no schema"),
        (|one| *one = json!([1, 2]), "is no document of --json"),
    ] {
        let text = changed(change);
        assert!(text.starts_with("--baseline: FILE ") && text.contains(words), "{words}: {text}");
    }
    let mut key = good();
    key["ports"][0]["certificates"]["chains"][0]["certificates"][0]["key"]["sha256"] = json!("00");
    assert!(problem(&key, &[]).contains("unreadable at port 443"));
    assert!(problem(&good(), &["-p", "443,993"]).contains("this check of \"www.example.org:443,993\""));
    assert!(problem(&good(), &["--sni", "a.example"]).contains("and this check of --sni \"a.example\""));
}

#[test]
fn without_certificates_on_our_side_keys_are_not_compared() {
    let mut document = good();
    document["ports"][0]["certificates"] = json!(null);
    let ports = read_with(document.to_string().as_bytes(), &["--no-cert"]).unwrap();
    assert_eq!(ports[&443].offered.keys, None);
    assert!(read_with(good().to_string().as_bytes(), &["--no-cert"]).is_ok());
}

#[test]
fn unknown_files_that_are_none() {
    let at = |path: &str| read(&options(&["--baseline", path])).unwrap_err().text;
    assert!(at("/nonexistent/file").contains("cannot read /nonexistent/file: No such file"));
    assert!(at("/").contains("it is a directory"));
    assert!(at("/dev/zero").contains("is longer than 8388608 bytes"));
    for (content, words) in [
        (&b""[..], "ends too early, at line 1"),
        (b"{\"schema\": 1, \"target\"", "ends too early"),
        (b"\xff\xfe", "is no document of --json: line 1"),
        (b"{\"schema\": 1}", "is no document of --json"),
        (b"<html>", "is no document of --json: line 1, column 1"),
    ] {
        assert!(read_with(content, &[]).unwrap_err().contains(words), "{words}");
    }
    // Depth without end, and words of the file's own, which are not repeated.
    assert!(read_with("[".repeat(1_000_000).as_bytes(), &[]).is_err());
    let mut document = good();
    document["ports"][0]["protocols"][0]["version"] = json!("| evil=1\n".repeat(1000));
    let text = problem(&document, &[]);
    assert!(!text.contains("evil") && text.len() < 100, "{text}");
    document["target"] = json!("y".repeat(1_000_000));
    document["ports"] = json!([]);
    assert!(problem(&document, &[]).len() < 400);
}

fn version(version: Version, suites: &[u16], groups: &[u16]) -> SeenVersion {
    let pick = |suite: &u16| Pick {
        suite: *suite,
        group: None,
        dh_bits: None,
        compression: false,
        renegotiation_info: true,
        extended_master_secret: true,
    };
    SeenVersion {
        version,
        suites: suites.iter().map(pick).collect(),
        preference: None,
        groups: groups.to_vec(),
        signatures: Vec::new(),
        incomplete: None,
    }
}

fn seen(ssl2: Option<Vec<u32>>, versions: Vec<SeenVersion>) -> SeenTls {
    SeenTls {
        ssl2,
        ssl2_incomplete: None,
        versions,
        intolerant: false,
        ends: false,
        fallback_scsv: None,
        post_quantum: None,
        certificates: Some(SeenCertificates { chains: vec![chain(None)], incomplete: None }),
        intrusive: None,
    }
}

fn names(differences: &[Difference]) -> Vec<(FindingKind, FindingKind, String)> {
    differences.iter().map(|one| (one.new_kind(), one.gone_kind(), one.name.clone())).collect()
}

#[test]
fn differences_both_ways() {
    let tls12 = version(Version::Tls12, &[0xc02f, 0x009c], &[0x001d]);
    let before = seen(None, vec![tls12, version(Version::Tls13, &[], &[])]);
    let mut after = seen(
        Some(vec![0x01_0080]),
        vec![version(Version::Tls12, &[0xc02f], &[0x0017]), version(Version::Tls13, &[0x1301], &[0x11ec])],
    );
    let leaf = after.certificates.as_mut().unwrap().chains[0].certificates[0].as_mut().unwrap();
    leaf.key.sha256 = sha256('b');
    let baseline =
        |tls: &SeenTls| Baseline { taken_at: "2026-11-01T06:00:00Z".into(), offered: Offered::of(tls) };
    let forward = baseline(&before).differences(&after);
    let protocol = |name: &str| (Kind::NewProtocol, Kind::GoneProtocol, name.to_owned());
    let suite = |name: &str| (Kind::NewSuite, Kind::GoneSuite, name.to_owned());
    let group = |name: &str| (Kind::NewGroup, Kind::GoneGroup, name.to_owned());
    let key = || (Kind::NewCertificateKey, Kind::GoneCertificateKey, "\"CN=leaf\" RSA 2048".to_owned());
    assert_eq!(
        names(&forward.new),
        [
            protocol("SSLv2"),
            protocol("TLS1.3"),
            suite("RC4-MD5"),
            suite("TLS_AES_128_GCM_SHA256"),
            group("secp256r1"),
            group("X25519MLKEM768"),
            key(),
        ]
    );
    assert_eq!(names(&forward.gone), [suite("AES128-GCM-SHA256"), group("x25519"), key()]);
    assert_eq!(forward.new[6].evidence(), format!("\"CN=leaf\" RSA 2048 (key {})", sha256('b')));
    assert_eq!((forward.new[3].suite(), forward.new[4].suite()), (Some(0x1301), None));
    let back = baseline(&after).differences(&before);
    assert_eq!((back.new, back.gone), (forward.gone, forward.new));
    assert_eq!(baseline(&after).differences(&after).new, []);
    assert_eq!(baseline(&after).differences(&after).gone, []);
}

/// Silence is no absence.
#[test]
fn gone_only_where_it_was_looked_for() {
    let before = seen(
        Some(Vec::new()),
        vec![version(Version::Tls11, &[0x002f], &[0x0017]), version(Version::Tls12, &[0xc02f], &[0x001d])],
    );
    let baseline = Baseline { taken_at: String::new(), offered: Offered::of(&before) };
    let nothing = || seen(None, vec![version(Version::Tls11, &[], &[]), version(Version::Tls12, &[], &[])]);
    assert_eq!(baseline.differences(&nothing()).gone.len(), 3 + 2 + 2);
    let trouble = || Trouble { kind: TroubleKind::Timeout, text: "silence".into() };
    let mut open = nothing();
    open.versions[0].incomplete = Some(trouble());
    open.ssl2_incomplete = Some(trouble());
    open.certificates.as_mut().unwrap().chains.clear();
    let gone = baseline.differences(&open).gone;
    assert_eq!(
        gone.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(),
        ["TLS1.2", "ECDHE-RSA-AES128-GCM-SHA256", "\"CN=leaf\" RSA 2048"]
    );
    open.certificates.as_mut().unwrap().incomplete = Some("silence".into());
    assert_eq!(baseline.differences(&open).gone.len(), 2);
    open.certificates = None;
    assert_eq!(baseline.differences(&open).gone.len(), 2);
}

proptest! {
    #[test]
    fn any_bytes_may_be_a_baseline(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(read_with(&bytes, &[]).is_err());
    }

    /// A document cut anywhere, or with a byte changed, is either refused or still says what can be compared.
    #[test]
    fn damaged_documents_are_no_trouble(at in 0usize..2000, byte in any::<u8>(), cut in any::<bool>()) {
        let mut bytes = good().to_string().into_bytes();
        let at = at % bytes.len();
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        if let Ok(ports) = read_with(&bytes, &[]) {
            prop_assert!(!cut && ports.contains_key(&443));
        }
    }
}
