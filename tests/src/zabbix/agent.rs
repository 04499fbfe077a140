//! The agent of Debian's package, asked by `zabbix_get`.

use std::path::Path;
use std::process::Command;
use std::time::Duration;
use std::{env, fs};

use lab::process::{Daemon, Group, free_port, left_out_without_root, prepared, program, shared_folder};
use serde_json::Value;
use tempfile::TempDir;

/// A running agent with user parameters.
#[derive(Debug)]
pub struct Agent {
    daemon: Daemon,
    folder: TempDir,
    port: u16,
}

impl Agent {
    /// Starts it with these user parameters; `None` in a run without root, which could not
    /// install it. `ini` is what `--extra-opts` without a file reads.
    #[must_use]
    pub fn start(parameters: &str, ini: &str) -> Option<Self> {
        if left_out_without_root("the Zabbix agent") {
            return None;
        }
        if env::var_os("VEDETTE_WITHOUT_ZABBIX_GET").is_some() {
            eprintln!("!! LEFT OUT: the Zabbix agent: zabbix_get could not be unpacked");
            return None;
        }
        let folder = shared_folder();
        let path = |name: &str| folder.path().join(name);
        let port = free_port();
        fs::write(path("userparameters.conf"), parameters).expect("the folder is ours");
        fs::write(path("plugins.ini"), ini).expect("the folder is ours");
        let configuration = format!(
            "Server=127.0.0.1\nListenIP=127.0.0.1\nListenPort={port}\nHostname=lab\nAllowRoot=1\nLogType=console\n\
             PidFile={}\nInclude={}\n",
            path("pid").display(),
            path("userparameters.conf").display()
        );
        fs::write(path("agent.conf"), configuration).expect("the folder is ours");
        let mut command = Command::new(program("zabbix_agentd", "zabbix-agent"));
        command.arg("-f").arg("-c").arg(path("agent.conf")).env("MP_CONFIG_FILE", path("plugins.ini"));
        let mut daemon = Daemon::spawn("zabbix_agentd", command, Group::FromLab, &path("log"));
        daemon.wait_listening(port);
        Some(Self { daemon, folder, port })
    }

    /// The value of an item, as a server would get it.
    #[must_use]
    pub fn get(&self, key: &str) -> String {
        let port = self.port.to_string();
        let output = Command::new(prepared("zabbix/zabbix_get"))
            .args(["--host", "127.0.0.1", "--port", &port, "--timeout", "20", "--key", key])
            .output()
            .expect("zabbix_get runs");
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        said.trim_end().to_owned()
    }

    /// The plugin's result.
    #[must_use]
    pub fn result(&self, key: &str) -> Value {
        let value = self.get(key);
        serde_json::from_str(&value).unwrap_or_else(|error| panic!("{key}: {error}: {value}"))
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Stops it; what it has written.
    #[must_use]
    pub fn stop(mut self) -> String {
        self.daemon.stop_within(Duration::from_secs(10));
        self.daemon.log_text()
    }
}
