//! SSLv2, which nobody may speak (RFC 6176): one hello shows all its ciphers.
//!
//! The form is that of the SSL 2.0 draft; RFC 5246 appendix E.2 repeats the client's half.

use super::bytes::Bytes;

/// A SERVER-HELLO of SSLv2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerHello {
    /// Kinds of cipher, three bytes each.
    pub(crate) ciphers: Vec<u32>,
    /// The certificate, DER; empty when there is none.
    pub(crate) certificate: Vec<u8>,
}

/// What the bytes so far amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Incomplete,
    Hello(ServerHello),
    /// An error message of SSLv2: it is spoken, but these ciphers are not.
    Refused,
    /// A SERVER-HELLO that cannot be read.
    Broken,
    /// Not SSLv2.
    Foreign,
}

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 4;
const ERROR: u8 = 0;
const VERSION: [u8; 2] = [0, 2];
const CHALLENGE: usize = 16;

/// A CLIENT-HELLO that offers these kinds of cipher.
pub(crate) fn client_hello(ciphers: &[u32], random: &[u8; 32]) -> Vec<u8> {
    let specs: Vec<u8> = ciphers.iter().flat_map(|kind| kind.to_be_bytes().into_iter().skip(1)).collect();
    let mut body = vec![CLIENT_HELLO];
    body.extend(VERSION);
    body.extend(u16::try_from(specs.len()).unwrap_or(u16::MAX).to_be_bytes());
    body.extend([0, 0]);
    body.extend([0, 16]);
    body.extend(&specs);
    body.extend(random.iter().take(CHALLENGE));
    // The two-byte header: the highest bit says that there is no padding.
    let length = u16::try_from(body.len()).unwrap_or(0x7fff) | 0x8000;
    [length.to_be_bytes().as_slice(), &body].concat()
}

/// Reads what came back.
pub(crate) fn read(received: &[u8]) -> Answer {
    let Some(&[high, low]) = received.first_chunk() else { return Answer::Incomplete };
    // Three-byte headers pad encrypted records only, and none is encrypted yet.
    if high & 0x80 == 0 {
        return Answer::Foreign;
    }
    let length = usize::from(u16::from_be_bytes([high & 0x7f, low]));
    let Some(body) = received.get(2..2 + length) else {
        let plausible = received.get(2).is_none_or(|kind| matches!(*kind, SERVER_HELLO | ERROR));
        return if plausible { Answer::Incomplete } else { Answer::Foreign };
    };
    match body.first() {
        Some(&SERVER_HELLO) => server_hello(body).map_or(Answer::Broken, Answer::Hello),
        Some(&ERROR) if body.len() == 3 => Answer::Refused,
        _ => Answer::Foreign,
    }
}

fn server_hello(body: &[u8]) -> Option<ServerHello> {
    let mut bytes = Bytes::new(body);
    // Message, session-id-hit, certificate type.
    bytes.take(3)?;
    (bytes.take(2)? == VERSION).then_some(())?;
    let certificate = usize::from(bytes.u16()?);
    let specs = usize::from(bytes.u16()?);
    let connection = usize::from(bytes.u16()?);
    let certificate = bytes.take(certificate)?.to_vec();
    let kinds = bytes.take(specs)?;
    bytes.take(connection)?;
    let ciphers = kinds
        .chunks_exact(3)
        .map(|kind| kind.iter().fold(0, |code, byte| code << 8 | u32::from(*byte)))
        .collect();
    Some(ServerHello { ciphers, certificate })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KINDS: [u32; 2] = [0x01_00_80, 0x07_00_c0];

    fn hello() -> Vec<u8> {
        let mut body = vec![SERVER_HELLO, 0, 1, 0, 2, 0, 2, 0, 6, 0, 16, 9, 9, 1, 0, 0x80, 7, 0, 0xc0];
        body.extend([5; 16]);
        [&[0x80, u8::try_from(body.len()).unwrap()], body.as_slice()].concat()
    }

    #[test]
    fn a_hello_lists_all_ciphers() {
        let bytes = hello();
        assert_eq!(
            read(&bytes),
            Answer::Hello(ServerHello { ciphers: KINDS.to_vec(), certificate: vec![9, 9] })
        );
        for end in 0..bytes.len() {
            assert_eq!(read(&bytes[..end]), Answer::Incomplete, "{end}");
        }
    }

    #[test]
    fn errors_and_other_protocols_are_told_apart() {
        assert_eq!(read(&[0x80, 3, 0, 0, 1]), Answer::Refused);
        assert_eq!(read(&[21, 3, 0, 0, 2, 2, 40]), Answer::Foreign);
        assert_eq!(read(b"HTTP/1.1 400"), Answer::Foreign);
        assert_eq!(read(&[0x80, 200, 9]), Answer::Foreign);
    }

    #[test]
    fn our_hello_has_its_lengths_right() {
        let bytes = client_hello(&KINDS, &[7; 32]);
        assert_eq!(bytes[..2], [0x80, u8::try_from(bytes.len() - 2).unwrap()]);
        assert_eq!(bytes[2..11], [1, 0, 2, 0, 6, 0, 0, 0, 16]);
        assert_eq!(bytes.len(), 2 + 9 + 6 + 16);
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_much(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }
    }
}
