//! What all hosts together mean: whose answers count, and the line that sums them up.

use common::net::dns::Route;
use common::plugin::Run;
use common::report::{Condition, Finding, Report, State};

use crate::CheckSmtpRcpt;
use crate::options::{Expect, Mode};
use crate::seen::{Seen, Source};
use crate::verdict::{Kind, Verdict};

/// Hosts whose words stand in the line that sums up.
const MOST_QUOTED: usize = 3;

/// Where no host is asked: why, and what that means.
pub(crate) fn judge_route(options: &CheckSmtpRcpt, seen: &Seen, run: &Run) -> Option<Finding> {
    let rcpt = options.envelope.shown();
    let is_wanted = options.expect.expect == Expect::Accept;
    let none = |id, state, text: String| Some(Finding::new(id, state, text));
    if let Source::Dns { domain, route, resolver, .. } = &seen.source {
        let nobody = format!("nobody takes mail for {rcpt}");
        let lost = if is_wanted { State::Critical } else { State::Unknown };
        match route {
            Route::Null if is_wanted => {
                let text = format!("{domain} takes no mail at all (null MX), {rcpt} was not asked for");
                return none("null_mx", State::Unknown, text);
            }
            Route::Null => {
                return none(
                    "null_mx",
                    State::Ok,
                    format!("{nobody}: {domain} takes no mail at all (null MX)"),
                );
            }
            Route::Nowhere => {
                return none("no_exchanger", lost, format!("{nobody}: {domain} has neither MX nor address"));
            }
            Route::NoDomain => {
                return none("no_domain", lost, format!("{nobody}: {domain} does not exist (NXDOMAIN)"));
            }
            Route::Unanswered(outcome) => {
                let text = format!("cannot look up the MX of {domain} in DNS: {outcome} ({resolver})");
                return none("unanswered", run.states.state(Condition::Unresolved), text);
            }
            Route::Listed | Route::Implicit => {}
        }
    }
    if seen.hosts.iter().any(crate::seen::Host::counts) {
        return None;
    }
    let text = format!("no host for {rcpt} has an {} address", options.family().name());
    none("no_address", run.states.state(Condition::Incomplete), text)
}

/// Gives each verdict the weight it has beside the others.
pub(crate) fn settle(options: &CheckSmtpRcpt, verdicts: &mut [Verdict]) {
    match options.expect.mode {
        Mode::All => excuse(options, verdicts),
        Mode::First => first(options, verdicts),
        Mode::Any => {
            let best = verdicts.iter().map(|one| one.finding.state).min().unwrap_or(State::Unknown);
            for one in verdicts {
                soften(one, best);
            }
        }
    }
}

/// A host that gives no answer is a WARNING where another one does what it should.
fn excuse(options: &CheckSmtpRcpt, verdicts: &mut [Verdict]) {
    let fine = |one: &Verdict| matches!(one.kind, Kind::Right | Kind::Grey) && one.finding.state == State::Ok;
    // Of somebody who must be refused nothing is proved by others.
    if options.expect.expect == Expect::Reject || !verdicts.iter().any(fine) {
        return;
    }
    let elsewhere = elsewhere(options, verdicts);
    let mut told = false;
    for one in verdicts.iter_mut().filter(|one| one.kind == Kind::Down) {
        soften(one, State::Warning);
        if !std::mem::replace(&mut told, true) {
            one.finding.text.push_str(&elsewhere);
        }
    }
}

/// `(accepted by mx2.example)`.
fn elsewhere(options: &CheckSmtpRcpt, verdicts: &[Verdict]) -> String {
    let did = if options.expect.expect == Expect::Reject { "refused" } else { "accepted" };
    let of = |kind| verdicts.iter().find(|one| one.kind == kind && one.finding.state == State::Ok);
    match (of(Kind::Right), of(Kind::Grey)) {
        (Some(one), _) => format!(" ({did} by {})", one.place),
        (None, Some(one)) => format!(" (greylisted by {})", one.place),
        (None, None) => String::new(),
    }
}

