//! Icinga 2 runs checks from the package without a word of setup: with the commands of the
//! package, and with its own for a plugin that ours replaces.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use lab::dns::{Dnsbl, Names, Record, Responder, ResponderOptions, Zones};
use lab::namespace::with_resolvers;
use lab::smtpd::{Submission, SubmissionOptions};
use serde_json::Value;
use tests::icinga::{FIRST_CHECKS, Installed};
use tests::package::package;

const SECRET: &str = "Zx9-unlikely-word";

#[test]
fn icinga_runs_a_check_from_it_and_shows_no_password() {
    let Some(package) = package() else { return };
    let Some(host) = Installed::prepare(&package, "Icinga 2 runs a check from the package") else { return };
    let users = BTreeMap::from([("probe".to_owned(), SECRET.to_owned())]);
    let server = Submission::start(SubmissionOptions { users, ..SubmissionOptions::default() });
    fs::copy(server.ca_file(), host.icinga.path("ca.pem")).unwrap();
    // Accepts connections and stays silent, so that there is time to look at the process.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let objects = LOGINS
        .replace("@CA@", host.icinga.path("ca.pem").to_str().unwrap())
        .replace("@PORT@", &server.port().to_string())
        .replace("@SILENT@", &silent.local_addr().unwrap().port().to_string())
        .replace("@SECRET@", SECRET);
    host.configure(&objects);

    let mut daemon = host.icinga.start();
    let mut hanging = None;
    daemon.wait_longer(FIRST_CHECKS, "a check of the silent server", || {
        hanging = running(&host.plugins.join("check_smtp_auth"), "slow.lab.test");
        hanging.is_some()
    });
    let process = hanging.unwrap();
    assert!(!process.arguments.contains(SECRET), "{}", process.arguments);
    assert!(process.environment.contains(&format!("VEDETTE_SMTP_AUTH_PASSWORD={SECRET}")));

    let results = host.results(&mut daemon, 2);
    daemon.stop_within(Duration::from_secs(10));
    let log = daemon.log_text();
    assert!(!log.contains("warning/") && !log.contains(SECRET), "{log}");
    assert!(!format!("{results:?}").contains(SECRET), "{results:?}");
    let good = &results["good"];
    assert_eq!(good["state"], 0.0, "{good}");
    assert!(output(good).starts_with("SMTP_AUTH OK: probe logged in"), "{good}");
    assert!(good["command"].to_string().contains("--password-env"), "{good}");
    let slow = &results["slow"];
    assert!(output(slow).contains("while waiting for the banner"), "{slow}");
    assert!(!format!("{:?}", host.icinga.results()).contains(SECRET), "the state file");
}

const LOGINS: &str = r#"
template Service "vedette" {
	host_name = "server"
	check_command = "vedette_smtp_auth"
	check_interval = 1s
	retry_interval = 1s
	max_check_attempts = 1
	vars.smtp_auth_hostname = "localhost"
	vars.smtp_auth_ipv4 = true
	vars.smtp_auth_ca_file = "@CA@"
	vars.smtp_auth_user = "probe"
	vars.smtp_auth_password = "@SECRET@"
	vars.smtp_auth_helo = name + ".lab.test"
}
object Service "good" { import "vedette"; vars.smtp_auth_port = @PORT@ }
object Service "slow" { import "vedette"; vars.smtp_auth_port = @SILENT@; vars.smtp_auth_timeout = 2 }
"#;

/// Public addresses; the lists are in the lab, and nothing else is within reach.
const LISTED: &str = "198.20.0.25";
const CLEAN: &str = "198.20.0.10";

#[test]
fn icinga_asks_block_lists_with_both_commands() {
    let Some(package) = package() else { return };
    let Some(host) = Installed::prepare(&package, "Icinga 2 asks block lists") else { return };
    with_resolvers(&[Ipv4Addr::LOCALHOST.into()], || asks_block_lists(&host));
}

