//! The advice of check_weak_ciphers, tried: a real server is made as weak as its build allows, the lines that the check
//! gives for a finding are put into its configuration, and exactly the findings go that these lines are for.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use lab::certs::{Authority, LeafOptions};
use lab::output::State;
use lab::process::{left_out_without_newer, left_out_without_root};
use lab::tls_script::{Auth, Protocol, TlsPeer, TlsScript, Upgrade, Version};
use lab::tls_servers::configured::{Software, left_out_without_exim_openssl, start};
use lab::tls_servers::{Identity, Keys};
use serde_json::Value;
use tests::ciphers::names;
use tests::{Check, Run};

/// A server and what it is called in the advice.
struct Scene {
    software: Software,
    advised: &'static [&'static str],
    keys: Keys,
}

/// Findings by their name.
type Findings = BTreeMap<String, Value>;

impl Scene {
    fn new(software: Software, keys: Keys) -> Self {
        let advised: &[&str] = match software {
            Software::Nginx => &["nginx"],
            Software::Apache => &["Apache"],
            Software::Postfix => &["Postfix"],
            Software::Dovecot23 => &["Dovecot", "Dovecot 2.3"],
            Software::Dovecot24 => &["Dovecot", "Dovecot 2.4"],
            Software::EximGnutls => &["Exim (GnuTLS)"],
            Software::EximOpenssl => &["Exim (OpenSSL)"],
        };
        for folder in ["etc/ssl/certs", "etc/ssl/private"] {
            fs::create_dir_all(keys.folder().join(folder)).unwrap();
        }
        Self { software, advised, keys }
    }

    /// Where the advice says `/etc/ssl/`.
    fn own(&self, text: &str) -> String {
        let folder = self.keys.inner(self.keys.folder()).join("etc/ssl/");
        text.replace("/etc/ssl/", folder.to_str().unwrap())
    }

    /// Lines of a configuration with this identity.
    fn lines(&self, identity: &Identity, weak: &[&str]) -> Vec<String> {
        let path = |path: &std::path::Path| self.keys.inner(path).to_str().unwrap().to_owned();
        let files: &[&str] = match self.software {
            Software::Nginx => &["ssl_certificate CERT;", "ssl_certificate_key KEY;"],
            Software::Apache => &["SSLCertificateFile CERT", "SSLCertificateKeyFile KEY"],
            Software::Postfix => &["smtpd_tls_chain_files = KEY, CERT", "smtpd_tls_security_level = may"],
            Software::Dovecot23 => &["ssl_cert = <CERT", "ssl_key = <KEY"],
            Software::Dovecot24 => &["ssl_server_cert_file = CERT", "ssl_server_key_file = KEY"],
            Software::EximGnutls | Software::EximOpenssl => {
                &["tls_certificate = CERT", "tls_privatekey = KEY"]
            }
        };
        let all = files.iter().chain(weak).map(|line| {
            line.replace("CERT", &path(&identity.certificate))
                .replace("KEY", &path(&identity.key))
                .replace("DH1024", &path(&self.keys.dh_1024()))
        });
        all.collect()
    }

    /// What the check finds on a server with these lines, and its exit code.
    fn found(&self, lines: &[String], more: &[&str]) -> (Findings, Option<i32>) {
        let server = start(self.software, &self.keys, lines);
        self.check(server.port(), names(server.starttls()).0, more)
    }

    fn check(&self, port: u16, starttls: &str, more: &[&str]) -> (Findings, Option<i32>) {
        let outcome = Check::new("check_weak_ciphers")
            .args(["-H", "127.0.0.1", "-p", &port.to_string(), "--sni", "tls.test", "--inventory"])
            .args(["--starttls", starttls, "--output", "json", "--ca-file"])
            .arg(self.keys.ca_file())
            .args(more)
            .timeout(60.0)
            .outcome();
        let report = || outcome.report();
        let whole: Value =
            serde_json::from_str(&outcome.text()).unwrap_or_else(|e| panic!("{e}\n{}", report()));
        let port = &whole["data"]["ports"][0];
        assert_eq!(port["complete"], true, "{}", report());
        let findings = port["findings"].as_array().unwrap_or_else(|| panic!("nothing seen\n{}", report()));
        let by_name = findings.iter().map(|one| (one["id"].as_str().unwrap().to_owned(), one.clone()));
        (by_name.collect(), outcome.code)
    }

