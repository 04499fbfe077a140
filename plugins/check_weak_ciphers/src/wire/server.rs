//! What a server says back: ServerHello and HelloRetryRequest, certificates, key exchange.

use super::bytes::Bytes;
use crate::suites::KeyExchange;

/// Handshake message types (RFC 8446 section 4, RFC 5246 section 7.4).
pub(crate) const SERVER_HELLO: u8 = 2;
pub(crate) const CERTIFICATE: u8 = 11;
pub(crate) const SERVER_KEY_EXCHANGE: u8 = 12;
pub(crate) const SERVER_HELLO_DONE: u8 = 14;

/// The random of a HelloRetryRequest: SHA-256 of its name (RFC 8446 section 4.1.3).
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
    0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// A ServerHello, or a HelloRetryRequest, which has its form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerHello {
    /// The version chosen, as the wire has it: a server may choose what nobody knows.
    pub(crate) version: u16,
    pub(crate) random: [u8; 32],
    pub(crate) suite: u16,
    /// Compression method; 0 is none, 1 DEFLATE.
    pub(crate) compression: u8,
    pub(crate) is_retry: bool,
    /// The group of its key share, or the one it asks for (TLS 1.3).
    pub(crate) group: Option<u16>,
    /// Secure renegotiation (RFC 5746).
    pub(crate) renegotiation_info: bool,
    /// Extended master secret (RFC 7627).
    pub(crate) extended_master_secret: bool,
    /// Encrypt-then-MAC (RFC 7366).
    pub(crate) encrypt_then_mac: bool,
    /// Heartbeats (RFC 6520).
    pub(crate) heartbeat: bool,
}

impl ServerHello {
    /// Reads the body of the message; `None` when it is not one.
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        let mut bytes = Bytes::new(body);
        let legacy = bytes.u16()?;
        let random = *bytes.take(32)?.first_chunk()?;
        bytes.vec8()?;
        let suite = bytes.u16()?;
        let compression = bytes.u8()?;
        let mut hello = Self {
            version: legacy,
            random,
            suite,
            compression,
            is_retry: random == RETRY,
            group: None,
            renegotiation_info: false,
            extended_master_secret: false,
            encrypt_then_mac: false,
            heartbeat: false,
        };
        // SSLv3 and old servers end here.
        if bytes.is_empty() {
            return Some(hello);
        }
        let mut extensions = bytes.vec16()?;
        if !bytes.is_empty() {
            return None;
        }
        while !extensions.is_empty() {
            let number = extensions.u16()?;
            hello.note(number, extensions.vec16()?)?;
        }
        Some(hello)
    }

    fn note(&mut self, number: u16, mut body: Bytes<'_>) -> Option<()> {
        match number {
            43 => self.version = body.u16()?,
            51 => self.group = Some(body.u16()?),
            0xff01 => self.renegotiation_info = true,
            23 => self.extended_master_secret = true,
            22 => self.encrypt_then_mac = true,
            15 => self.heartbeat = true,
            _ => {}
        }
        Some(())
    }
}

/// The certificates of a Certificate message up to TLS 1.2, leaf first (RFC 5246 section
/// 7.4.2), as DER; `None` when it is not one.
pub(crate) fn certificates(body: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut bytes = Bytes::new(body);
    let mut list = bytes.vec24()?;
    let mut chain = Vec::new();
    while !list.is_empty() {
        chain.push(list.vec24()?.rest().to_vec());
    }
    bytes.is_empty().then_some(chain)
}

/// What a ServerKeyExchange shows, by the kind of key exchange of the suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Parameters {
    /// Bits of the prime (RFC 5246 section 7.4.3).
    Dhe { bits: u32 },
    /// The group by its number (RFC 8422 section 5.4).
    Ecdhe { group: u16 },
}

impl Parameters {
    /// Reads the body of the message; `None` when it is none, or shows neither a prime nor a curve.
    pub(crate) fn read(kx: KeyExchange, body: &[u8]) -> Option<Self> {
        Self::take(kx, &mut Bytes::new(body))
    }

