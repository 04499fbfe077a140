//! Generated files against the plugins themselves: nothing is missing in a man page, a
//! completion, an engine's definition or a table, and what users parse does not change unseen.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "test code"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use lab::plugin::Plugin;
use packaging_gen::{PluginInfo, completions, director, icinga2, man, nagios, plugins, remote, tables};
use serde_json::Value;

/// Any fixed date will do.
const DATE: &str = "2000-01-01";

#[test]
fn every_folder_is_a_plugin_of_the_generator() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins");
    let folders: BTreeSet<String> = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|folder| folder.join("Cargo.toml").is_file())
        .map(|folder| folder.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    let known: BTreeSet<String> = plugins().iter().map(|plugin| plugin.name.to_owned()).collect();
    assert!(!folders.is_empty());
    assert_eq!(folders, known);
}

#[test]
fn every_option_of_the_binary_is_in_the_man_page() {
    for plugin in plugins() {
        let page = plain(&page(&plugin));
        for option in options_in_help(&plugin) {
            assert!(
                page.contains(&format!("{option}\n"))
                    || page.contains(&format!("{option} "))
                    || page.contains(&format!("{option}[")),
                "{}: {option} is not in the man page",
                plugin.name
            );
        }
    }
}

#[test]
fn every_option_of_the_binary_is_in_the_check_command() {
    for plugin in plugins() {
        let object = icinga2::check_command(&plugin);
        for option in options_in_help(&plugin) {
            let word = option.trim_start_matches('-').replace('-', "_");
            let variable = format!("${}_{word}$", plugin.short_name());
            assert_ne!(object.contains(&variable), is_left_out(&option), "{}: {option}", plugin.name);
        }
    }
}

#[test]
fn every_option_of_the_binary_is_above_the_command_of_nagios() {
    for plugin in plugins() {
        let text = nagios::command(&plugin);
        let lines: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("#   ")).collect();
        for option in options_in_help(&plugin) {
            let named = |line: &&str| line.split([' ', '[', '=']).any(|word| word == option);
            let place = lines.iter().position(|line| !line.starts_with(' ') && named(line));
            assert_eq!(place.is_none(), is_left_out(&option), "{}: {option}", plugin.name);
            // Its description is the next line.
            assert!(place.is_none_or(|place| lines[place + 1].trim().len() > 5), "{}: {option}", plugin.name);
        }
        assert!(text.contains(&format!("command_name  vedette_{}\n", plugin.short_name())));
        assert!(!text.contains("--password "), "{text}");
    }
}

#[test]
fn every_option_of_the_binary_is_a_field_of_director() {
    for plugin in plugins() {
        let basket: Value = serde_json::from_str(&director::command_basket(&plugin)).unwrap();
        let fields = basket["Datafield"].as_object().unwrap();
        let names: BTreeSet<&str> = fields.values().map(|field| field["varname"].as_str().unwrap()).collect();
        for option in options_in_help(&plugin) {
            let word = option.trim_start_matches('-').replace('-', "_");
            let variable = format!("{}_{word}", plugin.short_name());
            assert_ne!(names.contains(variable.as_str()), is_left_out(&option), "{}: {option}", plugin.name);
        }
    }
}

/// Both files describe the same command: what Director asks for reaches the plugin.
#[test]
fn director_has_the_variables_of_the_check_command() {
    for plugin in plugins() {
        let object = icinga2::check_command(&plugin);
        let basket: Value = serde_json::from_str(&director::basket(&plugins())).unwrap();
        let name = format!("vedette_{}", plugin.short_name());
        let command = &basket["ExternalCommand"][&name];
        assert_eq!(command["object_name"], name.as_str());
        assert_eq!(command["object_type"], "external_object", "else Icinga would have the command twice");
        let field = |reference: &Value| &basket["Datafield"][reference["datafield_id"].to_string()];
        let fields = command["fields"].as_array().unwrap().iter().map(field);
        let names: BTreeSet<&str> = fields.map(|field| field["varname"].as_str().unwrap()).collect();
        assert_eq!(names, macros(&object), "{name}");
        // The column of the database ends there.
        assert!(names.iter().all(|name| name.len() <= 64), "{names:?}");
        let arguments = command["arguments"].to_string();
        let password = icinga2::password_variable(&plugin);
        for variable in names.into_iter().filter(|variable| *variable != password) {
            assert!(arguments.contains(&format!("${variable}$")), "{name}: {variable}");
        }
        assert!(!arguments.contains(&format!("${password}$")), "{arguments}");
        for word in ["repeat_key", "set_if", "required"] {
            let times = |text: &str, what: &str| text.matches(what).count();
            let (ours, theirs) =
                (times(&arguments, &format!("\"{word}\":")), times(&object, &format!("\t{word} = ")));
            // One more argument there is for the password.
            let more = usize::from(word == "set_if" && object.contains("\tenv = {"));
            assert_eq!(ours + more, theirs, "{name}: {word}");
        }
    }
}

