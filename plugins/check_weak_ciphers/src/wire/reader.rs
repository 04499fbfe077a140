//! From bytes to handshake messages and alerts: records and their fragments (RFC 8446
//! section 5.1), with hard limits, because the peer may be anybody.

use crate::alerts::alert_name;

/// What the bytes so far amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A whole handshake message: type and body.
    Handshake(u8, Vec<u8>),
    Alert(Alert),
    /// A record of another kind, which ends what can be read in the clear.
    Other(u8),
}

/// An alert (RFC 8446 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Alert {
    pub(crate) fatal: bool,
    pub(crate) description: u8,
}

/// Why a stream cannot be TLS, or not any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotTls {
    /// The first bytes are of something else.
    Foreign(Vec<u8>),
    /// A record or message that breaks the rules, in words.
    Violation(&'static str),
}

/// Takes bytes as they come and gives events as they are whole.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reader {
    bytes: Vec<u8>,
    /// Handshake bytes of the records so far.
    handshake: Vec<u8>,
    taken: usize,
    /// A record was read, so that the peer does speak TLS.
    is_tls: bool,
}

/// A record's fragment with room for encryption (RFC 5246 section 6.2.3).
const MAX_RECORD: usize = (1 << 14) + 2048;
/// A certificate chain of this size is absurd already.
const MAX_MESSAGE: usize = 1 << 17;
/// All that one connection may send before it has shown what is wanted.
const MAX_BYTES: usize = 1 << 18;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
/// What is kept of a foreign greeting.
const GREETING: usize = 128;

