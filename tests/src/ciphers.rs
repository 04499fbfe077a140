//! What the tests of check_weak_ciphers on real servers share: the call, its JSON document, and what
//! nmap says about the same server.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use lab::plugin::{Outcome, Plugin};
use lab::process::program;
use lab::tls_script::{Protocol, Version};
use lab::tls_servers::TlsServer;
use serde_json::Value;

use crate::Check;

/// Version and code of a suite.
pub type Pairs = BTreeSet<(Version, u16)>;

/// The version as the document and nmap write it.
const VERSIONS: [(Version, &str, &str); 5] = [
    (Version::Ssl3, "SSLv3", "SSLv3"),
    (Version::Tls10, "TLS1.0", "TLSv1.0"),
    (Version::Tls11, "TLS1.1", "TLSv1.1"),
    (Version::Tls12, "TLS1.2", "TLSv1.2"),
    (Version::Tls13, "TLS1.3", "TLSv1.3"),
];

/// As `--starttls` and nmap's list of services call a protocol.
#[must_use]
pub fn names(protocol: Option<Protocol>) -> (&'static str, &'static str) {
    match protocol {
        None => ("none", "https"),
        Some(Protocol::Smtp) => ("smtp", "smtp"),
        Some(Protocol::Lmtp) => ("lmtp", "lmtp"),
        Some(Protocol::Imap) => ("imap", "imap"),
        Some(Protocol::Pop3) => ("pop3", "pop3"),
        Some(Protocol::Ftp) => ("ftp", "ftp"),
        Some(Protocol::Ldap) => ("ldap", "ldap"),
        Some(Protocol::Postgres) => ("postgres", "postgresql"),
        Some(Protocol::MySql) => ("mysql", "mysql"),
        Some(Protocol::XmppClient) => ("xmpp-client", "xmpp"),
        Some(Protocol::XmppServer) => ("xmpp-server", "xmpp"),
        Some(Protocol::Sieve) => ("sieve", "sieve"),
        Some(Protocol::Nntp) => ("nntp", "nntp"),
        Some(Protocol::Irc) => ("irc", "irc"),
        Some(Protocol::Rdp) => ("rdp", "ms-wbt-server"),
        Some(Protocol::Telnet) => ("telnet", "telnet"),
    }
}

/// Whether nmap gets to TLS by this protocol. It asks an XMPP server for the name that the resolver has for its address.
#[must_use]
pub fn nmap_speaks(protocol: Option<Protocol>) -> bool {
    !matches!(
        protocol,
        Some(
            Protocol::XmppClient
                | Protocol::XmppServer
                | Protocol::Sieve
                | Protocol::Irc
                | Protocol::Rdp
                | Protocol::Telnet
        )
    )
}

/// Arguments for a port of 127.0.0.1 where the lab's certificates are, which no system trusts.
#[must_use]
pub fn arguments(port: u16, protocol: Option<Protocol>) -> Vec<String> {
    let port = port.to_string();
    ["-H", "127.0.0.1", "-p", &port, "--sni", "tls.test", "--no-cert", "--starttls", names(protocol).0]
        .map(str::to_owned)
        .to_vec()
}

/// The check with these [`arguments`] and its [`Document`].
#[must_use]
pub fn check(port: u16, protocol: Option<Protocol>) -> Check {
    Check::new("check_weak_ciphers").args(arguments(port, protocol)).args(["--output", "json"]).timeout(60.0)
}

/// `data` of `--output json`.
#[derive(Clone, Debug)]
pub struct Document {
    data: Value,
    report: String,
}

impl Document {
    /// Of a run that ended by itself.
    #[must_use]
    pub fn of(outcome: &Outcome) -> Self {
        let report = outcome.report();
        let mut whole: Value =
            serde_json::from_str(&outcome.text()).unwrap_or_else(|e| panic!("{e}\n{report}"));
        Self { data: whole["data"].take(), report }
    }

