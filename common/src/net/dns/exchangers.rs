//! From a domain to the hosts that take its mail (RFC 5321 section 5.1): its MX records, or
//! the domain itself where there are none, and the addresses of each host.
//!
//! Nothing is judged here. A question without an answer is kept as what it came to, so that
//! nobody takes a server that is down for a domain without mail.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Ask, Reply, Settings, Upstream, ask_all};
use crate::net::{Deadline, Family, ProbeError};
use crate::proto::dns::{Answer, Data, DomainName, Kind, Outcome, Question, Record};

/// Hosts of one domain that are looked up.
pub const MAX_HOSTS: usize = 64;
/// Addresses kept of one host, of each family.
pub const MAX_ADDRESSES: usize = 64;
/// MX records kept of one answer.
const MAX_RECORDS: usize = 256;

/// The way of a domain's mail as one resolver tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchangers {
    /// Where the mail goes.
    pub route: Route,
    /// The MX records in the order in which they were given.
    pub records: Vec<Mx>,
    /// Records beyond those kept.
    pub left_out: usize,
    /// The hosts, the most preferred first, equals by name; with [`Route::Implicit`] the domain
    /// itself. Each host once, with its best preference.
    pub hosts: Vec<Exchanger>,
    /// The names the domain leads to. Its mail goes where the last one says.
    pub aliases: Vec<String>,
    /// The records come from a server that holds the zone.
    pub authoritative: bool,
    /// The resolver says that it validated them (RFC 4035 section 3.2.3).
    #[serde(default)]
    pub authenticated: bool,
    /// Who was asked for the records.
    pub server: Option<SocketAddr>,
    /// How long that took; none without an answer.
    pub time: Option<Duration>,
}

/// Where mail for a domain goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// To the hosts of its MX records.
    Listed,
    /// Nowhere, and it says so: one record without a host (RFC 7505).
    Null,
    /// To the addresses of the domain itself, for it has no MX records.
    Implicit,
    /// Nowhere: the domain has neither MX records nor addresses.
    Nowhere,
    /// Nowhere: there is no such domain.
    NoDomain,
    /// Nobody knows: a question that decides this came to no answer.
    Unanswered(Outcome),
}

/// An MX record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Mx {
    /// Lower is tried first.
    pub preference: u16,
    /// The host; empty for the root, which is no host.
    pub host: String,
    /// How long the record may be kept, seconds.
    pub ttl: u32,
}

/// A host that takes mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchanger {
    /// Lower is tried first.
    pub preference: u16,
    /// Its name as the record has it, in lower case.
    pub host: String,
    /// What came of the name.
    pub target: Target,
}

/// What came of the name in an MX record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "there are few, and nearly all of them are names")]
pub enum Target {
    /// The root, which has no addresses (RFC 7505).
    Root,
    /// An address where a name belongs (RFC 1035 section 3.3.9).
    Literal(IpAddr),
    /// Characters that no host name has.
    Unspeakable,
    /// It was asked for.
    Name {
        /// Its IPv4 addresses.
        ipv4: Lookup,
        /// Its IPv6 addresses.
        ipv6: Lookup,
    },
    /// There are more hosts than are looked up.
    LeftOut,
}

/// What came of asking for a name's addresses of one family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lookup {
    /// The addresses.
    pub addresses: Vec<IpAddr>,
    /// Addresses beyond those kept.
    pub left_out: usize,
    /// How long they may be kept, seconds.
    pub ttl: Option<u32>,
    /// The names it leads to; a host in an MX record must not be an alias (RFC 2181 section
    /// 10.3).
    pub aliases: Vec<String>,
    /// The answer comes from a server that holds the zone.
    pub authoritative: bool,
    /// The resolver says that it validated the answer (RFC 4035 section 3.2.3).
    #[serde(default)]
    pub authenticated: bool,
    /// Who was asked: where a resolver gave no answer it is the next one.
    #[serde(default)]
    pub server: Option<SocketAddr>,
    /// Why there are no addresses: NODATA, NXDOMAIN, or what kept us from knowing.
    pub without: Option<Outcome>,
}

impl Exchanger {
    /// Its addresses of these families.
    pub fn addresses(&self, family: Family) -> impl Iterator<Item = IpAddr> {
        self.lookups()
            .into_iter()
            .flat_map(|lookup| lookup.addresses.iter().copied())
            .filter(move |address| family.allows(*address))
    }

