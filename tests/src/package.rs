//! What `packaging/build` left: the plugins as shipped, the Debian package and that for RPM systems.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use lab::process::shared_folder;
use tempfile::TempDir;

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

/// The Debian package of the last `packaging/build`; `None` where none can be made.
#[must_use]
pub fn package() -> Option<PathBuf> {
    built("deb")
}

/// The same for RPM systems.
#[must_use]
pub fn rpm_package() -> Option<PathBuf> {
    built("rpm")
}

fn built(end: &str) -> Option<PathBuf> {
    if env::var_os("VEDETTE_WITHOUT_PACKAGE").is_some() {
        eprintln!("!! LEFT OUT: the packages: dpkg-dev or rpm is missing");
        return None;
    }
    Some(package_in(&target().join("packages"), end))
}

/// The one package with this end of its name in a folder.
#[must_use]
pub fn package_in(folder: &Path, end: &str) -> PathBuf {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    let found: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|found| found == end)).collect();
    assert_eq!(found.len(), 1, "one .{end} in {}: run packaging/build", folder.display());
    found[0].clone()
}

/// Names that monitoring-plugins-contrib has in the engines' folder of plugins.
pub const TAKEN: [&str; 3] = ["check_rbl", "check_ssl_cert", "check_mysql_health"];

/// Where a family of systems has what both packages bring.
#[derive(Debug, Clone, Copy)]
pub struct Places {
    /// The engines' folder of plugins.
    pub plugins: &'static str,
    /// The engines' folder of commands.
    pub commands: &'static str,
    /// Completions for zsh.
    pub zsh: &'static str,
}

/// The files and links that both packages bring, and the folders that are empty.
#[must_use]
pub fn contents(plugins: &[&str], generated: &[PathBuf], places: Places) -> BTreeSet<String> {
    let mut wanted: BTreeSet<String> = [
        "etc/vedette",
        "usr/share/doc/vedette-plugins/README.md",
        "usr/share/doc/vedette-plugins/changelog.gz",
        "usr/share/doc/vedette-plugins/third-party.txt.gz",
        "usr/share/doc/vedette-plugins/vedette-plugins.cdx.json",
        "usr/share/icinga2/include/plugins-contrib.d/vedette.conf",
        "var/lib/vedette",
    ]
    .map(str::to_owned)
    .into();
    wanted.insert(format!("{}/vedette.cfg", places.commands));
    let guide = below(&workspace().join("docs/guide"));
    wanted.extend(guide.iter().map(|page| format!("usr/share/doc/vedette-plugins/docs/guide/{page}")));
    for name in plugins {
        wanted.extend([
            format!("{PLUGINS}/{name}"),
            format!("usr/lib/zabbix/externalscripts/{name}"),
            format!("usr/share/man/man1/{name}.1.gz"),
            format!("usr/share/bash-completion/completions/{name}"),
            format!("{}/_{name}", places.zsh),
            format!("usr/share/fish/vendor_completions.d/{name}.fish"),
            format!("usr/share/doc/vedette-plugins/plugins/{name}/README.md"),
        ]);
        if !TAKEN.contains(name) {
            wanted.insert(format!("{}/{name}", places.plugins));
        }
        let policies = format!("plugins/{name}/data/policies");
        for policy in fs::read_dir(workspace().join(&policies)).into_iter().flatten() {
            let policy = policy.unwrap().file_name();
            wanted.insert(format!("usr/share/doc/vedette-plugins/{policies}/{}", policy.to_str().unwrap()));
        }
    }
    let at_home = ["man/", "completions/", "icinga2/vedette.conf", "nagios/commands/vedette.cfg"];
    let others = generated.iter().map(|path| path.to_str().unwrap());
    let others = others.filter(|path| !at_home.iter().any(|home| path.starts_with(home)));
    wanted.extend(others.map(|path| format!("usr/share/vedette/{path}")));
    wanted
}

