//! Sets of transactions as the two families of servers write them.
//!
//! MySQL: `uuid:1-5:7` and, since 8.3, `uuid:tag:1-5`; a set has all its members. MariaDB:
//! `domain-server-sequence`; a position stands for everything before it in its domain.

use std::collections::BTreeMap;
use std::fmt;

/// A set of MySQL's transactions. Intervals are disjoint, in order, both ends inclusive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MysqlGtids {
    /// By UUID, or UUID and tag.
    origins: BTreeMap<String, Vec<(u64, u64)>>,
}

impl MysqlGtids {
    /// Reads a set; `None` when it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut set = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let mut pieces = part.split(':').map(str::trim);
            let uuid = pieces.next().filter(|uuid| is_uuid(uuid))?.to_ascii_lowercase();
            let mut origin = uuid.clone();
            let mut read = 0u32;
            for piece in pieces {
                if piece.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
                    origin = format!("{uuid}:{}", piece.to_ascii_lowercase());
                    continue;
                }
                let (first, last) = piece.split_once('-').unwrap_or((piece, piece));
                let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
                if first == 0 || last < first {
                    return None;
                }
                set.origins.entry(origin.clone()).or_default().push((first, last));
                read += 1;
            }
            if read == 0 {
                return None;
            }
        }
        set.origins.values_mut().for_each(normalise);
        Some(set)
    }

    /// What is here and not there.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        let origins = self.origins.iter().filter_map(|(origin, ours)| {
            let left = match other.origins.get(origin) {
                Some(theirs) => subtract(ours, theirs),
                None => ours.clone(),
            };
            (!left.is_empty()).then(|| (origin.clone(), left))
        });
        Self { origins: origins.collect() }
    }

    /// What is here or there.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        let mut origins = self.origins.clone();
        for (origin, theirs) in &other.origins {
            origins.entry(origin.clone()).or_default().extend(theirs);
        }
        origins.values_mut().for_each(normalise);
        Self { origins }
    }

    /// What one server wrote itself, under any tag.
    #[must_use]
    pub fn of_server(&self, uuid: &str) -> Self {
        self.only(|origin| origin.eq_ignore_ascii_case(uuid))
    }

    /// Without what comes from the servers another set knows of.
    #[must_use]
    pub fn without_servers_of(&self, other: &Self) -> Self {
        self.only(|uuid| other.of_server(uuid).is_empty())
    }

    fn only(&self, wanted: impl Fn(&str) -> bool) -> Self {
        let uuid = |origin: &str| origin.split(':').next().unwrap_or_default().to_owned();
        let kept = self.origins.iter().filter(|(origin, _)| wanted(&uuid(origin)));
        Self { origins: kept.map(|(origin, spans)| (origin.clone(), spans.clone())).collect() }
    }

    /// Whether everything there is here.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        other.minus(self).is_empty()
    }

    /// Number of transactions.
    #[must_use]
    pub fn count(&self) -> u64 {
        let spans = self.origins.values().flatten();
        spans.fold(0, |sum, (first, last)| sum.saturating_add((last - first).saturating_add(1)))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.origins.is_empty()
    }
}

impl fmt::Display for MysqlGtids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (origin, spans)) in self.origins.iter().enumerate() {
            write!(f, "{}{origin}", if place == 0 { "" } else { "," })?;
            for (first, last) in spans {
                if first == last { write!(f, ":{first}")? } else { write!(f, ":{first}-{last}")? }
            }
        }
        Ok(())
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// Puts intervals in order and joins those that touch.
fn normalise(spans: &mut Vec<(u64, u64)>) {
    spans.sort_unstable();
    let mut joined: Vec<(u64, u64)> = Vec::with_capacity(spans.len());
    for &(first, last) in spans.iter() {
        match joined.last_mut() {
            Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
            _ => joined.push((first, last)),
        }
    }
    *spans = joined;
}

