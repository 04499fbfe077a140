//! What a plugin prints (contract sections 1 and 2), shown by check_demo.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use lab::output::State;
use serde_json::{Value, json};
use tempfile::tempdir;
use tests::{Check, Run};

fn demo() -> Check {
    Check::new("check_demo")
}

/// The perfdata text behind `time`, which differs from run to run.
fn perfdata(run: &Run) -> String {
    let line = run.outcome.first_line();
    let (_, perfdata) = line.split_once(" | ").expect("perfdata");
    let (time, rest) = perfdata.split_once(' ').unwrap_or((perfdata, ""));
    assert!(time.starts_with("time=") && time.ends_with("s;;;0"), "{line}");
    rest.to_owned()
}

fn perfdata_of(arguments: &[&str]) -> String {
    let outcome = demo().args(arguments).outcome();
    let parsed = outcome.parsed();
    perfdata(&Run { outcome, parsed })
}

#[test]
fn each_state_has_its_exit_code() {
    for (value, state, code) in [("1", State::Ok, 0), ("5", State::Warning, 1), ("9", State::Critical, 2)] {
        let run = demo().args(["--value", value, "-w", "4", "-c", "8"]).gives(state, &["no details"]);
        assert_eq!(run.outcome.code, Some(code));
        assert_eq!(run.parsed.label, "DEMO");
        assert!(run.parsed.long.is_empty());
    }
    let run = demo().args(["--value", "nan"]).gives(State::Unknown, &["no details"]);
    assert_eq!(run.outcome.code, Some(3));
}

#[test]
fn ok_line_is_label_state_summary_perfdata() {
    let run = demo().args(["--text", "all well", "--value", "3"]).gives(State::Ok, &["all well"]);
    let line = run.outcome.first_line();
    assert!(line.starts_with("DEMO OK: all well | time=0"), "{line}");
    assert!(line.ends_with(" v0=3"), "{line}");
}

#[test]
fn ok_without_text_or_with_an_empty_one() {
    for text in ["", " ", "\n", "\t\r\n"] {
        let run = demo().args(["--text", text]).gives(State::Ok, &[]);
        assert_eq!(run.parsed.summary, "no details", "{text:?}");
    }
}

#[test]
fn perfdata_ranges_are_canonical() {
    for (warning, critical, min, wanted) in [
        ("0:10", "20", "", "v0=1;10;20"),
        ("~:10", "~:20", "", "v0=1;~:10;~:20"),
        ("~:10", "~:20", "0", "v0=1;10;20;0"),
        ("@0:5", "@7:9", "", "v0=1;@5;@7:9"),
        ("0:", "min:-3", "", "v0=1;0:;-3:"),
        ("1.50:2.250", "+30", "", "v0=1;1.5:2.25;30"),
        ("max:10", "inside:7:9", "-1", "v0=1;~:10;@7:9;-1"),
    ] {
        let mut arguments = vec!["--value", "1", "-w", warning, "-c", critical];
        if !min.is_empty() {
            arguments.extend(["--min", min]);
        }
        assert_eq!(perfdata_of(&arguments), wanted);
    }
}

#[test]
fn perfdata_leaves_trailing_fields_out() {
    assert_eq!(perfdata_of(&["--value", "1"]), "v0=1");
    assert_eq!(perfdata_of(&["--value", "1", "-c", "5"]), "v0=1;;5");
    assert_eq!(perfdata_of(&["--value", "1", "--max", "9"]), "v0=1;;;;9");
    assert_eq!(perfdata_of(&["--value", "1", "--min", "0", "--max", "9"]), "v0=1;;;0;9");
}

#[test]
fn perfdata_numbers_are_short_decimals() {
    for (value, wanted) in [
        ("1.50", "1.5"),
        ("-0.0", "0"),
        ("-0.00000001", "0"),
        ("0.1234567", "0.123457"),
        ("1000000000000000", "1000000000000000"),
        ("-3", "-3"),
        ("100", "100"),
    ] {
        assert_eq!(perfdata_of(&["--value", value]), format!("v0={wanted}"));
    }
}