    /// The lines that a finding is to be met with; none where there is a note alone.
    fn advice(&self, finding: &Value) -> Vec<String> {
        let by_program = finding["advice"].as_object().unwrap();
        let fitting: Vec<&Value> = self.advised.iter().filter_map(|name| by_program.get(*name)).collect();
        assert!(fitting.len() <= 1, "{finding}");
        let lines = fitting.into_iter().flat_map(|lines| lines.as_array().unwrap());
        lines.map(|line| self.own(line.as_str().unwrap())).collect()
    }

    /// Makes the files that the lines name, by the command in the note where it has one.
    fn prepare(&self, finding: &Value, advice: &[String]) {
        self.run(finding["advice_note"].as_str().unwrap_or_default());
        let [key, certificate] = ["etc/ssl/private/server.key", "etc/ssl/certs/server.pem"]
            .map(|name| self.keys.folder().join(name));
        if advice.iter().any(|line| line.contains("private/server.key")) {
            if !key.exists() {
                fs::copy(&self.keys.identity(Auth::Ecdsa).key, &key).unwrap();
            }
            self.keys.certify(&key, &certificate, &[]);
        }
    }

    fn run(&self, note: &str) {
        let Some((_, command)) = note.split_once("openssl ") else { return };
        let mut words: Vec<&str> = Vec::new();
        for word in command.split(' ') {
            words.push(word.trim_end_matches(';'));
            if words.iter().rev().nth(1) == Some(&"-out") {
                break;
            }
        }
        let out = self.keys.folder().join(words.last().unwrap().trim_start_matches('/'));
        *words.last_mut().unwrap() = out.to_str().unwrap();
        let made = Command::new("openssl").args(&words).output().unwrap();
        assert!(made.status.success(), "openssl {words:?}: {}", String::from_utf8_lossy(&made.stderr));
    }
}

/// Puts lines into a configuration, for those that are there for the same purpose.
fn set(lines: &[String], advice: &[String]) -> Vec<String> {
    let purposes: BTreeSet<Vec<&str>> = advice.iter().map(|line| purpose(line)).collect();
    let others = lines.iter().filter(|line| !purposes.contains(&purpose(line)));
    others.chain(advice).cloned().collect()
}

/// The directive, with its command where it has several.
fn purpose(line: &str) -> Vec<&str> {
    let words =
        if line.starts_with("SSLOpenSSLConfCmd") || line.starts_with("ssl_conf_command") { 2 } else { 1 };
    line.split([' ', '=']).take(words).collect()
}

fn words(text: &str) -> BTreeSet<&str> {
    text.split_whitespace().collect()
}

fn ids(findings: &Findings) -> BTreeSet<&str> {
    findings.keys().map(String::as_str).collect()
}

/// Tries all advice on a server: each row has findings with the same lines, and what goes with them.
fn tried(scene: &Scene, lines: &[String], rows: &[(&str, &str)], left: &str, more: &[&str]) {
    let (before, _) = scene.found(lines, more);
    let shown: BTreeSet<&str> = rows.iter().flat_map(|(same, _)| words(same)).chain(words(left)).collect();
    assert_eq!(ids(&before), shown, "what is found at first");
    let mut all = lines.to_vec();
    for (same, others) in rows {
        let findings: Vec<&Value> = words(same).into_iter().map(|name| &before[name]).collect();
        let advice = scene.advice(findings[0]);
        assert!(!advice.is_empty(), "no advice on {same}");
        assert!(findings.iter().all(|one| scene.advice(one) == advice), "{same}: not the same advice");
        scene.prepare(findings[0], &advice);
        let (after, _) = scene.found(&set(lines, &advice), more);
        let gone: BTreeSet<&str> = ids(&before).difference(&ids(&after)).copied().collect();
        assert_eq!(gone, &words(same) | &words(others), "gone with {advice:?}");
        assert!(ids(&after).is_subset(&ids(&before)), "{:?} came with {advice:?}", ids(&after));
        all = set(&all, &advice);
    }
    let (after, code) = scene.found(&all, more);
    assert_eq!(ids(&after), words(left), "left with all advice");
    assert_eq!(code, Some(State::Ok.code()), "{all:?}");
}

/// What nginx and Apache can be made to show.
const WEB: [(&str, &str); 4] = [
    ("tls1_0 tls1_1 no_tls1_3", ""),
    ("null_cipher anonymous no_forward_secrecy cbc ffdhe", "tls1_0 tls1_1 dh_small"),
    ("dh_small", ""),
    ("curve_small", ""),
];

