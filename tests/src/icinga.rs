//! Icinga 2 in the foreground from a private folder, as the user of Debian's package.
//!
//! Its API is off unless a test turns it on; results are read from there, or from the state
//! file that the engine leaves behind, which holds the same.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;
use std::{env, fs};

use lab::process::{Daemon, Group, free_port, program, require_root, shared_folder};
use serde_json::Value;
use tempfile::TempDir;

use crate::package::{PLUGINS, unpack};

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

    /// Writes the configuration as on a host: constants beside the usual ones, the line that
    /// brings the commands, objects. The hosts `server` and `six` are there.
    pub fn configure(&self, constants: &str, commands: &str, objects: &str) {
        let text = format!(
            r#"const NodeName = "lab"
const ZoneName = NodeName
const PluginDir = "/usr/lib/nagios/plugins"
const ManubulonPluginDir = PluginDir
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
            ("ZonesDir", "etc/zones.d"),
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

/// An engine on a host that has the package, with its REST interface.
#[derive(Debug)]
pub struct Installed {
    /// The engine.
    pub icinga: Icinga,
    /// Folder of the plugins.
    pub plugins: PathBuf,
    interface: Interface,
}

/// What an engine may take to start and to run its first checks on a busy machine.
pub const FIRST_CHECKS: Duration = Duration::from_mins(3);

impl Installed {
    /// Unpacks the package and makes the certificates the interface wants; `None` where the
    /// engine cannot run.
    #[must_use]
    pub fn prepare(package: &Path, what: &str) -> Option<Self> {
        let icinga = Icinga::prepare(what)?;
        unpack(package, &icinga.path("root"));
        overlay_includes(&icinga);
        make_certificates(&icinga);
        Some(Self {
            plugins: icinga.path("root").join(PLUGINS),
            interface: Interface::at(free_port()),
            icinga,
        })
    }

    /// Configures with these services, and validates. Both the suite's and Icinga's own
    /// commands of contributed plugins lead to the plugins of the package.
    pub fn configure(&self, objects: &str) {
        let plugins = self.plugins.display();
        let constants =
            format!("const VedettePluginDir = \"{plugins}\"\nconst PluginContribDir = \"{plugins}\"");
        let interface = format!(
            "object ApiListener \"api\" {{ bind_host = \"127.0.0.1\"; bind_port = {} }}\n{}",
            self.interface.port,
            self.interface.user()
        );
        self.icinga.configure(&constants, "include <plugins-contrib>", &format!("{objects}\n{interface}"));
        let output = self.icinga.validate();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }

    /// A figure of its statistics; NaN while it does not answer.
    #[must_use]
    pub fn statistic(&self, name: &str) -> f64 {
        self.interface.statistic(name)
    }

    /// Waits until each of so many services has a result; those by the name of the service.
    pub fn results(&self, daemon: &mut Daemon, count: usize) -> BTreeMap<String, Value> {
        let complete =
            |all: &BTreeMap<String, Value>| all.len() == count && all.values().all(Value::is_object);
        self.results_when(daemon, "the results in the API", complete)
    }

    /// Waits until the last results are as wanted.
    pub fn results_when(
        &self,
        daemon: &mut Daemon,
        what: &str,
        wanted: impl Fn(&BTreeMap<String, Value>) -> bool,
    ) -> BTreeMap<String, Value> {
        let mut results = BTreeMap::new();
        daemon.wait_longer(FIRST_CHECKS, what, || {
            results = self.services();
            let is_wanted = wanted(&results);
            if !is_wanted {
                sleep(Duration::from_millis(250));
            }
            is_wanted
        });
        results
    }

    /// The last results; nothing while it does not answer.
    fn services(&self) -> BTreeMap<String, Value> {
        let services = self.interface.objects("services", &["last_check_result"]);
        let short = |name: String| name.split_once('!').map_or(String::new(), |(_, name)| name.to_owned());
        services.into_iter().map(|(name, mut seen)| (short(name), seen["last_check_result"].take())).collect()
    }
}

/// The REST interface of an engine on loopback.
#[derive(Debug)]
pub struct Interface {
    port: u16,
}

impl Interface {
    /// On this port.
    #[must_use]
    pub fn at(port: u16) -> Self {
        Self { port }
    }

    /// The definition of who may ask.
    #[must_use]
    pub fn user(&self) -> &'static str {
        "object ApiUser \"lab\" { password = \"lab\"; permissions = [ \"objects/query/*\", \"status/query\" ] }\n"
    }

    /// Attributes of all objects of a kind by their names; nothing while it does not answer.
    #[must_use]
    pub fn objects(&self, kind: &str, attributes: &[&str]) -> BTreeMap<String, Value> {
        let wanted: Vec<String> = attributes.iter().map(|one| format!("attrs={one}")).collect();
        let mut answer = self.get(&format!("objects/{kind}?{}", wanted.join("&")));
        let Value::Array(objects) = answer["results"].take() else { return BTreeMap::new() };
        let named = |mut one: Value| (one["name"].as_str().unwrap().to_owned(), one["attrs"].take());
        objects.into_iter().map(named).collect()
    }

    /// A figure of the engine's statistics; NaN while it does not answer.
    #[must_use]
    pub fn statistic(&self, name: &str) -> f64 {
        self.get("status/CIB")["results"][0]["status"][name].as_f64().unwrap_or(f64::NAN)
    }

    /// What it says to GET; null while it does not answer.
    fn get(&self, path: &str) -> Value {
        let mut client = Command::new("openssl")
            .args(["s_client", "-quiet", "-no_ign_eof", "-connect", &format!("127.0.0.1:{}", self.port)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // lab:lab
        let request = format!(
            "GET /v1/{path} HTTP/1.1\r\nHost: lab\r\n\
             Accept: application/json\r\nAuthorization: Basic bGFiOmxhYg==\r\nConnection: close\r\n\r\n"
        );
        let mut input = client.stdin.take().unwrap();
        // It may have ended already, because nobody listens yet.
        let _ = input.write_all(request.as_bytes());
        let output = client.wait_with_output().unwrap();
        drop(input);
        let text = String::from_utf8_lossy(&output.stdout);
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        serde_json::from_str(body).unwrap_or_default()
    }
}

/// The engine's includes as they are with the package installed.
pub(crate) fn overlay_includes(icinga: &Icinga) {
    let include = icinga.path("include");
    let contrib = include.join("plugins-contrib.d");
    fs::create_dir_all(&contrib).unwrap();
    let link = |from: &Path, to: &Path| {
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let _ = symlink(entry.path(), to.join(entry.file_name()));
        }
    };
    link(Path::new("/usr/share/icinga2/include/plugins-contrib.d"), &contrib);
    link(&icinga.path("root/usr/share/icinga2/include/plugins-contrib.d"), &contrib);
    link(Path::new("/usr/share/icinga2/include"), &include);
    // A link would lead out of the overlay: the files beside it are read relative to it.
    let entry = include.join("plugins-contrib");
    fs::remove_file(&entry).unwrap();
    fs::copy("/usr/share/icinga2/include/plugins-contrib", entry).unwrap();
}

fn make_certificates(icinga: &Icinga) {
    let certificates = icinga.path("lib/certs");
    fs::create_dir_all(&certificates).unwrap();
    icinga.hand_over();
    let file = |name: &str| certificates.join(name).to_str().unwrap().to_owned();
    let (key, request, certificate) = (file("lab.key"), file("lab.csr"), file("lab.crt"));
    for step in [
        &["pki", "new-ca"][..],
        &["pki", "new-cert", "--cn", "lab", "--key", &key, "--csr", &request],
        &["pki", "sign-csr", "--csr", &request, "--cert", &certificate],
    ] {
        let output = icinga.command(step).output().unwrap();
        assert!(output.status.success(), "{step:?}: {output:?}");
    }
    fs::copy(icinga.path("lib/ca/ca.crt"), certificates.join("ca.crt")).unwrap();
}
