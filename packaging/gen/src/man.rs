//! Manual pages, section 1, in man(7).

use common::report::{Metric, State, Uom, format_number};
use roff::{Inline, Roff, bold, italic, roman};
use time::OffsetDateTime;

use crate::Error;
use crate::option::{Kind, OptionInfo};
use crate::plugin::PluginInfo;

/// Date of pages built without `SOURCE_DATE_EPOCH`: when this frame was last changed.
const FRAME_DATE: &str = "2026-11-21";

const ENGINES: &str = "It runs once, prints one line with the result and the measured values, and leaves with the \
    exit status that monitoring engines such as Nagios, Icinga and Zabbix understand.";
const MERGED: &str = "Of several findings the worst decides: OK, WARNING, UNKNOWN, CRITICAL, in this order.";
const UNMEASURED: &str =
    "A value that could not be measured is U, never 0. Labels do not change between versions.";
const PASSWORDS: &str = "A password is never taken from the command line, where every user of the host could read \
    it. The file must not be readable by others nor writable by the group: mode 0640, owner root, group of the \
    monitoring engine.";
const GUIDELINES: &str =
    "Monitoring Plugins Development Guidelines, https://www.monitoring-plugins.org/doc/guidelines.html";

/// The date for the pages: of `SOURCE_DATE_EPOCH` if given, else one that does not change
/// from build to build.
pub fn date(epoch: Option<&str>) -> Result<String, Error> {
    let Some(text) = epoch else { return Ok(FRAME_DATE.to_owned()) };
    text.parse()
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .map(|time| time.date().to_string())
        .ok_or_else(|| Error::Epoch(text.to_owned()))
}

/// The page of one plugin; the others are for SEE ALSO.
#[must_use]
pub fn page(plugin: &PluginInfo, all: &[PluginInfo], date: &str) -> String {
    let mut roff = Roff::new();
    let source = format!("Vedette {}", plugin.version);
    let title = plugin.name.to_uppercase();
    roff.control("TH", [title.as_str(), "1", date, source.as_str(), "Monitoring plugins"]);
    roff.control("SH", ["NAME"]).text([roman(format!("{} - {}", plugin.name, plugin.about))]);
    synopsis(&mut roff, plugin);
    roff.control("SH", ["DESCRIPTION"]).text([roman(format!("{}.", plugin.about))]);
    roff.text([roman(ENGINES)]);
    options(&mut roff, plugin);
    states(&mut roff, plugin);
    metrics(&mut roff, plugin);
    if plugin.option("password_file").is_some() {
        roff.control("SH", ["PASSWORDS"]).text([roman(PASSWORDS)]);
    }
    examples(&mut roff, plugin);
    exit_status(&mut roff);
    see_also(&mut roff, plugin, all);
    roff.render()
}

/// Required options by name, the others in one word: all of them stand below.
fn synopsis(roff: &mut Roff, plugin: &PluginInfo) {
    let mut line = vec![bold(plugin.name)];
    for option in plugin.options.iter().filter(|option| option.required) {
        line.extend([roman(" "), bold(option.flag()), roman(" ")]);
        line.extend(option.value_name.as_deref().map(italic));
    }
    line.extend([roman(" ["), italic("OPTION"), roman("]...")]);
    roff.control("SH", ["SYNOPSIS"]).text(line);
}

/// The options in the order and the groups of `--help`.
fn options(roff: &mut Roff, plugin: &PluginInfo) {
    roff.control("SH", ["OPTIONS"]);
    let mut group = None;
    for option in &plugin.options {
        if option.heading != group {
            group.clone_from(&option.heading);
            roff.control("SS", [group.as_deref().unwrap_or("General")]);
        }
        roff.control("TP", []).text(option_tag(option)).text([roman(option_text(option))]);
        for (word, meaning) in &option.possible_values {
            let meaning = meaning.as_deref().map(|meaning| format!(": {meaning}")).unwrap_or_default();
            roff.control("br", []).text([bold(word), roman(meaning)]);
        }
    }
}

