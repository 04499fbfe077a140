//! Keys of TLS 1.0 to 1.2: the pseudo-random function and what is made of it (RFC 5246 sections 5, 6.3 and 8.1,
//! RFC 2246 section 5), and records under them (RFC 5246 section 6.2.3, RFC 5288, RFC 7905).

use aes::cipher::{BlockCipherDecrypt as _, BlockCipherEncrypt as _, KeyInit as _};
use aes::{Aes128, Aes256, Block};
use hmac::{Hmac, Mac as _};
use md5::{Digest as _, Md5};
use ring::aead::{
    AES_128_GCM, AES_256_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey,
};
use ring::{digest, hmac as mac};

use crate::version::Version;

/// What the keys are made with, and what the messages of a handshake are hashed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    /// Before TLS 1.2.
    Md5Sha1,
    Sha256,
    Sha384,
}

impl Hash {
    /// `PRF(secret, label, seed)`, so many bytes of it.
    pub(super) fn prf(self, secret: &[u8], label: &str, seed: &[u8], length: usize) -> Vec<u8> {
        let seed = [label.as_bytes(), seed].concat();
        match self {
            Self::Sha256 => expand(|data| sign(mac::HMAC_SHA256, secret, data), &seed, length),
            Self::Sha384 => expand(|data| sign(mac::HMAC_SHA384, secret, data), &seed, length),
            Self::Md5Sha1 => {
                // The halves share the middle byte of an odd number of them (RFC 2246 section 5).
                let half = secret.len().div_ceil(2);
                let first = secret.get(..half).unwrap_or_default();
                let second = secret.get(secret.len() - half..).unwrap_or_default();
                let md5 = expand(|data| sign_md5(first, data), &seed, length);
                let sha1 =
                    expand(|data| sign(mac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, second, data), &seed, length);
                md5.iter().zip(sha1).map(|(one, other)| one ^ other).collect()
            }
        }
    }

    /// Of all messages of a handshake.
    pub(super) fn of(self, messages: &[u8]) -> Vec<u8> {
        let of = |algorithm| digest::digest(algorithm, messages).as_ref().to_vec();
        match self {
            Self::Sha256 => of(&digest::SHA256),
            Self::Sha384 => of(&digest::SHA384),
            Self::Md5Sha1 => [Md5::digest(messages).to_vec(), of(&digest::SHA1_FOR_LEGACY_USE_ONLY)].concat(),
        }
    }
}

/// `P_hash` (RFC 5246 section 5).
fn expand(sign: impl Fn(&[u8]) -> Vec<u8>, seed: &[u8], length: usize) -> Vec<u8> {
    let mut turn = sign(seed);
    let mut out = Vec::with_capacity(length + 48);
    while out.len() < length {
        let part = sign(&[&turn, seed].concat());
        if part.is_empty() {
            break;
        }
        out.extend(part);
        turn = sign(&turn);
    }
    out.truncate(length);
    out
}

fn sign(algorithm: mac::Algorithm, key: &[u8], data: &[u8]) -> Vec<u8> {
    mac::sign(&mac::Key::new(algorithm, key), data).as_ref().to_vec()
}

fn sign_md5(key: &[u8], data: &[u8]) -> Vec<u8> {
    // A key of any length will do.
    Hmac::<Md5>::new_from_slice(key)
        .map(|mac| mac.chain_update(data).finalize().into_bytes().to_vec())
        .unwrap_or_default()
}

/// How records are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cipher {
    Aes128Gcm,
    Aes256Gcm,
    ChaCha20Poly1305,
    /// With a key of so many bytes, under a MAC.
    Cbc(usize, Mac),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mac {
    Sha1,
    Sha256,
}

impl Mac {
    const fn algorithm(self) -> mac::Algorithm {
        match self {
            Self::Sha1 => mac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => mac::HMAC_SHA256,
        }
    }

    const fn bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }
}

/// A cipher in a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spec {
    pub(super) version: Version,
    pub(super) cipher: Cipher,
}

const AES_128_SHA: Cipher = Cipher::Cbc(16, Mac::Sha1);
const AES_256_SHA: Cipher = Cipher::Cbc(32, Mac::Sha1);
const AES_128_SHA256: Cipher = Cipher::Cbc(16, Mac::Sha256);
const AES_256_SHA256: Cipher = Cipher::Cbc(32, Mac::Sha256);

