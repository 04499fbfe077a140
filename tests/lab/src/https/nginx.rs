//! nginx with a policy.

use std::fs;
use std::net::{IpAddr, SocketAddr};

use tempfile::TempDir;

use super::POLICY_PATH;
use crate::certs::Leaf;
use crate::process::{Daemon, Group, free_port, shared_folder};
use crate::tls_servers::nginx;

/// A running nginx; stops when dropped.
#[derive(Debug)]
pub struct PolicyHost {
    // Before the folder, so that the daemon is stopped first.
    daemon: Daemon,
    folder: TempDir,
    address: SocketAddr,
}

impl PolicyHost {
    /// Serves the policy with this certificate at a free port of these addresses, and 404 beside it.
    #[must_use]
    pub fn start(leaf: &Leaf, policy: &str, listen: &[IpAddr]) -> Self {
        let folder = shared_folder();
        let base = folder.path();
        let (chain, key) = leaf.write(base, "site");
        fs::create_dir(base.join(".well-known")).expect("the lab's folder is writable");
        fs::write(base.join(&POLICY_PATH[1..]), policy).expect("the lab's folder is writable");
        let port = free_port();
        let at: String =
            listen.iter().map(|ip| format!("listen {} ssl;\n        ", SocketAddr::new(*ip, port))).collect();
        let server = format!(
            "{at}ssl_certificate {};
        ssl_certificate_key {};
        default_type text/plain;
        location = {POLICY_PATH} {{ root {}; }}
        location / {{ return 404; }}",
            chain.display(),
            key.display(),
            base.display()
        );
        let command = nginx::command(base, &server);
        let mut daemon = Daemon::spawn("nginx", command, Group::FromLab, &base.join("log"));
        let address = SocketAddr::new(listen[0], port);
        daemon.wait_port(address);
        Self { daemon, folder, address }
    }

    /// Where it listens first.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Port of all its addresses.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Lines about requests so far, in nginx's format.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        let log = fs::read_to_string(self.folder.path().join("access.log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }

    /// What it complains about.
    #[must_use]
    pub fn log(&self) -> String {
        self.daemon.log_text()
    }
}
