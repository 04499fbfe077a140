//! NNTP (RFC 4642).

use std::io::{Read, Write};

use super::{Stopped, line};

pub(super) fn begin(stream: &mut (impl Read + Write)) -> Result<(), Stopped> {
    greeting(stream)?;
    stream.write_all(b"STARTTLS\r\n")?;
    match coded(stream)? {
        (382, _) => Ok(()),
        // A server for feeds has to become one for readers first (RFC 3977 section 3.4.2).
        (401, _) => {
            stream.write_all(b"MODE READER\r\n")?;
            greeting(stream)?;
            stream.write_all(b"STARTTLS\r\n")?;
            match coded(stream)? {
                (382, _) => Ok(()),
                (code, text) => Err(refused(code, text)),
            }
        }
        (code, text) => Err(refused(code, text)),
    }
}

/// 200 and 201 differ in whether articles may be posted.
fn greeting(stream: &mut impl Read) -> Result<(), Stopped> {
    match coded(stream)? {
        (200 | 201, _) => Ok(()),
        (code @ 400..=599, text) => Err(refused(code, text)),
        (_, text) => Err(Stopped::Foreign(text.into_bytes())),
    }
}

/// 400: not in service now; 403: an internal fault; 580: TLS is known and cannot begin.
fn refused(code: u16, text: String) -> Stopped {
    if matches!(code, 400 | 403 | 580) { Stopped::Busy(text) } else { Stopped::NotOffered(text) }
}

fn coded(stream: &mut impl Read) -> Result<(u16, String), Stopped> {
    let text = line(stream)?;
    let code = text.get(..3).filter(|code| code.bytes().all(|byte| byte.is_ascii_digit()));
    match code.and_then(|code| code.parse().ok()) {
        Some(code) if matches!(text.as_bytes().get(3), None | Some(b' ')) => Ok((code, text)),
        _ => Err(Stopped::Foreign(text.into_bytes())),
    }
}
