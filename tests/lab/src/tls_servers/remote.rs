//! xrdp, and C-Kermit as a Telnet server with the option START_TLS.

use std::fs;
use std::net::Ipv4Addr;
use std::process::Command;

use super::{Keys, PATIENCE, Running, TlsServer, Truth};
use crate::acceptor::Acceptor;
use crate::process::{Daemon, Group, free_port, program};
use crate::relay::forward;
use crate::tls_script::{Auth, Protocol, Version};

/// Truth of [`xrdp`].
pub const XRDP: Truth = &[(Version::Tls12, 20), (Version::Tls13, 3)];
/// Truth of [`kermit`].
pub const KERMIT: Truth = &[(Version::Tls12, 2), (Version::Tls13, 3)];

/// xrdp as Debian has it, with an RSA certificate.
#[must_use]
pub fn xrdp(keys: &Keys) -> TlsServer {
    let identity = keys.identity(Auth::Rsa);
    let server = TlsServer::start("xrdp", keys, XRDP, |port| {
        let config = keys.folder().join(format!("xrdp-{port}.ini"));
        let (base, certificate, key) =
            (keys.folder().display(), identity.certificate.display(), identity.key.display());
        let text = format!(
            "[Globals]
ini_version=1
fork=false
port=tcp://127.0.0.1:{port}
security_layer=negotiate
certificate={certificate}
key_file={key}
ssl_protocols=TLSv1.2, TLSv1.3
[Logging]
LogFile={base}/xrdp-{port}.log
LogLevel=INFO
EnableSyslog=false
"
        );
        fs::write(&config, text).expect("the lab's folder is writable");
        let mut command = Command::new(program("xrdp", "xrdp"));
        command.arg("--nodaemon").arg("--config").arg(config);
        command
    });
    server.behind(Protocol::Rdp)
}

/// C-Kermit, which waits for one Telnet connection and demands START_TLS: one for each connection, which
/// takes it most of a second, so it has few suites. With an RSA certificate.
#[must_use]
pub fn kermit(keys: &Keys) -> TlsServer {
    let identity = keys.identity(Auth::Rsa).clone();
    let binary = program("kermit", "ckermit");
    let folder = keys.folder().to_owned();
    let log = folder.join("kermit.log");
    let kept = log.clone();
    let acceptor = Acceptor::start((Ipv4Addr::LOCALHOST, 0).into(), move |number, client, stop| {
        let port = free_port();
        let script = folder.join(format!("kermit-{number}.ksc"));
        let (certificate, key) = (identity.certificate.display(), identity.key.display());
        let text = format!(
            "set auth tls rsa-cert-file {certificate}
set auth tls rsa-key-file {key}
set auth tls verify no
set auth tls cipher-list ECDHE-RSA-AES128-GCM-SHA256:AES128-GCM-SHA256
set telopt /server start-tls required
set tcp address 127.0.0.1
set host * {port} /telnet
exit
"
        );
        fs::write(&script, text).expect("the lab's folder is writable");
        let mut command = Command::new(&binary);
        // Without an init file of the user.
        command.arg(&script).args(["-q", "-Y"]).env("HOME", &folder);
        let mut daemon = Daemon::spawn("kermit", command, Group::FromLab, &log);
        daemon.wait_listening_within(port, PATIENCE);
        forward(number, &client, stop, (Ipv4Addr::LOCALHOST, port).into());
        daemon.kill_group();
    });
    let port = acceptor.address().port();
    let running = Running::PerConnection { _acceptor: acceptor, log: kept };
    TlsServer { running, port, starttls: Some(Protocol::Telnet), truth: KERMIT }
}
