//! What to check.
#![cfg(feature = "tcp")]

use clap::{Args, ValueEnum};

use crate::net::Family;
use crate::proto::names::Host;

/// Host, port, address family.
#[derive(Args, Clone, Debug)]
pub struct TargetArgs {
    /// Host name or address to check
    #[arg(short = 'H', long, alias = "host", value_name = "HOST")]
    pub hostname: Host,
    /// Port of the service
    #[arg(short, long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    #[command(flatten)]
    family: FamilyArgs,
}

/// The address family, where a name may have addresses of both.
#[derive(Args, Clone, Debug)]
pub struct FamilyArgs {
    /// Use IPv4 only
    #[arg(short = '4', long = "ipv4", conflicts_with_all = ["ipv6", "family"])]
    ipv4: bool,
    /// Use IPv6 only
    #[arg(short = '6', long = "ipv6", conflicts_with = "family")]
    ipv6: bool,
    /// The same under its other name
    #[arg(long, value_name = "FAMILY", hide = true)]
    family: Option<FamilyName>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FamilyName {
    #[value(name = "4", aliases = ["ipv4", "inet"])]
    V4,
    #[value(name = "6", aliases = ["ipv6", "inet6"])]
    V6,
}

impl FamilyArgs {
    /// The families allowed.
    #[must_use]
    pub fn family(&self) -> Family {
        match self.family {
            _ if self.ipv4 => Family::V4,
            _ if self.ipv6 => Family::V6,
            Some(FamilyName::V4) => Family::V4,
            Some(FamilyName::V6) => Family::V6,
            None => Family::Any,
        }
    }
}

impl TargetArgs {
    /// The families allowed.
    #[must_use]
    pub fn family(&self) -> Family {
        self.family.family()
    }

    /// `host:port` for sentences, with brackets around an IPv6 literal.
    #[must_use]
    pub fn shown(&self, port: u16) -> String {
        match self.hostname.address() {
            Some(address) => std::net::SocketAddr::new(address, port).to_string(),
            None => format!("{}:{port}", self.hostname),
        }
    }
}
