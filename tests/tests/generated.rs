//! Generated files against the plugins themselves: nothing is missing in a man page, a
//! completion or a CheckCommand, and what users parse does not change unseen.
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
use packaging_gen::{PluginInfo, completions, icinga2, man, plugins};

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
            let left_out = icinga2::LEFT_OUT.iter().any(|(id, _)| *id == word);
            let variable = format!("${}_{word}$", plugin.short_name());
            assert_ne!(object.contains(&variable), left_out, "{}: {option}, {variable}", plugin.name);
        }
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
        // As a user would see it: which words fit behind `--hos`?
        let ask = format!(
            "{script}\nCOMP_WORDS=({0} --hos); COMP_CWORD=1; _{0} {0} --hos {0}\necho \"${{COMPREPLY[@]}}\"",
            plugin.name
        );
        let output = Command::new("bash").args(["--norc", "-c", &ask]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "--hostname\n", "{}", plugin.name);
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
