//! What a policy forbids, and what that makes of a protocol version, a suite or a key.
//!
//! A finding counts only where the policy has a rule on it; the rule's class gives the state. What a policy allows is a
//! note. Attack names are labels on findings and follow from protocol, suite and size alone, without trying them.

mod file;
#[allow(dead_code, reason = "names and classes are read at the build too")]
mod finding;
mod in_force;
pub(crate) mod sheet;
pub(crate) mod toml;

use std::borrow::Cow;

use common::report::State;

pub(crate) use finding::{Class, FindingKind};
pub(crate) use in_force::Moment;

use crate::glob;
use crate::groups::{Group, GroupKind};
use crate::suites::{Cipher, Export, KeyExchange, Mode, Sslv2Kind, Suite};
use crate::version::Version;

include!(concat!(env!("OUT_DIR"), "/policies.rs"));

/// A policy, built in or (owned) from a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    /// As in `--policy`.
    pub(crate) name: Text,
    /// Of the text it follows: `RFC 9325`.
    pub(crate) version: Text,
    /// Of that text: `2022-11`.
    pub(crate) date: Text,
    /// Where that text is found.
    pub(crate) source: Text,
    /// What is to be known of it wherever it is named.
    pub(crate) note: Option<Text>,
    pub(crate) limits: LeastBits,
    pub(crate) rules: Cow<'static, [Rule]>,
    pub(crate) suites: Lists,
    pub(crate) groups: Lists,
    /// Groups that must be there. Where one has several names with bars in between, any of them will do.
    pub(crate) require: Texts,
    pub(crate) certificate: CertificateRules,
    /// What is allowed for a time.
    pub(crate) ends: Cow<'static, [End]>,
    /// States of findings, over their classes.
    pub(crate) severity: Cow<'static, [(FindingKind, State)]>,
}

type Text = Cow<'static, str>;
type Texts = Cow<'static, [Text]>;

/// Names or patterns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lists {
    /// When not empty, nothing else is allowed.
    pub(crate) allow: Texts,
    /// Not allowed in any case.
    pub(crate) deny: Texts,
}

/// What certificates must be like, their sizes aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CertificateRules {
    /// Kinds of the server's own key: `RSA`, `EC secp256r1`.
    pub(crate) keys: Lists,
    /// Signatures of the server's own certificate.
    pub(crate) signatures: Lists,
    /// Signatures of all certificates whose strength counts.
    pub(crate) chain_signatures: Lists,
    /// Days that the server's own certificate may be made for.
    pub(crate) days: Option<u16>,
}

/// What is allowed until the end of a year.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) until: u16,
    pub(crate) suites: Texts,
    pub(crate) groups: Texts,
    pub(crate) keys: Texts,
    /// Of any certificate.
    pub(crate) signatures: Texts,
    /// As in [`Rule::source`].
    pub(crate) source: Text,
}

/// Least sizes of keys, in bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LeastBits {
    pub(crate) dh: u16,
    pub(crate) rsa: u16,
    pub(crate) curve: u16,
}

/// One thing a policy speaks about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) kind: FindingKind,
    pub(crate) class: Class,
    /// The class once `--upcoming` rules count: a text newer than the policy's, or one that takes effect later.
    pub(crate) upcoming: Option<Class>,
    /// The last year in which it does not count.
    pub(crate) until: Option<u16>,
    /// Requirement and section: `MUST NOT, RFC 9325 section 4.1`.
    pub(crate) source: Text,
}

/// One finding about what was judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reason {
    pub(crate) kind: FindingKind,
    pub(crate) class: Class,
    /// The attacks that it opens the door to.
    pub(crate) attacks: Vec<Attack>,
    /// The last year in which it is allowed, for what ends soon.
    pub(crate) until: Option<u16>,
}

/// Attacks with a name, each by what makes it possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Attack {
    /// SSL 2.0 on any server with the same key (CVE-2016-0800).
    Drown,
    /// CBC in SSL 3.0 (CVE-2014-3566).
    Poodle,
    /// RSA keys of 512 bit (CVE-2015-0204).
    Freak,
    /// Prime field groups of 512 bit, and up to 1024 for a rich attacker (CVE-2015-4000).
    Logjam,
    /// Blocks of 64 bit in CBC (CVE-2016-2183).
    Sweet32,
    /// CBC whose vector is the last block of the record before: SSL 3.0 and TLS 1.0 (CVE-2011-3389).
    Beast,
    /// Biases of RC4 (CVE-2013-2566, CVE-2015-2808).
    Rc4,
    /// Timing of padding: CBC with the MAC under the encryption in TLS (CVE-2013-0169).
    Lucky13,
}

