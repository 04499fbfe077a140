//! The ClientHello (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2, RFC 6101 section 5.6.1.2).

use super::bytes::{codes, put8, put16, put24};
use crate::signatures::SignatureScheme;
use crate::version::Version;

/// What a hello offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientHello<'a> {
    /// The highest version; SSLv3 to TLS 1.3.
    pub(crate) version: Version,
    /// In this order; signalling values as well (RFC 5746, RFC 7507).
    pub(crate) suites: &'a [u16],
    /// Supported groups; for TLS 1.3 only groups of TLS 1.3, since some servers take offence
    /// at others.
    pub(crate) groups: &'a [u16],
    /// The name asked for (RFC 6066 section 3), never an address.
    pub(crate) server_name: Option<&'a str>,
    /// Offers DEFLATE besides no compression (RFC 3749).
    pub(crate) compression: bool,
    /// Groups with a share of the key; none makes a server show suite and group in a
    /// HelloRetryRequest, without any key.
    pub(crate) shares: &'a [KeyShare],
    /// The only signature schemes, instead of all (TLS 1.2).
    pub(crate) signatures: Option<&'a [u16]>,
    /// Length of the whole record to fill up to (RFC 7685); 0 for none.
    pub(crate) padded_to: usize,
}

/// What a client says of itself, whatever it offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Manners<'a> {
    /// That it renegotiates in a secure way (RFC 5746), with the Finished of the handshake before; empty in a
    /// first one, `None` for a client that has never heard of it.
    pub(crate) renegotiation: Option<&'a [u8]>,
    /// Extended master secret (RFC 7627).
    pub(crate) extended_master_secret: bool,
    /// Takes heartbeats (RFC 6520).
    pub(crate) heartbeat: bool,
}

impl Manners<'_> {
    /// Of a client that wants to see what the server knows, and never comes to use it.
    const OF_A_SCAN: Self = Self { renegotiation: Some(&[]), extended_master_secret: true, heartbeat: false };
}

/// A share of a key that is well-formed and useless.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyShare {
    pub(crate) group: u16,
    pub(crate) share: Vec<u8>,
}

impl KeyShare {
    /// Shares for those of the groups that have one without any calculation.
    pub(crate) fn of(groups: &[u16]) -> Vec<Self> {
        // 32 bytes of any kind are a point of x25519 (RFC 7748 section 5).
        let x25519 = Self { group: 29, share: vec![9; 32] };
        let mut share = vec![4];
        share.extend(P256_X);
        share.extend(P256_Y);
        let p256 = Self { group: 23, share };
        [x25519, p256].into_iter().filter(|one| groups.contains(&one.group)).collect()
    }
}

/// The base point of P-256, which is on the curve (SP 800-186 section 3.2.1.3).
const P256_X: [u8; 32] = [
    0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77,
    0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96,
];
const P256_Y: [u8; 32] = [
    0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b,
    0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5,
];

/// For a hello of which only the length counts.
pub(crate) const NO_RANDOM: [u8; 32] = [0; 32];

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
/// Record header and handshake header.
const HEADERS: usize = 5 + 4;
const EXTENSION_HEADER: usize = 4;
/// What a long hello needs, and no more: it is made for each connection.
const USUAL: usize = 1024;

