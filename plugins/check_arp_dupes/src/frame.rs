//! Frames of ARP (RFC 826, RFC 5227) and of neighbour discovery (RFC 4861): read and built.
//!
//! Only what the filter of the socket lets through comes here, but nothing relies on that: a frame that is
//! short, foreign or contradicts itself is no [`Frame`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pnet::packet::Packet as _;
use pnet::packet::arp::{ArpHardwareTypes, ArpOperation, ArpOperations, ArpPacket, MutableArpPacket};
use pnet::packet::ethernet::{EtherTypes, EthernetPacket, MutableEthernetPacket};
use pnet::packet::icmpv6;
use pnet::packet::ip::IpNextHeaderProtocols;
use pnet::packet::ipv6::{Ipv6Packet, MutableIpv6Packet};
use pnet::util::MacAddr;
use serde::{Deserialize, Serialize};

use crate::mac::Mac;

/// What one frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Source in the Ethernet header.
    pub source: Mac,
    /// Destination in the Ethernet header.
    pub destination: Mac,
    /// What it carries.
    pub message: Message,
}

/// What a frame carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Somebody says that an address is theirs.
    Claim(Claim),
    /// Somebody asks whether an address is free: an ARP probe, or a solicitation from `::`.
    Probe {
        /// Who asks.
        mac: Mac,
        /// For what.
        ip: IpAddr,
    },
    /// A router advertises itself.
    Advertisement(Advertisement),
}

/// An address and who says to have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The address.
    pub ip: IpAddr,
    /// The Ethernet address in the message.
    pub mac: Mac,
    /// Whether somebody had asked for it.
    pub kind: Kind,
}

/// How a claim is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An answer to whoever asked.
    Reply,
    /// An answer nobody asked for, or an announcement.
    Gratuitous,
    /// In a question about another address.
    Request,
}

/// A router advertisement.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Advertisement {
    /// Link-local address of the router.
    pub router: Ipv6Addr,
    /// Its Ethernet address, by the option or else by the frame.
    pub mac: Mac,
    /// For how many seconds it is a default router; 0: it is none.
    pub lifetime_seconds: u16,
    /// Its preference (RFC 4191).
    pub preference: Preference,
    /// Prefixes for addresses and for the link.
    pub prefixes: Vec<(Ipv6Addr, u8)>,
}

/// Preference of a default router (RFC 4191, section 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preference {
    /// 11
    Low,
    /// 00, and 10, which receivers must take for it.
    Medium,
    /// 01
    High,
}

/// More prefixes than any router of a single link advertises.
const MOST_PREFIXES: usize = 32;
/// Hop limit of neighbour discovery: lower means that a router forwarded it (RFC 4861, section 7.1).
const ON_LINK: u8 = 255;

const ROUTER_ADVERTISEMENT: u8 = 134;
const NEIGHBOR_SOLICITATION: u8 = 135;
const NEIGHBOR_ADVERTISEMENT: u8 = 136;

const SOURCE_ADDRESS: u8 = 1;
const TARGET_ADDRESS: u8 = 2;
const PREFIX: u8 = 3;

/// Reads a frame; `None` when it says nothing about who has an address.
#[must_use]
pub fn parse_frame(bytes: &[u8]) -> Option<Frame> {
    let ethernet = EthernetPacket::new(bytes)?;
    let source = Mac(ethernet.get_source().octets());
    let message = match ethernet.get_ethertype() {
        EtherTypes::Arp => parse_arp(ethernet.payload())?,
        EtherTypes::Ipv6 => parse_discovery(ethernet.payload(), source)?,
        _ => return None,
    };
    Some(Frame { source, destination: Mac(ethernet.get_destination().octets()), message })
}

fn parse_arp(bytes: &[u8]) -> Option<Message> {
    let arp = ArpPacket::new(bytes)?;
    let is_ethernet = arp.get_hardware_type() == ArpHardwareTypes::Ethernet && arp.get_hw_addr_len() == 6;
    let is_ipv4 = arp.get_protocol_type() == EtherTypes::Ipv4 && arp.get_proto_addr_len() == 4;
    if !is_ethernet || !is_ipv4 {
        return None;
    }
    let mac = Mac(arp.get_sender_hw_addr().octets());
    let (sender, target) = (arp.get_sender_proto_addr(), arp.get_target_proto_addr());
    let kind = match arp.get_operation() {
        ArpOperations::Request if sender.is_unspecified() => {
            return Some(Message::Probe { mac, ip: target.into() });
        }
        // About itself, to whomever: an announcement (RFC 5227, section 3).
        ArpOperations::Request | ArpOperations::Reply if sender == target => Kind::Gratuitous,
        ArpOperations::Request => Kind::Request,
        ArpOperations::Reply => Kind::Reply,
        _ => return None,
    };
    let is_an_address = !sender.is_unspecified() && !sender.is_multicast() && !sender.is_broadcast();
    is_an_address.then_some(Message::Claim(Claim { ip: sender.into(), mac, kind }))
}

