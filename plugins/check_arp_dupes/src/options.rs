//! Options of this check alone.

mod allow;
mod finding;
mod network;
mod pin;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};
use common::cli::UsageError;
use common::report::Seconds;

pub(crate) use allow::Allowances;
pub use allow::{AllowPair, AllowProxy, AllowShared};
pub(crate) use finding::Id;
pub use finding::{Ignore, Limits, Severity};
pub use network::{Cidr, Expected, GatewayChoice, Interfaces, Own};
pub(crate) use pin::Pins;
pub use pin::{Pin, Router};

/// Where to look and how.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Looking")]
pub struct LookArgs {
    /// Interfaces, joined by commas; auto: each that is up and has an address
    #[arg(short, long, value_name = "IF[,IF]", default_value = "auto")]
    pub interface: Interfaces,
    /// Read the kernel's tables, which every run does; needs no privilege
    #[arg(long)]
    pub table: bool,
    /// Ask for gateways, pinned, own and suspicious addresses, and compare the answers with the table
    #[arg(long)]
    pub verify: bool,
    /// Ask for every address of this network; repeatable
    #[arg(long, value_name = "CIDR", action = ArgAction::Append)]
    pub sweep: Vec<Cidr>,
    /// Only hear what is said for so many seconds
    #[arg(long, value_name = "SECONDS")]
    pub listen: Option<Seconds>,
    /// IPv4 only
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    pub ipv4: bool,
    /// IPv6 only
    #[arg(short = '6', long)]
    pub ipv6: bool,
    /// Frames per second [default: 10 with --verify, 100 with --sweep]
    #[arg(long, value_name = "PPS", value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub rate: Option<u32>,
    /// How often to ask again for addresses of a sweep that did not answer
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u8).range(0..=5))]
    pub retries: u8,
    /// Seconds to listen after the last question, always in full
    #[arg(long, value_name = "SECONDS", default_value = "2.5")]
    pub window: Seconds,
    /// Whose address to ask from: zero leaves no trace in the tables of others, own reaches devices that ignore that
    #[arg(long, value_name = "WHO", value_enum, default_value_t)]
    pub sender: Sender,
    /// Address that nobody has: an answer for it comes from somebody who answers for all; repeatable
    #[arg(long, value_name = "IP", action = ArgAction::Append)]
    pub canary: Vec<IpAddr>,
}

/// What is known of the network.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Expectations")]
pub struct ExpectArgs {
    /// Address of a gateway, or auto: those of the routes; repeatable
    #[arg(long, value_name = "IP", action = ArgAction::Append)]
    pub gateway: Vec<GatewayChoice>,
    /// Who has an address: an Ethernet address or several joined by |, vrrp:N, carp:N, hsrp:N, glbp:N or nlb; repeatable
    #[arg(long, value_name = "IP=MAC", action = ArgAction::Append)]
    pub pin: Vec<Pin>,
    /// File of such pins, one in a line
    #[arg(long, value_name = "FILE")]
    pub pin_file: Option<PathBuf>,
    /// Accept the present picture as the right one, and remember it
    #[arg(long, conflicts_with = "no_state")]
    pub learn: bool,
    /// Who may have several addresses: MAC=N, MAC=IP,IP or the CIDR of addresses that do not count; repeatable
    #[arg(long, value_name = "WHO", action = ArgAction::Append)]
    pub allow_shared: Vec<AllowShared>,
    /// Another holder an address may have; repeatable
    #[arg(long, value_name = "IP=MAC", action = ArgAction::Append)]
    pub allow_pair: Vec<AllowPair>,
    /// Who may answer for others: the network it answers for; repeatable
    #[arg(long, value_name = "MAC=CIDR", action = ArgAction::Append)]
    pub allow_proxy: Vec<AllowProxy>,
    /// Do not count changes between addresses that are made up by the devices themselves
    #[arg(long)]
    pub allow_random: bool,
    /// Leave a finding out for an address or network, an Ethernet address, or * for all; repeatable
    #[arg(long, value_name = "FINDING:WHAT", action = ArgAction::Append)]
    pub ignore: Vec<Ignore>,
    /// Router that may advertise itself, by link-local address and, if given, Ethernet address; repeatable
    #[arg(long, value_name = "IP[=MAC]", action = ArgAction::Append)]
    pub router: Vec<Router>,
    /// Prefix that routers may advertise; repeatable
    #[arg(long, value_name = "CIDR", action = ArgAction::Append)]
    pub prefix: Vec<Cidr>,
    /// WARNING unless so many addresses of this network are in use; repeatable
    #[arg(long, value_name = "CIDR=RANGE", action = ArgAction::Append)]
    pub expect: Vec<Expected>,
    /// Addresses of ours that nobody else may claim: auto, none, or addresses joined by commas
    #[arg(long, value_name = "WHICH", default_value = "auto")]
    pub own: Own,
}

