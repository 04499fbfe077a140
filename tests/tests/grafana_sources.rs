//! The queries of the dashboards, asked in the stores they are written for: InfluxDB filled by Icinga 2, and Prometheus
//! filled by the plugins' own format. Each metric of each plugin is there, and each query finds it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "test code"
)]

use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use common::report::{Document, Format, Metric, Report, State, Thresholds, render};
use lab::process::{Daemon, Group, free_port, program};
use packaging_gen::grafana::{Source, dashboard};
use packaging_gen::{PluginInfo, icinga2, plugins};
use serde_json::Value;
use tests::icinga::{FIRST_CHECKS, Icinga};

const TARGET: &str = "mail.example.org:25";

/// Whether this run is without the stores (`tests/run` without `--full`), said aloud.
fn left_out(what: &str) -> bool {
    let is_left_out = std::env::var_os("VEDETTE_WITHOUT_METRIC_STORES").is_some();
    if is_left_out {
        eprintln!("!! LEFT OUT: {what}: tests/run --full installs the stores");
    }
    is_left_out
}

/// A result with every metric of a plugin, and two members of each family.
fn result(plugin: &PluginInfo, format: Format) -> String {
    let mut report = Report::new();
    report.find("lab", State::Warning, "all that it measures");
    for metric in &plugin.metrics {
        let labels = match metric.label.strip_prefix('<').and_then(|label| label.split_once('>')) {
            Some((_, rest)) => vec![format!("alpha{rest}"), format!("zen.example.org{rest}")],
            None => vec![metric.label.to_owned()],
        };
        for label in labels {
            let thresholds =
                Thresholds { warning: Some("40".parse().unwrap()), critical: Some("50".parse().unwrap()) };
            report.measure(&Metric { label: label.leak(), ..*metric }, Some(30.0), thresholds);
        }
    }
    let document = Document {
        plugin: plugin.name,
        target: TARGET,
        state: State::Warning,
        report: &report,
        observation: None,
        verbosity: 0,
        max_output: 8192,
    };
    render(&document, format)
}

/// Every query of a dashboard with the title of its panel.
fn queries(plugin: &PluginInfo, source: Source, key: &str) -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&dashboard(plugin, source)).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().clone();
    let of = |panel: &Value| -> Vec<(String, String)> {
        let title = panel["title"].as_str().unwrap();
        let targets = panel["targets"].as_array().unwrap();
        targets.iter().map(|target| (title.to_owned(), target[key].as_str().unwrap().to_owned())).collect()
    };
    panels.iter().flat_map(of).collect()
}

/// How many lines a panel draws: two for a family, for so many were written.
fn expected(title: &str) -> usize {
    if title.starts_with('<') { 2 } else { 1 }
}

fn get(port: u16, path: &str, parameters: &[(&str, &str)]) -> Option<Value> {
    let parameters: Vec<String> =
        parameters.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    let request = format!("GET {path}?{} HTTP/1.0\r\nHost: localhost\r\n\r\n", parameters.join("&"));
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
}

fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        let _ = write!(out, "%{byte:02X}");
    }
    out
}

// ---- InfluxDB ----

#[test]
fn influxdb_filled_by_icinga_answers_every_query() {
    if left_out("InfluxDB") {
        return;
    }
    let Some(icinga) = Icinga::prepare("Icinga 2 writes to InfluxDB") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (mut influxdb, port) = start_influxdb(folder.path());
    let asked = |query: &str| get(port, "/query", &[("db", "icinga2"), ("q", query)]).unwrap_or_default();
    influxdb
        .wait_longer(FIRST_CHECKS, "InfluxDB", || get(port, "/query", &[("q", "SHOW DATABASES")]).is_some());
    let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    let create =
        format!("POST /query?q={} HTTP/1.0\r\nHost: localhost\r\n\r\n", encoded("CREATE DATABASE icinga2"));
    client.write_all(create.as_bytes()).unwrap();
    client.read_to_end(&mut Vec::new()).unwrap();

    fs::create_dir(icinga.path("plugins")).unwrap();
    let mut objects = WRITER.replace("@PORT@", &port.to_string());
    for plugin in plugins() {
        stand_in(&icinga.path("plugins"), &plugin);
        let _ = writeln!(
            objects,
            "object Service \"{0}\" {{ host_name = \"server\"; check_command = \"{1}\"; check_interval = 1s; \
             retry_interval = 1s; vars += {{ {2} }} }}",
            plugin.name,
            icinga2::command_name(&plugin),
            required(&plugin),
        );
    }
    fs::write(icinga.path("etc/vedette.conf"), icinga2::configuration(&plugins())).unwrap();
    let constants = format!("const VedettePluginDir = \"{}\"", icinga.path("plugins").display());
    let include = format!("include \"{}\"", icinga.path("etc/vedette.conf").display());
    icinga.configure(&constants, &include, &objects);
    let validated = icinga.validate();
    assert!(validated.status.success(), "{}", String::from_utf8_lossy(&validated.stdout));
    let mut daemon = icinga.start();

    for plugin in plugins() {
        for (title, query) in queries(&plugin, Source::Influxdb, "query") {
            let query = query
                .replace("$hostname", "server")
                .replace("$service", plugin.name)
                .replace("$timeFilter", "time > now() - 1h")
                .replace("$__interval", "1h");
            let mut answer = Value::Null;
            daemon.wait_longer(FIRST_CHECKS, &format!("{}: an answer to {query}", plugin.name), || {
                answer = asked(&query);
                let is_there = answer["results"][0]["series"].is_array();
                if !is_there {
                    thread::sleep(Duration::from_millis(250));
                }
                is_there
            });
            let series = answer["results"][0]["series"].as_array().unwrap();
            assert_eq!(series.len(), expected(&title), "{title}: {query}\n{answer}");
            let value = series[0]["values"].as_array().unwrap().last().unwrap()[1].as_f64();
            let wanted = match &query {
                query if title == "State" && query.contains("\"state\"") => 1.0,
                query if query.contains("\"warn\"") => 40.0,
                query if query.contains("\"crit\"") => 50.0,
                _ => 30.0,
            };
            assert_eq!(value, Some(wanted), "{title}: {query}\n{answer}");
        }
        let dashboard: Value = serde_json::from_str(&dashboard(&plugin, Source::Influxdb)).unwrap();
        for (variable, wanted) in [(1, "server"), (2, plugin.name)] {
            let query = dashboard["templating"]["list"][variable]["query"].as_str().unwrap();
            let answer = asked(&query.replace("$hostname", "server"));
            assert_eq!(answer["results"][0]["series"][0]["values"][0][1], wanted, "{query}\n{answer}");
        }
    }
    daemon.stop_within(Duration::from_secs(10));
}

