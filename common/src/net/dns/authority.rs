//! The name servers of a zone: found through a resolver, and walked to over the delegation by
//! the zone above, whose word may differ from that of the servers themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::exchangers::address;
use super::{Ask, Reply, Settings, Upstream, ask_all};
use crate::net::{Deadline, Family, ProbeError};
use crate::proto::dns::{Answer, Data, DomainName, Kind, Outcome, Question, Record};

/// Asks one resolver, or several that stand in for one another, in rounds.
#[derive(Debug)]
pub struct Resolver<'a> {
    upstream: [Upstream; 1],
    settings: &'a Settings,
    deadline: &'a Deadline,
}

/// A name server and where it can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameServer {
    /// Its name, in lower case.
    pub name: String,
    /// Its addresses, IPv4 first.
    pub addresses: Vec<IpAddr>,
    /// Why it has none, or not all of them.
    pub without: Option<Outcome>,
}

/// Who serves a zone, and who says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegation {
    /// The zone that holds the name.
    pub zone: DomainName,
    /// The zone above it.
    pub parent: DomainName,
    /// What each server of the zone above says about it.
    pub above: Vec<Above>,
    /// Every server that anybody names.
    pub servers: Vec<ZoneServer>,
    /// Addresses beyond those asked.
    pub left_out: usize,
    /// Servers of the zone beyond those whose addresses were looked up.
    #[serde(default)]
    pub servers_left_out: usize,
    /// Servers of the zone above beyond those asked.
    #[serde(default)]
    pub above_left_out: usize,
}

/// What a server of the zone above says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Above {
    /// Its name.
    pub server: String,
    /// The names of the zone's servers; without an answer what came instead.
    pub names: Result<Vec<String>, Outcome>,
    /// It holds the zone that it speaks for.
    #[serde(default)]
    pub authoritative: bool,
}

impl Above {
    /// Whether it knows for certain that there is no such zone.
    #[must_use]
    pub fn denies(&self) -> bool {
        self.authoritative && matches!(self.names, Err(Outcome::NxDomain))
    }
}

/// A server that is said to serve the zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZoneServer {
    /// Its name.
    pub name: String,
    /// A server of the zone above names it.
    pub delegated: bool,
    /// A server of the zone names it.
    pub listed: bool,
    /// What it says at each of its addresses.
    pub words: Vec<Word>,
    /// Why it has no addresses, or not all of them.
    pub without: Option<Outcome>,
    /// Addresses that the zone above has for it, and it has not.
    pub stale_glue: Vec<IpAddr>,
}

/// What a server says about the zone at one of its addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// The address.
    pub address: SocketAddr,
    /// The answer to the question for the start of the zone.
    pub soa: Answer,
    /// The answer to the question for its servers.
    pub ns: Answer,
}

impl Word {
    /// The version of the zone; none from a server that does not hold it.
    #[must_use]
    pub fn serial(&self) -> Option<u32> {
        self.soa.outcome.records().iter().find_map(|record| match record.data {
            Data::Soa { serial, .. } if self.soa.authoritative => Some(serial),
            _ => None,
        })
    }

    /// The servers it names; none from a server that does not hold the zone.
    #[must_use]
    pub fn names(&self) -> Option<Vec<String>> {
        let names = names_of(self.ns.outcome.records());
        (self.ns.authoritative && !names.is_empty()).then_some(names)
    }
}

/// Addresses of servers that are asked in one walk.
const MAX_ADDRESSES: usize = 64;
/// Servers of one zone; the root has 13, and no answer has room for many more.
const MAX_SERVERS: usize = 16;
/// Records kept of one answer.
const MAX_RECORDS: usize = 64;

impl<'a> Resolver<'a> {
    /// All of these as one that does not fall silent easily.
    #[must_use]
    pub fn new(upstreams: &[Upstream], settings: &'a Settings, deadline: &'a Deadline) -> Self {
        let servers = upstreams.iter().flat_map(|one| one.servers.clone()).collect();
        Self { upstream: [Upstream { servers }], settings, deadline }
    }

    fn ask(&self, questions: Vec<Question>) -> Result<Vec<Reply>, ProbeError> {
        let asks: Vec<Ask> =
            questions.into_iter().map(|question| Ask { question, upstream: 0, recurse: true }).collect();
        ask_all(&asks, &self.upstream, self.settings, self.deadline)
    }

    /// Asks servers for what they hold themselves.
    fn ask_holders(&self, asks: &[Ask], upstreams: &[Upstream]) -> Result<Vec<Reply>, ProbeError> {
        let settings = Settings { most_records: MAX_RECORDS, ..self.settings.clone() };
        ask_all(asks, upstreams, &settings, self.deadline)
    }

