//! A real BIND: authoritative for its own zones and a resolver for others, in one process.
//! A name outside both is answered SERVFAIL, so that no test asks the servers of the world.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::Command;

use super::server::{NameServer, Place, Running, file_name, lines};
use super::zone_file::ZoneFile;
use crate::process::program;

/// Wishes for a [`Named`].
#[derive(Clone, Debug, Default)]
pub struct NamedOptions {
    primaries: Vec<ZoneFile>,
    zones: String,
    option_lines: Vec<String>,
    address: Option<SocketAddr>,
}

impl NamedOptions {
    /// Authoritative for this zone.
    #[must_use]
    pub fn primary(mut self, zone: ZoneFile) -> Self {
        self.primaries.push(zone);
        self
    }

    /// Asks a server (with RD) for the names of a zone; `.` is every name. It may be an
    /// authoritative one: stub zones are left out, for in BIND they cannot name a port.
    #[must_use]
    pub fn forward(mut self, zone: &str, server: SocketAddr) -> Self {
        let (ip, port) = (server.ip(), server.port());
        let _ = writeln!(
            self.zones,
            "zone \"{zone}\" {{ type forward; forward only; forwarders {{ {ip} port {port}; }}; }};"
        );
        self
    }

    /// Listens at this address, which an interface must have: delegations name no port.
    #[must_use]
    pub const fn listening_at(mut self, address: SocketAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// One statement more among the options, such as `max-cache-ttl 1;`.
    #[must_use]
    pub fn option_line(mut self, line: &str) -> Self {
        self.option_lines.push(line.to_owned());
        self
    }
}

/// A running BIND; stops when dropped.
#[derive(Debug)]
pub struct Named {
    running: Running,
}

impl Named {
    /// Starts BIND. It sends whole names from the beginning (no QNAME minimisation), so that
    /// the queries behind it are the ones of the client.
    #[must_use]
    pub fn start(options: &NamedOptions) -> Self {
        let place = Place::wished(options.address);
        let base = place.path().display().to_string();
        // Forwarding to a port where nobody listens: the world is out of reach.
        let mut config = format!(
            "options {{
  directory \"{base}\";
  pid-file none;
  lock-file none;
  session-keyfile none;
  managed-keys-directory \"{base}\";
  listen-on port {port} {{ {ip}; }};
  listen-on-v6 {{ none; }};
  recursion yes;
  dnssec-validation no;
  empty-zones-enable no;
  qname-minimization off;
  max-cache-size 32M;
  forward only;
  forwarders {{ 127.0.0.1 port 1; }};
{further}}};
controls {{ }};
{zones}",
            ip = place.address.ip(),
            port = place.port(),
            further = lines(&options.option_lines),
            zones = options.zones,
        );
        for zone in &options.primaries {
            let file = place.write(&file_name(&zone.name), &zone.text);
            let (name, file) = (&zone.name, file.display());
            let _ = writeln!(config, "zone \"{name}\" {{ type primary; file \"{file}\"; }};");
        }
        let config = place.write("named.conf", &config);
        let mut command = Command::new(program("named", "bind9"));
        command.arg("-g").args(["-n", "1"]).arg("-c").arg(config);
        Self { running: place.start("named", command, Some("all zones loaded")) }
    }
}

impl NameServer for Named {
    fn running(&self) -> &Running {
        &self.running
    }
}
