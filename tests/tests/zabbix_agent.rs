//! The generated user parameters in a real Zabbix agent: results come back as a server would
//! get them, what the agent refuses it refuses, and no password is seen.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use lab::certs::{Authority, LeafOptions};
use lab::dns::{Dnsbl, Responder, Zones};
use lab::mysql::Account;
use lab::mysql::script::{Fixture, Script, ScriptedServer, Table};
use lab::plugin::{Plugin, find_binary};
use lab::smtpd::{Submission, SubmissionOptions};
use lab::tls::{Service, server};
use packaging_gen::{plugins, zabbix};
use serde_json::Value;
use tests::zabbix::Agent;

const SECRET: &str = "Zx9-unlikely-word";
/// A public address; the lists are in the lab.
const LISTED: &str = "198.20.0.25";

/// An agent with the built plugins.
fn agent(ini: &str) -> Option<Agent> {
    let folder = find_binary("check_smtp_auth").parent().unwrap().to_str().unwrap().to_owned();
    let parameters = zabbix::user_parameters(&plugins());
    assert!(parameters.contains("/usr/lib/vedette/plugins/"));
    Agent::start(&parameters.replace("/usr/lib/vedette/plugins", &folder), ini)
}

fn state(result: &Value) -> u64 {
    result["state"].as_u64().unwrap_or_else(|| panic!("no state in {result}"))
}

fn secret_file(folder: &Path, name: &str, content: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    path
}

fn submission() -> Submission {
    let users = BTreeMap::from([("probe".to_owned(), SECRET.to_owned())]);
    Submission::start(SubmissionOptions { users, ..SubmissionOptions::default() })
}

/// Options of a login there, in three parameters.
fn login(server: &Submission, password_file: &Path) -> String {
    format!(
        "-H localhost -4 -p {} -t 2.5,--ca-file={},-u probe --password-file {}",
        server.port(),
        server.ca_file().display(),
        password_file.display()
    )
}

#[test]
fn logins_and_what_is_refused() {
    let server = submission();
    let ini = format!(
        "[probe]\nhostname=localhost\nipv4\nport={}\nca-file={}\nuser=probe\npassword-file={}\nwarning=@10:20\n",
        server.port(),
        server.ca_file().display(),
        secret_file(server.dir(), "right", SECRET).display()
    );
    let Some(agent) = agent(&ini) else { return };
    let right = login(&server, &server.dir().join("right"));

    let good = agent.result(&format!("vedette.smtp_auth[{right}]"));
    assert_eq!((state(&good), &good["status"]), (0, &"OK".into()), "{good}");
    assert!(good["summary"].as_str().unwrap().starts_with("probe logged in"), "{good}");
    assert!(good["metrics"]["time"].is_f64() && good["metrics"]["cert_days"].as_u64() > Some(80), "{good}");

    let wrong = login(&server, &secret_file(server.dir(), "wrong", "Zx9-another-word"));
    let bad = agent.result(&format!("vedette.smtp_auth[{wrong}]"));
    assert_eq!(state(&bad), 2, "{bad}");
    assert!(bad["summary"].as_str().unwrap().contains("535"), "{bad}");

    // Wrong options are told in plain text.
    let open = server.dir().join("open");
    fs::write(&open, SECRET).unwrap();
    fs::set_permissions(&open, Permissions::from_mode(0o644)).unwrap();
    let said = agent.get(&format!("vedette.smtp_auth[{}]", login(&server, &open)));
    assert!(said.contains("UNKNOWN") && said.contains("too open"), "{said}");

    // Refused by the agent, which then runs nothing, and in the words it does not mind.
    let before = server.received().len();
    for range in ["@10:20", "~:10"] {
        let said = agent.get(&format!("vedette.smtp_auth[{right} -w {range}]"));
        assert!(said.contains("ZBX_NOTSUPPORTED") && said.contains("not allowed"), "{range}: {said}");
    }
    assert_eq!(server.received().len(), before);
    for (range, want) in [("inside:10:20", 0), ("min:10", 1), ("max:10", 0)] {
        let result = agent.result(&format!("vedette.smtp_auth[{right} -w {range}]"));
        assert_eq!(state(&result), want, "{range}: {result}");
    }
    let from_file = agent.result("vedette.smtp_auth[--extra-opts=probe -t 2.5]");
    assert_eq!(state(&from_file), 0, "{from_file}");
    let log = agent.stop();
    assert!(!log.contains(SECRET), "{log}");
}

