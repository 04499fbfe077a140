//! Sends the questions of a plan at a steady pace, and hears everything meanwhile and afterwards.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::thread;
use std::time::{Duration, Instant};

use common::net::{Deadline, cause};

use super::plan::Plan;
use crate::frame::{Claim, Frame, Kind, Message, parse_frame};
use crate::mac::Mac;
use crate::options::{LookArgs, RESERVE, seconds};
use crate::seen::{Advertised, Announcer, Claimed, Heard, Network, Unusable};
use crate::wire::Wire;

/// Questions for one address, and the time between them: the loss of one must not look like silence. Where silence is
/// good news, one less.
const ROUNDS: u32 = 3;
const ROUNDS_FOR_OWN: u32 = 2;
const BETWEEN_ROUNDS: Duration = Duration::from_millis(700);
/// Answers are read after so many questions even when there is no time to wait for them.
const BURST: u32 = 16;
/// A driver whose queue is full gets so many more chances.
const ATTEMPTS: u32 = 50;
const FULL_QUEUE_WAIT: Duration = Duration::from_millis(1);
/// From the first round to the last.
pub(super) const ROUNDS_TIME: Duration = BETWEEN_ROUNDS.saturating_mul(ROUNDS - 1);

/// More than a /16 has addresses, twice: beyond, a flood is being heard and not a network.
const MOST_CLAIMS: usize = 150_000;
const MOST_ANNOUNCERS: usize = 4096;
const MOST_UNUSABLE: usize = 256;
const MOST_ADVERTISEMENTS: usize = 256;

/// Runs a plan.
pub(super) fn hear(wire: &mut dyn Wire, plan: &Plan, look: &LookArgs, deadline: &Deadline) -> Heard {
    let mut ear = Ear::new(wire, plan, look, deadline);
    ear.ask_for_targets();
    ear.sweep(look.retries);
    ear.hear_for(look.silence());
    ear.finished()
}

/// What a thread heard. Of one that broke off it is not known what it missed, and that is not silence.
pub(super) fn ended(thread: thread::Result<Heard>) -> Heard {
    thread.unwrap_or_else(|_| Heard {
        trouble: Some("an error of this program".to_owned()),
        ..Heard::default()
    })
}

struct Ear<'a> {
    wire: &'a mut dyn Wire,
    plan: &'a Plan,
    started: Instant,
    /// Not a frame is sent or awaited after it.
    ends: Instant,
    interval: Duration,
    /// When the next question is due.
    due: Instant,
    sent_at_once: u32,
    heard: Heard,
    /// Targets for which a question went out.
    asked: BTreeSet<IpAddr>,
    /// Where the first claim about an address is, and where further ones are.
    first: HashMap<IpAddr, usize>,
    further: HashMap<(IpAddr, Mac), usize>,
    announcers: HashMap<Mac, Rate>,
    unusable: BTreeSet<Unusable>,
    advertisements: BTreeSet<Advertised>,
}

/// Announcements of one sender: the present second, how many in it, and the most in any.
#[derive(Clone, Copy, Debug, Default)]
struct Rate {
    second: u64,
    count: u32,
    most: u32,
}

impl<'a> Ear<'a> {
    fn new(wire: &'a mut dyn Wire, plan: &'a Plan, look: &LookArgs, deadline: &Deadline) -> Self {
        let now = Instant::now();
        Self {
            wire,
            plan,
            started: now,
            ends: now + deadline.left().saturating_sub(RESERVE),
            interval: Duration::from_secs(1) / look.rate().max(1),
            due: now,
            sent_at_once: 0,
            heard: Heard {
                canaries: plan.canaries.clone(),
                swept: plan
                    .sweeps
                    .iter()
                    .map(|cidr| Network { network: cidr.to_string(), addresses: cidr.count() })
                    .collect(),
                ..Heard::default()
            },
            asked: BTreeSet::new(),
            first: HashMap::new(),
            further: HashMap::new(),
            announcers: HashMap::new(),
            unusable: BTreeSet::new(),
            advertisements: BTreeSet::new(),
        }
    }

