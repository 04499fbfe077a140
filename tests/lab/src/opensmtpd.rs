//! A real OpenSMTPD as mail exchanger of `lab.test`: it takes mail for `probe` and `postmaster`, and
//! keeps it in its queue. No TLS: Debian's build fails every handshake.
//!
//! Its package conflicts with Postfix, so `tests/run` unpacks it below the target folder. It wants
//! accounts, a spool and a control socket of its own in fixed places, which it gets in mounts of its
//! own. Observed with OpenSMTPD 6.8: refusals have no enhanced code, except for bad syntax.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::process::{Daemon, Group, free_port, has_ipv6, prepared, program, require_root, shared_folder};

/// A running OpenSMTPD; stops when dropped.
#[derive(Debug)]
pub struct OpenSmtpd {
    // Before the folder, so that the daemon is stopped first.
    daemon: Daemon,
    _folder: TempDir,
    port: u16,
}

impl OpenSmtpd {
    /// Starts it and waits until it listens.
    #[must_use]
    pub fn start() -> Self {
        require_root("OpenSMTPD");
        let (binary, libraries) = (prepared("opensmtpd/smtpd"), prepared("opensmtpd/lib"));
        let folder = shared_folder();
        let port = free_port();
        write_accounts(folder.path());
        fs::write(folder.path().join("smtpd.conf"), config_text(port)).expect("the lab's folder is writable");
        let mut command = Command::new(program("unshare", "util-linux"));
        command
            .args(["--mount", "--propagation", "private", "sh", "-ec", MOUNTS])
            .args([folder.path(), &binary])
            .env("LD_LIBRARY_PATH", libraries);
        let log = folder.path().join("log");
        let mut daemon = Daemon::spawn("opensmtpd", command, Group::FromLab, &log);
        daemon.wait_listening(port);
        Self { daemon, _folder: folder, port }
    }

    /// Port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// IPv4 address.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// IPv6 address; answers when [`has_ipv6`].
    #[must_use]
    pub fn addr_v6(&self) -> SocketAddr {
        (Ipv6Addr::LOCALHOST, self.port).into()
    }

    /// Freezes all of OpenSMTPD.
    pub fn pause(&self) {
        self.daemon.pause();
    }

    /// Lets a frozen OpenSMTPD go on.
    pub fn resume(&self) {
        self.daemon.resume();
    }

    /// Its log so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.daemon.log_text()
    }

    /// Stops it before its handle goes, e.g. to see a closed port.
    pub fn stop(&mut self) {
        self.daemon.stop_within(Duration::from_secs(2));
    }
}

/// Replaces itself by the daemon, whose folder is `$0` and whose program is `$1`.
const MOUNTS: &str = r#"
mount --bind "$0/passwd" /etc/passwd
mount --bind "$0/group" /etc/group
for place in /run /var/lib /var/spool; do
    mount -t tmpfs -o mode=755 tmpfs $place
done
mkdir -p /var/lib/opensmtpd/empty
exec "$1" -d -f "$0/smtpd.conf"
"#;

/// The system's accounts and the two that the package would make.
fn write_accounts(folder: &Path) {
    for (file, own) in [
        ("passwd", "opensmtpd:x:64990:64990::/:/bin/false\nopensmtpq:x:64991:64991::/:/bin/false\n"),
        ("group", "opensmtpd:x:64990:\nopensmtpq:x:64991:\n"),
    ] {
        let system =
            fs::read_to_string(Path::new("/etc").join(file)).expect("the account files are readable");
        fs::write(folder.join(file), system + own).expect("the lab's folder is writable");
    }
}

fn config_text(port: u16) -> String {
    let hosts: &[&str] = if has_ipv6() { &["127.0.0.1", "::1"] } else { &["127.0.0.1"] };
    let listen = |host: &&str| format!("listen on {host} port {port} hostname mail.lab.test\n");
    let listeners: String = hosts.iter().map(listen).collect();
    listeners
        + "table users { probe = \"65534:65534:/\", postmaster = \"65534:65534:/\" }\n\
           action keep mda \"/bin/false\" userbase <users>\n\
           match from any for domain \"lab.test\" action keep\n"
}
