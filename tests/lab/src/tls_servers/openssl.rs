//! `openssl s_server` as a small web server: all that OpenSSL can do, one connection at a time.

use std::path::Path;
use std::process::Command;

use super::{Keys, TlsServer, Truth};
use crate::process::{prepared, program};
use crate::tls_script::{Auth, Version};

/// Truth of [`s_server`]: NULL, anonymous, Camellia, ARIA, CCM; no 3DES, RC4 or SSLv3.
pub const TRUTH: Truth =
    &[(Version::Tls10, 23), (Version::Tls11, 23), (Version::Tls12, 77), (Version::Tls13, 3)];
/// Truth of [`old`]: RC4, 3DES, IDEA and SEED as well, no EXPORT and no DES.
pub const OLD: Truth = &[
    (Version::Ssl3, 24),
    (Version::Tls10, 39),
    (Version::Tls11, 39),
    (Version::Tls12, 92),
    (Version::Tls13, 3),
];
/// Truth of [`hybrid`].
pub const HYBRID: Truth = &[(Version::Tls12, 27), (Version::Tls13, 3)];

/// Truth of [`with_psk`].
pub const PSK: Truth =
    &[(Version::Tls10, 36), (Version::Tls11, 36), (Version::Tls12, 60), (Version::Tls13, 3)];

const ALL: [&str; 2] = ["-cipher", "ALL:COMPLEMENTOFALL:!PSK:!SRP:@SECLEVEL=0"];

const HYBRID_GROUPS: &str = "X25519MLKEM768:SecP256r1MLKEM768:X25519:P-256:ffdhe2048";

/// Debian's, with an RSA and an EC certificate, a DH prime of 1024 bits and its own preference. While
/// a connection is open, even an idle one, all others wait.
#[must_use]
pub fn s_server(keys: &Keys) -> TlsServer {
    s_server_with(keys, &[])
}

/// The same with further arguments (`-Verify 1`, `-groups` ...); [`TlsServer::truth`] is that of [`s_server`].
#[must_use]
pub fn s_server_with(keys: &Keys, arguments: &[&str]) -> TlsServer {
    let openssl = program("openssl", "openssl");
    start(&openssl, keys, TRUTH, &[&ALL, &["-dhparam", text(&keys.dh_1024())], arguments].concat())
}

/// Debian's with a key that both sides know beforehand, alone and with RSA, DHE and ECDHE, for which it has a
/// hint.
#[must_use]
pub fn with_psk(keys: &Keys) -> TlsServer {
    let openssl = program("openssl", "openssl");
    let suites = ["-cipher", "kPSK:kRSAPSK:kDHEPSK:kECDHEPSK:@SECLEVEL=0"];
    let prime = keys.dh_1024();
    let psk = ["-psk", "1a2b3c4d5e6f", "-psk_hint", "lab", "-dhparam", text(&prime)];
    start(&openssl, keys, PSK, &[&suites[..], &psk].concat())
}

/// OpenSSL 1.1.1w with SSLv3 and all that was weak then, configured as [`s_server`].
#[must_use]
pub fn old(keys: &Keys) -> TlsServer {
    old_with(keys, &[])
}

/// The same with further arguments.
#[must_use]
pub fn old_with(keys: &Keys, arguments: &[&str]) -> TlsServer {
    let openssl = prepared("openssl-1.1.1w/openssl");
    start(&openssl, keys, OLD, &[&ALL, &["-dhparam", text(&keys.dh_1024())], arguments].concat())
}

/// OpenSSL 3.6.3 with its own choice of suites, which goes with a prime of 2048 bits at least, and hybrid
/// groups before the others.
#[must_use]
pub fn hybrid(keys: &Keys) -> TlsServer {
    let openssl = prepared("openssl-3.6.3/openssl");
    start(&openssl, keys, HYBRID, &["-groups", HYBRID_GROUPS, "-dhparam", text(&keys.dh_2048())])
}

/// Whether a scenario with [`old`] or [`hybrid`] has to be left out because this run does not build
/// OpenSSL (`tests/run` without `--full` sets `VEDETTE_WITHOUT_BUILT_OPENSSL`), and says so.
#[must_use]
pub fn left_out_without_built() -> bool {
    let without = std::env::var_os("VEDETTE_WITHOUT_BUILT_OPENSSL").is_some();
    if without {
        println!("LEFT OUT: OpenSSL 1.1.1 and 3.6 are built by tests/run --full");
    }
    without
}

fn start(openssl: &Path, keys: &Keys, truth: Truth, arguments: &[&str]) -> TlsServer {
    let (rsa, ec) = (keys.identity(Auth::Rsa), keys.identity(Auth::Ecdsa));
    TlsServer::start("openssl s_server", keys, truth, |port| {
        let mut command = Command::new(openssl);
        command
            .args(["s_server", "-accept", &format!("127.0.0.1:{port}"), "-www", "-quiet", "-serverpref"])
            .arg("-cert")
            .arg(&rsa.certificate)
            .arg("-key")
            .arg(&rsa.key)
            .arg("-dcert")
            .arg(&ec.certificate)
            .arg("-dkey")
            .arg(&ec.key)
            .args(arguments);
        command
    })
}

fn text(path: &Path) -> &str {
    path.to_str().expect("an ASCII path")
}
