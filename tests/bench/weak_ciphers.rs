//! check_weak_ciphers against nmap's ssl-enum-ciphers and sslscan on the same real servers, near (no delay) and
//! far (a round trip of 50 ms). Before anything is measured each inventory must be complete. Run by
//! `tests/bench/run`.
#![allow(clippy::expect_used, clippy::print_stdout, reason = "a program for people")]

use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use lab::cost::Candidate;
use lab::plugin::Plugin;
use lab::process::program;
use lab::relay::Relay;
use lab::tls_probe::pairs;
use lab::tls_servers::{Keys, TlsServer, gnutls, java, nginx, openssl};
use tests::bench::{Case, Goal, is_wanted, runs};
use tests::ciphers::{Document, arguments, difference, nmap_arguments};
use tests::package::shipped;

/// Half of the round trip.
const AWAY: Duration = Duration::from_millis(25);
const VERDICT: Duration = Duration::from_millis(250);
/// One for SSLv2, SSLv3, TLS 1.0 and 1.1; two for TLS 1.2, of which the first shows the prime of DHE; two for TLS 1.3.
const CONNECTIONS: u64 = 8;
const FLEET: usize = 400;
const MEMORY: Goal<'_> = Goal::Memory(6 * 1024);
/// sslscan without what is not about suites.
const CIPHERS_ONLY: [&str; 8] = [
    "--no-colour",
    "--no-check-certificate",
    "--no-compression",
    "--no-fallback",
    "--no-groups",
    "--no-heartbleed",
    "--no-renegotiation",
    "--sni-name=tls.test",
];

fn main() -> ExitCode {
    let keys = Keys::new();
    let intermediate = Place::new(&keys, "nginx as Mozilla recommends", nginx::intermediate(&keys), 0);
    let debian = Place::new(&keys, "nginx as Debian has it", nginx::debian(&keys), 1);
    let all = Place::new(&keys, "nginx with all suites", nginx::all_suites(&keys), 2);
    let java = Place::new(&keys, "Java with everything", java::server(&keys), 2);
    let s_server = Place::new(&keys, "openssl s_server", openssl::s_server(&keys), 2);
    let gnutls = Place::new(&keys, "gnutls-serv", gnutls::gnutls_serv(&keys), 2);

    let mut good = intermediate.verdict();
    for place in [&debian, &all, &java, &s_server, &gnutls] {
        good &= place.is_complete();
    }
    for (place, rounds) in [(&debian, 5), (&all, 5), (&java, 1)] {
        good &= place.against_nmap(rounds);
    }
    for place in [&debian, &all] {
        good &= place.against_sslscan();
    }
    for place in [&s_server, &gnutls] {
        good &= place.one_at_a_time();
    }
    good &= intermediate.fleet("near", &intermediate.near) & intermediate.fleet("far", &intermediate.far);
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A server and the ways to it.
struct Place<'a> {
    keys: &'a Keys,
    name: &'static str,
    server: TlsServer,
    near: Relay,
    far: Relay,
    /// Exit code of the check.
    code: i32,
}

impl<'a> Place<'a> {
    fn new(keys: &'a Keys, name: &'static str, server: TlsServer, code: i32) -> Self {
        let near = Relay::start(server.addr(), Duration::ZERO);
        let far = Relay::start(server.addr(), AWAY);
        Self { keys, name, server, near, far, code }
    }

    fn verdict(&self) -> bool {
        self.measure(
            &format!("a verdict on {}, far", self.name),
            (ours(&self.far, &[]), None),
            runs(50),
            &[Goal::Wall(VERDICT), Goal::Connections(&self.far, CONNECTIONS), MEMORY],
        )
    }

