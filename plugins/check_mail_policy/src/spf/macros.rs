//! Macro strings (RFC 7208 section 7): read strictly, expanded with bounds.

use std::fmt;

use super::syntax::Flaw;

/// Text in which `%{...}` stands for something, read without a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MacroString<'a>(&'a str);

/// Where a macro string stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// As the name that a term asks for.
    Domain,
    /// Behind a modifier that nobody knows.
    Modifier,
    /// In the text that tells a sender why.
    Explanation,
}

/// What a letter stands for (RFC 7208 section 7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Letter {
    /// The sender.
    Sender,
    /// What stands before its `@`.
    LocalPart,
    /// What stands behind it.
    SenderDomain,
    /// The domain whose record this is.
    Domain,
    /// The client's address, its parts with dots between them.
    Ip,
    /// The client's name, found and confirmed.
    Ptr,
    /// The name in HELO or EHLO.
    Helo,
    /// `in-addr` or `ip6`.
    Version,
    /// The client's address as people write it.
    ReadableIp,
    /// Who receives.
    Receiver,
    /// When.
    Time,
}

/// A macro with all that stands between its braces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Macro<'a> {
    letter: Letter,
    url_escape: bool,
    /// So many parts from the right; 0 for all.
    keep: usize,
    reverse: bool,
    delimiters: &'a str,
}

#[derive(Clone, Copy)]
enum Piece<'a> {
    Text(&'a str),
    Macro(Macro<'a>),
}

/// Longest name in text (RFC 7208 section 7.3).
const MAX_NAME: usize = 253;
/// What is kept of a name while it grows, from its end: more than what the cut can leave.
const KEPT_TAIL: usize = 512;
/// What is kept of an explanation, from its beginning.
const KEPT_TEXT: usize = 1024;

impl<'a> MacroString<'a> {
    /// Reads text as the grammar says (section 7.1).
    pub(super) fn parse(text: &'a str, place: Place) -> Result<Self, Flaw> {
        let mut rest = text;
        let mut last = None;
        while !rest.is_empty() {
            let (piece, behind) = next_piece(rest, place)?;
            last =
                Some(matches!(piece, Piece::Text(_)).then_some(rest).filter(|text| !text.starts_with('%')));
            rest = behind;
        }
        match (place, last) {
            (Place::Domain, None) => Err(Flaw::NoDomain),
            (Place::Domain, Some(Some(end))) if !ends_in_top_label(end) => Err(Flaw::Domain),
            _ => Ok(Self(text)),
        }
    }

    /// Whether a letter is in it.
    pub(super) fn has(self, letter: Letter) -> bool {
        self.pieces().any(|piece| matches!(piece, Piece::Macro(found) if found.letter == letter))
    }

    /// Whether it ends in words of the client's own, so that whoever sends can have his own servers
    /// asked. A single label of them is only a top-level name.
    pub(super) fn is_clients_choice(self) -> bool {
        let is_dot = |piece: &Piece<'_>| matches!(piece, Piece::Text("."));
        match self.pieces().filter(|piece| !is_dot(piece)).last() {
            Some(Piece::Macro(last)) => {
                last.keep != 1 && matches!(last.letter, Letter::LocalPart | Letter::Helo | Letter::Ptr)
            }
            _ => false,
        }
    }

    /// The name that this becomes, without a last dot and of 253 characters at most: labels on
    /// the left go first (section 7.3). `None` as soon as a letter has no value.
    pub(super) fn name(self, mut value: impl FnMut(Letter) -> Option<String>) -> Option<String> {
        let mut name = String::new();
        for piece in self.pieces() {
            push(&mut name, piece, &mut value)?;
            if name.len() > 2 * KEPT_TAIL {
                let from = name.ceil_char_boundary(name.len() - KEPT_TAIL);
                name.drain(..from);
            }
        }
        if name.ends_with('.') {
            name.pop();
        }
        if name.len() > MAX_NAME {
            let first = name.floor_char_boundary(name.len() - MAX_NAME - 1);
            let dot = name.get(first..).and_then(|end| end.find('.'));
            name.drain(..dot.map_or(name.len(), |dot| first + dot + 1));
        }
        Some(name)
    }

    /// The explanation that this becomes, its beginning at least.
    pub(super) fn text(self, mut value: impl FnMut(Letter) -> Option<String>) -> Option<String> {
        let mut text = String::new();
        for piece in self.pieces() {
            push(&mut text, piece, &mut value)?;
            if text.len() > KEPT_TEXT {
                text.truncate(text.floor_char_boundary(KEPT_TEXT));
                break;
            }
        }
        Some(text)
    }

    fn pieces(self) -> impl Iterator<Item = Piece<'a>> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (piece, behind) = (!rest.is_empty()).then(|| next_piece(rest, Place::Explanation).ok())??;
            rest = behind;
            Some(piece)
        })
    }
}

