//! Headers of the PROXY protocol, which a load balancer puts in front of a connection
//! (HAProxy, "The PROXY protocol versions 1 & 2").

use std::net::{IpAddr, SocketAddr};

/// Version 2 starts with these bytes (section 2.2).
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// Source and destination a header announces.
pub type Endpoints = (SocketAddr, SocketAddr);

/// The text header (section 2.1). Without endpoints, or with two of different families, the
/// receiver is told to use the connection's own: `UNKNOWN`.
#[must_use]
pub fn version_1(endpoints: Option<Endpoints>) -> Vec<u8> {
    let line =
        match endpoints.map(|(source, destination)| (source.ip(), destination.ip(), source, destination)) {
            Some((IpAddr::V4(from), IpAddr::V4(to), source, destination)) => {
                format!("PROXY TCP4 {from} {to} {} {}\r\n", source.port(), destination.port())
            }
            Some((IpAddr::V6(from), IpAddr::V6(to), source, destination)) => {
                format!("PROXY TCP6 {from} {to} {} {}\r\n", source.port(), destination.port())
            }
            _ => "PROXY UNKNOWN\r\n".to_owned(),
        };
    line.into_bytes()
}

/// The binary header (section 2.2). Without endpoints: `LOCAL`, the health check's form.
#[must_use]
pub fn version_2(endpoints: Option<Endpoints>) -> Vec<u8> {
    let mut header = SIGNATURE.to_vec();
    let (family, addresses) = match endpoints.map(|(from, to)| (from.ip(), to.ip())) {
        Some((IpAddr::V4(from), IpAddr::V4(to))) => (0x11, [from.octets(), to.octets()].concat()),
        Some((IpAddr::V6(from), IpAddr::V6(to))) => (0x21, [from.octets(), to.octets()].concat()),
        _ => (0, Vec::new()),
    };
    let ports = match endpoints {
        Some((from, to)) if family != 0 => [from.port().to_be_bytes(), to.port().to_be_bytes()].concat(),
        _ => Vec::new(),
    };
    // Version 2 with PROXY (1) or LOCAL (0).
    header.push(if family == 0 { 0x20 } else { 0x21 });
    header.push(family);
    let length = u16::try_from(addresses.len() + ports.len()).unwrap_or_default();
    header.extend_from_slice(&length.to_be_bytes());
    header.extend(addresses);
    header.extend(ports);
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(from: &str, to: &str) -> Endpoints {
        (from.parse().unwrap(), to.parse().unwrap())
    }

    #[test]
    fn version_1_is_one_line() {
        assert_eq!(
            version_1(Some(endpoints("192.0.2.1:5000", "192.0.2.2:25"))),
            b"PROXY TCP4 192.0.2.1 192.0.2.2 5000 25\r\n"
        );
        assert_eq!(
            version_1(Some(endpoints("[2001:db8::1]:5000", "[::1]:25"))),
            b"PROXY TCP6 2001:db8::1 ::1 5000 25\r\n"
        );
        assert_eq!(version_1(None), b"PROXY UNKNOWN\r\n");
        assert_eq!(version_1(Some(endpoints("192.0.2.1:1", "[::1]:25"))), b"PROXY UNKNOWN\r\n");
    }

    #[test]
    fn version_2_counts_its_bytes() {
        let v4 = version_2(Some(endpoints("192.0.2.1:258", "192.0.2.2:25")));
        assert_eq!(v4[12..16], [0x21, 0x11, 0, 12]);
        assert_eq!(v4[16..], [192, 0, 2, 1, 192, 0, 2, 2, 1, 2, 0, 25]);
        let v6 = version_2(Some(endpoints("[::1]:1", "[::2]:2")));
        assert_eq!((v6[12..16].to_vec(), v6.len()), (vec![0x21, 0x21, 0, 36], 52));
        assert_eq!(version_2(None)[12..], [0x20, 0, 0, 0]);
    }
}
