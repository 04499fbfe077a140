//! Asks: the resolvers for the way of the mail, the zone's own servers, the hosts.

use std::net::{IpAddr, SocketAddr};

use common::net::dns::{self, Exchangers, Mx, Target, Upstream, delegation, exchangers, mx_records};
use common::net::smtp::knock;
use common::net::{Deadline, ProbeError};

use crate::CheckMx;
use crate::agreement::{agreed, failure};
use crate::seen::{Authority, Host, Resolver, Seen};

/// Addresses that are connected to.
const MAX_CONNECTIONS: usize = 64;

/// Looks and takes down what there is.
pub(crate) fn probe(options: &CheckMx, deadline: &Deadline) -> Result<Seen, ProbeError> {
    let upstreams = options.dns.upstreams()?;
    let settings = options.dns.settings();
    let answers = exchangers(&options.domain, &upstreams, &settings, deadline)?;
    let name = |one: &Upstream| one.servers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
    let names = upstreams.iter().map(name);
    let resolvers = names.zip(answers).map(|(name, mail)| Resolver { name, mail, again: None }).collect();
    let mut seen = Seen { resolvers, authority: None, hosts: None, cut_short: None };
    ask_again(options, &upstreams, &mut seen, deadline)?;
    if options.authority.authoritative {
        seen.authority = Some(ask_authority(options, &upstreams, &seen, deadline)?);
    }
    if deadline.left().is_zero() {
        seen.cut_short = Some(deadline.timeout());
    } else if options.connect.connect {
        connect(options, &mut seen, deadline)?;
    }
    Ok(seen)
}

/// Who serves equals in turn shows it in a second answer (RFC 1794).
fn ask_again(
    options: &CheckMx,
    upstreams: &[Upstream],
    seen: &mut Seen,
    deadline: &Deadline,
) -> Result<(), ProbeError> {
    let balances = |one: &Resolver| groups(&one.mail.records).any(|group| group.len() > 1);
    let asked: Vec<usize> =
        (0..seen.resolvers.len()).filter(|at| seen.resolvers.get(*at).is_some_and(balances)).collect();
    let whom: Vec<Upstream> = asked.iter().filter_map(|at| upstreams.get(*at).cloned()).collect();
    let answers = mx_records(&options.domain, &whom, true, &options.dns.settings(), deadline)?;
    for (at, answer) in asked.into_iter().zip(answers) {
        if let Some(resolver) = seen.resolvers.get_mut(at).filter(|_| !answer.records.is_empty()) {
            resolver.again = Some(answer.records.into_iter().map(|record| record.host).collect());
        }
    }
    Ok(())
}

/// Records of equal preference, the most preferred first.
pub(crate) fn groups(records: &[Mx]) -> impl Iterator<Item = Vec<&Mx>> {
    let mut preferences: Vec<u16> = records.iter().map(|record| record.preference).collect();
    preferences.sort_unstable();
    preferences.dedup();
    preferences
        .into_iter()
        .map(|preference| records.iter().filter(|record| record.preference == preference).collect())
}

/// Those that answered before the others: one that is dead would take its time in each round.
fn best_first(upstreams: &[Upstream], seen: &Seen) -> Vec<Upstream> {
    let mut sorted: Vec<(bool, Upstream)> = upstreams
        .iter()
        .zip(&seen.resolvers)
        .map(|(upstream, resolver)| (failure(resolver).is_some(), upstream.clone()))
        .collect();
    sorted.sort_by_key(|(failed, _)| *failed);
    sorted.into_iter().map(|(_, upstream)| upstream).collect()
}

/// Finds the zone's servers and asks each of them at each of its addresses.
fn ask_authority(
    options: &CheckMx,
    upstreams: &[Upstream],
    seen: &Seen,
    deadline: &Deadline,
) -> Result<Authority, ProbeError> {
    let settings = options.dns.settings();
    let resolver = dns::Resolver::new(&best_first(upstreams, seen), &settings, deadline);
    let delegation =
        match delegation(&options.domain, options.authority.dns_port, options.family(), &resolver)? {
            Ok(delegation) => delegation,
            Err(why) => {
                let (mail, cut_short) = (Vec::new(), deadline.left().is_zero());
                return Ok(Authority { delegation: None, problem: Some(why), mail, cut_short });
            }
        };
    let words = delegation.servers.iter().flat_map(|server| &server.words);
    let addresses: Vec<SocketAddr> = words.map(|word| word.address).collect();
    let servers: Vec<Upstream> =
        addresses.iter().map(|address| Upstream { servers: vec![*address] }).collect();
    let answers = mx_records(&options.domain, &servers, false, &settings, deadline)?;
    let mail = addresses.into_iter().zip(answers).collect();
    let cut_short = deadline.left().is_zero();
    Ok(Authority { delegation: Some(delegation), problem: None, mail, cut_short })
}

/// Connects to every address of every host at the same time.
fn connect(options: &CheckMx, seen: &mut Seen, deadline: &Deadline) -> Result<(), ProbeError> {
    let mut hosts: Vec<(String, Vec<IpAddr>)> = Vec::new();
    // A host that only an outvoted resolver knows says nothing about those where the mail goes.
    let whose = match agreed(options, &seen.resolvers).filter(|agreed| agreed.is_met) {
        Some(agreed) => agreed.resolvers,
        None => seen.resolvers.iter().collect(),
    };
    let all = whose.into_iter().flat_map(|resolver| &resolver.mail.hosts);
    for host in all.filter(|host| host.target != Target::Root) {
        let at = hosts.iter().position(|(name, _)| *name == host.host).unwrap_or_else(|| {
            hosts.push((host.host.clone(), Vec::new()));
            hosts.len() - 1
        });
        let Some((_, addresses)) = hosts.get_mut(at) else { continue };
        for address in host.addresses(options.family()) {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
    }
    let mut room = MAX_CONNECTIONS;
    let mut untried = Vec::new();
    for (_, addresses) in &mut hosts {
        untried.push(addresses.len().saturating_sub(room));
        addresses.truncate(room);
        room -= addresses.len();
    }
    let address = |ip: &IpAddr| SocketAddr::new(*ip, options.connect.port);
    let all: Vec<SocketAddr> = hosts.iter().flat_map(|(_, ips)| ips.iter().map(address)).collect();
    let mut talks = knock(&all, options.dns.source_ip, deadline)?.into_iter();
    let of_each = hosts.into_iter().zip(untried);
    seen.hosts = Some(
        of_each
            .map(|((name, ips), untried)| Host {
                name,
                talks: talks.by_ref().take(ips.len()).collect(),
                untried,
            })
            .collect(),
    );
    Ok(())
}

/// The hosts in the order in which they were given.
pub(crate) fn order(mail: &Exchangers) -> Vec<&str> {
    mail.records.iter().map(|record| record.host.as_str()).collect()
}