impl Attack {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Drown => "DROWN",
            Self::Poodle => "POODLE",
            Self::Freak => "FREAK",
            Self::Logjam => "LOGJAM",
            Self::Sweet32 => "SWEET32",
            Self::Beast => "BEAST",
            Self::Rc4 => "RC4",
            Self::Lucky13 => "Lucky13",
        }
    }
}

/// Whether `--strict` was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strictness {
    Normal,
    Strict,
}

impl Class {
    /// The state of a finding of this class.
    pub(crate) fn state(self, strictness: Strictness) -> State {
        match (self, strictness) {
            (Self::Note, _) => State::Ok,
            (Self::Policy, Strictness::Normal) | (Self::Change | Self::Weak, _) => State::Warning,
            (Self::Policy, Strictness::Strict) | (Self::Broken, _) => State::Critical,
        }
    }
}

impl Policy {
    /// The rule on this, if the policy speaks of it.
    pub(crate) fn rule(&self, kind: FindingKind) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.kind == kind)
    }

    /// What a finding of this kind counts as.
    pub(crate) fn class_of(&self, kind: FindingKind) -> Class {
        self.rule(kind).map_or(Class::Note, |rule| rule.class)
    }

    /// Judges a difference to a baseline, on which hardly any policy has a rule.
    pub(crate) fn judge_difference(&self, kind: FindingKind) -> Reason {
        let class = self.rule(kind).map_or(kind.default_class(), |rule| rule.class);
        Reason { kind, class, attacks: Vec::new(), until: None }
    }

    /// Judges a finding that needs no more than its kind.
    pub(crate) fn judge(&self, kind: FindingKind) -> Reason {
        Reason { kind, class: self.class_of(kind), attacks: Vec::new(), until: None }
    }

    /// Judges what is allowed to the end of this year.
    fn judge_end(&self, until: u16) -> Reason {
        Reason { until: Some(until), ..self.judge(FindingKind::EndsSoon) }
    }

    /// Judges that a version is offered; None when the policy allows it.
    pub(crate) fn judge_version(&self, version: Version) -> Option<Reason> {
        let kind = version_kind(version);
        let attacks = if version == Version::Ssl2 { vec![Attack::Drown] } else { Vec::new() };
        let reason = Reason { attacks, ..self.judge(kind) };
        (reason.class > Class::Note).then_some(reason)
    }

    /// Judges that a version is offered that is allowed to the end of this year.
    pub(crate) fn judge_version_end(&self, version: Version) -> Option<Reason> {
        self.rule(version_kind(version)).and_then(|rule| rule.until).map(|until| self.judge_end(until))
    }

    /// Everything to be said about a suite in a version, worst first: what the version makes of it too, so that no suite
    /// of a forbidden version looks sound. `dh_bits` is the size of the prime the server sent, where it sent one.
    pub(crate) fn judge_suite(&self, version: Version, suite: &Suite, dh_bits: Option<u16>) -> Vec<Reason> {
        let version_reason = self.judge_version(version).map(|reason| reason.kind);
        let size = dh_bits.filter(|_| suite.is_ffdhe()).and_then(|bits| self.dh_kind(bits));
        let kinds = version_reason.into_iter().chain(suite_kinds(version, suite)).chain(size);
        let until = suite_kinds(version, suite).find_map(|kind| self.rule(kind)?.until);
        let until = until.or_else(|| self.suite_end(suite)).filter(|_| !self.is_unlisted(suite));
        let mut reasons: Vec<Reason> = kinds
            .chain(self.is_unlisted(suite).then_some(FindingKind::SuiteNotListed))
            .map(|kind| Reason { attacks: attacks_of(kind, version, suite, dh_bits), ..self.judge(kind) })
            .chain(until.map(|until| self.judge_end(until)))
            .collect();
        reasons.sort_by(|one, other| other.class.cmp(&one.class).then(one.kind.cmp(&other.kind)));
        reasons
    }

    /// Whether a suite may not be spoken in a version, as far as can be said before a server picked it: what splits
    /// the suites of a verdict. All suites of a forbidden version are forbidden; that a suite belongs to the version is
    /// the caller's to know ([`Suite::is_of`]).
    pub(crate) fn forbids(&self, version: Version, suite: &Suite) -> bool {
        self.class_of(version_kind(version)) > Class::Note
            || suite_kinds(version, suite).any(|kind| self.class_of(kind) > Class::Note)
            || (self.is_unlisted(suite) && self.class_of(FindingKind::SuiteNotListed) > Class::Note)
    }

    /// Judges a cipher kind of SSL 2.0.
    pub(crate) fn judge_sslv2(&self, kind: &Sslv2Kind) -> Vec<Reason> {
        let strength = strength_kind(kind.bits).filter(|_| kind.cipher != Cipher::Null);
        let found = [
            Some((FindingKind::Ssl2, vec![Attack::Drown])),
            (kind.cipher == Cipher::Null).then(|| (FindingKind::NullCipher, Vec::new())),
            kind.export.map(|_| (FindingKind::Export, Vec::new())),
            (kind.cipher == Cipher::Rc4).then(|| (FindingKind::Rc4, vec![Attack::Rc4])),
            strength.map(|found| (found, Vec::new())),
            has_small_block(kind.cipher).then(|| (FindingKind::SmallBlock, sweet32(kind.mode))),
        ];
        let reason = |(kind, attacks)| Reason { attacks, ..self.judge(kind) };
        found.into_iter().flatten().map(reason).collect()
    }

    /// Judges the size of the prime of a key exchange; None when it is large enough.
    pub(crate) fn judge_dh(&self, bits: u16) -> Option<Reason> {
        let kind = self.dh_kind(bits)?;
        let attacks = if bits <= LOGJAM_REACH { vec![Attack::Logjam] } else { Vec::new() };
        Some(Reason { attacks, ..self.judge(kind) })
    }

    /// Judges a group the server agrees to, by its number.
    pub(crate) fn judge_group(&self, code: u16) -> impl Iterator<Item = Reason> {
        let group = Group::by_code(code);
        let name = group.map_or("", |group| group.name);
        let unlisted = self.groups.forbids(name).then(|| self.judge(FindingKind::GroupNotListed));
        let until = self.ends.iter().find(|end| fits_any(&end.groups, name)).map(|end| end.until);
        let until = until.filter(|_| unlisted.is_none()).map(|until| self.judge_end(until));
        [group.and_then(|group| self.judge_group_size(group)), unlisted, until].into_iter().flatten()
    }

    /// Whether a group may not be agreed to, as far as its name tells.
    pub(crate) fn forbids_group(&self, group: &Group) -> bool {
        self.groups.forbids(group.name) && self.class_of(FindingKind::GroupNotListed) > Class::Note
    }

    /// Whether a group is one of those that a requirement names.
    pub(crate) fn is_required(requirement: &str, group: &Group) -> bool {
        requirement.split('|').any(|pattern| glob::fits_in_any_case(pattern, group.name))
    }

    /// None when it is large enough.
    fn judge_group_size(&self, group: &Group) -> Option<Reason> {
        match group.kind {
            GroupKind::Ffdhe => self.judge_dh(group.size),
            GroupKind::Ecdhe if group.size < self.limits.curve => Some(self.judge(FindingKind::CurveSmall)),
            // A curve of the server's own making: its size says nothing.
            GroupKind::Explicit => Some(self.judge(FindingKind::CurveSmall)),
            GroupKind::Ecdhe | GroupKind::MlKem | GroupKind::Hybrid | GroupKind::HybridDraft => None,
        }
    }

    fn dh_kind(&self, bits: u16) -> Option<FindingKind> {
        if bits < DH_BROKEN_BELOW {
            Some(FindingKind::DhBroken)
        } else {
            (bits < self.limits.dh).then_some(FindingKind::DhSmall)
        }
    }

    fn is_unlisted(&self, suite: &Suite) -> bool {
        let fits = |pattern: &Text| suite.fits(pattern);
        self.suites.deny.iter().any(fits)
            || (!self.suites.allow.is_empty() && !self.suites.allow.iter().any(fits))
    }

    /// The year in which a suite ends.
    fn suite_end(&self, suite: &Suite) -> Option<u16> {
        let ends = |end: &&End| end.suites.iter().any(|pattern| suite.fits(pattern));
        self.ends.iter().find(ends).map(|end| end.until)
    }
}

