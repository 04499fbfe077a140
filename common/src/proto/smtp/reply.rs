//! Reads SMTP replies from a byte stream, in bounded memory, whatever the server sends.
//!
//! Source: RFC 5321 section 4.2 and 4.2.1: three digits, then `-` (more lines follow), a
//! blank, or the end of the line; all lines of a reply carry the same code.

use serde::{Deserialize, Serialize};

/// How the lines of a reply ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LineEnd {
    /// All with CR LF.
    #[default]
    CrLf,
    /// At least one with a lone LF, which RFC 5321 section 2.3.8 forbids.
    BareLf,
}

/// A whole reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// 200 to 599.
    pub code: u16,
    /// The text of each line, without code, separator and line end; at most
    /// [`ReplyLimits::line`] bytes of each are kept.
    pub lines: Vec<Vec<u8>>,
    /// How its lines ended.
    pub line_end: LineEnd,
}

impl Reply {
    /// 2 for success, 3 for more wanted, 4 for a temporary and 5 for a permanent refusal.
    #[must_use]
    pub const fn class(&self) -> u16 {
        self.code / 100
    }

    /// The first line as the server said it, `535 5.7.8 Error: ...`, with the text of all
    /// lines joined by blanks.
    #[must_use]
    pub fn words(&self) -> String {
        let mut words = self.code.to_string();
        for line in &self.lines {
            if !line.is_empty() {
                words.push(' ');
                words.push_str(&crate::proto::text::decode(line));
            }
        }
        words
    }
}

/// What a reply may cost us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyLimits {
    /// Bytes kept of one line; the rest is dropped but counted.
    pub line: usize,
    /// Bytes of the whole reply, dropped ones included.
    pub reply: usize,
    /// Lines of the whole reply.
    pub lines: usize,
}

impl Default for ReplyLimits {
    fn default() -> Self {
        Self { line: 4096, reply: 65_536, lines: 512 }
    }
}

/// How a server broke the reply format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// A line does not begin with a code from 200 to 599.
    #[error("not an SMTP reply")]
    NotAReply(Vec<u8>),
    /// Lines of one reply carry different codes.
    #[error("reply mixes the codes {0} and {1}")]
    MixedCodes(u16, u16),
    /// More bytes than [`ReplyLimits::reply`].
    #[error("reply is longer than {0} bytes")]
    TooLong(usize),
    /// More lines than [`ReplyLimits::lines`].
    #[error("reply has more than {0} lines")]
    TooManyLines(usize),
}

/// Collects bytes until a reply is whole.
#[derive(Debug)]
pub struct ReplyReader {
    limits: ReplyLimits,
    /// The line being read, cut at `limits.line`.
    line: Vec<u8>,
    /// Bytes of this reply so far, dropped ones included.
    seen: usize,
    last_was_cr: bool,
    code: Option<u16>,
    lines: Vec<Vec<u8>>,
    line_end: LineEnd,
}

impl ReplyReader {
    /// A reader for one reply after the other.
    #[must_use]
    pub const fn new(limits: ReplyLimits) -> Self {
        Self {
            limits,
            line: Vec::new(),
            seen: 0,
            last_was_cr: false,
            code: None,
            lines: Vec::new(),
            line_end: LineEnd::CrLf,
        }
    }

    /// Bytes of the unfinished reply read so far.
    #[must_use]
    pub const fn pending(&self) -> usize {
        self.seen
    }

    /// Takes bytes up to the end of one reply. Returns how many were used and the reply
    /// when it is whole; bytes behind it are left to the caller.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(usize, Option<Reply>), ReplyError> {
        for (index, &byte) in bytes.iter().enumerate() {
            self.seen += 1;
            if self.seen > self.limits.reply {
                return Err(ReplyError::TooLong(self.limits.reply));
            }
            if byte != b'\n' {
                // The code decides early: a server that speaks another protocol without
                // ever ending a line is told apart from a slow one.
                self.push(byte)?;
                continue;
            }
            if self.end_line()? {
                return Ok((index + 1, Some(self.take())));
            }
        }
        Ok((bytes.len(), None))
    }

    fn push(&mut self, byte: u8) -> Result<(), ReplyError> {
        if self.last_was_cr {
            // A CR that no LF follows is part of the text.
            self.keep(b'\r');
        }
        self.last_was_cr = byte == b'\r';
        if !self.last_was_cr {
            self.keep(byte);
        }
        // Judged once four bytes are there; what follows cannot mend a wrong start.
        if self.line.len() == 4 { split_code(&self.line).map(|_| ()) } else { Ok(()) }
    }

    fn keep(&mut self, byte: u8) {
        if self.line.len() < self.limits.line {
            self.line.push(byte);
        }
    }

    /// Ends a line; true when it was the last of its reply.
    fn end_line(&mut self) -> Result<bool, ReplyError> {
        if !std::mem::take(&mut self.last_was_cr) {
            self.line_end = LineEnd::BareLf;
        }
        let (code, more, text) = split_code(&self.line)?;
        let first = *self.code.get_or_insert(code);
        if first != code {
            return Err(ReplyError::MixedCodes(first, code));
        }
        if self.lines.len() == self.limits.lines {
            return Err(ReplyError::TooManyLines(self.limits.lines));
        }
        self.lines.push(text.to_vec());
        self.line.clear();
        Ok(!more)
    }

    fn take(&mut self) -> Reply {
        let reply = Reply {
            code: self.code.take().unwrap_or_default(),
            lines: std::mem::take(&mut self.lines),
            line_end: std::mem::take(&mut self.line_end),
        };
        self.seen = 0;
        reply
    }
}

