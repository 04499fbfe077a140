//! Judges what was seen: each rule adds suspicions, those about one address become one finding.

mod address;
mod health;
mod merge;
mod router;
mod station;
mod words;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::net::IpAddr;

use common::plugin::Run;
use common::report::{Finding, Metric, Report, State, Thresholds, Uom};

use crate::CheckArpDupes;
use crate::mac::Mac;
use crate::memory::Known;
use crate::options::{Allowances, Id, Pin, Pins};
use crate::picture::Picture;
use crate::seen::{Heard, Interface, Seen};
use words::count;

pub(crate) const IPS: Metric = Metric::count("ips", "addresses in use, by table and wire");
pub(crate) const MACS: Metric = Metric::count("macs", "Ethernet addresses that have them");
pub(crate) const CONFLICTS: Metric =
    Metric::count("conflicts", "addresses that several stations claim on the wire");
pub(crate) const SHARED: Metric = Metric::count("shared", "stations with more addresses than allowed");
pub(crate) const SPLIT: Metric =
    Metric::count("split", "addresses whose table entry is another than who answers");
pub(crate) const PIN_BAD: Metric = Metric::count("pin_bad", "pinned addresses that others have");
pub(crate) const FLIPS: Metric = Metric::count("flips", "changes to and fro in the time of --flips");
pub(crate) const GARP_RATE: Metric =
    Metric::count("garp_rate", "most announcements of one station in a second");
pub(crate) const PROBES: Metric = Metric::count("probes", "questions sent");
pub(crate) const REPLIES: Metric = Metric::count("replies", "answers read");
pub(crate) const DROPS: Metric = Metric::count("drops", "frames the kernel had no room for");
pub(crate) const TABLE_USED: Metric = Metric {
    label: "table_used",
    uom: Uom::Percent,
    help: "how full the fuller neighbour table of the kernel is",
    min: Some(0.0),
    max: Some(100.0),
};

/// Something that one rule found.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Suspicion {
    id: Id,
    state: State,
    /// The address it is about; suspicions about one address are told together.
    ip: Option<IpAddr>,
    /// Those to blame or to compare.
    macs: Vec<Mac>,
    /// The sentence, or what it adds to that of the address; empty when the addresses say it all.
    text: String,
    hint: Option<String>,
}

/// Everything a rule may look at.
struct Scene<'a> {
    check: &'a CheckArpDupes,
    seen: &'a Seen,
    interface: &'a Interface,
    picture: &'a Picture,
    known: Option<&'a Known>,
    pins: &'a Pins,
    allowed: Allowances<'a>,
    /// Stations that answer for a large part of a network, so that each address of it need not be told.
    proxies: BTreeSet<Mac>,
    suspicions: Vec<Suspicion>,
}

/// An interface and who has which address on it.
struct Place<'a> {
    interface: &'a Interface,
    picture: &'a Picture,
}

fn places<'a>(seen: &'a Seen, pictures: &'a [Picture]) -> Vec<Place<'a>> {
    let places = seen.interfaces.iter().zip(pictures);
    places.map(|(interface, picture)| Place { interface, picture }).collect()
}

/// What an address is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Gateway,
    Pinned,
    Own,
    Other,
}

impl<'a> Scene<'a> {
    fn new(check: &'a CheckArpDupes, seen: &'a Seen, place: &'a Place<'a>, pins: &'a Pins) -> Self {
        let Place { interface, picture } = *place;
        let allowed = Allowances {
            shared: &check.expect.allow_shared,
            pairs: &check.expect.allow_pair,
            proxies: &check.expect.allow_proxy,
        };
        let known = seen.memory.before.as_ref().and_then(|memory| memory.interfaces.get(&interface.name));
        Self {
            check,
            seen,
            interface,
            picture,
            known,
            pins,
            allowed,
            proxies: BTreeSet::new(),
            suspicions: Vec::new(),
        }
    }

    fn judged(mut self) -> Vec<Suspicion> {
        station::proxies(&mut self);
        address::pinned(&mut self);
        address::own(&mut self);
        address::conflicts(&mut self);
        address::splits(&mut self);
        address::gateway_changes(&mut self);
        address::flips(&mut self);
        address::mismatches(&mut self);
        address::unusable(&mut self);
        station::shared_with_gateway(&mut self);
        station::shared(&mut self);
        station::storms(&mut self);
        router::advertisements(&mut self);
        health::gateways_down(&mut self);
        health::expected(&mut self);
        health::lost(&mut self);
        self.suspicions
    }

    /// Adds a suspicion unless it is to be left out, in the state that was chosen for it.
    fn suspect(&mut self, id: Id, state: State, ip: Option<IpAddr>, macs: Vec<Mac>, text: impl Into<String>) {
        self.suspect_with(id, state, ip, macs, text, None);
    }

    fn suspect_with(
        &mut self,
        id: Id,
        state: State,
        ip: Option<IpAddr>,
        macs: Vec<Mac>,
        text: impl Into<String>,
        hint: Option<String>,
    ) {
        if self.check.expect.ignore.iter().any(|ignore| ignore.covers(id, ip, &macs)) {
            return;
        }
        let state = chosen_state(self.check, id, state);
        self.suspicions.push(Suspicion { id, state, ip, macs, text: text.into(), hint });
    }

