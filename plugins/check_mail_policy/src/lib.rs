//! Checks what a domain publishes about its mail, as those who receive it, or send to it, read it:
//! SPF (RFC 7208), DKIM keys (RFC 6376), DMARC (RFC 9989), MTA-STS (RFC 8461), TLS-RPT (RFC 8460),
//! DANE (RFC 7672) and BIMI.
//!
//! DNS trouble is never taken for a missing record: what was not answered is UNKNOWN.

mod answers;
mod options;
mod probe;
mod seen;
mod spf;

#[doc(hidden)]
pub mod fuzz {
    //! The readers of foreign bytes, for the fuzz targets in `tests/fuzz`.
    pub use crate::spf::rehearse_spf;
}

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
    const METRICS: &'static [Metric] = &[spf::SPF_LOOKUPS, spf::SPF_VOIDS];
    const CONDITIONS: &'static [(Condition, State)] =
        &[(Condition::Unreachable, State::Unknown), (Condition::Timeout, State::Unknown)];
    const STATES: &'static [(State, &'static str)] = spf::STATES;
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
        self.spf.check()
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
        self.judge_spf(answers, report);
    }

    /// The state of a question without an answer.
    fn state_of(&self, outcome: &Outcome) -> State {
        match outcome {
            Outcome::Timeout => self.run.timeout_state.unwrap_or(State::Unknown),
            _ => State::Unknown,
        }
    }
}
