//! From what a port showed to findings.

pub(crate) mod certificate;

use std::collections::BTreeMap;
use std::iter::Sum;
use std::ops::Add;

use common::plugin::Run;
use common::report::{Condition, Finding, Report, State};

use crate::CheckWeakCiphers;
use crate::baseline::{Difference, Differences, What};
use crate::certificate::SeenCertificates;
use crate::groups::Group;
use crate::intrusive::{self, Verdict};
use crate::options::Required;
use crate::policy::{Attack, Class, FindingKind, Policy, Reason, Strictness};
use crate::scan::Mode;
use crate::seen::{Pick, Scan, SeenPort, SeenTls, Trouble, TroubleKind};
use crate::signatures::{SignatureScheme, signature_name};
use crate::suites::{Suite, suite_name};
use crate::version::Version;

/// What a port amounts to, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) broken: usize,
    pub(crate) weak: usize,
    pub(crate) policy: usize,
    pub(crate) protocols: usize,
    /// Pairs of version and suite; all of them in an inventory only.
    pub(crate) suites: usize,
    /// What the baseline does not have.
    pub(crate) new: usize,
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            broken: self.broken + other.broken,
            weak: self.weak + other.weak,
            policy: self.policy + other.policy,
            protocols: self.protocols + other.protocols,
            suites: self.suites + other.suites,
            new: self.new + other.new,
        }
    }
}

impl Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Self::add)
    }
}

/// Something found at a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) kind: FindingKind,
    pub(crate) class: Class,
    pub(crate) state: State,
    pub(crate) attacks: Vec<Attack>,
    pub(crate) versions: Vec<Version>,
    /// Suites, groups, sizes: on what it was found.
    pub(crate) evidence: Vec<String>,
    /// What to do about it. Each line is a paragraph; backticks hold what is to be typed.
    pub(crate) hint: Option<&'static str>,
}

/// Judges one port; `None` counts nothing because nothing was seen.
pub(crate) fn judge_port(
    options: &CheckWeakCiphers,
    port: &SeenPort,
    run: &Run,
    report: &mut Report,
) -> Option<Counts> {
    let place = options.place(port.port);
    let tls = match &port.scan {
        Scan::NoTls(trouble) => {
            report.add(no_tls(options, trouble, &place, run));
            return None;
        }
        Scan::Seen(tls) => tls,
    };
    if tls.intolerant {
        report.note("intolerant", format!("{place} answers short hellos only"));
    }
    if tls.ends {
        report.note("ends_connections", format!("{place} refuses by ending connections, not by alerts"));
    }
    let hits = hits(options, port, run.taken_at);
    let counts = counts(tls, &hits);
    for finding in findings(&hits, &place) {
        report.add(finding);
    }
    if let Some(seen) = &tls.certificates {
        certificate::report(options, seen, &place, run.taken_at, report);
    }
    if let Some(seen) = &tls.intrusive {
        list_tries(seen, &place, report);
    }
    let gaps = gaps(tls, &place, run);
    if gaps.is_empty() {
        judge_rest(options, port, counts, run, report);
    }
    for gap in gaps {
        report.add(gap);
    }
    compare(port, tls, &place, report);
    list(options, tls, &place, report);
    Some(counts)
}

fn no_tls(options: &CheckWeakCiphers, trouble: &Trouble, place: &str, run: &Run) -> Finding {
    let state = match trouble.kind {
        TroubleKind::Unreachable => run.states.state(Condition::Unreachable),
        TroubleKind::Timeout => run.states.state(Condition::Timeout),
        // A port that was named with its protocol must offer TLS there; one we guessed need not.
        TroubleKind::NoStarttls if options.asks_for_starttls() => State::Critical,
        TroubleKind::NoStarttls
        | TroubleKind::NotTls
        | TroubleKind::Busy
        | TroubleKind::Protocol
        | TroubleKind::Violation
        | TroubleKind::Spent
        | TroubleKind::NeedsName => run.states.state(Condition::Incomplete),
    };
    let finding = Finding::new("no_tls", state, format!("{place}: {}", trouble.text));
    match trouble.kind {
        TroubleKind::NeedsName => finding.with_hint("--sni NAME asks for the name the server wants"),
        TroubleKind::Busy => finding.with_hint("fewer connections at a time: --max-conns 1"),
        _ => finding,
    }
}

