//! What the shipped binaries are made of.
//!
//! `sbom audit FOLDER PLUGIN...` writes the data of a section `.dep-v0` for each plugin, as
//! cargo-auditable would embed it. `sbom cyclonedx FILE BINARIES PLUGIN...` writes one bill of
//! materials for the package with the plugins in the folder BINARIES.

mod audit;
mod cyclonedx;
mod error;
mod lock;
mod tree;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::error::{At as _, Error};
use crate::tree::Tree;

const USAGE: &str = "usage: sbom audit FOLDER PLUGIN... | sbom cyclonedx FILE BINARIES PLUGIN...";

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["audit", folder, plugins @ ..] if !plugins.is_empty() => write_audits(Path::new(folder), plugins),
        ["cyclonedx", file, binaries, plugins @ ..] if !plugins.is_empty() => {
            write_bill(Path::new(file), Path::new(binaries), plugins)
        }
        _ => Err(Error::Usage(USAGE)),
    }
}

fn write_audits(folder: &Path, plugins: &[&str]) -> Result<(), Error> {
    fs::create_dir_all(folder).at(folder)?;
    for (plugin, tree) in trees(plugins)? {
        let path = folder.join(&plugin);
        fs::write(&path, audit::section(&tree)?).at(&path)?;
    }
    Ok(())
}

fn write_bill(file: &Path, binaries: &Path, plugins: &[&str]) -> Result<(), Error> {
    let facts = cyclonedx::Facts::gather()?;
    let mut digests = BTreeMap::new();
    for plugin in plugins {
        let path = binaries.join(plugin);
        digests.insert((*plugin).to_owned(), cyclonedx::sha256(&fs::read(&path).at(&path)?));
    }
    let bill = cyclonedx::bill(&trees(plugins)?, &digests, &facts)?;
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).at(folder)?;
    }
    fs::write(file, bill).at(file)
}

/// Each plugin by itself: what another plugin's features bring in is not in this one.
fn trees(plugins: &[&str]) -> Result<BTreeMap<String, Tree>, Error> {
    plugins.iter().map(|plugin| Ok(((*plugin).to_owned(), Tree::of(plugin)?))).collect()
}
