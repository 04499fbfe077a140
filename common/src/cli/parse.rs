//! From argv to a plugin's options, with every mistake told in one line.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, Command, CommandFactory, FromArgMatches};

use super::credentials::PASSWORD_ID;
use super::extra_opts::{self, Entry};
use super::usage::{BadValue, UsageError};

/// What the arguments ask for.
#[derive(Debug)]
pub enum Parsed<P> {
    /// A run with these options.
    Run(P),
    /// Text to print: help or version.
    Show(String),
}

/// Reads arguments (the program's name first), expands `--extra-opts`, refuses secrets in
/// argv. `with_help` adds what stands behind the options of the help.
pub fn parse<P: CommandFactory + FromArgMatches>(
    command: &mut Command,
    arguments: Vec<OsString>,
    with_help: impl FnOnce(Command) -> Command,
) -> Result<Parsed<P>, UsageError> {
    let program = command.get_name().to_owned();
    let (arguments, locators) = split_extra_opts(arguments);
    let mut entries = Vec::new();
    for locator in locators {
        entries.extend(extra_opts::read(&locator, &program)?);
    }
    let arguments = if entries.is_empty() { arguments } else { merged(command, arguments, &entries) };
    let inline_allowed = arguments.inline_allowed;
    match command.try_get_matches_from_mut(&arguments.all) {
        Ok(mut matches) => {
            refuse_password(&matches, inline_allowed)?;
            P::from_arg_matches_mut(&mut matches).map(Parsed::Run).map_err(|error| explain(&error, command))
        }
        Err(error) => match error.kind() {
            ErrorKind::DisplayVersion => Ok(Parsed::Show(shown(&error.to_string()))),
            // What only the help shows is made only for it, in a second pass.
            ErrorKind::DisplayHelp => Ok(Parsed::Show(
                with_help(command.clone())
                    .try_get_matches_from(arguments.all)
                    .map_or_else(|error| error, |_| error)
                    .to_string(),
            )),
            _ => Err(explain(&error, command)),
        },
    }
}

/// What an option shows in place of a run, which clap gives the look of a mistake.
fn shown(text: &str) -> String {
    text.strip_prefix("error: ").unwrap_or(text).to_owned()
}

/// Arguments with those of the INI file in front of the command line's.
#[derive(Debug)]
struct Arguments {
    all: Vec<OsString>,
    /// A password among them comes from the file, not from argv.
    inline_allowed: bool,
}

/// Takes `--extra-opts[=LOCATOR]` out of the arguments.
fn split_extra_opts(arguments: Vec<OsString>) -> (Arguments, Vec<String>) {
    let mut rest = Vec::with_capacity(arguments.len());
    let mut locators = Vec::new();
    let mut arguments = arguments.into_iter().peekable();
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--extra-opts") => {
                // Its value may follow as a word of its own, as in the Monitoring Plugins.
                let value = arguments.next_if(|next| !next.as_encoded_bytes().starts_with(b"-"));
                locators.push(value.map(|value| value.to_string_lossy().into_owned()).unwrap_or_default());
            }
            Some(text) if text.starts_with("--extra-opts=") => {
                locators.push(text.trim_start_matches("--extra-opts=").to_owned());
            }
            _ => rest.push(argument),
        }
    }
    (Arguments { all: rest, inline_allowed: false }, locators)
}

/// Puts a file's options before the command line's, leaving out what the command line
/// says itself.
fn merged(command: &Command, arguments: Arguments, entries: &[Entry]) -> Arguments {
    let given = given_ids(command, &arguments.all);
    let mut rest = arguments.all.into_iter();
    let mut all: Vec<OsString> = rest.next().into_iter().collect();
    for Entry { key, value } in entries {
        let known = command.get_arguments().find(|arg| {
            arg.get_long() == Some(key)
                || arg.get_all_aliases().is_some_and(|aliases| aliases.contains(&key.as_str()))
                || arg.get_short().is_some_and(|short| key.len() == 1 && key.starts_with(short))
        });
        if known.is_some_and(|arg| given.contains(&arg.get_id().to_string())) {
            continue;
        }
        let name = known.and_then(clap::Arg::get_long).unwrap_or(key);
        all.push(match value {
            Some(value) => format!("--{name}={}", value.as_str()).into(),
            None => format!("--{name}").into(),
        });
    }
    all.extend(rest);
    Arguments { all, inline_allowed: !given.iter().any(|id| id == PASSWORD_ID) }
}

/// Identifiers of the options on the command line alone. Mistakes are overlooked here: the
/// parse of everything together finds them, and knows what the file adds.
fn given_ids(command: &Command, arguments: &[OsString]) -> Vec<String> {
    let relaxed = command.clone().mut_args(|arg| arg.required(false)).ignore_errors(true);
    let Ok(matches) = relaxed.try_get_matches_from(arguments) else { return Vec::new() };
    let from_argv = |id: &String| {
        matches.try_contains_id(id).is_ok()
            && matches.value_source(id) == Some(clap::parser::ValueSource::CommandLine)
    };
    matches.ids().map(|id| id.as_str().to_owned()).filter(from_argv).collect()
}

