//! Rules about the run and the table themselves.

use std::net::IpAddr;

use common::report::{Report, State, Thresholds};

use super::words::{count, plural};
use super::{Place, Scene, chosen_state, finding};
use crate::CheckArpDupes;
use crate::netlink::State as EntryState;
use crate::options::{Cidr, Id};
use crate::seen::{Claimed, Heard, Network, Seen, TableUse};

/// Fullness of a neighbour table, in per cent of `gc_thresh3`, where entries begin to be refused.
const FULL_WARNING: f64 = 80.0;
const FULL_CRITICAL: f64 = 95.0;

/// Gateways and pinned addresses that do not answer.
pub(super) fn gateways_down(scene: &mut Scene<'_>) {
    let interface = scene.interface;
    let pinned = scene.pins.addresses().filter(|ip| scene.wire().is_some_and(|wire| wire.asked.contains(ip)));
    let mut ips: Vec<IpAddr> =
        interface.gateways.iter().filter(|gateway| gateway.is_default).map(|gateway| gateway.ip).collect();
    ips.extend(pinned.collect::<Vec<_>>());
    ips.sort_unstable();
    ips.dedup();
    for ip in ips {
        if interface.own.contains(&ip) {
            continue;
        }
        let is_asked = scene.wire().is_some_and(|wire| wire.probes > 0 && wire.asked.contains(&ip));
        let text = if is_asked {
            let is_silent = interface.on_wire(ip).next().is_none();
            is_silent.then(|| "did not answer".to_owned())
        } else {
            let entry = interface.before.iter().find(|entry| entry.ip == ip);
            let failed =
                entry.filter(|entry| matches!(entry.state, EntryState::Failed | EntryState::Incomplete));
            failed.map(|_| "did not answer the kernel".to_owned())
        };
        if let Some(text) = text {
            scene.suspect(Id::GwDown, State::Warning, Some(ip), Vec::new(), text);
        }
    }
}

/// Networks with other numbers of addresses in use than expected.
pub(super) fn expected(scene: &mut Scene<'_>) {
    for expected in &scene.check.expect.expect {
        let number = scene.picture.addresses().filter(|(ip, _)| expected.network.contains(*ip)).count();
        let thresholds = Thresholds { warning: Some(expected.count), ..Thresholds::default() };
        if thresholds.judge(count(number)) != State::Ok {
            let (network, count) = (expected.network, expected.count);
            let text =
                format!("{} of {network} in use, expected {count}", plural(number, "address", "addresses"));
            scene.suspect(Id::Expect, State::Warning, None, Vec::new(), text);
        }
    }
}

/// What could not be sent or read.
pub(super) fn lost(scene: &mut Scene<'_>) {
    let Some(wire) = scene.wire() else { return };
    let mut say = |state, text: String| scene.suspect(Id::Lost, state, None, Vec::new(), text);
    if wire.dropped > 0 {
        say(
            State::Warning,
            format!(
                "incomplete: the kernel had no room for {}",
                plural(wire.dropped as usize, "frame", "frames")
            ),
        );
    }
    if wire.unkept > 0 {
        say(State::Warning, format!("incomplete: {} more claims than can be kept", wire.unkept));
    }
    if let Some(trouble) = &wire.trouble {
        say(State::Warning, format!("incomplete: reading ended: {trouble}"));
    }
    if wire.unsent > 0 {
        let why = wire.send_error.as_deref().unwrap_or("no reason given");
        let unsent = plural(wire.unsent as usize, "question", "questions");
        match wire.probes {
            0 => say(State::Unknown, format!("none of the {unsent} could be sent: {why}")),
            _ => say(State::Warning, format!("incomplete: {unsent} could not be sent: {why}")),
        }
    }
    let networks: Vec<Cidr> = wire.swept.iter().filter_map(Network::cidr).collect();
    let is_swept = |claim: &Claimed| networks.iter().any(|network| network.contains(claim.ip));
    if !networks.is_empty() && wire.probes > 0 && !wire.claims.iter().any(is_swept) {
        say(State::Unknown, "nobody answered: is this the right network?".to_owned());
    }
}

/// Neighbour tables that are nearly full.
pub(super) fn tables(report: &mut Report, check: &CheckArpDupes, seen: &Seen) {
    for table in &seen.tables {
        let Some(used) = used(table) else { continue };
        let state = match used {
            used if used >= FULL_CRITICAL => State::Critical,
            used if used >= FULL_WARNING => State::Warning,
            _ => continue,
        };
        let is_ignored = check.expect.ignore.iter().any(|ignore| ignore.covers(Id::TableFull, None, &[]));
        if !is_ignored {
            let family = if table.is_ipv4 { "IPv4" } else { "IPv6" };
            let limit = table.limit.unwrap_or_default();
            let text = format!(
                "the {family} neighbour table has {} of {limit} entries [{}]",
                table.entries,
                Id::TableFull
            );
            let hint = "a sweep or a scan fills it; net.ipv4.neigh.default.gc_thresh3 (ipv6 likewise) raises the limit";
            report.add(finding(
                Id::TableFull,
                chosen_state(check, Id::TableFull, state),
                text,
                Some(hint.to_owned()),
            ));
        }
    }
}

/// In per cent.
fn used(table: &TableUse) -> Option<f64> {
    let limit = table.limit.filter(|limit| *limit > 0)?;
    Some((f64::from(table.entries) * 100.0 / f64::from(limit)).min(100.0))
}

pub(super) fn fullest(seen: &Seen) -> Option<f64> {
    seen.tables.iter().filter_map(used).reduce(f64::max)
}

/// Where nobody is, nothing is known.
pub(super) fn nothing(report: &mut Report, check: &CheckArpDupes, places: &[Place<'_>]) {
    let is_empty = places.iter().all(|place| place.picture.stations == 0);
    let said = |wire: &Heard| !wire.unusable.is_empty() || !wire.advertisements.is_empty();
    let mut wires = places.iter().filter_map(|place| place.interface.wire.as_ref());
    let is_silent = wires.all(|wire| !said(wire));
    if is_empty && is_silent {
        let text = if check.look.hears() {
            "no neighbour in the table and none on the wire: nothing could be compared"
        } else {
            "the neighbour table is empty: nothing could be compared"
        };
        report.find("nothing", State::Unknown, text);
    }
}

pub(super) fn memory(report: &mut Report, seen: &Seen) {
    if let Some(path) = &seen.memory.put_aside {
        report.find(
            "state_corrupt",
            State::Warning,
            format!("the state file could not be read and was put aside as {path}"),
        );
    }
    if let Some(trouble) = &seen.memory.trouble {
        report.note("state", format!("changes since the last run are not judged: {trouble}"));
    }
    if seen.memory.is_first {
        report.note("learning", "first run: the present picture was learned");
    }
}
