//! Proves that a TLS service offers no weak protocol, cipher suite or key.
//!
//! A handshake library can only offer what it can speak, and so misses what is weakest. Here a
//! hello with the suites in question is written by hand; a server that takes one shows it, and
//! one that refuses all has proved that it takes none, if it has read them. What proves nothing
//! makes the result UNKNOWN, never OK.

mod advice;
mod alerts;
mod auto;
mod baseline;
mod calendar;
mod certificate;
mod document;
mod fleet;
#[doc(hidden)]
pub mod fuzz;
mod groups;
mod intrusive;
mod judge;
mod options;
mod policy;
mod probe;
mod scan;
mod seen;
mod signatures;
mod suites;
mod version;
mod wire;

// What the build reads the data with, to test it.
#[cfg(test)]
#[path = "../build/csv.rs"]
#[allow(dead_code, reason = "what only the build calls")]
mod csv;
#[cfg(test)]
#[path = "../build/name.rs"]
mod name;

use std::path::Path;
use std::time::Duration;

use clap::Parser;
use common::cli::{RunArgs, UsageError};
use common::net::{Deadline, ProbeError};
use common::plugin::{CERT_DAYS, Ended, Plugin, Run};
// As `crate::glob`, the name that it has in the build script as well.
use common::proto::glob;
use common::proto::names::Host;
use common::report::{Condition, Metric, Perfdata, Report, State, StateTable, Thresholds};
use serde_json::Value;

use judge::{Counts, judge_port};
use options::{CertificateArgs, Ignored, PolicyArgs, ScanArgs, Starttls, TargetArgs};
use policy::{FindingKind, Moment, Policy};

use seen::{SeenPort, SeenTls};

pub use seen::Seen;

/// Proves that a TLS service offers no weak protocol, cipher suite or key
#[derive(Parser, Clone, Debug)]
#[command(name = "check_weak_ciphers", version)]
pub struct CheckWeakCiphers {
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    certificate: CertificateArgs,
    #[command(flatten)]
    scan: ScanArgs,
    #[command(flatten)]
    run: RunArgs,
}

const BROKEN: Metric = Metric::count("broken", "findings that let an attacker in");
const WEAK: Metric = Metric::count("weak", "findings that will, or do for the rich");
const POLICY: Metric = Metric::count("policy", "findings that only the policy minds");
const PROTOCOLS: Metric = Metric::count("protocols", "protocol versions offered");
const SUITES: Metric = Metric::count("suites", "pairs of version and suite; with --inventory");
const PQC: Metric =
    Metric::count("pqc", "1 when every port has a post-quantum group; left out when not known");
const DH_BITS: Metric = Metric::count("dh_bits", "smallest prime seen, in bits; left out when none was");
const NEW: Metric =
    Metric::count("new", "what the baseline does not have: protocols, suites, groups, certificate keys");
const CONNECTIONS: Metric = Metric::count("connections", "connections made");
const PORT_BROKEN: Metric = Metric::count("<port>.broken", "as broken, for each of several ports");
const PORT_WEAK: Metric = Metric::count("<port>.weak", "as weak, for each of several ports");

