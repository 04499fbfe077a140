//! What name servers said, as one table that all parts of the check read.
//!
//! A part reads the answers it needs as if they were there. One that is not is noted as wanted and
//! counts as open until it was asked for; so the same code that judges the records at the end
//! finds out, round by round, what has to be asked: the table is whole when nobody wants more.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use common::net::dns::Reply;
use common::proto::dns::{Data, DomainName, Kind, Outcome, Question, Record};
use serde::{Deserialize, Serialize};

/// Answers by question.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<Entry>", into = "Vec<Entry>")]
pub struct Answers {
    known: BTreeMap<Question, Heard>,
    wanted: RefCell<BTreeSet<Question>>,
}

/// An answer, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// What it says.
    pub outcome: Outcome,
    /// The names that the one asked for leads to, in their order.
    pub aliases: Vec<String>,
    /// AD: the resolver says it validated the data (RFC 4035 section 3.2.3).
    pub authenticated: bool,
    /// Who said it, or was asked last.
    pub server: Option<SocketAddr>,
    /// Records that were not kept.
    pub left_out: usize,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    question: Question,
    heard: Heard,
}

static NOT_ASKED: Heard = Heard {
    outcome: Outcome::NotAsked,
    aliases: Vec::new(),
    authenticated: false,
    server: None,
    left_out: 0,
};

impl Heard {
    /// The records; none where it is answered that there are none. What is no answer is `Err`:
    /// nobody knows whether there are any.
    pub fn records(&self) -> Result<&[Record], &Outcome> {
        if self.outcome.is_answer() { Ok(self.outcome.records()) } else { Err(&self.outcome) }
    }
}

impl Answers {
    /// The answer to a question. One that was not asked yet is noted as wanted.
    pub fn get(&self, name: &DomainName, kind: Kind) -> &Heard {
        let question = Question { name: name.clone(), kind };
        if let Some(heard) = self.known.get(&question) {
            return heard;
        }
        self.wanted.borrow_mut().insert(question);
        &NOT_ASKED
    }

    /// The texts at a name; none where it is answered that there are none.
    pub fn texts(&self, name: &DomainName) -> Result<Vec<&str>, &Outcome> {
        Ok(self.get(name, Kind::Txt).records()?.iter().filter_map(text).collect())
    }

    /// What is wanted and not known, each question once.
    pub fn take_wanted(&self) -> Vec<Question> {
        self.wanted.take().into_iter().collect()
    }

    /// Adds what came of a question.
    pub fn insert(&mut self, question: Question, reply: Reply) {
        let Reply { answer, server, .. } = reply;
        // Of texts and exchangers some are enough to know what is wrong; part of the others says nothing.
        let is_known = answer.left_out == 0 || matches!(question.kind, Kind::Txt | Kind::Mx | Kind::Tlsa);
        let heard = Heard {
            outcome: if is_known { answer.outcome } else { too_many() },
            aliases: answer.aliases,
            authenticated: answer.authenticated,
            server,
            left_out: answer.left_out,
        };
        self.known.insert(question, heard);
    }

    /// How many questions have an answer or were asked in vain.
    pub fn len(&self) -> usize {
        self.known.len()
    }
}

impl From<Vec<Entry>> for Answers {
    fn from(entries: Vec<Entry>) -> Self {
        let known = entries.into_iter().map(|entry| (entry.question, entry.heard)).collect();
        Self { known, wanted: RefCell::default() }
    }
}

impl From<Answers> for Vec<Entry> {
    fn from(answers: Answers) -> Self {
        answers.known.into_iter().map(|(question, heard)| Entry { question, heard }).collect()
    }
}

fn text(record: &Record) -> Option<&str> {
    match &record.data {
        Data::Txt(text) => Some(text),
        _ => None,
    }
}

/// What an answer comes to of which not all was kept.
pub fn too_many() -> Outcome {
    Outcome::Malformed("more records than anybody reads".to_owned())
}