    /// The name it is an alias of.
    #[must_use]
    pub fn alias(&self) -> Option<&str> {
        self.lookups().into_iter().find_map(|lookup| lookup.aliases.first()).map(String::as_str)
    }

    /// Whether it is known that it has no address.
    #[must_use]
    pub fn has_no_address(&self) -> bool {
        let lookups = self.lookups();
        !lookups.is_empty() && lookups.iter().all(|lookup| lookup.is_answer() && lookup.addresses.is_empty())
    }

    /// What kept us from knowing its addresses, with the family.
    #[must_use]
    pub fn unanswered(&self) -> Option<(Kind, &Outcome)> {
        let kinds = [Kind::A, Kind::Aaaa];
        let open = |(lookup, kind): (&Lookup, Kind)| (!lookup.is_answer()).then_some(kind);
        self.lookups()
            .into_iter()
            .zip(kinds)
            .find_map(|(lookup, kind)| open((lookup, kind)).zip(lookup.without.as_ref()))
    }

    /// IPv4 first; none for what was not asked for.
    #[must_use]
    pub fn lookups(&self) -> Vec<&Lookup> {
        match &self.target {
            Target::Name { ipv4, ipv6 } => vec![ipv4, ipv6],
            _ => Vec::new(),
        }
    }
}

impl Lookup {
    /// Whether the question was answered, with addresses or without.
    #[must_use]
    pub fn is_answer(&self) -> bool {
        self.without.as_ref().is_none_or(Outcome::is_answer)
    }

    fn from_reply(reply: Reply) -> Self {
        let Reply { answer, server, .. } = reply;
        let records = answer.outcome.records();
        let addresses: Vec<IpAddr> = records.iter().filter_map(|record| address(&record.data)).collect();
        let ttl = records.iter().map(|record| record.ttl).min();
        let (left_out, authoritative, authenticated) =
            (answer.left_out, answer.authoritative, answer.authenticated);
        let without = match answer.outcome {
            Outcome::Records(_) => None,
            other => Some(other.without_records()),
        };
        let aliases = answer.aliases;
        Self { addresses, left_out, ttl, aliases, authoritative, authenticated, server, without }
    }

    fn not_asked() -> Self {
        Self::from_reply(Reply::without_answer(Outcome::NotAsked, None))
    }
}

/// The address in an A or AAAA record.
pub(super) const fn address(data: &Data) -> Option<IpAddr> {
    match data {
        Data::A(address) => Some(IpAddr::V4(*address)),
        Data::Aaaa(address) => Some(IpAddr::V6(*address)),
        _ => None,
    }
}

/// Asks each upstream for the mail exchangers of a domain and their addresses: two rounds, in
/// each of which all questions go out at once. One result for each upstream, in their order.
pub fn exchangers(
    domain: &DomainName,
    upstreams: &[Upstream],
    settings: &Settings,
    deadline: &Deadline,
) -> Result<Vec<Exchangers>, ProbeError> {
    let mut all = mx_records(domain, upstreams, true, settings, deadline)?;

    let wanted: Vec<(usize, DomainName)> = all
        .iter()
        .enumerate()
        .flat_map(|(upstream, one)| one.names().map(move |name| (upstream, name)))
        .collect();
    let asks: Vec<Ask> = wanted
        .iter()
        .flat_map(|(upstream, name)| [Kind::A, Kind::Aaaa].map(|kind| ask(name, kind, *upstream)))
        .collect();
    let settings = Settings { most_records: MAX_ADDRESSES, ..settings.clone() };
    let mut replies = ask_all(&asks, upstreams, &settings, deadline)?.into_iter();
    let mut found: Vec<HashMap<String, Target>> = all.iter().map(|_| HashMap::new()).collect();
    for (upstream, name) in &wanted {
        let mut lookup = || replies.next().map_or_else(Lookup::not_asked, Lookup::from_reply);
        let target = Target::Name { ipv4: lookup(), ipv6: lookup() };
        if let Some(of_upstream) = found.get_mut(*upstream) {
            of_upstream.insert(name.as_str().to_owned(), target);
        }
    }
    for (one, mut found) in all.iter_mut().zip(found) {
        one.take_in(&mut found);
    }
    Ok(all)
}

