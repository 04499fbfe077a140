//! A network of the lab with somebody in it who runs check_arp_dupes, and remembers.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use lab::arp::plan::monitor;
use lab::arp::{Arp, Host, Network, Plan, Rights};
use lab::output::State;
use tempfile::TempDir;

use crate::{Check, Run};

/// Who asked for whom.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// When it reached the kernel.
    pub at: Duration,
    /// From which address.
    pub sender: IpAddr,
    /// For which address.
    pub target: IpAddr,
}

/// A network, and what the check remembers of it.
#[derive(Debug)]
pub struct Lan {
    /// The hosts.
    pub network: Network,
    memory: TempDir,
}

impl Lan {
    /// The monitor and others.
    pub fn with(others: impl IntoIterator<Item = Plan>) -> Self {
        Self::of([monitor()].into_iter().chain(others))
    }

    /// These and nobody else.
    pub fn of(hosts: impl IntoIterator<Item = Plan>) -> Self {
        Self::on_network(Network::start(hosts))
    }

    fn on_network(network: Network) -> Self {
        Self { network, memory: tempfile::tempdir().unwrap() }
    }

    /// Gateway, monitor and attacker. The monitor has met the gateway, which will not heal it by a question of its own.
    pub fn poisonable() -> Self {
        Self::on_network(Network::poisonable(|gateway| gateway.ipv4().into()))
    }

    /// The same, where the check has learned the gateway, and has been told by the attacker since then that it is he.
    pub fn poisoned() -> Self {
        Self::poisoned_by(|[gateway, attacker], _| Arp::gratuitous_reply(gateway.ipv4(), attacker.mac()))
    }

    /// The same by this frame: of gateway and attacker, and the monitor.
    pub fn poisoned_by(lie: impl FnOnce([&Host; 2], &Host) -> Arp) -> Self {
        let lan = Self::poisonable();
        lan.learn();
        let [gateway, attacker] = lan.parties();
        attacker.send(lie([gateway, attacker], lan.monitor()));
        lan.monitor().wait_neighbour(gateway.ipv4(), attacker.mac());
        lan
    }

    /// One of the hosts.
    pub fn host(&self, name: &str) -> &Host {
        self.network.host(name)
    }

    /// Where the check runs.
    pub fn monitor(&self) -> &Host {
        self.host("mon")
    }

    /// The gateway and the attacker.
    pub fn parties(&self) -> [&Host; 2] {
        ["gw", "att"].map(|name| self.host(name))
    }

    /// The check with a memory of its own.
    pub fn check(&self, words: &[&str]) -> Check {
        self.on("eth0", words)
    }

    /// The same on other interfaces than the first.
    pub fn on(&self, interfaces: &str, words: &[&str]) -> Check {
        let check = Check::new("check_arp_dupes").inside(self.monitor(), Rights::Root);
        let check = check.args(["-i", interfaces]).args(words);
        let is_told = words.contains(&"--no-state") || words.contains(&"--state-dir");
        if is_told { check } else { check.arg("--state-dir").arg(self.memory.path()) }
    }

    /// The state file of the check on the first interface.
    pub fn state_file(&self) -> PathBuf {
        self.memory.path().join("check_arp_dupes-eth0.json")
    }

    /// Questions that left the monitor while `body` ran, in order, and when.
    pub fn questions(&self, body: impl FnOnce()) -> Vec<Question> {
        let watch = self.monitor().watch();
        body();
        let mac = self.monitor().mac();
        let questions = watch.stop().into_iter().filter_map(|frame| {
            let (sender, from, target) = frame.question()?;
            (from == mac).then_some(Question { at: frame.at, sender, target })
        });
        questions.collect()
    }

    /// It refuses, in one line, and sends nothing.
    pub fn refuses(&self, words: &[&str], said: &[&str]) {
        let sent = self.questions(|| drop(self.gives(words, State::Unknown, said)));
        assert!(sent.is_empty(), "{words:?}: {sent:?}");
    }

    /// Runs it.
    pub fn gives(&self, words: &[&str], state: State, said: &[&str]) -> Run {
        self.check(words).gives(state, said)
    }

    /// Lets it learn that all is well.
    pub fn learn(&self) {
        self.gives(&[], State::Ok, &[]);
    }
}
