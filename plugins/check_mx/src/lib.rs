//! Checks where the mail of a domain goes (RFC 5321 section 5.1): that all resolvers and the
//! zone's own servers say the same, that each host in it has a public address of its own and,
//! if wanted, answers.
//!
//! A question without an answer is never taken for a domain without mail, and no message is
//! ever sent: a connection reads the greeting and says QUIT.

mod agreement;
mod authority;
mod compare;
mod connections;
mod describe;
mod hosts;
mod options;
mod probe;
mod seen;

use std::collections::BTreeSet;
use std::net::IpAddr;

use clap::Parser;
use common::cli::{DnsArgs, FamilyArgs, RunArgs, TimeThresholdArgs, UsageError};
use common::net::dns::{Exchanger, Target};
use common::net::smtp::Knock;
use common::net::{Deadline, Family, ProbeError};
use common::plugin::{Plugin, Run, finding_of};
use common::proto::dns::{DomainName, Outcome};
use common::report::{Condition, Metric, Perfdata, Report, State, Thresholds};

use agreement::{Agreed, Says, failure, judge_agreement, judge_resolvers};
use authority::{count_servers, describe_authority, judge_authority};
use compare::differ_about_hosts;
use connections::{count_hosts, describe_hosts, judge_hosts};
use describe::describe_resolvers;
use hosts::{is_null, judge_route, plural};
use options::{AuthorityArgs, ConnectArgs, ExpectArgs};

pub use seen::Seen;

/// Checks a domain's mail exchangers: the same everywhere, whole, public, and answering
#[derive(Parser, Debug)]
#[command(name = "check_mx", version)]
pub struct CheckMx {
    /// Domain whose mail exchangers are checked
    #[arg(short, long, value_name = "DOMAIN")]
    domain: DomainName,
    #[command(flatten)]
    family: FamilyArgs,
    #[command(flatten)]
    expect: ExpectArgs,
    #[command(flatten)]
    dns: DnsArgs,
    #[command(flatten)]
    authority: AuthorityArgs,
    #[command(flatten)]
    connect: ConnectArgs,
    #[command(flatten)]
    thresholds: TimeThresholdArgs,
    #[command(flatten)]
    run: RunArgs,
}

const MX: Metric = Metric::count("mx", "MX records of the domain");
const ADDRESSES: Metric = Metric::count("addresses", "different addresses of its mail exchangers");
const RESOLVERS_OK: Metric = Metric::count("resolvers_ok", "resolvers that left no question open");
const TTL_MIN: Metric = Metric::seconds("ttl_min", "shortest time that one of the records may be kept");
const SERVERS: Metric = Metric::count("servers", "authoritative servers, with --authoritative");
const SERVERS_OK: Metric =
    Metric::count("servers_ok", "those that serve the zone at each of their addresses");
const HOSTS_OK: Metric = Metric::count("hosts_ok", "mail exchangers that greet, with --connect");
const HOSTS_FAILED: Metric = Metric::count("hosts_failed", "those connected to that do not at any address");
const HOST_TIME: Metric = Metric::seconds(
    "<host>.time",
    "until the greeting of a mail exchanger, at its slowest address, with --connect",
);