    /// What a JSON pointer leads to.
    #[must_use]
    pub fn at(&self, pointer: &str) -> &Value {
        self.data.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}\n{}", self.report))
    }

    /// Pairs of the only port. Versions without suites must not be offered, and every name must be the one of its
    /// code in the registry.
    #[must_use]
    pub fn pairs(&self) -> Pairs {
        let codes = registry();
        let mut pairs = Pairs::new();
        for protocol in list(self.at("/ports/0/protocols")) {
            let suites = list(&protocol["suites"]);
            assert_eq!(protocol["offered"], !suites.is_empty(), "{}", self.report);
            let version = VERSIONS.iter().find(|(_, name, _)| protocol["version"] == *name);
            let Some((version, _, _)) = version else {
                assert!(protocol["version"] == "SSLv2" && suites.is_empty(), "{}", self.report);
                continue;
            };
            for suite in suites {
                let code =
                    text(&suite["code"]).strip_prefix("0x").and_then(|hex| u16::from_str_radix(hex, 16).ok());
                let code = code.unwrap_or_else(|| panic!("{suite} has no code"));
                assert_eq!(codes.get(text(&suite["name"])), Some(&code), "{suite}");
                assert!(pairs.insert((*version, code)), "{suite} twice");
            }
        }
        pairs
    }

    /// Findings of the only port that are worse than OK, with their state.
    #[must_use]
    pub fn findings(&self) -> BTreeMap<String, String> {
        let findings = list(self.at("/ports/0/findings")).iter();
        let worse = findings.filter(|finding| finding["state"] != "OK");
        worse.map(|finding| (text(&finding["id"]).to_owned(), text(&finding["state"]).to_owned())).collect()
    }

    /// The run, for messages.
    #[must_use]
    pub fn report(&self) -> &str {
        &self.report
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Arguments for nmap's ssl-enum-ciphers. By the name of the service, for which it gets a list of its own in
/// this folder, it knows what to say before TLS; it scans all ports of the list.
#[must_use]
pub fn nmap_arguments(folder: &Path, port: u16, protocol: Option<Protocol>) -> Vec<String> {
    let services = folder.join(format!("services-{port}"));
    fs::write(&services, format!("{}\t{port}/tcp\t0.5\n", names(protocol).1)).unwrap();
    let list = services.to_str().expect("an ASCII path");
    let scan = ["-Pn", "-n", "-sT", "--servicedb", list, "--script", "ssl-enum-ciphers"];
    let rest = ["--script-args", "tls.servername=tls.test", "-oX", "-", "127.0.0.1"];
    scan.iter().chain(&rest).map(|&word| word.to_owned()).collect()
}

/// What nmap's ssl-enum-ciphers lists.
#[must_use]
pub fn nmap(server: &TlsServer) -> Pairs {
    let folder = tempfile::tempdir().unwrap();
    let outcome = Plugin::at(program("nmap", "nmap"))
        .args(nmap_arguments(folder.path(), server.port(), server.starttls()))
        .limit(Duration::from_mins(2))
        .run();
    assert!(!outcome.timed_out, "{}", outcome.report());
    let codes = registry();
    let mut pairs = Pairs::new();
    let mut version = None;
    for element in outcome.text().split('<') {
        if let Some(key) = value_of(element, "table key=\"") {
            version =
                VERSIONS.iter().find(|(_, _, name)| *name == key).map(|(version, _, _)| *version).or(version);
        } else if let Some(name) = element.strip_prefix("elem key=\"name\">") {
            let name = name.replace("TLS_AKE_WITH_", "TLS_");
            let code = codes.get(&name).unwrap_or_else(|| panic!("{name} is in no registry"));
            pairs.insert((version.expect("a version comes first"), *code));
        }
    }
    assert!(!pairs.is_empty(), "nmap found nothing\n{}", outcome.report());
    pairs
}

fn value_of<'a>(element: &'a str, start: &str) -> Option<&'a str> {
    element.strip_prefix(start)?.split('"').next()
}

/// Codes by name: IANA's registry and what stands besides it.
fn registry() -> BTreeMap<String, u16> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/check_weak_ciphers/data");
    let mut codes = BTreeMap::new();
    for file in ["tls-parameters-4.csv", "extra-suites.csv"] {
        let text = fs::read_to_string(format!("{folder}/{file}")).unwrap();
        for row in text.lines() {
            // `"0xC0,0x2F",NAME,..` and `0x0047,NAME,..`; ranges and headers are neither.
            let row = row.replace("\",", ",").replace("\"0x", "0x").replacen(",0x", "", 1);
            let Some((code, rest)) = row.split_once(',') else { continue };
            let code = code.strip_prefix("0x").filter(|hex| hex.len() == 4);
            let Some(code) = code.and_then(|hex| u16::from_str_radix(hex, 16).ok()) else { continue };
            codes.insert(rest.split(',').next().unwrap_or_default().to_owned(), code);
        }
    }
    codes
}

/// What is only in one of two sets, for messages; empty when they are equal.
#[must_use]
pub fn difference(ours: &Pairs, theirs: &Pairs) -> String {
    let mut lines = String::new();
    for (who, these, those) in [("only ours", ours, theirs), ("only theirs", theirs, ours)] {
        for (version, code) in these.difference(those) {
            let _ = writeln!(lines, "{who}: {version:?} {code:04x}");
        }
    }
    lines
}
