//! Answers questions for addresses: one stolen address, a wild proxy that claims all, or a whole range of hosts that
//! do not exist.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Display;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use crate::arp::agent::{Ending, Order, ready};
use crate::arp::frame::Operation;
use crate::arp::ndp::{Advertisement, RouterAdvertisement, Solicitation, is_router_solicitation};
use crate::arp::packet::{Ethertype, Packets};
use crate::arp::sender::{bytes, hexadecimal};
use crate::arp::{Arp, Mac};

/// The addresses a responder answers for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// An IPv4 network by its first address and its length; 32 for one address.
    Network(Ipv4Addr, u8),
    /// One IPv6 address.
    Ipv6(Ipv6Addr),
    /// Being a router, see [`Responder::routing`].
    Router,
}

/// How questions are answered.
#[derive(Clone, Debug)]
pub struct Responder {
    claim: Claim,
    mac: Option<Mac>,
    source: Option<Mac>,
    delay: Duration,
    loss_percent: u8,
    copies: u32,
    vlan: Option<u16>,
    advertisement: Vec<u8>,
}

impl Responder {
    /// Answers with this MAC: a thief, a wild proxy.
    #[must_use]
    pub fn claiming(claim: Claim, mac: Mac) -> Self {
        Self { mac: Some(mac), ..Self::simulating(claim) }
    }

    /// Answers for each IPv4 address with [`Mac::from_address`]: a crowd of honest hosts.
    #[must_use]
    pub fn simulating(claim: Claim) -> Self {
        let delay = Duration::ZERO;
        Self {
            claim,
            mac: None,
            source: None,
            delay,
            loss_percent: 0,
            copies: 1,
            vlan: None,
            advertisement: Vec::new(),
        }
    }

    /// Answers whoever looks for a router with this advertisement, to everybody.
    #[must_use]
    pub fn routing(advertisement: &RouterAdvertisement) -> Self {
        Self { advertisement: advertisement.bytes(), ..Self::simulating(Claim::Router) }
    }

    /// Answers so much later.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// Leaves this share of the questions without an answer: always the same ones of the same address.
    #[must_use]
    pub fn losing(self, loss_percent: u8) -> Self {
        Self { loss_percent, ..self }
    }

    /// Answers each question so many times.
    #[must_use]
    pub fn repeating(self, copies: u32) -> Self {
        Self { copies, ..self }
    }

    /// Answers inside a VLAN, wherever the question came from.
    #[must_use]
    pub fn tagged(self, vlan: u16) -> Self {
        Self { vlan: Some(vlan), ..self }
    }

    /// Writes another name into the Ethernet header of ARP answers.
    #[must_use]
    pub fn from(self, source: Mac) -> Self {
        Self { source: Some(source), ..self }
    }

    pub(crate) fn order(&self) -> Order {
        let claim = match self.claim {
            Claim::Network(first, length) => format!("{first}/{length}"),
            Claim::Ipv6(address) => address.to_string(),
            Claim::Router => "router".to_owned(),
        };
        Order::new("respond")
            .with("claim", &claim)
            .with("mac", &text(self.mac))
            .with("source", &text(self.source))
            .with("delay_ms", &self.delay.as_millis())
            .with("loss_percent", &self.loss_percent)
            .with("copies", &self.copies)
            .with("vlan", &text(self.vlan))
            .with("advertisement", &hexadecimal(&self.advertisement))
    }

    fn parse(order: &Order) -> io::Result<Self> {
        let claim = match order.get("claim").split_once('/') {
            Some((first, length)) => {
                first.parse().ok().zip(length.parse().ok()).map(|(a, b)| Claim::Network(a, b))
            }
            None if order.get("claim") == "router" => Some(Claim::Router),
            None => order.get("claim").parse().ok().map(Claim::Ipv6),
        };
        Ok(Self {
            claim: claim.ok_or_else(|| io::Error::other("claim is neither a network nor an IPv6 address"))?,
            mac: optional(order, "mac")?,
            source: optional(order, "source")?,
            delay: Duration::from_millis(order.number("delay_ms")?),
            loss_percent: order.number("loss_percent")?,
            copies: order.number("copies")?,
            vlan: optional(order, "vlan")?,
            advertisement: bytes(order.get("advertisement"))
                .ok_or_else(|| io::Error::other("advertisement is not hexadecimal"))?,
        })
    }

