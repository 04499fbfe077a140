//! What the packages say they are made of: the list of crates inside each plugin, read by the library that scanners
//! use, and the bill of materials, judged by the schema of CycloneDX.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "test code"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use auditable_info::{Limits, audit_info_from_file};
use lab::process::{prepared, shared_folder};
use packaging_gen::plugins;
use ring::digest::{SHA256, digest};
use serde_json::Value;
use tempfile::TempDir;
use tests::package::{PLUGINS, package, unpack, workspace};

const BILL: &str = "usr/share/doc/vedette-plugins/vedette-plugins.cdx.json";

#[test]
fn each_plugin_names_the_crates_it_is_linked_from() {
    let Some(package) = package() else { return };
    let root = unpacked(&package);
    for name in plugins().iter().map(|plugin| plugin.name) {
        let file = root.path().join(PLUGINS).join(name);
        let named = named_inside(&file);
        // What a panic would say is a witness that knows nothing of the list.
        let seen = sources_in(&fs::read(&file).unwrap());
        assert!(seen.len() > 5, "{name}: {seen:?}");
        let missing: Vec<&String> = seen.difference(&named).collect();
        assert!(missing.is_empty(), "{name} is made of {missing:?}, and does not say so");
    }
    let rbl = named_inside(&root.path().join(PLUGINS).join("check_rbl"));
    let slave = named_inside(&root.path().join(PLUGINS).join("check_mysql_slave"));
    let has = |list: &BTreeSet<String>, name: &str| list.iter().any(|one| one.starts_with(name));
    assert!(has(&slave, "mysql-") && has(&slave, "rustls-"), "{slave:?}");
    assert!(has(&rbl, "hickory-proto-"), "{rbl:?}");
    assert!(!has(&rbl, "mysql-") && !has(&rbl, "rustls-"), "what it does not use is not named: {rbl:?}");
}

#[test]
fn the_bill_has_every_crate_with_version_licence_address_and_digest() {
    let Some(package) = package() else { return };
    let root = unpacked(&package);
    let bill = bill(&root);
    let components: BTreeMap<&str, &Value> = list(&bill["components"])
        .iter()
        .map(|component| (component["bom-ref"].as_str().unwrap(), component))
        .collect();
    let lock = checksums();
    let mut from_registry = 0;
    for (name, component) in &components {
        assert!(!text(&component["licenses"][0]["expression"]).is_empty(), "{name}");
        let purl = text(&component["purl"]);
        if purl.starts_with("pkg:cargo/") {
            from_registry += 1;
            let wanted = format!("pkg:cargo/{}@{}", text(&component["name"]), text(&component["version"]));
            assert_eq!(purl.replace("%2B", "+"), wanted);
            let hash = &component["hashes"][0];
            assert_eq!(text(&hash["alg"]), "SHA-256");
            assert_eq!(Some(text(&hash["content"])), lock.get(*name).map(String::as_str), "{name}");
        } else {
            assert!(purl.starts_with("pkg:generic/"), "{name}: {purl}");
        }
    }
    assert!(from_registry > 50, "{from_registry}");

    let uses: BTreeMap<&str, Vec<&str>> = list(&bill["dependencies"])
        .iter()
        .map(|entry| (text(&entry["ref"]), list(&entry["dependsOn"]).iter().map(text).collect()))
        .collect();
    let shipped: BTreeSet<&str> = uses["vedette-plugins"].iter().copied().collect();
    let wanted: BTreeSet<String> =
        plugins().iter().map(|plugin| format!("{}@{}", plugin.name, env!("CARGO_PKG_VERSION"))).collect();
    assert!(shipped.iter().copied().eq(wanted.iter().map(String::as_str)), "{shipped:?}");
    for plugin in shipped {
        let name = plugin.split('@').next().unwrap();
        let file = root.path().join(PLUGINS).join(name);
        let hash = digest(&SHA256, &fs::read(&file).unwrap());
        let hash: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(text(&components[plugin]["hashes"][0]["content"]), hash, "{name}");
        // All that the file names can be reached in the bill from the plugin.
        let reached: BTreeSet<String> =
            reachable(plugin, &uses).iter().map(|one| one.replace('@', "-")).collect();
        let named = named_inside(&file);
        assert!(named.is_subset(&reached), "{name}: {:?}", named.difference(&reached).collect::<Vec<_>>());
    }
}

#[test]
fn the_bill_is_what_the_schema_of_cyclonedx_wants() {
    let Some(package) = package() else { return };
    if std::env::var_os("VEDETTE_WITHOUT_CYCLONEDX").is_some() {
        eprintln!("!! LEFT OUT: judging the bill of materials: cyclonedx-python-lib could not be installed");
        return;
    }
    let root = unpacked(&package);
    let judge = |file: &Path| {
        let mut command = Command::new(prepared("cyclonedx").join("bin/python"));
        command.arg(workspace().join("tests/lab/judge_bill.py")).arg(file).output().unwrap()
    };
    let output = judge(&root.path().join(BILL));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let mut wrong = bill(&root);
    wrong["components"][0]["type"] = "plugin".into();
    let file = root.path().join("wrong.json");
    fs::write(&file, wrong.to_string()).unwrap();
    assert!(!judge(&file).status.success(), "the judge finds what is wrong");
}

// ---- lists ----

fn unpacked(package: &Path) -> TempDir {
    let folder = shared_folder();
    unpack(package, folder.path());
    folder
}

/// Crates in the section `.dep-v0` of a plugin, as NAME-VERSION.
fn named_inside(plugin: &Path) -> BTreeSet<String> {
    let info = audit_info_from_file(plugin, Limits::default()).unwrap();
    assert_eq!(info.packages.iter().filter(|package| package.root).count(), 1);
    let root = info.packages.iter().find(|package| package.root).unwrap();
    assert_eq!(root.name, plugin.file_name().unwrap().to_str().unwrap());
    info.packages.iter().map(|package| format!("{}-{}", package.name, package.version)).collect()
}

/// Crates whose source files a binary names, such as `/crates/ring-0.17.14/src/aead.rs`.
fn sources_in(binary: &[u8]) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(binary);
    let after = text.split("/crates/").skip(1);
    after.filter_map(|rest| rest.split_once('/')).map(|(name, _)| name.to_owned()).collect()
}

fn bill(root: &TempDir) -> Value {
    serde_json::from_str(&fs::read_to_string(root.path().join(BILL)).unwrap()).unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn reachable<'a>(from: &'a str, uses: &BTreeMap<&'a str, Vec<&'a str>>) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut ahead = vec![from];
    while let Some(next) = ahead.pop() {
        if found.insert(next) {
            ahead.extend(&uses[next]);
        }
    }
    found
}

/// Of the archives of all crates in `Cargo.lock`, by NAME@VERSION.
fn checksums() -> BTreeMap<String, String> {
    let lock = fs::read_to_string(workspace().join("Cargo.lock")).unwrap();
    lock.split("[[package]]")
        .filter_map(|entry| {
            let field = |name: &str| {
                let line = entry.lines().find_map(|line| line.strip_prefix(&format!("{name} = \"")))?;
                line.strip_suffix('"')
            };
            Some((format!("{}@{}", field("name")?, field("version")?), field("checksum")?.to_owned()))
        })
        .collect()
}