impl Plugin for CheckMx {
    const NAME: &'static str = "check_mx";
    const METRICS: &'static [Metric] =
        &[MX, ADDRESSES, RESOLVERS_OK, TTL_MIN, SERVERS, SERVERS_OK, HOSTS_OK, HOSTS_FAILED, HOST_TIME];
    const CONDITIONS: &'static [(Condition, State)] =
        &[(Condition::Unreachable, State::Unknown), (Condition::Timeout, State::Unknown)];
    const STATES: &'static [(State, &'static str)] = &[
        (State::Ok, "all give the same answer, as expected, and every host has a public address of its own"),
        (
            State::Warning,
            "no MX record but an address, fewer hosts than --min-hosts, an address that is not public",
        ),
        (
            State::Warning,
            "a resolver failed or sees other addresses, a TTL below 60 s or above 7 days, a preference not as expected, -w",
        ),
        (
            State::Warning,
            "a name server is lame, serials differ, delegation and zone or two of the parent's servers differ (--authoritative)",
        ),
        (State::Warning, "a host or one of its addresses does not greet, a masked banner (--connect)"),
        (State::Critical, "NXDOMAIN, neither MX record nor address, a null MX that is not expected"),
        (State::Critical, "a host without address, an alias, an IP address as host, a null MX beside others"),
        (State::Critical, "resolvers beyond --quorum or authoritative servers differ, --expect missed"),
        (
            State::Critical,
            "no host greets (--connect), the parent denies the delegation (--authoritative), -c",
        ),
        (
            State::Unknown,
            "too few resolvers answered, a host could not be looked up, no authoritative server answers",
        ),
        (State::Unknown, "wrong options, timeout (--timeout-state)"),
    ];
    const EXAMPLES: &'static [(&'static str, &'static str)] = &[
        ("check_mx -d example.org --connect", "Are the hosts right, and do they all answer?"),
        (
            "check_mx -d example.org --expect '10 mx1.example.org' --expect '20 mx2.example.org'",
            "The records must be these",
        ),
        (
            "check_mx -d example.org --authoritative --resolver 192.0.2.1 --resolver 192.0.2.2",
            "Two resolvers and all of the zone's own servers must say the same",
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
        let foreign = match self.dns.source_ip {
            Some(IpAddr::V4(_)) => self.family.family() == Family::V6,
            Some(IpAddr::V6(_)) => self.family.family() == Family::V4,
            None => false,
        };
        if foreign {
            return Err(UsageError::new("--source-ip", "is of another family than -4 or -6 allows"));
        }
        if self.domain.as_str().parse::<IpAddr>().is_ok() {
            return Err(UsageError::new("--domain", "is an address; only a domain has mail exchangers"));
        }
        self.expect.check(self.dns.resolvers())
    }

    fn probe(&self, deadline: &Deadline) -> Result<Seen, ProbeError> {
        probe::probe(self, deadline)
    }

    fn evaluate(&self, seen: &Seen, run: &Run) -> Report {
        let mut report = Report::new();
        let agreed = judge_agreement(self, seen, &mut report);
        record(seen, agreed.as_ref(), &mut report);
        if let Some(agreed) = &agreed {
            judge_route(self, agreed, &mut report);
            judge_resolvers(self, seen, &mut report);
        }
        if let Some(authority) = &seen.authority {
            judge_authority(self, authority, agreed.as_ref(), &mut report);
        }
        if let Some(hosts) = &seen.hosts {
            judge_hosts(self, hosts, &seen.resolvers, &mut report);
        }
        if let Some(error) = &seen.cut_short {
            report.add(finding_of(error, &run.states));
        }
        if let Some(agreed) = &agreed {
            self.sum_up(seen, agreed, &mut report);
        }
        describe(seen, &mut report);
        report
    }
}

impl CheckMx {
    /// The state of silence, where nothing else decides: `--timeout-state` beats what it usually is.
    fn silence(&self, usual: State) -> State {
        self.run.timeout_state.unwrap_or(usual)
    }

    /// The state of a question without an answer.
    fn state_of(&self, outcome: &Outcome, usual: State) -> State {
        if *outcome == Outcome::Timeout { self.silence(usual) } else { usual }
    }

    /// The families that are connected to and asked, as far as our own address allows.
    fn family(&self) -> Family {
        match (self.family.family(), self.dns.source_ip) {
            (Family::Any, Some(IpAddr::V4(_))) => Family::V4,
            (Family::Any, Some(IpAddr::V6(_))) => Family::V6,
            (given, _) => given,
        }
    }

