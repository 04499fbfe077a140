//! Why there is no list.

use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{0}")]
    Usage(&'static str),
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("cannot run {program}: {source}")]
    Start { program: String, source: io::Error },
    #[error("{program} failed: {words}")]
    Failed { program: String, words: String },
    #[error("cargo tree: not understood: {0:?}")]
    Line(String),
    #[error("{crate_name} has no licence: say it in deny.toml")]
    Licence { crate_name: String },
    #[error("{crate_name} {version} has no checksum in Cargo.lock")]
    Checksum { crate_name: String, version: String },
    #[error("{}: {source}", path.display())]
    Toml { path: PathBuf, source: toml::de::Error },
    #[error("{crate_name}: {source}")]
    Version { crate_name: String, source: semver::Error },
    #[error("SOURCE_DATE_EPOCH: '{0}' is not a time in seconds since 1970")]
    Epoch(String),
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Says which file an error is about.
pub(crate) trait At<T> {
    fn at(self, path: &Path) -> Result<T, Error>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, path: &Path) -> Result<T, Error> {
        self.map_err(|source| Error::File { path: path.to_owned(), source })
    }
}