fn parse_discovery(bytes: &[u8], source: Mac) -> Option<Message> {
    let packet = Ipv6Packet::new(bytes)?;
    if packet.get_next_header() != IpNextHeaderProtocols::Icmpv6 || packet.get_hop_limit() != ON_LINK {
        return None;
    }
    // By the length in the header: Ethernet pads short frames.
    let body = bytes.get(40..40 + usize::from(packet.get_payload_length()))?;
    let [kind, code, ..] = *body else { return None };
    let is_intact =
        icmpv6::checksum(&icmpv6::Icmpv6Packet::new(body)?, &packet.get_source(), &packet.get_destination())
            == u16::from_be_bytes([*body.get(2)?, *body.get(3)?]);
    if code != 0 || !is_intact {
        return None;
    }
    match kind {
        ROUTER_ADVERTISEMENT => parse_advertisement(body, packet.get_source(), source),
        NEIGHBOR_SOLICITATION | NEIGHBOR_ADVERTISEMENT => {
            let target = Ipv6Addr::from(<[u8; 16]>::try_from(body.get(8..24)?).ok()?);
            let options = Options::of(body.get(24..)?)?;
            if kind == NEIGHBOR_ADVERTISEMENT {
                let mac = options.address(TARGET_ADDRESS).unwrap_or(source);
                let is_solicited = body.get(4)? & 0x40 != 0;
                let kind = if is_solicited { Kind::Reply } else { Kind::Gratuitous };
                return claim(target, mac, kind);
            }
            if packet.get_source().is_unspecified() {
                return Some(Message::Probe { mac: source, ip: target.into() });
            }
            // Without the option it says nothing about who has the source address.
            claim(packet.get_source(), options.address(SOURCE_ADDRESS)?, Kind::Request)
        }
        _ => None,
    }
}

fn claim(ip: Ipv6Addr, mac: Mac, kind: Kind) -> Option<Message> {
    let is_an_address = !ip.is_unspecified() && !ip.is_multicast();
    is_an_address.then_some(Message::Claim(Claim { ip: ip.into(), mac, kind }))
}

fn parse_advertisement(body: &[u8], router: Ipv6Addr, source: Mac) -> Option<Message> {
    if !router.is_unicast_link_local() {
        return None;
    }
    let preference = match (body.get(5)? >> 3) & 0b11 {
        0b01 => Preference::High,
        0b11 => Preference::Low,
        _ => Preference::Medium,
    };
    let lifetime_seconds = u16::from_be_bytes([*body.get(6)?, *body.get(7)?]);
    let options = Options::of(body.get(16..)?)?;
    let mut prefixes: Vec<(Ipv6Addr, u8)> = options
        .all(PREFIX)
        .filter_map(|option| {
            let prefix = Ipv6Addr::from(<[u8; 16]>::try_from(option.get(16..32)?).ok()?);
            let length = *option.get(2)?;
            (length <= 128 && !prefix.is_unicast_link_local()).then_some((prefix, length))
        })
        .take(MOST_PREFIXES)
        .collect();
    prefixes.sort_unstable();
    prefixes.dedup();
    let mac = options.address(SOURCE_ADDRESS).unwrap_or(source);
    Some(Message::Advertisement(Advertisement { router, mac, lifetime_seconds, preference, prefixes }))
}

/// Options of neighbour discovery: kind, length in units of eight bytes, content (RFC 4861, section 4.6).
struct Options<'a>(Vec<&'a [u8]>);

impl<'a> Options<'a> {
    /// `None` when one has no length or ends behind the message: such a message must be dropped.
    fn of(mut bytes: &'a [u8]) -> Option<Self> {
        let mut options = Vec::new();
        while !bytes.is_empty() {
            let length = usize::from(*bytes.get(1)?) * 8;
            if length == 0 {
                return None;
            }
            let (option, rest) = bytes.split_at_checked(length)?;
            options.push(option);
            bytes = rest;
        }
        Some(Self(options))
    }

