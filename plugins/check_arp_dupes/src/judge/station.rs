//! Rules about one station: how many addresses it has, for whom it answers, how much it says.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use common::report::State;

use super::words::list;
use super::{Role, Scene};
use crate::mac::Mac;
use crate::options::Id;

/// A fourth of a swept network is the most that one station may answer for, and so many addresses at least.
const PART: u64 = 4;
const FEWEST: usize = 8;

/// Answers for an address that nobody has, or for much of a network.
pub(super) fn proxies(scene: &mut Scene<'_>) {
    let Some(wire) = scene.wire() else { return };
    for ip in &wire.canaries {
        let answered: Vec<Mac> =
            scene.interface.on_wire(*ip).filter(|mac| !scene.allowed.is_proxy(*mac, *ip)).collect();
        for mac in &answered {
            let text = format!("{mac} answers for {ip}, which nobody should have");
            scene.suspect(Id::Proxy, State::Critical, Some(*ip), vec![*mac], text);
        }
        scene.proxies.extend(answered);
    }
    for network in &wire.swept {
        let Some(cidr) = network.cidr() else { continue };
        let mut by_mac: BTreeMap<Mac, usize> = BTreeMap::new();
        let here = wire.claims.iter().filter(|claim| claim.replies > 0 && cidr.contains(claim.ip));
        for claim in here.filter(|claim| !scene.allowed.is_proxy(claim.mac, claim.ip)) {
            *by_mac.entry(claim.mac).or_default() += 1;
        }
        for (mac, number) in by_mac {
            let is_most = number as u64 > network.addresses / PART;
            if number >= FEWEST && is_most && !scene.interface.own_macs.contains(&mac) {
                let text = format!("{mac} answers for {number} of {} addresses of {cidr}", network.addresses);
                let hint = format!("if it is a router that does so on purpose: --allow-proxy {mac}={cidr}");
                scene.suspect_with(Id::Proxy, State::Critical, None, vec![mac], text, Some(hint));
                scene.proxies.insert(mac);
            }
        }
    }
}

/// Other addresses of the gateway's station.
pub(super) fn shared_with_gateway(scene: &mut Scene<'_>) {
    let picture = scene.picture;
    for gateway in scene.interface.gateways.iter().filter(|gateway| gateway.ip.is_ipv4()) {
        for mac in scene.picture.holders_of(gateway.ip) {
            if scene.proxies.contains(&mac) {
                continue;
            }
            let others = others(scene, mac, picture.sharing.get(&mac), |ip| {
                ip != gateway.ip && scene.role(ip) != Role::Own
            });
            let accepted =
                scene.known.filter(|known| known.is_accepted).and_then(|known| known.shared.get(&mac));
            let strange: Vec<IpAddr> = others
                .into_iter()
                .filter(|ip| accepted.is_none_or(|accepted| !accepted.contains(ip)))
                .collect();
            if !strange.is_empty() {
                let hint = format!(
                    "if {mac} is a router with several addresses: --allow-shared {mac}={}",
                    strange
                        .iter()
                        .chain([&gateway.ip])
                        .map(ToString::to_string)
                        .collect::<Vec<_>>()
                        .join(",")
                );
                scene.suspect_with(
                    Id::SharedGw,
                    State::Critical,
                    Some(gateway.ip),
                    vec![mac],
                    "",
                    Some(hint),
                );
            }
        }
    }
}

/// Stations with more addresses than allowed or learned.
pub(super) fn shared(scene: &mut Scene<'_>) {
    let limit = scene.check.judge_limit();
    let gateways: BTreeSet<Mac> = scene
        .interface
        .gateways
        .iter()
        .filter(|gateway| gateway.ip.is_ipv4())
        .flat_map(|gateway| scene.picture.holders_of(gateway.ip))
        .collect();
    for (mac, ips) in &scene.picture.sharing {
        let mac = *mac;
        if gateways.contains(&mac) || scene.proxies.contains(&mac) {
            continue;
        }
        let counted = others(scene, mac, Some(ips), |_| true);
        let allowed = scene.allowed.shared_by(mac);
        let (number, strange): (usize, Vec<IpAddr>) = match (limit, scene.known) {
            (Some(limit), _) => (limit.max(allowed.number), counted),
            // The first run learns.
            (None, None) if scene.seen.memory.is_first => continue,
            (None, None) => (allowed.number.max(1), counted),
            (None, Some(known)) => {
                let learned = known.shared.get(&mac);
                let grown = counted.iter().filter(|ip| learned.is_none_or(|learned| !learned.contains(ip)));
                // One address of its own is nobody's business.
                let own = usize::from(learned.is_none());
                (own, grown.copied().collect())
            }
        };
        if strange.len() > number {
            let text = format!("{mac} has {} addresses: {}", ips.len(), list(ips.iter()));
            let hint = format!("if that is in order: --allow-shared {mac}={}", ips.len());
            scene.suspect_with(Id::Shared, State::Warning, None, vec![mac], text, Some(hint));
        }
    }
}

/// Addresses of a station that count and are not allowed by name.
fn others(
    scene: &Scene<'_>,
    mac: Mac,
    ips: Option<&BTreeSet<IpAddr>>,
    counts: impl Fn(IpAddr) -> bool,
) -> Vec<IpAddr> {
    let allowed = scene.allowed.shared_by(mac);
    let is_allowed = |ip: IpAddr| {
        allowed.addresses.contains(&ip)
            || scene.allowed.is_uncounted(ip)
            || scene.allowed.is_proxy(mac, ip)
            || scene.allowed.has_pair(ip, mac)
            || (scene.pins.has(ip) && scene.pins.allows(ip, mac))
    };
    let ips = ips.into_iter().flatten().copied();
    let strange: Vec<IpAddr> = ips.filter(|ip| counts(*ip) && !is_allowed(*ip)).collect();
    if strange.len() <= allowed.number { Vec::new() } else { strange }
}

/// Announcements without end.
pub(super) fn storms(scene: &mut Scene<'_>) {
    let Some(wire) = scene.wire() else { return };
    let (warning, critical) = scene.check.judge.garp_rate;
    for announcer in &wire.announcers {
        let state = match announcer.most_in_a_second {
            many if many >= critical => State::Critical,
            some if some >= warning => State::Warning,
            _ => break,
        };
        if scene.interface.own_macs.contains(&announcer.mac) {
            continue;
        }
        let text =
            format!("{} announced addresses {} times in a second", announcer.mac, announcer.most_in_a_second);
        scene.suspect(Id::Storm, state, None, vec![announcer.mac], text);
    }
}
