//! Who has an address, by the operator's word.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use crate::mac::Mac;

/// An address and who may have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    pub(crate) ip: IpAddr,
    pub(crate) holder: Holder,
}

/// Who may have an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    /// One of these.
    Macs(Vec<Mac>),
    /// Virtual Router Redundancy Protocol (RFC 9568, section 7.3), and CARP, which has the same addresses.
    Vrrp { group: u8, is_carp: bool },
    /// Hot Standby Router Protocol.
    Hsrp(u16),
    /// Gateway Load Balancing Protocol: one address for each forwarder.
    Glbp(u16),
    /// Network Load Balancing, with addresses made from that of the cluster.
    Nlb,
}

impl Holder {
    /// Whether this may be the Ethernet address of `ip`.
    pub(crate) fn allows(&self, ip: IpAddr, mac: Mac) -> bool {
        match self {
            Self::Macs(macs) => macs.contains(&mac),
            Self::Vrrp { group, .. } => {
                let family = if ip.is_ipv4() { 1 } else { 2 };
                mac.0 == [0, 0, 0x5e, 0, family, *group]
            }
            Self::Hsrp(group) => {
                let [high, low] = group.to_be_bytes();
                match ip {
                    IpAddr::V4(_) => {
                        (high == 0 && mac.0 == [0, 0, 0x0c, 0x07, 0xac, low])
                            || mac.0 == [0, 0, 0x0c, 0x9f, 0xf0 | high, low]
                    }
                    IpAddr::V6(_) => mac.0 == [0, 0x05, 0x73, 0xa0, high, low],
                }
            }
            Self::Glbp(group) => {
                let [high, low] = group.to_be_bytes();
                mac.0.starts_with(&[0, 0x07, 0xb4, high, low])
            }
            Self::Nlb => {
                let IpAddr::V4(ip) = ip else { return false };
                let [a, b, c, d] = ip.octets();
                let [.., low_high, low] = [a, b, c, d];
                matches!(mac.0, [0x02 | 0x03, 0xbf, rest @ ..] if rest == [a, b, c, d])
                    || mac.0 == [0x01, 0, 0x5e, 0x7f, low_high, low]
            }
        }
    }

    /// Whether frames of this holder come from another Ethernet address than they name.
    pub(crate) const fn has_other_source(&self) -> bool {
        matches!(self, Self::Nlb | Self::Vrrp { is_carp: true, .. })
    }

    /// For a sentence.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Macs(macs) => macs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or "),
            Self::Vrrp { group, is_carp: false } => format!("VRRP group {group}"),
            Self::Vrrp { group, is_carp: true } => format!("CARP group {group}"),
            Self::Hsrp(group) => format!("HSRP group {group}"),
            Self::Glbp(group) => format!("GLBP group {group}"),
            Self::Nlb => "an NLB cluster".to_owned(),
        }
    }
}

impl fmt::Display for Pin {
    /// As it is read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=", self.ip)?;
        match &self.holder {
            Holder::Macs(macs) => {
                let macs: Vec<String> = macs.iter().map(ToString::to_string).collect();
                f.write_str(&macs.join("|"))
            }
            Holder::Vrrp { group, is_carp: false } => write!(f, "vrrp:{group}"),
            Holder::Vrrp { group, is_carp: true } => write!(f, "carp:{group}"),
            Holder::Hsrp(group) => write!(f, "hsrp:{group}"),
            Holder::Glbp(group) => write!(f, "glbp:{group}"),
            Holder::Nlb => f.write_str("nlb"),
        }
    }
}

impl FromStr for Pin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong =
            || format!("'{text}' is not IP=MAC, such as 10.0.0.1=02:00:00:00:00:01 or 10.0.0.1=vrrp:60");
        let (ip, holder) = text.split_once('=').ok_or_else(wrong)?;
        let ip = ip.trim().parse().map_err(|_| wrong())?;
        let holder = holder.trim();
        let group = |digits: &str, most: u16| {
            digits
                .parse::<u16>()
                .ok()
                .filter(|group| *group <= most)
                .ok_or_else(|| format!("'{text}': a group is 0 to {most}"))
        };
        let byte = |digits: &str| group(digits, 255).map(|group| u8::try_from(group).unwrap_or_default());
        let holder = match holder.split_once(':') {
            Some(("vrrp", digits)) => Holder::Vrrp { group: byte(digits)?, is_carp: false },
            Some(("carp", digits)) => Holder::Vrrp { group: byte(digits)?, is_carp: true },
            Some(("hsrp", digits)) => Holder::Hsrp(group(digits, 4095)?),
            Some(("glbp", digits)) => Holder::Glbp(group(digits, 1023)?),
            None if holder == "nlb" => Holder::Nlb,
            _ => Holder::Macs(holder.split('|').map(|mac| mac.trim().parse()).collect::<Result<_, _>>()?),
        };
        Ok(Self { ip, holder })
    }
}

/// A router that may advertise itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Router {
    pub(crate) ip: Ipv6Addr,
    pub(crate) mac: Option<Mac>,
}

impl FromStr for Router {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (ip, mac) = match text.split_once('=') {
            Some((ip, mac)) => (ip, Some(mac.parse()?)),
            None => (text, None),
        };
        match ip.parse::<Ipv6Addr>() {
            Ok(ip) if ip.is_unicast_link_local() => Ok(Self { ip, mac }),
            _ => Err(format!("'{ip}' is not the link-local address of a router, such as fe80::1")),
        }
    }
}

/// All pins by address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pins(BTreeMap<IpAddr, Vec<Holder>>);

impl Pins {
    pub(crate) fn of<'a>(pins: impl IntoIterator<Item = &'a Pin>) -> Self {
        let mut all: BTreeMap<IpAddr, Vec<Holder>> = BTreeMap::new();
        for pin in pins {
            all.entry(pin.ip).or_default().push(pin.holder.clone());
        }
        Self(all)
    }

    /// Reads a file: a pin in a line, blanks or `=` between address and holder, comments behind `#`.
    pub(crate) fn parse_file(text: &str) -> Result<Vec<Pin>, String> {
        let lines = text.lines().enumerate();
        let lines = lines.map(|(index, line)| (index + 1, line.split('#').next().unwrap_or_default().trim()));
        lines
            .filter(|(_, line)| !line.is_empty())
            .map(|(number, line)| {
                let pin = match line.split_once(char::is_whitespace) {
                    Some((ip, holder)) if !line.contains('=') => format!("{ip}={}", holder.trim()),
                    _ => line.to_owned(),
                };
                pin.parse().map_err(|error| format!("line {number}: {error}"))
            })
            .collect()
    }

    pub(crate) fn has(&self, ip: IpAddr) -> bool {
        self.0.contains_key(&ip)
    }

    pub(crate) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.0.keys().copied()
    }

    /// Whether an address may be there; an address without a pin is nobody's in particular.
    pub(crate) fn allows(&self, ip: IpAddr, mac: Mac) -> bool {
        self.0.get(&ip).is_none_or(|holders| holders.iter().any(|holder| holder.allows(ip, mac)))
    }

    pub(crate) fn has_other_source(&self, ip: IpAddr) -> bool {
        self.0.get(&ip).is_some_and(|holders| holders.iter().any(Holder::has_other_source))
    }

    /// Who should have it.
    pub(crate) fn words(&self, ip: IpAddr) -> String {
        let holders = self.0.get(&ip).map(Vec::as_slice).unwrap_or_default();
        holders.iter().map(Holder::words).collect::<Vec<_>>().join(" or ")
    }
}
