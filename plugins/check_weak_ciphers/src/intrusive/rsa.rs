//! RSA by hand: the client's half of the RSA key exchange, also when it is to be wrong (RFC 8017 section 7.2.1).
//! Nothing here is secret: the client makes up what it encrypts and throws it away.

use common::net::tls::RsaKey;

use super::power::{Modulus, stripped};

/// A key to encrypt for.
#[derive(Clone, Debug)]
pub(super) struct PublicKey {
    modulus: Modulus,
    exponent: Vec<u8>,
}

/// Longer keys cost seconds of calculation and are in no certificate.
const MAX_BITS: usize = 16_384;
/// A block has room for the padding and a premaster secret (RFC 8017 section 7.2.1).
const MIN_BITS: usize = 512;
/// All exponents in use have four bytes at most.
const MAX_EXPONENT: usize = 8;

/// Length of a premaster secret (RFC 5246 section 7.4.7.1).
pub(super) const PREMASTER: usize = 48;

/// How the block that is encrypted looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Padding {
    /// As it must be.
    Right,
    /// It does not begin with 0, 2.
    WrongStart,
    /// The zero between padding and secret comes too early, so that the secret is too long.
    EarlyZero,
    /// There is no zero behind the first byte.
    NoZero,
    /// The premaster secret begins with another version than the hello's.
    WrongVersion,
}

impl PublicKey {
    pub(super) fn of(key: &RsaKey) -> Option<Self> {
        let modulus = Modulus::new(&key.modulus)?;
        let exponent = stripped(&key.exponent);
        let is_usable = (MIN_BITS..=MAX_BITS).contains(&modulus.bits())
            && exponent.len() <= MAX_EXPONENT
            && !matches!(exponent, [] | [1]);
        is_usable.then(|| Self { modulus, exponent: exponent.to_vec() })
    }

    /// Encrypts a premaster secret that begins with this version. `random` fills the padding and may have zeros.
    pub(super) fn encrypt(
        &self,
        padding: Padding,
        premaster: &[u8; PREMASTER],
        random: impl FnMut() -> u8,
    ) -> Vec<u8> {
        self.modulus.power(&block(padding, premaster, self.bytes(), random), &self.exponent)
    }

    fn bytes(&self) -> usize {
        self.modulus.bits().div_ceil(8)
    }
}

/// `0 2 padding 0 premaster`, or something close to it. The first byte is below the modulus' in any case.
fn block(
    padding: Padding,
    premaster: &[u8; PREMASTER],
    bytes: usize,
    mut random: impl FnMut() -> u8,
) -> Vec<u8> {
    let mut block = vec![0, 2];
    let rest = bytes.saturating_sub(block.len() + 1 + PREMASTER);
    block.extend((0..rest).map(|_| random() | 1));
    block.push(0);
    block.extend(premaster);
    let version = block.len() - PREMASTER;
    let mut set = |at: usize, value: u8| {
        if let Some(byte) = block.get_mut(at) {
            *byte = value;
        }
    };
    match padding {
        Padding::Right => {}
        // RFC 8017 section 8.2.1: the type of a signature.
        Padding::WrongStart => set(1, 1),
        // The shortest padding that is allowed has eight bytes; with eleven in front nobody takes it for short.
        Padding::EarlyZero => set(11, 0),
        Padding::NoZero => block.iter_mut().skip(2).for_each(|byte| *byte |= 1),
        Padding::WrongVersion => {
            set(version, 2);
            set(version + 1, 2);
        }
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_bigint::BigUint;
    use proptest::prelude::*;

    /// A key of 640 bits and its private exponent.
    const MODULUS: &str = "b9e702638aa395b1448e461dfb7a09e6b75f8aa08f1509568e78e4160e28f1534c6e902f0a736b11788349e7a96cafd993af7a50cbd0d9139c52209972f54c5667c0238d650ab3097cc6fccae76873d9";
    const PRIVATE: &str = "f0c55142bafcc393a3c6e0e9541aeb57f587b873dadcd40b56db1c0db4a932654048b2553aa3e1b5b7e2ec50a6820e36e494bab9dd12bfda397c4c1551a67325be8daa8df217bd8a7170df20b5c9901";

    fn number(hex: &str) -> BigUint {
        BigUint::parse_bytes(hex.as_bytes(), 16).unwrap()
    }

    fn key() -> PublicKey {
        let modulus = number(MODULUS).to_bytes_be();
        PublicKey::of(&RsaKey { modulus, exponent: vec![1, 0, 1] }).unwrap()
    }

    /// What the holder of the key sees.
    fn decrypted(cipher: &[u8]) -> Vec<u8> {
        let block = BigUint::from_bytes_be(cipher).modpow(&number(PRIVATE), &number(MODULUS)).to_bytes_be();
        [vec![0; 80 - block.len()], block].concat()
    }

    const SECRET: [u8; PREMASTER] = [3; PREMASTER];

    #[test]
    fn each_padding_has_its_fault_and_no_other() {
        let block = |padding| decrypted(&key().encrypt(padding, &SECRET, || 0));
        let right = block(Padding::Right);
        assert_eq!(right, [&[0, 2][..], &[1; 29], &[0], &SECRET].concat());
        assert_eq!(block(Padding::WrongStart), [&[0, 1], &right[2..]].concat());
        assert_eq!(block(Padding::EarlyZero), [&right[..11], &[0], &right[12..]].concat());
        assert_eq!(block(Padding::NoZero), [&[0, 2][..], &[1; 30], &SECRET].concat());
        assert_eq!(block(Padding::WrongVersion), [&right[..32], &[2, 2], &right[34..]].concat());
    }

    #[test]
    fn keys_nobody_can_use_are_refused() {
        let of = |modulus: &[u8], exponent: &[u8]| {
            PublicKey::of(&RsaKey { modulus: modulus.to_vec(), exponent: exponent.to_vec() })
        };
        let odd = [0xff; 128];
        assert!(of(&odd, &[3]).is_some());
        assert!(of(&[&odd[..], &[0xfe]].concat(), &[3]).is_none());
        assert!(of(&[0xff; 63], &[3]).is_none());
        assert!(of(&[0xff; 2049], &[3]).is_none());
        for exponent in [&[][..], &[0], &[1], &[1; 9]] {
            assert!(of(&odd, exponent).is_none(), "{exponent:?}");
        }
    }

    proptest! {
        #[test]
        fn the_padding_never_has_a_zero_of_its_own(bytes in proptest::collection::vec(any::<u8>(), 40)) {
            let mut bytes = bytes.into_iter().cycle();
            let block = block(Padding::Right, &SECRET, 80, || bytes.next().unwrap());
            prop_assert_eq!(block.len(), 80);
            prop_assert_eq!(block.iter().skip(1).position(|byte| *byte == 0), Some(80 - 2 - PREMASTER));
        }

        #[test]
        fn any_key_that_is_taken_encrypts(modulus in proptest::collection::vec(any::<u8>(), 0..80), exponent in proptest::collection::vec(any::<u8>(), 0..4)) {
            if let Some(key) = PublicKey::of(&RsaKey { modulus, exponent }) {
                for padding in [Padding::Right, Padding::EarlyZero] {
                    prop_assert_eq!(key.encrypt(padding, &SECRET, || 7).len(), key.bytes());
                }
            }
        }
    }
}
