//! Daemons are reached by their own process id and leave nothing behind.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::env;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use lab::process::{Daemon, Group, free_port, program, shared_folder};

fn shell(script: &str, folder: &Path) -> Daemon {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]).current_dir(folder);
    Daemon::spawn("shell", command, Group::FromLab, &folder.join("log"))
}

/// State letter of a process, `None` when it is gone.
fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

#[test]
fn free_port_can_be_bound() {
    let port = free_port();
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
}

#[test]
fn pause_and_resume_reach_every_process_of_the_group() {
    let folder = shared_folder();
    let mut daemon = shell("sleep 60 & echo $! > child; wait", folder.path());
    let child = || fs::read_to_string(folder.path().join("child")).ok()?.trim().parse::<u32>().ok();
    daemon.wait_until("the child", || child().is_some());
    let (parent, child) = (daemon.pid(), child().unwrap());
    daemon.pause();
    daemon.wait_until("the pause", || state(parent) == Some('T') && state(child) == Some('T'));
    daemon.resume();
    daemon.wait_until("the end of the pause", || state(parent) == Some('S') && state(child) == Some('S'));
    drop(daemon);
    assert_eq!(state(parent), None);
    // The grandchild got the same signal, but only its own parent can wait until it has died of it.
    let gone = || matches!(state(child), None | Some('Z' | 'X'));
    assert!(within_seconds(10, gone), "{:?}", state(child));
}

#[test]
fn frozen_daemon_is_stopped_all_the_same() {
    let folder = shared_folder();
    let daemon = shell("sleep 60", folder.path());
    let pid = daemon.pid();
    daemon.pause();
    drop(daemon);
    assert_eq!(state(pid), None);
}

#[test]
fn daemon_dies_with_a_killed_test_process() {
    const PID_FILE: &str = "LAB_TEST_PID_FILE";
    if let Some(file) = env::var_os(PID_FILE) {
        // The process that the outer run of this test starts and kills.
        let folder = shared_folder();
        let daemon = shell("sleep 60", folder.path());
        fs::write(file, daemon.pid().to_string()).unwrap();
        thread::sleep(Duration::from_mins(1));
        return;
    }
    let folder = shared_folder();
    let file = folder.path().join("pid");
    let mut victim = Command::new(env::current_exe().unwrap())
        .args(["--exact", "daemon_dies_with_a_killed_test_process"])
        .env(PID_FILE, &file)
        .env("TMPDIR", folder.path())
        .spawn()
        .unwrap();
    let pid = || fs::read_to_string(&file).ok()?.parse::<u32>().ok();
    assert!(within_seconds(10, || pid().is_some()), "the daemon did not start");
    victim.kill().unwrap();
    victim.wait().unwrap();
    let gone = || matches!(state(pid().unwrap()), None | Some('Z' | 'X'));
    assert!(within_seconds(10, gone), "the daemon outlived its test");
}

fn within_seconds(seconds: u64, mut condition: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + Duration::from_secs(seconds);
    while !condition() {
        if Instant::now() > until {
            return false;
        }
        thread::sleep(Duration::from_millis(5));
    }
    true
}

#[test]
#[should_panic(expected = "no such option")]
fn daemon_that_ends_early_shows_its_log() {
    let folder = shared_folder();
    shell("echo no such option; exit 1", folder.path()).wait_listening(free_port());
}

#[test]
#[should_panic(
    expected = "examplepackage is not installed (no-such-program is missing): tests/run installs it"
)]
fn missing_program_names_its_package() {
    let _ = program("no-such-program", "examplepackage");
}