/// `-H, --hostname HOST`.
fn option_tag(option: &OptionInfo) -> Vec<Inline> {
    let mut tag = Vec::new();
    if let (Some(short), Some(_)) = (option.short, &option.long) {
        tag.extend([bold(format!("-{short}")), roman(", ")]);
    }
    tag.push(bold(option.flag()));
    let between = if option.equals { "=" } else { " " };
    if let Some(name) = &option.value_name {
        tag.extend(match option.kind {
            Kind::OptionalValue => vec![roman(format!("[{between}")), italic(name), roman("]")],
            _ => vec![roman(between), italic(name)],
        });
    }
    tag
}

fn option_text(option: &OptionInfo) -> String {
    let default = option.default.as_ref().map(|default| format!(" [default: {default}]"));
    let repeated = if option.kind == Kind::List { "; can be given several times" } else { "" };
    format!("{}{repeated}{}", option.help, default.unwrap_or_default())
}

fn states(roff: &mut Roff, plugin: &PluginInfo) {
    roff.control("SH", ["STATES"]);
    for (state, when) in plugin.states {
        item(roff, state.name(), when);
    }
    roff.control("PP", []).text([roman(MERGED)]);
    roff.control("SS", ["What can happen to any check"]);
    for row in &plugin.conditions {
        let usual =
            if row.state == row.usual { String::new() } else { format!(" ({} in most plugins)", row.usual) };
        item(roff, row.state.name(), &format!("{}{usual}", row.text));
    }
}

fn metrics(roff: &mut Roff, plugin: &PluginInfo) {
    roff.control("SH", ["PERFORMANCE DATA"]);
    for metric in &plugin.metrics {
        let text = format!("{}; {}", metric.help, scale(metric));
        roff.control("TP", ["14"]).text([bold(metric.label)]).text([roman(text)]);
    }
    roff.control("PP", []).text([roman(UNMEASURED)]);
}

/// Unit and limits in words.
fn scale(metric: &Metric) -> String {
    let unit = match metric.uom {
        Uom::None => "a plain number",
        Uom::Seconds => "seconds (s)",
        Uom::Bytes => "bytes (B)",
        Uom::Percent => "per cent (%)",
        Uom::Counter => "a counter (c)",
    };
    let bound =
        |word: &str, value: Option<f64>| value.map(|value| format!(", {word} {}", format_number(value)));
    let (min, max) = (bound("at least", metric.min), bound("at most", metric.max));
    format!("{unit}{}{}", min.unwrap_or_default(), max.unwrap_or_default())
}

fn examples(roff: &mut Roff, plugin: &PluginInfo) {
    roff.control("SH", ["EXAMPLES"]);
    for (line, what) in plugin.examples {
        roff.control("TP", ["4"]).text([roman(format!("{what}:"))]);
        roff.control("nf", []).text([roman(*line)]);
        roff.control("fi", []);
    }
}

fn exit_status(roff: &mut Roff) {
    roff.control("SH", ["EXIT STATUS"]);
    let mut states = State::ALL;
    states.sort_by_key(|state| state.exit_code());
    for state in states {
        let more =
            if state == State::Unknown { "; also after a wrong option, --help and --version" } else { "" };
        item(roff, &state.exit_code().to_string(), &format!("{}{more}", state.name()));
    }
}

fn see_also(roff: &mut Roff, plugin: &PluginInfo, all: &[PluginInfo]) {
    roff.control("SH", ["SEE ALSO"]);
    for other in all.iter().filter(|other| other.name != plugin.name) {
        roff.text([bold(other.name), roman("(1),")]);
    }
    roff.text([roman(GUIDELINES)]);
}

/// A tagged paragraph.
fn item(roff: &mut Roff, tag: &str, text: &str) {
    roff.control("TP", ["10"]).text([bold(tag)]).text([roman(text)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_is_that_of_the_source() {
        assert_eq!(date(Some("0")).unwrap(), "1970-01-01");
        assert_eq!(date(Some("951782400")).unwrap(), "2000-02-29");
        assert_eq!(date(None).unwrap(), FRAME_DATE);
        assert!(date(Some("soon")).is_err());
    }

    #[test]
    fn scales_in_words() {
        let percent = Metric { label: "x", uom: Uom::Percent, help: "x", min: Some(0.0), max: Some(100.0) };
        assert_eq!(scale(&percent), "per cent (%), at least 0, at most 100");
        assert_eq!(scale(&Metric::number("x", "x")), "a plain number");
    }
}
