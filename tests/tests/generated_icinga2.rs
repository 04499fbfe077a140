//! The generated check commands in a real Icinga 2: it accepts the file, passes the
//! arguments we think it passes, and runs the real plugin.
//!
//! The engine runs in the foreground from a private folder, without its API.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "test code"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use lab::plugin::find_binary;
use lab::smtpd::{Submission, SubmissionOptions};
use packaging_gen::icinga2::{LEFT_OUT, variable};
use packaging_gen::{Kind, OptionInfo, PluginInfo, plugins};
use tests::icinga::{FIRST_CHECKS, Icinga};

const COMMANDS: &str = "include \"vedette.conf\"";
const DATE: &str = "2000-01-01";

#[test]
fn icinga_accepts_the_check_commands() {
    let Some(icinga) = prepare() else { return };
    icinga.configure("", COMMANDS, "");
    let output = icinga.validate();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(!said.contains("warning/") && !said.contains("critical/"), "{said}");
}

#[test]
fn icinga_refuses_what_is_wrong() {
    let Some(icinga) = prepare() else { return };
    icinga.configure(
        "",
        COMMANDS,
        "object Service \"x\" { host_name = \"server\"; check_command = \"vedette_no_such\" }",
    );
    assert!(!icinga.validate().status.success(), "else the test above would prove nothing");
}

