//! Dovecot's own submission service, which can do what Postfix cannot: AUTH EXTERNAL with a
//! client certificate, and (Dovecot 2.4) SCRAM with channel binding.
//!
//! It is a proxy: after a login it connects to its relay, here the lab's embedded server.
//! Without one it answers 235 and then `421 4.4.0 ... Failed to connect to relay server`.
//!
//! It listens on 127.0.0.2: to Dovecot a client with the address of the server itself is as
//! good as encrypted, and 127.0.0.1 is every local client's address.

use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::certs::{Authority, LeafOptions};
use crate::dovecot::{self, DovecotOptions, PENALTY_OFF};
use crate::oauth::OAuth;
use crate::process::{
    Daemon, Group, free_port, left_out_without_newer, prepared, program, require_root, shared_folder,
};
use crate::smtpd::{Submission, SubmissionOptions, TlsMode};

/// Where the service listens.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// What the service does about client certificates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificates {
    /// Does not ask for them.
    #[default]
    Ignored,
    /// Asks; who has one of the lab's authority is known by its common name.
    Asked,
    /// Asks, and refuses every login without a valid one.
    Required,
}

/// Which Dovecot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Release {
    /// 2.3, the installed package of Debian 12.
    #[default]
    Installed,
    /// 2.4, unpacked by `tests/run`, in a chroot. Knows users and mechanisms; no tokens and
    /// no client certificates.
    Newer,
}

/// Wishes for a [`DovecotSubmission`].
#[derive(Clone, Debug, Default)]
pub struct DovecotSubmissionOptions {
    /// Users, mechanisms and habits.
    pub sasl: DovecotOptions,
    /// Client certificates.
    pub client_certificates: ClientCertificates,
    /// AUTH offered (and accepted) without TLS as well.
    pub auth_before_tls: bool,
    /// Nothing listens where the relay should be.
    pub relay_down: bool,
    /// Which Dovecot.
    pub release: Release,
    /// TLS 1.2 and nothing newer; only with [`Release::Newer`].
    pub tls12_only: bool,
}

/// Whether a scenario has to be left out because there is no newer Dovecot, and says so.
#[must_use]
pub fn left_out_without_newer_dovecot() -> bool {
    left_out_without_newer("Dovecot 2.4")
}

/// A running submission service with its relay; stops when dropped.
#[derive(Debug)]
pub struct DovecotSubmission {
    // Before the folder, so that the daemon is stopped first.
    daemon: Daemon,
    oauth: Option<OAuth>,
    relay: Option<Submission>,
    folder: TempDir,
    ports: Ports,
    authority: Authority,
    ca_file: PathBuf,
}

#[derive(Clone, Copy, Debug)]
struct Ports {
    starttls: u16,
    implicit: u16,
    relay: u16,
}

impl DovecotSubmission {
    /// Starts Dovecot and waits until both ports listen.
    #[must_use]
    pub fn start(options: &DovecotSubmissionOptions) -> Self {
        require_root("Dovecot");
        assert!(!options.tls12_only || options.release == Release::Newer, "configured for Dovecot 2.4 only");
        let root = (options.release == Release::Newer).then(|| prepared("newer/root"));
        let folder = match &root {
            None => shared_folder(),
            Some(root) => tempfile::tempdir_in(root.join("lab")).expect("tests/run prepares it"),
        };
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("the folder is ours");
        let authority = Authority::new("Lab Root CA");
        let ca_file = authority.write_ca(folder.path());
        let mut wishes = LeafOptions::default();
        wishes.ips.push(ADDRESS.into());
        let _ = authority.leaf(&wishes).write(folder.path(), "mail");
        let relay = (!options.relay_down).then(|| {
            Submission::start(SubmissionOptions { tls: TlsMode::None, ..SubmissionOptions::default() })
        });
        let relay_port = relay.as_ref().map_or_else(free_port, |relay| relay.addr().port());
        let ports = Ports { starttls: free_port(), implicit: free_port(), relay: relay_port };
        let oauth = dovecot::start_oauth(&options.sasl);
        let mut daemon = if let Some(root) = &root {
            let inner = Path::new("/").join(folder.path().strip_prefix(root).expect("made in it"));
            dovecot::write_folder(folder.path(), &options.sasl, &newer_config(&inner, options, ports));
            fs::write(folder.path().join("openssl.cnf"), TLS12_ONLY).expect("the lab's folder is writable");
            spawn_newer(root, &inner, folder.path())
        } else {
            // Named by its package before Dovecot complains about a missing module.
            let _ = program("../lib/dovecot/submission-login", "dovecot-submissiond");
            let config = dovecot::config_text(folder.path(), &options.sasl, oauth.as_ref())
                + &service_config(folder.path(), options, ports);
            dovecot::write_folder(folder.path(), &options.sasl, &config);
            dovecot::spawn(folder.path())
        };
        daemon.wait_port((ADDRESS, ports.starttls).into());
        daemon.wait_port((ADDRESS, ports.implicit).into());
        Self { daemon, oauth, relay, folder, ports, authority, ca_file }
    }

