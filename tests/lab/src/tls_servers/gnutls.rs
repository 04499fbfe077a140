//! `gnutls-serv`: TLS 1.0 to 1.3 with RC4 and 3DES, one connection at a time.
//!
//! It cannot be told an address and listens on all of them.

use std::process::Command;

use super::{Keys, TlsServer, Truth};
use crate::process::program;
use crate::tls_script::{Auth, Version};

/// Truth of [`gnutls_serv`].
pub const TRUTH: Truth =
    &[(Version::Tls10, 30), (Version::Tls11, 30), (Version::Tls12, 65), (Version::Tls13, 5)];

/// Adding NULL as well would take TLS 1.3 away (alert 40).
const PRIORITY: &str = "NORMAL:+VERS-ALL:-VERS-DTLS-ALL:+3DES-CBC:+ARCFOUR-128:+MD5:+RSA:+DHE-RSA:+ANON-DH:+ANON-ECDH:\
    +CAMELLIA-128-CBC:+CAMELLIA-256-CBC:+CAMELLIA-128-GCM:+CAMELLIA-256-GCM:+AES-128-CCM-8:+AES-256-CCM-8";

/// Starts it with an RSA and an EC certificate and ffdhe2048.
#[must_use]
pub fn gnutls_serv(keys: &Keys) -> TlsServer {
    gnutls_serv_with(keys, "", &[])
}

/// The same with more in its priority string (`:%NAME`) and further arguments.
#[must_use]
pub fn gnutls_serv_with(keys: &Keys, priority: &str, arguments: &[&str]) -> TlsServer {
    TlsServer::start("gnutls-serv", keys, TRUTH, |port| {
        let mut command = Command::new(program("gnutls-serv", "gnutls-bin"));
        command.args(["-p", &port.to_string(), "--http", "--quiet", "--priority"]);
        command.arg(format!("{PRIORITY}{priority}")).args(arguments);
        for auth in [Auth::Rsa, Auth::Ecdsa] {
            let identity = keys.identity(auth);
            command.arg("--x509certfile").arg(&identity.certificate).arg("--x509keyfile").arg(&identity.key);
        }
        command.arg("--dhparams").arg(keys.dh_2048()).env("GNUTLS_SYSTEM_PRIORITY_FILE", "/dev/null");
        command
    })
}