    /// The inventory has all pairs of version and suite, and nothing else.
    fn is_complete(&self) -> bool {
        if !is_wanted(self.name) {
            return true;
        }
        let ours = Plugin::at(shipped("check_weak_ciphers"))
            .args(arguments(self.near.port(), None))
            .args(["--inventory", "--output", "json"])
            .run();
        let truth = pairs(&self.server, "tls.test").expect("the server answers");
        let difference = difference(&Document::of(&ours).pairs(), &truth);
        println!(
            "\n{}: {} pairs{}",
            self.name,
            truth.len(),
            if difference.is_empty() { "" } else { "  MISSED" }
        );
        print!("{difference}");
        difference.is_empty()
    }

    fn against_nmap(&self, rounds: usize) -> bool {
        let words = nmap_arguments(self.keys.folder(), self.far.port(), None);
        self.measure(
            &format!("an inventory of {} against nmap, far", self.name),
            (ours(&self.far, &["--inventory"]), Some(Candidate::new(program("nmap", "nmap"), words))),
            runs(rounds).min(rounds),
            &[Goal::WallRatio(0.2), Goal::ConnectionsRatio(&self.far, 0.8), MEMORY],
        )
    }

    fn against_sslscan(&self) -> bool {
        let far = [Goal::WallRatio(1.0), Goal::ConnectionsRatio(&self.far, 1.15)];
        let near = [Goal::WallRatio(1.0), Goal::CpuRatio(0.2), Goal::ConnectionsRatio(&self.near, 1.15)];
        self.sslscan("far", &self.far, 3, &far) & self.sslscan("near", &self.near, 20, &near)
    }

    /// A server that serves one connection at a time gains nothing by several.
    fn one_at_a_time(&self) -> bool {
        let goals = [Goal::WallRatio(1.5), Goal::CpuRatio(0.2)];
        self.sslscan("far", &self.far, 1, &goals) & self.sslscan("near", &self.near, 10, &goals)
    }

    fn sslscan(&self, distance: &str, relay: &Relay, rounds: usize, goals: &[Goal<'_>]) -> bool {
        let target = format!("127.0.0.1:{}", relay.port());
        let words = CIPHERS_ONLY.iter().copied().chain([target.as_str()]);
        self.measure(
            &format!("an inventory of {} against sslscan, {distance}", self.name),
            (ours(relay, &["--inventory"]), Some(Candidate::new(program("sslscan", "sslscan"), words))),
            runs(rounds).min(rounds),
            goals,
        )
    }

    /// How many hosts a run gets through: all of them are the same server here.
    fn fleet(&self, distance: &str, relay: &Relay) -> bool {
        if !is_wanted("a fleet") {
            return true;
        }
        let line = format!("127.0.0.1 {} sni=tls.test starttls=none\n", relay.port());
        let file = self.keys.folder().join("fleet");
        fs::write(&file, line.repeat(FLEET)).expect("the lab's folder is writable");
        let run = Plugin::at(shipped("check_weak_ciphers"))
            .args(["--no-cert", "-t", "100", "--targets-file"])
            .arg(&file)
            .limit(Duration::from_mins(2))
            .run();
        let is_good = run.first_line().contains(&format!("of {FLEET} hosts {FLEET} OK"));
        let hosts = f64::from(u32::try_from(FLEET).expect("a small number"));
        println!(
            "\na fleet of {FLEET} hosts, {distance}{}\n  {:.0} hosts a minute, {:.0} a minute of CPU time",
            if is_good { "" } else { "  MISSED" },
            60.0 * hosts / run.elapsed.as_secs_f64(),
            60.0 * hosts / run.user_sys.as_secs_f64(),
        );
        is_good
    }

    fn measure(
        &self,
        name: &str,
        (ours, theirs): (Candidate, Option<Candidate>),
        runs: usize,
        goals: &[Goal<'_>],
    ) -> bool {
        let theirs = theirs.map(|candidate| (candidate, 0));
        Case { name, ours: (ours, self.code), theirs, runs, goals }.measure()
    }
}

fn ours(relay: &Relay, more: &[&str]) -> Candidate {
    let more = more.iter().map(|&word| word.to_owned());
    Candidate::new(shipped("check_weak_ciphers"), arguments(relay.port(), None).into_iter().chain(more))
}
