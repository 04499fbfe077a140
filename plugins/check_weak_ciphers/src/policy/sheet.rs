//! What a policy's file says, with every name checked. The build reads the built-in policies with it, the plugin those
//! of its user, so both are written alike.

use super::finding::{Class, FindingKind};
use super::toml::{self, Table, Value, problem};
use crate::glob;

/// Names that lists of a policy may use, in patterns too. `None` where they are not known yet: while the build makes
/// the tables.
pub(crate) struct Names<'a> {
    pub(crate) suites: Vec<&'a str>,
    pub(crate) groups: Vec<&'a str>,
    /// Of keys in certificates: `RSA`, `EC secp256r1`.
    pub(crate) keys: Option<Vec<String>>,
    /// Of signatures of certificates: `ecdsa-with-SHA256`.
    pub(crate) signatures: Option<Vec<String>>,
}

/// Patterns, where the file has such a list.
pub(crate) type List = Option<Vec<String>>;

/// A file, read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Sheet {
    pub(crate) name: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) date: Option<String>,
    pub(crate) source: Option<String>,
    pub(crate) note: Option<String>,
    /// The policy that this one changes, with its line.
    pub(crate) extends: Option<(usize, String)>,
    /// Findings of the versions that are allowed, in place of those that were.
    pub(crate) protocols: Option<Vec<FindingKind>>,
    pub(crate) dh_min: Option<u16>,
    pub(crate) rsa_min: Option<u16>,
    pub(crate) curve_min: Option<u16>,
    pub(crate) suites_allow: List,
    pub(crate) suites_deny: List,
    pub(crate) groups_allow: List,
    pub(crate) groups_deny: List,
    pub(crate) groups_require: List,
    pub(crate) keys: List,
    pub(crate) signatures: List,
    pub(crate) chain_signatures: List,
    pub(crate) days: Option<u16>,
    /// States of findings by their names, with their lines.
    pub(crate) severity: Vec<(usize, FindingKind, String)>,
    pub(crate) rules: Vec<SheetRule>,
    pub(crate) ends: Vec<SheetEnd>,
}

/// `[[rule]]`, once for each of its findings.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SheetRule {
    pub(crate) kind: FindingKind,
    pub(crate) class: Class,
    pub(crate) upcoming: Option<Class>,
    pub(crate) until: Option<u16>,
    pub(crate) source: Option<String>,
}

/// `[[ends]]`: what is allowed for a time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SheetEnd {
    pub(crate) until: u16,
    pub(crate) suites: Vec<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) keys: Vec<String>,
    pub(crate) signatures: Vec<String>,
    pub(crate) source: Option<String>,
}

/// Versions as a policy writes them, with the finding that one is offered.
pub(crate) const PROTOCOLS: [(&str, FindingKind); 6] = [
    ("SSLv2", FindingKind::Ssl2),
    ("SSLv3", FindingKind::Ssl3),
    ("TLS1.0", FindingKind::Tls10),
    ("TLS1.1", FindingKind::Tls11),
    ("TLS1.2", FindingKind::Tls12),
    ("TLS1.3", FindingKind::Tls13),
];

const TABLES: [&str; 6] = ["suites", "groups", "certificate", "severity", "rule", "ends"];
const HEAD: [&str; 10] =
    ["name", "version", "date", "source", "note", "extends", "protocols", "dh_min", "rsa_min", "curve_min"];
const SUITES: [&str; 2] = ["allow", "deny"];
const GROUPS: [&str; 3] = ["allow", "deny", "require"];
const CERTIFICATE: [&str; 4] = ["keys", "signatures", "chain_signatures", "days"];
const RULE: [&str; 5] = ["finding", "class", "upcoming", "until", "source"];
const ENDS: [&str; 6] = ["until", "suites", "groups", "keys", "signatures", "source"];