/// Suites whose handshake can be completed here.
const SUITES: [(u16, Cipher); 25] = [
    (0xc02f, Cipher::Aes128Gcm),
    (0xc02b, Cipher::Aes128Gcm),
    (0xc030, Cipher::Aes256Gcm),
    (0xc02c, Cipher::Aes256Gcm),
    (0xcca8, Cipher::ChaCha20Poly1305),
    (0xcca9, Cipher::ChaCha20Poly1305),
    (0x009c, Cipher::Aes128Gcm),
    (0x009d, Cipher::Aes256Gcm),
    (0x009e, Cipher::Aes128Gcm),
    (0x009f, Cipher::Aes256Gcm),
    (0xccaa, Cipher::ChaCha20Poly1305),
    (0xc013, AES_128_SHA),
    (0xc009, AES_128_SHA),
    (0xc014, AES_256_SHA),
    (0xc00a, AES_256_SHA),
    (0x002f, AES_128_SHA),
    (0x0035, AES_256_SHA),
    (0x0033, AES_128_SHA),
    (0x0039, AES_256_SHA),
    (0xc027, AES_128_SHA256),
    (0xc023, AES_128_SHA256),
    (0x003c, AES_128_SHA256),
    (0x003d, AES_256_SHA256),
    (0x0067, AES_128_SHA256),
    (0x006b, AES_256_SHA256),
];

impl Spec {
    /// How a suite protects its records; `None` for what cannot be done here.
    pub(super) fn of(version: Version, suite: u16) -> Option<Self> {
        let (_, cipher) = *SUITES.iter().find(|(code, _)| *code == suite)?;
        let spec = Self { version, cipher };
        match (version, cipher) {
            (Version::Tls12, _) | (Version::Tls10 | Version::Tls11, Cipher::Cbc(_, Mac::Sha1)) => Some(spec),
            _ => None,
        }
    }

    /// The suites of a version.
    pub(super) fn suites(version: Version) -> impl Iterator<Item = u16> {
        SUITES.iter().map(|(code, _)| *code).filter(move |code| Self::of(version, *code).is_some())
    }

    pub(super) fn hash(self) -> Hash {
        match self.cipher {
            _ if self.version < Version::Tls12 => Hash::Md5Sha1,
            Cipher::Aes256Gcm => Hash::Sha384,
            Cipher::Aes128Gcm | Cipher::ChaCha20Poly1305 | Cipher::Cbc(..) => Hash::Sha256,
        }
    }

    /// The keys of both directions, the client's first.
    pub(super) fn keys(self, master: &[u8], randoms: &Randoms) -> Option<(Keys, Keys)> {
        // RFC 5246 section 6.3: for the MAC, for the cipher, and what else there is.
        let (mac, key, other) = match self.cipher {
            Cipher::Aes128Gcm => (0, 16, 4),
            Cipher::Aes256Gcm => (0, 32, 4),
            Cipher::ChaCha20Poly1305 => (0, 32, 12),
            Cipher::Cbc(key, mac) if self.version == Version::Tls10 => (mac.bytes(), key, BLOCK),
            Cipher::Cbc(key, mac) => (mac.bytes(), key, 0),
        };
        let seed = [randoms.server, randoms.client].concat();
        let block = self.hash().prf(master, "key expansion", &seed, 2 * (mac + key + other));
        let mut rest = block.as_slice();
        let mut next = |length| {
            let (part, others) = rest.split_at_checked(length)?;
            rest = others;
            Some(part)
        };
        let ([client_mac, server_mac], [client_key, server_key], [client, server]) =
            ([next(mac)?, next(mac)?], [next(key)?, next(key)?], [next(other)?, next(other)?]);
        let client = Keys::new(self, client_mac, client_key, client)?;
        Some((client, Keys::new(self, server_mac, server_key, server)?))
    }
}

/// What both hellos threw in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Randoms {
    pub(super) client: [u8; 32],
    pub(super) server: [u8; 32],
}

impl Randoms {
    /// The master secret (RFC 5246 section 8.1).
    pub(super) fn master(&self, hash: Hash, premaster: &[u8]) -> Vec<u8> {
        hash.prf(premaster, "master secret", &[self.client, self.server].concat(), 48)
    }
}

