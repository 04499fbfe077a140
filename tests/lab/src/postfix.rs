//! A real Postfix in a folder of its own, with one listener for each flavour of submission
//! service and Dovecot as SASL server. The system's configuration is not touched and the
//! system's service not started.
//!
//! The `master` daemon is started directly: `postfix start-fg` would put a shell in between
//! that leaves `master` behind when it is killed, and spends two seconds on checks.
//!
//! Observed with Postfix 3.7 when the SASL server goes away:
//! - a session that is open already gets `454 4.7.0 Temporary authentication failure`, and
//!   so does the next one that the same `smtpd` process serves;
//! - without `smtpd_tls_auth_only` every later session dies before the greeting ("no SASL
//!   authentication mechanisms"): the port accepts and closes, or stays silent while
//!   `master` throttles the service (60 s by default, 1 s here);
//! - with `smtpd_tls_auth_only` the greeting, EHLO and the TLS handshake still work, and the
//!   session dies right after the handshake, before EHLO can be sent again.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File, Permissions};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use crate::certs::{Authority, LeafOptions};
use crate::dovecot::{Dovecot, DovecotOptions};
use crate::process::{Daemon, Group, account, free_port, has_ipv6, program, require_root, shared_folder};

/// The services of one Postfix, each on its own port of 127.0.0.1 (and ::1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Listener {
    /// STARTTLS demanded, AUTH only after it.
    Submission,
    /// No TLS at all; AUTH in clear, announced in the `AUTH=` form as well.
    Plaintext,
    /// TLS from the first byte.
    Implicit,
    /// As [`Listener::Submission`], with a certificate for `other.lab.test`.
    WrongName,
    /// As [`Listener::Submission`], with a certificate that ends in five days.
    Expiring,
    /// As [`Listener::Submission`], with a certificate that ended three days ago.
    Expired,
    /// STARTTLS offered, AUTH with and without it.
    Optional,
}

impl Listener {
    /// Every listener.
    pub const ALL: [Self; 7] = [
        Self::Submission,
        Self::Plaintext,
        Self::Implicit,
        Self::WrongName,
        Self::Expiring,
        Self::Expired,
        Self::Optional,
    ];

    fn certificate(self) -> (&'static str, LeafOptions) {
        match self {
            Self::WrongName => ("other", LeafOptions::server_named("other.lab.test")),
            Self::Expiring => ("expiring", LeafOptions::default().days(5)),
            Self::Expired => ("expired", LeafOptions::default().days(-3)),
            _ => ("mail", LeafOptions::default()),
        }
    }

    fn overrides(self) -> &'static str {
        match self {
            Self::Plaintext => {
                " -o smtpd_tls_security_level=none -o smtpd_tls_auth_only=no -o broken_sasl_auth_clients=yes"
            }
            Self::Implicit => " -o smtpd_tls_wrappermode=yes",
            Self::Optional => " -o smtpd_tls_security_level=may -o smtpd_tls_auth_only=no",
            Self::Submission | Self::WrongName | Self::Expiring | Self::Expired => "",
        }
    }
}

/// Wishes for a [`Postfix`].
#[derive(Clone, Debug, Default)]
pub struct PostfixOptions {
    /// The SASL server's users, mechanisms and habits.
    pub sasl: DovecotOptions,
    /// Further lines of `main.cf`, by parameter; they replace the lab's own.
    pub main_cf: BTreeMap<String, String>,
}

/// A running Postfix with its Dovecot; stops when dropped.
#[derive(Debug)]
pub struct Postfix {
    // Before the folder, so that the daemon is stopped first.
    daemon: Daemon,
    dovecot: Dovecot,
    folder: TempDir,
    ports: BTreeMap<Listener, u16>,
    authority: Authority,
    ca_file: PathBuf,
}

