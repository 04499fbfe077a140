//! The built-in policies, checked: no key, finding, class or suite that is not known.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::finding::{Class, FindingKind};
use crate::glob;
use crate::toml::{self, Table, Value};

/// The text of `policies.rs`: one policy for each file of the folder, by name.
pub(crate) fn generate(folder: &Path, suite_names: &BTreeSet<String>) -> Result<String, String> {
    let problem = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(problem)? {
        files.push(entry.map_err(problem)?.path());
    }
    files.sort();
    let mut policies = String::new();
    for file in &files {
        let text = fs::read_to_string(file).map_err(problem)?;
        let policy = toml::parse(&text).and_then(|tables| policy(tables, suite_names));
        policies.push_str(&policy.map_err(|message| format!("{}:{message}", file.display()))?);
    }
    Ok(format!(
        "/// The built-in policies, by name.\npub(crate) static POLICIES: [Policy; {}] = [\n{policies}];\n",
        files.len()
    ))
}

fn policy(tables: Vec<Table>, suite_names: &BTreeSet<String>) -> Result<String, String> {
    let (mut head, mut limits, mut suites, mut rules) =
        (String::new(), String::new(), String::new(), String::new());
    let mut seen = BTreeSet::new();
    for mut table in tables {
        match table.name.as_str() {
            "" => head = head_of(&mut table)?,
            "limits" => limits = limits_of(&mut table)?,
            "suites" => suites = suites_of(&mut table, suite_names)?,
            "rule" => {
                let finding = table.text("finding")?;
                rules.push_str(&rule_of(&mut table, &finding)?);
                if !seen.insert(finding) {
                    return Err(format!("{}: a second rule on the same finding", table.line));
                }
            }
            other => return Err(format!("{}: unknown table {other}", table.line)),
        }
        table.finish()?;
    }
    if limits.is_empty() {
        return Err("1: [limits] is missing".to_owned());
    }
    if suites.is_empty() {
        "allow: Cow::Borrowed(&[]), deny: Cow::Borrowed(&[])".clone_into(&mut suites);
    }
    Ok(format!("    Policy {{ {head}, {limits}, rules: Cow::Borrowed(&[\n{rules}    ]), {suites} }},\n"))
}

fn head_of(table: &mut Table) -> Result<String, String> {
    let mut fields = Vec::new();
    for key in ["name", "version", "date", "source"] {
        fields.push(format!("{key}: Cow::Borrowed({:?})", table.text(key)?));
    }
    Ok(fields.join(", "))
}

fn limits_of(table: &mut Table) -> Result<String, String> {
    let mut fields = Vec::new();
    for (key, field) in [("dh_min", "dh"), ("rsa_min", "rsa"), ("curve_min", "curve")] {
        match table.take(key) {
            Some((_, Value::Number(bits))) => fields.push(format!("{field}: {bits}")),
            Some((line, _)) => return Err(format!("{line}: {key} must be a number of bits")),
            None => return Err(format!("{}: {key} is missing", table.line)),
        }
    }
    Ok(format!("limits: LeastBits {{ {} }}", fields.join(", ")))
}

fn suites_of(table: &mut Table, suite_names: &BTreeSet<String>) -> Result<String, String> {
    let mut fields = Vec::new();
    for key in ["allow", "deny"] {
        let (line, patterns) = match table.take(key) {
            Some((line, Value::List(patterns))) => (line, patterns),
            Some((line, _)) => return Err(format!("{line}: {key} must be a list of names or patterns")),
            None => (table.line, Vec::new()),
        };
        let is_unknown = |pattern: &&String| !suite_names.iter().any(|name| glob::fits(pattern, name));
        if let Some(pattern) = patterns.iter().find(is_unknown) {
            return Err(format!("{line}: no suite fits {pattern}"));
        }
        let list: String = patterns.iter().map(|pattern| format!("Cow::Borrowed({pattern:?}), ")).collect();
        fields.push(format!("{key}: Cow::Borrowed(&[{list}])"));
    }
    Ok(fields.join(", "))
}

fn rule_of(table: &mut Table, finding: &str) -> Result<String, String> {
    let kind = FindingKind::from_name(finding)
        .ok_or_else(|| format!("{}: unknown finding {finding}", table.line))?;
    let class = class_of(table, "class")?.unwrap_or(kind.default_class());
    let upcoming = class_of(table, "upcoming")?
        .map_or_else(|| "None".to_owned(), |class| format!("Some(Class::{class:?})"));
    Ok(format!(
        "        Rule {{ kind: FindingKind::{kind:?}, class: Class::{class:?}, upcoming: {upcoming}, \
         source: Cow::Borrowed({:?}) }},\n",
        table.text("source")?
    ))
}

fn class_of(table: &mut Table, key: &str) -> Result<Option<Class>, String> {
    match table.take(key) {
        None => Ok(None),
        Some((line, Value::Text(name))) => {
            Class::from_name(&name).map(Some).ok_or_else(|| format!("{line}: unknown class {name}"))
        }
        Some((line, _)) => Err(format!("{line}: {key} must be the name of a class")),
    }
}
