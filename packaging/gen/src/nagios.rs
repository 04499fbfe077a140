//! Nagios and Naemon: commands for each plugin, and the plugin's examples as services.
//!
//! A command cannot leave an option out because its macro is empty, so options come as whole
//! strings in `$ARG1$` and the following ones, without quotes around them: the service quotes
//! what needs it, as in a shell. The only macro that a command brings itself is quoted.

use crate::convention::{PLUGINS, convention};
use crate::example::{Example, examples};
use crate::icinga2::left_out;
use crate::option::OptionInfo;
use crate::plugin::PluginInfo;

/// As many as a readable `check_command` has; each may hold several options.
const ARGUMENTS: usize = 8;

const HEADER: &str = r"# Vedette: check commands for Nagios and Naemon, generated from the plugins' own options.
#
#   vedette_NAME       asks the host that the service belongs to ($HOSTADDRESS$)
#   vedette_NAME_bare  has nothing but your options: for another name of the host, for a socket, a file or a list
#
# Options stand behind the command as in a shell, separated by !, one or several in each of eight arguments:
#
#   check_command  vedette_smtp_auth!--user probe!--password-file /etc/vedette/probe.pw!-w 2 -c 5
#
# A value with blanks or with characters that a shell knows goes into single quotes. Write \! for !, $$ for $ and
# \; for ;. A shell may read the line: put no macro into it whose text is not yours, such as $SERVICEOUTPUT$.
#
# Passwords: a file (mode 0640, group of the engine). What stands here or in a macro ends up in the process list, and
# the plugins refuse it there.
";

const SERVICES: &str = r"# Vedette: services for Nagios and Naemon, made from the plugins' examples. To copy from: names, addresses and files are
# not yours. generic-host, generic-service and admins are those of the sample configuration. service_check_timeout (60 s)
# must be above the -t of a service.

define host {
    use                 generic-host
    host_name           vedette-here
    alias               Where the plugins run
    address             127.0.0.1
    max_check_attempts  3
    contact_groups      admins
}
";

/// The file with the commands.
#[must_use]
pub fn commands(plugins: &[PluginInfo]) -> String {
    let commands: String = plugins.iter().map(|plugin| format!("\n{}", command(plugin))).collect();
    format!("{HEADER}{commands}")
}

/// What is said about a plugin and its options, and its commands.
#[must_use]
pub fn command(plugin: &PluginInfo) -> String {
    let mut text = format!("# {}: {}\n", plugin.name, plugin.about);
    let mut group = None;
    for option in plugin.options.iter().filter(|option| !left_out(option)) {
        if option.heading != group {
            group.clone_from(&option.heading);
            text.push_str(&format!("#\n# {}\n", group.as_deref().unwrap_or("General")));
        }
        text.push_str(&format!("#   {}\n#       {}\n", option.usage(), option.description()));
    }
    let own = plugin.options.iter().filter_map(conventional);
    let own: String = own.map(|argument| format!(" {argument}")).collect();
    let name = format!("vedette_{}", plugin.short_name());
    text.push_str(&definition(plugin, &name, &own));
    if !own.is_empty() {
        text.push_str(&definition(plugin, &format!("{name}_bare"), ""));
    }
    text
}

fn definition(plugin: &PluginInfo, name: &str, own: &str) -> String {
    let arguments: String = (1..=ARGUMENTS).map(|number| format!(" $ARG{number}$")).collect();
    let line = format!("{PLUGINS}/{}{own}{arguments}", plugin.name);
    format!("\ndefine command {{\n    command_name  {name}\n    command_line  {line}\n}}\n")
}

/// The option that engines fill in: `--hostname '$HOSTADDRESS$'`.
fn conventional(option: &OptionInfo) -> Option<String> {
    convention(&option.id).map(|convention| format!("{} '{}'", option.flag(), convention.nagios))
}

/// The file with examples of services.
#[must_use]
pub fn services(plugins: &[PluginInfo]) -> String {
    let all: Vec<(&PluginInfo, Example<'_>)> = plugins
        .iter()
        .flat_map(|plugin| examples(plugin).into_iter().map(move |one| (plugin, one)))
        .collect();
    let mut hosts: Vec<&str> = all.iter().filter_map(|(_, one)| Some(one.split_target()?.0)).collect();
    hosts.sort_unstable();
    hosts.dedup();
    let hosts: String = hosts.into_iter().map(host).collect();
    let services: String = all.iter().map(|(plugin, example)| service(plugin, example)).collect();
    format!("{SERVICES}{hosts}{services}")
}

fn host(name: &str) -> String {
    format!(
        "\ndefine host {{\n    use                 generic-host\n    host_name           {name}\n    \
         address             {name}\n    max_check_attempts  3\n    contact_groups      admins\n}}\n"
    )
}

fn service(plugin: &PluginInfo, example: &Example<'_>) -> String {
    let name = plugin.short_name();
    let has_target = plugin.options.iter().any(|option| convention(&option.id).is_some());
    let (host, command, options) = match example.split_target() {
        Some((target, others)) => (target, format!("vedette_{name}"), others),
        None if has_target => ("vedette-here", format!("vedette_{name}_bare"), example.options.to_owned()),
        None => ("vedette-here", format!("vedette_{name}"), example.options.to_owned()),
    };
    let arguments = if options.is_empty() { String::new() } else { format!("!{}", escaped(&options)) };
    let description: String = example.what.chars().filter(|c| !ILLEGAL.contains(*c)).collect();
    format!(
        "\n# {what}\ndefine service {{\n    use                  generic-service\n    host_name            {host}\n    \
         service_description  {plugin}: {description}\n    check_command        {command}{arguments}\n}}\n",
        what = example.what,
        plugin = plugin.name,
    )
}

/// What names of objects may not contain, as the sample configuration has it.
const ILLEGAL: &str = "`~!$%^&*|'\"<>?,()=";

/// Options as an argument of a `check_command`.
fn escaped(options: &str) -> String {
    options.replace('$', "$$").replace('!', r"\!").replace(';', r"\;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_engine_would_take_for_its_own() {
        assert_eq!(escaped("a!b;c$d"), r"a\!b\;c$$d");
    }
}