impl Sheet {
    /// Reads a file; an error begins with the number of its line.
    pub(crate) fn read(text: &str, names: &Names<'_>) -> Result<Self, String> {
        let mut sheet = Self::default();
        for mut table in toml::parse(text)? {
            match table.name.as_str() {
                "" => sheet.head(&mut table)?,
                "suites" => {
                    sheet.suites_allow = names.take_suites(&mut table, "allow")?;
                    sheet.suites_deny = names.take_suites(&mut table, "deny")?;
                    finish(&table, &SUITES)?;
                }
                "groups" => {
                    sheet.groups_allow = names.take_groups(&mut table, "allow")?;
                    sheet.groups_deny = names.take_groups(&mut table, "deny")?;
                    sheet.groups_require = names.take_groups(&mut table, "require")?;
                    finish(&table, &GROUPS)?;
                }
                "certificate" => {
                    sheet.keys = names.take_keys(&mut table, "keys")?;
                    sheet.signatures = names.take_signatures(&mut table, "signatures")?;
                    sheet.chain_signatures = names.take_signatures(&mut table, "chain_signatures")?;
                    sheet.days = table.number("days")?.map(|(_, days)| days);
                    finish(&table, &CERTIFICATE)?;
                }
                "severity" => sheet.severity(&table)?,
                "rule" => sheet.rule(&mut table)?,
                "ends" => {
                    let end = names.take_end(&mut table)?;
                    sheet.ends.push(end);
                }
                other => return Err(unknown(table.line, "table", other, TABLES.iter().copied())),
            }
        }
        Ok(sheet)
    }

    fn head(&mut self, table: &mut Table) -> Result<(), String> {
        let text = |table: &mut Table, key| table.text(key).map(|text| text.map(|(_, text)| text));
        let number =
            |table: &mut Table, key| table.number(key).map(|number| number.map(|(_, number)| number));
        self.name = text(table, "name")?;
        self.version = text(table, "version")?;
        self.date = text(table, "date")?;
        self.source = text(table, "source")?;
        self.note = text(table, "note")?;
        self.extends = table.text("extends")?;
        self.dh_min = number(table, "dh_min")?;
        self.rsa_min = number(table, "rsa_min")?;
        self.curve_min = number(table, "curve_min")?;
        let finding = |(line, name): (usize, String)| {
            let known = PROTOCOLS.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
            known.ok_or_else(|| unknown(line, "protocol", &name, PROTOCOLS.iter().map(|(known, _)| *known)))
        };
        self.protocols = match table.list("protocols")? {
            None => None,
            Some(names) => Some(names.into_iter().map(finding).collect::<Result<_, _>>()?),
        };
        finish(table, &HEAD)
    }

    fn severity(&mut self, table: &Table) -> Result<(), String> {
        for (name, line, value) in table.entries() {
            let kind = finding(*line, name)?;
            match value {
                Value::Text(state) => self.severity.push((*line, kind, state.clone())),
                _ => return Err(problem(*line, &format!("{name} must be the name of a state"))),
            }
        }
        Ok(())
    }

    fn rule(&mut self, table: &mut Table) -> Result<(), String> {
        let kinds = match table.take("finding") {
            Some((line, Value::Text(name))) => vec![(line, name)],
            Some((_, Value::List(names))) => names,
            Some((line, _)) => return Err(problem(line, "finding must be the name of a finding")),
            None => return Err(problem(table.line, "finding is missing")),
        };
        let class = take_class(table, "class")?;
        let upcoming = take_class(table, "upcoming")?;
        let until = take_year(table)?;
        let source = table.text("source")?.map(|(_, text)| text);
        finish(table, &RULE)?;
        for (line, name) in kinds {
            let kind = finding(line, &name)?;
            if self.rules.iter().any(|rule| rule.kind == kind) {
                return Err(problem(line, &format!("a second rule on {name}")));
            }
            let class = class.unwrap_or(kind.default_class());
            self.rules.push(SheetRule { kind, class, upcoming, until, source: source.clone() });
        }
        Ok(())
    }
}