/// A sentence for each hit; the worst one names the others too, for it may be all that is read.
fn findings(hits: &[Hit], place: &str) -> Vec<Finding> {
    let mut sorted: Vec<&Hit> = hits.iter().collect();
    sorted.sort_by_key(|hit| std::cmp::Reverse((hit.state, hit.class)));
    let mut others: Vec<&str> =
        sorted.iter().skip(1).filter(|hit| hit.state > State::Ok).map(|hit| hit.kind.name()).collect();
    others.dedup();
    let mut findings: Vec<Finding> = sorted.iter().map(|hit| hit.finding(place)).collect();
    if let Some(first) = findings.first_mut().filter(|_| !others.is_empty()) {
        first.text.push_str(&format!("; also {}", others.join(", ")));
    }
    findings
}

/// What could not be looked at.
fn gaps(tls: &SeenTls, place: &str, run: &Run) -> Vec<Finding> {
    let ssl2 = tls.ssl2_incomplete.as_ref().map(|trouble| (Version::Ssl2, trouble));
    let others = tls.versions.iter().filter_map(|seen| Some((seen.version, seen.incomplete.as_ref()?)));
    let scans = ssl2.into_iter().chain(others).map(|(version, trouble)| {
        format!("{place}: the scan of {version} is not complete: {}", trouble.text)
    });
    let certificates = tls.certificates.iter().flat_map(SeenCertificates::gaps);
    let checks =
        certificates.map(|why| format!("{place}: the check of the certificate is not complete: {why}"));
    let tries = tls.untried().map(|one| {
        format!("{place}: the check for {} is not complete: {}", one.suspect.kind().name(), one.text)
    });
    let state = run.states.state(Condition::Incomplete);
    scans.chain(checks).chain(tries).map(|text| Finding::new("incomplete", state, text)).collect()
}

/// Everything found at a port, by the policy and the options, at a time (Unix).
pub(crate) fn hits(options: &CheckWeakCiphers, port: &SeenPort, now: i64) -> Vec<Hit> {
    let Some(tls) = port.tls() else { return Vec::new() };
    let policy = options.policy_at(now);
    let mut found = Hits::default();
    if let Some(reason) = policy.judge_version(Version::Ssl2).filter(|_| tls.ssl2.is_some()) {
        found.note(reason, Some(Version::Ssl2), String::new());
    }
    for kind in tls.ssl2_kinds() {
        for reason in policy.judge_sslv2(kind) {
            found.note(reason, Some(Version::Ssl2), kind.openssl_name.to_owned());
        }
    }
    for seen in &tls.versions {
        let ends = seen.is_offered().then(|| policy.judge_version_end(seen.version)).flatten();
        if let Some(reason) = ends {
            found.note(reason, Some(seen.version), seen.version.name().to_owned());
        }
        for pick in seen.suites.iter().filter(|pick| !options.ignores_suite(pick.suite)) {
            for reason in suite_reasons(&policy, seen.version, pick) {
                let size = match reason.kind {
                    FindingKind::DhBroken | FindingKind::DhSmall => pick.dh_bits,
                    _ => None,
                };
                let size = size.map(|bits| format!(" ({bits} bit)")).unwrap_or_default();
                found.note(reason, Some(seen.version), format!("{}{size}", suite_name(pick.suite)));
            }
        }
        for code in &seen.groups {
            for reason in policy.judge_group(*code) {
                found.note(reason, Some(seen.version), group_name(*code));
            }
        }
        for scheme in seen.signatures.iter().filter_map(|code| SignatureScheme::by_code(*code)) {
            if scheme.is_weak {
                let reason = policy.judge(FindingKind::SignatureWeakHash);
                found.note(reason, Some(seen.version), scheme.name.to_owned());
            }
        }
    }
    for requirement in missing_groups(&policy, tls) {
        found.note(policy.judge(FindingKind::GroupMissing), None, requirement.replace('|', " or "));
    }
    for (kind, evidence) in tls.certificates.iter().flat_map(|seen| certificate::judge(&policy, seen, now)) {
        found.note(policy.judge(kind), None, evidence);
    }
    for seen in &tls.versions {
        if let Some(Trouble { kind: TroubleKind::Violation, text }) = &seen.incomplete {
            found.note(policy.judge(FindingKind::ProtocolViolation), Some(seen.version), text.clone());
        }
    }
    for one in proven(tls) {
        // No policy allows it.
        let reason =
            Reason { kind: one.suspect.kind(), class: Class::Broken, attacks: Vec::new(), until: None };
        found.note(reason, None, one.text.clone());
    }
    for kind in missing(tls) {
        found.note(policy.judge(kind), None, String::new());
    }
    if let Some(baseline) = &port.baseline {
        found.note_differences(options, &policy, &baseline.differences(tls));
    }
    found.judged(options, &policy)
}

