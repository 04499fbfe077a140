//! How a plugin ends (contract sections 1, 4 and 5): in time, by signal, by panic, without a
//! reader. Shown by check_demo.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

use std::fs::File;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use lab::Signal;
use lab::output::State;
use lab::plugin::find_binary;
use tests::{Check, Measured, Run};

fn demo() -> Check {
    Check::new("check_demo")
}

fn is_late_by_a_tenth_at_most(run: &Run, limit: f64) {
    let time = run.parsed.value("time").expect("time");
    assert!((limit..=limit + 0.1).contains(&time), "{}", run.outcome.report());
}

#[test]
fn critical_timeout_in_a_blocking_call() {
    let run = demo()
        .args(["--sleep", "20"])
        .timeout(0.4)
        .gives(State::Critical, &["timeout after 0.4 s while querying"]);
    is_late_by_a_tenth_at_most(&run, 0.4);
    run.perfdata(&[("time", Measured::Yes)]);
}

#[test]
fn timeout_state_and_map_apply_to_a_blocking_call() {
    let check = demo().args(["--sleep", "20"]).timeout(0.3);
    let text = ["timeout after 0.3 s"];
    check.clone().args(["--timeout-state", "warning"]).gives(State::Warning, &text);
    check.clone().args(["--timeout-state", "unknown", "--map-state", "unknown=ok"]).gives(State::Ok, &text);
    let outcome = check.arg("--exit-ok").outcome();
    assert_eq!(outcome.code, Some(0));
    assert_eq!(outcome.parsed_any_code().state, State::Critical);
}

/// A file that keeps what an earlier run wrote would be a stale OK.
#[test]
fn a_blocking_call_ends_in_the_form_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("result.prom");
    let write = |more: &[&str]| {
        let path = file.to_string_lossy().into_owned();
        demo().args(["--output", "prometheus", "--output-file", &path]).args(more).timeout(0.3)
    };
    write(&[]).gives(State::Ok, &["no details"]);
    assert!(
        std::fs::read_to_string(&file).unwrap().contains("vedette_state{plugin=\"demo\",target=\"demo\"} 0")
    );
    write(&["--sleep", "20"]).gives(State::Critical, &["timeout after 0.3 s while querying"]);
    assert!(
        std::fs::read_to_string(&file).unwrap().contains("vedette_state{plugin=\"demo\",target=\"demo\"} 2")
    );

    let outcome = demo().args(["--sleep", "20", "--output", "json"]).timeout(0.3).outcome();
    assert_eq!(outcome.code, Some(2));
    let json: serde_json::Value = serde_json::from_slice(&outcome.stdout).unwrap();
    assert_eq!(json["status"], "CRITICAL");
    assert_eq!(json["findings"][0]["id"], "timeout");
    assert!(json["perfdata"][0]["value"].as_f64().is_some_and(|time| (0.3..0.4).contains(&time)), "{json}");
}

#[test]
fn timeout_takes_units() {
    let run = demo().args(["--sleep", "20", "-t", "250ms"]).gives(State::Critical, &["timeout after 0.25 s"]);
    is_late_by_a_tenth_at_most(&run, 0.25);
}

#[test]
fn ok_just_in_time() {
    demo().args(["--sleep", "0.2", "--text", "done"]).timeout(2.0).gives(State::Ok, &["done"]);
}

#[test]
fn unknown_stopped_by_signal() {
    for (signal, name) in [(Signal::Term, "SIGTERM"), (Signal::Int, "SIGINT")] {
        let started = demo().args(["--sleep", "20"]).timeout(10.0).start();
        thread::sleep(Duration::from_millis(200));
        started.running.signal(signal);
        let run = started.gives(State::Unknown, &[&format!("stopped by {name} while querying")]);
        assert!(run.parsed.long.is_empty());
        assert!(run.outcome.elapsed < Duration::from_secs(2), "{}", run.outcome.report());
    }
}

#[test]
fn ok_after_it_was_frozen_for_a_while() {
    let started = demo().args(["--sleep", "0.5", "--text", "done"]).timeout(10.0).start();
    thread::sleep(Duration::from_millis(200));
    started.running.signal(Signal::Stop);
    thread::sleep(Duration::from_millis(200));
    started.running.signal(Signal::Cont);
    started.gives(State::Ok, &["done"]);
}

