//! The INI file of `--extra-opts`: any file gives options or one sentence that says what is
//! wrong, and never the secret in it.

use std::cell::RefCell;
use std::io::{Seek, SeekFrom, Write};

use clap::{CommandFactory, Parser};
use common::cli::{CredentialArgs, Parsed, RunArgs, parse};
use tempfile::NamedTempFile;

const SECRET: &str = "Zx9-unlikely-word";

#[derive(Parser, Debug)]
#[command(name = "check_x", version)]
struct Options {
    #[arg(short = 'H', long)]
    hostname: Option<String>,
    #[arg(short, long)]
    port: Option<u16>,
    #[command(flatten)]
    credentials: CredentialArgs,
    #[command(flatten)]
    run: RunArgs,
}

thread_local! {
    /// Written anew for each input: cheaper than a new file.
    static FILE: RefCell<NamedTempFile> = RefCell::new(NamedTempFile::new().expect("a temporary file"));
}

/// The target.
pub fn run(data: &[u8]) {
    if data.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()) {
        return;
    }
    for secret in [false, true] {
        FILE.with_borrow_mut(|file| {
            file.as_file().set_len(0).and_then(|()| file.seek(SeekFrom::Start(0))).expect("our file");
            file.write_all(data).expect("our file");
            if secret {
                write!(file, "\n[check_x]\npassword = {SECRET}\n").expect("our file");
            }
            read(&format!("--extra-opts=@{}", file.path().display()));
        });
    }
}

fn read(locator: &str) {
    match parse::<Options>(&mut Options::command(), vec!["check_x".into(), locator.into()], |command| command)
    {
        Ok(Parsed::Run(options)) => {
            assert!(!format!("{options:?}").contains(SECRET), "the secret is in the debug form");
        }
        Ok(Parsed::Show(text)) => assert!(!text.contains(SECRET)),
        Err(error) => {
            assert!(!error.cause.is_empty());
            assert!(!format!("{error:?}").contains(SECRET), "{error:?}");
        }
    }
}
