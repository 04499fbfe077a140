//! Icinga 2 in the foreground from a private folder, as the user of Debian's package.
//!
//! Its API is off unless a test turns it on; results are read from the state file that the
//! engine leaves behind, which holds what the API shows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

use lab::process::{Daemon, Group, program, require_root, shared_folder};
use serde_json::Value;
use tempfile::TempDir;

/// The user that Debian's package makes for the engine.
const USER: &str = "nagios";

/// An engine that may be configured, validated and started.
#[derive(Debug)]
pub struct Icinga {
    folder: TempDir,
    program: PathBuf,
}

impl Icinga {
    /// A folder for the engine; `None` when it cannot run here, which `VEDETTE_WITHOUT_ROOT`
    /// allows.
    #[must_use]
    pub fn prepare(what: &str) -> Option<Self> {
        if env::var_os("VEDETTE_WITHOUT_ROOT").is_some() {
            eprintln!("!! LEFT OUT: {what}: needs root");
            return None;
        }
        require_root("Icinga 2 as its own user");
        let icinga = Self { folder: shared_folder(), program: program("icinga2", "icinga2-bin") };
        for folder in ["etc", "lib", "log", "cache", "spool", "run"] {
            fs::create_dir(icinga.path(folder)).unwrap();
        }
        Some(icinga)
    }

    /// A place in its folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes the configuration as on a host: constants, the line that brings the commands,
    /// objects. The hosts `server` and `six` are there.
    pub fn configure(&self, constants: &str, commands: &str, objects: &str) {
        let text = format!(
            r#"const NodeName = "lab"
const ZoneName = NodeName
const PluginDir = "/usr/lib/nagios/plugins"
const ManubulonPluginDir = PluginDir
const PluginContribDir = PluginDir
{constants}
include <itl>
include <plugins>
{commands}
object Endpoint NodeName {{}}
object Zone ZoneName {{ endpoints = [ NodeName ] }}
object CheckerComponent "checker" {{}}
object Host "server" {{ check_command = "dummy"; address = "127.0.0.1"; address6 = "::1"; enable_active_checks = false }}
object Host "six" {{ check_command = "dummy"; address6 = "::1"; enable_active_checks = false }}
{objects}
"#
        );
        fs::write(self.path("etc/icinga2.conf"), text).unwrap();
        self.hand_over();
    }

    /// Gives everything in its folder to the engine's user.
    pub fn hand_over(&self) {
        let status = Command::new("chown").args(["-R", &format!("{USER}:")]).arg(self.folder.path()).status();
        assert!(
            status.unwrap().success(),
            "the user {USER} comes with icinga2-common: tests/run installs it"
        );
    }

    /// `icinga2 daemon -C`; includes in angle brackets are searched in `include` first.
    #[must_use]
    pub fn validate(&self) -> Output {
        self.command(&["daemon", "-C"]).output().unwrap()
    }

    /// Starts it.
    #[must_use]
    pub fn start(&self) -> Daemon {
        Daemon::spawn("icinga2", self.command(&["daemon"]), Group::FromLab, &self.path("daemon.log"))
    }

    /// The definitions must follow the subcommand.
    #[must_use]
    pub fn command(&self, subcommand: &[&str]) -> Command {
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
        if self.path("include").is_dir() {
            define("IncludeConfDir", &self.path("include"));
        }
        command
    }

    /// The last result of each service, from the state file the engine leaves: `LENGTH:JSON,`.
    #[must_use]
    pub fn results(&self) -> BTreeMap<String, Value> {
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
