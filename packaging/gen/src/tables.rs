//! Options, metrics and states of a plugin as Markdown, for the guide.

use common::report::{Metric, format_number};

use crate::option::OptionInfo;
use crate::plugin::PluginInfo;

/// The document of one plugin.
#[must_use]
pub fn document(plugin: &PluginInfo) -> String {
    let mut text = format!("# {}: options, metrics, states\n\n{}.\n", plugin.name, cell(&plugin.about));
    options(&mut text, plugin);
    metrics(&mut text, plugin);
    states(&mut text, plugin);
    text.push_str("\n## Examples\n");
    for (line, what) in plugin.examples {
        text.push_str(&format!("\n{}:\n\n```\n{line}\n```\n", cell(what)));
    }
    text
}

fn options(text: &mut String, plugin: &PluginInfo) {
    text.push_str("\n## Options\n");
    let mut groups: Vec<&str> = Vec::new();
    for option in &plugin.options {
        if !groups.contains(&group(option)) {
            groups.push(group(option));
        }
    }
    for heading in groups {
        text.push_str(&format!("\n### {heading}\n\n"));
        text.push_str("| option | value | default | meaning |\n|---|---|---|---|\n");
        for option in plugin.options.iter().filter(|option| group(option) == heading) {
            let value = option.value_name.as_deref().unwrap_or_default();
            let (help, default) = help_and_default(option);
            text.push_str(&row(&[&code(&option.names()), &code(value), &default, &meaning(help, option)]));
        }
    }
}

fn group(option: &OptionInfo) -> &str {
    option.heading.as_deref().unwrap_or("General")
}

/// A default that is not one value stands at the end of the help.
fn help_and_default(option: &OptionInfo) -> (&str, String) {
    if let Some(default) = &option.default {
        return (&option.help, code(default));
    }
    let parts = option.help.strip_suffix(']').and_then(|help| help.split_once(" [default: "));
    parts.map_or_else(|| (option.help.as_str(), String::new()), |(help, default)| (help, cell(default)))
}

/// Help, and the words allowed.
fn meaning(help: &str, option: &OptionInfo) -> String {
    let words: Vec<String> = option
        .possible_values
        .iter()
        .map(|(word, help)| match help {
            Some(help) => format!("{}: {}", code(word), cell(help)),
            None => code(word),
        })
        .collect();
    let end = if words.is_empty() { String::new() } else { format!(". One of {}", words.join("; ")) };
    format!("{}{end}", cell(help))
}

fn metrics(text: &mut String, plugin: &PluginInfo) {
    text.push_str("\n## Metrics\n\n| label | unit | from | to | meaning |\n|---|---|---|---|---|\n");
    for metric in &plugin.metrics {
        let Metric { label, uom, help, min, max } = metric;
        let [min, max] = [min, max].map(|bound| bound.map(format_number).unwrap_or_default());
        text.push_str(&row(&[&code(label), uom.suffix(), &min, &max, &cell(help)]));
    }
    text.push_str("\nA value that could not be measured is `U`. Labels do not change between versions.\n");
}

fn states(text: &mut String, plugin: &PluginInfo) {
    text.push_str("\n## States\n\n| state | when |\n|---|---|\n");
    for (state, when) in plugin.states {
        text.push_str(&row(&[state.name(), &cell(when)]));
    }
    text.push_str("\nWhat can happen to any check:\n\n| state | when |\n|---|---|\n");
    for one in &plugin.conditions {
        text.push_str(&row(&[one.state.name(), &cell(one.text)]));
    }
}

fn row(cells: &[&str]) -> String {
    let cells: String = cells.iter().map(|cell| format!(" {cell} |").replace("  |", " |")).collect();
    format!("|{cells}\n")
}

/// Text that Markdown takes for nothing but text.
fn cell(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '\n' => escaped.push(' '),
            '\\' | '|' | '*' | '_' | '<' | '[' | ']' | '`' => escaped.extend(['\\', c]),
            _ => escaped.push(c),
        }
    }
    escaped
}

/// The same in a fixed font. A table ends its cell at `|`, even in there.
fn code(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("`{}`", text.replace('|', "\\|")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_markdown_would_take_for_its_own() {
        assert_eq!(cell("a|b *c* <d>\n[e]"), r"a\|b \*c\* \<d> \[e\]");
        assert_eq!((code("a|b"), code("")), (r"`a\|b`".to_owned(), String::new()));
        assert_eq!(row(&["a", "", "b"]), "| a | | b |\n");
    }
}
