//! Checks what a domain publishes about its mail, as those who receive it, or send to it, read it:
//! SPF (RFC 7208), DKIM keys (RFC 6376), DMARC (RFC 9989), MTA-STS (RFC 8461), TLS-RPT (RFC 8460),
//! DANE (RFC 7672) and BIMI.
//!
//! DNS trouble is never taken for a missing record: what was not answered is UNKNOWN.

mod answers;
mod bimi;
mod dkim;
mod dmarc;
mod fields;
#[doc(hidden)]
pub mod fuzz;
mod lookup;
mod mta_sts;
mod options;
mod place;
mod probe;
mod seen;
mod tags;
#[cfg(test)]
mod testing;
mod tls_rpt;

use clap::Parser;
use common::cli::{FamilyArgs, ResolverArgs, RunArgs, TimeThresholdArgs, UsageError};
use common::net::{Deadline, ProbeError};
use common::plugin::{Plugin, Run, finding_of};
use common::proto::dns::{DomainName, Outcome};
use common::report::{Condition, Metric, Report, State, Thresholds};

use answers::Answers;
use options::{ExpectArgs, RecordArgs, SpfArgs};

pub use seen::Seen;

/// Checks what a domain publishes about its mail: SPF, DKIM, DMARC, MTA-STS, TLS-RPT, DANE, BIMI
#[derive(Parser, Debug)]
#[command(name = "check_mail_policy", version)]
pub struct CheckMailPolicy {
    /// Domain whose records are checked
    #[arg(short, long, value_name = "DOMAIN")]
    domain: DomainName,
    #[command(flatten)]
    family: FamilyArgs,
    #[command(flatten)]
    records: RecordArgs,
    #[command(flatten)]
    spf: SpfArgs,
    #[command(flatten)]
    expect: ExpectArgs,
    #[command(flatten)]
    dns: ResolverArgs,
    #[command(flatten)]
    thresholds: TimeThresholdArgs,
    #[command(flatten)]
    run: RunArgs,
}

impl Plugin for CheckMailPolicy {
    const NAME: &'static str = "check_mail_policy";
    const METRICS: &'static [Metric] = &[dkim::DKIM_BITS, mta_sts::STS_MAX_AGE];
    const CONDITIONS: &'static [(Condition, State)] =
        &[(Condition::Unreachable, State::Unknown), (Condition::Timeout, State::Unknown)];
    const STATES: &'static [(State, &'static str)] = &[
        (State::Ok, "every record that was looked at is there, right and strict enough"),
        (State::Warning, "DKIM: an RSA key below 2048 or above 4096 bits, t=y, a bare RSAPublicKey"),
        (
            State::Critical,
            "DKIM: no key or several, a revoked or broken one, RSA below 1024 bits, no use for mail",
        ),
        (
            State::Warning,
            "DMARC: weaker than --dmarc-min, no p=, words that no receiver knows, reports to who did not agree",
        ),
        (
            State::Critical,
            "DMARC: no record up to the top, several, a word in place of the policy that is none",
        ),
        (
            State::Warning,
            "MTA-STS: max_age below a day or above a year, with mode testing an exchanger not named",
        ),
        (State::Critical, "MTA-STS: no record (--mta-sts), several or a broken one, no valid policy"),
        (State::Critical, "MTA-STS: with mode enforce an exchanger that the policy does not name"),
        (State::Warning, "no TLS-RPT record (--tlsrpt): nothing is lost but reports"),
        (State::Critical, "several TLS-RPT records, or one that senders cannot use"),
        (State::Warning, "BIMI: no record (--bimi), several, a broken one, DMARC too weak for a logo"),
        (State::Unknown, "a question that no name server answered, wrong options, timeout (--timeout-state)"),
    ];
    const EXAMPLES: &'static [(&'static str, &'static str)] = &[];
    type Seen = Seen;

    fn run_args(&self) -> &RunArgs {
        &self.run
    }

    fn target(&self) -> String {
        self.domain.to_string()
    }

    fn time_thresholds(&self) -> Thresholds {
        self.thresholds.thresholds()
    }

    fn check_options(&self) -> Result<(), UsageError> {
        Ok(())
    }

    fn probe(&self, deadline: &Deadline) -> Result<Seen, ProbeError> {
        probe::probe(self, deadline)
    }

    fn evaluate(&self, seen: &Seen, run: &Run) -> Report {
        let mut report = Report::new();
        self.judge_records(&seen.answers, &mut report);
        if let Some(error) = &seen.cut_short {
            report.add(finding_of(error, &run.states));
        }
        report
    }
}

impl CheckMailPolicy {
    /// What can be said by name servers' answers alone. The probe asks what this wants to know.
    fn judge_records(&self, answers: &Answers, report: &mut Report) {
        dkim::judge(self, answers, report);
        dmarc::judge(self, answers, report);
        if mta_sts::judge_record(self, answers, report).is_some() {
            let text = format!("mta-sts.{}: the policy was not fetched", self.domain);
            report.find("sts_policy", State::Unknown, text);
        }
        tls_rpt::judge(self, answers, report);
        bimi::judge(self, answers, report);
    }

    /// The state of a question without an answer.
    fn state_of(&self, outcome: &Outcome) -> State {
        match outcome {
            Outcome::Timeout => self.run.timeout_state.unwrap_or(State::Unknown),
            _ => State::Unknown,
        }
    }
}