impl Lists {
    /// Whether something of this name is not allowed.
    pub(crate) fn forbids(&self, name: &str) -> bool {
        fits_any(&self.deny, name) || (!self.allow.is_empty() && !fits_any(&self.allow, name))
    }
}

pub(crate) fn fits_any(patterns: &[Text], name: &str) -> bool {
    patterns.iter().any(|pattern| glob::fits_in_any_case(pattern, name))
}

/// The finding that a version is offered at all.
fn version_kind(version: Version) -> FindingKind {
    match version {
        Version::Ssl2 => FindingKind::Ssl2,
        Version::Ssl3 => FindingKind::Ssl3,
        Version::Tls10 => FindingKind::Tls10,
        Version::Tls11 => FindingKind::Tls11,
        Version::Tls12 => FindingKind::Tls12,
        Version::Tls13 => FindingKind::Tls13,
    }
}

/// What is to be said about a suite whatever the policy.
fn suite_kinds(version: Version, suite: &Suite) -> impl Iterator<Item = FindingKind> {
    [
        suite.is_null().then_some(FindingKind::NullCipher),
        suite.is_anonymous().then_some(FindingKind::Anonymous),
        suite.is_export().then_some(FindingKind::Export),
        (suite.cipher == Cipher::Rc4).then_some(FindingKind::Rc4),
        strength_kind(suite.bits).filter(|_| !suite.is_null()),
        has_small_block(suite.cipher).then_some(FindingKind::SmallBlock),
        if suite.is_static_dh() {
            Some(FindingKind::StaticDh)
        } else {
            (!suite.has_forward_secrecy()).then_some(FindingKind::NoForwardSecrecy)
        },
        suite.is_ffdhe().then_some(FindingKind::Ffdhe),
        is_mac_then_encrypt(version, suite.mode).then_some(FindingKind::Cbc),
    ]
    .into_iter()
    .flatten()
}

