//! Nagios in the foreground from a private folder, as the user of Debian's package and with its
//! sample configuration, and NRPE likewise.
//!
//! Results are read from Nagios' status file, which is what its web pages show.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

use lab::plugin::find_binary;
use lab::process::{Daemon, Group, free_port, program, require_root, shared_folder};
use tempfile::TempDir;

use crate::icinga::FIRST_CHECKS;

/// The user that Debian's packages make for both.
const USER: &str = "nagios";
/// Debian's configuration, ours but for the places.
const SAMPLE: &str = "/etc/nagios4/nagios.cfg";
/// Where the generated files say that the plugins are.
const PLUGINS: &str = "/usr/lib/vedette/plugins";

/// A folder that daemons of the user `nagios` own, with plugins in it.
#[derive(Debug)]
pub struct Place(TempDir);

impl Place {
    /// `None` when no daemon can change its user here, which `VEDETTE_WITHOUT_ROOT` allows.
    #[must_use]
    pub fn prepare(what: &str) -> Option<Self> {
        if env::var_os("VEDETTE_WITHOUT_ROOT").is_some() {
            eprintln!("!! LEFT OUT: {what}: needs root");
            return None;
        }
        require_root("a daemon as its own user");
        let place = Self(shared_folder());
        fs::create_dir(place.path("plugins")).unwrap();
        Some(place)
    }

    /// A place in it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Puts the built plugins where the daemon's user may run them.
    pub fn install(&self, plugins: &[&str]) {
        for plugin in plugins {
            let (from, to) = (find_binary(plugin), self.path("plugins").join(plugin));
            if fs::hard_link(&from, &to).is_err() {
                fs::copy(&from, &to).unwrap();
            }
        }
    }

    /// A generated file, with the plugins expected in this folder.
    #[must_use]
    pub fn adapt(&self, generated: &str) -> String {
        assert!(generated.contains(PLUGINS), "{generated}");
        generated.replace(PLUGINS, self.path("plugins").to_str().unwrap())
    }

    /// Gives everything to the daemon's user, but not the plugins, which may be links to the built ones.
    pub fn hand_over(&self) {
        let mut command = Command::new("find");
        command.arg(self.0.path()).args(["-path", self.path("plugins").to_str().unwrap(), "-prune", "-o"]);
        let status = command.args(["-exec", "chown", &format!("{USER}:"), "{}", "+"]).status();
        assert!(
            status.unwrap().success(),
            "the user {USER} comes with nagios4-common: tests/run installs it"
        );
    }

    /// A program as the daemon's user.
    fn command(program: &Path) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", USER, "--regid", USER, "--clear-groups"]).arg(program);
        command
    }
}

/// An engine that may be configured, validated and started.
#[derive(Debug)]
pub struct Nagios {
    /// Where it lives.
    pub place: Place,
    program: PathBuf,
}

impl Nagios {
    /// `None` when it cannot run here, which `VEDETTE_WITHOUT_ROOT` allows.
    #[must_use]
    pub fn prepare(what: &str) -> Option<Self> {
        let place = Place::prepare(what)?;
        for folder in ["results", "archives"] {
            fs::create_dir(place.path(folder)).unwrap();
        }
        Some(Self { place, program: program("nagios4", "nagios4-core") })
    }

    /// Debian's sample configuration with these objects beside its templates, and seconds where it counts minutes.
    pub fn configure(&self, objects: &str) {
        fs::write(self.place.path("objects.cfg"), objects).unwrap();
        let at = |name: &str| self.place.path(name).display().to_string();
        let own = [
            ("cfg_file", at("objects.cfg")),
            ("log_file", at("nagios.log")),
            ("log_archive_path", at("archives")),
            ("object_cache_file", at("objects.cache")),
            ("precached_object_file", at("objects.precache")),
            ("status_file", at("status.dat")),
            ("state_retention_file", at("retention.dat")),
            ("check_result_path", at("results")),
            ("command_file", at("nagios.cmd")),
            ("query_socket", at("nagios.qh")),
            ("lock_file", at("nagios.pid")),
            ("temp_file", at("nagios.tmp")),
            ("debug_file", at("nagios.debug")),
            ("status_update_interval", "1".to_owned()),
            ("check_result_reaper_frequency", "1".to_owned()),
            ("interval_length", "1".to_owned()),
            ("service_inter_check_delay_method", "n".to_owned()),
            ("use_syslog", "0".to_owned()),
            ("check_for_updates", "0".to_owned()),
            ("check_external_commands", "0".to_owned()),
            ("enable_notifications", "0".to_owned()),
        ];
        let sample = fs::read_to_string(SAMPLE).unwrap();
        let kept = sample.lines().filter(|line| {
            let key = line.split_once('=').map_or("", |(key, _)| key);
            let replaced = key != "cfg_file" && own.iter().any(|(name, _)| *name == key);
            !replaced && key != "cfg_dir" && !line.ends_with("/localhost.cfg")
        });
        let mut text: String = kept.map(|line| format!("{line}\n")).collect();
        text.extend(own.map(|(name, value)| format!("{name}={value}\n")));
        fs::write(self.place.path("nagios.cfg"), text).unwrap();
        self.place.hand_over();
    }

