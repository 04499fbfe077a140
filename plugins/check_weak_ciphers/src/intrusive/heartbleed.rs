//! Heartbleed (CVE-2014-0160): a heartbeat request that says it has a payload and has none. RFC 6520 section 4 wants
//! it discarded; a server with the fault answers with as many bytes of its memory.
//!
//! No more is asked for than proves it, and what comes back is counted and thrown away.

use std::io::{Read, Write};
use std::thread;
use std::time::Duration;

use super::client::{ALERT, HEARTBEAT, Session};
use super::{Finding, Suspect};
use crate::scan::connection::Outcome;

const REQUEST: u8 = 1;
const RESPONSE: u8 = 2;
/// Payload that is said to be there. What lies behind a record is the server's last record from us: our own hello.
const CLAIMED: u8 = 32;
/// Between the request and the end: some servers look at what comes together with something else only when more comes.
pub(super) const PAUSE: Duration = Duration::from_millis(200);
const CLOSE_NOTIFY: [u8; 2] = [1, 0];

/// Tries it on a server that has shown that it takes heartbeats. Encrypted, so that nobody else sees what comes back; and
/// in the middle of a handshake OpenSSL keeps an answer back until it has 4096 bytes of them.
pub(super) fn heartbleed<S: Read + Write>(
    mut session: Session<S>,
    pause: Duration,
) -> Result<Finding, Outcome> {
    session.send(HEARTBEAT, &[REQUEST, 0, CLAIMED]);
    thread::sleep(pause);
    // It reads one after the other. When it has come to this it has not answered what was before.
    session.send(ALERT, &CLOSE_NOTIFY);
    loop {
        match session.receive() {
            Ok((HEARTBEAT, response)) => {
                if let Some(leaked) = leaked(&response) {
                    let text = format!(
                        "CVE-2014-0160: {leaked} bytes of its memory for a heartbeat request without payload"
                    );
                    return Ok(Suspect::Heartbleed.vulnerable(text));
                }
            }
            Ok(_) => {}
            Err(Outcome::Ended(_)) => {
                return Ok(
                    Suspect::Heartbleed.safe("the server discards a heartbeat request without payload")
                );
            }
            Err(outcome) => return Err(outcome),
        }
    }
}

/// How many bytes that were never sent come back in a response.
fn leaked(response: &[u8]) -> Option<usize> {
    let (header, payload) = response.split_first_chunk::<3>()?;
    let [kind, high, low] = *header;
    let length = usize::from(u16::from_be_bytes([high, low])).min(payload.len());
    (kind == RESPONSE && length > 0).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_payload_in_a_response_leaks() {
        assert_eq!(leaked(&[2, 0, 4, 1, 2, 3, 4, 9, 9]), Some(4));
        assert_eq!(leaked(&[2, 0xff, 0xff, 1, 2]), Some(2));
        for harmless in [&[][..], &[2], &[2, 0, 0, 9, 9, 9], &[1, 0, 4, 1, 2, 3, 4], &[2, 0, 9]] {
            assert_eq!(leaked(harmless), None, "{harmless:?}");
        }
    }
}
