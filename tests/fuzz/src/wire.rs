//! A connection whose server says what it is told to, in pieces, and then ends.

use std::io::{self, ErrorKind, Read, Write};

pub struct Peer<'a> {
    left: &'a [u8],
    piece: usize,
    /// What the connection fails with when all is said; it is closed otherwise.
    end: Option<ErrorKind>,
    pub sent: Vec<u8>,
    pub taken: usize,
}

impl<'a> Peer<'a> {
    pub fn new(bytes: &'a [u8], piece: usize, end: Option<ErrorKind>) -> Self {
        Self { left: bytes, piece: piece.max(1), end, sent: Vec::new(), taken: 0 }
    }
}

impl Read for Peer<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.piece.min(buffer.len()).min(self.left.len());
        if count == 0
            && let Some(kind) = self.end
        {
            return Err(kind.into());
        }
        let (piece, rest) = self.left.split_at(count);
        buffer[..count].copy_from_slice(piece);
        self.left = rest;
        self.taken += count;
        Ok(count)
    }
}

impl Write for Peer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sent.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How connections end.
pub const ENDS: [Option<ErrorKind>; 4] =
    [None, Some(ErrorKind::TimedOut), Some(ErrorKind::ConnectionReset), Some(ErrorKind::WouldBlock)];
