//! Servers with faults in their code, as they were released: with OpenSSL 1.0.1 before it was mended, and a TLS stack in
//! Python. What makes them faulty is theirs; `tests/run` installs them from the registries of npm and PyPI.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Keys, TlsServer, Truth};
use crate::process::{prepared, program};
use crate::tls_script::{Auth, Version};

/// A release of Node.js, by what is wrong with the OpenSSL in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    /// 0.10.0 with OpenSSL 1.0.1e: Heartbleed (CVE-2014-0160) and CCS injection (CVE-2014-0224).
    Heartbleed,
    /// 0.10.2 with the same OpenSSL, without heartbeats: CCS injection.
    Ccs,
    /// 0.10.48 with OpenSSL 1.0.1u: neither.
    Mended,
}

impl Node {
    const fn folder(self) -> &'static str {
        match self {
            Self::Heartbleed => "node-heartbleed",
            Self::Ccs => "node-ccs",
            Self::Mended => "node-mended",
        }
    }
}

/// Truth of [`node`] with a single suite that all versions have.
pub const NODE: Truth = &[(Version::Tls10, 1), (Version::Tls11, 1), (Version::Tls12, 1)];

/// A web server that speaks TLS 1.0 and up to this version, with suites as for `openssl ciphers`. It says no by ending the
/// connection, without an alert.
#[must_use]
pub fn node(keys: &Keys, release: Node, newest: Version, suites: &str) -> TlsServer {
    TlsServer::start("node", keys, NODE, |port| {
        let source = keys.folder().join("node_server.js");
        fs::write(&source, include_str!("node_server.js")).expect("the lab's folder is writable");
        let identity = keys.identity(Auth::Rsa);
        let mut command = Command::new(prepared(&format!("node/node_modules/{}/bin/node", release.folder())));
        command.arg(source).arg(port.to_string()).arg(&identity.certificate).arg(&identity.key).arg(suites);
        command.arg(match newest {
            Version::Tls10 => "1.0",
            Version::Tls11 => "1.1",
            _ => "1.2",
        });
        command
    })
}

/// Whether a scenario with [`node`] has to be left out because `tests/run` could not install it (it sets
/// `VEDETTE_WITHOUT_OLD_NODE`), and says so.
#[must_use]
pub fn left_out_without_old_node() -> bool {
    left_out("VEDETTE_WITHOUT_OLD_NODE", "old releases of Node.js")
}

/// Truth of [`tlslite`]: AES-CBC and RC4 with RSA key exchange.
pub const OLD_TLSLITE: Truth = &[(Version::Tls10, 3), (Version::Tls11, 3), (Version::Tls12, 5)];

/// tlslite 0.4.9 as it comes. A premaster secret with wrong padding ends the connection, one with right padding an alert.
#[must_use]
pub fn tlslite(keys: &Keys) -> TlsServer {
    TlsServer::start("tlslite", keys, OLD_TLSLITE, |port| {
        let source = keys.folder().join("old_tlslite_server.py");
        fs::write(&source, include_str!("old_tlslite_server.py")).expect("the lab's folder is writable");
        let identity = keys.identity(Auth::Rsa);
        let key = traditional(&identity.key, &keys.folder().join("rsa.traditional.key"));
        let mut command = Command::new(prepared("tlslite-old/bin/python"));
        command.arg(source).arg(port.to_string()).arg(&identity.certificate).arg(key);
        command
    })
}

/// Whether a scenario with [`tlslite`] has to be left out because `tests/run` could not install it (it sets
/// `VEDETTE_WITHOUT_OLD_TLSLITE`), and says so.
#[must_use]
pub fn left_out_without_old_tlslite() -> bool {
    left_out("VEDETTE_WITHOUT_OLD_TLSLITE", "tlslite 0.4")
}

fn left_out(variable: &str, what: &str) -> bool {
    let without = std::env::var_os(variable).is_some();
    if without {
        println!("LEFT OUT: {what} could not be installed");
    }
    without
}

/// The same RSA key as PKCS#1, which is older than PKCS#8.
fn traditional(key: &Path, to: &Path) -> PathBuf {
    let mut command = Command::new(program("openssl", "openssl"));
    command.args(["rsa", "-traditional", "-in"]).arg(key).arg("-out").arg(to);
    let output = command.output().expect("openssl can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    to.to_owned()
}
