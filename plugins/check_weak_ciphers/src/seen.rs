//! What a scan showed: plain data, judged later.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::auto::Auto;
use crate::baseline::Baseline;
use crate::certificate::SeenCertificates;
use crate::fleet::SeenHost;
use crate::intrusive::{SeenIntrusive, Verdict};
use crate::scan::Preference;
use crate::scan::starttls::Protocol;
use crate::suites::Sslv2Kind;
use crate::version::Version;

/// What the probe saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    pub(crate) ports: Vec<SeenPort>,
    /// What became of the other ports, where they were to be found.
    #[serde(default)]
    pub(crate) auto: Option<Auto>,
    /// The hosts of `--targets-file`, where there is one, with ports of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) fleet: Vec<SeenHost>,
}

/// One port.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SeenPort {
    pub(crate) port: u16,
    /// The address that answered.
    pub(crate) address: Option<IpAddr>,
    pub(crate) starttls: Option<Protocol>,
    pub(crate) connections: u32,
    /// Seconds that the scan took.
    pub(crate) seconds: f64,
    pub(crate) scan: Scan,
    /// What it is compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) baseline: Option<Baseline>,
}

/// How a scan ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scan {
    /// There is nothing to look at.
    NoTls(Trouble),
    Seen(SeenTls),
}

/// A server of TLS.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SeenTls {
    /// Kinds of cipher of SSLv2, which may be none; `None` where it is not spoken.
    pub(crate) ssl2: Option<Vec<u32>>,
    /// Why it is not known whether SSLv2 is spoken.
    pub(crate) ssl2_incomplete: Option<Trouble>,
    pub(crate) versions: Vec<SeenVersion>,
    /// Only short hellos are answered.
    pub(crate) intolerant: bool,
    /// Some refusals are connections that end without a word.
    pub(crate) ends: bool,
    /// Whether a client that comes back with an older version is refused (RFC 7507).
    pub(crate) fallback_scsv: Option<bool>,
    /// Whether there is a group that withstands a quantum computer; `None` where that was not
    /// found out.
    pub(crate) post_quantum: Option<bool>,
    /// `None` where they are not to be judged.
    pub(crate) certificates: Option<SeenCertificates>,
    /// With `--intrusive`.
    #[serde(default)]
    pub(crate) intrusive: Option<SeenIntrusive>,
}

/// One version of the protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SeenVersion {
    pub(crate) version: Version,
    /// The suites that the server took, in the order it took them: all in an inventory; in a verdict one
    /// that is allowed, and all that are not.
    pub(crate) suites: Vec<Pick>,
    pub(crate) preference: Option<Preference>,
    /// All groups in an inventory, otherwise those that showed.
    pub(crate) groups: Vec<u16>,
    /// Signature schemes that showed; all where they were asked for.
    #[serde(default)]
    pub(crate) signatures: Vec<u16>,
    /// Why this may not be all.
    pub(crate) incomplete: Option<Trouble>,
}

/// A suite the server took, and what it showed with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pick {
    pub(crate) suite: u16,
    /// The group of its key exchange.
    pub(crate) group: Option<u16>,
    /// Bits of its prime, where it showed one.
    pub(crate) dh_bits: Option<u16>,
    pub(crate) compression: bool,
    pub(crate) renegotiation_info: bool,
    pub(crate) extended_master_secret: bool,
}

/// Why something could not be seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trouble {
    pub(crate) kind: TroubleKind,
    pub(crate) text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TroubleKind {
    Unreachable,
    Timeout,
    NotTls,
    NoStarttls,
    Busy,
    Protocol,
    /// Something that was never offered, or that cannot be read.
    Violation,
    NeedsName,
    Spent,
}

impl Seen {
    /// Connections made.
    pub(crate) fn connections(&self) -> u32 {
        let ports: u32 = self.ports.iter().map(|port| port.connections).sum();
        ports + self.auto.as_ref().map_or(0, |auto| auto.connections)
    }
}

impl SeenPort {
    pub(crate) const fn tls(&self) -> Option<&SeenTls> {
        match &self.scan {
            Scan::Seen(tls) => Some(tls),
            Scan::NoTls(_) => None,
        }
    }
}

impl SeenVersion {
    /// Whether the server speaks it.
    pub(crate) fn is_offered(&self) -> bool {
        !self.suites.is_empty()
    }
}

impl SeenTls {
    /// Kinds of cipher of SSLv2.
    pub(crate) fn ssl2_kinds(&self) -> impl Iterator<Item = &'static Sslv2Kind> {
        let kind = |code: &u32| {
            let [_, a, b, c] = code.to_be_bytes();
            Sslv2Kind::by_code([a, b, c])
        };
        self.ssl2.iter().flatten().filter_map(kind)
    }

    /// Versions that the server speaks, SSLv2 aside.
    pub(crate) fn offered(&self) -> impl Iterator<Item = &SeenVersion> {
        self.versions.iter().filter(|seen| seen.is_offered())
    }

    /// What was tried of [`crate::intrusive`] and came to nothing.
    pub(crate) fn untried(&self) -> impl Iterator<Item = &crate::intrusive::Finding> {
        let findings = self.intrusive.iter().flat_map(|seen| &seen.findings);
        findings.filter(|finding| finding.verdict == Verdict::Unknown)
    }

    /// Whether nothing was left open.
    pub(crate) fn is_complete(&self) -> bool {
        self.ssl2_incomplete.is_none()
            && self.versions.iter().all(|seen| seen.incomplete.is_none())
            && self.untried().next().is_none()
            && self.certificates.as_ref().is_none_or(|seen| seen.gaps().is_empty())
    }
}
