//! Which name servers are asked, and how.
#![cfg(feature = "dns")]

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use clap::{ArgAction, Args};

use crate::net::ProbeError;
use crate::net::dns::{Settings, Upstream, parse_server, system_servers};
use crate::report::Seconds;

/// Name servers and the patience with them.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "DNS")]
pub struct ResolverArgs {
    /// Name server to ask instead of those of the system; several are asked independently
    #[arg(long, value_name = "IP[:PORT]", value_parser = parse_server, action = ArgAction::Append)]
    pub resolver: Vec<SocketAddr>,
    /// Seconds to wait for one answer
    #[arg(long, value_name = "SECONDS", default_value = "2")]
    pub query_timeout: Seconds,
    /// How often a question is asked before it counts as unanswered
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=10))]
    pub tries: u32,
}

/// The same for plugins that ask nobody but name servers.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "DNS")]
pub struct DnsArgs {
    #[command(flatten)]
    servers: ResolverArgs,
    /// Questions a second, after a first burst of 512
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub rate: u32,
    /// Address to ask from
    #[arg(long, value_name = "IP")]
    pub source_ip: Option<IpAddr>,
}

impl ResolverArgs {
    /// The resolvers that are asked independently of each other: those given, or those of
    /// the system, which stand in for one another.
    pub fn upstreams(&self) -> Result<Vec<Upstream>, ProbeError> {
        if self.resolver.is_empty() {
            return Ok(vec![system_servers()?]);
        }
        Ok(self.named().into_iter().map(|server| Upstream { servers: vec![server] }).collect())
    }

    /// How many resolvers are asked independently of each other.
    #[must_use]
    pub fn resolvers(&self) -> usize {
        self.named().len().max(1)
    }

    /// Those of the command line, each once: nobody has two votes.
    fn named(&self) -> Vec<SocketAddr> {
        let mut servers: Vec<SocketAddr> = Vec::new();
        for &server in &self.resolver {
            if !servers.contains(&server) {
                servers.push(server);
            }
        }
        servers
    }

    /// How questions are sent.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings { query_timeout: self.query_timeout.0, tries: self.tries, ..Settings::default() }
    }
}

impl DnsArgs {
    /// See [`ResolverArgs::upstreams`].
    pub fn upstreams(&self) -> Result<Vec<Upstream>, ProbeError> {
        self.servers.upstreams()
    }

    /// See [`ResolverArgs::resolvers`].
    #[must_use]
    pub fn resolvers(&self) -> usize {
        self.servers.resolvers()
    }

    /// How questions are sent.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings { rate: Some(self.rate), source: self.source_ip, ..self.servers.settings() }
    }

    /// How long `questions` take to send at the rate allowed.
    #[must_use]
    pub fn sending_time(&self, questions: usize) -> Duration {
        let beyond = questions.saturating_sub(Settings::default().window);
        let rate = usize::try_from(self.rate).unwrap_or(usize::MAX);
        Duration::from_millis(u64::try_from(beyond.saturating_mul(1000) / rate).unwrap_or(u64::MAX))
    }
}
