//! Asks: the addresses of the names given, the names of all addresses, the addresses of
//! those names. Each round waits for the one before it; within one all goes out at once.

use std::net::IpAddr;
use std::time::Duration;

use common::net::dns::{Ask, Settings, Upstream, address_kinds, ask_all};
use common::net::{Deadline, ProbeError};
use common::proto::dns::{DomainName, Kind, Question, reverse_name};

use crate::CheckRdns;
use crate::banner::read_banners;
use crate::options::Target;
use crate::seen::{Look, Seen, SeenAddress, in_order};

/// Addresses of one name that are checked.
pub(crate) const MAX_ADDRESSES: usize = 64;
/// Names of one address that are followed.
pub(crate) const MAX_NAMES: usize = 64;
/// With less time left than this no mail server is asked.
const LEAST_FOR_BANNERS: Duration = Duration::from_millis(200);

/// Looks and takes down what there is.
pub(crate) fn probe(options: &CheckRdns, deadline: &Deadline) -> Result<Seen, ProbeError> {
    let targets = &options.targets.hostname;
    let upstreams = options.dns.upstreams()?;
    let resolvers = upstreams.iter().map(ToString::to_string).collect();
    let mut asker = Asker { settings: options.dns.settings(), upstreams, deadline, looks: Vec::new() };

    let kinds = address_kinds(options.targets.family.family());
    let hosts: Vec<&DomainName> = in_order(targets.iter().filter_map(Target::name).collect());
    let helo = every(&options.names.helo, &[Kind::A, Kind::Aaaa]);
    asker.ask(every(hosts.iter().copied(), kinds).into_iter().chain(helo))?;

    let mut addresses = addresses(targets, &asker.looks);
    let reverse: Vec<DomainName> = addresses.iter().map(|one| reverse_name(one.address)).collect();
    asker.ask(every(&reverse, &[Kind::Ptr]))?;

    let forward: Vec<Question> = addresses.iter().flat_map(|one| forward(one, &asker.looks)).collect();
    asker.ask(forward)?;

    let least = options.names.smtp.map_or(Duration::ZERO, |_| LEAST_FOR_BANNERS.min(deadline.limit() / 10));
    let cut_short = (deadline.left() <= least).then(|| deadline.timeout());
    // No server can be blamed for time that it never had.
    if let Some(port) = options.names.smtp.filter(|_| cut_short.is_none()) {
        read_banners(&mut addresses, port, options.dns.source_ip, deadline)?;
    }
    Ok(Seen {
        resolvers,
        hosts: hosts.into_iter().map(ToString::to_string).collect(),
        kinds: kinds.to_vec(),
        addresses,
        looks: asker.looks,
        cut_short,
    })
}

fn every<'a>(names: impl IntoIterator<Item = &'a DomainName>, kinds: &[Kind]) -> Vec<Question> {
    let questions = |name: &DomainName| {
        let name = name.clone();
        kinds.iter().map(move |kind| Question { name: name.clone(), kind: *kind })
    };
    names.into_iter().flat_map(questions).collect()
}

/// The addresses given and those of the names given, each once.
fn addresses(targets: &[Target], looks: &[Look]) -> Vec<SeenAddress> {
    let mut all: Vec<SeenAddress> = Vec::new();
    let mut add = |address: IpAddr, name: Option<&DomainName>| {
        let of = name.map(ToString::to_string);
        match all.iter_mut().find(|one| one.address == address) {
            Some(known) => known.of = in_order(known.of.drain(..).chain(of).collect()),
            None => all.push(SeenAddress {
                address,
                of: of.into_iter().collect(),
                reverse: reverse_name(address).to_string(),
                banner: None,
            }),
        }
    };
    for target in targets {
        match target {
            Target::Address(address) => add(*address, None),
            Target::Name(name) => {
                let of_name = looks.iter().filter(|look| look.name == name.as_str());
                let found = in_order(of_name.flat_map(|look| look.said.addresses().to_vec()).collect());
                found.into_iter().take(MAX_ADDRESSES).for_each(|address| add(address, Some(name)));
            }
        }
    }
    all
}

/// What has to be asked to see whether the names of an address lead back to it. Names that
/// cannot be asked for are judged as they are.
fn forward(address: &SeenAddress, looks: &[Look]) -> Vec<Question> {
    let of_address = looks.iter().filter(|look| look.kind == Kind::Ptr && look.name == address.reverse);
    let names = in_order(of_address.flat_map(|look| look.said.names()).collect());
    let names = names.into_iter().take(MAX_NAMES).filter_map(|name| name.parse().ok());
    every(&names.collect::<Vec<_>>(), &[kind_of(address.address)])
}

/// The type of the records that hold an address.
pub(crate) const fn kind_of(address: IpAddr) -> Kind {
    match address {
        IpAddr::V4(_) => Kind::A,
        IpAddr::V6(_) => Kind::Aaaa,
    }
}

struct Asker<'a> {
    settings: Settings,
    upstreams: Vec<Upstream>,
    deadline: &'a Deadline,
    looks: Vec<Look>,
}

impl Asker<'_> {
    /// Asks every resolver what was not asked before.
    fn ask(&mut self, questions: impl IntoIterator<Item = Question>) -> Result<(), ProbeError> {
        let mut new: Vec<Question> = Vec::new();
        for question in questions {
            let is_same = |look: &Look| look.name == question.name.as_str() && look.kind == question.kind;
            if !new.contains(&question) && !self.looks.iter().any(is_same) {
                new.push(question);
            }
        }
        let to_all = |question: Question| {
            let ask = move |upstream| Ask { question: question.clone(), upstream, recurse: true };
            (0..self.upstreams.len()).map(ask)
        };
        let asks: Vec<Ask> = new.into_iter().flat_map(to_all).collect();
        let replies = ask_all(&asks, &self.upstreams, &self.settings, self.deadline)?;
        self.looks.extend(asks.iter().zip(&replies).map(|(ask, reply)| Look::new(ask, reply)));
        Ok(())
    }
}