    /// The addresses of name servers.
    fn addresses(&self, names: &[String]) -> Result<Vec<NameServer>, ProbeError> {
        let askable: Vec<Option<DomainName>> = names.iter().map(|name| name.parse().ok()).collect();
        let questions = askable
            .iter()
            .flatten()
            .flat_map(|name| [Kind::A, Kind::Aaaa].map(|kind| Question { name: name.clone(), kind }));
        let mut replies = self.ask(questions.collect())?.into_iter();
        Ok(names
            .iter()
            .zip(askable)
            .map(|(name, askable)| {
                let pair: Vec<Reply> = replies.by_ref().take(if askable.is_some() { 2 } else { 0 }).collect();
                server_at(name, &pair)
            })
            .collect())
    }
}

/// The servers of each zone with their addresses, at most so many of each, or why there are
/// none. Where a name is no zone of its own, the SOA of the negative answer names the zone it
/// lives in.
pub fn zone_servers(
    zones: &[&DomainName],
    most: usize,
    resolver: &Resolver<'_>,
) -> Result<Vec<Result<Vec<NameServer>, String>>, ProbeError> {
    let question = |name: &DomainName| Question { name: name.clone(), kind: Kind::Ns };
    let first = resolver.ask(zones.iter().map(|zone| question(zone)).collect())?;
    let mut names: Vec<Result<Vec<String>, String>> =
        first.iter().zip(zones).map(|(reply, zone)| found_names(reply, zone)).collect();
    let around: Vec<(usize, DomainName)> = first
        .iter()
        .enumerate()
        .filter(|(_, reply)| reply.outcome().records().is_empty())
        .filter_map(|(at, reply)| Some((at, reply.answer.zone.as_ref()?.parse().ok()?)))
        .collect();
    let second = resolver.ask(around.iter().map(|(_, zone)| question(zone)).collect())?;
    for (reply, (at, zone)) in second.iter().zip(&around) {
        if let Some(slot) = names.get_mut(*at) {
            *slot = found_names(reply, zone);
        }
    }
    for found in names.iter_mut().flatten() {
        found.truncate(most);
    }
    let all: Vec<String> = names.iter().flatten().flatten().cloned().collect();
    let mut servers = resolver.addresses(&all)?.into_iter();
    Ok(names.into_iter().map(|found| Ok(servers.by_ref().take(found?.len()).collect())).collect())
}

/// Walks to the servers of the zone that holds a name: the resolver tells who serves the zones
/// above, their servers tell whom they delegate to, and each of those is asked at each of its
/// addresses. Without a result nobody could be found to ask, for the reason given.
pub fn delegation(
    name: &DomainName,
    port: u16,
    family: Family,
    resolver: &Resolver<'_>,
) -> Result<Result<Delegation, String>, ProbeError> {
    let walk = match Cut::find(name, resolver)? {
        Ok(cut) => Walk { cut, port, family, resolver, servers: BTreeMap::new(), asked: 0, left_out: 0 },
        Err(why) => return Ok(Err(why)),
    };
    walk.run()
}

/// Where a zone begins.
struct Cut {
    zone: DomainName,
    /// Its servers as the resolver knows them; none when that failed.
    names: Vec<String>,
    parent: DomainName,
    parent_names: Vec<String>,
}

impl Cut {
    /// Looks for name servers at the name and at all names above it, at once.
    fn find(name: &DomainName, resolver: &Resolver<'_>) -> Result<Result<Self, String>, ProbeError> {
        let above = std::iter::successors(Some(name.clone()), DomainName::parent);
        let chain: Vec<DomainName> = above.chain([DomainName::root()]).collect();
        let questions = chain.iter().map(|name| Question { name: name.clone(), kind: Kind::Ns }).collect();
        let replies = resolver.ask(questions)?;
        let mut found = chain.iter().zip(&replies).filter_map(|(zone, reply)| {
            let names = own_names(reply, zone);
            // A name without servers is no zone; one that nobody can tell us about may be one.
            let is_open = names.is_empty() && !reply.outcome().is_answer();
            (is_open || !names.is_empty()).then_some((zone, names, reply))
        });
        let Some((zone, names, reply)) = found.next() else {
            return Ok(Err(format!("no name server found for {name} nor for any zone above it")));
        };
        let why = format!("cannot find the name servers above {zone}: {}", reply.outcome());
        let Some((parent, parent_names, _)) = found.find(|(_, names, _)| !names.is_empty()) else {
            return Ok(Err(why));
        };
        Ok(Ok(Self { zone: zone.clone(), names, parent: parent.clone(), parent_names }))
    }
}

struct Walk<'a> {
    cut: Cut,
    port: u16,
    family: Family,
    resolver: &'a Resolver<'a>,
    servers: BTreeMap<String, ZoneServer>,
    asked: usize,
    left_out: usize,
}

