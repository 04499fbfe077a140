//! From what the lists said to findings: a verdict on each target, and which lists could
//! not be believed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use common::plugin::Run;
use common::report::{Condition, Finding, Range, Report, State, Thresholds, format_number, quote};

use crate::list::{Kind, List, Subject};
use crate::options::{LimitArgs, Share};
use crate::seen::{Look, Seen, SeenTarget};
use crate::verdict::{Listing, Vote, Why, agree, judge_test, vote};

/// What decides.
pub(crate) struct Limits {
    pub(crate) score: Thresholds,
    min_healthy: Share,
    unhealthy_warning: Share,
    quorum: usize,
}

impl Limits {
    pub(crate) fn new(args: &LimitArgs, resolvers: usize) -> Self {
        Self {
            score: args.thresholds(),
            min_healthy: args.min_healthy,
            unhealthy_warning: args.unhealthy_warning,
            quorum: args.quorum.map_or(resolvers / 2 + 1, usize::from),
        }
    }
}

/// One list's word on one target, over all its addresses and all resolvers.
pub(crate) struct Word<'a> {
    pub(crate) list: &'a List,
    vote: Vote,
    /// Which of the target's addresses is listed, where that is not plain.
    subject: Option<&'a Subject>,
    /// The list's own words.
    reason: Option<&'a str>,
    /// Resolvers that saw a listing which does not count.
    overruled: usize,
}

/// What is known of one target.
pub(crate) struct Judged<'a> {
    target: &'a SeenTarget,
    pub(crate) words: Vec<Word<'a>>,
    /// `None` when no list gave an answer to trust.
    pub(crate) score: Option<f64>,
    pub(crate) state: State,
}

/// Judges every target, worst first.
pub(crate) fn judge<'a>(seen: &'a Seen, limits: &Limits, run: &Run) -> Vec<Judged<'a>> {
    let tests = failed_tests(seen);
    let mut looks: BTreeMap<usize, Vec<&Look>> = BTreeMap::new();
    for look in &seen.looks {
        looks.entry(look.target).or_default().push(look);
    }
    let mut judged: Vec<Judged<'_>> = seen
        .targets
        .iter()
        .enumerate()
        .map(|(at, target)| {
            let words = words(seen, target, looks.get(&at).map_or(&[], Vec::as_slice), &tests, limits);
            Judged::new(target, words, limits, run)
        })
        .collect();
    judged.sort_by(|one, other| {
        Reverse(one.state)
            .cmp(&Reverse(other.state))
            .then(other.score.unwrap_or(0.0).total_cmp(&one.score.unwrap_or(0.0)))
    });
    judged
}

type FailedTests = BTreeMap<(usize, Kind, usize), Why>;

fn failed_tests(seen: &Seen) -> FailedTests {
    let failed = |test: &crate::seen::Test| {
        let why = judge_test(seen.lists.get(test.list)?, test)?;
        Some(((test.list, test.kind, test.resolver), why))
    };
    seen.tests.iter().filter_map(failed).collect()
}

/// What each list says of a target. The looks of a target stand together by list and
/// subject.
fn words<'a>(
    seen: &'a Seen,
    target: &'a SeenTarget,
    looks: &[&'a Look],
    tests: &FailedTests,
    limits: &Limits,
) -> Vec<Word<'a>> {
    let by_list = looks.chunk_by(|one, other| one.list == other.list);
    by_list
        .filter_map(|looks| {
            let list = seen.lists.get(looks.first()?.list)?;
            let by_subject = looks.chunk_by(|one, other| one.subject == other.subject);
            by_subject.filter_map(|looks| word(list, target, looks, tests, limits)).reduce(weightier)
        })
        .collect()
}

fn word<'a>(
    list: &'a List,
    target: &'a SeenTarget,
    looks: &[&'a Look],
    tests: &FailedTests,
    limits: &Limits,
) -> Option<Word<'a>> {
    let subject = target.subjects.get(looks.first()?.subject)?;
    let votes = looks
        .iter()
        .map(|look| match tests.get(&(look.list, subject.kind(), look.resolver)) {
            Some(why) => Vote::Unhealthy(why.clone()),
            None => vote(list, &look.said),
        })
        .collect();
    let verdict = agree(votes, limits.quorum);
    Some(Word {
        list,
        vote: verdict.vote,
        subject: (target.name != subject.to_string()).then_some(subject),
        reason: looks.iter().find_map(|look| look.reason.as_deref()),
        overruled: verdict.overruled,
    })
}

/// Of a target with several addresses the one that matters for a list: the listed one (on
/// an allow list the missing one), else one that nothing is known of.
fn weightier<'a>(one: Word<'a>, other: Word<'a>) -> Word<'a> {
    let rank = |word: &Word<'_>| match (&word.vote, word.list.allow) {
        (Vote::Listed(_), false) | (Vote::NotListed, true) => 2,
        (Vote::Unhealthy(_), _) => 1,
        (Vote::NotListed, false) | (Vote::Listed(_), true) => 0,
    };
    let weight = |word: &Word<'_>| word.points().unwrap_or(0.0);
    if (rank(&other), weight(&other)) > (rank(&one), weight(&one)) { other } else { one }
}

