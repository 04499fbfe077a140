//! The crates in one binary, as `cargo tree` resolves them for it alone.
//!
//! `cargo metadata`, on which cargo-auditable builds, resolves features for the whole workspace:
//! by it each plugin would contain what any plugin contains.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use crate::error::Error;

/// One crate in one version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id {
    pub(crate) name: String,
    pub(crate) version: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Crate {
    /// From the registry, or from this source.
    pub(crate) local: bool,
    /// As its manifest says it; empty when it says nothing.
    pub(crate) licence: String,
    pub(crate) uses: BTreeSet<Id>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tree {
    pub(crate) root: Id,
    pub(crate) crates: BTreeMap<Id, Crate>,
}

impl Tree {
    pub(crate) fn of(plugin: &str) -> Result<Self, Error> {
        let arguments = ["tree", "--locked", "--edges", "normal,no-proc-macro", "--prefix", "depth"];
        let format = ["--format", "|{p}|{l}", "--package", plugin];
        Self::parse(&said("cargo", &[&arguments[..], &format].concat())?)
    }

    /// Reads lines such as `2|ring v0.17.14|Apache-2.0 AND ISC (*)`. A star says that what this
    /// crate uses was printed before.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let mut path: Vec<Id> = Vec::new();
        let mut crates: BTreeMap<Id, Crate> = BTreeMap::new();
        for line in text.lines() {
            let (depth, id, found) = read(line).ok_or_else(|| Error::Line(line.to_owned()))?;
            if depth > path.len() || depth == 0 && !path.is_empty() {
                return Err(Error::Line(line.to_owned()));
            }
            path.truncate(depth);
            if let Some(user) = path.last().and_then(|user| crates.get_mut(user)) {
                user.uses.insert(id.clone());
            }
            crates.entry(id.clone()).or_insert(found);
            path.push(id);
        }
        let root = path.into_iter().next().ok_or_else(|| Error::Line(String::new()))?;
        Ok(Self { root, crates })
    }
}

fn read(line: &str) -> Option<(usize, Id, Crate)> {
    let mut fields = line.split('|');
    let depth = fields.next()?.parse().ok()?;
    let (name, rest) = fields.next()?.split_once(" v")?;
    let (version, place) = rest.split_once(' ').unwrap_or((rest, ""));
    let licence = fields.next()?;
    // Before the stars of either column: `{l}` is empty in some manifests.
    let licence = licence.trim_end_matches("(*)").trim().to_owned();
    if fields.next().is_some() {
        return None;
    }
    let id = Id { name: name.to_owned(), version: version.to_owned() };
    Some((depth, id, Crate { local: place.starts_with("(/"), licence, uses: BTreeSet::new() }))
}

/// What a program says when it succeeds.
pub(crate) fn said(program: &str, arguments: &[&str]) -> Result<String, Error> {
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|source| Error::Start { program: program.to_owned(), source })?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Error::Failed { program: program.to_owned(), words });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str, version: &str) -> Id {
        Id { name: name.to_owned(), version: version.to_owned() }
    }

    #[test]
    fn a_star_does_not_lose_what_was_printed_before() {
        let tree = Tree::parse(
            "0|check_a v0.1.0 (/s/check_a)|MIT\n\
             1|ring v0.17.14|Apache-2.0 AND ISC\n\
             2|libc v0.2.1|MIT\n\
             1|webpki v0.22.4|\n\
             2|ring v0.17.14|Apache-2.0 AND ISC (*)\n\
             2|webpki v0.21.0| (*)\n",
        )
        .unwrap();
        assert_eq!(tree.root, id("check_a", "0.1.0"));
        assert_eq!(tree.crates.len(), 5);
        assert!(tree.crates[&tree.root].local && !tree.crates[&id("libc", "0.2.1")].local);
        assert_eq!(tree.crates[&id("ring", "0.17.14")].uses, BTreeSet::from([id("libc", "0.2.1")]));
        assert_eq!(
            tree.crates[&id("webpki", "0.22.4")].uses,
            BTreeSet::from([id("ring", "0.17.14"), id("webpki", "0.21.0")])
        );
        assert_eq!(tree.crates[&id("ring", "0.17.14")].licence, "Apache-2.0 AND ISC");
        assert_eq!(tree.crates[&id("webpki", "0.21.0")].licence, "");
    }

    #[test]
    fn a_line_that_is_not_understood_is_an_error() {
        for text in ["", "0|check_a|MIT", "x|check_a v1|MIT", "0|a v1|MIT\n2|b v1|MIT", "0|a v1|M\n0|b v1|M"]
        {
            assert!(Tree::parse(text).is_err(), "{text}");
        }
    }
}
