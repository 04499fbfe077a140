//! The Debian package in a bare Debian of its own: apt installs it, its plugins run there, an upgrade keeps what the
//! administrator has edited, and nothing is left of it in the end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use lab::process::program;
use lab::smtpd::{Submission, SubmissionOptions};
use packaging_gen::plugins;
use tests::base::Base;
use tests::package::{CONFFILE, PLUGINS, earlier, package, said};

const NAME: &str = "vedette-plugins";
const SECRET: &str = "Zx9-unlikely-word";

#[test]
fn apt_installs_upgrades_removes_and_purges_it() {
    let Some(package) = package() else { return };
    let Some(base) = Base::unpack("installing the package with apt") else { return };
    assert_eq!(traces(&base), "");
    let earlier = earlier(&package, &base.at("tmp"));
    install(&base, &earlier);
    assert_eq!(status(&base), "install ok installed 0.0.1-1");
    fs::write(base.at(CONFFILE), "# ours\n").unwrap();
    check_capability(&base);

    install(&base, &package);
    assert_eq!(status(&base), format!("install ok installed {}-1", env!("CARGO_PKG_VERSION")));
    assert_eq!(fs::read_to_string(base.at(CONFFILE)).unwrap(), "# ours\n");
    assert!(base.at(&format!("{CONFFILE}.dpkg-dist")).is_file());
    check_capability(&base);
    // Of the edited file alone dpkg has something to say.
    let changed = base.must(&["dpkg", "--verify", NAME]);
    assert_eq!(changed.lines().count(), 1, "{changed}");
    assert!(changed.contains(CONFFILE), "{changed}");

    for name in plugins().iter().map(|plugin| plugin.name) {
        let output = base.run(&[&format!("/{PLUGINS}/{name}"), "--version"]);
        let version = format!("{name} {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!((output.status.code(), output.stdout), (Some(3), version.into_bytes()));
    }
    logs_in(&base);

    base.must(&["apt-get", "remove", "-y", NAME]);
    assert_eq!(status(&base), format!("deinstall ok config-files {}-1", env!("CARGO_PKG_VERSION")));
    assert!(!base.at(PLUGINS).exists() && base.at(CONFFILE).is_file());
    base.must(&["apt-get", "purge", "-y", NAME]);
    assert_eq!(traces(&base), "");
}

#[test]
fn it_passes_piuparts() {
    let Some(package) = package() else { return };
    let Some(base) = Base::unpack("piuparts") else { return };
    let mut command = Command::new(program("piuparts", "piuparts"));
    command.args(["--no-upgrade-test", "--no-eatmydata", "--keep-sources-list", "-d", "bookworm"]);
    let words = said(command.arg("--existing-chroot").arg(base.at("")).arg(&package));
    assert!(
        words.contains("PASS: Installation and purging test.") && words.contains("PASS: All tests."),
        "{words}"
    );
}

/// Everything with our name, apart from what the test brings.
fn traces(base: &Base) -> String {
    base.must(&["find", "/", "-path", "/tmp", "-prune", "-o", "-path", "*vedette*", "-print"])
}

fn install(base: &Base, package: &Path) {
    fs::copy(package, base.at("tmp/package.deb")).unwrap();
    let keep = ["-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"];
    let arguments = ["apt-get", "install", "-y", "--no-install-recommends"];
    let words = base.must(&[&arguments[..], &keep, &["/tmp/package.deb"]].concat());
    assert!(!words.contains("can read the neighbour table only"), "{words}");
}

fn status(base: &Base) -> String {
    base.must(&["dpkg-query", "-W", "-f", "${Status} ${Version}", NAME])
}

fn check_capability(base: &Base) {
    let plugin = format!("/{PLUGINS}/check_arp_dupes");
    assert_eq!(base.must(&["getcap", &plugin]).trim(), format!("{plugin} cap_net_raw=p"));
}

/// A real check from inside: loopback is the same there.
fn logs_in(base: &Base) {
    let users = BTreeMap::from([("probe".to_owned(), SECRET.to_owned())]);
    let server = Submission::start(SubmissionOptions { users, ..SubmissionOptions::default() });
    fs::copy(server.ca_file(), base.at("tmp/ca.pem")).unwrap();
    // Whoever installs a machine writes it.
    fs::write(base.at("etc/hosts"), "127.0.0.1 localhost\n").unwrap();
    fs::write(base.at("etc/vedette/probe.pw"), SECRET).unwrap();
    base.must(&["chmod", "600", "/etc/vedette/probe.pw"]);
    let port = server.port().to_string();
    let target = ["-H", "localhost", "-4", "-p", &port, "--ca-file", "/tmp/ca.pem"];
    let login = ["-u", "probe", "--password-file", "/etc/vedette/probe.pw"];
    let words = base.must(&[&["/usr/lib/nagios/plugins/check_smtp_auth"], &target[..], &login].concat());
    assert!(words.starts_with("SMTP_AUTH OK: probe logged in"), "{words}");
    fs::remove_file(base.at("etc/vedette/probe.pw")).unwrap();
}
