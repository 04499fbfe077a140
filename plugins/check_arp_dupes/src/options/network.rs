//! Networks, interfaces, addresses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use common::report::Range;

/// A network: `10.99.0.0/16`, `2001:db8::/64`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    base: IpAddr,
    bits: u8,
}

impl Cidr {
    /// The network of so many bits that an address is in.
    pub(crate) fn around(ip: IpAddr, bits: u8) -> Self {
        match ip {
            IpAddr::V4(ip) => Self { base: Ipv4Addr::from_bits(ip.to_bits() & mask_v4(bits)).into(), bits },
            IpAddr::V6(ip) => Self { base: Ipv6Addr::from_bits(ip.to_bits() & mask_v6(bits)).into(), bits },
        }
    }

    pub(crate) const fn is_ipv4(self) -> bool {
        self.base.is_ipv4()
    }

    pub(crate) fn contains(self, ip: IpAddr) -> bool {
        self.base.is_ipv4() == ip.is_ipv4() && Self::around(ip, self.bits).base == self.base
    }

    /// Addresses in it, network and broadcast address included: hosts misuse those, too.
    pub(crate) fn count(self) -> u64 {
        let bits = if self.is_ipv4() { 32 } else { 128 };
        1u64.checked_shl(u32::from(bits - self.bits)).unwrap_or(u64::MAX)
    }

    /// Its IPv4 addresses; none for IPv6.
    pub(crate) fn ipv4_addresses(self) -> impl Iterator<Item = Ipv4Addr> {
        let range = match self.base {
            IpAddr::V4(base) => Some(base.to_bits()..=base.to_bits() | !mask_v4(self.bits)),
            IpAddr::V6(_) => None,
        };
        range.into_iter().flatten().map(Ipv4Addr::from_bits)
    }
}

fn mask_v4(bits: u8) -> u32 {
    u32::MAX.checked_shl(u32::from(32u8.saturating_sub(bits))).unwrap_or(0)
}

fn mask_v6(bits: u8) -> u128 {
    u128::MAX.checked_shl(u32::from(128u8.saturating_sub(bits))).unwrap_or(0)
}

impl FromStr for Cidr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let ip: IpAddr =
            address.parse().map_err(|_| format!("'{text}' is not a network such as 10.0.0.0/24"))?;
        let most = if ip.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => most,
            Some(digits) if !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit()) => {
                digits
                    .parse()
                    .ok()
                    .filter(|bits| *bits <= most)
                    .ok_or_else(|| format!("'{text}': no more than {most} bits"))?
            }
            Some(_) => return Err(format!("'{text}' is not a network such as 10.0.0.0/24")),
        };
        let cidr = Self::around(ip, bits);
        if cidr.base == ip {
            Ok(cidr)
        } else {
            Err(format!("'{text}' has bits behind the network; {cidr} is the network"))
        }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.bits)
    }
}

/// Which interfaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interfaces {
    /// Those that are up and have an address.
    Auto,
    /// These.
    Named(Vec<String>),
}

impl FromStr for Interfaces {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let mut names: Vec<String> = text.split(',').map(str::to_owned).collect();
        let is_a_name = |name: &String| {
            (1..=15).contains(&name.len())
                && name.chars().all(|character| character.is_ascii_graphic() && character != '/')
        };
        if let Some(name) = names.iter().find(|name| !is_a_name(name)) {
            return Err(format!("'{name}' is not the name of an interface"));
        }
        names.dedup();
        Ok(Self::Named(names))
    }
}

/// A gateway, or all that the routes have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatewayChoice {
    /// Those of the routes.
    Auto,
    /// This one.
    Ip(IpAddr),
}

impl FromStr for GatewayChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            ip => ip.parse().map(Self::Ip).map_err(|_| format!("'{text}' is neither auto nor an address")),
        }
    }
}

/// Which addresses are ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Own {
    /// Those of this machine.
    Auto,
    /// These and no others.
    Listed(Vec<IpAddr>),
}

impl FromStr for Own {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "none" => Ok(Self::Listed(Vec::new())),
            list => list
                .split(',')
                .map(|ip| ip.parse().map_err(|_| format!("'{ip}' is not an address")))
                .collect::<Result<_, _>>()
                .map(Self::Listed),
        }
    }
}

/// How many addresses of a network should be in use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expected {
    pub(crate) network: Cidr,
    pub(crate) count: Range,
}

impl FromStr for Expected {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (network, range) = text
            .split_once('=')
            .ok_or_else(|| format!("'{text}' is not CIDR=RANGE, such as 10.0.0.0/24=2:20"))?;
        let count = range.parse().map_err(|error| format!("{error}"))?;
        Ok(Self { network: network.parse()?, count })
    }
}
