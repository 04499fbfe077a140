//! The generated files in a real Nagios and a real NRPE: accepted, with the arguments we think they pass, and with
//! the real plugins against servers of the lab.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};
use std::time::Duration;

use lab::dns::{Dnsbl, Responder, ResponderOptions, Zones};
use lab::mysql::replication::Pair;
use lab::mysql::{Account, Release};
use lab::namespace::with_resolvers;
use lab::smtpd::{Submission, SubmissionOptions};
use lab::tls_servers::{Keys, nginx};
use packaging_gen::{nagios, plugins, remote};
use tests::nagios::{Nagios, Nrpe, Place, Status};

#[test]
fn nagios_accepts_the_commands_and_the_services() {
    let Some(engine) = Nagios::prepare("Nagios reads the generated files") else { return };
    let (commands, services) = (nagios::commands(&plugins()), nagios::services(&plugins()));
    engine.configure(&format!("{commands}\n{services}"));
    let output = engine.validate();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("Total Warnings: 0") && said.contains("Total Errors:   0"), "{said}");

    let first = plugins()[0].short_name();
    engine.configure(&services.replace(&format!("vedette_{first}"), "vedette_no_such"));
    assert!(!engine.validate().status.success(), "else the test above would prove nothing");
}

#[test]
fn nagios_passes_options_as_a_shell_would() {
    let Some(engine) = Nagios::prepare("Nagios passes options") else { return };
    fs::create_dir(engine.place.path("seen")).unwrap();
    let recorder = engine.place.path("plugins/check_rbl");
    fs::write(&recorder, RECORDER).unwrap();
    fs::set_permissions(recorder, Permissions::from_mode(0o755)).unwrap();
    let commands = engine.place.adapt(&nagios::commands(&plugins()));
    engine.configure(&format!("{commands}\n{}\n{ODD_HOST}", host_and_services(WORDS)));
    let mut daemon = engine.start();
    engine.results(&mut daemon, WORDS.len() + 1);
    daemon.stop_within(Duration::from_secs(10));
    let seen = |name: &str| fs::read_to_string(engine.place.path("seen").join(name)).unwrap();
    assert_eq!(seen("plain"), "--hostname 127.0.0.1 plain ");
    assert_eq!(seen("several"), "--hostname 127.0.0.1 several -w @1:2 -c 5 --list a --list b ");
    assert_eq!(seen("quoted"), "--hostname 127.0.0.1 quoted <two words> a|b *.c ~:5 <d;e> ");
    assert_eq!(seen("escaped"), "--hostname 127.0.0.1 escaped a!b $HOME$ <;> ");
    assert_eq!(seen("bare"), "bare -H other ");
    assert_eq!(seen("eight"), "--hostname 127.0.0.1 eight 2 3 4 5 6 7 8 ");
    assert_eq!(seen("odd"), "--hostname <$(id) | `id` & *> odd ", "an address is no part of the command");
}

/// Each name is the service's and its first word.
const WORDS: &[(&str, &str)] = &[
    ("plain", "vedette_rbl!plain"),
    ("several", "vedette_rbl!several!-w @1:2 -c 5!--list a!--list b"),
    ("quoted", r"vedette_rbl!quoted!'two words' 'a|b'!'*.c' '~:5'!'d\;e'"),
    ("escaped", r"vedette_rbl!escaped a\!b!'$$HOME$$'!'\;'"),
    ("bare", "vedette_rbl_bare!bare -H other"),
    ("eight", "vedette_rbl!eight!2!3!4!5!6!7!8!9"),
];

const ODD_HOST: &str = "
define host {
  use generic-host
  host_name odd
  address $(id) | `id` & *
  max_check_attempts 1
}
define service {
  use generic-service
  host_name odd
  service_description odd
  check_interval 2
  max_check_attempts 1
  check_command vedette_rbl!odd
}
";

/// Stands in the place of the plugin: notes its words, those with anything but the usual letters in brackets.
const RECORDER: &str = r#"#!/bin/sh
folder=$(dirname "$0")/../seen
for word; do
	case $word in
	plain | several | quoted | escaped | bare | eight | odd) name=$word ;;
	*' '* | *';'*) word="<$word>" ;;
	esac
	printf '%s ' "$word" >>"$folder/.$$"
done
mv "$folder/.$$" "$folder/$name"
echo "$name"
"#;

const SECRET: &str = "Zx9-unlikely-word";
/// A public address; its list is in the lab, and nothing else is within reach.
const LISTED: &str = "198.20.0.25";

#[test]
fn nagios_runs_every_flagship_and_shows_no_password() {
    let Some(engine) = Nagios::prepare("Nagios runs every flagship") else { return };
    engine.place.install(&FLAGSHIPS);
    // A network of its own, because the neighbours are part of the picture.
    with_resolvers(&[Ipv4Addr::LOCALHOST.into()], || runs_every_flagship(&engine));
}

const FLAGSHIPS: [&str; 5] =
    ["check_smtp_auth", "check_rbl", "check_weak_ciphers", "check_mysql_slave", "check_arp_dupes"];

