//! A real Exim with a port for STARTTLS, one for TLS from the first byte and one without TLS: PLAIN,
//! LOGIN and CRAM-MD5, offered only after TLS; mail for anybody goes into a black hole, or mail for
//! anybody at `lab.test` and no other.
//!
//! Its package conflicts with Postfix, so `tests/run` unpacks it below the target folder.
//! Observed with Exim 4.96: AUTH before TLS is answered `503 AUTH command used when not
//! advertised`, a wrong password `535 Incorrect authentication data` without an enhanced
//! code, a user without a CRAM-MD5 secret the same.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::certs::{Authority, LeafOptions};
use crate::process::{Daemon, Group, free_port, has_ipv6, prepared, require_root, shared_folder};

/// Whom Exim takes mail for, from strangers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recipients {
    /// Anybody anywhere, as a submission service would after a login.
    #[default]
    Everybody,
    /// Every local part of `lab.test`, whatever is in it, and nobody elsewhere: a catch-all.
    CatchAll,
}

/// Wishes for an [`Exim`].
#[derive(Clone, Debug)]
pub struct EximOptions {
    /// Passwords by user; no blanks at either end.
    pub users: BTreeMap<String, String>,
    /// AUTH offered (and accepted) without TLS as well.
    pub auth_before_tls: bool,
    /// Whom it takes mail for.
    pub recipients: Recipients,
    /// Further lines of the main section, by option; they replace the lab's own.
    pub main: BTreeMap<String, String>,
}

impl Default for EximOptions {
    fn default() -> Self {
        Self {
            users: BTreeMap::from([("probe".to_owned(), "secret".to_owned())]),
            auth_before_tls: false,
            recipients: Recipients::default(),
            main: BTreeMap::new(),
        }
    }
}

/// A running Exim; stops when dropped.
#[derive(Debug)]
pub struct Exim {
    // Before the folder, so that the daemon is stopped first.
    daemon: Daemon,
    folder: TempDir,
    port: u16,
    implicit_port: u16,
    plain_port: u16,
    authority: Authority,
    ca_file: PathBuf,
}

impl Exim {
    /// Starts Exim and waits until its ports listen.
    #[must_use]
    pub fn start(options: &EximOptions) -> Self {
        require_root("Exim");
        let (binary, libraries) = (prepared("exim/exim"), prepared("exim/lib"));
        let folder = shared_folder();
        let authority = Authority::new("Lab Root CA");
        let ca_file = authority.write_ca(folder.path());
        let _ = authority.leaf(&LeafOptions::default()).write(folder.path(), "mail");
        let ports @ [port, implicit_port, plain_port] = [free_port(), free_port(), free_port()];
        let mut users = String::new();
        for (user, password) in &options.users {
            let _ = writeln!(users, "\"{user}\": {password}");
        }
        let config = config_text(folder.path(), ports, options);
        for (name, text) in [("users", users), ("exim.conf", config)] {
            fs::write(folder.path().join(name), text).expect("the lab's folder is writable");
        }
        let logs = folder.path().join("log");
        fs::create_dir(&logs).expect("the lab's folder is writable");
        // Exim writes there as its own user.
        fs::set_permissions(&logs, Permissions::from_mode(0o777)).expect("the folder is ours");
        let mut command = Command::new(binary);
        command.env("LD_LIBRARY_PATH", libraries).arg("-bdf").arg("-C").arg(folder.path().join("exim.conf"));
        command.arg("-oP").arg(folder.path().join("exim.pid"));
        let mut daemon = Daemon::spawn("exim", command, Group::FromLab, &folder.path().join("exim.log"));
        for port in ports {
            daemon.wait_listening(port);
        }
        Self { daemon, folder, port, implicit_port, plain_port, authority, ca_file }
    }

    /// Port with STARTTLS.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Port with TLS from the first byte.
    #[must_use]
    pub fn implicit_port(&self) -> u16 {
        self.implicit_port
    }

