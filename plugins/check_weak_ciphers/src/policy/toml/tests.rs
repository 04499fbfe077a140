use proptest::prelude::*;

use super::*;

#[test]
fn tables_and_values() {
    let text = "\u{feff}# a\r\nname = \"x\" # b\nseverity.tls1_0 = 'critical'\n\n[limits]\nn=2048\n[[rule]]\nlist = [\n \
        \"a#*\", # c\n\n 'b\\',\n]\n[[ rule ]]\n\"quoted key\" = \"\\\"\\\\\\n\\t\"\nempty = []\n";
    let mut tables = parse(text).expect("valid");
    let names: Vec<(&str, usize)> = tables.iter().map(|table| (table.name.as_str(), table.line)).collect();
    assert_eq!(names, [("", 1), ("severity", 3), ("limits", 5), ("rule", 7), ("rule", 13)]);
    assert_eq!(tables[0].text("name"), Ok(Some((2, "x".to_owned()))));
    assert_eq!(tables[1].text("tls1_0"), Ok(Some((3, "critical".to_owned()))));
    assert_eq!(tables[2].number("n"), Ok(Some((6, 2048))));
    assert_eq!(tables[3].list("list"), Ok(Some(vec![(9, "a#*".to_owned()), (11, "b\\".to_owned())])));
    assert_eq!(tables[4].text("quoted key"), Ok(Some((14, "\"\\\n\t".to_owned()))));
    assert_eq!(tables[4].list("empty"), Ok(Some(Vec::new())));
    assert_eq!(tables[4].list("empty"), Ok(None));
    assert!(tables.iter().all(|table| table.left().is_none()));
}

#[test]
fn mistakes_are_told_with_the_line() {
    for (text, expected) in [
        ("a", "1: key = value is expected"),
        ("= 1", "1: key = value is expected"),
        ("\na = b", "2: neither a string, nor a number, nor a list: b"),
        ("a =", "1: neither a string, nor a number, nor a list: "),
        ("a = true", "1: neither a string, nor a number, nor a list: true"),
        ("a = { b = 1 }", "1: neither a string, nor a number, nor a list: {"),
        ("a = 1979-05-27", "1: neither a string, nor a number, nor a list: 1979-05-27"),
        ("a = 007", "1: neither a string, nor a number, nor a list: 007"),
        ("a = -1", "1: neither a string, nor a number, nor a list: -1"),
        ("a = 70000", "1: 70000 is too large"),
        ("a = [\n\"x\"", "1: the list does not end"),
        ("a = [\n\"x\"\n\"y\"]", "3: the list does not end"),
        ("a = [\n\"x\",\n1]", "3: a string is expected in the list"),
        ("a = \"x", "1: the string does not end"),
        ("a = \"x\n\"", "1: the string does not end"),
        ("a = \"\"\"x\"\"\"", "1: a string over several lines is not read"),
        ("a = \"\\u0041\"", "1: a string has none of these after \\: \" \\ n r t"),
        ("a = 1 b = 2", "1: the end of the line is expected"),
        ("a = 1\na = 2", "2: a is there twice"),
        ("[t]\n[t]", "2: [t] is there twice"),
        ("[[t]]\n[t]", "2: [t] is there twice"),
        ("t = 1\n[t]", "2: [t] is there twice"),
        ("t.a = 1\nt.a = 2", "2: a is there twice"),
        ("t = 1\nt.a = 1", "2: t is there twice"),
        ("t.a = 1\nt = 1", "2: t is there twice"),
        ("t.a = 1\n[t]", "2: [t] is there twice"),
        ("a.b.c = 1", "1: unknown key a.b"),
        ("[t]\na.b = 1", "2: unknown key a.b"),
        ("[a.b]", "1: unknown table a.b"),
        ("[t", "1: ] is expected"),
        ("[[t]", "1: ] is expected"),
        ("[]", "1: key = value is expected"),
        ("# \u{1}", "1: a control character"),
        ("a = \"\u{7f}\"", "1: the string does not end"),
    ] {
        assert_eq!(parse(text).err().as_deref(), Some(expected), "{text}");
    }
    let mut tables = parse("[t]\na = 1\nb = \"x\"\nc = []").expect("valid");
    assert_eq!(tables[1].text("a").err().as_deref(), Some("2: a must be a string"));
    assert_eq!(tables[1].number("b").err().as_deref(), Some("3: b must be a number"));
    assert_eq!(tables[1].take("c"), Some((4, Value::List(Vec::new()))));
    let mut tables = parse("[t]\na = 1\n").expect("valid");
    assert_eq!(tables[1].left(), Some((2, "a")));
    assert_eq!(tables[1].list("a").err().as_deref(), Some("2: a must be a list of strings"));
}

