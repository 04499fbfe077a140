//! Messages of a server, as bytes: records, alerts, ServerHello, Certificate,
//! ServerKeyExchange (RFC 5246 section 7.4, RFC 4492 section 5.4, RFC 8446 section 4.1.3) and SSLv2's
//! SERVER-HELLO. Keys and signatures have the right shape and no meaning.

use super::suites::{Auth, Exchange, Version, share_length};

pub(crate) const ALERT: u8 = 21;
pub(crate) const HANDSHAKE: u8 = 22;

pub(crate) const SERVER_HELLO: u8 = 2;
pub(super) const CERTIFICATE: u8 = 11;
pub(super) const SERVER_KEY_EXCHANGE: u8 = 12;
pub(super) const CERTIFICATE_REQUEST: u8 = 13;
pub(crate) const SERVER_HELLO_DONE: u8 = 14;

/// The longest fragment of a record.
const LONGEST_FRAGMENT: usize = 1 << 14;

/// The random of a ServerHello that is a HelloRetryRequest.
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
    0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// Type and body of a handshake message.
pub(crate) type Message = (u8, Vec<u8>);

/// How handshake messages are put into records; every way is legal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// A record for each message, as OpenSSL does.
    #[default]
    PerMessage,
    /// One record, or as few as their limit allows, for all, as Java and GnuTLS do.
    Together,
    /// Records of at most so many bytes, whatever messages they cut.
    Pieces(usize),
}

/// A record, or several when the fragment is too long for one.
pub(crate) fn record(kind: u8, version: u16, fragment: &[u8]) -> Vec<u8> {
    pieces(kind, version, fragment, LONGEST_FRAGMENT)
}

/// Handshake messages in records.
pub(super) fn framed(version: u16, messages: &[Message], framing: Framing) -> Vec<u8> {
    let bytes = messages.iter().map(handshake);
    match framing {
        Framing::PerMessage => bytes.flat_map(|bytes| record(HANDSHAKE, version, &bytes)).collect(),
        Framing::Together => record(HANDSHAKE, version, &bytes.collect::<Vec<_>>().concat()),
        Framing::Pieces(length) => {
            pieces(HANDSHAKE, version, &bytes.collect::<Vec<_>>().concat(), length.clamp(1, LONGEST_FRAGMENT))
        }
    }
}

/// A handshake message with its header.
pub(crate) fn handshake((kind, body): &Message) -> Vec<u8> {
    let mut bytes = vec![*kind];
    bytes.extend(vector(3, body));
    bytes
}

/// A fatal alert, or a warning.
pub(super) fn alert(version: u16, fatal: bool, number: u8) -> Vec<u8> {
    record(ALERT, version, &[if fatal { 2 } else { 1 }, number])
}

/// What a ServerHello says.
#[derive(Clone, Debug)]
pub(super) struct ServerHello {
    /// Version number; 0x0304 goes to supported_versions.
    pub(super) version: u16,
    pub(super) suite: u16,
    pub(super) compression: u8,
    /// TLS 1.3: the group, and whether it is asked for (HelloRetryRequest) or used.
    pub(super) share: Option<(u16, Share)>,
    /// Extensions of TLS 1.2 and before.
    pub(super) extensions: Vec<(u16, Vec<u8>)>,
    pub(super) session_id: Vec<u8>,
}

/// Whether a ServerHello of TLS 1.3 asks for a key share or brings one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    Wanted,
    Given,
}

impl ServerHello {
    pub(super) fn message(&self) -> Message {
        let retry = matches!(self.share, Some((_, Share::Wanted)));
        let mut body = self.version.min(Version::Tls12.code()).to_be_bytes().to_vec();
        body.extend(if retry { RETRY } else { filler(32).try_into().expect("32 bytes") });
        body.extend(vector(1, &self.session_id));
        body.extend(self.suite.to_be_bytes());
        body.push(self.compression);
        let mut extensions = self.extensions.clone();
        if self.version > Version::Tls12.code() {
            extensions.push((43, self.version.to_be_bytes().to_vec()));
        }
        if let Some((group, share)) = self.share {
            let mut contents = group.to_be_bytes().to_vec();
            if share == Share::Given {
                contents.extend(vector(2, &filler(share_length(group))));
            }
            extensions.push((51, contents));
        }
        // A server that has nothing to add leaves the list out, which SSLv3 does not know at all.
        if !extensions.is_empty() {
            let list = extensions
                .iter()
                .map(|(id, contents)| [&id.to_be_bytes()[..], &vector(2, contents)].concat());
            body.extend(vector(2, &list.collect::<Vec<_>>().concat()));
        }
        (SERVER_HELLO, body)
    }
}

