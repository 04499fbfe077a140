//! Makes the tables of the plugin from the files in `data/`: constants, so that a start costs nothing. They are made at
//! each build instead of being kept, so that they cannot differ from the data. A mistake there stops the build and is
//! named with file and line.

#[path = "build/csv.rs"]
mod csv;
#[expect(dead_code, reason = "case counts for nobody here")]
#[path = "../../common/src/proto/glob.rs"]
mod glob;
#[path = "src/suites/kinds.rs"]
mod kinds;
#[path = "build/name.rs"]
mod name;
#[path = "build/policies.rs"]
mod policies;
#[path = "build/policy.rs"]
mod policy;
#[path = "build/registry.rs"]
mod registry;
#[path = "build/suites.rs"]
mod suite_tables;

/// Where `name.rs` finds the kinds, in the plugin as here.
mod suites {
    pub(crate) use crate::kinds;
}

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), String> {
    let data = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).join("data");
    let out = PathBuf::from(variable("OUT_DIR")?);
    for part in ["data", "build", "../../common/src/proto/glob.rs", "src/suites/kinds.rs", "src/policy"] {
        println!("cargo::rerun-if-changed={part}");
    }
    match tables(&data) {
        Ok(tables) => tables.iter().try_for_each(|(file, text)| {
            fs::write(out.join(file), text).map_err(|error| format!("{file}: {error}"))
        }),
        Err(problem) => {
            println!("cargo::error={problem}");
            Ok(())
        }
    }
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|error| format!("{name}: {error}"))
}

/// Each file to write with its text.
fn tables(data: &Path) -> Result<Vec<(&'static str, String)>, String> {
    let (suites, suite_names) = suite_tables::generate(data)?;
    let (groups, group_names) = registry::groups(&data.join("groups.csv"))?;
    Ok(vec![
        ("suites.rs", suites),
        ("groups.rs", groups),
        ("alerts.rs", registry::alerts(&data.join("alerts.csv"))?),
        ("policies.rs", policies::generate(&data.join("policies"), &suite_names, &group_names)?),
    ])
}
