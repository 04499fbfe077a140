//! What `Cargo.lock` and `deny.toml` know of a crate: the checksum of its archive, and the
//! licence that its manifest does not say.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use toml::{Table, Value};

use crate::error::{At as _, Error};
use crate::tree::Id;

/// SHA-256 of each archive from the registry.
pub(crate) fn checksums(workspace: &Path) -> Result<BTreeMap<Id, String>, Error> {
    let lock = table(&workspace.join("Cargo.lock"))?;
    let packages = lock.get("package").and_then(Value::as_array).into_iter().flatten();
    Ok(packages
        .filter_map(|package| {
            let text = |key: &str| package.get(key)?.as_str().map(str::to_owned);
            Some((Id { name: text("name")?, version: text("version")? }, text("checksum")?))
        })
        .collect())
}

/// Licences that were looked up by hand, by the name of the crate.
pub(crate) fn clarified_licences(workspace: &Path) -> Result<BTreeMap<String, String>, Error> {
    let deny = table(&workspace.join("deny.toml"))?;
    let entries = deny.get("licenses").and_then(|licences| licences.get("clarify")).and_then(Value::as_array);
    Ok(entries
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let text = |key: &str| entry.get(key)?.as_str().map(str::to_owned);
            Some((text("crate")?, text("expression")?))
        })
        .collect())
}

fn table(path: &Path) -> Result<Table, Error> {
    let text = fs::read_to_string(path).at(path)?;
    toml::from_str(&text).map_err(|source| Error::Toml { path: path.to_owned(), source })
}
