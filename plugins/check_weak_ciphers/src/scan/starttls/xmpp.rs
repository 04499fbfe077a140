//! XMPP (RFC 6120 section 5): a stream is opened to a name, the server lists its features, and TLS begins after
//! `<proceed/>`. The XML is read tag by tag, no further than the answer goes.

use std::io::{Read, Write};

use super::Stopped;

/// For clients or for other servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

impl Side {
    const fn namespace(self) -> &'static str {
        match self {
            Self::Client => "jabber:client",
            Self::Server => "jabber:server",
        }
    }
}

const STARTTLS: &[u8] = b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";

/// Bytes of one answer: a header with its features, or what follows the wish for TLS.
const MAX_ANSWER: usize = 16 * 1024;
/// What is kept of an answer that is none.
const SHOWN: usize = 128;

pub(super) fn begin(stream: &mut (impl Read + Write), side: Side, name: &str) -> Result<(), Stopped> {
    let header = format!(
        "<?xml version='1.0'?><stream:stream xmlns='{}' xmlns:stream='http://etherx.jabber.org/streams' to='{name}' \
         version='1.0'>",
        side.namespace()
    );
    stream.write_all(header.as_bytes())?;
    let mut tags = Tags::new(stream);
    let opening = tags.opening()?;
    if !opening.text.contains("version=") {
        return Err(Stopped::NotOffered("a stream without a version has no features".to_owned()));
    }
    let answer = tags.element()?;
    if answer.name != "features" {
        return Err(refused(&answer));
    }
    if !answer.children.iter().any(|child| child == "starttls") {
        return Err(Stopped::NotOffered("starttls is not among the features".to_owned()));
    }
    stream.write_all(STARTTLS)?;
    let answer = Tags::new(stream).element()?;
    match answer.name.as_str() {
        "proceed" => Ok(()),
        // It was offered, and cannot be done (section 5.4.2.2).
        "failure" => Err(Stopped::Busy("failure".to_owned())),
        _ => Err(refused(&answer)),
    }
}

/// Conditions of a stream that may pass (section 4.9.3).
const PASSING: [&str; 7] = [
    "connection-timeout",
    "internal-server-error",
    "policy-violation",
    "remote-connection-failed",
    "reset",
    "resource-constraint",
    "system-shutdown",
];
/// Those that are about the name that was asked for.
const ELSEWHERE: [&str; 4] = ["host-gone", "host-unknown", "improper-addressing", "see-other-host"];

/// What an element means that was not wanted.
fn refused(element: &Element) -> Stopped {
    let names = |known: &[&str]| element.children.iter().any(|child| known.contains(&child.as_str()));
    match element.name.as_str() {
        "error" if names(&ELSEWHERE) => Stopped::Elsewhere(element.words()),
        "error" if names(&PASSING) => Stopped::Busy(element.words()),
        "error" => Stopped::NotOffered(element.words()),
        name => Stopped::Foreign(name.bytes().take(SHOWN).collect()),
    }
}

/// A tag without its brackets.
#[derive(Debug)]
struct Tag {
    text: String,
}

impl Tag {
    /// The name without a prefix.
    fn name(&self) -> &str {
        let name = self.text.trim_start_matches('/');
        let end = name.find(|c: char| c.is_ascii_whitespace() || c == '/').unwrap_or(name.len());
        let name = name.get(..end).unwrap_or_default();
        name.rsplit(':').next().unwrap_or_default()
    }

    fn is_end(&self) -> bool {
        self.text.starts_with('/')
    }

    fn is_empty(&self) -> bool {
        self.text.ends_with('/')
    }

    /// Declarations, comments and the like.
    fn is_aside(&self) -> bool {
        self.text.starts_with(['?', '!'])
    }
}

/// An element below the stream.
#[derive(Debug, Default)]
struct Element {
    name: String,
    /// Names of what is in it, at any depth.
    children: Vec<String>,
    /// The text in it.
    text: String,
}

impl Element {
    /// The condition of an error and its text.
    fn words(&self) -> String {
        let condition = self.children.first().map_or(self.name.as_str(), String::as_str);
        let text = self.text.trim();
        let all = if text.is_empty() { condition.to_owned() } else { format!("{condition}: {text}") };
        all.chars().take(SHOWN).collect()
    }
}

/// Reads tags byte by byte: what follows the last one belongs to TLS.
struct Tags<'a, S> {
    stream: &'a mut S,
    read: Vec<u8>,
}

impl<'a, S: Read> Tags<'a, S> {
    fn new(stream: &'a mut S) -> Self {
        Self { stream, read: Vec::new() }
    }

    /// The start of the stream.
    fn opening(&mut self) -> Result<Tag, Stopped> {
        loop {
            let (text, tag) = self.tag()?;
            if !text.is_empty() || !(tag.is_aside() || tag.name() == "stream" && !tag.is_end()) {
                return Err(self.foreign());
            }
            if !tag.is_aside() {
                return Ok(tag);
            }
        }
    }

    /// A whole element.
    fn element(&mut self) -> Result<Element, Stopped> {
        let mut element = Element::default();
        let mut depth = 0_usize;
        loop {
            let (text, tag) = self.tag()?;
            if depth > 0 {
                element.text.push_str(&text);
            } else if !text.is_empty() || tag.is_end() {
                return Err(self.foreign());
            }
            if tag.is_aside() {
                continue;
            }
            if tag.is_end() {
                depth -= 1;
            } else if depth == 0 {
                tag.name().clone_into(&mut element.name);
            } else {
                element.children.push(tag.name().to_owned());
            }
            depth += usize::from(!tag.is_end() && !tag.is_empty());
            if depth == 0 {
                return Ok(element);
            }
        }
    }

    /// The next tag and the text before it.
    fn tag(&mut self) -> Result<(String, Tag), Stopped> {
        let mut text = Vec::new();
        loop {
            match self.byte()? {
                b'<' => break,
                other => text.push(other),
            }
        }
        let mut tag = Vec::new();
        let mut quote = None;
        loop {
            let byte = self.byte()?;
            match (quote, byte) {
                (None, b'>') => break,
                (None, b'\'' | b'"') => quote = Some(byte),
                (Some(open), _) if open == byte => quote = None,
                _ => {}
            }
            tag.push(byte);
        }
        let text = String::from_utf8_lossy(&text).trim().to_owned();
        Ok((text, Tag { text: String::from_utf8_lossy(&tag).into_owned() }))
    }

    fn byte(&mut self) -> Result<u8, Stopped> {
        let mut byte = [0];
        if self.stream.read(&mut byte)? == 0 {
            return Err(Stopped::Failed(std::io::ErrorKind::UnexpectedEof));
        }
        self.read.extend(byte);
        let [byte] = byte;
        // Text in front of the first tag is no XML, and may never end.
        let is_stray = self.read.first().is_some_and(|first| *first != b'<' && !first.is_ascii_whitespace());
        if is_stray && byte == b'\n' || self.read.len() > MAX_ANSWER {
            return Err(self.foreign());
        }
        Ok(byte)
    }

    fn foreign(&self) -> Stopped {
        Stopped::Foreign(self.read.iter().take(SHOWN).copied().collect())
    }
}
