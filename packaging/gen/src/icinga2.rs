//! Icinga 2: one `CheckCommand` for each plugin.
//!
//! Names follow one rule, `vedette_smtp_auth` and `$smtp_auth_password_file$`. Read against
//! Icinga 2.13: an undefined custom variable drops its argument, an undefined one in `env`
//! sets an empty variable without a warning, `set_if` takes numbers and booleans only.

use crate::convention::{Convention, convention};
use crate::option::{Kind, OptionInfo};
use crate::plugin::PluginInfo;

/// Options without an argument in the command, by identifier.
pub const LEFT_OUT: [(&str, &str); 3] = [
    ("help", "for people"),
    ("version", "for people"),
    ("password_fd", "the engine opens no descriptors for a plugin"),
];

const HEADER: &str = "\
/* Vedette: check commands for Icinga 2, generated from the plugins' own options.
 *
 * To be included after <itl> and <plugins>. Changes are lost with the next update: set custom
 * variables in your hosts, services or templates, or import a command into one of your own.
 *
 * Command:   vedette_ and the plugin's name without check_
 * Variables: the plugin's name without check_, and the option with underscores:
 *            --password-file of check_smtp_auth is smtp_auth_password_file
 * Flags:     true or false
 * Lists:     an array gives the option once for each element
 * Verbosity: ..._verbose = 1, 2 or 3 stands for -v, -vv, -vvv
 * Password:  ..._password reaches the plugin through its environment: it is not in the process
 *            list and not in the check result, but it is in the configuration and in the API's
 *            view of the service. ..._password_file is better.
 */

