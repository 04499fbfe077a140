//! The name servers of a list's zone, for `--authoritative`.

use std::net::{IpAddr, SocketAddr};

use common::net::ProbeError;
use common::net::dns::{Ask, Reply, Upstream};
use common::proto::dns::{Data, DomainName, Kind, Outcome, Question};

/// Servers asked in turn for one list.
const MAX_SERVERS: usize = 4;

/// The servers of each zone, or why there are none. Most lists are a zone of their own;
/// where one lives inside a zone, the SOA of the negative answer names that.
pub(crate) fn list_servers(
    zones: &[&DomainName],
    resolvers: &[Upstream],
    port: u16,
    ask: impl Fn(&[Ask], &[Upstream]) -> Result<Vec<Reply>, ProbeError>,
) -> Result<Vec<Result<Vec<SocketAddr>, String>>, ProbeError> {
    let all = [Upstream { servers: resolvers.iter().flat_map(|one| one.servers.clone()).collect() }];
    let question = |name: &DomainName, kind| Ask {
        question: Question { name: name.clone(), kind },
        upstream: 0,
        recurse: true,
    };

    let asks: Vec<Ask> = zones.iter().map(|zone| question(zone, Kind::Ns)).collect();
    let first = ask(&asks, &all)?;
    let mut names: Vec<Result<Vec<DomainName>, String>> =
        first.iter().zip(zones).map(|(reply, zone)| server_names(reply, zone)).collect();
    let around: Vec<(usize, DomainName)> = first
        .iter()
        .enumerate()
        .filter(|(_, reply)| reply.outcome().records().is_empty())
        .filter_map(|(at, reply)| Some((at, reply.answer.zone.as_ref()?.parse().ok()?)))
        .collect();
    let second: Vec<Ask> = around.iter().map(|(_, zone)| question(zone, Kind::Ns)).collect();
    for (reply, (at, zone)) in ask(&second, &all)?.iter().zip(&around) {
        if let Some(slot) = names.get_mut(*at) {
            *slot = server_names(reply, zone);
        }
    }

    let wanted: Vec<(usize, &DomainName)> = names
        .iter()
        .enumerate()
        .flat_map(|(at, found)| found.iter().flatten().map(move |name| (at, name)))
        .collect();
    let lookups: Vec<Ask> =
        wanted.iter().flat_map(|(_, name)| [question(name, Kind::A), question(name, Kind::Aaaa)]).collect();
    let replies = ask(&lookups, &all)?;
    let mut servers: Vec<Vec<SocketAddr>> = zones.iter().map(|_| Vec::new()).collect();
    for ((at, _), pair) in wanted.iter().zip(replies.chunks(2)) {
        if let Some(list) = servers.get_mut(*at) {
            list.extend(pair.iter().filter_map(first_address).map(|address| SocketAddr::new(address, port)));
        }
    }
    Ok(names
        .into_iter()
        .zip(servers)
        .map(|(names, mut servers)| {
            names?;
            // IPv4 first: a host without IPv6 must not lose a try to it.
            servers.sort_by_key(SocketAddr::is_ipv6);
            servers.truncate(MAX_SERVERS);
            if servers.is_empty() { Err("its name servers have no address".to_owned()) } else { Ok(servers) }
        })
        .collect())
}

/// The delegation by a server that does not resolve names them as well.
fn server_names(reply: &Reply, zone: &DomainName) -> Result<Vec<DomainName>, String> {
    let (records, delegated) = match reply.outcome() {
        Outcome::Referral(records) => (records.as_slice(), true),
        other => (other.records(), false),
    };
    let names: Vec<DomainName> = records
        .iter()
        .filter(|record| !delegated || record.name == zone.as_str())
        .filter_map(|record| match &record.data {
            Data::Ns(name) => name.parse().ok(),
            _ => None,
        })
        .take(MAX_SERVERS)
        .collect();
    if names.is_empty() { Err(format!("no name server found: {}", reply.outcome())) } else { Ok(names) }
}

fn first_address(reply: &Reply) -> Option<IpAddr> {
    reply.outcome().records().iter().find_map(|record| match record.data {
        Data::A(address) => Some(address.into()),
        Data::Aaaa(address) => Some(address.into()),
        _ => None,
    })
}
