//! The words before TLS begins in the middle of a conversation, and nothing more of each
//! protocol: greeting, hello, STARTTLS.

use std::fmt;
use std::io::{Read, Write};
use std::str::FromStr;

use common::cli::BadValue;
use serde::{Deserialize, Serialize};

mod irc;
mod nntp;
mod rdp;
mod sieve;
mod telnet;
#[cfg(test)]
mod tests;
mod xmpp;

/// A protocol in which TLS is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Protocol {
    /// RFC 3207
    Smtp,
    /// RFC 2033 with RFC 3207
    Lmtp,
    /// RFC 9051 section 6.2.1
    Imap,
    /// RFC 2595 section 4
    Pop3,
    /// RFC 4217
    Ftp,
    /// RFC 4511 section 4.14
    Ldap,
    /// PostgreSQL's SSLRequest
    Postgres,
    /// MySQL's SSLRequest
    Mysql,
    /// RFC 6120 section 5
    XmppClient,
    /// The same between servers
    XmppServer,
    /// RFC 5804
    Sieve,
    /// RFC 4642
    Nntp,
    /// The command STARTTLS of IRCv3
    Irc,
    /// [MS-RDPBCGR] section 5.4
    Rdp,
    /// draft-altman-telnet-starttls
    Telnet,
}

/// Why TLS did not begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// The server does not offer it, in its words.
    NotOffered(String),
    /// The server refuses for now: 421, 454, too many connections.
    Busy(String),
    /// The server does not serve the name, or sends its clients elsewhere, in its words.
    Elsewhere(String),
    /// It speaks another protocol.
    Foreign(Vec<u8>),
    /// The connection ended or failed.
    Failed(std::io::ErrorKind),
}

impl From<std::io::Error> for Stopped {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.kind())
    }
}

impl Protocol {
    pub(crate) const ALL: [(&'static str, Self); 15] = [
        ("smtp", Self::Smtp),
        ("lmtp", Self::Lmtp),
        ("imap", Self::Imap),
        ("pop3", Self::Pop3),
        ("ftp", Self::Ftp),
        ("ldap", Self::Ldap),
        ("postgres", Self::Postgres),
        ("mysql", Self::Mysql),
        ("xmpp-client", Self::XmppClient),
        ("xmpp-server", Self::XmppServer),
        ("sieve", Self::Sieve),
        ("nntp", Self::Nntp),
        ("irc", Self::Irc),
        ("rdp", Self::Rdp),
        ("telnet", Self::Telnet),
    ];

    /// What a port speaks before TLS, by IANA's registry and habit; `None` for TLS at once.
    pub(crate) const fn of_port(port: u16) -> Option<Self> {
        match port {
            25 | 587 | 2525 => Some(Self::Smtp),
            24 => Some(Self::Lmtp),
            143 => Some(Self::Imap),
            110 => Some(Self::Pop3),
            21 => Some(Self::Ftp),
            389 | 3268 => Some(Self::Ldap),
            5432 => Some(Self::Postgres),
            3306 => Some(Self::Mysql),
            5222 => Some(Self::XmppClient),
            5269 => Some(Self::XmppServer),
            4190 => Some(Self::Sieve),
            119 => Some(Self::Nntp),
            6665..=6669 => Some(Self::Irc),
            3389 => Some(Self::Rdp),
            23 => Some(Self::Telnet),
            _ => None,
        }
    }

    /// What a greeting belongs to.
    pub(crate) fn of_greeting(greeting: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(greeting).to_ascii_uppercase();
        let mysql = greeting.get(3) == Some(&0) && matches!(greeting.get(4), Some(10 | 0xff));
        match () {
            () if text.starts_with("* OK") || text.starts_with("* PREAUTH") => Some(Self::Imap),
            () if text.starts_with("+OK") => Some(Self::Pop3),
            () if text.starts_with("220") && text.contains("LMTP") => Some(Self::Lmtp),
            () if text.starts_with("220") && text.contains("SMTP") => Some(Self::Smtp),
            () if text.starts_with("220") => Some(Self::Ftp),
            () if text.starts_with("\"IMPLEMENTATION\"") => Some(Self::Sieve),
            () if text.starts_with("200 ") || text.starts_with("201 ") => Some(Self::Nntp),
            () if text.contains("JABBER:CLIENT") => Some(Self::XmppClient),
            () if text.contains("JABBER:SERVER") => Some(Self::XmppServer),
            () if text.starts_with("NOTICE ") || text.starts_with(':') && text.contains(" NOTICE ") => {
                Some(Self::Irc)
            }
            () if mysql => Some(Self::Mysql),
            () if telnet::greets(greeting) => Some(Self::Telnet),
            () => None,
        }
    }

    /// Speaks up to the point where a ClientHello may be sent, with the server of this name where one is wanted.
    pub(crate) fn begin(self, stream: &mut (impl Read + Write), name: &str) -> Result<(), Stopped> {
        match self {
            Self::Smtp => replies(stream, "EHLO vedette.invalid"),
            Self::Lmtp => replies(stream, "LHLO vedette.invalid"),
            Self::Ftp => ftp(stream),
            Self::Imap => imap(stream),
            Self::Pop3 => pop3(stream),
            Self::Ldap => ldap(stream),
            Self::Postgres => postgres(stream),
            Self::Mysql => mysql(stream),
            Self::XmppClient => xmpp::begin(stream, xmpp::Side::Client, name),
            Self::XmppServer => xmpp::begin(stream, xmpp::Side::Server, name),
            Self::Sieve => sieve::begin(stream),
            Self::Nntp => nntp::begin(stream),
            Self::Irc => irc::begin(stream),
            Self::Rdp => rdp::begin(stream),
            Self::Telnet => telnet::begin(stream),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::ALL.iter().find(|(_, one)| one == self).map_or("", |(name, _)| *name))
    }
}

impl FromStr for Protocol {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().find(|(name, _)| *name == text);
        let names = || Self::ALL.map(|(name, _)| name).join(", ");
        found
            .map(|(_, one)| *one)
            .ok_or_else(|| BadValue::new(format!("'{text}' is not one of auto, none, {}", names())))
    }
}

