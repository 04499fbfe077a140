//! Gates on what a plugin as shipped may cost: counts that repeat.
#![allow(clippy::print_stdout, reason = "for people")]

use lab::cost::Candidate;

use crate::package::shipped;

/// What was measured is within its limit.
pub fn at_most(what: &str, measured: u64, limit: u64) {
    println!("{what}: {measured} (limit {limit})");
    assert!(measured <= limit, "{what}: {measured} is above {limit}");
}

/// Every plugin: what it costs to find out that nothing is to be done.
pub fn starts(name: &str) {
    let binary = shipped(name);
    at_most("--version", Candidate::new(&binary, ["--version"]).instructions(), 600_000);
    at_most("argument error", Candidate::new(&binary, ["--no-such-option"]).instructions(), 600_000);
}

/// The size of the file.
pub fn is_small(name: &str, limit: u64) {
    at_most("bytes", std::fs::metadata(shipped(name)).unwrap().len(), limit);
}
