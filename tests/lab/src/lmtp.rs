//! Dovecot's LMTP service on TCP and on a unix socket. It offers STARTTLS and no AUTH at all:
//! Dovecot's LMTP server implements no such command (answers `502 5.5.1`).

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::certs::{Authority, LeafOptions};
use crate::dovecot::{self, DovecotOptions};
use crate::process::{Daemon, free_port, program, require_root, shared_folder};

/// A running LMTP service; stops when dropped.
#[derive(Debug)]
pub struct Lmtp {
    // Before the folder, so that the daemon is stopped first.
    daemon: Daemon,
    folder: TempDir,
    port: u16,
    authority: Authority,
    ca_file: PathBuf,
}

impl Lmtp {
    /// Starts Dovecot and waits until it listens.
    #[must_use]
    pub fn start() -> Self {
        require_root("Dovecot");
        let _ = program("../lib/dovecot/lmtp", "dovecot-lmtpd");
        let (folder, port) = (shared_folder(), free_port());
        let authority = Authority::new("Lab Root CA");
        let ca_file = authority.write_ca(folder.path());
        let _ = authority.leaf(&LeafOptions::default()).write(folder.path(), "mail");
        let base = folder.path().display();
        let service = format!(
            "protocols = lmtp
hostname = mail.lab.test
mail_location = maildir:/nonexistent
ssl = yes
ssl_cert = <{base}/mail.pem
ssl_key = <{base}/mail.key
service lmtp {{
  inet_listener lmtp {{
    port = {port}
  }}
  unix_listener {base}/lmtp.sock {{
    mode = 0666
  }}
}}
"
        );
        let options = DovecotOptions::default();
        let config = dovecot::config_text(folder.path(), &options, None) + &service;
        dovecot::write_folder(folder.path(), &options, &config);
        let mut daemon = dovecot::spawn(folder.path());
        daemon.wait_listening(port);
        let lmtp = Self { daemon, folder, port, authority, ca_file };
        assert!(lmtp.socket().exists(), "no unix socket:\n{}", lmtp.log());
        lmtp
    }

    /// TCP port of 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// TCP address.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The unix socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("lmtp.sock")
    }

    /// PEM file with the root that signed the server's certificate.
    #[must_use]
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// The root itself.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Freezes the service.
    pub fn pause(&self) {
        self.daemon.pause();
    }

    /// Lets a frozen service go on.
    pub fn resume(&self) {
        self.daemon.resume();
    }

    /// Dovecot's log so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.daemon.log_text()
    }
}

impl Drop for Lmtp {
    fn drop(&mut self) {
        // A clean end takes a second and nothing here is worth it.
        self.daemon.kill_group();
    }
}
