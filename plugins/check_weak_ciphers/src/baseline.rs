//! What a port offered in an earlier inventory, and what is new or gone since.
//!
//! Facts are compared, not judgements: versions, suites, groups and the keys of the server's own certificates. So the
//! two inventories may be judged by different policies.

mod file;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub(crate) use file::{is_same, read};

use crate::certificate::SeenChain;
use crate::judge::certificate::label;
use crate::judge::group_name;
use crate::policy::FindingKind;
use crate::seen::SeenTls;
use crate::suites::{Sslv2Kind, suite_name};
use crate::version::Version;

/// A port in an earlier inventory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Baseline {
    /// When that inventory was taken: `2026-11-01T06:00:00Z`.
    pub(crate) taken_at: String,
    pub(crate) offered: Offered,
}

/// What is compared of a port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Offered {
    pub(crate) versions: BTreeSet<Version>,
    /// Kinds of cipher of SSLv2 among them.
    pub(crate) suites: BTreeSet<(Version, u32)>,
    pub(crate) groups: BTreeSet<u16>,
    /// SHA-256 of the SubjectPublicKeyInfo with the certificate's label, which is the server's text; `None` where
    /// certificates were not looked at.
    pub(crate) keys: Option<BTreeMap<String, String>>,
}

/// How a port differs from its baseline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Differences {
    /// When the earlier inventory was taken.
    pub(crate) since: String,
    pub(crate) new: Vec<Difference>,
    pub(crate) gone: Vec<Difference>,
}

/// One thing that is on one side only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Difference {
    pub(crate) what: What,
    /// Of a protocol and a suite.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<Version>,
    /// As elsewhere in the document; of a key its fingerprint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<String>,
    pub(crate) name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum What {
    Protocol,
    Suite,
    Group,
    CertificateKey,
}

impl Baseline {
    /// What is new is always known, what is gone only where the look at it was complete.
    pub(crate) fn differences(&self, tls: &SeenTls) -> Differences {
        let now = Offered::of(tls);
        let new = now.beyond(&self.offered);
        let mut gone = self.offered.beyond(&now);
        gone.retain(|one| one.is_certain(tls));
        Differences { since: self.taken_at.clone(), new, gone }
    }
}

impl Offered {
    pub(crate) fn of(tls: &SeenTls) -> Self {
        let mut offered = Self::default();
        if tls.ssl2.is_some() {
            offered.versions.insert(Version::Ssl2);
        }
        offered.suites.extend(tls.ssl2_kinds().map(|kind| (Version::Ssl2, kind_code(kind))));
        for seen in tls.offered() {
            offered.versions.insert(seen.version);
            offered.suites.extend(seen.suites.iter().map(|pick| (seen.version, u32::from(pick.suite))));
            offered.groups.extend(&seen.groups);
        }
        offered.keys = tls.certificates.as_ref().map(|seen| {
            let mut keys = BTreeMap::new();
            let leaves = seen.chains.iter().filter_map(SeenChain::leaf);
            keys.extend(leaves.map(|leaf| (leaf.key.sha256.clone(), label(leaf))));
            keys
        });
        offered
    }

    /// What this side has and the other has not. Keys count where both sides were looked at.
    fn beyond(&self, other: &Self) -> Vec<Difference> {
        let mut all = Vec::new();
        let mut add = |what, version, code, name| all.push(Difference { what, version, code, name });
        for version in self.versions.difference(&other.versions) {
            add(What::Protocol, Some(*version), None, version.name().to_owned());
        }
        for (version, code) in self.suites.difference(&other.suites) {
            let (code, name) = suite_words(*version, *code);
            add(What::Suite, Some(*version), Some(code), name);
        }
        for code in self.groups.difference(&other.groups) {
            add(What::Group, None, Some(format!("0x{code:04x}")), group_name(*code));
        }
        if let (Some(mine), Some(others)) = (&self.keys, &other.keys) {
            for (sha256, label) in mine.iter().filter(|(sha256, _)| !others.contains_key(*sha256)) {
                add(What::CertificateKey, None, Some(sha256.clone()), label.clone());
            }
        }
        all
    }
}

impl Difference {
    /// Whether it would have been seen if it were still there.
    fn is_certain(&self, tls: &SeenTls) -> bool {
        let is_complete = |version| match version {
            Version::Ssl2 => tls.ssl2_incomplete.is_none(),
            _ => tls.versions.iter().any(|seen| seen.version == version && seen.incomplete.is_none()),
        };
        match (self.what, self.version) {
            (What::Protocol | What::Suite, Some(version)) => is_complete(version),
            (What::Protocol | What::Suite | What::Group, _) => {
                tls.versions.iter().all(|seen| seen.incomplete.is_none())
            }
            (What::CertificateKey, _) => tls.certificates.as_ref().is_some_and(|seen| seen.gaps().is_empty()),
        }
    }

    /// The finding that it is there now and was not before.
    pub(crate) const fn new_kind(&self) -> FindingKind {
        match self.what {
            What::Protocol => FindingKind::NewProtocol,
            What::Suite => FindingKind::NewSuite,
            What::Group => FindingKind::NewGroup,
            What::CertificateKey => FindingKind::NewCertificateKey,
        }
    }

    /// The finding that it was there and is no more.
    pub(crate) const fn gone_kind(&self) -> FindingKind {
        match self.what {
            What::Protocol => FindingKind::GoneProtocol,
            What::Suite => FindingKind::GoneSuite,
            What::Group => FindingKind::GoneGroup,
            What::CertificateKey => FindingKind::GoneCertificateKey,
        }
    }

    /// What a sentence says beside the version.
    pub(crate) fn evidence(&self) -> String {
        match (self.what, &self.code) {
            (What::Protocol, _) => String::new(),
            (What::CertificateKey, Some(sha256)) => format!("{} (key {sha256})", self.name),
            _ => self.name.clone(),
        }
    }

    /// The code of a suite of two bytes.
    pub(crate) fn suite(&self) -> Option<u16> {
        let code = self.code.as_ref().filter(|_| self.what == What::Suite)?;
        u16::from_str_radix(code.strip_prefix("0x")?, 16).ok()
    }
}

fn kind_code(kind: &Sslv2Kind) -> u32 {
    let [a, b, c] = kind.code;
    u32::from_be_bytes([0, a, b, c])
}

/// Code and name of a suite, as in the document.
fn suite_words(version: Version, code: u32) -> (String, String) {
    if version == Version::Ssl2 {
        let [_, a, b, c] = code.to_be_bytes();
        let name = Sslv2Kind::by_code([a, b, c]).map(|kind| kind.openssl_name.to_owned());
        let code = format!("0x{code:06x}");
        return (code.clone(), name.unwrap_or(code));
    }
    // Suites of all other versions have two bytes.
    let code = u16::try_from(code).unwrap_or(u16::MAX);
    (format!("0x{code:04x}"), suite_name(code))
}
