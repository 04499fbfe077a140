//! Families of metrics, whose labels begin with the name of an object (`<channel>.lag`): one
//! discovery rule for each kind of object.

use common::report::Metric;

use crate::plugin::{PluginInfo, family_parts};

/// Metrics that exist once for each object of a kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// The kind: `channel`.
    pub object: &'static str,
    /// What follows the object's name, with the metric: `.lag`.
    pub members: Vec<(&'static str, Metric)>,
}

impl Family {
    /// The macro of the object's name: `{#CHANNEL}`.
    #[must_use]
    pub fn macro_name(&self) -> String {
        format!("{{#{}}}", self.object.to_uppercase().replace('-', "_"))
    }

    /// Finds the objects among the labels of a result's metrics.
    #[must_use]
    pub fn script(&self) -> String {
        let ends: Vec<String> = self.members.iter().map(|(end, _)| format!("'{end}'")).collect();
        format!(
            "var ends = [{}];
var seen = {{}};
Object.keys(JSON.parse(value)).forEach(function (label) {{
  ends.forEach(function (end) {{
    var length = label.length - end.length;
    if (length > 0 && label.substring(length) === end) {{
      seen[label.substring(0, length)] = true;
    }}
  }});
}});
return JSON.stringify(Object.keys(seen).map(function (name) {{
  return {{'{}': name}};
}}));",
            ends.join(", "),
            self.macro_name()
        )
    }
}

/// The families, in the order of their first metric.
#[must_use]
pub fn families(plugin: &PluginInfo) -> Vec<Family> {
    let mut families: Vec<Family> = Vec::new();
    for metric in &plugin.metrics {
        let Some((object, end)) = family_parts(metric.label) else { continue };
        match families.iter_mut().find(|family| family.object == object) {
            Some(family) => family.members.push((end, *metric)),
            None => families.push(Family { object, members: vec![(end, *metric)] }),
        }
    }
    families
}

/// The metrics that exist once.
pub fn plain_metrics(plugin: &PluginInfo) -> impl Iterator<Item = &Metric> {
    plugin.metrics.iter().filter(|metric| family_parts(metric.label).is_none())
}
