//! Completions for shells.

use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{Arg, ArgAction, Command, ValueHint};
use clap_complete::{Shell, generate};

use crate::option::{Kind, OptionInfo};
use crate::plugin::PluginInfo;

/// The shells operators use.
pub const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

/// Where the script lies below the folder of generated files, under the name its shell
/// looks for.
#[must_use]
pub fn path(plugin: &PluginInfo, shell: Shell) -> PathBuf {
    let name = plugin.name;
    let file = match shell {
        Shell::Zsh => format!("_{name}"),
        Shell::Fish => format!("{name}.fish"),
        _ => name.to_owned(),
    };
    PathBuf::from(format!("completions/{shell}/{file}"))
}

/// The script.
#[must_use]
pub fn script(plugin: &PluginInfo, shell: Shell) -> String {
    let mut script = Vec::new();
    generate(shell, &mut command(plugin), plugin.name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// The visible options alone: the generators offer hidden ones as well, `--password` among
/// them.
fn command(plugin: &PluginInfo) -> Command {
    Command::new(plugin.name)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args(plugin.options.iter().map(argument))
}

fn argument(option: &OptionInfo) -> Arg {
    let mut arg = Arg::new(for_ever(&option.id)).help(option.help.clone()).required(option.required);
    if let Some(long) = &option.long {
        arg = arg.long(for_ever(long));
    }
    if let Some(short) = option.short {
        arg = arg.short(short);
    }
    arg = match option.kind {
        Kind::Flag => return arg.action(ArgAction::SetTrue),
        Kind::Count => return arg.action(ArgAction::Count),
        Kind::Value => arg.action(ArgAction::Set),
        Kind::OptionalValue => arg.action(ArgAction::Set).num_args(0..=1).require_equals(option.equals),
        Kind::List => arg.action(ArgAction::Append),
    };
    if !option.possible_values.is_empty() {
        let values = option.possible_values.iter();
        arg = arg.value_parser(
            values
                .map(|(word, help)| {
                    let value = PossibleValue::new(for_ever(word));
                    if let Some(help) = help { value.help(help.clone()) } else { value }
                })
                .collect::<Vec<_>>(),
        );
    }
    let name = option.value_name.clone().unwrap_or_default();
    arg.value_hint(hint(&name)).value_name(for_ever(&name))
}

/// clap takes names that live for ever, unless its feature `string` is on, which would make
/// the plugins bigger.
fn for_ever(text: &str) -> &'static str {
    text.to_owned().leak()
}

/// What a shell may offer for a value.
fn hint(value_name: &str) -> ValueHint {
    match value_name {
        "FILE" | "PATH" => ValueHint::FilePath,
        "DIR" => ValueHint::DirPath,
        "HOST" => ValueHint::Hostname,
        // Else a shell would offer the files of the folder.
        _ => ValueHint::Other,
    }
}
