//! Checks that another host's agent runs: NRPE and Checkmk's MRPE. Both have fixed lines, which
//! a shell reads; the plugin's examples are those lines.

use crate::convention::PLUGINS;
use crate::example::{Example, examples};
use crate::plugin::PluginInfo;

const NRPE: &str = r"# Vedette: commands for NRPE, generated from the plugins' examples. For /etc/nagios/nrpe.d, or for include= in nrpe.cfg.
#
# Lines behind a # need names, addresses and files of yours: copy them into a file of your own and drop the #. Options
# stand on the line as in a shell; PLUGIN --help and its manual page list them. NRPE's own arguments ($ARG1$) are not
# used: with them whoever may ask may also choose the options.
#
# Plugins run as the user of NRPE (nrpe_user). A password belongs into a file which that user alone may read. The -t of
# a line must be below command_timeout (60 s) and below the -t of check_nrpe (10 s).
";

const MRPE: &str = r"# Vedette: lines for Checkmk's MRPE, generated from the plugins' examples. For /etc/check_mk/mrpe.cfg.
#
# Lines behind a # need names, addresses and files of yours: change them and drop the #. Options stand on the line as in
# a shell, but with double quotes only: the agent puts single ones around the line. PLUGIN --help and its manual page
# list them. The first word is the name of the service.
#
# (interval=300): the agent runs the line every five minutes beside its other work and sends the last result meanwhile.
# Without it the agent waits for the line in each of its runs.
#
# Plugins run as root, as the agent does. A password belongs into a file that root alone may read.
";

/// `nrpe/vedette.cfg`.
#[must_use]
pub fn nrpe(plugins: &[PluginInfo]) -> String {
    file(NRPE, plugins, |name, line| format!("command[{name}]={line}"))
}

/// `mrpe/mrpe.cfg`.
#[must_use]
pub fn mrpe(plugins: &[PluginInfo]) -> String {
    file(MRPE, plugins, |name, line| format!("{name} (interval=300) {}", line.replace('\'', "\"")))
}

fn file(header: &str, plugins: &[PluginInfo], entry: impl Fn(&str, &str) -> String) -> String {
    let mut text = header.to_owned();
    for plugin in plugins {
        text.push_str(&format!("\n# {}: {}\n", plugin.name, plugin.about));
        for (place, example) in examples(plugin).iter().enumerate() {
            let comment = if example.fits_anywhere() { "" } else { "#" };
            let entry = entry(&name(plugin, place), &line(plugin, example));
            text.push_str(&format!("# {}\n{comment}{entry}\n", example.what));
        }
    }
    text
}

/// `vedette_smtp_auth`, `vedette_smtp_auth_2`.
fn name(plugin: &PluginInfo, place: usize) -> String {
    let number = if place == 0 { String::new() } else { format!("_{}", place + 1) };
    format!("vedette_{}{number}", plugin.short_name())
}

fn line(plugin: &PluginInfo, example: &Example<'_>) -> String {
    format!("{PLUGINS}/{} {}", plugin.name, example.options).trim_end().to_owned()
}