#[test]
fn nginx() {
    let scene = Scene::new(Software::Nginx, Keys::new());
    let lines = scene.lines(
        scene.keys.identity(Auth::Rsa),
        &[
            "ssl_protocols TLSv1 TLSv1.1 TLSv1.2;",
            "ssl_ciphers ALL:COMPLEMENTOFALL:!PSK:!SRP;",
            "ssl_dhparam DH1024;",
            "ssl_ecdh_curve secp160r1:secp192k1:X25519;",
        ],
    );
    tried(&scene, &lines, &WEB, "no_post_quantum", &[]);
}

#[test]
fn apache() {
    let scene = Scene::new(Software::Apache, Keys::new());
    // Where it takes the prime from first.
    let certificate = &scene.keys.identity(Auth::Rsa).certificate;
    let with_prime = [fs::read(certificate).unwrap(), fs::read(scene.keys.dh_1024()).unwrap()].concat();
    fs::write(certificate, with_prime).unwrap();
    let lines = scene.lines(
        scene.keys.identity(Auth::Rsa),
        &[
            "SSLProtocol -all +TLSv1 +TLSv1.1 +TLSv1.2",
            "SSLCipherSuite ALL:COMPLEMENTOFALL:!PSK:!SRP",
            "SSLOpenSSLConfCmd Groups secp160r1:secp192k1:X25519",
        ],
    );
    // It adds !aNULL:!eNULL to any list.
    let rows = [WEB[0], ("no_forward_secrecy cbc ffdhe", "tls1_0 tls1_1 dh_small"), WEB[2], WEB[3]];
    tried(&scene, &lines, &rows, "no_post_quantum", &[]);
}

#[test]
fn postfix() {
    if left_out_without_root("Postfix") {
        return;
    }
    for (level, mandatory) in [("may", ""), ("encrypt", "mandatory_")] {
        let scene = Scene::new(Software::Postfix, Keys::new());
        let lines = scene.lines(
            scene.keys.identity(Auth::Rsa),
            &[
                &format!("smtpd_tls_{mandatory}protocols = >=TLSv1, <=TLSv1.2"),
                "tls_medium_cipherlist = ALL:COMPLEMENTOFALL",
                "smtpd_tls_dh1024_param_file = DH1024",
                "tls_eecdh_auto_curves = secp160r1 secp192k1 X25519",
            ],
        );
        let lines = set(&lines, &[format!("smtpd_tls_security_level = {level}")]);
        tried(&scene, &lines, &WEB, "no_post_quantum", &[]);
    }
}

#[test]
fn dovecot() {
    if left_out_without_root("Dovecot") {
        return;
    }
    let scene = Scene::new(Software::Dovecot23, Keys::new());
    let lines = scene.lines(
        scene.keys.identity(Auth::Rsa),
        &[
            "ssl_min_protocol = TLSv1",
            "ssl_cipher_list = ALL:COMPLEMENTOFALL:!PSK:!SRP",
            "ssl_dh = <DH1024",
            "ssl_curve_list = secp160r1:secp192k1:X25519",
        ],
    );
    let rows = [("tls1_0 tls1_1", ""), WEB[1], WEB[2], WEB[3]];
    tried(&scene, &lines, &rows, "no_post_quantum", &[]);
}

#[test]
fn newer_dovecot() {
    if left_out_without_root("Dovecot") || left_out_without_newer("Dovecot 2.4") {
        return;
    }
    let scene = Scene::new(Software::Dovecot24, Keys::newer());
    let lines = scene.lines(
        scene.keys.identity(Auth::Rsa),
        &[
            "ssl_min_protocol = TLSv1",
            "ssl_cipher_list = ALL:COMPLEMENTOFALL:!PSK:!SRP",
            "ssl_server_dh_file = DH1024",
            "ssl_curve_list = secp160r1:secp192k1:X25519",
        ],
    );
    let rows = [("tls1_0 tls1_1", ""), WEB[1], WEB[2], ("curve_small no_post_quantum", "")];
    tried(&scene, &lines, &rows, "", &[]);
}

#[test]
fn exim() {
    if left_out_without_root("Exim") {
        return;
    }
    let scene = Scene::new(Software::EximGnutls, Keys::new());
    let weak = "tls_require_ciphers = NORMAL:+VERS-ALL:-VERS-TLS1.3:+NULL:+3DES-CBC:+ARCFOUR-128:+MAC-ALL:+RSA:+DHE-RSA:+GROUP-SECP192R1:\
                %DISABLE_SAFE_RENEGOTIATION:%NO_SESSION_HASH";
    let lines = scene.lines(scene.keys.identity(Auth::Rsa), &[weak]);
    // One setting for everything, so one line ends it all.
    let row = "tls1_0 tls1_1 no_tls1_3 null_cipher rc4 small_block modest_strength no_forward_secrecy cbc ffdhe \
               curve_small no_secure_renegotiation no_extended_master_secret";
    tried(&scene, &lines, &[(row, "")], "no_post_quantum", &[]);
}