#[test]
fn no_password_while_it_hangs() {
    let Some(agent) = agent("") else { return };
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let file = secret_file(agent.folder(), "secret", SECRET);
    let key = format!(
        "vedette.smtp_auth[-H 127.0.0.1 -p {} -u probe --helo slow.lab.test --password-file {} -t 2]",
        silent.local_addr().unwrap().port(),
        file.display()
    );
    let result = thread::scope(|scope| {
        let answer = scope.spawn(|| agent.result(&key));
        let seen = seen_in_processes("slow.lab.test", &answer);
        assert!(!seen.is_empty() && !seen.contains(SECRET), "{seen}");
        answer.join().unwrap()
    });
    assert_eq!(state(&result), 2, "{result}");
    assert!(result["summary"].as_str().unwrap().contains("waiting for the banner"), "{result}");

    // Longer than the agent waits: an error, never a value.
    let said = agent.get(&key.replace("-t 2]", "-t 20]"));
    assert!(said.contains("ZBX_NOTSUPPORTED") && said.contains("Timeout"), "{said}");
}

/// Arguments and environment of the processes with this word in their arguments, while the
/// question is open; the agent is this process's child as well as the plugin is its.
fn seen_in_processes<T>(word: &str, open: &thread::ScopedJoinHandle<'_, T>) -> String {
    let until = Instant::now() + Duration::from_secs(10);
    let read = |path: PathBuf| {
        fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', " ")).unwrap_or_default()
    };
    while !open.is_finished() && Instant::now() < until {
        let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok).map(|entry| entry.path());
        let seen: String = processes
            .map(|process| (read(process.join("cmdline")), process))
            .filter(|(arguments, _)| arguments.contains("check_smtp_auth") && arguments.contains(word))
            .map(|(arguments, process)| arguments + &read(process.join("environ")))
            .collect();
        if !seen.is_empty() {
            return seen;
        }
        thread::sleep(Duration::from_millis(20));
    }
    String::new()
}

#[test]
fn every_flagship_answers() {
    let Some(agent) = agent("") else { return };
    let zones = Zones::new()
        .zone("zen.lab.test", Dnsbl::healthy().text(LISTED, "127.0.0.4", "bad"))
        .zone("bl.lab.test", Dnsbl::healthy());
    let dns = Responder::start(zones);
    let lists =
        format!("-s zen.lab.test -s bl.lab.test --resolver 127.0.0.1:{} --perf-lists -t 2.5", dns.port());
    let listed = agent.result(&format!("vedette.rbl[-H {LISTED},{lists}]"));
    assert_eq!(state(&listed), 2, "{listed}");
    assert!(listed["metrics"]["zen.lab.test.time"].is_f64(), "{listed}");
    let clean = agent.result(&format!("vedette.rbl[-H 198.20.0.10,{lists}]"));
    assert_eq!((state(&clean), clean["metrics"]["healthy"].as_u64()), (0, Some(2)), "{clean}");

    let leaf = Authority::new("Lab Root CA").leaf(&LeafOptions::default());
    let tls = Service::start(server(&leaf));
    let options = format!("-H localhost -4 -p {} --no-cert -t 2.9", tls.port());
    let direct =
        Plugin::new("check_weak_ciphers").args(options.split(' ')).arg("--output=zabbix").run().text();
    let direct: Value = serde_json::from_str(&direct).unwrap();
    let scanned = agent.result(&format!("vedette.weak_ciphers[{options}]"));
    assert_eq!(scanned["metrics"]["protocols"], direct["metrics"]["protocols"], "{scanned} {direct}");
    assert_eq!(state(&scanned), state(&direct), "{scanned}");

    let facts = Table::of([
        ("hostname", Some("db2")),
        ("port", Some("3306")),
        ("server_id", Some("2")),
        ("read_only", Some("1")),
    ]);
    let fixture = Fixture::MySql84;
    let channel = fixture.status().set("Channel_Name", "west");
    let script = Script::of(fixture).status(&channel).answer("@@hostname", facts);
    let replica = ScriptedServer::start(script);
    let password = secret_file(agent.folder(), "mysql", Account::Monitor.password());
    let options = format!(
        "-H 127.0.0.1 -P {} -u {} --password-file {} --read-only ignore -t 2.5 --state-dir {}",
        replica.port(),
        Account::Monitor.user(),
        password.display(),
        agent.folder().join("state").display()
    );
    let follows = agent.result(&format!("vedette.mysql_slave[{options}]"));
    assert_eq!(state(&follows), 0, "{follows}");
    assert!(follows["metrics"]["west.lag"].is_number(), "{follows}");

    // Nobody listens there.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let away = format!("-H 127.0.0.1 -P {port} -u probe --password-file {} -t 2.5", password.display());
    for plugin in ["mysql_slave", "mysql_tables"] {
        let result = agent.result(&format!("vedette.{plugin}[{away}]"));
        assert_eq!(state(&result), 2, "{result}");
        assert!(result["summary"].as_str().unwrap().contains("refused"), "{result}");
    }

    let table = agent.result("vedette.arp_dupes[-i lo --table --no-state -t 2.5]");
    let direct =
        Plugin::new("check_arp_dupes").args(["-i", "lo", "--table", "--no-state", "--output=zabbix"]).run();
    let direct: Value = serde_json::from_str(&direct.text()).unwrap();
    assert_eq!((state(&table), &table["summary"]), (state(&direct), &direct["summary"]), "{table}");
}
