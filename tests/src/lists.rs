//! Many block lists on one responder, for budgets and benches.

use std::time::Duration;

use lab::dns::{Behaviour as _, Dnsbl, Names, Record, Zones};

/// A host that has [`ADDRESS`] and nothing else.
pub const HOST: &str = "mail.test";
/// A public address that no list knows.
pub const ADDRESS: &str = "198.20.0.10";

/// So many names of lists, all of one length.
#[must_use]
pub fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("list{number:02}.lab.test")).collect()
}

/// Healthy lists of these names that list nothing, and the host; every answer comes after
/// this time.
#[must_use]
pub fn healthy(names: &[String], delay: Duration) -> Zones {
    let host = Names::new([Record::address(ADDRESS).owned_by(HOST)]);
    let zones = Zones::new().zone(HOST, host.delayed(delay));
    names.iter().fold(zones, |zones, name| zones.zone(name, Dnsbl::healthy().delayed(delay)))
}

/// `-s NAME` for each.
pub fn arguments(names: &[String]) -> impl Iterator<Item = String> {
    names.iter().flat_map(|name| ["-s".to_owned(), name.clone()])
}
