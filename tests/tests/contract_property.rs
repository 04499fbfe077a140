//! No argument makes a plugin break its output (contract sections 1 and 2).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

use lab::output::State;
use proptest::prelude::*;
use tests::Check;

/// Text an argument can carry: anything but NUL, with a bias to what breaks lines.
fn text() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        '|', '\'', '=', ';', ':', '\n', '\r', '\t', '\x1b', '\x7f', '\u{85}', '\u{202e}', '\u{2028}',
        '\u{feff}', ' ', '"', '\\', '%', ',', '-', 'U', 'é', '€', '😀',
    ]);
    let any = any::<char>().prop_filter("argv cannot hold NUL", |c| *c != '\0');
    prop::collection::vec(prop_oneof![odd, any, prop::char::range('a', 'z')], 0..24)
        .prop_map(String::from_iter)
}

proptest! {
    // Each case is a process.
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_gives_one_line_and_its_state(
        summary in text(),
        long in prop::collection::vec(text(), 0..4),
        values in prop::collection::vec((text(), prop::option::of(-1e9..1e9f64)), 0..5),
        warning in prop::option::of(-100.0..1e6f64),
        critical in prop::option::of(-100.0..1e6f64),
    ) {
        let mut check = Check::new("check_demo").arg(format!("--text={summary}"));
        for line in &long {
            check = check.arg(format!("--long={line}"));
        }
        for (label, value) in &values {
            let value = value.map_or("U".to_owned(), |value| value.to_string());
            check = check.arg(format!("--label={label}")).arg(format!("--value={value}"));
        }
        // `min:` so that warning and critical never contradict each other.
        for (option, limit) in [("warning", warning), ("critical", critical)] {
            if let Some(limit) = limit {
                check = check.arg(format!("--{option}=min:{limit}"));
            }
        }
        let below = |limit: Option<f64>| {
            limit.is_some_and(|limit| values.iter().any(|(_, value)| value.is_some_and(|value| value < limit)))
        };
        let wanted = if below(critical) {
            State::Critical
        } else if below(warning) {
            State::Warning
        } else {
            State::Ok
        };
        let run = check.gives(wanted, &[]);
        prop_assert_eq!(run.parsed.perfdata.len(), values.len() + 1);
        for (perf, (_, value)) in run.parsed.perfdata.iter().skip(1).zip(&values) {
            match (perf.value, value) {
                (None, None) => {}
                (Some(shown), Some(value)) => prop_assert!((shown - value).abs() <= 5.1e-7 + value.abs() * 1e-15),
                other => prop_assert!(false, "{:?}", other),
            }
        }
        // Other controls are shown as escapes, so they say something.
        let blank = |c: char| "\t\r\n".contains(c) || (c.is_whitespace() && !c.is_control());
        let said = |line: &&String| !line.chars().all(blank);
        prop_assert_eq!(run.parsed.long.len(), long.iter().filter(said).count());
    }
}