    fn all(&self, kind: u8) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().copied().filter(move |option| option.first() == Some(&kind))
    }

    fn address(&self, kind: u8) -> Option<Mac> {
        self.all(kind).find_map(|option| Mac::of(option.get(2..8)?))
    }
}

const ETHERNET: usize = 14;
const ARP: usize = 28;
const IPV6: usize = 40;

/// A question to all who has `target`. From an address of ours, or from nobody (RFC 5227, section 2.1.1), which
/// leaves no trace in the tables of those who hear it.
#[must_use]
pub fn arp_question(mac: Mac, sender: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    let mut bytes = vec![0; ETHERNET + ARP];
    head(&mut bytes, mac, Mac::BROADCAST, EtherTypes::Arp);
    if let Some(mut arp) = bytes.get_mut(ETHERNET..).and_then(MutableArpPacket::new) {
        arp.set_hardware_type(ArpHardwareTypes::Ethernet);
        arp.set_protocol_type(EtherTypes::Ipv4);
        arp.set_hw_addr_len(6);
        arp.set_proto_addr_len(4);
        arp.set_operation(ArpOperation::new(1));
        arp.set_sender_hw_addr(address(mac));
        arp.set_sender_proto_addr(sender);
        arp.set_target_proto_addr(target);
    }
    bytes
}

/// A neighbour solicitation to all that may have `target` (RFC 4861, section 4.3). From `::` it asks whether the
/// address is free, and is answered to all (RFC 4862, section 5.4).
#[must_use]
pub fn solicitation(mac: Mac, sender: Ipv6Addr, target: Ipv6Addr) -> Vec<u8> {
    let [.., a, b, c] = target.octets();
    let group = Ipv6Addr::from([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c]);
    let mut body = vec![NEIGHBOR_SOLICITATION, 0, 0, 0, 0, 0, 0, 0];
    body.extend(target.octets());
    if !sender.is_unspecified() {
        body.extend([SOURCE_ADDRESS, 1]);
        body.extend(mac.0);
    }
    to_group(mac, sender, group, &body)
}

/// A router solicitation (RFC 4861, section 4.1).
#[must_use]
pub fn router_solicitation(mac: Mac, sender: Ipv6Addr) -> Vec<u8> {
    const ROUTER_SOLICITATION: u8 = 133;
    const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
    let mut body = vec![ROUTER_SOLICITATION, 0, 0, 0, 0, 0, 0, 0];
    if !sender.is_unspecified() {
        body.extend([SOURCE_ADDRESS, 1]);
        body.extend(mac.0);
    }
    to_group(mac, sender, ALL_ROUTERS, &body)
}

fn to_group(mac: Mac, sender: Ipv6Addr, group: Ipv6Addr, body: &[u8]) -> Vec<u8> {
    let [.., a, b, c, d] = group.octets();
    let mut bytes = vec![0; ETHERNET + IPV6];
    head(&mut bytes, mac, Mac([0x33, 0x33, a, b, c, d]), EtherTypes::Ipv6);
    if let Some(mut packet) = bytes.get_mut(ETHERNET..).and_then(MutableIpv6Packet::new) {
        packet.set_version(6);
        packet.set_next_header(IpNextHeaderProtocols::Icmpv6);
        packet.set_hop_limit(ON_LINK);
        packet.set_source(sender);
        packet.set_destination(group);
        packet.set_payload_length(u16::try_from(body.len()).unwrap_or(u16::MAX));
    }
    bytes.extend(body);
    let sum = icmpv6::Icmpv6Packet::new(body).map_or(0, |body| icmpv6::checksum(&body, &sender, &group));
    if let Some(field) = bytes.get_mut(ETHERNET + IPV6 + 2..ETHERNET + IPV6 + 4) {
        field.copy_from_slice(&sum.to_be_bytes());
    }
    bytes
}

fn head(bytes: &mut [u8], source: Mac, destination: Mac, kind: pnet::packet::ethernet::EtherType) {
    if let Some(mut ethernet) = MutableEthernetPacket::new(bytes) {
        ethernet.set_source(address(source));
        ethernet.set_destination(address(destination));
        ethernet.set_ethertype(kind);
    }
}

fn address(mac: Mac) -> MacAddr {
    mac.0.into()
}

#[cfg(test)]
mod tests;
