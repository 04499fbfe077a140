//! The part of TOML that policies are written in: tables, arrays of tables, strings, whole numbers and lists of
//! strings. Each value is kept with its line, so that a mistake in a policy is told with its place.
//!
//! What is read here means the same to every reader of TOML; what is not (dates, inline tables, texts over several
//! lines) is refused. The build reads the built-in policies with it, the plugin those of its user.

use std::collections::VecDeque;

/// A value, for its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    Number(u16),
    /// Each with its line.
    List(Vec<(usize, String)>),
}

/// `[name]`, `[[name]]`, or the lines above the first of them, whose name is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) line: usize,
    kind: Kind,
    entries: Vec<Entry>,
}

/// How a table came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Named,
    /// One of several with the same name.
    Listed,
    /// By keys with a dot: `severity.tls1_0 = "critical"`.
    Dotted,
}

/// A key, its line and its value.
type Entry = (String, usize, Value);

/// A message with its line in front.
pub(crate) fn problem(line: usize, text: &str) -> String {
    format!("{line}: {text}")
}

impl Table {
    fn new(name: &str, line: usize, kind: Kind) -> Self {
        Self { name: name.to_owned(), line, kind, entries: Vec::new() }
    }

    /// All entries.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Takes the value of a key with its line.
    pub(crate) fn take(&mut self, key: &str) -> Option<(usize, Value)> {
        let at = self.entries.iter().position(|(name, ..)| name == key)?;
        let (_, line, value) = self.entries.remove(at);
        Some((line, value))
    }

    /// Takes a string with its line.
    pub(crate) fn text(&mut self, key: &str) -> Result<Option<(usize, String)>, String> {
        match self.take(key) {
            None => Ok(None),
            Some((line, Value::Text(text))) => Ok(Some((line, text))),
            Some((line, _)) => Err(problem(line, &format!("{key} must be a string"))),
        }
    }

    /// Takes a number with its line.
    pub(crate) fn number(&mut self, key: &str) -> Result<Option<(usize, u16)>, String> {
        match self.take(key) {
            None => Ok(None),
            Some((line, Value::Number(number))) => Ok(Some((line, number))),
            Some((line, _)) => Err(problem(line, &format!("{key} must be a number"))),
        }
    }

    /// Takes a list of strings.
    pub(crate) fn list(&mut self, key: &str) -> Result<Option<Vec<(usize, String)>>, String> {
        match self.take(key) {
            None => Ok(None),
            Some((_, Value::List(list))) => Ok(Some(list)),
            Some((line, _)) => Err(problem(line, &format!("{key} must be a list of strings"))),
        }
    }

    /// A key that was not taken, with its line: nobody knows it.
    pub(crate) fn left(&self) -> Option<(usize, &str)> {
        self.entries.first().map(|(key, line, _)| (*line, key.as_str()))
    }
}

/// Reads a document; an error begins with the number of its line.
pub(crate) fn parse(text: &str) -> Result<Vec<Table>, String> {
    let mut reader = Reader { rest: text.strip_prefix('\u{feff}').unwrap_or(text), line: 1 };
    let mut tables = vec![Table::new("", 1, Kind::Named)];
    // The one that keys go to.
    let mut current = 0;
    while reader.skip_lines()? {
        let line = reader.line;
        if reader.takes('[') {
            let kind = if reader.takes('[') { Kind::Listed } else { Kind::Named };
            let name = reader.header(kind)?;
            begin(&mut tables, Table::new(&name, line, kind))?;
            current = tables.len() - 1;
        } else {
            let path = reader.path()?;
            if !reader.takes('=') {
                return Err(problem(line, "key = value is expected"));
            }
            reader.skip_blanks();
            let value = reader.value()?;
            insert(&mut tables, current, path, (line, value))?;
        }
        reader.end_of_line()?;
    }
    Ok(tables)
}

/// Adds a table whose name is new, or that of others like it.
fn begin(tables: &mut Vec<Table>, table: Table) -> Result<(), String> {
    let clashes = |known: &Table| {
        known.name == table.name && (known.kind != Kind::Listed || table.kind != Kind::Listed)
    };
    let is_key = tables.first().is_some_and(|root| root.entries.iter().any(|(key, ..)| *key == table.name));
    if is_key || tables.iter().skip(1).any(clashes) {
        return Err(problem(table.line, &format!("[{}] is there twice", table.name)));
    }
    tables.push(table);
    Ok(())
}

/// Adds an entry to the table at `current`, or one with a dot to the table it names.
fn insert(
    tables: &mut Vec<Table>,
    current: usize,
    mut path: VecDeque<String>,
    (line, value): (usize, Value),
) -> Result<(), String> {
    let twice = |key: &str| problem(line, &format!("{key} is there twice"));
    let first = path.pop_front().unwrap_or_default();
    let (at, key) = match (path.pop_front(), current) {
        (None, at) => (at, first),
        (Some(second), 0) if path.is_empty() => {
            if tables.first().is_some_and(|root| root.entries.iter().any(|(key, ..)| *key == first)) {
                return Err(twice(&first));
            }
            // Above the first `[name]` there are none but those with a dot.
            let known = tables.iter().skip(1).position(|table| table.name == first).map(|at| at + 1);
            let at = known.unwrap_or_else(|| {
                tables.push(Table::new(&first, line, Kind::Dotted));
                tables.len() - 1
            });
            (at, second)
        }
        (Some(second), _) => return Err(problem(line, &format!("unknown key {first}.{second}"))),
    };
    let is_table = at == 0 && tables.iter().skip(1).any(|table| table.name == key);
    let table = tables.get_mut(at).ok_or_else(|| twice(&key))?;
    if is_table || table.entries.iter().any(|(known, ..)| *known == key) {
        return Err(twice(&key));
    }
    table.entries.push((key, line, value));
    Ok(())
}

