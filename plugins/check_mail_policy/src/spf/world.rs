//! How much of all addresses some networks make up.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::record::Network;

/// Networks of both families.
#[derive(Clone, Debug, Default)]
pub(super) struct World {
    v4: Vec<(u128, u128)>,
    v6: Vec<(u128, u128)>,
}

/// Where IPv6 hosts are (RFC 4291 section 2.4): 2000::/3.
const UNICAST: Network =
    Network { address: IpAddr::V6(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0)), length: 3 };
const ALL_V4: Network = Network { address: IpAddr::V4(Ipv4Addr::UNSPECIFIED), length: 0 };
/// Shares are counted in parts of this.
const PARTS: u128 = 10_000;

impl World {
    /// Adds a network.
    pub(super) fn add(&mut self, network: Network) {
        match network.address {
            IpAddr::V4(_) => self.v4.push(ends(network)),
            IpAddr::V6(_) => self.v6.push(ends(network)),
        }
    }

    /// How many of 10 000 addresses are in it, of the family that has more of them: all of IPv4,
    /// and the IPv6 that is in use.
    pub(super) fn share(&self) -> (u128, &'static str) {
        let v4 = (share_of(&self.v4, ends(ALL_V4)), "IPv4");
        let v6 = (share_of(&self.v6, ends(UNICAST)), "IPv6");
        if v6.0 > v4.0 { v6 } else { v4 }
    }
}

/// First and last address.
fn ends(network: Network) -> (u128, u128) {
    let (bits, width) = match network.address {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()), 32),
        IpAddr::V6(v6) => (v6.to_bits(), 128),
    };
    let hosts = width - u32::from(network.length).min(width);
    let rest = u128::MAX.checked_shr(128 - hosts).unwrap_or(0);
    (bits & !rest, bits | rest)
}

fn share_of(spans: &[(u128, u128)], (lowest, highest): (u128, u128)) -> u128 {
    let inside = |&(from, to): &(u128, u128)| (from.max(lowest), to.min(highest));
    let mut spans: Vec<(u128, u128)> = spans.iter().map(inside).filter(|(from, to)| from <= to).collect();
    spans.sort_unstable();
    let (mut covered, mut next) = (0, lowest);
    for (from, to) in spans {
        let from = from.max(next);
        if from <= to {
            covered += to - from + 1;
            next = to.saturating_add(1);
        }
    }
    let part = (highest - lowest) / PARTS + 1;
    covered / part + u128::from(covered % part > part / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(networks: &[&str]) -> u128 {
        let mut world = World::default();
        for network in networks {
            let (address, length) = network.split_once('/').unwrap();
            world.add(Network { address: address.parse().unwrap(), length: length.parse().unwrap() });
        }
        world.share().0
    }

    #[test]
    fn shares_are_those_of_the_union() {
        assert_eq!(share(&[]), 0);
        assert_eq!(share(&["192.0.2.1/0"]), 10_000);
        assert_eq!(share(&["0.0.0.0/1", "128.0.0.0/1"]), 10_000);
        assert_eq!(share(&["128.0.0.0/1", "128.0.0.0/2", "200.0.0.0/8"]), 5000);
        assert_eq!(share(&["::/0"]), 10_000);
        assert_eq!(share(&["2000::/4", "3000::/4"]), 10_000);
        assert_eq!(share(&["8000::/1"]), 0);
        assert_eq!(share(&["10.0.0.0/8"]), 39);
        assert_eq!(share(&["192.0.2.0/24", "2001:db8::/32"]), 0);
    }
}
