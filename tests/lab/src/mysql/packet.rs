//! Packets of the client/server protocol of MySQL: a length of three bytes, a number, the payload; and the few types
//! in a payload.

use std::io::{self, Read};

/// A payload of this length is continued by the next packet.
const LONGEST: usize = 0xff_ff_ff;

/// The payload as packets, numbered from `sequence` on.
pub(crate) fn framed(mut sequence: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(payload.len() + 4);
    let mut pieces = payload.chunks(LONGEST).peekable();
    let ends_with_nothing = payload.len().is_multiple_of(LONGEST);
    while let Some(piece) = pieces.next() {
        bytes.extend(header(piece.len(), sequence));
        bytes.extend_from_slice(piece);
        sequence = sequence.wrapping_add(1);
        if pieces.peek().is_none() && !ends_with_nothing {
            return bytes;
        }
    }
    bytes.extend(header(0, sequence));
    bytes
}

/// The first four bytes of a packet.
pub(crate) fn header(length: usize, sequence: u8) -> [u8; 4] {
    let length = u32::try_from(length).expect("a packet has less than 16 MiB").to_le_bytes();
    [length[0], length[1], length[2], sequence]
}

/// Length and number that a header names.
pub(crate) fn parse_header(header: [u8; 4]) -> (usize, u8) {
    let length = u32::from_le_bytes([header[0], header[1], header[2], 0]);
    (length as usize, header[3])
}

/// Reads a whole payload; also the number of its last packet.
pub(crate) fn read(stream: &mut impl Read) -> io::Result<(u8, Vec<u8>)> {
    let mut payload = Vec::new();
    loop {
        let mut bytes = [0; 4];
        stream.read_exact(&mut bytes)?;
        let (length, sequence) = parse_header(bytes);
        let start = payload.len();
        payload.resize(start + length, 0);
        stream.read_exact(&mut payload[start..])?;
        if length < LONGEST {
            return Ok((sequence, payload));
        }
    }
}

/// Appends an integer in one to nine bytes.
pub(crate) fn put_integer(bytes: &mut Vec<u8>, value: u64) {
    let encoded = value.to_le_bytes();
    match value {
        0..=250 => bytes.push(encoded[0]),
        251..=0xffff => {
            bytes.push(0xfc);
            bytes.extend_from_slice(&encoded[..2]);
        }
        0x1_0000..=0xff_ffff => {
            bytes.push(0xfd);
            bytes.extend_from_slice(&encoded[..3]);
        }
        _ => {
            bytes.push(0xfe);
            bytes.extend_from_slice(&encoded);
        }
    }
}

/// Appends a string behind its length.
pub(crate) fn put_string(bytes: &mut Vec<u8>, text: &[u8]) {
    put_integer(bytes, text.len() as u64);
    bytes.extend_from_slice(text);
}

/// Takes a payload apart; `None` where it is too short.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(payload: &'a [u8]) -> Self {
        Self { rest: payload }
    }

    pub(crate) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn fixed(&mut self, length: usize) -> Option<u64> {
        let taken = self.take(length)?;
        Some(taken.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// Up to a zero byte, or to the end.
    pub(crate) fn until_zero(&mut self) -> &'a [u8] {
        let end = self.rest.iter().position(|byte| *byte == 0);
        let text = &self.rest[..end.unwrap_or(self.rest.len())];
        self.rest = end.map_or(&[], |end| &self.rest[end + 1..]);
        text
    }

    pub(crate) fn integer(&mut self) -> Option<u64> {
        match self.fixed(1)? {
            0xfc => self.fixed(2),
            0xfd => self.fixed(3),
            0xfe => self.fixed(8),
            0xff => None,
            value => Some(value),
        }
    }

    pub(crate) fn string(&mut self) -> Option<&'a [u8]> {
        let length = self.integer()?;
        self.take(usize::try_from(length).ok()?)
    }

    /// Whether NULL stands in place of the next string, which is passed over then.
    pub(crate) fn skip_null(&mut self) -> bool {
        let is_null = self.rest.first() == Some(&0xfb);
        self.rest = &self.rest[usize::from(is_null)..];
        is_null
    }
}
