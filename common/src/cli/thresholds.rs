//! `-w` and `-c` for plugins that judge their own run time.

use clap::Args;

use crate::report::{Thresholds, TimeRange};

/// Thresholds on the time of the whole run.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Thresholds")]
pub struct TimeThresholdArgs {
    /// WARNING when the whole run takes longer, in seconds or with a unit (500ms)
    #[arg(short, long, value_name = "RANGE", allow_hyphen_values = true)]
    pub warning: Option<TimeRange>,
    /// CRITICAL when the whole run takes longer
    #[arg(short, long, value_name = "RANGE", allow_hyphen_values = true)]
    pub critical: Option<TimeRange>,
}

impl TimeThresholdArgs {
    /// Both as ranges of seconds.
    #[must_use]
    pub fn thresholds(&self) -> Thresholds {
        Thresholds {
            warning: self.warning.map(|range| range.0),
            critical: self.critical.map(|range| range.0),
        }
    }
}
