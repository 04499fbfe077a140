//! Zabbix: a template for each plugin, and user parameters for its agent.
//!
//! The plugin runs once as an external check and answers with one line of JSON; every other
//! item depends on that one. Read against Zabbix 6.0: an external check gets each parameter
//! of its key as one argument, in single quotes for the shell; an empty one is an argument as
//! well, so what is not set must be an argument that changes nothing.

mod agent;
mod discovery;
mod macros;
mod template;
mod uuid;
mod yaml;

pub use agent::user_parameters;
pub use discovery::{Family, families, plain_metrics};
pub use macros::{Macro, SPARE, macros};
pub use template::{LEFT_OUT, Release, master_key, metric_key, template_name, templates};
pub use uuid::uuid;

/// Prefix of everything that belongs to one plugin: `vedette.smtp_auth`.
#[must_use]
pub fn prefix(plugin: &crate::plugin::PluginInfo) -> String {
    format!("vedette.{}", plugin.short_name())
}