impl Walk<'_> {
    fn run(mut self) -> Result<Result<Delegation, String>, ProbeError> {
        let above_left_out = self.cut.parent_names.len().saturating_sub(MAX_SERVERS);
        self.cut.parent_names.truncate(MAX_SERVERS);
        let known = self.cut.names.get(..self.cut.names.len().min(MAX_SERVERS)).unwrap_or_default();
        let wanted = [self.cut.parent_names.as_slice(), known].concat();
        let mut found = self.resolver.addresses(&wanted)?;
        let own = found.split_off(self.cut.parent_names.len().min(found.len()));

        let replies = self.ask_above(&found)?;
        if self.cut.names.is_empty()
            && let Some(zone) = replies.iter().find_map(|reply| delegated_zone(reply, &self.cut.zone))
        {
            self.cut.zone = zone;
        }
        let above = self.above(&found, &replies);
        let glue: Vec<&Record> = replies.iter().flat_map(|reply| &reply.answer.glue).collect();

        self.visit(own, &glue)?;
        let delegated: Vec<&String> =
            above.iter().filter_map(|one| one.names.as_ref().ok()).flatten().collect();
        self.meet_the_others(&delegated, &glue)?;
        if let Some(why) = self.undelegated(&above) {
            return Ok(Err(why));
        }
        let servers_left_out = self.compare(&delegated, &replies);
        let left_out = self.left_out;
        let Cut { zone, parent, .. } = self.cut;
        let servers = self.servers.into_values().collect();
        Ok(Ok(Delegation { zone, parent, above, servers, left_out, servers_left_out, above_left_out }))
    }

    /// What each server of the zone above says.
    fn above(&self, servers: &[NameServer], replies: &[Reply]) -> Vec<Above> {
        let one = |(server, reply): (&NameServer, &Reply)| Above {
            server: server.name.clone(),
            names: names_above(reply, &self.cut.zone),
            authoritative: reply.answer.authoritative,
        };
        servers.iter().zip(replies).map(one).collect()
    }

    /// Why there is nobody to ask, unless all agree that there is no such zone.
    fn undelegated(&self, above: &[Above]) -> Option<String> {
        let is_denied = !above.is_empty() && above.iter().all(Above::denies);
        if !self.servers.is_empty() || is_denied {
            return None;
        }
        let why =
            above.iter().find_map(|one| Some(format!(": {}: {}", one.server, one.names.as_ref().err()?)));
        let zones = format!("{} by the servers of {}", self.cut.zone, self.cut.parent);
        Some(format!("no delegation of {zones}{}", why.unwrap_or_default()))
    }

    /// Takes down who names each server, and counts those whose addresses were not looked up.
    fn compare(&mut self, delegated: &[&String], replies: &[Reply]) -> usize {
        let words = || self.servers.values().flat_map(|server| &server.words);
        let listed: Vec<String> = words().filter_map(Word::names).flatten().collect();
        let unvisited: BTreeSet<&String> =
            (self.cut.names.iter().chain(delegated.iter().copied()).chain(&listed))
                .filter(|name| !self.servers.contains_key(*name))
                .collect();
        // What an answer had no room for in our memory has no name here.
        let beyond = replies.iter().map(|reply| reply.answer.left_out);
        let beyond = beyond.chain(words().map(|word| word.ns.left_out)).max().unwrap_or_default();
        let left_out = unvisited.len() + beyond;
        for server in self.servers.values_mut() {
            server.delegated = delegated.contains(&&server.name);
            server.listed = listed.contains(&server.name);
        }
        left_out
    }

    /// Asks each server of the zone above, at whichever of its addresses answers.
    fn ask_above(&self, servers: &[NameServer]) -> Result<Vec<Reply>, ProbeError> {
        let upstreams: Vec<Upstream> =
            servers.iter().map(|server| Upstream { servers: self.places(&server.addresses) }).collect();
        let question = Question { name: self.cut.zone.clone(), kind: Kind::Ns };
        let asks: Vec<Ask> = (0..upstreams.len())
            .map(|upstream| Ask { question: question.clone(), upstream, recurse: false })
            .collect();
        self.resolver.ask_holders(&asks, &upstreams)
    }

    fn places(&self, addresses: &[IpAddr]) -> Vec<SocketAddr> {
        let allowed = addresses.iter().filter(|address| self.family.allows(**address));
        allowed.map(|address| SocketAddr::new(*address, self.port)).collect()
    }

    /// Asks servers at every address, their own and that of the glue.
    fn visit(&mut self, servers: Vec<NameServer>, glue: &[&Record]) -> Result<(), ProbeError> {
        let mut places: Vec<(String, SocketAddr)> = Vec::new();
        for mut server in servers {
            let is_known = server.without.as_ref().is_none_or(Outcome::is_answer);
            let mut stale_glue: Vec<IpAddr> = glue_of(&server.name, glue);
            stale_glue.retain(|address| !server.addresses.contains(address));
            server.addresses.extend(&stale_glue);
            if !is_known {
                stale_glue.clear();
            }
            for place in self.places(&server.addresses) {
                if self.asked < MAX_ADDRESSES {
                    self.asked += 1;
                    places.push((server.name.clone(), place));
                } else {
                    self.left_out += 1;
                }
            }
            let NameServer { name, without, .. } = server;
            let server = ZoneServer {
                name: name.clone(),
                delegated: false,
                listed: false,
                words: Vec::new(),
                without,
                stale_glue,
            };
            self.servers.insert(name, server);
        }
        let upstreams: Vec<Upstream> =
            places.iter().map(|(_, place)| Upstream { servers: vec![*place] }).collect();
        let asks: Vec<Ask> = (0..upstreams.len())
            .flat_map(|upstream| {
                [Kind::Soa, Kind::Ns].map(|kind| {
                    let question = Question { name: self.cut.zone.clone(), kind };
                    Ask { question, upstream, recurse: false }
                })
            })
            .collect();
        let mut replies = self.resolver.ask_holders(&asks, &upstreams)?.into_iter().map(|reply| reply.answer);
        for (name, address) in places {
            if let (Some(soa), Some(ns), Some(server)) =
                (replies.next(), replies.next(), self.servers.get_mut(&name))
            {
                server.words.push(Word { address, soa, ns });
            }
        }
        Ok(())
    }

    /// Asks those whom the resolver did not name, but the zone above or the zone itself.
    fn meet_the_others(&mut self, delegated: &[&String], glue: &[&Record]) -> Result<(), ProbeError> {
        let listed = self.servers.values().flat_map(|server| &server.words).filter_map(Word::names).flatten();
        let mut new: Vec<String> = delegated.iter().map(|name| (*name).clone()).chain(listed).collect();
        new.sort_unstable();
        new.dedup();
        new.retain(|name| !self.servers.contains_key(name));
        new.truncate(MAX_SERVERS);
        if new.is_empty() {
            return Ok(());
        }
        let found = self.resolver.addresses(&new)?;
        self.visit(found, glue)
    }
}

