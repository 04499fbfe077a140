//! What `packaging/build` left: the plugins as shipped, and the Debian package.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Where the plugins lie in the package.
pub const PLUGINS: &str = "usr/lib/vedette/plugins";

/// The folder of the whole source.
#[must_use]
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Cargo's target folder.
#[must_use]
pub fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from)
}

/// A plugin as shipped.
#[must_use]
pub fn shipped(name: &str) -> PathBuf {
    let path = target().join("dist").join(name);
    assert!(path.exists(), "{} is missing: tests/run and tests/bench/run build it", path.display());
    path
}

/// The package of the last `packaging/build`; `None` where none can be made.
#[must_use]
pub fn package() -> Option<PathBuf> {
    if env::var_os("VEDETTE_WITHOUT_PACKAGE").is_some() {
        eprintln!("!! LEFT OUT: the package: dpkg-dev is missing");
        return None;
    }
    let folder = target().join("packages");
    let found = fs::read_dir(&folder).ok().and_then(|entries| {
        entries
            .map(|entry| entry.unwrap().path())
            .find(|path| path.extension().is_some_and(|end| end == "deb"))
    });
    Some(found.unwrap_or_else(|| panic!("no package in {}: run packaging/build", folder.display())))
}

/// Unpacks a package as it would lie below `/`.
pub fn unpack(package: &Path, folder: &Path) {
    said(Command::new("dpkg-deb").arg("-x").arg(package).arg(folder));
}

/// What a command says when it succeeds.
pub fn said(command: &mut Command) -> String {
    let output = command.env("LC_ALL", "C").output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
