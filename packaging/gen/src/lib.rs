//! What the packages contain besides the binaries, made from the plugins themselves: man
//! pages, completions for shells and engine definitions.
//!
//! [`plugins`] lists every plugin with its options and metrics; each generator is a module
//! that turns that into text. Nothing here names a plugin or one of its options, apart from
//! the table of site conventions.

pub mod completions;
mod convention;
pub mod icinga2;
pub mod man;
mod option;
mod plugin;

use std::fs;
use std::path::{Path, PathBuf};

pub use convention::{Convention, convention};
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
    let plugins = plugins();
    let mut written = Vec::new();
    for plugin in &plugins {
        let path = folder.join("man").join(format!("{}.1", plugin.name));
        write(&path, &man::page(plugin, &plugins, date))?;
        written.push(path);
        for shell in completions::SHELLS {
            let path = folder.join(completions::path(plugin, shell));
            write(&path, &completions::script(plugin, shell))?;
            written.push(path);
        }
    }
    let path = folder.join("icinga2/vedette.conf");
    write(&path, &icinga2::configuration(&plugins))?;
    written.push(path);
    Ok(written)
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    let fail = |source| Error::Write { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(fail)?;
    }
    fs::write(path, text).map_err(fail)
}
