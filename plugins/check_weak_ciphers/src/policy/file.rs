//! Policies by name, and those in files of the user.

use std::borrow::Cow;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use common::net::tls::{key_names, signature_names};
use common::report::State;

use super::sheet::{List, Names, PROTOCOLS, Sheet, SheetEnd, SheetRule, meant, unknown};
use super::{CertificateRules, End, FindingKind, LeastBits, POLICIES, Policy, Rule, Text, Texts};
use crate::groups::GROUPS;
use crate::suites::SUITES;

/// The policy that one in a file changes, when it names none.
const BASE: &str = "bcp195";
/// Bytes of a file that may be a policy.
const LONGEST: u64 = 1 << 16;

impl Policy {
    /// The built-in policy of this name.
    pub(crate) fn by_name(name: &str) -> Option<&'static Self> {
        POLICIES.iter().find(|policy| policy.name == name)
    }

    /// All built-in policies.
    pub(crate) fn all() -> &'static [Self] {
        &POLICIES
    }

    /// A built-in policy, or one in a file: what has a slash in it, or ends in `.toml`. The message of an error says
    /// what is wrong, and in which line.
    pub(crate) fn find(name: &str) -> Result<Self, String> {
        let is_file = name.contains('/') || Path::new(name).extension().is_some_and(|end| end == "toml");
        if is_file {
            return Self::load(name);
        }
        let known = || POLICIES.iter().map(|policy| policy.name.as_ref());
        let unknown = || format!("'{name}' is not a policy{}", meant(name, known()));
        Self::by_name(name).cloned().ok_or_else(unknown)
    }

    fn load(file: &str) -> Result<Self, String> {
        let cannot = |why: &str| format!("cannot read {file}: {why}");
        let is_plain = fs::metadata(file).map_err(|error| cannot(&error.to_string()))?.is_file();
        if !is_plain {
            return Err(cannot("not a file"));
        }
        let mut text = String::new();
        let opened = fs::File::open(file).map_err(|error| cannot(&error.to_string()))?;
        opened.take(LONGEST + 1).read_to_string(&mut text).map_err(|error| cannot(&error.to_string()))?;
        if text.len() as u64 > LONGEST {
            return Err(cannot("too long for a policy"));
        }
        let name = Path::new(file).file_stem().map_or_else(String::new, |name| name.to_string_lossy().into());
        Self::read(&text, &name, file).map_err(|message| format!("{file}:{message}"))
    }

    /// Reads the text of a file; `name` and `source` are what it is called by when it does not say so itself.
    pub(crate) fn read(text: &str, name: &str, source: &str) -> Result<Self, String> {
        let mut sheet = Sheet::read(text, &names())?;
        let mut policy = base(&sheet)?.clone();
        let of = |policy: &Self| format!("{} {} with changes", policy.name, policy.version);
        policy.version = sheet.version.take().map_or_else(|| of(&policy).into(), Cow::Owned);
        policy.name = sheet.name.take().unwrap_or_else(|| name.to_owned()).into();
        policy.source = sheet.source.take().unwrap_or_else(|| source.to_owned()).into();
        if let Some(date) = sheet.date.take() {
            policy.date = date.into();
        }
        policy.note = sheet.note.take().map(Cow::Owned).or(policy.note);
        policy.severity = states(&sheet)?.into();
        policy.change(sheet);
        Ok(policy)
    }

    /// What the file says goes over what was there.
    fn change(&mut self, sheet: Sheet) {
        if let Some(allowed) = &sheet.protocols {
            self.limit_protocols(allowed);
        }
        let LeastBits { dh, rsa, curve } = self.limits;
        self.limits = LeastBits {
            dh: sheet.dh_min.unwrap_or(dh),
            rsa: sheet.rsa_min.unwrap_or(rsa),
            curve: sheet.curve_min.unwrap_or(curve),
        };
        for (kind, is_limited) in [
            (FindingKind::SuiteNotListed, sheet.suites_allow.is_some() || sheet.suites_deny.is_some()),
            (FindingKind::GroupNotListed, sheet.groups_allow.is_some() || sheet.groups_deny.is_some()),
            (FindingKind::GroupMissing, sheet.groups_require.is_some()),
            (FindingKind::CertificateKey, sheet.keys.is_some()),
            (
                FindingKind::CertificateSignature,
                sheet.signatures.is_some() || sheet.chain_signatures.is_some(),
            ),
            (FindingKind::CertificateLifetime, sheet.days.is_some()),
            (FindingKind::DhSmall, sheet.dh_min.is_some()),
            (FindingKind::RsaSmall, sheet.rsa_min.is_some()),
            (FindingKind::CurveSmall, sheet.curve_min.is_some()),
        ] {
            if is_limited {
                self.add_rule(kind);
            }
        }
        self.add_ends(sheet.ends);
        replace(&mut self.suites.allow, sheet.suites_allow);
        extend(&mut self.suites.deny, sheet.suites_deny);
        replace(&mut self.groups.allow, sheet.groups_allow);
        extend(&mut self.groups.deny, sheet.groups_deny);
        replace(&mut self.require, sheet.groups_require);
        let CertificateRules { keys, signatures, chain_signatures, days } = &mut self.certificate;
        replace(&mut keys.allow, sheet.keys);
        replace(&mut signatures.allow, sheet.signatures);
        replace(&mut chain_signatures.allow, sheet.chain_signatures);
        *days = sheet.days.or(*days);
        for SheetRule { kind, class, upcoming, until, source } in sheet.rules {
            let source = source.map_or_else(|| self.name.clone(), Cow::Owned);
            self.set_rule(Rule { kind, class, upcoming, until, source });
        }
    }

    /// Versions that are listed count no more, all others do.
    fn limit_protocols(&mut self, allowed: &[FindingKind]) {
        self.rules.to_mut().retain(|rule| !allowed.contains(&rule.kind));
        for (_, kind) in PROTOCOLS.iter().filter(|(_, kind)| !allowed.contains(kind)) {
            self.add_rule(*kind);
        }
    }

    fn add_ends(&mut self, ends: Vec<SheetEnd>) {
        for SheetEnd { until, suites, groups, keys, signatures, source } in ends {
            for (kind, list) in [
                (FindingKind::SuiteNotListed, &suites),
                (FindingKind::GroupNotListed, &groups),
                (FindingKind::CertificateKey, &keys),
                (FindingKind::CertificateSignature, &signatures),
            ] {
                if !list.is_empty() {
                    self.add_rule(kind);
                    self.add_rule(FindingKind::EndsSoon);
                }
            }
            let source = source.map_or_else(|| self.name.clone(), Cow::Owned);
            let (suites, groups, keys, signatures) =
                (texts(suites), texts(groups), texts(keys), texts(signatures));
            self.ends.to_mut().push(End { until, suites, groups, keys, signatures, source });
        }
    }

    /// Lets a finding count that the policy does not speak of so far, or as a note only.
    fn add_rule(&mut self, kind: FindingKind) {
        if self.class_of(kind) == super::Class::Note {
            let rule = Rule {
                kind,
                class: kind.default_class(),
                upcoming: None,
                until: None,
                source: self.name.clone(),
            };
            self.set_rule(rule);
        }
    }

    fn set_rule(&mut self, rule: Rule) {
        let has_end = rule.until.is_some();
        let rules = self.rules.to_mut();
        rules.retain(|known| known.kind != rule.kind);
        rules.push(rule);
        if has_end {
            self.add_rule(FindingKind::EndsSoon);
        }
    }

    /// One line for `--list-policies`.
    pub(crate) fn line(&self) -> String {
        let note = self.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
        format!("{}: {}, {}, {}{note}", self.name, self.version, self.date, self.source)
    }
}

