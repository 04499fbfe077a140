//! A bare Debian system in a folder: what `tests/run --full` has fetched once, unpacked for one test.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Output};

use lab::process::{left_out_without_root, prepared, program, shared_folder};
use tempfile::TempDir;

use crate::package::said;

/// The system; removed when dropped.
#[derive(Debug)]
pub struct Base(TempDir);

impl Base {
    /// A fresh one; `None` when this run has none.
    #[must_use]
    pub fn unpack(what: &str) -> Option<Self> {
        if env::var_os("VEDETTE_WITHOUT_BASE").is_some() {
            eprintln!("!! LEFT OUT: {what}: the bare system is fetched by tests/run --full");
            return None;
        }
        if left_out_without_root(what) {
            return None;
        }
        let base = Self(shared_folder());
        let archive = prepared("base").join("root.tar");
        said(Command::new("tar").arg("-xf").arg(archive).arg("-C").arg(base.0.path()));
        Some(base)
    }

    /// What lies there at a path without a `/` in front.
    #[must_use]
    pub fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// Runs a program of the system inside it; whatever comes of it.
    #[must_use]
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a program that has to succeed; what it says on both channels.
    #[expect(clippy::must_use_candidate, reason = "it is run for what it does")]
    pub fn must(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let words = [output.stdout, output.stderr].concat();
        let words = String::from_utf8_lossy(&words).into_owned();
        assert!(output.status.success(), "{arguments:?}\n{words}");
        words
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program("chroot", "coreutils"));
        command.arg(self.0.path()).args(arguments).env_clear();
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("DEBIAN_FRONTEND", "noninteractive");
        command.env("LC_ALL", "C.UTF-8");
        command
    }
}
