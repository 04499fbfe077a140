//! The options of a command line, as every generator needs them: the only place that
//! walks clap's arguments.

use clap::{Arg, ArgAction, Command};

/// One option that is not hidden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionInfo {
    /// clap's identifier: the field's name, the same in every plugin.
    pub id: String,
    /// Long name without dashes.
    pub long: Option<String>,
    /// Letter.
    pub short: Option<char>,
    /// What stands for the value in help.
    pub value_name: Option<String>,
    /// One line, without full stop.
    pub help: String,
    /// The group it stands in.
    pub heading: Option<String>,
    /// What it takes.
    pub kind: Kind,
    /// Whether clap insists on it.
    pub required: bool,
    /// Whether the value must follow after `=`.
    pub equals: bool,
    /// Value when it is not given.
    pub default: Option<String>,
    /// The words allowed, with what each means.
    pub possible_values: Vec<(String, Option<String>)>,
}

/// What an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing.
    Flag,
    /// Nothing, and each repetition counts (`-vv`).
    Count,
    /// One value.
    Value,
    /// A value, or nothing.
    OptionalValue,
    /// One value each time it is given.
    List,
}

impl OptionInfo {
    /// The visible options of a built command, `--help` and `--version` included.
    pub(crate) fn all(command: &Command) -> Vec<Self> {
        command
            .get_arguments()
            .filter(|arg| !arg.is_hide_set() && !arg.is_positional())
            .map(Self::of)
            .collect()
    }

    fn of(arg: &Arg) -> Self {
        let text = |styled: &clap::builder::StyledStr| styled.to_string();
        let defaults = arg.get_default_values().iter().map(|value| value.to_string_lossy());
        let takes_value = arg.get_num_args().is_some_and(|number| number.takes_values());
        Self {
            id: arg.get_id().to_string(),
            long: arg.get_long().map(str::to_owned),
            short: arg.get_short(),
            value_name: arg.get_value_names().filter(|_| takes_value).map(|names| {
                let names: Vec<&str> = names.iter().map(clap::builder::Str::as_str).collect();
                names.join(" ")
            }),
            help: arg.get_help().map(text).unwrap_or_default(),
            heading: arg.get_help_heading().map(str::to_owned),
            kind: kind(arg),
            required: arg.is_required_set(),
            equals: arg.is_require_equals_set(),
            default: Some(defaults.collect::<Vec<_>>().join(","))
                .filter(|all| takes_value && !all.is_empty()),
            possible_values: arg
                .get_possible_values()
                .iter()
                .filter(|value| takes_value && !value.is_hide_set())
                .map(|value| (value.get_name().to_owned(), value.get_help().map(text)))
                .collect(),
        }
    }

    /// `--hostname`, or the letter when there is no long name.
    #[must_use]
    pub fn flag(&self) -> String {
        match (&self.long, self.short) {
            (Some(long), _) => format!("--{long}"),
            (None, Some(short)) => format!("-{short}"),
            (None, None) => self.id.clone(),
        }
    }

    /// `-H, --hostname`.
    #[must_use]
    pub fn names(&self) -> String {
        match (self.short, &self.long) {
            (Some(short), Some(long)) => format!("-{short}, --{long}"),
            _ => self.flag(),
        }
    }

    /// `-H, --hostname HOST`.
    #[must_use]
    pub fn usage(&self) -> String {
        let between = if self.equals { "=" } else { " " };
        match (&self.value_name, self.kind) {
            (Some(value), Kind::OptionalValue) => format!("{}[{between}{value}]", self.names()),
            (Some(value), _) => format!("{}{between}{value}", self.names()),
            (None, _) => self.names(),
        }
    }

    /// The long name as part of a variable's name: `password_file`.
    #[must_use]
    pub fn variable(&self) -> String {
        self.long.as_deref().unwrap_or(&self.id).replace('-', "_")
    }

    /// Help with default and allowed words, in one line.
    #[must_use]
    pub fn description(&self) -> String {
        let mut text = self.help.clone();
        if !self.possible_values.is_empty() {
            let words: Vec<&str> = self.possible_values.iter().map(|(word, _)| word.as_str()).collect();
            text.push_str(&format!(" (one of {})", words.join(", ")));
        }
        if let Some(default) = &self.default {
            text.push_str(&format!(" [default: {default}]"));
        }
        text
    }
}

fn kind(arg: &Arg) -> Kind {
    let optional = arg.get_num_args().is_some_and(|number| number.min_values() == 0);
    match arg.get_action() {
        ArgAction::Count => Kind::Count,
        ArgAction::Append => Kind::List,
        ArgAction::Set if optional => Kind::OptionalValue,
        ArgAction::Set => Kind::Value,
        _ => Kind::Flag,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Vec<OptionInfo> {
        let mut command = Command::new("check_x").disable_version_flag(true).args([
            Arg::new("hostname").short('H').long("hostname").value_name("HOST").required(true).help("Host"),
            Arg::new("mode")
                .long("tls-mode")
                .value_parser(["auto", "none"])
                .default_value("auto")
                .help("TLS"),
            Arg::new("list").long("list").action(ArgAction::Append).help("Repeated"),
            Arg::new("flag").short('4').action(ArgAction::SetTrue).help("Flag"),
            Arg::new("verbose").short('v').long("verbose").action(ArgAction::Count),
            Arg::new("extra").long("extra").value_name("F").num_args(0..=1).require_equals(true),
            Arg::new("secret").long("secret").hide(true),
        ]);
        command.build();
        OptionInfo::all(&command)
    }

    #[test]
    fn kinds_and_names() {
        let seen: Vec<(String, String, Kind)> =
            options().iter().map(|option| (option.flag(), option.variable(), option.kind)).collect();
        let want = [
            ("--hostname", "hostname", Kind::Value),
            ("--tls-mode", "tls_mode", Kind::Value),
            ("--list", "list", Kind::List),
            ("-4", "flag", Kind::Flag),
            ("--verbose", "verbose", Kind::Count),
            ("--extra", "extra", Kind::OptionalValue),
            ("--help", "help", Kind::Flag),
        ];
        assert_eq!(seen, want.map(|(flag, variable, kind)| (flag.to_owned(), variable.to_owned(), kind)));
    }

    #[test]
    fn details() {
        let options = options();
        assert!(options[0].required && !options[1].required);
        assert_eq!(options[0].value_name.as_deref(), Some("HOST"));
        assert_eq!(options[1].description(), "TLS (one of auto, none) [default: auto]");
        assert_eq!((options[3].default.as_deref(), options[3].possible_values.len()), (None, 0));
        assert!(options[5].equals);
        let usages: Vec<String> = options.iter().map(OptionInfo::usage).collect();
        assert_eq!(usages[0], "-H, --hostname HOST");
        assert_eq!((usages[3].as_str(), usages[4].as_str()), ("-4", "-v, --verbose"));
        assert_eq!(usages[5], "--extra[=F]");
    }
}
