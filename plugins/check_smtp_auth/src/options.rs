//! Options of this check alone: how to reach the server, and what to expect of it.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use clap::{ArgAction, Args, ValueEnum};
use common::cli::{SmtpArgs, UsageError};
use common::proto::smtp::Mailbox;
use common::report::Seconds;

/// How the server is reached.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "SMTP")]
pub(crate) struct TransportArgs {
    /// Speak LMTP: LHLO instead of EHLO, port 24
    #[arg(long)]
    pub(crate) lmtp: bool,
    /// Connect to a unix socket instead of host and port; -H only names the certificate
    #[arg(long, value_name = "PATH", conflicts_with_all = ["proxy", "source_ip", "all_addresses", "port"])]
    pub(crate) socket: Option<PathBuf>,
    /// Send a PROXY protocol header first: v1 or v2, with the addresses it announces
    #[arg(long, value_name = "VERSION[=SRC,DST]")]
    pub(crate) proxy: Option<Proxy>,
    /// Log in at every address of the host; all must work
    #[arg(long)]
    pub(crate) all_addresses: bool,
    #[command(flatten)]
    pub(crate) smtp: SmtpArgs,
}

/// What is right and what is not.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Expectations")]
pub(crate) struct ExpectArgs {
    /// Whether the login must be accepted or rejected
    #[arg(long, value_name = "OUTCOME", value_enum, default_value_t)]
    pub(crate) expect: Expect,
    /// Try a second login that must be rejected: a random user, or (=user) the user with its
    /// own name as password
    #[arg(long, value_name = "user", value_enum, num_args = 0..=1, require_equals = true,
          default_missing_value = "random")]
    pub(crate) also_reject: Option<AlsoReject>,
    /// WARNING when one of these mechanisms is not offered
    #[arg(long, value_name = "LIST", value_delimiter = ',', action = ArgAction::Append)]
    pub(crate) require_mech: Vec<String>,
    /// WARNING when one of these mechanisms is offered
    #[arg(long, value_name = "LIST", value_delimiter = ',', action = ArgAction::Append)]
    pub(crate) forbid_mech: Vec<String>,
    /// Rules of yours: no-plaintext-auth (AUTH neither offered nor begun before TLS)
    #[arg(long, value_name = "RULE", value_enum, action = ArgAction::Append)]
    pub(crate) policy: Vec<Policy>,
    /// Sender to try after the login; nothing is sent
    #[arg(long, alias = "from", value_name = "ADDRESS")]
    pub(crate) mail_from: Option<Mailbox>,
    /// Recipient to try after the sender; nothing is sent
    #[arg(long, aliases = ["rcpt", "to"], value_name = "ADDRESS", requires = "mail_from")]
    pub(crate) rcpt_to: Option<Mailbox>,
    /// Ask for internationalised mailboxes (RFC 6531); done by itself for addresses that need it
    #[arg(long, requires = "mail_from")]
    pub(crate) smtputf8: bool,
    /// WARNING when the greeting takes longer
    #[arg(long, value_name = "SECONDS")]
    pub(crate) greet_warning: Option<Seconds>,
    /// Try in a session of its own whether the server executes a plaintext command that was
    /// glued behind STARTTLS (CVE-2011-0411)
    #[arg(long)]
    pub(crate) probe_injection: bool,
}

impl ExpectArgs {
    /// Whether a rule is set.
    pub(crate) fn has(&self, policy: Policy) -> bool {
        self.policy.contains(&policy)
    }

    /// The user of `--also-reject`, for sentences.
    pub(crate) fn rejected_user<'a>(&self, user: &'a str) -> &'a str {
        match self.also_reject {
            Some(AlsoReject::User) => user,
            _ => "a random user",
        }
    }

    /// Rules that need STARTTLS make no sense without it.
    pub(crate) fn check(&self, starttls: bool) -> Result<(), UsageError> {
        if self.has(Policy::NoPlaintextAuth) && !starttls {
            return Err(UsageError::new(
                "--policy",
                "no-plaintext-auth needs --tls starttls: else there is no 'before TLS'",
            ));
        }
        if self.probe_injection && !starttls {
            return Err(UsageError::new("--probe-injection", "needs --tls starttls"));
        }
        Ok(())
    }
}

/// The outcome that is right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Expect {
    /// The login is accepted
    #[default]
    Success,
    /// The login is rejected, as for a locked account
    Reject,
}

/// Who must not get in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AlsoReject {
    /// Nobody: a random name
    Random,
    /// The user, with the user name as password
    User,
}

/// A rule of the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Policy {
    /// AUTH is neither offered nor begun before TLS
    NoPlaintextAuth,
}

/// The value of `--proxy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Proxy {
    pub(crate) version: ProxyVersion,
    /// Source and destination to announce, if not the connection's own.
    pub(crate) endpoints: Option<(SocketAddr, SocketAddr)>,
}

/// The two forms of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProxyVersion {
    V1,
    V2,
}

impl FromStr for Proxy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (version, addresses) = match text.split_once('=') {
            Some((version, addresses)) => (version, Some(addresses)),
            None => (text, None),
        };
        let version = match version {
            "v1" => ProxyVersion::V1,
            "v2" => ProxyVersion::V2,
            other => return Err(format!("'{other}' is not one of v1, v2")),
        };
        let Some(addresses) = addresses else { return Ok(Self { version, endpoints: None }) };
        let (source, destination) = addresses.split_once(',').ok_or("want SRC,DST behind the '='")?;
        let (source, destination) = (endpoint(source)?, endpoint(destination)?);
        if source.is_ipv4() != destination.is_ipv4() {
            return Err("source and destination are of different families".to_owned());
        }
        Ok(Self { version, endpoints: Some((source, destination)) })
    }
}

/// `IP` or `IP:PORT` (`[IP]:PORT` for IPv6); the port defaults to 0.
fn endpoint(text: &str) -> Result<SocketAddr, String> {
    let bare = || text.parse::<IpAddr>().map(|address| SocketAddr::new(address, 0));
    text.parse::<SocketAddr>().or_else(|_| bare()).map_err(|_| format!("'{text}' is not IP or IP:PORT"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxy_versions_and_addresses() {
        let read = |text: &str| text.parse::<Proxy>();
        assert_eq!(read("v1").unwrap(), Proxy { version: ProxyVersion::V1, endpoints: None });
        let full = read("v2=192.0.2.1:5000,192.0.2.2").unwrap();
        assert_eq!(full.endpoints, Some(("192.0.2.1:5000".parse().unwrap(), "192.0.2.2:0".parse().unwrap())));
        assert!(read("v2=[2001:db8::1]:1,2001:db8::2").is_ok());
        for bad in ["", "v3", "v1=", "v1=192.0.2.1", "v1=a,b", "v1=192.0.2.1,::1"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
