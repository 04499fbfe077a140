//! The templates, one for each plugin, in one file to import.

use common::report::{Metric, State, Uom};

use super::discovery::{Family, families, plain_metrics};
use super::macros::{Macro, fixed_arguments, macros, name};
use super::yaml::Node;
use super::{prefix, uuid};
use crate::option::{Kind, OptionInfo};
use crate::plugin::PluginInfo;

/// A version of the file's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// Zabbix 6.0, which newer ones read as well.
    V6_0,
    /// Zabbix 7.0.
    V7_0,
}

const GROUP: &str = "Templates/Vedette";
const VALUE_MAP: &str = "Vedette state";

/// What the server makes of a check that it ended, or could not start.
const NO_ANSWER: &str = r#"{"state":3,"status":"UNKNOWN","summary":"no answer from the plugin: the server ended it (Timeout), or could not start it","metrics":{}}"#;

/// Wrong options are told in plain text, in any form of output.
const SUMMARY: &str = "try {
  return JSON.parse(value).summary;
} catch (error) {
  return value.split('\\n')[0];
}";

/// Options that no macro should hold, by identifier.
pub const LEFT_OUT: [(&str, &str); 4] = [
    ("help", "for people"),
    ("version", "for people"),
    ("output", "set already"),
    ("password_fd", "the server opens no descriptors for a plugin"),
];

/// The file for one release.
#[must_use]
pub fn templates(plugins: &[PluginInfo], release: Release) -> String {
    let (version, groups) = match release {
        Release::V6_0 => ("6.0", "groups"),
        Release::V7_0 => ("7.0", "template_groups"),
    };
    let group = Node::Map(vec![("uuid", uuid("group", GROUP).into()), ("name", GROUP.into())]);
    let document = Node::Map(vec![(
        "zabbix_export",
        Node::Map(vec![
            ("version", version.into()),
            (groups, Node::List(vec![group])),
            ("templates", Node::List(plugins.iter().map(|plugin| template(plugin, release)).collect())),
            ("triggers", Node::List(plugins.iter().flat_map(state_triggers).collect())),
        ]),
    )]);
    document.document()
}

/// `Vedette check_smtp_auth`.
#[must_use]
pub fn template_name(plugin: &PluginInfo) -> String {
    format!("Vedette {}", plugin.name)
}

/// Key of the item with a metric: `vedette.smtp_auth.metric[time]`. In an item prototype the
/// label holds the macro of the object.
#[must_use]
pub fn metric_key(plugin: &PluginInfo, label: &str) -> String {
    let quoted = if label.contains(['{', '[', ',']) { format!("\"{label}\"") } else { label.to_owned() };
    format!("{}.metric[{quoted}]", prefix(plugin))
}

/// Key of the item that runs the plugin: `check_smtp_auth["--output=zabbix","{$..}"]`.
#[must_use]
pub fn master_key(plugin: &PluginInfo) -> String {
    let macros = macros(plugin).into_iter().map(|one| one.name);
    let arguments = fixed_arguments(plugin).into_iter().chain(macros);
    let quoted: Vec<String> = arguments.map(|argument| format!("\"{argument}\"")).collect();
    format!("{}[{}]", plugin.name, quoted.join(","))
}

fn key(plugin: &PluginInfo, word: &str) -> String {
    format!("{}.{word}", prefix(plugin))
}

fn template(plugin: &PluginInfo, release: Release) -> Node {
    let name = template_name(plugin);
    let mut items = vec![master(plugin, release), state(plugin), summary(plugin)];
    items.extend(plain_metrics(plugin).map(|metric| metric_item(plugin, metric)));
    let mut entries = vec![
        ("uuid", uuid("template", &name).into()),
        ("template", name.as_str().into()),
        ("name", name.as_str().into()),
        ("description", description(plugin).into()),
        ("groups", Node::List(vec![Node::Map(vec![("name", GROUP.into())])])),
        ("items", Node::List(items)),
    ];
    let rules: Vec<Node> = families(plugin).iter().map(|family| discovery_rule(plugin, family)).collect();
    if !rules.is_empty() {
        entries.push(("discovery_rules", Node::List(rules)));
    }
    entries.push(("macros", Node::List(all_macros(plugin).into_iter().map(macro_node).collect())));
    entries.push(("valuemaps", Node::List(vec![value_map(&name)])));
    Node::Map(entries)
}

/// Says how to set options, and which there are.
fn description(plugin: &PluginInfo) -> String {
    let options = plugin.options.iter().filter(|option| !LEFT_OUT.iter().any(|(id, _)| *id == option.id));
    let lines: String = options.map(|option| format!("\n{}", argument(option))).collect();
    format!(
        "{}.\n\nA macro holds one argument of {} as it stands on a command line, for example \
         --timeout=2.5. The target is the address or name of the host's interface. A password is \
         given by file.\n\nOptions:{lines}",
        plugin.about, plugin.name
    )
}