impl Plugin for CheckWeakCiphers {
    const NAME: &'static str = "check_weak_ciphers";
    const METRICS: &'static [Metric] = &[
        BROKEN,
        WEAK,
        POLICY,
        PROTOCOLS,
        SUITES,
        PQC,
        DH_BITS,
        CERT_DAYS,
        NEW,
        CONNECTIONS,
        fleet::HOSTS,
        fleet::HOSTS_OK,
        fleet::HOSTS_WARNING,
        fleet::HOSTS_CRITICAL,
        fleet::HOSTS_UNKNOWN,
        PORT_BROKEN,
        PORT_WEAK,
    ];
    const CONDITIONS: &'static [(Condition, State)] =
        &[(Condition::Unreachable, State::Unknown), (Condition::Timeout, State::Unknown)];
    const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
    const STATES: &'static [(State, &'static str)] = &[
        (State::Ok, "nothing that the policy forbids is offered, and that was proved"),
        (State::Warning, "something weak or off the policy's list is offered"),
        (State::Warning, "a certificate ends soon or has a weak key or signature"),
        (State::Warning, "something is offered that the inventory of --baseline does not have"),
        (State::Critical, "something broken is offered; STARTTLS, asked for by name, is not"),
        (State::Critical, "a certificate has expired, is not trusted or not for this name"),
        (State::Critical, "a fault in the server's code, looked for with --intrusive"),
        (State::Unknown, "the scan could not be completed: unreachable, not TLS, cut off, timeout"),
        (State::Unknown, "wrong options, the name does not resolve, a --baseline that cannot be compared"),
    ];
    const EXAMPLES: &'static [(&'static str, &'static str)] = &[
        ("check_weak_ciphers -H www.example.org", "A web server by RFC 9325"),
        ("check_weak_ciphers -H mail.example.org -p 25,465,993", "A mail server, STARTTLS by the port"),
        ("check_weak_ciphers -H mail.example.org -p auto", "Every well-known port of it that speaks TLS"),
        (
            "check_weak_ciphers -H www.example.org --inventory --json www.json",
            "All that is offered, for the record",
        ),
        ("check_weak_ciphers -H www.example.org --baseline www.json", "What is new since then is a WARNING"),
    ];
    type Seen = Seen;

    fn run_args(&self) -> &RunArgs {
        &self.run
    }

    fn target(&self) -> String {
        match &self.target.targets_file {
            Some(file) => file.display().to_string(),
            None => format!("{}:{}", self.aim(), self.target.port),
        }
    }

    fn check_options(&self) -> Result<(), UsageError> {
        self.target.check()?;
        let scan = &self.scan;
        if scan.html.is_some() && scan.html == scan.json {
            return Err(UsageError::new("--html", "cannot be the file of --json"));
        }
        if scan.baseline.is_some() && self.target.port.is_auto() {
            return Err(UsageError::new("--baseline", "goes with ports that are named, not with -p auto"));
        }
        let mut written = [&scan.json, &scan.html].into_iter().flatten();
        if let Some(baseline) = &scan.baseline
            && written.any(|path| baseline::is_same(baseline, path))
        {
            let text = "is written in the same run: what is new would be known to the next one";
            return Err(UsageError::new("--baseline", text));
        }
        self.certificate.days.check()
    }

    fn probe(&self, deadline: &Deadline) -> Result<Seen, ProbeError> {
        let judge = self.certificate.judge()?;
        let judge = judge.as_ref();
        Ok(match &self.target.targets_file {
            Some(file) => {
                Seen { ports: Vec::new(), auto: None, fleet: fleet::scan(self, file, judge, deadline)? }
            }
            None => probe::probe(self, judge, deadline)?,
        })
    }

    fn evaluate(&self, seen: &Seen, run: &Run) -> Report {
        if seen.fleet.is_empty() { self.judge(seen, run).0 } else { fleet::evaluate(self, &seen.fleet, run) }
    }

    fn document(&self, seen: &Seen, run: &Run) -> Value {
        let document = if seen.fleet.is_empty() {
            serde_json::to_value(document::document(self, seen, run.taken_at))
        } else {
            serde_json::to_value(document::fleet(self, &seen.fleet, run.taken_at))
        };
        document.unwrap_or_default()
    }

    fn document_file(&self) -> Option<&Path> {
        self.scan.json.as_deref()
    }

    fn page_file(&self) -> Option<&Path> {
        self.scan.html.as_deref()
    }

    fn page(&self, ended: &Ended<'_, Seen>) -> String {
        document::page(self, ended)
    }

    fn states(&self) -> StateTable {
        let mut states = StateTable::new(Self::CONDITIONS);
        if let Some(state) = self.run.timeout_state {
            states.set(Condition::Timeout, state);
        }
        if let Some(state) = self.scan.down_state {
            states.set(Condition::Unreachable, state);
        }
        states
    }
}

impl CheckWeakCiphers {
    /// Judges one host; the counts over its ports are `None` when one showed nothing.
    fn judge(&self, seen: &Seen, run: &Run) -> (Report, Option<Counts>) {
        let mut report = Report::new();
        let judged: Vec<Option<Counts>> =
            seen.ports.iter().map(|port| judge_port(self, port, run, &mut report)).collect();
        auto::report(self, seen, run, &mut report);
        self.name_policy(&mut report);
        advice::report(self, seen, run.taken_at, &mut report);
        self.record(seen, &judged, run, &mut report);
        (report, judged.into_iter().sum())
    }

    /// The same options for a host of a fleet.
    fn aimed_at(&self, line: &fleet::Line) -> Self {
        let mut aimed = self.clone();
        aimed.target.targets_file = None;
        aimed.target.is_of_fleet = true;
        aimed.target.hostname = Some(line.host.clone());
        aimed.target.sni.clone_from(&line.sni);
        if let Some(ports) = &line.ports {
            aimed.target.port = ports.clone();
        }
        aimed.target.starttls = line.starttls.unwrap_or(aimed.target.starttls);
        aimed
    }

    /// The host, for sentences.
    fn aim(&self) -> String {
        self.target.hostname.as_ref().map(ToString::to_string).unwrap_or_default()
    }

