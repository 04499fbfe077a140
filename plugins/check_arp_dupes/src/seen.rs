//! What was seen, as plain data: enough to judge by, now or from a file.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::frame::{Advertisement, Kind};
use crate::mac::Mac;
use crate::memory::Memory;
use crate::netlink::State;
use crate::options::Cidr;

/// What one run saw.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// Each interface that was looked at.
    pub(crate) interfaces: Vec<Interface>,
    /// How full the neighbour tables of the kernel are.
    pub(crate) tables: Vec<TableUse>,
    /// What earlier runs left.
    pub(crate) memory: Recalled,
    /// Vendors of suspicious Ethernet addresses.
    pub(crate) vendors: BTreeMap<Mac, String>,
    /// Names of suspicious addresses.
    pub(crate) names: BTreeMap<IpAddr, String>,
    /// Pins of the file.
    pub(crate) pins: Vec<String>,
}

impl Seen {
    /// Puts everything in the order that the rules rely on, for what comes from a file.
    pub(crate) fn sort(&mut self) {
        for interface in &mut self.interfaces {
            interface.before.sort_unstable_by_key(|entry| entry.ip);
            interface.after.sort_unstable_by_key(|entry| entry.ip);
            if let Some(wire) = &mut interface.wire {
                wire.claims.sort_unstable_by_key(|claim| (claim.ip, claim.mac));
            }
        }
    }
}

/// One interface.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Interface {
    pub(crate) name: String,
    pub(crate) index: u32,
    pub(crate) mac: Option<Mac>,
    /// Addresses of ours on it.
    pub(crate) own: Vec<IpAddr>,
    /// Ethernet addresses of all our interfaces: what comes from them is an echo.
    pub(crate) own_macs: Vec<Mac>,
    pub(crate) gateways: Vec<Gateway>,
    /// The table before anything was sent.
    pub(crate) before: Vec<Entry>,
    /// The table at the end, when frames were sent or read.
    pub(crate) after: Vec<Entry>,
    pub(crate) wire: Option<Heard>,
}

/// A gateway of the routes, or of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Gateway {
    pub(crate) ip: IpAddr,
    pub(crate) is_default: bool,
    /// Whether the route was made by a router advertisement.
    pub(crate) is_advertised: bool,
}

/// An entry of the neighbour table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) ip: IpAddr,
    pub(crate) mac: Option<Mac>,
    pub(crate) state: State,
}

impl Entry {
    /// Who has the address by this entry: nothing that failed, is asked for, or needs no question.
    pub(crate) fn holder(&self) -> Option<Mac> {
        match self.state {
            State::Failed | State::Incomplete | State::NoArp => None,
            State::Reachable | State::Stale | State::Delay | State::Probe | State::Permanent => self.mac,
        }
    }
}

/// What was heard on the wire.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Heard {
    /// Addresses that were asked for, one by one.
    pub(crate) asked: Vec<IpAddr>,
    /// Addresses that nobody should have, whether there was time to ask for them or not.
    pub(crate) canaries: Vec<IpAddr>,
    /// Networks that were asked for whole.
    pub(crate) swept: Vec<Network>,
    /// Questions sent.
    pub(crate) probes: u32,
    /// Questions that could not be sent.
    pub(crate) unsent: u32,
    /// Why not.
    pub(crate) send_error: Option<String>,
    /// Frames read.
    pub(crate) frames: u64,
    /// Frames the kernel had no room for.
    pub(crate) dropped: u32,
    /// Claims that are not kept, because there were too many.
    pub(crate) unkept: u64,
    /// How long was listened.
    pub(crate) seconds: f64,
    /// Why reading ended early.
    pub(crate) trouble: Option<String>,
    /// Who claimed what, by address and Ethernet address.
    pub(crate) claims: Vec<Claimed>,
    pub(crate) advertisements: Vec<Advertised>,
    /// Senders of announcements, and how many they sent in their busiest second.
    pub(crate) announcers: Vec<Announcer>,
    /// Senders that no station can be.
    pub(crate) unusable: Vec<Unusable>,
}

/// A network that was swept, and how much of it answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Network {
    pub(crate) network: String,
    pub(crate) addresses: u64,
}

impl Network {
    pub(crate) fn cidr(&self) -> Option<Cidr> {
        self.network.parse().ok()
    }
}

/// An address and one who claims it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claimed {
    pub(crate) ip: IpAddr,
    pub(crate) mac: Mac,
    /// Another source in the Ethernet header than in the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<Mac>,
    pub(crate) replies: u32,
    pub(crate) announcements: u32,
    pub(crate) requests: u32,
}

impl Claimed {
    pub(crate) const fn new(ip: IpAddr, mac: Mac) -> Self {
        Self { ip, mac, source: None, replies: 0, announcements: 0, requests: 0 }
    }

    pub(crate) const fn count(&mut self, kind: Kind) {
        let counter = match kind {
            Kind::Reply => &mut self.replies,
            Kind::Gratuitous => &mut self.announcements,
            Kind::Request => &mut self.requests,
        };
        *counter = counter.saturating_add(1);
    }
}

/// A router advertisement, and where its frame came from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Advertised {
    pub(crate) said: Advertisement,
    pub(crate) source: Mac,
}

/// Somebody who announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Announcer {
    pub(crate) mac: Mac,
    pub(crate) most_in_a_second: u32,
}

/// A sender with the address of nobody or of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Unusable {
    pub(crate) ip: IpAddr,
    pub(crate) mac: Mac,
    pub(crate) source: Mac,
}

/// How full a neighbour table is: the limit counts for all interfaces of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TableUse {
    pub(crate) is_ipv4: bool,
    pub(crate) entries: u32,
    /// `gc_thresh3`, if it can be read.
    pub(crate) limit: Option<u32>,
}

/// What earlier runs left.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Recalled {
    /// None at all: the first run, or one that remembers nothing.
    pub(crate) before: Option<Memory>,
    /// Whether this run begins to remember.
    pub(crate) is_first: bool,
    /// Where what could not be read was put.
    pub(crate) put_aside: Option<String>,
    /// Why nothing is remembered of this run.
    pub(crate) trouble: Option<String>,
    /// When this run was, Unix time in seconds.
    pub(crate) now: i64,
}
