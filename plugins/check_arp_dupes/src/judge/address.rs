//! Rules about one address: who has it, who says so, who had it.

use std::net::IpAddr;

use common::report::State;

use super::words::{list, plural};
use super::{Place, Role, Scene};
use crate::CheckArpDupes;
use crate::mac::Mac;
use crate::options::Id;
use crate::picture::Picture;
use crate::seen::{Interface, Seen};

/// Others than pinned.
pub(super) fn pinned(scene: &mut Scene<'_>) {
    let pins = scene.pins;
    for ip in pins.addresses() {
        let holders = scene.picture.holders_of(ip);
        let strangers: Vec<Mac> = holders.filter(|mac| !pins.allows(ip, *mac)).collect();
        if !strangers.is_empty() {
            scene.suspect(
                Id::Pin,
                State::Critical,
                Some(ip),
                strangers,
                format!("pinned to {}", pins.words(ip)),
            );
        }
    }
}

/// Others that claim an address of ours.
pub(super) fn own(scene: &mut Scene<'_>) {
    let interface = scene.interface;
    for ip in &interface.own {
        let allowed = scene.allowed;
        let is_proxied = |mac: Mac| allowed.has_pair(*ip, mac) || allowed.is_proxy(mac, *ip);
        let claimants: Vec<Mac> = interface.on_wire(*ip).filter(|mac| !is_proxied(*mac)).collect();
        if !claimants.is_empty() {
            scene.suspect(Id::Own, State::Critical, Some(*ip), claimants, "it is an address of this machine");
        }
    }
}

/// Several that claim one address.
pub(super) fn conflicts(scene: &mut Scene<'_>) {
    let Some(wire) = scene.wire() else { return };
    for group in wire.claims.chunk_by(|one, other| one.ip == other.ip) {
        let Some(ip) = group.first().map(|claim| claim.ip) else { continue };
        let role = scene.role(ip);
        if group.len() < 2 || role == Role::Own {
            continue;
        }
        let macs: Vec<Mac> =
            scene.interface.on_wire(ip).filter(|mac| !scene.allowed.has_pair(ip, *mac)).collect();
        let is_all_pinned = scene.pins.has(ip) && macs.iter().all(|mac| scene.pins.allows(ip, *mac));
        // Who answers for a whole network is told once.
        let is_told = role == Role::Other && macs.iter().any(|mac| scene.proxies.contains(mac));
        let is_by_proxy = macs.iter().any(|mac| scene.allowed.is_proxy(*mac, ip));
        if macs.len() > 1 && !is_all_pinned && !is_told && !is_by_proxy {
            let hint = macs.last().map(|mac| format!("if both are right: --allow-pair {ip}={mac}"));
            scene.suspect_with(Id::Conflict, scene.grave_for(ip), Some(ip), macs, "", hint);
        }
    }
}

/// In the table one, on the wire another.
pub(super) fn splits(scene: &mut Scene<'_>) {
    for ip in table_addresses(scene.interface) {
        let claimants: Vec<Mac> = scene.interface.on_wire(ip).collect();
        if claimants.is_empty() || scene.role(ip) == Role::Own {
            continue;
        }
        let is_silent = |mac: &Mac| !claimants.contains(mac) && !scene.allowed.has_pair(ip, *mac);
        let mut silent: Vec<Mac> = scene.interface.in_table(ip).filter(is_silent).collect();
        silent.dedup();
        if !silent.is_empty() {
            scene.suspect(Id::Split, scene.grave_for(ip), Some(ip), silent, "");
        }
    }
}

fn table_addresses(interface: &Interface) -> Vec<IpAddr> {
    let mut ips: Vec<IpAddr> =
        interface.before.iter().chain(&interface.after).map(|entry| entry.ip).collect();
    ips.sort_unstable();
    ips.dedup();
    ips
}

/// Another gateway than was learned.
pub(super) fn gateway_changes(scene: &mut Scene<'_>) {
    let Some(known) = scene.known else { return };
    for gateway in &scene.interface.gateways {
        let ip = gateway.ip;
        let Some(learned) = known.gateways.get(&ip).copied() else { continue };
        let others: Vec<Mac> = scene.picture.holders_of(ip).filter(|mac| *mac != learned).collect();
        if others.is_empty() || scene.pins.has(ip) {
            continue;
        }
        let is_member = |mac: Mac| scene.allowed.has_pair(ip, mac);
        let is_failover = is_member(learned) && others.iter().all(|mac| is_member(*mac));
        let state = if is_failover { State::Warning } else { State::Critical };
        let hint = format!("if {ip} was replaced on purpose, run once with --learn, or pin it");
        let text = format!("learned as {learned}");
        scene.suspect_with(Id::GwChanged, state, Some(ip), others, text, Some(hint));
    }
}

