//! Zones in text (RFC 1035 section 5), for the real servers.

use super::types::{Rdata, Record};

/// A zone file for NSD and BIND.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneFile {
    /// Name of the zone without the final dot; the root is a dot.
    pub name: String,
    /// The whole text.
    pub text: String,
}

impl ZoneFile {
    /// A zone with these records, in zone file syntax; names are relative to the zone. SOA
    /// and NS are put in front, unless there is a SOA already.
    #[must_use]
    pub fn new(name: &str, records: &str) -> Self {
        let origin = if name == "." { "." } else { &format!("{name}.") };
        let mut text = format!("$ORIGIN {origin}\n$TTL 300\n");
        if !records.contains("SOA") {
            text += "@ SOA ns hostmaster 2026 7200 3600 604800 60\n@ NS ns\nns A 127.0.0.1\n";
        }
        Self { name: name.to_owned(), text: text + records + "\n" }
    }

    /// The same from records, which the scripted responder takes as well. One without an owner is
    /// the zone's own.
    #[must_use]
    pub fn of(name: &str, records: &[Record]) -> Self {
        let lines: String = records.iter().map(|record| line(record, name)).collect();
        Self::new(name, &lines)
    }
}

fn line(record: &Record, zone: &str) -> String {
    let (owner, ttl) = (record.name.as_deref().unwrap_or(zone), record.ttl);
    let data = match &record.data {
        Rdata::A(address) => format!("A {address}"),
        Rdata::Aaaa(address) => format!("AAAA {address}"),
        Rdata::Txt(strings) => {
            let strings: String = strings.iter().map(|string| format!(" \"{}\"", quoted(string))).collect();
            format!("TXT{strings}")
        }
        Rdata::Ptr(target) => format!("PTR {target}."),
        Rdata::Ns(target) => format!("NS {target}."),
        Rdata::Cname(target) => format!("CNAME {target}."),
        Rdata::Mx(preference, host) => format!("MX {preference} {host}."),
        Rdata::Soa { primary, mailbox, serial, minimum } => {
            format!("SOA {primary}. {mailbox}. {serial} 7200 3600 604800 {minimum}")
        }
        Rdata::Tlsa { usage, selector, matching, data } => {
            format!("TLSA {usage} {selector} {matching} {}", hex(data))
        }
        // RFC 3597 section 5.
        Rdata::Other(number, bytes) => format!("TYPE{number} \\# {} {}", bytes.len(), hex(bytes)),
    };
    format!("{owner}. {ttl} IN {data}\n")
}

fn quoted(string: &[u8]) -> String {
    let written = |byte: &u8| match byte {
        b' '..=b'~' if !b"\"\\".contains(byte) => char::from(*byte).to_string(),
        byte => format!("\\{byte:03}"),
    };
    string.iter().map(written).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
