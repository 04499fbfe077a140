//! A real Unbound: a resolver that asks the lab's other servers and nobody else. A name
//! outside its zones is refused, so that no test asks the servers of the world.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::process::Command;

use super::server::{NameServer, Place, Running, lines, root_hints};
use crate::process::program;

/// Wishes for an [`Unbound`].
#[derive(Clone, Debug, Default)]
pub struct UnboundOptions {
    zones: String,
    local_zones: String,
    server_lines: Vec<String>,
    address: Option<SocketAddr>,
    roots: Vec<IpAddr>,
}

impl UnboundOptions {
    /// Asks an authoritative server (without RD) for the names of a zone.
    #[must_use]
    pub fn stub(self, zone: &str, server: SocketAddr) -> Self {
        self.ask("stub", zone, server)
    }

    /// Asks a resolver (with RD) for the names of a zone; `.` is every name but `localhost` and
    /// the reverse names of loopback, which Unbound keeps for itself until they are named.
    #[must_use]
    pub fn forward(self, zone: &str, server: SocketAddr) -> Self {
        self.ask("forward", zone, server)
    }

    /// Listens at this address.
    #[must_use]
    pub const fn listening_at(mut self, address: SocketAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// Finds every name from these root servers on, which are asked at port 53: for a network of
    /// the lab's own ([`crate::namespace`]), in which that is free and the world is not there.
    #[must_use]
    pub fn from_roots(mut self, servers: &[IpAddr]) -> Self {
        self.roots = servers.to_vec();
        self
    }

    /// One line more in the server clause; it replaces what the lab has set.
    #[must_use]
    pub fn server_line(mut self, line: &str) -> Self {
        self.server_lines.push(line.to_owned());
        self
    }

    fn ask(mut self, how: &str, zone: &str, server: SocketAddr) -> Self {
        let (ip, port) = (server.ip(), server.port());
        let _ = write!(self.zones, "{how}-zone:\n  name: \"{zone}\"\n  {how}-addr: {ip}@{port}\n");
        // Unbound itself answers for `test`, unless there is a more exact rule below it.
        let _ = writeln!(self.local_zones, "  local-zone: \"{zone}\" transparent");
        self
    }
}

/// A running Unbound; stops when dropped.
#[derive(Debug)]
pub struct Unbound {
    running: Running,
}

impl Unbound {
    /// Starts Unbound. It sends whole names from the beginning (no QNAME minimisation), so
    /// that the queries behind it are the ones of the client.
    #[must_use]
    pub fn start(options: &UnboundOptions) -> Self {
        let place = Place::wished(options.address);
        let hints = if options.roots.is_empty() {
            String::new()
        } else {
            let hints = place.write("root.hints", &root_hints(&options.roots));
            format!("  root-hints: \"{}\"\n", hints.display())
        };
        let others = if !hints.is_empty() || options.local_zones.contains("\".\"") {
            "  local-zone: \"test.\" nodefault\n  local-zone: \"invalid.\" nodefault\n"
        } else {
            "  local-zone: \".\" refuse\n"
        };
        let config = format!(
            "server:
  interface: {ip}@{port}
  username: \"\"
  chroot: \"\"
  directory: \"{base}\"
  pidfile: \"\"
  use-syslog: no
  logfile: \"\"
  num-threads: 1
  do-not-query-localhost: no
  module-config: \"iterator\"
  qname-minimisation: no
  unblock-lan-zones: yes
{others}{hints}{local_zones}{further}remote-control:
  control-enable: no
{zones}",
            ip = place.address.ip(),
            port = place.port(),
            base = place.path().display(),
            local_zones = options.local_zones,
            further = lines(&options.server_lines),
            zones = options.zones,
        );
        let config = place.write("unbound.conf", &config);
        let mut command = Command::new(program("unbound", "unbound"));
        command.arg("-d").arg("-c").arg(config);
        Self { running: place.start("unbound", command, None) }
    }
}

impl NameServer for Unbound {
    fn running(&self) -> &Running {
        &self.running
    }
}