/// A server that sends tries the hosts by preference and goes no further than to those that
/// answer.
fn first(options: &CheckSmtpRcpt, verdicts: &mut [Verdict]) {
    let answers = verdicts.iter().filter(|one| one.kind.is_answer());
    let Some(level) = answers.map(|one| one.level).min() else { return };
    // In the order of the hosts, so by level.
    let begin = verdicts.partition_point(|one| one.level < level);
    let end = verdicts.partition_point(|one| one.level <= level);
    let elsewhere = verdicts.get(begin..end).map(|level| elsewhere(options, level)).unwrap_or_default();
    for one in verdicts.iter_mut().take(begin).filter(|one| one.kind == Kind::Down) {
        soften(one, State::Warning);
        one.finding.text.push_str(&elsewhere);
    }
    verdicts.iter_mut().skip(end).for_each(set_aside);
    if let Some(same) = verdicts.get_mut(begin..end) {
        excuse(options, same);
    }
}

/// A verdict that may not be worse than this. Who takes mail for somebody who must be refused is
/// never excused.
fn soften(one: &mut Verdict, most: State) {
    if one.kind == Kind::Accepted || one.finding.state <= most {
        return;
    }
    one.finding.state = most;
    if most == State::Ok {
        set_aside(one);
    }
}

/// A verdict that is worth a line and no more.
fn set_aside(one: &mut Verdict) {
    if one.kind != Kind::Accepted {
        one.decides = false;
        one.finding = Finding { state: State::Ok, is_note: true, hint: None, ..one.finding.clone() };
    }
}

/// The findings: one for all that is well, one for each that is not.
pub(crate) fn add_verdicts(options: &CheckSmtpRcpt, seen: &Seen, verdicts: &[Verdict], report: &mut Report) {
    let is_well = |one: &&Verdict| one.decides && one.finding.state == State::Ok;
    let well: Vec<&Verdict> = verdicts.iter().filter(is_well).collect();
    let is_quoted = well.len() <= MOST_QUOTED;
    match well.as_slice() {
        [] => {}
        [one] => report
            .add(Finding { text: format!("{}{}", one.finding.text, strangers(seen)), ..one.finding.clone() }),
        several => {
            let text = format!("{}{}", sum(options, several, is_quoted), strangers(seen));
            report.add(Finding::new("answers", State::Ok, text));
        }
    }
    for one in verdicts.iter().filter(|one| !is_well(one)) {
        report.add(one.finding.clone());
    }
    if well.len() > 1 {
        for one in well.iter().filter(|one| !is_quoted || one.finding.id == "unverified") {
            report.add(Finding { is_note: true, hint: None, ..one.finding.clone() });
        }
    }
}

/// `probe@lab.test accepted by mx1.lab.test "250 Ok", mx2.lab.test "250 Ok"`.
fn sum(options: &CheckSmtpRcpt, well: &[&Verdict], is_quoted: bool) -> String {
    let rcpt = options.envelope.shown();
    let right = if options.expect.expect == Expect::Accept { "accepted by" } else { "refused by" };
    let parts: Vec<String> = [(Kind::Right, right), (Kind::Grey, "greylisted by")]
        .into_iter()
        .filter_map(|(kind, verb)| {
            let of_kind: Vec<&Verdict> = well.iter().copied().filter(|one| one.kind == kind).collect();
            (!of_kind.is_empty()).then(|| format!("{verb} {}", listed(&of_kind, is_quoted)))
        })
        .collect();
    let is_grey = well.iter().any(|one| one.kind == Kind::Grey);
    let grey = if is_grey { "; later acceptance is not proved" } else { "" };
    format!("{rcpt} {}{grey}", parts.join(", "))
}

fn listed(verdicts: &[&Verdict], is_quoted: bool) -> String {
    if !is_quoted {
        return match verdicts {
            [one] => one.place.clone(),
            several => format!("{} addresses", several.len()),
        };
    }
    let one = |one: &&Verdict| format!("{} {}", one.place, one.words.as_deref().unwrap_or_default());
    verdicts.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Said where strangers were asked for and refused everywhere.
fn strangers(seen: &Seen) -> &'static str {
    let mut asked = seen.visits.iter().filter_map(|visit| visit.stranger.as_ref()).peekable();
    let any = asked.peek().is_some();
    if any && asked.all(crate::stranger::is_refused) { "; unknown users refused" } else { "" }
}
