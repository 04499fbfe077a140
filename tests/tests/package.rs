//! The Debian package as `packaging/build` left it: what is in it, and that it can be
//! installed, removed and built again. What an engine makes of it: `package_icinga.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "test code"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use lab::process::shared_folder;
use packaging_gen::plugins;
use tests::package::{PLUGINS, package, said, target, unpack, workspace};

const NAME: &str = "vedette-plugins";
/// Names that monitoring-plugins-contrib has in `/usr/lib/nagios/plugins`.
const TAKEN: [&str; 3] = ["check_rbl", "check_ssl_cert", "check_mysql_health"];
const SECRET: &str = "Zx9-unlikely-word";

#[test]
fn it_holds_what_the_guide_says_and_nothing_else() {
    let Some(package) = package() else { return };
    let entries = entries(&package);
    let mut wanted: BTreeSet<String> = [
        "etc/vedette/",
        "usr/share/doc/vedette-plugins/README.md",
        "usr/share/doc/vedette-plugins/changelog.Debian.gz",
        "usr/share/doc/vedette-plugins/changelog.gz",
        "usr/share/doc/vedette-plugins/copyright",
        "usr/share/doc/vedette-plugins/third-party.txt.gz",
        "usr/share/icinga2/include/plugins-contrib.d/vedette.conf",
        "usr/share/lintian/overrides/vedette-plugins",
        "var/lib/vedette/",
    ]
    .map(str::to_owned)
    .into();
    for page in fs::read_dir(workspace().join("docs/guide")).unwrap() {
        let page = page.unwrap().file_name();
        wanted.insert(format!("usr/share/doc/{NAME}/docs/guide/{}", page.to_str().unwrap()));
    }
    for name in plugins().iter().map(|plugin| plugin.name) {
        wanted.extend([
            format!("{PLUGINS}/{name}"),
            format!("usr/share/man/man1/{name}.1.gz"),
            format!("usr/share/bash-completion/completions/{name}"),
            format!("usr/share/zsh/vendor-completions/_{name}"),
            format!("usr/share/fish/vendor_completions.d/{name}.fish"),
            format!("usr/share/doc/{NAME}/plugins/{name}/README.md"),
        ]);
        if !TAKEN.contains(&name) {
            wanted.insert(format!("usr/lib/nagios/plugins/{name}"));
        }
    }
    let on_the_way =
        |path: &str| wanted.iter().any(|file| path == "./" || file.starts_with(path) && file != path);
    let found: BTreeSet<String> = entries.keys().filter(|path| !on_the_way(path)).cloned().collect();
    assert_eq!(found, wanted);
}

#[test]
fn owners_and_modes_are_those_of_a_package() {
    let Some(package) = package() else { return };
    let entries = entries(&package);
    let times: BTreeSet<&str> = entries.values().map(|entry| entry.time.as_str()).collect();
    assert_eq!(times.len(), 1, "all files have the time of the source: {times:?}");
    for (path, entry) in &entries {
        assert_eq!(entry.owner, "root/root", "{path}");
        let wanted = match path.as_str() {
            "var/lib/vedette/" => "drwxrwxrwt",
            folder if folder.ends_with('/') => "drwxr-xr-x",
            link if link.starts_with("usr/lib/nagios/plugins/") => "lrwxrwxrwx",
            plugin if plugin.starts_with(PLUGINS) => "-rwxr-xr-x",
            _ => "-rw-r--r--",
        };
        assert_eq!(entry.mode, wanted, "{path}");
    }
}

#[test]
fn its_control_file_says_what_it_needs() {
    let Some(package) = package() else { return };
    let field =
        |name: &str| said(Command::new("dpkg-deb").arg("-f").arg(&package).arg(name)).trim().to_owned();
    assert_eq!(field("Package"), NAME);
    assert_eq!(field("Version"), format!("{}-1", env!("CARGO_PKG_VERSION")));
    let depends = field("Depends");
    let names: Vec<&str> = depends.split(", ").filter_map(|one| one.split(' ').next()).collect();
    assert!(names.iter().all(|name| ["libc6", "libgcc-s1"].contains(name)), "nothing but libc: {depends}");
    assert!(depends.contains("libc6 (>= "), "{depends}");
    assert!(field("Installed-Size").parse::<u64>().is_ok_and(|size| size > 1000));
    assert!(!field("Maintainer").is_empty() && !field("Description").is_empty());
}

