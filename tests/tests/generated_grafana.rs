//! The dashboards against the plugins' own metrics: each has its panel, and each query asks for one that there is.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

use std::collections::BTreeSet;

use packaging_gen::grafana::{self, Source};
use packaging_gen::{PluginInfo, plugins};
use serde_json::Value;

fn dashboard(plugin: &PluginInfo, source: Source) -> Value {
    serde_json::from_str(&grafana::dashboard(plugin, source)).unwrap()
}

fn panels(dashboard: &Value) -> &[Value] {
    dashboard["panels"].as_array().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

/// What stands between two texts.
fn between<'a>(whole: &'a str, before: &str, after: &str) -> Option<&'a str> {
    Some(whole.split_once(before)?.1.split_once(after)?.0)
}

/// The label a query asks for, written as the plugin declares it; nothing for the state.
fn asked(plugin: &PluginInfo, source: Source, target: &Value) -> Option<String> {
    let family = |rest: &str| {
        let families = plugin.metrics.iter().filter(|metric| metric.label.starts_with('<'));
        let mut matching = families.filter(|metric| metric.label.ends_with(rest));
        matching.next().unwrap_or_else(|| panic!("no family ends in {rest}")).label.to_owned()
    };
    match source {
        Source::Influxdb => {
            let query = text(&target["query"]);
            assert_eq!(
                between(query, " FROM \"", "\""),
                Some(format!("vedette_{}", plugin.short_name()).as_str())
            );
            if let Some(pattern) = between(query, "\"metric\" =~ /^.+\\.", "$/") {
                return Some(family(&format!(">.{pattern}")));
            }
            between(query, "\"metric\" = '", "'").map(str::to_owned)
        }
        Source::Prometheus => {
            let query = text(&target["expr"]);
            let prefix = format!("vedette_{}_", plugin.short_name());
            if let Some(pattern) = between(query, &format!("{{__name__=~\"{prefix}.+_"), "\"") {
                return Some(family(&format!(">.{pattern}")));
            }
            if query.starts_with("vedette_state{") {
                assert_eq!(between(query, "plugin=\"", "\""), Some(plugin.short_name()));
                return None;
            }
            let (name, _) = query.strip_prefix(&prefix).unwrap().split_once('{').unwrap();
            Some(name.to_owned())
        }
    }
}

#[test]
fn every_metric_has_a_panel_and_every_query_a_metric() {
    for plugin in plugins() {
        let declared: Vec<&str> = plugin.metrics.iter().map(|metric| metric.label).collect();
        for source in Source::ALL {
            let dashboard = dashboard(&plugin, source);
            let (state, others) = panels(&dashboard).split_first().unwrap();
            assert_eq!(state["type"], "state-timeline");
            let titles: Vec<&str> = others.iter().map(|panel| text(&panel["title"])).collect();
            assert_eq!(titles, declared, "{}", plugin.name);
            for panel in panels(&dashboard) {
                let targets = panel["targets"].as_array().unwrap();
                assert!(!targets.is_empty());
                for target in targets {
                    let label = asked(&plugin, source, target);
                    let expected = (panel["title"] != "State").then(|| text(&panel["title"]).to_owned());
                    assert_eq!(label, expected, "{}: {target}", plugin.name);
                }
            }
        }
    }
}

/// `<list>.time` must not find a metric of another name that ends alike.
#[test]
fn families_find_no_other_metric() {
    for plugin in plugins() {
        let (families, plain): (Vec<&str>, Vec<&str>) =
            plugin.metrics.iter().map(|metric| metric.label).partition(|label| label.starts_with('<'));
        for family in families {
            let end = family.split_once('>').unwrap().1;
            for label in &plain {
                let is_found = label.ends_with(end) || label.ends_with(&end.replace('.', "_"));
                assert!(!is_found, "{}: {family} finds {label}", plugin.name);
            }
        }
    }
}

#[test]
fn panels_lie_beside_and_below_each_other() {
    for plugin in plugins() {
        for source in Source::ALL {
            let dashboard = dashboard(&plugin, source);
            let (mut cells, mut ids) = (BTreeSet::new(), BTreeSet::new());
            for panel in panels(&dashboard) {
                assert!(ids.insert(panel["id"].as_u64().unwrap()));
                let at = |name: &str| panel["gridPos"][name].as_u64().unwrap();
                assert!(at("x") + at("w") <= 24);
                for x in at("x")..at("x") + at("w") {
                    for y in at("y")..at("y") + at("h") {
                        assert!(cells.insert((x, y)), "{}: two panels at {x}, {y}", plugin.name);
                    }
                }
            }
        }
    }
}

#[test]
fn identifiers_are_short_and_differ() {
    let mut identifiers = BTreeSet::new();
    for plugin in plugins() {
        for source in Source::ALL {
            let dashboard = dashboard(&plugin, source);
            let identifier = text(&dashboard["uid"]).to_owned();
            // Grafana refuses longer ones.
            assert!(identifier.len() <= 40, "{identifier}");
            assert!(identifiers.insert(identifier));
            for panel in panels(&dashboard) {
                for target in panel["targets"].as_array().unwrap() {
                    assert_eq!(target["datasource"]["uid"], "${datasource}");
                    assert_eq!(target["datasource"]["type"], source.name());
                }
            }
        }
    }
}