/// `--port=PORT: Port of the service`.
fn argument(option: &OptionInfo) -> String {
    let name = option.value_name.as_deref().unwrap_or("VALUE");
    let value = match option.kind {
        Kind::Flag | Kind::Count => String::new(),
        Kind::OptionalValue => format!("[={name}]"),
        Kind::Value | Kind::List => format!("={name}"),
    };
    format!("{}{value}: {}", option.flag(), option.description())
}

/// Those of the plugin's arguments, and how often to run it.
fn all_macros(plugin: &PluginInfo) -> Vec<Macro> {
    let own = [
        ("interval", "5m", "How often the plugin runs"),
        ("nodata", "15m", "How long without a result before there is a problem"),
    ];
    let own = own.map(|(word, value, description)| Macro {
        name: name(plugin, word),
        value: value.to_owned(),
        description: description.to_owned(),
    });
    macros(plugin).into_iter().chain(own).collect()
}

fn macro_node(one: Macro) -> Node {
    Node::Map(vec![
        ("macro", one.name.into()),
        ("value", one.value.into()),
        ("description", one.description.into()),
    ])
}

fn value_map(template: &str) -> Node {
    let states = [State::Ok, State::Warning, State::Critical, State::Unknown];
    let mappings = states.iter().map(|state| {
        Node::Map(vec![
            ("value", state.exit_code().to_string().into()),
            ("newvalue", state.name().to_owned().into()),
        ])
    });
    Node::Map(vec![
        ("uuid", uuid("value map", template).into()),
        ("name", VALUE_MAP.into()),
        ("mappings", Node::List(mappings.collect())),
    ])
}

// ---- items ----

fn master(plugin: &PluginInfo, release: Release) -> Node {
    let any_error = match release {
        Release::V6_0 => "",
        Release::V7_0 => "-1",
    };
    Node::Map(vec![
        ("uuid", uuid("item", plugin.name).into()),
        ("name", plugin.name.into()),
        ("type", "EXTERNAL".into()),
        ("key", master_key(plugin).into()),
        ("delay", name(plugin, "interval").into()),
        ("history", "1d".into()),
        ("trends", "0".into()),
        ("value_type", "TEXT".into()),
        ("description", "Runs the plugin. All other items take their value from this one.".into()),
        (
            "preprocessing",
            Node::List(vec![step("CHECK_NOT_SUPPORTED", any_error, Failing::Becomes(NO_ANSWER))]),
        ),
        ("tags", tags(plugin)),
    ])
}

fn state(plugin: &PluginInfo) -> Node {
    let key = key(plugin, "state");
    Node::Map(vec![
        ("uuid", uuid("item", &key).into()),
        ("name", format!("{}: state", plugin.name).into()),
        ("type", "DEPENDENT".into()),
        ("key", key.into()),
        ("delay", "0".into()),
        (
            "description",
            "0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN; also UNKNOWN when the answer is no result".into(),
        ),
        ("valuemap", Node::Map(vec![("name", VALUE_MAP.into())])),
        ("preprocessing", Node::List(vec![step("JSONPATH", "$.state", Failing::Becomes("3"))])),
        ("master_item", Node::Map(vec![("key", master_key(plugin).into())])),
        ("tags", tags(plugin)),
        ("triggers", Node::List(vec![no_data_trigger(plugin)])),
    ])
}

fn summary(plugin: &PluginInfo) -> Node {
    let key = key(plugin, "summary");
    Node::Map(vec![
        ("uuid", uuid("item", &key).into()),
        ("name", format!("{}: summary", plugin.name).into()),
        ("type", "DEPENDENT".into()),
        ("key", key.into()),
        ("delay", "0".into()),
        ("trends", "0".into()),
        ("value_type", "TEXT".into()),
        ("description", "What decided".into()),
        ("preprocessing", Node::List(vec![step("JAVASCRIPT", SUMMARY, Failing::Is)])),
        ("master_item", Node::Map(vec![("key", master_key(plugin).into())])),
        ("tags", tags(plugin)),
    ])
}

fn metric_item(plugin: &PluginInfo, metric: &Metric) -> Node {
    let title = format!("{}: {}", plugin.name, metric.label);
    measured(plugin, metric, (metric.label, &title))
}