/// A name made of labels as they stand, which need not be those of a host (RFC 2181 section 11);
/// `None` for one that cannot be asked for.
pub fn asked_name(labels: &str) -> Option<DomainName> {
    let labels = labels.trim_end_matches('.').to_ascii_lowercase();
    let is_label = |label: &str| !label.is_empty() && label.len() <= 63;
    let is_name = labels.is_ascii() && !labels.contains('\\') && labels.split('.').all(is_label);
    if is_name { DomainName::root().child(&labels) } else { None }
}

#[cfg(test)]
pub(crate) mod testing {
    //! Tables for tests.

    use super::*;

    /// A table that knows everything: names without a record here do not exist.
    #[derive(Default)]
    pub(crate) struct Zone(Vec<(Question, Outcome)>);

    impl Zone {
        /// With one text at a name; several calls make several records.
        pub(crate) fn txt(self, name: &str, text: &str) -> Self {
            self.with(name, Kind::Txt, Data::Txt(text.to_owned()))
        }

        /// With a record at a name.
        pub(crate) fn with(mut self, name: &str, kind: Kind, data: Data) -> Self {
            let record = Record { name: name.to_owned(), ttl: 300, data };
            let question = Question { name: asked_name(name).unwrap(), kind };
            match self.0.iter_mut().find(|(known, _)| *known == question) {
                Some((_, Outcome::Records(records))) => records.push(record),
                _ => self.0.push((question, Outcome::Records(vec![record]))),
            }
            self
        }

        /// With this instead of records.
        pub(crate) fn fails(mut self, name: &str, kind: Kind, outcome: Outcome) -> Self {
            self.0.push((Question { name: asked_name(name).unwrap(), kind }, outcome));
            self
        }

        /// Asks as the probe does until nothing more is wanted; the rounds that took.
        pub(crate) fn ask<R>(&self, judge: impl Fn(&Answers) -> R) -> (R, usize) {
            let (judged, _, rounds) = crate::fuzz::ask(judge, |question| self.outcome(question));
            (judged, rounds)
        }

        fn outcome(&self, question: &Question) -> Outcome {
            if let Some((_, outcome)) = self.0.iter().find(|(known, _)| known == question) {
                return outcome.clone();
            }
            // A name with other records, or with names below it (RFC 8020), exists.
            let exists = self.0.iter().any(|(known, _)| known.name.is_within(&question.name));
            if exists { Outcome::NoData } else { Outcome::NxDomain }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::Zone;
    use super::*;

    #[test]
    fn what_is_missing_is_wanted_once_and_open_until_then() {
        let zone = Zone::default().txt("a.example", "one").txt("a.example", "two");
        let name = asked_name("A.example.").unwrap();
        let (texts, rounds) = zone.ask(|answers| {
            answers.get(&name, Kind::Txt);
            answers.texts(&name).map(|texts| texts.join(" ")).map_err(Clone::clone)
        });
        assert_eq!((texts, rounds), (Ok("one two".to_owned()), 1));
        let answers = Answers::default();
        assert_eq!(answers.texts(&name), Err(&Outcome::NotAsked));
        answers.get(&name, Kind::Txt);
        assert_eq!(answers.take_wanted().len(), 1);
    }

    #[test]
    fn a_table_survives_being_saved() {
        let mut answers = Answers::default();
        let reply =
            Reply { answer: common::proto::dns::Answer::bare(Outcome::NxDomain), server: None, time: None };
        answers.insert(Question { name: asked_name("a.example").unwrap(), kind: Kind::Txt }, reply);
        let text = serde_json::to_string(&answers).unwrap();
        assert_eq!(serde_json::from_str::<Answers>(&text).unwrap(), answers);
    }

    #[test]
    fn names_that_no_host_has_can_be_asked_for() {
        assert_eq!(asked_name("Joe+x._spf.Example").unwrap().as_str(), "joe+x._spf.example");
        for bad in ["", "a..b", ".", "a.\\046.b", "é.example", &"x".repeat(64), &"a.".repeat(128)] {
            assert_eq!(asked_name(bad), None, "{bad}");
        }
    }
}