impl Reader {
    /// Adds bytes from the connection.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), NotTls> {
        self.taken = self.taken.saturating_add(bytes.len());
        if self.taken > MAX_BYTES {
            return Err(NotTls::Violation("more bytes than any handshake has"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// The bytes that came so far and are no record yet.
    pub(crate) fn pending(&self) -> &[u8] {
        &self.bytes
    }

    /// The next whole event, `None` when more bytes are needed.
    pub(crate) fn next(&mut self) -> Result<Option<Event>, NotTls> {
        loop {
            if let Some(message) = self.message()? {
                return Ok(Some(message));
            }
            let Some((kind, body)) = self.record()? else { return Ok(None) };
            match kind {
                HANDSHAKE => self.handshake.extend_from_slice(&body),
                ALERT => {
                    let [level, description] = *body.as_slice() else {
                        return Err(NotTls::Violation("an alert that is not two bytes long"));
                    };
                    return Ok(Some(Event::Alert(Alert { fatal: level == 2, description })));
                }
                other => return Ok(Some(Event::Other(other))),
            }
        }
    }

    /// Takes a record off the front, whatever it holds; `None` when more bytes are needed.
    pub(crate) fn record(&mut self) -> Result<Option<(u8, Vec<u8>)>, NotTls> {
        let Some(&[kind, major, _, high, low]) = self.bytes.first_chunk() else {
            return match self.bytes.first() {
                Some(first) if !self.is_tls && !(20..=24).contains(first) => self.foreign(),
                _ => Ok(None),
            };
        };
        if !self.is_tls && (!(20..=24).contains(&kind) || major != 3) {
            return self.foreign();
        }
        if !(20..=24).contains(&kind) || major != 3 {
            return Err(NotTls::Violation("a record that is none"));
        }
        self.is_tls = true;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length > MAX_RECORD {
            return Err(NotTls::Violation("a record longer than allowed"));
        }
        let Some(body) = self.bytes.get(5..5 + length) else { return Ok(None) };
        if body.is_empty() && kind != 23 {
            return Err(NotTls::Violation("an empty record"));
        }
        let body = body.to_vec();
        self.bytes.drain(..5 + length);
        Ok(Some((kind, body)))
    }

    fn foreign<T>(&self) -> Result<T, NotTls> {
        Err(NotTls::Foreign(self.bytes.iter().take(GREETING).copied().collect()))
    }

    /// Takes a handshake message off the front.
    fn message(&mut self) -> Result<Option<Event>, NotTls> {
        let Some(&[kind, a, b, c]) = self.handshake.first_chunk() else { return Ok(None) };
        let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        if length > MAX_MESSAGE {
            return Err(NotTls::Violation("a handshake message longer than allowed"));
        }
        let Some(body) = self.handshake.get(4..4 + length) else { return Ok(None) };
        let body = body.to_vec();
        self.handshake.drain(..4 + length);
        Ok(Some(Event::Handshake(kind, body)))
    }
}

impl Alert {
    /// Its name in IANA's registry.
    pub(crate) fn name(self) -> String {
        alert_name(self.description).map_or_else(|| format!("alert {}", self.description), str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn events(chunks: &[&[u8]]) -> Result<Vec<Event>, NotTls> {
        let mut reader = Reader::default();
        let mut events = Vec::new();
        for chunk in chunks {
            reader.push(chunk)?;
            while let Some(event) = reader.next()? {
                events.push(event);
            }
        }
        Ok(events)
    }

    const HELLO_AND_DONE: &[u8] = &[22, 3, 3, 0, 10, 2, 0, 0, 2, 3, 3, 14, 0, 0, 0];

    #[test]
    fn messages_share_records_and_records_share_messages() {
        let want = vec![Event::Handshake(2, vec![3, 3]), Event::Handshake(14, Vec::new())];
        assert_eq!(events(&[HELLO_AND_DONE]), Ok(want.clone()));
        let split: &[u8] = &[22, 3, 3, 0, 3, 2, 0, 0, 22, 3, 3, 0, 7, 2, 3, 3, 14, 0, 0, 0];
        assert_eq!(events(&[split]), Ok(want.clone()));
        let bytes: Vec<&[u8]> = split.chunks(1).collect();
        assert_eq!(events(&bytes), Ok(want));
    }

    #[test]
    fn alerts_have_names() {
        let Ok(got) = events(&[&[21, 3, 1, 0, 2, 2, 70]]) else { panic!("no event") };
        assert_eq!(got, [Event::Alert(Alert { fatal: true, description: 70 })]);
        assert_eq!(Alert { fatal: true, description: 70 }.name(), "protocol_version");
        assert_eq!(Alert { fatal: false, description: 199 }.name(), "alert 199");
    }

    #[test]
    fn other_protocols_are_told_apart() {
        for greeting in
            [&b"SSH-2.0-OpenSSH_9.2\r\n"[..], b"220 mail ESMTP\r\n", b"HTTP/1.1 400 Bad", b"\x15\x02x", b"S"]
        {
            let result = events(&[greeting]);
            assert!(
                greeting == b"\x15\x02x" || matches!(&result, Err(NotTls::Foreign(_))),
                "{greeting:?}: {result:?}"
            );
        }
        assert!(matches!(events(&[b"\x15\x02xyz"]), Err(NotTls::Foreign(_))));
    }

    #[test]
    fn limits_hold() {
        assert!(matches!(events(&[&[22, 3, 3, 0xff, 0xff]]), Err(NotTls::Violation(_))));
        assert!(matches!(events(&[&[22, 3, 3, 0, 4, 11, 0xff, 0xff, 0xff]]), Err(NotTls::Violation(_))));
        assert!(matches!(events(&[&[22, 3, 3, 0, 0]]), Err(NotTls::Violation(_))));
        let flood = vec![0; MAX_BYTES + 1];
        assert!(Reader::default().push(&flood).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_give_the_same(bytes in proptest::collection::vec(any::<u8>(), 0..400), size in 1usize..50) {
            let mut valid = HELLO_AND_DONE.to_vec();
            valid.extend(bytes);
            let pieces: Vec<&[u8]> = valid.chunks(size).collect();
            prop_assert_eq!(events(&[&valid]), events(&pieces));
        }
    }
}