/// An item or prototype; the label is the one in the plugin's result.
fn measured(plugin: &PluginInfo, metric: &Metric, (label, title): (&str, &str)) -> Node {
    let key = metric_key(plugin, label);
    // The server escapes what a discovered name holds for this kind of quotes.
    let path = format!("$.metrics[\"{label}\"]");
    let mut entries = vec![
        ("uuid", uuid("item", &key).into()),
        ("name", title.into()),
        ("type", "DEPENDENT".into()),
        ("key", key.into()),
        ("delay", "0".into()),
        ("value_type", "FLOAT".into()),
    ];
    if !matches!(metric.uom, Uom::None | Uom::Counter) {
        entries.push(("units", metric.uom.suffix().into()));
    }
    entries.extend([
        ("description", metric.help.into()),
        ("preprocessing", Node::List(vec![step("JSONPATH", &path, Failing::IsDiscarded)])),
        ("master_item", Node::Map(vec![("key", master_key(plugin).into())])),
        ("tags", tags(plugin)),
    ]);
    Node::Map(entries)
}

fn discovery_rule(plugin: &PluginInfo, family: &Family) -> Node {
    let key = key(plugin, &format!("discovery[{}]", family.object));
    let object = family.macro_name();
    let prototypes = family.members.iter().map(|(end, metric)| {
        let label = format!("{object}{end}");
        let title = format!("{}: {label}", plugin.name);
        measured(plugin, metric, (&label, &title))
    });
    // What is no result is no reason to lose what was discovered.
    let metrics = step("JSONPATH", "$.metrics", Failing::IsDiscarded);
    Node::Map(vec![
        ("uuid", uuid("discovery rule", &key).into()),
        ("name", format!("{}: each {}", plugin.name, family.object).into()),
        ("type", "DEPENDENT".into()),
        ("key", key.into()),
        ("delay", "0".into()),
        ("lifetime", "30d".into()),
        ("item_prototypes", Node::List(prototypes.collect())),
        ("master_item", Node::Map(vec![("key", master_key(plugin).into())])),
        ("preprocessing", Node::List(vec![metrics, step("JAVASCRIPT", &family.script(), Failing::Is)])),
    ])
}

/// What becomes of a value that a step cannot process.
#[derive(Clone, Copy)]
enum Failing {
    /// It is an error of the item.
    Is,
    /// Nothing is stored.
    IsDiscarded,
    /// This is stored.
    Becomes(&'static str),
}

fn step(kind: &str, parameter: &str, failing: Failing) -> Node {
    let mut entries = vec![("type", kind.into()), ("parameters", Node::List(vec![parameter.into()]))];
    match failing {
        Failing::Is => {}
        Failing::IsDiscarded => entries.push(("error_handler", "DISCARD_VALUE".into())),
        Failing::Becomes(value) => {
            entries.push(("error_handler", "CUSTOM_VALUE".into()));
            entries.push(("error_handler_params", value.into()));
        }
    }
    Node::Map(entries)
}

fn tags(plugin: &PluginInfo) -> Node {
    Node::List(vec![Node::Map(vec![("tag", "plugin".into()), ("value", plugin.name.into())])])
}

// ---- triggers ----

/// One for each state that is not OK. The summary is in the expression so that the event can
/// quote it.
fn state_triggers(plugin: &PluginInfo) -> Vec<Node> {
    [(State::Warning, "WARNING"), (State::Critical, "HIGH"), (State::Unknown, "AVERAGE")]
        .map(|(state, priority)| {
            let (item, name) = (item_path(plugin, "state"), format!("{}: {}", plugin.name, state.name()));
            let expression = format!(
                "last({item})={} and length(last({}))>=0",
                state.exit_code(),
                item_path(plugin, "summary")
            );
            Node::Map(vec![
                ("uuid", uuid("trigger", &name).into()),
                ("expression", expression.into()),
                ("name", name.as_str().into()),
                ("event_name", format!("{name}: {{{{ITEM.VALUE2}}.regsub(\"(.*)\", \"\\1\")}}").into()),
                ("opdata", "{{ITEM.LASTVALUE2}.regsub(\"(.*)\", \"\\1\")}".into()),
                ("priority", priority.into()),
                ("tags", tags(plugin)),
            ])
        })
        .into()
}

/// For all that keeps the server from running the plugin at all.
fn no_data_trigger(plugin: &PluginInfo) -> Node {
    let title = format!("{}: no result", plugin.name);
    let period = name(plugin, "nodata");
    Node::Map(vec![
        ("uuid", uuid("trigger", &title).into()),
        ("expression", format!("nodata({},{period})=1", item_path(plugin, "state")).into()),
        ("name", title.as_str().into()),
        ("event_name", format!("{title} for {period}").into()),
        ("priority", "AVERAGE".into()),
        ("tags", tags(plugin)),
    ])
}

/// `/Vedette check_smtp_auth/vedette.smtp_auth.state`.
fn item_path(plugin: &PluginInfo, word: &str) -> String {
    format!("/{}/{}", template_name(plugin), key(plugin, word))
}