impl Postfix {
    /// Starts Dovecot and Postfix and waits until the ports answer.
    #[must_use]
    pub fn start(options: &PostfixOptions) -> Self {
        require_root("Postfix");
        // Named by its package before anything is written.
        let _ = program("postconf", "postfix");
        let folder = shared_folder();
        let base = folder.path();
        let authority = Authority::new("Lab Root CA");
        let ca_file = authority.write_ca(base);
        for listener in Listener::ALL {
            let (name, wishes) = listener.certificate();
            if !base.join(format!("{name}.pem")).exists() {
                let _ = authority.leaf(&wishes).write(base, name);
            }
        }
        let dovecot = Dovecot::start(&options.sasl);
        let ports: BTreeMap<_, _> = Listener::ALL.map(|listener| (listener, free_port())).into();
        write_queue(base);
        write_config(base, &ports, &main_cf(base, dovecot.port(), &options.main_cf));

        let daemon = spawn(base, ports.values());
        Self { daemon, dovecot, folder, ports, authority, ca_file }
    }

    /// Port of a listener.
    #[must_use]
    pub fn port(&self, listener: Listener) -> u16 {
        self.ports[&listener]
    }

    /// IPv4 address of a listener.
    #[must_use]
    pub fn addr(&self, listener: Listener) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port(listener)).into()
    }

    /// IPv6 address of a listener; answers when [`has_ipv6`].
    #[must_use]
    pub fn addr_v6(&self, listener: Listener) -> SocketAddr {
        (Ipv6Addr::LOCALHOST, self.port(listener)).into()
    }

    /// PEM file with the root certificate that signed every listener's certificate.
    #[must_use]
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// The root itself.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The temporary folder: `conf`, `queue`, `log`.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// Freezes all of Postfix: connections are accepted by the kernel and never greeted.
    pub fn pause(&self) {
        self.daemon.pause();
    }

    /// Lets a frozen Postfix go on.
    pub fn resume(&self) {
        self.daemon.resume();
    }

    /// Takes the SASL server down.
    pub fn stop_sasl(&mut self) {
        self.dovecot.stop_service();
    }

    /// Brings the SASL server back.
    pub fn start_sasl(&mut self) {
        self.dovecot.resume_service();
    }

    /// The SASL server.
    #[must_use]
    pub fn dovecot(&self) -> &Dovecot {
        &self.dovecot
    }

    /// Postfix's log so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.daemon.log_text()
    }

    /// Stops Postfix before its handle goes, e.g. to see a closed port.
    pub fn stop(&mut self) {
        self.daemon.stop_within(Duration::from_secs(2));
    }
}

/// Starts what the folder configures and waits until these ports listen.
pub(crate) fn spawn<'a>(base: &Path, ports: impl IntoIterator<Item = &'a u16>) -> Daemon {
    let mut command = Command::new(daemon_folder().join("master"));
    command.arg("-c").arg(base.join("conf")).env("MAIL_CONFIG", base.join("conf"));
    let mut daemon = Daemon::spawn("postfix", command, Group::FromDaemon, &base.join("log/mail.log"));
    for port in ports {
        daemon.wait_listening(*port);
    }
    daemon
}

/// What `postfix check` would create, in a fraction of its time.
pub(crate) fn write_queue(base: &Path) {
    let postfix = account("/etc/passwd", "postfix");
    let postdrop = account("/etc/group", "postdrop");
    let private = [
        "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved",
        "trace",
    ];
    for name in ["conf", "log", "data", "queue", "queue/pid"] {
        folder(&base.join(name), 0o755);
    }
    for name in private {
        let path = base.join("queue").join(name);
        folder(&path, 0o700);
        chown(&path, Some(postfix), None).expect("root may give folders away");
    }
    for (name, mode) in [("maildrop", 0o1730), ("public", 0o2710)] {
        let path = base.join("queue").join(name);
        folder(&path, mode);
        chown(&path, Some(postfix), Some(postdrop)).expect("root may give folders away");
        // chown clears the special bits.
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("the folder is ours");
    }
    chown(base.join("data"), Some(postfix), None).expect("root may give folders away");
}

fn folder(path: &Path, mode: u32) {
    fs::create_dir(path).expect("the lab's folder is writable");
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("the folder is ours");
}

