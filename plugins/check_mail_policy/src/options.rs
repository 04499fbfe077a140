//! Options of this check alone: what is looked at, and what is wanted of it.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};
use common::cli::UsageError;
use common::net::tls::Trust;
use common::proto::dns::DomainName;
use common::proto::smtp::Mailbox;
use common::report::State;

/// What is looked at.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Records")]
pub(crate) struct RecordArgs {
    /// The SPF record, with all that it includes (RFC 7208)
    #[arg(long)]
    pub(crate) spf: bool,
    /// The DKIM key of this selector (RFC 6376); repeat for each
    #[arg(long, value_name = "SELECTOR", action = ArgAction::Append)]
    pub(crate) dkim: Vec<DomainName>,
    /// The DMARC record (RFC 9989)
    #[arg(long)]
    pub(crate) dmarc: bool,
    /// MTA-STS: the record, the policy over HTTPS and the mail exchangers (RFC 8461)
    #[arg(long)]
    pub(crate) mta_sts: bool,
    /// The TLS-RPT record (RFC 8460)
    #[arg(long, alias = "tls-rpt")]
    pub(crate) tlsrpt: bool,
    /// DANE: the TLSA records of the mail exchangers (RFC 7672)
    #[arg(long)]
    pub(crate) dane: bool,
    /// The BIMI record
    #[arg(long)]
    pub(crate) bimi: bool,
}

/// What is wanted of SPF.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "SPF")]
pub(crate) struct SpfArgs {
    /// Address that must be allowed to send; repeat for each
    #[arg(long, value_name = "IP", action = ArgAction::Append)]
    pub(crate) ip: Vec<IpAddr>,
    /// Envelope sender for --ip [default: postmaster@DOMAIN]
    #[arg(long, value_name = "MAILBOX", requires = "ip")]
    pub(crate) sender: Option<Mailbox>,
    /// Name that the sending host gives in EHLO, for --ip [default: DOMAIN]
    #[arg(long, value_name = "NAME", requires = "ip")]
    pub(crate) spf_helo: Option<DomainName>,
    /// State when there is no SPF record [default: critical]
    #[arg(long, value_name = "STATE")]
    spf_missing: Option<State>,
    /// WARNING from so many of the 10 lookups on; 11 for never [default: 8]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=11))]
    spf_lookups_warning: Option<u8>,
}

impl SpfArgs {
    /// State when there is no record.
    pub(crate) fn missing(&self) -> State {
        self.spf_missing.unwrap_or(State::Critical)
    }

    /// Lookups that are many.
    pub(crate) fn many_lookups(&self) -> usize {
        self.spf_lookups_warning.map_or(8, usize::from)
    }

    /// What clap cannot say.
    pub(crate) fn check(&self) -> Result<(), UsageError> {
        match &self.sender {
            Some(sender) if sender.domain().is_none() && sender.path() != "<>" => {
                Err(UsageError::new("--sender", "has no domain, whose record would be asked"))
            }
            _ => Ok(()),
        }
    }
}

/// What is wanted of the others.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Expectations")]
pub(crate) struct ExpectArgs {
    /// WARNING when the DMARC policy is weaker [default: none]
    #[arg(long, value_name = "POLICY", value_enum)]
    dmarc_min: Option<DmarcMin>,
    /// Selector of the BIMI record [default: default]
    #[arg(long, value_name = "SELECTOR")]
    bimi_selector: Option<DomainName>,
}

impl ExpectArgs {
    /// How strict the DMARC policy must be.
    pub(crate) fn dmarc_min(&self) -> DmarcMin {
        self.dmarc_min.unwrap_or_default()
    }

    /// Labels of the BIMI record.
    pub(crate) fn bimi_labels(&self) -> String {
        let selector = self.bimi_selector.as_ref().map_or("default", DomainName::as_str);
        format!("{selector}._bimi")
    }
}

