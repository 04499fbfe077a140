//! Reads the document of an earlier inventory. Whoever wrote the file, it may cost little and its text is not trusted.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use common::net::tls::KeySeen;
use common::net::{ProbeError, cause};
use common::plugin::Plugin as _;
use common::report::{quote, truncate};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Baseline, Offered};
use crate::CheckWeakCiphers;
use crate::document::SCHEMA;
use crate::judge::certificate::label_of;
use crate::version::Version;

/// 16 ports with everything that servers can be made to offer take less than half of it.
const LONGEST: u64 = 8 * 1024 * 1024;
/// Bytes of a certificate's label, as long as our own are.
const LONGEST_LABEL: usize = 600;

/// What tells documents apart.
#[derive(Deserialize)]
struct Head {
    schema: Option<u64>,
    /// In place of all else, when the run saw nothing.
    error: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Document {
    target: String,
    sni: Option<String>,
    taken_at: String,
    inventory: bool,
    complete: bool,
    ports: Vec<Port>,
}

#[derive(Deserialize)]
struct Port {
    #[serde(rename = "port")]
    number: u16,
    protocols: Vec<Protocol>,
    groups: Vec<Group>,
    certificates: Option<Certificates>,
}

#[derive(Deserialize)]
struct Protocol {
    version: Version,
    offered: bool,
    suites: Vec<Suite>,
}

#[derive(Deserialize)]
struct Suite {
    code: String,
}

#[derive(Deserialize)]
struct Group {
    code: String,
}

#[derive(Deserialize)]
struct Certificates {
    chains: Vec<Chain>,
}

#[derive(Deserialize)]
struct Chain {
    certificates: Vec<Option<Certificate>>,
}

#[derive(Deserialize)]
struct Certificate {
    subject: String,
    key: KeySeen,
}

/// The baseline of each port, from a document that can be compared with what the options ask for.
pub(crate) fn read(options: &CheckWeakCiphers) -> Result<BTreeMap<u16, Baseline>, ProbeError> {
    let Some(path) = &options.scan.baseline else { return Ok(BTreeMap::new()) };
    let about = |text: String| ProbeError::local(format!("--baseline: {} {text}", path.display()));
    let bytes = content(open(path)?).map_err(about)?;
    let document = parse(&bytes).map_err(about)?;
    fits(&document, options).map_err(about)?;
    ports(document, options).map_err(about)
}

fn open(path: &Path) -> Result<File, ProbeError> {
    let fail =
        |cause: String| ProbeError::local(format!("--baseline: cannot read {}: {cause}", path.display()));
    // A named pipe may keep us waiting for its writer; the watchdog bounds that.
    let file = File::open(path).map_err(|error| fail(cause(&error)))?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err(fail("it is a directory".to_owned()));
    }
    Ok(file)
}

/// Whether two paths lead to one file, by whatever names.
pub(crate) fn is_same(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| path.metadata().map(|metadata| (metadata.dev(), metadata.ino())).ok();
    one == other || identity(one).is_some_and(|one| identity(other) == Some(one))
}

fn content(file: File) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    file.take(LONGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("cannot be read: {}", cause(&error)))?;
    if bytes.len() as u64 > LONGEST {
        return Err(format!("is longer than {LONGEST} bytes"));
    }
    Ok(bytes)
}

fn parse(bytes: &[u8]) -> Result<Document, String> {
    // Not the parser's own words, which quote the file.
    let malformed = |error: serde_json::Error| {
        let (line, column) = (error.line(), error.column());
        if error.is_eof() {
            format!("ends too early, at line {line}")
        } else {
            format!("is no document of --json: line {line}, column {column}")
        }
    };
    let head: Head = serde_json::from_slice(bytes).map_err(malformed)?;
    match (head.schema, head.error) {
        (Some(schema), _) if schema == u64::from(SCHEMA) => serde_json::from_slice(bytes).map_err(malformed),
        (Some(schema), _) => Err(format!("is of schema {schema}; this version reads schema {SCHEMA}")),
        (None, Some(_)) => Err("is of a run that saw nothing".to_owned()),
        (None, None) => Err("is no document of --json: it has no schema".to_owned()),
    }
}

