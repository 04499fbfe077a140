//! Which name servers are asked.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use crate::net::ProbeError;
use crate::net::error::cause;

/// Name servers that stand in for one another: each try goes to the next one. At least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// In the order in which they are asked.
    pub servers: Vec<SocketAddr>,
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers: Vec<String> = self.servers.iter().map(ToString::to_string).collect();
        f.write_str(&servers.join(" or "))
    }
}

const DNS_PORT: u16 = 53;
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// More are ignored, as resolv.conf(5) has it.
const MAX_SYSTEM_SERVERS: usize = 3;

/// Reads `IP`, `IP:PORT` or `[IP]:PORT`; the port is 53 unless given.
pub fn parse_server(text: &str) -> Result<SocketAddr, String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(SocketAddr::new(address, DNS_PORT));
    }
    match text.parse::<SocketAddr>() {
        Ok(server) if server.port() != 0 => Ok(server),
        _ => Err("want the address of a name server: IP, IP:PORT or [IPv6]:PORT".to_owned()),
    }
}

/// The servers of resolv.conf(5), as one upstream.
pub fn system_servers() -> Result<Upstream, ProbeError> {
    let unusable = |why: String| {
        ProbeError::local(format!("cannot take the name servers from {RESOLV_CONF}: {why}"))
            .with_hint("--resolver IP names one")
    };
    let text = std::fs::read_to_string(Path::new(RESOLV_CONF)).map_err(|error| unusable(cause(&error)))?;
    let servers = name_servers(&text);
    if servers.is_empty() {
        return Err(unusable("it has none".to_owned()));
    }
    Ok(Upstream { servers })
}

/// A line that cannot be read is left out, as the C library does.
fn name_servers(text: &str) -> Vec<SocketAddr> {
    text.lines()
        .filter_map(|line| line.strip_prefix("nameserver")?.split_ascii_whitespace().next())
        .filter_map(|address| address.split('%').next()?.parse().ok())
        .map(|address| SocketAddr::new(address, DNS_PORT))
        .take(MAX_SYSTEM_SERVERS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_with_and_without_port() {
        let read = |text| parse_server(text).map(|server| server.to_string());
        assert_eq!(read("192.0.2.1"), Ok("192.0.2.1:53".into()));
        assert_eq!(read("192.0.2.1:5300"), Ok("192.0.2.1:5300".into()));
        assert_eq!(read("2001:db8::1"), Ok("[2001:db8::1]:53".into()));
        assert_eq!(read("[2001:db8::1]"), Ok("[2001:db8::1]:53".into()));
        assert_eq!(read("[2001:db8::1]:5300"), Ok("[2001:db8::1]:5300".into()));
        for bad in ["", "dns.example", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:99999"] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn resolv_conf_names_three_at_most() {
        let text = "# x\nsearch example\nnameserver 192.0.2.1\nnameserver\t2001:db8::1 \nnameserver x\n\
                    ;nameserver 192.0.2.9\nnameserver 192.0.2.3\nnameserver 192.0.2.4\noptions edns0\n";
        let shown: Vec<String> = name_servers(text).iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["192.0.2.1:53", "[2001:db8::1]:53", "192.0.2.3:53"]);
        assert_eq!(name_servers("search example\n"), []);
    }
}