/// The longest line, and the most lines, a greeting may have.
const MAX_LINE: usize = 4096;
const MAX_LINES: usize = 200;

/// Reads a line byte by byte: what follows the last one belongs to TLS.
fn line(stream: &mut impl Read) -> Result<String, Stopped> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    loop {
        if stream.read(&mut byte)? == 0 {
            return Err(Stopped::Failed(std::io::ErrorKind::UnexpectedEof));
        }
        match byte {
            [b'\n'] => break,
            [other] => bytes.push(other),
        }
        if bytes.len() > MAX_LINE {
            return Err(Stopped::Foreign(bytes.into_iter().take(128).collect()));
        }
    }
    Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned())
}

/// A reply of three digits, its lines together (RFC 5321 section 4.2).
fn reply(stream: &mut impl Read) -> Result<Vec<String>, Stopped> {
    let mut lines = Vec::new();
    for _ in 0..MAX_LINES {
        let text = line(stream)?;
        let code_ok = text.len() >= 3 && text.bytes().take(3).all(|b| b.is_ascii_digit());
        if !code_ok {
            return Err(Stopped::Foreign(text.into_bytes()));
        }
        let goes_on = text.as_bytes().get(3) == Some(&b'-');
        lines.push(text);
        if !goes_on {
            return Ok(lines);
        }
    }
    Err(Stopped::Foreign(lines.swap_remove(0).into_bytes()))
}

/// The reply, when its first digit is the wanted one.
fn wanted(stream: &mut impl Read, class: char) -> Result<Vec<String>, Stopped> {
    let lines = reply(stream)?;
    let last = lines.last().cloned().unwrap_or_default();
    match last.chars().next() {
        Some(first) if first == class => Ok(lines),
        Some('4') => Err(Stopped::Busy(last)),
        _ => Err(Stopped::NotOffered(last)),
    }
}

/// SMTP and LMTP.
fn replies(stream: &mut (impl Read + Write), hello: &str) -> Result<(), Stopped> {
    wanted(stream, '2')?;
    stream.write_all(format!("{hello}\r\n").as_bytes())?;
    let offered = wanted(stream, '2')?;
    let offers =
        |line: &String| line.get(4..).is_some_and(|word| word.trim().eq_ignore_ascii_case("STARTTLS"));
    if !offered.iter().any(offers) {
        return Err(Stopped::NotOffered("STARTTLS is not among the extensions".to_owned()));
    }
    stream.write_all(b"STARTTLS\r\n")?;
    wanted(stream, '2').map(|_| ())
}

fn ftp(stream: &mut (impl Read + Write)) -> Result<(), Stopped> {
    wanted(stream, '2')?;
    stream.write_all(b"AUTH TLS\r\n")?;
    wanted(stream, '2').map(|_| ())
}

fn imap(stream: &mut (impl Read + Write)) -> Result<(), Stopped> {
    let greeting = line(stream)?;
    if !greeting.starts_with("* OK") {
        return Err(if greeting.starts_with("* ") {
            Stopped::Busy(greeting)
        } else {
            Stopped::Foreign(greeting.into_bytes())
        });
    }
    stream.write_all(b"a STARTTLS\r\n")?;
    tagged(stream, "a OK")
}

/// Lines up to the one that answers our command.
fn tagged(stream: &mut impl Read, good: &str) -> Result<(), Stopped> {
    for _ in 0..MAX_LINES {
        let text = line(stream)?;
        if text.to_ascii_uppercase().starts_with(&good.to_ascii_uppercase()) {
            return Ok(());
        }
        if !text.starts_with("* ") {
            // NO is a failure of what is known, BAD what is not known (RFC 9051 section 7.1).
            let fails = text.to_ascii_uppercase().starts_with("A NO");
            return Err(if fails { Stopped::Busy(text) } else { Stopped::NotOffered(text) });
        }
    }
    Err(Stopped::NotOffered("no answer to STARTTLS".to_owned()))
}

