//! Server halves of the protocols that begin in clear and change to TLS: SMTP (RFC 3207), LMTP, IMAP
//! and POP3 (RFC 2595), FTP (RFC 4217), LDAP (RFC 4511 section 4.14), PostgreSQL and MySQL here, the others in
//! [`super::upgrades`].
//!
//! They know no more than what leads to TLS, and answer everything else with an error.

use std::io::{self, Read, Write};

use super::messages::HANDSHAKE;

/// A protocol with a step to TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the usual ones")]
pub enum Protocol {
    Smtp,
    Lmtp,
    Imap,
    Pop3,
    Ftp,
    Ldap,
    Postgres,
    MySql,
    XmppClient,
    XmppServer,
    Sieve,
    Nntp,
    Irc,
    Rdp,
    Telnet,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Smtp,
        Self::Lmtp,
        Self::Imap,
        Self::Pop3,
        Self::Ftp,
        Self::Ldap,
        Self::Postgres,
        Self::MySql,
        Self::XmppClient,
        Self::XmppServer,
        Self::Sieve,
        Self::Nntp,
        Self::Irc,
        Self::Rdp,
        Self::Telnet,
    ];
}

/// What the server makes of the wish for TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upgrade {
    /// Offers it and changes to TLS.
    Offered,
    /// Does not know it.
    NotOffered,
    /// Offers it, and refuses it for the moment (SMTP: 454). PostgreSQL, MySQL, RDP and Telnet have no
    /// words for that and answer as for [`Upgrade::NotOffered`].
    Refused,
    /// Turns the client away at once: too many connections (SMTP: 421).
    Busy,
}

/// The longest line or message of a client.
pub(super) const LONGEST: usize = 4096;

pub(crate) const LDAP_STARTTLS: &[u8] = b"1.3.6.1.4.1.1466.20037";
pub(crate) const POSTGRES_SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
/// Capability of MySQL: the connection can change to TLS.
const MYSQL_SSL: u8 = 0x08;

/// A connection.
pub(super) trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

/// A connection on which every byte leaves alone.
pub(super) struct Split<T>(pub(super) T);

impl<T: Read> Read for Split<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<T: Write> Write for Split<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(&bytes[..bytes.len().min(1)])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The clear part of a connection.
pub(super) struct Front<'a> {
    pub(super) protocol: Protocol,
    pub(super) upgrade: Upgrade,
    pub(super) stream: &'a mut dyn Stream,
    /// What the client says, line by line.
    pub(super) said: &'a mut dyn FnMut(String),
}

