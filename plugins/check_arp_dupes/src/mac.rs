//! Ethernet addresses, and what some of them mean.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An Ethernet address, written `02:00:00:00:00:01`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mac(pub [u8; 6]);

impl Mac {
    pub(crate) const ZERO: Self = Self([0; 6]);
    pub(crate) const BROADCAST: Self = Self([0xff; 6]);

    /// The address of six bytes, none of any other number.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Broadcast or multicast: no station sends from such an address.
    #[must_use]
    pub const fn is_group(self) -> bool {
        self.0[0] & 0x01 != 0
    }

    /// Given by software and not by a vendor: virtual machines, containers, phones that hide.
    #[must_use]
    pub const fn is_local(self) -> bool {
        self.0[0] & 0x02 != 0
    }

    /// Whether a station can have it.
    #[must_use]
    pub fn is_usable(self) -> bool {
        !self.is_group() && self != Self::ZERO
    }

    /// The protocol that makes such addresses for a router of several machines.
    #[must_use]
    pub const fn redundancy(self) -> Option<&'static str> {
        match self.0 {
            [0x00, 0x00, 0x5e, 0x00, 0x01 | 0x02, _] => Some("VRRP or CARP"),
            [0x00, 0x00, 0x0c, 0x07, 0xac, _] => Some("HSRP"),
            [0x00, 0x00, 0x0c, 0x9f, high, _] if high & 0xf0 == 0xf0 => Some("HSRP"),
            [0x00, 0x05, 0x73, 0xa0, high, _] if high & 0xf0 == 0 => Some("HSRP"),
            [0x00, 0x07, 0xb4, 0x00, _, _] => Some("GLBP"),
            _ => None,
        }
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'?');
        let mut text = [b':'; 17];
        for (part, byte) in text.chunks_mut(3).zip(self.0) {
            if let [high, low, ..] = part {
                (*high, *low) = (digit(byte >> 4), digit(byte & 0x0f));
            }
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl FromStr for Mac {
    type Err = String;

    /// With colons or dashes between pairs, or dots between groups of four.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(bytes) = plain(text.as_bytes()) {
            return Ok(Self(bytes));
        }
        let bytes = match text.as_bytes().get(4) {
            Some(b'.') => groups(text, b'.', 4..=4),
            _ if text.contains('-') => groups(text, b'-', 2..=2),
            _ => groups(text, b':', 1..=2),
        };
        bytes.map(Self).ok_or_else(|| format!("'{text}' is not an Ethernet address"))
    }
}

/// The form that we write ourselves, by hand, for a state file has thousands.
fn plain(text: &[u8]) -> Option<[u8; 6]> {
    let mut bytes = [0; 6];
    for (byte, part) in bytes.iter_mut().zip(text.chunks(3)) {
        let ([high, low, b':'] | [high, low]) = *part else { return None };
        *byte = nibble(high)? << 4 | nibble(low)?;
    }
    (text.len() == "02:00:00:00:00:01".len()).then_some(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// Six bytes from groups of digits; a group of one digit is a byte below 16.
fn groups(text: &str, between: u8, digits: RangeInclusive<usize>) -> Option<[u8; 6]> {
    let mut nibbles = [0; 12];
    let mut at = 0;
    for group in text.as_bytes().split(|byte| *byte == between) {
        if !digits.contains(&group.len()) {
            return None;
        }
        at += digits.end() - group.len();
        for digit in group {
            *nibbles.get_mut(at)? = nibble(*digit)?;
            at += 1;
        }
    }
    let mut bytes = [0; 6];
    for (byte, pair) in bytes.iter_mut().zip(nibbles.chunks_exact(2)) {
        *byte = pair.iter().fold(0, |byte, nibble| byte << 4 | nibble);
    }
    (at == nibbles.len()).then_some(bytes)
}

impl TryFrom<String> for Mac {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Mac> for String {
    fn from(mac: Mac) -> Self {
        mac.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn forms_people_write() {
        let mac = Mac([0x02, 0, 0x5e, 0, 0x01, 0x3c]);
        for text in
            ["02:00:5e:00:01:3c", "02-00-5E-00-01-3C", "0200.5e00.013c", "2:0:5e:0:1:3c", "02:00:5E:00:01:3C"]
        {
            assert_eq!(text.parse(), Ok(mac), "{text}");
        }
        for text in [
            "",
            "02",
            "02:00:5e:00:01",
            "02:00:5e:00:01:3c:00",
            "02:00:5e:00:01:3g",
            "0200:5e00:013c",
            "+2:0:5e:0:1:3c",
        ] {
            assert!(text.parse::<Mac>().is_err(), "{text}");
        }
    }

    #[test]
    fn addresses_of_redundant_routers() {
        let of = |text: &str| text.parse::<Mac>().unwrap().redundancy();
        assert_eq!(of("00:00:5e:00:01:3c"), Some("VRRP or CARP"));
        assert_eq!(of("00:00:5e:00:02:01"), Some("VRRP or CARP"));
        assert_eq!(of("00:00:0c:07:ac:0c"), Some("HSRP"));
        assert_eq!(of("00:00:0c:9f:f0:0c"), Some("HSRP"));
        assert_eq!(of("00:07:b4:00:01:02"), Some("GLBP"));
        assert_eq!(of("00:00:5e:00:03:01"), None);
        assert_eq!(of("00:00:0c:9f:e0:0c"), None);
    }

    proptest! {
        #[test]
        fn text_and_back(bytes: [u8; 6]) {
            let mac = Mac(bytes);
            prop_assert_eq!(mac.to_string().parse::<Mac>(), Ok(mac));
        }

        #[test]
        fn any_text_is_an_address_or_none(text in ".{0,24}") {
            if let Ok(mac) = text.parse::<Mac>() {
                prop_assert_eq!(mac.to_string().parse::<Mac>(), Ok(mac));
            }
        }
    }
}