fn base(sheet: &Sheet) -> Result<&'static Policy, String> {
    let (line, name) = sheet.extends.as_ref().map_or((1, BASE), |(line, name)| (*line, name.as_str()));
    let known = || POLICIES.iter().map(|policy| policy.name.as_ref());
    Policy::by_name(name).ok_or_else(|| unknown(line, "policy", name, known()))
}

fn states(sheet: &Sheet) -> Result<Vec<(FindingKind, State)>, String> {
    let state = |(line, kind, name): &(usize, FindingKind, String)| {
        name.parse().map(|state| (*kind, state)).map_err(|_| {
            let known = ["ok", "warning", "critical", "unknown"];
            unknown(*line, "state", name, known.into_iter())
        })
    };
    sheet.severity.iter().map(state).collect()
}

fn names() -> Names<'static> {
    Names {
        suites: SUITES.iter().flat_map(|suite| [Some(suite.name), suite.openssl_name]).flatten().collect(),
        groups: GROUPS.iter().map(|group| group.name).collect(),
        keys: Some(key_names().collect()),
        signatures: Some(signature_names().map(str::to_owned).collect()),
    }
}

fn texts(list: Vec<String>) -> Texts {
    list.into_iter().map(Cow::Owned).collect::<Vec<Text>>().into()
}

fn replace(list: &mut Texts, new: List) {
    if let Some(new) = new {
        *list = texts(new);
    }
}

fn extend(list: &mut Texts, more: List) {
    list.to_mut().extend(more.into_iter().flatten().map(Cow::Owned));
}

#[cfg(test)]
mod tests;
