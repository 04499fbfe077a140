//! vsftpd, which changes to TLS by AUTH TLS.

use std::fs;
use std::process::Command;

use super::{Keys, TlsServer, Truth};
use crate::process::{program, require_root};
use crate::tls_script::{Auth, Protocol, Version};

/// Truth of [`server`].
pub const TRUTH: Truth = &[(Version::Tls12, 1), (Version::Tls13, 3)];

/// Starts it as Debian has it, with TLS and an RSA certificate.
#[must_use]
pub fn server(keys: &Keys) -> TlsServer {
    require_root("vsftpd");
    let server = TlsServer::start("vsftpd", keys, TRUTH, |port| {
        let folder = keys.folder().join(format!("vsftpd-{port}"));
        let identity = keys.identity(Auth::Rsa);
        let (certificate, key, base) =
            (identity.certificate.display(), identity.key.display(), folder.display());
        let text = format!(
            "listen=YES
listen_address=127.0.0.1
listen_port={port}
background=NO
anonymous_enable=YES
secure_chroot_dir={base}
ssl_enable=YES
allow_anon_ssl=YES
rsa_cert_file={certificate}
rsa_private_key_file={key}
"
        );
        fs::create_dir(&folder).expect("the lab's folder is writable");
        let config = keys.folder().join(format!("vsftpd-{port}.conf"));
        fs::write(&config, text).expect("the lab's folder is writable");
        let mut command = Command::new(program("vsftpd", "vsftpd"));
        command.arg(config);
        command
    });
    server.behind(Protocol::Ftp)
}
