//! Icinga 2 with thousands of services of each plugin, against the nearest plugin that people use there today: checks
//! in a second, and processor time of the engine and its plugins for each. In turn, so that a machine that changes its
//! speed changes it for both; medians. Run by `tests/bench/run`.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::print_stdout, reason = "a program for people")]

use std::fs;
use std::net::Ipv4Addr;
use std::process::{Command, ExitCode};
use std::thread::sleep;
use std::time::Duration;

use lab::dns::{Responder, ResponderOptions};
use lab::mysql::replication::Pair;
use lab::mysql::{Account, Release};
use lab::namespace::{Bridge, with_resolvers};
use lab::smtpd::{BeforeTls, Submission, SubmissionOptions, TlsMode};
use lab::tls_servers::{Keys, nginx};
use tests::bench::{is_wanted, runs};
use tests::icinga::{FIRST_CHECKS, Installed};
use tests::lists;
use tests::load::Load;
use tests::package::{package, said};

const SERVICES: usize = 3000;
const LISTS: usize = 10;
const WARM_UP: Duration = Duration::from_secs(4);
const WINDOW: Duration = Duration::from_secs(10);
/// Up to this part of a ratio passes as noise.
const NOISE: f64 = 1.05;

/// One comparison: bodies of service definitions.
struct Case {
    name: &'static str,
    ours: String,
    theirs: String,
    /// Processor time for each check, as a part of theirs at most.
    goal: Option<f64>,
}

fn main() -> ExitCode {
    let package = package().expect("packaging/build has made one");
    let Some(host) = Installed::prepare(&package, "thousands of services") else { return ExitCode::FAILURE };
    with_resolvers(&[Ipv4Addr::LOCALHOST.into()], || compare(&host))
}

