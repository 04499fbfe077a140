//! A master with two satellites of Icinga 2, as the guide sets them up: its very files, in networks of their own with
//! the addresses that stand there.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use lab::certs::LeafOptions;
use lab::namespace::{Bridge, Neighbour};
use lab::process::{Daemon, shared_folder};
use lab::smtpd::{Submission, SubmissionOptions};
use serde_json::Value;
use tempfile::TempDir;

use crate::icinga::{Icinga, Interface, overlay_includes};
use crate::package::{PLUGINS, said, unpack, workspace};

/// The password of the account that the mail servers have.
pub const SECRET: &str = "Zx9-unlikely-word";
/// The satellites, by the names that their zones have.
pub const SATELLITES: [&str; 2] = ["sat1", "sat2"];
/// What nobody but these can reach.
const MAIL: [(&str, &str); 2] = [("mail1.example.org", "192.0.2.25"), ("mail2.example.org", "192.0.2.26")];
const ADDRESSES: [&str; 2] = ["10.91.0.2/24", "10.91.0.3/24"];
const EXAMPLE: &str = "docs/guide/icinga2-distributed";

/// What a test changes in the example.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// Seconds between two checks of one thing, instead of the minute of the example and the 15 seconds of its
    /// satellites.
    pub intervals: [u32; 2],
    /// Further files of the master's `zones.d`.
    pub more: &'a [(&'a str, String)],
}

/// How a satellite comes to check something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The master asks sat1 to run a plugin (`command_endpoint`).
    Command,
    /// The objects are in the zone of sat2.
    Zone,
}

impl Way {
    /// Each of them.
    pub const BOTH: [Self; 2] = [Self::Command, Self::Zone];

    /// Where further hosts may be defined, below `zones.d`.
    #[must_use]
    pub fn file(self) -> &'static str {
        match self {
            Self::Command => "master/more.conf",
            Self::Zone => "sat2/more.conf",
        }
    }

    /// More mail servers, which are all the one of the example; each has two services.
    #[must_use]
    pub fn hosts(self, count: usize) -> String {
        let (short, way, satellite) = match self {
            Self::Command => ("c", "vars.checked_by = \"sat1.example.org\"; ", "sat1.example.org"),
            Self::Zone => ("z", "", "sat2.example.org"),
        };
        let (name, address) = MAIL[usize::from(self == Self::Zone)];
        let object = |number| {
            format!(
                "object Host \"{short}{number}\" {{ import \"mail\"; address = \"{address}\"; {way}\
                 vars.behind = \"{satellite}\"; vars.smtp_auth_sni = \"{name}\"; \
                 vars.weak_ciphers_sni = \"{name}\" }}\n"
            )
        };
        (0..count).map(object).collect()
    }
}

/// The three nodes.
#[derive(Debug)]
pub struct Cluster {
    /// The master, in the network of the thread that made it.
    pub master: Node,
    /// In the order of [`SATELLITES`].
    pub satellites: [Node; 2],
    interface: Interface,
    mail: Vec<Submission>,
    _secrets: TempDir,
    _bridge: Bridge,
}

/// An engine that can be stopped and started again.
#[derive(Debug)]
pub struct Node {
    icinga: Icinga,
    host: Option<Neighbour>,
    daemon: Option<Daemon>,
}

