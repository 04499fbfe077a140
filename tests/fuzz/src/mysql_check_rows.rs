//! The rows of CHECK TABLE: whatever a server says, an error is never a whole table.
//!
//! Input: a row a line, its kind and its text with a TAB between them.

use check_mysql_tables::fuzz::{Message, Verdict, read_verdict};

/// The target.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let rows: Vec<Message> = text
        .lines()
        .map(|line| line.split_once('\t').unwrap_or((line, "")))
        .map(|(kind, text)| Message { kind: kind.to_owned(), text: text.to_owned() })
        .collect();
    let is = |row: &Message, kind: &str| row.kind.eq_ignore_ascii_case(kind);
    let has_error = rows.iter().any(|row| is(row, "error"));
    match read_verdict(&rows) {
        Verdict::Whole => {
            let last = rows.last().expect("a table about which nothing was said is not whole");
            assert!(!has_error && is(last, "status"));
            assert!(["ok", "table is already up to date"].contains(&last.text.to_lowercase().as_str()));
        }
        Verdict::Warned(words) => assert!(!has_error && words.len() <= 3 * (128 * 4 + 7)),
        Verdict::Unsupported => assert!(!has_error && rows.iter().all(|row| is(row, "note"))),
        Verdict::Damaged(words) => assert!(!words.is_empty() && words.len() <= 3 * (128 * 4 + 7)),
        Verdict::Unexplained | Verdict::Locked => assert!(has_error),
        Verdict::Unclear(_) => {}
    }
}