/// The first round alone: the MX records, and no addresses. Without `recurse` each server tells
/// only what it holds itself. [`Route::Implicit`] says here that there are no MX records.
pub fn mx_records(
    domain: &DomainName,
    upstreams: &[Upstream],
    recurse: bool,
    settings: &Settings,
    deadline: &Deadline,
) -> Result<Vec<Exchangers>, ProbeError> {
    let question = |upstream| Ask { recurse, ..ask(domain, Kind::Mx, upstream) };
    let asks: Vec<Ask> = (0..upstreams.len()).map(question).collect();
    let settings = Settings { most_records: MAX_RECORDS, ..settings.clone() };
    let replies = ask_all(&asks, upstreams, &settings, deadline)?;
    Ok(replies.into_iter().map(|reply| Exchangers::from_reply(domain, reply)).collect())
}

impl Exchangers {
    /// What the answer to the question for MX records says; the hosts are not looked up yet.
    fn from_reply(domain: &DomainName, reply: Reply) -> Self {
        let Reply { answer, server, time } = reply;
        let records: Vec<Mx> = answer.outcome.records().iter().filter_map(mx).collect();
        let Answer { aliases, authoritative, authenticated, left_out, .. } = answer;
        let route = match answer.outcome {
            Outcome::Records(_) if records.len() == 1 && records.iter().all(|one| one.host.is_empty()) => {
                Route::Null
            }
            Outcome::Records(_) => Route::Listed,
            // Settled by the addresses of the domain.
            Outcome::NoData => Route::Implicit,
            Outcome::NxDomain => Route::NoDomain,
            other => Route::Unanswered(other.without_records()),
        };
        let hosts = match route {
            Route::Listed | Route::Null => hosts(&records),
            Route::Implicit => {
                vec![Exchanger { preference: 0, host: domain.to_string(), target: Target::LeftOut }]
            }
            _ => Vec::new(),
        };
        let time = time.filter(|_| !matches!(route, Route::Unanswered(_)));
        Self { route, records, left_out, hosts, aliases, authoritative, authenticated, server, time }
    }

    /// The names whose addresses are wanted.
    fn names(&self) -> impl Iterator<Item = DomainName> {
        let unsettled = |host: &&Exchanger| host.target == Target::LeftOut;
        self.hosts.iter().filter(unsettled).filter_map(|host| host.host.parse().ok()).take(MAX_HOSTS)
    }

    /// Puts the addresses in, and settles by those of the domain what depends on them.
    fn take_in(&mut self, found: &mut HashMap<String, Target>) {
        for host in &mut self.hosts {
            if let Some(target) = found.remove(&host.host) {
                host.target = target;
            }
        }
        if self.route != Route::Implicit {
            return;
        }
        let Some(domain) = self.hosts.first() else { return };
        if domain.addresses(Family::Any).next().is_some() {
            return;
        }
        self.route = match domain.unanswered() {
            Some((_, outcome)) => Route::Unanswered(outcome.clone()),
            None => Route::Nowhere,
        };
    }
}

/// Each host once, in the order in which a sender tries them (RFC 5321 section 5.1), names
/// instead of chance among equals.
fn hosts(records: &[Mx]) -> Vec<Exchanger> {
    let mut sorted: Vec<&Mx> = records.iter().collect();
    sorted.sort();
    let mut hosts: Vec<Exchanger> = Vec::new();
    for record in sorted {
        if hosts.iter().all(|known| known.host != record.host) {
            let target = target(&record.host);
            hosts.push(Exchanger { preference: record.preference, host: record.host.clone(), target });
        }
    }
    hosts
}

/// What the name alone says; a good one is looked up next.
fn target(host: &str) -> Target {
    // A colon or a bracket in a label is written with its escape.
    let plain = host.replace('\\', "");
    let bare = plain.trim_start_matches('[').trim_end_matches(']');
    let bare = if bare.get(..5).is_some_and(|tag| tag.eq_ignore_ascii_case("ipv6:")) {
        bare.get(5..).unwrap_or_default()
    } else {
        bare
    };
    match bare.parse::<IpAddr>() {
        _ if host.is_empty() => Target::Root,
        Ok(address) => Target::Literal(address),
        Err(_) if host.parse::<DomainName>().is_ok() => Target::LeftOut,
        Err(_) => Target::Unspeakable,
    }
}

