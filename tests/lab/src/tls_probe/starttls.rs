//! Client halves of the protocols that begin in clear and change to TLS, with no more than
//! what leads to TLS. An answer that does not is an error with the server's words.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use crate::tls_script::Protocol;
use crate::tls_script::starttls::{LDAP_STARTTLS, POSTGRES_SSL_REQUEST};
use crate::tls_script::upgrades::{DO_START_TLS, FOLLOWS, WILL_START_TLS};

/// Talks until TLS may begin.
pub(super) fn talk(stream: &mut TcpStream, protocol: Protocol) -> io::Result<()> {
    let mut talk = Talk { stream };
    match protocol {
        Protocol::Smtp => talk.replies("EHLO lab.test", "STARTTLS", "220"),
        Protocol::Lmtp => talk.replies("LHLO lab.test", "STARTTLS", "220"),
        Protocol::Ftp => talk.replies("FEAT", "AUTH TLS", "234"),
        Protocol::Imap => {
            talk.line_with(|line| line.starts_with("* "), "* OK")?;
            talk.say("a STARTTLS")?;
            talk.line_with(|line| line.starts_with("a "), "a OK")
        }
        Protocol::Pop3 => {
            talk.line_with(|_| true, "+OK")?;
            talk.say("STLS")?;
            talk.line_with(|_| true, "+OK")
        }
        Protocol::Ldap => talk.ldap(),
        Protocol::Postgres => {
            talk.stream.write_all(&POSTGRES_SSL_REQUEST)?;
            let answer = talk.bytes(1)?;
            expect(answer == b"S", &answer)
        }
        Protocol::MySql => talk.mysql(),
        Protocol::XmppClient => talk.xmpp("jabber:client"),
        Protocol::XmppServer => talk.xmpp("jabber:server"),
        Protocol::Sieve => {
            talk.line_with(|line| ["OK", "NO", "BYE"].iter().any(|word| line.starts_with(word)), "OK")?;
            talk.say("STARTTLS")?;
            talk.line_with(|_| true, "OK")
        }
        Protocol::Nntp => {
            talk.line_with(|_| true, "20")?;
            talk.say("STARTTLS")?;
            talk.line_with(|_| true, "382")
        }
        Protocol::Irc => {
            talk.say("STARTTLS")?;
            talk.line_with(|line| line.contains(" 670 "), ":")
        }
        Protocol::Rdp => talk.rdp(),
        Protocol::Telnet => talk.telnet(),
    }
}

struct Talk<'a> {
    stream: &'a mut TcpStream,
}

impl Talk<'_> {
    /// Greeting, a hello, and the wish for TLS with the code of its reply.
    fn replies(&mut self, hello: &str, wish: &str, code: &str) -> io::Result<()> {
        let is_last = |line: &str| line.as_bytes().get(3) == Some(&b' ') && !line.starts_with(' ');
        self.line_with(is_last, "220")?;
        self.say(hello)?;
        self.line_with(is_last, "2")?;
        self.say(wish)?;
        self.line_with(is_last, code)
    }

    fn say(&mut self, line: &str) -> io::Result<()> {
        self.stream.write_all(format!("{line}\r\n").as_bytes())
    }

    /// Reads up to the line that is wanted, which must begin as it should.
    fn line_with(&mut self, wanted: impl Fn(&str) -> bool, start: &str) -> io::Result<()> {
        loop {
            let mut line = Vec::new();
            while line.last() != Some(&b'\n') {
                line.extend(self.bytes(1)?);
            }
            let line = String::from_utf8_lossy(&line);
            if wanted(&line) {
                return expect(line.starts_with(start), line.as_bytes());
            }
        }
    }

    fn ldap(&mut self) -> io::Result<()> {
        let request = [&[0x30, 29, 2, 1, 1, 0x77, 24, 0x80, 22][..], LDAP_STARTTLS].concat();
        self.stream.write_all(&request)?;
        let header = self.bytes(2)?;
        let response = self.bytes(usize::from(header[1] & 0x7f))?;
        // Result code 0 of an ExtendedResponse to message 1.
        let is_success = matches!(response.as_slice(), [2, 1, 1, 0x78, _, 10, 1, 0, ..]);
        expect(is_success, &response)
    }

    fn mysql(&mut self) -> io::Result<()> {
        let header = self.bytes(4)?;
        let greeting = self.bytes(usize::from(u16::from_le_bytes([header[0], header[1]])))?;
        expect(greeting.first() == Some(&10), &greeting)?;
        // CLIENT_PROTOCOL_41, CLIENT_SSL, CLIENT_SECURE_CONNECTION; 16 MiB; utf8.
        let start = [32, 0, 0, 1, 0x00, 0x8a, 0x00, 0x00, 0, 0, 0, 1, 33];
        self.stream.write_all(&[&start[..], &[0; 23]].concat())
    }

    /// Opens a stream to the name of the lab's certificates.
    fn xmpp(&mut self, space: &str) -> io::Result<()> {
        let streams = "http://etherx.jabber.org/streams";
        let header = format!(
            "<stream:stream xmlns=\"{space}\" xmlns:stream=\"{streams}\" to=\"tls.test\" version=\"1.0\">"
        );
        self.stream.write_all(header.as_bytes())?;
        let features = self.up_to("</stream:features>")?;
        expect(features.contains("<starttls"), features.as_bytes())?;
        self.stream.write_all(b"<starttls xmlns=\"urn:ietf:params:xml:ns:xmpp-tls\"/>")?;
        let answer = self.up_to(">")?;
        expect(answer.starts_with("<proceed"), answer.as_bytes())
    }

    fn up_to(&mut self, end: &str) -> io::Result<String> {
        let mut text = String::new();
        while !text.ends_with(end) {
            expect(!text.ends_with("</stream:error>"), text.as_bytes())?;
            text.extend(self.bytes(1)?.into_iter().map(char::from));
        }
        Ok(text)
    }

    /// Asks for TLS alone, which servers with CredSSP refuse.
    fn rdp(&mut self) -> io::Result<()> {
        let request = [3, 0, 0, 19, 14, 0xe0, 0, 0, 0, 0, 0, 1, 0, 8, 0, 1, 0, 0, 0];
        self.stream.write_all(&request)?;
        let header = self.bytes(4)?;
        let answer = self.bytes(usize::from(header[3]).saturating_sub(4))?;
        expect(matches!(answer.get(7..), Some([2, _, 8, 0, 1, 0, 0, 0])), &answer)
    }

    /// Agrees to the option, and skips all others.
    fn telnet(&mut self) -> io::Result<()> {
        let mut heard = Vec::new();
        while !heard.ends_with(&DO_START_TLS) {
            heard.extend(self.bytes(1)?);
        }
        self.stream.write_all(&[&WILL_START_TLS[..], &FOLLOWS].concat())?;
        while !heard.ends_with(&FOLLOWS) {
            heard.extend(self.bytes(1)?);
        }
        Ok(())
    }

    fn bytes(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

fn expect(is_so: bool, answer: &[u8]) -> io::Result<()> {
    let words = || io::Error::other(format!("no TLS: {}", String::from_utf8_lossy(answer)));
    if is_so { Ok(()) } else { Err(words()) }
}
