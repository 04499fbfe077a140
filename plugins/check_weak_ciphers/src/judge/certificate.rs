//! From the certificates a port showed to findings.

use common::cli::CertificateArgs;
use common::net::tls::{CertificateDetails, KeyKind, KeySeen};
use common::plugin::CERT_DAYS;
use common::report::{Perfdata, Report, quote};

use crate::CheckWeakCiphers;
use crate::certificate::{SeenCertificates, SeenChain, SeenTrust, Trust};
use crate::policy::{End, FindingKind, Policy, fits_any};
use crate::seen::{Seen, SeenPort};

const DAY: i64 = 86_400;

/// A finding and what it was found on.
type Found = (FindingKind, String);

/// Judges the certificates of a port at a time (Unix).
pub(super) fn judge(policy: &Policy, seen: &SeenCertificates, now: i64) -> Vec<Found> {
    let mut found = Vec::new();
    for chain in &seen.chains {
        if let SeenTrust::Judged(trust) = &chain.trust {
            found
                .extend(judge_trust(chain, trust, now).map(|text| (FindingKind::CertificateUntrusted, text)));
        }
        found.extend(judge_end(chain, now).map(|text| (FindingKind::CertificateExpired, text)));
        for one in chain.counted() {
            found.extend(judge_signature(one));
            found.extend(judge_key(policy, one));
            found.extend(judge_listed_signature(policy, one));
        }
        found.extend(chain.leaf().into_iter().flat_map(|leaf| judge_leaf(policy, leaf)));
    }
    found
}

/// What to do about a finding.
pub(super) const fn hint(kind: FindingKind) -> Option<&'static str> {
    match kind {
        FindingKind::CertificateUntrusted => Some(
            "--ca-file FILE trusts a CA of your own, --sni NAME asks for another name; an incomplete chain is mended \
             on the server",
        ),
        _ => None,
    }
}

/// Days left, which are the operator's limits and no policy's, and background.
pub(super) fn report(
    options: &CheckWeakCiphers,
    seen: &SeenCertificates,
    place: &str,
    now: i64,
    report: &mut Report,
) {
    let thresholds = options.certificate.days.thresholds();
    let left = days_left(seen, now).filter(|days| *days >= 0).map(|days| (days, exact(days)));
    if let Some((days, value)) = left
        && let Some(range) = thresholds.deciding(value)
    {
        let state = thresholds.judge(value);
        let text = format!(
            "{place}: certificate expires in {}, {} below {}",
            count(days),
            state.name().to_lowercase(),
            range.to_string().trim_end_matches(':')
        );
        report.find("certificate_days", state, text);
    }
    let is_nameless =
        |chain: &SeenChain| matches!(&chain.trust, SeenTrust::Judged(trust) if trust.name.is_none());
    if seen.chains.iter().any(is_nameless) {
        let text = format!("{place}: the certificate was held against no name: --sni NAME gives one");
        report.note("certificate_name_unchecked", text);
    }
    for one in seen.chains.iter().flat_map(|chain| chain.certificates.iter().flatten()) {
        let text = format!(
            "{place} certificate: {}, issued by {} with {}, {} days left",
            label(one),
            quote(&one.seen.issuer),
            one.signature.algorithm,
            days_until(one.seen.not_after, now),
        );
        report.context(1, text);
    }
}

/// Measures the days left of what ends first on any port; unknown as long as one of them is.
pub(crate) fn record_days(seen: &Seen, limits: &CertificateArgs, now: i64, report: &mut Report) {
    // None where a server has no need of a certificate.
    let of_port = |port: &SeenPort| -> Option<Option<i64>> {
        let seen = port.tls()?.certificates.as_ref()?;
        if seen.gaps().is_empty() { Some(days_left(seen, now)) } else { None }
    };
    let ports: Option<Vec<Option<i64>>> = seen.ports.iter().map(of_port).collect();
    let least = ports.and_then(|ports| ports.into_iter().flatten().min());
    report.push(Perfdata::new(&CERT_DAYS, least.map(exact), limits.thresholds()));
}

/// Days left of what ends first, rounded down; negative once it has.
fn days_left(seen: &SeenCertificates, now: i64) -> Option<i64> {
    seen.chains.iter().filter_map(SeenChain::not_after).min().map(|end| days_until(end, now))
}

/// Chain, name and begin of validity.
fn judge_trust(chain: &SeenChain, trust: &Trust, now: i64) -> impl Iterator<Item = String> {
    let about = |problem: &str| match chain.leaf() {
        Some(leaf) => format!("{problem} ({}, issued by {})", label(leaf), quote(&leaf.seen.issuer)),
        None => problem.to_owned(),
    };
    let early = trust.not_before.filter(|begin| *begin > now).map(|begin| {
        format!("certificate is not valid yet, but in {}", count(days_until(now, begin).saturating_neg()))
    });
    let problems = [trust.chain_problem.clone(), trust.name_problem.clone(), early];
    problems.map(|problem| problem.as_deref().map(about)).into_iter().flatten()
}

