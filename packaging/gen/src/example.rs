//! The examples of a plugin as lines for engines.

use crate::convention::convention;
use crate::icinga2::PASSWORD_ENV;
use crate::plugin::PluginInfo;

/// One command line of a plugin, as in a shell.
#[derive(Clone, Debug)]
pub(crate) struct Example<'a> {
    /// What it does.
    pub(crate) what: &'static str,
    /// Everything behind the plugin's name.
    pub(crate) options: &'static str,
    plugin: &'a PluginInfo,
}

/// Those of a plugin, without the ones for a shell that sets a variable: an engine does not.
pub(crate) fn examples(plugin: &PluginInfo) -> Vec<Example<'_>> {
    let of = |&(line, what): &(&'static str, &'static str)| {
        let options = line.strip_prefix(plugin.name).unwrap_or(line).trim();
        Example { what, options, plugin }
    };
    let for_shells = |example: &Example<'_>| example.words().any(|word| example.names(PASSWORD_ENV, word));
    plugin.examples.iter().map(of).filter(|example| !for_shells(example)).collect()
}

impl Example<'_> {
    /// Whether it means the same on every host: it has no values.
    pub(crate) fn fits_anywhere(&self) -> bool {
        self.words().all(|word| word.starts_with('-') && !word.contains('='))
    }

    /// Its only target that engines know as the address of a host, and the other options.
    pub(crate) fn split_target(&self) -> Option<(&'static str, String)> {
        let option = self.plugin.options.iter().find(|option| convention(&option.id).is_some())?;
        let is_name = |word: &str| self.names(&option.id, word);
        let mut places = self.words().enumerate().filter(|(_, word)| is_name(word)).map(|(place, _)| place);
        let (place, None) = (places.next()?, places.next()) else { return None };
        let target = self.words().nth(place + 1).filter(|target| !target.contains('/'))?;
        let others = self.words().enumerate().filter(|(other, _)| *other != place && *other != place + 1);
        Some((target, others.map(|(_, word)| word).collect::<Vec<_>>().join(" ")))
    }

    fn words(&self) -> impl Iterator<Item = &'static str> {
        self.options.split_ascii_whitespace()
    }

    /// Whether a word is a name of this option.
    fn names(&self, id: &str, word: &str) -> bool {
        let names = |option: &crate::OptionInfo| {
            word == option.flag() || option.short.is_some_and(|letter| word == format!("-{letter}"))
        };
        self.plugin.option(id).is_some_and(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugins;

    #[test]
    fn values_of_a_site() {
        let plugins = plugins();
        let of = |options| Example { what: "", options, plugin: &plugins[0] }.fits_anywhere();
        assert!(of("") && of("--exit-ok -v"));
        assert!(!of("-H mail.example.org") && !of("-v --extra-opts=@F"));
    }

    #[test]
    fn the_target_of_a_host() {
        let plugins = plugins();
        let plugin = plugins.iter().find(|plugin| plugin.option("hostname").is_some()).unwrap();
        let of = |options| Example { what: "", options, plugin }.split_target();
        assert_eq!(of("-v -H a.test -t 5"), Some(("a.test", "-v -t 5".to_owned())));
        assert_eq!(of("--hostname a.test"), Some(("a.test", String::new())));
        for options in ["-H a.test -H b.test", "-H 192.0.2.0/26", "-t 5", "-H"] {
            assert_eq!(of(options), None, "{options}");
        }
    }

    #[test]
    fn no_engine_sets_a_variable() {
        let plugins = plugins();
        let all: Vec<&str> =
            plugins.iter().flat_map(|plugin| plugin.examples).map(|(line, _)| *line).collect();
        let shown = plugins.iter().flat_map(examples).map(|example| example.options);
        assert!(all.iter().any(|line| line.contains("--password-env")));
        assert!(shown.into_iter().all(|options| !options.contains("--password-env")));
    }
}