/// How hosts are met.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Connections")]
pub(crate) struct ConnectArgs {
    /// Do not connect to the mail exchangers: with --mta-sts and --dane their certificates are not looked at
    #[arg(long)]
    pub(crate) no_connect: bool,
    /// Port of the mail exchangers, of which the TLSA records are, too
    #[arg(short, long, value_name = "PORT", default_value_t = 25, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: u16,
    /// Port of the host that has the MTA-STS policy
    #[arg(long, value_name = "PORT", default_value_t = 443, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) https_port: u16,
    /// Trust the CA certificates of this PEM file instead of the system's
    #[arg(long, aliases = ["ca", "ssl-ca"], value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Believe a resolver elsewhere that it validated DNSSEC (AD), not only one on this machine
    #[arg(long)]
    pub(crate) trust_ad: bool,
}

impl ConnectArgs {
    /// Whom to trust.
    pub(crate) fn trust(&self) -> Trust {
        self.ca_file.clone().map_or(Trust::System, Trust::CaFile)
    }

    /// Whether an answer with AD from this server counts as validated: what stands between it and
    /// us could have set the bit (RFC 4035 section 4.9.3).
    pub(crate) fn believes(&self, server: Option<SocketAddr>) -> bool {
        self.trust_ad || server.is_some_and(|server| server.ip().is_loopback())
    }
}

/// What is wanted of a record that is not looked at would be taken for granted: who asks for
/// `--spf --dmarc-min reject` would see OK whatever the policy is.
pub(crate) fn check_idle(
    records: &RecordArgs,
    spf: &SpfArgs,
    expect: &ExpectArgs,
    connect: &ConnectArgs,
) -> Result<(), UsageError> {
    let has_spf = records.wish(records.spf) != Wish::No || !spf.ip.is_empty();
    let has_dmarc = records.wish(records.dmarc) != Wish::No;
    let has_bimi = records.wish_if_there(records.bimi) != Wish::No;
    let wants = [
        ("--spf-missing", spf.spf_missing.is_some(), "SPF is not looked at without --spf", has_spf),
        (
            "--spf-lookups-warning",
            spf.spf_lookups_warning.is_some(),
            "SPF is not looked at without --spf",
            has_spf,
        ),
        ("--dmarc-min", expect.dmarc_min.is_some(), "DMARC is not looked at without --dmarc", has_dmarc),
        ("--bimi-selector", expect.bimi_selector.is_some(), "BIMI is not looked at without --bimi", has_bimi),
        ("--trust-ad", connect.trust_ad, "nobody asks for AD without --dane", records.dane),
    ];
    let idle = wants.into_iter().find(|(_, is_given, _, is_looked_at)| *is_given && !is_looked_at);
    idle.map_or(Ok(()), |(option, _, why, _)| Err(UsageError::new(option, why)))
}

/// How strict a DMARC policy must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum DmarcMin {
    /// Any policy
    #[default]
    None,
    /// Not none
    Quarantine,
    /// Nothing but reject
    Reject,
}

/// How much a record is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// It must be there.
    Demanded,
    /// It must be right where it is there.
    IfThere,
    /// It is not looked at.
    No,
}

impl RecordArgs {
    /// Whether nothing is named: then all is looked at that can be found without being told more.
    pub(crate) fn is_empty(&self) -> bool {
        let named = [self.spf, self.dmarc, self.mta_sts, self.tlsrpt, self.dane, self.bimi];
        !named.contains(&true) && self.dkim.is_empty()
    }

    /// What a record is that must be there on every domain.
    pub(crate) fn wish(&self, named: bool) -> Wish {
        if named || self.is_empty() { Wish::Demanded } else { Wish::No }
    }

    /// What a record is that a domain may well do without.
    pub(crate) fn wish_if_there(&self, named: bool) -> Wish {
        match named {
            true => Wish::Demanded,
            false if self.is_empty() => Wish::IfThere,
            false => Wish::No,
        }
    }
}