// Defined elsewhere before this file is read, e.g. in constants.conf, your value stays.
if (!globals.contains(\"VedettePluginDir\")) {
\tconst VedettePluginDir = \"/usr/lib/vedette/plugins\"
}
";

/// The whole file.
#[must_use]
pub fn configuration(plugins: &[PluginInfo]) -> String {
    let commands: String = plugins.iter().map(|plugin| format!("\n{}", check_command(plugin))).collect();
    format!("{HEADER}{commands}")
}

/// The object of one plugin.
#[must_use]
pub fn check_command(plugin: &PluginInfo) -> String {
    let options: Vec<&OptionInfo> = plugin.options.iter().filter(|option| !left_out(option)).collect();
    let conventions: Vec<(&OptionInfo, &Convention)> =
        options.iter().filter_map(|option| Some((*option, convention(&option.id)?))).collect();

    let mut text = format!("// {}\nobject CheckCommand \"{}\" {{\n", plugin.about, command_name(plugin));
    let mut imports: Vec<&str> =
        conventions.iter().filter_map(|(_, convention)| convention.icinga2_import).collect();
    imports.dedup();
    for import in imports {
        text.push_str(&format!("\timport \"{import}\"\n\n"));
    }
    text.push_str(&format!("\tcommand = [ VedettePluginDir + \"/{}\" ]\n\n\targuments = {{\n", plugin.name));
    for option in options {
        text.push_str(&arguments(plugin, option));
    }
    text.push_str("\t}\n");
    if takes_password(plugin) {
        let (name, variable) = (password_environment(plugin), password_variable(plugin));
        text.push_str(&format!("\n\tenv = {{\n\t\t{name} = \"${variable}$\"\n\t}}\n"));
    }
    if !conventions.is_empty() {
        text.push('\n');
    }
    for (option, convention) in conventions {
        text.push_str(&format!("\tvars.{} = {}\n", variable(plugin, option), quoted(convention.icinga2)));
    }
    text.push_str("}\n");
    text
}

/// The name of the command: `vedette_smtp_auth`.
#[must_use]
pub fn command_name(plugin: &PluginInfo) -> String {
    format!("vedette_{}", plugin.short_name())
}

/// The custom variable of an option: `smtp_auth_hostname`.
#[must_use]
pub fn variable(plugin: &PluginInfo, option: &OptionInfo) -> String {
    format!("{}_{}", plugin.short_name(), option.variable())
}

/// The custom variable with the password itself: `smtp_auth_password`.
#[must_use]
pub fn password_variable(plugin: &PluginInfo) -> String {
    format!("{}_password", plugin.short_name())
}

/// The environment variable that carries it: `VEDETTE_SMTP_AUTH_PASSWORD`.
#[must_use]
pub fn password_environment(plugin: &PluginInfo) -> String {
    format!("VEDETTE_{}", password_variable(plugin).to_uppercase())
}

pub(crate) const PASSWORD_ENV: &str = "password_env";

pub(crate) fn takes_password(plugin: &PluginInfo) -> bool {
    plugin.option(PASSWORD_ENV).is_some()
}

pub(crate) fn left_out(option: &OptionInfo) -> bool {
    LEFT_OUT.iter().any(|(id, _)| *id == option.id)
}

/// The entries of `arguments` for one option.
fn arguments(plugin: &PluginInfo, option: &OptionInfo) -> String {
    let variable = variable(plugin, option);
    let description = ("description", quoted(&option.description()));
    let value = ("value", format!("\"${variable}$\""));
    match option.kind {
        Kind::Flag => entry(&option.flag(), &[("set_if", format!("\"${variable}$\"")), description]),
        Kind::Count => counted(option, &variable),
        Kind::Value | Kind::OptionalValue | Kind::List => {
            let mut attributes = vec![value, description];
            if option.required {
                attributes.push(("required", "true".to_owned()));
            }
            if option.kind == Kind::List {
                attributes.push(("repeat_key", "true".to_owned()));
            }
            if option.equals {
                attributes.push(("separator", "\"=\"".to_owned()));
            }
            let mut text = entry(&option.flag(), &attributes);
            if option.id == PASSWORD_ENV {
                text.push_str(&password_argument(plugin, option));
            }
            text
        }
    }
}

/// One variable with a number, as one argument for each number: a value cannot repeat a
/// flag.
fn counted(option: &OptionInfo, variable: &str) -> String {
    counts(option, variable)
        .iter()
        .map(|(key, condition, description)| {
            let condition = format!("{{{{ {condition} }}}}");
            entry(key, &[("set_if", condition), ("description", quoted(description))])
        })
        .collect()
}

/// Flag, condition and description for each number. `number()` because the variable may be a
/// text.
pub(crate) fn counts(option: &OptionInfo, variable: &str) -> Vec<(String, String, String)> {
    let Some(letter) = option.short else { return Vec::new() };
    let count = format!("number(macro(\"${variable}$\"))");
    [("==", 1), ("==", 2), (">=", 3)]
        .iter()
        .map(|(operator, number)| {
            let key = format!("-{}", letter.to_string().repeat(*number));
            let condition = format!("{count} {operator} {number}");
            (key, condition, format!("{} ({variable} = {number})", option.help))
        })
        .collect()
}

/// Tells the plugin which environment variable holds the password, when there is one.
/// `string()` because the custom variable may be undefined or a number.
fn password_argument(plugin: &PluginInfo, option: &OptionInfo) -> String {
    let variable = password_variable(plugin);
    let condition = format!("{{{{ string(macro(\"${variable}$\")) != \"\" }}}}");
    entry(
        &variable,
        &[
            ("set_if", condition),
            ("key", quoted(&option.flag())),
            ("value", quoted(&password_environment(plugin))),
            (
                "description",
                quoted(&format!("Password from the variable {variable}, through the environment")),
            ),
        ],
    )
}

fn entry(key: &str, attributes: &[(&str, String)]) -> String {
    let lines: String = attributes.iter().map(|(name, value)| format!("\t\t\t{name} = {value}\n")).collect();
    format!("\t\t{} = {{\n{lines}\t\t}}\n", quoted(key))
}

/// A string literal of Icinga's language.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', " "))
}
