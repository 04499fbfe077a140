//! Grafana: a dashboard of each plugin for two sources, Icinga's `InfluxdbWriter` and the plugins' own Prometheus
//! output.
//!
//! The panels are the plugin's metrics; the states stand above them. What Icinga writes is described in its
//! documentation under "InfluxDB Writer": measurement = check command, tags `hostname`, `service` and `metric`, fields
//! `value`, `warn`, `crit`, and with `enable_send_metadata` points without the tag `metric`, which hold the `state`.

mod influxdb;
mod prometheus;

use common::report::{Metric, State, Uom};
use serde_json::{Value, json};

use crate::plugin::{PluginInfo, family_parts};

/// Where Grafana reads from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// What Icinga's `InfluxdbWriter` wrote, asked in `InfluxQL`.
    Influxdb,
    /// What `--output prometheus` wrote, asked in `PromQL`.
    Prometheus,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Influxdb, Self::Prometheus];

    /// Grafana's name of it, and that of the folder.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Influxdb => "influxdb",
            Self::Prometheus => "prometheus",
        }
    }

    fn queries(self, plugin: &PluginInfo, subject: Subject<'_>) -> Vec<Value> {
        match self {
            Self::Influxdb => influxdb::queries(plugin, subject),
            Self::Prometheus => prometheus::queries(plugin, subject),
        }
    }

    fn variables(self, plugin: &PluginInfo) -> Vec<Value> {
        match self {
            Self::Influxdb => influxdb::variables(plugin),
            Self::Prometheus => prometheus::variables(plugin),
        }
    }
}

/// What a panel shows.
#[derive(Clone, Copy)]
enum Subject<'a> {
    State,
    Metric(&'a Metric),
}

/// Of the format, as Grafana 10 and 11 write it; later releases convert it when they load it.
const SCHEMA_VERSION: u32 = 39;
/// Columns of Grafana's grid.
const GRID: usize = 24;
const PANELS_IN_A_ROW: usize = 2;
const STATE_HEIGHT: usize = 6;
const METRIC_HEIGHT: usize = 7;

/// The dashboard of a plugin, as Grafana imports it.
#[must_use]
pub fn dashboard(plugin: &PluginInfo, source: Source) -> String {
    let metrics = plugin.metrics.iter().enumerate().map(|(index, metric)| {
        let width = GRID / PANELS_IN_A_ROW;
        let place = json!({
            "x": index % PANELS_IN_A_ROW * width,
            "y": STATE_HEIGHT + index / PANELS_IN_A_ROW * METRIC_HEIGHT,
            "w": width,
            "h": METRIC_HEIGHT,
        });
        time_series(index + 2, metric, &place, &source.queries(plugin, Subject::Metric(metric)))
    });
    let panels: Vec<Value> =
        std::iter::once(states(&source.queries(plugin, Subject::State))).chain(metrics).collect();
    let datasource = json!({
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": source.name(),
    });
    let variables: Vec<Value> = std::iter::once(datasource).chain(source.variables(plugin)).collect();
    let document = json!({
        "uid": format!("vedette-{}-{}", plugin.short_name().replace('_', "-"), source.name()),
        "title": format!("Vedette: {} ({})", plugin.name, source.name()),
        "description": plugin.about,
        "tags": ["vedette", plugin.name],
        "schemaVersion": SCHEMA_VERSION,
        "editable": true,
        "refresh": "1m",
        "time": { "from": "now-24h", "to": "now" },
        "templating": { "list": variables },
        "panels": panels,
    });
    format!("{document:#}\n")
}

/// Which source a query asks: that of the variable.
fn datasource(source: Source) -> Value {
    json!({ "type": source.name(), "uid": "${datasource}" })
}

/// A variable that lists what there is, several or all of which may be chosen.
fn variable(source: Source, name: &str, label: &str, query: &str) -> Value {
    json!({
        "name": name,
        "label": label,
        "type": "query",
        "datasource": datasource(source),
        "query": query,
        "refresh": 2,
        "sort": 1,
        "multi": true,
        "includeAll": true,
        "allValue": ".*",
        "current": { "text": ["All"], "value": ["$__all"] },
    })
}

fn states(queries: &[Value]) -> Value {
    let mut all = State::ALL;
    all.sort_by_key(|state| state.exit_code());
    let mappings: serde_json::Map<String, Value> = all
        .iter()
        .map(|state| {
            let look = json!({ "text": state.name(), "color": color(*state), "index": state.exit_code() });
            (state.exit_code().to_string(), look)
        })
        .collect();
    json!({
        "id": 1,
        "type": "state-timeline",
        "title": "State",
        "gridPos": { "x": 0, "y": 0, "w": GRID, "h": STATE_HEIGHT },
        "fieldConfig": {
            "defaults": { "mappings": [{ "type": "value", "options": mappings }] },
            "overrides": [],
        },
        "options": { "mergeValues": true, "showValue": "never", "legend": { "displayMode": "list" } },
        "targets": queries,
    })
}

const fn color(state: State) -> &'static str {
    match state {
        State::Ok => "green",
        State::Warning => "yellow",
        State::Critical => "red",
        State::Unknown => "purple",
    }
}

fn time_series(id: usize, metric: &Metric, place: &Value, queries: &[Value]) -> Value {
    let mut defaults = json!({ "unit": unit(metric.uom), "custom": { "spanNulls": false } });
    for (name, limit) in [("min", metric.min), ("max", metric.max)] {
        if let (Some(limit), Some(defaults)) = (limit, defaults.as_object_mut()) {
            defaults.insert(name.to_owned(), limit.into());
        }
    }
    // Limits are thin and dashed beside what was measured.
    let limit = |pattern: &str, color: &str| {
        json!({
            "matcher": { "id": "byRegexp", "options": pattern },
            "properties": [
                { "id": "color", "value": { "mode": "fixed", "fixedColor": color } },
                { "id": "custom.lineStyle", "value": { "fill": "dash", "dash": [6, 6] } },
            ],
        })
    };
    json!({
        "id": id,
        "type": "timeseries",
        "title": metric.label,
        "description": metric.help,
        "gridPos": place,
        "fieldConfig": {
            "defaults": defaults,
            "overrides": [limit("/ warning$/", "yellow"), limit("/ critical$/", "red")],
        },
        "options": {
            "legend": { "displayMode": "list", "placement": "bottom" },
            "tooltip": { "mode": "multi", "sort": "desc" },
        },
        "targets": queries,
    })
}

/// Grafana's word for a unit.
const fn unit(uom: Uom) -> &'static str {
    match uom {
        Uom::None | Uom::Counter => "short",
        Uom::Seconds => "s",
        Uom::Bytes => "bytes",
        Uom::Percent => "percent",
    }
}

/// A label as a regular expression that matches it whole: `<channel>.lag` is what stands before `.lag`.
///
/// `dot` is how the source writes the stop between the two.
fn pattern(label: &str, dot: &str) -> Option<String> {
    let (_, rest) = family_parts(label)?;
    Some(format!(".+{}", rest.replace('.', dot)))
}
