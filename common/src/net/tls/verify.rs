//! Judges a recorded chain: path, name and dates, each by itself.
//!
//! Path building and name matching are webpki's (RFC 5280, RFC 6125). Revocation is not
//! checked: a plugin makes no connections beyond the one it was asked for.

use std::path::Path;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use webpki::{Cert, EndEntityCert, Error, KeyUsage};

use super::certificate::CertificateSeen;
use super::{TlsSeen, read_certificates};
use crate::net::error::ProbeError;

/// Characters of the names in a sentence, like any other words of the server.
const NAMES_SHOWN: usize = 128;

/// Words that both back-ends use.
pub(super) const SYSTEM: &str = "the system's CA certificates";
pub(super) const LEADS_NOWHERE: &str = "certificate chain does not lead to";
pub(super) const NOT_FOR_SERVERS: &str = "certificate is not meant for servers (extended key usage)";
pub(super) const FALSE_SIGNATURE: &str = "a signature in the certificate chain is false";
pub(super) const NO_PATH: &str = "certificate chain does not verify";

/// The CA certificates to verify against.
#[derive(Debug)]
pub(super) struct Anchors {
    certificates: Vec<CertificateDer<'static>>,
    roots: Vec<TrustAnchor<'static>>,
    /// Named in sentences.
    source: String,
}

impl Anchors {
    pub(super) fn from_file(path: &Path) -> Result<Self, ProbeError> {
        let source = path.display().to_string();
        let anchors = Self::new(read_certificates("CA file", path)?, source.clone());
        if anchors.roots.is_empty() {
            return Err(ProbeError::local(format!(
                "cannot read the CA file {source}: it holds no usable certificate"
            )));
        }
        Ok(anchors)
    }

    pub(super) fn from_system() -> Result<Self, ProbeError> {
        let anchors = Self::new(rustls_native_certs::load_native_certs().certs, SYSTEM.to_owned());
        if anchors.roots.is_empty() {
            return Err(ProbeError::local(
                "cannot verify the certificate: the system has no CA certificates",
            )
            .with_hint("apt install ca-certificates, or --ca-file FILE"));
        }
        Ok(anchors)
    }

    fn new(certificates: Vec<CertificateDer<'static>>, source: String) -> Self {
        let roots = certificates
            .iter()
            .filter_map(|der| webpki::anchor_from_trusted_cert(der).ok().map(|anchor| anchor.to_owned()))
            .collect();
        Self { certificates, roots, source }
    }
}

