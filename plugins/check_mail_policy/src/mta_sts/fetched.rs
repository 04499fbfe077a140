//! What came of the policy that a domain announces (RFC 8461 section 3.3).

use std::net::SocketAddr;

use common::net::{ProbeError, Trouble};
use common::plugin::{Run, finding_of};
use common::proto::dns::{DomainName, Kind, Outcome};
use common::proto::text::decode;
use common::report::{Finding, Report, State, quote};

use super::judge::judge_policy;
use super::policy::{Mode, Policy};
use super::record::StsRecord;
use crate::answers::Answers;
use crate::hosts::{judge_served, named};
use crate::http::Response;
use crate::https::{Fetched, distrust};
use crate::options::Wish;
use crate::{CheckMailPolicy, Seen};

const KINDS: [Kind; 2] = [Kind::A, Kind::Aaaa];

/// The host that has the policy.
fn host_of(domain: &DomainName) -> Option<DomainName> {
    domain.child("mta-sts")
}

/// The host of the policy and its addresses, where the domain announces one. The addresses are
/// asked for together with the record.
pub(crate) fn policy_place(
    options: &CheckMailPolicy,
    answers: &Answers,
) -> Option<(DomainName, Vec<SocketAddr>)> {
    if options.records.wish_if_there(options.records.mta_sts) == Wish::No {
        return None;
    }
    let host = host_of(&options.domain)?;
    let family = options.smtp.family(options.family.family());
    let addresses: Vec<SocketAddr> = KINDS
        .into_iter()
        .flat_map(|kind| answers.get(&host, kind).outcome.records())
        .filter_map(|record| record.data.address())
        .filter(|address| family.allows(*address))
        .map(|address| SocketAddr::new(address, options.connect.https_port))
        .collect();
    let is_announced = matches!(StsRecord::read(&options.domain, answers), Ok(Some(_)));
    (is_announced && !addresses.is_empty()).then_some((host, addresses))
}

/// Judges the policy that the record announces, and the exchangers by it.
pub(crate) fn judge_fetched(options: &CheckMailPolicy, seen: &Seen, run: &Run, report: &mut Report) {
    let Some(host) = host_of(&options.domain) else { return };
    let Some(fetched) = &seen.policy else {
        judge_addresses(options, &host, &seen.answers, report);
        return;
    };
    describe(&host, fetched, report);
    let response = match answer(&host, fetched, run) {
        Ok(response) => response,
        Err(finding) => {
            report.add(finding.with_hint("senders that know no older policy deliver as if there were none"));
            return;
        }
    };
    // RFC 8461 section 3.2: whoever may put pictures on a server must not make its policies.
    if response.media_type.as_deref() != Some("text/plain") {
        let given = response.media_type.as_deref().map_or("none".to_owned(), quote);
        let text = format!("{host}: the policy has the media type {given} instead of text/plain");
        report.find("sts_media_type", State::Warning, text);
    }
    let policy = Policy::parse(&response.body);
    let hosts = seen.hosts.as_ref();
    let names = hosts.map(named).unwrap_or_default();
    judge_policy(&options.domain, &policy, &names, report);
    if let (Ok(policy), Some(hosts)) = (&policy, hosts) {
        let failing = match policy.mode {
            Mode::Enforce => State::Critical,
            Mode::Testing => State::Warning,
            Mode::None => return,
        };
        judge_served(hosts, failing, |name| policy.matches(name), report);
    }
}

/// Nothing was fetched: there is no address, or nobody knows.
fn judge_addresses(options: &CheckMailPolicy, host: &DomainName, answers: &Answers, report: &mut Report) {
    let open: Option<(Kind, &Outcome)> =
        KINDS.into_iter().find_map(|kind| Some((kind, answers.get(host, kind).records().err()?)));
    if let Some((kind, outcome)) = open {
        report.find("sts_unknown", options.state_of(outcome), format!("{host} {kind}: {outcome}"));
    } else if KINDS.into_iter().all(|kind| answers.get(host, kind).outcome.records().is_empty()) {
        let text = format!("{host} has no address: the MTA-STS policy that is announced cannot be fetched");
        report.find("sts_policy", State::Critical, text);
    } else {
        let text = format!("{host} has no address of the family that -4 or -6 allows: no policy fetched");
        report.find("sts_unknown", State::Unknown, text);
    }
}

/// The answer with the policy, or why there is none.
fn answer<'a>(host: &DomainName, fetched: &'a Fetched, run: &Run) -> Result<&'a Response, Finding> {
    let failed = |state, why: String| {
        Finding::new("sts_policy", state, format!("{host}: MTA-STS policy cannot be fetched: {why}"))
    };
    if let Some(error) = &fetched.error {
        return Err(failed(state_of(error, run), error.text.clone()));
    }
    if let Some(why) = fetched.tls.as_ref().and_then(distrust) {
        return Err(failed(State::Critical, why));
    }
    let Some(response) = fetched.response.as_ref().filter(|_| fetched.tls.is_some()) else {
        return Err(failed(State::Unknown, "there is no answer".to_owned()));
    };
    let status = format!("HTTP {} {}", response.status, quote(&response.reason));
    match (response.status, &response.location) {
        (200, _) => Ok(response),
        (300..400, Some(location)) => {
            let to = quote(location);
            Err(failed(
                State::Critical,
                format!("{status} to {to}, which nobody follows (RFC 8461 section 3.3)"),
            ))
        }
        _ => Err(failed(State::Critical, status)),
    }
}

/// What keeps everybody from the policy is critical; what may only keep us from it is unknown.
fn state_of(error: &ProbeError, run: &Run) -> State {
    match error.trouble {
        Trouble::Tls | Trouble::Protocol => State::Critical,
        Trouble::Unreachable if error.refused => State::Critical,
        _ => finding_of(error, &run.states).state,
    }
}

fn describe(host: &DomainName, fetched: &Fetched, report: &mut Report) {
    if let Some(address) = fetched.address {
        report.context(1, format!("{host}: policy by {address}"));
    }
    for one in fetched.tls.iter().flat_map(|tls| &tls.chain) {
        report.context(2, format!("{host}: {} issued by {}", one.subject, one.issuer));
    }
    let body = fetched.response.iter().flat_map(|response| response.body.split(|byte| *byte == b'\n'));
    for line in body.take(LINES_SHOWN) {
        report.context(2, format!("{host}: {}", decode(line.trim_ascii_end())));
    }
}

const LINES_SHOWN: usize = 50;
