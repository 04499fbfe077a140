//! What the tests of the advice share: a real server with lines of a configuration, what check_weak_ciphers finds on it,
//! and the same with the lines that it advises.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use lab::output::State;
use lab::process::{left_out_without_newer, left_out_without_root};
use lab::tls_script::Auth;
use lab::tls_servers::configured::{Software, left_out_without_exim_openssl, start};
use lab::tls_servers::{Identity, Keys};
use serde_json::Value;

use crate::Check;
use crate::ciphers::names;

/// A server and what it is called in the advice.
#[derive(Debug)]
pub struct Scene {
    software: Software,
    advised: &'static [&'static str],
    /// Authority and identities.
    pub keys: Keys,
}

/// Findings by their name.
pub type Findings = BTreeMap<String, Value>;

impl Scene {
    /// A server with these keys.
    #[must_use]
    pub fn new(software: Software, keys: Keys) -> Self {
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
    #[must_use]
    pub fn lines(&self, identity: &Identity, weak: &[&str]) -> Vec<String> {
        let path = |path: &Path| self.keys.inner(path).to_str().unwrap().to_owned();
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
    #[must_use]
    pub fn found(&self, lines: &[String], more: &[&str]) -> (Findings, Option<i32>) {
        let server = start(self.software, &self.keys, lines);
        self.check(server.port(), names(server.starttls()).0, more)
    }

    /// The same for any port.
    #[must_use]
    pub fn check(&self, port: u16, starttls: &str, more: &[&str]) -> (Findings, Option<i32>) {
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
    #[must_use]
    pub fn advice(&self, finding: &Value) -> Vec<String> {
        let by_program = finding["advice"].as_object().unwrap();
        let fitting: Vec<&Value> = self.advised.iter().filter_map(|name| by_program.get(*name)).collect();
        assert!(fitting.len() <= 1, "{finding}");
        let lines = fitting.into_iter().flat_map(|lines| lines.as_array().unwrap());
        lines.map(|line| self.own(line.as_str().unwrap())).collect()
    }

    /// Makes the files that the lines name, by the command in the note where it has one.
    pub fn prepare(&self, finding: &Value, advice: &[String]) {
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
#[must_use]
pub fn set(lines: &[String], advice: &[String]) -> Vec<String> {
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

/// Words between blanks.
#[must_use]
pub fn words(text: &str) -> BTreeSet<&str> {
    text.split_whitespace().collect()
}

/// The names of findings.
#[must_use]
pub fn ids(findings: &Findings) -> BTreeSet<&str> {
    findings.keys().map(String::as_str).collect()
}

/// Tries all advice on a server: each row has findings with the same lines, and what goes with them.
pub fn tried(scene: &Scene, lines: &[String], rows: &[(&str, &str)], left: &str, more: &[&str]) {
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

/// Keys where the program finds them.
#[must_use]
pub fn keys(software: Software) -> Keys {
    if software == Software::Dovecot24 { Keys::newer() } else { Keys::new() }
}

/// Lines that leave nothing to be found, but for groups.
#[must_use]
pub fn sound(software: Software) -> &'static [&'static str] {
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
            "tls_require_ciphers = NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-DHE-RSA:-SHA1:-SHA256:-SHA384",
        ],
    }
}

/// Whether a scenario has to be left out here, and says so.
#[must_use]
pub fn left_out(software: Software) -> bool {
    match software {
        Software::Nginx | Software::Apache => false,
        Software::Dovecot24 => left_out_without_root("Dovecot") || left_out_without_newer("Dovecot 2.4"),
        Software::EximOpenssl => left_out_without_root("Exim") || left_out_without_exim_openssl(),
        Software::Postfix | Software::Dovecot23 | Software::EximGnutls => {
            left_out_without_root("a mail server")
        }
    }
}

/// Every program.
pub const ALL: [Software; 7] = [
    Software::Nginx,
    Software::Apache,
    Software::Postfix,
    Software::Dovecot23,
    Software::Dovecot24,
    Software::EximGnutls,
    Software::EximOpenssl,
];
