//! Replies of an SMTP server: however the bytes are cut, the replies are the same, and they
//! stay within their limits.
//!
//! Input: one byte that chooses limits and pieces, then what the server sends.

use common::proto::smtp::{Ehlo, Reply, ReplyError, ReplyLimits, ReplyReader, looks_masked_banner};

/// The target.
pub fn run(data: &[u8]) {
    let Some((&choice, wire)) = data.split_first() else { return };
    let limits = if choice & 1 == 0 {
        ReplyLimits::default()
    } else {
        ReplyLimits { line: 8 + usize::from(choice >> 4), reply: 96, lines: 3 }
    };
    let whole = read(wire, limits, |_| usize::MAX);
    let size = usize::from(choice >> 1) % 13 + 2;
    assert_eq!(whole, read(wire, limits, |_| 1), "byte by byte");
    assert_eq!(whole, read(wire, limits, |_| size), "in pieces of {size}");
    assert_eq!(whole, read(wire, limits, |index| index % 7 + 1), "in pieces of 1 to 7");
    for reply in &whole.replies {
        check(reply, limits);
    }
}

#[derive(Debug, PartialEq)]
struct Dialogue {
    replies: Vec<Reply>,
    error: Option<ReplyError>,
    pending: Option<usize>,
}

/// Reads all replies, with pieces of the sizes that `size` gives for each piece's number.
fn read(wire: &[u8], limits: ReplyLimits, size: impl Fn(usize) -> usize) -> Dialogue {
    let mut reader = ReplyReader::new(limits);
    let mut replies = Vec::new();
    let mut rest = wire;
    let mut index = 0;
    while !rest.is_empty() {
        let mut piece = &rest[..rest.len().min(size(index))];
        rest = &rest[piece.len()..];
        index += 1;
        while !piece.is_empty() {
            match reader.feed(piece) {
                Ok((used, reply)) => {
                    assert!(used > 0 && used <= piece.len(), "it goes on");
                    assert!(reply.is_some() || used == piece.len(), "it takes all there is");
                    assert!(reader.pending() <= limits.reply, "bounded");
                    piece = &piece[used..];
                    replies.extend(reply);
                }
                Err(error) => return Dialogue { replies, error: Some(error), pending: None },
            }
        }
    }
    Dialogue { replies, error: None, pending: Some(reader.pending()) }
}

fn check(reply: &Reply, limits: ReplyLimits) {
    assert!((200..600).contains(&reply.code) && (2..=5).contains(&reply.class()));
    assert!((1..=limits.lines).contains(&reply.lines.len()));
    assert!(reply.lines.iter().all(|line| line.len() <= limits.line));
    assert!(reply.lines.iter().map(Vec::len).sum::<usize>() <= limits.reply);
    assert!(reply.words().starts_with(&reply.code.to_string()));
    let _ = looks_masked_banner(reply);

    let ehlo = Ehlo::parse(reply);
    assert_eq!(ehlo.keywords.len() + 1, reply.lines.len());
    for (index, mechanism) in ehlo.mechanisms.iter().enumerate() {
        assert!(!mechanism.is_empty() && !mechanism.contains([' ', '\t']));
        assert!(!mechanism.contains(|c: char| c.is_ascii_lowercase()));
        assert!(!ehlo.mechanisms[..index].contains(mechanism), "named once");
    }
    assert!(!ehlo.only_equals_form || !ehlo.mechanisms.is_empty());
    assert!(ehlo.keywords.iter().all(|(keyword, _)| ehlo.has(keyword)));
    assert!(ehlo.masked_keyword().is_none_or(|masked| ehlo.has(masked)));
}
