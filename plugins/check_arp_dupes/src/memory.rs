//! What is remembered from run to run: who was seen with which address, who is trusted, who changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::str::FromStr;

use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::frame::Preference;
use crate::mac::Mac;
use crate::picture::Picture;
use crate::seen::{Interface, Seen};

/// Of the content of the state file.
pub(crate) const VERSION: u32 = 1;

/// All interfaces by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// When it was begun, Unix time in seconds.
    pub(crate) created: i64,
    /// When it was written last.
    #[serde(default)]
    pub(crate) written: i64,
    pub(crate) interfaces: BTreeMap<String, Known>,
}

/// What is known of one interface.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Known {
    /// Gateways and who had their address when it was learned. Nothing but `--learn` changes it, or a poisoned gateway
    /// would be in order from the second run on.
    pub(crate) gateways: BTreeMap<IpAddr, Mac>,
    /// Who has several addresses, as learned.
    pub(crate) shared: BTreeMap<Mac, BTreeSet<IpAddr>>,
    /// Whether an operator said that it is right, with `--learn`.
    pub(crate) is_accepted: bool,
    /// Routers that advertise themselves, as learned.
    pub(crate) routers: BTreeMap<IpAddr, Router>,
    /// Everybody that was seen.
    #[serde(deserialize_with = "in_order")]
    pub(crate) seen: BTreeMap<IpAddr, Holders>,
}

/// A router as learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Router {
    pub(crate) mac: Mac,
    /// None where only the route is known.
    pub(crate) preference: Option<Preference>,
}

/// Who had an address, the last one first. In the file it is a line, for there are thousands:
/// `02:00:00:00:00:01 1790000000 1790003600, 02:00:00:00:00:02 ... ; 1790001800 ...`, with the flips at the end.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(into = "String")]
pub(crate) struct Holders {
    pub(crate) macs: Vec<Holder>,
    /// When it went back to one who had had it, Unix time in seconds.
    pub(crate) flips: Vec<i64>,
}

/// Somebody who had an address.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Holder {
    pub(crate) mac: Mac,
    pub(crate) first: i64,
    pub(crate) last: i64,
}

/// Addresses that are remembered; the ones not seen for longest go first.
const MOST_ADDRESSES: usize = 65_536;
/// Of one address.
const MOST_HOLDERS: usize = 8;
/// More flips of an address say nothing more.
const MOST_FLIPS: usize = 100;
/// Where nothing is new, the times of those seen need not be more precise.
const WRITTEN_AT_LEAST_EVERY: i64 = 600;

impl Memory {
    /// What is remembered after this run.
    pub(crate) fn after(seen: &Seen, pictures: &[Picture], learns: bool, window_seconds: i64) -> Self {
        let now = seen.memory.now;
        let mut memory = seen.memory.before.clone().unwrap_or(Self { created: now, ..Self::default() });
        memory.written = now;
        for (interface, picture) in seen.interfaces.iter().zip(pictures) {
            let is_new = !memory.interfaces.contains_key(&interface.name);
            let known = memory.interfaces.entry(interface.name.clone()).or_default();
            if is_new || learns {
                known.learn(interface, picture);
                known.is_accepted = learns;
            }
            known.add_missing(interface, picture);
            known.take_down(picture, now, window_seconds);
        }
        memory.forget();
        memory
    }

    /// Whether this run has nothing to add: everybody is who he was, and that was written a short while ago.
    pub(crate) fn knows(&self, seen: &Seen, pictures: &[Picture]) -> bool {
        let age = seen.memory.now - self.written;
        (0..WRITTEN_AT_LEAST_EVERY).contains(&age)
            && seen.interfaces.iter().zip(pictures).all(|(interface, picture)| {
                let known = self.interfaces.get(&interface.name);
                known.is_some_and(|known| known.knows(interface, picture, seen.memory.now))
            })
    }

