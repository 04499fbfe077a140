//! A real Dovecot that does nothing but authenticate: the SASL server behind Postfix.
//!
//! Its auth penalty is off by default: with it one wrong password makes every login from the
//! same address wait for seconds, and the address of all tests is the same.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use tempfile::TempDir;

use crate::process::{Daemon, Group, free_port, program, require_root, shared_folder};

/// What a [`Dovecot`] knows and how it behaves. The default knows the user `probe` with the
/// password `secret` and offers PLAIN, LOGIN and CRAM-MD5.
#[derive(Clone, Debug)]
pub struct DovecotOptions {
    /// Mechanisms in Dovecot's spelling (lower case).
    pub mechanisms: Vec<String>,
    /// Passwords by user; a user name has no colon.
    pub users: BTreeMap<String, String>,
    /// Whether failed logins slow later ones from the same address down.
    pub auth_penalty: bool,
    /// Wait before a failure is told; Dovecot's own default is two seconds.
    pub failure_delay: Duration,
}

impl Default for DovecotOptions {
    fn default() -> Self {
        Self {
            mechanisms: ["plain", "login", "cram-md5"].map(str::to_owned).to_vec(),
            users: BTreeMap::from([("probe".to_owned(), "secret".to_owned())]),
            auth_penalty: false,
            failure_delay: Duration::ZERO,
        }
    }
}

/// A running SASL server; stops when dropped.
#[derive(Debug)]
pub struct Dovecot {
    // Before the folder, so that the daemon is stopped first.
    daemon: Option<Daemon>,
    folder: TempDir,
    port: u16,
}

impl Dovecot {
    /// Starts Dovecot and waits until it answers.
    #[must_use]
    pub fn start(options: &DovecotOptions) -> Self {
        require_root("Dovecot");
        let folder = shared_folder();
        let port = free_port();
        write_users(folder.path(), &options.users);
        let config = config_text(folder.path(), port, options);
        fs::write(folder.path().join("dovecot.conf"), config).expect("the lab's folder is writable");
        for name in ["run", "state"] {
            fs::create_dir(folder.path().join(name)).expect("the lab's folder is writable");
        }
        let mut dovecot = Self { daemon: None, folder, port };
        dovecot.resume_service();
        dovecot
    }

    /// TCP port of 127.0.0.1 for Postfix's `smtpd_sasl_path=inet:...`.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Takes the service down; connections to its port are refused from then on.
    pub fn stop_service(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            // A clean end takes a second and nothing here is worth it. Asked first and killed
            // while it obeys, Dovecot 2.3 leaves its folder in a state in which the next
            // master listens and never starts its auth process.
            daemon.kill_group();
        }
    }

    /// Brings the service back on the same port.
    pub fn resume_service(&mut self) {
        if self.daemon.is_some() {
            return;
        }
        let mut command = Command::new(program("dovecot", "dovecot-core"));
        command.arg("-F").arg("-c").arg(self.folder.path().join("dovecot.conf"));
        let log = self.folder.path().join("dovecot.log");
        let mut daemon = Daemon::spawn("dovecot", command, Group::FromLab, &log);
        daemon.wait_port(self.addr());
        self.daemon = Some(daemon);
    }

    /// Freezes the service: it accepts connections and never answers.
    pub fn pause(&self) {
        self.daemon.as_ref().expect("the service is up").pause();
    }

    /// Lets a frozen service go on.
    pub fn resume(&self) {
        self.daemon.as_ref().expect("the service is up").resume();
    }

    /// Dovecot's log so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("dovecot.log")).unwrap_or_default()
    }

    fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        self.stop_service();
    }
}

/// Passwords are written in base64, so that they may contain colons and braces.
fn write_users(folder: &Path, users: &BTreeMap<String, String>) {
    let mut text = String::new();
    for (user, password) in users {
        let _ = writeln!(text, "{user}:{{PLAIN.b64}}{}", BASE64.encode(password));
    }
    fs::write(folder.join("users"), text).expect("the lab's folder is writable");
}

fn config_text(folder: &Path, port: u16, options: &DovecotOptions) -> String {
    let base = folder.display();
    let mechanisms = options.mechanisms.join(" ");
    let delay = options.failure_delay.as_secs();
    let penalty = if options.auth_penalty { "" } else { PENALTY_OFF };
    format!(
        "base_dir = {base}/run
state_dir = {base}/state
log_path = /dev/stderr
protocols =
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = {mechanisms}
auth_username_chars =
auth_failure_delay = {delay} secs
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {base}/users
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home=/nonexistent
}}
service auth {{
  inet_listener {{
    address = 127.0.0.1
    port = {port}
  }}
}}
{penalty}"
    )
}

const PENALTY_OFF: &str = "service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
";
