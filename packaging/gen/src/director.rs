//! Icinga Director: a basket with the data fields of each check command.
//!
//! The commands themselves are those of the Icinga 2 file, which is on every node, so they are
//! external here: Director offers their fields and renders no second object of the same name.
//! It could not render them either: it knows neither `env` nor `separator`. Read against
//! Director 1.10 to 1.11: fields without a `uuid`, which 1.10 refuses, are found again by their
//! content.

use serde_json::{Map, Value, json};

use crate::convention::{PLUGINS, convention};
use crate::icinga2::{self, left_out, password_variable, takes_password, variable};
use crate::option::{Kind, OptionInfo};
use crate::plugin::PluginInfo;

const TYPES: &str = "Icinga\\Module\\Director\\DataType\\DataType";

/// The basket, for `icingacli director basket restore`.
#[must_use]
pub fn basket(plugins: &[PluginInfo]) -> String {
    let (mut commands, mut fields) = (Map::new(), Map::new());
    for plugin in plugins {
        let own = data_fields(plugin);
        // Director numbers fields within a basket, from 1.
        let first = fields.len() + 1;
        let places: Vec<Value> = own.iter().zip(first..).map(|(field, id)| field.reference(id)).collect();
        commands.insert(name(plugin), command(plugin, &places));
        fields.extend(own.into_iter().zip(first..).map(|(field, id)| (id.to_string(), field.entry)));
    }
    let basket = json!({ "Datafield": fields, "ExternalCommand": commands });
    format!("{basket:#}\n")
}

/// The command and its fields alone, in the same form.
#[must_use]
pub fn command_basket(plugin: &PluginInfo) -> String {
    basket(std::slice::from_ref(plugin))
}

fn name(plugin: &PluginInfo) -> String {
    format!("vedette_{}", plugin.short_name())
}

fn command(plugin: &PluginInfo, fields: &[Value]) -> Value {
    let options = || plugin.options.iter().filter(|option| !left_out(option));
    let arguments: Map<String, Value> = options().flat_map(|option| arguments(plugin, option)).collect();
    let vars: Map<String, Value> = options()
        .filter_map(|option| Some((variable(plugin, option), json!(convention(&option.id)?.icinga2))))
        .collect();
    json!({
        "object_name": name(plugin),
        "object_type": "external_object",
        "methods_execute": "PluginCheck",
        "command": format!("{PLUGINS}/{}", plugin.name),
        "arguments": arguments,
        "vars": vars,
        "fields": fields,
    })
}

/// What Director shows of an option beside the command. The entry that hands a password over
/// through the environment has no place there.
fn arguments(plugin: &PluginInfo, option: &OptionInfo) -> Vec<(String, Value)> {
    let variable = variable(plugin, option);
    let value = format!("${variable}$");
    let description = option.description();
    match option.kind {
        Kind::Flag => {
            vec![(option.flag(), json!({ "set_if": value, "description": description }))]
        }
        Kind::Count => icinga2::counts(option, &variable)
            .into_iter()
            .map(|(flag, condition, description)| {
                let argument = json!({
                    "set_if": condition, "set_if_format": "expression", "description": description
                });
                (flag, argument)
            })
            .collect(),
        // The key inside the value: there is no other way to write `--key=value`.
        Kind::Value | Kind::OptionalValue | Kind::List if option.equals => {
            let value = format!("{}={value}", option.flag());
            let argument = json!({ "value": value, "skip_key": true, "description": description });
            vec![(option.flag(), argument)]
        }
        Kind::Value | Kind::OptionalValue | Kind::List => {
            let required = option.required.then(|| ("required".to_owned(), json!(true)));
            let repeated = (option.kind == Kind::List).then(|| ("repeat_key".to_owned(), json!(true)));
            let both = [("value".to_owned(), json!(value)), ("description".to_owned(), json!(description))];
            let attributes: Map<String, Value> = both.into_iter().chain(required).chain(repeated).collect();
            vec![(option.flag(), attributes.into())]
        }
    }
}

/// A data field, and whether a service must have it.
struct Field {
    entry: Value,
    required: bool,
}

impl Field {
    fn reference(&self, id: usize) -> Value {
        let required = if self.required { "y" } else { "n" };
        json!({ "datafield_id": id, "is_required": required, "var_filter": null })
    }
}

/// One for each custom variable of the Icinga 2 file.
fn data_fields(plugin: &PluginInfo) -> Vec<Field> {
    let options = plugin.options.iter().filter(|option| !left_out(option));
    let mut fields: Vec<Field> = options.map(|option| field(plugin, option)).collect();
    if takes_password(plugin) {
        let text = "The password itself, which reaches the plugin through its environment. A file is better";
        fields.push(Field {
            entry: entry(
                &password_variable(plugin),
                "Password",
                text,
                "String",
                &json!({ "visibility": "hidden" }),
            ),
            required: false,
        });
    }
    fields
}

fn field(plugin: &PluginInfo, option: &OptionInfo) -> Field {
    let (data_type, settings) = match option.kind {
        Kind::Flag => ("Boolean", json!({})),
        Kind::Count => ("Number", json!({})),
        Kind::List => ("Array", json!({})),
        Kind::Value | Kind::OptionalValue => ("String", json!({ "visibility": "visible" })),
    };
    let description = match option.kind {
        Kind::Count => format!("{}: 1 to 3", option.description()),
        _ => option.description(),
    };
    Field {
        entry: entry(&variable(plugin, option), &caption(option), &description, data_type, &settings),
        required: option.required && convention(&option.id).is_none(),
    }
}

fn entry(variable: &str, caption: &str, description: &str, data_type: &str, settings: &Value) -> Value {
    json!({
        "varname": variable,
        "caption": caption,
        "description": description,
        "datatype": format!("{TYPES}{data_type}"),
        "format": null,
        "settings": settings,
    })
}

/// `Password file` of `--password-file`.
fn caption(option: &OptionInfo) -> String {
    let words = option.variable().replace('_', " ");
    let mut letters = words.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().collect::<String>() + letters.as_str())
        .unwrap_or_default()
}
