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
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use lab::process::{program, shared_folder};
use packaging_gen::{files, plugins};
use tests::package::{
    CONFFILE, PLUGINS, Places, Root, below, build, contents, earlier, holds_no_path_of_the_builder, package,
    rpm_package, said, unpack,
};

const NAME: &str = "vedette-plugins";
const PLACES: Places = Places {
    plugins: "usr/lib/nagios/plugins",
    commands: "etc/nagios-plugins/config",
    zsh: "usr/share/zsh/vendor-completions",
};
const LINKS: [&str; 2] = ["usr/lib/nagios/plugins/check", "usr/lib/zabbix/externalscripts/check"];
const SECRET: &str = "Zx9-unlikely-word";

#[test]
fn it_holds_what_the_guide_says_and_nothing_else() {
    let Some(package) = package() else { return };
    let plugins = plugins();
    let names: Vec<&str> = plugins.iter().map(|plugin| plugin.name).collect();
    let generated: Vec<PathBuf> = files(&plugins, "2000-01-01").into_iter().map(|(path, _)| path).collect();
    let mut wanted = contents(&names, &generated, PLACES);
    wanted.extend(
        [
            "usr/share/doc/vedette-plugins/changelog.Debian.gz",
            "usr/share/doc/vedette-plugins/copyright",
            "usr/share/lintian/overrides/vedette-plugins",
        ]
        .map(str::to_owned),
    );
    let folder = unpacked(&package);
    let found = below(folder.path());
    let differing: Vec<&String> = found.symmetric_difference(&wanted).collect();
    assert!(differing.is_empty(), "{differing:#?}");
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
            link if LINKS.iter().any(|folder| link.starts_with(folder)) => "lrwxrwxrwx",
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
    // And setcap, for the capability of one of them.
    let known = ["libc6", "libgcc-s1", "libcap2-bin"];
    assert!(names.iter().all(|name| known.contains(name)), "no library but libc: {depends}");
    assert!(depends.contains("libc6 (>= ") && names.contains(&"libcap2-bin"), "{depends}");
    assert!(field("Installed-Size").parse::<u64>().is_ok_and(|size| size > 1000));
    assert!(!field("Maintainer").is_empty() && !field("Description").is_empty());
}

#[test]
fn links_between_its_pages_lead_somewhere() {
    let Some(package) = package() else { return };
    let folder = unpacked(&package);
    // The README of the source speaks of the source.
    let of_pages = |path: &PathBuf| path.extension().is_some_and(|end| end == "md");
    let doc = folder.path().join("usr/share/doc/vedette-plugins");
    let pages = below(&doc).into_iter().map(PathBuf::from).filter(of_pages);
    let pages = pages.filter(|path| path.parent() != Some(Path::new("")));
    let mut followed = 0;
    for page in pages.map(|path| doc.join(path)) {
        let text = fs::read_to_string(&page).unwrap();
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
        for target in targets.filter(|target| !target.is_empty() && !target.contains(':')) {
            let place = page.parent().unwrap().join(target);
            assert!(place.exists(), "{}: {target}", page.display());
            followed += 1;
        }
    }
    assert!(followed > 20, "{followed}");
}

#[test]
fn no_path_of_the_builder_is_in_it() {
    let Some(package) = package() else { return };
    holds_no_path_of_the_builder(unpacked(&package).path());
}

#[test]
fn every_library_in_the_binaries_is_named_with_its_licence() {
    let Some(package) = package() else { return };
    let root = unpacked(&package);
    let list = root.path().join(format!("usr/share/doc/{NAME}/third-party.txt.gz"));
    let text = said(Command::new("gzip").arg("-dc").arg(list));
    for name in ["clap", "pnet", "ring", "rustls"] {
        assert!(text.contains(&format!("\n==== {name} ")), "{name} is not listed");
    }
    assert!(text.lines().filter(|line| line.starts_with("==== ")).all(|line| !line.ends_with(": ")));
}

