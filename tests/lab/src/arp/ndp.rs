//! Neighbour discovery for IPv6 (RFC 4861): advertisements of neighbours and routers, and the questions a liar waits
//! for.

use std::net::Ipv6Addr;

use crate::arp::Mac;
use crate::arp::frame::{checksum, header};

/// Says who has an address.
#[derive(Clone, Copy, Debug)]
pub struct Advertisement {
    /// The address it is about.
    pub target: Ipv6Addr,
    /// Who has it, in the option and in the Ethernet header.
    pub mac: Mac,
    /// To whom: an address and its MAC.
    pub to: (Ipv6Addr, Mac),
    /// Claims to answer a question.
    pub solicited: bool,
    /// Wants to replace what is known.
    pub overrides: bool,
}

impl Advertisement {
    /// To one host, as if it had asked; overrides.
    #[must_use]
    pub fn unicast(target: Ipv6Addr, mac: Mac, to: (Ipv6Addr, Mac)) -> Self {
        Self { target, mac, to, solicited: true, overrides: true }
    }

    /// To everybody, unasked; overrides.
    #[must_use]
    pub fn multicast(target: Ipv6Addr, mac: Mac) -> Self {
        let all = (ALL_NODES, multicast_mac(ALL_NODES));
        Self { target, mac, to: all, solicited: false, overrides: true }
    }

    /// The frame as it is on the wire. It comes from the target address, as a router.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let flags = 0x80 | (u8::from(self.solicited) << 6) | (u8::from(self.overrides) << 5);
        let mut body = vec![NEIGHBOUR_ADVERTISEMENT, 0, 0, 0, flags, 0, 0, 0];
        body.extend(self.target.octets());
        body.extend([2, 1]);
        body.extend(self.mac.0);
        packet(self.target, self.mac, self.to, body)
    }
}

impl From<Advertisement> for Vec<u8> {
    fn from(frame: Advertisement) -> Self {
        frame.bytes()
    }
}

/// How much a router wants to be preferred (RFC 4191).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preference {
    /// Before the others.
    High,
    /// The usual.
    Medium,
    /// If there is no other.
    Low,
}

/// Says that there is a router, to everybody.
#[derive(Clone, Copy, Debug)]
pub struct RouterAdvertisement {
    /// Its link-local address.
    pub router: Ipv6Addr,
    /// Its MAC, in the option and in the Ethernet header.
    pub mac: Mac,
    /// Its rank among the routers.
    pub preference: Preference,
    /// For how many seconds it is a default router; 0: it is none.
    pub lifetime: u16,
    /// A prefix from which hosts shall make addresses, and its length.
    pub prefix: Option<(Ipv6Addr, u8)>,
}

impl RouterAdvertisement {
    /// The frame as it is on the wire.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let preference = match self.preference {
            Preference::High => 0x08,
            Preference::Medium => 0,
            Preference::Low => 0x18,
        };
        let mut body = vec![ROUTER_ADVERTISEMENT, 0, 0, 0, 64, preference];
        body.extend(self.lifetime.to_be_bytes());
        body.extend([0; 8]);
        body.extend([1, 1]);
        body.extend(self.mac.0);
        if let Some((prefix, length)) = self.prefix {
            // On-link and autonomous, valid for an hour, preferred for half of it.
            body.extend([3, 4, length, 0xc0]);
            body.extend(3600_u32.to_be_bytes());
            body.extend(1800_u32.to_be_bytes());
            body.extend([0; 4]);
            body.extend(prefix.octets());
        }
        packet(self.router, self.mac, (ALL_NODES, multicast_mac(ALL_NODES)), body)
    }
}

impl From<RouterAdvertisement> for Vec<u8> {
    fn from(frame: RouterAdvertisement) -> Self {
        frame.bytes()
    }
}

/// A question who has an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Solicitation {
    pub(crate) from: (Ipv6Addr, Mac),
    pub(crate) target: Ipv6Addr,
}

impl Solicitation {
    /// Reads a frame; None when it is something else.
    pub(crate) fn parse(frame: &[u8]) -> Option<Self> {
        let source = Mac::read(frame.get(6..12)?)?;
        let (packet, body) =
            message(frame).filter(|(_, body)| body.first() == Some(&NEIGHBOUR_SOLICITATION))?;
        let (from, target) = (address(packet.get(8..24)?)?, address(body.get(8..24)?)?);
        Some(Self { from: (from, source), target })
    }
}

/// Whether a host looks for a router.
pub(crate) fn is_router_solicitation(frame: &[u8]) -> bool {
    message(frame).is_some_and(|(_, body)| body.first() == Some(&ROUTER_SOLICITATION))
}

/// The IPv6 packet and the ICMPv6 message that directly follows its header.
fn message(frame: &[u8]) -> Option<(&[u8], &[u8])> {
    let packet = frame.get(12..)?.strip_prefix(&ETHERTYPE)?;
    let body = packet.get(40..)?;
    (packet.get(6) == Some(&ICMPV6)).then_some((packet, body))
}

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ETHERTYPE: [u8; 2] = [0x86, 0xdd];
const ICMPV6: u8 = 58;
const ROUTER_SOLICITATION: u8 = 133;
const ROUTER_ADVERTISEMENT: u8 = 134;
const NEIGHBOUR_SOLICITATION: u8 = 135;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;

/// The link-local address that a host makes from its MAC (RFC 4291, appendix A).
#[must_use]
pub fn link_local(mac: Mac) -> Ipv6Addr {
    let mut address = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0xff, 0xfe00, 0).octets();
    address[8..11].copy_from_slice(&mac.0[..3]);
    address[13..].copy_from_slice(&mac.0[3..]);
    address[8] ^= 2;
    Ipv6Addr::from(address)
}

fn multicast_mac(address: Ipv6Addr) -> Mac {
    let [.., a, b, c, d] = address.octets();
    Mac([0x33, 0x33, a, b, c, d])
}

fn packet(from: Ipv6Addr, mac: Mac, to: (Ipv6Addr, Mac), mut body: Vec<u8>) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("these are short");
    let pseudo = [&from.octets()[..], &to.0.octets(), &[0, 0], &length.to_be_bytes(), &[0, 0, 0, ICMPV6]];
    let sum = checksum(&[&pseudo.concat(), &body[..]].concat());
    body[2..4].copy_from_slice(&sum.to_be_bytes());
    let mut bytes = header(to.1, mac, None);
    bytes.extend(ETHERTYPE);
    bytes.extend([0x60, 0, 0, 0]);
    bytes.extend(length.to_be_bytes());
    // A hop limit of 255 proves that no router has sent it on.
    bytes.extend([ICMPV6, 255]);
    bytes.extend(from.octets());
    bytes.extend(to.0.octets());
    bytes.extend(body);
    bytes
}

fn address(bytes: &[u8]) -> Option<Ipv6Addr> {
    <[u8; 16]>::try_from(bytes).ok().map(Ipv6Addr::from)
}
