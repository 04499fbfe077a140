//! Options of this check alone.

use clap::{Args, ValueEnum};
use common::cli::UsageError;
use common::proto::smtp::Mailbox;

/// What is asked for.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Probes")]
pub(crate) struct ProbeArgs {
    /// Sender of the probes, in a domain that is not the server's
    #[arg(long, alias = "from", value_name = "ADDRESS", default_value = "probe@example.org")]
    pub(crate) mail_from: Mailbox,
    /// Recipient the server must refuse, in a domain that is not its own
    #[arg(long, aliases = ["rcpt", "to"], value_name = "ADDRESS", default_value = "probe@example.net")]
    pub(crate) rcpt_to: Mailbox,
    /// Recipient the server must accept; its domain stands for the server's own in the variants
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) local_rcpt: Option<Mailbox>,
    /// Disguises to try for the foreign recipient
    #[arg(long, value_name = "SET", value_enum, default_value_t)]
    pub(crate) variants: Variants,
    /// Refusals in one session; what is left goes into the next one
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) max_errors: u32,
    /// Ask an open relay for DATA as well, and hang up before the message
    #[arg(long)]
    pub(crate) confirm_data: bool,
}

/// What a server may put up with.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Limits of the server")]
pub(crate) struct LimitArgs {
    /// Prove in two sessions of their own that the server ends a session with too many errors
    /// and refuses too many recipients; the whole check may then take 60 s
    #[arg(long, requires = "local_rcpt")]
    pub(crate) limits: bool,
    /// Errors after which the server must have ended the session
    #[arg(long, value_name = "N", default_value_t = 20, requires = "limits", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) error_limit: u32,
    /// Recipients of one message after which the server must refuse
    #[arg(long, value_name = "N", default_value_t = 1000, requires = "limits", value_parser = clap::value_parser!(u32).range(1..=50_000))]
    pub(crate) recipient_limit: u32,
}

/// Disguises of a foreign recipient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Variants {
    /// None: the plain address alone
    None,
    /// Percent hack, bang path, quoted address
    #[default]
    Basic,
    /// These, a source route and the empty sender; takes a second session
    All,
}

impl ProbeArgs {
    /// Rules between options that clap cannot express.
    pub(crate) fn check(&self) -> Result<(), UsageError> {
        let foreign = domain_of(&self.rcpt_to)
            .ok_or_else(|| UsageError::new("--rcpt-to", "want an address with a domain"))?;
        let addresses = [
            ("--rcpt-to", Some(&self.rcpt_to)),
            ("--mail-from", Some(&self.mail_from)),
            ("--local-rcpt", self.local_rcpt.as_ref()),
        ];
        let international =
            |(_, address): &(_, Option<&Mailbox>)| address.is_some_and(Mailbox::is_international);
        if let Some((option, _)) = addresses.into_iter().find(international) {
            return Err(UsageError::new(option, "an internationalised address proves nothing here"));
        }
        let Some(local) = &self.local_rcpt else { return Ok(()) };
        let local = domain_of(local)
            .ok_or_else(|| UsageError::new("--local-rcpt", "want an address with a domain"))?;
        if local.eq_ignore_ascii_case(foreign) {
            return Err(UsageError::new(
                "--rcpt-to",
                "is in the domain of --local-rcpt: that is no relaying",
            ));
        }
        Ok(())
    }
}

fn domain_of(mailbox: &Mailbox) -> Option<&str> {
    mailbox.domain().filter(|domain| !domain.is_empty() && !mailbox.local_part().is_empty())
}