#[test]
fn exim_with_openssl() {
    if left_out_without_root("Exim") || left_out_without_exim_openssl() {
        return;
    }
    let scene = Scene::new(Software::EximOpenssl, Keys::new());
    let lines = scene.lines(
        scene.keys.identity(Auth::Rsa),
        &[
            "openssl_options = +no_tlsv1_3",
            "tls_require_ciphers = ALL:COMPLEMENTOFALL:!PSK:!SRP",
            "tls_dhparam = DH1024",
        ],
    );
    // With a curve of one's own 4.96 has no TLS at all on OpenSSL 3.
    tried(&scene, &lines, &WEB[..3], "no_post_quantum", &[]);
}

/// Certificates that nobody should accept, on a server that is sound otherwise.
fn certificates(software: Software) {
    let scene = Scene::new(software, keys(software));
    let weak =
        scene.keys.issue("weak", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"], &["-sha1"]);
    let lines = scene.lines(&weak, sound(software));
    let newest = if software == Software::Dovecot24 { "" } else { "no_post_quantum" };
    // Who verifies accepts no SHA-1.
    tried(&scene, &lines, &[("rsa_small certificate_weak_hash certificate_untrusted", "")], newest, &[]);

    let scene = Scene::new(software, keys(software));
    let leaf = Authority::new("Another CA").leaf(&LeafOptions::server_named("tls.test").days(-3));
    let (certificate, key) = leaf.write(scene.keys.folder(), "old");
    let lines = scene.lines(&Identity { certificate, key, der: Vec::new() }, sound(software));
    tried(&scene, &lines, &[("certificate_expired certificate_untrusted", "")], newest, &[]);
}

fn keys(software: Software) -> Keys {
    if software == Software::Dovecot24 { Keys::newer() } else { Keys::new() }
}

/// Lines that leave nothing to be found, but for groups.
fn sound(software: Software) -> &'static [&'static str] {
    match software {
        Software::Nginx => &["ssl_protocols TLSv1.2 TLSv1.3;", "ssl_ciphers ECDHE+AESGCM;"],
        Software::Apache => &["SSLProtocol -all +TLSv1.2 +TLSv1.3", "SSLCipherSuite ECDHE+AESGCM"],
        Software::Postfix => &[
            "smtpd_tls_protocols = >=TLSv1.2",
            "smtpd_tls_exclude_ciphers = aNULL kRSA kDHE SHA1 SHA256 SHA384",
        ],
        Software::Dovecot23 | Software::Dovecot24 => &["ssl_cipher_list = ECDHE+AESGCM"],
        Software::EximOpenssl => {
            &["openssl_options = +no_tlsv1 +no_tlsv1_1", "tls_require_ciphers = ECDHE+AESGCM"]
        }
        Software::EximGnutls => &[
            "tls_require_ciphers = SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-DHE-RSA:-SHA1:-SHA256:-SHA384",
        ],
    }
}

#[test]
fn nginx_certificates() {
    certificates(Software::Nginx);
}

#[test]
fn apache_certificates() {
    certificates(Software::Apache);
}

#[test]
fn postfix_certificates() {
    if !left_out_without_root("Postfix") {
        certificates(Software::Postfix);
    }
}

#[test]
fn dovecot_certificates() {
    if !left_out_without_root("Dovecot") {
        certificates(Software::Dovecot23);
    }
}

#[test]
fn newer_dovecot_certificates() {
    if !left_out_without_root("Dovecot") && !left_out_without_newer("Dovecot 2.4") {
        certificates(Software::Dovecot24);
    }
}

#[test]
fn exim_certificates() {
    if !left_out_without_root("Exim") {
        certificates(Software::EximGnutls);
    }
}

#[test]
fn exim_with_openssl_certificates() {
    if !left_out_without_root("Exim") && !left_out_without_exim_openssl() {
        certificates(Software::EximOpenssl);
    }
}

/// The releases of Debian 13 know post-quantum groups; [`newer_dovecot`] has its own.
#[test]
fn post_quantum_groups() {
    if left_out_without_root("a newer release") || left_out_without_newer("nginx, Apache and Postfix") {
        return;
    }
    for (software, classical) in [
        (Software::Nginx, &["ssl_ecdh_curve X25519:prime256v1;"][..]),
        (Software::Apache, &["SSLOpenSSLConfCmd Groups X25519:P-256"]),
        // By itself it names groups of its time.
        (Software::Postfix, &[]),
    ] {
        let scene = Scene::new(software, Keys::newer());
        let lines = scene.lines(scene.keys.identity(Auth::Ecdsa), &[sound(software), classical].concat());
        tried(&scene, &lines, &[("no_post_quantum", "")], "", &["--require", "pqc"]);
    }
}

