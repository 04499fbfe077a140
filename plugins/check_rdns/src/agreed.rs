//! What all resolvers together say to one question.

use std::collections::HashMap;
use std::net::IpAddr;

use common::proto::dns::Kind;
use common::report::{Condition, some};

use crate::seen::{Look, Said, Seen, in_order};

/// The answers of a run, put together by question.
pub(crate) struct Answers<'a> {
    resolvers: &'a [String],
    is_cut_short: bool,
    looks: HashMap<(&'a str, Kind), Vec<&'a Look>>,
    /// The questions as they were asked.
    order: Vec<(&'a str, Kind)>,
}

/// The answers to one question, one of each resolver.
#[derive(Clone, Debug)]
pub(crate) struct Agreed<'a> {
    looks: Vec<&'a Look>,
    resolvers: &'a [String],
    is_cut_short: bool,
}

/// Resolvers that one sentence shows.
const SHOWN: usize = 8;

impl<'a> Answers<'a> {
    pub(crate) fn new(seen: &'a Seen) -> Self {
        let is_cut_short = seen.cut_short.is_some();
        let mut answers =
            Self { resolvers: &seen.resolvers, is_cut_short, looks: HashMap::new(), order: Vec::new() };
        for look in &seen.looks {
            let question = (look.name.as_str(), look.kind);
            let known = answers.looks.entry(question).or_default();
            if known.is_empty() {
                answers.order.push(question);
            }
            known.push(look);
        }
        answers
    }

    /// What was said of a name; nothing when nobody was asked.
    pub(crate) fn about(&self, name: &str, kind: Kind) -> Agreed<'a> {
        let looks = self.looks.get(&(name, kind)).cloned().unwrap_or_default();
        Agreed { looks, resolvers: self.resolvers, is_cut_short: self.is_cut_short }
    }

    /// Every question in its turn.
    pub(crate) fn each(&self) -> impl Iterator<Item = ((&'a str, Kind), Agreed<'a>)> {
        self.order.iter().map(|&(name, kind)| ((name, kind), self.about(name, kind)))
    }
}

impl<'a> Agreed<'a> {
    fn answers(&self) -> impl Iterator<Item = &'a Look> {
        self.looks.iter().copied().filter(|look| look.said.is_answer())
    }

    /// Whether anybody answered.
    pub(crate) fn is_answered(&self) -> bool {
        self.answers().next().is_some()
    }

    /// The names that anybody has, in order.
    pub(crate) fn names(&self) -> Vec<&'a str> {
        in_order(self.looks.iter().flat_map(|look| look.said.names()).map(String::as_str).collect())
    }

    /// The names of the resolver that has most of them.
    pub(crate) fn most_names(&self) -> &'a [String] {
        let each = self.looks.iter().map(|look| look.said.names());
        each.max_by_key(|names| names.len()).unwrap_or_default()
    }

    /// The addresses that anybody has, in order.
    pub(crate) fn addresses(&self) -> Vec<IpAddr> {
        in_order(self.looks.iter().flat_map(|look| look.said.addresses()).copied().collect())
    }

    /// Where the aliases lead to; empty when there are none.
    pub(crate) fn aliases(&self) -> &'a [String] {
        let mut aliases = self.looks.iter().map(|look| look.aliases.as_slice());
        aliases.find(|aliases| !aliases.is_empty()).unwrap_or_default()
    }

    /// Whether everybody who answered says that the name does not exist at all.
    pub(crate) fn is_no_name(&self) -> bool {
        self.is_answered() && self.answers().all(|look| look.said == Said::NxDomain)
    }

    /// Who said what, where that is not the same. That a name does not exist and that it has
    /// no such record come to the same.
    pub(crate) fn difference(&self) -> Option<String> {
        let content = |look: &'a Look| (look.said.names(), look.said.addresses());
        let mut answers = self.answers();
        let first = content(answers.next()?);
        let differ = answers.any(|look| content(look) != first);
        let said = self.answers().map(|look| format!("{} says {}", self.resolver(look), look.said));
        differ.then(|| some(&said.collect::<Vec<_>>(), SHOWN))
    }

    /// What it is that nobody answered: the end of the run where that alone was the cause.
    pub(crate) fn absence(&self) -> Condition {
        let mut silent = self.looks.iter().filter(|look| !look.is_answer());
        if self.is_cut_short && silent.all(|look| look.said.is_timeout()) {
            Condition::Timeout
        } else {
            Condition::Incomplete
        }
    }

    /// Why there is no answer, and from whom.
    pub(crate) fn silence(&self) -> String {
        let silent = self.looks.iter().filter(|look| !look.is_answer());
        let causes: Vec<String> =
            silent.map(|look| format!("{} ({})", look.said, self.resolver(look))).collect();
        if causes.is_empty() { "not asked".to_owned() } else { some(&causes, SHOWN) }
    }

    fn resolver(&self, look: &Look) -> &'a str {
        self.resolvers.get(look.resolver).map_or("a resolver", String::as_str)
    }
}
