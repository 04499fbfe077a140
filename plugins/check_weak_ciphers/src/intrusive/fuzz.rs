//! What a server says behind a handshake, for the fuzz target: with keys that both sides know.

use std::io::{Read, Write};
use std::time::Duration;

use super::client::{Handshake, Session, Wire};
use super::keys::{Cipher, Keys, Randoms, Spec};
use super::renegotiation::{Again, renegotiate};
use super::{Verdict, early_ccs, heartbleed};
use crate::scan::connection::Outcome;
use crate::version::Version;

const SPEC: Spec = Spec { version: Version::Tls12, cipher: Cipher::Aes128Gcm };
const RANDOMS: Randoms = Randoms { client: [1; 32], server: [2; 32] };

/// The server's end, which can encrypt.
#[derive(Debug)]
pub struct ServerSide(Keys);

impl ServerSide {
    /// At its first record.
    #[must_use]
    pub fn new() -> Option<Self> {
        SPEC.keys(&[], &RANDOMS).map(|(_, server)| Self(server))
    }

    /// The next record of this type, encrypted.
    pub fn record(&mut self, kind: u8, plain: &[u8]) -> Option<Vec<u8>> {
        let fragment = self.0.seal(kind, plain)?;
        let length = u16::try_from(fragment.len()).ok()?.to_be_bytes();
        Some([&[kind, 3, 3], &length[..], &fragment].concat())
    }
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A fault was shown.
    Vulnerable,
    /// It was not there.
    Safe,
    /// No answer in time.
    Silent,
    /// Nothing that means anything.
    Other,
}

/// The answer to a second hello.
pub fn second_hello(stream: &mut (impl Read + Write)) -> Answer {
    match session(stream).map(|session| renegotiate(session, b"hello")) {
        Some(Ok(Again::Accepted)) => Answer::Vulnerable,
        Some(Ok(Again::Refused(_) | Again::Ended)) => Answer::Safe,
        Some(Err(Outcome::Silent)) => Answer::Silent,
        _ => Answer::Other,
    }
}

/// The answer to a heartbeat without a payload.
pub fn empty_heartbeat(stream: &mut (impl Read + Write)) -> Answer {
    let found = session(stream).map(|session| heartbleed::heartbleed(session, Duration::ZERO));
    found.map_or(Answer::Other, answer)
}

/// The answer to a hello, and to a change of cipher too early.
pub fn early_change(stream: &mut (impl Read + Write)) -> Answer {
    let wire = Wire::new(stream, Version::Tls12.code());
    answer(Handshake::begin(wire, b"hello", RANDOMS.client).and_then(early_ccs::refuses))
}

fn session<S: Read + Write>(stream: S) -> Option<Session<S>> {
    let (client, server) = SPEC.keys(&[], &RANDOMS)?;
    Some(Session::new(Wire::new(stream, SPEC.version.code()), client, server))
}

fn answer(found: Result<super::Finding, Outcome>) -> Answer {
    match found {
        Ok(finding) if finding.verdict == Verdict::Vulnerable => Answer::Vulnerable,
        Ok(finding) if finding.verdict == Verdict::Safe => Answer::Safe,
        Err(Outcome::Silent) => Answer::Silent,
        _ => Answer::Other,
    }
}