/// What is still to be read.
struct Reader<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.rest = self.rest.get(letter.len_utf8()..).unwrap_or_default();
        self.line += usize::from(letter == '\n');
        Some(letter)
    }

    fn takes(&mut self, wanted: char) -> bool {
        self.peek() == Some(wanted) && self.next().is_some()
    }

    /// Takes all letters of a kind.
    fn take_while(&mut self, is_wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|letter| !is_wanted(letter)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    fn error<T>(&self, text: &str) -> Result<T, String> {
        Err(problem(self.line, text))
    }

    fn skip_blanks(&mut self) {
        self.take_while(|letter| matches!(letter, ' ' | '\t'));
    }

    /// Skips blanks and a comment up to the end of the line.
    fn skip_comment(&mut self) -> Result<(), String> {
        self.skip_blanks();
        if self.takes('#') {
            self.take_while(is_printable);
        }
        match self.rest.as_bytes() {
            [] | [b'\n', ..] | [b'\r', b'\n', ..] => Ok(()),
            _ if self.peek().is_some_and(is_printable) => Ok(()),
            _ => self.error("a control character"),
        }
    }

    /// Skips a line break.
    fn takes_break(&mut self) -> bool {
        if self.rest.starts_with("\r\n") {
            self.next();
        }
        self.takes('\n')
    }

    /// Skips blank lines and comments; false at the end.
    fn skip_lines(&mut self) -> Result<bool, String> {
        loop {
            self.skip_comment()?;
            if !self.takes_break() {
                return Ok(self.peek().is_some());
            }
        }
    }

    fn end_of_line(&mut self) -> Result<(), String> {
        self.skip_comment()?;
        if self.peek().is_none() || self.takes_break() {
            return Ok(());
        }
        self.error("the end of the line is expected")
    }

    /// The name of a table up to its brackets.
    fn header(&mut self, kind: Kind) -> Result<String, String> {
        let path = self.path()?;
        let closes = self.takes(']') && (kind == Kind::Named || self.takes(']'));
        let mut names = path.into_iter();
        match (names.next(), names.next()) {
            _ if !closes => self.error("] is expected"),
            (Some(name), None) => Ok(name),
            (Some(first), Some(second)) => self.error(&format!("unknown table {first}.{second}")),
            (None, _) => self.error("the name of a table is expected"),
        }
    }

    /// A key, or several with dots in between, and the blanks behind it.
    fn path(&mut self) -> Result<VecDeque<String>, String> {
        let mut path = VecDeque::new();
        loop {
            self.skip_blanks();
            path.push_back(match self.peek() {
                Some('"' | '\'') => self.text()?,
                _ => self
                    .take_while(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter))
                    .to_owned(),
            });
            if path.back().is_some_and(String::is_empty) {
                return self.error("key = value is expected");
            }
            self.skip_blanks();
            if !self.takes('.') {
                return Ok(path);
            }
        }
    }

    fn value(&mut self) -> Result<Value, String> {
        match self.peek() {
            Some('"' | '\'') => self.text().map(Value::Text),
            Some('[') => self.list().map(Value::List),
            _ => {
                let word = self.take_while(|letter| !matches!(letter, ' ' | '\t' | '\r' | '\n' | '#' | ','));
                let is_plain = word.bytes().all(|byte| byte.is_ascii_digit())
                    && (word.len() == 1 || !word.starts_with('0'));
                match word.parse() {
                    Ok(number) if is_plain => Ok(Value::Number(number)),
                    _ if is_plain && !word.is_empty() => self.error(&format!("{word} is too large")),
                    _ => self.error(&format!("neither a string, nor a number, nor a list: {word}")),
                }
            }
        }
    }

    /// A list of strings, over several lines at will.
    fn list(&mut self) -> Result<Vec<(usize, String)>, String> {
        let begin = self.line;
        self.next();
        let mut list = Vec::new();
        loop {
            self.skip_lines()?;
            match self.peek() {
                Some(']') => break,
                Some('"' | '\'') => list.push((self.line, self.text()?)),
                None => return Err(problem(begin, "the list does not end")),
                Some(_) => return self.error("a string is expected in the list"),
            }
            self.skip_lines()?;
            if !self.takes(',') && self.peek() != Some(']') {
                let line = if self.peek().is_none() { begin } else { self.line };
                return Err(problem(line, "the list does not end"));
            }
        }
        self.next();
        Ok(list)
    }

    /// `"text"` with escapes, or `'text'` without.
    fn text(&mut self) -> Result<String, String> {
        let quote = self.next().unwrap_or_default();
        if self.rest.starts_with([quote, quote].iter().collect::<String>().as_str()) {
            return self.error("a string over several lines is not read");
        }
        let mut text = String::new();
        loop {
            match self.peek() {
                Some(letter) if letter == quote => break,
                Some('\\') if quote == '"' => {
                    self.next();
                    text.push(self.escaped()?);
                }
                Some(letter) if is_printable(letter) => {
                    text.push(letter);
                    self.next();
                }
                _ => return self.error("the string does not end"),
            }
        }
        self.next();
        Ok(text)
    }

    fn escaped(&mut self) -> Result<char, String> {
        match self.peek().filter(|letter| "\"\\nrt".contains(*letter)) {
            Some(letter) => {
                self.next();
                Ok(match letter {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    other => other,
                })
            }
            None => self.error("a string has none of these after \\: \" \\ n r t"),
        }
    }
}

/// What may stand in strings and comments.
fn is_printable(letter: char) -> bool {
    letter == '\t' || (letter >= ' ' && letter != '\u{7f}')
}

#[cfg(test)]
mod tests;