#[test]
fn every_option_metric_and_state_is_in_the_tables() {
    for plugin in plugins() {
        let text = tables::document(&plugin);
        assert!(text.starts_with(&format!("# {}", plugin.name)));
        for option in options_in_help(&plugin) {
            let cell = [format!("`{option}` |"), format!(", {}` |", &option)];
            assert!(cell.iter().any(|cell| text.contains(cell)), "{}: {option}", plugin.name);
        }
        for metric in &plugin.metrics {
            assert!(
                text.contains(&format!("\n| `{}` | ", metric.label)),
                "{}: {}",
                plugin.name,
                metric.label
            );
        }
        let states = plugin.states.iter().map(|(state, _)| state);
        for state in states.chain(plugin.conditions.iter().map(|row| &row.state)) {
            assert!(text.contains(&format!("\n| {state} | ")), "{}: {state}", plugin.name);
        }
        // Every row of a table has the columns of its head.
        let mut columns = 0;
        for line in text.lines() {
            let own = line.replace("\\|", "").matches('|').count();
            assert!(own == 0 || columns == 0 || own == columns, "{}: {line}", plugin.name);
            columns = own;
        }
    }
}

#[test]
fn every_plugin_is_in_the_files_of_agents() {
    for (text, before) in [(remote::nrpe(&plugins()), "]="), (remote::mrpe(&plugins()), " (interval=300) ")] {
        for plugin in plugins() {
            let lines: Vec<&str> =
                text.lines().filter(|line| line.contains(&format!("/{}", plugin.name))).collect();
            assert!(!lines.is_empty(), "{}\n{text}", plugin.name);
            let names: BTreeSet<&str> =
                lines.iter().map(|line| line.trim_start_matches('#').split_once(before).unwrap().0).collect();
            assert_eq!(names.len(), lines.len(), "names are unique: {lines:?}");
            assert!(names.iter().all(|name| name.contains(&format!("vedette_{}", plugin.short_name()))));
        }
        // Checkmk's agent puts the line into single quotes, and a shell sees it twice.
        let ends_early = |line: &&str| line.contains(" (interval=") && line.contains(['\'', '$', '`', '\\']);
        assert_eq!(text.lines().find(ends_early), None);
        // What needs nothing of the site is ready.
        assert!(text.lines().any(|line| line.contains("/usr/lib/vedette/plugins") && !line.starts_with('#')));
    }
}

#[test]
fn every_option_of_the_binary_is_completed() {
    for plugin in plugins() {
        for shell in completions::SHELLS {
            let script = completions::script(&plugin, shell);
            let words: BTreeSet<&str> =
                script.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').collect();
            for option in options_in_help(&plugin) {
                // fish names it without dashes: `-l hostname`.
                let word = if shell.to_string() == "fish" { &option[2..] } else { &option };
                assert!(words.contains(word), "{}: {option} is not completed in {shell}", plugin.name);
            }
            assert!(!words.contains("--password") && !script.contains("-l password "), "{shell}: hidden");
        }
    }
}

#[test]
fn completions_are_read_by_their_shell() {
    for plugin in plugins() {
        let script = completions::script(&plugin, completions::SHELLS[0]);
        // As a user would see it: which words fit behind `--dump`, an option of all?
        let ask = format!(
            "{script}\nCOMP_WORDS=({0} --dump); COMP_CWORD=1; _{0} {0} --dump {0}\necho \"${{COMPREPLY[@]}}\"",
            plugin.name
        );
        let output = Command::new("bash").args(["--norc", "-c", &ask]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "--dump-observation\n", "{}", plugin.name);
    }
}

#[test]
fn every_metric_is_in_the_man_page() {
    for plugin in plugins() {
        let page = plain(&page(&plugin));
        assert_eq!(plugin.metrics[0].label, "time");
        for metric in &plugin.metrics {
            let entry = format!("\n{}\n{};", metric.label, metric.help);
            assert!(page.contains(&entry), "{}: {} is not in the man page", plugin.name, metric.label);
        }
    }
}

#[test]
fn every_metric_is_in_the_readme() {
    for plugin in plugins() {
        let readme =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins").join(plugin.name).join("README.md");
        let text = fs::read_to_string(&readme).unwrap();
        for metric in &plugin.metrics {
            let row = format!("\n| `{}` | {} |", metric.label, metric.uom.suffix()).replace("|  |", "| |");
            assert!(text.contains(&row), "{}: no row {row:?}", readme.display());
        }
    }
}

