//! Option files of the MySQL clients (my.cnf), as their manual describes them under "Using
//! Option Files": groups, values in quotes, backslashes, `!include` and `!includedir`.

use std::path::PathBuf;

use zeroize::Zeroizing;

/// One line that says something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// `[group]`
    Group(String),
    /// `name`, `name = value`; the name in lower case, `_` as `-`, without `loose-`.
    Option(String, Option<Zeroizing<String>>),
    /// `!include FILE`
    Include(PathBuf),
    /// `!includedir FOLDER`: its files that end in `.cnf`.
    IncludeFolder(PathBuf),
}

/// The lines of a file. Like the clients, it takes no offence at what it does not know.
pub fn parse(text: &str) -> impl Iterator<Item = Line> + '_ {
    text.strip_prefix('\u{feff}').unwrap_or(text).lines().filter_map(parse_line)
}

fn parse_line(line: &str) -> Option<Line> {
    let line = line.trim();
    if line.is_empty() || line.starts_with(['#', ';']) {
        return None;
    }
    if let Some(directive) = line.strip_prefix('!') {
        let (word, path) = directive.split_once([' ', '\t'])?;
        let path = PathBuf::from(path.trim());
        return match word {
            "include" => Some(Line::Include(path)),
            "includedir" => Some(Line::IncludeFolder(path)),
            _ => None,
        };
    }
    if let Some(rest) = line.strip_prefix('[') {
        let (name, _) = rest.split_once(']')?;
        return Some(Line::Group(name.trim().to_owned()));
    }
    let (name, value) = match line.split_once('=') {
        Some((name, value)) => (name, Some(unquote(value))),
        // A comment may follow the bare name as well.
        None => (line.split(" #").next().unwrap_or(line), None),
    };
    let name = name.trim().to_ascii_lowercase().replace('_', "-");
    let name = name.strip_prefix("loose-").unwrap_or(&name);
    Some(Line::Option(name.to_owned(), value))
}

/// The value without quotes, comment and backslashes. A `#` begins a comment unless it
/// stands in quotes or is escaped: that is how the clients cut passwords that hold one.
fn unquote(value: &str) -> Zeroizing<String> {
    let value = value.trim();
    let quote = value.chars().next().filter(|first| matches!(first, '\'' | '"'));
    let body = match quote {
        // Without its counterpart a quote is a letter like any other.
        Some(quote) => match closing(value, quote) {
            Some(end) => value.get(1..end).unwrap_or_default(),
            None => uncommented(value),
        },
        None => uncommented(value),
    };
    // Room for all of it, so that no copy of a secret is left behind by growing.
    let mut out = Zeroizing::new(String::with_capacity(body.len()));
    let mut letters = body.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            out.push(letter);
            continue;
        }
        match letters.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('b') => out.push('\u{8}'),
            Some('s') => out.push(' '),
            Some(same @ ('\\' | '"' | '\'' | '#')) => out.push(same),
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    out
}

/// Where the quote that opens a value is closed.
fn closing(value: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    value.char_indices().skip(1).find_map(|(at, letter)| {
        let ends = letter == quote && !escaped;
        escaped = letter == '\\' && !escaped;
        ends.then_some(at)
    })
}

fn uncommented(value: &str) -> &str {
    let mut escaped = false;
    let mut quote = None;
    for (at, letter) in value.char_indices() {
        match letter {
            '#' if !escaped && quote.is_none() => return value.get(..at).unwrap_or(value).trim_end(),
            '\'' | '"' if !escaped => {
                quote = match quote {
                    None => Some(letter),
                    Some(open) if open == letter => None,
                    open => open,
                };
            }
            _ => {}
        }
        escaped = letter == '\\' && !escaped;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn option(line: &str) -> (String, Option<String>) {
        match parse_line(line) {
            Some(Line::Option(name, value)) => (name, value.map(|value| value.to_string())),
            other => panic!("{other:?}"),
        }
    }

    fn value(line: &str) -> String {
        option(line).1.unwrap()
    }

    #[test]
    fn groups_options_and_includes() {
        let text = "\u{feff}# c\n[client]\nuser=mon\n ssl_ca = /a b.pem \n\n; c\nloose-skip_ssl\n!include /x.cnf\n!includedir /etc/my.d/\n[ mysqld ]\n!unknown x\n[open\n";
        let lines: Vec<Line> = parse(text).collect();
        let option = |name: &str, value: Option<&str>| {
            Line::Option(name.into(), value.map(|v| Zeroizing::new(v.into())))
        };
        assert_eq!(
            lines,
            [
                Line::Group("client".into()),
                option("user", Some("mon")),
                option("ssl-ca", Some("/a b.pem")),
                option("skip-ssl", None),
                Line::Include("/x.cnf".into()),
                Line::IncludeFolder("/etc/my.d/".into()),
                Line::Group("mysqld".into()),
            ]
        );
    }

    #[test]
    fn values_as_the_clients_read_them() {
        for (line, want) in [
            ("password=pa ss", "pa ss"),
            ("password=\"pa#ss\"", "pa#ss"),
            ("password='pa\"ss'", "pa\"ss"),
            ("password=pa#ss", "pa"),
            ("password=pa\\#ss", "pa#ss"),
            ("password = pass # comment", "pass"),
            ("password='pass' # comment", "pass"),
            ("password=a\\sb\\tc\\\\d\\x", "a b\tc\\d\\x"),
            ("password=\"a\\\"b\"", "a\"b"),
            ("password=it's", "it's"),
            ("password='open", "'open"),
            ("password=", ""),
            ("password=a=b", "a=b"),
            ("password=end\\", "end\\"),
        ] {
            assert_eq!(value(line), want, "{line}");
        }
        assert_eq!(option("SSL"), ("ssl".into(), None));
        assert_eq!(option("ssl # yes"), ("ssl".into(), None));
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in any::<String>()) {
            for line in parse(&text) {
                let _ = format!("{line:?}");
            }
        }

        #[test]
        fn what_is_quoted_comes_back(secret in "[ -~]{0,40}") {
            let quoted = secret.replace('\\', "\\\\").replace('"', "\\\"");
            prop_assert_eq!(value(&format!("password=\"{quoted}\"")), secret);
        }
    }
}
