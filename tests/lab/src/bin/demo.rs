//! Runs every plugin against an embedded server on loopback.

fn main() {}
