//! Asks a range of addresses who is there, and counts: the lab's own look at what it has set up.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use crate::arp::agent::{Ending, Order, ready};
use crate::arp::frame::Operation;
use crate::arp::packet::{Ethertype, Packets};
use crate::arp::responder::contains;
use crate::arp::sender::Pace;
use crate::arp::{Arp, Host, Mac};

/// From which address questions come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// The host's own: the answer may be known from then on.
    Own,
    /// 0.0.0.0, an address probe (RFC 5227).
    Nobody,
}

/// A round of questions.
#[derive(Clone, Debug)]
pub struct Asker {
    network: (Ipv4Addr, u8),
    sender: Ipv4Addr,
    mac: Mac,
    rate: u32,
    window: Duration,
}

impl Asker {
    /// Asks for every address of the network, from this host, 10,000 a second; listens 300 ms longer.
    #[must_use]
    pub fn new(host: &Host, network: (Ipv4Addr, u8), sender: Sender) -> Self {
        let sender = match sender {
            Sender::Own => host.ipv4(),
            Sender::Nobody => Ipv4Addr::UNSPECIFIED,
        };
        Self { network, sender, mac: host.mac(), rate: 10_000, window: Duration::from_millis(300) }
    }

    /// Asks so many a second, 0 for as many as the machine manages.
    #[must_use]
    pub fn rate(self, rate: u32) -> Self {
        Self { rate, ..self }
    }

    /// Listens so much longer than it asks.
    #[must_use]
    pub fn window(self, window: Duration) -> Self {
        Self { window, ..self }
    }

    pub(crate) fn order(&self) -> Order {
        let (first, length) = self.network;
        Order::new("ask")
            .with("first", &first)
            .with("length", &length)
            .with("sender", &self.sender)
            .with("mac", &self.mac)
            .with("rate", &self.rate)
            .with("window_ms", &self.window.as_millis())
    }
}

/// What came back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// Addresses that were answered for.
    pub addresses: u64,
    /// Pairs of address and MAC; more than `addresses` when two hosts have one.
    pub pairs: u64,
    /// MACs.
    pub macs: u64,
    /// Frames.
    pub frames: u64,
    /// Answers whose MAC is not the one of [`Mac::from_address`].
    pub foreign: u64,
    /// Frames the kernel had to drop.
    pub drops: u64,
}

impl Answers {
    pub(crate) fn read(counted: &BTreeMap<String, u64>) -> Self {
        let get =
            |key: &str| counted.get(key).copied().unwrap_or_else(|| panic!("lab-arp has not counted {key}"));
        Self {
            addresses: get("addresses"),
            pairs: get("pairs"),
            macs: get("macs"),
            frames: get("frames"),
            foreign: get("foreign"),
            drops: get("drops"),
        }
    }
}

/// Asks, listens, counts.
pub(crate) fn ask(order: &Order, ending: &Ending) -> io::Result<String> {
    let network: (Ipv4Addr, u8) = (order.number("first")?, order.number("length")?);
    let (sender, mac) = (order.number("sender")?, order.number("mac")?);
    let window = Duration::from_millis(order.number("window_ms")?);
    let packets = Packets::open(order.get("interface"), Ethertype::Arp)?;
    let asking = packets.another()?;
    let mut pace = Pace::new(order.number("rate")?);
    ready();
    let questions = thread::spawn(move || {
        let first = network.0.to_bits();
        let last = first | u32::MAX.checked_shr(u32::from(network.1)).unwrap_or(0);
        (first..=last).try_for_each(|target| {
            pace.wait();
            asking.send(&Arp::request(sender, mac, target.into()).bytes())
        })
    });
    let (mut pairs, mut frames, mut foreign) = (BTreeSet::new(), 0_u64, 0_u64);
    let mut buffer = [0; 2048];
    let mut until = None;
    while !ending.has_come() && until.is_none_or(|until| Instant::now() < until) {
        if until.is_none() && questions.is_finished() {
            until = Some(Instant::now() + window);
        }
        let frame = packets.receive(&mut buffer, Duration::from_millis(10))?.and_then(Arp::parse);
        let ours = |frame: &Arp| frame.operation == Operation::Reply && contains(network, frame.sender);
        if let Some(frame) = frame.filter(ours) {
            frames += 1;
            foreign += u64::from(frame.sender_mac != Mac::from_address(frame.sender));
            pairs.insert((frame.sender, frame.sender_mac));
        }
    }
    questions.join().map_err(|_| io::Error::other("the questions have stopped"))??;
    let addresses = pairs.iter().map(|(address, _)| address).collect::<BTreeSet<_>>().len();
    let macs = pairs.iter().map(|(_, mac)| mac).collect::<BTreeSet<_>>().len();
    let (pairs, drops) = (pairs.len(), packets.drops()?);
    Ok(format!(
        "addresses={addresses} pairs={pairs} macs={macs} frames={frames} foreign={foreign} drops={drops}"
    ))
}
