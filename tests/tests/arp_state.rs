//! What check_arp_dupes remembers from run to run, and what it makes of a memory that is damaged, foreign, held or
//! from another time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

use lab::arp::plan::gateway;
use lab::arp::{Arp, left_out};
use lab::output::State;
use lab::process::is_root;
use serde_json::Value;
use tests::Run;
use tests::arp::Lan;

const LEARNED: &str = "first run: the present picture was learned";

/// A gateway that the monitor has met, and a memory of it.
fn remembered() -> Lan {
    let lan = Lan::with([gateway()]);
    lan.monitor().meet(lan.host("gw").ipv4());
    lan.gives(&[], State::Ok, &[]).long(LEARNED);
    lan
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// It says that it remembers nothing, and why, and judges the present all the same.
fn remembers_nothing(run: &Run, why: &str) {
    run.long("changes since the last run are not judged").long(why);
    assert!(run.parsed.perf("flips").is_some_and(|flips| flips.value.is_none()), "{}", run.outcome.report());
}

#[test]
fn ok_the_first_run_learns_and_says_so() {
    if left_out() {
        return;
    }
    let lan = remembered();
    assert_eq!(mode(&lan.state_file()), 0o600);
    lan.gives(&[], State::Ok, &[]).silent_about("first run");
    assert_eq!(fs::read_dir(lan.state_file().parent().unwrap()).unwrap().count(), 2, "the file and its lock");
    // Another sweep, another memory.
    let sweep = ["-4", "--sweep", "10.99.0.0/30", "--window", "0.2"];
    lan.gives(&sweep, State::Ok, &[]).long(LEARNED);
    lan.gives(&sweep, State::Ok, &[]).silent_about("first run");
}

#[test]
fn ok_a_new_gateway_once_it_is_learned() {
    if left_out() {
        return;
    }
    let lan = Lan::poisoned();
    let [gateway, attacker] = lan.parties();
    lan.gives(&["-4"], State::Critical, &["gw_changed"]).long("--learn");
    lan.gives(&["-4", "--learn"], State::Ok, &["10.99.0.1 is 02:66:66:66:66:66"]);
    lan.gives(&["-4"], State::Ok, &[]);
    // And the true one is the stranger now.
    attacker.send(Arp::gratuitous_reply(gateway.ipv4(), gateway.mac()));
    lan.monitor().wait_neighbour(gateway.ipv4(), gateway.mac());
    lan.gives(&["-4"], State::Critical, &["learned as 02:66:66:66:66:66"]);
}

#[test]
fn ok_without_a_memory() {
    if left_out() {
        return;
    }
    let lan = Lan::with([gateway()]);
    lan.monitor().meet(lan.host("gw").ipv4());
    let run = lan.gives(&["--no-state"], State::Ok, &[]);
    assert!(run.parsed.perf("flips").is_none());
    run.silent_about("learned");
    let home = tempfile::tempdir().unwrap();
    let run = lan.check(&["--no-state"]).env("HOME", home.path()).gives(State::Ok, &[]);
    run.silent_about("learned");
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn warning_once_of_a_damaged_memory() {
    if left_out() {
        return;
    }
    let lan = remembered();
    let whole = fs::read_to_string(lan.state_file()).unwrap();
    let half = &whole[..whole.len() / 2];
    for damaged in [half, "", "\u{0}\u{1}", "{\"version\":1,\"data\":{\"created\":\"now\"}}", "[]"] {
        fs::write(lan.state_file(), damaged).unwrap();
        let words = ["the state file could not be read", "check_arp_dupes-eth0.corrupt"];
        lan.gives(&[], State::Warning, &words).long(LEARNED);
        assert_eq!(fs::read_to_string(lan.state_file().with_extension("corrupt")).unwrap(), damaged);
        lan.gives(&[], State::Ok, &[]).silent_about("corrupt");
    }
}

#[test]
fn unknown_a_memory_of_a_newer_program() {
    if left_out() {
        return;
    }
    let lan = remembered();
    let newer = "{\"version\":9,\"data\":{\"everything\":\"else\"}}";
    fs::write(lan.state_file(), newer).unwrap();
    let words = ["check_arp_dupes-eth0.json has version 9, and this program knows version 1"];
    lan.refuses(&[], &words);
    lan.refuses(&["--verify"], &words);
    lan.gives(&["--learn"], State::Unknown, &words);
    assert_eq!(fs::read_to_string(lan.state_file()).unwrap(), newer);
    lan.gives(&["--no-state"], State::Ok, &[]);
}

#[test]
fn ok_while_another_run_holds_the_memory() {
    if left_out() {
        return;
    }
    let lan = remembered();
    let before = fs::read(lan.state_file()).unwrap();
    let lock = File::open(lan.state_file().with_extension("lock")).unwrap();
    lock.lock().unwrap();
    let run = lan.gives(&[], State::Ok, &["10.99.0.1 is 02:00:00:00:00:01"]);
    remembers_nothing(&run, "in use by another run");
    let time = run.parsed.value("time").unwrap();
    assert!((1.0..1.5).contains(&time), "{}", run.outcome.report());
    assert_eq!(fs::read(lan.state_file()).unwrap(), before);
    lock.unlock().unwrap();
    lan.gives(&[], State::Ok, &[]).silent_about("another run");
}

#[test]
fn ok_with_a_memory_that_is_not_ours() {
    if left_out() {
        return;
    }
    let lan = remembered();
    let file = lan.state_file();
    fs::set_permissions(&file, Permissions::from_mode(0o666)).unwrap();
    remembers_nothing(&lan.gives(&[], State::Ok, &[]), "others may write to it");
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    if is_root() {
        // Readable, or its mode would be the reason.
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        chown(&file, Some(65_534), None).unwrap();
        remembers_nothing(&lan.gives(&[], State::Ok, &[]), "it belongs to user 65534");
        chown(&file, Some(0), None).unwrap();
    }
    let elsewhere = file.with_extension("elsewhere");
    fs::rename(&file, &elsewhere).unwrap();
    let content = fs::read(&elsewhere).unwrap();
    symlink(&elsewhere, &file).unwrap();
    remembers_nothing(&lan.gives(&[], State::Ok, &[]), "it is a symbolic link");
    assert_eq!(fs::read(&elsewhere).unwrap(), content);
}

#[test]
fn ok_with_a_folder_that_cannot_be_used() {
    if left_out() {
        return;
    }
    let lan = remembered();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    remembers_nothing(
        &lan.gives(&["--state-dir", path], State::Ok, &[]),
        "others may write to it (mode 0777)",
    );
    let run = lan.gives(&["--state-dir", "/proc/nowhere"], State::Ok, &[]);
    remembers_nothing(&run, "cannot use state folder /proc/nowhere");
    // The gateway is not in doubt because of that, and an attack is one all the same.
    let words = ["--state-dir", "/proc/nowhere", "--pin", "10.99.0.1=02:00:00:00:00:02"];
    lan.gives(&words, State::Critical, &["[pin]"]);
}

#[test]
fn ok_when_the_clock_goes_back() {
    if left_out() {
        return;
    }
    let lan = remembered();
    let mut state: Value = serde_json::from_slice(&fs::read(lan.state_file()).unwrap()).unwrap();
    let gateway = &mut state["data"]["interfaces"]["eth0"]["seen"]["10.99.0.1"];
    let now: i64 = gateway.as_str().unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    let future = now + 400 * 86_400;
    *gateway = format!("02:00:00:00:00:01 {future} {future}; {future}").into();
    fs::write(lan.state_file(), state.to_string()).unwrap();
    let run = lan.gives(&[], State::Ok, &[]);
    assert_eq!(run.parsed.value("flips"), Some(1.0), "{}", run.outcome.report());
    // No time of the file is after the present: a flip must not be counted for more than a year.
    let state: Value = serde_json::from_slice(&fs::read(lan.state_file()).unwrap()).unwrap();
    let gateway = &state["data"]["interfaces"]["eth0"]["seen"]["10.99.0.1"];
    let words: Vec<&str> =
        gateway.as_str().unwrap().split([' ', ';']).filter(|word| !word.is_empty()).collect();
    let [_, times @ ..] = words.as_slice() else { panic!("{gateway}") };
    assert_eq!(times.len(), 3, "{gateway}");
    for time in times {
        assert!((now..now + 3600).contains(&time.parse().unwrap()), "{gateway}");
    }
}