    /// Port without TLS.
    #[must_use]
    pub fn plain_port(&self) -> u16 {
        self.plain_port
    }

    /// IPv4 address without TLS.
    #[must_use]
    pub fn plain_addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.plain_port).into()
    }

    /// IPv4 address with STARTTLS.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// IPv6 address with STARTTLS; answers when [`has_ipv6`].
    #[must_use]
    pub fn addr_v6(&self) -> SocketAddr {
        (Ipv6Addr::LOCALHOST, self.port).into()
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

    /// Freezes all of Exim.
    pub fn pause(&self) {
        self.daemon.pause();
    }

    /// Lets a frozen Exim go on.
    pub fn resume(&self) {
        self.daemon.resume();
    }

    /// Exim's logs so far: what it printed, its main log and its reject log.
    #[must_use]
    pub fn log(&self) -> String {
        let mut text = self.daemon.log_text();
        for name in ["main", "reject", "panic"] {
            text +=
                &fs::read_to_string(self.folder.path().join(format!("log/{name}.txt"))).unwrap_or_default();
        }
        text
    }

    /// Stops Exim before its handle goes, e.g. to see a closed port.
    pub fn stop(&mut self) {
        self.daemon.stop_within(Duration::from_secs(2));
    }
}

fn config_text(folder: &Path, ports: [u16; 3], options: &EximOptions) -> String {
    let [port, implicit_port, plain_port] = ports;
    let base = folder.display();
    let interfaces = if has_ipv6() { "<; 127.0.0.1 ; ::1" } else { "<; 127.0.0.1" };
    let advertise = if options.auth_before_tls { "*" } else { "${if eq{$tls_in_cipher}{}{}{*}}" };
    let acl = match options.recipients {
        Recipients::Everybody => "everybody",
        Recipients::CatchAll => "catch_all",
    };
    let own = [
        ("primary_hostname", "mail.lab.test".to_owned()),
        ("exim_user", "mail".to_owned()),
        ("exim_group", "mail".to_owned()),
        ("spool_directory", format!("{base}/spool")),
        ("log_file_path", format!("{base}/log/%s.txt")),
        ("local_interfaces", interfaces.to_owned()),
        ("daemon_smtp_ports", format!("{port} : {implicit_port} : {plain_port}")),
        ("tls_on_connect_ports", implicit_port.to_string()),
        ("tls_advertise_hosts", format!("${{if eq{{$received_port}}{{{plain_port}}}{{}}{{*}}}}")),
        ("tls_certificate", format!("{base}/mail.pem")),
        ("tls_privatekey", format!("{base}/mail.key")),
        ("auth_advertise_hosts", advertise.to_owned()),
        ("acl_smtp_rcpt", acl.to_owned()),
        ("host_lookup", String::new()),
        ("rfc1413_hosts", String::new()),
        ("keep_environment", String::new()),
        ("queue_only", "true".to_owned()),
    ];
    let mut parameters: BTreeMap<&str, &str> =
        own.iter().map(|(name, value)| (*name, value.as_str())).collect();
    parameters.extend(options.main.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let mut text = String::new();
    for (name, value) in parameters {
        let _ = writeln!(text, "{name} = {value}");
    }
    let password = |user: &str| format!("${{lookup{{{user}}}lsearch{{{base}/users}}{{$value}}fail}}");
    let fits = |user: &str, given: &str| format!("${{if eq{{{given}}}{{{}}}}}", password(user));
    let _ = write!(
        text,
        "
begin acl
everybody:
  accept
catch_all:
  accept domains = lab.test
  deny message = relay not permitted

begin routers
nowhere:
  driver = redirect
  data = :blackhole:

begin transports

begin retry

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = {plain}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = {login}
  server_set_id = $auth1
cram_md5:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = {secret}
  server_set_id = $auth1
",
        plain = fits("$auth2", "$auth3"),
        login = fits("$auth1", "$auth2"),
        secret = password("$auth1"),
    );
    text
}