/// Only like is compared with like.
fn fits(document: &Document, options: &CheckWeakCiphers) -> Result<(), String> {
    let target = options.target();
    if !document.target.eq_ignore_ascii_case(&target) {
        return Err(format!("is of {}, and this check of {}", quote(&document.target), quote(&target)));
    }
    let sni = options.target.sni.as_ref().map(ToString::to_string);
    let folded = |name: &Option<String>| name.as_ref().map(|name| name.to_ascii_lowercase());
    if folded(&document.sni) != folded(&sni) {
        let words = |name: &Option<String>| {
            name.as_ref().map_or_else(|| "no --sni".to_owned(), |name| format!("--sni {}", quote(name)))
        };
        return Err(format!("is of {}, and this check of {}", words(&document.sni), words(&sni)));
    }
    if !document.inventory {
        return Err("is of a verdict; a baseline is made with --inventory".to_owned());
    }
    if !document.complete {
        return Err("is of a scan that was not complete: what is not in it may be old".to_owned());
    }
    Ok(())
}

fn ports(document: Document, options: &CheckWeakCiphers) -> Result<BTreeMap<u16, Baseline>, String> {
    if !is_timestamp(&document.taken_at) {
        return Err("has no time at which it was taken".to_owned());
    }
    let mut ports = BTreeMap::new();
    for port in document.ports {
        let number = port.number;
        let offered = offered(port).ok_or_else(|| format!("names something unreadable at port {number}"))?;
        if offered.keys.is_none() && !options.certificate.no_cert {
            return Err(format!("has no certificates of port {number}: it was made with --no-cert"));
        }
        let baseline = Baseline { taken_at: document.taken_at.clone(), offered };
        if ports.insert(number, baseline).is_some() {
            return Err(format!("names port {number} twice"));
        }
    }
    match options.target.port.0.iter().find(|port| !ports.contains_key(port)) {
        Some(port) => Err(format!("does not name port {port}")),
        None => Ok(ports),
    }
}

fn offered(port: Port) -> Option<Offered> {
    let mut offered = Offered::default();
    for protocol in port.protocols.into_iter().filter(|protocol| protocol.offered) {
        offered.versions.insert(protocol.version);
        for suite in protocol.suites {
            let bytes = if protocol.version == Version::Ssl2 { 3 } else { 2 };
            offered.suites.insert((protocol.version, number(&suite.code, bytes)?));
        }
    }
    for group in port.groups {
        offered.groups.insert(u16::try_from(number(&group.code, 2)?).ok()?);
    }
    offered.keys = match port.certificates {
        None => None,
        Some(certificates) => {
            let mut keys = BTreeMap::new();
            for chain in certificates.chains {
                if let Some(leaf) = chain.certificates.into_iter().next().flatten() {
                    let (sha256, label) = key(leaf)?;
                    keys.insert(sha256, label);
                }
            }
            Some(keys)
        }
    };
    Some(offered)
}

/// `0xc02f`: as many bytes as there must be.
fn number(code: &str, bytes: usize) -> Option<u32> {
    let digits = code.strip_prefix("0x").filter(|digits| digits.len() == 2 * bytes)?;
    is_hex(digits).then(|| u32::from_str_radix(digits, 16).ok())?
}

fn key(leaf: Certificate) -> Option<(String, String)> {
    let label = truncate(&label_of(&leaf.subject, &leaf.key), LONGEST_LABEL).to_owned();
    let sha256 = leaf.key.sha256;
    (sha256.len() == 64 && is_hex(&sha256)).then_some((sha256, label))
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// `2026-11-01T06:00:00Z`, by its form.
fn is_timestamp(text: &str) -> bool {
    let form = |byte: u8| if byte.is_ascii_digit() { b'0' } else { byte };
    text.bytes().map(form).eq(*b"0000-00-00T00:00:00Z")
}
