//! The part of TOML that policies are written in: tables, arrays of tables, and values that are a string, a number or a
//! list of strings. Built-in policies become constants, for a parser at run time would cost every start.

/// A value, for its kind.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Number(u16),
    List(Vec<String>),
}

/// `[name]`, `[[name]]`, or the lines above the first of them, whose name is empty.
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) line: usize,
    entries: Vec<(String, usize, Value)>,
}

impl Table {
    fn new(name: &str, line: usize) -> Self {
        Self { name: name.to_owned(), line, entries: Vec::new() }
    }

    /// Takes the value of a key with its line.
    pub(crate) fn take(&mut self, key: &str) -> Option<(usize, Value)> {
        let at = self.entries.iter().position(|(name, ..)| name == key)?;
        let (_, line, value) = self.entries.remove(at);
        Some((line, value))
    }

    /// Takes a string that must be there.
    pub(crate) fn text(&mut self, key: &str) -> Result<String, String> {
        match self.take(key) {
            Some((_, Value::Text(text))) => Ok(text),
            Some((line, _)) => Err(format!("{line}: {key} must be a string")),
            None => Err(format!("{}: {key} is missing", self.line)),
        }
    }

    /// Nothing may be left when all known keys were taken.
    pub(crate) fn finish(self) -> Result<(), String> {
        match self.entries.first() {
            Some((key, line, _)) => Err(format!("{line}: unknown key {key}")),
            None => Ok(()),
        }
    }
}

/// Reads a document; an error begins with the number of its line.
pub(crate) fn parse(text: &str) -> Result<Vec<Table>, String> {
    let mut tables = vec![Table::new("", 1)];
    let mut lines = text.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let (number, line) = (at + 1, line.trim());
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let name = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
            tables.push(Table::new(name, number));
            continue;
        }
        let (key, value) =
            line.split_once('=').ok_or_else(|| format!("{number}: key = value is expected"))?;
        let mut value = value.trim().to_owned();
        while value.starts_with('[') && !value.ends_with(']') {
            let (_, more) = lines.next().ok_or_else(|| format!("{number}: the list does not end"))?;
            value.push_str(more.trim());
        }
        let value = parse_value(&value).ok_or_else(|| format!("{number}: cannot read {value}"))?;
        let table = tables.last_mut().ok_or("no table")?;
        table.entries.push((key.trim().to_owned(), number, value));
    }
    Ok(tables)
}

fn parse_value(text: &str) -> Option<Value> {
    if let Some(list) = text.strip_prefix('[') {
        let words = list.strip_suffix(']')?.split(',').map(str::trim).filter(|word| !word.is_empty());
        return words.map(parse_text).collect::<Option<_>>().map(Value::List);
    }
    parse_text(text).map(Value::Text).or_else(|| text.parse().ok().map(Value::Number))
}

fn parse_text(text: &str) -> Option<String> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    (!inner.contains(['"', '\\'])).then(|| inner.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_and_values() {
        let mut tables =
            parse("# a\nname = \"x\"\n\n[limits]\nn = 2048\n[[rule]]\nlist = [\n \"a*\",\n \"b\",\n]\n")
                .expect("valid");
        assert_eq!(
            tables.iter().map(|table| table.name.as_str()).collect::<Vec<_>>(),
            ["", "limits", "rule"]
        );
        assert_eq!(tables[0].text("name").as_deref(), Ok("x"));
        assert_eq!(tables[1].take("n"), Some((5, Value::Number(2048))));
        assert_eq!(tables[2].take("list"), Some((7, Value::List(vec!["a*".to_owned(), "b".to_owned()]))));
        assert_eq!(tables.into_iter().try_for_each(Table::finish), Ok(()));
    }

    #[test]
    fn mistakes_are_told_with_the_line() {
        for (text, expected) in [
            ("a", "1: key = value is expected"),
            ("\na = b", "2: cannot read b"),
            ("a = [\n\"x\"", "1: the list does not end"),
            ("a = 70000", "1: cannot read 70000"),
            ("a = \"x\\n\"", "1: cannot read \"x\\n\""),
        ] {
            assert_eq!(parse(text).err().as_deref(), Some(expected), "{text}");
        }
        let mut tables = parse("[t]\na = 1\n").expect("valid");
        let mut table = tables.remove(1);
        assert_eq!(table.text("b").err().as_deref(), Some("1: b is missing"));
        assert_eq!(table.finish().err().as_deref(), Some("2: unknown key a"));
    }
}
