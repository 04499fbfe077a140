//! Judges a recorded chain: path, name and dates, each by itself.
//!
//! Path building and name matching are webpki's (RFC 5280, RFC 6125). Revocation is not
//! checked: a plugin makes no connections beyond the one it was asked for.

use std::path::Path;

use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use webpki::{Cert, EndEntityCert, Error, KeyUsage};

use super::builtin::snake_case;
use super::certificate::CertificateSeen;
use super::{JudgedChain, TlsSeen, read_certificates};
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

    /// One certificate, whoever calls it an authority.
    pub(super) fn of(certificate: CertificateDer<'static>) -> Self {
        Self::new(vec![certificate], "the authority given".to_owned())
    }

    fn new(certificates: Vec<CertificateDer<'static>>, source: String) -> Self {
        let roots = certificates
            .iter()
            .filter_map(|der| webpki::anchor_from_trusted_cert(der).ok().map(|anchor| anchor.to_owned()))
            .collect();
        Self { certificates, roots, source }
    }
}

/// Judges a chain now: without a name only path and dates, without anchors only the facts are
/// taken down.
pub(super) fn judge(
    chain: &[CertificateDer<'static>],
    server_name: Option<&ServerName<'_>>,
    anchors: Option<&Anchors>,
) -> JudgedChain {
    let seen: Vec<CertificateSeen> = chain.iter().filter_map(CertificateSeen::parse).collect();
    let now = UnixTime::now();
    let judged = match (chain.split_first(), anchors) {
        (Some((leaf, rest)), Some(anchors)) => judge_leaf(leaf, rest, server_name, anchors, now),
        (None, Some(_)) => {
            let problem = Some("the server sent no certificate".to_owned());
            Judged { chain_problem: problem, ..Judged::default() }
        }
        (_, None) => Judged::default(),
    };
    let places = judged.path.as_ref().map(|path| {
        let used = chain.iter().enumerate().filter(|(_, der)| path.contains(der));
        used.map(|(place, _)| place).collect()
    });
    // Only what the path uses must last: servers often send an old cross-signed extra.
    let relevant = match judged.path {
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
    // A date that only webpki reads, in a certificate that we cannot: nothing else would show it.
    let date = judged.date.filter(|_| facts.dates_valid);
    let chain_problem =
        judged.chain_problem.or_else(|| date.map(|error| format!("{NO_PATH}: {}", error_words(&error))));
    let name_problem = judged.name_problem;
    let tls = TlsSeen { judged: anchors.is_some(), chain_problem, name_problem, ..facts };
    JudgedChain { tls, path: places }
}

/// The facts of a chain before any verdict; `relevant` are the certificates that must last.
pub(super) fn facts(
    chain: Vec<CertificateSeen>,
    relevant: &[CertificateSeen],
    server_name: Option<&ServerName<'_>>,
    now: UnixTime,
) -> TlsSeen {
    let not_after = relevant.iter().map(|one| one.not_after).min();
    let not_before = relevant.iter().map(|one| one.not_before).max();
    let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    TlsSeen {
        version: String::new(),
        suite: String::new(),
        server_name: server_name.map(|name| name.to_str().into_owned()).unwrap_or_default(),
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

/// What webpki says of a chain.
#[derive(Debug, Default)]
struct Judged {
    chain_problem: Option<String>,
    name_problem: Option<String>,
    /// Certificates of the verified path, if there is one.
    path: Option<Vec<CertificateDer<'static>>>,
    /// The path was valid once, but is not now.
    date: Option<Error>,
}

fn judge_leaf(
    leaf: &CertificateDer<'static>,
    rest: &[CertificateDer<'static>],
    server_name: Option<&ServerName<'_>>,
    anchors: &Anchors,
    now: UnixTime,
) -> Judged {
    let entity = match EndEntityCert::try_from(leaf) {
        Ok(entity) => entity,
        Err(error) => {
            return Judged { chain_problem: Some(path_words(&error, anchors)), ..Judged::default() };
        }
    };
    let is_other = |name: &&ServerName<'_>| entity.verify_is_valid_for_subject_name(name).is_err();
    let name_problem =
        server_name.filter(is_other).map(|name| name_words(CertificateSeen::parse(leaf).as_ref(), name));
    let judged = Judged { name_problem, ..Judged::default() };
    // A certificate that was itself handed to us as trusted needs no path: this is how a
    // self-signed server is pinned.
    if anchors.certificates.contains(leaf) {
        return Judged { path: Some(vec![leaf.clone()]), ..judged };
    }
    match verify_path(&entity, rest, anchors, now) {
        Ok(path) => Judged { path: Some(path), ..judged },
        Err(error) if is_date(&error) => match verify_once(&entity, rest, anchors) {
            Ok(path) => Judged { path: Some(path), date: Some(error), ..judged },
            Err(error) => Judged { chain_problem: Some(path_words(&error, anchors)), ..judged },
        },
        Err(error) => Judged { chain_problem: Some(path_words(&error, anchors)), ..judged },
    }
}

const fn is_date(error: &Error) -> bool {
    matches!(error, Error::CertExpired { .. } | Error::CertNotValidYet { .. })
}

/// A path at any time, so that the dates do not hide a broken one: all of a path is valid on the
/// day that its first certificate ends, or never.
fn verify_once(
    entity: &EndEntityCert<'_>,
    rest: &[CertificateDer<'static>],
    anchors: &Anchors,
) -> Result<Vec<CertificateDer<'static>>, Error> {
    let leaf = entity.der();
    let ends = std::iter::once(&leaf).chain(rest).filter_map(|der| CertificateSeen::parse(der)?.end());
    let mut first = None;
    for end in ends.take(TIMES_TRIED) {
        let error = match verify_path(entity, rest, anchors, end) {
            Ok(path) => return Ok(path),
            Err(error) => error,
        };
        first = match first {
            Some(before) if !is_date(&before) || is_date(&error) => Some(before),
            _ => Some(error),
        };
    }
    Err(first.unwrap_or(Error::BadDerTime))
}

/// Longer chains do not happen, but could be made to cost time.
const TIMES_TRIED: usize = 8;

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
        // ring answers both alike.
        Error::InvalidSignatureForPublicKey => {
            format!("{FALSE_SIGNATURE}, or made with an RSA key of less than 2048 bits")
        }
        Error::UnsupportedSignatureAlgorithmContext(_)
        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
            format!("{NO_PATH}: signed with SHA-1 or in another way that nobody should accept")
        }
        error if is_date(error) => format!("{NO_PATH}: there is no day on which all of it was valid"),
        other => format!("{NO_PATH}: {}", error_words(other)),
    }
}

/// webpki has no words of its own: `name constraint violation`.
fn error_words(error: &Error) -> String {
    let debug = format!("{error:?}");
    let name = debug.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    snake_case(name).replace('_', " ")
}
