//! The package for RPM systems as `packaging/build` left it, installed, upgraded and removed by rpm in a root of its
//! own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use lab::process::{left_out_without_root, program, shared_folder};
use packaging_gen::{files, plugins};
use tempfile::TempDir;
use tests::package::{
    PLUGINS, Places, below, contents, holds_no_path_of_the_builder, package_in, rpm_package, said, target,
    workspace,
};

const NAME: &str = "vedette-plugins";
const PLACES: Places = Places {
    plugins: "usr/lib64/nagios/plugins",
    commands: "etc/nagios/conf.d",
    zsh: "usr/share/zsh/site-functions",
};
const CONFIGURATION: &str = "etc/nagios/conf.d/vedette.cfg";

#[test]
fn rpm_installs_verifies_and_erases_it() {
    let Some(package) = rpm_package() else { return };
    if left_out_without_root("installing the RPM package") {
        return;
    }
    let plugins = plugins();
    let names: Vec<&str> = plugins.iter().map(|plugin| plugin.name).collect();
    let generated: Vec<PathBuf> = files(&plugins, "2000-01-01").into_iter().map(|(path, _)| path).collect();
    let mut wanted = contents(&names, &generated, PLACES);
    for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
        wanted.insert(format!("usr/share/licenses/{NAME}/{licence}"));
    }
    let root = Root::new();
    root.rpm(&["--install", package.to_str().unwrap()]);
    let found = root.files();
    let differing: Vec<&String> = found.symmetric_difference(&wanted).collect();
    assert!(differing.is_empty(), "{differing:#?}");
    holds_no_path_of_the_builder(&root.at("usr"));

    assert_eq!(root.rpm(&["--verify", "--nodeps", NAME]), "");
    assert_eq!(capable(&root), ["check_arp_dupes cap_net_raw=p"]);
    assert_eq!(fs::metadata(root.at("var/lib/vedette")).unwrap().permissions().mode() & 0o7777, 0o1777);
    for name in names {
        for folder in [PLUGINS, "usr/lib/zabbix/externalscripts"] {
            let output = Command::new(root.at(folder).join(name)).arg("-V").output().unwrap();
            assert!(output.stdout.starts_with(format!("{name} ").as_bytes()), "{output:?}");
        }
    }
    // Who asks says so: what was changed is found.
    fs::set_permissions(root.at(PLUGINS).join("check_rbl"), PermissionsExt::from_mode(0o700)).unwrap();
    let verify = root.command(&["--verify", "--nodeps", NAME]).output().unwrap();
    assert!(String::from_utf8_lossy(&verify.stdout).contains("check_rbl"), "{verify:?}");

    fs::write(root.at("etc/vedette/probe.pw"), "secret").unwrap();
    fs::create_dir(root.at("var/lib/vedette/0")).unwrap();
    root.rpm(&["--erase", NAME]);
    let kept = root.files().into_iter().filter(|path| !is_folder_of_the_system(&root.at(path)));
    assert_eq!(kept.collect::<Vec<_>>(), ["etc/vedette/probe.pw", "var/lib/vedette/0"]);
}

