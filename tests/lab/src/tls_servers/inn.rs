//! nnrpd, the server for readers of INN, alone. `tests/run` unpacks it: its package wants a host with a domain, and the
//! whole of INN.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::Command;

use super::{Keys, TlsServer, Truth};
use crate::process::{account, prepared, require_root};
use crate::tls_script::{Auth, Protocol, Version};

/// Truth of [`nnrpd`].
pub const NNRPD: Truth = &[(Version::Tls12, 20), (Version::Tls13, 3)];

/// nnrpd as Debian has it, without a single group, with an RSA certificate.
#[must_use]
pub fn nnrpd(keys: &Keys) -> TlsServer {
    require_root("nnrpd, which becomes the user news,");
    let (binary, libraries) = (prepared("inn/nnrpd"), prepared("inn/lib"));
    let owner = (Some(account("/etc/passwd", "news")), Some(account("/etc/group", "news")));
    let identity = keys.identity(Auth::Rsa);
    let server = TlsServer::start("nnrpd", keys, NNRPD, |port| {
        let folder = keys.folder().join(format!("inn-{port}"));
        for path in ["", "spool", "spool/overview"] {
            fs::create_dir(folder.join(path)).expect("the lab's folder is writable");
        }
        let (base, certificate) = (folder.display(), identity.certificate.display());
        let config = format!(
            "mta: /bin/false
organization: lab
pathhost: news.lab.test
domain: lab.test
server: 127.0.0.1
hismethod: hisv6
enableoverview: true
ovmethod: tradindexed
pathnews: {base}
pathetc: {base}
pathdb: {base}
pathrun: {base}
pathlog: {base}
pathtmp: {base}
pathspool: {base}/spool
tlscapath: {base}
tlscertfile: {certificate}
tlskeyfile: {base}/key.pem
"
        );
        let readers = "auth \"all\" {\n  hosts: \"*\"\n  default: \"lab\"\n}\n\
                       access \"all\" {\n  users: \"*\"\n  newsgroups: \"*\"\n}\n";
        let storage = "method trash {\n  newsgroups: *\n  class: 0\n}\n";
        for (name, text) in [
            ("inn.conf", config.as_str()),
            ("readers.conf", readers),
            ("storage.conf", storage),
            ("active", ""),
            ("newsgroups", ""),
            ("spool/overview/group.index", ""),
        ] {
            fs::write(folder.join(name), text).expect("the lab's folder is writable");
        }
        let key = folder.join("key.pem");
        fs::copy(&identity.key, &key).expect("the lab's folder is writable");
        fs::set_permissions(&key, Permissions::from_mode(0o600)).expect("the key is ours");
        for path in [&folder, &key, &folder.join("spool/overview/group.index")] {
            chown(path, owner.0, owner.1).expect("root may give files away");
        }
        let mut command = Command::new(binary);
        command.env("LD_LIBRARY_PATH", libraries).env("INNCONF", folder.join("inn.conf"));
        command.args(["-D", "-f", "-b", "127.0.0.1", "-p", &port.to_string()]);
        command
    });
    server.behind(Protocol::Nntp)
}
