//! Asks: the addresses of host names, then all lists at once, then the reasons of listings.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};

use common::net::dns::{
    Ask, NameServer, Reply, Resolver, Settings, Upstream, address_kinds, ask_all, zone_servers,
};
use common::net::{Deadline, ProbeError};
use common::proto::address::is_public;
use common::proto::dns::{Data, DomainName, Kind as RecordKind, Outcome, Question};

use crate::CheckRbl;
use crate::input::Input;
use crate::list::{Kind, List, Point, Subject};
use crate::options::{OnOff, SelfTest};
use crate::seen::{Look, Said, Seen, SeenTarget, Test};
use crate::target::Target;
use crate::verdict::{Vote, judge_test, vote};

/// Looks and takes down what there is.
pub(crate) fn probe(options: &CheckRbl, deadline: &Deadline) -> Result<Seen, ProbeError> {
    let input = Input::read(options)?;
    let resolvers = options.dns.upstreams()?;
    let asker = Asker { options, settings: options.dns.settings(), deadline };
    let targets = asker.targets(&input, &resolvers)?;
    let mut seen = Seen {
        resolvers: if options.lists.authoritative {
            vec!["the lists' own servers".to_owned()]
        } else {
            resolvers.iter().map(ToString::to_string).collect()
        },
        tests: Vec::new(),
        looks: Vec::new(),
        questions: 0,
        rate: None,
        cut_short: None,
        lists: input.lists,
        targets,
    };
    let ways = if options.lists.authoritative {
        asker.ways_to_authority(&seen.lists, &resolvers)?
    } else {
        Ways { upstreams: resolvers, of_list: None }
    };
    seen.looks = looks(&seen, ways.independent());
    asker.look_up(&mut seen, &ways)?;
    // The verdict stands before the reasons are asked for.
    let unasked = seen.looks.iter().any(|look| look.said == Said::NotAsked && !is_refuted(&seen, look));
    if unasked || deadline.left().is_zero() {
        seen.cut_short = Some(deadline.timeout());
    }
    if options.lists.txt == OnOff::On {
        asker.reasons(&mut seen, &ways)?;
    }
    Ok(seen)
}

/// Which servers answer for a list.
struct Ways {
    upstreams: Vec<Upstream>,
    /// With `--authoritative` the upstream of each list, or why it has none.
    of_list: Option<Vec<Result<usize, String>>>,
}

impl Ways {
    /// Upstreams that are asked the same, to compare their answers.
    fn independent(&self) -> usize {
        if self.of_list.is_some() { 1 } else { self.upstreams.len() }
    }

    fn upstream(&self, list: usize, resolver: usize) -> Result<usize, String> {
        match &self.of_list {
            None => Ok(resolver),
            Some(ways) => ways.get(list).cloned().unwrap_or_else(|| Err("no name server".to_owned())),
        }
    }
}

/// What waits for an answer.
#[derive(Clone, Copy)]
enum Purpose {
    Test(usize, Point),
    Look(usize),
    Reason(usize),
}

struct Asker<'a> {
    options: &'a CheckRbl,
    settings: Settings,
    deadline: &'a Deadline,
}

/// Reasons asked for in one run.
const MAX_REASONS: usize = 64;
/// Servers asked in turn for one list.
const MAX_SERVERS: usize = 4;
/// Addresses of one host name that are checked.
const MAX_ADDRESSES: usize = 64;