fn subtract(ours: &[(u64, u64)], theirs: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut left = Vec::new();
    let mut theirs = theirs.iter().peekable();
    for &(mut first, last) in ours {
        let mut is_used_up = false;
        while let Some(&&(start, end)) = theirs.peek() {
            if start > last {
                break;
            }
            if end >= first {
                if start > first {
                    left.push((first, start - 1));
                }
                if end >= last {
                    is_used_up = true;
                    break;
                }
                first = end + 1;
            }
            theirs.next();
        }
        if !is_used_up {
            left.push((first, last));
        }
    }
    left
}

/// Last sequence numbers of MariaDB, by domain and server: a position has one for each
/// domain, the state of a binary log one for each server that wrote to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MariadbGtids {
    last: BTreeMap<(u32, u32), u64>,
}

impl MariadbGtids {
    /// Reads a list; `None` when it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut list = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let mut pieces = part.split('-');
            let (domain, server, sequence) = (pieces.next()?, pieces.next()?, pieces.next()?);
            if pieces.next().is_some() {
                return None;
            }
            let key = (domain.parse().ok()?, server.parse().ok()?);
            let sequence: u64 = sequence.parse().ok()?;
            let highest = list.last.entry(key).or_default();
            *highest = sequence.max(*highest);
        }
        Some(list)
    }

    /// The highest sequence number of a domain.
    #[must_use]
    pub fn in_domain(&self, domain: u32) -> Option<u64> {
        self.last.range((domain, 0)..=(domain, u32::MAX)).map(|(_, sequence)| *sequence).max()
    }

    /// Whether there is anything of a server.
    #[must_use]
    pub fn knows_server(&self, server_id: u32) -> bool {
        self.last.keys().any(|(_, server)| *server == server_id)
    }

    /// How many transactions of `other` lie beyond this position.
    #[must_use]
    pub fn behind(&self, other: &Self) -> u64 {
        let mut domains: Vec<u32> = other.last.keys().map(|(domain, _)| *domain).collect();
        domains.dedup();
        domains.into_iter().fold(0, |sum, domain| {
            let theirs = other.in_domain(domain).unwrap_or_default();
            sum.saturating_add(theirs.saturating_sub(self.in_domain(domain).unwrap_or_default()))
        })
    }

    /// What a server wrote itself and is not behind `position`.
    #[must_use]
    pub fn of_server_beyond(&self, server_id: u32, position: &Self) -> Self {
        self.only(|domain, server, sequence| {
            server == server_id && position.in_domain(domain).is_none_or(|reached| sequence > reached)
        })
    }

    /// What a server wrote itself and is missing in the state of another binary log.
    #[must_use]
    pub fn of_server_unknown_to(&self, server_id: u32, state: &Self) -> Self {
        self.only(|domain, server, sequence| {
            server == server_id && state.last.get(&(domain, server)).is_none_or(|known| sequence > *known)
        })
    }

    fn only(&self, wanted: impl Fn(u32, u32, u64) -> bool) -> Self {
        let kept = self.last.iter().filter(|((domain, server), last)| wanted(*domain, *server, **last));
        Self { last: kept.map(|(key, last)| (*key, *last)).collect() }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.last.is_empty()
    }
}

