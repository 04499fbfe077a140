//! Hosts on one Ethernet: network namespaces on a bridge, all inside a user namespace of their own, so that neither
//! root is needed nor anything of the machine's own network touched. One process holds them; when it goes, they go.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::arp::Mac;
use crate::arp::host::{Host, Rights, Spaces};
use crate::arp::plan::{Behind, Plan, Second, attacker, gateway, monitor};

/// A running network. Dropping it, or the death of the test process, ends all of it.
#[derive(Debug)]
pub struct Network {
    hosts: Vec<Host>,
    holder: Holder,
}

impl Network {
    /// Starts these hosts; returns when every address is usable.
    #[must_use]
    pub fn start(plans: impl IntoIterator<Item = Plan>) -> Self {
        let plans: Vec<Plan> = plans.into_iter().collect();
        let holder = Holder::start(&batch(&plans));
        let hosts: Vec<Host> = plans.iter().flat_map(|plan| hosts(&holder, plan)).collect();
        let setups: Vec<(&Host, Child)> = hosts.iter().zip(scripts(&plans)).map(configure).collect();
        for (host, setup) in setups {
            let output = setup.wait_with_output().expect("a shell ends");
            let complaint = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && complaint.is_empty(), "{}: {complaint}", host.name());
        }
        wait_forwarding(&holder.host(SWITCH, Mac::ZERO, &[]));
        hosts.iter().filter(|host| plans.iter().any(|plan| is_router(plan, host))).for_each(wait_up);
        Self { hosts, holder }
    }

    /// Gateway, monitor and attacker. The monitor has met this address of the gateway, which will not heal it by a
    /// question of its own.
    #[must_use]
    pub fn poisonable(address: impl FnOnce(&Host) -> IpAddr) -> Self {
        let network = Self::start([gateway(), monitor(), attacker()]);
        let [gateway, monitor, _] = network.parties();
        gateway.pin(monitor.ipv4(), monitor.mac());
        gateway.pin(monitor.ipv6(), monitor.mac());
        monitor.believe_at_once();
        let address = address(gateway);
        monitor.meet(address);
        assert_eq!(monitor.neighbour(address).and_then(|entry| entry.mac), Some(gateway.mac()));
        network
    }

    /// Gateway, monitor and attacker.
    #[must_use]
    pub fn parties(&self) -> [&Host; 3] {
        ["gw", "mon", "att"].map(|name| self.host(name))
    }

    /// The host with this name.
    #[must_use]
    pub fn host(&self, name: &str) -> &Host {
        let found = self.hosts.iter().find(|host| host.name() == name);
        found.unwrap_or_else(|| panic!("there is no host {name} in this network"))
    }

    /// All hosts, with those behind a router.
    pub fn hosts(&self) -> impl Iterator<Item = &Host> {
        self.hosts.iter()
    }

    /// Process id of what holds the namespaces.
    #[must_use]
    pub fn holder(&self) -> u32 {
        self.holder.child.id()
    }
}

/// The process that the namespaces belong to: a shell that waits for the end of a pipe.
#[derive(Debug)]
struct Holder {
    child: Child,
}

impl Holder {
    /// Makes the namespaces and cables that `ip -batch` understands; the first part of the text is for the namespaces
    /// themselves, the second for the switch.
    fn start(batch: &[String; 2]) -> Self {
        let mut child = Command::new("unshare")
            .args(["--user", "--map-root-user", "--net", "--mount", "/bin/sh", "-c", HOLD, "hold"])
            .args(batch)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("util-linux is installed");
        let mut answer = String::new();
        let output = child.stdout.take().expect("stdout is piped");
        let _ = BufReader::new(output).read_line(&mut answer);
        if answer != "ready\n" {
            let mut complaint = String::new();
            let _ = child.kill();
            let _ = child.stderr.take().expect("stderr is piped").read_to_string(&mut complaint);
            let _ = child.wait();
            panic!("no namespaces (does this machine forbid them?): {complaint}");
        }
        Self { child }
    }

    fn host(&self, name: &str, mac: Mac, addresses: &[String]) -> Host {
        let network = self.open(&format!("root/run/netns/{name}"));
        Host::new(name, mac, addresses, Spaces { user: self.open("ns/user"), network })
    }

    fn open(&self, name: &str) -> Arc<OwnedFd> {
        let path = Path::new("/proc").join(self.child.id().to_string()).join(name);
        let file = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Arc::new(file.into())
    }
}

