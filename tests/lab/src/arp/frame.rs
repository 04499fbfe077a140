//! ARP in Ethernet (RFC 826), plain or behind a VLAN tag (IEEE 802.1Q); every field may be a lie.

use std::net::Ipv4Addr;

use crate::arp::Mac;

/// What an ARP frame says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Who has the target address?
    Request,
    /// The sender has the sender address.
    Reply,
}

/// An ARP frame, whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// To whom Ethernet brings it.
    pub destination: Mac,
    /// From whom Ethernet says it comes; a forger may write another than `sender_mac`.
    pub source: Mac,
    /// 802.1Q VLAN, if it is tagged.
    pub vlan: Option<u16>,
    /// Question or answer.
    pub operation: Operation,
    /// Whose address is told.
    pub sender_mac: Mac,
    /// The address that is told.
    pub sender: Ipv4Addr,
    /// Zero in a question.
    pub target_mac: Mac,
    /// The address that is asked for, or whom the answer is for.
    pub target: Ipv4Addr,
}

impl Arp {
    /// A question to everybody from `sender`, which is 0.0.0.0 in a probe (RFC 5227).
    #[must_use]
    pub fn request(sender: Ipv4Addr, mac: Mac, target: Ipv4Addr) -> Self {
        Self {
            destination: Mac::BROADCAST,
            source: mac,
            vlan: None,
            operation: Operation::Request,
            sender_mac: mac,
            sender,
            target_mac: Mac::ZERO,
            target,
        }
    }

    /// An answer to one host, asked for or not.
    #[must_use]
    pub fn reply(sender: Ipv4Addr, mac: Mac, to: (Ipv4Addr, Mac)) -> Self {
        let (target, destination) = to;
        let request = Self::request(sender, mac, target);
        Self { destination, operation: Operation::Reply, target_mac: destination, ..request }
    }

    /// "I have this address", as a question about it to everybody: what hosts send when they come up.
    #[must_use]
    pub fn gratuitous_request(address: Ipv4Addr, mac: Mac) -> Self {
        Self::request(address, mac, address)
    }

    /// The same as an answer that nobody asked for.
    #[must_use]
    pub fn gratuitous_reply(address: Ipv4Addr, mac: Mac) -> Self {
        Self {
            operation: Operation::Reply,
            target_mac: Mac::BROADCAST,
            ..Self::request(address, mac, address)
        }
    }

    /// The same frame brought to one host only.
    #[must_use]
    pub fn to(self, destination: Mac) -> Self {
        Self { destination, ..self }
    }

    /// The same frame with another name in its Ethernet header.
    #[must_use]
    pub fn from(self, source: Mac) -> Self {
        Self { source, ..self }
    }

    /// The same frame in a VLAN.
    #[must_use]
    pub fn tagged(self, vlan: u16) -> Self {
        Self { vlan: Some(vlan), ..self }
    }

    /// The frame as it is on the wire, without padding.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = header(self.destination, self.source, self.vlan);
        bytes.extend(ETHERTYPE);
        bytes.extend(ETHERNET_AND_IPV4);
        bytes.extend(match self.operation {
            Operation::Request => [0, 1],
            Operation::Reply => [0, 2],
        });
        bytes.extend(self.sender_mac.0);
        bytes.extend(self.sender.octets());
        bytes.extend(self.target_mac.0);
        bytes.extend(self.target.octets());
        bytes
    }

    /// Reads a frame; None when it is no ARP for IPv4.
    #[must_use]
    pub fn parse(frame: &[u8]) -> Option<Self> {
        let (ethernet, rest) = frame.split_at_checked(12)?;
        let (vlan, rest) = match rest {
            [0x81, 0x00, high, low, rest @ ..] => (Some(u16::from_be_bytes([high & 0x0f, *low])), rest),
            rest => (None, rest),
        };
        let rest = rest.strip_prefix(&ETHERTYPE)?.strip_prefix(&ETHERNET_AND_IPV4)?;
        let operation = match rest.get(..2)? {
            [0, 1] => Operation::Request,
            [0, 2] => Operation::Reply,
            _ => return None,
        };
        Some(Self {
            destination: Mac::read(ethernet.get(..6)?)?,
            source: Mac::read(ethernet.get(6..)?)?,
            vlan,
            operation,
            sender_mac: Mac::read(rest.get(2..8)?)?,
            sender: address(rest.get(8..12)?)?,
            target_mac: Mac::read(rest.get(12..18)?)?,
            target: address(rest.get(18..22)?)?,
        })
    }
}

impl From<Arp> for Vec<u8> {
    fn from(frame: Arp) -> Self {
        frame.bytes()
    }
}

/// A datagram from one card to another that has nothing to do with either protocol: UDP to the discard port.
#[must_use]
pub fn unrelated(source: Mac, destination: Mac) -> Vec<u8> {
    // To an address that no host has, so that no kernel answers.
    let mut packet = [0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0, 10, 99, 0, 66, 10, 99, 255, 250];
    // Bridges with a packet filter look at it.
    let sum = checksum(&packet);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    let mut bytes = header(destination, source, None);
    bytes.extend([0x08, 0x00]);
    bytes.extend(packet);
    bytes.extend([0, 9, 0, 9, 0, 12, 0, 0, b'n', b'o', b'n', b'e']);
    bytes
}

const ETHERTYPE: [u8; 2] = [0x08, 0x06];
const ETHERNET_AND_IPV4: [u8; 6] = [0, 1, 0x08, 0x00, 6, 4];

/// Ethernet up to the type of what follows.
pub(crate) fn header(destination: Mac, source: Mac, vlan: Option<u16>) -> Vec<u8> {
    let mut bytes = [destination.0, source.0].concat();
    if let Some(vlan) = vlan {
        bytes.extend([0x81, 0x00]);
        bytes.extend(vlan.to_be_bytes());
    }
    bytes
}

/// The checksum of the internet protocols (RFC 1071), of an even number of bytes.
pub(crate) fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 =
        bytes.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("folded")
}

fn address(bytes: &[u8]) -> Option<Ipv4Addr> {
    <[u8; 4]>::try_from(bytes).ok().map(Ipv4Addr::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mac = Mac([2, 1, 2, 3, 4, 5]);
        let (here, there) = (Ipv4Addr::new(10, 99, 0, 1), Ipv4Addr::new(10, 99, 0, 2));
        let frames = [
            Arp::request(here, mac, there),
            Arp::reply(here, mac, (there, Mac([2; 6]))),
            Arp::gratuitous_reply(here, mac).to(Mac([4; 6])),
            Arp::gratuitous_request(here, mac).from(Mac([6; 6])).tagged(4094),
        ];
        for frame in frames {
            assert_eq!(Arp::parse(&frame.bytes()), Some(frame));
            assert_eq!(Arp::parse(&frame.bytes()[..30]), None);
        }
        assert_eq!(Arp::parse(&unrelated(mac, mac)), None);
    }
}
