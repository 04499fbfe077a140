//! Options of this check alone.

use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{ArgAction, Args};
use common::cli::{BadValue, FamilyArgs, UsageError};
use common::net::ProbeError;
use common::net::tls::{ChainJudge, Trust};
use common::proto::names::Host;
use common::report::{Seconds, State};

use crate::policy::{FindingKind, Policy};
use crate::scan::Mode;
use crate::scan::gate::Limits;
use crate::scan::starttls::Protocol;
use crate::suites::Suite;

/// What to look at.
#[derive(Args, Clone, Debug)]
pub(crate) struct TargetArgs {
    /// Host name or address to check
    #[arg(short = 'H', long, alias = "host", value_name = "HOST", required_unless_present = "targets_file")]
    pub(crate) hostname: Option<Host>,
    /// Check the hosts of this file, one in a line: HOST [PORTS] [starttls=PROTOCOL] [sni=NAME]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["hostname", "sni"])]
    pub(crate) targets_file: Option<PathBuf>,
    /// It is one of the hosts of that file.
    #[arg(skip)]
    pub(crate) is_of_fleet: bool,
    /// Ports to check, several with commas; auto: those of the well-known ones that speak TLS
    #[arg(short, long, value_name = "PORTS", default_value = "443")]
    pub(crate) port: Ports,
    #[command(flatten)]
    pub(crate) family: FamilyArgs,
    /// What is spoken before TLS: auto (by the port, or by the greeting), none, smtp, lmtp, imap, pop3, ftp, ldap,
    /// postgres, mysql, xmpp-client, xmpp-server, sieve, nntp, irc, rdp, telnet
    #[arg(long, value_name = "PROTOCOL", default_value = "auto")]
    pub(crate) starttls: Starttls,
    /// Name to ask for, if not the host's
    #[arg(long, alias = "servername", value_name = "NAME")]
    pub(crate) sni: Option<Host>,
}

/// By what it is judged.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Policy")]
pub(crate) struct PolicyArgs {
    /// What is allowed: bcp195 (RFC 9325), mozilla-modern, mozilla-intermediate, mozilla-old, pci-dss-4, nist-800-52r2,
    /// bsi-tr-02102-2, or a TOML file
    #[arg(long, value_name = "NAME|FILE", default_value = "bcp195")]
    pub(crate) policy: PolicyChoice,
    /// List the policies with their sources and exit
    #[arg(long, action = ArgAction::SetTrue, value_parser = PolicyList)]
    pub(crate) list_policies: bool,
    /// Count what newer texts than the policy's forbid as well, and what it allows for a time only
    #[arg(long)]
    pub(crate) upcoming: bool,
    /// CRITICAL for what is sound but not on the policy's lists
    #[arg(long)]
    pub(crate) strict: bool,
    /// CRITICAL without it: pqc (a post-quantum group), tls1.3, fs (no suite without forward secrecy);
    /// repeatable
    #[arg(long, value_name = "WHAT", action = ArgAction::Append)]
    pub(crate) require: Vec<Required>,
    /// Leave out a finding by its name, or suites by a name or pattern; repeatable
    #[arg(long, value_name = "FINDING|SUITE", action = ArgAction::Append)]
    pub(crate) ignore: Vec<Ignored>,
    /// State of a finding, for example tls1_0=critical; repeatable
    #[arg(long, value_name = "FINDING=STATE", action = ArgAction::Append)]
    pub(crate) severity: Vec<Severity>,
}

/// Whether and how certificates are judged.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Certificate")]
// Its name is that of the group inside.
#[group(skip)]
pub(crate) struct CertificateArgs {
    #[command(flatten)]
    pub(crate) days: common::cli::CertificateArgs,
    /// Trust the CA certificates of this PEM file instead of the system's
    #[arg(long, aliases = ["ca", "ssl-ca"], value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Do not judge certificates
    #[arg(long, conflicts_with_all = ["ca_file", "cert_warning", "cert_critical"])]
    pub(crate) no_cert: bool,
}

