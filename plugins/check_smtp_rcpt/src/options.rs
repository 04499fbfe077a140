//! Options of this check alone: about whom, of whom, and what is right.

use clap::{ArgAction, Args, ValueEnum};
use common::cli::{FamilyArgs, UsageError};
use common::net::Family;
use common::net::random::nobody_at;
use common::proto::dns::DomainName;
use common::proto::names::Host;
use common::proto::smtp::Mailbox;
use common::report::State;
use std::net::IpAddr;

/// The two mailboxes of an envelope.
#[derive(Args, Clone, Debug)]
pub(crate) struct EnvelopeArgs {
    /// Recipient to ask for; the name of this option may be left out
    #[arg(long, aliases = ["rcpt", "to"], value_name = "ADDRESS", required_unless_present = "address",
          conflicts_with = "address")]
    rcpt_to: Option<Mailbox>,
    /// The same without the option's name
    #[arg(value_name = "ADDRESS", hide = true)]
    address: Option<Mailbox>,
    /// Sender to give, <> for the empty one that notifications of servers have
    #[arg(long, alias = "from", value_name = "ADDRESS", default_value = "<>")]
    pub(crate) mail_from: Mailbox,
    /// Ask for internationalised mailboxes (RFC 6531); done by itself for addresses that need it
    #[arg(long)]
    smtputf8: bool,
}

/// Who is asked.
#[derive(Args, Clone, Debug)]
pub(crate) struct HostArgs {
    // Not the host that an engine checks: that one would take the place of all exchangers.
    /// Host to ask instead of those that DNS names; repeatable, the most preferred first
    #[arg(id = "exchanger", short = 'H', long = "hostname", alias = "host", value_name = "HOST",
          action = ArgAction::Append)]
    pub(crate) given: Vec<Host>,
    /// Port of the service
    #[arg(short, long, value_name = "PORT", default_value_t = 25,
          value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: u16,
    /// Take private and reserved addresses for good
    #[arg(long)]
    pub(crate) allow_private: bool,
    #[command(flatten)]
    family: FamilyArgs,
}

/// What is right and what is not.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Expectations")]
pub(crate) struct ExpectArgs {
    /// Whether the recipient must be accepted or refused
    #[arg(long, value_name = "OUTCOME", value_enum, default_value_t)]
    pub(crate) expect: Expect,
    /// Whose answers count
    #[arg(long, value_name = "MODE", value_enum, default_value_t)]
    pub(crate) mode: Mode,
    /// Ask in the same session for a random user, too, who must be refused
    #[arg(long)]
    pub(crate) also_unknown: bool,
    /// What it means when a host wants us to come back later before it decides
    #[arg(long, value_name = "STATE", value_enum, default_value_t)]
    pub(crate) greylist: Greylist,
}

/// The outcome that is right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Expect {
    /// A message would be taken
    #[default]
    Accept,
    /// A message would be refused, as for an account that is closed
    Reject,
}

/// Whose answers count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// Those of every address of every host
    #[default]
    All,
    /// Those of the most preferred hosts that answer, as for a server that sends
    First,
    /// The best one
    Any,
}

/// The state of greylisting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Greylist {
    /// As good as accepted
    #[default]
    Ok,
    /// Worth a look
    Warning,
    /// As bad as refused
    Critical,
}

impl Greylist {
    pub(crate) const fn state(self) -> State {
        match self {
            Self::Ok => State::Ok,
            Self::Warning => State::Warning,
            Self::Critical => State::Critical,
        }
    }
}

/// Where mail for a recipient goes before anybody is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    /// To the exchangers of a domain.
    Domain(DomainName),
    /// To the host with this address (RFC 5321 section 4.1.3).
    Literal(IpAddr),
}

impl EnvelopeArgs {
    /// The recipient; clap sees to it that there is one.
    pub(crate) fn recipient(&self) -> Option<&Mailbox> {
        self.rcpt_to.as_ref().or(self.address.as_ref())
    }

    /// The recipient for sentences.
    pub(crate) fn shown(&self) -> String {
        self.recipient().map(ToString::to_string).unwrap_or_default()
    }

    /// Where the recipient's mail goes.
    pub(crate) fn destination(&self) -> Result<Destination, UsageError> {
        let wrong = |cause: String| UsageError::new("--rcpt-to", cause);
        let recipient = self.recipient().ok_or_else(|| wrong("required".to_owned()))?;
        let domain = recipient.domain().ok_or_else(|| {
            wrong(format!("'{recipient}' has no domain to look up"))
                .with_hint("-H HOST names the host to ask")
        })?;
        match recipient.literal() {
            Some(address) => Ok(Destination::Literal(address)),
            None => domain
                .parse()
                .map(Destination::Domain)
                .map_err(|_| wrong(format!("'{domain}' is not the domain of a mailbox"))),
        }
    }

