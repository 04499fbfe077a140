//! A bill of materials as CycloneDX 1.6 in JSON: the package, the plugins in it with the digests
//! of their files, and the crates in each of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::error::Error;
use crate::lock::{checksums, clarified_licences};
use crate::tree::{Crate, Id, Tree, said};

const PACKAGE: &str = "vedette-plugins";
const VERSION: &str = env!("CARGO_PKG_VERSION");
const LICENCE: &str = env!("CARGO_PKG_LICENSE");

/// What the trees do not say.
#[derive(Debug)]
pub(crate) struct Facts {
    checksums: BTreeMap<Id, String>,
    licences: BTreeMap<String, String>,
    /// RFC 3339; only when `SOURCE_DATE_EPOCH` is set, so that the same source gives the same bytes.
    time: Option<String>,
    compiler: String,
}

impl Facts {
    pub(crate) fn gather() -> Result<Self, Error> {
        let workspace: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let compiler = said("rustc", &["--version"])?;
        let compiler = compiler.split(' ').nth(1).ok_or_else(|| Error::Line(compiler.clone()))?.to_owned();
        let time = std::env::var("SOURCE_DATE_EPOCH").ok().map(|epoch| instant(&epoch)).transpose()?;
        Ok(Self {
            checksums: checksums(&workspace)?,
            licences: clarified_licences(&workspace)?,
            time,
            compiler,
        })
    }
}

fn instant(epoch: &str) -> Result<String, Error> {
    let wrong = || Error::Epoch(epoch.to_owned());
    let seconds = epoch.parse().map_err(|_| wrong())?;
    let time = OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| wrong())?;
    time.format(&Rfc3339).map_err(|_| wrong())
}

/// As hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn bill(
    trees: &BTreeMap<String, Tree>,
    digests: &BTreeMap<String, String>,
    facts: &Facts,
) -> Result<String, Error> {
    let crates: BTreeMap<&Id, &Crate> = trees.values().flat_map(|tree| &tree.crates).collect();
    let roots: Vec<&Id> = trees.values().map(|tree| &tree.root).collect();
    let mut components = vec![standard_library(facts)];
    for (id, found) in &crates {
        let binary = if roots.contains(id) { digests.get(&id.name) } else { None };
        components.push(component(id, found, binary, facts)?);
    }
    let plugins: Vec<String> = roots.iter().map(|id| reference(id)).collect();
    let mut uses = vec![
        json!({ "ref": PACKAGE, "dependsOn": plugins }),
        json!({ "ref": library_reference(facts), "dependsOn": [] }),
    ];
    uses.extend(crates.keys().map(|id| uses_of(id, trees, facts)));
    let metadata = json!({ "lifecycles": [{ "phase": "build" }], "component": package() });
    let metadata = match &facts.time {
        Some(time) => with(metadata, "timestamp", json!(time)),
        None => metadata,
    };
    let bill = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": metadata,
        "components": components,
        "dependencies": uses,
    });
    let number = serial(&bill.to_string());
    Ok(serde_json::to_string_pretty(&with(bill, "serialNumber", json!(number)))? + "\n")
}

fn with(mut object: Value, key: &str, value: Value) -> Value {
    if let Some(object) = object.as_object_mut() {
        object.insert(key.to_owned(), value);
    }
    object
}

/// What a crate uses, in all plugins together; its features may differ among them.
fn uses_of(id: &Id, trees: &BTreeMap<String, Tree>, facts: &Facts) -> Value {
    let found = trees.values().filter_map(|tree| tree.crates.get(id));
    let mut references: BTreeSet<String> = found.flat_map(|found| &found.uses).map(reference).collect();
    if trees.values().any(|tree| tree.root == *id) {
        references.insert(library_reference(facts));
    }
    json!({ "ref": reference(id), "dependsOn": references })
}

fn package() -> Value {
    json!({
        "type": "application",
        "bom-ref": PACKAGE,
        "name": PACKAGE,
        "version": VERSION,
        "licenses": [{ "expression": LICENCE }],
        "purl": format!("pkg:generic/vedette/{PACKAGE}@{VERSION}"),
    })
}

/// Linked into each binary, and no crate of the registry.
fn standard_library(facts: &Facts) -> Value {
    json!({
        "type": "library",
        "bom-ref": library_reference(facts),
        "name": "rust-std",
        "version": facts.compiler,
        "licenses": [{ "expression": "MIT OR Apache-2.0" }],
        "purl": format!("pkg:generic/rust-std@{}", facts.compiler),
    })
}

fn library_reference(facts: &Facts) -> String {
    format!("rust-std@{}", facts.compiler)
}

fn component(id: &Id, found: &Crate, binary: Option<&String>, facts: &Facts) -> Result<Value, Error> {
    let component = json!({
        "type": if binary.is_some() { "application" } else { "library" },
        "bom-ref": reference(id),
        "name": id.name,
        "version": id.version,
        "licenses": [{ "expression": licence(id, found, facts)? }],
        "purl": purl(id, found.local),
    });
    match if found.local { binary } else { facts.checksums.get(id) } {
        Some(hash) => Ok(with(component, "hashes", json!([{ "alg": "SHA-256", "content": hash }]))),
        None if found.local => Ok(component),
        None => Err(Error::Checksum { crate_name: id.name.clone(), version: id.version.clone() }),
    }
}

fn licence(id: &Id, found: &Crate, facts: &Facts) -> Result<String, Error> {
    if !found.licence.is_empty() {
        // How manifests wrote it before SPDX.
        return Ok(found.licence.replace('/', " OR "));
    }
    let looked_up = facts.licences.get(&id.name).cloned();
    looked_up.ok_or_else(|| Error::Licence { crate_name: id.name.clone() })
}

fn reference(id: &Id) -> String {
    format!("{}@{}", id.name, id.version)
}

/// Ours are no crates of the registry, even where they stand in for one and bear its name: what is
/// reported about that one does not concern them.
fn purl(id: &Id, local: bool) -> String {
    let kind = if local { "generic/vedette" } else { "cargo" };
    format!("pkg:{kind}/{}@{}", id.name, id.version.replace('+', "%2B"))
}

/// The same contents have the same number, as a UUID made from a hash (RFC 9562, version 8).
fn serial(text: &str) -> String {
    let hash = sha256(text.as_bytes());
    let part = |from: usize, to: usize| hash.get(from..to).unwrap_or_default().to_owned();
    format!("urn:uuid:{}-{}-8{}-8{}-{}", part(0, 8), part(8, 12), part(12, 15), part(15, 18), part(18, 30))
}