fn runs_every_flagship(engine: &Nagios) {
    let users = BTreeMap::from([("probe".to_owned(), SECRET.to_owned())]);
    let mail = Submission::start(SubmissionOptions { users, ..SubmissionOptions::default() });
    let zones = Zones::new().zone("zen.lab.test", Dnsbl::healthy().text(LISTED, "127.0.0.4", "bad | host"));
    let dns = Responder::start_with(ResponderOptions::default(), zones);
    let keys = Keys::new();
    let (good_tls, bad_tls) = (nginx::intermediate(&keys), nginx::all_suites(&keys));
    let pair = Pair::start(Release::MariaDb);
    meet_neighbours();

    let place = &engine.place;
    fs::create_dir(place.path("state")).unwrap();
    fs::copy(mail.ca_file(), place.path("ca.pem")).unwrap();
    for (name, password) in
        [("good.pw", SECRET), ("bad.pw", "wrong-word"), ("mysql.pw", Account::Monitor.password())]
    {
        fs::write(place.path(name), password).unwrap();
        fs::set_permissions(place.path(name), Permissions::from_mode(0o600)).unwrap();
    }
    let file = |name: &str| place.path(name).display().to_string();
    let login = format!(
        "vedette_smtp_auth_bare!-H localhost -4 --port {}!--ca-file {}!--user probe!--password-file",
        mail.port(),
        file("ca.pem")
    );
    let lists = format!("vedette_rbl_bare!--resolver {}!--list zen.lab.test!-H", dns.addr());
    let tls = "vedette_weak_ciphers!--starttls none --sni tls.test --no-cert!-t 50!-p";
    let replica = format!(
        "vedette_mysql_slave!-u {} --password-file {}!--state-dir {} --read-only ignore --errant off!-P",
        Account::Monitor.user(),
        file("mysql.pw"),
        file("state"),
    );
    let neighbours = format!("vedette_arp_dupes!--state-dir {} -4 -i", file("state"));
    let services = [
        ("mail good", format!("{login} {}", file("good.pw"))),
        ("mail bad", format!("{login} {}!-v", file("bad.pw"))),
        ("lists good", format!("{lists} 198.20.0.10")),
        ("lists bad", format!("{lists} {LISTED}")),
        ("tls good", format!("{tls} {}", good_tls.port())),
        ("tls bad", format!("{tls} {}", bad_tls.port())),
        ("replica good", format!("{replica} {}", pair.replica.port())),
        ("replica bad", format!("{replica} {}", pair.source.port())),
        ("neighbours good", format!("{neighbours} good0")),
        ("neighbours bad", format!("{neighbours} bad0!--pin 10.98.0.2=02:00:00:00:00:77")),
    ];
    let services = services.each_ref().map(|(name, command)| (*name, command.as_str()));
    let commands = place.adapt(&nagios::commands(&plugins()));
    engine.configure(&format!("{commands}\n{}", host_and_services(&services)));

    let mut daemon = engine.start();
    let results = engine.results(&mut daemon, services.len());
    daemon.stop_within(Duration::from_secs(10));
    for (name, state, words, perfdata) in EXPECTED {
        shows(&results[*name], state, words, perfdata);
    }
    // The reason of the list, cleaned of what would be perfdata.
    for (name, words) in [
        ("lists bad", "zen.lab.test (127.0.0.4): \"bad / host\""),
        ("tls bad", "1024"),
        ("mail bad", "mechanisms: \"PLAIN LOGIN CRAM-MD5\""),
        ("neighbours bad", "bad0: 1 address of 1 station"),
    ] {
        assert!(results[name].get("long_plugin_output").contains(words), "{name}: {:?}", results[name]);
    }
    let log = fs::read_to_string(place.path("nagios.log")).unwrap();
    for text in [engine.status_file(), log, daemon.log_text()] {
        for secret in [SECRET, "wrong-word", Account::Monitor.password()] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

type Expected<'a> = (&'a str, &'a str, &'a [&'a str], &'a [&'a str]);

const EXPECTED: &[Expected<'_>] = &[
    ("mail good", "0", &["SMTP_AUTH OK: probe logged in to localhost:"], &["time=", "time_auth="]),
    ("mail bad", "2", &["SMTP_AUTH CRITICAL: ", "535"], &["time="]),
    ("lists good", "0", &["RBL OK: ", "198.20.0.10"], &["score=0;0;@1:;0", "lists=1;;;0"]),
    ("lists bad", "2", &["RBL CRITICAL: ", LISTED, "zen.lab.test"], &["score=1;0;@1:;0"]),
    ("tls good", "0", &["WEAK_CIPHERS OK: "], &["time="]),
    ("tls bad", "2", &["WEAK_CIPHERS CRITICAL: "], &["time="]),
    ("replica good", "0", &["MYSQL_SLAVE OK: ", "follows 127.0.0.1"], &["lag=0s", "io_running=1"]),
    ("replica bad", "2", &["MYSQL_SLAVE CRITICAL: ", "not a replica"], &["time="]),
    ("neighbours good", "0", &["ARP_DUPES OK: good0: 2 addresses of 2 stations"], &["ips=2", "macs=2"]),
    ("neighbours bad", "2", &["ARP_DUPES CRITICAL: ", "10.98.0.2", "pinned"], &["ips=1"]),
];

fn shows(status: &Status, state: &str, words: &[&str], perfdata: &[&str]) {
    assert_eq!(status.get("current_state"), state, "{status:?}");
    for word in words {
        assert!(status.get("plugin_output").contains(word), "no {word:?} in {status:?}");
    }
    let items: Vec<&str> = status.get("performance_data").split(' ').collect();
    for wanted in perfdata {
        assert!(items.iter().any(|item| item.starts_with(wanted)), "no {wanted} in {status:?}");
    }
}

/// Two interfaces of this network, with stations the kernel knows.
fn meet_neighbours() {
    for line in [
        "link add good0 type veth peer name good1",
        "link add bad0 type veth peer name bad1",
        "address add 10.97.0.1/24 dev good0",
        "address add 10.98.0.1/24 dev bad0",
        "link set good0 up",
        "link set good1 up",
        "link set bad0 up",
        "link set bad1 up",
        "neigh add 10.97.0.2 lladdr 02:00:00:00:00:02 dev good0 nud reachable",
        "neigh add 10.97.0.3 lladdr 02:00:00:00:00:03 dev good0 nud reachable",
        "neigh add 10.98.0.2 lladdr 02:66:66:66:66:66 dev bad0 nud reachable",
    ] {
        let output = Command::new("ip").args(line.split(' ')).output().unwrap();
        assert!(output.status.success(), "{line}: {output:?}");
    }
}

#[test]
fn nrpe_runs_what_an_operator_uncommented() {
    let Some(place) = Place::prepare("NRPE runs the generated commands") else { return };
    place.install(&["check_smtp_auth", "check_arp_dupes"]);
    let mail = Submission::start(SubmissionOptions::default());
    fs::copy(mail.ca_file(), place.path("ca.pem")).unwrap();
    fs::write(place.path("probe.pw"), "secret").unwrap();
    fs::set_permissions(place.path("probe.pw"), Permissions::from_mode(0o600)).unwrap();

    let generated = remote::nrpe(&plugins());
    let closed = "#command[vedette_smtp_auth]=";
    assert!(generated.contains(&format!("\n{closed}")), "{generated}");
    let options = format!(" --ca-file {} -p {} -4", place.path("ca.pem").display(), mail.port());
    let own = |user: &str| {
        let file = place.path("probe.pw").display().to_string();
        let edits = [("mail.example.org", "localhost"), ("/etc/vedette/probe.pw", &file)];
        let edited = edits.iter().fold(generated.clone(), |text, (from, to)| text.replace(from, to));
        let line = edited.lines().find(|line| line.starts_with(closed)).unwrap();
        line.trim_start_matches('#').replace("probe@example.org", user) + &options
    };
    let good = own("probe");
    let bad = own("nobody").replace("vedette_smtp_auth", "own_bad");
    let commands = place.adapt(&format!("{generated}\n{good}\n{bad}\n"));
    let mut nrpe = Nrpe::start(&place, &commands);

    answers(&nrpe.ask("vedette_smtp_auth"), 0, &["SMTP_AUTH OK: probe logged in to localhost:", " | time="]);
    answers(&nrpe.ask("own_bad"), 2, &["SMTP_AUTH CRITICAL: ", "535", " | time="]);
    // The one that is not behind a #: what it says depends on this machine.
    let plain = nrpe.ask("vedette_arp_dupes");
    assert!(String::from_utf8_lossy(&plain.stdout).starts_with("ARP_DUPES "), "{plain:?}");
    answers(&nrpe.ask("vedette_rbl"), 3, &["not defined"]);
    nrpe.daemon.stop_within(Duration::from_secs(10));
    assert!(!nrpe.daemon.log_text().contains("secret"), "{}", nrpe.daemon.log_text());
}

fn answers(output: &Output, code: i32, words: &[&str]) {
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(code), "{text}");
    for word in words {
        assert!(text.contains(word), "no {word:?} in {text}");
    }
    assert!(!text.contains("secret"), "{text}");
}

/// A host on loopback with these services, each checked every two seconds.
fn host_and_services(services: &[(&str, &str)]) -> String {
    let host = "define host {\n  use generic-host\n  host_name server\n  address 127.0.0.1\n  \
                max_check_attempts 1\n}\n";
    let service = |(name, command): &(&str, &str)| {
        format!(
            "define service {{\n  use generic-service\n  host_name server\n  service_description {name}\n  \
             check_interval 2\n  retry_interval 2\n  max_check_attempts 1\n  check_command {command}\n}}\n"
        )
    };
    services.iter().map(service).fold(host.to_owned(), |text, one| text + &one)
}
