//! Files of a server that nobody starts.

use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;

use super::release::{Release, option};

/// Makes a data folder of MariaDB 10.11 with pages of InnoDB of this size, by statements that end with their line.
pub fn make_with_pages(data: &Path, kibibytes: u32, statements: &str) {
    let script = data.with_extension("sql");
    fs::create_dir(data).expect("the lab's folder is writable");
    fs::write(&script, statements).expect("the lab's folder is writable");
    let mut command = Release::MariaDb.command();
    command.arg(option("datadir", data)).arg(format!("--innodb-page-size={kibibytes}k"));
    // What pages of 64 KiB need.
    command.args([
        "--innodb-buffer-pool-size=48M",
        "--bootstrap",
        "--log-warnings=0",
        "--enforce-storage-engine=",
    ]);
    command.stdin(Stdio::from(File::open(&script).expect("just written")));
    let output = command.output().expect("the server can be started");
    assert!(output.status.success(), "the server: {}", String::from_utf8_lossy(&output.stderr));
}
