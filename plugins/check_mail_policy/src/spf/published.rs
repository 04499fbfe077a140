//! Which of the texts at a name is its record (RFC 7208 sections 4.4 and 4.5).

use common::proto::dns::{DomainName, Kind, Outcome};

use super::record::is_record;
use crate::answers::Answers;
use crate::lookup::{Texts, Unanswered};

/// What a name publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Published<'a> {
    /// One record, not yet read.
    Record(&'a str),
    /// None, though all was answered.
    Missing(&'a Outcome),
    /// So many, which is one too many at least.
    Several(usize),
    /// Nobody knows.
    Open(Unanswered),
}

/// The record of a name, among its texts.
pub(super) fn published<'a>(answers: &'a Answers, name: &DomainName) -> Published<'a> {
    match Texts::read(answers, name, is_record) {
        Err(unanswered) => Published::Open(unanswered),
        Ok(texts) => match texts.records.as_slice() {
            [] => Published::Missing(&answers.get(name, Kind::Txt).outcome),
            [record] => Published::Record(record),
            several => Published::Several(several.len()),
        },
    }
}

/// Texts that somebody meant as a record, and that nobody reads as one.
pub(super) fn lookalikes<'a>(answers: &'a Answers, name: &DomainName) -> Vec<&'a str> {
    let texts = answers.texts(name).unwrap_or_default();
    texts.into_iter().filter(|text| !is_record(text) && looks_like_one(text)).collect()
}

fn looks_like_one(text: &str) -> bool {
    let begins = text.trim_start_matches(|c: char| c.is_whitespace() || "\"'\\\u{feff}\u{a0}".contains(c));
    let bare: String = begins.chars().filter(|c| !c.is_whitespace()).take(5).collect();
    ["v=spf", "spf2.", "spf1", "spf=", "v:spf", "v1=sp"].iter().any(|mark| {
        let front = bare.get(..mark.len());
        front.is_some_and(|front| front.eq_ignore_ascii_case(mark))
    })
}