impl ClientHello<'_> {
    /// The record with this hello. The random bytes are also the session id of TLS 1.3, which
    /// middleboxes want to see (RFC 8446 appendix D.4).
    pub(crate) fn record(&self, random: &[u8; 32]) -> Vec<u8> {
        self.record_with(random, Manners::OF_A_SCAN)
    }

    /// The same of a client with other manners.
    pub(crate) fn record_with(&self, random: &[u8; 32], manners: Manners<'_>) -> Vec<u8> {
        // RFC 5246 appendix E.1: the record of a first hello carries the lowest version.
        let outer = self.version.min(Version::Tls10);
        let message = self.message(random, manners);
        let mut record = Vec::with_capacity(HEADERS + message.len());
        record.push(HANDSHAKE);
        record.extend(outer.code().to_be_bytes());
        put16(&mut record, &message);
        record
    }

    /// The handshake message in that record.
    pub(crate) fn message(&self, random: &[u8; 32], manners: Manners<'_>) -> Vec<u8> {
        let mut body = Vec::with_capacity(USUAL);
        // RFC 8446 section 4.1.2: TLS 1.3 calls itself 1.2 here.
        let legacy = self.version.min(Version::Tls12);
        body.extend(legacy.code().to_be_bytes());
        body.extend(random);
        put8(&mut body, if self.version == Version::Tls13 { random } else { &[] });
        put16(&mut body, &codes(self.suites));
        put8(&mut body, if self.compression { &[1, 0] } else { &[0] });
        let mut extensions = self.extensions(manners);
        self.pad(&mut extensions, HEADERS + body.len() + 2);
        // SSLv3 knows none, and old servers close the connection over them.
        if !extensions.is_empty() {
            put16(&mut body, &extensions);
        }
        let mut handshake = Vec::with_capacity(HEADERS + body.len());
        handshake.push(CLIENT_HELLO);
        put24(&mut handshake, &body);
        handshake
    }

    fn extensions(&self, manners: Manners<'_>) -> Vec<u8> {
        let mut out = Vec::with_capacity(USUAL);
        if self.version == Version::Ssl3 {
            return out;
        }
        if let Some(name) = self.server_name {
            let mut entry = vec![0];
            put16(&mut entry, name.as_bytes());
            extension(&mut out, 0, &with16(&entry));
        }
        if self.version < Version::Tls13 {
            // RFC 5746 section 3.4: an empty one asks whether the server knows it.
            if let Some(finished) = manners.renegotiation {
                let mut info = Vec::new();
                put8(&mut info, finished);
                extension(&mut out, 0xff01, &info);
            }
            if manners.extended_master_secret {
                extension(&mut out, 23, &[]);
            }
            // RFC 6520 section 2: the peer may send requests.
            if manners.heartbeat {
                extension(&mut out, 15, &[1]);
            }
            // RFC 8422 section 5.1.2: uncompressed points.
            extension(&mut out, 11, &[1, 0]);
        }
        if !self.groups.is_empty() {
            extension(&mut out, 10, &with16(&codes(self.groups)));
        }
        if self.version >= Version::Tls12 {
            let all: Vec<u16> = SignatureScheme::usual().collect();
            extension(&mut out, 13, &with16(&codes(self.signatures.unwrap_or(&all))));
            if self.signatures.is_some() {
                // RFC 8446 section 4.2.3: those in the certificates are another matter.
                extension(&mut out, 50, &with16(&codes(&all)));
            }
        }
        if self.version == Version::Tls13 {
            let mut versions = Vec::new();
            put8(&mut versions, &codes(&[Version::Tls13.code()]));
            extension(&mut out, 43, &versions);
            let mut shares = Vec::new();
            for one in self.shares {
                shares.extend(one.group.to_be_bytes());
                put16(&mut shares, &one.share);
            }
            extension(&mut out, 51, &with16(&shares));
        }
        out
    }

    /// Fills up with the padding extension, where there is room for its header.
    fn pad(&self, extensions: &mut Vec<u8>, before: usize) {
        let missing = self.padded_to.saturating_sub(before + extensions.len());
        if self.version > Version::Ssl3 && missing >= EXTENSION_HEADER {
            extension(extensions, 21, &vec![0; missing - EXTENSION_HEADER]);
        }
    }
}

fn extension(out: &mut Vec<u8>, number: u16, body: &[u8]) {
    out.extend(number.to_be_bytes());
    put16(out, body);
}

fn with16(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len() + 2);
    put16(&mut out, field);
    out
}

#[cfg(test)]
mod tests {
    use super::super::bytes::Bytes;
    use super::*;

