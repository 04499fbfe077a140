//! Short cuts for the tests of the parts.

use clap::Parser;
use common::report::{Report, State};

use crate::CheckMailPolicy;
use crate::answers::Answers;
use crate::answers::testing::Zone;

/// The options of a check of example.org.
pub(crate) fn options(arguments: &[&str]) -> CheckMailPolicy {
    options_of("example.org", arguments)
}

/// The same for another domain.
pub(crate) fn options_of(domain: &str, arguments: &[&str]) -> CheckMailPolicy {
    CheckMailPolicy::try_parse_from([&["check_mail_policy", "-d", domain], arguments].concat()).unwrap()
}

/// What a part reports on a zone, asked round by round.
pub(crate) fn report(
    zone: &Zone,
    options: &CheckMailPolicy,
    judge: impl Fn(&CheckMailPolicy, &Answers, &mut Report),
) -> Report {
    let judge_all = |answers: &Answers| {
        let mut report = Report::new();
        judge(options, answers, &mut report);
        report
    };
    zone.ask(judge_all).0
}

/// The findings of a part, worst first.
pub(crate) fn said(
    zone: &Zone,
    options: &CheckMailPolicy,
    judge: impl Fn(&CheckMailPolicy, &Answers, &mut Report),
) -> Vec<(State, String)> {
    let report = report(zone, options, judge);
    report.findings().into_iter().map(|finding| (finding.state, finding.text.clone())).collect()
}

pub(crate) fn states_of(said: &[(State, String)]) -> Vec<State> {
    said.iter().map(|(state, _)| *state).collect()
}
