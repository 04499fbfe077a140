//! Keeps what passes an interface: how many frames a check has sent, which, and how fast.

use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime};

use crate::arp::agent::{Agent, Ending, Order, ready};
use crate::arp::frame::Operation;
use crate::arp::ndp::Solicitation;
use crate::arp::packet::{Ethertype, Packets};
use crate::arp::sender::{bytes, hexadecimal};
use crate::arp::{Arp, Mac};

/// A watch that goes on until it is stopped.
#[derive(Debug)]
pub struct Watcher(pub(crate) Agent);

/// A frame that has passed.
#[derive(Clone, Debug)]
pub struct Frame {
    /// How long after the start of the watch it reached the kernel.
    pub at: Duration,
    /// What it was, without a VLAN tag: the kernel takes that off.
    pub bytes: Vec<u8>,
}

impl Watcher {
    /// Ends it; everything that has passed, in order, and whether the kernel had to drop frames is an error.
    #[must_use]
    pub fn stop(self) -> Vec<Frame> {
        let text = self.0.stop_with_text();
        let (frames, drops) = text.trim_end().rsplit_once("drops=").expect("the last line tells it");
        assert_eq!(drops, "0", "frames are missing in this watch");
        let rows = frames.lines().map(|row| row.split_once(' ').expect("time and frame"));
        let frames = rows.map(|(micros, frame)| {
            let at = Duration::from_micros(micros.parse().expect("written by us"));
            Frame { at, bytes: bytes(frame).expect("written by us") }
        });
        frames.collect()
    }
}

impl Frame {
    /// The ARP frame that it is, if it is one.
    #[must_use]
    pub fn arp(&self) -> Option<Arp> {
        Arp::parse(&self.bytes)
    }

    /// Who asks for whom in it, from which card, if it is a question about an address.
    #[must_use]
    pub fn question(&self) -> Option<(IpAddr, Mac, IpAddr)> {
        match (self.arp(), Solicitation::parse(&self.bytes)) {
            (Some(arp), _) if arp.operation == Operation::Request => {
                Some((arp.sender.into(), arp.source, arp.target.into()))
            }
            (_, Some(Solicitation { from: (sender, mac), target })) => {
                Some((sender.into(), mac, target.into()))
            }
            _ => None,
        }
    }
}

/// Watches until the end, then says what was seen: a pipe that nobody reads must not hold it up.
pub(crate) fn watch(order: &Order, ending: &Ending) -> io::Result<String> {
    let packets = Packets::open(order.get("interface"), Ethertype::All)?;
    let started = SystemTime::now();
    packets.stamp();
    ready();
    let mut buffer = [0; 2048];
    let (mut seen, mut last) = (String::new(), None);
    // What has come before the end is waiting; under a flood there is always more.
    while last.is_none_or(|last| Instant::now() < last) {
        let frame = packets.receive(&mut buffer, Duration::from_millis(10))?;
        if last.is_none() && ending.has_come() {
            last = Some(Instant::now() + Duration::from_millis(50));
        }
        if let Some(frame) = frame {
            let at = packets.stamp().and_then(|stamp| stamp.duration_since(started).ok()).unwrap_or_default();
            seen += &format!("{} {}\n", at.as_micros(), hexadecimal(frame));
        }
    }
    Ok(format!("{seen}drops={}", packets.drops()?))
}