/// What no build of Debian shows any more is shown by the scripted endpoint. Each program accepts all lines against it
/// and is sound with them.
#[test]
fn what_only_older_builds_show() {
    let keys_of_peer = Keys::new();
    let chain = [keys_of_peer.identity(Auth::Rsa).der.clone()];
    let peer = TlsPeer::start(
        TlsScript::new()
            .certificate(Auth::Rsa, &chain)
            .ssl2(&[0x01_0080, 0x07_00c0])
            .version(Version::Ssl3, &[0x0003, 0x0004, 0x0007, 0x0009, 0x000a, 0x0014])
            .version(Version::Tls12, &[0x0033, 0x0031, 0xc013])
            .groups(&[18])
            .dh_bits(512)
            .compression(1)
            .without_renegotiation_info()
            .without_extended_master_secret(),
    );
    let shown = "sslv2 sslv3 export rc4 low_strength small_block modest_strength dh_broken static_dh curve_small no_forward_secrecy cbc \
                 ffdhe compression no_secure_renegotiation no_extended_master_secret no_tls1_3 no_post_quantum \
                 certificate_untrusted";
    for software in [
        Software::Nginx,
        Software::Apache,
        Software::Postfix,
        Software::Dovecot23,
        Software::Dovecot24,
        Software::EximGnutls,
        Software::EximOpenssl,
    ] {
        let is_web = matches!(software, Software::Nginx | Software::Apache);
        if (!is_web && left_out_without_root("a mail server"))
            || (software == Software::EximOpenssl && left_out_without_exim_openssl())
            || (software == Software::Dovecot24 && left_out_without_newer("Dovecot 2.4"))
        {
            continue;
        }
        let scene = Scene::new(software, keys(software));
        let (before, _) = scene.check(peer.port(), "none", &[]);
        assert_eq!(ids(&before), words(shown));
        let mut lines = scene.lines(scene.keys.identity(Auth::Rsa), &[]);
        // An older library refuses the names of newer groups.
        for finding in before.values().filter(|one| one["id"] != "no_post_quantum") {
            let advice = scene.advice(finding);
            scene.prepare(finding, &advice);
            lines = set(&lines, &advice);
        }
        let (after, code) = scene.found(&lines, &[]);
        let left = if software == Software::Dovecot24 { "" } else { "no_post_quantum" };
        assert_eq!((ids(&after), code), (words(left), Some(State::Ok.code())), "{lines:?}");
    }
}

/// `-v` has each line once, for the programs that the port can be.
#[test]
fn lines_in_the_long_output() {
    let keys = Keys::new();
    let chain = [keys.identity(Auth::Rsa).der.clone()];
    let weak = TlsScript::new().certificate(Auth::Rsa, &chain).version(Version::Tls12, &[0x0005, 0xc02f]);
    let peer = TlsPeer::start(weak.clone());
    let behind = TlsPeer::start(weak.starttls(Protocol::Imap, Upgrade::Offered));
    let run = |port: u16, protocol: &str, more: &[&str]| {
        Check::new("check_weak_ciphers")
            .args(["-H", "127.0.0.1", "-p", &port.to_string(), "--no-cert", "--starttls", protocol])
            .args(more)
            .timeout(20.0)
            .gives(State::Critical, &["rc4"])
    };
    let whole = run(peer.port(), "none", &["-v"]);
    let about = |run: &Run| -> Vec<String> {
        run.parsed.long.iter().filter(|line| line.starts_with("advice ")).cloned().collect()
    };
    let lines = about(&whole);
    assert!(
        lines[0].starts_with("advice on cipher suites (rc4, no_forward_secrecy): on port 25"),
        "{lines:?}"
    );
    assert!(
        lines.contains(&"advice for nginx: ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20;".to_owned()),
        "{lines:?}"
    );
    // Notes are no reason to change anything.
    assert!(!lines.iter().any(|line| line.contains("TLS 1.3")), "{lines:?}");
    let imap = about(&run(behind.port(), "imap", &["-v"]));
    assert_eq!(imap[1..], ["advice for Dovecot: ssl_cipher_list = ECDHE+AESGCM:ECDHE+CHACHA20"]);
    assert!(about(&run(peer.port(), "none", &[])).is_empty());
}