    fn forget(&mut self) {
        let total: usize = self.interfaces.values().map(|known| known.seen.len()).sum();
        let Some(excess) = total.checked_sub(MOST_ADDRESSES).filter(|excess| *excess > 0) else { return };
        let mut ages: Vec<i64> =
            self.interfaces.values().flat_map(|known| known.seen.values()).map(Holders::last).collect();
        ages.sort_unstable();
        let Some(oldest_kept) = ages.get(excess).copied() else { return };
        for known in self.interfaces.values_mut() {
            known.seen.retain(|_, holders| holders.last() >= oldest_kept);
        }
    }
}

impl Known {
    fn learn(&mut self, interface: &Interface, picture: &Picture) {
        self.gateways = gateways(interface, picture);
        self.shared.clone_from(&picture.sharing);
        self.routers = routers(interface, picture).into_iter().collect();
    }

    fn knows(&self, interface: &Interface, picture: &Picture, now: i64) -> bool {
        let is_seen = |ip: IpAddr, mac: Mac| {
            let known = self.seen.get(&ip).filter(|holders| !holders.is_after(now));
            known.and_then(|holders| holders.macs.first()).is_some_and(|holder| holder.mac == mac)
        };
        gateways(interface, picture).keys().all(|ip| self.gateways.contains_key(ip))
            && (!self.routers.is_empty() || routers(interface, picture).is_empty())
            && picture.addresses().all(|(ip, holders)| match *holders {
                [(_, mac)] => is_seen(ip, mac),
                _ => true,
            })
    }

    /// Of a gateway that came later, or was not in the table when the others were learned.
    fn add_missing(&mut self, interface: &Interface, picture: &Picture) {
        for (ip, mac) in gateways(interface, picture) {
            self.gateways.entry(ip).or_insert(mac);
        }
        if self.routers.is_empty() {
            self.routers = routers(interface, picture).into_iter().collect();
        }
    }

    fn take_down(&mut self, picture: &Picture, now: i64, window_seconds: i64) {
        for (ip, holders) in picture.addresses() {
            // Who is in the table and on the wire at once is a conflict, not a change.
            let [(_, mac)] = *holders else { continue };
            self.seen.entry(ip).or_default().take_down(mac, now, window_seconds);
        }
    }
}

impl Holders {
    pub(crate) fn last(&self) -> i64 {
        self.macs.iter().map(|holder| holder.last).max().unwrap_or(i64::MIN)
    }

    /// Whether the clock was set back since.
    fn is_after(&self, now: i64) -> bool {
        self.flips.iter().chain(self.macs.iter().map(|holder| &holder.last)).any(|at| *at > now)
    }

    /// Flips since a time.
    pub(crate) fn flips_since(&self, since: i64) -> usize {
        self.flips.iter().filter(|at| **at >= since).count()
    }

    fn take_down(&mut self, mac: Mac, now: i64, window_seconds: i64) {
        let position = self.macs.iter().position(|holder| holder.mac == mac);
        if position.is_some_and(|position| position > 0) {
            self.flips.push(now);
        }
        let first =
            position.and_then(|position| self.macs.get(position)).map_or(now, |holder| holder.first.min(now));
        self.macs.retain(|holder| holder.mac != mac);
        self.macs.insert(0, Holder { mac, first, last: now });
        self.macs.truncate(MOST_HOLDERS);
        // What the clock said before it was set back must not count until it gets there again.
        self.flips.iter_mut().for_each(|at| *at = now.min(*at));
        self.flips.retain(|at| *at >= now.saturating_sub(window_seconds));
        let excess = self.flips.len().saturating_sub(MOST_FLIPS);
        self.flips.drain(..excess);
    }
}

impl From<Holders> for String {
    fn from(holders: Holders) -> Self {
        let mut text = Self::new();
        for Holder { mac, first, last } in &holders.macs {
            let comma = if text.is_empty() { "" } else { ", " };
            // Writing to a string cannot fail.
            let _ = write!(text, "{comma}{mac} {first} {last}");
        }
        for (index, at) in holders.flips.iter().enumerate() {
            let stop = if index == 0 { "; " } else { " " };
            let _ = write!(text, "{stop}{at}");
        }
        text
    }
}