#[test]
fn your_own_folder_of_plugins_stays() {
    let Some(icinga) = prepare() else { return };
    icinga.configure(
        "",
        COMMANDS,
        "object Host \"probe\" { check_command = \"dummy\"; vars.folder = VedettePluginDir\n\
         if (VedettePluginDir != \"/usr/lib/vedette/plugins\") { throw \"changed\" } }",
    );
    assert!(icinga.validate().status.success());
    icinga.configure(
        "const VedettePluginDir = \"/opt/own\"",
        COMMANDS,
        "object Host \"probe\" { check_command = \"dummy\"\n\
         if (VedettePluginDir != \"/opt/own\") { throw \"changed\" } }",
    );
    let output = icinga.validate();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn icinga_passes_arguments_and_results() {
    let Some(icinga) = prepare() else { return };
    let server = Submission::start(SubmissionOptions::default());
    install_recorder(&icinga, &server);
    let services = SERVICES.replace("@PORT@", &server.port().to_string());
    let folder = format!("const VedettePluginDir = \"{}\"", icinga.path("plugins").display());
    let all_set: String = plugins().iter().map(every_variable_set).collect();
    icinga.configure(&folder, COMMANDS, &format!("{services}{all_set}"));

    let mut daemon = icinga.start();
    fs::write(icinga.path("plugins/every"), NOTER).unwrap();
    fs::set_permissions(icinga.path("plugins/every"), fs::Permissions::from_mode(0o755)).unwrap();
    let every: Vec<String> =
        plugins().iter().map(|plugin| format!("every_{}", plugin.short_name())).collect();
    let mut names = vec!["file", "secret", "all", "verbose1", "verbose3", "six", "named"];
    names.extend(every.iter().map(String::as_str));
    daemon.wait_longer(FIRST_CHECKS, "all services to be checked", || {
        names.iter().all(|name| icinga.path("seen").join(name).is_file())
    });
    // Longer than any check takes here: a result recorded but not yet collected would be lost.
    std::thread::sleep(Duration::from_secs(1));
    daemon.stop_within(Duration::from_secs(10));
    let log = daemon.log_text();
    assert!(!log.contains("warning/") && !log.contains("critical/"), "{log}");

    assert_eq!(
        seen(&icinga, "file"),
        words(&["--hostname 127.0.0.1", "--password-file /nonexistent"], "file")
    );
    assert_eq!(seen(&icinga, "six"), words(&["--hostname ::1", "--password-file /nonexistent"], "six"));
    assert_eq!(
        seen(&icinga, "named"),
        words(&["--hostname localhost", "--password-env OWN", "--sni server"], "named")
    );
    let ca = format!("--ca-file {}", icinga.path("plugins/ca.pem").display());
    let port = format!("--port {}", server.port());
    let secret = [
        &ca,
        "--hostname localhost",
        "--ipv4",
        "--password-env VEDETTE_SMTP_AUTH_PASSWORD",
        &port,
        "--user probe",
        "env: secret",
    ];
    assert_eq!(seen(&icinga, "secret"), words(&secret, "secret"));
    assert_eq!(seen(&icinga, "verbose1"), words(&["--hostname 127.0.0.1", "-v"], "verbose1"));
    assert_eq!(seen(&icinga, "verbose3"), words(&["--hostname 127.0.0.1", "-vvv"], "verbose3"));
    assert_eq!(
        seen(&icinga, "all"),
        words(
            &[
                "--cert-warning 30",
                "--exit-ok",
                "--extra-opts=section@/nonexistent.ini",
                "--hostname 127.0.0.1",
                "--map-state ok=ok",
                "--map-state warning=critical",
                "--password-env VEDETTE_SMTP_AUTH_PASSWORD",
                "--timeout 2.500000",
                "--warning @1:2",
                "-vv",
                "env: p'a\"s|s w$rd",
            ],
            "all",
        )
    );
    for plugin in &plugins() {
        assert_every_option(&icinga, plugin);
    }
    let results = icinga.results();
    let good = &results["secret"];
    let text = good["output"].as_str().unwrap();
    assert_eq!(good["state"], 0.0, "{text}");
    assert!(text.starts_with("SMTP_AUTH OK: probe logged in to localhost:"), "{text}");
    assert!(good["performance_data"].as_array().is_some_and(|all| all.len() > 5), "{good}");
    assert!(!good["command"].to_string().contains("\"secret\""), "the password is in the result: {good}");
    assert_eq!(results["file"]["state"], 3.0, "{}", results["file"]);
}

/// A service with every custom variable that the command of a plugin has.
fn every_variable_set(plugin: &PluginInfo) -> String {
    let name = plugin.short_name();
    let set: String = options(plugin)
        .map(|option| {
            let variable = variable(plugin, option);
            let value = match option.kind {
                Kind::Flag => "true".to_owned(),
                Kind::Count => "3".to_owned(),
                Kind::Value | Kind::OptionalValue => format!("\"1 {variable}\""),
                Kind::List => format!("[ \"1 {variable}\", \"2 {variable}\" ]"),
            };
            format!("\tvars.{variable} = {value}\n")
        })
        .collect();
    format!(
        "object CheckCommand \"every_{name}\" {{\n\timport \"vedette_{name}\"\n\
         \tcommand = [ VedettePluginDir + \"/every\", \"every_{name}\" ]\n}}\n\
         object Service \"every_{name}\" {{\n\thost_name = \"server\"\n\tcheck_command = name\n\
         \tcheck_interval = 1s\n{set}}}\n"
    )
}

/// What reached the plugin is every option once, or once for each element.
fn assert_every_option(icinga: &Icinga, plugin: &PluginInfo) {
    let file = icinga.path("seen").join(format!("every_{}", plugin.short_name()));
    let text = fs::read_to_string(file).unwrap();
    let mut found: Vec<&str> = text.lines().collect();
    let mut wanted: Vec<String> = Vec::new();
    for option in options(plugin) {
        let (flag, variable) = (option.flag(), variable(plugin, option));
        let numbers = if option.kind == Kind::List { 1..=2 } else { 1..=1 };
        for number in numbers {
            match option.kind {
                Kind::Flag => wanted.push(flag.clone()),
                Kind::Count => wanted.push("-vvv".to_owned()),
                _ if option.equals => wanted.push(format!("{flag}={number} {variable}")),
                _ => wanted.extend([flag.clone(), format!("{number} {variable}")]),
            }
        }
    }
    found.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(found, wanted, "{}", plugin.name);
}

/// Those that the commands have.
fn options(plugin: &PluginInfo) -> impl Iterator<Item = &OptionInfo> {
    plugin.options.iter().filter(|option| LEFT_OUT.iter().all(|(id, _)| *id != option.id))
}

/// Notes its further arguments in a file with the name of the first.
const NOTER: &str = r#"#!/bin/sh
seen=$(dirname "$0")/../seen
name=$1
shift
printf '%s\n' "$@" >"$seen/.$name.$$"
mv "$seen/.$name.$$" "$seen/$name"
"#;

/// Each name is the service's; the recorder finds it in `--helo`.
const SERVICES: &str = r#"
template Service "vedette" {
	host_name = "server"
	check_command = "vedette_smtp_auth"
	check_interval = 1s
	retry_interval = 1s
	max_check_attempts = 1
	vars.smtp_auth_helo = name + ".lab.test"
}
template Service "missing" {
	import "vedette"
	vars.smtp_auth_password_file = "/nonexistent"
}
object Service "file" { import "missing" }
object Service "six" { import "missing"; host_name = "six" }
object Service "named" {
	import "vedette"
	vars.smtp_auth_hostname = "localhost"
	vars.smtp_auth_password_env = "OWN"
	vars.smtp_auth_sni = "$host.name$"
}
object Service "verbose1" { import "vedette"; vars.smtp_auth_verbose = 1 }
object Service "verbose3" { import "vedette"; vars.smtp_auth_verbose = "3" }
object Service "secret" {
	import "vedette"
	vars.smtp_auth_hostname = "localhost"
	vars.smtp_auth_ipv4 = true
	vars.smtp_auth_port = @PORT@
	vars.smtp_auth_ca_file = VedettePluginDir + "/ca.pem"
	vars.smtp_auth_password = "secret"
	vars.smtp_auth_user = "probe"
}
object Service "all" {
	import "vedette"
	vars.smtp_auth_cert_warning = 30
	vars.smtp_auth_exit_ok = true
	vars.smtp_auth_insecure = false
	vars.smtp_auth_extra_opts = "section@/nonexistent.ini"
	vars.smtp_auth_map_state = [ "ok=ok", "warning=critical" ]
	vars.smtp_auth_password = "p'a\"s|s w$$rd"
	vars.smtp_auth_timeout = 2.5
	vars.smtp_auth_verbose = 2
	vars.smtp_auth_warning = "@1:2"
}
"#;

/// Stands in the place of the plugin: notes arguments and secret, then runs the plugin.
const RECORDER: &str = r#"#!/bin/sh
folder=$(dirname "$0")
record=$folder/../seen/.$$
previous=
for word; do
	case $previous in --helo) name=${word%.lab.test} ;; esac
	previous=$word
	printf '%s\n' "$word"
