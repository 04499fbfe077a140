//! Who has which address, from table and wire together: made once, for networks of 65,536 addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::mac::Mac;
use crate::seen::{Claimed, Entry, Heard, Interface, Seen};

/// Who has which address on one interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Picture {
    /// Sorted, each pair once.
    pairs: Vec<(IpAddr, Mac)>,
    /// Who has several IPv4 addresses, and which.
    pub(crate) sharing: BTreeMap<Mac, BTreeSet<IpAddr>>,
    /// How many stations there are.
    pub(crate) stations: usize,
}

impl Picture {
    /// One of each interface.
    pub(crate) fn all(seen: &Seen) -> Vec<Self> {
        seen.interfaces.iter().map(Self::of).collect()
    }

    fn of(interface: &Interface) -> Self {
        let entries = interface.before.iter().chain(&interface.after);
        let entries = entries.filter_map(|entry| Some((entry.ip, entry.holder()?)));
        let claims = interface.wire.iter().flat_map(|wire| &wire.claims).map(|claim| (claim.ip, claim.mac));
        let is_foreign = |mac: Mac| mac.is_usable() && !interface.own_macs.contains(&mac);
        let mut pairs: Vec<(IpAddr, Mac)> =
            entries.chain(claims).filter(|(_, mac)| is_foreign(*mac)).collect();
        pairs.sort_unstable();
        pairs.dedup();
        let mut by_mac: Vec<(Mac, IpAddr)> = pairs.iter().map(|(ip, mac)| (*mac, *ip)).collect();
        by_mac.sort_unstable();
        let (mut sharing, mut stations) = (BTreeMap::new(), 0);
        for group in by_mac.chunk_by(|one, other| one.0 == other.0) {
            stations += 1;
            let [(mac, _), _, ..] = *group else { continue };
            let counted: BTreeSet<IpAddr> =
                group.iter().map(|(_, ip)| *ip).filter(|ip| counts(*ip)).collect();
            if counted.len() > 1 {
                sharing.insert(mac, counted);
            }
        }
        Self { pairs, sharing, stations }
    }

    /// Each address and those who have it.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = (IpAddr, &[(IpAddr, Mac)])> {
        let groups = self.pairs.chunk_by(|one, other| one.0 == other.0);
        groups.filter_map(|group| group.first().map(|(ip, _)| (*ip, group)))
    }

    /// Those who have an address.
    pub(crate) fn holders_of(&self, ip: IpAddr) -> impl Iterator<Item = Mac> {
        let from = self.pairs.partition_point(|pair| pair.0 < ip);
        let group = self.pairs.get(from..).unwrap_or_default().iter();
        group.take_while(move |pair| pair.0 == ip).map(|pair| pair.1)
    }

    /// Who has an address alone.
    pub(crate) fn holder_of(&self, ip: IpAddr) -> Option<Mac> {
        let mut holders = self.holders_of(ip);
        holders.next().filter(|_| holders.next().is_none())
    }
}

/// Whether having such an address beside another is worth a thought: every IPv6 host has several.
fn counts(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V4(ip) if !ip.is_link_local())
}

impl Interface {
    /// Who has an address by the table, before or at the end.
    pub(crate) fn in_table(&self, ip: IpAddr) -> impl Iterator<Item = Mac> {
        self.in_table_at_first(ip).chain(self.in_table_at_last(ip))
    }

    /// The same before anything was sent.
    pub(crate) fn in_table_at_first(&self, ip: IpAddr) -> impl Iterator<Item = Mac> {
        self.holder_in(&self.before, ip)
    }

    /// The same at the end.
    pub(crate) fn in_table_at_last(&self, ip: IpAddr) -> impl Iterator<Item = Mac> {
        self.holder_in(&self.after, ip)
    }

    /// The tables are sorted by address.
    fn holder_in<'a>(&'a self, table: &'a [Entry], ip: IpAddr) -> impl Iterator<Item = Mac> {
        let from = table.partition_point(|entry| entry.ip < ip);
        let entries = table.get(from..).unwrap_or_default().iter().take_while(move |entry| entry.ip == ip);
        entries.filter_map(Entry::holder).filter(|mac| !self.own_macs.contains(mac))
    }

    /// Who claims an address on the wire.
    pub(crate) fn on_wire(&self, ip: IpAddr) -> impl Iterator<Item = Mac> {
        let claims = self.wire.iter().flat_map(move |wire| wire.claims_of(ip));
        claims.map(|claim| claim.mac).filter(|mac| !self.own_macs.contains(mac) && mac.is_usable())
    }
}

impl Heard {
    /// The claims are sorted by address.
    pub(crate) fn claims_of(&self, ip: IpAddr) -> &[Claimed] {
        let from = self.claims.partition_point(|claim| claim.ip < ip);
        let to = self.claims.partition_point(|claim| claim.ip <= ip);
        self.claims.get(from..to).unwrap_or_default()
    }
}
