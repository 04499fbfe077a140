//! Reading and writing of length-prefixed fields (RFC 8446 section 3).

/// Bytes of a message, read from the front. Every step says `None` instead of reading past
/// the end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.take(2)?.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
    }

    pub(crate) fn u24(&mut self) -> Option<usize> {
        let high = usize::from(self.u8()?);
        Some(high << 16 | usize::from(self.u16()?))
    }

    /// A field with its length in one byte in front.
    pub(crate) fn vec8(&mut self) -> Option<Self> {
        let length = usize::from(self.u8()?);
        self.take(length).map(Self)
    }

    /// The same with two bytes.
    pub(crate) fn vec16(&mut self) -> Option<Self> {
        let length = usize::from(self.u16()?);
        self.take(length).map(Self)
    }

    /// The same with three.
    pub(crate) fn vec24(&mut self) -> Option<Self> {
        let length = self.u24()?;
        self.take(length).map(Self)
    }

    pub(crate) const fn rest(self) -> &'a [u8] {
        self.0
    }
}

/// Appends a field with its length in two bytes in front. What is longer than that says is
/// cut: no hello of ours comes near.
pub(crate) fn put16(out: &mut Vec<u8>, field: &[u8]) {
    let length = u16::try_from(field.len()).unwrap_or(u16::MAX);
    out.extend(length.to_be_bytes());
    out.extend_from_slice(field.get(..usize::from(length)).unwrap_or(field));
}

/// The same with one byte.
pub(crate) fn put8(out: &mut Vec<u8>, field: &[u8]) {
    let length = u8::try_from(field.len()).unwrap_or(u8::MAX);
    out.push(length);
    out.extend_from_slice(field.get(..usize::from(length)).unwrap_or(field));
}

/// The same with three bytes.
pub(crate) fn put24(out: &mut Vec<u8>, field: &[u8]) {
    let length = u32::try_from(field.len()).unwrap_or(u32::MAX).min(0x00ff_ffff);
    out.extend(length.to_be_bytes().iter().skip(1));
    out.extend_from_slice(field);
}

/// Numbers of two bytes, one after the other.
pub(crate) fn codes(codes: &[u16]) -> Vec<u8> {
    let mut out = Vec::with_capacity(2 * codes.len());
    for code in codes {
        out.extend_from_slice(&code.to_be_bytes());
    }
    out
}
