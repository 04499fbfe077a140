//! One Icinga 2 with the package installed runs every plugin against something good and something bad. Its interface
//! shows state, first line and performance data, and no password.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::Ipv4Addr;
use std::process::Command;
use std::time::Duration;

use lab::dns::{Dnsbl, Names, Record, Responder, ResponderOptions, Zones};
use lab::exchanger::{ACCEPTED, Exchanger, ExchangerOptions};
use lab::mysql::replication::Pair;
use lab::mysql::{Account, Release};
use lab::namespace::{Bridge, with_resolvers};
use lab::policy::Domain;
use lab::smtpd::{Submission, SubmissionOptions};
use lab::tls_servers::{Keys, nginx};
use serde_json::Value;
use tests::icinga::Installed;
use tests::package::{package, said};
use tests::rdns::ptr;
use tests::tables::{Shop, cut};

const SECRET: &str = "Zx9-unlikely-word";
const LISTED: &str = "198.20.0.25";
const CLEAN: &str = "198.20.0.10";

/// State and words of the first line, and an item of performance data as it begins.
type Wanted = (&'static str, f64, &'static [&'static str], &'static str);

const RESULTS: &[Wanted] = &[
    ("smtp_auth good", 0.0, &["SMTP_AUTH OK: probe logged in to "], "time="),
    ("smtp_auth refused", 2.0, &["SMTP_AUTH CRITICAL: ", "535"], "time="),
    ("smtp_relay good", 0.0, &["SMTP_RELAY OK: ", "refuses to relay"], "accepted=0;;;0"),
    ("smtp_relay open", 2.0, &["SMTP_RELAY CRITICAL: open relay"], "accepted=1;;;0"),
    (
        "smtp_rcpt good",
        0.0,
        &["SMTP_RCPT OK: probe@post.test accepted by mail.lab.test: ", "; unknown users refused"],
        "mail.lab.test.time=",
    ),
    (
        "smtp_rcpt unknown",
        2.0,
        &["SMTP_RCPT CRITICAL: nobody@post.test unknown to 127.0.0.1: "],
        "mx_failed=1",
    ),
    ("rbl good", 0.0, &["RBL OK: ", CLEAN], "score=0;0;@1:;0"),
    ("rbl listed", 2.0, &["RBL CRITICAL: ", LISTED, "zen.lab.test"], "score=1;0;@1:;0"),
    ("mx good", 0.0, &["MX OK: shop.lab.test: 1 mail exchanger: 10 mx.shop.lab.test"], "hosts_ok=1;;;0"),
    ("mx lost", 2.0, &["MX CRITICAL: MX 10 gone.lost.lab.test has no address (NXDOMAIN)"], "addresses=0;;;0"),
    (
        "mail_policy good",
        0.0,
        &[
            "MAIL_POLICY OK: example.test: SPF 4 of 10 lookups",
            "DKIM ed: Ed25519",
            "2 of 2 certificates match",
            "MTA-STS enforce",
        ],
        "tlsa=2;;;0",
    ),
    (
        "mail_policy refused",
        2.0,
        &["MAIL_POLICY CRITICAL: 203.0.113.25 is refused: \"-all\" of example.test"],
        "spf_lookups=4;;;0",
    ),
    ("rdns good", 0.0, &["RDNS OK: ", "mail.lab.test", "its banner says the same"], "confirmed=1;;;0"),
    ("rdns none", 2.0, &["RDNS CRITICAL: 127.0.0.2 has no PTR record (NXDOMAIN)"], "ptr=0;;;0"),
    ("weak_ciphers good", 0.0, &["WEAK_CIPHERS OK: "], "weak=0"),
    ("weak_ciphers weak", 2.0, &["WEAK_CIPHERS CRITICAL: "], "time="),
    (
        "mysql_slave good",
        0.0,
        &["MYSQL_SLAVE OK: replica follows 127.0.0.1:", "lag 0 s"],
        "sql_running=1;;;0",
    ),
    ("mysql_slave refused", 3.0, &["MYSQL_SLAVE UNKNOWN: ", "Access denied for user 'monitor'@"], "time="),
    ("mysql_slave none", 2.0, &["MYSQL_SLAVE CRITICAL: ", "not a replica"], "time="),
    ("mysql_tables good", 0.0, &["MYSQL_TABLES OK: 1 table checked, none damaged"], "corrupt=0;;;0"),
    // The first check sees the damage and marks the table, the next ones see the mark.
    ("mysql_tables damaged", 2.0, &["MYSQL_TABLES CRITICAL: shop.orders "], "corrupt=1;;;0"),
    ("arp_dupes good", 0.0, &["ARP_DUPES OK: lan0: "], "conflicts=0;;;0"),
    ("arp_dupes table", 0.0, &["ARP_DUPES OK: lan0: "], "ips=1;;;0"),
    ("arp_dupes double", 1.0, &["ARP_DUPES WARNING: 10.99.0.7 ", "[conflict"], "conflicts=1;;;0"),
];

#[test]
fn icinga_runs_every_plugin_good_and_bad() {
    let Some(package) = package() else { return };
    let Some(host) = Installed::prepare(&package, "Icinga 2 runs every plugin") else { return };
    with_resolvers(&[Ipv4Addr::LOCALHOST.into()], || runs_every_plugin(&host));
}

fn runs_every_plugin(host: &Installed) {
    let users = BTreeMap::from([("probe".to_owned(), SECRET.to_owned())]);
    let mail = Submission::start(SubmissionOptions { users, ..SubmissionOptions::default() });
    let zones = Zones::new()
        .zone("zen.lab.test", Dnsbl::healthy().text(LISTED, "127.0.0.4", "bad"))
        .zone("in-addr.arpa", Names::new([ptr("127.0.0.1", "mail.lab.test")]))
        .zone("post.test", Names::new([Record::mx(10, "mail.lab.test")]))
        .zone("mail.lab.test", Names::new([Record::address("127.0.0.1")]))
        .zone(
            "shop.lab.test",
            Names::new([
                Record::mx(10, "mx.shop.lab.test"),
                Record::address("127.0.0.1").owned_by("mx.shop.lab.test"),
            ]),
        )
        .zone("lost.lab.test", Names::new([Record::mx(10, "gone.lost.lab.test")]));
    let port_53 =
        ResponderOptions { address: "127.0.0.1:53".parse().unwrap(), ..ResponderOptions::default() };
    let _dns = Responder::start_with(port_53, zones);
    let open = Exchanger::start(ExchangerOptions { foreign: ACCEPTED.into(), ..Default::default() });
    let exchanger =
        Exchanger::start(ExchangerOptions { local_domains: vec!["post.test".into()], ..Default::default() });
    let policies = Domain::healthy().start();
    let keys = Keys::new();
    let (strong, weak) = (nginx::intermediate(&keys), nginx::all_suites(&keys));
    let databases = Pair::start(Release::MariaDb);
    let shop = Shop::new().with("MyISAM", &["orders", "customers"]);
    shop.damage("orders.MYD", cut(2000));
    let lans = ["10.98.0.1/24", "10.99.0.1/24"];
    let [single, double] = [("lan0", lans[0]), ("lan1", lans[1])].map(|(name, ip)| Bridge::new(name, ip));
    let _stations = [single.host("10.98.0.7/24"), double.host("10.99.0.7/24"), double.host("10.99.0.7/24")];
    // What is in /sys is of the network that it was mounted in.
    said(Command::new("mount").args(["-t", "sysfs", "sysfs", "/sys"]));
    said(Command::new("ping").args(["-q", "-c", "1", "-W", "2", "10.98.0.7"]));
    fs::copy(mail.ca_file(), host.icinga.path("ca.pem")).unwrap();
    fs::copy(policies.ca_file(), host.icinga.path("policy-ca.pem")).unwrap();
    fs::create_dir(host.icinga.path("memory")).unwrap();
    let [monitor, tables] = [Account::Monitor, Account::Tables].map(Account::password);
    let port = |port: u16| port.to_string();
    let objects = [
        ("@FOLDER@", host.icinga.path("").display().to_string()),
        ("@MAIL@", port(mail.port())),
        ("@OPEN@", port(open.port())),
        ("@POST@", port(exchanger.port())),
        ("@RESOLVER@", policies.resolver().to_string()),
        ("@EXCHANGER@", port(policies.smtp_port())),
        ("@HTTPS@", port(policies.https_port())),
        ("@STRONG@", port(strong.port())),
        ("@WEAK@", port(weak.port())),
        ("@SOURCE@", port(databases.source.port())),
        ("@REPLICA@", port(databases.replica.port())),
        ("@SHOP@", port(shop.server.port())),
        ("@SECRET@", SECRET.to_owned()),
        ("@MONITOR@", monitor.to_owned()),
        ("@TABLES@", tables.to_owned()),
    ]
    .iter()
    .fold(SERVICES.to_owned(), |text, (word, value)| text.replace(word, value));
    host.configure(&objects);
    // As the package does when it is installed; a file that changes hands loses it.
    said(Command::new("setcap").arg("cap_net_raw+p").arg(host.plugins.join("check_arp_dupes")));

    let mut daemon = host.icinga.start();
    let results = host.results(&mut daemon, RESULTS.len());
    for wanted in RESULTS {
        shows(&results[wanted.0], *wanted);
    }
    databases.replica.admin().run(&["STOP SLAVE SQL_THREAD"]);
    let results = host.results_when(&mut daemon, "the stopped replica in the API", |results| {
        results["mysql_slave good"]["state"] == 2.0
    });
    let stopped = ("stopped", 2.0, &["MYSQL_SLAVE CRITICAL: ", "SQL"][..], "sql_running=0;;;0");
    shows(&results["mysql_slave good"], stopped);
    daemon.stop_within(Duration::from_secs(10));

    let log = daemon.log_text();
    assert!(!log.contains("warning/") && !log.contains("critical/"), "{log}");
    let shown = format!("{log}{results:?}{:?}", host.icinga.results());
    for secret in [SECRET, monitor, tables] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    let plugins: BTreeSet<String> =
        packaging_gen::plugins().iter().map(|one| one.short_name().into()).collect();
    let run: BTreeSet<String> = results.keys().map(|name| name.split(' ').next().unwrap().into()).collect();
    assert_eq!(run, plugins, "a plugin has no service here");
}

fn shows(result: &Value, (name, state, words, item): Wanted) {
    assert_eq!(result["state"], state, "{name}: {result}");
    let output = result["output"].as_str().unwrap();
    for word in words {
        assert!(output.contains(word), "{name}: no {word:?} in {result}");
    }
    let perfdata = result["performance_data"].as_array().unwrap();
    let has = |one: &Value| one.as_str().is_some_and(|one| one.starts_with(item));
    assert!(perfdata.iter().any(has), "{name}: no {item} in {result}");
}

const SERVICES: &str = r#"
template Service "vedette" {
	host_name = "server"
	check_interval = 2s
	retry_interval = 2s
	max_check_attempts = 1
	check_command = "vedette_" + name.split(" ")[0]
}
template Service "smtp_auth" {
	import "vedette"
	vars.smtp_auth_hostname = "localhost"
	vars.smtp_auth_ipv4 = true
	vars.smtp_auth_port = @MAIL@
	vars.smtp_auth_ca_file = "@FOLDER@/ca.pem"
	vars.smtp_auth_user = "probe"
	vars.smtp_auth_password = "@SECRET@"
}
object Service "smtp_auth good" { import "smtp_auth" }
object Service "smtp_auth refused" { import "smtp_auth"; vars.smtp_auth_user = "nobody" }

template Service "smtp_rcpt" {
	import "vedette"
	vars.smtp_rcpt_rcpt_to = "probe@post.test"
	vars.smtp_rcpt_port = @POST@
	vars.smtp_rcpt_also_unknown = true
	vars.smtp_rcpt_allow_private = true
}
object Service "smtp_rcpt good" { import "smtp_rcpt" }
object Service "smtp_rcpt unknown" {
	import "smtp_rcpt"
	vars.smtp_rcpt_rcpt_to = "nobody@post.test"
	vars.smtp_rcpt_hostname = [ "127.0.0.1" ]
}

template Service "rbl" { import "vedette"; vars.rbl_list = "zen.lab.test" }
object Service "rbl good" { import "rbl"; vars.rbl_hostname = "198.20.0.10" }
object Service "rbl listed" { import "rbl"; vars.rbl_hostname = "198.20.0.25" }

template Service "mx" {
	import "vedette"
	vars.mx_expect = [ "10 mx.shop.lab.test" ]
	vars.mx_allow_private = true
	vars.mx_connect = true
	vars.mx_port = @MAIL@
}
object Service "mx good" { import "mx"; vars.mx_domain = "shop.lab.test" }
object Service "mx lost" { import "vedette"; vars.mx_domain = "lost.lab.test" }

template Service "mail_policy" {
	import "vedette"
	vars.mail_policy_domain = "example.test"
	vars.mail_policy_resolver = [ "@RESOLVER@" ]
	vars.mail_policy_spf = true
	vars.mail_policy_ip = [ "127.0.0.31" ]
}
object Service "mail_policy good" {
	import "mail_policy"
	vars.mail_policy_dkim = [ "s2026", "ed" ]
	vars.mail_policy_dmarc = true
	vars.mail_policy_mta_sts = true
	vars.mail_policy_tlsrpt = true
	vars.mail_policy_dane = true
	vars.mail_policy_port = @EXCHANGER@
	vars.mail_policy_https_port = @HTTPS@
	vars.mail_policy_ca_file = "@FOLDER@/policy-ca.pem"
}
object Service "mail_policy refused" {
	import "mail_policy"
	vars.mail_policy_ip = [ "127.0.0.31", "203.0.113.25" ]
}

template Service "smtp_relay" { import "vedette"; vars.smtp_relay_hostname = "127.0.0.1" }
object Service "smtp_relay good" { import "smtp_relay"; vars.smtp_relay_port = @POST@ }
object Service "smtp_relay open" { import "smtp_relay"; vars.smtp_relay_port = @OPEN@ }

template Service "rdns" { import "vedette"; vars.rdns_match = [ "mail.*" ] }
object Service "rdns good" { import "rdns"; vars.rdns_hostname = "127.0.0.1"; vars.rdns_smtp = @MAIL@ }
object Service "rdns none" { import "rdns"; vars.rdns_hostname = "127.0.0.2" }

template Service "weak_ciphers" {
	import "vedette"
	vars.weak_ciphers_sni = "tls.test"
	vars.weak_ciphers_no_cert = true
	vars.weak_ciphers_starttls = "none"
}
object Service "weak_ciphers good" { import "weak_ciphers"; vars.weak_ciphers_port = @STRONG@ }
object Service "weak_ciphers weak" { import "weak_ciphers"; vars.weak_ciphers_port = @WEAK@ }

template Service "mysql_slave" {
	import "vedette"
	vars.mysql_slave_port = @REPLICA@
	vars.mysql_slave_ssl_mode = "disabled"
	vars.mysql_slave_user = "monitor"
	vars.mysql_slave_password = "@MONITOR@"
	vars.mysql_slave_read_only = "ignore"
	vars.mysql_slave_errant = "off"
	vars.mysql_slave_state_dir = "@FOLDER@/memory"
}
object Service "mysql_slave good" { import "mysql_slave" }
object Service "mysql_slave refused" { import "mysql_slave"; vars.mysql_slave_password = "@SECRET@" }
object Service "mysql_slave none" { import "mysql_slave"; vars.mysql_slave_port = @SOURCE@ }

template Service "mysql_tables" {
	import "vedette"
	vars.mysql_tables_port = @SHOP@
	vars.mysql_tables_ssl_mode = "disabled"
	vars.mysql_tables_user = "tables"
	vars.mysql_tables_password = "@TABLES@"
	vars.mysql_tables_databases = "shop"
	vars.mysql_tables_state_dir = "@FOLDER@/memory/" + name
}
object Service "mysql_tables good" { import "mysql_tables"; vars.mysql_tables_tables = "customers" }
object Service "mysql_tables damaged" { import "mysql_tables" }

template Service "arp_dupes" {
	import "vedette"
	vars.arp_dupes_interface = "lan0"
	vars.arp_dupes_ipv4 = true
	vars.arp_dupes_no_state = true
}
template Service "arp_dupes sweep" {
	import "arp_dupes"
	vars.arp_dupes_sweep = "10.98.0.0/28"
	vars.arp_dupes_window = 0.5
}
object Service "arp_dupes good" { import "arp_dupes sweep" }
object Service "arp_dupes table" { import "arp_dupes" }
object Service "arp_dupes double" {
	import "arp_dupes sweep"
	vars.arp_dupes_interface = "lan1"
	vars.arp_dupes_sweep = "10.99.0.0/28"
}
"#;
