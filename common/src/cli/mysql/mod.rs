//! How to reach a MySQL or MariaDB server: the same options, option files and login paths
//! as its own clients, but for a password in argv.

mod files;

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{ArgAction, Args};
use zeroize::Zeroizing;

use super::credentials::{PASSWORD_ID, PasswordArgs, unspeakable};
use super::target::FamilyArgs;
use super::usage::UsageError;
use crate::net::mysql::{Login, Place, SslMode, Tls};
use crate::net::tls::MinimumVersion;
use crate::net::{ProbeError, SecretBytes};
use crate::proto::names::Host;
use crate::report::{Condition, State, StateTable};
use files::{Found, Sources};

/// The server and the account.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Connection")]
#[command(mut_arg(PASSWORD_ID, |password| password.short('p')))]
pub struct MysqlArgs {
    /// Host name or address of the server, or path of its unix socket [default: localhost]
    #[arg(short = 'H', long, alias = "host", value_name = "HOST")]
    hostname: Option<HostOrSocket>,
    /// Port of the server [default: 3306]
    #[arg(short = 'P', long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Connect to a unix socket instead of host and port
    #[arg(short, long, value_name = "PATH", conflicts_with_all = ["hostname", "port"])]
    socket: Option<PathBuf>,
    #[command(flatten)]
    family: FamilyArgs,
    /// User name to log in with [default: that of the option files, or our own]
    #[arg(short, long, value_name = "USER")]
    user: Option<String>,
    /// Where the password comes from.
    #[command(flatten)]
    password: PasswordArgs,
    /// Read this option file (my.cnf) and no other
    #[arg(long, value_name = "FILE", conflicts_with = "defaults_extra_file")]
    defaults_file: Option<PathBuf>,
    /// Read this option file besides the global ones, before the user's own
    #[arg(long, value_name = "FILE")]
    defaults_extra_file: Option<PathBuf>,
    /// Group to read besides [client]; repeatable [default: client-mariadb, client-mysql and
    /// the plugin's name]
    #[arg(long, value_name = "GROUP", action = ArgAction::Append)]
    defaults_group: Vec<String>,
    /// Login path to read from .mylogin.cnf, besides [client]
    #[arg(long, value_name = "NAME")]
    login_path: Option<String>,
    #[command(flatten)]
    tls: MysqlTlsArgs,
}

/// How the connection is encrypted.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "TLS")]
struct MysqlTlsArgs {
    /// Encryption: disabled, preferred (if the server offers it), required, verify-ca,
    /// verify-identity (verify-ca and the host's name) [default: preferred]
    #[arg(long, value_name = "MODE")]
    ssl_mode: Option<SslMode>,
    /// Trust the CA certificates of this PEM file
    #[arg(long, aliases = ["ca", "ssl-ca"], value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Client certificate chain, PEM
    #[arg(long, alias = "ssl-cert", value_name = "FILE", requires = "key_file")]
    cert_file: Option<PathBuf>,
    /// Private key of the client certificate, PEM
    #[arg(long, alias = "ssl-key", value_name = "FILE", requires = "cert_file")]
    key_file: Option<PathBuf>,
    /// Lowest TLS version to accept: 1.2 or 1.3
    #[arg(long, value_name = "VERSION", default_value = "1.2")]
    tls_min: String,
    /// Public RSA key of the server, PEM, to send the password by without TLS
    #[arg(long, value_name = "FILE")]
    server_public_key: Option<PathBuf>,
    /// CRITICAL instead of UNKNOWN when TLS fails or the certificate does not verify
    #[arg(long)]
    ssl_critical: bool,
}

/// The value of `--hostname`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum HostOrSocket {
    Host(Host),
    Socket(PathBuf),
}

impl FromStr for HostOrSocket {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with('/') {
            return Ok(Self::Socket(PathBuf::from(text)));
        }
        text.parse().map(Self::Host).map_err(|error: crate::proto::names::HostError| error.to_string())
    }
}

/// Port of the classic protocol.
const PORT: u16 = 3306;

impl MysqlArgs {
    /// Rules between options that clap cannot express.
    pub fn check(&self) -> Result<(), UsageError> {
        minimum(&self.tls.tls_min)?;
        if self.user.as_deref().is_some_and(unspeakable) {
            return Err(UsageError::new("--user", "contains a line break or NUL"));
        }
        if matches!(self.hostname, Some(HostOrSocket::Socket(_))) && self.port.is_some() {
            return Err(UsageError::new("--port", "a unix socket has none"));
        }
        Ok(())
    }

    /// What is checked, as far as the command line says it.
    #[must_use]
    pub fn target(&self) -> String {
        let host = match (&self.socket, &self.hostname) {
            (Some(path), _) | (None, Some(HostOrSocket::Socket(path))) => return path.display().to_string(),
            (None, Some(HostOrSocket::Host(host))) => Some(host),
            (None, None) => None,
        };
        let port = self.port.unwrap_or(PORT);
        match host {
            Some(host) => Place::Tcp { host: host.clone(), port, family: self.family.family() }.to_string(),
            // The option files may name another.
            None => self.login_path.clone().unwrap_or_else(|| format!("localhost:{port}")),
        }
    }

