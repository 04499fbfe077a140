//! Records as name servers give them, and what is made of them.

mod check_host;
mod rounds;
mod states;
mod suite;

use common::proto::dns::{Data, Kind};

use crate::answers::testing::Zone;

/// Records in few words.
pub(super) trait Hosts: Sized {
    /// With addresses of either family.
    fn host(self, name: &str, addresses: &[&str]) -> Self;
    /// With mail exchangers.
    fn mx(self, name: &str, hosts: &[&str]) -> Self;
    /// With the names of an address.
    fn ptr(self, reverse: &str, names: &[&str]) -> Self;
}

impl Hosts for Zone {
    fn host(self, name: &str, addresses: &[&str]) -> Self {
        addresses.iter().fold(self, |zone, address| match address.parse() {
            Ok(v4) => zone.with(name, Kind::A, Data::A(v4)),
            Err(_) => zone.with(name, Kind::Aaaa, Data::Aaaa(address.parse().unwrap())),
        })
    }

    fn mx(self, name: &str, hosts: &[&str]) -> Self {
        hosts.iter().fold(self, |zone, host| {
            zone.with(name, Kind::Mx, Data::Mx { preference: 10, exchange: (*host).to_owned() })
        })
    }

    fn ptr(self, reverse: &str, names: &[&str]) -> Self {
        names.iter().fold(self, |zone, name| zone.with(reverse, Kind::Ptr, Data::Ptr((*name).to_owned())))
    }
}
