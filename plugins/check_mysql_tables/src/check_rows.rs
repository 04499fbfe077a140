//! What the rows of CHECK TABLE mean.
//!
//! The text `OK` decides nothing by itself: a table is whole only when the last row is a status
//! that says so and no row before it was an error. `mariadb-check`, which prints such rows and
//! exits with 0, is why this is read with care.

use common::report::quote;
use serde::{Deserialize, Serialize};

/// One row: `Msg_type` and `Msg_text`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `status`, `error`, `warning`, `info` or `note`, in any case.
    pub kind: String,
    /// What the server says.
    pub text: String,
}

/// What a check of one table came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is whole.
    Whole,
    /// It is whole, but the server has something to say.
    Warned(String),
    /// It is damaged, or cannot even be opened.
    Damaged(String),
    /// Damaged without a reason, which a check that was killed says as well.
    Unexplained,
    /// Its engine has no check.
    Unsupported,
    /// Somebody else held it for too long.
    Locked,
    /// An answer that proves nothing.
    Unclear(String),
}

/// More would only repeat themselves in a sentence.
const MAX_SHOWN: usize = 3;

/// Reads the rows about one table, in their order.
#[must_use]
pub fn read_verdict(messages: &[Message]) -> Verdict {
    let is = |message: &Message, kind: &str| message.kind.eq_ignore_ascii_case(kind);
    let errors = || messages.iter().filter(|message| is(message, "error"));
    let has_failed = messages.iter().any(|message| is(message, "status") && is_failed(&message.text));
    let Some(last) = messages.last() else {
        return Verdict::Unclear("the server sent no row".to_owned());
    };
    if errors().next().is_some() || has_failed {
        let reasons = || errors().filter(|message| !message.text.eq_ignore_ascii_case("Corrupt"));
        if has_failed && reasons().count() == 1 && reasons().all(|message| is_lock_timeout(&message.text)) {
            return Verdict::Locked;
        }
        if let Some(stopped) = reasons().find(|message| is_stopped(&message.text)) {
            return Verdict::Unclear(quote(&stopped.text));
        }
        // InnoDB explains itself in warnings.
        let warnings = messages.iter().filter(|message| is(message, "warning"));
        return match said(reasons().chain(warnings)) {
            Some(text) => Verdict::Damaged(text),
            None if has_failed => Verdict::Damaged("\"Operation failed\"".to_owned()),
            None => Verdict::Unexplained,
        };
    }
    if is(last, "status") {
        return match said(messages.iter().filter(|message| is(message, "warning"))) {
            _ if !is_good(&last.text) => Verdict::Unclear(quote(&last.text)),
            Some(text) => Verdict::Warned(text),
            None => Verdict::Whole,
        };
    }
    if messages.iter().all(|message| is(message, "note")) {
        return Verdict::Unsupported;
    }
    match said(messages.iter().filter(|message| is(message, "warning"))) {
        Some(text) => Verdict::Warned(text),
        None => Verdict::Unclear(quote(&last.text)),
    }
}

fn is_good(text: &str) -> bool {
    ["OK", "Table is already up to date"].iter().any(|good| text.eq_ignore_ascii_case(good))
}

fn is_failed(text: &str) -> bool {
    text.eq_ignore_ascii_case("Operation failed")
}

/// The session's messages are English (see the probe), whatever the server's are.
fn is_lock_timeout(text: &str) -> bool {
    text.starts_with("Lock wait timeout exceeded")
}

fn is_stopped(text: &str) -> bool {
    ["Query execution was interrupted", "Connection was killed", "Server shutdown in progress"]
        .iter()
        .any(|start| text.starts_with(start))
}

