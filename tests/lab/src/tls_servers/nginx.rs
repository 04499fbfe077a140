//! nginx, from the package of Debian, in some configurations.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Identity, Keys, TlsServer, Truth};
use crate::process::program;
use crate::tls_script::{Auth, Version};

/// Truth of [`debian`].
pub const DEBIAN: Truth = &[(Version::Tls12, 27)];
/// Truth of [`all_suites`].
pub const ALL_SUITES: Truth =
    &[(Version::Tls10, 10), (Version::Tls11, 10), (Version::Tls12, 29), (Version::Tls13, 3)];
/// Truth of [`intermediate`].
pub const INTERMEDIATE: Truth = &[(Version::Tls12, 6), (Version::Tls13, 3)];

/// The suites of TLS 1.2 that [`intermediate`] takes with its RSA key.
pub const INTERMEDIATE_SUITES: [u16; 6] = [0x009e, 0x009f, 0xc02f, 0xc030, 0xcca8, 0xccaa];

/// With nothing configured but an RSA certificate: TLS 1.2 only, for the built-in list of 1.22 has no
/// 1.3, and 1.0 and 1.1 fail with alert 80 at Debian's security level.
#[must_use]
pub fn debian(keys: &Keys) -> TlsServer {
    start(keys, DEBIAN, &certificate(keys, Auth::Rsa))
}

/// Every version and suite that Debian's OpenSSL can do with an EC certificate, and a DH prime of 1024 bits.
#[must_use]
pub fn all_suites(keys: &Keys) -> TlsServer {
    let lines = format!(
        "ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3;
        ssl_ciphers ALL:COMPLEMENTOFALL:!PSK:@SECLEVEL=0;
        ssl_dhparam {};
        {}",
        keys.dh_1024().display(),
        certificate(keys, Auth::Ecdsa)
    );
    start(keys, ALL_SUITES, &lines)
}

/// What Mozilla recommends for general use, with an RSA certificate.
#[must_use]
pub fn intermediate(keys: &Keys) -> TlsServer {
    let suites = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:\
        ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:\
        DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:DHE-RSA-CHACHA20-POLY1305";
    let lines = format!(
        "ssl_protocols TLSv1.2 TLSv1.3;
        ssl_ciphers {suites};
        ssl_prefer_server_ciphers off;
        ssl_dhparam {};
        {}",
        keys.dh_2048().display(),
        certificate(keys, Auth::Rsa)
    );
    start(keys, INTERMEDIATE, &lines)
}

/// A configuration of Mozilla's generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mozilla {
    /// TLS 1.3 only.
    Modern,
    /// For general use.
    Intermediate,
    /// For clients that nobody has any more.
    Old,
}

impl Mozilla {
    /// What is taken with the key each is made for: EC, EC and RSA.
    const fn truth(self) -> Truth {
        match self {
            Self::Modern => &[(Version::Tls13, 3)],
            Self::Intermediate => &[(Version::Tls12, 3), (Version::Tls13, 3)],
            Self::Old => {
                &[(Version::Tls10, 4), (Version::Tls11, 4), (Version::Tls12, 13), (Version::Tls13, 3)]
            }
        }
    }
}

/// As the generator writes it for this nginx and an OpenSSL before 3.5, by the guidelines 5.8 and 6.0.
#[must_use]
pub fn mozilla(keys: &Keys, level: Mozilla, identity: &Identity) -> TlsServer {
    let sound = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:\
        ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
    let older = ":ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:\
        ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES256-SHA384:ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA:\
        AES128-GCM-SHA256:AES256-GCM-SHA384:AES128-SHA256:AES256-SHA256:AES128-SHA:AES256-SHA:DES-CBC3-SHA:\
        @SECLEVEL=0";
    let (versions, suites, server_decides) = match level {
        Mozilla::Modern => ("TLSv1.3", None, "off"),
        Mozilla::Intermediate => ("TLSv1.2 TLSv1.3", Some(sound.to_owned()), "off"),
        Mozilla::Old => ("TLSv1 TLSv1.1 TLSv1.2 TLSv1.3", Some(format!("{sound}{older}")), "on"),
    };
    let suites = suites.map(|suites| format!("ssl_ciphers {suites};")).unwrap_or_default();
    let lines = format!(
        "ssl_protocols {versions};
        ssl_ecdh_curve X25519:prime256v1:secp384r1;
        {suites}
        ssl_prefer_server_ciphers {server_decides};
        {}",
        files(identity)
    );
    start(keys, level.truth(), &lines)
}

fn certificate(keys: &Keys, auth: Auth) -> String {
    files(keys.identity(auth))
}

fn files(identity: &Identity) -> String {
    let (certificate, key) = (identity.certificate.display(), identity.key.display());
    format!("ssl_certificate {certificate};\n        ssl_certificate_key {key};")
}

fn start(keys: &Keys, truth: Truth, tls: &str) -> TlsServer {
    TlsServer::start("nginx", keys, truth, |port| {
        let folder = keys.folder().join(format!("nginx-{port}"));
        fs::create_dir(&folder).expect("the lab's folder is writable");
        let server = format!("listen 127.0.0.1:{port} ssl;\n{tls}\nlocation / {{ return 204; }}");
        command(&folder, &server)
    })
}

/// nginx with all it writes in an empty folder of its own and with one server block.
pub(crate) fn command(folder: &Path, server: &str) -> Command {
    let base = folder.display();
    let temporary = ["client_body", "proxy", "fastcgi", "scgi", "uwsgi"];
    let temporary = temporary.map(|name| format!("    {name}_temp_path {base}/{name};\n")).concat();
    // One process in the foreground that changes no user: it needs neither root nor an account.
    let text = format!(
        "daemon off;
master_process off;
pid {base}/pid;
error_log stderr;
events {{}}
http {{
    access_log {base}/access.log;
{temporary}    server {{
        {server}
    }}
}}
"
    );
    let config = folder.join("nginx.conf");
    fs::write(&config, text).expect("the lab's folder is writable");
    let mut command = Command::new(program("nginx", "nginx-light"));
    command.arg("-p").arg(folder).arg("-c").arg(config).arg("-e").arg("stderr");
    command
}