fn refuse_password(matches: &ArgMatches, inline_allowed: bool) -> Result<(), UsageError> {
    if inline_allowed || !matches.try_contains_id(PASSWORD_ID).unwrap_or(false) {
        return Ok(());
    }
    Err(UsageError::new("--password", "refused, it would stand in the process list and in the engine's API")
        .with_hint("--password-file FILE (mode 0640), --password-env NAME or --password-fd N"))
}

/// clap's error as `option: what is wrong`. Values are shown only when clap names the
/// option they belong to, never for stray words, which may be a misplaced secret.
fn explain(error: &clap::Error, command: &Command) -> UsageError {
    let text = |kind: ContextKind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(", ")),
        Some(ContextValue::StyledStr(styled)) => Some(styled.to_string()),
        _ => None,
    };
    let argument = text(ContextKind::InvalidArg).unwrap_or_default();
    let option = option_name(&argument);
    let value = text(ContextKind::InvalidValue).unwrap_or_default();
    let cause = match error.kind() {
        ErrorKind::UnknownArgument if argument.starts_with('-') => {
            let meant = similar(&argument, command).map(|name| format!(" (did you mean --{name}?)"));
            format!("unknown option{}", meant.unwrap_or_default())
        }
        ErrorKind::UnknownArgument => {
            return UsageError::new(
                "arguments",
                "a word that belongs to no option (quote values with blanks)",
            );
        }
        ErrorKind::InvalidValue if value.is_empty() => "a value is missing".to_owned(),
        ErrorKind::InvalidValue => match text(ContextKind::ValidValue) {
            Some(valid) => format!("'{value}' is not one of {valid}"),
            None => format!("'{value}' is not valid"),
        },
        ErrorKind::ValueValidation => std::error::Error::source(error)
            .map_or_else(|| format!("'{value}' is not valid"), ToString::to_string),
        ErrorKind::MissingRequiredArgument => "required".to_owned(),
        ErrorKind::ArgumentConflict => match text(ContextKind::PriorArg) {
            Some(prior) if option_name(&prior) != option => {
                format!("cannot stand together with {}", option_name(&prior))
            }
            _ => "given more than once".to_owned(),
        },
        ErrorKind::InvalidUtf8 => return UsageError::new("arguments", "not UTF-8"),
        ErrorKind::TooManyValues | ErrorKind::WrongNumberOfValues => "takes no value".to_owned(),
        ErrorKind::NoEquals => "its value follows after '='".to_owned(),
        other => other.as_str().unwrap_or("not understood").to_owned(),
    };
    let bad_value = std::error::Error::source(error).and_then(|source| source.downcast_ref::<BadValue>());
    UsageError::new(if option.is_empty() { "arguments".to_owned() } else { option }, cause)
        .with_optional_hint(bad_value.and_then(|bad| bad.hint.clone()))
}

/// The option that shares the longest beginning with a mistyped one, four letters at
/// least. clap's own search costs more than all the rest of a refused start.
fn similar<'a>(mistyped: &str, command: &'a Command) -> Option<&'a str> {
    let typed = mistyped.strip_prefix("--")?.split('=').next()?;
    let shared = |name: &str| typed.bytes().zip(name.bytes()).take_while(|(a, b)| a == b).count();
    let visible = command.get_arguments().filter(|arg| !arg.is_hide_set());
    // Of equals the first in the order of the help.
    let (_, best) = visible
        .filter_map(clap::Arg::get_long)
        .enumerate()
        .max_by_key(|(index, name)| (shared(name), std::cmp::Reverse(*index)))?;
    (shared(best) >= 4).then_some(best)
}

