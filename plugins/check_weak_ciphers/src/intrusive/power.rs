//! Powers modulo an odd number, for RSA and for Diffie-Hellman in a prime field, by Montgomery's method (Handbook of
//! Applied Cryptography, 14.36 and 14.94). How long it takes tells all about the numbers: nothing here is secret.

/// An odd number above 1, lowest digit first. All numbers have as many digits, the two highest of them zero: room for sums.
#[derive(Clone, Debug)]
pub(super) struct Modulus {
    digits: Vec<u32>,
    /// What a digit is to be multiplied with so that the modulus, taken as often, makes it zero.
    factor: u32,
}

const SPARE: usize = 2;

impl Modulus {
    /// Big-endian, without zeros in front or with them.
    pub(super) fn new(number: &[u8]) -> Option<Self> {
        let number = stripped(number);
        number.last().filter(|last| *last & 1 == 1 && number != [1])?;
        let mut digits: Vec<u32> = number.rchunks(4).map(digit).collect();
        let first = *digits.first()?;
        digits.extend([0; SPARE]);
        // Each turn doubles the bits that are right, of which there are three to begin with.
        let inverse =
            (0..4).fold(first, |guess, _| guess.wrapping_mul(2_u32.wrapping_sub(first.wrapping_mul(guess))));
        Some(Self { digits, factor: inverse.wrapping_neg() })
    }

    /// Bits of the modulus.
    pub(super) fn bits(&self) -> usize {
        let used = self.digits.iter().rposition(|digit| *digit != 0);
        let highest = used.and_then(|at| self.digits.get(at)).map_or(0, |digit| digit.leading_zeros());
        used.map_or(0, |at| (at + 1) * 32 - usize::try_from(highest).unwrap_or(0))
    }

    /// The power of a number, big-endian, as many bytes as the modulus has.
    pub(super) fn power(&self, base: &[u8], exponent: &[u8]) -> Vec<u8> {
        let base = self.shifted(base);
        let mut power = self.shifted(&[1]);
        for bit in bits(stripped(exponent)) {
            power = self.product(&power, &power);
            if bit {
                power = self.product(&power, &base);
            }
        }
        let mut one = vec![0; self.digits.len()];
        if let Some(lowest) = one.first_mut() {
            *lowest = 1;
        }
        let bytes: Vec<u8> =
            self.product(&power, &one).iter().rev().flat_map(|digit| digit.to_be_bytes()).collect();
        let length = self.bits().div_ceil(8);
        bytes.get(bytes.len().saturating_sub(length)..).unwrap_or_default().to_vec()
    }

    /// What is left of a number with as many zero digits behind it as the modulus has: the form that products keep.
    fn shifted(&self, number: &[u8]) -> Vec<u32> {
        let zeros = vec![0; (self.digits.len() - SPARE) * 4];
        let mut rest = vec![0; self.digits.len()];
        for bit in bits(number).chain(bits(&zeros)) {
            let mut carry = u32::from(bit);
            for digit in &mut rest {
                let high = *digit >> 31;
                *digit = *digit << 1 | carry;
                carry = high;
            }
            self.reduce(&mut rest);
        }
        rest
    }

    /// The product of two shifted numbers, shifted.
    fn product(&self, one: &[u32], other: &[u32]) -> Vec<u32> {
        let mut sum = vec![0; self.digits.len()];
        for digit in one.iter().take(self.digits.len() - SPARE) {
            add(&mut sum, other, *digit);
            let lowest = sum.first().copied().unwrap_or_default();
            add(&mut sum, &self.digits, lowest.wrapping_mul(self.factor));
            // The lowest digit is zero by now.
            sum.rotate_left(1);
        }
        self.reduce(&mut sum);
        sum
    }

    /// Of a number below twice the modulus.
    fn reduce(&self, number: &mut [u32]) {
        if number.iter().rev().lt(self.digits.iter().rev()) {
            return;
        }
        let mut borrow = false;
        for (digit, less) in number.iter_mut().zip(&self.digits) {
            let (one, before) = digit.overflowing_sub(*less);
            let (two, behind) = one.overflowing_sub(u32::from(borrow));
            *digit = two;
            borrow = before || behind;
        }
    }
}

/// Adds a number so many times.
fn add(sum: &mut [u32], number: &[u32], times: u32) {
    let mut carry = 0;
    for (digit, more) in sum.iter_mut().zip(number) {
        let total = u64::from(*digit) + u64::from(*more) * u64::from(times) + carry;
        let [a, b, c, d, ..] = total.to_le_bytes();
        *digit = u32::from_le_bytes([a, b, c, d]);
        carry = total >> 32;
    }
}

/// Of up to four bytes.
fn digit(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |digit, byte| digit << 8 | u32::from(*byte))
}

/// Highest first.
fn bits(bytes: &[u8]) -> impl Iterator<Item = bool> {
    bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1 == 1))
}

/// Without zeros in front.
pub(super) fn stripped(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_bigint::BigUint;
    use proptest::collection::vec;
    use proptest::prelude::*;

    #[test]
    fn small_powers() {
        let of = |base: u8, exponent: u8, modulus: u8| {
            Modulus::new(&[modulus]).unwrap().power(&[base], &[exponent])
        };
        assert_eq!(of(2, 10, 255), [4]);
        assert_eq!(of(7, 0, 9), [1]);
        assert_eq!(of(0, 5, 9), [0]);
        assert_eq!(of(200, 1, 9), [2]);
        assert_eq!(of(8, 2, 9), [1]);
    }

    #[test]
    fn only_odd_numbers_above_one_are_a_modulus() {
        for wrong in [&[][..], &[0], &[1], &[0, 1], &[2], &[3, 0]] {
            assert!(Modulus::new(wrong).is_none(), "{wrong:?}");
        }
        assert_eq!(Modulus::new(&[0, 0, 3]).unwrap().bits(), 2);
        assert_eq!(Modulus::new(&[1, 0, 0, 0, 1]).unwrap().bits(), 33);
        assert_eq!(Modulus::new(&[0xff; 8]).unwrap().bits(), 64);
    }

    proptest! {
        #[test]
        fn powers_are_those_of_a_library(modulus in vec(any::<u8>(), 1..70), base in vec(any::<u8>(), 0..80), exponent in vec(any::<u8>(), 0..6)) {
            let Some(ours) = Modulus::new(&modulus) else { return Ok(()) };
            let [number, base_number, exponent_number] =
                [&modulus, &base, &exponent].map(|bytes| BigUint::from_bytes_be(bytes));
            let power = base_number.modpow(&exponent_number, &number).to_bytes_be();
            let got = ours.power(&base, &exponent);
            prop_assert_eq!(stripped(&got), stripped(&power));
            prop_assert_eq!(got.len(), stripped(&modulus).len());
            prop_assert_eq!(ours.bits() as u64, number.bits());
        }
    }
}
