//! The generated check commands in a real Icinga 2: it accepts the file, passes the
//! arguments we think it passes, and runs the real plugin.
//!
//! The engine runs in the foreground from a private folder, without its API.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "test code"
)]

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;
use std::{env, fs};

use lab::plugin::find_binary;
use lab::process::{Daemon, Group, program, require_root, shared_folder};
use lab::smtpd::{Submission, SubmissionOptions};
use serde_json::Value;
use tempfile::TempDir;

/// The user that Debian's package makes for the engine.
const USER: &str = "nagios";
const DATE: &str = "2000-01-01";

#[test]
fn icinga_accepts_the_check_commands() {
    let Some(icinga) = Icinga::prepare() else { return };
    icinga.configure("");
    let output = icinga.validate();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(!said.contains("warning/") && !said.contains("critical/"), "{said}");
}

#[test]
fn icinga_refuses_what_is_wrong() {
    let Some(icinga) = Icinga::prepare() else { return };
    icinga.configure("object Service \"x\" { host_name = \"server\"; check_command = \"vedette_no_such\" }");
    assert!(!icinga.validate().status.success(), "else the test above would prove nothing");
}

#[test]
fn your_own_folder_of_plugins_stays() {
    let Some(icinga) = Icinga::prepare() else { return };
    icinga.configure(
        "object Host \"probe\" { check_command = \"dummy\"; vars.folder = VedettePluginDir\n\
         if (VedettePluginDir != \"/usr/lib/vedette/plugins\") { throw \"changed\" } }",
    );
    assert!(icinga.validate().status.success());
    icinga.configure_with(
        "const VedettePluginDir = \"/opt/own\"",
        "object Host \"probe\" { check_command = \"dummy\"\n\
         if (VedettePluginDir != \"/opt/own\") { throw \"changed\" } }",
    );
    let output = icinga.validate();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn icinga_passes_arguments_and_results() {
    let Some(icinga) = Icinga::prepare() else { return };
    let server = Submission::start(SubmissionOptions::default());
    icinga.install_recorder(&server);
    let services = SERVICES.replace("@PORT@", &server.port().to_string());
    let folder = format!("const VedettePluginDir = \"{}\"", icinga.path("plugins").display());
    icinga.configure_with(&folder, &services);

    let mut daemon = icinga.start();
    let names = ["file", "secret", "all", "verbose1", "verbose3", "six", "named"];
    daemon.wait_until("all services to be checked", || {
        names.iter().all(|name| icinga.path("seen").join(name).is_file())
    });
    // Longer than any check takes here: a result recorded but not yet collected would be lost.
    std::thread::sleep(Duration::from_secs(1));
    daemon.stop_within(Duration::from_secs(10));
    let log = daemon.log_text();
    assert!(!log.contains("warning/") && !log.contains("critical/"), "{log}");

    assert_eq!(icinga.seen("file"), words(&["--hostname 127.0.0.1", "--password-file /nonexistent"], "file"));
    assert_eq!(icinga.seen("six"), words(&["--hostname ::1", "--password-file /nonexistent"], "six"));
    assert_eq!(
        icinga.seen("named"),
        words(&["--hostname localhost", "--password-env OWN", "--sni server"], "named")
    );
    let ca = format!("--ca-file {}", icinga.path("plugins/ca.pem").display());
    let port = format!("--port {}", server.port());
    let secret = [
        &ca,
        "--hostname localhost",
        "--ipv4",
        "--password-env VEDETTE_SMTP_AUTH_PASSWORD",
        &port,
        "--user probe",
        "env: secret",
    ];
    assert_eq!(icinga.seen("secret"), words(&secret, "secret"));
    assert_eq!(icinga.seen("verbose1"), words(&["--hostname 127.0.0.1", "-v"], "verbose1"));
    assert_eq!(icinga.seen("verbose3"), words(&["--hostname 127.0.0.1", "-vvv"], "verbose3"));
    assert_eq!(
        icinga.seen("all"),
        words(
            &[
                "--cert-warning 30",
                "--exit-ok",
                "--extra-opts=section@/nonexistent.ini",
                "--hostname 127.0.0.1",
                "--map-state ok=ok",
                "--map-state warning=critical",
                "--password-env VEDETTE_SMTP_AUTH_PASSWORD",
                "--timeout 2.500000",
                "--warning @1:2",
                "-vv",
                "env: p'a\"s|s w$rd",
            ],
            "all",
        )
    );
    let results = icinga.results();
    let good = &results["secret"];
    let text = good["output"].as_str().unwrap();
    assert_eq!(good["state"], 0.0, "{text}");
    assert!(text.starts_with("SMTP_AUTH OK: probe logged in to localhost:"), "{text}");
    assert!(good["performance_data"].as_array().is_some_and(|all| all.len() > 5), "{good}");
    assert!(!good["command"].to_string().contains("\"secret\""), "the password is in the result: {good}");
    assert_eq!(results["file"]["state"], 3.0, "{}", results["file"]);
}

/// Each name is the service's; the recorder finds it in `--helo`.
const SERVICES: &str = r#"
template Service "vedette" {
	host_name = "server"
	check_command = "vedette_smtp_auth"
	check_interval = 1s
	retry_interval = 1s
	max_check_attempts = 1
	vars.smtp_auth_helo = name + ".lab.test"
}
template Service "missing" {
	import "vedette"
	vars.smtp_auth_password_file = "/nonexistent"
}
object Service "file" { import "missing" }
object Service "six" { import "missing"; host_name = "six" }
object Service "named" {
	import "vedette"
	vars.smtp_auth_hostname = "localhost"
	vars.smtp_auth_password_env = "OWN"
	vars.smtp_auth_sni = "$host.name$"
}
object Service "verbose1" { import "vedette"; vars.smtp_auth_verbose = 1 }
object Service "verbose3" { import "vedette"; vars.smtp_auth_verbose = "3" }
object Service "secret" {
	import "vedette"
	vars.smtp_auth_hostname = "localhost"
	vars.smtp_auth_ipv4 = true
	vars.smtp_auth_port = @PORT@
	vars.smtp_auth_ca_file = VedettePluginDir + "/ca.pem"
	vars.smtp_auth_password = "secret"
	vars.smtp_auth_user = "probe"
}
object Service "all" {
	import "vedette"
	vars.smtp_auth_cert_warning = 30
	vars.smtp_auth_exit_ok = true
	vars.smtp_auth_insecure = false
	vars.smtp_auth_extra_opts = "section@/nonexistent.ini"
	vars.smtp_auth_map_state = [ "ok=ok", "warning=critical" ]
	vars.smtp_auth_password = "p'a\"s|s w$$rd"
	vars.smtp_auth_timeout = 2.5
	vars.smtp_auth_verbose = 2
	vars.smtp_auth_warning = "@1:2"
}
"#;

/// Stands in the place of the plugin: notes arguments and secret, then runs the plugin.
const RECORDER: &str = r#"#!/bin/sh
folder=$(dirname "$0")
record=$folder/../seen/.$$
previous=
for word; do
	case $previous in --helo) name=${word%.lab.test} ;; esac
	previous=$word
	printf '%s\n' "$word"