    /// `nagios4 -v`.
    #[must_use]
    pub fn validate(&self) -> Output {
        let mut command = Place::command(&self.program);
        command.arg("-v").arg(self.place.path("nagios.cfg")).output().unwrap()
    }

    /// Starts it.
    #[must_use]
    pub fn start(&self) -> Daemon {
        let mut command = Place::command(&self.program);
        command.arg(self.place.path("nagios.cfg"));
        Daemon::spawn("nagios4", command, Group::FromLab, &self.place.path("daemon.log"))
    }

    /// Waits until each of so many services was checked; what the status file says, by description.
    pub fn results(&self, daemon: &mut Daemon, count: usize) -> BTreeMap<String, Status> {
        let mut all = BTreeMap::new();
        daemon.wait_longer(FIRST_CHECKS, "the results in the status file", || {
            all = self.services();
            let complete =
                all.len() == count && all.values().all(|one: &Status| one.get("has_been_checked") == "1");
            if !complete {
                std::thread::sleep(std::time::Duration::from_millis(250));
            }
            complete
        });
        all
    }

    /// The whole status file; nothing before it is there.
    #[must_use]
    pub fn status_file(&self) -> String {
        fs::read_to_string(self.place.path("status.dat")).unwrap_or_default()
    }

    fn services(&self) -> BTreeMap<String, Status> {
        let text = self.status_file();
        let blocks = text.split("\nservicestatus {\n").skip(1);
        blocks
            .map(|block| {
                let lines = block.lines().take_while(|line| line.trim() != "}");
                let pairs = lines.filter_map(|line| line.trim_start().split_once('='));
                let status = Status(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect());
                (status.get("service_description").to_owned(), status)
            })
            .collect()
    }
}

/// What Nagios knows of a service.
#[derive(Clone, Debug)]
pub struct Status(BTreeMap<String, String>);

impl Status {
    /// A field of the status file: `current_state`, `plugin_output`, `long_plugin_output`, `performance_data`.
    #[must_use]
    pub fn get(&self, field: &str) -> &str {
        self.0.get(field).map_or("", String::as_str)
    }
}

/// NRPE with these commands, on loopback.
#[derive(Debug)]
pub struct Nrpe {
    /// The daemon.
    pub daemon: Daemon,
    port: u16,
}

impl Nrpe {
    /// Starts it as Debian configures it, but for the places.
    #[must_use]
    pub fn start(place: &Place, commands: &str) -> Self {
        let port = free_port();
        fs::write(place.path("commands.cfg"), commands).unwrap();
        let text = format!(
            "pid_file={}\nserver_address=127.0.0.1\nserver_port={port}\nnrpe_user={USER}\nnrpe_group={USER}\n\
             allowed_hosts=127.0.0.1\ndont_blame_nrpe=0\ncommand_timeout=60\ndisable_syslog=1\ninclude={}\n",
            place.path("nrpe.pid").display(),
            place.path("commands.cfg").display(),
        );
        let configuration = place.path("nrpe.cfg");
        fs::write(&configuration, text).unwrap();
        place.hand_over();
        let mut command = Place::command(&program("nrpe", "nagios-nrpe-server"));
        command.arg("-c").arg(configuration).arg("-f");
        let mut daemon = Daemon::spawn("nrpe", command, Group::FromLab, &place.path("nrpe.log"));
        daemon.wait_port((Ipv4Addr::LOCALHOST, port).into());
        Self { daemon, port }
    }

    /// Asks it for a command, as an engine does.
    #[must_use]
    pub fn ask(&self, command: &str) -> Output {
        let plugin = Path::new("/usr/lib/nagios/plugins/check_nrpe");
        assert!(plugin.is_file(), "nagios-nrpe-plugin is not installed: tests/run installs it");
        let port = self.port.to_string();
        let arguments = ["-H", "127.0.0.1", "-p", &port, "-t", "30", "-c", command];
        Command::new(plugin).args(arguments).output().unwrap()
    }
}
