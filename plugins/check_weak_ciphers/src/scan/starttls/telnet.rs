//! Telnet with the option START_TLS (draft-altman-telnet-starttls): both sides agree on the option, and TLS begins when
//! each has said that it follows. Other options are left unanswered, for TLS makes all of them start anew.

use std::io::{ErrorKind, Read, Write};

use super::Stopped;

const SE: u8 = 240;
const SB: u8 = 250;
const WILL: u8 = 251;
const DO: u8 = 253;
const DONT: u8 = 254;
const IAC: u8 = 255;
const START_TLS: u8 = 46;
const FOLLOWS: u8 = 1;

/// Bytes before the answer: a banner, and the other options.
const MAX_BYTES: usize = 64 * 1024;
/// Of what a subnegotiation holds.
const MAX_HELD: usize = 16;
/// What is kept of a greeting.
const SHOWN: usize = 128;

/// Whether a greeting asks for an option, as a Telnet server's does.
pub(super) fn greets(greeting: &[u8]) -> bool {
    matches!(greeting, [IAC, WILL | DO, ..])
}

pub(super) fn begin(stream: &mut (impl Read + Write)) -> Result<(), Stopped> {
    stream.write_all(&[IAC, WILL, START_TLS])?;
    let mut parts = Parts { stream, greeting: Vec::new(), is_telnet: false, count: 0 };
    let mut agreed = false;
    loop {
        let part = parts.next()?;
        let follows = match part {
            Part::Option(DONT, START_TLS) => {
                return Err(Stopped::NotOffered("the server does not want START_TLS".to_owned()));
            }
            Part::Option(DO, START_TLS) => false,
            Part::Held(held) if held == [START_TLS, FOLLOWS] => true,
            Part::Option(..) | Part::Held(_) => continue,
        };
        if !agreed {
            agreed = true;
            parts.stream.write_all(&[IAC, SB, START_TLS, FOLLOWS, IAC, SE])?;
        }
        if follows {
            return Ok(());
        }
    }
}

/// What matters of a conversation.
enum Part {
    /// WILL, WON'T, DO or DON'T, and the option.
    Option(u8, u8),
    /// A subnegotiation.
    Held(Vec<u8>),
}

struct Parts<'a, S> {
    stream: &'a mut S,
    greeting: Vec<u8>,
    is_telnet: bool,
    count: usize,
}

impl<S: Read> Parts<'_, S> {
    fn next(&mut self) -> Result<Part, Stopped> {
        loop {
            if self.byte()? != IAC {
                continue;
            }
            match self.byte()? {
                command @ WILL..=DONT => {
                    self.is_telnet = true;
                    return Ok(Part::Option(command, self.byte()?));
                }
                SB => return self.held(),
                _ => {}
            }
        }
    }

    /// Up to IAC SE; IAC IAC is one byte of it.
    fn held(&mut self) -> Result<Part, Stopped> {
        let mut held = Vec::new();
        loop {
            let byte = match self.byte()? {
                IAC => match self.byte()? {
                    SE => return Ok(Part::Held(held)),
                    escaped => escaped,
                },
                other => other,
            };
            if held.len() < MAX_HELD {
                held.push(byte);
            }
        }
    }

    fn byte(&mut self) -> Result<u8, Stopped> {
        let mut byte = [0];
        match self.stream.read(&mut byte) {
            Ok(0) => return Err(self.ended(ErrorKind::UnexpectedEof)),
            Ok(_) => self.count += 1,
            Err(error) => return Err(self.ended(error.kind())),
        }
        if self.count > MAX_BYTES {
            return Err(Stopped::Foreign(std::mem::take(&mut self.greeting)));
        }
        if self.greeting.len() < SHOWN {
            self.greeting.extend(byte);
        }
        let [byte] = byte;
        Ok(byte)
    }

    /// What spoke without a single option was no Telnet server.
    fn ended(&mut self, kind: ErrorKind) -> Stopped {
        if self.is_telnet || self.greeting.is_empty() {
            Stopped::Failed(kind)
        } else {
            Stopped::Foreign(std::mem::take(&mut self.greeting))
        }
    }
}