    fn answer(&self, frame: &[u8]) -> Option<Answer> {
        match self.claim {
            Claim::Network(first, length) => {
                let request = Arp::parse(frame).filter(|frame| frame.operation == Operation::Request)?;
                let ours = contains((first, length), request.target) && request.target != request.sender;
                ours.then(|| self.answer_arp(&request))
            }
            Claim::Ipv6(address) => {
                let request = Solicitation::parse(frame).filter(|request| request.target == address)?;
                let mac = self.mac.unwrap_or(Mac::ZERO);
                let bytes = Advertisement::unicast(address, mac, request.from).bytes();
                Some(Answer { bytes, about: u32::MAX })
            }
            Claim::Router => {
                let bytes = self.advertisement.clone();
                is_router_solicitation(frame).then_some(Answer { bytes, about: u32::MAX })
            }
        }
    }

    fn answer_arp(&self, request: &Arp) -> Answer {
        let mac = self.mac.unwrap_or_else(|| Mac::from_address(request.target));
        let reply = Arp::reply(request.target, mac, (request.sender, request.sender_mac));
        let reply = Arp { vlan: self.vlan, source: self.source.unwrap_or(mac), ..reply };
        Answer { bytes: reply.bytes(), about: request.target.to_bits() }
    }

    /// By the address and how many times it was asked for: the same in each run, another for each time.
    fn is_lost(&self, about: u32, times: u32) -> bool {
        let mut mixed = (u64::from(about) << 32 | u64::from(times)).wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % 100 < u64::from(self.loss_percent)
    }
}

struct Answer {
    bytes: Vec<u8>,
    about: u32,
}

/// Answers until the end.
pub(crate) fn respond(order: &Order, ending: &Ending) -> io::Result<String> {
    let responder = Responder::parse(order)?;
    let ethertype = if matches!(responder.claim, Claim::Ipv6(_) | Claim::Router) {
        Ethertype::Ipv6
    } else {
        Ethertype::Arp
    };
    let packets = Packets::open(order.get("interface"), ethertype)?;
    ready();
    let mut buffer = [0; 2048];
    let mut waiting: VecDeque<(Instant, Vec<u8>)> = VecDeque::new();
    let mut asked: BTreeMap<u32, u32> = BTreeMap::new();
    let (mut requests, mut answers) = (0_u64, 0_u64);
    while !ending.has_come() {
        let due = waiting.front().map_or(LOOK_UP, |(due, _)| due.saturating_duration_since(Instant::now()));
        let frame = packets.receive(&mut buffer, due.min(LOOK_UP))?;
        if let Some(answer) = frame.and_then(|frame| responder.answer(frame)) {
            requests += 1;
            let times = asked.entry(answer.about).or_default();
            *times += 1;
            if !responder.is_lost(answer.about, *times) {
                waiting.push_back((Instant::now() + responder.delay, answer.bytes));
            }
        }
        while let Some((_, bytes)) = waiting.pop_front_if(|(due, _)| *due <= Instant::now()) {
            for _ in 0..responder.copies {
                packets.send(&bytes)?;
                answers += 1;
            }
        }
    }
    let (addresses, drops) = (asked.len(), packets.drops()?);
    Ok(format!("requests={requests} answers={answers} addresses={addresses} drops={drops}"))
}

/// How often it looks whether the end has come.
const LOOK_UP: Duration = Duration::from_millis(20);

pub(crate) fn contains((first, length): (Ipv4Addr, u8), address: Ipv4Addr) -> bool {
    let host_bits = u32::from(32 - length.min(32));
    let network = |address: Ipv4Addr| address.to_bits().checked_shr(host_bits);
    network(first) == network(address)
}

fn text(value: Option<impl Display>) -> String {
    value.map_or(String::new(), |value| value.to_string())
}

fn optional<T: std::str::FromStr>(order: &Order, key: &str) -> io::Result<Option<T>> {
    if order.get(key).is_empty() { Ok(None) } else { order.number(key).map(Some) }
}
