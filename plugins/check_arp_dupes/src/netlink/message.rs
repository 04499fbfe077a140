//! The messages of a dump.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::attributes::{Attributes, ip};
use crate::mac::Mac;

/// What one read from the kernel holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Messages {
    /// In their order.
    pub all: Vec<Message>,
    /// Nothing more comes.
    pub is_done: bool,
    /// Something changed under the dump, so that it may lack or repeat entries.
    pub is_interrupted: bool,
    /// The kernel refused: errno.
    pub error: Option<i32>,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A network interface.
    Link(Link),
    /// An address of ours.
    Address(Address),
    /// A way out through a gateway.
    Route(Route),
    /// An entry of the neighbour table.
    Neighbour(Neighbour),
}

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub(crate) index: u32,
    pub(crate) name: String,
    /// None for links without Ethernet addresses.
    pub(crate) mac: Option<Mac>,
    pub(crate) is_up: bool,
    pub(crate) is_loopback: bool,
    pub(crate) is_without_arp: bool,
    /// Kind of a virtual link: `bridge`, `veth`, `vlan`.
    pub(crate) kind: Option<String>,
}

/// An address of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub(crate) index: u32,
    pub(crate) ip: IpAddr,
    pub(crate) prefix_bits: u8,
}

/// A way out through a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub(crate) index: u32,
    pub(crate) gateway: IpAddr,
    /// Whether it leads everywhere.
    pub(crate) is_default: bool,
    /// Whether a router advertisement made it.
    pub(crate) is_advertised: bool,
}

/// An entry of the neighbour table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    pub(crate) index: u32,
    pub(crate) ip: IpAddr,
    pub(crate) mac: Option<Mac>,
    pub(crate) state: State,
}

/// State of a neighbour entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Asked for, not answered yet.
    Incomplete,
    /// Answered of late.
    Reachable,
    /// Not asked for some time.
    Stale,
    /// About to be asked again.
    Delay,
    /// Being asked again.
    Probe,
    /// Did not answer.
    Failed,
    /// Needs no question: group addresses, point-to-point links.
    NoArp,
    /// Set by hand.
    Permanent,
}

const ERROR: u16 = 2;
const DONE: u16 = 3;
const NEW_LINK: u16 = 16;
const NEW_ADDRESS: u16 = 20;
const NEW_ROUTE: u16 = 24;
const NEW_NEIGHBOUR: u16 = 28;

const HEADER: usize = 16;
const INTERRUPTED: u16 = 0x10;

/// Reads what the kernel sent at once. A message that is not whole ends it.
#[must_use]
pub fn parse_messages(bytes: &[u8]) -> Messages {
    let mut found = Messages::default();
    let mut rest = bytes;
    while let Some((kind, flags, body)) = next_message(&mut rest) {
        found.is_interrupted |= flags & INTERRUPTED != 0;
        match kind {
            DONE | ERROR => {
                found.is_done = true;
                found.error = error(body);
            }
            NEW_LINK => found.all.extend(link(body).map(Message::Link)),
            NEW_ADDRESS => found.all.extend(address(body).map(Message::Address)),
            NEW_ROUTE => found.all.extend(routes(body).into_iter().map(Message::Route)),
            NEW_NEIGHBOUR => found.all.extend(neighbour(body).map(Message::Neighbour)),
            _ => {}
        }
    }
    found
}

fn next_message<'a>(rest: &mut &'a [u8]) -> Option<(u16, u16, &'a [u8])> {
    let header = rest.first_chunk::<HEADER>()?;
    let [a, b, c, d, kind_low, kind_high, flags_low, flags_high, ..] = *header;
    let length = usize::try_from(u32::from_ne_bytes([a, b, c, d])).ok()?;
    let body = rest.get(HEADER..length)?;
    *rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    let of = |low, high| u16::from_ne_bytes([low, high]);
    Some((of(kind_low, kind_high), of(flags_low, flags_high), body))
}

