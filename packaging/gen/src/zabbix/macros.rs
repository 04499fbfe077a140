//! The macros of a template. Each holds one argument, written as on the command line, so
//! that one rule reaches every option, and one that is not set can be told apart from an empty
//! value.

use crate::convention::{ZABBIX_TARGET, zabbix_default};
use crate::option::{Kind, OptionInfo};
use crate::plugin::PluginInfo;

/// Macros without a meaning of their own, for all other options.
pub const SPARE: usize = 9;

/// A macro of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Macro {
    /// `{$VEDETTE.SMTP_AUTH.USER}`.
    pub name: String,
    /// What it holds when nobody sets it.
    pub value: String,
    /// For people.
    pub description: String,
}

/// The macros that stand in the key of the plugin's item, in that order.
#[must_use]
pub fn macros(plugin: &PluginInfo) -> Vec<Macro> {
    let nothing = nothing(plugin);
    let own = plugin.options.iter().filter_map(|option| {
        let default = zabbix_default(&option.id);
        let is_target = option.id == ZABBIX_TARGET.0;
        if is_target || (default.is_none() && !option.required) {
            return None;
        }
        let flag = option.flag();
        let value = default.flatten().map_or_else(|| nothing.clone(), |value| format!("{flag}={value}"));
        let example = option.value_name.as_deref().unwrap_or("VALUE");
        let description = format!("{flag}={example}, or {nothing} for nothing: {}", option.description());
        Some(Macro { name: name(plugin, &option.variable()), value, description })
    });
    let spare = (1..=SPARE).map(|number| Macro {
        name: name(plugin, &format!("option{number}")),
        value: nothing.clone(),
        description: format!("Any other option as one argument, --NAME=VALUE, or {nothing} for nothing"),
    });
    own.chain(spare).collect()
}

/// The arguments that stand in the key before the macros.
pub(super) fn fixed_arguments(plugin: &PluginInfo) -> Vec<String> {
    let (id, value) = ZABBIX_TARGET;
    let target = plugin.option(id).map(|option| format!("{}={value}", option.flag()));
    std::iter::once("--output=zabbix".to_owned()).chain(target).collect()
}

/// A macro that is no argument: `{$VEDETTE.SMTP_AUTH.INTERVAL}`.
pub(super) fn name(plugin: &PluginInfo, word: &str) -> String {
    format!("{{$VEDETTE.{}.{}}}", plugin.short_name().to_uppercase(), word.to_uppercase())
}

/// An argument that may be repeated and changes nothing in this form of output: `-v`.
fn nothing(plugin: &PluginInfo) -> String {
    let counts = |option: &&OptionInfo| option.kind == Kind::Count && option.short.is_some();
    let letter = plugin.options.iter().find(counts).and_then(|option| option.short);
    letter.map_or_else(|| "--".to_owned(), |letter| format!("-{letter}"))
}
