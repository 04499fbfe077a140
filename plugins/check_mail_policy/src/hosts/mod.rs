//! The hosts that take the domain's mail, as a sender with DANE or MTA-STS meets them: their TLSA
//! records, and the certificate each address serves after STARTTLS.

mod judge;

use std::net::SocketAddr;

use common::net::dns::{Ask, Exchanger, Exchangers, Settings, Upstream, ask_all, exchangers};
use common::net::smtp::{Encryption, Hello, Opening, Peer, Stop, Way};
use common::net::tls::{ChainJudge, Connector, TlsOptions, TlsSeen, Trust};
use common::net::{Deadline, ProbeError, at_once};
use common::proto::dns::{DomainName, Kind, Question};
use common::proto::names::Host;
use serde::{Deserialize, Serialize};

use crate::CheckMailPolicy;
use crate::answers::{Answers, Heard, asked_name};
pub(crate) use judge::{describe_hosts, judge_hosts, judge_served, named};

use crate::dane::{Match, Tlsa, associated, hex};
use crate::https::share;

/// The hosts and what they showed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Hosts {
    /// The way of the mail.
    pub(crate) mail: Exchangers,
    /// The answers to the questions for TLSA records.
    pub(crate) tlsa: Answers,
    /// A conversation with each address, if they were wanted.
    pub(crate) visits: Option<Vec<Visit>>,
    /// Addresses beyond those that are visited.
    pub(crate) untried: usize,
}

/// A conversation with one address of a host, up to TLS.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Visit {
    pub(crate) host: String,
    pub(crate) address: SocketAddr,
    /// As far as it went; the certificate is judged against the host's name, as MTA-STS wants it.
    pub(crate) opening: Opening,
    /// Why there is no certificate.
    pub(crate) stop: Option<Stop>,
    /// Each usable TLSA record of the host, held against the certificate.
    pub(crate) matches: Vec<(Tlsa, Match)>,
    /// The data of a `3 1 1` record for the certificate, in hex.
    pub(crate) served: Option<String>,
}

/// Addresses that are visited.
const MAX_VISITS: usize = 64;
/// Conversations at a time.
const AT_ONCE: usize = 16;
const MOST_RECORDS: usize = 32;

/// Finds the hosts, asks for their TLSA records and visits them, as far as wanted.
pub(crate) fn probe_hosts(
    options: &CheckMailPolicy,
    upstream: &Upstream,
    judge: &ChainJudge,
    deadline: &Deadline,
) -> Result<Hosts, ProbeError> {
    let upstreams = std::slice::from_ref(upstream);
    let settings = Settings { most_records: MOST_RECORDS, ..options.dns.settings() };
    // A question that nobody answers leaves time to meet the hosts that are known.
    let asking = share(deadline);
    let mut found = exchangers(&options.domain, upstreams, &settings, &asking)?.into_iter();
    let Some(mail) = found.next() else { return Err(ProbeError::local("there is no resolver to ask")) };
    let mut hosts = Hosts { mail, tlsa: Answers::default(), visits: None, untried: 0 };
    if options.records.dane {
        let asks: Vec<Ask> =
            hosts.mail.hosts.iter().flat_map(|host| tlsa_names(options, host)).map(ask).collect();
        let replies = ask_all(&asks, upstreams, &settings, &asking)?;
        for (ask, reply) in asks.into_iter().zip(replies) {
            hosts.tlsa.insert(ask.question, reply);
        }
    }
    if options.visits() {
        hosts.visit(options, judge, deadline)?;
    }
    Ok(hosts)
}

fn ask(name: DomainName) -> Ask {
    Ask { question: Question { name, kind: Kind::Tlsa }, upstream: 0, recurse: true }
}

/// The name at the end of a host's aliases, if it has any.
fn end_of_aliases(host: &Exchanger) -> Option<&String> {
    host.lookups().into_iter().find_map(|lookup| lookup.aliases.last())
}

/// The names of which a certificate under an authority must have one (RFC 7672 section 3.2.2). The
/// end of the aliases is among them as the records there count only where the way is validated.
fn reference_names(host: &Exchanger, domain: &DomainName) -> Vec<Host> {
    let names = [host.host.clone(), domain.to_string()].into_iter();
    names.chain(end_of_aliases(host).cloned()).map(Host::Name).collect()
}

