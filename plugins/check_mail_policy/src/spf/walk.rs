//! What a record costs whoever reads it to the end, and whom it lets send, as far as that can be
//! said without a client (RFC 7208 section 4.6.4): all includes and redirects are followed, level
//! by level, so that one round of questions makes one level known.

use std::net::IpAddr;

use common::proto::dns::{Data, DomainName, Kind, Outcome, Record};

use super::macros::{Letter, MacroString};
use super::published::{Published, published};
use super::record::{Directive, Mechanism, Prefixes, Qualifier, SpfRecord};
use super::syntax::SyntaxError;
use super::world::World;
use crate::answers::{Answers, asked_name};
use crate::lookup::Unanswered;

/// All that a domain's record leads to.
#[derive(Debug, Default)]
pub(super) struct Walk<'a> {
    /// The records, the domain's own first, each behind the one that leads to it.
    pub(super) nodes: Vec<Node<'a>>,
    /// Terms that ask name servers.
    pub(super) lookups: usize,
    /// There are more: the rest was not looked at.
    pub(super) is_cut: bool,
    /// Questions with an empty answer; those for addresses only where both families are empty.
    pub(super) voids: Vec<String>,
    /// Questions without an answer.
    pub(super) open: Vec<Unanswered>,
    /// What is odd about single terms.
    pub(super) remarks: Vec<(usize, Remark<'a>)>,
    /// The addresses that may send.
    pub(super) world: World,
}

/// One record.
#[derive(Debug)]
pub(super) struct Node<'a> {
    pub(super) domain: DomainName,
    /// The record that leads here.
    pub(super) parent: Option<usize>,
    /// How it does.
    pub(super) link: Link,
    /// The result of this one is the result of all: it was reached by redirects alone.
    pub(super) decides: bool,
    /// Who passes here passes in all: each include on the way says so.
    pub(super) lets_pass: bool,
    pub(super) content: Content<'a>,
}

/// How one record leads to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    Include,
    Redirect,
}

/// What stands at a name.
#[derive(Debug)]
pub(super) enum Content<'a> {
    /// A record.
    Read { text: &'a str, record: SpfRecord<'a> },
    /// A record with a fault.
    Broken { text: &'a str, error: SyntaxError<'a> },
    /// None, as this answer says.
    Missing(&'a Outcome),
    /// Several records.
    Several(usize),
    /// A question without an answer.
    Open,
    /// A record above leads here: whoever follows never ends.
    Loop,
}

/// Something about a term of a record.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Remark<'a> {
    /// Everybody passes.
    Everybody(Directive<'a>),
    /// More exchangers than may be asked for: so many.
    TooManyExchangers(Directive<'a>, usize),
    /// It needs the name of the client.
    Ptr(Directive<'a>),
    /// Nobody can ask for such a name.
    NoName(String),
    /// An include or redirect to such a name.
    LeadsNowhere(String),
    /// An include or redirect that depends on the client, so that it was not followed.
    NotFollowed(String),
    /// A mechanism that depends on the client.
    AsksForClient(Directive<'a>),
    /// A term that lets pass whom servers of the client's choice let pass.
    ClientChooses(String),
}

/// Terms that are looked at: enough to say that there are far too many.
const MOST_LOOKUPS: usize = 40;
/// Exchangers of one term (RFC 7208 section 4.6.4).
pub(super) const MOST_EXCHANGERS: usize = 10;

/// What a name in a term stands for when no client is known.
enum Target {
    Name(DomainName),
    /// It depends on who sends.
    Client,
    /// No name at all, or one that cannot be asked for.
    None(String),
}

/// Follows a domain's record as far as the answers go; what is missing is wanted.
pub(super) fn walk<'a>(answers: &'a Answers, domain: &DomainName) -> Walk<'a> {
    let mut walk = Walk::default();
    let way = Way { parent: None, link: Link::Redirect, decides: true, lets_pass: true };
    walk.enter(answers, domain.clone(), way);
    let mut at = 0;
    while at < walk.nodes.len() && !walk.is_cut {
        walk.follow(answers, at);
        at += 1;
    }
    walk
}

/// How a record is reached.
#[derive(Clone, Copy)]
struct Way {
    parent: Option<usize>,
    link: Link,
    decides: bool,
    lets_pass: bool,
}

/// A record whose terms are looked at.
#[derive(Clone, Copy)]
struct Place<'w> {
    at: usize,
    domain: &'w DomainName,
    lets_pass: bool,
}