impl Asker<'_> {
    /// The targets with their addresses, as far as there are lists for them.
    fn targets(&self, input: &Input, resolvers: &[Upstream]) -> Result<Vec<SeenTarget>, ProbeError> {
        let takes =
            |kinds: &[Kind]| input.lists.iter().any(|list| kinds.iter().any(|kind| list.takes(*kind)));
        let wants = address_kinds(self.options.targets.family.family());
        let wants = if takes(&[Kind::Ip4, Kind::Ip6]) { wants } else { &[] };
        let names: Vec<&DomainName> = input
            .targets
            .iter()
            .filter_map(|target| match target {
                Target::Name(name) => Some(name),
                _ => None,
            })
            .collect();
        let question = |name: &DomainName, kind| Ask {
            question: Question { name: name.clone(), kind },
            upstream: 0,
            recurse: true,
        };
        let asks: Vec<Ask> =
            names.iter().flat_map(|name| wants.iter().map(|kind| question(name, *kind))).collect();
        let all = Upstream { servers: resolvers.iter().flat_map(|one| one.servers.clone()).collect() };
        let replies = self.ask(&asks, &[all])?;
        let mut answers = replies.chunks(wants.len().max(1));
        let has_domain_lists = takes(&[Kind::Domain]);
        Ok(input
            .targets
            .iter()
            .map(|target| match target {
                Target::Name(name) => {
                    let found = if wants.is_empty() { &[] } else { answers.next().unwrap_or_default() };
                    self.named_target(name, found, &input.lists, has_domain_lists)
                }
                Target::Address(address) | Target::Network(address, _) => {
                    fitted(address.to_string(), vec![Subject::Address(*address)], None, &input.lists)
                }
            })
            .collect())
    }

    fn named_target(
        &self,
        name: &DomainName,
        replies: &[Reply],
        lists: &[List],
        domain_lists: bool,
    ) -> SeenTarget {
        let mut problem = None;
        let mut addresses: Vec<IpAddr> = Vec::new();
        for reply in replies {
            match reply.outcome() {
                Outcome::Records(records) => {
                    addresses.extend(records.iter().filter_map(|record| record.data.address()));
                }
                Outcome::NoData => {}
                other => problem = Some(format!("cannot resolve {name}: {other}")),
            }
        }
        let mut known = HashSet::new();
        addresses.retain(|address| known.insert(*address));
        if addresses.is_empty() && problem.is_none() && !replies.is_empty() && !domain_lists {
            problem = Some(format!("cannot resolve {name}: it has no address"));
        }
        if addresses.len() > MAX_ADDRESSES {
            problem = Some(format!(
                "{name} has {} addresses, only {MAX_ADDRESSES} of them are checked",
                addresses.len()
            ));
            addresses.truncate(MAX_ADDRESSES);
        }
        if !self.options.targets.allow_private
            && let Some(private) = addresses.iter().find(|address| !is_public(**address))
        {
            problem =
                Some(format!("{name} has the address {private}, which is not public: no list can know it"));
            addresses.retain(|address| is_public(*address));
        }
        let mut subjects: Vec<Subject> = addresses.into_iter().map(Subject::Address).collect();
        if domain_lists {
            subjects.push(Subject::Domain(name.clone()));
        }
        fitted(name.to_string(), subjects, problem, lists)
    }

    /// Finds the name servers of the lists.
    fn ways_to_authority(&self, lists: &[List], resolvers: &[Upstream]) -> Result<Ways, ProbeError> {
        let zones: Vec<&DomainName> = lists.iter().map(|list| &list.zone).collect();
        let resolver = Resolver::new(resolvers, &self.settings, self.deadline);
        let found = zone_servers(&zones, MAX_SERVERS, &resolver)?;
        let mut upstreams = Vec::new();
        let of_list = found
            .into_iter()
            .map(|servers| {
                let servers = self.places(&servers?);
                if servers.is_empty() {
                    return Err("its name servers have no address".to_owned());
                }
                upstreams.push(Upstream { servers });
                Ok(upstreams.len() - 1)
            })
            .collect();
        Ok(Ways { upstreams, of_list: Some(of_list) })
    }

    /// Where the servers of a list are asked: each at its first address, then the others.
    fn places(&self, servers: &[NameServer]) -> Vec<SocketAddr> {
        let firsts = servers.iter().filter_map(|server| server.addresses.first());
        let others = servers.iter().flat_map(|server| server.addresses.iter().skip(1));
        let mut places: Vec<SocketAddr> =
            firsts.chain(others).map(|address| SocketAddr::new(*address, self.options.lists.port)).collect();
        // IPv4 first: a host without IPv6 must not lose a try to it.
        places.sort_by_key(SocketAddr::is_ipv6);
        places.truncate(MAX_SERVERS);
        places
    }

    /// Test points and looks: in one burst, or where that is too much the tests first, so that
    /// lists that do not work are not asked hundreds of times.
    fn look_up(&self, seen: &mut Seen, ways: &Ways) -> Result<(), ProbeError> {
        let self_test = self.options.lists.self_test;
        if self_test == SelfTest::On {
            seen.tests = tests(seen, ways.independent(), |_| true);
        }
        seen.questions = seen.tests.len() * 2 + seen.looks.len();
        self.fits_in_time(seen)?;
        let tests = test_purposes(seen);
        let looks = (0..seen.looks.len()).map(Purpose::Look);
        if seen.questions <= self.settings.window {
            self.ask_for(seen, ways, &tests.into_iter().chain(looks).collect::<Vec<_>>())?;
        } else {
            self.ask_for(seen, ways, &tests)?;
            let worth: Vec<Purpose> = looks
                .filter(|purpose| match purpose {
                    Purpose::Look(at) => seen.looks.get(*at).is_some_and(|look| !is_refuted(seen, look)),
                    _ => true,
                })
                .collect();
            self.ask_for(seen, ways, &worth)?;
        }
        if self_test == SelfTest::Listed {
            let listing: Vec<usize> =
                seen.looks.iter().filter(|look| is_listing(seen, look)).map(|look| look.list).collect();
            seen.tests = tests_of(seen, ways.independent(), &listing);
            self.ask_for(seen, ways, &test_purposes(seen))?;
        }
        Ok(())
    }

    /// Better no check than half a one that looks like a timeout.
    fn fits_in_time(&self, seen: &mut Seen) -> Result<(), ProbeError> {
        if seen.questions > self.settings.window {
            seen.rate = self.settings.rate;
        }
        let needed = self.options.dns.sending_time(seen.questions);
        // What the burst takes needs no time; a deadline that has passed is a timeout.
        if needed.is_zero() || needed < self.deadline.left() {
            return Ok(());
        }
        let text = format!(
            "{} questions at {} a second take {} s, longer than the check may",
            seen.questions,
            self.options.dns.rate,
            needed.as_secs().max(1)
        );
        Err(ProbeError::local(text).with_hint("raise --rate or --timeout, or check fewer targets in one run"))
    }

    fn reasons(&self, seen: &mut Seen, ways: &Ways) -> Result<(), ProbeError> {
        let listed =
            |look: &Look| is_listing(seen, look) && seen.lists.get(look.list).is_some_and(|list| !list.allow);
        let wanted: Vec<Purpose> = (0..seen.looks.len())
            .filter(|at| seen.looks.get(*at).is_some_and(listed))
            .take(MAX_REASONS)
            .map(Purpose::Reason)
            .collect();
        self.ask_for(seen, ways, &wanted)
    }

    /// Asks and notes the answers where they belong.
    fn ask_for(&self, seen: &mut Seen, ways: &Ways, purposes: &[Purpose]) -> Result<(), ProbeError> {
        let mut asks = Vec::with_capacity(purposes.len());
        let mut asked = Vec::with_capacity(purposes.len());
        for purpose in purposes {
            match self.question(seen, ways, *purpose) {
                Ok(ask) => {
                    asks.push(ask);
                    asked.push(*purpose);
                }
                Err(why) => note_said(seen, *purpose, Said::Nothing(why), None),
            }
        }
        let replies = self.ask(&asks, &ways.upstreams)?;
        for (purpose, reply) in asked.into_iter().zip(replies) {
            if let Purpose::Reason(at) = purpose {
                let text = reply.outcome().records().iter().find_map(|record| match &record.data {
                    Data::Txt(text) if !text.is_empty() => Some(text.clone()),
                    _ => None,
                });
                if let Some(look) = seen.looks.get_mut(at) {
                    look.reason = text;
                }
                continue;
            }
            let said = Said::from_answer(&reply.answer, self.options.lists.authoritative);
            note_said(seen, purpose, said, reply.time.map(|time| time.as_secs_f64()));
        }
        Ok(())
    }

    /// The question behind a purpose; an error is why it cannot be asked.
    fn question(&self, seen: &Seen, ways: &Ways, purpose: Purpose) -> Result<Ask, String> {
        let gone = || "not asked".to_owned();
        let long = || "the name would be too long".to_owned();
        let (list, resolver, name) = match purpose {
            Purpose::Test(at, point) => {
                let test = seen.tests.get(at).ok_or_else(gone)?;
                let list = seen.lists.get(test.list).ok_or_else(gone)?;
                (test.list, test.resolver, list.test_name(test.kind, point).ok_or_else(long)?)
            }
            Purpose::Look(at) | Purpose::Reason(at) => {
                let look = seen.looks.get(at).ok_or_else(gone)?;
                let list = seen.lists.get(look.list).ok_or_else(gone)?;
                let target = seen.targets.get(look.target).ok_or_else(gone)?;
                let subject = target.subjects.get(look.subject).ok_or_else(gone)?;
                (look.list, look.resolver, subject.name_in(&list.zone).ok_or_else(long)?)
            }
        };
        let kind = if matches!(purpose, Purpose::Reason(_)) { RecordKind::Txt } else { RecordKind::A };
        let upstream = ways.upstream(list, resolver)?;
        Ok(Ask { question: Question { name, kind }, upstream, recurse: !self.options.lists.authoritative })
    }

    fn ask(&self, asks: &[Ask], upstreams: &[Upstream]) -> Result<Vec<Reply>, ProbeError> {
        ask_all(asks, upstreams, &self.settings, self.deadline)
    }
}

