//! The fixture of a reverse DNS check: names and addresses that lead to each other, and the
//! call that asks for them.

use std::net::{IpAddr, SocketAddr};

use lab::dns::Record;

use crate::Check;

/// An address to ask about, and its name.
pub const ADDRESS: &str = "192.0.2.25";
/// The name.
pub const NAME: &str = "mail.lab.test";

/// The name under which an address has its PTR record.
#[must_use]
pub fn reverse(address: &str) -> String {
    let (labels, tree): (Vec<String>, _) = match address.parse().unwrap() {
        IpAddr::V4(v4) => (v4.octets().iter().map(ToString::to_string).collect(), "in-addr.arpa"),
        IpAddr::V6(v6) => {
            (format!("{:032x}", v6.to_bits()).chars().map(|c| c.to_string()).collect(), "ip6.arpa")
        }
    };
    let labels: Vec<String> = labels.into_iter().rev().collect();
    format!("{}.{tree}", labels.join("."))
}

/// The PTR record of an address.
#[must_use]
pub fn ptr(address: &str, name: &str) -> Record {
    Record::ptr(name).owned_by(&reverse(address))
}

/// The address record of a name.
#[must_use]
pub fn forward(name: &str, address: &str) -> Record {
    Record::address(address).owned_by(name)
}

/// An address and a name that lead to each other.
#[must_use]
pub fn pair(address: &str, name: &str) -> [Record; 2] {
    [ptr(address, name), forward(name, address)]
}

/// A check of these targets that asks these resolvers.
#[must_use]
pub fn check(resolvers: &[SocketAddr], targets: &[&str]) -> Check {
    let resolvers = resolvers.iter().map(ToString::to_string);
    let check =
        resolvers.fold(Check::new("check_rdns"), |check, resolver| check.args(["--resolver", &resolver]));
    targets.iter().fold(check, |check, target| check.args(["-H", target]))
}