impl Names<'_> {
    fn take_suites(&self, table: &mut Table, key: &str) -> Result<List, String> {
        checked(table.list(key)?, "suite", &self.suites)
    }

    /// One of several with a bar in between stands for each of them.
    fn take_groups(&self, table: &mut Table, key: &str) -> Result<List, String> {
        let list = table.list(key)?;
        let one = list
            .iter()
            .flatten()
            .flat_map(|(line, names)| names.split('|').map(|name| (*line, name.to_owned())));
        checked(Some(one.collect()), "group", &self.groups)?;
        Ok(list.map(texts))
    }

    fn take_keys(&self, table: &mut Table, key: &str) -> Result<List, String> {
        Self::take(table, key, "kind of key", self.keys.as_deref())
    }

    fn take_signatures(&self, table: &mut Table, key: &str) -> Result<List, String> {
        Self::take(table, key, "signature", self.signatures.as_deref())
    }

    fn take(table: &mut Table, key: &str, what: &str, known: Option<&[String]>) -> Result<List, String> {
        let list = table.list(key)?;
        match known {
            Some(known) => {
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                checked(list, what, &known)
            }
            None => Ok(list.map(texts)),
        }
    }

    fn take_end(&self, table: &mut Table) -> Result<SheetEnd, String> {
        let until = take_year(table)?.ok_or_else(|| problem(table.line, "until is missing"))?;
        let end = SheetEnd {
            until,
            suites: self.take_suites(table, "suites")?.unwrap_or_default(),
            groups: self.take_groups(table, "groups")?.unwrap_or_default(),
            keys: self.take_keys(table, "keys")?.unwrap_or_default(),
            signatures: self.take_signatures(table, "signatures")?.unwrap_or_default(),
            source: table.text("source")?.map(|(_, text)| text),
        };
        finish(table, &ENDS)?;
        Ok(end)
    }
}

fn texts(list: Vec<(usize, String)>) -> Vec<String> {
    list.into_iter().map(|(_, text)| text).collect()
}

/// A list whose patterns all fit something.
fn checked(list: Option<Vec<(usize, String)>>, what: &str, known: &[&str]) -> Result<List, String> {
    for (line, text) in list.iter().flatten() {
        if !known.iter().any(|name| glob::fits_in_any_case(text, name)) {
            return Err(unknown(*line, what, text, known.iter().copied()));
        }
    }
    Ok(list.map(texts))
}

fn finding(line: usize, name: &str) -> Result<FindingKind, String> {
    let known = || FindingKind::ALL.iter().map(|(_, known, _)| *known);
    FindingKind::from_name(name).ok_or_else(|| unknown(line, "finding", name, known()))
}

fn take_class(table: &mut Table, key: &str) -> Result<Option<Class>, String> {
    let Some((line, name)) = table.text(key)? else { return Ok(None) };
    let known = || Class::ALL.iter().map(|class| class.name());
    Class::from_name(&name).map(Some).ok_or_else(|| unknown(line, "class", &name, known()))
}

/// `until`, a year with four digits.
fn take_year(table: &mut Table) -> Result<Option<u16>, String> {
    match table.number("until")? {
        Some((line, year)) if !(1970..=9999).contains(&year) => Err(problem(line, "until must be a year")),
        year => Ok(year.map(|(_, year)| year)),
    }
}

/// Nothing may be left when all known keys were taken.
fn finish(table: &Table, known: &[&str]) -> Result<(), String> {
    match table.left() {
        Some((line, key)) => Err(unknown(line, "key", key, known.iter().copied())),
        None => Ok(()),
    }
}

/// That nobody knows this, and what may have been meant.
pub(crate) fn unknown<'a>(
    line: usize,
    what: &str,
    name: &str,
    known: impl Iterator<Item = &'a str>,
) -> String {
    problem(line, &format!("unknown {what} {name}{}", meant(name, known)))
}

/// ` (did you mean bcp195?)`, where a known name is not far off.
pub(crate) fn meant<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let nearest = known.map(|known| (distance(name, known), known)).min();
    match nearest {
        Some((distance, known)) if distance * 2 <= name.len().min(known.len()) => {
            format!(" (did you mean {known}?)")
        }
        _ => String::new(),
    }
}

/// Letters to be changed, left out or added between two names, in either case.
fn distance(one: &str, other: &str) -> usize {
    let one: Vec<u8> = one.bytes().take(LONGEST).map(|letter| letter.to_ascii_lowercase()).collect();
    let mut row: Vec<usize> = (0..=one.len()).collect();
    for (at, letter) in other.bytes().take(LONGEST).enumerate() {
        let letter = letter.to_ascii_lowercase();
        let mut last = at + 1;
        let mut next = vec![last];
        for (known, pair) in one.iter().zip(row.windows(2)) {
            let &[diagonal, above] = pair else { continue };
            last = (diagonal + usize::from(*known != letter)).min(above + 1).min(last + 1);
            next.push(last);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

/// Letters of a name that are compared.
const LONGEST: usize = 64;
