//! Checks what a domain publishes about its mail, as those who receive it, or send to it, read it:
//! SPF (RFC 7208), DKIM keys (RFC 6376), DMARC (RFC 9989), MTA-STS (RFC 8461), TLS-RPT (RFC 8460),
//! DANE (RFC 7672) and BIMI.
//!
//! DNS trouble is never taken for a missing record: what was not answered is UNKNOWN.

mod answers;
mod bimi;
mod dane;
mod dkim;
mod dmarc;
mod fields;
#[doc(hidden)]
pub mod fuzz;
mod hosts;
mod http;
mod https;
mod lookup;
mod mta_sts;
mod options;
mod place;
mod probe;
mod seen;
mod spf;
mod states;
mod tags;
#[cfg(test)]
mod testing;
mod tls_rpt;

use std::net::IpAddr;

use clap::Parser;
use common::cli::{FamilyArgs, ResolverArgs, RunArgs, SmtpArgs, TimeThresholdArgs, UsageError};
use common::net::{Deadline, Family, ProbeError};
use common::plugin::{Plugin, Run, finding_of};
use common::proto::dns::{DomainName, Outcome};
use common::report::{Condition, Metric, Report, State, Thresholds};

use answers::Answers;
use dane::judge_dane;
use hosts::{describe_hosts, judge_hosts};
use mta_sts::{StsRecord, judge_fetched};
use options::{ConnectArgs, ExpectArgs, RecordArgs, SpfArgs, Wish, check_idle};

pub use seen::Seen;

/// Checks what a domain publishes about its mail: SPF, DKIM, DMARC, MTA-STS, TLS-RPT, DANE, BIMI
#[derive(Parser, Debug)]
#[command(name = "check_mail_policy", version)]
#[command(mut_arg("resolver", |arg| arg.help(
    "Name server to ask instead of those of the system; several stand in for one another"
)))]
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
    connect: ConnectArgs,
    #[command(flatten)]
    smtp: SmtpArgs,
    #[command(flatten)]
    dns: ResolverArgs,
    #[command(flatten)]
    thresholds: TimeThresholdArgs,
    #[command(flatten)]
    run: RunArgs,
}

impl Plugin for CheckMailPolicy {
    const NAME: &'static str = "check_mail_policy";
    const METRICS: &'static [Metric] =
        &[spf::SPF_LOOKUPS, spf::SPF_VOIDS, dkim::DKIM_BITS, mta_sts::STS_MAX_AGE, dane::TLSA];
    const CONDITIONS: &'static [(Condition, State)] = states::CONDITIONS;
    const STATES: &'static [(State, &'static str)] = states::STATES;
    const EXAMPLES: &'static [(&'static str, &'static str)] = &[
        ("check_mail_policy -d example.org", "What can be found without being told more"),
        (
            "check_mail_policy -d example.org --spf --ip 192.0.2.25 --dkim s2026 --dmarc --dmarc-min quarantine",
            "Does mail of our server reach others?",
        ),
        (
            "check_mail_policy -d example.org --mta-sts --tlsrpt --dane",
            "Does mail of others reach us encrypted? Looks at the certificate of each mail exchanger",
        ),
    ];
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
        if self.domain.as_str().parse::<IpAddr>().is_ok() {
            return Err(UsageError::new("--domain", "is an address; only a domain publishes records"));
        }
        if self.connect.no_connect && !(self.records.mta_sts || self.records.dane) {
            return Err(UsageError::new(
                "--no-connect",
                "nobody is connected to without --mta-sts or --dane",
            ));
        }
        check_idle(&self.records, &self.spf, &self.expect, &self.connect)?;
        self.smtp.check(self.family.family())?;
        self.spf.check()
    }

    fn probe(&self, deadline: &Deadline) -> Result<Seen, ProbeError> {
        probe::probe(self, deadline)
    }

    fn evaluate(&self, seen: &Seen, run: &Run) -> Report {
        let mut report = Report::new();
        let announced = self.judge_records(&seen.answers, &mut report);
        match &seen.hosts {
            _ if !self.records.dane && announced.is_none() => {}
            Some(hosts) => judge_hosts(self, hosts, run, &mut report),
            None => report.find("mx_open", State::Unknown, "the mail exchangers were not looked at"),
        }
        if let Some(hosts) = seen.hosts.as_ref().filter(|_| self.records.dane) {
            judge_dane(self, hosts, &mut report);
        }
        if announced.is_some() {
            judge_fetched(self, seen, run, &mut report);
        }
        if let Some(error) = &seen.cut_short {
            report.add(finding_of(error, &run.states));
        }
        report.join_ok("policy", self.domain.as_str());
        if let Some(hosts) = &seen.hosts {
            describe_hosts(hosts, &mut report);
        }
        report
    }
}

impl CheckMailPolicy {
    /// What can be said by name servers' answers alone, and whether the domain announces a policy
    /// for MTA-STS. The probe asks what this wants to know.
    fn judge_records(&self, answers: &Answers, report: &mut Report) -> Option<StsRecord> {
        self.judge_spf(answers, report);
        dkim::judge(self, answers, report);
        dmarc::judge(self, answers, report);
        tls_rpt::judge(self, answers, report);
        bimi::judge(self, answers, report);
        mta_sts::judge_record(self, answers, report)
    }

    /// Whether the mail exchangers matter.
    fn wants_hosts(&self) -> bool {
        self.records.dane || self.records.wish_if_there(self.records.mta_sts) != Wish::No
    }

    /// Whether the mail exchangers are connected to.
    fn visits(&self) -> bool {
        (self.records.mta_sts || self.records.dane) && !self.connect.no_connect
    }

    /// The family of the addresses that are connected to.
    fn allowed_family(&self) -> Family {
        self.smtp.family(self.family.family())
    }

    /// The state of a question without an answer.
    fn state_of(&self, outcome: &Outcome) -> State {
        match outcome {
            Outcome::Timeout => self.run.timeout_state.unwrap_or(State::Unknown),
            _ => State::Unknown,
        }
    }
}