#[test]
fn perfdata_units_are_base_units() {
    for (name, suffix) in [("none", ""), ("s", "s"), ("b", "B"), ("percent", "%"), ("c", "c")] {
        assert_eq!(perfdata_of(&["--value", "7", "--uom", name]), format!("v0=7{suffix}"));
    }
}

#[test]
fn perfdata_unknown_value_is_u_without_unit() {
    assert_eq!(perfdata_of(&["--value", "U", "--uom", "s", "-w", "5", "--min", "0"]), "v0=U;5;;0");
}

#[test]
fn unknown_value_not_finite_is_u() {
    for value in ["nan", "inf", "-inf"] {
        let run = demo().args(["--value", value]).gives(State::Unknown, &[]);
        assert_eq!(perfdata(&run), "v0=U", "{value}");
    }
}

#[test]
fn perfdata_labels_are_legal_and_distinct() {
    for (label, wanted) in [
        ("mx1.example:25", "mx1.example:25"),
        ("a_b./:%@+-9", "a_b./:%@+-9"),
        ("it's", "it_s"),
        ("a=b", "a_b"),
        ("a|b", "a/b"),
        ("2001:db8::1", "2001:db8__1"),
        ("", "unnamed"),
        (" ", "unnamed"),
        ("two words", "'two words'"),
        ("größe", "'größe'"),
        ("a\nb", "'a b'"),
        ("time", "time_2"),
    ] {
        assert_eq!(perfdata_of(&["--value", "1", "--label", label]), format!("{wanted}=1"), "{label:?}");
    }
}

#[test]
fn perfdata_repeated_labels_are_numbered() {
    let mut arguments = Vec::new();
    for label in ["x", "x", "x_2", "x", "a:::b", "a__:b"] {
        arguments.extend(["--value", "1", "--label", label]);
    }
    assert_eq!(perfdata_of(&arguments), "x=1 x_2=1 x_2_2=1 x_3=1 a__:b=1 a__:b_2=1");
}

#[test]
fn foreign_text_is_cleaned_everywhere() {
    let dirty = "a|b\tc\r\nd \x1b[31m \x01 \x7f \u{85} \u{202e}e \u{2066}f \u{2028}g";
    let clean = r"a/b c  d \x1b[31m \x01 \x7f \x85 \u{202E}e \u{2066}f  g";
    let run = demo().args(["--text", dirty, "--long", dirty]).gives(State::Ok, &[clean]);
    assert_eq!(run.parsed.summary, clean);
    assert_eq!(run.parsed.long, [clean]);
    let run = demo().args(["--value", "1", "--label", dirty]).gives(State::Ok, &[]);
    assert_eq!(run.parsed.perfdata[1].label, clean);
}

#[test]
fn output_is_the_same_in_every_locale() {
    let arguments = ["--value", "1.5", "-w", "0.25:2.75", "--text", "größer 1.5"];
    let plain = demo().args(arguments).gives(State::Ok, &["größer 1.5"]);
    for locale in ["de_DE.UTF-8", "C.UTF-8", "POSIX"] {
        let other = demo().args(arguments).env("LC_ALL", locale).env("LANG", locale).gives(State::Ok, &[]);
        assert_eq!(other.parsed.summary, plain.parsed.summary);
        assert_eq!(perfdata(&other), "v0=1.5;0.25:2.75");
    }
}

#[test]
fn long_text_follows_line_by_line() {
    let run = demo().args(["--long", "one", "--long", " two ", "--long", "", "--long", "three"]);
    let run = run.gives(State::Ok, &["no details"]);
    assert_eq!(run.parsed.long, ["one", " two", "three"], "blank lines say nothing");
}