#[test]
fn every_state_and_example_is_in_the_man_page() {
    for plugin in plugins() {
        let page = plain(&page(&plugin));
        let rows = plugin.states.iter().map(|(state, text)| (*state, *text));
        for (state, text) in rows.chain(plugin.conditions.iter().map(|row| (row.state, row.text))) {
            assert!(page.contains(&format!("\n{state}\n{text}")), "{}: {state} {text}", plugin.name);
        }
        for (line, _) in plugin.examples {
            assert!(page.contains(line), "{}: {line}", plugin.name);
        }
    }
}

#[test]
fn man_pages_pass_the_linter() {
    let Some(mandoc) = find("mandoc", "the lint of the man pages") else { return };
    let folder = tempfile::tempdir().unwrap();
    let files = packaging_gen::write_all(folder.path(), DATE).unwrap();
    for page in files.iter().filter(|path| path.extension().is_some_and(|end| end == "1")) {
        let output = Command::new(&mandoc).args(["-Tlint", "-W", "warning"]).arg(page).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{}:\n{said}", page.display());
    }
}

#[test]
fn help_is_as_reviewed() {
    for plugin in plugins() {
        let outcome = Plugin::new(plugin.name).arg("--help").run();
        insta::assert_snapshot!(format!("{}-help", plugin.name), without_trailing_blanks(&outcome.text()));
    }
}

#[test]
fn check_commands_are_as_reviewed() {
    for plugin in plugins() {
        insta::assert_snapshot!(format!("{}-icinga2", plugin.name), icinga2::check_command(&plugin));
    }
}

/// The other plugins' are made the same way.
#[test]
fn files_of_other_engines_are_as_reviewed() {
    let one = plugins().into_iter().find(|plugin| plugin.short_name() == "rbl").unwrap();
    insta::assert_snapshot!("check_rbl-nagios", nagios::command(&one));
    insta::assert_snapshot!("check_rbl-director", director::command_basket(&one));
    insta::assert_snapshot!("check_rbl-options", tables::document(&one));
    insta::assert_snapshot!("nagios-services", nagios::services(&plugins()));
    insta::assert_snapshot!("nrpe", remote::nrpe(&plugins()));
    insta::assert_snapshot!("mrpe", remote::mrpe(&plugins()));
}

#[test]
fn two_runs_write_the_same_bytes() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let date = man::date(None).unwrap();
    let files = packaging_gen::write_all(first.path(), &date).unwrap();
    packaging_gen::write_all(second.path(), &date).unwrap();
    for file in files {
        let other = second.path().join(file.strip_prefix(first.path()).unwrap());
        assert_eq!(fs::read(&file).unwrap(), fs::read(other).unwrap(), "{}", file.display());
    }
}

/// Whether engines have no use for this option.
fn is_left_out(option: &str) -> bool {
    let word = option.trim_start_matches('-').replace('-', "_");
    icinga2::LEFT_OUT.iter().any(|(id, _)| *id == word)
}

/// Custom variables in the object of a check command; its default values are those of the host.
fn macros(object: &str) -> BTreeSet<&str> {
    let words = object.split('$').skip(1).step_by(2);
    words.filter(|word| *word != "check_address").collect()
}

fn page(plugin: &PluginInfo) -> String {
    man::page(plugin, &plugins(), DATE)
}

/// Long names as the built binary shows them, so that the generator is not its own judge.
fn options_in_help(plugin: &PluginInfo) -> Vec<String> {
    let help = Plugin::new(plugin.name).arg("--help").run().text();
    let options: Vec<String> = help
        .lines()
        .map(str::trim_start)
        .filter(|line| line.starts_with('-'))
        .filter_map(|line| line.split("--").nth(1))
        .map(|rest| rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect())
        .map(|name: String| format!("--{name}"))
        .collect();
    assert!(options.iter().any(|option| option == "--timeout"), "{}: not read\n{help}", plugin.name);
    options
}

/// The source of a page without fonts and escapes.
fn plain(page: &str) -> String {
    ["\\fB", "\\fI", "\\fR"]
        .iter()
        .fold(page.replace("\\-", "-"), |text, font| text.replace(font, ""))
        .replace("\\*(Aq", "'")
        .replace("\\&", "")
}

/// clap indents the empty lines of a paragraph.
fn without_trailing_blanks(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// A tool of `tests/run`; without root, where that cannot install it, the test is left out.
fn find(name: &str, what: &str) -> Option<PathBuf> {
    let usual = ["/usr/bin", "/usr/sbin", "/bin"].map(PathBuf::from);
    let found = usual.iter().map(|folder| folder.join(name)).find(|path| path.is_file());
    if found.is_none() {
        assert!(env::var_os("VEDETTE_WITHOUT_ROOT").is_some(), "{name} is missing: tests/run installs it");
        eprintln!("!! LEFT OUT: {what}: {name} is not installed");
    }
    found
}
