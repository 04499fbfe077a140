//! The files of policies, read as the plugin reads them.

#[path = "../src/policy/finding.rs"]
#[allow(dead_code, reason = "the plugin uses the rest")]
pub(crate) mod finding;
#[path = "../src/policy/sheet.rs"]
#[allow(dead_code, reason = "the plugin uses the rest")]
pub(crate) mod sheet;
#[path = "../src/policy/toml.rs"]
#[allow(dead_code, reason = "the plugin uses the rest")]
pub(crate) mod toml;
