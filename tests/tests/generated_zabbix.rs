//! The generated Zabbix files against the plugins themselves: every metric is an item, every
//! option can be given, and what a server identifies objects by does not change unseen.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

use std::collections::BTreeSet;

use lab::plugin::Plugin;
use packaging_gen::zabbix::{self, Release};
use packaging_gen::{PluginInfo, plugins};
use yaml_rust2::{Yaml, YamlLoader};

const RELEASES: [Release; 2] = [Release::V6_0, Release::V7_0];

#[test]
fn every_metric_is_an_item() {
    for release in RELEASES {
        for (plugin, template) in templates(release) {
            let items = list(&template, "items");
            let prototypes: Vec<Yaml> = list(&template, "discovery_rules")
                .iter()
                .flat_map(|rule| list(rule, "item_prototypes"))
                .collect();
            for metric in &plugin.metrics {
                let family = metric.label.strip_prefix('<').and_then(|label| label.split_once('>'));
                let (found, label) = match family {
                    Some((object, end)) => (&prototypes, format!("{{#{}}}{end}", object.to_uppercase())),
                    None => (&items, metric.label.to_owned()),
                };
                let key = zabbix::metric_key(&plugin, &label);
                let item = found.iter().find(|item| text(item, "key") == key);
                let item = item.unwrap_or_else(|| panic!("{}: no item for {}", plugin.name, metric.label));
                assert_eq!(item["units"].as_str().unwrap_or(""), metric.uom.suffix());
                assert_eq!(item["master_item"]["key"].as_str().unwrap(), zabbix::master_key(&plugin));
                let step = &item["preprocessing"][0];
                assert_eq!(step["parameters"][0].as_str().unwrap(), format!("$.metrics[\"{label}\"]"));
                assert_eq!(text(step, "error_handler"), "DISCARD_VALUE", "an unknown value is no error");
            }
            let plain = plugin.metrics.iter().filter(|metric| !metric.label.starts_with('<')).count();
            // The plugin's own, state and summary.
            assert_eq!((items.len(), prototypes.len()), (plain + 3, plugin.metrics.len() - plain));
        }
    }
}

/// A macro holds `--NAME=VALUE` or `--NAME`: the binary takes each of its options in that
/// form, and the template says which there are.
#[test]
fn every_option_of_the_binary_fits_into_a_macro() {
    for (plugin, template) in templates(Release::V6_0) {
        let description = text(&template, "description").to_owned();
        for (option, value) in options_in_help(&plugin) {
            let word = option.trim_start_matches('-').replace('-', "_");
            let left_out = zabbix::LEFT_OUT.iter().any(|(id, _)| *id == word);
            let told = description
                .lines()
                .any(|line| line.strip_prefix(&option).is_some_and(|rest| rest.starts_with(['=', ':', '['])));
            assert_ne!(told, left_out, "{}: {option}\n{description}", plugin.name);
            // The second option is always refused, so nothing is ever checked here.
            let argument = if value { format!("{option}=x") } else { option.clone() };
            let said = Plugin::new(plugin.name).args([&argument, "--timeout=never"]).run().text();
            assert!(!said.contains("unknown option") && !said.contains("belongs to no option"), "{said}");
            assert!(!said.contains("follows after") && !said.contains("takes no value"), "{said}");
        }
    }
}

#[test]
fn a_macro_that_is_not_set_changes_nothing() {
    for plugin in plugins() {
        let unset = zabbix::macros(&plugin).into_iter().map(|one| one.value);
        // The last option is always refused, and must be the only one that is.
        let all = Plugin::new(plugin.name).args(unset).arg("--map-state=never").run().text();
        assert!(all.contains("UNKNOWN: --map-state: want FROM=TO"), "{all}");
        // One more would be one too many for an option that may stand once only.
        let twice = ["--timeout=2.5", "--timeout=2.5"];
        let refused = Plugin::new(plugin.name).args(twice).run().text();
        assert!(refused.contains("--timeout: given more than once"), "{refused}");
    }
}

#[test]
fn passwords_have_no_place() {
    for release in RELEASES {
        let all = file(release);
        assert!(!all.contains("--password=") && !all.contains("PASSWORD}"), "a password in a key");
        assert!(all.contains("{$VEDETTE.SMTP_AUTH.PASSWORD_FILE}"));
    }
}

#[test]
fn states_are_triggers_and_silence_is_one() {
    for release in RELEASES {
        let document = document(release);
        let triggers = list(&document, "triggers");
        for (plugin, template) in templates(release) {
            let state = format!("/{}/{}.state", zabbix::template_name(&plugin), zabbix::prefix(&plugin));
            for number in 1..=3 {
                let begin = format!("last({state})={number} and ");
                let of_state = triggers.iter().filter(|one| text(one, "expression").starts_with(&begin));
                assert_eq!(of_state.count(), 1, "{}: {number}", plugin.name);
            }
            let items = list(&template, "items");
            let key = format!("{}.state", zabbix::prefix(&plugin));
            let item = items.iter().find(|item| text(item, "key") == key).unwrap();
            let expression = item["triggers"][0]["expression"].as_str().unwrap();
            assert!(expression.starts_with(&format!("nodata({state},")), "{expression}");
            // No result is no good news.
            assert_eq!(text(&item["preprocessing"][0], "error_handler_params"), "3");
        }
        assert_eq!(triggers.len(), 3 * plugins().len());
    }
}

