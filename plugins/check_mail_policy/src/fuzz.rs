//! The readers of foreign bytes, for the fuzz targets in `tests/fuzz`.

use common::net::dns::Reply;
use common::proto::dns::{Answer, Outcome, Question};
use common::report::Report;

use crate::CheckMailPolicy;
use crate::answers::Answers;

pub use crate::http::{MOST_BODY, Response, Rest};
pub use crate::mta_sts::{Mode, Policy, PolicyError, judge_policy};

/// What the records say alone, and the questions and rounds it took to know.
pub fn judge_records(
    options: &CheckMailPolicy,
    answer: impl Fn(&Question) -> Outcome,
) -> (Report, usize, usize) {
    rehearse(|answers, report| _ = options.judge_records(answers, report), answer)
}

/// The same for SPF by itself.
pub fn judge_spf(options: &CheckMailPolicy, answer: impl Fn(&Question) -> Outcome) -> (Report, usize, usize) {
    rehearse(|answers, report| options.judge_spf(answers, report), answer)
}

fn rehearse(
    judge: impl Fn(&Answers, &mut Report),
    answer: impl Fn(&Question) -> Outcome,
) -> (Report, usize, usize) {
    let judge = |answers: &Answers| {
        let mut report = Report::new();
        judge(answers, &mut report);
        report
    };
    let (report, answers, rounds) = ask(judge, answer);
    (report, answers.len(), rounds)
}

/// Asks as the probe does until nothing more is wanted.
pub(crate) fn ask<R>(
    judge: impl Fn(&Answers) -> R,
    answer: impl Fn(&Question) -> Outcome,
) -> (R, Answers, usize) {
    let mut answers = Answers::default();
    let mut rounds = 0;
    loop {
        let judged = judge(&answers);
        let wanted = answers.take_wanted();
        if wanted.is_empty() {
            return (judged, answers, rounds);
        }
        for question in wanted {
            let answer = Answer::bare(answer(&question));
            answers.insert(question, Reply { answer, server: None, time: None });
        }
        rounds += 1;
    }
}
