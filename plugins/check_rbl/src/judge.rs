//! From what the lists said to findings: a verdict on each target, and which lists could
//! not be believed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use common::plugin::Run;
use common::report::{Condition, Finding, Range, Report, State, Thresholds, format_number, quote, some};

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
    standing: Standing,
    /// With what is wrong with the target itself.
    pub(crate) state: State,
}

/// What decides on a target, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// No list takes a target of this type.
    NoList,
    /// The score is over a threshold.
    Score(State),
    /// Too few lists can be believed.
    Undecided,
    /// Enough can, but too many cannot.
    Unhealthy,
    Fine,
}

impl Standing {
    const fn state(self) -> State {
        match self {
            Self::NoList | Self::Undecided => State::Unknown,
            Self::Score(state) => state,
            Self::Unhealthy => State::Warning,
            Self::Fine => State::Ok,
        }
    }
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
        let mut judged = Self { target, words, score, standing: Standing::Fine, state: State::Ok };
        judged.standing = judged.stand(limits);
        let problem = judged.target.problem.as_ref().map(|_| run.states.state(Condition::Unresolved));
        judged.state = State::worst([judged.standing.state()].into_iter().chain(problem));
        judged
    }

    /// The score first; then whether enough lists could be believed.
    fn stand(&self, limits: &Limits) -> Standing {
        let (all, healthy) = (self.weight(|_| true), self.weight(|word: &Word<'_>| word.why().is_none()));
        let by_score = self.score.map_or(State::Ok, |score| limits.score.judge(score));
        if self.words.is_empty() {
            Standing::NoList
        } else if by_score != State::Ok {
            Standing::Score(by_score)
        } else if self.healthy() == 0 || self.is_below(limits.min_healthy, all, healthy) {
            Standing::Undecided
        } else if self.is_above(limits.unhealthy_warning, all, healthy) {
            Standing::Unhealthy
        } else {
            Standing::Fine
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
        let trusted = format!("{healthy} of {all} lists gave an answer to trust");
        let mostly = self.commonest().map(|words| format!(": {words}")).unwrap_or_default();
        let said = self.said(limits);
        let (id, text) = match self.standing {
            Standing::NoList => ("no_list", format!("{name}: no list can be asked about it")),
            Standing::Score(_) => ("listed", format!("{name} {said}")),
            Standing::Undecided if healthy == 0 => {
                ("undecided", format!("{name}: no list of {all} gave an answer to trust{mostly}"))
            }
            Standing::Undecided => {
                let least = limits.min_healthy;
                ("undecided", format!("{name} {said}, but only {trusted} (at least {least} must){mostly}"))
            }
            Standing::Unhealthy => {
                let most = limits.unhealthy_warning;
                let rule = format!("warning when more than {most} give none");
                ("unhealthy", format!("{name} {said}, but only {trusted} ({rule}){mostly}"))
            }
            Standing::Fine if healthy == all => {
                ("not_listed", format!("{name} {said}, {all} of {all} lists healthy"))
            }
            Standing::Fine => ("not_listed", format!("{name} {said}, {trusted}{mostly}")),
        };
        let finding = Finding::new(id, self.standing.state(), text);
        if self.standing == Standing::NoList && self.target.problem.is_none() {
            return finding
                .with_hint("a list takes IPv4 addresses unless type=ip6 or type=domain says otherwise");
        }
        finding
    }

    /// What the lists say that can be believed: `listed by ...`, `not listed`.
    fn said(&self, limits: &Limits) -> String {
        let against = |allow: bool| -> Vec<String> {
            let words = self.words.iter().filter(|word| word.is_against() && word.list.allow == allow);
            words.map(Word::against).collect()
        };
        let parts: Vec<String> = [("listed by", against(false)), ("missing on", against(true))]
            .into_iter()
            .filter(|(_, lists)| !lists.is_empty())
            .map(|(verb, lists)| format!("{verb} {}", some(&lists, 5)))
            .collect();
        let Some(score) = self.score.filter(|_| !parts.is_empty()) else { return "not listed".to_owned() };
        let limit = limits.score.deciding(score);
        let limit = limit.map(|range| format!(", {}", limit_words(limits.score.judge(score), range)));
        format!("{}; score {}{}", parts.join(" and "), format_number(score), limit.unwrap_or_default())
    }

    /// Why most of the unhealthy lists are so; the others have their own lines.
    fn commonest(&self) -> Option<String> {
        let mut reasons: BTreeMap<&Why, usize> = BTreeMap::new();
        for why in self.words.iter().filter_map(Word::why) {
            *reasons.entry(why).or_default() += 1;
        }
        let (why, times) = reasons.iter().max_by_key(|(_, times)| **times)?;
        let zone = self.words.iter().find(|word| word.why() == Some(why)).map(|word| word.list.zone.as_str());
        let who = if *times == 1 { zone.unwrap_or_default().to_owned() } else { times.to_string() };
        let others = if reasons.len() > 1 { ", and others" } else { "" };
        Some(format!("{who} {}{others}", why.words()))
    }

    /// What is wrong with the target itself.
    pub(crate) fn problem(&self, run: &Run) -> Option<Finding> {
        let text = self.target.problem.as_ref()?;
        Some(Finding::new("unresolved", run.states.state(Condition::Unresolved), text.clone()))
    }

    /// Notes that belong to the target: the lists' own words, and what did not count.
    pub(crate) fn add_notes(&self, report: &mut Report, unfit_is_news: bool) {
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
        if self.target.unfit > 0 && !self.words.is_empty() {
            let text = format!("{} lists take no target of this type and were left out", self.target.unfit);
            if unfit_is_news {
                report.note("unfit", text);
            } else {
                report.context(1, text);
            }
        }
    }
}

/// Lists that could not be believed, put together by the reason.
pub(crate) fn add_unhealthy(judged: &[Judged<'_>], resolvers: &[String], report: &mut Report) {
    let mut reasons: BTreeMap<&Why, BTreeSet<&str>> = BTreeMap::new();
    for word in judged.iter().flat_map(|one| &one.words) {
        if let Some(why) = word.why() {
            reasons.entry(why).or_default().insert(word.list.zone.as_str());
        }
    }
    let many = reasons.len();
    let is_silent = reasons.keys().any(|why| matches!(why, Why::NoAnswer(_)));
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
    // The resolver is the first to look at when lists are silent.
    if is_silent {
        report.note("asked", asked(resolvers));
    }
}

/// Who was asked.
pub(crate) fn asked(resolvers: &[String]) -> String {
    format!("asked: {}", resolvers.join(", "))
}

/// Different reasons that get a line.
const MAX_REASONS: usize = 20;

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
fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::INFINITY, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::list::{ListSpec, collect};
    use crate::seen::{Said, Test};
    use common::report::StateTable;

    /// What one list answers to: its test points, and each resolver about the one subject.
    struct Lists<'a> {
        spec: &'a str,
        works: bool,
        said: Vec<Said>,
    }

    fn lists(spec: &str, said: Said) -> Lists<'_> {
        Lists { spec, works: true, said: vec![said] }
    }

    fn dead(spec: &str) -> Lists<'_> {
        Lists { works: false, ..lists(spec, Said::NxDomain) }
    }

    fn codes(code: &str) -> Said {
        Said::Codes(vec![code.parse().unwrap()])
    }

    fn seen(given: Vec<Lists<'_>>) -> Seen {
        let resolvers = given.iter().map(|one| one.said.len()).max().unwrap_or(1);
        let all = collect(given.iter().map(|one| {
            let (allow, spec) = one.spec.strip_prefix('+').map_or((false, one.spec), |rest| (true, rest));
            ListSpec::read(spec, allow).unwrap()
        }));
        let subject = Subject::Address("192.0.2.1".parse().unwrap());
        let mut seen = Seen {
            lists: all,
            resolvers: (0..resolvers).map(|n| format!("resolver {n}")).collect(),
            targets: vec![SeenTarget {
                name: subject.to_string(),
                subjects: vec![subject],
                problem: None,
                unfit: 0,
            }],
            tests: Vec::new(),
            looks: Vec::new(),
            questions: 0,
            rate: None,
            cut_short: None,
        };
        for (list, one) in given.into_iter().enumerate() {
            for (resolver, said) in one.said.into_iter().enumerate() {
                let inside = if one.works { codes("127.0.0.2") } else { Said::NxDomain };
                seen.tests.push(Test { list, kind: Kind::Ip4, resolver, inside, outside: Said::NxDomain });
                seen.looks.push(Look {
                    target: 0,
                    subject: 0,
                    list,
                    resolver,
                    said,
                    time: None,
                    reason: None,
                });
            }
        }
        seen
    }

    fn limits(arguments: &[&str], resolvers: usize) -> Limits {
        use clap::Parser as _;
        let all = ["check_rbl", "-H", "192.0.2.1"].iter().chain(arguments);
        Limits::new(&crate::CheckRbl::try_parse_from(all).unwrap().limits, resolvers)
    }

    fn judged(seen: &Seen, arguments: &[&str]) -> (State, String) {
        let limits = limits(arguments, seen.resolvers.len());
        let run = Run { taken_at: 0, states: StateTable::new(&[]) };
        let judged = judge(seen, &limits, &run);
        let finding = judged[0].finding(&limits);
        assert_eq!(finding.state, judged[0].standing.state());
        (judged[0].state, finding.text)
    }

    #[test]
    fn ok_not_listed() {
        let (state, text) =
            judged(&seen(vec![lists("a.example", Said::NxDomain), lists("b.example", Said::NoData)]), &[]);
        assert_eq!((state, text.as_str()), (State::Ok, "192.0.2.1 not listed, 2 of 2 lists healthy"));
    }

    #[test]
    fn critical_listed_even_when_most_lists_are_dead() {
        let seen = seen(vec![lists("a.example", codes("127.0.0.2")), dead("b.example"), dead("c.example")]);
        let (state, text) = judged(&seen, &[]);
        assert_eq!(state, State::Critical);
        assert_eq!(text, "192.0.2.1 listed by a.example (127.0.0.2); score 1, critical from 1");
    }

    #[test]
    fn warning_any_listing_below_critical() {
        let seen = seen(vec![lists("a.example,weight=0.5", codes("127.0.0.2"))]);
        let (state, text) = judged(&seen, &[]);
        assert_eq!(state, State::Warning);
        assert!(text.ends_with("score 0.5, warning above 0"), "{text}");
    }

    #[test]
    fn unknown_too_few_lists_to_believe() {
        use State::{Ok, Unknown, Warning};
        let of = |healthy: usize, all: usize| {
            let spec: Vec<String> = (0..all).map(|n| format!("l{n}.example")).collect();
            let given = spec
                .iter()
                .enumerate()
                .map(|(n, spec)| if n < healthy { lists(spec, Said::NxDomain) } else { dead(spec) });
            judged(&seen(given.collect()), &[]).0
        };
        let states: Vec<State> = (0..=8).map(|healthy| of(healthy, 8)).collect();
        assert_eq!(
            states,
            [Unknown, Unknown, Unknown, Unknown, Warning, Warning, Ok, Ok, Ok],
            "50% and 25% are still fine"
        );
    }

    #[test]
    fn unknown_tolerated_listing_beside_dead_lists() {
        let seen = seen(vec![lists("a.example", codes("127.0.0.2")), dead("b.example"), dead("c.example")]);
        let (state, text) = judged(&seen, &["-w", "5", "-c", "5"]);
        assert_eq!(state, State::Unknown);
        assert!(text.contains("listed by a.example") && text.contains("only 1 of 3 lists"), "{text}");
    }

    #[test]
    fn limits_on_health_are_numbers_or_shares_of_the_weight() {
        let heavy =
            || seen(vec![lists("a.example,weight=9", Said::NxDomain), dead("b.example"), dead("c.example")]);
        assert_eq!(judged(&heavy(), &[]).0, State::Ok, "2 of 11 points");
        assert_eq!(judged(&heavy(), &["--min-healthy", "2"]).0, State::Unknown);
        assert_eq!(judged(&heavy(), &["--unhealthy-warning", "1"]).0, State::Warning);
        assert_eq!(judged(&heavy(), &["--unhealthy-warning", "2"]).0, State::Ok);
        let all_dead = seen(vec![dead("a.example"), dead("b.example")]);
        assert_eq!(
            judged(&all_dead, &["--min-healthy", "0", "--unhealthy-warning", "100%"]).0,
            State::Unknown,
            "never OK"
        );
    }

    #[test]
    fn critical_missing_on_an_allow_list() {
        let missing =
            seen(vec![lists("a.example", Said::NxDomain), lists("+list.example.org", Said::NxDomain)]);
        let (state, text) = judged(&missing, &[]);
        assert_eq!(
            (state, text.as_str()),
            (State::Critical, "192.0.2.1 missing on list.example.org; score 1, critical from 1")
        );
        let there = seen(vec![lists("+list.example.org", codes("127.0.5.1"))]);
        assert_eq!(judged(&there, &[]).0, State::Ok);
        let silent = seen(vec![lists("+list.example.org", Said::Nothing("timeout".into()))]);
        assert_eq!(judged(&silent, &[]).0, State::Unknown, "silence is no absence");
    }

    #[test]
    fn resolvers_are_a_quorum() {
        let three =
            |said: [Said; 3]| seen(vec![Lists { spec: "a.example", works: true, said: said.to_vec() }]);
        let (yes, no, gone) = (|| codes("127.0.0.2"), || Said::NxDomain, || Said::Nothing("timeout".into()));
        assert_eq!(judged(&three([yes(), yes(), no()]), &[]).0, State::Critical);
        assert_eq!(judged(&three([yes(), no(), no()]), &[]).0, State::Ok);
        assert_eq!(judged(&three([yes(), no(), gone()]), &[]).0, State::Unknown);
        assert_eq!(judged(&three([no(), gone(), gone()]), &[]).0, State::Unknown);
    }

    #[test]
    fn unknown_target_with_a_problem_keeps_its_listing() {
        let mut half = seen(vec![lists("a.example", Said::NxDomain)]);
        half.targets[0].problem = Some("cannot resolve a.example: AAAA: timeout".into());
        let (state, text) = judged(&half, &[]);
        assert_eq!((state, text.as_str()), (State::Unknown, "192.0.2.1 not listed, 1 of 1 lists healthy"));
    }

    #[test]
    fn unknown_no_list_for_the_target() {
        let mut none = seen(vec![lists("a.example,type=domain", Said::NxDomain)]);
        (none.looks, none.tests) = (Vec::new(), Vec::new());
        let (state, text) = judged(&none, &[]);
        assert_eq!((state, text.as_str()), (State::Unknown, "192.0.2.1: no list can be asked about it"));
    }
}
