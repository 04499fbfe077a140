//! A real NSD: authoritative for the zones it is given, and nothing else.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::Command;

use super::server::{NameServer, Place, Running, file_name};
use super::zone_file::ZoneFile;
use crate::process::program;

/// A running NSD; stops when dropped.
#[derive(Debug)]
pub struct Nsd {
    running: Running,
}

impl Nsd {
    /// Starts NSD with these zones. Its limit of 200 answers a second to one client is off.
    #[must_use]
    pub fn start(zones: &[ZoneFile]) -> Self {
        Self::start_in(Place::wished(None), zones)
    }

    /// The same at a chosen address: delegations name no port.
    #[must_use]
    pub fn start_at(address: SocketAddr, zones: &[ZoneFile]) -> Self {
        Self::start_in(Place::at(address), zones)
    }

    fn start_in(place: Place, zones: &[ZoneFile]) -> Self {
        let base = place.path().display().to_string();
        let mut config = format!(
            "server:
  ip-address: {ip}@{port}
  server-count: 1
  username: \"\"
  chroot: \"\"
  zonesdir: \"{base}\"
  database: \"\"
  zonelistfile: \"{base}/zone.list\"
  xfrdfile: \"{base}/xfrd.state\"
  xfrdir: \"{base}\"
  pidfile: \"\"
  rrl-ratelimit: 0
remote-control:
  control-enable: no
",
            ip = place.address.ip(),
            port = place.port()
        );
        for zone in zones {
            let file = place.write(&file_name(&zone.name), &zone.text);
            let _ = writeln!(config, "zone:\n  name: \"{}\"\n  zonefile: \"{}\"", zone.name, file.display());
        }
        let config = place.write("nsd.conf", &config);
        let mut command = Command::new(program("nsd", "nsd"));
        command.arg("-d").arg("-c").arg(config);
        Self { running: place.start("nsd", command, None) }
    }
}

impl NameServer for Nsd {
    fn running(&self) -> &Running {
        &self.running
    }
}