fn judge_end(chain: &SeenChain, now: i64) -> Option<String> {
    let end = chain.not_after().filter(|end| *end < now)?;
    let ended = chain.relevant().filter_map(|(_, one)| one).find(|one| one.seen.not_after == end);
    let what = ended.map_or_else(|| "certificate".to_owned(), label);
    Some(format!("{what} expired {} ago", count(days_until(end, now).saturating_neg())))
}

fn judge_signature(one: &CertificateDetails) -> Option<Found> {
    let text = || format!("{} is signed with {}", label(one), one.signature.algorithm);
    one.signature.has_weak_hash().then(|| (FindingKind::CertificateWeakHash, text()))
}

fn judge_key(policy: &Policy, one: &CertificateDetails) -> Option<Found> {
    let bits = u16::try_from(one.key.bits?).unwrap_or(u16::MAX);
    let below = |limit: u16| format!("{} has less than {limit} bits", label(one));
    match (one.key.kind, &one.key.curve) {
        (KeyKind::Rsa, _) if bits < policy.limits.rsa => {
            Some((FindingKind::RsaSmall, below(policy.limits.rsa)))
        }
        // Its size says nothing about a curve of somebody's own making.
        (KeyKind::Ec, None) => {
            Some((FindingKind::CurveSmall, format!("{} describes its curve itself", label(one))))
        }
        (KeyKind::Ec, Some(_)) if bits < policy.limits.curve => {
            Some((FindingKind::CurveSmall, below(policy.limits.curve)))
        }
        _ => None,
    }
}

/// By the policy's list for all certificates.
fn judge_listed_signature(policy: &Policy, one: &CertificateDetails) -> Option<Found> {
    let name = &one.signature.algorithm;
    let text = || format!("{} is signed with {name}", label(one));
    if policy.certificate.chain_signatures.forbids(name) {
        return Some((FindingKind::CertificateSignature, text()));
    }
    let until = ends_with(policy, |end| fits_any(&end.signatures, name))?;
    Some((FindingKind::EndsSoon, format!("{} (until {until})", text())))
}

/// What a policy asks of the server's own certificate only.
fn judge_leaf(policy: &Policy, leaf: &CertificateDetails) -> impl Iterator<Item = Found> {
    let rules = &policy.certificate;
    let (key, signature) = (key_name(&leaf.key), &leaf.signature.algorithm);
    let has_other_key = rules.keys.forbids(&key);
    let has_other_signature =
        rules.signatures.forbids(signature) && !rules.chain_signatures.forbids(signature);
    let until = ends_with(policy, |end| fits_any(&end.keys, &key)).filter(|_| !has_other_key);
    let seconds = leaf.seen.not_after.saturating_sub(leaf.seen.not_before);
    let most = rules.days.filter(|most| seconds > i64::from(*most) * DAY);
    [
        has_other_key.then(|| (FindingKind::CertificateKey, label(leaf))),
        until.map(|until| (FindingKind::EndsSoon, format!("{} (until {until})", label(leaf)))),
        has_other_signature.then(|| {
            (FindingKind::CertificateSignature, format!("{} is signed with {signature}", label(leaf)))
        }),
        most.map(|most| {
            let made_for = count((seconds + DAY - 1).div_euclid(DAY));
            let text = format!("{} is made for {made_for}, more than {most}", label(leaf));
            (FindingKind::CertificateLifetime, text)
        }),
    ]
    .into_iter()
    .flatten()
}

/// The year of an end.
fn ends_with(policy: &Policy, ends: impl Fn(&End) -> bool) -> Option<u16> {
    policy.ends.iter().find(|end| ends(end)).map(|end| end.until)
}

/// As policies list it: `RSA`, `EC secp256r1`.
fn key_name(key: &KeySeen) -> String {
    match (key.kind, &key.curve) {
        (KeyKind::Ec, Some(curve)) => format!("{} {curve}", key.name),
        _ => key.name.clone(),
    }
}

/// `"CN=mail.example" RSA 2048`.
pub(crate) fn label(one: &CertificateDetails) -> String {
    label_of(&one.seen.subject, &one.key)
}

pub(crate) fn label_of(subject: &str, key: &KeySeen) -> String {
    format!("{} {}", quote(subject), key_words(key))
}

/// `RSA 2048`, `EC secp256r1`, `Ed25519`.
pub(crate) fn key_words(key: &KeySeen) -> String {
    match (key.kind, &key.curve, key.bits) {
        (KeyKind::Ec, Some(curve), _) => format!("{} {curve}", key.name),
        (KeyKind::Other, ..) | (_, _, None) => key.name.clone(),
        (_, _, Some(bits)) => format!("{} {bits}", key.name),
    }
}

pub(crate) fn days_until(end: i64, now: i64) -> i64 {
    end.saturating_sub(now).div_euclid(DAY)
}

/// i32 days reach further than certificates do, and are exact as a double.
fn exact(days: i64) -> f64 {
    f64::from(i32::try_from(days).unwrap_or(if days < 0 { i32::MIN } else { i32::MAX }))
}

fn count(days: i64) -> String {
    format!("{days} day{}", if days == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests;