#[test]
fn identifiers_and_keys_are_unique() {
    for release in RELEASES {
        let (mut ids, mut names) = (Vec::new(), Vec::new());
        collect("", &document(release), "uuid", &mut ids);
        for (_, template) in templates(release) {
            collect("", &template, "key", &mut names);
        }
        for (_, id) in &ids {
            assert!(id.len() == 32 && &id[12..13] == "4" && "89ab".contains(&id[16..17]), "{id}");
        }
        let distinct: BTreeSet<&String> = ids.iter().map(|(_, id)| id).collect();
        assert_eq!(distinct.len(), ids.len());
        // A master item is named by each that depends on it.
        let own: Vec<&String> =
            names.iter().filter(|(path, _)| !path.ends_with("master_item")).map(|(_, key)| key).collect();
        let distinct: BTreeSet<&String> = own.iter().copied().collect();
        assert_eq!(distinct.len(), own.len());
        assert!(own.iter().all(|key| key.len() <= 2048), "longer than Zabbix stores");
    }
}

/// A server knows an object by its identifier: with another one its history is lost.
#[test]
fn identifiers_are_as_reviewed() {
    let mut lines = String::new();
    for (_, template) in templates(Release::V6_0) {
        for item in list(&template, "items") {
            let key = text(&item, "key").split("[\"--").next().unwrap().to_owned();
            lines.push_str(&format!("{} {key}\n", text(&item, "uuid")));
        }
        for rule in list(&template, "discovery_rules") {
            lines.push_str(&format!("{} {}\n", text(&rule, "uuid"), text(&rule, "key")));
        }
    }
    insta::assert_snapshot!("zabbix-identifiers", lines);
}

#[test]
fn a_template_is_as_reviewed() {
    let mut plugins = plugins();
    plugins.retain(|plugin| plugin.name == "check_rbl");
    insta::assert_snapshot!("zabbix-template", zabbix::templates(&plugins, Release::V6_0));
}

#[test]
fn user_parameters_run_each_plugin() {
    let plugins = plugins();
    let file = zabbix::user_parameters(&plugins);
    let lines: Vec<&str> = file.lines().filter(|line| line.starts_with("UserParameter=")).collect();
    assert_eq!(lines.len(), plugins.len());
    for plugin in plugins {
        let begin = format!(
            "UserParameter={}[*],/usr/lib/vedette/plugins/{} --output=zabbix $1 ",
            zabbix::prefix(&plugin),
            plugin.name
        );
        assert!(lines.iter().any(|line| line.starts_with(&begin)), "{begin}");
    }
}

fn file(release: Release) -> String {
    zabbix::templates(&plugins(), release)
}

fn document(release: Release) -> Yaml {
    let documents = YamlLoader::load_from_str(&file(release)).unwrap();
    assert_eq!(documents.len(), 1);
    documents[0]["zabbix_export"].clone()
}

fn templates(release: Release) -> Vec<(PluginInfo, Yaml)> {
    let found = list(&document(release), "templates");
    let plugins = plugins();
    assert_eq!(found.len(), plugins.len());
    let named = plugins.into_iter().zip(found);
    named
        .inspect(|(plugin, template)| assert_eq!(text(template, "template"), zabbix::template_name(plugin)))
        .collect()
}

/// The elements; none when there is no such list.
fn list(node: &Yaml, name: &str) -> Vec<Yaml> {
    node[name].as_vec().cloned().unwrap_or_default()
}

fn text<'a>(node: &'a Yaml, name: &str) -> &'a str {
    node[name].as_str().unwrap_or_else(|| panic!("no {name} in {node:?}"))
}

/// Every value with this name, with the names that lead to it.
fn collect(path: &str, node: &Yaml, name: &str, found: &mut Vec<(String, String)>) {
    for item in node.as_vec().into_iter().flatten() {
        collect(path, item, name, found);
    }
    for (key, value) in node.as_hash().into_iter().flatten() {
        let key = key.as_str().unwrap();
        if key == name {
            found.push((path.to_owned(), value.as_str().unwrap().to_owned()));
        }
        collect(key, value, name, found);
    }
}

/// Long names as the built binary shows them, and whether a value follows.
fn options_in_help(plugin: &PluginInfo) -> Vec<(String, bool)> {
    let help = Plugin::new(plugin.name).arg("--help").run().text();
    let lines = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let options: Vec<(String, bool)> = lines
        .filter_map(|line| line.split_once("--"))
        .map(|(_, rest)| {
            let name: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
            (format!("--{name}"), rest.contains('<'))
        })
        .collect();
    assert!(options.iter().any(|(option, _)| option == "--timeout"), "{}: not read\n{help}", plugin.name);
    options
}
