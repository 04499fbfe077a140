//! IRC with the command STARTTLS (IRCv3 `tls`, deprecated and still in use). Many servers say nothing to a command that
//! they do not know before a client has registered; most of them know CAP and list `tls` where they can.

use std::io::{Read, Write};

use super::{MAX_LINES, Stopped, line};

/// Its place among the answers tells whether a server that knows CAP knows STARTTLS.
const WISH: &[u8] = b"CAP LS\r\nSTARTTLS\r\n";
/// Answered before a client has registered; some servers ask more than once.
const MAX_PINGS: u8 = 3;

pub(super) fn begin(stream: &mut (impl Read + Write)) -> Result<(), Stopped> {
    stream.write_all(WISH)?;
    let mut pings = 0;
    let mut refusals = 0;
    // While it looks up names and idents a server says so.
    for turn in 0..MAX_LINES {
        let text = line(stream)?;
        let Some(message) = Message::read(&text) else {
            return Err(Stopped::Foreign(text.into_bytes()));
        };
        match message.command {
            "670" => return Ok(()),
            "691" | "ERROR" => return Err(Stopped::Busy(text)),
            "PING" if pings < MAX_PINGS => {
                pings += 1;
                let token = message.parameters.last().copied().unwrap_or_default();
                stream.write_all(format!("PONG :{token}\r\n").as_bytes())?;
            }
            "CAP" if message.lists_capabilities() => {
                refusals = 1;
                if message.lacks_tls() {
                    return Err(Stopped::NotOffered("tls is not among the capabilities".to_owned()));
                }
            }
            // Unknown command; not registered. Unless it says which, the first one is about CAP.
            "421" | "451" if message.names("STARTTLS") => return Err(Stopped::NotOffered(text)),
            "421" | "451" if message.names("CAP") => refusals = 1,
            "421" | "451" if refusals > 0 => return Err(Stopped::NotOffered(text)),
            "421" | "451" => refusals = 1,
            _ if turn == 0 && !message.is_usual() => return Err(Stopped::Foreign(text.into_bytes())),
            _ => {}
        }
    }
    Err(Stopped::NotOffered("no answer to STARTTLS".to_owned()))
}

/// A line (RFC 2812 section 2.3.1), without tags and prefix.
struct Message<'a> {
    has_prefix: bool,
    command: &'a str,
    parameters: Vec<&'a str>,
}

impl<'a> Message<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let rest = match line.strip_prefix('@') {
            Some(tagged) => tagged.split_once(' ')?.1,
            None => line,
        };
        let (has_prefix, rest) = match rest.strip_prefix(':') {
            Some(prefixed) => (true, prefixed.split_once(' ')?.1),
            None => (false, rest),
        };
        let (middle, trailing) = match rest.split_once(" :") {
            Some((middle, trailing)) => (middle, Some(trailing)),
            None => (rest, None),
        };
        let mut words = middle.split_ascii_whitespace();
        let command = words.next()?;
        Some(Self { has_prefix, command, parameters: words.chain(trailing).collect() })
    }

    /// Whether it is what a server begins with.
    fn is_usual(&self) -> bool {
        self.has_prefix || matches!(self.command, "NOTICE" | "PING" | "CAP")
    }

    fn names(&self, command: &str) -> bool {
        self.parameters.iter().any(|one| one.eq_ignore_ascii_case(command))
    }

    fn lists_capabilities(&self) -> bool {
        self.parameters.get(1).is_some_and(|word| word.eq_ignore_ascii_case("LS"))
    }

    /// With an asterisk in front of the list there are more to come.
    fn lacks_tls(&self) -> bool {
        let list = self.parameters.last().copied().unwrap_or_default();
        let has_tls = list.split_ascii_whitespace().any(|one| one == "tls" || one.starts_with("tls="));
        !has_tls && self.parameters.get(2) != Some(&"*")
    }
}
