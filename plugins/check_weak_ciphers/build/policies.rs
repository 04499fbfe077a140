//! The built-in policies as constants. They are read and checked as the plugin reads those of its user.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::policy::sheet::{Names, Sheet, SheetEnd, SheetRule};

/// The text of `policies.rs`: one policy for each file of the folder, by name.
pub(crate) fn generate(
    folder: &Path,
    suites: &BTreeSet<String>,
    groups: &BTreeSet<String>,
) -> Result<String, String> {
    let problem = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(problem)? {
        files.push(entry.map_err(problem)?.path());
    }
    files.sort();
    let names = Names {
        suites: suites.iter().map(String::as_str).collect(),
        groups: groups.iter().map(String::as_str).collect(),
        keys: None,
        signatures: None,
    };
    let mut policies = String::new();
    for file in &files {
        let text = fs::read_to_string(file).map_err(problem)?;
        let policy = Sheet::read(&text, &names).and_then(policy);
        policies.push_str(&policy.map_err(|message| format!("{}:{message}", file.display()))?);
    }
    Ok(format!(
        "/// The built-in policies, by name.\npub(crate) static POLICIES: [Policy; {}] = [\n{policies}];\n",
        files.len()
    ))
}

fn policy(sheet: Sheet) -> Result<String, String> {
    let is_whole = sheet.extends.is_none() && sheet.protocols.is_none() && sheet.severity.is_empty();
    if !is_whole {
        return Err("1: extends, protocols and severity are for the policies of users".to_owned());
    }
    let text = |key: &str, text: Option<String>| {
        text.map(|text| format!("Cow::Borrowed({text:?})")).ok_or_else(|| format!("1: {key} is missing"))
    };
    let bits = |key: &str, bits: Option<u16>| bits.ok_or_else(|| format!("1: {key} is missing"));
    let rules: String = sheet.rules.iter().map(rule).collect::<Result<_, _>>()?;
    let ends: String = sheet.ends.iter().map(end).collect::<Result<_, _>>()?;
    Ok(format!(
        "    Policy {{ name: {}, version: {}, date: {}, source: {}, note: {},\n    \
         limits: LeastBits {{ dh: {}, rsa: {}, curve: {} }}, rules: Cow::Borrowed(&[\n{rules}    ]),\n    \
         suites: {}, groups: {}, require: {},\n    \
         certificate: CertificateRules {{ keys: {}, signatures: {}, chain_signatures: {}, days: {:?} }},\n    \
         ends: Cow::Borrowed(&[{ends}]), severity: Cow::Borrowed(&[]) }},\n",
        text("name", sheet.name)?,
        text("version", sheet.version)?,
        text("date", sheet.date)?,
        text("source", sheet.source)?,
        sheet.note.map_or_else(|| "None".to_owned(), |note| format!("Some(Cow::Borrowed({note:?}))")),
        bits("dh_min", sheet.dh_min)?,
        bits("rsa_min", sheet.rsa_min)?,
        bits("curve_min", sheet.curve_min)?,
        lists(sheet.suites_allow, sheet.suites_deny),
        lists(sheet.groups_allow, sheet.groups_deny),
        list(&sheet.groups_require.unwrap_or_default()),
        lists(sheet.keys, None),
        lists(sheet.signatures, None),
        lists(sheet.chain_signatures, None),
        sheet.days,
    ))
}

fn lists(allow: Option<Vec<String>>, deny: Option<Vec<String>>) -> String {
    format!(
        "Lists {{ allow: {}, deny: {} }}",
        list(&allow.unwrap_or_default()),
        list(&deny.unwrap_or_default())
    )
}

fn list(patterns: &[String]) -> String {
    let list: String = patterns.iter().map(|pattern| format!("Cow::Borrowed({pattern:?}), ")).collect();
    format!("Cow::Borrowed(&[{list}])")
}

fn rule(rule: &SheetRule) -> Result<String, String> {
    let SheetRule { kind, class, upcoming, until, source } = rule;
    let source = source.as_ref().ok_or_else(|| format!("1: the rule on {} has no source", kind.name()))?;
    let upcoming = upcoming.map_or_else(|| "None".to_owned(), |class| format!("Some(Class::{class:?})"));
    Ok(format!(
        "        Rule {{ kind: FindingKind::{kind:?}, class: Class::{class:?}, upcoming: {upcoming}, \
         until: {until:?}, source: Cow::Borrowed({source:?}) }},\n"
    ))
}

fn end(end: &SheetEnd) -> Result<String, String> {
    let SheetEnd { until, suites, groups, keys, signatures, source } = end;
    let source = source.as_ref().ok_or_else(|| format!("1: the end in {until} has no source"))?;
    Ok(format!(
        "\n        End {{ until: {until}, suites: {}, groups: {}, keys: {}, signatures: {}, \
         source: Cow::Borrowed({source:?}) }},",
        list(suites),
        list(groups),
        list(keys),
        list(signatures)
    ))
}