    /// The states of these plugins where an option changes them.
    pub fn adjust(&self, states: &mut StateTable) {
        if self.tls.ssl_critical {
            states.set(Condition::Certificate, State::Critical);
        }
    }

    /// Reads option files and secrets and settles where to log in, as whom, and how.
    pub fn login(&self, program: &'static str) -> Result<Login, ProbeError> {
        let mut groups = vec!["client"];
        if self.defaults_group.is_empty() {
            groups.extend(["client-mariadb", "client-mysql", program]);
        } else {
            groups.extend(self.defaults_group.iter().map(String::as_str));
        }
        let found = files::read(&Sources {
            only: self.defaults_file.as_deref(),
            extra: self.defaults_extra_file.as_deref(),
            login_path: self.login_path.as_deref(),
            groups: &groups,
        })?;
        self.settle(found, program)
    }

    fn settle(&self, mut found: Found, program: &'static str) -> Result<Login, ProbeError> {
        let mut notes = Vec::new();
        let password = self.password(&mut found, &mut notes)?;
        let user = match self.user.clone().or(found.user.take()) {
            Some(user) => user,
            None => own_name()?,
        };
        let place = self.place(&found)?;
        let tls = self.tls.settle(&found)?;
        let server_key = self.tls.server_public_key.clone().or(found.server_key);
        Ok(Login { place, user, password, tls, server_key, program, notes })
    }

    fn password(&self, found: &mut Found, notes: &mut Vec<String>) -> Result<SecretBytes, ProbeError> {
        if self.password.given() {
            return self.password.read();
        }
        if let Some(password) = found.password.take() {
            return Ok(Zeroizing::new(password.as_bytes().to_vec()));
        }
        match std::env::var_os("MYSQL_PWD") {
            Some(value) => {
                notes.push("the password comes from MYSQL_PWD, which other programs may read".into());
                Ok(Zeroizing::new(std::os::unix::ffi::OsStringExt::into_vec(value)))
            }
            None => Ok(SecretBytes::default()),
        }
    }

    fn place(&self, found: &Found) -> Result<Place, ProbeError> {
        let family = self.family.family();
        let port = self.port.or(found.port).unwrap_or(PORT);
        match (&self.socket, &self.hostname) {
            (Some(path), _) | (None, Some(HostOrSocket::Socket(path))) => {
                return Ok(Place::Socket(path.clone()));
            }
            (None, Some(HostOrSocket::Host(host))) => {
                return Ok(Place::Tcp { host: host.clone(), port, family });
            }
            (None, None) => {}
        }
        // As their own clients do: `localhost` means the socket, if there is one.
        let host = found.host.as_deref().unwrap_or("localhost");
        if let (Some(socket), "localhost", None) = (&found.socket, host, self.port) {
            return Ok(Place::Socket(socket.clone()));
        }
        match host.parse() {
            Ok(HostOrSocket::Socket(path)) => Ok(Place::Socket(path)),
            Ok(HostOrSocket::Host(host)) => Ok(Place::Tcp { host, port, family }),
            Err(error) => Err(ProbeError::local(format!("host of the option files: {error}"))),
        }
    }
}

impl MysqlTlsArgs {
    fn settle(&self, found: &Found) -> Result<Tls, ProbeError> {
        let usage = |error: &UsageError| ProbeError::local(error.to_string());
        let mode = self.ssl_mode.or(found.ssl_mode).unwrap_or_default();
        let ca = self.ca_file.clone().or_else(|| found.ca.clone());
        if mode.verifies() && ca.is_none() {
            return Err(ProbeError::local(format!("--ssl-mode {mode} needs the CA that signs the server: --ca-file"))
                .with_hint("its own is ca.pem in the data directory; public ones are in /etc/ssl/certs/ca-certificates.crt"));
        }
        let client = match (&self.cert_file, &self.key_file) {
            (Some(chain), Some(key)) => Some((chain.clone(), key.clone())),
            _ => found.cert.clone().zip(found.key.clone()),
        };
        Ok(Tls { mode, ca, client, minimum: minimum(&self.tls_min).map_err(|error| usage(&error))? })
    }
}

fn minimum(text: &str) -> Result<MinimumVersion, UsageError> {
    match text {
        "1.2" => Ok(MinimumVersion::Tls12),
        "1.3" => Ok(MinimumVersion::Tls13),
        other => Err(UsageError::new("--tls-min", format!("'{other}' is not one of 1.2, 1.3"))),
    }
}

/// The name of the account this runs as, which is also what the clients begin with.
fn own_name() -> Result<String, ProbeError> {
    ["USER", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|name| !name.is_empty()))
        .ok_or_else(|| ProbeError::local("no user given").with_hint("--user, or user= in an option file"))
}