/// Errno, which the kernel gives below zero; 0 is none.
fn error(body: &[u8]) -> Option<i32> {
    let number = i32::from_ne_bytes(*body.first_chunk()?);
    (number != 0).then(|| number.saturating_neg())
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

fn link(body: &[u8]) -> Option<Link> {
    const FIXED: usize = 16;
    const UP: u32 = 0x1;
    const LOOPBACK: u32 = 0x8;
    const RUNNING: u32 = 0x40;
    const WITHOUT_ARP: u32 = 0x80;
    const ADDRESS: u16 = 1;
    const NAME: u16 = 3;
    const INFO: u16 = 18;
    const INFO_KIND: u16 = 1;
    let flags = number(body, 8)?;
    let attributes = Attributes::of(body.get(FIXED..)?);
    Some(Link {
        index: number(body, 4)?,
        name: attributes.text(NAME)?,
        mac: attributes.mac(ADDRESS),
        is_up: flags & UP != 0 && flags & RUNNING != 0,
        is_loopback: flags & LOOPBACK != 0,
        is_without_arp: flags & WITHOUT_ARP != 0,
        kind: attributes.get(INFO).and_then(|info| Attributes::of(info).text(INFO_KIND)),
    })
}

fn address(body: &[u8]) -> Option<Address> {
    const FIXED: usize = 8;
    const ADDRESS: u16 = 1;
    const LOCAL: u16 = 2;
    let attributes = Attributes::of(body.get(FIXED..)?);
    // On point-to-point links ADDRESS is the other end.
    let ip = attributes.address(LOCAL).or_else(|| attributes.address(ADDRESS))?;
    Some(Address { index: number(body, 4)?, ip, prefix_bits: *body.get(1)? })
}

/// One for each gateway; routes without a gateway are none of ours.
fn routes(body: &[u8]) -> Vec<Route> {
    const FIXED: usize = 12;
    const UNICAST: u8 = 1;
    const BY_ADVERTISEMENT: u8 = 9;
    const INTERFACE: u16 = 4;
    const SEVERAL: u16 = 9;
    let Some([_, destination_bits, _, _, _, protocol, _, UNICAST, ..]) = body.first_chunk::<FIXED>().copied()
    else {
        return Vec::new();
    };
    let attributes = Attributes::of(body.get(FIXED..).unwrap_or_default());
    let route = |index, gateway| Route {
        index,
        gateway,
        is_default: destination_bits == 0,
        is_advertised: protocol == BY_ADVERTISEMENT,
    };
    let single = gateway(&attributes).zip(attributes.number(INTERFACE));
    let several = attributes.get(SEVERAL).map(next_hops).unwrap_or_default();
    single.into_iter().chain(several).map(|(gateway, index)| route(index, gateway)).collect()
}

fn gateway(attributes: &Attributes<'_>) -> Option<IpAddr> {
    const GATEWAY: u16 = 5;
    const VIA: u16 = 18;
    // VIA: a gateway of the other family, behind two bytes that name it.
    attributes.address(GATEWAY).or_else(|| ip(attributes.get(VIA)?.get(2..)?))
}

/// Gateways and interfaces of a route of several: length, flags, hops, interface, attributes.
fn next_hops(mut bytes: &[u8]) -> Vec<(IpAddr, u32)> {
    const FIXED: usize = 8;
    let mut hops = Vec::new();
    while let Some([low, high, ..]) = bytes.first_chunk::<FIXED>() {
        let length = usize::from(u16::from_ne_bytes([*low, *high]));
        let Some(attributes) = bytes.get(FIXED..length) else { break };
        hops.extend(gateway(&Attributes::of(attributes)).zip(number(bytes, 4)));
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    hops
}

fn neighbour(body: &[u8]) -> Option<Neighbour> {
    const FIXED: usize = 12;
    const DESTINATION: u16 = 1;
    const ADDRESS: u16 = 2;
    const PROXY: u8 = 0x08;
    if body.get(10)? & PROXY != 0 {
        return None;
    }
    let state = match u16::from_ne_bytes([*body.get(8)?, *body.get(9)?]) {
        0x01 => State::Incomplete,
        0x02 => State::Reachable,
        0x04 => State::Stale,
        0x08 => State::Delay,
        0x10 => State::Probe,
        0x20 => State::Failed,
        0x40 => State::NoArp,
        0x80 => State::Permanent,
        _ => return None,
    };
    let attributes = Attributes::of(body.get(FIXED..)?);
    Some(Neighbour {
        index: number(body, 4)?,
        ip: attributes.address(DESTINATION)?,
        mac: attributes.mac(ADDRESS),
        state,
    })
}