/// To and fro.
pub(super) fn flips(scene: &mut Scene<'_>) {
    let limits = scene.check.judge.flips;
    for (ip, number, macs) in flipping(scene.check, scene.seen, scene.interface, scene.picture) {
        let is_pinned = |mac: Mac| scene.pins.has(ip) && scene.pins.allows(ip, mac);
        if macs.iter().all(|mac| is_pinned(*mac) || scene.allowed.has_pair(ip, *mac)) {
            continue;
        }
        let state = match number {
            many if many >= limits.critical as usize => State::Critical,
            some if some >= limits.warning as usize => State::Warning,
            _ => continue,
        };
        let (times, span) = (plural(number, "time", "times"), crate::options::span(limits.window));
        let text = format!("changed to and fro {times} in {span} ({})", list(macs.iter()));
        scene.suspect(Id::Flip, state, Some(ip), macs, text);
    }
}

/// Flips of all addresses in the time of the option.
pub(super) fn all_flips(check: &CheckArpDupes, seen: &Seen, places: &[Place<'_>]) -> usize {
    let of = |place: &Place<'_>| flipping(check, seen, place.interface, place.picture);
    places.iter().flat_map(of).map(|(_, number, _)| number).sum()
}

/// Addresses that changed, how often, and between whom; this run included.
fn flipping(
    check: &CheckArpDupes,
    seen: &Seen,
    interface: &Interface,
    picture: &Picture,
) -> Vec<(IpAddr, usize, Vec<Mac>)> {
    let Some(known) = seen.memory.before.as_ref().and_then(|memory| memory.interfaces.get(&interface.name))
    else {
        return Vec::new();
    };
    let window = i64::try_from(check.judge.flips.window.as_secs()).unwrap_or(i64::MAX);
    let since = seen.memory.now.saturating_sub(window);
    known
        .seen
        .iter()
        .filter_map(|(ip, holders)| {
            // Most have always been who they are.
            if holders.macs.len() < 2 && holders.flips.is_empty() {
                return None;
            }
            let macs: Vec<Mac> = holders.macs.iter().map(|holder| holder.mac).collect();
            let now = picture.holder_of(*ip);
            let returned = now.is_some_and(|now| macs.iter().skip(1).any(|before| *before == now));
            let number = holders.flips_since(since) + usize::from(returned);
            let is_made_up = check.expect.allow_random && macs.iter().all(|mac| mac.is_local());
            (number > 0 && !is_made_up).then_some((*ip, number, macs))
        })
        .collect()
}

/// Another source in the frame than in the message.
pub(super) fn mismatches(scene: &mut Scene<'_>) {
    let Some(wire) = scene.wire() else { return };
    for claim in &wire.claims {
        let Some(source) = claim.source else { continue };
        if scene.pins.has_other_source(claim.ip) || scene.interface.own_macs.contains(&claim.mac) {
            continue;
        }
        let text = format!("{} said so in a frame from {source}", claim.mac);
        scene.suspect(Id::Mismatch, scene.grave_for(claim.ip), Some(claim.ip), vec![claim.mac, source], text);
    }
}

/// Claims for Ethernet addresses that no station can have.
pub(super) fn unusable(scene: &mut Scene<'_>) {
    let interface = scene.interface;
    let said =
        interface.wire.iter().flat_map(|wire| &wire.unusable).map(|one| (one.ip, one.mac, Some(one.source)));
    // A permanent entry is the work of an administrator.
    let is_by_hand = |state| state == crate::netlink::State::Permanent;
    let entries = interface.before.iter().filter(|entry| !is_by_hand(entry.state));
    let kept = entries.filter_map(|entry| Some((entry.ip, entry.holder()?, None)));
    for (ip, mac, source) in said.chain(kept.filter(|(_, mac, _)| !mac.is_usable())) {
        if scene.pins.has(ip) && scene.pins.allows(ip, mac) {
            continue;
        }
        let text = match source {
            Some(source) => {
                format!("{mac}, which no station can have, was claimed for it in a frame from {source}")
            }
            None => format!("{mac}, which no station can have, is in the table"),
        };
        let macs = source.into_iter().chain([mac]).collect();
        scene.suspect(Id::Badmac, State::Warning, Some(ip), macs, text);
    }
}