#[test]
fn an_edited_configuration_survives_an_upgrade() {
    let Some(package) = rpm_package() else { return };
    if left_out_without_root("upgrading the RPM package") {
        return;
    }
    let folder = shared_folder();
    let earlier = earlier(folder.path());
    let root = Root::new();
    root.rpm(&["--install", earlier.to_str().unwrap()]);
    fs::write(root.at(CONFIGURATION), "# ours\n").unwrap();
    root.rpm(&["--upgrade", package.to_str().unwrap()]);
    assert_eq!(fs::read_to_string(root.at(CONFIGURATION)).unwrap(), "# ours\n");
    let beside = fs::read_to_string(root.at(&format!("{CONFIGURATION}.rpmnew"))).unwrap();
    assert!(beside.contains("define command"), "{beside}");
    assert_eq!(capable(&root), ["check_arp_dupes cap_net_raw=p"]);
    assert!(root.rpm(&["--query", NAME]).starts_with(&format!("{NAME}-{}-1", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn it_needs_libc_and_nothing_that_nobody_has() {
    let Some(package) = rpm_package() else { return };
    let said_of = |what: &str| said(query(&package).arg(what));
    let provided = said_of("--provides");
    let provided: BTreeSet<&str> = provided.lines().collect();
    let required = said_of("--requires");
    let needed: Vec<&str> = required.lines().filter(|one| !provided.contains(one)).collect();
    let known = ["libc.so.6", "libgcc_s.so.1", "rtld(GNU_HASH)", "rpmlib("];
    for one in &needed {
        assert!(known.iter().any(|start| one.starts_with(start)), "{one}");
    }
    assert!(needed.iter().any(|one| one.starts_with("libc.so.6(GLIBC_2.")), "{needed:?}");
    assert_eq!(said_of("--scripts"), "", "it needs no shell");
    assert_eq!(said_of("--configfiles").trim(), format!("/{CONFIGURATION}"));
    let builder = said(query(&package).args(["--qf", "%{BUILDHOST}"]));
    assert_eq!(builder, "vedette.invalid");
}

#[test]
fn it_passes_rpmlint() {
    let Some(package) = rpm_package() else { return };
    let mut rpmlint = Command::new(program("rpmlint", "rpmlint"));
    rpmlint.arg("--config").arg(workspace().join("packaging/rpm/rpmlint.toml"));
    let words = said(rpmlint.arg(&package));
    assert!(words.contains("1 packages and 0 specfiles checked; 0 errors, 0 warnings"), "{words}");
}

// ---- rpm ----

/// A folder that rpm takes for `/`.
struct Root(TempDir);

impl Root {
    fn new() -> Self {
        Self(shared_folder())
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// Libraries are not there: it has nothing but the package.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program("rpm", "rpm"));
        let database = ["--dbpath", "/var/lib/rpm", "--root"];
        command.args(database).arg(self.0.path()).args(arguments);
        if !arguments.contains(&"--query") && !arguments.contains(&"--nodeps") {
            command.arg("--nodeps");
        }
        command
    }

    fn rpm(&self, arguments: &[&str]) -> String {
        said(&mut self.command(arguments))
    }

    /// All but rpm's own database.
    fn files(&self) -> BTreeSet<String> {
        below(self.0.path()).into_iter().filter(|path| !path.starts_with("var/lib/rpm")).collect()
    }
}

/// One that is empty now, and that a real system has filled.
fn is_folder_of_the_system(path: &Path) -> bool {
    path.is_dir() && !path.to_str().unwrap().contains("vedette")
}

fn query(package: &Path) -> Command {
    let mut command = Command::new(program("rpm", "rpm"));
    command.args(["--query", "--package"]).arg(package);
    command
}

/// Plugins with a capability, as getcap(8) writes them.
fn capable(root: &Root) -> Vec<String> {
    let folder = root.at(PLUGINS);
    let files = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let words = said(Command::new(program("getcap", "libcap2-bin")).args(files));
    let place = format!("{}/", folder.display());
    words.lines().map(|line| line.replace(&place, "")).collect()
}

/// A release before this one: from the same spec with another version, and with other words in the configuration.
fn earlier(folder: &Path) -> PathBuf {
    let spec = fs::read_to_string(target().join(format!("package-rpm/{NAME}.spec"))).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let changed = spec
        .replace(&format!("\nVersion: {version}\n"), "\nVersion: 0.0.1\n")
        .replace("w6.xzdio", "w0.gzdio");
    assert_ne!(spec, changed);
    let file = folder.join("earlier.spec");
    fs::write(&file, changed).unwrap();
    let filled = folder.join("filled");
    said(Command::new("cp").arg("-a").arg(target().join("package-rpm-root")).arg(&filled));
    fs::write(filled.join(CONFIGURATION), "# as it was shipped before\n").unwrap();
    let define = |name: &str, value: &Path| ["--define".to_owned(), format!("{name} {}", value.display())];
    let mut build = Command::new(program("rpmbuild", "rpm"));
    build.args(["-bb", "--quiet"]).args(define("filled_root", &filled));
    said(build.args(define("_topdir", folder)).args(define("_rpmdir", folder)).arg(&file));
    package_in(folder, "rpm")
}
