//! Words for what is in order, and for lists.

use std::fmt::Display;
use std::net::IpAddr;

use common::plugin::Plugin as _;
use common::report::{Report, State};

use super::Place;
use crate::CheckArpDupes;
use crate::frame::Preference;
use crate::mac::Mac;
use crate::seen::{Interface, Seen};

/// Entries of a list before it is cut.
const LISTED: usize = 6;

pub(super) fn list<T: Display>(items: impl Iterator<Item = T>) -> String {
    let all: Vec<String> = items.map(|item| item.to_string()).collect();
    match all.get(..LISTED) {
        Some(first) if all.len() > LISTED + 1 => {
            format!("{} and {} more", first.join(", "), all.len() - LISTED)
        }
        _ => all.join(", "),
    }
}

/// A number of things as a measured value: exact up to 2^53, and nobody has so many.
#[expect(clippy::cast_precision_loss, reason = "see above")]
pub(super) const fn count(number: usize) -> f64 {
    number as f64
}

pub(super) fn plural(number: usize, one: &str, several: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { several })
}

/// An Ethernet address with what is known of it.
pub(super) fn named(mac: Mac, seen: &Seen) -> String {
    match (mac.redundancy(), seen.vendors.get(&mac)) {
        (Some(protocol), _) => format!("{mac} ({protocol})"),
        (None, Some(vendor)) => format!("{mac} ({vendor})"),
        (None, None) => mac.to_string(),
    }
}

/// What was seen, for when nothing is wrong, and as background.
pub(super) fn picture(report: &mut Report, check: &CheckArpDupes, seen: &Seen, places: &[Place<'_>]) {
    for place in places {
        report.find("neighbours", State::Ok, summary(place, seen));
        if check.run_args().verbose > 0 {
            details(report, place.interface, seen);
        }
    }
}

fn summary(place: &Place<'_>, seen: &Seen) -> String {
    let interface = place.interface;
    let mut parts = vec![format!(
        "{}: {} of {}",
        interface.name,
        plural(place.picture.addresses().count(), "address", "addresses"),
        plural(place.picture.stations, "station", "stations")
    )];
    let default = interface.gateways.iter().filter(|gateway| gateway.is_default).map(|gateway| gateway.ip);
    parts.extend(default.map(|ip| gateway(place, seen, ip)));
    if let Some(wire) = &interface.wire {
        // Not more than was done.
        let tenths = (wire.seconds.max(0.0) * 10.0).floor() / 10.0;
        let listened = std::time::Duration::from_secs_f64(tenths);
        parts.push(format!("listened for {} s", crate::options::seconds(listened)));
    }
    parts.join(", ")
}

fn gateway(place: &Place<'_>, seen: &Seen, ip: IpAddr) -> String {
    let interface = place.interface;
    let names: Vec<String> = place.picture.holders_of(ip).map(|mac| named(mac, seen)).collect();
    if names.is_empty() {
        let is_asked_for = interface.before.iter().any(|entry| entry.ip == ip);
        let how = if is_asked_for { "does not answer" } else { "not in the table" };
        return format!("gateway {ip} {how}");
    }
    let is_in_both = interface.in_table(ip).next().is_some() && interface.on_wire(ip).next().is_some();
    let how = if is_in_both { " by table and wire" } else { "" };
    format!("gateway {ip} is {}{how}", names.join(" and "))
}

/// For `-v`, `-vv` and `-vvv`.
fn details(report: &mut Report, interface: &Interface, seen: &Seen) {
    for entry in &interface.before {
        let mac = entry.mac.map_or_else(|| "-".to_owned(), |mac| named(mac, seen));
        report.context(
            2,
            format!("{} table {} {mac} {:?}", interface.name, entry.ip, entry.state).to_lowercase(),
        );
    }
    let Some(wire) = &interface.wire else { return };
    report.context(
        1,
        format!(
            "{}: {} questions, {} frames read, {} lost",
            interface.name, wire.probes, wire.frames, wire.dropped
        ),
    );
    for claim in &wire.claims {
        report.context(
            2,
            format!(
                "{} wire {} {}: {} replies, {} announcements, {} requests",
                interface.name,
                claim.ip,
                named(claim.mac, seen),
                claim.replies,
                claim.announcements,
                claim.requests
            ),
        );
    }
}

impl Display for Preference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        })
    }
}
