//! check_host() (RFC 7208 section 4): may this client send for this domain?
//!
//! What is not known yet counts as no match and evaluation goes on, so that all that may be needed
//! is asked for in one round; as long as anything is open, the result is too.

use std::net::IpAddr;

use common::proto::dns::{Data, DomainName, Kind, Outcome, Record, reverse_name};

use super::macros::{Letter, MacroString, Place, is_top_label};
use super::published::{Published, published};
use super::record::{Directive, Mechanism, Prefixes, Qualifier, SpfRecord};
use super::syntax::SyntaxError;
use super::walk::{MOST_EXCHANGERS, exchange};
use crate::answers::{Answers, asked_name};
use crate::lookup::Unanswered;

/// Who sends.
#[derive(Clone, Debug)]
pub(super) struct Client {
    /// An address of IPv4 is one, however it is written (section 5).
    pub(super) ip: IpAddr,
    /// The name in HELO or EHLO.
    pub(super) helo: String,
    /// What stands before the `@` of the sender.
    pub(super) local: String,
    /// What stands behind it; the name in HELO for the empty sender (section 2.4).
    pub(super) domain: String,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ruling<'a> {
    pub(super) verdict: Verdict,
    pub(super) reason: Reason<'a>,
    /// Where the domain's own words stand for those it refuses: its name, and the macro string.
    explanation: Option<(DomainName, MacroString<'a>)>,
}

/// The results (RFC 7208 section 2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    None,
    Neutral,
    Pass,
    Fail,
    SoftFail,
    TempError,
    PermError,
}

/// What decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reason<'a> {
    /// A term of the record of a domain.
    Term(Directive<'a>, DomainName),
    /// No term of it.
    NoMatch(DomainName),
    /// No such domain, as it is written.
    NoDomain,
    /// No record.
    NoRecord(DomainName),
    /// So many records.
    Several(DomainName, usize),
    /// A fault in a record.
    Syntax(DomainName, SyntaxError<'a>),
    /// An include of, or redirect to, what has no record or is no name.
    LeadsNowhere(DomainName, String),
    /// A limit (section 4.6.4).
    Limit(&'static str),
    /// A question without an answer.
    Open(Unanswered),
}

/// Why evaluation ended early.
type Stop<'a> = (Verdict, Reason<'a>);

/// How a record ended that did not end everything.
struct End<'a> {
    verdict: Verdict,
    reason: Reason<'a>,
    /// Where the explanation of a refusal stands.
    explanation: Option<(DomainName, MacroString<'a>)>,
}

struct Check<'a, 'c> {
    answers: &'a Answers,
    client: &'c Client,
    lookups: usize,
    voids: usize,
    open: Option<Unanswered>,
}

/// Whether an empty answer counts against the domain.
#[derive(Clone, Copy, PartialEq)]
enum Empty {
    Counts,
    /// The client chose the question, not the domain.
    IsFree,
}

/// Terms that ask name servers (section 4.6.4).
pub(super) const MOST_LOOKUPS: usize = 10;
/// Empty answers.
pub(super) const MOST_VOIDS: usize = 2;
/// Names of an address that are looked at.
const MOST_NAMES: usize = 10;
const UNKNOWN: &str = "unknown";

/// Asks the domain of the sender whether the client may send.
pub(super) fn check_host<'a>(answers: &'a Answers, client: &Client) -> Ruling<'a> {
    let Some(domain) = initial_domain(&client.domain) else {
        return Ruling { verdict: Verdict::None, reason: Reason::NoDomain, explanation: None };
    };
    let mut check = Check { answers, client, lookups: 0, voids: 0, open: None };
    let end = check.evaluate(&domain);
    if let Some(unanswered) = check.open {
        let reason = Reason::Open(unanswered);
        return Ruling { verdict: Verdict::TempError, reason, explanation: None };
    }
    match end {
        Err((verdict, reason)) => Ruling { verdict, reason, explanation: None },
        Ok(End { verdict, reason, explanation }) => {
            let explanation = explanation.filter(|_| verdict == Verdict::Fail);
            Ruling { verdict, reason, explanation }
        }
    }
}

impl<'a> Ruling<'a> {
    /// The domain's words for a client that it refuses (section 6.2), asked for only where somebody
    /// reads them. Anything wrong with them means that there are none.
    pub(super) fn words(&self, answers: &'a Answers, client: &Client) -> Option<String> {
        let (domain, spec) = self.explanation.as_ref()?;
        let mut check = Check { answers, client, lookups: 0, voids: 0, open: None };
        let Target::Name(name) = check.target(Some(*spec), domain) else { return None };
        let texts = answers.texts(&name).ok()?;
        let [text] = *texts.as_slice() else { return None };
        MacroString::parse(text, Place::Explanation).ok()?.text(|letter| check.value(letter, domain))
    }
}

/// A name of at least two labels that can be asked for (section 4.3).
fn initial_domain(text: &str) -> Option<DomainName> {
    let bare = text.strip_suffix('.').unwrap_or(text);
    let (_, top) = bare.rsplit_once('.')?;
    if is_top_label(top) && !bare.ends_with('.') { asked_name(bare) } else { None }
}