/// `--warning` out of `--warning <RANGE>`, without a value that was glued on.
fn option_name(shown: &str) -> String {
    shown
        .split(", ")
        .map(|one| one.split([' ', '=', '[', '<']).next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{CredentialArgs, RunArgs, TimeThresholdArgs};
    use clap::Parser;
    use std::os::unix::fs::PermissionsExt;

    #[derive(Parser, Debug)]
    #[command(name = "check_a", version)]
    struct Options {
        #[arg(short = 'H', long)]
        hostname: String,
        #[command(flatten)]
        thresholds: TimeThresholdArgs,
        #[command(flatten)]
        login: CredentialArgs,
        #[command(flatten)]
        run: RunArgs,
    }

    fn read(arguments: &[&str]) -> Result<Parsed<Options>, UsageError> {
        let all = std::iter::once("check_a").chain(arguments.iter().copied()).map(OsString::from).collect();
        parse(&mut Options::command(), all, |command| command)
    }

    fn refused(arguments: &[&str]) -> String {
        read(arguments).unwrap_err().to_string()
    }

    fn run(arguments: &[&str]) -> Options {
        match read(arguments).unwrap() {
            Parsed::Run(options) => options,
            Parsed::Show(text) => panic!("{text}"),
        }
    }

    struct Ini(std::path::PathBuf);

    impl Ini {
        fn new(name: &str, mode: u32, text: &str) -> Self {
            let path = std::env::temp_dir().join(format!("vedette-ini-{}-{name}", std::process::id()));
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            Self(path)
        }

        fn option(&self) -> String {
            format!("--extra-opts=@{}", self.0.display())
        }
    }

    impl Drop for Ini {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    #[test]
    fn every_mistake_names_its_option() {
        for (arguments, want) in [
            (&["-H", "a", "--warnin", "1"][..], "--warnin: unknown option (did you mean --warning?)"),
            (&["-H", "a", "-H", "b"], "--hostname: given more than once"),
            (&[], "--hostname: required"),
            (&["-H"], "--hostname: a value is missing"),
            (&["-H", "a", "-w", "5:2"], "--warning: start 5 is above end 2"),
            (&["-H", "a", "-w", "10x"], "--warning: '10x' is not a number with a unit (us, ms, s, m, h, d)"),
            (&["-H", "a", "-t", "0"], "--timeout: '0' must be above 0 and at most 1d"),
            (&["-H", "a", "--output", "xml"], "--output: 'xml' is not one of text, json, zabbix, prometheus"),
            (
                &["-H", "a", "--timeout-state", "bad"],
                "--timeout-state: not a state (ok, warning, critical, unknown)",
            ),
            (&["-H", "a", "--map-state", "x"], "--map-state: want FROM=TO, for example warning=critical"),
            (&["-H", "a", "--exit-ok=1"], "--exit-ok: takes no value"),
            (
                &["-H", "a", "--password-file", "x", "--password-env", "y"],
                "--password-file: cannot stand together with --password-env",
            ),
        ] {
            assert_eq!(refused(arguments), want);
        }
    }

    #[test]
    fn passwords_in_argv_are_refused_and_never_shown() {
        for arguments in [
            &["-H", "a", "--password", "hunter2"][..],
            &["-H", "a", "--password=hunter2"],
            &["-H", "a", "-P", "hunter2"],
            &["-H", "a", "-Phunter2"],
            &["-H", "a", "hunter2"],
            &["-H", "a", "--passwort", "hunter2"],
            &["-H", "a", "--passwort=hunter2"],
            &["-H", "a", "--password-file", "x", "--password", "hunter2"],
        ] {
            let error = read(arguments).unwrap_err();
            assert!(!format!("{error} {:?}", error.hint).contains("hunter2"), "{error}");
        }
        assert!(read(&["-H", "a", "-P", "x"]).unwrap_err().hint.unwrap().contains("--password-file"));
    }

    #[test]
    fn help_and_version_are_shown() {
        assert!(matches!(read(&["--version"]), Ok(Parsed::Show(text)) if text.starts_with("check_a 0.")));
        assert!(matches!(read(&["-h"]), Ok(Parsed::Show(text)) if text.contains("--hostname")));
    }

    #[test]
    fn the_command_line_wins_over_the_file() {
        let ini =
            Ini::new("wins", 0o644, "[check_a]\nhostname=from-file\nw=5\nexit-ok\nmap-state=ok=warning\n");
        let options = run(&[&ini.option()]);
        assert_eq!(options.hostname, "from-file");
        assert!(
            options.run.exit_ok && options.thresholds.warning.is_some() && options.run.map_state.len() == 1
        );
        let options = run(&["-H", "mine", &ini.option(), "--map-state", "warning=critical"]);
        assert_eq!(options.hostname, "mine");
        assert_eq!(options.run.map_state.len(), 1);
        assert!(
            refused(&["-H", "a", "--extra-opts=absent@/nonexistent.ini"])
                .starts_with("--extra-opts: cannot read")
        );
        let unknown = Ini::new("unknown", 0o644, "[check_a]\nhostnam=x\n");
        assert_eq!(refused(&[&unknown.option()]), "--hostnam: unknown option (did you mean --hostname?)");
    }

    #[test]
    fn a_password_in_the_file_needs_a_closed_file() {
        let text = "[check_a]\nhostname=a\npassword=hunter2\n";
        let open = Ini::new("open", 0o644, text);
        let error = read(&[&open.option()]).unwrap_err();
        assert!(error.to_string().contains("too open") && error.hint.unwrap().starts_with("chmod"));
        let closed = Ini::new("closed", 0o640, text);
        assert_eq!(run(&[&closed.option()]).login.password.read().unwrap().as_slice(), b"hunter2");
        assert!(read(&[&closed.option(), "--password", "x"]).is_err(), "argv is refused all the same");
    }
}
