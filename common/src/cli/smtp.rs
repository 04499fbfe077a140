//! How an SMTP server is spoken to.
#![cfg(feature = "smtp")]

use std::net::IpAddr;

use clap::{Args, ValueEnum};

use super::tls::TlsArgs;
use super::usage::UsageError;
use crate::net::smtp::{Encryption, Hello, Manner, Peer, Way};
use crate::net::tls::{Connector, TlsOptions, Trust};
use crate::net::{Deadline, Family, ProbeError};
use crate::proto::names::Host;
use crate::proto::smtp::{HeloName, ReplyLimits};
use crate::report::parse_size;

/// Who we are to the server, and what it may send.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "SMTP")]
pub struct SmtpArgs {
    /// Address to connect from
    #[arg(long, value_name = "IP")]
    pub source_ip: Option<IpAddr>,
    /// Name or address literal to say in EHLO, instead of our address
    #[arg(long, value_name = "NAME")]
    pub helo: Option<HeloName>,
    /// Longest reply to read from the server
    #[arg(long, value_name = "SIZE", default_value = "64k", value_parser = parse_size)]
    pub max_reply: usize,
}

impl SmtpArgs {
    /// How we behave in a conversation.
    #[must_use]
    pub fn manner<'a>(&'a self, hello: Hello, deadline: &'a Deadline) -> Manner<'a> {
        Manner {
            deadline,
            source: self.source_ip,
            hello,
            helo: self.helo.as_ref(),
            limits: ReplyLimits { reply: self.max_reply, ..ReplyLimits::default() },
        }
    }

    /// The family to look up, with our address and without.
    #[must_use]
    pub const fn family(&self, wanted: Family) -> Family {
        match self.source_ip {
            Some(IpAddr::V4(_)) => Family::V4,
            Some(IpAddr::V6(_)) => Family::V6,
            None => wanted,
        }
    }

    /// Our address must be of the family that is allowed.
    pub fn check(&self, allowed: Family) -> Result<(), UsageError> {
        if allowed == Family::Any || allowed == self.family(allowed) {
            return Ok(());
        }
        Err(UsageError::new("--source-ip", "is of another family than -4 or -6 allows"))
    }
}

/// When TLS begins where mail is delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DeliveryTls {
    /// By STARTTLS where it is offered, unverified, as sending servers do
    #[default]
    Auto,
    /// By STARTTLS, required and verified
    Starttls,
    /// From the first byte, verified
    Implicit,
    /// Never
    None,
}

/// TLS as a server that sends mail uses it.
#[derive(Args, Clone, Debug)]
pub struct DeliveryTlsArgs {
    /// When TLS begins
    #[arg(long, value_name = "MODE", value_enum, default_value_t, help_heading = "TLS")]
    pub tls: DeliveryTls,
    /// The same as --tls none
    #[arg(long, hide = true, conflicts_with = "tls")]
    no_starttls: bool,
    #[command(flatten)]
    options: TlsArgs,
}

/// TLS made ready for one host.
#[derive(Debug)]
pub struct DeliveryConnector {
    connector: Option<Connector>,
    tls: DeliveryTls,
    peer: Peer,
}

impl DeliveryTlsArgs {
    /// Rules between options that clap cannot express.
    pub fn check(&self) -> Result<(), UsageError> {
        self.options.options()?;
        let verifies = matches!(self.tls, DeliveryTls::Starttls | DeliveryTls::Implicit);
        let ignored = [("--ca-file", self.options.ca_file.is_some()), ("--insecure", self.options.insecure)];
        if let Some((option, _)) = ignored.into_iter().find(|(_, given)| *given && !verifies) {
            return Err(UsageError::new(option, "nothing is verified without --tls starttls or implicit"));
        }
        let ignored =
            [("--sni", self.options.sni.is_some()), ("--cert-file", self.options.cert_file.is_some())];
        let given = ignored.into_iter().find(|(_, given)| *given);
        if let (Some((option, _)), DeliveryTls::None) = (given, self.mode()) {
            return Err(UsageError::new(option, "there is no TLS with --tls none"));
        }
        Ok(())
    }

    /// Whether a certificate decides over a conversation.
    #[must_use]
    pub const fn verifies(&self) -> bool {
        matches!(self.tls, DeliveryTls::Starttls | DeliveryTls::Implicit) && !self.options.insecure
    }

    /// Makes TLS ready for a host.
    pub fn connector(&self, host: &Host) -> Result<DeliveryConnector, ProbeError> {
        let options = self.options.options().map_err(|error| ProbeError::local(error.to_string()))?;
        let tls = self.mode();
        let connector = match tls {
            DeliveryTls::None => None,
            // Whoever answers: the system's CAs need not be read.
            DeliveryTls::Auto => Some(Connector::new(&TlsOptions { trust: Trust::Anyone, ..options }, host)?),
            DeliveryTls::Starttls | DeliveryTls::Implicit => Some(Connector::new(&options, host)?),
        };
        let peer = if self.options.insecure { Peer::Anyone } else { Peer::Trusted };
        Ok(DeliveryConnector { connector, tls, peer })
    }

    const fn mode(&self) -> DeliveryTls {
        if self.no_starttls { DeliveryTls::None } else { self.tls }
    }
}

impl DeliveryConnector {
    /// What the conversation is told.
    #[must_use]
    pub const fn encryption(&self) -> Encryption<'_> {
        match (&self.connector, self.tls) {
            (Some(connector), DeliveryTls::Auto) => Encryption::Offered(connector),
            (Some(connector), DeliveryTls::Starttls) => {
                Encryption::Demanded(connector, Way::Starttls, self.peer)
            }
            (Some(connector), DeliveryTls::Implicit) => {
                Encryption::Demanded(connector, Way::Implicit, self.peer)
            }
            (_, DeliveryTls::None) | (None, _) => Encryption::Never,
        }
    }
}
