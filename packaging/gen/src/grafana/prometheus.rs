//! Queries in `PromQL` of what `--output prometheus` wrote.

use serde_json::{Value, json};

use super::{Source, Subject, datasource, pattern, variable};
use crate::plugin::PluginInfo;

pub(super) fn variables(plugin: &PluginInfo) -> Vec<Value> {
    let query = format!("label_values(vedette_state{{plugin=\"{}\"}}, target)", plugin.short_name());
    vec![variable(Source::Prometheus, "target", "Target", &query)]
}

pub(super) fn queries(plugin: &PluginInfo, subject: Subject<'_>) -> Vec<Value> {
    let name = plugin.short_name();
    let (expression, legend) = match subject {
        Subject::State => {
            (format!("vedette_state{{plugin=\"{name}\",target=~\"$target\"}}"), "{{target}}".to_owned())
        }
        Subject::Metric(metric) => match pattern(metric.label, "_") {
            Some(pattern) => (
                format!("{{__name__=~\"vedette_{name}_{pattern}\",target=~\"$target\"}}"),
                "{{target}} {{__name__}}".to_owned(),
            ),
            None => {
                (format!("vedette_{name}_{}{{target=~\"$target\"}}", metric.label), "{{target}}".to_owned())
            }
        },
    };
    vec![json!({
        "refId": "A",
        "datasource": datasource(Source::Prometheus),
        "expr": expression,
        "legendFormat": legend,
        "range": true,
    })]
}
