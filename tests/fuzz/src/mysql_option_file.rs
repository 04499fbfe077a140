//! Option files of MySQL clients: any text gives lines whose names are in one form, and what
//! is quoted comes back as it was.

use common::proto::mysql::option_file::{Line, parse};

/// The target.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = 0;
    for line in parse(text) {
        lines += 1;
        match line {
            Line::Option(name, value) => {
                assert!(
                    !name.contains('_') && !name.bytes().any(|byte| byte.is_ascii_uppercase()),
                    "{name:?}"
                );
                assert!(value.is_none_or(|value| value.len() <= text.len()));
            }
            Line::Group(name) => assert!(name.trim() == name),
            Line::Include(_) | Line::IncludeFolder(_) => {}
        }
    }
    assert!(lines <= text.lines().count());
    comes_back(text.lines().next().unwrap_or_default());
}

fn comes_back(secret: &str) {
    let quoted = secret.replace('\\', "\\\\").replace('"', "\\\"");
    let file = format!("password=\"{quoted}\"\n");
    let Some(Line::Option(_, Some(value))) = parse(&file).next() else { panic!("{file:?} has no value") };
    assert_eq!(value.as_str(), secret);
}