done >"$record"
if [ -n "$VEDETTE_SMTP_AUTH_PASSWORD" ]; then
	printf 'env: %s\n' "$VEDETTE_SMTP_AUTH_PASSWORD" >>"$record"
fi
mv "$record" "$folder/../seen/$name"
exec "$folder/real" "$@"
"#;

/// What the recorder noted, as it is compared: sorted, an option and its value in a line.
fn words(lines: &[&str], name: &str) -> String {
    let helo = format!("--helo {name}.lab.test");
    let mut lines: Vec<&str> = lines.iter().copied().chain([helo.as_str()]).collect();
    lines.sort_unstable();
    lines.join("\n")
}

struct Icinga {
    folder: TempDir,
    program: PathBuf,
}

impl Icinga {
    /// `None` when it cannot run here, which `VEDETTE_WITHOUT_ROOT` allows.
    fn prepare() -> Option<Self> {
        if env::var_os("VEDETTE_WITHOUT_ROOT").is_some() {
            eprintln!("!! LEFT OUT: Icinga 2 loads the generated check commands: needs root");
            return None;
        }
        require_root("Icinga 2 as its own user");
        let icinga = Self { folder: shared_folder(), program: program("icinga2", "icinga2-bin") };
        for folder in ["etc", "lib", "log", "cache", "spool", "run", "plugins", "seen"] {
            fs::create_dir(icinga.path(folder)).unwrap();
        }
        packaging_gen::write_all(&icinga.path("generated"), DATE).unwrap();
        fs::copy(icinga.path("generated/icinga2/vedette.conf"), icinga.path("etc/vedette.conf")).unwrap();
        Some(icinga)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn configure(&self, objects: &str) {
        self.configure_with("", objects);
    }

    /// As on a host, with `constants` before and `objects` after the commands.
    fn configure_with(&self, constants: &str, objects: &str) {
        let text = format!(
            r#"const NodeName = "lab"
const ZoneName = NodeName
const PluginDir = "/usr/lib/nagios/plugins"
{constants}
include <itl>
include <plugins>
include "vedette.conf"
object Endpoint NodeName {{}}
object Zone ZoneName {{ endpoints = [ NodeName ] }}
object CheckerComponent "checker" {{}}
object Host "server" {{ check_command = "dummy"; address = "127.0.0.1"; address6 = "::1"; enable_active_checks = false }}
object Host "six" {{ check_command = "dummy"; address6 = "::1"; enable_active_checks = false }}
{objects}
"#
        );
        fs::write(self.path("etc/icinga2.conf"), text).unwrap();
        let status = Command::new("chown").args(["-R", &format!("{USER}:")]).arg(self.folder.path()).status();
        assert!(
            status.unwrap().success(),
            "the user {USER} comes with icinga2-common: tests/run installs it"
        );
    }

    /// The recorder in the plugin's place, the plugin and the CA beside it.
    fn install_recorder(&self, server: &Submission) {
        let place = self.path("plugins");
        fs::copy(find_binary("check_smtp_auth"), place.join("real")).unwrap();
        fs::copy(server.ca_file(), place.join("ca.pem")).unwrap();
        let recorder = place.join("check_smtp_auth");
        fs::write(&recorder, RECORDER).unwrap();
        fs::set_permissions(recorder, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn validate(&self) -> Output {
        self.command(&["daemon", "-C"]).output().unwrap()
    }

    fn start(&self) -> Daemon {
        Daemon::spawn("icinga2", self.command(&["daemon"]), Group::FromLab, &self.path("daemon.log"))
    }

    /// The definitions must follow the subcommand.
    fn command(&self, subcommand: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(subcommand);
        let mut define = |name: &str, value: &Path| {
            command.arg("-D").arg(format!("{name}={}", value.display()));
        };
        define("RunAsUser", Path::new(USER));
        define("RunAsGroup", Path::new(USER));
        for (name, place) in [
            ("ConfigDir", "etc"),
            ("DataDir", "lib"),
            ("LogDir", "log"),
            ("CacheDir", "cache"),
            ("SpoolDir", "spool"),
            ("InitRunDir", "run"),
            ("PidPath", "run/icinga2.pid"),
            ("VarsPath", "cache/icinga2.vars"),
            ("StatePath", "lib/icinga2.state"),
            ("ModAttrPath", "lib/modified-attributes.conf"),
            ("ObjectsPath", "cache/icinga2.debug"),
        ] {
            define(name, &self.path(place));
        }
        command
    }

    fn seen(&self, service: &str) -> String {
        let text = fs::read_to_string(self.path("seen").join(service)).unwrap();
        let mut lines: Vec<String> = Vec::new();
        for word in text.lines() {
            match lines.last_mut() {
                Some(last) if !word.starts_with('-') && !word.starts_with("env: ") => {
                    last.push(' ');
                    last.push_str(word);
                }
                _ => lines.push(word.to_owned()),
            }
        }
        lines.sort_unstable();
        lines.join("\n")
    }

    /// The last result of each service, from the state file the engine leaves: `LENGTH:JSON,`.
    fn results(&self) -> BTreeMap<String, Value> {
        let bytes = fs::read(self.path("lib/icinga2.state")).unwrap();
        let mut rest = bytes.as_slice();
        let mut results = BTreeMap::new();
        while let Some(colon) = rest.iter().position(|byte| *byte == b':') {
            let length: usize = std::str::from_utf8(&rest[..colon]).unwrap().parse().unwrap();
            let object: Value = serde_json::from_slice(&rest[colon + 1..colon + 1 + length]).unwrap();
            rest = &rest[colon + length + 2..];
            if let Some((_, service)) = object["name"].as_str().and_then(|name| name.split_once('!')) {
                results.insert(service.to_owned(), object["update"]["last_check_result"].clone());
            }
        }
        results
    }
}
