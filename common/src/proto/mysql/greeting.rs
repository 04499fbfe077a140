//! The first bytes of a connection: whether a MySQL or MariaDB server speaks there, and if
//! not, who does (Protocol::HandshakeV10 of the MySQL internals manual).

use crate::proto::text::decode;

/// Who speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Greeting {
    /// MySQL or MariaDB with this server version.
    Server(String),
    /// An error packet in place of a greeting: number and text.
    Refusal(u16, String),
    /// The X protocol, on a port of its own (33060).
    XProtocol,
    /// Somebody else; the first line if it was text.
    Foreign(Option<String>),
    /// The bytes could still become a greeting.
    Incomplete,
}

/// Longer than any greeting.
pub const LONGEST: usize = 1024;
const PROTOCOL_10: u8 = 10;
const ERROR: u8 = 0xff;

/// Looks at what came first.
#[must_use]
pub fn read_greeting(bytes: &[u8]) -> Greeting {
    // A length that begins like text is nothing unusual: many greetings have 74 bytes, a J.
    let [low, middle, high, sequence, payload @ ..] = bytes else { return Greeting::Incomplete };
    let length = usize::from(*low) | usize::from(*middle) << 8 | usize::from(*high) << 16;
    // A frame of protocol X: 32 bits of length, then the type NOTICE (11).
    if *sequence == 0 && payload.first() == Some(&11) && length < LONGEST {
        return Greeting::XProtocol;
    }
    if *sequence != 0 || length == 0 || length > LONGEST {
        return foreign(bytes);
    }
    match payload {
        [] | [ERROR] | [ERROR, _] => Greeting::Incomplete,
        [PROTOCOL_10, rest @ ..] => match rest.iter().position(|byte| *byte == 0) {
            Some(end) => Greeting::Server(decode(rest.get(..end).unwrap_or_default())),
            None if bytes.len() < LONGEST => Greeting::Incomplete,
            None => foreign(bytes),
        },
        [ERROR, low, high, text @ ..] => {
            let text = text.get(..length.saturating_sub(3)).unwrap_or(text);
            // Since protocol 4.1 five letters of SQL state may stand between; not in this early packet.
            let text = text.strip_prefix(b"#").and_then(|rest| rest.get(5..)).unwrap_or(text);
            Greeting::Refusal(u16::from_le_bytes([*low, *high]), decode(text))
        }
        _ => foreign(bytes),
    }
}

fn foreign(bytes: &[u8]) -> Greeting {
    let line = bytes.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    let is_text =
        line.len() >= 3 && line.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ' || *byte == b'\t');
    Greeting::Foreign(is_text.then(|| decode(line)))
}

/// The version without the `5.5.5-` that MariaDB 10 puts in front for old replicas.
#[must_use]
pub fn plain_version(version: &str) -> &str {
    match version.strip_prefix("5.5.5-") {
        Some(rest) if rest.contains("MariaDB") => rest,
        _ => version,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packet(payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(payload.len()).unwrap();
        [&[length, 0, 0, 0], payload].concat()
    }

    #[test]
    fn servers_are_told_from_others() {
        assert_eq!(read_greeting(&packet(b"\x0a8.0.46\0rest")), Greeting::Server("8.0.46".into()));
        assert_eq!(
            read_greeting(&packet(b"\xff\x69\x04Host 'a' is blocked")),
            Greeting::Refusal(1129, "Host 'a' is blocked".into())
        );
        assert_eq!(
            read_greeting(b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n"),
            Greeting::Foreign(Some("SSH-2.0-OpenSSH_9.2p1 Debian".into()))
        );
        assert_eq!(
            read_greeting(b"220 mail.example ESMTP\r\n"),
            Greeting::Foreign(Some("220 mail.example ESMTP".into()))
        );
        assert_eq!(read_greeting(b"\x05\0\0\0\x0b\x08\x05\x1a\0"), Greeting::XProtocol);
        assert_eq!(read_greeting(b"\x16\x03\x01\x02\0\x01\0"), Greeting::Foreign(None));
        assert_eq!(read_greeting(b"\x4a\0"), Greeting::Incomplete);
        assert_eq!(read_greeting(b""), Greeting::Incomplete);
    }

    #[test]
    fn the_old_prefix_is_dropped_for_mariadb_only() {
        assert_eq!(plain_version("5.5.5-10.11.19-MariaDB-0+deb12u1"), "10.11.19-MariaDB-0+deb12u1");
        assert_eq!(plain_version("5.5.5-m3-log"), "5.5.5-m3-log");
        assert_eq!(plain_version("8.4.13"), "8.4.13");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..1200)) {
            let _ = read_greeting(&bytes);
        }

        #[test]
        fn a_greeting_cut_anywhere_is_incomplete_or_read(version in "[0-9.]{1,12}(-MariaDB)?", cut in 0_usize..40) {
            let whole = packet(format!("\x0a{version}\0abcdefgh").as_bytes());
            let part = &whole[..cut.min(whole.len())];
            match read_greeting(part) {
                Greeting::Incomplete => {}
                Greeting::Server(read) => prop_assert_eq!(read, version),
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }
}
