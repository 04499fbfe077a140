//! The generated templates in real Zabbix servers: they are imported, checks run, values and
//! discovered items arrive, problems begin with the plugin's own words and end again.
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
use std::thread::sleep;
use std::time::{Duration, Instant};

use lab::certs::{Authority, LeafOptions};
use lab::dns::{Dnsbl, Responder, Zones};
use lab::mysql::Account;
use lab::mysql::script::{Fixture, Script, ScriptedServer, Table};
use lab::smtpd::{Submission, SubmissionOptions};
use lab::tls::{self, Service};
use packaging_gen::{plugins, zabbix};
use serde_json::{Value, json};
use tests::package::shipped;
use tests::zabbix::{Release, Server};

const SECRET: &str = "Zx9-unlikely-word";
/// A public address; the lists are in the lab.
const LISTED: &str = "198.20.0.25";
/// How long a busy server may take from a new host to its values.
const PATIENCE: Duration = Duration::from_mins(3);

#[test]
fn zabbix_6_0_imports_and_runs_the_templates() {
    runs_the_templates(Release::V6_0, &[zabbix::Release::V6_0]);
}

#[test]
fn zabbix_7_0_imports_and_runs_the_templates() {
    runs_the_templates(Release::V7_0, &[zabbix::Release::V6_0, zabbix::Release::V7_0]);
}

fn runs_the_templates(release: Release, formats: &[zabbix::Release]) {
    let scripts: Vec<PathBuf> = plugins().iter().map(|plugin| shipped(plugin.name)).collect();
    let Some(server) = Server::start(release, &scripts) else { return };
    let site = Site { server, release };
    // Once more changes what is there, and duplicates nothing; so does the other format.
    let mut ids = Vec::new();
    for format in formats.iter().chain(formats.last()) {
        site.import(&zabbix::templates(&plugins(), *format));
        ids.push(site.template_ids());
    }
    assert_eq!(ids[0].len(), plugins().len());
    assert!(ids.iter().all(|later| *later == ids[0]), "{ids:?}");

    let lab = Lab::start(&site);
    logins(&site, &lab);
    discovery(&site, &lab);
    other_flagships(&site, &lab);
    silence(&site, &lab);
    let (values, log) = (site.all_values(), site.server.log_text());
    assert!(!values.contains(SECRET) && !log.contains(SECRET), "the password is seen");
    assert!(log.contains("check_smtp_auth") || values.contains("check_smtp_auth"), "not looked at");
}

