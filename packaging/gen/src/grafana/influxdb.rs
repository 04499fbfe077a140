//! Queries in `InfluxQL` of what Icinga's `InfluxdbWriter` wrote.

use serde_json::{Value, json};

use super::{Source, Subject, datasource, pattern, variable};
use crate::icinga2;
use crate::plugin::PluginInfo;

pub(super) fn variables(plugin: &PluginInfo) -> Vec<Value> {
    let command = icinga2::command_name(plugin);
    let of = |tag: &str, label: &str, limit: &str| {
        let query = format!("SHOW TAG VALUES FROM \"{command}\" WITH KEY = \"{tag}\"{limit}");
        variable(Source::Influxdb, tag, label, &query)
    };
    vec![of("hostname", "Host", ""), of("service", "Service", " WHERE \"hostname\" =~ /^$hostname$/")]
}

pub(super) fn queries(plugin: &PluginInfo, subject: Subject<'_>) -> Vec<Value> {
    let command = icinga2::command_name(plugin);
    let chosen = "\"hostname\" =~ /^$hostname$/ AND \"service\" =~ /^$service$/";
    let of = |(letter, field, function, tag, alias): (&str, &str, &str, &str, &str)| {
        let metric = if tag.is_empty() { "" } else { ", \"metric\"" };
        let query = format!(
            "SELECT {function}(\"{field}\") FROM \"{command}\" WHERE {chosen}{tag} AND $timeFilter \
             GROUP BY time($__interval), \"hostname\", \"service\"{metric} fill(null)"
        );
        json!({
            "refId": letter,
            "datasource": datasource(Source::Influxdb),
            "rawQuery": true,
            "resultFormat": "time_series",
            "query": query,
            "alias": alias,
        })
    };
    let Subject::Metric(metric) = subject else {
        let name = "$tag_hostname $tag_service";
        // The worst in a span, for UNKNOWN is the highest number and must not hide.
        return vec![of(("A", "state", "max", "", name))];
    };
    let (tag, name) = match pattern(metric.label, "\\.") {
        Some(pattern) => {
            (format!(" AND \"metric\" =~ /^{pattern}$/"), "$tag_hostname $tag_service $tag_metric")
        }
        None => (format!(" AND \"metric\" = '{}'", metric.label), "$tag_hostname $tag_service"),
    };
    let limits = [("value", ""), ("warn", " warning"), ("crit", " critical")];
    let letters = ["A", "B", "C"].iter().zip(limits);
    letters
        .map(|(letter, (field, suffix))| {
            let function = if field == "value" { "mean" } else { "last" };
            of((letter, field, function, &tag, &format!("{name}{suffix}")))
        })
        .collect()
}
