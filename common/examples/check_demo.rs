//! The smallest plugin, and the test double of the contract: prints what it is told to.

use std::num::ParseFloatError;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{ArgAction, Parser, ValueEnum};
use common::cli::{RunArgs, UsageError};
use common::net::{Deadline, Phase, ProbeError, read_first_line, read_secret_file};
use common::plugin::{Plugin, Run};
use common::report::{Metric, Perfdata, Range, Report, State, Thresholds, Uom};
use serde::{Deserialize, Serialize};

/// Prints values, texts and states as told: the smallest example and a test double
#[derive(Parser, Debug)]
#[command(name = "check_demo", version)]
struct CheckDemo {
    /// A value; `U` for one that could not be measured
    #[arg(long, value_name = "N", action = ArgAction::Append, allow_hyphen_values = true)]
    value: Vec<Value>,
    /// Label of the n-th value
    #[arg(long, value_name = "TEXT", action = ArgAction::Append, allow_hyphen_values = true)]
    label: Vec<String>,
    /// Unit of all values
    #[arg(long, value_enum, default_value_t = UnitName::None)]
    uom: UnitName,
    /// Smallest possible value
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    min: Option<f64>,
    /// Largest possible value
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    max: Option<f64>,
    /// WARNING when a value is outside
    #[arg(short, long, value_name = "RANGE", allow_hyphen_values = true)]
    warning: Option<Range>,
    /// CRITICAL when a value is outside
    #[arg(short, long, value_name = "RANGE", allow_hyphen_values = true)]
    critical: Option<Range>,
    /// The summary
    #[arg(long, value_name = "TEXT", default_value = "no details", allow_hyphen_values = true)]
    text: String,
    /// A line of long output
    #[arg(long, value_name = "TEXT", action = ArgAction::Append, allow_hyphen_values = true)]
    long: Vec<String>,
    /// Work this long, blocking
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0)]
    sleep: f64,
    /// Panic with a text
    #[arg(long)]
    panic: bool,
    /// Read a secret, which is never shown
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    #[command(flatten)]
    run: RunArgs,
}

/// A number, or `U`.
#[derive(Clone, Copy, Debug)]
struct Value(Option<f64>);

impl FromStr for Value {
    type Err = ParseFloatError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "U" { Ok(Self(None)) } else { text.parse().map(|number| Self(Some(number))) }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum UnitName {
    None,
    S,
    B,
    Percent,
    C,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Seen {
    values: Vec<Option<f64>>,
    password_bytes: Option<usize>,
}

impl Plugin for CheckDemo {
    const NAME: &'static str = "check_demo";
    const METRICS: &'static [Metric] = &[Metric::number("<label>", "whatever --value says")];
    const STATES: &'static [(State, &'static str)] = &[
        (State::Ok, "all values within their ranges"),
        (State::Warning, "a value outside --warning"),
        (State::Critical, "a value outside --critical"),
        (State::Unknown, "a value that is not a number"),
    ];
    const EXAMPLES: &'static [(&'static str, &'static str)] =
        &[("check_demo --label load --value 5 -w 4 -c 10", "A value above its warning limit")];
    type Seen = Seen;

    fn run_args(&self) -> &RunArgs {
        &self.run
    }

    fn target(&self) -> String {
        "demo".to_owned()
    }

    fn check_options(&self) -> Result<(), UsageError> {
        match self.thresholds().contradiction() {
            Some(text) => Err(UsageError::new("--warning", text)),
            None => Ok(()),
        }
    }

    fn probe(&self, deadline: &Deadline) -> Result<Seen, ProbeError> {
        let secret = match &self.password_file {
            Some(path) => Some(read_first_line(&read_secret_file(path)?, &path.display().to_string())?),
            None => None,
        };
        deadline.enter(Phase::Querying);
        if self.sleep > 0.0 {
            std::thread::sleep(Duration::from_secs_f64(self.sleep));
            deadline.remaining()?;
        }
        let values = self.value.iter().map(|value| value.0).collect();
        Ok(Seen { values, password_bytes: secret.map(|secret| secret.len()) })
    }

    fn evaluate(&self, seen: &Seen, _run: &Run) -> Report {
        assert!(!self.panic, "told to panic | and\nto break the line");
        let judged =
            seen.values.iter().flatten().map(|value| {
                if value.is_finite() { self.thresholds().judge(*value) } else { State::Unknown }
            });
        let mut report = Report::new();
        report.find("text", State::worst(judged.chain([State::Ok])), self.text.clone());
        for (index, value) in seen.values.iter().enumerate() {
            let label = self.label.get(index).cloned().unwrap_or_else(|| format!("v{index}"));
            report.push(Perfdata { label, ..Perfdata::new(&self.metric(), *value, self.thresholds()) });
        }
        for line in &self.long {
            report.context(0, line.clone());
        }
        report
    }
}

impl CheckDemo {
    const fn thresholds(&self) -> Thresholds {
        Thresholds { warning: self.warning, critical: self.critical }
    }

    const fn metric(&self) -> Metric {
        let uom = match self.uom {
            UnitName::None => Uom::None,
            UnitName::S => Uom::Seconds,
            UnitName::B => Uom::Bytes,
            UnitName::Percent => Uom::Percent,
            UnitName::C => Uom::Counter,
        };
        Metric { label: "<label>", uom, help: "a value", min: self.min, max: self.max }
    }
}

fn main() {
    common::plugin::main::<CheckDemo>()
}