impl CertificateArgs {
    /// Reads the file of CA certificates, if one was given. `None` when certificates are not to be judged.
    pub(crate) fn judge(&self) -> Result<Option<ChainJudge>, ProbeError> {
        if self.no_cert {
            return Ok(None);
        }
        let trust = self.ca_file.clone().map_or(Trust::System, Trust::CaFile);
        ChainJudge::new(&trust, None).map(Some)
    }
}

/// How much is asked, and how politely.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Scan")]
pub(crate) struct ScanArgs {
    /// List everything that is offered, not only what the policy forbids
    #[arg(long)]
    pub(crate) inventory: bool,
    /// List the signature schemes of TLS 1.2 too, some ten connections more
    #[arg(long, requires = "inventory")]
    pub(crate) signatures: bool,
    /// Compare with the --json document of an earlier inventory: what is new is WARNING; implies --inventory
    #[arg(long, value_name = "FILE", conflicts_with = "targets_file")]
    pub(crate) baseline: Option<PathBuf>,
    /// Also try faults in the server's code: Heartbleed, CCS injection, insecure renegotiation, ROBOT. Sends
    /// malformed messages, in up to 30 connections: never against systems that are not yours
    #[arg(long)]
    pub(crate) intrusive: bool,
    /// Write all that was found to this file, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write a report for people to this file: one page of HTML, to read or to print
    #[arg(long, value_name = "FILE", conflicts_with = "targets_file")]
    pub(crate) html: Option<PathBuf>,
    /// Connections at a time at most; fewer where the server is slower for it [default: 7; 14 for --inventory]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) max_conns: Option<u8>,
    /// Hosts of --targets-file at a time at most
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) max_hosts: u8,
    /// Connections in a second at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) rate: Option<u16>,
    /// Connections in all at most; a scan that needs more is not complete
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_total: Option<u32>,
    /// Seconds for one connection, from connect to answer
    #[arg(long, value_name = "SECONDS", default_value = "5")]
    pub(crate) handshake_timeout: Seconds,
    /// State when nothing can be connected to [default: unknown]
    #[arg(long, value_name = "STATE")]
    pub(crate) down_state: Option<State>,
}

impl ScanArgs {
    pub(crate) fn limits(&self) -> Limits {
        let interval = self.rate.map_or(Duration::ZERO, |rate| Duration::from_secs(1) / u32::from(rate));
        let at_once = self.max_conns.unwrap_or(if self.is_inventory() { 14 } else { 7 });
        Limits { at_once: usize::from(at_once), interval, total: self.max_total }
    }

    pub(crate) const fn mode(&self) -> Mode {
        if self.is_inventory() { Mode::Inventory } else { Mode::Verdict }
    }

    /// Whether everything is asked for. What a verdict leaves out cannot be compared.
    pub(crate) const fn is_inventory(&self) -> bool {
        self.inventory || self.baseline.is_some()
    }
}

/// Several ports, each once; none for those that are to be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ports(pub(crate) Vec<u16>);

/// Ports of one run.
const MAX_PORTS: usize = 16;

impl Ports {
    pub(crate) const fn is_auto(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_auto() {
            return f.write_str("auto");
        }
        f.write_str(&self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
    }
}

impl FromStr for Ports {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut ports = Vec::new();
        if text == "auto" {
            return Ok(Self(ports));
        }
        for one in text.split(',') {
            let plain = !one.is_empty() && one.bytes().all(|b| b.is_ascii_digit());
            match one.parse::<u16>() {
                Ok(port) if plain && port > 0 => ports.push(port),
                _ => return Err(BadValue::new(format!("'{one}' is not a port"))),
            }
        }
        ports.sort_unstable();
        ports.dedup();
        if ports.len() > MAX_PORTS {
            return Err(BadValue::new(format!("more than {MAX_PORTS} ports")));
        }
        Ok(Self(ports))
    }
}

/// What is spoken before TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Starttls {
    /// What the port is known for.
    Auto,
    /// TLS at once.
    None,
    Protocol(Protocol),
}

impl FromStr for Starttls {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "none" => Ok(Self::None),
            name => name.parse().map(Self::Protocol),
        }
    }
}

impl fmt::Display for Starttls {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => out.write_str("auto"),
            Self::None => out.write_str("none"),
            Self::Protocol(protocol) => write!(out, "{protocol}"),
        }
    }
}

