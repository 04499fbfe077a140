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

/// Servers that know the option ask for it first, and some drop what comes before they do; only where something else
/// comes first it is for us to begin.
pub(super) fn begin(stream: &mut (impl Read + Write)) -> Result<(), Stopped> {
    let mut parts = Parts { stream, greeting: Vec::new(), is_telnet: false, count: 0 };
    let (mut willing, mut following) = (false, false);
    loop {
        let part = parts.next()?;
        if let Part::Option(DONT, START_TLS) = part {
            return Err(Stopped::NotOffered("the server does not want START_TLS".to_owned()));
        }
        let mut words = Vec::new();
        if !willing {
            willing = true;
            words.extend([IAC, WILL, START_TLS]);
        }
        let follows = matches!(&part, Part::Held(held) if *held == [START_TLS, FOLLOWS]);
        if !following && (follows || matches!(part, Part::Option(DO, START_TLS))) {
            following = true;
            words.extend([IAC, SB, START_TLS, FOLLOWS, IAC, SE]);
        }
        if !words.is_empty() {
            // At once: a server that answers the first of two before it reads the second (C-Kermit) then reads the
            // hello along with that, and never takes it for one.
            parts.say(&words);
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
    /// Anything else.
    Other,
}

struct Parts<'a, S> {
    stream: &'a mut S,
    greeting: Vec<u8>,
    is_telnet: bool,
    count: usize,
}

impl<S: Read + Write> Parts<'_, S> {
    /// To whom has gone already: what was said before is still to be read.
    fn say(&mut self, words: &[u8]) {
        let _ = self.stream.write_all(words);
    }

    fn next(&mut self) -> Result<Part, Stopped> {
        if self.byte()? != IAC {
            return Ok(Part::Other);
        }
        match self.byte()? {
            command @ WILL..=DONT => {
                self.is_telnet = true;
                Ok(Part::Option(command, self.byte()?))
            }
            SB => self.held(),
            _ => Ok(Part::Other),
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
