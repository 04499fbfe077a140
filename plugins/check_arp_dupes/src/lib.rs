//! Finds ARP and NDP poisoning and address conflicts by comparing the neighbour table with the wire.
//!
//! Neither view is enough: a poisoner that answers only its victim is in the victim's table and not on the wire; one that
//! races the real host is on the wire and rarely in the table. And asking comes after looking, because the real host's
//! answer to our own question washes the poison out of the table.

mod frame;
mod judge;
mod mac;
mod memory;
mod netlink;
mod options;
mod picture;
mod probe;
mod seen;
mod wire;

#[doc(hidden)]
pub mod fuzz {
    //! The readers of foreign bytes, for the fuzz targets in `tests/fuzz`.
    pub use crate::frame::{Message as FrameMessage, parse_frame};
    pub use crate::netlink::parse_messages;
}

use clap::Parser;
use common::cli::{RunArgs, UsageError};
use common::net::{Deadline, ProbeError};
use common::plugin::{Plugin, Run};
use common::report::{Metric, Report, State};

use judge::{
    CONFLICTS, DROPS, FLIPS, GARP_RATE, IPS, MACS, PIN_BAD, PROBES, REPLIES, SHARED, SPLIT, TABLE_USED,
};
use options::{ExpectArgs, Interfaces, JudgeArgs, LookArgs};

pub use seen::Seen;
use wire::Sockets;

/// Finds ARP and NDP poisoning and address conflicts by comparing the neighbour table with the wire
#[derive(Parser, Debug)]
#[command(name = "check_arp_dupes", version)]
pub struct CheckArpDupes {
    #[command(flatten)]
    look: LookArgs,
    #[command(flatten)]
    expect: ExpectArgs,
    #[command(flatten)]
    judge: JudgeArgs,
    #[command(flatten)]
    run: RunArgs,
    #[arg(skip)]
    sockets: Sockets,
}

impl Plugin for CheckArpDupes {
    const NAME: &'static str = "check_arp_dupes";
    const METRICS: &'static [Metric] =
        &[IPS, MACS, CONFLICTS, SHARED, SPLIT, PIN_BAD, FLIPS, GARP_RATE, PROBES, REPLIES, DROPS, TABLE_USED];
    const STATES: &'static [(State, &'static str)] = &[
        (State::Ok, "each address that was seen has one station, and the gateway is the one that is known"),
        (State::Warning, "conflict, split, flip, mismatch: two stations for an address that is not vital"),
        (State::Warning, "shared: a station has more addresses than were learned or are allowed"),
        (State::Warning, "badmac, storm, gw_down, table_full, expect, or frames were lost"),
        (State::Critical, "the same for a gateway, a pinned or an own address"),
        (
            State::Critical,
            "pin, gw_changed: another station than pinned or learned; own: one claims our address",
        ),
        (State::Critical, "shared_gw: the gateway's station has other addresses; proxy: one answers for all"),
        (State::Critical, "ra: a router that is not known advertises itself"),
        (State::Unknown, "no neighbour at all, no answer to a sweep, no question could be sent"),
        (State::Unknown, "a missing capability, an interface that is down, wrong options"),
    ];
    const EXAMPLES: &'static [(&'static str, &'static str)] = &[
        ("check_arp_dupes", "The neighbour table, without any privilege"),
        (
            "check_arp_dupes --verify --pin 192.0.2.1=02:00:00:00:00:01",
            "The table against the answers of the gateway, which is pinned",
        ),
        ("check_arp_dupes -i eth0 --sweep 192.0.2.0/24 -t 20", "Every address of a network"),
        ("check_arp_dupes --listen 60 -t 70", "What others say for a minute"),
    ];
    type Seen = Seen;

    fn run_args(&self) -> &RunArgs {
        &self.run
    }

    fn target(&self) -> String {
        match &self.look.interface {
            Interfaces::Auto => "neighbours".to_owned(),
            Interfaces::Named(names) => names.join(","),
        }
    }

    fn check_options(&self) -> Result<(), UsageError> {
        let timeout = self.run.timeout.map_or(Self::DEFAULT_TIMEOUT, |seconds| seconds.0);
        // Here, because nothing but this thread runs yet.
        self.sockets.prepare(self.channels());
        self.look.check(timeout)
    }

    fn probe(&self, deadline: &Deadline) -> Result<Seen, ProbeError> {
        probe::probe(self, deadline)
    }

    fn evaluate(&self, seen: &Seen, run: &Run) -> Report {
        judge::judge(self, seen, run)
    }
}

impl CheckArpDupes {
    /// Raw sockets that may be needed.
    fn channels(&self) -> usize {
        match &self.look.interface {
            _ if !self.look.hears() || self.judge.replay.is_some() => 0,
            Interfaces::Auto => wire::interfaces(),
            Interfaces::Named(names) => names.len(),
        }
    }

    /// Addresses one station may have, where that is given and not learned.
    fn judge_limit(&self) -> Option<usize> {
        let limit = self.judge.max_ips_per_mac.map(|limit| limit as usize);
        limit.or_else(|| self.judge.no_state.then_some(1))
    }
}
