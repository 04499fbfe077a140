//! Findings by name: to leave out, to judge otherwise, to limit.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use common::report::{State, parse_span};
use serde::{Deserialize, Serialize};

use super::network::Cidr;
use crate::mac::Mac;

/// The findings, gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Id {
    Own,
    Pin,
    GwChanged,
    Split,
    SharedGw,
    Conflict,
    Proxy,
    Ra,
    Flip,
    Storm,
    Mismatch,
    Badmac,
    Shared,
    GwDown,
    TableFull,
    Expect,
    Lost,
}

impl Id {
    pub(crate) const ALL: [Self; 17] = [
        Self::Own,
        Self::Pin,
        Self::GwChanged,
        Self::Split,
        Self::SharedGw,
        Self::Conflict,
        Self::Proxy,
        Self::Ra,
        Self::Flip,
        Self::Storm,
        Self::Mismatch,
        Self::Badmac,
        Self::Shared,
        Self::GwDown,
        Self::TableFull,
        Self::Expect,
        Self::Lost,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Pin => "pin",
            Self::GwChanged => "gw_changed",
            Self::Split => "split",
            Self::SharedGw => "shared_gw",
            Self::Conflict => "conflict",
            Self::Proxy => "proxy",
            Self::Ra => "ra",
            Self::Flip => "flip",
            Self::Storm => "storm",
            Self::Mismatch => "mismatch",
            Self::Badmac => "badmac",
            Self::Shared => "shared",
            Self::GwDown => "gw_down",
            Self::TableFull => "table_full",
            Self::Expect => "expect",
            Self::Lost => "lost",
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Id {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|id| id.name() == text).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|id| id.name()).collect();
            format!("'{text}' is no finding; there are {}", names.join(", "))
        })
    }
}

/// A finding to leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ignore {
    id: Id,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    All,
    Network(Cidr),
    Mac(Mac),
}

impl Ignore {
    /// Whether it is about this.
    pub(crate) fn covers(&self, id: Id, ip: Option<IpAddr>, macs: &[Mac]) -> bool {
        self.id == id
            && match self.what {
                What::All => true,
                What::Network(network) => ip.is_some_and(|ip| network.contains(ip)),
                What::Mac(mac) => macs.contains(&mac),
            }
    }
}

impl FromStr for Ignore {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (id, what) = text
            .split_once(':')
            .ok_or_else(|| format!("'{text}' is not FINDING:WHAT, such as shared:10.0.0.1"))?;
        let what = match what {
            "*" => What::All,
            other => match (other.parse(), other.parse()) {
                (Ok(network), _) => What::Network(network),
                (_, Ok(mac)) => What::Mac(mac),
                _ => return Err(format!("'{other}' is no address, network or Ethernet address")),
            },
        };
        Ok(Self { id: id.parse()?, what })
    }
}

/// Another state for a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Severity {
    pub(crate) id: Id,
    pub(crate) state: State,
}

impl FromStr for Severity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (id, state) = text.split_once('=').ok_or_else(|| format!("'{text}' is not FINDING=STATE"))?;
        let state = match state {
            "warn" => State::Warning,
            "crit" => State::Critical,
            other => other
                .parse()
                .map_err(|_| format!("'{state}' is not one of ok, warning, critical, unknown"))?,
        };
        Ok(Self { id: id.parse()?, state })
    }
}

/// Numbers for WARNING and CRITICAL in a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub(crate) warning: u32,
    pub(crate) critical: u32,
    pub(crate) window: Duration,
}

impl FromStr for Limits {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (numbers, window) =
            text.split_once('/').ok_or_else(|| format!("'{text}' is not W,C/TIME, such as 2,5/24h"))?;
        let (warning, critical) = rates(numbers)?;
        let window = parse_span(window).map_err(|error| error.to_string())?;
        Ok(Self { warning, critical, window })
    }
}

/// Two numbers, the second not below the first.
pub(super) fn rates(text: &str) -> Result<(u32, u32), String> {
    let numbers = text
        .split_once(',')
        .and_then(|(warning, critical)| Some((warning.parse().ok()?, critical.parse().ok()?)));
    match numbers {
        Some((warning, critical)) if 0 < warning && warning <= critical => Ok((warning, critical)),
        _ => Err(format!("'{text}' is not two numbers W,C above 0, the second not below the first")),
    }
}
