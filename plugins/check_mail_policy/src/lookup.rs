//! The texts at a name, told apart: those that are meant, and others that stand beside them; and
//! questions that nobody answered.

use std::fmt;

use common::proto::dns::{DomainName, Kind, Outcome, Question};
use common::report::{Report, State, quote};

use crate::CheckMailPolicy;
use crate::answers::{Answers, too_many};

/// A question that nobody answered: it is not known what there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unanswered {
    /// What was asked.
    pub question: Question,
    /// What came instead of an answer.
    pub outcome: Outcome,
}

/// Something wrong with a record, as the rest of a sentence that begins with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) id: &'static str,
    pub(crate) state: State,
    pub(crate) text: String,
}

/// The texts at a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Texts<'a> {
    /// Those that are meant.
    pub(crate) records: Vec<&'a str>,
    /// The others.
    pub(crate) others: Vec<&'a str>,
}

/// Records of one name that are shown.
const SHOWN: usize = 5;

impl Unanswered {
    pub(crate) fn new(name: &DomainName, kind: Kind, outcome: &Outcome) -> Self {
        Self { question: Question { name: name.clone(), kind }, outcome: outcome.clone() }
    }

    /// Adds the sentence, once for all who asked.
    pub(crate) fn report(&self, id: &'static str, options: &CheckMailPolicy, report: &mut Report) {
        let text = self.sentence();
        if report.findings().iter().all(|known| known.text != text) {
            report.find(id, options.state_of(&self.outcome), text);
        }
    }

    /// `cannot look up the TXT record of _dmarc.example.org: SERVFAIL`.
    pub(crate) fn sentence(&self) -> String {
        format!("cannot look up {self}")
    }
}

/// `the TXT record of _dmarc.example.org: SERVFAIL`.
impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Question { name, kind } = &self.question;
        write!(f, "the {kind} record of {name}: {}", self.outcome)
    }
}

/// Adds what is wrong with the record of this name.
pub(crate) fn add_faults(name: &DomainName, faults: &[Fault], report: &mut Report) {
    for fault in faults {
        report.find(fault.id, fault.state, format!("{name}: {}", fault.text));
    }
}

impl<'a> Texts<'a> {
    /// The texts at a name, told apart by `is_meant`. Records that were not kept may be of any kind.
    pub(crate) fn read(
        answers: &'a Answers,
        name: &DomainName,
        is_meant: impl Fn(&str) -> bool,
    ) -> Result<Self, Unanswered> {
        let unanswered = |outcome: &Outcome| Unanswered::new(name, Kind::Txt, outcome);
        let all = answers.texts(name).map_err(unanswered)?;
        let (records, others): (Vec<&str>, Vec<&str>) = all.into_iter().partition(|text| is_meant(text));
        match answers.get(name, Kind::Txt).left_out {
            1.. if records.len() < 2 => Err(unanswered(&too_many())),
            _ => Ok(Self { records, others }),
        }
    }

    /// Shows the records of a name as they stand there, from this level of `-v` on.
    pub(crate) fn show(&self, name: &DomainName, level: u8, report: &mut Report) {
        for text in self.records.iter().take(SHOWN) {
            report.context(level, format!("{name}: {text}"));
        }
    }

    /// What the first text looks like that is none but was meant to be one, for a sentence that
    /// says that there is none; empty where there is no such text. `start` is in lower case.
    pub(crate) fn near_miss(&self, start: &str) -> String {
        let looks_meant = |text: &&&str| {
            let mut folded = text.chars().filter(|c| !c.is_whitespace() && *c != '"');
            start.chars().all(|c| folded.next().is_some_and(|other| other.eq_ignore_ascii_case(&c)))
        };
        let miss = self.others.iter().find(looks_meant);
        miss.map(|text| format!("; {} is none", quote(text))).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answers::asked_name;
    use crate::answers::testing::Zone;

    #[test]
    fn texts_are_told_apart_and_near_misses_are_named() {
        let zone =
            Zone::default().txt("a.example", "x=1; y").txt("a.example", "\" X = 1").txt("a.example", "z");
        let name = asked_name("a.example").unwrap();
        let ((records, miss, none), _) =
            zone.ask(|answers| match Texts::read(answers, &name, |text| text.starts_with('x')) {
                Ok(texts) => (texts.records.len(), texts.near_miss("x=1"), texts.near_miss("v=")),
                Err(_) => Default::default(),
            });
        assert_eq!((records, miss.as_str(), none.as_str()), (1, "; \"\" X = 1\" is none", ""));
    }

    #[test]
    fn what_was_left_out_may_be_a_record() {
        let mut answers = Answers::default();
        let name = asked_name("a.example").unwrap();
        let mut answer = common::proto::dns::Answer::bare(Outcome::Records(Vec::new()));
        answer.left_out = 1;
        let question = Question { name: name.clone(), kind: Kind::Txt };
        answers.insert(question, common::net::dns::Reply { answer, server: None, time: None });
        let unanswered = Texts::read(&answers, &name, |_| true).unwrap_err();
        assert_eq!(
            unanswered.to_string(),
            "the TXT record of a.example: malformed answer: more records than anybody reads"
        );
    }
}
