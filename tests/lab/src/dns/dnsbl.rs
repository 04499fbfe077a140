//! A DNS block list with the habits of real ones (RFC 5782), and with their failures.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::behaviour::Behaviour;
use super::query::Query;
use super::reaction::Reaction;
use super::types::{Rcode, Rdata, Record, RecordType};

/// A block list, for [`super::Zones::zone`]. A healthy one has the test points of RFC 5782
/// (sections 2.3, 2.4 and 5) for all three kinds of list: 127.0.0.2, ::ffff:7f00:2 and `test` are
/// listed, 127.0.0.1, ::ffff:7f00:1 and `invalid` are not.
#[derive(Clone, Debug)]
pub struct Dnsbl {
    entries: HashMap<String, Entry>,
    records: Vec<Record>,
    everything: Option<Reaction>,
}

#[derive(Clone, Debug)]
struct Entry {
    codes: Vec<Ipv4Addr>,
    text: Option<String>,
}

impl Dnsbl {
    /// Works and lists nothing but its test points.
    #[must_use]
    pub fn healthy() -> Self {
        let points = ["127.0.0.2", "::ffff:7f00:2", "test"];
        points.into_iter().fold(Self::dead(), |list, point| list.text(point, "127.0.0.2", "Test entry"))
    }

    /// Works and lists this address or domain with these codes, and without a text.
    #[must_use]
    pub fn listing<'a>(target: &str, codes: impl IntoIterator<Item = &'a str>) -> Self {
        Self::healthy().and(target, codes)
    }

    /// Empty: not even the test points are listed.
    #[must_use]
    pub fn dead() -> Self {
        Self { entries: HashMap::new(), records: Vec::new(), everything: None }
    }

    /// Lists the world with 127.0.0.2, as some lists did before they were closed.
    #[must_use]
    pub fn world() -> Self {
        Self::answering("127.0.0.2")
    }

    /// Refuses the client with this code for whatever it asks: `127.255.255.254` is how
    /// Spamhaus refuses open resolvers, `127.0.0.1` how URIBL refuses.
    #[must_use]
    pub fn refusing(code: &str) -> Self {
        Self::answering(code)
    }

    /// The resolver, or a new owner of the domain, rewrites every answer to this address.
    #[must_use]
    pub fn rewriting(address: &str) -> Self {
        Self::answering(address)
    }

    /// Answers every query with this code: `ServFail`, `Refused`, `FormErr`.
    #[must_use]
    pub fn rcode(rcode: Rcode) -> Self {
        Self { everything: Some(Reaction::rcode(rcode)), ..Self::dead() }
    }

    /// Never answers.
    #[must_use]
    pub fn silent() -> Self {
        Self { everything: Some(Reaction::silence()), ..Self::dead() }
    }

    /// The same list with one entry more, without a text.
    #[must_use]
    pub fn and<'a>(mut self, target: &str, codes: impl IntoIterator<Item = &'a str>) -> Self {
        let codes = codes.into_iter().map(ipv4).collect();
        self.entries.insert(dnsbl_name(target), Entry { codes, text: None });
        self
    }

    /// The same list with one entry more that has one code and a text.
    #[must_use]
    pub fn text(mut self, target: &str, code: &str, text: &str) -> Self {
        let entry = Entry { codes: vec![ipv4(code)], text: Some(text.to_owned()) };
        self.entries.insert(dnsbl_name(target), entry);
        self
    }

    /// The same list without this entry or test point.
    #[must_use]
    pub fn without(mut self, target: &str) -> Self {
        self.entries.remove(&dnsbl_name(target));
        self
    }

    /// The same list with a record of the zone's own name, such as NS. SOA is there anyway.
    #[must_use]
    pub fn record(mut self, record: Record) -> Self {
        self.records.push(record);
        self
    }

    fn answering(address: &str) -> Self {
        let record = Record::new(Rdata::A(ipv4(address)));
        Self { everything: Some(Reaction::records([record])), ..Self::dead() }
    }

    fn own_name(&self, query: &Query, zone: &str) -> Reaction {
        if query.record_type == RecordType::Soa {
            return Reaction::records([Record::soa(zone)]);
        }
        let fits = |record: &&Record| record.data.record_type() == query.record_type;
        let found: Vec<_> = self.records.iter().filter(fits).cloned().collect();
        if found.is_empty() { Reaction::nodata() } else { Reaction::records(found) }
    }
}

impl Behaviour for Dnsbl {
    fn react(&self, query: &Query, zone: &str) -> Reaction {
        if let Some(everything) = &self.everything {
            // Lists that answer everything have an address for every name and nothing else.
            let address = |record_type| matches!(record_type, RecordType::A | RecordType::Any);
            let has_record = everything.is_answer() && !address(query.record_type);
            return if has_record { Reaction::nodata() } else { everything.clone() };
        }
        let name = query.below(zone).unwrap_or(&query.name);
        if name.is_empty() {
            return self.own_name(query, zone);
        }
        match (self.entries.get(name), query.record_type) {
            (None, _) => Reaction::nxdomain(),
            (Some(entry), RecordType::A) => {
                Reaction::records(entry.codes.iter().map(|code| Record::new(Rdata::A(*code))))
            }
            (Some(Entry { text: Some(text), .. }), RecordType::Txt) => Reaction::records([Record::txt(text)]),
            (Some(_), _) => Reaction::nodata(),
        }
    }
}

/// The name of an address or domain below a list: the bytes of an IPv4 address or the
/// nibbles of an IPv6 address backwards (RFC 5782 sections 2.1 and 2.4), a domain as it is.
#[must_use]
pub fn dnsbl_name(target: &str) -> String {
    match target.parse() {
        Ok(IpAddr::V4(address)) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}")
        }
        Ok(IpAddr::V6(address)) => reversed_nibbles(address),
        Err(_) => target.trim_end_matches('.').to_ascii_lowercase(),
    }
}

fn reversed_nibbles(address: Ipv6Addr) -> String {
    let bytes = address.octets();
    let nibbles = bytes.iter().rev().flat_map(|byte| [byte & 15, byte >> 4]);
    nibbles.map(|nibble| format!("{nibble:x}")).collect::<Vec<_>>().join(".")
}

fn ipv4(text: &str) -> Ipv4Addr {
    text.parse().unwrap_or_else(|_| panic!("{text:?} is no IPv4 address"))
}
