//! Looks: listener open, table, questions, the whole window, table again. In this order, because the answers to our own
//! questions wash poison out of the table.

mod choice;
mod ear;
mod name;
mod plan;
mod recall;
mod vendors;

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;
use std::thread;
use std::time::Duration;

use common::net::{Deadline, Phase, ProbeError, cause};
use common::plugin::Plugin as _;
use common::report::truncate;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::CheckArpDupes;
use crate::judge;
use crate::netlink::{Neighbour, Netlink};
use crate::options::{Pin, Pins, RESERVE, seconds};
use crate::picture::Picture;
use crate::seen::{Entry, Heard, Interface, Seen, TableUse};
use crate::wire::{Channel, Wire};
use choice::Chosen;
use name::name_of;
use plan::Plan;

/// Of a file of pins, in bytes: some 400,000 lines.
const LARGEST_LIST: u64 = 16 << 20;
/// More than a run leaves that saw a /16 whole.
const LARGEST_OBSERVATION: u64 = 256 << 20;

pub(crate) fn probe(check: &CheckArpDupes, deadline: &Deadline) -> Result<Seen, ProbeError> {
    if let Some(file) = &check.judge.replay {
        return replayed(file);
    }
    let pins = read_pins(check)?;
    let mut netlink = Netlink::open(deadline)?;
    let mut chosen = choice::choose(check, &mut netlink)?;
    fits(check, deadline)?;
    let indexes: Vec<u32> = chosen.iter().map(|chosen| chosen.interface.index).collect();
    let channels = if check.look.hears() { open(check, &indexes)? } else { Vec::new() };
    let before = netlink.neighbours()?;
    take_down(&before, check, &mut chosen, |interface| &mut interface.before);
    let mut seen = Seen {
        tables: tables(&before),
        pins: pins.iter().map(ToString::to_string).collect(),
        ..Seen::default()
    };
    let memory = recall::open(check, &chosen, &mut seen)?;
    if !channels.is_empty() {
        let known = Pins::of(check.expect.pin.iter().chain(&pins));
        let plans = plan::plans(check, &chosen, &known, &seen.memory)?;
        deadline.enter(if check.look.sends() { Phase::Sweeping } else { Phase::Receiving });
        for (chosen, heard) in chosen.iter_mut().zip(hear(check, channels, &plans, deadline)) {
            chosen.interface.wire = Some(heard);
        }
        let after = netlink.neighbours()?;
        take_down(&after, check, &mut chosen, |interface| &mut interface.after);
    }
    seen.interfaces = chosen.into_iter().map(|chosen| chosen.interface).collect();
    let pictures = Picture::all(&seen);
    memory.store(check, &mut seen, &pictures);
    add_names(check, &mut seen, &pictures, deadline);
    Ok(seen)
}

/// Frames on all interfaces at the same time.
fn hear(check: &CheckArpDupes, channels: Vec<Channel>, plans: &[Plan], deadline: &Deadline) -> Vec<Heard> {
    thread::scope(|scope| {
        let run = |(mut channel, plan): (Channel, &'_ Plan)| {
            let deadline = deadline.clone();
            let plan = plan.clone();
            scope.spawn(move || ear::hear(&mut channel as &mut dyn Wire, &plan, &check.look, &deadline))
        };
        let running: Vec<_> = channels.into_iter().zip(plans).map(run).collect();
        let ended = running.into_iter().map(|thread| ear::ended(thread.join()));
        ended.collect()
    })
}

fn open(check: &CheckArpDupes, indexes: &[u32]) -> Result<Vec<Channel>, ProbeError> {
    match Channel::open_all(indexes, &check.sockets) {
        Ok(Ok(channels)) => Ok(channels),
        Ok(Err(_)) => {
            let program = std::env::current_exe()
                .map_or_else(|_| "check_arp_dupes".into(), |path| path.display().to_string());
            let text = "cannot open a raw socket: the capability CAP_NET_RAW is missing; only --table works without it";
            Err(ProbeError::local(text).with_hint(format!("setcap cap_net_raw+p {program}")))
        }
        Err(error) => Err(ProbeError::local(format!("cannot open a raw socket: {}", cause(&error)))),
    }
}