pub(super) fn certificate(chain: &[Vec<u8>]) -> Message {
    let list: Vec<u8> = chain.iter().flat_map(|certificate| vector(3, certificate)).collect();
    (CERTIFICATE, vector(3, &list))
}

/// Parameters of the key exchange and a signature under them; `None` when the suite has no such message.
pub(super) fn server_key_exchange(
    (exchange, auth): (Exchange, Option<Auth>),
    version: u16,
    group: u16,
    prime: &[u8],
) -> Option<Message> {
    let mut body = match exchange {
        Exchange::None | Exchange::Tls13 => return None,
        Exchange::RsaExport(bits) => [vector(2, &odd_number(bits)), vector(2, &[1, 0, 1])].concat(),
        Exchange::Dhe(bits) => {
            let prime = bits.map_or_else(|| prime.to_vec(), odd_number);
            let public = filler(prime.len().saturating_sub(1).max(1));
            [vector(2, &prime), vector(2, &[2]), vector(2, &public)].concat()
        }
        Exchange::Ecdhe => {
            let mut point = filler(share_length(group));
            // Curves of Weierstrass form: an uncompressed point.
            if point.len() % 2 == 1 {
                point[0] = 4;
            }
            [&[3][..], &group.to_be_bytes(), &vector(1, &point)].concat()
        }
    };
    if let Some(auth) = auth {
        let (algorithm, length) = match auth {
            Auth::Rsa => ([4, 1], 256),
            Auth::Dsa => ([4, 2], 46),
            Auth::Ecdsa => ([4, 3], 70),
        };
        if version >= Version::Tls12.code() {
            body.extend(algorithm);
        }
        body.extend(vector(2, &filler(length)));
    }
    Some((SERVER_KEY_EXCHANGE, body))
}

/// Asks for any client certificate.
pub(super) fn certificate_request(version: u16) -> Message {
    let mut body = vector(1, &[1, 64]);
    if version >= Version::Tls12.code() {
        body.extend(vector(2, &[4, 1, 4, 3]));
    }
    body.extend([0, 0]);
    (CERTIFICATE_REQUEST, body)
}

/// SERVER-HELLO of SSLv2 with its cipher kinds.
pub(super) fn ssl2_server_hello(certificate: &[u8], kinds: &[u32]) -> Vec<u8> {
    let kinds: Vec<u8> = kinds.iter().flat_map(|kind| kind.to_be_bytes().into_iter().skip(1)).collect();
    let mut body = vec![4, 0, 1, 0, 2];
    for length in [certificate.len(), kinds.len(), 16] {
        body.extend(length_field(2, length));
    }
    body.extend([certificate, &kinds, &filler(16)].concat());
    ssl2_record(&body)
}

/// ERROR of SSLv2; 1 is NO-CIPHER-ERROR.
pub(super) fn ssl2_error(number: u16) -> Vec<u8> {
    let [high, low] = number.to_be_bytes();
    ssl2_record(&[0, high, low])
}

/// A number of so many bits with the highest and the lowest bit set. Nobody computes with it,
/// so it need not be prime.
pub(super) fn odd_number(bits: usize) -> Vec<u8> {
    let mut bytes = filler(bits.div_ceil(8).max(1));
    let top = (bits.max(1) - 1) % 8;
    bytes[0] = 1 << top | (bytes[0] & ((1 << top) - 1));
    let last = bytes.len() - 1;
    bytes[last] |= 1;
    bytes
}

/// A vector behind its length of so many bytes.
pub(crate) fn vector(width: usize, bytes: &[u8]) -> Vec<u8> {
    [length_field(width, bytes.len()), bytes.to_vec()].concat()
}

/// Bytes that look random and are the same each time, none of them zero.
pub(super) fn filler(length: usize) -> Vec<u8> {
    let mut state: u32 = 0x9e37_79b9;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0] | 1
    };
    std::iter::repeat_with(next).take(length).collect()
}

fn pieces(kind: u8, version: u16, fragment: &[u8], length: usize) -> Vec<u8> {
    let header = |piece: &[u8]| [&[kind][..], &version.to_be_bytes(), &vector(2, piece)].concat();
    fragment.chunks(length).flat_map(header).collect()
}

fn ssl2_record(body: &[u8]) -> Vec<u8> {
    let mut bytes = vector(2, body);
    bytes[0] |= 0x80;
    bytes
}

fn length_field(width: usize, length: usize) -> Vec<u8> {
    let bytes = length.to_be_bytes();
    bytes[bytes.len() - width..].to_vec()
}
