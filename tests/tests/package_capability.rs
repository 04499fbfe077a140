//! check_arp_dupes from the package may open raw sockets, whoever runs it, and nothing else has changed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test code")]

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Output};

use lab::arp::plan::{gateway, monitor};
use lab::arp::{Network, Rights, left_out};
use lab::output::State;
use lab::plugin::Plugin;
use lab::process::{left_out_without_root, program, shared_folder};
use tests::package::{PLUGINS, Root, package, said};

const PLUGIN: &str = "check_arp_dupes";

#[test]
fn an_ordinary_user_asks_the_network_after_installation_and_upgrade() {
    let Some(package) = package() else { return };
    if left_out() || left_out_without_root("installing the package") {
        return;
    }
    let root = Root::new();
    let installed = root.at(PLUGINS).join(PLUGIN);
    let link = root.at("usr/lib/nagios/plugins").join(PLUGIN);
    let network = Network::start([gateway(), monitor()]);
    network.host("mon").meet(network.host("gw").ipv4());
    let verify = |plugin: &Path| {
        let check =
            Plugin::at(plugin).args(["-i", "eth0", "-4", "--no-state", "--verify", "--window", "0.5"]);
        check.inside(network.host("mon"), Rights::File).run()
    };

    let mut files = Vec::new();
    for _ in ["installation", "upgrade"] {
        root.dpkg(&["--install", package.to_str().unwrap()]);
        files.push(fs::metadata(&installed).unwrap().ino());
        assert_eq!(capabilities(&installed), "cap_net_raw=p");
        for plugin in [&installed, &link] {
            let outcome = verify(plugin);
            assert_eq!(outcome.parsed().state, State::Ok, "{}", outcome.report());
            assert!(outcome.text().contains("by table and wire"), "{}", outcome.report());
        }
    }
    files.dedup();
    assert_eq!(files.len(), 2, "an upgrade brings a new file, which has no capability of itself");
    let others = fs::read_dir(root.at(PLUGINS)).unwrap().map(|entry| entry.unwrap().path());
    let granted: Vec<String> =
        others.filter(|path| !path.ends_with(PLUGIN)).map(|path| capabilities(&path)).collect();
    assert!(granted.iter().all(String::is_empty) && !granted.is_empty(), "{granted:?}");

    let copy = shared_folder();
    let without = copy.path().join(PLUGIN);
    fs::copy(&installed, &without).unwrap();
    let outcome = verify(&without);
    assert_eq!(outcome.parsed().state, State::Unknown, "{}", outcome.report());
    assert!(outcome.text().contains("setcap cap_net_raw+p"), "{}", outcome.report());
}

#[test]
fn an_installation_succeeds_without_the_right_to_grant_it() {
    let Some(package) = package() else { return };
    if left_out_without_root("installing the package") {
        return;
    }
    let root = Root::new();
    root.dpkg(&["--unpack", package.to_str().unwrap()]);
    let script = root.at("var/lib/dpkg/info/vedette-plugins.postinst");
    let configure = |mut command: Command| {
        command.arg("/bin/sh").arg(&script).arg("configure").env("DPKG_ROOT", root.at(""));
        command.output().unwrap()
    };
    let warned = |output: &Output, why: &str| {
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
        assert!(words.contains("can read the neighbour table only") && words.contains(why), "{words}");
        assert!(words.contains("setcap cap_net_raw+p /usr/lib/vedette/plugins/check_arp_dupes"), "{words}");
        assert_eq!(capabilities(&root.at(PLUGINS).join(PLUGIN)), "");
    };

    let mut no_program = Command::new("env");
    no_program.arg("PATH=/nowhere");
    warned(&configure(no_program), "setcap is missing");
    let mut no_right = Command::new(program("setpriv", "util-linux"));
    no_right.args(["--bounding-set", "-setfcap", "--inh-caps", "-setfcap"]);
    warned(&configure(no_right), "Operation not permitted");

    let output = configure(Command::new("env"));
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    assert_eq!(capabilities(&root.at(PLUGINS).join(PLUGIN)), "cap_net_raw=p");
}

/// Those of a file, as getcap(8) writes them; nothing when it has none.
fn capabilities(file: &Path) -> String {
    let line = said(Command::new(program("getcap", "libcap2-bin")).arg(file));
    line.trim().rsplit_once(' ').map_or_else(String::new, |(_, words)| words.to_owned())
}