#[test]
fn long_text_is_cut_at_eight_kib() {
    let mut check = demo().args(["--text", "short", "--value", "1"]);
    for _ in 0..100 {
        check = check.arg("--long").arg("ä".repeat(100));
    }
    let run = check.gives(State::Ok, &["short"]);
    assert!(run.outcome.stdout.len() <= 8192, "{}", run.outcome.stdout.len());
    assert!(run.outcome.stdout.len() > 8000, "{}", run.outcome.stdout.len());
    assert_eq!(run.parsed.long.last().unwrap(), "[truncated]");
    assert!(run.parsed.long.iter().rev().skip(1).all(|line| line.chars().all(|c| c == 'ä')));

    let whole = check.args(["--max-output", "1MiB"]).gives(State::Ok, &["short"]);
    assert_eq!(whole.parsed.long.len(), 100);
}

#[test]
fn first_line_and_perfdata_are_never_cut() {
    let text = "t".repeat(10_000);
    let run = demo().args(["--text", &text, "--value", "1", "--long", "gone", "--max-output", "100"]);
    let run = run.gives(State::Ok, &[&text]);
    assert_eq!(run.parsed.value("v0"), Some(1.0));
    assert_eq!(run.parsed.long, ["[truncated]"]);
}

#[test]
fn verbosity_shows_no_less_and_is_quiet_on_stderr() {
    for flag in ["-v", "-vv", "-vvv", "-vvvvv"] {
        let run = demo().args(["--long", "one", flag]).env("RUST_LOG", "trace").gives(State::Ok, &[]);
        assert_eq!(run.parsed.long, ["one"]);
    }
}

const SAMPLE: [&str; 14] = [
    "--text",
    "a|b \"c\" \x1b",
    "--value",
    "1.5",
    "--label",
    "it's",
    "--value",
    "U",
    "--label",
    "gone",
    "-w",
    "~:1",
    "--min",
    "-2",
];

#[test]
fn json_says_what_the_text_says() {
    let text = demo().args(SAMPLE).gives(State::Warning, &[]);
    let outcome = demo().args(SAMPLE).args(["--output", "json"]).outcome();
    assert_eq!(outcome.code, Some(1));
    assert_eq!(outcome.text().lines().count(), 1);
    let value: Value = serde_json::from_slice(&outcome.stdout).unwrap();
    assert_eq!(value["version"], 1);
    assert_eq!(value["plugin"], "check_demo");
    assert_eq!((&value["state"], &value["status"]), (&json!(1), &json!("WARNING")));
    assert_eq!(value["summary"], text.parsed.summary);
    assert_eq!(value["findings"][0]["id"], "text");
    assert_eq!(value["findings"][0]["text"], text.parsed.summary);
    let items = value["perfdata"].as_array().unwrap();
    assert_eq!(items.len(), text.parsed.perfdata.len());
    for (item, perf) in items.iter().zip(&text.parsed.perfdata) {
        assert_eq!(item["label"], perf.label);
        assert_eq!(item["warn"].as_str(), perf.warn.as_deref());
        assert_eq!(item["crit"].as_str(), perf.crit.as_deref());
        if perf.label != "time" {
            assert_eq!(item["value"].as_f64(), perf.value);
        }
    }
    assert_eq!(items[1]["min"], -2);
    assert_eq!(value["data"], json!({"values": [1.5, null], "password_bytes": null}));
}

