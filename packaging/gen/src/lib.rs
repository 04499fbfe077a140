//! What the packages contain besides the binaries, made from the plugins themselves: man
//! pages, completions for shells and engine definitions.
//!
//! [`plugins`] lists every plugin with its options and metrics; each generator is a module
//! that turns that into text. Nothing here names a plugin or one of its options, apart from
//! the table of site conventions.

pub mod completions;
mod convention;
pub mod director;
mod example;
pub mod grafana;
pub mod icinga2;
pub mod man;
pub mod nagios;
mod option;
mod plugin;
pub mod remote;
pub mod tables;
pub mod zabbix;

use std::fs;
use std::path::{Path, PathBuf};

pub use convention::{Convention, ZABBIX_TARGET, convention, zabbix_default};
pub use option::{Kind, OptionInfo};
pub use plugin::{PluginInfo, StateRow};

/// Every plugin of the suite, by name. The list is written by `build.rs` from the folders.
#[must_use]
pub fn plugins() -> Vec<PluginInfo> {
    include!(concat!(env!("OUT_DIR"), "/registry.rs"))
}

/// Why nothing could be generated.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder that cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// `SOURCE_DATE_EPOCH` is not a number of seconds.
    #[error("SOURCE_DATE_EPOCH: '{0}' is not a time in seconds since 1970")]
    Epoch(String),
}

/// Writes all files below `folder` and returns their paths.
pub fn write_all(folder: &Path, date: &str) -> Result<Vec<PathBuf>, Error> {
    let files = files(&plugins(), date);
    files.into_iter().map(|(path, text)| write(&folder.join(path), &text)).collect()
}

/// Every generated file: its path below the folder of generated files, and its text.
#[must_use]
pub fn files(plugins: &[PluginInfo], date: &str) -> Vec<(PathBuf, String)> {
    let of_each = plugins.iter().flat_map(|plugin| {
        let page = (PathBuf::from(format!("man/{}.1", plugin.name)), man::page(plugin, plugins, date));
        let scripts = completions::SHELLS
            .map(|shell| (completions::path(plugin, shell), completions::script(plugin, shell)));
        let table = (PathBuf::from(format!("options/{}.md", plugin.name)), tables::document(plugin));
        let dashboards = grafana::Source::ALL.map(|source| {
            let path = format!("grafana/{}/{}.json", source.name(), plugin.name);
            (PathBuf::from(path), grafana::dashboard(plugin, source))
        });
        [page, table].into_iter().chain(scripts).chain(dashboards)
    });
    let of_all = [
        ("icinga2/vedette.conf", icinga2::configuration(plugins)),
        ("icinga-director/basket.json", director::basket(plugins)),
        ("nagios/commands/vedette.cfg", nagios::commands(plugins)),
        ("nagios/services.example.cfg", nagios::services(plugins)),
        ("nrpe/vedette.cfg", remote::nrpe(plugins)),
        ("mrpe/mrpe.cfg", remote::mrpe(plugins)),
        ("zabbix/vedette-6.0.yaml", zabbix::templates(plugins, zabbix::Release::V6_0)),
        ("zabbix/vedette-7.0.yaml", zabbix::templates(plugins, zabbix::Release::V7_0)),
        ("zabbix/userparameters.conf", zabbix::user_parameters(plugins)),
    ];
    of_each.chain(of_all.map(|(path, text)| (path.into(), text))).collect()
}

fn write(path: &Path, text: &str) -> Result<PathBuf, Error> {
    let fail = |source| Error::Write { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(fail)?;
    }
    fs::write(path, text).map_err(fail)?;
    Ok(path.to_owned())
}