    fn ask_for_targets(&mut self) {
        if self.plan.asks_routers {
            let frame = self.plan.voice.router_question();
            self.send(&frame);
        }
        if self.plan.targets.is_empty() {
            return;
        }
        let started = Instant::now();
        for round in 0..ROUNDS {
            self.hear_until(started + BETWEEN_ROUNDS * round);
            // Time in which nothing was due is not caught up: that would be a burst.
            self.due = self.due.max(Instant::now());
            for target in &self.plan.targets {
                if round >= ROUNDS_FOR_OWN && self.plan.voice.is_own(*target) {
                    continue;
                }
                let is_canary = self.plan.canaries.contains(target);
                let frame = self.plan.voice.question(*target, is_canary && round > 0);
                if self.send(&frame) {
                    self.asked.insert(*target);
                }
            }
        }
    }

    fn sweep(&mut self, retries: u8) {
        for pass in 0..=retries {
            // The last answer of the pass before may be on its way.
            self.hear_until(self.due);
            for network in &self.plan.sweeps {
                for ip in network.ipv4_addresses() {
                    if pass == 0 || !self.first.contains_key(&IpAddr::from(ip)) {
                        self.ask_in_sweep(ip);
                    }
                }
            }
        }
    }

    fn ask_in_sweep(&mut self, ip: Ipv4Addr) {
        let frame = self.plan.voice.question(ip.into(), false);
        self.send(&frame);
    }

    /// Waits until a question is due, and asks it; whether it went out.
    fn send(&mut self, frame: &[u8]) -> bool {
        match self.try_send(frame) {
            Ok(()) => {
                self.heard.probes += 1;
                true
            }
            Err(why) => {
                self.heard.unsent += 1;
                self.heard.send_error.get_or_insert(why);
                false
            }
        }
    }

    fn try_send(&mut self, frame: &[u8]) -> Result<(), String> {
        let now = Instant::now();
        if now < self.due || self.sent_at_once >= BURST {
            self.sent_at_once = 0;
            self.hear_until(self.due);
        }
        if Instant::now() >= self.ends || self.heard.trouble.is_some() {
            return Err("there was no time left for it".to_owned());
        }
        self.sent_at_once += 1;
        // What was late is caught up, but never more than a second of it at once.
        let behind = Instant::now().checked_sub(Duration::from_secs(1)).unwrap_or(self.started);
        self.due = self.due.max(behind) + self.interval;
        let mut attempts = 1;
        loop {
            match self.wire.send(frame) {
                Err(error) if attempts < ATTEMPTS && is_full(&error) => {
                    attempts += 1;
                    self.hear_until(Instant::now() + FULL_QUEUE_WAIT);
                }
                sent => return sent.map_err(|error| cause(&error)),
            }
        }
    }

    /// The whole window, or it is said how much of it was left out.
    fn hear_for(&mut self, window: Duration) {
        let wanted = Instant::now() + window;
        self.hear_until(wanted);
        let missing = wanted.saturating_duration_since(self.ends);
        if !missing.is_zero() {
            let why = format!("the timeout came {} s before the end of the window", seconds(missing));
            self.heard.trouble.get_or_insert(why);
        }
    }

    /// Takes down what comes until a time, at least what is there already.
    fn hear_until(&mut self, time: Instant) {
        let time = time.min(self.ends);
        loop {
            let left = time.saturating_duration_since(Instant::now());
            if self.heard.trouble.is_some() {
                // Nothing can be heard any more, but the questions keep their pace.
                thread::sleep(left);
                return;
            }
            let frame = match self.wire.receive(left) {
                Ok(Some(bytes)) => parse_frame(bytes),
                Ok(None) if left.is_zero() => return,
                Ok(None) => continue,
                Err(error) => {
                    self.heard.trouble = Some(cause(&error));
                    continue;
                }
            };
            self.heard.frames += 1;
            if let Some(frame) = frame {
                self.take_down(frame);
            }
        }
    }