impl Cluster {
    /// Everything but the start, in a network of [`lab::namespace::with_resolvers`]; `None` where the engine cannot
    /// run.
    #[must_use]
    pub fn prepare(package: &Path, what: &str, site: Site<'_>) -> Option<Self> {
        let bridge = Bridge::new("br0", "10.91.0.1/24");
        let hosts = ADDRESSES.map(|address| bridge.host(address));
        let secrets = shared_folder();
        let mail: Vec<Submission> =
            hosts.iter().zip(MAIL).map(|(host, (name, address))| mail_server(host, name, address)).collect();
        let authorities: String = mail.iter().map(|one| fs::read_to_string(one.ca_file()).unwrap()).collect();
        fs::write(secrets.path().join("ca.pem"), authorities).unwrap();
        let password = secrets.path().join("probe.pw");
        fs::write(&password, SECRET).unwrap();
        said(Command::new("chmod").arg("0640").arg(&password));
        said(Command::new("chown").arg("root:nagios").arg(&password));

        let master = Icinga::prepare(what)?;
        unpack(package, &master.path("root"));
        let interface = Interface::at(5665);
        install(&master, &master, "master", secrets.path());
        fs::write(master.path("etc/conf.d/api-users.conf"), interface.user()).unwrap();
        let zones = master.path("etc/zones.d");
        let [services, satellites] = site.intervals.map(|seconds| format!("{seconds}s"));
        change(&zones.join("global-vedette/templates.conf"), &[("1m", &services), ("20s", &services)]);
        change(&zones.join("master/satellites.conf"), &[("15s", &satellites)]);
        for (path, text) in site.more {
            fs::write(zones.join(path), text).unwrap();
        }
        let satellites = SATELLITES.map(|name| {
            let icinga = Icinga::prepare(what).unwrap();
            symlink(master.path("root"), icinga.path("root")).unwrap();
            install(&icinga, &master, name, secrets.path());
            icinga
        });
        certify(&master, "master.example.org", &master);
        for (satellite, name) in satellites.iter().zip(SATELLITES) {
            certify(satellite, &format!("{name}.example.org"), &master);
        }
        let node = |icinga: Icinga, host| Node { icinga, host, daemon: None };
        let [first, second] = satellites;
        let [near, far] = hosts;
        let satellites = [node(first, Some(near)), node(second, Some(far))];
        for satellite in &satellites {
            assert_valid(&satellite.icinga);
        }
        assert_valid(&master);
        let master = node(master, None);
        Some(Self { master, satellites, interface, mail, _secrets: secrets, _bridge: bridge })
    }

    /// Starts all of them.
    pub fn start(&mut self) {
        for node in self.satellites.iter_mut().chain([&mut self.master]) {
            node.start();
        }
    }

    /// The attributes that an operator sees of all services, by `HOST!SERVICE`.
    #[must_use]
    pub fn services(&self) -> BTreeMap<String, Value> {
        self.interface.objects("services", &SEEN)
    }

    /// The same of hosts.
    #[must_use]
    pub fn hosts(&self) -> BTreeMap<String, Value> {
        self.interface.objects("hosts", &SEEN)
    }

    /// A figure of the master's own statistics.
    #[must_use]
    pub fn statistic(&self, name: &str) -> f64 {
        self.interface.statistic(name)
    }

    /// Waits until services and hosts are as wanted; how long that took.
    pub fn wait(
        &self,
        limit: Duration,
        what: &str,
        wanted: impl Fn(&BTreeMap<String, Value>, &BTreeMap<String, Value>) -> bool,
    ) -> Duration {
        let began = Instant::now();
        loop {
            let (services, hosts) = (self.services(), self.hosts());
            if wanted(&services, &hosts) {
                return began.elapsed();
            }
            assert!(began.elapsed() < limit, "{what}: {services:#?}\n{hosts:#?}\n{}", self.logs());
            sleep(Duration::from_millis(250));
        }
    }

    /// What the engines have written.
    #[must_use]
    pub fn logs(&self) -> String {
        let nodes = [&self.master].into_iter().chain(&self.satellites);
        nodes.filter_map(|node| node.daemon.as_ref()).map(Daemon::log_text).collect()
    }

    /// How many connections the mail servers had.
    #[must_use]
    pub fn received(&self) -> Vec<usize> {
        self.mail.iter().map(|one| one.received().len()).collect()
    }
}

impl Node {
    /// Starts it, with what it knew before.
    pub fn start(&mut self) {
        let icinga = &self.icinga;
        self.daemon = Some(match &self.host {
            Some(host) => host.run(|| icinga.start()),
            None => icinga.start(),
        });
    }

    /// As a power cut would, but that the network says so.
    pub fn kill(&mut self) {
        self.daemon.as_mut().unwrap().kill_group();
        self.daemon = None;
    }

