//! Every cipher suite a server may speak: the IANA registry "TLS Cipher Suites" and what implementations used outside
//! of it, down to the cipher kinds of SSL 2.0.
//!
//! The tables are made by `build.rs` from the files in `data/`. Signalling values (RFC 5746, RFC 7507) and GREASE
//! (RFC 8701) are no suites and not in them.

pub(crate) mod kinds;

use std::ops::RangeInclusive;

pub(crate) use kinds::{Auth, Cipher, Export, KeyExchange, Mac, Mode};

use crate::glob;
use crate::version::Version;

include!(concat!(env!("OUT_DIR"), "/suites.rs"));

/// TLS_FALLBACK_SCSV: the client tries again with an older version (RFC 7507 section 2).
pub(crate) const FALLBACK_SCSV: u16 = 0x5600;

/// A cipher suite of SSL 3.0 to TLS 1.3.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Suite {
    /// The two bytes on the wire.
    pub(crate) code: u16,
    /// As in the registry: `TLS_RSA_WITH_AES_128_CBC_SHA`. A name that the registry gave to another code later ends
    /// in `_DRAFT`.
    pub(crate) name: &'static str,
    /// As in `openssl ciphers`: `AES128-SHA`. None where OpenSSL never knew it.
    pub(crate) openssl_name: Option<&'static str>,
    pub(crate) kx: KeyExchange,
    pub(crate) auth: Auth,
    pub(crate) cipher: Cipher,
    pub(crate) mode: Mode,
    /// Effective strength of the cipher in bits: 112 for 3DES, 40 and 56 for export, 0 without encryption.
    pub(crate) bits: u16,
    pub(crate) mac: Mac,
    pub(crate) export: Option<Export>,
}

impl Suite {
    /// The suite with this code.
    pub(crate) fn by_code(code: u16) -> Option<&'static Self> {
        SUITES.binary_search_by_key(&code, |suite| suite.code).ok().and_then(|at| SUITES.get(at))
    }

    /// The suites whose IANA or OpenSSL name fits a pattern with `*` and `?`, by code.
    pub(crate) fn by_glob(pattern: &str) -> impl Iterator<Item = &'static Self> {
        SUITES.iter().filter(move |suite| suite.fits(pattern))
    }

    /// Whether its IANA or OpenSSL name fits a pattern with `*` and `?`.
    pub(crate) fn fits(&self, pattern: &str) -> bool {
        glob::fits_in_any_case(pattern, self.name)
            || self.openssl_name.is_some_and(|name| glob::fits_in_any_case(pattern, name))
    }

    /// Of TLS 1.3, and of no other version.
    pub(crate) fn is_tls13(&self) -> bool {
        self.kx == KeyExchange::Tls13
    }

    /// Whether it may be offered in a version at all. Below TLS 1.3 the table is one: servers pick suites in versions
    /// older than the suites are, and that is worth finding.
    pub(crate) fn is_of(&self, version: Version) -> bool {
        version > Version::Ssl2 && self.is_tls13() == (version == Version::Tls13)
    }

    /// Made for export, 40 or 56 bit.
    pub(crate) fn is_export(&self) -> bool {
        self.export.is_some()
    }

    /// The server does not prove who it is.
    pub(crate) fn is_anonymous(&self) -> bool {
        matches!(self.auth, Auth::Anonymous | Auth::Null)
    }

    /// Encrypts nothing.
    pub(crate) fn is_null(&self) -> bool {
        self.cipher == Cipher::Null
    }

    /// Encryption and protection from changes are one (RFC 5116).
    pub(crate) fn is_aead(&self) -> bool {
        self.mac == Mac::Aead
    }

    /// Whoever gets the server's key later cannot read what was said before. An anonymous exchange counts: its keys are
    /// fresh, its fault is another one.
    pub(crate) fn has_forward_secrecy(&self) -> bool {
        match self.kx {
            KeyExchange::Dhe
            | KeyExchange::Ecdhe
            | KeyExchange::DhePsk
            | KeyExchange::EcdhePsk
            | KeyExchange::Srp
            | KeyExchange::EccPwd
            | KeyExchange::EcJpake
            | KeyExchange::Cecpq1
            | KeyExchange::Tls13 => true,
            KeyExchange::Null
            | KeyExchange::Rsa
            | KeyExchange::Dh
            | KeyExchange::Ecdh
            | KeyExchange::Ecmqv
            | KeyExchange::Krb5
            | KeyExchange::Psk
            | KeyExchange::RsaPsk
            | KeyExchange::Kea
            | KeyExchange::Gost => false,
        }
    }

    /// Diffie-Hellman with the key of the certificate, over a prime field or a curve.
    pub(crate) fn is_static_dh(&self) -> bool {
        matches!(self.kx, KeyExchange::Dh | KeyExchange::Ecdh)
    }

    /// The server sends the parameters of a prime field group, whose size is worth a look.
    pub(crate) fn is_ffdhe(&self) -> bool {
        matches!(self.kx, KeyExchange::Dhe | KeyExchange::DhePsk)
    }

    /// The server sends a certificate below TLS 1.3.
    pub(crate) fn has_certificate(&self) -> bool {
        matches!(self.auth, Auth::Rsa | Auth::Dss | Auth::Ecdsa | Auth::Ecnra | Auth::Kea | Auth::Gost)
    }

    /// The server signs its part of the key exchange (RFC 5246 section 7.4.3).
    pub(crate) fn is_signed(&self) -> bool {
        matches!(self.kx, KeyExchange::Dhe | KeyExchange::Ecdhe) && !self.is_anonymous()
    }

    /// The server picks one of the client's groups, mostly a curve.
    pub(crate) fn is_ecdhe(&self) -> bool {
        matches!(self.kx, KeyExchange::Ecdhe | KeyExchange::EcdhePsk)
    }
}