    fn take_down(&mut self, frame: Frame) {
        let Frame { source, message, .. } = frame;
        match message {
            // An echo of ours, by a repeater or an access point.
            Message::Claim(claim)
                if self.plan.own_macs.contains(&claim.mac) && self.plan.own_macs.contains(&source) => {}
            Message::Claim(claim) if !claim.mac.is_usable() => {
                if self.unusable.len() < MOST_UNUSABLE {
                    self.unusable.insert(Unusable { ip: claim.ip, mac: claim.mac, source });
                }
            }
            Message::Claim(claim) => self.count(claim, source),
            Message::Advertisement(said) => {
                if self.advertisements.len() < MOST_ADVERTISEMENTS && !self.plan.own_macs.contains(&source) {
                    self.advertisements.insert(Advertised { said, source });
                }
            }
            Message::Probe { .. } => {}
        }
    }

    fn count(&mut self, claim: Claim, source: Mac) {
        let is_asked = || {
            self.plan.targets.contains(&claim.ip)
                || self.plan.sweeps.iter().any(|cidr| cidr.contains(claim.ip))
        };
        if claim.kind == Kind::Gratuitous || (claim.kind == Kind::Reply && !is_asked()) {
            self.count_announcement(claim.mac);
        }
        let Some(claimed) = self.claimed(claim.ip, claim.mac) else {
            self.heard.unkept += 1;
            return;
        };
        claimed.count(claim.kind);
        if source != claim.mac {
            claimed.source = Some(source);
        }
    }

    /// What is known of this claim so far; `None` when there is no room for another.
    fn claimed(&mut self, ip: IpAddr, mac: Mac) -> Option<&mut Claimed> {
        let index = match self.first.get(&ip) {
            Some(index) if self.heard.claims.get(*index).is_some_and(|claimed| claimed.mac == mac) => {
                Some(*index)
            }
            Some(_) => self.further.get(&(ip, mac)).copied(),
            None => None,
        };
        if let Some(index) = index {
            return self.heard.claims.get_mut(index);
        }
        let index = self.heard.claims.len();
        if index >= MOST_CLAIMS {
            return None;
        }
        self.heard.claims.push(Claimed::new(ip, mac));
        if let std::collections::hash_map::Entry::Vacant(entry) = self.first.entry(ip) {
            entry.insert(index);
        } else {
            self.further.insert((ip, mac), index);
        }
        self.heard.claims.get_mut(index)
    }

    fn count_announcement(&mut self, mac: Mac) {
        if self.announcers.len() >= MOST_ANNOUNCERS && !self.announcers.contains_key(&mac) {
            return;
        }
        let second = self.started.elapsed().as_secs();
        let rate = self.announcers.entry(mac).or_default();
        if rate.second != second {
            (rate.second, rate.count) = (second, 0);
        }
        rate.count = rate.count.saturating_add(1);
        rate.most = rate.most.max(rate.count);
    }

    fn finished(mut self) -> Heard {
        match self.wire.dropped() {
            Ok(dropped) => self.heard.dropped = dropped,
            Err(error) => {
                let why = format!("cannot ask the kernel for lost frames: {}", cause(&error));
                self.heard.trouble.get_or_insert(why);
            }
        }
        let mut heard = self.heard;
        heard.seconds = self.started.elapsed().as_secs_f64();
        // The silence of an address says nothing before somebody has asked for it.
        let asked = self.plan.targets.iter().filter(|target| self.asked.contains(target));
        heard.asked = asked.copied().collect();
        heard.claims.sort_unstable_by_key(|claim| (claim.ip, claim.mac));
        heard.unusable = self.unusable.into_iter().collect();
        heard.advertisements = self.advertisements.into_iter().collect();
        let announcers = self.announcers.into_iter();
        heard.announcers =
            announcers.map(|(mac, rate)| Announcer { mac, most_in_a_second: rate.most }).collect();
        heard
            .announcers
            .sort_unstable_by_key(|announcer| (u32::MAX - announcer.most_in_a_second, announcer.mac));
        heard
    }
}

/// Whether the driver has no room for a frame now.
fn is_full(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOBUFS) || error.kind() == io::ErrorKind::WouldBlock
}

#[cfg(test)]
mod tests;