impl fmt::Display for MacroString<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// The first piece of text that is not empty, and what comes behind it.
fn next_piece(text: &str, place: Place) -> Result<(Piece<'_>, &str), Flaw> {
    let Some(escaped) = text.strip_prefix('%') else {
        let (literal, behind) = text.split_at(text.find('%').unwrap_or(text.len()));
        let may_stand = |b: u8| matches!(b, 0x21..=0x7e) || (b == b' ' && place == Place::Explanation);
        return match literal.bytes().all(may_stand) {
            true => Ok((Piece::Text(literal), behind)),
            false if literal.is_ascii() => Err(Flaw::Character),
            false => Err(Flaw::NotAscii),
        };
    };
    for (mark, meaning) in [("%", "%"), ("_", " "), ("-", "%20")] {
        if let Some(behind) = escaped.strip_prefix(mark) {
            return Ok((Piece::Text(meaning), behind));
        }
    }
    let (inside, behind) =
        escaped.strip_prefix('{').and_then(|inside| inside.split_once('}')).ok_or(Flaw::Macro)?;
    Ok((Piece::Macro(parse_macro(inside, place)?), behind))
}

fn parse_macro(inside: &str, place: Place) -> Result<Macro<'_>, Flaw> {
    let mut characters = inside.chars();
    let first = characters.next().ok_or(Flaw::Macro)?;
    let letter = letter(first).ok_or(Flaw::Macro)?;
    let told = matches!(letter, Letter::ReadableIp | Letter::Receiver | Letter::Time);
    if told && place == Place::Domain {
        return Err(Flaw::ExplanationLetter);
    }
    let behind = characters.as_str();
    let rest = behind.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = behind.get(..behind.len() - rest.len()).unwrap_or_default();
    let keep = match digits.trim_start_matches('0') {
        "" if digits.is_empty() => 0,
        "" => return Err(Flaw::Macro),
        // What is too large for a number is more than there can be of anything.
        number => number.parse().unwrap_or(usize::MAX),
    };
    let delimiters = rest.strip_prefix(['r', 'R']).unwrap_or(rest);
    if !delimiters.bytes().all(|b| b".-+,/_=".contains(&b)) {
        return Err(Flaw::Macro);
    }
    let reverse = delimiters.len() < rest.len();
    Ok(Macro { letter, url_escape: first.is_ascii_uppercase(), keep, reverse, delimiters })
}

fn letter(letter: char) -> Option<Letter> {
    Some(match letter.to_ascii_lowercase() {
        's' => Letter::Sender,
        'l' => Letter::LocalPart,
        'o' => Letter::SenderDomain,
        'd' => Letter::Domain,
        'i' => Letter::Ip,
        'p' => Letter::Ptr,
        'h' => Letter::Helo,
        'v' => Letter::Version,
        'c' => Letter::ReadableIp,
        'r' => Letter::Receiver,
        't' => Letter::Time,
        _ => return None,
    })
}

/// `"." toplabel [ "." ]` at the end of literal text.
fn ends_in_top_label(text: &str) -> bool {
    text.strip_suffix('.').unwrap_or(text).rsplit_once('.').is_some_and(|(_, label)| is_top_label(label))
}

/// Letters, digits and hyphens, the latter not at an end; a number is none (section 7.1).
pub(super) fn is_top_label(label: &str) -> bool {
    let ends = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = label.as_bytes();
    ends(bytes.first())
        && ends(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
        && !bytes.iter().all(u8::is_ascii_digit)
}

fn push(out: &mut String, piece: Piece<'_>, value: &mut impl FnMut(Letter) -> Option<String>) -> Option<()> {
    match piece {
        Piece::Text(text) => out.push_str(text),
        Piece::Macro(found) => {
            let value = transform(&value(found.letter)?, &found);
            if found.url_escape { url_escape(&value, out) } else { out.push_str(&value) }
        }
    }
    Some(())
}

/// Splits, turns round, keeps what stands on the right (section 7.3).
fn transform(value: &str, found: &Macro<'_>) -> String {
    if found.keep == 0 && !found.reverse && found.delimiters.is_empty() {
        return value.to_owned();
    }
    let delimiters = if found.delimiters.is_empty() { "." } else { found.delimiters };
    let mut parts: Vec<&str> = value.split(|c| delimiters.contains(c)).collect();
    if found.reverse {
        parts.reverse();
    }
    let from = if found.keep == 0 { 0 } else { parts.len().saturating_sub(found.keep) };
    parts.get(from..).unwrap_or_default().join(".")
}

/// RFC 3986 section 2.1: all but what is unreserved.
fn url_escape(value: &str, out: &mut String) {
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
}

#[cfg(test)]
#[path = "tests/macros.rs"]
mod tests;
