//! What is known to be in order.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::str::FromStr;

use super::network::Cidr;
use crate::mac::Mac;

/// Who may have several addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowShared {
    /// So many.
    Number(Mac, usize),
    /// These.
    Addresses(Mac, BTreeSet<IpAddr>),
    /// Addresses of this network do not count.
    Network(Cidr),
}

impl FromStr for AllowShared {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((mac, what)) = text.split_once('=') else { return text.parse().map(Self::Network) };
        let mac = mac.parse()?;
        if let Ok(number) = what.parse() {
            return Ok(Self::Number(mac, number));
        }
        let wrong = |ip: &str| format!("'{ip}' is neither a number nor an address");
        let addresses = what.split(',').map(|ip| ip.parse().map_err(|_| wrong(ip)));
        addresses.collect::<Result<_, _>>().map(|addresses| Self::Addresses(mac, addresses))
    }
}

/// Another holder that an address may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllowPair {
    pub(crate) ip: IpAddr,
    pub(crate) mac: Mac,
}

impl FromStr for AllowPair {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("'{text}' is not IP=MAC");
        let (ip, mac) = text.split_once('=').ok_or_else(wrong)?;
        Ok(Self { ip: ip.parse().map_err(|_| wrong())?, mac: mac.parse()? })
    }
}

/// Who may answer for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllowProxy {
    pub(crate) mac: Mac,
    pub(crate) network: Cidr,
}

impl FromStr for AllowProxy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (mac, network) = text.split_once('=').ok_or_else(|| format!("'{text}' is not MAC=CIDR"))?;
        Ok(Self { mac: mac.parse()?, network: network.parse()? })
    }
}

/// All allowances.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowances<'a> {
    pub(crate) shared: &'a [AllowShared],
    pub(crate) pairs: &'a [AllowPair],
    pub(crate) proxies: &'a [AllowProxy],
}

/// What may be shared by one Ethernet address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shared {
    pub(crate) number: usize,
    pub(crate) addresses: BTreeSet<IpAddr>,
}

/// Whether somebody may answer for an address.
pub(crate) type Proxied = bool;

impl Allowances<'_> {
    pub(crate) fn has_pair(&self, ip: IpAddr, mac: Mac) -> bool {
        // Who may have several addresses by name may have each of them: two cards of a host answer for all it has.
        let is_listed = |allowed: &AllowShared| matches!(allowed, AllowShared::Addresses(whose, ips) if *whose == mac && ips.contains(&ip));
        self.pairs.iter().any(|pair| (pair.ip, pair.mac) == (ip, mac)) || self.shared.iter().any(is_listed)
    }

    pub(crate) fn is_proxy(&self, mac: Mac, ip: IpAddr) -> Proxied {
        self.proxies.iter().any(|proxy| proxy.mac == mac && proxy.network.contains(ip))
    }

    /// Whether an address counts for nobody.
    pub(crate) fn is_uncounted(&self, ip: IpAddr) -> bool {
        self.shared
            .iter()
            .any(|allowed| matches!(allowed, AllowShared::Network(network) if network.contains(ip)))
    }

    pub(crate) fn shared_by(&self, mac: Mac) -> Shared {
        let mut shared = Shared::default();
        for allowed in self.shared {
            match allowed {
                AllowShared::Number(whose, number) if *whose == mac => {
                    shared.number = shared.number.max(*number);
                }
                AllowShared::Addresses(whose, addresses) if *whose == mac => {
                    shared.addresses.extend(addresses);
                }
                _ => {}
            }
        }
        shared
    }
}