fn pop3(stream: &mut (impl Read + Write)) -> Result<(), Stopped> {
    let greeting = line(stream)?;
    if !greeting.starts_with("+OK") {
        return Err(if greeting.starts_with("-ERR") {
            Stopped::Busy(greeting)
        } else {
            Stopped::Foreign(greeting.into_bytes())
        });
    }
    stream.write_all(b"STLS\r\n")?;
    let answer = line(stream)?;
    match answer {
        good if good.starts_with("+OK") => Ok(()),
        // RFC 3206 section 4: a failure that may pass.
        later if later.contains("[SYS/TEMP]") => Err(Stopped::Busy(later)),
        other => Err(Stopped::NotOffered(other)),
    }
}

/// An ExtendedRequest with the OID of StartTLS, in BER.
const LDAP_STARTTLS: &[u8] = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";

/// The answer is an ExtendedResponse (tag 0x78) whose resultCode is an ENUMERATED in front.
fn ldap(stream: &mut (impl Read + Write)) -> Result<(), Stopped> {
    stream.write_all(LDAP_STARTTLS)?;
    let mut header = [0; 2];
    stream.read_exact(&mut header)?;
    let [tag, length] = header;
    // A short answer has a length of one byte; longer ones say how many bytes follow.
    let mut more = vec![0; if length < 0x80 { 0 } else { usize::from(length & 0x7f).min(4) }];
    stream.read_exact(&mut more)?;
    let length = if length < 0x80 {
        usize::from(length)
    } else {
        more.iter().fold(0, |sum: usize, byte| sum << 8 | usize::from(*byte))
    };
    if tag != 0x30 || length > MAX_LINE {
        return Err(Stopped::Foreign(header.to_vec()));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    let result =
        body.windows(3).find(|window| window.starts_with(&[0x0a, 1])).and_then(|window| window.last());
    match result {
        Some(0) => Ok(()),
        // busy, unavailable
        Some(code @ (51 | 52)) => Err(Stopped::Busy(format!("LDAP result {code}"))),
        Some(code) => Err(Stopped::NotOffered(format!("LDAP result {code}"))),
        None => Err(Stopped::Foreign(body.into_iter().take(128).collect())),
    }
}

/// SSLRequest: length 8, code 80877103.
fn postgres(stream: &mut (impl Read + Write)) -> Result<(), Stopped> {
    stream.write_all(&[0, 0, 0, 8, 4, 210, 22, 47])?;
    let mut answer = [0];
    stream.read_exact(&mut answer)?;
    match answer {
        [b'S'] => Ok(()),
        [b'N'] => Err(Stopped::NotOffered("the server answers N to SSLRequest".to_owned())),
        other => Err(Stopped::Foreign(other.to_vec())),
    }
}

/// Capabilities: CLIENT_LONG_PASSWORD, CLIENT_PROTOCOL_41, CLIENT_SSL, CLIENT_SECURE_CONNECTION.
const MYSQL_CAPABILITIES: u32 = 0x1 | 0x200 | 0x800 | 0x8000;
const CLIENT_SSL: u16 = 0x800;

fn mysql(stream: &mut (impl Read + Write)) -> Result<(), Stopped> {
    let mut header = [0; 4];
    stream.read_exact(&mut header)?;
    let [a, b, c, _] = header;
    let length = usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
    if length > MAX_LINE {
        return Err(Stopped::Foreign(header.to_vec()));
    }
    let mut greeting = vec![0; length];
    stream.read_exact(&mut greeting)?;
    if greeting.first() == Some(&0xff) {
        // An error packet: host blocked, too many connections.
        let text = String::from_utf8_lossy(greeting.get(3..).unwrap_or_default()).into_owned();
        return Err(Stopped::Busy(text));
    }
    // Protocol, version string, thread id (4), salt (8), filler (1), capabilities (2).
    let end =
        greeting.iter().position(|byte| *byte == 0).ok_or_else(|| Stopped::Foreign(greeting.clone()))?;
    let low = greeting.get(end + 14..end + 16).and_then(|bytes| bytes.first_chunk().copied());
    match low.map(u16::from_le_bytes) {
        None => return Err(Stopped::Foreign(greeting.into_iter().take(128).collect())),
        Some(capabilities) if capabilities & CLIENT_SSL == 0 => {
            return Err(Stopped::NotOffered("the server does not offer SSL".to_owned()));
        }
        Some(_) => {}
    }
    let mut request = vec![32, 0, 0, 1];
    request.extend(MYSQL_CAPABILITIES.to_le_bytes());
    request.extend(0x0100_0000_u32.to_le_bytes());
    // utf8mb4_general_ci, then filler.
    request.push(45);
    request.extend([0; 23]);
    stream.write_all(&request)?;
    Ok(())
}
