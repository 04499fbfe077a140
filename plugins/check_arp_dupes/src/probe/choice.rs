//! Which interfaces, and what is ours on them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use common::net::ProbeError;

use crate::CheckArpDupes;
use crate::mac::Mac;
use crate::netlink::{Address, Link, Netlink, Route};
use crate::options::{Cidr, GatewayChoice, Interfaces, Own};
use crate::seen::{Gateway, Interface};

/// An interface, and what only the questions need.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    pub(super) interface: Interface,
    pub(super) networks: Vec<Cidr>,
    pub(super) ipv4: Option<Ipv4Addr>,
    pub(super) link_local: Option<Ipv6Addr>,
}

pub(super) fn choose(check: &CheckArpDupes, netlink: &mut Netlink) -> Result<Vec<Chosen>, ProbeError> {
    let links = netlink.links()?;
    let addresses = netlink.addresses()?;
    let routes = netlink.routes()?;
    let wanted: Vec<&Link> = match &check.look.interface {
        Interfaces::Named(names) => {
            names.iter().map(|name| named(name, &links, &addresses, check)).collect::<Result<_, _>>()?
        }
        Interfaces::Auto => links.iter().filter(|link| serves(link, &addresses, &routes)).collect(),
    };
    if wanted.is_empty() {
        let text = "no interface is up and has Ethernet and an address; -i names one";
        return Err(ProbeError::local(text));
    }
    let own_macs: Vec<Mac> = links.iter().filter_map(|link| link.mac).filter(|mac| mac.is_usable()).collect();
    Ok(wanted.iter().map(|link| chosen(check, link, &addresses, &routes, &own_macs)).collect())
}

/// For `auto`: ours is the end of a bridge that others are plugged into, unless the way out leads through it.
fn serves(link: &Link, addresses: &[Address], routes: &[Route]) -> bool {
    let is_own_bridge =
        link.kind.as_deref() == Some("bridge") && !routes.iter().any(|route| route.index == link.index);
    let is_ethernet = link.mac.is_some() && !link.is_loopback && !link.is_without_arp;
    let has_address =
        addresses.iter().any(|address| address.index == link.index && !is_unnumbered(address.ip));
    link.is_up && is_ethernet && has_address && !is_own_bridge
}

/// Whether everybody has such an address on every link.
fn is_unnumbered(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local())
}

fn named<'a>(
    name: &str,
    links: &'a [Link],
    addresses: &[Address],
    check: &CheckArpDupes,
) -> Result<&'a Link, ProbeError> {
    let Some(link) = links.iter().find(|link| link.name == name) else {
        let names: Vec<&str> = links.iter().map(|link| link.name.as_str()).collect();
        return Err(ProbeError::local(format!(
            "there is no interface {name}; there are {}",
            names.join(", ")
        )));
    };
    let why = if link.is_loopback || link.is_without_arp || link.mac.is_none() {
        "has no neighbours: it is not an Ethernet"
    } else if !link.is_up {
        "is down"
    } else if !addresses.iter().any(|address| address.index == link.index && check.look.wants(address.ip)) {
        match (check.look.ipv4, check.look.ipv6) {
            (true, _) => "has no IPv4 address",
            (_, true) => "has no IPv6 address",
            _ => "has no address",
        }
    } else {
        return Ok(link);
    };
    Err(ProbeError::local(format!("interface {name} {why}")))
}

fn chosen(
    check: &CheckArpDupes,
    link: &Link,
    addresses: &[Address],
    routes: &[Route],
    own_macs: &[Mac],
) -> Chosen {
    let here: Vec<&Address> = addresses.iter().filter(|address| address.index == link.index).collect();
    let networks: Vec<Cidr> =
        here.iter().map(|address| Cidr::around(address.ip, address.prefix_bits)).collect();
    // Another interface on the same network answers for all our addresses (ARP flux), so all of them are ours.
    let own = match &check.expect.own {
        Own::Auto => addresses.iter().map(|address| address.ip).filter(|ip| !ip.is_loopback()).collect(),
        Own::Listed(listed) => listed.clone(),
    };
    let interface = Interface {
        name: link.name.clone(),
        index: link.index,
        mac: link.mac,
        own,
        own_macs: own_macs.to_vec(),
        gateways: gateways(check, link.index, &networks, routes),
        ..Interface::default()
    };
    let ipv4 = here.iter().find_map(|address| match address.ip {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    });
    let link_local = here.iter().find_map(|address| match address.ip {
        IpAddr::V6(ip) if ip.is_unicast_link_local() => Some(ip),
        _ => None,
    });
    Chosen { interface, networks, ipv4, link_local }
}

fn gateways(check: &CheckArpDupes, index: u32, networks: &[Cidr], routes: &[Route]) -> Vec<Gateway> {
    let choices = &check.expect.gateway;
    let mut gateways: Vec<Gateway> = Vec::new();
    let mut add = |gateway: Gateway| match gateways.iter_mut().find(|known| known.ip == gateway.ip) {
        Some(known) => {
            known.is_default |= gateway.is_default;
            known.is_advertised |= gateway.is_advertised;
        }
        None => gateways.push(gateway),
    };
    if choices.is_empty() || choices.contains(&GatewayChoice::Auto) {
        let here = routes.iter().filter(|route| route.index == index && check.look.wants(route.gateway));
        for route in here {
            let Route { gateway: ip, is_default, is_advertised, .. } = *route;
            add(Gateway { ip, is_default, is_advertised });
        }
    }
    for choice in choices {
        if let GatewayChoice::Ip(ip) = *choice
            && networks.iter().any(|network| network.contains(ip))
        {
            add(Gateway { ip, is_default: true, is_advertised: false });
        }
    }
    gateways
}