impl Word<'_> {
    /// What it adds to the score; `None` when nothing can be told.
    fn points(&self) -> Option<f64> {
        match (&self.vote, self.list.allow) {
            (Vote::Listed(listing), false) => Some(listing.weight),
            (Vote::NotListed, true) => Some(self.list.weight),
            (Vote::Unhealthy(_), _) => None,
            (Vote::NotListed, false) | (Vote::Listed(_), true) => Some(0.0),
        }
    }

    pub(crate) const fn is_healthy(&self) -> bool {
        !matches!(self.vote, Vote::Unhealthy(_))
    }

    /// Whether it speaks against the target.
    pub(crate) const fn is_against(&self) -> bool {
        matches!((&self.vote, self.list.allow), (Vote::Listed(_), false) | (Vote::NotListed, true))
    }

    const fn why(&self) -> Option<&Why> {
        match &self.vote {
            Vote::Unhealthy(why) => Some(why),
            _ => None,
        }
    }

    /// `bl.example.org (127.0.0.2 spam source)`.
    fn against(&self) -> String {
        let of = self.subject.map(|subject| format!(" for {subject}")).unwrap_or_default();
        match &self.vote {
            Vote::Listed(Listing { codes, .. }) => format!("{} ({}){of}", self.list.zone, some(codes, 4)),
            _ => format!("{}{of}", self.list.zone),
        }
    }
}

impl<'a> Judged<'a> {
    fn new(target: &'a SeenTarget, words: Vec<Word<'a>>, limits: &Limits, run: &Run) -> Self {
        let points: Vec<f64> = words.iter().filter_map(Word::points).collect();
        let score = (!points.is_empty()).then(|| points.iter().sum::<f64>());
        let mut judged = Self { target, words, score, state: State::Ok };
        judged.state = judged.judge(limits);
        if judged.target.problem.is_some() {
            judged.state = State::worst([judged.state, run.states.state(Condition::Unresolved)]);
        }
        judged
    }