    fn role(&self, ip: IpAddr) -> Role {
        if self.interface.own.contains(&ip) {
            Role::Own
        } else if self.interface.gateways.iter().any(|gateway| gateway.ip == ip) {
            Role::Gateway
        } else if self.pins.has(ip) {
            Role::Pinned
        } else {
            Role::Other
        }
    }

    /// CRITICAL for what we depend on.
    fn grave_for(&self, ip: IpAddr) -> State {
        if self.role(ip) == Role::Other { State::Warning } else { State::Critical }
    }

    fn wire(&self) -> Option<&'a Heard> {
        self.interface.wire.as_ref()
    }
}

fn chosen_state(check: &CheckArpDupes, id: Id, state: State) -> State {
    check
        .judge
        .severity
        .iter()
        .rev()
        .find(|severity| severity.id == id)
        .map_or(state, |severity| severity.state)
}

/// Those that will be named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Suspects {
    pub(crate) macs: Vec<Mac>,
    pub(crate) ips: Vec<IpAddr>,
}

/// Names are looked up for so many at most.
const MOST_SUSPECTS: usize = 16;

pub(crate) fn suspects(check: &CheckArpDupes, seen: &Seen, pictures: &[Picture]) -> Suspects {
    let pins = pins(check, seen);
    let mut suspects = Suspects::default();
    for place in &places(seen, pictures) {
        for suspicion in Scene::new(check, seen, place, &pins).judged() {
            suspects.macs.extend(suspicion.macs);
            if let Some(ip) = suspicion.ip {
                suspects.macs.extend(place.picture.holders_of(ip));
                suspects.ips.push(ip);
            }
        }
    }
    suspects.macs.sort_unstable();
    suspects.macs.dedup();
    suspects.ips.sort_unstable();
    suspects.ips.dedup();
    suspects.macs.truncate(MOST_SUSPECTS);
    suspects.ips.truncate(MOST_SUSPECTS);
    suspects
}

fn pins(check: &CheckArpDupes, seen: &Seen) -> Pins {
    // They were written by us, from pins that had been read.
    let of_file: Vec<Pin> = seen.pins.iter().filter_map(|pin| pin.parse().ok()).collect();
    Pins::of(check.expect.pin.iter().chain(&of_file))
}

pub(crate) fn judge(check: &CheckArpDupes, seen: &Seen, _run: &Run) -> Report {
    let mut report = Report::new();
    let pins = pins(check, seen);
    let mut all = Vec::new();
    let pictures = Picture::all(seen);
    let places = places(seen, &pictures);
    for place in &places {
        let suspicions = Scene::new(check, seen, place, &pins).judged();
        merge::add(&mut report, &Scene::new(check, seen, place, &pins), &suspicions);
        all.extend(suspicions);
    }
    health::tables(&mut report, check, seen);
    health::nothing(&mut report, check, &places);
    health::memory(&mut report, seen);
    words::picture(&mut report, check, seen, &places);
    metrics(&mut report, check, seen, &places, &all);
    report
}

fn metrics(
    report: &mut Report,
    check: &CheckArpDupes,
    seen: &Seen,
    places: &[Place<'_>],
    suspicions: &[Suspicion],
) {
    let ips: usize = places.iter().map(|place| place.picture.addresses().count()).sum();
    let stations: usize = places.iter().map(|place| place.picture.stations).sum();
    let of = |ids: &[Id]| count(suspicions.iter().filter(|suspicion| ids.contains(&suspicion.id)).count());
    let wires: Vec<&Heard> = seen.interfaces.iter().filter_map(|interface| interface.wire.as_ref()).collect();
    let has_wire = !wires.is_empty();
    report.record(&IPS, Some(count(ips)));
    report.record(&MACS, Some(count(stations)));
    if has_wire {
        report.record(&CONFLICTS, Some(of(&[Id::Conflict, Id::Own])));
    }
    report.record(&SHARED, Some(of(&[Id::Shared, Id::SharedGw])));
    if has_wire {
        report.record(&SPLIT, Some(of(&[Id::Split])));
    }
    report.record(&PIN_BAD, Some(of(&[Id::Pin])));
    if !check.judge.no_state {
        let known = seen.memory.trouble.is_none();
        report.record(&FLIPS, known.then(|| count(address::all_flips(check, seen, places))));
    }
    if has_wire {
        let busiest =
            wires.iter().filter_map(|wire| wire.announcers.first()).map(|one| one.most_in_a_second).max();
        let replies: f64 =
            wires.iter().flat_map(|wire| &wire.claims).map(|claim| f64::from(claim.replies)).sum();
        report.record(&GARP_RATE, Some(f64::from(busiest.unwrap_or(0))));
        report.record(&PROBES, Some(wires.iter().map(|wire| f64::from(wire.probes)).sum()));
        report.record(&REPLIES, Some(replies));
        report.record(&DROPS, Some(wires.iter().map(|wire| f64::from(wire.dropped)).sum()));
    }
    report.measure(&TABLE_USED, health::fullest(seen), Thresholds::default());
}

fn finding(id: Id, state: State, text: String, hint: Option<String>) -> Finding {
    let finding = Finding::new(id.name(), state, text);
    match hint {
        Some(hint) => finding.with_hint(hint),
        None => finding,
    }
}