#[test]
fn no_path_of_the_builder_is_in_it() {
    let Some(package) = package() else { return };
    let root = unpacked(&package);
    let home = env::var("HOME").unwrap_or_default();
    let cargo = env::var("CARGO_HOME").unwrap_or_else(|_| format!("{home}/.cargo"));
    let workspace = workspace();
    let paths: Vec<String> = [workspace.to_str().unwrap(), &home, &cargo, target().to_str().unwrap()]
        .iter()
        .map(|path| format!("{}/", path.trim_end_matches('/')))
        .filter(|path| path.len() > 3)
        .collect();
    assert!(!paths.is_empty());
    for file in files(root.path()) {
        let packed = file.extension().is_some_and(|end| end == "gz");
        let bytes = if packed {
            Command::new("gzip").arg("-dc").arg(&file).output().unwrap().stdout
        } else {
            fs::read(&file).unwrap()
        };
        assert!(!bytes.is_empty(), "{} is empty", file.display());
        for path in &paths {
            let found = bytes.windows(path.len()).any(|window| window == path.as_bytes());
            assert!(!found, "{} contains {path}", file.display());
        }
    }
}

#[test]
fn every_library_in_the_binaries_is_named_with_its_licence() {
    let Some(package) = package() else { return };
    let root = unpacked(&package);
    let list = root.path().join(format!("usr/share/doc/{NAME}/third-party.txt.gz"));
    let text = said(Command::new("gzip").arg("-dc").arg(list));
    for name in ["clap", "ring", "rustls"] {
        assert!(text.contains(&format!("\n==== {name} ")), "{name} is not listed");
    }
    assert!(text.lines().filter(|line| line.starts_with("==== ")).all(|line| !line.ends_with(": ")));
}

#[test]
fn two_builds_give_the_same_bytes() {
    let Some(package) = package() else { return };
    let build = || {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(workspace().join("packaging/build"));
        // What cargo says to a test would make it build ring again.
        for (name, _) in env::vars().filter(|(name, _)| name.starts_with("CARGO_") && name != "CARGO_HOME") {
            command.env_remove(name);
        }
        let output = command
            .args(["--prebuilt", "--output"])
            .arg(folder.path())
            .env("SOURCE_DATE_EPOCH", "1000000000")
            .env("CARGO_TARGET_DIR", target())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::read(folder.path().join("packages").join(package.file_name().unwrap())).unwrap()
    };
    assert!(build() == build());
}

#[test]
fn it_is_installed_removed_and_purged() {
    let Some(package) = package() else { return };
    if lab::process::left_out_without_root("installing the package") {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let at = |path: &str| root.path().join(path);
    for folder in ["info", "updates", "triggers", "parts"] {
        fs::create_dir_all(at("var/lib/dpkg").join(folder)).unwrap();
    }
    fs::write(at("var/lib/dpkg/status"), "").unwrap();
    let dpkg = |arguments: &[&str]| {
        let mut command = Command::new("dpkg");
        command.arg("--root").arg(root.path()).args(["--force-depends", "--force-script-chrootless"]);
        said(command.args(arguments))
    };

    dpkg(&["--install", package.to_str().unwrap()]);
    let said_version = Command::new(at("usr/lib/nagios/plugins/check_smtp_auth")).arg("-V").output().unwrap();
    assert!(said_version.stdout.starts_with(b"check_smtp_auth "), "{said_version:?}");
    assert_eq!(fs::metadata(at("var/lib/vedette")).unwrap().permissions().mode() & 0o7777, 0o1777);
    let check =
        Command::new("dpkg").arg("--root").arg(root.path()).args(["--verify", NAME]).output().unwrap();
    assert!(check.status.success() && check.stdout.is_empty(), "{check:?}");

    fs::write(at("etc/vedette/probe.pw"), SECRET).unwrap();
    fs::create_dir(at("var/lib/vedette/0")).unwrap();
    dpkg(&["--install", package.to_str().unwrap()]);
    dpkg(&["--remove", NAME]);
    assert!(!at(PLUGINS).exists() && at("usr/lib/nagios/plugins").symlink_metadata().is_err());
    assert!(at("var/lib/vedette/0").is_dir(), "what the plugins remember stays");
    dpkg(&["--purge", NAME]);
    assert!(!at("var/lib/vedette").exists(), "purged");
    assert!(at("etc/vedette/probe.pw").is_file(), "a password is the administrator's");
}

#[test]
fn it_passes_lintian() {
    let Some(package) = package() else { return };
    if !Path::new("/usr/bin/lintian").is_file() {
        eprintln!("lintian is not installed: the package is not linted");
        return;
    }
    let output =
        Command::new("lintian").args(["--fail-on", "error,warning", "--allow-root"]).arg(&package).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

// ---- the package ----

struct Entry {
    mode: String,
    owner: String,
    time: String,
}

/// Everything in the package by its path.
fn entries(package: &Path) -> BTreeMap<String, Entry> {
    said(Command::new("dpkg-deb").arg("-c").arg(package))
        .lines()
        .map(|line| {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            let path = if words[5] == "./" { words[5] } else { words[5].trim_start_matches("./") };
            let entry = Entry { mode: words[0].into(), owner: words[1].into(), time: words[3..5].join(" ") };
            (path.to_owned(), entry)
        })
        .collect()
}

fn unpacked(package: &Path) -> tempfile::TempDir {
    let folder = shared_folder();
    unpack(package, folder.path());
    folder
}

/// Regular files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(files(&entry.path()));
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    found
}