/// Whether a scenario has to be left out because this machine lets nobody have namespaces (`tests/run` sets
/// `VEDETTE_WITHOUT_NETWORKS`), and says so.
#[must_use]
pub fn left_out() -> bool {
    let without = std::env::var_os("VEDETTE_WITHOUT_NETWORKS").is_some();
    if without {
        println!("LEFT OUT: an Ethernet of namespaces");
    }
    without
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder of its own for the names, so that `ip netns` neither needs root nor leaves anything behind. Where the
/// kernel lets packet filters see what a bridge carries, it does so in each new namespace.
const HOLD: &str = "mount -t tmpfs none /run && mkdir /run/netns && printf %s \"$1\" | ip -batch - &&
    printf %s \"$2\" | ip -n switch -batch - && nsenter --net=/run/netns/switch /bin/sh -c \"
        for filter in /proc/sys/net/bridge/bridge-nf-call-*; do
            [ ! -e \\$filter ] || echo 0 >\\$filter
        done\" && echo ready && read -r _";

/// The namespace that the bridge has to itself.
const SWITCH: &str = "switch";

/// What the holder gives to `ip`.
fn batch(plans: &[Plan]) -> [String; 2] {
    let mut names = "netns add switch\n".to_owned();
    let mut cables = "link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0\n".to_owned();
    cables.push_str("link set br0 up\n");
    for Plan { name, mac, behind, second, .. } in plans {
        names.push_str(&format!("netns add {name}\n"));
        cables.push_str(&format!(
            "link add p-{name} type veth peer name eth0 address {mac} netns {name}\n\
             link set p-{name} master br0 up\n"
        ));
        if let Some(Second { mac, .. }) = second {
            cables.push_str(&format!(
                "link add q-{name} type veth peer name eth1 address {mac} netns {name}\n\
                 link set q-{name} master br0 up\n"
            ));
        }
        if let Some(Behind { name: inner, .. }) = behind {
            names.push_str(&format!("netns add {inner}\n"));
            cables.push_str(&format!(
                "link add p-{inner} type veth peer name eth0 netns {inner}\n\
                 link set p-{inner} netns {name} name eth1\n"
            ));
        }
    }
    [names, cables]
}

fn hosts(holder: &Holder, plan: &Plan) -> Vec<Host> {
    let mut all = vec![holder.host(&plan.name, plan.mac, &plan.addresses)];
    all.extend(plan.behind.as_ref().map(|behind| {
        // Its MAC is seen by nobody but its router.
        holder.host(&behind.name, Mac::ZERO, &behind.addresses)
    }));
    all
}

/// One for each host, in the order of [`hosts`].
fn scripts(plans: &[Plan]) -> Vec<String> {
    plans
        .iter()
        .flat_map(|plan| [Some(script(plan)), plan.behind.as_ref().map(script_behind)])
        .flatten()
        .collect()
}

fn script(plan: &Plan) -> String {
    // Duplicate address detection would take a second, and find what some scenarios are about.
    let common = [("ipv6/conf/eth0/accept_dad", "0"), ("ipv6/conf/eth0/accept_ra", "0")];
    let own = plan.sysctls.iter().map(|(path, value)| (path.as_str(), value.as_str()));
    let switches =
        common.into_iter().chain(own).map(|(path, value)| format!("echo {value} >/proc/sys/net/{path}\n"));
    let mut text: String = switches.collect();
    text.push_str("ip -batch - <<END\nlink set lo up\nlink set eth0 up\n");
    for address in &plan.addresses {
        text.push_str(&format!("address add {address} dev eth0{}\n", without_detection(address)));
    }
    if let Some(Second { addresses, .. }) = &plan.second {
        text.push_str("link set eth1 up\n");
        for address in addresses {
            text.push_str(&format!("address add {address} dev eth1{}\n", without_detection(address)));
        }
    }
    for route in &plan.routes {
        text.push_str(&format!("route add {route}\n"));
    }
    if let Some(Behind { network, .. }) = &plan.behind {
        text.push_str("address add 192.0.2.1/30 dev eth1\nlink set eth1 up\n");
        text.push_str(&format!("route add {network} via 192.0.2.2\n"));
        // Else proxied answers are late by up to 0.8 s. Not by sysctl: older kernels hide these in user namespaces.
        text.push_str("ntable change name arp_cache dev eth0 proxy_delay 0\n");
    }
    text + "END\n"
}

fn script_behind(behind: &Behind) -> String {
    let mut text = "ip -batch - <<END\nlink set lo up\nlink set eth0 up\n".to_owned();
    for address in &behind.addresses {
        text.push_str(&format!("address add {address} dev lo\n"));
    }
    text + "address add 192.0.2.2/30 dev eth0\nroute add default via 192.0.2.1\nEND\n"
}

fn without_detection(address: &str) -> &'static str {
    if address.contains(':') { " nodad" } else { "" }
}

/// Starts the set-up of a host; all of them run at the same time.
fn configure((host, script): (&Host, String)) -> (&Host, Child) {
    let mut command = host.command_with("/bin/sh", Rights::Root);
    command.args(["-e", "-s"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", host.name()));
    let mut input = child.stdin.take().expect("stdin is piped");
    input.write_all(script.as_bytes()).expect("a shell reads its script");
    (host, child)
}

/// Waits until every port passes frames on. The kernel notices a carrier when it finds time to.
fn wait_forwarding(switch: &Host) {
    wait_lines(switch, "bridge", &["link", "show"], |line| line.contains("state forwarding"));
}

/// The same for both ends of a cable without a bridge.
fn wait_up(host: &Host) {
    let up = |line: &str| line.contains("state UP") || line.contains("LOOPBACK");
    wait_lines(host, "ip", &["-o", "link", "show"], up);
}

fn is_router(plan: &Plan, host: &Host) -> bool {
    plan.behind.as_ref().is_some_and(|behind| [&plan.name, &behind.name].contains(&&host.name().to_owned()))
}

fn wait_lines(host: &Host, program: &str, arguments: &[&str], good: impl Fn(&str) -> bool) {
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        let text = host.run(program, arguments);
        if text.lines().all(&good) {
            return;
        }
        assert!(Instant::now() < until, "{}: {text}", host.name());
        thread::sleep(Duration::from_millis(2));
    }
}