fn compare(host: &Installed) -> ExitCode {
    let mail = Submission::start(SubmissionOptions::default());
    let plain = SubmissionOptions {
        tls: TlsMode::None,
        before_tls: BeforeTls::Accept,
        ..SubmissionOptions::default()
    };
    let plain = Submission::start(plain);
    let names = lists::names(LISTS);
    let port_53 =
        ResponderOptions { address: (Ipv4Addr::LOCALHOST, 53).into(), ..ResponderOptions::default() };
    let _dns = Responder::start_with(port_53, lists::healthy(&names, Duration::ZERO));
    let keys = Keys::new();
    let web = nginx::intermediate(&keys);
    let databases = Pair::start(Release::MariaDb);
    let lan = Bridge::new("lan0", "10.98.0.1/24");
    let _station = lan.host("10.98.0.7/24");
    said(Command::new("mount").args(["-t", "sysfs", "sysfs", "/sys"]));
    said(Command::new("ping").args(["-q", "-c", "1", "-W", "2", "10.98.0.7"]));
    fs::copy(mail.ca_file(), host.icinga.path("ca.pem")).unwrap();
    fs::create_dir(host.icinga.path("memory")).unwrap();

    let folder = host.icinga.path("").display().to_string();
    let cases: Vec<Case> = logins(plain.port(), mail.port(), &folder)
        .into_iter()
        .chain([
            block_lists(&names),
            ciphers(web.port()),
            replication(databases.replica.port(), &folder),
            neighbours(),
            engine_alone(),
        ])
        .collect();
    let kept = cases.iter().filter(|case| case.measure(host)).count();
    println!("\n{kept} of {} cases within their goals", cases.len());
    if kept == cases.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn logins(plain: u16, mail: u16, folder: &str) -> [Case; 2] {
    let ours = |port: u16, more: &str| {
        format!(
            "check_command = \"vedette_smtp_auth\"; vars.smtp_auth_hostname = \"127.0.0.1\"; \
             vars.smtp_auth_port = {port}; vars.smtp_auth_user = \"probe\"; vars.smtp_auth_password = \"secret\"; \
             vars.smtp_auth_mech = \"login\"; {more}"
        )
    };
    let theirs = |port: u16, more: &str| {
        format!(
            "check_command = \"smtp\"; vars.smtp_port = {port}; vars.smtp_authtype = \"LOGIN\"; \
             vars.smtp_authuser = \"probe\"; vars.smtp_authpass = \"secret\"; {more}"
        )
    };
    [
        Case {
            name: "check_smtp_auth against check_smtp: AUTH LOGIN, no TLS",
            ours: ours(plain, "vars.smtp_auth_tls = \"none\"; vars.smtp_auth_allow_plaintext = true"),
            theirs: theirs(plain, ""),
            goal: Some(1.0),
        },
        Case {
            name: "check_smtp_auth against check_smtp: STARTTLS; ours verifies the certificate, theirs does not",
            ours: ours(mail, &format!("vars.smtp_auth_ca_file = \"{folder}/ca.pem\"")),
            theirs: theirs(mail, "vars.smtp_starttls = true"),
            goal: Some(0.8),
        },
    ]
}

fn block_lists(names: &[String]) -> Case {
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    let quoted = quoted.join(", ");
    let service = |command: &str, lists: &str| {
        let address = lists::ADDRESS;
        format!(
            "check_command = \"{command}\"; vars.rbl_hostname = \"{address}\"; vars.{lists} = [ {quoted} ]"
        )
    };
    Case {
        name: "check_rbl against check_rbl of contrib: 10 lists; ours proves each list, theirs believes them",
        ours: service("vedette_rbl", "rbl_list"),
        theirs: service("peer_rbl", "rbl_server"),
        goal: Some(0.2),
    }
}

fn ciphers(port: u16) -> Case {
    Case {
        name: "check_weak_ciphers against check_tcp --ssl, which shakes hands once and sees no suite: \
               ours opens 8 connections",
        ours: format!(
            "check_command = \"vedette_weak_ciphers\"; vars.weak_ciphers_port = {port}; \
             vars.weak_ciphers_sni = \"tls.test\"; vars.weak_ciphers_no_cert = true; \
             vars.weak_ciphers_starttls = \"none\""
        ),
        theirs: format!(
            "check_command = \"ssl\"; vars.ssl_address = \"127.0.0.1\"; vars.ssl_port = {port}; \
             vars.ssl_sni = \"tls.test\""
        ),
        goal: Some(1.0),
    }
}

fn replication(port: u16, folder: &str) -> Case {
    let (user, password) = (Account::Monitor.user(), Account::Monitor.password());
    Case {
        name: "check_mysql_slave against check_mysql -S",
        ours: format!(
            "check_command = \"vedette_mysql_slave\"; vars.mysql_slave_port = {port}; \
             vars.mysql_slave_ssl_mode = \"disabled\"; vars.mysql_slave_user = \"{user}\"; \
             vars.mysql_slave_password = \"{password}\"; vars.mysql_slave_read_only = \"ignore\"; \
             vars.mysql_slave_errant = \"off\"; vars.mysql_slave_state_dir = \"{folder}/memory/\" + name"
        ),
        theirs: format!(
            "check_command = \"mysql\"; vars.mysql_hostname = \"127.0.0.1\"; vars.mysql_port = {port}; \
             vars.mysql_username = \"{user}\"; vars.mysql_password = \"{password}\"; vars.mysql_check_slave = true"
        ),
        goal: Some(1.0),
    }
}

fn neighbours() -> Case {
    Case {
        name: "check_arp_dupes, the table, has no other like it: against check_dummy, the price of any plugin",
        ours: "check_command = \"vedette_arp_dupes\"; vars.arp_dupes_interface = \"lan0\"; \
               vars.arp_dupes_table = true; vars.arp_dupes_ipv4 = true; vars.arp_dupes_no_state = true"
            .to_owned(),
        theirs: "check_command = \"peer_dummy\"".to_owned(),
        goal: None,
    }
}

fn engine_alone() -> Case {
    Case {
        name: "the engine alone: true with the command of check_mysql_slave against true without options",
        ours: "check_command = \"true_with_options\"; vars.mysql_slave_user = \"monitor\"".to_owned(),
        theirs: "check_command = \"true\"".to_owned(),
        goal: None,
    }
}

/// The engine's own commands that would lead to our plugins, or to no process at all.
const PEERS: &str = r#"
object CheckCommand "peer_rbl" { import "rbl"; command = [ PluginDir + "/check_rbl" ] }
object CheckCommand "peer_dummy" { command = [ PluginDir + "/check_dummy", "0" ] }
object CheckCommand "true" { command = [ "/bin/true" ] }
object CheckCommand "true_with_options" { import "vedette_mysql_slave"; command = [ "/bin/true" ] }
"#;

impl Case {
    /// Prints a table; whether the goal is kept.
    fn measure(&self, host: &Installed) -> bool {
        if !is_wanted(self.name) {
            return true;
        }
        let rounds = runs(3).min(9);
        println!("\n{}; {SERVICES} services, {rounds} times {} s each", self.name, WINDOW.as_secs());
        let (ours, theirs): (Vec<Load>, Vec<Load>) =
            (0..rounds).map(|_| (run(host, &self.ours), run(host, &self.theirs))).unzip();
        let both = |of: fn(&Load) -> f64| (median(&ours, of), median(&theirs, of));
        let rate = both(Load::rate);
        let cpu = both(|load| load.cpu_ms(0));
        println!("  {:<26}{:>10}{:>10}{:>8}", "", "ours", "theirs", "ratio");
        println!("  {:<26}{:>10.0}{:>10.0}{:>8.2}", "checks in a second", rate.0, rate.1, rate.0 / rate.1);
        println!("  {:<26}{:>10.2}{:>10.2}{:>8.2}", "CPU for each, ms", cpu.0, cpu.1, cpu.0 / cpu.1);
        let of_core = (1000.0 / cpu.0, 1000.0 / cpu.1);
        println!("  {:<26}{:>10.0}{:>10.0}", "in a second of a core", of_core.0, of_core.1);
        let kept = self.goal.is_none_or(|goal| cpu.0 / cpu.1 <= goal * NOISE);
        if !kept {
            println!("  MISSED: the ratio of CPU may be {:.2} at most", self.goal.unwrap_or_default());
        }
        kept
    }
}

/// An engine with thousands of one service; each must be OK.
fn run(host: &Installed, service: &str) -> Load {
    host.configure(&format!(
        "const MaxConcurrentChecks = 64\n{PEERS}\n\
         template Service \"many\" {{ host_name = \"server\"; check_interval = 1s; retry_interval = 1s; \
         max_check_attempts = 1; {service} }}\n\
         for (i in range({SERVICES})) {{ var n = \"s\" + i; object Service n {{ import \"many\" }} }}"
    ));
    let mut daemon = host.icinga.start();
    let ended = || host.statistic("active_service_checks_15min");
    daemon.wait_longer(FIRST_CHECKS, "first checks", || {
        sleep(Duration::from_millis(100));
        ended() > 0.0
    });
    sleep(WARM_UP);
    let load = Load::measure([daemon.pid(), 0, 0], WINDOW, ended);
    let results = host.results_when(&mut daemon, "results", |results| results.len() == SERVICES);
    let bad = results.values().find(|result| result.is_object() && result["state"] != 0.0);
    assert!(bad.is_none(), "{}", bad.map(ToString::to_string).unwrap_or_default());
    daemon.stop_within(Duration::from_secs(20));
    let _ = fs::remove_file(host.icinga.path("lib/icinga2.state"));
    load
}

fn median(loads: &[Load], of: fn(&Load) -> f64) -> f64 {
    let mut values: Vec<f64> = loads.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
