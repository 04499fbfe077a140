//! Postfix and Dovecot with TLS at once and in the middle of their protocols.

use std::fs;
use std::process::Command;

use super::{Keys, Running, TlsServer, Truth};
use crate::postfix::{Listener, Postfix, PostfixOptions};
use crate::process::{program, require_root};
use crate::tls_script::{Auth, Protocol, Version};

/// Truth of [`postfix`]: to Postfix an anonymous suite is better than no TLS.
pub const POSTFIX: Truth =
    &[(Version::Tls10, 8), (Version::Tls11, 8), (Version::Tls12, 27), (Version::Tls13, 3)];
/// Truth of [`dovecot`].
pub const DOVECOT: Truth = &[(Version::Tls12, 28), (Version::Tls13, 3)];

/// Postfix as Debian has it, with an EC certificate, by one of its listeners with TLS.
#[must_use]
pub fn postfix(listener: Listener) -> TlsServer {
    let postfix = Postfix::start(&PostfixOptions::default());
    let port = postfix.port(listener);
    let starttls = (listener != Listener::Implicit).then_some(Protocol::Smtp);
    TlsServer { running: Running::Postfix(Box::new(postfix)), port, starttls, truth: POSTFIX }
}

/// Dovecot as Debian has it, with an RSA certificate, for one protocol: IMAP, POP3, LMTP, ManageSieve, or SMTP
/// for its submission service.
#[must_use]
pub fn dovecot(keys: &Keys, protocol: Protocol) -> TlsServer {
    start_dovecot(keys, protocol, false).behind(protocol)
}

/// The same with TLS at once, for IMAP or POP3.
#[must_use]
pub fn dovecot_at_once(keys: &Keys, protocol: Protocol) -> TlsServer {
    start_dovecot(keys, protocol, true)
}

fn start_dovecot(keys: &Keys, protocol: Protocol, at_once: bool) -> TlsServer {
    require_root("Dovecot");
    let (name, service, package) = match protocol {
        Protocol::Imap => ("imap", "imap-login", "dovecot-imapd"),
        Protocol::Pop3 => ("pop3", "pop3-login", "dovecot-pop3d"),
        Protocol::Lmtp => ("lmtp", "lmtp", "dovecot-lmtpd"),
        Protocol::Sieve => ("sieve", "managesieve-login", "dovecot-managesieved"),
        Protocol::Smtp => ("submission", "submission-login", "dovecot-submissiond"),
        _ => panic!("{protocol:?} is no protocol of Dovecot"),
    };
    let _ = program(&format!("../lib/dovecot/{service}"), package);
    let identity = keys.identity(Auth::Rsa);
    TlsServer::start("dovecot", keys, DOVECOT, |port| {
        let folder = keys.folder().join(format!("dovecot-{port}"));
        let (base, certificate, key) =
            (folder.display(), identity.certificate.display(), identity.key.display());
        // Of the ports that a service has by itself all but one are taken away.
        let (listener, unused, tls) = match protocol {
            Protocol::Imap | Protocol::Pop3 if at_once => {
                (format!("{name}s"), name.to_owned(), "\n    ssl = yes")
            }
            _ => (name.to_owned(), format!("{name}s"), ""),
        };
        let other = match protocol {
            Protocol::Imap | Protocol::Pop3 => format!("  inet_listener {unused} {{\n    port = 0\n  }}\n"),
            Protocol::Smtp => "  inet_listener submissions {\n    port = 0\n  }\n".to_owned(),
            _ => String::new(),
        };
        let text = format!(
            "base_dir = {base}/run
state_dir = {base}/state
log_path = /dev/stderr
listen = 127.0.0.1
protocols = {name}
mail_location = maildir:/nonexistent
submission_relay_host = 127.0.0.1
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
ssl_dh = </usr/share/dovecot/dh.pem
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home=/nonexistent
}}
service {service} {{
  inet_listener {listener} {{
    port = {port}{tls}
  }}
{other}}}
"
        );
        for path in ["", "run", "state"] {
            fs::create_dir(folder.join(path)).expect("the lab's folder is writable");
        }
        let config = folder.join("dovecot.conf");
        fs::write(&config, text).expect("the lab's folder is writable");
        let mut command = Command::new(program("dovecot", "dovecot-core"));
        command.arg("-F").arg("-c").arg(config);
        command
    })
}
