//! SMTP commands of ours, and the proof that no option can smuggle a second one in.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use zeroize::Zeroizing;

/// Longest command line with its CR LF: RFC 4954 section 4.
const LONGEST_LINE: usize = 12_288;

/// A command line ready to send; `Display` shows it with secrets masked.
pub struct Command {
    wire: Zeroizing<Vec<u8>>,
    shown: String,
}

/// Why a line cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// CR, LF or NUL would end the line and begin a command of somebody else's.
    #[error("contains a line break or NUL")]
    Smuggled,
    /// Longer than any server has to read.
    #[error("is longer than {LONGEST_LINE} octets")]
    TooLong,
}

impl Command {
    /// A command without secrets.
    pub fn plain(line: &str) -> Result<Self, CommandError> {
        Self::build(line.as_bytes(), line.to_owned())
    }

    /// `verb` in the clear, then a secret that is shown as `****`.
    pub fn secret(verb: &str, secret: &[u8]) -> Result<Self, CommandError> {
        let mut line = Zeroizing::new(Vec::with_capacity(verb.len() + 1 + secret.len()));
        line.extend_from_slice(verb.as_bytes());
        if !verb.is_empty() && !secret.is_empty() {
            line.push(b' ');
        }
        line.extend_from_slice(secret);
        let gap = if verb.is_empty() { "" } else { " " };
        Self::build(&line, format!("{verb}{gap}****"))
    }

    fn build(line: &[u8], shown: String) -> Result<Self, CommandError> {
        if line.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return Err(CommandError::Smuggled);
        }
        if line.len() + 2 > LONGEST_LINE {
            return Err(CommandError::TooLong);
        }
        let mut wire = Zeroizing::new(Vec::with_capacity(line.len() + 2));
        wire.extend_from_slice(line);
        wire.extend_from_slice(b"\r\n");
        Ok(Self { wire, shown })
    }

    /// The line as sent, with CR LF.
    #[must_use]
    pub fn wire(&self) -> &[u8] {
        &self.wire
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Command").field(&self.shown).finish()
    }
}

/// The argument of EHLO: a fully qualified name or an address literal, never a bare host
/// name, which many servers refuse (RFC 5321 section 4.1.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeloName(String);

/// Why an EHLO argument was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("want a fully qualified name or an address literal such as [192.0.2.1] or [IPv6:2001:db8::1]")]
pub struct HeloError;

impl FromStr for HeloName {
    type Err = HeloError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let literal = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let good = match literal {
            Some(inside) => match inside.strip_prefix("IPv6:") {
                Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
                None => inside.parse::<std::net::Ipv4Addr>().is_ok(),
            },
            None => {
                text.len() <= 253
                    && text.contains('.')
                    && text.split('.').all(|label| {
                        !label.is_empty()
                            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
                    })
            }
        };
        if good { Ok(Self(text.to_owned())) } else { Err(HeloError) }
    }
}

impl fmt::Display for HeloName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The address literal of RFC 5321 section 4.1.3.
#[must_use]
pub fn domain_literal(address: IpAddr) -> HeloName {
    match address.to_canonical() {
        IpAddr::V4(v4) => HeloName(format!("[{v4}]")),
        IpAddr::V6(v6) => HeloName(format!("[IPv6:{v6}]")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_command_fits_in() {
        for bad in ["EHLO a\r\nMAIL FROM:<>", "EHLO a\nb", "EHLO a\rb", "EHLO a\0b"] {
            assert_eq!(Command::plain(bad).unwrap_err(), CommandError::Smuggled);
        }
        assert_eq!(Command::plain(&"a".repeat(12_287)).unwrap_err(), CommandError::TooLong);
    }

    #[test]
    fn secrets_are_never_shown() {
        let command = Command::secret("AUTH PLAIN", b"AHUAcA==").unwrap();
        assert_eq!(command.wire(), b"AUTH PLAIN AHUAcA==\r\n");
        assert_eq!(format!("{command} {command:?}"), "AUTH PLAIN **** Command(\"AUTH PLAIN ****\")");
        assert_eq!(Command::secret("", b"cHc=").unwrap().to_string(), "****");
    }

    #[test]
    fn helo_is_qualified_or_a_literal() {
        for good in ["mail.example.org", "[192.0.2.1]", "[IPv6:2001:db8::1]", "a_b.lan"] {
            assert_eq!(good.parse::<HeloName>().unwrap().to_string(), good);
        }
        for bad in ["", "localhost", "a..b", "mail.example\r\nX", "[::1]", "[mail]", "a b.c"] {
            assert!(bad.parse::<HeloName>().is_err(), "{bad}");
        }
        assert_eq!(domain_literal("127.0.0.1".parse().unwrap()).to_string(), "[127.0.0.1]");
        assert_eq!(domain_literal("::1".parse().unwrap()).to_string(), "[IPv6:::1]");
        assert_eq!(domain_literal("::ffff:192.0.2.1".parse().unwrap()).to_string(), "[192.0.2.1]");
    }
}
