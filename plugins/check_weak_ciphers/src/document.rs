//! The document of `--json` and of `data` in `--output json`: everything that was seen, with its judgement.

mod page;

use std::borrow::Cow;

use common::plugin::Plugin as _;
use common::report::State;
use serde::Serialize;

pub(crate) use page::page;

use crate::CheckWeakCiphers;
use crate::advice;
use crate::auto::Auto;
use crate::baseline::Differences;
use crate::calendar::timestamp;
use crate::certificate::SeenCertificates;
use crate::fleet::{HostOutcome, SeenHost};
use crate::groups::Group;
use crate::intrusive::SeenIntrusive;
use crate::judge::{group_name, hits, suite_reasons};
use crate::policy::{Class, Policy, Reason};
use crate::scan::Preference;
use crate::scan::starttls::Protocol;
use crate::seen::{Pick, Scan, Seen, SeenPort, SeenTls, SeenVersion, Trouble};
use crate::signatures::signature_name;
use crate::suites::{Sslv2Kind, Suite, suite_name};
use crate::version::Version;

/// Grows with changes that break readers.
pub(crate) const SCHEMA: u8 = 1;

#[derive(Debug, Serialize)]
pub(crate) struct Document {
    schema: u8,
    /// Name and version of the program.
    tool: &'static str,
    /// RFC 3339.
    taken_at: String,
    target: String,
    sni: Option<String>,
    policy: PolicyName,
    /// Options that go over the policy.
    adjustments: Vec<String>,
    /// All suites, or only what a verdict needs.
    inventory: bool,
    complete: bool,
    connections: u32,
    /// Seconds.
    duration: f64,
    ports: Vec<Port>,
    /// The ports that were passed over, where they were to be found.
    #[serde(skip_serializing_if = "Option::is_none")]
    auto: Option<Auto>,
}

#[derive(Debug, Serialize)]
struct PolicyName {
    name: String,
    version: String,
    date: String,
    source: String,
    /// What is to be known of it wherever it is named.
    note: Option<String>,
    /// Judged as if all that is upcoming were in force.
    upcoming: bool,
}

#[derive(Debug, Serialize)]
struct Port {
    #[serde(rename = "port")]
    number: u16,
    ip: Option<std::net::IpAddr>,
    starttls: Option<Protocol>,
    complete: bool,
    connections: u32,
    duration: f64,
    /// Why nothing was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Trouble>,
    protocols: Vec<ProtocolVersion>,
    groups: Vec<Agreement>,
    /// Null where they were not to be judged.
    certificates: Option<SeenCertificates>,
    findings: Vec<Finding>,
    /// Left out without a baseline.
    #[serde(skip_serializing_if = "Option::is_none")]
    differences: Option<Differences>,
    /// What `--intrusive` tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    intrusive: Option<SeenIntrusive>,
    post_quantum: Option<bool>,
    fallback_scsv: Option<bool>,
    intolerant: bool,
}

#[derive(Debug, Serialize)]
struct ProtocolVersion {
    version: Version,
    offered: bool,
    preference: Option<Preference>,
    suites: Vec<SuiteEntry>,
    /// Signature schemes that showed in TLS 1.2; all of them with `--signatures`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    signatures: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    incomplete: Option<Trouble>,
}

#[derive(Debug, Serialize)]
struct SuiteEntry {
    /// `0xc02f`; three bytes for SSLv2.
    code: String,
    name: String,
    openssl_name: Option<String>,
    kx: String,
    bits: Option<u16>,
    dh_bits: Option<u16>,
    group: Option<String>,
    class: Option<&'static str>,
    reasons: Vec<&'static str>,
}

/// A group and where it showed.
#[derive(Debug, Serialize)]
struct Agreement {
    code: String,
    name: String,
    post_quantum: bool,
    versions: Vec<Version>,
}

