//! ManageSieve (RFC 5804): the server begins with its capabilities, each on a line, and an OK.

use std::io::{Read, Write};

use super::{MAX_LINE, MAX_LINES, Stopped, line};

pub(super) fn begin(stream: &mut (impl Read + Write)) -> Result<(), Stopped> {
    let capabilities = answer(stream)?;
    let offers = |line: &String| {
        line.split('"').nth(1).is_some_and(|name| name.trim_end().eq_ignore_ascii_case("STARTTLS"))
    };
    if !capabilities.iter().any(offers) {
        return Err(Stopped::NotOffered("STARTTLS is not among the capabilities".to_owned()));
    }
    stream.write_all(b"STARTTLS\r\n")?;
    answer(stream).map(|_| ())
}

/// The lines in front of an OK. There is no word for an unknown command: NO is a failure of what was offered.
fn answer(stream: &mut impl Read) -> Result<Vec<String>, Stopped> {
    let mut lines = Vec::new();
    for _ in 0..MAX_LINES {
        let text = whole_line(stream)?;
        let word = text.split([' ', '(']).next().unwrap_or_default().to_ascii_uppercase();
        match word.as_str() {
            "OK" => return Ok(lines),
            "BYE" if text.to_ascii_uppercase().contains("(REFERRAL") => {
                return Err(Stopped::Elsewhere(text));
            }
            "NO" | "BYE" => return Err(Stopped::Busy(text)),
            _ if text.starts_with('"') => lines.push(text),
            _ => return Err(Stopped::Foreign(text.into_bytes())),
        }
    }
    Err(Stopped::Foreign(lines.swap_remove(0).into_bytes()))
}

/// A line with its literals (section 4: `{5}`, and as many bytes behind the line's end) in quotes.
fn whole_line(stream: &mut impl Read) -> Result<String, Stopped> {
    let mut whole = line(stream)?;
    while let Some((start, length)) = literal(&whole) {
        let mut bytes = vec![0; length];
        stream.read_exact(&mut bytes)?;
        whole = format!("{start}\"{}\"{}", String::from_utf8_lossy(&bytes), line(stream)?);
        if whole.len() > MAX_LINE {
            return Err(Stopped::Foreign(whole.into_bytes().into_iter().take(128).collect()));
        }
    }
    Ok(whole)
}

/// What stands before the literal that a line announces, and its length.
fn literal(line: &str) -> Option<(&str, usize)> {
    let (start, digits) = line.strip_suffix('}')?.rsplit_once('{')?;
    let length = digits.trim_end_matches('+').parse().ok().filter(|length| *length <= MAX_LINE)?;
    Some((start, length))
}