/// The zone that a referral on the way to a name leads to.
fn delegated_zone(reply: &Reply, name: &DomainName) -> Option<DomainName> {
    let Outcome::Referral(records) = reply.outcome() else { return None };
    let owners = records.iter().filter(|record| matches!(record.data, Data::Ns(_)));
    owners.filter_map(|record| record.name.parse().ok()).find(|owner| name.is_within(owner))
}

/// What a server of the zone above says about a zone: a referral, or an answer where it serves
/// that zone, too.
fn names_above(reply: &Reply, zone: &DomainName) -> Result<Vec<String>, Outcome> {
    let names = own_names(reply, zone);
    if names.is_empty() { Err(reply.outcome().clone().without_records()) } else { Ok(names) }
}

fn found_names(reply: &Reply, zone: &DomainName) -> Result<Vec<String>, String> {
    let names = own_names(reply, zone);
    if names.is_empty() { Err(format!("no name server found: {}", reply.outcome())) } else { Ok(names) }
}

/// The name servers of a zone in an answer or in a delegation.
fn own_names(reply: &Reply, zone: &DomainName) -> Vec<String> {
    let records = match reply.outcome() {
        Outcome::Referral(records) => records.as_slice(),
        other => other.records(),
    };
    let own = records.iter().filter(|record| record.name == zone.as_str());
    names_of(own)
}

fn names_of<'a>(records: impl IntoIterator<Item = &'a Record>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for record in records {
        if let Data::Ns(name) = &record.data
            && !names.contains(name)
        {
            names.push(name.clone());
        }
    }
    names
}

fn glue_of(name: &str, glue: &[&Record]) -> Vec<IpAddr> {
    let mut addresses: Vec<IpAddr> =
        glue.iter().filter(|record| record.name == name).filter_map(|record| address(&record.data)).collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

fn server_at(name: &str, replies: &[Reply]) -> NameServer {
    let mut addresses: Vec<IpAddr> = replies
        .iter()
        .flat_map(|reply| reply.outcome().records())
        .filter_map(|record| address(&record.data))
        .take(MAX_ADDRESSES)
        .collect();
    // IPv4 first: a host without IPv6 must not lose a try to it.
    addresses.sort_by_key(IpAddr::is_ipv6);
    let open = replies.iter().map(Reply::outcome).find(|outcome| !outcome.is_answer());
    let without = match open {
        Some(outcome) => Some(outcome.clone().without_records()),
        None if !addresses.is_empty() => None,
        None => Some(replies.first().map_or_else(
            || Outcome::Malformed("a name that no host can have".to_owned()),
            |reply| reply.outcome().clone(),
        )),
    };
    NameServer { name: name.to_owned(), addresses, without }
}
