//! User parameters for the agent on a host that has the plugins itself.

use super::prefix;
use crate::plugin::PluginInfo;

const HEADER: &str = "\
# Vedette: user parameters for zabbix_agentd, generated from the plugins' own options.
#
# Key:       vedette. and the plugin's name without check_
# Arguments: up to nine parameters, each with one or more options, written as on the command
#            line: vedette.NAME[-H mail.example.org,-u probe,-t 2.5]
# Result:    one line of JSON, as the master item of the template has it
# Timeout:   give -t a value below the agent's Timeout, which is 3 s unless you raise it
# Refused:   \\ ' \" ` * ? [ ] { } ~ $ ! & ; ( ) < > | # @ in a parameter, unless the agent has
#            UnsafeUserParameters=1. Ranges are written inside:10:20, min:5 and max:5 instead,
#            and what is left can stand in an INI file: --extra-opts=SECTION
#
# Changes are lost with the next update: put lines of your own into another file.
";

/// The whole file.
#[must_use]
pub fn user_parameters(plugins: &[PluginInfo]) -> String {
    let arguments: Vec<String> = (1..=9).map(|number| format!("${number}")).collect();
    let lines = plugins.iter().map(|plugin| {
        format!(
            "\n# {}\nUserParameter={}[*],/usr/lib/vedette/plugins/{} --output=zabbix {}\n",
            plugin.about,
            prefix(plugin),
            plugin.name,
            arguments.join(" ")
        )
    });
    format!("{HEADER}{}", lines.collect::<String>())
}
