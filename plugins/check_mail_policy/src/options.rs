//! Options of this check alone: what is looked at, and what is wanted of it.

use std::net::IpAddr;

use clap::{ArgAction, Args, ValueEnum};
use common::cli::UsageError;
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
    /// State when there is no SPF record
    #[arg(long, value_name = "STATE", default_value = "critical")]
    pub(crate) spf_missing: State,
    /// WARNING from so many of the 10 lookups on; 11 for never
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=11))]
    pub(crate) spf_lookups_warning: u8,
}

impl SpfArgs {
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
    /// WARNING when the DMARC policy is weaker
    #[arg(long, value_name = "POLICY", value_enum, default_value_t)]
    pub(crate) dmarc_min: DmarcMin,
    /// Selector of the BIMI record
    #[arg(long, value_name = "SELECTOR", default_value = "default")]
    pub(crate) bimi_selector: DomainName,
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