const WRITER: &str = r#"
object InfluxdbWriter "influxdb" {
	host = "127.0.0.1"
	port = @PORT@
	database = "icinga2"
	flush_interval = 1s
	enable_send_thresholds = true
	enable_send_metadata = true
}
"#;

/// Prints what the plugin would, whatever it is asked.
fn stand_in(folder: &Path, plugin: &PluginInfo) {
    let file = folder.join(plugin.name);
    fs::write(&file, "#!/bin/sh\ncat \"$0.txt\"\nexit 1\n").unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o755)).unwrap();
    fs::write(folder.join(format!("{}.txt", plugin.name)), result(plugin, Format::Text)).unwrap();
}

/// Any value for what the command insists on.
fn required(plugin: &PluginInfo) -> String {
    let required = plugin.options.iter().filter(|option| option.required);
    required.map(|option| format!("{} = \"1\"; ", icinga2::variable(plugin, option))).collect()
}

fn start_influxdb(folder: &Path) -> (Daemon, u16) {
    let (port, backup) = (free_port(), free_port());
    let configuration = format!(
        "reporting-disabled = true\nbind-address = \"127.0.0.1:{backup}\"\n\
         [meta]\ndir = \"{0}/meta\"\n[data]\ndir = \"{0}/data\"\nwal-dir = \"{0}/wal\"\n\
         [http]\nbind-address = \"127.0.0.1:{port}\"\nlog-enabled = false\n[monitor]\nstore-enabled = false\n",
        folder.display()
    );
    let file = folder.join("influxdb.conf");
    fs::write(&file, configuration).unwrap();
    let mut command = Command::new(program("influxd", "influxdb"));
    command.arg("-config").arg(&file).env("HOME", folder);
    (Daemon::spawn("influxd", command, Group::FromLab, &folder.join("log")), port)
}

// ---- Prometheus ----

#[test]
fn prometheus_answers_every_query() {
    if left_out("Prometheus") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let page: String = plugins().iter().map(|plugin| result(plugin, Format::Prometheus)).collect();
    let port = free_port();
    let configuration = format!(
        "global:\n  scrape_interval: 1s\nscrape_configs:\n  - job_name: vedette\n    static_configs:\n      \
         - targets: ['127.0.0.1:{}']\n",
        exporter(page)
    );
    let file = folder.path().join("prometheus.yml");
    fs::write(&file, configuration).unwrap();
    let mut command = Command::new(program("prometheus", "prometheus"));
    command.arg(format!("--config.file={}", file.display()));
    command.arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()));
    command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    let mut daemon = Daemon::spawn("prometheus", command, Group::FromLab, &folder.path().join("log"));

    for plugin in plugins() {
        for (title, query) in queries(&plugin, Source::Prometheus, "expr") {
            let query = query.replace("$target", TARGET);
            let mut found = Vec::new();
            daemon.wait_longer(FIRST_CHECKS, &format!("{}: an answer to {query}", plugin.name), || {
                let answer = get(port, "/api/v1/query", &[("query", &query)]).unwrap_or_default();
                found = answer["data"]["result"].as_array().cloned().unwrap_or_default();
                if found.is_empty() {
                    thread::sleep(Duration::from_millis(250));
                }
                !found.is_empty()
            });
            assert_eq!(found.len(), expected(&title), "{title}: {query}\n{found:?}");
            let wanted = if title == "State" { "1" } else { "30" };
            assert!(found.iter().all(|one| one["value"][1] == wanted), "{title}: {query}\n{found:?}");
        }
        let dashboard: Value = serde_json::from_str(&dashboard(&plugin, Source::Prometheus)).unwrap();
        let variable = dashboard["templating"]["list"][1]["query"].as_str().unwrap();
        let series = variable.strip_prefix("label_values(").unwrap().strip_suffix(", target)").unwrap();
        let answer = get(port, "/api/v1/series", &[("match[]", series)]).unwrap();
        assert_eq!(answer["data"][0]["target"], TARGET, "{variable}\n{answer}");
    }
    daemon.stop_within(Duration::from_secs(10));
}

/// Serves a page to whoever asks, as the node exporter does with files that plugins leave.
fn exporter(page: String) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let head = "HTTP/1.0 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n\r\n";
            let _ = stream.write_all(format!("{head}{page}").as_bytes());
        }
    });
    port
}
