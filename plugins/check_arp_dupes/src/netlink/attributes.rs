//! Attributes: length, type, content, each on a boundary of four bytes.

use std::net::IpAddr;

use crate::mac::Mac;

/// The attributes behind the fixed part of a message.
#[derive(Clone, Debug)]
pub(super) struct Attributes<'a>(&'a [u8]);

/// Flags in the type: nested, byte order.
const TYPE: u16 = 0x3fff;

impl<'a> Attributes<'a> {
    pub(super) const fn of(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The content of the first one of this type.
    pub(super) fn get(&self, wanted: u16) -> Option<&'a [u8]> {
        self.clone().find_map(|(kind, content)| (kind == wanted).then_some(content))
    }

    pub(super) fn number(&self, wanted: u16) -> Option<u32> {
        self.get(wanted)?.try_into().ok().map(u32::from_ne_bytes)
    }

    pub(super) fn text(&self, wanted: u16) -> Option<String> {
        let bytes = self.get(wanted)?;
        let bytes = bytes.split(|byte| *byte == 0).next()?;
        Some(String::from_utf8_lossy(bytes).into_owned())
    }

    pub(super) fn address(&self, wanted: u16) -> Option<IpAddr> {
        ip(self.get(wanted)?)
    }

    pub(super) fn mac(&self, wanted: u16) -> Option<Mac> {
        Mac::of(self.get(wanted)?)
    }
}

pub(super) fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let ipv4 = <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from);
    ipv4.or_else(|| <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from))
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    /// Ends at the first one that is not whole.
    fn next(&mut self) -> Option<Self::Item> {
        let [low, high, kind_low, kind_high, ..] = *self.0 else { return None };
        let length = usize::from(u16::from_ne_bytes([low, high]));
        let content = self.0.get(4..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((u16::from_ne_bytes([kind_low, kind_high]) & TYPE, content))
    }
}