/// Groups that the policy asks for and nothing showed, where TLS is spoken at all.
fn missing_groups<'a>(policy: &'a Policy, tls: &'a SeenTls) -> impl Iterator<Item = &'a str> {
    let groups = || tls.offered().flat_map(|seen| &seen.groups).filter_map(|code| Group::by_code(*code));
    let is_missing = move |requirement: &&str| !groups().any(|group| Policy::is_required(requirement, group));
    let is_spoken = tls.offered().next().is_some();
    policy.require.iter().map(AsRef::as_ref).filter(move |_| is_spoken).filter(is_missing)
}

/// Faults in its code that were shown.
fn proven(tls: &SeenTls) -> impl Iterator<Item = &intrusive::Finding> {
    let findings = tls.intrusive.iter().flat_map(|seen| &seen.findings);
    findings.filter(|one| one.verdict == Verdict::Vulnerable)
}

/// What a server of today has and this one has not. Nothing is missing that was not asked for.
fn missing(tls: &SeenTls) -> impl Iterator<Item = FindingKind> {
    let lacks_tls13 = tls.offered().count() > 0
        && tls
            .versions
            .iter()
            .any(|seen| seen.version == Version::Tls13 && !seen.is_offered() && seen.incomplete.is_none());
    [
        lacks_tls13.then_some(FindingKind::NoTls13),
        (tls.post_quantum == Some(false)).then_some(FindingKind::NoPostQuantum),
    ]
    .into_iter()
    .flatten()
}

/// Findings by their kind; those of a difference to the baseline by version as well.
#[derive(Default)]
struct Hits(BTreeMap<(FindingKind, Option<Version>), Hit>);

impl Hits {
    fn note(&mut self, reason: Reason, version: Option<Version>, mut evidence: String) {
        if let Some(until) = reason.until {
            evidence.push_str(&format!(" (until {until})"));
        }
        self.note_by((reason.kind, None), reason, version, evidence);
    }

    /// What is new counts even if the policy allows it, unless the operator takes no interest in the suite.
    fn note_differences(&mut self, options: &CheckWeakCiphers, policy: &Policy, differences: &Differences) {
        let is_ignored = |one: &&Difference| one.suite().is_some_and(|code| options.ignores_suite(code));
        let new = differences.new.iter().filter(|one| !is_ignored(one)).map(|one| (one.new_kind(), one));
        let gone = differences.gone.iter().filter(|one| !is_ignored(one)).map(|one| (one.gone_kind(), one));
        for (kind, one) in new.chain(gone) {
            let reason = policy.judge_difference(kind);
            self.note_by((kind, one.version), reason, one.version, one.evidence());
        }
    }

    fn note_by(
        &mut self,
        key: (FindingKind, Option<Version>),
        reason: Reason,
        version: Option<Version>,
        evidence: String,
    ) {
        let hit = self.0.entry(key).or_insert_with(|| Hit {
            kind: reason.kind,
            class: reason.class,
            state: State::Ok,
            attacks: Vec::new(),
            versions: Vec::new(),
            evidence: Vec::new(),
            hint: None,
        });
        hit.class = hit.class.max(reason.class);
        for attack in reason.attacks {
            if !hit.attacks.contains(&attack) {
                hit.attacks.push(attack);
            }
        }
        hit.versions.extend(version.filter(|version| !hit.versions.contains(version)));
        if !evidence.is_empty() && !hit.evidence.contains(&evidence) {
            hit.evidence.push(evidence);
        }
    }