fn strength_kind(bits: u16) -> Option<FindingKind> {
    match bits {
        0..112 => Some(FindingKind::LowStrength),
        112..128 => Some(FindingKind::ModestStrength),
        _ => None,
    }
}

fn has_small_block(cipher: Cipher) -> bool {
    cipher.block_bits() == Some(64)
}

/// SSL 3.0 has the same order of MAC and encryption, but a worse fault in its padding: POODLE says it all.
fn is_mac_then_encrypt(version: Version, mode: Mode) -> bool {
    mode == Mode::Cbc && (Version::Tls10..=Version::Tls12).contains(&version)
}

fn sweet32(mode: Mode) -> Vec<Attack> {
    if mode == Mode::Cbc { vec![Attack::Sweet32] } else { Vec::new() }
}

/// The attacks that a finding of this kind opens the door to, so that each stands at what explains it.
fn attacks_of(kind: FindingKind, version: Version, suite: &Suite, dh_bits: Option<u16>) -> Vec<Attack> {
    let is_cbc = suite.mode == Mode::Cbc;
    match kind {
        FindingKind::Ssl2 => vec![Attack::Drown],
        FindingKind::Ssl3 if is_cbc => vec![Attack::Poodle, Attack::Beast],
        FindingKind::Tls10 if is_cbc => vec![Attack::Beast],
        FindingKind::Rc4 => vec![Attack::Rc4],
        FindingKind::SmallBlock => sweet32(suite.mode),
        FindingKind::Cbc if is_mac_then_encrypt(version, suite.mode) => vec![Attack::Lucky13],
        FindingKind::Export if suite.kx == KeyExchange::Rsa && suite.export == Some(Export::Bits40) => {
            vec![Attack::Freak]
        }
        // 512 bit by its kind; 1024 when made for export later, which the prime itself tells when it was seen.
        FindingKind::Export if suite.is_ffdhe() => vec![Attack::Logjam],
        FindingKind::DhBroken | FindingKind::DhSmall if dh_bits.is_some_and(|bits| bits <= LOGJAM_REACH) => {
            vec![Attack::Logjam]
        }
        _ => Vec::new(),
    }
}

/// Below this a prime field group is broken whatever the policy's least size.
const DH_BROKEN_BELOW: u16 = 1024;

/// The largest prime the authors of Logjam thought to be in reach of a state.
const LOGJAM_REACH: u16 = 1024;

#[cfg(test)]
mod built_in;
#[cfg(test)]
mod tests;