/// Where a host's TLSA records may be: at the end of its aliases, if it has any, and at its own
/// name (RFC 7672 section 2.2.2).
pub(crate) fn tlsa_names(options: &CheckMailPolicy, host: &Exchanger) -> Vec<DomainName> {
    let names = end_of_aliases(host).into_iter().chain([&host.host]);
    let at = |name: &String| asked_name(&format!("_{}._tcp.{name}", options.connect.port));
    if host.lookups().is_empty() { Vec::new() } else { names.filter_map(at).collect() }
}

impl Hosts {
    /// The answer that counts for a host: the first of its names that has records.
    pub(crate) fn tlsa_of(
        &self,
        options: &CheckMailPolicy,
        host: &Exchanger,
    ) -> Option<(DomainName, &Heard)> {
        let mut all = tlsa_names(options, host).into_iter().map(|name| {
            let heard = self.tlsa.get(&name, Kind::Tlsa);
            (name, heard)
        });
        let first = all.next()?;
        let is_settled = |heard: &Heard| !heard.outcome.records().is_empty() || !heard.outcome.is_answer();
        Some(if is_settled(first.1) {
            first
        } else {
            all.find(|(_, heard)| is_settled(heard)).unwrap_or(first)
        })
    }

    fn visit(
        &mut self,
        options: &CheckMailPolicy,
        judge: &ChainJudge,
        deadline: &Deadline,
    ) -> Result<(), ProbeError> {
        let family = options.allowed_family();
        let mut doors = Vec::new();
        for host in &self.mail.hosts {
            let records = self.usable(options, host);
            let addresses = host.addresses(family).map(|ip| SocketAddr::new(ip, options.connect.port));
            doors.extend(addresses.map(|address| Door { options, host, address, records: records.clone() }));
        }
        let untried = doors.len().saturating_sub(MAX_VISITS);
        doors.truncate(MAX_VISITS);
        let visits = at_once(&doors, AT_ONCE, |_, door| Visit::make(door, judge, &share(deadline).apart()))?;
        let visits = visits.into_iter().collect::<Result<_, _>>()?;
        (self.untried, self.visits) = (untried, Some(visits));
        Ok(())
    }

    /// The records of a host that a sender can use.
    fn usable(&self, options: &CheckMailPolicy, host: &Exchanger) -> Vec<Tlsa> {
        let heard = self.tlsa_of(options, host).map(|(_, heard)| heard.outcome.records());
        let all = heard.unwrap_or_default().iter().filter_map(Tlsa::of);
        all.filter(|record| record.unusable().is_none()).collect()
    }
}

/// One address and what is promised of it.
struct Door<'a> {
    options: &'a CheckMailPolicy,
    host: &'a Exchanger,
    address: SocketAddr,
    records: Vec<Tlsa>,
}

impl Visit {
    /// An error is one of ours.
    fn make(door: &Door<'_>, judge: &ChainJudge, deadline: &Deadline) -> Result<Self, ProbeError> {
        let (host, address) = (door.host.host.clone(), door.address);
        let name = Host::Name(host.clone());
        let mut visit = Self {
            host,
            address,
            opening: Opening::default(),
            stop: None,
            matches: Vec::new(),
            served: None,
        };
        let connector = Connector::new(&TlsOptions { trust: Trust::Anyone, ..TlsOptions::default() }, &name)?;
        let encryption = Encryption::Demanded(&connector, Way::Starttls, Peer::Anyone);
        let manner = door.options.smtp.manner(Hello::Ehlo, deadline);
        match visit.opening.open(&manner, encryption, &[address]) {
            Err(stop) => visit.stop = Some(stop),
            Ok(client) => {
                let chain = client.peer_chain();
                visit.opening.close(client, true);
                visit.take_in(&chain, door, judge)?;
            }
        }
        Ok(visit)
    }

    /// Judges the certificates now, while they are at hand.
    fn take_in(&mut self, chain: &[Vec<u8>], door: &Door<'_>, judge: &ChainJudge) -> Result<(), ProbeError> {
        let host = Host::Name(door.host.host.clone());
        if let Some(shown) = self.opening.tls.take() {
            let judged = judge.for_name(Some(&host))?.judge(chain)?.tls;
            self.opening.tls = Some(TlsSeen { version: shown.version, suite: shown.suite, ..judged });
        }
        self.served = chain.first().and_then(|own| associated(1, 1, own)).map(|data| hex(&data, usize::MAX));
        let names = reference_names(door.host, &door.options.domain);
        for record in &door.records {
            self.matches.push((record.clone(), record.judge(chain, &names)?));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
