//! From the recipient to the hosts that should take the mail.

use std::net::SocketAddr;

use common::cli::UsageError;
use common::net::dns::{Exchanger, Exchangers, Route, Target, Upstream, exchangers};
use common::net::{Deadline, Family, ProbeError, at_once, resolve};
use common::proto::dns::{DomainName, Kind, Outcome};
use common::proto::names;

use crate::CheckSmtpRcpt;
use crate::options::Destination;
use crate::seen::{Gap, Host, Source};

/// Look-ups of given hosts at a time.
const AT_ONCE: usize = 8;

/// The hosts, the most preferred first.
pub(crate) fn find_hosts(
    options: &CheckSmtpRcpt,
    deadline: &Deadline,
) -> Result<(Source, Vec<Host>), ProbeError> {
    if !options.hosts.given.is_empty() {
        return Ok((Source::Given, given(options, deadline)?));
    }
    let wrong = |error: UsageError| ProbeError::local(error.to_string());
    match options.envelope.destination().map_err(wrong)? {
        Destination::Domain(domain) => in_dns(options, &domain, deadline),
        Destination::Literal(address) => {
            let of_family = options.family().allows(address);
            let host = Host {
                name: address.to_string(),
                level: 0,
                addresses: of_family
                    .then(|| SocketAddr::new(address, options.hosts.port))
                    .into_iter()
                    .collect(),
                gap: (!of_family).then_some(Gap::OtherFamily),
            };
            Ok((Source::Literal, vec![host]))
        }
    }
}