pub(crate) fn daemon_folder() -> PathBuf {
    ["/usr/lib/postfix/sbin", "/usr/libexec/postfix", "/usr/lib/postfix"]
        .map(PathBuf::from)
        .into_iter()
        .find(|folder| folder.join("master").is_file())
        .expect("postfix is not installed (master is missing): tests/run installs it")
}

fn main_cf(base: &Path, sasl_port: u16, further: &BTreeMap<String, String>) -> String {
    let mut parameters = basic_parameters(base);
    let own = [
        ("smtpd_sasl_auth_enable", "yes".to_owned()),
        // So that a listener is back soon after its SASL server.
        ("service_throttle_time", "1s".to_owned()),
        ("smtpd_sasl_type", "dovecot".to_owned()),
        ("smtpd_sasl_path", format!("inet:127.0.0.1:{sasl_port}")),
        ("smtpd_tls_security_level", "encrypt".to_owned()),
        ("smtpd_tls_auth_only", "yes".to_owned()),
    ];
    parameters.extend(own.map(|(name, value)| (name.to_owned(), value)));
    parameters.extend(further.clone());
    lines(&parameters)
}

/// What every Postfix of the lab needs, by parameter: one for `lab.test` that sends nothing.
pub(crate) fn basic_parameters(base: &Path) -> BTreeMap<String, String> {
    let protocols = if has_ipv6() { "all" } else { "ipv4" };
    let shown = base.display();
    [
        ("compatibility_level", "3.6".to_owned()),
        ("queue_directory", format!("{shown}/queue")),
        ("data_directory", format!("{shown}/data")),
        ("daemon_directory", daemon_folder().display().to_string()),
        ("maillog_file", format!("{shown}/log/mail.log")),
        ("maillog_file_prefixes", shown.to_string()),
        ("inet_protocols", protocols.to_owned()),
        ("myhostname", "mail.lab.test".to_owned()),
        ("mydestination", "lab.test".to_owned()),
        // So that 127.0.0.1 is a stranger.
        ("mynetworks", "127.0.0.2/32".to_owned()),
        ("alias_maps", String::new()),
        ("alias_database", String::new()),
        ("local_recipient_maps", "inline:{ {user=x} {postmaster=x} }".to_owned()),
        ("local_transport", "discard:".to_owned()),
        ("default_transport", "discard:".to_owned()),
        ("smtpd_peername_lookup", "no".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// The text of `main.cf`.
pub(crate) fn lines(parameters: &BTreeMap<String, String>) -> String {
    parameters.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "{name} = {value}");
        text
    })
}

/// The addresses that a listener listens on, as `master.cf` has them.
pub(crate) fn hosts() -> &'static [&'static str] {
    if has_ipv6() { &["127.0.0.1", "[::1]"] } else { &["127.0.0.1"] }
}

fn write_config(base: &Path, ports: &BTreeMap<Listener, u16>, main_cf: &str) {
    let mut services = String::new();
    for (listener, port) in ports {
        let (certificate, _) = listener.certificate();
        let files = base.join(certificate).display().to_string();
        let overrides = listener.overrides();
        for host in hosts() {
            let _ = writeln!(
                services,
                "{host}:{port} inet n - n - - smtpd -o smtpd_tls_chain_files={files}.key,{files}.pem{overrides}"
            );
        }
    }
    services.push_str(HELPERS);
    write_files(base, main_cf, &services);
}

/// Writes `main.cf` and `master.cf`.
pub(crate) fn write_files(base: &Path, main_cf: &str, master_cf: &str) {
    for (name, text) in [("main.cf", main_cf), ("master.cf", master_cf)] {
        let path = base.join("conf").join(name);
        fs::write(&path, text).expect("the lab's folder is writable");
        // Postfix waits for two seconds until a file it reads is no longer brand-new.
        let file = File::options().append(true).open(&path).expect("just written");
        file.set_modified(SystemTime::now() - Duration::from_mins(1)).expect("the file is ours");
    }
}

/// The stock helper services, none of them in a chroot.
pub(crate) const HELPERS: &str = "\
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
";