/// What is said of it.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Judgement")]
pub struct JudgeArgs {
    /// WARNING when one Ethernet address has more IPv4 addresses, instead of more than was learned
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_ips_per_mac: Option<u32>,
    /// Changes of an address to and fro for WARNING and CRITICAL, in a time
    #[arg(long, value_name = "W,C/TIME", default_value = "2,5/24h")]
    pub flips: Limits,
    /// Announcements in a second by one sender for WARNING and CRITICAL
    #[arg(long, value_name = "W,C", default_value = "5,50", value_parser = finding::rates)]
    pub garp_rate: (u32, u32),
    /// State of a finding instead of its own; repeatable
    #[arg(long, value_name = "FINDING=STATE", action = ArgAction::Append)]
    pub severity: Vec<Severity>,
    /// Folder for what is remembered from run to run
    #[arg(long, value_name = "FOLDER")]
    pub state_dir: Option<PathBuf>,
    /// Remember nothing
    #[arg(long, conflicts_with = "state_dir")]
    pub no_state: bool,
    /// List of vendors: the IEEE's oui.txt, or that of arp-scan or nmap [default: the one that is installed]
    #[arg(long, value_name = "FILE")]
    pub oui_file: Option<PathBuf>,
    /// Add the names that suspicious addresses have in the DNS
    #[arg(long)]
    pub resolve: bool,
    /// Judge what an earlier run saw (--dump-observation) instead of looking
    #[arg(long, value_name = "FILE")]
    pub replay: Option<PathBuf>,
}

/// Sender address of questions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Sender {
    /// 0.0.0.0 (RFC 5227)
    #[default]
    Zero,
    /// The address of the interface
    Own,
}

/// Frames a second where nobody says otherwise: switches that guard against ARP storms shut a port at 15.
const POLITE_RATE: u32 = 10;
const SWEEP_RATE: u32 = 100;
/// Left of the timeout for the second look at the table, the verdict and the line.
pub(crate) const RESERVE: Duration = Duration::from_millis(150);

impl LookArgs {
    /// Frames a second.
    pub(crate) fn rate(&self) -> u32 {
        let default = if self.sweep.is_empty() { POLITE_RATE } else { SWEEP_RATE };
        self.rate.unwrap_or(default)
    }

    /// Whether frames are sent.
    pub(crate) fn sends(&self) -> bool {
        self.verify || !self.sweep.is_empty()
    }

    /// Whether frames are read.
    pub(crate) fn hears(&self) -> bool {
        self.sends() || self.listen.is_some()
    }

    /// Time to listen when all is sent.
    pub(crate) fn silence(&self) -> Duration {
        let window = if self.sends() { self.window.0 } else { Duration::ZERO };
        self.listen.map_or(window, |listen| listen.0.max(window))
    }

    /// Whether addresses of this family are looked at.
    pub(crate) const fn wants(&self, ip: IpAddr) -> bool {
        match ip {
            IpAddr::V4(_) => !self.ipv6,
            IpAddr::V6(_) => !self.ipv4,
        }
    }

    /// Questions of all sweeps, once each.
    pub(crate) fn swept(&self) -> u64 {
        self.sweep.iter().map(|cidr| cidr.count()).sum()
    }

    pub(crate) fn check(&self, timeout: Duration) -> Result<(), UsageError> {
        if self.sweep.iter().any(|cidr| !cidr.is_ipv4()) {
            let text = "a sweep is for IPv4: an IPv6 network has too many addresses to ask for each";
            return Err(UsageError::new("--sweep", text));
        }
        if self.ipv6 && !self.sweep.is_empty() {
            return Err(UsageError::new("--sweep", "a sweep is for IPv4, and -6 leaves that out"));
        }
        if !self.canary.is_empty() && !self.sends() {
            return Err(UsageError::new("--canary", "an address is asked for with --verify or --sweep only"));
        }
        if self.hears() && self.silence().saturating_add(RESERVE) > timeout {
            let text = format!(
                "listening takes {} s, and the timeout is {} s",
                seconds(self.silence()),
                seconds(timeout)
            );
            return Err(UsageError::new("--timeout", text));
        }
        Ok(())
    }
}

/// For a sentence: rounded up to a tenth.
pub(crate) fn seconds(time: Duration) -> String {
    let tenths = time.as_millis().div_ceil(100);
    if tenths.is_multiple_of(10) {
        (tenths / 10).to_string()
    } else {
        format!("{}.{}", tenths / 10, tenths % 10)
    }
}

/// For a sentence: in the largest unit that has no rest.
pub(crate) fn span(time: Duration) -> String {
    const UNITS: [(u64, &str); 3] = [(86_400, "d"), (3600, "h"), (60, "min")];
    let whole =
        UNITS.iter().find(|(unit, _)| time.as_secs() >= *unit && time.as_secs().is_multiple_of(*unit));
    whole.map_or_else(
        || format!("{} s", seconds(time)),
        |(unit, name)| format!("{} {name}", time.as_secs() / unit),
    )
}

#[cfg(test)]
mod tests;