    /// The score first; then whether enough lists could be believed.
    fn judge(&self, limits: &Limits) -> State {
        let (all, healthy) = (self.weight(|_| true), self.weight(|word: &Word<'_>| word.why().is_none()));
        let by_score = self.score.map_or(State::Ok, |score| limits.score.judge(score));
        if by_score != State::Ok {
            by_score
        } else if self.words.is_empty()
            || self.healthy() == 0
            || self.is_below(limits.min_healthy, all, healthy)
        {
            State::Unknown
        } else if self.is_above(limits.unhealthy_warning, all, healthy) {
            State::Warning
        } else {
            State::Ok
        }
    }

    fn is_below(&self, share: Share, all: f64, healthy: f64) -> bool {
        match share {
            Share::Number(number) => count(self.healthy()) < number,
            Share::Percent(_) => healthy < share.of(all),
        }
    }

    fn is_above(&self, share: Share, all: f64, healthy: f64) -> bool {
        match share {
            Share::Number(number) => count(self.words.len() - self.healthy()) > number,
            Share::Percent(_) => all - healthy > share.of(all),
        }
    }

    /// The weight of some lists; each counts one where none has any.
    fn weight(&self, which: impl Fn(&Word<'_>) -> bool) -> f64 {
        let weightless = self.words.iter().all(|word| word.list.weight == 0.0);
        let weight = |word: &Word<'_>| if weightless { 1.0 } else { word.list.weight };
        self.words.iter().filter(|word| which(word)).map(weight).sum()
    }

    fn healthy(&self) -> usize {
        self.words.iter().filter(|word| word.is_healthy()).count()
    }

    /// The line on this target.
    pub(crate) fn finding(&self, limits: &Limits) -> Finding {
        let name = &self.target.name;
        let (healthy, all) = (self.healthy(), self.words.len());
        let against: Vec<String> = self
            .words
            .iter()
            .filter(|word| word.is_against() && !word.list.allow)
            .map(Word::against)
            .collect();
        let missing: Vec<String> = self
            .words
            .iter()
            .filter(|word| word.is_against() && word.list.allow)
            .map(Word::against)
            .collect();
        let trusted = format!("{healthy} of {all} lists gave an answer to trust");
        if !against.is_empty() || !missing.is_empty() {
            let mut parts = Vec::new();
            if !against.is_empty() {
                parts.push(format!("listed by {}", some(&against, 5)));
            }
            if !missing.is_empty() {
                parts.push(format!("missing on {}", some(&missing, 5)));
            }
            let score = self.score.unwrap_or(0.0);
            let limit =
                limits.score.deciding(score).map(|range| limit_words(limits.score.judge(score), range));
            let limit = limit.map(|words| format!(", {words}")).unwrap_or_default();
            let text = format!("{name} {}; score {}{limit}", parts.join(" and "), format_number(score));
            return Finding::new("listed", self.state, text);
        }
        if self.words.is_empty() {
            let text = format!("{name}: no list can be asked about it");
            let hint = "type=ip6 or type=domain for a list that takes such; the default set has all types";
            return Finding::new("no_list", State::Unknown, text).with_hint(hint);
        }
        let mostly = self.commonest().map(|words| format!(": {words}")).unwrap_or_default();
        match self.state {
            State::Ok if healthy == all => Finding::new(
                "not_listed",
                State::Ok,
                format!("{name} not listed, {all} of {all} lists healthy"),
            ),
            State::Ok => {
                Finding::new("not_listed", State::Ok, format!("{name} not listed, {trusted}{mostly}"))
            }
            State::Warning => {
                let limit = limits.unhealthy_warning;
                let text =
                    format!("{name} not listed, but only {trusted}, warning above {limit} without{mostly}");
                Finding::new("unhealthy", State::Warning, text)
            }
            _ => {
                let text = if healthy == 0 {
                    format!("{name}: none of {all} lists gave an answer to trust{mostly}")
                } else {
                    format!("{name}: only {trusted}, at least {} must{mostly}", limits.min_healthy)
                };
                Finding::new("undecided", State::Unknown, text)
            }
        }
    }

    /// Why most of the unhealthy lists are so.
    fn commonest(&self) -> Option<String> {
        let mut reasons: BTreeMap<&Why, usize> = BTreeMap::new();
        for why in self.words.iter().filter_map(Word::why) {
            *reasons.entry(why).or_default() += 1;
        }
        let (why, times) = reasons.iter().max_by_key(|(_, times)| **times)?;
        let zone = self.words.iter().find(|word| word.why() == Some(why)).map(|word| word.list.zone.as_str());
        Some(match times {
            1 => format!("{} {}", zone.unwrap_or_default(), why.words()),
            _ => format!("{times} {}", why.words()),
        })
    }

    /// What is wrong with the target itself.
    pub(crate) fn problem(&self, run: &Run) -> Option<Finding> {
        let text = self.target.problem.as_ref()?;
        Some(Finding::new("unresolved", run.states.state(Condition::Unresolved), text.clone()))
    }

    /// Notes that belong to the target: the lists' own words, and what did not count.
    pub(crate) fn add_notes(&self, report: &mut Report, is_only: bool) {
        for word in self.words.iter().filter(|word| word.is_against()) {
            if let Some(reason) = word.reason {
                report.note("reason", format!("{}: {}", word.against(), quote(reason)));
            }
            if let Some(about) = &word.list.about {
                report.context(1, format!("{}: {about}", word.list.zone));
            }
        }
        for word in self.words.iter().filter(|word| word.overruled > 0) {
            let text = format!(
                "{}: listed by {} for {} of the resolvers, not enough to count",
                self.target.name, word.list.zone, word.overruled
            );
            report.note("overruled", text);
        }
        if self.target.unfit > 0 && is_only {
            report.note(
                "unfit",
                format!("{} lists take no target of this type and were left out", self.target.unfit),
            );
        }
    }
}

/// Lists that could not be believed, put together by the reason.
pub(crate) fn add_unhealthy(judged: &[Judged<'_>], report: &mut Report) {
    let mut reasons: BTreeMap<&Why, BTreeSet<&str>> = BTreeMap::new();
    for word in judged.iter().flat_map(|one| &one.words) {
        if let Some(why) = word.why() {
            reasons.entry(why).or_default().insert(word.list.zone.as_str());
        }
    }
    let many = reasons.len();
    for (why, zones) in reasons.into_iter().take(MAX_REASONS) {
        let zones: Vec<String> = zones.into_iter().map(str::to_owned).collect();
        let text = format!("{}: {}", why.words(), some(&zones, 20));
        let mut finding = Finding { is_note: true, ..Finding::new(why.id(), State::Ok, text) };
        finding.hint = why.hint().map(str::to_owned);
        report.add(finding);
    }
    if many > MAX_REASONS {
        report.note("list_silent", format!("and {} more reasons", many - MAX_REASONS));
    }
}

/// Different reasons that get a line.
const MAX_REASONS: usize = 20;

/// The first of many, and how many more.
fn some(items: &[String], most: usize) -> String {
    let shown = items.iter().take(most).map(String::as_str).collect::<Vec<_>>().join(", ");
    match items.len().saturating_sub(most) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// `critical from 1`, `warning above 0`.
fn limit_words(state: State, range: Range) -> String {
    let state = state.name().to_lowercase();
    let text = range.to_string();
    let from = text.strip_prefix('@').and_then(|rest| rest.strip_suffix(':'));
    match (from, range.upper_limit()) {
        (Some(from), _) => format!("{state} from {from}"),
        (None, Some(limit)) => format!("{state} above {}", format_number(limit)),
        (None, None) => format!("{state} {text}"),
    }
}

/// A count as a number of the report; lists are few enough to be exact.
pub(crate) fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::INFINITY, f64::from)
}