#[derive(Debug, Serialize)]
struct Finding {
    id: &'static str,
    class: &'static str,
    state: State,
    attacks: Vec<&'static str>,
    versions: Vec<Version>,
    evidence: Vec<String>,
    /// Lines for configuration files, by program.
    advice: advice::Lines,
    advice_note: Option<&'static str>,
}

/// What is said of many hosts.
#[derive(Debug, Serialize)]
pub(crate) struct Fleet {
    schema: u8,
    /// Whether nothing was left open anywhere.
    complete: bool,
    connections: u32,
    hosts: Vec<FleetHost>,
}

/// A document, or why there is none.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum FleetHost {
    Seen(Box<Document>),
    Failed { target: String, error: String },
}

/// One document for each host.
pub(crate) fn fleet(options: &CheckWeakCiphers, hosts: &[SeenHost], now: i64) -> Fleet {
    let host = |host: &SeenHost| {
        let aimed = host.options(options);
        match &host.outcome {
            HostOutcome::Seen(seen) => FleetHost::Seen(Box::new(document(&aimed, seen, now))),
            HostOutcome::Failed(error) => {
                FleetHost::Failed { target: aimed.target(), error: error.text.clone() }
            }
        }
    };
    let hosts: Vec<FleetHost> = hosts.iter().map(host).collect();
    let documents = || {
        hosts.iter().map(|host| match host {
            FleetHost::Seen(document) => Some(document),
            FleetHost::Failed { .. } => None,
        })
    };
    Fleet {
        schema: SCHEMA,
        complete: documents().all(|document| document.is_some_and(|document| document.complete)),
        connections: documents().flatten().map(|document| document.connections).sum(),
        hosts,
    }
}

/// Puts it together, judged at a time (Unix).
pub(crate) fn document(options: &CheckWeakCiphers, seen: &Seen, now: i64) -> Document {
    let policy = options.policy_at(now);
    let ports: Vec<Port> = seen.ports.iter().map(|port| port_entry(options, &policy, port, now)).collect();
    Document {
        schema: SCHEMA,
        tool: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")),
        taken_at: timestamp(now),
        target: options.target(),
        sni: options.target.sni.as_ref().map(ToString::to_string),
        policy: PolicyName {
            name: policy.name.into_owned(),
            version: policy.version.into_owned(),
            date: policy.date.into_owned(),
            source: policy.source.into_owned(),
            note: policy.note.map(Cow::into_owned),
            upcoming: options.policy.upcoming,
        },
        adjustments: options.adjustments(),
        inventory: options.scan.is_inventory(),
        complete: !ports.is_empty() && ports.iter().all(|port| port.complete),
        connections: seen.connections(),
        // Nothing would add up to -0.
        duration: ports.iter().fold(0.0, |sum, port| sum + port.duration),
        ports,
        auto: seen.auto.clone(),
    }
}

fn port_entry(options: &CheckWeakCiphers, policy: &Policy, port: &SeenPort, now: i64) -> Port {
    let (tls, error) = match &port.scan {
        Scan::Seen(tls) => (Some(tls), None),
        Scan::NoTls(trouble) => (None, Some(trouble.clone())),
    };
    Port {
        number: port.port,
        ip: port.address,
        starttls: port.starttls,
        complete: tls.is_some_and(SeenTls::is_complete),
        connections: port.connections,
        duration: port.seconds,
        error,
        protocols: tls.map(|tls| protocols(policy, tls)).unwrap_or_default(),
        groups: tls.map(groups).unwrap_or_default(),
        certificates: tls.and_then(|tls| tls.certificates.clone()),
        findings: findings(options, port, now),
        differences: tls.and_then(|tls| Some(port.baseline.as_ref()?.differences(tls))),
        intrusive: tls.and_then(|tls| tls.intrusive.clone()),
        post_quantum: tls.and_then(|tls| tls.post_quantum),
        fallback_scsv: tls.and_then(|tls| tls.fallback_scsv),
        intolerant: tls.is_some_and(|tls| tls.intolerant),
    }
}