impl<'a> Check<'a, '_> {
    fn evaluate(&mut self, domain: &DomainName) -> Result<End<'a>, Stop<'a>> {
        let text = match published(self.answers, domain) {
            Published::Record(text) => text,
            Published::Missing(_) => return Err((Verdict::None, Reason::NoRecord(domain.clone()))),
            Published::Several(number) => {
                return Err((Verdict::PermError, Reason::Several(domain.clone(), number)));
            }
            Published::Open(unanswered) => {
                self.trouble(unanswered)?;
                return Ok(no_match(domain));
            }
        };
        let record = SpfRecord::parse(text)
            .map_err(|error| (Verdict::PermError, Reason::Syntax(domain.clone(), error)))?;
        for directive in &record.directives {
            if self.matches(directive, domain)? {
                return Ok(End {
                    verdict: verdict(directive.qualifier),
                    reason: Reason::Term(*directive, domain.clone()),
                    explanation: record.explanation.map(|spec| (domain.clone(), spec)),
                });
            }
        }
        let Some(spec) = record.redirect else { return Ok(no_match(domain)) };
        self.count()?;
        match self.target(Some(spec), domain) {
            Target::Name(target) => {
                let end = self.evaluate(&target);
                end.map_err(|stop| nowhere(domain, &target, stop))
            }
            Target::Open => Ok(no_match(domain)),
            Target::None(name) => Err((Verdict::PermError, Reason::LeadsNowhere(domain.clone(), name))),
        }
    }

    fn matches(&mut self, directive: &Directive<'a>, domain: &DomainName) -> Result<bool, Stop<'a>> {
        let ip = self.client.ip;
        match directive.mechanism {
            Mechanism::All => return Ok(true),
            Mechanism::Ip(network) => return Ok(network.contains(ip)),
            _ => self.count()?,
        }
        let target = match self.target(directive.mechanism.domain(), domain) {
            Target::Name(target) => target,
            Target::None(name) if matches!(directive.mechanism, Mechanism::Include(_)) => {
                return Err((Verdict::PermError, Reason::LeadsNowhere(domain.clone(), name)));
            }
            Target::Open | Target::None(_) => return Ok(false),
        };
        match directive.mechanism {
            Mechanism::All | Mechanism::Ip(_) => Ok(false),
            Mechanism::Include(_) => {
                let end = self.evaluate(&target).map_err(|stop| nowhere(domain, &target, stop))?;
                Ok(end.verdict == Verdict::Pass)
            }
            Mechanism::A(_, prefixes) => self.has_client(&target, prefixes),
            Mechanism::Mx(_, prefixes) => self.has_exchanger(&target, prefixes),
            Mechanism::Ptr(_) => {
                let names = self.confirmed_names(Empty::Counts)?;
                Ok(names.iter().any(|name| name.is_within(&target)))
            }
            // The address of a sign, not of a host: always IPv4 (section 5.7).
            Mechanism::Exists(_) => Ok(!self.ask(&target, Kind::A)?.is_empty()),
        }
    }

    fn has_client(&mut self, host: &DomainName, prefixes: Prefixes) -> Result<bool, Stop<'a>> {
        let ip = self.client.ip;
        let records = self.ask(host, address_kind(ip))?;
        let mut addresses = records.iter().filter_map(|record| record.data.address());
        Ok(addresses.any(|address| prefixes.network(address).contains(ip)))
    }

    fn has_exchanger(&mut self, name: &DomainName, prefixes: Prefixes) -> Result<bool, Stop<'a>> {
        let records = self.ask(name, Kind::Mx)?;
        if records.len() > MOST_EXCHANGERS {
            return Err((Verdict::PermError, Reason::Limit("more than 10 mail exchangers in a term")));
        }
        let mut found = false;
        for host in records.iter().filter_map(exchange) {
            found |= self.has_client(&host, prefixes)?;
            // What is behind a match is not looked at; what is behind an open question may be.
            if found && self.open.is_none() {
                break;
            }
        }
        Ok(found)
    }

    /// The names of the client's address that lead back to it (section 5.5). What cannot be
    /// looked up does not count.
    fn confirmed_names(&mut self, empty: Empty) -> Result<Vec<DomainName>, Stop<'a>> {
        let ip = self.client.ip;
        let records = self.ask_in_vain(&reverse_name(ip), Kind::Ptr);
        if records.is_some_and(<[Record]>::is_empty) && empty == Empty::Counts {
            self.count_void()?;
        }
        let names = records.unwrap_or_default().iter().filter_map(|record| match &record.data {
            Data::Ptr(name) => asked_name(name),
            _ => None,
        });
        let mut confirmed = Vec::new();
        for name in names.take(MOST_NAMES) {
            let found = self.ask_in_vain(&name, address_kind(ip)).unwrap_or_default();
            if found.iter().any(|record| record.data.address() == Some(ip)) {
                confirmed.push(name);
            }
        }
        Ok(confirmed)
    }

    /// The records of a name; none as long as it was not asked.
    fn ask(&mut self, name: &DomainName, kind: Kind) -> Result<&'a [Record], Stop<'a>> {
        match self.answers.get(name, kind).records() {
            Ok([]) => self.count_void().map(|()| &[][..]),
            Ok(records) => Ok(records),
            Err(outcome) => self.trouble(Unanswered::new(name, kind, outcome)).map(|()| &[][..]),
        }
    }

    /// The same where trouble is no reason to give up: then `None`.
    fn ask_in_vain(&mut self, name: &DomainName, kind: Kind) -> Option<&'a [Record]> {
        let heard = self.answers.get(name, kind);
        if heard.outcome == Outcome::NotAsked {
            self.open.get_or_insert_with(|| Unanswered::new(name, kind, &heard.outcome));
        }
        heard.records().ok()
    }

    /// What was asked in vain ends it; what was not asked yet leaves it open.
    fn trouble(&mut self, unanswered: Unanswered) -> Result<(), Stop<'a>> {
        if unanswered.outcome == Outcome::NotAsked {
            self.open.get_or_insert(unanswered);
            return Ok(());
        }
        Err((Verdict::TempError, Reason::Open(unanswered)))
    }

    fn count(&mut self) -> Result<(), Stop<'a>> {
        self.lookups += 1;
        if self.lookups > MOST_LOOKUPS {
            return Err((Verdict::PermError, Reason::Limit("more than 10 lookups")));
        }
        Ok(())
    }

    fn count_void(&mut self) -> Result<(), Stop<'a>> {
        self.voids += 1;
        if self.voids > MOST_VOIDS {
            return Err((Verdict::PermError, Reason::Limit("more than 2 void lookups")));
        }
        Ok(())
    }

    fn target(&mut self, spec: Option<MacroString<'a>>, domain: &DomainName) -> Target {
        let Some(spec) = spec else { return Target::Name(domain.clone()) };
        let name = spec.name(|letter| self.value(letter, domain));
        match name.map(|name| asked_name(&name).ok_or(name)) {
            None => Target::Open,
            Some(Ok(name)) => Target::Name(name),
            Some(Err(name)) => Target::None(name),
        }
    }

    /// What a letter stands for (section 7.2); `None` as long as it is not known.
    fn value(&mut self, letter: Letter, domain: &DomainName) -> Option<String> {
        let client = self.client;
        Some(match letter {
            Letter::Sender => format!("{}@{}", client.local, client.domain),
            Letter::LocalPart => client.local.clone(),
            Letter::SenderDomain => client.domain.clone(),
            Letter::Domain => domain.as_str().to_owned(),
            Letter::Ip => dotted(client.ip),
            Letter::Ptr => return self.client_name(domain),
            Letter::Helo => client.helo.clone(),
            Letter::Version => if client.ip.is_ipv4() { "in-addr" } else { "ip6" }.to_owned(),
            Letter::ReadableIp => client.ip.to_string(),
            // Whoever will receive, and when, is not known to us (section 7.2).
            Letter::Receiver | Letter::Time => UNKNOWN.to_owned(),
        })
    }

    /// The domain itself, what is below it, any, in this order (section 7.3).
    fn client_name(&mut self, domain: &DomainName) -> Option<String> {
        let was_open = self.open.take();
        let names = self.confirmed_names(Empty::IsFree).unwrap_or_default();
        let is_known = self.open.is_none();
        self.open = was_open.or(self.open.take());
        let best = names.iter().find(|name| *name == domain);
        let best = best.or_else(|| names.iter().find(|name| name.is_within(domain))).or(names.first());
        is_known.then(|| best.map_or(UNKNOWN, DomainName::as_str).to_owned())
    }
}

