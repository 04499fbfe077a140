//! The fixture of a mail submission check: an authority, a certificate, a password that is
//! easy to find again wherever it should not be.

use std::fs::Permissions;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use lab::certs::{Authority, Leaf, LeafOptions};
use lab::peer::Script;
use rustls::ServerConfig;
use tempfile::TempDir;

use crate::Check;

/// Whom the check logs in as.
pub const USER: &str = "probe";
/// His password: in no message by accident.
pub const PASSWORD: &str = "Zx9-unlikely-word";

/// Certificates, password file and the calls that use them.
#[derive(Debug)]
pub struct Mail {
    folder: TempDir,
    /// Signed [`Mail::tls`].
    pub authority: Authority,
    /// A server configuration with a good certificate.
    pub tls: Arc<ServerConfig>,
}

impl Default for Mail {
    fn default() -> Self {
        Self::new()
    }
}

impl Mail {
    /// A fixture of its own, with a fresh authority.
    #[must_use]
    pub fn new() -> Self {
        let authority = Authority::new("Lab Root CA");
        let leaf = authority.leaf(&LeafOptions::default());
        Self::with(authority, &leaf)
    }

    /// The same with any certificate.
    #[must_use]
    pub fn with(authority: Authority, leaf: &Leaf) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let _ = authority.write_ca(folder.path());
        let mail = Self { folder, authority, tls: lab::tls::server(leaf) };
        mail.file("password", format!("{PASSWORD}\n"), 0o600);
        mail
    }

    /// Folder of the fixture.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// The authority's certificate.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.dir().join("ca.pem")
    }

    /// The file with [`PASSWORD`].
    #[must_use]
    pub fn password_file(&self) -> PathBuf {
        self.dir().join("password")
    }

    /// Writes a file of the fixture.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>, mode: u32) -> PathBuf {
        let path = self.dir().join(name);
        std::fs::write(&path, content).expect("the fixture's folder is writable");
        std::fs::set_permissions(&path, Permissions::from_mode(mode)).expect("the file is ours");
        path
    }

    /// `check_smtp_auth -H ADDRESS -p PORT`, nothing else.
    #[must_use]
    pub fn bare(address: SocketAddr) -> Check {
        on(Check::new("check_smtp_auth"), address)
    }

    /// The same with user and password file.
    #[must_use]
    pub fn with_login(&self, address: SocketAddr) -> Check {
        self.login(Check::new("check_smtp_auth"), address)
    }

    /// The same with any build of the plugin.
    #[must_use]
    pub fn login(&self, check: Check, address: SocketAddr) -> Check {
        on(check, address).args(["-u", USER, "--password-file"]).arg(self.password_file())
    }

    /// A login by STARTTLS that trusts [`Mail::authority`], limited to one second.
    #[must_use]
    pub fn starttls(&self, address: SocketAddr) -> Check {
        self.with_login(address).arg("--ca-file").arg(self.ca_file()).timeout(1.0)
    }

    /// A login in the clear, limited to one second.
    #[must_use]
    pub fn clear(&self, address: SocketAddr) -> Check {
        self.with_login(address).args(["--tls", "none", "--allow-plaintext"]).timeout(1.0)
    }

    /// Script of a good server up to the second EHLO, which offers these mechanisms.
    #[must_use]
    pub fn script_to_auth(&self, auth: &str) -> Script {
        Script::new().banner().ehlo(&["STARTTLS"]).starttls(&self.tls).ehlo(&[auth])
    }
}

fn on(check: Check, address: SocketAddr) -> Check {
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    check.args(["-H", &host, "-p", &port])
}

/// Script of a good server without TLS up to EHLO.
#[must_use]
pub fn clear_to_auth(auth: &str) -> Script {
    Script::new().banner().ehlo(&[auth])
}

/// The forms in which the password may go over the wire: none may ever be shown.
#[must_use]
pub fn secret_forms() -> Vec<String> {
    vec![PASSWORD.to_owned(), encode(PASSWORD), plain_blob("", USER, PASSWORD)]
}

/// Base64.
#[must_use]
pub fn encode(text: &str) -> String {
    BASE64.encode(text)
}

/// The message of PLAIN (RFC 4616), encoded.
#[must_use]
pub fn plain_blob(authzid: &str, user: &str, password: &str) -> String {
    encode(&format!("{authzid}\0{user}\0{password}"))
}