fn protocols(policy: &Policy, tls: &SeenTls) -> Vec<ProtocolVersion> {
    let ssl2 = ProtocolVersion {
        version: Version::Ssl2,
        offered: tls.ssl2.is_some(),
        preference: None,
        suites: tls.ssl2_kinds().map(|kind| ssl2_entry(policy, kind)).collect(),
        signatures: Vec::new(),
        incomplete: tls.ssl2_incomplete.clone(),
    };
    let others = tls.versions.iter().map(|seen| version_entry(policy, seen));
    [ssl2].into_iter().chain(others).collect()
}

fn version_entry(policy: &Policy, seen: &SeenVersion) -> ProtocolVersion {
    ProtocolVersion {
        version: seen.version,
        offered: seen.is_offered(),
        preference: seen.preference,
        suites: seen.suites.iter().map(|pick| suite_entry(policy, seen.version, pick)).collect(),
        signatures: seen.signatures.iter().map(|code| signature_name(*code)).collect(),
        incomplete: seen.incomplete.clone(),
    }
}

fn suite_entry(policy: &Policy, version: Version, pick: &Pick) -> SuiteEntry {
    let suite = Suite::by_code(pick.suite);
    let (class, reasons) = worst(&suite_reasons(policy, version, pick));
    SuiteEntry {
        code: format!("0x{:04x}", pick.suite),
        name: suite.map_or_else(|| suite_name(pick.suite), |suite| suite.name.to_owned()),
        openssl_name: suite.and_then(|suite| suite.openssl_name).map(str::to_owned),
        kx: suite.map_or("unknown", |suite| suite.kx.name()).to_owned(),
        bits: suite.map(|suite| suite.bits),
        dh_bits: pick.dh_bits,
        group: pick.group.map(group_name),
        class,
        reasons,
    }
}

fn ssl2_entry(policy: &Policy, kind: &Sslv2Kind) -> SuiteEntry {
    let (class, reasons) = worst(&policy.judge_sslv2(kind));
    let [a, b, c] = kind.code;
    SuiteEntry {
        code: format!("0x{a:02x}{b:02x}{c:02x}"),
        name: kind.name.to_owned(),
        openssl_name: Some(kind.openssl_name.to_owned()),
        kx: "RSA".to_owned(),
        bits: Some(kind.bits),
        dh_bits: None,
        group: None,
        class,
        reasons,
    }
}

/// The worst class of the reasons, and their names.
fn worst(reasons: &[Reason]) -> (Option<&'static str>, Vec<&'static str>) {
    let class = reasons.iter().map(|reason| reason.class).max().map(Class::name);
    (class, reasons.iter().map(|reason| reason.kind.name()).collect())
}

fn groups(tls: &SeenTls) -> Vec<Agreement> {
    let mut codes: Vec<u16> = tls.versions.iter().flat_map(|seen| seen.groups.iter().copied()).collect();
    codes.sort_unstable();
    codes.dedup();
    let versions = |code: u16| {
        tls.versions.iter().filter(|seen| seen.groups.contains(&code)).map(|seen| seen.version).collect()
    };
    codes
        .into_iter()
        .map(|code| Agreement {
            code: format!("0x{code:04x}"),
            name: group_name(code),
            post_quantum: Group::by_code(code).is_some_and(Group::is_post_quantum),
            versions: versions(code),
        })
        .collect()
}

fn findings(options: &CheckWeakCiphers, port: &SeenPort, now: i64) -> Vec<Finding> {
    hits(options, port, now)
        .into_iter()
        .map(|hit| Finding {
            id: hit.kind.name(),
            class: hit.class.name(),
            state: hit.state,
            attacks: hit.attacks.iter().map(|attack| attack.name()).collect(),
            versions: hit.versions,
            evidence: hit.evidence,
            advice: advice::Lines { kind: hit.kind, port: port.port, starttls: port.starttls },
            advice_note: advice::note(hit.kind),
        })
        .collect()
}
