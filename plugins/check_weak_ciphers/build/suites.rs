//! The tables of suites, of cipher kinds of SSL 2.0, and of codes that mean nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::Path;

use crate::csv::{self, Row};
use crate::kinds::Export;
use crate::name::{self, Parts};

struct Suite {
    name: String,
    openssl_name: Option<String>,
    parts: Parts,
}

/// Names of the signalling values, which stand among the suites of the registry.
const SIGNALS: [&str; 2] = ["TLS_EMPTY_RENEGOTIATION_INFO_SCSV", "TLS_FALLBACK_SCSV"];

/// The first byte of the range of codes that serve to fill a hello. The registry must have it unassigned.
const FILLER: u8 = 0x57;

/// The text of `suites.rs`, and all names a policy may use.
pub(crate) fn generate(data: &Path) -> Result<(String, BTreeSet<String>), String> {
    let registry =
        csv::read(&data.join("tls-parameters-4.csv"), "Value,Description,DTLS-OK,Recommended,Reference")?;
    let mut suites = BTreeMap::new();
    for row in &registry {
        let name = row.field(1)?;
        if name.starts_with("TLS_") && !SIGNALS.contains(&name) {
            insert(&mut suites, row, pair(row)?, name)?;
        } else if !is_known_filling(name) {
            return Err(row.error(&format!("neither a suite nor unassigned or reserved: {name}")));
        }
    }
    for row in csv::read(&data.join("extra-suites.csv"), "Code,Name,Source")? {
        insert(&mut suites, &row, row.short(0)?, row.field(1)?)?;
    }
    for row in csv::read(&data.join("openssl-names.csv"), "Code,OpenSSL name,Source")? {
        let suite = suites.get_mut(&row.short(0)?).ok_or_else(|| row.error("no suite has this code"))?;
        if suite.openssl_name.replace(row.field(1)?.to_owned()).is_some() {
            return Err(row.error("this code has a name already"));
        }
    }
    let filler = filler(&registry)?;
    if let Some((code, suite)) = suites.iter().find(|(code, _)| filler.contains(code)) {
        return Err(format!("{}: {code:#06X} is in the range that means nothing", suite.name));
    }
    let mut text = format!(
        "/// Codes without a meaning, to make a hello longer: no server knows them.\n\
         pub(crate) const UNASSIGNED: RangeInclusive<u16> = {:#06X}..={:#06X};\n\n",
        filler.start(),
        filler.end()
    );
    text.push_str(&table(&suites));
    distinct("IANA name", &suites, |suite| Some(&suite.name))?;
    distinct("OpenSSL name", &suites, |suite| suite.openssl_name.as_ref())?;
    text.push_str(&sslv2(&data.join("sslv2-kinds.csv"))?);
    let names = suites.into_values().flat_map(|suite| [Some(suite.name), suite.openssl_name]).flatten();
    Ok((text, names.collect()))
}

fn insert(suites: &mut BTreeMap<u16, Suite>, row: &Row, code: u16, name: &str) -> Result<(), String> {
    let parts = name::parse(name).map_err(|problem| row.error(&problem))?;
    match suites.insert(code, Suite { name: name.to_owned(), openssl_name: None, parts }) {
        None => Ok(()),
        Some(other) => Err(row.error(&format!("{} has this code already", other.name))),
    }
}

fn is_known_filling(name: &str) -> bool {
    name == "Unassigned" || name.starts_with("Reserved") || SIGNALS.contains(&name)
}

/// `0xC0,0x2F`
fn pair(row: &Row) -> Result<u16, String> {
    let byte = |text: &str| u8::from_str_radix(text.strip_prefix("0x")?, 16).ok();
    let both = row.field(0)?.split_once(',').and_then(|(high, low)| Some([byte(high)?, byte(low)?]));
    both.map(u16::from_be_bytes).ok_or_else(|| row.error("two bytes are expected: 0xC0,0x2F"))
}

/// The row `0x57-59,*` of the registry.
fn filler(registry: &[Row]) -> Result<RangeInclusive<u16>, String> {
    for row in registry {
        let Some((first, last)) = row.field(0)?.strip_suffix(",*").and_then(|bytes| bytes.split_once('-'))
        else {
            continue;
        };
        let first = first.strip_prefix("0x").and_then(|hex| u8::from_str_radix(hex, 16).ok());
        if first == Some(FILLER) && row.field(1)? == "Unassigned" {
            let last = u8::from_str_radix(last, 16).map_err(|error| row.error(&error.to_string()))?;
            return Ok(u16::from_be_bytes([FILLER, 0])..=u16::from_be_bytes([last, 0xFF]));
        }
    }
    Err(format!("tls-parameters-4.csv: no unassigned range begins at {FILLER:#04X}"))
}

fn table(suites: &BTreeMap<u16, Suite>) -> String {
    let mut text =
        format!("/// All suites, by code.\npub(crate) static SUITES: [Suite; {}] = [\n", suites.len());
    for (code, suite) in suites {
        let Parts { kx, auth, cipher, mode, bits, mac, export } = suite.parts;
        text.push_str(&format!(
            "    Suite {{ code: {code:#06X}, name: {:?}, openssl_name: {:?}, kx: KeyExchange::{kx:?}, \
             auth: Auth::{auth:?}, cipher: Cipher::{cipher:?}, mode: Mode::{mode:?}, bits: {bits}, mac: Mac::{mac:?}, \
             export: {} }},\n",
            suite.name,
            suite.openssl_name,
            export_text(export),
        ));
    }
    text.push_str("];\n\n");
    text
}

/// Patterns and options name suites in either case of letters.
fn distinct(
    what: &str,
    suites: &BTreeMap<u16, Suite>,
    key: impl Fn(&Suite) -> Option<&String>,
) -> Result<(), String> {
    let mut names = BTreeSet::new();
    match suites.values().filter_map(key).find(|name| !names.insert(name.to_ascii_lowercase())) {
        Some(name) => Err(format!("two suites have the {what} {name}")),
        None => Ok(()),
    }
}

fn sslv2(file: &Path) -> Result<String, String> {
    let mut entries = Vec::new();
    for row in csv::read(file, "Code,Name,OpenSSL name")? {
        let [zero, high, middle, low] = row.number(0)?.to_be_bytes();
        if zero != 0 {
            return Err(row.error("three bytes are expected"));
        }
        let (name, openssl_name) = (row.field(1)?, row.field(2)?);
        let parts = name::parse_sslv2(name).map_err(|problem| row.error(&problem))?;
        let Parts { cipher, mode, bits, mac, export, .. } = parts;
        entries.push(format!(
            "    Sslv2Kind {{ code: [{high:#04X}, {middle:#04X}, {low:#04X}], name: {name:?}, \
             openssl_name: {openssl_name:?}, cipher: Cipher::{cipher:?}, mode: Mode::{mode:?}, bits: {bits}, \
             mac: Mac::{mac:?}, export: {} }},\n",
            export_text(export)
        ));
    }
    Ok(format!(
        "/// All cipher kinds of SSL 2.0, by code.\npub(crate) static SSLV2_KINDS: [Sslv2Kind; {}] = [\n{}];\n",
        entries.len(),
        entries.concat()
    ))
}

fn export_text(export: Option<Export>) -> String {
    export.map_or_else(|| "None".to_owned(), |export| format!("Some(Export::{export:?})"))
}
