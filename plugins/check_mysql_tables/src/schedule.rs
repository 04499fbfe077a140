//! Which tables come next, and how deep each is checked.

use std::cmp::Reverse;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::memory::Memory;
use crate::options::Level;
use crate::tables::Table;

/// What a run wants.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    pub(crate) level: Level,
    /// After how long a table is due for a deep check.
    pub(crate) deep_every: Option<Duration>,
    pub(crate) max_bytes: u64,
    /// Oldest first.
    pub(crate) resume: bool,
    pub(crate) now: i64,
}

/// What is to be done with a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Check(Level),
    Leave(Why),
}

/// Why a table was not checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The time was used up.
    Budget,
    /// It is larger than allowed.
    TooLarge,
    /// The server went down during its check.
    Suspect,
    /// The run ended early.
    Ended,
    /// A check of an earlier run has not ended.
    Busy,
    /// It was dropped meanwhile.
    Gone,
    /// Nothing could be remembered, and without that no check is begun.
    Unguarded,
}

/// The tables by their place in the list, in the order in which they are to be checked. Known
/// damage comes first: news of it must not wait for a turn.
pub(crate) fn plan(tables: &[&Table], memory: &Memory, order: Order) -> Vec<(usize, Step)> {
    let mut steps: Vec<(usize, Step)> =
        tables.iter().enumerate().map(|(at, table)| (at, step(table, memory, order))).collect();
    steps.sort_by_key(|(at, _)| {
        let known = tables.get(*at).and_then(|table| memory.known(&table.name));
        let is_damaged = known.is_some_and(|record| record.damaged.is_some());
        let last = known.and_then(|record| record.tried).filter(|_| order.resume);
        (Reverse(is_damaged), last)
    });
    steps
}

fn step(table: &Table, memory: &Memory, order: Order) -> Step {
    if memory.is_suspect(&table.name) {
        return Step::Leave(Why::Suspect);
    }
    if table.bytes > order.max_bytes {
        return Step::Leave(Why::TooLarge);
    }
    let known = memory.known(&table.name);
    let is_due = order.deep_every.is_some_and(|every| {
        let deep = known.and_then(|record| record.deep);
        deep.is_none_or(|at| u64::try_from(order.now.saturating_sub(at)).unwrap_or(0) >= every.as_secs())
    });
    let level = if is_due { order.level.max(Level::Medium) } else { order.level };
    Step::Check(known.and_then(|record| record.damaged).map_or(level, |found| level.max(found)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tables::TableName;

    const NOW: i64 = 1_800_000_000;
    const WEEK: Duration = Duration::from_hours(7 * 24);

    fn table(name: &str, bytes: u64) -> Table {
        Table {
            name: TableName { schema: "shop".to_owned(), name: name.to_owned() },
            kind: "BASE TABLE".to_owned(),
            engine: Some("MyISAM".to_owned()),
            bytes,
            comment: String::new(),
        }
    }

    fn order(resume: bool) -> Order {
        Order { level: Level::Quick, deep_every: Some(WEEK), max_bytes: 1000, resume, now: NOW }
    }

    fn places(steps: &[(usize, Step)]) -> Vec<usize> {
        steps.iter().map(|(at, _)| *at).collect()
    }

    #[test]
    fn resume_begins_with_what_was_never_checked_then_the_oldest() {
        let tables = [table("a", 1), table("b", 1), table("c", 1)];
        let mut memory = Memory::default();
        memory.record(&tables[0].name, NOW).tried = Some(NOW - 10);
        memory.record(&tables[1].name, NOW).tried = Some(NOW - 20);
        let all: Vec<&Table> = tables.iter().collect();
        assert_eq!(places(&plan(&all, &memory, order(true))), [2, 1, 0]);
        assert_eq!(places(&plan(&all, &memory, order(false))), [0, 1, 2]);
    }

    #[test]
    fn known_damage_comes_first_and_at_the_level_that_found_it() {
        let tables = [table("a", 1), table("b", 1)];
        let mut memory = Memory::default();
        memory.record(&tables[0].name, NOW).finished(Level::Medium, false, NOW - 999);
        memory.record(&tables[1].name, NOW).finished(Level::Extended, true, NOW);
        let all: Vec<&Table> = tables.iter().collect();
        assert_eq!(
            plan(&all, &memory, order(true)),
            [(1, Step::Check(Level::Extended)), (0, Step::Check(Level::Quick))]
        );
    }

    #[test]
    fn a_deep_check_is_due_after_its_time() {
        let one = table("a", 1);
        let level = |deep: Option<i64>, every| {
            let mut memory = Memory::default();
            memory.record(&one.name, NOW).deep = deep;
            plan(&[&one], &memory, Order { deep_every: every, ..order(true) })[0].1
        };
        assert_eq!(level(None, Some(WEEK)), Step::Check(Level::Medium));
        assert_eq!(level(Some(NOW - 86_400), Some(WEEK)), Step::Check(Level::Quick));
        assert_eq!(level(Some(NOW - 8 * 86_400), Some(WEEK)), Step::Check(Level::Medium));
        assert_eq!(level(None, None), Step::Check(Level::Quick));
        assert_eq!(level(Some(NOW + 86_400), Some(WEEK)), Step::Check(Level::Quick), "a clock was set back");
    }

    #[test]
    fn large_and_suspect_tables_are_left() {
        let (large, suspect) = (table("large", 1001), table("suspect", 1));
        let mut memory = Memory::default();
        let server = crate::memory::ServerMark { name: "db".to_owned(), started: 1 };
        memory.suspect(crate::memory::Pending { table: suspect.name.clone(), since: 1, server });
        assert_eq!(
            plan(&[&large, &suspect], &memory, order(false)),
            [(0, Step::Leave(Why::TooLarge)), (1, Step::Leave(Why::Suspect))]
        );
    }

    proptest! {
        #[test]
        fn every_table_has_exactly_one_turn(sizes in prop::collection::vec(0u64..2000, 0..20), resume: bool) {
            let tables: Vec<Table> =
                sizes.iter().enumerate().map(|(at, size)| table(&at.to_string(), *size)).collect();
            let all: Vec<&Table> = tables.iter().collect();
            let mut turns = places(&plan(&all, &Memory::default(), order(resume)));
            turns.sort_unstable();
            prop_assert_eq!(turns, (0..tables.len()).collect::<Vec<_>>());
        }
    }
}