/// Refuses what cannot end in time, before a single frame is sent.
fn fits(check: &CheckArpDupes, deadline: &Deadline) -> Result<(), ProbeError> {
    let look = &check.look;
    let passes = 1 + u64::from(look.retries);
    let sweeping = look.swept().saturating_mul(passes).saturating_mul(1000) / u64::from(look.rate());
    let asks_one_by_one = look.verify || !look.canary.is_empty();
    let asking = if asks_one_by_one { ear::ROUNDS_TIME } else { Duration::ZERO };
    let needed = [Duration::from_millis(sweeping), asking, look.silence(), RESERVE];
    let needed = needed.into_iter().fold(Duration::ZERO, Duration::saturating_add);
    if !look.sends() || needed <= deadline.remaining()? {
        return Ok(());
    }
    if look.sweep.is_empty() {
        let text = format!("--verify needs {} s, more than the timeout", seconds(needed));
        return Err(ProbeError::local(text).with_hint("a higher --timeout, or a shorter --window"));
    }
    let text = format!(
        "the sweep needs up to {} s ({} addresses, {} frames a second, {} retries), more than the timeout",
        seconds(needed),
        look.swept(),
        look.rate(),
        look.retries
    );
    Err(ProbeError::local(text)
        .with_hint("a higher --rate or --timeout, fewer --retries, or a smaller network"))
}

fn read_pins(check: &CheckArpDupes) -> Result<Vec<Pin>, ProbeError> {
    let Some(path) = &check.expect.pin_file else { return Ok(Vec::new()) };
    let failed = |why: String| ProbeError::local(format!("cannot read pins from {}: {why}", path.display()));
    let text = read(path, LARGEST_LIST).and_then(|bytes| String::from_utf8(bytes).map_err(io::Error::other));
    Pins::parse_file(&text.map_err(|error| failed(cause(&error)))?).map_err(failed)
}

/// Puts the entries of the table where they belong.
fn take_down(
    neighbours: &[Neighbour],
    check: &CheckArpDupes,
    chosen: &mut [Chosen],
    list: impl Fn(&mut Interface) -> &mut Vec<Entry>,
) {
    for Chosen { interface, .. } in chosen {
        let index = interface.index;
        let own = neighbours.iter().filter(|neighbour| neighbour.index == index);
        let wanted = own.filter(|neighbour| check.look.wants(neighbour.ip) && !neighbour.ip.is_multicast());
        let list = list(interface);
        *list = wanted
            .map(|neighbour| Entry { ip: neighbour.ip, mac: neighbour.mac, state: neighbour.state })
            .collect();
        list.sort_unstable_by_key(|entry| entry.ip);
    }
}

fn tables(neighbours: &[Neighbour]) -> Vec<TableUse> {
    let of = |is_ipv4: bool, family: &str| {
        let path = format!("/proc/sys/net/{family}/neigh/default/gc_thresh3");
        let limit = fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok());
        let entries = neighbours.iter().filter(|neighbour| neighbour.ip.is_ipv4() == is_ipv4).count();
        TableUse { is_ipv4, entries: u32::try_from(entries).unwrap_or(u32::MAX), limit }
    };
    vec![of(true, "ipv4"), of(false, "ipv6")]
}

/// Vendors and names for those that will be named.
fn add_names(check: &CheckArpDupes, seen: &mut Seen, pictures: &[Picture], deadline: &Deadline) {
    let suspects = judge::suspects(check, seen, pictures);
    if !suspects.macs.is_empty() {
        seen.vendors = vendors::look_up(check.judge.oui_file.as_deref(), &suspects.macs);
    }
    if check.judge.resolve {
        let names = suspects.ips.iter().filter_map(|ip| Some((*ip, name_of(*ip, deadline)?)));
        seen.names = names.collect();
    }
}

/// As `--dump-observation` leaves it.
#[derive(Deserialize)]
struct Saved {
    data: Seen,
}

/// Whose it is, and whether it has anything.
#[derive(Deserialize)]
struct Head {
    plugin: String,
    data: Outcome,
}

#[derive(Deserialize)]
struct Outcome {
    error: Option<IgnoredAny>,
}

fn replayed(file: &Path) -> Result<Seen, ProbeError> {
    let failed =
        |why: String| ProbeError::local(format!("cannot read an observation from {}: {why}", file.display()));
    let bytes = read(file, LARGEST_OBSERVATION).map_err(|error| failed(cause(&error)))?;
    let wrong = |error: serde_json::Error| failed(error.to_string());
    let head: Head = serde_json::from_slice(&bytes).map_err(wrong)?;
    if head.plugin != CheckArpDupes::NAME {
        return Err(failed(format!("it is one of {}", truncate(&head.plugin, 64))));
    }
    if head.data.error.is_some() {
        return Err(failed("the run that left it failed and saw nothing".to_owned()));
    }
    let mut saved: Saved = serde_json::from_slice(&bytes).map_err(wrong)?;
    saved.data.sort();
    Ok(saved.data)
}

/// A whole file, unless it is larger, or has no end.
fn read(path: &Path, largest: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(largest + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > largest { Err(io::Error::other("it is too large")) } else { Ok(bytes) }
}
