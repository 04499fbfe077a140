//! Java 17 with everything enabled that it still contains: SSLv3, EXPORT, DES, RC4, NULL, anonymous.

use std::fs;
use std::process::Command;

use super::{Keys, TlsServer, Truth};
use crate::process::program;
use crate::tls_script::{Auth, Version};

/// Truth of [`server`]. For SSLv3: 6 EXPORT, 10 RC4, 4 DES, 7 NULL and 12 anonymous suites.
pub const TRUTH: Truth = &[
    (Version::Ssl3, 52),
    (Version::Tls10, 52),
    (Version::Tls11, 46),
    (Version::Tls12, 78),
    (Version::Tls13, 3),
];

/// Takes back every restriction.
const PROPERTIES: &str = "jdk.tls.disabledAlgorithms=
jdk.certpath.disabledAlgorithms=
jdk.tls.legacyAlgorithms=
";

/// Starts it with RSA, EC and DSA certificates. It serves connections in parallel, and takes some
/// seconds to start.
#[must_use]
pub fn server(keys: &Keys) -> TlsServer {
    server_with(keys, &[])
}

/// The same with further system properties (`-Dname=value`).
#[must_use]
pub fn server_with(keys: &Keys, properties: &[&str]) -> TlsServer {
    let further = properties;
    let stores = [Auth::Rsa, Auth::Ecdsa, Auth::Dsa].map(|auth| keys.pkcs12(auth));
    TlsServer::start("java", keys, TRUTH, |port| {
        let folder = keys.folder().join(format!("java-{port}"));
        fs::create_dir(&folder).expect("the lab's folder is writable");
        let (properties, source) = (folder.join("weak.properties"), folder.join("WeakServer.java"));
        fs::write(&properties, PROPERTIES).expect("the lab's folder is writable");
        fs::write(&source, include_str!("WeakServer.java")).expect("the lab's folder is writable");
        let mut command = Command::new(program("java", "openjdk-17-jdk-headless"));
        command
            .args(["-XX:+UseSerialGC", "-Xshare:auto", "-Xmx128m"])
            .arg("-Djava.net.preferIPv4Stack=true")
            .args(further)
            .arg(format!("-Djava.security.properties={}", properties.display()))
            .arg(source)
            .arg(port.to_string())
            .args(stores);
        command
    })
}