#[test]
fn another_build_gives_the_same_bytes() {
    let (Some(package), Some(rpm)) = (package(), rpm_package()) else { return };
    let time = said(Command::new("rpm").args(["-qp", "--qf", "%{BUILDTIME}"]).arg(&rpm));
    let folder = tempfile::tempdir().unwrap();
    let mut again = build();
    again.args(["--prebuilt", "--output"]).arg(folder.path()).env("SOURCE_DATE_EPOCH", time);
    said(&mut again);
    for first in [package, rpm] {
        let second = folder.path().join("packages").join(first.file_name().unwrap());
        assert!(fs::read(&first).unwrap() == fs::read(second).unwrap(), "{}", first.display());
    }
}

#[test]
fn it_is_small() {
    for package in [package(), rpm_package()].into_iter().flatten() {
        let size = fs::metadata(&package).unwrap().len();
        assert!(size <= 8_000_000, "{}: {size} bytes", package.display());
    }
}

#[test]
fn it_is_installed_removed_and_purged() {
    let Some(package) = package() else { return };
    if lab::process::left_out_without_root("installing the package") {
        return;
    }
    let root = Root::new();
    let at = |path: &str| root.at(path);

    root.dpkg(&["--install", package.to_str().unwrap()]);
    let said_version = Command::new(at("usr/lib/nagios/plugins/check_smtp_auth")).arg("-V").output().unwrap();
    assert!(said_version.stdout.starts_with(b"check_smtp_auth "), "{said_version:?}");
    assert_eq!(fs::metadata(at("var/lib/vedette")).unwrap().permissions().mode() & 0o7777, 0o1777);
    assert_eq!(root.dpkg(&["--verify", NAME]), "");

    fs::write(at("etc/vedette/probe.pw"), SECRET).unwrap();
    fs::create_dir(at("var/lib/vedette/0")).unwrap();
    root.dpkg(&["--install", package.to_str().unwrap()]);
    root.dpkg(&["--remove", NAME]);
    assert!(!at(PLUGINS).exists() && at("usr/lib/nagios/plugins").symlink_metadata().is_err());
    assert!(at("var/lib/vedette/0").is_dir(), "what the plugins remember stays");
    root.dpkg(&["--purge", NAME]);
    assert!(!at("var/lib/vedette").exists(), "purged");
    assert!(at("etc/vedette/probe.pw").is_file(), "a password is the administrator's");
}

#[test]
fn an_edited_conffile_survives_an_upgrade() {
    let Some(package) = package() else { return };
    if lab::process::left_out_without_root("upgrading the package") {
        return;
    }
    let folder = shared_folder();
    let earlier = earlier(&package, folder.path());
    let root = Root::new();
    let shipped = |name: &str| fs::read_to_string(root.at(name)).unwrap();
    let left_beside = root.at(&format!("{CONFFILE}.dpkg-dist"));

    root.dpkg(&["--install", earlier.to_str().unwrap()]);
    root.dpkg(&["--install", package.to_str().unwrap()]);
    assert!(shipped(CONFFILE).contains("define command"), "one that nobody has edited is replaced");
    assert!(!left_beside.exists());

    root.dpkg(&["--install", earlier.to_str().unwrap()]);
    fs::write(root.at(CONFFILE), "# ours\n").unwrap();
    root.dpkg(&["--install", package.to_str().unwrap()]);
    assert_eq!(shipped(CONFFILE), "# ours\n");
    assert!(fs::read_to_string(&left_beside).unwrap().contains("define command"));

    root.dpkg(&["--remove", NAME]);
    assert_eq!(shipped(CONFFILE), "# ours\n", "configuration stays until it is purged");
    root.dpkg(&["--purge", NAME]);
    assert!(!root.at(CONFFILE).exists());
}

#[test]
fn it_passes_lintian() {
    let Some(package) = package() else { return };
    let mut lintian = Command::new(program("lintian", "lintian"));
    lintian.args(["--fail-on", "error,warning", "--allow-root"]);
    let output = lintian.arg(&package).output().unwrap();
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