/// The login that one option file describes in its group `[client]`: another server to compare with.
pub fn source_login(path: &Path, program: &'static str) -> Result<Login, ProbeError> {
    let found =
        files::read(&Sources { only: Some(path), extra: None, login_path: None, groups: &["client"] })?;
    let tls = MysqlTlsArgs {
        ssl_mode: None,
        ca_file: None,
        cert_file: None,
        key_file: None,
        tls_min: "1.2".into(),
        server_public_key: None,
        ssl_critical: false,
    };
    let tls = tls.settle(&found)?;
    let host = found.host.as_deref().unwrap_or("localhost");
    let place = match (&found.socket, host.parse()) {
        (Some(socket), _) if found.host.is_none() || host == "localhost" => Place::Socket(socket.clone()),
        (_, Ok(HostOrSocket::Socket(path))) => Place::Socket(path),
        (_, Ok(HostOrSocket::Host(host))) => {
            Place::Tcp { host, port: found.port.unwrap_or(PORT), family: crate::net::Family::Any }
        }
        (_, Err(error)) => return Err(ProbeError::local(format!("host in {}: {error}", path.display()))),
    };
    let Some(user) = found.user else {
        return Err(ProbeError::local(format!("no user in group [client] of {}", path.display())));
    };
    let password =
        found.password.map(|password| Zeroizing::new(password.as_bytes().to_vec())).unwrap_or_default();
    Ok(Login { place, user, password, tls, server_key: found.server_key, program, notes: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    #[derive(Parser)]
    struct Options {
        #[command(flatten)]
        server: MysqlArgs,
    }

    /// The login that these arguments and an option file with this text come to.
    fn login(arguments: &[&str], text: &str) -> Result<Login, String> {
        let path = File::new(text);
        let file = ["x", "--defaults-file", path.0.to_str().unwrap()];
        let options = Options::try_parse_from([&file[..], arguments].concat()).unwrap();
        options.server.login("check_x").map_err(|error| error.text)
    }

    struct File(PathBuf);

    impl File {
        fn new(text: &str) -> Self {
            use std::sync::atomic::{AtomicU32, Ordering};
            static NUMBER: AtomicU32 = AtomicU32::new(0);
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("vedette-my-{}-{number}.cnf", std::process::id()));
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            Self(path)
        }
    }

    impl Drop for File {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    const FILE: &str = "[client]\nuser=mon\nsocket=/run/a.sock\nport=3307\n";

    #[test]
    fn localhost_of_a_file_means_its_socket() {
        let place = |arguments: &[&str], text: &str| login(arguments, text).unwrap().place.to_string();
        assert_eq!(place(&[], FILE), "/run/a.sock");
        assert_eq!(place(&[], &format!("{FILE}host=localhost\n")), "/run/a.sock");
        assert_eq!(place(&[], &format!("{FILE}host=db.example\n")), "db.example:3307");
        assert_eq!(place(&["-H", "localhost"], FILE), "localhost:3307");
        assert_eq!(place(&["-H", "::1", "-P", "3308"], FILE), "[::1]:3308");
        assert_eq!(place(&["-P", "3308"], FILE), "localhost:3308");
        assert_eq!(place(&["-H", "/run/b.sock"], FILE), "/run/b.sock");
        assert_eq!(place(&["-s", "/run/c.sock"], FILE), "/run/c.sock");
    }

    #[test]
    fn the_mode_of_tls_is_never_weakened_by_a_lesser_line() {
        let mode = |arguments: &[&str], lines: &str| {
            login(arguments, &format!("[client]\nuser=mon\nssl-ca=/ca.pem\n{lines}"))
                .map(|login| login.tls.mode)
        };
        assert_eq!(mode(&[], ""), Ok(SslMode::Preferred));
        assert_eq!(mode(&[], "ssl\n"), Ok(SslMode::Required));
        assert_eq!(mode(&[], "ssl-verify-server-cert\nssl=1\n"), Ok(SslMode::VerifyIdentity));
        assert_eq!(mode(&[], "ssl_mode=VERIFY_CA\n"), Ok(SslMode::VerifyCa));
        assert_eq!(mode(&["--ssl-mode", "disabled"], "ssl-mode=REQUIRED\n"), Ok(SslMode::Disabled));
        assert!(mode(&[], "ssl-mode=maybe\n").unwrap_err().starts_with("ssl-mode in "));
        assert!(mode(&[], "port=0\n").unwrap_err().ends_with("not a port"));
    }

    #[test]
    fn a_source_is_one_file() {
        let file = File::new("[client]\nuser=mon\nhost=db1.example\npassword=x\n[check_x]\nhost=other\n");
        let login = source_login(&file.0, "check_x").unwrap();
        assert_eq!(login.place.to_string(), "db1.example:3306");
        assert_eq!((login.user.as_str(), login.password.as_slice()), ("mon", &b"x"[..]));
        let nobody = File::new("[client]\nhost=db1.example\n");
        assert!(
            source_login(&nobody.0, "check_x").unwrap_err().text.starts_with("no user in group [client]")
        );
        assert!(source_login(Path::new("/nonexistent"), "check_x").is_err());
    }
}