#[test]
fn unknown_panic_is_one_line() {
    for backtrace in ["0", "1", "full"] {
        let run = demo().arg("--panic").env("RUST_BACKTRACE", backtrace).gives(
            State::Unknown,
            &["internal error: told to panic / and to break the line while querying (check_demo.rs:"],
        );
        assert!(run.parsed.long.is_empty() && run.parsed.perfdata.is_empty());
        assert!(run.parsed.summary.ends_with(')'), "{}", run.parsed.summary);
    }
    // An error of ours is not hidden by options that soften the result.
    demo()
        .args(["--panic", "--exit-ok", "--map-state", "unknown=ok"])
        .gives(State::Unknown, &["internal error"]);
}

/// Starts check_demo with this standard output.
fn spawn(arguments: &[&str], stdout: Stdio) -> Child {
    Command::new(find_binary("check_demo"))
        .args(arguments)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits without reading its standard output; code and standard error.
fn ended(mut child: Child, limit: Duration) -> (Option<i32>, String) {
    let until = Instant::now() + limit;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > until {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("still running after {limit:?}");
        }
        thread::sleep(Duration::from_millis(5));
    };
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    (status.code(), errors)
}

#[test]
fn unknown_output_device_is_full() {
    let full = || Stdio::from(File::options().write(true).open("/dev/full").unwrap());
    let limit = Duration::from_secs(5);
    assert_eq!(
        ended(spawn(&["--value", "1"], full()), limit),
        (Some(3), String::new()),
        "OK nobody could read"
    );
    assert_eq!(ended(spawn(&["--value", "9", "-c", "1"], full()), limit), (Some(2), String::new()));
    assert_eq!(ended(spawn(&["--value", "9", "-w", "1"], full()), limit), (Some(1), String::new()));
    assert_eq!(ended(spawn(&["--panic"], full()), limit), (Some(3), String::new()));
    assert_eq!(ended(spawn(&["--help"], full()), limit), (Some(3), String::new()));
}

#[test]
fn critical_stays_critical_when_stdout_is_closed() {
    let run = |arguments: &str| {
        let script = format!("exec {} {arguments} >&-", find_binary("check_demo").display());
        let output = Command::new("/bin/sh").args(["-c", &script]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        output.status.code()
    };
    assert_eq!(run("--value 9 -c 1"), Some(2));
    assert_eq!(run("--value 9 -w 1"), Some(1));
    assert_eq!(run("--panic"), Some(3));
    assert_eq!(run("--no-such-option"), Some(3));
}

#[test]
fn unknown_reader_went_away() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let child = spawn(&["--value", "1"], writer.into());
    assert_eq!(ended(child, Duration::from_secs(5)), (Some(3), String::new()), "no SIGPIPE, no OK");
}

#[test]
fn unknown_reader_does_not_read() {
    let long = "x".repeat(100_000);
    let mut arguments = vec!["-t", "0.5", "--max-output", "1MiB"];
    for _ in 0..3 {
        arguments.extend(["--long", &long]);
    }
    let started = Instant::now();
    let (code, errors) = ended(spawn(&arguments, Stdio::piped()), Duration::from_secs(5));
    assert_eq!((code, errors.as_str()), (Some(3), ""), "what nobody read is not OK");
    assert!(started.elapsed() < Duration::from_millis(900), "{:?}", started.elapsed());
}

#[test]
fn long_output_reaches_a_slow_reader() {
    let long = "x".repeat(100_000);
    let mut child =
        spawn(&["-t", "5", "--max-output", "1MiB", "--long", &long, "--long", &long], Stdio::piped());
    let mut pipe = child.stdout.take().unwrap();
    thread::sleep(Duration::from_millis(300));
    let mut text = String::new();
    pipe.read_to_string(&mut text).unwrap();
    assert_eq!(ended(child, Duration::from_secs(5)), (Some(0), String::new()));
    let parsed = lab::output::parse(text.as_bytes()).unwrap();
    assert_eq!(parsed.long, [long.clone(), long]);
}
