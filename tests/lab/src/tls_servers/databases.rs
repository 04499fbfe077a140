//! MariaDB, PostgreSQL and OpenLDAP, which change to TLS on request.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Keys, TlsServer, Truth};
use crate::process::{account, program, require_root};
use crate::tls_script::{Auth, Protocol, Version};

/// Truth of [`mariadb`].
pub const MARIADB: Truth =
    &[(Version::Tls10, 16), (Version::Tls11, 16), (Version::Tls12, 56), (Version::Tls13, 3)];
/// Truth of [`postgres`].
pub const POSTGRES: Truth = &[(Version::Tls12, 44), (Version::Tls13, 3)];
/// Truth of [`openldap`]: DHE only for clients that name the groups of RFC 7919.
pub const OPENLDAP: Truth =
    &[(Version::Tls10, 6), (Version::Tls11, 6), (Version::Tls12, 18), (Version::Tls13, 4)];

/// Every version that MariaDB still knows, with the suites of Debian's OpenSSL and an RSA
/// certificate. Without tables: nobody ever logs in.
#[must_use]
pub fn mariadb(keys: &Keys) -> TlsServer {
    let identity = keys.identity(Auth::Rsa);
    let server = TlsServer::start("mariadbd", keys, MARIADB, |port| {
        let folder = keys.folder().join(format!("mariadb-{port}"));
        fs::create_dir(&folder).expect("the lab's folder is writable");
        let option = |name: &str, path: &Path| format!("--{name}={}", path.display());
        let mut command = Command::new(program("mariadbd", "mariadb-server-core"));
        command
            .args(["--no-defaults", "--user=root", "--bind-address=127.0.0.1", "--skip-name-resolve"])
            .args(["--skip-grant-tables", "--skip-innodb", "--default-storage-engine=Aria"])
            .args(["--tls-version=TLSv1.0,TLSv1.1,TLSv1.2,TLSv1.3", "--ssl-cipher=ALL:@SECLEVEL=0"])
            .arg(format!("--port={port}"))
            .arg(option("datadir", &folder))
            .arg(option("socket", &folder.join("socket")))
            .arg(option("pid-file", &folder.join("pid")))
            .arg(option("ssl-cert", &identity.certificate))
            .arg(option("ssl-key", &identity.key));
        command
    });
    server.behind(Protocol::MySql)
}

/// PostgreSQL as Debian has it, with TLS and an RSA certificate.
#[must_use]
pub fn postgres(keys: &Keys) -> TlsServer {
    require_root("PostgreSQL, which refuses to run as root,");
    let (user, group) = (account("/etc/passwd", "postgres"), account("/etc/group", "postgres"));
    let server = TlsServer::start("postgres", keys, POSTGRES, |port| {
        let folder = keys.folder().join(format!("postgres-{port}"));
        let own = |path: &Path| chown(path, Some(user), Some(group)).expect("root may give files away");
        let program = |name: &str| {
            let mut command = Command::new(postgres_folder().join(name));
            command.uid(user).gid(group).current_dir("/").arg("-D").arg(folder.join("data"));
            command
        };
        fs::create_dir(&folder).expect("the lab's folder is writable");
        own(&folder);
        let key = folder.join("key.pem");
        fs::copy(&keys.identity(Auth::Rsa).key, &key).expect("the lab's folder is writable");
        fs::set_permissions(&key, Permissions::from_mode(0o600)).expect("the key is ours");
        own(&key);
        let mut initdb = program("initdb");
        let made = initdb.args(["--no-sync", "--no-locale", "-A", "trust"]).output();
        let made = made.expect("initdb can be started");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let mut command = program("postgres");
        let certificate = &keys.identity(Auth::Rsa).certificate;
        for setting in [
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={port}"),
            format!("unix_socket_directories={}", folder.display()),
            "ssl=on".to_owned(),
            format!("ssl_cert_file={}", certificate.display()),
            format!("ssl_key_file={}", key.display()),
        ] {
            command.args(["-c", &setting]);
        }
        command
    });
    server.behind(Protocol::Postgres)
}

/// The newest PostgreSQL that is installed: Debian keeps each release in a folder of its own.
fn postgres_folder() -> PathBuf {
    let releases = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let folders = releases.map(|release| release.path().join("bin"));
    let newest = folders.filter(|folder| folder.join("initdb").is_file()).max();
    newest.expect("postgresql-15 is not installed (initdb is missing): tests/run installs it")
}

/// OpenLDAP, which Debian links with GnuTLS, as it is without any setting for versions and suites,
/// with an RSA certificate.
#[must_use]
pub fn openldap(keys: &Keys) -> TlsServer {
    let identity = keys.identity(Auth::Rsa);
    let server = TlsServer::start("slapd", keys, OPENLDAP, |port| {
        let config = keys.folder().join(format!("slapd-{port}.conf"));
        let (certificate, key) = (identity.certificate.display(), identity.key.display());
        let text = format!("TLSCertificateFile {certificate}\nTLSCertificateKeyFile {key}\n");
        fs::write(&config, text).expect("the lab's folder is writable");
        let mut command = Command::new(program("slapd", "slapd"));
        // With a debug level, even one that says nothing, it stays in the foreground.
        command.args(["-d", "0", "-h", &format!("ldap://127.0.0.1:{port}"), "-f"]).arg(config);
        command
    });
    server.behind(Protocol::Ldap)
}
