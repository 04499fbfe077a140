//! The basket in a real Icinga Director: restored by its own command, twice, and offered to a service.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "test code"
)]

use std::env;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use lab::mysql::Release;
use lab::mysql::server::{Server, ServerOptions};
use lab::process::shared_folder;
use packaging_gen::{director, icinga2, plugins};
use serde_json::Value;
use tempfile::TempDir;

const MODULES: &str = "/usr/share/icingaweb2/modules";

/// Without root, where `tests/run` cannot install it, the test is left out.
fn tool() -> Option<PathBuf> {
    let tool = PathBuf::from("/usr/bin/icingacli");
    if tool.exists() && Path::new(MODULES).join("director").is_dir() {
        return Some(tool);
    }
    assert!(
        env::var_os("VEDETTE_WITHOUT_ROOT").is_some(),
        "icingaweb2-module-director is not installed: tests/run installs it"
    );
    eprintln!("!! LEFT OUT: Icinga Director is not installed");
    None
}

#[test]
fn director_restores_the_basket_and_offers_its_fields() {
    let Some(tool) = tool() else { return };
    let web = Web::start(tool);
    web.run(&["director", "migration", "run"], None);
    let basket = director::basket(&plugins());
    let whole: Value = serde_json::from_str(&basket).unwrap();
    let file = web.folder.path().join("basket.json");
    fs::write(&file, &basket).unwrap();
    // As one that was already told of the commands by Icinga would be.
    web.run(&["director", "command", "create", "vedette_rbl", "--object_type", "external_object"], None);

    let mut counts = Vec::new();
    for _ in ["once", "again"] {
        let said = web.run(&["director", "basket", "restore"], Some(&file));
        assert!(said.contains("have been restored"), "{said}");
        counts.push(web.counts());
    }
    let fields = whole["Datafield"].as_object().unwrap().len().to_string();
    assert_eq!(counts[0], [plugins().len().to_string(), fields.clone(), fields], "a field of each variable");
    assert_eq!(counts[0], counts[1], "nothing twice");

    for plugin in plugins() {
        let name = format!("vedette_{}", plugin.short_name());
        let said = web.run(&["director", "command", "show", &name, "--json", "--no-defaults"], None);
        let shown: Value = serde_json::from_str(&said).unwrap();
        let wanted = &whole["ExternalCommand"][&name];
        for key in ["object_type", "command", "vars"] {
            assert_eq!(shown[key], wanted[key], "{name}: {key}: {said}");
        }
        let arguments = |value: &Value| value["arguments"].as_object().unwrap().len();
        assert_eq!(arguments(&shown), arguments(wanted), "{name}: {said}");
    }
    web.renders_a_service();

    // A new release, whose help says it in other words.
    let known = whole["Datafield"]["1"]["description"].as_str().unwrap();
    fs::write(&file, basket.replacen(known, "In other words", 1)).unwrap();
    web.run(&["director", "basket", "restore"], Some(&file));
    let (before, after) = (&counts[1], web.counts());
    assert_eq!((&before[0], &before[2]), (&after[0], &after[2]), "the command has the new field");
    assert_eq!(before[1].parse::<u32>().unwrap() + 1, after[1].parse::<u32>().unwrap(), "the old one stays");
}

const TABLES: [&str; 3] = ["icinga_command", "director_datafield", "icinga_command_field"];

/// Icinga Web without a web server: its command, with a database.
struct Web {
    tool: PathBuf,
    folder: TempDir,
    database: Server,
}

impl Web {
    fn start(tool: PathBuf) -> Self {
        let database = Server::start(&ServerOptions::of(Release::MariaDb));
        database.admin().run(&[
            "CREATE DATABASE director CHARACTER SET utf8",
            "CREATE USER director IDENTIFIED BY 'director'",
            "GRANT ALL ON director.* TO director",
        ]);
        let folder = shared_folder();
        let web = Self { tool, folder, database };
        let resource = format!(
            "[lab]\ntype = db\ndb = mysql\nhost = 127.0.0.1\nport = {}\ndbname = director\nusername = director\n\
             password = director\ncharset = utf8\n",
            web.database.port()
        );
        let config =
            format!("[global]\nmodule_path = {MODULES}\nconfig_backend = none\n[logging]\nlog = none\n");
        for (name, text) in [
            ("resources.ini", resource.as_str()),
            ("config.ini", &config),
            ("modules/director/config.ini", "[db]\nresource = lab\n"),
        ] {
            let path = web.folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let enabled = web.folder.path().join("enabledModules");
        fs::create_dir(&enabled).unwrap();
        for module in ["incubator", "reactbundle", "director"] {
            symlink(Path::new(MODULES).join(module), enabled.join(module)).unwrap();
        }
        web
    }

    fn run(&self, words: &[&str], input: Option<&Path>) -> String {
        let mut command = Command::new(&self.tool);
        command.args(words).env("ICINGAWEB_CONFIGDIR", self.folder.path());
        if let Some(input) = input {
            command.stdin(File::open(input).unwrap());
        }
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words:?}\n{said}\n{complaint}");
        said
    }

    /// Rows of [`TABLES`].
    fn counts(&self) -> [String; 3] {
        TABLES.map(|table| self.database.admin().value(&format!("SELECT COUNT(*) FROM director.{table}")))
    }

    /// A service with values of every kind, as Director writes it for Icinga: with the variables of the Icinga 2
    /// file, and without a command of its own.
    fn renders_a_service(&self) {
        let service = r#"{ "object_type": "template", "check_command": "vedette_rbl", "vars": { "rbl_list":
            ["zen.lab.test", "bl.lab.test"], "rbl_perf_lists": true, "rbl_critical": "2", "rbl_verbose": 2 } }"#;
        self.run(&["director", "service", "create", "lists", "--json", service], None);
        self.run(&["director", "config", "render"], None);
        let checksum = "SELECT LOWER(HEX(checksum)) FROM director.director_generated_config";
        let checksum = self.database.admin().value(checksum);
        assert_eq!(checksum.len(), 40);
        let files = "SELECT GROUP_CONCAT(f.content SEPARATOR '\n') FROM director.director_generated_file f";
        let rendered = self.database.admin().value(files);
        assert!(rendered.contains("check_command = \"vedette_rbl\""), "{rendered}");
        for line in [
            "vars.rbl_critical = \"2\"",
            "vars.rbl_list = [ \"zen.lab.test\", \"bl.lab.test\" ]",
            "vars.rbl_perf_lists = true",
            "vars.rbl_verbose = 2",
        ] {
            assert!(rendered.contains(line), "{line}: {rendered}");
        }
        assert!(!rendered.contains("CheckCommand \"vedette_"), "Icinga has them already: {rendered}");
        assert!(icinga2::configuration(&plugins()).contains("CheckCommand \"vedette_rbl\""));
    }
}
