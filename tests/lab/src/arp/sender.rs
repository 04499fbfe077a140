//! Sends frames into the network, once or without end.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use crate::arp::agent::{Ending, Order, ready};
use crate::arp::packet::{Ethertype, Packets};

/// Sends the frames in turn, `count` times (0: until the end), at `rate` a second (0: as fast as it goes).
pub(crate) fn send(order: &Order, ending: &Ending) -> io::Result<String> {
    let frames = order.get("frames").split(',').map(bytes).collect::<Option<Vec<_>>>();
    let frames = frames.filter(|frames| frames.iter().all(|frame| !frame.is_empty()));
    let frames = frames.ok_or_else(|| io::Error::other("frames are not hexadecimal"))?;
    let (count, rate): (u64, u32) = (order.number("count")?, order.number("rate")?);
    let packets = Packets::open(order.get("interface"), Ethertype::None)?;
    let mut pace = Pace::new(rate);
    let mut sent = 0_u64;
    while (count == 0 || sent < count) && !ending.has_come() {
        pace.wait();
        for frame in &frames {
            packets.send(frame)?;
        }
        sent += 1;
        if sent == 1 {
            ready();
        }
    }
    Ok(format!("sent={sent}"))
}

/// Keeps a rate: later turns catch up with those that were late.
#[derive(Debug)]
pub(crate) struct Pace {
    next: Instant,
    gap: Duration,
}

impl Pace {
    pub(crate) fn new(rate: u32) -> Self {
        let gap = if rate == 0 { Duration::ZERO } else { Duration::from_secs(1) / rate };
        Self { next: Instant::now(), gap }
    }

    pub(crate) fn wait(&mut self) {
        thread::sleep(self.next.saturating_duration_since(Instant::now()));
        self.next += self.gap;
    }
}

/// The digits of bytes.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes from hexadecimal digits.
pub(crate) fn bytes(text: &str) -> Option<Vec<u8>> {
    let pairs = (0..text.len()).step_by(2).map(|start| text.get(start..start + 2));
    pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}
