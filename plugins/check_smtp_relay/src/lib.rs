//! Proves in one polite session with each address of a host that its SMTP server (RFC 5321) does
//! not carry mail of strangers to strangers.
//!
//! No message is ever sent: each probe ends after RCPT, and the next one begins with RSET.
//! A refusal proves something only when it is about the relaying; one that is about us, about a
//! domain or about the moment leaves the question open.

mod judge;
mod limits;
mod options;
mod probes;
mod seen;
mod service;
mod session;
#[cfg(test)]
mod tests;
mod verdict;

use std::time::Duration;

use clap::Parser;
use common::cli::{
    DeliveryTlsArgs, RunArgs, SmtpArgs, TargetArgs, TemporaryArgs, TimeThresholdArgs, UsageError,
};
use common::net::{Deadline, ProbeError};
use common::plugin::{Plugin, Run, finding_of};
use common::report::{Condition, Metric, Report, State, Thresholds};

use options::{LimitArgs, ProbeArgs};

pub use seen::Seen;

/// Proves that an SMTP server does not relay for strangers, without sending a message
#[derive(Parser, Debug)]
#[command(name = "check_smtp_relay", version)]
pub struct CheckSmtpRelay {
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    probes: ProbeArgs,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    smtp: SmtpArgs,
    #[command(flatten)]
    tls: DeliveryTlsArgs,
    #[command(flatten)]
    thresholds: TimeThresholdArgs,
    #[command(flatten)]
    temporary: TemporaryArgs,
    #[command(flatten)]
    run: RunArgs,
}

/// Mail between servers (RFC 5321 section 4.5.4.2).
const PORT: u16 = 25;
/// Postfix holds each answer back for a second from the tenth error to the twentieth.
const TIMEOUT_WITH_LIMITS: Duration = Duration::from_mins(1);

const PROBES: Metric = Metric::count("probes", "recipients the server answered");
const ACCEPTED: Metric = Metric::count("accepted", "foreign recipients it took, disguised or not");
const ERRORS_TAKEN: Metric = Metric::count("errors_taken", "errors it put up with, with --limits");
const RECIPIENTS_TAKEN: Metric =
    Metric::count("recipients_taken", "recipients it took for one message, with --limits");

impl Plugin for CheckSmtpRelay {
    const NAME: &'static str = "check_smtp_relay";
    const METRICS: &'static [Metric] = &[PROBES, ACCEPTED, ERRORS_TAKEN, RECIPIENTS_TAKEN];
    const CONDITIONS: &'static [(Condition, State)] = &[(Condition::Temporary, State::Unknown)];
    const STATES: &'static [(State, &'static str)] = &[
        (
            State::Ok,
            "the foreign recipient is refused because it is foreign (454 4.7.1, 5xx), in every disguise",
        ),
        (State::Warning, "a disguised address is taken although a random local one is refused"),
        (State::Warning, "an address of the host cannot be reached while another one was asked"),
        (State::Warning, "STARTTLS is offered and fails, a firewall masks the banner, -w"),
        (State::Warning, "with --limits: no end after too many errors, no refusal of too many recipients"),
        (
            State::Critical,
            "open relay: the foreign recipient is taken (250, 251, 252), or is for the empty sender",
        ),
        (
            State::Critical,
            "--local-rcpt is refused; no connection, no SMTP, bad certificate with --tls starttls; -c",
        ),
        (State::Unknown, "greylisted, deferred, 421: nothing is proved (--temporary-state)"),
        (State::Unknown, "refused because of the sender, the client or the domain: nothing is proved"),
        (State::Unknown, "a disguised address is taken, and the random local one put off or not answered"),
        (State::Unknown, "probes left unanswered, wrong options, name does not resolve"),
    ];
    const EXAMPLES: &'static [(&'static str, &'static str)] = &[
        ("check_smtp_relay -H mail.example.org", "Ask the server to relay, plainly and in three disguises"),
        (
            "check_smtp_relay -H mail.example.org --local-rcpt postmaster@example.org --variants all",
            "The same with a recipient it must take, a source route and the empty sender",
        ),
        (
            "check_smtp_relay -H mail.example.org --local-rcpt postmaster@example.org --limits",
            "Prove as well that errors and recipients are limited",
        ),
    ];
    type Seen = Seen;

    fn run_args(&self) -> &RunArgs {
        &self.run
    }

    fn target(&self) -> String {
        self.target.shown(self.port())
    }

    fn time_thresholds(&self) -> Thresholds {
        self.thresholds.thresholds()
    }

    fn default_timeout(&self) -> Duration {
        if self.limits.limits { TIMEOUT_WITH_LIMITS } else { Self::DEFAULT_TIMEOUT }
    }

    fn temporary_state(&self) -> Option<State> {
        self.temporary.temporary_state
    }

    fn check_options(&self) -> Result<(), UsageError> {
        self.probes.check()?;
        self.tls.check()?;
        self.smtp.check(self.target.family())
    }

    fn probe(&self, deadline: &Deadline) -> Result<Seen, ProbeError> {
        session::probe(self, deadline)
    }

    fn evaluate(&self, seen: &Seen, run: &Run) -> Report {
        let mut report = Report::new();
        if let Some(error) = &seen.unresolved {
            report.add(finding_of(error, &run.states));
        }
        service::record(seen, &mut report);
        judge::judge_servers(self, seen, run, &mut report);
        service::judge_limits(self, seen, run, &mut report);
        judge::judge_openings(self, seen, &mut report);
        service::describe(self, seen, &mut report);
        report
    }
}

impl CheckSmtpRelay {
    fn port(&self) -> u16 {
        self.target.port.unwrap_or(PORT)
    }
}
