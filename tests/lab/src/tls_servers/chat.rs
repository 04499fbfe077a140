//! Prosody and InspIRCd, which change to TLS in the middle of XMPP and IRC.

use std::fs;
use std::process::Command;

use super::{Keys, TlsServer, Truth};
use crate::process::{is_root, program};
use crate::tls_script::{Auth, Protocol, Version};

/// Truth of [`prosody`].
pub const PROSODY: Truth = &[(Version::Tls12, 3), (Version::Tls13, 3)];
/// Truth of [`inspircd`], which Debian links with GnuTLS.
pub const INSPIRCD: Truth =
    &[(Version::Tls10, 6), (Version::Tls11, 6), (Version::Tls12, 18), (Version::Tls13, 4)];

/// Prosody as Debian has it, with an RSA certificate, for clients or for other servers of `tls.test`.
#[must_use]
pub fn prosody(keys: &Keys, protocol: Protocol) -> TlsServer {
    let identity = keys.identity(Auth::Rsa);
    let server = TlsServer::start("prosody", keys, PROSODY, |port| {
        let folder = keys.folder().join(format!("prosody-{port}"));
        let (base, certificate, key) =
            (folder.display(), identity.certificate.display(), identity.key.display());
        let (clients, servers) = match protocol {
            Protocol::XmppClient => (port.to_string(), String::new()),
            Protocol::XmppServer => (String::new(), port.to_string()),
            _ => panic!("{protocol:?} is no protocol of Prosody"),
        };
        let text = format!(
            "run_as_root = true
pidfile = \"{base}/pid\"
data_path = \"{base}\"
certificates = \"{base}\"
log = {{ info = \"*console\" }}
interfaces = {{ \"127.0.0.1\" }}
c2s_ports = {{ {clients} }}
s2s_ports = {{ {servers} }}
modules_enabled = {{ \"tls\", \"saslauth\", \"dialback\" }}
ssl = {{ certificate = \"{certificate}\", key = \"{key}\" }}
VirtualHost \"tls.test\"
"
        );
        fs::create_dir(&folder).expect("the lab's folder is writable");
        let config = folder.join("prosody.cfg.lua");
        fs::write(&config, text).expect("the lab's folder is writable");
        let mut command = Command::new(program("prosody", "prosody"));
        command.arg("-F").arg("--config").arg(config);
        command
    });
    server.behind(protocol)
}

/// `InspIRCd` as Debian has it, with STARTTLS and an RSA certificate.
#[must_use]
pub fn inspircd(keys: &Keys) -> TlsServer {
    let identity = keys.identity(Auth::Rsa);
    let server = TlsServer::start("inspircd", keys, INSPIRCD, |port| {
        let folder = keys.folder().join(format!("inspircd-{port}"));
        let (base, certificate, key) =
            (folder.display(), identity.certificate.display(), identity.key.display());
        let text = format!(
            "<config format=\"xml\">
<server name=\"irc.lab.test\" description=\"lab\" network=\"lab\">
<admin name=\"lab\" nick=\"lab\" email=\"lab@lab.test\">
<bind address=\"127.0.0.1\" port=\"{port}\" type=\"clients\">
<module name=\"ssl_gnutls\">
<module name=\"cap\">
<module name=\"starttls\">
<starttls hook=\"gnutls\">
<gnutls certfile=\"{certificate}\" keyfile=\"{key}\">
<connect allow=\"*\" timeout=\"20\" globalmax=\"1000\" localmax=\"1000\" limit=\"1000\" resolvehostnames=\"no\">
<class name=\"Shutdown\" commands=\"DIE\">
<type name=\"NetAdmin\" classes=\"Shutdown\">
<pid file=\"{base}/pid\">
<path configdir=\"{base}\" datadir=\"{base}\" logdir=\"{base}\">
"
        );
        fs::create_dir(&folder).expect("the lab's folder is writable");
        let config = folder.join("inspircd.conf");
        fs::write(&config, text).expect("the lab's folder is writable");
        let mut command = Command::new(program("inspircd", "inspircd"));
        // It crashes when it ends, and leaves what it had in memory where it stands.
        command.args(["--nofork", "--nolog", "--config"]).arg(config).current_dir(&folder);
        if is_root() {
            command.arg("--runasroot");
        }
        command
    });
    server.behind(Protocol::Irc)
}