impl fmt::Display for MariadbGtids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, ((domain, server), sequence)) in self.last.iter().enumerate() {
            write!(f, "{}{domain}-{server}-{sequence}", if place == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const A: &str = "11111111-2222-3333-4444-555555555555";
    const B: &str = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";

    fn mysql(text: &str) -> MysqlGtids {
        MysqlGtids::parse(text).unwrap()
    }

    fn mariadb(text: &str) -> MariadbGtids {
        MariadbGtids::parse(text).unwrap()
    }

    #[test]
    fn sets_are_read_and_written() {
        let spread = format!("{A}:7:1-3:4-5,\n{}:2", B.to_uppercase());
        assert_eq!(mysql(&spread).to_string(), format!("{A}:1-5:7,{B}:2"));
        assert_eq!(mysql(&format!("{A}:1-3:blue:4-5:2")).count(), 6);
        assert_eq!(mysql("").count(), 0);
        for bad in
            [A, "x:1", &format!("{A}:"), &format!("{A}:0-3"), &format!("{A}:5-3"), &format!("{A}:blue")]
        {
            assert_eq!(MysqlGtids::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn tags_belong_to_their_server() {
        let set = mysql(&format!("{A}:1-3:blue:4-5,{B}:1"));
        assert_eq!(set.of_server(A).count(), 5);
        assert_eq!(set.without_servers_of(&mysql(&format!("{A}:9"))).to_string(), format!("{B}:1"));
        assert!(!mysql(&format!("{A}:1-9")).contains(&set.of_server(A)), "a tag is an origin of its own");
    }

    #[test]
    fn the_ends_of_the_range_hold() {
        let all = mysql(&format!("{A}:1-{}", u64::MAX));
        assert_eq!(all.count(), u64::MAX);
        assert!(all.minus(&all).is_empty());
        assert_eq!(all.minus(&mysql(&format!("{A}:1"))).to_string(), format!("{A}:2-{}", u64::MAX));
        assert_eq!(all.plus(&all), all);
    }

    #[test]
    fn positions_are_compared_by_domain() {
        let replica = mariadb("0-1-100,5-2-7");
        assert_eq!(replica.behind(&mariadb("0-1-103,5-2-7,9-1-2")), 5);
        assert_eq!(replica.behind(&mariadb("0-3-90")), 0);
        for bad in ["0-1", "0-1-2-3", "x-1-2", "0-1-", "-0-1"] {
            assert_eq!(MariadbGtids::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn own_transactions_are_errant_beyond_the_position_or_unknown_to_the_source() {
        let state = mariadb("0-1-100,0-2-101,7-2-1");
        assert_eq!(state.of_server_beyond(2, &mariadb("0-1-100")).to_string(), "0-2-101,7-2-1");
        assert!(state.of_server_beyond(2, &mariadb("0-1-200,7-1-4")).is_empty(), "it may be an old source");
        assert_eq!(state.of_server_unknown_to(2, &mariadb("0-1-200,0-2-50,7-2-1")).to_string(), "0-2-101");
    }

    type Model = BTreeSet<(bool, u64)>;

    fn model() -> impl Strategy<Value = Model> {
        proptest::collection::btree_set((any::<bool>(), 1..24u64), 0..30)
    }

    fn written(model: &Model) -> String {
        let parts = model.iter().map(|(is_a, number)| format!("{}:{number}", if *is_a { A } else { B }));
        parts.collect::<Vec<_>>().join(",")
    }

    proptest! {
        #[test]
        fn sets_behave_like_sets(one in model(), other in model()) {
            let (a, b) = (mysql(&written(&one)), mysql(&written(&other)));
            prop_assert_eq!(a.count(), one.len() as u64);
            let minus: Model = one.difference(&other).copied().collect();
            prop_assert_eq!(a.minus(&b), mysql(&written(&minus)));
            let plus: Model = one.union(&other).copied().collect();
            prop_assert_eq!(a.plus(&b), mysql(&written(&plus)));
            prop_assert_eq!(a.contains(&b), one.is_superset(&other));
            prop_assert_eq!(mysql(&a.to_string()), a.clone());
            let of_a: Model = one.iter().filter(|(is_a, _)| *is_a).copied().collect();
            prop_assert_eq!(a.of_server(A), mysql(&written(&of_a)));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "([0-9a-f:,_ -]|11111111-2222-3333-4444-555555555555|[0-9]{1,21}){0,16}") {
            if let Some(set) = MysqlGtids::parse(&text) {
                prop_assert_eq!(MysqlGtids::parse(&set.to_string()), Some(set));
            }
            if let Some(list) = MariadbGtids::parse(&text) {
                prop_assert_eq!(list.behind(&list), 0);
                prop_assert_eq!(MariadbGtids::parse(&list.to_string()), Some(list));
            }
        }
    }
}
