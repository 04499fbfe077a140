//! What an operator writes into the files of check_rbl: a file is taken when each of its
//! lines would be taken on the command line, and nothing is ever sent about a private address.
//!
//! Input: a file of lists, then behind a NUL a file of targets.

use std::cell::RefCell;
use std::io::{Seek, SeekFrom, Write};
use std::time::{Duration, Instant};

use check_rbl::CheckRbl;
use clap::Parser;
use common::net::{Deadline, Trouble};
use common::plugin::Plugin;
use tempfile::NamedTempFile;

/// Refused before anything is sent, after the files have been read.
const PRIVATE: &str = "10.1.2.3";

thread_local! {
    /// Written anew for each input: cheaper than new files.
    static FILES: RefCell<[NamedTempFile; 2]> =
        RefCell::new([(); 2].map(|()| NamedTempFile::new().expect("a temporary file")));
}

/// The target.
pub fn run(data: &[u8]) {
    let at = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    let (lists, targets) = (&data[..at], data.get(at + 1..).unwrap_or_default());
    FILES.with_borrow_mut(|[list_file, target_file]| {
        let line_by_line = taken("--list", lists);
        let whole = read("--list-file", list_file, lists);
        agree(line_by_line, &whole, "--list-file");
        let line_by_line = taken("--hostname", targets);
        let whole = read("--targets-file", target_file, targets);
        agree(line_by_line, &whole, "--targets-file");
    });
}

/// Whether each line is taken as the value of an option; `None` when there is none, or the
/// bytes are no text.
fn taken(option: &str, bytes: &[u8]) -> Option<bool> {
    let text = std::str::from_utf8(bytes).ok()?;
    let values = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let values: Vec<&str> = values.filter(|value| !value.is_empty()).collect();
    if values.is_empty() {
        return None;
    }
    Some(values.iter().all(|value| {
        let target =
            if option == "--list" { format!("--hostname={PRIVATE}") } else { "--list=default".to_owned() };
        match CheckRbl::try_parse_from(["check_rbl", &target, &format!("{option}={value}")]) {
            Ok(options) => {
                assert!(options.check_options().is_ok());
                true
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                false
            }
        }
    }))
}

/// Runs the probe up to the point where it refuses: a file that is wrong, or [`PRIVATE`].
fn read(option: &str, file: &mut NamedTempFile, bytes: &[u8]) -> String {
    file.as_file().set_len(0).and_then(|()| file.seek(SeekFrom::Start(0))).expect("our file");
    file.write_all(bytes).expect("our file");
    let path = file.path().display().to_string();
    // The discard port: whatever is sent there by mistake makes the outcome another one.
    let arguments = ["check_rbl", "--resolver", "127.0.0.1:9", "--hostname", PRIVATE, option, &path];
    let options = CheckRbl::try_parse_from(arguments).expect("good options");
    let deadline = Deadline::new(Instant::now(), Duration::from_secs(5));
    let error = options.probe(&deadline).expect_err("a private address");
    assert_eq!(error.trouble, Trouble::Local, "{error}");
    error.text
}

fn agree(line_by_line: Option<bool>, whole: &str, option: &str) {
    let refused_later =
        whole.contains("is not a public address") || whole.contains("are too many for one run");
    match line_by_line {
        Some(true) => assert!(refused_later, "{whole}"),
        Some(false) => assert!(whole.starts_with(option) && whole.contains(" line "), "{whole}"),
        None => assert!(whole.starts_with(option), "{whole}"),
    }
}