/// As OpenSSL calls it, where it does.
pub(crate) fn suite_name(code: u16) -> String {
    match Suite::by_code(code) {
        Some(suite) => suite.openssl_name.unwrap_or(suite.name).to_owned(),
        None => format!("0x{code:04x}"),
    }
}

impl Cipher {
    /// Size of a block in bits; None for stream ciphers, sponges and without encryption.
    pub(crate) fn block_bits(self) -> Option<u16> {
        match self {
            Self::Rc2
            | Self::Des
            | Self::TripleDes
            | Self::Idea
            | Self::Skipjack
            | Self::Gost28147
            | Self::Magma => Some(64),
            Self::Seed | Self::Aes | Self::Camellia | Self::Aria | Self::Sm4 | Self::Kuznyechik => Some(128),
            Self::Null | Self::Rc4 | Self::ChaCha20 | Self::Salsa20 | Self::Aegis | Self::Ascon => None,
        }
    }
}

impl KeyExchange {
    /// For tables of suites: `ECDHE`, `DHE-PSK`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Null => "none",
            Self::Rsa => "RSA",
            Self::Dh => "DH",
            Self::Dhe => "DHE",
            Self::Ecdh => "ECDH",
            Self::Ecdhe => "ECDHE",
            Self::Ecmqv => "ECMQV",
            Self::Krb5 => "KRB5",
            Self::Psk => "PSK",
            Self::DhePsk => "DHE-PSK",
            Self::EcdhePsk => "ECDHE-PSK",
            Self::RsaPsk => "RSA-PSK",
            Self::Srp => "SRP",
            Self::EccPwd => "ECCPWD",
            Self::EcJpake => "ECJPAKE",
            Self::Kea => "KEA",
            Self::Gost => "GOST",
            Self::Cecpq1 => "CECPQ1",
            Self::Tls13 => "any",
        }
    }
}

/// A cipher kind of SSL 2.0; the key always travels by RSA.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sslv2Kind {
    /// The three bytes on the wire.
    pub(crate) code: [u8; 3],
    /// `SSL_CK_RC4_128_WITH_MD5`
    pub(crate) name: &'static str,
    /// `RC4-MD5`
    pub(crate) openssl_name: &'static str,
    pub(crate) cipher: Cipher,
    pub(crate) mode: Mode,
    /// Effective strength in bits.
    pub(crate) bits: u16,
    pub(crate) mac: Mac,
    pub(crate) export: Option<Export>,
}

impl Sslv2Kind {
    /// The kind with this code.
    pub(crate) fn by_code(code: [u8; 3]) -> Option<&'static Self> {
        SSLV2_KINDS.iter().find(|kind| kind.code == code)
    }
}

#[cfg(test)]
mod tests;