    /// The scheme that a server with a certificate signs them with in TLS 1.2 (RFC 5246 section 4.7).
    pub(crate) fn signature_scheme(kx: KeyExchange, body: &[u8]) -> Option<u16> {
        let mut bytes = Bytes::new(body);
        Self::take(kx, &mut bytes)?;
        let scheme = bytes.u16()?;
        bytes.vec16()?;
        Some(scheme)
    }

    fn take(kx: KeyExchange, bytes: &mut Bytes<'_>) -> Option<Self> {
        if matches!(kx, KeyExchange::DhePsk | KeyExchange::EcdhePsk) {
            // A hint for the client (RFC 4279 section 3, RFC 5489 section 2).
            bytes.vec16()?;
        }
        match kx {
            KeyExchange::Dhe | KeyExchange::DhePsk => Self::dhe(bytes),
            KeyExchange::Ecdhe | KeyExchange::EcdhePsk => Self::ecdhe(bytes),
            _ => None,
        }
    }

    /// p, g, Ys
    fn dhe(bytes: &mut Bytes<'_>) -> Option<Self> {
        let prime = stripped(bytes.vec16()?.rest());
        bytes.vec16()?;
        bytes.vec16()?;
        Some(Self::Dhe { bits: bits(prime) })
    }

    /// A curve without a name is told by the number that clients ask for such curves with (RFC 4492
    /// section 5.1.1).
    fn ecdhe(bytes: &mut Bytes<'_>) -> Option<Self> {
        let group = match bytes.u8()? {
            EXPLICIT_PRIME => ARBITRARY_PRIME,
            EXPLICIT_CHAR2 => ARBITRARY_CHAR2,
            NAMED_CURVE => {
                let group = bytes.u16()?;
                bytes.vec8()?;
                group
            }
            _ => return None,
        };
        Some(Self::Ecdhe { group })
    }
}