/// The keys of one direction.
#[derive(Debug)]
pub(super) struct Keys {
    version: Version,
    sequence: u64,
    protection: Protection,
}

#[derive(Debug)]
enum Protection {
    /// With the fixed part of the nonce; all of it where nothing is sent.
    Aead {
        key: Box<LessSafeKey>,
        fixed: Vec<u8>,
    },
    Cbc(Box<Cbc>),
}

/// Of the explicit part of a nonce (RFC 5288 section 3).
const EXPLICIT: usize = 8;
/// Of a nonce.
const NONCE: usize = 12;
/// Of AES.
const BLOCK: usize = 16;
/// Of all three ciphers with one.
const TAG: usize = 16;

impl Keys {
    fn new(spec: Spec, mac: &[u8], key: &[u8], other: &[u8]) -> Option<Self> {
        let aead = |algorithm: &'static Algorithm| {
            let key = LessSafeKey::new(UnboundKey::new(algorithm, key).ok()?);
            Some(Protection::Aead { key: Box::new(key), fixed: other.to_vec() })
        };
        let protection = match spec.cipher {
            Cipher::Aes128Gcm => aead(&AES_128_GCM)?,
            Cipher::Aes256Gcm => aead(&AES_256_GCM)?,
            Cipher::ChaCha20Poly1305 => aead(&CHACHA20_POLY1305)?,
            Cipher::Cbc(_, kind) => Protection::Cbc(Box::new(Cbc {
                aes: Aes::new(key)?,
                mac: mac::Key::new(kind.algorithm(), mac),
                mac_bytes: kind.bytes(),
                chained: other.first_chunk().copied(),
            })),
        };
        Some(Self { version: spec.version, sequence: 0, protection })
    }

    /// Encrypts the next record's fragment.
    pub(super) fn seal(&mut self, kind: u8, plain: &[u8]) -> Option<Vec<u8>> {
        let (sequence, header) = (self.sequence, self.header(kind, plain.len())?);
        let sealed = match &mut self.protection {
            Protection::Aead { key, fixed } => {
                let mut text = plain.to_vec();
                let nonce = nonce(fixed, sequence.to_be_bytes())?;
                key.seal_in_place_append_tag(nonce, Aad::from(header), &mut text).ok()?;
                let sent = if fixed.len() == NONCE { Vec::new() } else { sequence.to_be_bytes().to_vec() };
                [sent, text].concat()
            }
            Protection::Cbc(cbc) => cbc.seal(&header, plain)?,
        };
        self.sequence += 1;
        Some(sealed)
    }

    /// Decrypts the next record's fragment; `None` for what is not under these keys.
    pub(super) fn open(&mut self, kind: u8, fragment: &[u8]) -> Option<Vec<u8>> {
        let plain = match &self.protection {
            Protection::Aead { key, fixed } => {
                let (explicit, text) = if fixed.len() == NONCE {
                    (self.sequence.to_be_bytes(), fragment)
                } else {
                    let (explicit, text) = fragment.split_first_chunk::<EXPLICIT>()?;
                    (*explicit, text)
                };
                let header = self.header(kind, text.len().checked_sub(TAG)?)?;
                let mut text = text.to_vec();
                key.open_in_place(nonce(fixed, explicit)?, Aad::from(header), &mut text).ok()?.to_vec()
            }
            Protection::Cbc(cbc) => {
                let (plain, tag) = cbc.open(fragment)?;
                let header = self.header(kind, plain.len())?;
                mac::verify(&cbc.mac, &[&header, &plain[..]].concat(), &tag).ok()?;
                plain
            }
        };
        if let Protection::Cbc(cbc) = &mut self.protection {
            cbc.go_on(fragment);
        }
        self.sequence += 1;
        Some(plain)
    }

    /// Number, type, version and length of the record (RFC 5246 section 6.2.3.3), for the MAC.
    fn header(&self, kind: u8, length: usize) -> Option<Vec<u8>> {
        let length = u16::try_from(length).ok()?;
        let mut data = self.sequence.to_be_bytes().to_vec();
        data.push(kind);
        data.extend(self.version.code().to_be_bytes());
        data.extend(length.to_be_bytes());
        Some(data)
    }
}