/// Good, wrong password, open password file, wrong options, and what the server ends itself.
fn logins(site: &Site, lab: &Lab) {
    let right = lab.secret("right", SECRET);
    let changing = lab.secret("changing", "Zx9-another-word");
    let open = lab.secret("open", SECRET);
    fs::set_permissions(&open, Permissions::from_mode(0o644)).unwrap();
    let login = |file: &Path, port: u16| {
        vec![
            ("PORT", format!("--port={port}")),
            ("USER", "--user=probe".to_owned()),
            ("PASSWORD_FILE", format!("--password-file={}", file.display())),
            ("OPTION1", format!("--ca-file={}", lab.submission.ca_file().display())),
            ("OPTION2", "--ipv4".to_owned()),
        ]
    };
    let port = lab.submission.port();
    let silent = lab.silent.local_addr().unwrap().port();
    let host =
        |name: &str, macros: Vec<(&str, String)>| site.host(name, "check_smtp_auth", LOCALHOST, macros);
    let good = host("good", login(&right, port));
    let bad = host("bad", login(&changing, port));
    let unreadable = host("open", login(&open, port));
    let unset = host("unset", vec![]);
    let slow = host("slow", login(&right, silent));
    let mut too_long = login(&right, silent);
    too_long.push(("TIMEOUT", "--timeout=20".to_owned()));
    let ended = host("ended", too_long);

    site.wait(&good, "vedette.smtp_auth.state", "0");
    assert!(site.value(&good, "vedette.smtp_auth.summary").starts_with("probe logged in"));
    let days: f64 = site.wait_any(&good, "vedette.smtp_auth.metric[cert_days]").parse().unwrap();
    assert!(days > 80.0, "{days}");
    assert!(site.wait_any(&good, "vedette.smtp_auth.metric[time]").parse::<f64>().unwrap() > 0.0);

    site.wait(&bad, "vedette.smtp_auth.state", "2");
    let problem = site.problem(&bad);
    assert!(problem.starts_with("check_smtp_auth: CRITICAL: ") && problem.contains("535"), "{problem}");
    fs::write(&changing, SECRET).unwrap();
    site.wait(&bad, "vedette.smtp_auth.state", "0");
    site.wait_until("the problem to end", || site.problems(&bad).is_empty());

    for (host, words) in [(&unreadable, "too open"), (&unset, "--user: required"), (&ended, "no answer")] {
        site.wait(host, "vedette.smtp_auth.state", "3");
        let summary = site.value(host, "vedette.smtp_auth.summary");
        assert!(summary.contains(words), "{words}: {summary}");
        let problem = site.problem(host);
        assert!(problem.starts_with("check_smtp_auth: UNKNOWN: ") && problem.contains(words), "{problem}");
    }
    site.wait(&slow, "vedette.smtp_auth.state", "2");
    assert!(site.problem(&slow).contains("waiting for the banner"));
    assert!(site.problems(&good).is_empty());
    assert_eq!(site.unsupported(&[good, bad, unreadable, unset, slow, ended]), Vec::<String>::new());
}

/// Items of objects that only a result names.
fn discovery(site: &Site, lab: &Lab) {
    let macros = vec![
        ("OPTION1", "--list=zen.lab.test".to_owned()),
        ("OPTION2", "--list=bl.lab.test".to_owned()),
        ("OPTION3", format!("--resolver=127.0.0.1:{}", lab.dns.port())),
        ("OPTION4", "--perf-lists".to_owned()),
    ];
    let lists = site.host("lists", "check_rbl", LISTED, macros);
    let password = lab.secret("mysql", Account::Monitor.password());
    let macros = vec![
        ("PORT", format!("--port={}", lab.replica.port())),
        ("USER", format!("--user={}", Account::Monitor.user())),
        ("PASSWORD_FILE", format!("--password-file={}", password.display())),
        ("OPTION1", "--read-only=ignore".to_owned()),
        ("OPTION2", format!("--state-dir={}", lab.folder.join("state").display())),
    ];
    let replica = site.host("replica", "check_mysql_slave", "127.0.0.1", macros);

    site.wait(&lists, "vedette.rbl.state", "2");
    assert!(site.problem(&lists).contains("zen.lab.test"));
    for list in ["zen.lab.test", "bl.lab.test"] {
        let time: f64 =
            site.wait_any(&lists, &format!("vedette.rbl.metric[\"{list}.time\"]")).parse().unwrap();
        assert!(time > 0.0, "{list}");
    }
    site.wait(&replica, "vedette.mysql_slave.state", "0");
    // The name has what keys and paths quote by.
    site.wait(&replica, r#"vedette.mysql_slave.metric["we\"st, 1].io_running"]"#, "1");
    assert_eq!(site.unsupported(&[lists, replica]), Vec::<String>::new());
}

fn other_flagships(site: &Site, lab: &Lab) {
    let macros = vec![("PORT", format!("--port={}", lab.tls.port())), ("OPTION1", "--no-cert".to_owned())];
    let ciphers = site.host("ciphers", "check_weak_ciphers", LOCALHOST, macros);
    // Nobody listens there.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let macros = vec![
        ("PORT", format!("--port={port}")),
        ("USER", "--user=probe".to_owned()),
        ("PASSWORD_FILE", format!("--password-file={}", lab.secret("tables", SECRET).display())),
    ];
    let tables = site.host("tables", "check_mysql_tables", "127.0.0.1", macros);
    let macros = vec![("OPTION1", "--interface=lo".to_owned()), ("OPTION2", "--no-state".to_owned())];
    let arp = site.host("arp", "check_arp_dupes", "127.0.0.1", macros);

    site.wait(&ciphers, "vedette.weak_ciphers.metric[protocols]", "2");
    assert_eq!(site.value(&ciphers, "vedette.weak_ciphers.metric[broken]"), "0");
    site.wait(&tables, "vedette.mysql_tables.state", "2");
    assert!(site.problem(&tables).contains("refused"));
    // Loopback has no neighbours.
    site.wait(&arp, "vedette.arp_dupes.state", "3");
    assert_eq!(site.unsupported(&[ciphers, tables, arp]), Vec::<String>::new());
}

