//! What came of the policy that a domain announces (RFC 8461 section 3.3).

use std::net::SocketAddr;

use common::net::dns::address_kinds;
use common::net::{ProbeError, Trouble};
use common::plugin::{Run, finding_of};
use common::proto::dns::{DomainName, Kind};
use common::proto::text::decode;
use common::report::{Finding, Report, State, quote};

use super::judge::{STS_MAX_AGE, judge_policy};
use super::policy::{Mode, Policy};
use super::record::StsRecord;
use crate::answers::Answers;
use crate::hosts::{judge_served, named};
use crate::http::Response;
use crate::https::{Fetched, distrust};
use crate::lookup::Unanswered;
use crate::options::Wish;
use crate::{CheckMailPolicy, Seen};

const KINDS: [Kind; 2] = [Kind::A, Kind::Aaaa];

/// The host that has the policy.
fn host_of(domain: &DomainName) -> Option<DomainName> {
    domain.child("mta-sts")
}

/// The host of the policy and the addresses that are asked, where the domain announces one. The
/// addresses are looked up together with the record.
pub(crate) fn policy_place(
    options: &CheckMailPolicy,
    answers: &Answers,
) -> Option<(DomainName, Vec<SocketAddr>)> {
    if options.records.wish_if_there(options.records.mta_sts) == Wish::No {
        return None;
    }
    let host = host_of(&options.domain)?;
    let mut addresses = addresses(options, &host, answers);
    addresses.truncate(MOST_ADDRESSES);
    let is_announced = matches!(StsRecord::read(&options.domain, answers), Ok(Some(_)));
    (is_announced && !addresses.is_empty()).then_some((host, addresses))
}

/// Addresses that are asked.
const MOST_ADDRESSES: usize = 16;

/// The addresses of the families that are allowed.
fn addresses(options: &CheckMailPolicy, host: &DomainName, answers: &Answers) -> Vec<SocketAddr> {
    let family = options.allowed_family();
    KINDS
        .into_iter()
        .flat_map(|kind| answers.get(host, kind).outcome.records())
        .filter_map(|record| record.data.address())
        .filter(|address| family.allows(*address))
        .map(|address| SocketAddr::new(address, options.connect.https_port))
        .collect()
}

/// Judges the policy that the record announces, and the exchangers by it.
pub(crate) fn judge_fetched(options: &CheckMailPolicy, seen: &Seen, run: &Run, report: &mut Report) {
    let Some(host) = host_of(&options.domain) else { return };
    if seen.policies.is_empty() {
        judge_addresses(options, &host, &seen.answers, report);
        return report.record(&STS_MAX_AGE, None);
    }
    judge_left_out(options, &host, &seen.answers, report);
    let mut good: Vec<(&Fetched, &Response)> = Vec::new();
    for fetched in reached(&host, &seen.policies, report) {
        describe(&host, fetched, report);
        let place = if seen.policies.len() > 1 { fetched.place(&host) } else { host.to_string() };
        match answer(&place, fetched, run) {
            Ok(response) => good.push((fetched, response)),
            Err(finding) => {
                // Where another address may only be silent for us, others may well have the policy.
                let is_open = fetched.is_refused() && !seen.policies.iter().all(Fetched::is_refused);
                let state = if is_open { State::Unknown } else { finding.state };
                let hint = "senders that know no older policy deliver as if there were none";
                report.add(Finding { state, ..finding }.with_hint(hint));
            }
        }
    }
    let Some(((first, response), others)) = good.split_first() else {
        return report.record(&STS_MAX_AGE, None);
    };
    for (other, _) in others.iter().filter(|(_, other)| other.body != response.body) {
        let text = format!(
            "{} serves another MTA-STS policy than {}: senders keep the one that they meet",
            other.place(&host),
            first.address
        );
        report.find("sts_differs", State::Warning, text);
    }
    judge_response(options, &host, response, seen, report);
}

/// The addresses that decide: a sender goes on to the next one only where nobody takes the
/// connection.
fn reached<'a>(host: &DomainName, all: &'a [Fetched], report: &mut Report) -> Vec<&'a Fetched> {
    let (reached, others): (Vec<_>, Vec<_>) = all.iter().partition(|fetched| fetched.is_connected);
    if reached.is_empty() {
        return others;
    }
    for (other, error) in others.into_iter().filter_map(|other| Some((other, other.error.as_ref()?))) {
        report.note("sts_address", format!("{}: {}", other.place(host), error.text));
    }
    reached
}

