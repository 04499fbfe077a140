//! tlslite-ng, a TLS stack in Python of its own, in the environment that `tests/run` makes.

use std::fs;
use std::process::Command;

use super::{Keys, TlsServer, Truth};
use crate::process::prepared;
use crate::tls_script::Version;

/// Truth of [`weak`].
pub const WEAK: Truth =
    &[(Version::Ssl3, 15), (Version::Tls10, 15), (Version::Tls11, 15), (Version::Tls12, 38)];
/// Truth of [`hybrid`].
pub const HYBRID: Truth = &[(Version::Tls12, 7), (Version::Tls13, 4)];

/// Everything up to TLS 1.2 that it can do with an RSA certificate: NULL, RC4, 3DES, CCM.
#[must_use]
pub fn weak(keys: &Keys) -> TlsServer {
    start(keys, WEAK, "weak")
}

/// Forward secrecy and AEAD only, X25519MLKEM768 before X25519.
#[must_use]
pub fn hybrid(keys: &Keys) -> TlsServer {
    start(keys, HYBRID, "hybrid")
}

/// Whether a scenario has to be left out because `tests/run` could not install tlslite-ng (it
/// sets `VEDETTE_WITHOUT_TLSLITE`), and says so.
#[must_use]
pub fn left_out_without_tlslite() -> bool {
    let without = std::env::var_os("VEDETTE_WITHOUT_TLSLITE").is_some();
    if without {
        println!("LEFT OUT: tlslite-ng could not be installed");
    }
    without
}

fn start(keys: &Keys, truth: Truth, profile: &str) -> TlsServer {
    TlsServer::start("tlslite-ng", keys, truth, |port| {
        let source = keys.folder().join("tlslite_server.py");
        fs::write(&source, include_str!("tlslite_server.py")).expect("the lab's folder is writable");
        let mut command = Command::new(prepared("tlslite/bin/python"));
        command.arg(source).arg(port.to_string()).arg(keys.folder()).arg(profile);
        command
    })
}