done >"$record"
if [ -n "$VEDETTE_SMTP_AUTH_PASSWORD" ]; then
	printf 'env: %s\n' "$VEDETTE_SMTP_AUTH_PASSWORD" >>"$record"
fi
mv "$record" "$folder/../seen/$name"
exec "$folder/real" "$@"
"#;

/// What the recorder noted, as it is compared: sorted, an option and its value in a line.
fn words(lines: &[&str], name: &str) -> String {
    let helo = format!("--helo {name}.lab.test");
    let mut lines: Vec<&str> = lines.iter().copied().chain([helo.as_str()]).collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// An engine with the generated commands in its folder.
fn prepare() -> Option<Icinga> {
    let icinga = Icinga::prepare("Icinga 2 loads the generated check commands")?;
    for folder in ["plugins", "seen"] {
        fs::create_dir(icinga.path(folder)).unwrap();
    }
    packaging_gen::write_all(&icinga.path("generated"), DATE).unwrap();
    fs::copy(icinga.path("generated/icinga2/vedette.conf"), icinga.path("etc/vedette.conf")).unwrap();
    Some(icinga)
}

/// The recorder in the plugin's place, the plugin and the CA beside it.
fn install_recorder(icinga: &Icinga, server: &Submission) {
    let place = icinga.path("plugins");
    fs::copy(find_binary("check_smtp_auth"), place.join("real")).unwrap();
    fs::copy(server.ca_file(), place.join("ca.pem")).unwrap();
    let recorder = place.join("check_smtp_auth");
    fs::write(&recorder, RECORDER).unwrap();
    fs::set_permissions(recorder, fs::Permissions::from_mode(0o755)).unwrap();
}

fn seen(icinga: &Icinga, service: &str) -> String {
    let text = fs::read_to_string(icinga.path("seen").join(service)).unwrap();
    let mut lines: Vec<String> = Vec::new();
    for word in text.lines() {
        match lines.last_mut() {
            Some(last) if !word.starts_with('-') && !word.starts_with("env: ") => {
                last.push(' ');
                last.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.sort_unstable();
    lines.join("\n")
}