/// Addresses of the host that nobody asked, or that nobody knows.
fn judge_left_out(options: &CheckMailPolicy, host: &DomainName, answers: &Answers, report: &mut Report) {
    let all = addresses(options, host, answers).len();
    if all > MOST_ADDRESSES {
        let text = format!("{host} has {all} addresses, of which {MOST_ADDRESSES} were asked for the policy");
        report.find("sts_unknown", State::Unknown, text);
    }
    for kind in address_kinds(options.allowed_family()) {
        if let Err(outcome) = answers.get(host, *kind).records() {
            Unanswered::new(host, *kind, outcome).report("sts_unknown", options, report);
        }
    }
}

fn judge_response(
    options: &CheckMailPolicy,
    host: &DomainName,
    response: &Response,
    seen: &Seen,
    report: &mut Report,
) {
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
    let Ok(policy) = policy else { return };
    let failing = match policy.mode {
        Mode::Enforce => State::Critical,
        Mode::Testing => State::Warning,
        Mode::None if options.records.mta_sts => {
            let text = format!(
                "{host}: mode none switches MTA-STS off, while --mta-sts wants it (RFC 8461 section 8.3)"
            );
            return report.find("sts_off", State::Warning, text);
        }
        Mode::None => return,
    };
    if let Some(hosts) = hosts {
        judge_served(hosts, failing, |name| policy.matches(name), report);
    }
}

/// Nothing was fetched: there is no address, or nobody knows.
fn judge_addresses(options: &CheckMailPolicy, host: &DomainName, answers: &Answers, report: &mut Report) {
    let open = KINDS.into_iter().find_map(|kind| {
        let outcome = answers.get(host, kind).records().err()?;
        Some(Unanswered::new(host, kind, outcome))
    });
    if let Some(unanswered) = open {
        unanswered.report("sts_unknown", options, report);
    } else if KINDS.into_iter().all(|kind| answers.get(host, kind).outcome.records().is_empty()) {
        let text = format!("{host} has no address: the MTA-STS policy that is announced cannot be fetched");
        report.find("sts_policy", State::Critical, text);
    } else {
        let text = format!("{host} has no address of the family that -4 or -6 allows: no policy fetched");
        report.find("sts_unknown", State::Unknown, text);
    }
}

/// The answer with the policy, or why there is none.
fn answer<'a>(place: &str, fetched: &'a Fetched, run: &Run) -> Result<&'a Response, Finding> {
    let failed = |state, why: String| {
        Finding::new("sts_policy", state, format!("{place}: MTA-STS policy cannot be fetched: {why}"))
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
    report.context(1, format!("{host}: policy by {}", fetched.address));
    for one in fetched.tls.iter().flat_map(|tls| &tls.chain) {
        report.context(2, format!("{host}: {} issued by {}", one.subject, one.issuer));
    }
    let body = fetched
        .response
        .iter()
        .flat_map(|response| response.body.trim_ascii_end().split(|byte| *byte == b'\n'));
    for line in body.take(LINES_SHOWN) {
        report.context(2, format!("{host}: {}", decode(line.trim_ascii_end())));
    }
}

const LINES_SHOWN: usize = 50;

impl Fetched {
    /// Nobody listens there.
    fn is_refused(&self) -> bool {
        self.error.as_ref().is_some_and(|error| error.refused)
    }

    /// Host and address for a sentence.
    fn place(&self, host: &DomainName) -> String {
        format!("{host} ({})", self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::options;
    use common::net::Phase;
    use common::plugin::Plugin as _;
    use common::report::StateTable;

    fn unreached(last: u8, refused: bool) -> Fetched {
        let error = ProbeError::new(Trouble::Unreachable, Phase::Connecting, "cannot connect");
        let address = ([192, 0, 2, last], 443).into();
        let error = Some(ProbeError { refused, ..error });
        Fetched { address, is_connected: false, tls: None, response: None, error }
    }

    fn states(policies: Vec<Fetched>) -> Vec<State> {
        let seen = Seen { answers: Answers::default(), hosts: None, policies, cut_short: None };
        let run = Run { taken_at: 0, states: StateTable::new(CheckMailPolicy::CONDITIONS) };
        let mut report = Report::new();
        judge_fetched(&options(&["--mta-sts"]), &seen, &run, &mut report);
        let policies = report.findings().into_iter().filter(|finding| finding.id == "sts_policy");
        policies.map(|finding| finding.state).collect()
    }

    #[test]
    fn critical_nobody_listens_and_unknown_where_one_may() {
        assert_eq!(states(vec![unreached(1, true)]), [State::Critical]);
        assert_eq!(states(vec![unreached(1, true), unreached(2, true)]), [State::Critical; 2]);
        assert_eq!(states(vec![unreached(1, true), unreached(2, false)]), [State::Unknown; 2]);
    }
}
