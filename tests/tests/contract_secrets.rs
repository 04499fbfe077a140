//! Secrets (contract section 4): where they may come from, and that they never come out.
//! Shown by check_demo.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use lab::output::State;
use tempfile::{TempDir, tempdir};
use tests::Check;

const SECRET: &str = "Zx9-unlikely-word";

fn secret_file(mode: u32) -> (TempDir, PathBuf) {
    let folder = tempdir().unwrap();
    let path = folder.path().join("pw");
    fs::write(&path, format!("{SECRET}\nsecond line\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    (folder, path)
}

fn demo(path: &Path) -> Check {
    Check::new("check_demo").arg("--password-file").arg(path)
}

#[test]
fn ok_file_closed_to_others() {
    for mode in [0o600, 0o400, 0o640, 0o440] {
        let (_folder, path) = secret_file(mode);
        demo(&path).gives(State::Ok, &[]);
    }
}

#[test]
fn unknown_file_too_open() {
    for mode in [0o644, 0o660, 0o604, 0o602, 0o666, 0o620, 0o601] {
        let (_folder, path) = secret_file(mode);
        let run = demo(&path).gives(State::Unknown, &["too open", &format!("mode {mode:04o}"), "pw"]);
        run.long("hint: chmod ").long(&path.display().to_string()).silent_about(SECRET);
        // The line of the hint mends it.
        let hint = run.parsed.long.iter().find_map(|line| line.strip_prefix("hint: ")).unwrap();
        assert!(Command::new("/bin/sh").args(["-c", hint]).status().unwrap().success());
        demo(&path).gives(State::Ok, &[]);
    }
}

#[test]
fn unknown_file_too_open_behind_a_link() {
    let (folder, path) = secret_file(0o644);
    let link = folder.path().join("link");
    symlink(&path, &link).unwrap();
    demo(&link).gives(State::Unknown, &["too open"]);
}

#[test]
fn unknown_file_missing_empty_or_no_file() {
    let (folder, path) = secret_file(0o600);
    demo(&folder.path().join("absent")).gives(State::Unknown, &["cannot read", "absent", "No such file"]);
    demo(folder.path()).gives(State::Unknown, &["directory"]);
    for (content, words) in
        [(&b""[..], "empty"), (b"\nsecond\n", "empty"), (b"\r\n", "empty"), (b"a\0b\n", "NUL")]
    {
        fs::write(&path, content).unwrap();
        demo(&path).gives(State::Unknown, &[words]);
    }
    fs::write(&path, vec![b'x'; 100_000]).unwrap();
    demo(&path).gives(State::Unknown, &["longer than"]);
    demo(Path::new("/dev/zero")).gives(State::Unknown, &["longer than"]);
}

fn pipe() -> (TempDir, PathBuf) {
    let folder = tempdir().unwrap();
    let path = folder.path().join("fifo");
    assert!(Command::new("mkfifo").args(["-m", "600"]).arg(&path).status().unwrap().success());
    (folder, path)
}

#[test]
fn unknown_file_is_a_pipe_nobody_writes() {
    let (_folder, path) = pipe();
    // Nothing was checked yet, so nothing can be said about the target.
    demo(&path).timeout(0.4).gives(State::Unknown, &["timeout after 0.4 s while starting"]);
}

#[test]
fn ok_file_is_a_pipe_written_late() {
    let (_folder, path) = pipe();
    let started = demo(&path).timeout(3.0).start();
    std::thread::sleep(Duration::from_millis(150));
    fs::write(&path, format!("{SECRET}\n")).unwrap();
    started.gives(State::Ok, &[]);
}

#[test]
fn secret_is_in_no_output() {
    let (folder, path) = secret_file(0o600);
    let dump = folder.path().join("dump");
    let encoded = BASE64.encode(SECRET);
    for form in ["text", "json", "zabbix", "prometheus"] {
        let file = folder.path().join(form);
        let outcome = demo(&path)
            .args(["-vvv", "--output", form, "--dump-observation"])
            .arg(&dump)
            .arg("--output-file")
            .arg(&file)
            .outcome();
        assert_eq!(outcome.code, Some(0));
        let direct = demo(&path).args(["-vvv", "--output", form]).outcome();
        for bytes in [outcome.stdout, direct.stdout, fs::read(&dump).unwrap(), fs::read(&file).unwrap()] {
            let text = String::from_utf8(bytes).unwrap();
            assert!(!text.contains(SECRET) && !text.contains(&encoded), "{text}");
        }
    }
}
