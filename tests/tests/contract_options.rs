//! Ranges, usage errors, help and INI files (contract sections 3 and 4), shown by check_demo.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use lab::output::State;
use tempfile::{TempDir, tempdir};
use tests::Check;

fn demo() -> Check {
    Check::new("check_demo")
}

/// A mistake: one UNKNOWN line that names the option, no perfdata.
fn refused(check: &Check, words: &[&str]) {
    let run = check.gives(State::Unknown, words);
    assert!(run.parsed.perfdata.is_empty(), "{}", run.outcome.report());
    assert_eq!(run.outcome.code, Some(3));
}

#[test]
fn unknown_range_refused() {
    for range in [
        "",
        ":",
        "@",
        "~",
        "1e3",
        "0x10",
        "nan",
        "inf",
        "-inf",
        "1,5",
        "10x",
        "1:2:3",
        "20:10",
        "5:~",
        " ",
        " 5",
        "5 ",
        "1 :2",
        ":5",
        "@:5",
        "@~",
        "~:~",
        "5.",
        "--5",
        "+",
        "-",
        ".",
        "@@5",
        "min:",
        "max:",
        "min:~",
        "inside:",
        "inside:@5",
        "min:1:2",
        "-5",
        "1_000",
        "٣",
        "5\n",
    ] {
        refused(&demo().args(["--value", "1"]).arg(format!("--warning={range}")), &["--warning: "]);
    }
    for range in [":", "20:10", "1e3"] {
        refused(&demo().args(["--value", "1", "-c", range]), &["--critical: "]);
    }
}

#[test]
fn range_accepted_and_judged() {
    // Range, a value that is fine, a value that alerts.
    for (range, fine, alert) in [
        ("10", "10", "10.1"),
        ("10", "0", "-0.1"),
        ("10:", "10", "9.9"),
        ("~:10", "-99", "10.1"),
        ("10:20", "15", "20.5"),
        ("@10:20", "9.9", "10"),
        ("@10", "-1", "0"),
        ("-2.5:-0.5", "-2", "0"),
        ("+5", "5", "5.5"),
        (".5", "0.5", "0.6"),
        ("0", "0", "0.1"),
        ("inside:10:20", "21", "20"),
        ("inside:10", "11", "10"),
        ("min:5", "5", "4.9"),
        ("max:5", "-9", "5.1"),
        ("max:-5", "-6", "-4"),
    ] {
        let check = |value: &str| demo().arg(format!("--critical={range}")).args(["--value", value]);
        check(fine).gives(State::Ok, &[]);
        check(alert).gives(State::Critical, &[]);
    }
    demo().args(["--critical", "~:", "--value", "-1000000"]).gives(State::Ok, &[]);
}

#[test]
fn unknown_warning_above_critical() {
    refused(&demo().args(["--value", "1", "-w", "10", "-c", "5"]), &["--warning: ", "10", "5"]);
    refused(&demo().args(["-w", "~:10", "-c", "0:5"]), &["--warning: "]);
    // Not two upper limits, or no contradiction.
    demo().args(["--value", "7", "-w", "10:", "-c", "5:"]).gives(State::Warning, &[]);
    demo().args(["--value", "7", "-w", "@10:20", "-c", "5"]).gives(State::Critical, &[]);
    demo().args(["--value", "7", "-w", "7", "-c", "7"]).gives(State::Ok, &[]);
}

#[test]
fn unknown_option_names_itself() {
    refused(&demo().arg("--warnin=1"), &["--warnin: unknown option", "did you mean --warning?"]);
    refused(&demo().arg("-Z"), &["-Z: unknown option"]);
    refused(&demo().args(["-w", "1", "-w", "2"]), &["--warning: given more than once"]);
    refused(&demo().args(["--text", "a", "--text", "b"]), &["--text: given more than once"]);
    refused(&demo().args(["-t", "5", "--timeout", "6"]), &["--timeout: given more than once"]);
    refused(&demo().arg("--value"), &["--value: a value is missing"]);
    refused(&demo().arg("--exit-ok=yes"), &["--exit-ok: "]);
}

#[test]
fn unknown_stray_word_is_not_shown() {
    let run = demo().arg("hunter2").gives(State::Unknown, &["word that belongs to no option"]);
    run.silent_about("hunter2");
    let run = demo().args(["--", "hunter2"]).gives(State::Unknown, &[]);
    run.silent_about("hunter2");
    let run = demo().arg("--passwrd=hunter2").gives(State::Unknown, &["--passwrd: unknown option"]);
    run.silent_about("hunter2");
}

#[test]
fn unknown_ill_typed_value() {
    for (option, value) in [
        ("--timeout", "0"),
        ("--timeout", "-1"),
        ("--timeout", "x"),
        ("--timeout", "1e1"),
        ("--timeout", "inf"),
        ("--timeout", ""),
        ("--output", "xml"),
        ("--timeout-state", "bad"),
        ("--map-state", "a=b"),
        ("--max-output", "0"),
        ("--max-output", "-5"),
        ("--uom", "ms"),
        ("--sleep", "x"),
        ("--min", "x"),
        ("--value", "x"),
        ("--value", "1,5"),
    ] {
        refused(&demo().arg(format!("{option}={value}")), &[&format!("{option}: ")]);
    }
}

#[test]
fn unknown_argument_is_not_utf8() {
    for option in ["--text", "--label", "-w"] {
        refused(&demo().arg(option).arg(OsStr::from_bytes(b"a\xff\xfe")), &["not UTF-8"]);
    }
    refused(&demo().arg(OsStr::from_bytes(b"\xff")), &[]);
    refused(&demo().arg(OsStr::from_bytes(b"--te\xffxt=1")), &[]);
}

