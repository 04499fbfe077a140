//! Who decides what happens after a query, and the decision by zone.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::query::Query;
use super::reaction::Reaction;
use super::types::{Rcode, Rdata, Record, RecordType};

/// Decides what happens after a query. A closure `|query: &Query| ...` does, and so does a
/// [`Reaction`], which is then the same for every query.
pub trait Behaviour: Send + Sync + 'static {
    /// The reaction to a query that fell into a zone (`zen.lab.test`, empty for the root).
    fn react(&self, query: &Query, zone: &str) -> Reaction;

    /// The same, with every reaction changed in this way.
    fn map<F>(self, change: F) -> Mapped<Self, F>
    where
        Self: Sized,
        F: Fn(Reaction) -> Reaction + Send + Sync + 'static,
    {
        Mapped { behaviour: self, change }
    }

    /// The same, with every message later by this time.
    fn delayed(self, time: Duration) -> impl Behaviour
    where
        Self: Sized,
    {
        self.map(move |reaction| reaction.delayed(time))
    }

    /// The same as from a resolver that has validated it.
    fn authentic(self) -> impl Behaviour
    where
        Self: Sized,
    {
        self.map(Reaction::authentic)
    }
}

impl<F: Fn(&Query) -> Reaction + Send + Sync + 'static> Behaviour for F {
    fn react(&self, query: &Query, _zone: &str) -> Reaction {
        self(query)
    }
}

impl Behaviour for Reaction {
    fn react(&self, _query: &Query, _zone: &str) -> Reaction {
        self.clone()
    }
}

/// What [`Behaviour::map`] makes.
#[derive(Clone, Debug)]
pub struct Mapped<B, F> {
    behaviour: B,
    change: F,
}

impl<B, F> Behaviour for Mapped<B, F>
where
    B: Behaviour,
    F: Fn(Reaction) -> Reaction + Send + Sync + 'static,
{
    fn react(&self, query: &Query, zone: &str) -> Reaction {
        (self.change)(self.behaviour.react(query, zone))
    }
}

/// A behaviour for each zone; the longest zone that fits wins. What is in none of them is
/// answered REFUSED, unless [`Zones::otherwise`] says something else.
#[derive(Default)]
pub struct Zones {
    zones: HashMap<String, (Arc<str>, Box<dyn Behaviour>)>,
    aliases: Aliases,
}

/// What is done about an alias that leads out of its zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Aliases {
    #[default]
    Given,
    Followed,
}

impl Zones {
    /// No zone yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One zone more, named in lower case without the final dot.
    #[must_use]
    pub fn zone(mut self, name: &str, behaviour: impl Behaviour) -> Self {
        assert!(!name.ends_with('.') && name == name.to_ascii_lowercase(), "{name:?}: lower case, no dot");
        self.zones.insert(name.to_owned(), (Arc::from(name), Box::new(behaviour)));
        self
    }

    /// Follows aliases from zone to zone, as a resolver does.
    #[must_use]
    pub fn following_aliases(mut self) -> Self {
        self.aliases = Aliases::Followed;
        self
    }

    /// What happens to all other names.
    #[must_use]
    pub fn otherwise(self, behaviour: impl Behaviour) -> Self {
        self.zone("", behaviour)
    }
}

impl Behaviour for Zones {
    fn react(&self, query: &Query, _zone: &str) -> Reaction {
        let mut reaction = self.own(query);
        let mut query = query.clone();
        while let Some(target) = reaction.open_alias(&query).filter(|_| self.aliases == Aliases::Followed) {
            query.name.clone_from(&target);
            reaction = reaction.leading_to(&target, self.own(&query));
        }
        reaction
    }
}

impl Zones {
    /// What the zone of a name says.
    fn own(&self, query: &Query) -> Reaction {
        let mut suffix = query.name.as_str();
        loop {
            if let Some((zone, behaviour)) = self.zones.get(suffix) {
                return behaviour.react(query, zone).in_zone(zone);
            }
            if suffix.is_empty() {
                return Reaction::rcode(Rcode::Refused);
            }
            suffix = suffix.split_once('.').map_or("", |(_, parent)| parent);
        }
    }
}