/// A target with the subjects that some list takes.
fn fitted(name: String, subjects: Vec<Subject>, problem: Option<String>, lists: &[List]) -> SeenTarget {
    let subjects: Vec<Subject> =
        subjects.into_iter().filter(|subject| lists.iter().any(|list| list.takes(subject.kind()))).collect();
    let unfit = |list: &&List| !subjects.iter().any(|subject| list.takes(subject.kind()));
    SeenTarget { unfit: lists.iter().filter(unfit).count(), name, subjects, problem }
}

/// Every subject in every list that takes its kind, through every resolver.
fn looks(seen: &Seen, resolvers: usize) -> Vec<Look> {
    let mut looks = Vec::new();
    for (target, one) in seen.targets.iter().enumerate() {
        for (list, _) in seen.lists.iter().enumerate() {
            for (subject, whom) in one.subjects.iter().enumerate() {
                if !seen.lists.get(list).is_some_and(|list| list.takes(whom.kind())) {
                    continue;
                }
                looks.extend((0..resolvers).map(|resolver| Look {
                    target,
                    subject,
                    list,
                    resolver,
                    said: Said::NotAsked,
                    time: None,
                    reason: None,
                }));
            }
        }
    }
    looks
}

/// The tests of the lists chosen, for the kinds of subjects there are.
fn tests(seen: &Seen, resolvers: usize, chosen: impl Fn(usize) -> bool) -> Vec<Test> {
    let mut kinds: Vec<Kind> =
        seen.targets.iter().flat_map(|target| target.subjects.iter().map(Subject::kind)).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let mut tests = Vec::new();
    for (at, list) in seen.lists.iter().enumerate().filter(|(at, list)| list.self_test && chosen(*at)) {
        for &kind in kinds.iter().filter(|kind| list.takes(**kind)) {
            tests.extend((0..resolvers).map(|resolver| Test {
                list: at,
                kind,
                resolver,
                inside: Said::NotAsked,
                outside: Said::NotAsked,
            }));
        }
    }
    tests
}