#[test]
fn usage_errors_ignore_exit_ok_and_maps() {
    refused(&demo().args(["--exit-ok", "-w", ":"]), &["--warning"]);
    refused(&demo().args(["--map-state", "unknown=ok", "-w", ":"]), &["--warning"]);
}

#[test]
fn help_and_version_exit_3() {
    for flag in ["--version", "-V"] {
        let outcome = demo().arg(flag).outcome();
        assert_eq!((outcome.code, outcome.text().as_str()), (Some(3), "check_demo 0.1.0\n"));
    }
    for arguments in [&["--help"][..], &["-h"], &["--text", "a", "--help"], &["-w", "5", "-h"]] {
        let outcome = demo().args(arguments).outcome();
        assert_eq!(outcome.code, Some(3));
        let text = outcome.text();
        for word in
            ["Usage: check_demo", "--warning <RANGE>", "--timeout", "--extra-opts", "States:", "Examples:"]
        {
            assert!(text.contains(word), "no {word:?} in\n{text}");
        }
        assert!(!text.contains('\x1b'), "no colours in a pipe");
    }
    // Icinga's `timeout` and the like never reach a half-run check.
    let outcome = demo().args(["--panic", "--help"]).outcome();
    assert_eq!(outcome.code, Some(3));
}

struct Ini {
    folder: TempDir,
}

impl Ini {
    fn new(name: &str, text: &str) -> Self {
        let folder = tempdir().unwrap();
        fs::write(folder.path().join(name), text).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

const INI: &str = "; comment\n[check_demo]\ntext = from the file = verbatim # kept\nvalue = 5\nw = 4\nexit-ok\n\
                   [other]\ntext=other section\nvalue=1\nvalue=2\nlong=x\n[bad]\nno-such=1\n[spell]\nwarning=1e3\n";

#[test]
fn extra_opts_reads_section_and_file() {
    let ini = Ini::new("a.ini", INI);
    let file = ini.path("a.ini").display().to_string();
    let outcome = demo().arg(format!("--extra-opts=@{file}")).outcome();
    assert_eq!(outcome.code, Some(0), "exit-ok of the file\n{}", outcome.report());
    let parsed = outcome.parsed_any_code();
    assert_eq!((parsed.state, parsed.summary.as_str()), (State::Warning, "from the file = verbatim # kept"));
    let run = demo().arg(format!("--extra-opts=other@{file}")).gives(State::Ok, &["other section"]);
    assert_eq!((run.parsed.value("v0"), run.parsed.value("v1")), (Some(1.0), Some(2.0)));
    // As a word of its own, as the Monitoring Plugins take it.
    demo().arg("--extra-opts").arg(format!("other@{file}")).gives(State::Ok, &["other section"]);
}

#[test]
fn extra_opts_command_line_wins() {
    let ini = Ini::new("a.ini", INI);
    let locator = format!("--extra-opts=other@{}", ini.path("a.ini").display());
    for arguments in [["--text", "mine", &locator], [&locator, "--text", "mine"]] {
        let run = demo().args(arguments).args(["--value", "7"]).gives(State::Ok, &["mine"]);
        assert_eq!((run.parsed.value("v0"), run.parsed.value("v1")), (Some(7.0), None), "no merged lists");
        assert_eq!(run.parsed.long, ["x"]);
    }
}

#[test]
fn unknown_extra_opts_missing_file_or_section() {
    let ini = Ini::new("a.ini", INI);
    let file = ini.path("a.ini").display().to_string();
    refused(&demo().arg("--extra-opts=@/nonexistent/x.ini"), &["--extra-opts: ", "No such file"]);
    refused(&demo().arg(format!("--extra-opts=absent@{file}")), &["--extra-opts: ", "[absent]"]);
    refused(&demo().arg(format!("--extra-opts=bad@{file}")), &["no-such"]);
    refused(&demo().arg(format!("--extra-opts=spell@{file}")), &["--warning: "]);
    refused(&demo().arg(format!("--extra-opts=@{}", ini.folder.path().display())), &["--extra-opts: "]);
}

#[test]
fn extra_opts_finds_its_file() {
    let ini = Ini::new("plugins.ini", INI);
    let folders = format!("/nonexistent:{}", ini.folder.path().display());
    demo().arg("--extra-opts=other").env("NAGIOS_CONFIG_PATH", folders).gives(State::Ok, &["other section"]);
    let file = ini.path("plugins.ini");
    demo().arg("--extra-opts=other").env("MP_CONFIG_FILE", &file).gives(State::Ok, &["other section"]);
    let other = Ini::new("plugins.ini", "[other]\ntext=named by the variable\n");
    let check = demo().arg("--extra-opts=other").env("NAGIOS_CONFIG_PATH", ini.folder.path());
    check.env("MP_CONFIG_FILE", other.path("plugins.ini")).gives(State::Ok, &["named by the variable"]);
    refused(&demo().arg("--extra-opts=other").env("MP_CONFIG_FILE", "/nonexistent"), &["--extra-opts: "]);
}

#[test]
fn unknown_extra_opts_not_text() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("x.ini");
    fs::write(&path, b"[check_demo]\ntext=\xff\xfe\n").unwrap();
    refused(&demo().arg(format!("--extra-opts=@{}", path.display())), &["--extra-opts: "]);
    fs::write(&path, vec![b'#'; 2 << 20]).unwrap();
    refused(&demo().arg(format!("--extra-opts=@{}", path.display())), &["--extra-opts: "]);
}
