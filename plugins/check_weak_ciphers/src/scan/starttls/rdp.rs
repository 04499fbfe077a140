//! RDP ([MS-RDPBCGR] section 2.2.1.1): which security is spoken is asked in the first packet, an X.224 connection
//! request. CredSSP is TLS with a login in it, so the TLS of a server that demands it shows as well.

use std::io::{Read, Write};

use super::Stopped;

/// TPKT header, connection request, and a negotiation request for TLS (1) or CredSSP (2).
const REQUEST: [u8; 19] = [3, 0, 0, 19, 14, 0xe0, 0, 0, 0, 0, 0, 1, 0, 8, 0, 3, 0, 0, 0];

/// A TPKT header and what follows it at least: length, code, two references, class.
const HEADER: usize = 4;
const LEAST: usize = HEADER + 7;
/// A connection confirm has a negotiation response at most.
const MOST: usize = 512;

pub(super) fn begin(stream: &mut (impl Read + Write)) -> Result<(), Stopped> {
    stream.write_all(&REQUEST)?;
    let mut header = [0; HEADER];
    stream.read_exact(&mut header)?;
    let [version, _, high, low] = header;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if version != 3 || !(LEAST..=MOST).contains(&length) {
        return Err(Stopped::Foreign(header.to_vec()));
    }
    let mut body = vec![0; length - HEADER];
    stream.read_exact(&mut body)?;
    match body.as_slice() {
        [_, 0xd0..=0xdf, _, _, _, _, _, negotiation @ ..] => negotiated(negotiation),
        [_, 0x80..=0x8f, _, _, _, _, reason, ..] => {
            Err(Stopped::Busy(format!("disconnected for reason {reason}")))
        }
        _ => Err(Stopped::Foreign(body.into_iter().take(128).collect())),
    }
}

/// Reads the answer to the negotiation request; a server that knows none says nothing to it.
fn negotiated(answer: &[u8]) -> Result<(), Stopped> {
    let plain = || Err(Stopped::NotOffered("the server speaks the security of RDP alone".to_owned()));
    match answer {
        [] | [2, _, 8, 0, 0, 0, 0, 0] => plain(),
        // CredSSP also in the form with an early result.
        [2, _, 8, 0, 1 | 2 | 8, 0, 0, 0] => Ok(()),
        [3, _, 8, 0, code @ ..] => {
            let code = code.first_chunk().copied().map(u32::from_le_bytes).unwrap_or_default();
            Err(Stopped::NotOffered(failure(code)))
        }
        other => Err(Stopped::Foreign(other.iter().take(128).copied().collect())),
    }
}

/// Section 2.2.1.2.2.
fn failure(code: u32) -> String {
    let name = match code {
        1 => "SSL_REQUIRED_BY_SERVER",
        2 => "SSL_NOT_ALLOWED_BY_SERVER",
        3 => "SSL_CERT_NOT_ON_SERVER",
        4 => "INCONSISTENT_FLAGS",
        5 => "HYBRID_REQUIRED_BY_SERVER",
        6 => "SSL_WITH_USER_AUTH_REQUIRED_BY_SERVER",
        _ => return format!("failure {code}"),
    };
    name.to_owned()
}