fn tests_of(seen: &Seen, resolvers: usize, lists: &[usize]) -> Vec<Test> {
    tests(seen, resolvers, |at| lists.contains(&at))
}

fn test_purposes(seen: &Seen) -> Vec<Purpose> {
    (0..seen.tests.len())
        .flat_map(|at| [Purpose::Test(at, Point::In), Purpose::Test(at, Point::Out)])
        .collect()
}

fn note_said(seen: &mut Seen, purpose: Purpose, said: Said, time: Option<f64>) {
    match purpose {
        Purpose::Test(at, point) => {
            if let Some(test) = seen.tests.get_mut(at) {
                match point {
                    Point::In => test.inside = said,
                    Point::Out => test.outside = said,
                }
            }
        }
        Purpose::Look(at) => {
            if let Some(look) = seen.looks.get_mut(at) {
                look.said = said;
                look.time = time;
            }
        }
        Purpose::Reason(_) => {}
    }
}

/// Whether a list failed its test already, so that its answer would count for nothing.
fn is_refuted(seen: &Seen, look: &Look) -> bool {
    let Some(list) = seen.lists.get(look.list) else { return true };
    let target = seen.targets.get(look.target);
    let kind = target.and_then(|target| target.subjects.get(look.subject)).map(Subject::kind);
    seen.tests.iter().any(|test| {
        test.list == look.list
            && test.resolver == look.resolver
            && Some(test.kind) == kind
            && judge_test(list, test).is_some()
    })
}

fn is_listing(seen: &Seen, look: &Look) -> bool {
    let Some(list) = seen.lists.get(look.list) else { return false };
    matches!(look.said, Said::Codes(_)) && matches!(vote(list, &look.said), Vote::Listed(_))
}