/// A server that does not run the check at all: its item is off.
fn silence(site: &Site, lab: &Lab) {
    let macros = vec![("NODATA", "30s".to_owned()), ("PORT", format!("--port={}", lab.submission.port()))];
    let host = site.host("silence", "check_smtp_auth", LOCALHOST, macros);
    site.wait_any(&host, "vedette.smtp_auth.state");
    let items = site.get("item.get", &json!({"hostids": host, "search": {"key_": "check_smtp_auth["}}));
    site.get("item.update", &json!({"itemid": items[0]["itemid"], "status": 1}));
    site.wait_until("the trigger of silence", || {
        site.problems(&host).iter().any(|name| name == "check_smtp_auth: no result for 30s")
    });
}

const LOCALHOST: &str = "localhost";

/// What the checks look at.
struct Lab {
    submission: Submission,
    silent: TcpListener,
    dns: Responder,
    replica: ScriptedServer,
    tls: Service,
    folder: PathBuf,
}

impl Lab {
    fn start(site: &Site) -> Self {
        let users = BTreeMap::from([("probe".to_owned(), SECRET.to_owned())]);
        let zones = Zones::new()
            .zone("zen.lab.test", Dnsbl::healthy().text(LISTED, "127.0.0.4", "bad"))
            .zone("bl.lab.test", Dnsbl::healthy());
        let facts = [("hostname", "db2"), ("port", "3306"), ("server_id", "2"), ("read_only", "1")];
        let facts = Table::of(facts.map(|(name, value)| (name, Some(value))));
        let fixture = Fixture::MySql84;
        let channel = fixture.status().set("Channel_Name", "we\"st, 1]");
        let folder = site.server.path("lab");
        fs::create_dir(&folder).unwrap();
        let leaf = Authority::new("Lab Root CA").leaf(&LeafOptions::default());
        Self {
            submission: Submission::start(SubmissionOptions { users, ..SubmissionOptions::default() }),
            silent: TcpListener::bind("127.0.0.1:0").unwrap(),
            dns: Responder::start(zones),
            replica: ScriptedServer::start(Script::of(fixture).status(&channel).answer("@@hostname", facts)),
            tls: Service::start(tls::server(&leaf)),
            folder,
        }
    }

    fn secret(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        path
    }
}

/// What an operator does, by the interface.
struct Site {
    server: Server,
    release: Release,
}

impl Site {
    fn get(&self, method: &str, parameters: &Value) -> Value {
        self.server.api.call(method, parameters)
    }

    fn import(&self, file: &str) {
        let both = json!({"createMissing": true, "updateExisting": true});
        let groups = match self.release {
            Release::V6_0 => "groups",
            Release::V7_0 => "template_groups",
        };
        let rules = json!({
            groups: both, "templates": both, "items": both, "triggers": both, "discoveryRules": both,
            "valueMaps": both
        });
        let imported =
            self.get("configuration.import", &json!({"format": "yaml", "rules": rules, "source": file}));
        assert_eq!(imported, true);
    }

    fn template_ids(&self) -> Vec<String> {
        let found = self
            .get("template.get", &json!({"search": {"host": "Vedette check_"}, "output": ["templateid"]}));
        found.as_array().unwrap().iter().map(|one| one["templateid"].as_str().unwrap().to_owned()).collect()
    }