impl Front<'_> {
    /// Talks until TLS begins (true) or the connection is to end.
    pub(super) fn talk(&mut self) -> io::Result<bool> {
        if self.upgrade == Upgrade::Busy {
            return self.turn_away();
        }
        let sieve = self.sieve_capabilities();
        match self.protocol {
            Protocol::Smtp | Protocol::Lmtp => self.lines("220 mail.lab.test ESMTP ready\r\n", Self::smtp),
            Protocol::Imap => {
                let greeting = format!("* OK [CAPABILITY {}] ready\r\n", self.imap_capabilities());
                self.lines(&greeting, Self::imap)
            }
            Protocol::Pop3 => self.lines("+OK ready\r\n", Self::pop3),
            Protocol::Ftp => self.lines("220 ftp.lab.test ready\r\n", Self::ftp),
            Protocol::Ldap => self.ldap(),
            Protocol::Postgres => self.postgres(),
            Protocol::MySql => self.mysql(),
            Protocol::XmppClient | Protocol::XmppServer => self.xmpp(),
            Protocol::Sieve => self.lines(&sieve, Self::sieve),
            Protocol::Nntp => self.lines("200 news.lab.test ready\r\n", Self::nntp),
            Protocol::Irc => {
                self.lines(":irc.lab.test NOTICE * :*** Looking up your hostname\r\n", Self::irc)
            }
            Protocol::Rdp => self.rdp(),
            Protocol::Telnet => self.telnet(),
        }
    }

    /// Says that there are too many connections, as servers of the protocol do.
    fn turn_away(&mut self) -> io::Result<bool> {
        let text: &[u8] = match self.protocol {
            Protocol::Smtp | Protocol::Lmtp => {
                b"421 4.7.0 mail.lab.test Error: too many connections from 127.0.0.1\r\n"
            }
            Protocol::Imap => b"* BYE Maximum number of connections from user+IP exceeded\r\n",
            Protocol::Pop3 => b"-ERR [SYS/TEMP] Too many connections\r\n",
            Protocol::Ftp => b"421 There are too many connections from your internet address.\r\n",
            Protocol::Ldap => return self.ldap(),
            Protocol::Postgres => {
                self.stream.read_exact(&mut [0; 8])?;
                b"E\0\0\0\x34SFATAL\0C53300\0Msorry, too many clients already\0\0"
            }
            Protocol::MySql => b"\x17\0\0\0\xff\x10\x04Too many connections",
            Protocol::XmppClient | Protocol::XmppServer => return self.xmpp(),
            Protocol::Sieve => b"BYE \"Too many connections\"\r\n",
            Protocol::Nntp => b"400 Too many connections\r\n",
            Protocol::Irc => b"ERROR :Closing Link: [127.0.0.1] (Too many connections)\r\n",
            Protocol::Rdp => return self.rdp(),
            Protocol::Telnet => b"Too many users, try again later.\r\n",
        };
        self.stream.write_all(text)?;
        Ok(false)
    }

    /// Answers line by line.
    fn lines(&mut self, greeting: &str, answer: fn(&Self, &str) -> Next) -> io::Result<bool> {
        self.stream.write_all(greeting.as_bytes())?;
        while let Some(line) = self.line()? {
            let next = answer(self, &line);
            (self.said)(line);
            let (text, over) = match next {
                Next::Say(text) => (text, None),
                Next::Tls(text) => (text, Some(true)),
                Next::Bye(text) => (text, Some(false)),
            };
            self.stream.write_all(text.as_bytes())?;
            if let Some(over) = over {
                return Ok(over);
            }
        }
        Ok(false)
    }

    fn smtp(&self, line: &str) -> Next {
        let extension = if self.is_offered() { "250-STARTTLS\r\n" } else { "" };
        let hello = if self.protocol == Protocol::Lmtp { "LHLO" } else { "EHLO" };
        match verb(line, 0).as_str() {
            known if known == hello => Next::Say(format!(
                "250-mail.lab.test\r\n250-PIPELINING\r\n{extension}250 ENHANCEDSTATUSCODES\r\n"
            )),
            "STARTTLS" => {
                self.start("220 2.0.0 Ready to start TLS", "454 4.7.0 TLS not available", "502 5.5.1 Unknown")
            }
            "QUIT" => Next::Bye("221 2.0.0 Bye\r\n".to_owned()),
            _ => Next::Say("502 5.5.1 Unknown\r\n".to_owned()),
        }
    }

    fn imap(&self, line: &str) -> Next {
        let tag = line.split(' ').next().unwrap_or_default();
        match verb(line, 1).as_str() {
            "CAPABILITY" => {
                Next::Say(format!("* CAPABILITY {}\r\n{tag} OK done\r\n", self.imap_capabilities()))
            }
            "STARTTLS" => self.start(
                &format!("{tag} OK Begin TLS negotiation now."),
                &format!("{tag} NO [UNAVAILABLE] TLS is not available"),
                &format!("{tag} BAD unknown command"),
            ),
            "LOGOUT" => Next::Bye(format!("* BYE Logging out\r\n{tag} OK Logout completed.\r\n")),
            _ => Next::Say(format!("{tag} BAD unknown command\r\n")),
        }
    }

    fn imap_capabilities(&self) -> &'static str {
        if self.is_offered() { "IMAP4rev1 STARTTLS LOGINDISABLED" } else { "IMAP4rev1 AUTH=PLAIN" }
    }

    fn pop3(&self, line: &str) -> Next {
        let capability = if self.is_offered() { "STLS\r\n" } else { "" };
        match verb(line, 0).as_str() {
            "CAPA" => Next::Say(format!("+OK\r\nTOP\r\n{capability}UIDL\r\n.\r\n")),
            "STLS" => self.start("+OK Begin TLS", "-ERR [SYS/TEMP] not now", "-ERR Unknown command."),
            "QUIT" => Next::Bye("+OK Logging out\r\n".to_owned()),
            _ => Next::Say("-ERR Unknown command.\r\n".to_owned()),
        }
    }

    fn ftp(&self, line: &str) -> Next {
        let feature = if self.is_offered() { " AUTH TLS\r\n PBSZ\r\n" } else { "" };
        match verb(line, 0).as_str() {
            "FEAT" => Next::Say(format!("211-Features:\r\n{feature} UTF8\r\n211 End\r\n")),
            "AUTH" => self.start("234 AUTH TLS OK.", "431 TLS is not available now.", "502 Not understood."),
            "QUIT" => Next::Bye("221 Goodbye.\r\n".to_owned()),
            _ => Next::Say("502 Not understood.\r\n".to_owned()),
        }
    }

    pub(super) fn start(&self, ready: &str, refused: &str, unknown: &str) -> Next {
        match self.upgrade {
            Upgrade::Offered => Next::Tls(format!("{ready}\r\n")),
            Upgrade::Refused => Next::Say(format!("{refused}\r\n")),
            Upgrade::NotOffered | Upgrade::Busy => Next::Say(format!("{unknown}\r\n")),
        }
    }

    pub(super) fn is_offered(&self) -> bool {
        matches!(self.upgrade, Upgrade::Offered | Upgrade::Refused)
    }

    /// Answers one extended request, in the short form of lengths.
    fn ldap(&mut self) -> io::Result<bool> {
        let mut header = [0; 2];
        self.stream.read_exact(&mut header)?;
        let [0x30, length @ ..=0x7f] = header else { return Ok(false) };
        let mut request = vec![0; usize::from(length)];
        self.stream.read_exact(&mut request)?;
        let known = request.windows(LDAP_STARTTLS.len()).any(|window| window == LDAP_STARTTLS);
        let [2, length @ 1..=4, rest @ ..] = request.as_slice() else { return Ok(false) };
        let Some((id, [0x77, ..])) = rest.split_at_checked(usize::from(*length)) else { return Ok(false) };
        (self.said)("ExtendedRequest".to_owned());
        let result = match self.upgrade {
            Upgrade::Offered if known => 0,
            Upgrade::Refused => 52,
            Upgrade::Busy => 51,
            _ => 2,
        };
        let response = [&[2, *length][..], id, &[0x78, 7, 10, 1, result, 4, 0, 4, 0]].concat();
        let whole = [&[0x30, u8::try_from(response.len()).expect("it is short")][..], &response].concat();
        self.stream.write_all(&whole)?;
        Ok(result == 0)
    }

    fn postgres(&mut self) -> io::Result<bool> {
        let mut request = [0; 8];
        self.stream.read_exact(&mut request)?;
        (self.said)("SSLRequest".to_owned());
        let is_ready = request == POSTGRES_SSL_REQUEST && self.upgrade == Upgrade::Offered;
        self.stream.write_all(if is_ready { b"S" } else { b"N" })?;
        Ok(is_ready)
    }

    fn mysql(&mut self) -> io::Result<bool> {
        let is_offered = self.upgrade == Upgrade::Offered;
        let capabilities = 0x82 | if is_offered { MYSQL_SSL } else { 0 };
        let mut greeting = b"\x0a8.0.36-lab\0\x07\0\0\0".to_vec();
        greeting.extend(b"saltsalt\0");
        greeting.extend([0xff, capabilities, 0x21, 2, 0, 0x08, 0, 21]);
        greeting.extend([0; 10]);
        greeting.extend(b"saltsaltsalt\0caching_sha2_password\0");
        self.stream.write_all(&mysql_packet(0, &greeting))?;
        let mut header = [0; 4];
        self.stream.read_exact(&mut header)?;
        let length = usize::from(u16::from_le_bytes([header[0], header[1]])).min(LONGEST);
        let mut request = vec![0; length];
        self.stream.read_exact(&mut request)?;
        let wants_tls = length == 32 && request[1] & MYSQL_SSL != 0;
        (self.said)(if wants_tls { "SSLRequest" } else { "HandshakeResponse" }.to_owned());
        if !(is_offered && wants_tls) {
            self.stream.write_all(&mysql_packet(2, b"\xff\x13\x04#08S01Bad handshake"))?;
        }
        Ok(is_offered && wants_tls)
    }

    /// A line without its end; byte by byte, for what follows the last one belongs to TLS. A
    /// ClientHello is none: some clients send it though they were refused, and would wait for ever.
    fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        let mut byte = [0];
        while line.len() < LONGEST && line.first() != Some(&HANDSHAKE) && self.stream.read(&mut byte)? > 0 {
            if byte[0] == b'\n' {
                return Ok(Some(String::from_utf8_lossy(&line).trim_end().to_owned()));
            }
            line.push(byte[0]);
        }
        Ok(None)
    }
}

/// What follows a line.
pub(super) enum Next {
    Say(String),
    Tls(String),
    Bye(String),
}

/// A word of a line, in capitals.
pub(super) fn verb(line: &str, word: usize) -> String {
    line.split_ascii_whitespace().nth(word).unwrap_or_default().to_ascii_uppercase()
}

fn mysql_packet(number: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("the lab's packets are short");
    [&[length, 0, 0, number][..], payload].concat()
}