    fn hello(version: Version) -> ClientHello<'static> {
        ClientHello {
            version,
            suites: &[0xc02f, 0x009c],
            groups: &[29, 23],
            server_name: Some("mail.example.org"),
            compression: false,
            shares: &[],
            signatures: None,
            padded_to: 0,
        }
    }

    /// Version, suites, compression methods and extension numbers of a record.
    fn taken_apart(record: &[u8]) -> (u16, Vec<u16>, Vec<u8>, Vec<u16>) {
        let mut bytes = Bytes::new(record);
        assert_eq!(bytes.u8(), Some(HANDSHAKE));
        bytes.u16().unwrap();
        let mut handshake = bytes.vec16().unwrap();
        assert!(bytes.is_empty());
        assert_eq!(handshake.u8(), Some(CLIENT_HELLO));
        let mut body = handshake.vec24().unwrap();
        assert!(handshake.is_empty());
        let version = body.u16().unwrap();
        body.take(32).unwrap();
        body.vec8().unwrap();
        let mut suites = body.vec16().unwrap();
        let suites = std::iter::from_fn(|| suites.u16()).collect();
        let compression = body.vec8().unwrap().rest().to_vec();
        let mut numbers = Vec::new();
        if !body.is_empty() {
            let mut extensions = body.vec16().unwrap();
            while let Some(number) = extensions.u16() {
                extensions.vec16().unwrap();
                numbers.push(number);
            }
        }
        assert!(body.is_empty());
        (version, suites, compression, numbers)
    }

    #[test]
    fn each_version_has_its_form() {
        let random = [7; 32];
        let form = |version| taken_apart(&hello(version).record(&random));
        assert_eq!(form(Version::Ssl3), (0x0300, vec![0xc02f, 0x009c], vec![0], vec![]));
        assert_eq!(form(Version::Tls10).3, [0, 0xff01, 23, 11, 10]);
        assert_eq!(form(Version::Tls12).3, [0, 0xff01, 23, 11, 10, 13]);
        let (version, .., numbers) = form(Version::Tls13);
        assert_eq!((version, numbers), (0x0303, vec![0, 10, 13, 43, 51]));
        let signing = ClientHello { signatures: Some(&[0x0401]), ..hello(Version::Tls12) };
        assert_eq!(taken_apart(&signing.record(&random)).3, [0, 0xff01, 23, 11, 10, 13, 50]);
    }

    #[test]
    fn a_client_has_the_manners_it_is_told() {
        let with = |manners| {
            let record = hello(Version::Tls12).record_with(&[7; 32], manners);
            (taken_apart(&record).3, record)
        };
        let (numbers, record) =
            with(Manners { renegotiation: None, extended_master_secret: false, heartbeat: true });
        assert_eq!(numbers, [0, 15, 11, 10, 13]);
        assert!(record.windows(5).any(|bytes| bytes == [0, 15, 0, 1, 1]));
        let (numbers, record) = with(Manners { renegotiation: Some(&[9; 12]), ..Manners::OF_A_SCAN });
        assert_eq!(numbers, [0, 0xff01, 23, 11, 10, 13]);
        assert!(record.windows(17).any(|bytes| bytes[..5] == [0xff, 1, 0, 13, 12] && bytes[5..] == [9; 12]));
        let message = hello(Version::Tls12).message(&[7; 32], Manners::OF_A_SCAN);
        assert_eq!(hello(Version::Tls12).record(&[7; 32])[5..], message);
    }

    #[test]
    fn compression_and_padding_are_as_asked() {
        let compressing = ClientHello { compression: true, ..hello(Version::Tls12) };
        assert_eq!(taken_apart(&compressing.record(&[7; 32])).2, [1, 0]);
        for length in [300, 512, 1000] {
            let padded = ClientHello { padded_to: length, ..hello(Version::Tls12) }.record(&[7; 32]);
            assert_eq!(padded.len(), length);
            assert_eq!(taken_apart(&padded).3.last(), Some(&21));
        }
        let long_enough = ClientHello { padded_to: 50, ..hello(Version::Tls12) };
        assert_eq!(long_enough.record(&[7; 32]), hello(Version::Tls12).record(&[7; 32]));
    }

    #[test]
    fn sixty_suites_stay_below_255_bytes() {
        let suites: Vec<u16> = (0..60).collect();
        let hello = ClientHello { suites: &suites, ..hello(Version::Tls11) };
        assert!(hello.record(&[7; 32]).len() <= 255, "{}", hello.record(&[7; 32]).len());
    }
}
