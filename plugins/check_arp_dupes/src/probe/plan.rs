//! Whom to ask, on which interface.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use common::net::ProbeError;

use super::choice::Chosen;
use crate::CheckArpDupes;
use crate::frame::{arp_question, router_solicitation, solicitation};
use crate::mac::Mac;
use crate::options::{Cidr, Pins, Sender};
use crate::seen::Recalled;

/// The questions of one interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Asked for three times each.
    pub(super) targets: Vec<IpAddr>,
    /// Those among them that nobody should have.
    pub(super) canaries: Vec<IpAddr>,
    /// Asked for whole.
    pub(super) sweeps: Vec<Cidr>,
    /// Whether routers are asked to advertise themselves.
    pub(super) asks_routers: bool,
    /// Who asks.
    pub(super) voice: Voice,
    /// What comes from these is an echo.
    pub(super) own_macs: Vec<Mac>,
}

/// Whose addresses stand in the questions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Voice {
    mac: Mac,
    sender: Sender,
    ipv4: Option<Ipv4Addr>,
    link_local: Option<Ipv6Addr>,
    own: Vec<IpAddr>,
}

impl Default for Voice {
    fn default() -> Self {
        Self { mac: Mac::ZERO, sender: Sender::Zero, ipv4: None, link_local: None, own: Vec::new() }
    }
}

impl Voice {
    /// The frame that asks for an address. Somebody who answers for others (proxy ARP) may ignore questions from
    /// nobody, so that canaries are asked for from both.
    pub(super) fn question(&self, target: IpAddr, as_ourselves: bool) -> Vec<u8> {
        match target {
            IpAddr::V4(target) => {
                let own =
                    self.ipv4.filter(|own| (as_ourselves || self.sender == Sender::Own) && *own != target);
                arp_question(self.mac, own.unwrap_or(Ipv4Addr::UNSPECIFIED), target)
            }
            IpAddr::V6(target) => {
                let is_ours = self.is_own(target.into());
                let sender = self.link_local.filter(|_| !is_ours).unwrap_or(Ipv6Addr::UNSPECIFIED);
                solicitation(self.mac, sender, target)
            }
        }
    }

    pub(super) fn is_own(&self, ip: IpAddr) -> bool {
        self.own.contains(&ip)
    }

    pub(super) fn router_question(&self) -> Vec<u8> {
        router_solicitation(self.mac, self.link_local.unwrap_or(Ipv6Addr::UNSPECIFIED))
    }
}

/// Suspicious entries that are asked for in one run.
const MOST_SUSPECTS: usize = 8;

/// A plan for each interface.
pub(super) fn plans(
    check: &CheckArpDupes,
    chosen: &[Chosen],
    pins: &Pins,
    recalled: &Recalled,
) -> Result<Vec<Plan>, ProbeError> {
    let mut plans: Vec<Plan> = chosen.iter().map(|chosen| plan(check, chosen, pins, recalled)).collect();
    for network in &check.look.sweep {
        let overlaps = |chosen: &Chosen| {
            let first = network.ipv4_addresses().next();
            chosen.networks.iter().any(|own| {
                let own_first = own.ipv4_addresses().next();
                first.is_some_and(|ip| own.contains(ip.into()))
                    || own_first.is_some_and(|ip| network.contains(ip.into()))
            })
        };
        let position = match chosen {
            [_] => Some(0),
            several => several.iter().position(overlaps),
        };
        match position.and_then(|position| plans.get_mut(position)) {
            Some(plan) => plan.sweeps.push(*network),
            None => {
                let text = format!("no interface has an address in {network}; -i says which to sweep it on");
                return Err(ProbeError::local(text));
            }
        }
    }
    Ok(plans)
}

fn plan(check: &CheckArpDupes, chosen: &Chosen, pins: &Pins, recalled: &Recalled) -> Plan {
    let Chosen { interface, networks, ipv4, link_local } = chosen;
    let is_here = |ip: IpAddr| networks.iter().any(|network| network.contains(ip));
    let voice = Voice {
        mac: interface.mac.unwrap_or(Mac::ZERO),
        sender: check.look.sender,
        ipv4: *ipv4,
        link_local: *link_local,
        own: interface.own.clone(),
    };
    let mut plan = Plan { voice, own_macs: interface.own_macs.clone(), ..Plan::default() };
    if !check.look.sends() {
        return plan;
    }
    plan.canaries = check.look.canary.iter().copied().filter(|ip| is_here(*ip)).collect();
    let mut targets = plan.canaries.clone();
    if check.look.verify {
        targets.extend(interface.gateways.iter().map(|gateway| gateway.ip));
        targets.extend(pins.addresses().filter(|ip| is_here(*ip)));
        // Who claims a link-local address is told when he is heard; asking for it as well would be one question too many.
        let is_link_local = |ip: IpAddr| matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
        targets.extend(interface.own.iter().copied().filter(|ip| is_here(*ip) && !is_link_local(*ip)));
        targets.extend(suspicious(chosen, recalled));
        plan.asks_routers = !check.look.ipv4 && link_local.is_some();
    }
    let can_ask = |ip: IpAddr| ip.is_ipv4() || link_local.is_some() || interface.own.contains(&ip);
    for target in targets {
        if check.look.wants(target) && can_ask(target) && !plan.targets.contains(&target) {
            plan.targets.push(target);
        }
    }
    plan
}

/// Entries whose Ethernet address has other addresses as well, or is another than last time.
fn suspicious(chosen: &Chosen, recalled: &Recalled) -> Vec<IpAddr> {
    let interface = &chosen.interface;
    let known = recalled.before.as_ref().and_then(|memory| memory.interfaces.get(&interface.name));
    let mut by_mac: BTreeMap<Mac, Vec<IpAddr>> = BTreeMap::new();
    let mut changed = Vec::new();
    for entry in &interface.before {
        let Some(mac) = entry.holder() else { continue };
        if entry.ip.is_ipv4() {
            by_mac.entry(mac).or_default().push(entry.ip);
        }
        let before =
            known.and_then(|known| known.seen.get(&entry.ip)).and_then(|holders| holders.macs.first());
        if before.is_some_and(|before| before.mac != mac) {
            changed.push(entry.ip);
        }
    }
    let shared = by_mac.into_values().filter(|ips| ips.len() > 1).flatten();
    changed.into_iter().chain(shared).take(MOST_SUSPECTS).collect()
}