    /// What the operator says on them goes over the policy.
    fn judged(self, options: &CheckWeakCiphers, policy: &Policy) -> Vec<Hit> {
        let strictness = if options.policy.strict { Strictness::Strict } else { Strictness::Normal };
        let required = |kind| options.policy.require.iter().any(|what| what.findings().contains(&kind));
        let of_policy =
            |kind| policy.severity.iter().find(|(known, _)| *known == kind).map(|(_, state)| *state);
        let state = |hit: &Hit| match options.state_of(hit.kind) {
            Some(state) => state,
            None if required(hit.kind) => State::Critical,
            None if let Some(state) = of_policy(hit.kind) => state,
            // It is allowed still.
            None if hit.kind == FindingKind::EndsSoon => hit.class.state(Strictness::Normal),
            None => hit.class.state(strictness),
        };
        let kept = self.0.into_values().filter(|hit| !options.ignores(hit.kind));
        let judged = kept.map(|hit| Hit { state: state(&hit), ..hit });
        judged
            .map(|hit| {
                let hint = certificate::hint(hit.kind).filter(|_| hit.state != State::Ok);
                Hit { hint, ..hit }
            })
            .collect()
    }
}

impl Hit {
    /// How many things it was found on.
    fn size(&self) -> usize {
        self.evidence.len().max(1)
    }

    /// `mail:25: rc4 (RC4) in TLS1.0, TLS1.2: RC4-SHA, RC4-MD5`.
    fn finding(&self, place: &str) -> Finding {
        let attacks: Vec<&str> = self.attacks.iter().map(|attack| attack.name()).collect();
        let attacks = if attacks.is_empty() { String::new() } else { format!(" ({})", attacks.join(", ")) };
        let versions: Vec<&str> = self.versions.iter().map(|version| version.name()).collect();
        let versions =
            if versions.is_empty() { String::new() } else { format!(" in {}", versions.join(", ")) };
        let shown = self.evidence.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = match self.evidence.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let evidence = if shown.is_empty() { String::new() } else { format!(": {shown}{more}") };
        let text = format!("{place}: {}{attacks}{versions}{evidence}", self.kind.name());
        let finding = Finding::new(self.kind.name(), self.state, text);
        match self.hint {
            Some(hint) => finding.with_hint(hint),
            None => Finding { is_note: self.state == State::Ok, ..finding },
        }
    }
}

/// Suites in one sentence.
const SHOWN: usize = 6;

fn counts(tls: &SeenTls, hits: &[Hit]) -> Counts {
    let of_class = |class| hits.iter().filter(|hit| hit.class == class).count();
    Counts {
        broken: of_class(Class::Broken),
        weak: of_class(Class::Weak),
        policy: of_class(Class::Policy),
        protocols: tls.offered().count() + usize::from(tls.ssl2.is_some()),
        suites: tls.ssl2_kinds().count() + tls.versions.iter().map(|seen| seen.suites.len()).sum::<usize>(),
        new: hits.iter().filter(|hit| hit.kind.is_new()).map(Hit::size).sum(),
    }
}

/// What a complete scan says where nothing was found.
fn judge_rest(options: &CheckWeakCiphers, port: &SeenPort, counts: Counts, run: &Run, report: &mut Report) {
    let Some(tls) = port.tls() else { return };
    let place = options.place(port.port);
    for required in &options.policy.require {
        // It could not be found out, so nobody says that it is there.
        if *required == Required::PostQuantum && tls.post_quantum.is_none() && counts.protocols > 0 {
            let text = format!("{place}: it is not known whether there is a post-quantum group");
            report.find("incomplete", run.states.state(Condition::Incomplete), text);
        }
    }
    if counts.protocols == 0 {
        let text = format!("{place}: no common protocol: every hello was refused");
        report.find("no_common_protocol", run.states.state(Condition::Incomplete), text);
    } else if counts.broken + counts.weak + counts.policy == 0 {
        let names: Vec<&str> = tls.offered().map(|seen| seen.version.name()).collect();
        let policy = options.policy_at(run.taken_at);
        let mut text =
            format!("{place} offers {} and nothing that {} forbids", names.join(" and "), policy.name);
        if let Some(baseline) = port.baseline.as_ref().filter(|_| counts.new == 0) {
            text.push_str(&format!(", nothing new since {}", baseline.taken_at));
        }
        report.find("compliant", State::Ok, text);
    }
}