/// The hosts of the command line, in that order.
fn given(options: &CheckSmtpRcpt, deadline: &Deadline) -> Result<Vec<Host>, ProbeError> {
    let mut names: Vec<&names::Host> = Vec::new();
    for name in &options.hosts.given {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    at_once(&names, AT_ONCE, |level, name| {
        let name = *name;
        let found = resolve(name, options.hosts.port, options.family(), &deadline.apart());
        let (addresses, gap) = match found {
            Ok(addresses) => (addresses, None),
            Err(error) => (Vec::new(), Some(Gap::Unresolved(error))),
        };
        Host { name: name.to_string(), level, addresses, gap }
    })
}

/// The hosts that the first resolver with an answer names.
fn in_dns(
    options: &CheckSmtpRcpt,
    domain: &DomainName,
    deadline: &Deadline,
) -> Result<(Source, Vec<Host>), ProbeError> {
    let upstreams = options.dns.upstreams()?;
    // What is left behind that is too little for any host, but enough to say why.
    let deadline = deadline.shortened(deadline.limit() * 19 / 20);
    let all = exchangers(domain, &upstreams, &options.dns.settings(), &deadline)?;
    let resolver = |at: usize| upstreams.get(at).map(ToString::to_string).unwrap_or_default();
    if deadline.left().is_zero() {
        // No host can be asked any more, and it is not the hosts that took the time.
        let late = |(at, one)| Some((at, missing(one).filter(|outcome| *outcome != Outcome::NotAsked)?));
        let late = all.iter().enumerate().find_map(late);
        let (at, outcome) = late.unwrap_or((0, Outcome::Timeout));
        let (domain, route) = (domain.to_string(), Route::Unanswered(outcome));
        let source = Source::Dns { domain, route, resolver: resolver(at), dissent: Vec::new() };
        return Ok((source, Vec::new()));
    }
    let has_answer = |one: &Exchangers| !matches!(one.route, Route::Unanswered(_));
    let believed = all.iter().position(has_answer).unwrap_or_default();
    let Some(mail) = all.get(believed) else {
        return Err(ProbeError::local("there is no name server to ask"));
    };
    let others = all.iter().zip(&upstreams).enumerate().filter(|(at, _)| *at != believed);
    let dissent = others.filter_map(|(_, (other, upstream))| dissent(mail, other, upstream)).collect();
    let hosts = match mail.route {
        Route::Listed | Route::Implicit => {
            mail.hosts.iter().map(|host| seen_host(host, options.family(), options.hosts.port)).collect()
        }
        _ => Vec::new(),
    };
    let (domain, route) = (domain.to_string(), mail.route.clone());
    let source = Source::Dns { domain, route, resolver: resolver(believed), dissent };
    Ok((source, hosts))
}

/// What came instead of an answer, to the question for the hosts or to one for their addresses.
fn missing(mail: &Exchangers) -> Option<Outcome> {
    match &mail.route {
        Route::Unanswered(outcome) => Some(outcome.clone()),
        _ => mail.hosts.iter().find_map(|host| Some(host.unanswered()?.1.clone())),
    }
}

/// What a resolver says that is not what was believed.
fn dissent(believed: &Exchangers, other: &Exchangers, upstream: &Upstream) -> Option<String> {
    let way = |mail: &Exchangers| -> Vec<(u16, String)> {
        mail.hosts.iter().map(|host| (host.preference, host.host.clone())).collect()
    };
    match &other.route {
        Route::Unanswered(outcome) => Some(format!("resolver {upstream} gave no answer: {outcome}")),
        route if *route != believed.route || way(other) != way(believed) => {
            Some(format!("resolver {upstream} names other hosts for this domain"))
        }
        _ => None,
    }
}

fn seen_host(exchanger: &Exchanger, family: Family, port: u16) -> Host {
    let addresses: Vec<SocketAddr> =
        exchanger.addresses(family).map(|address| SocketAddr::new(address, port)).collect();
    let gap = gap(exchanger, family, addresses.is_empty());
    let addresses = if matches!(gap, Some(Gap::NotAHost(_))) { Vec::new() } else { addresses };
    let name = if exchanger.host.is_empty() { ".".to_owned() } else { exchanger.host.clone() };
    Host { name, level: exchanger.preference.into(), addresses, gap }
}

fn gap(exchanger: &Exchanger, family: Family, is_empty: bool) -> Option<Gap> {
    let wanted = |kind: Kind| match family {
        Family::Any => true,
        Family::V4 => kind == Kind::A,
        Family::V6 => kind == Kind::Aaaa,
    };
    match &exchanger.target {
        Target::Root => Some(Gap::NotAHost("the root, which says that a domain takes no mail".to_owned())),
        Target::Literal(_) => Some(Gap::NotAHost("an address, where a name belongs".to_owned())),
        Target::Unspeakable => Some(Gap::NotAHost("no name of a host".to_owned())),
        Target::LeftOut => Some(Gap::LeftOut),
        // The system's functions take such a name for a number.
        Target::Name { .. } if exchanger.host.parse::<names::Host>().is_err() => {
            Some(Gap::NotAHost("no name of a host".to_owned()))
        }
        Target::Name { ipv4, ipv6 } => {
            let lookups = [(Kind::A, ipv4), (Kind::Aaaa, ipv6)];
            let open = lookups.into_iter().find(|(kind, lookup)| wanted(*kind) && !lookup.is_answer());
            match open {
                Some((kind, lookup)) => {
                    let why = lookup.without.as_ref().map(ToString::to_string).unwrap_or_default();
                    Some(Gap::Unanswered(format!("{kind}: {why}")))
                }
                None if lookups.iter().any(|(kind, lookup)| wanted(*kind) && lookup.left_out > 0) => {
                    Some(Gap::LeftOut)
                }
                None if !is_empty => None,
                None if exchanger.addresses(Family::Any).next().is_some() => Some(Gap::OtherFamily),
                None => Some(Gap::NoAddress),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::net::dns::Lookup;

    fn lookup(addresses: &[&str], without: Option<Outcome>) -> Lookup {
        Lookup {
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
            left_out: 0,
            ttl: None,
            aliases: Vec::new(),
            authoritative: false,
            authenticated: false,
            server: None,
            without,
        }
    }

    fn host(ipv4: Lookup, ipv6: Lookup) -> Exchanger {
        Exchanger { preference: 10, host: "mx.example".into(), target: Target::Name { ipv4, ipv6 } }
    }

    #[test]
    fn gaps_are_those_of_the_families_asked_for() {
        let (no_data, failed) = (Some(Outcome::NoData), Some(Outcome::ServFail));
        let half = host(lookup(&["192.0.2.1"], None), lookup(&[], failed.clone()));
        assert_eq!(seen_host(&half, Family::V4, 25).gap, None);
        let whole = seen_host(&half, Family::Any, 25);
        assert_eq!((whole.addresses.len(), whole.gap), (1, Some(Gap::Unanswered("AAAA: SERVFAIL".into()))));
        assert_eq!(
            seen_host(&host(lookup(&["192.0.2.1"], None), lookup(&[], no_data.clone())), Family::V6, 25).gap,
            Some(Gap::OtherFamily)
        );
        let none = host(lookup(&[], no_data.clone()), lookup(&[], Some(Outcome::NxDomain)));
        assert_eq!(seen_host(&none, Family::Any, 25).gap, Some(Gap::NoAddress));
        let more = host(Lookup { left_out: 1, ..lookup(&["192.0.2.1"], None) }, lookup(&[], no_data));
        assert_eq!(seen_host(&more, Family::Any, 25).gap, Some(Gap::LeftOut));
    }

    #[test]
    fn what_is_no_name_is_no_host() {
        for target in [Target::Root, Target::Literal("192.0.2.1".parse().unwrap()), Target::Unspeakable] {
            let host = Exchanger { preference: 0, host: String::new(), target };
            let seen = seen_host(&host, Family::Any, 25);
            assert!(seen.addresses.is_empty() && matches!(seen.gap, Some(Gap::NotAHost(_))));
            assert_eq!(seen.name, ".");
        }
    }
}
