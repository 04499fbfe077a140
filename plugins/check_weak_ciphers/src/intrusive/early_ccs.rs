//! CCS injection (CVE-2014-0224): a ChangeCipherSpec before the key exchange. A server with the fault makes its keys
//! from a master secret of no bytes, which anybody can. So the proof is a handshake to its end under those keys: no
//! other server comes up with them.

use std::io::{Read, Write};

use super::client::{ALERT, CHANGE_CIPHER_SPEC, HANDSHAKE, Handshake};
use super::keys::Spec;
use super::{Finding, Suspect};
use crate::scan::connection::{Ending, Outcome};

/// What came of a try.
#[derive(Debug, PartialEq)]
pub(super) enum Early {
    Settled(Finding),
    /// The connection ended without a word, or with an alert that may be on something else.
    Unclear,
}

/// The alert on what comes at the wrong time.
const UNEXPECTED_MESSAGE: u8 = 10;
/// An alert that nobody sends who cannot read the Finished.
const DECRYPT_ERROR: u8 = 51;

/// Goes on under keys made from nothing.
pub(super) fn inject<S: Read + Write>(mut handshake: Handshake<S>, spec: Spec) -> Result<Early, Outcome> {
    const UNUSABLE: Outcome = Outcome::Violation("a key exchange that cannot be completed");
    let (messages, premaster) = handshake.key_exchange(spec.version).ok_or(UNUSABLE)?;
    let (mut client, mut server) = spec.keys(&[], &handshake.randoms).ok_or(UNUSABLE)?;
    let master = handshake.randoms.master(spec.hash(), &premaster);
    let (finished, _) = handshake.finished(spec, &master, &messages);
    let mut records = vec![(CHANGE_CIPHER_SPEC, vec![1])];
    for message in messages.iter().chain([&finished]) {
        records.push((HANDSHAKE, client.seal(HANDSHAKE, message).ok_or(UNUSABLE)?));
    }
    handshake.wire.send_all(&records);
    match handshake.await_change() {
        Ok(()) => {}
        Err(Outcome::Refused(Some(alert))) if alert.description == UNEXPECTED_MESSAGE => {
            return Ok(Early::Settled(refused()));
        }
        Err(Outcome::Refused(Some(alert))) if alert.description != DECRYPT_ERROR => {
            return Ok(Early::Unclear);
        }
        Err(Outcome::Ended(_)) => return Ok(Early::Unclear),
        Err(outcome) => return Err(outcome),
    }
    let (kind, fragment) = handshake.wire.receive()?;
    if server.open(kind, &fragment).is_none() {
        return Err(Outcome::Violation("a handshake that goes on under keys unknown"));
    }
    let text = "CVE-2014-0224: a handshake is completed under keys that were made from nothing";
    Ok(Early::Settled(Suspect::CcsInjection.vulnerable(text.to_owned())))
}

/// Sends nothing else, so that it is known what ends the connection.
pub(super) fn refuses<S: Read + Write>(mut handshake: Handshake<S>) -> Result<Finding, Outcome> {
    handshake.wire.send(CHANGE_CIPHER_SPEC, &[1]);
    loop {
        match handshake.wire.receive() {
            Ok((ALERT, alert)) if alert.first() == Some(&1) => {}
            Ok((ALERT, _)) | Err(Outcome::Ended(Ending::Closed | Ending::Reset)) => {
                return Ok(refused());
            }
            Ok(_) => return Err(Outcome::Violation("an answer to a ChangeCipherSpec that comes too early")),
            Err(Outcome::Silent) => {
                let text =
                    "a ChangeCipherSpec before the key exchange is taken, but no keys were shown with it";
                return Ok(Suspect::CcsInjection.unknown(text.to_owned()));
            }
            Err(outcome) => return Err(outcome),
        }
    }
}

fn refused() -> Finding {
    Suspect::CcsInjection.safe("the server refuses a ChangeCipherSpec before the key exchange")
}
