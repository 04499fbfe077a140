//! `openssl s_server` as a submission service over implicit TLS: for the versions, suites and
//! keys that neither rustls nor today's mail servers speak any more.
//!
//! OpenSSL does TLS and passes on what is said inside; the dialogue is held here.

use std::fs::Permissions;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use crate::process::{Daemon, free_port, program};

/// A certificate signed by its own key, for 127.0.0.1 and `mail.lab.test`, with a kind of key
/// that the lab's own authority cannot make.
#[derive(Clone, Debug)]
pub struct SelfSigned {
    /// The certificate, which is its own authority, PEM.
    pub certificate: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
}

impl SelfSigned {
    /// `kind` as for `openssl req -newkey`: `rsa:1024`, or `ec:P-521`.
    #[must_use]
    pub fn new(folder: &Path, kind: &str) -> Self {
        let name = kind.replace(':', "-");
        let (certificate, key) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
        let mut command = Command::new(program("openssl", "openssl"));
        command.args(["req", "-x509", "-nodes", "-days", "90", "-subj", "/CN=mail.lab.test"]);
        match kind.strip_prefix("ec:") {
            Some(curve) => {
                command.args(["-newkey", "ec", "-pkeyopt"]).arg(format!("ec_paramgen_curve:{curve}"))
            }
            None => command.args(["-newkey", kind]),
        };
        command.args(["-addext", "subjectAltName=DNS:mail.lab.test,IP:127.0.0.1"]);
        let output = command.arg("-out").arg(&certificate).arg("-keyout").arg(&key).output();
        let output = output.expect("openssl can be started");
        assert!(output.status.success(), "{kind}: {}", String::from_utf8_lossy(&output.stderr));
        std::fs::set_permissions(&key, Permissions::from_mode(0o600)).expect("the key is ours");
        Self { certificate, key }
    }
}

/// A running server for one connection; stops when dropped.
#[derive(Debug)]
pub struct SServer {
    daemon: Daemon,
    port: u16,
    received: Arc<Mutex<String>>,
    dialogue: Option<JoinHandle<()>>,
}

impl SServer {
    /// Starts it with further arguments: `-tls1`, `-cipher`, `-groups` ... Keeps its log in
    /// the folder of the certificate.
    #[must_use]
    pub fn start(identity: &SelfSigned, arguments: &[&str]) -> Self {
        let port = free_port();
        let mut command = Command::new(program("openssl", "openssl"));
        command
            .args(["s_server", "-quiet", "-naccept", "1", "-accept", &format!("127.0.0.1:{port}")])
            .arg("-cert")
            .arg(&identity.certificate)
            .arg("-key")
            .arg(&identity.key)
            .args(arguments);
        let log = identity.certificate.with_extension(format!("{port}.log"));
        let (mut daemon, input, output) = Daemon::spawn_piped("openssl s_server", command, &log);
        daemon.wait_listening(port);
        let received = Arc::new(Mutex::new(String::new()));
        let record = Arc::clone(&received);
        let dialogue = thread::spawn(move || converse(input, output, &record));
        Self { daemon, port, received, dialogue: Some(dialogue) }
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// What the client said inside TLS so far.
    #[must_use]
    pub fn received(&self) -> String {
        self.received.lock().unwrap().clone()
    }
}

impl Drop for SServer {
    fn drop(&mut self) {
        self.daemon.kill_group();
        if let Some(dialogue) = self.dialogue.take() {
            let _ = dialogue.join();
        }
    }
}

/// A server that accepts every login by PLAIN.
fn converse(mut input: ChildStdin, output: ChildStdout, received: &Mutex<String>) {
    // Waits in the pipe until TLS is up; fails when no handshake succeeds, and then nothing
    // is left to be said.
    let mut said = input.write_all(b"220 mail.lab.test ESMTP\r\n");
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        received.lock().unwrap().push_str(&format!("{line}\n"));
        let verb = line.split_ascii_whitespace().next().unwrap_or_default().to_ascii_uppercase();
        let answer: &[u8] = match verb.as_str() {
            "EHLO" => b"250-mail.lab.test\r\n250 AUTH PLAIN\r\n",
            "AUTH" => b"235 2.7.0 ok\r\n",
            _ => b"221 2.0.0 bye\r\n",
        };
        if said.is_ok() {
            said = input.write_all(answer);
        }
    }
}