/// Judges a chain against a name now; without anchors only the facts are taken down.
pub(super) fn judge(
    chain: &[CertificateDer<'static>],
    server_name: &ServerName<'_>,
    anchors: Option<&Anchors>,
) -> TlsSeen {
    let seen: Vec<CertificateSeen> = chain.iter().filter_map(CertificateSeen::parse).collect();
    let now = UnixTime::now();
    let (chain_problem, name_problem, path) = match (chain.split_first(), anchors) {
        (Some((leaf, rest)), Some(anchors)) => judge_leaf(leaf, rest, server_name, anchors, now),
        (None, Some(_)) => (Some("the server sent no certificate".to_owned()), None, None),
        (_, None) => (None, None, None),
    };
    // Only what the path uses must last: servers often send an old cross-signed extra.
    let relevant = match path {
        // Every certificate of a path was read already, unless one of the chain is none.
        Some(path) if seen.len() == chain.len() => chain
            .iter()
            .zip(&seen)
            .filter(|(der, _)| path.contains(der))
            .map(|(_, facts)| facts.clone())
            .collect(),
        Some(path) => path.iter().filter_map(CertificateSeen::parse).collect(),
        None => seen.clone(),
    };
    let facts = facts(seen, &relevant, server_name, now);
    TlsSeen { judged: anchors.is_some(), chain_problem, name_problem, ..facts }
}

/// The facts of a chain before any verdict; `relevant` are the certificates that must last.
pub(super) fn facts(
    chain: Vec<CertificateSeen>,
    relevant: &[CertificateSeen],
    server_name: &ServerName<'_>,
    now: UnixTime,
) -> TlsSeen {
    let not_after = relevant.iter().map(|one| one.not_after).min();
    let not_before = relevant.iter().map(|one| one.not_before).max();
    let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    TlsSeen {
        version: String::new(),
        suite: String::new(),
        server_name: server_name.to_str().into_owned(),
        judged: false,
        chain_problem: None,
        name_problem: None,
        not_after,
        not_before,
        dates_valid: not_after.is_some_and(|end| end >= seconds)
            && not_before.is_some_and(|begin| begin <= seconds),
        chain,
    }
}

/// Problem of the path, problem of the name, certificates of the verified path if known.
type Judged = (Option<String>, Option<String>, Option<Vec<CertificateDer<'static>>>);

fn judge_leaf(
    leaf: &CertificateDer<'static>,
    rest: &[CertificateDer<'static>],
    server_name: &ServerName<'_>,
    anchors: &Anchors,
    now: UnixTime,
) -> Judged {
    let entity = match EndEntityCert::try_from(leaf) {
        Ok(entity) => entity,
        Err(error) => return (Some(path_words(&error, anchors)), None, None),
    };
    let name_problem = entity
        .verify_is_valid_for_subject_name(server_name)
        .err()
        .map(|_| name_words(CertificateSeen::parse(leaf).as_ref(), server_name));
    // A certificate that was itself handed to us as trusted needs no path: this is how a
    // self-signed server is pinned.
    if anchors.certificates.contains(leaf) {
        return (None, name_problem, Some(vec![leaf.clone()]));
    }
    match verify_path(&entity, rest, anchors, now) {
        Ok(path) => (None, name_problem, Some(path)),
        Err(Error::CertExpired { .. } | Error::CertNotValidYet { .. }) => {
            // Judged again at a time when the leaf was valid, so that the dates do not hide
            // a broken path. An issuer may have ended before the leaf: then no path is
            // known, and the dates of all certificates as sent tell the story.
            let within = CertificateSeen::parse(leaf).and_then(|seen| u64::try_from(seen.not_after).ok());
            let then = UnixTime::since_unix_epoch(Duration::from_secs(within.unwrap_or_default()));
            match verify_path(&entity, rest, anchors, then) {
                Ok(path) => (None, name_problem, Some(path)),
                Err(Error::CertExpired { .. } | Error::CertNotValidYet { .. }) => (None, name_problem, None),
                Err(error) => (Some(path_words(&error, anchors)), name_problem, None),
            }
        }
        Err(error) => (Some(path_words(&error, anchors)), name_problem, None),
    }
}

/// For whom a certificate is, if not for this name.
pub(super) fn name_words(leaf: Option<&CertificateSeen>, server_name: &ServerName<'_>) -> String {
    let names = leaf.map(|seen| few(&seen.names)).unwrap_or_default();
    let names = if names.is_empty() { "no name at all".to_owned() } else { names };
    format!("certificate is not for {} but for {names}", server_name.to_str())
}

/// The names of a certificate for a sentence: some have hundreds.
fn few(names: &[String]) -> String {
    let all = names.join(", ");
    match all.char_indices().nth(NAMES_SHOWN) {
        Some((end, _)) => format!("{}...", all.get(..end).unwrap_or_default()),
        None => all,
    }
}

/// The certificates of a verified path, the anchor left out.
fn verify_path(
    entity: &EndEntityCert<'_>,
    rest: &[CertificateDer<'static>],
    anchors: &Anchors,
    time: UnixTime,
) -> Result<Vec<CertificateDer<'static>>, Error> {
    let algorithms = ring::default_provider().signature_verification_algorithms;
    let usage = KeyUsage::server_auth();
    let path = entity.verify_for_usage(algorithms.all, &anchors.roots, rest, time, usage, None, None)?;
    let intermediates = path.intermediate_certificates().map(Cert::der);
    Ok(std::iter::once(entity.der()).chain(intermediates).map(CertificateDer::into_owned).collect())
}

fn path_words(error: &Error, anchors: &Anchors) -> String {
    match error {
        Error::UnknownIssuer => format!("{LEADS_NOWHERE} {}", anchors.source),
        Error::CaUsedAsEndEntity => {
            "certificate is a CA's own (self-signed?), not a server's; --ca-file FILE with it pins it"
                .to_owned()
        }
        Error::UnsupportedCertVersion => "certificate is X.509 version 1, without names or usages".to_owned(),
        Error::RequiredEkuNotFoundContext(_) => NOT_FOR_SERVERS.to_owned(),
        Error::InvalidSignatureForPublicKey => FALSE_SIGNATURE.to_owned(),
        other => format!("{NO_PATH}: {other}"),
    }
}