    /// Whether SMTPUTF8 has to be asked for (RFC 6531 section 3.4).
    pub(crate) fn needs_smtputf8(&self) -> bool {
        self.smtputf8
            || self.mail_from.is_international()
            || self.recipient().is_some_and(Mailbox::is_international)
    }

    /// A user of the recipient's domain whom it does not have, in each run the same.
    pub(crate) fn stranger(&self) -> Option<Mailbox> {
        let domain = self.recipient()?.domain()?;
        format!("{}@{domain}", nobody_at(domain)).parse().ok()
    }

    pub(crate) fn check(&self, hosts: &HostArgs, also_unknown: bool) -> Result<(), UsageError> {
        let Some(recipient) = self.recipient() else { return Ok(()) };
        if recipient.local_part().is_empty() {
            return Err(UsageError::new("--rcpt-to", format!("'{recipient}' names nobody")));
        }
        if also_unknown && recipient.domain().is_none() {
            return Err(UsageError::new("--also-unknown", "needs a recipient with a domain"));
        }
        if hosts.given.is_empty() { self.destination().map(drop) } else { Ok(()) }
    }
}

impl HostArgs {
    pub(crate) fn family(&self) -> Family {
        self.family.family()
    }
}

#[cfg(test)]
mod tests {
    use crate::CheckSmtpRcpt;
    use clap::Parser as _;
    use common::plugin::Plugin as _;

    fn options(arguments: &[&str]) -> CheckSmtpRcpt {
        CheckSmtpRcpt::try_parse_from(["check_smtp_rcpt"].iter().chain(arguments)).unwrap()
    }

    #[test]
    fn both_forms_of_the_recipient_mean_the_same() {
        for arguments in [&["a@b.example"][..], &["--rcpt-to", "a@b.example"], &["--to=<a@b.example>"]] {
            let options = options(arguments);
            assert_eq!(options.envelope.shown(), "a@b.example");
            assert_eq!(options.target(), "a@b.example");
            assert!(options.check_options().is_ok());
        }
        for bad in [&[][..], &["a@b.example", "c@d.example"], &["a@b.example", "--rcpt-to", "a@b.example"]] {
            assert!(CheckSmtpRcpt::try_parse_from(["check_smtp_rcpt"].iter().chain(bad)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn recipients_without_a_way_are_refused() {
        let cause = |arguments: &[&str]| options(arguments).check_options().unwrap_err().to_string();
        assert_eq!(cause(&["postmaster"]), "--rcpt-to: 'postmaster' has no domain to look up");
        assert_eq!(cause(&["a@b..example"]), "--rcpt-to: 'b..example' is not the domain of a mailbox");
        assert_eq!(cause(&["a@[192.0.2]"]), "--rcpt-to: '[192.0.2]' is not the domain of a mailbox");
        assert_eq!(cause(&["<>", "-H", "mx.example"]), "--rcpt-to: '<>' names nobody");
        assert_eq!(
            cause(&["postmaster", "-H", "mx.example", "--also-unknown"]),
            "--also-unknown: needs a recipient with a domain"
        );
        assert!(options(&["postmaster", "-H", "mx.example"]).check_options().is_ok());
        assert!(options(&["a@[192.0.2.1]"]).check_options().is_ok());
        assert!(options(&["a@[IPv6:2001:db8::1]"]).check_options().is_ok());
    }

    #[test]
    fn smtputf8_is_asked_for_where_it_is_needed() {
        let needs = |arguments: &[&str]| options(arguments).envelope.needs_smtputf8();
        assert!(!needs(&["a@b.example"]));
        assert!(needs(&["jürgen@b.example"]) && needs(&["a@bücher.example"]));
        assert!(needs(&["a@b.example", "--mail-from", "jürgen@b.example"]));
        assert!(needs(&["a@b.example", "--smtputf8"]));
    }

    #[test]
    fn strangers_live_in_the_domain_of_the_recipient() {
        let stranger = |recipient| options(&[recipient]).envelope.stranger().unwrap();
        assert_eq!(
            (stranger("a@b.example").domain(), stranger("a@b.example").local_part().len()),
            (Some("b.example"), 32)
        );
        assert_eq!(stranger("c@b.example"), stranger("a@b.example"), "greylisting gets to know it");
    }
}
