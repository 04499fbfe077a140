//! Writes the registry: one entry for each folder in `plugins/`, so that no list in code
//! has to be kept. The type is the folder's name in camel case.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let home = env::var("CARGO_MANIFEST_DIR")?;
    let home = Path::new(&home);
    let folder = home.join("../../plugins");
    println!("cargo::rerun-if-changed={}", folder.display());
    println!("cargo::rerun-if-changed=Cargo.toml");

    let manifest = fs::read_to_string(home.join("Cargo.toml"))?;
    let plugins = plugin_names(&folder)?;
    for plugin in plugins.iter().filter(|plugin| !is_dependency(plugin, &manifest)) {
        println!(
            "cargo::error=packaging/gen/Cargo.toml lacks this line under [dependencies]: \
             {plugin} = {{ path = \"../../plugins/{plugin}\" }}"
        );
    }
    let entries: String = plugins
        .iter()
        .map(|plugin| format!("    PluginInfo::of::<{plugin}::{}>(),\n", type_name(plugin)))
        .collect();
    let registry = format!("vec![\n{entries}]\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("registry.rs"), registry)?;
    Ok(())
}

/// The folders that are crates, in order.
fn plugin_names(folder: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn is_dependency(plugin: &str, manifest: &str) -> bool {
    manifest
        .lines()
        .filter_map(|line| line.strip_prefix(plugin))
        .any(|rest| rest.trim_start().starts_with(['=', '.']))
}

/// `CheckSmtpAuth` of `check_smtp_auth`.
fn type_name(plugin: &str) -> String {
    plugin
        .split('_')
        .map(|word| {
            let mut letters = word.chars();
            let first = letters.next().map(|letter| letter.to_ascii_uppercase());
            first.into_iter().chain(letters).collect::<String>()
        })
        .collect()
}
