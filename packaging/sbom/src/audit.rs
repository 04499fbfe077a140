//! The data of a section `.dep-v0`: what cargo-auditable embeds and `cargo audit bin`, Trivy and
//! others read. JSON, compressed with zlib.

use std::collections::BTreeMap;

use auditable_serde::{DependencyKind, Package, Source, VersionInfo};
use miniz_oxide::deflate::compress_to_vec_zlib;

use crate::error::Error;
use crate::tree::{Crate, Id, Tree};

/// Of the revisions that are defined: the one that knows which crates only take part in the
/// building. Ours leaves those out.
const FORMAT: u32 = 1;
const BEST_COMPRESSION: u8 = 10;

pub(crate) fn section(tree: &Tree) -> Result<Vec<u8>, Error> {
    let places: BTreeMap<&Id, usize> = tree.crates.keys().zip(0..).collect();
    let packages = tree.crates.iter().map(|(id, found)| package(tree, id, found, &places));
    let info = VersionInfo { packages: packages.collect::<Result<_, _>>()?, format: FORMAT };
    Ok(compress_to_vec_zlib(&serde_json::to_vec(&info)?, BEST_COMPRESSION))
}

fn package(tree: &Tree, id: &Id, found: &Crate, places: &BTreeMap<&Id, usize>) -> Result<Package, Error> {
    let version = semver::Version::parse(&id.version)
        .map_err(|source| Error::Version { crate_name: id.name.clone(), source })?;
    Ok(Package {
        name: id.name.clone(),
        version,
        source: if found.local { Source::Local } else { Source::CratesIo },
        kind: DependencyKind::Runtime,
        dependencies: found.uses.iter().filter_map(|used| places.get(used).copied()).collect(),
        root: *id == tree.root,
    })
}
