//! Who may use whom: reads the sources with `syn` and fails when a layer of docs/adr/0001 is broken.
//!
//! Looked at are `use` trees, qualified paths (types, calls, patterns, attributes, macro arguments) and macro
//! names of every file under `common/src`, `common/examples` and `plugins/*/src`; `crate`, `self`, `super`, local
//! modules and renamed imports are resolved to full paths first. Code under `#[cfg(test)]` is free.
//! What it cannot see: a name that arrives through a type (a method call that returns a socket).

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a tree that cannot be read must fail the test"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

mod checker;
mod rules;
mod source;

use crate::rules::{LAYERS, Owner, check};
use crate::source::Source;

#[test]
fn layers_hold() {
    let sources = all_sources();
    let mut problems: Vec<String> = Vec::new();
    for layer in LAYERS {
        if !sources.iter().any(|source| source.owner == Owner::layer(layer)) {
            problems.push(format!("common/src/{layer}: no source file of this layer was found"));
        }
    }
    if !sources.iter().any(|source| matches!(source.owner, Owner::Plugin(_))) {
        problems.push("plugins/*/src: no source file was found".to_owned());
    }
    problems.extend(check(&sources));
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn a_plugin_is_one_folder_of_the_agreed_shape() {
    let mut problems = Vec::new();
    let plugins = plugin_folders();
    assert!(!plugins.is_empty(), "plugins/: no plugin was found");
    for folder in plugins {
        let name = file_name(&folder);
        if !folder.join("README.md").is_file() {
            problems.push(format!("plugins/{name}: README.md is missing"));
        }
        match fs::read_to_string(folder.join("src/main.rs")) {
            Ok(text) if text.lines().count() <= 10 => {}
            Ok(_) => problems
                .push(format!("plugins/{name}/src/main.rs: more than 10 lines; logic belongs into lib.rs")),
            Err(error) => problems.push(format!("plugins/{name}/src/main.rs: {error}")),
        }
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).expect("Cargo.toml of a plugin");
        for other in other_plugins(&name, &manifest) {
            problems.push(format!("plugins/{name}/Cargo.toml: depends on the plugin {other}"));
        }
    }
    let manifest = fs::read_to_string(root().join("common/Cargo.toml")).expect("Cargo.toml of common");
    for other in other_plugins("common", &manifest) {
        problems.push(format!("common/Cargo.toml: depends on the plugin {other}"));
    }
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

fn all_sources() -> Vec<Source> {
    let mut sources = Vec::new();
    for file in rust_files(&root().join("common/src")) {
        sources.push(Source::read(&file));
    }
    for file in rust_files(&root().join("common/examples")) {
        sources.push(Source::read(&file));
    }
    for folder in plugin_folders() {
        for file in rust_files(&folder.join("src")) {
            sources.push(Source::read(&file));
        }
    }
    sources
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ stands in the workspace").to_path_buf()
}

fn plugin_folders() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("plugins")).expect("plugins/");
    let mut folders: Vec<PathBuf> =
        entries.map(|entry| entry.expect("entry of plugins/").path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else {
        return files;
    };
    for entry in entries {
        let path = entry.expect("entry of a source folder").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Names of plugin crates other than `own` in any dependency table of a manifest.
fn other_plugins(own: &str, manifest: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut in_dependencies = false;
    for line in manifest.lines().map(|line| line.split('#').next().unwrap_or_default().trim()) {
        if line.starts_with('[') {
            in_dependencies = line.contains("dependencies");
        }
        if in_dependencies {
            let words = line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'));
            let words = words.map(|word| word.replace('-', "_"));
            found.extend(words.filter(|word| word.starts_with("check_") && word != own));
        }
    }
    found
}