    /// The records, and how many bear them out.
    fn sum_up(&self, seen: &Seen, agreed: &Agreed<'_>, report: &mut Report) {
        let Says::Records(records) = &agreed.says else { return };
        if is_null(records) {
            return;
        }
        let mut text = format!(
            "{}: {} mail exchanger{}: {}",
            self.domain,
            records.len(),
            plural(records.len()),
            agreed.says
        );
        if agreed.resolvers.len() > 1 {
            let on = if differ_about_hosts(agreed) { " on the MX records" } else { "" };
            let (few, all) = (agreed.resolvers.len(), seen.resolvers.len());
            let of_all = if few < all { format!(" of {all}") } else { String::new() };
            text.push_str(&format!("; {few}{of_all} resolvers agree{on}"));
        }
        if let Some((servers, Some(well))) = seen.authority.as_ref().and_then(count_servers) {
            text.push_str(&format!("; {well} of {servers} authoritative servers serve it"));
        }
        if let Some((up, tried)) = seen.hosts.as_deref().and_then(count_hosts) {
            text.push_str(&format!("; {up} of {tried} answer on port {}", self.connect.port));
        }
        report.find("mx", State::Ok, text);
    }
}

fn describe(seen: &Seen, report: &mut Report) {
    describe_resolvers(seen, report);
    if let Some(authority) = &seen.authority {
        describe_authority(authority, report);
    }
    describe_hosts(seen.hosts.as_deref().unwrap_or_default(), report);
}

fn record(seen: &Seen, agreed: Option<&Agreed<'_>>, report: &mut Report) {
    let mails = || agreed.iter().flat_map(|agreed| &agreed.resolvers).map(|resolver| &resolver.mail);
    let records = agreed.map(|agreed| match &agreed.says {
        Says::Records(records) => records.len() + mails().map(|mail| mail.left_out).max().unwrap_or_default(),
        _ => 0,
    });
    let addresses: BTreeSet<IpAddr> =
        mails().flat_map(|mail| &mail.hosts).flat_map(|host| host.addresses(Family::Any)).collect();
    let lookups = mails().flat_map(|mail| &mail.hosts).flat_map(|host| host.lookups());
    let ttl = mails().flat_map(|mail| &mail.records).map(|record| record.ttl);
    let ttl = ttl.chain(lookups.filter_map(|lookup| lookup.ttl)).min();
    let resolvers = seen.resolvers.iter().filter(|resolver| failure(resolver).is_none()).count();
    report.record(&MX, records.map(count));
    // None found is none only where all was looked up.
    let is_open = |host: &Exchanger| host.unanswered().is_some() || host.target == Target::LeftOut;
    let is_known = !addresses.is_empty() || !mails().flat_map(|mail| &mail.hosts).any(is_open);
    report.record(&ADDRESSES, agreed.filter(|_| is_known).map(|_| count(addresses.len())));
    report.record(&RESOLVERS_OK, Some(count(resolvers)));
    report.record(&TTL_MIN, ttl.map(f64::from));
    if let Some(authority) = &seen.authority {
        let servers = count_servers(authority);
        report.record(&SERVERS, servers.map(|(all, _)| count(all)));
        report.record(&SERVERS_OK, servers.and_then(|(_, well)| well).map(count));
    }
    let Some(hosts) = &seen.hosts else { return };
    let hosts_counted = match count_hosts(hosts) {
        // A domain that is known to have no host has none that fails.
        None if hosts.is_empty() && agreed.is_some() => Some((0, 0)),
        counted => counted,
    };
    report.record(&HOSTS_OK, hosts_counted.map(|(up, _)| count(up)));
    report.record(&HOSTS_FAILED, hosts_counted.map(|(up, tried)| count(tried - up)));
    for host in hosts {
        let slowest = host.talks.iter().filter_map(Knock::time).reduce(f64::max);
        let label = format!("{}.time", agreement::shown(&host.name));
        report.push(Perfdata { label, ..Perfdata::new(&HOST_TIME, slowest, Thresholds::default()) });
    }
}

/// Exact, for these are small.
fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests;