fn said<'a>(messages: impl Iterator<Item = &'a Message>) -> Option<String> {
    let mut words: Vec<String> = Vec::new();
    for message in messages {
        let text = quote(&message.text);
        if !words.contains(&text) {
            words.push(text);
        }
        if words.len() == MAX_SHOWN {
            break;
        }
    }
    (!words.is_empty()).then(|| words.join(", "))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn verdict(rows: &[(&str, &str)]) -> Verdict {
        let rows: Vec<Message> = rows
            .iter()
            .map(|(kind, text)| Message { kind: (*kind).to_owned(), text: (*text).to_owned() })
            .collect();
        read_verdict(&rows)
    }

    fn damaged(text: &str) -> Verdict {
        Verdict::Damaged(text.to_owned())
    }

    #[test]
    fn whole_tables() {
        assert_eq!(verdict(&[("status", "OK")]), Verdict::Whole);
        assert_eq!(verdict(&[("Status", "Table is already up to date")]), Verdict::Whole);
        assert_eq!(verdict(&[("note", "something"), ("status", "OK")]), Verdict::Whole);
        assert_eq!(verdict(&[("info", "something"), ("status", "OK")]), Verdict::Whole);
    }

    #[test]
    fn damage_as_servers_report_it() {
        let size = "Size of datafile is:    476784         Should be: 478784";
        assert_eq!(verdict(&[("error", size), ("error", "Corrupt")]), damaged(&format!("\"{size}\"")));
        assert_eq!(
            verdict(&[("Error", "Can't find file: './shop/t.MYI'"), ("status", "Operation failed")]),
            damaged("\"Can't find file: './shop/t.MYI'\"")
        );
        assert_eq!(
            verdict(&[
                ("Warning", "InnoDB: The B-tree of index PRIMARY is corrupted."),
                ("error", "Corrupt")
            ]),
            damaged("\"InnoDB: The B-tree of index PRIMARY is corrupted.\"")
        );
        assert_eq!(verdict(&[("status", "Operation failed")]), damaged("\"Operation failed\""));
        assert_eq!(
            verdict(&[("error", "Key in wrong position at page 1024"), ("status", "OK")]),
            damaged("\"Key in wrong position at page 1024\""),
            "an OK behind an error heals nothing"
        );
    }

    #[test]
    fn a_table_that_was_not_closed_is_whole_with_a_warning() {
        let words = "1 client is using or hasn't closed the table properly";
        assert_eq!(verdict(&[("warning", words), ("status", "OK")]), Verdict::Warned(format!("\"{words}\"")));
    }

    #[test]
    fn engines_without_a_check() {
        let words = "The storage engine for the table doesn't support check";
        assert_eq!(verdict(&[("note", words)]), Verdict::Unsupported);
    }

    #[test]
    fn what_proves_nothing() {
        assert!(matches!(verdict(&[]), Verdict::Unclear(_)));
        assert_eq!(verdict(&[("error", "Corrupt")]), Verdict::Unexplained);
        assert!(matches!(verdict(&[("info", "OK")]), Verdict::Unclear(_)));
        assert!(matches!(verdict(&[("status", "maybe")]), Verdict::Unclear(_)));
        assert!(matches!(
            verdict(&[("Error", "Query execution was interrupted"), ("status", "Operation failed")]),
            Verdict::Unclear(_)
        ));
        assert_eq!(
            verdict(&[
                ("Error", "Lock wait timeout exceeded; try restarting transaction"),
                ("status", "Operation failed")
            ]),
            Verdict::Locked
        );
    }

    proptest! {
        #[test]
        fn no_error_is_ever_whole(
            rows in prop::collection::vec(("[a-zA-Z]{0,8}|status|note|warning", "OK|Corrupt|.{0,20}"), 0..6),
            at in 0usize..6,
            text in ".{0,20}",
        ) {
            let mut rows: Vec<Message> =
                rows.into_iter().map(|(kind, text)| Message { kind, text }).collect();
            rows.insert(at.min(rows.len()), Message { kind: "eRRor".to_owned(), text });
            let verdict = read_verdict(&rows);
            prop_assert!(!matches!(verdict, Verdict::Whole | Verdict::Warned(_) | Verdict::Unsupported));
        }

        #[test]
        fn only_a_good_last_status_is_whole(
            rows in prop::collection::vec(("[a-z]{0,8}|status|note", "OK|.{0,20}"), 0..6),
        ) {
            let rows: Vec<Message> = rows.into_iter().map(|(kind, text)| Message { kind, text }).collect();
            if read_verdict(&rows) == Verdict::Whole {
                let last = rows.last().unwrap();
                prop_assert!(last.kind.eq_ignore_ascii_case("status") && is_good(&last.text));
            }
        }
    }
}
