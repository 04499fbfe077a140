//! Whether a certificate is the one that TLSA records promise (RFC 6698, as RFC 7672 section 3.1
//! narrows it for mail).

use std::fmt;

use common::net::ProbeError;
use common::net::tls::ChainJudge;
use common::proto::dns::{Data, Record};
use common::proto::names::Host;
use ring::digest::{SHA256, SHA512, digest};
use serde::{Deserialize, Serialize};
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// A TLSA record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Tlsa {
    /// Certificate usage: 2 is an authority of the domain's choice, 3 the server's own certificate.
    pub usage: u8,
    /// 0 is the certificate, 1 its public key.
    pub selector: u8,
    /// 0 is the thing itself, 1 its SHA-256, 2 its SHA-512.
    pub matching: u8,
    /// What it must be.
    pub data: Vec<u8>,
}

/// What a record says about the certificates that a server shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Match {
    /// The certificate is the one.
    Yes,
    /// None of them is.
    No,
    /// The authority is the one, but the server's certificate does not hold under it.
    Untrusted(String),
}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Yes => f.write_str("matches"),
            Self::No => f.write_str("does not match"),
            Self::Untrusted(why) => write!(f, "matches an authority, but {why}"),
        }
    }
}

impl Tlsa {
    /// Reads a record.
    pub fn of(record: &Record) -> Option<Self> {
        match &record.data {
            Data::Tlsa { usage, selector, matching, data } => {
                Some(Self { usage: *usage, selector: *selector, matching: *matching, data: data.clone() })
            }
            _ => None,
        }
    }

    /// Why a sender passes over the record, if it does (RFC 7672 sections 2.1.1 and 3.1.3).
    pub fn unusable(&self) -> Option<&'static str> {
        let length = match self.matching {
            0 => None,
            1 => Some(32),
            2 => Some(64),
            _ => return Some("unknown matching type"),
        };
        match (self.usage, self.selector) {
            (0 | 1, _) => Some("usage 0 and 1 are not for mail (RFC 7672 section 3.1.3)"),
            (2 | 3, 0 | 1) if length.is_some_and(|length| length != self.data.len()) => {
                Some("its data are not as long as the hash")
            }
            (2 | 3, 0 | 1) if self.data.is_empty() => Some("it has no data"),
            (2 | 3, 0 | 1) => None,
            (2 | 3, _) => Some("unknown selector"),
            _ => Some("unknown certificate usage"),
        }
    }

    /// Holds the record against a chain in DER, the server's own certificate first. `names` are
    /// those of which the certificate must have one under an authority (RFC 7672 section 3.2.2).
    pub fn judge(&self, chain: &[Vec<u8>], names: &[Host]) -> Result<Match, ProbeError> {
        let shown = match (self.usage, chain.split_first()) {
            // RFC 7672 section 3.1.1: neither names nor dates of such a certificate count.
            (3, Some((own, _))) => return Ok(if self.is(own) { Match::Yes } else { Match::No }),
            (2, Some(_)) => chain.iter().find(|der| self.is(der)),
            _ => None,
        };
        // An authority may stand in the record instead of the chain.
        let published = (self.selector == 0 && self.matching == 0).then_some(&self.data);
        let Some(authority) = shown.or(published.filter(|_| self.usage == 2)) else { return Ok(Match::No) };
        let judge = ChainJudge::under(authority, None)?;
        let mut why = None;
        for name in names {
            match judge.for_name(Some(name))?.judge(chain)?.tls.distrust() {
                None => return Ok(Match::Yes),
                Some(words) => _ = why.get_or_insert_with(|| words.to_owned()),
            }
        }
        Ok(if shown.is_none() { Match::No } else { Match::Untrusted(why.unwrap_or_default()) })
    }

    /// Whether this certificate is the one.
    fn is(&self, der: &[u8]) -> bool {
        associated(self.selector, self.matching, der).is_some_and(|data| data == self.data)
    }
}

/// What a record for a certificate holds; `None` for parameters nobody knows, or no certificate.
pub fn associated(selector: u8, matching: u8, der: &[u8]) -> Option<Vec<u8>> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let selected = match selector {
        0 => der,
        1 => certificate.public_key().raw,
        _ => return None,
    };
    match matching {
        0 => Some(selected.to_vec()),
        1 => Some(digest(&SHA256, selected).as_ref().to_vec()),
        2 => Some(digest(&SHA512, selected).as_ref().to_vec()),
        _ => None,
    }
}

/// Hex digits of the data in a sentence.
const SHOWN: usize = 32;

impl fmt::Display for Tlsa {
    /// As in a zone file, long data cut.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.usage, self.selector, self.matching, hex(&self.data, SHOWN))
    }
}

/// Bytes in hex, at most so many digits.
pub fn hex(bytes: &[u8], most: usize) -> String {
    let shown: String = bytes.iter().take(most.div_ceil(2)).map(|byte| format!("{byte:02x}")).collect();
    if shown.len() < bytes.len() * 2 { format!("{shown}...") } else { shown }
}
