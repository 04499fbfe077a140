//! Options of the run itself: time, output, states.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{ArgAction, Args, ValueEnum};

use crate::report::{Format, Seconds, State, parse_size};

/// Options every plugin has.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Run and output")]
pub struct RunArgs {
    // Help and manual learn the default from the plugin: see common::plugin::with_defaults.
    /// Seconds the whole check may take, name look-up included
    #[arg(short, long, value_name = "SECONDS")]
    pub timeout: Option<Seconds>,
    /// State when the timeout is reached
    #[arg(long, value_name = "STATE")]
    pub timeout_state: Option<State>,
    /// Report one state as another, for example warning=critical
    #[arg(long, value_name = "FROM=TO", action = ArgAction::Append)]
    pub map_state: Vec<StateMap>,
    /// Exit with 0 whatever the state; the line keeps the real one
    #[arg(long)]
    pub exit_ok: bool,
    /// Form of the output
    #[arg(long, value_name = "FORM", value_enum, default_value_t)]
    pub output: OutputFormat,
    /// Write the output in that form to a file, and the text to standard output
    #[arg(long, value_name = "FILE")]
    pub output_file: Option<PathBuf>,
    /// Cut long text output to this size
    #[arg(long, value_name = "SIZE", default_value = "8KiB", value_parser = parse_size)]
    pub max_output: usize,
    /// Save what the check saw, without secrets, as JSON
    #[arg(long, value_name = "FILE")]
    pub dump_observation: Option<PathBuf>,
    /// More lines: -v facts, -vv details, -vvv the whole dialogue
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,
    /// Read more options from a section of an INI file; the section defaults to the plugin's name
    // Expanded before clap sees the arguments; declared for help and documentation.
    #[arg(long, value_name = "[SECTION]@FILE", num_args = 0..=1, require_equals = true)]
    pub extra_opts: Option<Option<String>>,
}

impl RunArgs {
    /// The state after `--map-state`; the first matching pair counts.
    #[must_use]
    pub fn mapped(&self, state: State) -> State {
        self.map_state.iter().find(|map| map.from == state).map_or(state, |map| map.to)
    }
}

/// For plugins whose peer can refuse for now.
#[derive(Args, Clone, Debug)]
pub struct TemporaryArgs {
    /// State of a temporary refusal (421, 4xx, too many connections)
    #[arg(long, value_name = "STATE", help_heading = "Run and output")]
    pub temporary_state: Option<State>,
}

/// The forms of `--output`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// Nagios and Icinga
    #[default]
    Text,
    /// One object with everything seen
    Json,
    /// One flat object for dependent items
    Zabbix,
    /// Text exposition format
    Prometheus,
}

impl From<OutputFormat> for Format {
    fn from(format: OutputFormat) -> Self {
        match format {
            OutputFormat::Text => Self::Text,
            OutputFormat::Json => Self::Json,
            OutputFormat::Zabbix => Self::Zabbix,
            OutputFormat::Prometheus => Self::Prometheus,
        }
    }
}

/// One `FROM=TO` of `--map-state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateMap {
    from: State,
    to: State,
}

impl FromStr for StateMap {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (from, to) = text.split_once('=').ok_or("want FROM=TO, for example warning=critical")?;
        let state = |word: &str| word.parse().map_err(|error| format!("'{word}': {error}"));
        Ok(Self { from: state(from)?, to: state(to)? })
    }
}