impl<'a> Walk<'a> {
    /// The mechanisms of all records that could be read.
    pub(super) fn directives(&self) -> impl Iterator<Item = &Directive<'a>> {
        let records = self.nodes.iter().filter_map(|node| match &node.content {
            Content::Read { record, .. } => Some(record),
            _ => None,
        });
        records.flat_map(SpfRecord::reached)
    }

    fn enter(&mut self, answers: &'a Answers, domain: DomainName, way: Way) {
        let content = if self.is_above(way.parent, &domain) {
            Content::Loop
        } else {
            match published(answers, &domain) {
                Published::Record(text) => match SpfRecord::parse(text) {
                    Ok(record) => Content::Read { text, record },
                    Err(error) => Content::Broken { text, error },
                },
                Published::Missing(outcome) => Content::Missing(outcome),
                Published::Several(number) => Content::Several(number),
                Published::Open(unanswered) => {
                    self.leave_open(unanswered);
                    Content::Open
                }
            }
        };
        // That the domain itself has no record is a finding of its own.
        if matches!(content, Content::Missing(_)) && way.parent.is_some() {
            self.voids.push(format!("TXT {domain}"));
        }
        let Way { parent, link, decides, lets_pass } = way;
        self.nodes.push(Node { domain, parent, link, decides, lets_pass, content });
    }

    fn is_above(&self, mut parent: Option<usize>, domain: &DomainName) -> bool {
        while let Some(node) = parent.and_then(|at| self.nodes.get(at)) {
            if node.domain == *domain {
                return true;
            }
            parent = node.parent;
        }
        false
    }

    fn follow(&mut self, answers: &'a Answers, at: usize) {
        let Some(node) = self.nodes.get(at) else { return };
        let Content::Read { record, .. } = &node.content else { return };
        // What is read borrows from the answers, so that a copy costs little.
        let (record, domain) = (record.clone(), node.domain.clone());
        let (decides, lets_pass) = (node.decides, node.lets_pass);
        for directive in record.reached() {
            let place = Place { at, domain: &domain, lets_pass };
            self.look_at(answers, place, *directive);
            if self.is_cut {
                return;
            }
        }
        if let Some(spec) = record.live_redirect() {
            self.count();
            if lets_pass && spec.is_clients_choice() {
                self.remarks.push((at, Remark::ClientChooses(format!("redirect={spec}"))));
            }
            let way = Way { parent: Some(at), link: Link::Redirect, decides, lets_pass };
            self.lead(answers, spec, &domain, way);
        }
    }

    fn look_at(&mut self, answers: &'a Answers, place: Place<'_>, directive: Directive<'a>) {
        let Place { at, domain, .. } = place;
        let lets_pass = place.lets_pass && directive.qualifier == Qualifier::Pass;
        if lets_pass && directive.mechanism.domain().is_some_and(MacroString::is_clients_choice) {
            self.remarks.push((at, Remark::ClientChooses(directive.to_string())));
        }
        if directive.mechanism.needs_ptr() {
            self.remarks.push((at, Remark::Ptr(directive)));
        }
        match directive.mechanism {
            Mechanism::All if lets_pass => self.remarks.push((at, Remark::Everybody(directive))),
            Mechanism::Ip(network) if lets_pass => self.world.add(network),
            Mechanism::All | Mechanism::Ip(_) => {}
            Mechanism::Include(spec) => {
                self.count();
                let way = Way { parent: Some(at), link: Link::Include, decides: false, lets_pass };
                self.lead(answers, spec, domain, way);
            }
            Mechanism::Ptr(_) => self.count(),
            Mechanism::A(..) | Mechanism::Mx(..) | Mechanism::Exists(_) => {
                self.count();
                match self.target(directive.mechanism.domain(), domain) {
                    Target::Client => self.remarks.push((at, Remark::AsksForClient(directive))),
                    Target::None(name) => self.remarks.push((at, Remark::NoName(name))),
                    Target::Name(name) => {
                        let place = Place { lets_pass, ..place };
                        self.ask(answers, place, directive, &name);
                    }
                }
            }
        }
    }

    fn ask(&mut self, answers: &'a Answers, place: Place<'_>, directive: Directive<'a>, name: &DomainName) {
        match directive.mechanism {
            Mechanism::A(_, prefixes) => self.addresses(answers, place, prefixes, name),
            Mechanism::Mx(_, prefixes) => {
                let records = self.records(answers, name, Kind::Mx);
                if records.is_some_and(<[Record]>::is_empty) {
                    self.voids.push(format!("MX {name}"));
                }
                let records = records.unwrap_or_default();
                let all = records.len() + answers.get(name, Kind::Mx).left_out;
                if all > MOST_EXCHANGERS {
                    self.remarks.push((place.at, Remark::TooManyExchangers(directive, all)));
                }
                for host in records.iter().take(MOST_EXCHANGERS).filter_map(exchange) {
                    self.addresses(answers, place, prefixes, &host);
                }
            }
            _ => match self.records(answers, name, Kind::A) {
                Some([]) => self.voids.push(format!("A {name}")),
                Some(_) if place.lets_pass => self.remarks.push((place.at, Remark::Everybody(directive))),
                _ => {}
            },
        }
    }

    /// Clients are of one family, and count what is empty for theirs: here it is void when it is
    /// so for all of them.
    fn addresses(&mut self, answers: &'a Answers, place: Place<'_>, prefixes: Prefixes, host: &DomainName) {
        let families = [Kind::A, Kind::Aaaa].map(|kind| self.records(answers, host, kind));
        if families.iter().all(|records| records.is_some_and(<[Record]>::is_empty)) {
            self.voids.push(format!("A and AAAA {host}"));
        }
        if place.lets_pass {
            let found = families.into_iter().flatten().flatten();
            let addresses = found.filter_map(|record| record.data.address());
            addresses.map(|address: IpAddr| prefixes.network(address)).for_each(|network| {
                self.world.add(network);
            });
        }
    }

    /// The records of a name; `None`, noted as open, where nobody knows.
    fn records(&mut self, answers: &'a Answers, name: &DomainName, kind: Kind) -> Option<&'a [Record]> {
        match answers.get(name, kind).records() {
            Ok(records) => Some(records),
            Err(outcome) => {
                self.leave_open(Unanswered::new(name, kind, outcome));
                None
            }
        }
    }

    fn leave_open(&mut self, unanswered: Unanswered) {
        if !self.open.contains(&unanswered) {
            self.open.push(unanswered);
        }
    }

    /// Goes on to the record of another name.
    fn lead(&mut self, answers: &'a Answers, spec: MacroString<'a>, domain: &DomainName, way: Way) {
        let at = way.parent.unwrap_or_default();
        match self.target(Some(spec), domain) {
            _ if self.is_cut => {}
            Target::Name(name) => self.enter(answers, name, way),
            Target::Client => self.remarks.push((at, Remark::NotFollowed(spec.to_string()))),
            Target::None(name) => self.remarks.push((at, Remark::LeadsNowhere(name))),
        }
    }

    /// `%{o}` is known beforehand: the domain of senders whose record is looked at.
    fn target(&self, spec: Option<MacroString<'a>>, domain: &DomainName) -> Target {
        let Some(spec) = spec else { return Target::Name(domain.clone()) };
        let first = self.nodes.first().map(|node| &node.domain);
        let name = spec.name(|letter| match letter {
            Letter::Domain => Some(domain.as_str().to_owned()),
            Letter::SenderDomain => first.map(|first| first.as_str().to_owned()),
            _ => None,
        });
        match name.map(|name| asked_name(&name).ok_or(name)) {
            None => Target::Client,
            Some(Ok(name)) => Target::Name(name),
            Some(Err(name)) => Target::None(name),
        }
    }

    fn count(&mut self) {
        self.lookups += 1;
        self.is_cut |= self.lookups > MOST_LOOKUPS;
    }
}

/// The host of an MX record; none for the null MX (RFC 7505), which has no address to look for.
pub(super) fn exchange(record: &Record) -> Option<DomainName> {
    match &record.data {
        Data::Mx { exchange, .. } => asked_name(exchange),
        _ => None,
    }
}