    /// Address with STARTTLS.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        (ADDRESS, self.ports.starttls).into()
    }

    /// Address with TLS from the first byte.
    #[must_use]
    pub fn implicit_addr(&self) -> SocketAddr {
        (ADDRESS, self.ports.implicit).into()
    }

    /// PEM file with the root that signed the server's certificate and must sign clients'.
    #[must_use]
    pub fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// The root itself.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The temporary folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// The responder that knows the tokens; present when the options have any.
    #[must_use]
    pub fn oauth(&self) -> Option<&OAuth> {
        self.oauth.as_ref()
    }

    /// The server behind it, which sees what a client sends after its login.
    #[must_use]
    pub fn relay(&self) -> Option<&Submission> {
        self.relay.as_ref()
    }

    /// Freezes all of Dovecot: connections are accepted by the kernel and never greeted.
    pub fn pause(&self) {
        self.daemon.pause();
    }

    /// Lets a frozen Dovecot go on.
    pub fn resume(&self) {
        self.daemon.resume();
    }

    /// Dovecot's log so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.daemon.log_text()
    }
}

impl Drop for DovecotSubmission {
    fn drop(&mut self) {
        // A clean end takes a second and nothing here is worth it.
        self.daemon.kill_group();
    }
}

fn service_config(folder: &Path, options: &DovecotSubmissionOptions, ports: Ports) -> String {
    let base = folder.display();
    let mut text = format!(
        "protocols = submission
listen = {ADDRESS}
hostname = mail.lab.test
mail_location = maildir:/nonexistent
ssl = {}
ssl_cert = <{base}/mail.pem
ssl_key = <{base}/mail.key
disable_plaintext_auth = {}
submission_relay_host = 127.0.0.1
submission_relay_port = {}
submission_relay_trusted = no
",
        if options.auth_before_tls { "yes" } else { "required" },
        if options.auth_before_tls { "no" } else { "yes" },
        ports.relay,
    );
    if options.client_certificates != ClientCertificates::Ignored {
        let _ = write!(
            text,
            "ssl_ca = <{base}/ca.pem
ssl_require_crl = no
ssl_verify_client_cert = yes
ssl_cert_username_field = commonName
auth_ssl_username_from_cert = yes
"
        );
    }
    if options.client_certificates == ClientCertificates::Required {
        text.push_str("auth_ssl_require_client_cert = yes\n");
    }
    text + &listeners(ports)
}

fn listeners(ports: Ports) -> String {
    format!(
        "service submission-login {{
  inet_listener submission {{
    port = {}
  }}
  inet_listener submissions {{
    port = {}
    ssl = yes
  }}
}}
",
        ports.starttls, ports.implicit,
    )
}

/// The whole configuration in the syntax of Dovecot 2.4.
fn newer_config(base: &Path, options: &DovecotSubmissionOptions, ports: Ports) -> String {
    assert!(options.sasl.tokens.is_empty(), "the lab configures tokens for Dovecot 2.3 only");
    assert_eq!(options.client_certificates, ClientCertificates::Ignored, "configured for Dovecot 2.3 only");
    let base = base.display();
    let text = format!(
        "dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
base_dir = {base}/run
state_dir = {base}/state
log_path = /dev/stderr
listen = {ADDRESS}
protocols = submission
hostname = mail.lab.test
mail_driver = maildir
mail_path = /nonexistent
ssl = {ssl}
ssl_server_cert_file = {base}/mail.pem
ssl_server_key_file = {base}/mail.key
auth_mechanisms = {mechanisms}
auth_username_chars =
auth_failure_delay = {delay} secs
auth_allow_cleartext = {cleartext}
passdb passwd-file {{
  default_password_scheme = PLAIN
  passwd_file_path = {base}/users
}}
userdb static {{
  fields {{
    uid = 65534
    gid = 65534
    home = /nonexistent
  }}
}}
submission_relay_host = 127.0.0.1
submission_relay_port = {relay}
",
        mechanisms = options.sasl.mechanisms.join(" "),
        delay = options.sasl.failure_delay.as_secs(),
        ssl = if options.auth_before_tls { "yes" } else { "required" },
        cleartext = if options.auth_before_tls { "yes" } else { "no" },
        relay = ports.relay,
    );
    let penalty = if options.sasl.auth_penalty { "" } else { PENALTY_OFF };
    // Dovecot has no setting for the highest version; OpenSSL's own file has.
    let limit = if options.tls12_only {
        format!("import_environment {{\n  OPENSSL_CONF = {base}/openssl.cnf\n}}\n")
    } else {
        String::new()
    };
    text + penalty + &limit + &listeners(ports)
}

const TLS12_ONLY: &str = "openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = limits
[limits]
MaxProtocol = TLSv1.2
";

fn spawn_newer(root: &Path, inner: &Path, folder: &Path) -> Daemon {
    let mut command = Command::new(program("chroot", "coreutils"));
    command.arg(root).args(["/usr/sbin/dovecot", "-F", "-c"]).arg(inner.join("dovecot.conf"));
    Daemon::spawn("dovecot 2.4", command, Group::FromLab, &folder.join("dovecot.log"))
}