/// RFC 5288 section 3: fixed part, then the explicit one. RFC 7905 section 2: the number of the record, added to the
/// fixed part.
fn nonce(fixed: &[u8], explicit: [u8; EXPLICIT]) -> Option<Nonce> {
    let nonce: Vec<u8> = if fixed.len() == NONCE {
        let number = [&[0; NONCE - EXPLICIT][..], &explicit].concat();
        fixed.iter().zip(number).map(|(fixed, number)| fixed ^ number).collect()
    } else {
        [fixed, &explicit].concat()
    };
    Nonce::try_assume_unique_for_key(&nonce).ok()
}

/// CBC with the MAC under the encryption (RFC 5246 section 6.2.3.2). An attacker who measures how long it takes learns
/// nothing that he could not read anyway.
#[derive(Debug)]
struct Cbc {
    aes: Aes,
    mac: mac::Key,
    mac_bytes: usize,
    /// The last block of the record before, which TLS 1.0 goes on with; later versions send a vector.
    chained: Option<[u8; BLOCK]>,
}

impl Cbc {
    fn seal(&mut self, header: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
        let mut text = plain.to_vec();
        text.extend(mac::sign(&self.mac, &[header, plain].concat()).as_ref());
        let padding = BLOCK - 1 - text.len() % BLOCK;
        text.extend(vec![u8::try_from(padding).ok()?; padding + 1]);
        let (mut before, mut out) = match self.chained {
            Some(block) => (block, Vec::new()),
            None => {
                let mut vector = [0; BLOCK];
                getrandom::fill(&mut vector).ok()?;
                (vector, vector.to_vec())
            }
        };
        for plain in text.as_chunks::<BLOCK>().0 {
            before = self.aes.encrypt(xor(*plain, before));
            out.extend(before);
        }
        self.chained = self.chained.and(Some(before));
        Some(out)
    }

    /// The text and its MAC, which is still to be checked.
    fn open(&self, fragment: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let (blocks, []) = fragment.as_chunks::<BLOCK>() else { return None };
        let (mut before, blocks) = match self.chained {
            Some(block) => (block, blocks),
            None => {
                let (vector, blocks) = blocks.split_first()?;
                (*vector, blocks)
            }
        };
        let mut text = Vec::with_capacity(fragment.len());
        for block in blocks {
            text.extend(xor(self.aes.decrypt(*block), before));
            before = *block;
        }
        let padding = usize::from(*text.last()?);
        let length = text.len().checked_sub(padding + 1)?;
        if text.iter().skip(length).any(|byte| usize::from(*byte) != padding) {
            return None;
        }
        text.truncate(length);
        let tag = text.split_off(length.checked_sub(self.mac_bytes)?);
        Some((text, tag))
    }

    /// The last block of what was read is where the next record begins (TLS 1.0).
    fn go_on(&mut self, fragment: &[u8]) {
        if let (Some(chained), Some(last)) = (&mut self.chained, fragment.last_chunk()) {
            *chained = *last;
        }
    }
}

fn xor(one: [u8; BLOCK], other: [u8; BLOCK]) -> [u8; BLOCK] {
    let mut out = one;
    for (out, other) in out.iter_mut().zip(other) {
        *out ^= other;
    }
    out
}

#[derive(Debug)]
enum Aes {
    Short(Aes128),
    Long(Aes256),
}

impl Aes {
    fn new(key: &[u8]) -> Option<Self> {
        let short = || Aes128::new_from_slice(key).ok().map(Self::Short);
        short().or_else(|| Aes256::new_from_slice(key).ok().map(Self::Long))
    }

    fn encrypt(&self, block: [u8; BLOCK]) -> [u8; BLOCK] {
        let mut block = Block::from(block);
        match self {
            Self::Short(aes) => aes.encrypt_block(&mut block),
            Self::Long(aes) => aes.encrypt_block(&mut block),
        }
        block.into()
    }

    fn decrypt(&self, block: [u8; BLOCK]) -> [u8; BLOCK] {
        let mut block = Block::from(block);
        match self {
            Self::Short(aes) => aes.decrypt_block(&mut block),
            Self::Long(aes) => aes.decrypt_block(&mut block),
        }
        block.into()
    }
}

#[cfg(test)]
mod tests;
