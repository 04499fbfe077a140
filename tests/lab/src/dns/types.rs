//! Names of what is on the wire: record types, response codes, records (RFC 1035 section 3).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Type of a record or of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are the registered ones")]
pub enum RecordType {
    A,
    Ns,
    Cname,
    Soa,
    Ptr,
    Mx,
    Txt,
    Aaaa,
    Opt,
    Tlsa,
    Any,
    /// Any other number.
    Other(u16),
}

impl RecordType {
    const NUMBERS: [(Self, u16); 11] = [
        (Self::A, 1),
        (Self::Ns, 2),
        (Self::Cname, 5),
        (Self::Soa, 6),
        (Self::Ptr, 12),
        (Self::Mx, 15),
        (Self::Txt, 16),
        (Self::Aaaa, 28),
        (Self::Opt, 41),
        (Self::Tlsa, 52),
        (Self::Any, 255),
    ];

    /// Its registered number.
    #[must_use]
    pub fn number(self) -> u16 {
        match self {
            Self::Other(number) => number,
            known => Self::NUMBERS.iter().find(|(kind, _)| *kind == known).expect("the table is whole").1,
        }
    }
}

impl From<u16> for RecordType {
    fn from(number: u16) -> Self {
        let known = Self::NUMBERS.iter().find(|(_, known)| *known == number);
        known.map_or(Self::Other(number), |(kind, _)| *kind)
    }
}

/// Response code (RFC 1035 section 4.1.1), without the extension by EDNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the registered ones")]
pub enum Rcode {
    NoError,
    FormErr,
    ServFail,
    NxDomain,
    NotImp,
    Refused,
    /// Any other number below 16.
    Other(u8),
}

impl Rcode {
    /// Its registered number.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::NoError => 0,
            Self::FormErr => 1,
            Self::ServFail => 2,
            Self::NxDomain => 3,
            Self::NotImp => 4,
            Self::Refused => 5,
            Self::Other(number) => number & 15,
        }
    }
}

impl From<u8> for Rcode {
    fn from(number: u8) -> Self {
        match number & 15 {
            0 => Self::NoError,
            1 => Self::FormErr,
            2 => Self::ServFail,
            3 => Self::NxDomain,
            4 => Self::NotImp,
            5 => Self::Refused,
            other => Self::Other(other),
        }
    }
}

/// The data of a record. Names have no final dot, the root is the empty name; a byte that is
/// no printable ASCII character, a dot within a label and a backslash are written `\DDD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rdata {
    /// IPv4 address.
    A(Ipv4Addr),
    /// IPv6 address.
    Aaaa(Ipv6Addr),
    /// Character strings; none of them is longer than 255 bytes.
    Txt(Vec<Vec<u8>>),
    /// Name of an address.
    Ptr(String),
    /// Name server.
    Ns(String),
    /// Alias.
    Cname(String),
    /// Preference and host.
    Mx(u16, String),
    /// Start of a zone.
    Soa {
        /// Primary name server.
        primary: String,
        /// Mailbox of the administrator.
        mailbox: String,
        /// Serial number.
        serial: u32,
        /// How long a negative answer may be kept, in seconds (RFC 2308 section 4).
        minimum: u32,
    },
    /// Certificate association (RFC 6698 section 2.1).
    Tlsa {
        /// Certificate usage.
        usage: u8,
        /// Selector.
        selector: u8,
        /// Matching type.
        matching: u8,
        /// Certificate association data.
        data: Vec<u8>,
    },
    /// Anything else, with its type, as on the wire.
    Other(u16, Vec<u8>),
}

impl Rdata {
    /// Type of the record.
    #[must_use]
    pub fn record_type(&self) -> RecordType {
        match self {
            Self::A(_) => RecordType::A,
            Self::Aaaa(_) => RecordType::Aaaa,
            Self::Txt(_) => RecordType::Txt,
            Self::Ptr(_) => RecordType::Ptr,
            Self::Ns(_) => RecordType::Ns,
            Self::Cname(_) => RecordType::Cname,
            Self::Mx(..) => RecordType::Mx,
            Self::Soa { .. } => RecordType::Soa,
            Self::Tlsa { .. } => RecordType::Tlsa,
            Self::Other(number, _) => RecordType::from(*number),
        }
    }
}

/// A record with its owner and time to live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Owner; `None` stands for the name in the question.
    pub name: Option<String>,
    /// Time to live in seconds.
    pub ttl: u32,
    /// Type and data.
    pub data: Rdata,
}

impl Record {
    /// A record of the name in the question, with a time to live of 300 s.
    #[must_use]
    pub fn new(data: Rdata) -> Self {
        Self { name: None, ttl: 300, data }
    }

    /// A or AAAA, from an address or its text.
    #[must_use]
    pub fn address(address: &str) -> Self {
        match address.parse() {
            Ok(IpAddr::V4(address)) => Self::new(Rdata::A(address)),
            Ok(IpAddr::V6(address)) => Self::new(Rdata::Aaaa(address)),
            Err(error) => panic!("{address:?}: {error}"),
        }
    }

    /// TXT, cut into strings of 255 bytes.
    #[must_use]
    pub fn txt(text: &str) -> Self {
        let mut strings: Vec<_> = text.as_bytes().chunks(255).map(<[u8]>::to_vec).collect();
        if strings.is_empty() {
            strings.push(Vec::new());
        }
        Self::new(Rdata::Txt(strings))
    }

    /// PTR.
    #[must_use]
    pub fn ptr(host: &str) -> Self {
        Self::new(Rdata::Ptr(host.to_owned()))
    }

    /// NS.
    #[must_use]
    pub fn ns(host: &str) -> Self {
        Self::new(Rdata::Ns(host.to_owned()))
    }

    /// CNAME.
    #[must_use]
    pub fn cname(target: &str) -> Self {
        Self::new(Rdata::Cname(target.to_owned()))
    }

    /// MX; the null MX of RFC 7505 is `mx(0, "")`.
    #[must_use]
    pub fn mx(preference: u16, host: &str) -> Self {
        Self::new(Rdata::Mx(preference, host.to_owned()))
    }

    /// SOA of a zone, with made-up figures; a negative answer may be kept for 60 s.
    #[must_use]
    pub fn soa(zone: &str) -> Self {
        let below = |label: &str| if zone.is_empty() { label.to_owned() } else { format!("{label}.{zone}") };
        let data =
            Rdata::Soa { primary: below("ns"), mailbox: below("hostmaster"), serial: 2026, minimum: 60 };
        Self::new(data).owned_by(zone)
    }

    /// TLSA.
    #[must_use]
    pub fn tlsa(usage: u8, selector: u8, matching: u8, data: &[u8]) -> Self {
        Self::new(Rdata::Tlsa { usage, selector, matching, data: data.to_vec() })
    }

    /// The same record of another owner.
    #[must_use]
    pub fn owned_by(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// The same record with another time to live, in seconds.
    #[must_use]
    pub fn ttl(mut self, seconds: u32) -> Self {
        self.ttl = seconds;
        self
    }
}