impl FromStr for Holders {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        holders(text.as_bytes()).ok_or_else(|| format!("'{text}' is not a list of those who had an address"))
    }
}

/// In one pass, for a state file has thousands of lines.
fn holders(line: &[u8]) -> Option<Holders> {
    let end = line.iter().position(|byte| *byte == b';').unwrap_or(line.len());
    let (macs, flips) = line.split_at_checked(end)?;
    let mut found = Holders::default();
    let mut fields = fields(macs);
    while let Some(mac) = fields.next() {
        let holder = Holder { mac: read(mac)?, first: read(fields.next()?)?, last: read(fields.next()?)? };
        found.macs.push(holder);
    }
    found.flips = self::fields(flips).map(read).collect::<Option<_>>()?;
    Some(found)
}

fn fields(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let fields = text.split(|byte| matches!(byte, b' ' | b',' | b';'));
    fields.filter(|field| !field.is_empty())
}

fn read<T: FromStr>(field: &[u8]) -> Option<T> {
    std::str::from_utf8(field).ok()?.parse().ok()
}

impl<'de> Deserialize<'de> for Holders {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Line;

        impl Visitor<'_> for Line {
            type Value = Holders;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("those who had an address, in a line")
            }

            fn visit_str<E: de::Error>(self, line: &str) -> Result<Holders, E> {
                line.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Line)
    }
}

/// A map whose keys come in their order, as we write them, is made at once and not entry by entry.
fn in_order<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<IpAddr, Holders>, D::Error> {
    struct Entries;

    impl<'de> Visitor<'de> for Entries {
        type Value = BTreeMap<IpAddr, Holders>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("addresses and who had them")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut entries = Vec::new();
            while let Some(entry) = map.next_entry()? {
                entries.push(entry);
            }
            Ok(entries.into_iter().collect())
        }
    }

    deserializer.deserialize_map(Entries)
}

/// Gateways and who has their address, where only one has.
fn gateways(interface: &Interface, picture: &Picture) -> BTreeMap<IpAddr, Mac> {
    let ips = interface.gateways.iter().map(|gateway| gateway.ip);
    ips.filter_map(|ip| Some((ip, picture.holder_of(ip)?))).collect()
}

/// Routers that advertised themselves now, or once made a route.
pub(crate) fn routers(interface: &Interface, picture: &Picture) -> Vec<(IpAddr, Router)> {
    let advertised = interface.wire.iter().flat_map(|wire| &wire.advertisements).map(|advertised| {
        let said = &advertised.said;
        (IpAddr::from(said.router), Router { mac: said.mac, preference: Some(said.preference) })
    });
    let routed = interface.gateways.iter().filter(|gateway| gateway.is_advertised).filter_map(|gateway| {
        let mac = picture.holders_of(gateway.ip).next()?;
        Some((gateway.ip, Router { mac, preference: None }))
    });
    routed.chain(advertised).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_holders() -> impl Strategy<Value = Holders> {
        let holder = (any::<[u8; 6]>(), any::<i64>(), any::<i64>());
        let holder = holder.prop_map(|(mac, first, last)| Holder { mac: Mac(mac), first, last });
        (prop::collection::vec(holder, 0..4), prop::collection::vec(any::<i64>(), 0..4))
            .prop_map(|(macs, flips)| Holders { macs, flips })
    }

    proptest! {
        #[test]
        fn a_line_and_back(holders in any_holders()) {
            let line = String::from(holders.clone());
            prop_assert_eq!(line.parse(), Ok(holders));
        }

        #[test]
        fn any_line_is_holders_or_none(line in "[0-9a-f:, ;-]{0,60}") {
            if let Ok(holders) = line.parse::<Holders>() {
                prop_assert_eq!(String::from(holders.clone()).parse(), Ok(holders));
            }
        }
    }
}