/// The values of a table, as another reader sees them.
fn same(table: &Table, other: &::toml::Table) -> bool {
    table.entries.iter().all(|(key, _, value)| match (value, other.get(key)) {
        (Value::Text(text), Some(::toml::Value::String(there))) => text == there,
        (Value::Number(number), Some(::toml::Value::Integer(there))) => i64::from(*number) == *there,
        (Value::List(list), Some(::toml::Value::Array(there))) => {
            list.iter().map(|(_, text)| Some(text.as_str())).eq(there.iter().map(::toml::Value::as_str))
        }
        _ => false,
    })
}

/// What is read here means the same to the reader of TOML that everybody uses.
fn agrees(text: &str) {
    let Ok(tables) = parse(text) else { return };
    let other: ::toml::Table = text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"));
    let mut turns = std::collections::BTreeMap::new();
    for table in &tables {
        let there = match (table.kind, other.get(&table.name)) {
            (_, _) if table.name.is_empty() => Some(&other),
            (Kind::Listed, Some(::toml::Value::Array(list))) => {
                let turn = turns.entry(&table.name).or_insert(0_usize);
                *turn += 1;
                list.get(*turn - 1).and_then(::toml::Value::as_table)
            }
            (_, Some(::toml::Value::Table(there))) => Some(there),
            _ => None,
        };
        let there = there.unwrap_or_else(|| panic!("{text:?}: no {}", table.name));
        assert!(same(table, there), "{text:?}: {table:?} {there:?}");
        let own = there.values().filter(|value| !value.is_table() && !is_list_of_tables(value)).count();
        assert_eq!(own, table.entries.len(), "{text:?}");
    }
}

fn is_list_of_tables(value: &::toml::Value) -> bool {
    value.as_array().is_some_and(|list| !list.is_empty() && list.iter().all(::toml::Value::is_table))
}

#[test]
fn the_built_in_policies_mean_the_same_to_others() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/data/policies");
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 7);
    for file in files {
        let text = std::fs::read_to_string(file).unwrap();
        assert!(parse(&text).is_ok());
        agrees(&text);
    }
}

/// Pieces of documents, put together at random.
fn documents() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => proptest::sample::select(vec![
            "\n", "a", "b.c", "=", " = ", "1", "2048", "\"x\"", "'y'", "[", "]", "[[", "]]", ",", "#", "[t]\n", "[[r]]\n",
            "k = 1\n", "l = [\"a\", 'b']\n", "t.a = 1\n", "\r\n", "\t", ".", "\"\\n\"", "''", "\"\"", "0", "07", "\u{e9}",
        ]).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn what_is_read_means_the_same_to_others(text in documents()) {
        agrees(&text);
    }

    #[test]
    fn any_text_is_read_or_refused_with_a_line(text in any::<String>()) {
        agrees(&text);
        if let Err(message) = parse(&text) {
            let line: usize = message.split_once(": ").unwrap().0.parse().unwrap();
            prop_assert!((1..=text.matches('\n').count() + 1).contains(&line), "{message}");
        }
    }
}
