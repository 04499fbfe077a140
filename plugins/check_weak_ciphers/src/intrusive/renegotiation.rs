//! Renegotiation: a second ClientHello inside a connection. A server that answers it to a client that knows nothing of
//! RFC 5746 lets others put words in front of what that client says (CVE-2009-3555).

use std::io::{Read, Write};

use super::client::{ALERT, APPLICATION_DATA, HANDSHAKE, HELLO_REQUEST, Session, message};
use crate::scan::connection::Outcome;
use crate::wire::reader::Alert;
use crate::wire::server::{SERVER_HELLO, ServerHello};

/// What became of the second hello.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Again {
    /// A ServerHello.
    Accepted,
    /// With this alert.
    Refused(Alert),
    /// The connection was ended.
    Ended,
}

const CLOSE_NOTIFY: u8 = 0;
const NO_RENEGOTIATION: u8 = 100;
/// The longest message before a ServerHello; a server has nothing to say there.
const MAX_HANDSHAKE: usize = 1 << 16;

/// Sends the hello (a handshake message). No good-bye behind it: Node.js 0.10 falls over one in the middle of a handshake.
pub(super) fn renegotiate<S: Read + Write>(mut session: Session<S>, hello: &[u8]) -> Result<Again, Outcome> {
    session.send(HANDSHAKE, hello);
    let mut handshake = Vec::new();
    loop {
        match session.receive() {
            Ok((HANDSHAKE, bytes)) => {
                handshake.extend(bytes);
                if takes_part(&mut handshake)? {
                    return Ok(Again::Accepted);
                }
            }
            Ok((ALERT, alert)) => match *alert.as_slice() {
                [_, CLOSE_NOTIFY] => return Ok(Again::Ended),
                [level, description] if level == 2 || description == NO_RENEGOTIATION => {
                    return Ok(Again::Refused(Alert { fatal: level == 2, description }));
                }
                [_, _] => {}
                _ => return Err(Outcome::Violation("an alert that is not two bytes long")),
            },
            // A greeting, or what was on its way.
            Ok((APPLICATION_DATA, _)) => {}
            Ok(_) => return Err(Outcome::Violation("a record of a kind that has no place there")),
            Err(Outcome::Ended(_)) => return Ok(Again::Ended),
            Err(outcome) => return Err(outcome),
        }
    }
}

/// Whether the messages so far, which are taken off, have a ServerHello among them.
fn takes_part(handshake: &mut Vec<u8>) -> Result<bool, Outcome> {
    while let Some(&[kind, a, b, c]) = handshake.first_chunk() {
        let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        if length > MAX_HANDSHAKE {
            return Err(Outcome::Violation("a handshake message longer than allowed"));
        }
        let Some(body) = handshake.get(4..4 + length) else { return Ok(false) };
        match kind {
            SERVER_HELLO if ServerHello::read(body).is_some() => return Ok(true),
            SERVER_HELLO => return Err(Outcome::Violation("a ServerHello that cannot be read")),
            HELLO_REQUEST => {}
            _ => return Err(Outcome::Violation("a message before the ServerHello")),
        }
        handshake.drain(..message(kind, &[]).len() + length);
    }
    Ok(false)
}