/// The server's half of a key exchange, from the body of a ServerKeyExchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Share<'a> {
    Dhe { prime: &'a [u8], generator: &'a [u8], public: &'a [u8] },
    Ecdhe { group: u16, public: &'a [u8] },
}

impl<'a> Share<'a> {
    /// Reads it; `None` when it is none of a suite with a certificate, or of a curve without a name.
    pub(crate) fn read(kx: KeyExchange, body: &'a [u8]) -> Option<Self> {
        let mut bytes = Bytes::new(body);
        match kx {
            KeyExchange::Dhe => Some(Self::Dhe {
                prime: stripped(bytes.vec16()?.rest()),
                generator: bytes.vec16()?.rest(),
                public: bytes.vec16()?.rest(),
            }),
            KeyExchange::Ecdhe if bytes.u8()? == NAMED_CURVE => {
                Some(Self::Ecdhe { group: bytes.u16()?, public: bytes.vec8()?.rest() })
            }
            _ => None,
        }
    }
}

/// Types of curve (RFC 4492 section 5.4).
const EXPLICIT_PRIME: u8 = 1;
const EXPLICIT_CHAR2: u8 = 2;
const NAMED_CURVE: u8 = 3;
const ARBITRARY_PRIME: u16 = 0xff01;
const ARBITRARY_CHAR2: u16 = 0xff02;

/// A number without leading zero bytes.
fn stripped(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// Length of a stripped number in bits.
fn bits(number: &[u8]) -> u32 {
    let whole = u32::try_from(number.len()).unwrap_or(u32::MAX / 8).saturating_mul(8);
    whole - number.first().map_or(0, |first| first.leading_zeros())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hello(version: u16, random: [u8; 32], suite: u16, extensions: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = version.to_be_bytes().to_vec();
        body.extend(random);
        body.push(0);
        body.extend(suite.to_be_bytes());
        body.push(0);
        let mut block = Vec::new();
        for (number, data) in extensions {
            block.extend(number.to_be_bytes());
            block.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
            block.extend(*data);
        }
        if !extensions.is_empty() {
            body.extend(u16::try_from(block.len()).unwrap().to_be_bytes());
            body.extend(block);
        }
        body
    }

    #[test]
    fn a_hello_shows_version_and_suite() {
        let old = ServerHello::read(&hello(0x0300, [1; 32], 0x0005, &[])).unwrap();
        assert_eq!((old.version, old.suite, old.is_retry), (0x0300, 0x0005, false));
        let tls12 = ServerHello::read(&hello(0x0303, [1; 32], 0xc02f, &[(0xff01, &[0]), (23, &[])])).unwrap();
        assert!(tls12.renegotiation_info && tls12.extended_master_secret && !tls12.encrypt_then_mac);
    }

    #[test]
    fn a_retry_request_shows_suite_and_group() {
        let retry = hello(0x0303, RETRY, 0x1301, &[(43, &[3, 4]), (51, &[0x11, 0xec])]);
        let retry = ServerHello::read(&retry).unwrap();
        assert_eq!(retry.version, 0x0304);
        assert_eq!((retry.suite, retry.group, retry.is_retry), (0x1301, Some(0x11ec), true));
    }

    #[test]
    fn sizes_are_those_of_the_number() {
        let field = |bytes: &[u8]| {
            let mut out = u16::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
            out.extend(bytes);
            out
        };
        let mut prime = vec![0, 0, 0x7f];
        prime.extend([0xff; 127]);
        let body = [field(&prime), field(&[2]), field(&[9; 128])].concat();
        let dhe = |body: &[u8]| Parameters::read(KeyExchange::Dhe, body);
        assert_eq!(dhe(&body), Some(Parameters::Dhe { bits: 1023 }));
        assert_eq!(dhe(&[0, 0, 0, 0, 0, 0]), Some(Parameters::Dhe { bits: 0 }));
        assert_eq!(dhe(&body[..20]), None);
        let hinted = [field(b"hint"), body].concat();
        assert_eq!(Parameters::read(KeyExchange::DhePsk, &hinted), Some(Parameters::Dhe { bits: 1023 }));
        assert_eq!(Parameters::read(KeyExchange::Rsa, &hinted), None);
    }

    #[test]
    fn curves_have_a_number_with_and_without_a_name() {
        let ecdhe = |body: &[u8]| match Parameters::read(KeyExchange::Ecdhe, body) {
            Some(Parameters::Ecdhe { group }) => Some(group),
            _ => None,
        };
        assert_eq!(ecdhe(&[3, 0, 29, 1, 9]), Some(29));
        let signed = [3, 0, 29, 1, 9, 8, 4, 0, 2, 7, 7];
        assert_eq!(Parameters::signature_scheme(KeyExchange::Ecdhe, &signed), Some(0x0804));
        assert_eq!(Parameters::signature_scheme(KeyExchange::Ecdhe, &signed[..9]), None);
        assert_eq!(ecdhe(&[1, 1, 23]), Some(0xff01));
        assert_eq!(ecdhe(&[2, 1, 23]), Some(0xff02));
        for bad in [&[][..], &[3], &[3, 0, 29], &[3, 0, 29, 2, 9], &[4, 0, 29, 1, 9]] {
            assert_eq!(ecdhe(bad), None, "{bad:?}");
        }
        assert_eq!(
            Parameters::read(KeyExchange::EcdhePsk, &[0, 1, 7, 3, 0, 29, 1, 9]),
            Some(Parameters::Ecdhe { group: 29 })
        );
    }

    #[test]
    fn chains_are_whole_or_nothing() {
        assert_eq!(
            certificates(&[0, 0, 10, 0, 0, 2, 1, 2, 0, 0, 2, 3, 4]),
            Some(vec![vec![1, 2], vec![3, 4]])
        );
        assert_eq!(certificates(&[0, 0, 0]), Some(vec![]));
        for bad in [&[][..], &[0, 0, 4, 0, 0, 9, 1], &[0, 0, 0, 1]] {
            assert_eq!(certificates(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_much(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = ServerHello::read(&bytes);
            let _ = certificates(&bytes);
            for kx in [KeyExchange::Dhe, KeyExchange::DhePsk, KeyExchange::Ecdhe, KeyExchange::EcdhePsk] {
                let _ = (Parameters::read(kx, &bytes), Parameters::signature_scheme(kx, &bytes));
            }
        }
    }
}
