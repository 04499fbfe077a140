//! What the operator wants, files included.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::str::FromStr;

use common::cli::BadValue;
use common::net::{ProbeError, cause};
use common::proto::address::is_public;

use crate::CheckRbl;
use crate::list::{List, ListSpec, collect};
use crate::target::{MAX_TARGETS, Target};

/// Lists and targets of a run, ready to be asked.
pub(crate) struct Input {
    pub(crate) lists: Vec<List>,
    /// Networks taken apart, each target once.
    pub(crate) targets: Vec<Target>,
}

/// A larger file is not a list of lists.
const MAX_FILE: usize = 4 * 1024 * 1024;

impl Input {
    /// Reads the files and puts everything together. Whatever is wrong ends the run before
    /// the first question.
    pub(crate) fn read(options: &CheckRbl) -> Result<Self, ProbeError> {
        let lists = lists(options)?;
        let targets = targets(options)?;
        if !options.targets.allow_private {
            let private = targets.iter().find_map(|target| match target {
                Target::Address(address) if !is_public(*address) => Some(address),
                _ => None,
            });
            if let Some(address) = private {
                return Err(ProbeError::local(format!(
                    "{address} is not a public address, no list can know it"
                ))
                .with_hint("--allow-private asks all the same"));
            }
        }
        Ok(Self { lists, targets })
    }
}

fn lists(options: &CheckRbl) -> Result<Vec<List>, ProbeError> {
    let given = &options.lists;
    let mut specs: Vec<ListSpec> = match &given.list_file {
        Some(path) => lines::<ListSpec>("--list-file", path)?,
        None => Vec::new(),
    };
    specs.extend(given.list.iter().cloned());
    if specs.is_empty() {
        specs.push(ListSpec::Default);
    }
    specs.extend(given.allow_list.iter().map(|allow| allow.0.clone()));
    Ok(collect(specs))
}

fn targets(options: &CheckRbl) -> Result<Vec<Target>, ProbeError> {
    let mut given = options.targets.hostname.clone();
    if let Some(path) = &options.targets.targets_file {
        given.extend(lines::<Target>("--targets-file", path)?);
    }
    let mut targets: Vec<Target> = Vec::new();
    for target in given {
        targets.extend(target.expand());
        if targets.len() > MAX_TARGETS {
            let text = format!("more than {MAX_TARGETS} targets are too many for one run");
            return Err(ProbeError::local(text).with_hint("split them among several services"));
        }
    }
    let mut known = std::collections::HashSet::new();
    targets.retain(|target| known.insert(target.clone()));
    Ok(targets)
}

/// The lines of a file, without comments and blanks; one at least.
fn lines<T>(option: &str, path: &Path) -> Result<Vec<T>, ProbeError>
where
    T: FromStr<Err = BadValue>,
{
    let shown = path.display();
    let unreadable = |why: String| ProbeError::local(format!("{option}: cannot read {shown}: {why}"));
    // Measured while it is read: a device does not say how long it is.
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE as u64 + 1).read_to_string(&mut text))
        .map_err(|error| unreadable(cause(&error)))?;
    if text.len() > MAX_FILE {
        return Err(unreadable(format!("more than {MAX_FILE} bytes are too many")));
    }
    let mut values = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let value = line.split('#').next().unwrap_or_default().trim();
        if value.is_empty() {
            continue;
        }
        let read = value.parse().map_err(|error: BadValue| ProbeError {
            hint: error.hint,
            ..ProbeError::local(format!("{option}: {shown} line {}: {}", number + 1, error.cause))
        })?;
        values.push(read);
    }
    if values.is_empty() { Err(ProbeError::local(format!("{option}: {shown} is empty"))) } else { Ok(values) }
}