/// Icinga's own command has no option for a resolver: the plugin asks the system's.
fn asks_block_lists(host: &Installed) {
    let zones = Zones::new()
        .zone("zen.lab.test", Dnsbl::healthy().text(LISTED, "127.0.0.4", "bad | host"))
        .zone("bl.lab.test", Dnsbl::healthy())
        .zone("dead.lab.test", Dnsbl::dead())
        .zone("silent.lab.test", Dnsbl::silent())
        .zone("mail.test", Names::new([Record::address(LISTED).owned_by("mail.test")]));
    let port_53 =
        ResponderOptions { address: "127.0.0.1:53".parse().unwrap(), ..ResponderOptions::default() };
    let dns = Responder::start_with(port_53, zones);
    host.configure(&BLOCK_LISTS.replace("@LISTED@", LISTED).replace("@CLEAN@", CLEAN));
    let mut daemon = host.icinga.start();
    let results = host.results(&mut daemon, 12);
    daemon.stop_within(Duration::from_secs(10));
    let log = daemon.log_text();
    assert!(!log.contains("warning/"), "{log}");
    assert!(dns.unreadable().is_empty());

    for (name, state, words, perfdata) in [
        ("clean", 0.0, &["RBL OK: ", CLEAN][..], &["score=0;0;@1:;0", "listed=0;;;0", "healthy=2;;;0"][..]),
        ("listed", 2.0, &["RBL CRITICAL: ", LISTED, "zen.lab.test"], &["score=1;0;@1:;0", "lists=2;;;0"]),
        ("dead", 3.0, &["RBL UNKNOWN: ", "dead.lab.test"], &["healthy=0;;;0", "failed=1;;;0"]),
        ("several", 2.0, &["RBL CRITICAL: ", LISTED], &["listed=1;;;0", "bl.lab.test.time="]),
        ("late", 3.0, &["RBL UNKNOWN: "], &["failed=1;;;0"]),
        ("private", 3.0, &["RBL UNKNOWN: ", "127.0.0.1"], &[]),
        ("own_clean", 0.0, &["RBL OK: ", CLEAN], &["score=0;@1:;@1:;0", "lists=2;;;0", "healthy=2;;;0"]),
        ("own_listed", 2.0, &["RBL CRITICAL: ", LISTED, "zen.lab.test"], &["score=1;@1:;@1:;0"]),
        ("own_host", 2.0, &["RBL CRITICAL: ", "mail.test", LISTED], &["listed=1;;;0"]),
        ("own_two", 1.0, &["RBL WARNING: ", LISTED], &["score=1;@1:;@2:;0"]),
        ("own_dead", 3.0, &["RBL UNKNOWN: ", "dead.lab.test"], &["healthy=0;;;0"]),
        ("own_late", 3.0, &["RBL UNKNOWN: "], &["failed=1;;;0"]),
    ] {
        let result = &results[name];
        assert_eq!(result["state"], state, "{name}: {result}");
        for word in words {
            assert!(output(result).contains(word), "{name}: no {word:?} in {result}");
        }
        let found = result["performance_data"].as_array().unwrap();
        for item in perfdata {
            let has = |one: &Value| one.as_str().is_some_and(|one| one.starts_with(item));
            assert!(found.iter().any(has), "{name}: no {item} in {result}");
        }
    }
    // The reason of the list, cleaned of what would be perfdata.
    assert!(output(&results["listed"]).contains("\"bad / host\""), "{}", results["listed"]);
    // Exactly what the tool before this one is called with.
    let plugin = host.plugins.join("check_rbl");
    let arguments =
        ["-H", LISTED, "-c", "1", "-s", "zen.lab.test", "-s", "bl.lab.test", "-t", "15", "-w", "1"];
    assert_eq!(
        words(&results["own_listed"]["command"]),
        [&[plugin.to_str().unwrap()], &arguments[..]].concat()
    );
}

const BLOCK_LISTS: &str = r#"
template Service "any" {
	host_name = "server"
	check_interval = 3s
	retry_interval = 3s
	max_check_attempts = 1
}
template Service "vedette" {
	import "any"
	check_command = "vedette_rbl"
	vars.rbl_list = [ "zen.lab.test", "bl.lab.test" ]
	vars.rbl_hostname = "@LISTED@"
}
template Service "own" {
	import "any"
	check_command = "rbl"
	vars.rbl_server = [ "zen.lab.test", "bl.lab.test" ]
	vars.rbl_hostname = "@LISTED@"
}
object Service "clean" { import "vedette"; vars.rbl_hostname = "@CLEAN@" }
object Service "listed" { import "vedette"; vars.rbl_resolver = "127.0.0.1" }
object Service "dead" { import "vedette"; vars.rbl_list = "dead.lab.test"; vars.rbl_hostname = "@CLEAN@" }
object Service "several" {
	import "vedette"
	vars.rbl_hostname = [ "@CLEAN@", "@LISTED@" ]
	vars.rbl_perf_lists = true
}
object Service "late" { import "vedette"; vars.rbl_list = "silent.lab.test"; vars.rbl_timeout = 1 }
object Service "private" { import "any"; check_command = "vedette_rbl" }
object Service "own_clean" { import "own"; vars.rbl_hostname = "@CLEAN@" }
object Service "own_listed" { import "own" }
object Service "own_host" { import "own"; vars.rbl_hostname = "mail.test" }
object Service "own_two" { import "own"; vars.rbl_critical = 2 }
object Service "own_dead" { import "own"; vars.rbl_server = "dead.lab.test"; vars.rbl_hostname = "@CLEAN@" }
object Service "own_late" { import "own"; vars.rbl_server = "silent.lab.test"; vars.rbl_timeout = 1 }
"#;

fn output(result: &Value) -> &str {
    result["output"].as_str().unwrap()
}

/// The strings of a list.
fn words(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect()
}

struct Process {
    arguments: String,
    environment: String,
}

/// A process of this program with this word in its arguments.
fn running(program: &Path, word: &str) -> Option<Process> {
    let program = program.canonicalize().unwrap();
    let text = |path: PathBuf| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', " "));
    fs::read_dir("/proc").unwrap().filter_map(Result::ok).map(|entry| entry.path()).find_map(|process| {
        if fs::read_link(process.join("exe")).ok()? != program {
            return None;
        }
        let arguments = text(process.join("cmdline")).ok()?;
        let environment = text(process.join("environ")).ok()?;
        arguments.contains(word).then_some(Process { arguments, environment })
    })
}
