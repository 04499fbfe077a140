//! A real Dovecot that does nothing but authenticate: the SASL server behind Postfix.
//! Its own submission and LMTP services are in [`crate::submission`] and [`crate::lmtp`].
//!
//! Postfix offers what Dovecot offers, but for what its own `smtpd_sasl_security_options`
//! (default `noanonymous`) and `smtpd_sasl_mechanism_filter` (default `!external`) leave out.
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
use md5::{Digest, Md5};
use tempfile::TempDir;

use crate::oauth::OAuth;
use crate::process::{Daemon, Group, free_port, program, require_root, shared_folder};

/// What a [`Dovecot`] knows and how it behaves. The default knows the user `probe` with the
/// password `secret` and offers PLAIN, LOGIN and CRAM-MD5.
#[derive(Clone, Debug)]
pub struct DovecotOptions {
    /// Mechanisms in Dovecot's spelling (lower case): `plain`, `login`, `cram-md5`,
    /// `digest-md5`, `scram-sha-1`, `scram-sha-256`, `oauthbearer`, `xoauth2`, `external`;
    /// Dovecot 2.4 has no `cram-md5` and `digest-md5` any more, but the `-plus` forms.
    pub mechanisms: Vec<String>,
    /// Passwords by user; a user name has no colon. Kept in clear, so every mechanism with a
    /// password can use them; `external` lets the same users in without one.
    pub users: BTreeMap<String, String>,
    /// Passwords are kept as hashes (MD5), so only `plain` and `login` can use them: every
    /// challenge is answered and every other login with a password then fails.
    pub hashed: bool,
    /// Users by the token that lets them in by `oauthbearer` and `xoauth2`. Unless empty, an
    /// [`OAuth`] responder is started for Dovecot to ask.
    pub tokens: BTreeMap<String, String>,
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
            hashed: false,
            tokens: BTreeMap::new(),
            auth_penalty: false,
            failure_delay: Duration::ZERO,
        }
    }
}

impl DovecotOptions {
    /// The same server with other mechanisms.
    #[must_use]
    pub fn offering(mut self, mechanisms: &[&str]) -> Self {
        self.mechanisms = mechanisms.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    /// The same server with one token more.
    #[must_use]
    pub fn token(mut self, user: &str, token: &str) -> Self {
        self.tokens.insert(token.to_owned(), user.to_owned());
        self
    }

    fn offers(&self, mechanism: &str) -> bool {
        self.mechanisms.iter().any(|offered| offered == mechanism)
    }
}

/// A running SASL server; stops when dropped.
#[derive(Debug)]
pub struct Dovecot {
    // Before the folder, so that the daemon is stopped first.
    daemon: Option<Daemon>,
    oauth: Option<OAuth>,
    folder: TempDir,
    port: u16,
}

impl Dovecot {
    /// Starts Dovecot and waits until it answers.
    #[must_use]
    pub fn start(options: &DovecotOptions) -> Self {
        require_root("Dovecot");
        let (folder, port) = (shared_folder(), free_port());
        let oauth = start_oauth(options);
        let listener = format!(
            "protocols =
ssl = no
disable_plaintext_auth = no
service auth {{
  inet_listener {{
    address = 127.0.0.1
    port = {port}
  }}
}}
"
        );
        let config = config_text(folder.path(), options, oauth.as_ref()) + &listener;
        write_folder(folder.path(), options, &config);
        let mut dovecot = Self { daemon: None, oauth, folder, port };
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
        let mut daemon = spawn(self.folder.path());
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

    /// The responder that knows the tokens; present when the options have any.
    #[must_use]
    pub fn oauth(&self) -> Option<&OAuth> {
        self.oauth.as_ref()
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

/// The responder for the options' tokens.
pub(crate) fn start_oauth(options: &DovecotOptions) -> Option<OAuth> {
    (!options.tokens.is_empty()).then(|| OAuth::start(options.tokens.clone()))
}

/// Starts the installed Dovecot on a folder that [`write_folder`] has filled.
pub(crate) fn spawn(folder: &Path) -> Daemon {
    let mut command = Command::new(program("dovecot", "dovecot-core"));
    command.arg("-F").arg("-c").arg(folder.join("dovecot.conf"));
    Daemon::spawn("dovecot", command, Group::FromLab, &folder.join("dovecot.log"))
}

/// Writes the configuration and what it points to.
pub(crate) fn write_folder(folder: &Path, options: &DovecotOptions, config: &str) {
    let (mut users, mut external) = (String::new(), String::new());
    for (user, password) in &options.users {
        // In base64, so that it may contain colons and braces.
        let (scheme, kept) = if options.hashed {
            ("PLAIN-MD5", Md5::digest(password).to_vec())
        } else {
            ("PLAIN", password.clone().into())
        };
        let _ = writeln!(users, "{user}:{{{scheme}.b64}}{}", BASE64.encode(kept));
        let _ = writeln!(external, "{user}:::::::nopassword=y");
    }
    for (name, text) in [("users", users.as_str()), ("external", &external), ("dovecot.conf", config)] {
        fs::write(folder.join(name), text).expect("the lab's folder is writable");
    }
    for name in ["run", "state"] {
        fs::create_dir(folder.join(name)).expect("the lab's folder is writable");
    }
}

/// Everything about users and logins for Dovecot 2.3, and nothing about services.
pub(crate) fn config_text(folder: &Path, options: &DovecotOptions, oauth: Option<&OAuth>) -> String {
    let base = folder.display();
    let mut text = format!(
        "base_dir = {base}/run
state_dir = {base}/state
log_path = /dev/stderr
listen = 127.0.0.1
auth_mechanisms = {mechanisms}
auth_username_chars =
auth_failure_delay = {delay} secs
",
        mechanisms = options.mechanisms.join(" "),
        delay = options.failure_delay.as_secs(),
    );
    if let Some(oauth) = oauth {
        let questions = format!(
            "tokeninfo_url = {}\nintrospection_url = {}\nintrospection_mode = post\n\
             username_attribute = username\nactive_attribute = active\nactive_value = true\n",
            oauth.tokeninfo_url(),
            oauth.introspection_url(),
        );
        fs::write(folder.join("oauth2.conf"), questions).expect("the lab's folder is writable");
        let _ = write!(
            text,
            "passdb {{
  driver = oauth2
  mechanisms = oauthbearer xoauth2
  args = {base}/oauth2.conf
}}
"
        );
    }
    if options.offers("external") {
        let _ = write!(
            text,
            "passdb {{
  driver = passwd-file
  mechanisms = external
  args = username_format=%u {base}/external
}}
"
        );
    }
    // Dovecot would take a password for a token, if it were only asked.
    let without_password = ["oauthbearer", "xoauth2", "external"];
    let mut with_password = options.mechanisms.clone();
    with_password.retain(|name| !without_password.contains(&name.as_str()));
    if !with_password.is_empty() {
        let _ = write!(
            text,
            "passdb {{
  driver = passwd-file
  mechanisms = {}
  args = scheme=PLAIN username_format=%u {base}/users
}}
",
            with_password.join(" ")
        );
    }
    text.push_str(
        "userdb {
  driver = static
  args = uid=65534 gid=65534 home=/nonexistent
}
",
    );
    if !options.auth_penalty {
        text.push_str(PENALTY_OFF);
    }
    text
}

/// The same in both versions.
pub(crate) const PENALTY_OFF: &str = "service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
";