impl TargetArgs {
    /// One protocol for ports of all kinds would leave most of them unseen.
    pub(crate) fn check(&self) -> Result<(), UsageError> {
        if self.port.is_auto() && self.starttls != Starttls::Auto {
            let error = UsageError::new("--starttls", "goes with ports that are named, not with -p auto");
            return Err(error.with_hint("-p auto finds out what is spoken before TLS"));
        }
        Ok(())
    }
}

impl Starttls {
    pub(crate) const fn on(self, port: u16) -> Option<Protocol> {
        match self {
            Self::Auto => Protocol::of_port(port),
            Self::None => None,
            Self::Protocol(protocol) => Some(protocol),
        }
    }
}

/// A policy by its name or from a file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PolicyChoice(pub(crate) Policy);

impl FromStr for PolicyChoice {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Policy::find(text).map(Self).map_err(|problem| {
            let is_name = problem.starts_with('\'');
            let bad = BadValue::new(problem);
            if is_name {
                bad.with_hint("--list-policies shows them; a file of your own ends in .toml")
            } else {
                bad
            }
        })
    }
}

/// Answers `--list-policies` in place of the check, as `--version` is answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PolicyList;

impl TypedValueParser for PolicyList {
    type Value = bool;

    /// Of a flag: false by default, true when it is there.
    fn parse_ref(
        &self,
        _: &clap::Command,
        _: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<bool, clap::Error> {
        if value != "true" {
            return Ok(false);
        }
        let lines: String = Policy::all().iter().map(|policy| format!("{}\n", policy.line())).collect();
        Err(clap::Error::raw(ErrorKind::DisplayVersion, lines))
    }
}

/// A finding by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FindingName(pub(crate) FindingKind);

impl FromStr for FindingName {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        FindingKind::from_name(text)
            .map(Self)
            .ok_or_else(|| BadValue::new(format!("'{text}' is not a finding")).with_hint(finding_names()))
    }
}

/// What `--ignore` leaves out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ignored {
    Finding(FindingKind),
    /// Name of a suite, or a pattern.
    Suites(String),
}

impl FromStr for Ignored {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(FindingName(kind)) = text.parse() {
            return Ok(Self::Finding(kind));
        }
        if Suite::by_glob(text).next().is_some() {
            return Ok(Self::Suites(text.to_owned()));
        }
        Err(BadValue::new(format!("'{text}' is neither a finding nor a suite")).with_hint(finding_names()))
    }
}

impl fmt::Display for Ignored {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Finding(kind) => kind.name(),
            Self::Suites(pattern) => pattern,
        })
    }
}

/// What `--require` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Required {
    PostQuantum,
    Tls13,
    ForwardSecrecy,
}

impl FromStr for Required {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "pqc" => Ok(Self::PostQuantum),
            "tls1.3" => Ok(Self::Tls13),
            "fs" => Ok(Self::ForwardSecrecy),
            _ => Err(BadValue::new(format!("'{text}' is not one of pqc, tls1.3, fs"))),
        }
    }
}

impl fmt::Display for Required {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::PostQuantum => "pqc",
            Self::Tls13 => "tls1.3",
            Self::ForwardSecrecy => "fs",
        })
    }
}

impl Required {
    /// The findings that say it is missing.
    pub(crate) const fn findings(self) -> &'static [FindingKind] {
        match self {
            Self::PostQuantum => &[FindingKind::NoPostQuantum],
            Self::Tls13 => &[FindingKind::NoTls13],
            Self::ForwardSecrecy => &[FindingKind::NoForwardSecrecy, FindingKind::StaticDh],
        }
    }
}

fn finding_names() -> String {
    FindingKind::ALL.iter().map(|(_, name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// A finding with a state of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Severity {
    pub(crate) kind: FindingKind,
    pub(crate) state: State,
}

impl FromStr for Severity {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, state) = text
            .split_once('=')
            .ok_or_else(|| BadValue::new("want FINDING=STATE, for example tls1_0=critical"))?;
        let FindingName(kind) = name.parse()?;
        let state = state
            .parse()
            .map_err(|error: common::report::ParseStateError| BadValue::new(error.to_string()))?;
        Ok(Self { kind, state })
    }
}
