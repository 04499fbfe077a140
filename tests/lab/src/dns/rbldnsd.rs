//! A real rbldnsd: the server behind most public block lists. It speaks UDP alone.

use std::net::SocketAddr;
use std::process::Command;

use super::server::{NameServer, Place, Running, as_nobody};
use crate::process::program;

/// Kind of data, by rbldnsd's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataSet {
    /// `ip4set`: IPv4 addresses and networks. `0.0.0.0/0` is silently ignored: the world is
    /// `0.0.0.0/1` and `128.0.0.0/1`.
    Ip4Set,
    /// `ip6trie`: IPv6 addresses and networks.
    Ip6Trie,
    /// `dnset`: domains; `.bad.example` lists the domain and everything below it.
    DnSet,
}

impl DataSet {
    fn name(self) -> &'static str {
        match self {
            Self::Ip4Set => "ip4set",
            Self::Ip6Trie => "ip6trie",
            Self::DnSet => "dnset",
        }
    }

    /// The entry that every list of this kind should have (RFC 5782 sections 2.3, 2.4, 5).
    fn test_point(self) -> &'static str {
        match self {
            Self::Ip4Set => "127.0.0.2",
            Self::Ip6Trie => "::ffff:7f00:2",
            Self::DnSet => "test",
        }
    }
}

/// A zone of an [`Rbldnsd`]. Several zones of one name are one list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RblZone {
    name: String,
    data_set: DataSet,
    data: String,
    name_servers: String,
}

impl RblZone {
    /// A list with these entries and its test point. An entry is `TARGET` or
    /// `TARGET :CODE:TEXT`, `$` in a text is the target; the default is
    /// `:127.0.0.2:Listed, see $`.
    #[must_use]
    pub fn new(name: &str, data_set: DataSet, entries: &str) -> Self {
        Self::dead(name, data_set, &format!("{}\n{entries}", data_set.test_point()))
    }

    /// A list with these entries and without a test point.
    #[must_use]
    pub fn dead(name: &str, data_set: DataSet, entries: &str) -> Self {
        let data = format!(
            "$SOA 300 ns.{name} hostmaster.{name} 2026 7200 3600 604800 60\n\
             $TTL 300\n:127.0.0.2:Listed, see $\n{entries}\n"
        );
        Self { name: name.to_owned(), data_set, data, name_servers: format!("ns.{name}") }
    }

    /// The same list with these name servers in its NS records; rbldnsd has no addresses of
    /// theirs.
    #[must_use]
    pub fn served_by(mut self, names: &[&str]) -> Self {
        self.name_servers = names.join(" ");
        self
    }
}

/// A running rbldnsd; stops when dropped.
#[derive(Debug)]
pub struct Rbldnsd {
    running: Running,
}

impl Rbldnsd {
    /// Starts rbldnsd with these zones.
    #[must_use]
    pub fn start(zones: &[RblZone]) -> Self {
        Self::start_in(Place::wished(None), zones)
    }

    /// The same on an address of loopback that is free for UDP.
    #[must_use]
    pub fn start_at(address: SocketAddr, zones: &[RblZone]) -> Self {
        Self::start_in(Place::at(address), zones)
    }

    /// Ends it at once, frozen or not, without a chance to answer what waits.
    pub fn kill(mut self) {
        self.running.kill();
    }

    fn start_in(place: Place, zones: &[RblZone]) -> Self {
        let mut command = Command::new(program("rbldnsd", "rbldnsd"));
        command.arg("-n").args(as_nobody()).arg("-w").arg(place.path());
        command.arg("-b").arg(format!("{}/{}", place.address.ip(), place.port()));
        for (number, zone) in zones.iter().enumerate() {
            let file = format!("zone{number}");
            place.write(&file, &format!("$NS 300 {}\n{}", zone.name_servers, zone.data));
            command.arg(format!("{}:{}:{file}", zone.name, zone.data_set.name()));
        }
        Self { running: place.start("rbldnsd", command, None) }
    }
}

impl NameServer for Rbldnsd {
    fn running(&self) -> &Running {
        &self.running
    }
}