/// Files and links below a folder, and folders with nothing in them; paths from there.
#[must_use]
pub fn below(folder: &Path) -> BTreeSet<String> {
    said(Command::new("find").current_dir(folder).args([".", "(", "!", "-type", "d", "-o", "-empty", ")"]))
        .lines()
        .map(|path| path.trim_start_matches("./").to_owned())
        .collect()
}

/// Fails when a file below a folder holds a path of the machine it was built on, or nothing at all.
pub fn holds_no_path_of_the_builder(folder: &Path) {
    let home = env::var("HOME").unwrap_or_default();
    let cargo = env::var("CARGO_HOME").unwrap_or_else(|_| format!("{home}/.cargo"));
    let workspace = workspace();
    let paths: Vec<String> = [workspace.to_str().unwrap(), &home, &cargo, target().to_str().unwrap()]
        .iter()
        .map(|path| format!("{}/", path.trim_end_matches('/')))
        .filter(|path| path.len() > 3)
        .collect();
    assert!(!paths.is_empty());
    for file in files(folder) {
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

/// What `packaging/build` is called with, without what cargo says to a test: that would make it build ring again.
#[must_use]
pub fn build() -> Command {
    let mut command = Command::new(workspace().join("packaging/build"));
    for (name, _) in env::vars().filter(|(name, _)| name.starts_with("CARGO_") && name != "CARGO_HOME") {
        command.env_remove(name);
    }
    command.env("CARGO_TARGET_DIR", target());
    command
}

/// A release before this one: the same package with another version, and with other words in its conffile.
#[must_use]
pub fn earlier(package: &Path, folder: &Path) -> PathBuf {
    let root = folder.join("earlier");
    said(Command::new("dpkg-deb").arg("-R").arg(package).arg(&root));
    let control = fs::read_to_string(root.join("DEBIAN/control")).unwrap();
    let version = format!("\nVersion: {}-1\n", env!("CARGO_PKG_VERSION"));
    assert!(control.contains(&version), "{control}");
    fs::write(root.join("DEBIAN/control"), control.replace(&version, "\nVersion: 0.0.1-1\n")).unwrap();
    fs::write(root.join(CONFFILE), "# as it was shipped before\n").unwrap();
    let file = folder.join("vedette-plugins_0.0.1-1.deb");
    said(Command::new("dpkg-deb").args(["--root-owner-group", "-Znone", "-b"]).arg(&root).arg(&file));
    file
}

/// The configuration file of the Debian package.
pub const CONFFILE: &str = "etc/nagios-plugins/config/vedette.cfg";

/// Unpacks a package as it would lie below `/`.
pub fn unpack(package: &Path, folder: &Path) {
    said(Command::new("dpkg-deb").arg("-x").arg(package).arg(folder));
}

/// A folder that dpkg takes for `/`, with nothing installed.
#[derive(Debug)]
pub struct Root(TempDir);

impl Root {
    /// An empty one.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it writes files")]
    pub fn new() -> Self {
        let root = Self(shared_folder());
        for folder in ["info", "updates", "triggers", "parts"] {
            fs::create_dir_all(root.at("var/lib/dpkg").join(folder)).unwrap();
        }
        fs::write(root.at("var/lib/dpkg/status"), "").unwrap();
        root
    }

    /// What lies there at a path without a `/` in front.
    #[must_use]
    pub fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// Runs dpkg; what is said by it and by the package.
    #[expect(clippy::must_use_candidate, reason = "it is run for what it does")]
    pub fn dpkg(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("dpkg");
        command.arg("--root").arg(self.0.path()).args(["--force-depends", "--force-script-chrootless"]);
        // An edited conffile: what dpkg does where nobody can be asked.
        command.args(["--force-confdef", "--force-confold"]);
        said(command.args(arguments))
    }
}

/// What a command says when it succeeds.
pub fn said(command: &mut Command) -> String {
    let output = command.env("LC_ALL", "C").output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
