//! One plugin, as every generator needs it.

use common::plugin::{Plugin, TIME, with_defaults};
use common::report::{Condition, Metric, State};

use crate::option::OptionInfo;

/// All that is known about a plugin without running it.
#[derive(Clone, Debug)]
pub struct PluginInfo {
    /// `check_smtp_auth`.
    pub name: &'static str,
    /// One line, without full stop.
    pub about: String,
    /// Its version.
    pub version: String,
    /// Its visible options.
    pub options: Vec<OptionInfo>,
    /// What it measures, `time` first.
    pub metrics: Vec<Metric>,
    /// Its own table of states.
    pub states: &'static [(State, &'static str)],
    /// The states of what can happen to any check, as this plugin has them.
    pub conditions: Vec<StateRow>,
    /// Command lines, each with what it does.
    pub examples: &'static [(&'static str, &'static str)],
}

/// One row of the table of conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateRow {
    /// What happened.
    pub condition: Condition,
    /// The state it gives in this plugin.
    pub state: State,
    /// The state it gives in plugins that do not differ.
    pub usual: State,
    /// What it covers.
    pub text: &'static str,
}

impl PluginInfo {
    /// Reads a plugin's type.
    #[must_use]
    pub fn of<P: Plugin>() -> Self {
        let mut command = with_defaults::<P>(P::command());
        command.build();
        Self {
            name: P::NAME,
            about: command.get_about().map(ToString::to_string).unwrap_or_default(),
            version: command.get_version().unwrap_or_default().to_owned(),
            options: OptionInfo::all(&command),
            metrics: std::iter::once(TIME).chain(P::METRICS.iter().copied()).collect(),
            states: P::STATES,
            conditions: conditions(P::CONDITIONS),
            examples: P::EXAMPLES,
        }
    }

    /// `smtp_auth` of `check_smtp_auth`.
    #[must_use]
    pub fn short_name(&self) -> &'static str {
        self.name.strip_prefix("check_").unwrap_or(self.name)
    }

    /// The option with this identifier.
    #[must_use]
    pub fn option(&self, id: &str) -> Option<&OptionInfo> {
        self.options.iter().find(|option| option.id == id)
    }
}

/// `channel` and `.lag` of `<channel>.lag`: the kind of object that a family of metrics names in front, and the rest.
pub(crate) fn family_parts(label: &str) -> Option<(&str, &str)> {
    label.strip_prefix('<')?.split_once('>')
}

fn conditions(own: &[(Condition, State)]) -> Vec<StateRow> {
    let states = common::report::StateTable::new(own);
    Condition::TABLE
        .iter()
        .map(|&(condition, usual, text)| StateRow { condition, state: states.state(condition), usual, text })
        .collect()
}