fn mx(record: &Record) -> Option<Mx> {
    match &record.data {
        Data::Mx { preference, exchange } => {
            Some(Mx { preference: *preference, host: exchange.clone(), ttl: record.ttl })
        }
        _ => None,
    }
}

fn ask(name: &DomainName, kind: Kind, upstream: usize) -> Ask {
    Ask { question: Question { name: name.clone(), kind }, upstream, recurse: true }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn records(list: &[(u16, &str)]) -> Vec<Mx> {
        list.iter()
            .map(|(preference, host)| Mx { preference: *preference, host: (*host).into(), ttl: 300 })
            .collect()
    }

    #[test]
    fn hosts_come_in_the_order_of_senders_and_once() {
        let list = records(&[(20, "c.test"), (10, "b.test"), (30, "b.test"), (10, "a.test")]);
        let order: Vec<(u16, String)> =
            hosts(&list).into_iter().map(|host| (host.preference, host.host)).collect();
        assert_eq!(order, [(10, "a.test".into()), (10, "b.test".into()), (20, "c.test".into())]);
    }

    #[test]
    fn addresses_are_told_from_names() {
        let literal = |text: &str| Target::Literal(text.parse().unwrap());
        for (host, want) in [
            ("", Target::Root),
            ("192.0.2.1", literal("192.0.2.1")),
            ("\\[192.0.2.1\\]", literal("192.0.2.1")),
            ("[192.0.2.1]", literal("192.0.2.1")),
            ("2001:db8::1", literal("2001:db8::1")),
            ("[ipv6:2001:db8::1]", literal("2001:db8::1")),
            ("mx.example", Target::LeftOut),
            ("1.2.3.4.example", Target::LeftOut),
            ("a\\032b.example", Target::Unspeakable),
            ("\\255\\254.example", Target::Unspeakable),
        ] {
            assert_eq!(target(host), want, "{host}");
        }
    }

    #[test]
    fn a_lookup_without_addresses_says_why() {
        let lookup = |outcome| Lookup::from_reply(Reply::without_answer(outcome, None));
        assert!(lookup(Outcome::NoData).is_answer() && lookup(Outcome::NxDomain).is_answer());
        assert!(!lookup(Outcome::ServFail).is_answer() && !lookup(Outcome::Timeout).is_answer());
        let host = |ipv4: Outcome, ipv6: Outcome| Exchanger {
            preference: 0,
            host: "a.test".into(),
            target: Target::Name { ipv4: lookup(ipv4), ipv6: lookup(ipv6) },
        };
        assert!(host(Outcome::NoData, Outcome::NxDomain).has_no_address());
        let open = host(Outcome::NoData, Outcome::ServFail);
        assert!(!open.has_no_address(), "nobody knows");
        assert_eq!(open.unanswered(), Some((Kind::Aaaa, &Outcome::ServFail)));
    }

    proptest! {
        #[test]
        fn any_name_is_one_kind_of_target(host in "\\PC{0,40}|([a-z0-9\\\\:\\[\\].]{0,20})") {
            match target(&host) {
                Target::Root => prop_assert!(host.is_empty()),
                Target::LeftOut => prop_assert!(host.parse::<DomainName>().is_ok()),
                Target::Literal(address) => prop_assert!(host.contains('.') || host.contains(':'), "{address}"),
                Target::Unspeakable => prop_assert!(host.parse::<DomainName>().is_err()),
                Target::Name { .. } => prop_assert!(false, "nothing was asked"),
            }
        }

        #[test]
        fn any_records_give_each_host_once_and_in_order(
            list in prop::collection::vec((0u16..4, "[a-d]{0,2}", any::<u32>()), 0..40)
        ) {
            let records: Vec<Mx> =
                list.into_iter().map(|(preference, host, ttl)| Mx { preference, host, ttl }).collect();
            let hosts = hosts(&records);
            let order: Vec<(u16, &str)> =
                hosts.iter().map(|host| (host.preference, host.host.as_str())).collect();
            prop_assert!(order.is_sorted());
            for record in &records {
                let of_host: Vec<u16> =
                    order.iter().filter(|(_, host)| *host == record.host).map(|(it, _)| *it).collect();
                prop_assert_eq!(of_host.len(), 1);
                prop_assert!(of_host[0] <= record.preference);
            }
        }
    }
}
