//! From what was said about one address to findings.

use std::net::IpAddr;

use common::plugin::Run;
use common::proto::dns::Kind;
use common::report::{Condition, Finding, State, quote, some};

use crate::agreed::{Agreed, Answers};
use crate::generic::sign;
use crate::host_name::{Flaw, flaw, listed, listed_as_they_are, shown};
use crate::options::NameArgs;
use crate::probe::{MAX_NAMES, kind_of};
use crate::seen::SeenAddress;

/// One address with its names, and what is wrong with them.
pub(crate) struct Judged<'a> {
    pub(crate) seen: &'a SeenAddress,
    /// `None` when nobody answered.
    pub(crate) names: Option<Vec<Name<'a>>>,
    pub(crate) findings: Vec<Finding>,
}

/// A name of an address.
pub(crate) struct Name<'a> {
    pub(crate) text: &'a str,
    pub(crate) forward: Agreed<'a>,
    pub(crate) standing: Standing,
}

/// Whether a name leads back to its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Confirmed,
    Elsewhere,
    /// Nobody answered, or there are more names than are followed.
    Unknown,
}

/// Addresses, patterns or targets that one sentence shows.
const SHOWN: usize = 5;

const OWNER: &str =
    "whoever holds the addresses keeps their reverse zone: ask your provider for a PTR record";
const LAST_DOT: &str = "in the zone file the name lacks its last dot, so the zone was put behind it";
const GENERATED: &str = "receivers refuse mail from such hosts; --generic-ok takes the name";

impl<'a> Judged<'a> {
    pub(crate) fn new(seen: &'a SeenAddress, answers: &Answers<'a>, options: &NameArgs, run: &Run) -> Self {
        let reverse = answers.about(&seen.reverse, Kind::Ptr);
        let mut judged = Self { seen, names: None, findings: Vec::new() };
        if !reverse.is_answered() {
            let text =
                format!("cannot look up the PTR record of {}: {}", judged.subject(), reverse.silence());
            judged.find("ptr_unknown", run.states.state(reverse.absence()), text);
            return judged;
        }
        let names = reverse.names();
        if names.is_empty() {
            judged.names = Some(Vec::new());
            let absence = absence(&reverse);
            let text = format!("{} has no PTR record ({absence})", judged.subject());
            judged.findings.push(Finding::new("no_ptr", State::Critical, text).with_hint(OWNER));
            return judged;
        }
        let names: Vec<Name<'_>> = names
            .into_iter()
            .enumerate()
            .map(|(at, text)| Name::new(text, at < MAX_NAMES, seen.address, answers))
            .collect();
        let several = reverse.most_names();
        judged.judge_confirmation(&names, several.len() > 1, run);
        judged.judge_names(names.get(..MAX_NAMES).unwrap_or(&names), options);
        judged.judge_several(several);
        judged.judge_match(&names, options, run);
        judged.names = Some(names);
        judged
    }

    /// The address, and whose it is where that was asked.
    pub(crate) fn subject(&self) -> String {
        let address = self.seen.address;
        if self.seen.of.is_empty() {
            address.to_string()
        } else {
            format!("{address} of {}", some(&self.seen.of, SHOWN))
        }
    }

    pub(crate) fn find(&mut self, id: &'static str, state: State, text: String) {
        self.findings.push(Finding::new(id, state, text));
    }

    /// The names for a sentence.
    pub(crate) fn shown_names(&self) -> String {
        listed(&texts(self.names.iter().flatten()))
    }

    /// The same, where the server's own words stand beside them.
    pub(crate) fn quoted_names(&self) -> String {
        let names = self.names.iter().flatten().map(|name| quote(name.text));
        listed_as_they_are(&names.collect::<Vec<_>>())
    }

