//! More server halves of protocols that change to TLS: XMPP (RFC 6120), ManageSieve (RFC 5804), NNTP (RFC 4642), IRC
//! (IRCv3 tls), RDP ([MS-RDPBCGR]) and Telnet (draft-altman-telnet-starttls).

use std::io;

use super::messages::HANDSHAKE;
use super::starttls::{Front, LONGEST, Next, Protocol, Upgrade, verb};

/// IAC and commands, with the option START_TLS.
pub(crate) const DO_START_TLS: [u8; 3] = [255, 253, 46];
pub(crate) const WILL_START_TLS: [u8; 3] = [255, 251, 46];
pub(crate) const FOLLOWS: [u8; 6] = [255, 250, 46, 1, 255, 240];
const DONT_START_TLS: [u8; 3] = [255, 254, 46];
/// WILL ECHO, DO TERMINAL-TYPE.
const OTHER_OPTIONS: [u8; 6] = [255, 251, 1, 255, 253, 24];

impl Front<'_> {
    /// A stream for either side; the other side's namespace is an error.
    pub(super) fn xmpp(&mut self) -> io::Result<bool> {
        let space = if self.protocol == Protocol::XmppServer { "jabber:server" } else { "jabber:client" };
        let header = loop {
            match self.tag()? {
                Some(tag) if tag.starts_with("<?") => {}
                Some(tag) if tag.starts_with("<stream:stream") => break tag,
                _ => return Ok(false),
            }
        };
        let ours = format!(
            "<?xml version='1.0'?><stream:stream xmlns='{space}' xmlns:stream='http://etherx.jabber.org/streams' \
             id='lab' from='lab.test' version='1.0'>"
        );
        let error = |condition: &str| {
            format!(
                "{ours}<stream:error><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>\
                 </stream:stream>"
            )
        };
        let is_for_us = header.contains(&format!("'{space}'")) || header.contains(&format!("\"{space}\""));
        (self.said)(header);
        let starttls = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>";
        let answer = match self.upgrade {
            Upgrade::Busy => error("resource-constraint"),
            _ if !is_for_us => error("invalid-namespace"),
            _ => {
                let features = if self.is_offered() { starttls } else { "<mechanisms/>" };
                format!("{ours}<stream:features>{features}</stream:features>")
            }
        };
        self.stream.write_all(answer.as_bytes())?;
        if self.upgrade == Upgrade::Busy || !is_for_us {
            return Ok(false);
        }
        let Some(wish) = self.tag()? else { return Ok(false) };
        let is_wish = wish.starts_with("<starttls");
        (self.said)(wish);
        let is_ready = is_wish && self.upgrade == Upgrade::Offered;
        self.stream.write_all(if is_ready {
            b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
        } else {
            b"<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>"
        })?;
        Ok(is_ready)
    }

    /// A tag with its brackets; byte by byte, as lines are.
    fn tag(&mut self) -> io::Result<Option<String>> {
        let mut tag = Vec::new();
        let mut byte = [0];
        while tag.len() < LONGEST && tag.first() != Some(&HANDSHAKE) && self.stream.read(&mut byte)? > 0 {
            if !(tag.is_empty() && byte[0].is_ascii_whitespace()) {
                tag.push(byte[0]);
            }
            if byte[0] == b'>' {
                return Ok(Some(String::from_utf8_lossy(&tag).into_owned()));
            }
        }
        Ok(None)
    }

    pub(super) fn sieve_capabilities(&self) -> String {
        let starttls = if self.is_offered() { "\"STARTTLS\"\r\n" } else { "" };
        format!("\"IMPLEMENTATION\" \"lab\"\r\n\"SIEVE\" {{8}}\r\nfileinto\r\n{starttls}OK \"ready\"\r\n")
    }

    pub(super) fn sieve(&self, line: &str) -> Next {
        match verb(line, 0).as_str() {
            "CAPABILITY" => Next::Say(self.sieve_capabilities()),
            "STARTTLS" => {
                self.start("OK \"Begin TLS\"", "NO (TRYLATER) \"not now\"", "NO \"Unknown command\"")
            }
            "LOGOUT" => Next::Bye("OK \"Bye\"\r\n".to_owned()),
            _ => Next::Say("NO \"Unknown command\"\r\n".to_owned()),
        }
    }

    pub(super) fn nntp(&self, line: &str) -> Next {
        let starttls = if self.is_offered() { "STARTTLS\r\n" } else { "" };
        match verb(line, 0).as_str() {
            "CAPABILITIES" => Next::Say(format!("101 List\r\nVERSION 2\r\nREADER\r\n{starttls}.\r\n")),
            "STARTTLS" => self.start("382 Begin TLS", "580 Cannot begin TLS", "500 What?"),
            "QUIT" => Next::Bye("205 Bye\r\n".to_owned()),
            _ => Next::Say("500 What?\r\n".to_owned()),
        }
    }

    /// What is not known is not answered, as in many servers before a client has registered.
    pub(super) fn irc(&self, line: &str) -> Next {
        let starttls = if self.is_offered() { " tls" } else { "" };
        let unknown = Next::Say(String::new());
        match (verb(line, 0).as_str(), verb(line, 1).as_str()) {
            ("CAP", "LS") => Next::Say(format!(":irc.lab.test CAP * LS :multi-prefix{starttls}\r\n")),
            ("STARTTLS", _) if self.is_offered() => self.start(
                ":irc.lab.test 670 * :STARTTLS successful, go ahead with TLS handshake",
                ":irc.lab.test 691 * :STARTTLS failure",
                "",
            ),
            ("QUIT", _) => Next::Bye("ERROR :Closing Link\r\n".to_owned()),
            _ => unknown,
        }
    }

    /// Answers one connection request.
    pub(super) fn rdp(&mut self) -> io::Result<bool> {
        let mut header = [0; 4];
        self.stream.read_exact(&mut header)?;
        let [3, 0, 0, length @ 11..=0x7f] = header else { return Ok(false) };
        let mut request = vec![0; usize::from(length) - 4];
        self.stream.read_exact(&mut request)?;
        let [_, 0xe0, _, _, _, _, _, negotiation @ ..] = request.as_slice() else { return Ok(false) };
        let asks_tls = matches!(negotiation, [1, 0, 8, 0, protocols, 0, 0, 0] if protocols & 1 != 0);
        (self.said)("ConnectionRequest".to_owned());
        let is_ready = asks_tls && self.upgrade == Upgrade::Offered;
        let answer: &[u8] = match self.upgrade {
            Upgrade::Busy => &[3, 0, 0, 11, 6, 0x80, 0, 0, 0x12, 0x34, 1],
            _ if is_ready => &[3, 0, 0, 19, 14, 0xd0, 0, 0, 0x12, 0x34, 0, 2, 0, 8, 0, 1, 0, 0, 0],
            // SSL_NOT_ALLOWED_BY_SERVER
            _ => &[3, 0, 0, 19, 14, 0xd0, 0, 0, 0x12, 0x34, 0, 3, 0, 8, 0, 2, 0, 0, 0],
        };
        self.stream.write_all(answer)?;
        Ok(is_ready)
    }

    /// Asks for the option at once, or refuses it.
    pub(super) fn telnet(&mut self) -> io::Result<bool> {
        let is_offered = self.upgrade == Upgrade::Offered;
        self.stream.write_all(if is_offered { &DO_START_TLS } else { &OTHER_OPTIONS })?;
        if !self.hears(&WILL_START_TLS)? {
            return Ok(false);
        }
        (self.said)("WILL START_TLS".to_owned());
        if !is_offered {
            self.stream.write_all(&[&DONT_START_TLS[..], b"login: "].concat())?;
            return self.hears(&FOLLOWS).map(|_| false);
        }
        self.stream.write_all(&FOLLOWS)?;
        let follows = self.hears(&FOLLOWS)?;
        (self.said)("FOLLOWS".to_owned());
        Ok(follows)
    }

    /// Reads as many bytes: whether they are these.
    fn hears(&mut self, expected: &[u8]) -> io::Result<bool> {
        let mut bytes = vec![0; expected.len()];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes == expected)
    }
}