    /// A host with the template of a plugin, checked every two seconds; its identifier.
    fn host(&self, name: &str, plugin: &str, target: &str, macros: Vec<(&str, String)>) -> String {
        let template = format!("Vedette {plugin}");
        let template =
            self.get("template.get", &json!({"filter": {"host": template}, "output": ["templateid"]}));
        let group = self.get("hostgroup.get", &json!({"filter": {"name": "Discovered hosts"}}));
        let word = plugin.trim_start_matches("check_").to_uppercase();
        let mut macros = macros;
        macros.push(("INTERVAL", "2s".to_owned()));
        let macros: Vec<Value> = macros
            .into_iter()
            .map(|(end, value)| json!({"macro": format!("{{$VEDETTE.{word}.{end}}}"), "value": value}))
            .collect();
        let is_name = target == LOCALHOST;
        let interface = json!({
            "type": 1, "main": 1, "port": "10050", "useip": i32::from(!is_name),
            "ip": if is_name { "" } else { target }, "dns": if is_name { target } else { "" }
        });
        let host = self.get(
            "host.create",
            &json!({
                "host": name,
                "groups": [{"groupid": group[0]["groupid"]}],
                "templates": [{"templateid": template[0]["templateid"]}],
                "interfaces": [interface],
                "macros": macros
            }),
        );
        host["hostids"][0].as_str().unwrap().to_owned()
    }

    /// The last value of an item; empty when it has none.
    fn value(&self, host: &str, key: &str) -> String {
        let filter = json!({"hostids": host, "filter": {"key_": key}, "output": ["lastvalue", "lastclock"]});
        let items = self.get("item.get", &filter);
        let value = items[0]["lastvalue"].as_str().filter(|_| items[0]["lastclock"] != "0");
        value.unwrap_or_default().to_owned()
    }

    fn wait(&self, host: &str, key: &str, want: &str) {
        self.wait_until(&format!("{key} to be {want}"), || self.value(host, key) == want);
    }

    fn wait_any(&self, host: &str, key: &str) -> String {
        self.wait_until(key, || !self.value(host, key).is_empty());
        self.value(host, key)
    }

    fn wait_until(&self, what: &str, mut ready: impl FnMut() -> bool) {
        let until = Instant::now() + PATIENCE;
        while !ready() {
            let late = Instant::now() >= until;
            assert!(!late, "waited for {what}\n{}\n{}", self.all_values(), self.server.log_text());
            sleep(Duration::from_millis(300));
        }
    }

    /// Names of the problems of a host.
    fn problems(&self, host: &str) -> Vec<String> {
        let found = self.get("problem.get", &json!({"hostids": host, "output": ["name"]}));
        found.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    }

    /// The only one there is.
    fn problem(&self, host: &str) -> String {
        self.wait_until("a problem", || !self.problems(host).is_empty());
        let mut found = self.problems(host);
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }

    /// Items and rules with an error.
    fn unsupported(&self, hosts: &[String]) -> Vec<String> {
        let mut found = Vec::new();
        for method in ["item.get", "discoveryrule.get"] {
            let all = self.get(method, &json!({"hostids": hosts, "output": ["key_", "error", "state"]}));
            let wrong = |one: &&Value| one["state"] != "0" || one["error"] != "";
            found.extend(all.as_array().unwrap().iter().filter(wrong).map(ToString::to_string));
        }
        found
    }

    /// Everything that is known of the items of the tests' own hosts.
    fn all_values(&self) -> String {
        let group = self.get("hostgroup.get", &json!({"filter": {"name": "Discovered hosts"}}));
        let filter = json!({"groupids": group[0]["groupid"], "output": ["key_", "lastvalue", "error"]});
        let items = self.get("item.get", &filter);
        items.as_array().unwrap().iter().map(|item| format!("{item}\n")).collect()
    }
}