    /// Process id of the engine.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.daemon.as_ref().map_or(0, Daemon::pid)
    }

    /// Stops it in order.
    pub fn stop(&mut self) {
        self.daemon.as_mut().unwrap().stop_within(Duration::from_secs(10));
    }

    /// A place in its folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.icinga.path(name)
    }
}

const SEEN: [&str; 9] = [
    "state",
    "state_type",
    "last_check",
    "last_check_result",
    "last_reachable",
    "next_check",
    "next_update",
    "zone",
    "command_endpoint",
];

/// On its host alone, with the standard port.
fn mail_server(host: &Neighbour, name: &str, address: &str) -> Submission {
    host.run(|| {
        said(Command::new("ip").args(["address", "add", &format!("{address}/32"), "dev", "lo"]));
        let users = BTreeMap::from([("probe".to_owned(), SECRET.to_owned())]);
        Submission::start(SubmissionOptions {
            listen: format!("{address}:587").parse().unwrap(),
            users,
            certificate: LeafOptions::server_named(name),
            ..SubmissionOptions::default()
        })
    })
}

/// The distribution's configuration, and the guide's files over it.
fn install(icinga: &Icinga, master: &Icinga, name: &str, secrets: &Path) {
    overlay_includes(icinga);
    let (etc, example) = (icinga.path("etc"), workspace().join(EXAMPLE));
    let kind = if name == "master" { "master" } else { "satellite" };
    fs::copy("/etc/icinga2/icinga2.conf", etc.join("icinga2.conf")).unwrap();
    said(Command::new("cp").args(["-r", "-T"]).arg(example.join(kind)).arg(&etc));
    fs::create_dir(etc.join("conf.d")).unwrap();
    fs::copy("/etc/icinga2/features-available/checker.conf", etc.join("features-enabled/checker.conf"))
        .unwrap();
    let constants = etc.join("constants.conf");
    change(&constants, &[("\"/etc/vedette\"", &format!("\"{}\"", secrets.display()))]);
    if kind != name {
        change(&constants, &[("sat1", name)]);
    }
    let plugins = master.path("root").join(PLUGINS);
    let mut constants = OpenOptions::new().append(true).open(constants).unwrap();
    writeln!(constants, "const VedettePluginDir = \"{}\"", plugins.display()).unwrap();
    let _ = fs::create_dir(etc.join("zones.d"));
    icinga.hand_over();
}

/// Fills something in that stands there in the example.
fn change(file: &Path, values: &[(&str, &str)]) {
    let text = fs::read_to_string(file).unwrap();
    let changed = values.iter().fold(text, |text, (old, new)| {
        assert!(text.contains(old), "no {old} in {}", file.display());
        text.replace(old, new)
    });
    fs::write(file, changed).unwrap();
}

/// Gives a node a certificate by the authority that the master has.
fn certify(icinga: &Icinga, name: &str, master: &Icinga) {
    let folder = icinga.path("lib/certs");
    fs::create_dir_all(&folder).unwrap();
    icinga.hand_over();
    let file = |end: &str| folder.join(format!("{name}.{end}")).to_str().unwrap().to_owned();
    let (key, request, certificate) = (file("key"), file("csr"), file("crt"));
    if !master.path("lib/ca").exists() {
        said(&mut master.command(&["pki", "new-ca"]));
    }
    said(&mut icinga.command(&["pki", "new-cert", "--cn", name, "--key", &key, "--csr", &request]));
    let signed = master.path("lib/signed.crt");
    said(&mut master.command(&["pki", "sign-csr", "--csr", &request, "--cert", signed.to_str().unwrap()]));
    fs::rename(signed, certificate).unwrap();
    fs::copy(master.path("lib/ca/ca.crt"), folder.join("ca.crt")).unwrap();
    icinga.hand_over();
}

fn assert_valid(icinga: &Icinga) {
    let output = icinga.validate();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && !text.contains("critical/"), "{text}");
}