#[test]
fn zabbix_is_one_flat_line() {
    let outcome = demo().args(SAMPLE).args(["--output", "zabbix"]).outcome();
    assert_eq!(outcome.code, Some(1));
    assert_eq!(outcome.text().lines().count(), 1);
    let value: Value = serde_json::from_slice(&outcome.stdout).unwrap();
    assert_eq!((&value["state"], &value["status"]), (&json!(1), &json!("WARNING")));
    assert_eq!(value["summary"], r#"a/b "c" \x1b"#);
    let metrics = value["metrics"].as_object().unwrap();
    assert_eq!(metrics.keys().collect::<Vec<_>>(), ["it_s", "time"], "an unknown value is left out");
    assert_eq!(metrics["it_s"], 1.5);
    assert!(metrics["time"].is_number());
}

#[test]
fn prometheus_series_are_distinct() {
    let mut check = demo().args(["--output", "prometheus"]);
    for label in ["a b", "a.b", "a_b", "ä", "time"] {
        check = check.args(["--value", "2", "--label", label]);
    }
    let outcome = check.args(["--value", "U", "--label", "gone"]).outcome();
    assert_eq!(outcome.code, Some(0));
    let text = outcome.text();
    assert!(text.contains("vedette_state{plugin=\"demo\",target=\"demo\"} 0\n"), "{text}");
    assert!(!text.contains("gone"), "{text}");
    let mut series = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
        let metric = name.split('{').next().unwrap();
        assert!(metric.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'), "{line}");
        assert!(!series.contains(&metric), "{metric} twice\n{text}");
        series.push(metric);
    }
    assert_eq!(series.len(), 7, "{text}");
}

#[test]
fn output_file_gets_the_form_and_stdout_the_text() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("result");
    for (form, begin) in
        [("json", "{"), ("zabbix", "{"), ("prometheus", "# TYPE"), ("text", "DEMO WARNING: ")]
    {
        fs::write(&path, "old content").unwrap();
        let check = demo().args(SAMPLE).args(["--output", form, "--output-file"]).arg(&path);
        check.gives(State::Warning, &["a/b"]);
        let content = fs::read_to_string(&path).unwrap();
        assert!(content.starts_with(begin) && content.ends_with('\n'), "{content}");
    }
    let names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["result"], "no temporary file stays");
}

#[test]
fn unknown_output_file_cannot_be_written() {
    let folder = tempdir().unwrap();
    let missing = folder.path().join("absent/result");
    let run = demo()
        .args(["--output-file"])
        .arg(&missing)
        .gives(State::Unknown, &["--output-file", "No such file"]);
    assert_eq!(run.outcome.code, Some(3));
    demo()
        .args(["--output-file"])
        .arg(folder.path())
        .gives(State::Unknown, &["--output-file", "cannot write"]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "no temporary file stays");
    // A worse state is not hidden.
    let worse = demo().args(["--value", "9", "-c", "1", "--text", "real", "--output-file"]).arg(&missing);
    worse.gives(State::Critical, &["real", "--output-file"]);
}

#[test]
fn dump_is_private_json() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("dump");
    demo().args(SAMPLE).arg("--dump-observation").arg(&path).gives(State::Warning, &[]);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let value: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(value["plugin"], "check_demo");
    assert_eq!(value["data"]["values"], json!([1.5, null]));
    assert!(value["taken_at"].as_i64().unwrap() > 1_700_000_000);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    demo().arg("--dump-observation").arg(&path).gives(State::Ok, &[]);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "replaced, not reused");

    let missing = folder.path().join("absent/dump");
    demo()
        .arg("--dump-observation")
        .arg(&missing)
        .gives(State::Unknown, &["--dump-observation", "No such file"]);
}

#[test]
fn exit_ok_keeps_the_real_state_in_the_line() {
    let outcome = demo().args(["--value", "9", "-c", "1", "--exit-ok"]).outcome();
    assert_eq!(outcome.code, Some(0));
    assert_eq!(outcome.parsed_any_code().state, State::Critical);
}

#[test]
fn map_state_changes_line_and_code() {
    let value = ["--value", "5", "-w", "1"];
    demo().args(value).args(["--map-state", "warning=critical"]).gives(State::Critical, &[]);
    demo().args(value).args(["--map-state", "critical=ok"]).gives(State::Warning, &[]);
    let both = ["--map-state", "ok=unknown", "--map-state", "warning=ok"];
    demo().args(value).args(both).gives(State::Ok, &[]);
    demo().args(both).gives(State::Unknown, &[]);
    demo().args(["--map-state", "warning=bad"]).gives(State::Unknown, &["--map-state"]);
    demo().args(["--map-state", "warning"]).gives(State::Unknown, &["--map-state"]);
}