    /// One name that leads back is enough for receivers that try them all; the others are
    /// a matter of luck.
    fn judge_confirmation(&mut self, names: &[Name<'_>], has_several: bool, run: &Run) {
        let of = |standing| names.iter().filter(|name| name.standing == standing).collect::<Vec<_>>();
        let (elsewhere, unknown) = (of(Standing::Elsewhere), of(Standing::Unknown));
        let has_confirmed = names.iter().any(|name| name.standing == Standing::Confirmed);
        let (address, subject) = (self.seen.address, self.subject());
        if let [only] = names
            && only.standing == Standing::Elsewhere
        {
            // That it cannot be a host's name says it all.
            if flaw(only.text, address).is_some_and(|flaw| flaw.state == State::Critical) {
                return;
            }
            let text = format!("{subject} is named {}, which {}", shown(only.text), only.leads(address));
            self.findings.push(only.hinted(Finding::new("unconfirmed", State::Critical, text)));
        } else if let Some(first) = elsewhere.first() {
            let leads = |name: &&Name<'_>| format!("{} ({})", shown(name.text), name.leads(address));
            let list = listed_as_they_are(&elsewhere.iter().map(leads).collect::<Vec<_>>());
            // What no resolver has beside another name is no second name.
            let of_all = if has_several {
                format!("of its {} names", names.len())
            } else {
                format!("of the {} names that resolvers have", names.len())
            };
            let (state, count) = match (has_confirmed, unknown.is_empty()) {
                (false, true) => (State::Critical, format!("none {of_all} leads")),
                (true, _) | (false, false) => {
                    (State::Warning, format!("{} {of_all} do not lead", elsewhere.len()))
                }
            };
            let text = format!("{subject}: {count} back to it: {list}");
            self.findings.push(first.hinted(Finding::new("unconfirmed", state, text)));
        }
        let silent: Vec<&Name<'_>> =
            names.iter().take(MAX_NAMES).filter(|name| name.standing == Standing::Unknown).collect();
        if let Some(first) = silent.first() {
            let (names, why) = (listed(&texts(silent.iter().copied())), first.forward.silence());
            let states = silent.iter().map(|name| run.states.state(name.forward.absence()));
            let text = format!("cannot look up the address of {names}, a name of {subject}: {why}");
            self.find("forward_unknown", State::worst(states), text);
        }
        if !has_confirmed && names.len() > MAX_NAMES {
            let text =
                format!("{subject} has {} names, only {MAX_NAMES} of them were looked up", names.len());
            self.find("names_left", run.states.state(Condition::Incomplete), text);
        }
    }

    /// What is wrong with names as such; the same with many of them is said once.
    fn judge_names(&mut self, names: &[Name<'_>], options: &NameArgs) {
        let subject = self.subject();
        let mut flaws: Vec<(Flaw, Vec<&str>)> = Vec::new();
        for (name, flaw) in names.iter().filter_map(|name| Some((name, flaw(name.text, self.seen.address)?)))
        {
            match flaws.iter_mut().find(|(known, _)| *known == flaw) {
                Some((_, names)) => names.push(name.text),
                None => flaws.push((flaw, vec![name.text])),
            }
        }
        for (flaw, names) in flaws {
            let (list, which) = match names.as_slice() {
                [only] => (quote(only), "which"),
                _ => (listed(&names), "each of which"),
            };
            let text = format!("{subject} is named {list}, {which} is {}", flaw.what);
            self.find("not_a_host_name", flaw.state, text);
        }
        let aliases: Vec<String> = names
            .iter()
            .filter_map(|name| Some((name, name.forward.aliases().last()?)))
            .map(|(name, end)| format!("{}, which is an alias of {}", shown(name.text), shown(end)))
            .collect();
        if !aliases.is_empty() {
            let text = format!(
                "{subject} is named {}: a PTR record must have the host's own name (RFC 2181 section 10.2)",
                listed_as_they_are(&aliases)
            );
            self.find("ptr_to_alias", State::Warning, text);
        }
        // The zone behind a name that lacks its dot is no sign of anything else.
        let generated: Vec<String> = names
            .iter()
            .filter(|name| !options.generic_ok && !name.is_reverse())
            .filter_map(|name| Some((name, sign(name.text, self.seen.address)?)))
            .map(|(name, sign)| format!("{}, which looks generated: it has {sign}", shown(name.text)))
            .collect();
        if !generated.is_empty() {
            let text = format!("{subject} is named {}", listed_as_they_are(&generated));
            self.findings.push(Finding::new("generic", State::Warning, text).with_hint(GENERATED));
        }
    }

    /// Names that stand beside each other in one answer.
    fn judge_several(&mut self, names: &[String]) {
        if names.len() > 1 {
            let text = format!("{} has {} names: {}", self.subject(), names.len(), listed(names));
            let hint = "receivers take the one that happens to come first: leave one PTR record";
            self.findings.push(Finding::new("several_names", State::Warning, text).with_hint(hint));
        }
    }

    /// A name that is wanted has to lead back, as receivers will see.
    fn judge_match(&mut self, names: &[Name<'_>], options: &NameArgs, run: &Run) {
        let wanted = &options.wanted;
        let is_wanted = |name: &Name<'_>| wanted.iter().any(|pattern| pattern.fits(name.text));
        let fitting: Vec<(usize, &Name<'_>)> =
            names.iter().enumerate().filter(|(_, name)| is_wanted(name)).collect();
        let of = |standing| fitting.iter().filter(move |(_, name)| name.standing == standing);
        if wanted.is_empty() || of(Standing::Confirmed).next().is_some() {
            return;
        }
        let subject = self.subject();
        if let Some((_, first)) = of(Standing::Unknown).next() {
            // That the others got no answer was said.
            if of(Standing::Unknown).all(|(at, _)| *at >= MAX_NAMES) {
                let state = run.states.state(Condition::Incomplete);
                let name = shown(first.text);
                let text = format!(
                    "{name}, the name of {subject} that is expected, was not looked up: too many names"
                );
                self.find("match_unknown", state, text);
            }
        } else if let Some((_, first)) = fitting.first() {
            // Where no name leads back that was said.
            if names.iter().any(|name| name.standing != Standing::Elsewhere) {
                let (name, leads) = (shown(first.text), first.leads(self.seen.address));
                let text = format!("{subject} is named {name} as expected, but that name {leads}");
                self.find("no_match", State::Critical, text);
            }
        } else {
            let patterns: Vec<String> = wanted.iter().map(ToString::to_string).collect();
            let text =
                format!("{subject} is named {}, expected {}", listed(&texts(names)), some(&patterns, SHOWN));
            self.find("no_match", State::Critical, text);
        }
    }
}

fn texts<'a>(names: impl IntoIterator<Item = &'a Name<'a>>) -> Vec<&'a str> {
    names.into_iter().map(|name| name.text).collect()
}

/// `NXDOMAIN`, or with a zone delegated without classes `NODATA at 25.0-63.2.0.192.in-addr.arpa`.
fn absence(reverse: &Agreed<'_>) -> String {
    let what = if reverse.is_no_name() { "NXDOMAIN" } else { "NODATA" };
    match reverse.aliases().last() {
        Some(end) => format!("{what} at {}", shown(end)),
        None => what.to_owned(),
    }
}

impl<'a> Name<'a> {
    fn new(text: &'a str, is_followed: bool, address: IpAddr, answers: &Answers<'a>) -> Self {
        let forward = answers.about(text, kind_of(address));
        // What cannot be asked for leads nowhere.
        let is_impossible = text.parse::<common::proto::dns::DomainName>().is_err();
        let standing = if forward.addresses().contains(&address) {
            Standing::Confirmed
        } else if forward.is_answered() || (is_followed && is_impossible) {
            Standing::Elsewhere
        } else {
            Standing::Unknown
        };
        Self { text, forward, standing }
    }

    /// `has the address 192.0.2.9`, `does not exist (NXDOMAIN)`.
    fn leads(&self, address: IpAddr) -> String {
        leads(&self.forward, address)
    }

    fn hinted(&self, finding: Finding) -> Finding {
        if self.is_reverse() { finding.with_hint(LAST_DOT) } else { finding }
    }

    fn is_reverse(&self) -> bool {
        self.text.ends_with(".in-addr.arpa") || self.text.ends_with(".ip6.arpa")
    }
}

/// Where a name leads that does not lead to an address.
pub(crate) fn leads(forward: &Agreed<'_>, address: IpAddr) -> String {
    let addresses: Vec<String> = forward.addresses().iter().map(ToString::to_string).collect();
    let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
    match addresses.as_slice() {
        [only] => format!("has the address {only}"),
        [_, ..] => format!("has the addresses {}", some(&addresses, SHOWN)),
        [] if forward.is_no_name() => "does not exist (NXDOMAIN)".to_owned(),
        [] if forward.is_answered() => format!("has no {family} address (NODATA)"),
        [] => "cannot be looked up".to_owned(),
    }
}
