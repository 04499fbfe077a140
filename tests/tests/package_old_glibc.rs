//! What `packaging/build --glibc 2.17` makes: plugins for systems of 2014 and newer, which run here as well.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "test code"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use lab::output::State;
use lab::plugin::Plugin;
use lab::process::{program, shared_folder};
use lab::smtpd::{Submission, SubmissionOptions};
use packaging_gen::plugins;
use tempfile::TempDir;
use tests::package::{PLUGINS, package_in, said, target, unpack};

const RELEASE: (u32, u32) = (2, 17);
const SECRET: &str = "Zx9-unlikely-word";

#[test]
fn the_plugins_need_no_newer_c_library() {
    let Some(package) = package() else { return };
    let root = unpacked(&package);
    let mut newest = BTreeSet::new();
    for name in plugins().iter().map(|plugin| plugin.name) {
        let file = root.path().join(PLUGINS).join(name);
        let symbols = said(Command::new(program("objdump", "binutils")).arg("-T").arg(&file));
        let releases: BTreeSet<(u32, u32)> = symbols.lines().filter_map(release).collect();
        assert!(!releases.is_empty(), "{name}: {symbols}");
        newest.extend(releases.iter().next_back().copied());
        assert!(releases.iter().all(|release| *release <= RELEASE), "{name}: {releases:?}");
        let dynamic = said(Command::new(program("readelf", "binutils")).arg("-d").arg(&file));
        let needed: BTreeSet<&str> = dynamic
            .lines()
            .filter(|line| line.contains("(NEEDED)"))
            .filter_map(|line| line.split_once('[')?.1.strip_suffix(']'))
            .collect();
        // Parts of the C library of its days.
        let known =
            ["libc.so.6", "libdl.so.2", "libm.so.6", "libpthread.so.0", "librt.so.1", "ld-linux-x86-64.so.2"];
        assert!(needed.iter().all(|library| known.contains(library)), "{name}: {needed:?}");
        assert!(needed.contains("libc.so.6"), "{name}: {needed:?}");
    }
    assert!(!newest.is_empty());
    let depends = said(Command::new("dpkg-deb").arg("-f").arg(&package).arg("Depends"));
    assert_eq!(depends.trim(), format!("libc6 (>= {}.{}), libcap2-bin", RELEASE.0, RELEASE.1));
}

#[test]
fn one_of_them_logs_in() {
    let Some(package) = package() else { return };
    let root = unpacked(&package);
    let users = BTreeMap::from([("probe".to_owned(), SECRET.to_owned())]);
    let server = Submission::start(SubmissionOptions { users, ..SubmissionOptions::default() });
    let port = server.port().to_string();
    let plugin = Plugin::at(root.path().join(PLUGINS).join("check_smtp_auth"));
    let target = ["-H", "localhost", "-4", "-p", &port, "--ca-file", server.ca_file().to_str().unwrap()];
    let login = ["-u", "probe", "--password-env", "PROBE"];
    let outcome = plugin.args(target).args(login).env("PROBE", SECRET).run();
    assert_eq!(outcome.parsed().state, State::Ok, "{}", outcome.report());
}

fn package() -> Option<PathBuf> {
    if env::var_os("VEDETTE_WITHOUT_OLD_GLIBC").is_some() {
        eprintln!("!! LEFT OUT: plugins for an old C library: tests/run --full builds them");
        return None;
    }
    let (major, minor) = RELEASE;
    Some(package_in(&target().join(format!("glibc-{major}.{minor}/packages")), "deb"))
}

fn unpacked(package: &Path) -> TempDir {
    let folder = shared_folder();
    unpack(package, folder.path());
    folder
}

/// The release of the C library in a line that ends with `(GLIBC_2.14) memcpy`.
fn release(line: &str) -> Option<(u32, u32)> {
    let after = line.split_once("GLIBC_")?.1;
    let end = after.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(after.len());
    let mut numbers = after[..end].split('.').map(|number| number.parse().unwrap());
    Some((numbers.next()?, numbers.next().unwrap_or_default()))
}