/// Says what was compared, and names in full what a sentence cannot hold.
fn compare(port: &SeenPort, tls: &SeenTls, place: &str, report: &mut Report) {
    let Some(differences) = port.baseline.as_ref().map(|baseline| baseline.differences(tls)) else { return };
    let Differences { since, new, gone } = &differences;
    report.context(
        0,
        format!("{place} against the inventory of {since}: {} new, {} gone", new.len(), gone.len()),
    );
    for (word, all) in [("new", new), ("gone", gone)] {
        for version in Version::ALL {
            let suites: Vec<&str> = all
                .iter()
                .filter(|one| one.what == What::Suite && one.version == Some(version))
                .map(|one| one.name.as_str())
                .collect();
            if suites.len() > SHOWN {
                report.context(0, format!("{place} {version}, {word}: {}", suites.join(", ")));
            }
        }
    }
}

/// Lines with all that was seen: an inventory always shows them, a verdict with `-v`.
fn list(options: &CheckWeakCiphers, tls: &SeenTls, place: &str, report: &mut Report) {
    let level = u8::from(options.scan.mode() == Mode::Verdict);
    if tls.ssl2.is_some() {
        let names: Vec<&str> = tls.ssl2_kinds().map(|kind| kind.openssl_name).collect();
        report.context(level, format!("{place} SSLv2: {}", names.join(", ")));
    }
    for seen in tls.offered() {
        let preference = seen.preference.map(|who| format!(" ({} decides)", who.name())).unwrap_or_default();
        let suites: Vec<String> = seen.suites.iter().map(described).collect();
        report.context(level, format!("{place} {}{preference}: {}", seen.version, suites.join(", ")));
        let groups: Vec<String> = seen.groups.iter().map(|code| group_name(*code)).collect();
        if !groups.is_empty() {
            report.context(level, format!("{place} {} groups: {}", seen.version, groups.join(", ")));
        }
        if options.scan.signatures && !seen.signatures.is_empty() {
            let names: Vec<String> = seen.signatures.iter().map(|code| signature_name(*code)).collect();
            report.context(level, format!("{place} {} signatures: {}", seen.version, names.join(", ")));
        }
    }
}

/// What was tried and not found, with `-v`.
fn list_tries(seen: &intrusive::SeenIntrusive, place: &str, report: &mut Report) {
    for one in seen.findings.iter().filter(|one| one.verdict == Verdict::Safe) {
        report.context(1, format!("{place} {}: no: {}", one.suspect.kind().name(), one.text));
    }
    if seen.client_renegotiation == Some(true) {
        report.note("client_renegotiation", format!("{place} lets clients renegotiate (RFC 5746)"));
    }
}

/// `DHE-RSA-AES128-SHA 1024 bit`.
fn described(pick: &Pick) -> String {
    let name = suite_name(pick.suite);
    match pick.dh_bits {
        Some(bits) => format!("{name} {bits} bit"),
        None => name,
    }
}

/// All that is wrong with one pick.
pub(crate) fn suite_reasons(policy: &Policy, version: Version, pick: &Pick) -> Vec<Reason> {
    let mut reasons = match Suite::by_code(pick.suite) {
        Some(suite) => policy.judge_suite(version, suite, pick.dh_bits),
        None => vec![policy.judge(FindingKind::ProtocolViolation)],
    };
    if pick.compression {
        reasons.push(policy.judge(FindingKind::Compression));
    }
    // SSLv3 has no extensions to say so, TLS 1.3 neither needs the one nor the other.
    if (Version::Tls10..=Version::Tls12).contains(&version) {
        let lacks = |has: bool, kind| (!has).then(|| policy.judge(kind));
        reasons.extend(lacks(pick.renegotiation_info, FindingKind::NoSecureRenegotiation));
        reasons.extend(lacks(pick.extended_master_secret, FindingKind::NoExtendedMasterSecret));
    }
    reasons
}

pub(crate) fn group_name(code: u16) -> String {
    Group::by_code(code).map_or_else(|| format!("0x{code:04x}"), |group| group.name.to_owned())
}