enum Target {
    Name(DomainName),
    /// Not known yet.
    Open,
    /// No name that can be asked for.
    None(String),
}

fn no_match<'a>(domain: &DomainName) -> End<'a> {
    End { verdict: Verdict::Neutral, reason: Reason::NoMatch(domain.clone()), explanation: None }
}

/// An include or redirect without a record behind it is a fault of the record that has it
/// (sections 5.2 and 6.1).
fn nowhere<'a>(domain: &DomainName, target: &DomainName, (verdict, reason): Stop<'a>) -> Stop<'a> {
    match verdict {
        Verdict::None => (Verdict::PermError, Reason::LeadsNowhere(domain.clone(), target.to_string())),
        verdict => (verdict, reason),
    }
}

const fn verdict(qualifier: Qualifier) -> Verdict {
    match qualifier {
        Qualifier::Pass => Verdict::Pass,
        Qualifier::Fail => Verdict::Fail,
        Qualifier::SoftFail => Verdict::SoftFail,
        Qualifier::Neutral => Verdict::Neutral,
    }
}

const fn address_kind(ip: IpAddr) -> Kind {
    match ip {
        IpAddr::V4(_) => Kind::A,
        IpAddr::V6(_) => Kind::Aaaa,
    }
}

/// Four numbers or 32 nibbles (section 7.3).
fn dotted(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let nibbles: Vec<String> = format!("{:032x}", v6.to_bits()).chars().map(String::from).collect();
            nibbles.join(".")
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Neutral => "neutral",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::SoftFail => "softfail",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        })
    }
}