/// Splits a line into code, whether more lines follow, and text.
fn split_code(line: &[u8]) -> Result<(u16, bool, &[u8]), ReplyError> {
    let refused = || ReplyError::NotAReply(line.to_vec());
    let (digits, rest) = line.split_first_chunk::<3>().ok_or_else(refused)?;
    if !(b'2'..=b'5').contains(&digits[0]) || !digits.iter().all(u8::is_ascii_digit) {
        return Err(refused());
    }
    let code = digits.iter().fold(0u16, |code, digit| code * 10 + u16::from(digit - b'0'));
    match rest.split_first() {
        None => Ok((code, false, rest)),
        Some((b' ', text)) => Ok((code, false, text)),
        Some((b'-', text)) => Ok((code, true, text)),
        Some(_) => Err(refused()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> Result<(usize, Option<Reply>), ReplyError> {
        ReplyReader::new(ReplyLimits::default()).feed(bytes)
    }

    fn reply(bytes: &[u8]) -> Reply {
        read(bytes).unwrap().1.unwrap()
    }

    #[test]
    fn single_and_multi_line() {
        let one = reply(b"220 mail.example ESMTP\r\n");
        assert_eq!((one.code, one.words().as_str()), (220, "220 mail.example ESMTP"));
        let many = reply(b"250-mail.example\r\n250-AUTH PLAIN\r\n250 8BITMIME\r\n");
        assert_eq!(many.lines, [b"mail.example".as_slice(), b"AUTH PLAIN", b"8BITMIME"]);
        assert_eq!(many.line_end, LineEnd::CrLf);
        assert_eq!(reply(b"220\r\n").words(), "220");
        assert_eq!(reply(b"250-\r\n250 \r\n").lines, [b"".as_slice(), b""]);
    }

    #[test]
    fn bytes_behind_the_reply_are_left() {
        let (used, whole) = read(b"220 go ahead\r\n250 injected\r\n").unwrap();
        assert_eq!(used, 14);
        assert_eq!(whole.unwrap().code, 220);
    }

    #[test]
    fn odd_but_tolerated() {
        assert_eq!(reply(b"220 bare\n").line_end, LineEnd::BareLf);
        assert_eq!(reply(b"220 nul\0 and \xff\r\n").words(), "220 nul\0 and \\xff");
        assert_eq!(reply(b"220 lone \r cr\r\n").lines, [b"lone \r cr".as_slice()]);
    }

    #[test]
    fn broken_replies_are_named() {
        assert_eq!(read(b"250-a\r\n550 b\r\n"), Err(ReplyError::MixedCodes(250, 550)));
        for bad in [
            b"HTTP/1.1 400 Bad Request\r\n".as_slice(),
            b"SSH-2.0-x\r\n",
            b"+OK ready\r\n",
            b"* OK\r\n",
            b"99 x\r\n",
            b"150 x\r\n",
            b"600 x\r\n",
            b"2x0 a\r\n",
            b"2200 x\r\n",
            b"220x\r\n",
            b"\r\n",
            b"25\r\n",
        ] {
            assert!(matches!(read(bad), Err(ReplyError::NotAReply(_))), "{}", String::from_utf8_lossy(bad));
        }
        assert!(matches!(read(b"HTTP"), Err(ReplyError::NotAReply(_))), "known after four bytes");
    }

    #[test]
    fn memory_is_bounded() {
        let mut reader = ReplyReader::new(ReplyLimits::default());
        let mut banner = b"220 ".to_vec();
        banner.extend(std::iter::repeat_n(b'A', 2_000_000));
        assert_eq!(reader.feed(&banner), Err(ReplyError::TooLong(65_536)));
        assert!(reader.line.len() <= 4096);
        let endless = b"250-x\r\n".repeat(600);
        assert_eq!(read(&endless), Err(ReplyError::TooManyLines(512)));
        let mut long_line = b"220 ".to_vec();
        long_line.extend(std::iter::repeat_n(b'B', 10_000));
        long_line.extend(b"\r\n");
        assert_eq!(reply(&long_line).lines[0].len(), 4096 - 4, "the rest is dropped");
    }

    #[test]
    fn a_reader_serves_one_reply_after_the_other() {
        let mut reader = ReplyReader::new(ReplyLimits::default());
        for _ in 0..3 {
            assert_eq!(reader.feed(b"25").unwrap(), (2, None));
            assert_eq!(reader.pending(), 2);
            assert_eq!(reader.feed(b"0 ok\r\n").unwrap().1.unwrap().code, 250);
            assert_eq!(reader.pending(), 0);
        }
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(
            texts in prop::collection::vec("[ -~]{0,40}", 1..6), code in 200u16..600, cut in 1usize..9,
        ) {
            let mut wire = Vec::new();
            for (index, text) in texts.iter().enumerate() {
                let separator = if index + 1 == texts.len() { ' ' } else { '-' };
                wire.extend(format!("{code}{separator}{text}\r\n").into_bytes());
            }
            let whole = reply(&wire);
            let mut reader = ReplyReader::new(ReplyLimits::default());
            let mut last = None;
            for piece in wire.chunks(cut) {
                last = reader.feed(piece).unwrap().1;
            }
            prop_assert_eq!(last.as_ref(), Some(&whole));
            prop_assert_eq!(whole.lines, texts.iter().map(|t| t.clone().into_bytes()).collect::<Vec<_>>());
        }

        #[test]
        fn any_bytes_end_in_a_reply_an_error_or_a_wait(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok((used, Some(reply))) = read(&bytes) {
                prop_assert!(used <= bytes.len());
                prop_assert!((200..600).contains(&reply.code));
            }
        }
    }
}
