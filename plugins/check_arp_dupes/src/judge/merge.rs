//! Suspicions about one address become one finding, whose sentence shows the address, table, wire and all that was found.

use std::net::IpAddr;

use common::report::{Report, State};

use super::words::{list, named};
use super::{Role, Scene, Suspicion, finding};
use crate::mac::Mac;
use crate::options::Id;
use crate::seen::Seen;

pub(super) fn add(report: &mut Report, scene: &Scene<'_>, suspicions: &[Suspicion]) {
    let mut ips: Vec<IpAddr> = suspicions.iter().filter_map(|suspicion| suspicion.ip).collect();
    ips.sort_unstable();
    ips.dedup();
    for ip in ips {
        let mut about: Vec<&Suspicion> =
            suspicions.iter().filter(|suspicion| suspicion.ip == Some(ip)).collect();
        about.sort_by_key(|suspicion| (std::cmp::Reverse(suspicion.state), suspicion.id));
        let Some(first) = about.first() else { continue };
        let hint = hint(ip, &about);
        report.add(finding(first.id, first.state, sentence(scene, ip, &about), hint));
    }
    for alone in suspicions.iter().filter(|suspicion| suspicion.ip.is_none()) {
        let text = format!(
            "{}: {} [{}]",
            scene.interface.name,
            with_names(&alone.text, &alone.macs, scene.seen),
            alone.id
        );
        report.add(finding(alone.id, alone.state, text, alone.hint.clone()));
    }
}

/// `10.99.0.1 (gateway) table 02:66:66:66:66:66 (also 10.99.0.66), wire 02:00:00:00:00:01; ... [split, shared_gw]`
fn sentence(scene: &Scene<'_>, ip: IpAddr, about: &[&Suspicion]) -> String {
    let role = match scene.role(ip) {
        Role::Gateway => " (gateway)",
        Role::Pinned => " (pinned)",
        Role::Own => " (ours)",
        Role::Other => "",
    };
    let name = scene.seen.names.get(&ip).map(|name| format!(" {name}")).unwrap_or_default();
    let mut places = Vec::new();
    let table = distinct(scene.interface.in_table_at_first(ip));
    let later: Vec<Mac> = scene.interface.in_table_at_last(ip).filter(|mac| !table.contains(mac)).collect();
    let wire = distinct(scene.interface.on_wire(ip));
    if !table.is_empty() {
        places.push(format!("table {}", holders(scene, ip, &table)));
    }
    if !later.is_empty() {
        let then = if table.is_empty() { "table" } else { "then" };
        places.push(format!("{then} {}", holders(scene, ip, &later)));
    }
    if !wire.is_empty() {
        places.push(format!("wire {}", holders(scene, ip, &wire)));
    }
    let mut parts = vec![format!("{ip}{name}{role} {}", places.join(", ")).trim_end().to_owned()];
    let mut texts: Vec<String> = Vec::new();
    for suspicion in about.iter().filter(|suspicion| !suspicion.text.is_empty()) {
        if !texts.contains(&suspicion.text) {
            texts.push(suspicion.text.clone());
        }
    }
    if places.is_empty() && !texts.is_empty() {
        // "10.99.0.1 (gateway) did not answer" needs no stop between.
        let first = texts.remove(0);
        parts = vec![format!("{} {first}", parts.join(""))];
    }
    parts.extend(texts);
    let mut ids: Vec<Id> =
        about.iter().filter(|suspicion| suspicion.state > State::Ok).map(|suspicion| suspicion.id).collect();
    if ids.is_empty() {
        ids = about.iter().map(|suspicion| suspicion.id).collect();
    }
    ids.sort_unstable();
    ids.dedup();
    let ids: Vec<&str> = ids.iter().map(|id| id.name()).collect();
    let place =
        if scene.seen.interfaces.len() > 1 { format!(" on {}", scene.interface.name) } else { String::new() };
    format!("{}{place} [{}]", parts.join("; "), ids.join(", "))
}

/// Where a station may be an impostor, the first thing is to find it; what to learn or to allow comes after that.
fn hint(ip: IpAddr, about: &[&Suspicion]) -> Option<String> {
    let grave = || about.iter().filter(|suspicion| suspicion.state > State::Warning);
    let ports = |suspicion: &Suspicion| {
        let macs: Vec<String> = suspicion.macs.iter().map(ToString::to_string).collect();
        format!("find the switch port of {}", macs.join(" and "))
    };
    if let Some(both) = grave().find(|one| matches!(one.id, Id::Split | Id::Conflict | Id::Own)) {
        return Some(format!("two stations have {ip}: {} before anything is learned", ports(both)));
    }
    let allowed = about.iter().find_map(|suspicion| suspicion.hint.clone());
    match (grave().find(|one| matches!(one.id, Id::GwChanged | Id::SharedGw)), allowed) {
        (Some(other), Some(allowed)) => {
            Some(format!("it may have been poisoned: {} first; {allowed}", ports(other)))
        }
        (_, allowed) => allowed,
    }
}

fn distinct(macs: impl Iterator<Item = Mac>) -> Vec<Mac> {
    let mut macs: Vec<Mac> = macs.collect();
    macs.sort_unstable();
    macs.dedup();
    macs
}

/// Each with its other addresses, which often tell who it is.
fn holders(scene: &Scene<'_>, ip: IpAddr, macs: &[Mac]) -> String {
    let one = |mac: &Mac| {
        let others = scene.picture.sharing.get(mac).into_iter().flatten().filter(|other| **other != ip);
        match list(others) {
            none if none.is_empty() => named(*mac, scene.seen),
            others => format!("{} (also {others})", named(*mac, scene.seen)),
        }
    };
    macs.iter().map(one).collect::<Vec<_>>().join(" and ")
}

fn with_names(text: &str, macs: &[Mac], seen: &Seen) -> String {
    macs.iter().fold(text.to_owned(), |text, mac| text.replacen(&mac.to_string(), &named(*mac, seen), 1))
}