    /// The figures over all ports, then of each. A port that showed nothing leaves the sums unknown.
    fn record(&self, seen: &Seen, judged: &[Option<Counts>], run: &Run, report: &mut Report) {
        let figure = |count: usize| u32::try_from(count).ok().map(f64::from);
        let sum = |of: fn(&Counts) -> usize| {
            let counts = judged.iter().map(|counts| counts.as_ref().map(of));
            counts.reduce(|one, other| Some(one? + other?)).flatten().and_then(figure)
        };
        report.record(&BROKEN, sum(|counts| counts.broken));
        report.record(&WEAK, sum(|counts| counts.weak));
        report.record(&POLICY, sum(|counts| counts.policy));
        report.record(&PROTOCOLS, sum(|counts| counts.protocols));
        if self.scan.is_inventory() {
            report.record(&SUITES, sum(|counts| counts.suites));
        }
        if self.scan.baseline.is_some() {
            report.record(&NEW, sum(|counts| counts.new));
        }
        let tls = || seen.ports.iter().map(SeenPort::tls);
        if let Some(has) =
            tls().map(|tls| tls?.post_quantum).reduce(|one, other| Some(one? && other?)).flatten()
        {
            report.record(&PQC, Some(f64::from(u8::from(has))));
        }
        let picks = tls().flatten().flat_map(SeenTls::offered).flat_map(|version| &version.suites);
        if let Some(bits) = picks.filter_map(|pick| pick.dh_bits).min() {
            report.record(&DH_BITS, Some(f64::from(bits)));
        }
        if !self.certificate.no_cert {
            judge::certificate::record_days(seen, &self.certificate.days, run.taken_at, report);
        }
        report.record(&CONNECTIONS, Some(f64::from(seen.connections())));
        if seen.ports.len() > 1 || seen.auto.is_some() {
            for (port, counts) in seen.ports.iter().zip(judged) {
                for (metric, of) in [
                    (&PORT_BROKEN, (|counts| counts.broken) as fn(&Counts) -> usize),
                    (&PORT_WEAK, |counts| counts.weak),
                ] {
                    let value = counts.as_ref().map(of).and_then(figure);
                    let label = metric.label.replace("<port>", &port.port.to_string());
                    report.push(Perfdata { label, ..Perfdata::new(metric, value, Thresholds::default()) });
                }
            }
        }
    }

    /// What of the policy counts at a time (Unix).
    fn policy_at(&self, now: i64) -> Policy {
        self.policy.policy.0.in_force(Moment::at(now, self.policy.upcoming))
    }

    /// What is to be asked because of the policy, whatever the year.
    fn watchful_policy(&self) -> Policy {
        self.policy.policy.0.in_force(Moment::Watchful { upcoming: self.policy.upcoming })
    }

    /// By what it was judged, for the record.
    fn name_policy(&self, report: &mut Report) {
        let policy = &self.policy.policy.0;
        report.context(0, format!("policy {}", policy.line()));
        if self.policy.upcoming && !policy.has_upcoming() {
            report.note(
                "no_upcoming",
                format!("--upcoming changes nothing: {} has nothing upcoming", policy.name),
            );
        }
    }

    /// What the operator says over the policy's head, as it was said: without it nobody can tell what a result is worth.
    fn adjustments(&self) -> Vec<String> {
        let PolicyArgs { upcoming, strict, require, ignore, severity, .. } = &self.policy;
        let flags =
            [(*upcoming, "--upcoming"), (*strict, "--strict"), (self.certificate.no_cert, "--no-cert")];
        let flags = flags.into_iter().filter(|(is_given, _)| *is_given).map(|(_, name)| name.to_owned());
        let require = require.iter().map(|what| format!("--require {what}"));
        let ignore = ignore.iter().map(|what| format!("--ignore {what}"));
        let severity = severity.iter().map(|one| format!("--severity {}={}", one.kind.name(), one.state));
        flags.chain(require).chain(ignore).chain(severity).collect()
    }

    fn ignores(&self, kind: FindingKind) -> bool {
        self.policy.ignore.contains(&Ignored::Finding(kind))
    }

    fn ignores_suite(&self, code: u16) -> bool {
        let fits = |pattern: &str| suites::Suite::by_code(code).is_some_and(|suite| suite.fits(pattern));
        self.policy.ignore.iter().any(|one| matches!(one, Ignored::Suites(pattern) if fits(pattern)))
    }

    /// The state the operator gave a finding; the last word counts.
    fn state_of(&self, kind: FindingKind) -> Option<State> {
        self.policy.severity.iter().rev().find(|one| one.kind == kind).map(|one| one.state)
    }

    fn asks_for_starttls(&self) -> bool {
        matches!(self.target.starttls, Starttls::Protocol(_))
    }

    /// `host:port` for sentences.
    fn place(&self, port: u16) -> String {
        match self.target.hostname.as_ref().and_then(Host::address) {
            Some(address) => std::net::SocketAddr::new(address, port).to_string(),
            None => format!("{}:{port}", self.aim()),
        }
    }
}
