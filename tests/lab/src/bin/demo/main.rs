//! `cargo demo`: the suite against an embedded lab on loopback. No root, nothing to install,
//! nothing left behind.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a program for people"
)]

mod arp_dupes;
mod mail_policy;
mod mx;
mod mysql_slave;
mod mysql_tables;
mod rbl;
mod rdns;
mod smtp_auth;
mod smtp_rcpt;
mod smtp_relay;
mod weak_ciphers;

use std::path::Path;
use std::process::{Command, ExitCode};

use lab::output::State;
use lab::plugin::Plugin;

/// One command line with the state it has to end in.
pub(crate) struct Scene {
    title: &'static str,
    plugin: Plugin,
    /// None where that is this machine's affair.
    expected: Option<State>,
}

impl Scene {
    pub(crate) const fn new(title: &'static str, plugin: Plugin, expected: State) -> Self {
        Self { title, plugin, expected: Some(expected) }
    }

    /// One that shows how this machine is, whatever that is.
    pub(crate) const fn of_this_machine(title: &'static str, plugin: Plugin) -> Self {
        Self { title, plugin, expected: None }
    }

    /// Runs the plugin and shows what an operator would see; false when the state is not
    /// the expected one.
    fn show(&self) -> bool {
        println!("# {}\n$ {}", self.title, self.plugin.command_line());
        let outcome = self.plugin.run();
        let text = outcome.text();
        print!("{text}");
        println!(
            "(exit code {}, {:.1} ms)\n",
            outcome.code.unwrap_or(-1),
            outcome.elapsed.as_secs_f64() * 1000.0
        );
        // Whatever the state, it has to be a line of ours.
        let state = outcome.parsed().state;
        match self.expected {
            Some(expected) if expected != state => {
                println!("!! expected {expected:?}\n");
                false
            }
            _ => true,
        }
    }
}

fn main() -> ExitCode {
    build_plugins();
    println!("Vedette demo: real plugins, embedded servers on 127.0.0.1, nothing leaves this machine.\n");
    let results = [
        smtp_auth::play(),
        smtp_relay::play(),
        smtp_rcpt::play(),
        rbl::play(),
        mx::play(),
        rdns::play(),
        mail_policy::play(),
        weak_ciphers::play(),
        mysql_slave::play(),
        mysql_tables::play(),
        arp_dupes::play(),
    ];
    let (played, wrong) = results.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    println!("{played} command lines shown, {wrong} of them not as expected.");
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Shows a plugin's scenes; how many, and how many went wrong.
pub(crate) fn show_all(heading: &str, scenes: &[Scene]) -> (usize, usize) {
    println!("== {heading} ==\n");
    let wrong = scenes.iter().filter(|scene| !scene.show()).count();
    (scenes.len(), wrong)
}

/// Builds the plugins beside this program, so that the demo never shows an old one.
fn build_plugins() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(&root).args(["build", "--quiet"]);
    for folder in std::fs::read_dir(root.join("plugins")).expect("the workspace has plugins") {
        command.arg("--package").arg(folder.expect("readable folder").file_name());
    }
    let built = command.status().expect("cargo runs");
    assert!(built.success(), "the plugins do not build");
}
