//! Comma separated values as the registry publishes them (RFC 4180): quoted fields may hold commas and line breaks.

use std::fs;
use std::path::{Path, PathBuf};

/// One line with its place, for messages.
pub(crate) struct Row {
    file: PathBuf,
    line: usize,
    fields: Vec<String>,
}

impl Row {
    /// The field in this column, without blanks around it.
    pub(crate) fn field(&self, column: usize) -> Result<&str, String> {
        let field = self.fields.get(column).map(|field| field.trim());
        field.ok_or_else(|| self.error(&format!("column {} is missing", column + 1)))
    }

    /// A number in hex with `0x` in front, or decimal.
    pub(crate) fn number(&self, column: usize) -> Result<u32, String> {
        let text = self.field(column)?;
        let number = match text.strip_prefix("0x") {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => text.parse(),
        };
        number.map_err(|error| self.error(&format!("{text:?} is no number: {error}")))
    }

    /// A number of two bytes.
    pub(crate) fn short(&self, column: usize) -> Result<u16, String> {
        u16::try_from(self.number(column)?)
            .map_err(|_| self.error("a number of two bytes is expected at the most"))
    }

    /// `file:line: message`
    pub(crate) fn error(&self, message: &str) -> String {
        format!("{}:{}: {message}", self.file.display(), self.line)
    }
}

/// The lines of a file below its headings, which must be these (further columns may follow).
pub(crate) fn read(file: &Path, headings: &str) -> Result<Vec<Row>, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    parse(file, &text, headings)
}

fn parse(file: &Path, text: &str, headings: &str) -> Result<Vec<Row>, String> {
    if !text.starts_with(headings) {
        return Err(format!("{}:1: the headings {headings:?} are expected", file.display()));
    }
    let mut rows = Vec::new();
    let mut row = Row { file: file.to_owned(), line: 1, fields: vec![String::new()] };
    let (mut line, mut quoted) = (1, false);
    for letter in text.chars().filter(|letter| *letter != '\r') {
        line += usize::from(letter == '\n');
        match letter {
            '"' => quoted = !quoted,
            ',' if !quoted => row.fields.push(String::new()),
            '\n' if !quoted => {
                let next = Row { file: file.to_owned(), line, fields: vec![String::new()] };
                rows.push(std::mem::replace(&mut row, next));
            }
            other => row.fields.last_mut().map_or((), |field| field.push(other)),
        }
    }
    if quoted || row.fields != [""] {
        return Err(row.error("the last line does not end"));
    }
    rows.remove(0);
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<Row>, String> {
        super::parse(Path::new("x.csv"), text, "Code,Name")
    }

    #[test]
    fn quotes_hold_commas_and_lines() {
        let rows = parse("Code,Name,More\r\n\"0x00,0x01\",A\r\n2,\"B\nC\"\n0x1F,D\n").expect("well formed");
        assert_eq!(rows.len(), 3);
        assert_eq!(rows[0].field(0).as_deref(), Ok("0x00,0x01"));
        assert_eq!(rows[1].field(1).as_deref(), Ok("B\nC"));
        assert_eq!(rows[2].short(0), Ok(0x1F));
        assert_eq!(rows[2].error("bad"), "x.csv:5: bad");
    }

    #[test]
    fn mistakes_are_told_with_file_and_line() {
        assert_eq!(
            parse("Name\n").err().as_deref(),
            Some("x.csv:1: the headings \"Code,Name\" are expected")
        );
        assert_eq!(parse("Code,Name\n1,\"A\n").err().as_deref(), Some("x.csv:2: the last line does not end"));
        let rows = parse("Code,Name\n0x10000\nx,A\n").expect("well formed");
        assert_eq!(rows[0].field(1).err().as_deref(), Some("x.csv:2: column 2 is missing"));
        assert!(rows[0].short(0).is_err_and(|problem| problem.starts_with("x.csv:2: ")));
        assert!(rows[1].number(0).is_err_and(|problem| problem.starts_with("x.csv:3: \"x\" is no number")));
    }
}