impl fmt::Debug for Zones {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.zones.keys()).finish()
    }
}

/// A zone with these records: follows aliases within it, tells a name without the type
/// (NODATA) from a name that does not exist (NXDOMAIN). A record without an owner belongs to
/// the zone's own name; there are no wildcards and no delegations.
#[derive(Clone, Debug, Default)]
pub struct Names {
    records: HashMap<String, Vec<Record>>,
    changes: Vec<Change>,
}

/// What is wrong at a name.
#[derive(Clone)]
struct Change {
    name: String,
    record_type: RecordType,
    make: Arc<dyn Fn(Reaction) -> Reaction + Send + Sync>,
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.name, self.record_type)
    }
}

impl Names {
    /// A zone with these records. Owners are whole names in lower case, without the final dot.
    #[must_use]
    pub fn new(records: impl IntoIterator<Item = Record>) -> Self {
        records.into_iter().fold(Self::default(), Self::record)
    }

    /// With one record more.
    #[must_use]
    pub fn record(mut self, record: Record) -> Self {
        self.records.entry(record.name.clone().unwrap_or_default()).or_default().push(record);
        self
    }

    /// The same, but what is said about this name and type ([`RecordType::Any`]: every type) is
    /// changed in this way, as `|_| Reaction::rcode(Rcode::ServFail)` or `Reaction::truncated`. Names
    /// are whole ones.
    #[must_use]
    pub fn at(
        mut self,
        name: &str,
        record_type: RecordType,
        change: impl Fn(Reaction) -> Reaction + Send + Sync + 'static,
    ) -> Self {
        self.changes.push(Change { name: name.to_owned(), record_type, make: Arc::new(change) });
        self
    }

    /// Whether something is wrong at a name.
    pub(crate) fn is_changed(&self) -> bool {
        !self.changes.is_empty()
    }

    /// The records of a name in a zone.
    fn of(&self, name: &str, zone: &str) -> Option<&Vec<Record>> {
        self.records.get(if name == zone { "" } else { name }).or_else(|| self.records.get(name))
    }

    /// Whether there is a name below this one, which then exists without a record.
    fn has_below(&self, name: &str) -> bool {
        self.records.keys().any(|owner| owner.strip_suffix(name).is_some_and(|front| front.ends_with('.')))
    }
}

impl Behaviour for Names {
    fn react(&self, query: &Query, zone: &str) -> Reaction {
        let fits = |change: &&Change| {
            change.name == query.name
                && (change.record_type == RecordType::Any || change.record_type == query.record_type)
        };
        let changes = self.changes.iter().filter(fits);
        changes.fold(self.recorded(query, zone), |reaction, change| (change.make)(reaction))
    }
}

impl Names {
    /// What the records say.
    fn recorded(&self, query: &Query, zone: &str) -> Reaction {
        let mut answer: Vec<Record> = Vec::new();
        let mut name = query.name.clone();
        // A loop of aliases ends like the ones of real servers: in an answer without an end.
        while answer.len() < 20 {
            let Some(records) = self.of(&name, zone) else {
                return match answer.is_empty() {
                    false => Reaction::records(answer),
                    true if name == zone || self.has_below(&name) => Reaction::nodata(),
                    true => Reaction::nxdomain(),
                };
            };
            let fits = |record: &&Record| {
                let kind = record.data.record_type();
                query.record_type == RecordType::Any || kind == query.record_type
            };
            let found = records.iter().filter(fits).cloned().map(|record| record.owned_by(&name));
            let found: Vec<_> = found.collect();
            let alias = records.iter().find_map(|record| match &record.data {
                Rdata::Cname(target) => Some((record.clone().owned_by(&name), target.clone())),
                _ => None,
            });
            match alias {
                Some((record, target)) if found.is_empty() => {
                    answer.push(record);
                    name = target.to_ascii_lowercase();
                }
                _ if found.is_empty() && answer.is_empty() => return Reaction::nodata(),
                _ => {
                    answer.extend(found);
                    break;
                }
            }
        }
        Reaction::records(answer)
    }
}
