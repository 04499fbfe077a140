//! Asks: name servers round by round, until no part of the check wants to know more.

use std::net::SocketAddr;
use std::thread;

use common::net::dns::{Ask, Settings, Upstream, ask_all, system_servers};
use common::net::tls::ChainJudge;
use common::net::{Deadline, Phase, ProbeError, Trouble, at_once, cause};
use common::report::Report;

use crate::CheckMailPolicy;
use crate::answers::Answers;
use crate::hosts::{Hosts, probe_hosts};
use crate::https::{Fetched, Place, share};
use crate::mta_sts::policy_place;
use crate::seen::Seen;

/// Questions in all: a tree of SPF records that is right has a few dozen.
const MOST_QUESTIONS: usize = 1000;
/// Records kept of one answer.
const MOST_RECORDS: usize = 100;

/// The records, and the policy that one of them announces, from each address.
type Records = (Answers, Vec<Fetched>);

/// Looks and takes down what there is.
pub(crate) fn probe(options: &CheckMailPolicy, deadline: &Deadline) -> Result<Seen, ProbeError> {
    let upstream = upstream(&options.dns.resolver)?;
    let judge = ChainJudge::new(&options.connect.trust(), None)?;
    let ((answers, policies), hosts) = if options.wants_hosts() {
        probe_both(options, &upstream, &judge, deadline)?
    } else {
        (probe_records(options, &upstream, &judge, deadline)?, None)
    };
    let cut_short = deadline.left().is_zero().then(|| deadline.timeout());
    Ok(Seen { answers, hosts, policies, cut_short })
}

/// The records, and beside them the hosts.
fn probe_both(
    options: &CheckMailPolicy,
    upstream: &Upstream,
    judge: &ChainJudge,
    deadline: &Deadline,
) -> Result<(Records, Option<Hosts>), ProbeError> {
    let apart = deadline.apart();
    thread::scope(|scope| -> Result<(Records, Option<Hosts>), ProbeError> {
        let visit = || probe_hosts(options, upstream, judge, &apart);
        let hosts = thread::Builder::new()
            .spawn_scoped(scope, visit)
            .map_err(|error| ProbeError::local(format!("cannot start a thread: {}", cause(&error))))?;
        let records = probe_records(options, upstream, judge, deadline);
        let ended = |_| ProbeError::new(Trouble::Internal, Phase::Querying, "a thread ended early");
        let hosts = hosts.join().map_err(ended)??;
        Ok((records?, Some(hosts)))
    })
}

/// The records round by round, and then the policy.
fn probe_records(
    options: &CheckMailPolicy,
    upstream: &Upstream,
    judge: &ChainJudge,
    deadline: &Deadline,
) -> Result<Records, ProbeError> {
    let settings = Settings { most_records: MOST_RECORDS, ..options.dns.settings() };
    // A question that nobody answers leaves time to fetch the policy.
    let answers = ask_rounds(options, upstream, &settings, &share(deadline))?;
    let Some((host, addresses)) = policy_place(options, &answers) else { return Ok((answers, Vec::new())) };
    let source = options.smtp.source_ip;
    let fetch = |_, address: &SocketAddr| {
        let place = Place { host: &host, address: *address, source, path: "/.well-known/mta-sts.txt" };
        Fetched::fetch(&place, judge, &deadline.apart())
    };
    let policies = at_once(&addresses, addresses.len(), fetch)?;
    Ok((answers, policies))
}

/// One resolver after the other is asked what the one before did not answer.
fn upstream(given: &[SocketAddr]) -> Result<Upstream, ProbeError> {
    if given.is_empty() { system_servers() } else { Ok(Upstream { servers: given.to_vec() }) }
}

fn ask_rounds(
    options: &CheckMailPolicy,
    upstream: &Upstream,
    settings: &Settings,
    deadline: &Deadline,
) -> Result<Answers, ProbeError> {
    let mut answers = Answers::default();
    loop {
        options.judge_records(&answers, &mut Report::new());
        policy_place(options, &answers);
        let mut wanted = answers.take_wanted();
        wanted.truncate(MOST_QUESTIONS.saturating_sub(answers.len()));
        if wanted.is_empty() || deadline.left().is_zero() {
            return Ok(answers);
        }
        let ask = |question| Ask { question, upstream: 0, recurse: true };
        let asks: Vec<Ask> = wanted.into_iter().map(ask).collect();
        let replies = ask_all(&asks, std::slice::from_ref(upstream), settings, deadline)?;
        for (ask, reply) in asks.into_iter().zip(replies) {
            answers.insert(ask.question, reply);
        }
    }
}
